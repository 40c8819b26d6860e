//! What was said as plain lines, to be selected with the mouse: a message is one line, without a frame,
//! an indent or a break of ours. The terminal wraps it, and so copies it as one.
//!
//! Nothing is drawn there but what a key asks for: a terminal forgets what is selected where something
//! is drawn.

use unicode_segmentation::UnicodeSegmentation;

use crate::driver::front::wording;
use crate::driver::terminal::decoder::{Key, Stroke};
use crate::driver::terminal::page::Page;
use crate::driver::terminal::scrollback::{Item, Said};
use crate::driver::terminal::viewport::Source;
use crate::driver::terminal::wrap::{columns, fitting};

/// What stands in the last row.
const HINTS: [&str; 3] = [
    " F3, Esc: back   PgUp, PgDn: more   T: with times   letters: type ",
    " F3: back  PgUp, PgDn: more  T: times ",
    " F3: back ",
];
/// Blanks that a tab comes to.
const TAB: &str = "    ";

/// Which messages are shown as plain lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plainly {
    /// The first entry that is not shown any more.
    end: u64,
    /// The time stands before each.
    timed: bool,
    /// What was drawn last: for whom nothing changes nothing is drawn.
    drawn: Option<(u64, bool, u16, u16)>,
    /// Columns, and rows for messages.
    size: (usize, usize),
}

/// What a key comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Stays,
    Leaves,
    /// They go on with that key.
    LeavesWith,
}

impl Plainly {
    /// Lines up to that entry.
    pub(crate) fn up_to(end: u64) -> Self {
        Self { end, timed: false, drawn: None, size: (80, 23) }
    }

    /// Everything is to be drawn.
    pub(crate) fn forget(&mut self) {
        self.drawn = None;
    }

    pub(crate) fn key(&mut self, stroke: Stroke, page: &Page) -> Outcome {
        match stroke.key {
            Key::Function(3) | Key::Escape | Key::Enter => return Outcome::Leaves,
            Key::Char('c' | 'd') if stroke.ctrl => return Outcome::Leaves,
            Key::Char('q') => return Outcome::Leaves,
            Key::Char('t' | 'T') if !stroke.ctrl && !stroke.alt => self.timed = !self.timed,
            Key::Up | Key::Char('k' | 'K') => self.up(page, 1),
            Key::Down | Key::Char('j' | 'J') => self.down(page, 1),
            Key::PageUp => {
                if let Some(&(first, _)) = self.shown(page).first() {
                    // One of them is seen on both pages.
                    self.end = first + 1;
                    self.fill(page);
                }
            }
            Key::PageDown | Key::Char(' ') => {
                if let Some(&(last, _)) = self.shown(page).last() {
                    self.end = self.end_of_page_from(page, last);
                }
            }
            Key::Home | Key::Char('g') => {
                self.end = self.end_of_page_from(page, page.entries().start);
            }
            Key::End | Key::Char('G') => self.end = page.entries().end,
            Key::Char(_) => return Outcome::LeavesWith,
            _ => {}
        }
        Outcome::Stays
    }

    /// Towards older lines, by so many.
    pub(crate) fn up(&mut self, page: &Page, lines: usize) {
        for _ in 0..lines {
            let mut before =
                (page.entries().start..self.end).rev().filter(|&at| said(page, at).is_some());
            let Some(last) = before.next() else { return };
            if before.next().is_some() {
                self.end = last;
            }
        }
        self.fill(page);
    }

    /// Towards newer lines, by so many.
    pub(crate) fn down(&mut self, page: &Page, lines: usize) {
        for _ in 0..lines {
            let next = (self.end..page.entries().end).find(|&at| said(page, at).is_some());
            self.end = next.map_or(self.end, |next| next + 1);
        }
    }

    /// Who has gone up to the oldest sees a whole page of them.
    fn fill(&mut self, page: &Page) {
        self.end = self.end.max(self.end_of_page_from(page, page.entries().start));
    }

    /// Where a page ends that begins with that entry.
    fn end_of_page_from(&self, page: &Page, first: u64) -> u64 {
        let (width, height) = self.size;
        let (mut rows, mut end) = (0, first);
        for at in first..page.entries().end {
            let Some(said) = said(page, at) else { continue };
            rows += rows_of(&self.line(page, at, said), width);
            if rows > height && end > first {
                break;
            }
            end = at + 1;
        }
        end
    }

    /// The lines that fit, and their entries.
    fn shown(&self, page: &Page) -> Vec<(u64, String)> {
        let (width, height) = self.size;
        let (mut lines, mut rows) = (Vec::new(), 0);
        for at in (page.entries().start..self.end.min(page.entries().end)).rev() {
            let Some(said) = said(page, at) else { continue };
            let line = self.line(page, at, said);
            rows += rows_of(&line, width);
            if rows > height && !lines.is_empty() {
                break;
            }
            lines.push((at, line));
        }
        lines.reverse();
        lines
    }

    /// A message as one line, as it is in plain lines.
    fn line(&self, page: &Page, at: u64, said: &Said) -> String {
        let from = page.label(&said.from);
        let label = match (&said.private, &said.fate) {
            (Some(to), Some(_)) => format!("{from} {} {}", page.signs.joined, page.label(to)),
            _ => from,
        };
        let line =
            wording::message(&label, said.text.as_str(), said.action, said.private.is_some());
        let line = page.signs.spelled(&line.replace('\t', TAB)).into_owned();
        match page.scrollback.get(at).filter(|_| self.timed) {
            Some(entry) => format!("{} {line}", page.zone.stamp(entry.at)),
            None => line,
        }
    }

    /// The bytes that draw it on a terminal of that size; none where it is drawn already.
    pub(crate) fn frame(&mut self, page: &Page, width: u16, height: u16) -> String {
        let size = (usize::from(width), usize::from(height.saturating_sub(1)).max(1));
        if self.size != size {
            // A larger page has more on it, at the beginning as well.
            self.size = size;
            self.fill(page);
        }
        let drawn = Some((self.end, self.timed, width, height));
        if self.drawn == drawn {
            return String::new();
        }
        self.drawn = drawn;
        // Wrapped by the terminal, this once.
        let mut out = "\x1b[?2026h\x1b[?25l\x1b[0m\x1b[2J\x1b[?7h".to_owned();
        let mut row = 0;
        for (_, line) in self.shown(page) {
            let rows = rows_of(&line, self.size.0);
            // Of one that is longer than the screen, the beginning.
            let room = self.size.1.saturating_sub(row);
            let line = if rows > room { cut(&line, self.size.0, room) } else { &line };
            out += &format!("\x1b[{};1H{line}", row + 1);
            row += rows;
        }
        out += "\x1b[?7l";
        if height > 1 {
            let fits = HINTS.into_iter().find(|hint| columns(hint) <= self.size.0);
            let (hint, _) = fitting(fits.unwrap_or(HINTS[2]), self.size.0);
            out += &format!("\x1b[{height};1H\x1b[0;7m{hint}\x1b[0m");
        }
        out + "\x1b[?2026l"
    }
}

/// The message that an entry is, if it is one that is shown.
fn said(page: &Page, at: u64) -> Option<&Said> {
    let entry = page.scrollback.get(at).filter(|entry| page.shows(entry))?;
    match &entry.item {
        Item::Said(said) => Some(said),
        _ => None,
    }
}

/// How many rows a terminal makes of a line: what does not fit the rest of a row goes to the next.
fn rows_of(line: &str, width: usize) -> usize {
    let (mut rows, mut column) = (1, 0);
    for grapheme in line.graphemes(true) {
        let wide = columns(grapheme);
        if column + wide > width && column > 0 {
            rows += 1;
            column = 0;
        }
        column += wide;
    }
    rows
}

/// As much of a line as takes at most so many rows.
fn cut(line: &str, width: usize, rows: usize) -> &str {
    let mut end = 0;
    for (at, grapheme) in line.grapheme_indices(true) {
        let next = at + grapheme.len();
        if rows_of(&line[..next], width) > rows {
            break;
        }
        end = next;
    }
    &line[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_a_terminal() {
        assert_eq!(rows_of("", 10), 1);
        assert_eq!((rows_of("0123456789", 10), rows_of("01234567890", 10)), (1, 2));
        assert_eq!(rows_of("012345678\u{4f60}", 10), 2, "a wide letter does not fit one column");
        assert_eq!(rows_of("\u{4f60}\u{4f60}", 1), 2);
        assert_eq!(cut("0123456789abc", 5, 2), "0123456789");
        assert_eq!(cut("0123456789abc", 5, 0), "");
    }
}
