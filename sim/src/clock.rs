//! The clock of a world: microseconds since it began.

/// One second of it.
pub const SECOND: u64 = 1_000_000;
