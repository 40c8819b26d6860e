//! Somebody who knows the room's secret and says what no machine of ours would say: the handshake and
//! the seal, written down from docs/PROTOCOL.md.
//!
//! It keeps no promise of the protocol by itself: whoever uses it decides what is sent, how often and
//! where. What it seals with is given, so that it speaks to machines under any [`Suite`].

use std::net::SocketAddr;

use chatrpc::machine::keyed::{MAC, hash, mac};
use chatrpc::machine::suite::{FIRST, Hand, Initiated, Suite, TAG, Transport};
use chatrpc::machine::wire::{PADDING, SEALED_HEADER, kind, put_inner_header};
use chatrpc::machine::{
    Beacon, COOKIE, Handle, INIT, Identity, Name, Noise, PeerId, PublicKey, RESP, Room, SECRET,
    Sealed, Secret, Signed,
};

/// The name of the room that insiders are of, unless told otherwise.
pub const NAME: &str = "ops";

/// Bytes of the payload of a first message.
const PAYLOAD: usize = 32 + 8 + 8 + 8;

/// That room.
pub fn room() -> Room {
    Room::new(name(NAME), Some(&Secret::new([7; SECRET])))
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// A process of somebody who knows the room's secret.
#[derive(Debug)]
pub struct Insider {
    /// Who they are.
    pub identity: Identity,
    /// When the process started.
    pub incarnation: u64,
    /// The room whose secret they know.
    pub room: Room,
    /// The token of their lease.
    pub token: u64,
    /// The number of their newest first message.
    pub number: u64,
    suite: &'static dyn Suite,
    drawn: u32,
}

/// A session, as its owner sees it.
#[derive(Debug)]
pub struct Session {
    transport: Box<dyn Transport>,
    /// The process at the other end: its key and its incarnation.
    pub with: (PublicKey, u64),
    /// The index that the other side puts on what it sends to us.
    pub ours: u32,
    theirs: u32,
    /// The counter of the next datagram.
    pub counter: u64,
}

/// A first message that is not answered yet.
#[derive(Debug)]
pub struct Pending {
    state: Box<dyn Initiated>,
    with: (PublicKey, u64),
    /// The index of the session it may lead to.
    pub index: u32,
}

impl Insider {
    /// Somebody whose secret key is 32 such bytes.
    pub fn new(luck: u8, incarnation: u64) -> Self {
        Self::with(Identity::new(&[luck; 32]), incarnation)
    }

    /// A process of that identity.
    pub fn with(identity: Identity, incarnation: u64) -> Self {
        let token = identity.public().process(incarnation).0;
        Self { identity, incarnation, room: room(), token, number: 0, suite: &Noise, drawn: 0 }
    }

    /// The same person, who seals otherwise.
    pub fn sealing(self, suite: &'static dyn Suite) -> Self {
        Self { suite, ..self }
    }

    /// The same person in another room.
    pub fn of(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// The same person, whose sessions are numbered from there.
    pub fn numbered(self, first: u32) -> Self {
        Self { drawn: first, ..self }
    }

    /// How they seal.
    pub fn suite(&self) -> &'static dyn Suite {
        self.suite
    }

    /// Which process they are.
    pub fn id(&self) -> PeerId {
        self.identity.public().process(self.incarnation)
    }

    /// What nodesets know them by.
    pub fn handle(&self) -> Handle {
        Handle::of(self.token)
    }

    /// A beacon of theirs.
    ///
    /// # Panics
    ///
    /// When the name is not one.
    pub fn signed(&self, text: &str, n: u32, addrs: Vec<SocketAddr>) -> Signed {
        let (key, incarnation) = (self.identity.public(), self.incarnation);
        let (name, handle) = (name(text), self.handle());
        let mut beacon = Beacon {
            id: self.id(),
            key,
            handle,
            incarnation,
            n,
            left: false,
            once: false,
            name,
            addrs,
        };
        beacon.fit();
        Signed::new(self.suite, &self.identity, &self.room, beacon)
    }

    /// The last beacon: it says that they have left.
    pub fn farewell(&self) -> Signed {
        let mut beacon = self.signed("whoever", 9, Vec::new()).beacon;
        beacon.left = true;
        Signed::new(self.suite, &self.identity, &self.room, beacon)
    }

    /// What they give a nodeset of themselves.
    pub fn sealed(&self, name: &str, addrs: Vec<SocketAddr>) -> (Handle, Sealed) {
        let sealed = self.signed(name, 0, addrs).seal(self.suite, &self.room);
        (self.handle(), sealed)
    }

    fn entropy(&mut self) -> [u8; 32] {
        self.drawn = self.drawn.wrapping_add(1);
        let incarnation = self.incarnation.to_be_bytes();
        hash(b"insider", &[&self.identity.public().0, &incarnation, &self.drawn.to_be_bytes()])
    }

    /// A first message to a process.
    ///
    /// # Panics
    ///
    /// When that key is a weak one.
    pub fn init(&mut self, (key, incarnation): (PublicKey, u64)) -> (Vec<u8>, Pending) {
        let entropy = self.entropy();
        self.number = self.number.wrapping_add(1);
        let mut payload = self.identity.public().0.to_vec();
        payload.extend_from_slice(&self.incarnation.to_be_bytes());
        payload.extend_from_slice(&incarnation.to_be_bytes());
        payload.extend_from_slice(&self.number.to_be_bytes());
        debug_assert_eq!(payload.len(), PAYLOAD);
        let index = self.drawn;
        let mut bytes = vec![kind::INIT];
        bytes.extend_from_slice(&index.to_be_bytes());
        let hand = Hand { identity: &self.identity, psk: self.room.psk(), entropy };
        let image = self.suite.image(key).expect("a key");
        let state = self.suite.initiate(&hand, &image, &payload, &mut bytes).expect("a key");
        let own = hash(self.room.mac_key(), &[&key.0, &incarnation.to_be_bytes()]);
        bytes.extend_from_slice(&mac(&own, &[&bytes]));
        bytes.extend_from_slice(&[0; MAC]);
        assert_eq!(bytes.len(), INIT);
        (bytes, Pending { state, with: (key, incarnation), index })
    }

    /// The answer to a first message, and the session it leads to.
    pub fn answer(&mut self, init: &[u8]) -> Option<(Vec<u8>, Session)> {
        if init.len() != INIT || init[0] != kind::INIT {
            return None;
        }
        let entropy = self.entropy();
        let ours = self.drawn;
        let hand = Hand { identity: &self.identity, psk: self.room.psk(), entropy };
        let mut payload = Vec::new();
        let first = &init[5..5 + FIRST + PAYLOAD];
        let responding = self.suite.respond(&hand, first, &mut payload)?;
        let theirs = index_at(init, 1)?;
        let (key, rest) = payload.split_first_chunk::<32>()?;
        let with = (PublicKey(*key), u64::from_be_bytes(*rest.first_chunk()?));
        let mut bytes = vec![kind::RESP];
        bytes.extend_from_slice(&ours.to_be_bytes());
        bytes.extend_from_slice(&theirs.to_be_bytes());
        let transport = responding.finish(&mut bytes)?;
        let end = mac(self.room.mac_key(), &[&bytes]);
        bytes.extend_from_slice(&end);
        Some((bytes, Session { transport, with, ours, theirs, counter: 0 }))
    }
}

impl Pending {
    /// The session that a second message leads to.
    pub fn finish(&mut self, resp: &[u8]) -> Option<Session> {
        if resp.len() != RESP || resp[0] != kind::RESP || index_at(resp, 5)? != self.index {
            return None;
        }
        let transport = self.state.finish(&resp[9..RESP - MAC])?;
        let theirs = index_at(resp, 1)?;
        Some(Session { transport, with: self.with, ours: self.index, theirs, counter: 0 })
    }
}

/// A first message once more, with the cookie that was asked for. `None` when that is no cookie.
pub fn with_cookie(init: &[u8], cookie: &[u8]) -> Option<Vec<u8>> {
    if init.len() != INIT || cookie.len() != COOKIE || cookie[0] != kind::COOKIE {
        return None;
    }
    let mut bytes = init[..INIT - MAC].to_vec();
    let shown = mac(&cookie[5..5 + MAC], &[&bytes]);
    bytes.extend_from_slice(&shown);
    Some(bytes)
}

impl Session {
    /// A sealed datagram with these packets.
    pub fn seal(&mut self, stamp: u32, packets: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        self.seal_echoing(stamp, 0, packets)
    }

    /// The same, in answer to a datagram with the stamp `echo`.
    pub fn seal_echoing(
        &mut self,
        stamp: u32,
        echo: u32,
        packets: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<u8> {
        let mut text = Vec::new();
        put_inner_header(&mut text, stamp, echo);
        packets(&mut text);
        text.resize(text.len().next_multiple_of(PADDING), 0);
        let mut bytes = vec![kind::DATA];
        bytes.extend_from_slice(&self.theirs.to_be_bytes());
        bytes.extend_from_slice(&self.counter.to_be_bytes());
        bytes.resize(SEALED_HEADER + text.len() + TAG, 0);
        self.transport.seal(self.counter, &text, &mut bytes[SEALED_HEADER..]);
        self.counter += 1;
        bytes
    }

    /// What a sealed datagram of the other side says.
    pub fn open(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (header, sealed) = bytes.split_first_chunk::<SEALED_HEADER>()?;
        let counter = u64::from_be_bytes(*header.last_chunk()?);
        let mut text = vec![0; sealed.len()];
        let len = self.transport.open(counter, sealed, &mut text)?;
        text.truncate(len);
        Some(text)
    }
}

/// The index of ours that a sealed datagram, or a second message, is for.
pub fn index_of(bytes: &[u8]) -> Option<u32> {
    match bytes.first() {
        Some(&kind::DATA | &kind::COOKIE) => index_at(bytes, 1),
        Some(&kind::RESP) => index_at(bytes, 5),
        _ => None,
    }
}

fn index_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|index| u32::from_be_bytes(*index))
}
