//! Handshakes: the messages of kinds 1 to 3 (docs/PROTOCOL.md, "Handshake").
//!
//! Every message ends with a keyed hash that only members of the room can make: a stranger costs one
//! hash and gets nothing back. A first message that comes again is answered again, from memory, and
//! only to where it was answered before, or where we deal with somebody. When many come at once, whoever sends one has to show first
//! that it receives what is sent to its address. When two processes begin at once, the one with the
//! smaller id goes on.

use core::hash::{Hash, Hasher};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::{Place, Received, RemoteKey, Session, Sessions, UNANSWERED_KEPT};
use crate::machine::contract::Blame;
use crate::machine::guarded::wiped;
use crate::machine::keyed::{MAC, hash, mac, same};
use crate::machine::outbox::Outbox;
use crate::machine::pace::Pace;
use crate::machine::session::window::Window;
use crate::machine::source::source;
use crate::machine::time::Time;
use crate::machine::who::identity::PublicKey;
use crate::machine::who::ids::PeerId;
use crate::machine::who::room::Room;
use crate::machine::who::suite::{FIRST, Initiated, Responding, SECOND, TAG};
use crate::machine::wire::kind;

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
pub(super) const SPACING: Duration = Duration::from_millis(200);

/// Addresses one first message is sent to.
const ADDRS_MAX: usize = 8;

/// A cookie is made for two minutes, and good for two to four.
const EPOCH: Duration = Duration::from_secs(120);

/// A first message of ours, until it is answered.
#[derive(Debug)]
pub(super) struct Initiating {
    state: Box<dyn Initiated>,
    /// The message without its second hash.
    message: Vec<u8>,
    /// The slot that waits for the session.
    pub(super) place: Place,
    began: Time,
    /// Where it was sent, when last, and how often; what only opens our router does not count.
    sent: Vec<(SocketAddr, Option<Time>, u8)>,
    /// The cookie it was last sent with.
    shown: Option<[u8; MAC]>,
}

/// The state of the handshake follows from the message.
impl Hash for Initiating {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { state: _, message, place, began, sent, shown } = self;
        (message, place, began, sent, shown).hash(state);
    }
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

    /// Whether it may be sent to an address now.
    fn may_go(&self, now: Time, to: SocketAddr, sends_max: u8) -> bool {
        match self.sent.iter().find(|(addr, ..)| *addr == to) {
            Some(&(_, last, sends)) => {
                sends < sends_max && last.is_none_or(|last| now.since(last) >= SPACING)
            }
            None => self.sent.len() < ADDRS_MAX,
        }
    }

    /// Whether it is on its way to an address.
    fn went(&self, now: Time, to: SocketAddr) -> bool {
        let lately = |last: Option<Time>| last.is_some_and(|last| now.since(last) < SPACING);
        self.sent.iter().any(|&(addr, last, _)| addr == to && lately(last))
    }

    /// Notes that it is; or that it went near, and does not get there.
    fn goes(&mut self, now: Time, to: SocketAddr, near: bool) {
        let place = self.sent.iter().position(|(addr, ..)| *addr == to);
        let place = place.unwrap_or_else(|| {
            self.sent.push((to, None, 0));
            self.sent.len() - 1
        });
        if let Some((_, last, sends)) = self.sent.get_mut(place).filter(|_| !near) {
            (*last, *sends) = (Some(now), *sends + 1);
        }
    }
}

/// The answer to a first message of theirs, until the session is used.
#[derive(Debug, Hash)]
pub(super) struct Answer {
    /// The first hash of the message that was answered.
    pub(super) mac: [u8; MAC],
    /// Where it went, if only to one address.
    to: Option<SocketAddr>,
    message: Vec<u8>,
    /// It has gone out: theirs crossed none of ours, or came again.
    sent: bool,
}

impl Answer {
    /// Where it went; `None` if that is more than one address: who uses the session has had it at one of them.
    pub(super) const fn to(&self) -> Option<SocketAddr> {
        self.to
    }
}

/// Why a first message is not answered with a second one.
enum Declined {
    Malformed,
    Unauthenticated,
    Replayed,
    OverLimit,
    /// It was answered before, and to there, or comes from where we deal with somebody: it is again.
    Again(RemoteKey),
    /// Whoever sends it has to show first that they receive what is sent to their address.
    Unshown,
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
    /// Sends a first message to an address, unless it was sent there just now, or often enough; `near` says that
    /// it does not get there. Returns the bytes that go.
    pub(crate) fn initiate(
        &mut self,
        now: Time,
        key: RemoteKey,
        (to, near): (SocketAddr, bool),
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
        initiating.goes(now, to, near);
        let cookie = remote.cookie.filter(|(_, since)| now.since(*since) < EPOCH);
        send_init(initiating, cookie.map(|(cookie, _)| cookie), to, out);
        INIT
    }

    /// Whether a first message would be sent to an address now.
    pub(crate) fn may_initiate(&self, now: Time, key: RemoteKey, to: SocketAddr) -> bool {
        let Some(remote) = self.remotes.get(key) else { return false };
        let Some(initiating) = &remote.initiating else { return true };
        let sends_max = if remote.unanswered > 0 { SENDS_MORE } else { SENDS_MAX };
        initiating.is_over(now) || initiating.may_go(now, to, sends_max)
    }

    /// Makes a first message, unless there is one already.
    fn begin_initiating(&mut self, now: Time, key: RemoteKey) {
        if self.remotes.get(key).is_none_or(|remote| remote.initiating.is_some()) {
            return;
        }
        let first = wiped(|| self.first_message(now, key));
        if let Some(remote) = self.remotes.get_mut(key) {
            (remote.initiating, remote.until) = (first, now + UNANSWERED_KEPT);
        }
        self.reschedule(now, key);
    }

    fn first_message(&mut self, now: Time, key: RemoteKey) -> Option<Initiating> {
        let remote = self.remotes.get(key)?;
        let (key_of, receiver, image) = (remote.key, remote.incarnation, remote.image);
        let (place, index) = self.reserve(key)?;
        self.number += 1;
        let payload = Payload {
            key: self.keys.identity.public(),
            incarnation: self.incarnation,
            receiver,
            number: self.number,
        };
        let mut message = vec![kind::INIT];
        message.extend_from_slice(&index.to_be_bytes());
        let hand = self.keys.hand(self.entropy());
        let made = self.keys.suite.initiate(&hand, &image, &payload.encode(), &mut message);
        let Some(state) = made else {
            self.release(Some(place));
            return None;
        };
        let mac = mac(&mac1_key(&self.keys.room, key_of, receiver), &[&message]);
        message.extend_from_slice(&mac);
        self.use_up_entropy();
        Some(Initiating { state, message, place, began: now, sent: Vec::new(), shown: None })
    }

    /// Somebody begins a handshake with us. `own` is what the handshakes of an address that we deal with
    /// have used up.
    pub(super) fn take_init(
        &mut self,
        now: Time,
        (from, own): (SocketAddr, Option<&mut Pace>),
        bytes: &[u8],
        blame: &mut Blame,
        out: &mut Outbox,
    ) -> Received {
        let taken = self.screen(now, (from, own), bytes).and_then(|mac1| {
            self.load.spend(now, mac1);
            let (said, responding) = self.look(bytes)?;
            let key = self.initiator(now, from, &said, responding.image())?;
            self.answer(now, (from, key), (bytes, mac1), responding, out)
        });
        match taken {
            Ok(id) => return Received::Begun(id),
            Err(Declined::Malformed) => blame.malformed += 1,
            Err(Declined::Unauthenticated) => blame.unauthenticated += 1,
            Err(Declined::Replayed) => blame.replayed += 1,
            Err(Declined::OverLimit) => blame.over_limit += 1,
            Err(Declined::Again(key)) => {
                if let Some(answer) = self.remotes.get_mut(key).and_then(|to| to.answer.as_mut()) {
                    answer.sent = true;
                    answer.to = answer.to.filter(|&to| to == from);
                    out.send(from, |bytes| bytes.extend_from_slice(&answer.message));
                }
            }
            Err(Declined::Unshown) => {
                blame.over_limit += 1;
                self.ask_for_cookie(now, from, bytes, out);
            }
        }
        Received::Nothing
    }

    /// What costs a hash or two: whether it is of the room and for us, new, and worth a look now. Returns
    /// its first hash.
    fn screen(
        &mut self,
        now: Time,
        (from, own): (SocketAddr, Option<&mut Pace>),
        bytes: &[u8],
    ) -> Result<[u8; MAC], Declined> {
        let bytes: &[u8; INIT] = bytes.try_into().map_err(|_| Declined::Malformed)?;
        let (body, macs) = bytes.split_at(INIT - 2 * MAC);
        let Some((mac1, mac2)) = macs.split_first_chunk::<MAC>() else {
            return Err(Declined::Malformed);
        };
        if !same(&mac(&*self.mac1_key, &[body]), mac1) {
            return Err(Declined::Unauthenticated);
        }
        if let Some(&key) = self.answered.get(mac1) {
            let answer = self.remotes.get(key).and_then(|remote| remote.answer.as_ref());
            // It went over several ways, and what answered the first copy may be lost.
            let there = answer.is_some_and(|answer| answer.to == Some(from) || own.is_some());
            return Err(if there { Declined::Again(key) } else { Declined::Replayed });
        }
        if self.load.is_spent(mac1) {
            return Err(Declined::Replayed);
        }
        let shown = |age| {
            let cookie = self.cookie(now, from, age);
            cookie.is_some_and(|cookie| same(&mac(&cookie, &[&bytes[..INIT - MAC]]), mac2))
        };
        if self.load.is_high(now) && !shown(0) && !shown(1) {
            return Err(Declined::Unshown);
        }
        if self.load.may_look(now, from, own) { Ok(*mac1) } else { Err(Declined::OverLimit) }
    }

    /// What costs two agreements on a curve: who sends it, and that it is meant for us.
    fn look(&self, bytes: &[u8]) -> Result<(Payload, Box<dyn Responding>), Declined> {
        let (first, mut payload) = (&bytes[5..INIT - 2 * MAC], Vec::new());
        let hand = self.keys.hand(self.entropy());
        let responding = self.keys.suite.respond(&hand, first, &mut payload);
        let responding = responding.ok_or(Declined::Unauthenticated)?;
        let said = Payload::decode(&payload).ok_or(Declined::Unauthenticated)?;
        let id = said.key.process(said.incarnation);
        let ours = said.receiver == self.incarnation && id != self.id && id.0 != 0;
        let ours = ours && said.number > 0;
        let genuine = self.keys.suite.image(said.key) == Some(responding.image());
        if ours && genuine { Ok((said, responding)) } else { Err(Declined::Unauthenticated) }
    }

    /// The process that a first message is of, known or new, if it is the newest of it.
    fn initiator(
        &mut self,
        now: Time,
        from: SocketAddr,
        said: &Payload,
        image: [u8; 32],
    ) -> Result<RemoteKey, Declined> {
        let key = match self.find(said.key.process(said.incarnation)) {
            Some(key) => key,
            None => {
                self.make_room_for(from);
                let made = self.insert(now, said.key, image, said.incarnation);
                made.ok_or(Declined::OverLimit)?
            }
        };
        let remote = self.remotes.get_mut(key).ok_or(Declined::OverLimit)?;
        if remote.key != said.key {
            return Err(Declined::OverLimit);
        }
        if said.number <= remote.greatest {
            return Err(Declined::Replayed);
        }
        (remote.greatest, remote.unanswered) = (said.number, 0);
        remote.source = Some(source(from));
        Ok(key)
    }

    /// Answers a first message. While one of ours is on its way and goes on, only when it comes again: then
    /// ours, or the answer to it, was lost.
    fn answer(
        &mut self,
        now: Time,
        (from, key): (SocketAddr, RemoteKey),
        (init, mac1): (&[u8], [u8; MAC]),
        responding: Box<dyn Responding>,
        out: &mut Outbox,
    ) -> Result<PeerId, Declined> {
        let remote = self.remotes.get_mut(key).ok_or(Declined::OverLimit)?;
        let (id, trying) = (remote.id, remote.initiating.as_ref());
        let crossed = trying.is_some_and(|initiating| !initiating.is_over(now));
        if crossed && self.id < id {
            // Ours goes on, and now we know where they are.
            self.initiate(now, key, (from, false), out);
        } else if crossed {
            let given_up = remote.initiating.take();
            self.release(given_up.map(|initiating| initiating.place));
        }
        let (place, index) = self.reserve(key).ok_or(Declined::OverLimit)?;
        let theirs = index_at(init, 1);
        let mut message = vec![kind::RESP];
        message.extend_from_slice(&index.to_be_bytes());
        message.extend_from_slice(&theirs.to_be_bytes());
        let Some(transport) = responding.finish(&mut message) else {
            self.release(Some(place));
            return Err(Declined::Unauthenticated);
        };
        self.use_up_entropy();
        let end = mac(self.keys.room.mac_key(), &[&message]);
        message.extend_from_slice(&end);
        let window = Window::new();
        self.keep(place, Session { transport, theirs, born: now, ours: false, counter: 0, window });
        let remote = self.remotes.get_mut(key).ok_or(Declined::OverLimit)?;
        // Our answer to their last message may have reached them: they may be using that session, and
        // say so in datagrams that are lost.
        let unconfirmed = remote.next.replace(place);
        let stale = if unconfirmed.is_some() {
            core::mem::replace(&mut remote.passed, unconfirmed)
        } else {
            None
        };
        let ours = remote.initiating.as_ref();
        let sent = !ours.is_some_and(|initiating| initiating.went(now, from));
        if sent {
            out.send(from, |bytes| bytes.extend_from_slice(&message));
        }
        if let Some(older) =
            remote.answer.replace(Answer { mac: mac1, to: Some(from), message, sent })
        {
            self.answered.remove(&older.mac);
        }
        self.answered.insert(mac1, key);
        self.release(stale);
        self.reschedule(now, key);
        Ok(id)
    }

    /// Answers a first message with what its sender is to come back with.
    fn ask_for_cookie(&self, now: Time, from: SocketAddr, init: &[u8], out: &mut Outbox) {
        let Some(cookie) = self.cookie(now, from, 0) else { return };
        let mut message = [0; COOKIE];
        message[0] = kind::COOKIE;
        message[1..5].copy_from_slice(&init[1..5]);
        message[5..5 + MAC].copy_from_slice(&cookie);
        let answered = &init[INIT - 2 * MAC..INIT - MAC];
        let end = mac(self.keys.room.mac_key(), &[&message[..5 + MAC], answered]);
        message[5 + MAC..].copy_from_slice(&end);
        out.send(from, |bytes| bytes.extend_from_slice(&message));
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

    /// Somebody answers a first message of ours.
    pub(super) fn take_resp(
        &mut self,
        now: Time,
        from: SocketAddr,
        bytes: &[u8],
        blame: &mut Blame,
    ) -> Received {
        if bytes.len() != RESP {
            blame.malformed += 1;
            return Received::Nothing;
        }
        let (body, end) = bytes.split_at(RESP - MAC);
        let Some((key, place)) = self.initiating_at(index_at(bytes, 5)) else {
            blame.unauthenticated += 1;
            return Received::Nothing;
        };
        if !same(&mac(self.keys.room.mac_key(), &[body]), end) {
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
        if initiating.sent.iter().any(|&(to, ..)| to == from) {
            remote.at = Some(from);
        }
        remote.initiating = None;
        (remote.unheard, remote.unanswered) = (None, 0);
        if let Some(answer) = remote.answer.take_if(|answer| !answer.sent) {
            self.answered.remove(&answer.mac);
            let unused = remote.next.take();
            self.release(unused);
        }
        let (theirs, window) = (index_at(bytes, 1), Window::new());
        let session = Session { transport, theirs, born: now, ours: true, counter: 0, window };
        self.keep(place, session);
        self.begin(key, place);
        self.reschedule(now, key);
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
                same(&mac(self.keys.room.mac_key(), &[body, initiating.mac()]), end)
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

/// The key of the first hash of what is sent to one process: of the room, and of that process, so that
/// what is meant for one costs all others a hash.
pub(super) fn mac1_key(room: &Room, key: PublicKey, incarnation: u64) -> [u8; 32] {
    hash(room.mac_key(), &[&key.0, &incarnation.to_be_bytes()])
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
