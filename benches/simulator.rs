//! How fast the simulator is, and what the machines deliver on it.
//!
//! `cargo bench --bench simulator`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Instant;

use chatrpc_sim::phases::Options;
use chatrpc_sim::stats;
use chatrpc_sim::sweep::sweep;

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    println!("whole seeds, every fault, every oracle, one thread:");
    speed("as drawn", 0..400, &Options::default());
    for people in [8, 32, 128] {
        let options = Options { people: Some(people), ..Options::default() };
        speed(&format!("{people} people"), 0..(400 / people as u64).max(2), &options);
    }
    println!("\n{}", stats::table());
}

fn speed(name: &str, seeds: std::ops::Range<u64>, options: &Options) {
    let start = Instant::now();
    let sweep = sweep(seeds, 1, options, 0, false);
    let seconds = start.elapsed().as_secs_f64();
    let per_second = |count: u64| count as f64 / seconds;
    println!(
        "  {name:>10}: {:>9.0} events/s, {:>8.0} node-seconds/s, {:>6.0} seeds/min, {} failures",
        per_second(sweep.counters.events),
        per_second(sweep.counters.alive_us / 1_000_000),
        per_second(sweep.seeds) * 60.0,
        sweep.failures.len(),
    );
}
