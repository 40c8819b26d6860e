//! What goes to everybody on a network, and its answer (docs/PROTOCOL.md, "The hail").
//!
//! Who does not know the room can tell neither from noise, nor two of one process from those of two: each has
//! a salt of its own, and everything else follows from that and from keys of the room.

use super::{Malformed, kind};
use crate::machine::codec::put_u64;
use crate::machine::keyed::{MAC, hash, mac, same};
use crate::machine::who::ids::PeerId;
use crate::machine::who::room::Room;

/// Bytes of a [`Salt`].
pub const SALT: usize = 8;

/// Never the same twice.
pub type Salt = [u8; SALT];

/// Bytes of who hails, hidden: the process, and whether it is in the room.
const CALLER: usize = 9;

/// Bytes of a hail: kind, salt, who hails, mac.
pub const HAIL: usize = 34;

/// Bytes of its answer, which is smaller: kind, the salt of the question, mac.
pub const HAILED: usize = 25;

const _: () = assert!(HAIL == 1 + SALT + CALLER + MAC && HAILED == 1 + SALT + MAC);

/// Who hails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hail {
    /// Which process.
    pub caller: PeerId,
    /// It is in the room, and looks for others of it who do not know of it; else it wants to come in.
    pub inside: bool,
}

/// What is behind a mac.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A question, and its salt.
    Hail(Salt, Hail),
    /// An answer to the question of that salt.
    Hailed(Salt),
}

/// Writes a hail.
pub fn put_hail(out: &mut Vec<u8>, room: &Room, salt: Salt, hail: Hail) {
    let start = out.len();
    out.push(kind::HAIL);
    out.extend_from_slice(&salt);
    let caller = out.len();
    put_u64(out, hail.caller.0);
    out.push(u8::from(hail.inside));
    veil(room, salt, &mut out[caller..]);
    seal(out, room, start);
}

/// Writes the answer to the hail of that salt.
pub fn put_hailed(out: &mut Vec<u8>, room: &Room, salt: Salt) {
    let start = out.len();
    out.push(kind::HAILED);
    out.extend_from_slice(&salt);
    seal(out, room, start);
}

/// Reads either of them; `None` when it is not of that room.
///
/// # Errors
///
/// [`Malformed`], when it is neither.
pub(crate) fn read(bytes: &[u8], room: &Room) -> Result<Option<Heard>, Malformed> {
    let is_hail = match (bytes.first(), bytes.len()) {
        (Some(&kind::HAIL), HAIL) => true,
        (Some(&kind::HAILED), HAILED) => false,
        _ => return Err(Malformed),
    };
    let (said, shown) = bytes.split_last_chunk::<MAC>().ok_or(Malformed)?;
    if !same(&mac(room.hail_key(), &[said]), shown) {
        return Ok(None);
    }
    let (salt, hidden) = said[1..].split_first_chunk::<SALT>().ok_or(Malformed)?;
    if !is_hail {
        return Ok(Some(Heard::Hailed(*salt)));
    }
    let mut caller: [u8; CALLER] = hidden.try_into().map_err(|_| Malformed)?;
    veil(room, *salt, &mut caller);
    let (id, inside) = caller.split_first_chunk().ok_or(Malformed)?;
    let inside = match inside {
        [0] => false,
        [1] => true,
        _ => return Err(Malformed),
    };
    let caller = PeerId(u64::from_be_bytes(*id));
    Ok(Some(Heard::Hail(*salt, Hail { caller, inside })))
}

/// Hides who hails, or shows it again.
fn veil(room: &Room, salt: Salt, caller: &mut [u8]) {
    let stream = hash(room.caller_key(), &[&salt]);
    caller.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
}

fn seal(out: &mut Vec<u8>, room: &Room, start: usize) {
    let mac = mac(room.hail_key(), &[&out[start..]]);
    out.extend_from_slice(&mac);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::name::Name;

    fn room(name: &str) -> Room {
        Room::new(Name::parse(name).unwrap(), None)
    }

    fn written(room: &Room, salt: Salt, hail: Hail) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_hail(&mut bytes, room, salt, hail);
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let ours = room("ops");
        for inside in [false, true] {
            let hail = Hail { caller: PeerId(0x0123_4567_89ab_cdef), inside };
            let bytes = written(&ours, [7; SALT], hail);
            assert_eq!(bytes.len(), HAIL);
            assert_eq!(read(&bytes, &ours), Ok(Some(Heard::Hail([7; SALT], hail))));
            assert_eq!(read(&bytes, &room("lobby")), Ok(None));
        }
        let mut bytes = Vec::new();
        put_hailed(&mut bytes, &ours, [9; SALT]);
        assert_eq!((bytes.len(), HAILED < HAIL), (HAILED, true));
        assert_eq!(read(&bytes, &ours), Ok(Some(Heard::Hailed([9; SALT]))));
        assert_eq!(read(&bytes, &room("lobby")), Ok(None));
    }

    #[test]
    fn what_is_spoilt_is_nothing() {
        let ours = room("ops");
        let hail = written(&ours, [7; SALT], Hail { caller: PeerId(5), inside: true });
        let mut hailed = Vec::new();
        put_hailed(&mut hailed, &ours, [7; SALT]);
        for good in [hail, hailed] {
            for bit in 0..8 * good.len() {
                let mut spoilt = good.clone();
                spoilt[bit / 8] ^= 1 << (bit % 8);
                assert!(!matches!(read(&spoilt, &ours), Ok(Some(_))), "bit {bit}");
            }
            for len in 0..good.len() {
                assert_eq!(read(&good[..len], &ours), Err(Malformed));
            }
            assert_eq!(read(&[&good[..], &[0]].concat(), &ours), Err(Malformed));
        }
    }

    /// The mac is good, and what it is about is not.
    #[test]
    fn a_caller_is_inside_or_not() {
        let ours = room("ops");
        let mut bytes = written(&ours, [7; SALT], Hail { caller: PeerId(5), inside: true });
        bytes.truncate(1 + SALT + CALLER);
        bytes[SALT + CALLER] ^= 2;
        seal(&mut bytes, &ours, 0);
        assert_eq!(read(&bytes, &ours), Err(Malformed));
    }

    /// No run of eight bytes tells two hails of one process from those of two.
    #[test]
    fn hails_have_nothing_in_common() {
        let (ours, hail) = (room("ops"), Hail { caller: PeerId(5), inside: true });
        let of =
            |n: u64| written(&ours, crate::machine::Seed([3; 32]).hash("s", n).to_be_bytes(), hail);
        let mut runs = std::collections::BTreeSet::new();
        for bytes in (0..500).map(of) {
            assert!(bytes.windows(8).all(|run| runs.insert(run.to_vec())));
        }
    }
}
