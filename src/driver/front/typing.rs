//! A line that somebody is typing where lines are shown, so that what arrives does not go into it.
//!
//! The kernel would edit the line, and says nothing of it before its end: what is printed meanwhile
//! stands in the middle of it, and nobody can draw it again. So it is edited here.

use crate::driver::front::company::Company;
use crate::machine::Time;

/// What came of typing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    Line(String),
    /// There is no more.
    End,
}

/// A line, its keys, and the row that it is shown in. It lasts as long as nobody else writes there.
pub(crate) trait Typing {
    /// One read of what was typed, where a row has so many columns and these people are here.
    fn feed(&mut self, bytes: &[u8], now: Time, columns: usize, company: &Company);

    /// Time has passed: what was typed by half is over.
    fn tick(&mut self, now: Time, company: &Company);

    /// A row has so many columns from now on.
    fn resize(&mut self, columns: usize);

    /// Clears the line. Whether there was one.
    fn clear(&mut self) -> bool;

    /// Whether no line stands there.
    fn is_free(&self) -> bool;

    /// A line was not taken: it stands there again, where no other one does.
    fn put_back(&mut self, line: &str);

    /// When [`Typing::tick`] is due.
    fn deadline(&self) -> Option<Time>;

    /// The next line that was ended.
    fn next_typed(&mut self) -> Option<Typed>;

    /// What the terminal has to be told of it since it was asked last.
    fn echo(&mut self) -> String;

    /// Takes the line off the terminal.
    fn hide(&mut self) -> String;

    /// Shows it again.
    fn show(&mut self) -> String;
}
