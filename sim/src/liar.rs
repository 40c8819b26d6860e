//! A malicious member: it knows the room's secret, and beyond that it keeps no promise.
//!
//! It is a member well enough to be shown: it holds a lease, shakes hands, says hello, answers hellos
//! and pings. What it does besides is its [`Trick`]s. It goes by one face at first, and may invent
//! others; each is announced to its owner, so that nothing is believed of them. A datagram in another
//! one's name is wrapped by [`spoof`].

mod tricks;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use chatrpc::machine::suite::Suite;
use chatrpc::machine::wire::{
    ANYBODY, Asked, Change, Cookie, Datagram, Listed, POSITION_MAX, Packet, Request, Response,
    kind, put_header, put_request, put_response,
};
use chatrpc::machine::{
    Action, Blame, Identity, Input, Machine, PeerId, PublicKey, Room, Sealed, Table, Time, Wake,
};

pub use self::tricks::{TRICKS, Trick, Tricks};
use crate::clock::SECOND;
use crate::insider::{Insider, Pending, Session, index_of, with_cookie};
use crate::outgoing::Outgoing;

/// How often it thinks of something.
const TURN_US: u64 = SECOND / 4;
/// How often it renews its lease, pings, and looks for sessions that grow old.
const RENEW_US: u64 = 15 * SECOND;
/// A session is replaced at this age.
const OLD_US: u64 = 100 * SECOND;
/// Somebody who was not heard for so long is left alone.
const DEAF_US: u64 = 90 * SECOND;
/// How often it asks a nodeset again at once between two renewals.
const AGAIN: u32 = 32;
/// How many datagrams it keeps, to send them on.
const RECORDED_MAX: usize = 64;

/// What an attacker is made from.
#[derive(Clone, Debug)]
pub struct LiarConfig {
    /// Every choice follows from it.
    pub seed: u64,
    /// When the process started.
    pub incarnation: u64,
    /// Who it is.
    pub identity: Identity,
    /// How things are sealed.
    pub suite: &'static dyn Suite,
    /// The room.
    pub room: Room,
    /// The nodeset.
    pub nodeset: SocketAddr,
    /// Its own address.
    pub own: SocketAddr,
    /// Where others may be.
    pub others: Vec<SocketAddr>,
    /// Addresses of those who take no part.
    pub third: [SocketAddr; 2],
}

/// How much it sends of its own accord: so many datagrams at once, and in a second from then on.
#[derive(Clone, Copy, Debug)]
pub struct Zeal {
    /// At once.
    pub burst: u64,
    /// In a second.
    pub per_second: u64,
}

/// What a spoofed datagram begins with: no datagram of the protocol does.
const SPOOFED: u8 = 0xff;

/// A datagram that is to arrive from that address.
pub fn spoof(from: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut spoofed = vec![SPOOFED];
    let ip = match from.ip() {
        IpAddr::V4(ip) => ip.octets(),
        IpAddr::V6(_) => [0; 4],
    };
    spoofed.extend_from_slice(&ip);
    spoofed.extend_from_slice(&from.port().to_be_bytes());
    spoofed.extend_from_slice(bytes);
    spoofed
}

/// Takes a spoofed datagram apart.
pub(crate) fn spoofed(bytes: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (&[first, a, b, c, d, high, low], rest) = bytes.split_first_chunk::<7>()?;
    let ip = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    let port = u16::from_be_bytes([high, low]);
    (first == SPOOFED).then(|| (SocketAddr::new(ip, port), rest))
}

/// A malicious member.
#[derive(Debug)]
pub struct Liar {
    config: LiarConfig,
    tricks: Tricks,
    zeal: Zeal,
    now: Time,
    /// The first is the one it lives under.
    faces: Vec<Face>,
    /// Faces it ever had: the sessions of each are numbered apart.
    made: u32,
    /// People it knows of.
    contacts: BTreeMap<PeerId, Contact>,
    /// Its sessions, by its index.
    talks: BTreeMap<u32, Talk>,
    /// Its handshakes under way, by its index.
    pending: BTreeMap<u32, Opening>,
    recorded: VecDeque<Vec<u8>>,
    cookie: Cookie,
    have: u64,
    /// How often it may still ask the nodeset again at once: that one may be an attacker's as well.
    again: u32,
    seq: u32,
    renew_at: u64,
    turn_at: u64,
    turns: u64,
    /// How often something was said to it.
    asked_often: u64,
    /// Datagrams it may still send of its own accord, in millionths.
    credit: u64,
    /// Responses to what it is asked, collected while a datagram is handled.
    replies: Vec<u8>,
    out: Outgoing,
}

/// Somebody it claims to be.
#[derive(Debug)]
struct Face {
    insider: Insider,
    name: String,
    n: u32,
    addrs: Vec<SocketAddr>,
}

/// Somebody it knows of.
#[derive(Debug)]
struct Contact {
    process: (PublicKey, u64),
    name: String,
    addr: SocketAddr,
    heard: u64,
}

#[derive(Debug)]
struct Talk {
    session: Session,
    with: PeerId,
    face: usize,
    born: u64,
    /// The other side has confirmed that it has the session: before that, nothing is sent.
    confirmed: bool,
    /// The stream it says things on; 0 before it has said hello.
    stream: u32,
    position: u64,
    number: u64,
    /// The position it confirms next.
    next: u64,
    /// The stamp of the newest datagram.
    echo: u32,
}

#[derive(Debug)]
struct Opening {
    state: Pending,
    init: Vec<u8>,
    with: PeerId,
    face: usize,
}

impl Liar {
    /// A member that plays those tricks.
    pub fn new(config: LiarConfig, tricks: Tricks, zeal: Zeal) -> Self {
        let mut liar = Self {
            tricks,
            zeal,
            now: Time::ZERO,
            faces: Vec::new(),
            made: 0,
            contacts: BTreeMap::new(),
            talks: BTreeMap::new(),
            pending: BTreeMap::new(),
            recorded: VecDeque::new(),
            cookie: [0; 8],
            have: 0,
            again: 0,
            seq: config.seed as u32,
            renew_at: 0,
            turn_at: 0,
            turns: 0,
            asked_often: 0,
            credit: zeal.burst * SECOND,
            replies: Vec::new(),
            out: Outgoing::default(),
            config,
        };
        let (identity, incarnation) = (liar.config.identity.clone(), liar.config.incarnation);
        liar.face(identity, incarnation, "mala", vec![liar.config.own]);
        liar
    }

    /// Takes on another face; returns which.
    fn face(
        &mut self,
        identity: Identity,
        incarnation: u64,
        name: &str,
        addrs: Vec<SocketAddr>,
    ) -> usize {
        let insider = Insider::with(identity, incarnation).sealing(self.config.suite);
        let insider = insider.of(self.config.room.clone()).numbered(self.made << 16);
        self.made += 1;
        self.faces.push(Face { insider, name: name.to_owned(), n: 0, addrs });
        let face = self.faces.len() - 1;
        self.unmask(face);
        face
    }

    /// Tells its owner whom it claims to be.
    fn unmask(&mut self, face: usize) {
        let Face { insider, name, .. } = &self.faces[face];
        self.out.unmask(insider, name);
    }

    const fn us(&self) -> u64 {
        self.now.as_micros()
    }

    const fn stamp(&self) -> u32 {
        let stamp = self.now.as_micros() as u32;
        if stamp == 0 { 1 } else { stamp }
    }

    fn seq(&mut self) -> u32 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }

    fn send(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        self.out.send(to, bytes);
    }

    fn datagram(&mut self, from: SocketAddr, bytes: &[u8]) {
        match bytes.first() {
            Some(&kind::CLEAR) if from == self.config.nodeset => return self.of_nodeset(bytes),
            Some(&kind::CLEAR) | None => return,
            _ => {}
        }
        if self.recorded.len() == RECORDED_MAX {
            self.recorded.pop_front();
        }
        self.recorded.push_back(bytes.to_vec());
        match bytes[0] {
            kind::INIT => self.take_init(from, bytes),
            kind::RESP => self.take_resp(from, bytes),
            kind::COOKIE => {
                let opening = index_of(bytes).and_then(|index| self.pending.get(&index));
                let again = opening.and_then(|opening| with_cookie(&opening.init, bytes));
                if let Some(again) = again {
                    self.send(from, again);
                }
            }
            kind::DATA => self.take_data(from, bytes),
            _ => {}
        }
    }

    /// Somebody shakes hands with one of its faces; only the newest are tried.
    fn take_init(&mut self, from: SocketAddr, bytes: &[u8]) {
        let faces = [0].into_iter().chain((1..self.faces.len()).rev().take(3));
        for face in faces {
            if let Some((resp, session)) = self.faces[face].insider.answer(bytes) {
                let (key, incarnation) = session.with;
                let with = key.process(incarnation);
                self.know(with, session.with, from);
                self.begin(session, with, face, false);
                return self.send(from, resp);
            }
        }
    }

    fn take_resp(&mut self, from: SocketAddr, bytes: &[u8]) {
        let Some(index) = index_of(bytes) else { return };
        let Some(mut opening) = self.pending.remove(&index) else { return };
        if let Some(session) = opening.state.finish(bytes) {
            self.know(opening.with, session.with, from);
            self.begin(session, opening.with, opening.face, true);
            self.hello(index);
        }
    }

    fn know(&mut self, id: PeerId, process: (PublicKey, u64), addr: SocketAddr) {
        let heard = self.us();
        let contact = self.contacts.entry(id).or_insert(Contact {
            process,
            name: String::new(),
            addr,
            heard,
        });
        (contact.addr, contact.heard) = (addr, heard);
    }

    fn begin(&mut self, session: Session, with: PeerId, face: usize, confirmed: bool) {
        let index = session.ours;
        let born = self.us();
        self.talks.retain(|_, talk| born - talk.born < 2 * OLD_US);
        let before = self.talks.values().filter(|talk| (talk.with, talk.face) == (with, face));
        let before = before.max_by_key(|talk| talk.born);
        let before = before.map(|talk| (talk.stream, talk.position, talk.number, talk.next));
        let (stream, position, number, next) = before.unwrap_or_default();
        let echo = 0;
        let talk =
            Talk { session, with, face, born, confirmed, stream, position, number, next, echo };
        self.talks.insert(index, talk);
    }

    fn take_data(&mut self, from: SocketAddr, bytes: &[u8]) {
        let Some(index) = index_of(bytes) else { return };
        let (now, Some(talk)) = (self.us(), self.talks.get_mut(&index)) else { return };
        let Some(text) = talk.session.open(bytes) else { return };
        let Ok(datagram) = Datagram::decode_sealed(talk.with, &text) else { return };
        (talk.echo, talk.confirmed) = (datagram.stamp, true);
        if let Some(contact) = self.contacts.get_mut(&talk.with) {
            (contact.addr, contact.heard) = (from, now);
        }
        for packet in datagram.packets() {
            if let Packet::Request { seq, request } = packet {
                self.asked(index, seq, &request);
            }
        }
        let replies = core::mem::take(&mut self.replies);
        if !replies.is_empty() {
            self.say(index, |out| out.extend_from_slice(&replies));
        }
        self.replies = replies;
        self.replies.clear();
    }

    /// Somebody asks something: what any member would answer, but for tricks.
    fn asked(&mut self, index: u32, seq: u32, request: &Request<'_>) {
        let answer = match request {
            Request::Hello { start, beacon, .. } => {
                let name = beacon.beacon.name.to_string();
                let Some(talk) = self.talks.get_mut(&index) else { return };
                talk.next = talk.next.max(*start);
                if let Some(contact) = self.contacts.get_mut(&talk.with) {
                    contact.name = name;
                }
                if self.talks[&index].stream == 0 {
                    self.hello(index);
                }
                Some(Response::Ok)
            }
            Request::Say { position, .. } => self.told(index, *position),
            Request::Ping { .. } | Request::Bye { .. } => Some(request.done()),
            _ => None,
        };
        if let Some(answer) = answer {
            put_response(&mut self.replies, seq, &answer);
        }
    }

    /// Sends packets on a session, to where its other end was heard last.
    fn say(&mut self, index: u32, packets: impl FnOnce(&mut Vec<u8>)) {
        if let Some((to, bytes)) = self.sealed(index, packets) {
            self.send(to, bytes);
        }
    }

    fn sealed(
        &mut self,
        index: u32,
        packets: impl FnOnce(&mut Vec<u8>),
    ) -> Option<(SocketAddr, Vec<u8>)> {
        let stamp = self.stamp();
        let talk = self.talks.get_mut(&index)?;
        let addr = self.contacts.get(&talk.with)?.addr;
        Some((addr, talk.session.seal_echoing(stamp, talk.echo, packets)))
    }

    /// Says hello, as the face of that session.
    fn hello(&mut self, index: u32) {
        let seq = self.seq();
        let Some(talk) = self.talks.get_mut(&index) else { return };
        if talk.stream == 0 {
            talk.stream = seq | 1;
        }
        let (stream, start) = (talk.stream, talk.position.min(POSITION_MAX));
        let face = &self.faces[talk.face];
        let beacon = face.insider.signed(&face.name, face.n, face.addrs.clone());
        let hello = Request::Hello { stream, start, given_up: 0, entries: 1, beacon };
        self.say(index, |out| put_request(out, seq, &hello));
    }

    /// Shakes hands with somebody, as that face.
    fn shake(&mut self, face: usize, with: PeerId) {
        let Some(contact) = self.contacts.get(&with) else { return };
        let (process, addr) = (contact.process, contact.addr);
        let (init, state) = self.faces[face].insider.init(process);
        if self.pending.len() > RECORDED_MAX {
            self.pending.pop_first();
        }
        self.pending.insert(state.index, Opening { state, init: init.clone(), with, face });
        self.send(addr, init);
    }

    /// Its newest session with somebody, as that face.
    fn talk_with(&self, face: usize, with: PeerId) -> Option<u32> {
        let talks = self.talks.iter().filter(|(_, t)| (t.face, t.with) == (face, with));
        let talks = talks.filter(|(_, talk)| talk.confirmed);
        talks.max_by_key(|(_, talk)| talk.born).map(|(&index, _)| index)
    }

    /// Asks the nodeset for a lease of that face, and for who is here.
    fn register(&mut self, face: usize) {
        let (seq, stamp) = (self.seq(), self.stamp());
        let Face { insider, name, n, addrs } = &self.faces[face];
        let beacon = insider.signed(name, *n, addrs.clone());
        let sealed: Sealed = beacon.seal(insider.suite(), &insider.room);
        let (cookie, tag, have) = (self.cookie, insider.room.tag(), self.have);
        let request = Request::Register {
            cookie,
            tag,
            have,
            most: 1200,
            token: insider.token,
            n: *n,
            sealed,
        };
        let mut bytes = Vec::new();
        put_header(&mut bytes, insider.incarnation, ANYBODY, stamp, 0);
        put_request(&mut bytes, seq, &request);
        self.send(self.config.nodeset, bytes);
    }

    fn register_again(&mut self) {
        if self.again > 0 {
            self.again -= 1;
            self.register(0);
        }
    }

    fn of_nodeset(&mut self, bytes: &[u8]) {
        let Ok(datagram) = Datagram::decode(bytes) else { return };
        let mut replies = Vec::new();
        for packet in datagram.packets() {
            match packet {
                Packet::Request { seq, request } => {
                    put_response(&mut replies, seq, &Response::Ok);
                    if let Request::AddMember { members, .. } = request {
                        members.iter().for_each(|listed| self.listed(listed));
                    }
                }
                Packet::Response { payload, .. } => {
                    match Response::decode(Asked::Register, payload) {
                        Ok(Response::Cookie(cookie)) if cookie != self.cookie => {
                            self.cookie = cookie;
                            self.register_again();
                        }
                        Ok(Response::Lease { page, .. }) => {
                            for change in &page.changes {
                                if let Change::Present(listed) = change {
                                    self.listed(listed);
                                }
                            }
                            if page.reached < page.current && page.reached > self.have {
                                self.have = page.reached;
                                self.register_again();
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        if !replies.is_empty() {
            let mut bytes = Vec::new();
            let incarnation = self.faces[0].insider.incarnation;
            put_header(
                &mut bytes,
                incarnation,
                datagram.sender.incarnation(),
                self.stamp(),
                datagram.stamp,
            );
            bytes.extend_from_slice(&replies);
            self.send(self.config.nodeset, bytes);
        }
    }

    /// The nodeset lists somebody: the seal is no secret to a member.
    fn listed(&mut self, listed: &Listed) {
        let Some(signed) = listed.sealed.open(self.config.suite, &self.config.room) else { return };
        let beacon = signed.beacon;
        let ours = self.faces.iter().any(|face| face.insider.id() == beacon.id);
        if ours || self.contacts.contains_key(&beacon.id) {
            return;
        }
        self.know(beacon.id, (beacon.key, beacon.incarnation), listed.seen);
        if let Some(contact) = self.contacts.get_mut(&beacon.id) {
            contact.name = beacon.name.to_string();
        }
        self.shake(0, beacon.id);
    }

    /// What keeps a member in a room.
    fn upkeep(&mut self) {
        let now = self.us();
        self.again = AGAIN;
        self.register(0);
        self.contacts.retain(|_, contact| now - contact.heard < DEAF_US);
        let people: Vec<PeerId> = self.contacts.keys().copied().collect();
        for with in people {
            let talk = self.talk_with(0, with);
            match talk.filter(|index| now - self.talks[index].born < OLD_US) {
                Some(index) => {
                    let seq = self.seq();
                    self.say(index, |out| put_request(out, seq, &Request::PING));
                }
                None => self.shake(0, with),
            }
        }
    }

    fn tick(&mut self) {
        let now = self.us();
        if self.renew_at <= now {
            self.renew_at = now + RENEW_US;
            self.upkeep();
        }
        if self.turn_at <= now {
            self.turns += 1;
            self.turn_at = now + TURN_US;
            let due = self.zeal.per_second * TURN_US;
            self.credit = (self.credit + due).min(self.zeal.burst * SECOND);
            self.turn();
        }
    }
}

impl Machine for Liar {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        self.now = now;
        if let Input::Datagram { from, bytes, .. } = input {
            self.datagram(from, bytes);
        }
        self.tick();
    }

    fn poll(&mut self) -> Option<Action<'_>> {
        self.out.poll()
    }

    fn next_wake(&self) -> Option<Wake> {
        Some(Wake { at: Time::from_micros(self.turn_at.min(self.renew_at)), why: "mischief" })
    }

    fn footprint(&self) -> Vec<Table> {
        Vec::new()
    }

    fn blame(&self) -> Blame {
        Blame::default()
    }

    fn digest(&self) -> u64 {
        self.turns
    }

    fn check(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoofed_datagram_says_where_it_claims_to_come_from() {
        let from: SocketAddr = ([10, 1, 2, 3], 4000).into();
        let wrapped = spoof(from, &[4, 5, 6]);
        assert_eq!(spoofed(&wrapped), Some((from, &[4, 5, 6][..])));
        assert_eq!(spoofed(&[kind::DATA; 40]), None);
        assert_eq!(spoofed(&[SPOOFED]), None);
    }
}
