//! Fuzz targets, as plain functions: libFuzzer calls them from `src/bin`, and `cargo test` at the top
//! of the repository (tests/corpus.rs) with the corpora that are checked in.
//!
//! | target | what is fuzzed | what must hold |
//! |---|---|---|
//! | [`config`] | the configuration file, addresses, files that are kept | what is written is read as it was; mistakes are told with their line |
//! | [`peer`] | a peer, by three members, a nodeset and a person | the contract of machines, its tables, who is here and what was said, what it may be made to send |
//! | [`registry`] | a nodeset, by several sources | the contract of machines, its tables, what it may be made to send |
//! | [`screen`] | the screen, by keys, events and time | only our own bytes are written, and the fewest |
//! | [`text`] | the sanitiser, names, rows, both front ends | what is clean stays clean, and one message is one line |
//! | [`wire`] | datagrams, answers, sealed beacons, ids, keys, secrets | what is read is what was written, and nothing else is read |

#![allow(unreachable_pub)]

pub mod config;
pub mod peer;
pub mod registry;
pub mod screen;
pub mod text;
pub mod wire;

mod owner;
mod script;
