//! JSON that is safe to show: a terminal that prints it obeys nothing in it.

use std::io;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use unicode_width::UnicodeWidthChar;

/// Writes every character that does not print as `\uXXXX`.
#[derive(Debug)]
struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|letter| !prints(letter)) {
            let (plain, after) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut letters = after.chars();
            for unit in letters.next().into_iter().flat_map(|letter| {
                let mut units = [0; 2];
                letter.encode_utf16(&mut units).to_vec()
            }) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = letters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    /// JSON of somebody else: what does not print is a blank between its words, or in a string.
    fn write_raw_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        self.write_string_fragment(writer, &fragment.replace(['\t', '\r', '\n'], " "))
    }
}

/// Whether a character shows as itself and changes nothing around it.
///
/// Not: controls, line and paragraph separators, everything without a width of its own (marks,
/// joiners, directions, tags), private use and the characters that are none.
fn prints(letter: char) -> bool {
    let private = matches!(
        u32::from(letter),
        0xe000..=0xf8ff | 0xf_0000..=0x10_ffff | 0xfff0..=0xfffb
    ) || u32::from(letter) & 0xfffe == 0xfffe;
    let separator = matches!(letter, '\u{2028}' | '\u{2029}' | '\u{ad}' | '\u{3164}' | '\u{ffa0}');
    letter.width().is_some_and(|width| width > 0) && !private && !separator
}

/// One line of JSON. A value that cannot be written, which would be a mistake of ours, is `null`.
pub(crate) fn to_safe_json(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Safe);
    match value.serialize(&mut serializer).map(|()| String::from_utf8(bytes)) {
        Ok(Ok(text)) => text,
        _ => "null".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;

    quickcheck! {
        fn what_is_read_is_what_was_written(text: String) -> bool {
            let json = to_safe_json(&text);
            let same: String = serde_json::from_str(&json).unwrap();
            same == text && json.chars().all(prints)
        }
    }

    #[test]
    fn every_character_is_safe_and_comes_back() {
        for letter in '\0'..=char::MAX {
            let json = to_safe_json(&letter);
            let same: char = serde_json::from_str(&json).unwrap();
            assert_eq!(same, letter);
            assert!(json.chars().all(|shown| prints(shown) && !shown.is_control()));
        }
    }

    #[test]
    fn json_of_somebody_else_is_safe_and_otherwise_as_it_was_written() {
        let raw = "{\"\u{202e}x\":\t[1.0e+5,\r\"\u{9b}\\u0041\u{10ffff}\" ]}";
        let value = serde_json::value::RawValue::from_string(raw.to_owned()).unwrap();
        let safe = r#"{"\u202ex": [1.0e+5, "\u009b\u0041\udbff\udfff" ]}"#;
        assert_eq!(to_safe_json(&value), safe);
    }

    #[test]
    fn what_terminals_obey_is_escaped_and_text_is_not() {
        for (text, json) in [
            ("é 你好 👍 «x»", r#""é 你好 👍 «x»""#),
            ("\x1b[31m\x07", r#""\u001b[31m\u0007""#),
            ("\u{9b}31m\u{7f}", r#""\u009b31m\u007f""#),
            ("\u{202e}x\u{2066}\u{200b}\u{feff}", r#""\u202ex\u2066\u200b\ufeff""#),
            ("\u{e0041}\u{2028}", r#""\udb40\udc41\u2028""#),
            ("a\nb\t\"\\", r#""a\nb\t\"\\""#),
        ] {
            assert_eq!(to_safe_json(&text), json);
        }
    }
}
