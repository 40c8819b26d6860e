//! stub
use core::net::SocketAddr;
use crate::machine::*;
/// Configuration of a listing.
#[derive(Clone, Debug)]
pub struct ListingConfig {
    /// entropy
    pub seed: Seed,
    /// process start
    pub incarnation: u64,
    /// room
    pub tag: Tag,
    /// nodeset
    pub nodeset: SocketAddr,
}
/// `chatrpc who`: asks, shows `Event::Listing`, exits with `Exit::Left`.
#[derive(Debug)]
pub struct Listing {}
impl Listing { /// new
 pub fn new(_config: ListingConfig) -> Self { Self {} } }

impl Machine for Listing {
    fn handle(&mut self, _now: Time, _input: Input<'_>) {}
    fn poll(&mut self) -> Option<Action<'_>> { None }
    fn next_wake(&self) -> Option<Wake> { None }
    fn footprint(&self) -> Vec<Table> { vec![] }
    fn blame(&self) -> Blame { Blame::default() }
    fn digest(&self) -> u64 { 0 }
    fn check(&self) {}
}
