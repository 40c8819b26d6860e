//! Whether a text is about somebody: their name is in it, as a word.

/// Whether a text has a name in it, as a word, in upper or lower case.
pub(crate) fn mentions(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_same = |a: char, b: char| match a.is_ascii() && b.is_ascii() {
        true => a.eq_ignore_ascii_case(&b),
        false => a == b || a.to_lowercase().eq(b.to_lowercase()),
    };
    let mut before = None;
    for (start, c) in text.char_indices() {
        let free = !before.is_some_and(is_word);
        before = Some(c);
        if !free {
            continue;
        }
        let mut rest = text[start..].chars();
        let begins = name.chars().all(|n| rest.next().is_some_and(|c| is_same(c, n)));
        if begins && !rest.next().is_some_and(is_word) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::mentions;

    #[test]
    fn a_mention_is_a_word() {
        assert!(mentions("alice: hi", "alice") && mentions("hi ALICE!", "alice"));
        assert!(mentions("привет, Борис", "борис"));
        assert!(!mentions("malice", "alice") && !mentions("alices", "alice"));
        assert!(mentions("malice, alice", "alice") && !mentions("", "alice"));
    }
}
