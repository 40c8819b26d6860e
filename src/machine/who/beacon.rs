//! The beacon: what somebody says of themselves so that others can find them.

use core::fmt;
use core::net::SocketAddr;
use std::sync::Arc;

use crate::machine::codec::{Malformed, Reader, addr_size, put_addr, put_u64};
use crate::machine::keyed::mac;
use crate::machine::name::Name;
use crate::machine::who::identity::SIGNATURE;
use crate::machine::who::identity::{Identity, Person, PublicKey};
use crate::machine::who::ids::{Handle, PeerId};
use crate::machine::who::room::Room;
use crate::machine::who::suite::{Suite, TAG};

/// How many addresses a beacon may list.
pub(crate) const ADDRS_MAX: usize = 4;

/// Who somebody is and where they may be reached. Only a greater `n` replaces one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Beacon {
    /// Which process: follows from the key and the incarnation.
    pub id: PeerId,
    /// Who.
    pub key: PublicKey,
    /// What nodesets know it by.
    pub handle: Handle,
    /// When that process started: greater than that of any earlier one of the same key.
    pub incarnation: u64,
    /// How often this process has changed its beacon.
    pub n: u32,
    /// They have left: the last that is heard of this process.
    pub left: bool,
    /// They only came to say something: what others say is not for them. Never changes.
    pub once: bool,
    /// What people call them.
    pub name: Name,
    /// Addresses of their own that may work, at most four.
    pub addrs: Vec<SocketAddr>,
}

/// Bytes of a beacon besides its name and its addresses: key, incarnation, n, flags, handle, two
/// counts.
const FIXED: usize = 32 + 8 + 4 + 1 + 8 + 1 + 1;

/// Bytes that are sealed: every beacon has the same, so that its size tells nothing.
const PADDED: usize = 224;

/// Bytes of a sealed beacon: nonce, beacon and signature, tag.
pub const SEALED: usize = NONCE + PADDED + TAG;

const NONCE: usize = 12;

impl Beacon {
    /// Leaves out the addresses that would not fit a sealed beacon.
    pub fn fit(&mut self) {
        let mut room = PADDED - FIXED - SIGNATURE - self.name.as_str().len();
        self.addrs.truncate(ADDRS_MAX);
        self.addrs.retain(|&addr| {
            let fits = addr_size(addr) <= room;
            room -= if fits { addr_size(addr) } else { 0 };
            fits
        });
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.key.0);
        put_u64(out, self.incarnation);
        out.extend_from_slice(&self.n.to_be_bytes());
        out.push(u8::from(self.left) | u8::from(self.once) << 1);
        put_u64(out, self.handle.0);
        let name = self.name.as_str().as_bytes();
        out.push(name.len() as u8);
        out.extend_from_slice(name);
        let addrs = &self.addrs[..self.addrs.len().min(ADDRS_MAX)];
        out.push(addrs.len() as u8);
        addrs.iter().for_each(|&addr| put_addr(out, addr));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (key, incarnation, n) = (PublicKey(reader.array()?), reader.u64()?, reader.u32()?);
        let id = key.process(incarnation);
        // 0 stands for whoever listens at an address.
        if incarnation == 0 || id.0 == 0 {
            return Err(Malformed);
        }
        let flags = reader.u8()?;
        if flags > 3 {
            return Err(Malformed);
        }
        let (left, once) = (flags & 1 != 0, flags & 2 != 0);
        let handle = Handle(reader.u64()?);
        let len = usize::from(reader.u8()?);
        let text = core::str::from_utf8(reader.take(len)?).map_err(|_| Malformed)?;
        let name = Name::parse(text).map_err(|_| Malformed)?;
        if name.as_str() != text {
            return Err(Malformed);
        }
        let count = usize::from(reader.u8()?);
        if count > ADDRS_MAX {
            return Err(Malformed);
        }
        let addrs = (0..count).map(|_| reader.addr()).collect::<Result<_, _>>()?;
        Ok(Self { id, key, handle, incarnation, n, left, once, name, addrs })
    }

    /// Whose it is.
    pub(crate) fn person(&self) -> Person {
        Person { id: self.id, key: self.key, name: self.name.clone() }
    }

    /// Whether it is of the same process: what never changes is the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let what = |beacon: &Self| (beacon.id, beacon.key, beacon.handle, beacon.once);
        what(self) == what(other)
    }

    /// Whether the other is of a later process of the same key, which stays.
    pub(crate) fn is_succeeded_by(&self, other: &Self) -> bool {
        self.key == other.key && self.incarnation < other.incarnation && !other.once
    }

    /// Bytes it takes on the wire, without its signature.
    pub fn size(&self) -> usize {
        let addrs: usize = self.addrs.iter().map(|&addr| addr_size(addr)).sum();
        FIXED + self.name.as_str().len() + addrs
    }
}

/// A beacon and who vouches for it: the owner of its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signed {
    /// What is said.
    pub beacon: Beacon,
    /// The signature over the room's tag and the beacon's bytes.
    pub signature: [u8; SIGNATURE],
}

/// What is signed: no beacon passes for one of another room, or for another kind of statement.
fn statement(room: &Room, beacon: &Beacon) -> Vec<u8> {
    let mut bytes = b"chatrpc beacon 1".to_vec();
    bytes.extend_from_slice(&room.tag().0);
    beacon.put(&mut bytes);
    bytes
}

impl Signed {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        self.beacon.put(out);
        out.extend_from_slice(&self.signature);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { beacon: Beacon::read(reader)?, signature: reader.array()? })
    }

    /// Signs a beacon of ours.
    pub fn new(suite: &dyn Suite, identity: &Identity, room: &Room, beacon: Beacon) -> Self {
        let signature = suite.sign(identity, &statement(room, &beacon));
        Self { beacon, signature }
    }

    /// Whether the owner of its key said it in this room.
    pub fn is_genuine(&self, suite: &dyn Suite, room: &Room) -> bool {
        suite.verify(self.beacon.key, &statement(room, &self.beacon), &self.signature)
    }

    /// Seals it for a nodeset to keep. The nonce is a keyed hash of what is sealed, so that no two
    /// texts ever share one, whatever was forgotten in between (the idea of SIV, RFC 5297).
    pub fn seal(&self, suite: &dyn Suite, room: &Room) -> Sealed {
        let mut text = Vec::with_capacity(SEALED);
        self.put(&mut text);
        text.resize(PADDED, 0);
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&mac(room.nonce_key(), &[&text])[..NONCE]);
        suite.seal(room.beacon_key(), nonce, &mut text);
        let mut sealed = [0; SEALED];
        sealed[..NONCE].copy_from_slice(&nonce);
        sealed[NONCE..].copy_from_slice(&text);
        Sealed(Arc::new(sealed))
    }
}

/// A sealed beacon: for who knows the room's secret, and noise to anybody else.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sealed(pub Arc<[u8; SEALED]>);

impl Sealed {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self(Arc::new(reader.array()?)))
    }

    /// Opens it; `None` when it is not of this room, or not what an honest member would seal. Its
    /// signature is still to be verified.
    pub fn open(&self, suite: &dyn Suite, room: &Room) -> Option<Signed> {
        let (nonce, sealed) = self.0.split_first_chunk::<NONCE>()?;
        let mut text = sealed.to_vec();
        if !suite.open(room.beacon_key(), *nonce, &mut text) {
            return None;
        }
        let mut reader = Reader::new(&text);
        let signed = Signed::read(&mut reader).ok()?;
        reader.rest().iter().all(|&byte| byte == 0).then_some(signed)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::who::noise::Noise;

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

    fn beacon(identity: &Identity, name: &str, addrs: &[&str]) -> Beacon {
        let (key, incarnation) = (identity.public(), 7);
        let mut beacon = Beacon {
            id: key.process(incarnation),
            key,
            handle: Handle::of(7),
            incarnation,
            n: 0,
            left: false,
            once: false,
            name: Name::parse(name).unwrap(),
            addrs: addrs.iter().map(|addr| addr.parse().unwrap()).collect(),
        };
        beacon.fit();
        beacon
    }

    fn room(name: &str) -> Room {
        Room::new(Name::parse(name).unwrap(), None)
    }

    #[test]
    fn what_is_sealed_opens_in_its_room_alone() {
        let (me, here) = (Identity::new(&[1; 32]), room("ops"));
        let signed = Signed::new(&Noise, &me, &here, beacon(&me, "alice", &["10.0.0.1:7"]));
        let sealed = signed.seal(&Noise, &here);
        assert_eq!(sealed.open(&Noise, &here), Some(signed.clone()));
        assert!(signed.is_genuine(&Noise, &here));
        assert_eq!(sealed.open(&Noise, &room("lab")), None);
        assert!(!signed.is_genuine(&Noise, &room("lab")));
        for place in 0..SEALED {
            let mut spoilt = *sealed.0;
            spoilt[place] ^= 1 << (place % 8);
            assert_eq!(Sealed(Arc::new(spoilt)).open(&Noise, &here), None, "byte {place}");
        }
    }

    #[test]
    fn nobody_signs_for_somebody_else() {
        let (me, other) = (Identity::new(&[1; 32]), Identity::new(&[2; 32]));
        let here = room("ops");
        let forged = Signed::new(&Noise, &other, &here, beacon(&me, "alice", &[]));
        assert!(!forged.is_genuine(&Noise, &here));
        let mut signed = Signed::new(&Noise, &me, &here, beacon(&me, "alice", &[]));
        signed.beacon.n += 1;
        assert!(!signed.is_genuine(&Noise, &here));
    }

    #[test]
    fn equal_nonces_mean_equal_beacons() {
        let (me, here) = (Identity::new(&[1; 32]), room("ops"));
        let seal =
            |name| Signed::new(&Noise, &me, &here, beacon(&me, name, &[])).seal(&Noise, &here);
        assert_eq!(seal("alice"), seal("alice"));
        assert_ne!(seal("alice").0[..NONCE], seal("alicf").0[..NONCE]);
    }

    #[test]
    fn addresses_that_do_not_fit_are_left_out() {
        let me = Identity::new(&[1; 32]);
        let addrs = ["[fd00::1]:7", "[fd00::2]:7", "[fd00::3]:7", "[fd00::4]:7", "10.0.0.1:7"];
        assert_eq!(beacon(&me, "alice", &addrs).addrs.len(), ADDRS_MAX);
        let wide = "𝒳".repeat(24);
        let tight = beacon(&me, &wide, &addrs);
        assert!(tight.addrs.len() < ADDRS_MAX);
        assert!(tight.size() + SIGNATURE <= PADDED);
    }
}
