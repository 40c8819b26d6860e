//! What is not known yet of a line of versions, and how much of it may be asked for at once.
//!
//! A line begins behind version 0 and grows at its end. Whoever lacks part of it asks for what is behind
//! a version; the answer brings all there is up to another one, and how far that is nobody knows before.
//! So what is not known is kept as ranges: each is asked for from its beginning, the widest first, and
//! once all are asked for, the widest is split. Nothing depends on which answer comes first, or twice,
//! or never.
//!
//! [`Ranges`] is one line, [`Window`] is how many questions may be open, over however many lines.
//! Neither knows what the versions are of, nor who answers, nor refuses anything: whether an answer
//! makes sense is for whoever knows what it should look like.

use std::collections::BTreeMap;

/// What is not known of one line of versions.
#[derive(Debug, Default, Hash)]
pub(crate) struct Ranges {
    /// The ranges that are not known, by the version they begin behind.
    unknown: BTreeMap<u64, Range>,
    /// The last version there is, as far as anybody has said; 0 before that.
    end: u64,
}

#[derive(Clone, Copy, Debug, Hash)]
struct Range {
    /// The last version that belongs to it.
    upto: u64,
    /// The open question that will be answered with its beginning, by the version it asks behind.
    asked: Option<u64>,
}

impl Ranges {
    pub(crate) const fn new() -> Self {
        Self { unknown: BTreeMap::new(), end: 0 }
    }

    /// The line has versions up to this one at least.
    pub(crate) fn grow(&mut self, end: u64) {
        if end <= self.end {
            return;
        }
        match self.unknown.last_entry() {
            Some(mut last) if last.get().upto == self.end => last.get_mut().upto = end,
            _ => drop(self.unknown.insert(self.end, Range { upto: end, asked: None })),
        }
        self.end = end;
    }

    /// A question is open: what is behind that version will be known, up to some other one.
    pub(crate) fn asked(&mut self, behind: u64) {
        let Some((&begin, range)) = self.unknown.range_mut(..=behind).next_back() else { return };
        if behind >= range.upto {
            return;
        }
        let rest = Range { upto: range.upto, asked: Some(behind) };
        if begin < behind {
            range.upto = behind;
        }
        self.unknown.insert(behind, rest);
    }

    /// A question is open no longer, whatever has become of it: others may reach what it was about.
    pub(crate) fn over(&mut self, behind: u64) {
        for range in self.unknown.values_mut().filter(|range| range.asked == Some(behind)) {
            range.asked = None;
        }
    }

    /// What is behind one version is known, up to another one; nothing is, if that lies before it.
    pub(crate) fn known(&mut self, behind: u64, upto: u64) {
        if upto < behind {
            return;
        }
        while let Some((&begin, &range)) = self.unknown.range(..upto).next_back() {
            if range.upto <= behind {
                return;
            }
            self.unknown.remove(&begin);
            let mut asked = range.asked;
            if begin < behind {
                self.unknown.insert(begin, Range { upto: behind, asked: asked.take() });
            }
            if range.upto > upto {
                self.unknown.insert(upto, Range { upto: range.upto, asked });
            }
        }
    }

    /// Behind which version to ask next: behind where the widest range begins that nobody was asked for;
    /// once all are asked for, in the middle of the widest, so that each half of it has that width at
    /// least.
    pub(crate) fn next(&self, half_min: u64) -> Option<u64> {
        let widest = |asked: bool| {
            let ranges = self.unknown.iter().filter(|(_, range)| range.asked.is_some() == asked);
            ranges.map(|(&begin, range)| (range.upto - begin, begin)).max_by_key(|range| range.0)
        };
        if let Some((_, begin)) = widest(false) {
            return Some(begin);
        }
        let (width, begin) = widest(true)?;
        (width >= 2 * half_min).then_some(begin + width / 2)
    }

    /// The last version there is, as far as anybody has said; 0 before that.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// How many ranges are not known.
    pub(crate) fn len(&self) -> usize {
        self.unknown.len()
    }

    /// The whole line is known, as far as anybody has said.
    pub(crate) fn is_known(&self) -> bool {
        self.unknown.is_empty()
    }

    /// The ranges lie one behind the other, none is empty, and all are on the line.
    pub(crate) fn check(&self) {
        let mut last = 0;
        for (&begin, range) in &self.unknown {
            assert!(last <= begin && begin < range.upto && range.upto <= self.end, "{self:?}");
            last = range.upto;
        }
    }
}

/// How many questions may be open at once: one more for each that brought something, half as many
/// once one has failed.
#[derive(Debug, Hash)]
pub(crate) struct Window {
    open: u32,
    open_max: u32,
    /// However much comes back, no more than so many.
    most: u32,
}

impl Window {
    /// So many at first, so many at most.
    pub(crate) const fn new(first: u32, most: u32) -> Self {
        Self { open: 0, open_max: first, most }
    }

    /// A question is open. It may be one too many: how long to wait is up to who asks.
    pub(crate) const fn asked(&mut self) {
        self.open += 1;
    }

    /// A question brought something.
    pub(crate) fn brought(&mut self) {
        self.answered();
        self.open_max = (self.open_max + 1).min(self.most);
    }

    /// A question was answered with nothing.
    pub(crate) const fn answered(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// A question was not answered.
    pub(crate) fn failed(&mut self) {
        self.answered();
        self.open_max = (self.open_max / 2).max(1);
    }

    /// How many questions are open.
    pub(crate) const fn open(&self) -> u32 {
        self.open
    }

    /// Enough questions are open.
    pub(crate) const fn is_full(&self) -> bool {
        self.open >= self.open_max
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The ranges, each with the question that is open for its beginning.
    fn ranges(ranges: &Ranges) -> Vec<(u64, u64, Option<u64>)> {
        ranges.check();
        ranges.unknown.iter().map(|(&begin, range)| (begin, range.upto, range.asked)).collect()
    }

    #[test]
    fn a_line_grows_at_its_end_alone() {
        let mut line = Ranges::new();
        assert!(line.is_known() && line.next(4).is_none());
        line.grow(9);
        line.grow(5);
        line.grow(12);
        assert_eq!((ranges(&line), line.end()), (vec![(0, 12, None)], 12));
        line.known(0, 12);
        line.grow(20);
        assert_eq!(ranges(&line), [(12, 20, None)], "what is known stays known");
    }

    #[test]
    fn what_an_answer_brings_is_cut_out_wherever_it_lies() {
        let mut line = Ranges::new();
        line.grow(100);
        line.asked(0);
        line.known(40, 50);
        assert_eq!(ranges(&line), [(0, 40, Some(0)), (50, 100, None)]);
        line.asked(50);
        line.known(45, 60);
        assert_eq!(ranges(&line), [(0, 40, Some(0)), (60, 100, Some(50))], "it answers later");
        line.known(30, 70);
        assert_eq!(ranges(&line), [(0, 30, Some(0)), (70, 100, Some(50))]);
        line.known(0, 1000);
        assert!(line.is_known());
    }

    #[test]
    fn the_widest_comes_first_and_is_split_last() {
        let mut line = Ranges::new();
        line.grow(100);
        line.known(10, 20);
        assert_eq!(line.next(4), Some(20));
        line.asked(20);
        assert_eq!(line.next(4), Some(0), "nobody was asked for the narrower one");
        line.asked(0);
        assert_eq!(line.next(4), Some(60), "its middle");
        line.asked(60);
        assert_eq!(ranges(&line), [(0, 10, Some(0)), (20, 60, Some(20)), (60, 100, Some(60))]);
        assert_eq!(line.next(20), Some(80));
        assert_eq!(line.next(21), None, "too narrow to be split");
    }

    #[test]
    fn what_failed_is_asked_again() {
        let mut line = Ranges::new();
        line.grow(30);
        line.asked(0);
        line.asked(15);
        line.over(15);
        assert_eq!(
            (ranges(&line), line.next(4)),
            (vec![(0, 15, Some(0)), (15, 30, None)], Some(15))
        );
        line.over(99);
        line.over(0);
        assert_eq!(line.next(4), Some(15), "the later of two that are as wide");
    }

    /// Questions outside of what is unknown change nothing.
    #[test]
    fn what_is_known_is_asked_in_vain() {
        let mut line = Ranges::new();
        line.asked(0);
        line.asked(u64::MAX);
        line.grow(30);
        line.known(10, 20);
        let before = ranges(&line);
        line.asked(10);
        line.asked(19);
        line.asked(30);
        line.asked(u64::MAX);
        assert_eq!(ranges(&line), before);
        line.known(20, 20);
        line.known(7, 3);
        assert_eq!(ranges(&line), before);
        line.grow(u64::MAX);
        line.known(0, u64::MAX);
        assert!(line.is_known());
    }

    /// A line of few versions, each of them on a list of those that are not known.
    #[test]
    fn whatever_happens_no_version_is_lost_or_found() {
        fn property(script: Vec<(u8, u8, u8)>) -> bool {
            let (mut line, mut unknown, mut end) = (Ranges::new(), BTreeSet::new(), 0);
            for (what, a, b) in script {
                let (a, b) = (u64::from(a), u64::from(b));
                match what % 6 {
                    0 => {
                        line.grow(a);
                        unknown.extend(end + 1..=a);
                        end = end.max(a);
                    }
                    1 => {
                        line.known(a, b);
                        unknown.retain(|&version| version <= a || version > b);
                    }
                    2 => line.over(a),
                    3 => line.asked(a),
                    _ => {
                        let Some(behind) = line.next(1 + b) else { continue };
                        assert!(unknown.contains(&(behind + 1)), "{behind} is asked in vain");
                        line.asked(behind);
                    }
                }
                let kept = ranges(&line);
                let kept = kept.iter().flat_map(|&(begin, upto, _)| begin + 1..=upto);
                assert!(kept.eq(unknown.iter().copied()), "{line:?}");
                assert!(line.end() == end && line.is_known() == unknown.is_empty());
            }
            // Nothing stays asked for once nothing is open.
            (0..=255).for_each(|behind| line.over(behind));
            ranges(&line).iter().all(|(_, _, asked)| asked.is_none())
        }
        let mut runs = crate::machine::quickcheck().tests(2_000).max_tests(2_000);
        runs.quickcheck(property as fn(Vec<(u8, u8, u8)>) -> bool);
    }

    /// Asks until enough is asked: how much that is.
    fn fill(window: &mut Window) -> u32 {
        while !window.is_full() {
            window.asked();
        }
        window.open()
    }

    #[test]
    fn a_window_grows_by_one_and_halves() {
        let mut window = Window::new(2, 4);
        assert_eq!(fill(&mut window), 2);
        window.answered();
        assert_eq!((window.open(), fill(&mut window)), (1, 2), "nothing came of it");
        for most in [3, 4, 4] {
            window.brought();
            assert_eq!(fill(&mut window), most);
        }
        window.failed();
        assert!(window.is_full() && window.open() == 3, "more are open than may be");
        (0..5).for_each(|_| window.failed());
        assert_eq!(window.open(), 0, "an answer too many is none");
        assert_eq!(fill(&mut window), 1, "one may always be asked");
        window.asked();
        assert_eq!(window.open(), 2, "and who asks may know better");
    }
}
