//! Who is still here: what is heard extends a lease, what is not heard lets it run out
//! (docs/PROTOCOL.md, "Presence").

use super::{
    ABSENT_MAX, Ctx, LEASE, LOOK_FOR, Member, MemberKey, Members, PING_EVERY, REMEMBER, Standing,
    VERIFY, VERIFY_TIMEOUT,
};
use crate::machine::call::LinkKey;
use crate::machine::peer::Purpose;
use crate::machine::wire::{Gone, Request};
use crate::machine::{Event, Why};

impl Members {
    /// The nodeset says that somebody is gone. Only silence makes it true.
    pub(crate) fn unlisted(&mut self, gone: &Gone, ctx: &mut Ctx<'_>) {
        let Some(key) = self.key_of(gone.id) else { return };
        let member = &self.slab[key];
        if member.beacon.incarnation != gone.incarnation || member.is_gone() {
            return;
        }
        self.doubt(key, gone.why, ctx);
    }

    /// Somebody says that a member is gone. It has a few seconds to prove the contrary.
    pub(crate) fn doubt(&mut self, key: MemberKey, why: Why, ctx: &mut Ctx<'_>) {
        let member = &mut self.slab[key];
        if !member.links.iter().any(|route| route.trusted) {
            // Nothing was ever heard of them: there is nothing to hold against it.
            return self.lose(key, why, ctx);
        }
        let verify = if why == Why::Timeout { VERIFY_TIMEOUT } else { VERIFY };
        member.why = why;
        member.gone_at = member.gone_at.min(ctx.now + verify);
        self.ping(key, ctx);
        self.reschedule(key);
    }

    /// Something was heard from a member. It extends their lease, unless they do not know us: then
    /// only a hello does, or the answer to one. A path that has fallen silent is not revived by what
    /// comes from elsewhere: they have moved, and are greeted there.
    pub(crate) fn heard(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let member = &mut self.slab[key];
        if !ctx.calls.is_fresh(link) || !member.trusts(link) {
            return;
        }
        if !member.estranged {
            member.gone_at = ctx.now + LEASE;
            member.why = Why::Timeout;
        }
        member.ping_at = ctx.now + ctx.rng.jitter(PING_EVERY, 8);
        let revived = ctx.calls.alive(link);
        match member.path.filter(|&path| path != link) {
            Some(path) if ctx.calls.is_silent(path) => self.greet_on(key, link, ctx),
            None if revived => self.kick(key, ctx),
            _ => {}
        }
    }

    pub(super) fn ping(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let member = &mut self.slab[key];
        if let Some(path) = member.path.filter(|_| !member.pinging) {
            let token = Purpose::Ping { member: key };
            member.pinging = ctx.calls.request(ctx.now, path, token, &Request::Ping).is_some();
        }
        self.slab[key].ping_at = ctx.now + ctx.rng.jitter(PING_EVERY, 8);
    }

    /// A ping was answered, or failed; one that failed is sent again: the probe of a silent member.
    pub(crate) fn pinged(&mut self, key: MemberKey, answered: bool, ctx: &mut Ctx<'_>) {
        self.slab[key].pinging = false;
        if !answered {
            self.ping(key, ctx);
        }
        self.kick(key, ctx);
        self.reschedule(key);
    }

    /// Gives somebody up, at once.
    pub(crate) fn lose(&mut self, key: MemberKey, why: Why, ctx: &mut Ctx<'_>) {
        if self.slab[key].is_gone() {
            return;
        }
        let path = self.slab[key].path;
        self.slab[key].last = path.map(|path| ctx.calls.addr(path));
        self.detach_all(key, ctx);
        let member = &mut self.slab[key];
        let who = member.person();
        if member.is_shown() {
            self.shown -= 1;
            if ctx.announce {
                ctx.out.show(Event::Left { who: who.clone(), why });
            }
        }
        let look_for = if member.introduced { LOOK_FOR } else { REMEMBER };
        member.standing = match why {
            Why::Timeout => Standing::Absent { until: ctx.now + look_for },
            Why::Quit | Why::Replaced => Standing::Left { until: ctx.now + REMEMBER },
        };
        self.gone += 1;
        member.pinging = false;
        member.estranged = false;
        member.rounds = 0;
        member.greet_at = None;
        member.inward.close();
        member.out.give_up(&who, why, ctx.me.id, ctx.speech, ctx.out);
        if why == Why::Timeout {
            self.greet_later(key, ctx);
        }
        self.reschedule(key);
        self.evict(ctx);
    }

    /// Keeps the number of those who are remembered within bounds: the one who would be forgotten
    /// first goes first.
    pub(super) fn evict(&mut self, ctx: &mut Ctx<'_>) {
        if self.gone <= ABSENT_MAX {
            return;
        }
        let until = |member: &Member| match member.standing {
            Standing::Absent { until } | Standing::Left { until } => Some(until),
            _ => None,
        };
        let first = self.iter().filter_map(|(key, member)| Some((until(member)?, key))).min();
        if let Some((_, key)) = first {
            self.forget(key, ctx);
        }
    }

    /// Removes a member that is hidden or gone.
    pub(super) fn forget(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        self.detach_all(key, ctx);
        self.timers.cancel(key);
        let member = self.slab.remove(key);
        self.by_id.remove(&member.beacon.id);
        self.gone -= usize::from(member.is_gone());
    }

    /// Does what is due for every member whose deadline has come.
    pub(crate) fn tick(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(key) = self.timers.pop_due(ctx.now) {
            let member = &self.slab[key];
            let over = match member.standing {
                Standing::Absent { until } | Standing::Left { until } => until <= ctx.now,
                Standing::Hidden | Standing::Shown => false,
            };
            if over {
                self.forget(key, ctx);
                continue;
            }
            if !member.is_gone() && member.gone_at <= ctx.now {
                let why = member.why;
                self.lose(key, why, ctx);
                continue;
            }
            if member.greet_at.is_some_and(|at| at <= ctx.now) {
                self.greet(key, ctx);
            } else if member.is_shown() && member.ping_at <= ctx.now {
                self.ping(key, ctx);
            }
            self.reschedule(key);
        }
    }
}
