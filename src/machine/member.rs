//! Who is known (docs/PROTOCOL.md, "Members").
//!
//! People are introduced by the nodeset or by their own hello, greeted at every address they may
//! have, and shown once they have answered or said something; and, when we come in, on the nodeset's
//! word. What comes over a link of theirs was sealed by them. Whoever was not heard for 60 s is given up,
//! by something that was not long on its way; a quiet one is pinged. A goodbye is signed; a nodeset's word that somebody is gone is verified before it is
//! believed. Whoever timed out is greeted again, ever more rarely, for a day: a healed partition
//! re-merges by itself, with or without a nodeset.

mod answers;
mod apart;
mod bridges;
mod catching;
mod comparing;
mod fetch;
mod greeting;
mod likeness;
mod liveness;
mod moving;
mod one;
mod presence;
mod punching;
mod reach;
mod reachable;
mod readers;
mod record;
mod relaying;
mod showing;
mod spreading;
mod streams;
mod watch;
mod watching;

use std::collections::BTreeMap;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

pub(crate) use self::apart::Viewpoint;
use self::bridges::{BRIDGES_MAX, Bridges};
use self::catching::Catching;
use self::liveness::Liveness;
pub(crate) use self::one::Member;
use self::reach::Reach;
use self::reachable::Reachable;
use self::record::Record;
use self::spreading::Spreading;
use self::streams::Streams;
use self::watch::{Lots, Rings};
use crate::machine::call::Calls;
use crate::machine::contract::Table;
use crate::machine::event::{Event, Why};
use crate::machine::log::Log;
use crate::machine::looks::Looks;
use crate::machine::outbox::Outbox;
use crate::machine::pace::{Pace, Rate};
use crate::machine::purpose::{AMember, LinkKey, Matter, MemberKey, Purpose};
use crate::machine::rng::Rng;
use crate::machine::slots::Slots;
use crate::machine::source::{beside, source, zone};
use crate::machine::speech::{
    BACKLOG_EASY, MESSAGES_MAX, MessageKey, PIECES_IN_FLIGHT, PIECES_MAX, Piece, Receipt, Speech,
};
use crate::machine::time::Time;
use crate::machine::timer::Timers;
use crate::machine::who::beacon::{Beacon, Sealed, Signed};
use crate::machine::who::identity::Person;
use crate::machine::who::ids::{Handle, PeerId};
use crate::machine::who::keys::Keys;
use crate::machine::who::pins::Pins;
use crate::machine::wire::{Listed, Request};

/// How long a goodbye is remembered, or somebody whom no nodeset has introduced.
const GONE_KEPT: Duration = Duration::from_secs(600);

/// Members, hidden or shown.
pub(crate) const MEMBERS_MAX: usize = 1024;

/// Members whom no nodeset has introduced, as long as they are hidden; and from one source, hidden or
/// not.
const STRANGERS_MAX: usize = 128;
const STRANGERS_EACH: usize = 8;

/// What came early from all authors is kept up to so many bytes.
const HELD_MAX: usize = 8 << 20;

/// A change of a name is shown this often, and that something of theirs is missing.
const TOLD: Rate = Rate::new(Duration::from_secs(1), 2);

/// How often it is told that two are one process.
const TWINS_TOLD: Rate = Rate::new(Duration::from_secs(60), 1);

/// Beacons that one process signs are looked at this often, and those that nodesets bring. Each costs
/// 50 us.
const SIGNED: Rate = Rate::new(Duration::from_millis(100), 3);
const BROUGHT: Rate = Rate::new(Duration::from_millis(1), 2048);

/// People who are gone and remembered.
pub(crate) const ABSENT_MAX: usize = 256;

/// Addresses of one member that are tried: four of its own, the one the nodeset saw, and the one
/// its hello came from.
pub(crate) const LINKS_EACH: usize = 6;

/// What the members act with.
pub(crate) struct Ctx<'a> {
    pub(crate) now: Time,
    /// Where we speak with the nodeset.
    pub(crate) nodeset: Option<SocketAddr>,
    pub(crate) keys: &'a Keys,
    pub(crate) me: &'a Signed,
    /// Where the nodeset sees us.
    pub(crate) seen: Option<IpAddr>,
    /// The incarnation of the nodeset, while it answers.
    pub(crate) listing: Option<u64>,
    /// The incarnation of the member that answers as the nodeset, if one does.
    pub(crate) door: Option<u64>,
    pub(crate) pins: &'a Pins,
    pub(crate) calls: &'a mut Calls<Purpose>,
    pub(crate) speech: &'a mut Speech,
    pub(crate) log: &'a mut Log,
    pub(crate) rng: &'a mut Rng,
    pub(crate) out: &'a mut Outbox,
    /// We are in: arrivals and departures are shown, and what is said is taken.
    pub(crate) announce: bool,
    /// We are saying goodbye: nobody is met any more.
    pub(crate) parting: bool,
    /// Whoever is in front of us can be shown no more.
    pub(crate) full: bool,
}

/// What somebody whom a nodeset knows by that handle says of themselves.
fn unseal(handle: Handle, sealed: &Sealed, ctx: &mut Ctx<'_>) -> Option<Signed> {
    let signed = ctx.keys.open(sealed).filter(|signed| signed.beacon.handle == handle);
    ctx.calls.blame.unauthenticated += u64::from(signed.is_none());
    signed
}

#[derive(Debug, Default, Hash)]
pub(crate) struct Members {
    slab: Slots<Member, AMember>,
    by_id: BTreeMap<PeerId, MemberKey>,
    by_handle: BTreeMap<Handle, MemberKey>,
    /// The member behind each link, by the place of the link.
    by_link: Vec<Option<(LinkKey, MemberKey)>>,
    /// Those who are here, by what they could be taken for.
    looks: Looks,
    timers: Timers,
    /// Those who are here to read, in the orders in which they watch each other; and whom we watch.
    rings: Rings,
    watched: Vec<MemberKey>,
    /// Until when people count as talking.
    talking_until: Time,
    /// Who said something to everybody, last, and when; and when somebody did before that.
    asked_by: Option<(MemberKey, Time)>,
    asked_before: Time,
    /// What others said of those who do not answer.
    words: Pace,
    gone: usize,
    shown: usize,
    /// A hash of their ids.
    here: u32,
    /// How often a ping carried that.
    compares: Pace,
    /// How often others were asked who is here.
    compared: Pace,
    /// How often they were told.
    listed: Pace,
    /// It was said that the network keeps its users apart.
    told_apart: bool,
    /// Those we pass things on between.
    bridges: Bridges,
    /// Bytes that came early from all authors, and whose next message waits for what it follows.
    held: usize,
    waiting: Vec<MemberKey>,
    /// What others have and we lack, and when it is asked for.
    catching: Catching,
    spreading: Spreading,
    /// Beacons that nodesets brought and that were looked at.
    brought: Pace,
    /// Two who are one process, and whether they are us, until that is told; and how often it was.
    twins: Option<(Person, bool)>,
    twins_told: Pace,
}

/// Who says that somebody is here, or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Introducer {
    /// A nodeset.
    Nodeset,
    /// They themselves, from there.
    Themselves(SocketAddr),
    /// Anybody: it is a goodbye, which is final whoever brings it.
    Anybody,
}

impl Members {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (MemberKey, &Member)> {
        self.by_id.values().filter_map(|&key| Some((key, self.slab.get(key)?)))
    }

    /// Everybody who is here.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (MemberKey, &Member)> {
        self.iter().filter(|(_, member)| member.reads_here())
    }

    /// The keys of everybody who is here, in the order of their ids.
    pub(crate) fn shown_keys(&self) -> Vec<MemberKey> {
        self.shown().map(|(key, _)| key).collect()
    }

    pub(crate) const fn shown_count(&self) -> usize {
        self.shown
    }

    pub(crate) fn get(&self, key: MemberKey) -> Option<&Member> {
        self.slab.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: MemberKey) -> Option<&mut Member> {
        self.slab.get_mut(key)
    }

    pub(crate) fn on_link(&self, link: LinkKey) -> Option<MemberKey> {
        let owner = self.by_link.get(link.index()).copied().flatten();
        owner.filter(|&(of, _)| of == link).map(|(_, member)| member)
    }

    pub(crate) fn key_of(&self, id: PeerId) -> Option<MemberKey> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        let catching = self.catching.next_wake().into_iter().chain(self.spreading.next_wake());
        self.timers.next().into_iter().chain(catching).min()
    }

    /// The nodeset says that somebody is here: if they say so themselves. Who is new to us in what we
    /// `asked` for was there before.
    pub(crate) fn listed(&mut self, listed: &Listed, greet: bool, asked: bool, ctx: &mut Ctx<'_>) {
        let opened = unseal(listed.handle, &listed.sealed, ctx);
        let by = Introducer::Nodeset;
        let Some(signed) = opened else { return };
        let new = self.key_of(signed.beacon.id).is_none();
        let Some(key) = self.introduce(&signed, by, ctx) else { return };
        let Some(member) = self.slab.get_mut(key) else { return };
        // What is on a cable with us we reach over the interface over which we speak with them, or else
        // with who tells us of them.
        let path = member.reach.path().and_then(|path| ctx.calls.addr(path));
        let near = path.filter(|&path| zone(path).is_some()).or(ctx.nodeset);
        let beside = |addr| beside(addr, near);
        // A member that answers as a nodeset is where we ask it: it does not know how it is seen.
        let itself = ctx.door == Some(signed.beacon.incarnation);
        let seen = ctx.nodeset.filter(|_| itself).unwrap_or(listed.seen);
        let addrs = signed.beacon.addrs.into_iter().map(beside).collect();
        let moved = member.reach.listed(beside(seen), addrs, new && asked);
        member.record.vouch(ctx.listing);
        if moved || !asked {
            member.life.is_heard_by_others(ctx.now);
        }
        // Nobody is listed under a handle without the token behind it.
        self.by_handle.insert(listed.handle, key);
        let lost = moved && member.working_path(ctx.now, ctx.calls).is_none();
        if greet && (lost || member.reach.links().next().is_none()) {
            member.reach.begin_again();
            self.greet(key, None, ctx);
        }
        if greet && !asked {
            // Who comes, or has moved, opened their router before that was told.
            self.goes_far(key, beside(seen), ctx);
        }
        self.reschedule(key);
    }

    /// Somebody wants to come in through us, from an address that has shown that it receives: they are greeted
    /// there. Nobody vouches for them, so they count as strangers of that address until they have answered.
    pub(crate) fn comes_in(
        &mut self,
        (handle, sealed): (Handle, &Sealed),
        from: SocketAddr,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(signed) = unseal(handle, sealed, ctx) else { return };
        let by = Introducer::Themselves(from);
        let Some(key) = self.introduce(&signed, by, ctx) else { return };
        if self.slab.get(key).is_some_and(|member| !member.has_way(ctx.calls)) {
            self.greet_with(key, from, None, ctx);
        }
        self.reschedule(key);
    }

    /// Greets everybody who was listed before we were in.
    pub(crate) fn greet_all(&mut self, ctx: &mut Ctx<'_>) {
        let keys: Vec<MemberKey> = self.iter().map(|(key, _)| key).collect();
        for key in keys {
            let idle =
                |member: &Member| member.reach.links().next().is_none() && !member.life.is_gone();
            if self.slab.get(key).is_some_and(idle) {
                self.greet(key, None, ctx);
                self.reschedule(key);
            }
        }
    }

    /// Takes in a beacon: a new member, or a newer beacon of a known one. `None` when it is ours,
    /// outdated, forged, or of somebody who has left, or says so; and when there is no room.
    fn introduce(
        &mut self,
        signed: &Signed,
        by: Introducer,
        ctx: &mut Ctx<'_>,
    ) -> Option<MemberKey> {
        let beacon = &signed.beacon;
        if beacon.id == ctx.me.beacon.id {
            let other = beacon.handle != ctx.me.beacon.handle;
            if other && self.brought.take(ctx.now, BROUGHT) && ctx.keys.is_genuine(signed) {
                self.notice_twins(signed, true, ctx);
            }
            return None;
        }
        let known = self.key_of(beacon.id).and_then(|key| Some((key, self.slab.get(key)?)));
        if let Some((key, member)) = known {
            if member.life.has_left() {
                ctx.calls.blame.replayed += 1;
                return None;
            }
            let known = member.record.beacon();
            if !beacon.left && beacon.n <= known.n && beacon.is_same(known) {
                // What is known says as much, and was verified.
                return Some(key);
            }
        }
        let worth_a_look = match by {
            Introducer::Nodeset => self.brought.take(ctx.now, BROUGHT),
            _ => ctx.calls.may_verify(ctx.now, beacon.id, SIGNED),
        };
        if !worth_a_look {
            ctx.calls.blame.over_limit += 1;
            return None;
        }
        match known {
            _ if !ctx.keys.is_genuine(signed) => {
                ctx.calls.blame.unauthenticated += 1;
                None
            }
            None if beacon.left => None,
            None => self.insert(signed.clone(), by, ctx),
            Some((_, member)) if !member.record.beacon().is_same(beacon) => {
                if member.record.beacon().handle != beacon.handle {
                    self.notice_twins(signed, false, ctx);
                }
                None
            }
            Some((key, _)) if beacon.left => {
                self.lose(key, Why::Quit, ctx);
                None
            }
            Some((key, _)) => {
                self.renew(key, signed.clone(), ctx);
                Some(key)
            }
        }
    }

    fn insert(&mut self, signed: Signed, by: Introducer, ctx: &mut Ctx<'_>) -> Option<MemberKey> {
        let from = match by {
            Introducer::Themselves(from) => Some(source(from)),
            _ => None,
        };
        let full = self.slab.len() - self.gone >= MEMBERS_MAX;
        if full || from.is_some_and(|from| self.are_strangers_many(from)) {
            ctx.calls.blame.over_limit += 1;
            return None;
        }
        let id = signed.beacon.id;
        let key = self.slab.insert(Member {
            record: Record::new(signed, from),
            reach: Reach::new(ctx.now),
            life: Liveness::new(ctx.now),
            reachable: Reachable::default(),
            streams: Streams::new(ctx.speech.next_position()),
            introduces: Pace::default(),
        });
        self.by_id.insert(id, key);
        Some(key)
    }

    /// Whether those whom nobody has introduced are too many for one more, from there or in all.
    fn are_strangers_many(&self, from: IpAddr) -> bool {
        let strange = |member: &&Member| !member.record.is_introduced() && !member.life.is_gone();
        let strangers = || self.slab.iter().map(|(_, member)| member).filter(strange);
        let hidden = strangers().filter(|member| member.life.is_hidden());
        let near = strangers().filter(|member| member.record.source() == Some(from));
        hidden.count() >= STRANGERS_MAX || near.count() >= STRANGERS_EACH
    }

    /// Somebody changed their beacon.
    fn renew(&mut self, key: MemberKey, signed: Signed, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        member.record.renew(signed);
        self.rename(key, ctx);
    }

    /// Calls somebody by the name of their beacon: now, or soon if they have changed it just now.
    fn rename(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let shown = member.life.is_shown() && ctx.announce;
        if !member.record.may_rename(ctx.now, shown) {
            if member.record.renames_at().is_some() {
                self.reschedule(key);
            }
            return;
        }
        self.note_look(key, false);
        let Some(member) = self.slab.get_mut(key) else { return };
        let was = member.record.rename();
        self.note_look(key, true);
        let Some(member) = self.slab.get(key).filter(|_| shown) else { return };
        if member.record.is_reader() {
            ctx.out.show(Event::Renamed { who: member.record.person(), was });
        }
        member.record.warn_other_key(ctx);
        self.warn_alike(key, ctx);
    }

    /// Counts a member among those who are here.
    pub(crate) fn show(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let gone = member.life.is_gone();
        if !member.life.show() {
            return;
        }
        self.gone -= usize::from(gone);
        if member.record.is_reader() {
            self.shown += 1;
            self.here ^= comparing::fold(member.record.beacon().id);
            self.rings.insert(Lots::of(ctx.keys.room.mac_key(), member.record.beacon().id), key);
            self.watch(ctx);
            if !self.watched.contains(&key) {
                self.ask_when_due(key, ctx);
            }
        }
        self.note_look(key, true);
        self.doubt_predecessors(key, ctx);
        if let Some(Member { record, .. }) = self.slab.get(key).filter(|_| ctx.announce) {
            if record.is_reader() {
                ctx.out.show(Event::Joined(record.person()));
            }
            record.warn_other_key(ctx);
            self.warn_alike(key, ctx);
            self.tell_missing(key, ctx);
        }
    }

    /// Shows everybody the nodeset listed: we are in, and those who have not answered yet are here
    /// by its word. An earlier process of our own key is here only if it answers.
    pub(crate) fn show_listed(&mut self, ctx: &mut Ctx<'_>) {
        let me = &ctx.me.beacon;
        let hidden = |(_, member): &(MemberKey, &Member)| {
            let listed = member.life.is_hidden() && member.record.is_introduced();
            listed && !member.record.beacon().is_succeeded_by(me)
        };
        let keys: Vec<MemberKey> = self.iter().filter(hidden).map(|(key, _)| key).collect();
        for key in keys {
            self.show(key, ctx);
        }
    }

    /// Everybody the nodeset listed has answered, or let a first round of hellos go by; but for earlier
    /// processes of the key of `without`, if that is given.
    pub(crate) fn are_settled(&self, without: Option<&Beacon>) -> bool {
        self.iter().all(|(_, Member { record, life, reach, .. })| {
            let listed = life.is_hidden() && record.is_introduced();
            let ghost = without.is_some_and(|me| record.beacon().is_succeeded_by(me));
            !listed || reach.was_tried() || ghost
        })
    }

    /// Says a message to one member.
    pub(crate) fn push(&mut self, key: MemberKey, message: MessageKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let out = member.streams.out_mut();
        if out.push(ctx.now, ctx.speech, message) {
            self.kick(key, ctx);
            self.reschedule(key);
        } else {
            let (reader, me) = (member.record.person(), ctx.me.beacon.id);
            out.leave_out(message, reader, me, ctx.speech, ctx.out);
        }
    }

    /// Says a message to everybody who is here to read.
    pub(crate) fn push_all(&mut self, message: MessageKey, ctx: &mut Ctx<'_>) {
        for place in 0..self.slab.places() {
            let key = self.slab.key_at(place);
            let key = key.filter(|&key| self.slab.get(key).is_some_and(Member::reads_here));
            if let Some(key) = key {
                self.push(key, message, ctx);
            }
        }
    }

    /// Calls what a reader has not got yet: all that fits, or one piece while it does not answer.
    fn kick(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let Some(path) = member.reach.path() else { return };
        let silent = ctx.calls.is_silent(path);
        let others = self.shown > 1;
        if silent && member.life.is_probed() {
            let (now, calls, out) = (ctx.now, &mut *ctx.calls, member.streams.out_mut());
            if out.leave(now, others, ctx.speech) {
                out.recall(path, |position, seq| {
                    calls.finish(now, path, seq, Purpose::Member(key, Matter::Say { position }));
                });
            }
            if member.streams.out().pieces() > 0 && member.life.may_ping() {
                self.ping(key, ctx);
            }
            return;
        }
        let out = member.streams.out_mut();
        if !silent && let (true, asks) = out.leaves(ctx.now, ctx.calls.rtt(path)) {
            if asks && member.life.may_ping() {
                self.ping(key, ctx);
            }
            return;
        }
        let reserve = crate::machine::call::WINDOW - PIECES_IN_FLIGHT;
        while ctx.calls.may_open(path) > reserve {
            let stream = out.id;
            let Some(piece) = out.next_call(ctx.now, silent, ctx.speech) else { return };
            let Piece { position, behind, number, flags, seal, text } = piece;
            let request = Request::Say { stream, position, behind, number, flags, seal, text };
            let token = Purpose::Member(key, Matter::Say { position });
            let Some(seq) = ctx.calls.request(ctx.now, path, token, &request) else { return };
            out.calling(position, path, seq);
        }
    }

    fn reschedule(&mut self, key: MemberKey) {
        let Some(member) = self.slab.get(key) else { return };
        self.timers.set(key.index(), member.next_deadline());
    }

    pub(crate) fn footprint(&self) -> [Table; 5] {
        let members = self.slab.len() - self.gone;
        let pieces = self.slab.iter().map(|(_, member)| member.streams.out().pieces()).sum();
        [
            Table { name: "members", len: members, limit: MEMBERS_MAX },
            Table { name: "bridges", len: self.bridges.len(), limit: BRIDGES_MAX },
            Table { name: "absent", len: self.gone, limit: ABSENT_MAX },
            Table { name: "held bytes", len: self.held, limit: HELD_MAX },
            Table { name: "pieces to be said", len: pieces, limit: MEMBERS_MAX * PIECES_MAX },
        ]
    }

    pub(crate) fn check(&self) {
        self.timers.check();
        assert_eq!(self.by_id.len(), self.slab.len());
        for (handle, &key) in &self.by_handle {
            let known = self.slab.get(key).map(|member| member.record.beacon().handle);
            assert_eq!(known, Some(*handle));
        }
        let gone = self.slab.iter().filter(|(_, member)| member.life.is_gone()).count();
        assert_eq!(gone, self.gone);
        assert_eq!(self.shown().count(), self.shown);
        let ids = self.shown().map(|(_, member)| comparing::fold(member.record.beacon().id));
        assert_eq!(ids.fold(0, |so_far, id| so_far ^ id), self.here);
        assert_eq!(self.rings.len(), self.shown);
        assert!(self.watched.iter().all(|&key| self.get(key).is_some_and(Member::reads_here)));
        let held = self.slab.iter().map(|(_, member)| member.streams.held_bytes());
        assert_eq!(self.held, held.sum::<usize>());
        self.check_looks();
        let waits = |&key: &MemberKey| self.get(key).is_some_and(|member| member.streams.waits());
        assert!(self.waiting.iter().all(waits));
        self.bridges.check();
        self.catching.check();
        for (key, member) in self.slab.iter() {
            assert_eq!(self.key_of(member.record.beacon().id), Some(key));
            assert!(member.reach.links().all(|link| self.on_link(link) == Some(key)));
            member.reach.check();
            member.streams.out().check();
        }
        let links: usize = self.slab.iter().map(|(_, member)| member.reach.links().count()).sum();
        assert_eq!(links, self.by_link.iter().flatten().count(), "a link without a member");
    }
}
