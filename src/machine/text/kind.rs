//! The characters that the rules of a text are about.
//!
//! Properties of Unicode 17 where they are said to be, blocks elsewhere: coarser, and enough where
//! more that stays harms nobody.

use unicode_joining_type::{JoiningType, get_joining_type};

/// Zero width joiner, and what keeps letters from joining.
pub(crate) const ZWJ: char = '\u{200D}';
pub(crate) const ZWNJ: char = '\u{200C}';
/// Zero width space: a row may end there.
pub(super) const ZWSP: char = '\u{200B}';
/// Word joiner: no row ends there.
pub(crate) const WJ: char = '\u{2060}';
/// Mongolian vowel separator.
pub(super) const MVS: char = '\u{180E}';
/// Combining grapheme joiner: keeps marks in their order.
pub(super) const CGJ: char = '\u{34F}';
/// Tags behind it make the flag of a part of a country of it.
pub(super) const BLACK_FLAG: char = '\u{1F3F4}';

/// Marks that one base may carry (UTS 39, section 5.4): Vietnamese needs 2, Zalgo dozens. Letters of
/// Tibetan are stacked of marks, and the Hebrew of the Bible has points and accents on one letter.
pub(super) fn marks_max(base: char) -> u8 {
    if is_hebrew(base) || matches!(base, '\u{F00}'..='\u{FFF}') { 8 } else { 4 }
}

/// Bidi_Control: marks, embeddings, overrides and isolates.
pub(crate) const fn is_bidi_control(c: char) -> bool {
    matches!(
        c,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    )
}

/// U+FDD0 to U+FDEF and the last two of each plane, which are never to be exchanged.
pub(super) const fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{FDD0}'..='\u{FDEF}') || c as u32 & 0xFFFE == 0xFFFE
}

/// Default_Ignorable_Code_Point, plus the format characters that draw nothing either (interlinear
/// annotation, hieroglyph joiners), minus bidi controls. The format characters left out are signs that
/// people read, such as the Arabic end of ayah.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{34F}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200D}'
            | '\u{2060}'..='\u{2065}'
            | '\u{206A}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
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
pub(crate) const fn is_emoji(c: char) -> bool {
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
pub(super) const fn is_tone(c: char) -> bool {
    matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

/// It has a form as text and one as emoji: emoji, what keycaps are made of, and the signs outside of
/// emoji blocks.
const fn has_two_forms(c: char) -> bool {
    is_emoji(c)
        || matches!(c, '0'..='9' | '#' | '*' | '©' | '®' | '‼' | '⁉' | '™' | 'ℹ' | 'Ⓜ')
        || matches!(c, '〰' | '〽' | '㊗' | '㊙')
}

/// Whether a selector may choose a form of that character: emoji or text (UTS 51), a variant of an
/// ideograph (UTS 37), or one of those in StandardizedVariants.txt.
pub(super) const fn takes_selector(base: char, selector: char) -> bool {
    match selector {
        '\u{180B}'..='\u{180F}' => is_mongolian(base),
        '\u{FE0E}'..='\u{FE0F}' => has_two_forms(base),
        '\u{FE00}'..='\u{FE0D}' => {
            is_han(base)
                || matches!(
                    base,
                    '0' | '\u{1000}'..='\u{109F}'
                        | '\u{2190}'..='\u{22FF}'
                        | '\u{2A00}'..='\u{2AFF}'
                        | '\u{3000}'..='\u{303F}'
                        | '\u{A840}'..='\u{A87F}'
                        | '\u{FF01}'..='\u{FF1F}'
                        | '\u{10AC0}'..='\u{10AFF}'
                        | '\u{13000}'..='\u{143FF}'
                )
        }
        _ => is_han(base),
    }
}

/// Whether a control of hieroglyphs or of shorthand stands in its script.
pub(super) const fn takes_control(base: char, control: char) -> bool {
    match control {
        '\u{13430}'..='\u{1343F}' => matches!(base, '\u{13000}'..='\u{143FF}'),
        '\u{1BCA0}'..='\u{1BCA3}' => matches!(base, '\u{1BC00}'..='\u{1BC9F}'),
        _ => false,
    }
}

/// An ideograph.
pub(crate) const fn is_han(c: char) -> bool {
    matches!(
        c,
        '\u{3005}'..='\u{3007}'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3FFFD}'
    )
}

/// Of a script in which words stand together, or together with what belongs to them: Han, kana,
/// Bopomofo, Hangul, Thai, Lao, Burmese, Khmer and their kin.
pub(crate) const fn is_unspaced(c: char) -> bool {
    is_han(c)
        || is_spaceless(c)
        || matches!(
            c,
            '\u{1100}'..='\u{11FF}'
                | '\u{3041}'..='\u{318F}'
                | '\u{31A0}'..='\u{31BF}'
                | '\u{31F0}'..='\u{31FF}'
                | '\u{A960}'..='\u{A97F}'
                | '\u{AC00}'..='\u{D7FF}'
                | '\u{FF66}'..='\u{FFDC}'
        )
}

/// Of a script whose words only a dictionary tells apart (UAX 14, SA).
pub(super) const fn is_spaceless(c: char) -> bool {
    matches!(
        c,
        '\u{E00}'..='\u{EFF}'
            | '\u{1000}'..='\u{109F}'
            | '\u{1780}'..='\u{17FF}'
            | '\u{1950}'..='\u{19FF}'
            | '\u{1A20}'..='\u{1AAF}'
            | '\u{A9E0}'..='\u{A9FF}'
            | '\u{AA60}'..='\u{AADF}'
    )
}

/// Of a script whose consonants have a vowel that a mark takes away: there a joiner says how they
/// combine (UAX 31, section 2.3).
pub(super) const fn is_brahmic(c: char) -> bool {
    matches!(
        c,
        '\u{900}'..='\u{DFF}'
            | '\u{F00}'..='\u{109F}'
            | '\u{1700}'..='\u{17FF}'
            | '\u{1A20}'..='\u{1AAF}'
            | '\u{1B00}'..='\u{1C4F}'
            | '\u{A800}'..='\u{A82F}'
            | '\u{A880}'..='\u{A9DF}'
            | '\u{AA00}'..='\u{AA5F}'
            | '\u{AAE0}'..='\u{AAFF}'
            | '\u{ABC0}'..='\u{ABFF}'
            | '\u{11000}'..='\u{11FFF}'
    )
}

/// What takes no column and stands before what it is a sign of (Prepended_Concatenation_Mark).
pub(super) const fn is_prepended(c: char) -> bool {
    matches!(c, '\u{605}' | '\u{70F}' | '\u{890}'..='\u{891}' | '\u{8E2}')
}

/// Whether it is a sign of that: Syriac letters are shortened, and numbers of Arabic marked.
pub(super) const fn takes_prepended(mark: char, c: char) -> bool {
    match c {
        '\u{710}' | '\u{712}'..='\u{72F}' | '\u{74D}'..='\u{74F}' | '\u{860}'..='\u{86A}' => {
            mark == '\u{70F}'
        }
        '0'..='9' | '\u{660}'..='\u{669}' | '\u{6F0}'..='\u{6F9}' => mark != '\u{70F}',
        _ => false,
    }
}

/// Mongolian, Todo, Sibe and Manchu.
pub(super) const fn is_mongolian(c: char) -> bool {
    matches!(c, '\u{1807}' | '\u{1820}'..='\u{18AA}')
}

/// Hebrew, with its presentation forms.
pub(super) const fn is_hebrew(c: char) -> bool {
    matches!(c, '\u{591}'..='\u{5F4}' | '\u{FB1D}'..='\u{FB4F}')
}

/// A letter, or a stroke, that is written joined to others (Joining_Type): Arabic, Syriac, N'Ko,
/// Mongolian, Adlam and their kin.
pub(super) fn joins(c: char) -> bool {
    // Nothing before U+0600 does, and a joiner is no letter.
    c >= '\u{600}'
        && c != ZWJ
        && !matches!(get_joining_type(c), JoiningType::NonJoining | JoiningType::Transparent)
}

/// How many bytes of tags come first, and whether they are the whole name of a part of a country: its
/// code, two letters and up to four more letters and digits, and the tag that ends it.
pub(super) fn tags(text: &str) -> (usize, bool) {
    let mut bytes = 0;
    for (before, c) in text.chars().enumerate() {
        let fits = match c {
            '\u{E0061}'..='\u{E007A}' => before < 6,
            '\u{E0030}'..='\u{E0039}' => (2..6).contains(&before),
            '\u{E007F}' if before >= 3 => return (bytes + c.len_utf8(), true),
            _ => false,
        };
        if !fits {
            break;
        }
        bytes += c.len_utf8();
    }
    (bytes, false)
}
