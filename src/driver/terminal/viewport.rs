//! Which part of what was said is on the screen.
//!
//! Somebody who reads back is held where they read: by the entry at the top and the place in its
//! text, whatever arrives, whatever the width of the screen becomes. Everybody else is at the
//! bottom and stays there.

use std::ops::Range;

/// What can be scrolled: entries by number, each in rows.
pub(crate) trait Source {
    /// One row of an entry.
    type Row: Keyed;

    /// The numbers of the entries there are.
    fn entries(&self) -> Range<u64>;

    /// The rows of an entry, from the top; none if it is not shown.
    fn rows(&self, entry: u64) -> Vec<Self::Row>;
}

/// What a row is known by inside its entry: keys grow downwards, and a key means the same place of
/// the text at every width.
pub(crate) trait Keyed {
    fn key(&self) -> u32;
}

/// The place of a row: of the first one on the screen, of the selected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    entry: u64,
    key: u32,
}

/// A window onto rows.
#[derive(Debug, Default)]
pub(crate) struct Viewport {
    /// What is at the top; `None` while the newest row is at the bottom.
    top: Option<Place>,
    /// How many rows above the last one the selected row is.
    lift: usize,
}

/// A row that is on the screen, and the entry it belongs to.
pub(crate) type Visible<R> = (u64, R);

impl Viewport {
    /// Whether what arrives is seen.
    pub(crate) const fn follows(&self) -> bool {
        self.top.is_none()
    }

    /// How many rows above the last one the selected row is.
    pub(crate) const fn lift(&self) -> usize {
        self.lift
    }

    /// The newest row, at the bottom.
    pub(crate) const fn go_bottom(&mut self) {
        self.top = None;
        self.lift = 0;
    }

    /// The oldest row, at the top.
    pub(crate) fn go_top(&mut self, source: &impl Source, height: usize) {
        self.show(source, source.entries().start, height);
        self.lift = self.visible(source, height).len().saturating_sub(1);
    }

    /// Shows an entry at the top, or as high as it can be.
    pub(crate) fn show(&mut self, source: &impl Source, entry: u64, height: usize) {
        self.top = Some(Place { entry, key: 0 });
        self.lift = 0;
        self.settle(source, height);
    }

    /// Shows an entry in the middle, selected.
    pub(crate) fn center(&mut self, source: &impl Source, entry: u64, height: usize) {
        let (top, _) = above(source, Place { entry, key: 0 }, height / 2);
        self.top = Some(top);
        self.lift = 0;
        self.settle(source, height);
        let visible = self.visible(source, height);
        let last = visible.iter().rposition(|(of, _)| *of == entry);
        self.lift = last.map_or(0, |at| visible.len() - 1 - at);
        let first = visible.first().map(|(entry, row)| Place { entry: *entry, key: row.key() });
        self.top = first.filter(|_| self.lift > 0).or(self.top);
    }

    /// Moves towards older rows.
    pub(crate) fn up(&mut self, source: &impl Source, rows: usize, height: usize) {
        let visible = self.visible(source, height);
        let Some((entry, first)) = visible.first() else { return };
        let (top, left) = above(source, Place { entry: *entry, key: first.key() }, rows);
        // Where nothing is above, the selection goes on alone. Whoever selects reads back, too.
        self.lift = (self.lift + left).min(visible.len() - 1);
        self.top = Some(top);
        self.settle(source, height);
    }

    /// Selects the last row again; where nothing is below it, follows.
    pub(crate) fn deselect(&mut self, source: &impl Source, height: usize) {
        self.lift = 0;
        self.settle(source, height);
    }

    /// Moves towards newer rows.
    pub(crate) fn down(&mut self, source: &impl Source, rows: usize, height: usize) {
        let lowered = self.lift.min(rows);
        self.lift -= lowered;
        let mut left = rows - lowered;
        let Some(mut top) = self.place(source) else { return };
        let mut below: Vec<u32> = keys(source, top.entry);
        below.retain(|&key| key > top.key);
        below.reverse();
        while left > 0 {
            if let Some(key) = below.pop() {
                top.key = key;
                left -= 1;
            } else if top.entry + 1 < source.entries().end {
                top.entry += 1;
                below = keys(source, top.entry);
                below.reverse();
            } else {
                break;
            }
        }
        self.top = Some(top);
        self.settle(source, height);
    }

    /// The rows on the screen, from the top.
    pub(crate) fn visible<S: Source>(&self, source: &S, height: usize) -> Vec<Visible<S::Row>> {
        let Some(top) = self.place(source) else { return bottom(source, height) };
        let mut rows = Vec::new();
        for entry in top.entry..source.entries().end {
            let of = source.rows(entry);
            let skipped = if entry == top.entry { index_of(&of, top.key) } else { 0 };
            rows.extend(of.into_iter().skip(skipped).map(|row| (entry, row)));
            if rows.len() >= height {
                rows.truncate(height);
                return rows;
            }
        }
        // Not enough is left below.
        bottom(source, height)
    }

    /// The entry of the selected row.
    pub(crate) fn selected(&self, source: &impl Source, height: usize) -> Option<u64> {
        let visible = self.visible(source, height);
        let at = visible.len().checked_sub(1 + self.lift)?;
        Some(visible[at].0)
    }

    /// The place of the selected row, to be kept in sight when rows or the screen become others.
    pub(crate) fn marked(&self, source: &impl Source, height: usize) -> Option<Place> {
        let visible = self.visible(source, height);
        let (entry, row) = visible.get(visible.len().checked_sub(1 + self.lift)?)?;
        Some(Place { entry: *entry, key: row.key() })
    }

    /// Selects the row that has that place, and moves as little as it takes to show it.
    pub(crate) fn keep(&mut self, source: &impl Source, marked: Place, height: usize) {
        let rows = source.rows(marked.entry);
        let Some(row) = rows.get(index_of(&rows, marked.key)) else { return };
        let marked = Place { key: row.key(), ..marked };
        let places = |view: &Self| -> Vec<Place> {
            let place = |(entry, row): Visible<_>| Place { entry, key: Keyed::key(&row) };
            view.visible(source, height).into_iter().map(place).collect()
        };
        let mut visible = places(self);
        if !visible.contains(&marked) {
            let is_above = visible.first().is_some_and(|first| marked < *first);
            let rows_before = if is_above { 0 } else { height.saturating_sub(1) };
            self.top = Some(above(source, marked, rows_before).0);
            visible = places(self);
        }
        let at = visible.iter().position(|&place| place == marked);
        self.lift = at.map_or(0, |at| visible.len() - 1 - at);
        if self.lift > 0 {
            self.top = visible.first().copied();
        }
        self.settle(source, height);
    }

    /// Goes to the bottom if nothing is below the screen and the last row is selected, and keeps the
    /// selection on the screen.
    pub(crate) fn settle(&mut self, source: &impl Source, height: usize) {
        self.top = self.place(source);
        if let Some(top) = self.top.filter(|_| self.lift == 0) {
            let mut count = 0;
            for entry in top.entry..source.entries().end {
                let of = source.rows(entry);
                let skipped = if entry == top.entry { index_of(&of, top.key) } else { 0 };
                count += of.len() - skipped;
                if count > height {
                    break;
                }
            }
            if count <= height {
                self.top = None;
            }
        }
        if self.lift > 0 {
            self.lift = self.lift.min(self.visible(source, height).len().saturating_sub(1));
        }
    }
}

impl Viewport {
    /// What is at the top, or the oldest entry where that is forgotten.
    fn place(&self, source: &impl Source) -> Option<Place> {
        let start = source.entries().start;
        let top = self.top?;
        Some(if top.entry < start { Place { entry: start, key: 0 } } else { top })
    }
}

/// The place so many rows above another, and how many rows there were not.
fn above(source: &impl Source, from: Place, rows: usize) -> (Place, usize) {
    let mut top = from;
    let mut entry = from.entry;
    let mut keys_above = keys(source, entry);
    keys_above.retain(|&key| key < from.key);
    for left in (1..=rows).rev() {
        while keys_above.is_empty() {
            if entry <= source.entries().start {
                return (top, left);
            }
            entry -= 1;
            keys_above = keys(source, entry);
        }
        if let Some(key) = keys_above.pop() {
            top = Place { entry, key };
        }
    }
    (top, 0)
}

fn keys(source: &impl Source, entry: u64) -> Vec<u32> {
    source.rows(entry).iter().map(Keyed::key).collect()
}

/// The last rows there are.
fn bottom<S: Source>(source: &S, height: usize) -> Vec<Visible<S::Row>> {
    let mut rows = Vec::new();
    for entry in source.entries().rev() {
        if rows.len() >= height {
            break;
        }
        rows.extend(source.rows(entry).into_iter().rev().map(|row| (entry, row)));
    }
    rows.truncate(height);
    rows.reverse();
    rows
}

/// The row that has the place of a key: the last one that begins before or at it.
fn index_of(rows: &[impl Keyed], key: u32) -> usize {
    rows.iter().rposition(|row| row.key() <= key).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use quickcheck::{Arbitrary, Gen};

    use super::*;

    /// Entries of so many letters, in rows of `width`; one without letters is hidden.
    struct Text {
        first: u64,
        lengths: Vec<u32>,
        width: u32,
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Row(u32);

    impl Keyed for Row {
        fn key(&self) -> u32 {
            self.0
        }
    }

    impl Source for Text {
        type Row = Row;

        fn entries(&self) -> Range<u64> {
            self.first..self.first + self.lengths.len() as u64
        }

        fn rows(&self, entry: u64) -> Vec<Row> {
            let length = self.lengths[(entry - self.first) as usize];
            (0..length.div_ceil(self.width)).map(|row| Row(row * self.width)).collect()
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Op {
        Up(usize),
        Down(usize),
        Arrive(u32),
        Forget,
        Width(u32),
        Top,
        Bottom,
        Center(u64),
    }

    impl Arbitrary for Op {
        fn arbitrary(g: &mut Gen) -> Self {
            let n = usize::arbitrary(g) % 9;
            match u8::arbitrary(g) % 9 {
                0 | 1 => Self::Up(n),
                2 => Self::Down(n),
                3 | 4 => Self::Arrive(n as u32 * 3),
                5 => Self::Forget,
                6 => Self::Width(n as u32 + 1),
                7 => Self::Center(n as u64),
                _ if n < 4 => Self::Top,
                _ => Self::Bottom,
            }
        }
    }

    const HEIGHT: usize = 5;

    fn apply(view: &mut Viewport, text: &mut Text, op: Op) {
        match op {
            Op::Up(rows) => view.up(text, rows, HEIGHT),
            Op::Down(rows) => view.down(text, rows, HEIGHT),
            Op::Arrive(length) => text.lengths.push(length),
            Op::Forget if text.lengths.len() > 1 => {
                text.lengths.remove(0);
                text.first += 1;
            }
            Op::Forget => {}
            Op::Width(width) => text.width = width,
            Op::Top => view.go_top(text, HEIGHT),
            Op::Bottom => view.go_bottom(),
            Op::Center(n) => {
                let entries = text.entries();
                view.center(text, entries.start + n % (entries.end - entries.start), HEIGHT);
            }
        }
        view.settle(text, HEIGHT);
    }

    #[test]
    fn the_screen_is_full_and_in_order() {
        fn property(ops: Vec<Op>) -> bool {
            let mut text = Text { first: 7, lengths: vec![4, 0, 9], width: 3 };
            let mut view = Viewport::default();
            ops.into_iter().all(|op| {
                apply(&mut view, &mut text, op);
                let rows: usize = text.entries().map(|entry| text.rows(entry).len()).sum();
                let visible: Vec<(u64, u32)> = view
                    .visible(&text, HEIGHT)
                    .iter()
                    .map(|(entry, row)| (*entry, row.0))
                    .collect();
                let selected = view.selected(&text, HEIGHT);
                visible.len() == rows.min(HEIGHT)
                    && visible.is_sorted_by(|a, b| a < b)
                    && selected.is_some() != visible.is_empty()
            })
        }
        crate::machine::quickcheck().tests(5_000).quickcheck(property as fn(Vec<Op>) -> bool);
    }

    #[test]
    fn who_reads_back_is_not_moved() {
        fn property(ops: Vec<Op>) -> bool {
            let mut text = Text { first: 0, lengths: vec![7; 30], width: 3 };
            let mut view = Viewport::default();
            ops.into_iter().all(|op| {
                let before = view.visible(&text, HEIGHT);
                let selected = view.selected(&text, HEIGHT);
                let held = !view.follows() && matches!(op, Op::Arrive(_));
                apply(&mut view, &mut text, op);
                let moved = view.visible(&text, HEIGHT) != before
                    || view.selected(&text, HEIGHT) != selected;
                !(held && moved)
            })
        }
        crate::machine::quickcheck().tests(5_000).quickcheck(property as fn(Vec<Op>) -> bool);
    }

    #[test]
    fn whoever_selects_reads_back() {
        let mut text = Text { first: 0, lengths: vec![3, 3, 3], width: 3 };
        let mut view = Viewport::default();
        view.up(&text, 1, HEIGHT);
        assert_eq!((view.selected(&text, HEIGHT), view.follows()), (Some(1), false));
        text.lengths.push(3);
        view.settle(&text, HEIGHT);
        view.deselect(&text, HEIGHT);
        assert!(view.follows(), "everything is on the screen");
    }

    #[test]
    fn up_and_down_again() {
        let text = Text { first: 0, lengths: vec![7; 30], width: 3 };
        let mut view = Viewport::default();
        let newest = view.visible(&text, HEIGHT);
        view.up(&text, 13, HEIGHT);
        view.up(&text, 4, HEIGHT);
        view.down(&text, 16, HEIGHT);
        assert!(!view.follows());
        view.down(&text, 1, HEIGHT);
        assert!(view.follows() && view.visible(&text, HEIGHT) == newest);
        view.up(&text, 1000, HEIGHT);
        assert_eq!(view.visible(&text, HEIGHT)[0], (0, Row(0)));
        assert_eq!(view.lift(), HEIGHT - 1, "the selection went on to the first row");
        assert_eq!(view.selected(&text, HEIGHT), Some(0));
        view.down(&text, 2, HEIGHT);
        assert_eq!(view.visible(&text, HEIGHT)[0], (0, Row(0)), "and comes back before rows move");
        assert_eq!(view.lift(), 2);
    }

    /// The selected row was so many rows above the last one: at another size that was another message.
    #[test]
    fn what_is_selected_stays_selected_at_any_size() {
        fn property(ops: Vec<Op>, sizes: Vec<(u8, u8)>) -> bool {
            let mut text = Text { first: 7, lengths: vec![7, 1, 30, 4, 0, 9, 50, 2], width: 3 };
            let mut view = Viewport::default();
            ops.into_iter().for_each(|op| apply(&mut view, &mut text, op));
            let mut height = HEIGHT;
            sizes.into_iter().all(|(width, rows)| {
                let Some(marked) = view.marked(&text, height) else { return true };
                text.width = u32::from(width % 60) + 1;
                height = usize::from(rows % 30) + 1;
                view.keep(&text, marked, height);
                let now = view.marked(&text, height);
                let place = |place: Place| (place.entry, place.key / text.width);
                view.selected(&text, height) == Some(marked.entry)
                    && now.map(place) == Some(place(marked))
            })
        }
        let mut often = crate::machine::quickcheck().tests(5_000);
        often.quickcheck(property as fn(Vec<Op>, Vec<(u8, u8)>) -> bool);
    }

    #[test]
    fn another_width_shows_the_same_place() {
        let mut text = Text { first: 0, lengths: vec![60; 30], width: 10 };
        let mut view = Viewport::default();
        view.center(&text, 9, HEIGHT);
        view.up(&text, 4, HEIGHT);
        let top = view.visible(&text, HEIGHT)[0].1.0;
        let entry = view.visible(&text, HEIGHT)[0].0;
        for width in [7, 60, 3, 10] {
            text.width = width;
            let (of, row) = &view.visible(&text, HEIGHT)[0];
            assert!(*of == entry && row.0 <= top && top < row.0 + width, "{width}");
        }
        assert_eq!(view.visible(&text, HEIGHT)[0].1.0, top);
    }
}
