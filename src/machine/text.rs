//! What a remote string may hold before anything else sees it.
//!
//! Text of others ends up on terminals, in logs, titles and notifications. There a control
//! character paints, a bidi override reorders the line it stands in, an invisible character hides
//! one word in another, and a pile of marks covers the lines above. [`sanitize`] takes all of that
//! out, at decode, and [`SafeText`] is the proof that it did: the model holds nothing else, a front
//! end takes nothing else. Everything that a script or an emoji needs to be spelled stays, also where
//! nobody sees it by itself, so that programs, pipes and logs are given what was written.
//!
//! The rules, and what each rests on (UAX are annexes of Unicode, UTS its standards):
//!
//! | character | becomes | after |
//! |---|---|---|
//! | TAB, LF | stays | |
//! | CR LF, CR, VT, FF, NEL, U+2028, U+2029 | one LF | UAX 14, LB4 and LB5 |
//! | other C0, DEL | its picture (`␛`, `␡`): what was attempted stays visible | |
//! | C1, noncharacters, overrides and embeddings of direction | U+FFFD | UAX 9, 2.1 and 2.2 |
//! | isolate of direction | stays if it is closed in its line, at most 8 in each other; else nothing | UAX 9, BD9 |
//! | mark of direction | stays | UAX 9, 2.6 |
//! | ZWJ between two emoji | stays, at most 3 in a row | UTS 51, ED-16 |
//! | ZWJ, ZWNJ | stays beside letters that join, behind letters of Brahmic scripts; else nothing | UAX 31, 2.3 |
//! | variation selector | stays right behind what it selects a form of; else nothing | UTS 51, ED-8a; UTS 37 |
//! | tags | stay as the name of a part of a country behind a black flag; else nothing | UTS 51, ED-14a |
//! | word joiner | stays behind what can be seen; else nothing | UAX 14, WJ |
//! | zero width space | stays behind letters of scripts without spaces; else nothing | UAX 14, SA and ZW |
//! | Mongolian vowel separator | stays between Mongolian letters; else nothing | |
//! | sign in front of a number or an abbreviation | stays before a digit, a Syriac letter, also at the beginning; else nothing | UAX 44, Prepended_Concatenation_Mark |
//! | grapheme joiner, format controls of hieroglyphs and shorthand | stay in Hebrew and in their script; else nothing | |
//! | any other invisible character | nothing | UAX 44, Default_Ignorable_Code_Point |
//! | mark (takes no column of its own) | stays as one of the first 4 on a base in its line, 8 where a script stacks them | UTS 39, 5.4 |
//! | anything else | stays | |
//!
//! Of what stays and draws nothing, the same never stands twice in a row, and no more than 4 behind
//! one character. The rule for marks also keeps a line from striking through what a front end printed
//! before it. A mark that takes a column is a base here, so that Burmese and Tamil keep their vowels.
//! `kind` holds the characters of each rule, `isolates` finds what is closed, `fold` compares texts.
//! What this file does not do: shorten, wrap, or judge who is speaking.

pub(crate) mod fold;
mod isolates;
pub(crate) mod kind;

use core::fmt;
use core::ops::Range;
use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

use self::isolates::Isolates;
use self::kind::{
    BLACK_FLAG, CGJ, MVS, WJ, ZWJ, ZWNJ, ZWSP, is_bidi_control, is_brahmic, is_emoji, is_hebrew,
    is_invisible, is_mongolian, is_noncharacter, is_prepended, is_spaceless, is_tone, joins,
    marks_max, takes_control, takes_prepended, takes_selector,
};

/// Longest text of one message, bytes.
pub const TEXT_MAX: usize = 4096;

/// [`sanitize`] makes a text at most this many times longer, in bytes: a control becomes its picture.
const GROWTH_MAX: usize = 3;

/// Joiners in one emoji: the family of four and the kiss have 3, no emoji of Unicode 17 has more.
/// Without a limit a chain of them counts as two columns and is drawn as thousands.
const JOINERS_MAX: u8 = 3;

/// Characters that draw nothing behind one that does. A guess: a joiner and a mark of direction, twice.
const UNSEEN_MAX: u8 = 4;

/// The text with everything that could harm a terminal or deceive a reader made visible or taken
/// out.
///
/// Borrows when there is nothing to change, which one pass finds out. Sanitising twice changes
/// nothing more. The result has at most three times as many bytes as the text.
#[must_use]
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if is_safe(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    sanitize_into(text, &mut out);
    debug_assert!(out.len() <= GROWTH_MAX * text.len(), "{text:?} grew to {out:?}");
    Cow::Owned(out)
}

/// Appends the sanitised text, as if it began a line. Allocates nothing while `out` has room for
/// it.
pub(crate) fn sanitize_into(text: &str, out: &mut String) {
    let mut copied = 0;
    for edit in Edits::new(text, None) {
        out.push_str(&text[copied..edit.at.start]);
        out.push_str(edit.with);
        copied = edit.at.end;
    }
    out.push_str(&text[copied..]);
}

/// A text that is being typed, sanitised, and where the cursor, which was at `at`, is in it. `None` if
/// there is nothing to change.
///
/// What has no meaning yet and may get one from what is typed next waits before the cursor: a joiner,
/// and the tags of a flag.
#[cfg(any(feature = "driver", test))]
pub(crate) fn sanitize_draft(text: &str, at: usize) -> Option<(String, usize)> {
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut cursor) = (0, at);
    for edit in Edits::new(text, Some(at)) {
        out.push_str(&text[copied..edit.at.start]);
        out.push_str(edit.with);
        copied = edit.at.end;
        if copied <= at {
            cursor = out.len() + (at - copied);
        }
    }
    out.push_str(&text[copied..]);
    (copied > 0).then_some((out, cursor))
}

/// Whether there is nothing to sanitise.
fn is_safe(text: &str) -> bool {
    Edits::new(text, None).next().is_none()
}

/// Text that passed [`sanitize`]: safe to show as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeText<'a>(Cow<'a, str>);

impl<'a> SafeText<'a> {
    /// Sanitises.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self(sanitize(text))
    }

    /// Takes text that was sanitised before, without looking at it again.
    pub(crate) fn trusted(text: &'a str) -> Self {
        debug_assert!(is_safe(text), "never sanitised: {text:?}");
        Self(Cow::Borrowed(text))
    }

    /// The same text, borrowing from nobody.
    #[must_use]
    pub fn into_owned(self) -> SafeText<'static> {
        SafeText(Cow::Owned(self.0.into_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to see.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.chars().all(|c| is_blank(c) || is_bidi_control(c) || is_invisible(c))
    }
}

impl fmt::Display for SafeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// White space, and the two symbols that draw nothing: the empty braille cell and notehead.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{2800}' | '\u{1D159}')
}

/// What draws nothing by itself, whether it stays in a text or is taken out: blanks, controls, marks,
/// joiners, whatever steers the direction of a line, and a byte order mark either way round.
pub(super) fn is_unseen(c: char) -> bool {
    let of_ours = is_blank(c) || is_bidi_control(c) || is_invisible(c) || is_noncharacter(c);
    of_ours || c.is_control() || c.width() == Some(0)
}

/// One place of a text that may not stay as it is.
struct Edit {
    at: Range<usize>,
    with: &'static str,
}

/// Walks over a text, once, and yields what has to change.
///
/// `base` and the counts describe the end of the *output* so far. That makes sanitising idempotent:
/// over its own output the walk goes through the same states and finds nothing to do. Where a rule
/// looks at what comes next, that is a character which always stays.
struct Edits<'a> {
    text: &'a str,
    at: usize,
    /// What a mark would sit on; none at the beginning of a line.
    base: Option<char>,
    /// How many marks sit there.
    marks: u8,
    /// How many joiners the emoji has that `base` ends.
    joiners: u8,
    /// How many characters stand behind it that draw nothing, and the last of them.
    unseen: (u8, Option<char>),
    isolates: Isolates,
    /// Where what is typed next comes in.
    cursor: Option<usize>,
}

impl Iterator for Edits<'_> {
    type Item = Edit;

    fn next(&mut self) -> Option<Edit> {
        loop {
            self.skip_plain();
            let start = self.at;
            let c = self.peek()?;
            self.at += c.len_utf8();
            if let Some(with) = self.judge(c) {
                return Some(Edit { at: start..start + c.len_utf8(), with });
            }
        }
    }
}

impl<'a> Edits<'a> {
    const fn new(text: &'a str, cursor: Option<usize>) -> Self {
        Self {
            text,
            at: 0,
            base: None,
            marks: 0,
            joiners: 0,
            unseen: (0, None),
            isolates: Isolates::NONE,
            cursor,
        }
    }

    /// Moves past printable ASCII, most of most texts, without decoding it.
    fn skip_plain(&mut self) {
        let length = plain_prefix(&self.text.as_bytes()[self.at..]);
        if length > 0 {
            self.at += length;
            self.rest_on(self.text.as_bytes()[self.at - 1].into());
        }
    }

    /// What has to stand in place of `c`, which `at` is past already; `None` if it stays.
    fn judge(&mut self, c: char) -> Option<&'static str> {
        if let Some(with) = self.replacement(c) {
            if let Some(last) = with.chars().next_back() {
                self.rest_on(last);
            }
            return Some(with);
        }
        if self.stays(c) { None } else { Some("") }
    }

    /// What stands in place of a character that may never stay, whatever is around it.
    fn replacement(&self, c: char) -> Option<&'static str> {
        match c {
            '\t' | '\n' => None,
            '\r' if self.peek() == Some('\n') => Some(""),
            '\r' | '\x0B' | '\x0C' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some("\n"),
            '\0'..='\x1F' => Some(picture(c)),
            '\x7F' => Some("␡"),
            '\u{80}'..='\u{9F}' | '\u{202A}'..='\u{202E}' => Some("\u{FFFD}"),
            c if is_noncharacter(c) => Some("\u{FFFD}"),
            _ => None,
        }
    }

    /// Whether a character stays that no other stands in place of.
    fn stays(&mut self, c: char) -> bool {
        let base = self.base;
        let on = |is: fn(char) -> bool| base.is_some_and(is);
        match c {
            ZWJ => self.join() || self.shapes(c) || self.waits(),
            ZWNJ => self.shapes(c) || self.waits(),
            '\u{61C}' | '\u{200E}'..='\u{200F}' => self.follow(c),
            '\u{2066}'..='\u{2069}' => self.isolates.stays(self.text, self.at - c.len_utf8(), c),
            WJ => on(|base| !is_blank(base)) && self.follow(c),
            ZWSP => on(is_spaceless) && self.follow(c),
            MVS => on(is_mongolian) && self.peek().is_some_and(is_mongolian) && self.follow(c),
            CGJ => on(is_hebrew) && self.carry(),
            c if is_prepended(c) => {
                self.peek().is_some_and(|next| takes_prepended(c, next)) && self.follow(c)
            }
            '\u{180B}'..='\u{180D}'
            | '\u{180F}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{E0100}'..='\u{E01EF}' => {
                self.marks == 0 && base.is_some_and(|base| takes_selector(base, c)) && self.carry()
            }
            c if base.is_some_and(|base| takes_control(base, c)) => self.carry(),
            c if is_invisible(c) => false,
            c if is_tone(c) && on(is_emoji) => self.carry(),
            c if c.width() == Some(0) => self.carry(),
            c => {
                self.rest_on(c);
                if c == BLACK_FLAG {
                    self.skip_tags();
                }
                true
            }
        }
    }

    /// Ends the output in `c`, which takes a column or ends a line.
    fn rest_on(&mut self, c: char) {
        self.base = (!matches!(c, '\n' | '\t')).then_some(c);
        self.marks = 0;
        self.joiners = 0;
        self.unseen = (0, None);
    }

    /// Puts one more mark on the base. False if it cannot carry it.
    fn carry(&mut self) -> bool {
        let stays = self.base.is_some_and(|base| self.marks < marks_max(base));
        self.marks += u8::from(stays);
        stays
    }

    /// Puts something behind the base that draws nothing. False if there is enough of it.
    fn follow(&mut self, c: char) -> bool {
        let (count, last) = self.unseen;
        let stays = count < UNSEEN_MAX && last != Some(c);
        if stays {
            self.unseen = (count + 1, Some(c));
        }
        stays
    }

    /// Joins the emoji at hand to the next character and moves past it. False if that is no emoji.
    fn join(&mut self) -> bool {
        let next = self.peek().filter(|&next| is_emoji(next) && !is_tone(next));
        let (Some(next), true) = (next, self.base.is_some_and(is_emoji)) else {
            return false;
        };
        if self.joiners == JOINERS_MAX {
            return false;
        }
        let joiners = self.joiners + 1;
        self.at += next.len_utf8();
        self.rest_on(next);
        self.joiners = joiners;
        true
    }

    /// Whether a joiner, or what keeps letters from joining, may change how a letter is written.
    fn shapes(&mut self, c: char) -> bool {
        let behind = self.base.is_some_and(|base| joins(base) || is_brahmic(base));
        (behind || self.peek().is_some_and(joins)) && self.follow(c)
    }

    /// Whether what comes next is still to be typed.
    fn waits(&self) -> bool {
        self.cursor == Some(self.at)
    }

    /// Moves past the tags behind a black flag, if they name a part of a country or may come to.
    fn skip_tags(&mut self) {
        let (length, whole) = kind::tags(&self.text[self.at..]);
        if whole || self.cursor == Some(self.at + length) {
            self.at += length;
            // A selector would not stand right behind the flag.
            self.marks = 1;
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }
}

/// How many bytes of printable ASCII come first.
fn plain_prefix(bytes: &[u8]) -> usize {
    /// Without an early exit inside a block the compiler compares it as a whole.
    const BLOCK: usize = 32;
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~');
    if !bytes.first().is_some_and(is_plain) {
        return 0;
    }
    let blocks = bytes
        .chunks_exact(BLOCK)
        .take_while(|block| block.iter().fold(true, |plain, byte| plain & is_plain(byte)))
        .count();
    let rest = &bytes[blocks * BLOCK..];
    blocks * BLOCK + rest.iter().take_while(|byte| is_plain(byte)).count()
}

/// The picture of a C0 control, U+2400 and on.
fn picture(c: char) -> &'static str {
    const PICTURES: &str = "␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝␞␟";
    let start = c as usize * '␀'.len_utf8();
    &PICTURES[start..start + '␀'.len_utf8()]
}

#[cfg(test)]
pub(super) mod tests;
