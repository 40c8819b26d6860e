//! The chat machine: it turns lines into messages and datagrams into events, and routes between its
//! children. The nodeset is the [`Client`]'s concern, people are the [`Members`]', what was said is
//! the streams'; this file decides only who gets what.

mod answers;
mod config;
mod doors;
mod hailing;
mod joining;
mod leaving;
mod mapped;
mod talking;

use std::sync::Arc;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

pub use self::config::{Lan, PeerConfig};
use self::doors::Through;
use self::hailing::Hailing;
use self::joining::ghosts_until;
use self::mapped::Mapped;
use crate::machine::call::{Arrival, Calls, Part, Parts, Refused};
use crate::machine::contract::{Action, Blame, Input, Machine, Table, Wake};
use crate::machine::digest::digest;
use crate::machine::event::{Exit, NameProblem};
use crate::machine::log::{BYTES_MAX, ENTRIES_MAX, LOGS_MAX, Log};
use crate::machine::member::{ABSENT_MAX, Ctx, LINKS_EACH, MEMBERS_MAX, Members};
use crate::machine::nodeset::client::Client;
use crate::machine::nodeset::door::Door;
use crate::machine::nodeset::{Card, DOORS_MAX, Doors};
use crate::machine::outbox::Outbox;
use crate::machine::purpose::{LinkKey, Purpose};
use crate::machine::relayed::is_relayed;
use crate::machine::rng::{Rng, Seed};
use crate::machine::session::{Sessions, SessionsConfig};
use crate::machine::speech::{BACKLOG_EASY, MESSAGES_MAX, Speech};
use crate::machine::time::Time;
use crate::machine::who::beacon::{Beacon, Signed};
use crate::machine::who::identity::Person;
use crate::machine::who::ids::{Farewell, Handle, LUCK_BITS, Tag};
use crate::machine::who::keys::Keys;
use crate::machine::who::pins::{PINS_MAX, Pins};
use crate::machine::wire::{self, Sender, kind};

/// Links to doors and to members.
const LINKS_MAX: usize = 2 * DOORS_MAX + (MEMBERS_MAX + ABSENT_MAX) * LINKS_EACH;

/// Somebody who chats.
#[derive(Debug)]
pub struct Peer {
    now: Time,
    keys: Arc<Keys>,
    me: Signed,
    /// What the nodeset is given of us.
    card: Card,
    tag: Tag,
    open: bool,
    /// Where a nodeset is, as whoever started us says. Anybody else we ask has to show that they know the room.
    given: Vec<SocketAddr>,
    doors: Doors,
    drain: Duration,
    stage: Stage,
    client: Option<Client>,
    calls: Calls<Purpose>,
    /// Room for a datagram: what is under its seal, and its packets.
    text: Vec<u8>,
    parts: Parts<'static, Purpose>,
    members: Members,
    /// What we answer as a nodeset of our room.
    door: Door,
    /// The member we came in through, when no nodeset has answered.
    through: Through,
    /// Where the nodeset that we were given is asked for meanwhile, and when it was.
    asked_given: (usize, Option<Time>),
    /// Whom we meet on the networks around us.
    hailing: Option<Hailing>,
    /// The port of a router that is passed on to us.
    mapped: Mapped,
    pins: Pins,
    speech: Speech,
    log: Log,
    /// How it ended, until that is told.
    exit: Option<Exit>,
    /// Whoever is in front of us can be shown no more.
    full: bool,
    /// The address the nodeset saw us at.
    seen: Option<SocketAddr>,
    /// The most people in other rooms that were told of.
    elsewhere: u8,
    client_rng: Rng,
    rng: Rng,
    out: Outbox,
}

#[derive(Debug, Hash)]
enum Stage {
    /// Reading the roster.
    Finding,
    /// Somebody listed has our name, or one like it: does anybody answer there?
    Checking { links: Vec<LinkKey>, problem: NameProblem },
    /// Registering, then greeting who is here, until then at most.
    Entering { until: Option<Time> },
    /// In.
    Ready,
    /// Leaving, once what was said is delivered, or then.
    Draining { until: Time },
    /// Saying goodbye: so many calls are open, one of them perhaps for a lease that is to be given
    /// back when it comes.
    Parting { until: Time, open: usize, lease_due: bool },
    /// Nothing is done any more.
    Over,
}

impl Peer {
    /// A machine that begins to join at its first input.
    pub fn new(config: PeerConfig) -> Self {
        let PeerConfig {
            seed,
            identity,
            incarnation,
            suite,
            room,
            name,
            nodesets,
            remembered,
            patience,
            addrs,
            drain,
            once,
            pins,
            lan,
        } = config;
        let incarnation = incarnation.get();
        let key = identity.public();
        let (id, mapped) = (key.process(incarnation), Mapped::new(&seed, addrs.clone()));
        let mut farewell = Farewell([0; 16]);
        farewell.0.copy_from_slice(&seed.bytes("farewell", 0)[..16]);
        let handle = Handle::of(farewell.token());
        let mut beacon =
            Beacon { id, key, handle, incarnation, n: 0, left: false, once, name, addrs };
        beacon.fit();
        let (tag, open) = (room.tag(), room.is_open());
        let keys = Arc::new(Keys { suite, identity, room });
        let me = keys.sign(beacon);
        let card = Card { farewell, n: 0, sealed: keys.seal(&me) };
        let doors = Doors::new(&nodesets, patience).and_remembered(&remembered);
        let sessions = Sessions::new(SessionsConfig {
            keys: keys.clone(),
            incarnation,
            seed: Seed(seed.bytes("sessions", 0)),
            linked_max: MEMBERS_MAX + ABSENT_MAX,
        });
        Self {
            now: Time::ZERO,
            keys,
            me,
            card,
            tag,
            open,
            given: doors.addrs.clone(),
            doors,
            drain,
            stage: Stage::Finding,
            client: None,
            calls: Calls::sealed(incarnation, LINKS_MAX, seed.stream("calls"), sessions),
            text: Vec::new(),
            parts: Parts::default(),
            members: Members::default(),
            door: Door::new(&seed),
            through: Through::default(),
            asked_given: (0, None),
            hailing: Hailing::new(&seed, lan),
            mapped,
            pins: Pins::new(pins),
            speech: Speech::new(),
            log: Log::new(incarnation >> LUCK_BITS),
            exit: None,
            full: false,
            seen: None,
            elsewhere: 0,
            client_rng: seed.stream("client"),
            rng: seed.stream("peer"),
            out: Outbox::default(),
        }
    }

    /// Who we are.
    pub fn me(&self) -> Person {
        self.me.beacon.person()
    }

    /// Whether the last call to the nodeset did not fail.
    pub fn hears_nodeset(&self) -> bool {
        self.client.as_ref().is_none_or(|client| !client.is_silent())
    }

    /// Whether a pipe may be read: we are in, and nobody who keeps up with what is said has much of it
    /// waiting. A front end that is fed by a pipe stops reading while this is false; when it may read
    /// again, there is a wake.
    pub fn accepts_lines(&self) -> bool {
        matches!(self.stage, Stage::Ready) && self.held_up_until().is_none()
    }

    /// Until when a reader holds up a pipe.
    fn held_up_until(&self) -> Option<Time> {
        let easy = self.speech.backlog() < BACKLOG_EASY;
        if easy { None } else { self.members.held_up_until(self.now) }
    }

    /// The children, and what they act with.
    fn parts(&mut self) -> (&mut Members, Ctx<'_>) {
        let announce = matches!(self.stage, Stage::Ready | Stage::Draining { .. });
        let parting = matches!(self.stage, Stage::Parting { .. });
        let link = self.client.as_ref().map(Client::link);
        let nodeset = link.and_then(|link| self.calls.addr(link));
        let listing = self.client.as_ref().and_then(Client::serves);
        let ctx = Ctx {
            now: self.now,
            nodeset,
            keys: &self.keys,
            me: &self.me,
            seen: self.seen.map(|seen| seen.ip()),
            listing,
            door: self.through.member(),
            pins: &self.pins,
            calls: &mut self.calls,
            speech: &mut self.speech,
            log: &mut self.log,
            rng: &mut self.rng,
            out: &mut self.out,
            announce,
            parting,
            full: self.full,
        };
        (&mut self.members, ctx)
    }

    fn datagram(&mut self, from: SocketAddr, at: Option<IpAddr>, bytes: &[u8]) {
        let hail = matches!(bytes.first(), Some(&(kind::HAIL | kind::HAILED)));
        if hail && self.hailed((from, at), bytes) {
            return;
        }
        if self.mapped.is_from_gateway(from, bytes) {
            return self.gateway_says(bytes);
        }
        let mut text = core::mem::take(&mut self.text);
        let mut parts = core::mem::take(&mut self.parts).recycle();
        let buffers = (&mut text, &mut parts);
        let through = self.comes_through(from, bytes);
        let received = through.and_then(|(from, bytes)| {
            let at = at.filter(|_| !is_relayed(from));
            self.calls.receive(self.now, (from, at), bytes, buffers, &mut self.out)
        });
        let junk = matches!(received, Err(Refused::Malformed | Refused::Unaddressed));
        if let Some(client) =
            self.client.as_mut().filter(|_| junk && self.doors.addrs.contains(&from))
        {
            client.heard_junk();
        }
        match received {
            Ok(arrival) if self.is_no_member(&arrival) => self.calls.blame.unauthenticated += 1,
            Ok(arrival) => self.arrived(&arrival, &mut parts),
            Err(Refused::Handshake { with, answered }) => {
                let (members, ctx) = self.parts();
                members.shakes_hands(with, answered, ctx.now);
            }
            Err(_) => {}
        }
        self.parts = parts.recycle();
        text.clear();
        self.text = text;
    }

    /// Where a datagram counts as coming from, and what it is without what a relay has put in front. What
    /// is for us to pass on is passed on.
    fn comes_through<'a>(
        &mut self,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Result<(SocketAddr, &'a [u8]), Refused> {
        if is_relayed(from) {
            // Nobody is there who could have sent it.
            self.calls.blame.malformed += 1;
            return Err(Refused::Spent);
        }
        if bytes.first() != Some(&kind::RELAYED) {
            return Ok((from, bytes));
        }
        let (members, mut ctx) = self.parts();
        match wire::relayed(bytes) {
            Ok(passes) if members.pass_on(from, passes, &mut ctx) => Err(Refused::Spent),
            _ => self.calls.unwrap(from, bytes),
        }
    }

    fn arrived(&mut self, arrival: &Arrival, parts: &mut Parts<'_, Purpose>) {
        let (members, mut ctx) = self.parts();
        let member = match arrival.sender {
            Sender::Sealed(id) if !ctx.parting => members.key_of(id),
            _ => None,
        };
        let link = match (member, arrival.link) {
            (Some(member), None) => members.appeared(member, arrival, &mut ctx),
            (_, link) => link,
        };
        let arrival = &Arrival { link, ..*arrival };
        if let Some(link) = link
            && let Some(member) = members.on_link(link)
        {
            members.heard(member, link, arrival, &mut ctx);
        }
        for part in parts.drain() {
            match (part, arrival.sender) {
                (Part::Request { seq, request }, Sender::Sealed(id)) => {
                    let (members, mut ctx) = self.parts();
                    members.request(arrival, id, (seq, request), &mut ctx);
                }
                (Part::Request { seq, request }, Sender::Open(_)) if arrival.proven => {
                    self.asked(arrival, seq, &request);
                }
                (Part::Request { seq, request }, Sender::Open(_)) => {
                    self.announcement(arrival, seq, request);
                }
                (Part::Answer { call, about, response }, _) => {
                    if let Some(link) = self.calls.answered(self.now, arrival, call) {
                        self.answered(arrival, link, about, response);
                    }
                }
                (Part::Late, _) => self.calls.late(self.now, arrival),
            }
        }
        self.calls.flush_strays(self.now, arrival, &mut self.out);
    }

    fn over(&mut self, exit: Exit) {
        self.stage = Stage::Over;
        self.exit = Some(exit);
    }

    fn start(&mut self) {
        if self.doors.addrs.is_empty() {
            return self.look_around();
        }
        let rng = self.client_rng.clone();
        self.client = Client::start(self.now, self.doors.clone(), self.tag, rng, &mut self.calls);
    }

    fn tick(&mut self) {
        let now = self.now;
        let card = wanted(&self.stage, &self.card);
        let client = self.client.as_mut();
        let exit = client.and_then(|client| client.tick(now, card, &mut self.calls));
        if let Some(exit) = exit.filter(|_| !matches!(self.stage, Stage::Parting { .. })) {
            return self.over(exit);
        }
        while let Some((link, purpose)) = self.calls.expired(now) {
            self.failed(link, purpose);
            if matches!(self.stage, Stage::Over) {
                return;
            }
        }
        let (members, mut ctx) = self.parts();
        members.tick(&mut ctx);
        self.enter_when_nobody_is_asked();
        self.enter_when_settled();
        self.go_through_others();
        self.ask_given();
        self.hail();
        self.map();
        let (members, mut ctx) = self.parts();
        members.catch_up(&mut ctx);
        self.part_when_drained();
    }
}

/// What the nodeset is given of us, once we want a lease.
fn wanted<'a>(stage: &Stage, card: &'a Card) -> Option<&'a Card> {
    match stage {
        Stage::Entering { .. } | Stage::Ready | Stage::Draining { .. } => Some(card),
        _ => None,
    }
}

impl Machine for Peer {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        self.now = self.now.max(now);
        if matches!(self.stage, Stage::Over) {
            return;
        }
        self.calls.end_sessions(self.now);
        if self.client.is_none() && matches!(self.stage, Stage::Finding) {
            self.start();
        }
        match input {
            Input::Datagram { from, at, bytes } => self.datagram(from, at, bytes),
            Input::Unreachable(addr) => {
                let joining = matches!(
                    self.stage,
                    Stage::Finding | Stage::Checking { .. } | Stage::Entering { .. }
                );
                let client = self.client.as_mut().filter(|_| joining);
                let now = self.now;
                let exit = client.and_then(|client| client.refused(now, addr, &mut self.calls));
                exit.into_iter().for_each(|exit| self.over(exit));
            }
            Input::Nodesets(addrs) => {
                self.is_given(addrs);
                self.nodeset_is_at(addrs);
                if self.client.is_none() && matches!(self.stage, Stage::Finding) {
                    self.start();
                }
            }
            Input::Segments(segments) => self.is_on_networks(segments),
            Input::Neighbours(addrs) => self.has_neighbours(addrs),
            Input::Gateway(gateway) => self.has_gateway(gateway),
            Input::Addresses(addrs) => self.we_are_at(addrs),
            Input::Line(line) => self.line(line),
            Input::Command(command) => self.command(command),
            Input::Full(full) => self.full = full,
            Input::Tick => {}
        }
        if !matches!(self.stage, Stage::Over) {
            self.tick();
        }
        self.calls.flush(self.now, &mut self.out);
        // Nothing follows it.
        if let Some(exit) = self.exit.take() {
            self.out.exit(exit);
        }
    }

    fn poll(&mut self) -> Option<Action<'_>> {
        self.out.poll()
    }

    fn next_wake(&self) -> Option<Wake> {
        let hail = self.hailing.as_ref().and_then(Hailing::next_wake);
        let seeks = self.hailing.as_ref().is_some_and(Hailing::is_seeking);
        let client = match &self.client {
            Some(client) => client.next_wake(),
            None if seeks || !matches!(self.stage, Stage::Finding) => None,
            None => return Some(Wake { at: Time::ZERO, why: "start" }),
        };
        let stage = match self.stage {
            Stage::Over => return None,
            Stage::Entering { until: Some(until) } => {
                let ghosts = ghosts_until(until);
                Some((if self.now < ghosts { ghosts } else { until }, "greetings"))
            }
            Stage::Draining { until } => Some((until, "drain")),
            Stage::Parting { until, .. } => Some((until, "goodbyes")),
            _ => None,
        };
        let wakes = [
            self.held_up_until().map(|at| (at, "pipe")),
            self.calls.next_wake().map(|at| (at, "call")),
            self.members.next_wake().map(|at| (at, "member")),
            client.map(|at| (at, "nodeset")),
            hail.map(|at| (at, "hail")),
            self.mapped.next_wake().map(|at| (at, "mapping")),
            self.doors_wake().map(|at| (at, "doors")),
            stage,
        ];
        wakes.into_iter().flatten().map(|(at, why)| Wake { at, why }).min()
    }

    fn footprint(&self) -> Vec<Table> {
        let mut tables = self.calls.footprint();
        tables.extend(self.members.footprint());
        tables.extend(self.client.iter().map(Client::footprint));
        tables.push(self.door.footprint(MEMBERS_MAX + 1));
        tables.extend(self.hailing.iter().flat_map(Hailing::footprint));
        tables.push(Table { name: "trusted names", len: self.pins.len(), limit: PINS_MAX });
        let backlog = self.speech.backlog();
        tables.push(Table { name: "undelivered messages", len: backlog, limit: MESSAGES_MAX });
        let (entries, bytes, logs) = self.log.sizes();
        tables.push(Table { name: "kept entries", len: entries, limit: ENTRIES_MAX });
        tables.push(Table { name: "kept bytes", len: bytes, limit: BYTES_MAX });
        tables.push(Table { name: "kept logs", len: logs, limit: LOGS_MAX + 1 });
        tables
    }

    fn blame(&self) -> Blame {
        self.calls.blame
    }

    fn digest(&self) -> u64 {
        let Self {
            me,
            card,
            stage,
            client,
            calls,
            members,
            given,
            doors,
            door,
            through,
            asked_given,
            hailing,
            mapped,
            pins,
            speech,
            log,
            exit,
            full,
            seen,
            elsewhere,
            client_rng,
            rng,
            // The clock; what never changes; what ends with an input, or is used again.
            now: _,
            keys: _,
            tag: _,
            open: _,
            drain: _,
            text: _,
            parts: _,
            out: _,
        } = self;
        let entrance = (given, doors, door, through, asked_given);
        let children = (stage, client, calls, members, (entrance, mapped), pins, (speech, log));
        let all = (me, card, children, exit, full, seen, elsewhere, client_rng, rng);
        hailing.as_ref().map_or_else(|| digest(&all), |hailing| digest(&(&all, hailing)))
    }

    fn check(&self) {
        self.calls.check();
        self.members.check();
        self.client.iter().for_each(Client::check);
        self.hailing.iter().for_each(Hailing::check);
        self.log.check();
        assert!(self.speech.backlog() <= MESSAGES_MAX);
    }
}
