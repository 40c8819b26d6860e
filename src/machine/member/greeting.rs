//! Hellos: finding a path to a member and opening the streams (docs/PROTOCOL.md, "Hello").
//!
//! A member is greeted where the nodeset saw it, and then, by who came later, at the addresses that it
//! names; the first that answers becomes the path. Whoever says hello is greeted back. Rounds that find
//! nobody come ever more rarely.

use core::net::SocketAddr;

use super::moving::is_quiet;
use super::punching::Unasked;
use super::relaying::{RELAY_AFTER, RELAY_ANEW};
use super::{Ctx, Introducer, Member, Members};
use crate::machine::call::Arrival;
use crate::machine::purpose::{LinkKey, Matter, MemberKey, Purpose};
use crate::machine::relayed::is_relayed;
use crate::machine::speech::OutStream;
use crate::machine::who::beacon::Signed;
use crate::machine::wire::Request;

impl Members {
    /// Says hello at every address a member may have, but for that of one link. A beacon can name
    /// anybody's addresses: those of somebody who came after us and has not answered yet, or who is gone,
    /// are not tried. There, only what the nodeset saw and what has answered counts; unless it sees them
    /// at our own IP address: it may be that they cannot reach us behind our common router.
    pub(super) fn greet(&mut self, key: MemberKey, except: Option<LinkKey>, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let works = member.has_way(ctx.calls);
        let Member { record, reach, life, reachable, .. } = member;
        // Who sat at our own address before us does not answer there.
        let except = except.and_then(|link| ctx.calls.addr(link));
        let may = |addr: &SocketAddr| !ctx.me.beacon.addrs.contains(addr) && Some(*addr) != except;
        let linked: Vec<SocketAddr> =
            reach.links().filter_map(|link| ctx.calls.addr(link)).collect();
        let vouched = record.is_introduced() && !life.is_gone();
        let neighbour = ctx.seen.is_some() && reach.seen().map(|seen| seen.ip()) == ctx.seen;
        let addrs = reach.round(ctx.now, linked.into_iter(), may, (vouched, neighbour));
        if !works {
            let pause = if reach.path().is_some() { RELAY_ANEW } else { RELAY_AFTER };
            reach.relay_by(ctx.now + pause);
            reachable.lost(ctx.now);
        }
        for addr in addrs {
            self.greet_at(key, addr, ctx);
        }
        let waits = |member: &Member| member.lacks_hello() || member.reach.links().next().is_none();
        if self.slab.get(key).is_some_and(waits) {
            self.greet_later(key, ctx);
        }
    }

    /// Says hello at one address.
    fn greet_at(&mut self, key: MemberKey, addr: SocketAddr, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        let named = member.record.is_introduced() && member.reach.is_named(addr);
        let credit = if named || member.reach.last() == Some(addr) { None } else { Some(0) };
        let unasked = self.unasked(key, addr, ctx);
        if unasked != Unasked::Nothing {
            self.greet_with(key, addr, credit, ctx);
        }
        if unasked == Unasked::Near
            && let Some(id) = self.slab.get(key).map(|member| member.record.beacon().id)
        {
            ctx.calls.only_near((addr, id), true);
        }
    }

    /// Says hello at one address, where so many bytes may go before anybody answers.
    pub(super) fn greet_with(
        &mut self,
        key: MemberKey,
        addr: SocketAddr,
        credit: Option<usize>,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(member) = self.slab.get(key) else { return };
        let beacon = member.record.beacon();
        if let Some(link) = ctx.calls.open_sealed(ctx.now, addr, beacon, credit) {
            let found = is_relayed(addr) && self.is_behind_routers(key, ctx);
            if member.reach.is_sought() && !found {
                ctx.calls.expect_silence(link);
            }
            self.greet_on(key, link, ctx);
        }
    }

    /// Says hello at the next address of a beacon, a while after the one before.
    pub(super) fn try_next(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        if let Some(addr) = member.reach.next_untried(ctx.now) {
            self.greet_at(key, addr, ctx);
        }
    }

    /// Says hello on one link, unless a hello is open there.
    pub(super) fn greet_on(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        if !self.attach(key, link, ctx) {
            return;
        }
        let Some(member) = self.slab.get_mut(key) else { return };
        if !member.reach.may_greet(link) {
            return;
        }
        let out = member.streams.out_mut();
        if out.id == 0 {
            out.id = ctx.rng.next_u32().max(1);
        }
        let request = hello(ctx, out);
        let token = Purpose::Member(key, Matter::Hello);
        if ctx.calls.request(ctx.now, link, token, &request).is_some() {
            member.reach.greets(link, ctx.me.beacon.n);
        }
    }

    /// Makes a link one of a member's. False when it is somebody else's. When a member has too many,
    /// the one that was silent longest makes room.
    pub(super) fn attach(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) -> bool {
        if let Some(owner) = self.on_link(link) {
            return owner == key;
        }
        // Nobody is the relay on the way to themselves.
        if ctx.calls.relay(link).and_then(|relay| self.on_link(relay)) == Some(key) {
            ctx.calls.blame.unauthenticated += 1;
            ctx.calls.close(ctx.now, link);
            return false;
        }
        let Some(member) = self.slab.get(key) else { return false };
        if let Some(oldest) = member.reach.spare(|link| ctx.calls.heard(link)) {
            self.detach(key, oldest, ctx);
        }
        let Some(member) = self.slab.get_mut(key) else { return false };
        member.reach.attach(link);
        if link.index() >= self.by_link.len() {
            self.by_link.resize(link.index() + 1, None);
        }
        self.by_link[link.index()] = Some((link, key));
        true
    }

    /// Gives up a link. What was being said over it is to be said again.
    pub(super) fn detach(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        if member.reach.path() == Some(link) {
            member.life.has_no_way(ctx.now);
        }
        member.reach.detach(link);
        member.life.unlink(link);
        member.streams.out_mut().unlink(link);
        if let Some(owner) = self.by_link.get_mut(link.index()) {
            *owner = owner.filter(|&(of, _)| of != link);
        }
        ctx.calls.close(ctx.now, link);
        self.detach_through(link, ctx);
    }

    pub(super) fn detach_all(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let first = |member: &Member| member.reach.links().next();
        while let Some(link) = self.slab.get(key).and_then(first) {
            self.detach(key, link, ctx);
        }
    }

    /// Somebody says hello. `None` when they are not to be answered.
    pub(super) fn hello(
        &mut self,
        arrival: &Arrival,
        beacon: &Signed,
        stream: (u32, u64, u64),
        ctx: &mut Ctx<'_>,
    ) -> Option<(MemberKey, LinkKey)> {
        let key = self.introduce(beacon, Introducer::Themselves(arrival.from), ctx)?;
        let member = self.slab.get(key)?;
        let credit = member.credit_at(arrival);
        let beacon = member.record.beacon();
        let link = ctx.calls.open_sealed(ctx.now, arrival.from, beacon, credit)?;
        if !self.attach(key, link, ctx) {
            return None;
        }
        let member = self.slab.get_mut(key)?;
        member.life.meets();
        self.held -= member.streams.held_bytes();
        let missing = member.streams.open(ctx.now, stream);
        self.held += member.streams.held_bytes();
        self.note_waiting(key, ctx);
        self.tell_missing(key, ctx);
        self.heard(key, link, arrival, ctx);
        if missing {
            self.read_heads(key, ctx);
        }
        Some((key, link))
    }

    /// After a hello was answered: greet back, unless a path to them works.
    pub(super) fn greet_back(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        let path = member.working_path(ctx.now, ctx.calls);
        // What goes through nobody is better.
        let relayed = |link| ctx.calls.is_relayed(link);
        let works = path.is_some_and(|path| !relayed(path) || relayed(link));
        if !works || !member.streams.out().open || member.life.is_gone() {
            self.greet_on(key, link, ctx);
        }
        self.reschedule(key);
    }

    /// Our hello was answered: there is a path, and our stream is open.
    pub(super) fn greeted(
        &mut self,
        key: MemberKey,
        link: LinkKey,
        arrival: &Arrival,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let told = member.reach.settle(link);
        let calls = &*ctx.calls;
        let quiet = |path| is_quiet(path, ctx.now, calls);
        let relayed = |path| calls.is_relayed(path);
        let was = member.reach.path();
        let old = member.reach.answered(link, |path| calls.is_silent(path), quiet, relayed);
        let left = was.filter(|&was| member.reach.path() != Some(was));
        let first = member.reach.direct_tries() == 0;
        member.reach.try_direct(ctx.now, relayed);
        let first = first && member.reach.direct_tries() > 0;
        if let Some(addr) = calls.direct_addr(link) {
            member.reach.answered_at(addr);
        }
        member.streams.out_mut().opened();
        member.life.meets();
        member.lives(ctx.now);
        self.heard(key, link, arrival, ctx);
        self.show(key, ctx);
        self.tell_apart(key, ctx);
        if let Some(left) = left {
            self.detach_through(left, ctx);
            self.recall(key, left, ctx);
        }
        if let Some(old) = old {
            self.move_to(key, old, link, ctx);
        }
        if first {
            self.ask_introduction(key, ctx);
        }
        if told.is_some_and(|n| n < ctx.me.beacon.n) {
            self.greet_on(key, link, ctx);
        }
        self.may_catch_up(key, ctx);
        self.kick(key, ctx);
        self.reschedule(key);
    }

    /// The path was another one before: who is silent there would be waited for.
    pub(super) fn recall(&mut self, key: MemberKey, left: LinkKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let (now, calls) = (ctx.now, &mut *ctx.calls);
        member.streams.out_mut().recall(left, |position, seq| {
            calls.finish(now, left, seq, Purpose::Member(key, Matter::Say { position }));
        });
    }

    /// Nobody, or somebody else, answers at that address.
    pub(super) fn greeting_failed(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        member.reach.settle(link);
        let stranger = member.life.is_hidden() && !member.record.is_introduced();
        let there = ctx.calls.is_proven(link) && !member.reach.was_tried();
        let addr = ctx.calls.addr(link).filter(|_| stranger && there);
        if member.reach.path() != Some(link) {
            self.detach(key, link, ctx);
        }
        if let Some(addr) = addr {
            // They were there a moment ago: what they say was lost.
            self.greet_later(key, ctx);
            self.greet_with(key, addr, None, ctx);
            return self.reschedule(key);
        }
        let Some(member) = self.slab.get(key) else { return };
        if member.lacks_hello() {
            if stranger {
                // A stranger who said hello and does not answer: nobody vouches for them.
                return self.forget(key, ctx);
            }
            if member.life.is_absent() && member.record.is_reader() {
                self.tell_neighbours(key, 1, ctx);
            }
            self.greet_later(key, ctx);
        }
        if let Some(member) = self.slab.get_mut(key)
            && member.reach.path() == Some(link)
        {
            // Through a relay: a direct way is tried again, whatever came of that.
            let calls = &*ctx.calls;
            member.reach.try_direct(ctx.now, |path| calls.is_relayed(path));
            self.ask_when_due(key, ctx);
        }
        self.kick(key, ctx);
        self.reschedule(key);
    }

    /// Plans the next round of hellos, later each time; but soon while somebody has a few seconds left to
    /// show that they are here.
    pub(super) fn greet_later(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(Member { reach, life, .. }) = self.slab.get_mut(key) else { return };
        reach.greet_later(ctx.now, (life.is_absent(), life.is_asked_once_more()), ctx.rng);
    }

    /// The reader does not know our stream: it has restarted, or given us up. Say hello anew, with
    /// everything that is not delivered to follow.
    pub(super) fn unknown(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        member.life.estrange();
        let out = member.streams.out_mut();
        if out.open {
            let (now, calls) = (ctx.now, &mut *ctx.calls);
            out.shut(|position, link, seq| {
                calls.finish(now, link, seq, Purpose::Member(key, Matter::Say { position }));
            });
            if !member.reach.is_greeting() {
                out.id = ctx.rng.next_u32().max(1);
            }
        }
        // Who says so again and again is not greeted as fast as they can say it.
        let at = out.greets_at(ctx.now);
        if at <= ctx.now {
            self.greet_on(key, link, ctx);
        } else {
            member.reach.greet_by(at);
        }
        self.reschedule(key);
    }

    /// Tells everybody who is here our beacon, which has changed.
    pub(crate) fn tell_beacon(&mut self, ctx: &mut Ctx<'_>) {
        for key in self.shown_keys() {
            if let Some(path) = self.slab.get(key).and_then(|member| member.reach.path()) {
                self.greet_on(key, path, ctx);
            }
        }
    }
}

fn hello<'a>(ctx: &Ctx<'_>, out: &OutStream) -> Request<'a> {
    let beacon = ctx.me.clone();
    let (stream, start, given_up) = (out.id, out.start(), out.given_up);
    let entries = out.first_entry(ctx.speech).unwrap_or_else(|| ctx.log.next(beacon.beacon.id));
    Request::Hello { stream, start, given_up, entries, beacon }
}
