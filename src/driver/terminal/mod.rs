//! The screen: a person at a terminal, under the same poll as the network.
//!
//! | file | idea |
//! |---|---|
//! | `screen` | the seat that is all of this |
//! | `tty` | the terminal: opened anew, raw, never waited for, given back as it was |
//! | `picture` | everything else, without a terminal: bytes and events in, bytes out |
//! | `decoder` | bytes as keys |
//! | `view`, `keys`, `want` | the model: what happened, what is typed, what each key does; what only the driver can do |
//! | `page`, `viewport` | what can be read, in rows; which rows are on the screen |
//! | `scrollback` | what is kept of what was said |
//! | `drafting`, `editor`, `recall` | letters and pastes that come to the draft; the draft; earlier input |
//! | `commands`, `settings`, `kept` | slash commands; what they set; what of it is kept |
//! | `complete`, `popup` | Tab; what can be chosen, above the draft |
//! | `sentence`, `help` | sentences that begin while somebody reads back; what signs, commands and keys mean |
//! | `submit`, `resend` | what becomes of a line that was typed; saying again what did not arrive |
//! | `wrap`, `links` | text in rows; addresses in it |
//! | `draw`, `theme`, `canvas` | where everything is; how it looks; the fewest bytes that show it |
//! | `plainly` | what was said as lines to be selected with the mouse |
//! | `row` | a line that is typed where there is no screen |
//! | `alert`, `invite` | bell and notification; how others join, to be copied |
//!
//! Data flows one way: bytes → keys → model → frame → bytes. A frame is drawn when something
//! changed, the last one is written, and 15 ms have passed; so a terminal that stands still costs
//! one frame in a queue, and nothing waits for it.

pub(crate) mod alert;
mod canvas;
pub(crate) mod commands;
mod complete;
pub(crate) mod decoder;
mod detail;
mod drafting;
mod draw;
mod editor;
pub(crate) mod help;
mod invite;
pub(crate) mod kept;
mod keys;
pub(crate) mod links;
mod page;
pub(crate) mod picture;
mod plainly;
mod popup;
mod recall;
mod resend;
pub(crate) mod row;
pub(crate) mod screen;
mod scrollback;
mod sentence;
pub(crate) mod settings;
mod submit;
#[cfg(test)]
mod tests;
pub(crate) mod theme;
pub(crate) mod tty;
pub(crate) mod view;
mod viewport;
pub(crate) mod want;
pub(crate) mod wrap;
