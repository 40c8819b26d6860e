//! Filling datagrams with packets: responses first, then requests, then what rides along.

use core::net::SocketAddr;

use super::{Arrival, CallKey, Calls, Link, OpenCall, Pending, RIDE_MAX, SMALL_FROM, stamp};
use crate::machine::outbox::{Outbox, Way};
use crate::machine::path::Turn;
use crate::machine::purpose::{About, LinkKey};
use crate::machine::session::handshake::INIT;
use crate::machine::session::{RemoteKey, Sessions};
use crate::machine::slots::Slots;
use crate::machine::time::Time;
use crate::machine::who::room::Room;
use crate::machine::who::suite::TAG;
use crate::machine::wire::{
    self, DATAGRAM_MAX, HEADER, INNER_HEADER, PADDING, RELAYED_ROOM, Response, SEALED_HEADER,
    SEALED_SMALL, Sender, kind,
};

/// The datagram is not finished.
const UNWEIGHED: usize = usize::MAX;

impl<T: About> Calls<T> {
    /// Packs everything that is to be sent into datagrams.
    pub(crate) fn flush(&mut self, now: Time, out: &mut Outbox) {
        let mut dirty = core::mem::take(&mut self.dirty);
        for key in dirty.drain(..) {
            self.flush_link(now, key, out);
        }
        self.dirty = dirty;
        self.heard = None;
    }

    fn flush_link(&mut self, now: Time, key: LinkKey, out: &mut Outbox) {
        let Some(link) = self.links.get_mut(key) else { return };
        link.dirty = false;
        let (addr, source) = (link.addr, link.source());
        link.near = link.near.filter(|near| !near.is_over());
        let way = if link.near.is_some() { Way::Near(source) } else { self.way(addr, source) };
        out.go_by(addr, way);
        let mut held = self.hold_back(now, key);
        self.pack_link(now, key, out);
        if let Some(link) = self.links.get_mut(key) {
            link.requests.append(&mut held);
        }
    }

    /// Packs what a link is to send now.
    fn pack_link(&mut self, now: Time, key: LinkKey, out: &mut Outbox) {
        if !self.may_send(now, key, out) {
            return;
        }
        self.screen(now, key);
        let Some(link) = self.links.get_mut(key) else { return };
        let mut requests = core::mem::take(&mut link.requests);
        if link.path.is_cut() {
            // One at a time, and always the same one: its end tells soon whether anybody is there.
            let sends = |&call: &CallKey| self.pending.get(call).map(|pending| pending.sends);
            requests.sort_by_key(|call| core::cmp::Reverse(sends(call)));
        }
        let mut responses = core::mem::take(&mut link.responses);
        let mut packing =
            Packing { responses: &responses, requests: &requests, sizes: Sizes::of(now, link) };
        let mut rest = 0;
        loop {
            if !packing.requests.is_empty() && self.turn(now, key) != Turn::Now {
                rest = packing.requests.len();
                packing.requests = &[];
            }
            let Some(link) = self.links.get_mut(key) else { return };
            packing.sizes = Sizes::of(now, link);
            let Some(packets) = packing.size(&self.pending) else { break };
            let size = if link.remote.is_some() { sealed_size(packets) } else { HEADER + packets };
            if let Some(credit) = &mut link.credit {
                if *credit < size {
                    rest = 0;
                    break;
                }
                *credit -= size;
            }
            let (addr, remote, receiver) = (link.addr, link.remote, link.who.incarnation());
            let echo = if packing.responses.is_empty() { 0 } else { link.echo };
            let mut sessions = self.sessions.take();
            let mut pack = |calls: &mut Self, bytes: &mut Vec<u8>| {
                let (start, asked) = (bytes.len(), packing.requests);
                let (draws_page, room) = packing.fill(bytes, &calls.pending);
                let flight =
                    calls.take_off(now, key, &asked[..asked.len() - packing.requests.len()]);
                let rides = |link: &Link| link.path.is_lossy() && link.credit.is_none();
                if calls.links.get(key).is_some_and(rides) {
                    calls.ride_along(now, key, &requests, bytes, (start, room), draws_page);
                }
                calls.weigh(now, key, flight, bytes.len() - start);
            };
            if let (Some(remote), Some(sessions)) = (remote, &mut sessions) {
                sessions.seal(remote, addr, out, |bytes| {
                    wire::put_inner_header(bytes, stamp(now), echo);
                    pack(self, bytes);
                });
            } else {
                out.send(addr, |bytes| {
                    let begun = bytes.len();
                    wire::put_header(bytes, self.incarnation, receiver, stamp(now), echo);
                    pack(self, bytes);
                    let room = sessions.as_deref().map(Sessions::room);
                    prove(room.or(self.room.as_ref()), bytes, begun);
                });
            }
            self.sessions = sessions;
        }
        requests.drain(..requests.len() - rest);
        self.hold(now, key, &requests);
        responses.clear();
        if let Some(link) = self.links.get_mut(key) {
            (link.requests, link.responses) = (requests, responses);
        }
        self.renew_session(now, key, out);
    }

    /// Lets go of the requests that may not go out, and notes that there are others.
    fn screen(&mut self, now: Time, key: LinkKey) {
        let may = self.may_ask(now, key);
        let Some(link) = self.links.get_mut(key) else { return };
        if !may {
            // Their timers try again.
            link.requests.clear();
        }
        let remote = link.remote.filter(|_| !link.requests.is_empty());
        if let (Some(remote), Some(sessions)) = (remote, &mut self.sessions) {
            sessions.asks(now, remote);
        }
    }

    /// Some requests leave in one datagram, which gets a number.
    fn take_off(&mut self, now: Time, key: LinkKey, asked: &[CallKey]) -> Option<u32> {
        let link = self.links.get_mut(key).filter(|_| !asked.is_empty())?;
        let flight = link.takes_off();
        link.path.asks(now);
        for &call in asked {
            let Some(pending) = self.pending.get_mut(call) else { continue };
            (pending.flight, pending.beside) = (Some(flight), UNWEIGHED);
        }
        Some(flight)
    }

    /// Notes how large the datagram is that some requests have just been put in.
    fn weigh(&mut self, now: Time, key: LinkKey, flight: Option<u32>, packets: usize) {
        let Some(link) = self.links.get_mut(key) else { return };
        if let Some(flight) = flight.filter(|_| link.is_large(packets)) {
            link.mtu.sent(now, flight, packets);
        }
        for &(_, call) in &link.open {
            if let Some(pending) = self.pending.get_mut(call)
                && pending.beside == UNWEIGHED
            {
                pending.beside = packets;
            }
        }
    }

    /// Whether the link can be sent on. One that waits for a session sends a first message instead.
    fn may_send(&mut self, now: Time, key: LinkKey, out: &mut Outbox) -> bool {
        let Some(link) = self.links.get_mut(key) else { return false };
        let (Some(remote), Some(sessions)) = (link.remote, &mut self.sessions) else { return true };
        if sessions.is_ready(now, remote) {
            return true;
        }
        if link.requests.is_empty() {
            link.responses.clear();
            return false;
        }
        // Whoever asked asks again when the session is there.
        link.responses.clear();
        link.waiting = true;
        if link.path.is_silent() {
            link.path.asks(now);
        }
        if link.credit.is_some_and(|credit| credit < INIT) {
            return false;
        }
        let (addr, proven, near) = (link.addr, link.proven, link.near.is_some());
        if !sessions.may_initiate(now, remote, addr) || !link.goes() {
            return false;
        }
        if !proven && !self.may_try(now, addr) {
            return false;
        }
        let Some(sessions) = &mut self.sessions else { return false };
        let sent = sessions.initiate(now, remote, (addr, near), out);
        if let Some(link) = self.links.get_mut(key) {
            link.credit = link.credit.map(|credit| credit.saturating_sub(sent));
        }
        false
    }

    /// Whether requests may go out on a link. To an address that somebody names and where nobody has
    /// answered go few.
    fn may_ask(&mut self, now: Time, key: LinkKey) -> bool {
        let Some(link) = self.links.get_mut(key) else { return false };
        let named = link.remote.is_some() && link.credit.is_none() && !link.proven;
        if !named || link.requests.is_empty() || link.takes_owed() {
            return true;
        }
        let addr = link.addr;
        link.goes() && self.may_try(now, addr)
    }

    /// Whether one more datagram may go to where nobody has answered.
    fn may_try(&mut self, now: Time, to: SocketAddr) -> bool {
        let Self { unproven, by_peer, links, .. } = self;
        let proven = |key: &LinkKey| links.get(*key).is_some_and(|link| link.proven);
        let answer = |ports| by_peer.range(super::at(to.ip(), ports)).any(|(_, key)| proven(key));
        unproven.may_go(now, (to, answer(to.port()..=to.port())), || answer(0..=u16::MAX))
    }

    /// Begins the next session before the one in use ends.
    fn renew_session(&mut self, now: Time, key: LinkKey, out: &mut Outbox) {
        let may = |link: &&Link| link.credit.is_none() && !link.path.is_doubtful();
        let Some(link) = self.links.get(key).filter(may) else { return };
        let (addr, proven) = (link.addr, link.proven);
        let (Some(remote), Some(sessions)) = (link.remote, &self.sessions) else { return };
        if !sessions.is_ageing(now, remote) || !sessions.may_initiate(now, remote, addr) {
            return;
        }
        // Where nobody has answered it counts as any other does.
        if (proven || self.may_try(now, addr))
            && let Some(sessions) = &mut self.sessions
        {
            sessions.initiate(now, remote, (addr, false), out);
        }
    }

    /// Sends an empty datagram: the other side learns that the session works.
    pub(super) fn confirm(
        &mut self,
        now: Time,
        remote: RemoteKey,
        to: SocketAddr,
        out: &mut Outbox,
    ) {
        if let Some(sessions) = &mut self.sessions {
            sessions.seal(remote, to, out, |bytes| {
                wire::put_inner_header(bytes, stamp(now), 0);
            });
        }
    }

    /// Fills the rest of a datagram with unanswered requests: the oldest, which may hold up others,
    /// then the newest first, which have been sent the least. A ride is free: it neither counts as
    /// one of the five sends nor moves the next one.
    ///
    /// None rides more often than four times in a round trip: answers carry riders too, and two
    /// sides whose answers carry requests would otherwise answer each other without end.
    fn ride_along(
        &mut self,
        now: Time,
        key: LinkKey,
        sent: &[CallKey],
        bytes: &mut Vec<u8>,
        (start, room): (usize, usize),
        mut draws_page: bool,
    ) {
        let Some(link) = self.links.get(key) else { return };
        let spacing = link.path.delay(now, 1) / 4;
        let (oldest, newer) = (link.open.iter().take(1), link.open.iter().skip(1).rev());
        for &(_, call) in oldest.chain(newer) {
            if sent.contains(&call) {
                continue;
            }
            let Some(pending) = self.pending.get_mut(call) else { continue };
            let fits = bytes.len() - start + pending.bytes.len() <= room;
            let soon = now.since(pending.sent) < spacing;
            let second = draws_page && pending.draws_page;
            if !fits || soon || second || pending.bytes.len() > RIDE_MAX {
                continue;
            }
            draws_page |= pending.draws_page;
            bytes.extend_from_slice(&pending.bytes);
            (pending.sent, pending.beside) = (now, UNWEIGHED);
        }
    }

    /// Answers a request without a link and without memory. All answers to one datagram travel in
    /// one, at [`Calls::flush_strays`].
    pub(crate) fn reply_stray(&mut self, seq: u32, response: &Response) {
        let start = self.strays.len();
        wire::put_response(&mut self.strays, seq, response);
        let room = if self.sessions.is_some() { RELAYED_ROOM } else { DATAGRAM_MAX - HEADER };
        if self.strays.len() > room {
            self.strays.truncate(start);
            self.blame.over_limit += 1;
        }
    }

    /// The same for an answer that is large, and travels alone. What was answered before leaves first.
    pub(crate) fn reply_alone(
        &mut self,
        now: Time,
        asked: &Arrival,
        (seq, response): (u32, &Response),
        out: &mut Outbox,
    ) {
        self.flush_strays(now, asked, out);
        self.reply_stray(seq, response);
        self.flush_strays(now, asked, out);
    }

    /// The same for an answer that travels alone, to another port of the address that the request came from. What
    /// was answered before leaves first.
    pub(crate) fn reply_to_port(
        &mut self,
        now: Time,
        (asked, port): (&Arrival, u16),
        seq: u32,
        out: &mut Outbox,
    ) {
        self.flush_strays(now, asked, out);
        let (at, mut to) = (self.heard_at(asked.from), asked.from);
        to.set_port(port);
        self.reply_stray(seq, &Response::Dialed { at: to });
        out.go_by(to, Way::Direct(at));
        self.flush_strays(now, &Arrival { from: to, ..*asked }, out);
        out.go_by(asked.from, Way::Direct(at));
    }

    /// Sends the answers that need no link, to where a datagram came from. A link there that may send only
    /// so much has sent it.
    pub(crate) fn flush_strays(&mut self, now: Time, asked: &Arrival, out: &mut Outbox) {
        if self.strays.is_empty() {
            return;
        }
        let (to, echo) = (asked.from, asked.stamp);
        let there = self.by_peer.get(&(to, asked.sender)).and_then(|&key| self.links.get_mut(key));
        if let Some(credit) = there.and_then(|link| link.credit.as_mut()) {
            *credit = credit.saturating_sub(sealed_size(self.strays.len()));
        }
        match (asked.sender, &mut self.sessions) {
            (Sender::Sealed(id), Some(sessions)) => {
                let remote = sessions.find(id);
                let Some(remote) = remote.filter(|&remote| sessions.is_ready(now, remote)) else {
                    return self.strays.clear();
                };
                sessions.seal(remote, to, out, |bytes| {
                    wire::put_inner_header(bytes, stamp(now), echo);
                    bytes.extend_from_slice(&self.strays);
                });
            }
            (_, sessions) => out.send(to, |bytes| {
                let (begun, receiver) = (bytes.len(), asked.sender.incarnation());
                wire::put_header(bytes, self.incarnation, receiver, stamp(now), echo);
                bytes.extend_from_slice(&self.strays);
                prove(sessions.as_deref().map(Sessions::room), bytes, begun);
            }),
        }
        self.strays.clear();
    }
}

/// Puts proof behind what was written from there on, in the open, by somebody who knows the room.
fn prove(room: Option<&Room>, bytes: &mut Vec<u8>, begun: usize) {
    if let Some(room) = room {
        bytes[begun] = kind::PROVEN;
        let proof = room.proof(&bytes[begun..]);
        bytes.extend_from_slice(&proof);
    }
}

/// The calls that are open.
type Open<T> = Slots<Pending<T>, OpenCall>;

/// What is left to send on one link.
struct Packing<'a> {
    responses: &'a [u8],
    requests: &'a [CallKey],
    sizes: Sizes,
}

/// How many bytes of packets a datagram of a link may have now.
#[derive(Clone, Copy)]
struct Sizes {
    /// At most.
    most: usize,
    /// A small one.
    small: usize,
    /// One that is larger than a small one has so many at least.
    least: usize,
    /// What is sent for the so-manieth time goes in a small one: a large one may be what is lost.
    small_from: u8,
    /// So does a request that shares its datagram with an answer.
    doubts: bool,
    /// Whoever is silent is asked one thing at a time: the rest would most likely be lost as well.
    alone: bool,
}

impl Sizes {
    fn of(now: Time, link: &Link) -> Self {
        let space = link.space();
        let least = link.mtu.least(now);
        Self {
            most: if least.is_some() { space } else { SEALED_SMALL },
            small: SEALED_SMALL,
            least: least.unwrap_or_default(),
            small_from: match (link.mtu.is_small(), link.mtu.doubts()) {
                (true, _) => 2,
                (_, true) => SMALL_FROM,
                _ => u8::MAX,
            },
            doubts: link.mtu.doubts(),
            alone: link.path.is_silent(),
        }
    }
}

/// What one datagram has.
#[derive(Default)]
struct Share {
    /// Bytes of responses, and how many requests.
    responses: usize,
    requests: usize,
    /// Bytes of both, and how many there may be.
    bytes: usize,
    room: usize,
    draws_page: bool,
}

/// Bytes of a sealed datagram with so many bytes of packets.
const fn sealed_size(packets: usize) -> usize {
    SEALED_HEADER + (INNER_HEADER + packets).next_multiple_of(PADDING) + TAG
}

impl Packing<'_> {
    /// Bytes of packets in the next datagram, without riders; `None` when nothing is left.
    fn size<T>(&self, pending: &Open<T>) -> Option<usize> {
        let share = self.next(pending);
        (share.bytes > 0).then_some(share.bytes)
    }

    /// Appends the packets of the next datagram. Whether one of them is answered with a page, and how many
    /// bytes there may be with what rides along.
    fn fill<T>(&mut self, bytes: &mut Vec<u8>, pending: &Open<T>) -> (bool, usize) {
        let share = self.next(pending);
        bytes.extend_from_slice(&self.responses[..share.responses]);
        let asked = &self.requests[..share.requests];
        for asked in asked.iter().filter_map(|&call| pending.get(call)) {
            bytes.extend_from_slice(&asked.bytes);
        }
        self.responses = &self.responses[share.responses..];
        self.requests = &self.requests[share.requests..];
        (share.draws_page, share.room)
    }

    /// What goes into the next datagram.
    fn next<T>(&self, pending: &Open<T>) -> Share {
        let share = self.share(pending, self.sizes.most);
        let Sizes { small, least, .. } = self.sizes;
        let tries = share.bytes > small && share.bytes < least;
        if tries { self.share(pending, small) } else { share }
    }

    fn share<T>(&self, pending: &Open<T>, most: usize) -> Share {
        let Sizes { small, small_from, doubts, alone, .. } = self.sizes;
        let mut share = Share { room: most, ..Share::default() };
        while let Some(&[high, low]) = self.responses.get(share.responses..share.responses + 2) {
            let len = 2 + usize::from(u16::from_be_bytes([high, low]));
            if share.responses > 0 && share.responses + len > small {
                // Nobody says whether an answer has arrived.
                return Share { room: small, ..share };
            }
            share.responses += len;
            share.bytes += len;
        }
        if doubts && share.responses > 0 {
            share.room = small.min(most);
        }
        while let Some(asked) =
            self.requests.get(share.requests).and_then(|&call| pending.get(call))
        {
            let room = if asked.sends >= small_from { share.room.min(small) } else { share.room };
            let fits = share.bytes == 0 || share.bytes + asked.bytes.len() <= room;
            if !fits || alone && share.requests > 0 || share.draws_page && asked.draws_page {
                break;
            }
            share.room = room;
            share.draws_page |= asked.draws_page;
            share.requests += 1;
            share.bytes += asked.bytes.len();
        }
        share
    }
}
