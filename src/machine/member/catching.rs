//! What others have and we lack: found by comparing, asked for, and shown in one order (docs/PROTOCOL.md,
//! "Catching up").

use std::collections::{BTreeMap, VecDeque};

use core::time::Duration;

use super::fetch::{Fetch, Wanted};
use super::showing::{put_on_screen, tell_fork};
use super::{Ctx, Members};
use crate::machine::call::Arrival;
use crate::machine::codec::Malformed;
use crate::machine::event::{Event, Past};
use crate::machine::log::{ENTRIES_MAX, HEADS_MAX, Head, NOTHING, Place, Seal, Verdict, Words};
use crate::machine::outbox::Marks;
use crate::machine::pace::{Pace, Rate};
use crate::machine::purpose::{LinkKey, Matter, MemberKey, Purpose};
use crate::machine::time::Time;
use crate::machine::who::beacon::Signed;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{PART_MAX, Request, Response};

/// Two compare what is older than that: what was said since is still on its way.
const SETTLED: u64 = 2_000;

/// Logs that are asked for at once, and that wait for their turn.
const FETCHES_MAX: usize = 8;
const WANTED_MAX: usize = 256;

/// Members whose heads are read when they are met, that often.
const MET: Rate = Rate::new(Duration::from_secs(10), 3);

/// What all members together are given: 256 kB a second; one of them a quarter of it.
const GIVEN: Rate = Rate::new(Duration::from_millis(4), 512);

/// What came is shown when all has, or so long after the first of it.
const GATHERED: Duration = Duration::from_secs(2);

/// Nobody answers so late.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who handed us what is no log is not asked again for so long.
const WARY: Duration = Duration::from_secs(600);
const WARY_MAX: usize = 64;

/// Of how many members it is known how parts come.
const GIVERS_MAX: usize = 256;

/// Bytes of a part where large datagrams vanish.
const PART_SMALL: u16 = 240;

/// How parts come from somebody: how many are asked for at once, and whether only small ones come.
#[derive(Clone, Copy, Debug, Hash)]
struct Giver {
    open: usize,
    small: bool,
}

/// Parts that are asked of one member at once: so many at first, one more for each that comes, so many at most. What
/// people say goes the same way.
const OPEN_FIRST: usize = 2;
const OPEN_MAX: usize = 8;

impl Default for Giver {
    fn default() -> Self {
        Self { open: OPEN_FIRST, small: false }
    }
}

/// What is being caught up on.
#[derive(Debug, Default, Hash)]
pub(super) struct Catching {
    /// Whose heads are being read, and since when.
    reading: Option<(MemberKey, Time)>,
    wanted: VecDeque<Wanted>,
    fetches: BTreeMap<PeerId, Fetch>,
    /// What came and is not shown yet, and since when.
    caught: Vec<Place>,
    since: Option<Time>,
    /// When we came in, by the clock of the room.
    came: Option<u64>,
    met: Pace,
    given: Pace,
    wary: BTreeMap<MemberKey, Time>,
    /// How parts come from whom.
    givers: BTreeMap<MemberKey, Giver>,
}

impl Catching {
    /// When something is due.
    pub(super) fn next_wake(&self) -> Option<Time> {
        let reading = self.reading.map(|(_, since)| since + PATIENCE);
        let fetches = self.fetches.values().map(|fetch| fetch.heard + PATIENCE);
        let shows = self.since.filter(|_| self.came.is_some()).map(|since| since + GATHERED);
        fetches.chain(reading).chain(shows).min()
    }

    /// Whether somebody is asked what they have.
    pub(super) const fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    fn is_over(&self) -> bool {
        self.reading.is_none() && self.wanted.is_empty() && self.fetches.is_empty()
    }

    /// What came last, of whom nothing more is to come.
    fn forget(&mut self, member: MemberKey) {
        self.reading = self.reading.filter(|&(key, _)| key != member);
        self.wanted.retain(|wanted| wanted.giver != member);
        self.fetches.retain(|_, fetch| fetch.giver != member);
    }

    fn giver(&mut self, giver: MemberKey) -> &mut Giver {
        if self.givers.len() >= GIVERS_MAX {
            self.givers.clear();
        }
        self.givers.entry(giver).or_default()
    }

    /// Large parts do not come from somebody: what is asked of them is asked for in small ones.
    fn go_small(&mut self, giver: MemberKey) {
        *self.giver(giver) = Giver { small: true, ..Giver::default() };
        let Self { fetches, wanted, .. } = self;
        fetches.retain(|&log, fetch| {
            let again = fetch.again(log, PART_SMALL).filter(|_| fetch.giver == giver);
            wanted.extend(again);
            again.is_none()
        });
    }

    pub(super) fn check(&self) {
        assert!(self.givers.len() <= GIVERS_MAX);
        assert!(self.wanted.len() <= WANTED_MAX && self.fetches.len() <= FETCHES_MAX);
        assert!(self.wary.len() <= WARY_MAX && self.caught.len() <= ENTRIES_MAX);
    }
}

impl Members {
    /// The question whether somebody is there, has what we have, and sees whom we see.
    pub(super) fn question(&mut self, ctx: &Ctx<'_>) -> Request<'static> {
        let present = self.compares(ctx);
        let until = u32::try_from(ctx.log.clock(ctx.now).saturating_sub(SETTLED) / 1_000);
        let until = until.ok().filter(|_| ctx.announce && !ctx.me.beacon.once);
        // Who has something where we have nothing asks us.
        let compared = until.and_then(|until| Some((until, ctx.log.digest(until)?)));
        let compared = compared.filter(|&(_, digest)| digest != NOTHING);
        let (until, digest) = compared.unwrap_or_default();
        Request::Ping { until, digest, present }
    }

    /// Somebody compares what they have with what we have, and learns what we have of what they say.
    pub(super) fn compared(
        &mut self,
        key: MemberKey,
        (until, digest): (u32, u64),
        others: bool,
        ctx: &mut Ctx<'_>,
    ) -> Response {
        let ours = ctx.log.digest(until).filter(|_| ctx.announce && digest != 0);
        let differs = ours.is_some_and(|ours| ours != digest);
        if differs {
            self.differs(key, ctx);
        }
        let log = self.get(key).map(|member| member.record.beacon().id);
        let waits = |place: Place| self.catching.caught.contains(&place);
        let next = log.filter(|_| ctx.announce).map(|log| ctx.log.shown_before(log, waits));
        Response::Here { differs, others, next: next.unwrap_or(0) }
    }

    /// Somebody has answered us for the first time, or again: they may have what was said before.
    pub(super) fn may_catch_up(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key) else { return };
        let older = member.record.beacon().incarnation < ctx.me.beacon.incarnation;
        let reads = member.record.is_reader() && (older || self.catching.came.is_some());
        if reads && self.catching.reading.is_none() && self.catching.met.take(ctx.now, MET) {
            self.read_heads(key, ctx);
        }
    }

    /// Asks somebody what they have of all logs.
    pub(super) fn read_heads(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let wary = self.catching.wary.get(&key).is_some_and(|&until| ctx.now < until);
        let may = !wary && !ctx.full && !ctx.me.beacon.once && !ctx.parting;
        if may && self.catching.reading.is_none() {
            self.ask_heads(key, PeerId(0), ctx);
        }
    }

    fn ask_heads(&mut self, key: MemberKey, after: PeerId, ctx: &mut Ctx<'_>) {
        self.catching.reading = None;
        let Some(path) = self.slab.get(key).and_then(|member| member.reach.path()) else { return };
        let token = Purpose::Member(key, Matter::Heads);
        if ctx.calls.request(ctx.now, path, token, &Request::Heads { after }).is_some() {
            self.catching.reading = Some((key, ctx.now));
        }
    }

    /// Answers what somebody asks of our logs. `None` is silence.
    pub(super) fn hand_on(
        &mut self,
        key: MemberKey,
        (link, request): (LinkKey, &Request<'_>),
        ctx: &mut Ctx<'_>,
    ) -> Option<Response> {
        let Some(member) = self.slab.get_mut(key) else { return Some(Response::Unknown) };
        let proven = ctx.calls.is_proven(link);
        let may = proven && member.streams.may_be_given(ctx.now);
        if !may || !self.catching.given.take(ctx.now, GIVEN) {
            ctx.calls.blame.over_limit += 1;
            return None;
        }
        Some(match *request {
            Request::Heads { after } => {
                let (heads, more) = ctx.log.heads(after);
                Response::Heads { more, heads }
            }
            Request::Author { log } => match ctx.log.author(log) {
                Some(signed) => Response::Author(Box::new(signed.clone())),
                None => Response::Unknown,
            },
            Request::Want { log, from, skip, most } => {
                let (skip, most, mut bytes) = (skip as usize, usize::from(most), Vec::new());
                match ctx.log.read((log, from), skip, most, &mut bytes) {
                    Some(more) => Response::Entries { more, bytes },
                    None => Response::Unknown,
                }
            }
            _ => return None,
        })
    }

    /// Somebody says what they have.
    pub(super) fn heads_told(
        &mut self,
        key: MemberKey,
        (heads, more): (&[Head], bool),
        ctx: &mut Ctx<'_>,
    ) {
        if self.catching.reading.is_none_or(|(asked, _)| asked != key) {
            return;
        }
        let ordered = heads.is_sorted_by(|one, next| one.log < next.log);
        if heads.len() > HEADS_MAX || !ordered || more && heads.is_empty() {
            return self.distrust(key, ctx);
        }
        for head in heads {
            self.tell_lost_entries(key, head, ctx);
            let asked = self.catching.fetches.contains_key(&head.log)
                || self.catching.wanted.iter().any(|wanted| wanted.log == head.log);
            let range = ctx.log.lacks(head).filter(|_| !asked && head.log != ctx.me.beacon.id);
            let much = self.catching.wanted.len() >= WANTED_MAX - FETCHES_MAX;
            if let Some(range) = range.filter(|_| !much) {
                self.catching.wanted.push_back(Wanted { giver: key, log: head.log, range });
            }
        }
        self.catching.reading = None;
        if let Some(last) = heads.last().filter(|_| more) {
            self.ask_heads(key, last.log, ctx);
        }
        self.fetch(ctx);
    }

    /// Says that somebody has no more what we lack of their own log.
    fn tell_lost_entries(&self, key: MemberKey, head: &Head, ctx: &mut Ctx<'_>) {
        let author = self.get(key).filter(|member| member.record.beacon().id == head.log);
        if let Some((member, count)) = author.and_then(|author| Some((author, ctx.log.lost(head)?)))
        {
            ctx.out.show(Event::Missing { from: member.record.person(), count });
        }
    }

    /// Asks somebody for what their next message follows, if we lack that and it has waited for a while.
    pub(super) fn ask_for_what_is_followed(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let Some(seal) = member.streams.asks_for(ctx.now) else { return };
        self.want_followed(key, seal.deps.iter(), ctx);
        self.fetch(ctx);
    }

    /// What is followed, and is not here, is wanted of who handed us what follows it.
    fn want_followed(
        &mut self,
        giver: MemberKey,
        followed: impl Iterator<Item = Place>,
        ctx: &Ctx<'_>,
    ) {
        for (log, seq) in followed.filter(|&place| ctx.log.awaits(place)) {
            let range = (seq, seq + 1);
            let comes = self.catching.fetches.get(&log).is_some_and(|fetch| fetch.covers(seq));
            let is_wanted = |one: &Wanted| (one.log, one.range) == (log, range);
            let asked = comes || self.catching.wanted.iter().any(is_wanted);
            if !asked && self.catching.wanted.len() < WANTED_MAX - FETCHES_MAX {
                self.catching.wanted.push_front(Wanted { giver, log, range });
            }
        }
    }

    /// Asks for what is wanted.
    fn fetch(&mut self, ctx: &mut Ctx<'_>) {
        while self.catching.fetches.len() < FETCHES_MAX {
            // Of one log one thing at a time.
            let Catching { wanted, fetches, .. } = &mut self.catching;
            let next = wanted.iter().position(|wanted| !fetches.contains_key(&wanted.log));
            let Some(Wanted { giver, log, range }) = next.and_then(|at| wanted.remove(at)) else {
                break;
            };
            let path = self.slab.get(giver).and_then(|member| member.reach.path());
            let Some(path) = path else { continue };
            let small = self.catching.giver(giver).small || ctx.calls.quality(path).1;
            let most = if small { PART_SMALL } else { PART_MAX as u16 };
            self.catching.fetches.insert(log, Fetch::new(ctx.now, giver, range, most));
            if self.author_of(log, ctx).is_none() {
                let token = Purpose::Member(giver, Matter::Author { log });
                ctx.calls.request(ctx.now, path, token, &Request::Author { log });
            }
            self.want(log, ctx);
        }
        self.show_caught_when_over(ctx);
        self.wait_for_nothing(ctx);
    }

    fn author_of<'a>(&'a self, log: PeerId, ctx: &'a Ctx<'_>) -> Option<&'a Signed> {
        let member = || Some(self.get(self.key_of(log)?)?.record.signed());
        ctx.log.author(log).or_else(member)
    }

    /// Asks for parts of a log, as many as may be under way.
    fn want(&mut self, log: PeerId, ctx: &mut Ctx<'_>) {
        let Some(giver) = self.catching.fetches.get(&log).map(|fetch| fetch.giver) else { return };
        let fetches = self.catching.fetches.values().filter(|fetch| fetch.giver == giver);
        let mut open: usize = fetches.map(Fetch::open).sum();
        let open_max = self.catching.giver(giver).open;
        let Some(fetch) = self.catching.fetches.get_mut(&log) else { return };
        let path = self.slab.get(giver).and_then(|member| member.reach.path());
        while let Some((path, (from, skip, most))) = path.zip(fetch.wants()) {
            if open >= open_max {
                break;
            }
            open += 1;
            let token = Purpose::Member(giver, Matter::Want { log, skip });
            let request = Request::Want { log, from, skip, most };
            if ctx.calls.request(ctx.now, path, token, &request).is_none() {
                break;
            }
            fetch.asked();
        }
        if fetch.is_over() {
            self.catching.fetches.remove(&log);
        }
    }

    /// Somebody says who writes a log.
    pub(super) fn author_told(
        &mut self,
        key: MemberKey,
        log: PeerId,
        signed: &Signed,
        ctx: &mut Ctx<'_>,
    ) {
        if self.catching.fetches.get(&log).is_none_or(|fetch| fetch.giver != key) {
            return;
        }
        if signed.beacon.id != log || !ctx.keys.is_genuine(signed) {
            return self.distrust(key, ctx);
        }
        ctx.log.introduce(signed);
        self.want(log, ctx);
        self.fetch(ctx);
    }

    /// Part of a log has come.
    pub(super) fn entries_came(
        &mut self,
        key: MemberKey,
        (log, skip): (PeerId, u32),
        (bytes, more): (&[u8], bool),
        ctx: &mut Ctx<'_>,
    ) {
        let author = self.author_of(log, ctx).cloned();
        let Some(fetch) = self.catching.fetches.get_mut(&log) else { return };
        if fetch.giver != key {
            return;
        }
        // It was asked for in the same datagram: the next comparison asks again.
        let Some(author) = author else {
            self.catching.fetches.remove(&log);
            return self.fetch(ctx);
        };
        let (caught, store, out) = (&mut self.catching.caught, &mut *ctx.log, &mut *ctx.out);
        let (by, before) = ((ctx.now, ctx.keys, &author), caught.len());
        let came = fetch.came(ctx.now, (skip, bytes, more), |seal: &Seal, words: Words<'_>| {
            match store.take(by, seal, words) {
                Verdict::New => caught.push((log, seal.seq)),
                Verdict::Known | Verdict::Old => {}
                Verdict::Forked { news } => tell_fork(author.beacon.person(), news, out),
                Verdict::Forged => return Err(Malformed),
            }
            Ok(())
        });
        let giver = self.catching.giver(key);
        giver.open = OPEN_MAX.min(giver.open + 1);
        let writer = self.key_of(log).and_then(|key| self.slab.get_mut(key));
        if let Some(writer) = writer {
            let came = self.catching.came;
            let ours =
                |&&place: &&Place| ctx.log.shown(place).is_some_and(|e| Some(e.clock) >= came);
            let filled = self.catching.caught[before..].iter().filter(ours).count();
            writer.streams.filled(filled as u64);
        }
        // What made room for others since is shown no more.
        if self.catching.caught.len() > ENTRIES_MAX {
            self.catching.caught.retain(|&place| ctx.log.shown(place).is_some());
        }
        if came.is_err() {
            return self.distrust(key, ctx);
        }
        if !self.catching.caught.is_empty() {
            self.catching.since.get_or_insert(ctx.now);
        }
        let of_giver = |(_, fetch): &(&PeerId, &Fetch)| fetch.giver == key;
        let logs = self.catching.fetches.iter().filter(of_giver).map(|(&log, _)| log);
        for log in logs.collect::<Vec<_>>() {
            self.want(log, ctx);
        }
        self.fetch(ctx);
    }

    /// What was asked of a member about a log did not come: they do not have it, or the call `fails`.
    pub(super) fn not_caught_up(
        &mut self,
        key: MemberKey,
        (matter, fails): (Matter, bool),
        ctx: &mut Ctx<'_>,
    ) {
        match matter {
            Matter::Heads => {
                self.catching.reading = self.catching.reading.filter(|&(asked, _)| asked != key);
            }
            Matter::Want { log, .. } | Matter::Author { log } => {
                let ours = |fetch: &Fetch| fetch.giver == key;
                let fetch = self.catching.fetches.get(&log).filter(|fetch| ours(fetch));
                let large = fetch.and_then(|fetch| fetch.again(log, PART_SMALL)).is_some();
                if fetch.is_some() && !(fails && large) {
                    self.catching.fetches.remove(&log);
                }
                if fails && large {
                    self.catching.go_small(key);
                }
            }
            _ => {}
        }
        self.fetch(ctx);
    }

    /// Somebody hands us what is no log.
    fn distrust(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        ctx.calls.blame.malformed += 1;
        let catching = &mut self.catching;
        catching.wary.retain(|_, until| *until > ctx.now);
        if catching.wary.len() < WARY_MAX {
            catching.wary.insert(key, ctx.now + WARY);
        }
        catching.forget(key);
        self.fetch(ctx);
    }

    /// Gives up what does not come, and shows what waited long enough.
    pub(crate) fn catch_up(&mut self, ctx: &mut Ctx<'_>) {
        if ctx.announce && self.catching.came.is_none() {
            self.catching.came = Some(ctx.log.clock(ctx.now));
        }
        self.take_turn(ctx);
        let late = |since: Time| since + PATIENCE <= ctx.now;
        let catching = &mut self.catching;
        let before = (catching.reading.is_some(), catching.fetches.len());
        catching.reading = catching.reading.filter(|&(_, since)| !late(since));
        catching.fetches.retain(|_, fetch| !late(fetch.heard));
        if before != (catching.reading.is_some(), catching.fetches.len()) {
            self.fetch(ctx);
        }
        if self.catching.since.is_some_and(|since| since + GATHERED <= ctx.now) {
            self.show_caught(ctx);
        }
        self.show_caught_when_over(ctx);
    }

    /// What somebody's message follows was asked for and did not come: it waits no longer.
    fn wait_for_nothing(&mut self, ctx: &mut Ctx<'_>) {
        for key in self.waiting.clone() {
            let Some(member) = self.slab.get_mut(key) else { continue };
            let catching = &self.catching;
            let comes = |log| {
                let wanted = catching.wanted.iter().any(|wanted| wanted.log == log);
                wanted || catching.fetches.contains_key(&log)
            };
            let in_vain = |seal: &Seal| {
                seal.deps.iter().filter(|&place| ctx.log.awaits(place)).all(|(log, _)| !comes(log))
            };
            if member.streams.asked_for().is_some_and(in_vain) {
                member.streams.give_up_waiting();
                self.show_waiting(key, ctx);
            }
        }
    }

    fn show_caught_when_over(&mut self, ctx: &mut Ctx<'_>) {
        if self.catching.is_over() {
            self.show_caught(ctx);
        }
    }

    /// Shows what came, if some of it is by whose message that is, or what it follows.
    pub(super) fn show_caught_before(
        &mut self,
        key: MemberKey,
        seal: Option<&Seal>,
        ctx: &mut Ctx<'_>,
    ) {
        let author = self.get(key).map(|member| member.record.beacon().id);
        let is_dep = |place| seal.is_some_and(|seal| seal.deps.iter().any(|dep| dep == place));
        let before = |place: &Place| Some(place.0) == author || is_dep(*place);
        if self.catching.caught.iter().any(before) {
            self.show_caught(ctx);
        }
    }

    /// Shows what came, in the order of the room.
    pub(super) fn show_caught(&mut self, ctx: &mut Ctx<'_>) {
        if self.catching.caught.is_empty() {
            self.catching.since = None;
            return;
        }
        if !ctx.announce {
            // Not in yet; or on the way out, and then it is shown no more.
            self.catching.since = self.catching.since.filter(|_| self.catching.came.is_none());
            return;
        }
        if ctx.full {
            // Later, and no sooner than that would be again.
            let overdue = |since: &Time| *since + GATHERED <= ctx.now;
            self.catching.since =
                self.catching.since.map(|since| if overdue(&since) { ctx.now } else { since });
            return;
        }
        let came = self.catching.came.unwrap_or_default();
        self.catching.since = None;
        let mut caught = core::mem::take(&mut self.catching.caught);
        caught.sort_by_cached_key(|&place| ctx.log.order(place));
        for place in caught {
            let Some(entry) = ctx.log.shown(place) else { continue };
            let member = self.key_of(place.0).and_then(|key| self.get(key));
            let from = match member {
                Some(member) => member.record.person(),
                None => entry.author.beacon.person(),
            };
            let past = Past { at: entry.clock, replay: entry.clock < came };
            let (action, past) = (entry.action, Some(past));
            let marks = Marks { action, private: false, mention: false, past };
            let me = ctx.me.beacon.name.as_str();
            put_on_screen(ctx.out, me, (from, entry.number), (entry.text, marks));
        }
        self.release(ctx);
        self.has_news_for_the_near(ctx);
    }

    /// Sends somebody what they asked for: as it is large, in a datagram of its own.
    pub(super) fn send_on(
        &mut self,
        arrival: &Arrival,
        (link, key, seq): (LinkKey, MemberKey, u32),
        request: &Request<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        if let Some(response) = self.hand_on(key, (link, request), ctx) {
            ctx.calls.reply_alone(ctx.now, arrival, (seq, &response), ctx.out);
        }
    }
}
