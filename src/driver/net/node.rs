//! One machine and its socket: the contract of [`crate::machine`], carried out.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use log::{Level, debug, log_enabled};
use mio::{Registry, Token};

use crate::driver::net::lan::{self, Ears};
use crate::driver::net::neighbours::neighbours;
use crate::driver::net::socket::{Buffer, Socket, Trouble};
use crate::driver::net::way::Way;
use crate::driver::os::clock::Clock;
use crate::driver::os::logged::Logged;
use crate::machine::wire::DATAGRAM_MAX;
use crate::machine::{Action, Blame, Event, Exit, Input, Machine, Seed, Time, Wake, drain};

/// The log says no more often than this what was refused: whoever sends junk does not fill it.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What a machine wants somebody to know.
#[derive(Debug)]
pub(crate) enum Told<'a> {
    Event(Event<'a>),
    Exit(Exit),
}

impl Told<'_> {
    /// The same for the log.
    pub(crate) const fn logged(&self) -> Logged<'_> {
        match self {
            Self::Event(event) => Logged::Event(event),
            Self::Exit(exit) => Logged::Exit(exit),
        }
    }
}

/// What went wrong so far, as far as the log is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    blame: Blame,
    trouble: Trouble,
    /// How often the machine wanted to be woken at once.
    unlawful: u64,
}

/// The machine, and what its owner knows of it.
#[derive(Debug)]
struct Owned<M> {
    machine: M,
    exited: bool,
    wake: Option<Wake>,
    unlawful: u64,
}

/// A machine that is connected to the network.
#[derive(Debug)]
pub(crate) struct Node<M> {
    owned: Owned<M>,
    socket: Socket,
    /// What hears that which is sent to everybody on a network.
    ears: Option<Ears>,
    buffer: Box<Buffer>,
    clock: Clock,
    /// Whoever is in front of the machine can be shown no more, and it knows.
    full: bool,
    /// What the log knows of, and when it may be told again.
    told: Tally,
    tell_at: Time,
}

impl<M: Machine> Node<M> {
    pub(crate) fn new(machine: M, socket: Socket, clock: Clock) -> Self {
        Self {
            owned: Owned { wake: machine.next_wake(), machine, exited: false, unlawful: 0 },
            socket,
            ears: None,
            buffer: Box::new([0; DATAGRAM_MAX + 1]),
            clock,
            full: false,
            told: Tally::default(),
            tell_at: Time::ZERO,
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.socket.register(registry, token)
    }

    /// The machine is told of the networks around it, and hears what is sent to everybody there.
    pub(crate) fn listen_around(&mut self, registry: &Registry, token: Token) {
        self.hail_around();
        self.ears = Ears::open(registry, token);
    }

    /// The machine may send to everybody on a network.
    pub(crate) fn hail_around(&self) {
        if let Err(error) = self.socket.reach_networks() {
            debug!("nobody is hailed: {error}");
        }
    }

    /// Reads which networks these are, and who is known there.
    pub(crate) fn look_around(&mut self, mut tell: impl FnMut(Told<'_>) -> bool) {
        let segments = lan::segments(self.socket.local());
        if let Some(ears) = &mut self.ears {
            ears.listen_on(&segments);
        }
        self.feed(Input::Segments(&segments), &mut tell);
        self.feed(Input::Neighbours(&neighbours()), tell);
    }

    /// Gives the machine one input and carries out what follows from it. `tell` says whether it should be
    /// told no more for now.
    pub(crate) fn feed(&mut self, input: Input<'_>, mut tell: impl FnMut(Told<'_>) -> bool) {
        let now = self.clock.now();
        if let Input::Full(full) = input {
            self.full = full;
        }
        self.owned.turn(&mut self.socket, now, input, &mut tell);
    }

    /// One turn: what waits at the socket, and then the deadline, if it has come.
    ///
    /// In this order, because a reply that arrived in time but was not read must not count as one
    /// that did not arrive.
    pub(crate) fn turn(&mut self, mut tell: impl FnMut(Told<'_>) -> bool) {
        if self.socket.readable() || self.hears() || self.due() {
            let Self { owned, socket, ears, buffer, clock, full, .. } = self;
            let mut take = |socket: &mut Socket, input: Input<'_>| {
                let too_much = owned.turn(socket, clock.now(), input, &mut tell);
                if too_much && !core::mem::replace(full, true) {
                    owned.turn(socket, clock.now(), Input::Full(true), &mut tell);
                }
            };
            socket.receive(buffer, |socket, (from, at), bytes| {
                take(socket, Input::Datagram { from, at, bytes });
            });
            if let Some(ears) = ears {
                // It was sent to everybody: to no address of ours.
                ears.socket.receive(buffer, |_, (from, _), bytes| {
                    take(socket, Input::Datagram { from, at: None, bytes });
                });
            }
            self.tell_log();
        }
        if self.due() {
            self.feed(Input::Tick, tell);
        }
    }

    fn due(&self) -> bool {
        self.wake().is_some_and(|at| at <= self.clock.now())
    }

    /// When the machine wants its next turn.
    pub(crate) fn wake(&self) -> Option<Time> {
        if self.owned.exited {
            return None;
        }
        let tell = self.is_untold().then_some(self.tell_at);
        self.owned.wake.map(|wake| wake.at).into_iter().chain(tell).min()
    }

    pub(crate) const fn note_readable(&mut self) {
        self.socket.note_readable();
    }

    /// Something was sent to everybody.
    pub(crate) const fn note_heard(&mut self) {
        if let Some(ears) = &mut self.ears {
            ears.socket.note_readable();
        }
    }

    const fn hears(&self) -> bool {
        match &self.ears {
            Some(ears) => ears.socket.readable(),
            None => false,
        }
    }

    /// Whether a turn is needed although nothing more is announced.
    pub(crate) const fn has_work(&self) -> bool {
        (self.socket.readable() || self.hears()) && !self.owned.exited
    }

    /// Whether the machine knows that whoever is in front of it can be shown no more.
    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    pub(crate) const fn machine(&self) -> &M {
        &self.owned.machine
    }

    /// How many sends and receives have failed so far.
    pub(crate) const fn failed_sends(&self) -> u64 {
        self.socket.trouble().failed
    }

    /// Where nothing could be sent to, and why.
    pub(crate) fn unsent(&self) -> &[(SocketAddr, io::Error)] {
        self.socket.unsent()
    }

    pub(crate) const fn local(&self) -> SocketAddr {
        self.socket.local()
    }

    fn tally(&self) -> Tally {
        let Owned { machine, unlawful, .. } = &self.owned;
        Tally { blame: machine.blame(), trouble: self.socket.trouble(), unlawful: *unlawful }
    }

    /// Whether the log lacks something that it is to have.
    fn is_untold(&self) -> bool {
        log_enabled!(Level::Debug) && self.tally() != self.told
    }

    /// Says in the log how much was refused and lost, in one line for all that there was since the
    /// last one.
    fn tell_log(&mut self) {
        let now = self.clock.now();
        if !self.is_untold() || now < self.tell_at {
            return;
        }
        let tally = self.tally();
        let Tally { blame, trouble: Trouble { lost, failed }, unlawful } = tally;
        let Blame { malformed, unauthenticated, replayed, unknown_call, over_limit } = blame;
        debug!(
            "refused so far: {malformed} malformed, {unauthenticated} unauthenticated, \
             {replayed} replayed, {unknown_call} unknown calls, {over_limit} over a limit; \
             {lost} had no room, {failed} could not be sent or received; {unlawful} \
             wakes were over{}",
            self.socket.failure().map_or(String::new(), |error| format!(", the last: {error}"))
        );
        self.told = tally;
        self.tell_at = now + TELL_EVERY;
    }
}

impl<M: Machine> Owned<M> {
    /// Gives the machine one input, and carries out what follows. Whether it should be told no more.
    fn turn(
        &mut self,
        socket: &mut Socket,
        now: Time,
        input: Input<'_>,
        tell: &mut impl FnMut(Told<'_>) -> bool,
    ) -> bool {
        let (mut full, exited) = (false, &mut self.exited);
        if *exited {
            return full;
        }
        let drained = drain(&mut self.machine, now, input, |action| match action {
            Action::Send { to, source, ttl, bytes } => socket.send(to, Way { source, ttl }, bytes),
            Action::Show(event) => full |= tell(Told::Event(event)),
            Action::Exit(exit) => {
                *exited = true;
                tell(Told::Exit(exit));
            }
        });
        socket.flush();
        self.wake = drained.wake;
        self.unlawful += u64::from(!drained.lawful);
        full
    }
}

/// Entropy for one machine.
pub(crate) fn seed() -> io::Result<Seed> {
    let mut seed = Seed([0; 32]);
    getrandom::fill(&mut seed.0)?;
    Ok(seed)
}
