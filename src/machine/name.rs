//! What people may call themselves, and when two names look the same.
//!
//! A name is refused with a reason, never silently mangled: somebody else would answer to it. No
//! script is banned, and a name is judged by its looks only against the names and the ids of people
//! who are present. What the program itself writes beside names is in `marks`.

mod joiners;
mod marks;

use core::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;
use unicode_width::UnicodeWidthStr;

use crate::machine::text::fold::fold;
use crate::machine::text::is_blank;
use crate::machine::text::{SafeText, sanitize};

/// Widest name, columns.
const NAME_COLUMNS_MAX: usize = 24;

/// Longest name, bytes of UTF-8. A column may hold a letter and several marks, so that columns
/// alone do not bound what a name costs on the wire; 96 leaves every column the longest code point.
pub(crate) const NAME_BYTES_MAX: usize = 96;

/// A valid name: NFC, single spaces, 1 to 24 columns, nothing that [`sanitize`] would change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Checks a name. Composes it (NFC), trims it and makes one space of any blanks in a row;
    /// anything else that is wrong refuses it. The text of a name parses to the same name.
    ///
    /// # Errors
    ///
    /// The first rule it breaks, in the order of [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = tidy(text);
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        let changes = || sanitize(&name) != name || !joiners::are_needed(&name);
        if name.chars().any(is_refused) || changes() {
            return Err(NameError::Control);
        }
        let columns = name.width();
        if columns > NAME_COLUMNS_MAX || name.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong { columns });
        }
        if has_ending_colon(&name) {
            return Err(NameError::Colon);
        }
        if name.chars().all(char::is_numeric) {
            return Err(NameError::Number);
        }
        let read = readings(&name).map(|reading| spelled(&reading));
        if marks::begins_like_a_line(&name, &read) {
            return Err(NameError::Prefix);
        }
        if marks::has_mark(&name, &read) {
            return Err(NameError::Mark);
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What people could take the name for.
    #[must_use]
    pub fn look(&self) -> Look {
        Look { readings: readings(&self.0), bare: bare(&self.0), claims: claims(&self.0) }
    }

    /// Whether something in it looks like the dot that sets an id apart (`bob·k7f3`): it could pass
    /// for somebody else's label.
    pub fn has_dot(&self) -> bool {
        self.0.chars().any(is_dot)
    }
}

/// How a name looks: as it is written, and in lower case; and which ids it could be taken for. Costs
/// more to make than to compare.
///
/// Looks are skeletons of UTS 39, section 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    readings: [String; 2],
    /// The same without all that a hurried eye passes over.
    bare: [String; 2],
    /// What in it has the form of the beginning of an id, in the letters of [`id_letters`].
    claims: Vec<String>,
}

/// It follows from the name, which says more.
impl core::hash::Hash for Look {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.readings[0].len().hash(state);
    }
}

impl Look {
    /// Whether people could take one name for the other: they have a reading in common.
    ///
    /// `Ian` can be `ian`, and can be `lan`. Not transitive: a name may look like two that do not
    /// look like each other.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.readings.iter().any(|reading| other.readings.contains(reading))
    }

    /// Whether people could take the name for an id: one that is whole, whether anybody has it or
    /// not.
    #[must_use]
    pub fn is_id(&self) -> bool {
        self.readings.iter().any(|reading| is_whole_id(&spelled(reading)))
    }

    /// Whether people could take the name, or the end of it, for that id or the beginning of it:
    /// four letters and more.
    #[must_use]
    pub fn claims(&self, id: &str) -> bool {
        !self.claims.is_empty() && beginnings(id).any(|letters| self.claims.contains(&letters))
    }

    /// Its readings without blanks, signs, accents, and a label behind them: what is left of a name
    /// where nobody who has the other one is there to compare it with.
    pub(crate) const fn bare(&self) -> &[String; 2] {
        &self.bare
    }

    /// Its readings, each once.
    pub(crate) fn readings(&self) -> &[String] {
        let [one, other] = &self.readings;
        if one == other { &self.readings[..1] } else { &self.readings }
    }

    /// The beginnings of ids that it could be taken for.
    pub(crate) fn claimed(&self) -> &[String] {
        &self.claims
    }
}

/// Letters of an id that people see, and the least that stands for it.
pub(crate) const ID_LETTERS_MIN: usize = 4;

/// Letters of a whole id.
pub(crate) const ID_LETTERS: usize = 13;

/// Whether that letter may stand in an id.
const fn is_id_letter(c: char) -> bool {
    matches!(c, 'a'..='z' | '2'..='7')
}

/// A reading in which one letter is written in one way: `m` looks like `rn`, and no other letter of
/// an id looks like anything but itself.
fn spelled(reading: &str) -> String {
    reading.replace('m', "rn")
}

/// The beginnings of an id, from four letters to all, as they are read.
pub(crate) fn beginnings(id: &str) -> impl Iterator<Item = String> {
    (ID_LETTERS_MIN..=ID_LETTERS).filter_map(|letters| id.get(..letters)).map(spelled)
}

/// What a text reads as without blanks, signs, accents, and a label behind it.
fn bare(text: &str) -> [String; 2] {
    readings(text).map(|reading| letters(&reading))
}

/// A reading without signs and blanks, cut wherever what is behind could be the letters of an id, those written
/// in one way: a label, however it is set apart (`bob k7f3`, `bob-k7f3abcd`, `bobk7f3`).
pub(crate) fn cut_labels(bare: &str) -> impl Iterator<Item = (&str, String)> {
    // An `m` is read as two letters.
    let ends =
        (ID_LETTERS_MIN..=2 * ID_LETTERS).filter_map(|letters| bare.len().checked_sub(letters));
    let cuts = ends
        .filter_map(|end| bare.split_at_checked(end))
        .map(|(name, letters)| (name, spelled(letters)));
    cuts.filter(|(name, letters)| !name.is_empty() && begins_some_id(letters))
}

/// Whether letters of an id, written in one way, begin with those that people see of that one.
pub(crate) fn begin_like(letters: &str, short: &str) -> bool {
    letters.starts_with(&spelled(short))
}

/// The letters and digits of a reading, without what could be somebody's label (`bob·k7f3`,
/// `bob (k7f3)`); all of one that has none.
fn letters(reading: &str) -> String {
    let inner = reading.strip_suffix(')').unwrap_or(reading);
    let name = match inner.rsplit_once(['·', '(']) {
        Some((name, letters)) if begins_some_id(&spelled(letters)) => name,
        _ => reading,
    };
    let bare: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    if bare.is_empty() { reading.to_owned() } else { bare }
}

/// Whether the beginning of an id could be written so.
fn begins_some_id(spelled: &str) -> bool {
    id_letters(spelled).is_some_and(|(least, most)| least <= ID_LETTERS && most >= ID_LETTERS_MIN)
}

/// How many letters of an id could be written so: at least, and at most.
fn id_letters(spelled: &str) -> Option<(usize, usize)> {
    let most = spelled.len();
    spelled.chars().all(is_id_letter).then(|| (most - spelled.matches("rn").count(), most))
}

/// What in a name could be taken for the beginning of an id: all of it, or the letters behind the last
/// sign or blank, as in `bob·k7f3` and `bob (k7f3)`.
fn claims(name: &str) -> Vec<String> {
    let apart = |c: char| !c.is_alphanumeric() || is_dot(c);
    let last = name.rsplit(apart).find(|letters| !letters.is_empty()).unwrap_or(name);
    let mut claims = Vec::new();
    for reading in [name, last].into_iter().flat_map(readings) {
        let letters = spelled(&reading);
        if begins_some_id(&letters) && !claims.contains(&letters) {
            claims.push(letters);
        }
    }
    claims
}

/// Whether all of an id could be written so. Its last letter holds four bits and a zero.
fn is_whole_id(spelled: &str) -> bool {
    let last = spelled.bytes().next_back().unwrap_or(0);
    let Some((least, most)) = id_letters(spelled) else { return false };
    match last {
        // `n` is an odd letter, and `m` an even one.
        b'n' => spelled.ends_with("rn") && (least..most).contains(&ID_LETTERS),
        b'a'..=b'z' => (last - b'a').is_multiple_of(2) && (least..=most).contains(&ID_LETTERS),
        _ => last.is_multiple_of(2) && (least..=most).contains(&ID_LETTERS),
    }
}

/// Whether it looks like the dot of a label, be it a letter or not.
fn is_dot(c: char) -> bool {
    !c.is_ascii() && skeleton(c.encode_utf8(&mut [0; 4])).eq(['·'])
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> From<&'a Name> for SafeText<'a> {
    fn from(name: &'a Name) -> Self {
        Self::trusted(&name.0)
    }
}

/// Why not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameError {
    /// Nothing left after trimming.
    Empty,
    /// Control, private-use or line-break characters, what draws nothing and is not needed to spell it,
    /// or more marks than a letter carries.
    Control,
    /// More than 24 columns, or more than 96 bytes.
    TooLong {
        /// How many columns.
        columns: usize,
    },
    /// A colon at the end, or before a space: `name: text` would be read wrongly.
    Colon,
    /// A bare number.
    Number,
    /// Begins like a command or a notice: with one of `/ @ * ! >`, or a glyph of the gutter.
    /// `error` and `note` do too, once a colon follows.
    Prefix,
    /// Has in it what the program itself writes beside names.
    Mark,
}

/// The words after `error: `.
impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const RULE: &str = "names are 1 to 24 columns, without control characters";
        match *self {
            Self::Empty => write!(f, "{RULE} (got 0)"),
            Self::Control => f.write_str(RULE),
            Self::TooLong { columns } if columns > NAME_COLUMNS_MAX => {
                write!(f, "{RULE} (got {columns})")
            }
            Self::TooLong { .. } => write!(f, "names are at most {NAME_BYTES_MAX} bytes"),
            Self::Colon => f.write_str("names have no colon at the end or before a space"),
            Self::Number => f.write_str("names are not bare numbers"),
            Self::Prefix => f.write_str(
                "names do not begin like a command or notice (/ @ * ! > and the like, error, note)",
            ),
            Self::Mark => f.write_str(
                "names have none of the marks that the program itself puts beside names \
                 (arrows, ticks, dots, bars, ', ', '(you)' and the like)",
            ),
        }
    }
}

impl core::error::Error for NameError {}

/// Composes, trims, and makes one space of any blanks in a row. Line breaks are left for refusal.
fn tidy(text: &str) -> String {
    let is_space = |c: char| is_blank(c) && !is_refused(c);
    let composed: String = text.nfc().collect();
    let words: Vec<&str> = composed.split(is_space).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Characters that a text may hold, before or after [`sanitize`], and a name may not: line breaks and
/// other controls, and private use (everybody's font draws something else).
const fn is_refused(c: char) -> bool {
    matches!(
        c,
        '\0'..='\x1F'
            | '\x7F'..='\u{9F}'
            | '\u{2028}'..='\u{2029}'
            | '\u{E000}'..='\u{F8FF}'
            | '\u{F0000}'..=char::MAX
    )
}

/// A colon that a reader would take for the one after the name: at the end, or before a space.
fn has_ending_colon(name: &str) -> bool {
    name.split(' ').filter_map(|word| word.chars().next_back()).any(|c| looks(c) == ':')
}

/// The punctuation that a character looks like; letters are themselves. Katakana no (ノ) looks like
/// a slash and visarga (ः) like a colon, yet names begin with one and end in the other.
pub(super) fn looks(c: char) -> char {
    /// The length mark of phonetic alphabets is a letter by its category alone.
    const LENGTH_MARK: char = 'ː';
    if c.is_alphabetic() && c != LENGTH_MARK {
        return c;
    }
    let plain: String = core::iter::once(c).nfkc().collect();
    let mut look = skeleton(&plain);
    match (look.next(), look.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}

/// How a name looks, and how it looks in lower case.
fn readings(name: &str) -> [String; 2] {
    let lower: String = name.chars().flat_map(fold).collect();
    [name, &lower].map(|written| skeleton(written).flat_map(fold).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::text::tests::{Hostile, often};

    #[track_caller]
    fn name(text: &str) -> Name {
        Name::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    #[track_caller]
    fn refused(text: &str, error: NameError) {
        assert_eq!(Name::parse(text), Err(error), "{text:?}");
    }

    #[test]
    fn names_of_people() {
        for text in [
            "alice",
            "x",
            "Al",
            "R2D2",
            "50cent",
            "irc:bob",
            "a/b",
            "bob!",
            "-bob-",
            "_",
            "(me)",
            "Jean-Luc O'Neill",
            "Γιώργος Παπαδόπουλος",
            "Борис",
            "Ёжик",
            "Олександр Їжак",
            "محمد",
            "عَبْدُ الله",
            "דָּוִד",
            "אברהם בן־דוד",
            "प्रियंका चतुर्वेदी",
            "रामः",
            "ประยุทธ์ จันทร์โอชา",
            "မျှော်",
            "நிலா",
            "ნინო",
            "Արամ",
            "ዳዊት",
            "李小龍",
            "ノゾミ",
            "さくら",
            "김철수",
            "Nguyễn Thị Hương",
            "José",
            "Straße",
            "İpek Işık",
            "ǃXóõ",
            "🔥bob🔥",
            "I ❤\u{FE0F} me",
            "五",
            "errors",
            "Noted",
        ] {
            assert_eq!(name(text).as_str(), text);
            assert_eq!(SafeText::from(&name(text)).as_str(), text);
        }
    }

    #[test]
    fn tidied() {
        assert_eq!(name("  al \u{A0}\u{3000}\u{2800} ice ").as_str(), "al ice");
        assert_eq!(name("Jose\u{301}").as_str(), "José");
    }

    #[test]
    fn empty() {
        for text in ["", "   ", "\u{A0}\u{2003}\u{3000}\u{2800}"] {
            refused(text, NameError::Empty);
        }
    }

    #[test]
    fn control() {
        for text in [
            "al\nice",
            "alice\n",
            "\talice",
            "a\rb",
            "al\x1B[31m",
            "\x7F",
            "\u{9B}",
            "al\u{2028}ice",
            "\u{202E}ecila",
            "alice\u{200E}",
            "\u{2066}x",
            "al\u{200B}ice",
            "al\u{200D}ice",
            "\u{200B}",
            "al\u{AD}ice",
            "\u{FEFF}alice",
            "\u{3164}",
            "al\u{E0041}ice",
            "a\u{FE0F}",
            "\u{301}alice",
            " \u{301}alice",
            "Z\u{300}\u{301}\u{302}\u{303}\u{304}",
            "\u{E0B0}bob",
        ] {
            refused(text, NameError::Control);
        }
    }

    #[test]
    fn too_long() {
        assert_eq!(name(&"a".repeat(24)).as_str().len(), 24);
        refused(&"a".repeat(31), NameError::TooLong { columns: 31 });
        refused(&"漢".repeat(13), NameError::TooLong { columns: 26 });
        refused(&"z\u{331}\u{331}\u{331}\u{331}".repeat(11), NameError::TooLong { columns: 11 });
        assert_eq!(name(&"𝒶".repeat(24)).as_str().len(), NAME_BYTES_MAX);
    }

    #[test]
    fn lines_that_are_not_theirs() {
        for text in ["alice:", "alice: hi", "alice：", "alice∶ hi", "aliceː hi", "bob ꞉ hi", ":"]
        {
            refused(text, NameError::Colon);
        }
        for text in ["7", "2024", "٣٤", "½"] {
            refused(text, NameError::Number);
        }
        for text in [
            "/quit",
            "／quit",
            "∕quit",
            "@bob",
            "＠bob",
            "* bob has left",
            "＊bob",
            "∗ bob",
            "! bob",
            "！",
            "> bob",
            "·bob",
            "error",
            "Error",
            "еrrоr",
            "note",
            "ΝΟΤΕ",
        ] {
            refused(text, NameError::Prefix);
        }
    }

    #[test]
    fn the_words_of_errors() {
        let words = |text| Name::parse(text).map_err(|error| error.to_string());
        assert_eq!(
            words("a name that is far too long 123"),
            Err("names are 1 to 24 columns, without control characters (got 31)".to_owned())
        );
        assert_eq!(
            words("\x1B"),
            Err("names are 1 to 24 columns, without control characters".into())
        );
    }

    #[test]
    fn a_name_parses_to_itself_and_is_safe() {
        often(|Hostile(text)| {
            let Ok(name) = Name::parse(&text) else { return true };
            let columns = name.as_str().width();
            Name::parse(name.as_str()).as_ref() == Ok(&name)
                && SafeText::new(name.as_str()) == SafeText::from(&name)
                && !SafeText::from(&name).is_blank()
                && name.look().is_like(&name.look())
                && (1..=NAME_COLUMNS_MAX).contains(&columns)
                && name.as_str().len() <= NAME_BYTES_MAX
        });
    }

    #[test]
    fn look_alikes() {
        for (one, other) in [
            ("Alice", "alice"),
            ("аlice", "alice"),
            ("АLICE", "alice"),
            ("ΑLICE", "alice"),
            ("aIice", "Alice"),
            ("aIice", "ALICE"),
            ("Ιan", "Ian"),
            ("Ιan", "ian"),
            ("раураl", "paypal"),
            ("РауРаl", "PAYPAL"),
            ("ɑdmin", "admin"),
            ("l1", "Il"),
            ("b0b", "bob"),
            ("rnark", "mark"),
            ("rnark", "Mark"),
            ("José", "JOSE\u{301}"),
            ("ΝΙΚΟΣ", "νικος"),
            ("STRASSE", "straße"),
            ("𝐛𝐨𝐛", "bob"),
            ("❤\u{FE0F}", "❤"),
            ("Lan", "Ian"),
        ] {
            let bare = [one, other].map(|text| name(text).look().bare().clone());
            assert!(bare[0].iter().any(|reading| bare[1].contains(reading)), "{one} {other}");
            assert!(name(one).look().is_like(&name(other).look()), "{one} {other}");
            assert!(name(other).look().is_like(&name(one).look()), "{other} {one}");
        }
    }

    #[test]
    fn different_people() {
        for (one, other) in [
            ("борис", "Boris"),
            ("Борис", "boris"),
            ("Νίκος", "Nikos"),
            ("Иван", "Ivan"),
            ("alice", "alice2"),
            ("al ice", "alice"),
            ("José", "Jose"),
            ("bob", "rob"),
            ("bob", "bod"),
            ("ian", "lan"),
            ("محمد", "محمود"),
            ("דוד", "דור"),
            ("राम", "रमा"),
            ("李", "季"),
            ("Anna", "Hanna"),
        ] {
            assert!(!name(one).look().is_like(&name(other).look()), "{one} {other}");
            assert!(!name(other).look().is_like(&name(one).look()), "{other} {one}");
        }
    }
}
