//! Who is here, as far as two of us agree (docs/PROTOCOL.md, "Presence"): a ping carries a hash of it. Of a
//! difference nobody is believed; who may be gone is asked.

use core::time::Duration;

use super::{Ctx, Member, MemberKey, Members};
use crate::machine::call::Arrival;
use crate::machine::pace::Rate;
use crate::machine::purpose::{LinkKey, Matter, Purpose};
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{Request, Response};

/// Ids in one page: they fit a small datagram, also through a relay.
const PRESENT_MAX: usize = 40;

/// So often a ping carries the hash.
const COMPARES: Rate = Rate::new(Duration::from_secs(5), 1);

/// Who is here is asked, where a ping finds others, that often.
const COMPARED: Rate = Rate::new(Duration::from_secs(10), 2);

/// All together are told who is here this often.
const LISTED: Rate = Rate::new(Duration::from_millis(100), 32);

/// Of so many in a page it is asked whether they are known to be gone.
const ASKED_MAX: usize = 8;

/// Who was heard so lately is not asked for what somebody else does not know of.
const HEARD: Duration = Duration::from_secs(20);

/// What an id adds to the hash of all who are here.
pub(super) const fn fold(id: PeerId) -> u32 {
    (id.0 ^ id.0 >> 32) as u32
}

impl Members {
    /// What a ping carries: that hash now and then, so most of them stay small.
    pub(super) fn compares(&mut self, ctx: &Ctx<'_>) -> u32 {
        let present = self.present(ctx);
        if present != 0 && self.compares.take(ctx.now, COMPARES) { present } else { 0 }
    }

    /// A hash of who is here; 0 where nothing is to be compared.
    pub(super) fn present(&self, ctx: &Ctx<'_>) -> u32 {
        if !ctx.announce || ctx.me.beacon.once {
            return 0;
        }
        (self.here ^ fold(ctx.me.beacon.id)).max(1)
    }

    /// Whether somebody who sees these sees others than we do. Then they are asked whom.
    pub(super) fn sees_others(&mut self, key: MemberKey, present: u32, ctx: &mut Ctx<'_>) -> bool {
        let ours = self.present(ctx);
        let differs = ours != 0 && present != 0 && ours != present;
        if differs {
            self.ask_who_is_present(key, ctx);
        }
        differs
    }

    /// Asks somebody who is here.
    pub(super) fn ask_who_is_present(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        if !ctx.announce || ctx.me.beacon.once || !self.compared.take(ctx.now, COMPARED) {
            return;
        }
        self.ask_present(key, PeerId(0), ctx);
    }

    fn ask_present(&self, key: MemberKey, after: PeerId, ctx: &mut Ctx<'_>) {
        let path = self.slab.get(key).and_then(|member| member.reach.path());
        if let Some(path) = path {
            let token = Purpose::Member(key, Matter::Present { after });
            ctx.calls.request(ctx.now, path, token, &Request::Present { after });
        }
    }

    /// Says to somebody who is here, in a datagram of its own; to nobody who asks for too much.
    pub(super) fn says_who_is_present(
        &mut self,
        arrival: &Arrival,
        (link, seq): (LinkKey, u32),
        after: PeerId,
        ctx: &mut Ctx<'_>,
    ) {
        let proven = ctx.announce && ctx.calls.is_proven(link);
        if !proven || !self.listed.take(ctx.now, LISTED) {
            ctx.calls.blame.over_limit += 1;
            return;
        }
        let (ids, more) = self.list_present(after, ctx);
        let response = Response::Present { more, ids };
        ctx.calls.reply_alone(ctx.now, arrival, (seq, &response), ctx.out);
    }

    /// Those who are here, ourselves among them, behind that one, and whether there are more.
    fn list_present(&self, after: PeerId, ctx: &Ctx<'_>) -> (Vec<PeerId>, bool) {
        let others = self.shown().map(|(_, member)| member.record.beacon().id);
        let all = others.chain([ctx.me.beacon.id]);
        let mut ids: Vec<PeerId> = all.filter(|&id| id > after).collect();
        ids.sort_unstable();
        let more = ids.len() > PRESENT_MAX;
        ids.truncate(PRESENT_MAX);
        (ids, more)
    }

    /// Somebody says who is here. Whom they do not see, and we have not heard lately, is asked.
    pub(super) fn present_told(
        &mut self,
        key: MemberKey,
        after: PeerId,
        (ids, more): (&[PeerId], bool),
        ctx: &mut Ctx<'_>,
    ) {
        let ordered = ids.is_sorted_by(|one, next| one < next);
        let last = ids.last().copied();
        if !ordered || ids.len() > PRESENT_MAX || more && last.is_none_or(|last| last <= after) {
            ctx.calls.blame.malformed += 1;
            return;
        }
        let told = |id: PeerId| id > after && (!more || Some(id) <= last);
        let calls = &*ctx.calls;
        let lately = |member: &Member| {
            let heard = member.reach.path().map(|path| calls.heard(path));
            heard.is_some_and(|heard| ctx.now.since(heard) < HEARD)
        };
        let lacks = |(other, member): &(MemberKey, &Member)| {
            let id = member.record.beacon().id;
            *other != key && told(id) && ids.binary_search(&id).is_err() && !lately(member)
        };
        let lacking = self.shown().filter(lacks).map(|(key, _)| key);
        let doubtful: Vec<MemberKey> = lacking.take(ASKED_MAX).collect();
        for who in doubtful {
            self.ask_about(who, key, ctx);
            self.ping(who, ctx);
            self.reschedule(who);
        }
        if let Some(last) = last.filter(|_| more) {
            self.ask_present(key, last, ctx);
        }
    }
}
