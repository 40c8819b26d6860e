//! Lines of somebody at a terminal, told from those of their clipboard.
//!
//! A terminal that a program has not taken over hands out line by line what was pasted, and marks
//! nothing. But no hand ends two lines within a few milliseconds: lines that come so close are a paste,
//! and whoever pasted a password with them is asked before anybody hears of it. Every line waits for
//! as long to see whether another one follows.

use std::collections::VecDeque;
use std::time::Duration;

use crate::driver::front::several::{TEXTS_MAX, several};
use crate::machine::{Command, TEXT_MAX, Time};

/// Lines that follow each other faster than this are of no hand. A guess: the keys of a fast one are
/// 60 ms apart; a link of 2,400 baud carries seven letters in this time.
pub(crate) const BURST: Duration = Duration::from_millis(30);
/// How many lines wait that were typed instead of an answer.
const HELD_MAX: usize = 8;

/// What was typed, or pasted and agreed to.
#[derive(Debug, Default)]
pub(crate) struct Typist {
    /// Lines that came in a row, and when it is over.
    row: Pile,
    until: Option<Time>,
    /// What is asked about.
    pasted: Option<Pile>,
    /// What was typed instead of an answer, the oldest first.
    held: VecDeque<String>,
}

/// Lines that belong together.
#[derive(Debug, Default)]
struct Pile {
    /// As one text, as long as that could be said.
    text: String,
    lines: usize,
    bytes: usize,
}

impl Pile {
    fn push(&mut self, other: &str, lines: usize, bytes: usize) {
        let feed = usize::from(self.lines > 0);
        (self.lines, self.bytes) = (self.lines + lines, self.bytes + feed + bytes);
        if self.bytes <= TEXTS_MAX {
            self.text.push_str(&"\n"[..feed]);
            self.text.push_str(other);
        }
    }

    /// In how many messages it can be said, or carried out as one thing; `None` where it is too long.
    fn messages(&self) -> Option<usize> {
        match Command::parse(&self.text) {
            _ if self.bytes > TEXTS_MAX => None,
            Ok(Command::Say { text, .. }) if text.len() <= TEXT_MAX => Some(1),
            // What says nothing is refused for that.
            Ok(command @ Command::Say { .. }) => {
                several(&command, None).map(|said| said.len()).or(Some(1))
            }
            // No other command is as long as that.
            _ if self.lines > 1 && self.bytes > TEXT_MAX => None,
            _ => Some(1),
        }
    }
}

/// What a row of lines comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// A line to be carried out; a paste that is agreed to is one.
    Line(String),
    /// So many lines of so many bytes are a paste: whether to say them, in so many messages, is asked.
    Paste { lines: usize, bytes: usize, messages: usize },
    /// A paste is longer than what can be said.
    TooLong { lines: usize, bytes: usize },
    /// A paste is not to be said.
    Dropped,
    /// That was no answer, and [waits](Typist::take_held): it is asked again.
    Unclear { lines: usize },
    /// That was no answer either, and as many lines wait as can: this one does not.
    Unheld { lines: usize, line: String },
}

impl Typist {
    /// Takes a line.
    pub(crate) fn line(&mut self, line: &str, now: Time) {
        self.row.push(line, 1, line.len());
        self.until = Some(now + BURST);
    }

    /// When [`Typist::row`] is due.
    pub(crate) const fn deadline(&self) -> Option<Time> {
        self.until
    }

    /// The row, once it is over. To be asked when there is nothing to be read.
    pub(crate) fn row(&mut self, now: Time) -> Option<Row> {
        if self.until.is_none_or(|until| until > now) {
            return None;
        }
        self.until = None;
        let row = core::mem::take(&mut self.row);
        Some(match self.pasted.take() {
            // Whoever typed it is asked as well where it is more than one message.
            None if row.lines == 1 && row.messages() == Some(1) => Row::Line(row.text),
            None => self.ask(row),
            Some(pasted) if row.lines == 1 => self.answered(pasted, &row.text),
            Some(mut pasted) => {
                // One question for both.
                pasted.push(&row.text, row.lines, row.bytes);
                self.ask(pasted)
            }
        })
    }

    fn ask(&mut self, pile: Pile) -> Row {
        let Pile { lines, bytes, .. } = pile;
        match pile.messages() {
            None => Row::TooLong { lines, bytes },
            // There is nothing to be asked about in blanks.
            Some(_) if pile.text.trim().is_empty() => Row::Line(pile.text),
            Some(messages) => {
                self.pasted = Some(pile);
                Row::Paste { lines, bytes, messages }
            }
        }
    }

    fn answered(&mut self, pasted: Pile, answer: &str) -> Row {
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Row::Line(pasted.text),
            "n" | "no" | "" => Row::Dropped,
            _ => {
                let lines = pasted.lines;
                self.pasted = Some(pasted);
                if self.held.len() == HELD_MAX {
                    return Row::Unheld { lines, line: answer.to_owned() };
                }
                self.held.push_back(answer.to_owned());
                Row::Unclear { lines }
            }
        }
    }

    /// What is asked about is not to be said. Whether something was.
    pub(crate) fn drop_pasted(&mut self) -> bool {
        self.pasted.take().is_some()
    }

    /// The next line that was typed instead of an answer, once there is one.
    pub(crate) fn take_held(&mut self) -> Option<String> {
        if self.asks() { None } else { self.held.pop_front() }
    }

    /// The input has ended: what came last is a row.
    pub(crate) fn end(&mut self) {
        self.until = self.until.map(|_| Time::ZERO);
    }

    /// Whether an answer is waited for.
    pub(crate) const fn asks(&self) -> bool {
        self.pasted.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Time {
        Time::from_micros(1000 * ms)
    }

    fn line(text: &str) -> Row {
        Row::Line(text.to_owned())
    }

    #[test]
    fn a_hand_is_never_asked() {
        let mut typist = Typist::default();
        for (n, text) in ["one", "/who", "", "one"].into_iter().enumerate() {
            let start = 40 * n as u64;
            typist.line(text, at(start));
            assert_eq!(typist.row(at(start + 29)), None);
            assert_eq!(typist.deadline(), Some(at(start + 30)));
            assert_eq!(typist.row(at(start + 30)), Some(line(text)));
        }
        assert_eq!((typist.deadline(), typist.row(at(1000))), (None, None));
    }

    #[test]
    fn lines_that_come_at_once_are_asked_about() {
        let mut typist = Typist::default();
        let paste = |typist: &mut Typist, start| {
            typist.line("password", at(start));
            typist.line("/msg bob x", at(start + 29));
            assert_eq!(typist.row(at(start + 58)), None, "the second may not be the last");
            assert_eq!(
                typist.row(at(start + 59)),
                Some(Row::Paste { lines: 2, bytes: "password\n/msg bob x".len(), messages: 1 })
            );
        };
        let answer = |typist: &mut Typist, start, text: &str| {
            typist.line(text, at(start));
            typist.row(at(start + 30))
        };
        paste(&mut typist, 0);
        assert_eq!(answer(&mut typist, 100, "hm?"), Some(Row::Unclear { lines: 2 }));
        assert_eq!(typist.take_held(), None, "first the answer");
        assert_eq!(answer(&mut typist, 200, " Yes"), Some(line("password\n/msg bob x")));
        assert_eq!(typist.take_held().as_deref(), Some("hm?"));
        assert_eq!(typist.take_held(), None);
        assert_eq!(answer(&mut typist, 300, "n"), Some(line("n")), "it was answered");
        for no in ["n", "NO", ""] {
            paste(&mut typist, 400);
            assert_eq!(answer(&mut typist, 500, no), Some(Row::Dropped));
        }
        // The rest of it comes late, and is no answer.
        paste(&mut typist, 600);
        typist.line("y", at(900));
        typist.line("more", at(901));
        let bytes = "password\n/msg bob x\ny\nmore".len();
        let both = Row::Paste { lines: 4, bytes, messages: 1 };
        assert_eq!(typist.row(at(931)), Some(both));
        assert!(typist.asks());
    }

    #[test]
    fn a_long_paste_is_offered_as_several_messages() {
        let mut typist = Typist::default();
        (0..200).for_each(|_| typist.line(&"x".repeat(60), at(0)));
        let row = typist.row(at(30));
        assert_eq!(row, Some(Row::Paste { lines: 200, bytes: 200 * 61 - 1, messages: 3 }));
        typist.line("y", at(100));
        let Some(Row::Line(text)) = typist.row(at(130)) else { panic!("nothing is said") };
        assert_eq!(text.len(), 200 * 61 - 1);
        typist.line("/nick", at(200));
        (0..200).for_each(|_| typist.line(&"x".repeat(60), at(200)));
        assert!(matches!(typist.row(at(230)), Some(Row::TooLong { .. })), "no command is cut");
    }

    /// One line of 5,000 bytes went out as two messages, unasked.
    #[test]
    fn one_line_that_is_more_than_a_message_is_asked_about() {
        let mut typist = Typist::default();
        let mut row = |text: &str, start| {
            typist.line(text, at(start));
            typist.row(at(start + 30)).unwrap()
        };
        let long = "word ".repeat(1000);
        let asked = Row::Paste { lines: 1, bytes: 5000, messages: 2 };
        assert_eq!(row(&long, 0), asked);
        assert_eq!(row("y", 100), line(&long));
        assert_eq!(row(&long, 200), asked);
        assert_eq!(row("n", 300), Row::Dropped);
        // A command in front of a text that is none too long, and what is no text at all.
        let said = format!("/say {}", "x".repeat(TEXT_MAX));
        assert_eq!(row(&said, 400), line(&said));
        let blanks = " ".repeat(5000);
        assert_eq!(row(&blanks, 500), line(&blanks));
        let nick = format!("/nick {}", "x".repeat(TEXT_MAX));
        assert_eq!(row(&nick, 600), line(&nick), "it is refused as a name");
        let bytes = TEXTS_MAX + 1;
        assert_eq!(row(&"x".repeat(bytes), 700), Row::TooLong { lines: 1, bytes });
    }

    #[test]
    fn whoever_thinks_better_of_it_is_asked_no_more() {
        let mut typist = Typist::default();
        (0..2).for_each(|_| typist.line("x", at(0)));
        assert!(matches!(typist.row(at(30)), Some(Row::Paste { .. })));
        assert!(typist.drop_pasted() && !typist.drop_pasted() && !typist.asks());
        typist.line("y", at(100));
        assert_eq!(typist.row(at(130)), Some(line("y")));
    }

    /// Of two lines that were typed while a paste was asked about, the second alone came back.
    #[test]
    fn every_line_that_waits_comes_back_in_its_turn() {
        type End = fn(&mut Typist);
        let answered: End = |typist| {
            typist.line("n", at(5000));
            assert_eq!(typist.row(at(5030)), Some(Row::Dropped));
        };
        let interrupted: End = |typist| assert!(typist.drop_pasted());
        for end in [answered, interrupted] {
            for typed in [1, 2, HELD_MAX, HELD_MAX + 2] {
                let mut typist = Typist::default();
                (0..2).for_each(|_| typist.line("x", at(0)));
                assert!(matches!(typist.row(at(30)), Some(Row::Paste { .. })));
                for n in 0..typed {
                    let (start, text) = (100 * (n as u64 + 1), format!("line {n}"));
                    typist.line(&text, at(start));
                    let waits = match n < HELD_MAX {
                        true => Row::Unclear { lines: 2 },
                        false => Row::Unheld { lines: 2, line: text },
                    };
                    assert_eq!(typist.row(at(start + 30)), Some(waits));
                    assert_eq!(typist.take_held(), None, "first the answer");
                }
                end(&mut typist);
                for n in 0..typed.min(HELD_MAX) {
                    assert_eq!(typist.take_held(), Some(format!("line {n}")));
                }
                assert_eq!(typist.take_held(), None);
            }
        }
    }

    #[test]
    fn the_end_ends_a_row() {
        let mut typist = Typist::default();
        typist.line("last", at(100));
        typist.end();
        assert_eq!(typist.row(at(100)), Some(line("last")));
        typist.end();
        assert_eq!((typist.row(at(100)), typist.asks()), (None, false));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut typist = Typist::default();
        (0..1000).for_each(|_| typist.line(&"x".repeat(1000), at(0)));
        assert!(typist.row.text.len() <= TEXTS_MAX);
        let too_long = Row::TooLong { lines: 1000, bytes: 1_000_999 };
        assert_eq!(typist.row(at(30)), Some(too_long));
        typist.line("next", at(100));
        assert_eq!(typist.row(at(130)), Some(line("next")), "nothing is asked about it");
    }
}
