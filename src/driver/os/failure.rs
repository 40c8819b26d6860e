//! Why a run failed: the exit status, what happened, and what to try.

use std::io::{self, Write};

use crate::driver::os::shown::{shown, stderr_has_colour};

/// The exit statuses. They are a contract: scripts depend on them.
pub mod status {
    /// Everything went as it should.
    pub const OK: u8 = 0;
    /// Something that should not happen.
    pub const INTERNAL: u8 = 1;
    /// The command line or the configuration file is wrong.
    pub const USAGE: u8 = 2;
    /// No nodeset could be reached.
    pub const NO_NODESET: u8 = 3;
    /// The name cannot be had.
    pub const NAME: u8 = 4;
    /// Not everything that was said reached everybody.
    pub const UNDELIVERED: u8 = 5;
    /// The address cannot be bound.
    pub const BIND: u8 = 6;
    /// What answered speaks another protocol.
    pub const PROTOCOL: u8 = 7;
}

/// Why a run failed, for people and for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit status.
    pub status: u8,
    /// The word for programs.
    pub code: &'static str,
    /// What happened: one line without a full stop.
    pub what: String,
    /// Why, and what to try: a line each.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without hints.
    pub fn new(status: u8, code: &'static str, what: impl Into<String>) -> Self {
        Self { status, code, what: what.into(), hints: Vec::new() }
    }

    /// The same failure with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The text for people: `error: what`, then the hints, indented. Red only where asked for.
    pub fn text(&self, colour: bool) -> String {
        let label = if colour { "\x1b[31merror:\x1b[0m" } else { "error:" };
        // Most of it is ours; but a path, a key or an argument may be anybody's.
        let mut text = format!("{label} {}\n", shown(&self.what));
        for hint in &self.hints {
            text += format!("  {}", shown(hint)).trim_end();
            text.push('\n');
        }
        text
    }

    /// Writes the text to standard error.
    pub fn print(&self) {
        // Nobody is left to be told when standard error is gone as well.
        let _ = io::stderr().write_all(self.text(stderr_has_colour()).as_bytes());
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(status::INTERNAL, "internal", error.to_string())
    }
}

/// Standard input cannot be read.
pub(crate) fn unreadable(error: &io::Error) -> Failure {
    Failure::new(status::INTERNAL, "input", format!("standard input cannot be read: {error}"))
}

/// Standard output cannot be written.
pub(crate) fn unwritable(error: &io::Error) -> Failure {
    Failure::new(status::INTERNAL, "output", format!("standard output cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn red_only_where_asked_for() {
        let failure = Failure::new(1, "internal", "no");
        assert_eq!(failure.text(true), "\x1b[31merror:\x1b[0m no\n");
        assert_eq!(failure.text(false), "error: no\n");
    }

    #[test]
    fn nothing_in_a_failure_reaches_the_terminal_but_letters() {
        let failure = Failure::new(1, "x", "a\x1b]0;x\x07\nerror: b").hint("try \u{202e}c\n  d");
        let text = failure.text(false);
        assert_eq!(text, "error: a␛]0;x␇␊error: b\n  try \u{FFFD}c␊  d\n");
    }
}
