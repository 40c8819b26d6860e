//! Ways through relays: how what goes over one leaves, and what comes over it (docs/PROTOCOL.md, "Relays").

use core::net::{IpAddr, SocketAddr};

use super::{About, Calls, Refused};
use crate::machine::outbox::{Outbox, Way};
use crate::machine::purpose::LinkKey;
use crate::machine::relayed::{FIRST, Relayed, is_relayed};
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{self, Sender};

impl<T: About> Calls<T> {
    /// How what goes to an address leaves; from that address of ours, where it is one of a computer.
    pub(super) fn way(&self, to: SocketAddr, source: Option<IpAddr>) -> Way {
        if !is_relayed(to) {
            return Way::Direct(source);
        }
        let Some(Relayed { over, index }) = Relayed::of(to) else { return Way::Nowhere };
        let relay = self.links.get(over).filter(|relay| !relay.path.is_silent());
        relay.map_or(Way::Nowhere, |relay| Way::Through(relay.addr, relay.source(), index))
    }

    /// Takes what a relay passed on out of what is in front of it, and says where it counts as coming
    /// from.
    ///
    /// # Errors
    ///
    /// It is malformed, or there is nobody we know at that address; that is counted.
    pub(crate) fn unwrap<'a>(
        &mut self,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Result<(SocketAddr, &'a [u8]), Refused> {
        let Ok((index, datagram)) = wire::relayed(bytes) else {
            self.blame.malformed += 1;
            return Err(Refused::Malformed);
        };
        let near = (from, Sender::Sealed(PeerId(0)))..=(from, Sender::Sealed(PeerId(u64::MAX)));
        let proven = |key: &&LinkKey| self.links.get(**key).is_some_and(|link| link.proven);
        let relay = self.by_peer.range(near).map(|(_, key)| key).find(proven);
        let Some(&over) = relay else {
            self.blame.unauthenticated += 1;
            return Err(Refused::Spent);
        };
        Ok((Relayed { over, index }.addr(), datagram))
    }

    /// Whether that process has answered at an address.
    pub(crate) fn answers_at(&self, from: SocketAddr, id: PeerId) -> bool {
        let key = self.by_peer.get(&(from, Sender::Sealed(id)));
        key.and_then(|&key| self.links.get(key)).is_some_and(|link| link.proven)
    }

    /// Passes on what is for somebody else, as it came.
    pub(crate) fn pass_on(&self, to: LinkKey, index: u64, datagram: &[u8], out: &mut Outbox) {
        let Some(link) = self.links.get(to) else { return };
        out.go_by(link.addr, Way::Direct(link.source()));
        out.send(link.addr, |bytes| {
            wire::put_relayed(bytes, index);
            bytes.extend_from_slice(datagram);
        });
    }

    /// The address of a link that goes through nobody.
    pub(crate) fn direct_addr(&self, key: LinkKey) -> Option<SocketAddr> {
        self.addr(key).filter(|&addr| !is_relayed(addr))
    }

    /// The links that go through the relay at the end of another one.
    pub(crate) fn through(&self, relay: LinkKey) -> Vec<LinkKey> {
        let ways =
            self.by_peer.range((FIRST, Sender::Open(0))..).map(|(&(addr, _), &key)| (addr, key));
        let ways = ways.take_while(|&(addr, _)| is_relayed(addr));
        let through = |addr| Relayed::of(addr).is_some_and(|way| way.over == relay);
        ways.filter(|&(addr, _)| through(addr)).map(|(_, key)| key).collect()
    }

    /// Whether a link goes through a relay.
    pub(crate) fn is_relayed(&self, key: LinkKey) -> bool {
        self.relay(key).is_some()
    }

    /// The link to the relay that a link goes through, if it does.
    pub(crate) fn relay(&self, key: LinkKey) -> Option<LinkKey> {
        Relayed::of(self.addr(key)?).map(|way| way.over)
    }
}
