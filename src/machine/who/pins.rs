//! Whom we trust: names, and the one key each stands for.

use std::collections::BTreeMap;

use crate::machine::name::{Look, Name};
use crate::machine::text::fold::folded;
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

    /// Trusts a name no more. The key that it stood for.
    pub(crate) fn remove(&mut self, name: &Name) -> Option<PublicKey> {
        self.0.remove(name).map(|(key, _)| key)
    }

    /// Every name, and its key.
    pub(crate) fn all(&self) -> impl Iterator<Item = Pin> {
        self.0.iter().map(|(name, (key, _))| Pin { name: name.clone(), key: *key })
    }

    /// The one name that is written like this, whatever the case of its letters.
    pub(crate) fn called(&self, word: &str) -> Option<&Name> {
        let exact = self.0.keys().find(|name| name.as_str() == word);
        let wanted = folded(word);
        let mut like = self.0.keys().filter(|name| folded(name.as_str()) == wanted);
        exact.or_else(|| like.next().filter(|_| like.next().is_none()))
    }

    /// The name that is trusted to be that key's, if there is one alone.
    pub(crate) fn of_key(&self, key: PublicKey) -> Option<&Name> {
        let mut names = self.0.iter().filter(|(_, (pinned, _))| *pinned == key);
        names.next().map(|(name, _)| name).filter(|_| names.next().is_none())
    }

    /// The key that the name is trusted to stand for.
    pub(crate) fn key_of(&self, name: &Name) -> Option<PublicKey> {
        self.0.get(name).map(|(pinned, _)| *pinned)
    }

    /// Whether the name is trusted to be that key's.
    pub(crate) fn holds(&self, name: &Name, key: PublicKey) -> bool {
        self.key_of(name) == Some(key)
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
    fn a_name_is_found_as_it_is_written_and_forgotten() {
        let (bob, other) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let mut pins = Pins::default();
        for (text, key) in [("Bob", bob), ("Zo\u{eb}", other), ("carol", other)] {
            assert!(pins.insert(name(text), key));
        }
        assert_eq!(pins.called("bob"), Some(&name("Bob")));
        assert_eq!(pins.called("ZOE\u{308}"), Some(&name("Zo\u{eb}")));
        assert_eq!((pins.called("rob"), pins.of_key(bob)), (None, Some(&name("Bob"))));
        assert_eq!(pins.of_key(other), None, "two names are not one");
        assert!(pins.insert(name("bob"), other));
        assert_eq!(pins.called("BOB"), None, "nor is one of two guessed");
        assert_eq!(pins.called("bob"), Some(&name("bob")));
        assert_eq!((pins.remove(&name("bob")), pins.remove(&name("bob"))), (Some(other), None));
        assert_eq!(pins.all().count(), 3);
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
