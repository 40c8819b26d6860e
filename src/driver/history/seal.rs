//! Records in a file: sealed, opened, and found again behind a damage.
//!
//! ```text
//! mark      4   follows from the name of the file, as its key does
//! number    4   from 0, one more with each record
//! length    4   of what is sealed, without the tag
//! sealed    ChaCha20-Poly1305 (RFC 8439) under the key of the file; the nonce is the number,
//!           and number and length are authenticated along
//! ```
//!
//! The number stands in the record, so that a record is opened wherever in the file a fault of the disk has
//! put it; one that does not grow is a copy, and is passed over. Behind what does not open, the next mark is
//! looked for. Nothing is said of what cannot be opened but that it is there.

use core::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use crate::machine::keyed::{hash, mac};
use crate::machine::{Guarded, Identity, Room, wiped};

/// Bytes in front of what is sealed, and behind it.
const HEAD: usize = 12;
const TAG: usize = 16;
/// What is sealed has at most so many bytes: signed entries of a later program fit.
pub(crate) const SEALED_MAX: usize = 1 << 17;
/// The longest record.
pub(crate) const RECORD_MAX: usize = HEAD + SEALED_MAX + TAG;

/// The key from which those of all files of a room follow, for one person.
#[derive(Clone)]
pub(crate) struct RoomKey(Guarded<32>);

impl fmt::Debug for RoomKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomKey(..)")
    }
}

impl RoomKey {
    pub(crate) fn new(identity: &Identity, room: &Room) -> Self {
        Self(identity.derived(&[b"chatrpc history 1", &room.tag().0]))
    }

    /// What the folder of the room is called: it tells nobody which room it is.
    pub(crate) fn folder(&self) -> String {
        let name = wiped(|| mac(&self.0[..], &[b"folder"]));
        name.iter().fold(String::new(), |name, byte| name + &format!("{byte:02x}"))
    }

    /// The key and the mark of a file.
    fn file(&self, name: &str) -> (Guarded<32>, [u8; 4]) {
        wiped(|| {
            let of = |label: &[u8]| hash(&self.0[..], &[label, name.as_bytes()]);
            let key = Guarded::filled(|key| *key = of(b"file"));
            let [a, b, c, d, ..] = of(b"mark");
            (key, [a, b, c, d])
        })
    }
}

/// Made for each use: it costs nothing, and leaves no key behind on the heap.
fn cipher(key: &Guarded<32>) -> LessSafeKey {
    let Ok(key) = UnboundKey::new(&CHACHA20_POLY1305, &key[..]) else {
        unreachable!("ChaCha20-Poly1305 takes keys of 32 bytes");
    };
    LessSafeKey::new(key)
}

fn nonce(number: u32) -> Nonce {
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// Seals the records of one file, which nobody else writes.
pub(crate) struct Sealer {
    key: Guarded<32>,
    mark: [u8; 4],
    next: Option<u32>,
}

impl Sealer {
    /// Of a new file of that name.
    pub(crate) fn new(room: &RoomKey, name: &str) -> Self {
        let (key, mark) = room.file(name);
        Self { key, mark, next: Some(0) }
    }

    /// Appends a record. False when there can be no other one in this file, or none as long.
    pub(crate) fn seal(&mut self, record: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(number) = self.next.filter(|_| record.len() <= SEALED_MAX) else { return false };
        self.next = number.checked_add(1);
        let start = out.len();
        out.extend_from_slice(&self.mark);
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&(record.len() as u32).to_be_bytes());
        out.extend_from_slice(record);
        let (head, body) = out[start..].split_at_mut(HEAD);
        let sealed = cipher(&self.key).seal_in_place_separate_tag(
            nonce(number),
            Aad::from(&head[4..]),
            body,
        );
        let Ok(tag) = sealed else { unreachable!("no record has gigabytes") };
        out.extend_from_slice(tag.as_ref());
        true
    }
}

/// Opens the records of one file, from its beginning to its end.
pub(crate) struct Opener {
    key: Guarded<32>,
    mark: [u8; 4],
    last: Option<u32>,
    /// What does not open was met, and no record since.
    lost: bool,
    /// How often records stand behind what does not open.
    pub(crate) damaged: u64,
}

/// What stands at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// A record, which takes so many bytes.
    Record(usize),
    /// So many bytes are none.
    Passed(usize),
    /// With more bytes behind them it may be a record.
    More,
}

impl Opener {
    /// Of the file of that name.
    pub(crate) fn new(room: &RoomKey, name: &str) -> Self {
        let (key, mark) = room.file(name);
        Self { key, mark, last: None, lost: false, damaged: 0 }
    }

    /// Opens what `bytes` begin with, into `record`. `whole`: nothing stands behind them.
    pub(crate) fn open(&mut self, bytes: &[u8], whole: bool, record: &mut Vec<u8>) -> Opened {
        record.clear();
        let (Some(number), Some(len)) = (number(bytes, 4), number(bytes, 8)) else {
            return if whole { Opened::Passed(bytes.len()) } else { Opened::More };
        };
        let end = HEAD + len as usize + TAG;
        if len as usize <= SEALED_MAX {
            if bytes.len() < end && !whole {
                return Opened::More;
            }
            if let Some(sealed) = bytes.get(HEAD..end)
                && self.opens(number, &bytes[4..HEAD], sealed, record)
            {
                return self.opened(number, end, record);
            }
        }
        self.lost = true;
        // A mark may stand across the end of what there is so far.
        let more = if whole { 0 } else { self.mark.len() - 1 };
        let next = bytes[1..].windows(4).position(|four| four == self.mark);
        Opened::Passed(next.map_or((bytes.len() - more).max(1), |at| at + 1))
    }

    fn opens(&self, number: u32, head: &[u8], sealed: &[u8], record: &mut Vec<u8>) -> bool {
        record.extend_from_slice(sealed);
        let opened = cipher(&self.key).open_in_place(nonce(number), Aad::from(head), record);
        let len = opened.map(|text| text.len());
        record.truncate(len.unwrap_or(0));
        len.is_ok()
    }

    fn opened(&mut self, number: u32, end: usize, record: &mut Vec<u8>) -> Opened {
        self.damaged += u64::from(core::mem::take(&mut self.lost));
        if self.last.is_some_and(|last| number <= last) {
            record.clear();
            return Opened::Passed(end);
        }
        self.last = Some(number);
        Opened::Record(end)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?.try_into().ok()?;
    // A head that is cut off is none.
    (bytes.len() >= HEAD).then(|| u32::from_be_bytes(four))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Name, Seed};

    fn room_key(luck: u8) -> RoomKey {
        let room = Room::new(Name::parse("lobby").unwrap(), None);
        RoomKey::new(&Identity::new(&[luck; 32]), &room)
    }

    fn texts(count: u32) -> Vec<Vec<u8>> {
        // Some of one length, so that a length that is wrong may end where a record begins.
        let text = |n: u32| format!("{n:04}{}", "x".repeat((n as usize % 4) * 37)).into_bytes();
        (0..count).map(text).collect()
    }

    fn sealed(texts: &[Vec<u8>]) -> Vec<u8> {
        let (mut sealer, mut bytes) = (Sealer::new(&room_key(1), "1-0"), Vec::new());
        assert!(texts.iter().all(|text| sealer.seal(text, &mut bytes)));
        bytes
    }

    /// What is read of a file that comes in pieces of that size.
    fn opened(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, u64) {
        let mut opener = Opener::new(&room_key(1), "1-0");
        let (mut found, mut record, mut at, mut end) = (Vec::new(), Vec::new(), 0, 0);
        loop {
            match opener.open(&bytes[at..end], end == bytes.len(), &mut record) {
                Opened::Record(len) => {
                    found.push(record.clone());
                    at += len;
                }
                Opened::Passed(0) => return (found, opener.damaged),
                Opened::Passed(len) => at += len,
                Opened::More => end = (end + piece).min(bytes.len()),
            }
        }
    }

    #[test]
    fn what_was_sealed_is_opened_in_pieces_of_any_size() {
        let texts = texts(20);
        let bytes = sealed(&texts);
        for piece in [1, 7, 64, 1 << 20] {
            assert_eq!(opened(&bytes, piece), (texts.clone(), 0), "{piece}");
        }
        let mut sealer = Sealer { next: None, ..Sealer::new(&room_key(1), "1-0") };
        assert!(!sealer.seal(b"x", &mut Vec::new()), "no number is used twice");
        assert!(!Sealer::new(&room_key(1), "1-0").seal(&vec![0; SEALED_MAX + 1], &mut Vec::new()));
    }

    #[test]
    fn nobody_else_opens_it_and_no_other_file() {
        let bytes = sealed(&texts(2));
        for (luck, name) in [(2, "1-0"), (1, "1-1"), (1, "2-0")] {
            let mut opener = Opener::new(&room_key(luck), name);
            let mut record = Vec::new();
            assert!(matches!(opener.open(&bytes, true, &mut record), Opened::Passed(_)));
            assert!(record.is_empty());
        }
        assert_ne!(room_key(1).folder(), room_key(2).folder());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains("xxx") && !text.contains("0001"));
    }

    /// Ten thousand faults of every kind. What is shown was written, in its order, and is all but the
    /// records that the fault is in.
    #[test]
    fn a_fault_costs_the_records_it_is_in_and_shows_nothing_wrong() {
        let texts = texts(24);
        let whole = sealed(&texts);
        let ends: Vec<usize> = texts
            .iter()
            .scan(0, |end, text| {
                *end += HEAD + text.len() + TAG;
                Some(*end)
            })
            .collect();
        // The records that bytes from one place to another are part of.
        let touched = |from: usize, to: usize| {
            let first = ends.iter().position(|&end| from < end).unwrap_or(texts.len());
            let last = ends.iter().position(|&end| to <= end).map_or(texts.len(), |at| at + 1);
            first..last
        };
        let mut rng = Seed([5; 32]).stream("faults");
        for turn in 0..10_000 {
            let mut bytes = whole.clone();
            let mut below = |limit: usize| rng.below(limit as u64) as usize;
            let at = below(bytes.len());
            let to = (at + 1 + below(80)).min(bytes.len());
            let hurt = match turn % 5 {
                0 | 1 => {
                    bytes[at] ^= 1 << below(8);
                    touched(at, at + 1)
                }
                2 => {
                    bytes.truncate(at);
                    let kept = ends.iter().take_while(|&&end| end <= at).count();
                    kept..texts.len()
                }
                3 => {
                    drop(bytes.drain(at..to));
                    touched(at, to)
                }
                _ => {
                    bytes[at..to].fill(below(256) as u8);
                    touched(at, to)
                }
            };
            let (found, damaged) = opened(&bytes, 1 + below(300));
            let mut left = texts.iter().enumerate();
            for text in &found {
                assert!(left.any(|(_, other)| other == text), "{turn}: nobody wrote that");
            }
            for (n, text) in texts.iter().enumerate().filter(|(n, _)| !hurt.contains(n)) {
                assert!(found.contains(text), "{turn}: {n} is lost, and the fault is in {hurt:?}");
            }
            assert!(damaged <= 1, "{turn}: one fault is one");
        }
    }

    /// Whoever copies a part of a file behind it, or another in its place, has nothing shown twice.
    #[test]
    fn a_copy_is_passed_over() {
        let texts = texts(9);
        let bytes = sealed(&texts);
        assert_eq!(opened(&[&bytes[..], &bytes].concat(), 64), (texts, 0));
    }
}
