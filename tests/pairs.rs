//! Every pair of packets in one datagram, in both orders, from every kind of sender.
//!
//! The bug: a nodeset looked up the link of a datagram once. The first packet, a Deregister, closed
//! the link; the second, any response, used its key as an index, and the process ended. The place was
//! used again at once, so the response could have settled somebody else's announcement as well. Keys
//! carry a generation since, and every look-up can fail: no packet can make the key of another stale
//! in a way that shows. No machine of ours sends such a datagram, so no simulation of them meets it.

#[path = "support/insider.rs"]
mod insider;
#[path = "support/net.rs"]
mod net;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use chatrpc::machine::wire::{
    ANYWHERE, Asked, Cookie, DATAGRAM_MAX, Datagram, Departure, Flags, Gone, Packet, Page, Request,
    Response, SEALED_ROOM, put_header, put_request, put_response,
};
use chatrpc::machine::{
    Action, Handle, Incarnation, Input, Machine, PeerId, Registry, RegistryConfig, Seed, Signed,
    Tag, Time, drain,
};
use insider::{Insider, room};
use net::*;

const TAG: Tag = Tag([6; 16]);

/// A packet, numbered when it is written down.
#[derive(Clone, Debug)]
enum Said {
    Request(Request<'static>),
    Response(Response),
}

/// The tenants of a room of the attacker's own, their addresses, and what they are asked.
struct Tenants {
    nodeset: Registry,
    now: u64,
    cookies: BTreeMap<SocketAddr, Cookie>,
    /// The number of the announcement that is open to each.
    asked: BTreeMap<SocketAddr, u32>,
}

fn tenant(n: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 6, 6], 1000 + n))
}

fn register(cookie: Cookie, token: u64, n: u32) -> Request<'static> {
    Request::Register { cookie, tag: TAG, have: 0, most: 1200, token, n, sealed: noise() }
}

impl Tenants {
    /// Three leases with tokens 1 to 3, so that the first two are being told of the third.
    fn new() -> Self {
        let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 64);
        let nodeset = Registry::new(config);
        let (cookies, asked) = (BTreeMap::new(), BTreeMap::new());
        let mut all = Self { nodeset, now: 1_000_000, cookies, asked };
        for n in 1..=3 {
            let (from, token) = (tenant(n), farewell(0, n).token());
            let time = Time::from_micros(all.now);
            let answer =
                ask(&mut all.nodeset, time, from, Asked::Register, &register([0; 8], token, 0));
            let Some(Response::Cookie(cookie)) = answer else { panic!("a cookie first") };
            all.cookies.insert(from, cookie);
            all.send(from, 1 + u64::from(n), &[(1, Said::Request(register(cookie, token, 0)))]);
        }
        all.now += 600_000;
        all.feed(Input::Tick);
        assert_eq!(all.nodeset.members(), 3);
        all
    }

    /// The same after the third has given its lease back: an announcement is open to both others, so that
    /// what is closed makes room for nothing.
    fn but_one() -> Self {
        let mut all = Self::new();
        let leave = Request::Deregister { tag: TAG, farewell: farewell(0, 3), sealed: noise() };
        all.send(tenant(3), 4, &[(9, Said::Request(leave))]);
        assert_eq!(all.nodeset.members(), 2);
        all
    }

    fn feed(&mut self, input: Input<'_>) {
        let asked = &mut self.asked;
        drain(&mut self.nodeset, Time::from_micros(self.now), input, |action| {
            let Action::Send { to, bytes, .. } = action else { return };
            assert!(bytes.len() <= DATAGRAM_MAX);
            for packet in Datagram::decode(bytes).expect("in the open").packets() {
                if let Packet::Request { seq, .. } = packet {
                    asked.insert(to, seq);
                }
            }
        });
        self.nodeset.check();
    }

    fn send(&mut self, from: SocketAddr, incarnation: u64, packets: &[(u32, Said)]) {
        let mut bytes = Vec::new();
        put_header(&mut bytes, incarnation, 0, 1, 0);
        put_all(&mut bytes, packets);
        if bytes.len() <= DATAGRAM_MAX {
            self.feed(Input::Datagram { from, at: None, bytes: &bytes });
        }
    }
}

fn put_all(bytes: &mut Vec<u8>, packets: &[(u32, Said)]) {
    for (seq, packet) in packets {
        match packet {
            Said::Request(request) => put_request(bytes, *seq, request),
            Said::Response(response) => put_response(bytes, *seq, response),
        }
    }
}

fn responses() -> Vec<Said> {
    let page = Page { after: 0, reached: 9, current: u64::MAX, changes: Vec::new() };
    let seen = addr(MALLORY);
    [
        Response::Ok,
        Response::Next { next: 1, held: u64::MAX },
        Response::Next { next: u64::MAX, held: 0 },
        Response::Page(page.clone()),
        Response::Lease { node: u32::MAX, elsewhere: 9, seen, page },
        Response::Unknown,
        Response::Cookie([7; 8]),
        Response::Version(9),
        Response::Full,
    ]
    .map(Said::Response)
    .to_vec()
}

fn to_peers(mallory: &Insider, others: &[Signed]) -> Vec<Said> {
    let say = |stream, position, private, more, text| {
        let flags = Flags { action: false, private, more };
        Request::Say { stream, position, behind: u8::MAX, number: 1, flags, seal: None, text }
    };
    let hello =
        |stream, start, beacon| Request::Hello { stream, start, given_up: 1, entries: 1, beacon };
    let mut all = vec![
        hello(9, 0, mallory.signed("mallory", 0, Vec::new())),
        hello(9, 5, mallory.signed("renamed", 1, vec![addr(ALICE), addr(BOB)])),
        hello(8, 1 << 62, mallory.farewell()),
        say(9, 0, false, false, "hi"),
        say(9, 0, true, true, "to be continued"),
        say(9, 1, false, false, "early"),
        say(9, u64::MAX, false, false, "far"),
        say(7, 0, false, false, "on no stream"),
        Request::PING,
        Request::Bridge { to: mallory.id() },
        Request::Bridge { to: PeerId(7) },
        Request::Introduce { who: PeerId(7), at: addr(BOB), near: true },
        Request::Introduce { who: mallory.id(), at: addr(ALICE), near: false },
        Request::Bye { next: 0, beacon: mallory.farewell() },
        Request::Bye { next: u64::MAX, beacon: mallory.farewell() },
    ];
    for other in others {
        all.push(hello(9, 0, other.clone()));
        if other.beacon.left {
            all.push(Request::Bye { next: 0, beacon: other.clone() });
        }
    }
    all.into_iter().map(Said::Request).collect()
}

fn to_nodeset(cookie: Cookie, n: u16) -> Vec<Said> {
    let gone = Gone { handle: Handle::of(1), how: Departure::Timeout };
    let leave =
        |token| Request::Deregister { tag: TAG, farewell: farewell(0, token), sealed: noise() };
    let token = farewell(0, n).token();
    let who = |cookie, have| Request::Who { cookie, tag: TAG, have, most: 1200 };
    [
        who(cookie, 0),
        who([0; 8], u64::MAX - 1),
        who(cookie, ANYWHERE),
        register(cookie, token, 0),
        register(cookie, token, 1),
        register([1; 8], token, 2),
        register(cookie, 77, 0),
        leave(n),
        leave(1),
        leave(2),
        leave(78),
        Request::AddMember { reached: u64::MAX, members: Vec::new() },
        Request::RemoveMember { reached: 1, members: vec![gone] },
        Request::Foreign { method: 1, version: 9 },
        Request::Foreign { method: 2, version: 0 },
        Request::DialBack { cookie, port: 9 },
        Request::DialBack { cookie: [0; 8], port: u16::MAX },
        Request::PING,
        Request::Bridge { to: PeerId(7) },
    ]
    .map(Said::Request)
    .to_vec()
}

/// Who sends to a nodeset: where from, as which process, with which token.
fn senders() -> Vec<(SocketAddr, u64, u16)> {
    vec![
        // The holders of leases; the first two have an announcement open.
        (tenant(1), 2, 1),
        (tenant(2), 3, 2),
        (tenant(3), 4, 3),
        // A newer process at the address of one, and an older one.
        (tenant(1), 20, 5),
        (tenant(2), 1, 1),
        // Somebody elsewhere who knows a token, and somebody who knows nothing.
        (tenant(9), 2, 1),
        (tenant(9), 9, 9),
    ]
}

#[test]
fn no_pair_of_packets_hurts_a_nodeset() {
    let (mut runs, mut left) = (0, 0);
    for (from, incarnation, token) in senders() {
        let plain = Tenants::new();
        let cookie = plain.cookies.get(&from).copied().unwrap_or([0; 8]);
        let said: Vec<Said> = to_nodeset(cookie, token).into_iter().chain(responses()).collect();
        for one in &said {
            for (begin, other) in [Tenants::new, Tenants::but_one]
                .into_iter()
                .flat_map(|begin| said.iter().map(move |other| (begin, other)))
            {
                let mut all = begin();
                // The number of the call that is open to the sender, if there is one.
                let open = all.asked.get(&from).copied().unwrap_or(1);
                all.send(from, incarnation, &[(open, one.clone()), (open, other.clone())]);
                let members = all.nodeset.members();
                assert!(members <= 4, "{one:?}, {other:?}: {members}");
                left += usize::from(members < 2);
                // The rest of the leases goes on, and all of it ends.
                all.send(
                    tenant(2),
                    3,
                    &[(2, Said::Request(register([0; 8], farewell(0, 2).token(), 9)))],
                );
                for _ in 0..30 {
                    all.now += 10_000_000;
                    all.feed(Input::Tick);
                }
                let full = all.nodeset.footprint().into_iter().find(|table| table.len > 0);
                assert_eq!(full, None, "{one:?}, {other:?}");
                runs += 1;
            }
        }
    }
    assert!(runs > 8_000 && left > 200, "{runs} runs, {left} of which ended a lease");
}

/// The datagram that was found, as its own case: it ended every nodeset.
#[test]
fn a_response_behind_a_deregister_is_nobodys() {
    let mut all = Tenants::but_one();
    let open = all.asked[&tenant(1)];
    let leave = Request::Deregister { tag: TAG, farewell: farewell(0, 1), sealed: noise() };
    let packets = [(7, Said::Request(leave)), (open, Said::Response(Response::Ok))];
    let before = all.nodeset.blame().unknown_call;
    all.send(tenant(1), 2, &packets);
    assert_eq!((all.nodeset.members(), all.nodeset.blame().unknown_call - before), (1, 1));
}

/// Mallory, a member, from her own address and from elsewhere, to a peer that knows her, one that does
/// not, and one that is leaving.
#[test]
fn no_pair_of_packets_hurts_a_peer() {
    let net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let bob = net.bob();
    let others = [bob.signed("bob", 3, Vec::new()), bob.farewell()];
    let said: Vec<Said> = to_peers(&Insider::new(3, 7), &others)
        .into_iter()
        .chain(to_nodeset([0; 8], 1).into_iter().take(13).step_by(3))
        .chain(responses())
        .collect();
    let mut runs = 0;
    for known in [false, true] {
        for one in &said {
            let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
            let mut mallory = Insider::new(3, 7);
            let mut session = net.shake(0, MALLORY, &mut mallory);
            let mut stamp = 1;
            for other in &said {
                stamp += 1;
                if known {
                    let hello = mallory.signed("mallory", 0, Vec::new());
                    let hello = Request::Hello {
                        stream: 9,
                        start: 0,
                        given_up: 0,
                        entries: 1,
                        beacon: hello,
                    };
                    let bytes = session.seal(stamp, |out| put_request(out, stamp, &hello));
                    net.forge(0, MALLORY, &bytes);
                }
                let from = if stamp % 3 == 0 { "10.0.7.7:7" } else { MALLORY };
                for pair in [[one, other], [other, one]] {
                    stamp += 2;
                    let packets = [(stamp, pair[0].clone()), (stamp + 1, pair[1].clone())];
                    let mut text = Vec::new();
                    put_all(&mut text, &packets);
                    if text.len() > SEALED_ROOM {
                        continue;
                    }
                    let bytes = session.seal(stamp, |out| out.extend_from_slice(&text));
                    net.forge(0, from, &bytes);
                    runs += 1;
                }
                net.now += 50_000;
                net.feed(0, Input::Tick);
                net.wire.retain(|_, (_, to, _)| *to != addr(MALLORY));
            }
            // Alice and Bob have not noticed.
            net.feed(0, Input::Line("still here"));
            net.run(3, |_, _, _| false);
            assert_eq!(net.count(1, "still here"), 1, "{one:?}");
            let lost = |line: &&String| line.contains("Left {") && line.contains("bob");
            assert_eq!(net.peers[0].2.iter().find(lost), None, "{one:?}");
        }
    }
    assert!(runs > 1_000, "{runs} runs");
}

/// The nodeset, and somebody who poses as it, to a peer: announcements and answers in one datagram.
#[test]
fn no_pair_of_packets_of_a_nodeset_hurts_a_peer() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let bob = net.bob();
    let member = listed(&bob, "bob", MALLORY, vec![addr(MALLORY)]);
    let gone = |how| Gone { handle: bob.handle(), how };
    let (_, farewell) = (bob.handle(), bob.farewell());
    let sealed = farewell.seal(&chatrpc::machine::Noise, &room());
    let requests = [
        Request::AddMember { reached: u64::MAX, members: vec![member] },
        Request::RemoveMember { reached: 1, members: vec![gone(Departure::Timeout)] },
        Request::RemoveMember { reached: 1, members: vec![gone(Departure::Replaced)] },
        Request::PING,
        Request::Foreign { method: 1, version: 9 },
        // Only Bob can say this, and says it last: nothing brings him back.
        Request::RemoveMember { reached: 2, members: vec![gone(Departure::Quit(sealed))] },
    ];
    let said: Vec<Said> = requests.map(Said::Request).into_iter().chain(responses()).collect();
    let mut seq = net.asked;
    for one in &said {
        for other in &said {
            seq = seq.wrapping_add(2);
            let packets = [(seq, one.clone()), (seq.wrapping_add(1), other.clone())];
            let bytes = of_nodeset(500, seq, |out| put_all(out, &packets));
            net.forge(0, NODESET, &bytes);
            net.now += 20_000;
            net.feed(0, Input::Tick);
        }
    }
    net.run(30, |_, _, _| false);
    assert_eq!(net.count(0, "Left { who"), 1, "Bob said so himself");
    net.feed(0, Input::Line("/quit"));
    net.run(10, |_, _, _| false);
    assert_eq!(net.count(0, "Exit(Left"), 1);
}
