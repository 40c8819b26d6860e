//! The nodeset machine: it introduces people, and that is all (docs/PROTOCOL.md, "Nodeset").
//!
//! A lease lasts 60 s and is renewed by registering again. Everybody in a room is told of arrivals
//! and departures by calls that carry all that is new to them, one call per member at a time.
//! Nothing is kept on disk: after a restart the members register again within one renewal.
//!
//! What members ask of a nodeset changes nothing when it is repeated, so it is answered anew and
//! without memory; whoever has not shown a cookie takes no place in any table.

mod granting;
mod sources;
mod telling;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use self::granting::Application;
use self::sources::{IDLE_MAX, Sources};

use crate::machine::call::{Arrival, Calls, Part, Parts, Source};
use crate::machine::contract::{Action, Blame, Input, Machine, Table, Wake};
use crate::machine::cookie::Cookies;
use crate::machine::digest::digest;
use crate::machine::mtu::Small;
use crate::machine::nodeset::roster::{DEPARTURE_KEPT, Roster};
use crate::machine::outbox::Outbox;
use crate::machine::purpose::{About, LinkKey};
use crate::machine::rng::{Rng, Seed};
use crate::machine::slots::{Key, Slots};
use crate::machine::time::Time;
use crate::machine::timer::Timers;
use crate::machine::who::beacon::Sealed;
use crate::machine::who::ids::{Handle, Incarnation, Tag};
use crate::machine::wire::{
    ANYWHERE, Asked, Change, Cookie, DATAGRAM_MAX, DATAGRAM_SMALL, Departure, ELSEWHERE_MAX, Gone,
    HEADER, PACKET_HEADER, Request, Response, Sender, VERSION,
};

/// How long a lease lasts without being renewed.
const LEASE: Duration = Duration::from_secs(60);

/// Leases one source may hold: an address of IPv4, or a network of IPv6.
const PER_SOURCE_MAX: usize = 256;

/// How often a lease may change what the room is told of it.
const CHANGE_EVERY: Duration = Duration::from_millis(500);

/// How often a member is told what is new: everything that is, each time.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Departures that are told of, over all rooms.
const DEPARTURES_MAX: usize = 4096;

/// Members one room may have, so that no room takes the places of all others; a peer knows no more.
const PER_ROOM_MAX: usize = 1024;

/// Empty rooms that are remembered.
const EMPTY_MAX: usize = 256;

/// What else is in the datagram with the changes of a page: the headers, and a lease; with those of an
/// announcement.
pub(super) const BESIDE_PAGE: usize = HEADER + PACKET_HEADER + 49;
const BESIDE_ANNOUNCEMENT: usize = HEADER + PACKET_HEADER + 9;

/// How large a datagram may be for whom `most` may pass.
pub(super) fn datagram(most: u16) -> usize {
    usize::from(most).clamp(DATAGRAM_SMALL, DATAGRAM_MAX)
}

/// What a [`Registry`] is made from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistryConfig {
    /// Entropy.
    pub seed: Seed,
    /// When this process started: later than any earlier one.
    pub incarnation: Incarnation,
    /// How many members it serves at most, over all rooms.
    pub members_max: usize,
}

impl RegistryConfig {
    /// A nodeset of so many members at most.
    #[must_use]
    pub const fn new(seed: Seed, incarnation: Incarnation, members_max: usize) -> Self {
        Self { seed, incarnation, members_max }
    }
}

/// The nodeset.
#[derive(Debug)]
pub struct Registry {
    now: Time,
    members_max: usize,
    cookies: Cookies,
    calls: Calls<Announced>,
    /// Room for the packets of a datagram.
    parts: Parts<'static, Announced>,
    leases: Slots<Lease>,
    by_member: BTreeMap<(Tag, Handle), LeaseKey>,
    by_addr: BTreeMap<SocketAddr, LeaseKey>,
    sources: Sources,
    rooms: BTreeMap<Tag, Roster>,
    /// The rooms that are empty, and until when they are remembered.
    empty: BTreeSet<(Time, Tag)>,
    expiry: Timers,
    /// What has changed and waits for its turn, and who is told next, by lease.
    publishing: Timers,
    telling: Timers,
    /// The departures that are told of, the oldest first, some of them outdated; and how many are not.
    departures: VecDeque<(u64, Tag)>,
    departed: usize,
    /// The version of the last change, over all rooms.
    version: u64,
    /// Where pages from anywhere begin.
    rng: Rng,
    out: Outbox,
}

/// Which lease.
type LeaseKey = Key<Lease>;

/// An open announcement: to whom, and up to which change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Announced {
    lease: LeaseKey,
    reached: u64,
    /// It is larger than a small datagram.
    large: bool,
}

impl About for Announced {
    fn asked(self) -> Asked {
        Asked::Other
    }
}

#[derive(Debug, Hash)]
struct Lease {
    tag: Tag,
    handle: Handle,
    /// Which process holds it.
    incarnation: u64,
    /// The number of the beacon, and the beacon itself: noise, for a nodeset.
    n: u32,
    sealed: Sealed,
    seen: SocketAddr,
    /// The address of ours that it registered at: it takes announcements from nowhere else.
    at: Source,
    /// When the room was last told of it; `None` before.
    published: Option<Time>,
    /// It has changed since.
    untold: bool,
    /// When it was last renewed.
    renewed: Time,
    link: Option<LinkKey>,
    /// The last change this member was told of.
    heard: u64,
    /// A call that announces changes is open.
    announcing: bool,
    /// When the last such call was made.
    told: Option<Time>,
    /// The last such call failed: no more until the member registers again.
    deaf: bool,
    /// How large a datagram to the member may be, as it said last; and whether large ones do not come
    /// through.
    most: u16,
    small: Small,
}

impl Registry {
    /// A nodeset that knows nobody yet.
    pub fn new(config: RegistryConfig) -> Self {
        let seed = config.seed;
        Self {
            now: Time::ZERO,
            members_max: config.members_max,
            calls: Calls::of_nodeset(
                config.incarnation.get(),
                config.members_max,
                seed.stream("calls"),
            ),
            parts: Parts::default(),
            leases: Slots::default(),
            by_member: BTreeMap::new(),
            by_addr: BTreeMap::new(),
            sources: Sources::default(),
            rooms: BTreeMap::new(),
            empty: BTreeSet::new(),
            expiry: Timers::default(),
            publishing: Timers::default(),
            telling: Timers::default(),
            departures: VecDeque::new(),
            departed: 0,
            version: 0,
            rng: seed.stream("pages"),
            out: Outbox::default(),
            cookies: Cookies::new(seed),
        }
    }

    /// How many members hold a lease.
    pub fn members(&self) -> usize {
        self.leases.len()
    }

    fn datagram(&mut self, now: Time, (from, at): (SocketAddr, Option<IpAddr>), bytes: &[u8]) {
        let (mut nothing, mut parts) = (Vec::new(), core::mem::take(&mut self.parts).recycle());
        let buffers = (&mut nothing, &mut parts);
        if let Ok(arrival) = self.calls.receive(now, (from, at), bytes, buffers, &mut self.out) {
            self.arrived(now, &arrival, &mut parts);
        }
        self.parts = parts.recycle();
    }

    fn arrived(&mut self, now: Time, arrival: &Arrival, parts: &mut Parts<'_, Announced>) {
        let mut drew_page = false;
        for part in parts.drain() {
            match (part, arrival.sender) {
                (Part::Request { request, .. }, _) if drew_page && request.draws_page() => {
                    // The answer has room for one.
                    self.calls.blame.over_limit += 1;
                }
                (
                    Part::Request { seq, request: Request::DialBack { cookie, port } },
                    Sender::Open(_),
                ) if self.cookies.accepts(now, arrival.from, cookie) => {
                    self.calls.reply_to_port(now, (arrival, port), seq, &mut self.out);
                }
                (Part::Request { seq, request }, Sender::Open(incarnation)) => {
                    drew_page |= request.draws_page();
                    if let Some(response) = self.request(now, arrival.from, incarnation, request) {
                        self.calls.reply_stray(seq, &response);
                    }
                }
                (Part::Answer { call, about, .. }, _) => self.announced(now, arrival, call, about),
                (Part::Late, _) => self.calls.late(now, arrival),
                (Part::Request { .. }, Sender::Sealed(_)) => self.calls.blame.unauthenticated += 1,
            }
        }
        self.calls.flush_strays(now, arrival, &mut self.out);
    }

    fn request(
        &mut self,
        now: Time,
        from: SocketAddr,
        incarnation: u64,
        request: Request<'_>,
    ) -> Option<Response> {
        match request {
            Request::Foreign { .. } => Some(Response::Version(VERSION)),
            Request::Who { cookie, tag, have, most } => {
                Some(self.who(now, from, cookie, tag, (have, most)))
            }
            Request::Register { cookie, tag, have, most, token, n, sealed } => {
                let handle = Handle::of(token);
                let application =
                    Application { from, incarnation, cookie, tag, have, most, handle, n, sealed };
                self.register(now, application)
            }
            Request::DialBack { .. } => Some(Response::Cookie(self.cookies.bake(now, from))),
            Request::Deregister { tag, farewell, sealed } => {
                Some(self.deregister(now, tag, Handle::of(farewell.token()), sealed))
            }
            _ => {
                self.calls.blame.unauthenticated += 1;
                None
            }
        }
    }

    fn who(
        &mut self,
        now: Time,
        from: SocketAddr,
        cookie: Cookie,
        tag: Tag,
        (have, most): (u64, u16),
    ) -> Response {
        if !self.cookies.accepts(now, from, cookie) {
            return Response::Cookie(self.cookies.bake(now, from));
        }
        let nobody = Roster::default();
        let roster = self.rooms.get(&tag).unwrap_or(&nobody);
        Response::Page(match have {
            ANYWHERE => roster.any_page(&mut self.rng, datagram(most) - BESIDE_PAGE),
            _ => roster.part(have, datagram(most) - BESIDE_PAGE),
        })
    }

    fn register(&mut self, now: Time, application: Application) -> Option<Response> {
        let (from, tag) = (application.from, application.tag);
        let known = self.by_member.get(&(tag, application.handle)).copied();
        let lease = known.and_then(|key| self.leases.get(key));
        let trusted = lease.is_some_and(|lease| lease.seen == from);
        if let Some((holder, claim)) = self.contested(known, &application) {
            if !self.cookies.accepts_claim(now, from, claim, application.cookie) {
                // A refusal, and a way to show that it is the other one that is late.
                self.calls.blame.replayed += 1;
                return Some(Response::Cookie(self.cookies.bake_claim(now, from, claim)));
            }
            self.remove(now, holder, Departure::Replaced);
        } else if !trusted && !self.cookies.accepts(now, from, application.cookie) {
            return Some(Response::Cookie(self.cookies.bake(now, from)));
        }
        let key = match known {
            Some(key) => self.renew(now, key, &application)?,
            None => match self.grant(now, &application) {
                Ok(key) => key,
                Err(refusal) => return refusal,
            },
        };
        let lease = self.leases.get_mut(key)?;
        let space = datagram(application.most) - BESIDE_PAGE;
        let page = self.rooms.get(&tag)?.page(application.have, space);
        self.expiry.set(key.index(), now + LEASE);
        lease.renewed = now;
        lease.at = Source(self.calls.heard_at(from));
        if let Some(link) = lease.link {
            self.calls.hears_at(link, lease.at);
        }
        lease.heard = lease.heard.max(page.reached);
        lease.most = application.most;
        lease.deaf = false;
        let node = u32::try_from(key.index()).unwrap_or(u32::MAX);
        self.announce_to(now, key);
        Some(Response::Lease { node, elsewhere: self.elsewhere(tag), seen: from, page })
    }

    /// How many members are in other rooms than that one, up to a few.
    fn elsewhere(&self, tag: Tag) -> u8 {
        let here = self.rooms.get(&tag).map_or(0, Roster::present);
        let others = self.leases.len().saturating_sub(here);
        u8::try_from(others).unwrap_or(ELSEWHERE_MAX).min(ELSEWHERE_MAX)
    }

    fn deregister(&mut self, now: Time, tag: Tag, handle: Handle, sealed: Sealed) -> Response {
        if let Some(&key) = self.by_member.get(&(tag, handle)) {
            self.remove(now, key, Departure::Quit(sealed));
        }
        Response::Ok
    }

    fn bind(&mut self, key: LeaseKey) {
        let Some(seen) = self.leases.get(key).map(|lease| lease.seen) else { return };
        self.by_addr.insert(seen, key);
        self.sources.bind(seen);
    }

    fn unbind(&mut self, now: Time, key: LeaseKey) {
        let Some(lease) = self.leases.get_mut(key) else { return };
        let seen = lease.seen;
        lease.announcing = false;
        if let Some(link) = lease.link.take() {
            self.calls.close(now, link);
        }
        self.by_addr.remove(&seen);
        self.sources.unbind(now, seen);
    }

    fn remove(&mut self, now: Time, key: LeaseKey, how: Departure) {
        self.unbind(now, key);
        let Some(lease) = self.leases.remove(key) else { return };
        for timers in [&mut self.expiry, &mut self.publishing, &mut self.telling] {
            timers.cancel(key.index());
        }
        self.by_member.remove(&(lease.tag, lease.handle));
        if lease.published.is_some() {
            self.change(now, lease.tag, Change::Gone(Gone { handle: lease.handle, how }));
        }
        if self.is_empty(lease.tag) {
            self.empty.retain(|&(_, other)| other != lease.tag);
            self.empty.insert((now + DEPARTURE_KEPT, lease.tag));
        }
        if self.empty.len() > EMPTY_MAX {
            self.forget_room();
        }
    }

    /// Forgets the room that has been empty for the longest time, if it still is.
    fn forget_room(&mut self) {
        let Some((_, tag)) = self.empty.pop_first() else { return };
        if self.is_empty(tag) {
            let room = self.rooms.remove(&tag);
            self.departed -= room.map_or(0, |room| room.departed());
        }
    }

    /// Nobody holds a lease in that room.
    fn is_empty(&self, tag: Tag) -> bool {
        self.by_member.range(room_of(tag)).next().is_none()
    }

    fn tick(&mut self, now: Time) {
        while let Some((_, Announced { lease: key, large, .. })) = self.calls.expired(now) {
            let Some(lease) = self.leases.get_mut(key) else { continue };
            // Perhaps a small one is not lost.
            (lease.announcing, lease.deaf) = (false, !large);
            if large {
                lease.small.failed(now);
                self.announce_to(now, key);
            }
        }
        while let Some(index) = self.expiry.pop_due(now) {
            let Some(key) = self.leases.key_at(index) else { continue };
            self.remove(now, key, Departure::Timeout);
        }
        while let Some(index) = self.publishing.pop_due(now) {
            let Some(key) = self.leases.key_at(index) else { continue };
            self.publish(now, key);
        }
        while let Some(index) = self.telling.pop_due(now) {
            let Some(key) = self.leases.key_at(index) else { continue };
            self.announce_to(now, key);
        }
        while self.empty.first().is_some_and(|&(at, _)| at <= now) {
            self.forget_room();
        }
        self.sources.tick(now);
    }
}

/// The keys of one room in `by_member`.
fn room_of(tag: Tag) -> core::ops::RangeInclusive<(Tag, Handle)> {
    (tag, Handle(0))..=(tag, Handle(u64::MAX))
}

impl Machine for Registry {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        self.now = self.now.max(now);
        let now = self.now;
        if let Input::Datagram { from, at, bytes } = input {
            self.datagram(now, (from, at), bytes);
        }
        self.tick(now);
        self.calls.flush(now, &mut self.out);
    }

    fn poll(&mut self) -> Option<Action<'_>> {
        self.out.poll()
    }

    fn next_wake(&self) -> Option<Wake> {
        let call = self.calls.next_wake().map(|at| Wake { at, why: "announcement" });
        let lease = self.expiry.next().map(|at| Wake { at, why: "lease" });
        let publish = self.publishing.next().map(|at| Wake { at, why: "change" });
        let tell = self.telling.next().map(|at| Wake { at, why: "news" });
        let empty = self.empty.first().map(|&(at, _)| Wake { at, why: "empty room" });
        let source = self.sources.next_wake().map(|at| Wake { at, why: "source" });
        [call, lease, publish, tell, empty, source].into_iter().flatten().min()
    }

    fn footprint(&self) -> Vec<Table> {
        let limit = self.members_max;
        let changes = self.rooms.values().map(Roster::len).sum();
        let mut tables = self.calls.footprint();
        tables.extend([
            Table { name: "leases", len: self.leases.len(), limit },
            Table { name: "sources", len: self.sources.len(), limit: limit + IDLE_MAX },
            Table { name: "rooms", len: self.rooms.len(), limit: limit + EMPTY_MAX },
            Table { name: "empty rooms", len: self.empty.len(), limit: EMPTY_MAX },
            Table { name: "changes", len: changes, limit: limit + DEPARTURES_MAX },
            Table { name: "departures", len: self.departed, limit: DEPARTURES_MAX },
        ]);
        tables
    }

    fn blame(&self) -> Blame {
        self.calls.blame
    }

    fn digest(&self) -> u64 {
        let Self { calls, leases, by_member, sources, rooms, empty, .. } = self;
        let Self { expiry, publishing, telling, departures, version, rng, .. } = self;
        let rest = (expiry, publishing, telling, departures, version, rng);
        digest(&(calls, leases, by_member, sources, rooms, empty, rest))
    }

    fn check(&self) {
        self.calls.check();
        self.expiry.check();
        assert_eq!(self.leases.len(), self.by_member.len());
        assert_eq!(self.leases.len(), self.by_addr.len());
        assert_eq!(self.leases.len(), self.expiry.len(), "a lease that never expires");
        self.sources.check(self.leases.len());
        self.publishing.check();
        self.telling.check();
        assert_eq!(self.departed, self.rooms.values().map(Roster::departed).sum::<usize>());
        assert!(
            self.departed <= self.departures.len() && self.departures.len() <= 2 * DEPARTURES_MAX
        );
        for (key, lease) in self.leases.iter() {
            assert_eq!(self.by_member.get(&(lease.tag, lease.handle)), Some(&key));
            assert_eq!(self.by_addr.get(&lease.seen), Some(&key));
            assert!(self.rooms.contains_key(&lease.tag));
        }
        self.rooms.values().for_each(Roster::check);
        for tag in self.rooms.keys().filter(|tag| self.is_empty(**tag)) {
            assert!(self.empty.iter().any(|(_, other)| other == tag), "a room for ever");
        }
    }
}
