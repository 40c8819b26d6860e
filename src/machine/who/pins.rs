//! Whom we trust: names, and the one key each stands for.

use std::collections::BTreeMap;

use crate::machine::name::{Look, Name};
use crate::machine::who::identity::{Pin, PublicKey};

/// Names that are trusted at most.
pub(crate) const PINS_MAX: usize = 1024;

/// Trusted names, and how they look: what people could take for one of them is judged by it.
#[derive(Debug, Default, Hash)]
pub(crate) struct Pins(BTreeMap<Name, (PublicKey, Look)>);

impl Pins {
    pub(crate) fn new(pins: Vec<Pin>) -> Self {
        let mut all = Self::default();
        for pin in pins {
            all.insert(pin.name, pin.key);
        }
        all
    }

    /// How many names are trusted.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Trusts a name to be that key's from now on. False when too many are trusted already.
    pub(crate) fn insert(&mut self, name: Name, key: PublicKey) -> bool {
        if self.0.len() >= PINS_MAX && !self.0.contains_key(&name) {
            return false;
        }
        let look = name.look();
        self.0.insert(name, (key, look));
        true
    }

    /// Whether the name is trusted to be that key's.
    pub(crate) fn holds(&self, name: &Name, key: PublicKey) -> bool {
        self.0.get(name).is_some_and(|(pinned, _)| *pinned == key)
    }

    /// Whether the name is trusted to be somebody else's, or could be taken for one that is.
    pub(crate) fn contradict(&self, name: &Name, look: &Look, key: PublicKey) -> bool {
        let other = |(pinned, like): &(PublicKey, Look)| *pinned != key && like.is_like(look);
        !self.holds(name, key) && self.0.values().any(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn who_looks_like_somebody_trusted_is_not_them() {
        let (bob, other) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let mut pins = Pins::default();
        assert!(pins.insert(name("bob"), bob));
        let contradicts =
            |pins: &Pins, text: &str, key| pins.contradict(&name(text), &name(text).look(), key);
        for alike in ["bob", "Bob", "b\u{3bf}b"] {
            assert!(contradicts(&pins, alike, other) && !contradicts(&pins, alike, bob), "{alike}");
        }
        assert!(!contradicts(&pins, "rob", other));
        // Who is trusted under a name of their own may look like another.
        assert!(pins.insert(name("Bob"), other));
        assert!(!contradicts(&pins, "Bob", other) && contradicts(&pins, "bob", other));
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let mut pins = Pins::default();
        let key = PublicKey([1; 32]);
        assert!((0..PINS_MAX).all(|n| pins.insert(name(&format!("somebody {n}")), key)));
        assert!(!pins.insert(name("one more"), key));
        assert!(pins.insert(name("somebody 7"), PublicKey([2; 32])));
    }
}
