//! What was typed before, to be typed again.

use std::collections::VecDeque;

use crate::driver::front::search::Wanted;

/// How many lines are remembered, in memory only: they may be private.
const LINES_MAX: usize = 500;

/// Earlier lines, and the one that was left to look at them.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    lines: VecDeque<String>,
    /// The line that is shown, as an index; `None` while the draft is.
    at: Option<usize>,
    draft: String,
}

impl Recall {
    /// Remembers a line, unless it is the one before again.
    pub(crate) fn push(&mut self, line: &str) {
        self.at = None;
        self.draft.clear();
        if self.lines.back().is_some_and(|last| last == line) || line.trim().is_empty() {
            return;
        }
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// The line before the one that is shown.
    pub(crate) fn earlier(&mut self, shown: &str) -> Option<&str> {
        let at = self.at.unwrap_or(self.lines.len()).checked_sub(1)?;
        // What was typed in place of a line that was recalled is a draft as well.
        if self.at.is_none_or(|at| self.lines[at] != shown) {
            shown.clone_into(&mut self.draft);
        }
        self.at = Some(at);
        Some(&self.lines[at])
    }

    /// The line after the one that is shown; at last the draft.
    pub(crate) fn later(&mut self) -> Option<&str> {
        let at = self.at? + 1;
        self.at = (at < self.lines.len()).then_some(at);
        Some(self.at.map_or(self.draft.as_str(), |at| &self.lines[at]))
    }

    /// The newest line that has `part` in it, among those older than the first `skip` such lines.
    pub(crate) fn find(&self, part: &str, skip: usize) -> Option<&str> {
        let part = Wanted::new(part);
        let hits = self.lines.iter().rev().filter(|line| part.is_in(line));
        hits.map(String::as_str).nth(skip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let mut recall = Recall::default();
        assert_eq!(recall.earlier("draft"), None);
        assert_eq!(recall.later(), None);
        ["one", "two", "two", " "].iter().for_each(|line| recall.push(line));
        assert_eq!(recall.earlier("draft"), Some("two"));
        assert_eq!(recall.earlier("two"), Some("one"));
        assert_eq!(recall.earlier("one"), None);
        assert_eq!(recall.later(), Some("two"));
        assert_eq!(recall.later(), Some("draft"));
        assert_eq!(recall.later(), None);
        assert_eq!(recall.earlier("draft"), Some("two"));
        assert_eq!(recall.earlier("another draft"), Some("one"));
        assert_eq!(recall.later(), Some("two"));
        assert_eq!(recall.later(), Some("another draft"));
        assert_eq!(recall.find("o", 0), Some("two"));
        assert_eq!(recall.find("o", 1), Some("one"));
        assert_eq!(recall.find("o", 2), None);
        assert_eq!(recall.find("", 0), None);
        recall.push("cafe\u{301}");
        assert_eq!(recall.find("CAFÉ", 0), Some("cafe\u{301}"), "however it is written");
    }

    #[test]
    fn only_so_many() {
        let mut recall = Recall::default();
        (0..LINES_MAX + 1).for_each(|n| recall.push(&n.to_string()));
        assert_eq!(recall.lines.len(), LINES_MAX);
        assert_eq!(recall.find("0", LINES_MAX), None);
        assert_eq!(recall.lines[0], "1");
    }
}
