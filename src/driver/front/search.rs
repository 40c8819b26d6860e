//! Finding a text in a text, however either is written: composed or not, in upper or lower case (see
//! [`folded`]).

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::machine::folded;

/// What is looked for, in the form in which texts are compared: a whole history is asked for it at once.
#[derive(Debug)]
pub(crate) struct Wanted(String);

impl Wanted {
    pub(crate) fn new(wanted: &str) -> Self {
        Self(folded(wanted).into_owned())
    }

    /// Where it stands in `text`, without overlaps. Nothing stands nowhere.
    ///
    /// No normal form reaches beyond a grapheme (UAX 29, section 3), so that each is compared by itself,
    /// and found as a whole.
    pub(crate) fn hits(&self, text: &str) -> Vec<Range<usize>> {
        let Self(wanted) = self;
        if !self.is_in(text) {
            return Vec::new();
        }
        if text.is_ascii() {
            let text = folded(text);
            return text.match_indices(wanted).map(|(at, hit)| at..at + hit.len()).collect();
        }
        // The folded text, and which part of the text each byte of it is.
        let mut whole = String::with_capacity(text.len());
        let mut parts = Vec::with_capacity(text.len());
        for (at, grapheme) in text.grapheme_indices(true) {
            whole += &folded(grapheme);
            parts.resize(whole.len(), at..at + grapheme.len());
        }
        let found = whole.match_indices(wanted).map(|(at, hit)| at..at + hit.len());
        found.map(|hit| parts[hit.start].start..parts[hit.end - 1].end).collect()
    }

    /// Whether it stands in `text`: most texts are told apart by the first letter. Nothing stands nowhere.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let wanted = self.0.as_bytes();
        let Some(&first) = wanted.first() else { return false };
        if !text.is_ascii() {
            return folded(text).contains(&self.0);
        }
        let text = text.as_bytes();
        let begins = |(_, byte): &(usize, &u8)| byte.to_ascii_lowercase() == first;
        let mut places = text.iter().enumerate().filter(begins);
        places.any(|(at, _)| {
            let here = text.get(at..at + wanted.len());
            here.is_some_and(|here| here.eq_ignore_ascii_case(wanted))
        })
    }
}

/// Whether `text` begins with `wanted`.
pub(crate) fn begins(text: &str, wanted: &str) -> bool {
    folded(text).starts_with(&*folded(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(text: &str, wanted: &str) -> Vec<Range<usize>> {
        Wanted::new(wanted).hits(text)
    }

    fn contains(text: &str, wanted: &str) -> bool {
        Wanted::new(wanted).is_in(text)
    }

    #[test]
    fn upper_and_lower_case() {
        assert_eq!(hits("Abcab", "AB"), [0..2, 3..5]);
        assert_eq!(hits("aaab aa", "aa"), [0..2, 5..7]);
        assert_eq!(hits("ПРИВЕТ мир мИр", "МИР"), [13..19, 20..26]);
        assert_eq!(hits("x", ""), []);
        assert!(contains("straße", "STRAßE") && !contains("x", "") && !contains("", "x"));
    }

    /// Each row is a text, what is looked for, and what of the text is found.
    #[test]
    fn however_it_is_written() {
        for (text, wanted, found) in [
            ("un cafe\u{301} noir", "café", &["cafe\u{301}"][..]),
            ("un café noir", "CAFE\u{301}", &["café"]),
            ("un café noir", "cafe", &[]),
            ("un cafe\u{301} noir", "cafe", &[]),
            ("die STRAẞE, die Straße", "strasse", &["STRAẞE", "Straße"]),
            ("ὈΔΥΣΣΕΎΣ", "οδυσσευς", &[]),
            ("Ὁ ὈΔΥΣΣΕΎΣ", "ὀδυσσεύς", &["ὈΔΥΣΣΕΎΣ"]),
            ("İSTANBUL'da, Isparta", "istanbul", &["İSTANBUL"]),
            ("می\u{200C}خواهم", "میخواهم", &["می\u{200C}خواهم"]),
            ("ที่นี่", "ที", &["ที่"]),
            ("क्षत्रिय", "क्ष", &["क्ष"]),
            ("ガス と ｶﾞｽ", "カ\u{3099}ス", &["ガス", "ｶﾞｽ"]),
            ("\u{1112}\u{1161}\u{11AB}글", "한", &["\u{1112}\u{1161}\u{11AB}"]),
            ("👍\u{FE0F} 👍🏽", "👍", &["👍\u{FE0F}", "👍🏽"]),
            ("a\u{2060}b", "ab", &["a\u{2060}b"]),
        ] {
            let seen: Vec<&str> = hits(text, wanted).into_iter().map(|hit| &text[hit]).collect();
            assert_eq!(seen, found, "{text} {wanted}");
            assert_eq!(contains(text, wanted), !found.is_empty(), "{text} {wanted}");
        }
    }
}
