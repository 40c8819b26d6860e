//! Sessions: what two processes say to each other is sealed (docs/PROTOCOL.md, "Sessions").
//!
//! A session belongs to two *processes*, not to addresses: what opens under it comes from that
//! process, wherever it came from. The rules are WireGuard's (Donenfeld 2017): three slots for the
//! previous, the current and the next session, of which the next becomes current only with its first
//! genuine datagram, while the next one of before is kept as well; a replay window that is marked
//! only after the tag verifies; a new handshake after 120 s and no use after 180 s; explicit
//! counters, never repeated.
//!
//! Nothing here retries: whoever wants to send and cannot asks for a handshake, and asks again when
//! the timers of its calls say so.

pub(crate) mod handshake;
mod load;
mod places;
mod remotes;
mod stamps;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use core::hash::{Hash, Hasher};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use self::handshake::{Answer, Initiating, mac1_key};
use self::load::{Load, SOURCES_MAX, SPENT_MAX};
use self::stamps::Stamps;
use self::window::Window;
use zeroize::Zeroizing;

use crate::machine::contract::{Blame, Table};
use crate::machine::guarded::wipe;
use crate::machine::keyed::MAC;
use crate::machine::outbox::Outbox;
use crate::machine::pace::Pace;
use crate::machine::rng::Seed;
use crate::machine::slots::{Key, Slots};
use crate::machine::time::Time;
use crate::machine::timer::Timers;
use crate::machine::who::identity::PublicKey;
use crate::machine::who::ids::PeerId;
use crate::machine::who::keys::Keys;
use crate::machine::who::room::Room;
use crate::machine::who::suite::{TAG, Transport};
use crate::machine::wire::{PADDING, SEALED_HEADER, kind};

/// A session is replaced at this age by the side that began it, and by the other one a little later.
const REKEY_AFTER: Duration = Duration::from_secs(120);
const REKEY_LATE: Duration = Duration::from_secs(150);

/// No session is used at this age.
const REJECT_AFTER: Duration = Duration::from_secs(180);

/// When nothing was heard for so long since something was asked, the other side may have lost the
/// session: a new one is begun.
const UNHEARD_MAX: Duration = Duration::from_secs(5);

/// Counters stay below this, long after the age has ended the session.
const COUNTER_MAX: u64 = 1 << 60;

/// For so long a process that did not answer is remembered as one that does not.
const UNANSWERED_KEPT: Duration = Duration::from_secs(60);

/// Processes with which there may be sessions and no links: they have shaken hands and not said
/// hello, or are forgotten. In all, and from one source.
const UNLINKED_MAX: usize = 256;
const UNLINKED_EACH: usize = 64;

/// Which process.
pub(crate) type RemoteKey = Key<Remote>;

/// Which of the sessions that there are, or may be.
type Place = Key<Slot>;

/// The sessions of one process of ours.
#[derive(Debug)]
pub(crate) struct Sessions {
    keys: Arc<Keys>,
    id: PeerId,
    incarnation: u64,
    remotes: Slots<Remote>,
    by_id: BTreeMap<PeerId, RemoteKey>,
    remotes_max: usize,
    unlinked: usize,
    /// What receiver indices mean: their lower 16 bits are a key in here.
    slots: Slots<Slot>,
    /// The first messages that were answered and may come again, by their `mac1`.
    answered: BTreeMap<[u8; MAC], RemoteKey>,
    timers: Timers,
    load: Load,
    /// The upper half of the newest receiver index.
    issued: u16,
    /// First messages ever made.
    number: u64,
    /// The key of the first hash of what is meant for us.
    mac1_key: Zeroizing<[u8; 32]>,
    /// Where the next ephemeral key comes from; whoever reads it cannot tell those before.
    seed: Box<Seed>,
    /// What the cookies of handshakes are made with.
    cookie_key: Seed,
    /// What is being sealed.
    text: Vec<u8>,
}

/// A process with which there is, or may be, a session.
#[derive(Debug)]
pub(crate) struct Remote {
    id: PeerId,
    key: PublicKey,
    /// The image of its key on the curve of the handshake.
    image: [u8; 32],
    incarnation: u64,
    /// When it was first seen.
    since: Time,
    /// Links that use it. Without any it is forgotten with its last session.
    links: usize,
    /// Where the last handshake with it went to and fro: it has received what was sent there.
    at: Option<SocketAddr>,
    /// Signatures of it that were looked at.
    verified: Pace,
    /// Where its last first message came from.
    source: Option<IpAddr>,
    /// The number of its newest first message: an older one is a replay.
    greatest: u64,
    previous: Option<Place>,
    current: Option<Place>,
    next: Option<Place>,
    /// The next one of before, which may be in use by who began it; or a previous one that still is.
    passed: Option<Place>,
    /// The one that something was opened with last.
    heard: Option<Place>,
    initiating: Option<Initiating>,
    answer: Option<Answer>,
    /// What it wants to see in our first messages while it is under load, and since when.
    cookie: Option<([u8; MAC], Time)>,
    /// What is known of its clock.
    stamps: Stamps,
    /// When we first asked something since we heard something.
    unheard: Option<Time>,
    /// First messages of ours that nobody answered, since we heard something.
    unanswered: u32,
    /// Remembered until then, without links or sessions: how often nobody answered.
    until: Time,
}

/// What a receiver index of ours stands for.
#[derive(Debug)]
struct Slot {
    index: u32,
    remote: RemoteKey,
    /// `None` until the handshake is over.
    session: Option<Session>,
}

#[derive(Debug)]
struct Session {
    transport: Box<dyn Transport>,
    /// The receiver index of the other side.
    theirs: u32,
    born: Time,
    /// We began it.
    ours: bool,
    /// The next counter to seal with.
    counter: u64,
    window: Window,
}

/// What came of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// It was refused and counted, or there is nothing more to do.
    Nothing,
    /// That process began a handshake, and not before now.
    Begun(PeerId),
    /// It ended a handshake of ours: there is a session.
    Up(RemoteKey, PeerId),
    /// It was opened, and is from that process.
    Data {
        remote: RemoteKey,
        id: PeerId,
        /// No datagram of that process was newer.
        newest: bool,
        /// It was not long on its way.
        timely: bool,
        /// It is the first of a session that we answered to that address: from here on we may use it as
        /// well, and whoever is there has received what was sent there.
        up: bool,
        /// Where what answered it has come, if it went to one address.
        at: Option<SocketAddr>,
    },
}

/// What [`Sessions`] are made from.
#[derive(Debug)]
pub(crate) struct SessionsConfig {
    pub(crate) keys: Arc<Keys>,
    pub(crate) incarnation: u64,
    pub(crate) seed: Seed,
    pub(crate) linked_max: usize,
}

/// The suite's own state stands behind traits and follows from what is hashed, and so do the secrets,
/// which no hash should tell; looks that are only forgotten with time are left out.
impl Hash for Sessions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { id, incarnation, remotes, slots, answered, timers, .. } = self;
        (id, incarnation, remotes, slots, answered, timers).hash(state);
        (self.issued, self.number).hash(state);
    }
}

impl Hash for Remote {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            id,
            links,
            at,
            verified,
            source,
            greatest,
            previous,
            current,
            next,
            passed,
            heard,
            initiating,
            answer,
            cookie,
            stamps,
            unheard,
            unanswered,
            until,
            // Which process it is follows from the id; when it was seen first only tells who is forgotten.
            key: _,
            image: _,
            incarnation: _,
            since: _,
        } = self;
        (id, links, at, verified, source, greatest, cookie, stamps).hash(state);
        (previous, current, next, passed, heard, unheard, unanswered, until).hash(state);
        (initiating, answer).hash(state);
    }
}

impl Hash for Slot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.index, self.remote).hash(state);
        if let Some(Session { theirs, born, ours, counter, window, .. }) = &self.session {
            (theirs, born, ours, counter, window).hash(state);
        }
    }
}

impl Sessions {
    pub(crate) fn new(config: SessionsConfig) -> Self {
        let SessionsConfig { keys, incarnation, seed, linked_max } = config;
        let mac1_key = mac1_key(&keys.room, keys.public(), incarnation);
        Self {
            id: keys.public().process(incarnation),
            keys,
            incarnation,
            remotes: Slots::default(),
            by_id: BTreeMap::new(),
            remotes_max: linked_max + UNLINKED_MAX,
            unlinked: 0,
            slots: Slots::default(),
            answered: BTreeMap::new(),
            timers: Timers::default(),
            load: Load::default(),
            number: 0,
            issued: seed.stream("indices").next_u32() as u16,
            mac1_key: Zeroizing::new(mac1_key),
            cookie_key: Seed(seed.bytes("cookies", 0)),
            seed: Box::new(seed),
            text: Vec::new(),
        }
    }

    /// The room that all of them are in.
    pub(crate) fn room(&self) -> &Room {
        &self.keys.room
    }

    /// Whether something can be sealed for that process.
    pub(crate) fn is_ready(&self, now: Time, key: RemoteKey) -> bool {
        let current = self.remotes.get(key).and_then(|remote| self.session_at(remote.current));
        current.is_some_and(|session| {
            now.since(session.born) < REJECT_AFTER && session.counter < COUNTER_MAX
        })
    }

    /// Whether a new session should be begun beside the one that is ready.
    pub(crate) fn is_ageing(&self, now: Time, key: RemoteKey) -> bool {
        let Some(remote) = self.remotes.get(key) else { return false };
        let current = self.session_at(remote.current);
        let old = current.is_some_and(|session| {
            let limit = if session.ours { REKEY_AFTER } else { REKEY_LATE };
            now.since(session.born) >= limit
        });
        old || remote.unheard.is_some_and(|since| now.since(since) >= UNHEARD_MAX)
    }

    /// Something is asked of that process: the answer shows that the session works.
    pub(crate) fn asks(&mut self, now: Time, key: RemoteKey) {
        if let Some(remote) = self.remotes.get_mut(key) {
            remote.unheard = remote.unheard.or(Some(now));
        }
    }

    /// Queues a datagram with what `write` puts under the seal. To be called when it is ready.
    pub(crate) fn seal(
        &mut self,
        key: RemoteKey,
        to: SocketAddr,
        out: &mut Outbox,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let current = self.remotes.get(key).and_then(|remote| remote.current);
        let slot = current.and_then(|place| self.slots.get_mut(place));
        let Some(session) = slot.and_then(|slot| slot.session.as_mut()) else { return };
        let counter = session.counter;
        session.counter += 1;
        self.text.clear();
        write(&mut self.text);
        self.text.resize(self.text.len().next_multiple_of(PADDING), 0);
        out.send(to, |bytes| {
            bytes.push(kind::DATA);
            bytes.extend_from_slice(&session.theirs.to_be_bytes());
            bytes.extend_from_slice(&counter.to_be_bytes());
            let start = bytes.len();
            bytes.resize(start + self.text.len() + TAG, 0);
            session.transport.seal(counter, &self.text, &mut bytes[start..]);
        });
        self.text.clear();
    }

    /// Takes a datagram of any kind but 0. What is opened is put into `text`. `own` is what the handshakes
    /// of an address that we deal with have used up.
    pub(crate) fn receive(
        &mut self,
        now: Time,
        (from, own): (SocketAddr, Option<&mut Pace>),
        bytes: &[u8],
        text: &mut Vec<u8>,
        blame: &mut Blame,
        out: &mut Outbox,
    ) -> Received {
        let received = match bytes.first() {
            Some(&kind::INIT) => self.take_init(now, (from, own), bytes, blame, out),
            Some(&kind::RESP) => self.take_resp(now, from, bytes, blame),
            Some(&kind::COOKIE) => self.take_cookie(now, from, bytes, blame, out),
            Some(&kind::DATA) => self.take_data(now, bytes, text, blame),
            _ => {
                blame.malformed += 1;
                Received::Nothing
            }
        };
        if matches!(received, Received::Begun(_)) {
            // Our ephemeral key was on the stack.
            wipe();
        }
        received
    }

    /// Parse, authenticate, check for a replay, commit.
    fn take_data(
        &mut self,
        now: Time,
        bytes: &[u8],
        text: &mut Vec<u8>,
        blame: &mut Blame,
    ) -> Received {
        let Some((header, sealed)) = bytes.split_first_chunk::<SEALED_HEADER>() else {
            blame.malformed += 1;
            return Received::Nothing;
        };
        let [_, a, b, c, d, counter @ ..] = *header;
        let (index, counter) = (u32::from_be_bytes([a, b, c, d]), u64::from_be_bytes(counter));
        let place = self.place_of(index).filter(|_| sealed.len() >= TAG && counter < COUNTER_MAX);
        let slot = place.and_then(|place| Some((place, self.slots.get_mut(place)?)));
        let alive = |session: &&mut Session| now.since(session.born) < REJECT_AFTER;
        let found = slot.and_then(|(place, slot)| {
            Some((place, slot.remote, slot.session.as_mut().filter(alive)?))
        });
        let Some((place, key, session)) = found else {
            blame.unauthenticated += 1;
            return Received::Nothing;
        };
        // Before the cipher, since it is cheap; marked after it, since only then it is believed.
        if !session.window.is_new(counter) {
            blame.replayed += 1;
            return Received::Nothing;
        }
        text.clear();
        text.resize(sealed.len(), 0);
        let Some(len) = session.transport.open(counter, sealed, text) else {
            text.clear();
            blame.unauthenticated += 1;
            return Received::Nothing;
        };
        text.truncate(len);
        session.window.mark(counter);
        let age = now.since(session.born);
        let next = self.remotes.get(key).filter(|remote| remote.next == Some(place));
        let (up, at) = (next.is_some(), next.and_then(|remote| remote.answer.as_ref()?.to()));
        if up {
            self.confirm(key);
            self.prove(key, at);
        }
        let Some(remote) = self.remotes.get_mut(key) else { return Received::Nothing };
        (remote.unheard, remote.unanswered) = (None, 0);
        remote.heard = Some(place);
        // By the sender's clock: two sessions may be in use at once, one for each direction.
        let stamp = text.first_chunk().map(|stamp| u32::from_be_bytes(*stamp));
        let (newest, timely) =
            stamp.map_or((false, false), |stamp| remote.stamps.take(now, stamp, age));
        Received::Data { remote: key, id: remote.id, newest, timely, up, at }
    }

    /// A datagram of that process with that stamp answers a call of ours.
    pub(crate) fn proven(&mut self, now: Time, key: RemoteKey, stamp: u32) {
        if let Some(remote) = self.remotes.get_mut(key) {
            remote.stamps.proven(now, stamp);
        }
    }

    /// Entropy for one handshake: the same until it is used up.
    fn entropy(&self) -> [u8; 32] {
        self.seed.bytes("ephemeral", 0)
    }

    /// A message that was made with it goes out. What it came from is overwritten.
    fn use_up_entropy(&mut self) {
        *self.seed = Seed(self.seed.bytes("next", 0));
    }

    /// When something is due: keys that are too old are overwritten, the forgotten are forgotten.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(crate) fn tick(&mut self, now: Time) {
        self.load.tidy(now);
        while let Some(index) = self.timers.pop_due(now) {
            let Some(key) = self.remotes.key_at(index) else { continue };
            let Some(remote) = self.remotes.get_mut(key) else { continue };
            let mut stale = Vec::new();
            let Remote { previous, current, next, passed, .. } = remote;
            for slot in [previous, current, next, passed] {
                let born = slot.and_then(|place| self.slots.get(place)?.session.as_ref());
                if born.is_some_and(|session| now.since(session.born) >= REJECT_AFTER) {
                    stale.extend(slot.take());
                }
            }
            if remote.initiating.as_ref().is_some_and(|initiating| initiating.is_over(now)) {
                remote.unanswered += 1;
                stale.extend(remote.initiating.take().map(|initiating| initiating.place));
            }
            if remote.next.is_none()
                && let Some(answer) = remote.answer.take()
            {
                self.answered.remove(&answer.mac);
            }
            stale.into_iter().for_each(|place| self.release(Some(place)));
            self.reschedule(now, key);
        }
    }

    /// Sets the timer of a process to what is due next, or forgets the process.
    fn reschedule(&mut self, now: Time, key: RemoteKey) {
        let Some(remote) = self.remotes.get(key) else { return };
        let slots = [remote.previous, remote.current, remote.next, remote.passed];
        let sessions = slots.into_iter().filter_map(|place| self.session_at(place));
        let ends = sessions.map(|session| session.born + REJECT_AFTER);
        let initiating = remote.initiating.as_ref().map(Initiating::ends);
        match ends.chain(initiating).min() {
            Some(at) => self.timers.set(key.index(), at),
            None if remote.links > 0 => self.timers.cancel(key.index()),
            None if remote.until > now => self.timers.set(key.index(), remote.until),
            None => self.forget(key),
        }
    }

    pub(crate) fn footprint(&self) -> [Table; 5] {
        let limit = self.remotes_max;
        [
            Table { name: "remotes", len: self.remotes.len(), limit },
            Table { name: "sessions", len: self.slots.len(), limit: limit * 5 },
            Table { name: "answered handshakes", len: self.answered.len(), limit },
            Table { name: "spent handshakes", len: self.load.spent(), limit: SPENT_MAX },
            Table { name: "handshake sources", len: self.load.sources(), limit: SOURCES_MAX },
        ]
    }

    pub(crate) fn check(&self) {
        self.timers.check();
        assert_eq!(self.by_id.len(), self.remotes.len());
        self.load.check();
        let unlinked = self.remotes.iter().filter(|(_, remote)| remote.links == 0).count();
        assert_eq!(unlinked, self.unlinked);
        let mut held = 0;
        for (key, remote) in self.remotes.iter() {
            assert_eq!(self.by_id.get(&remote.id), Some(&key));
            let pending = remote.initiating.as_ref().map(|initiating| initiating.place);
            for place in [remote.previous, remote.current, remote.next, remote.passed] {
                let Some(place) = place else { continue };
                held += 1;
                assert!(self.session_at(Some(place)).is_some(), "a slot without keys");
                assert_eq!(self.slots.get(place).map(|slot| slot.remote), Some(key));
            }
            if let Some(place) = pending {
                held += 1;
                let waits = |slot: &Slot| slot.session.is_none();
                assert!(self.slots.get(place).is_some_and(waits), "a handshake that is over");
            }
            if let Some(answer) = &remote.answer {
                assert_eq!(self.answered.get(&answer.mac), Some(&key));
                assert!(remote.next.is_some(), "an answer without a session");
            }
        }
        assert_eq!(held, self.slots.len(), "a slot nobody holds");
        let answers = self.remotes.iter().filter(|(_, remote)| remote.answer.is_some());
        assert_eq!(answers.count(), self.answered.len());
    }
}

#[cfg(test)]
mod tests;
