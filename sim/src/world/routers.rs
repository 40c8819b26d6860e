//! Computers behind routers: how what they send gets out, and what gets in to them.

use std::net::SocketAddr;

use super::World;
use crate::nat::{Nat, Router};
use crate::queue::Endpoint;

impl World {
    /// Puts a computer behind such routers, the nearest first, which are its own.
    pub fn put_behind(&mut self, host: usize, nats: &[Nat]) {
        let mut outer = None;
        for &nat in nats.iter().rev() {
            self.routers.push(Router::new(nat, outer, host as u16));
            outer = Some(self.routers.len() - 1);
        }
        self.hosts[host].behind = outer;
    }

    /// Puts a computer behind the same router as another one.
    pub fn put_beside(&mut self, host: usize, other: usize) {
        self.hosts[host].behind = self.hosts[other].behind;
    }

    /// All routers in front of a computer are switched off and on.
    pub fn forget_behind(&mut self, host: usize) {
        let mut at = self.hosts[host].behind;
        while let Some(router) = at {
            self.routers[router].forget();
            at = self.routers[router].behind;
        }
    }

    /// Whether the process on one computer reaches that on another one directly, as it says itself.
    pub fn reaches(&mut self, host: usize, other: usize) -> bool {
        let Some(seat) = self.seat_on(other) else { return false };
        let id = self.judge.seats()[seat].id;
        self.hosts[host].direct.clear();
        self.say(host, "/who");
        self.hosts[host].direct.contains(&id)
    }

    /// What an address leads to, and the computer over whose links; nothing, for one of another network.
    pub(super) fn lead(&self, to: SocketAddr) -> Option<(Endpoint, u16)> {
        let to = Endpoint::of(to)?;
        match usize::from(to.host).checked_sub(self.config.hosts) {
            None => Some((to, to.host)),
            Some(router) => Some((to, self.routers.get(router)?.owner)),
        }
    }

    /// The router in front of an endpoint.
    fn home(&self, of: Endpoint) -> Option<usize> {
        match usize::from(of.host).checked_sub(self.config.hosts) {
            None => self.hosts[usize::from(of.host)].behind,
            Some(router) => self.routers[router].behind,
        }
    }

    /// What something looks like once it is out of the routers in front of its computer, and over how many
    /// hops it may still go. Nothing, when it ends on the way: over too few hops, to somebody behind another
    /// router, or back in.
    pub(super) fn go_out(
        &mut self,
        (mut from, to): (Endpoint, Endpoint),
        mut ttl: Option<u8>,
    ) -> Option<(Endpoint, Option<u8>)> {
        let (mut at, there) = (self.home(from), self.home(to));
        while at != there {
            let router = at?;
            let outside = (self.config.hosts + router) as u16;
            if outside == to.host {
                return None;
            }
            ttl = hop(ttl)?;
            let port = self.routers[router].out(self.now, from, to);
            from = Endpoint { host: outside, port };
            at = self.routers[router].behind;
        }
        Some((from, ttl))
    }

    /// Which computer something that has come to its address gets to, and at which port; none, if a router
    /// keeps it out.
    pub(super) fn come_in(
        &mut self,
        (from, mut to): (Endpoint, Endpoint),
        mut ttl: Option<u8>,
    ) -> Option<Endpoint> {
        while let Some(router) = usize::from(to.host).checked_sub(self.config.hosts) {
            to = self.routers.get_mut(router)?.inward(self.now, from, to.port)?;
            ttl = hop(ttl)?;
        }
        Some(to)
    }
}

/// A router passes something on: over how many hops it may go from there.
fn hop(ttl: Option<u8>) -> Option<Option<u8>> {
    match ttl {
        Some(hops) => hops.checked_sub(1).filter(|&left| left > 0).map(Some),
        None => Some(None),
    }
}
