//! From a datagram to what is known of it, and to its packets: parsed, authenticated, decoded once, noted.

use core::net::{IpAddr, SocketAddr};

use super::{AMPLIFICATION, About, CallKey, Calls, Link, Source};
use crate::machine::keyed::same;
use crate::machine::outbox::Outbox;
use crate::machine::purpose::LinkKey;
use crate::machine::session::{Received, RemoteKey};
use crate::machine::time::Time;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{
    self, ANYBODY, DATAGRAM_MAX, Datagram, Malformed, Packet, Request, Response, Sender, kind,
};

/// What is known of the datagram in hand, besides its packets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) from: SocketAddr,
    pub(crate) sender: Sender,
    /// The link it came over, if there is one. A packet in it may close that.
    pub(crate) link: Option<LinkKey>,
    /// When it left, by the sender's clock.
    pub(crate) stamp: u32,
    /// The stamp of ours that it answers; 0 when it answers none.
    pub(crate) echo: u32,
    /// Bytes that may be sent for it to an address that has not answered.
    pub(crate) credit: usize,
    /// No datagram of its process was newer, over whatever link.
    pub(crate) newest: bool,
    /// It was not long on its way.
    pub(crate) timely: bool,
    /// In the open: who sent it has shown that they know our room.
    pub(crate) proven: bool,
}

/// One packet of a datagram, decoded.
#[derive(Debug)]
pub(crate) enum Part<'a, T> {
    /// Somebody asks.
    Request { seq: u32, request: Request<'a> },
    /// Somebody answers a call that was open when the datagram came. A packet before may have ended it.
    Answer { call: CallKey, about: T, response: Response },
    /// Somebody answers a call that is over, or was never made.
    Late,
}

/// What one datagram is taken apart into.
#[derive(Debug)]
pub(crate) struct Parts<'a, T>(Vec<Part<'a, T>>);

impl<T> Default for Parts<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T> Parts<'a, T> {
    /// Room for the packets of another datagram.
    pub(crate) fn recycle<'b>(mut self) -> Parts<'b, T> {
        self.0.clear();
        // Nothing is mapped: this is how a vector is told to keep its place and forget a lifetime.
        Parts(self.0.into_iter().map_while(|_| None).collect())
    }

    /// The packets, in order.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Part<'a, T>> {
        self.0.drain(..)
    }
}

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

impl<T: About> Calls<T> {
    /// Takes a datagram apart, whole or not at all; `at` is the address of ours that it was sent to. What was sealed is opened into `text`.
    ///
    /// # Errors
    ///
    /// Who is to blame for what was refused; it is counted and changes nothing else.
    pub(crate) fn receive<'a>(
        &mut self,
        now: Time,
        (from, at): (SocketAddr, Option<IpAddr>),
        bytes: &'a [u8],
        (text, parts): (&'a mut Vec<u8>, &mut Parts<'a, T>),
        out: &mut Outbox,
    ) -> Result<Arrival, Refused> {
        self.heard = at.map(|at| (from, at));
        out.go_by(from, self.way(from, at));
        let open = matches!(bytes.first(), Some(&(kind::CLEAR | kind::PROVEN)));
        let arrival = if self.sessions.is_some() && !open {
            self.receive_sealed(now, from, bytes, (text, parts), out)?
        } else {
            self.receive_clear(from, bytes, parts)?
        };
        self.note(now, &arrival);
        Ok(arrival)
    }

    fn receive_clear<'a>(
        &mut self,
        from: SocketAddr,
        bytes: &'a [u8],
        parts: &mut Parts<'a, T>,
    ) -> Result<Arrival, Refused> {
        let malformed = |calls: &mut Self| {
            calls.blame.malformed += 1;
            Refused::Malformed
        };
        let proven = bytes.first() == Some(&kind::PROVEN) && self.room().is_some();
        if proven && !self.is_of_our_room(bytes) {
            self.blame.unauthenticated += 1;
            return Err(Refused::Spent);
        }
        let Ok(datagram) = Datagram::begin(bytes) else { return Err(malformed(self)) };
        let own = self.by_peer.get(&(from, Sender::Open(ANYBODY)));
        let link = own.or_else(|| self.by_peer.get(&(from, datagram.sender))).copied();
        if self.take_apart(link, &datagram, parts).is_err() {
            return Err(malformed(self));
        }
        // What we ask may come back as it is.
        let asked =
            proven && self.sessions.is_some() && datagram.sender != Sender::Open(self.incarnation);
        let meant = datagram.receiver == self.incarnation
            || datagram.receiver == ANYBODY && (self.takes_anybody || asked);
        if !meant {
            self.blame.unauthenticated += 1;
            return Err(match datagram.receiver {
                ANYBODY => Refused::Unaddressed,
                _ => Refused::Misdirected,
            });
        }
        if own.is_none() && self.sessions.is_some() && !proven {
            // Whoever is no nodeset of ours speaks under a seal, or shows that they know the room.
            self.blame.unauthenticated += 1;
            return Err(Refused::Spent);
        }
        let Datagram { sender, stamp, echo, .. } = datagram;
        let credit = bytes.len().saturating_mul(AMPLIFICATION);
        let (newest, timely) = (true, true);
        Ok(Arrival { from, sender, link, stamp, echo, credit, newest, timely, proven })
    }

    /// Whether what is asked in the open is asked by somebody who knows our room.
    fn is_of_our_room(&self, bytes: &[u8]) -> bool {
        let (Some(room), Ok((asked, proof))) = (self.room(), wire::proof(bytes)) else {
            return false;
        };
        same(&room.proof(asked), proof)
    }

    fn receive_sealed<'a>(
        &mut self,
        now: Time,
        from: SocketAddr,
        bytes: &[u8],
        (text, parts): (&'a mut Vec<u8>, &mut Parts<'a, T>),
        out: &mut Outbox,
    ) -> Result<Arrival, Refused> {
        let Some(sessions) = &mut self.sessions else { return Err(Refused::Malformed) };
        if bytes.len() > DATAGRAM_MAX {
            self.blame.malformed += 1;
            return Err(Refused::Malformed);
        }
        let begins = bytes.first() == Some(&kind::INIT);
        let mut near = self.by_peer.range(super::at(from.ip(), from.port()..=from.port()));
        let near = if begins { near.next().map(|(_, &key)| key) } else { None };
        let own = near.and_then(|key| self.links.get_mut(key)).map(|link| &mut link.handshakes);
        match sessions.receive(now, (from, own), bytes, text, &mut self.blame, out) {
            Received::Nothing => Err(Refused::Spent),
            Received::Begun(with) => {
                self.shook_hands(now, (from, with), false);
                Err(Refused::Handshake { with, answered: false })
            }
            Received::Up(remote, with) => {
                self.prove(from, with);
                self.shook_hands(now, (from, with), true);
                if !self.release_waiting(remote) {
                    // They cannot use the session before they have heard it.
                    self.confirm(now, remote, from, out);
                }
                Err(Refused::Handshake { with, answered: true })
            }
            Received::Data { remote, id, newest, timely, up, at } => {
                let link = self.by_peer.get(&(from, Sender::Sealed(id))).copied();
                let datagram = Datagram::begin_sealed(id, text);
                let whole = datagram.and_then(|datagram| {
                    self.take_apart(link, &datagram, parts)?;
                    Ok(datagram)
                });
                let Ok(Datagram { sender, stamp, echo, .. }) = whole else {
                    self.blame.malformed += 1;
                    return Err(Refused::Spent);
                };
                if up {
                    self.release_waiting(remote);
                }
                if let Some(at) = at {
                    self.prove(at, id);
                }
                let credit = bytes.len().saturating_mul(AMPLIFICATION);
                let proven = false;
                Ok(Arrival { from, sender, link, stamp, echo, credit, newest, timely, proven })
            }
        }
    }

    /// Decodes every packet. How an answer reads depends on what was asked: those to calls that are not
    /// open are not read.
    fn take_apart<'a>(
        &self,
        link: Option<LinkKey>,
        datagram: &Datagram<'a>,
        parts: &mut Parts<'a, T>,
    ) -> Result<(), Malformed> {
        let link = link.and_then(|link| self.links.get(link));
        datagram.each(|packet| {
            parts.0.push(match packet {
                Packet::Request { seq, request } => Part::Request { seq, request },
                Packet::Response { seq, payload } => {
                    let call = link.and_then(|link| link.find(seq));
                    match call.and_then(|call| Some((call, self.pending.get(call)?.about))) {
                        Some((call, about)) => {
                            let response = Response::decode(about.asked(), payload)?;
                            Part::Answer { call, about, response }
                        }
                        None => Part::Late,
                    }
                }
            });
            Ok(())
        })
    }

    /// That process has received what was sent to an address.
    fn prove(&mut self, at: SocketAddr, id: PeerId) {
        let key = self.by_peer.get(&(at, Sender::Sealed(id))).copied();
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
    fn note(&mut self, now: Time, arrival: &Arrival) {
        let link = arrival.link.and_then(|key| self.links.get_mut(key));
        let Some(link) = link else { return };
        link.near = None;
        match &mut link.credit {
            Some(credit) => *credit = credit.saturating_add(arrival.credit),
            None if link.proven => {}
            None => link.owed = link.owed.saturating_add(arrival.credit).min(DATAGRAM_MAX),
        }
        if arrival.newest && arrival.timely {
            link.heard = link.heard.max(now);
            if let Some((_, at)) = self.heard {
                link.source = Source(Some(at));
            }
        }
    }
}
