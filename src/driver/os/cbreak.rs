//! A terminal that hands out each key, and echoes none; signals are still made of keys. Given back as it
//! was when this ends, a panic included.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::fstat;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp,
    tcgetwinsize, tcsetattr,
};

/// Columns of a terminal that does not know.
const COLUMNS: usize = 80;

/// The terminal of standard input, and the modes it had.
#[derive(Debug)]
pub(crate) struct Cbreak {
    fd: OwnedFd,
    before: Termios,
    entered: bool,
}

impl Cbreak {
    /// The terminal of standard input; nothing is changed yet.
    pub(crate) fn new() -> io::Result<Self> {
        let fd = rustix::stdio::stdin().try_clone_to_owned()?;
        let before = tcgetattr(&fd)?;
        Ok(Self { fd, before, entered: false })
    }

    /// Whether keys are handed out one by one.
    pub(crate) const fn entered(&self) -> bool {
        self.entered
    }

    /// Has keys handed out, unless the terminal is somebody else's now.
    pub(crate) fn enter(&mut self) {
        let ours = tcgetpgrp(&self.fd).is_ok_and(|group| group == rustix::process::getpgrp());
        if !ours {
            return;
        }
        let mut modes = self.before.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        match tcsetattr(&self.fd, OptionalActions::Now, &modes) {
            Ok(()) => self.entered = true,
            Err(error) => log::debug!("the terminal keeps its lines to itself: {error}"),
        }
    }

    /// Gives the terminal back.
    pub(crate) fn leave(&mut self) {
        if core::mem::take(&mut self.entered) {
            // A terminal that is gone cannot be helped.
            let _ = tcsetattr(&self.fd, OptionalActions::Now, &self.before);
        }
    }

    /// How wide it is.
    pub(crate) fn columns(&self) -> usize {
        let size = tcgetwinsize(&self.fd);
        size.ok().map(|size| usize::from(size.ws_col)).filter(|&col| col > 0).unwrap_or(COLUMNS)
    }
}

impl Drop for Cbreak {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Whether an output goes to the terminal that standard input is.
pub(crate) fn is_same_terminal(output: impl AsFd) -> bool {
    let (Ok(input), Ok(there)) = (fstat(rustix::stdio::stdin()), fstat(&output)) else {
        return false;
    };
    isatty(&output) && input.st_rdev == there.st_rdev
}
