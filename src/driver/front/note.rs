//! What the driver has to say, on every seat.

use crate::driver::front::invitation::Invitation;

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
    /// Anything else.
    Remark(String),
}
