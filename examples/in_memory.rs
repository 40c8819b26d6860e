//! Two people in a room, and the nodeset that introduces them, without a socket: three machines, and a
//! queue of datagrams between them.
//!
//! `cargo run --example in_memory`. This is all that an owner of machines does, but for a network.

use std::collections::VecDeque;
use std::net::SocketAddr;

use chatrpc::machine::{
    Action, Event, Identity, Incarnation, Input, Machine, Name, Peer, PeerConfig, Registry,
    RegistryConfig, Room, Seed, Time, drain,
};

const NAMES: [&str; 3] = ["the nodeset", "alice", "bob"];

fn addr(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n as u8], 7420))
}

/// The machines, what is on its way between them, and what was read.
struct Town {
    now: Time,
    machines: [Box<dyn Machine>; 3],
    wire: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    read: usize,
}

impl Town {
    /// Hands an input to a machine, and does what it asks for.
    fn input(&mut self, n: usize, input: Input<'_>) {
        let Self { now, machines, wire, read } = self;
        drain(&mut *machines[n], *now, input, |action| match action {
            Action::Send { to, bytes, .. } => wire.push_back((addr(n), to, bytes.to_vec())),
            Action::Show(Event::Message { from, text, .. }) => {
                println!("{} reads:  {}: {text}", NAMES[n], from.name);
                *read += 1;
            }
            Action::Show(event) => println!("{}: {event:?}", NAMES[n]),
            Action::Exit(exit) => println!("{}: {exit:?}", NAMES[n]),
        });
    }

    /// A millisecond passes, and what was sent before it arrives.
    fn step(&mut self) {
        self.now = Time::from_micros(self.now.as_micros() + 1_000);
        for n in 0..3 {
            if self.machines[n].next_wake().is_some_and(|wake| wake.at <= self.now) {
                self.input(n, Input::Tick);
            }
        }
        for (from, to, bytes) in std::mem::take(&mut self.wire) {
            let there = (0..3).find(|&n| addr(n) == to).expect("nobody else was named");
            self.input(there, Input::Datagram { from, at: None, bytes: &bytes });
        }
    }
}

/// Somebody who will look for the room. Seeds and keys have to be entropy; here they are not, so that every
/// run is the same.
fn person(n: usize) -> Box<dyn Machine> {
    let room = Room::new(Name::parse("lobby").expect("a name"), None);
    let (secret, name) = ([n as u8; 32], Name::parse(NAMES[n]).expect("a name"));
    let (identity, started) = (Identity::new(&secret), Incarnation::at(1));
    Box::new(Peer::new(PeerConfig::new(Seed(secret), started, identity, room, name, addr(0))))
}

fn main() {
    let nodeset = RegistryConfig::new(Seed([9; 32]), Incarnation::at(1), 16);
    let machines: [Box<dyn Machine>; 3] = [Box::new(Registry::new(nodeset)), person(1), person(2)];
    let mut town = Town { now: Time::ZERO, machines, wire: VecDeque::new(), read: 0 };
    // A peer begins to join at its first input.
    (0..3).for_each(|n| town.input(n, Input::Tick));
    (0..1_000).for_each(|_| town.step());
    town.input(1, Input::Line("hello, bob"));
    (0..1_000).for_each(|_| town.step());
    (1..3).for_each(|n| town.input(n, Input::Line("/quit")));
    (0..1_000).for_each(|_| town.step());
    assert_eq!(town.read, 1, "bob has read what alice said");
}
