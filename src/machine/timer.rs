//! Deadlines keyed by a small index: a binary heap that knows where each key sits.
//!
//! Setting, moving and cancelling a deadline cost `O(log n)`; the earliest one is free to read;
//! nothing is allocated once the heap has reached its size. Ties fall in the order of the keys, so
//! that the same inputs always fire in the same order.

use core::hash::{Hash, Hasher};

use crate::machine::time::Time;

const ABSENT: usize = usize::MAX;

/// A set of deadlines, at most one per key. Keys are slab indices: small and dense.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    heap: Vec<(Time, usize)>,
    place: Vec<usize>,
}

/// The places in the heap follow from it.
impl Hash for Timers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.heap.hash(state);
    }
}

impl Timers {
    /// Sets the deadline of `key`, replacing an earlier one.
    pub(crate) fn set(&mut self, key: usize, at: Time) {
        if key >= self.place.len() {
            self.place.resize(key + 1, ABSENT);
        }
        let place = self.place[key];
        if place == ABSENT {
            self.heap.push((at, key));
            self.place[key] = self.heap.len() - 1;
            self.sift_up(self.heap.len() - 1);
        } else {
            self.heap[place].0 = at;
            self.sift_up(place);
            self.sift_down(self.place[key]);
        }
    }

    /// Forgets the deadline of `key`, if it has one.
    pub(crate) fn cancel(&mut self, key: usize) {
        let Some(&place) = self.place.get(key) else { return };
        if place == ABSENT {
            return;
        }
        let last = self.heap.len() - 1;
        self.swap(place, last);
        self.heap.pop();
        self.place[key] = ABSENT;
        if place < self.heap.len() {
            let moved = self.heap[place].1;
            self.sift_up(place);
            self.sift_down(self.place[moved]);
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.first().map(|&(at, _)| at)
    }

    /// Takes the earliest key whose deadline has come.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<usize> {
        let &(at, key) = self.heap.first()?;
        if at > now {
            return None;
        }
        self.cancel(key);
        Some(key)
    }

    /// The deadline of `key`.
    pub(crate) fn at(&self, key: usize) -> Option<Time> {
        let &place = self.place.get(key)?;
        self.heap.get(place).map(|&(at, _)| at)
    }

    /// How many deadlines are set.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Panics when the heap and its index disagree.
    pub(crate) fn check(&self) {
        for (place, &(at, key)) in self.heap.iter().enumerate() {
            assert_eq!(self.place[key], place, "the index points at another entry");
            assert!(place == 0 || self.heap[(place - 1) / 2].0 <= at, "heap order broken");
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.place[self.heap[a].1] = a;
        self.place[self.heap[b].1] = b;
    }

    fn sift_up(&mut self, mut place: usize) {
        while place > 0 && self.heap[place] < self.heap[(place - 1) / 2] {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            let Some(mut least) = self.heap.get(left).map(|_| left) else { return };
            if self.heap.get(left + 1).is_some_and(|right| *right < self.heap[left]) {
                least = left + 1;
            }
            if self.heap[place] <= self.heap[least] {
                return;
            }
            self.swap(place, least);
            place = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Every sequence of sets, cancels and pops agrees with a sorted map.
    #[test]
    fn agrees_with_a_model() {
        fn property(ops: Vec<(u8, u8)>) -> bool {
            let (mut timers, mut model) = (Timers::default(), BTreeMap::new());
            for (op, value) in ops {
                let key = usize::from(value % 16);
                match op % 3 {
                    0 => {
                        let at = Time::from_micros(u64::from(op) * 7 % 31);
                        timers.set(key, at);
                        model.insert(key, at);
                    }
                    1 => {
                        timers.cancel(key);
                        model.remove(&key);
                    }
                    _ => {
                        let now = Time::from_micros(u64::from(value) % 31);
                        let due = model.iter().map(|(&k, &at)| (at, k)).min();
                        let due = due.filter(|&(at, _)| at <= now).map(|(_, k)| k);
                        if let Some(key) = due {
                            model.remove(&key);
                        }
                        if timers.pop_due(now) != due {
                            return false;
                        }
                    }
                }
                timers.check();
                if timers.len() != model.len() || timers.next() != model.values().min().copied() {
                    return false;
                }
            }
            true
        }
        crate::machine::quickcheck().quickcheck(property as fn(Vec<(u8, u8)>) -> bool);
    }
}
