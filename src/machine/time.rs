//! The machines' clock: microseconds since their owner started, handed in with every input.
//!
//! Nothing here can read a clock; only the driver and the simulator make a [`Time`].

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// Whoever notices so late that something was due has slept, or was kept from looking: it shows nothing of others.
pub(crate) const OVERSLEPT: Duration = Duration::from_secs(2);

/// An instant, in microseconds since the owner of the machines started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The instant the owner started.
    pub const ZERO: Self = Self(0);

    /// The instant `us` microseconds after the start.
    pub const fn from_micros(us: u64) -> Self {
        Self(us)
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// So much earlier; not before the start.
    pub(crate) fn before(self, span: Duration) -> Self {
        let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(us))
    }

    /// The lower 32 bits, as a datagram's timestamp carries them (docs/PROTOCOL.md, "Datagram").
    pub(crate) const fn stamp(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(us))
    }
}

impl Sub<Self> for Time {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
