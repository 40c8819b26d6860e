//! Whom we trust: names, and the one key each stands for.

use std::collections::{BTreeMap, BTreeSet};

use crate::machine::name::{Look, Name, begin_like, cut_labels};
use crate::machine::text::fold::folded;
#[cfg(feature = "driver")]
use crate::machine::who::identity::Person;
use crate::machine::who::identity::{Pin, PublicKey};

/// Names that are trusted at most.
pub(crate) const PINS_MAX: usize = 1024;

/// Trusted names, found as they are written and by what people could take for them.
#[derive(Debug, Default, Hash)]
pub(crate) struct Pins {
    names: BTreeMap<Name, PublicKey>,
    /// The names by each of their readings.
    read: BTreeMap<String, BTreeSet<Name>>,
}

/// What people could take somebody for where whoever has the name is not there to compare with: their name as
/// it looks, without what a hurried eye passes over; and that without what may be a label behind it, and the
/// letters of that label.
fn taken_for(look: &Look) -> impl Iterator<Item = (&str, Option<String>)> {
    look.bare().iter().flat_map(|reading| {
        let cut = cut_labels(reading).map(|(name, letters)| (name, Some(letters)));
        core::iter::once((&reading[..], None)).chain(cut)
    })
}

/// Whether a label with these letters says no more than the name does: they are those of who is trusted, or
/// those of who goes by it, and any label has those.
fn is_label(letters: Option<&str>, trusted: PublicKey, own: PublicKey) -> bool {
    let short = |key: PublicKey| key.process(0).short();
    let of = |key| letters.is_none_or(|letters| begin_like(letters, &short(key)));
    of(trusted) || of(own)
}

impl Pins {
    /// No name is trusted.
    #[cfg(feature = "driver")]
    pub(crate) const EMPTY: Self = Self { names: BTreeMap::new(), read: BTreeMap::new() };

    pub(crate) fn new(pins: Vec<Pin>) -> Self {
        let mut all = Self::default();
        for pin in pins {
            all.insert(pin.name, pin.key);
        }
        all
    }

    /// How many names are trusted.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Trusts a name to be that key's from now on. False when too many are trusted already.
    pub(crate) fn insert(&mut self, name: Name, key: PublicKey) -> bool {
        if self.names.len() >= PINS_MAX && !self.names.contains_key(&name) {
            return false;
        }
        self.remove(&name);
        for reading in name.look().bare() {
            self.read.entry(reading.clone()).or_default().insert(name.clone());
        }
        self.names.insert(name, key);
        true
    }

    /// Trusts a name no more. The key that it stood for.
    pub(crate) fn remove(&mut self, name: &Name) -> Option<PublicKey> {
        let key = self.names.remove(name)?;
        for reading in name.look().bare() {
            let Some(names) = self.read.get_mut(reading) else { continue };
            names.remove(name);
            if names.is_empty() {
                self.read.remove(reading);
            }
        }
        Some(key)
    }

    /// Every name, and its key.
    pub(crate) fn all(&self) -> impl Iterator<Item = Pin> {
        self.names.iter().map(|(name, key)| Pin { name: name.clone(), key: *key })
    }

    /// The one name that is written like this, whatever the case of its letters.
    pub(crate) fn called(&self, word: &str) -> Option<&Name> {
        let exact = self.names.keys().find(|name| name.as_str() == word);
        let wanted = folded(word);
        let mut like = self.names.keys().filter(|name| folded(name.as_str()) == wanted);
        exact.or_else(|| like.next().filter(|_| like.next().is_none()))
    }

    /// The name that is trusted to be that key's, if there is one alone.
    pub(crate) fn of_key(&self, key: PublicKey) -> Option<&Name> {
        let mut names = self.names.iter().filter(|(_, pinned)| **pinned == key);
        names.next().map(|(name, _)| name).filter(|_| names.next().is_none())
    }

    /// The key that the name is trusted to stand for.
    pub(crate) fn key_of(&self, name: &Name) -> Option<PublicKey> {
        self.names.get(name).copied()
    }

    /// Whether the name is trusted to be that key's.
    pub(crate) fn holds(&self, name: &Name, key: PublicKey) -> bool {
        self.key_of(name) == Some(key)
    }

    /// Whether the name is trusted to be somebody else's, or could be taken for one that is.
    pub(crate) fn contradict(&self, name: &Name, look: &Look, key: PublicKey) -> bool {
        let is_other = |name: &Name, letters: Option<&str>| {
            self.key_of(name).is_some_and(|pinned| pinned != key && is_label(letters, pinned, key))
        };
        let contradicts = |(reading, letters): (&str, Option<String>)| {
            let mut named = self.read.get(reading).into_iter().flatten();
            named.any(|name| is_other(name, letters.as_deref()))
        };
        !self.names.is_empty() && !self.holds(name, key) && taken_for(look).any(contradicts)
    }

    /// Whether somebody goes by a trusted name, or by one that could be taken for it, with another key.
    #[cfg(feature = "driver")]
    pub(crate) fn are_against(&self, who: &Person) -> bool {
        !self.names.is_empty() && self.contradict(&who.name, &who.name.look(), who.key)
    }
}

/// Whether somebody with that key could be taken for who has the name, trusted or not any more, to stand for
/// the other key.
pub(crate) fn could_be((look, own): (&Look, PublicKey), name: &Name, key: PublicKey) -> bool {
    let trusted = name.look();
    taken_for(look).any(|(reading, letters)| {
        trusted.bare().iter().any(|known| known == reading)
            && is_label(letters.as_deref(), key, own)
    })
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
        let label = PublicKey([1; 32]).process(7).short();
        for alike in ["bob", "Bob", "b\u{3bf}b"] {
            assert!(contradicts(&pins, alike, other) && !contradicts(&pins, alike, bob), "{alike}");
        }
        // While Bob is away, nobody sees the one beside the other.
        for alike in
            ["b ob", "bob.", "bob_", "-bob-", "b\u{f6}b", "B\u{f3}b", "bob\u{1F525}", "bob·k7f3"]
        {
            assert!(contradicts(&pins, alike, other) && !contradicts(&pins, alike, bob), "{alike}");
        }
        for alike in ["bob·{}", "bob ({})", "bob-{}", "bob {}", "bob.{}", "Bob{}"] {
            let alike = alike.replace("{}", &label);
            assert!(
                contradicts(&pins, &alike, other) && !contradicts(&pins, &alike, bob),
                "{alike}"
            );
        }
        // Eight letters of it behind a blank were no label.
        let (of_bob, of_other) = (bob.process(7).to_string(), other.process(7).to_string());
        for id in [of_bob, of_other] {
            for letters in [4, 5, 8, 12, 13] {
                for set_apart in ["·{}", " ({})", "-{}", " {}", ".{}", "{}", "_{}", " #{}", " {} "]
                {
                    let alike = format!("Bob{}", set_apart.replace("{}", &id[..letters]));
                    assert!(contradicts(&pins, &alike, other), "{alike}");
                    assert!(!contradicts(&pins, &alike, bob), "{alike}");
                    let look = name(&alike).look();
                    assert!(could_be((&look, other), &name("bob"), bob), "{alike}");
                }
            }
        }
        let stray = PublicKey([3; 32]).process(7).to_string();
        for letters in [3, 4, 8] {
            let apart = format!("bob {}", &stray[..letters]);
            assert!(!contradicts(&pins, &apart, other), "{apart}: letters of nobody here");
        }
        for apart in ["rob", "bobby", "bob2", "bob·jr", "bob lee", "bob-work", "\u{1F525}"] {
            assert!(!contradicts(&pins, apart, other), "{apart}");
        }
        assert!(pins.insert(name("\u{1F525}"), bob));
        assert!(contradicts(&pins, "\u{1F525}", other) && !contradicts(&pins, "\u{1F30A}", other));
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
