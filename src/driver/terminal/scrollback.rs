//! Everything that was said and happened, as far as it is kept, and what became of it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use crate::driver::front::search::Wanted;
use crate::driver::history::record;
use crate::driver::os::clock::Zone;
use crate::machine::{MessageId, PeerId, Person, SafeText, Why};

/// How many entries are kept, and how many bytes, about. The oldest go first.
const ENTRIES_MAX: usize = 100_000;
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// What an entry takes besides its text, about.
const ENTRY_BYTES: usize = 256;
/// How many arrivals and departures make one entry at the most.
const MOVES_MAX: usize = 50;
/// Whoever spoke this recently is missed when they leave, ms.
const RECENT_MS: u64 = 30 * 60_000;
/// What happens later than this after the first of a row is told with a time of its own, ms.
const ROW_MS: u64 = 30 * 60_000;

/// Something that happened.
#[derive(Debug)]
pub(crate) struct Entry {
    /// When, in ms since 1970.
    pub(crate) at: u64,
    pub(crate) item: Item,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Item {
    Said(Said),
    /// People came and went, in a row.
    Moves(Vec<Move>),
    /// The program has something to say.
    Notice(Notice),
    /// Messages of ours did not reach somebody.
    Undelivered {
        count: u64,
        whom: String,
    },
}

/// A message.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) id: MessageId,
    pub(crate) from: Person,
    pub(crate) text: SafeText<'static>,
    pub(crate) action: bool,
    /// It was said to one person alone: to us, or by us to this one.
    pub(crate) private: Option<Person>,
    pub(crate) mention: bool,
    /// What became of it, if it is ours.
    pub(crate) fate: Option<Fate>,
    /// It was kept: nobody says it now.
    pub(crate) kept: bool,
}

/// What became of a message of ours.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    /// How many it was for.
    pub(crate) readers: usize,
    /// Who has it, and after how long.
    pub(crate) acked: Vec<(Person, Duration)>,
    /// Whom it did not reach, and why.
    pub(crate) failed: Vec<(Person, Why)>,
    pub(crate) done: bool,
    /// It was said again to those it had not reached.
    pub(crate) resent: bool,
}

/// What became of a message, in one sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Pending,
    Delivered,
    Failed,
}

impl Fate {
    pub(crate) const fn mark(&self) -> Mark {
        match (self.done, self.readers) {
            (false, _) => Mark::Pending,
            (true, 0) => Mark::Failed,
            _ if self.failed.is_empty() => Mark::Delivered,
            _ => Mark::Failed,
        }
    }
}

/// Somebody came or went.
#[derive(Debug)]
pub(crate) struct Move {
    /// When, in ms since 1970.
    pub(crate) at: u64,
    pub(crate) who: Person,
    /// `None`: they came.
    pub(crate) left: Option<Why>,
    /// They had spoken not long ago.
    pub(crate) known: bool,
}

/// What the program says: lines that begin with `!`, or dim ones without a sign.
#[derive(Debug)]
pub(crate) struct Notice {
    pub(crate) text: SafeText<'static>,
    pub(crate) dim: bool,
}

/// Entries by number, oldest first.
#[derive(Debug)]
pub(crate) struct Scrollback {
    /// The number of the front entry.
    first: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Entries of our messages that somebody is still to get, by the number of the message.
    pending: BTreeMap<u64, u64>,
    /// When each person spoke last, ms since 1970; those long gone are forgotten.
    spoke: BTreeMap<PeerId, u64>,
    /// Entries before this one are not shown.
    floor: u64,
}

impl Scrollback {
    /// Nothing yet.
    pub(crate) const EMPTY: Self = Self {
        first: 0,
        entries: VecDeque::new(),
        bytes: 0,
        pending: BTreeMap::new(),
        spoke: BTreeMap::new(),
        floor: 0,
    };

    /// The numbers of the entries that can be shown.
    pub(crate) fn entries(&self) -> Range<u64> {
        let end = self.end();
        self.floor.clamp(self.first, end)..end
    }

    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(crate) fn get(&self, entry: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(entry.checked_sub(self.first)?).ok()?)
    }

    fn get_mut(&mut self, entry: u64) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(entry.checked_sub(self.first)?).ok()?)
    }

    /// The last entry, if what happens at `at` may be told with it: on the same day, and soon.
    fn last_mut(&mut self, at: u64, zone: &Zone) -> Option<&mut Entry> {
        if self.floor >= self.end() {
            return None;
        }
        let together = |entry: &&mut Entry| {
            at.saturating_sub(entry.at) < ROW_MS && zone.date(at) == zone.date(entry.at)
        };
        self.entries.back_mut().filter(together)
    }

    /// Hides what there is so far.
    pub(crate) fn clear(&mut self) {
        self.floor = self.end();
    }

    /// A message was said.
    pub(crate) fn say(&mut self, at: u64, said: Said) -> u64 {
        if said.fate.is_some() {
            self.pending.insert(said.id.number, self.end());
        } else {
            self.spoke.retain(|_, &mut spoke| at.saturating_sub(spoke) < RECENT_MS);
            self.spoke.insert(said.from.id, at);
        }
        self.push(at, Item::Said(said))
    }

    /// A message that was kept is shown: nothing follows from it.
    pub(crate) fn replay(&mut self, at: u64, said: &record::Said) {
        let said = Said {
            id: said.id,
            from: said.from.clone(),
            text: said.text.clone(),
            action: said.action,
            private: said.to.clone().or_else(|| said.private.then(|| said.from.clone())),
            mention: false,
            fate: None,
            kept: true,
        };
        self.recall(at, said);
    }

    /// A message from before we came.
    pub(crate) fn recall(&mut self, at: u64, said: Said) {
        self.push(at, Item::Said(said));
    }

    /// Somebody came (`None`) or went.
    pub(crate) fn moved(&mut self, at: u64, zone: &Zone, who: Person, left: Option<Why>) {
        let spoke = self.spoke.get(&who.id);
        let known = spoke.is_some_and(|&spoke| at.saturating_sub(spoke) < RECENT_MS);
        let moved = Move { at, who, left, known };
        if let Some(Entry { item: Item::Moves(moves), .. }) = self.last_mut(at, zone)
            && moves.len() < MOVES_MAX
        {
            moves.push(moved);
            return;
        }
        self.push(at, Item::Moves(vec![moved]));
    }

    /// The program says something.
    pub(crate) fn notice(&mut self, at: u64, text: &str, dim: bool) {
        let text = SafeText::new(text).into_owned();
        self.push(at, Item::Notice(Notice { text, dim }));
    }

    /// Somebody has a message of ours.
    pub(crate) fn acked(&mut self, number: u64, by: Person, after: Duration) {
        if let Some(fate) = self.fate_mut(number) {
            fate.acked.push((by, after));
            self.bytes += size_of::<(Person, Duration)>();
        }
    }

    /// Nobody is outstanding for a message of ours any more.
    pub(crate) fn done(&mut self, number: u64, failed: Vec<(Person, Why)>) {
        let bytes = failed.len() * size_of::<(Person, Why)>();
        if let Some(fate) = self.fate_mut(number) {
            fate.done = true;
            fate.failed = failed;
            self.bytes += bytes;
        }
        self.pending.remove(&number);
    }

    /// A message of ours did not reach somebody; several in a row are told as one.
    pub(crate) fn undelivered(&mut self, at: u64, zone: &Zone, whom: String) {
        if let Some(Entry { item: Item::Undelivered { count, whom: before }, .. }) =
            self.last_mut(at, zone)
            && *before == whom
        {
            *count += 1;
            return;
        }
        self.push(at, Item::Undelivered { count: 1, whom });
    }

    /// A message was not said again after all.
    pub(crate) fn not_resent(&mut self, number: u64) {
        let said = self.entries.iter_mut().rev().filter_map(|entry| match &mut entry.item {
            Item::Said(said) => said.fate.as_mut().filter(|_| said.id.number == number),
            _ => None,
        });
        said.take(1).for_each(|fate| fate.resent = false);
    }

    fn fate_mut(&mut self, number: u64) -> Option<&mut Fate> {
        let entry = *self.pending.get(&number)?;
        match &mut self.get_mut(entry)?.item {
            Item::Said(said) => said.fate.as_mut(),
            _ => None,
        }
    }

    /// Messages of ours that somebody is still to get.
    pub(crate) fn unsent(&self) -> usize {
        self.pending.len()
    }

    /// Our last message.
    pub(crate) fn last_own(&self) -> Option<u64> {
        let mine = |entry: &Entry| matches!(&entry.item, Item::Said(said) if said.fate.is_some());
        let at = self.entries.iter().rposition(mine)?;
        Some(self.first + at as u64)
    }

    /// Messages that did not reach everybody and were not said again, oldest first.
    pub(crate) fn failed_mut(&mut self) -> impl Iterator<Item = &mut Said> {
        self.entries.iter_mut().filter_map(|entry| match &mut entry.item {
            Item::Said(said) => {
                let lost = |fate: &Fate| fate.mark() == Mark::Failed && !fate.resent;
                said.fate.as_ref().is_some_and(lost).then_some(said)
            }
            _ => None,
        })
    }

    /// The newest message before an entry that has `wanted` in it; or the oldest one after it.
    pub(crate) fn find(&self, wanted: &str, from: u64, back: bool) -> Option<u64> {
        let wanted = Wanted::new(wanted);
        let has = |&entry: &u64| match &self.get(entry)?.item {
            Item::Said(said) => {
                let hit = [said.text.as_str(), said.from.name.as_str()];
                hit.into_iter().any(|text| wanted.is_in(text)).then_some(entry)
            }
            _ => None,
        };
        let Range { start, end } = self.entries();
        if back {
            (start..from.min(end)).rev().find_map(|entry| has(&entry))
        } else {
            ((from + 1).max(start)..end).find_map(|entry| has(&entry))
        }
    }

    /// The next message with our name in it, or for us alone.
    pub(crate) fn find_mention(&self, from: u64, back: bool) -> Option<u64> {
        let is = |entry: &u64| {
            matches!(self.get(*entry).map(|entry| &entry.item), Some(Item::Said(said))
                if said.fate.is_none() && !said.kept && (said.mention || said.private.is_some()))
        };
        let Range { start, end } = self.entries();
        if back {
            (start..from.min(end)).rev().find(is)
        } else {
            ((from + 1).max(start)..end).find(is)
        }
    }

    fn push(&mut self, at: u64, item: Item) -> u64 {
        let number = self.end();
        let entry = Entry { at, item };
        self.bytes += size(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > ENTRIES_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(size(&oldest));
            self.first += 1;
        }
        number
    }
}

/// What an entry takes, about.
fn size(entry: &Entry) -> usize {
    ENTRY_BYTES
        + match &entry.item {
            Item::Said(said) => {
                let fate = said.fate.as_ref().map_or(0, |fate| {
                    fate.acked.len() * size_of::<(Person, Duration)>()
                        + fate.failed.len() * size_of::<(Person, Why)>()
                });
                said.text.as_str().len() + fate
            }
            Item::Moves(_) => MOVES_MAX * size_of::<Move>() / 4,
            Item::Notice(notice) => notice.text.as_str().len(),
            Item::Undelivered { whom, .. } => whom.len(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Name, PublicKey};

    fn who(id: u64) -> Person {
        let key = PublicKey([id as u8; 32]);
        Person { id: PeerId(id), key, name: Name::parse("bob").unwrap() }
    }

    fn said(number: u64, text: &str, fate: Option<Fate>) -> Said {
        Said {
            id: MessageId { author: PeerId(1), number },
            from: who(1),
            text: SafeText::new(text).into_owned(),
            action: false,
            private: None,
            mention: text.contains("me"),
            fate,
            kept: false,
        }
    }

    fn mark(scrollback: &Scrollback, entry: u64) -> Option<Mark> {
        match &scrollback.get(entry)?.item {
            Item::Said(said) => said.fate.as_ref().map(Fate::mark),
            _ => None,
        }
    }

    #[test]
    fn what_becomes_of_a_message() {
        let mut scrollback = Scrollback::EMPTY;
        let fate = || Some(Fate { readers: 2, ..Fate::default() });
        let one = scrollback.say(0, said(1, "a", fate()));
        let other = scrollback.say(0, said(2, "b", fate()));
        let unheard = scrollback.say(0, said(3, "c", Some(Fate::default())));
        assert_eq!((scrollback.unsent(), scrollback.last_own()), (3, Some(unheard)));
        scrollback.acked(1, who(2), Duration::ZERO);
        assert_eq!(mark(&scrollback, one), Some(Mark::Pending));
        scrollback.done(1, Vec::new());
        scrollback.done(2, vec![(who(2), Why::Quit)]);
        scrollback.done(3, Vec::new());
        assert_eq!(mark(&scrollback, one), Some(Mark::Delivered));
        assert_eq!(mark(&scrollback, other), Some(Mark::Failed));
        assert_eq!(mark(&scrollback, unheard), Some(Mark::Failed), "nobody was there");
        assert_eq!(scrollback.unsent(), 0);
        assert_eq!(scrollback.failed_mut().count(), 2);
        scrollback.done(9, Vec::new());
    }

    #[test]
    fn moves_in_a_row_are_one_entry() {
        let mut scrollback = Scrollback::EMPTY;
        scrollback.moved(0, &Zone::utc(), who(1), None);
        scrollback.moved(0, &Zone::utc(), who(1), Some(Why::Quit));
        assert_eq!(scrollback.entries(), 0..1);
        scrollback.say(1, said(1, "a", None));
        scrollback.moved(2, &Zone::utc(), who(1), Some(Why::Quit));
        let Some(Entry { item: Item::Moves(moves), .. }) = scrollback.get(2) else { panic!() };
        assert!(moves[0].known, "they had just spoken");
        (0..2 * MOVES_MAX).for_each(|_| scrollback.moved(3, &Zone::utc(), who(2), None));
        assert_eq!(scrollback.entries(), 0..5, "50, 50 and 1");
        scrollback.clear();
        scrollback.moved(4, &Zone::utc(), who(2), None);
        assert_eq!(scrollback.entries(), 5..6, "what is hidden does not grow");
    }

    #[test]
    fn failures_in_a_row_are_one_entry() {
        let mut scrollback = Scrollback::EMPTY;
        (0..100).for_each(|_| scrollback.undelivered(0, &Zone::utc(), "dave (left)".to_owned()));
        scrollback.undelivered(0, &Zone::utc(), "erin (left)".to_owned());
        assert_eq!(scrollback.entries(), 0..2);
        assert!(matches!(scrollback.get(0).unwrap().item, Item::Undelivered { count: 100, .. }));
    }

    #[test]
    fn only_so_much_is_kept() {
        let mut scrollback = Scrollback::EMPTY;
        for number in 0..ENTRIES_MAX as u64 + 10 {
            scrollback.say(0, said(number, "x", Some(Fate::default())));
        }
        assert_eq!(scrollback.entries(), 10..ENTRIES_MAX as u64 + 10);
        assert!(scrollback.get(9).is_none());
        scrollback.done(3, Vec::new());
        let long = "x".repeat(16 * 1024);
        for number in 0..6_000 {
            scrollback.say(0, said(number, &long, None));
        }
        assert!(scrollback.bytes <= BYTES_MAX);
        let kept = scrollback.entries();
        assert!(kept.end - kept.start < 4_200);
    }

    #[test]
    fn found_before_and_after() {
        let mut scrollback = Scrollback::EMPTY;
        for text in ["one", "two", "One more", "to me"] {
            scrollback.say(0, said(0, text, None));
        }
        assert_eq!(scrollback.find("ONE", 4, true), Some(2));
        assert_eq!(scrollback.find("ONE", 2, true), Some(0));
        assert_eq!(scrollback.find("ONE", 0, true), None);
        assert_eq!(scrollback.find("one", 0, false), Some(2));
        assert_eq!(scrollback.find_mention(4, true), Some(3));
        assert_eq!(scrollback.find_mention(0, false), Some(3));
        scrollback.clear();
        assert_eq!(scrollback.find("one", 4, true), None);
    }
}
