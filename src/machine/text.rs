//! What a remote string may hold before anything else sees it.
//!
//! Text of others ends up on terminals, in logs, titles and notifications. There a control
//! character paints, a bidi override reorders the line it stands in, an invisible character hides
//! one word in another, and a pile of marks covers the lines above. [`sanitize`] takes all of that
//! out, at decode, and [`SafeText`] is the proof that it did: the model holds nothing else, a front
//! end takes nothing else.
//!
//! The rules:
//!
//! | character | becomes |
//! |---|---|
//! | TAB | four spaces |
//! | LF | stays: a message may have several lines |
//! | CR | nothing |
//! | NEL, U+2028, U+2029 | LF |
//! | other C0, DEL | its picture (`␛`, `␡`): what was attempted stays visible |
//! | C1, bidi controls and marks, noncharacters | U+FFFD |
//! | joiner | stays between two emoji, at most 3 in a row; else nothing |
//! | text or emoji selector | stays right behind a character that has both forms; else nothing |
//! | any other invisible character | nothing |
//! | mark (takes no column of its own) | stays as one of the first 4 on a base in its line |
//! | anything else | stays |
//!
//! The rule for marks also keeps a line from striking through what a front end printed before it. A
//! mark that takes a column is a base here, so that Burmese and Tamil keep their vowels: no column
//! ever carries more than 4 marks. What this file does not do: shorten, wrap, or judge who is
//! speaking.

use core::fmt;
use core::ops::Range;
use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Longest text of one message, bytes.
pub const TEXT_MAX: usize = 4096;

/// [`sanitize`] makes a text at most this many times longer, in bytes: a TAB becomes four spaces.
const GROWTH_MAX: usize = 4;

/// Marks that one base may carry. A guess: Vietnamese needs 2, pointed Hebrew 4, Zalgo dozens.
const MARKS_MAX: u8 = 4;

/// Joiners in one emoji: the family of four and the kiss have 3, no emoji of Unicode 17 has more.
/// Without a limit a chain of them counts as two columns and is drawn as thousands.
const JOINERS_MAX: u8 = 3;

const JOINER: char = '\u{200D}';

/// The text with everything that could harm a terminal or deceive a reader made visible or taken
/// out.
///
/// Borrows when there is nothing to change, which one pass finds out. Sanitising twice changes
/// nothing more. The result has at most four times as many bytes as the text.
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
    for edit in Edits::new(text) {
        out.push_str(&text[copied..edit.at.start]);
        out.push_str(edit.with);
        copied = edit.at.end;
    }
    out.push_str(&text[copied..]);
}

/// Whether there is nothing to sanitise.
fn is_safe(text: &str) -> bool {
    Edits::new(text).next().is_none()
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
        self.0.chars().all(is_blank)
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
/// `base`, `marks` and `joiners` describe the end of the *output* so far. That makes sanitising
/// idempotent: over its own output the walk goes through the same states and finds nothing to do.
struct Edits<'a> {
    text: &'a str,
    at: usize,
    /// What a mark would sit on; none at the beginning of a line.
    base: Option<char>,
    /// How many marks sit there.
    marks: u8,
    /// How many joiners the emoji has that `base` ends.
    joiners: u8,
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
                return Some(Edit { at: start..self.at, with });
            }
        }
    }
}

impl<'a> Edits<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, at: 0, base: None, marks: 0, joiners: 0 }
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
        if let Some(with) = replacement(c) {
            if let Some(last) = with.chars().next_back() {
                self.rest_on(last);
            }
            return Some(with);
        }
        let stays = match c {
            JOINER => self.join(),
            '\u{FE0E}' | '\u{FE0F}' => {
                self.marks == 0 && self.base.is_some_and(has_two_forms) && self.carry()
            }
            c if is_tone(c) && self.base.is_some_and(is_emoji) => self.carry(),
            c if c.width() == Some(0) => self.carry(),
            c => {
                self.rest_on(c);
                true
            }
        };
        if stays { None } else { Some("") }
    }

    /// Ends the output in `c`, which takes a column or ends a line.
    fn rest_on(&mut self, c: char) {
        self.base = (c != '\n').then_some(c);
        self.marks = 0;
        self.joiners = 0;
    }

    /// Puts one more mark on the base. False if it cannot carry it.
    fn carry(&mut self) -> bool {
        let stays = self.base.is_some() && self.marks < MARKS_MAX;
        self.marks += u8::from(stays);
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

/// What stands in place of a character that may never stay, whatever is around it.
fn replacement(c: char) -> Option<&'static str> {
    match c {
        '\t' => Some("    "),
        '\n' => None,
        '\r' => Some(""),
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some("\n"),
        '\0'..='\x1F' => Some(picture(c)),
        '\x7F' => Some("␡"),
        '\u{80}'..='\u{9F}' => Some("\u{FFFD}"),
        c if is_bidi_control(c) || is_noncharacter(c) => Some("\u{FFFD}"),
        c if is_invisible(c) => Some(""),
        _ => None,
    }
}

/// The picture of a C0 control, U+2400 and on.
fn picture(c: char) -> &'static str {
    const PICTURES: &str = "␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝␞␟";
    let start = c as usize * '␀'.len_utf8();
    &PICTURES[start..start + '␀'.len_utf8()]
}

/// Bidi_Control of Unicode 17: marks, embeddings, overrides and isolates.
const fn is_bidi_control(c: char) -> bool {
    matches!(
        c,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    )
}

/// U+FDD0 to U+FDEF and the last two of each plane, which are never to be exchanged.
const fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{FDD0}'..='\u{FDEF}') || c as u32 & 0xFFFE == 0xFFFE
}

/// Default_Ignorable_Code_Point of Unicode 17, plus the format characters that draw nothing either
/// (interlinear annotation, hieroglyph joiners), minus bidi controls, joiner and the two selectors
/// that [`Edits::judge`] looks at. The format characters left out are signs that people read, such
/// as the Arabic end of ayah.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{34F}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200C}'
            | '\u{2060}'..='\u{2065}'
            | '\u{206A}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0D}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{13430}'..='\u{1343F}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

/// In a block where emoji live. Coarser than the property: a joiner between two symbols harms
/// nobody.
const fn is_emoji(c: char) -> bool {
    matches!(
        c,
        '\u{2190}'..='\u{21FF}'
            | '\u{2300}'..='\u{23FF}'
            | '\u{25A0}'..='\u{27BF}'
            | '\u{2900}'..='\u{297F}'
            | '\u{2B00}'..='\u{2BFF}'
            | '\u{1F000}'..='\u{1FAFF}'
    )
}

/// A skin tone: a coloured square by itself, part of the emoji before it otherwise.
const fn is_tone(c: char) -> bool {
    matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

/// A selector may follow: emoji, what keycaps are made of, and the signs outside of emoji blocks.
const fn has_two_forms(c: char) -> bool {
    is_emoji(c)
        || matches!(c, '0'..='9' | '#' | '*' | '©' | '®' | '‼' | '⁉' | '™' | 'ℹ' | 'Ⓜ')
        || matches!(c, '〰' | '〽' | '㊗' | '㊙')
}

#[cfg(test)]
pub(super) mod tests {
    use quickcheck::{Arbitrary, Gen};
    use unicode_security::skeleton;

    use super::*;

    /// Characters that a rule is about, and innocent ones for them to act on.
    const NASTY: &str = "\0\u{7}\t\n\n\r\u{1B}\u{7F}\u{80}\u{85}\u{9B}\u{AD}\u{34F}\u{61C}\u{115F}\
        \u{1160}\u{17B4}\u{180B}\u{180E}\u{200B}\u{200C}\u{200D}\u{200D}\u{200D}\u{200E}\u{200F}\
        \u{2028}\u{2029}\u{202A}\u{202D}\u{202E}\u{2060}\u{2065}\u{2066}\u{2069}\u{206A}\u{2800}\
        \u{3000}\u{3164}\u{A0}\u{FE00}\u{FE0E}\u{FE0F}\u{FE0F}\u{FEFF}\u{FFA0}\u{FFF9}\u{FFFB}\
        \u{FFFD}\u{FFFE}\u{FDD0}\u{13430}\u{1BCA0}\u{1D159}\u{1D173}\u{E0001}\u{E0041}\u{E007F}\
        \u{E0100}\u{10FFFF}\u{E000}\u{300}\u{301}\u{301}\u{301}\u{301}\u{336}\u{489}\u{E47}\u{20E3}\
        \u{103B}\u{1100}\u{1161}\u{11A8}\u{605}👩👩❤👧🔥🏽🏽🇬1#©  :/@*!>→aeéИमश中ﷺ";

    /// A text of any characters, or one of [`NASTY`] alone.
    #[derive(Clone, Debug)]
    pub(crate) struct Hostile(pub(crate) String);

    impl Arbitrary for Hostile {
        fn arbitrary(g: &mut Gen) -> Self {
            if bool::arbitrary(g) {
                return Self(String::arbitrary(g));
            }
            let alphabet: Vec<char> = NASTY.chars().collect();
            let length = usize::arbitrary(g) % 40;
            Self((0..length).filter_map(|_| g.choose(&alphabet)).collect())
        }

        fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
            Box::new(self.0.shrink().map(Self))
        }
    }

    /// Tries a property often enough for rare neighbours to meet.
    pub(crate) fn often(property: fn(Hostile) -> bool) {
        crate::machine::quickcheck().tests(20_000).quickcheck(property);
    }

    /// Default_Ignorable_Code_Point by another table: what no skeleton retains.
    fn is_ignorable(c: char) -> bool {
        skeleton(c.encode_utf8(&mut [0; 4])).next().is_none()
    }

    /// Whether nothing in `text` breaks the promise, checked without the tables above.
    fn is_harmless(text: &str) -> bool {
        let mut base = None;
        let mut marks = 0;
        let mut after_joiner = false;
        text.chars().all(|c| {
            let on_emoji = base.is_some_and(|base| base > '\u{2100}');
            let takes_column = c == '\n' || c.width() != Some(0);
            let fine = match c {
                '\n' => true,
                '\u{200D}' => on_emoji && !after_joiner,
                '\u{FE0E}' | '\u{FE0F}' => base.is_some() && marks == 0,
                c if c.is_control() || is_ignorable(c) => false,
                '\u{200E}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
                    false
                }
                '\u{61C}' | '\u{FFF9}'..='\u{FFFB}' | '\u{FFFE}'..='\u{FFFF}' => false,
                _ => takes_column || base.is_some(),
            };
            if takes_column {
                base = (c != '\n').then_some(c);
                marks = 0;
            } else if c != '\u{200D}' {
                marks += 1;
            }
            let joined = core::mem::replace(&mut after_joiner, c == '\u{200D}');
            fine && marks <= 4 && (!joined || takes_column)
        }) && !after_joiner
    }

    #[test]
    fn nothing_harmful_is_left() {
        often(|Hostile(text)| is_harmless(&sanitize(&text)));
    }

    #[test]
    fn every_character_alone_and_between_others() {
        for c in '\0'..=char::MAX {
            for text in [format!("{c}"), format!("a{c}b"), format!("👩{c}👧"), format!("\n{c}{c}")]
            {
                let clean = sanitize(&text);
                assert!(is_harmless(&clean), "{text:?} gives {clean:?}");
                assert_eq!(sanitize(&clean), clean, "{text:?}");
            }
            let stays = matches!(sanitize(&format!("a{c}b")), Cow::Borrowed(_));
            let may_stay = !is_ignorable(c) && (c == '\n' || !c.is_control());
            assert!(may_stay || !stays || is_selector(c), "{c:?}");
        }
    }

    fn is_selector(c: char) -> bool {
        matches!(c, '\u{FE0E}' | '\u{FE0F}')
    }

    #[test]
    fn sanitising_twice_changes_nothing_more() {
        often(|Hostile(text)| {
            let once = sanitize(&text);
            matches!(sanitize(&once), Cow::Borrowed(twice) if twice == once)
        });
    }

    #[test]
    fn only_a_change_is_copied() {
        often(|Hostile(text)| {
            matches!(sanitize(&text), Cow::Borrowed(_)) == (sanitize(&text) == text)
        });
    }

    #[test]
    fn growth_has_a_bound() {
        often(|Hostile(text)| sanitize(&text).len() <= GROWTH_MAX * text.len());
        assert_eq!(sanitize(&"\t".repeat(9)).len(), GROWTH_MAX * 9, "the bound is reached");
    }

    #[test]
    fn into_a_buffer_is_the_same_and_allocates_nothing() {
        often(|Hostile(text)| {
            let mut out = String::with_capacity(1 + GROWTH_MAX * text.len());
            out.push('>');
            let before = (out.as_ptr(), out.capacity());
            sanitize_into(&text, &mut out);
            out[1..] == sanitize(&text) && before == (out.as_ptr(), out.capacity())
        });
    }

    #[test]
    fn plain_text_is_found_by_blocks() {
        for length in 0..100 {
            for dirt in 0..length {
                let mut text = "a".repeat(length);
                assert_eq!(sanitize(&text), text);
                text.replace_range(dirt..=dirt, "\x1B");
                assert_eq!(sanitize(&text), text.replace('\x1B', "␛"));
            }
        }
    }

    #[track_caller]
    fn becomes(text: &str, clean: &str) {
        assert_eq!(sanitize(text), clean, "{text:?}");
    }

    /// The line that was measured on other chat programs; each let some of it through.
    #[test]
    fn one_hostile_line() {
        becomes(
            "\x1B[31mred\x1B]0;title\x07 \u{9B}31m \u{202E}txt.exe a\u{200B}b\u{FEFF}c\u{AD}d \x7F \
             \x1B]52;c;aGk=\x07 \x1B]8;;http://evil\x1B\\here\x1B]8;;\x1B\\ one\u{2028}two",
            "␛[31mred␛]0;title␇ \u{FFFD}31m \u{FFFD}txt.exe abcd ␡ \
             ␛]52;c;aGk=␇ ␛]8;;http://evil␛\\here␛]8;;␛\\ one\ntwo",
        );
    }

    #[test]
    fn lines_and_tabs() {
        becomes("a\tb\nc\r\nd\re\u{85}f\u{2029}g", "a    b\nc\nde\nf\ng");
        becomes("\0\x0B\x0C\x1F", "␀␋␌␟");
    }

    #[test]
    fn bidi_and_the_invisible() {
        becomes("\u{61C}\u{200E}\u{2066}x\u{2069}", "\u{FFFD}\u{FFFD}\u{FFFD}x\u{FFFD}");
        becomes(
            "a\u{34F}\u{2060}\u{180E}\u{3164}\u{115F}\u{FFA0}\u{E0041}\u{E0100}\u{FFF9}b",
            "ab",
        );
        becomes("\u{FFFE}\u{10FFFF}\u{FDD0}", "\u{FFFD}\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn marks_need_a_base_and_stack_up_to_four() {
        becomes(&format!("e{}", "\u{301}".repeat(9)), &format!("e{}", "\u{301}".repeat(4)));
        becomes(&format!("ก{}", "\u{E47}".repeat(9)), &format!("ก{}", "\u{E47}".repeat(4)));
        becomes("\u{336}x\n\u{336}y", "x\ny");
        becomes("e\u{301}\u{200B}\u{301}\u{301}\u{301}\u{301}", "e\u{301}\u{301}\u{301}\u{301}");
    }

    #[test]
    fn joiners_and_selectors_live_in_emoji_only() {
        becomes("ad\u{200D}min \u{200D}👩\u{200D} 👩\u{200D}x", "admin 👩 👩x");
        becomes("👩\u{200D}\u{200D}👧 👩\u{200B}\u{200D}👧", "👩\u{200D}👧 👩\u{200D}👧");
        becomes("a\u{FE0F}b❤\u{FE0F}\u{FE0F}", "ab❤\u{FE0F}");
        let chain = ["👩"; 5].join("\u{200D}");
        becomes(&chain, "👩\u{200D}👩\u{200D}👩\u{200D}👩👩");
    }

    #[test]
    fn what_people_write_stays() {
        for text in [
            "",
            "plain ~ text\nwith two lines",
            "Größe, żółw, Trần Hưng Đạo, e\u{301}",
            "Здравствуйте, Καλημέρα, שָׁלוֹם, مَرْحَبًا, ﷺ \u{6DD}",
            "नमस्ते क्षत्रिय, ဘာဖြစ်လို့ မျှော်လင့်ချက်, ภาษาไทยที่นี่, བོད་ཡིག, வணக்கம்",
            "漢字 かな 한국어 \u{1112}\u{1161}\u{11AB}",
            "👩\u{200D}👩\u{200D}👧\u{200D}👦 👩🏽\u{200D}❤\u{FE0F}\u{200D}💋\u{200D}👨🏿",
            "🏳\u{FE0F}\u{200D}🌈 🇬🇷 1\u{FE0F}\u{20E3} ☎\u{FE0E}",
        ] {
            assert!(
                matches!(sanitize(text), Cow::Borrowed(_)),
                "{text:?} gives {:?}",
                sanitize(text)
            );
        }
    }

    #[test]
    fn blank() {
        assert!(SafeText::new("").is_blank());
        assert!(
            SafeText::new("\u{301} \t\u{A0}\u{3000}\u{2800}\u{200B}\u{FE0F}\n\u{301}").is_blank()
        );
        assert!(!SafeText::new(" . ").is_blank());
        assert!(!SafeText::new(" \u{301}").is_blank(), "an accent on a space can be seen");
        assert!(!SafeText::new("\x1B").is_blank(), "a picture can be seen");
    }

    #[test]
    fn safe_text_is_the_sanitised_text() {
        let safe = SafeText::new("a\tb");
        assert_eq!((safe.as_str(), safe.to_string()), ("a    b", "a    b".to_owned()));
        assert_eq!(SafeText::trusted("a    b"), safe);
        assert_eq!(safe.clone().into_owned(), safe);
    }

    #[test]
    #[should_panic(expected = "never sanitised")]
    #[cfg(debug_assertions)]
    fn trust_is_checked() {
        let _ = SafeText::trusted("\x1B[31m");
    }
}
