//! The hash over a whole run: equal seeds must give equal chains, event by event.

use chatrpc::machine::mix;

/// One event of a run, as far as two runs are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, microseconds.
    pub at: u64,
    /// What: `a`rrival, `w`ake, `l`ine, `s`end, `e`vent, `d`igest, `x` exit.
    pub what: char,
    /// The computer it happened at.
    pub host: u16,
    /// The chain after it.
    pub hash: u64,
}

/// The chain, and every step of it if it is to be compared.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    hash: u64,
    /// The same without the digests of the machines: what they did, and not how they keep it.
    deeds: u64,
    len: u64,
    steps: Option<Vec<Step>>,
}

impl Chain {
    /// Keeps every step from here on.
    pub fn keep(&mut self) {
        self.steps = Some(Vec::new());
    }

    /// Adds an event.
    pub fn add(&mut self, at: u64, what: char, host: u16, value: u64) {
        let link = mix(at ^ (u64::from(host) << 40) ^ (what as u64) << 56) ^ value;
        self.hash = mix(self.hash ^ link);
        if what != 'd' {
            self.deeds = mix(self.deeds ^ link);
        }
        self.len += 1;
        if let Some(steps) = &mut self.steps {
            steps.push(Step { at, what, host, hash: self.hash });
        }
    }

    /// The hash of everything so far.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// The hash of everything that could be seen from outside a machine: a change of its insides alone
    /// leaves it as it is.
    pub const fn deeds(&self) -> u64 {
        self.deeds
    }

    /// How many events there were.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has happened.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where two kept chains part: the number of the event and what it was in each.
    pub fn first_difference(&self, other: &Self) -> Option<(usize, Option<Step>, Option<Step>)> {
        let (a, b) = (self.steps.as_deref()?, other.steps.as_deref()?);
        let at = (0..a.len().max(b.len())).find(|&i| a.get(i) != b.get(i))?;
        Some((at, a.get(at).copied(), b.get(at).copied()))
    }
}

/// A hash of bytes, eight at a time.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hash = 0x51_7c_c1_b7_27_22_0a_95 ^ bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    }
    for &byte in chunks.remainder() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    mix(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_that_part_are_told_where() {
        let (mut a, mut b) = (Chain::default(), Chain::default());
        a.keep();
        b.keep();
        for chain in [&mut a, &mut b] {
            chain.add(1, 'a', 0, 5);
            chain.add(2, 'w', 1, 6);
        }
        assert_eq!(a.first_difference(&b), None);
        a.add(3, 's', 2, 7);
        b.add(3, 's', 2, 8);
        assert_eq!(a.first_difference(&b).map(|(at, ..)| at), Some(2));
        assert_ne!(a.hash(), b.hash());
        let deeds = a.deeds();
        a.add(4, 'd', 2, 9);
        assert_eq!(a.deeds(), deeds, "a digest is no deed");
    }
}
