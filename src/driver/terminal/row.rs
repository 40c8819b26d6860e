//! A line that is typed in the last row of a terminal without a screen.
//!
//! The row has no control sequence in it: carriage returns and blanks do on every terminal. What is
//! typed at its end is echoed and nothing else, for those who have a terminal read to them.

use std::collections::VecDeque;

use crate::driver::front::typing::{Typed as Came, Typing};
use crate::driver::terminal::decoder::{Decoder, Key, Stroke, Typed};
use crate::driver::terminal::editor::{Editor, Span, Toward};
use crate::driver::terminal::recall::Recall;
use crate::driver::terminal::wrap::{columns, fitting};
use crate::machine::Time;

/// The editor of a row.
#[derive(Debug)]
pub(crate) struct Row {
    decoder: Decoder,
    editor: Editor,
    recall: Recall,
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
            came: VecDeque::new(),
            width: 80,
            shown: (String::new(), 0),
            out: String::new(),
        }
    }
}

impl Row {
    fn take(&mut self) {
        while let Some(typed) = self.decoder.next_typed() {
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
            Key::Char('l' | 'r') if ctrl => {
                self.out.push_str("\r\n");
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
    fn feed(&mut self, bytes: &[u8], now: Time, columns: usize) {
        self.width = columns;
        self.decoder.feed(bytes, now);
        self.take();
    }

    fn tick(&mut self, now: Time) {
        self.decoder.tick(now);
        self.take();
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
            row.feed(key.as_bytes(), now, width);
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
        row.feed(b"\x1b[D\x1b[D\x1b[3~", Time::ZERO, 40);
        row.feed(b"\n", Time::ZERO, 40);
        let out = row.echo();
        assert_eq!(row.next_typed(), Some(Came::Line("thre".into())));
        assert!(!out.contains('\x1b'), "{out:?}");
        typed(&mut row, "x", 40);
        row.feed(b"\x1b[A", Time::ZERO, 40);
        assert_eq!(row.editor.text(), "thre");
        row.feed(b"\x1b[B", Time::ZERO, 40);
        assert_eq!(row.editor.text(), "x");
    }
}
