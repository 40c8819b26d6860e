//! Why somebody does not get in, or not well: from what was found to a cause, one sentence that names it,
//! and one that says what to do.
//!
//! What was found is [`Evidence`] about each address that was asked: its answers, what the network and the
//! system said, and how long it took. It is put together by who asked; nothing here asks anybody. Every
//! sentence stands here once: the reports of a join that failed, `chatrpc doctor` and `/doctor` have theirs
//! from here.
//!
//! What this does not tell: why a filter drops what it drops, where on the way something is lost, and what
//! nobody measured.

mod cause;
mod evidence;
mod reason;
mod room;
mod sentence;
#[cfg(test)]
mod tests;

pub use cause::{Advice, Cause, Finding, Gravity};
pub use evidence::{Answer, Evidence, Examined, Local, Reach, Said, System, TIMES_MAX, Tally};
pub use reason::{Case, findings};
pub use room::{Bond, Checkup, Link, checkup};
pub use sentence::{
    COME_IN, cannot_listen, full, names_silent, nobody_listens, not_chatrpc, silent, system,
    unresolved, version, why,
};
