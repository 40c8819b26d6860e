//! Fetch a room's roster in several places at once (docs/PROTOCOL.md, "Nodeset").
//!
//! A page brings all changes behind one version up to another, so the roster is a line of versions, of
//! which ranges are not read yet ([`Ranges`]). The first page comes from anywhere; then every range is
//! read from its beginning, and the widest are split while more questions may be open. A member that
//! changes while the roster is read moves to the end of the line, which then grows.

use crate::machine::ranges::{Ranges, Window};
use crate::machine::wire::{ANYWHERE, Change, Page};

/// Questions that may be open once the first page is here: their answers are what RFC 3390 lets a
/// sender begin with, 4,380 bytes. Each page allows one more, up to the second number; each question
/// that failed halves it.
const OPEN_FIRST: u32 = 4;
const OPEN_MAX: u32 = 16;

/// Answers taken before a roster that never ends is taken for complete.
const ANSWERS_MAX: u32 = 2048;

/// A page holds this many changes at least, so that a range this wide is read at once; a small one, one.
const PAGE_LEAST: u64 = 4;

/// Departures that are kept until the end; a nodeset remembers fewer.
const GONE_MAX: usize = 1024;

/// Ranges that may be unread: every answer and every growth of the line leaves one more at most.
pub(crate) const RANGES_MAX: usize = 2 * ANSWERS_MAX as usize;

/// How far the roster of a room is read.
#[derive(Debug, Hash)]
pub(crate) struct Fetch {
    /// What is not read, up to the last change any page told of.
    unread: Ranges,
    window: Window,
    answers: u32,
    gone: Vec<Change>,
}

/// What a page has come to.
#[derive(Debug)]
pub(crate) enum Progress {
    /// These changes are news, and there is more to read.
    More(Vec<Change>),
    /// All is read, up to this version: these changes are the last.
    Complete(u64, Vec<Change>),
    /// No nodeset says so.
    Nonsense,
}

impl Fetch {
    pub(crate) const fn new() -> Self {
        let window = Window::new(OPEN_FIRST, OPEN_MAX);
        Self { unread: Ranges::new(), window, answers: 0, gone: Vec::new() }
    }

    /// Nothing is known any more. What is open is still going to be answered.
    pub(crate) fn begin_again(&mut self) {
        self.unread = Ranges::new();
        self.gone.clear();
    }

    /// A question is open: what is behind `have` will be read, or a page from anywhere.
    pub(crate) fn asked(&mut self, have: u64) {
        self.window.asked();
        self.unread.asked(have);
    }

    /// A question failed: others may reach what it was about.
    pub(crate) fn failed(&mut self, have: u64) {
        self.window.failed();
        self.unread.over(have);
    }

    /// A question is not waited for any more.
    pub(crate) fn withdrawn(&mut self, have: u64) {
        self.window.answered();
        self.unread.over(have);
    }

    /// A question was answered, though not with a page.
    pub(crate) fn answered(&mut self, have: u64) {
        self.answers += 1;
        self.window.answered();
        self.unread.over(have);
    }

    /// A question was answered with a page.
    pub(crate) fn page(&mut self, have: u64, page: Page) -> Progress {
        self.answers += 1;
        self.window.brought();
        self.unread.over(have);
        let Page { after, reached, current, changes } = page;
        let begun = if have == ANYWHERE { after } else { have };
        if begun > current {
            // The room was empty in the meantime, and began anew.
            self.begin_again();
        } else if after > begun || reached < current && reached <= begun {
            return Progress::Nonsense;
        }
        self.unread.grow(current);
        self.unread.known(after, reached);
        // Answers overtake each other: departures are told last.
        let (gone, mut here): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| matches!(change, Change::Gone(_)));
        let room = GONE_MAX - self.gone.len();
        self.gone.extend(gone.into_iter().take(room));
        if !self.unread.is_known() && !self.is_endless() {
            return Progress::More(here);
        }
        here.append(&mut self.gone);
        Progress::Complete(self.unread.end(), here)
    }

    /// The version the next question has, once the first page is here; `None` when enough are open.
    pub(crate) fn next(&self, small: bool) -> Option<u64> {
        let least = if small { 1 } else { PAGE_LEAST };
        if self.window.is_full() { None } else { self.unread.next(least) }
    }

    /// The first page has not come.
    pub(crate) const fn is_blank(&self) -> bool {
        self.unread.end() == 0
    }

    /// So much was answered that there must be an end.
    pub(crate) const fn is_endless(&self) -> bool {
        self.answers >= ANSWERS_MAX
    }

    /// Questions that are open.
    pub(crate) const fn open(&self) -> u32 {
        self.window.open()
    }

    /// How many ranges are not read.
    pub(crate) fn ranges(&self) -> usize {
        self.unread.len()
    }

    pub(crate) fn check(&self) {
        self.unread.check();
        assert!(self.ranges() <= RANGES_MAX && self.gone.len() <= GONE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, VecDeque};
    use std::sync::Arc;

    use super::*;
    use crate::machine::nodeset::roster::Roster;
    use crate::machine::rng::{Rng, Seed};
    use crate::machine::who::beacon::{SEALED, Sealed};
    use crate::machine::who::ids::Handle;
    use crate::machine::wire::{Departure, Gone, Listed};

    const ROOM: usize = 1112;

    fn here(handle: u64) -> Change {
        let sealed = Sealed(Arc::new([0; SEALED]));
        Change::Present(Listed {
            handle: Handle(handle),
            seen: "10.0.0.1:1".parse().unwrap(),
            sealed,
        })
    }

    fn gone(handle: u64) -> Change {
        Change::Gone(Gone { handle: Handle(handle), how: Departure::Replaced })
    }

    fn roster(versions: impl IntoIterator<Item = u64>) -> Roster {
        let mut roster = Roster::default();
        versions
            .into_iter()
            .for_each(|version| roster.put(crate::machine::Time::ZERO, version, here(version)));
        roster
    }

    /// A reader, the questions it has open, each with how many were asked one after another until it
    /// was, and whom it knows.
    struct Reader {
        fetch: Fetch,
        open: VecDeque<(u64, usize)>,
        round: usize,
        found: BTreeSet<u64>,
        complete: Option<u64>,
        answers: usize,
    }

    impl Reader {
        fn new() -> Self {
            let (fetch, open, found) = (Fetch::new(), VecDeque::new(), BTreeSet::new());
            let mut new = Self { fetch, open, round: 0, found, complete: None, answers: 0 };
            new.ask();
            new
        }

        fn ask(&mut self) {
            let mut next = match self.fetch.is_blank() {
                true => Some(ANYWHERE),
                false => self.fetch.next(false),
            };
            while let Some(have) = next {
                self.fetch.asked(have);
                self.open.push_back((have, self.round + 1));
                next = self.fetch.next(false);
            }
            assert_eq!(self.fetch.open() as usize, self.open.len());
            assert!(self.open.len() <= OPEN_MAX as usize);
            assert!(!self.open.is_empty(), "there is more to read, and nobody asks");
        }

        fn page(&mut self, have: u64, page: Page) {
            self.answers += 1;
            let changes = match self.fetch.page(have, page) {
                Progress::More(changes) => changes,
                Progress::Complete(version, changes) => {
                    self.complete = Some(version);
                    changes
                }
                Progress::Nonsense => panic!("an honest page"),
            };
            for change in changes {
                match change {
                    Change::Present(listed) => drop(self.found.insert(listed.handle.0)),
                    Change::Gone(gone) => drop(self.found.remove(&gone.handle.0)),
                }
            }
            if self.complete.is_none() {
                self.ask();
            }
        }

        /// An answer arrives, if it is the first to its question.
        fn arrives(&mut self, have: u64, page: Page) {
            let asked = self.open.iter().position(|open| open.0 == have);
            if let Some((have, _)) = asked.and_then(|place| self.open.remove(place)) {
                self.page(have, page);
            }
        }

        /// Reads all of a roster: how many round trips that takes.
        fn read(&mut self, roster: &Roster, rng: &mut Rng) -> usize {
            while self.complete.is_none() {
                let (have, round) = self.open.pop_front().expect("somebody asks");
                self.round = round;
                self.page(have, answer(roster, have, rng));
            }
            self.round
        }
    }

    fn answer(roster: &Roster, have: u64, rng: &mut Rng) -> Page {
        match have {
            ANYWHERE => roster.any_page(rng, ROOM),
            _ => roster.page(have, ROOM),
        }
    }

    #[test]
    fn a_roster_is_read_in_few_round_trips_however_its_versions_lie() {
        let mut rng = Seed([1; 32]).stream("rounds");
        // People, round trips at most, and answers: four people fit one.
        for (n, rounds, answers) in
            [(3, 1, 1), (8, 3, 7), (50, 5, 31), (200, 7, 80), (1000, 20, 290)]
        {
            for versions in [
                (1..=n).collect::<Vec<_>>(),
                (1..=n).map(|v| v + 1_000_000).collect(),
                (1..=n).map(|v| v * v * v).collect(),
                (1..=n).map(|v| if v > n / 2 { v + 1_000_000_000 } else { v }).collect(),
            ] {
                let roster = roster(versions);
                for _ in 0..20 {
                    let mut reader = Reader::new();
                    let took = reader.read(&roster, &mut rng);
                    assert_eq!(reader.found.len() as u64, n);
                    assert!(took <= rounds && reader.answers <= answers, "{took} for {n}");
                }
            }
        }
    }

    #[test]
    fn the_first_page_is_from_anywhere() {
        let (roster, mut rng) = (roster(1..=100), Seed([2; 32]).stream("first"));
        let mut met = BTreeSet::new();
        for _ in 0..200 {
            let page = roster.any_page(&mut rng, ROOM);
            met.extend(page.changes.iter().filter_map(|change| match change {
                Change::Present(listed) => Some(listed.handle),
                Change::Gone(_) => None,
            }));
        }
        assert!(met.len() > 90, "{} of 100", met.len());
    }

    /// Answers come in any order or never, while people come, change and go.
    #[test]
    fn whatever_happens_meanwhile_everybody_is_met_in_the_end() {
        fn property(script: Vec<(u8, u8)>, people: u8, seed: u8) -> bool {
            let mut rng = Seed([seed; 32]).stream("meanwhile");
            let (mut last, mut latest) = (u64::from(people), BTreeMap::new());
            let mut roster = roster(1..=last);
            latest.extend((1..=last).map(|handle| (handle, (handle, true))));
            let mut reader = Reader::new();
            let mut pages: Vec<(u64, Page)> = Vec::new();
            let mut script = script.into_iter();
            while reader.complete.is_none() {
                let (what, which) = script.next().unwrap_or((0, 0));
                let which = usize::from(which);
                let open = reader.open.len();
                match what % 8 {
                    // An answer is on its way; it arrives; it is lost.
                    0..=1 if open > 0 => {
                        let (have, _) = reader.open[which % open];
                        pages.push((have, answer(&roster, have, &mut rng)));
                        if what == 0 {
                            let (have, page) = pages.swap_remove(which % pages.len());
                            reader.arrives(have, page);
                        }
                    }
                    2..=3 if !pages.is_empty() => {
                        let (have, page) = pages.swap_remove(which % pages.len());
                        reader.arrives(have, page);
                    }
                    4 if open > 0 => {
                        let (have, _) = reader.open.remove(which % open).expect("it is open");
                        reader.fetch.failed(have);
                        if reader.open.is_empty() {
                            reader.ask();
                        }
                    }
                    // Somebody comes; somebody changes, or goes.
                    5 => {
                        last += 1;
                        roster.put(crate::machine::Time::ZERO, last, here(last));
                        latest.insert(last, (last, true));
                    }
                    6 | 7 if !latest.is_empty() => {
                        let handle = *latest.keys().nth(which % latest.len()).expect("one of them");
                        last += 1;
                        let stays = what % 8 == 6 && latest[&handle].1;
                        roster.put(
                            crate::machine::Time::ZERO,
                            last,
                            if stays { here(handle) } else { gone(handle) },
                        );
                        latest.insert(handle, (last, stays));
                    }
                    _ => {}
                }
            }
            let complete = reader.complete.expect("it is");
            latest
                .iter()
                .filter(|(_, (version, _))| *version <= complete)
                .all(|(handle, latest)| reader.found.contains(handle) == latest.1)
        }
        let mut runs = crate::machine::quickcheck().tests(3_000).max_tests(3_000);
        runs.quickcheck(property as fn(Vec<(u8, u8)>, u8, u8) -> bool);
    }

    /// What is behind one version has no end, and another one is always to come.
    #[test]
    fn a_nodeset_that_lies_is_read_for_a_while_and_no_longer() {
        let page = |after, reached, current| Page { after, reached, current, changes: Vec::new() };
        let endless: [&dyn Fn(u64, u64) -> Page; 4] = [
            &|have, _| page(have, (have + 1).min(u64::MAX - 1), u64::MAX),
            &|have, n| page(have, have + 1, have + 2 + n),
            &|have, _| page(have / 2, have + 1, u64::MAX),
            &|_, n| page(0, n, n + 1),
        ];
        for lie in endless {
            let (mut reader, mut n) = (Reader::new(), 0);
            while reader.complete.is_none() {
                let (have, _) = reader.open.pop_front().expect("somebody asks");
                n += 1;
                let have_at = if have == ANYWHERE { 0 } else { have };
                reader.page(have, lie(have_at, n));
                assert!(reader.fetch.ranges() <= RANGES_MAX);
            }
            assert!(n <= u64::from(ANSWERS_MAX), "{n} answers");
        }
        for nonsense in [page(0, 0, 9), page(6, 7, 9), page(5, 5, 9), page(0, 4, 9)] {
            let mut fetch = Fetch::new();
            fetch.asked(ANYWHERE);
            assert!(matches!(fetch.page(ANYWHERE, page(0, 5, 9)), Progress::More(_)));
            fetch.asked(5);
            assert!(matches!(fetch.page(5, nonsense), Progress::Nonsense));
        }
        let mut fetch = Fetch::new();
        fetch.asked(ANYWHERE);
        assert!(matches!(fetch.page(ANYWHERE, page(3, 3, 9)), Progress::Nonsense));
    }

    #[test]
    fn a_nodeset_that_has_forgotten_the_room_is_read_from_the_beginning() {
        let mut rng = Seed([3; 32]).stream("anew");
        let (old, new) = (roster(1000..1100), roster(1..=30));
        let mut reader = Reader::new();
        for _ in 0..8 {
            let (have, _) = reader.open.pop_front().expect("somebody asks");
            reader.page(have, answer(&old, have, &mut rng));
        }
        reader.found.clear();
        reader.read(&new, &mut rng);
        assert_eq!((reader.found.len(), reader.complete), (30, Some(30)));
    }
}
