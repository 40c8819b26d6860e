//! Two behind routers that translate addresses, and a third whom both reach: real processes on computers of
//! their own, and routers between.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

#[path = "support/lab.rs"]
mod lab;
#[path = "support/nat.rs"]
mod nat;
mod support;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use lab::Lab;
use nat::{Kind, Router};
use support::Process;

const NODESET: &str = "10.9.0.1";

/// From one network to another: what is to go over three hops ends on its way.
const HOPS: u8 = 5;

/// What stands in front of somebody, the nearest first.
type Front = &'static [Kind];

const PUBLIC: Front = &[];
const FULL: Front = &[Kind::Full];
const CONE: Front = &[Kind::Cone];
const OPEN: Front = &[Kind::Open];
const SYMMETRIC: Front = &[Kind::Symmetric];
const DOUBLE: Front = &[Kind::Cone, Kind::Cone];

/// Puts a computer behind routers, which are the computers after it.
fn behind(lab: &Lab, computer: usize, front: Front) -> Vec<Router> {
    if !front.is_empty() {
        lab.on(computer, "link set eth0 down");
    }
    let mut routers = Vec::new();
    for (n, &kind) in front.iter().enumerate() {
        let (inner, router, last) = (computer + n, computer + n + 1, n + 1 == front.len());
        let net = |host: u8| Ipv4Addr::new(10, 20 + n as u8, computer as u8, host);
        lab.cable(router, inner, &format!("c{n}"));
        lab.on(router, "addr flush dev eth0");
        if n == 0 {
            lab.on(inner, &format!("addr add {}/24 dev c0", net(2)));
            lab.on(inner, &format!("route add default via {}", net(1)));
        }
        let outer = Ipv4Addr::new(10, 21 + n as u8, computer as u8, 2);
        let outside = if last {
            ("eth0".to_owned(), Ipv4Addr::new(10, 9, 0, router as u8))
        } else {
            (format!("c{}", n + 1), outer)
        };
        routers.push((router, (format!("c{n}"), net(1)), outside, kind, last));
    }
    // All cables are there.
    let start = |(router, inside, outside, kind, last): (_, (String, _), (String, _), _, _)| {
        let cards = [(inside.0.as_str(), inside.1), (outside.0.as_str(), outside.1)];
        Router::start(lab, router, cards, kind, if last { HOPS } else { 1 })
    };
    routers.into_iter().map(start).collect()
}

fn enters(lab: &Lab, computer: usize, name: &str) -> Process {
    let mut person = lab.person(computer, NODESET, name);
    person.err.wait(&format!("* Welcome to the chat room, {name}!"));
    person
}

/// Whether somebody reaches the other one through nobody.
fn is_direct(person: &mut Process, other: &str) -> bool {
    person.say("/who");
    let row = person.err.wait(&format!("{other} "));
    !row.contains("via carol")
}

/// They come, and each says a line that the other one has: how long that took, and whether it went through
/// nobody within half a second more.
fn meet(lab: &Lab) -> (Duration, Option<Duration>) {
    let mut carol = enters(lab, 1, "carol");
    let mut alice = enters(lab, 2, "alice");
    carol.err.wait("* alice has entered the chat!");
    let came = Instant::now();
    let mut bob = enters(lab, 5, "bob");
    alice.err.wait("* bob has entered the chat!");
    alice.say("can you hear me?");
    assert_eq!(bob.out.next_line().unwrap(), "alice: can you hear me?");
    bob.say("yes I can");
    assert_eq!(alice.out.next_line().unwrap(), "bob: yes I can");
    let took = came.elapsed();
    let mut direct = None;
    while direct.is_none() && came.elapsed() < Duration::from_millis(2_500) {
        if is_direct(&mut alice, "bob") && is_direct(&mut bob, "alice") {
            direct = Some(came.elapsed());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    (took, direct)
}

/// Of each pair how it talks: `Some` with the time until they are to do so directly.
fn pairs(pairs: &[(Front, Front)], direct_within: Option<u64>) {
    for &(one, other) in pairs {
        let Some(lab) = Lab::new(7) else { return };
        let _routers = [behind(&lab, 2, one), behind(&lab, 5, other)];
        let _nodeset = lab.nodeset(1);
        let (took, direct) = meet(&lab);
        println!("{one:?} and {other:?}: talk after {took:?}, directly {direct:?}");
        let is = match (direct_within, direct) {
            (Some(ms), Some(direct)) => direct < Duration::from_millis(ms),
            (None, None) => took < Duration::from_millis(2_500),
            _ => false,
        };
        assert!(is, "{one:?} and {other:?}: {took:?}, directly {direct:?}");
    }
}

/// One of two can be reached by everybody, or both let in who was sent something: they meet at once.
#[test]
#[ignore = "takes a network of its own"]
fn who_can_meet_through_routers_does() {
    let all = [PUBLIC, FULL, CONE, OPEN, DOUBLE];
    let both = all.into_iter().flat_map(|one| all.map(|other| (one, other)));
    pairs(&both.collect::<Vec<_>>(), Some(500));
    pairs(&[(PUBLIC, SYMMETRIC), (SYMMETRIC, PUBLIC)], Some(500));
}

/// One of two has another port for each, and the other lets that in once it has sent something, which a third
/// has to say.
#[test]
#[ignore = "takes a network of its own"]
fn who_has_a_hard_router_meets_who_lets_in_all() {
    pairs(&[(FULL, SYMMETRIC), (SYMMETRIC, FULL)], Some(1_200));
}

/// Neither lets in what comes from a port that it does not know: what they say goes through the third.
#[test]
#[ignore = "takes a network of its own"]
fn who_cannot_meet_talks_through_the_third() {
    let hard = [(SYMMETRIC, SYMMETRIC), (SYMMETRIC, CONE), (CONE, SYMMETRIC)];
    let others = [(SYMMETRIC, OPEN), (OPEN, SYMMETRIC), (SYMMETRIC, DOUBLE), (DOUBLE, SYMMETRIC)];
    pairs(&hard, None);
    pairs(&others, None);
}
