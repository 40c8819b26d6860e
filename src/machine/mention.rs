//! Whether a text is about somebody: their name is in it, as a word.

use unicode_width::UnicodeWidthChar;

use crate::machine::text::fold::folded;
use crate::machine::text::kind::is_unspaced;

/// Whether a text has a name in it, as a word, in upper or lower case, composed or not.
///
/// A word ends where no letter, digit or mark follows; in scripts that write words together (UAX 29
/// leaves them to dictionaries), anywhere.
pub(crate) fn mentions(text: &str, name: &str) -> bool {
    let (text, name) = (folded(text), folded(name));
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c.width() == Some(0);
    let apart = |one: Option<char>, other: Option<char>| match (one, other) {
        (Some(one), Some(other)) => {
            !(is_word(one) && is_word(other)) || is_unspaced(one) || is_unspaced(other)
        }
        _ => true,
    };
    let (first, last) = (name.chars().next(), name.chars().next_back());
    first.is_some()
        && text.match_indices(&*name).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + name.len()..]);
            apart(before.chars().next_back(), first) && apart(last, after.chars().next())
        })
}

#[cfg(test)]
mod tests {
    use super::mentions;

    /// Each row is a text with somebody's name in it: composed or not, in another case, with what draws
    /// nothing in it, and where words stand together.
    #[test]
    fn however_it_is_written() {
        for (text, name) in [
            ("Zoe\u{308}: hi", "Zoë"),
            ("ZOË!", "Zoe\u{308}"),
            ("hi STRASSE", "Straße"),
            ("γεια ΓΙΏΡΓΟΣ", "Γιώργος"),
            ("ipek, IPEK", "İpek"),
            ("al\u{AD}ice al\u{2060}ice?", "alice"),
            ("\u{200F}علیرضا: سلام", "علی\u{200C}رضا"),
            ("见alice了", "alice"),
            ("小明你好", "小明"),
            ("你好小明", "小明"),
            ("ノゾミさん", "ノゾミ"),
            ("철수야", "철수"),
            ("สวัสดีสมชาย", "สมชาย"),
            ("ａｌｉｃｅ", "alice"),
        ] {
            assert!(mentions(text, name), "{text} {name}");
        }
        for (text, name) in
            [("Zoë", "Zoe"), ("Борисович", "Борис"), ("रामायण", "राम"), ("रामों", "राम")]
        {
            assert!(!mentions(text, name), "{text} {name}");
        }
    }

    #[test]
    fn a_mention_is_a_word() {
        assert!(mentions("alice: hi", "alice") && mentions("hi ALICE!", "alice"));
        assert!(mentions("привет, Борис", "борис"));
        assert!(!mentions("malice", "alice") && !mentions("alices", "alice"));
        assert!(mentions("malice, alice", "alice") && !mentions("", "alice"));
        assert!(mentions("alice alice2 alice", "alice2") && !mentions("aalice", "alice"));
    }
}
