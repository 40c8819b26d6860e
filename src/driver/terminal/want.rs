//! What is wanted of the driver by whoever is at the screen.

use zeroize::Zeroizing;

use crate::driver::front::intent::Intent;
use crate::driver::terminal::kept::Change;
use crate::machine::SafeText;

/// What is to be done that only the driver can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// What every seat can ask for; and what a refusal of it takes back.
    Ask(Intent, Option<Submitted>),
    /// Stop, until somebody continues us.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Report the mouse, or stop it.
    Mouse(bool),
    /// Remember something that was set.
    Keep(Change),
    /// Show the tables of the machine.
    Debug,
    /// Make a noise.
    Ring(SafeText<'static>),
    /// Have the terminal copy this.
    Copy(Zeroizing<String>),
}

/// What a refusal takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Submitted {
    /// A line: it goes back where it was typed.
    Typed(String),
    /// One of several messages that a line is too long for: it goes back, with those behind it.
    Part(String),
    /// A message that was said again: it was not.
    Again(u64),
}
