//! Who somebody is, and the keys: what they are called, what they say of themselves, in which room, and
//! the cryptography behind it.

mod base32;
pub(crate) mod beacon;
pub(crate) mod identity;
pub(crate) mod ids;
pub(crate) mod keys;
pub(crate) mod noise;
pub(crate) mod pins;
pub(crate) mod room;
pub mod suite;
