//! Members as nodesets (docs/PROTOCOL.md, "Doors"): what we are asked as one, and whom we ask instead of one.

use core::net::SocketAddr;
use core::time::Duration;

use super::{Peer, Stage};
use crate::machine::call::{Arrival, Calls};
use crate::machine::member::Member;
use crate::machine::nodeset::DOORS_MAX;
use crate::machine::nodeset::client::Client;
use crate::machine::nodeset::door::Known;
use crate::machine::purpose::Purpose;
use crate::machine::time::Time;
use crate::machine::wire::Request;

/// How soon yet others are asked, when those do not answer either.
const MOVE_ON_EVERY: Duration = Duration::from_secs(10);

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
        let Self { door, members, calls, keys, me, seen, now, tag, .. } = self;
        let from = arrival.from;
        // Whoever asks knows better where we are.
        let own = seen.or_else(|| me.beacon.addrs.first().copied()).unwrap_or(from);
        let mut blame = core::mem::take(&mut calls.blame);
        let others = members.shown().filter_map(|(_, member)| introduced(member, calls));
        let known = core::iter::once(Known { signed: me, seen: own }).chain(others);
        let response = door.answer(*now, (from, *tag), request, (keys, known), &mut blame);
        calls.blame = blame;
        if let Some(response) = response {
            calls.reply_stray(seq, &response);
        }
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
        let of = |member: &Member| member.record.beacon().incarnation != incarnation;
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

    fn holds_a_place(&self) -> bool {
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
