//! Random seeds: each is another network, other people, other faults. A seed that fails is replayed,
//! event by event, with `cargo run -p chatrpc-sim -- run --seed N --trace`.

use chatrpc_sim::phases::{self, Options};
use chatrpc_sim::sweep::sweep;

const SEEDS: u64 = 1_000;

/// Every law holds in every seed; one seed in four is run twice and compared, event by event.
#[test]
fn no_seed_breaks_a_law() {
    let total = sweep(0..SEEDS, 2, &Options::default(), 4, false);
    println!("{}", total.summary());
    for (seed, violation) in &total.failures {
        println!("FAIL seed {seed}: {violation}");
    }
    assert!(total.failures.is_empty(), "{} of {SEEDS} seeds fail", total.failures.len());
    assert!(total.deliveries > 100 * SEEDS, "people hardly talk: {}", total.summary());
}

/// The stand-in that most seeds are sealed with fails when cryptography would, and only then.
#[test]
fn real_cryptography_shows_the_same() {
    for seed in 0..16 {
        let with = |real| {
            let options = Options { real_crypto: Some(real), ..Options::default() };
            let outcome = phases::run(seed, &options, None);
            (outcome.shown, outcome.counters, outcome.deliveries)
        };
        assert_eq!(with(true), with(false), "seed {seed}");
    }
}
