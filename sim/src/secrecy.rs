//! S13: what is said never crosses the network in the open, and no key and counter are used twice.
//!
//! A key cannot be seen on the wire, but what it is made from can: the ephemeral key of every
//! handshake message. One that came from two processes, or in two different messages of one, would
//! mean that entropy was used twice.

use std::collections::BTreeMap;

use chatrpc::machine::wire::{DATAGRAM_MAX, kind};
use chatrpc::machine::{INIT, RESP};

/// Stands in most of what people type.
pub const CANARY: &str = "canary";

/// What was seen on the wire.
#[derive(Debug, Default)]
pub(crate) struct Secrecy {
    /// Who sent each ephemeral key, and under which index of theirs.
    ephemerals: BTreeMap<[u8; 32], (u32, [u8; 4])>,
    /// The next counter of each session, by process, receiving computer and receiver index.
    counters: BTreeMap<(u32, u16, [u8; 4]), u64>,
}

impl Secrecy {
    /// A process sends a datagram; says which law that breaks, if any.
    pub(crate) fn sends(&mut self, proc: u32, to: u16, bytes: &[u8]) -> Result<(), String> {
        let canary = CANARY.as_bytes();
        if bytes.windows(canary.len()).any(|window| window == canary) {
            return Err("what somebody said is on the wire, to be read by all".to_owned());
        }
        let index = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied();
        match (bytes.first().copied(), bytes.len(), index(1)) {
            (Some(kind::INIT), INIT, Some(index)) => self.ephemeral(proc, index, &bytes[5..37]),
            (Some(kind::RESP), RESP, Some(index)) => self.ephemeral(proc, index, &bytes[9..41]),
            (Some(kind::DATA), 13..=DATAGRAM_MAX, Some(index)) => {
                let counter = bytes[5..].first_chunk().map_or(0, |c| u64::from_be_bytes(*c));
                let next = self.counters.entry((proc, to, index)).or_default();
                // A session that begins may have the index of one that ended; its first counter is 0.
                if counter < *next && (counter != 0 || *next == 1) {
                    return Err(format!("counter {counter} is used again, after {}", *next - 1));
                }
                *next = counter + 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn ephemeral(&mut self, proc: u32, index: [u8; 4], key: &[u8]) -> Result<(), String> {
        let mut owned = [0; 32];
        owned.copy_from_slice(key);
        let first = *self.ephemerals.entry(owned).or_insert((proc, index));
        if first == (proc, index) {
            return Ok(());
        }
        Err(format!("an ephemeral key of process {} comes from process {proc}", first.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(index: u8, counter: u64) -> Vec<u8> {
        let mut bytes = vec![kind::DATA, 0, 0, 0, index];
        bytes.extend_from_slice(&counter.to_be_bytes());
        bytes.extend_from_slice(&[7; 32]);
        bytes
    }

    #[test]
    fn a_counter_is_used_once() {
        let mut secrecy = Secrecy::default();
        for counter in 0..3 {
            assert_eq!(secrecy.sends(1, 9, &data(1, counter)), Ok(()));
        }
        assert!(secrecy.sends(1, 9, &data(1, 2)).is_err());
        assert_eq!(secrecy.sends(2, 9, &data(1, 0)), Ok(()), "of another process");
        assert!(secrecy.sends(2, 9, &data(1, 0)).is_err());
    }

    #[test]
    fn an_ephemeral_key_is_drawn_once() {
        let mut secrecy = Secrecy::default();
        let mut init = vec![7; INIT];
        init[0] = kind::INIT;
        assert_eq!(secrecy.sends(1, 9, &init), Ok(()));
        assert_eq!(secrecy.sends(1, 9, &init), Ok(()), "the same message again");
        assert!(secrecy.sends(2, 9, &init).is_err(), "entropy that was rolled back");
        init[2] ^= 1;
        assert!(secrecy.sends(1, 9, &init).is_err(), "another message with the same key");
    }

    #[test]
    fn nobody_reads_along() {
        let said = [b"\x00 0123 ".as_slice(), CANARY.as_bytes()].concat();
        assert!(Secrecy::default().sends(1, 9, &said).is_err());
    }
}
