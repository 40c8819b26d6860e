//! What we pass on between two members who do not hear each other (docs/PROTOCOL.md, "Relays").
//!
//! A bridge has two ends: a member, and the index that stands in front of what comes from them and goes to
//! them, wherever they are. Nothing is opened, and nothing is remembered of what passes. All bridges
//! together have one rate, and each an even share of it, so that nobody who asks for one has the uplink of
//! who gives it.

use std::collections::BTreeMap;

use core::net::SocketAddr;
use core::time::Duration;

use crate::machine::pace::{Pace, Rate};
use crate::machine::rng::Rng;
use crate::machine::slots::{Key, Slots};
use crate::machine::time::Time;
use crate::machine::who::ids::PeerId;

/// Bridges; and those of one member.
pub(crate) const BRIDGES_MAX: usize = 256;
const BRIDGES_EACH: usize = 64;

/// A bridge that nobody has used for so long is none any more.
const IDLE: Duration = Duration::from_secs(60);

/// The two are told of each other this often, and in all, where one of them has a router with another port for
/// each whom it speaks with: the first time has shown whether the other one lets in any.
const INTRODUCE_EVERY: Duration = Duration::from_secs(4);
const INTRODUCTIONS_MAX: u8 = 5;

/// What all bridges pass on together: 64 KiB a second, and half of it at once. One can always have a whole
/// datagram at once, or it would have none.
const UNIT: usize = 64;
const ALL: Rate = Rate::new(Duration::from_micros(977), 512);
const MOST: u32 = 32;

/// Over so much time it is counted how many of them are in use.
const COUNTED: Duration = Duration::from_secs(1);

#[derive(Debug, Default, Hash)]
pub(crate) struct Bridges {
    bridges: Slots<Bridge>,
    by_ids: BTreeMap<[PeerId; 2], Key<Bridge>>,
    /// The bridge, and which of its ends.
    by_index: BTreeMap<u64, (Key<Bridge>, usize)>,
    passed: Pace,
    /// How many were in use, now and in the time before.
    since: Time,
    used: [u32; 2],
}

#[derive(Debug, Hash)]
struct Bridge {
    ids: [PeerId; 2],
    indices: [u64; 2],
    used: Time,
    passed: Pace,
    /// When the two were told of each other last, where they were, and how often they were told that.
    introduced: Option<Time>,
    at: Option<[SocketAddr; 2]>,
    introductions: u8,
}

/// What becomes of something that is to be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// There is too much of it.
    TooMuch,
    /// To that member, with that index in front.
    To(PeerId, u64),
}

impl Bridges {
    /// The bridge from one who asks for it to another one, made if there is none: the index for who asks.
    /// `None` when there are too many.
    pub(super) fn between(
        &mut self,
        now: Time,
        asks: PeerId,
        other: PeerId,
        rng: &mut Rng,
    ) -> Option<u64> {
        let ids = [asks.min(other), asks.max(other)];
        let key = match self.by_ids.get(&ids) {
            Some(&key) => key,
            None => self.insert(now, ids, rng)?,
        };
        let bridge = self.bridges.get_mut(key)?;
        bridge.used = now;
        Some(bridge.indices[usize::from(asks > other)])
    }

    fn insert(&mut self, now: Time, ids: [PeerId; 2], rng: &mut Rng) -> Option<Key<Bridge>> {
        if self.is_full(ids) {
            self.drop_idle(now);
        }
        let indices = [rng.next_u64(), rng.next_u64()];
        let taken = indices.iter().any(|index| self.by_index.contains_key(index));
        if self.is_full(ids) || taken || indices[0] == indices[1] {
            return None;
        }
        let key = self.bridges.insert(Bridge {
            ids,
            indices,
            used: now,
            passed: Pace::default(),
            introduced: None,
            at: None,
            introductions: 0,
        });
        self.by_ids.insert(ids, key);
        for (place, index) in indices.into_iter().enumerate() {
            self.by_index.insert(index, (key, place));
        }
        Some(key)
    }

    /// Whether there is no place for one more, or one of the two has no more.
    fn is_full(&self, ids: [PeerId; 2]) -> bool {
        let of =
            |id: PeerId| self.bridges.iter().filter(|(_, bridge)| bridge.ids.contains(&id)).count();
        self.bridges.len() >= BRIDGES_MAX || ids.into_iter().any(|id| of(id) >= BRIDGES_EACH)
    }

    fn drop_idle(&mut self, now: Time) {
        let idle = |bridge: &Bridge| now.since(bridge.used) > IDLE;
        let idle = self.bridges.iter().filter(|(_, bridge)| idle(bridge)).map(|(key, _)| key);
        for key in idle.collect::<Vec<_>>() {
            let Some(bridge) = self.bridges.remove(key) else { continue };
            self.by_ids.remove(&bridge.ids);
            for index in bridge.indices {
                self.by_index.remove(&index);
            }
        }
    }

    /// Whether two with a bridge, who are there, are to be told of each other: not all the time, and not if no
    /// router of theirs has one port for all, where it is `hard`.
    pub(super) fn may_introduce(
        &mut self,
        now: Time,
        (mut ids, mut at): ([PeerId; 2], [SocketAddr; 2]),
        hard: [bool; 2],
    ) -> bool {
        if ids[0] > ids[1] {
            ids.reverse();
            at.reverse();
        }
        let key = self.by_ids.get(&ids);
        let Some(bridge) = key.and_then(|&key| self.bridges.get_mut(key)) else { return false };
        if bridge.at.replace(at) != Some(at) {
            bridge.introductions = 0;
        }
        let soon = bridge.introduced.is_some_and(|last| now.since(last) < INTRODUCE_EVERY);
        let vain = match hard {
            [false, false] => false,
            [true, true] => true,
            _ => bridge.introductions >= INTRODUCTIONS_MAX,
        };
        if soon || vain {
            return false;
        }
        bridge.introduced = Some(now);
        bridge.introductions = bridge.introductions.saturating_add(1);
        true
    }

    /// One of the two could do nothing with it: both are told again when they ask.
    pub(super) fn introduce_anew(&mut self, mut ids: [PeerId; 2]) {
        ids.sort_unstable();
        let key = self.by_ids.get(&ids);
        if let Some(bridge) = key.and_then(|&key| self.bridges.get_mut(key)) {
            (bridge.introduced, bridge.introductions) = (None, 0);
        }
    }

    /// Who has that index; `None` when it is for no bridge of ours.
    pub(super) fn owner(&self, now: Time, index: u64) -> Option<PeerId> {
        let &(key, place) = self.by_index.get(&index)?;
        let bridge = self.bridges.get(key).filter(|bridge| now.since(bridge.used) <= IDLE)?;
        Some(bridge.ids[place])
    }

    /// Where so many bytes go that came from the [owner](Bridges::owner) of an index.
    pub(super) fn pass(&mut self, now: Time, index: u64, bytes: usize) -> Passage {
        let Some(&(key, place)) = self.by_index.get(&index) else { return Passage::TooMuch };
        let Some(bridge) = self.bridges.get_mut(key) else { return Passage::TooMuch };
        if now.since(self.since) > COUNTED {
            let lately = now.since(self.since) <= 2 * COUNTED;
            self.used = [0, if lately { self.used[0] } else { 0 }];
            self.since = now;
        }
        self.used[0] += u32::from(bridge.used < self.since);
        bridge.used = now;
        let sharers = self.used[0].max(self.used[1]).max(1);
        let share = Rate::new(ALL.every.saturating_mul(sharers), (ALL.burst / sharers).max(MOST));
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let fair = bridge.passed.room(now, share) >= units;
        if !fair || !self.passed.take_many(now, ALL, units) {
            return Passage::TooMuch;
        }
        bridge.passed.take_many(now, share, units);
        Passage::To(bridge.ids[1 - place], bridge.indices[1 - place])
    }

    pub(super) fn len(&self) -> usize {
        self.bridges.len()
    }

    pub(super) fn check(&self) {
        assert_eq!(self.by_ids.len(), self.bridges.len());
        assert_eq!(self.by_index.len(), 2 * self.bridges.len());
        for (index, &(key, place)) in &self.by_index {
            let known = self.bridges.get(key).map(|bridge| bridge.indices[place]);
            assert_eq!(known, Some(*index), "an end of no bridge");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::rng::Seed;

    const fn ms(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    const fn id(n: u64) -> PeerId {
        PeerId(n)
    }

    fn some() -> (Bridges, Rng) {
        (Bridges::default(), Seed([1; 32]).stream("bridges"))
    }

    #[test]
    fn both_ends_have_one_bridge_and_an_index_each() {
        let (mut bridges, mut rng) = some();
        let one = bridges.between(ms(0), id(1), id(2), &mut rng).unwrap();
        let other = bridges.between(ms(0), id(2), id(1), &mut rng).unwrap();
        assert_eq!((bridges.len(), one == other), (1, false));
        assert_eq!(bridges.owner(ms(1), one), Some(id(1)));
        assert_eq!(bridges.owner(ms(1), other), Some(id(2)));
        assert_eq!(bridges.owner(ms(1), one.wrapping_add(1)), None);
        assert_eq!(bridges.pass(ms(1), one, 100), Passage::To(id(2), other));
        assert_eq!(bridges.pass(ms(1), other, 100), Passage::To(id(1), one));
        // Who asks again gets the same.
        assert_eq!(bridges.between(ms(2), id(1), id(2), &mut rng), Some(one));
        bridges.check();
    }

    #[test]
    fn a_bridge_that_nobody_uses_is_none_and_makes_room() {
        let (mut bridges, mut rng) = some();
        let one = bridges.between(ms(0), id(1), id(2), &mut rng).unwrap();
        assert_eq!(bridges.owner(ms(60_000), one), Some(id(1)));
        assert_eq!(bridges.owner(ms(60_001), one), None);
        for n in 0..BRIDGES_EACH as u64 {
            assert!(bridges.between(ms(60_001), id(1), id(100 + n), &mut rng).is_some(), "{n}");
        }
        assert_eq!(bridges.between(ms(60_002), id(1), id(99), &mut rng), None, "one has so many");
        assert_eq!(bridges.between(ms(60_002), id(99), id(1), &mut rng), None, "whoever asks");
        let mut n = 1_000;
        while bridges.between(ms(60_003), id(n), id(n + 1), &mut rng).is_some() {
            n += 2;
        }
        assert_eq!(bridges.len(), BRIDGES_MAX);
        bridges.check();
        assert!(bridges.between(ms(130_000), id(1), id(2), &mut rng).is_some());
        assert_eq!(bridges.len(), 1);
        bridges.check();
    }

    #[test]
    fn two_are_introduced_now_and_then_and_not_in_vain() {
        let (mut bridges, mut rng) = some();
        let at = |port| [1, 2].map(|computer| SocketAddr::from(([192, 0, 2, computer], port)));
        let ids = [id(2), id(1)];
        assert!(!bridges.may_introduce(ms(0), (ids, at(1)), [false; 2]), "there is no bridge");
        bridges.between(ms(0), id(1), id(2), &mut rng).unwrap();
        assert!(bridges.may_introduce(ms(0), (ids, at(1)), [false; 2]));
        assert!(!bridges.may_introduce(ms(3_999), (ids, at(1)), [false; 2]), "just now");
        bridges.introduce_anew(ids);
        assert!(bridges.may_introduce(ms(3_999), (ids, at(1)), [false; 2]), "to no avail");
        assert!(!bridges.may_introduce(ms(10_000), (ids, at(1)), [true; 2]), "neither lets in any");
        let mut count = |port, from| {
            let every = (from..from + 20_u64).map(|n| ms(n * 10_000));
            let told = every.map(|now| bridges.may_introduce(now, (ids, at(port)), [true, false]));
            told.filter(|&told| told).count()
        };
        assert_eq!(count(2, 1), usize::from(INTRODUCTIONS_MAX));
        assert_eq!(count(3, 30), usize::from(INTRODUCTIONS_MAX), "one has moved");
        bridges.check();
    }

    /// Bytes that pass within ten seconds, of those who send 1,200 bytes that often.
    fn passed(every_ms: &[u64]) -> Vec<usize> {
        let (mut bridges, mut rng) = some();
        let ends: Vec<u64> = (0..every_ms.len() as u64)
            .map(|n| bridges.between(ms(0), id(1 + n), id(1_000 + n), &mut rng).unwrap())
            .collect();
        let mut passed = vec![0; every_ms.len()];
        for now in 0..10_000 {
            for (n, every) in every_ms.iter().enumerate() {
                let goes = now % every == 0;
                if goes && bridges.pass(ms(now), ends[n], 1_200) != Passage::TooMuch {
                    passed[n] += 1_200;
                }
            }
        }
        passed
    }

    #[test]
    fn one_rate_for_all_and_a_share_of_it_for_each() {
        let most = 10 * 65_536 + 32_768 + 1_200;
        let alone = passed(&[1])[0];
        assert!((most * 9 / 10..=most).contains(&alone), "{alone}");
        // Whoever sends much does not take it from who sends little.
        let mixed = passed(&[1, 1, 1, 1, 500]);
        assert!(mixed.iter().sum::<usize>() <= most, "{mixed:?}");
        assert!(mixed[4] >= 15 * 1_200, "{mixed:?}");
        assert!(mixed[..4].iter().all(|&bytes| bytes * 8 > most), "{mixed:?}");
        let many = passed(&[100; 64]);
        assert!(many.iter().all(|&bytes| bytes >= 2 * 1_200), "{many:?}");
        assert!(many.iter().sum::<usize>() <= most, "{many:?}");
    }
}
