//! A nodeset introduces people (docs/PROTOCOL.md, "Nodeset"): its machine, and those who ask it.
//!
//! The [`registry`] is the nodeset's side, with one [`roster`] for each room. The [`client`] is a peer's:
//! it will [`find`] the room by a [`fetch`] of its roster, and then hold a [`lease`] of a place in it. The
//! [`listing`] finds a room and leaves it at that. A [`door`] is what a member answers that is asked as if it
//! were a nodeset.

pub(crate) mod client;
mod contact;
pub(crate) mod door;
pub(crate) mod exam;
mod fetch;
mod find;
mod lease;
pub(crate) mod listing;
pub(crate) mod registry;
mod roster;

use core::net::SocketAddr;

pub(crate) use self::contact::{DOORS_MAX, Doors, PATIENCE};
pub(crate) use self::find::{Find, Found};
pub(crate) use self::lease::{Card, Lease};
use crate::machine::event::{Exit, Health};
use crate::machine::wire::Change;

/// What a peer has to know of its nodeset.
#[derive(Debug)]
pub(crate) enum News {
    Nothing,
    /// Part of the roster, to be taken in.
    Changes(Vec<Change>),
    /// The last part of the roster, read before joining.
    Roster(Vec<Change>),
    /// We are in. The nodeset saw us at this address, and these changes are news.
    Joined(SocketAddr, Vec<Change>),
    /// The nodeset fell silent, or is back, perhaps with changes.
    Health(Health, Vec<Change>),
    /// It is over.
    Over(Exit),
}

#[cfg(test)]
mod tests;
