//! Where a member is: another way when theirs falls silent, a new address that has to prove itself, a move
//! (docs/PROTOCOL.md, "Presence"). Which way is tried next is up to [`Reach`](super::Reach).

use core::time::Duration;

use super::reach::Reroute;
use super::relaying::RELAY_ANEW;
use super::{Ctx, Members};
use crate::machine::call::{Arrival, Calls};
use crate::machine::purpose::{LinkKey, Matter, MemberKey, Purpose};
use crate::machine::time::Time;
use crate::machine::wire::Request;

/// Nothing came over the path for so long while something came over another link: they may have
/// moved.
const MOVED_AFTER: Duration = Duration::from_secs(1);

/// Somebody who was heard so lately where they do not answer is asked there again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Whether a path has been quiet for so long that its member may have moved.
pub(super) fn is_quiet(path: LinkKey, now: Time, calls: &Calls<Purpose>) -> bool {
    now.since(calls.heard(path)) > MOVED_AFTER
}

impl Members {
    /// A call to a member has failed: another way may do. False when they were heard nowhere else: then
    /// others have to be asked, however long the pause before it is tried again.
    pub(super) fn reroute(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) -> bool {
        let Some(member) = self.slab.get_mut(key) else { return true };
        let calls = &*ctx.calls;
        let (heard, silent) = (|link| calls.heard(link), |link| calls.is_silent(link));
        let reroute = member.reach.reroute(ctx.now, heard, silent);
        if reroute != Reroute::None {
            member.reach.relay_by(ctx.now + RELAY_ANEW);
            member.reachable.lost(ctx.now);
            self.reschedule(key);
        }
        match reroute {
            Reroute::None => true,
            Reroute::Later { heard } => heard,
            Reroute::Over(link) => {
                self.greet_on(key, link, ctx);
                true
            }
            Reroute::Anywhere { but } => {
                self.greet(key, Some(but), ctx);
                self.reschedule(key);
                false
            }
        }
    }

    /// A member has moved. What was on its way to where it was is said anew; a way through a relay goes on
    /// carrying what they still say over it.
    pub(super) fn move_to(
        &mut self,
        key: MemberKey,
        old: LinkKey,
        new: LinkKey,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(member) = self.slab.get(key) else { return };
        let untold = member.reach.is_greeting_on(old);
        if ctx.calls.is_relayed(old) {
            self.recall(key, old, ctx);
        } else {
            self.detach(key, old, ctx);
        }
        let open = ctx.calls.is_open(new);
        let Some(member) = self.slab.get_mut(key).filter(|_| open) else { return };
        member.reach.move_to(new);
        let calls = &*ctx.calls;
        member.reach.try_direct(ctx.now, |path| calls.is_relayed(path));
        if let Some(addr) = ctx.calls.direct_addr(new) {
            member.reach.answered_at(addr);
        }
        if untold {
            self.greet_on(key, new, ctx);
        }
        self.kick(key, ctx);
    }

    /// Something genuine and new came from an address that is none of a member's: they may have
    /// moved. The address is theirs once they have answered there, too; until then little is sent.
    pub(crate) fn appeared(
        &mut self,
        key: MemberKey,
        arrival: &Arrival,
        ctx: &mut Ctx<'_>,
    ) -> Option<LinkKey> {
        let member = self.slab.get(key)?;
        if member.life.is_gone() || !arrival.newest {
            return None;
        }
        // At an address of theirs that we know, there is nothing to prove.
        let (credit, open) = (member.credit_at(arrival), member.streams.out().open);
        let beacon = member.record.beacon();
        let link = ctx.calls.open_sealed(ctx.now, arrival.from, beacon, credit)?;
        if !self.attach(key, link, ctx) {
            return None;
        }
        if credit.is_none() && !open {
            self.greet_on(key, link, ctx);
        } else {
            self.challenge(key, link, ctx);
        }
        Some(link)
    }

    /// Asks a member whether it receives what is sent over a link: somebody on the path may have
    /// sent on what it said elsewhere.
    pub(super) fn challenge(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        if member.reach.may_challenge(link) {
            let token = Purpose::Member(key, Matter::Challenge);
            let made = ctx.calls.request(ctx.now, link, token, &Request::PING).is_some();
            member.reach.challenge(link, made);
        }
    }

    /// A challenge is answered, or failed. A member that answered where its newest datagram came from
    /// has moved there.
    pub(super) fn challenged(
        &mut self,
        key: MemberKey,
        link: LinkKey,
        answered: bool,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(member) = self.slab.get_mut(key) else { return };
        if !member.reach.challenge(link, false) {
            return;
        }
        let (greeting, newest) = (member.reach.is_greeting_on(link), member.reach.is_newest(link));
        let elsewhere = member.reach.path().filter(|&path| path != link);
        if answered && !member.streams.out().open {
            self.greet_on(key, link, ctx);
        } else if answered && newest {
            // What goes through a relay leaves an address that works for none.
            let calls = &*ctx.calls;
            let shorter = |path| !calls.is_silent(path) && !calls.is_relayed(path);
            let detour = calls.is_relayed(link) && elsewhere.is_some_and(shorter);
            if let Some(old) = elsewhere.filter(|_| !detour) {
                self.move_to(key, old, link, ctx);
            }
        } else if !answered && elsewhere.is_some() && !greeting && ctx.calls.is_silent(link) {
            // Their newest datagram came from there a moment ago: the question was lost, or its answer.
            if newest && ctx.now.since(ctx.calls.heard(link)) < ASK_AGAIN {
                self.challenge(key, link, ctx);
            } else {
                self.detach(key, link, ctx);
            }
        }
        self.reschedule(key);
    }
}
