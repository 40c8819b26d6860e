//! The protocol, as pure state machines: no clock, no socket, no thread, no entropy, no environment.
//!
//! # The contract
//!
//! Whoever owns a machine (the driver, the simulator, a test) does exactly this, through [`drain`]:
//!
//! 1. Take an input: a datagram, a line somebody typed, or nothing at all because the time has
//!    come ([`Input::Tick`]).
//! 2. Read the clock *after* taking it and call [`Machine::handle`] with that [`Time`].
//! 3. Call [`Machine::poll`] until it returns `None`, and carry out each [`Action`].
//! 4. Sleep until the wake that [`drain`] returns, or until the next input, whichever comes first.
//!
//! ```
//! # use std::net::SocketAddr;
//! # use chatrpc::machine::{Action, Drained, Event, Exit, Input, Machine, Time, drain};
//! # trait World { fn send(&mut self, to: SocketAddr, bytes: &[u8]); fn show(&mut self, event: Event<'_>); fn leave(&mut self, exit: Exit); }
//! # fn step(machine: &mut dyn Machine, now: Time, input: Input<'_>, world: &mut impl World) -> Drained {
//! drain(machine, now, input, |action| match action {
//!     Action::Send { to, bytes, .. } => world.send(to, bytes),
//!     Action::Show(event) => world.show(event),
//!     Action::Exit(exit) => world.leave(exit),
//! })
//! # }
//! ```
//!
//! `examples/in_memory.rs` does so without a network, `examples/own_loop.rs` around a plain socket.
//!
//! # The laws
//!
//! - Once drained, `next_wake` is `None` or later than the `now` that was handed in. A deadline
//!   that stays in the past would keep a processor busy for ever; [`drain`] asserts that none does
//!   in debug builds, and puts it off and says so in others.
//! - An early, late or repeated `Tick` is harmless. A `now` before the last one counts as the last
//!   one; a `now` hours later (a closed lid) is an ordinary input.
//! - Same seed, same inputs: the same actions, byte for byte, on every platform.
//! - Decoding is total. A datagram that is refused changes nothing but a counter, sorted by blame
//!   ([`Blame`]).
//! - Every table has a limit. [`Machine::footprint`] lists them with their sizes.
//! - In steady state nothing is allocated per packet: [`Action`] borrows from one reused arena.
//!
//! # The files
//!
//! | file | idea |
//! |---|---|
//! | `contract` | inputs, actions, wakes, tables, blame: what an owner and a machine have in common |
//! | `mtu` | how large a datagram may be on a path |
//! | `pace`, `source` | how often something may happen; where an address counts |
//! | `slots` | keys that find nothing once what they stood for is gone |
//! | `time`, `rng`, `timer` | the clock, the draws and the deadlines a machine is given |
//! | `codec`, `wire` and its `datagram`, `nodeset`, `member`, `roster`, `hail` | every packet that crosses the network: in what it travels, and taking it out; one file per conversation; the bytes of a page; what goes to a whole network |
//! | `keyed`, `guarded` | the keyed hash; where secrets are kept |
//! | `who` and its `ids`, `base32`, `identity`, `room` | what processes, rooms, leases and messages are called; five bits as a letter; who somebody is; a room's keys |
//! | `who/beacon`, `who/pins` | what somebody says of themselves; whom we trust |
//! | `who/suite`, `who/noise` | what is asked of cryptography; the product's answer |
//! | `session` and its `handshake`, `load`, `remotes`, `places`, `window`, `stamps` | what peers say is sealed; how keys come about; how many are looked at; with whom; whose turn; nothing twice; what is late |
//! | `text` and its `kind`, `isolates`, `fold` | what a remote string may hold before anything else sees it; the characters it is about; what is closed in its line; when two texts are the same |
//! | `name` and its `marks`, `joiners` | what people may call themselves, and when two names look the same; what only the program writes; what draws nothing and is needed |
//! | `outbox` | the arena of what waits to be polled |
//! | `relayed` | a way through a relay, written as an address |
//! | `purpose` | the keys of links and members; what each call is about |
//! | `copa` | how many datagrams may be under way on a path |
//! | `path`, `call` and its `replies` | round trips and loss of one path; requests, retries, and whether one that comes again is executed; which were seen, and their answers |
//! | `call/arrival`, `call/link`, `call/turn`, `call/packing`, `call/relays`, `call/near`, `call/unproven` | what is known of a datagram, and its packets matched to open calls; one path to one process; when its requests leave; datagrams filled with packets, and what rides along; what goes through a relay; what opens a router; few go where nobody answers |
//! | `ranges` | what is not known yet of a line of versions, and how much of it may be asked for at once |
//! | `member` and its `one` | who is known; one of them, who is five things: |
//! | `member/record`, `member/reach`, `member/reachable`, `member/liveness`, `member/streams` | who they are, and why nobody else may have their name; the ways to them, and which is tried next; when people are told that there is none; the rule whether they are here; what is said both ways |
//! | `member/answers`, `member/greeting`, `member/moving`, `member/presence`, `member/readers`, `member/relaying`, `member/punching`, `member/apart`, `member/likeness` | what members do with these: what is asked both ways, and what comes of it; finding a path; another one; what is heard and missed of them, carried out; who reads what we say; through whom they are reached; how two routers are opened at once; whether the network keeps us apart; whom they could be taken for |
//! | `member/showing`, `member/catching`, `member/fetch` | what is heard is shown, after what it follows; what others have and we lack; parts of one log, asked for and put together |
//! | `member/bridges` | whom we pass things on between, and how much of it |
//! | `hail` and its `finding` | when the networks around us are asked for the room, and who answers there; the machine behind `chatrpc find` |
//! | `mapping` and its `bytes` | a port of the router in front of us, asked for and kept; how that is written |
//! | `log` and its `entry` | what was said to the room, by author, and in one order; one thing that was said, signed |
//! | `speech` and its `stream`, `inward` | what was said, in order, once each: to each reader, from each author |
//! | `command`, `habits`, `whom` | what a typed line means; what people type who know other chats; who is meant in it |
//! | `doctor` and its `cause`, `evidence`, `reason`, `room`, `sentence` | why somebody does not get in, or not well: what can be wrong, and how bad it is; what was found; what that means, before and in a room; how it is said |
//! | `event`, `digest` | what a machine tells whoever is in front of it; a hash over its state |
//! | `looks`, `mention` | who here could be taken for whom; whether a text is about somebody |
//! | `peer` and its `config`, `joining`, `doors`, `hailing`, `mapped`, `talking`, `answers`, `leaving` | the chat machine: it routes between the children above |
//! | `cookie` | proof that somebody receives what is sent to their address |
//! | `nodeset/registry` and its `granting`, `sources`, `telling`, `nodeset/roster` | the nodeset machine, and its limits; who gets a place; how many leases each source holds; what a room is told; its changes by version, and pages of them |
//! | `nodeset/find` and its `reading`, `nodeset/lease` | the side of who asks it: find the room, reading its roster in several places at once; hold a place in it |
//! | `nodeset/client`, `nodeset/contact` | a peer does the one after the other; which process it is, and whether it is worth asking again |
//! | `nodeset/listing`, `nodeset/exam` and its `asked`, `nodeset/door` | the machines behind `chatrpc who` and `chatrpc doctor`; what a member answers that is asked as a nodeset is |

mod call;
mod codec;
mod command;
mod contract;
mod cookie;
mod copa;
mod digest;
pub mod doctor;
mod event;
mod guarded;
mod habits;
mod hail;
mod inward;
pub mod keyed;
mod log;
mod looks;
mod mapping;
mod member;
mod mention;
mod mtu;
mod name;
mod nodeset;
mod outbox;
mod pace;
mod path;
mod peer;
mod purpose;
mod ranges;
mod relayed;
mod rng;
mod session;
mod slots;
mod source;
mod speech;
mod text;
mod time;
mod timer;
mod who;
mod whom;
pub mod wire;

#[cfg(feature = "driver")]
pub(crate) use codec::{Malformed, Reader};
pub use command::{COMMANDS, Command, CommandHelp, Opening};
pub use contract::{
    Action, Blame, Drained, Gateway, Input, Machine, Segment, Table, WAKE_MIN, Wake, drain,
};
pub use event::{
    Event, Exit, Found, Health, Listed, NameProblem, Past, Presence, Refusal, Way, Why,
};
pub use guarded::{Guarded, wipe, wiped};
pub use hail::finding::Finding;
pub use log::{Deps, Head, Place, Seal};
pub use name::{Look, Name, NameError};
pub use nodeset::exam::{Examination, ExaminationConfig};
pub use nodeset::listing::{Listing, ListingConfig};
pub use nodeset::registry::{Registry, RegistryConfig};
pub use peer::{Lan, Peer, PeerConfig};
pub use rng::{Rng, Seed, mix};
pub use session::handshake::{COOKIE, INIT, RESP};
#[cfg(feature = "driver")]
pub(crate) use text::fold::folded;
#[cfg(feature = "driver")]
pub(crate) use text::kind::{ZWJ, ZWNJ, is_emoji, is_unspaced};
#[cfg(feature = "driver")]
pub(crate) use text::sanitize_draft;
pub use text::{SafeText, TEXT_MAX, sanitize};
pub use time::Time;
pub use who::beacon::{Beacon, SEALED, Sealed, Signed};
pub use who::identity::{Identity, Person, Pin, PublicKey, SIGNATURE, words};
pub use who::ids::{Farewell, Handle, Incarnation, MessageId, PeerId, Tag};
pub use who::noise::Noise;
#[cfg(feature = "driver")]
pub(crate) use who::pins::{PINS_MAX, Pins};
pub use who::room::{Room, SECRET, Secret, SecretError};
pub use who::suite;
pub use whom::Whom;
#[cfg(feature = "driver")]
pub(crate) use whom::{Known, addressed};

/// Property tests repeat: the same cases in every run, or those of `CHATRPC_TEST_SEED`, a number.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
pub(crate) fn quickcheck() -> quickcheck::QuickCheck {
    let seed = std::env::var("CHATRPC_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(20_261_122);
    println!("CHATRPC_TEST_SEED={seed}");
    quickcheck::QuickCheck::new().rng(quickcheck::Gen::from_size_and_seed(100, seed))
}
