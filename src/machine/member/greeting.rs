//! Hellos: finding a path to a member and opening the streams (docs/PROTOCOL.md, "Hello").
//!
//! A member is greeted at every address it may have, all at once; the first that answers becomes
//! the path. Whoever says hello is greeted back. Rounds that find nobody come ever more rarely.

use core::net::SocketAddr;
use core::time::Duration;

use super::{Ctx, LINKS_EACH, MemberKey, Members, PING_EVERY, Standing};
use crate::machine::call::LinkKey;
use crate::machine::peer::Purpose;
use crate::machine::speech::OutStream;
use crate::machine::wire::{Request, VERSION};
use crate::machine::{Beacon, PeerId};

/// The first pause between two rounds of greeting somebody who does not answer, and the longest.
const GREET_FIRST: Duration = Duration::from_millis(250);
const GREET_LAST: Duration = Duration::from_secs(15);

/// The same for somebody who was here and fell silent.
const RETURN_FIRST: Duration = Duration::from_secs(5);
const RETURN_LAST: Duration = Duration::from_secs(60);

impl Members {
    /// Says hello at every address a member may have.
    pub(super) fn greet(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let member = &mut self.slab[key];
        member.greet_at = None;
        let mut addrs: Vec<SocketAddr> = member.seen.into_iter().collect();
        addrs.extend(member.links.iter().map(|&(link, _)| ctx.calls.addr(link)));
        addrs.extend(&member.beacon.addrs);
        for addr in addrs {
            let process = self.slab[key].process();
            if let Some(link) = ctx.calls.open(ctx.now, addr, process, true) {
                self.greet_on(key, link, ctx);
            }
        }
        if self.slab[key].links.is_empty() {
            self.greet_later(key, ctx);
        }
    }

    /// Says hello on one link, unless a hello is open there.
    fn greet_on(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        if !self.attach(key, link, ctx) {
            return;
        }
        let member = &mut self.slab[key];
        let Some(place) = member.links.iter().position(|&(known, open)| known == link && !open)
        else {
            return;
        };
        if member.out.id == 0 {
            member.out.reopen(ctx.rng.next_u32().max(1));
        }
        let request = hello(ctx, &member.out);
        if ctx.calls.request(ctx.now, link, Purpose::Hello { member: key }, &request).is_some() {
            member.links[place].1 = true;
        }
    }

    /// Makes a link one of a member's. False when it is somebody else's, or there are too many.
    pub(super) fn attach(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) -> bool {
        if let Some(owner) = self.on_link(link) {
            return owner == key;
        }
        if self.slab[key].links.len() >= LINKS_EACH {
            ctx.calls.close(link);
            return false;
        }
        if link >= self.by_link.len() {
            self.by_link.resize(link + 1, None);
        }
        self.by_link[link] = Some(key);
        self.slab[key].links.push((link, false));
        true
    }

    pub(super) fn detach(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let member = &mut self.slab[key];
        member.links.retain(|&(known, _)| known != link);
        if member.path == Some(link) {
            member.path = None;
        }
        self.by_link[link] = None;
        ctx.calls.close(link);
    }

    /// Somebody says hello from a link's address. Returns the member, and how many pieces they gave
    /// up on; `None` when they are not to be answered.
    pub(crate) fn hello(
        &mut self,
        from: SocketAddr,
        beacon: Beacon,
        (stream, start, given_up): (u32, u64, u64),
        ctx: &mut Ctx<'_>,
    ) -> Option<(MemberKey, LinkKey, u64)> {
        let key = self.introduce(beacon, ctx)?;
        let member = &self.slab[key];
        let known = member.seen == Some(from) || member.beacon.addrs.contains(&from);
        let introduced = member.introduced && known;
        let link = ctx.calls.open(ctx.now, from, member.process(), introduced)?;
        if !self.attach(key, link, ctx) {
            return None;
        }
        let missing = self.slab[key].inward.open(stream, start, given_up);
        self.heard(key, link, ctx);
        Some((key, link, missing))
    }

    /// After a hello was answered: greet back, unless a path to them works.
    pub(crate) fn greet_back(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let works = |path: LinkKey| {
            let fresh = ctx.now.since(ctx.calls.heard(path)) < PING_EVERY;
            fresh && !ctx.calls.is_silent(path)
        };
        let member = &self.slab[key];
        if !member.path.is_some_and(works) || !member.out.open || member.is_gone() {
            self.greet_on(key, link, ctx);
        }
        self.reschedule(key);
    }

    /// Our hello was answered: there is a path, and our stream is open.
    pub(crate) fn greeted(&mut self, key: MemberKey, link: LinkKey, id: PeerId, ctx: &mut Ctx<'_>) {
        if id != self.slab[key].beacon.id {
            return self.greeting_failed(key, link, ctx);
        }
        self.settle(key, link);
        let member = &mut self.slab[key];
        let works = |path: LinkKey| path != link && !ctx.calls.is_silent(path);
        if !member.path.is_some_and(works) {
            member.path = Some(link);
        }
        member.rounds = 0;
        member.greet_at = None;
        member.out.open = member.out.id != 0;
        self.heard(key, link, ctx);
        self.show(key, ctx);
        self.kick(key, ctx);
        self.reschedule(key);
    }

    /// Nobody, or somebody else, answers at that address.
    pub(crate) fn greeting_failed(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        self.settle(key, link);
        let member = &self.slab[key];
        if member.path != Some(link) {
            self.detach(key, link, ctx);
        }
        let member = &self.slab[key];
        if member.links.iter().all(|&(_, open)| !open) && !member.out.open {
            if member.standing == Standing::Hidden && !member.introduced {
                // A stranger who said hello and does not answer: nobody vouches for them.
                return self.forget(key, ctx);
            }
            self.greet_later(key, ctx);
        }
        self.reschedule(key);
    }

    fn settle(&mut self, key: MemberKey, link: LinkKey) {
        let links = &mut self.slab[key].links;
        if let Some(entry) = links.iter_mut().find(|(known, _)| *known == link) {
            entry.1 = false;
        }
    }

    /// Plans the next round of hellos, later each time.
    pub(super) fn greet_later(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let member = &mut self.slab[key];
        let (first, last) = match member.standing {
            Standing::Absent { .. } => (RETURN_FIRST, RETURN_LAST),
            _ => (GREET_FIRST, GREET_LAST),
        };
        let pause = first.saturating_mul(1 << member.rounds.min(16)).min(last);
        member.rounds += 1;
        member.greet_at = Some(ctx.now + ctx.rng.jitter(pause, 8));
    }

    /// The reader does not know our stream: it has restarted, or given us up. Say hello anew.
    pub(crate) fn unknown(&mut self, key: MemberKey, link: LinkKey, ctx: &mut Ctx<'_>) {
        let member = &mut self.slab[key];
        if member.out.open {
            member.out.reopen(ctx.rng.next_u32().max(1));
        }
        self.greet_on(key, link, ctx);
        self.reschedule(key);
    }

    /// Tells everybody who is here our beacon, which has changed.
    pub(crate) fn tell_beacon(&mut self, ctx: &mut Ctx<'_>) {
        for key in self.shown_keys() {
            if let Some(path) = self.slab[key].path {
                self.greet_on(key, path, ctx);
            }
        }
    }
}

fn hello<'a>(ctx: &Ctx<'_>, out: &OutStream) -> Request<'a> {
    let beacon = ctx.me.clone();
    let (stream, start, given_up) = (out.id, out.start(), out.given_up);
    Request::Hello { version: VERSION, tag: ctx.tag, stream, start, given_up, beacon }
}
