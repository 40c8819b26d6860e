//! One member: who they are, the ways to them, whether they are here, and what is said both ways.

use super::{Liveness, Reach, Reachable, Record, Streams};
use crate::machine::call::{Arrival, Calls};
use crate::machine::pace::Pace;
use crate::machine::purpose::{LinkKey, Purpose};
use crate::machine::time::Time;
use crate::machine::who::beacon::Beacon;
use crate::machine::whom::Known;

#[derive(Debug, Hash)]
pub(crate) struct Member {
    pub(crate) record: Record,
    pub(crate) reach: Reach,
    pub(crate) life: Liveness,
    pub(super) reachable: Reachable,
    pub(crate) streams: Streams,
    /// How many introductions of theirs were heeded.
    pub(super) introduces: Pace,
}

impl Member {
    /// As somebody who may be meant by a word.
    pub(crate) fn known(&self) -> Known<'_> {
        let Beacon { id, key, incarnation, .. } = *self.record.beacon();
        Known { id, key, name: self.record.name(), incarnation, here: self.reads_here() }
    }

    /// Whether they are here and read what is said.
    pub(crate) fn reads_here(&self) -> bool {
        self.life.is_shown() && self.record.is_reader()
    }

    /// The path, when it works: it answers, and was heard since it was last to be asked.
    pub(super) fn working_path(&self, now: Time, calls: &Calls<Purpose>) -> Option<LinkKey> {
        let works = |path: &LinkKey| {
            now.since(calls.heard(*path)) < self.life.heard_every() && !calls.is_silent(*path)
        };
        self.reach.path().filter(works)
    }

    /// Whether our stream to them is shut, and no hello is under way that could open it.
    pub(super) fn lacks_hello(&self) -> bool {
        !self.streams.out().open && !self.reach.is_greeting()
    }

    /// Whether there is a path that answers.
    pub(crate) fn has_way(&self, calls: &Calls<Purpose>) -> bool {
        self.reach.path().is_some_and(|path| !calls.is_silent(path))
    }

    /// Whether calls over their path are late in a row, or fail.
    pub(super) fn is_in_doubt(&self, calls: &Calls<Purpose>) -> bool {
        self.reach.path().is_none_or(|path| calls.is_doubtful(path))
    }

    /// Whether there is no way to them, as people were told.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.reachable.is_told()
    }

    /// Whether they may be lost, as people were told.
    pub(crate) fn may_be_lost(&self) -> bool {
        self.reachable.may_be_lost()
    }

    /// How many bytes may be sent to where a datagram of theirs came from before they have answered there;
    /// no limit where a nodeset vouches for them and it or they name that address. A link of theirs proves
    /// nothing before: somebody on the path may send on what they say.
    pub(super) fn credit_at(&self, arrival: &Arrival) -> Option<usize> {
        let known = self.record.is_introduced() && self.reach.is_named(arrival.from);
        if known { None } else { Some(arrival.credit) }
    }

    /// They gave a sign of life.
    pub(super) fn lives(&mut self, now: Time) {
        self.reach.heard();
        self.life.lives(now);
    }

    pub(super) fn next_deadline(&self) -> Time {
        let here = self.life.is_shown();
        let told = here.then(|| [self.record.renames_at(), self.streams.next_deadline()]);
        let first = self.life.next_deadline(self.reach.path().is_some());
        let ways = [self.reach.next_deadline(), self.reachable.tells_at()];
        let others = told.into_iter().flatten().chain(ways).flatten();
        others.fold(first, Time::min)
    }
}
