//! How many datagrams may be under way on one path: enough to fill it, and few enough that what is said
//! next does not wait behind them.
//!
//! The law is that of Copa (Arun and Balakrishnan, "Copa: Practical Delay-Based Congestion Control for the
//! Internet", NSDI 2018): whoever sends aims at a rate of `1 / (δ · queueing delay)` datagrams, with δ = 1/2.
//! The queueing delay is what the smallest of the last round trips has above the smallest of many minutes, so
//! loss alone shrinks nothing, and neither does jitter. Two things differ, since a room sends little to many.
//! A window moves once in a round trip, to the aim itself and by no more than half; and the paths whose delay
//! is up at one time most likely share a line, so each of `n` aims at the n-th part of one flow.
//! A window below one datagram is a pause between two. Integers only.

use core::time::Duration;

use crate::machine::time::Time;

/// What one datagram counts in a window.
const ONE: u32 = 256;

/// The window of a path of which nothing is known (RFC 6928), the smallest, and the largest: one datagram in
/// sixteen round trips, and more than the calls that may be open.
const FIRST: u32 = 10 * ONE;
const LEAST: u32 = ONE / 16;
const MOST: u32 = 64 * ONE;

/// A path that was silent begins anew with so much.
const AFTER_SILENCE: u32 = ONE;

/// One of which nothing was heard for a while has so much at least.
const AFTER_PAUSE: u32 = 4 * ONE;

/// A round trip is no smaller than it was because a processor is busy: so much more is no queue, and neither
/// is an eighth of the smallest.
const SLACK_US: u64 = 10_000;

/// The smallest round trip is that of the last one to two of these: the way may become longer.
const FLOOR_KEPT: Duration = Duration::from_secs(300);

/// A queue is remembered for four of its round trips, so long at least and so long at most.
const STALE: Duration = Duration::from_secs(2);
const STALE_MOST: Duration = Duration::from_secs(10);

/// What one path carries.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Copa {
    window: u32,
    /// The smallest round trips of this epoch and of the one before, and when it began.
    floor_us: [u64; 2],
    epoch: Time,
    /// The same of half a round trip.
    standing_us: [u64; 2],
    half: Time,
    /// When a round trip was measured last.
    sampled: Time,
    /// When the window moved last.
    moved: Time,
    /// It was used up since.
    used_up: bool,
    /// It has never been too large: it may double.
    doubles: bool,
}

impl Default for Copa {
    fn default() -> Self {
        Self {
            window: FIRST,
            floor_us: [u64::MAX; 2],
            epoch: Time::ZERO,
            standing_us: [u64::MAX; 2],
            half: Time::ZERO,
            sampled: Time::ZERO,
            moved: Time::ZERO,
            used_up: false,
            doubles: true,
        }
    }
}

impl Copa {
    /// One for who knows how much may be asked at once, and asks no more.
    pub(crate) fn wide() -> Self {
        Self { window: MOST, ..Self::default() }
    }

    /// Takes one measured round trip. `sharing` is how many paths have their delay up, this one not counted.
    pub(crate) fn sample(&mut self, now: Time, rtt_us: u64, sharing: u32) {
        if self.is_stale(now) {
            self.window = self.window.max(ONE);
            self.standing_us = [u64::MAX; 2];
        }
        self.sampled = now;
        roll(&mut self.floor_us, rtt_us, now.since(self.epoch) > FLOOR_KEPT, || self.epoch = now);
        let half = Duration::from_micros(rtt_us / 2);
        roll(&mut self.standing_us, rtt_us, now.since(self.half) > half, || self.half = now);
        let (standing, queue) = (self.standing(), self.queue_us());
        if now.since(self.moved) < Duration::from_micros(standing) {
            return;
        }
        self.moved = now;
        let share = u64::from(sharing) + 1;
        let aim = (2 * u64::from(ONE) * standing).checked_div(queue * share);
        let aim = aim.map_or(MOST, |aim| u32::try_from(aim).unwrap_or(MOST));
        if aim < self.window {
            self.doubles = false;
            self.window = aim.max(self.window / 2).max(LEAST);
        } else if core::mem::take(&mut self.used_up) {
            let step = if self.doubles { self.window } else { 2 * ONE / share as u32 };
            self.window = (self.window + step.max(1)).min(aim).min(MOST);
        }
    }

    /// Something waits for the window.
    pub(crate) const fn waits(&mut self) {
        self.used_up = true;
    }

    /// Nothing was answered for long: what is known of the queue is old.
    pub(crate) fn begin_again(&mut self, now: Time) {
        self.sampled = now;
        self.window = AFTER_SILENCE;
        self.standing_us = [u64::MAX; 2];
        self.doubles = true;
    }

    /// Whether one more datagram may leave while so many are under way.
    pub(crate) fn has_room(&self, now: Time, under_way: usize) -> bool {
        let least = if self.is_stale(now) { AFTER_PAUSE } else { 0 };
        let window = u64::from(self.window.max(least));
        under_way == 0 || (under_way as u64 + 1) * u64::from(ONE) <= window
    }

    /// When the next datagram may leave after one that left then: at once, with a window of one or more, or when
    /// what is known is old.
    pub(crate) fn next(&self, after: Time) -> Time {
        if self.window >= ONE {
            return after;
        }
        let apart = self.standing().saturating_mul(ONE.into()) / u64::from(self.window);
        (after + Duration::from_micros(apart)).min(self.stale_at().max(after))
    }

    /// The smallest round trip of the last minutes.
    pub(crate) fn floor(&self) -> Duration {
        Duration::from_micros(self.floor_us[0].min(self.floor_us[1]))
    }

    /// A queue stands on the path.
    pub(crate) fn is_congested(&self) -> bool {
        self.queue_us() > 0
    }

    /// Nothing was measured for so long that the queue there was is gone.
    pub(crate) fn is_stale(&self, now: Time) -> bool {
        now >= self.stale_at()
    }

    /// From when on.
    fn stale_at(&self) -> Time {
        let kept = STALE.max(Duration::from_micros(self.standing().saturating_mul(4)));
        self.sampled + kept.min(STALE_MOST)
    }

    /// The smallest of the last round trips.
    fn standing(&self) -> u64 {
        self.standing_us[0].min(self.standing_us[1])
    }

    /// How long what is sent waits on its way.
    fn queue_us(&self) -> u64 {
        let (floor, standing) = (self.floor_us[0].min(self.floor_us[1]), self.standing());
        if standing == u64::MAX {
            return 0;
        }
        standing.saturating_sub(floor).saturating_sub(SLACK_US.max(floor / 8))
    }
}

/// Notes a value among the smallest of two spans; a `new` span begins.
fn roll(smallest: &mut [u64; 2], value: u64, new: bool, begins: impl FnOnce()) {
    if new {
        *smallest = [u64::MAX, smallest[0]];
        begins();
    }
    smallest[0] = smallest[0].min(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    /// A window after so many round trips of so long, used up each time.
    fn after(copa: &mut Copa, from: u64, trips: u64, rtt_ms: u64, sharing: u32) -> (u64, u32) {
        let mut now = from;
        for _ in 0..trips {
            now += rtt_ms;
            copa.waits();
            copa.sample(ms(now), rtt_ms * 1_000, sharing);
        }
        (now, copa.window)
    }

    #[test]
    fn a_path_without_a_queue_carries_ever_more() {
        let mut copa = Copa::default();
        assert!(copa.has_room(ms(0), 9) && !copa.has_room(ms(0), 10) && copa.next(ms(0)) == ms(0));
        assert_eq!(after(&mut copa, 0, 4, 50, 0).1, MOST);
        assert!(!copa.is_congested());
    }

    #[test]
    fn who_sends_little_learns_nothing_of_what_the_path_carries() {
        let mut copa = Copa::default();
        (1..9).for_each(|n| copa.sample(ms(n * 100), 50_000, 0));
        assert_eq!(copa.window, FIRST);
    }

    #[test]
    fn a_queue_shrinks_it_below_one_datagram_and_one_stays_under_way() {
        let mut copa = Copa::default();
        let (now, _) = after(&mut copa, 0, 3, 600, 0);
        let (now, window) = after(&mut copa, now, 20, 2_600, 0);
        // 2.6 s with 0.6 s of path, 75 ms of slack: two datagrams in 1.925 s.
        assert_eq!(window, (2 * ONE * 2_600) / 1_925);
        assert!(copa.is_congested() && copa.has_room(ms(now), 1) && !copa.has_room(ms(now), 2));
        let (now, window) = after(&mut copa, now, 20, 2_600, 7);
        assert_eq!(window, (2 * ONE * 2_600) / 1_925 / 8);
        assert!(copa.has_room(ms(now), 0) && !copa.has_room(ms(now), 1));
        assert_eq!(
            copa.next(ms(now)).since(ms(now)).as_secs(),
            2_600 * u64::from(ONE) / u64::from(window) / 1_000
        );
        // What is known of a queue holds nobody up for longer than it is believed.
        let (_, window) = after(&mut copa, now, 20, 2_600, 60);
        assert_eq!((window, copa.next(copa.sampled)), (LEAST, copa.sampled + STALE_MOST));
    }

    #[test]
    fn jitter_is_no_queue() {
        let mut copa = Copa::default();
        for n in 1..200 {
            copa.waits();
            copa.sample(ms(n * 10), if n % 3 == 0 { 50_000 } else { 200_000 }, 0);
        }
        assert!(!copa.is_congested() && copa.window == MOST, "{copa:?}");
    }

    #[test]
    fn a_way_that_has_become_longer_is_no_queue_for_ever() {
        let mut copa = Copa::default();
        let (now, _) = after(&mut copa, 0, 10, 50, 0);
        let (now, _) = after(&mut copa, now, 100, 500, 0);
        assert!(copa.is_congested());
        after(&mut copa, now, 1_200, 500, 0);
        assert!(!copa.is_congested() && copa.window > AFTER_SILENCE);
    }

    #[test]
    fn after_a_silence_it_begins_with_little() {
        let mut copa = Copa::default();
        let (now, _) = after(&mut copa, 0, 9, 50, 0);
        copa.begin_again(ms(now));
        assert_eq!(copa.window, AFTER_SILENCE);
        assert_eq!(after(&mut copa, now, 2, 50, 0).1, 4 * AFTER_SILENCE);
    }

    /// Whatever it is told, one datagram may be under way, and no pause is longer than sixteen of the round
    /// trips that were measured.
    #[test]
    fn it_never_stops() {
        fn property(trips: Vec<(u16, u32, u8, bool)>) -> bool {
            let (mut copa, mut now, mut longest) = (Copa::default(), Time::ZERO, 0);
            trips.into_iter().all(|(pause, rtt, sharing, silence)| {
                now = now + Duration::from_millis(pause.into());
                let rtt = u64::from(rtt) % 60_000_000;
                longest = longest.max(rtt);
                copa.sample(now, rtt, sharing.into());
                if silence {
                    copa.begin_again(now);
                }
                copa.has_room(now, 0) && copa.next(now) <= now + Duration::from_micros(16 * longest)
            })
        }
        crate::machine::quickcheck().quickcheck(property as fn(Vec<(u16, u32, u8, bool)>) -> bool);
    }
}
