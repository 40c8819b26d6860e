//! The suite of the product: `Noise_IKpsk0_25519_ChaChaPoly_BLAKE2s`, Ed25519, ChaCha20-Poly1305.
//!
//! The handshake is the `snow` crate's. Randomness, Diffie-Hellman and the cipher come from a
//! resolver of ours: the randomness is handed in, so that a run replays to the byte; an agreement
//! on zero is refused; the cipher is `ring`'s; and keys are overwritten when they are dropped.

use core::fmt;

use curve25519_dalek::MontgomeryPoint;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use snow::params::{CipherChoice, DHChoice, HashChoice, NoiseParams};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, Error, HandshakeState, StatelessTransportState};
use zeroize::Zeroizing;

use crate::machine::guarded::wiped;
use crate::machine::who::identity::{Identity, PublicKey};
use crate::machine::who::suite::{
    FIRST, Hand, Initiated, Responding, SECOND, Suite, TAG, Transport,
};

const PATTERN: &str = "Noise_IKpsk0_25519_ChaChaPoly_BLAKE2s";

/// What both sides must agree on before the first message: this protocol, this version.
const PROLOGUE: &[u8] = b"chatrpc 1";

/// The real thing.
#[derive(Clone, Copy, Debug)]
pub struct Noise;

impl Suite for Noise {
    fn image(&self, key: PublicKey) -> Option<[u8; 32]> {
        key.image()
    }

    fn sign(&self, identity: &Identity, message: &[u8]) -> [u8; 64] {
        identity.sign(message)
    }

    fn verify(&self, key: PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
        key.verifies(message, signature)
    }

    fn seal(&self, key: &[u8; 32], nonce: [u8; 12], bytes: &mut Vec<u8>) {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = cipher_key(key).seal_in_place_append_tag(nonce, Aad::empty(), bytes);
        debug_assert!(sealed.is_ok(), "only texts of gigabytes cannot be sealed");
    }

    fn open(&self, key: &[u8; 32], nonce: [u8; 12], bytes: &mut Vec<u8>) -> bool {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = cipher_key(key).open_in_place(nonce, Aad::empty(), bytes);
        let len = opened.map(|text| text.len());
        bytes.truncate(len.unwrap_or(0));
        len.is_ok()
    }

    fn initiate(
        &self,
        hand: &Hand<'_>,
        theirs: &[u8; 32],
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Box<dyn Initiated>> {
        wiped(|| {
            let mut state = handshake(hand, Some(theirs)).ok()?;
            let start = out.len();
            out.resize(start + FIRST + payload.len(), 0);
            state.write_message(payload, &mut out[start..]).ok()?;
            forget_psk(&mut state)?;
            Some(Box::new(First(Some(state))) as Box<dyn Initiated>)
        })
    }

    fn respond(
        &self,
        hand: &Hand<'_>,
        first: &[u8],
        payload: &mut Vec<u8>,
    ) -> Option<Box<dyn Responding>> {
        wiped(|| {
            let mut state = handshake(hand, None).ok()?;
            let start = payload.len();
            payload.resize(start + first.len(), 0);
            let len = state.read_message(first, &mut payload[start..]).ok()?;
            payload.truncate(start + len);
            forget_psk(&mut state)?;
            let image = state.get_remote_static()?.try_into().ok()?;
            Some(Box::new(Second { state, image }) as Box<dyn Responding>)
        })
    }
}

/// The first message was the only one that needs it, and what the library holds is not overwritten when
/// it is dropped.
fn forget_psk(state: &mut HandshakeState) -> Option<()> {
    state.set_psk(0, &[0; 32]).ok()
}

fn handshake(hand: &Hand<'_>, theirs: Option<&[u8; 32]>) -> Result<HandshakeState, Error> {
    let secret = hand.identity.agreement();
    let params: NoiseParams = PATTERN.parse()?;
    let resolver = Box::new(Resolver { entropy: Zeroizing::new(hand.entropy) });
    let builder = Builder::with_resolver(params, resolver)
        .prologue(PROLOGUE)?
        .local_private_key(secret)?
        .psk(0, hand.psk)?;
    match theirs {
        Some(theirs) => builder.remote_public_key(theirs)?.build_initiator(),
        None => builder.build_responder(),
    }
}

/// A first message was sent; empty once the second was read.
struct First(Option<HandshakeState>);

impl Initiated for First {
    fn finish(&mut self, second: &[u8]) -> Option<Box<dyn Transport>> {
        wiped(|| {
            let state = self.0.as_mut()?;
            let mut nothing = [0; SECOND];
            let read = state.read_message(second, &mut nothing);
            read.ok().filter(|&len| len == 0)?;
            let session = self.0.take()?.into_stateless_transport_mode().ok()?;
            Some(Box::new(Session(session)) as Box<dyn Transport>)
        })
    }
}

struct Second {
    state: HandshakeState,
    image: [u8; 32],
}

impl Responding for Second {
    fn image(&self) -> [u8; 32] {
        self.image
    }

    fn finish(mut self: Box<Self>, out: &mut Vec<u8>) -> Option<Box<dyn Transport>> {
        wiped(|| {
            let start = out.len();
            out.resize(start + SECOND, 0);
            self.state.write_message(&[], &mut out[start..]).ok()?;
            let session = self.state.into_stateless_transport_mode().ok()?;
            Some(Box::new(Session(session)) as Box<dyn Transport>)
        })
    }
}

struct Session(StatelessTransportState);

impl Transport for Session {
    fn seal(&self, counter: u64, text: &[u8], out: &mut [u8]) {
        let sealed = self.0.write_message(counter, text, out);
        debug_assert!(sealed.is_ok(), "a datagram fits, and counters end long before");
    }

    fn open(&self, counter: u64, sealed: &[u8], out: &mut [u8]) -> Option<usize> {
        self.0.read_message(counter, sealed, out).ok()
    }
}

macro_rules! opaque {
    ($($name:ident)*) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        })*
    };
}

opaque!(First Second Session);

/// Hands our own parts to `snow`.
struct Resolver {
    entropy: Zeroizing<[u8; 32]>,
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(Some(self.entropy.clone()))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        match choice {
            DHChoice::Curve25519 => Some(Box::<Agreement>::default()),
            DHChoice::Curve448 => None,
        }
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        match choice {
            CipherChoice::ChaChaPoly => Some(Box::<ChaChaPoly>::default()),
            CipherChoice::AESGCM => None,
        }
    }
}

/// The one ephemeral key of a handshake; a second one cannot be drawn.
struct Once(Option<Zeroizing<[u8; 32]>>);

impl Random for Once {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        let entropy = self.0.take().filter(|entropy| entropy.len() == dest.len());
        dest.copy_from_slice(&*entropy.ok_or(Error::Rng)?);
        Ok(())
    }
}

/// X25519 that refuses to agree on zero, as all points of small order would have it.
#[derive(Default)]
struct Agreement {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl Dh for Agreement {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        self.secret.copy_from_slice(secret);
        self.public = MontgomeryPoint::mul_base_clamped(*self.secret).to_bytes();
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut secret = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(&mut *secret)?;
        self.set(&*secret);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &*self.secret
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let public = public.first_chunk::<32>().ok_or(Error::Dh)?;
        let agreed = MontgomeryPoint(*public).mul_clamped(*self.secret).to_bytes();
        if agreed == [0; 32] {
            return Err(Error::Dh);
        }
        out[..32].copy_from_slice(&agreed);
        Ok(())
    }
}

/// `ring`'s cipher with the nonces of Noise: 4 bytes of zeros, 8 of the counter, little-endian.
#[derive(Default)]
struct ChaChaPoly(Zeroizing<[u8; 32]>);

/// Made for each use: it costs nothing, and leaves no key behind on the heap.
fn cipher_key(key: &[u8; 32]) -> LessSafeKey {
    let Ok(key) = UnboundKey::new(&CHACHA20_POLY1305, key) else {
        unreachable!("ChaCha20-Poly1305 takes keys of 32 bytes");
    };
    LessSafeKey::new(key)
}

fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.0.copy_from_slice(key);
    }

    fn encrypt(&self, counter: u64, aad: &[u8], text: &[u8], out: &mut [u8]) -> usize {
        let len = text.len();
        out[..len].copy_from_slice(text);
        let sealed = cipher_key(&self.0).seal_in_place_separate_tag(
            nonce(counter),
            Aad::from(aad),
            &mut out[..len],
        );
        let Ok(tag) = sealed else { unreachable!("no message has gigabytes") };
        out[len..len + TAG].copy_from_slice(tag.as_ref());
        len + TAG
    }

    fn decrypt(
        &self,
        counter: u64,
        aad: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let len = sealed.len().checked_sub(TAG).ok_or(Error::Decrypt)?;
        // In place it needs room for the tag; the callers that have none open short texts.
        let mut short = [0; FIRST];
        let whole = match out.get_mut(..sealed.len()) {
            Some(whole) => {
                whole.copy_from_slice(sealed);
                let opened =
                    cipher_key(&self.0).open_in_place(nonce(counter), Aad::from(aad), whole);
                return opened.map(|text| text.len()).map_err(|_| Error::Decrypt);
            }
            None => short.get_mut(..sealed.len()).ok_or(Error::Decrypt)?,
        };
        whole.copy_from_slice(sealed);
        let opened = cipher_key(&self.0).open_in_place(nonce(counter), Aad::from(aad), whole);
        out[..len].copy_from_slice(opened.map_err(|_| Error::Decrypt)?);
        Ok(len)
    }
}
