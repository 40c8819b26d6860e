//! A slab whose keys do not outlive what they stand for.
//!
//! A slab hands out small dense indices and gives a freed one away again at once. A key that was kept
//! a moment too long would then stand for somebody else, and an index into an empty place panics. So a
//! key carries a generation as well: one that is outdated finds nothing, and every look-up can fail.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;

use slab::Slab;

/// Which of the things in a [`Slots`]: a place, and which of its tenants. Generations wrap after 2³²
/// insertions; no key is kept for so long.
pub(crate) struct Key<T> {
    index: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// Its place: small, dense, and another's once this one is gone.
    pub(crate) const fn index(self) -> usize {
        self.index as usize
    }

    /// Its place and its generation.
    pub(crate) const fn to_parts(self) -> (u32, u32) {
        (self.index, self.generation)
    }

    /// The key of those. One that was never given out finds nothing.
    pub(crate) const fn of_parts((index, generation): (u32, u32)) -> Self {
        Self { index, generation, of: PhantomData }
    }
}

// Derived, these would ask the same of `T`.
impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}

impl<T> Eq for Key<T> {}

impl<T> PartialOrd for Key<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Key<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.index, self.generation).cmp(&(other.index, other.generation))
    }
}

impl<T> Hash for Key<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.index, self.generation).hash(state);
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

/// Things by [`Key`]. `K` tells the keys of one table from those of another.
#[derive(Debug)]
pub(crate) struct Slots<T, K = T> {
    slab: Slab<(u32, T)>,
    generation: u32,
    keys: PhantomData<fn() -> K>,
}

impl<T, K> Default for Slots<T, K> {
    fn default() -> Self {
        Self { slab: Slab::new(), generation: 0, keys: PhantomData }
    }
}

impl<T: Hash, K> Hash for Slots<T, K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.generation.hash(state);
        self.slab.iter().for_each(|place| place.hash(state));
    }
}

impl<T, K> Slots<T, K> {
    /// Keeps a thing. Nothing before had its key.
    ///
    /// # Panics
    ///
    /// With 2³² things, which no table of ours comes near.
    pub(crate) fn insert(&mut self, thing: T) -> Key<K> {
        self.generation = self.generation.wrapping_add(1);
        let index = self.slab.insert((self.generation, thing));
        assert!(index <= u32::MAX as usize, "a table without a limit");
        Key { index: index as u32, generation: self.generation, of: PhantomData }
    }

    /// What the key stands for, unless that is gone.
    pub(crate) fn get(&self, key: Key<K>) -> Option<&T> {
        let (generation, thing) = self.slab.get(key.index())?;
        (*generation == key.generation).then_some(thing)
    }

    /// What the key stands for, unless that is gone.
    pub(crate) fn get_mut(&mut self, key: Key<K>) -> Option<&mut T> {
        let (generation, thing) = self.slab.get_mut(key.index())?;
        (*generation == key.generation).then_some(thing)
    }

    /// Takes out what the key stands for. Its place is free from here on, its key never comes again.
    pub(crate) fn remove(&mut self, key: Key<K>) -> Option<T> {
        self.get(key)?;
        Some(self.slab.remove(key.index()).1)
    }

    /// Whether what the key stands for is there.
    pub(crate) fn contains(&self, key: Key<K>) -> bool {
        self.get(key).is_some()
    }

    /// The key of what is at a place now.
    pub(crate) fn key_at(&self, index: usize) -> Option<Key<K>> {
        let &(generation, _) = self.slab.get(index)?;
        Some(Key { index: index as u32, generation, of: PhantomData })
    }

    /// Every place is below this.
    pub(crate) fn places(&self) -> usize {
        self.slab.capacity()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// All of them, in the order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key<K>, &T)> {
        self.slab.iter().map(|(index, (generation, thing))| {
            (Key { index: index as u32, generation: *generation, of: PhantomData }, thing)
        })
    }

    /// All of them, in the order of their places.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Key<K>, &mut T)> {
        self.slab.iter_mut().map(|(index, (generation, thing))| {
            (Key { index: index as u32, generation: *generation, of: PhantomData }, thing)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_outdated_finds_nothing() {
        let mut slots = Slots::<_>::default();
        let one = slots.insert("one");
        assert_eq!((slots.get(one), slots.key_at(0)), (Some(&"one"), Some(one)));
        assert_eq!(slots.remove(one), Some("one"));
        let two = slots.insert("two");
        assert_eq!(one.index(), two.index(), "the place is used again");
        assert_ne!(one, two);
        assert!(!slots.contains(one) && slots.contains(two));
        assert!(slots.get(one).is_none() && slots.get_mut(one).is_none());
        assert_eq!(slots.remove(one), None);
        assert_eq!((slots.len(), slots.get(two)), (1, Some(&"two")));
        assert_eq!(slots.key_at(7), None);
    }

    #[test]
    fn keys_agree_with_a_map_of_what_was_kept() {
        fn property(ops: Vec<u8>) -> bool {
            let (mut slots, mut model) = (Slots::<_>::default(), std::collections::BTreeMap::new());
            let mut ever = Vec::new();
            for (n, op) in ops.into_iter().enumerate() {
                if op % 2 == 0 || ever.is_empty() {
                    let key = slots.insert(n);
                    model.insert(key, n);
                    ever.push(key);
                } else {
                    let key = ever[usize::from(op) % ever.len()];
                    if slots.remove(key) != model.remove(&key) {
                        return false;
                    }
                }
            }
            let all: Vec<_> = slots.iter().map(|(key, &n)| (key, n)).collect();
            all.iter().copied().collect::<std::collections::BTreeMap<_, _>>() == model
                && all.len() == slots.len()
                && ever.iter().all(|&key| slots.get(key) == model.get(&key))
        }
        crate::machine::quickcheck().quickcheck(property as fn(Vec<u8>) -> bool);
    }
}
