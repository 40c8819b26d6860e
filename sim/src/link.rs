//! What one directed link does to a datagram: delay, loss, bursts of loss, copies, reordering.
//!
//! The fate of the `n`-th datagram from `s` to `d` is a function of `(seed, s, d, n)` alone
//! (and, for bursts, of the fates before it on the same link). Integers only.

use crate::bottleneck::HEADERS;
use crate::draw::{below, chance};
use chatrpc::machine::mix;

/// Most copies of one datagram, the first included.
pub const COPIES_MAX: usize = 6;

/// Bursts of loss after Gilbert and Elliott: a good state without loss and a bad one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Mean number of datagrams spent in the good state.
    pub good: u32,
    /// Mean number of datagrams spent in the bad state.
    pub bad: u32,
    /// Loss in the bad state, parts in a million.
    pub loss_ppm: u32,
}

/// Presets of str0m-netem, and an elevator.
pub const BURSTS: &[(&str, Burst)] = &[
    ("wifi", Burst { good: 200, bad: 2, loss_ppm: 1_000_000 }),
    ("cellular", Burst { good: 100, bad: 2, loss_ppm: 1_000_000 }),
    ("satellite", Burst { good: 100, bad: 3, loss_ppm: 1_000_000 }),
    ("wifi_lossy", Burst { good: 40, bad: 2, loss_ppm: 1_000_000 }),
    ("congested", Burst { good: 20, bad: 2, loss_ppm: 1_000_000 }),
    ("elevator", Burst { good: 500, bad: 150, loss_ppm: 1_000_000 }),
];

/// The preset of that name.
pub fn burst(name: &str) -> Option<Burst> {
    BURSTS.iter().find(|(known, _)| *known == name).map(|&(_, burst)| burst)
}

/// The parameters of a directed link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkParams {
    /// Delay of every datagram, microseconds.
    pub delay_us: u64,
    /// More delay, evenly distributed up to this, microseconds: reorders what is close.
    pub jitter_us: u64,
    /// Independent loss, parts in a million.
    pub loss_ppm: u32,
    /// Bursts of loss.
    pub burst: Option<Burst>,
    /// How many datagrams are copied, parts in a million.
    pub copy_ppm: u32,
    /// How many copies there are at most besides the first.
    pub copies_max: u8,
    /// How many datagrams are held back until `hold` later ones have passed, parts in a million.
    pub hold_ppm: u32,
    /// How many later ones.
    pub hold: u32,
    /// How many datagrams come very late, a second time or at all, parts in a million.
    pub late_ppm: u32,
    /// How late at least, microseconds.
    pub late_min_us: u64,
    /// How late at most, microseconds.
    pub late_max_us: u64,
    /// How many routers are on the way, each of which takes one off the time to live: without any it is
    /// one hop.
    pub routers: u8,
    /// Datagrams that are larger, with the headers of IPv4 and UDP, are swallowed; 0 for none.
    pub mtu: usize,
    /// Which of the world's bottlenecks it runs over, if any.
    pub over: Option<u16>,
}

impl LinkParams {
    /// Whether a datagram of so many bytes is too large.
    pub const fn swallows(&self, bytes: usize) -> bool {
        self.mtu > 0 && bytes + HEADERS > self.mtu
    }

    /// Whether a datagram that may go over so many hops gets to the other end.
    pub const fn lets(&self, ttl: Option<u8>) -> bool {
        match ttl {
            Some(hops) => hops > self.routers || self.routers == 0,
            None => true,
        }
    }
}

/// What is remarkable about one delivery, for the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    Plain,
    /// A copy of one delivered before.
    Copy,
    /// It comes very late, as a copy or at all.
    Late,
    /// It was held back.
    Held,
    /// Somebody on the path made it up.
    Forged,
    /// Not a datagram: the notice that nobody listens there.
    Refused,
}

impl Mark {
    /// As the trace shows it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Copy => " [dup]",
            Self::Late => " [late]",
            Self::Held => " [held]",
            Self::Forged => " [forged]",
            Self::Refused => " [refused]",
        }
    }
}

/// What becomes of a datagram: when each copy arrives.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    arrivals: [(u64, Mark); COPIES_MAX],
    len: usize,
    /// It waits until this many later ones have passed; then it arrives at once.
    pub hold: Option<u32>,
}

impl Fate {
    /// It never arrives.
    pub(crate) const LOST: Self =
        Self { arrivals: [(0, Mark::Plain); COPIES_MAX], len: 0, hold: None };

    /// When each copy arrives, and what is remarkable about it.
    pub fn arrivals(&self) -> &[(u64, Mark)] {
        &self.arrivals[..self.len]
    }

    fn push(&mut self, at: u64, mark: Mark) {
        if self.len < COPIES_MAX {
            self.arrivals[self.len] = (at, mark);
            self.len += 1;
        }
    }
}

/// A datagram that waits for later ones to pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) datagram: u32,
    pub(crate) left: u32,
}

/// A directed link and what it remembers.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// What it does.
    pub params: LinkParams,
    /// In how many ways it is cut just now.
    pub cuts: u8,
    /// Nothing arrives before this instant.
    pub clogged_until: u64,
    pub(crate) held: Option<Held>,
    sent: u64,
    bad: bool,
}

impl Link {
    /// A link that does that.
    pub fn new(params: LinkParams) -> Self {
        Self { params, ..Self::default() }
    }

    /// Decides the fate of the next datagram. `key` is the draw of this link.
    pub fn fate(&mut self, key: u64, now: u64) -> Fate {
        self.sent += 1;
        let base = mix(key ^ self.sent);
        let pick = |what: u64| mix(base ^ what);
        let p = &self.params;
        if let Some(burst) = p.burst {
            let mean = if self.bad { burst.bad } else { burst.good };
            self.bad ^= chance(pick(1), 1_000_000 / mean.max(1));
        }
        let burst_loss = p.burst.filter(|_| self.bad).map_or(0, |burst| burst.loss_ppm);
        let lost = chance(pick(2), p.loss_ppm) || chance(pick(3), burst_loss);
        // Also what seems lost: somebody on the path may have kept it.
        let late = (p.late_ppm > 0 && chance(pick(8), p.late_ppm)).then(|| {
            let late = p.late_min_us + below(pick(9), p.late_max_us - p.late_min_us + 1);
            now + p.delay_us + late
        });
        let mut fate = Fate::LOST;
        if self.cuts > 0 || lost {
            late.into_iter().for_each(|at| fate.push(at, Mark::Late));
            return fate;
        }
        let at = |what: u64| now + p.delay_us.max(1) + below(pick(what), p.jitter_us + 1);
        if p.hold_ppm > 0 && chance(pick(4), p.hold_ppm) {
            fate.hold = Some(p.hold.max(1));
        }
        fate.push(at(5).max(self.clogged_until), Mark::Plain);
        if p.copy_ppm > 0 && chance(pick(6), p.copy_ppm) {
            for copy in 0..=below(pick(7), u64::from(p.copies_max.max(1))) {
                fate.push(at(10 + copy).max(self.clogged_until), Mark::Copy);
            }
        }
        late.into_iter().for_each(|at| fate.push(at, Mark::Late));
        fate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(params: LinkParams, n: usize) -> usize {
        let mut link = Link { params, ..Link::default() };
        (0..n).map(|_| link.fate(99, 0).arrivals().len()).sum()
    }

    #[test]
    fn loss_is_what_was_asked_for() {
        let got = delivered(LinkParams { loss_ppm: 300_000, ..LinkParams::default() }, 20_000);
        assert!((13_700..14_300).contains(&got), "{got}");
    }

    #[test]
    fn bursts_lose_their_share() {
        for &(name, burst) in BURSTS {
            let params = LinkParams { burst: Some(burst), ..LinkParams::default() };
            let got = delivered(params, 400_000) as u64;
            let good = u64::from(burst.good) * 400_000 / u64::from(burst.good + burst.bad);
            assert!(got.abs_diff(good) < 24_000, "{name}: {got} of {good}");
        }
    }

    #[test]
    fn a_cut_link_carries_nothing_and_its_draws_stay_in_step() {
        let params = LinkParams { jitter_us: 1_000_000, ..LinkParams::default() };
        let (mut a, mut b) = (Link { params, ..Link::default() }, Link::default());
        b.params = params;
        b.cuts = 1;
        assert!(a.fate(7, 0).arrivals().len() == 1 && b.fate(7, 0).arrivals().is_empty());
        b.cuts = 0;
        assert_eq!(a.fate(7, 0).arrivals(), b.fate(7, 0).arrivals());
    }

    #[test]
    fn a_clog_lets_everything_through_at_once() {
        let mut link = Link { clogged_until: 5_000, ..Link::default() };
        assert!((0..9).all(|_| link.fate(1, 0).arrivals()[0].0 == 5_000));
    }
}
