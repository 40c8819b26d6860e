//! stub
use crate::machine::*;
/// Configuration of a nodeset.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Entropy.
    pub seed: Seed,
    /// When this process started (wall clock, ms).
    pub incarnation: u64,
    /// How many members it serves at most, over all rooms.
    pub members_max: usize,
}
/// The nodeset machine.
#[derive(Debug)]
pub struct Registry {}
impl Registry { /// new
 pub fn new(_config: RegistryConfig) -> Self { Self {} }
 /// How many members hold a lease.
 pub fn members(&self) -> usize { 0 } }

impl Machine for Registry {
    fn handle(&mut self, _now: Time, _input: Input<'_>) {}
    fn poll(&mut self) -> Option<Action<'_>> { None }
    fn next_wake(&self) -> Option<Wake> { None }
    fn footprint(&self) -> Vec<Table> { vec![] }
    fn blame(&self) -> Blame { Blame::default() }
    fn digest(&self) -> u64 { 0 }
    fn check(&self) {}
}
