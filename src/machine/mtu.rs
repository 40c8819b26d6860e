//! How large datagrams may be on one path. Some paths swallow the large ones and tell nobody (RFC 2923).
//!
//! Loss takes datagrams of any size. So a path is *small* when large ones were lost one after the other
//! while small ones were answered: what goes there is packed in small ones from then on, and large ones
//! are tried now and then, after pauses that grow (the idea of RFC 8899, with two sizes). To be wrong
//! costs a few headers. Nothing waits until this is known: as soon as it may be, what was lost twice goes
//! in small datagrams (`call/packing.rs`).

use std::collections::VecDeque;

use core::time::Duration;

use crate::machine::time::Time;

/// Large datagrams that are lost in a row, while small ones are answered, on a path that is small: one in
/// two is lost where three in ten are lost each way, and so many in a row one time in ten thousand.
const LOST: usize = 14;
const ANSWERED: u8 = 2;

/// So many make it likely enough that what is to arrive goes in small ones.
const DOUBTED: usize = 4;

/// Large datagrams that are remembered.
const REMEMBERED: usize = 2 * LOST;

/// How long large ones are not tried again on a path that has just become small, and at most; twice as
/// long each time.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_LAST: Duration = Duration::from_secs(600);

/// How many are tried then, and how far apart: loss takes some.
const TRIES: u8 = 3;
const TRY_APART: Duration = Duration::from_secs(1);

/// Large ones do not come through. They are tried again after pauses that grow.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Small {
    again: Option<Time>,
    pause: Duration,
}

impl Small {
    /// A large one did not come through, though small ones do. What was on its way before says nothing new.
    pub(crate) fn failed(&mut self, now: Time) {
        if !self.holds(now) {
            self.pause = (self.pause * 2).clamp(PAUSE_FIRST, PAUSE_LAST);
            self.again = Some(now + self.pause);
        }
    }

    /// A large one came through.
    pub(crate) fn passed(&mut self) {
        *self = Self::default();
    }

    /// Whether only small ones are to be sent now.
    pub(crate) fn holds(&self, now: Time) -> bool {
        self.again.is_some_and(|again| now < again)
    }

    const fn is_known(&self) -> bool {
        self.again.is_some()
    }
}

/// A large datagram, by its number.
#[derive(Clone, Debug, Hash)]
struct Large {
    flight: u32,
    bytes: usize,
    /// It was not answered in time.
    lost: bool,
}

/// What is known of the size of datagrams on one path.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Mtu {
    /// Those that nothing as large was answered after.
    large: VecDeque<Large>,
    /// Small ones that were answered since the first of these was lost.
    answered: u8,
    small: Small,
    /// On a small path: the size that did not come through, and how many of that were tried again.
    failed: usize,
    tries: u8,
}

impl Mtu {
    /// A large datagram leaves.
    pub(crate) fn sent(&mut self, now: Time, flight: u32, bytes: usize) {
        if self.small.is_known() {
            self.tries += 1;
            if self.tries < TRIES {
                self.small.again = Some(now + TRY_APART);
            } else {
                self.tries = 0;
                self.small.failed(now);
            }
            return;
        }
        if self.large.len() == REMEMBERED {
            self.large.pop_front();
        }
        self.large.push_back(Large { flight, bytes, lost: false });
    }

    /// A datagram was not answered in time.
    pub(crate) fn lost(&mut self, now: Time, flight: u32) {
        if let Some(large) = self.large.iter_mut().find(|large| large.flight == flight) {
            large.lost = true;
            self.judge(now);
        }
    }

    /// A datagram with so many bytes was answered; `large` or not.
    pub(crate) fn answered(&mut self, now: Time, bytes: usize, large: bool) {
        if !large {
            self.answered = if self.lost_count() > 0 { self.answered.saturating_add(1) } else { 0 };
            return self.judge(now);
        }
        self.large.retain(|other| other.bytes > bytes);
        if bytes >= self.failed {
            (self.failed, self.tries) = (0, 0);
            self.small.passed();
        }
    }

    /// For a while nothing at all was heard: what was lost then says nothing of its size.
    pub(crate) fn forget_lost(&mut self) {
        self.large.clear();
        self.answered = 0;
    }

    /// Whether it may well be that large ones do not come through.
    pub(crate) fn doubts(&self) -> bool {
        self.is_small() || self.lost_count() >= DOUBTED
    }

    fn lost_count(&self) -> usize {
        self.large.iter().filter(|large| large.lost).count()
    }

    /// Whether the path is small.
    pub(crate) const fn is_small(&self) -> bool {
        self.small.is_known()
    }

    /// How large a large datagram has to be to leave now, if one may: on a small path only what tells
    /// whether it still is.
    pub(crate) fn least(&self, now: Time) -> Option<usize> {
        (!self.small.holds(now)).then_some(self.failed)
    }

    /// Takes the path for small when all says so.
    fn judge(&mut self, now: Time) {
        if self.lost_count() < LOST || self.answered < ANSWERED {
            return;
        }
        let lost = self.large.iter().filter(|large| large.lost);
        self.failed = lost.map(|large| large.bytes).min().unwrap_or_default();
        self.small.failed(now);
        self.forget_lost();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    /// Sends large datagrams of that size, which are lost.
    fn lose(mtu: &mut Mtu, now: Time, flights: core::ops::Range<u32>, bytes: usize) {
        for flight in flights {
            mtu.sent(now, flight, bytes);
            mtu.lost(now, flight);
        }
    }

    fn small() -> Mtu {
        let mut mtu = Mtu::default();
        lose(&mut mtu, ms(0), 0..14, 1_000);
        (0..2).for_each(|_| mtu.answered(ms(0), 100, false));
        assert!(mtu.is_small());
        mtu
    }

    #[test]
    fn a_path_is_small_when_only_large_ones_are_lost() {
        let mut mtu = Mtu::default();
        lose(&mut mtu, ms(0), 0..30, 1_000);
        assert!(!mtu.is_small() && mtu.doubts(), "perhaps nothing comes through");
        mtu.answered(ms(1), 100, false);
        assert!(!mtu.is_small());
        mtu.answered(ms(1), 100, false);
        assert!(mtu.is_small() && mtu.least(ms(1)).is_none());
    }

    #[test]
    fn one_that_is_answered_clears_those_that_are_no_larger() {
        let mut mtu = Mtu::default();
        lose(&mut mtu, ms(0), 0..13, 700);
        mtu.sent(ms(0), 13, 700);
        mtu.answered(ms(0), 700, true);
        assert!(!mtu.doubts());
        // A path of 800 bytes.
        lose(&mut mtu, ms(0), 14..27, 1_000);
        mtu.answered(ms(0), 700, true);
        (0..9).for_each(|_| mtu.answered(ms(0), 100, false));
        assert!(!mtu.is_small());
        lose(&mut mtu, ms(0), 27..28, 1_000);
        assert!(mtu.is_small());
        // What is smaller than what failed shows nothing.
        assert_eq!(mtu.least(ms(5_000)), Some(1_000));
        mtu.answered(ms(5_000), 700, true);
        assert!(mtu.is_small());
    }

    #[test]
    fn a_silence_says_nothing_of_sizes() {
        let mut mtu = Mtu::default();
        lose(&mut mtu, ms(0), 0..30, 1_000);
        mtu.forget_lost();
        (0..9).for_each(|_| mtu.answered(ms(1), 100, false));
        assert!(!mtu.is_small() && !mtu.doubts());
    }

    #[test]
    fn large_ones_are_tried_again_ever_more_rarely() {
        let (mut mtu, mut now, mut tried) = (small(), ms(0), Vec::new());
        while now < ms(3_600_000) {
            if mtu.least(now).is_some() {
                mtu.sent(now, 0, 1_000);
                tried.push(now);
            }
            now = now + Duration::from_millis(100);
        }
        assert_eq!(tried[..4], [ms(5_000), ms(6_000), ms(7_000), ms(17_000)]);
        assert!((30..45).contains(&tried.len()), "{} in an hour", tried.len());
        mtu.answered(now, 1_000, true);
        assert!(!mtu.is_small() && mtu.least(now) == Some(0));
    }

    #[test]
    fn what_is_on_its_way_together_counts_as_one() {
        let mut small = Small::default();
        assert!(!small.holds(ms(0)));
        (0..16).for_each(|_| small.failed(ms(0)));
        assert!(small.holds(ms(4_999)) && !small.holds(ms(5_000)));
        small.failed(ms(6_000));
        assert!(small.holds(ms(15_999)) && !small.holds(ms(16_000)));
        small.passed();
        assert!(!small.holds(ms(6_001)));
    }
}
