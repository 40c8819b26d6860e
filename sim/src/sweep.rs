//! Many seeds on a few threads. Each seed is a world of its own; only the counting is shared.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chatrpc::machine::mix;

use crate::judge::Violation;
use crate::phases::{self, Options, Outcome};
use crate::world::Counters;

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Sweep {
    /// How many seeds were run.
    pub seeds: u64,
    /// The seeds that broke a law, in their order.
    pub failures: Vec<(u64, Violation)>,
    /// What happened in all of them.
    pub counters: Counters,
    /// How many messages were shown to readers.
    pub deliveries: u64,
    /// How much time was simulated, microseconds.
    pub simulated_us: u64,
    /// One hash over what the machines did in all seeds, in whatever order these were run.
    pub deeds: u64,
    /// The longest that agreeing took after healing, microseconds.
    pub converged_us_max: u64,
}

impl Sweep {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.seeds += 1;
        self.deeds = self.deeds.wrapping_add(mix(seed ^ outcome.chain.deeds()));
        self.failures.extend(outcome.violation.map(|violation| (seed, violation)));
        self.counters.events += outcome.counters.events;
        self.counters.datagrams += outcome.counters.datagrams;
        self.counters.bytes += outcome.counters.bytes;
        self.counters.lost += outcome.counters.lost;
        self.counters.alive_us += outcome.counters.alive_us;
        self.deliveries += outcome.deliveries;
        self.simulated_us += outcome.simulated_us;
        self.converged_us_max = self.converged_us_max.max(outcome.converged_us.unwrap_or(0));
    }

    /// One line of numbers.
    pub fn summary(&self) -> String {
        format!(
            "{} seeds, {} failures; {} node-hours, {} events, {} datagrams ({} lost), \
             {} deliveries; slowest agreement {} s; hash {:016x}",
            self.seeds,
            self.failures.len(),
            self.counters.alive_us / 3_600_000_000,
            self.counters.events,
            self.counters.datagrams,
            self.counters.lost,
            self.deliveries,
            self.converged_us_max / 1_000_000,
            self.deeds,
        )
    }
}

/// Runs seeds on `jobs` threads. One seed in `twice_every` is run twice and compared; 0 for none.
/// With `stop`, no new seed is begun after the first failure.
///
/// # Panics
///
/// When a thread of the sweep itself panics.
pub fn sweep(
    seeds: Range<u64>,
    jobs: usize,
    options: &Options,
    twice_every: u64,
    stop: bool,
) -> Sweep {
    let (next, halted) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let total = Mutex::new(Sweep::default());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || halted.load(Ordering::Relaxed) {
                        return;
                    }
                    let outcome = one(seed, options, twice_every);
                    let failed = outcome.violation.is_some();
                    halted.fetch_or(stop && failed, Ordering::Relaxed);
                    total.lock().expect("no thread panics").add(seed, outcome);
                }
            });
        }
    });
    let mut total = total.into_inner().expect("no thread panics");
    total.failures.sort_by_key(|&(seed, _)| seed);
    total
}

fn one(seed: u64, options: &Options, twice_every: u64) -> Outcome {
    if twice_every == 0 || !seed.is_multiple_of(twice_every) {
        return phases::run(seed, options, None);
    }
    match phases::compare_twice(seed, options) {
        Ok(outcome) => outcome,
        Err(violation) => {
            let mut outcome = phases::run(seed, options, None);
            outcome.violation = Some(violation);
            outcome
        }
    }
}
