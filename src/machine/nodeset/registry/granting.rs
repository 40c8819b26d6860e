//! Who gets a place: leases are made and renewed here, and given up to who has none where somebody has too many.

use std::collections::BTreeMap;

use core::net::{IpAddr, SocketAddr};

use super::{Lease, LeaseKey, PER_ROOM_MAX, PER_SOURCE_MAX, Registry, room_of};
use crate::machine::call::Source;
use crate::machine::cookie::Claim;
use crate::machine::mtu::Small;
use crate::machine::source::{site, source};
use crate::machine::time::Time;
use crate::machine::who::beacon::Sealed;
use crate::machine::who::ids::{Handle, Tag};
use crate::machine::wire::{Cookie, Departure, Response};

/// A request to register, as it came.
pub(super) struct Application {
    pub(super) from: SocketAddr,
    pub(super) incarnation: u64,
    pub(super) cookie: Cookie,
    pub(super) tag: Tag,
    pub(super) have: u64,
    pub(super) most: u16,
    pub(super) handle: Handle,
    pub(super) n: u32,
    pub(super) sealed: Sealed,
}

impl Registry {
    /// Extends a lease. `None` when the application is outdated, or somebody else's.
    pub(super) fn renew(
        &mut self,
        now: Time,
        key: LeaseKey,
        application: &Application,
    ) -> Option<LeaseKey> {
        let lease = self.leases.get(key)?;
        if application.n < lease.n || application.incarnation != lease.incarnation {
            self.calls.blame.replayed += 1;
            return None;
        }
        let renamed = application.sealed != lease.sealed;
        if renamed && application.n == lease.n {
            self.calls.blame.replayed += 1;
            return None;
        }
        if lease.seen != application.from || renamed {
            self.clear_address(now, application.from, Some(key));
            self.unbind(now, key);
            let lease = self.leases.get_mut(key)?;
            (lease.n, lease.sealed) = (application.n, application.sealed.clone());
            (lease.seen, lease.untold) = (application.from, true);
            self.bind(key);
        }
        self.publish_in_turn(now, key);
        Some(key)
    }

    /// Grants a new lease, or says why not; `Err(None)` is silence.
    pub(super) fn grant(
        &mut self,
        now: Time,
        application: &Application,
    ) -> Result<LeaseKey, Option<Response>> {
        let (tag, handle) = (application.tag, application.handle);
        let room = self.rooms.get(&tag);
        if room.is_some_and(|room| room.has_left(now, handle)) {
            self.calls.blame.replayed += 1;
            return Err(None);
        }
        self.clear_address(now, application.from, None);
        if !self.make_room(now, application) {
            self.calls.blame.over_limit += 1;
            return Err(Some(Response::Full));
        }
        let key = self.leases.insert(Lease {
            tag,
            handle,
            incarnation: application.incarnation,
            n: application.n,
            sealed: application.sealed.clone(),
            seen: application.from,
            at: Source::default(),
            published: None,
            untold: true,
            renewed: now,
            link: None,
            // The reply brings everything up to and including the lease itself.
            heard: self.version + 1,
            announcing: false,
            told: None,
            deaf: false,
            most: application.most,
            small: Small::default(),
        });
        self.by_member.insert((tag, handle), key);
        self.rooms.entry(tag).or_default();
        self.bind(key);
        self.publish_in_turn(now, key);
        Ok(key)
    }

    /// Whether there is a place for one more. When there is none, whoever has the most of them gives one
    /// up, if that is more than the newcomer's source will have.
    fn make_room(&mut self, now: Time, application: &Application) -> bool {
        let (from, tag) = (application.from, application.tag);
        if self.sources.held(from) >= PER_SOURCE_MAX {
            return false;
        }
        let full = self.leases.len() >= self.members_max;
        let in_room = self.by_member.range(room_of(tag));
        let crowded = !full && in_room.clone().take(PER_ROOM_MAX).count() >= PER_ROOM_MAX;
        let places: Vec<LeaseKey> = match (full, crowded) {
            (true, _) => self.by_member.values().copied().collect(),
            (_, true) => in_room.map(|(_, &key)| key).collect(),
            _ => return true,
        };
        let greedy = [source, site].into_iter().find_map(|of| self.greediest(&places, from, of));
        if let Some(key) = greedy {
            self.remove(now, key, Departure::Timeout);
        }
        greedy.is_some()
    }

    /// The lease renewed longest ago, of those who have the most of some places. `None` when a newcomer
    /// would have as many.
    fn greediest(
        &self,
        places: &[LeaseKey],
        from: SocketAddr,
        of: fn(SocketAddr) -> IpAddr,
    ) -> Option<LeaseKey> {
        let leases = || places.iter().filter_map(|&key| Some((key, self.leases.get(key)?)));
        let mut held: BTreeMap<IpAddr, usize> = BTreeMap::new();
        leases().for_each(|(_, lease)| *held.entry(of(lease.seen)).or_default() += 1);
        let own = held.get(&of(from)).copied().unwrap_or(0);
        let (&greedy, _) =
            held.iter().max_by_key(|&(_, &count)| count).filter(|&(_, &count)| count > own + 1)?;
        let theirs = leases().filter(|(_, lease)| of(lease.seen) == greedy);
        theirs.min_by_key(|(_, lease)| lease.renewed).map(|(key, _)| key)
    }

    /// Who is listed at the address that somebody registers at and began later than they, and what they have
    /// to show: a clock that was set back must keep nobody out.
    pub(super) fn contested(
        &self,
        known: Option<LeaseKey>,
        application: &Application,
    ) -> Option<(LeaseKey, Claim)> {
        let holder = *self.by_addr.get(&application.from).filter(|&&at| Some(at) != known)?;
        let lease = self.leases.get(holder)?;
        let claim = Claim { by: application.incarnation, of: lease.handle };
        (application.incarnation <= lease.incarnation).then_some((holder, claim))
    }

    /// One address, one process: an older process that was seen there is gone.
    fn clear_address(&mut self, now: Time, addr: SocketAddr, except: Option<LeaseKey>) {
        let other = self.by_addr.get(&addr).copied().filter(|&other| Some(other) != except);
        if let Some(other) = other {
            self.remove(now, other, Departure::Replaced);
        }
    }
}
