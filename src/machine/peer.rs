//! stub
use core::net::SocketAddr; use core::time::Duration;
use crate::machine::*;
/// Configuration of a chat machine.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// Entropy.
    pub seed: Seed,
    /// When this process started (wall clock, ms): greater than any earlier process's.
    pub incarnation: u64,
    /// Our name.
    pub name: Name,
    /// The room.
    pub tag: Tag,
    /// The nodeset.
    pub nodeset: SocketAddr,
    /// Addresses of this computer that others may reach us at (at most 4 are used).
    pub addrs: Vec<SocketAddr>,
    /// How long leaving waits for what is undelivered.
    pub drain: Duration,
}
/// The chat machine.
#[derive(Debug)]
pub struct Peer {}
impl Peer {
    /// new
    pub fn new(_config: PeerConfig) -> Self { Self {} }
    /// Whether the machine takes another line now: joined, and its backlog is short. A front end fed by a pipe
    /// stops reading while this is false.
    pub fn accepts_lines(&self) -> bool { true }
    /// Who we are.
    pub fn me(&self) -> Person { unimplemented!() }
}

impl Machine for Peer {
    fn handle(&mut self, _now: Time, _input: Input<'_>) {}
    fn poll(&mut self) -> Option<Action<'_>> { None }
    fn next_wake(&self) -> Option<Wake> { None }
    fn footprint(&self) -> Vec<Table> { vec![] }
    fn blame(&self) -> Blame { Blame::default() }
    fn digest(&self) -> u64 { 0 }
    fn check(&self) {}
}
