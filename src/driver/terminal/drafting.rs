//! What comes to the draft: letters that are typed, and what is pasted, marked by the terminal or not.

use crate::driver::front::numbers::grouped;
use crate::driver::terminal::decoder::{Key, Stroke};
use crate::driver::terminal::editor::DRAFT_MAX;
use crate::driver::terminal::sentence::is_sentence;
use crate::driver::terminal::view::{Focus, Prompt, View};

/// A paste of one line that is longer than this is asked about, bytes.
const PASTE_EASY: usize = 1000;

/// What follows sooner on something that did not fit is the rest of it, milliseconds. A guess.
const REST_MS: u64 = 500;

impl View {
    /// Enter came in one go with what stands before it. While a paste is asked about that is more of
    /// the paste, and no answer.
    pub(crate) fn line_end(&mut self) {
        if self.is_too_much() {
            // Nobody has seen yet that something is missing.
            self.full_at = Some(self.now_ms);
        } else if matches!(self.prompt, Prompt::Several(_)) {
            // What came in one go was not read before it was answered.
            self.prompt = Prompt::Draft;
            self.insert("\n");
        } else if !self.paste_goes_on("\n") {
            self.key(Stroke::plain(Key::Enter));
        }
    }

    /// More of the paste that is asked about. False if none is.
    fn paste_goes_on(&mut self, more: &str) -> bool {
        let Prompt::Paste(text) = &mut self.prompt else { return false };
        if text.len() + more.len() + self.editor.text().len() <= DRAFT_MAX {
            text.push_str(more);
        } else {
            self.prompt = Prompt::Draft;
            self.notice(&format!(
                "a draft takes {} bytes: nothing was inserted",
                grouped(DRAFT_MAX)
            ));
        }
        true
    }

    /// Letters were typed, in a row.
    pub(crate) fn text(&mut self, text: &str) {
        // No hand types two letters at once.
        if text.chars().nth(1).is_some() && self.paste_goes_on(text) {
            return;
        }
        let free = self.sheet.is_none() && self.plainly.is_none();
        let drafting = matches!(self.prompt, Prompt::Draft) && free;
        if drafting && self.focus == Focus::Scroll && is_sentence(text) {
            let before = self.pressed.take(self.now_ms);
            self.switch();
            self.insert(&before);
        }
        if drafting && self.focus == Focus::Type {
            self.hint = None;
            self.insert(text);
        } else {
            text.chars().for_each(|letter| self.key(Stroke::plain(Key::Char(letter))));
        }
    }

    /// Something was pasted. Several lines, or a very long one, are asked about first.
    pub(crate) fn paste(&mut self, text: &str, cut: usize) {
        self.hint = None;
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        if let Prompt::Search(needle) = &mut self.prompt {
            needle.insert(&without_last_feed(&text).replace('\n', " "));
            return;
        }
        let pending = if let Prompt::Paste(before) = &self.prompt { before.len() } else { 0 };
        if cut > 0 || pending + text.len() + self.editor.text().len() > DRAFT_MAX {
            let (bytes, limit) = (grouped(text.len() + cut), grouped(DRAFT_MAX));
            return self.notice(&format!(
                "{bytes} bytes were pasted, a draft takes {limit}: nothing was inserted"
            ));
        }
        self.sheet = None;
        self.plainly = None;
        if self.focus == Focus::Scroll {
            self.switch();
        }
        let mut text = text;
        if let Prompt::Paste(before) = &mut self.prompt {
            // One question for both.
            text.insert_str(0, &core::mem::take(before));
        }
        let pasted = without_last_feed(&text);
        if pasted.contains('\n') || pasted.len() > PASTE_EASY {
            self.prompt = Prompt::Paste(text);
        } else {
            self.prompt = Prompt::Draft;
            self.insert(pasted);
        }
    }

    pub(super) fn insert(&mut self, text: &str) {
        self.edited();
        if self.is_too_much() || !self.editor.insert(text) {
            self.full_at = Some(self.now_ms);
            let limit = grouped(DRAFT_MAX);
            self.hint = Some(format!("a draft takes {limit} bytes: the rest was not inserted"));
        }
    }

    /// Whether it is the rest of what did not fit: a shorter piece behind one that was left out would, and
    /// nobody would see the gap.
    fn is_too_much(&self) -> bool {
        self.full_at.is_some_and(|at| self.now_ms.saturating_sub(at) < REST_MS)
    }
}

/// What was pasted, without the end of its last line: more of it may still come behind that.
pub(super) fn without_last_feed(text: &str) -> &str {
    text.strip_suffix('\n').unwrap_or(text)
}
