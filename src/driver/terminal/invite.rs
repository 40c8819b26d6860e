//! The sheet that shows how others join: nothing stands beside the rows, so that they can be selected
//! and copied as they are; and a key has the terminal copy them (OSC 52 of "XTerm Control Sequences").
//!
//! Only our own words are ever copied, and only when the person at the terminal asks for it.

use zeroize::Zeroizing;

use crate::driver::front::invitation::{Invitation, rows};
use crate::driver::terminal::decoder::{Key, Stroke};
use crate::driver::terminal::wrap::wrap;

/// How others join, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invite {
    line: String,
    /// What they may type as well: a digit copies each, from 2 on.
    others: Vec<String>,
    secret: Option<Zeroizing<String>>,
    doubt: Option<&'static str>,
}

impl Invite {
    pub(crate) fn of(invitation: &Invitation) -> Self {
        let (line, secret) = (invitation.line(), invitation.secret());
        let others = invitation.others().map(|(_, line)| line).collect();
        Self { line, others, secret, doubt: invitation.doubt() }
    }

    /// What a key copies; `None` for a key that is none of these.
    pub(crate) fn copied_by(&self, stroke: Stroke) -> Option<Zeroizing<String>> {
        match stroke.key {
            _ if stroke != Stroke::plain(stroke.key) => None,
            Key::Char('c') => Some(Zeroizing::new(self.line.clone())),
            Key::Char('s') => self.secret.clone(),
            Key::Char(digit @ '2'..='9') => {
                let at = digit as usize - '2' as usize;
                self.others.get(at).cloned().map(Zeroizing::new)
            }
            _ => None,
        }
    }

    /// The rows of so many columns.
    pub(crate) fn lines(&self, columns: usize) -> Vec<String> {
        let mut lines = vec!["Others join with (c copies, Esc closes):".to_owned()];
        lines.extend(rows(&self.line, columns));
        for (at, line) in self.others.iter().enumerate() {
            lines.extend([String::new(), format!("or with ({} copies):", at + 2)]);
            lines.extend(rows(line, columns));
        }
        if let Some(secret) = &self.secret {
            lines.extend([String::new(), "and this secret (s copies it):".to_owned()]);
            lines.push(secret.to_string());
        }
        if let Some(doubt) = self.doubt {
            lines.push(String::new());
            let rows = wrap(doubt, columns, columns);
            lines.extend(rows.into_iter().map(|row| doubt[row].to_owned()));
        }
        lines
    }
}

/// Appends what has a terminal put a text into the clipboard.
pub(crate) fn copy(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b]52;c;");
    out.extend(base64(text.as_bytes()));
    out.extend_from_slice(b"\x1b\\");
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= three.len() { letter } else { b'=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let pairs = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (text, coded) in pairs {
            assert_eq!(base64(text.as_bytes()), coded.as_bytes());
        }
        assert_eq!(base64(&[0xFB, 0xFF]), b"+/8=");
        let mut out = Vec::new();
        copy("x\x1b\\\x07", &mut out);
        assert_eq!(out, b"\x1b]52;c;eBtcBw==\x1b\\", "nothing in a text ends the sequence");
    }
}
