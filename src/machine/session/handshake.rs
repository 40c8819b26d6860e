//! Handshakes: the messages of kinds 1 to 3 (docs/PROTOCOL.md, "Handshake").
//!
//! Every message ends with a keyed hash that only members of the room can make: a stranger costs one
//! hash and gets nothing back. A first message that comes again is answered again, from memory, and
//! only to where it was answered before. When many come at once, whoever sends one has to show first
//! that it receives what is sent to its address. When two processes begin at once, the one with the
//! smaller id goes on.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::{Place, REMEMBER, Received, RemoteKey, Session, Sessions, UNLINKED_MAX};
use crate::machine::keyed::{MAC, mac, same};
use crate::machine::outbox::Outbox;
use crate::machine::session::window::Window;
use crate::machine::suite::{FIRST, Initiated, SECOND, TAG};
use crate::machine::wire::kind;
use crate::machine::{Blame, PublicKey, Time};

/// What a first message says under its seal: who sends it, to which process, and which of its first
/// messages it is.
const PAYLOAD: usize = 32 + 8 + 8 + 8;

/// Bytes of the messages. A reply is never larger than what it replies to.
pub const INIT: usize = 1 + 4 + FIRST + PAYLOAD + 2 * MAC;
/// See [`INIT`].
pub const RESP: usize = 1 + 4 + 4 + SECOND + MAC;
/// See [`INIT`].
pub const COOKIE: usize = 1 + 4 + MAC + MAC;

/// How long a first message is repeated; then a fresh one takes its place.
const INITIATION: Duration = Duration::from_secs(5);

/// How often it is sent to one address, and how far apart at least: five times while nothing is known
/// of whoever should answer, twice when they have not answered before.
const SENDS_MAX: u8 = 5;
const SENDS_MORE: u8 = 2;
const SPACING: Duration = Duration::from_millis(200);

/// Addresses one first message is sent to.
const ADDRS_MAX: usize = 8;

/// A cookie is made for two minutes, and good for two to four.
const EPOCH: Duration = Duration::from_secs(120);

/// Handshakes that are answered at once, and in a second from then on: each costs a third of a
/// millisecond. When half of the burst is used up, cookies are asked for.
const BURST: u64 = 256;
const PER_SECOND: u64 = 128;

/// A first message of ours, until it is answered.
#[derive(Debug)]
pub(super) struct Initiating {
    state: Box<dyn Initiated>,
    /// The message without its second hash.
    message: Vec<u8>,
    /// The slot that waits for the session.
    pub(super) place: Place,
    began: Time,
    /// Where it was sent, when last, and how often.
    sent: Vec<(SocketAddr, Time, u8)>,
    /// The cookie it was last sent with.
    shown: Option<[u8; MAC]>,
}

impl Initiating {
    pub(super) fn ends(&self) -> Time {
        self.began + INITIATION
    }

    pub(super) fn is_over(&self, now: Time) -> bool {
        self.ends() <= now
    }

    fn mac(&self) -> &[u8] {
        &self.message[INIT - 2 * MAC..]
    }

    /// Whether it may be sent to an address now; notes that it is.
    fn may_go(&mut self, now: Time, to: SocketAddr, sends_max: u8) -> bool {
        let Some((_, last, sends)) = self.sent.iter_mut().find(|(addr, ..)| *addr == to) else {
            let may = self.sent.len() < ADDRS_MAX;
            if may {
                self.sent.push((to, now, 1));
            }
            return may;
        };
        let may = *sends < sends_max && now.since(*last) >= SPACING;
        if may {
            (*last, *sends) = (now, *sends + 1);
        }
        may
    }
}

/// The answer to a first message of theirs, until the session is used.
#[derive(Debug)]
pub(super) struct Answer {
    /// The first hash of the message that was answered.
    pub(super) mac: [u8; MAC],
    to: SocketAddr,
    message: Vec<u8>,
}

/// How many handshakes were answered lately: a bucket that fills with time.
#[derive(Debug)]
pub(super) struct Load {
    tokens: u64,
    at: Time,
}

impl Default for Load {
    fn default() -> Self {
        Self { tokens: BURST, at: Time::ZERO }
    }
}

impl Load {
    fn refill(&mut self, now: Time) {
        let due = now.since(self.at).as_micros() as u64 * PER_SECOND / 1_000_000;
        if due > 0 {
            self.tokens = (self.tokens + due).min(BURST);
            // What is left of a token's time is not lost.
            self.at = self.at + Duration::from_micros(due * 1_000_000 / PER_SECOND);
        }
    }

    /// Whoever sends a first message has to show a cookie.
    const fn is_high(&self) -> bool {
        self.tokens <= BURST / 2
    }
}

/// What a first message said.
struct Payload {
    key: PublicKey,
    incarnation: u64,
    receiver: u64,
    number: u64,
}

impl Payload {
    fn encode(&self) -> [u8; PAYLOAD] {
        let mut bytes = [0; PAYLOAD];
        bytes[..32].copy_from_slice(&self.key.0);
        bytes[32..40].copy_from_slice(&self.incarnation.to_be_bytes());
        bytes[40..48].copy_from_slice(&self.receiver.to_be_bytes());
        bytes[48..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk::<32>()?;
        let (words, []) = rest.as_chunks::<8>() else { return None };
        let &[incarnation, receiver, number] = words else { return None };
        let [incarnation, receiver, number] =
            [incarnation, receiver, number].map(u64::from_be_bytes);
        let key = PublicKey(*key);
        (incarnation != 0).then_some(Self { key, incarnation, receiver, number })
    }
}

/// The four bytes of an index.
fn index_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |index| u32::from_be_bytes(*index))
}

impl Sessions {
    /// Sends a first message to an address, unless it was sent there just now, or often enough.
    /// Returns the bytes that go there.
    pub(crate) fn initiate(
        &mut self,
        now: Time,
        key: RemoteKey,
        to: SocketAddr,
        out: &mut Outbox,
    ) -> usize {
        let Some(remote) = self.remotes.get_mut(key) else { return 0 };
        let over = remote.initiating.take_if(|initiating| initiating.is_over(now));
        if let Some(over) = over {
            remote.unanswered += 1;
            self.release(Some(over.place));
        }
        self.begin_initiating(now, key);
        let Some(remote) = self.remotes.get_mut(key) else { return 0 };
        let Some(initiating) = &mut remote.initiating else { return 0 };
        let sends_max = if remote.unanswered > 0 { SENDS_MORE } else { SENDS_MAX };
        if !initiating.may_go(now, to, sends_max) {
            return 0;
        }
        let cookie = remote.cookie.filter(|(_, since)| now.since(*since) < EPOCH);
        send_init(initiating, cookie.map(|(cookie, _)| cookie), to, out);
        INIT
    }

    /// Makes a first message, unless there is one already.
    fn begin_initiating(&mut self, now: Time, key: RemoteKey) {
        if self.remotes.get(key).is_none_or(|remote| remote.initiating.is_some()) {
            return;
        }
        let first = self.first_message(now, key);
        if let Some(remote) = self.remotes.get_mut(key) {
            (remote.initiating, remote.until) = (first, now + REMEMBER);
        }
        self.reschedule(key);
    }

    fn first_message(&mut self, now: Time, key: RemoteKey) -> Option<Initiating> {
        let remote = self.remotes.get(key)?;
        let (receiver, image) = (remote.incarnation, remote.image);
        let (place, index) = self.reserve(key)?;
        self.number += 1;
        let payload = Payload {
            key: self.identity.public(),
            incarnation: self.incarnation,
            receiver,
            number: self.number,
        };
        let mut message = vec![kind::INIT];
        message.extend_from_slice(&index.to_be_bytes());
        let entropy = self.hand();
        let hand = self.hand_of(entropy);
        let made = self.suite.initiate(&hand, &image, &payload.encode(), &mut message);
        let Some(state) = made else {
            self.release(Some(place));
            return None;
        };
        let mac = mac(self.room.mac_key(), &[&message]);
        message.extend_from_slice(&mac);
        Some(Initiating { state, message, place, began: now, sent: Vec::new(), shown: None })
    }

    /// Somebody begins a handshake with us.
    pub(super) fn take_init(
        &mut self,
        now: Time,
        from: SocketAddr,
        bytes: &[u8],
        blame: &mut Blame,
        out: &mut Outbox,
    ) -> Received {
        if bytes.len() != INIT {
            blame.malformed += 1;
            return Received::Nothing;
        }
        let (body, macs) = bytes.split_at(INIT - 2 * MAC);
        let (mac1, mac2) = macs.split_at(MAC);
        if !same(&mac(self.room.mac_key(), &[body]), mac1) {
            blame.unauthenticated += 1;
            return Received::Nothing;
        }
        if let Some(&key) = self.answered.get(mac1) {
            let answer = self.remotes.get(key).and_then(|remote| remote.answer.as_ref());
            match answer.filter(|answer| answer.to == from) {
                Some(answer) => out.send(from, |bytes| bytes.extend_from_slice(&answer.message)),
                None => blame.replayed += 1,
            }
            return Received::Nothing;
        }
        let mut which = [0; MAC];
        which.copy_from_slice(mac1);
        if self.spent.contains(&which) {
            blame.replayed += 1;
            return Received::Nothing;
        }
        if !self.may_answer(now, from, bytes, mac2, blame, out) {
            return Received::Nothing;
        }
        let entropy = self.hand();
        let mut payload = Vec::new();
        let first = &body[5..];
        let Some(responding) = self.suite.respond(&self.hand_of(entropy), first, &mut payload)
        else {
            blame.unauthenticated += 1;
            return Received::Nothing;
        };
        let ours = |payload: &Payload| {
            let id = payload.key.process(payload.incarnation);
            payload.receiver == self.incarnation && id != self.id && id.0 != 0
        };
        let Some(said) = Payload::decode(&payload).filter(ours) else {
            blame.unauthenticated += 1;
            return Received::Nothing;
        };
        if self.suite.image(said.key) != Some(responding.image()) {
            blame.unauthenticated += 1;
            return Received::Nothing;
        }
        let Some(key) = self.initiator(now, &said, responding.image()) else {
            blame.over_limit += 1;
            return Received::Nothing;
        };
        let Some(remote) = self.remotes.get_mut(key) else { return Received::Nothing };
        if said.number <= remote.greatest {
            self.spend(which);
            blame.replayed += 1;
            return Received::Nothing;
        }
        let id = remote.id;
        (remote.greatest, remote.unanswered) = (said.number, 0);
        let trying = remote.initiating.as_ref();
        if trying.is_some_and(|initiating| !initiating.is_over(now)) {
            if self.id < id {
                // Ours goes on, and now we know where they are.
                self.initiate(now, key, from, out);
                return Received::Greeted(id);
            }
            let given_up = remote.initiating.take();
            self.release(given_up.map(|initiating| initiating.place));
        }
        let Some((place, index)) = self.reserve(key) else {
            blame.over_limit += 1;
            return Received::Nothing;
        };
        let theirs = index_at(bytes, 1);
        let mut message = vec![kind::RESP];
        message.extend_from_slice(&index.to_be_bytes());
        message.extend_from_slice(&theirs.to_be_bytes());
        let Some(transport) = responding.finish(&mut message) else {
            self.release(Some(place));
            return Received::Nothing;
        };
        let end = mac(self.room.mac_key(), &[&message]);
        message.extend_from_slice(&end);
        let window = Window::new();
        let session = Session { transport, theirs, born: now, ours: false, counter: 0, window };
        self.keep(place, session);
        let Some(remote) = self.remotes.get_mut(key) else { return Received::Nothing };
        // Our answer to their last message may have reached them: they may be using that session, and
        // say so in datagrams that are lost.
        let unconfirmed = remote.next.replace(place);
        let stale = if unconfirmed.is_some() {
            core::mem::replace(&mut remote.passed, unconfirmed)
        } else {
            None
        };
        out.send(from, |bytes| bytes.extend_from_slice(&message));
        if let Some(older) = remote.answer.replace(Answer { mac: which, to: from, message }) {
            self.answered.remove(&older.mac);
        }
        self.answered.insert(which, key);
        self.release(stale);
        self.reschedule(key);
        Received::Greeted(id)
    }

    /// Whether there is time for one more handshake; under load a cookie is asked for.
    fn may_answer(
        &mut self,
        now: Time,
        from: SocketAddr,
        bytes: &[u8],
        mac2: &[u8],
        blame: &mut Blame,
        out: &mut Outbox,
    ) -> bool {
        self.load.refill(now);
        if self.load.is_high() {
            let shown = [0, 1].into_iter().any(|age| {
                let cookie = self.cookie(now, from, age);
                cookie.is_some_and(|cookie| same(&mac(&cookie, &[&bytes[..INIT - MAC]]), mac2))
            });
            if !shown {
                blame.over_limit += 1;
                let Some(cookie) = self.cookie(now, from, 0) else { return false };
                let mut message = [0; COOKIE];
                message[0] = kind::COOKIE;
                message[1..5].copy_from_slice(&bytes[1..5]);
                message[5..5 + MAC].copy_from_slice(&cookie);
                let answered = &bytes[INIT - 2 * MAC..INIT - MAC];
                let end = mac(self.room.mac_key(), &[&message[..5 + MAC], answered]);
                message[5 + MAC..].copy_from_slice(&end);
                out.send(from, |bytes| bytes.extend_from_slice(&message));
                return false;
            }
        }
        if self.load.tokens == 0 {
            blame.over_limit += 1;
            return false;
        }
        self.load.tokens -= 1;
        true
    }

    /// The cookie of an address, in this epoch or one so much older.
    fn cookie(&self, now: Time, addr: SocketAddr, age: u64) -> Option<[u8; MAC]> {
        let epoch = now.as_micros() / EPOCH.as_micros() as u64;
        let epoch = epoch.checked_sub(age)?.to_be_bytes();
        let ip = match addr.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let port = addr.port().to_be_bytes();
        Some(mac(&self.cookie_key.0, &[b"chatrpc handshake cookie", &ip, &port, &epoch]))
    }

    /// The process that a first message is of, known or new.
    fn initiator(&mut self, now: Time, said: &Payload, image: [u8; 32]) -> Option<RemoteKey> {
        match self.find(said.key.process(said.incarnation)) {
            Some(key) => self.remotes.get(key).filter(|remote| remote.key == said.key).map(|_| key),
            None if self.unlinked >= UNLINKED_MAX => None,
            None => self.insert(now, said.key, image, said.incarnation),
        }
    }

    /// Somebody answers a first message of ours.
    pub(super) fn take_resp(&mut self, now: Time, bytes: &[u8], blame: &mut Blame) -> Received {
        if bytes.len() != RESP {
            blame.malformed += 1;
            return Received::Nothing;
        }
        let (body, end) = bytes.split_at(RESP - MAC);
        let Some((key, place)) = self.initiating_at(index_at(bytes, 5)) else {
            blame.unauthenticated += 1;
            return Received::Nothing;
        };
        if !same(&mac(self.room.mac_key(), &[body]), end) {
            blame.unauthenticated += 1;
            return Received::Nothing;
        }
        let Some(remote) = self.remotes.get_mut(key) else { return Received::Nothing };
        let Some(initiating) = &mut remote.initiating else { return Received::Nothing };
        let id = remote.id;
        let Some(transport) = initiating.state.finish(&body[9..]) else {
            blame.unauthenticated += 1;
            return Received::Nothing;
        };
        remote.initiating = None;
        (remote.unheard, remote.unanswered) = (None, 0);
        let (theirs, window) = (index_at(bytes, 1), Window::new());
        let session = Session { transport, theirs, born: now, ours: true, counter: 0, window };
        self.keep(place, session);
        self.begin(key, place);
        self.reschedule(key);
        Received::Up(key, id)
    }

    /// The first message of ours that a receiver index stands for.
    fn initiating_at(&self, index: u32) -> Option<(RemoteKey, Place)> {
        let place = self.place_of(index)?;
        let key = self.slots.get(place)?.remote;
        let initiating = self.remotes.get(key)?.initiating.as_ref()?;
        (initiating.place == place).then_some((key, place))
    }

    /// Somebody under load wants to see a cookie.
    pub(super) fn take_cookie(
        &mut self,
        now: Time,
        from: SocketAddr,
        bytes: &[u8],
        blame: &mut Blame,
        out: &mut Outbox,
    ) -> Received {
        let Ok(bytes) = <&[u8; COOKIE]>::try_from(bytes) else {
            blame.malformed += 1;
            return Received::Nothing;
        };
        let (body, end) = bytes.split_at(COOKIE - MAC);
        let found = self.initiating_at(index_at(bytes, 1));
        let genuine = found.filter(|&(key, _)| {
            let initiating = self.remotes.get(key).and_then(|remote| remote.initiating.as_ref());
            initiating.is_some_and(|initiating| {
                same(&mac(self.room.mac_key(), &[body, initiating.mac()]), end)
            })
        });
        let Some((key, _)) = genuine else {
            blame.unauthenticated += 1;
            return Received::Nothing;
        };
        let mut cookie = [0; MAC];
        cookie.copy_from_slice(&body[5..]);
        let Some(remote) = self.remotes.get_mut(key) else { return Received::Nothing };
        remote.cookie = Some((cookie, now));
        let unshown = |initiating: &&mut Initiating| initiating.shown != Some(cookie);
        if let Some(initiating) = remote.initiating.as_mut().filter(unshown) {
            let sent = initiating.sent.iter().any(|&(addr, ..)| addr == from);
            if sent {
                send_init(initiating, Some(cookie), from, out);
            }
        }
        Received::Nothing
    }
}

fn send_init(
    initiating: &mut Initiating,
    cookie: Option<[u8; MAC]>,
    to: SocketAddr,
    out: &mut Outbox,
) {
    initiating.shown = cookie;
    out.send(to, |bytes| {
        bytes.extend_from_slice(&initiating.message);
        let shown = cookie.map_or([0; MAC], |cookie| mac(&cookie, &[&initiating.message]));
        bytes.extend_from_slice(&shown);
    });
}

const _: () = assert!(RESP <= INIT && COOKIE <= INIT && TAG == MAC);
