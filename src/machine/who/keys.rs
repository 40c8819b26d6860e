//! What a process signs and seals with: its identity, its room, and the cryptography of both.

use super::beacon::{Beacon, Sealed, Signed};
use super::identity::{Identity, PublicKey};
use super::room::Room;
use super::suite::{Hand, Suite};

/// The keys of one process. None of them ever changes.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) suite: &'static dyn Suite,
    pub(crate) identity: Identity,
    pub(crate) room: Room,
}

impl Keys {
    /// Our own public key.
    pub(crate) const fn public(&self) -> PublicKey {
        self.identity.public()
    }

    /// Signs what we say of ourselves.
    pub(crate) fn sign(&self, beacon: Beacon) -> Signed {
        Signed::new(self.suite, &self.identity, &self.room, beacon)
    }

    /// Seals it for our room.
    pub(crate) fn seal(&self, signed: &Signed) -> Sealed {
        signed.seal(self.suite, &self.room)
    }

    /// Opens what somebody sealed for our room; its signature is to be looked at yet.
    pub(crate) fn open(&self, sealed: &Sealed) -> Option<Signed> {
        sealed.open(self.suite, &self.room)
    }

    /// Whether the owner of its key said it in our room.
    pub(crate) fn is_genuine(&self, signed: &Signed) -> bool {
        signed.is_genuine(self.suite, &self.room)
    }

    /// What one step of a handshake is made with.
    pub(crate) fn hand(&self, entropy: [u8; 32]) -> Hand<'_> {
        Hand { identity: &self.identity, psk: self.room.psk(), entropy }
    }
}
