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

/// Whether `wanted` stands in `text`.
pub(crate) fn contains(text: &str, wanted: &str) -> bool {
    !wanted.is_empty() && text.char_indices().any(|(at, _)| prefix(&text[at..], wanted).is_some())
}

/// How many bytes of the beginning of `text` are `wanted`.
fn prefix(text: &str, wanted: &str) -> Option<usize> {
    let mut letters = text.chars();
    for want in wanted.chars() {
        let letter = letters.next()?;
        if letter != want && !letter.to_lowercase().eq(want.to_lowercase()) {
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
