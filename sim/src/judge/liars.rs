//! Attackers, as the model sees them: who they are, and how much of them people are shown.

use std::collections::{BTreeMap, BTreeSet};

use chatrpc::machine::{Name, PeerId, Person};

use super::Judge;

/// Messages of one process that a reader is shown at once, and in a second from then on: more than
/// anybody can read.
const LINES_BURST: u64 = 1_000;
const LINES_PER_SECOND: u64 = 100;

/// The same for other names.
const NAMES_BURST: u64 = 3;
const NAMES_PER_SECOND: u64 = 1;

/// Everybody who may claim anything.
#[derive(Debug, Default)]
pub(crate) struct Liars {
    ids: BTreeSet<PeerId>,
    /// The names they went by.
    pub(crate) names: BTreeSet<Name>,
    /// The nodeset is one of them, or was.
    pub(crate) nodeset: bool,
    /// How much each reader may still be shown of each: lines, and names.
    lines: BTreeMap<(usize, PeerId), Bucket>,
    renames: BTreeMap<(usize, PeerId), Bucket>,
}

/// An allowance that fills with time.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// In millionths.
    used: u64,
    at: u64,
}

impl Bucket {
    /// Uses up one; false when there was none.
    const fn take(&mut self, now: u64, burst: u64, per_second: u64) -> bool {
        self.used = self.used.saturating_sub((now - self.at) * per_second) + 1_000_000;
        self.at = now;
        self.used <= burst * 1_000_000
    }
}

impl Liars {
    /// How many faces they have shown so far; one that has none is one as well.
    pub(crate) fn count(&self) -> usize {
        self.ids.len().max(1)
    }

    /// Whether that process is an attacker's.
    pub(crate) fn are(&self, id: PeerId) -> bool {
        self.ids.contains(&id)
    }
}

impl Judge {
    /// An attacker shows a face: from here on that process may claim anything.
    pub fn lies(&mut self, face: &Person) {
        self.liars.ids.insert(face.id);
        self.liars.names.insert(face.name.clone());
    }

    /// The nodeset is an attacker's.
    pub const fn nodeset_lies(&mut self) {
        self.liars.nodeset = true;
    }

    /// How many of that many readers may be faces of attackers, also ones that are not shown yet.
    pub(crate) fn liars_among(&self, seat: usize, readers: usize) -> usize {
        let people = &self.seats[seat].people;
        let honest = people.iter().filter(|person| !self.liars.are(person.id)).count();
        readers.saturating_sub(honest)
    }

    /// A message of an attacker is shown: nobody else said it, so nothing is known of it.
    pub(crate) fn shown_of_liar(&mut self, seat: usize, from: &Person) {
        self.is_present(seat, from);
        let bucket = self.liars.lines.entry((seat, from.id)).or_default();
        if !bucket.take(self.now, LINES_BURST, LINES_PER_SECOND) {
            let text = format!("{} fills the screen", self.label(from.id));
            self.fail("paced", seat, text);
        }
    }

    /// An attacker is shown under another name.
    pub(crate) fn renamed_liar(&mut self, seat: usize, id: PeerId) {
        let bucket = self.liars.renames.entry((seat, id)).or_default();
        if !bucket.take(self.now, NAMES_BURST, NAMES_PER_SECOND) {
            let text = format!("{} changes its name all the time", self.label(id));
            self.fail("paced", seat, text);
        }
    }
}

#[cfg(test)]
mod tests;
