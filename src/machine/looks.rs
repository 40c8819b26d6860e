//! Who could be taken for whom, among those who are here, ourselves included.
//!
//! People are found by how their names look and by their ids, so that a newcomer among a thousand who
//! are called alike costs a few look-ups and one warning.

use std::collections::{BTreeMap, BTreeSet};

use crate::machine::name::Look;
use crate::machine::name::beginnings;
use crate::machine::who::identity::{Person, PublicKey};
use crate::machine::who::ids::PeerId;

/// Processes by the person they belong to: the same person twice deceives nobody.
type Persons = BTreeMap<PublicKey, BTreeSet<PeerId>>;

/// Everybody who is here, by what others could take them for.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// By each reading of their names, and by both together.
    called: BTreeMap<[String; 2], Persons>,
    /// By the beginning of an id that their names could be taken for.
    claiming: BTreeMap<String, Persons>,
    /// By the letters of their ids that people see.
    ids: BTreeMap<String, Persons>,
}

/// It follows from who is here.
impl core::hash::Hash for Looks {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.ids.len().hash(state);
    }
}

/// Whom somebody could be taken for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Alike {
    /// One for each way to look at it. Whoever was alone with such a look is among them.
    pub(crate) some: Vec<PeerId>,
    /// How many more people have a name that looks like it.
    pub(crate) others: usize,
}

impl Looks {
    /// Somebody is here.
    pub(crate) fn insert(&mut self, key: PublicKey, id: PeerId, look: &Look) {
        self.change(id, look, |persons| {
            persons.entry(key).or_default().insert(id);
        });
    }

    /// Somebody is no longer here, or no longer called so.
    pub(crate) fn remove(&mut self, key: PublicKey, id: PeerId, look: &Look) {
        self.change(id, look, |persons| {
            let Some(processes) = persons.get_mut(&key) else { return };
            processes.remove(&id);
            if processes.is_empty() {
                persons.remove(&key);
            }
        });
    }

    /// Changes every group that somebody belongs to.
    fn change(&mut self, id: PeerId, look: &Look, change: impl Fn(&mut Persons)) {
        for group in groups(look) {
            change_one(&mut self.called, group, &change);
        }
        for claim in look.claimed() {
            change_one(&mut self.claiming, claim.clone(), &change);
        }
        if let Some(letters) = beginnings(&id.to_string()).next() {
            change_one(&mut self.ids, letters, &change);
        }
    }

    /// Whom somebody could be taken for; `first`, if that is one of them, is named before others of
    /// the same look.
    pub(crate) fn alike(&self, key: PublicKey, id: PeerId, look: &Look, first: PublicKey) -> Alike {
        let mut named = Vec::new();
        let groups = groups(look);
        let called = |group: &[String; 2]| self.called.get(group);
        let single = groups.iter().take(look.readings().len());
        named.extend(single.filter_map(called).filter_map(|group| one(group, key, first)));
        let told = distinct(&mut named);
        let size = |group: &[String; 2]| {
            called(group).map_or(0, |group| group.len() - usize::from(group.contains_key(&key)))
        };
        // Whoever is read in both ways is counted with each.
        let all = match &groups[..] {
            [one, other, both] => size(one) + size(other) - size(both),
            groups => groups.iter().map(size).sum(),
        };
        named.extend(look.claimed().iter().filter_map(|claim| self.owner(claim, key)));
        let id = id.to_string();
        let claiming = beginnings(&id).filter_map(|letters| self.claiming.get(&letters));
        named.extend(claiming.filter_map(|group| one(group, key, first)));
        distinct(&mut named);
        let some = named.into_iter().map(|(_, id)| id).collect();
        Alike { some, others: all - told.min(all) }
    }

    /// Somebody else whose id begins like that.
    fn owner(&self, claim: &str, but: PublicKey) -> Option<(PublicKey, PeerId)> {
        // Four letters of an id are read as four to eight.
        let groups = (4..=8).filter_map(|end| self.ids.get(claim.get(..end)?));
        let others = groups.flatten().filter(|(key, _)| **key != but);
        let owns = |id: &&PeerId| beginnings(&id.to_string()).any(|letters| letters == claim);
        let mut owners = others.filter_map(|(key, ids)| Some((*key, *ids.iter().find(owns)?)));
        owners.next()
    }

    /// How many processes are in here.
    pub(crate) fn len(&self) -> usize {
        self.ids.values().flat_map(BTreeMap::values).map(BTreeSet::len).sum()
    }

    /// Whether somebody is in all the groups that they belong to.
    pub(crate) fn has(&self, key: PublicKey, id: PeerId, look: &Look) -> bool {
        let has = |persons: Option<&Persons>| {
            persons.and_then(|persons| persons.get(&key)).is_some_and(|ids| ids.contains(&id))
        };
        groups(look).iter().all(|group| has(self.called.get(group)))
            && look.claimed().iter().all(|claim| has(self.claiming.get(claim)))
            && has(beginnings(&id.to_string()).next().and_then(|letters| self.ids.get(&letters)))
    }
}

/// Everybody in a list who could be taken for others before them in it, or whose name reads as an id: them,
/// those others, and how many more there are.
pub(crate) fn all_alike(people: &[Person]) -> Vec<(Person, Vec<Person>, usize)> {
    let (mut looks, mut found) = (Looks::default(), Vec::new());
    let person = |id: PeerId| people.iter().find(|who| who.id == id).cloned();
    for who in people {
        let look = who.name.look();
        let alike = looks.alike(who.key, who.id, &look, who.key);
        if !alike.some.is_empty() || look.is_id() {
            let like = alike.some.into_iter().filter_map(person).collect();
            found.push((who.clone(), like, alike.others));
        }
        looks.insert(who.key, who.id, &look);
    }
    found
}

/// One of a group who is not that person.
fn one(group: &Persons, but: PublicKey, first: PublicKey) -> Option<(PublicKey, PeerId)> {
    let preferred = group.get_key_value(&first).filter(|_| first != but);
    let (key, ids) = preferred.or_else(|| group.iter().find(|(key, _)| **key != but))?;
    Some((*key, *ids.first()?))
}

/// Keeps one process of each person; returns how many there are.
fn distinct(named: &mut Vec<(PublicKey, PeerId)>) -> usize {
    let mut seen = BTreeSet::new();
    named.retain(|(key, _)| seen.insert(*key));
    named.len()
}

/// The groups of a look: one for each reading, and for two of them one of those who have both.
fn groups(look: &Look) -> Vec<[String; 2]> {
    let single = |reading: &String| [reading.clone(), String::new()];
    let mut groups: Vec<[String; 2]> = look.readings().iter().map(single).collect();
    if let [one, other] = look.readings() {
        let mut both = [one.clone(), other.clone()];
        both.sort_unstable();
        groups.push(both);
    }
    groups
}

fn change_one<K: Ord + Clone>(
    groups: &mut BTreeMap<K, Persons>,
    key: K,
    change: impl Fn(&mut Persons),
) {
    let group = groups.entry(key.clone()).or_default();
    change(group);
    if group.is_empty() {
        groups.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::name::Name;
    use crate::machine::rng::{Rng, Seed};
    use crate::machine::who::identity::Identity;

    /// Somebody, by number.
    #[derive(Clone)]
    struct Somebody {
        key: PublicKey,
        id: PeerId,
        look: Look,
    }

    fn somebody(luck: u8, incarnation: u64, name: &str) -> Somebody {
        let key = Identity::new(&[luck; 32]).public();
        let look = Name::parse(name).unwrap().look();
        Somebody { key, id: key.process(incarnation), look }
    }

    const NOBODY: PublicKey = PublicKey([0; 32]);

    impl Looks {
        fn of(people: &[Somebody]) -> Self {
            let mut looks = Self::default();
            people.iter().for_each(|who| looks.insert(who.key, who.id, &who.look));
            looks
        }

        fn alike_of(&self, who: &Somebody) -> Alike {
            self.alike(who.key, who.id, &who.look, NOBODY)
        }
    }

    /// `chatrpc who` listed two people of one look as if nobody could take them for each other.
    #[test]
    fn those_in_a_list_who_look_alike_are_found_once_each() {
        let person = |luck: u8, name: &str| {
            let key = Identity::new(&[luck; 32]).public();
            Person { id: key.process(1), key, name: Name::parse(name).unwrap() }
        };
        let other = person(9, "eve");
        let as_id =
            Person { name: Name::parse(&other.id.to_string()[..8]).unwrap(), ..person(8, "x") };
        let people = [
            person(1, "Ian"),
            person(2, "bob"),
            person(3, "lan"),
            person(4, "Ιan"),
            other,
            as_id,
            person(2, "Bob"),
        ];
        let found = all_alike(&people);
        let told: Vec<(&Person, Vec<&Person>)> =
            found.iter().map(|(one, like, _)| (one, like.iter().collect())).collect();
        assert_eq!(told[0], (&people[2], vec![&people[0]]));
        assert_eq!(told[1].0, &people[3]);
        assert_eq!(told[2], (&people[5], vec![&people[4]]));
        assert_eq!(told.len(), 3, "the same person twice deceives nobody");
        assert_eq!(all_alike(&people[..2]), []);
    }

    #[test]
    fn a_thousand_look_alikes_are_counted_and_not_listed() {
        let people: Vec<Somebody> = (0..1000u64)
            .map(|n| {
                let mut key = [0; 32];
                key[..8].copy_from_slice(&(n + 1).to_be_bytes());
                let key = PublicKey(key);
                let name = ["Ian", "lan", "ian", "Ιan"][(n % 4) as usize];
                Somebody { key, id: key.process(1), look: Name::parse(name).unwrap().look() }
            })
            .collect();
        let looks = Looks::of(&people);
        assert!(people.iter().all(|who| looks.has(who.key, who.id, &who.look)));
        let alike = looks.alike_of(&people[0]);
        assert_eq!((alike.some.len(), alike.others), (2, 997), "one who is read ian, one lan");
        let mine = looks.alike(people[0].key, people[0].id, &people[0].look, people[500].key);
        assert_eq!(mine.some[0], people[500].id);
        let nobody = somebody(7, 1, "carol");
        assert_eq!(looks.alike_of(&nobody), Alike::default());
    }

    #[test]
    fn a_name_could_be_taken_for_an_id() {
        let bob = somebody(2, 9, "bob");
        let id = bob.id.to_string();
        let looks = Looks::of(std::slice::from_ref(&bob));
        for letters in 4..=13 {
            let beginning = &id[..letters];
            for name in [
                beginning.to_owned(),
                beginning.to_uppercase(),
                beginning.replace('o', "0").replace('a', "а"),
                format!("bob·{beginning}"),
                format!("x ({beginning})"),
            ] {
                let Ok(name) = Name::parse(&name) else { continue };
                let mut mallory = somebody(3, 9, "x");
                mallory.look = name.look();
                assert_eq!(looks.alike_of(&mallory).some, [bob.id], "{name}");
                // Whoever comes first.
                let looks = Looks::of(std::slice::from_ref(&mallory));
                assert_eq!(looks.alike_of(&bob).some, [mallory.id], "{name}");
                let mut own = bob.clone();
                own.look = name.look();
                assert!(looks.alike_of(&own).some.len() <= 1);
            }
        }
        for other in ["bob2", &id[..3], &id[1..6], "zzzzz"] {
            assert_eq!(looks.alike_of(&somebody(3, 9, other)), Alike::default(), "{other}");
        }
    }

    /// The index says what a look at everybody would say.
    #[test]
    fn the_same_as_one_after_the_other() {
        let mut rng = Seed([5; 32]).stream("looks");
        let names = ["Ian", "ian", "lan", "Lan", "rnark", "Mark", "mark", "bob", "b0b", "carol"];
        for _ in 0..300 {
            let drawn = |rng: &mut Rng| {
                let (luck, incarnation) = (rng.below(9) as u8 + 1, rng.below(3) + 1);
                let mut who = somebody(luck, incarnation, names[rng.below(10) as usize]);
                if rng.below(3) == 0 {
                    let other = somebody(rng.below(9) as u8 + 1, 1, "x").id.to_string();
                    let letters = &other[..4 + rng.below(9) as usize];
                    who.look = Name::parse(letters).map_or(who.look, |name| name.look());
                }
                who
            };
            let mut people: Vec<Somebody> = Vec::new();
            for _ in 0..8 {
                let who = drawn(&mut rng);
                people.retain(|other| other.id != who.id);
                people.push(who);
            }
            let mut looks = Looks::of(&people);
            let gone = people.remove(rng.below(people.len() as u64) as usize);
            looks.remove(gone.key, gone.id, &gone.look);
            assert!(people.iter().all(|who| looks.has(who.key, who.id, &who.look)));
            assert_eq!(looks.len(), people.len());
            let is_like = |one: &Somebody, other: &Somebody| {
                one.key != other.key
                    && (one.look.is_like(&other.look)
                        || one.look.claims(&other.id.to_string())
                        || other.look.claims(&one.id.to_string()))
            };
            let them: BTreeSet<PublicKey> =
                people.iter().filter(|other| is_like(&gone, other)).map(|who| who.key).collect();
            let alike = looks.alike_of(&gone);
            assert_eq!(alike.some.is_empty(), them.is_empty());
            assert!(alike.some.iter().all(|id| {
                let who = people.iter().find(|who| who.id == *id).unwrap();
                them.contains(&who.key)
            }));
        }
    }
}
