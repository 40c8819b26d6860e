//! Where leases come from: how many each source holds, and how often it may change what a room is told.
//!
//! A source that holds nothing is remembered for as long as its changes count.

use std::collections::{BTreeMap, BTreeSet};

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::machine::pace::{Pace, Rate};
use crate::machine::source::source;
use crate::machine::time::Time;

/// How often the leases of one source may change what rooms are told: a full house may come, go and
/// come back at once, and from then on two a second may.
const CHANGES: Rate = Rate::new(Duration::from_millis(500), 512);

/// A change waits for its turn no longer than this; one that would have to is refused.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sources without leases that are remembered.
pub(super) const IDLE_MAX: usize = 1024;

#[derive(Debug, Default, Hash)]
pub(super) struct Sources {
    all: BTreeMap<IpAddr, Source>,
    /// Those without leases, and until when they are remembered.
    idle: BTreeSet<(Time, IpAddr)>,
}

#[derive(Debug, Default, Hash)]
struct Source {
    leases: usize,
    changes: Pace,
    /// Remembered until then, since it holds no lease.
    until: Option<Time>,
}

impl Sources {
    /// How many leases the source of an address holds.
    pub(super) fn held(&self, addr: SocketAddr) -> usize {
        self.all.get(&source(addr)).map_or(0, |source| source.leases)
    }

    /// One more lease is held at an address.
    pub(super) fn bind(&mut self, addr: SocketAddr) {
        let ip = source(addr);
        let source = self.all.entry(ip).or_default();
        source.leases += 1;
        if let Some(until) = source.until.take() {
            self.idle.remove(&(until, ip));
        }
    }

    /// One less is.
    pub(super) fn unbind(&mut self, now: Time, addr: SocketAddr) {
        let ip = source(addr);
        let Some(source) = self.all.get_mut(&ip) else { return };
        source.leases = source.leases.saturating_sub(1);
        if source.leases == 0 {
            let until = source.changes.idle_at(now);
            source.until = Some(until);
            self.idle.insert((until, ip));
        }
        if self.idle.len() > IDLE_MAX {
            self.forget();
        }
    }

    /// Sets a change apart, and says when its turn comes. `None` when that is too late.
    pub(super) fn change(&mut self, now: Time, addr: SocketAddr) -> Option<Time> {
        let source = self.all.get_mut(&source(addr))?;
        (source.changes.next(CHANGES) <= now + PATIENCE)
            .then(|| source.changes.reserve(now, CHANGES))
    }

    /// Forgets who is remembered long enough.
    pub(super) fn tick(&mut self, now: Time) {
        while self.idle.first().is_some_and(|&(at, _)| at <= now) {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if let Some((_, ip)) = self.idle.pop_first() {
            self.all.remove(&ip);
        }
    }

    pub(super) fn next_wake(&self) -> Option<Time> {
        self.idle.first().map(|&(at, _)| at)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Panics unless so many leases are held, and who holds none is remembered for a while.
    pub(super) fn check(&self, leases: usize) {
        assert_eq!(leases, self.all.values().map(|source| source.leases).sum::<usize>());
        let idle = self.all.iter().filter_map(|(&ip, source)| Some((source.until?, ip)));
        assert_eq!(
            idle.collect::<BTreeSet<_>>(),
            self.idle,
            "a source that is remembered for ever"
        );
        assert!(self.all.values().all(|source| (source.leases == 0) == source.until.is_some()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::source::site;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    const fn at(secs: u64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    #[test]
    fn an_address_counts_for_its_network() {
        let mut sources = Sources::default();
        for near in ["[2001:db8::1]:1", "[2001:db8::2]:2", "10.0.0.1:1", "10.0.0.1:2"] {
            sources.bind(addr(near));
        }
        assert_eq!(sources.held(addr("[2001:db8::ffff]:9")), 2);
        assert_eq!(sources.held(addr("[2001:db8:0:1::1]:1")), 0);
        assert_eq!((sources.held(addr("10.0.0.1:9")), sources.held(addr("10.0.0.2:1"))), (2, 0));
        assert_eq!(site(addr("[2001:db8:0:1::1]:1")), site(addr("[2001:db8:0:2::1]:1")));
        assert_ne!(site(addr("[2001:db8:1::1]:1")), site(addr("[2001:db8:2::1]:1")));
        sources.check(4);
    }

    #[test]
    fn changes_take_turns_and_going_away_does_not_help() {
        let (mut sources, from) = (Sources::default(), addr("10.0.0.1:1"));
        let mut now_or_later = [0, 0];
        for _ in 0..1_000 {
            sources.bind(from);
            match sources.change(at(100), from) {
                Some(turn) => now_or_later[usize::from(turn > at(100))] += 1,
                None => assert!(now_or_later[1] > 100, "not before a minute is full"),
            }
            sources.unbind(at(100), from);
        }
        assert_eq!(now_or_later, [512, 120]);
        sources.check(0);
        sources.tick(at(200));
        assert_eq!(sources.len(), 1);
        sources.tick(sources.next_wake().unwrap());
        assert_eq!((sources.len(), sources.next_wake()), (0, None));
    }

    #[test]
    fn who_is_gone_is_remembered_within_bounds() {
        let mut sources = Sources::default();
        for n in 0..2 * IDLE_MAX as u32 {
            let from = SocketAddr::from((core::net::Ipv4Addr::from_bits(n + 1), 7));
            sources.bind(from);
            sources.change(at(1), from);
            sources.unbind(at(1), from);
        }
        assert_eq!(sources.len(), IDLE_MAX);
        sources.check(0);
    }
}
