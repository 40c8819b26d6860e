//! The machine behind `chatrpc doctor`: asks every address small questions and large ones, counts what comes
//! back and how long it takes, and is done. What that means is [`doctor`](crate::machine::doctor)'s to say.
//!
//! Nothing is asked twice, so what is lost is seen to be lost. The small question is a Who. The large one is as
//! many requests in another version as fit a datagram: whoever is asked answers each with the version it speaks,
//! so that the answer is as large as the question, and nobody is sent more than they asked for. Whether there
//! is a place for one more is asked by taking it, as `send` does, with a key of this run, and giving it back;
//! only of the first nodeset that answers, and of no member.

mod asked;

use std::collections::{BTreeMap, BTreeSet};

use core::net::SocketAddr;
use core::time::Duration;

use self::asked::{Asking, Due};
use super::contact::DOORS_MAX;
use crate::machine::contract::{Action, Blame, Input, Machine, Table, Wake};
use crate::machine::digest::digest;
use crate::machine::doctor::{Answer, Examined};
use crate::machine::event::{Event, Exit};
use crate::machine::keyed::same;
use crate::machine::name::Name;
use crate::machine::outbox::Outbox;
use crate::machine::rng::Seed;
use crate::machine::time::Time;
use crate::machine::who::beacon::{Beacon, Signed};
use crate::machine::who::identity::Identity;
use crate::machine::who::ids::{Farewell, Handle, Incarnation, LUCK_BITS};
use crate::machine::who::noise::Noise;
use crate::machine::who::room::Room;
use crate::machine::who::suite::Suite;
use crate::machine::wire::{
    ANYBODY, ANYWHERE, Asked, Change, DATAGRAM_MAX, DATAGRAM_SMALL, Datagram, HEADER, Malformed,
    PACKET_HEADER, PROOF, Packet, Page, Request, Response, Sender, kind, proof, put_header,
    put_request,
};

/// How long it takes at most, unless less is given.
const SPAN: Duration = Duration::from_secs(9);

/// How long nothing may come from anywhere: what a slow link takes, and a computer that looks for another one on
/// its network for three seconds until it says that nobody is there.
const SILENCE: Duration = Duration::from_millis(6_500);

/// What is not asked again: whoever knows the network says at once that nothing gets there.
const HOPELESS: Duration = Duration::from_millis(400);

/// A version that nobody speaks, for questions that are only to be as large as their answers.
const NO_VERSION: u8 = 255;

/// The method of Who, and how many bytes such a request has.
const WHO: u8 = 1;
const FOREIGN: usize = PACKET_HEADER + 2;

/// How many of them fit a datagram.
const FOREIGN_MAX: usize = (DATAGRAM_MAX - HEADER - PROOF) / FOREIGN;

/// What we are called in the moment we have a place. Nobody is shown who comes for one alone.
const NAME: &str = "doctor";

/// People in the room who are counted.
const LISTED_MAX: usize = 64;

/// What an [`Examination`] is made from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExaminationConfig {
    /// Entropy.
    pub seed: Seed,
    /// When this process started.
    pub incarnation: Incarnation,
    /// How things are sealed.
    pub suite: &'static dyn Suite,
    /// Which room.
    pub room: Room,
    /// What is asked: the first eight.
    pub addrs: Vec<SocketAddr>,
    /// How long it may take.
    pub span: Duration,
}

impl ExaminationConfig {
    /// Asks at those addresses, for that room.
    #[must_use]
    pub fn new(seed: Seed, incarnation: Incarnation, room: Room, addrs: Vec<SocketAddr>) -> Self {
        Self { seed, incarnation, suite: &Noise, room, addrs, span: SPAN }
    }
}

/// Asks at several addresses: one [`Event::Examined`], then [`Exit::Left`].
#[derive(Debug)]
pub struct Examination {
    config: ExaminationConfig,
    now: Time,
    since: Option<Time>,
    asking: Vec<Asking>,
    /// Which address each open question was asked at, by its number.
    open: BTreeMap<u32, usize>,
    next_seq: u32,
    /// The one whose nodeset is asked for a place.
    registrar: Option<usize>,
    me: Option<(Signed, Farewell)>,
    /// Who was seen in the room.
    listed: BTreeSet<Handle>,
    examined: Examined,
    blame: Blame,
    out: Outbox,
    done: bool,
}

impl Examination {
    /// A machine that asks at its first input.
    pub fn new(config: ExaminationConfig) -> Self {
        let next_seq = config.seed.stream("questions").next_u32();
        Self {
            config,
            now: Time::ZERO,
            since: None,
            asking: Vec::new(),
            open: BTreeMap::new(),
            next_seq,
            registrar: None,
            me: None,
            listed: BTreeSet::new(),
            examined: Examined::default(),
            blame: Blame::default(),
            out: Outbox::default(),
            done: false,
        }
    }

    fn begin(&mut self, now: Time) {
        self.since = Some(now);
        for &addr in &self.config.addrs {
            let new = self.asking.iter().all(|asking| asking.evidence.addr != addr);
            if new && self.asking.len() < DOORS_MAX {
                self.asking.push(Asking::new(now, addr));
            }
        }
    }

    /// Who we are while we ask for a place: nobody anybody knows.
    fn me(&mut self) -> (Signed, Farewell) {
        let ExaminationConfig { seed, incarnation, suite, room, .. } = &self.config;
        let made = || {
            let identity = Identity::new(&seed.bytes("identity", 0));
            let (key, incarnation) = (identity.public(), incarnation.get());
            let mut farewell = Farewell([0; 16]);
            farewell.0.copy_from_slice(&seed.bytes("farewell", 0)[..16]);
            let beacon = Beacon {
                id: key.process(incarnation),
                key,
                handle: Handle::of(farewell.token()),
                incarnation,
                n: 0,
                left: false,
                once: true,
                name: Name::parse(NAME).unwrap_or_else(|_| room.name().clone()),
                addrs: Vec::new(),
            };
            (Signed::new(*suite, &identity, room, beacon), farewell)
        };
        self.me.get_or_insert_with(made).clone()
    }

    fn datagram(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) {
        let at = self.asking.iter().position(|asking| asking.evidence.addr == from);
        let proven = bytes.first() == Some(&kind::PROVEN);
        if proven && !self.is_of_our_room(bytes) {
            self.blame.unauthenticated += 1;
            return;
        }
        let Ok(datagram) = Datagram::decode(bytes) else {
            self.blame.malformed += 1;
            return self.junk(at);
        };
        if datagram.receiver == ANYBODY {
            // What we asked, as it was asked: nobody who knows this protocol says that.
            return self.junk(at);
        }
        if datagram.receiver != self.config.incarnation.get() {
            self.blame.unknown_call += 1;
            return;
        }
        let Sender::Open(incarnation) = datagram.sender else { return };
        let answer = if proven { Answer::Member } else { Answer::Nodeset };
        for packet in datagram.packets() {
            match packet {
                Packet::Response { seq, payload } => {
                    self.response(now, (from, at), (answer, incarnation), (seq, payload));
                }
                Packet::Request { .. } => return self.junk(at),
            }
        }
    }

    fn is_of_our_room(&self, bytes: &[u8]) -> bool {
        proof(bytes).is_ok_and(|(asked, shown)| same(&self.config.room.proof(asked), shown))
    }

    fn junk(&mut self, at: Option<usize>) {
        let now = self.now;
        if let Some(asking) = at.and_then(|at| self.asking.get_mut(at)) {
            asking.evidence.junk = true;
            asking.give_up(now);
        }
    }

    fn response(
        &mut self,
        now: Time,
        (from, at): (SocketAddr, Option<usize>),
        (answer, incarnation): (Answer, u64),
        (seq, payload): (u32, &[u8]),
    ) {
        let Some(&of) = self.open.get(&seq) else {
            // The rest of a large answer, or what comes twice.
            self.blame.unknown_call += 1;
            return;
        };
        let Some(asking) = self.asking.get_mut(of) else { return };
        if at != Some(of) {
            asking.evidence.from.get_or_insert(from);
            asking.give_up(now);
            return;
        }
        let Ok(due) = asking.due_of(seq) else { return };
        let Ok(response) = read(due, payload) else { return self.junk(at) };
        asking.answered(now, seq);
        self.open.remove(&seq);
        asking.evidence.answer = Some(match response {
            Response::Version(theirs) if due != Due::Large => Answer::Version { theirs },
            _ => answer,
        });
        self.take(of, due, incarnation, response);
    }

    fn take(&mut self, of: usize, due: Due, incarnation: u64, response: Response) {
        let ours = self.config.incarnation.get();
        let ahead = (incarnation >> LUCK_BITS).saturating_sub(ours >> LUCK_BITS);
        self.examined.ahead = self.examined.ahead.max(Duration::from_millis(ahead));
        let Some(asking) = self.asking.get_mut(of) else { return };
        match response {
            Response::Cookie(cookie) => asking.cookie = cookie,
            Response::Page(page) => self.note_page(&page),
            Response::Lease { elsewhere, .. } => {
                asking.has_place = true;
                self.examined.elsewhere = Some(elsewhere);
            }
            Response::Full => (asking.refused, self.examined.full) = (true, true),
            Response::Ok if due == Due::Leave => asking.has_left = true,
            Response::Version(_) => {}
            _ => asking.evidence.junk = true,
        }
        if self.registrar.is_none()
            && let Some(asking) = self.asking.get_mut(of).filter(|asking| asking.is_nodeset())
        {
            asking.registers = true;
            self.registrar = Some(of);
        }
    }

    /// Counts who is on a page, but for those who are only there for a moment.
    fn note_page(&mut self, page: &Page) {
        let ExaminationConfig { suite, room, incarnation, .. } = &self.config;
        let present = page.changes.iter().filter_map(|change| match change {
            Change::Present(listed) => listed.sealed.open(*suite, room),
            Change::Gone(_) => None,
        });
        let genuine = present.filter(|one| !one.beacon.once && one.is_genuine(*suite, room));
        let mut latest = 0;
        for one in genuine {
            latest = latest.max(one.beacon.incarnation >> LUCK_BITS);
            if self.listed.len() < LISTED_MAX {
                self.listed.insert(one.beacon.handle);
            }
        }
        let ahead = latest.saturating_sub(incarnation.get() >> LUCK_BITS);
        self.examined.ahead = self.examined.ahead.max(Duration::from_millis(ahead));
        self.examined.listed = Some(self.listed.len());
    }

    /// Asks what it is time for, at each address.
    fn ask(&mut self, now: Time) {
        for at in 0..self.asking.len() {
            while let Some(due) = self.asking.get_mut(at).and_then(|asking| asking.next(now)) {
                self.put(now, at, due);
            }
        }
    }

    fn put(&mut self, now: Time, at: usize, due: Due) {
        let seq = self.next_seq;
        self.next_seq = seq.wrapping_add(1);
        let (mut me, wants) = (None, matches!(due, Due::Register | Due::Leave));
        if wants {
            me = Some(self.me());
        }
        let ExaminationConfig { incarnation, suite, room, .. } = &self.config;
        let Some(asking) = self.asking.get_mut(at) else { return };
        let (addr, cookie, tag) = (asking.evidence.addr, asking.cookie, room.tag());
        // What is small comes back small, from whatever room.
        let most = DATAGRAM_SMALL as u16;
        let request = match (due, me) {
            (Due::Register, Some((signed, farewell))) => {
                let (token, sealed) = (farewell.token(), signed.seal(*suite, room));
                Request::Register { cookie, tag, have: 0, most, token, n: 0, sealed }
            }
            (Due::Leave, Some((signed, farewell))) => {
                let sealed = signed.seal(*suite, room);
                Request::Deregister { tag, farewell, sealed }
            }
            (Due::Large, _) => Request::Foreign { method: WHO, version: NO_VERSION },
            _ => Request::Who { cookie, tag, have: ANYWHERE, most },
        };
        asking.asked(now, seq, due);
        self.open.insert(seq, at);
        let count = if due == Due::Large { FOREIGN_MAX } else { 1 };
        self.out.send(addr, |bytes| {
            let begun = bytes.len();
            put_header(bytes, incarnation.get(), ANYBODY, now.stamp().max(1), 0);
            (0..count).for_each(|_| put_request(bytes, seq, &request));
            bytes[begun] = kind::PROVEN;
            let proof = room.proof(&bytes[begun..]);
            bytes.extend_from_slice(&proof);
        });
    }

    /// What was not answered in time is lost; and it is over when nothing is left to be learned.
    fn settle(&mut self, now: Time) {
        let Self { asking, open, since, config, .. } = self;
        for one in asking.iter_mut() {
            one.lose(now, |seq| _ = open.remove(&seq));
        }
        let waited = since.map_or(Duration::ZERO, |since| now.since(since));
        let heard = asking.iter().any(Asking::is_heard);
        let silent = !heard && waited >= SILENCE.min(config.span);
        let learned =
            asking.iter().all(|one| one.is_over(now, HOPELESS) || one.is_silent(heard, now));
        if learned || silent || waited >= config.span {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.done = true;
        self.open.clear();
        let mut examined = core::mem::take(&mut self.examined);
        examined.asked = self.asking.drain(..).map(|asking| asking.evidence).collect();
        self.out.show(Event::Examined(Box::new(examined)));
        self.out.exit(Exit::Left { undelivered: 0 });
    }
}

/// The answer to a question.
fn read(due: Due, payload: &[u8]) -> Result<Response, Malformed> {
    let asked = match due {
        Due::Small | Due::Large => Asked::Who,
        Due::Register => Asked::Register,
        Due::Leave => Asked::Other,
    };
    Response::decode(asked, payload)
}

impl Machine for Examination {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        self.now = self.now.max(now);
        let now = self.now;
        if self.done {
            return;
        }
        if self.since.is_none() {
            self.begin(now);
        }
        match input {
            Input::Datagram { from, bytes, .. } => self.datagram(now, from, bytes),
            Input::Unreachable(addr) => {
                let there = self.asking.iter_mut().find(|asking| asking.evidence.addr == addr);
                there.into_iter().for_each(|asking| asking.give_up(now));
            }
            _ => {}
        }
        self.ask(now);
        self.settle(now);
    }

    fn poll(&mut self) -> Option<Action<'_>> {
        self.out.poll()
    }

    fn next_wake(&self) -> Option<Wake> {
        if self.done {
            return None;
        }
        let Some(since) = self.since else {
            return Some(Wake { at: self.now + Duration::from_micros(1), why: "start" });
        };
        let heard = self.asking.iter().any(Asking::is_heard);
        let end = since + if heard { self.config.span } else { SILENCE.min(self.config.span) };
        let due =
            self.asking.iter().filter_map(|asking| asking.next_wake(self.now, HOPELESS, heard));
        let at = due.chain([end]).min()?;
        Some(Wake { at, why: "question" })
    }

    fn footprint(&self) -> Vec<Table> {
        let limit = DOORS_MAX * asked::OPEN_MAX;
        vec![
            Table { name: "addresses", len: self.asking.len(), limit: DOORS_MAX },
            Table { name: "open questions", len: self.open.len(), limit },
            Table { name: "listed", len: self.listed.len(), limit: LISTED_MAX },
        ]
    }

    fn blame(&self) -> Blame {
        self.blame
    }

    fn digest(&self) -> u64 {
        let Self { asking, open, next_seq, registrar, listed, examined, done, .. } = self;
        digest(&(asking, open, next_seq, registrar, listed, examined, done))
    }

    fn check(&self) {
        let open: usize = self.asking.iter().map(Asking::open).sum();
        assert!(self.done || open == self.open.len(), "a question nobody waits for");
    }
}

#[cfg(test)]
mod tests;
