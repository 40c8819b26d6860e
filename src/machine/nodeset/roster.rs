//! Who is in one room, as a nodeset knows it: the latest change of each member, by version.
//!
//! Every change gets the next version, and a member's latest change replaces its earlier one. So
//! "what is new since version v" is a range, and the one mechanism serves the first roster, its
//! pages, the heartbeat that catches up, and the announcements. A departure stays as a tombstone for
//! those who have not heard of it, and against late datagrams of those who said goodbye.

use std::collections::BTreeMap;

use core::time::Duration;

use crate::machine::rng::Rng;
use crate::machine::time::Time;
use crate::machine::who::ids::Handle;
use crate::machine::wire::{Change, Departure, Gone, Listed, Page};

/// How long a goodbye is remembered, and an empty room.
pub(crate) const DEPARTURE_KEPT: Duration = Duration::from_secs(120);

/// Departures that are told per room; the oldest is forgotten first.
const TOMBSTONES_MAX: usize = 256;

/// A member: their handle, and what tells apart who claim the same one, where nobody has to show that it is
/// theirs.
type Key = (Handle, u64);

#[derive(Debug, Default, Hash)]
pub(crate) struct Roster {
    changes: BTreeMap<u64, Change>,
    /// The version of each member's latest change, and when that was.
    version_of: BTreeMap<Key, (u64, Time)>,
    tombstones: usize,
}

impl Roster {
    /// Records the latest change of a member under a version greater than all before.
    pub(crate) fn put(&mut self, now: Time, version: u64, change: Change) {
        self.put_of(now, version, 0, change);
    }

    /// The same where several may claim one handle: of that one of them.
    pub(crate) fn put_of(&mut self, now: Time, version: u64, which: u64, change: Change) {
        let handle = match &change {
            Change::Present(listed) => listed.handle,
            Change::Gone(gone) => gone.handle,
        };
        if let Some((before, _)) = self.version_of.insert((handle, which), (version, now)) {
            let before = self.changes.remove(&before);
            self.tombstones -= usize::from(matches!(before, Some(Change::Gone(_))));
        }
        self.tombstones += usize::from(matches!(change, Change::Gone(_)));
        self.changes.insert(version, change);
        if self.tombstones > TOMBSTONES_MAX {
            let gone = |(_, change): &(&u64, &Change)| matches!(change, Change::Gone(_));
            let oldest = self.changes.iter().find(gone).map(|(&version, _)| version);
            self.forget(oldest.unwrap_or_default());
        }
    }

    /// Whether that member, which is one process, has said goodbye not long ago: what it asked before
    /// may come again for as long as a cookie may be good.
    pub(crate) fn has_left(&self, now: Time, handle: Handle) -> bool {
        let latest = self.version_of.get(&(handle, 0));
        let latest = latest.filter(|(_, at)| now.since(*at) < DEPARTURE_KEPT);
        let change = latest.and_then(|(version, _)| self.changes.get(version));
        matches!(change, Some(Change::Gone(gone)) if matches!(gone.how, Departure::Quit(_)))
    }

    /// The changes after `have`, as many as fit `room` bytes. The page reaches back to the change
    /// before it and up to the one after it: there is nothing in between.
    pub(crate) fn page(&self, have: u64, room: usize) -> Page {
        self.fill(have, room, |change| Some(change.clone()))
    }

    /// The same for somebody who reads the room, and need not know how people went.
    pub(crate) fn part(&self, have: u64, room: usize) -> Page {
        self.fill(have, room, |change| Some(briefly(change)))
    }

    /// A page that begins at a member drawn by lot; when they all fit on one, that one. Whoever asks for
    /// it knows nobody, and needs to hear of no departures then.
    pub(crate) fn any_page(&self, rng: &mut Rng, room: usize) -> Page {
        let is_here = |change: &Change| matches!(change, Change::Present(_));
        let all = self.fill(0, room, |change| is_here(change).then(|| change.clone()));
        if all.reached == all.current {
            return all;
        }
        let place = rng.below(self.present() as u64) as usize;
        let mut here = self.changes.iter().filter(|(_, change)| is_here(change));
        let version = here.nth(place).map_or(1, |(&version, _)| version);
        self.part(version - 1, room)
    }

    fn fill(&self, have: u64, mut room: usize, told: impl Fn(&Change) -> Option<Change>) -> Page {
        let current = self.changes.last_key_value().map_or(0, |(&version, _)| version);
        let have = if have > current { 0 } else { have };
        let before = self.changes.range(..=have).next_back();
        let after = before.map_or(0, |(&version, _)| version);
        let mut page = Page { after, reached: current, current, changes: Vec::new() };
        let changes = self.changes.range(have + 1..);
        for (&version, change) in changes.filter_map(|(at, change)| Some((at, told(change)?))) {
            if change.size() > room {
                page.reached = version - 1;
                return page;
            }
            room -= change.size();
            page.changes.push(change);
        }
        page
    }

    /// The next announcement to a member that has heard everything up to `have`: changes of one
    /// kind, none about itself, as many as fit `room` bytes.
    pub(crate) fn announcement(&self, have: u64, to: Handle, mut room: usize) -> Announcement {
        let (mut here, mut gone, mut reached) = (Vec::new(), Vec::new(), have);
        for (&version, change) in self.changes.range(have.saturating_add(1)..) {
            match change {
                Change::Present(listed) if listed.handle == to => {}
                Change::Gone(departed) if departed.handle == to => {}
                Change::Present(listed) if gone.is_empty() && listed.size() <= room => {
                    room -= listed.size();
                    here.push(listed.clone());
                }
                Change::Gone(departed) if here.is_empty() && departed.size() <= room => {
                    room -= departed.size();
                    gone.push(departed.clone());
                }
                _ => break,
            }
            reached = version;
        }
        match (here.is_empty(), gone.is_empty()) {
            (false, _) => Announcement::Here { reached, members: here },
            (true, false) => Announcement::Gone { reached, members: gone },
            (true, true) => Announcement::None { reached },
        }
    }

    /// Forgets the departure that has that version. False when there is none.
    pub(crate) fn forget(&mut self, version: u64) -> bool {
        if !self.tells_departure(version) {
            return false;
        }
        if let Some(Change::Gone(Gone { handle, .. })) = self.changes.remove(&version) {
            let mut of = self.version_of.range((handle, 0)..=(handle, u64::MAX));
            let key = of.find(|(_, (at, _))| *at == version).map(|(&key, _)| key);
            key.and_then(|key| self.version_of.remove(&key));
            self.tombstones -= 1;
        }
        true
    }

    /// Tells no change of one of those who claim a handle.
    pub(crate) fn withdraw(&mut self, handle: Handle, which: u64) {
        let Some((version, _)) = self.version_of.remove(&(handle, which)) else { return };
        let change = self.changes.remove(&version);
        self.tombstones -= usize::from(matches!(change, Some(Change::Gone(_))));
    }

    /// Tells no departure of that handle: somebody has it.
    pub(crate) fn forget_departures(&mut self, handle: Handle) {
        let of = self.version_of.range((handle, 0)..=(handle, u64::MAX));
        let versions: Vec<u64> = of.map(|(_, &(version, _))| version).collect();
        for version in versions {
            self.forget(version);
        }
    }

    /// Whether the change of that version is a departure, and still told.
    pub(crate) fn tells_departure(&self, version: u64) -> bool {
        matches!(self.changes.get(&version), Some(Change::Gone(_)))
    }

    /// How many departures are told.
    pub(crate) const fn departed(&self) -> usize {
        self.tombstones
    }

    /// How many are here.
    pub(crate) fn present(&self) -> usize {
        self.changes.len() - self.tombstones
    }

    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    pub(crate) fn check(&self) {
        assert_eq!(self.changes.len(), self.version_of.len());
        let gone = self.changes.values().filter(|change| matches!(change, Change::Gone(_)));
        assert_eq!(gone.count(), self.tombstones);
        assert!(self.tombstones <= TOMBSTONES_MAX);
    }
}

/// A change without the goodbye that proves it.
fn briefly(change: &Change) -> Change {
    match change {
        Change::Gone(Gone { handle, how: Departure::Quit(_) }) => {
            Change::Gone(Gone { handle: *handle, how: Departure::Timeout })
        }
        other => other.clone(),
    }
}

/// What a member is to be told next.
#[derive(Debug)]
pub(crate) enum Announcement {
    None { reached: u64 },
    Here { reached: u64, members: Vec<Listed> },
    Gone { reached: u64, members: Vec<Gone> },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::who::beacon::SEALED;
    use crate::machine::who::beacon::Sealed;

    fn here(handle: u64) -> Change {
        let sealed = Sealed(std::sync::Arc::new([handle as u8; SEALED]));
        let seen = "10.0.0.1:1".parse().unwrap();
        Change::Present(Listed { handle: Handle(handle), seen, sealed })
    }

    fn gone(handle: u64, how: Departure) -> Change {
        Change::Gone(Gone { handle: Handle(handle), how })
    }

    fn quit() -> Departure {
        Departure::Quit(Sealed(std::sync::Arc::new([0; SEALED])))
    }

    #[test]
    fn pages_bring_every_member_once() {
        let mut roster = Roster::default();
        (1..=50).for_each(|id| roster.put(Time::ZERO, id, here(id)));
        roster.put(Time::ZERO, 51, gone(7, quit()));
        let (mut have, mut found) = (0, Vec::new());
        loop {
            let page = roster.page(have, 1000);
            found.extend(page.changes.into_iter().filter(|c| matches!(c, Change::Present(_))));
            have = page.reached;
            if have == page.current {
                break;
            }
        }
        assert_eq!(found.len(), 49, "everybody but the one who left");
        roster.check();
    }

    #[test]
    fn announcements_keep_the_order_of_arrivals_and_departures() {
        let mut roster = Roster::default();
        roster.put(Time::ZERO, 1, here(1));
        roster.put(Time::ZERO, 2, here(2));
        roster.put(Time::ZERO, 3, gone(9, Departure::Timeout));
        roster.put(Time::ZERO, 4, here(3));
        let Announcement::Here { reached: 2, members } = roster.announcement(0, Handle(1), 1000)
        else {
            panic!("first those who are here, without the reader")
        };
        assert_eq!(members.len(), 1);
        assert!(matches!(
            roster.announcement(2, Handle(1), 1000),
            Announcement::Gone { reached: 3, .. }
        ));
        assert!(matches!(
            roster.announcement(4, Handle(1), 1000),
            Announcement::None { reached: 4 }
        ));
    }

    #[test]
    fn tombstones_are_bounded_and_keep_the_dead_away() {
        let mut roster = Roster::default();
        let last = TOMBSTONES_MAX as u64 + 10;
        (1..=last).for_each(|id| roster.put(Time::ZERO, id, gone(id, quit())));
        roster.check();
        assert_eq!(roster.len(), TOMBSTONES_MAX);
        assert!(roster.has_left(Time::ZERO, Handle(last)));
        assert!(!roster.has_left(Time::ZERO, Handle(1)), "the oldest is forgotten");
        roster.put(Time::ZERO, last + 1, gone(last, Departure::Timeout));
        assert!(!roster.has_left(Time::ZERO, Handle(last)), "who timed out may come back");
    }
}
