//! From a datagram to its link: parsed, authenticated, noted.

use core::net::SocketAddr;

use super::{AMPLIFICATION, Calls, Link};
use crate::machine::outbox::Outbox;
use crate::machine::session::{Received, RemoteKey};
use crate::machine::time::Time;
use crate::machine::token::LinkKey;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{ANYBODY, DATAGRAM_MAX, Datagram, kind};

/// Why a datagram was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is not of this protocol.
    Malformed,
    /// It names no receiver, as what is asked of a nodeset does; nothing that answers us is like that.
    Unaddressed,
    /// It is not genuine, or there is nothing more to do.
    Spent,
    /// It was part of a handshake, and is dealt with. Only an answer to ours proves that whoever sent
    /// it is alive.
    Handshake { with: PeerId, answered: bool },
    /// It is meant for a process that was here before, or is elsewhere.
    Misdirected,
}

impl<T: Copy + PartialEq> Calls<T> {
    /// Parses a datagram and finds its link. What was sealed is opened into `text`.
    ///
    /// # Errors
    ///
    /// Who is to blame for what was refused; it is counted and changes nothing else.
    pub(crate) fn receive<'a>(
        &mut self,
        now: Time,
        from: SocketAddr,
        bytes: &'a [u8],
        text: &'a mut Vec<u8>,
        out: &mut Outbox,
    ) -> Result<(Option<LinkKey>, Datagram<'a>), Refused> {
        self.stranger = bytes.len().saturating_mul(AMPLIFICATION);
        let (key, datagram) = if self.sessions.is_some() && bytes.first() != Some(&kind::CLEAR) {
            self.receive_sealed(now, from, bytes, text, out)?
        } else {
            self.receive_clear(from, bytes)?
        };
        self.stamp = datagram.stamp;
        if let Some(key) = key {
            self.note(now, key, &datagram, bytes.len());
        }
        Ok((key, datagram))
    }

    fn receive_clear<'a>(
        &mut self,
        from: SocketAddr,
        bytes: &'a [u8],
    ) -> Result<(Option<LinkKey>, Datagram<'a>), Refused> {
        let Ok(datagram) = Datagram::decode(bytes) else {
            self.blame.malformed += 1;
            return Err(Refused::Malformed);
        };
        let meant = datagram.receiver == self.incarnation
            || datagram.receiver == ANYBODY && self.takes_anybody;
        if !meant {
            self.blame.unauthenticated += 1;
            return Err(match datagram.receiver {
                ANYBODY => Refused::Unaddressed,
                _ => Refused::Misdirected,
            });
        }
        let nodeset = self.by_peer.get(&(from, ANYBODY));
        if nodeset.is_none() && self.sessions.is_some() {
            // Whoever is no nodeset of ours speaks under a seal.
            self.blame.unauthenticated += 1;
            return Err(Refused::Spent);
        }
        let key = nodeset.or_else(|| self.by_peer.get(&(from, datagram.sender))).copied();
        (self.newest, self.timely) = (true, true);
        Ok((key, datagram))
    }

    fn receive_sealed<'a>(
        &mut self,
        now: Time,
        from: SocketAddr,
        bytes: &[u8],
        text: &'a mut Vec<u8>,
        out: &mut Outbox,
    ) -> Result<(Option<LinkKey>, Datagram<'a>), Refused> {
        let Some(sessions) = &mut self.sessions else { return Err(Refused::Malformed) };
        if bytes.len() > DATAGRAM_MAX {
            self.blame.malformed += 1;
            return Err(Refused::Malformed);
        }
        let begins = bytes.first() == Some(&kind::INIT);
        let mut near = self.by_peer.range((from, 0)..=(from, u64::MAX));
        let near = if begins { near.next().map(|(_, &key)| key) } else { None };
        let own = near.and_then(|key| self.links.get_mut(key)).map(|link| &mut link.handshakes);
        match sessions.receive(now, (from, own), bytes, text, &mut self.blame, out) {
            Received::Nothing => Err(Refused::Spent),
            Received::Greeted(with) => Err(Refused::Handshake { with, answered: false }),
            Received::Up(remote, with) => {
                self.prove(from, with);
                if !self.release_waiting(remote) {
                    // They cannot use the session before they have heard it.
                    self.confirm(now, remote, from, out);
                }
                Err(Refused::Handshake { with, answered: true })
            }
            Received::Data { remote, id, newest, timely, up } => {
                let Ok(datagram) = Datagram::decode_sealed(id, text) else {
                    self.blame.malformed += 1;
                    return Err(Refused::Spent);
                };
                if let Some(at) = up {
                    self.release_waiting(remote);
                    self.prove(at, id);
                }
                (self.newest, self.timely) = (newest, timely);
                Ok((self.by_peer.get(&(from, id.0)).copied(), datagram))
            }
        }
    }

    /// That process has received what was sent to an address.
    fn prove(&mut self, at: SocketAddr, id: PeerId) {
        let key = self.by_peer.get(&(at, id.0)).copied();
        if let Some(link) = key.and_then(|key| self.links.get_mut(key)) {
            link.proven = true;
        }
    }

    /// There is a session: what waited for it is sent at the next flush. False when nothing did.
    fn release_waiting(&mut self, remote: RemoteKey) -> bool {
        let mut any = false;
        let waits = |link: &Link| link.waiting && link.remote == Some(remote);
        for (key, link) in self.links.iter_mut().filter(|(_, link)| waits(link)) {
            link.waiting = false;
            any = true;
            if !core::mem::replace(&mut link.dirty, true) {
                self.dirty.push(key);
            }
        }
        any
    }

    /// Notes that a datagram came over a link.
    fn note(&mut self, now: Time, key: LinkKey, datagram: &Datagram<'_>, len: usize) {
        let Some(link) = self.links.get_mut(key) else { return };
        link.sender = datagram.sender;
        link.echo = datagram.stamp;
        if let Some(credit) = &mut link.credit {
            *credit = credit.saturating_add(len.saturating_mul(AMPLIFICATION));
        }
        if self.newest && self.timely {
            link.heard = link.heard.max(now);
        }
    }
}
