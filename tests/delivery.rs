//! Latency and cost under loss are part of what is promised: the table is checked in, and a change
//! to it is a diff somebody reads. `cargo run -p chatrpc-sim -- stats --write` writes it anew.

use chatrpc_sim::{crowd, stats};

#[test]
fn delivery_under_loss_is_as_documented() {
    let checked_in = std::fs::read_to_string(stats::SNAPSHOT).unwrap_or_default();
    let measured = stats::table();
    assert!(checked_in == measured, "checked in:\n{checked_in}\nmeasured:\n{measured}");
}

/// It takes a minute.
#[test]
#[ignore = "slow"]
fn what_a_room_costs_is_as_documented() {
    let checked_in = std::fs::read_to_string(crowd::SNAPSHOT).unwrap_or_default();
    let measured = crowd::table();
    assert!(checked_in == measured, "checked in:\n{checked_in}\nmeasured:\n{measured}");
}
