//! Who is here (docs/PROTOCOL.md, "Members").
//!
//! People are introduced by the nodeset or by their own hello, greeted at every address they may
//! have, and shown once they have answered. What comes over a link of theirs was sealed by them.
//! Everything heard from a member that was not long on its way extends a lease of 60 s; a quiet one is
//! pinged. A goodbye is signed; a nodeset's word that somebody is gone is verified before it is
//! believed. Whoever timed out is greeted again, ever more rarely, for a day: a healed partition
//! re-merges by itself, with or without a nodeset.

mod greeting;
mod presence;

use std::collections::BTreeMap;

use core::net::SocketAddr;
use core::time::Duration;

use crate::machine::call::{Calls, LinkKey};
use crate::machine::inward::InStream;
use crate::machine::outbox::Outbox;
use crate::machine::peer::Purpose;
use crate::machine::pins::Pins;
use crate::machine::slots::{Key, Slots};
use crate::machine::speech::{OutStream, PIECES_IN_FLIGHT, Speech};
use crate::machine::timer::Timers;
use crate::machine::wire::{Listed, Request};
use crate::machine::{
    Beacon, Event, Handle, Look, PeerId, Person, Rng, Sealed, Signed, Table, Time, Why, mix,
};

/// How long somebody who is not heard counts as present.
const LEASE: Duration = Duration::from_secs(60);

/// Somebody who is quiet is pinged this often.
const PING_EVERY: Duration = Duration::from_secs(15);

/// How long somebody who is said to have left has to prove the contrary; and somebody whose lease
/// ran out at the nodeset: theirs is a bad path, or none.
const VERIFY: Duration = Duration::from_secs(3);
const VERIFY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long somebody who timed out is looked for, and how long a goodbye is remembered, or one whom
/// no nodeset has introduced.
const LOOK_FOR: Duration = Duration::from_secs(24 * 3600);
const REMEMBER: Duration = Duration::from_secs(600);

/// Members, hidden or shown.
pub(crate) const MEMBERS_MAX: usize = 1024;

/// Hidden members whom no nodeset has introduced.
const STRANGERS_MAX: usize = 128;

/// People who are gone and remembered.
pub(crate) const ABSENT_MAX: usize = 256;

/// Addresses of one member that are tried: four of its own, the one the nodeset saw, and the one
/// its hello came from.
pub(crate) const LINKS_EACH: usize = 6;

/// What the members act with.
pub(crate) struct Ctx<'a> {
    pub(crate) now: Time,
    pub(crate) me: &'a Signed,
    pub(crate) pins: &'a Pins,
    pub(crate) calls: &'a mut Calls<Purpose>,
    pub(crate) speech: &'a mut Speech,
    pub(crate) rng: &'a mut Rng,
    pub(crate) out: &'a mut Outbox,
    /// Arrivals and departures are shown: we are in.
    pub(crate) announce: bool,
}

/// Which member. Once they are forgotten, the key finds nobody any more.
pub(crate) type MemberKey = Key<Member>;

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) beacon: Beacon,
    look: Look,
    /// Where the nodeset saw them.
    seen: Option<SocketAddr>,
    /// The ways to them that are tried or in use.
    links: Vec<Route>,
    /// The link that answered.
    path: Option<LinkKey>,
    /// The link their newest datagram came over.
    newest: Option<LinkKey>,
    /// Where they answered last, once they are gone.
    last: Option<SocketAddr>,
    standing: Standing,
    /// The nodeset vouches for them.
    introduced: bool,
    /// When they are given up, and why.
    gone_at: Time,
    why: Why,
    /// When the next round of hellos is due; `None` while they are not needed, or one is under way.
    greet_at: Option<Time>,
    rounds: u32,
    ping_at: Time,
    pinging: bool,
    /// When other ways than the path were tried last, and how often since they were heard.
    rerouted: Time,
    reroutes: u32,
    /// Whether something was heard that does not prove that they are still alive.
    hint: Hint,
    /// They have said that they do not know us, and neither answered a hello nor said one since.
    estranged: bool,
    /// Something of theirs came since they were here, if only a handshake.
    heard: bool,
    out: OutStream,
    inward: InStream,
}

/// One way to a member.
#[derive(Clone, Copy, Debug)]
struct Route {
    link: LinkKey,
    /// A hello is open here, with our beacon of that number.
    greeting: Option<u32>,
    /// They are asked whether they are there.
    challenged: bool,
}

/// What may have been on its way for long: it keeps nobody here, but they are asked before they are
/// given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hint {
    /// Nothing like that since they last proved to be alive.
    None,
    /// Something came.
    Given,
    /// They got a few seconds more for it.
    Spent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Known of, not yet answered.
    Hidden,
    /// Here.
    Shown,
    /// Timed out; looked for until then.
    Absent { until: Time },
    /// Said goodbye, or was replaced; remembered until then, so that nothing late brings them back.
    Left { until: Time },
}

impl Member {
    pub(crate) fn person(&self) -> Person {
        Person { id: self.beacon.id, name: self.beacon.name.clone() }
    }

    /// Whether people could take the name for another.
    pub(crate) fn looks_like(&self, look: &Look) -> bool {
        self.look.is_like(look)
    }

    fn warn_alike<'a>(&self, others: impl Iterator<Item = &'a Self>, ctx: &mut Ctx<'_>) {
        // The same person twice deceives nobody.
        let alike =
            |other: &&Self| other.looks_like(&self.look) && other.beacon.key != self.beacon.key;
        for other in others.filter(alike) {
            ctx.out.show(Event::Alike { one: self.person(), other: other.person() });
        }
        let me = &ctx.me.beacon;
        if self.looks_like(&me.name.look()) && self.beacon.key != me.key {
            let me = Person { id: ctx.me.beacon.id, name: ctx.me.beacon.name.clone() };
            ctx.out.show(Event::Alike { one: self.person(), other: me });
        }
    }

    /// Warns when the name is trusted to be somebody else's, or looks like one that is.
    fn warn_other_key(&self, ctx: &mut Ctx<'_>) {
        if ctx.pins.contradict(&self.beacon.name, &self.look, self.beacon.key) {
            ctx.out.show(Event::OtherKey { who: self.person() });
        }
    }

    pub(crate) fn is_shown(&self) -> bool {
        self.standing == Standing::Shown
    }

    /// The path, when it works: it was heard lately and answers.
    fn working_path<T: Copy + PartialEq>(&self, now: Time, calls: &Calls<T>) -> Option<LinkKey> {
        let works =
            |path: &LinkKey| now.since(calls.heard(*path)) < PING_EVERY && !calls.is_silent(*path);
        self.path.filter(works)
    }

    pub(crate) const fn path(&self) -> Option<LinkKey> {
        self.path
    }

    pub(crate) fn unacked(&self) -> usize {
        self.out.unacked()
    }

    /// Whether that is the stream on which they speak to us.
    pub(crate) const fn hears(&self, stream: u32) -> bool {
        self.inward.is(stream)
    }

    pub(crate) const fn inward(&mut self) -> &mut InStream {
        &mut self.inward
    }

    pub(crate) const fn out(&mut self) -> &mut OutStream {
        &mut self.out
    }

    /// Nobody answered where the nodeset saw them: its word is not enough.
    pub(crate) const fn did_not_answer(&mut self) {
        self.introduced = false;
    }

    /// Where the nodeset saw them.
    pub(crate) const fn seen(&self) -> Option<SocketAddr> {
        self.seen
    }

    /// Whether a nodeset vouches for them, and it or they name that address. A link of theirs proves
    /// nothing before they have answered there: somebody on the path may send on what they say.
    fn is_introduced_at(&self, addr: SocketAddr) -> bool {
        self.introduced && (self.seen == Some(addr) || self.beacon.addrs.contains(&addr))
    }

    pub(crate) fn digest(&self) -> u64 {
        let path = self.path.map_or(0, |path| path.index() as u64 + 1);
        let standing = u64::from(self.is_shown()) | u64::from(self.is_gone()) << 1;
        mix(mix(self.beacon.id.0 ^ u64::from(self.beacon.n)) ^ path << 8 ^ standing)
            ^ mix(self.out.start() ^ self.inward.next().rotate_left(32))
    }

    fn is_gone(&self) -> bool {
        matches!(self.standing, Standing::Absent { .. } | Standing::Left { .. })
    }

    fn has_left(&self) -> bool {
        matches!(self.standing, Standing::Left { .. })
    }

    /// A sign of life extends the lease, unless they do not know us: then only a hello does, or the
    /// answer to one.
    fn lives(&mut self, now: Time) {
        self.reroutes = 0;
        if !self.estranged {
            self.gone_at = now + LEASE;
            self.why = Why::Timeout;
            self.hint = Hint::None;
        }
    }

    /// Something was heard that may be old.
    fn hints(&mut self) {
        self.heard |= !self.is_gone();
        if self.hint == Hint::None && !self.estranged {
            self.hint = Hint::Given;
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        let ping = (self.path.is_some() && !self.pinging).then_some(self.ping_at);
        let until = match self.standing {
            Standing::Hidden => Some(self.gone_at),
            Standing::Shown => ping.into_iter().chain([self.gone_at]).min(),
            Standing::Absent { until } | Standing::Left { until } => Some(until),
        };
        self.greet_at.into_iter().chain(until).min()
    }
}

/// What somebody whom a nodeset knows by that handle says of themselves.
fn unseal(handle: Handle, sealed: &Sealed, ctx: &mut Ctx<'_>) -> Option<Signed> {
    let sessions = ctx.calls.sessions()?;
    let opened = sealed.open(sessions.suite(), sessions.room());
    let signed = opened.filter(|signed| signed.beacon.handle == handle);
    ctx.calls.blame.unauthenticated += u64::from(signed.is_none());
    signed
}

#[derive(Debug, Default)]
pub(crate) struct Members {
    slab: Slots<Member>,
    by_id: BTreeMap<PeerId, MemberKey>,
    by_handle: BTreeMap<Handle, MemberKey>,
    /// The member behind each link, by the place of the link.
    by_link: Vec<Option<(LinkKey, MemberKey)>>,
    timers: Timers,
    gone: usize,
    shown: usize,
}

impl Members {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (MemberKey, &Member)> {
        self.by_id.values().filter_map(|&key| Some((key, self.slab.get(key)?)))
    }

    /// Everybody who is here.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (MemberKey, &Member)> {
        self.iter().filter(|(_, member)| member.is_shown())
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
        self.timers.next()
    }

    /// The nodeset says that somebody is here: if they say so themselves.
    pub(crate) fn listed(&mut self, listed: &Listed, greet: bool, ctx: &mut Ctx<'_>) {
        let seen = listed.seen;
        let opened = unseal(listed.handle, &listed.sealed, ctx);
        let Some(key) = opened.and_then(|signed| self.introduce(&signed, true, ctx)) else {
            return;
        };
        let Some(member) = self.slab.get_mut(key) else { return };
        let moved = member.seen.replace(seen) != Some(seen);
        member.introduced = true;
        // Nobody is listed under a handle without the token behind it.
        self.by_handle.insert(listed.handle, key);
        let lost = moved && member.working_path(ctx.now, ctx.calls).is_none();
        if greet && (lost || member.links.is_empty()) {
            member.rounds = 0;
            self.greet(key, None, ctx);
        }
        self.reschedule(key);
    }

    /// Greets everybody who was listed before we were in.
    pub(crate) fn greet_all(&mut self, ctx: &mut Ctx<'_>) {
        let keys: Vec<MemberKey> = self.iter().map(|(key, _)| key).collect();
        for key in keys {
            let idle = |member: &Member| member.links.is_empty() && !member.is_gone();
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
        introduced: bool,
        ctx: &mut Ctx<'_>,
    ) -> Option<MemberKey> {
        let beacon = &signed.beacon;
        if beacon.id == ctx.me.beacon.id {
            return None;
        }
        let known = self.key_of(beacon.id).and_then(|key| Some((key, self.slab.get(key)?)));
        if let Some((key, member)) = known {
            if member.has_left() {
                ctx.calls.blame.replayed += 1;
                return None;
            }
            if !beacon.left && beacon.n <= member.beacon.n && beacon.is_same(&member.beacon) {
                // What is known says as much, and was verified.
                return Some(key);
            }
        }
        let genuine = ctx
            .calls
            .sessions()
            .is_some_and(|sessions| signed.is_genuine(sessions.suite(), sessions.room()));
        match known {
            _ if !genuine => {
                ctx.calls.blame.unauthenticated += 1;
                None
            }
            None if beacon.left => None,
            None => self.insert(beacon.clone(), introduced, ctx),
            Some((_, member)) if !member.beacon.is_same(beacon) => None,
            Some((key, _)) if beacon.left => {
                self.lose(key, Why::Quit, ctx);
                None
            }
            Some((key, _)) => {
                self.renew(key, beacon.clone(), ctx);
                Some(key)
            }
        }
    }

    fn insert(&mut self, beacon: Beacon, introduced: bool, ctx: &mut Ctx<'_>) -> Option<MemberKey> {
        let strange = |(_, member): &(MemberKey, &Member)| {
            !member.introduced && member.standing == Standing::Hidden
        };
        let full = self.slab.len() - self.gone >= MEMBERS_MAX;
        if full || !introduced && self.slab.iter().filter(strange).count() >= STRANGERS_MAX {
            ctx.calls.blame.over_limit += 1;
            return None;
        }
        let id = beacon.id;
        let key = self.slab.insert(Member {
            look: beacon.name.look(),
            beacon,
            seen: None,
            links: Vec::new(),
            path: None,
            newest: None,
            last: None,
            standing: Standing::Hidden,
            introduced,
            gone_at: ctx.now + LEASE,
            why: Why::Timeout,
            greet_at: None,
            rounds: 0,
            ping_at: ctx.now + PING_EVERY,
            pinging: false,
            rerouted: ctx.now,
            reroutes: 0,
            hint: Hint::None,
            estranged: false,
            heard: false,
            out: OutStream::new(ctx.speech.next_position()),
            inward: InStream::default(),
        });
        self.by_id.insert(id, key);
        Some(key)
    }

    /// Somebody changed their beacon.
    fn renew(&mut self, key: MemberKey, beacon: Beacon, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        member.look = beacon.name.look();
        let was = core::mem::replace(&mut member.beacon, beacon).name;
        if was != member.beacon.name && member.is_shown() && ctx.announce {
            ctx.out.show(Event::Renamed { who: member.person(), was });
            member.warn_other_key(ctx);
            self.warn_alike(key, ctx);
        }
    }

    /// Counts a member among those who are here.
    pub(crate) fn show(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        if member.is_shown() || member.has_left() {
            return;
        }
        if member.is_gone() {
            self.gone -= 1;
        }
        member.standing = Standing::Shown;
        self.shown += 1;
        if ctx.announce {
            ctx.out.show(Event::Joined(member.person()));
            member.warn_other_key(ctx);
            self.warn_alike(key, ctx);
        }
    }

    /// Shows everybody the nodeset listed: we are in, and those who have not answered yet are here
    /// by its word.
    pub(crate) fn show_listed(&mut self, ctx: &mut Ctx<'_>) {
        let hidden = |(_, member): &(MemberKey, &Member)| {
            member.standing == Standing::Hidden && member.introduced
        };
        let keys: Vec<MemberKey> = self.iter().filter(hidden).map(|(key, _)| key).collect();
        for key in keys {
            self.show(key, ctx);
        }
    }

    /// Everybody the nodeset listed has answered, or let a first round of hellos go by.
    pub(crate) fn are_settled(&self) -> bool {
        self.iter().all(|(_, member)| {
            !(member.standing == Standing::Hidden && member.introduced && member.rounds == 0)
        })
    }

    /// Warns when somebody goes by a name that looks like another's.
    fn warn_alike(&self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        let others = self.shown().filter(|&(other, _)| other != key);
        member.warn_alike(others.map(|(_, other)| other), ctx);
    }

    /// Warns of all who are here and look like another, or like us.
    pub(crate) fn warn_all_alike(&self, ctx: &mut Ctx<'_>) {
        for (place, (_, member)) in self.shown().enumerate() {
            member.warn_other_key(ctx);
            member.warn_alike(self.shown().take(place).map(|(_, other)| other), ctx);
        }
    }

    /// The call of a piece to a reader is over; unless they hold it, it is to be called again.
    pub(crate) fn called(&mut self, key: MemberKey, position: u64, held: bool) {
        if let Some(member) = self.slab.get_mut(key) {
            member.out.called(position, held);
        }
    }

    /// Says a message to one member.
    pub(crate) fn push(&mut self, key: MemberKey, number: u64, ctx: &mut Ctx<'_>) {
        if let Some(member) = self.slab.get_mut(key) {
            member.out.push(ctx.speech, number);
            self.kick(key, ctx);
        }
    }

    /// Says a message to everybody who is here.
    pub(crate) fn push_all(&mut self, number: u64, ctx: &mut Ctx<'_>) {
        for place in 0..self.slab.places() {
            let key = self.slab.key_at(place);
            let here = |key: &MemberKey| self.slab.get(*key).is_some_and(Member::is_shown);
            if let Some(key) = key.filter(here) {
                self.push(key, number, ctx);
            }
        }
    }

    /// Calls what a reader has not got yet: all that fits, or one piece while it does not answer.
    pub(crate) fn kick(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let Some(path) = member.path else { return };
        let limit = if ctx.calls.is_silent(path) { 1 } else { PIECES_IN_FLIGHT };
        let reserve = crate::machine::call::WINDOW - PIECES_IN_FLIGHT;
        while ctx.calls.room(path) > reserve {
            let stream = member.out.id;
            let Some((position, number, flags, text)) = member.out.next_call(limit, ctx.speech)
            else {
                return;
            };
            let request = Request::Say { stream, position, number, flags, text };
            let token = Purpose::Say { member: key, position };
            let Some(seq) = ctx.calls.request(ctx.now, path, token, &request) else { return };
            member.out.calling(position, path, seq);
        }
    }

    fn reschedule(&mut self, key: MemberKey) {
        let Some(member) = self.slab.get(key) else { return };
        match member.next_deadline() {
            Some(at) => self.timers.set(key.index(), at),
            None => self.timers.cancel(key.index()),
        }
    }

    pub(crate) fn footprint(&self) -> [Table; 2] {
        let members = self.slab.len() - self.gone;
        [
            Table { name: "members", len: members, limit: MEMBERS_MAX },
            Table { name: "absent", len: self.gone, limit: ABSENT_MAX },
        ]
    }

    pub(crate) fn check(&self) {
        self.timers.check();
        assert_eq!(self.by_id.len(), self.slab.len());
        for (handle, &key) in &self.by_handle {
            let known = self.slab.get(key).map(|member| member.beacon.handle);
            assert_eq!(known, Some(*handle));
        }
        let gone = self.slab.iter().filter(|(_, member)| member.is_gone()).count();
        assert_eq!(gone, self.gone);
        assert_eq!(self.shown().count(), self.shown);
        for (key, member) in self.slab.iter() {
            assert_eq!(self.key_of(member.beacon.id), Some(key));
            assert!(member.links.len() <= LINKS_EACH);
            assert!(member.path.is_none_or(|path| self.on_link(path) == Some(key)));
            assert!(member.links.iter().all(|route| self.on_link(route.link) == Some(key)));
            member.out.check();
        }
        let links: usize = self.slab.iter().map(|(_, member)| member.links.len()).sum();
        assert_eq!(links, self.by_link.iter().flatten().count(), "a link without a member");
    }
}
