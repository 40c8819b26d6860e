//! Keyed draws: every random choice is a pure function of the seed and of what it decides.
//!
//! Nothing draws from a shared stream. Taking out one fault, or sending one datagram less on one
//! link, therefore shifts no other choice: what makes a failing run small enough to read.

use chatrpc::machine::mix;

/// Domain of a process's entropy: `(host, incarnation)`.
pub const NODE: u64 = 1;
/// Domain of a datagram's fate: `(source, destination, how many before it)`.
pub const LINK: u64 = 2;
/// Domain of the fault schedule: `(kind, index)`.
pub const SCHED: u64 = 3;
/// Domain of what people type: `(index)`.
pub const WORK: u64 = 4;
/// Domain of the parameters of a seed: `(field)`.
pub const SWARM: u64 = 5;
/// Domain of the order of events at one instant: `(time, sequence)`.
pub const TIE: u64 = 6;

/// Domain of what somebody on the path makes up: `(how many datagrams before it)`.
pub const MEDDLE: u64 = 7;

/// Domain of what attackers do: `(turn, trick)`.
pub const LIES: u64 = 8;

/// 64 bits for the `n`-th choice about `(a, b)` in a domain.
pub const fn draw(seed: u64, dom: u64, a: u64, b: u64, n: u64) -> u64 {
    mix(mix(mix(mix(seed ^ dom) ^ a) ^ b) ^ n)
}

/// Scales 64 bits to a number below `n`.
pub const fn below(bits: u64, n: u64) -> u64 {
    ((bits as u128 * n as u128) >> 64) as u64
}

/// Whether 64 bits fall under `ppm` parts in a million.
pub const fn chance(bits: u64, ppm: u32) -> bool {
    below(bits, 1_000_000) < ppm as u64
}

/// The choices about one thing, one after the other.
#[derive(Clone, Debug)]
pub struct Draws {
    key: u64,
    n: u64,
}

impl Draws {
    /// The choices about `(a, b)` in a domain.
    pub const fn new(seed: u64, dom: u64, a: u64, b: u64) -> Self {
        Self { key: mix(mix(mix(seed ^ dom) ^ a) ^ b), n: 0 }
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.n += 1;
        mix(self.key ^ self.n)
    }

    /// The next number below `n`.
    pub const fn below(&mut self, n: u64) -> u64 {
        below(self.bits(), n)
    }

    /// The next number in `low..=high`.
    pub const fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True in `ppm` cases of a million.
    pub const fn chance(&mut self, ppm: u32) -> bool {
        chance(self.bits(), ppm)
    }

    /// One of some values.
    ///
    /// # Panics
    ///
    /// When there are none.
    pub fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_depends_only_on_what_it_is_about() {
        assert_eq!(draw(7, LINK, 1, 2, 3), draw(7, LINK, 1, 2, 3));
        let others = [draw(7, LINK, 1, 2, 4), draw(7, LINK, 2, 1, 3), draw(8, LINK, 1, 2, 3)];
        assert!(others.iter().all(|&other| other != draw(7, LINK, 1, 2, 3)));
    }

    #[test]
    fn parts_in_a_million_are_kept() {
        let mut draws = Draws::new(1, SWARM, 0, 0);
        let hits = (0..100_000).filter(|_| draws.chance(300_000)).count();
        assert!((29_000..31_000).contains(&hits), "{hits}");
    }
}
