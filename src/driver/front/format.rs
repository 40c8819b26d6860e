//! What every front end does, whoever is in front of it: a person, a pipe or a program.
//!
//! A front end is pure: it turns events into text and lines into intents, and the loop carries both.

use core::fmt::Write;

use crate::driver::front::company::Company;
use crate::driver::front::intent::Intent;
use crate::driver::front::note::Note;
use crate::driver::os::failure::Failure;
use crate::driver::os::splitter::Piece;
use crate::machine::Event;

/// Turns events into text for standard output and standard error, and lines into intents.
pub(crate) trait Format {
    /// Something happened, which the company was told of already.
    fn show(&mut self, event: &Event<'_>, company: &Company, paper: &mut Paper);

    /// The driver itself has something to say.
    fn note(&mut self, note: &Note, company: &Company, paper: &mut Paper);

    /// The run failed.
    fn fail(&mut self, failure: &Failure, paper: &mut Paper);

    /// The run is over.
    fn bye(&mut self, status: u8, paper: &mut Paper);

    /// What a line of standard input asks for; `None` for nothing at all.
    fn read(&mut self, piece: Piece<'_>, paper: &mut Paper) -> Option<Intent>;

    /// What the last reading asked for is carried out: later events do not belong to it.
    fn settle(&mut self, _company: &Company, _paper: &mut Paper) {}
}

/// Text on its way to standard output and standard error: whole lines.
#[derive(Debug, Default)]
pub(crate) struct Paper {
    pub(crate) out: String,
    pub(crate) err: String,
    /// What stands before every line.
    pub(crate) before: String,
}

impl Paper {
    /// A line for standard output.
    pub(crate) fn say(&mut self, line: impl core::fmt::Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, "{}{line}", self.before);
    }

    /// A line for standard error.
    pub(crate) fn remark(&mut self, line: impl core::fmt::Display) {
        let _ = writeln!(self.err, "{}{line}", self.before);
    }
}
