//! Whom a member could be taken for: by the look of their name, by what in it reads as an id, and by
//! whom we trust.
//!
//! One warning for each who comes or is renamed, with a count: those who are called alike are told in
//! lines that grow with their number and not with its square.

use super::{Ctx, Member, Members, Record, TWINS_TOLD};
use crate::machine::event::Event;
use crate::machine::looks::Looks;
use crate::machine::name::Name;
use crate::machine::purpose::MemberKey;
use crate::machine::who::beacon::{Beacon, Signed};
use crate::machine::who::identity::PublicKey;
use crate::machine::who::ids::PeerId;
use crate::machine::who::pins::could_be;

impl Record {
    /// Warns when the name is trusted to be somebody else's, or looks like one that is.
    pub(super) fn warn_other_key(&self, ctx: &mut Ctx<'_>) {
        if ctx.pins.contradict(self.name(), self.look(), self.beacon().key) {
            ctx.out.show(Event::OtherKey { who: self.person() });
        }
    }
}

impl Members {
    /// Whoever is here can be taken for others, and others for them.
    pub(super) fn note_look(&mut self, key: MemberKey, here: bool) {
        let Some(member) = self.slab.get(key).filter(|member| member.reads_here()) else { return };
        let Beacon { id, key, .. } = *member.record.beacon();
        if here {
            self.looks.insert(key, id, member.record.look());
        } else {
            self.looks.remove(key, id, member.record.look());
        }
    }

    /// We are called something else: `was` before, if we were called anything.
    pub(crate) fn note_own_look(&mut self, was: Option<&Name>, me: &Beacon) {
        if let Some(was) = was {
            self.looks.remove(me.key, me.id, &was.look());
        }
        self.looks.insert(me.key, me.id, &me.name.look());
    }

    /// Warns of those who are here and could be taken for that name, trusted to stand for that key or not
    /// any more, where their own is trusted to be somebody else's: whom we trust is not what it was.
    pub(crate) fn warn_other_keys(&self, name: &Name, key: PublicKey, ctx: &mut Ctx<'_>) {
        let like = self
            .shown()
            .filter(|(_, who)| could_be((who.record.look(), who.record.beacon().key), name, key));
        like.for_each(|(_, member)| member.record.warn_other_key(ctx));
    }

    /// Warns, once, when somebody could be taken for others who are here, or for us.
    pub(super) fn warn_alike(&self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        let me = &ctx.me.beacon;
        let (record, beacon) = (&member.record, member.record.beacon());
        let alike = self.looks.alike(beacon.key, beacon.id, record.look(), me.key);
        if alike.some.is_empty() && !record.look().is_id() {
            return;
        }
        let person = |id: &PeerId| match self.key_of(*id).and_then(|key| self.slab.get(key)) {
            Some(other) => Some(other.record.person()),
            None => (*id == me.id).then(|| me.person()),
        };
        let like = alike.some.iter().filter_map(person).collect();
        ctx.out.show(Event::Alike { one: record.person(), like, others: alike.others });
    }

    /// Two processes have one id: a home was copied, with its key and its count, to where the clock is behind.
    /// Nobody can tell the two apart, and each takes what the other is sent.
    pub(super) fn notice_twins(&mut self, signed: &Signed, ours: bool, ctx: &mut Ctx<'_>) {
        if self.twins_told.take(ctx.now, TWINS_TOLD) {
            self.twins = Some((signed.beacon.person(), ours));
        }
        self.tell_twins(ctx);
    }

    /// Tells of it, once we are in.
    pub(crate) fn tell_twins(&mut self, ctx: &mut Ctx<'_>) {
        if let Some((who, ours)) = self.twins.take_if(|_| ctx.announce) {
            ctx.out.show(Event::Twins { who, ours });
        }
    }

    /// Warns of all who are here, one after the other, as if they had come in that order.
    pub(crate) fn warn_all_alike(&mut self, ctx: &mut Ctx<'_>) {
        self.looks = Looks::default();
        self.note_own_look(None, &ctx.me.beacon);
        for key in self.shown_keys() {
            self.note_look(key, true);
            if let Some(member) = self.slab.get(key) {
                member.record.warn_other_key(ctx);
            }
            self.warn_alike(key, ctx);
        }
    }

    pub(super) fn check_looks(&self) {
        let look = |(_, member): (MemberKey, &'_ Member)| -> bool {
            let Beacon { id, key, .. } = *member.record.beacon();
            self.looks.has(key, id, member.record.look())
        };
        assert!(self.shown().all(look), "somebody is not in the index of looks");
        // We are in it as well, once we are in.
        assert!(self.looks.len() <= self.shown + 1, "somebody who is not here is");
    }
}
