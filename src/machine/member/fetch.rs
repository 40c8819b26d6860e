//! Entries of one log that are asked for in parts, several at a time, and read in their order.

use std::collections::{BTreeMap, BTreeSet};

use crate::machine::codec::{Malformed, Reader};
use crate::machine::log::{SEAL_MAX, Seal, Words, entry};
use crate::machine::purpose::MemberKey;
use crate::machine::text::TEXT_MAX;
use crate::machine::time::Time;
use crate::machine::who::ids::PeerId;

/// Parts that are asked for at once, as far as the entries that are wanted may fill them.
const OPEN_MAX: usize = 8;

/// Bytes of an entry with a short line.
const ENTRY_USUAL: u32 = 160;

/// What is asked of one member.
#[derive(Debug, Hash)]
pub(crate) struct Fetch {
    /// Whom.
    pub(crate) giver: MemberKey,
    /// The entry that is read next, and the first that is not wanted.
    from: u32,
    to: u32,
    /// So many bytes of entries are behind us: parts are counted from the first one that was wanted.
    first: u32,
    /// Bytes of one part.
    most: u16,
    /// What was asked for and did not come yet; what came too early, by where it begins.
    open: BTreeSet<u32>,
    early: BTreeMap<u32, Vec<u8>>,
    /// Where the next part begins, and where the bytes end, once that is known.
    next: u32,
    end: Option<u32>,
    /// Bytes in their order, from `read` on, that make no whole entry yet.
    bytes: Vec<u8>,
    read: u32,
    /// When something came last.
    pub(crate) heard: Time,
}

impl Fetch {
    pub(crate) fn new(now: Time, giver: MemberKey, (from, to): (u32, u32), most: u16) -> Self {
        Self {
            giver,
            from,
            to,
            first: from,
            most,
            open: BTreeSet::new(),
            early: BTreeMap::new(),
            next: 0,
            end: None,
            bytes: Vec::new(),
            read: 0,
            heard: now,
        }
    }

    /// The next part to ask for: from which entry, without how many bytes, how many.
    pub(crate) fn wants(&self) -> Option<(u32, u32, u16)> {
        let more = self.end.is_none_or(|end| self.next < end) && self.from < self.to;
        let left = (self.to - self.from).saturating_mul(ENTRY_USUAL) / u32::from(self.most) + 1;
        let room = self.open.len() + self.early.len() < OPEN_MAX.min(left as usize);
        (more && room).then_some((self.first, self.next, self.most))
    }

    /// It is asked for.
    pub(crate) fn asked(&mut self) {
        self.open.insert(self.next);
        self.next = self.next.saturating_add(u32::from(self.most));
    }

    /// A part has come. `take` gets each entry that is whole now.
    ///
    /// # Errors
    ///
    /// It was not asked for, or is no part of a log.
    pub(crate) fn came(
        &mut self,
        now: Time,
        (skip, bytes, more): (u32, &[u8], bool),
        mut take: impl FnMut(&Seal, Words<'_>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let most = usize::from(self.most);
        if !self.open.remove(&skip) || bytes.len() > most || more && bytes.len() < most {
            return Err(Malformed);
        }
        self.heard = now;
        if !more {
            let end = skip.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            self.end = Some(self.end.map_or(end, |before| before.min(end)));
        }
        self.early.insert(skip, bytes.to_vec());
        while let Some(part) = self.early.remove(&self.read) {
            self.read = self.read.saturating_add(u32::try_from(part.len()).unwrap_or(u32::MAX));
            self.bytes.extend_from_slice(&part);
            if part.len() < most {
                break;
            }
        }
        let mut reader = Reader::new(&self.bytes);
        let mut done = 0;
        while self.from < self.to && !reader.is_empty() {
            let Ok((seal, words)) = entry(&mut reader) else { break };
            if seal.seq != self.from {
                return Err(Malformed);
            }
            take(&seal, words)?;
            self.from += 1;
            done = self.bytes.len() - reader.len();
        }
        self.bytes.drain(..done);
        // No entry is so large.
        if self.bytes.len() > ENTRY_MAX { Err(Malformed) } else { Ok(()) }
    }

    /// Whether that entry is among what is still to come.
    pub(crate) const fn covers(&self, seq: u32) -> bool {
        seq >= self.from && seq < self.to
    }

    /// How many parts are under way.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// What is still to be asked for, if that is done in parts that are larger than so.
    pub(crate) fn again(&self, log: PeerId, small: u16) -> Option<Wanted> {
        let (giver, range) = (self.giver, (self.from, self.to));
        (self.most > small).then_some(Wanted { giver, log, range })
    }

    /// Nothing more is to come.
    pub(crate) fn is_over(&self) -> bool {
        let all = self.end.is_some_and(|end| self.read >= end);
        all || self.from >= self.to || self.open.is_empty() && self.wants().is_none()
    }
}

/// Bytes of the largest entry.
const ENTRY_MAX: usize = 8 + 1 + SEAL_MAX + 2 + TEXT_MAX;

/// What is wanted of a log, and of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub(crate) giver: MemberKey,
    pub(crate) log: PeerId,
    pub(crate) range: (u32, u32),
}
