//! What is known of one network path: its round trip, its loss, whether it answers, and when it is its turn.
//!
//! Round trips come from timestamps echoed in every datagram (the idea of RFC 7323), not from
//! counting sends (Karn): when unanswered requests ride along in later datagrams, hardly any call is
//! sent just once. Smoothing follows RFC 6298. Integers only.

use core::time::Duration;

use crate::machine::copa::Copa;
use crate::machine::time::Time;

/// How often a request is sent before its call fails.
pub(crate) const SENDS_MAX: u8 = 5;

/// The first re-send delay while no round trip was measured.
const DELAY_UNKNOWN: Duration = Duration::from_millis(250);

/// The smallest slack over the smoothed round trip: a loaded host's scheduling delay.
const SLACK_MIN_US: u64 = 2_000;

/// Whoever slept answers late: no way is taken for longer than eight times the shortest ever, and a long queue.
const QUEUE_MAX: Duration = Duration::from_secs(4);

/// What was measured long ago may be too much: nothing is left of the queue there was.
const STALE_MAX: Duration = Duration::from_secs(1);

/// Who is silent, and was never measured, is waited for so long at least: there and back by a satellite, twice, and a
/// queue.
const FAR_AWAY: Duration = Duration::from_secs(2);

/// Delays grow no further than this; who is farther away is waited for no longer than the first time.
const GROWS_TO: Duration = Duration::from_secs(4);

/// Whoever is silent is asked with one datagram at a time, with pauses that double up to this: most of them are
/// gone, and the link to the others may be slow.
const SILENT_LAST: Duration = Duration::from_secs(15);

/// A nodeset, which brings together those who have moved.
const NODESET_LAST: Duration = Duration::from_secs(8);

/// Where so many calls were late before, the first of these may be lost, and come faster.
const BAD_LUCK_PPM: u32 = 300_000;
const BAD_LUCK: u8 = 8;

/// And so many of those to who has never answered.
const BAD_LUCK_UNKNOWN: u8 = 6;

/// So many late calls in a row are a sign that the path is cut: at 30 % loss one in seven is that.
const DOUBTFUL: u8 = 2;

/// And so many, where little was lost before, that nothing gets through: it goes on with one datagram at a time.
const CUT: u8 = 3;

/// So long a silence is more than bad luck.
const SILENT_FOR_LONG: Duration = Duration::from_secs(3);

/// When others are back, pauses double from here.
const IN_VAIN_LEAST: u8 = 2;

/// Delay after the n-th send, in 64ths of the first one. Growing, but not doubling at once:
/// doubling from the start is what makes delivery slow under loss.
const GROWTH: [u64; SENDS_MAX as usize] = [64, 65, 68, 128, 256];

/// Weight of one call in the loss estimate: one sixteenth.
const LOSS_SHIFT: u32 = 4;

/// Above this share of late calls, unanswered requests ride along (2 %).
const RIDE_PPM: u32 = 20_000;

/// Whoever is heard so often while no call is answered does not hear us.
const HEARD_ONLY: u8 = 2;

/// But it may have come back since: it is believed once more after so long.
const HEARD_ANEW: Duration = Duration::from_secs(15);

/// Whoever is heard, and has not answered what was asked so long ago, is asked again.
const HEARD_AFTER: Duration = Duration::from_secs(1);

/// A round trip that was short may be so long the next time, or twice as long as was to be expected.
const GROWS_BY_US: u64 = 500_000;

/// A sample above this is an artefact (a suspended host, a very late duplicate).
const SAMPLE_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Hash)]
pub(crate) struct Path {
    srtt_us: Option<u64>,
    rttvar_us: u64,
    /// When a round trip was longer than was to be expected, last.
    grown: Time,
    loss_ppm: u32,
    /// The same when it last answered: what is not answered since tells nothing of what is lost.
    late_ppm: u32,
    failures: u32,
    /// When the first of them did.
    silent_since: Time,
    /// A long silence has ended with something that may be old.
    perhaps_back: bool,
    /// Calls in a row that were late.
    late: u8,
    /// How often silence ended because they were heard, since they last answered.
    heard_only: u8,
    /// When one did last.
    heard_at: Time,
    /// Datagrams with requests that have left since it is silent.
    in_vain: u8,
    /// When the last one left.
    asked: Time,
    /// The next one to who is silent has its place among all those.
    reserved: bool,
    /// The longest pause between two while it is silent.
    longest: Duration,
    copa: Copa,
}

/// A silence that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// There was none.
    None,
    /// There was none yet, but an answer is overdue.
    Overdue,
    /// So that it may have been bad luck.
    Short,
    /// So that there was no way.
    Long,
}

/// When requests may leave on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Now.
    Now,
    /// Then.
    At(Time),
    /// When one that is under way is answered, or lost.
    Next,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            srtt_us: None,
            rttvar_us: 0,
            grown: Time::ZERO,
            loss_ppm: 0,
            late_ppm: 0,
            failures: 0,
            silent_since: Time::ZERO,
            perhaps_back: false,
            late: 0,
            heard_only: 0,
            heard_at: Time::ZERO,
            in_vain: 0,
            asked: Time::ZERO,
            reserved: false,
            longest: SILENT_LAST,
            copa: Copa::default(),
        }
    }
}

impl Path {
    /// One to a nodeset.
    pub(crate) fn to_nodeset() -> Self {
        Self { longest: NODESET_LAST, copa: Copa::wide(), ..Self::default() }
    }

    /// One to who has not answered before.
    pub(crate) fn of_who_is_silent() -> Self {
        Self { failures: 1, ..Self::default() }
    }

    /// Nothing was sent over it.
    pub(crate) fn is_unknown(&self) -> bool {
        self.asked == Time::ZERO
    }

    /// Takes one measured round trip. `sharing` is how many other paths have their delay up. True when it is far below
    /// all before.
    pub(crate) fn sample(&mut self, now: Time, rtt: Duration, sharing: u32) -> bool {
        if rtt > SAMPLE_MAX {
            return false;
        }
        let us = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        // A queue does not grow by more than that at once: who slept answers late.
        self.copa.sample(now, us.min(self.longest_us(now)), sharing);
        let us = self.believed(now, us);
        // Far below all before: a queue is gone, and what was measured tells nothing any more.
        let believes = self.srtt_us.filter(|srtt| us >= srtt / 2);
        match believes {
            None => {
                self.srtt_us = Some(us);
                self.rttvar_us = us / 2;
            }
            Some(srtt) => {
                self.rttvar_us = (3 * self.rttvar_us + srtt.abs_diff(us)) / 4;
                self.srtt_us = Some((7 * srtt + us) / 8);
            }
        }
        believes.is_none()
    }

    /// What is believed of a round trip: who slept answers all at once, and late. A way that has become longer is known
    /// to be after a few.
    fn believed(&mut self, now: Time, us: u64) -> u64 {
        let Some(srtt) = self.srtt_us else { return us };
        let delay = self.first_delay(now);
        let longest = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        if us <= longest {
            return us;
        }
        if now.since(self.grown) < delay {
            return srtt;
        }
        self.grown = now;
        us.min(self.longest_us(now))
    }

    /// The longest round trip that is believed now.
    fn longest_us(&self, now: Time) -> u64 {
        let delay = u64::try_from(self.first_delay(now).as_micros()).unwrap_or(u64::MAX);
        if self.srtt_us.is_some() { GROWS_BY_US.max(delay.saturating_mul(2)) } else { u64::MAX }
    }

    /// A call was answered in time, or is `late`: not answered when its first re-send was due.
    pub(crate) const fn answered(&mut self, late: bool) {
        self.late = if late { self.late.saturating_add(1) } else { 0 };
        let decayed = self.loss_ppm - (self.loss_ppm >> LOSS_SHIFT);
        self.loss_ppm = if late { decayed + (1_000_000 >> LOSS_SHIFT) } else { decayed };
    }

    /// A call failed.
    pub(crate) const fn failed(&mut self, now: Time) {
        if self.failures == 0 {
            (self.silent_since, self.perhaps_back) = (now, false);
        }
        self.failures = self.failures.saturating_add(1);
    }

    /// The other end has answered. Returns the silence that has ended.
    pub(crate) fn alive(&mut self, now: Time) -> Silence {
        (self.heard_only, self.late, self.late_ppm) = (0, 0, self.loss_ppm);
        self.ends_silence(now)
    }

    fn ends_silence(&mut self, now: Time) -> Silence {
        // Its place among the silent may have been far off.
        (self.asked, self.reserved) = (self.asked.min(now), false);
        let long = self.is_silent() && now.since(self.silent_since) >= SILENT_FOR_LONG;
        self.in_vain = 0;
        if long {
            self.copa.begin_again(now);
            // All who are back speak at once, and a queue forms.
            if self.loss_ppm < BAD_LUCK_PPM {
                let queue = self.srtt_us.unwrap_or_default().min(QUEUE_MAX.as_micros() as u64 / 2);
                self.rttvar_us = self.rttvar_us.max(queue);
            }
        }
        let long = long || core::mem::take(&mut self.perhaps_back);
        match (core::mem::take(&mut self.failures), long) {
            (_, true) => Silence::Long,
            (0, _) => Silence::None,
            (_, false) => Silence::Short,
        }
    }

    /// Something came that may be old, after which they may answer again. Whether a silence has ended, and how long it was is
    /// told once they were heard.
    pub(crate) fn perhaps_heard(&mut self, now: Time) -> bool {
        let before = core::mem::take(&mut self.perhaps_back);
        let silence = self.heard(now);
        self.perhaps_back = before || silence == Silence::Long;
        silence != Silence::None
    }

    /// The other end was heard, so it may answer again: a silence has ended. From the third time on it has to
    /// answer: it is there, and does not hear us.
    pub(crate) fn heard(&mut self, now: Time) -> Silence {
        // An answer is waited for that was lost, and perhaps for long.
        let overdue = self.late >= CUT && now.since(self.asked) >= HEARD_AFTER;
        let cut = self.is_cut();
        if self.perhaps_back {
            return self.ends_silence(now);
        }
        if self.heard_only >= HEARD_ONLY && now.since(self.heard_at) < HEARD_ANEW {
            return Silence::None;
        }
        if self.failures == 0 && !cut {
            if !overdue {
                return Silence::None;
            }
            (self.heard_only, self.heard_at) = (self.heard_only.saturating_add(1), now);
            return Silence::Overdue;
        }
        (self.heard_only, self.heard_at) = (self.heard_only.saturating_add(1), now);
        self.late = 0;
        match self.ends_silence(now) {
            Silence::None if cut => Silence::Short,
            silence => silence,
        }
    }

    /// Calls have failed and nothing was heard since.
    pub(crate) const fn is_silent(&self) -> bool {
        self.failures > 0
    }

    /// How long to wait after the `sends`-th send (1 to [`SENDS_MAX`]).
    pub(crate) fn delay(&self, now: Time, sends: u8) -> Duration {
        if self.is_silent() {
            return self.silent_pause(now);
        }
        let sends = sends.clamp(1, SENDS_MAX);
        if self.srtt_us.is_none() {
            return DELAY_UNKNOWN.saturating_mul(1 << sends.saturating_sub(3));
        }
        let growth = GROWTH[usize::from(sends) - 1];
        let first = self.first_delay(now);
        (first.saturating_mul(growth as u32) / 64).min(GROWS_TO).max(first)
    }

    /// How long an answer is waited for.
    fn first_delay(&self, now: Time) -> Duration {
        let Some(srtt) = self.srtt_us else { return DELAY_UNKNOWN };
        let delay = Duration::from_micros(srtt + (4 * self.rttvar_us).max(SLACK_MIN_US));
        let floor = self.copa.floor();
        let most = if self.copa.is_stale(now) {
            floor.saturating_mul(2).max(STALE_MAX)
        } else {
            floor.saturating_mul(8).saturating_add(QUEUE_MAX)
        };
        delay.min(most)
    }

    /// How long whoever is silent is left alone.
    fn silent_pause(&self, now: Time) -> Duration {
        let lost = match self.srtt_us {
            None => BAD_LUCK_UNKNOWN,
            Some(_) if self.loss_ppm > BAD_LUCK_PPM => BAD_LUCK,
            Some(_) => 0,
        };
        let doublings = self.in_vain.saturating_sub(lost).min(16);
        // How far away they are is not known: an answer may be long on its way.
        let least = if self.srtt_us.is_none() { FAR_AWAY } else { Duration::ZERO };
        self.first_delay(now).saturating_mul(2 << doublings).max(least).min(self.longest)
    }

    /// When requests may leave, while so many datagrams with some are under way.
    pub(crate) fn turn(&self, now: Time, under_way: usize) -> Turn {
        let at = match self.is_silent() {
            true => self.asked + self.silent_pause(now),
            false => self.copa.next(self.asked),
        };
        let room = if self.is_cut() { under_way == 0 } else { self.copa.has_room(now, under_way) };
        match (self.is_silent() || room, at <= now) {
            (false, _) => Turn::Next,
            (true, true) => Turn::Now,
            (true, false) => Turn::At(at),
        }
    }

    /// Something waits for its turn.
    pub(crate) const fn waits(&mut self) {
        self.copa.waits();
    }

    /// A datagram with requests leaves.
    pub(crate) fn asks(&mut self, now: Time) {
        self.asked = now;
        self.reserved = false;
        if self.is_silent() {
            self.in_vain = self.in_vain.saturating_add(1);
        }
    }

    /// Whether the next datagram is to who is silent, and has no place yet.
    pub(crate) const fn needs_place(&self) -> bool {
        self.is_silent() && !self.reserved
    }

    /// The next datagram has a place then.
    pub(crate) fn reserve(&mut self, at: Time) {
        self.asked = at.before(self.silent_pause(at));
        self.reserved = true;
    }

    /// Whoever is silent may answer now: they are asked then, and again soon.
    pub(crate) fn hasten(&mut self, at: Time) {
        if self.is_silent() && self.asked + self.silent_pause(at) > at {
            self.in_vain = self.in_vain.min(IN_VAIN_LEAST);
            self.reserve(at);
        }
    }

    /// So many answers in a row did not come in time that there may be nobody any more.
    pub(crate) const fn is_doubtful(&self) -> bool {
        self.is_silent() || self.late >= DOUBTFUL
    }

    /// A queue stands on the path.
    pub(crate) fn is_congested(&self) -> bool {
        self.copa.is_congested()
    }

    /// The path loses enough for unanswered requests to ride along in every new datagram: bytes beat loss, and
    /// make queues longer.
    pub(crate) fn is_lossy(&self) -> bool {
        self.loss_ppm > RIDE_PPM && !self.is_congested() && !self.is_cut()
    }

    /// It does, and so it did when it last answered: what is lost since is no cut.
    pub(crate) fn loses(&self) -> bool {
        self.is_lossy() && self.late_ppm > RIDE_PPM && self.late <= CUT
    }

    /// Nothing gets through of late, where little was lost before.
    pub(crate) const fn is_cut(&self) -> bool {
        self.late >= CUT && self.loss_ppm < BAD_LUCK_PPM
    }

    /// How many of a million calls were late when it last answered.
    pub(crate) const fn late_ppm(&self) -> u32 {
        self.late_ppm
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

    const fn ms(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    /// A path with a round trip of so many milliseconds, measured just before that time.
    fn measured(now: Time, rtt: u64) -> Path {
        let mut path = Path::default();
        for _ in 0..100 {
            path.sample(now, Duration::from_millis(rtt), 0);
        }
        path
    }

    fn delays(path: &Path, now: Time) -> Vec<u128> {
        (1..=SENDS_MAX).map(|n| path.delay(now, n).as_millis()).collect()
    }

    #[test]
    fn delays_grow_slowly_and_then_double() {
        assert_eq!(delays(&Path::default(), ms(0)), [250, 250, 250, 500, 1000], "nothing is known");
        assert_eq!(delays(&measured(ms(0), 50), ms(0)), [52, 52, 55, 104, 208]);
        assert_eq!(delays(&measured(ms(0), 3_000), ms(0)), [3002, 3048, 3189, 4000, 4000]);
        assert_eq!(delays(&measured(ms(0), 20_000), ms(0)), [20_002; 5]);
    }

    #[test]
    fn the_first_delay_follows_the_round_trip() {
        let mut path = measured(ms(0), 50);
        assert_eq!(path.delay(ms(0), 1), Duration::from_micros(52_000));
        path.sample(ms(0), Duration::from_secs(61), 0);
        assert_eq!(path.rtt(), Some(Duration::from_millis(50)), "an artefact is no sample");
    }

    #[test]
    fn who_slept_answers_late_and_that_is_not_believed_for_long() {
        let mut path = measured(ms(0), 50);
        for _ in 0..64 {
            path.sample(ms(9_000), Duration::from_secs(9), 0);
        }
        let delay = path.delay(ms(9_000), 1);
        assert!(delay < Duration::from_millis(200), "{delay:?}");
        // A way that is long for long is known to be.
        for n in 1..40 {
            path.sample(ms(9_000 + n * 3_000), Duration::from_secs(3), 0);
        }
        assert!(path.delay(ms(130_000), 1) >= Duration::from_secs(3));
        // And one sample far below all before is enough.
        assert!(path.sample(ms(130_000), Duration::from_millis(60), 0));
        assert!(path.delay(ms(130_000), 1) < Duration::from_millis(200));
    }

    #[test]
    fn who_was_never_measured_may_be_far_away() {
        let path = Path::of_who_is_silent();
        assert_eq!(path.delay(ms(0), 1), FAR_AWAY, "two round trips of 600 ms, and more");
    }

    #[test]
    fn after_a_silence_a_queue_is_expected_and_no_longer_one_than_there_can_be() {
        for (rtt, most) in [(1, 10), (600, 3_100), (3_500, 11_600)] {
            let mut path = measured(ms(0), rtt);
            path.failed(ms(1_000));
            assert_eq!(path.alive(ms(41_000)), Silence::Long);
            let delay = path.delay(ms(41_000), 1).as_millis() as u64;
            assert!((2 * rtt..=most).contains(&delay), "{delay} ms where one takes {rtt} ms");
        }
    }

    #[test]
    fn who_is_silent_is_asked_with_pauses_that_double() {
        let mut path = measured(ms(0), 500);
        path.failed(ms(0));
        let (mut now, mut pauses) = (ms(0), Vec::new());
        path.asks(now);
        for _ in 0..6 {
            let Turn::At(at) = path.turn(now, 7) else { panic!("it is asked at any rate") };
            pauses.push(at.since(now).as_millis());
            assert_eq!(path.turn(at, 7), Turn::Now);
            now = at;
            path.asks(now);
        }
        assert_eq!(pauses, [2008, 4016, 8032, 15_000, 15_000, 15_000]);
        path.reserve(now + Duration::from_secs(60));
        assert!(path.alive(now) == Silence::Long && path.turn(now, 0) == Turn::Now);
        assert_eq!(path.turn(now, 1), Turn::Next, "one at a time, at first");
    }

    #[test]
    fn where_much_is_lost_the_first_questions_come_faster() {
        let mut path = measured(ms(0), 50);
        (0..9).for_each(|_| path.answered(true));
        path.failed(ms(0));
        let mut now = ms(0);
        let mut asked = 0;
        while now < ms(2_500) {
            path.asks(now);
            let Turn::At(at) = path.turn(now, 0) else { panic!("it is silent") };
            (now, asked) = (at, asked + 1);
        }
        assert_eq!(asked, 12);
        assert_eq!(path.alive(now), Silence::Long);
        assert_eq!(path.alive(now), Silence::None);
    }

    #[test]
    fn nothing_rides_and_nothing_follows_where_all_is_cut() {
        let mut path = measured(ms(0), 50);
        path.answered(true);
        assert!(path.is_lossy() && path.turn(ms(0), 3) == Turn::Now && !path.is_doubtful());
        path.answered(true);
        assert!(path.is_lossy() && path.is_doubtful());
        path.answered(true);
        assert!(!path.is_lossy() && path.turn(ms(0), 1) == Turn::Next);
        // They are heard: what is open is asked again.
        assert!(path.heard(ms(0)) == Silence::Short && path.turn(ms(0), 1) == Turn::Now);
    }

    #[test]
    fn who_is_heard_and_never_answers_stays_silent() {
        let mut path = Path::default();
        assert_eq!(path.heard(Time::ZERO), Silence::None);
        for _ in 0..HEARD_ONLY {
            path.failed(ms(0));
            assert!(path.heard(Time::ZERO) != Silence::None && !path.is_silent());
        }
        path.failed(ms(0));
        assert!(path.heard(Time::ZERO) == Silence::None && path.is_silent());
        assert!(path.alive(Time::ZERO) != Silence::None && !path.is_silent());
        path.failed(ms(0));
        assert_ne!(path.heard(Time::ZERO), Silence::None, "they have answered since");
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
