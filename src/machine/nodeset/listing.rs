//! The machine behind `chatrpc who`: reads a room's roster without joining, shows it, and is done.

use std::collections::BTreeMap;

use core::net::SocketAddr;

use crate::machine::call::{Calls, Refused};
use crate::machine::contract::{Action, Blame, Input, Machine, Table, Wake};
use crate::machine::digest::digest;
use crate::machine::event::Listed;
use crate::machine::event::{Event, Exit};
use crate::machine::nodeset::client::{Client, News};
use crate::machine::outbox::Outbox;
use crate::machine::rng::Seed;
use crate::machine::time::Time;
use crate::machine::token::Ask;
use crate::machine::who::beacon::Signed;
use crate::machine::who::ids::{Handle, Incarnation};
use crate::machine::who::noise::Noise;
use crate::machine::who::room::Room;
use crate::machine::who::suite::Suite;
use crate::machine::wire::{self, Change, Packet, Response};

/// People listed at most: a nodeset that names more is not believed.
const LISTED_MAX: usize = 4096;

/// What a [`Listing`] is made from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListingConfig {
    /// Entropy.
    pub seed: Seed,
    /// When this process started.
    pub incarnation: Incarnation,
    /// How things are sealed.
    pub suite: &'static dyn Suite,
    /// Which room.
    pub room: Room,
    /// The nodeset to ask.
    pub nodeset: SocketAddr,
}

impl ListingConfig {
    /// Asks that nodeset for that room.
    #[must_use]
    pub fn new(seed: Seed, incarnation: Incarnation, room: Room, nodeset: SocketAddr) -> Self {
        Self { seed, incarnation, suite: &Noise, room, nodeset }
    }
}

/// Asks a nodeset who is in a room: one [`Event::Listing`], then [`Exit::Left`].
#[derive(Debug)]
pub struct Listing {
    config: ListingConfig,
    now: Time,
    calls: Calls<Ask>,
    client: Option<Client>,
    found: BTreeMap<Handle, Listed>,
    out: Outbox,
    done: bool,
}

impl Listing {
    /// A machine that asks at its first input.
    pub fn new(config: ListingConfig) -> Self {
        let calls = Calls::new(config.incarnation.get(), 1, config.seed.stream("calls"));
        let (found, out) = (BTreeMap::new(), Outbox::default());
        Self { config, now: Time::ZERO, calls, client: None, found, out, done: false }
    }

    fn datagram(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) {
        let mut nothing = Vec::new();
        let received = self.calls.receive(now, from, bytes, &mut nothing, &mut self.out);
        let junk = matches!(received, Err(Refused::Malformed | Refused::Unaddressed));
        if let Some(client) = self.client.as_mut().filter(|client| client.nodeset == from) {
            client.junk |= junk;
        }
        let Ok((Some(key), datagram)) = received else { return };
        for packet in datagram.packets() {
            let Some(client) = &mut self.client else { return };
            let Packet::Response { seq, payload } = packet else {
                client.junk = true;
                continue;
            };
            let Some(ask) = self.calls.asked(key, seq) else { continue };
            let Ok(response) = Response::decode(ask.asked(), payload) else {
                self.calls.blame.malformed += 1;
                client.junk = true;
                continue;
            };
            self.calls.answer(now, key, seq, datagram.echo);
            let sender = datagram.sender;
            self.calls.alive(key);
            let news = client.answered(now, ask, sender, response, None, &mut self.calls);
            self.take(news);
        }
    }

    fn take(&mut self, news: News) {
        let (changes, last) = match news {
            News::Changes(changes) => (changes, false),
            News::Roster(changes) => (changes, true),
            News::Over(exit) => {
                self.done = true;
                return self.out.exit(exit);
            }
            _ => return,
        };
        for change in changes {
            match change {
                Change::Present(listed) if self.found.len() < LISTED_MAX => self.list(&listed),
                Change::Present(_) => {}
                Change::Gone(gone) => drop(self.found.remove(&gone.handle)),
            }
        }
        if last {
            self.done = true;
            let mut found: Vec<Listed> = core::mem::take(&mut self.found).into_values().collect();
            found.sort_by_key(|listed| listed.who.id);
            self.out.show(Event::Listing(found));
            self.out.exit(Exit::Left { undelivered: 0 });
        }
    }

    /// Takes in what somebody says of themselves, and not what a nodeset says of them.
    fn list(&mut self, listed: &wire::Listed) {
        let ListingConfig { suite, room, .. } = &self.config;
        let opened = listed.sealed.open(*suite, room);
        let named = |signed: &Signed| signed.beacon.handle == listed.handle;
        match opened.filter(named).filter(|signed| signed.is_genuine(*suite, room)) {
            // Who only came to say something is gone in a moment.
            Some(signed) if signed.beacon.once => {}
            Some(signed) => {
                let who = signed.beacon.person();
                self.found.insert(listed.handle, Listed { who, addr: listed.seen });
            }
            None => self.calls.blame.unauthenticated += 1,
        }
    }
}

impl Machine for Listing {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        self.now = self.now.max(now);
        let now = self.now;
        if self.done {
            return;
        }
        if self.client.is_none() {
            let (rng, config) = (self.config.seed.stream("client"), &self.config);
            self.client =
                Client::start(now, config.nodeset, config.room.tag(), rng, &mut self.calls);
        }
        match input {
            Input::Datagram { from, bytes } => self.datagram(now, from, bytes),
            Input::Unreachable(addr) if addr == self.config.nodeset => {
                self.done = true;
                self.out.exit(Exit::NobodyListens);
            }
            _ => {}
        }
        let Some(client) = &mut self.client else { return };
        client.tick(now, None, &mut self.calls);
        while !self.done
            && let Some((_, ask)) = self.calls.expired(now)
        {
            let Some(client) = &mut self.client else { return };
            let news = client.failed(now, ask, None, &mut self.calls);
            self.take(news);
        }
        self.calls.flush(now, &mut self.out);
    }

    fn poll(&mut self) -> Option<Action<'_>> {
        self.out.poll()
    }

    fn next_wake(&self) -> Option<Wake> {
        if self.done {
            return None;
        }
        let Some(client) = &self.client else {
            return Some(Wake {
                at: self.now + core::time::Duration::from_micros(1),
                why: "start",
            });
        };
        let call = self.calls.next_wake().map(|at| Wake { at, why: "call" });
        call.into_iter().chain(client.next_wake().map(|at| Wake { at, why: "nodeset" })).min()
    }

    fn footprint(&self) -> Vec<Table> {
        let mut tables = self.calls.footprint();
        tables.extend(self.client.iter().map(Client::footprint));
        tables.push(Table { name: "listed", len: self.found.len(), limit: LISTED_MAX });
        tables
    }

    fn blame(&self) -> Blame {
        self.calls.blame
    }

    fn digest(&self) -> u64 {
        let Self { client, calls, found, done, .. } = self;
        digest(&(client, calls, found, done))
    }

    fn check(&self) {
        self.calls.check();
        self.client.iter().for_each(Client::check);
    }
}
