//! What the machines ask of cryptography, and nothing of how it is done.
//!
//! [`Noise`](crate::machine::Noise) is the suite of the product. The simulator brings a stand-in
//! with messages of the same lengths that fail for the same reasons, so that most of its seeds need
//! no curve arithmetic.

use core::fmt;

use crate::machine::who::identity::{Identity, PublicKey};

/// Bytes that sealing adds.
pub const TAG: usize = 16;

/// Bytes of the first and of the second message of a handshake, besides their payload.
pub const FIRST: usize = 32 + 32 + TAG + TAG;
/// Bytes of the second message, which has no payload.
pub const SECOND: usize = 32 + TAG;

/// A signature scheme, a cipher, and a handshake of two messages in which the first already proves
/// who sends it to whom, and that both know a key (Noise `IKpsk0`).
pub trait Suite: fmt::Debug + Send + Sync {
    /// The handshake's image of a public key; `None` for a weak one.
    fn image(&self, key: PublicKey) -> Option<[u8; 32]>;

    /// Signs.
    fn sign(&self, identity: &Identity, message: &[u8]) -> [u8; 64];

    /// Whether the owner of the key signed that.
    fn verify(&self, key: PublicKey, message: &[u8], signature: &[u8; 64]) -> bool;

    /// Seals what is in `bytes` and appends [`TAG`] bytes. One nonce, one text.
    fn seal(&self, key: &[u8; 32], nonce: [u8; 12], bytes: &mut Vec<u8>);

    /// Opens what was sealed, and takes the last [`TAG`] bytes off. False when it is not genuine.
    fn open(&self, key: &[u8; 32], nonce: [u8; 12], bytes: &mut Vec<u8>) -> bool;

    /// Appends the first message, of [`FIRST`] bytes and the payload, to somebody whose image is
    /// known. `entropy` is never used twice.
    fn initiate(
        &self,
        hand: &Hand<'_>,
        theirs: &[u8; 32],
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Box<dyn Initiated>>;

    /// Reads a first message and appends its payload; `None` when it is not genuine.
    fn respond(
        &self,
        hand: &Hand<'_>,
        first: &[u8],
        payload: &mut Vec<u8>,
    ) -> Option<Box<dyn Responding>>;
}

/// What one side brings to a handshake.
#[derive(Debug)]
pub struct Hand<'a> {
    /// Who we are.
    pub identity: &'a Identity,
    /// The key that both sides must have.
    pub psk: &'a [u8; 32],
    /// Entropy for this handshake alone.
    pub entropy: [u8; 32],
}

/// A first message is on its way.
pub trait Initiated: fmt::Debug + Send {
    /// Reads the second message. One that is not genuine changes nothing.
    fn finish(&mut self, second: &[u8]) -> Option<Box<dyn Transport>>;
}

/// A first message was read.
pub trait Responding: fmt::Debug + Send {
    /// The image of the sender's key: they have its secret half.
    fn image(&self) -> [u8; 32];

    /// Appends the second message, of [`SECOND`] bytes.
    fn finish(self: Box<Self>, out: &mut Vec<u8>) -> Option<Box<dyn Transport>>;
}

/// The keys of a session, one for each direction.
pub trait Transport: fmt::Debug + Send {
    /// Seals `text` into `out`, which is [`TAG`] bytes longer. One counter, one text.
    fn seal(&self, counter: u64, text: &[u8], out: &mut [u8]);

    /// Opens into `out`, which is as long as what is opened; returns the length of the text.
    fn open(&self, counter: u64, sealed: &[u8], out: &mut [u8]) -> Option<usize>;
}
