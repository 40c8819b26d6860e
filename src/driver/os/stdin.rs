//! What is typed or piped in.
//!
//! Standard input belongs to whoever started us as much as to us, so it is never made non-blocking.
//! A pipe or a terminal gets one read per readiness, which cannot block, and is then re-armed.
//! Regular files and /dev/null are refused by epoll (EPERM) and are always readable.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::driver::os::splitter::{Piece, Splitter};

/// How much is read in one turn of the loop.
const READ_MAX: usize = 4096;

/// Standard input as a stream of lines.
#[derive(Debug)]
pub(crate) struct Stdin {
    fd: OwnedFd,
    source: Source,
    ready: bool,
    splitter: Splitter,
    /// Why it ended before its end.
    broken: Option<Errno>,
}

/// Whether standard input can be read at all. Reading nothing takes nothing from it, and never waits.
/// A terminal is not tried: for who is in the background that would be a reason to be stopped.
pub(crate) fn check() -> io::Result<()> {
    let fd = rustix::stdio::stdin();
    if !rustix::termios::isatty(fd) {
        rustix::io::read(fd, &mut [0; 0])?;
    }
    Ok(())
}

#[derive(Debug)]
enum Source {
    /// The poll tells when to read.
    Polled {
        registry: Registry,
        token: Token,
    },
    /// There is always something, or the end.
    Always,
    Ended,
}

impl Stdin {
    /// Takes over `fd`, whose lines have at most `line_max` bytes.
    pub(crate) fn new(
        fd: OwnedFd,
        line_max: usize,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let registered =
            registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE);
        let source = match registered {
            Ok(()) => Source::Polled { registry: registry.try_clone()?, token },
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Source::Always,
            Err(error) => return Err(error),
        };
        let ready = matches!(source, Source::Always);
        Ok(Self { fd, source, ready, splitter: Splitter::new(line_max), broken: None })
    }

    /// The poll says that a read will not block.
    pub(crate) const fn note_ready(&mut self) {
        self.ready = true;
    }

    /// Whether there is something to do without waiting for the poll.
    pub(crate) const fn ready(&self) -> bool {
        self.ready
    }

    /// Whether there is something to read, also when the poll has not said so yet.
    pub(crate) fn waits(&self) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        self.ready || poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    /// Whether everything was read. The last line may still have to be taken.
    pub(crate) const fn ended(&self) -> bool {
        matches!(self.source, Source::Ended)
    }

    /// Why what was read is not everything.
    pub(crate) const fn broken(&self) -> Option<Errno> {
        self.broken
    }

    /// The next line that was read.
    pub(crate) fn next_piece(&mut self) -> Option<Piece<'_>> {
        self.splitter.next_piece()
    }

    /// Reads once, if a read will not block. To be called when no line is left.
    pub(crate) fn read(&mut self) {
        let mut bytes = [0; READ_MAX];
        let len = self.read_into(&mut bytes);
        self.splitter.feed(&bytes[..len]);
        if self.ended() {
            self.splitter.end();
        }
    }

    /// Reads once, if a read will not block, what are no lines yet.
    pub(crate) fn read_keys(&mut self, take: impl FnOnce(&[u8])) {
        let mut bytes = [0; READ_MAX];
        let len = self.read_into(&mut bytes);
        if len > 0 {
            take(&bytes[..len]);
        }
    }

    fn read_into(&mut self, bytes: &mut [u8]) -> usize {
        if !self.ready || self.ended() {
            return 0;
        }
        match rustix::io::read(&self.fd, bytes) {
            Ok(0) => self.end(),
            Ok(len) => {
                self.rearm();
                return len;
            }
            Err(Errno::INTR) => {}
            // Somebody who shares it made it non-blocking.
            Err(Errno::AGAIN) => self.rearm(),
            Err(error) => {
                log::debug!("standard input is gone: {error}");
                // Of a terminal that is gone a signal tells.
                self.broken = Some(error).filter(|_| !rustix::termios::isatty(&self.fd));
                self.end();
            }
        }
        0
    }

    /// Asks to be told again. Modifying a registration makes epoll look anew, so a pipe that still
    /// holds something is reported at once.
    fn rearm(&mut self) {
        if let Source::Polled { registry, token } = &self.source {
            let raw = self.fd.as_fd().as_raw_fd();
            match registry.reregister(&mut SourceFd(&raw), *token, Interest::READABLE) {
                Ok(()) => self.ready = false,
                Err(error) => {
                    log::debug!("cannot wait for standard input: {error}");
                    self.broken = error.raw_os_error().map(Errno::from_raw_os_error);
                    self.end();
                }
            }
        }
    }

    /// Nothing more is to be read.
    pub(crate) fn end(&mut self) {
        // A pipe at its end is readable for ever.
        self.deregister();
        self.source = Source::Ended;
        self.ready = false;
    }

    fn deregister(&self) {
        if let Source::Polled { registry, .. } = &self.source {
            let _ = registry.deregister(&mut SourceFd(&self.fd.as_raw_fd()));
        }
    }
}

impl Drop for Stdin {
    /// Closing a descriptor does not take it out of epoll while another one shares its description,
    /// and standard input always has another.
    fn drop(&mut self) {
        self.deregister();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;

    fn lines(stdin: &mut Stdin, poll: &mut Poll) -> Vec<String> {
        let mut events = Events::with_capacity(8);
        let mut lines = Vec::new();
        for _ in 0..100_000 {
            while let Some(piece) = stdin.next_piece() {
                lines.push(format!("{piece:?}"));
            }
            if stdin.ended() {
                return lines;
            }
            if !stdin.ready() {
                poll.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
                assert!(!events.is_empty(), "the pipe was not armed again");
                stdin.note_ready();
            }
            stdin.read();
        }
        panic!("the end was not seen");
    }

    #[test]
    fn files_and_dev_null_are_always_readable() {
        let mut poll = Poll::new().unwrap();
        for path in ["/dev/null", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
            let fd = File::open(path).unwrap().into();
            let mut stdin = Stdin::new(fd, 4096, poll.registry(), Token(0)).unwrap();
            assert!(stdin.ready());
            let text = std::fs::read_to_string(path).unwrap();
            assert_eq!(lines(&mut stdin, &mut poll).len(), text.lines().count());
        }
    }

    #[test]
    fn a_pipe_is_read_whole_without_ever_blocking() {
        let mut poll = Poll::new().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let mut stdin = Stdin::new(reader.into(), 4096, poll.registry(), Token(0)).unwrap();
        stdin.read();
        assert_eq!(stdin.next_piece(), None, "nothing was written: a read would block");
        // More than one read's worth, so that what is left after each read must be told again.
        let text = "a line of some length\n".repeat(2000);
        writer.write_all(text.as_bytes()).unwrap();
        drop(writer);
        assert_eq!(lines(&mut stdin, &mut poll).len(), 2000);
    }

    #[test]
    fn what_cannot_be_read_is_not_at_its_end() {
        let mut poll = Poll::new().unwrap();
        let folder = File::open(env!("CARGO_MANIFEST_DIR")).unwrap();
        let sink = File::options().write(true).open("/dev/null").unwrap();
        for (fd, why) in [(folder, Errno::ISDIR), (sink, Errno::BADF)] {
            let mut stdin = Stdin::new(fd.into(), 4096, poll.registry(), Token(0)).unwrap();
            assert_eq!(lines(&mut stdin, &mut poll), Vec::<String>::new());
            assert_eq!(stdin.broken(), Some(why));
        }
        let nothing = File::open("/dev/null").unwrap();
        let mut stdin = Stdin::new(nothing.into(), 4096, poll.registry(), Token(0)).unwrap();
        lines(&mut stdin, &mut poll);
        assert_eq!(stdin.broken(), None);
    }

    /// A refused name opens the input a second time, on the same pipe; epoll would remember the
    /// first one if it had not been taken out.
    #[test]
    fn an_input_can_be_opened_again() {
        let poll = Poll::new().unwrap();
        let (reader, _writer) = io::pipe().unwrap();
        for _ in 0..2 {
            let fd = reader.as_fd().try_clone_to_owned().unwrap();
            drop(Stdin::new(fd, 4096, poll.registry(), Token(0)).unwrap());
        }
    }
}
