//! What is known of one network path: its round trip, its loss, and whether it answers.
//!
//! Round trips come from timestamps echoed in every datagram (the idea of RFC 7323), not from
//! counting sends (Karn): when unanswered requests ride along in later datagrams, hardly any call is
//! sent just once. Smoothing follows RFC 6298. Integers only.

use core::time::Duration;

/// How often a request is sent before its call fails.
pub(crate) const SENDS_MAX: u8 = 5;

/// The first re-send delay while no round trip was measured.
const DELAY_UNKNOWN: Duration = Duration::from_millis(250);

/// The smallest slack over the smoothed round trip: a loaded host's scheduling delay.
const SLACK_MIN_US: u64 = 2_000;

/// No single delay is longer: a healed path is noticed within two seconds.
const DELAY_MAX: Duration = Duration::from_secs(2);

/// Delay after the n-th send, in 64ths of the first one. Growing, but not doubling at once:
/// doubling from the start is what makes delivery slow under loss.
const GROWTH: [u64; SENDS_MAX as usize] = [64, 65, 68, 128, 256];

/// Weight of one call in the loss estimate: one sixteenth.
const LOSS_SHIFT: u32 = 4;

/// Above this share of late calls, unanswered requests ride along (2 %).
const RIDE_PPM: u32 = 20_000;

/// Whoever is heard so often while no call is answered does not hear us.
const HEARD_ONLY: u8 = 2;

/// A sample above this is an artefact (a suspended host, a very late duplicate).
const SAMPLE_MAX: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Path {
    srtt_us: Option<u64>,
    rttvar_us: u64,
    loss_ppm: u32,
    failures: u32,
    /// How often silence ended because they were heard, since they last answered.
    heard_only: u8,
}

impl Path {
    /// Takes one measured round trip.
    pub(crate) fn sample(&mut self, rtt: Duration) {
        if rtt > SAMPLE_MAX {
            return;
        }
        let us = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        match self.srtt_us {
            None => {
                self.srtt_us = Some(us);
                self.rttvar_us = us / 2;
            }
            Some(srtt) => {
                self.rttvar_us = (3 * self.rttvar_us + srtt.abs_diff(us)) / 4;
                self.srtt_us = Some((7 * srtt + us) / 8);
            }
        }
    }

    /// A call was answered in time, or is `late`: not answered when its first re-send was due.
    pub(crate) const fn answered(&mut self, late: bool) {
        let decayed = self.loss_ppm - (self.loss_ppm >> LOSS_SHIFT);
        self.loss_ppm = if late { decayed + (1_000_000 >> LOSS_SHIFT) } else { decayed };
    }

    /// A call failed.
    pub(crate) const fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// The other end has answered. True when it had stopped before.
    pub(crate) const fn alive(&mut self) -> bool {
        self.heard_only = 0;
        core::mem::replace(&mut self.failures, 0) > 0
    }

    /// The other end was heard, so it may answer again: true when it had stopped before. From the third time
    /// on it has to answer: it is there, and does not hear us.
    pub(crate) const fn heard(&mut self) -> bool {
        let back = self.failures > 0 && self.heard_only < HEARD_ONLY;
        if back {
            self.heard_only += 1;
            self.failures = 0;
        }
        back
    }

    /// Calls have failed and nothing was heard since.
    pub(crate) const fn is_silent(&self) -> bool {
        self.failures > 0
    }

    /// How long to wait after the `sends`-th send (1 to [`SENDS_MAX`]).
    pub(crate) fn delay(&self, sends: u8) -> Duration {
        let first = match self.srtt_us {
            None => DELAY_UNKNOWN,
            Some(srtt) => Duration::from_micros(srtt + (4 * self.rttvar_us).max(SLACK_MIN_US)),
        };
        let backed_off = first.saturating_mul(1 << self.failures.min(10));
        let growth = GROWTH[usize::from(sends.clamp(1, SENDS_MAX)) - 1];
        (backed_off.saturating_mul(growth as u32) / 64).min(DELAY_MAX)
    }

    /// The path loses enough for unanswered requests to ride along in every new datagram.
    pub(crate) const fn is_lossy(&self) -> bool {
        self.loss_ppm > RIDE_PPM
    }

    /// How many of a million calls are late, lately.
    pub(crate) const fn loss_ppm(&self) -> u32 {
        self.loss_ppm
    }

    /// The smoothed round trip.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.srtt_us.map(Duration::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_slowly_and_then_double() {
        let path = Path::default();
        let delays: Vec<u128> = (1..=5).map(|n| path.delay(n).as_millis()).collect();
        assert_eq!(delays, [250, 253, 265, 500, 1000]);
    }

    #[test]
    fn the_first_delay_follows_the_round_trip() {
        let mut path = Path::default();
        (0..100).for_each(|_| path.sample(Duration::from_millis(50)));
        assert_eq!(path.delay(1), Duration::from_micros(52_000));
        path.sample(Duration::from_secs(11));
        assert_eq!(path.rtt(), Some(Duration::from_millis(50)), "an artefact is no sample");
    }

    #[test]
    fn a_silent_path_is_asked_at_least_every_two_seconds() {
        let mut path = Path::default();
        (0..40).for_each(|_| path.failed());
        assert!((1..=5).all(|n| path.delay(n) == DELAY_MAX));
        assert!(path.is_silent() && path.alive() && !path.is_silent() && !path.alive());
    }

    #[test]
    fn who_is_heard_and_never_answers_stays_silent() {
        let mut path = Path::default();
        assert!(!path.heard());
        for _ in 0..HEARD_ONLY {
            path.failed();
            assert!(path.heard() && !path.is_silent());
        }
        path.failed();
        assert!(!path.heard() && path.is_silent());
        assert!(path.alive() && !path.is_silent());
        path.failed();
        assert!(path.heard(), "they have answered since");
    }

    #[test]
    fn riding_starts_above_two_percent_and_ends_below() {
        let mut path = Path::default();
        assert!(!path.is_lossy());
        path.answered(true);
        assert!(path.is_lossy());
        (0..100).for_each(|_| path.answered(false));
        assert!(!path.is_lossy());
    }
}
