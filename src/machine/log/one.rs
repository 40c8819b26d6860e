//! The log of one process, as far as it is kept.

use std::collections::VecDeque;

use super::entry::{Seal, Words, put_entry};
use crate::machine::keyed::MAC;
use crate::machine::who::beacon::Signed;

/// How far apart two entries of one log may be that are both kept.
pub(super) const GAP_MAX: u32 = 1_000;

/// The log of one process.
#[derive(Debug, Hash)]
pub(super) struct One {
    pub(super) author: Signed,
    /// Which entry the first of `entries` is.
    pub(super) first: u32,
    /// `None` where one is missing; never at either end.
    pub(super) entries: VecDeque<Option<Entry>>,
    /// What comes before this one is not asked for.
    pub(super) floor: u32,
    /// The hash of the newest there ever was, once none is kept.
    pub(super) last: [u8; MAC],
    /// What is missing before this one was told of.
    pub(super) told: u32,
    /// Its author signed two entries of one place: what comes behind is not taken.
    pub(super) forked: bool,
    /// We write it.
    pub(super) ours: bool,
}

#[derive(Debug, Hash)]
pub(super) struct Entry {
    pub(super) seal: Seal,
    pub(super) number: u64,
    pub(super) action: bool,
    pub(super) text: String,
    pub(super) hash: [u8; MAC],
    /// Its place among all: the clock of the seal for whoever is honest.
    pub(super) order: u64,
}

impl One {
    pub(super) fn new(author: Signed) -> Self {
        Self {
            author,
            first: 1,
            entries: VecDeque::new(),
            floor: 1,
            last: [0; MAC],
            told: 0,
            forked: false,
            ours: false,
        }
    }

    pub(super) fn index(&self, seq: u32) -> Option<usize> {
        seq.checked_sub(self.first).map(|index| index as usize)
    }

    pub(super) fn get(&self, seq: u32) -> Option<&Entry> {
        self.entries.get(self.index(seq)?)?.as_ref()
    }

    /// The place behind the newest.
    pub(super) fn next(&self) -> u32 {
        self.first.saturating_add(u32::try_from(self.entries.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn newest(&self) -> Option<&Entry> {
        self.entries.back()?.as_ref()
    }

    /// Makes a slot for that place, if it is near enough to the others.
    pub(super) fn slot(&mut self, seq: u32) -> Option<&mut Option<Entry>> {
        if self.entries.is_empty() {
            self.first = seq;
        }
        while seq < self.first {
            if self.first - seq > GAP_MAX {
                return None;
            }
            self.entries.push_front(None);
            self.first -= 1;
        }
        let index = self.index(seq)?;
        if index >= self.entries.len() + GAP_MAX as usize {
            return None;
        }
        while self.entries.len() <= index {
            self.entries.push_back(None);
        }
        self.entries.get_mut(index)
    }

    /// Takes the oldest out, and the gap behind it.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        let oldest = self.entries.pop_front().flatten();
        self.first += 1;
        while matches!(self.entries.front(), Some(None)) {
            self.entries.pop_front();
            self.first += 1;
        }
        self.floor = self.floor.max(self.first);
        self.last = oldest.as_ref().map_or(self.last, |oldest| oldest.hash);
        oldest
    }
}

impl Entry {
    fn words(&self) -> Words<'_> {
        Words { number: self.number, action: self.action, text: &self.text }
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_entry(out, &self.seal, self.words());
    }

    pub(super) fn size(&self) -> usize {
        8 + 1 + self.seal.size() + 2 + self.text.len()
    }
}
