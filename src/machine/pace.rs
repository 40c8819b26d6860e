//! How often something may happen: a leaky bucket that is one instant.
//!
//! The generic cell rate algorithm (ITU-T I.371): of a steady stream one comes in every interval, and
//! the instant at which the next one would be due tells how much of a burst is used up. Nothing has to
//! be refilled, and nothing is counted.

use core::time::Duration;

use crate::machine::time::Time;

/// A rate, and how much of it may come at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// One comes in so much time.
    pub(crate) every: Duration,
    /// So many may come at once, when none came for long.
    pub(crate) burst: u32,
}

impl Rate {
    pub(crate) const fn new(every: Duration, burst: u32) -> Self {
        Self { every, burst }
    }

    /// How far ahead of the clock the next due instant may run.
    const fn ahead(self) -> Duration {
        self.every.saturating_mul(self.burst.saturating_sub(1))
    }
}

/// How much of a [`Rate`] is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pace {
    /// When the next one would be due, had they come evenly.
    due: Time,
}

impl Pace {
    /// Whether one more may come now; if so, it is counted.
    pub(crate) fn take(&mut self, now: Time, rate: Rate) -> bool {
        let may = self.next(rate) <= now;
        if may {
            self.due = self.due.max(now) + rate.every;
        }
        may
    }

    /// The same for `many` at once: all of them, or none.
    pub(crate) fn take_many(&mut self, now: Time, rate: Rate, many: u32) -> bool {
        let may = self.room(now, rate) >= many;
        if may {
            self.due = self.due.max(now) + rate.every.saturating_mul(many);
        }
        may
    }

    /// Sets one more apart, and says when its turn comes: now, or later.
    pub(crate) fn reserve(&mut self, now: Time, rate: Rate) -> Time {
        let turn = self.next(rate).max(now);
        self.due = self.due.max(now) + rate.every;
        turn
    }

    /// When one more may come.
    pub(crate) fn next(self, rate: Rate) -> Time {
        self.due.before(rate.ahead())
    }

    /// How many may come now, at once.
    pub(crate) fn room(self, now: Time, rate: Rate) -> u32 {
        let ahead = self.due.since(now);
        let free = (rate.every.saturating_mul(rate.burst)).saturating_sub(ahead);
        u32::try_from(free.as_micros() / rate.every.as_micros().max(1)).unwrap_or(u32::MAX)
    }

    /// When nothing is used up any more, so that it need not be remembered: now, or later.
    pub(crate) fn idle_at(self, now: Time) -> Time {
        self.due.max(now)
    }
}

/// Something that is told at a rate: now, or when its turn comes, with what has become of it by then.
#[derive(Debug, Default, Hash)]
pub(crate) struct Notice {
    told: Pace,
    due: Option<Time>,
}

impl Notice {
    /// Whether it may be told now. Else it is due later.
    pub(crate) fn may_be_told(&mut self, now: Time, rate: Rate) -> bool {
        let free = self.told.take(now, rate);
        self.due = (!free).then(|| self.told.next(rate));
        free
    }

    /// There is nothing to tell any more.
    pub(crate) const fn cancel(&mut self) {
        self.due = None;
    }

    /// When it is due, if it waits.
    pub(crate) const fn due(&self) -> Option<Time> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_waits_for_its_turn_and_may_be_cancelled() {
        let mut notice = Notice::default();
        assert!((0..3).all(|_| notice.may_be_told(ms(0), RATE)) && notice.due().is_none());
        assert!(!notice.may_be_told(ms(0), RATE));
        assert_eq!(notice.due(), Some(ms(100)));
        assert!(notice.may_be_told(ms(100), RATE) && notice.due().is_none());
        assert!(!notice.may_be_told(ms(100), RATE));
        notice.cancel();
        assert_eq!(notice.due(), None);
    }

    const RATE: Rate = Rate::new(Duration::from_millis(100), 3);

    const fn ms(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    #[test]
    fn a_burst_and_then_one_at_a_time() {
        let mut pace = Pace::default();
        assert!((0..3).all(|_| pace.take(ms(1_000), RATE)));
        assert!(!pace.take(ms(1_000), RATE) && !pace.take(ms(1_099), RATE));
        assert!(pace.take(ms(1_100), RATE) && !pace.take(ms(1_100), RATE));
        assert_eq!((pace.idle_at(ms(1_300)), pace.idle_at(ms(2_000))), (ms(1_400), ms(2_000)));
        assert!((0..3).all(|_| pace.take(ms(9_000), RATE)), "idle time fills it, and no more");
        assert!(!pace.take(ms(9_000), RATE));
    }

    #[test]
    fn what_is_set_apart_has_a_turn() {
        let mut pace = Pace::default();
        let turns: Vec<Time> = (0..5).map(|_| pace.reserve(ms(1_000), RATE)).collect();
        assert_eq!(turns, [ms(1_000), ms(1_000), ms(1_000), ms(1_100), ms(1_200)]);
        assert_eq!((pace.room(ms(1_000), RATE), pace.room(ms(1_400), RATE)), (0, 2));
    }

    /// Whatever is tried when, no more than the burst and the rate come in any time.
    #[test]
    fn no_more_than_the_rate() {
        fn property(pauses: Vec<u8>) -> bool {
            let (mut pace, mut now, mut taken) = (Pace::default(), 1_000, Vec::new());
            for pause in pauses {
                now += u64::from(pause);
                if pace.take(ms(now), RATE) {
                    taken.push(now);
                }
            }
            let fits = |(at, &first): (usize, &u64)| {
                taken[at..].iter().enumerate().all(|(n, &last)| {
                    let most = 3 + (last - first) / 100;
                    (n as u64) < most
                })
            };
            taken.iter().enumerate().all(fits)
        }
        crate::machine::quickcheck().quickcheck(property as fn(Vec<u8>) -> bool);
    }
}
