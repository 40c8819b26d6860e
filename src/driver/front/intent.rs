//! What whoever is in front of the machine asks for, from the key or the line on.

use rustix::io::Errno;

use crate::machine::{self, PeerId, Whom};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Something of the machine.
    Command(Command),
    /// A line that cannot be carried out; the seat said why.
    Refused,
    /// The input cannot be read any further: what was said so far is not everything.
    Broken(Errno),
    /// To write the chat to a file: `on`, `off`, or its path; nothing asks how it is.
    Log(String),
    /// Something about what is kept of the room.
    Look(Look),
    /// To leave, once what was said is delivered.
    Quit,
    /// To leave at once.
    QuitNow,
    /// The terminal is gone.
    Hangup,
}

/// What is asked of what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// To show the last messages, so many.
    Last(usize),
    /// To show those with a text in them, the newest first.
    Search(String),
    /// To remove everything; to say what that would be, where nobody is sure.
    Forget { sure: bool },
}

impl Look {
    /// How many messages are shown unless told, and at most.
    pub(crate) const LAST: usize = 50;
    pub(crate) const LAST_MAX: usize = 1000;
}

/// A command of the machine that owns its text: see there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Say { text: String, action: bool, to: Option<Meant> },
    Again { text: String, action: bool, readers: Vec<PeerId> },
    Nick(String),
    Who,
    Doctor,
    Whois(Meant),
    Verify(Meant),
    Trust(Meant),
    Trusted,
    Untrust(Meant),
    Invite,
    Help,
    Quit,
}

impl From<machine::Command<'_>> for Command {
    fn from(command: machine::Command<'_>) -> Self {
        use machine::Command::*;
        match command {
            Say { text, action, to } => {
                Self::Say { text: text.to_owned(), action, to: to.map(Meant::from) }
            }
            Again { text, action, readers } => {
                Self::Again { text: text.to_owned(), action, readers: readers.to_vec() }
            }
            Nick(name) => Self::Nick(name.to_owned()),
            Who => Self::Who,
            Doctor => Self::Doctor,
            Whois(whom) => Self::Whois(whom.into()),
            Verify(whom) => Self::Verify(whom.into()),
            Trust(whom) => Self::Trust(whom.into()),
            Trusted => Self::Trusted,
            Untrust(whom) => Self::Untrust(whom.into()),
            Invite => Self::Invite,
            Help => Self::Help,
            Quit => Self::Quit,
        }
    }
}

impl Command {
    /// The same for the machine.
    pub(crate) fn borrowed(&self) -> machine::Command<'_> {
        use machine::Command::*;
        match self {
            Self::Say { text, action, to } => {
                Say { text, action: *action, to: to.as_ref().map(Meant::whom) }
            }
            Self::Again { text, action, readers } => Again { text, action: *action, readers },
            Self::Nick(name) => Nick(name),
            Self::Who => Who,
            Self::Doctor => Doctor,
            Self::Whois(whom) => Whois(whom.whom()),
            Self::Verify(whom) => Verify(whom.whom()),
            Self::Trust(whom) => Trust(whom.whom()),
            Self::Trusted => Trusted,
            Self::Untrust(whom) => Untrust(whom.whom()),
            Self::Invite => Invite,
            Self::Help => Help,
            Self::Quit => Quit,
        }
    }
}

/// Whom something is for, or about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    Exactly(Whom<'static>),
    Word(String),
}

impl From<Whom<'_>> for Meant {
    fn from(whom: Whom<'_>) -> Self {
        match whom {
            Whom::Id(id) => Self::Exactly(Whom::Id(id)),
            Whom::Key(key) => Self::Exactly(Whom::Key(key)),
            Whom::Word(word) => Self::Word(word.to_owned()),
        }
    }
}

impl Meant {
    fn whom(&self) -> Whom<'_> {
        match self {
            Self::Exactly(whom) => *whom,
            Self::Word(word) => Whom::Word(word),
        }
    }
}
