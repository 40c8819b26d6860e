//! The line being typed: text, a cursor between graphemes, a kill ring, and undo.
//!
//! Nothing but the person's keys changes it. The text is always one that the sanitiser would leave
//! alone, so that a draft can be drawn as it stands, whatever was pasted; but before the cursor a joiner
//! may wait for what it joins. Keys are those of Emacs and readline.

use std::collections::VecDeque;
use std::ops::Range;

use unicode_segmentation::GraphemeCursor;

use crate::driver::front::several::TEXTS_MAX;
use crate::driver::terminal::wrap::{columns, fitting};
use crate::machine::{is_emoji, sanitize, sanitize_draft};

/// The longest draft, bytes. Longer than a message, so that what was pasted can be shortened, or said in
/// several; and short enough for every key to look at all of it.
pub(crate) const DRAFT_MAX: usize = TEXTS_MAX;
/// How many steps back undo goes.
const UNDO_MAX: usize = 100;
/// How many killed texts are kept.
const KILLS_MAX: usize = 16;

/// Text that somebody edits.
#[derive(Debug, Default)]
pub(crate) struct Editor {
    text: String,
    /// Where the cursor is, bytes: always between two graphemes.
    cursor: usize,
    /// The column that Up and Down try to keep, graphemes.
    goal: Option<usize>,
    kills: VecDeque<String>,
    undo: Vec<(String, usize)>,
    last: Last,
}

/// What the last edit was: more of the same is one step of undo, and one killed text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Other,
    Typing,
    Erasing,
    Killing,
    /// What was killed so long ago was put back there.
    Yanking {
        start: usize,
        which: usize,
    },
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toward {
    Start,
    End,
}

/// How far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// One grapheme.
    Grapheme,
    /// Letters and digits, and what stands before them.
    Word,
    /// Everything up to white space.
    Blank,
    /// The rest of the line; at its end, its end.
    Line,
}

impl Editor {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where the cursor is, bytes.
    pub(crate) const fn cursor(&self) -> usize {
        self.cursor
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Inserts at the cursor. False, and nothing is inserted, if the draft would become too long.
    pub(crate) fn insert(&mut self, text: &str) -> bool {
        // Nothing gets longer for where it stands.
        if self.text.len() + text.len().max(sanitize(text).len()) > DRAFT_MAX {
            return false;
        }
        self.before(Last::Typing);
        self.splice(self.cursor..self.cursor, text);
        true
    }

    /// Puts `with` in place of a part of the text, and the cursor behind it.
    pub(crate) fn replace(&mut self, part: Range<usize>, with: &str) {
        self.before(Last::Other);
        self.splice(part, with);
    }

    /// Takes the whole text out.
    pub(crate) fn take(&mut self) -> String {
        self.before(Last::Other);
        self.undo.clear();
        self.cursor = 0;
        core::mem::take(&mut self.text)
    }

    /// Puts another text in place of this one, and the cursor at its end.
    pub(crate) fn set(&mut self, text: &str) {
        self.before(Last::Other);
        self.splice(0..self.text.len(), text);
    }

    /// Moves the cursor.
    pub(crate) fn step(&mut self, span: Span, toward: Toward) {
        self.rest();
        self.cursor = self.reach(span, toward);
    }

    /// Moves the cursor a row up or down, of the rows that the text is drawn in; false if there is
    /// none.
    pub(crate) fn climb(&mut self, toward: Toward, rows: &[Range<usize>]) -> bool {
        let at = rows.iter().rposition(|row| row.start <= self.cursor).unwrap_or(0);
        let other = match toward {
            Toward::Start => at.checked_sub(1),
            Toward::End => Some(at + 1),
        };
        let Some(other) = other.and_then(|other| rows.get(other)) else { return false };
        let row = &rows[at];
        let column = || columns(&self.text[row.start..self.cursor.clamp(row.start, row.end)]);
        let goal = self.goal.unwrap_or_else(column);
        let within = fitting(&self.text[other.clone()], goal).0.len();
        self.rest();
        self.cursor = other.start + within;
        self.goal = Some(goal);
        true
    }

    /// Erases one grapheme; backwards, the last character of one that was typed as several.
    pub(crate) fn erase(&mut self, toward: Toward) {
        let mut part = self.between(self.reach(Span::Grapheme, toward));
        if toward == Toward::Start {
            part.start += erased_from(&self.text[part.clone()]);
        }
        if !part.is_empty() {
            self.before(Last::Erasing);
            self.splice(part, "");
        }
    }

    /// Erases and keeps for [`Editor::yank`]; kills in a row are kept as one.
    pub(crate) fn kill(&mut self, span: Span, toward: Toward) {
        let part = self.between(self.reach(span, toward));
        if part.is_empty() {
            return;
        }
        let more = self.last == Last::Killing;
        self.before(Last::Killing);
        let killed = self.text[part.clone()].to_owned();
        match self.kills.front_mut().filter(|_| more) {
            Some(front) if toward == Toward::Start => front.insert_str(0, &killed),
            Some(front) => front.push_str(&killed),
            None => {
                self.kills.push_front(killed);
                self.kills.truncate(KILLS_MAX);
            }
        }
        self.splice(part, "");
    }

    /// Inserts what was killed last.
    pub(crate) fn yank(&mut self) {
        self.put_back(self.cursor..self.cursor, 0);
    }

    /// Right after a yank: puts what was killed before in its place.
    pub(crate) fn yank_older(&mut self) {
        if let Last::Yanking { start, which } = self.last {
            self.put_back(start..self.cursor, (which + 1) % self.kills.len().max(1));
        }
    }

    fn put_back(&mut self, part: Range<usize>, which: usize) {
        let Some(killed) = self.kills.get(which).cloned() else { return };
        if self.text.len() - part.len() + killed.len() <= DRAFT_MAX {
            let start = part.start;
            self.before(Last::Other);
            self.splice(part, &killed);
            self.last = Last::Yanking { start, which };
        }
    }

    /// Swaps the graphemes around the cursor and moves past them; at the end of a line, the last two.
    pub(crate) fn transpose(&mut self) {
        let line = self.line();
        let middle = if self.cursor == line.end {
            self.next_boundary(self.cursor, Toward::Start)
        } else {
            self.cursor
        };
        let start = self.next_boundary(middle, Toward::Start);
        let end = self.next_boundary(middle, Toward::End);
        if start < middle && middle < end && start >= line.start && end <= line.end {
            self.before(Last::Other);
            let swapped = format!("{}{}", &self.text[middle..end], &self.text[start..middle]);
            self.splice(start..end, &swapped);
        }
    }

    /// Takes the last edit back.
    pub(crate) fn undo(&mut self) {
        if let Some((text, cursor)) = self.undo.pop() {
            self.text = text;
            self.cursor = cursor;
        }
        self.rest();
    }

    /// An edit of some kind is about to happen.
    fn before(&mut self, edit: Last) {
        if edit == Last::Other || edit != self.last {
            if self.undo.len() == UNDO_MAX {
                self.undo.remove(0);
            }
            self.undo.push((self.text.clone(), self.cursor));
        }
        self.last = edit;
        self.goal = None;
    }

    /// Something else than an edit happened.
    fn rest(&mut self) {
        self.last = Last::Other;
        self.goal = None;
    }

    /// Puts `with` in place of a part, sanitises, and places the cursor behind it.
    fn splice(&mut self, part: Range<usize>, with: &str) {
        self.cursor = part.start + with.len();
        self.text.replace_range(part, with);
        if let Some((safe, cursor)) = sanitize_draft(&self.text, self.cursor) {
            (self.text, self.cursor) = (safe, cursor);
        }
        // A mark may have joined what stands before it.
        let mut cursor = GraphemeCursor::new(self.cursor, self.text.len(), true);
        if !cursor.is_boundary(&self.text, 0).unwrap_or(false) {
            self.cursor = self.next_boundary(self.cursor, Toward::End);
        }
    }

    fn between(&self, other: usize) -> Range<usize> {
        self.cursor.min(other)..self.cursor.max(other)
    }

    /// Where a movement from the cursor ends.
    fn reach(&self, span: Span, toward: Toward) -> usize {
        match span {
            Span::Grapheme => self.next_boundary(self.cursor, toward),
            Span::Word => self.past(toward, char::is_alphanumeric),
            Span::Blank => self.past(toward, |c| !c.is_whitespace()),
            Span::Line => {
                let line = self.line();
                match toward {
                    Toward::Start if line.start == self.cursor => self.cursor.saturating_sub(1),
                    Toward::Start => line.start,
                    Toward::End if line.end == self.cursor => {
                        (self.cursor + 1).min(self.text.len())
                    }
                    Toward::End => line.end,
                }
            }
        }
    }

    /// Past what is not `wanted`, and then past what is.
    fn past(&self, toward: Toward, wanted: impl Fn(char) -> bool) -> usize {
        let is_wanted = |grapheme: &str| grapheme.chars().any(&wanted);
        let mut at = self.cursor;
        let mut inside = false;
        loop {
            let next = self.next_boundary(at, toward);
            if next == at {
                return at;
            }
            let one = is_wanted(&self.text[at.min(next)..at.max(next)]);
            if inside && !one {
                return at;
            }
            inside |= one;
            at = next;
        }
    }

    fn next_boundary(&self, at: usize, toward: Toward) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        let next = match toward {
            Toward::Start => cursor.prev_boundary(&self.text, 0),
            Toward::End => cursor.next_boundary(&self.text, 0),
        };
        next.ok().flatten().unwrap_or(at)
    }

    /// The line the cursor is in, without its line feed.
    fn line(&self) -> Range<usize> {
        self.line_around(self.cursor)
    }

    fn line_around(&self, at: usize) -> Range<usize> {
        let start = self.text[..at].rfind('\n').map_or(0, |feed| feed + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |feed| at + feed);
        start..end
    }

    /// Moves the cursor to the beginning or the end of its line, and no further.
    pub(crate) fn edge(&mut self, toward: Toward) {
        self.rest();
        let line = self.line();
        self.cursor = match toward {
            Toward::Start => line.start,
            Toward::End => line.end,
        };
    }
}

/// Where in a grapheme Backspace begins to erase.
///
/// Whoever types a script with marks types one after the other, and mends the last. An emoji, a flag, a
/// keycap, a syllable of Hangul is one key or one choice, and so is a letter of Latin, Greek, Cyrillic or kana
/// with its accents, which is one character wherever there is one for it. UAX 29, section 3, leaves this
/// to programs, and names the first.
fn erased_from(grapheme: &str) -> usize {
    let whole = |c: char| {
        is_emoji(c)
            || matches!(
                c,
                '\0'..='\u{58F}' | '\u{1100}'..='\u{11FF}' | '\u{1E00}'..='\u{2BFF}'
                    | '\u{3041}'..='\u{33FF}' | '\u{A960}'..='\u{A97F}' | '\u{AC00}'..='\u{D7FF}'
            )
    };
    let last = grapheme.char_indices().next_back().map_or(0, |(at, _)| at);
    // What it selects is chosen with the ideograph.
    let selected =
        grapheme.ends_with(|c| matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}'));
    if selected || grapheme.starts_with(whole) { 0 } else { last }
}

#[cfg(test)]
mod tests {
    use quickcheck::{Arbitrary, Gen};

    use super::*;

    fn typed(text: &str) -> Editor {
        let mut editor = Editor::default();
        assert!(editor.insert(text));
        editor
    }

    #[derive(Clone, Copy, Debug)]
    enum Edit {
        Insert(&'static str),
        Step(bool),
        Erase(bool),
        Edge(bool),
        Undo,
    }

    impl Arbitrary for Edit {
        fn arbitrary(g: &mut Gen) -> Self {
            let forward = bool::arbitrary(g);
            // Each is one grapheme, whatever its neighbours are.
            const PIECES: &[&str] = &["a", "é", "你", "e\u{301}", " ", "👩\u{200D}💻", "␛", "ß"];
            match u8::arbitrary(g) % 8 {
                0..=3 => Self::Insert(g.choose(PIECES).copied().unwrap_or("x")),
                4 => Self::Step(forward),
                5 => Self::Erase(forward),
                6 => Self::Edge(forward),
                _ => Self::Undo,
            }
        }
    }

    const fn toward(forward: bool) -> Toward {
        if forward { Toward::End } else { Toward::Start }
    }

    /// The specification: a list of graphemes and an index.
    #[test]
    fn it_edits_graphemes() {
        fn property(edits: Vec<Edit>) -> bool {
            let mut editor = Editor::default();
            let (mut model, mut at): (Vec<&str>, usize) = (Vec::new(), 0);
            for edit in edits {
                match edit {
                    Edit::Insert(piece) => {
                        editor.insert(piece);
                        model.insert(at, piece);
                        at += 1;
                    }
                    Edit::Step(forward) => {
                        editor.step(Span::Grapheme, toward(forward));
                        at = if forward { (at + 1).min(model.len()) } else { at.saturating_sub(1) };
                    }
                    Edit::Erase(true) => {
                        editor.erase(Toward::End);
                        if at < model.len() {
                            model.remove(at);
                        }
                    }
                    Edit::Erase(false) => {
                        editor.erase(Toward::Start);
                        if at > 0 {
                            at -= 1;
                            model.remove(at);
                        }
                    }
                    Edit::Edge(forward) => {
                        editor.edge(toward(forward));
                        at = if forward { model.len() } else { 0 };
                    }
                    Edit::Undo => {}
                }
                if editor.text() != model.concat() || editor.cursor() != model[..at].concat().len()
                {
                    return false;
                }
            }
            true
        }
        crate::machine::quickcheck().tests(5_000).quickcheck(property as fn(Vec<Edit>) -> bool);
    }

    #[test]
    fn undo_leads_back_to_the_beginning() {
        fn property(edits: Vec<Edit>) -> bool {
            let mut editor = Editor::default();
            for edit in edits.iter().take(UNDO_MAX) {
                match edit {
                    Edit::Insert(piece) => drop(editor.insert(piece)),
                    Edit::Step(forward) => editor.step(Span::Grapheme, toward(*forward)),
                    Edit::Erase(forward) => editor.erase(toward(*forward)),
                    Edit::Edge(forward) => editor.edge(toward(*forward)),
                    Edit::Undo => editor.undo(),
                }
            }
            for _ in 0..UNDO_MAX {
                editor.undo();
            }
            editor.is_empty() && editor.cursor() == 0
        }
        crate::machine::quickcheck().tests(2_000).quickcheck(property as fn(Vec<Edit>) -> bool);
    }

    #[test]
    fn whatever_is_inserted_the_draft_is_safe_to_show() {
        fn property(pieces: Vec<String>, steps: Vec<bool>) -> bool {
            let mut editor = Editor::default();
            let mut steps = steps.into_iter().cycle();
            for piece in pieces {
                editor.insert(&piece);
                if let Some(forward) = steps.next() {
                    editor.step(Span::Grapheme, toward(forward));
                    editor.erase(toward(!forward));
                }
                let on_boundary = editor.text().is_char_boundary(editor.cursor());
                let (before, after) = editor.text().split_at(editor.cursor());
                let safe = sanitize(editor.text());
                // But for what waits.
                let waits = before.ends_with(['\u{200C}', '\u{200D}'])
                    || before.ends_with(|c| matches!(c, '\u{E0030}'..='\u{E007F}'));
                let safe = safe == editor.text() || waits && safe.ends_with(&*sanitize(after));
                if !on_boundary || !safe {
                    return false;
                }
            }
            true
        }
        let mut often = crate::machine::quickcheck().tests(200);
        often.quickcheck(property as fn(Vec<String>, Vec<bool>) -> bool);
    }

    #[test]
    fn words() {
        let mut editor = typed("one two-three  four");
        editor.step(Span::Word, Toward::Start);
        assert_eq!(&editor.text()[editor.cursor()..], "four");
        editor.kill(Span::Word, Toward::Start);
        assert_eq!(editor.text(), "one two-four");
        editor.yank();
        assert_eq!(editor.text(), "one two-three  four");
        editor.edge(Toward::End);
        editor.kill(Span::Blank, Toward::Start);
        editor.kill(Span::Blank, Toward::Start);
        assert_eq!(editor.text(), "one ");
        editor.yank();
        assert_eq!(editor.text(), "one two-three  four", "kills in a row are one");
        editor.edge(Toward::Start);
        editor.step(Span::Word, Toward::End);
        assert_eq!(editor.cursor(), 3);
    }

    #[test]
    fn rows() {
        let mut editor = typed("one\nlonger two\nx");
        let climb = |editor: &mut Editor, toward| {
            let rows = super::super::wrap::wrap(editor.text(), 8, 8);
            editor.climb(toward, &rows)
        };
        assert!(!climb(&mut editor, Toward::End));
        assert!(climb(&mut editor, Toward::Start) && editor.cursor() == 12, "a row is not a line");
        assert!(climb(&mut editor, Toward::Start) && editor.cursor() == 5);
        editor.step(Span::Grapheme, Toward::End);
        editor.step(Span::Grapheme, Toward::End);
        assert!(climb(&mut editor, Toward::Start) && editor.cursor() == 3);
        editor.edge(Toward::End);
        assert!(climb(&mut editor, Toward::End) && editor.cursor() == 7);
        assert!(climb(&mut editor, Toward::End) && editor.cursor() == 14);
        assert!(climb(&mut editor, Toward::End) && editor.cursor() == 16, "a shorter row ends it");
        assert!(climb(&mut editor, Toward::Start) && editor.cursor() == 14, "the column is kept");
        editor.kill(Span::Line, Toward::Start);
        assert_eq!(editor.text(), "one\n\nx");
        editor.kill(Span::Line, Toward::End);
        assert_eq!(editor.text(), "one\nx", "at the end of a line its line feed goes");
    }

    #[test]
    fn what_was_cut_before() {
        let mut editor = typed("one");
        editor.kill(Span::Line, Toward::Start);
        editor.insert("two");
        editor.kill(Span::Line, Toward::Start);
        editor.yank_older();
        assert_eq!(editor.text(), "", "not without a yank");
        editor.yank();
        assert_eq!(editor.text(), "two");
        editor.yank_older();
        assert_eq!(editor.text(), "one");
        editor.yank_older();
        assert_eq!(editor.text(), "two");
        editor.insert("!");
        editor.yank_older();
        assert_eq!(editor.text(), "two!");
    }

    #[test]
    fn swapped_and_taken_back() {
        let mut editor = typed("ab你");
        editor.transpose();
        assert_eq!((editor.text(), editor.cursor()), ("a你b", 5));
        editor.undo();
        assert_eq!(editor.text(), "ab你");
        editor.undo();
        assert!(editor.is_empty());
        editor.transpose();
        editor.erase(Toward::Start);
        editor.undo();
        assert!(editor.is_empty());
    }

    #[test]
    fn a_draft_has_a_limit() {
        let mut editor = typed(&"x".repeat(DRAFT_MAX));
        assert!(!editor.insert("y"));
        assert_eq!(editor.text().len(), DRAFT_MAX);
    }

    #[test]
    fn a_letter_composed_of_several_is_one() {
        let mut editor = typed("e");
        editor.insert("\u{301}");
        editor.erase(Toward::Start);
        assert!(editor.is_empty());
        let mut editor = typed("a\u{202E}b\tc\u{1B}[31m");
        assert_eq!(editor.text(), "a\u{FFFD}b\tc␛[31m");
        editor.erase(Toward::Start);
        assert_eq!(editor.text(), "a\u{FFFD}b\tc␛[31");
    }

    /// Each row is a draft, and what Backspace leaves of it, again and again.
    #[test]
    fn backspace_by_script() {
        for (script, steps) in [
            ("Latin", &["xé", "x"][..]),
            ("Latin, of two", &["xe\u{301}", "x"]),
            ("Vietnamese", &["xe\u{302}\u{301}", "x"]),
            ("Greek", &["xα\u{313}\u{301}", "x"]),
            ("Cyrillic", &["xе\u{308}", "x"]),
            ("Hebrew", &["\u{5E9}\u{5C1}\u{5B8}", "\u{5E9}\u{5C1}", "\u{5E9}", ""]),
            ("Arabic", &["\u{645}\u{651}\u{64E}", "\u{645}\u{651}", "\u{645}", ""]),
            ("Persian", &["می\u{200C}", "می", "م"]),
            ("Devanagari", &["क्षत्रि", "क्षत्र", "क्षत्", "क्षत", "क्ष", "क्", "क", ""]),
            ("Bengali", &["কো", "ক", ""]),
            ("Tamil", &["ணி", "ண", ""]),
            ("Malayalam", &["ന്\u{200D}", "ന്", "ന", ""]),
            ("Thai", &["ที่", "ที", "ท", ""]),
            ("Thai, sara am", &["กำ", "ก", ""]),
            ("Lao", &["ນ້ຳ", "ນ້", "ນ", ""]),
            ("Khmer", &["ខ្មែ", "ខ្ម", "ខ្", "ខ", ""]),
            ("Burmese", &["မျှ", "မျ", "မ", ""]),
            ("Tibetan", &["རྒྱ", "རྒ", "ར", ""]),
            ("Hangul", &["x한", "x"]),
            ("Hangul, of jamo", &["x\u{1112}\u{1161}\u{11AB}", "x"]),
            ("Japanese", &["xカ\u{3099}", "x"]),
            ("Han, a variant", &["x葛\u{E0100}", "x"]),
            ("emoji", &["x👍🏽", "x"]),
            ("family", &["x👨\u{200D}👩\u{200D}👧\u{200D}👦", "x"]),
            ("keycap", &["x1\u{FE0F}\u{20E3}", "x"]),
            ("flag", &["🇬🇷🇧🇷", "🇬🇷", ""]),
            ("England", &["x🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}", "x"]),
            ("a chosen form", &["x❤\u{FE0F}", "x", ""]),
        ] {
            let mut editor = typed(steps[0]);
            for left in &steps[1..] {
                editor.erase(Toward::Start);
                assert_eq!(&editor.text(), left, "{script}");
            }
        }
    }

    /// Some terminals and input methods send a family one person at a time.
    #[test]
    fn one_code_point_at_a_time() {
        for text in [
            "👨\u{200D}👩\u{200D}👧\u{200D}👦",
            "👩🏽\u{200D}❤\u{FE0F}\u{200D}💋\u{200D}👨🏿",
            "🏴\u{E0067}\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}",
            "می\u{200C}خواهم",
            "ක්\u{200D}ෂ",
            "1\u{FE0F}\u{20E3}",
            "\u{1112}\u{1161}\u{11AB}",
        ] {
            let mut editor = Editor::default();
            text.chars().for_each(|c| assert!(editor.insert(c.encode_utf8(&mut [0; 4]))));
            assert_eq!((editor.text(), editor.cursor()), (text, text.len()));
            let mut editor = typed("ab");
            editor.step(Span::Grapheme, Toward::Start);
            text.chars().for_each(|c| assert!(editor.insert(c.encode_utf8(&mut [0; 4]))));
            assert_eq!(editor.text(), format!("a{text}b"), "in the middle");
        }
        let mut editor = typed("👨\u{200D}");
        editor.insert("x");
        assert_eq!(editor.text(), "👨x", "it waited in vain");
        let mut editor = typed("\u{301}");
        assert!(editor.is_empty(), "a mark has nothing to stand on");
        editor.insert("e");
        editor.insert("\u{301}");
        assert_eq!(editor.text(), "e\u{301}");
    }
}
