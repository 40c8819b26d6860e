//! Through whom somebody is reached who does not answer directly, and passing on for others
//! (docs/PROTOCOL.md, "Relays").

use core::cmp::Reverse;
use core::net::SocketAddr;
use core::time::Duration;

use super::bridges::Passage;
use super::{Ctx, Member, MemberKey, Members};
use crate::machine::call::{Arrival, Calls};
use crate::machine::keyed::short;
use crate::machine::purpose::{LinkKey, Matter, Purpose};
use crate::machine::relayed::{Relayed, is_relayed};
use crate::machine::time::Time;
use crate::machine::who::identity::Person;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{Request, Response};

/// So long after a round of hellos whoever has not answered is reached through a relay; and so long after
/// calls have failed to who did answer. It may be bad luck, and a relay is worse than that.
pub(super) const RELAY_AFTER: Duration = Duration::from_millis(600);
pub(super) const RELAY_ANEW: Duration = Duration::from_secs(2);

/// For so long after somebody is back others may be, before a relay is asked for a way to them.
const RELAY_HEALED: Duration = Duration::from_secs(10);

/// How soon another relay is asked; how many there are to ask; once all were, pauses double, up to 16 s.
const RELAY_NEXT: Duration = Duration::from_secs(1);
pub(super) const RELAYS: u32 = 3;
/// And at the latest so long after one has said that it reaches them.
const RELAY_GRANTED: Duration = Duration::from_secs(4);

impl Members {
    /// Asks the next relay for a way to somebody who does not answer.
    pub(super) fn ask_relay(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        if member.has_way(ctx.calls) || member.life.has_left() || ctx.parting {
            return self.needs_no_relay(key);
        }
        let asked = member.reach.relays().unwrap_or_default();
        let mut pause = RELAY_NEXT * (1 << asked.saturating_sub(RELAYS - 1).min(4));
        // While others come back, they most likely do as well.
        let healing = asked == 0 && ctx.calls.is_healing(ctx.now, RELAY_HEALED);
        let relay = self.relay_for(key, asked as usize, ctx).filter(|_| !healing);
        if let Some(relay) = relay {
            pause = ctx.rng.jitter(pause, 8);
            self.ask_bridge(key, relay, ctx);
        }
        if self.is_nobody_between(key) {
            self.go_far_unasked(key, ctx);
        }
        let Some(member) = self.slab.get_mut(key) else { return };
        member.reach.relay_later(ctx.now + pause);
    }

    /// Asks a relay, over that link, for a way to somebody.
    fn ask_bridge(&self, key: MemberKey, (relay, over): (MemberKey, LinkKey), ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        let (to, about) = (member.record.beacon().id, Matter::Bridge { to: key });
        let token = Purpose::Member(relay, about);
        ctx.calls.request(ctx.now, over, token, &Request::Bridge { to });
    }

    fn needs_no_relay(&mut self, key: MemberKey) {
        if let Some(member) = self.slab.get_mut(key) {
            member.reach.needs_no_relay();
        }
    }

    /// The so-manieth relay to somebody, and the link to it. Both ends draw the same lots, so they ask the
    /// same, and who is drawn differs from pair to pair.
    fn relay_for(&self, key: MemberKey, nth: usize, ctx: &Ctx<'_>) -> Option<(MemberKey, LinkKey)> {
        let (me, to) = (ctx.me.beacon.id, self.slab.get(key)?.record.beacon().id);
        let lot = |id: PeerId| {
            let ids = [me.min(to), me.max(to), id].map(|id| id.0.to_be_bytes());
            short(ctx.keys.room.mac_key(), &[b"relay", &ids[0], &ids[1], &ids[2]])
        };
        let can = |(of, member): (MemberKey, &Member)| {
            let over = member.direct_path(ctx.now, ctx.calls).filter(|_| of != key)?;
            let over = Some(over).filter(|&over| !ctx.calls.is_doubtful(over))?;
            Some((Reverse(lot(member.record.beacon().id)), of, over))
        };
        let mut best: Vec<(Reverse<[u8; 8]>, MemberKey, LinkKey)> = Vec::new();
        for relay in self.iter().filter(|(_, member)| member.life.is_shown()).filter_map(can) {
            let place = best.partition_point(|better| better.0 > relay.0);
            best.insert(place, relay);
            best.truncate(RELAYS as usize);
        }
        let nth = nth.checked_rem(best.len())?;
        best.get(nth).map(|&(_, relay, over)| (relay, over))
    }

    /// A relay has answered: the way through it is one more way to them.
    pub(super) fn bridged(
        &mut self,
        over: LinkKey,
        to: MemberKey,
        response: &Response,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(member) = self.slab.get(to) else { return };
        let works = member.has_way(ctx.calls);
        match *response {
            Response::Bridge { index } if !member.life.has_left() && !works => {
                if self.is_behind_routers(to, ctx)
                    && let Some(member) = self.slab.get_mut(to)
                {
                    member.reach.relay_by_then(ctx.now + RELAY_GRANTED);
                }
                self.greet_with(to, Relayed { over, index }.addr(), None, ctx);
            }
            Response::Bridge { .. } => {}
            _ if works => {}
            _ => self.ask_next_relay(to, ctx),
        }
        self.reschedule(to);
    }

    /// Asks the relay that somebody is reached through to introduce us: it reaches them, and they may have
    /// moved.
    pub(super) fn ask_introduction(&self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        let over = member.reach.path().and_then(|path| ctx.calls.relay(path));
        if let Some(relay) = over.and_then(|over| Some((self.on_link(over)?, over))) {
            self.ask_bridge(key, relay, ctx);
        }
    }

    /// A relay does not know them, or does not answer.
    pub(super) fn ask_next_relay(&mut self, to: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(to) else { return };
        if member.reach.relays().is_some_and(|asked| asked < RELAYS) {
            self.ask_relay(to, ctx);
        }
    }

    /// The link to a relay is closed, or not its path any more: what goes through it leads nowhere. Who was
    /// reached that way is sought anew, through the next relay, or the same where it is now.
    pub(super) fn detach_through(&mut self, relay: LinkKey, ctx: &mut Ctx<'_>) {
        for link in ctx.calls.through(relay) {
            let Some(key) = self.on_link(link) else { continue };
            self.detach(key, link, ctx);
            if let Some(member) = self.slab.get_mut(key)
                && member.reach.path().is_none()
                && !member.life.is_gone()
            {
                member.reach.relay_by(ctx.now);
                member.reach.greet_by(ctx.now);
            }
            // What was on its way there is said anew, if there is another way.
            self.kick(key, ctx);
            self.reschedule(key);
        }
    }

    /// Through whom a link goes; nobody, if it is direct.
    pub(crate) fn relay_of(&self, link: LinkKey, calls: &Calls<Purpose>) -> Option<Person> {
        let relay = self.on_link(calls.relay(link)?)?;
        self.slab.get(relay).map(|relay| relay.record.person())
    }

    /// Somebody asks us to pass on what they and another one say. `Unknown` when the other one does not
    /// hear us either, and when we reach one of them through others: there is one relay on a way.
    pub(super) fn bridge(
        &mut self,
        key: MemberKey,
        arrival: &Arrival,
        to: PeerId,
        ctx: &mut Ctx<'_>,
    ) -> Response {
        let there = self.key_of(to).filter(|&other| {
            let other =
                self.slab.get(other).filter(|member| other != key && member.life.is_shown());
            let path = other.and_then(|other| other.direct_path(ctx.now, ctx.calls));
            path.is_some_and(|path| !ctx.calls.is_doubtful(path))
        });
        let asks = self.slab.get(key).map(|member| member.record.beacon().id);
        let (Some(other), Some(asks), false) = (there, asks, is_relayed(arrival.from)) else {
            return Response::Unknown;
        };
        match self.bridges.between(ctx.now, asks, to, ctx.rng) {
            Some(index) => {
                self.introduce_both([key, other], ctx);
                Response::Bridge { index }
            }
            None => {
                ctx.calls.blame.over_limit += 1;
                Response::Unknown
            }
        }
    }

    /// Passes on what came from an address with an index in front. False when it is not for us to pass
    /// on. An index counts only from where its owner has answered.
    pub(crate) fn pass_on(
        &mut self,
        from: SocketAddr,
        (index, datagram): (u64, &[u8]),
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let Some(owner) = self.bridges.owner(ctx.now, index) else { return false };
        if !ctx.calls.answers_at(from, owner) {
            ctx.calls.blame.unauthenticated += 1;
            return true;
        }
        let Passage::To(to, index) = self.bridges.pass(ctx.now, index, datagram.len()) else {
            ctx.calls.blame.over_limit += 1;
            return true;
        };
        let path = self.key_of(to).and_then(|to| self.slab.get(to)?.reach.path());
        let works = |path: &LinkKey| !ctx.calls.is_relayed(*path) && !ctx.calls.is_silent(*path);
        if let Some(path) = path.filter(works) {
            ctx.calls.pass_on(path, index, datagram, ctx.out);
        }
        true
    }
}

impl Member {
    /// The path, when it works and goes through nobody else.
    pub(super) fn direct_path(&self, now: Time, calls: &Calls<Purpose>) -> Option<LinkKey> {
        self.working_path(now, calls).filter(|&path| !calls.is_relayed(path))
    }
}
