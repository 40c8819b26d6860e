//! Who watches whom: everybody stands in several rings, and pings the one who stands before them in each
//! (docs/PROTOCOL.md, "Presence"). So each member is asked by a few others whether they are there, however
//! many there are in the room, and those few are strangers to each other.
//!
//! Observers in several rings are Rapid's (Suresh and others, USENIX ATC 2018); the places are drawn by hashing
//! under a key of the room.

use std::collections::BTreeSet;

use core::ops::Bound;

use crate::machine::keyed::short;
use crate::machine::purpose::MemberKey;
use crate::machine::who::ids::PeerId;

/// How many rings there are: so many one member watches, and by so many it is watched.
pub(super) const RINGS: usize = 5;

/// The places of one process in the rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lots([[u8; 8]; RINGS]);

impl Lots {
    /// Those in the rings of a room. Who does not have the key of the room cannot choose theirs.
    pub(super) fn of(room: &[u8], id: PeerId) -> Self {
        let lot = |ring: usize| short(room, &[b"watch", &[ring as u8], &id.0.to_be_bytes()]);
        Self(core::array::from_fn(lot))
    }
}

/// Everybody who is here to read, in every ring.
#[derive(Debug, Default, Hash)]
pub(super) struct Rings([BTreeSet<([u8; 8], MemberKey)>; RINGS]);

impl Rings {
    pub(super) fn insert(&mut self, lots: Lots, key: MemberKey) {
        for (ring, lot) in self.0.iter_mut().zip(lots.0) {
            ring.insert((lot, key));
        }
    }

    pub(super) fn remove(&mut self, lots: Lots, key: MemberKey) {
        for (ring, lot) in self.0.iter_mut().zip(lots.0) {
            ring.remove(&(lot, key));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0[0].len()
    }

    /// Whom the one at these places watches: in each ring the last one before it who is watched in no other. Who
    /// may be `lost` is watched as well, and stands in for nobody.
    pub(super) fn before(&self, lots: Lots, lost: impl Fn(MemberKey) -> bool) -> Vec<MemberKey> {
        let mut watched = Vec::new();
        for (ring, lot) in self.0.iter().zip(lots.0) {
            let first = (lot, MemberKey::of_parts((0, 0)));
            let around = ring.range(..first).rev().chain(ring.range(first..).rev());
            choose(around.map(|&(_, key)| key), &lost, &mut watched);
        }
        watched
    }

    /// Who watches the one at these places.
    pub(super) fn after(&self, lots: Lots, lost: impl Fn(MemberKey) -> bool) -> Vec<MemberKey> {
        let mut watchers = Vec::new();
        for (ring, lot) in self.0.iter().zip(lots.0) {
            let last = (lot, MemberKey::of_parts((u32::MAX, u32::MAX)));
            let behind = ring.range((Bound::Excluded(last), Bound::Unbounded));
            let around = behind.chain(ring.range(..last));
            choose(around.map(|&(_, key)| key), &lost, &mut watchers);
        }
        watchers
    }
}

/// Adds those around until one is among them who is there and was not chosen before.
fn choose(
    around: impl Iterator<Item = MemberKey>,
    lost: impl Fn(MemberKey) -> bool,
    chosen: &mut Vec<MemberKey>,
) {
    for key in around {
        if !chosen.contains(&key) {
            chosen.push(key);
            if !lost(key) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::slots::Slots;

    fn rings(people: usize) -> (Rings, Vec<(Lots, MemberKey)>) {
        let mut slots = Slots::default();
        let places: Vec<(Lots, MemberKey)> =
            (0..people as u64).map(|n| (Lots::of(&[7; 32], PeerId(n)), slots.insert(()))).collect();
        let mut rings = Rings::default();
        places.iter().for_each(|&(lots, key)| rings.insert(lots, key));
        (rings, places)
    }

    #[test]
    fn everybody_is_watched_by_about_as_many_as_they_watch() {
        let (mut rings, places) = rings(200);
        assert_eq!(rings.len(), 200);
        let mut watchers = vec![0; 200];
        for &(lots, key) in &places {
            rings.remove(lots, key);
            let watched = rings.before(lots, |_| false);
            assert_eq!(watched.len(), RINGS);
            watched.iter().for_each(|watched| watchers[watched.index()] += 1);
            rings.insert(lots, key);
        }
        assert!(watchers.iter().all(|&many| (3..=8).contains(&many)), "{watchers:?}");
        assert_eq!(watchers.iter().sum::<usize>(), 200 * RINGS);
    }

    #[test]
    fn who_watches_is_found_from_who_is_watched() {
        let (mut rings, places) = rings(100);
        let (mut found, mut all) = (0, 0);
        for &(lots, key) in &places {
            rings.remove(lots, key);
            for watched in rings.before(lots, |_| false) {
                let theirs = places[watched.index()].0;
                rings.remove(theirs, watched);
                rings.insert(lots, key);
                found += usize::from(rings.after(theirs, |_| false).contains(&key));
                all += 1;
                rings.insert(theirs, watched);
                rings.remove(lots, key);
            }
            rings.insert(lots, key);
        }
        assert!(found * 10 >= all * 9, "{found} of {all}: all but those who stand in for others");
    }

    #[test]
    fn in_a_small_room_everybody_watches_everybody() {
        let (rings, places) = rings(4);
        for lots in [places[0].0, Lots([[0; 8]; RINGS]), Lots([[0xff; 8]; RINGS])] {
            let mut watched = rings.before(lots, |_| false);
            watched.sort_unstable();
            watched.dedup();
            assert_eq!(watched.len(), 4);
        }
        assert!(Rings::default().before(places[0].0, |_| false).is_empty());
    }

    #[test]
    fn who_may_be_lost_stands_in_for_nobody() {
        let (mut rings, places) = rings(50);
        let (me, key) = places[0];
        rings.remove(me, key);
        let calm = rings.before(me, |_| false);
        let lost = [calm[0], calm[2]];
        let watched = rings.before(me, |key| lost.contains(&key));
        assert!(watched.len() >= RINGS + 2 && lost.iter().all(|key| watched.contains(key)));
        assert_eq!(rings.before(me, |_| true).len(), 49, "and then it is everybody");
    }
}
