//! The terminal itself: opened anew, raw, never waited for, and given back as it was.
//!
//! Our descriptor has its own description, so that what we set on it is not set on the shell's.
//! Whatever ends the program (a key, a signal, a panic), the terminal gets [`LEAVE`] and the modes
//! it had before. It is never asked anything: its size comes from the kernel.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// The title of the window kept, alternate screen, reports of focus, marked pastes, arrow keys for the wheel, no guessing of the
/// direction of a line from what stands in it (VTE), and no wrapping: what is wider on the terminal
/// than here stays in its row.
const ENTER: &str = "\x1b[22;2t\x1b[?1049h\x1b[?1004h\x1b[?2004h\x1b[?1007h\x1b[?2501l\x1b[?7l";
/// Everything back, in the other order, whatever was on.
const LEAVE: &str = "\x1b[?2026l\x1b[0m\x1b]8;;\x1b\\\x1b[?1000l\x1b[?1006l\x1b[?7h\x1b[?2501h\
                     \x1b[?1007l\x1b[?2004l\x1b[?1004l\x1b[?25h\x1b[?1049l\x1b[23;2t";
/// Ends a control sequence that was cut off.
const CANCEL: &str = "\x18";
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1000l\x1b[?1006l";

/// How long leaving may wait for a terminal that stands still.
const LEAVE_WAIT: Duration = Duration::from_millis(100);
/// How much is read in one turn of the loop, bytes.
const READ_MAX: usize = 4096;

/// A terminal in raw mode, with a queue of what is to be written.
#[derive(Debug)]
pub(crate) struct Tty {
    screen: Arc<Restore>,
    registry: Registry,
    queue: Vec<u8>,
    /// How much of the queue is written.
    sent: usize,
    readable: bool,
    writable: bool,
    mouse: bool,
    gone: Option<Errno>,
}

/// What it takes to give the terminal back; a panic does it from wherever it happens.
#[derive(Debug)]
struct Restore {
    fd: OwnedFd,
    before: Termios,
    entered: AtomicBool,
    stderr: Mutex<Option<Redirected>>,
}

/// Standard error, and the file that takes its place while the terminal is ours.
#[derive(Debug)]
struct Redirected {
    before: OwnedFd,
    file: OwnedFd,
}

impl Restore {
    /// Writes `rest` and gives the terminal back, once.
    fn leave(&self, rest: &[u8]) {
        if !self.entered.swap(false, Ordering::SeqCst) {
            return;
        }
        let cut_off = write_all(&self.fd, rest, LEAVE_WAIT).is_err();
        let last = if cut_off { [CANCEL, LEAVE].concat() } else { LEAVE.to_owned() };
        // A terminal that takes nothing, or is gone, cannot be helped.
        let _ = write_all(&self.fd, last.as_bytes(), LEAVE_WAIT);
        let _ = tcsetattr(&self.fd, OptionalActions::Now, &self.before);
        self.redirect(|stderr| &stderr.before);
    }

    /// Has standard error written elsewhere, if it ever is.
    fn redirect(&self, to: impl Fn(&Redirected) -> &OwnedFd) {
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stderr) = &*stderr {
            let _ = rustix::stdio::dup2_stderr(to(stderr));
        }
    }
}

impl Tty {
    /// Opens the terminal of standard input, and changes nothing yet.
    pub(crate) fn open(registry: &Registry, token: Token) -> io::Result<Self> {
        Self::over(open()?, registry, token)
    }

    fn over(fd: OwnedFd, registry: &Registry, token: Token) -> io::Result<Self> {
        let before = tcgetattr(&fd)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, interest)?;
        let (entered, stderr) = (AtomicBool::new(false), Mutex::new(None));
        let screen = Arc::new(Restore { fd, before, entered, stderr });
        // A name that was refused opens another screen: the hook must not keep this one open.
        let on_panic = Arc::downgrade(&screen);
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            if let Some(screen) = on_panic.upgrade() {
                screen.leave(b"");
            }
            tell(what);
        }));
        Ok(Self {
            screen,
            registry: registry.try_clone()?,
            queue: Vec::new(),
            sent: 0,
            readable: true,
            writable: true,
            mouse: false,
            gone: None,
        })
    }

    /// Takes the terminal over, also when somebody else has changed it since.
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        let mut raw = self.screen.before.clone();
        raw.make_raw();
        tcsetattr(&self.screen.fd, OptionalActions::Now, &raw)?;
        self.screen.entered.store(true, Ordering::SeqCst);
        self.screen.redirect(|stderr| &stderr.file);
        self.queue.extend_from_slice(ENTER.as_bytes());
        if self.mouse {
            self.queue.extend_from_slice(MOUSE_ON.as_bytes());
        }
        self.readable = true;
        Ok(())
    }

    /// Has standard error written to a file while the terminal is ours.
    pub(crate) fn set_stderr(&self, file: OwnedFd) -> io::Result<()> {
        let before = rustix::io::dup(rustix::stdio::stderr())?;
        let mut stderr = self.screen.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        *stderr = Some(Redirected { before, file });
        Ok(())
    }

    /// Gives the terminal back.
    pub(crate) fn leave(&mut self) {
        self.screen.leave(&self.queue[self.sent..]);
        self.queue.clear();
        self.sent = 0;
    }

    /// Columns and rows; 80 and 24 where nobody knows.
    pub(crate) fn size(&self) -> (u16, u16) {
        match tcgetwinsize(&self.screen.fd) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => (80, 24),
        }
    }

    /// Has the mouse reported, or not.
    pub(crate) fn set_mouse(&mut self, on: bool) {
        self.mouse = on;
        if self.screen.entered.load(Ordering::SeqCst) {
            let sequence = if on { MOUSE_ON } else { MOUSE_OFF };
            self.queue.extend_from_slice(sequence.as_bytes());
        }
    }

    /// The poll says that something can be read or written.
    pub(crate) fn note_ready(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.writable |= writable;
    }

    /// Whether there is something to do without waiting for the poll.
    pub(crate) fn has_work(&self) -> bool {
        self.gone.is_none() && (self.readable || (self.writable && !self.drained()))
    }

    /// Whether all that was queued is written, or never will be.
    pub(crate) fn drained(&self) -> bool {
        self.sent == self.queue.len() || self.gone.is_some()
    }

    /// Why there is no terminal any more.
    pub(crate) const fn gone(&self) -> Option<Errno> {
        self.gone
    }

    /// The queue of what is to be written. Whole frames go in, whatever the terminal takes.
    pub(crate) const fn queue(&mut self) -> &mut Vec<u8> {
        &mut self.queue
    }

    /// Hands out what was typed, as much as one turn of the loop may take.
    pub(crate) fn read(&mut self, take: impl FnOnce(&[u8])) {
        if !self.readable || self.gone.is_some() {
            return;
        }
        let mut bytes = [0; READ_MAX];
        match rustix::io::read(&self.screen.fd, &mut bytes) {
            Ok(0) => self.gone = Some(Errno::IO),
            Ok(len) => take(&bytes[..len]),
            Err(Errno::AGAIN) => self.readable = false,
            Err(Errno::INTR) => {}
            Err(error) => self.gone = Some(error),
        }
    }

    /// Writes what the terminal takes.
    pub(crate) fn flush(&mut self) {
        while self.writable && !self.drained() {
            match rustix::io::write(&self.screen.fd, &self.queue[self.sent..]) {
                Ok(len) => self.sent += len,
                Err(Errno::AGAIN) => self.writable = false,
                Err(Errno::INTR) => {}
                Err(error) => self.gone = Some(error),
            }
        }
        if self.drained() {
            self.queue.clear();
            self.sent = 0;
        }
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.leave();
        let _ = self.registry.deregister(&mut SourceFd(&self.screen.fd.as_raw_fd()));
    }
}

/// The terminal of standard input by its name; the controlling one where it has none.
fn open() -> io::Result<OwnedFd> {
    let name = rustix::termios::ttyname(rustix::stdio::stdin(), Vec::new()).ok();
    let name = name.and_then(|name| name.into_string().ok()).map(PathBuf::from);
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let open = |path: &Path| {
        let flags = flags.bits().cast_signed();
        OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
    };
    let opened = match name.as_deref().map(open) {
        Some(Ok(file)) => Ok(file),
        _ => open(Path::new("/dev/tty")),
    };
    opened.map(OwnedFd::from)
}

/// Writes everything, waiting for at most `patience` in all.
fn write_all(fd: &OwnedFd, mut bytes: &[u8], patience: Duration) -> Result<(), Errno> {
    let tries = u32::try_from(patience.as_millis() / 10).unwrap_or(0);
    let mut left = tries;
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if left > 0 => {
                left -= 1;
                let mut fds = [PollFd::new(fd, PollFlags::OUT)];
                let wait = rustix::time::Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
                let _ = rustix::event::poll(&mut fds, Some(&wait));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the screen can be used at all: both ends are terminals, and not dumb ones.
pub(crate) fn possible() -> bool {
    let is_tty = |fd: rustix::fd::BorrowedFd<'_>| rustix::termios::isatty(fd.as_fd());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    is_tty(rustix::stdio::stdin()) && is_tty(rustix::stdio::stdout()) && !dumb
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use mio::Poll;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::LocalModes;

    use super::*;

    /// Both ends of a terminal of our own.
    fn pair() -> (File, OwnedFd) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let slave = OpenOptions::new().read(true).write(true).custom_flags(flags).open(name);
        (master.into(), slave.unwrap().into())
    }

    fn seen(master: &mut File) -> String {
        let mut bytes = [0; 4096];
        let len = master.read(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    }

    #[test]
    fn a_panic_gives_the_terminal_back() {
        let poll = Poll::new().unwrap();
        let (mut master, slave) = pair();
        let mut tty = Tty::over(slave.try_clone().unwrap(), poll.registry(), Token(0)).unwrap();
        assert!(tcgetattr(&slave).unwrap().local_modes.contains(LocalModes::ICANON));
        tty.resume().unwrap();
        tty.flush();
        assert_eq!(seen(&mut master), ENTER);
        assert!(!tcgetattr(&slave).unwrap().local_modes.contains(LocalModes::ICANON));
        // Whatever panics, wherever: the hook has what it needs.
        let ended = panic::catch_unwind(|| panic!("a bug, on purpose"));
        assert!(ended.is_err());
        assert_eq!(seen(&mut master), LEAVE);
        assert!(tcgetattr(&slave).unwrap().local_modes.contains(LocalModes::ICANON));
        tty.leave();
        tty.queue().extend_from_slice(b"once");
        tty.flush();
        assert_eq!(seen(&mut master), "once", "it is given back once");
    }

    #[test]
    fn what_is_cut_off_is_cancelled() {
        let poll = Poll::new().unwrap();
        let (mut master, slave) = pair();
        let mut tty = Tty::over(slave, poll.registry(), Token(0)).unwrap();
        tty.resume().unwrap();
        // More than the terminal takes while nobody reads it.
        let frame = b"\x1b[1;1Hx".repeat(100_000);
        tty.queue().extend_from_slice(&frame);
        tty.flush();
        assert!(!tty.drained());
        let reader = std::thread::spawn(move || {
            let mut all = String::new();
            while !all.ends_with(LEAVE) {
                all += &seen(&mut master);
                // Slower than the patience of who leaves.
                std::thread::sleep(Duration::from_millis(20));
            }
            all
        });
        tty.leave();
        let all = reader.join().unwrap();
        assert!(all.ends_with(&format!("{CANCEL}{LEAVE}")));
    }
}
