//! A deterministic, hostile network for the machines of chatrpc.
//!
//! The machines in here are the very ones that talk to real sockets; only their owner differs. A
//! [`World`] is a heap of instants: it jumps from one to the next, hands inputs to machines through
//! [`chatrpc::machine::drain`], and decides the fate of every datagram. Nothing reads a clock, and
//! every random choice is a pure function of the seed and of what it is about ([`draw`]), so that a
//! run repeats to the byte and a fault that is taken out moves no other.
//!
//! | file | idea |
//! |---|---|
//! | [`draw`] | random choices as a function of what they are about |
//! | [`link`], [`bottleneck`] | what one directed link does to a datagram; a line of little rate that several share |
//! | `queue`, [`world`], `host` | the event heap; the network and the machines on it; the computers and their processes |
//! | [`judge`] | the reference model and the safety oracles |
//! | `guard` | the oracles about bytes, rates and tables |
//! | [`secrecy`] | the oracle about what can be read, and keys that are used twice |
//! | [`chain`] | the hash over a whole run, and where two runs part |
//! | [`standin`] | a cheap suite in the place of cryptography, for most seeds |
//! | [`swarm`], [`faults`], [`workload`] | what one seed means: network, faults, people |
//! | [`op`], [`clock`] | the things that can happen; the unit of the instants |
//! | [`phases`] | boot, chaos, heal, converge, idle, leave |
//! | [`scenario`] | named, scripted situations with bounds |
//! | [`liar`] and its `tricks`, [`false_nodeset`] | a member that lies; a nodeset that does |
//! | `outgoing`, `victims` | what attackers send; who is sent what without taking part |
//! | [`sweep`], `toy` | many seeds at once; machines small enough to see what the simulator does |
//! | [`insider`] | the handshake and the seal for somebody who says what no machine would |
//! | [`nat`] | a router that translates addresses, and what it lets in |
//! | `meddler` | somebody on the path who repeats, reflects, redirects and spoils |
//! | [`faulty`], [`teeth`] | proof that the oracles bite |
//! | [`stats`], [`slow`], [`crowd`] | latency and cost under loss, on slow links, and of being in a room, as tables to check in |
//!
//! Anchors: TigerBeetle's VOPR and FoundationDB's simulation for the phases, Firezone's tunnel
//! harness for the reference model, str0m-netem for the burst model.

#![forbid(unsafe_code)]
#![deny(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::iter_over_hash_type,
    clippy::float_arithmetic
)]

pub mod bottleneck;
pub mod chain;
pub mod clock;
pub mod crowd;
pub mod draw;
pub mod false_nodeset;
pub mod faults;
pub mod faulty;
mod guard;
mod host;
pub mod insider;
pub mod judge;
pub mod liar;
pub mod link;
mod meddler;
pub mod nat;
pub mod op;
mod outgoing;
pub mod phases;
mod queue;
pub mod scenario;
pub mod secrecy;
pub mod slow;
pub mod standin;
pub mod stats;
pub mod swarm;
pub mod sweep;
pub mod teeth;
#[cfg(test)]
mod toy;
mod victims;
pub mod workload;
pub mod world;

pub use judge::{Kind, Violation};
pub use world::World;
