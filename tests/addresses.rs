//! Which address is asked, and which one answers: computers have several, and they change.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

#[path = "support/insider.rs"]
mod insider;
#[path = "support/lab.rs"]
mod lab;
#[path = "support/net.rs"]
mod net;
mod support;

use std::net::{IpAddr, SocketAddr};

use chatrpc::machine::wire::{Asked, Datagram, Packet, Request, Response, put_header, put_request};
use chatrpc::machine::{
    Action, Incarnation, Input, Registry, RegistryConfig, Seed, Tag, Time, drain,
};
use lab::Lab;
use support::{Process, nodeset_at, person};

/// What a nodeset sends when somebody asks it at one of its addresses: where from, and what.
fn asked_at(
    nodeset: &mut Registry,
    (from, at): (SocketAddr, IpAddr),
    request: &Request<'_>,
) -> Vec<(SocketAddr, Option<IpAddr>, Vec<u8>)> {
    let (mut bytes, mut sent) = (Vec::new(), Vec::new());
    put_header(&mut bytes, u64::from(from.port()), 0, 1, 0);
    put_request(&mut bytes, 7, request);
    let input = Input::Datagram { from, at: Some(at), bytes: &bytes };
    drain(nodeset, Time::from_micros(1_000_000), input, |action| {
        if let Action::Send { to, source, bytes } = action {
            sent.push((to, source, bytes.to_vec()));
        }
    });
    sent
}

/// Who was asked at its second address and answered, or announced, from its first one was taken for
/// somebody else, and nobody joined.
#[test]
fn a_nodeset_answers_and_announces_from_the_address_that_was_asked() {
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 1024);
    let (mut nodeset, tag) = (Registry::new(config), Tag([3; 16]));
    let people: [(SocketAddr, IpAddr); 2] = [
        ("10.1.0.7:1007".parse().unwrap(), "10.1.0.1".parse().unwrap()),
        ("10.2.0.8:1008".parse().unwrap(), "10.2.0.1".parse().unwrap()),
    ];
    let mut announced = Vec::new();
    for (n, &(from, at)) in people.iter().enumerate() {
        let token = net::farewell(1, n as u16).token();
        let mut cookie = [0; 8];
        loop {
            let sealed = net::noise();
            let request = Request::Register { cookie, tag, have: 0, token, n: 0, sealed };
            let sent = asked_at(&mut nodeset, (from, at), &request);
            announced.extend(sent.iter().filter(|(to, ..)| *to != from).cloned());
            let own = sent.iter().find(|(to, ..)| *to == from).expect("an answer");
            assert_eq!(own.1, Some(at));
            let datagram = Datagram::decode(&own.2).unwrap();
            let payload = datagram.packets().find_map(|packet| match packet {
                Packet::Response { payload, .. } => Some(payload),
                Packet::Request { .. } => None,
            });
            match Response::decode(Asked::Register, payload.expect("a response")).unwrap() {
                Response::Cookie(fresh) => cookie = fresh,
                Response::Lease { .. } => break,
                other => panic!("{other:?}"),
            }
        }
    }
    let (to, source, _) = &announced[0];
    assert_eq!((*to, *source), (people[0].0, Some(people[0].1)));
}

/// Every Debian has its own name at 127.0.1.1: a nodeset answered from 127.0.0.1 who asked it there.
#[test]
fn a_nodeset_on_every_address_answers_at_each_of_them() {
    for any in ["0.0.0.0:0", "[::]:0"] {
        let (_nodeset, addr) = nodeset_at(any);
        let port = addr.parse::<SocketAddr>().unwrap().port();
        let second = format!("127.0.1.1:{port}");
        let mut who = Process::start(&["who", &second]);
        assert_eq!(who.status(), 0, "{}", who.errors());
        let mut alice = person(&second, "alice");
        let mut bob = person(&format!("127.0.2.2:{port}"), "bob");
        alice.err.wait("* bob has entered the chat!");
        bob.say("morning");
        assert_eq!(alice.out.next_line().unwrap(), "bob: morning");
    }
}

/// A peer answers from the address it was greeted at, too: whoever greets it there takes nobody else's word.
#[test]
fn two_computers_with_two_addresses_each_meet() {
    let Some(lab) = Lab::new(2) else { return };
    lab.on(1, "addr add 10.9.0.101/24 dev eth0");
    lab.on(2, "addr add 10.9.0.102/24 dev eth0");
    let _nodeset = lab.nodeset(1);
    let mut alice = lab.person(1, "10.9.0.101", "alice");
    alice.err.wait("* Welcome to the chat room, alice!");
    let mut bob = lab.person(2, "10.9.0.101", "bob");
    bob.err.wait("* Welcome to the chat room, bob!");
    alice.err.wait("* bob has entered the chat!");
    bob.say("morning");
    assert_eq!(alice.out.next_line().unwrap(), "bob: morning");
}
