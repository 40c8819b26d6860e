//! The machine behind `chatrpc find`: hails the networks around us for a few rooms, says which of them answered
//! and from where, and is done. It enters none of them.

use core::net::SocketAddr;
use core::time::Duration;

use super::{Came, Hails, Hearer, NEIGHBOURS_TAKE};
use crate::machine::contract::{Action, Blame, Input, Machine, Table, Wake};
use crate::machine::digest::digest;
use crate::machine::event::{Event, Exit, Found};
use crate::machine::outbox::Outbox;
use crate::machine::rng::Seed;
use crate::machine::time::Time;
use crate::machine::who::ids::PeerId;
use crate::machine::who::room::Room;

/// How long answers are waited for.
const LOOK: Duration = Duration::from_secs(1);

/// Rooms that are looked for, and addresses that are told of each.
const ROOMS_MAX: usize = 8;
const ADDRS_MAX: usize = 8;

/// Looks for rooms on the networks it is told of ([`Input::Segments`]): one [`Event::Found`] after a second, then
/// [`Exit::Left`].
#[derive(Debug)]
pub struct Finding {
    now: Time,
    me: PeerId,
    rooms: Vec<Wanted>,
    /// When it is told; `None` before the first input, and once it was.
    until: Option<Time>,
    done: bool,
    /// Nobody has answered, and neighbours are asked one by one.
    longer: bool,
    blame: Blame,
    out: Outbox,
}

/// One of the rooms.
#[derive(Debug)]
struct Wanted {
    room: Room,
    hails: Hails,
    addrs: Vec<SocketAddr>,
}

impl Finding {
    /// A machine that looks for the first few of these from its first input on.
    pub fn new(seed: &Seed, rooms: Vec<Room>) -> Self {
        let of = |(n, room): (u64, Room)| {
            let seed = Seed(seed.bytes("room", n));
            Wanted { room, hails: Hails::new(&seed, true), addrs: Vec::new() }
        };
        let rooms = (0..).zip(rooms.into_iter().take(ROOMS_MAX)).map(of).collect();
        let (now, me) = (Time::ZERO, PeerId(seed.hash("finding", 0)));
        let (blame, out) = (Blame::default(), Outbox::default());
        Self { now, me, rooms, until: None, done: false, longer: false, blame, out }
    }

    fn datagram(&mut self, from: SocketAddr, bytes: &[u8]) {
        let Self { now, me, rooms, blame, out, .. } = self;
        let (mut least, mut known) = (None, false);
        for Wanted { room, hails, addrs } in rooms {
            let (hearer, mut refused) = (Hearer { room, me: *me, others: None }, Blame::default());
            let told = (&mut *out, &mut refused);
            match hails.take(*now, (from, None), bytes, (hearer, |_| false), told) {
                Came::Door(addr) if addrs.len() < ADDRS_MAX && !addrs.contains(&addr) => {
                    addrs.push(addr);
                }
                _ => {}
            }
            known |= refused == Blame::default();
            least = least.or(Some(refused));
        }
        // It is of one of them, or refused once.
        let Blame { malformed, unauthenticated, replayed, .. } =
            least.filter(|_| !known).unwrap_or_default();
        blame.malformed += malformed;
        blame.unauthenticated += unauthenticated;
        blame.replayed += replayed;
    }

    fn tick(&mut self) {
        let Self { now, me, rooms, out, .. } = self;
        let over = self.until.is_some_and(|until| until <= *now);
        let nobody = rooms.iter().all(|wanted| wanted.addrs.is_empty());
        let one_by_one = rooms.iter().any(|wanted| wanted.hails.has_neighbours());
        if over && nobody && one_by_one && !core::mem::replace(&mut self.longer, true) {
            self.until = Some(*now + NEIGHBOURS_TAKE);
        }
        let over = over && self.until.is_some_and(|until| until <= *now);
        if !over {
            for Wanted { room, hails, .. } in rooms {
                hails.tick(*now, &Hearer { room, me: *me, others: None }, out);
            }
            return;
        }
        let answered = rooms.iter().filter(|wanted| !wanted.addrs.is_empty());
        let found = answered.map(|Wanted { room, addrs, .. }| Found {
            room: room.name().clone(),
            open: room.is_open(),
            addrs: addrs.clone(),
        });
        out.show(Event::Found(found.collect()));
        out.exit(Exit::Left { undelivered: 0 });
        (self.until, self.done) = (None, true);
    }
}

impl Machine for Finding {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        self.now = self.now.max(now);
        if self.done {
            return;
        }
        let now = self.now;
        self.until.get_or_insert(now + LOOK);
        self.rooms.iter_mut().for_each(|wanted| wanted.hails.seek(now));
        match input {
            Input::Segments(segments) => {
                self.rooms.iter_mut().for_each(|wanted| wanted.hails.segments(now, segments, 1));
            }
            Input::Neighbours(addrs) => {
                self.rooms.iter_mut().for_each(|wanted| wanted.hails.neighbours(now, addrs));
            }
            Input::Datagram { from, bytes, .. } => self.datagram(from, bytes),
            _ => {}
        }
        self.tick();
    }

    fn poll(&mut self) -> Option<Action<'_>> {
        self.out.poll()
    }

    fn next_wake(&self) -> Option<Wake> {
        if self.done {
            return None;
        }
        let Some(until) = self.until else { return Some(Wake { at: Time::ZERO, why: "start" }) };
        let hails = self.rooms.iter().filter_map(|wanted| wanted.hails.next_wake());
        hails.chain([until]).min().map(|at| Wake { at, why: "hail" })
    }

    fn footprint(&self) -> Vec<Table> {
        let found = self.rooms.iter().map(|wanted| wanted.addrs.len()).max().unwrap_or(0);
        let mut tables = vec![Table { name: "addresses of a room", len: found, limit: ADDRS_MAX }];
        tables.extend(self.rooms.iter().flat_map(|wanted| wanted.hails.footprint()));
        tables
    }

    fn blame(&self) -> Blame {
        self.blame
    }

    fn digest(&self) -> u64 {
        let Self { now: _, me, rooms, until, done, longer, blame: _, out: _ } = self;
        let rooms: Vec<_> =
            rooms.iter().map(|one| (one.room.tag(), &one.hails, &one.addrs)).collect();
        digest(&(me, rooms, until, done, longer))
    }

    fn check(&self) {
        assert!(self.rooms.len() <= ROOMS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::contract::{Segment, drain};
    use crate::machine::name::Name;
    use crate::machine::wire;

    fn room(name: &str) -> Room {
        Room::new(Name::parse(name).unwrap(), None)
    }

    #[test]
    fn it_says_which_rooms_have_answered_and_is_done() {
        let mut finding = Finding::new(&Seed([5; 32]), vec![room("lobby"), room("ops"), room("x")]);
        let own = "10.0.0.2".parse().unwrap();
        let segment = Segment { own, bits: 24, to: "10.0.0.255:7421".parse().unwrap() };
        let (mut found, mut left, mut hails) = (Vec::new(), false, Vec::new());
        let mut feed =
            |finding: &mut Finding, ms: u64, input: Input<'_>, hails: &mut Vec<Vec<u8>>| {
                let now = Time::from_micros(ms * 1_000);
                let drained = drain(finding, now, input, |action| match action {
                    Action::Send { bytes, .. } => hails.push(bytes.to_vec()),
                    Action::Show(Event::Found(rooms)) => found = rooms,
                    Action::Exit(Exit::Left { .. }) => left = true,
                    other => panic!("{other:?}"),
                });
                finding.check();
                drained.wake
            };
        feed(&mut finding, 1_000, Input::Segments(&[segment]), &mut hails);
        assert_eq!(hails.len(), 3, "one for each room");
        // The third of them answers, from two addresses; to the first somebody answers from elsewhere.
        for (ops, from) in [
            (true, "10.0.0.7:4000"),
            (true, "10.0.0.7:4000"),
            (true, "10.0.0.8:4000"),
            (false, "192.0.2.1:4000"),
        ] {
            let of = room(if ops { "ops" } else { "lobby" });
            for hail in hails.clone() {
                if let Ok(Some(wire::Heard::Hail(salt, _))) = wire::read(&hail, &of) {
                    let mut bytes = Vec::new();
                    wire::put_hailed(&mut bytes, &of, salt);
                    let from = from.parse().unwrap();
                    let input = Input::Datagram { from, at: None, bytes: &bytes };
                    feed(&mut finding, 1_010, input, &mut hails);
                }
            }
        }
        let mut now = 1_010;
        while let Some(wake) = feed(&mut finding, now, Input::Tick, &mut hails) {
            now = wake.at.as_micros().div_ceil(1_000);
        }
        assert_eq!((now, left, finding.blame().unauthenticated), (2_000, true, 1));
        let addrs = ["10.0.0.7:4000", "10.0.0.8:4000"].map(|addr| addr.parse().unwrap()).to_vec();
        assert_eq!(found, [Found { room: Name::parse("ops").unwrap(), open: true, addrs }]);
    }
}
