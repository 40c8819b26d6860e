//! What a message costs the machines alone: two people say a line to each other, in memory.
//!
//! `cargo bench --bench machine`. Saying, encoding, decoding, showing and confirming, both sides.

#[path = "../tests/support/room.rs"]
mod room;

use std::time::Instant;

use room::Room;

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let mut room = Room::joined();
    room.say(10_000);
    let mut best = f64::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        room.say(10_000);
        best = best.min(start.elapsed().as_secs_f64() / 20_000.0);
    }
    println!("a message between two machines, both sides: {:.0} ns", best * 1e9);
}
