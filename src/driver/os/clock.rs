//! The two clocks: one that only runs forward, for the machines, and the wall clock, for people.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ZonedDateTime};

use crate::machine::{Incarnation, Time};

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

/// The incarnation of a process that starts now.
pub(crate) fn started() -> Incarnation {
    Incarnation::at(incarnation(unix_ms(), luck()))
}

/// How many of the lowest bits of an incarnation are drawn: two processes that start in one millisecond, by
/// whatever clocks, are two.
pub(crate) const LUCK_BITS: u32 = 20;

/// The number of a process that starts in that millisecond, with that luck.
pub(crate) fn incarnation(unix_ms: u64, luck: u32) -> u64 {
    unix_ms.min(u64::MAX >> LUCK_BITS) << LUCK_BITS | u64::from(luck) & ((1 << LUCK_BITS) - 1)
}

/// A draw. Without entropy there is none, and nothing else in this program works either.
pub(crate) fn luck() -> u32 {
    getrandom::u32().unwrap_or(0)
}

/// The wall clock as RFC 3339 in UTC with milliseconds: `2026-10-23T09:12:00.123Z`.
pub(crate) fn rfc3339(unix_ms: u64) -> String {
    timestamp(unix_ms).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Where people live, as far as their clocks are concerned.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// That of this computer, or of `TZ`; UTC where nobody knows.
    pub(crate) fn local() -> Self {
        // The library would wait for a pipe, and read a device to its end.
        let waits = |file: fs::Metadata| !file.is_file() && !file.is_dir();
        if named().is_some_and(|path| fs::metadata(path).is_ok_and(waits)) {
            return Self::utc();
        }
        Self(TimeZone::system())
    }

    /// Greenwich.
    pub(crate) const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The time of day: `09:14`, or `09:14:07`.
    pub(crate) fn time(&self, unix_ms: u64, seconds: bool) -> String {
        let format = if seconds { "%H:%M:%S" } else { "%H:%M" };
        self.at(unix_ms).strftime(format).to_string()
    }

    /// The day and the time of day: `2026-10-23 09:14`.
    pub(crate) fn moment(&self, unix_ms: u64) -> String {
        self.at(unix_ms).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// When a day begins, ms since 1970, if there is such a day.
    pub(crate) fn day(&self, year: i16, month: i8, day: i8) -> Option<u64> {
        let date = jiff::civil::Date::new(year, month, day).ok()?;
        let begins = self.0.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        u64::try_from(begins.as_millisecond()).ok()
    }

    /// The day, as people write it: `Thu 23 Oct 2026`.
    pub(crate) fn date(&self, unix_ms: u64) -> String {
        self.at(unix_ms).strftime("%a %d %b %Y").to_string()
    }

    /// The instant as RFC 3339 with the distance to UTC: `2026-10-23T11:12:00+02:00`. There it has no
    /// seconds: where the zone has some, as before there were zones, it is the nearest that has none.
    pub(crate) fn stamp(&self, unix_ms: u64) -> String {
        let seconds = self.at(unix_ms).offset().seconds();
        let minutes = (f64::from(seconds) / 60.0).round() as i32;
        let is_one = |whole: &Offset| whole.seconds().abs() < 24 * 3600;
        let whole = Offset::from_seconds(60 * minutes).ok().filter(is_one).unwrap_or(Offset::UTC);
        timestamp(unix_ms)
            .to_zoned_datetime(TimeZone::fixed(whole))
            .strftime("%Y-%m-%dT%H:%M:%S%:z")
            .to_string()
    }

    fn at(&self, unix_ms: u64) -> ZonedDateTime {
        timestamp(unix_ms).to_zoned_datetime(self.0.clone())
    }
}

/// The file that `TZ` names, if it names one (POSIX.1-2017, XBD section 8.3).
fn named() -> Option<PathBuf> {
    let zone = env::var_os("TZ")?.into_string().ok()?;
    let zone = zone.strip_prefix(':').unwrap_or(&zone);
    zone.contains('/').then(|| PathBuf::from(zone))
}

/// An instant; one beyond the calendar is its end.
fn timestamp(unix_ms: u64) -> Timestamp {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
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
        assert!(rfc3339(u64::MAX).starts_with("9999-12-"), "the end of the calendar");
    }

    #[test]
    fn clocks_on_walls() {
        let moment = 1_792_746_720_123;
        let utc = Zone::utc();
        assert_eq!(utc.time(moment, false), "09:12");
        assert_eq!(utc.time(moment, true), "09:12:00");
        assert_eq!(utc.date(moment), "Fri 23 Oct 2026");
        let far = Zone(TimeZone::fixed(jiff::tz::offset(-10)));
        assert_eq!(far.stamp(moment), "2026-10-22T23:12:00-10:00");
        assert_eq!(far.date(moment), "Thu 22 Oct 2026");
        for (seconds, stamp) in [
            (1172, "2026-10-23T09:32:00+00:20"),
            (-1172, "2026-10-23T08:52:00-00:20"),
            (7229, "2026-10-23T11:12:00+02:00"),
            (93_599, "2026-10-23T09:12:00+00:00"),
        ] {
            let zone = Zone(TimeZone::fixed(Offset::from_seconds(seconds).unwrap()));
            assert_eq!(zone.stamp(moment), stamp);
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
