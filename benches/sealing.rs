//! What sealing costs: a handshake, a datagram, and a stranger who is refused.
//!
//! `cargo bench --bench sealing`. Ratios are taken in one interleaved run.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[path = "../tests/support/insider.rs"]
mod insider;

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chatrpc::machine::suite::{FIRST, Hand, SECOND, Suite, TAG};
use chatrpc::machine::{
    Identity, Incarnation, Input, Machine, Name, Noise, Peer, PeerConfig, Seed, Time, drain,
};
use insider::{Insider, room};

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    handshakes();
    datagrams();
    strangers();
}

/// The least time that one of `rounds` runs takes, of each of two things in turns.
fn least(rounds: u32, mut one: impl FnMut(), mut other: impl FnMut()) -> (Duration, Duration) {
    let (mut a, mut b) = (Duration::MAX, Duration::MAX);
    for _ in 0..rounds {
        let start = Instant::now();
        one();
        a = a.min(start.elapsed());
        let start = Instant::now();
        other();
        b = b.min(start.elapsed());
    }
    (a, b)
}

/// Both sides of a handshake: the suite, against the same pattern of `snow` as it comes.
fn handshakes() {
    let (alice, bob) = (Identity::new(&[1; 32]), Identity::new(&[2; 32]));
    let (psk, payload) = ([3; 32], [4; 56]);
    let image = bob.public().image().expect("a good key");
    let ours = || {
        let hand = |identity, luck| Hand { identity, psk: &psk, entropy: [luck; 32] };
        let (mut first, mut said, mut second) = (Vec::new(), Vec::new(), Vec::new());
        let begun = Noise.initiate(&hand(&alice, 5), &image, &payload, &mut first);
        let heard = Noise.respond(&hand(&bob, 6), &first, &mut said);
        heard.and_then(|heard| heard.finish(&mut second)).expect("a session");
        begun.and_then(|mut begun| begun.finish(&second)).expect("a session");
    };
    let (secret, other) = (alice.agreement(), bob.agreement());
    let bare = || {
        let builder = || {
            let params = "Noise_IKpsk0_25519_ChaChaPoly_BLAKE2s".parse().expect("a pattern");
            let resolver = Box::new(Bare);
            snow::Builder::with_resolver(params, resolver).psk(0, &psk).expect("a key")
        };
        let mut a = builder().local_private_key(&*secret).expect("a key");
        a = a.remote_public_key(&image).expect("a key");
        let mut a = a.build_initiator().expect("a state");
        let b = builder().local_private_key(&*other).expect("a key");
        let mut b = b.build_responder().expect("a state");
        let (mut first, mut second, mut said) = ([0; FIRST + 56], [0; SECOND], [0; 256]);
        a.write_message(&payload, &mut first).expect("a message");
        b.read_message(&first, &mut said).expect("a message");
        b.write_message(&[], &mut second).expect("a message");
        a.read_message(&second, &mut said).expect("a message");
        black_box((a.into_stateless_transport_mode(), b.into_stateless_transport_mode()))
            .0
            .expect("a session");
    };
    let (ours, bare) = least(500, ours, bare);
    let per_second = |span: Duration| 1.0 / span.as_secs_f64();
    println!("a handshake, both sides:");
    println!("  suite      {:>8.1?}, {:>6.0} a second", ours, per_second(ours));
    println!("  bare snow  {:>8.1?}, {:>6.0} a second", bare, per_second(bare));
    println!("  ratio      {:.2}", ours.as_secs_f64() / bare.as_secs_f64());
}

/// `snow` with what it comes with, and randomness that costs nothing.
struct Bare;

impl snow::resolvers::CryptoResolver for Bare {
    fn resolve_rng(&self) -> Option<Box<dyn snow::types::Random>> {
        struct Seven;
        impl snow::types::Random for Seven {
            fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
                dest.fill(7);
                Ok(())
            }
        }
        Some(Box::new(Seven))
    }

    fn resolve_dh(&self, choice: &snow::params::DHChoice) -> Option<Box<dyn snow::types::Dh>> {
        snow::resolvers::DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(
        &self,
        choice: &snow::params::HashChoice,
    ) -> Option<Box<dyn snow::types::Hash>> {
        snow::resolvers::DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(
        &self,
        choice: &snow::params::CipherChoice,
    ) -> Option<Box<dyn snow::types::Cipher>> {
        snow::resolvers::DefaultResolver.resolve_cipher(choice)
    }
}

/// Sealing and opening 256 bytes.
fn datagrams() {
    let (alice, bob) = (Identity::new(&[1; 32]), Identity::new(&[2; 32]));
    let hand = |identity, luck| Hand { identity, psk: &[3; 32], entropy: [luck; 32] };
    let (mut first, mut said, mut second) = (Vec::new(), Vec::new(), Vec::new());
    let image = bob.public().image().expect("a good key");
    let mut begun = Noise.initiate(&hand(&alice, 5), &image, &[], &mut first).expect("a state");
    let heard = Noise.respond(&hand(&bob, 6), &first, &mut said).expect("a state");
    let theirs = heard.finish(&mut second).expect("a session");
    let ours = begun.finish(&second).expect("a session");
    let (text, mut sealed, mut opened) = ([7; 256], [0; 256 + TAG], [0; 256 + TAG]);
    ours.seal(0, &text, &mut sealed);
    let once = sealed;
    let (seal, open) = least(
        200,
        || (0..1000).for_each(|n| ours.seal(black_box(n), &text, &mut sealed)),
        || (0..1000).for_each(|_| assert!(theirs.open(0, black_box(&once), &mut opened).is_some())),
    );
    println!("256 bytes: sealed in {:.0?}, opened in {:.0?}", seal / 1000, open / 1000);
}

/// What a peer does with those who have no secret, and with a member it does not know.
fn strangers() {
    let identity = Identity::new(&[1; 32]);
    let target = (identity.public(), 1);
    let (seed, incarnation) = (Seed([1; 32]), Incarnation::at(1));
    let name = Name::parse("alice").expect("a name");
    let nodeset = SocketAddr::from(([127, 0, 0, 1], 9));
    let mut peer = Peer::new(PeerConfig::new(seed, incarnation, identity, room(), name, nodeset));
    let from = SocketAddr::from(([127, 0, 0, 1], 10));
    let mut sent = 0;
    let mut feed = |peer: &mut Peer, at: u64, bytes: &[u8]| {
        let input = Input::Datagram { from, at: None, bytes };
        drain(peer, Time::from_micros(at), input, |_| sent += 1);
    };
    let (genuine, _) = Insider::new(2, 5).init(target);
    feed(&mut peer, 1, &[]);
    let mut forged = genuine.clone();
    forged[7] ^= 1;
    let data = [&[4; 1][..], &[0; 4], &[0; 250]].concat();
    for (what, bytes) in [
        ("a first message without the secret", &forged[..]),
        ("data for no session", &data),
        ("what is not of this protocol", &[9; 200]),
    ] {
        let (once, _) = least(200, || (0..1000).for_each(|_| feed(&mut peer, 2, bytes)), || ());
        println!("refusing {what}: {:.0?}", once / 1000);
    }
    let before = peer.footprint();
    let mut first_messages = Vec::new();
    for n in 0..100 {
        first_messages.push(Insider::new(3, 100 + n).init(target).0);
    }
    let start = Instant::now();
    first_messages.iter().for_each(|bytes| feed(&mut peer, 3, bytes));
    println!("answering a first message: {:.1?}", start.elapsed() / 100);
    assert!(peer.footprint() != before && sent >= 100);
}
