//! One machine and its socket: the contract of [`crate::machine`], carried out.

use std::io;
use std::net::SocketAddr;

use log::{Level, debug, log_enabled};
use mio::{Registry, Token};

use super::clock::Clock;
use super::socket::{Buffer, Socket};
use crate::machine::wire::DATAGRAM_MAX;
use crate::machine::{Action, Blame, Event, Exit, Input, Machine, Time, drain};

/// What a machine wants somebody to know.
#[derive(Debug)]
pub(crate) enum Told<'a> {
    Event(Event<'a>),
    Exit(Exit),
}

/// A machine that is connected to the network.
#[derive(Debug)]
pub(crate) struct Node<M> {
    machine: M,
    socket: Socket,
    buffer: Box<Buffer>,
    clock: Clock,
    exited: bool,
    /// Whoever is in front of the machine can be shown no more, and it knows.
    full: bool,
    blame: Blame,
}

impl<M: Machine> Node<M> {
    pub(crate) fn new(machine: M, socket: Socket, clock: Clock) -> Self {
        Self {
            machine,
            socket,
            buffer: Box::new([0; DATAGRAM_MAX + 1]),
            clock,
            exited: false,
            full: false,
            blame: Blame::default(),
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.socket.register(registry, token)
    }

    /// Gives the machine one input and carries out what follows from it. `tell` says whether it should be
    /// told no more for now.
    pub(crate) fn feed(&mut self, input: Input<'_>, mut tell: impl FnMut(Told<'_>) -> bool) {
        let now = self.clock.now();
        if let Input::Full(full) = input {
            self.full = full;
        }
        turn(&mut self.machine, &mut self.socket, &mut self.exited, now, input, &mut tell);
    }

    /// One turn: what waits at the socket, and then the deadline, if it has come.
    ///
    /// In this order, because a reply that arrived in time but was not read must not count as one
    /// that did not arrive.
    pub(crate) fn turn(&mut self, mut tell: impl FnMut(Told<'_>) -> bool) {
        if self.socket.readable() || self.due() {
            let Self { machine, socket, buffer, clock, exited, full, .. } = self;
            socket.receive(buffer, |socket, from, bytes| {
                let input = Input::Datagram { from, bytes };
                let too_much = turn(machine, socket, exited, clock.now(), input, &mut tell);
                if too_much && !core::mem::replace(full, true) {
                    turn(machine, socket, exited, clock.now(), Input::Full(true), &mut tell);
                }
            });
            self.log_blame();
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
        if self.exited {
            return None;
        }
        self.machine.next_wake().map(|wake| wake.at)
    }

    pub(crate) const fn note_readable(&mut self) {
        self.socket.note_readable();
    }

    /// Whether a turn is needed although nothing more is announced.
    pub(crate) const fn has_work(&self) -> bool {
        self.socket.readable() && !self.exited
    }

    /// Whether the machine knows that whoever is in front of it can be shown no more.
    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    pub(crate) const fn machine(&self) -> &M {
        &self.machine
    }

    pub(crate) const fn local(&self) -> SocketAddr {
        self.socket.local()
    }

    /// Says in the log that something was refused, once per turn and not per datagram.
    fn log_blame(&mut self) {
        if !log_enabled!(Level::Debug) {
            return;
        }
        let blame = self.machine.blame();
        if blame != self.blame {
            debug!("refused so far: {blame:?}");
            self.blame = blame;
        }
    }
}

fn turn<M: Machine>(
    machine: &mut M,
    socket: &mut Socket,
    exited: &mut bool,
    now: Time,
    input: Input<'_>,
    tell: &mut impl FnMut(Told<'_>) -> bool,
) -> bool {
    let mut full = false;
    if *exited {
        return full;
    }
    drain(machine, now, input, |action| match action {
        Action::Send { to, bytes } => socket.send(to, bytes),
        Action::Show(event) => full |= tell(Told::Event(event)),
        Action::Exit(exit) => {
            *exited = true;
            tell(Told::Exit(exit));
        }
    });
    full
}
