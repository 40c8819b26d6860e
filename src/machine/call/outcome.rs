//! How calls end: they are answered, or fail after their last send.

use core::net::SocketAddr;

use super::{Arrival, CallKey, Calls, LinkKey, Pending, Replies, SMALL_FROM, stamp};
use crate::machine::path::{SENDS_MAX, Silence, Turn};
use crate::machine::purpose::About;
use crate::machine::time::Time;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{Request, Sender};

/// Above this share of late calls, in a million, whoever is silent may not have got what was sent once.
const LOST_ONCE: u32 = 100_000;

impl<T: About> Calls<T> {
    /// Ends the call that a response answers, and says over which link it was made. `None` when it is over
    /// already.
    pub(crate) fn answered(
        &mut self,
        now: Time,
        arrival: &Arrival,
        call: CallKey,
    ) -> Option<LinkKey> {
        let Some(pending) = self.pending.get(call) else {
            self.late(now, arrival);
            return None;
        };
        let (key, late) = (pending.link, pending.late);
        // Of a request that was sent since, it is not known which one is answered.
        let last = (stamp(pending.sent) == arrival.echo).then_some(pending.beside);
        let link = self.links.get_mut(key)?;
        if let Some(packets) = last {
            link.mtu.answered(now, packets, link.is_large(packets));
        }
        (link.credit, link.proven) = (None, true);
        if link.theirs != arrival.sender {
            link.theirs = arrival.sender;
            link.replies = Replies::default();
        }
        if let Some(late) = late {
            link.path.answered(now > late);
        }
        let was_late = late.is_none_or(|late| now > late);
        let shorter = link.sample(now, arrival.echo, &mut self.congested);
        let silence = link.path.alive(now);
        if silence != Silence::None {
            link.mtu.forget_lost();
        }
        if let (Some(remote), Some(sessions)) = (link.remote, &mut self.sessions) {
            sessions.proven(now, remote, arrival.stamp);
        }
        self.end(key, call);
        self.learn_late(was_late);
        self.back(now, key, silence);
        if shorter {
            self.hurry(now, key);
        }
        Some(key)
    }

    /// An answer to a call that is over still tells how long the way there and back is, if it is genuine.
    /// Without it, a way that has become longer than a whole call takes would never be known to be that long.
    pub(crate) fn late(&mut self, now: Time, arrival: &Arrival) {
        self.blame.unknown_call += 1;
        let link = arrival.link.filter(|_| arrival.sender.is_sealed());
        let Some(key) = link else { return };
        let Some(link) = self.links.get_mut(key) else { return };
        if link.sample(now, arrival.echo, &mut self.congested) {
            self.hurry(now, key);
        }
    }

    /// Notes that the process behind a link was heard. True when it had been silent, and may answer again.
    pub(crate) fn hears(&mut self, now: Time, key: LinkKey) -> bool {
        let Some(link) = self.links.get_mut(key) else { return false };
        let silence = link.path.heard(now);
        if silence == Silence::None {
            return false;
        }
        link.mtu.forget_lost();
        self.back(now, key, silence);
        true
    }

    /// The process at an address began a handshake, or has answered ours: it may answer other calls as well.
    pub(super) fn shook_hands(
        &mut self,
        now: Time,
        (from, id): (SocketAddr, PeerId),
        answered: bool,
    ) {
        let key = self.by_peer.get(&(from, Sender::Sealed(id))).copied();
        let Some((key, link)) = key.and_then(|key| Some((key, self.links.get_mut(key)?))) else {
            return;
        };
        link.near = None;
        // A first message may be an old one: it tells nothing of others.
        let silence = match (answered, link.path.is_silent()) {
            (true, _) => link.path.alive(now),
            (false, true) if link.path.perhaps_heard(now) => Silence::Short,
            _ => Silence::None,
        };
        self.back(now, key, silence);
    }

    /// Re-sends what is due and returns what a call that has failed was about, until there is none.
    pub(crate) fn expired(&mut self, now: Time) -> Option<(LinkKey, T)> {
        while let Some(index) = self.turns.pop_due(now) {
            if let Some(key) = self.links.key_at(index) {
                self.touch(key);
            }
        }
        while let Some(index) = self.timers.pop_due(now) {
            let Some(call) = self.pending.key_at(index) else { continue };
            let Some(pending) = self.pending.get_mut(call) else { continue };
            let (key, about) = (pending.link, pending.about);
            let Some(link) = self.links.get_mut(key) else { continue };
            if pending.held {
                // It has not left yet.
                pending.due = now + link.path.delay(now, pending.sends);
                self.timers.set(index, pending.due);
                continue;
            }
            if now < pending.due {
                self.timers.set(index, pending.due);
                self.send_copy(now, call);
                continue;
            }
            if let Some(flight) = pending.flight.take() {
                link.mtu.lost(now, flight);
            }
            // That something large does not come tells nothing of what is small.
            let tells = !about.asked().may_draw_much();
            if pending.late.take().is_some() && tells {
                link.path.answered(true);
            }
            // Whoever is silent is asked once at a time, or twice where much is lost and nobody has answered yet: what then
            // fails is perhaps to go elsewhere.
            let silent = link.path.is_silent() && link.remote.is_some();
            let again = self.late_ppm >= LOST_ONCE && link.path.rtt().is_none();
            let most = if silent { 1 + u8::from(again) } else { SENDS_MAX };
            if pending.sends < most {
                pending.sends += 1;
                if pending.draws_page && pending.sends == SMALL_FROM {
                    Request::ask_small(&mut pending.bytes);
                }
                pending.sent = now;
                pending.due = now + self.rng.stretch(link.path.delay(now, pending.sends), 16);
                let wake = if link.copies(call, pending) { link.copy_at(now) } else { pending.due };
                self.timers.set(index, wake.min(pending.due));
                // It may still be there, waiting for a session.
                self.send(key, call);
            } else {
                if tells {
                    link.path.failed(now);
                }
                self.end(key, call);
                return Some((key, about));
            }
        }
        None
    }

    /// What was sent again goes once more, if it may: it may have been lost again, and nobody knows before a round
    /// trip is over.
    fn send_copy(&mut self, now: Time, call: CallKey) {
        let Some(pending) = self.pending.get(call) else { return };
        let key = pending.link;
        let copies = self.links.get(key).is_some_and(|link| link.copies(call, pending));
        if copies && self.turn(now, key) == Turn::Now {
            self.send(key, call);
        }
    }

    /// A call is sent at the next flush, if it does not wait for that already: before what waits, if it asks whether
    /// somebody is there.
    pub(super) fn send(&mut self, key: LinkKey, call: CallKey) {
        let Some(link) = self.links.get_mut(key) else { return };
        if !link.requests.contains(&call) {
            let first = |call: CallKey| self.pending.get(call).is_some_and(Pending::goes_first);
            let waiting = link.requests.iter();
            let at = match first(call) {
                true => waiting.take_while(|&&call| first(call)).count(),
                false => waiting.count(),
            };
            link.requests.insert(at, call);
        }
        self.touch(key);
    }
}
