//! Calls: requests, replies, retries, at most once (docs/PROTOCOL.md, "Calls").
//!
//! A *link* is one path to one process: an address and the incarnation behind it. A request is sent
//! up to five times with growing, jittered delays that follow the measured round trip; then its call
//! fails and whoever made it is told. A repeated request is answered from a bounded cache and never
//! executed twice. While a path loses more than 2 % of its calls, every new datagram carries all
//! unanswered small requests again: loss is beaten with bytes, not with datagrams or waiting.
//!
//! Between peers everything is sealed: such a link belongs to a process with which there is, or will
//! be, a session ([`Sessions`]). What cannot be sealed yet waits on its link, and the handshake is
//! begun by whatever wants to be sent, again with every re-send.
//!
//! This file knows nothing of what the calls are about: the machine above says so with each call, in a
//! value of its own, and gets that back with the answer, or with the failure.

mod arrival;
mod link;
mod near;
mod outcome;
mod packing;
mod quality;
mod relays;
mod replies;
mod turn;
mod unproven;

use std::collections::{BTreeMap, VecDeque};

use core::hash::{Hash, Hasher};
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;

pub(crate) use self::arrival::{Arrival, Part, Parts, Refused};
use self::link::Link;
pub(crate) use self::link::Source;
use self::replies::{Replies, Seen};
use self::unproven::{REMEMBERED_MAX, Unproven};
use crate::machine::contract::{Blame, Table};
use crate::machine::mtu::Mtu;
use crate::machine::pace::{Pace, Rate};
use crate::machine::path::Path;
use crate::machine::purpose::{ALink, About, LinkKey};
use crate::machine::relayed::{Relayed, is_relayed};
use crate::machine::rng::Rng;
use crate::machine::session::{RemoteKey, Sessions};
use crate::machine::slots::{Key, Slots};
use crate::machine::time::Time;
use crate::machine::timer::Timers;
use crate::machine::who::beacon::Beacon;
use crate::machine::who::ids::PeerId;
use crate::machine::who::room::Room;
use crate::machine::wire::{self, PACKET_HEADER, Request, Response, Sender};

/// Calls that may be open on one link, and replies that are remembered for it. A request older than
/// this many newer ones is refused: its reply may have been forgotten, and to execute it again would
/// break the promise.
pub(crate) const WINDOW: usize = 64;

/// Requests up to this many bytes ride along; larger ones wait for their timer.
const RIDE_MAX: usize = 400;

/// From this send on a request goes in a small datagram, and asks for a small page: a large one may be what
/// was lost.
const SMALL_FROM: u8 = 4;

/// Bytes that may be sent to an address that has not answered yet, per byte received from it.
const AMPLIFICATION: usize = 3;

/// Which open call.
pub(crate) type CallKey = Key<OpenCall>;

/// What keys of open calls are keys of, whatever the calls are about.
#[derive(Debug)]
pub(crate) enum OpenCall {}

#[derive(Debug)]
pub(crate) struct Calls<T> {
    incarnation: u64,
    links_max: usize,
    /// Datagrams that name no receiver are for us: we are a nodeset.
    takes_anybody: bool,
    /// Who speaks under a seal; `None` for a machine that only deals with nodesets.
    sessions: Option<Box<Sessions>>,
    /// What is asked about by who only asks.
    room: Option<Room>,
    /// The datagram in hand: where it came from, and to which address of ours.
    heard: Option<(SocketAddr, IpAddr)>,
    links: Slots<Link, ALink>,
    /// Links by address and process.
    by_peer: BTreeMap<(SocketAddr, Sender), LinkKey>,
    /// How the requests to each process are numbered, by id and incarnation.
    numbering: BTreeMap<(PeerId, u64), Numbering>,
    pending: Slots<Pending<T>, OpenCall>,
    timers: Timers,
    /// When it is the turn of a link whose requests wait.
    turns: Timers,
    /// How many paths have their delay up.
    congested: u32,
    /// How many of a million calls that were answered were late, lately, over all links.
    late_ppm: u32,
    /// What those who are silent have used up.
    silent: Pace,
    /// When somebody was back last after a long silence.
    healed: Option<Time>,
    dirty: Vec<LinkKey>,
    spare: Vec<Vec<u8>>,
    /// Answers that need no link.
    strays: Vec<u8>,
    rng: Rng,
    /// Where a new numbering begins: behind every earlier one. A process that still knows us must
    /// not take new requests for repeated ones.
    next_seq: u32,
    /// First messages to where nobody has answered.
    unproven: Unproven,
    pub(crate) blame: Blame,
}

/// A process numbers all it asks of another one in one sequence, over whatever links: it may have
/// several addresses, and sees all of ours as one.
#[derive(Debug, Hash)]
struct Numbering {
    next: u32,
    links: usize,
}

#[derive(Debug)]
struct Pending<T> {
    about: T,
    link: LinkKey,
    /// The whole packet.
    bytes: Vec<u8>,
    /// The answer is a page: no two such requests share a datagram.
    draws_page: bool,
    /// It was said, and no other call was made for a while before.
    lonely: bool,
    /// It has not left: it waits for the turn of its link.
    held: bool,
    sends: u8,
    /// The datagram it was last sent in, by number; `None` while it has not left since it was due.
    flight: Option<u32>,
    /// Bytes of packets in that datagram, or in the one that it rode along in since.
    beside: usize,
    /// When it was last sent, or rode along.
    sent: Time,
    /// When the next send is due.
    due: Time,
    /// An answer after this instant means that something was lost; `None` once that is known.
    late: Option<Time>,
}

/// The bytes follow from what it is about.
impl<T: Hash> Hash for Pending<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { about, link, bytes, draws_page, lonely, held, sends, .. } = self;
        let Self { flight, beside, sent, due, late, .. } = self;
        (about, link, bytes.len(), draws_page, lonely, held, sends).hash(state);
        (flight, beside, sent, due, late).hash(state);
    }
}

/// What happened to a request that came in over a link.
pub(crate) enum Admission {
    /// Never seen: execute it and [`Calls::reply`].
    New,
    /// Seen: it was answered again, or is refused as too old. Nothing is to be done.
    Over,
}

/// What was refused is counted for people, and what is kept for reuse says nothing.
impl<T: Hash> Hash for Calls<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { incarnation, sessions, links, by_peer, numbering, pending, .. } = self;
        let Self { timers, turns, congested, silent, healed, dirty, strays, .. } = self;
        let Self { rng, next_seq, unproven, late_ppm, .. } = self;
        (incarnation, sessions, links, by_peer, numbering, pending).hash(state);
        (timers, turns, congested, silent, healed, dirty, strays).hash(state);
        (rng, next_seq, unproven, late_ppm).hash(state);
    }
}

impl<T: About> Calls<T> {
    pub(crate) fn new(incarnation: u64, links_max: usize, mut rng: Rng) -> Self {
        let next_seq = rng.next_u32();
        Self {
            incarnation,
            links_max,
            takes_anybody: false,
            sessions: None,
            room: None,
            heard: None,
            links: Slots::default(),
            by_peer: BTreeMap::new(),
            numbering: BTreeMap::new(),
            pending: Slots::default(),
            timers: Timers::default(),
            turns: Timers::default(),
            congested: 0,
            late_ppm: 0,
            silent: Pace::default(),
            healed: None,
            dirty: Vec::new(),
            spare: Vec::new(),
            strays: Vec::new(),
            rng,
            next_seq,
            unproven: Unproven::default(),
            blame: Blame::default(),
        }
    }

    /// The calls of somebody who speaks with others under a seal.
    pub(crate) fn sealed(incarnation: u64, links_max: usize, rng: Rng, sessions: Sessions) -> Self {
        Self { sessions: Some(Box::new(sessions)), ..Self::new(incarnation, links_max, rng) }
    }

    /// The calls of somebody who only asks about a room.
    pub(crate) fn asking(incarnation: u64, links_max: usize, rng: Rng, room: Room) -> Self {
        Self { room: Some(room), ..Self::new(incarnation, links_max, rng) }
    }

    /// The room that is ours, or that we ask about.
    fn room(&self) -> Option<&Room> {
        self.sessions.as_deref().map(Sessions::room).or(self.room.as_ref())
    }

    /// The calls of a nodeset, which is asked by those who do not know it yet.
    pub(crate) fn of_nodeset(incarnation: u64, links_max: usize, rng: Rng) -> Self {
        Self { takes_anybody: true, ..Self::new(incarnation, links_max, rng) }
    }

    /// The link to a process in the open, opened if there is none; `None` when there are too many.
    pub(crate) fn open(
        &mut self,
        now: Time,
        addr: SocketAddr,
        (id, incarnation): (PeerId, u64),
    ) -> Option<LinkKey> {
        let who = Sender::Open(incarnation);
        let known = self.by_peer.get(&(addr, who)).copied();
        known.or_else(|| self.insert(now, addr, (who, id, incarnation), None, None))
    }

    /// The sealed link to a process, opened if there is none; `None` when there are too many, or the
    /// key is a weak one.
    ///
    /// `credit` is how many bytes may be sent there until it has answered: three times what came from
    /// there; no such limit for an address from somebody we trust to introduce people.
    pub(crate) fn open_sealed(
        &mut self,
        now: Time,
        addr: SocketAddr,
        beacon: &Beacon,
        credit: Option<usize>,
    ) -> Option<LinkKey> {
        let who = Sender::Sealed(beacon.id);
        if let Some(&key) = self.by_peer.get(&(addr, who)) {
            if let Some(link) = self.links.get_mut(key).filter(|_| credit.is_none()) {
                link.credit = None;
            }
            return Some(key);
        }
        let nowhere = is_relayed(addr) && Relayed::of(addr).is_none();
        if self.links.len() >= self.links_max || nowhere {
            self.blame.over_limit += 1;
            return None;
        }
        let Some(remote) = self.sessions.as_mut()?.link(now, beacon) else {
            self.blame.unauthenticated += 1;
            return None;
        };
        let who = (who, beacon.id, beacon.incarnation);
        let key = self.insert(now, addr, who, Some(remote), credit)?;
        let proven = self.sessions.as_ref().and_then(|sessions| sessions.proven_at(remote));
        if let Some(link) = self.links.get_mut(key) {
            link.proven = proven == Some(addr);
        }
        Some(key)
    }

    fn insert(
        &mut self,
        now: Time,
        addr: SocketAddr,
        (who, id, incarnation): (Sender, PeerId, u64),
        remote: Option<RemoteKey>,
        credit: Option<usize>,
    ) -> Option<LinkKey> {
        if self.links.len() >= self.links_max {
            self.blame.over_limit += 1;
            return None;
        }
        let source = Source(self.heard_at(addr));
        let key = self.links.insert(Link {
            addr,
            source,
            who,
            incarnation,
            remote,
            waiting: false,
            theirs: who,
            path: if remote.is_some() { Path::default() } else { Path::to_nodeset() },
            mtu: Mtu::default(),
            proven: false,
            handshakes: Pace::default(),
            credit,
            near: None,
            owed: 0,
            heard: now,
            echo: 0,
            id,
            open: VecDeque::new(),
            requests: Vec::new(),
            called: Time::ZERO,
            flown: 0,
            responses: Vec::new(),
            replies: Replies::default(),
            dirty: false,
            held: false,
            congested: false,
        });
        self.by_peer.insert((addr, who), key);
        let first = Numbering { next: self.next_seq, links: 0 };
        self.numbering.entry((id, incarnation)).or_insert(first).links += 1;
        Some(key)
    }

    /// Forgets a link and every call on it; none of them is reported any more.
    pub(crate) fn close(&mut self, now: Time, key: LinkKey) {
        let Some(link) = self.links.remove(key) else { return };
        self.end_numbering((link.id, link.incarnation));
        self.by_peer.remove(&(link.addr, link.who));
        self.turns.cancel(key.index());
        self.congested -= u32::from(link.congested);
        if let (Some(remote), Some(sessions)) = (link.remote, &mut self.sessions) {
            sessions.unlink(now, remote);
        }
        for &(_, pending) in &link.open {
            self.release(pending);
        }
        if link.dirty {
            self.dirty.retain(|&dirty| dirty != key);
        }
    }

    /// Makes a call and returns its number. `None` when there is no place for one more on the link ([`Calls::may_open`]), or the
    /// request is too large.
    pub(crate) fn request(
        &mut self,
        now: Time,
        key: LinkKey,
        about: T,
        request: &Request<'_>,
    ) -> Option<u32> {
        if self.may_open(key) == 0 {
            return None;
        }
        let link = self.links.get_mut(key)?;
        let numbering = self.numbering.get_mut(&(link.id, link.incarnation))?;
        let seq = numbering.next;
        let mut bytes = self.spare.pop().unwrap_or_default();
        wire::put_request(&mut bytes, seq, request);
        if bytes.len() > link.space() {
            bytes.clear();
            self.spare.push(bytes);
            return None;
        }
        let delay = link.path.delay(now, 1);
        let due = now + self.rng.stretch(delay, 16);
        let late = Some(now + delay);
        let draws_page = request.draws_page();
        let lonely = link.calls(now, delay) && about.is_said();
        let pending = Pending {
            about,
            link: key,
            bytes,
            draws_page,
            lonely,
            held: false,
            sends: 1,
            flight: None,
            beside: 0,
            sent: now,
            due,
            late,
        };
        let pending = self.pending.insert(pending);
        numbering.next = seq.wrapping_add(1);
        link.open.push_back((seq, pending));
        self.timers.set(pending.index(), due);
        self.send(key, pending);
        Some(seq)
    }

    /// Ends a call that another answer has made needless, if it is still open.
    pub(crate) fn finish(&mut self, now: Time, key: LinkKey, seq: u32, about: T) {
        let Some(link) = self.links.get_mut(key) else { return };
        let Some(call) = link.find(seq) else { return };
        let Some(pending) = self.pending.get(call).filter(|pending| pending.about == about) else {
            return;
        };
        if let Some(late) = pending.late {
            link.path.answered(now > late);
        }
        self.end(key, call);
    }

    /// How many more calls the link takes now: the oldest that is open must stay within the window
    /// of the process at the other end.
    pub(crate) fn may_open(&self, key: LinkKey) -> usize {
        let Some(link) = self.links.get(key) else { return 0 };
        let next = self.numbering.get(&(link.id, link.incarnation)).map(|numbering| numbering.next);
        match (link.open.front(), next) {
            (Some(&(oldest, _)), Some(next)) => {
                WINDOW.saturating_sub(next.wrapping_sub(oldest) as usize)
            }
            _ => WINDOW,
        }
    }

    /// Decides whether a request that came over a link is executed. A repeated one is answered here.
    pub(crate) fn admit(&mut self, arrival: &Arrival, key: LinkKey, seq: u32) -> Admission {
        let theirs = |link: &&mut Link| link.theirs == arrival.sender;
        let Some(link) = self.links.get_mut(key).filter(theirs) else {
            self.blame.unauthenticated += 1;
            return Admission::Over;
        };
        match link.replies.look_up(seq) {
            Seen::Never => return Admission::New,
            Seen::TooOld => self.blame.replayed += 1,
            Seen::Unanswered => {}
            Seen::Answered(reply) => {
                put_raw_response(&mut link.responses, seq, reply);
                link.echo = arrival.stamp;
                self.touch(key);
            }
        }
        Admission::Over
    }

    /// Answers a request that was admitted.
    pub(crate) fn reply(&mut self, arrival: &Arrival, key: LinkKey, seq: u32, response: &Response) {
        let Some(link) = self.links.get_mut(key) else { return };
        link.echo = arrival.stamp;
        let start = link.responses.len();
        wire::put_response(&mut link.responses, seq, response);
        link.replies.remember(seq, &link.responses[start + PACKET_HEADER..]);
        self.touch(key);
    }

    /// When the next re-send or failure is due, or a session ends.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        let sessions = self.sessions.as_ref().and_then(|sessions| sessions.next_wake());
        self.timers.next().into_iter().chain(self.turns.next()).chain(sessions).min()
    }

    /// Lets go of the sessions that have ended. To be called before anything else is done.
    pub(crate) fn end_sessions(&mut self, now: Time) {
        if let Some(sessions) = &mut self.sessions {
            sessions.tick(now);
        }
    }

    /// Whether one more beacon that a process signed may be looked at.
    pub(crate) fn may_verify(&mut self, now: Time, id: PeerId, rate: Rate) -> bool {
        self.sessions.as_mut().is_some_and(|sessions| sessions.may_verify(now, id, rate))
    }

    /// Whether the link has not been closed.
    pub(crate) fn is_open(&self, key: LinkKey) -> bool {
        self.links.contains(key)
    }

    /// The address of ours that the datagram in hand was sent to, if it came from there.
    pub(crate) fn heard_at(&self, from: SocketAddr) -> Option<IpAddr> {
        self.heard.filter(|&(other, _)| other == from).map(|(_, at)| at)
    }

    /// The process behind a link sends to that address of ours.
    pub(crate) fn hears_at(&mut self, key: LinkKey, at: Source) {
        if let Some(link) = self.links.get_mut(key).filter(|_| at.0.is_some()) {
            link.source = at;
        }
    }

    pub(crate) fn addr(&self, key: LinkKey) -> Option<SocketAddr> {
        self.links.get(key).map(|link| link.addr)
    }

    /// When the newest datagram of the process came over a link, last; over a closed one, none ever.
    pub(crate) fn heard(&self, key: LinkKey) -> Time {
        self.links.get(key).map_or(Time::ZERO, |link| link.heard)
    }

    /// Calls over a link have failed and nothing was heard since; a closed one is as good as that.
    pub(crate) fn is_silent(&self, key: LinkKey) -> bool {
        self.links.get(key).is_none_or(|link| link.path.is_silent())
    }

    pub(crate) fn footprint(&self) -> Vec<Table> {
        let calls_max = self.links_max * WINDOW;
        let sessions = self.sessions.iter().flat_map(|sessions| sessions.footprint());
        let calls = [
            Table { name: "links", len: self.links.len(), limit: self.links_max },
            Table { name: "open calls", len: self.pending.len(), limit: calls_max },
            Table { name: "call timers", len: self.timers.len(), limit: calls_max },
            Table { name: "unproven addresses", len: self.unproven.len(), limit: REMEMBERED_MAX },
        ];
        calls.into_iter().chain(sessions).collect()
    }

    pub(crate) fn check(&self) {
        self.timers.check();
        self.turns.check();
        let congested = self.links.iter().filter(|(_, link)| link.congested).count();
        assert_eq!(congested, self.congested as usize);
        if let Some(sessions) = &self.sessions {
            sessions.check();
        }
        assert_eq!(self.timers.len(), self.pending.len(), "a call without a deadline");
        assert_eq!(self.by_peer.len(), self.links.len());
        let numbered: usize = self.numbering.values().map(|numbering| numbering.links).sum();
        assert_eq!(numbered, self.links.len());
        assert!(self.dirty.is_empty(), "something was queued and not flushed");
        for (key, link) in self.links.iter() {
            assert_eq!(self.by_peer.get(&(link.addr, link.who)), Some(&key));
            assert!(link.open.len() <= WINDOW && link.requests.len() <= WINDOW);
            let empty = link.requests.is_empty() && link.responses.is_empty();
            assert!(empty || link.waiting || link.held, "something was queued and not flushed");
            for &(_, call) in &link.open {
                let of = self.pending.get(call).map(|pending| pending.link);
                assert_eq!(of, Some(key), "a call of another link");
            }
        }
    }

    fn touch(&mut self, key: LinkKey) {
        let Some(link) = self.links.get_mut(key) else { return };
        if !link.dirty {
            link.dirty = true;
            self.dirty.push(key);
        }
    }

    /// Takes a call off its link.
    fn end(&mut self, key: LinkKey, call: CallKey) {
        if let Some(link) = self.links.get_mut(key) {
            if let Some(place) = link.open.iter().position(|&(_, open)| open == call) {
                link.open.remove(place);
            }
            link.requests.retain(|&request| request != call);
            if link.held {
                self.touch(key);
            }
        }
        self.release(call);
    }

    fn end_numbering(&mut self, process: (PeerId, u64)) {
        let Some(numbering) = self.numbering.get_mut(&process) else { return };
        numbering.links -= 1;
        if numbering.links == 0 {
            if numbering.next.wrapping_sub(self.next_seq) < u32::MAX / 2 {
                self.next_seq = numbering.next;
            }
            self.numbering.remove(&process);
        }
    }

    fn release(&mut self, call: CallKey) {
        let Some(pending) = self.pending.remove(call) else { return };
        self.timers.cancel(call.index());
        let mut bytes = pending.bytes;
        bytes.clear();
        self.spare.push(bytes);
    }
}

fn put_raw_response(out: &mut Vec<u8>, seq: u32, payload: &[u8]) {
    const RESPONSE: u8 = 1;
    let len = (PACKET_HEADER - 2 + payload.len()) as u16;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(&seq.to_be_bytes());
    out.push(RESPONSE);
    out.extend_from_slice(payload);
}

/// The keys of all links to some ports of one computer.
const fn at(ip: IpAddr, ports: RangeInclusive<u16>) -> RangeInclusive<(SocketAddr, Sender)> {
    let (first, last) = (SocketAddr::new(ip, *ports.start()), SocketAddr::new(ip, *ports.end()));
    (first, Sender::Open(0))..=(last, Sender::Sealed(PeerId(u64::MAX)))
}

/// A datagram's timestamp; never 0, which means that there is none.
const fn stamp(now: Time) -> u32 {
    let stamp = now.stamp();
    if stamp == 0 { 1 } else { stamp }
}

#[cfg(test)]
mod tests;
