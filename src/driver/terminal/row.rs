//! A line that is typed in the last row of a terminal without a screen.
//!
//! The row has no control sequence in it: carriage returns and blanks do on every terminal. What is
//! typed at its end is echoed and nothing else, for those who have a terminal read to them.

use std::collections::VecDeque;

use crate::driver::front::company::Company;
use crate::driver::front::typing::{Typed as Came, Typing};
use crate::driver::terminal::commands::is_everywhere;
use crate::driver::terminal::complete::Completion;
use crate::driver::terminal::decoder::{Decoder, Key, Stroke, Typed};
use crate::driver::terminal::editor::{Editor, Span, Toward};
use crate::driver::terminal::recall::Recall;
use crate::driver::terminal::wrap::{self, columns, fitting};
use crate::machine::{Person, Time};

/// The editor of a row.
#[derive(Debug)]
pub(crate) struct Row {
    decoder: Decoder,
    editor: Editor,
    recall: Recall,
    /// What Tab has put there.
    completion: Option<Completion>,
    came: VecDeque<Came>,
    /// Columns of the terminal.
    width: usize,
    /// What stands there, and where the cursor is in it, bytes.
    shown: (String, usize),
    /// What the terminal is to be told.
    out: String,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            decoder: Decoder::default(),
            editor: Editor::default(),
            recall: Recall::default(),
            completion: None,
            came: VecDeque::new(),
            width: 80,
            shown: (String::new(), 0),
            out: String::new(),
        }
    }
}

/// Whether it is something of a text.
const fn is_letter(typed: &Typed) -> bool {
    matches!(typed, Typed::Stroke(Stroke { key: Key::Char(_), ctrl: false, alt: false, .. }))
}

impl Row {
    fn take(&mut self, company: &Company) {
        let typed: Vec<Typed> = core::iter::from_fn(|| self.decoder.next_typed()).collect();
        // A tab with letters behind it that came along is pasted: no hand is so fast.
        let text_end = typed.iter().rposition(is_letter).unwrap_or(0);
        for (at, typed) in typed.into_iter().enumerate() {
            if let Typed::Stroke(Stroke { key: key @ (Key::Tab | Key::BackTab), .. }) = typed {
                if at < text_end {
                    self.insert("\t");
                } else {
                    self.complete(key == Key::BackTab, company);
                }
                continue;
            }
            self.completion = None;
            match typed {
                Typed::Stroke(stroke) => self.key(stroke),
                Typed::LineEnd => self.end_line(),
                Typed::Paste { text, .. } => {
                    let text = text.replace("\r\n", "\n").replace('\r', "\n");
                    let mut lines = text.split('\n');
                    self.insert(lines.next().unwrap_or_default());
                    for line in lines {
                        self.end_line();
                        self.insert(line);
                    }
                }
                Typed::Focus(_) | Typed::Wheel { .. } => {}
            }
        }
        self.draw();
    }

    /// Tab: the next candidate, or the one before.
    fn complete(&mut self, back: bool, company: &Company) {
        if let Some(completion) = &mut self.completion {
            completion.turn(back);
        } else {
            let (text, cursor) = (self.editor.text(), self.editor.cursor());
            let address = |who: &Person| company.address(who);
            let named = |who: &Person| company.name(who);
            let begun = Completion::begin(text, cursor, &company.sorted(), address, named);
            // What only the screen does is not offered.
            let offered = |written: &str| written.strip_prefix('/').is_none_or(is_everywhere);
            self.completion = begun.and_then(|completion| completion.of(offered));
        }
        let Some(completion) = &mut self.completion else { return };
        let candidate = completion.candidate().to_owned();
        self.editor.replace(completion.part.clone(), &candidate);
        completion.part.end = self.editor.cursor();
        if completion.is_settled() {
            self.completion = None;
        }
    }

    fn insert(&mut self, text: &str) {
        self.editor.insert(text);
    }

    fn key(&mut self, Stroke { key, ctrl, alt, .. }: Stroke) {
        let editor = &mut self.editor;
        match key {
            Key::Enter => self.end_line(),
            // What the kernel makes of it.
            Key::Char('j') if ctrl => self.end_line(),
            Key::Char('d') if ctrl && editor.is_empty() => self.came.push_back(Came::End),
            Key::Char('d') if ctrl => editor.erase(Toward::End),
            Key::Char('a') if ctrl => editor.edge(Toward::Start),
            Key::Char('e') if ctrl => editor.edge(Toward::End),
            Key::Char('b') if ctrl => editor.step(Span::Grapheme, Toward::Start),
            Key::Char('f') if ctrl => editor.step(Span::Grapheme, Toward::End),
            Key::Char('w') if ctrl => editor.kill(Span::Blank, Toward::Start),
            Key::Char('u') if ctrl => editor.kill(Span::Line, Toward::Start),
            Key::Char('k') if ctrl => editor.kill(Span::Line, Toward::End),
            Key::Char('y') if ctrl => editor.yank(),
            // Whatever somebody else has written there is behind the blanks.
            Key::Char('l' | 'r') if ctrl => {
                let blank = " ".repeat(self.width.saturating_sub(1));
                self.out.push_str(&format!("\r{blank}\r"));
                self.shown = (String::new(), 0);
            }
            Key::Char(letter) if !ctrl && !alt => self.insert(letter.encode_utf8(&mut [0; 4])),
            Key::Backspace if alt => editor.kill(Span::Word, Toward::Start),
            Key::Backspace => editor.erase(Toward::Start),
            Key::Delete => editor.erase(Toward::End),
            Key::Left => editor.step(Span::Grapheme, Toward::Start),
            Key::Right => editor.step(Span::Grapheme, Toward::End),
            Key::Home => editor.edge(Toward::Start),
            Key::End => editor.edge(Toward::End),
            Key::Up => {
                if let Some(line) = self.recall.earlier(self.editor.text()) {
                    self.editor.set(line);
                }
            }
            Key::Down => {
                if let Some(line) = self.recall.later() {
                    self.editor.set(line);
                }
            }
            _ => {}
        }
    }

    /// The line stays on the terminal, whole.
    fn end_line(&mut self) {
        let line = self.editor.take();
        let row = visible(&line);
        if row.starts_with(&self.shown.0) && self.shown.1 == self.shown.0.len() {
            self.out.push_str(&row[self.shown.0.len()..]);
        } else {
            let hide = self.erased();
            self.out.push_str(&hide);
            self.out.push_str(&row);
        }
        self.out.push('\n');
        self.shown = (String::new(), 0);
        self.recall.push(&line);
        self.came.push_back(Came::Line(line));
    }

    /// The part of the line that fits the row, and where the cursor is in it.
    fn row(&self) -> (String, usize) {
        let line = visible(self.editor.text());
        // Each letter is as many bytes as before.
        let cursor = self.editor.cursor();
        let room = self.width.saturating_sub(1).max(1);
        let mut start = 0;
        while columns(&line[start..cursor]) > room {
            start += line[start..].chars().next().map_or(1, char::len_utf8);
        }
        let (row, _) = fitting(&line[start..], room);
        (row.to_owned(), cursor - start)
    }

    /// Has the terminal show the row as it is.
    fn draw(&mut self) {
        let (row, cursor) = self.row();
        let (was, at) = &self.shown;
        let at_end = *at == was.len() && cursor == row.len();
        if at_end && row.starts_with(was.as_str()) {
            self.out.push_str(&row[was.len()..]);
        } else {
            let blank = " ".repeat(columns(was).saturating_sub(columns(&row)));
            let behind = if cursor == row.len() && blank.is_empty() { "" } else { "\r" };
            self.out.push_str(&format!("\r{row}{blank}{behind}"));
            if !behind.is_empty() {
                self.out.push_str(&row[..cursor]);
            }
        }
        self.shown = (row, cursor);
    }

    fn erased(&mut self) -> String {
        let (was, _) = core::mem::take(&mut self.shown);
        if was.is_empty() { String::new() } else { format!("\r{}\r", " ".repeat(columns(&was))) }
    }
}

/// A line as one row shows it.
fn visible(line: &str) -> String {
    line.replace(['\t', '\n'], " ")
}

impl Typing for Row {
    fn feed(&mut self, bytes: &[u8], now: Time, columns: usize, company: &Company) {
        self.resize(columns);
        self.decoder.feed(bytes, now);
        self.take(company);
    }

    fn tick(&mut self, now: Time, company: &Company) {
        self.decoder.tick(now);
        self.take(company);
    }

    fn resize(&mut self, columns: usize) {
        if self.width == columns {
            return;
        }
        self.width = columns;
        // What no longer fits one row is several on some terminals and cut on others: the one that the
        // cursor is in is begun anew, and no more blanks are written than it has columns.
        let blank = " ".repeat(columns.saturating_sub(1).min(wrap::columns(&self.shown.0)));
        if !self.shown.0.is_empty() {
            self.out.push_str(&format!("\r{blank}\r"));
            self.shown = (String::new(), 0);
        }
        self.draw();
    }

    fn clear(&mut self) -> bool {
        let typed = !self.editor.is_empty();
        self.editor.take();
        self.completion = None;
        self.draw();
        typed
    }

    fn is_free(&self) -> bool {
        self.editor.is_empty()
    }

    fn put_back(&mut self, line: &str) {
        if self.is_free() {
            self.editor.set(line);
            self.draw();
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.decoder.deadline()
    }

    fn next_typed(&mut self) -> Option<Came> {
        self.came.pop_front()
    }

    fn echo(&mut self) -> String {
        core::mem::take(&mut self.out)
    }

    fn hide(&mut self) -> String {
        self.erased()
    }

    fn show(&mut self) -> String {
        self.draw();
        self.echo()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::machine::{Event, Name, PeerId, PublicKey};

    /// What an emulator shows of the bytes, row by row.
    fn seen(bytes: &str, width: u16) -> (Vec<String>, u16) {
        let size = |of| NonZeroU16::new(of).unwrap();
        let mut terminal = vt100::Parser::new(size(10), size(width), 0);
        terminal.process(bytes.replace('\n', "\r\n").as_bytes());
        let rows = terminal.screen().rows(0, width).map(|row| row.trim_end().to_owned());
        (rows.filter(|row| !row.is_empty()).collect(), terminal.screen().cursor_position().1)
    }

    fn typed(row: &mut Row, keys: &str, width: usize) -> String {
        let now = Time::ZERO;
        let mut out = String::new();
        for key in keys.split_inclusive(|_| true) {
            row.feed(key.as_bytes(), now, width, &Company::EMPTY);
            out += &row.echo();
        }
        out
    }

    #[test]
    fn what_arrives_stands_above_what_is_typed() {
        let mut row = Row::default();
        let mut out = typed(&mut row, "half a li", 40);
        assert_eq!(out, "half a li", "nothing but what was typed");
        out += &format!("{}bob: hello\n{}", row.hide(), row.show());
        out += &typed(&mut row, "ne", 40);
        assert_eq!(seen(&out, 40), (vec!["bob: hello".into(), "half a line".into()], 11));
        out += &typed(&mut row, "\x7f\x7f\x01a\u{4f60} ", 40);
        assert_eq!(seen(&out, 40).0[1], "a\u{4f60} half a li");
        assert_eq!(seen(&out, 40).1, 4);
        out += &typed(&mut row, "\n", 40);
        assert_eq!(row.next_typed(), Some(Came::Line("a\u{4f60} half a li".into())));
        assert_eq!(seen(&out, 40), (vec!["bob: hello".into(), "a\u{4f60} half a li".into()], 0));
        assert_eq!((row.hide(), row.show()), (String::new(), String::new()));
        typed(&mut row, "\x04", 40);
        assert_eq!(row.next_typed(), Some(Came::End));
    }

    #[test]
    fn a_line_longer_than_the_row_scrolls_in_it_and_is_whole_in_the_end() {
        let mut row = Row::default();
        let line = "0123456789abcdefghij";
        let mut out = typed(&mut row, line, 10);
        assert_eq!(seen(&out, 10), (vec!["bcdefghij".into()], 9));
        out += &format!("{}news\n{}", row.hide(), row.show());
        assert_eq!(seen(&out, 10).0, ["news", "bcdefghij"]);
        out += &typed(&mut row, "\n", 10);
        assert_eq!(seen(&out, 10).0, ["news", "0123456789", "abcdefghij"]);
        assert_eq!(row.next_typed(), Some(Came::Line(line.into())));
    }

    #[test]
    fn keys_of_other_editors_and_no_sequences() {
        let mut row = Row::default();
        typed(&mut row, "one two\x17\x15", 40);
        typed(&mut row, "three", 40);
        row.feed(b"\x1b[D\x1b[D\x1b[3~", Time::ZERO, 40, &Company::EMPTY);
        row.feed(b"\n", Time::ZERO, 40, &Company::EMPTY);
        let out = row.echo();
        assert_eq!(row.next_typed(), Some(Came::Line("thre".into())));
        assert!(!out.contains('\x1b'), "{out:?}");
        typed(&mut row, "x", 40);
        row.feed(b"\x1b[A", Time::ZERO, 40, &Company::EMPTY);
        assert_eq!(row.editor.text(), "thre");
        row.feed(b"\x1b[B", Time::ZERO, 40, &Company::EMPTY);
        assert_eq!(row.editor.text(), "x");
    }

    /// Two people, and what a read of keys makes of the line.
    fn completed(reads: &[&str]) -> String {
        let mut company = Company::EMPTY;
        for (id, name) in [(1, "bob"), (2, "Ann Lee"), (3, "bea")] {
            let (id, key) = (PeerId(id), PublicKey([id as u8; 32]));
            company.note(&Event::Joined(Person { id, key, name: Name::parse(name).unwrap() }));
        }
        let mut row = Row::default();
        for read in reads {
            row.feed(read.as_bytes(), Time::ZERO, 40, &company);
        }
        assert!(!row.echo().contains('\x1b'));
        row.editor.text().to_owned()
    }

    #[test]
    fn tab_completes_here_as_it_does_on_the_screen() {
        for (reads, line) in [
            (&["bo\t"][..], "bob: "),
            (&["hi bo\t"], "hi bob "),
            (&["@ann l\t"], "@Ann Lee "),
            (&["/msg an\t", "hi"], "/msg Ann Lee hi"),
            (&["b\t"], "bea: "),
            (&["b\t", "\t"], "bob: "),
            (&["b\t", "\x1b[Z"], "bob: "),
            (&["/who\t", "\t"], "/whois "),
            (&["/l\t"], "/log "),
            (&["/clea\t"], "/clea"),
            (&["zed\t"], "zed"),
            // Letters behind it that came along are no hand's.
            (&["bo\tx"], "bo\tx"),
        ] {
            assert_eq!(completed(reads), line, "{reads:?}");
        }
    }

    #[test]
    fn what_is_drawn_anew_stands_there_once() {
        for keys in ["half a li\x0c", "half a li\x12", "half\x0c a\x0c li"] {
            let mut row = Row::default();
            assert_eq!(seen(&typed(&mut row, keys, 40), 40), (vec!["half a li".into()], 9));
        }
        let mut row = Row::default();
        let mut out = typed(&mut row, "0123456789abcdefghij", 12);
        row.resize(40);
        out += &row.echo();
        assert_eq!(seen(&out, 40), (vec!["0123456789abcdefghij".into()], 20), "it fits again");
        row.resize(12);
        out = row.echo();
        assert_eq!(seen(&out, 12), (vec!["9abcdefghij".into()], 11), "in one row");
        assert!(row.clear() && !row.clear());
        out += &row.echo();
        assert_eq!(seen(&out, 12), (vec![], 0));
        row.put_back("x");
        row.put_back("another");
        assert_eq!(row.editor.text(), "x");
    }
}
