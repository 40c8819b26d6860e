//! Whoever is in front of the machine: a pipe or a program on lines, or a person at a screen.
//!
//! A seat takes what the machine tells and says what is to be done next. Nothing it does blocks.

use mio::event::Event as Ready;
use rustix::io::Errno;

use crate::driver::front::company::Company;
use crate::driver::front::intent::Intent;
use crate::driver::front::note::Note;
use crate::driver::os::failure::Failure;
use crate::driver::os::signals::Signal;
use crate::machine::{Event, Peer, Time};

/// Input and output of one stay in a room.
pub(crate) trait Seat {
    /// Who is in the room, as far as the seat was told.
    fn company(&self) -> &Company;

    /// The same, for whom we trust.
    fn company_mut(&mut self) -> &mut Company;

    /// Something happened.
    fn show(&mut self, event: &Event<'_>);

    /// The driver itself has something to say.
    fn note(&mut self, note: &Note);

    /// The driver has something to say that is still to be read when the run is over.
    fn last_word(&mut self, what: &str) {
        self.note(&Note::Remark(what.to_owned()));
    }

    /// The run failed.
    fn fail(&mut self, failure: &Failure);

    /// The run is over.
    fn bye(&mut self, status: u8);

    /// The next thing that is asked for. `open` says whether a line could be carried out now; until
    /// then a pipe is not read.
    fn hear(&mut self, open: bool) -> Option<Intent>;

    /// What was heard last is carried out: later events do not belong to it.
    fn settle(&mut self);

    /// The poll says that a source is ready.
    fn note_ready(&mut self, event: &Ready);

    /// A signal that is about the terminal.
    fn signal(&mut self, signal: Signal);

    /// Ctrl-C was pressed: a line that is typed is cleared by it. Whether there was one.
    fn interrupt(&mut self) -> bool {
        false
    }

    /// A turn of the loop begins. `peer` is there to be looked at.
    fn turn(&mut self, peer: &Peer);

    /// Writes what can be written without waiting.
    fn flush(&mut self);

    /// Whether there is something to do without waiting for the poll.
    fn has_work(&self, open: bool) -> bool;

    /// When the next turn is due at the latest.
    fn wake(&self) -> Option<Time>;

    /// Whether everything is written, or never will be.
    fn drained(&self) -> bool;

    /// Whether so much waits to be seen that what others say should wait where it is. A seat that keeps
    /// what it is shown is never full.
    fn is_full(&self) -> bool {
        false
    }

    /// Whether so little waits that more may come.
    fn has_room(&self) -> bool {
        true
    }

    /// Why nobody sees what is written any more.
    fn gone(&self) -> Option<Errno>;

    /// Whether somebody who wants to leave can be asked whether they mean it.
    fn can_ask(&self) -> bool {
        false
    }

    /// Whether notices were lost: what stands beside the messages could not be written.
    fn lost_notices(&self) -> bool {
        false
    }
}
