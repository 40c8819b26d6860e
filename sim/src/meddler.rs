//! Somebody on the path who has no secret: everything that peers send may come again, spoilt or
//! whole, from anywhere, before the genuine datagram or after it. None of it may show.

use crate::draw::{Draws, MEDDLE};
use crate::queue::Endpoint;

/// Datagrams that are remembered, to be spliced into others.
const RECORDED_MAX: usize = 16;

/// A made-up datagram.
#[derive(Debug)]
pub(crate) struct Forgery {
    pub(crate) bytes: Vec<u8>,
    pub(crate) from: Endpoint,
    pub(crate) to: Endpoint,
    /// How long after the genuine one left it arrives, microseconds.
    pub(crate) after_us: u64,
}

/// What the meddler knows.
#[derive(Debug, Default)]
pub(crate) struct Meddler {
    /// How many datagrams are meddled with, parts in a million.
    pub(crate) ppm: u32,
    /// How many computers it knows of.
    pub(crate) computers: usize,
    seen: u64,
    recorded: Vec<Vec<u8>>,
}

impl Meddler {
    /// Somebody who does nothing yet, and knows of so many computers.
    pub(crate) fn among(computers: usize) -> Self {
        Self { computers, ..Self::default() }
    }

    /// A forgery made from a datagram that is on its way, perhaps. `others` says where computers are.
    pub(crate) fn meddle(
        &mut self,
        seed: u64,
        (from, to): (Endpoint, Endpoint),
        bytes: &[u8],
        others: impl Fn(u64) -> Endpoint,
    ) -> Option<Forgery> {
        self.seen += 1;
        let mut d = Draws::new(seed, MEDDLE, self.seen, 0);
        if self.ppm == 0 || !d.chance(self.ppm) {
            return None;
        }
        let stranger = others(d.bits());
        // Half of them overtake the genuine one, which takes 200 us at least.
        let after_us = if d.chance(500_000) { 1 } else { d.range(1, 8_000_000) };
        let mut forgery = Forgery { bytes: bytes.to_vec(), from, to, after_us };
        match d.below(8) {
            // Replayed from where it came; the genuine one must not be hurt, so it comes later.
            0 => forgery.after_us = d.range(1_000_000, 20_000_000),
            // Replayed from elsewhere, or sent on before the genuine one arrives.
            1 | 2 => forgery.from = stranger,
            // Reflected.
            3 => (forgery.from, forgery.to) = (to, from),
            // Sent to somebody it is not for.
            4 => forgery.to = stranger,
            5 => forgery.bytes.truncate(d.below(bytes.len() as u64) as usize),
            6 => {
                for _ in 0..d.range(1, 32) {
                    let bit = d.below(8 * bytes.len() as u64) as usize;
                    forgery.bytes[bit / 8] ^= 1 << (bit % 8);
                }
            }
            _ => {
                let other = self.recorded.get(d.below(RECORDED_MAX as u64) as usize);
                let cut = d.below(bytes.len() as u64) as usize;
                let tail = other.and_then(|other| other.get(cut..)).unwrap_or_default();
                forgery.bytes.truncate(cut);
                forgery.bytes.extend_from_slice(tail);
            }
        }
        if self.recorded.len() < RECORDED_MAX {
            self.recorded.push(bytes.to_vec());
        } else {
            self.recorded[(self.seen % RECORDED_MAX as u64) as usize] = bytes.to_vec();
        }
        Some(forgery)
    }
}
