//! In steady state the machines allocate nothing per packet.
//!
//! Two peers chat through buffers that are reused; after a warm-up, saying, carrying, showing and
//! confirming a thousand messages must not allocate once. What would break it: a request encoded into
//! a fresh vector, an event that owns its text, a timer in a tree.

#[path = "support/room.rs"]
mod room;

use std::alloc::System;

use room::Room;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_message_allocates_nothing() {
    let mut room = Room::joined();
    // All that is kept of the talk is full by then.
    room.say(700);
    assert_eq!((room.shown, room.done), (1400, 1400), "the warm-up arrived");
    // Well before the leases are renewed, 20 s after joining: that may allocate.
    let region = Region::new(ALLOCATOR);
    room.say(600);
    let change = region.change();
    assert_eq!((room.shown, room.done), (2600, 2600));
    assert_eq!(change.allocations + change.reallocations, 0, "{change:?}");
}
