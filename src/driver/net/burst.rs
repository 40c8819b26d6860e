//! What one step of a machine sends, in as few calls of the system as it takes.
//!
//! A line for a room of a hundred is a hundred datagrams, and most of what they cost is the way into the
//! system and back. What becomes of each is what would become of it alone: one that cannot go delays and
//! loses no other.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use crate::driver::net::way::Way;

/// How many leave together: what one call is given, and what is copied for it, is bounded.
const BURST_MAX: usize = 64;

/// Datagrams that wait for the end of the step.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    bytes: Vec<u8>,
    queued: Vec<(SocketAddr, Way, Range<usize>)>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outbound<'a> {
    pub(crate) to: SocketAddr,
    pub(crate) way: Way,
    pub(crate) bytes: &'a [u8],
}

impl Burst {
    /// Whether it has to leave before another one is put in.
    pub(crate) const fn is_full(&self) -> bool {
        self.queued.len() == BURST_MAX
    }

    pub(crate) fn push(&mut self, Outbound { to, way, bytes }: Outbound<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.queued.push((to, way, start..self.bytes.len()));
    }

    /// Has every datagram sent, in order, and empties it. `many` sends the first ones of several that go the
    /// same way, and says how many it could, or why not the first; `one` sends one. `told` hears how it
    /// went for each.
    pub(crate) fn leave(
        &mut self,
        mut many: impl FnMut(&[Outbound<'_>]) -> io::Result<usize>,
        mut one: impl FnMut(Outbound<'_>) -> io::Result<()>,
        mut told: impl FnMut(SocketAddr, io::Result<()>),
    ) {
        let Self { bytes, queued } = self;
        let outbound = |(to, way, range): &(SocketAddr, Way, Range<usize>)| Outbound {
            to: *to,
            way: *way,
            bytes: &bytes[range.clone()],
        };
        let all: Vec<Outbound<'_>> = queued.iter().map(outbound).collect();
        let mut rest = &all[..];
        while let Some(first) = rest.first() {
            let alike = rest.iter().take_while(|other| other.goes_with(first)).count().max(1);
            let fate = if alike == 1 { Ok(0) } else { many(&rest[..alike]) };
            let sent = fate.as_ref().map_or(0, |sent| (*sent).min(alike));
            rest[..sent].iter().for_each(|gone| told(gone.to, Ok(())));
            rest = &rest[sent..];
            // Behind those that went is the one that did not: it is tried alone, but where there is no room.
            if let Some(next) = rest.first().filter(|_| sent < alike) {
                let full = fate.err().filter(|error| error.kind() == io::ErrorKind::WouldBlock);
                told(next.to, full.map_or_else(|| one(*next), Err));
                rest = &rest[1..];
            }
        }
        bytes.clear();
        queued.clear();
    }
}

impl Outbound<'_> {
    /// Whether both ask the same of the system. What has a time to live of its own goes alone.
    fn goes_with(&self, other: &Self) -> bool {
        let scope = |addr: SocketAddr| match addr {
            SocketAddr::V4(_) => None,
            SocketAddr::V6(v6) => Some(v6.scope_id()),
        };
        self.way == other.way && self.way.ttl.is_none() && scope(self.to) == scope(other.to)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::net::IpAddr;

    use super::*;

    fn addr(n: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, n], 7))
    }

    /// A system that has room for so many datagrams, of which those to some addresses fail.
    struct System {
        room: Cell<usize>,
        fails: Vec<(SocketAddr, io::ErrorKind)>,
        calls: Cell<usize>,
        gone: RefCell<Vec<(SocketAddr, Vec<u8>)>>,
    }

    impl System {
        fn new(room: usize, fails: &[(u8, io::ErrorKind)]) -> Self {
            let fails = fails.iter().map(|&(n, kind)| (addr(n), kind)).collect();
            let (calls, gone) = (Cell::new(0), RefCell::default());
            Self { room: Cell::new(room), fails, calls, gone }
        }

        fn take(&self, datagram: &Outbound<'_>) -> io::Result<()> {
            if let Some((_, kind)) = self.fails.iter().find(|(to, _)| *to == datagram.to) {
                return Err((*kind).into());
            }
            let room = self.room.get().checked_sub(1);
            self.room.set(room.ok_or(io::ErrorKind::WouldBlock)?);
            self.gone.borrow_mut().push((datagram.to, datagram.bytes.to_vec()));
            Ok(())
        }

        /// As sendmmsg does it: the first that fails ends it, and is told of when it is the first of all.
        fn many(&self, burst: &[Outbound<'_>]) -> io::Result<usize> {
            self.calls.set(self.calls.get() + 1);
            assert!(burst.len() > 1);
            for (at, datagram) in burst.iter().enumerate() {
                match self.take(datagram) {
                    Err(error) if at == 0 => return Err(error),
                    Err(_) => return Ok(at),
                    Ok(()) => {}
                }
            }
            Ok(burst.len())
        }

        fn one(&self, datagram: Outbound<'_>) -> io::Result<()> {
            self.calls.set(self.calls.get() + 1);
            self.take(&datagram)
        }
    }

    type Fates = Vec<(SocketAddr, Result<(), io::ErrorKind>)>;

    /// What becomes of datagrams to these addresses, those to the first ones from that source.
    fn leave(system: &System, to: &[u8], sources: &[u8]) -> Fates {
        let mut burst = Burst::default();
        for &n in to {
            let source = sources.contains(&n).then(|| IpAddr::from([192, 0, 2, 200]));
            burst.push(Outbound { to: addr(n), way: Way { source, ttl: None }, bytes: &[n, n] });
        }
        let mut fates = Vec::new();
        burst.leave(
            |many| system.many(many),
            |one| system.one(one),
            |to, fate| fates.push((to, fate.map_err(|error| error.kind()))),
        );
        assert!(burst.queued.is_empty() && burst.bytes.is_empty());
        fates
    }

    /// What becomes of them one by one.
    fn alone(system: &System, to: &[u8]) -> Fates {
        let one = |&n: &u8| leave(system, &[n], &[]).remove(0);
        to.iter().map(one).collect()
    }

    #[test]
    fn what_becomes_of_each_is_what_would_become_of_it_alone() {
        use io::ErrorKind::{NetworkUnreachable, PermissionDenied};

        let all: Vec<u8> = (1..=20).collect();
        for fails in [
            &[][..],
            &[(1, PermissionDenied)],
            &[(7, NetworkUnreachable)],
            &[(20, PermissionDenied)],
            &[(7, NetworkUnreachable), (8, PermissionDenied), (9, NetworkUnreachable)],
        ] {
            for room in [0, 1, 6, 7, 19, 20, 100] {
                for sources in [&[][..], &[3, 4, 5], &[1], &[2, 4, 6]] {
                    let (together, apart) = (System::new(room, fails), System::new(room, fails));
                    let fates = leave(&together, &all, sources);
                    assert_eq!(fates, alone(&apart, &all), "{fails:?} {room}");
                    assert_eq!(together.gone, apart.gone, "{fails:?} {room}");
                }
            }
        }
    }

    #[test]
    fn what_goes_one_way_goes_in_one_call() {
        let all: Vec<u8> = (1..=20).collect();
        let calls = |fails: &[(u8, io::ErrorKind)], sources: &[u8]| {
            let system = System::new(100, fails);
            leave(&system, &all, sources);
            system.calls.get()
        };
        assert_eq!(calls(&[], &[]), 1);
        assert_eq!(calls(&[], &[1, 2, 3]), 2, "one for each way");
        assert_eq!(calls(&[], &[2]), 3, "one that goes another way goes between");
        let fails = [(7, io::ErrorKind::PermissionDenied)];
        assert_eq!(calls(&fails, &[]), 3, "those before it, it, and those behind it");
    }

    #[test]
    fn what_has_a_time_to_live_goes_alone() {
        let (system, mut burst) = (System::new(100, &[]), Burst::default());
        for ttl in [None, None, Some(3), Some(3), None, None] {
            burst.push(Outbound { to: addr(1), way: Way { source: None, ttl }, bytes: &[1] });
        }
        let mut many = Vec::new();
        burst.leave(
            |burst| {
                many.push(burst.len());
                system.many(burst)
            },
            |one| system.one(one),
            |_, fate| fate.unwrap(),
        );
        assert_eq!((many, system.calls.get()), (vec![2, 2], 4));
    }
}
