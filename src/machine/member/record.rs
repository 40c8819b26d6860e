//! Who a member is: what they say of themselves, what they are called by now, and who vouches for it.

use core::net::IpAddr;

use super::TOLD;
use crate::machine::event::NameProblem;
use crate::machine::name::{Look, Name};
use crate::machine::pace::Notice;
use crate::machine::time::Time;
use crate::machine::who::beacon::{Beacon, Signed};
use crate::machine::who::identity::{Person, PublicKey};

/// What is known of who a member is.
#[derive(Debug, Hash)]
pub(crate) struct Record {
    signed: Signed,
    /// What they are called: the name of their beacon, or soon.
    name: Name,
    look: Look,
    /// A nodeset vouches for them, and which one did last.
    introduced: bool,
    listed_by: Option<u64>,
    /// Where they introduced themselves from, if nobody else did.
    source: Option<IpAddr>,
    /// That they are called otherwise by their beacon.
    renamed: Notice,
}

impl Record {
    /// Of somebody whom nobody knew. `source` is where they introduced themselves from; without one a
    /// nodeset did.
    pub(super) fn new(signed: Signed, source: Option<IpAddr>) -> Self {
        let (look, name) = (signed.beacon.name.look(), signed.beacon.name.clone());
        let introduced = source.is_none();
        let (listed_by, renamed) = (None, Notice::default());
        Self { signed, name, look, introduced, listed_by, source, renamed }
    }

    /// A nodeset of that incarnation vouches for them.
    pub(super) fn vouch(&mut self, nodeset: Option<u64>) {
        self.introduced = true;
        self.listed_by = nodeset.or(self.listed_by);
    }

    /// Whether that nodeset lists them, which has said nothing else since.
    pub(super) fn is_listed_by(&self, nodeset: Option<u64>) -> bool {
        self.introduced && nodeset.is_some() && self.listed_by == nodeset
    }

    /// Nobody answered where the nodeset saw them: its word is not enough.
    pub(crate) const fn did_not_answer(&mut self) {
        self.introduced = false;
    }

    /// They say something newer of themselves. Their name is another thing: [`Record::may_rename`].
    pub(super) fn renew(&mut self, signed: Signed) {
        self.signed = signed;
    }

    /// Whether they are to be called by the name of their beacon now: when it is another one, and those
    /// who see them were not told of a new name so lately. Else it is due [later](Record::renames_at).
    pub(super) fn may_rename(&mut self, now: Time, shown: bool) -> bool {
        self.renamed.cancel();
        self.name != self.signed.beacon.name && (!shown || self.renamed.may_be_told(now, TOLD))
    }

    /// Calls them by the name of their beacon; returns what they were called before.
    pub(super) fn rename(&mut self) -> Name {
        self.look = self.signed.beacon.name.look();
        core::mem::replace(&mut self.name, self.signed.beacon.name.clone())
    }

    /// Nobody is there to be told of a new name.
    pub(super) const fn keep_name(&mut self) {
        self.renamed.cancel();
    }

    /// When they are to be called otherwise, if they are.
    pub(super) const fn renames_at(&self) -> Option<Time> {
        self.renamed.due()
    }

    pub(crate) const fn beacon(&self) -> &Beacon {
        &self.signed.beacon
    }

    /// What they say of themselves, with their signature.
    pub(crate) const fn signed(&self) -> &Signed {
        &self.signed
    }

    pub(crate) const fn name(&self) -> &Name {
        &self.name
    }

    pub(crate) const fn look(&self) -> &Look {
        &self.look
    }

    pub(crate) fn person(&self) -> Person {
        Person { name: self.name.clone(), ..self.signed.beacon.person() }
    }

    /// Whether they are here to read what others say, and not only to say something.
    pub(crate) const fn is_reader(&self) -> bool {
        !self.signed.beacon.once
    }

    pub(super) const fn is_introduced(&self) -> bool {
        self.introduced
    }

    pub(super) const fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// Why nobody else may have a name of that look while they are here, if there is a reason.
    pub(crate) fn clash(&self, wanted: &Name, look: &Look, me: PublicKey) -> Option<NameProblem> {
        // A name belongs to a key, which may have it several times.
        if self.signed.beacon.key == me {
            return None;
        }
        if *wanted == self.name {
            return Some(NameProblem::Taken(self.name.clone()));
        }
        let (wanted, present) = (wanted.clone(), self.name.clone());
        if self.look.is_like(look) {
            return Some(NameProblem::LooksLike { wanted, present });
        }
        let claims = look.claims(&self.signed.beacon.id.to_string());
        claims.then_some(NameProblem::ReadsAsId { wanted, of: Some(present) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::who::identity::Identity;
    use crate::machine::who::ids::Handle;

    const fn at(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    fn beacon(name: &str, n: u32) -> Signed {
        let key = Identity::new(&[1; 32]).public();
        let beacon = Beacon {
            id: key.process(7),
            key,
            handle: Handle::of(1),
            incarnation: 7,
            n,
            left: false,
            once: false,
            name: Name::parse(name).unwrap(),
            addrs: Vec::new(),
        };
        Signed { beacon, signature: [0; 64] }
    }

    #[test]
    fn a_new_name_is_told_slowly_and_only_where_somebody_sees_it() {
        let mut record = Record::new(beacon("anna", 0), None);
        assert!(!record.may_rename(at(0), true), "it is the same");
        for n in 1..=3 {
            record.renew(beacon(&format!("anna{n}"), n));
            assert!(record.may_rename(at(0), false), "nobody sees it");
            record.rename();
        }
        for (n, told) in [(4, true), (5, true), (6, false)] {
            record.renew(beacon(&format!("anna{n}"), n));
            assert_eq!(record.may_rename(at(0), true), told, "{n}");
            if told {
                assert_eq!(record.rename().as_str(), format!("anna{}", n - 1));
            }
        }
        // They are called as before until it is due, and then by the newest name.
        assert_eq!(record.person().name.as_str(), "anna5");
        let due = record.renames_at().expect("it is due");
        record.renew(beacon("anne", 7));
        assert!(!record.may_rename(at(1), true), "not sooner for another one");
        assert!(record.may_rename(due, true));
        assert_eq!((record.rename().as_str(), record.name().as_str()), ("anna5", "anne"));
    }

    #[test]
    fn who_takes_their_name_back_is_not_told_of() {
        let mut record = Record::new(beacon("anna", 0), None);
        for (n, name) in ["bob", "cleo", "anna"].into_iter().enumerate() {
            record.renew(beacon(name, n as u32 + 1));
            if record.may_rename(at(0), true) {
                record.rename();
            }
        }
        assert!(record.renames_at().is_some(), "called cleo, soon anna");
        record.renew(beacon("cleo", 9));
        assert!(!record.may_rename(at(1), true) && record.renames_at().is_none());
    }

    #[test]
    fn a_nodeset_vouches_for_who_did_not_come_by_themselves() {
        let source = "10.0.0.1".parse().unwrap();
        let mut stranger = Record::new(beacon("anna", 0), Some(source));
        assert!(!stranger.is_introduced() && stranger.source() == Some(source));
        stranger.vouch(Some(7));
        assert!(stranger.is_introduced() && stranger.is_listed_by(Some(7)));
        assert!(!stranger.is_listed_by(Some(8)) && !stranger.is_listed_by(None));
        let mut listed = Record::new(beacon("anna", 0), None);
        assert!(listed.is_introduced());
        listed.did_not_answer();
        assert!(!listed.is_introduced());
    }

    #[test]
    fn a_name_belongs_to_a_key() {
        let record = Record::new(beacon("anna", 0), None);
        let (me, other) = (record.beacon().key, Identity::new(&[2; 32]).public());
        let clash = |name: &str, key| {
            let name = Name::parse(name).unwrap();
            record.clash(&name, &name.look(), key)
        };
        assert_eq!(clash("anna", me), None);
        assert!(matches!(clash("anna", other), Some(NameProblem::Taken(_))));
        assert!(matches!(clash("ΑNNA", other), Some(NameProblem::LooksLike { .. })));
        assert_eq!(clash("bob", other), None);
    }
}
