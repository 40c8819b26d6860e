//! A room: a name and a secret, and every key that is derived from the two (docs/PROTOCOL.md,
//! "Keys").
//!
//! An open room is a room whose secret everybody knows: the same code with a public constant.

use core::fmt;
use core::str::FromStr;

use zeroize::{Zeroize, Zeroizing};

use super::base32;
use crate::machine::guarded::{Guarded, wiped};
use crate::machine::keyed::{MAC, hash, mac, short};
use crate::machine::name::Name;
use crate::machine::who::ids::Tag;

/// Bytes of a secret: 160 bits, which nobody can guess, and which need no slow hash.
pub const SECRET: usize = 20;

/// What stands in the place of the secret of an open room.
const OPEN: [u8; SECRET] = *b"chatrpc's open rooms";

/// The secret of a room.
///
/// Written as 34 letters and digits: 32 of base32, and two that tell a slip of the pen from a
/// secret. Capital letters, spaces and hyphens do not matter.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Guarded<SECRET>);

impl Secret {
    /// A secret made of entropy.
    pub fn new(mut bytes: [u8; SECRET]) -> Self {
        let secret = Self(Guarded::filled(|secret| secret.copy_from_slice(&bytes)));
        bytes.zeroize();
        secret
    }

    /// A secret that something makes of zeros.
    ///
    /// # Errors
    ///
    /// Those of `fill`.
    pub fn try_filled<E>(fill: impl FnOnce(&mut [u8; SECRET]) -> Result<(), E>) -> Result<Self, E> {
        Guarded::try_filled(fill).map(Self)
    }

    /// The way it is written. For a person's eyes: never for a log.
    pub fn written(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(34));
        for (at, five) in self.0.chunks_exact(5).enumerate() {
            debug_assert!(at < 4);
            let bits = five.iter().fold(0u64, |bits, &byte| bits << 8 | u64::from(byte));
            (0..8).rev().for_each(|digit| text.push(base32::letter(bits >> (5 * digit))));
        }
        let check = self.check();
        text.push(base32::letter(check >> 5));
        text.push(base32::letter(check));
        text
    }

    /// Ten bits that a slip of the pen hardly leaves right.
    fn check(&self) -> u64 {
        u64::from_be_bytes(short(b"chatrpc check", &[&self.0[..]])) >> 54
    }
}

/// Why a text is not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretError {
    /// It does not have 34 letters of base32.
    Shape,
    /// A letter is wrong, or two are swapped.
    Mistyped,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "a secret has 34 letters and digits, as `chatrpc secret` prints them",
            Self::Mistyped => "the secret is mistyped",
        })
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let mut digits = Zeroizing::new([0u8; 34]);
        let mut count = 0;
        for c in text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{FEFF}')) {
            let digit = base32::digit(c.to_ascii_lowercase()).ok_or(SecretError::Shape)?;
            *digits.get_mut(count).ok_or(SecretError::Shape)? = digit;
            count += 1;
        }
        if count < digits.len() {
            return Err(SecretError::Shape);
        }
        let secret = Self(Guarded::filled(|secret| {
            for (five, eight) in secret.chunks_exact_mut(5).zip(digits.chunks_exact(8)) {
                let bits = eight.iter().fold(0u64, |bits, &digit| bits << 5 | u64::from(digit));
                five.copy_from_slice(&bits.to_be_bytes()[3..]);
            }
        }));
        let check = u64::from(digits[32]) << 5 | u64::from(digits[33]);
        if secret.check() == check { Ok(secret) } else { Err(SecretError::Mistyped) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a process knows of its room. The keys are overwritten when it is dropped.
#[derive(Clone)]
pub struct Room {
    name: Name,
    open: bool,
    tag: Tag,
    keys: Keys,
}

/// One key for each purpose.
#[derive(Clone)]
struct Keys {
    psk: Guarded<32>,
    mac: Guarded<32>,
    beacon: Guarded<32>,
    nonce: Guarded<32>,
    hail: Guarded<32>,
    caller: Guarded<32>,
}

impl Room {
    /// The room everybody shares who names no other.
    pub const LOBBY: &'static str = "lobby";

    /// The room of that name and secret; without a secret, an open one.
    pub fn new(name: Name, secret: Option<&Secret>) -> Self {
        let bytes = secret.map_or(&OPEN, |secret| &*secret.0);
        wiped(|| {
            let derived = |key: &[u8], parts: &[&[u8]]| {
                Guarded::filled(|bytes| bytes.copy_from_slice(&hash(key, parts)))
            };
            let room = derived(bytes, &[b"chatrpc room 1", name.as_str().as_bytes()]);
            let key = |label: &str| derived(&room[..], &[label.as_bytes()]);
            let mut tag = [0; 16];
            tag.copy_from_slice(&key("tag")[..16]);
            let [psk, mac, beacon, nonce] = ["psk", "mac", "beacon", "nonce"].map(key);
            let [hail, caller] = ["hail", "caller"].map(key);
            let keys = Keys { psk, mac, beacon, nonce, hail, caller };
            Self { name, open: secret.is_none(), tag: Tag(tag), keys }
        })
    }

    /// What people call the room.
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// Everybody can enter.
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// What a nodeset files the room under. It says nothing to who does not know the secret.
    pub const fn tag(&self) -> Tag {
        self.tag
    }

    /// The key that both sides of a handshake must have (`psk0` of the Noise protocol).
    pub fn psk(&self) -> &[u8; 32] {
        &self.keys.psk
    }

    /// The key of what stands at the end of every handshake message.
    pub fn mac_key(&self) -> &[u8; 32] {
        &self.keys.mac
    }

    /// What stands behind a question in the open: only who knows the room can make it.
    pub fn proof(&self, asked: &[u8]) -> [u8; MAC] {
        mac(self.mac_key(), &[asked])
    }

    /// The key that beacons are sealed with.
    pub fn beacon_key(&self) -> &[u8; 32] {
        &self.keys.beacon
    }

    /// The key that gives a beacon's nonce.
    pub fn nonce_key(&self) -> &[u8; 32] {
        &self.keys.nonce
    }

    /// The key of what stands at the end of a hail, and of its answer.
    pub fn hail_key(&self) -> &[u8; 32] {
        &self.keys.hail
    }

    /// The key that hides who hails.
    pub fn caller_key(&self) -> &[u8; 32] {
        &self.keys.caller
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Room({}, open: {}, ..)", self.name, self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn secrets_are_written_and_read() {
        let secret = Secret::new(*b"twenty bytes of luck");
        let text = secret.written();
        assert_eq!(text.len(), 34);
        assert_eq!(text.parse(), Ok(secret.clone()));
        let loose = format!("\u{FEFF} {}-{}\n", text[..10].to_uppercase(), &text[10..]);
        assert_eq!(loose.parse(), Ok(secret));
    }

    #[test]
    fn a_slip_of_the_pen_is_noticed() {
        let text = Secret::new(*b"twenty bytes of luck").written().to_string();
        for place in 0..34 {
            let mut wrong = text.clone().into_bytes();
            wrong[place] = if wrong[place] == b'a' { b'b' } else { b'a' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert_eq!(wrong.parse::<Secret>(), Err(SecretError::Mistyped), "{wrong}");
        }
        for wrong in ["", &text[1..], &format!("{text}a"), &text.replace(&text[..1], "1")] {
            assert_eq!(wrong.parse::<Secret>(), Err(SecretError::Shape), "{wrong}");
        }
    }

    #[test]
    fn every_key_depends_on_name_and_secret_and_differs_from_the_others() {
        let (one, two) = (Secret::new([1; SECRET]), Secret::new([2; SECRET]));
        let rooms = [
            Room::new(name("lobby"), None),
            Room::new(name("ops"), None),
            Room::new(name("ops"), Some(&one)),
            Room::new(name("ops"), Some(&two)),
        ];
        let keys = |room: &Room| {
            let Keys { psk, mac, beacon, nonce, hail, caller } = &room.keys;
            let keys = [psk, mac, beacon, nonce, hail, caller];
            let mut keys: Vec<Vec<u8>> = keys.iter().map(|key| key.to_vec()).collect();
            keys.push(room.tag.0.to_vec());
            keys
        };
        let all: std::collections::BTreeSet<Vec<u8>> = rooms.iter().flat_map(keys).collect();
        assert_eq!(all.len(), 7 * rooms.len());
    }

    #[test]
    fn secrets_are_not_shown() {
        let secret = Secret::new([7; SECRET]);
        let shown = format!("{secret:?} {:?}", Room::new(name("ops"), Some(&secret)));
        assert_eq!(shown, "Secret(..) Room(ops, open: false, ..)");
    }
}
