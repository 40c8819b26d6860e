//! A hash over the state of a machine: the same state, the same hash, on every platform.
//!
//! Whatever decides what a machine does next derives [`core::hash::Hash`] and so counts by itself; only
//! what is counted for people alone, kept for reuse, or stands behind a trait is left out, by name.

use core::hash::{Hash, Hasher};

use crate::machine::rng::mix;

/// Takes values, and neither their layout in memory nor the width of the processor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Digest(u64);

/// The hash of some state.
pub(crate) fn digest(state: &impl Hash) -> u64 {
    let mut digest = Digest::default();
    state.hash(&mut digest);
    digest.finish()
}

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        mix(self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let word = part.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
            self.write_u64(word ^ (part.len() as u64) << 60);
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = mix(self.0 ^ value).wrapping_add(1);
    }

    fn write_u128(&mut self, value: u128) {
        self.write_u64(value as u64);
        self.write_u64((value >> 64) as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn whatever_differs_shows() {
        let states: [(u64, Option<u8>, &str, Vec<u32>); 8] = [
            (0, None, "", vec![]),
            (1, None, "", vec![]),
            (0, Some(0), "", vec![]),
            (0, None, "\0", vec![]),
            (0, None, "a", vec![]),
            (0, None, "aaaaaaaaa", vec![]),
            (0, None, "", vec![0]),
            (0, None, "", vec![0, 0]),
        ];
        let digests: BTreeSet<u64> = states.iter().map(digest).collect();
        assert_eq!(digests.len(), states.len());
    }

    /// Checked in, so that another platform that hashes otherwise shows.
    #[test]
    fn it_is_the_same_everywhere() {
        let addr: core::net::SocketAddr = "10.0.0.1:7".parse().unwrap();
        assert_eq!(digest(&(1usize, 2u16, "three", addr, [4u8; 4])), 0x2684_389a_5767_1303);
    }
}
