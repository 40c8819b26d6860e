//! How often each member is asked whether they are there, and what is done about one who does not answer
//! (docs/PROTOCOL.md, "Presence"). Others are asked, and find the same or not; then all are told, from one to the next.
//! Whoever is in touch with them asks for themselves.

use core::time::Duration;

use super::liveness::PING_EVERY;
use super::reachable::Ended;
use super::watch::Lots;
use super::{Ctx, Member, MemberKey, Members};
use crate::machine::event::{Event, Way};
use crate::machine::pace::Rate;
use crate::machine::purpose::{LinkKey, Matter, Purpose};
use crate::machine::time::Time;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{Loss, Request};

/// People talk for so long after something was said.
const TALKING: Duration = Duration::from_secs(120);

/// Who is watched is pinged once in so many round trips while people talk, and this often at most.
const TRIPS: u32 = 50;
const PING_SOON: Duration = Duration::from_millis(2_500);

/// Who was heard so lately may be left to others who ask everybody anyhow.
const RELIED_ON: Duration = Duration::from_secs(10);

/// Of those who are not watched, one is pinged every so often.
const FAR_EACH: Duration = Duration::from_secs(60);

/// Above this share of late calls, in a million, one call that fails may be bad luck; and above this one, several.
const LOSES: u32 = 20_000;
const LOSES_MUCH: u32 = 300_000;

/// Who was heard so lately is one of those who tell each other; and so many of them are told.
const NEAR: Duration = Duration::from_secs(25);
const TOLD_MAX: usize = 16;

/// So many of them are told of somebody who is gone: each who gives that one up then tells others.
pub(super) const TOLD_GONE: usize = 4;

/// Who was not heard for so long is gone when they are for others, and calls fail.
const TIMED_OUT: Duration = Duration::from_secs(60);

/// With who was heard so lately there is a session. Who is told of somebody else asks them in so much time, or half as
/// much more or less.
const IN_TOUCH: Duration = Duration::from_secs(150);
const ASK_LATER: Duration = Duration::from_secs(15);

/// What others say of those who do not answer is taken this often.
pub(super) const WORDS: Rate = Rate::new(Duration::from_millis(100), 64);

impl Members {
    /// Something was said in the room.
    pub(crate) fn is_talking(&mut self, ctx: &Ctx<'_>) {
        let silent = !self.talks(ctx.now);
        self.talking_until = ctx.now + TALKING;
        if silent {
            for nth in 0..self.watched.len() {
                self.ask_soon(nth, ctx);
            }
        }
    }

    /// Somebody said something to everybody, and so asks all of them.
    pub(super) fn asks_everybody(&mut self, by: MemberKey, now: Time) {
        let before = self.asked_by.replace((by, now));
        self.asked_before = before.map_or(Time::ZERO, |(_, at)| at);
    }

    /// Whether somebody whose ping is due is asked by others as often, with what these say to everybody: they would
    /// tell if there were no answer. Who says much and tells nothing is not relied on for long.
    pub(super) fn is_asked_by_others(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) -> bool {
        let Some((by, at)) = self.asked_by.filter(|&(by, _)| by != key) else { return false };
        if self.slab.get(by).is_none_or(|by| by.is_in_doubt(ctx.calls)) {
            return false;
        }
        let every = self.ping_pause(key, ctx);
        if every >= PING_EVERY || at.since(self.asked_before) > every {
            return false;
        }
        let Some(member) = self.slab.get_mut(key) else { return false };
        let path = member.reach.path().filter(|&path| !ctx.calls.is_doubtful(path));
        let lately = path.is_some_and(|path| ctx.now.since(ctx.calls.heard(path)) < RELIED_ON);
        let next = at + ctx.rng.jitter(every, 8);
        let asked = lately && member.life.doubted().is_none() && next > ctx.now;
        if asked {
            member.life.ping_at(next);
        }
        asked
    }

    fn talks(&self, now: Time) -> bool {
        self.talking_until > now
    }

    /// Who is watched, now that others are here than before: they are pinged more often than the others.
    pub(super) fn watch(&mut self, ctx: &Ctx<'_>) {
        let lost = |key| self.slab.get(key).is_none_or(Member::may_not_be_there);
        let watched = match ctx.me.beacon.once {
            true => Vec::new(),
            false => self.rings.before(Lots::of(ctx.keys.room.mac_key(), ctx.me.beacon.id), lost),
        };
        let before = core::mem::replace(&mut self.watched, watched);
        for nth in 0..self.watched.len() {
            if !before.contains(&self.watched[nth]) {
                self.ask_soon(nth, ctx);
            }
        }
        for key in before {
            if !self.watched.contains(&key) {
                self.ask_when_due(key, ctx);
            }
        }
    }

    /// The so-manieth of those who are watched is asked often from now on. All who watch somebody do not ask at
    /// once.
    fn ask_soon(&mut self, nth: usize, ctx: &Ctx<'_>) {
        let Some(&key) = self.watched.get(nth) else { return };
        let every = self.ping_pause(key, ctx);
        let soon = every * (nth as u32 + 1) / self.watched.len() as u32;
        if let Some(member) = self.slab.get_mut(key) {
            member.life.ping_every(ctx.now, every, soon);
            self.reschedule(key);
        }
    }

    /// Somebody is asked as often as is due, for who is not watched rarely.
    pub(super) fn ask_when_due(&mut self, key: MemberKey, ctx: &Ctx<'_>) {
        let every = self.ping_pause(key, ctx);
        if let Some(member) = self.slab.get_mut(key) {
            member.life.ping_every(ctx.now, every, every);
            self.reschedule(key);
        }
    }

    /// The pause between two pings to somebody.
    pub(super) fn ping_pause(&self, key: MemberKey, ctx: &Ctx<'_>) -> Duration {
        // A relay forgets a bridge that nobody uses.
        let fails = |path| ctx.calls.is_relayed(path) || ctx.calls.is_silent(path);
        let direct = |member: &Member| member.reach.path().is_some_and(|path| !fails(path));
        let fine = |member: &Member| !member.may_not_be_there() && direct(member);
        if !self.slab.get(key).is_some_and(fine) {
            return PING_EVERY;
        }
        if !self.watched.contains(&key) {
            let far = self.rings.len().saturating_sub(self.watched.len());
            return FAR_EACH.saturating_mul(far.max(1) as u32);
        }
        let path = self.slab.get(key).and_then(|member| member.reach.path());
        let rtt = path.and_then(|path| ctx.calls.rtt(path)).filter(|_| self.talks(ctx.now));
        rtt.map_or(PING_EVERY, |rtt| (rtt * TRIPS).clamp(PING_SOON, PING_EVERY))
    }

    /// A call to somebody has failed. Once that is more than bad luck, those who watch them are asked; when others
    /// find the same, or after three times as many, they may be lost. Who was heard elsewhere meanwhile is asked there.
    pub(super) fn misses(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let path = member.reach.path().filter(|&path| ctx.calls.is_silent(path));
        let Some(path) = path.filter(|_| member.reads_here() && ctx.announce) else { return };
        let calls = &*ctx.calls;
        if member.reach.speaks_elsewhere(|at| calls.heard(at), |at| calls.is_silent(at)) {
            return;
        }
        let missed = member.life.misses();
        let enough = enough(ctx.calls.late_ppm(path));
        if missed >= enough.div_ceil(4) && member.life.fails(ctx.now) {
            return self.reschedule(key);
        }
        let needed = match member.life.doubted() {
            None => 3 * enough - u8::from(enough == 1),
            Some(false) => enough,
            Some(true) => enough.div_ceil(4),
        };
        if self.are_many_silent(ctx) {
            return;
        }
        if missed >= needed {
            self.takes_for_lost(key, ctx);
        } else if missed == enough {
            self.ask_who_watches(key, ctx);
        }
    }

    /// Somebody may be lost: others find the same, or it is so for long.
    fn takes_for_lost(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        if !member.reachable.is_lost() {
            return self.tell_neighbours(key, 1, ctx);
        }
        member.life.is_lost(ctx.now);
        let (who, waiting) = (member.record.person(), member.streams.out().unacked());
        ctx.out.show(Event::Lost { who, lost: true, waiting });
        self.tell_neighbours(key, TOLD_MAX, ctx);
        if self.watched.contains(&key) {
            self.watch(ctx);
        }
        self.ask_when_due(key, ctx);
    }

    /// Asks those who watch somebody whether they hear them: how many of them.
    pub(super) fn ask_who_watches(&self, key: MemberKey, ctx: &mut Ctx<'_>) -> usize {
        let mut asked = 0;
        let Some(member) = self.slab.get(key) else { return asked };
        let id = member.record.beacon().id;
        let lost = |key| self.slab.get(key).is_none_or(Member::may_not_be_there);
        let request = Request::Lost { who: id, loss: Loss::Asked };
        for watcher in self.rings.after(Lots::of(ctx.keys.room.mac_key(), id), lost) {
            let path = self.slab.get(watcher).and_then(|watcher| watcher.reach.path());
            if let Some(path) = path.filter(|&path| watcher != key && !ctx.calls.is_doubtful(path))
            {
                self.tell(path, &request, ctx);
                asked += 1;
            }
        }
        asked
    }

    /// Asks one who does not see somebody whether they know that they are gone.
    pub(super) fn ask_about(&self, who: MemberKey, by: MemberKey, ctx: &mut Ctx<'_>) {
        let path = self.slab.get(by).and_then(|by| by.reach.path());
        if let (Some(path), Some(who)) = (path, self.slab.get(who)) {
            let request = Request::Lost { who: who.record.beacon().id, loss: Loss::Asked };
            self.tell(path, &request, ctx);
        }
    }

    fn tell(&self, path: LinkKey, request: &Request<'_>, ctx: &mut Ctx<'_>) {
        if let Some(to) = self.on_link(path) {
            ctx.calls.request(ctx.now, path, Purpose::Member(to, Matter::Lost), request);
        }
    }

    /// Tells some that others agree that somebody may be lost, or that we hold them for gone. They tell others in their turn.
    pub(super) fn tell_neighbours(&self, key: MemberKey, most: usize, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        let request = Request::Lost { who: member.record.beacon().id, loss: member.life.loss() };
        for path in self.neighbours(key, most, ctx) {
            self.tell(path, &request, ctx);
        }
    }

    /// So many of those who were heard lately, at most, but for one.
    fn neighbours(&self, except: MemberKey, most: usize, ctx: &mut Ctx<'_>) -> Vec<LinkKey> {
        let calls = &*ctx.calls;
        let lately = |path: &LinkKey| ctx.now.since(calls.heard(*path)) < NEAR;
        let others = self.iter().filter(|&(key, member)| key != except && member.reads_here());
        let paths = others.filter_map(|(_, member)| member.reach.path());
        let mut paths: Vec<LinkKey> =
            paths.filter(|path| lately(path) && !calls.is_doubtful(*path)).collect();
        for nth in 0..most.min(paths.len()) {
            let drawn = nth + ctx.rng.below((paths.len() - nth) as u64) as usize;
            paths.swap(nth, drawn);
        }
        paths.truncate(most);
        paths
    }

    /// Somebody says that another one does not answer them. Who is in touch with that one asks as well; who is not
    /// takes what is `agreed` as it is, and asks later.
    pub(super) fn told_of_lost(
        &mut self,
        by: MemberKey,
        (id, loss): (PeerId, Loss),
        ctx: &mut Ctx<'_>,
    ) {
        let key = self.key_of(id).filter(|&key| key != by);
        if let Some(key) = key.filter(|_| loss == Loss::Gone) {
            self.is_gone_elsewhere(key, ctx);
        }
        let agreed = loss != Loss::Asked;
        let member = key.and_then(|key| Some((key, self.slab.get_mut(key)?)));
        let Some((key, member)) = member.filter(|(_, member)| member.record.is_reader()) else {
            return;
        };
        if member.life.is_gone() || member.may_be_lost() {
            // We know as much, or more.
            member.life.doubt_of_others(ctx.now, agreed);
            let loss = member.life.loss();
            let path = self.slab.get(by).and_then(|by| by.reach.path()).filter(|_| !agreed);
            if let Some(path) = path {
                self.tell(path, &Request::Lost { who: id, loss }, ctx);
            }
            return;
        }
        if !member.life.is_shown() {
            return;
        }
        let Some(path) = member.reach.path().filter(|_| ctx.announce) else { return };
        let silence = ctx.now.since(ctx.calls.heard(path));
        let lately = ctx.calls.rtt(path).unwrap_or_default() * 4;
        let concerns = agreed || silence < IN_TOUCH;
        if silence < lately || !concerns || !member.life.doubt_of_others(ctx.now, agreed) {
            return;
        }
        if !self.words.take(ctx.now, WORDS) {
            ctx.calls.blame.over_limit += 1;
            return;
        }
        if silence < IN_TOUCH {
            self.ping(key, ctx);
        } else if !self.are_many_silent(ctx) {
            self.takes_for_lost(key, ctx);
            let soon = ctx.rng.jitter(ASK_LATER, 2);
            if let Some(member) = self.slab.get_mut(key) {
                member.life.ping_every(ctx.now, FAR_EACH, soon);
            }
        }
        self.reschedule(key);
    }

    /// Another one has given somebody up: whom we have not heard for as long is asked, and gone when calls fail.
    fn is_gone_elsewhere(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key).filter(|member| member.life.is_shown()) else {
            return;
        };
        let Some(path) = member.reach.path().filter(|_| ctx.announce) else { return };
        let quiet = ctx.now.since(ctx.calls.heard(path)) >= TIMED_OUT;
        if quiet && member.life.is_gone_elsewhere() {
            self.ping(key, ctx);
            self.reschedule(key);
        }
    }

    /// Something was heard of somebody: they are not lost.
    pub(super) fn is_found(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        if member.reachable.is_found() {
            self.shows_found(key, ctx);
        }
    }

    fn shows_found(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        if member.life.is_shown() && ctx.announce {
            let (who, waiting) = (member.record.person(), member.streams.out().unacked());
            ctx.out.show(Event::Lost { who, lost: false, waiting });
        }
        self.is_back(key, ctx);
    }

    /// They do not answer no more: they are asked as often as before.
    fn is_back(&mut self, key: MemberKey, ctx: &Ctx<'_>) {
        if self.watched.contains(&key) {
            self.watch(ctx);
        } else {
            self.ask_when_due(key, ctx);
        }
    }

    /// Somebody has answered a call of ours.
    pub(super) fn reached(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        match member.reachable.reached() {
            Ended::Nothing => {}
            Ended::Lost => self.shows_found(key, ctx),
            Ended::Unreachable if !member.life.is_shown() || !ctx.announce => {}
            Ended::Unreachable => {
                let (who, waiting) = (member.record.person(), member.streams.out().unacked());
                let way = self.relay_of(link, ctx.calls).map_or(Way::Direct, Way::Through);
                ctx.out.show(Event::Way { who, way, waiting });
                self.is_back(key, ctx);
            }
        }
    }
}

/// How many calls fail in a row by bad luck, where so many of a million are late.
const fn enough(late_ppm: u32) -> u8 {
    match late_ppm {
        ..LOSES => 1,
        LOSES..LOSES_MUCH => 2,
        LOSES_MUCH.. => 8,
    }
}

impl Member {
    /// They may be lost, or there is no way to them.
    fn may_not_be_there(&self) -> bool {
        self.may_be_lost() || self.is_unreachable()
    }
}
