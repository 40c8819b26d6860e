//! A nodeset and two peers who chat through buffers that are used again and again: what this costs
//! and allocates is the machines' doing.

use std::net::SocketAddr;

use chatrpc::machine::{
    self, Action, Event, Identity, Incarnation, Input, Machine, Name, Peer, PeerConfig, Registry,
    RegistryConfig, Seed, Time, drain,
};

/// Three machines and what is on its way between them; the buffers are used again and again.
pub(crate) struct Room {
    now: u64,
    registry: Registry,
    peers: [Peer; 2],
    queue: Vec<Parcel>,
    carried: Vec<Parcel>,
    spare: Vec<Vec<u8>>,
    pub(crate) shown: usize,
    pub(crate) done: usize,
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
    let room = machine::Room::new(Name::parse("lobby").expect("a name"), None);
    let (seed, name) = (Seed([n; 32]), Name::parse(name).expect("a name"));
    let identity = Identity::new(&[n; 32]);
    Peer::new(PeerConfig::new(seed, Incarnation::at(1), identity, room, name, addr(0)))
}

impl Room {
    fn new() -> Self {
        let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(1), 8);
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

    /// The same, once both have joined.
    pub(crate) fn joined() -> Self {
        let mut room = Self::new();
        for _ in 0..300 {
            room.tick();
        }
        room
    }

    fn tick(&mut self) {
        self.now += 10_000;
        (0..3).for_each(|n| self.input(addr(n), Input::Tick));
        self.carry();
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
            Action::Send { to: dest, bytes, .. } => {
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
                self.input(to, Input::Datagram { from, at: None, bytes });
                parcel.bytes.clear();
                self.spare.push(parcel.bytes);
            }
            self.carried = carried;
        }
    }

    pub(crate) fn say(&mut self, messages: usize) {
        for n in 0..messages {
            let text = "two hundred bytes or so, as people write them; ".get(..40 + n % 6);
            self.input(addr(1), Input::Line(text.unwrap_or("short")));
            self.input(addr(2), Input::Line("yes"));
            self.carry();
            self.tick();
        }
    }
}
