//! The peer's identity, and members of its room: what they know, and what they do as they should.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::Duration;

use chatrpc::machine::wire::{Listed, Request, put_request};
use chatrpc::machine::{
    Beacon, Handle, Identity, Incarnation, Name, PeerConfig, PeerId, PublicKey, Room, Sealed, Seed,
    Signed,
};
use chatrpc_sim::standin::StandIn;

use super::Town;
use chatrpc_sim::insider::{Insider, Pending, Session, index_of, room, with_cookie};

pub(super) const PEER: SocketAddr = v4(2, 1);
pub(super) const NODESET: SocketAddr = v4(1, 1);

/// Where something comes from: the members first, then others, and the nodeset.
pub(super) const ADDRS: [SocketAddr; 8] = [
    v4(3, 1),
    v4(4, 1),
    v4(5, 1),
    v4(3, 2),
    v4(9, 9),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 1),
    PEER,
    NODESET,
];

pub(super) const INCARNATION: u64 = 1_000;

const NAMES: [&str; 3] = ["bob", "carol", "dave"];

const fn v4(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), port)
}

/// The peer, and the members: keys are costly to make.
static KEYS: LazyLock<[Identity; 4]> =
    LazyLock::new(|| [20, 21, 22, 23].map(|luck| Identity::new(&[luck; 32])));

static ROOM: LazyLock<Room> = LazyLock::new(room);

/// Alice.
pub(super) fn config(drain_ms: u64) -> PeerConfig {
    let (seed, incarnation) = (Seed([20; 32]), Incarnation::at(INCARNATION));
    let (identity, room) = (KEYS[0].clone(), ROOM.clone());
    let mut config = PeerConfig::new(seed, incarnation, identity, room, name("alice"), NODESET);
    (config.suite, config.addrs) = (&StandIn, vec![PEER]);
    config.drain = Duration::from_millis(drain_ms);
    config
}

fn peer() -> (PublicKey, u64) {
    (KEYS[0].public(), INCARNATION)
}

pub(super) fn peer_id() -> PeerId {
    let (key, incarnation) = peer();
    key.process(incarnation)
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// What was asked, as far as answering it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Who,
    Register,
    /// A piece, at that position.
    Say(u64),
    Other,
}

impl Question {
    pub(super) const fn of(request: &Request<'_>) -> Self {
        match request {
            Request::Who { .. } => Self::Who,
            Request::Register { .. } => Self::Register,
            Request::Say { position, .. } => Self::Say(*position),
            _ => Self::Other,
        }
    }
}

/// Somebody who knows the room's secret.
pub(super) struct Member {
    pub(super) insider: Insider,
    pub(super) name: &'static str,
    pub(super) addr: SocketAddr,
    /// The nodeset lists them, when it is honest, and like this.
    pub(super) listed: bool,
    pub(super) entry: Listed,
    /// A nodeset has listed them.
    pub(super) introduced: bool,
    /// The addresses that they ever named as theirs.
    pub(super) addrs: BTreeSet<SocketAddr>,
    /// The newest sessions, the last one last.
    pub(super) sessions: Vec<Session>,
    pending: Option<Pending>,
    /// Their newest first message.
    init: Vec<u8>,
    /// What the peer has asked.
    pub(super) asked: VecDeque<(u32, Question)>,
    /// How much they have asked, and said.
    pub(super) seq: u32,
    pub(super) position: u64,
    pub(super) stream: u32,
}

impl Member {
    pub(super) fn new(at: usize) -> Self {
        let insider = Insider::with(KEYS[1 + at].clone(), 2_000 + at as u64)
            .of(ROOM.clone())
            .sealing(&StandIn);
        let (name, addr) = (NAMES[at], ADDRS[at]);
        Self {
            entry: entry(&insider, name, addr),
            insider,
            name,
            addr,
            listed: true,
            introduced: false,
            addrs: BTreeSet::from([addr]),
            sessions: Vec::new(),
            pending: None,
            init: Vec::new(),
            asked: VecDeque::new(),
            seq: 0,
            position: 0,
            stream: 9,
        }
    }

    /// The same person in another process.
    pub(super) fn restart(&mut self) {
        self.insider.incarnation += 1;
        self.insider.token += 1;
        self.entry = entry(&self.insider, self.name, self.addr);
        self.sessions.clear();
        self.pending = None;
        self.asked.clear();
    }

    /// A beacon they sign.
    pub(super) fn signed(&self, name: &str, n: u32, left: bool, addrs: Vec<SocketAddr>) -> Signed {
        let signed = self.insider.signed(name, n, addrs);
        if !left {
            return signed;
        }
        let beacon = Beacon { left, ..signed.beacon };
        Signed::new(&StandIn, &self.insider.identity, &self.insider.room, beacon)
    }

    pub(super) fn seal_beacon(&self, signed: &Signed) -> Sealed {
        signed.seal(&StandIn, &self.insider.room)
    }

    pub(super) fn init(&mut self) -> Vec<u8> {
        let (bytes, pending) = self.insider.init(peer());
        self.pending = Some(pending);
        self.init.clone_from(&bytes);
        bytes
    }

    /// The peer wants to see a cookie: the first message once more.
    pub(super) fn take_cookie(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let ours = self.pending.as_ref()?.index == index_of(bytes)?;
        with_cookie(&self.init, bytes).filter(|_| ours)
    }

    /// A first message of a process nobody has heard of.
    pub(super) fn stranger(&self, n: u64) -> Vec<u8> {
        let key = self.insider.identity.clone();
        let mut other = Insider::with(key, 1_000_000 + n).of(ROOM.clone()).sealing(&StandIn);
        other.init(peer()).0
    }

    pub(super) fn take_init(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (resp, session) = self.insider.answer(bytes)?;
        self.add(session);
        Some(resp)
    }

    /// The peer has answered: the session is confirmed with a datagram.
    pub(super) fn take_resp(&mut self, now: u64, bytes: &[u8]) -> Option<Vec<u8>> {
        let session = self.pending.as_mut()?.finish(bytes)?;
        self.pending = None;
        self.add(session);
        self.seal(now, 0, &[])
    }

    fn add(&mut self, session: Session) {
        self.sessions.push(session);
        if self.sessions.len() > 3 {
            self.sessions.remove(0);
        }
    }

    /// Seals packets under the newest session, in answer to a datagram with that stamp, or to none.
    pub(super) fn seal(&mut self, now: u64, echo: u32, packets: &[u8]) -> Option<Vec<u8>> {
        let session = self.sessions.last_mut()?;
        Some(session.seal_echoing(now as u32, echo, |out| out.extend_from_slice(packets)))
    }

    pub(super) fn open(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.sessions.iter().rev().find_map(|session| session.open(bytes))
    }

    pub(super) fn note(&mut self, seq: u32, request: &Request<'_>) {
        self.asked.push_back((seq, Question::of(request)));
        if self.asked.len() > 16 {
            self.asked.pop_front();
        }
    }

    /// The hello that opens their stream; nothing without a session.
    pub(super) fn hello(&mut self, now: u64) -> Vec<u8> {
        let beacon = self.signed(self.name, 0, false, vec![self.addr]);
        let (stream, start, given_up) = (self.stream, self.position, 0);
        self.seq += 1;
        let mut packets = Vec::new();
        put_request(
            &mut packets,
            self.seq,
            &Request::Hello { stream, start, given_up, entries: 1, beacon },
        );
        self.seal(now, 0, &packets).unwrap_or_default()
    }
}

/// How an honest nodeset lists somebody.
fn entry(insider: &Insider, name: &str, addr: SocketAddr) -> Listed {
    let sealed = insider.signed(name, 0, vec![addr]).seal(&StandIn, &insider.room);
    Listed { handle: Handle::of(insider.token), seen: addr, sealed }
}

impl Town {
    /// A nodeset lists somebody: the peer may look for them where they say they are.
    pub(super) fn introduce(&mut self, who: usize) {
        let member = &mut self.members[who];
        member.introduced = true;
        member.addrs.iter().for_each(|&addr| self.oracle.named(addr));
    }

    /// Who is in the room, as an honest nodeset has it.
    pub(super) fn roster(&self) -> Vec<Listed> {
        let listed = self.members.iter().filter(|member| member.listed);
        listed.map(|member| member.entry.clone()).collect()
    }
}
