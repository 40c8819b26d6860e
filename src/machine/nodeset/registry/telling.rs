//! What a room is told: who has come, changed and gone, each in their turn, and to each member at most
//! one call at a time.

use super::{
    Announced, BESIDE_ANNOUNCEMENT, CHANGE_EVERY, DEPARTURES_MAX, LeaseKey, Registry, TELL_EVERY,
    datagram, room_of,
};
use crate::machine::call::{Arrival, CallKey};
use crate::machine::nodeset::roster::Announcement;
use crate::machine::time::Time;
use crate::machine::who::ids::{PeerId, Tag};
use crate::machine::wire::{Change, DATAGRAM_MAX, DATAGRAM_SMALL, Listed, Request};

impl Registry {
    /// Tells the room about a member that is new, or has changed: now, or when it is their turn.
    pub(super) fn publish_in_turn(&mut self, now: Time, key: LeaseKey) {
        let waits = self.publishing.at(key.index()).is_some();
        let Some(lease) = self.leases.get(key).filter(|lease| lease.untold && !waits) else {
            return;
        };
        let Some(turn) = self.sources.change(now, lease.seen) else {
            // The next renewal asks again.
            return self.calls.blame.over_limit += 1;
        };
        let turn = lease.published.map_or(turn, |last| turn.max(last + CHANGE_EVERY));
        if turn <= now {
            self.publish(now, key);
        } else {
            self.publishing.set(key.index(), turn);
        }
    }

    /// Tells the room about a member that is new, or has changed.
    pub(super) fn publish(&mut self, now: Time, key: LeaseKey) {
        let Some(lease) = self.leases.get_mut(key) else { return };
        (lease.published, lease.untold) = (Some(now), false);
        let (handle, seen, sealed, tag) =
            (lease.handle, lease.seen, lease.sealed.clone(), lease.tag);
        self.change(now, tag, Change::Present(Listed { handle, seen, sealed }));
    }

    pub(super) fn change(&mut self, now: Time, tag: Tag, change: Change) {
        self.version += 1;
        let room = self.rooms.entry(tag).or_default();
        let before = room.departed();
        if matches!(change, Change::Gone(_)) {
            self.departures.push_back((self.version, tag));
        }
        room.put(now, self.version, change);
        self.departed = self.departed + room.departed() - before;
        self.bound_departures();
        let members: Vec<LeaseKey> =
            self.by_member.range(room_of(tag)).map(|(_, &key)| key).collect();
        members.into_iter().for_each(|key| self.announce_to(now, key));
    }

    /// Forgets the oldest departures beyond what is told over all rooms.
    pub(super) fn bound_departures(&mut self) {
        while self.departed > DEPARTURES_MAX
            && let Some((version, tag)) = self.departures.pop_front()
        {
            let room = self.rooms.get_mut(&tag);
            self.departed -= usize::from(room.is_some_and(|room| room.forget(version)));
        }
        if self.departures.len() > 2 * DEPARTURES_MAX {
            let rooms = &self.rooms;
            let told = |&(version, tag): &(u64, Tag)| {
                rooms.get(&tag).is_some_and(|room| room.tells_departure(version))
            };
            self.departures.retain(told);
        }
    }

    /// Calls one member with what is new to it, unless such a call is open, was made just now, or nobody
    /// answers there.
    pub(super) fn announce_to(&mut self, now: Time, key: LeaseKey) {
        let Some(lease) = self.leases.get_mut(key) else { return };
        if lease.announcing || lease.deaf {
            return;
        }
        let most = if lease.small.holds(now) { DATAGRAM_SMALL } else { datagram(lease.most) };
        // A small one holds a quarter.
        let every = if most < DATAGRAM_MAX { TELL_EVERY / 4 } else { TELL_EVERY };
        if let Some(next) = lease.told.map(|told| told + every).filter(|&next| next > now) {
            return self.telling.set(key.index(), next);
        }
        let Some(roster) = self.rooms.get(&lease.tag) else { return };
        let to = lease.handle;
        let space = most - BESIDE_ANNOUNCEMENT;
        let (request, reached) = match roster.announcement(lease.heard, to, space) {
            Announcement::None { reached } => {
                lease.heard = reached;
                return;
            }
            Announcement::Here { reached, members } => {
                (Request::AddMember { reached, members }, reached)
            }
            Announcement::Gone { reached, members } => {
                (Request::RemoveMember { reached, members }, reached)
            }
        };
        let process = (PeerId(to.0), lease.incarnation);
        let link = match lease.link {
            Some(link) => Some(link),
            None => self.calls.open(now, lease.seen, process),
        };
        let Some(link) = link else { return };
        self.calls.hears_at(link, lease.at);
        lease.link = Some(link);
        let token = Announced { lease: key, reached, large: request.is_large() };
        lease.announcing = self.calls.request(now, link, token, &request).is_some();
        lease.told = Some(now);
    }

    /// A member knows what it was told of.
    pub(super) fn announced(
        &mut self,
        now: Time,
        arrival: &Arrival,
        call: CallKey,
        Announced { lease: key, reached, large }: Announced,
    ) {
        if self.calls.answered(now, arrival, call).is_none() {
            return;
        }
        let Some(lease) = self.leases.get_mut(key) else { return };
        lease.announcing = false;
        if large {
            lease.small.passed();
        }
        lease.heard = lease.heard.max(reached);
        self.announce_to(now, key);
    }
}
