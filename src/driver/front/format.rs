//! What every front end does, whoever is in front of it: a person, a pipe or a program.
//!
//! A front end is pure: it turns events into text and lines into inputs, and the loop carries both.

use crate::driver::commands::report::Failure;
use crate::driver::front::invitation::Invitation;
use crate::driver::os::splitter::Piece;
use crate::machine::{Command, Event, Input, PeerId, Whom};
use core::fmt::Write;

/// Turns events into text for standard output and standard error, and lines into inputs.
pub(crate) trait Format {
    /// Something happened.
    fn show(&mut self, event: &Event<'_>, paper: &mut Paper);

    /// The driver itself has something to say.
    fn note(&mut self, note: &Note, paper: &mut Paper);

    /// The run failed.
    fn fail(&mut self, failure: &Failure, paper: &mut Paper);

    /// The run is over.
    fn bye(&mut self, status: u8, paper: &mut Paper);

    /// What a line of standard input asks for.
    fn read(&mut self, piece: Piece<'_>, paper: &mut Paper) -> Reading;

    /// What the last reading asked for is carried out: later events do not belong to it.
    fn settle(&mut self) {}
}

/// Text on its way to standard output and standard error: whole lines.
#[derive(Debug, Default)]
pub(crate) struct Paper {
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Paper {
    /// A line for standard output.
    pub(crate) fn say(&mut self, line: impl core::fmt::Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, "{line}");
    }

    /// A line for standard error.
    pub(crate) fn remark(&mut self, line: impl core::fmt::Display) {
        let _ = writeln!(self.err, "{line}");
    }
}

/// What only the driver knows.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// This process runs the nodeset of its own room, and others join it so.
    Opened(Invitation),
    /// Others join the room so. It may hold the secret: that is for a person's eyes alone.
    Invite(Invitation),
    /// Somebody wants to leave who keeps the door open for others: to be asked again.
    Needed(String),
    /// Somebody asked to leave, and so many messages are still on their way.
    Waiting(usize),
    /// So many lines were not shown because the output was stalled.
    Dropped(u64),
    /// The chat is written to this file from here on, or to none.
    Logging(Option<String>),
    /// Anything else.
    Remark(String),
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It asks for this.
    Wish(Wish),
    /// It asks for nothing.
    Nothing,
    /// It cannot be carried out; the front end said why.
    Refused,
}

/// An input that owns its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A line as a person types it.
    Line(String),
    /// Something to say.
    Say { text: String, action: bool, to: Option<Whom<'static>> },
    /// Something that was said before, to those it did not reach.
    Again { text: String, action: bool, readers: Vec<PeerId> },
    /// Another name.
    Nick(String),
    /// Who is here.
    Who,
    /// Leave.
    Quit,
}

impl Wish {
    /// The input for the machine.
    pub(crate) fn input(&self) -> Input<'_> {
        Input::Command(match self {
            Self::Line(line) => return Input::Line(line),
            Self::Say { text, action, to } => Command::Say { text, action: *action, to: *to },
            Self::Again { text, action, readers } => {
                Command::Again { text, action: *action, readers }
            }
            Self::Nick(name) => Command::Nick(name),
            Self::Who => Command::Who,
            Self::Quit => Command::Quit,
        })
    }
}

/// A number as people write it: `5,210`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 message`, `2 messages`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(5210), "5,210");
        assert_eq!(grouped(1_048_576), "1,048,576");
        assert_eq!(counted(1, "message"), "1 message");
        assert_eq!(counted(0, "message"), "0 messages");
    }
}
