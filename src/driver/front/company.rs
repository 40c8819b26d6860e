//! Who is in the room, and how they are called on paper and on the screen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::machine::{
    Event, Known, Name, PeerId, Person, Pin, Pins, PublicKey, Refusal, Whom, addressed,
};

/// How many people who were ever confusable are remembered as such, and how many of their processes.
const ALIKE_MAX: usize = 4096;

/// How many people who are gone are remembered: what is meant for them reaches nobody else.
const GONE_MAX: usize = 256;

/// What stands before the name of somebody who has another key than the trusted one.
pub(crate) const IMPOSTOR: &str = "!";

/// The people in the room. Every seat has one, and nobody else has.
#[derive(Debug)]
pub(crate) struct Company {
    /// Who we are, once we are in.
    pub(crate) me: Option<Person>,
    /// Everybody else.
    here: BTreeMap<PeerId, Person>,
    /// The last one who went is the last one.
    gone: VecDeque<Person>,
    /// Those who are shown with their ids, and all ids of theirs.
    alike: BTreeSet<PublicKey>,
    alike_ids: BTreeSet<PeerId>,
    /// Whom we trust: everybody who goes by such a name with another key has a mark, from the first
    /// word about them on.
    pins: Pins,
}

impl Company {
    /// Nobody.
    pub(crate) const EMPTY: Self = Self {
        me: None,
        here: BTreeMap::new(),
        gone: VecDeque::new(),
        alike: BTreeSet::new(),
        alike_ids: BTreeSet::new(),
        pins: Pins::EMPTY,
    };

    /// These names are trusted.
    pub(crate) fn trust(&mut self, pins: Vec<Pin>) {
        self.pins = Pins::new(pins);
    }

    /// Takes note of who came, went, or is called otherwise.
    pub(crate) fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Ready { me, people, .. } => {
                self.me = Some(me.clone());
                self.here = people.iter().map(|who| (who.id, who.clone())).collect();
            }
            Event::Joined(who) => {
                self.gone.retain(|gone| gone.id != who.id);
                self.here.insert(who.id, who.clone());
                if self.alike.contains(&who.key) {
                    self.mark(who);
                }
            }
            Event::Renamed { who, .. } => {
                let me = self.me.as_mut().filter(|me| me.id == who.id);
                if let Some(known) = me.or_else(|| self.here.get_mut(&who.id)) {
                    *known = who.clone();
                }
            }
            // What they said stays on the screen, and so does their id.
            Event::Left { who, .. } => {
                self.here.remove(&who.id);
                self.gone.push_back(who.clone());
                if self.gone.len() > GONE_MAX {
                    self.gone.pop_front();
                }
            }
            // The machine holds as many as fit here.
            Event::Trusted { who, key } => drop(self.pins.insert(who.name.clone(), *key)),
            Event::Untrusted { name, .. } => drop(self.pins.remove(name)),
            Event::Alike { one, like, .. } => {
                for who in [one].into_iter().chain(like) {
                    self.mark(who);
                }
            }
            _ => {}
        }
    }

    /// Whether somebody goes by a trusted name, or one that looks like it, with another key.
    pub(crate) fn is_impostor(&self, who: &Person) -> bool {
        self.pins.are_against(who) && !self.is_me(who.id)
    }

    /// Whether somebody was told of who could be taken for another.
    pub(crate) fn is_alike(&self, who: &Person) -> bool {
        self.alike.contains(&who.key)
    }

    /// From here on somebody is shown with their id, whichever process of theirs it is.
    fn mark(&mut self, who: &Person) {
        self.alike.insert(who.key);
        self.alike_ids.insert(who.id);
        if self.alike.len() > ALIKE_MAX {
            self.alike.pop_first();
        }
        if self.alike_ids.len() > ALIKE_MAX {
            self.alike_ids.pop_first();
        }
    }

    /// Whether that process is ours.
    pub(crate) fn is_me(&self, id: PeerId) -> bool {
        self.me.as_ref().is_some_and(|me| me.id == id)
    }

    /// How many there are besides us.
    pub(crate) fn len(&self) -> usize {
        self.here.len()
    }

    /// Everybody, by name.
    pub(crate) fn sorted(&self) -> Vec<Person> {
        let mut people: Vec<Person> = self.here.values().cloned().collect();
        people.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        people
    }

    /// Who of those who are here is meant.
    pub(crate) fn find(&self, whom: Whom<'_>) -> Result<Person, Refusal<'static>> {
        let here = self.here.values().map(|who| known(who, true));
        let gone = self.gone.iter().map(|who| known(who, false));
        let found = match whom.find(here.chain(gone)) {
            Err(
                Refusal::NobodyCalled(_) | Refusal::NobodyWithId(_) | Refusal::NobodyWithKey(_),
            ) if self.is_meant(whom) => {
                return Err(Refusal::Yourself);
            }
            found => found.map_err(Refusal::into_owned)?,
        };
        self.here.get(&found).cloned().ok_or(Refusal::NobodyWithId(found))
    }

    /// Whether we are meant.
    fn is_meant(&self, whom: Whom<'_>) -> bool {
        self.me.iter().any(|me| whom.find([known(me, true)].into_iter()).is_ok())
    }

    /// Where the name of somebody ends in what stands behind `/msg`, and what is for them begins.
    pub(crate) fn addressed<'t>(
        &self,
        word: &str,
        text: &'t str,
    ) -> Result<(String, &'t str), Refusal<'static>> {
        addressed(word, text, |whom| {
            let refusal = match self.find(whom) {
                Ok(who) => return Ok(who.key),
                Err(refusal) => refusal,
            };
            let Whom::Word(word) = whom else { return Err(refusal) };
            let Ok(name) = Name::parse(word) else { return Err(refusal) };
            let gone = self.gone.iter().find(|who| who.name == name).map(|who| who.key);
            let key = self.pins.key_of(&name).or(gone);
            key.filter(|_| matches!(refusal, Refusal::NobodyCalled(_))).ok_or(refusal)
        })
    }

    /// Whose key is meant among some that we keep of people, each with somebody it was of. Others who
    /// are known can be meant, and are not found.
    pub(crate) fn find_among(
        &self,
        whom: Whom<'_>,
        some: &BTreeMap<PublicKey, Person>,
    ) -> Result<PublicKey, Refusal<'static>> {
        let all = || some.values().chain(self.here.values()).chain(&self.gone);
        // Several processes of one name are one person here.
        let mut told = BTreeSet::new();
        let other = |who: &&Person| told.insert((who.key, who.name.clone()));
        let once: Vec<&Person> = match whom {
            Whom::Word(_) => all().filter(other).collect(),
            Whom::Id(_) | Whom::Key(_) => all().collect(),
        };
        let known = once.into_iter().map(|who| known(who, some.contains_key(&who.key)));
        let found = whom.find(known).map_err(Refusal::into_owned)?;
        let key = all().find(|who| who.id == found).map(|who| who.key);
        key.ok_or(Refusal::NobodyWithId(found))
    }

    /// The processes of a person that are here.
    pub(crate) fn processes(&self, key: PublicKey) -> impl Iterator<Item = PeerId> {
        self.here.values().filter(move |who| who.key == key).map(|who| who.id)
    }

    /// What to write so that nobody else is meant: their name, or else their id. The name of somebody
    /// who is trusted is not that of another who goes by it: their label is.
    pub(crate) fn address(&self, who: &Person) -> String {
        let named = if self.is_impostor(who) { self.label(who) } else { who.name.to_string() };
        let found = self.find(Whom::read(&named));
        if found.is_ok_and(|found| found == *who) { named } else { who.id.to_string() }
    }

    /// What somebody is called so that nobody takes them for another: `bob`, or `bob·k7f3`; and
    /// `!bob·k7f3` where the name is trusted to be somebody else's. No name begins like that.
    pub(crate) fn label(&self, who: &Person) -> String {
        if self.is_impostor(who) {
            return format!("{IMPOSTOR}{}·{}", who.name, letters(who.id, &self.alike_ids));
        }
        // A name with a dot in it could pass for somebody else's label.
        if self.alike.contains(&who.key) || who.name.has_dot() {
            format!("{}·{}", who.name, letters(who.id, &self.alike_ids))
        } else {
            who.name.to_string()
        }
    }

    /// A name that stands beside the id, that somebody had, or in a text: marked where it is trusted to be
    /// somebody else's.
    pub(crate) fn name(&self, who: &Person) -> String {
        if self.is_impostor(who) { self.label(who) } else { who.name.to_string() }
    }

    /// The labels of everybody, by id.
    pub(crate) fn here(&self) -> String {
        self.here.values().map(|who| self.label(who)).collect::<Vec<_>>().join(", ")
    }
}

/// Somebody, as one who may be meant by a word.
const fn known(who: &Person, here: bool) -> Known<'_> {
    Known { id: who.id, key: who.key, name: &who.name, incarnation: 0, here }
}

/// The first letters of an id, as many as no other of these begins with: 4, 8 or all.
pub(crate) fn letters(id: PeerId, others: &BTreeSet<PeerId>) -> String {
    let written = id.to_string();
    // In the order of ids, those that have most letters in common are neighbours.
    let before = others.range(..id).next_back();
    let after = others.range(id..).find(|&&other| other != id);
    let others: Vec<String> = before.into_iter().chain(after).map(PeerId::to_string).collect();
    let is_alone =
        |count: &usize| !others.iter().any(|other| other.starts_with(&written[..*count]));
    let count = [4, 8].into_iter().find(is_alone).unwrap_or(written.len());
    written[..count].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Why;

    fn who(id: u64, luck: u8, name: &str) -> Person {
        Person { id: PeerId(id), key: PublicKey([luck; 32]), name: Name::parse(name).unwrap() }
    }

    #[test]
    fn labels_tell_apart_whoever_is_alike() {
        let mut company = Company::EMPTY;
        let (bob, mallory) = (who(1 << 60, 1, "bob"), who(1 << 60 | 1 << 30, 2, "Bob"));
        let alike = |one: &Person, other: &Person| Event::Alike {
            one: one.clone(),
            like: vec![other.clone()],
            others: 0,
        };
        company.note(&Event::Joined(bob.clone()));
        assert_eq!(company.label(&bob), "bob");
        company.note(&alike(&mallory, &bob));
        let written = bob.id.to_string();
        assert_eq!(company.label(&bob), format!("bob·{}", &written[..8]), "made to look the same");
        company.note(&alike(&who(1 << 60 | 1, 3, "bob"), &bob));
        assert_eq!(company.label(&bob), format!("bob·{written}"));
        let again = who(7 << 60, 1, "robert");
        company.note(&Event::Joined(again.clone()));
        assert_eq!(
            company.label(&again),
            format!("robert·{}", again.id.short()),
            "the same person"
        );
        for dot in ["bob·abcd", "bobꞏabcd", "bob・abcd", "bobᐧabcd", "Gal·la"] {
            let forger = who(9 << 56, 9, dot);
            assert_eq!(company.label(&forger), format!("{dot}·{}", forger.id.short()));
        }
    }

    /// The mark came with the warning, which stood behind the line that they came by.
    #[test]
    fn who_has_another_key_than_the_trusted_one_is_marked_from_the_first_word_on() {
        let bob = Pin { name: Name::parse("bob").unwrap(), key: PublicKey([1; 32]) };
        for name in ["bob", "Bob", "b ob", "bob.", "bob_", "böb", "bob·k7f3"] {
            let mut company = Company::EMPTY;
            company.trust(vec![bob.clone()]);
            let mallory = who(1 << 60, 2, name);
            let marked = format!("!{name}·{}", mallory.id.short());
            assert_eq!((company.label(&mallory), company.name(&mallory)), (marked.clone(), marked));
        }
        let mut company = Company::EMPTY;
        company.trust(vec![bob.clone()]);
        assert_eq!(company.label(&who(7, 1, "bob")), "bob", "it is his");
        assert_eq!(company.label(&who(7, 1, "Bob")), "Bob", "and may be written otherwise");
        company.me = Some(who(9, 9, "bob"));
        assert_eq!(company.label(&who(9, 9, "bob")), "bob", "nobody takes themselves for another");
    }

    #[test]
    fn who_has_another_key_than_the_trusted_one_is_marked_until_the_name_is_not_theirs() {
        let mut company = Company::EMPTY;
        let mallory = who(1 << 60, 2, "bob");
        let marked = format!("!bob·{}", mallory.id.short());
        let (bob, key) = (who(2 << 60, 1, "bob"), PublicKey([1; 32]));
        company.note(&Event::Joined(mallory.clone()));
        company.note(&Event::Trusted { who: bob.clone(), key });
        assert_eq!(company.label(&mallory), marked);
        assert_eq!(company.address(&mallory), marked, "not by the name of who is trusted");
        assert_eq!(company.find(Whom::read(&marked)).as_ref(), Ok(&mallory));
        let renamed = Person { name: Name::parse("mallory").unwrap(), ..mallory.clone() };
        company.note(&Event::Renamed { who: renamed.clone(), was: mallory.name.clone() });
        assert_eq!(company.label(&renamed), "mallory");
        assert_eq!(company.label(&mallory), marked, "what was said as bob was");
        company.note(&Event::Left { who: renamed, why: Why::Quit });
        assert_eq!(company.label(&mallory), marked);
        company.note(&Event::Untrusted { name: bob.name.clone(), key });
        assert_eq!(company.label(&mallory), "bob");
        company.note(&Event::Trusted { who: mallory.clone(), key: mallory.key });
        assert_eq!(company.label(&mallory), "bob");
        assert_eq!(company.label(&bob), format!("!bob·{}", bob.id.short()));
        assert!(Name::parse("!bob").is_err());
    }

    #[test]
    fn an_address_reaches_them_and_nobody_else() {
        let mut company = Company::EMPTY;
        let bob = who(0x5555_1234_5678_9abc, 1, "bob");
        let mallory = who(77, 2, &bob.id.short());
        company.note(&Event::Joined(bob.clone()));
        company.note(&Event::Joined(mallory.clone()));
        assert_eq!(company.address(&bob), "bob");
        assert_eq!(company.address(&mallory), mallory.id.to_string());
        for who in [&bob, &mallory] {
            assert_eq!(company.find(Whom::read(&company.address(who))).as_ref(), Ok(who));
        }
        company.note(&Event::Left { who: bob.clone(), why: Why::Quit });
        let both = company.find(Whom::read(&bob.id.short()));
        assert!(matches!(both, Err(Refusal::NameOrId { .. })), "{both:?}");
        let gone = company.find(Whom::read(&bob.id.to_string()));
        assert_eq!(gone, Err(Refusal::NobodyWithId(bob.id)));
    }
}
