//! The beacon: what somebody says of themselves so that others can find them.

use core::fmt;
use core::net::SocketAddr;
use core::str::FromStr;

use crate::machine::Name;

/// How many addresses a beacon may list.
pub(crate) const ADDRS_MAX: usize = 4;

/// Which process somebody is: 64 bits drawn when it starts.
///
/// Written as 13 characters of base32 (`k7f3…`); people see the first four.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const DIGITS: u32 = 13;

impl PeerId {
    /// The first four characters: enough for people to tell two namesakes apart.
    pub fn short(self) -> String {
        self.to_string()[..4].to_owned()
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for digit in 0..DIGITS {
            // 13 digits of 5 bits hold 65 bits: the last one carries four bits and a zero.
            let bits = (u128::from(self.0) << 1) >> (5 * (DIGITS - 1 - digit));
            write!(f, "{}", char::from(BASE32[(bits & 31) as usize]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PeerId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != DIGITS as usize {
            return Err(());
        }
        let mut bits = 0u128;
        for byte in text.bytes() {
            let digit = BASE32.iter().position(|&b| b == byte).ok_or(())?;
            bits = (bits << 5) | digit as u128;
        }
        if bits & 1 != 0 {
            return Err(());
        }
        u64::try_from(bits >> 1).map(Self).map_err(|_| ())
    }
}

/// Which room a nodeset files a beacon under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub [u8; 16]);

impl Tag {
    /// The open room that everybody shares who names no other.
    pub const LOBBY: Self = Self(*b"chatrpc/lobby\0\0\0");
}

/// Who somebody is and where they may be reached. Only a greater `(incarnation, n)` replaces one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beacon {
    /// Which process.
    pub id: PeerId,
    /// When that process started: greater than that of any earlier one of the same id.
    pub incarnation: u64,
    /// How often this process has changed its beacon.
    pub n: u32,
    /// What people call them.
    pub name: Name,
    /// Addresses of their own that may work, at most [`ADDRS_MAX`].
    pub addrs: Vec<SocketAddr>,
}

impl Beacon {
    /// What decides which of two beacons of one id is the newer.
    pub const fn version(&self) -> (u64, u32) {
        (self.incarnation, self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_and_read() {
        for id in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let text = PeerId(id).to_string();
            assert_eq!(text.len(), 13);
            assert_eq!(text.parse(), Ok(PeerId(id)));
        }
        assert_ne!(PeerId(1).to_string(), PeerId(2).to_string());
        for bad in ["", "k7f3", "aaaaaaaaaaaa1", "AAAAAAAAAAAAA", "aaaaaaaaaaaab"] {
            assert_eq!(bad.parse::<PeerId>(), Err(()), "{bad}");
        }
    }
}
