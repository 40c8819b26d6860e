//! Ways through two routers at once (docs/PROTOCOL.md, "Two routers").
//!
//! A router lets in what was asked for, so each of two sends to the other one, and what comes first is lost.
//! Some routers take that for their own, and give whoever is behind them another port from then on: there the
//! two never meet. So what goes first ends shortly behind the sender's own router, and opens it; the rest
//! follows when the other one has done so as well. A nodeset that tells of who comes, or a relay that both
//! reach, says when that is.

use core::net::SocketAddr;
use core::time::Duration;

use super::relaying::RELAYS;
use super::{Ctx, Member, MemberKey, Members};
use crate::machine::call::Arrival;
use crate::machine::pace::Rate;
use crate::machine::purpose::{Matter, Purpose};
use crate::machine::relayed::is_relayed;
use crate::machine::source::beside;
use crate::machine::who::beacon::Beacon;
use crate::machine::wire::{Request, Response};

/// Of one member so many introductions are heeded.
const INTRODUCED: Rate = Rate::new(Duration::from_secs(1), 64);

/// What the two are told one after the other: the one with the greater id opens its router, the other one
/// sends, and then the first as well.
const STEPS: u8 = 3;

/// What becomes of a hello that nobody has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unasked {
    /// It waits until somebody does.
    Nothing,
    /// It opens the router in front of us.
    Near,
    /// It goes there.
    Far,
}

impl Members {
    /// Whether a router stands in front of us, as far as is known, and another one in front of who is said to
    /// be at that address.
    fn are_routers_between(addr: SocketAddr, beacon: &Beacon, ctx: &Ctx<'_>) -> bool {
        let is_own = |ip, of: &Beacon| of.addrs.iter().any(|own| own.ip() == ip);
        let ours = ctx.seen.is_none_or(|seen| !is_own(seen, &ctx.me.beacon) && seen != addr.ip());
        ours && !is_own(addr.ip(), beacon)
    }

    /// Whether somebody was never reached, and routers are between: whoever says that they reach them is to be
    /// believed, since no other way has shown that they are there.
    pub(super) fn is_behind_routers(&self, key: MemberKey, ctx: &Ctx<'_>) -> bool {
        let never = self.slab.get(key).filter(|member| member.reach.path().is_none());
        let seen = never.and_then(|member| Some((member.reach.seen()?, member.record.beacon())));
        seen.is_some_and(|(addr, beacon)| Self::are_routers_between(addr, beacon, ctx))
    }

    /// What becomes of a hello to an address of somebody when nobody has said that they are ready for it.
    pub(super) fn unasked(&self, key: MemberKey, addr: SocketAddr, ctx: &Ctx<'_>) -> Unasked {
        let Some(member) = self.slab.get(key) else { return Unasked::Nothing };
        let there = ctx.calls.link_to((addr, member.record.beacon().id));
        let answered = there.is_some_and(|link| ctx.calls.is_proven(link));
        let open = answered || is_relayed(addr) || ctx.seen.is_none() && ctx.announce;
        if open || !Self::are_routers_between(addr, member.record.beacon(), ctx) {
            return Unasked::Far;
        }
        if member.life.is_gone() || self.is_nobody_between(key) {
            return Unasked::Far;
        }
        if member.has_way(ctx.calls) {
            return Unasked::Nothing;
        }
        match (member.reach.was_tried(), ctx.door) {
            // Nobody has told them of us.
            (_, Some(_)) => Unasked::Nothing,
            (false, None) => Unasked::Near,
            (true, None) => Unasked::Far,
        }
    }

    /// Whether nobody can say when somebody is ready: there is no other member, or those who were asked do not
    /// reach them either.
    pub(super) fn is_nobody_between(&self, key: MemberKey) -> bool {
        let asked = self.slab.get(key).and_then(|member| member.reach.relays());
        let others = self.iter().any(|(of, member)| of != key && !member.life.is_gone());
        asked.is_some_and(|asked| asked >= 2 * RELAYS || !others)
    }

    /// The other one has opened its router by now: what goes there may get there.
    pub(super) fn goes_far(&self, key: MemberKey, addr: SocketAddr, ctx: &mut Ctx<'_>) {
        let id = self.slab.get(key).map(|member| member.record.beacon().id);
        if let Some(link) = id.and_then(|id| ctx.calls.link_to((addr, id))) {
            ctx.calls.go_far(ctx.now, link);
        }
    }

    /// There is nobody who could say when the other one's router is open.
    pub(super) fn go_far_unasked(&self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        member.reach.links().for_each(|link| ctx.calls.go_far(ctx.now, link));
    }

    /// We are about to be listed, and whoever is told of us answers where we are seen: our router is open by
    /// then, if there is one.
    pub(crate) fn open_router(&mut self, ctx: &mut Ctx<'_>) {
        let keys: Vec<MemberKey> = self.iter().map(|(key, _)| key).collect();
        for key in keys {
            let Some(member) = self.slab.get(key) else { continue };
            let idle = member.reach.links().next().is_none() && !member.life.is_gone();
            if idle && member.reach.seen().is_some() {
                self.greet(key, None, ctx);
                self.reschedule(key);
            }
        }
    }

    /// We are listed, and know where we are seen: those who are behind no second router are greeted.
    pub(crate) fn opened_router(&self, ctx: &mut Ctx<'_>) {
        for (key, member) in self.iter() {
            let beacon = member.record.beacon();
            let seen = member.reach.seen();
            if let Some(addr) = seen.filter(|&addr| !Self::are_routers_between(addr, beacon, ctx)) {
                self.goes_far(key, addr, ctx);
            }
        }
    }

    /// Two for whom we pass things on may do without us: each is told where we reach the other one.
    pub(super) fn introduce_both(&mut self, keys: [MemberKey; 2], ctx: &mut Ctx<'_>) {
        let [Some(one), Some(other)] = keys.map(|key| self.slab.get(key)) else { return };
        let ids = [one, other].map(|member| member.record.beacon().id);
        let at = [one, other].map(|member| member.seen_at(ctx));
        let [Some(first), Some(second)] = at else { return };
        let (at, hard) = ([first.0, second.0], [first.1, second.1]);
        if self.bridges.may_introduce(ctx.now, (ids, at), hard) {
            // What the one with the smaller id begins goes on, and who has a hard router opens nothing.
            let begins = if hard[0] == hard[1] { ids[0] < ids[1] } else { hard[0] };
            let [begins, opens] = if begins { keys } else { [keys[1], keys[0]] };
            self.introduce_to(opens, begins, 0, ctx);
        }
    }

    /// Tells a member where another one is.
    fn introduce_to(&self, told: MemberKey, of: MemberKey, step: u8, ctx: &mut Ctx<'_>) {
        let (Some(member), Some(other)) = (self.slab.get(told), self.slab.get(of)) else { return };
        let path = member.direct_path(ctx.now, ctx.calls);
        let (Some(path), Some((at, _))) = (path, other.seen_at(ctx)) else { return };
        let who = other.record.beacon().id;
        let token = Purpose::Member(told, Matter::Introduce { of, step });
        ctx.calls.request(ctx.now, path, token, &Request::Introduce { who, at, near: step == 0 });
    }

    /// Who was told of another one has done what they can: it is the other one's turn. Or they do not need
    /// that, or do not know them yet.
    pub(super) fn has_introduced(
        &mut self,
        told: MemberKey,
        (of, step): (MemberKey, u8),
        done: bool,
        ctx: &mut Ctx<'_>,
    ) {
        if done && step + 1 < STEPS {
            self.introduce_to(of, told, step + 1, ctx);
        } else if let [Some(one), Some(other)] = [told, of].map(|key| self.slab.get(key))
            && !done
        {
            self.bridges.introduce_anew([one, other].map(|member| member.record.beacon().id));
        }
    }

    /// A member says where it reaches another one. Only who is here is sought there, and only who has no
    /// direct way to us yet; how much goes there before anybody answers is limited as for any address that
    /// others name.
    pub(super) fn introduced(
        &mut self,
        (by, arrival): (MemberKey, &Arrival),
        request: (MemberKey, SocketAddr, bool),
        ctx: &mut Ctx<'_>,
    ) -> Response {
        let (key, at, near) = request;
        let Some(introducer) = self.slab.get_mut(by) else { return Response::Unknown };
        if !introducer.introduces.take(ctx.now, INTRODUCED) {
            ctx.calls.blame.over_limit += 1;
            return Response::Unknown;
        }
        let at = beside(at, Some(arrival.from));
        let nobody = is_relayed(at) || ctx.me.beacon.addrs.contains(&at);
        let Some(member) = self.slab.get(key).filter(|_| by != key && !nobody) else {
            return Response::Unknown;
        };
        if member.life.is_gone() || is_relayed(arrival.from) || ctx.parting {
            return Response::Unknown;
        }
        if member.direct_path(ctx.now, ctx.calls).is_some() {
            return Response::Ok;
        }
        self.greet_anew(key, at, ctx);
        let id = self.slab.get(key).map(|member| member.record.beacon().id);
        if let Some(id) = id.filter(|_| near) {
            ctx.calls.only_near((at, id), false);
        }
        self.reschedule(key);
        Response::Ok
    }

    /// Says hello at one address, at once: what was open there has not been heard.
    fn greet_anew(&mut self, key: MemberKey, at: SocketAddr, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        let there = ctx.calls.link_to((at, member.record.beacon().id));
        let stale = there.filter(|&link| !ctx.calls.is_proven(link));
        if let Some(link) = stale.filter(|&link| self.on_link(link) == Some(key)) {
            self.detach(key, link, ctx);
        }
        let Some(member) = self.slab.get(key) else { return };
        let link = ctx.calls.open_sealed(ctx.now, at, member.record.beacon(), None);
        if let Some(link) = link {
            self.greet_on(key, link, ctx);
        }
    }
}

impl Member {
    /// Where we reach them, if that is directly; and whether their router is hard: it has another port for each
    /// whom they speak with, since the nodeset saw them at another one. If it gave one to us alone, that where
    /// the nodeset saw them is the one for all others.
    fn seen_at(&self, ctx: &Ctx<'_>) -> Option<(SocketAddr, bool)> {
        let at = ctx.calls.direct_addr(self.direct_path(ctx.now, ctx.calls)?)?;
        let port = |seen: &SocketAddr| seen.ip() == at.ip() && seen.port() != at.port();
        let mapped = self.record.beacon().addrs.contains(&at);
        let other = self.reach.seen().filter(|seen| port(seen) && !mapped);
        Some(other.map_or((at, false), |seen| (seen, true)))
    }
}
