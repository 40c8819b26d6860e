//! Finding a text in a text, in upper or lower case.

use std::ops::Range;

/// Where `wanted` stands in `text`, without overlaps. Nothing stands nowhere.
pub(crate) fn hits(text: &str, wanted: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if wanted.is_empty() {
        return found;
    }
    let mut from = 0;
    for (at, _) in text.char_indices() {
        if at < from {
            continue;
        }
        if let Some(length) = prefix(&text[at..], wanted) {
            from = at + length;
            found.push(at..from);
        }
    }
    found
}

/// Whether `wanted` stands in `text`. A whole history is asked this at once, so that most texts are
/// told apart by the first letter.
pub(crate) fn contains(text: &str, wanted: &str) -> bool {
    let Some(&first) = wanted.as_bytes().first() else { return false };
    if !first.is_ascii() {
        return text.char_indices().any(|(at, _)| prefix(&text[at..], wanted).is_some());
    }
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    let begins = |(_, byte): &(usize, &u8)| **byte == lower || **byte == upper;
    let mut places = text.as_bytes().iter().enumerate().filter(begins);
    // An ASCII byte is a letter by itself: the text can be cut there.
    places.any(|(at, _)| prefix(&text[at..], wanted).is_some())
}

/// How many bytes of the beginning of `text` are `wanted`.
fn prefix(text: &str, wanted: &str) -> Option<usize> {
    let mut letters = text.chars();
    for want in wanted.chars() {
        let letter = letters.next()?;
        let same = if letter.is_ascii() && want.is_ascii() {
            letter.eq_ignore_ascii_case(&want)
        } else {
            letter == want || letter.to_lowercase().eq(want.to_lowercase())
        };
        if !same {
            return None;
        }
    }
    Some(text.len() - letters.as_str().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_and_lower_case() {
        assert_eq!(hits("Abcab", "AB"), [0..2, 3..5]);
        assert_eq!(hits("aaab aa", "aa"), [0..2, 5..7]);
        assert_eq!(hits("ПРИВЕТ мир мИр", "МИР"), [13..19, 20..26]);
        assert_eq!(hits("x", ""), []);
        assert!(contains("straße", "STRAßE") && !contains("x", "") && !contains("", "x"));
    }
}
