//! The one keyed hash: BLAKE2s (RFC 7693) with a key in its own place, never in front of the message.

use blake2::Blake2sMac;
use blake2::digest::consts::{U8, U16, U32};
use blake2::digest::{FixedOutput, KeyInit, Update};

/// Bytes of a [`mac`].
pub const MAC: usize = 16;

macro_rules! keyed {
    ($name:ident, $size:ty, $bytes:expr, $what:expr) => {
        #[doc = $what]
        ///
        /// # Panics
        ///
        /// When the key is longer than 32 bytes.
        pub fn $name(key: &[u8], parts: &[&[u8]]) -> [u8; $bytes] {
            let Ok(mut mac) = <Blake2sMac<$size> as KeyInit>::new_from_slice(key) else {
                panic!("BLAKE2s takes keys of up to 32 bytes");
            };
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize_fixed().into()
        }
    };
}

keyed!(short, U8, 8, "BLAKE2s-64 of the parts, one after the other.");
keyed!(mac, U16, MAC, "BLAKE2s-128 of the parts, one after the other.");
keyed!(hash, U32, 32, "BLAKE2s-256 of the parts, one after the other.");

/// Whether two are the same, in a time that does not tell where they differ.
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    let differ = one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b));
    one.len() == other.len() && core::hint::black_box(differ) == 0
}
