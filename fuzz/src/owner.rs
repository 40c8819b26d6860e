//! The owner of a machine: it keeps the contract, and has the machine keep it.

use std::net::SocketAddr;

use chatrpc::machine::wire::DATAGRAM_MAX;
use chatrpc::machine::{Action, Event, Exit, Input, Machine, Time, drain};

/// What came of one input.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Datagrams, in order.
    pub sent: Vec<(SocketAddr, Vec<u8>)>,
    /// Events that were shown.
    pub shown: usize,
    /// The machine is done.
    pub exit: Option<Exit>,
}

/// Hands an input to a machine and checks everything a machine promises.
pub fn feed(
    machine: &mut impl Machine,
    now: u64,
    input: Input<'_>,
    show: impl FnMut(&Event<'_>),
) -> Outcome {
    let outcome = poll(machine, now, input, show);
    machine.check();
    for table in machine.footprint() {
        assert!(table.len <= table.limit, "{table:?} is over its limit");
    }
    outcome
}

/// Hands an input to a machine and checks what costs nothing.
pub fn poll(
    machine: &mut impl Machine,
    now: u64,
    input: Input<'_>,
    mut show: impl FnMut(&Event<'_>),
) -> Outcome {
    let mut outcome = Outcome::default();
    drain(machine, Time::from_micros(now), input, |action| {
        assert!(outcome.exit.is_none(), "something follows the end: {action:?}");
        match action {
            Action::Send { to, bytes, .. } => {
                assert!(bytes.len() <= DATAGRAM_MAX, "{} bytes", bytes.len());
                outcome.sent.push((to, bytes.to_vec()));
            }
            Action::Show(event) => {
                outcome.shown += 1;
                show(&event);
            }
            Action::Exit(exit) => outcome.exit = Some(exit),
        }
    });
    outcome
}
