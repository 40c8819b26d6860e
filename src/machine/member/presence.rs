//! What is heard, missed and said of members, carried out (docs/PROTOCOL.md, "Presence"): the rule who
//! counts as here is [`Liveness`](super::Liveness).

use core::time::Duration;

use super::comparing::fold;
use super::liveness::Doubt;
use super::moving::is_quiet;
use super::watch::{Lots, RINGS};
use super::watching::TOLD_GONE;
use super::{ABSENT_MAX, Ctx, Introducer, Member, Members, unseal};
use crate::machine::call::Arrival;
use crate::machine::event::{Event, Way, Why};
use crate::machine::purpose::{LinkKey, Matter, MemberKey, Purpose};
use crate::machine::time::Time;
use crate::machine::who::beacon::{Beacon, Signed};
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{Departure, Gone};

/// For so long after somebody is back others may be, before they are given up.
const HEALING: Duration = Duration::from_secs(20);

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
            Departure::Timeout => self.doubt(key, Why::Timeout, ctx),
            Departure::Replaced => self.doubt(key, Why::Replaced, ctx),
        }
    }

    /// Somebody's last beacon says that they have left.
    pub(super) fn says_goodbye(&mut self, signed: &Signed, ctx: &mut Ctx<'_>) {
        if signed.beacon.left {
            self.introduce(signed, Introducer::Anybody, ctx);
        } else {
            ctx.calls.blame.unauthenticated += 1;
        }
    }

    /// A member is said to be gone. It has a few seconds to prove the contrary.
    fn doubt(&mut self, key: MemberKey, why: Why, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        match member.life.doubt(ctx.now, why) {
            Doubt::None => {}
            Doubt::Believe => self.lose(key, why, ctx),
            Doubt::Ask => {
                self.ping(key, ctx);
                self.reschedule(key);
            }
        }
    }

    /// A process has come: earlier ones of its key are here only if they answer. Whoever was killed and begins
    /// again is not two for a minute; whoever has two computers is. Of two who came without anybody's word the
    /// one says nothing about the other: else a person could come and go as often as they like. Nor does it of
    /// whom nothing was heard yet: there may be no way to them, and they cannot answer.
    pub(super) fn doubt_predecessors(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(new) = self.slab.get(key) else { return };
        let (new, introduced) = (new.record.beacon().clone(), new.record.is_introduced());
        let earlier = |(_, Member { record, life, .. }): &(MemberKey, &Member)| {
            let vouched = introduced || record.is_introduced();
            let asked = vouched && life.is_shown() && life.is_heard();
            asked && record.beacon().is_succeeded_by(&new)
        };
        let earlier: Vec<MemberKey> = self.iter().filter(earlier).map(|(key, _)| key).collect();
        for key in earlier {
            self.doubt(key, Why::Replaced, ctx);
        }
    }

    /// Something was heard from a member. It keeps them here, unless it was long on its way: then
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
            member.life.hints();
            if !member.reach.is_greeting() {
                self.ping(key, ctx);
            }
            return;
        }
        member.reach.heard();
        member.life.heard(ctx.now, ctx.rng);
        self.is_found(key, ctx);
        let Some(member) = self.slab.get_mut(key) else { return };
        let unreachable = member.is_unreachable();
        if arrival.newest {
            member.reach.newest_on(link);
        }
        let revived = ctx.calls.hears(ctx.now, link);
        match member.reach.path().filter(|&path| path != link) {
            Some(path) if ctx.calls.is_silent(path) => self.greet_on(key, link, ctx),
            Some(path) if arrival.newest && is_quiet(path, ctx.now, ctx.calls) => {
                self.challenge(key, link, ctx);
            }
            // They are there, and perhaps answer again.
            _ if unreachable => {
                match self.slab.get(key).and_then(|member| member.reach.path()) {
                    Some(_) => self.ping(key, ctx),
                    None => self.greet_on(key, link, ctx),
                }
                self.reschedule(key);
            }
            None if revived => self.kick(key, ctx),
            _ => {}
        }
    }

    /// Whoever is behind a link answered a call of ours: they are alive, however many newer datagrams
    /// overtook that. The deadline only moves away: its timer finds out when it comes, not with every
    /// answer.
    pub(crate) fn lives_on(&mut self, link: LinkKey, now: Time) {
        let member = self.on_link(link).and_then(|key| self.slab.get_mut(key));
        if let Some(member) = member {
            member.lives(now);
        }
    }

    /// Somebody shakes hands: they are alive, though there may be no link yet that says so, if they
    /// answer us. Their own first message may have been held back by somebody on the path for any
    /// time.
    pub(crate) fn shakes_hands(&mut self, id: PeerId, answered: bool, now: Time) {
        let Some(key) = self.key_of(id) else { return };
        let Some(member) = self.slab.get_mut(key) else { return };
        member.life.hints();
        if answered && !member.life.is_gone() {
            member.lives(now);
        }
    }

    pub(super) fn ping(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let path = self.get(key).filter(|member| member.life.may_ping());
        if let Some(path) = path.and_then(|member| member.reach.path()) {
            let token = Purpose::Member(key, Matter::Ping);
            let question = self.question(ctx);
            if ctx.calls.request(ctx.now, path, token, &question).is_some()
                && let Some(member) = self.slab.get_mut(key)
            {
                member.life.pings(path);
            }
        }
        let every = self.ping_pause(key, ctx);
        if let Some(member) = self.slab.get_mut(key) {
            member.life.ping_every(ctx.now, every, every);
            member.life.ping_later(ctx.now, ctx.rng);
        }
    }

    /// A ping was answered, or failed; one that failed is sent again: the probe of a silent member.
    pub(super) fn pinged(&mut self, key: MemberKey, answered: bool, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        member.life.pinged();
        if !answered {
            self.ping(key, ctx);
        }
        self.kick(key, ctx);
        self.reschedule(key);
    }

    /// There is no way to somebody, and was none for too long. Who is listed and has never answered is shown
    /// with that: what is said waits for them as well.
    fn tell_lost(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let listed = member.life.is_hidden() && member.record.is_listed_by(ctx.listing);
        if !ctx.announce || !member.record.is_reader() || !(listed || member.life.is_shown()) {
            member.reachable.reached();
            return;
        }
        let Some(since) = member.reachable.tell(ctx.now) else { return };
        self.show(key, ctx);
        let Some(member) = self.slab.get(key) else { return };
        // Who was heard since then is there.
        let heard = member.reach.path().is_some_and(|path| ctx.calls.heard(path) > since);
        let way = if heard { Way::Deaf } else { Way::None };
        let waiting = member.streams.out().unacked();
        ctx.out.show(Event::Way { who: member.record.person(), way, waiting });
        self.tell_apart(key, ctx);
        self.ask_when_due(key, ctx);
    }

    /// Nothing was heard of somebody for too long.
    fn give_up(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let together = ctx.calls.is_healing(ctx.now, HEALING) || self.are_many_silent(ctx);
        let Some(member) = self.slab.get_mut(key) else { return };
        // The nodeset hears them, and we do not: there is no way to them yet.
        if member.record.is_listed_by(ctx.listing) && member.life.stay(ctx.now) {
            return self.reschedule(key);
        }
        // So do those who watch them, or they would say so: if most of these are there to say it.
        let others = self.rings.len() > RINGS + 1 && !self.watched.contains(&key);
        let asked = if others { self.ask_who_watches(key, ctx) } else { 0 };
        let Some(member) = self.slab.get_mut(key) else { return };
        let spared = 2 * asked > RINGS && member.life.is_spared(ctx.now);
        if !spared && let Some(why) = member.life.expire(ctx.now, together) {
            return self.lose(key, why, ctx);
        }
        if self.slab.get(key).is_some_and(|member| member.reach.path().is_some()) {
            self.ping(key, ctx);
        } else {
            self.greet(key, None, ctx);
        }
        self.reschedule(key);
    }

    /// Whether a third of those who are here do not answer: then it is the network between rather than all of them.
    pub(super) fn are_many_silent(&self, ctx: &Ctx<'_>) -> bool {
        let here = || self.slab.iter().filter(|(_, member)| member.life.is_shown());
        let silent = here().filter(|(_, member)| member.is_in_doubt(ctx.calls)).count();
        silent > 1 && silent * 3 >= here().count()
    }

    /// Whether another process of the same person, begun later, was seen where that one was: that it was
    /// replaced is a nodeset's word and nothing else, and who was is not looked for.
    fn is_replaced(&self, key: MemberKey, ctx: &Ctx<'_>) -> bool {
        let Some(old) = self.slab.get(key) else { return false };
        let at = |member: &Member| {
            let path = member.reach.path().and_then(|path| ctx.calls.addr(path));
            [path, member.reach.seen(), member.reach.last()]
        };
        let places = at(old);
        let was = old.record.beacon();
        let newer = |member: &Member| {
            let is = member.record.beacon();
            let later = is.incarnation > was.incarnation && !member.life.is_gone();
            let there = at(member).into_iter().flatten().any(|addr| places.contains(&Some(addr)));
            is.key == was.key && later && there
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
        if member.life.is_gone() {
            return self.look_no_further(key, why, ctx);
        }
        let path = member.reach.path();
        self.detach_all(key, ctx);
        self.note_look(key, false);
        let Some(member) = self.slab.get_mut(key) else { return };
        let who = member.record.person();
        if member.reads_here() {
            self.shown -= 1;
            self.here ^= fold(who.id);
            self.rings.remove(Lots::of(ctx.keys.room.mac_key(), who.id), key);
            if ctx.announce {
                ctx.out.show(Event::Left { who: who.clone(), why });
            }
        }
        // Who never answered is not looked for at an address that somebody names.
        member.life.lose(ctx.now, why, member.record.is_introduced() && path.is_some());
        self.gone += 1;
        if why == Why::Timeout {
            self.tell_neighbours(key, TOLD_GONE, ctx);
        }
        if self.watched.contains(&key) {
            self.watch(ctx);
        }
        let Some(member) = self.slab.get_mut(key) else { return };
        member.reach.lose();
        member.reachable.reached();
        member.record.keep_name();
        self.held -= member.streams.held_bytes();
        member.streams.close();
        self.waiting.retain(|&waiting| waiting != key);
        ctx.log.comes_no_more(who.id);
        let out = member.streams.out_mut();
        out.give_up(&who, why, ctx.me.beacon.id, ctx.speech, ctx.out);
        if why == Why::Timeout {
            self.greet_later(key, ctx);
        }
        self.reschedule(key);
        self.evict(ctx);
    }

    /// Somebody who is gone has said goodbye after all: they are not looked for any more.
    fn look_no_further(&mut self, key: MemberKey, why: Why, ctx: &mut Ctx<'_>) {
        if why == Why::Quit && self.slab.get(key).is_some_and(|member| !member.life.has_left()) {
            self.detach_all(key, ctx);
            let Some(member) = self.slab.get_mut(key) else { return };
            member.life.leave(ctx.now);
            member.reach.rest();
            self.reschedule(key);
        }
    }

    /// Keeps the number of those who are remembered within bounds: the one who would be forgotten
    /// first goes first.
    pub(super) fn evict(&mut self, ctx: &mut Ctx<'_>) {
        if self.gone <= ABSENT_MAX {
            return;
        }
        let until =
            |(key, member): (MemberKey, &Member)| Some((member.life.remembered_until()?, key));
        let first = self.iter().filter_map(until).min();
        if let Some((_, key)) = first {
            self.forget(key, ctx);
        }
    }

    /// Removes a member that is hidden or gone.
    pub(super) fn forget(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        self.detach_all(key, ctx);
        let Some(member) = self.slab.remove(key) else { return };
        self.held -= member.streams.held_bytes();
        self.timers.cancel(key.index());
        let Beacon { id, handle, .. } = member.record.beacon();
        self.by_id.remove(id);
        if self.by_handle.get(handle) == Some(&key) {
            self.by_handle.remove(handle);
        }
        self.gone -= usize::from(member.life.is_gone());
    }

    /// Does what is due for every member whose deadline has come.
    pub(crate) fn tick(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(index) = self.timers.pop_due(ctx.now) {
            let Some(key) = self.slab.key_at(index) else { continue };
            let Some(member) = self.slab.get(key) else { continue };
            if member.life.remembered_until().is_some_and(|until| until <= ctx.now) {
                self.forget(key, ctx);
                continue;
            }
            if member.life.is_over(ctx.now) {
                self.give_up(key, ctx);
                continue;
            }
            let is_due = |at: Option<Time>| at.is_some_and(|at| at <= ctx.now);
            let (greets, tries) = member.reach.is_due(ctx.now);
            let renames = is_due(member.record.renames_at());
            let misses = is_due(member.streams.tells_missing_at());
            let lost = is_due(member.reachable.tells_at());
            let pings = member.life.ping_is_due(ctx.now);
            let relays = member.reach.relay_is_due(ctx.now);
            let overdue = member.streams.is_overdue(ctx.now);
            if greets {
                self.ask_introduction(key, ctx);
                self.greet(key, None, ctx);
            } else if tries {
                self.try_next(key, ctx);
            }
            if relays {
                self.ask_relay(key, ctx);
            }
            if renames {
                self.rename(key, ctx);
            }
            if misses {
                self.tell_missing(key, ctx);
            }
            if lost {
                self.tell_lost(key, ctx);
            }
            if pings && !greets && !self.is_asked_by_others(key, ctx) {
                self.ping(key, ctx);
            }
            self.notice_unread(key, ctx);
            self.resume(key, ctx);
            self.ask_for_what_is_followed(key, ctx);
            if overdue {
                self.show_caught(ctx);
            }
            if overdue && self.show_waiting(key, ctx) {
                self.is_talking(ctx);
                self.release(ctx);
            }
            self.reschedule(key);
        }
    }
}
