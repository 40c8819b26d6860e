//! Hellos: finding a path to a member and opening the streams (docs/PROTOCOL.md, "Hello").
//!
//! A member is greeted where the nodeset saw it, and then, by who came later, at the addresses that it
//! names; the first that answers becomes the path. Whoever says hello is greeted back. Rounds that find
//! nobody come ever more rarely.

use core::net::SocketAddr;
use core::time::Duration;

use super::presence::is_quiet;
use super::{Ctx, Hint, Introducer, LINKS_EACH, Member, Members, Route, Standing};
use crate::machine::call::Arrival;
use crate::machine::speech::OutStream;
use crate::machine::token::{LinkKey, MemberKey, Purpose};
use crate::machine::who::beacon::Signed;
use crate::machine::wire::Request;

/// The first pause between two rounds of greeting somebody who does not answer, and the longest.
const GREET_FIRST: Duration = Duration::from_millis(250);
const GREET_LAST: Duration = Duration::from_secs(15);

/// Rounds in which the addresses of a beacon are tried, one after another: it can name anybody's.
const BEACON_ROUNDS: u32 = 2;
const TRY_EVERY: Duration = Duration::from_millis(100);

/// The same for somebody who was here and fell silent.
const RETURN_FIRST: Duration = Duration::from_secs(5);
const RETURN_LAST: Duration = Duration::from_secs(60);

impl Members {
    /// Says hello at every address a member may have, but for that of one link. A beacon can name
    /// anybody's addresses: those of somebody who came after us and has not answered yet, or who is gone,
    /// are not tried. There, only what the nodeset saw and what has answered counts; unless it sees them
    /// at our own IP address: it may be that they cannot reach us behind our common router.
    pub(super) fn greet(&mut self, key: MemberKey, except: Option<LinkKey>, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        member.greet_at = None;
        let mut addrs: Vec<SocketAddr> = member.seen.into_iter().chain(member.last).collect();
        addrs.extend(member.links.iter().filter_map(|route| ctx.calls.addr(route.link)));
        // Who sat at our own address before us does not answer there.
        let except = except.and_then(|link| ctx.calls.addr(link));
        let may = |addr: &SocketAddr| !ctx.me.beacon.addrs.contains(addr) && Some(*addr) != except;
        let first = member.rounds + member.reroutes < BEACON_ROUNDS;
        member.untried.clear();
        let neighbour = ctx.seen.is_some() && member.seen.map(|seen| seen.ip()) == ctx.seen;
        let ours_to_try = member.found || member.path.is_some() || neighbour;
        if member.introduced && !member.is_gone() && first && ours_to_try {
            for addr in member.vouched.iter().filter(|&addr| may(addr) && !addrs.contains(addr)) {
                // A process has one port: one address of each computer is enough.
                if !member.untried.iter().any(|other| other.ip() == addr.ip()) {
                    member.untried.push(*addr);
                }
            }
            member.untried.reverse();
        }
        addrs.retain(may);
        if addrs.is_empty() {
            addrs.extend(member.untried.pop());
        }
        member.try_at = (!member.untried.is_empty()).then(|| ctx.now + TRY_EVERY);
        for addr in addrs {
            self.greet_at(key, addr, ctx);
        }
        if self.slab.get(key).is_some_and(|member| member.links.is_empty()) {
            self.greet_later(key, ctx);
        }
    }

    /// Says hello at one address.
    fn greet_at(&mut self, key: MemberKey, addr: SocketAddr, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        let known = member.is_introduced_at(addr) || member.last == Some(addr);
        let credit = if known { None } else { Some(0) };
        if let Some(link) = ctx.calls.open_sealed(ctx.now, addr, &member.beacon, credit) {
            self.greet_on(key, link, ctx);
        }
    }

    /// Says hello at the next address of a beacon, a while after the one before.
    pub(super) fn try_next(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let next = member.untried.pop();
        member.try_at = (!member.untried.is_empty()).then(|| ctx.now + TRY_EVERY);
        if let Some(addr) = next {
            self.greet_at(key, addr, ctx);
        }
    }

    /// Says hello on one link, unless a hello is open there.
    pub(super) fn greet_on(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        if !self.attach(key, link, ctx) {
            return;
        }
        let Some(member) = self.slab.get_mut(key) else { return };
        let idle = |route: &&mut Route| route.link == link && route.greeting.is_none();
        let Some(route) = member.links.iter_mut().find(idle) else { return };
        if member.out.id == 0 {
            member.out.id = ctx.rng.next_u32().max(1);
        }
        let request = hello(ctx, &member.out);
        let token = Purpose::Hello { member: key };
        let made = ctx.calls.request(ctx.now, link, token, &request);
        route.greeting = made.map(|_| ctx.me.beacon.n);
    }

    /// Makes a link one of a member's. False when it is somebody else's. When a member has too many,
    /// the one that was silent longest makes room.
    pub(super) fn attach(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) -> bool {
        if let Some(owner) = self.on_link(link) {
            return owner == key;
        }
        let Some(member) = self.slab.get(key) else { return false };
        if member.links.len() >= LINKS_EACH {
            let others = member.links.iter().filter(|route| Some(route.link) != member.path);
            let oldest = others.map(|route| (ctx.calls.heard(route.link), route.link)).min();
            if let Some((_, oldest)) = oldest {
                self.detach(key, oldest, ctx);
            }
        }
        let Some(member) = self.slab.get_mut(key) else { return false };
        member.links.push(Route { link, greeting: None, challenged: false });
        if link.index() >= self.by_link.len() {
            self.by_link.resize(link.index() + 1, None);
        }
        self.by_link[link.index()] = Some((link, key));
        true
    }

    /// Gives up a link. What was being said over it is to be said again.
    pub(super) fn detach(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        member.links.retain(|route| route.link != link);
        member.path = member.path.filter(|&path| path != link);
        // Its call is closed with it, whatever the path is by now, and nobody is told.
        member.pinging = member.pinging.filter(|&asked| asked != link);
        member.newest = member.newest.filter(|&newest| newest != link);
        member.out.unlink(link);
        if let Some(owner) = self.by_link.get_mut(link.index()) {
            *owner = owner.filter(|&(of, _)| of != link);
        }
        ctx.calls.close(ctx.now, link);
    }

    pub(super) fn detach_all(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let first = |member: &Member| member.links.first().map(|route| route.link);
        while let Some(link) = self.slab.get(key).and_then(first) {
            self.detach(key, link, ctx);
        }
    }

    /// Somebody says hello. `None` when they are not to be answered.
    pub(crate) fn hello(
        &mut self,
        arrival: &Arrival,
        beacon: &Signed,
        (stream, start, given_up): (u32, u64, u64),
        ctx: &mut Ctx<'_>,
    ) -> Option<(MemberKey, LinkKey)> {
        let key = self.introduce(beacon, Introducer::Themselves(arrival.from), ctx)?;
        let member = self.slab.get(key)?;
        let credit = member.credit_at(arrival);
        let link = ctx.calls.open_sealed(ctx.now, arrival.from, &member.beacon, credit)?;
        if !self.attach(key, link, ctx) {
            return None;
        }
        let member = self.slab.get_mut(key)?;
        member.estranged = false;
        self.held -= member.inward.held_bytes();
        let missing = member.inward.open(stream, start, given_up);
        self.held += member.inward.held_bytes();
        member.missing = member.missing.saturating_add(missing);
        self.tell_missing(key, ctx);
        self.heard(key, link, arrival, ctx);
        Some((key, link))
    }

    /// After a hello was answered: greet back, unless a path to them works.
    pub(crate) fn greet_back(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        let works = member.working_path(ctx.now, ctx.calls).is_some();
        if !works || !member.out.open || member.is_gone() {
            self.greet_on(key, link, ctx);
        }
        self.reschedule(key);
    }

    /// Our hello was answered: there is a path, and our stream is open.
    pub(crate) fn greeted(
        &mut self,
        key: MemberKey,
        link: LinkKey,
        arrival: &Arrival,
        ctx: &mut Ctx<'_>,
    ) {
        let told = self.settle(key, link);
        let Some(member) = self.slab.get_mut(key) else { return };
        let works = |path: LinkKey| path != link && !ctx.calls.is_silent(path);
        // A path that is dead and does not know it yet: they were heard here, and long not there.
        let moved = member.newest == Some(link);
        let old = member.path.filter(|&path| moved && path != link && is_quiet(path, ctx));
        if !member.path.is_some_and(works) {
            member.path = Some(link);
        }
        member.rounds = 0;
        (member.greet_at, member.try_at) = (None, None);
        member.untried.clear();
        member.out.opened();
        member.estranged = false;
        member.lives(ctx.now);
        self.heard(key, link, arrival, ctx);
        self.show(key, ctx);
        if let Some(old) = old {
            self.move_to(key, old, link, ctx);
        }
        if told.is_some_and(|n| n < ctx.me.beacon.n) {
            self.greet_on(key, link, ctx);
        }
        self.kick(key, ctx);
        self.reschedule(key);
    }

    /// Nobody, or somebody else, answers at that address.
    pub(crate) fn greeting_failed(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        self.settle(key, link);
        let Some(member) = self.slab.get(key) else { return };
        if member.path != Some(link) {
            self.detach(key, link, ctx);
        }
        let Some(member) = self.slab.get(key) else { return };
        if member.links.iter().all(|route| route.greeting.is_none()) && !member.out.open {
            if member.standing == Standing::Hidden && !member.introduced {
                // A stranger who said hello and does not answer: nobody vouches for them.
                return self.forget(key, ctx);
            }
            self.greet_later(key, ctx);
        }
        self.kick(key, ctx);
        self.reschedule(key);
    }

    /// The hello on a link is over; returns the number of the beacon it told.
    fn settle(&mut self, key: MemberKey, link: LinkKey) -> Option<u32> {
        let links = &mut self.slab.get_mut(key)?.links;
        links.iter_mut().find(|route| route.link == link)?.greeting.take()
    }

    /// Plans the next round of hellos, later each time; but soon while somebody has a few seconds left to
    /// show that they are here.
    pub(super) fn greet_later(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let (first, last) = match member.standing {
            Standing::Absent { .. } => (RETURN_FIRST, RETURN_LAST),
            _ => (GREET_FIRST, GREET_LAST),
        };
        let rounds = if member.hint == Hint::Spent { 0 } else { member.rounds };
        let pause = first.saturating_mul(1 << rounds.min(16)).min(last);
        member.rounds += 1;
        member.greet_at = Some(ctx.now + ctx.rng.jitter(pause, 8));
    }

    /// The reader does not know our stream: it has restarted, or given us up. Say hello anew, with
    /// everything that is not delivered to follow.
    pub(crate) fn unknown(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        member.estranged = true;
        if member.out.open {
            let greeting = member.links.iter().any(|route| route.greeting.is_some());
            let (now, calls) = (ctx.now, &mut *ctx.calls);
            member.out.shut(|position, link, seq| {
                calls.finish(now, link, seq, Purpose::Say { member: key, position });
            });
            if !greeting {
                member.out.id = ctx.rng.next_u32().max(1);
            }
        }
        // Who says so again and again is not greeted as fast as they can say it.
        let at = member.out.greets_at(ctx.now);
        if at <= ctx.now {
            self.greet_on(key, link, ctx);
        } else {
            member.greet_at = Some(member.greet_at.map_or(at, |soon| soon.min(at)));
        }
        self.reschedule(key);
    }

    /// Tells everybody who is here our beacon, which has changed.
    pub(crate) fn tell_beacon(&mut self, ctx: &mut Ctx<'_>) {
        for key in self.shown_keys() {
            if let Some(path) = self.slab.get(key).and_then(Member::path) {
                self.greet_on(key, path, ctx);
            }
        }
    }
}

fn hello<'a>(ctx: &Ctx<'_>, out: &OutStream) -> Request<'a> {
    let beacon = ctx.me.clone();
    let (stream, start, given_up) = (out.id, out.start(), out.given_up);
    Request::Hello { stream, start, given_up, beacon }
}
