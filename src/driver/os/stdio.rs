//! The three standard streams, where no loop stands in front of them: what is printed once, by a
//! command that does nothing else.
//!
//! A stream that fails is an error with a reason: an empty file where a secret should be is none. A
//! reader that left early has seen enough. Nothing here panics, as `println!` does on a full disk.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};

use crate::driver::os::failure::{Failure, status, unwritable};

/// Prints to standard output.
///
/// # Errors
///
/// When it cannot be written, for any reason but that its reader is gone.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritable(&error)),
        _ => Ok(()),
    }
}

/// Prints to standard error what is the very answer of a command.
///
/// # Errors
///
/// As for [`print()`].
pub fn tell(text: &str) -> Result<(), Failure> {
    match io::stderr().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let what = format!("standard error cannot be written: {error}");
            Err(Failure::new(status::INTERNAL, "output", what))
        }
        _ => Ok(()),
    }
}

/// Prints to standard output what is of no use to anybody where it cannot be seen.
///
/// # Errors
///
/// As for [`print()`], and when standard output is closed.
pub fn deliver(text: &str) -> Result<(), Failure> {
    if is_closed(rustix::stdio::stdout()) {
        return Err(Failure::new(status::INTERNAL, "output", "standard output is closed"));
    }
    print(text)
}

/// Whether a standard stream was closed when the program started. The runtime puts /dev/null in its
/// place before any code of ours, and opens it both ways, as no shell does.
pub(crate) fn is_closed(fd: BorrowedFd<'_>) -> bool {
    let null = stat("/dev/null").map(|null| null.st_rdev);
    let is_null = fstat(fd).map(|file| file.st_rdev) == null;
    is_null && fcntl_getfl(fd).is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDWR)
}
