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
    COOKIE, Farewell, INIT, Incarnation, Input, Machine, Name, Peer, PeerConfig, RESP, Registry,
    RegistryConfig, SEALED, Sealed, Seed, Tag, Time,
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

/// The host sat in one room of a nodeset and the guest in another, and neither was told.
#[test]
fn who_waits_alone_is_told_of_those_next_door() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let next_door = |net: &mut Net, n: u16| {
        let now = Time::from_micros(net.now);
        match register(&mut net.nodeset, now, 1, n, Tag([1; 16])) {
            Some(Response::Lease { elsewhere, .. }) => elsewhere,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(next_door(&mut net, 0), 1, "alice");
    assert_eq!(net.count(0, "Elsewhere"), 0, "she asks every 20 s");
    net.run(25, |_, _, _| false);
    assert_eq!(net.count(0, "Elsewhere { count: 1 }"), 1);
    next_door(&mut net, 0);
    net.run(25, |_, _, _| false);
    assert_eq!(net.count(0, "Elsewhere"), 1, "it is said once");
    for n in 0..20 {
        assert_eq!(next_door(&mut net, n), 1, "its own room is not elsewhere");
    }
    net.run(25, |_, _, _| false);
    assert_eq!(net.count(0, "Elsewhere { count: 9 }"), 1, "how many more is nobody's business");

    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    assert_eq!(next_door(&mut net, 0), 2);
    net.run(30, |_, _, _| false);
    assert_eq!(net.count(0, "Elsewhere") + net.count(1, "Elsewhere"), 0, "they are not alone");
}

fn leave_as(net: &mut Net, farewell: Farewell) -> Option<Response> {
    let leave = Request::Deregister { tag: room().tag(), farewell, sealed: noise() };
    ask(&mut net.nodeset, Time::from_micros(net.now), addr(MALLORY), Asked::Other, &leave)
}

/// Mallory has seen Alice's token pass, again and again. What ends the lease has not passed yet.
#[test]
fn a_token_ends_nothing() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let alice = net.tokens[&addr(ALICE)];
    for guess in [0, u128::MAX, alice.into(), u128::from(alice) << 64, u128::from(alice) << 1 | 1] {
        let left = leave_as(&mut net, Farewell(guess.to_be_bytes()));
        assert_eq!(left, Some(Response::Ok), "it says nothing");
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

/// What Bob said when he left is known to whoever saw it. It is of that process alone.
#[test]
fn a_farewell_that_comes_again_ends_no_other_lease() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    net.feed(1, Input::Line("/quit"));
    let mut farewells = Vec::new();
    net.run(5, |_, _, bytes| {
        for packet in Datagram::decode(bytes).iter().flat_map(Datagram::packets) {
            if let Packet::Request { request: Request::Deregister { farewell, .. }, .. } = packet {
                farewells.push(farewell);
            }
        }
        false
    });
    assert_eq!((farewells.len(), net.nodeset.members()), (1, 1));
    net.join("bob", ELSEWHERE);
    net.run(5, |_, _, _| false);
    assert_eq!(leave_as(&mut net, farewells[0]), Some(Response::Ok));
    net.run(30, |_, _, _| false);
    assert_eq!(net.nodeset.members(), 2);
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
        let request = Request::Register { cookie, tag, have: 0, most: 1200, token, n: 0, sealed };
        let mut bytes = Vec::new();
        put_header(&mut bytes, 77, 0, 1, 0);
        put_request(&mut bytes, 7, &request);
        net.feed_nodeset(Input::Datagram { from: addr(MALLORY), at: None, bytes: &bytes });
        let now = Time::from_micros(net.now);
        let answer = ask(&mut net.nodeset, now, addr(MALLORY), Asked::Register, &request);
        if let Some(Response::Cookie(new)) = answer {
            cookie = new;
        }
    }
    // Who is there waits for those who come. Who comes tries one address of each computer.
    assert_eq!(drawn(&mut net, &victims, 30).0, 0);
    net.join("bob", BOB);
    let (count, bytes) = drawn(&mut net, &victims, 24 * 3600);
    assert!((1..=7).contains(&count), "{count} datagrams of {bytes} bytes");
}

/// Time passes behind a router that leads nobody back inside: whoever is there reaches the nodeset, and
/// the others only at the addresses that they name; the first of them only after having sent something.
fn pass_inside(net: &mut Net, inside: &[SocketAddr; 2], asked: &mut bool, ms: u64) {
    for _ in 0..ms {
        let mut sent = Vec::new();
        net.now += 1_000;
        net.run(0, |from, to, bytes| {
            sent.push((from, to, bytes.to_vec()));
            to != addr(NODESET) && from != addr(NODESET)
        });
        for (from, to, bytes) in sent {
            let outside = |(at, ..): &(SocketAddr, _, _)| *at == from;
            let from = net.peers.iter().position(outside);
            let to = inside.iter().position(|&at| at == to);
            *asked |= (from, to) == (Some(0), Some(1));
            if let (Some(from), Some(to), true) = (from, to, *asked) {
                net.feed(to, Input::Datagram { from: inside[from], at: None, bytes: &bytes });
            }
        }
    }
}

/// Two behind one router. In the second round they are seen at one IP address, and a firewall lets in to
/// who was there first only what they have asked for.
#[test]
fn who_comes_finds_their_neighbours() {
    let inside = ["192.168.1.1:1", "192.168.1.2:1"].map(addr);
    for (outside, mut asked) in [([ALICE, BOB], true), (["10.0.0.9:1", "10.0.0.9:2"], false)] {
        let mut net = Net::with(&[]);
        for (name, (at, own)) in ["alice", "bob"].into_iter().zip(outside.into_iter().zip(inside)) {
            net.addrs = vec![own];
            net.join(name, at);
            pass_inside(&mut net, &inside, &mut asked, 3_000);
        }
        net.feed(0, Input::Line("hello, neighbour"));
        pass_inside(&mut net, &inside, &mut asked, 100);
        assert_eq!(net.count(1, "hello, neighbour"), 1, "{:?}", net.peers[1].2);
    }
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
        Request::Register { cookie, tag, have: 0, most: 1200, token: 6, n, sealed }
    };
    let now = Time::from_micros(net.now);
    let first = ask(&mut net.nodeset, now, from, Asked::Register, &request([0; 8], 0));
    let Some(Response::Cookie(cookie)) = first else { panic!("a cookie comes first: {first:?}") };
    let mut told = 0;
    for n in 0..500 {
        let mut bytes = Vec::new();
        put_header(&mut bytes, 77, 0, 1, 0);
        put_request(&mut bytes, 7, &request(cookie, n));
        net.feed_nodeset(Input::Datagram { from, at: None, bytes: &bytes });
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
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 1024);
    let mut nodeset = Registry::new(config);
    let mut register = |from: String, token| {
        let mut request = |cookie| {
            let (tag, sealed) = (Tag([7; 16]), noise());
            let request =
                Request::Register { cookie, tag, have: 0, most: 1200, token, n: 0, sealed };
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

/// The nodeset says that Bob was replaced, while Alice does not hear him for a few seconds.
#[test]
fn whoever_a_nodeset_says_was_replaced_is_looked_for() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let handle = net.bob().handle();
    net.asked += 1;
    let (stamp, seq) = ((net.now & 0xffff_ffff) as u32, net.asked);
    let said = of_nodeset(500, stamp, |out| {
        let members = vec![Gone { handle, how: Departure::Replaced }];
        put_request(out, seq, &Request::RemoveMember { reached: 9, members });
    });
    net.forge(0, NODESET, &said);
    net.run(5, |from, to, _| {
        [from, to] == [ALICE, BOB].map(addr) || [to, from] == [ALICE, BOB].map(addr)
    });
    assert_eq!(net.count(0, "Left"), 1);
    let before = net.count(0, "Joined");
    net.run(20, |_, _, _| false);
    assert_eq!(net.count(0, "Joined"), before + 1, "they find each other again");
}

/// A crowd from a few sources holds every place of a nodeset. Whoever else comes gets one, in whatever
/// room, and the crowd takes none of theirs.
#[test]
fn who_has_the_most_places_gives_one_up() {
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 1024);
    let mut nodeset = Registry::new(config);
    let at = |ms: u64| Time::from_micros(ms * 1_000);
    let crowd = |nodeset: &mut Registry, now| {
        let mut held = vec![0; 4];
        for (ip, n) in (1..5).flat_map(|ip| (0..256).map(move |n| (ip, n))) {
            let lease = is_lease(register(nodeset, now, ip, n, Tag([1; 16])));
            held[usize::from(ip) - 1] += usize::from(lease);
        }
        held
    };
    assert_eq!(crowd(&mut nodeset, at(1)), [256; 4]);
    let honest: Vec<(u8, u8)> = (10..40).map(|ip| (ip, ip % 3 + 1)).collect();
    for &(ip, of) in &honest {
        assert!(is_lease(register(&mut nodeset, at(10), ip, 0, Tag([of; 16]))), "{ip} in {of}");
        nodeset.check();
    }
    // The crowd comes again and again, and so do they.
    for round in 1..4 {
        let held: usize = crowd(&mut nodeset, at(round * 20_000)).iter().sum();
        assert!((900..=1024 - honest.len()).contains(&held), "{held}");
        for &(ip, of) in &honest {
            assert!(is_lease(register(&mut nodeset, at(round * 20_000), ip, 0, Tag([of; 16]))));
        }
        assert_eq!(nodeset.members(), 1024);
    }
    nodeset.check();
}

/// The same from a thousand networks of one site, one lease each.
#[test]
fn a_site_of_many_networks_gives_places_up_as_well() {
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 1024);
    let mut nodeset = Registry::new(config);
    let mut register = |from: String, token| {
        let mut request = |cookie| {
            let (tag, sealed) = (Tag([7; 16]), noise());
            let request =
                Request::Register { cookie, tag, have: 0, most: 1200, token, n: 0, sealed };
            ask(&mut nodeset, Time::from_micros(1), addr(&from), Asked::Register, &request)
        };
        match request([0; 8]) {
            Some(Response::Cookie(cookie)) => request(cookie),
            other => other,
        }
    };
    assert!((0..1024).all(|n| is_lease(register(format!("[2001:db8:0:{n:x}::1]:7"), n))));
    assert!(is_lease(register("10.0.0.1:7".to_owned(), 5000)));
    assert!(is_lease(register("[2001:db8:1::1]:7".to_owned(), 5001)));
    let more = register("[2001:db8:0:ffff::1]:7".to_owned(), 5002);
    assert_eq!(more, Some(Response::Full), "they have the most already");
}

/// Noise from one address that changes as fast as it can, in a room of twenty.
#[test]
fn what_a_source_changes_is_told_slowly_and_together() {
    let names: Vec<(String, String)> =
        (0..20).map(|n| (format!("m{n}"), format!("10.0.1.{}:1", n + 1))).collect();
    let names: Vec<(&str, &str)> = names.iter().map(|(n, at)| (&**n, &**at)).collect();
    let mut net = Net::with(&names);
    net.run(10, |_, _, _| false);
    let (tag, mut cookies) = (room().tag(), std::collections::BTreeMap::new());
    let (mut drawn, mut heard, mut most) = (0, 0, 0);
    for round in 0..150_u32 {
        // 64 leases, each of which changes five times a second.
        for n in 0..64_u64 {
            let from = SocketAddr::from(([10, 0, 6, 6], 1000 + n as u16));
            let sealed = Sealed(Arc::new([round as u8; SEALED]));
            let cookie = cookies.get(&from).copied().unwrap_or([0; 8]);
            let request = Request::Register {
                cookie,
                tag,
                have: u64::MAX >> 1,
                most: 1200,
                token: n,
                n: round,
                sealed,
            };
            let mut bytes = Vec::new();
            put_header(&mut bytes, 77, 0, 1, 0);
            put_request(&mut bytes, 7, &request);
            heard += bytes.len();
            let now = Time::from_micros(net.now);
            if let Some(Response::Cookie(cookie)) =
                ask(&mut net.nodeset, now, from, Asked::Register, &request)
            {
                cookies.insert(from, cookie);
            }
        }
        let mut told = 0;
        net.now += 200_000;
        net.run(0, |sender, to, bytes| {
            if sender == addr(NODESET) && to.ip() != addr(MALLORY).ip() {
                drawn += bytes.len();
                told += usize::from(to == addr("10.0.1.1:1"));
            }
            false
        });
        most = most.max(told);
    }
    // Thirty seconds: a burst, and then little.
    assert!(drawn <= 2 * heard, "{drawn} bytes for {heard}");
    assert!(most <= 3, "{most} datagrams to one member in 200 ms");
}

/// Who changes their name as soon as they are in is not met with silence.
#[test]
fn a_new_name_right_after_joining_reaches_the_nodeset() {
    let mut net = Net::with(&[]);
    let alice = net.join("alice", ALICE);
    while net.count(alice, "Ready") == 0 {
        net.now += 1_000;
        net.run(0, |_, _, _| false);
    }
    net.feed(alice, Input::Line("/nick alicia"));
    net.run(1, |_, _, _| false);
    let carol = net.join("carol", CAROL);
    net.run(1, |_, _, _| false);
    assert_eq!(net.count(carol, "alicia"), 1, "{:?}", net.peers[carol].2);
}

#[test]
fn departures_are_few_over_all_rooms() {
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 1024);
    let mut nodeset = Registry::new(config);
    for n in 0..400_u64 {
        let tag = Tag((u128::from(n / 64)).to_be_bytes());
        for ip in 1..100_u8 {
            let now = Time::from_micros(1_000 * (n * 100 + u64::from(ip)));
            let from = SocketAddr::from(([10, 0, 1, ip], 1000 + n as u16));
            let farewell = Farewell((u128::from(n) << 8 | u128::from(ip)).to_be_bytes());
            let token = farewell.token();
            let mut request = |cookie| {
                let sealed = noise();
                let request =
                    Request::Register { cookie, tag, have: 0, most: 1200, token, n: 0, sealed };
                ask(&mut nodeset, now, from, Asked::Register, &request)
            };
            if let Some(Response::Cookie(cookie)) = request([0; 8]) {
                assert!(is_lease(request(cookie)));
            }
            let leave = Request::Deregister { tag, farewell, sealed: noise() };
            ask(&mut nodeset, now, from, Asked::Other, &leave);
        }
        nodeset.check();
    }
    let tables = nodeset.footprint();
    let over = tables.iter().find(|table| table.len > table.limit);
    assert!(over.is_none(), "{over:?}");
    assert!(tables.iter().any(|table| table.name == "departures" && table.len > 1_000));
}

/// A home that was copied, with its key and its count, to a computer whose clock is behind: the two were
/// one process to everybody, one of them heard nothing, and nobody said why.
#[test]
fn two_who_are_one_process_are_told_and_so_are_the_others() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let (identity, incarnation) = (net.identity(1), Incarnation::at(1001));
    let name = Name::parse("bob").expect("a name");
    let nodeset = addr(NODESET);
    let config = PeerConfig::new(Seed([77; 32]), incarnation, identity, room(), name, nodeset);
    net.peers.push((addr(CAROL), Peer::new(config), Vec::new()));
    net.feed(2, Input::Tick);
    net.run(10, |_, _, _| false);
    for (n, ours) in [(0, false), (1, true), (2, true)] {
        assert_eq!(net.count(n, "Twins {"), 1, "{n}");
        assert_eq!(net.count(n, &format!("ours: {ours}")), 1, "{n}");
    }
    net.run(300, |_, _, _| false);
    assert!((1..=6).contains(&net.count(0, "Twins {")), "once a minute at most");
}
