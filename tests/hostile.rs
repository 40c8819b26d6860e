//! What strangers, members and nodesets may try, and what must not come of it.
//!
//! Each test opens with the attack. Strangers have no secret; insiders have it and say what no machine
//! of ours would say.

#[path = "support/insider.rs"]
mod insider;
#[path = "support/net.rs"]
mod net;

use std::net::SocketAddr;

use chatrpc::machine::wire::{
    ANYWHERE, Asked, Change, Datagram, Departure, Gone, Listed, Packet, Page, Request, Response,
    kind, put_header, put_request, put_response,
};
use chatrpc::machine::{
    Incarnation, Input, Machine, Noise, Registry, RegistryConfig, SEALED, Sealed, Seed, Signed,
    Tag, Time,
};
use insider::{Insider, room};
use net::*;

fn hello(out: &mut Vec<u8>, seq: u32, beacon: Signed) {
    put_request(out, seq, &Request::Hello { stream: 9, start: 0, given_up: 0, entries: 1, beacon });
}

/// Lets a nodeset that answers like this serve Alice for a while.
fn served(secs: u64, mut answer: impl FnMut(&Request<'_>) -> Response) -> Net {
    served_by(secs, |request| Some((500, answer(request))))
}

/// The same by several nodesets: each answer comes with the incarnation of the one that gives it.
fn served_by(secs: u64, mut answer: impl FnMut(&Request<'_>) -> Option<(u64, Response)>) -> Net {
    let mut net = Net::with(&[]);
    let alice = net.join("alice", ALICE);
    let until = net.now + secs * 1_000_000;
    let mut stamp = 1;
    while net.now < until {
        let asked = net.towards(NODESET);
        net.wire.clear();
        for bytes in asked {
            // Who is listed at the nodeset's own address is greeted there.
            let Ok(datagram) = Datagram::decode(&bytes) else { continue };
            for packet in datagram.packets() {
                let Packet::Request { seq, request } = packet else { continue };
                let Some((incarnation, response)) = answer(&request) else { continue };
                stamp += 1;
                let answer =
                    of_nodeset(incarnation, stamp, |out| put_response(out, seq, &response));
                net.forge(alice, NODESET, &answer);
            }
        }
        let wake = net.peers[alice].1.next_wake().map(|wake| wake.at.as_micros());
        let soon = net.now + 1000;
        net.now =
            if net.towards(NODESET).is_empty() { wake.unwrap_or(until).max(soon) } else { soon };
        net.feed(alice, Input::Tick);
    }
    net
}

/// The same with a nodeset that lists just these people. Returns how many of them she has seen enter.
fn lying_nodeset(listed: &[Listed], secs: u64) -> usize {
    let net = served(secs, |request| {
        let changes = listed.iter().cloned().map(Change::Present).collect();
        let page = Page { after: 0, reached: 5, current: 5, changes };
        match request {
            Request::Who { .. } => Response::Page(page),
            _ => Response::Lease { node: 1, elsewhere: 0, seen: addr(ALICE), page },
        }
    });
    assert_eq!(net.count(0, "Ready"), 1);
    net.count(0, "Person") - 1
}

/// It answers whoever wants a lease with what is no answer to that.
#[test]
fn a_nodeset_that_answers_nonsense_keeps_nobody_waiting() {
    for nonsense in [Response::Unknown, Response::Version(9), Response::Full] {
        let page = Page { after: 0, reached: 0, current: 0, changes: Vec::new() };
        let net = served(30, |request| match request {
            Request::Who { .. } => Response::Page(page.clone()),
            _ => nonsense.clone(),
        });
        assert_eq!(net.count(0, "Exit"), 1, "{nonsense:?}");
    }
}

/// Whoever wants a lease is to come back with another cookie, each time; or is told that there is more
/// to read, and is never told what.
#[test]
fn a_nodeset_is_not_asked_faster_than_it_is_worth() {
    let (mut asked, mut leases) = (0, true);
    let mut ask = |cookies: bool, endless: bool| {
        let (mut cookie, mut reached) = (0_u64, 0);
        (asked, leases) = (0, true);
        let net = served(60, |request| {
            let page = |reached, current| Page { after: 0, reached, current, changes: Vec::new() };
            let Request::Register { .. } = request else { return Response::Page(page(0, 0)) };
            asked += 1;
            if cookies && asked > 1 {
                cookie += 1;
                return Response::Cookie(cookie.to_be_bytes());
            }
            reached += u64::from(endless);
            let page = page(reached, reached + u64::from(endless));
            Response::Lease { node: 1, elsewhere: 0, seen: addr(ALICE), page }
        });
        assert_eq!(net.count(0, "Ready"), 1);
        asked
    };
    let (calm, cookies, endless) = (ask(false, false), ask(true, false), ask(false, true));
    assert!(calm <= 8, "{calm} renewals in a minute");
    assert!(cookies <= 40 && endless <= 40, "{cookies} for cookies, {endless} for empty pages");
}

/// It restarts while Alice reads, and numbers anew: Bob is where she has read already.
#[test]
fn a_nodeset_that_restarts_is_read_from_the_beginning() {
    let bob = listed(&Insider::new(1, 7), "bob", BOB, Vec::new());
    let mut asked = 0;
    let net = served_by(10, |request| {
        asked += 1;
        let page = |after, reached, changes| Page { after, reached, current: 30, changes };
        let page = match *request {
            Request::Who { .. } if asked == 1 => {
                return Some((500, Response::Page(page(10, 20, vec![]))));
            }
            Request::Who { have: 0..12, .. } => page(0, 12, vec![]),
            Request::Who { have: 12..20, .. } => page(12, 20, vec![Change::Present(bob.clone())]),
            _ => page(20, 30, vec![]),
        };
        let lease = |page| Response::Lease { node: 1, elsewhere: 0, seen: addr(ALICE), page };
        let who = matches!(request, Request::Who { .. });
        Some((501, if who { Response::Page(page) } else { lease(page) }))
    });
    assert_eq!((net.count(0, "Ready"), net.count(0, "bob")), (1, 1));
}

#[test]
fn a_nodeset_whose_roster_never_ends_is_read_for_a_while() {
    let mut asked = 0;
    let net = served(60, |request| {
        let Request::Who { have, .. } = request else {
            let page = Page { after: 0, reached: 5, current: 5, changes: Vec::new() };
            return Response::Lease { node: 1, elsewhere: 0, seen: addr(ALICE), page };
        };
        asked += 1;
        let after = if *have == ANYWHERE { 0 } else { *have };
        Response::Page(Page { after, reached: after + 1, current: u64::MAX, changes: Vec::new() })
    });
    assert!(asked > 2000 && asked < 2100, "{asked} questions");
    assert_eq!(net.count(0, "Ready"), 1);
}

/// One question is never answered, and so many others are that no more can be asked beside it; then the
/// roster is read after all.
#[test]
fn a_question_without_an_answer_keeps_nobody_from_entering() {
    let mut asked = Vec::new();
    let net = served_by(60, |request| {
        let Request::Who { have, .. } = request else {
            let page = Page { after: 0, reached: 900, current: 900, changes: Vec::new() };
            return Some((500, Response::Lease { node: 1, elsewhere: 0, seen: addr(ALICE), page }));
        };
        if !asked.contains(have) {
            asked.push(*have);
        }
        let from = if *have == ANYWHERE { 0 } else { *have };
        let (after, reached) = if asked.len() < 67 { (from, from + 1) } else { (0, 900) };
        let page = Page { after, reached, current: 900, changes: Vec::new() };
        (asked.get(3) != Some(have)).then_some((500, Response::Page(page)))
    });
    assert_eq!(asked.len(), 67);
    assert_eq!(net.count(0, "Ready"), 1);
}

#[test]
fn a_nodeset_that_leads_nowhere_is_left() {
    let backwards = Response::Page(Page { after: 0, reached: 0, current: 9, changes: Vec::new() });
    for answer in [backwards, Response::Cookie([7; 8]), Response::Unknown] {
        let mut asked = 0;
        let net = served(60, |_| {
            asked += 1;
            answer.clone()
        });
        assert!(asked < 2100, "{asked} questions");
        assert_eq!(net.count(0, "NotChatrpc"), 1, "{answer:?}");
    }
}

#[test]
fn a_nodeset_that_lists_two_of_our_name_at_one_address_is_survived() {
    let twin = |luck| listed(&Insider::new(luck, 7), "alice", "10.0.0.7:7", Vec::new());
    lying_nodeset(&[twin(1), twin(2)], 90);
}

#[test]
fn a_nodeset_that_lists_itself_is_survived() {
    let me = Insider::new(1, 500);
    lying_nodeset(&[listed(&me, "mallory", NODESET, vec![addr(NODESET)])], 90);
}

#[test]
fn a_nodeset_that_lists_noise_lists_nobody() {
    let mut real = listed(&Insider::new(1, 7), "mallory", MALLORY, Vec::new());
    let mut spoilt = *real.sealed.0;
    spoilt[100] ^= 1;
    real.sealed = Sealed(std::sync::Arc::new(spoilt));
    let mut misnamed = listed(&Insider::new(2, 7), "trudy", MALLORY, Vec::new());
    misnamed.handle.0 ^= 1;
    assert_eq!(lying_nodeset(&[real, misnamed], 90), 0);
}

#[test]
fn many_strangers_come_and_go() {
    let mut net = Net::with(&[("alice", ALICE)]);
    for n in 0..300u16 {
        let mut stranger = Insider::new(1, 2000 + u64::from(n));
        let from = format!("10.0.{}.{}:1", 6 + n / 200, 1 + n % 200);
        let mut session = net.shake(0, &from, &mut stranger);
        let beacon = stranger.signed(&format!("m{n}"), 0, Vec::new());
        let said = session.seal(77, |out| hello(out, 5, beacon));
        net.forge(0, &from, &said);
        net.wire.clear();
        net.now += 20_000;
    }
    net.run(1000, |_, _, _| false);
    assert_eq!(net.count(0, "Joined"), 0, "nobody of them answered a hello");
    let tables = net.peers[0].1.footprint();
    // What was looked at is remembered, within bounds.
    let full = tables.iter().find(|table| table.len > 2 && table.name != "spent handshakes");
    assert!(full.is_none(), "{full:?} remains");
}

#[test]
fn a_lying_nodeset_replaces_nobody_who_answers() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let (bob, mallory) = (net.bob(), Insider::new(1, 77));
    let mut unsigned = bob.farewell();
    unsigned.signature = mallory.farewell().signature;
    let sealed = |signed: &Signed| Departure::Quit(signed.seal(&Noise, &room()));
    let lies = [
        Departure::Replaced,
        Departure::Timeout,
        Departure::Quit(Sealed(std::sync::Arc::new([7; SEALED]))),
        sealed(&bob.signed("bob", 0, Vec::new())),
        sealed(&mallory.farewell()),
        sealed(&unsigned),
    ];
    for how in lies {
        unlist(&mut net, &bob, how);
        net.feed(1, Input::Line("I am here"));
        net.run(100, |_, _, _| false);
    }
    assert_eq!((net.count(0, "Left"), net.count(0, "I am here")), (0, 6));
}

/// The nodeset tells Alice that somebody is gone.
fn unlist(net: &mut Net, who: &Insider, how: Departure) {
    let members = vec![Gone { handle: who.handle(), how }];
    let stamp = (net.now & 0xffff_ffff) as u32;
    let said = of_nodeset(500, stamp, |out| {
        net.asked += 1;
        put_request(out, net.asked, &Request::RemoveMember { reached: 9, members });
    });
    net.wire.clear();
    net.forge(0, NODESET, &said);
    assert!(!net.towards(NODESET).is_empty(), "she has taken it in");
}

/// Who says goodbye is believed at once, whoever passes it on, and is not brought back.
#[test]
fn a_goodbye_is_signed_and_final() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let bob = net.bob();
    let sealed = bob.farewell().seal(&Noise, &room());
    unlist(&mut net, &bob, Departure::Quit(sealed));
    assert_eq!(net.count(0, "why: Quit"), 1);
    // Bob himself knows nothing of it, and goes on.
    net.feed(1, Input::Line("I am here"));
    net.run(300, |_, _, _| false);
    assert_eq!((net.count(0, "Joined"), net.count(0, "I am here")), (1, 0));
}

/// Mallory knows the secret, and is nobody but herself.
#[test]
fn a_member_expels_and_renames_nobody_else() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let mut mallory = Insider::new(1, 77);
    let mut session = net.shake(0, MALLORY, &mut mallory);
    // Bob's own key is in his beacon; his signature under another name is not to be had.
    let bob = net.bob();
    let mut forged = bob.signed("evil", 7, Vec::new());
    forged.signature[0] ^= 1;
    for (seq, beacon) in [(2, forged), (3, bob.signed("evil", 7, Vec::new()))] {
        let lie = session.seal(8 + seq, |out| hello(out, seq, beacon));
        net.forge(0, MALLORY, &lie);
    }
    let mut forged = bob.farewell();
    forged.signature = mallory.farewell().signature;
    for (seq, beacon) in [(4, forged), (5, bob.farewell()), (6, mallory.farewell())] {
        let bye = |out: &mut Vec<u8>| put_request(out, seq, &Request::Bye { next: 0, beacon });
        let lie = session.seal(16 + seq, bye);
        net.forge(0, MALLORY, &lie);
    }
    for _ in 0..5 {
        net.feed(1, Input::Line("I am here"));
        net.run(100, |_, _, _| false);
    }
    assert_eq!((net.count(0, "Left"), net.count(0, "Renamed")), (0, 0));
    assert_eq!((net.count(0, "I am here"), net.count(1, "acked: 1")), (5, 5));
}

/// Somebody on the path holds back the last datagram of a kind that Bob sends to Alice, and lets it
/// through when he is long gone.
fn held_back(kind: u8) -> Net {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let of_bob = |from, to| from == addr(BOB) || to == addr(BOB);
    let mut held = Vec::new();
    if kind == kind::INIT {
        // Then the session is soon to be renewed.
        net.run(118, |_, _, _| false);
    }
    net.run(35, |from, to, bytes| {
        if from == addr(BOB) && to == addr(ALICE) && bytes.first() == Some(&kind) {
            held.push(bytes.to_vec());
        }
        of_bob(from, to)
    });
    net.run(15, |from, to, _| of_bob(from, to));
    net.wire.clear();
    net.forge(0, BOB, held.last().expect("bob goes on sending"));
    assert!(!net.towards(BOB).is_empty(), "it is genuine, and is answered");
    net.run(14, |from, to, _| of_bob(from, to));
    net
}

#[test]
fn a_first_message_that_was_held_back_keeps_nobody_here() {
    assert_eq!(held_back(kind::INIT).count(0, "Left"), 1, "60 s are over, and 3 more");
}

#[test]
fn a_datagram_that_was_held_back_keeps_nobody_here() {
    assert_eq!(held_back(kind::DATA).count(0, "Left"), 1, "60 s are over, and 3 more");
}

#[test]
fn many_questions_in_one_datagram_get_one_answer() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let mut mallory = Insider::new(1, 77);
    let mut session = net.shake(0, MALLORY, &mut mallory);
    net.wire.clear();
    let asked =
        session.seal(7, |out| (0..40).for_each(|seq| put_request(out, seq, &Request::PING)));
    net.forge(0, MALLORY, &asked);
    let answers = net.towards(MALLORY);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].len() <= asked.len(), "{} for {}", answers[0].len(), asked.len());
}

/// What an old version said in the open, from wherever it comes.
#[test]
fn what_is_not_sealed_is_met_with_silence() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let before = net.peers[0].1.digest();
    net.wire.clear();
    for (stamp, from) in (1..).zip([MALLORY, BOB, NODESET]) {
        // The nodeset itself speaks in the open: what it says is noted, and not answered.
        if from == NODESET {
            assert_eq!(net.peers[0].1.digest(), before);
        }
        for request in [
            Request::PING,
            Request::Bye { next: 0, beacon: net.bob().farewell() },
            Request::Foreign { method: 1, version: 9 },
            Request::AddMember { reached: 1, members: Vec::new() },
        ] {
            if from == NODESET && !matches!(request, Request::Ping { .. } | Request::Bye { .. }) {
                continue;
            }
            for receiver in [1000, 0] {
                let mut bytes = Vec::new();
                put_header(&mut bytes, 77, receiver, stamp, 0);
                put_request(&mut bytes, 3, &request);
                net.forge(0, from, &bytes);
            }
        }
    }
    assert!(net.wire.is_empty());
}

#[test]
fn a_beacon_aims_nobody_at_its_addresses() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let victims: Vec<SocketAddr> = (1..=4).map(|port| addr(&format!("10.0.5.5:{port}"))).collect();
    let mut mallory = Insider::new(1, 77);
    let mut session = net.shake(0, MALLORY, &mut mallory);
    let beacon = mallory.signed("m", 0, victims.clone());
    let said = session.seal(7, |out| hello(out, 5, beacon));
    net.forge(0, MALLORY, &said);
    // Mallory answers the hello she gets back: she is in the room.
    for bytes in net.towards(MALLORY) {
        let Some(text) = session.open(&bytes) else { continue };
        let id = net.peers[0].1.me().id;
        let greeted = Datagram::decode_sealed(id, &text).expect("packets");
        for packet in greeted.packets() {
            if let Packet::Request { seq, request: Request::Hello { .. } } = packet {
                let answer = session.seal(8, |out| put_response(out, seq, &Response::Ok));
                net.forge(0, MALLORY, &answer);
            }
        }
    }
    let mut aimed = 0;
    net.run(3600, |_, to, _| {
        aimed += usize::from(victims.contains(&to));
        false
    });
    assert_eq!((net.count(0, "Joined"), aimed), (1, 0));
}

/// Somebody on the path sends on what Bob says, as if he were elsewhere, while he is really moving.
#[test]
fn what_is_sent_on_aims_no_hellos() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    net.peers[1].0 = addr("10.0.0.3:2");
    net.feed(1, Input::Line("I am elsewhere"));
    let said = net.towards(ALICE).pop().expect("he says so");
    net.forge(0, MALLORY, &said);
    // The nodeset sees that he has moved: Alice greets him wherever he may be.
    net.feed(1, Input::Line("/nick robert"));
    let mut astray = 0;
    net.run(20, |_, to, bytes| {
        astray += if to == addr(MALLORY) { bytes.len() } else { 0 };
        false
    });
    assert_eq!((net.count(0, "I am elsewhere"), net.count(0, "Renamed")), (1, 1));
    assert!((1..=3 * said.len()).contains(&astray), "{astray} bytes for {}", said.len());
}

#[test]
fn what_waits_behind_a_lost_ping_is_said() {
    // A ping is open, and lost once, while a hundred lines are pasted: the window fills up behind
    // it, and only its answer makes room again.
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let mut lost = false;
    for _ in 0..2_000 {
        net.now += 10_000;
        net.run(0, |from, _, bytes| {
            // The smallest sealed datagram with a packet in it.
            let ping = !lost && from == addr(ALICE) && bytes[0] == kind::DATA;
            lost |= ping;
            ping
        });
        if lost {
            break;
        }
    }
    assert!(lost, "a quiet member is pinged");
    (0..100).for_each(|n| net.feed(0, Input::Line(&format!("line {n}."))));
    net.run(60, |_, _, _| false);
    assert_eq!((net.count(1, "line "), net.count(0, "Done")), (100, 100));
}

/// The last one to leave a room is remembered, too: what they asked before may come again.
#[test]
fn who_left_an_empty_room_is_not_brought_back() {
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 64);
    let mut nodeset = Registry::new(config);
    let (tag, farewell) = (Tag([7; 16]), farewell(1, 0));
    let from = SocketAddr::from(([10, 0, 1, 1], 1000));
    assert!(is_lease(register(&mut nodeset, Time::from_micros(1), 1, 0, tag)));
    let leave = Request::Deregister { tag, farewell, sealed: noise() };
    let left = ask(&mut nodeset, Time::from_micros(2), from, Asked::Other, &leave);
    assert_eq!(left, Some(Response::Ok));
    let seconds = |s: u64| Time::from_micros(s * 1_000_000);
    for late in [1, 60, 119] {
        assert_eq!(register(&mut nodeset, seconds(late), 1, 0, tag), None, "after {late} s");
    }
    nodeset.handle(seconds(121), Input::Tick);
    let full = nodeset.footprint().into_iter().find(|table| table.len > 0);
    assert!(full.is_none(), "{full:?} remains");
    (0..1000).for_each(|n| {
        let tag = Tag([(n % 251) as u8, (n / 251) as u8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
        let leave = Request::Deregister { tag, farewell, sealed: noise() };
        assert!(is_lease(register(&mut nodeset, seconds(122), 1, 0, tag)));
        ask(&mut nodeset, seconds(122), from, Asked::Other, &leave);
        nodeset.check();
    });
    let over = nodeset.footprint().into_iter().find(|table| table.len > table.limit);
    assert!(over.is_none(), "{over:?} has grown");
}

/// Whoever fills a room with noise leaves the other rooms alone, and so does whoever has one address.
#[test]
fn a_crowd_fills_its_own_room_and_its_own_share() {
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 4096);
    let mut nodeset = Registry::new(config);
    let mut register =
        |ip, n, room| register(&mut nodeset, Time::from_micros(1), ip, n, Tag([room; 16]));
    assert!((0..256).all(|n| is_lease(register(1, n, 1))));
    assert_eq!(register(1, 300, 2), Some(Response::Full), "one address has its share");
    assert!((2..5).all(|ip| (0..256).all(|n| is_lease(register(ip, n, 1)))));
    assert!(is_lease(register(5, 0, 1)), "and gives up a place of a full room");
    assert!(is_lease(register(5, 1, 2)), "others are not full");
}

/// Four addresses fill a room with noise, before and after those who are there.
#[test]
fn a_newcomer_meets_the_people_behind_900_entries_of_noise_within_a_second() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let tag = room().tag();
    for ip in 1..5 {
        let now = Time::from_micros(net.now);
        assert!((0..225).all(|n| is_lease(register(&mut net.nodeset, now, ip, n, tag))));
        if ip == 2 {
            net.join("bob", BOB);
            net.run(5, |_, _, _| false);
        }
    }
    let carol = net.join("carol", "10.0.0.4:1");
    let start = net.now;
    while net.count(carol, "Ready") == 0 && net.now < start + 10_000_000 {
        net.now += 10_000;
        net.run(0, |_, _, _| false);
    }
    let took = net.now - start;
    assert!(took < 1_000_000, "{took} us at 20 ms there and back");
    assert_eq!((net.count(carol, "alice"), net.count(carol, "bob")), (1, 1));
}
