//! Group chat for bad networks: peer to peer over UDP, with no server in the middle.
//!
//! - [`machine`] is the protocol as pure state machines. Embed it, or read it to write a second
//!   client; docs/PROTOCOL.md has every byte.
//! - `driver`, behind the feature of that name, is the only part that touches the world: one thread,
//!   one `mio::Poll`. Whoever embeds the machines does without: `default-features = false`.
//!
//! The machines never read a clock, entropy, the environment or a hash order (the fence stands in
//! clippy.toml and tests/purity.rs), so that the simulator in `sim/` replays them from one seed.

#![forbid(unsafe_code)]
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::iter_over_hash_type,
    clippy::float_arithmetic
)]

#[cfg(feature = "driver")]
#[allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::float_arithmetic)]
pub mod driver;
pub mod machine;
