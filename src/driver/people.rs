//! Who is here, and how they are called on paper and on the screen.

use std::collections::{BTreeMap, BTreeSet};

use crate::machine::{Event, Name, PeerId, Person, Refusal, SafeText};

/// How many people who were ever confusable are remembered as such.
const ALIKE_MAX: usize = 4096;

/// The people in the room besides us.
#[derive(Debug)]
pub(crate) struct People {
    names: BTreeMap<PeerId, Name>,
    /// Those who are shown with their id.
    alike: BTreeSet<PeerId>,
}

impl People {
    /// Nobody.
    pub(crate) const EMPTY: Self = Self { names: BTreeMap::new(), alike: BTreeSet::new() };

    /// Takes note of who came, went, or is called otherwise.
    pub(crate) fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Ready { people, .. } => {
                self.names = people.iter().map(|who| (who.id, who.name.clone())).collect();
            }
            Event::Joined(who) => drop(self.names.insert(who.id, who.name.clone())),
            Event::Renamed { who, .. } => {
                if let Some(name) = self.names.get_mut(&who.id) {
                    *name = who.name.clone();
                }
            }
            // What they said stays on the screen, and so does their id.
            Event::Left { who, .. } => drop(self.names.remove(&who.id)),
            Event::Alike { one, other } => {
                self.alike.extend([one.id, other.id]);
                while self.alike.len() > ALIKE_MAX {
                    self.alike.pop_first();
                }
            }
            _ => {}
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Everybody, by name.
    pub(crate) fn sorted(&self) -> Vec<Person> {
        let person = |(&id, name): (&PeerId, &Name)| Person { id, name: name.clone() };
        let mut people: Vec<Person> = self.names.iter().map(person).collect();
        people.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        people
    }

    /// Who is meant by a name, or by the beginning of an id of four letters and more.
    pub(crate) fn find(&self, wanted: &str) -> Result<Person, Refusal<'static>> {
        let people = self.sorted();
        let mut found: Vec<&Person> =
            people.iter().filter(|who| who.name.as_str() == wanted).collect();
        if found.is_empty() && wanted.len() >= 4 {
            found = people.iter().filter(|who| who.id.to_string().starts_with(wanted)).collect();
        }
        let wanted = || SafeText::new(wanted).into_owned();
        match found[..] {
            [one] => Ok(one.clone()),
            [] => Err(Refusal::NobodyCalled(wanted())),
            _ => Err(Refusal::SeveralCalled(wanted())),
        }
    }

    /// What somebody is called so that nobody takes them for another: `bob`, or `bob·k7f3`.
    pub(crate) fn label(&self, who: &Person) -> String {
        // A name with the sign that sets an id apart could pass for somebody else's label.
        if self.alike.contains(&who.id) || who.name.as_str().contains('·') {
            let id = who.id.to_string();
            // Two devices of one person have the same four letters.
            let twin = |&other: &PeerId| other != who.id && other.short() == id[..4];
            let letters = if self.alike.iter().any(twin) { 8 } else { 4 };
            format!("{}·{}", who.name, &id[..letters])
        } else {
            who.name.to_string()
        }
    }

    /// The labels of everybody, by id.
    pub(crate) fn here(&self) -> String {
        let labels =
            self.names.iter().map(|(&id, name)| self.label(&Person { id, name: name.clone() }));
        labels.collect::<Vec<_>>().join(", ")
    }
}
