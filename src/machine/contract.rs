//! What a machine and its owner have in common: the module documentation of [`machine`](super) has the
//! contract and its laws.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use crate::machine::command::Command;
use crate::machine::event::{Event, Exit};
use crate::machine::time::Time;

/// What a machine is told.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A datagram arrived at the machine's socket.
    Datagram {
        /// The address it came from, in canonical form (an IPv4 address is never written as IPv6).
        from: SocketAddr,
        /// The address of ours that it was sent to, where the owner knows it.
        at: Option<IpAddr>,
        /// The datagram, whole.
        bytes: &'a [u8],
    },
    /// The network says that nobody listens at this address (ICMP port unreachable).
    Unreachable(SocketAddr),
    /// The nodeset may be at these addresses: its name was looked up again, or it is on this computer and
    /// that has others.
    Nodesets(&'a [SocketAddr]),
    /// The addresses of this computer that others may reach us at, read again; the first four are used.
    Addresses(&'a [SocketAddr]),
    /// The networks this computer is on, where others are hailed, read again; the first eight are used.
    Segments(&'a [Segment]),
    /// Who is on those networks as far as the system knows, at the port where everybody listens, read again: they are
    /// hailed one by one where nobody answers what is sent to all. The first 64 are used.
    Neighbours(&'a [SocketAddr]),
    /// The default gateway of this computer, read again: it is asked to pass on what comes to a port of its own
    /// (RFC 6887, RFC 6886), when a nodeset sees us at an address that is not ours.
    Gateway(Option<Gateway>),
    /// A line somebody typed: text to say, or a slash command.
    Line(&'a str),
    /// What a line can ask for, from a front end that does not speak in lines.
    Command(Command<'a>),
    /// Whether whoever is in front of the machine can be shown no more now. While that is so, nothing
    /// that is said to it is taken, or confirmed.
    Full(bool),
    /// Time has passed.
    Tick,
}

/// A network that this computer is on, by one of its addresses there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// The address.
    pub own: IpAddr,
    /// How many of its bits are those of everybody there.
    pub bits: u8,
    /// Where everybody there is reached who listens: a broadcast address, or a group and the interface.
    pub to: SocketAddr,
}

/// The default gateway, as far as mappings of ports are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gateway {
    /// Its address.
    pub at: Ipv4Addr,
    /// Our address, as it sees us, and the port of the machine's socket.
    pub own: Ipv4Addr,
    /// The port.
    pub port: u16,
}

/// What a machine wants done.
#[derive(Debug)]
pub enum Action<'a> {
    /// Send a datagram. One that cannot be sent now is a lost one: the machine copes.
    Send {
        /// Where to.
        to: SocketAddr,
        /// The address of ours to send it from: the one that was sent to from there. Without one, or when
        /// it is ours no more, that is the system's to choose.
        source: Option<IpAddr>,
        /// Over how many hops it may go: one that is to open the address translation in front of us, and not
        /// to reach who is behind another, ends on the way. Without one, or where the owner cannot say so to
        /// the system, over as many as the system lets it. 0 is no less than 1.
        ttl: Option<u8>,
        /// The datagram, at most [`DATAGRAM_MAX`](crate::machine::wire::DATAGRAM_MAX) bytes.
        bytes: &'a [u8],
    },
    /// Tell the person or program in front of the machine.
    Show(Event<'a>),
    /// The machine is done. Nothing follows.
    Exit(Exit),
}

/// When a machine wants to be woken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wake {
    /// The instant.
    pub at: Time,
    /// The reason, for logs and traces.
    pub why: &'static str,
}

/// One table of a machine: how full it is, and how full it may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// What the table holds.
    pub name: &'static str,
    /// How many it holds.
    pub len: usize,
    /// How many it may hold.
    pub limit: usize,
}

/// Refused datagrams and packets, by who is to blame. None of them changed any other state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blame {
    /// Bytes that are not a datagram of this protocol.
    pub malformed: u64,
    /// Well formed, from somebody who may not say it.
    pub unauthenticated: u64,
    /// Seen before, or too old to tell.
    pub replayed: u64,
    /// A reply to a call that was not made, or is over.
    pub unknown_call: u64,
    /// A table was full.
    pub over_limit: u64,
}

/// A pure state machine. The documentation of [`machine`](super) has the contract and its laws.
pub trait Machine {
    /// Takes one input. `now` is read after the input was.
    fn handle(&mut self, now: Time, input: Input<'_>);

    /// The next thing to do, until `None`.
    fn poll(&mut self) -> Option<Action<'_>>;

    /// When to call `handle` with [`Input::Tick`] if nothing else happens before.
    fn next_wake(&self) -> Option<Wake>;

    /// The size and limit of every table.
    fn footprint(&self) -> Vec<Table>;

    /// What was refused so far.
    fn blame(&self) -> Blame;

    /// A hash over the machine's state: equal states, equal digests.
    fn digest(&self) -> u64;

    /// Panics when an invariant is broken. Costs a scan; for tests and simulation.
    fn check(&self);
}

/// What a machine wants next, once it is drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// When it is to be woken; `None` for a machine that only waits for others, or is done.
    pub wake: Option<Wake>,
    /// The machine kept the law of wakes. One that wanted to be woken at once, as it would for ever, is
    /// woken [`WAKE_MIN`] later: its owner goes on, and counts.
    pub lawful: bool,
}

/// How soon a machine is woken that breaks the law of wakes.
pub const WAKE_MIN: Duration = Duration::from_millis(1);

/// Steps 2 and 3 of the contract: one input, then every action it leads to.
///
/// # Panics
///
/// With debug assertions, when the machine breaks the law of wakes: a bug in the machine, never an effect
/// of the input.
pub fn drain<M: Machine + ?Sized>(
    machine: &mut M,
    now: Time,
    input: Input<'_>,
    mut act: impl FnMut(Action<'_>),
) -> Drained {
    machine.handle(now, input);
    while let Some(action) = machine.poll() {
        act(action);
    }
    let wake = machine.next_wake();
    let drained = Drained::of(now, wake);
    debug_assert!(drained.lawful, "the wake for {wake:?} is not after {now}");
    drained
}

impl Drained {
    fn of(now: Time, wake: Option<Wake>) -> Self {
        let lawful = wake.is_none_or(|wake| wake.at > now);
        let later = |wake| if lawful { wake } else { Wake { at: now + WAKE_MIN, ..wake } };
        Self { wake: wake.map(later), lawful }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_that_is_over_is_put_off_and_told_of() {
        let (now, why) = (Time::from_micros(5_000), "a test");
        let wake = |at| Some(Wake { at: Time::from_micros(at), why });
        assert_eq!(Drained::of(now, None), Drained { wake: None, lawful: true });
        assert_eq!(Drained::of(now, wake(5_001)), Drained { wake: wake(5_001), lawful: true });
        for over in [0, 4_999, 5_000] {
            assert_eq!(Drained::of(now, wake(over)), Drained { wake: wake(6_000), lawful: false });
        }
    }
}
