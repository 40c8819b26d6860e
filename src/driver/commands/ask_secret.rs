//! Asks the person at the terminal for a secret, which nobody reads over their shoulder.
//!
//! What is typed is not shown, and whatever ends the question (an answer, a key, a signal), the terminal
//! is as it was before. Only one line is taken: what follows it belongs to the chat.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::driver::os::event_loop::{STDIN, World};
use crate::driver::os::signals::{self, Signal};

/// The longest answer that is listened to, bytes. A secret is far shorter.
const LINE_MAX: usize = 256;

/// A terminal that does not show what is typed, until it is dropped.
struct Hidden<'a> {
    fd: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Hidden<'a> {
    fn new(fd: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(fd)?;
        let mut hidden = before.clone();
        // Keys come one by one, and those that stop a program come as keys: it has to tidy up first.
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(fd, OptionalActions::Now, &hidden)?;
        Ok(Self { fd, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.fd, OptionalActions::Now, &self.before);
    }
}

/// What a key does to an answer.
enum Answer {
    /// More may come.
    Open,
    Given,
    /// There is none.
    None,
    Interrupted,
}

/// Asks until `read` can make something of the answer; `None` when there is none. Between two questions
/// the terminal stays as it is: what is typed ahead is not shown either.
pub(crate) fn secret<T, E: core::fmt::Display>(
    world: &mut World,
    label: &str,
    read: impl Fn(&[u8]) -> Result<T, E>,
) -> io::Result<Option<T>> {
    let fd = rustix::stdio::stdin();
    let registry = world.poll.registry().try_clone()?;
    registry.register(&mut SourceFd(&fd.as_raw_fd()), STDIN, Interest::READABLE)?;
    let hidden = Hidden::new(fd)?;
    let tell = |what: &str| drop(io::stderr().write_all(what.as_bytes()));
    let ended = loop {
        tell(label);
        let mut line = Zeroizing::new(Vec::with_capacity(LINE_MAX));
        let given = listen(world, fd, &mut line);
        tell("\n");
        match given {
            Ok(Ok(true)) => match read(&line) {
                Ok(made) => break Ok(Ok(Some(made))),
                Err(error) => tell(&format!("{error}\n")),
            },
            Ok(Ok(false)) => break Ok(Ok(None)),
            Ok(Err(signal)) => break Ok(Err(signal)),
            Err(error) => break Err(error),
        }
    };
    drop(hidden);
    registry.deregister(&mut SourceFd(&fd.as_raw_fd()))?;
    ended?.or_else(|signal| {
        signals::obey(signal);
        Ok(None)
    })
}

/// Takes keys until there is an answer, or none, or a signal.
fn listen(
    world: &mut World,
    fd: BorrowedFd<'_>,
    line: &mut Vec<u8>,
) -> io::Result<Result<bool, Signal>> {
    let mut events = Events::with_capacity(8);
    loop {
        // What came with the answer before was told then.
        let wait = waits(fd).then_some(Duration::ZERO);
        match world.poll.poll(&mut events, wait) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let mut caught = None;
        world.signals.take(|signal| {
            if !matches!(signal, Signal::Resize | Signal::Suspend | Signal::Continue) {
                caught = Some(signal);
            }
        });
        if let Some(signal) = caught {
            return Ok(Err(signal));
        }
        while waits(fd) {
            let mut byte = [0];
            match rustix::io::read(fd, &mut byte) {
                Ok(0) => return Ok(Ok(!line.is_empty())),
                Ok(_) => match key(byte[0], line) {
                    Answer::Open => {}
                    Answer::Given => return Ok(Ok(true)),
                    Answer::None => return Ok(Ok(false)),
                    Answer::Interrupted => return Ok(Err(Signal::Interrupt)),
                },
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Whether a read does not wait.
fn waits(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
}

fn key(byte: u8, line: &mut Vec<u8>) -> Answer {
    match byte {
        b'\r' | b'\n' => return Answer::Given,
        // Ctrl-C, Ctrl-\.
        0x03 | 0x1C => return Answer::Interrupted,
        // Ctrl-D.
        0x04 if line.is_empty() => return Answer::None,
        0x08 | 0x7F => drop(line.pop()),
        // Ctrl-U.
        0x15 => line.clear(),
        b' '.. if line.len() < LINE_MAX => line.push(byte),
        _ => {}
    }
    Answer::Open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_can_be_mended() {
        let mut line = Vec::new();
        for &byte in b"wrong\x15seccr\x7f\x7fret\x1b" {
            assert!(matches!(key(byte, &mut line), Answer::Open));
        }
        assert_eq!(line, b"secret");
        assert!(matches!(key(0x04, &mut line), Answer::Open), "there is an answer");
        assert!(matches!(key(b'\r', &mut line), Answer::Given));
        assert!(matches!(key(0x03, &mut line), Answer::Interrupted));
        assert!((0..1000).all(|_| matches!(key(b'x', &mut line), Answer::Open)));
        assert_eq!(line.len(), LINE_MAX);
        line.clear();
        assert!(matches!(key(0x04, &mut line), Answer::None));
    }
}
