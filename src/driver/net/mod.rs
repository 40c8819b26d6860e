//! The network: where others are and where they find us, sockets, and the machines on them.

pub(crate) mod address;
pub(crate) mod advertise;
pub(crate) mod node;
pub(crate) mod probe;
pub(crate) mod socket;
