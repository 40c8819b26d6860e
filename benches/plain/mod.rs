//! A suite that seals nothing: what sealing is measured against.

use chatrpc::machine::suite::{Hand, Initiated, Responding, Suite, TAG, Transport};
use chatrpc::machine::{Identity, PublicKey};
use chatrpc_sim::standin::StandIn;

#[derive(Debug)]
pub(crate) struct Plain;

/// Copies instead of sealing.
#[derive(Debug)]
struct Copied;

impl Transport for Copied {
    fn seal(&self, _counter: u64, text: &[u8], out: &mut [u8]) {
        out[..text.len()].copy_from_slice(text);
    }

    fn open(&self, _counter: u64, sealed: &[u8], out: &mut [u8]) -> Option<usize> {
        let len = sealed.len().checked_sub(TAG)?;
        out[..len].copy_from_slice(&sealed[..len]);
        Some(len)
    }
}

#[derive(Debug)]
struct First(Box<dyn Initiated>);

impl Initiated for First {
    fn finish(&mut self, second: &[u8]) -> Option<Box<dyn Transport>> {
        self.0.finish(second).map(|_| Box::new(Copied) as Box<dyn Transport>)
    }
}

#[derive(Debug)]
struct Second(Box<dyn Responding>);

impl Responding for Second {
    fn image(&self) -> [u8; 32] {
        self.0.image()
    }

    fn finish(self: Box<Self>, out: &mut Vec<u8>) -> Option<Box<dyn Transport>> {
        self.0.finish(out).map(|_| Box::new(Copied) as Box<dyn Transport>)
    }
}

impl Suite for Plain {
    fn image(&self, key: PublicKey) -> Option<[u8; 32]> {
        StandIn.image(key)
    }

    fn sign(&self, identity: &Identity, message: &[u8]) -> [u8; 64] {
        StandIn.sign(identity, message)
    }

    fn verify(&self, key: PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
        StandIn.verify(key, message, signature)
    }

    fn seal(&self, key: &[u8; 32], nonce: [u8; 12], bytes: &mut Vec<u8>) {
        StandIn.seal(key, nonce, bytes);
    }

    fn open(&self, key: &[u8; 32], nonce: [u8; 12], bytes: &mut Vec<u8>) -> bool {
        StandIn.open(key, nonce, bytes)
    }

    fn initiate(
        &self,
        hand: &Hand<'_>,
        theirs: &[u8; 32],
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Box<dyn Initiated>> {
        let first = StandIn.initiate(hand, theirs, payload, out)?;
        Some(Box::new(First(first)))
    }

    fn respond(
        &self,
        hand: &Hand<'_>,
        first: &[u8],
        payload: &mut Vec<u8>,
    ) -> Option<Box<dyn Responding>> {
        let second = StandIn.respond(hand, first, payload)?;
        Some(Box::new(Second(second)))
    }
}
