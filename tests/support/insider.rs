//! Somebody who knows the room's secret and says what no machine of ours would say: the simulator's.

#![allow(unreachable_pub, unused_imports)]

pub use chatrpc_sim::insider::*;
