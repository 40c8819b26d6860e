//! What is refused, and who is to blame for it: each is fed to a nodeset or to a peer, which has to say
//! so and nothing else.

use chatrpc::machine::wire::Asked;
use chatrpc::machine::wire::{
    ANYBODY, Page, Request, Response, put_header, put_request, put_response,
};
use chatrpc::machine::{
    Action, Blame, Incarnation, Input, Machine, Name, Peer, PeerConfig, Registry, RegistryConfig,
    Seed, Signed, Time, drain,
};

use crate::cast::*;
use crate::vectors::object;

const STRANGER: &str = "192.0.2.66:666";

/// Gives a machine a datagram: who it says is to blame, and what it answers.
fn feed(machine: &mut dyn Machine, ms: u64, bytes: &[u8]) -> (String, Vec<Vec<u8>>) {
    let (before, mut sent) = (machine.blame(), Vec::new());
    let from = addr(STRANGER);
    drain(
        machine,
        Time::from_micros(ms * 1_000),
        Input::Datagram { from, at: None, bytes },
        |action| {
            if let Action::Send { to, bytes, .. } = action
                && to == from
            {
                sent.push(bytes.to_vec());
            }
        },
    );
    let Blame { malformed, unauthenticated, replayed, unknown_call, over_limit } = machine.blame();
    let counts = [
        ("malformed", malformed - before.malformed),
        ("unauthenticated", unauthenticated - before.unauthenticated),
        ("replayed", replayed - before.replayed),
        ("unknown call", unknown_call - before.unknown_call),
        ("over limit", over_limit - before.over_limit),
    ];
    let blamed: Vec<&str> =
        counts.iter().filter(|(_, count)| *count > 0).map(|&(name, _)| name).collect();
    (blamed.join(" and "), sent)
}

fn nodeset() -> Registry {
    Registry::new(RegistryConfig::new(Seed([7; 32]), Incarnation::at(NODESET_STARTED), 64))
}

fn clear(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    bob().clear(ANYBODY, (1, 0), put)
}

/// A packet with any payload.
fn packet(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u16 + 5).to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 8, kind]);
    out.extend_from_slice(payload);
}

fn to_the_nodeset() -> Vec<(&'static str, Vec<u8>)> {
    let who = |out: &mut Vec<u8>| {
        put_request(
            out,
            8,
            &Request::Who { cookie: [0; 8], tag: room().tag(), have: 0, most: 1200 },
        );
    };
    let mut whole = clear(who);
    let mut longer = whole.clone();
    longer.push(0);
    let mut other_type = whole.clone();
    other_type[31] = 2;
    let mut too_long = clear(|out| (0..30).for_each(|_| who(out)));
    too_long.truncate(1_201);
    let mut nobody = whole.clone();
    nobody[1..9].fill(0);
    let mut elsewhere = Vec::new();
    put_header(&mut elsewhere, bob().started, NODESET_STARTED - 1, 1, 0);
    who(&mut elsewhere);
    whole.pop();
    vec![
        ("no bytes", Vec::new()),
        ("a header and no packet", clear(|_| ())),
        ("a Who without its last byte", whole),
        ("a Who and a byte", longer),
        ("a length of 0", clear(|out| out.extend_from_slice(&[0, 0]))),
        ("PacketType 2", other_type),
        ("1,201 bytes", too_long),
        ("incarnation 0", nobody),
        ("method 0", clear(|out| packet(out, 0, &[0]))),
        ("method 11", clear(|out| packet(out, 0, &[11]))),
        ("a response of no bytes", clear(|out| packet(out, 1, &[]))),
        ("a Ping with a byte", clear(|out| packet(out, 0, &[8, 0]))),
        ("a Ping to a nodeset", clear(|out| packet(out, 0, &[8]))),
        ("for another incarnation", elsewhere),
        ("a kind that is none", vec![6; 40]),
        ("what goes through a relay", vec![5; 40]),
        ("an answer to nothing", clear(|out| packet(out, 1, &[0]))),
    ]
}

/// A peer in the room, who is bob.
fn peer() -> Peer {
    let (bob, seed) = (bob(), Seed([8; 32]));
    let (started, name) = (Incarnation::at(bob.started), Name::parse("bob").expect("a name"));
    let config = PeerConfig::new(seed, started, bob.identity, room(), name, addr(NODESET));
    let mut peer = Peer::new(config);
    drain(&mut peer, Time::ZERO, Input::Tick, |_| ());
    peer
}

fn to_a_peer() -> Vec<(&'static str, Vec<u8>)> {
    let (alice, bob) = (alice(), bob());
    let whole = shake(&alice, &bob, [3, 4]).init;
    let (mut spoilt, mut resp) = (whole.clone(), shake(&alice, &bob, [3, 4]).resp);
    spoilt[172] ^= 1;
    let for_another = shake(&bob, &alice, [3, 4]).init;
    let mut zero = init((&alice, &bob), (3, 1, 0)).0;
    zero.extend_from_slice(&[0; 16]);
    let short = whole[..188].to_vec();
    let unasked = resp.clone();
    resp.pop();
    let mut data = vec![4, 0, 0, 0, 9];
    data.resize(45, 0);
    let ping = clear(|out| put_request(out, 8, &Request::PING));
    let through = |kind| {
        let mut bytes = vec![5, 0, 0, 0, 0, 0, 0, 0, 7, kind];
        bytes.resize(54, 0);
        bytes
    };
    vec![
        ("an init of 188 bytes", short),
        ("an init with a wrong mac1", spoilt),
        ("an init for another process", for_another),
        ("an init with number 0", zero),
        ("a resp of 72 bytes", resp),
        ("a resp to nothing", unasked),
        ("a cookie of 36 bytes", vec![3; 36]),
        ("data of 12 bytes", data[..12].to_vec()),
        ("data of a session that is not there", data),
        ("what is asked with a wrong proof", vec![6; 82]),
        ("what is asked without a proof", vec![6; 15]),
        ("kind 7", vec![7; 40]),
        ("a relayed datagram of no relay", through(4)),
        ("a relayed one in the open", through(0)),
        ("one through two relays", through(5)),
        ("a relayed one without anything", vec![5, 0, 0, 0, 0, 0, 0, 0, 7]),
        ("a Ping in the open", ping),
    ]
}

/// Under the seal, from alice.
fn under_the_seal() -> Vec<(&'static str, Vec<u8>)> {
    let alice = alice();
    let text = |put: &dyn Fn(&mut Vec<u8>)| inner((5, 0), put);
    let hello = |stream, start, beacon: Signed| {
        text(&|out| {
            let beacon = beacon.clone();
            put_request(out, 8, &Request::Hello { stream, start, given_up: 0, entries: 1, beacon });
        })
    };
    let spoilt = |at: usize, to: &[u8]| {
        let mut text = hello(9, 0, alice.beacon(false));
        // Behind stamp, echo, the packet's header, method, stream, start and given up.
        let at = 8 + 7 + 1 + 20 + at;
        text[at..at + to.len()].copy_from_slice(to);
        text
    };
    let say = |flags: u8, said: &[u8]| {
        let mut payload = vec![7, 0, 0, 0, 9];
        payload.extend_from_slice(&[0; 16]);
        payload.push(flags);
        payload.extend_from_slice(said);
        text(&|out| packet(out, 0, &payload))
    };
    let mut zeros = text(&|_| ());
    zeros.resize(24, 0);
    let mut one = text(&|_| ());
    one[15] = 1;
    let bye = Request::Bye { next: 0, beacon: alice.beacon(false) };
    let add = Request::AddMember { reached: 1, members: Vec::new() };
    let mut wrong = alice.beacon(false);
    wrong.signature[0] ^= 1;
    vec![
        ("fewer than 8 bytes", vec![0; 7]),
        ("16 zeros behind stamp and echo", zeros),
        ("padding that is not zeros", one),
        ("Hello with stream 0", hello(0, 0, alice.beacon(false))),
        ("Hello with start 2^62 + 1", hello(9, (1 << 62) + 1, alice.beacon(false))),
        ("a beacon of incarnation 0", spoilt(32, &[0; 8])),
        ("a beacon with flag 4", spoilt(44, &[4])),
        ("a name that ends in a colon", spoilt(54, b"alic:")),
        ("a name that is not UTF-8", spoilt(54, &[0xff])),
        ("a name with a blank at its end", spoilt(54, b"alic ")),
        ("five addresses", spoilt(59, &[5])),
        ("an address of kind 5", spoilt(60, &[5])),
        ("a host that is multicast", spoilt(61, &[224, 0, 0, 1])),
        ("port 0", spoilt(65, &[0, 0])),
        ("Say of no text", say(0, b"")),
        ("Say of 1,025 bytes", say(0, &[b'x'; 1_025])),
        ("Say with flag 8", say(8, b"x")),
        ("Say that is not UTF-8", say(0, &[0xc3])),
        ("Ping of a hash of 0", text(&|out| packet(out, 0, &[8, 0, 0, 0, 0]))),
        ("Ping of a hash of 3 bytes", text(&|out| packet(out, 0, &[8, 1, 2, 3]))),
        ("Present of 7 bytes", text(&|out| packet(out, 0, &[14, 0, 0, 0, 0, 0, 0, 0]))),
        ("Bye without left", text(&|out| put_request(out, 8, &bye))),
        ("an empty response", text(&|out| packet(out, 1, &[]))),
        ("method 10 under the seal", text(&|out| packet(out, 0, &[10]))),
        ("AddMember of a member", text(&|out| put_request(out, 8, &add))),
        ("Hello with a beacon of somebody else", hello(9, 0, bob().beacon(false))),
        ("Hello with a wrong signature", hello(9, 0, wrong)),
        ("an answer to nothing, under the seal", text(&|out| put_response(out, 8, &Response::Ok))),
    ]
}

/// Answers that are malformed as answers to Register.
fn to_register() -> Vec<(&'static str, Vec<u8>)> {
    let lease = |elsewhere, (after, reached, current)| {
        let page = Page { after, reached, current, changes: Vec::new() };
        let mut payload = Vec::new();
        Response::Lease { node: 1, elsewhere, seen: bob().at, page }.encode(&mut payload);
        payload
    };
    vec![
        ("elsewhere 10", lease(10, (0, 1, 1))),
        ("reached before after", lease(0, (2, 1, 3))),
        ("current before reached", lease(0, (1, 3, 2))),
        ("status 6", vec![6]),
        ("a cookie of 7 bytes", vec![2; 8]),
    ]
}

pub(crate) fn malformed(out: &mut String) {
    let mut put = |name: &str, to: &str, (field, bytes): (&str, &[u8]), blame: String| {
        assert!(!blame.is_empty(), "{name} is taken");
        let pairs = [("name", name.to_owned()), ("to", to.to_owned()), (field, hex(bytes))];
        object(&[&pairs[..], &[("blame", blame)]].concat(), out);
    };
    for (name, bytes) in to_the_nodeset() {
        let (blame, sent) = feed(&mut nodeset(), 1_000, &bytes);
        assert!(sent.is_empty(), "{name} is answered");
        put(name, "a nodeset", ("bytes", &bytes), blame);
    }
    for (name, bytes) in to_a_peer() {
        let (blame, sent) = feed(&mut peer(), 1_000, &bytes);
        assert!(sent.is_empty(), "{name} is answered");
        put(name, "bob", ("bytes", &bytes), blame);
    }
    for (name, text) in under_the_seal() {
        let mut bob = Session::with(peer());
        let (blame, _) = bob.give(&text);
        put(name, "bob, under the seal", ("text", &text), blame);
    }
    let mut bob = Session::with(peer());
    let bytes = bob.data(&inner((5, 0), |_| ()));
    assert_eq!(bob.feed(&bytes).0, "");
    assert_eq!(bob.feed(&bytes).0, "replayed", "a counter that was taken");
    let mut wrong = bob.data(&inner((5, 0), |_| ()));
    *wrong.last_mut().expect("a byte") ^= 1;
    assert_eq!(bob.feed(&wrong).0, "unauthenticated", "a spoilt tag");
    for (name, payload) in to_register() {
        assert!(Response::decode(Asked::Register, &payload).is_err(), "{name}");
        put(name, "bob, in answer to Register", ("payload", &payload), "malformed".to_owned());
    }
}

/// A session of alice with a peer.
struct Session {
    peer: Peer,
    transport: Box<dyn chatrpc::machine::suite::Transport>,
    index: [u8; 4],
    counter: u64,
}

impl Session {
    fn with(mut peer: Peer) -> Self {
        let (mut bytes, mut state) = init((&alice(), &bob()), (3, 1, 1));
        bytes.extend_from_slice(&[0; 16]);
        let resp = feed(&mut peer, 1_000, &bytes).1.pop().expect("an answer");
        let index = *resp[1..].first_chunk().expect("an index");
        let transport = state.finish(&resp[9..57]).expect("a session");
        Self { peer, transport, index, counter: 0 }
    }

    fn data(&mut self, text: &[u8]) -> Vec<u8> {
        let mut bytes = vec![4];
        bytes.extend_from_slice(&self.index);
        bytes.extend_from_slice(&self.counter.to_be_bytes());
        bytes.resize(13 + text.len() + 16, 0);
        self.transport.seal(self.counter, text, &mut bytes[13..]);
        self.counter += 1;
        bytes
    }

    fn feed(&mut self, bytes: &[u8]) -> (String, Vec<Vec<u8>>) {
        feed(&mut self.peer, 1_010 + self.counter, bytes)
    }

    fn give(&mut self, text: &[u8]) -> (String, Vec<Vec<u8>>) {
        let bytes = self.data(text);
        self.feed(&bytes)
    }
}
