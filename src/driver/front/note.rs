//! What the driver has to say, on every seat.

use crate::driver::front::invitation::Invitation;
use crate::driver::history::record::Record;

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
    /// Why the chat is not written to the file that was asked for.
    NotLogged(String),
    /// What was said last before this run, the oldest first.
    Before(Vec<Record>),
    /// A message that is kept, and was asked for.
    Kept(Record),
    /// The end of what was asked of what is kept.
    Answer(Answer),
    /// Anything else.
    Remark(String),
}

/// What came of a question about what is kept.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// So many of the last messages were shown.
    Last(u64),
    /// So many messages that have a text in them were shown, and whether those were all.
    Found { text: String, count: u64, all: bool },
    /// So much would be removed by somebody who is sure.
    Forget { bytes: u64 },
    /// So much was removed; and whether what is said from here on is kept.
    Forgotten { bytes: u64, keeps: bool },
    /// Why there is nothing to look at.
    Refused(String),
}
