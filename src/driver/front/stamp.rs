//! The time that stands before a line.

use crate::driver::os::clock::Zone;

/// How the time is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeShown {
    /// Not at all.
    #[default]
    Off,
    /// `09:14`.
    Minutes,
    /// `09:14:07`.
    Seconds,
    /// RFC 3339, with the distance to UTC: `2026-10-23T11:12:00+02:00`.
    Iso,
}

impl TimeShown {
    /// What stands before a line: the time, and a tab.
    pub(crate) fn before(self, zone: &Zone, unix_ms: u64) -> String {
        match self {
            Self::Off => String::new(),
            Self::Minutes => zone.time(unix_ms, false) + "\t",
            Self::Seconds => zone.time(unix_ms, true) + "\t",
            Self::Iso => zone.stamp(unix_ms) + "\t",
        }
    }
}
