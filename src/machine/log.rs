//! What was said to the room, by author, signed and in one order: kept by everybody for whoever lacks it
//! (docs/PROTOCOL.md, "Entries").
//!
//! Each process has a log of its own. What is kept are the newest entries of all logs together; whoever has
//! them hands them on, and who reads them needs to trust nobody but their authors.

mod entry;
mod one;

use std::collections::BTreeMap;

use core::hash::{Hash, Hasher};
use core::time::Duration;

pub(crate) use self::entry::{CLOCK_MAX, SEAL_MAX, Words, entry};
pub use self::entry::{Deps, Place, Seal};
use self::entry::{Notary, SEQ_MAX};
use self::one::{Entry, GAP_MAX, One};
use crate::machine::keyed::{MAC, mac};
use crate::machine::time::Time;
use crate::machine::who::beacon::Signed;
use crate::machine::who::ids::PeerId;
use crate::machine::who::keys::Keys;

/// What is kept of all logs together: entries, bytes of text, and how long.
pub(crate) const ENTRIES_MAX: usize = 1_000;
pub(crate) const BYTES_MAX: usize = 4 << 20;
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Of which one log may have so many, once there are too many.
const EACH_MAX: usize = 250;

/// Logs that are known. A process that came to say one thing has one, too.
pub(crate) const LOGS_MAX: usize = 256;

/// A clock that is so far ahead of ours is not followed.
const AHEAD: u64 = 10 * 60 * 1000;

/// Two compare the heads of the logs in which something was said within that time, in milliseconds.
const COMPARED: u64 = 10 * 60 * 1000;

/// The digest where nothing was said in that time.
pub(crate) const NOTHING: u64 = 1;

/// Entries that nobody has followed yet, and that what we say next may follow.
const TIPS_MAX: usize = 32;

/// Heads in one page: they fit a datagram, also through a relay.
pub(crate) const HEADS_MAX: usize = 30;

/// Places of all logs together, with those between others where nothing is: who leaves gaps fills no memory.
const SLOTS_MAX: usize = 4 * ENTRIES_MAX;

/// What somebody has of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    /// Whose log.
    pub log: PeerId,
    /// The first entry, as far as it is kept.
    pub first: u32,
    /// The place behind the newest.
    pub next: u32,
    /// The clock of the newest.
    pub clock: u64,
    /// The first bytes of its hash.
    pub hash: [u8; 8],
}

/// All logs of a room.
#[derive(Debug)]
pub(crate) struct Log {
    /// The room's time when we started, in milliseconds since 1970.
    started: u64,
    logs: BTreeMap<PeerId, One>,
    entries: usize,
    bytes: usize,
    /// What is not newer than this is not kept any more.
    horizon: u64,
    /// From which entry on the logs of those who are here come to us.
    coming: BTreeMap<PeerId, u32>,
    /// The greatest clock that was seen.
    clock: u64,
    /// What nobody has followed yet, as far as was seen.
    tips: Vec<(u64, Place)>,
    notary: Notary,
    spare: Vec<String>,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is kept, and was not before.
    New,
    /// It was there before.
    Known,
    /// It is older than what is kept.
    Old,
    /// Its author did not sign it.
    Forged,
    /// Its author signed another one for the same place, which is told once.
    Forked { news: bool },
}

/// An entry that is kept, as it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) author: &'a Signed,
    pub(crate) number: u64,
    pub(crate) action: bool,
    pub(crate) text: &'a str,
    pub(crate) clock: u64,
}

/// What is kept for reuse says nothing.
impl Hash for Log {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            started,
            logs,
            entries,
            bytes,
            horizon,
            coming,
            clock,
            tips,
            notary: _,
            spare: _,
        } = self;
        (started, logs, entries, bytes, horizon, coming, clock, tips).hash(state);
    }
}

impl Log {
    /// Nothing was said yet; our time began then, in milliseconds since 1970.
    pub(crate) fn new(started: u64) -> Self {
        Self {
            started: started.min(CLOCK_MAX / 2),
            logs: BTreeMap::new(),
            entries: 0,
            bytes: 0,
            horizon: 0,
            coming: BTreeMap::new(),
            clock: 0,
            tips: Vec::new(),
            notary: Notary::default(),
            spare: Vec::new(),
        }
    }

    /// Our clock, in milliseconds since 1970.
    pub(crate) fn clock(&self, now: Time) -> u64 {
        self.started + now.as_micros() / 1_000
    }

    /// Keeps what we say, and returns its seal. `None` when our log is full for ever.
    pub(crate) fn say(
        &mut self,
        (now, keys, me): (Time, &Keys, &Signed),
        words: Words<'_>,
    ) -> Option<Seal> {
        let id = me.beacon.id;
        let one = self.logs.entry(id).or_insert_with(|| One::new(me.clone()));
        if one.author.beacon.n < me.beacon.n {
            one.author.clone_from(me);
        }
        one.ours = true;
        let (seq, past) = (one.next(), one.newest().map_or(one.last, |entry| entry.hash));
        let clock = self.clock(now).max(self.clock + 1);
        if seq > SEQ_MAX || clock >= CLOCK_MAX {
            return None;
        }
        self.tips.sort_unstable_by(|one, other| other.cmp(one));
        let others = self.tips.iter().map(|&(_, place)| place).filter(|&(log, _)| log != id);
        let deps = Deps::new(others);
        let mut seal = Seal { seq, clock, deps, past, signature: [0; 64] };
        let hash = self.notary.sign((keys, &me.beacon), &mut seal, words);
        self.insert(now, id, seal, (words, hash));
        self.make_room(now);
        Some(seal)
    }

    /// Takes an entry of somebody, and keeps it if they signed it and it is neither known nor old.
    pub(crate) fn take(
        &mut self,
        (now, keys, author): (Time, &Keys, &Signed),
        seal: &Seal,
        words: Words<'_>,
    ) -> Verdict {
        let id = author.beacon.id;
        let one = self.logs.get(&id);
        if one.is_some_and(|one| seal.seq < one.floor) {
            return Verdict::Known;
        }
        if seal.clock <= self.horizon {
            return Verdict::Old;
        }
        if one.is_some_and(|one| {
            one.get(seal.seq).is_some_and(|known| known.seal == *seal && known.text == words.text)
        }) {
            return Verdict::Known;
        }
        let Some(hash) = self.notary.verify((keys, &author.beacon), seal, words) else {
            return Verdict::Forged;
        };
        let one = self.logs.entry(id).or_insert_with(|| One::new(author.clone()));
        if one.forked && seal.seq >= one.next() {
            return Verdict::Forked { news: false };
        }
        let is = |seq: u32, hash: [u8; MAC]| one.get(seq).is_none_or(|entry| entry.hash == hash);
        let follows = one.get(seal.seq.saturating_add(1)).is_none_or(|next| next.seal.past == hash);
        if !is(seal.seq, hash) || !is(seal.seq - 1, seal.past) || !follows {
            let news = !core::mem::replace(&mut one.forked, true);
            return Verdict::Forked { news };
        }
        if one.get(seal.seq).is_some() {
            return Verdict::Known;
        }
        if author.beacon.n > one.author.beacon.n {
            one.author.clone_from(author);
        }
        if !self.insert(now, id, *seal, (words, hash)) {
            return Verdict::Old;
        }
        self.make_room(now);
        Verdict::New
    }

    /// Puts an entry into its place; false when that is too far from the others.
    fn insert(
        &mut self,
        now: Time,
        id: PeerId,
        seal: Seal,
        (words, hash): (Words<'_>, [u8; MAC]),
    ) -> bool {
        let follows = seal.deps.iter().chain([(id, seal.seq - 1)]);
        let least = follows.filter_map(|place| self.get(place)).map(|entry| entry.order).max();
        let order = least.map_or(seal.clock, |least| seal.clock.max(least + 1)).min(CLOCK_MAX);
        let Some(one) = self.logs.get_mut(&id) else { return false };
        let newest = seal.seq >= one.next();
        let Some(slot) = one.slot(seal.seq) else { return false };
        let mut text = self.spare.pop().unwrap_or_default();
        // With some room, so that it serves for others of about that length.
        text.reserve(words.text.len().next_multiple_of(64));
        text.push_str(words.text);
        let Words { number, action, .. } = words;
        (self.entries, self.bytes) = (self.entries + 1, self.bytes + text.len());
        *slot = Some(Entry { seal, number, action, text, hash, order });
        let is_followed = |place: Place| seal.deps.iter().any(|dep| dep == place);
        self.tips.retain(|&(_, place)| !(is_followed(place) || newest && place.0 == id));
        if newest && self.tips.len() < TIPS_MAX {
            self.tips.push((order, (id, seal.seq)));
        }
        if order <= self.clock(now) + AHEAD {
            self.clock = self.clock.max(order);
        }
        true
    }

    fn get(&self, (log, seq): Place) -> Option<&Entry> {
        self.logs.get(&log)?.get(seq)
    }

    /// Lets go of the oldest until what is left is within the limits.
    pub(crate) fn make_room(&mut self, now: Time) {
        let kept = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
        let expired = self.clock(now).saturating_sub(kept);
        loop {
            let oldest = |(&id, one): (&PeerId, &One)| {
                one.entries.front()?.as_ref().map(|entry| (entry.order, id))
            };
            let Some((order, id)) = self.logs.iter().filter_map(oldest).min() else { break };
            let slots: usize = self.logs.values().map(|one| one.entries.len()).sum();
            let full = self.entries > ENTRIES_MAX || self.bytes > BYTES_MAX || slots > SLOTS_MAX;
            let live = self.logs.values().filter(|one| !one.entries.is_empty()).count();
            if !full && order > expired && live <= LOGS_MAX {
                break;
            }
            // Who says more than others does not take their room.
            let much = self.logs.iter().filter(|(_, one)| one.entries.len() > EACH_MAX);
            let much = much.max_by_key(|(_, one)| one.entries.len()).filter(|_| full);
            let from = much.map_or(id, |(&id, _)| id);
            let Some(one) = self.logs.get_mut(&from) else { break };
            let Some(mut entry) = one.pop() else { break };
            (self.entries, self.bytes) = (self.entries - 1, self.bytes - entry.text.len());
            if from == id {
                self.horizon = self.horizon.max(order);
            }
            entry.text.clear();
            self.spare.push(entry.text);
        }
        self.spare.truncate(ENTRIES_MAX / 8);
        self.forget_empty();
    }

    /// Of who has nothing in what is kept it is not known any more who they are, once there are many.
    fn forget_empty(&mut self) {
        if self.logs.len() > LOGS_MAX {
            self.logs.retain(|_, one| one.ours || !one.entries.is_empty());
        }
    }

    /// Whether an entry is not kept, and comes from its author any moment.
    pub(crate) fn awaits(&self, (log, seq): Place) -> bool {
        self.coming.get(&log).is_some_and(|&from| seq >= from) && self.lacks_one((log, seq))
    }

    /// Whether an entry is neither kept nor older than what is.
    pub(crate) fn lacks_one(&self, (log, seq): Place) -> bool {
        let one = self.logs.get(&log);
        one.is_none_or(|one| seq >= one.floor && one.get(seq).is_none())
    }

    /// Somebody says what is in their log to us, from that entry on.
    pub(crate) fn comes_from(&mut self, log: PeerId, entry: u32) {
        self.coming.insert(log, entry);
    }

    /// What is in their log has come on their stream up to that entry.
    pub(crate) fn has_come(&mut self, (log, seq): Place) {
        if let Some(from) = self.coming.get_mut(&log) {
            *from = seq.saturating_add(1).max(*from);
        }
    }

    /// Before which entry all are shown that somebody says to us: on their stream, or handed on by others and not
    /// waiting any more.
    pub(crate) fn shown_before(&self, log: PeerId, waits: impl Fn(Place) -> bool) -> u32 {
        let Some(&from) = self.coming.get(&log) else { return 0 };
        let one = self.logs.get(&log).filter(|one| one.floor <= from);
        let is_shown =
            |&seq: &u32| one.is_some_and(|one| one.get(seq).is_some()) && !waits((log, seq));
        (from..).find(|seq| !is_shown(seq)).unwrap_or(from)
    }

    /// They do not any more.
    pub(crate) fn comes_no_more(&mut self, log: PeerId) {
        self.coming.remove(&log);
    }

    /// The place of the next entry of a log.
    pub(crate) fn next(&self, log: PeerId) -> u32 {
        self.logs.get(&log).map_or(1, One::next)
    }

    /// Whether an entry is missing between others that may still be had.
    pub(crate) fn has_gap(&self) -> bool {
        self.logs.values().any(|one| {
            let told = one.told.saturating_sub(one.first) as usize;
            one.entries.len() > told && one.entries.range(told..).any(Option::is_none)
        })
    }

    /// How many entries we lack that whoever wrote a log has no more. They are counted once.
    pub(crate) fn lost(&mut self, head: &Head) -> Option<u64> {
        let one = self.logs.get_mut(&head.log).filter(|one| !one.entries.is_empty())?;
        let from = one.first.max(one.told);
        let lost = (from..head.first).filter(|&seq| one.get(seq).is_none()).take(GAP_MAX as usize);
        let count = lost.count() as u64;
        one.told = one.told.max(head.first);
        Some(count).filter(|&count| count > 0)
    }

    /// Keeps who writes a log that is to be read.
    pub(crate) fn introduce(&mut self, author: &Signed) {
        self.forget_empty();
        self.logs.entry(author.beacon.id).or_insert_with(|| One::new(author.clone()));
    }

    /// Whose log that is, as far as it was told.
    pub(crate) fn author(&self, log: PeerId) -> Option<&Signed> {
        self.logs.get(&log).map(|one| &one.author)
    }

    /// An entry that is kept.
    pub(crate) fn shown(&self, place: Place) -> Option<Shown<'_>> {
        let one = self.logs.get(&place.0)?;
        let Entry { number, action, ref text, seal, .. } = *one.get(place.1)?;
        Some(Shown { author: &one.author, number, action, text, clock: seal.clock })
    }

    /// Where an entry stands among all.
    pub(crate) fn order(&self, place: Place) -> Option<(u64, Place)> {
        Some((self.get(place)?.order, place))
    }

    /// What two compare: a hash over the newest entries until then, in seconds since 1970 by the room's clock, of the logs
    /// in which something was said in the ten minutes before: [`NOTHING`] if nothing was. `None` where not all of those are
    /// kept.
    pub(crate) fn digest(&self, until: u32) -> Option<u64> {
        let until = u64::from(until) * 1_000;
        let from = until.saturating_sub(COMPARED);
        if self.horizon > from {
            return None;
        }
        let mut state = [0; MAC];
        for (id, one) in self.logs.iter().filter(|(_, one)| !one.forked) {
            let entries = one.entries.iter().rev().flatten();
            let newest =
                entries.map(|entry| (entry.seal.clock, entry)).find(|&(at, _)| at <= until);
            if let Some((_, entry)) = newest.filter(|&(at, _)| at > from) {
                state = mac(&state, &[&id.0.to_be_bytes(), &entry.hash]);
            }
        }
        // 0 stands for no comparison.
        Some(u64::from_be_bytes(*state.first_chunk::<8>()?) | NOTHING)
    }

    /// What there is of the logs behind that one, and whether there are more.
    pub(crate) fn heads(&self, after: PeerId) -> (Vec<Head>, bool) {
        let behind = (core::ops::Bound::Excluded(after), core::ops::Bound::Unbounded);
        let logs = self.logs.range(behind).filter(|(_, one)| !one.forked);
        let mut heads = logs.filter_map(|(&log, one)| {
            let newest = one.newest()?;
            let (first, next) = (one.first, one.next());
            let hash = *newest.hash.first_chunk()?;
            Some(Head { log, first, next, clock: newest.seal.clock, hash })
        });
        let page = heads.by_ref().take(HEADS_MAX).collect();
        (page, heads.next().is_some())
    }

    /// From which entry on, and up to which, we lack something of a log that somebody has.
    pub(crate) fn lacks(&self, head: &Head) -> Option<(u32, u32)> {
        if head.clock <= self.horizon {
            return None;
        }
        let Some(one) = self.logs.get(&head.log) else { return Some((head.first, head.next)) };
        let first = head.first.max(one.floor);
        let missing = (first..head.next.min(first.saturating_add(GAP_MAX)))
            .find(|&seq| one.get(seq).is_none());
        let newest = one.get(head.next.saturating_sub(1)).filter(|_| !one.forked);
        let other = newest.filter(|newest| newest.hash[..8] != head.hash);
        missing.or(other.map(|newest| newest.seal.seq)).map(|from| (from, head.next))
    }

    /// Appends bytes of a log to `out`, from an entry on, without the first `skip` of them and `most` at most.
    /// Whether there are more; `None` when that entry is not kept.
    pub(crate) fn read(
        &self,
        (log, from): Place,
        skip: usize,
        most: usize,
        out: &mut Vec<u8>,
    ) -> Option<bool> {
        let one = self.logs.get(&log)?;
        let (mut behind, end) = (0, skip.saturating_add(most));
        let mut bytes = Vec::new();
        for entry in one.entries.range(one.index(from)?.min(one.entries.len())..) {
            let Some(entry) = entry else { break };
            let size = entry.size();
            if behind + size > skip {
                bytes.clear();
                entry.put(&mut bytes);
                let part = skip.saturating_sub(behind)..size.min(end - behind);
                out.extend_from_slice(bytes.get(part)?);
            }
            behind += size;
            if behind > end {
                return Some(true);
            }
            if behind == end {
                return Some(one.get(entry.seal.seq + 1).is_some());
            }
        }
        (behind > 0).then_some(false)
    }

    /// Entries, bytes of their texts, and logs.
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        (self.entries, self.bytes, self.logs.len())
    }

    pub(crate) fn check(&self) {
        let entries = || self.logs.values().flat_map(|one| one.entries.iter().flatten());
        assert_eq!(self.entries, entries().count());
        assert_eq!(self.bytes, entries().map(|entry| entry.text.len()).sum::<usize>());
        for one in self.logs.values().filter(|one| !one.entries.is_empty()) {
            assert!(one.entries.front().is_some_and(Option::is_some), "a gap at the beginning");
            assert!(one.entries.back().is_some_and(Option::is_some), "a gap at the end");
        }
        assert!(entries().count() <= ENTRIES_MAX && self.logs.len() <= 2 * LOGS_MAX);
        let slots: usize = self.logs.values().map(|one| one.entries.len()).sum();
        assert!(slots <= SLOTS_MAX && self.tips.len() <= TIPS_MAX);
    }
}

#[cfg(test)]
mod tests;
