//! A text in rows: broken where a line may end (UAX 14) if that is possible, between graphemes where it
//! is not.

use std::borrow::Cow;
use std::ops::Range;

use ratatui::buffer::CellWidth;
use unicode_linebreak::linebreaks;
use unicode_segmentation::UnicodeSegmentation;

use crate::driver::terminal::links::links;
use crate::machine::{ZWJ, ZWNJ, sanitize};

/// How many columns a text takes, grapheme by grapheme, as it is drawn.
pub(crate) fn columns(text: &str) -> usize {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.len();
    }
    text.graphemes(true).map(grapheme_columns).sum()
}

/// The widest grapheme that is drawn, columns. Of Hangul letters one can be made that is wider than
/// any row.
const GRAPHEME_MAX: usize = 8;

/// A TAB on the screen. No stops: they would move when something is put before them.
pub(crate) const TAB: &str = "    ";

/// What is drawn for a grapheme: itself, unless it is monstrous; blanks for a TAB. A joiner at its end
/// would make some terminals draw the next cell as a part of it, and what keeps letters from joining has
/// nothing to do in a cell without one.
pub(crate) fn drawable(grapheme: &str) -> &str {
    match grapheme {
        "\t" => TAB,
        _ if usize::from(grapheme.cell_width()) > GRAPHEME_MAX => "\u{FFFD}",
        _ if grapheme.ends_with([ZWJ, ZWNJ]) => {
            let alone = grapheme.trim_end_matches(ZWJ);
            let stays = matches!(sanitize(alone), Cow::Borrowed(_));
            if stays { alone } else { alone.trim_end_matches([ZWJ, ZWNJ]) }
        }
        // The flag is still being typed.
        _ if grapheme.ends_with(|c| matches!(c, '\u{E0020}'..='\u{E007E}')) => {
            grapheme.trim_end_matches(|c| matches!(c, '\u{E0020}'..='\u{E007E}'))
        }
        _ => grapheme,
    }
}

/// How many columns one grapheme takes. A line feed, which is never drawn, takes none.
pub(crate) fn grapheme_columns(grapheme: &str) -> usize {
    if grapheme == "\n" { 0 } else { drawable(grapheme).cell_width().into() }
}

/// The beginning of a text that fits, and whether that is all of it.
pub(crate) fn fitting(text: &str, width: usize) -> (&str, bool) {
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += grapheme_columns(grapheme);
        if used > width {
            return (&text[..at], false);
        }
    }
    (text, true)
}

/// A text on one line that fits, with an ellipsis where it was cut.
pub(crate) fn cut(text: &str, width: usize, ellipsis: &str) -> String {
    match fitting(text, width) {
        (whole, true) => whole.to_owned(),
        _ if width == 0 => String::new(),
        _ => format!("{}{ellipsis}", fitting(text, width - 1).0),
    }
}

/// Where a row may end, from left to right: where a line may (UAX 14), except in an address, which people
/// select, copy and read as one word, and for the same reason behind a slash, and behind a hyphen that
/// begins a word (LB20a). Behind a space a row may always end, whatever comes next: a command begins with
/// a slash.
fn opportunities(text: &str) -> impl Iterator<Item = usize> {
    let links = links(text);
    let inside = move |at: usize| links.iter().any(|link| link.start < at && at < link.end);
    let of_a_word = |before: &str| match before.strip_suffix('-') {
        Some(word) => !word.ends_with(char::is_alphanumeric),
        None => before.ends_with('/'),
    };
    linebreaks(text).map(|(at, _)| at).filter(move |&at| !inside(at) && !of_a_word(&text[..at]))
}

/// The rows of a text: `first` columns are free in the first one, `rest`, which are not fewer, in the
/// others.
///
/// What stands between two rows is one line feed, or white space that fell on the break. No row is
/// wider than it may be, unless a single grapheme is. A text without anything has one row.
pub(crate) fn wrap(text: &str, first: usize, rest: usize) -> Vec<Range<usize>> {
    let rest = rest.max(first).max(1);
    let mut rows = Rows { rows: Vec::new(), start: 0, used: 0, first, rest };
    let mut may_end = opportunities(text).peekable();
    // Where the row can be broken: its end, and where the next one begins.
    let mut gap: Option<(usize, usize)> = None;
    // Where the white space begins that stands before `at`.
    let mut blanks: Option<usize> = None;
    for (at, grapheme) in text.grapheme_indices(true) {
        while may_end.next_if(|&end| end < at).is_some() {}
        if grapheme == "\n" {
            rows.end(rows.drawn(at, blanks), at + 1);
            (gap, blanks) = (None, None);
            continue;
        }
        let width = grapheme_columns(grapheme);
        let space = is_space(grapheme);
        if at > rows.start && !space && (blanks.is_some() || may_end.peek() == Some(&at)) {
            gap = Some((blanks.unwrap_or(at), at));
        }
        if space {
            // What does not fit falls on the break and is not drawn.
            blanks = blanks.or(Some(at));
            rows.used += width;
            continue;
        }
        if rows.used + width > rows.width() && rows.used > 0 {
            let (end, next) = gap.take().filter(|&(_, next)| next > rows.start).unwrap_or((at, at));
            rows.end(end, next);
            rows.used = columns(&text[next..at]);
            if rows.used + width > rows.width() && rows.used > 0 {
                rows.end(at, at);
            }
        } else if rows.used + width > rows.width() && rows.is_narrow() {
            // The first row is narrower: what does not fit there begins the second.
            rows.end(at, at);
        }
        rows.used += width;
        blanks = None;
    }
    let end = rows.drawn(text.len(), blanks);
    rows.end(end, text.len());
    rows.rows
}

/// White space that a row may end behind: not what is there to prevent that.
fn is_space(grapheme: &str) -> bool {
    let glue = |c: char| matches!(c, '\u{A0}' | '\u{2007}' | '\u{202F}');
    grapheme.chars().all(|c| c.is_whitespace() && !glue(c))
}

struct Rows {
    rows: Vec<Range<usize>>,
    start: usize,
    /// Columns of the row at hand.
    used: usize,
    first: usize,
    rest: usize,
}

impl Rows {
    fn width(&self) -> usize {
        if self.rows.is_empty() { self.first } else { self.rest }
    }

    /// The end of a row that ends at `at`, without the white space before it if that does not fit.
    fn drawn(&self, at: usize, blanks: Option<usize>) -> usize {
        blanks.filter(|_| self.used > self.width()).unwrap_or(at)
    }

    /// Whether this is the first row, and narrower than the others.
    const fn is_narrow(&self) -> bool {
        self.rows.is_empty() && self.first < self.rest
    }

    fn end(&mut self, end: usize, next: usize) {
        self.rows.push(self.start..end.max(self.start));
        self.start = next;
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, first: usize, rest: usize) -> Vec<&str> {
        wrap(text, first, rest).into_iter().map(|row| &text[row]).collect()
    }

    #[test]
    fn words_and_what_is_longer() {
        assert_eq!(rows("", 5, 5), [""]);
        assert_eq!(rows("one two three", 7, 7), ["one two", "three"]);
        assert_eq!(rows("one  two", 4, 4), ["one", "two"]);
        assert_eq!(rows("a verylongword", 6, 6), ["a", "verylo", "ngword"]);
        assert_eq!(rows("one\n\ntwo\n", 9, 9), ["one", "", "two", ""]);
        assert_eq!(rows("word", 2, 9), ["wo", "rd"], "a row is filled before it is broken");
        assert_eq!(rows("你好世界 ab", 5, 5), ["你好", "世界", "ab"]);
        assert_eq!(rows("ab你好", 3, 4), ["ab", "你好"]);
        assert_eq!(rows("你", 1, 4), ["", "你"]);
        assert_eq!(rows("你", 1, 1), ["你"], "what fits nowhere stands alone");
        // A vowel of Hangul alone takes no column.
        assert_eq!(rows("\u{1161}你\nx", 1, 1), ["\u{1161}你", "x"], "and is not lost");
        assert_eq!(
            rows("👩\u{200D}💻 e\u{301}e\u{301}e\u{301}", 3, 3),
            ["👩\u{200D}💻", "e\u{301}e\u{301}e\u{301}"]
        );
    }

    /// Each row is a text, how wide it may be, its rows, and the rule of UAX 14.
    #[test]
    fn rows_end_where_lines_may() {
        for (text, width, expected, rule) in [
            ("at about\u{A0}10\u{A0}pm!", 13, &["at", "about\u{A0}10\u{A0}pm!"][..], "LB12: glue"),
            ("at about\u{202F}10", 8, &["at", "about\u{202F}10"], "LB12"),
            ("at about\u{2007}10", 8, &["at", "about\u{2007}10"], "LB12"),
            ("你好\u{2060}世界", 4, &["你", "好\u{2060}世", "界"], "LB11: word joiner"),
            ("well-\u{2060}known", 7, &["well-\u{2060}kn", "own"], "LB11"),
            ("a well-known one", 8, &["a well-", "known", "one"], "LB21: hyphen"),
            (
                "a well\u{2011}known one",
                11,
                &["a", "well\u{2011}known", "one"],
                "LB12: no-break hyphen",
            ),
            ("Bonjour !", 8, &["Bonjour", "!"], "a space is a space"),
            ("Bonjour\u{A0}!", 8, &["Bonjour\u{A0}", "!"], "nowhere else to break"),
            ("dit : oui\u{202F}!", 7, &["dit :", "oui\u{202F}!"], "LB12"),
            ("你好。世界", 4, &["你", "好。", "世界"], "LB13: no row begins with a full stop"),
            ("他说「好」", 6, &["他说", "「好」"], "LB14, LB13: brackets"),
            ("カード", 4, &["カー", "ド"], "no row begins with a length mark"),
            ("ภาษา\u{200B}ไทย", 6, &["ภาษา\u{200B}", "ไทย"], "LB8: zero width space"),
            ("བོད་སྐད་", 4, &["བོད་", "སྐད་"], "BA: tsheg"),
            ("ሰላም፡ለዓለም", 5, &["ሰላም፡", "ለዓለም"], "BA: word space"),
            ("1 000,50 €", 7, &["1", "000,50", "€"], "LB25: numbers"),
            ("👨\u{200D}👩\u{200D}👧👨", 3, &["👨\u{200D}👩\u{200D}👧", "👨"], "LB8a: joiner"),
            ("🇬🇷🇧🇷", 2, &["🇬🇷", "🇧🇷"], "LB30a: flags"),
            (
                "see https://x.org/a-b/c-d",
                20,
                &["see", "https://x.org/a-b/c-", "d"],
                "an address is a word",
            ),
            ("a\tb", 5, &["a", "b"], "as wide as it is drawn"),
            ("tell /resend", 6, &["tell", "/resen", "d"], "a command is a word"),
            ("take and/or give", 9, &["take", "and/or", "give"], "SY is glue here"),
            ("run -n x", 5, &["run", "-n x"], "LB20a: a hyphen that begins a word"),
            ("a\tb c", 6, &["a\tb", "c"], "a TAB is a space"),
            (
                "שלום\u{200F} עולם",
                5,
                &["שלום\u{200F}", "עולם"],
                "marks of direction take no column",
            ),
        ] {
            assert_eq!(rows(text, width, width), expected, "{rule}");
        }
    }

    #[test]
    fn what_is_drawn() {
        for (grapheme, drawn) in [
            ("\t", "    "),
            ("👨\u{200D}", "👨"),
            ("👨\u{200D}👩", "👨\u{200D}👩"),
            ("ه\u{200D}", "ه"),
            ("ی\u{200C}", "ی\u{200C}"),
            (" \u{200C}", " "),
            ("🏴\u{E0067}\u{E0062}", "🏴"),
            ("e\u{301}", "e\u{301}"),
        ] {
            assert_eq!(drawable(grapheme), drawn);
            assert_eq!(columns(grapheme), columns(drawn));
        }
    }

    #[test]
    fn cut_to_fit() {
        assert_eq!(cut("alice", 5, "…"), "alice");
        assert_eq!(cut("alice", 4, "~"), "ali~");
        assert_eq!(cut("你好", 3, "…"), "你…");
        assert_eq!(cut("你好", 0, "…"), "");
        assert_eq!(columns(&"\u{1100}".repeat(300)), 1, "as wide as what is drawn for it");
        assert_eq!(columns("a你e\u{301}"), 4);
    }

    #[test]
    fn nothing_is_lost_and_nothing_sticks_out() {
        fn property(letters: Vec<u8>, first: u8, rest: u8) -> bool {
            const PIECES: [&str; 14] = [
                "a",
                "b",
                " ",
                " ",
                "\n",
                "你",
                "e\u{301}",
                "-",
                "https://x",
                "👩\u{200D}💻",
                "\t",
                "\u{A0}",
                "。",
                "\u{2060}",
            ];
            let text: String = letters.iter().map(|&n| PIECES[usize::from(n % 14)]).collect();
            let first = usize::from(first % 12);
            let rest = (first + usize::from(rest % 6)).max(1);
            let rows = wrap(&text, first, rest);
            let mut at = 0;
            for (number, row) in rows.iter().enumerate() {
                let between = &text[at..row.start];
                let width = if number == 0 { first } else { rest };
                let content = &text[row.clone()];
                let seen =
                    content.graphemes(true).filter(|grapheme| grapheme_columns(grapheme) > 0);
                let fits = columns(content) <= width || seen.count() == 1;
                let drawn = content.contains('\n');
                let glue = |c: char| matches!(c, '\u{A0}' | '\u{2060}');
                if !between.chars().all(|c| c.is_whitespace() && !glue(c)) || !fits || drawn {
                    return false;
                }
                at = row.end;
            }
            text[at..].chars().all(char::is_whitespace) && !rows.is_empty()
        }
        let mut often = crate::machine::quickcheck().tests(20_000);
        often.quickcheck(property as fn(Vec<u8>, u8, u8) -> bool);
    }
}
