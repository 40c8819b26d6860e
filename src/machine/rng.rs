//! Randomness as a pure function: one 32-byte seed, forked into an independent stream per purpose.
//!
//! A stream never depends on how much another one was used, so that a change in one child of a
//! machine does not shift the draws of its siblings; and it says nothing about another one, because
//! each begins at a keyed hash of its label. The generator is SplitMix64 (Steele, Lea and Flood
//! 2014): jitter and identifiers need spread, not secrecy. What must not be guessed from what was
//! shown before (cookies) is hashed each time.

use core::time::Duration;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::machine::keyed::{hash, short};

/// 32 bytes of entropy: in production from the operating system, in the simulator from its seed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    /// The stream of draws that belongs to `label`.
    pub fn stream(&self, label: &str) -> Rng {
        Rng(self.hash(label, 0))
    }

    /// 64 bits that nobody can tell without the seed: keyed BLAKE2s (RFC 7693) of a label and a
    /// number.
    pub fn hash(&self, label: &str, n: u64) -> u64 {
        u64::from_be_bytes(short(&self.0, &[label.as_bytes(), &[0], &n.to_be_bytes()]))
    }

    /// The same with 32 bytes: for keys.
    pub fn bytes(&self, label: &str, n: u64) -> [u8; 32] {
        hash(&self.0, &[label.as_bytes(), &[0], &n.to_be_bytes()])
    }
}

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// One stream of draws.
#[derive(Clone, Debug, Hash)]
pub struct Rng(u64);

impl Rng {
    /// 64 evenly distributed bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// 32 evenly distributed bits.
    pub fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// A number below `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// `span`, longer or shorter by at most one part in `parts`.
    pub fn jitter(&mut self, span: Duration, parts: u64) -> Duration {
        let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX / 4);
        let slack = us / parts.max(1);
        Duration::from_micros(us - slack + self.below(slack.saturating_mul(2).saturating_add(1)))
    }

    /// `span`, longer by at most one part in `parts`: for deadlines that must not come early.
    pub fn stretch(&mut self, span: Duration, parts: u64) -> Duration {
        let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX / 4);
        Duration::from_micros(us + self.below(us / parts.max(1) + 1))
    }
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finaliser: a bijection that scatters every input bit over all output bits.
pub const fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(GAMMA);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_independent_and_repeatable() {
        let seed = Seed([7; 32]);
        let (mut a, mut b, mut c) = (seed.stream("a"), seed.stream("a"), seed.stream("b"));
        let first: Vec<u64> = (0..4).map(|_| a.next_u64()).collect();
        assert_eq!(first, (0..4).map(|_| b.next_u64()).collect::<Vec<_>>());
        assert_ne!(first, (0..4).map(|_| c.next_u64()).collect::<Vec<_>>());
    }

    #[test]
    fn draws_stay_in_range() {
        let mut rng = Seed([1; 32]).stream("range");
        for n in [1, 2, 3, 1000] {
            assert!((0..1000).all(|_| rng.below(n) < n));
        }
        assert_eq!(rng.below(0), 0);
        let span = Duration::from_millis(160);
        for _ in 0..1000 {
            let drawn = rng.jitter(span, 16);
            assert!(drawn >= Duration::from_millis(150) && drawn <= Duration::from_millis(170));
            let drawn = rng.stretch(span, 16);
            assert!(drawn >= span && drawn <= Duration::from_millis(170));
        }
    }
}
