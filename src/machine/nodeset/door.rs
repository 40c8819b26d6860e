//! A member answers what a nodeset would, for its own room (docs/PROTOCOL.md, "Doors"): who knows the room
//! comes in through anybody who is in it.
//!
//! No leases are kept: whoever comes greets everybody the roster names, as after that of any nodeset, and
//! asks again for what has changed. The roster is brought up to date when somebody asks for it.

use std::collections::BTreeMap;

use core::hash::{Hash, Hasher};
use core::net::SocketAddr;
use core::time::Duration;

use super::registry::{BESIDE_PAGE, datagram};
use super::roster::Roster;
use crate::machine::contract::{Blame, Table};
use crate::machine::cookie::Cookies;
use crate::machine::pace::{Pace, Rate};
use crate::machine::rng::{Rng, Seed};
use crate::machine::time::Time;
use crate::machine::who::beacon::Signed;
use crate::machine::who::ids::{Handle, PeerId, Tag};
use crate::machine::who::keys::Keys;
use crate::machine::wire::{
    ANYWHERE, Change, Cookie, Departure, Gone, HEADER, Listed, PROOF, RELAYED_ROOM, Request,
    Response, VERSION,
};

/// Questions that are answered: those of a full house at once, and from then on 250 a second. Those with a good
/// cookie count by themselves: all others may be what somebody saw pass, and sends again.
const ANSWERS: Rate = Rate::new(Duration::from_millis(4), 1024);

/// How often the roster is brought up to date at most.
const REFRESH_EVERY: Duration = Duration::from_millis(250);

/// Whoever can be introduced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// What they say of themselves.
    pub(crate) signed: &'a Signed,
    /// Where they are reached.
    pub(crate) seen: SocketAddr,
}

/// What a member knows as a nodeset of its room.
#[derive(Debug)]
pub(crate) struct Door {
    cookies: Cookies,
    roster: Roster,
    /// Who is in the roster: the number of their beacon, and where they are reached. Nobody has shown that a
    /// handle is theirs: several may claim one, and each is told.
    here: BTreeMap<(Handle, PeerId), (u32, SocketAddr)>,
    version: u64,
    refreshed: Option<Time>,
    answers: Pace,
    pages: Pace,
    rng: Rng,
}

/// The cookies follow from a seed, which no hash should tell.
impl Hash for Door {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { cookies: _, roster, here, version, refreshed, answers, pages, rng } = self;
        (roster, here, version, refreshed, (answers, pages), rng).hash(state);
    }
}

impl Door {
    pub(crate) fn new(seed: &Seed) -> Self {
        Self {
            cookies: Cookies::new(Seed(seed.bytes("door", 0))),
            roster: Roster::default(),
            here: BTreeMap::new(),
            version: 0,
            refreshed: None,
            answers: Pace::default(),
            pages: Pace::default(),
            rng: seed.stream("door"),
        }
    }

    /// Answers somebody who has shown that they know the room; `None` when what they ask is not for a
    /// member, and when there is too much of it.
    pub(crate) fn answer<'a>(
        &mut self,
        now: Time,
        (from, tag): (SocketAddr, Tag),
        request: &Request<'_>,
        (keys, known): (&Keys, impl Iterator<Item = Known<'a>>),
        blame: &mut Blame,
    ) -> Option<Response> {
        if let Request::DialBack { cookie, port } = *request {
            return self.dials_back(now, from, (cookie, port), blame);
        }
        let (room, cookie, have, most, register) = match *request {
            Request::Who { cookie, tag, have, most } => (tag, cookie, have, most, false),
            Request::Register { cookie, tag, have, most, .. } => (tag, cookie, have, most, true),
            Request::Foreign { .. } if self.answers.take(now, ANSWERS) => {
                return Some(Response::Version(VERSION));
            }
            Request::Deregister { tag: room, .. }
                if room == tag && self.answers.take(now, ANSWERS) =>
            {
                return Some(Response::Ok);
            }
            _ => {
                blame.unauthenticated += 1;
                return None;
            }
        };
        if room != tag {
            blame.unauthenticated += 1;
            return None;
        }
        let shown = self.cookies.accepts(now, from, cookie);
        let pace = if shown { &mut self.pages } else { &mut self.answers };
        if !pace.take(now, ANSWERS) {
            blame.over_limit += 1;
            return None;
        }
        if !shown {
            return Some(Response::Cookie(self.cookies.bake(now, from)));
        }
        self.refresh(now, keys, known);
        let space = (datagram(most) - PROOF).min(HEADER + RELAYED_ROOM) - BESIDE_PAGE;
        if register {
            let page = self.roster.page(have, space);
            return Some(Response::Lease { node: 0, elsewhere: 0, seen: from, page });
        }
        Some(Response::Page(match have {
            ANYWHERE => self.roster.any_page(&mut self.rng, space),
            _ => self.roster.part(have, space),
        }))
    }

    /// Answers at another port of the address of who asks, or with a cookie.
    fn dials_back(
        &mut self,
        now: Time,
        from: SocketAddr,
        (cookie, port): (Cookie, u16),
        blame: &mut Blame,
    ) -> Option<Response> {
        let shown = self.cookies.accepts(now, from, cookie);
        let pace = if shown { &mut self.pages } else { &mut self.answers };
        if !pace.take(now, ANSWERS) {
            blame.over_limit += 1;
            return None;
        }
        let mut at = from;
        at.set_port(port);
        Some(if shown {
            Response::Dialed { at }
        } else {
            Response::Cookie(self.cookies.bake(now, from))
        })
    }

    /// Brings the roster up to date.
    fn refresh<'a>(&mut self, now: Time, keys: &Keys, known: impl Iterator<Item = Known<'a>>) {
        if self.refreshed.is_some_and(|at| now.since(at) < REFRESH_EVERY) {
            return;
        }
        self.refreshed = Some(now);
        let mut gone = core::mem::take(&mut self.here);
        for Known { signed, seen } in known {
            let (handle, id) = (signed.beacon.handle, signed.beacon.id);
            let state = (signed.beacon.n, seen);
            if gone.remove(&(handle, id)) != Some(state) {
                let sealed = keys.seal(signed);
                self.roster.forget_departures(handle);
                self.put(now, id, Change::Present(Listed { handle, seen, sealed }));
            }
            self.here.insert((handle, id), state);
        }
        for (handle, id) in gone.into_keys() {
            // The departure of a handle would be that of whoever else has it.
            let mut others = self.here.range((handle, PeerId(0))..=(handle, PeerId(u64::MAX)));
            if others.next().is_some() {
                self.roster.withdraw(handle, id.0);
            } else {
                self.put(now, id, Change::Gone(Gone { handle, how: Departure::Timeout }));
            }
        }
    }

    fn put(&mut self, now: Time, id: PeerId, change: Change) {
        self.version += 1;
        self.roster.put_of(now, self.version, id.0, change);
    }

    pub(crate) fn footprint(&self, limit: usize) -> Table {
        Table { name: "introduced", len: self.here.len(), limit }
    }
}
