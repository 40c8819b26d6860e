//! In steady state the machines allocate nothing per packet.
//!
//! Two peers chat through buffers that are reused; after a warm-up, saying, carrying, showing and
//! confirming a thousand messages must not allocate once. What would break it: a request encoded into
//! a fresh vector, an event that owns its text, a timer in a tree.

use std::alloc::System;
use std::net::SocketAddr;
use std::time::Duration;

use chatrpc::machine::{
    Action, Event, Input, Machine, Name, Peer, PeerConfig, Registry, RegistryConfig, Seed, Tag,
    Time, drain,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Three machines and what is on its way between them; the buffers are used again and again.
struct Room {
    now: u64,
    registry: Registry,
    peers: [Peer; 2],
    queue: Vec<Parcel>,
    carried: Vec<Parcel>,
    spare: Vec<Vec<u8>>,
    shown: usize,
    done: usize,
}

struct Parcel {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

fn addr(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 7420))
}

fn peer(n: u8, name: &str) -> Peer {
    Peer::new(PeerConfig {
        seed: Seed([n; 32]),
        incarnation: 1,
        name: Name::parse(name).unwrap(),
        tag: Tag::LOBBY,
        nodeset: addr(0),
        addrs: Vec::new(),
        drain: Duration::from_secs(5),
    })
}

impl Room {
    fn new() -> Self {
        let config = RegistryConfig { seed: Seed([9; 32]), incarnation: 1, members_max: 8 };
        Self {
            now: 1,
            registry: Registry::new(config),
            peers: [peer(1, "alice"), peer(2, "bob")],
            queue: Vec::new(),
            carried: Vec::new(),
            spare: Vec::new(),
            shown: 0,
            done: 0,
        }
    }

    fn input(&mut self, to: SocketAddr, input: Input<'_>) {
        let machine: &mut dyn Machine = match to {
            to if to == addr(0) => &mut self.registry,
            to if to == addr(1) => &mut self.peers[0],
            _ => &mut self.peers[1],
        };
        let (queue, spare, shown, done) =
            (&mut self.queue, &mut self.spare, &mut self.shown, &mut self.done);
        drain(machine, Time::from_micros(self.now), input, |action| match action {
            Action::Send { to: dest, bytes } => {
                let mut kept = spare.pop().unwrap_or_default();
                kept.extend_from_slice(bytes);
                queue.push(Parcel { from: to, to: dest, bytes: kept });
            }
            Action::Show(Event::Message { .. }) => *shown += 1,
            Action::Show(Event::Done { .. }) => *done += 1,
            _ => {}
        });
    }

    /// Carries datagrams, half a millisecond each, until none is left.
    fn carry(&mut self) {
        while !self.queue.is_empty() {
            self.now += 500;
            std::mem::swap(&mut self.queue, &mut self.carried);
            let mut carried = std::mem::take(&mut self.carried);
            for mut parcel in carried.drain(..) {
                let Parcel { from, to, ref bytes } = parcel;
                self.input(to, Input::Datagram { from, bytes });
                parcel.bytes.clear();
                self.spare.push(parcel.bytes);
            }
            self.carried = carried;
        }
    }

    fn say(&mut self, messages: usize) {
        for n in 0..messages {
            let text = "two hundred bytes or so, as people write them; ".get(..40 + n % 6);
            self.input(addr(1), Input::Line(text.unwrap_or("short")));
            self.input(addr(2), Input::Line("yes"));
            self.carry();
            self.now += 10_000;
            (0..3).for_each(|n| self.input(addr(n), Input::Tick));
            self.carry();
        }
    }
}

#[test]
fn a_message_allocates_nothing() {
    let mut room = Room::new();
    (1..3).for_each(|n| room.input(addr(n), Input::Tick));
    for _ in 0..300 {
        room.carry();
        room.now += 10_000;
        (0..3).for_each(|n| room.input(addr(n), Input::Tick));
    }
    room.say(500);
    assert_eq!((room.shown, room.done), (1000, 1000), "the warm-up arrived");
    // Well before the leases are renewed, 20 s after joining: that may allocate.
    let region = Region::new(ALLOCATOR);
    room.say(800);
    let change = region.change();
    assert_eq!((room.shown, room.done), (2600, 2600));
    assert_eq!(change.allocations + change.reallocations, 0, "{change:?}");
}
