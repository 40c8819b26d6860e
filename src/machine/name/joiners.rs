//! Which invisible characters a name may hold: those without which it is written differently.
//!
//! UAX 31, section 2.3, has three places where a joiner of letters is needed to spell a word; emoji
//! have a fourth (UTS 51, ED-16), which is the text's business. Anywhere else nobody sees a difference,
//! and whoever has such a name passes for somebody else. So do names with and without a joiner: they
//! look alike ([`super::Look`]), for fonts draw the difference or do not.

use unicode_joining_type::{JoiningType, get_joining_type};
use unicode_normalization::char::canonical_combining_class;

use crate::machine::text::kind::{ZWJ, ZWNJ, is_bidi_control, is_emoji, is_invisible};

/// The class of what takes the vowel of a consonant away (Canonical_Combining_Class).
const VIRAMA: u8 = 9;

/// Whether every character of a name that draws nothing is needed where it is. The name is sanitised.
pub(super) fn are_needed(name: &str) -> bool {
    name.char_indices().all(|(at, c)| {
        let (before, after) = (&name[..at], &name[at + c.len_utf8()..]);
        match c {
            ZWNJ => breaks_a_join(before, after) || (has_virama(before) && begins(after)),
            ZWJ => {
                let vowel = after.starts_with(is_vowel_sign);
                // The eyelash of Bengali, Kannada and Sinhala: before the virama (chapter 12).
                let eyelash = before.ends_with(char::is_alphabetic)
                    && after.starts_with(|c| canonical_combining_class(c) == VIRAMA);
                (has_virama(before) && !vowel) || eyelash || joins_pictures(before, after)
            }
            // What it selects, or names, differs from font to font: as a text has it, if not anywhere.
            '\u{180B}'..='\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => true,
            '\u{E0020}'..='\u{E007F}' => is_known_flag(name, at),
            c => !(is_invisible(c) || is_bidi_control(c)),
        }
    })
}

/// Rule A1: a letter that joins to the left, and one that joins to the right, stand apart.
fn breaks_a_join(before: &str, after: &str) -> bool {
    let letter = |c: &char| get_joining_type(*c) != JoiningType::Transparent;
    let joins = |c: Option<char>, side| {
        c.map(get_joining_type).is_some_and(|is| is == JoiningType::DualJoining || is == side)
    };
    joins(before.chars().rev().find(letter), JoiningType::LeftJoining)
        && joins(after.chars().find(letter), JoiningType::RightJoining)
}

/// Rules A2 and B: a letter, its marks, among them a virama, and nothing else.
fn has_virama(before: &str) -> bool {
    let mut virama = false;
    for c in before.chars().rev() {
        match canonical_combining_class(c) {
            VIRAMA => virama = true,
            0 => return virama && c.is_alphabetic(),
            _ => {}
        }
    }
    false
}

/// An emoji, as it was chosen, and another one.
fn joins_pictures(before: &str, after: &str) -> bool {
    let chosen = |c: char| matches!(c, '\u{FE0E}'..='\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}');
    before.trim_end_matches(chosen).ends_with(is_emoji) && after.starts_with(is_emoji)
}

/// A letter comes next, behind marks of its own if need be.
fn begins(after: &str) -> bool {
    let mut rest = after.chars().skip_while(|&c| canonical_combining_class(c) != 0);
    rest.next().is_some_and(char::is_alphabetic)
}

/// A vowel sign of a Brahmic script (Indic_Syllabic_Category=Vowel_Dependent), in the blocks where rule B
/// has its uses.
fn is_vowel_sign(c: char) -> bool {
    matches!(
        c,
        '\u{93A}'..='\u{93B}' | '\u{93E}'..='\u{94C}' | '\u{9BE}'..='\u{9CC}' | '\u{A3E}'..='\u{A4C}'
            | '\u{ABE}'..='\u{ACC}' | '\u{B3E}'..='\u{B4C}' | '\u{BBE}'..='\u{BCC}'
            | '\u{C3E}'..='\u{C4C}' | '\u{CBE}'..='\u{CCC}' | '\u{D3E}'..='\u{D4C}'
            | '\u{DCF}'..='\u{DDF}' | '\u{102B}'..='\u{1035}' | '\u{17B6}'..='\u{17C5}'
    )
}

/// The flags of parts of countries that fonts draw (RGI_Emoji_Tag_Sequence): England, Scotland, Wales.
fn is_known_flag(name: &str, tag: usize) -> bool {
    const FLAGS: [&str; 3] = ["gbeng", "gbsct", "gbwls"];
    let is_tag = |c: char| matches!(c, '\u{E0020}'..='\u{E007F}');
    let start = name[..tag].trim_end_matches(is_tag).len();
    let tags = name[start..].chars().take_while(|&c| is_tag(c));
    let code = tags.filter_map(|c| char::from_u32(u32::from(c) - 0xE_0000));
    let code: String = code.take_while(|&c| c != '\x7F').collect();
    FLAGS.contains(&code.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::{Name, NameError};

    /// Each row is a script or a construction, and a name that cannot be spelled without.
    #[test]
    fn names_that_need_a_joiner() {
        for (script, text) in [
            ("Persian", "علی\u{200C}رضا"),
            ("Persian, a mark between", "علیّ\u{200C}رضا"),
            ("Urdu", "گل\u{200C}شن"),
            ("Syriac", "ܫ\u{200C}ܠܡܐ"),
            ("Devanagari, apart", "श्रीमान्\u{200C}को"),
            ("Devanagari, joined", "लक्\u{200D}ष्मी"),
            ("Devanagari, the eyelash of Nepali and Marathi", "गर्\u{200D}यो"),
            ("Bengali", "র\u{200D}\u{9CD}যাব"),
            ("Kannada", "ರ\u{200D}\u{CCD}ಕ"),
            ("Malayalam, an old chillu", "രാമന്\u{200D}"),
            ("Malayalam, apart", "ന്\u{200C}റ"),
            ("Sinhala", "ශ්\u{200D}රී"),
            ("Mongolian", "ᠰᠠᠷ\u{180E}ᠠ"),
            ("Han, a variant", "葛\u{E0100}城"),
            ("emoji", "👩\u{200D}💻 Ana"),
            ("Scotland", "Ian 🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}"),
        ] {
            assert_eq!(Name::parse(text).as_ref().map(Name::as_str), Ok(text), "{script}");
        }
    }

    #[test]
    fn what_changes_nothing_is_refused() {
        for (why, text) in [
            ("Latin letters do not join", "al\u{200C}ice"),
            ("nor do they", "al\u{200D}ice"),
            ("nor Cyrillic ones", "Бо\u{200C}рис"),
            ("alef does not join to the left", "را\u{200C}مین"),
            ("reh neither", "امیر\u{200C}حسین"),
            ("at the end", "علی\u{200C}"),
            ("at the beginning", "\u{200C}علی"),
            ("before a blank", "علی \u{200C}رضا"),
            ("twice", "علی\u{200C}\u{200C}رضا"),
            ("joined letters are joined", "عل\u{200D}ی"),
            ("no virama", "ल\u{200D}क्ष्मी"),
            ("no virama", "ल\u{200C}क्ष्मी"),
            ("a vowel sign", "क्\u{200D}\u{93F}"),
            ("nothing is combined", "राम्\u{200C}"),
            ("a letter and a picture", "ی\u{200D}👩"),
            ("marks of direction", "שלום\u{200F}"),
            ("isolates", "\u{2068}Ali\u{2069}"),
            ("a word joiner", "al\u{2060}ice"),
            ("a place to end a row", "ภาษา\u{200B}ไทย"),
            ("a flag nobody draws", "🏴\u{E0075}\u{E0073}\u{E0074}\u{E0078}\u{E007F}"),
            ("an order of marks", "לַ\u{34F}ִם"),
            ("a control of hieroglyphs", "𓀀\u{13430}𓀁"),
        ] {
            assert_eq!(Name::parse(text), Err(NameError::Control), "{why}: {text:?}");
        }
    }

    #[test]
    fn with_a_joiner_or_without_it_looks_the_same() {
        for (one, other) in [
            ("علی\u{200C}رضا", "علیرضا"),
            ("लक्\u{200D}ष्मी", "लक्ष्मी"),
            ("👩\u{200D}💻", "👩💻"),
            ("葛\u{E0100}城", "葛城"),
            ("ᠰᠠᠷ\u{180E}ᠠ", "ᠰᠠᠷᠠ"),
            (
                "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
                "🏴\u{E0067}\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}",
            ),
        ] {
            let [one, other] = [one, other].map(|text| Name::parse(text).unwrap().look());
            assert!(one.is_like(&other));
        }
    }
}
