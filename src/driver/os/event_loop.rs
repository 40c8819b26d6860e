//! The loop that every command runs in, and what a process has one of.
//!
//! One turn ([`run`]):
//!
//! 1. Read the sockets, up to a budget, and give every datagram to its machine.
//! 2. Tick the machines whose deadline has come. In this order: a reply that arrived in time but
//!    was not read yet must not count as one that did not arrive.
//! 3. Read a little of what is typed or piped in; write a little of what is to be seen.
//! 4. Sleep until something is ready or the earliest deadline comes; without work, there are no
//!    wake-ups and no ticks.
//!
//! Nothing in a turn blocks: not a terminal that stands still, not a full pipe, not a socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Token, Waker};

use crate::driver::os::clock::Clock;
use crate::driver::os::signals::{self, Signal, Signals};
use crate::machine::Time;

pub(crate) const SIGNALS: Token = Token(0);
pub(crate) const PEER: Token = Token(1);
pub(crate) const NODESET: Token = Token(2);
pub(crate) const PROBE: Token = Token(3);
pub(crate) const STDIN: Token = Token(4);
pub(crate) const STDOUT: Token = Token(5);
pub(crate) const STDERR: Token = Token(6);
pub(crate) const TTY: Token = Token(7);
pub(crate) const LOOKUP: Token = Token(8);
pub(crate) const ADDRESSES: Token = Token(9);
pub(crate) const HAILS: Token = Token(10);

/// What one process has one of.
pub(crate) struct World {
    pub(crate) poll: Poll,
    pub(crate) signals: Signals,
    pub(crate) clock: Clock,
    /// What a thread that looks something up wakes the loop with: a poll has one.
    pub(crate) waker: Arc<Waker>,
    /// A terminal controls us, whose end is ours.
    pub(crate) has_terminal: bool,
}

impl World {
    pub(crate) fn new(watched: &[Signal]) -> io::Result<Self> {
        let poll = Poll::new()?;
        let signals = Signals::watch(watched, poll.registry(), SIGNALS)?;
        let waker = Arc::new(Waker::new(poll.registry(), LOOKUP)?);
        let has_terminal = signals::has_terminal();
        Ok(Self { poll, signals, clock: Clock::start(), waker, has_terminal })
    }
}

/// What the loop drives: the machines of one command, and who is in front of them.
pub(crate) trait Program {
    /// The poll says that a source is ready. To be remembered, not acted upon.
    fn note_ready(&mut self, event: &Event);

    /// A signal arrived.
    fn signal(&mut self, signal: Signal);

    /// One turn: sockets, deadlines, local input and output.
    fn turn(&mut self);

    /// Whether there is something to do without waiting.
    fn has_work(&self) -> bool;

    /// When the next turn is due at the latest.
    fn wake(&self) -> Option<Time>;

    /// The exit status, once everything is done.
    fn status(&self) -> Option<u8>;
}

/// Runs a program until it has a status.
pub(crate) fn run(world: &mut World, program: &mut impl Program) -> io::Result<u8> {
    let mut events = Events::with_capacity(64);
    loop {
        program.turn();
        if let Some(status) = program.status() {
            return Ok(status);
        }
        let timeout = if program.has_work() {
            Some(Duration::ZERO)
        } else {
            program.wake().map(|at| at.since(world.clock.now()))
        };
        match world.poll.poll(&mut events, timeout) {
            Ok(()) => {}
            // A signal; its own readiness follows.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        for event in &events {
            if event.token() == SIGNALS {
                world.signals.take(|signal| program.signal(signal));
            } else {
                program.note_ready(event);
            }
        }
    }
}
