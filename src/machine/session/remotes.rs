//! The processes with which there are, or may be, sessions: who is remembered, and for how long.

use core::net::SocketAddr;

use super::{REJECT_AFTER, Remote, RemoteKey, Sessions, Stamps, UNLINKED_EACH, UNLINKED_MAX};
use crate::machine::pace::{Pace, Rate};
use crate::machine::source::source;
use crate::machine::time::Time;
use crate::machine::who::beacon::Beacon;
use crate::machine::who::identity::PublicKey;
use crate::machine::who::ids::PeerId;

impl Sessions {
    /// The process a beacon is of, for one more link. `None` for a weak key, or when there are too
    /// many.
    pub(crate) fn link(&mut self, now: Time, beacon: &Beacon) -> Option<RemoteKey> {
        let key = match self.by_id.get(&beacon.id) {
            Some(&key) => key,
            None => {
                let image = self.keys.suite.image(beacon.key)?;
                self.insert(now, beacon.key, image, beacon.incarnation)?
            }
        };
        let remote = self.remotes.get_mut(key)?;
        self.unlinked -= usize::from(remote.links == 0);
        remote.links += 1;
        Some(key)
    }

    /// A link to a process is closed.
    pub(crate) fn unlink(&mut self, now: Time, key: RemoteKey) {
        let Some(remote) = self.remotes.get_mut(key) else { return };
        remote.links -= 1;
        if remote.links == 0 {
            self.unlinked += 1;
            self.reschedule(now, key);
        }
    }

    /// Where a process has received what was sent to it, in the last handshake.
    pub(crate) fn proven_at(&self, key: RemoteKey) -> Option<SocketAddr> {
        self.remotes.get(key)?.at
    }

    pub(super) fn prove(&mut self, key: RemoteKey, at: Option<SocketAddr>) {
        if let Some(remote) = self.remotes.get_mut(key) {
            remote.at = at.or(remote.at);
        }
    }

    /// Whether one more signature of a process may be looked at.
    pub(crate) fn may_verify(&mut self, now: Time, id: PeerId, rate: Rate) -> bool {
        let remote = self.find(id).and_then(|key| self.remotes.get_mut(key));
        remote.is_none_or(|remote| remote.verified.take(now, rate))
    }

    /// The process of that id, if there is, or may be, a session with it.
    pub(crate) fn find(&self, id: PeerId) -> Option<RemoteKey> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn insert(
        &mut self,
        now: Time,
        key: PublicKey,
        image: [u8; 32],
        incarnation: u64,
    ) -> Option<RemoteKey> {
        if self.remotes.len() >= self.remotes_max {
            return None;
        }
        let id = key.process(incarnation);
        let remote = self.remotes.insert(Remote {
            id,
            key,
            image,
            incarnation,
            since: now,
            links: 0,
            at: None,
            verified: Pace::default(),
            source: None,
            greatest: 0,
            previous: None,
            current: None,
            next: None,
            passed: None,
            heard: None,
            initiating: None,
            answer: None,
            cookie: None,
            stamps: Stamps::default(),
            unheard: None,
            unanswered: 0,
            until: Time::ZERO,
        });
        self.by_id.insert(id, remote);
        self.unlinked += 1;
        self.timers.set(remote.index(), now + REJECT_AFTER);
        Some(remote)
    }

    /// Somebody without a link is to be remembered: the one who was seen longest ago makes room, of their
    /// own source if that has its share, or of all.
    pub(super) fn make_room_for(&mut self, from: SocketAddr) {
        let from = Some(source(from));
        let unlinked = || self.remotes.iter().filter(|(_, remote)| remote.links == 0);
        let near = || unlinked().filter(|(_, remote)| remote.source == from);
        let oldest = if near().count() >= UNLINKED_EACH {
            near().min_by_key(|(_, remote)| remote.since)
        } else if self.unlinked >= UNLINKED_MAX {
            unlinked().min_by_key(|(_, remote)| remote.since)
        } else {
            None
        };
        if let Some(key) = oldest.map(|(key, _)| key) {
            self.forget(key);
        }
    }

    /// Forgets a process without links, and every session with it.
    pub(super) fn forget(&mut self, key: RemoteKey) {
        let Some(remote) = self.remotes.remove(key) else { return };
        self.timers.cancel(key.index());
        self.by_id.remove(&remote.id);
        self.unlinked -= 1;
        if let Some(answer) = &remote.answer {
            self.answered.remove(&answer.mac);
        }
        let initiating = remote.initiating.map(|initiating| initiating.place);
        let Remote { previous, current, next, passed, .. } = remote;
        for place in [previous, current, next, passed, initiating] {
            self.release(place);
        }
    }
}
