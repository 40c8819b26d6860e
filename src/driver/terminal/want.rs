//! What is wanted of the driver by whoever is at the screen.

use zeroize::Zeroizing;

use crate::machine::{PeerId, SafeText, Whom};

/// What is to be done that only the driver can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Give this line to the machine; and what was typed.
    Line { line: String, typed: String },
    /// Say this again; and which message it was.
    Again { text: String, action: bool, to: To, number: u64 },
    /// Leave, once everything is delivered.
    Quit,
    /// Leave at once.
    QuitNow,
    /// Stop, until somebody continues us.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Report the mouse, or stop it.
    Mouse,
    /// Write the chat to a file: `on`, `off`, or its path.
    Log(String),
    /// Show the tables of the machine.
    Debug,
    /// Make a noise.
    Ring(SafeText<'static>),
    /// Have the terminal copy this.
    Copy(Zeroizing<String>),
}

/// Whom something is said to again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// To whoever is here now: nobody was.
    Everybody,
    /// To the one it was for alone.
    One(Whom<'static>),
    /// To those of the room it did not reach.
    Missed(Vec<PeerId>),
}
