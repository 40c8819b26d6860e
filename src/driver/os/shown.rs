//! What a terminal may be shown: words of others made safe, and colours only where they are wanted.

use std::io::{self, IsTerminal};

use crate::driver::os::environment::variable;
use crate::machine::sanitize;

/// Words that somebody typed or a file holds, safe to show, on one line.
pub fn shown(words: &str) -> String {
    sanitize(words).replace('\n', "␊")
}

/// Whether a stream shows colours: it is a terminal that knows them, and NO_COLOR does not forbid it.
pub(crate) fn has_colour(stream: &impl IsTerminal) -> bool {
    let dumb = variable("TERM").is_some_and(|term| term == "dumb");
    stream.is_terminal() && variable("NO_COLOR").is_none() && !dumb
}

/// Whether standard output shows colours.
pub fn stdout_has_colour() -> bool {
    has_colour(&io::stdout())
}

/// Whether errors are red.
pub(crate) fn stderr_has_colour() -> bool {
    has_colour(&io::stderr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_words_is_one_harmless_line() {
        assert_eq!(shown("x\x1b[31m\x07\u{9b}\u{202e}\r\ny"), "x␛[31m␇\u{FFFD}\u{FFFD}␊y");
        assert_eq!(shown("/home/zoë/a b"), "/home/zoë/a b");
    }
}
