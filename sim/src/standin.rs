//! A suite in the place of cryptography: messages of the same lengths that fail for the same reasons,
//! for a hundredth of the cost.
//!
//! Whoever lacks the room's key or a session's cannot open what was sealed, and a bit that was
//! flipped is noticed. Whoever has the room's key could forge what others sign and agree on: the
//! simulator's traitors do not, and one seed in eight runs with the real suite.

use chatrpc::machine::keyed::hash;
use chatrpc::machine::suite::{FIRST, Hand, Initiated, Responding, SECOND, Suite, TAG, Transport};
use chatrpc::machine::{Identity, PublicKey, mix};

/// The stand-in.
#[derive(Clone, Copy, Debug)]
pub struct StandIn;

/// A key as four words.
type Key = [u64; 4];

fn key(bytes: &[u8; 32]) -> Key {
    let (words, _) = bytes.as_chunks::<8>();
    [0, 1, 2, 3].map(|at| u64::from_be_bytes(words[at]))
}

/// Hides a text: a keystream of mixed counters.
fn hide(key: Key, nonce: u64, bytes: &mut [u8]) {
    let start = mix(key[0] ^ mix(key[1] ^ nonce));
    for (at, chunk) in bytes.chunks_mut(8).enumerate() {
        let word = mix(start.wrapping_add(at as u64)).to_be_bytes();
        chunk.iter_mut().zip(word).for_each(|(byte, hidden)| *byte ^= hidden);
    }
}

/// What a change of the text, the nonce or the key changes.
fn tag(key: Key, nonce: u64, bytes: &[u8]) -> [u8; TAG] {
    let mut hash = mix(key[2] ^ mix(nonce ^ (bytes.len() as u64) << 40));
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    for word in words.iter().chain([&last]) {
        // A multiplication alone would let two flipped bits cancel each other.
        hash = mix(hash ^ u64::from_be_bytes(*word));
    }
    let mut tag = [0; TAG];
    tag[..8].copy_from_slice(&mix(hash).to_be_bytes());
    tag[8..].copy_from_slice(&mix(hash ^ key[3]).to_be_bytes());
    tag
}

fn seal(key: Key, nonce: u64, text: &[u8], out: &mut [u8]) {
    let (body, end) = out.split_at_mut(text.len());
    body.copy_from_slice(text);
    hide(key, nonce, body);
    end.copy_from_slice(&tag(key, nonce, body));
}

fn open(key: Key, nonce: u64, sealed: &[u8], out: &mut [u8]) -> Option<usize> {
    let len = sealed.len().checked_sub(TAG)?;
    let (body, end) = sealed.split_at(len);
    if tag(key, nonce, body) != end {
        return None;
    }
    out[..len].copy_from_slice(body);
    hide(key, nonce, &mut out[..len]);
    Some(len)
}

fn word(nonce: [u8; 12]) -> u64 {
    nonce.iter().fold(0, |word, &byte| mix(word ^ u64::from(byte)))
}

impl Suite for StandIn {
    fn image(&self, key: PublicKey) -> Option<[u8; 32]> {
        (key.0 != [0; 32]).then_some(key.0)
    }

    fn sign(&self, identity: &Identity, message: &[u8]) -> [u8; 64] {
        let half = hash(&identity.public().0, &[b"signed", message]);
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&half);
        signature[32..].copy_from_slice(&half);
        signature
    }

    fn verify(&self, key: PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
        let half = hash(&key.0, &[b"signed", message]);
        signature[..32] == half && signature[32..] == half
    }

    fn seal(&self, with: &[u8; 32], nonce: [u8; 12], bytes: &mut Vec<u8>) {
        let text = core::mem::take(bytes);
        bytes.resize(text.len() + TAG, 0);
        seal(key(with), word(nonce), &text, bytes);
    }

    fn open(&self, with: &[u8; 32], nonce: [u8; 12], bytes: &mut Vec<u8>) -> bool {
        let sealed = core::mem::take(bytes);
        bytes.resize(sealed.len(), 0);
        let len = open(key(with), word(nonce), &sealed, bytes);
        bytes.truncate(len.unwrap_or(0));
        len.is_some()
    }

    fn initiate(
        &self,
        hand: &Hand<'_>,
        theirs: &[u8; 32],
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Box<dyn Initiated>> {
        let ephemeral = hash(&hand.entropy, &[b"ephemeral"]);
        let secret = hash(hand.psk, &[&ephemeral, theirs]);
        let start = out.len();
        out.extend_from_slice(&ephemeral);
        out.resize(start + FIRST + payload.len(), 0);
        let (image, rest) = out[start + 32..].split_at_mut(32 + TAG);
        seal(key(&secret), 0, &hand.identity.public().0, image);
        seal(key(&secret), 1, payload, rest);
        Some(Box::new(First { secret }))
    }

    fn respond(
        &self,
        hand: &Hand<'_>,
        first: &[u8],
        payload: &mut Vec<u8>,
    ) -> Option<Box<dyn Responding>> {
        let (ephemeral, rest) = first.split_first_chunk::<32>()?;
        let (image, sealed) = rest.split_first_chunk::<{ 32 + TAG }>()?;
        let secret = hash(hand.psk, &[ephemeral, &hand.identity.public().0]);
        let mut theirs = [0; 32];
        open(key(&secret), 0, image, &mut theirs)?;
        let start = payload.len();
        payload.resize(start + sealed.len(), 0);
        let len = open(key(&secret), 1, sealed, &mut payload[start..])?;
        payload.truncate(start + len);
        Some(Box::new(Second { secret, entropy: hand.entropy, image: theirs }))
    }
}

#[derive(Debug)]
struct First {
    secret: [u8; 32],
}

impl Initiated for First {
    fn finish(&mut self, second: &[u8]) -> Option<Box<dyn Transport>> {
        let (ephemeral, end) = second.split_first_chunk::<32>()?;
        (tag(key(&self.secret), 2, ephemeral) == end).then(|| keys(&self.secret, ephemeral, true))
    }
}

#[derive(Debug)]
struct Second {
    secret: [u8; 32],
    entropy: [u8; 32],
    image: [u8; 32],
}

impl Responding for Second {
    fn image(&self) -> [u8; 32] {
        self.image
    }

    fn finish(self: Box<Self>, out: &mut Vec<u8>) -> Option<Box<dyn Transport>> {
        let ephemeral = hash(&self.entropy, &[b"ephemeral"]);
        out.extend_from_slice(&ephemeral);
        out.extend_from_slice(&tag(key(&self.secret), 2, &ephemeral));
        Some(keys(&self.secret, &ephemeral, false))
    }
}

fn keys(secret: &[u8; 32], ephemeral: &[u8; 32], first: bool) -> Box<dyn Transport> {
    let (one, other) =
        (hash(secret, &[ephemeral, b"first"]), hash(secret, &[ephemeral, b"second"]));
    let (ours, theirs) = if first { (one, other) } else { (other, one) };
    Box::new(Session { ours: key(&ours), theirs: key(&theirs) })
}

#[derive(Debug)]
struct Session {
    ours: Key,
    theirs: Key,
}

impl Transport for Session {
    fn seal(&self, counter: u64, text: &[u8], out: &mut [u8]) {
        seal(self.ours, counter, text, out);
    }

    fn open(&self, counter: u64, sealed: &[u8], out: &mut [u8]) -> Option<usize> {
        open(self.theirs, counter, sealed, out)
    }
}

const _: () = assert!(FIRST == 32 + 32 + TAG + TAG && SECOND == 32 + TAG);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_flipped_bits_are_noticed() {
        let (key, text) = ([1, 2, 3, 4], [7; 40]);
        let mut sealed = [0; 40 + TAG];
        seal(key, 9, &text, &mut sealed);
        let opens = |sealed: &[u8]| open(key, 9, sealed, &mut [0; 40]).is_some();
        assert!(opens(&sealed));
        for one in 0..8 * sealed.len() {
            for other in one + 1..8 * sealed.len() {
                let mut spoilt = sealed;
                spoilt[one / 8] ^= 1 << (one % 8);
                spoilt[other / 8] ^= 1 << (other % 8);
                assert!(!opens(&spoilt), "bits {one} and {other}");
            }
        }
    }
}
