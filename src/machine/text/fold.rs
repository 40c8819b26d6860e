//! When two texts are the same to whoever looks for one in the other.
//!
//! [`folded`] is toNFKC_Casefold of Unicode (section 3.13, D147; UAX 15 for the normal form), near
//! enough: composed or not, wide or not, in upper or lower case, with a final sigma or with two s, and
//! whatever is in it that draws nothing. Beyond that no i has a dot, so that Turkish names are found on
//! every keyboard. It says nothing of who somebody is: names are compared as `name` does.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::kind::{is_bidi_control, is_invisible};

/// A text in the form in which texts are compared.
pub(crate) fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || text.chars().all(|c| c.is_ascii() || is_its_own_fold(c)) {
        return match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    let mut before = '\0';
    let letters = text.nfkd().flat_map(fold).filter(|&c| {
        let dot = c == '\u{307}' && before == 'i';
        before = c;
        !(dot || is_invisible(c) || is_bidi_control(c))
    });
    Cow::Owned(letters.nfkc().collect())
}

/// Characters that are compared as they stand, whatever is beside them, as long as that is such a one or
/// ASCII: kana, ideographs and Hangul, of which whole histories are written.
const fn is_its_own_fold(c: char) -> bool {
    matches!(c, '\u{3001}'..='\u{3003}' | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}'
        | '\u{30FC}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}')
}

/// Full case folding, near enough, without its table: by way of upper case, ß is ss and ς is σ; by way
/// of lower case before that, so is ẞ.
pub(crate) fn fold(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is compared as it stands would come out of folding as it is, alone and in company.
    #[test]
    fn what_is_its_own_fold_is() {
        let all: Vec<char> = ('\0'..=char::MAX).filter(|&c| is_its_own_fold(c)).collect();
        assert!(all.len() > 38_000);
        // An accent in front of it has the whole text folded.
        for pair in all.chunks(2) {
            let text: String = pair.iter().collect();
            assert_eq!(folded(&format!("É{text}x{text}")), format!("é{text}x{text}"));
        }
        assert_eq!(folded("ABC 你好ガス한글"), "abc 你好ガス한글");
    }

    /// Each row is one word, written in several ways.
    #[test]
    fn ways_to_write_a_word() {
        for row in [
            &["café", "cafe\u{301}", "CAFÉ", "CAFE\u{301}", "ｃａｆé", "ca\u{AD}fé"][..],
            &["straße", "STRASSE", "STRAẞE", "Strasse"],
            &["ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ", "ὀδυσσεύσ"],
            &["istanbul", "İstanbul", "ISTANBUL", "I\u{307}stanbul", "ıstanbul"],
            &["ёлка", "ЁЛКА", "е\u{308}лка"],
            &["한글", "\u{1112}\u{1161}\u{11AB}\u{1100}\u{1173}\u{11AF}"],
            &["ガス", "カ\u{3099}ス", "ｶﾞｽ"],
            &["ngữ", "NGỮ", "ngu\u{31B}\u{303}", "ngu\u{303}\u{31B}"],
            &["می\u{200C}خواهم", "میخواهم", "می\u{200F}خواهم"],
            &["क़लम", "क\u{93C}लम"],
            &["שׁלום", "ש\u{5C1}לום"],
            &["ﬁn", "fin"],
            &["Ǆ", "ǆ", "ǅ", "dž"],
            &["👍\u{FE0F}", "👍"],
        ] {
            for word in row {
                assert_eq!(folded(word), folded(row[0]), "{word} {}", row[0]);
                assert_eq!(folded(&folded(word)), folded(word), "{word}: once is enough");
            }
        }
        for (one, other) in [("café", "cafe"), ("ё", "е"), ("か", "カ"), ("ı", "l"), ("и", "й")]
        {
            assert_ne!(folded(one), folded(other));
        }
    }
}
