//! What the receiver indices of ours stand for, and which session of a process has which turn.

use super::{Place, RemoteKey, Session, Sessions, Slot};
use crate::machine::guarded::wipe;

impl Sessions {
    /// The next session has proven that it works: it is the current one.
    pub(super) fn confirm(&mut self, key: RemoteKey) {
        let Some(remote) = self.remotes.get_mut(key) else { return };
        let stale = core::mem::replace(&mut remote.previous, remote.current);
        remote.current = remote.next.take();
        if let Some(answer) = remote.answer.take() {
            self.answered.remove(&answer.mac);
        }
        let passed = remote.passed.take();
        self.release(stale);
        self.release(passed);
    }

    /// A handshake of ours is over: its session is the current one. The one before stays, since the
    /// other side may not get through to confirm anything newer; so does one that waits to be used, and
    /// the one before that while it is what the other side uses.
    pub(super) fn begin(&mut self, key: RemoteKey, place: Place) {
        let Some(remote) = self.remotes.get_mut(key) else { return };
        let before = remote.current.replace(place);
        let mut stale = core::mem::replace(&mut remote.previous, before);
        if stale.is_some() && stale == remote.heard {
            stale = core::mem::replace(&mut remote.passed, stale);
        }
        self.release(stale);
    }

    /// An index for a session to come: none of the last 65,536 had it, so that what is late for one
    /// session never meets another.
    pub(super) fn reserve(&mut self, remote: RemoteKey) -> Option<(Place, u32)> {
        let place = self.slots.insert(Slot { index: 0, remote, session: None });
        let (Ok(low), Some(slot)) = (u16::try_from(place.index()), self.slots.get_mut(place))
        else {
            self.slots.remove(place);
            return None;
        };
        // Odd, so that all upper halves come before one comes again.
        self.issued = self.issued.wrapping_add(0x9e37);
        slot.index = u32::from(self.issued) << 16 | u32::from(low);
        Some((place, slot.index))
    }

    /// What a receiver index of ours stands for.
    pub(super) fn place_of(&self, index: u32) -> Option<Place> {
        let place = self.slots.key_at((index & 0xffff) as usize)?;
        self.slots.get(place).filter(|slot| slot.index == index).map(|_| place)
    }

    pub(super) fn session_at(&self, place: Option<Place>) -> Option<&Session> {
        self.slots.get(place?)?.session.as_ref()
    }

    pub(super) fn release(&mut self, place: Option<Place>) {
        let slot = place.and_then(|place| self.slots.remove(place));
        if slot.is_some_and(|slot| slot.session.is_some()) {
            // Its keys were on the stack whenever something was sealed or opened.
            wipe();
        }
    }

    /// A handshake is over: these are its keys.
    pub(super) fn keep(&mut self, place: Place, session: Session) {
        if let Some(slot) = self.slots.get_mut(place) {
            slot.session = Some(session);
        }
    }
}
