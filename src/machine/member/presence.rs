//! Who is still here: what is heard extends a lease, what is not heard lets it run out
//! (docs/PROTOCOL.md, "Presence").

use core::time::Duration;

use super::{
    ABSENT_MAX, Ctx, Hint, Introducer, LOOK_FOR, Member, Members, PING_EVERY, REMEMBER, Route,
    Standing, VERIFY, VERIFY_TIMEOUT, unseal,
};
use crate::machine::call::Arrival;
use crate::machine::event::{Event, Why};
use crate::machine::time::Time;
use crate::machine::token::{LinkKey, MemberKey, Purpose};
use crate::machine::who::beacon::Signed;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{Departure, Gone, Request};

/// Nothing came over the path for so long while something came over another link: they may have
/// moved.
const MOVED_AFTER: Duration = Duration::from_secs(1);

/// Whoever notices so late that a lease has run out has not been listening.
const OVERSLEPT: Duration = Duration::from_secs(2);

/// How soon other ways to somebody who does not answer are tried again; twice as late each time.
const REROUTE_EVERY: Duration = Duration::from_secs(1);

/// Somebody who was heard so lately where they do not answer is asked there again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Whether a path has been quiet for so long that its member may have moved.
pub(super) fn is_quiet(path: LinkKey, ctx: &Ctx<'_>) -> bool {
    ctx.now.since(ctx.calls.heard(path)) > MOVED_AFTER
}

impl Members {
    /// The nodeset says that somebody is gone. That they said goodbye it has to show; of all else only
    /// silence makes it true.
    pub(crate) fn unlisted(&mut self, gone: &Gone, ctx: &mut Ctx<'_>) {
        let Some(&key) = self.by_handle.get(&gone.handle) else { return };
        match &gone.how {
            Departure::Quit(sealed) => {
                if let Some(signed) = unseal(gone.handle, sealed, ctx) {
                    self.says_goodbye(&signed, ctx);
                }
            }
            Departure::Timeout => self.doubt(key, Why::Timeout, VERIFY_TIMEOUT, ctx),
            Departure::Replaced => self.doubt(key, Why::Replaced, VERIFY, ctx),
        }
    }

    /// Somebody's last beacon says that they have left.
    pub(crate) fn says_goodbye(&mut self, signed: &Signed, ctx: &mut Ctx<'_>) {
        if signed.beacon.left {
            self.introduce(signed, Introducer::Anybody, ctx);
        } else {
            ctx.calls.blame.unauthenticated += 1;
        }
    }

    /// A member is said to be gone. It has a few seconds to prove the contrary.
    fn doubt(&mut self, key: MemberKey, why: Why, verify: Duration, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        if member.is_gone() {
            return;
        }
        if !member.heard {
            // Nothing was ever heard of them: there is nothing to hold against it.
            return self.lose(key, why, ctx);
        }
        member.why = why;
        member.gone_at = member.gone_at.min(ctx.now + verify);
        self.ping(key, ctx);
        self.reschedule(key);
    }

    /// Something was heard from a member. It extends their lease, unless it was long on its way: then
    /// they are asked. When it is the newest of all and came over another link than their path, which
    /// has been quiet, they may have moved.
    pub(crate) fn heard(
        &mut self,
        key: MemberKey,
        link: LinkKey,
        arrival: &Arrival,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(member) = self.slab.get_mut(key) else { return };
        if !arrival.timely {
            member.hints();
            if member.links.iter().all(|route| route.greeting.is_none()) {
                self.ping(key, ctx);
            }
            return;
        }
        member.heard = true;
        member.lives(ctx.now);
        member.ping_at = ctx.now + ctx.rng.jitter(PING_EVERY, 8);
        if arrival.newest {
            member.newest = Some(link);
        }
        let revived = ctx.calls.alive(link);
        match member.path.filter(|&path| path != link) {
            Some(path) if ctx.calls.is_silent(path) => self.greet_on(key, link, ctx),
            Some(path) if arrival.newest && is_quiet(path, ctx) => self.challenge(key, link, ctx),
            None if revived => self.kick(key, ctx),
            _ => {}
        }
    }

    /// A member answered a call of ours: they are alive, however many newer datagrams overtook that.
    /// The deadline only moves away: its timer finds out when it comes, not with every answer.
    pub(crate) fn answered(&mut self, key: MemberKey, now: Time) {
        if let Some(member) = self.slab.get_mut(key) {
            member.lives(now);
        }
    }

    /// A call to a member has failed: another way, over which they were heard since, may do, or one
    /// that nobody tried lately. False when they were heard nowhere else: then others have to be asked,
    /// however long the pause before it is tried again.
    pub(crate) fn reroute(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) -> bool {
        let Some(member) = self.slab.get(key) else { return true };
        let Some(path) = member.path.filter(|&path| ctx.calls.is_silent(path)) else { return true };
        let links = member.links.iter().map(|route| (ctx.calls.heard(route.link), route.link));
        let newer = links
            .filter(|&(heard, link)| heard > ctx.calls.heard(path) && !ctx.calls.is_silent(link));
        let other = newer.max();
        let pause = REROUTE_EVERY * (1 << member.reroutes.min(4));
        if ctx.now.since(member.rerouted) >= pause {
            let Some(member) = self.slab.get_mut(key) else { return true };
            member.rerouted = ctx.now;
            member.reroutes += 1;
            match other {
                Some((_, link)) => self.greet_on(key, link, ctx),
                None => {
                    // There, they are asked already.
                    self.greet(key, Some(path), ctx);
                    self.reschedule(key);
                }
            }
        }
        other.is_some()
    }

    /// A member has moved. What was on its way to where it was is said anew.
    pub(super) fn move_to(
        &mut self,
        key: MemberKey,
        old: LinkKey,
        new: LinkKey,
        ctx: &mut Ctx<'_>,
    ) {
        let greeting = |route: &Route| route.link == old && route.greeting.is_some();
        let Some(member) = self.slab.get_mut(key) else { return };
        let untold = member.links.iter().any(greeting);
        self.detach(key, old, ctx);
        let Some(member) = self.slab.get_mut(key) else { return };
        member.path = Some(new);
        if untold {
            self.greet_on(key, new, ctx);
        }
        self.kick(key, ctx);
    }

    /// Somebody shakes hands: they are alive, though there may be no link yet that says so, if they
    /// answer us. Their own first message may have been held back by somebody on the path for any
    /// time.
    pub(crate) fn shakes_hands(&mut self, id: PeerId, answered: bool, now: Time) {
        let Some(key) = self.key_of(id) else { return };
        let Some(member) = self.slab.get_mut(key) else { return };
        member.hints();
        if answered && !member.is_gone() {
            member.lives(now);
        }
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
        if member.is_gone() || !arrival.newest {
            return None;
        }
        // At an address of theirs that we know, there is nothing to prove.
        let (credit, open) = (member.credit_at(arrival), member.out.open);
        let link = ctx.calls.open_sealed(ctx.now, arrival.from, &member.beacon, credit)?;
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
    fn challenge(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let idle = |route: &&mut Route| route.link == link && !route.challenged;
        let Some(route) = member.links.iter_mut().find(idle) else { return };
        let token = Purpose::Challenge { member: key };
        route.challenged = ctx.calls.request(ctx.now, link, token, &Request::Ping).is_some();
    }

    /// A challenge is answered, or failed. A member that answered where its newest datagram came from
    /// has moved there.
    pub(crate) fn challenged(
        &mut self,
        key: MemberKey,
        link: LinkKey,
        answered: bool,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let of_link = |route: &&mut Route| route.link == link;
        let Some(route) = member.links.iter_mut().find(of_link) else { return };
        route.challenged = false;
        let greeting = route.greeting.is_some();
        let elsewhere = member.path.filter(|&path| path != link);
        if answered && !member.out.open {
            self.greet_on(key, link, ctx);
        } else if answered && member.newest == Some(link) {
            if let Some(old) = elsewhere {
                self.move_to(key, old, link, ctx);
            }
        } else if !answered && elsewhere.is_some() && !greeting && ctx.calls.is_silent(link) {
            // Their newest datagram came from there a moment ago: the question was lost, or its answer.
            let lost =
                member.newest == Some(link) && ctx.now.since(ctx.calls.heard(link)) < ASK_AGAIN;
            if lost {
                self.challenge(key, link, ctx);
            } else {
                self.detach(key, link, ctx);
            }
        }
        self.reschedule(key);
    }

    pub(super) fn ping(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        if let Some(path) = member.path.filter(|_| member.pinging.is_none()) {
            let token = Purpose::Ping { member: key };
            let made = ctx.calls.request(ctx.now, path, token, &Request::Ping);
            member.pinging = made.map(|_| path);
        }
        member.ping_at = ctx.now + ctx.rng.jitter(PING_EVERY, 8);
    }

    /// A ping was answered, or failed; one that failed is sent again: the probe of a silent member.
    pub(crate) fn pinged(&mut self, key: MemberKey, answered: bool, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        member.pinging = None;
        if !answered {
            self.ping(key, ctx);
        }
        self.kick(key, ctx);
        self.reschedule(key);
    }

    /// A lease has run out. Who gave an uncertain sign of life meanwhile is asked once more; so is
    /// everybody when it was us who slept.
    fn give_up(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let overslept = ctx.now.since(member.gone_at) > OVERSLEPT;
        if member.hint != Hint::Given && !overslept {
            let why = member.why;
            return self.lose(key, why, ctx);
        }
        member.hint = Hint::Spent;
        member.gone_at = ctx.now + VERIFY;
        if member.path.is_some() {
            self.ping(key, ctx);
        } else {
            self.greet(key, None, ctx);
        }
        self.reschedule(key);
    }

    /// Whether another process of the same person, begun later, was seen where that one was: that it was
    /// replaced is a nodeset's word and nothing else, and who was is not looked for.
    fn is_replaced(&self, key: MemberKey, ctx: &Ctx<'_>) -> bool {
        let Some(old) = self.slab.get(key) else { return false };
        let at = |member: &Member| {
            let path = member.path.and_then(|path| ctx.calls.addr(path));
            [path, member.seen, member.last]
        };
        let places = at(old);
        let newer = |new: &Member| {
            let later = new.beacon.incarnation > old.beacon.incarnation && !new.is_gone();
            let there = at(new).into_iter().flatten().any(|addr| places.contains(&Some(addr)));
            new.beacon.key == old.beacon.key && later && there
        };
        self.slab.iter().any(|(_, member)| newer(member))
    }

    /// Gives somebody up, at once.
    pub(crate) fn lose(&mut self, key: MemberKey, why: Why, ctx: &mut Ctx<'_>) {
        let why = match why {
            Why::Replaced if !self.is_replaced(key, ctx) => Why::Timeout,
            why => why,
        };
        let Some(member) = self.slab.get_mut(key) else { return };
        if member.is_gone() {
            return self.look_no_further(key, why, ctx);
        }
        let path = member.path;
        member.last = path.and_then(|path| ctx.calls.addr(path));
        self.detach_all(key, ctx);
        self.note_look(key, false);
        let Some(member) = self.slab.get_mut(key) else { return };
        let who = member.person();
        if member.is_shown() && member.is_reader() {
            self.shown -= 1;
            if ctx.announce {
                ctx.out.show(Event::Left { who: who.clone(), why });
            }
        }
        // Who never answered is not looked for at an address that somebody names.
        let look_for = if member.introduced && path.is_some() { LOOK_FOR } else { REMEMBER };
        member.standing = match why {
            Why::Timeout | Why::Unread => Standing::Absent { until: ctx.now + look_for },
            Why::Quit | Why::Replaced => Standing::Left { until: ctx.now + REMEMBER },
        };
        self.gone += 1;
        member.pinging = None;
        member.estranged = false;
        member.hint = Hint::None;
        member.heard = false;
        member.rounds = 0;
        (member.greet_at, member.try_at) = (None, None);
        member.renamed.cancel();
        member.told_missing.cancel();
        member.untried.clear();
        self.held -= member.inward.held_bytes();
        member.inward.close();
        member.out.give_up(&who, why, ctx.me.beacon.id, ctx.speech, ctx.out);
        if why == Why::Timeout {
            self.greet_later(key, ctx);
        }
        self.reschedule(key);
        self.evict(ctx);
    }

    /// Somebody who is gone has said goodbye after all: they are not looked for any more.
    fn look_no_further(&mut self, key: MemberKey, why: Why, ctx: &mut Ctx<'_>) {
        if why == Why::Quit && self.slab.get(key).is_some_and(|member| !member.has_left()) {
            self.detach_all(key, ctx);
            let Some(member) = self.slab.get_mut(key) else { return };
            member.standing = Standing::Left { until: ctx.now + REMEMBER };
            member.greet_at = None;
            self.reschedule(key);
        }
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
        let Some(member) = self.slab.remove(key) else { return };
        self.held -= member.inward.held_bytes();
        self.timers.cancel(key.index());
        self.by_id.remove(&member.beacon.id);
        if self.by_handle.get(&member.beacon.handle) == Some(&key) {
            self.by_handle.remove(&member.beacon.handle);
        }
        self.gone -= usize::from(member.is_gone());
    }

    /// Does what is due for every member whose deadline has come.
    pub(crate) fn tick(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(index) = self.timers.pop_due(ctx.now) {
            let Some(key) = self.slab.key_at(index) else { continue };
            let Some(member) = self.slab.get(key) else { continue };
            let over = match member.standing {
                Standing::Absent { until } | Standing::Left { until } => until <= ctx.now,
                Standing::Hidden | Standing::Shown => false,
            };
            if over {
                self.forget(key, ctx);
                continue;
            }
            if !member.is_gone() && member.gone_at <= ctx.now {
                self.give_up(key, ctx);
                continue;
            }
            let is_due = |at: Option<Time>| at.is_some_and(|at| at <= ctx.now);
            let (greets, tries, renames, misses, pings) = (
                is_due(member.greet_at),
                is_due(member.try_at),
                is_due(member.renamed.due()),
                is_due(member.told_missing.due()),
                member.is_shown() && member.ping_at <= ctx.now,
            );
            if greets {
                self.greet(key, None, ctx);
            } else if tries {
                self.try_next(key, ctx);
            }
            if renames {
                self.rename(key, ctx);
            }
            if misses {
                self.tell_missing(key, ctx);
            }
            if pings && !greets {
                self.ping(key, ctx);
            }
            self.notice_unread(key, ctx);
            self.resume(key, ctx);
            self.reschedule(key);
        }
    }
}
