//! A nodeset introduces people (docs/PROTOCOL.md, "Nodeset"): its machine, and those who ask it.
//!
//! The [`registry`] is the nodeset's side, with one [`roster`] for each room. The [`client`] is a peer's,
//! which begins by [`reading`] a roster; the [`listing`] does no more than that.

pub(crate) mod client;
pub(crate) mod listing;
mod reading;
pub(crate) mod registry;
mod roster;
