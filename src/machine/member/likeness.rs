//! Whom a member could be taken for: by the look of their name, by what in it reads as an id, and by
//! whom we trust.
//!
//! One warning for each who comes or is renamed, with a count: those who are called alike are told in
//! lines that grow with their number and not with its square.

use super::{Ctx, Member, Members};
use crate::machine::event::{Event, NameProblem};
use crate::machine::looks::Looks;
use crate::machine::name::{Look, Name};
use crate::machine::token::MemberKey;
use crate::machine::who::beacon::Beacon;
use crate::machine::who::identity::PublicKey;
use crate::machine::who::ids::PeerId;
use crate::machine::whom::Known;

impl Member {
    /// Why nobody else may have a name of that look while they are here, if there is a reason.
    pub(crate) fn clash(&self, wanted: &Name, look: &Look, me: PublicKey) -> Option<NameProblem> {
        // A name belongs to a key, which may have it several times.
        if self.beacon.key == me {
            return None;
        }
        if *wanted == self.name {
            return Some(NameProblem::Taken(self.name.clone()));
        }
        let (wanted, present) = (wanted.clone(), self.name.clone());
        if self.look.is_like(look) {
            return Some(NameProblem::LooksLike { wanted, present });
        }
        let claims = look.claims(&self.beacon.id.to_string());
        claims.then_some(NameProblem::ReadsAsId { wanted, of: Some(present) })
    }

    /// As somebody who may be meant by a word.
    pub(crate) fn known(&self) -> Known<'_> {
        let Beacon { id, key, incarnation, .. } = self.beacon;
        let here = self.is_shown() && self.is_reader();
        Known { id, key, name: &self.name, incarnation, here }
    }

    /// Warns when the name is trusted to be somebody else's, or looks like one that is.
    pub(super) fn warn_other_key(&self, ctx: &mut Ctx<'_>) {
        if ctx.pins.contradict(&self.name, &self.look, self.beacon.key) {
            ctx.out.show(Event::OtherKey { who: self.person() });
        }
    }
}

impl Members {
    /// Whoever is here can be taken for others, and others for them.
    pub(super) fn note_look(&mut self, key: MemberKey, here: bool) {
        let read = |member: &&Member| member.is_shown() && member.is_reader();
        let Some(member) = self.slab.get(key).filter(read) else { return };
        let Beacon { id, key, .. } = member.beacon;
        if here {
            self.looks.insert(key, id, &member.look);
        } else {
            self.looks.remove(key, id, &member.look);
        }
    }

    /// We are called something else: `was` before, if we were called anything.
    pub(crate) fn note_own_look(&mut self, was: Option<&Name>, me: &Beacon) {
        if let Some(was) = was {
            self.looks.remove(me.key, me.id, &was.look());
        }
        self.looks.insert(me.key, me.id, &me.name.look());
    }

    /// Warns, once, when somebody could be taken for others who are here, or for us.
    pub(super) fn warn_alike(&self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        let me = &ctx.me.beacon;
        let alike = self.looks.alike(member.beacon.key, member.beacon.id, &member.look, me.key);
        if alike.some.is_empty() && !member.look.is_id() {
            return;
        }
        let person = |id: &PeerId| match self.key_of(*id).and_then(|key| self.slab.get(key)) {
            Some(other) => Some(other.person()),
            None => (*id == me.id).then(|| me.person()),
        };
        let like = alike.some.iter().filter_map(person).collect();
        ctx.out.show(Event::Alike { one: member.person(), like, others: alike.others });
    }

    /// Warns of all who are here, one after the other, as if they had come in that order.
    pub(crate) fn warn_all_alike(&mut self, ctx: &mut Ctx<'_>) {
        self.looks = Looks::default();
        self.note_own_look(None, &ctx.me.beacon);
        for key in self.shown_keys() {
            self.note_look(key, true);
            if let Some(member) = self.slab.get(key) {
                member.warn_other_key(ctx);
            }
            self.warn_alike(key, ctx);
        }
    }

    pub(super) fn check_looks(&self) {
        let look = |(_, member): (MemberKey, &'_ Member)| -> bool {
            let Beacon { id, key, .. } = member.beacon;
            self.looks.has(key, id, &member.look)
        };
        assert!(self.shown().all(look), "somebody is not in the index of looks");
        // We are in it as well, once we are in.
        assert!(self.looks.len() <= self.shown + 1, "somebody who is not here is");
    }
}
