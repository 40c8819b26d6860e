//! Which first messages are looked at. Each look costs a third of a millisecond, so nobody gets many:
//! there is a rate for all together, one for each source below it, and one for each address that we
//! deal with already, whatever the others do. When half of the first is used up, whoever sends one has
//! to show first that they receive what is sent to their address.
//!
//! Whatever was looked at is spent: somebody who saw it pass may send it as often as they like.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::machine::keyed::MAC;
use crate::machine::pace::{Pace, Rate};
use crate::machine::source::source;
use crate::machine::time::Time;

/// Looks of all together: 128 a second.
const ALL: Rate = Rate::new(Duration::from_micros(7_812), 256);

/// Those of one source: a quarter of it.
const PER_SOURCE: Rate = Rate::new(Duration::from_micros(31_250), 64);

/// Those that an address we have a link to gets, when the others have none left.
const OWN: Rate = Rate::new(Duration::from_secs(1), 8);

/// Sources that are remembered.
pub(super) const SOURCES_MAX: usize = 1024;

/// First messages that were looked at and are remembered, and for how long: one that comes again later
/// costs another look.
pub(super) const SPENT_MAX: usize = 4096;
const SPENT_FOR: Duration = Duration::from_secs(180);

/// What was looked at lately.
#[derive(Debug, Default)]
pub(super) struct Load {
    all: Pace,
    sources: BTreeMap<IpAddr, Pace>,
    /// By their first hash, and in the order in which they came.
    spent: BTreeSet<[u8; MAC]>,
    in_order: VecDeque<(Time, [u8; MAC])>,
    /// When the sources were gone through last.
    tidied: Time,
}

/// Sources that have used up nothing are forgotten this often.
const TIDY_EVERY: Duration = Duration::from_secs(60);

impl Load {
    /// Whoever sends a first message has to show a cookie.
    pub(super) fn is_high(&self, now: Time) -> bool {
        self.all.room(now, ALL) <= ALL.burst / 2
    }

    /// Whether there is time for one more look. `own` is what an address that we deal with has used up.
    pub(super) fn may_look(&mut self, now: Time, from: SocketAddr, own: Option<&mut Pace>) -> bool {
        if self.sources.len() >= SOURCES_MAX {
            self.sources.retain(|_, pace| pace.idle_at(now) > now);
        }
        let ip = source(from);
        let room = self.sources.len() < SOURCES_MAX || self.sources.contains_key(&ip);
        let theirs = room.then(|| self.sources.entry(ip).or_default());
        let may = theirs.is_some_and(|pace| {
            // Whoever has used up their own takes nothing of what is there for all.
            pace.next(PER_SOURCE) <= now && self.all.take(now, ALL) && pace.take(now, PER_SOURCE)
        });
        may || own.is_some_and(|own| own.take(now, OWN))
    }

    /// Whether that one was looked at before.
    pub(super) fn is_spent(&self, mac: &[u8; MAC]) -> bool {
        self.spent.contains(mac)
    }

    /// That one is looked at: it is not worth another look.
    pub(super) fn spend(&mut self, now: Time, mac: [u8; MAC]) {
        if self.spent.insert(mac) {
            self.in_order.push_back((now, mac));
        }
        if self.spent.len() > SPENT_MAX {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, oldest)) = self.in_order.pop_front() {
            self.spent.remove(&oldest);
        }
    }

    /// Forgets what was spent long ago and, now and then, the sources that have used up nothing.
    pub(super) fn tidy(&mut self, now: Time) {
        while self.in_order.front().is_some_and(|&(at, _)| now.since(at) >= SPENT_FOR) {
            self.forget_oldest();
        }
        if now.since(self.tidied) >= TIDY_EVERY {
            self.tidied = now;
            self.sources.retain(|_, pace| pace.idle_at(now) > now);
        }
    }

    pub(super) fn sources(&self) -> usize {
        self.sources.len()
    }

    pub(super) fn spent(&self) -> usize {
        self.spent.len()
    }

    pub(super) fn check(&self) {
        assert_eq!(self.spent.len(), self.in_order.len());
        assert!(self.in_order.iter().all(|(_, mac)| self.spent.contains(mac)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    fn from(n: u16, port: u16) -> SocketAddr {
        let [high, low] = n.to_be_bytes();
        SocketAddr::from(([10, 0, high, low], port))
    }

    #[test]
    fn a_source_takes_its_share_and_no_more() {
        let mut load = Load::default();
        let looks = (0..1_000).filter(|&port| load.may_look(at(0), from(1, port), None)).count();
        assert_eq!(looks, 64);
        assert!(!load.is_high(at(0)) && load.may_look(at(0), from(2, 1), None));
        // In a second from then on: 32.
        let looks = (0..1_000).filter(|&ms| load.may_look(at(ms), from(1, 9), None)).count();
        assert!((30..=33).contains(&looks), "{looks}");
    }

    #[test]
    fn a_crowd_takes_nothing_from_whom_we_deal_with() {
        let (mut load, mut own) = (Load::default(), Pace::default());
        assert!((0..2_000).filter(|&n| load.may_look(at(0), from(n, 1), None)).count() == 256);
        assert!(load.is_high(at(0)));
        assert!((0..8).all(|_| load.may_look(at(0), from(1, 1), Some(&mut own))));
        assert!(!load.may_look(at(0), from(1, 1), Some(&mut own)));
        assert!(load.sources() <= SOURCES_MAX);
        load.tidy(at(60_000));
        assert_eq!((load.sources(), load.is_high(at(60_000))), (0, false));
    }

    #[test]
    fn what_was_looked_at_is_spent() {
        let mut load = Load::default();
        let mac = |n: u64| {
            let mut mac = [0; MAC];
            mac[..8].copy_from_slice(&n.to_be_bytes());
            mac
        };
        (0..2 * SPENT_MAX as u64).for_each(|n| load.spend(at(n), mac(n)));
        load.check();
        assert_eq!(load.spent(), SPENT_MAX);
        let last = 2 * SPENT_MAX as u64 - 1;
        assert!(load.is_spent(&mac(last)) && !load.is_spent(&mac(0)));
        load.tidy(at(last + 180_000));
        load.check();
        assert_eq!(load.spent(), 0, "three minutes later it is forgotten");
    }
}
