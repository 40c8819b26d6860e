//! Who somebody is: an Ed25519 key, and its image on the curve of the handshake.
//!
//! A person is a key; a process is a key and the incarnation it started as. [`PeerId`] names the
//! process: its first four letters, which people see, depend on the key alone, the others on both.
//! So two devices, or one that was restarted, are two processes of visibly one person.

use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use crate::machine::guarded::{Guarded, wiped};
use crate::machine::keyed::{hash, mac, short};
use crate::machine::name::Name;
use crate::machine::who::ids::PeerId;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

/// Bytes of a signature.
pub const SIGNATURE: usize = 64;

/// The bits of an id that depend on the key alone: four letters of base32.
const PERSON_BITS: u32 = 20;

/// A public key (RFC 8032), as it came: [`PublicKey::image`] says whether it is a good one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// The process of this key that started as that incarnation.
    pub fn process(self, incarnation: u64) -> PeerId {
        let person = u64::from_be_bytes(short(b"chatrpc person", &[&self.0]));
        let process = short(b"chatrpc process", &[&self.0, &incarnation.to_be_bytes()]);
        let rest = u64::from_be_bytes(process) >> PERSON_BITS;
        PeerId(person >> (64 - PERSON_BITS) << (64 - PERSON_BITS) | rest)
    }

    /// The X25519 key that belongs to it (RFC 7748); `None` for bytes that are no key, and for the
    /// few that would agree on a secret everybody knows.
    pub fn image(self) -> Option<[u8; 32]> {
        let key = VerifyingKey::from_bytes(&self.0).ok().filter(|key| !key.is_weak())?;
        Some(key.to_montgomery().to_bytes()).filter(|image| *image != [0; 32])
    }

    /// Whether the owner of the key signed that.
    pub fn verifies(self, message: &[u8], signature: &[u8; SIGNATURE]) -> bool {
        let signature = Signature::from_bytes(signature);
        let key = VerifyingKey::from_bytes(&self.0);
        key.is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

/// Somebody in the room.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Person {
    /// Which process it is: names may be shared, ids are not.
    pub id: PeerId,
    /// Whose process it is: the same one for all processes of a person.
    pub key: PublicKey,
    /// What people call them.
    pub name: Name,
}

/// Words that two people read to each other: the same on both sides, and for no other two keys.
///
/// Eight words of 16 bits. Whoever stands between the two would need two keys of their own for which
/// the words agree: 2⁶⁴ tries.
pub fn words(one: PublicKey, other: PublicKey) -> String {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    let bits = mac(b"chatrpc words", &[&first.0, &second.0]);
    let mut text = String::new();
    for pair in bits.chunks_exact(2) {
        if !text.is_empty() {
            text.push(' ');
        }
        let word = u16::from_be_bytes([pair[0], pair[1]]);
        // Consonant, vowel, consonant, vowel, consonant: to be read aloud in many languages.
        for (shift, letters) in
            [(12, CONSONANTS), (10, VOWELS), (6, CONSONANTS), (4, VOWELS), (0, CONSONANTS)]
        {
            let letter = usize::from(word >> shift) % letters.len();
            text.push(char::from(letters[letter]));
        }
    }
    text
}

const CONSONANTS: &[u8] = b"bdfghjklmnprstvz";
const VOWELS: &[u8] = b"aiou";

impl FromStr for PublicKey {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(());
        }
        let mut key = [0; 32];
        for (byte, pair) in key.iter_mut().zip(pairs) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or(());
            *byte = (digit(0)? << 4 | digit(1)?) as u8;
        }
        Ok(Self(key))
    }
}

/// A name, and the key of the one person it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The name.
    pub name: Name,
    /// The key.
    pub key: PublicKey,
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "PublicKey({a:02x}{b:02x}..)")
    }
}

/// A key pair. Its secret stays where it is, is overwritten when the last copy is dropped, and never
/// shown.
#[derive(Clone)]
pub struct Identity {
    signing: Arc<SigningKey>,
    agreement: Guarded<32>,
    public: PublicKey,
}

impl Identity {
    /// The pair that belongs to 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        wiped(|| {
            let signing = Arc::new(SigningKey::from_bytes(secret));
            let public = PublicKey(signing.verifying_key().to_bytes());
            let agreement = Guarded::filled(|bytes| *bytes = signing.to_scalar_bytes());
            Self { signing, agreement, public }
        })
    }

    /// The public half.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE] {
        wiped(|| self.signing.sign(message).to_bytes())
    }

    /// A secret that follows from ours and from what it is for: who has one learns nothing of the other.
    pub fn derived(&self, purpose: &[&[u8]]) -> Guarded<32> {
        wiped(|| Guarded::filled(|bytes| *bytes = hash(self.signing.as_bytes(), purpose)))
    }

    /// The secret X25519 key whose public half is the image of ours.
    pub fn agreement(&self) -> &[u8; 32] {
        &self.agreement
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:?})", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::MontgomeryPoint;

    #[test]
    fn both_halves_have_the_same_image() {
        for n in 0..20 {
            let me = Identity::new(&[n; 32]);
            let image = MontgomeryPoint::mul_base_clamped(*me.agreement()).to_bytes();
            assert_eq!(me.public().image(), Some(image));
        }
    }

    #[test]
    fn people_see_the_key_and_machines_the_process() {
        let (a, b) = (Identity::new(&[1; 32]).public(), Identity::new(&[2; 32]).public());
        assert_eq!(a.process(1).short(), a.process(2).short());
        assert_ne!(a.process(1), a.process(2));
        assert_ne!(a.process(1).short(), b.process(1).short());
    }

    #[test]
    fn words_are_of_two_keys_whoever_reads_them() {
        let key = |luck| Identity::new(&[luck; 32]).public();
        let read = words(key(1), key(2));
        assert_eq!(read, words(key(2), key(1)));
        assert_eq!(read.split(' ').map(str::len).collect::<Vec<_>>(), [5; 8]);
        assert_ne!(read, words(key(1), key(3)));
        assert_ne!(read, words(key(3), key(2)));
        assert_eq!(key(1).to_string().parse(), Ok(key(1)));
        for wrong in ["", "0", "zz", &"0".repeat(63), &"0".repeat(66), &"é".repeat(32)] {
            assert_eq!(wrong.parse::<PublicKey>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn weak_keys_are_refused() {
        // The points of small order, as they are written (RFC 8032); the first is the neutral one.
        let mut one = [0; 32];
        one[0] = 1;
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        for weak in [[0; 32], one, minus_one] {
            assert_eq!(PublicKey(weak).image(), None, "{weak:?}");
            assert!(!PublicKey(weak).verifies(b"", &[0; 64]));
        }
    }

    #[test]
    fn a_signature_is_good_for_its_key_and_its_message() {
        let (me, other) = (Identity::new(&[1; 32]), Identity::new(&[2; 32]));
        let mut signature = me.sign(b"hello");
        assert!(me.public().verifies(b"hello", &signature));
        assert!(!me.public().verifies(b"hellO", &signature));
        assert!(!other.public().verifies(b"hello", &signature));
        signature[40] ^= 1;
        assert!(!me.public().verifies(b"hello", &signature));
    }

    #[test]
    fn secrets_are_not_shown() {
        let me = Identity::new(&[0xab; 32]);
        assert!(!format!("{me:?}").contains("171") && !format!("{me:?}").contains("abab"));
    }
}
