//! Somebody who knows the room's secret and says what no machine of ours would say: the handshake and
//! the seal, written down from docs/PROTOCOL.md.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use std::net::SocketAddr;

use chatrpc::machine::keyed::mac;
use chatrpc::machine::suite::{FIRST, Hand, Initiated, Suite, TAG, Transport};
use chatrpc::machine::wire::{PADDING, kind, put_inner_header};
use chatrpc::machine::{
    Beacon, Handle, INIT, Identity, Name, Noise, PeerId, PublicKey, RESP, Room, Sealed, Signed,
};

pub const NAME: &str = "ops";

pub fn room() -> Room {
    Room::new(Name::parse(NAME).unwrap(), Some(&chatrpc::machine::Secret::new([7; 20])))
}

pub struct Insider {
    pub identity: Identity,
    pub incarnation: u64,
    pub room: Room,
    /// The token of their lease.
    pub token: u64,
    suite: &'static dyn Suite,
    drawn: u8,
    number: u64,
}

/// A session, as its owner sees it.
pub struct Session {
    transport: Box<dyn Transport>,
    theirs: u32,
    pub counter: u64,
}

/// A first message that is not answered yet.
pub struct Pending {
    state: Box<dyn Initiated>,
    index: u32,
}

impl Insider {
    pub fn new(luck: u8, incarnation: u64) -> Self {
        Self::with(Identity::new(&[luck; 32]), incarnation)
    }

    pub fn with(identity: Identity, incarnation: u64) -> Self {
        let token = identity.public().process(incarnation).0;
        Self { identity, incarnation, room: room(), token, suite: &Noise, drawn: 0, number: 0 }
    }

    /// The same person, who seals otherwise.
    pub fn sealing(self, suite: &'static dyn Suite) -> Self {
        Self { suite, ..self }
    }

    /// The same person in another room.
    pub fn of(self, room: Room) -> Self {
        Self { room, ..self }
    }

    pub fn id(&self) -> PeerId {
        self.identity.public().process(self.incarnation)
    }

    pub fn handle(&self) -> Handle {
        Handle::of(self.token)
    }

    pub fn signed(&self, name: &str, n: u32, addrs: Vec<SocketAddr>) -> Signed {
        let (key, incarnation) = (self.identity.public(), self.incarnation);
        let name = Name::parse(name).unwrap();
        let handle = self.handle();
        let mut beacon =
            Beacon { id: self.id(), key, handle, incarnation, n, left: false, name, addrs };
        beacon.fit();
        Signed::new(self.suite, &self.identity, &self.room, beacon)
    }

    /// The last beacon: it says that they have left.
    pub fn farewell(&self) -> Signed {
        let mut beacon = self.signed("whoever", 9, Vec::new()).beacon;
        beacon.left = true;
        Signed::new(&Noise, &self.identity, &self.room, beacon)
    }

    pub fn sealed(&self, name: &str, addrs: Vec<SocketAddr>) -> (Handle, Sealed) {
        let sealed = self.signed(name, 0, addrs).seal(self.suite, &self.room);
        (self.handle(), sealed)
    }

    fn entropy(&mut self) -> [u8; 32] {
        self.drawn = self.drawn.wrapping_add(1);
        [self.drawn; 32]
    }

    /// A first message to a process.
    pub fn init(&mut self, (key, incarnation): (PublicKey, u64)) -> (Vec<u8>, Pending) {
        let entropy = self.entropy();
        self.number += 1;
        let mut payload = self.identity.public().0.to_vec();
        payload.extend_from_slice(&self.incarnation.to_be_bytes());
        payload.extend_from_slice(&incarnation.to_be_bytes());
        payload.extend_from_slice(&self.number.to_be_bytes());
        let index = u32::from(self.drawn);
        let mut bytes = vec![kind::INIT];
        bytes.extend_from_slice(&index.to_be_bytes());
        let hand = Hand { identity: &self.identity, psk: self.room.psk(), entropy };
        let image = self.suite.image(key).unwrap();
        let state = self.suite.initiate(&hand, &image, &payload, &mut bytes).unwrap();
        let end = mac(self.room.mac_key(), &[&bytes]);
        bytes.extend_from_slice(&end);
        bytes.extend_from_slice(&[0; 16]);
        assert_eq!(bytes.len(), INIT);
        (bytes, Pending { state, index })
    }

    /// The answer to a first message, and the session it leads to.
    pub fn answer(&mut self, init: &[u8]) -> Option<(Vec<u8>, Session)> {
        if init.len() != INIT || init[0] != kind::INIT {
            return None;
        }
        let entropy = self.entropy();
        let hand = Hand { identity: &self.identity, psk: self.room.psk(), entropy };
        let mut payload = Vec::new();
        let responding = self.suite.respond(&hand, &init[5..5 + FIRST + 56], &mut payload)?;
        let theirs = u32::from_be_bytes(init[1..5].try_into().unwrap());
        let mut bytes = vec![kind::RESP];
        bytes.extend_from_slice(&77u32.to_be_bytes());
        bytes.extend_from_slice(&theirs.to_be_bytes());
        let transport = responding.finish(&mut bytes)?;
        let end = mac(self.room.mac_key(), &[&bytes]);
        bytes.extend_from_slice(&end);
        Some((bytes, Session { transport, theirs, counter: 0 }))
    }
}

impl Pending {
    /// The session that a second message leads to.
    pub fn finish(&mut self, resp: &[u8]) -> Option<Session> {
        let ours = resp.get(5..9)? == self.index.to_be_bytes();
        if resp.len() != RESP || resp[0] != kind::RESP || !ours {
            return None;
        }
        let transport = self.state.finish(&resp[9..RESP - 16])?;
        let theirs = u32::from_be_bytes(resp[1..5].try_into().unwrap());
        Some(Session { transport, theirs, counter: 0 })
    }
}

impl Session {
    /// A sealed datagram with these packets.
    pub fn seal(&mut self, stamp: u32, packets: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut text = Vec::new();
        put_inner_header(&mut text, stamp, 0);
        packets(&mut text);
        text.resize(text.len().next_multiple_of(PADDING), 0);
        let mut bytes = vec![kind::DATA];
        bytes.extend_from_slice(&self.theirs.to_be_bytes());
        bytes.extend_from_slice(&self.counter.to_be_bytes());
        let start = bytes.len();
        bytes.resize(start + text.len() + TAG, 0);
        self.transport.seal(self.counter, &text, &mut bytes[start..]);
        self.counter += 1;
        bytes
    }

    /// What a sealed datagram of the other side says.
    pub fn open(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let counter = u64::from_be_bytes(bytes.get(5..13)?.try_into().unwrap());
        let mut text = vec![0; bytes.len() - 13];
        let len = self.transport.open(counter, &bytes[13..], &mut text)?;
        text.truncate(len);
        Some(text)
    }
}
