//! What a member answers that is asked as a nodeset is: to whom, and how much.

#[path = "support/insider.rs"]
mod insider;
#[path = "support/net.rs"]
mod net;

use chatrpc::machine::wire::{
    ANYWHERE, Asked, Change, Cookie, Datagram, Packet, Page, Request, Response, VERSION, kind,
    put_header, put_request, put_response,
};
use chatrpc::machine::{
    Identity, Incarnation, Input, Machine, Name, Noise, Peer, PeerConfig, Room, Seed, Tag,
};
use std::net::SocketAddr;

use insider::{Insider, room};
use net::*;

/// A question as it comes on the wire, from somebody who knows that room.
fn asked(of: &Room, stamp: u32, request: &Request<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_header(&mut bytes, 77, 0, stamp, 0);
    put_request(&mut bytes, stamp, request);
    bytes[0] = kind::PROVEN;
    let proof = of.proof(&bytes);
    bytes.extend_from_slice(&proof);
    bytes
}

fn who(cookie: Cookie, tag: Tag) -> Request<'static> {
    Request::Who { cookie, tag, have: ANYWHERE, most: 1200 }
}

/// What the datagrams on their way to an address answer.
fn answers(net: &mut Net, to: &str, asked: Asked) -> Vec<Response> {
    let sent = net.towards(to);
    net.wire.clear();
    let packets = sent.iter().flat_map(|bytes| {
        assert_eq!(bytes[0], kind::PROVEN);
        Datagram::decode(bytes).expect("a datagram").packets().collect::<Vec<_>>()
    });
    let payloads = packets.filter_map(|packet| match packet {
        Packet::Response { payload, .. } => Some(payload),
        Packet::Request { .. } => None,
    });
    payloads.map(|payload| Response::decode(asked, payload).expect("an answer")).collect()
}

fn cookie_at(net: &mut Net, from: &str) -> Cookie {
    let question = asked(&room(), 1, &who([0; 8], room().tag()));
    net.forge(0, from, &question);
    let answers = answers(net, from, Asked::Who);
    let [Response::Cookie(cookie)] = answers[..] else { panic!("a cookie: {answers:?}") };
    cookie
}

fn page_at(net: &mut Net, from: &str) -> Page {
    let cookie = cookie_at(net, from);
    let question = asked(&room(), 2, &who(cookie, room().tag()));
    net.forge(0, from, &question);
    let mut answers = answers(net, from, Asked::Who);
    let Some(Response::Page(page)) = answers.pop() else { panic!("a page") };
    page
}

#[test]
fn who_knows_the_room_is_told_who_is_in_it() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    net.wire.clear();
    let page = page_at(&mut net, MALLORY);
    let mut found = Vec::new();
    for change in &page.changes {
        let Change::Present(listed) = change else { panic!("nobody has left") };
        let signed = listed.sealed.open(&Noise, &room()).expect("of this room");
        assert!(signed.is_genuine(&Noise, &room()) && signed.beacon.handle == listed.handle);
        found.push((signed.beacon.name.to_string(), listed.seen));
    }
    found.sort();
    assert_eq!(found, [("alice".to_owned(), addr(ALICE)), ("bob".to_owned(), addr(BOB))]);
    assert_eq!((page.reached, page.current), (2, 2));

    // It is a place without a lease: nothing changes for those who are here.
    let (cookie, tag) = (cookie_at(&mut net, MALLORY), room().tag());
    let (token, n, sealed) = (7, 0, noise());
    let register = Request::Register { cookie, tag, have: 2, most: 1200, token, n, sealed };
    net.forge(0, MALLORY, &asked(&room(), 3, &register));
    let answers = answers(&mut net, MALLORY, Asked::Register);
    let [Response::Lease { node: 0, elsewhere: 0, seen, page }] = &answers[..] else {
        panic!("a lease: {answers:?}")
    };
    assert_eq!((*seen, page.changes.len(), page.current), (addr(MALLORY), 0, 2));
    assert_eq!(net.count(0, "Joined"), 1, "bob, and nobody else");
}

#[test]
fn who_left_is_a_departure_and_who_comes_is_added() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    net.wire.clear();
    assert_eq!(page_at(&mut net, MALLORY).current, 2);
    net.feed(1, Input::Line("/quit"));
    net.run(2, |_, _, _| false);
    let carol = "10.0.0.9:9";
    net.join("carol", carol);
    net.run(2, |_, _, _| false);
    net.wire.clear();
    let cookie = cookie_at(&mut net, MALLORY);
    let next = Request::Who { cookie, tag: room().tag(), have: 2, most: 1200 };
    net.forge(0, MALLORY, &asked(&room(), 5, &next));
    let answers = answers(&mut net, MALLORY, Asked::Who);
    let [Response::Page(page)] = &answers[..] else { panic!("a page") };
    let here =
        |change: &&Change| matches!(change, Change::Present(listed) if listed.seen == addr(carol));
    assert_eq!((page.changes.len(), page.changes.iter().filter(here).count()), (2, 1));
}

#[test]
fn who_does_not_know_the_room_draws_nothing() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let cookie = cookie_at(&mut net, MALLORY);
    let other = Room::new(Name::parse("elsewhere").unwrap(), None);
    let before = net.peers[0].1.digest();
    let tag = room().tag();
    let questions = [
        who(cookie, tag),
        who([0; 8], tag),
        Request::Register { cookie, tag, have: 0, most: 1200, token: 7, n: 0, sealed: noise() },
        Request::Deregister { tag, farewell: farewell(1, 1), sealed: noise() },
        Request::Foreign { method: 1, version: VERSION + 1 },
    ];
    for request in &questions {
        let good = asked(&room(), 9, request);
        // As a nodeset is asked; under the key of another room; spoilt in any byte.
        let mut clear = good[..good.len() - 16].to_vec();
        clear[0] = kind::CLEAR;
        net.forge(0, MALLORY, &clear);
        net.forge(0, MALLORY, &asked(&other, 9, request));
        for at in 0..good.len() {
            let mut spoilt = good.clone();
            spoilt[at] ^= 1;
            net.forge(0, MALLORY, &spoilt);
            net.forge(0, MALLORY, &good[..at]);
        }
    }
    assert!(net.towards(MALLORY).is_empty() && net.peers[0].1.digest() == before);
    // Who knows this room and asks for another one; who asks what a nodeset is not asked.
    for request in [who(cookie, other.tag()), Request::PING] {
        net.forge(0, MALLORY, &asked(&room(), 9, &request));
    }
    assert!(net.towards(MALLORY).is_empty());
}

#[test]
fn what_is_asked_again_draws_a_cookie_and_no_more() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let cookie = cookie_at(&mut net, BOB);
    let seen = asked(&room(), 2, &who(cookie, room().tag()));
    net.forge(0, "10.0.0.66:6", &seen);
    let sent = net.towards("10.0.0.66:6");
    assert!(sent.iter().map(Vec::len).sum::<usize>() < seen.len(), "{sent:?}");
    let answers = answers(&mut net, "10.0.0.66:6", Asked::Who);
    assert!(matches!(answers[..], [Response::Cookie(_)]), "{answers:?}");
    // A flood of it draws what the room's key is worth in a second, and not what it brings.
    let drawn: usize = (0..10_000u32)
        .map(|n| {
            net.forge(0, &format!("10.7.{}.{}:9", n >> 8, n & 255), &seen);
            let sent =
                net.wire.values().filter(|(_, to, _)| to.ip().to_string().starts_with("10.7."));
            let sent = sent.count();
            net.wire.clear();
            sent
        })
        .sum();
    assert!((900..=1_024).contains(&drawn), "{drawn}");
}

#[test]
fn who_is_not_in_yet_introduces_nobody() {
    let mut net = Net::with(&[]);
    net.join("alice", ALICE);
    net.wire.clear();
    net.forge(0, MALLORY, &asked(&room(), 1, &who([0; 8], room().tag())));
    assert!(net.towards(MALLORY).is_empty());
}

/// Mallory says hello to a peer, and answers its own.
fn hello(net: &mut Net, n: usize, at: &str, mallory: &mut Insider) {
    let mut session = net.shake(n, at, mallory);
    let beacon = mallory.signed("mallory", 0, Vec::new());
    let hello = Request::Hello { stream: 9, start: 0, given_up: 0, entries: 1, beacon };
    let question = session.seal(1, |out| put_request(out, 1, &hello));
    net.forge(n, at, &question);
    let texts: Vec<Vec<u8>> =
        net.towards(at).iter().filter_map(|bytes| session.open(bytes)).collect();
    for text in &texts {
        let datagram = Datagram::decode_sealed(mallory.id(), text).expect("a datagram");
        let stamp = datagram.stamp;
        for packet in datagram.packets() {
            if let Packet::Request { seq, request } = packet {
                let answer =
                    session.seal_echoing(2, stamp, |out| put_response(out, seq, &request.done()));
                net.forge(n, at, &answer);
            }
        }
    }
}

/// Which processes a page names.
fn named(page: &Page) -> Vec<String> {
    let present = page.changes.iter().filter_map(|change| match change {
        Change::Present(listed) => listed.sealed.open(&Noise, &room()),
        Change::Gone(_) => None,
    });
    present.map(|signed| signed.beacon.name.to_string()).collect()
}

#[test]
fn nobody_hides_another_behind_their_handle() {
    for luck in 1..5 {
        let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
        net.wire.clear();
        let mut mallory = Insider::new(luck, 77);
        // Only the handle that follows from it shows, and that is all she needs.
        mallory.token = net.tokens[&addr(BOB)];
        hello(&mut net, 0, MALLORY, &mut mallory);
        assert_eq!(net.count(0, "mallory"), 1, "she is in");
        for _ in 0..3 {
            net.wire.clear();
            let names = named(&page_at(&mut net, "10.0.0.77:7"));
            assert!(names.contains(&"bob".to_owned()), "{luck}: {names:?}");
            net.now += 300_000;
        }
    }
}

#[test]
fn a_small_page_is_small() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let more: Vec<String> = (0..6).map(|n| format!("10.0.1.{n}:1")).collect();
    for (n, at) in more.iter().enumerate() {
        net.join(&format!("carol {n}x"), at);
    }
    net.run(3, |_, _, _| false);
    net.wire.clear();
    page_at(&mut net, MALLORY);
    (2..8).for_each(|n| net.feed(n, Input::Line("/quit")));
    net.run(3, |_, _, _| false);
    net.wire.clear();
    let from = "[fd00::9]:9";
    let (cookie, tag) = (cookie_at(&mut net, from), room().tag());
    for have in 0..14 {
        let (token, n, sealed) = (7, 0, noise());
        let register = Request::Register { cookie, tag, have, most: 400, token, n, sealed };
        net.forge(0, from, &asked(&room(), 3, &register));
        let sent = net.towards(from);
        net.wire.clear();
        assert!(sent.iter().all(|bytes| bytes.len() <= 400), "{have}: {}", sent[0].len());
    }
}

/// Whoever saw one question pass can send it for ever: that keeps nobody out who shows a cookie.
#[test]
fn what_is_asked_again_and_again_keeps_nobody_waiting() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let cookie = cookie_at(&mut net, MALLORY);
    let seen = asked(&room(), 2, &who([0; 8], room().tag()));
    for n in 0..3_000u32 {
        net.forge(0, &format!("10.7.{}.{}:9", n >> 8, n & 255), &seen);
        net.wire.clear();
    }
    net.forge(0, MALLORY, &asked(&room(), 3, &who(cookie, room().tag())));
    let answers = answers(&mut net, MALLORY, Asked::Who);
    assert!(matches!(answers[..], [Response::Page(_)]), "{answers:?}");
}

/// Somebody joins who was given those nodesets, and remembers where members were.
fn join_with(net: &mut Net, (name, at): (&str, &str), who: u8, remembered: &[&str]) -> usize {
    let n = net.peers.len();
    let (seed, name) = (Seed([n as u8 + 20; 32]), Name::parse(name).expect("a name"));
    let (incarnation, identity) = (Incarnation::at(1000 + n as u64), Identity::new(&[who; 32]));
    let mut config = PeerConfig::new(seed, incarnation, identity, room(), name, addr(NODESET));
    config.remembered = remembered.iter().map(|at| addr(at)).collect();
    net.peers.push((addr(at), Peer::new(config), Vec::new()));
    net.feed(n, Input::Tick);
    n
}

/// Who has two computers is here with both, also for who has not heard one of them yet.
#[test]
fn a_second_computer_ends_none_that_is_listed_and_has_not_answered() {
    let (laptop, phone) = ("10.0.0.7:1", "10.0.0.8:1");
    let mut net = Net::with(&[]);
    join_with(&mut net, ("bob", laptop), 90, &[]);
    net.run(5, |_, _, _| false);
    let alice = net.join("alice", ALICE);
    let slow = |from: SocketAddr, to: SocketAddr, _: &[u8]| {
        let between = [addr(laptop), addr(ALICE)];
        between.contains(&from) && between.contains(&to)
    };
    net.run(3, slow);
    net.feed(alice, Input::Line("hello"));
    join_with(&mut net, ("bob", phone), 90, &[]);
    net.run(5, slow);
    assert_eq!(net.count(alice, "Left"), 0, "{:?}", net.peers[alice].2);
    net.run(20, |_, _, _| false);
    assert_eq!(net.count(0, "hello"), 1, "{:?}", net.peers[0].2);
}

#[test]
fn who_was_remembered_and_does_not_know_the_room_lets_nobody_in() {
    let other = "10.0.0.9:9";
    let mut net = Net::with(&[]);
    let carol = join_with(&mut net, ("carol", "10.0.0.4:1"), 90, &[other]);
    for _ in 0..80 {
        for asked in net.towards(other) {
            let datagram = Datagram::decode(&asked).expect("a question");
            let asker = datagram.sender.incarnation();
            for packet in datagram.packets() {
                let Packet::Request { seq, request } = packet else { continue };
                let page = Page { after: 0, reached: 0, current: 0, changes: Vec::new() };
                let answer = match request {
                    Request::Who { .. } => Response::Page(page),
                    _ => {
                        let (node, elsewhere, seen) = (1, 0, addr("10.0.0.4:1"));
                        Response::Lease { node, elsewhere, seen, page }
                    }
                };
                let mut bytes = Vec::new();
                put_header(&mut bytes, 5, asker, 1, datagram.stamp);
                put_response(&mut bytes, seq, &answer);
                net.forge(carol, other, &bytes);
            }
        }
        net.wire.clear();
        net.now += 50_000;
        net.feed(carol, Input::Tick);
    }
    assert_eq!(net.count(carol, "Ready"), 0, "{:?}", net.peers[carol].2);
}

#[test]
fn who_came_in_through_members_is_found_through_the_nodeset_again() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let dead =
        |from: SocketAddr, to: SocketAddr, _: &[u8]| from == addr(NODESET) || to == addr(NODESET);
    let carol = join_with(&mut net, ("carol", "10.0.0.4:1"), 90, &[ALICE]);
    net.run(10, dead);
    let dave = join_with(&mut net, ("dave", "10.0.0.5:1"), 91, &["10.0.0.4:1"]);
    net.run(10, dead);
    assert_eq!((net.count(carol, "Ready"), net.count(dave, "Ready")), (1, 1));
    // The nodeset is asked for when it is time to, and not with whatever comes next.
    let waits = |net: &mut Net| {
        net.run(1, dead);
        net.peers[carol].1.next_wake().is_some_and(|wake| wake.why == "doors")
    };
    assert!((0..70).any(|_| waits(&mut net)));
    (0..2).for_each(|n| net.feed(n, Input::Line("/quit")));
    net.run(60, dead);
    // It is there again.
    net.run(150, |_, _, _| false);
    let erin = net.join("erin", "10.0.0.6:1");
    net.run(90, |_, _, _| false);
    let met = |who| net.count(erin, who) > 0;
    assert!(met("carol") && met("dave"), "{:?}", net.peers[erin].2);
}

/// Somebody asks Alice for a place, with a cookie of that address.
fn register_at(net: &mut Net, from: &str, cookie: Cookie, insider: &Insider) {
    let (_, sealed) = insider.sealed("mallory", Vec::new());
    let (tag, token) = (room().tag(), insider.token);
    let request = Request::Register { cookie, tag, have: 0, most: 1200, token, n: 0, sealed };
    net.forge(0, from, &asked(&room(), 4, &request));
}

/// Somebody who came in through Alice said hello to her, and she to them in the same datagrams: where 10 % was
/// lost, what was lost of it used up the little that may go to who has not answered, and one in a hundred was
/// not seen by her for a quarter of a minute. She sees them coming: their address has shown that it receives.
#[test]
fn who_asks_for_a_place_is_greeted_there_and_one_source_is_a_few() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let members = |net: &Net| {
        let tables = net.peers[0].1.footprint();
        tables.iter().find(|table| table.name == "members").expect("a table").len
    };
    let inits =
        |net: &Net, to: &str| net.towards(to).iter().filter(|bytes| bytes[0] == kind::INIT).count();
    // Without a cookie nobody is.
    net.wire.clear();
    register_at(&mut net, "10.0.0.66:6", [0; 8], &Insider::new(50, 77));
    assert_eq!((inits(&net, "10.0.0.66:6"), members(&net)), (0, 1));
    let cookie = cookie_at(&mut net, MALLORY);
    net.wire.clear();
    register_at(&mut net, MALLORY, cookie, &Insider::new(51, 77));
    assert_eq!((inits(&net, MALLORY), members(&net)), (1, 2));
    for luck in 52..90 {
        register_at(&mut net, MALLORY, cookie, &Insider::new(luck, 77));
    }
    assert!(members(&net) <= 1 + 8, "{}", members(&net));
    assert!(inits(&net, MALLORY) <= 8, "{}", inits(&net, MALLORY));
    assert_eq!(net.count(0, "mallory"), 0, "nobody is shown who has not answered");
    net.run(120, |_, to, _| to == addr(MALLORY));
    assert_eq!(members(&net), 1, "and nobody is remembered");
}
