//! A bell and a notification for who looks elsewhere.

use std::env;
use std::time::Duration;

use crate::driver::terminal::wrap::fitting;
use crate::machine::{SafeText, Time, sanitize};

/// At most one in this time.
const EVERY: Duration = Duration::from_secs(10);
/// How much of a text is told, columns.
const COLUMNS_MAX: usize = 80;

/// How this terminal is asked to notify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// OSC 9, of iTerm2 and many others; those that do not know it ignore it.
    Osc9,
    /// OSC 99, of kitty.
    Kitty,
    /// OSC 777, of VTE and rxvt.
    Osc777,
    /// The bell alone: a multiplexer is between us and the terminal, and may not pass it on.
    Bell,
}

impl Dialect {
    /// By the environment.
    pub(crate) fn of_environment() -> Self {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        match () {
            () if set("TMUX").is_some() || term.starts_with("screen") => Self::Bell,
            () if term.contains("kitty") => Self::Kitty,
            () if set("VTE_VERSION").is_some() || term.contains("rxvt") => Self::Osc777,
            () => Self::Osc9,
        }
    }
}

/// When it last made a noise.
#[derive(Debug)]
pub(crate) struct Alert {
    dialect: Dialect,
    /// The terminal takes UTF-8.
    utf8: bool,
    last: Option<Time>,
}

impl Alert {
    pub(crate) const fn new(dialect: Dialect, utf8: bool) -> Self {
        Self { dialect, utf8, last: None }
    }

    /// Appends a bell and a notification, unless there was one just before.
    pub(crate) fn ring(&mut self, now: Time, text: &SafeText<'_>, out: &mut Vec<u8>) {
        if self.last.is_some_and(|last| now.since(last) < EVERY) {
            return;
        }
        self.last = Some(now);
        // A semicolon would begin another field.
        let mut line = text.as_str().replace(['\n', '\t'], " ").replace(';', ",");
        if !self.utf8 {
            // As on the canvas: it would take them for control characters.
            line = line.replace(|letter: char| !letter.is_ascii(), "?");
        }
        // What was cut off may have closed an isolate.
        let line = sanitize(fitting(&line, COLUMNS_MAX).0);
        let told = match self.dialect {
            Dialect::Osc9 => format!("\x1b]9;{line}\x1b\\"),
            Dialect::Kitty => format!("\x1b]99;;{line}\x1b\\"),
            Dialect::Osc777 => format!("\x1b]777;notify;chatRPC;{line}\x1b\\"),
            Dialect::Bell => String::new(),
        };
        out.push(b'\x07');
        out.extend_from_slice(told.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(dialect: Dialect, text: &str) -> String {
        let mut out = Vec::new();
        Alert::new(dialect, true).ring(Time::ZERO, &SafeText::new(text), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_line_that_turns_nothing_around() {
        assert_eq!(rung(Dialect::Osc9, "bob: a\tb\nc"), "\x07\x1b]9;bob: a b c\x1b\\");
        let closed = "bob: \u{2068}Ali\u{2069}\u{200F}!";
        assert_eq!(rung(Dialect::Osc9, closed), format!("\x07\x1b]9;{closed}\x1b\\"));
        let long = format!("\u{2067}{}\u{2069}", "x".repeat(100));
        let cut = "x".repeat(COLUMNS_MAX);
        assert_eq!(
            rung(Dialect::Osc9, &long),
            format!("\x07\x1b]9;{cut}\x1b\\"),
            "cut, it is not closed"
        );
    }

    #[test]
    fn nothing_in_a_text_ends_the_sequence() {
        let hostile = "bob: \x1b\\\x07\x1b]52;c;x\u{9c}\nhi";
        assert_eq!(rung(Dialect::Osc9, hostile), "\x07\x1b]9;bob: ␛\\␇␛]52,c,x\u{FFFD} hi\x1b\\");
        assert_eq!(rung(Dialect::Bell, hostile), "\x07");
        assert_eq!(rung(Dialect::Kitty, "x"), "\x07\x1b]99;;x\x1b\\");
        let mut out = Vec::new();
        Alert::new(Dialect::Osc9, false).ring(Time::ZERO, &SafeText::new("é\u{9b}x"), &mut out);
        assert_eq!(out, b"\x07\x1b]9;??x\x1b\\");
        let long = rung(Dialect::Osc777, &"你".repeat(100));
        assert_eq!(long.matches('你').count(), 40);
    }

    #[test]
    fn one_in_ten_seconds() {
        let mut alert = Alert::new(Dialect::Bell, true);
        let mut out = Vec::new();
        let text = SafeText::new("x");
        for second in 0..25 {
            alert.ring(Time::from_micros(second * 1_000_000), &text, &mut out);
        }
        assert_eq!(out, b"\x07\x07\x07");
    }
}
