//! What the stamps of another process tell: which of its datagrams is the newest, and which was long
//! on its way.
//!
//! Somebody on the path can hold a genuine datagram back for as long as its session lasts. Its stamp
//! is under the seal, so it shows: against the quickest datagram of the process it lags behind. Two
//! clocks need not agree on anything but the length of a second, and not for long: whoever lags is
//! asked, and what cannot be old sets the measure anew. That is an answer to a call of ours, and
//! whatever comes under a session that is young itself.

use core::time::Duration;

use crate::machine::time::Time;

/// After so long a silence older stamps count as newer ones: a clock may have stood still, or begun
/// anew.
const FORGET: Duration = Duration::from_secs(60);

/// What may be older than this proves nothing about now.
const LATE: Duration = Duration::from_secs(10);

/// The clock of another process, as far as it is known.
#[derive(Debug, Default, Hash)]
pub(super) struct Stamps {
    /// The newest stamp, and when it came.
    latest: Option<(u32, Time)>,
    /// The least that our clock was ahead of a stamp when it came, in microseconds modulo 2³².
    ahead: Option<u32>,
}

impl Stamps {
    /// Takes the stamp of a genuine datagram, which came under a session of that age: whether none
    /// before was newer, and whether it was not long on its way, as far as anybody can tell.
    pub(super) fn take(&mut self, now: Time, stamp: u32, age: Duration) -> (bool, bool) {
        let newest = self.latest.is_none_or(|(latest, at)| {
            stamp.wrapping_sub(latest) <= u32::MAX / 2 || now.since(at) > FORGET
        });
        if newest {
            self.latest = Some((stamp, now));
        }
        let ahead = now.stamp().wrapping_sub(stamp);
        let lag = self.ahead.map(|least| i64::from(ahead.wrapping_sub(least).cast_signed()));
        let lags = lag.is_none_or(|lag| lag > LATE.as_micros() as i64);
        let timely = !lags || age <= LATE;
        if timely && lag.is_none_or(|lag| lag < 0 || lags) {
            self.ahead = Some(ahead);
        }
        (newest, timely)
    }

    /// The datagram with that stamp answers a call of ours: it cannot be old.
    pub(super) fn proven(&mut self, now: Time, stamp: u32) {
        self.take(now, stamp, Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Duration = Duration::from_secs(60);

    const fn at(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    fn timely(stamps: &mut Stamps, now: u64, sent: u64) -> bool {
        stamps.take(at(now), at(sent).stamp(), OLD).1
    }

    #[test]
    fn what_was_held_back_lags() {
        let mut stamps = Stamps::default();
        assert!(!timely(&mut stamps, 1_000, 900), "nothing is known yet");
        stamps.proven(at(1_100), at(1_000).stamp());
        assert!(timely(&mut stamps, 1_200, 1_100));
        assert!(timely(&mut stamps, 11_100, 1_000), "ten seconds late");
        assert!(!timely(&mut stamps, 11_101, 1_000), "and a bit");
        // A quicker one is the measure from then on.
        assert!(timely(&mut stamps, 12_000, 11_950));
        assert!(!timely(&mut stamps, 22_100, 12_000));
    }

    #[test]
    fn what_comes_under_a_young_session_is_young() {
        let mut stamps = Stamps::default();
        assert_eq!(stamps.take(at(9_000), at(5_000_000).stamp(), LATE), (true, true));
        assert!(timely(&mut stamps, 60_000, 5_050_000), "and sets the measure");
        assert!(!timely(&mut stamps, 80_000, 5_050_000));
    }

    #[test]
    fn a_clock_that_stood_still_is_forgiven_once_it_answers() {
        let mut stamps = Stamps::default();
        stamps.proven(at(1_000), at(1_000).stamp());
        // It slept for ten minutes, and its clock with it.
        assert!(!timely(&mut stamps, 601_000, 1_000));
        stamps.proven(at(601_100), at(1_100).stamp());
        assert!(timely(&mut stamps, 602_000, 2_000));
    }

    #[test]
    fn stamps_wrap() {
        let (start, mut stamps) = (u64::from(u32::MAX) / 1_000 - 500, Stamps::default());
        stamps.proven(at(start), at(start).stamp());
        for ms in (start..start + 2_000).step_by(100) {
            assert_eq!(stamps.take(at(ms), at(ms).stamp(), OLD), (true, true), "{ms}");
            assert!(!stamps.take(at(ms), at(ms - 300).stamp(), OLD).0, "{ms}");
        }
    }
}
