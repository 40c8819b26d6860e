//! What every front end does, whoever is in front of it: a person, a pipe or a program.
//!
//! A front end is pure: it turns events into text and lines into inputs, and the loop carries both.

use crate::driver::front::company::Company;
use crate::driver::front::note::Note;
use crate::driver::os::failure::Failure;
use crate::driver::os::splitter::Piece;
use crate::machine::{Command, Event, Input, PeerId, Whom};
use core::fmt::Write;

/// Turns events into text for standard output and standard error, and lines into inputs.
pub(crate) trait Format {
    /// Something happened, which the company was told of already.
    fn show(&mut self, event: &Event<'_>, company: &Company, paper: &mut Paper);

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
