//! Leases at a nodeset, and what anybody can draw with them: found by trying, each once a hole.

#[path = "support/insider.rs"]
mod insider;
#[path = "support/net.rs"]
mod net;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use chatrpc::machine::keyed::mac;
use chatrpc::machine::wire::{
    Asked, Datagram, Departure, Gone, Packet, Request, Response, kind, put_header, put_request,
};
use chatrpc::machine::{
    COOKIE, INIT, Input, Machine, RESP, Registry, RegistryConfig, SEALED, Sealed, Seed, Tag, Time,
};
use insider::{Insider, room};
use net::*;

const ELSEWHERE: &str = "10.0.0.9:1";
const CAROL: &str = "10.0.0.4:1";

/// When Alice registers while a test runs for so many seconds, in ms.
fn registers(net: &mut Net, secs: u64) -> Vec<u64> {
    let (start, mut seqs, mut times) = (net.now, BTreeSet::new(), Vec::new());
    while net.now < start + secs * 1_000_000 {
        let at = (net.now - start) / 1_000;
        net.run(0, |from, to, bytes| {
            if from == addr(ALICE) && to == addr(NODESET) {
                for packet in Datagram::decode(bytes).expect("in the open").packets() {
                    if let Packet::Request { seq, request: Request::Register { .. } } = packet
                        && seqs.insert(seq)
                    {
                        times.push(at);
                    }
                }
            }
            false
        });
        net.now += 1_000;
    }
    times
}

#[test]
fn however_many_vanish_the_nodeset_is_asked_every_five_seconds_at_most() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB), ("carol", CAROL)]);
    net.run(30, |_, _, _| false);
    net.peers.truncate(1);
    let times = registers(&mut net, 70);
    let least = times.windows(2).map(|pair| pair[1] - pair[0]).min().expect("she goes on");
    assert!(least >= 5_000, "{times:?}");
}

/// An address translation gives Bob, the newer process, the port that was Alice's.
#[test]
fn who_was_replaced_at_an_address_registers_from_another() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    (net.peers[1].0, net.peers[0].0) = (addr(ALICE), addr(ELSEWHERE));
    net.feed(1, Input::Line("/nick robert"));
    net.run(90, |_, _, _| false);
    assert_eq!((net.nodeset.members(), net.count(0, "Silent")), (2, 0));
}

fn leave_as(net: &mut Net, token: u64) -> Option<Response> {
    let leave = Request::Deregister { tag: room().tag(), token, sealed: noise() };
    ask(&mut net.nodeset, Time::from_micros(net.now), addr(MALLORY), Asked::Other, &leave)
}

/// Mallory knows Alice's handle and her beacon, as every member does, and not her token.
#[test]
fn a_handle_belongs_to_who_knows_its_token() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let alice = net.tokens[&addr(ALICE)];
    for guess in [alice ^ 1, 0, u64::MAX] {
        assert_eq!(leave_as(&mut net, guess), Some(Response::Ok), "it says nothing");
    }
    net.run(30, |_, _, _| false);
    assert_eq!((net.nodeset.members(), net.count(1, "Left")), (2, 0));
    // A beacon that is not of that handle lists nobody.
    let mut mallory = Insider::new(1, 77);
    let (handle, _) = mallory.sealed("mallory", Vec::new());
    mallory.token ^= 1;
    let (_, sealed) = mallory.sealed("mallory", Vec::new());
    let listed = chatrpc::machine::wire::Listed { handle, seen: addr(MALLORY), sealed };
    net.asked += 1;
    let (stamp, seq) = ((net.now & 0xffff_ffff) as u32, net.asked);
    let said = of_nodeset(500, stamp, |out| {
        put_request(out, seq, &Request::AddMember { reached: 9, members: vec![listed] });
    });
    net.wire.clear();
    net.forge(0, NODESET, &said);
    assert!(net.towards(MALLORY).is_empty() && !net.towards(NODESET).is_empty());
}

/// Whoever saw a Register pass knows the token. They can end the lease, and not for long.
#[test]
fn a_lease_that_somebody_on_the_path_ends_is_had_again_in_two_minutes() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let token = net.tokens[&addr(ALICE)];
    assert_eq!(leave_as(&mut net, token), Some(Response::Ok));
    net.run(20, |_, _, _| false);
    assert_eq!((net.nodeset.members(), net.count(1, "Left")), (1, 0), "nobody believes it");
    net.run(150, |_, _, _| false);
    assert_eq!((net.nodeset.members(), net.count(1, "Left")), (2, 0));
}

/// An outsider sends a first message of Bob's that they saw again and again, each time with the cookie
/// that they are given for it.
#[test]
fn one_first_message_does_not_keep_a_process_busy() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let to = (net.identity(0).public(), 1000);
    let mut bob = Insider::new(3, 2000);
    let (mut seen, mut pending) = bob.init(to);
    net.forge(0, BOB, &seen);
    let mut session =
        net.towards(BOB).iter().find_map(|resp| pending.finish(resp)).expect("a resp");
    let said = session.seal(7, |_| {});
    net.forge(0, BOB, &said);
    let shown = |init: &mut Vec<u8>, answers: &[Vec<u8>]| {
        let cookie = answers.iter().find(|answer| answer.len() == COOKIE);
        cookie.is_some_and(|cookie| {
            let end = mac(&cookie[5..21], &[&init[..INIT - 16]]);
            init[INIT - 16..].copy_from_slice(&end);
            true
        })
    };
    let (mut answered, mut asked) = (0, 0);
    for n in 0..5_000_u64 {
        net.wire.clear();
        net.now += 1_000;
        net.forge(0, MALLORY, &seen);
        let answers = net.towards(MALLORY);
        shown(&mut seen, &answers);
        if n % 250 == 249 {
            let from = format!("10.0.0.77:{}", 1000 + n);
            let (mut init, _) = Insider::new(5, 3000 + n).init(to);
            net.forge(0, &from, &init);
            let answers = net.towards(&from);
            if shown(&mut init, &answers) {
                net.wire.clear();
                net.forge(0, &from, &init);
            }
            asked += 1;
            answered += u32::from(net.towards(&from).iter().any(|answer| answer.len() == RESP));
        }
    }
    assert_eq!(answered, asked, "others get through");
}

/// What goes to somebody who never answers, in so many seconds.
fn drawn(net: &mut Net, victims: &[SocketAddr], secs: u64) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    net.run(secs, |_, to, datagram| {
        if victims.contains(&to) {
            (count, bytes) = (count + 1, bytes + datagram.len());
        }
        false
    });
    (count, bytes)
}

/// A member registers with a beacon that names a victim's addresses, and never answers.
#[test]
fn a_beacon_draws_a_few_first_messages() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let victims: Vec<SocketAddr> = (1..=4).map(|port| addr(&format!("10.0.5.5:{port}"))).collect();
    let mallory = Insider::new(1, 77);
    let (_, sealed) = mallory.sealed("mallory", victims.clone());
    let (tag, token) = (room().tag(), mallory.token);
    let mut cookie = [0; 8];
    for _ in 0..2 {
        let sealed = sealed.clone();
        let request = Request::Register { cookie, tag, have: 0, token, n: 0, sealed };
        let mut bytes = Vec::new();
        put_header(&mut bytes, 77, 0, 1, 0);
        put_request(&mut bytes, 7, &request);
        net.feed_nodeset(Input::Datagram { from: addr(MALLORY), bytes: &bytes });
        let now = Time::from_micros(net.now);
        let answer = ask(&mut net.nodeset, now, addr(MALLORY), Asked::Register, &request);
        if let Some(Response::Cookie(new)) = answer {
            cookie = new;
        }
    }
    let (count, bytes) = drawn(&mut net, &victims, 24 * 3600);
    assert!((1..=7 * victims.len()).contains(&count), "{count} datagrams of {bytes} bytes");
}

/// A lying nodeset lists somebody once at an address that is not theirs.
#[test]
fn who_never_answered_is_not_looked_for_all_day() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let members = vec![listed(&Insider::new(1, 77), "ghost", "10.0.5.5:1", Vec::new())];
    net.asked += 1;
    let (stamp, seq) = ((net.now & 0xffff_ffff) as u32, net.asked);
    let said = of_nodeset(500, stamp, |out| {
        put_request(out, seq, &Request::AddMember { reached: 9, members });
    });
    net.forge(0, NODESET, &said);
    let victims = [addr("10.0.5.5:1")];
    let (count, _) = drawn(&mut net, &victims, 24 * 3600);
    assert!((1..150).contains(&count), "{count} datagrams");
    assert_eq!(drawn(&mut net, &victims, 24 * 3600), (0, 0));
}

/// One lease of noise changes as fast as it can.
#[test]
fn a_nodeset_tells_of_two_changes_a_second_of_one_lease() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    net.run(20, |_, _, _| false);
    let (tag, from) = (room().tag(), addr(MALLORY));
    let request = |cookie, n: u32| {
        let sealed = Sealed(Arc::new([n as u8; SEALED]));
        Request::Register { cookie, tag, have: 0, token: 6, n, sealed }
    };
    let now = Time::from_micros(net.now);
    let first = ask(&mut net.nodeset, now, from, Asked::Register, &request([0; 8], 0));
    let Some(Response::Cookie(cookie)) = first else { panic!("a cookie comes first: {first:?}") };
    let mut told = 0;
    for n in 0..500 {
        let mut bytes = Vec::new();
        put_header(&mut bytes, 77, 0, 1, 0);
        put_request(&mut bytes, 7, &request(cookie, n));
        net.feed_nodeset(Input::Datagram { from, bytes: &bytes });
        net.now += 10_000;
        net.run(0, |sender, to, bytes| {
            let to_member = [ALICE, BOB].map(addr).contains(&to);
            told += u32::from(sender == addr(NODESET) && to_member && bytes[0] == kind::CLEAR);
            false
        });
    }
    assert!((2..=2 * 12).contains(&told), "{told} announcements in five seconds");
}

#[test]
fn a_network_of_ipv6_is_one_source() {
    let config = RegistryConfig { seed: Seed([9; 32]), incarnation: 500, members_max: 1024 };
    let mut nodeset = Registry::new(config);
    let mut register = |from: String, token| {
        let mut request = |cookie| {
            let (tag, sealed) = (Tag([7; 16]), noise());
            let request = Request::Register { cookie, tag, have: 0, token, n: 0, sealed };
            ask(&mut nodeset, Time::from_micros(1), addr(&from), Asked::Register, &request)
        };
        match request([0; 8]) {
            Some(Response::Cookie(cookie)) => is_lease(request(cookie)),
            other => panic!("{other:?}"),
        }
    };
    let granted = (0..1024).filter(|n| register(format!("[2001:db8::{n:x}]:7"), *n)).count();
    assert_eq!(granted, 256);
    assert!(register("[2001:db8:0:1::1]:7".to_owned(), 5000), "another network is another source");
}

/// Whatever a nodeset says of how somebody went, with a token behind it or without.
#[test]
fn a_goodbye_of_another_handle_ends_nothing() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let (bob, mallory) = (net.bob(), Insider::new(1, 77));
    let sealed = mallory.farewell().seal(&chatrpc::machine::Noise, &room());
    let how = Departure::Quit(sealed);
    net.asked += 1;
    let (stamp, seq) = ((net.now & 0xffff_ffff) as u32, net.asked);
    let said = of_nodeset(500, stamp, |out| {
        let members = vec![Gone { handle: bob.handle(), how }];
        put_request(out, seq, &Request::RemoveMember { reached: 9, members });
    });
    net.forge(0, NODESET, &said);
    net.run(100, |_, _, _| false);
    assert_eq!(net.count(0, "Left"), 0);
    net.peers[0].1.check();
}
