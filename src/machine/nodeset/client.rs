//! The peer's side of a nodeset: first the room is found ([`Find`]), so that a name that is taken can be
//! refused before anybody hears of it; then a place in it is held ([`Lease`]).
//!
//! This file knows what comes after what, and which of the two an answer is for. What is asked of a
//! place before there may be one is not done.

use core::net::SocketAddr;
use core::time::Duration;

use super::News;
use super::contact::{AsksNodeset, Doors};
use super::find::{Find, Found, unread};
use super::lease::{Card, Lease};
use crate::machine::call::Calls;
use crate::machine::contract::Table;
use crate::machine::event::Exit;
use crate::machine::purpose::{Ask, LinkKey};
use crate::machine::rng::Rng;
use crate::machine::time::Time;
use crate::machine::who::ids::Tag;
use crate::machine::wire::Response;

#[derive(Debug, Hash)]
pub(crate) enum Client {
    /// The roster is being read; a lease will draw from here.
    Finding { find: Find, rng: Rng },
    /// The room is known.
    Leasing(Lease),
}

impl Client {
    /// Begins to read the roster. `None` when the link to the nodeset cannot be opened.
    pub(crate) fn start<T: AsksNodeset>(
        now: Time,
        doors: Doors,
        tag: Tag,
        mut rng: Rng,
        calls: &mut Calls<T>,
    ) -> Option<Self> {
        let find = Find::start(now, doors, tag, &mut rng, calls)?;
        Some(Self::Finding { find, rng })
    }

    /// Takes the answer to a call over that link. `incarnation` is that of the nodeset process that answered.
    pub(crate) fn answered<T: AsksNodeset>(
        &mut self,
        now: Time,
        (link, ask): (LinkKey, Ask),
        incarnation: u64,
        response: Response,
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) -> News {
        match (&mut *self, ask) {
            (Self::Finding { find, rng }, Ask::Who { have }) => {
                match find.answered(now, (link, have), incarnation, response, calls) {
                    Found::Nothing => News::Nothing,
                    Found::Part(changes) => News::Changes(changes),
                    Found::All(version, changes) => {
                        let lease = Lease::new(now, find.contact().clone(), version, rng.clone());
                        *self = Self::Leasing(lease);
                        News::Roster(changes)
                    }
                    Found::Over(exit) => News::Over(exit),
                }
            }
            (Self::Leasing(lease), Ask::Register | Ask::Deregister) => {
                lease.answered(now, incarnation, response, card, calls)
            }
            (Self::Leasing(lease), Ask::Who { .. }) => {
                lease.heard(now);
                News::Nothing
            }
            (Self::Finding { .. }, _) => News::Nothing,
        }
    }

    /// A call over that link failed: five sends, no answer.
    pub(crate) fn failed<T: AsksNodeset>(
        &mut self,
        now: Time,
        (link, ask): (LinkKey, Ask),
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) -> News {
        match (self, ask) {
            (Self::Finding { find, .. }, Ask::Who { have }) => {
                match find.failed(now, (link, have), calls) {
                    Some(exit) => News::Over(exit),
                    None => News::Nothing,
                }
            }
            (Self::Leasing(lease), Ask::Register | Ask::Deregister) => {
                lease.failed(now, card, calls)
            }
            // The room is known without it; nothing else is asked before.
            (Self::Leasing(_), Ask::Who { .. }) | (Self::Finding { .. }, _) => News::Nothing,
        }
    }

    /// Does what is due. `card` is who we are, once the machine above wants a lease. Returns how joining
    /// ends, if it does.
    pub(crate) fn tick<T: AsksNodeset>(
        &mut self,
        now: Time,
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) -> Option<Exit> {
        match self {
            Self::Finding { find, .. } => find.tick(now, calls),
            Self::Leasing(lease) => lease.tick(now, card, calls),
        }
    }

    /// The nodeset may be, or is, at these addresses.
    pub(crate) fn is_at<T: AsksNodeset>(
        &mut self,
        now: Time,
        addrs: &[SocketAddr],
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) {
        match self {
            Self::Finding { find, .. } => find.also_at(now, addrs),
            Self::Leasing(lease) => lease.is_at(now, addrs, card, calls),
        }
    }

    /// The network says that nobody listens at an address. Returns how joining ends, if it does.
    pub(crate) fn refused<T: AsksNodeset>(
        &mut self,
        now: Time,
        addr: SocketAddr,
        calls: &mut Calls<T>,
    ) -> Option<Exit> {
        match self {
            Self::Finding { find, .. } => find.refused(now, addr, calls),
            Self::Leasing(lease) => lease.refused(addr, calls),
        }
    }

    /// Something came from the nodeset that is not this protocol.
    pub(crate) const fn heard_junk(&mut self) {
        match self {
            Self::Finding { find, .. } => find.heard_junk(),
            Self::Leasing(lease) => lease.heard_junk(),
        }
    }

    /// Our place in the room, or what will be one; `None` while the room is still looked for.
    pub(crate) const fn lease(&self) -> Option<&Lease> {
        match self {
            Self::Finding { .. } => None,
            Self::Leasing(lease) => Some(lease),
        }
    }

    pub(crate) const fn lease_mut(&mut self) -> Option<&mut Lease> {
        match self {
            Self::Finding { .. } => None,
            Self::Leasing(lease) => Some(lease),
        }
    }

    /// The incarnation of the nodeset, while it answers.
    pub(crate) fn serves(&self) -> Option<u64> {
        match self {
            Self::Finding { find, .. } => find.contact().serves(),
            Self::Leasing(lease) => lease.serves(),
        }
    }

    /// The last call to the nodeset failed.
    pub(crate) const fn is_silent(&self) -> bool {
        match self {
            Self::Finding { find, .. } => find.contact().is_silent(),
            Self::Leasing(lease) => lease.is_silent(),
        }
    }

    /// For how long the nodeset has not answered, if the last call to it failed.
    pub(crate) fn silent_for(&self, now: Time) -> Option<Duration> {
        match self {
            Self::Finding { find, .. } => find.contact().silent_for(now),
            Self::Leasing(lease) => lease.contact().silent_for(now),
        }
    }

    pub(crate) const fn link(&self) -> LinkKey {
        match self {
            Self::Finding { find, .. } => find.contact().link,
            Self::Leasing(lease) => lease.link(),
        }
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        match self {
            Self::Finding { find, .. } => find.next_wake(),
            Self::Leasing(lease) => lease.next_wake(),
        }
    }

    /// The ranges of the roster that are not read.
    pub(crate) fn footprint(&self) -> Table {
        match self {
            Self::Finding { find, .. } => find.footprint(),
            Self::Leasing(_) => unread(0),
        }
    }

    pub(crate) fn check(&self) {
        if let Self::Finding { find, .. } = self {
            find.check();
        }
    }
}
