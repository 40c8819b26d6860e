//! Two people with known keys in a room with a known secret, and what they say to the byte: what the
//! documents show of the protocol is made of them.

#![allow(unreachable_pub, dead_code, clippy::expect_used)]

use std::fmt::Write as _;
use std::net::SocketAddr;

use chatrpc::machine::keyed::{hash, mac};
use chatrpc::machine::suite::{FIRST, Hand, Suite, Transport};
use chatrpc::machine::wire::{PADDING, SEALED_HEADER, kind, put_header, put_inner_header};
use chatrpc::machine::{
    Beacon, Farewell, Handle, Identity, Name, Noise, Room, SECRET, Secret, Signed,
};

pub const NODESET: &str = "192.0.2.1:7420";
pub const NODESET_STARTED: u64 = 1_760_000_000_000;
pub const COOKIE: [u8; 16] = *b"shown: a cookie!";

/// A process of somebody.
pub struct Side {
    pub identity: Identity,
    pub name: &'static str,
    pub started: u64,
    pub farewell: Farewell,
    pub at: SocketAddr,
}

/// A session, seen from both ends.
pub struct Shaken {
    pub init: Vec<u8>,
    pub resp: Vec<u8>,
    /// What its beginner seals with, and who answered.
    pub ends: [Box<dyn Transport>; 2],
}

pub fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub fn room() -> Room {
    let secret = Secret::new(core::array::from_fn::<u8, SECRET, _>(|n| n as u8));
    Room::new(Name::parse("ops").expect("a name"), Some(&secret))
}

pub fn alice() -> Side {
    Side {
        identity: Identity::new(&[1; 32]),
        name: "alice",
        started: 1_760_000_000_001,
        farewell: Farewell([0xa1; 16]),
        at: addr("192.0.2.9:40112"),
    }
}

pub fn bob() -> Side {
    Side {
        identity: Identity::new(&[2; 32]),
        name: "bob",
        started: 1_760_000_000_002,
        farewell: Farewell([0xb2; 16]),
        at: addr("[2001:db8::2]:40113"),
    }
}

impl Side {
    pub fn token(&self) -> u64 {
        self.farewell.token()
    }

    pub fn handle(&self) -> Handle {
        Handle::of(self.token())
    }

    /// What they say of themselves: their first beacon, or the last one.
    pub fn beacon(&self, left: bool) -> Signed {
        let (key, incarnation) = (self.identity.public(), self.started);
        let beacon = Beacon {
            id: key.process(incarnation),
            key,
            incarnation,
            handle: self.handle(),
            n: u32::from(left),
            left,
            once: false,
            name: Name::parse(self.name).expect("a name"),
            addrs: if left { Vec::new() } else { vec![self.at] },
        };
        Signed::new(&Noise, &self.identity, &room(), beacon)
    }

    /// A datagram of theirs in the open, with proof that they know the room.
    pub fn proven(
        &self,
        receiver: u64,
        stamps: (u32, u32),
        put: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<u8> {
        let mut bytes = self.clear(receiver, stamps, put);
        bytes[0] = kind::PROVEN;
        let proof = mac(room().mac_key(), &[&bytes]);
        bytes.extend_from_slice(&proof);
        bytes
    }

    /// A datagram of theirs in the open.
    pub fn clear(
        &self,
        receiver: u64,
        (stamp, echo): (u32, u32),
        put: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_header(&mut bytes, self.started, receiver, stamp, echo);
        put(&mut bytes);
        bytes
    }
}

/// The key of mac1 of what is meant for somebody.
pub fn mac1_key(of: &Side) -> [u8; 32] {
    hash(room().mac_key(), &[&of.identity.public().0, &of.started.to_be_bytes()])
}

/// A first message, without mac2, and whatever waits for the answer.
pub fn init(
    (from, to): (&Side, &Side),
    (entropy, index, number): (u8, u32, u64),
) -> (Vec<u8>, Box<dyn chatrpc::machine::suite::Initiated>) {
    let room = room();
    let hand = Hand { identity: &from.identity, psk: room.psk(), entropy: [entropy; 32] };
    let mut payload = from.identity.public().0.to_vec();
    for number in [from.started, to.started, number] {
        payload.extend_from_slice(&number.to_be_bytes());
    }
    let mut bytes = vec![kind::INIT];
    bytes.extend_from_slice(&index.to_be_bytes());
    let image = to.identity.public().image().expect("a good key");
    let state = Noise.initiate(&hand, &image, &payload, &mut bytes).expect("it is made");
    bytes.extend_from_slice(&mac(&mac1_key(to), &[&bytes]));
    (bytes, state)
}

/// A handshake: the indices of both sides are 1 and 2.
pub fn shake(from: &Side, to: &Side, entropy: [u8; 2]) -> Shaken {
    let (mut init, mut state) = init((from, to), (entropy[0], 1, 1));
    init.extend_from_slice(&[0; 16]);
    let room = room();
    let hand = Hand { identity: &to.identity, psk: room.psk(), entropy: [entropy[1]; 32] };
    let responding =
        Noise.respond(&hand, &init[5..5 + FIRST + 56], &mut Vec::new()).expect("it is genuine");
    let mut resp = vec![kind::RESP, 0, 0, 0, 2, 0, 0, 0, 1];
    let theirs = responding.finish(&mut resp).expect("an answer");
    resp.extend_from_slice(&mac(room.mac_key(), &[&resp]));
    let ours = state.finish(&resp[9..resp.len() - 16]).expect("a session");
    Shaken { init, resp, ends: [ours, theirs] }
}

/// What is sealed: a stamp, an echo, packets and zeros.
pub fn inner((stamp, echo): (u32, u32), put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut text = Vec::new();
    put_inner_header(&mut text, stamp, echo);
    put(&mut text);
    text.resize(text.len().next_multiple_of(PADDING), 0);
    text
}

impl Shaken {
    /// A datagram of one side, 0 for who began it, to the other.
    pub fn data(&self, side: usize, counter: u64, text: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind::DATA, 0, 0, 0, 2 - side as u8];
        bytes.extend_from_slice(&counter.to_be_bytes());
        bytes.resize(SEALED_HEADER + text.len() + 16, 0);
        self.ends[side].seal(counter, text, &mut bytes[SEALED_HEADER..]);
        let mut opened = vec![0; text.len() + 16];
        let len = self.ends[1 - side].open(counter, &bytes[SEALED_HEADER..], &mut opened);
        assert_eq!(len.map(|len| &opened[..len]), Some(text), "it opens at the other end");
        bytes
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// A file of the documents is what is computed; or it becomes that, when `CHATRPC_WRITE` is set.
#[allow(clippy::disallowed_methods)]
pub fn is_written(file: &str, computed: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    if std::env::var_os("CHATRPC_WRITE").is_some() {
        std::fs::write(&path, computed).expect("the documents can be written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(computed.lines()).position(|(one, other)| one != other);
    assert!(
        there == computed,
        "docs/{file} differs from line {:?} on: CHATRPC_WRITE=1 cargo test --test written writes it",
        differs.map(|line| line + 1),
    );
}
