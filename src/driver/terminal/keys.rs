//! What each key does. The words for it are in [`help`].

use crate::driver::front::intent::Intent;
use crate::driver::terminal::commands::beginning;
use crate::driver::terminal::decoder::{Key, Stroke};
use crate::driver::terminal::drafting::without_last_feed;
use crate::driver::terminal::editor::{Editor, Span, Toward};
use crate::driver::terminal::help;
use crate::driver::terminal::plainly::{Outcome, Plainly};
use crate::driver::terminal::view::{Focus, Prompt, Sheet, View};
use crate::driver::terminal::viewport::Source;
use crate::driver::terminal::want::Want;
use crate::driver::terminal::wrap::wrap;

/// Rows of one notch of a wheel.
const NOTCH: usize = 3;
impl View {
    /// A key was pressed.
    pub(crate) fn key(&mut self, stroke: Stroke) {
        self.hint = None;
        if !matches!(stroke.key, Key::Char(_)) {
            self.full_at = None;
        }
        if self.plainly.is_some() {
            return self.plainly_key(stroke);
        }
        match &self.prompt {
            _ if self.sheet.is_some() => self.sheet_key(stroke),
            Prompt::Paste(_) => self.paste_key(stroke),
            Prompt::Several(_) => self.several_key(stroke),
            Prompt::Recall { .. } => self.recall_key(stroke),
            Prompt::Search(_) => self.search_key(stroke),
            Prompt::Draft => {
                if !self.common_key(stroke) {
                    match self.focus {
                        Focus::Type => self.type_key(stroke),
                        Focus::Scroll => self.scroll_key(stroke),
                    }
                }
            }
        }
        self.read();
    }

    /// The wheel was turned by a notch.
    pub(crate) fn wheel(&mut self, up: bool) {
        if let Some(plainly) = &mut self.plainly {
            if up {
                plainly.up(&self.page, NOTCH);
            } else {
                plainly.down(&self.page, NOTCH);
            }
        } else if let Some(sheet) = &mut self.sheet {
            sheet.top = if up { sheet.top.saturating_sub(NOTCH) } else { sheet.top + NOTCH };
        } else if up {
            self.viewport.up(&self.page, NOTCH, self.height);
        } else {
            self.viewport.down(&self.page, NOTCH, self.height);
        }
        self.scrolled();
        self.read();
    }

    /// Who types selects nothing.
    fn scrolled(&mut self) {
        if self.focus == Focus::Type {
            self.viewport.deselect(&self.page, self.height);
        }
    }

    /// The draft changes: what was offered for the old one is void.
    pub(super) fn edited(&mut self) {
        self.completion = None;
        self.popup_closed = false;
    }

    /// Keys that do the same wherever the focus is. False if this is none of them.
    fn common_key(&mut self, stroke: Stroke) -> bool {
        let (page, rows) = (&self.page, self.height);
        let of_terminal = of_terminal(stroke);
        match (stroke.key, stroke.ctrl, stroke.alt) {
            _ if of_terminal.is_some() => self.wants.extend(of_terminal),
            (Key::Function(1), ..) => self.help(),
            (Key::Function(2), ..) => self.people(),
            (Key::Function(3), ..) => self.show_plainly(),
            (Key::Function(4), ..) => self.set_mouse(!self.mouse),
            (Key::Function(6), ..) => self.switch(),
            (Key::PageUp, ..) => self.viewport.up(page, self.page_rows(), rows),
            (Key::PageDown, ..) => self.viewport.down(page, self.page_rows(), rows),
            (Key::Home, true, _) => self.viewport.go_top(page, rows),
            (Key::End, true, _) => self.viewport.go_bottom(),
            (Key::Char('u'), _, true) => self.go_unread(),
            (Key::Char('n'), _, true) => self.go_mention(false),
            (Key::Char('p'), _, true) => self.go_mention(true),
            _ => return false,
        }
        self.scrolled();
        true
    }

    /// Shows what was said as plain lines, from where somebody reads. Where the mouse is reported, it
    /// selects meanwhile.
    fn show_plainly(&mut self) {
        let visible = self.viewport.visible(&self.page, self.height);
        let end = match visible.last() {
            Some((last, _)) if !self.viewport.follows() => last + 1,
            _ => self.page.entries().end,
        };
        self.plainly = Some(Plainly::up_to(end));
        if self.mouse {
            self.want(Want::Mouse(false));
        }
    }

    fn plainly_key(&mut self, stroke: Stroke) {
        if let Some(want) = of_terminal(stroke) {
            return self.want(want);
        }
        let Some(plainly) = &mut self.plainly else { return };
        let outcome = plainly.key(stroke, &self.page);
        if outcome != Outcome::Stays {
            self.plainly = None;
            if self.mouse {
                self.want(Want::Mouse(true));
            }
        }
        if outcome == Outcome::LeavesWith {
            self.key(stroke);
        }
    }

    /// How far a page key goes.
    fn page_rows(&self) -> usize {
        match self.focus {
            Focus::Type => (self.height / 2).max(1),
            Focus::Scroll => self.height.saturating_sub(2).max(1),
        }
    }

    pub(super) fn switch(&mut self) {
        self.completion = None;
        self.focus = match self.focus {
            Focus::Type => Focus::Scroll,
            Focus::Scroll => Focus::Type,
        };
        self.scrolled();
    }

    fn type_key(&mut self, stroke: Stroke) {
        let Stroke { key, ctrl, alt, shift } = stroke;
        if !matches!(key, Key::Tab | Key::BackTab) && self.completion.is_some() {
            let closes = key == Key::Escape;
            self.completion = None;
            if closes {
                return;
            }
        }
        match key {
            Key::Enter if alt || shift => self.insert("\n"),
            Key::Enter => self.submit(),
            Key::Tab => self.complete(false),
            Key::BackTab => self.complete(true),
            Key::Escape if !self.popup().rows.is_empty() => self.popup_closed = true,
            Key::Escape => self.focus = Focus::Scroll,
            Key::Up if !self.climb(Toward::Start) => self.earlier(),
            Key::Down if !self.climb(Toward::End) => self.later(),
            Key::Left if ctrl || alt => self.editor.step(Span::Word, Toward::Start),
            Key::Right if ctrl || alt => self.editor.step(Span::Word, Toward::End),
            Key::Left => self.editor.step(Span::Grapheme, Toward::Start),
            Key::Right => self.editor.step(Span::Grapheme, Toward::End),
            Key::Home => self.editor.edge(Toward::Start),
            Key::End => self.editor.edge(Toward::End),
            Key::Backspace | Key::Delete => {
                self.edited();
                let toward = if key == Key::Delete { Toward::End } else { Toward::Start };
                if ctrl || alt {
                    self.editor.kill(Span::Word, toward);
                } else {
                    self.editor.erase(toward);
                }
            }
            Key::Char(letter) if ctrl => self.type_ctrl(letter),
            Key::Char(letter) if alt => self.type_alt(letter),
            Key::Char(letter) => self.insert(letter.encode_utf8(&mut [0; 4])),
            _ => {}
        }
    }

    /// Moves the cursor by a row, as the draft is drawn.
    fn climb(&mut self, toward: Toward) -> bool {
        let rows = wrap(self.editor.text(), self.draft_width, self.draft_width);
        self.editor.climb(toward, &rows)
    }

    fn type_ctrl(&mut self, letter: char) {
        let editor = &mut self.editor;
        match letter {
            'a' => editor.edge(Toward::Start),
            'e' => editor.edge(Toward::End),
            'b' => editor.step(Span::Grapheme, Toward::Start),
            'f' => editor.step(Span::Grapheme, Toward::End),
            'p' => self.earlier(),
            'n' => self.later(),
            'r' => {
                let before = self.editor.text().to_owned();
                self.prompt = Prompt::Recall { part: String::new(), skip: 0, before };
            }
            'c' if editor.is_empty() => self.leave(),
            'c' => {
                let text = editor.take();
                self.recall.push(&text);
                self.edited();
                self.hint = Some("Ctrl+C again exits · Up brings the line back".to_owned());
            }
            'd' if editor.is_empty() => self.leave(),
            _ => {
                match letter {
                    'd' => editor.erase(Toward::End),
                    'w' => editor.kill(Span::Blank, Toward::Start),
                    'k' => editor.kill(Span::Line, Toward::End),
                    'u' => editor.kill(Span::Line, Toward::Start),
                    'y' => editor.yank(),
                    't' => editor.transpose(),
                    '_' => editor.undo(),
                    'j' => drop(editor.insert("\n")),
                    _ => return,
                }
                self.edited();
            }
        }
    }

    fn type_alt(&mut self, letter: char) {
        match letter {
            'b' => self.editor.step(Span::Word, Toward::Start),
            'f' => self.editor.step(Span::Word, Toward::End),
            'd' => {
                self.edited();
                self.editor.kill(Span::Word, Toward::End);
            }
            'y' => {
                self.edited();
                self.editor.yank_older();
            }
            _ => {}
        }
    }

    fn leave(&mut self) {
        let again = core::mem::replace(&mut self.quitting, true);
        self.ask(if again || self.leaving { Intent::QuitNow } else { Intent::Quit });
    }

    fn earlier(&mut self) {
        if let Some(line) = self.recall.earlier(self.editor.text()) {
            self.editor.set(line);
            self.completion = None;
        }
    }

    fn later(&mut self) {
        if let Some(line) = self.recall.later() {
            self.editor.set(line);
            self.completion = None;
        }
    }

    fn scroll_key(&mut self, stroke: Stroke) {
        let (page, rows) = (&self.page, self.height);
        match stroke.key {
            Key::Char('c' | 'd') if stroke.ctrl => self.leave(),
            Key::Char('s') if stroke.ctrl => self.prompt = Prompt::Search(Editor::default()),
            Key::Char('/') => self.prompt = Prompt::Search(Editor::default()),
            Key::Char('j' | 'J') | Key::Down => self.viewport.down(page, 1, rows),
            Key::Char('k' | 'K') | Key::Up => self.viewport.up(page, 1, rows),
            Key::Char('g') | Key::Home => self.viewport.go_top(page, rows),
            Key::Char('G') | Key::End => self.viewport.go_bottom(),
            Key::Char('n') => self.search_on(true),
            Key::Char('N') => self.search_on(false),
            Key::Char('u') => self.go_unread(),
            Key::Enter => {
                if let Some(entry) = self.viewport.selected(page, rows) {
                    self.details(entry);
                }
            }
            Key::Tab | Key::BackTab => self.switch(),
            Key::Escape if !self.page.wanted.is_empty() => self.page.wanted.clear(),
            Key::Escape => self.switch(),
            Key::Char(letter) if !stroke.ctrl && !stroke.alt => return self.type_on(letter),
            _ => {}
        }
        self.pressed.note(stroke, self.now_ms);
    }

    /// A letter that is no command while reading back begins a sentence, or goes on with one whose first
    /// letters were taken for commands.
    fn type_on(&mut self, letter: char) {
        let before = self.pressed.take(self.now_ms);
        self.switch();
        self.insert(&before);
        self.insert(letter.encode_utf8(&mut [0; 4]));
    }

    fn go_unread(&mut self) {
        match self.page.unread {
            Some(unread) => self.viewport.show(&self.page, unread.from, self.height),
            None => self.hint = Some("nothing is unread".to_owned()),
        }
    }

    fn go_mention(&mut self, back: bool) {
        let entries = self.page.entries();
        let selected = self.viewport.selected(&self.page, self.height);
        let from = match self.focus {
            Focus::Type if self.viewport.follows() => entries.end,
            _ => selected.unwrap_or(entries.end),
        };
        match self.page.scrollback.find_mention(from, back) {
            Some(entry) => {
                self.focus = Focus::Scroll;
                self.viewport.center(&self.page, entry, self.height);
            }
            None => self.hint = Some("no more mentions".to_owned()),
        }
    }

    fn search_key(&mut self, stroke: Stroke) {
        let Prompt::Search(needle) = &mut self.prompt else { return };
        match stroke.key {
            Key::Enter => {
                let text = needle.take();
                self.prompt = Prompt::Draft;
                if !text.is_empty() {
                    self.search(&text);
                    self.notice_command(&text);
                }
            }
            Key::Escape => self.prompt = Prompt::Draft,
            Key::Char('c') if stroke.ctrl => self.prompt = Prompt::Draft,
            Key::Char('u') if stroke.ctrl => drop(needle.take()),
            Key::Char('w') if stroke.ctrl => needle.kill(Span::Blank, Toward::Start),
            Key::Char(letter) if !stroke.ctrl && !stroke.alt => {
                needle.insert(letter.encode_utf8(&mut [0; 4]));
            }
            Key::Backspace => needle.erase(Toward::Start),
            Key::Left => needle.step(Span::Grapheme, Toward::Start),
            Key::Right => needle.step(Span::Grapheme, Toward::End),
            _ => {}
        }
    }

    /// Who reads back and means to give a command searches for it: that is said, and the line kept.
    fn notice_command(&mut self, text: &str) {
        let word = text.split_whitespace().next().unwrap_or_default();
        if beginning(word).iter().any(|help| help.name == word) {
            self.recall.push(&format!("/{text}"));
            self.hint =
                Some(format!("that was a search; to give the command: Tab, then Up for /{word}"));
        }
    }

    fn recall_key(&mut self, stroke: Stroke) {
        let Prompt::Recall { part, skip, before } = &mut self.prompt else { return };
        match stroke.key {
            Key::Char('r') if stroke.ctrl => *skip += 1,
            key if key == Key::Escape || stroke.ctrl && matches!(key, Key::Char('c' | 'g')) => {
                let before = core::mem::take(before);
                self.editor.set(&before);
                self.prompt = Prompt::Draft;
                return;
            }
            Key::Char(letter) if !stroke.ctrl && !stroke.alt => {
                part.push(letter);
                *skip = 0;
            }
            Key::Backspace => {
                part.pop();
                *skip = 0;
            }
            Key::Enter => {
                self.prompt = Prompt::Draft;
                return self.edited();
            }
            _ => {
                // Whatever else is done is done to the line that was found.
                self.prompt = Prompt::Draft;
                self.edited();
                return self.key(stroke);
            }
        }
        match self.recall.find(part, *skip) {
            Some(line) => self.editor.set(line),
            None => *skip = skip.saturating_sub(1),
        }
    }

    fn paste_key(&mut self, stroke: Stroke) {
        let Prompt::Paste(text) = &self.prompt else { return };
        let text = without_last_feed(text).to_owned();
        let several = self.messages_with(&text).is_some();
        match stroke.key {
            Key::Enter if several => {
                self.prompt = Prompt::Draft;
                self.insert(&text);
                self.submit_several();
            }
            // Nothing of it is lost: who does not say it now has it to work on.
            _ if several => {
                self.prompt = Prompt::Draft;
                self.insert(&text);
                self.hint =
                    Some("kept in the draft: Enter asks again, Ctrl+C clears it".to_owned());
            }
            Key::Enter => {
                self.prompt = Prompt::Draft;
                self.insert(&text);
            }
            Key::Escape => self.prompt = Prompt::Draft,
            Key::Char('c') if stroke.ctrl => self.prompt = Prompt::Draft,
            _ => self.hint = Some("Enter takes the paste, Esc does not".to_owned()),
        }
    }

    fn several_key(&mut self, stroke: Stroke) {
        match stroke.key {
            Key::Enter => self.submit_several(),
            Key::Escape => self.prompt = Prompt::Draft,
            Key::Char('c') if stroke.ctrl => self.prompt = Prompt::Draft,
            // Whoever goes on writes.
            _ => {
                self.prompt = Prompt::Draft;
                self.key(stroke);
            }
        }
    }

    fn sheet_key(&mut self, stroke: Stroke) {
        let rows = self.height.saturating_sub(2).max(1);
        let Some(sheet) = &mut self.sheet else { return };
        if let Some(text) = sheet.invite.as_ref().and_then(|invite| invite.copied_by(stroke)) {
            self.want(Want::Copy(text));
            self.hint = Some("copied, if the terminal lets programs copy".to_owned());
            return;
        }
        let top = sheet.top;
        sheet.top = match stroke.key {
            Key::Up | Key::Char('k' | 'K') => top.saturating_sub(1),
            Key::Down | Key::Char('j' | 'J') => top + 1,
            Key::PageUp => top.saturating_sub(rows),
            Key::PageDown | Key::Char(' ') => top + rows,
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => sheet.lines.len(),
            _ if of_terminal(stroke).is_some() => return self.wants.extend(of_terminal(stroke)),
            key => {
                self.sheet = None;
                // Who goes on typing has read enough.
                let typing = self.focus == Focus::Type && !stroke.ctrl && !stroke.alt;
                if matches!(key, Key::Char(letter) if typing && letter != 'q') {
                    self.key(stroke);
                }
                return;
            }
        };
    }

    pub(super) fn help(&mut self) {
        let lines = help::lines(self.page.signs);
        self.sheet = Some(Sheet { title: "Help".to_owned(), lines, ..Sheet::default() });
    }

    /// Shows or hides the people; where they have no room beside the messages, in front of them.
    fn people(&mut self) {
        if self.narrow {
            let lines = self.people_lines();
            self.sheet = Some(Sheet { title: self.people_title(), lines, ..Sheet::default() });
        } else {
            self.show_people = !self.show_people;
        }
    }
}

/// What a key wants of the terminal, also while there is a sheet.
const fn of_terminal(stroke: Stroke) -> Option<Want> {
    match stroke.key {
        Key::Char('l') if stroke.ctrl => Some(Want::Redraw),
        Key::Char('z') if stroke.ctrl => Some(Want::Suspend),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::terminal::help::KEYS;

    /// What is not there is not promised, and what is there is not kept secret.
    #[test]
    fn the_readme_has_every_key_and_every_command() {
        let readme = include_str!("../../../README.md");
        for [key, typing, reading] in KEYS {
            let row = format!("| {key} | {typing} | {reading} |");
            assert!(readme.contains(&row), "{row}");
        }
        for help in beginning("") {
            let name = format!("`/{}", help.name);
            assert!(readme.contains(&name), "{name}");
        }
    }

    #[test]
    fn the_readme_shows_the_screen() {
        let readme = include_str!("../../../README.md");
        assert!(readme.contains(include_str!("../../../docs/screen.txt").trim_end()));
    }
}
