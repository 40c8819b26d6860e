//! Standard output and standard error, behind a queue that never makes the network wait.
//!
//! A reader that stalls (a terminal that is scrolled back, a pager, a full pipe) stalls this queue
//! and nothing else. Once it is full, further lines are dropped whole and counted, and the count is
//! told when the reader moves again. A reader that is gone ends the queue.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// How much may wait.
const QUEUE_MAX: usize = 1 << 20;
/// What a pipe that is writable takes without blocking (POSIX has 512, Linux a page).
const PIPE_BUF: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };
/// How many writes one turn of the loop may take.
const WRITES_MAX: usize = 32;

/// A bounded queue of lines in front of a file descriptor.
#[derive(Debug)]
pub(crate) struct Output {
    fd: OwnedFd,
    /// `None` for a regular file, or another thing that epoll refuses: it is written directly.
    registry: Option<Registry>,
    queue: VecDeque<u8>,
    /// More can be written without waiting for the poll.
    ready: bool,
    /// Lines that did not fit since the last report.
    dropped: u64,
    gone: Option<Errno>,
}

impl Output {
    /// A queue in front of a copy of `fd`.
    pub(crate) fn new(fd: BorrowedFd<'_>, registry: &Registry, token: Token) -> io::Result<Self> {
        let fd = reopened(fd).map_or_else(|| fd.try_clone_to_owned(), Ok)?;
        let registered =
            registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::WRITABLE);
        let registry = match registered {
            Ok(()) => Some(registry.try_clone()?),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
            Err(error) => return Err(error),
        };
        Ok(Self { fd, registry, queue: VecDeque::new(), ready: false, dropped: 0, gone: None })
    }

    /// Queues whole lines, or drops them. While some were dropped and not reported, all are: what a
    /// reader sees has one gap of a known size, not many.
    pub(crate) fn push(&mut self, lines: &str) {
        if self.gone.is_some() || lines.is_empty() {
            return;
        }
        if self.dropped > 0 || self.queue.len() + lines.len() > QUEUE_MAX {
            self.dropped += lines.bytes().filter(|&byte| byte == b'\n').count() as u64;
            return;
        }
        self.queue.extend(lines.as_bytes());
        self.ready = true;
    }

    /// The poll says that something can be written, or that the reader is gone.
    pub(crate) fn note_ready(&mut self, closed: bool) {
        self.ready = !self.queue.is_empty();
        if closed {
            self.gone.get_or_insert(Errno::PIPE);
        }
    }

    /// Whether there is something to do without waiting for the poll.
    pub(crate) const fn ready(&self) -> bool {
        self.ready
    }

    /// Whether all that was queued is written, or never will be.
    pub(crate) fn drained(&self) -> bool {
        self.queue.is_empty() || self.gone.is_some()
    }

    /// More than half of what may wait does: whoever it comes from is to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.gone.is_none() && self.queue.len() > QUEUE_MAX / 2
    }

    /// Less than a quarter of it does.
    pub(crate) fn has_room(&self) -> bool {
        self.gone.is_some() || self.queue.len() < QUEUE_MAX / 4
    }

    /// Why nothing can be written any more.
    pub(crate) const fn gone(&self) -> Option<Errno> {
        self.gone
    }

    /// How many lines were dropped, once the reader has moved on far enough to be told.
    pub(crate) fn take_dropped(&mut self) -> Option<u64> {
        if self.dropped == 0 || self.queue.len() > QUEUE_MAX / 2 {
            return None;
        }
        Some(core::mem::take(&mut self.dropped))
    }

    /// Writes what can be written without waiting, up to a budget.
    pub(crate) fn flush(&mut self) {
        for _ in 0..WRITES_MAX {
            if self.drained() {
                self.queue.clear();
                self.ready = false;
                return;
            }
            // The poll's word is not enough: the other queue may have filled the same pipe since.
            let direct = self.registry.is_none();
            if !direct && !writable(self.fd.as_fd()) {
                self.ready = false;
                return;
            }
            let (front, _) = self.queue.as_slices();
            let len = if direct { front.len() } else { front.len().min(PIPE_BUF) };
            match rustix::io::write(&self.fd, &front[..len]) {
                Ok(written) => drop(self.queue.drain(..written)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.ready = false;
                    return;
                }
                Err(error) => self.gone = Some(error),
            }
        }
    }
}

impl Drop for Output {
    /// Closing a descriptor does not take it out of epoll while another one shares its description.
    fn drop(&mut self) {
        if let Some(registry) = &self.registry {
            let _ = registry.deregister(&mut SourceFd(&self.fd.as_raw_fd()));
        }
    }
}

/// A terminal is opened anew: even a writable one may block in the middle of a write when it is
/// stopped, and the flag that prevents it must not be set on what the shell shares.
fn reopened(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    if !rustix::termios::isatty(fd) {
        return None;
    }
    let path = rustix::termios::ttyname(fd, Vec::new()).ok()?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path.to_str().ok()?);
    file.ok().map(OwnedFd::from)
}

fn writable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    let at_once = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
    // An error of the descriptor counts as writable: the write will say which one it is.
    rustix::event::poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read};
    use std::os::fd::AsFd;
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;

    fn piped(poll: &Poll) -> (PipeReader, Output) {
        let (reader, writer) = io::pipe().unwrap();
        let output = Output::new(writer.as_fd(), poll.registry(), Token(0)).unwrap();
        (reader, output)
    }

    /// Waits for the poll, writes, and reads, until `len` bytes arrived.
    fn pump(poll: &mut Poll, reader: &mut PipeReader, output: &mut Output, len: usize) -> Vec<u8> {
        let mut events = Events::with_capacity(8);
        let mut seen = vec![0; len];
        let mut got = 0;
        output.flush();
        while got < len {
            got += reader.read(&mut seen[got..]).unwrap();
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            if !events.is_empty() {
                output.note_ready(false);
            }
            if output.ready() {
                output.flush();
            }
        }
        seen
    }

    #[test]
    fn a_stalled_reader_costs_lines_but_never_blocks() {
        let mut poll = Poll::new().unwrap();
        let (mut reader, mut output) = piped(&poll);
        let line = format!("{}\n", "x".repeat(99));
        for _ in 0..20_000 {
            output.push(&line);
            output.flush();
        }
        assert!(!output.ready(), "there is nothing to do but wait");
        assert_eq!(output.take_dropped(), None, "not before the reader moves");
        let kept = output.queue.len();
        assert!(kept <= QUEUE_MAX);

        let seen = pump(&mut poll, &mut reader, &mut output, kept);
        assert!(seen.chunks(100).all(|chunk| chunk == line.as_bytes()), "whole lines only");
        let dropped = output.take_dropped().unwrap();
        assert!(dropped > 0 && output.take_dropped().is_none());
        // What is still in the pipe makes up the difference.
        let rest = (20_000 - dropped as usize) * 100 - kept;
        pump(&mut poll, &mut reader, &mut output, rest);
        assert!(output.drained());
        output.push(&line);
        assert_eq!(pump(&mut poll, &mut reader, &mut output, 100), line.as_bytes());
    }

    #[test]
    fn a_reader_that_is_gone_is_told_by_the_poll() {
        let mut poll = Poll::new().unwrap();
        let (reader, mut output) = piped(&poll);
        drop(reader);
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
        assert!(events.iter().any(|event| event.is_error() || event.is_write_closed()));
        output.push("to nobody\n");
        output.flush();
        assert_eq!(output.gone(), Some(Errno::PIPE));
        assert!(output.drained());
    }

    #[test]
    fn files_are_written_directly() {
        let poll = Poll::new().unwrap();
        let full = OpenOptions::new().write(true).open("/dev/null").unwrap();
        let mut output = Output::new(full.as_fd(), poll.registry(), Token(0)).unwrap();
        output.push(&"line\n".repeat(100_000));
        output.flush();
        assert!(output.drained() && output.gone().is_none());
    }
}
