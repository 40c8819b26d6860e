//! Signals as readiness in the one poll.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::{Interest, Registry, Token};
use rustix::fs::OFlags;
use signal_hook::consts::{
    SIGABRT, SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGSYS, SIGTERM, SIGTRAP,
    SIGTSTP, SIGUSR1, SIGUSR2, SIGVTALRM, SIGWINCH, SIGXCPU, SIGXFSZ,
};
use signal_hook::{flag, low_level};
use signal_hook_mio::v1_0::Signals as Source;

/// A signal: somebody wants the program to end, or its terminal is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// Somebody asks us to end.
    Terminate,
    /// The terminal is gone.
    Hangup,
    /// The terminal has another size.
    Resize,
    /// Somebody wants the terminal for something else.
    Suspend,
    /// The terminal is ours again.
    Continue,
    /// One of [`others`]: it would end the program at once, and means no more than that it is to end.
    Other(i32),
}

/// What ends a program everywhere, beside the signals above. Those of a fault (SIGSEGV, SIGBUS,
/// SIGILL, SIGFPE) are not watched for: what raised one would raise it again.
const USUAL: [i32; 11] = [
    SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, SIGIO, SIGABRT, SIGTRAP,
    SIGSYS,
];

/// What else does on Linux: no power, no coprocessor, and the real-time signals that the C library
/// does not keep for itself.
#[cfg(target_os = "linux")]
fn special() -> impl Iterator<Item = i32> {
    let first = if cfg!(target_env = "musl") { 35 } else { 34 };
    let power = rustix::process::Signal::POWER.as_raw();
    #[cfg(not(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64")))]
    let fault = Some(rustix::process::Signal::STKFLT.as_raw());
    #[cfg(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64"))]
    let fault = None;
    [power].into_iter().chain(fault).chain(first..=64)
}

#[cfg(not(target_os = "linux"))]
fn special() -> impl Iterator<Item = i32> {
    core::iter::empty()
}

/// What else ends a program that does not watch for it, and can be watched for. Nobody sends these by
/// mistake but somebody who tries, and a terminal and a room are to be left all the same.
pub(crate) fn others() -> impl Iterator<Item = Signal> {
    USUAL.into_iter().chain(special()).map(Signal::Other)
}

impl Signal {
    const fn number(self) -> i32 {
        match self {
            Self::Interrupt => SIGINT,
            Self::Terminate => SIGTERM,
            Self::Hangup => SIGHUP,
            Self::Resize => SIGWINCH,
            Self::Suspend => SIGTSTP,
            Self::Continue => SIGCONT,
            Self::Other(number) => number,
        }
    }
}

/// The signals that are watched for.
pub(crate) struct Signals {
    source: Source,
    watched: Vec<Signal>,
    /// The signals do what they always do: while a question blocks, nobody reads the poll.
    by_default: Arc<AtomicBool>,
}

impl Signals {
    /// Watches for signals, except those that whoever started us wants ignored (`nohup`, `&`).
    pub(crate) fn watch(wanted: &[Signal], registry: &Registry, token: Token) -> io::Result<Self> {
        let ignored = ignored();
        let is_ignored = |signal: Signal| ignored >> (signal.number() - 1) & 1 == 1;
        let watched: Vec<Signal> =
            wanted.iter().copied().filter(|&signal| !is_ignored(signal)).collect();
        let by_default = Arc::new(AtomicBool::new(false));
        for signal in &watched {
            let (number, by_default) = (signal.number(), Arc::clone(&by_default));
            if is_emulated(*signal) {
                flag::register_conditional_default(number, by_default)?;
            } else {
                flag::register_conditional_shutdown(number, status(*signal).into(), by_default)?;
            }
        }
        let mut source = Source::new(watched.iter().map(|signal| signal.number()))?;
        registry.register(&mut source, token, Interest::READABLE)?;
        Ok(Self { source, watched, by_default })
    }

    /// Hands out what arrived.
    pub(crate) fn take(&mut self, mut take: impl FnMut(Signal)) {
        for number in self.source.pending() {
            if let Some(&signal) = self.watched.iter().find(|signal| signal.number() == number) {
                take(signal);
            }
        }
    }

    /// Runs something that blocks, during which a signal ends the process the usual way.
    pub(crate) fn by_default<T>(&self, block: impl FnOnce() -> T) -> T {
        self.by_default.store(true, Ordering::SeqCst);
        let result = block();
        self.by_default.store(false, Ordering::SeqCst);
        result
    }
}

/// The exit status of a program that a signal ended, as a shell has it.
pub(crate) fn status(signal: Signal) -> u8 {
    u8::try_from(128 + signal.number()).unwrap_or(u8::MAX)
}

/// Whether there is somebody to do what the signal does where nobody watches for it. Of the others
/// all that is known is that they end the program.
fn is_emulated(signal: Signal) -> bool {
    signal != Signal::Other(SIGIO) && low_level::signal_name(signal.number()).is_some()
}

/// Does what the signal does where nobody watches for it.
pub(crate) fn obey(signal: Signal) {
    if !is_emulated(signal) {
        low_level::exit(status(signal).into());
    }
    if let Err(error) = low_level::emulate_default_handler(signal.number()) {
        log::debug!("{signal:?} does nothing: {error}");
    }
}

/// Has a file that may grow no more (`ulimit -f`) fail like a full disk: the signal that comes with it
/// would end the process.
///
/// # Errors
///
/// When no handler can be installed.
pub fn outlive_file_limits() -> io::Result<()> {
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(|_| ())
}

/// Whether a terminal controls this process. One that goes takes the answer with it, so it is to be
/// asked at the beginning.
pub(crate) fn has_terminal() -> bool {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open("/dev/tty").is_ok()
}

/// Whether a shell is there that gets the terminal back and continues us: it has a process group of
/// its own. In the group that leads the session nobody would.
pub(crate) fn can_stop() -> bool {
    let session = rustix::process::getsid(None);
    session.is_ok_and(|session| session != rustix::process::getpgrp())
}

/// Stops the whole process group, as the terminal's driver would, until somebody continues it: the
/// shell waits for the one that it started, which may not be us.
pub(crate) fn stop() -> io::Result<()> {
    Ok(rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?)
}

/// The set of ignored signals, one bit each. Only Linux tells; elsewhere none are known.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
