//! The network: where others are and where they find us, sockets, and the machines on them.

pub(crate) mod address;
pub(crate) mod advertise;
mod burst;
pub(crate) mod gateway;
pub(crate) mod lan;
mod neighbours;
pub(crate) mod node;
pub(crate) mod probe;
pub(crate) mod socket;
pub(crate) mod target;
pub(crate) mod watch;
#[cfg_attr(not(any(target_os = "linux", target_vendor = "apple")), path = "way_less.rs")]
mod way;
