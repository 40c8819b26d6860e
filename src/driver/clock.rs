//! The two clocks: one that only runs forward, for the machines, and the wall clock, for people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::machine::Time;

/// Makes the [`Time`] that machines are handed: microseconds since the process started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: uptime() }
    }

    pub(crate) fn now(&self) -> Time {
        let us = uptime().saturating_sub(self.start).as_micros();
        Time::from_micros(u64::try_from(us).unwrap_or(u64::MAX))
    }
}

/// Time since boot, suspended time included: after a closed lid leases have run out, and the
/// machines must see that at once rather than an hour later.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn uptime() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn uptime() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;

    static EPOCH: OnceLock<Instant> = OnceLock::new();
    EPOCH.get_or_init(Instant::now).elapsed()
}

/// Milliseconds since 1970. A process that starts later than another has the greater one.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The wall clock as RFC 3339 in UTC with milliseconds: `2026-10-23T09:12:00.123Z`.
pub(crate) fn rfc3339(unix_ms: u64) -> String {
    let (seconds, ms) = (unix_ms / 1000, unix_ms % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// The time of day in UTC, as people write it: `09:14 UTC`.
pub(crate) fn time_of_day(unix_ms: u64) -> String {
    let minutes = unix_ms / 60_000;
    format!("{:02}:{:02} UTC", minutes / 60 % 24, minutes % 60)
}

/// Year, month and day of a number of days since 1970: `civil_from_days` of Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", which counts in eras of 400 years that begin in
/// March, so that a leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_date_1() {
        // Each made with `date -u -d @SECONDS --iso-8601=seconds`.
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_735_689_599_001, "2024-12-31T23:59:59.001Z"),
            (1_792_746_720_123, "2026-10-23T09:12:00.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(ms), text);
        }
        assert_eq!(time_of_day(1_792_746_720_123), "09:12 UTC");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut last = civil(0);
        for days in 1..200_000 {
            let date = civil(days);
            let next_day = date.0 == last.0 && date.1 == last.1 && date.2 == last.2 + 1;
            let next_month = date.2 == 1 && (28..=31).contains(&last.2);
            assert!(date > last && (next_day || next_month), "{last:?} then {date:?}");
            last = date;
        }
    }

    #[test]
    fn the_clock_only_runs_forward() {
        let clock = Clock::start();
        let mut last = clock.now();
        for _ in 0..1000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
