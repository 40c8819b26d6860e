//! Members as nodesets (docs/PROTOCOL.md, "Doors"): what we are asked as one, and whom we ask instead of one.

use core::net::SocketAddr;
use core::time::Duration;

use super::{Peer, Stage};
use crate::machine::call::{Arrival, Calls};
use crate::machine::member::Member;
use crate::machine::nodeset::DOORS_MAX;
use crate::machine::nodeset::client::Client;
use crate::machine::nodeset::door::Known;
use crate::machine::purpose::{LinkKey, Purpose};
use crate::machine::time::Time;
use crate::machine::who::beacon::Sealed;
use crate::machine::who::ids::{Handle, PeerId};
use crate::machine::wire::{ANYBODY, ANYWHERE, DATAGRAM_SMALL, Request, Response};

/// How soon yet others are asked, when those do not answer either.
const MOVE_ON_EVERY: Duration = Duration::from_secs(10);

/// How often who came in through a member asks for the nodeset that they were given: those who come through it
/// meet nobody else.
const ASK_GIVEN_EVERY: Duration = Duration::from_secs(60);

/// Whom we came in through, when that is a member.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(super) struct Through {
    /// Which process of our room has answered last as our nodeset, if it was one.
    incarnation: Option<u64>,
    /// When others were asked instead.
    moved_on: Option<Time>,
    /// How often it was asked who is new.
    looks: u32,
}

/// A member announces nobody: whoever came in through it asks so often, twice as late each time, and then
/// whenever they renew.
const LOOKS: u32 = 4;
const LOOK_FIRST: Duration = Duration::from_secs(1);

impl Through {
    /// A process has answered as our nodeset, and shown that it knows the room, or not.
    pub(super) fn answered(&mut self, incarnation: u64, proven: bool) {
        let member = proven.then_some(incarnation);
        if member != self.incarnation {
            *self = Self { incarnation: member, moved_on: None, looks: 0 };
        }
    }

    /// A lease was granted: when it is to be renewed, if that is soon.
    pub(super) fn looks_again(&mut self, now: Time) -> Option<Time> {
        let soon = self.incarnation.is_some() && self.looks < LOOKS;
        soon.then(|| {
            self.looks += 1;
            now + LOOK_FIRST * (1 << (self.looks - 1))
        })
    }

    /// The incarnation of the member.
    pub(super) const fn member(self) -> Option<u64> {
        self.incarnation
    }
}

impl Peer {
    /// Somebody who knows the room asks us what they would ask a nodeset.
    pub(super) fn asked(&mut self, arrival: &Arrival, seq: u32, request: &Request<'_>) {
        if !matches!(self.stage, Stage::Ready | Stage::Draining { .. }) {
            return;
        }
        let Self { door, members, calls, keys, me, seen, now, tag, out, .. } = self;
        let from = arrival.from;
        // Whoever asks knows better where we are.
        let own = seen.or_else(|| me.beacon.addrs.first().copied()).unwrap_or(from);
        let mut blame = core::mem::take(&mut calls.blame);
        let others = members.shown().filter_map(|(_, member)| introduced(member, calls));
        let known = core::iter::once(Known { signed: me, seen: own }).chain(others);
        let response = door.answer(*now, (from, *tag), request, (keys, known), &mut blame);
        calls.blame = blame;
        match &response {
            Some(Response::Dialed { at }) => {
                calls.reply_to_port(*now, (arrival, at.port()), seq, out);
            }
            Some(response) => calls.reply_stray(seq, response),
            None => {}
        }
        if let (Some(Response::Lease { .. }), Request::Register { token, sealed, .. }) =
            (response, request)
        {
            self.lets_in(from, Handle::of(*token), sealed);
        }
    }

    /// Somebody comes in through us, who receives what is sent to that address. They will greet us, and are
    /// greeted: of one side alone more is lost than may be.
    fn lets_in(&mut self, from: SocketAddr, handle: Handle, sealed: &Sealed) {
        self.calls.receives(from);
        let (members, mut ctx) = self.parts();
        members.comes_in((handle, sealed), from, &mut ctx);
    }

    /// A nodeset is at these addresses. It may still answer at those of before.
    pub(super) fn is_given(&mut self, addrs: &[SocketAddr]) {
        let before = core::mem::take(&mut self.given);
        for addr in addrs.iter().copied().chain(before) {
            if self.given.len() < 2 * DOORS_MAX && !self.given.contains(&addr) {
                self.given.push(addr);
            }
        }
    }

    /// Whether it is the answer of somebody who is no nodeset that we were given, and does not show that they
    /// know the room: somebody else has the address of a member by now.
    pub(super) fn is_no_member(&self, arrival: &Arrival) -> bool {
        let clear = !arrival.sender.is_sealed() && !arrival.proven;
        clear && !self.given.contains(&arrival.from)
    }

    /// When the member we ask as a nodeset does not answer, others are asked: any of them will do.
    pub(super) fn go_through_others(&mut self) {
        let Some(incarnation) = self.through.member().filter(|_| self.holds_a_place()) else {
            return;
        };
        let Some(client) = &self.client else { return };
        let moved_on = self.through.moved_on.is_some_and(|at| self.now.since(at) < MOVE_ON_EVERY);
        if moved_on || client.serves().is_some() {
            return;
        }
        self.through.moved_on = Some(self.now);
        // Who is reached through others is asked by those: what comes first spoils the way to them.
        let direct =
            |member: &Member| member.reach.path().is_some_and(|path| !self.calls.is_relayed(path));
        let of =
            |member: &Member| member.record.beacon().incarnation != incarnation && direct(member);
        let others = self.members.shown().filter(|(_, member)| of(member));
        let known = others.filter_map(|(_, member)| introduced(member, &self.calls));
        let addrs: Vec<SocketAddr> = known.map(|known| known.seen).take(DOORS_MAX).collect();
        if !addrs.is_empty() && addrs != self.doors.addrs {
            self.nodeset_is_at(&addrs);
        }
    }

    /// Where others come in: at the nodeset, or at our own address when there is none that answers.
    pub(super) fn entrance(&self) -> SocketAddr {
        let own = self.me.beacon.addrs.first().copied().or(self.seen);
        let nodeset = self.through.member().is_none() && self.hears_nodeset();
        own.filter(|_| !nodeset).unwrap_or_else(|| self.nodeset())
    }

    /// Who came in through a member goes back to the nodeset when that is there again.
    pub(super) fn ask_given(&mut self) {
        if self.through.member().is_none() {
            self.asked_given.1 = None;
            return;
        }
        let (turn, asked) = self.asked_given;
        let soon = asked.is_some_and(|at| self.now.since(at) < ASK_GIVEN_EVERY);
        if soon || !self.holds_a_place() {
            return;
        }
        self.asked_given = (turn.wrapping_add(1), Some(self.now));
        let here = self.client.as_ref().and_then(|client| self.calls.addr(client.link()));
        let addr = self.given.get(turn % self.given.len().max(1)).copied();
        let Some(addr) = addr.filter(|_| here.is_none_or(|here| !self.given.contains(&here)))
        else {
            return;
        };
        let most = DATAGRAM_SMALL as u16;
        let who = Request::Who { cookie: [0; 8], tag: self.tag, have: ANYWHERE, most };
        if let Some(link) = self.calls.open(self.now, addr, (PeerId(0), ANYBODY)) {
            self.calls.request(self.now, link, Purpose::Given, &who);
        }
    }

    /// When others are to be asked next, for us or for the nodeset that we were given.
    pub(super) fn doors_wake(&self) -> Option<Time> {
        self.through.member().filter(|_| self.holds_a_place())?;
        let silent = self.client.as_ref().is_some_and(|client| client.serves().is_none());
        let others = self.through.moved_on.filter(|_| silent).map(|at| at + MOVE_ON_EVERY);
        let given = self.asked_given.1.map(|at| at + ASK_GIVEN_EVERY);
        others.into_iter().chain(given).min()
    }

    /// Somebody answers where the nodeset is that we were given.
    pub(super) fn given_answered(&mut self, arrival: &Arrival, link: LinkKey) {
        self.ends_given(link);
        // A member there is as good as the one we ask.
        if arrival.proven || !self.holds_a_place() || self.through.member().is_none() {
            return;
        }
        let mut addrs = vec![arrival.from];
        addrs.extend(self.given.iter().copied().filter(|addr| *addr != arrival.from));
        self.nodeset_is_at(&addrs);
    }

    /// It is not asked there any more, unless as our nodeset meanwhile.
    pub(super) fn ends_given(&mut self, link: LinkKey) {
        if self.client.as_ref().is_none_or(|client| client.link() != link) {
            self.calls.close(self.now, link);
        }
    }

    pub(super) fn holds_a_place(&self) -> bool {
        let held =
            self.client.as_ref().and_then(Client::lease).is_some_and(|lease| lease.is_held());
        held && matches!(self.stage, Stage::Ready | Stage::Draining { .. })
    }
}

/// Whom we can introduce: who answers us, and where.
fn introduced<'a>(member: &'a Member, calls: &Calls<Purpose>) -> Option<Known<'a>> {
    let path = member.reach.path().filter(|&path| member.has_way(calls) && !calls.is_relayed(path));
    let direct = path.and_then(|path| calls.addr(path));
    let last =
        || member.reach.last().or_else(|| member.reach.seen()).filter(|_| member.has_way(calls));
    Some(Known { signed: member.record.signed(), seen: direct.or_else(last)? })
}
