//! What is to open the router in front of us, and to get no further (docs/PROTOCOL.md, "Two routers").

use core::net::SocketAddr;

use super::{About, Calls};
use crate::machine::purpose::LinkKey;
use crate::machine::relayed::is_relayed;
use crate::machine::time::Time;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::Sender;

/// So many of one byte go with each datagram that is to open a router.
pub(super) const OPENERS: usize = 2;

/// One datagram opens a router; it may be lost before it gets there.
const NEAR_SENDS: u8 = 3;

/// What goes over a link goes near.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Near {
    left: u8,
    /// One has gone since that was asked last.
    gone: bool,
    then_far: bool,
}

impl Near {
    /// Whether what comes next goes as far as any.
    pub(super) const fn is_over(self) -> bool {
        self.left == 0 && self.then_far
    }

    /// One more is to go. False when enough have.
    pub(super) const fn goes(&mut self) -> bool {
        let goes = self.left > 0;
        self.left = self.left.saturating_sub(1);
        self.gone |= goes;
        goes
    }

    /// Whether one has gone since that was asked last.
    pub(super) const fn has_gone(&mut self) -> bool {
        core::mem::replace(&mut self.gone, false)
    }
}

impl<T: About> Calls<T> {
    /// What is sent to a process at an address goes near until something comes from there: few datagrams, and
    /// `then_far` says that others follow which go as far as any. Where somebody has answered, nothing is to be
    /// opened.
    pub(crate) fn only_near(&mut self, at: (SocketAddr, PeerId), then_far: bool) {
        let link = self.link_to(at).and_then(|link| self.links.get_mut(link));
        if let Some(link) = link.filter(|link| !link.proven && !is_relayed(link.addr)) {
            link.near = Some(Near { left: NEAR_SENDS, gone: false, then_far });
        }
    }

    /// From now on it goes far. What is open there goes again.
    pub(crate) fn go_far(&mut self, now: Time, key: LinkKey) {
        let Some(link) = self.links.get_mut(key) else { return };
        if link.near.take().is_none() {
            return;
        }
        for &(_, call) in &link.open {
            if let Some(pending) = self.pending.get_mut(call).filter(|pending| !pending.held)
                && !link.requests.contains(&call)
            {
                pending.sent = now;
                link.requests.push(call);
            }
        }
        self.touch(key);
    }

    /// The link to a process at an address.
    pub(crate) fn link_to(&self, (addr, id): (SocketAddr, PeerId)) -> Option<LinkKey> {
        self.by_peer.get(&(addr, Sender::Sealed(id))).copied()
    }

    /// Whether a call was answered over a link, or a handshake.
    pub(crate) fn is_proven(&self, key: LinkKey) -> bool {
        self.links.get(key).is_some_and(|link| link.proven)
    }
}
