//! What processes, rooms, leases and messages are called: numbers that follow from something.

use core::fmt;
use core::num::NonZeroU64;
use core::str::FromStr;

use super::base32;
use crate::machine::keyed::short;

/// Which process somebody is: 64 bits that follow from its key and its incarnation.
///
/// Written as 13 characters of base32 (`k7f3…`). People see the first four, which follow from the
/// key alone: [`PublicKey::process`](crate::machine::PublicKey::process).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

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
            write!(f, "{}", base32::letter(bits as u64))?;
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
        for c in text.chars() {
            bits = bits << 5 | u128::from(base32::digit(c).ok_or(())?);
        }
        if bits & 1 != 0 {
            return Err(());
        }
        u64::try_from(bits >> 1).map(Self).map_err(|_| ())
    }
}

/// How many of the lowest bits of an incarnation are drawn; those above are milliseconds since 1970.
pub(crate) const LUCK_BITS: u32 = 20;

/// When a process started: a number that is greater than that of any earlier process of the same key, and
/// another one than that of any other process of it. On the wire 0 stands for whoever listens at an address, so no process has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(NonZeroU64);

impl Incarnation {
    /// That of a process which started then. 0 counts as 1.
    pub const fn at(started: u64) -> Self {
        match NonZeroU64::new(started) {
            Some(started) => Self(started),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

/// Which room a nodeset files a beacon under. What it is follows from the room's name and secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub [u8; 16]);

/// What a nodeset knows a member by: it follows from the secret token of a lease. Only who can open
/// the beacon can tell whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u64);

impl Handle {
    /// The handle of whoever knows that token.
    pub fn of(token: u64) -> Self {
        Self(u64::from_be_bytes(short(b"chatrpc handle", &[&token.to_be_bytes()])))
    }
}

/// What ends a lease. Its token, which passes with every renewal, follows from it, and not the other
/// way round: whoever has seen a lease renewed cannot end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Farewell(pub [u8; 16]);

impl Farewell {
    /// The token of the lease it ends.
    pub fn token(&self) -> u64 {
        u64::from_be_bytes(short(b"chatrpc token", &[&self.0]))
    }
}

/// One message: its author and a number that only grows for that author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Who said it.
    pub author: PeerId,
    /// Which of the author's messages it is.
    pub number: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.author, self.number)
    }
}
