//! The process and its computer: time, signals, files, the standard streams. Nothing of the network.

pub(crate) mod cbreak;
pub(crate) mod clock;
pub(crate) mod environment;
pub(crate) mod event_loop;
pub(crate) mod failure;
pub(crate) mod files;
pub(crate) mod identity;
pub(crate) mod logged;
pub(crate) mod logging;
pub(crate) mod notify;
pub(crate) mod output;
pub(crate) mod peers;
pub(crate) mod shell;
pub(crate) mod shown;
pub(crate) mod signals;
pub(crate) mod splitter;
pub(crate) mod state;
pub(crate) mod stdin;
pub(crate) mod stdio;
pub(crate) mod trusted;
