//! The test vectors of docs/PROTOCOL.md are what this crate computes, to the byte. When a change of the
//! protocol is meant, the test prints what the section has to be.

#[path = "support/insider.rs"]
mod insider;

use std::fmt::Write as _;

use chatrpc::machine::suite::{FIRST, Hand, Suite};
use chatrpc::machine::wire::{Page, Request, Response, kind, put_inner_header, put_request};
use chatrpc::machine::{
    Beacon, Farewell, Handle, Identity, Name, Noise, Room, SECRET, Secret, Signed,
};
use unicode_normalization::UnicodeNormalization;

/// Lines of at most 32 bytes, in hexadecimal.
fn put(text: &mut String, name: &str, bytes: &[u8]) {
    for (n, line) in bytes.chunks(32).enumerate() {
        let hex: String = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = if n == 0 { name } else { "" };
        writeln!(text, "{name:16} {hex}").expect("a string takes everything");
    }
}

fn vectors() -> String {
    let mut text = String::new();
    let room = room(&mut text);
    let people = people(&mut text);
    beacon(&mut text, &room, &people[0]);
    handshake(&mut text, &room, &people);
    text
}

/// A room, and its keys.
fn room(text: &mut String) -> Room {
    let secret = Secret::new(core::array::from_fn::<u8, SECRET, _>(|n| n as u8));
    let room = Room::new(Name::parse("ops").expect("a name"), Some(&secret));
    writeln!(text, "room             ops\nsecret           {}", *secret.written())
        .expect("a string");
    put(text, "psk", room.psk());
    put(text, "mac", room.mac_key());
    put(text, "beacon", room.beacon_key());
    put(text, "nonce", room.nonce_key());
    put(text, "tag", &room.tag().0);
    let open = Room::new(Name::parse(Room::LOBBY).expect("a name"), None);
    put(text, "tag of lobby", &open.tag().0);
    room
}

/// Two people, and when their processes started.
fn people(text: &mut String) -> [(Identity, u64); 2] {
    let (alice, bob) = (Identity::new(&[1; 32]), Identity::new(&[2; 32]));
    let (alice_started, bob_started) = (1_760_000_000_001_u64, 1_760_000_000_002_u64);
    for (name, who, started) in [("alice", &alice, alice_started), ("bob", &bob, bob_started)] {
        let id = who.public().process(started);
        put(text, &format!("key of {name}"), &who.public().0);
        put(text, "its image", &who.public().image().expect("a good key"));
        writeln!(text, "{:16} {started}", "incarnation").expect("a string");
        writeln!(text, "{:16} {id}", "id").expect("a string");
    }
    [(alice, alice_started), (bob, bob_started)]
}

/// What one of them says of herself, signed and sealed.
fn beacon(text: &mut String, room: &Room, (alice, started): &(Identity, u64)) {
    let alice_started = *started;
    let beacon = Beacon {
        id: alice.public().process(alice_started),
        key: alice.public(),
        incarnation: alice_started,
        handle: Handle::of(7),
        n: 3,
        left: false,
        once: false,
        name: Name::parse("alice").expect("a name"),
        addrs: vec!["10.0.0.9:40112".parse().expect("an address")],
    };
    let farewell = Farewell(core::array::from_fn(|n| n as u8));
    put(text, "farewell", &farewell.0);
    put(text, "its token", &farewell.token().to_be_bytes());
    put(text, "handle of token 7", &Handle::of(7).0.to_be_bytes());
    let signed = Signed::new(&Noise, alice, room, beacon);
    put(text, "signature", &signed.signature);
    put(text, "sealed beacon", &*signed.seal(&Noise, room).0);
}

/// A handshake, a datagram under the session that it makes, and a lease.
fn handshake(text: &mut String, room: &Room, [alice, bob]: &[(Identity, u64); 2]) {
    let ((alice, alice_started), (bob, bob_started)) = (alice, bob);
    let (alice_started, bob_started) = (*alice_started, *bob_started);
    let hand = |identity, luck| Hand { identity, psk: room.psk(), entropy: [luck; 32] };
    let mut init = vec![kind::INIT, 0, 0, 0, 1];
    let mut payload = alice.public().0.to_vec();
    for number in [alice_started, bob_started, 1] {
        payload.extend_from_slice(&number.to_be_bytes());
    }
    let image = bob.public().image().expect("a good key");
    let mut initiated =
        Noise.initiate(&hand(alice, 3), &image, &payload, &mut init).expect("it is made");
    let started = bob_started.to_be_bytes();
    let of_bob = chatrpc::machine::keyed::hash(room.mac_key(), &[&bob.public().0, &started]);
    put(text, "mac1 key of bob", &of_bob);
    init.extend_from_slice(&chatrpc::machine::keyed::mac(&of_bob, &[&init]));
    init.extend_from_slice(&[0; 16]);
    put(text, "init", &init);
    let mut resp = vec![kind::RESP, 0, 0, 0, 2, 0, 0, 0, 1];
    let mut said = Vec::new();
    let first = &init[5..5 + FIRST + payload.len()];
    let responding = Noise.respond(&hand(bob, 4), first, &mut said).expect("it is genuine");
    assert_eq!(said, payload);
    responding.finish(&mut resp).expect("an answer");
    resp.extend_from_slice(&chatrpc::machine::keyed::mac(room.mac_key(), &[&resp]));
    put(text, "resp", &resp);
    let transport = initiated.finish(&resp[9..resp.len() - 16]).expect("a session");
    let mut inner = Vec::new();
    put_inner_header(&mut inner, 5, 6);
    put_request(&mut inner, 7, &Request::PING);
    inner.resize(inner.len().next_multiple_of(16), 0);
    put(text, "ping, unsealed", &inner);
    let mut data = vec![kind::DATA, 0, 0, 0, 2];
    data.extend_from_slice(&0_u64.to_be_bytes());
    let start = data.len();
    data.resize(start + inner.len() + 16, 0);
    transport.seal(0, &inner, &mut data[start..]);
    put(text, "data", &data);
    let lease = Response::Lease {
        node: 5,
        elsewhere: 2,
        seen: "10.0.0.9:40112".parse().expect("an address"),
        page: Page { after: 0, reached: 1, current: 1, changes: Vec::new() },
    };
    let mut granted = Vec::new();
    lease.encode(&mut granted);
    put(text, "a lease", &granted);
}

#[test]
fn the_vectors_of_the_document_are_what_we_compute() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/PROTOCOL.md");
    let document = std::fs::read_to_string(path).expect("the document");
    let computed = vectors();
    assert!(document.contains(&computed), "the section has to be:\n```\n{computed}```");
}

/// Which characters a name may have in its middle, by the list in docs/PROTOCOL.md.
#[test]
fn the_characters_of_names_are_those_that_are_listed() {
    let document = include_str!("../docs/PROTOCOL.md");
    let listed = |behind: &str| -> Vec<(u32, u32)> {
        let (_, list) = document.split_once(behind).expect("the list");
        let number = |text: &str| {
            u32::from_str_radix(text.trim_start_matches("U+"), 16).expect("a character")
        };
        let list = list.split('.').next().expect("its end");
        let range = |part: &str| {
            let (first, last) = part.split_once('–').unwrap_or((part, part));
            (number(first), number(last))
        };
        list.split(',').map(|part| range(part.trim())).collect()
    };
    let (invisible, signs) = (listed("nothing invisible: "), listed("no *sign*: "));
    for c in '\0'..=char::MAX {
        let code = u32::from(c);
        let refused = c.is_whitespace() && c != ' '
            || matches!(code, 0x2800 | 0x1D159 | 0..=0x1F | 0x7F..=0x9F | 0x200D)
            || matches!(code, 0xE000..=0xF8FF | 0xF0000.. | 0xFDD0..=0xFDEF)
            || code & 0xFFFE == 0xFFFE
            || matches!(code, 0x61C | 0x200E..=0x200F | 0x202A..=0x202E | 0x2066..=0x2069)
            || [&invisible, &signs]
                .into_iter()
                .flatten()
                .any(|&(first, last)| (first..=last).contains(&code))
            || matches!(code, 0xFE0E..=0xFE0F);
        let text = format!("a{c}a");
        let composed = text.nfc().eq(text.chars());
        let taken = Name::parse(&text).is_ok_and(|name| name.as_str() == text);
        assert_eq!(taken, composed && !refused, "{text:?}");
    }
}

/// The tables that decide which names there are, as docs/PROTOCOL.md has them.
#[test]
fn the_tables_of_names_are_those_that_are_listed() {
    let (document, lock) = (include_str!("../docs/PROTOCOL.md"), include_str!("../Cargo.lock"));
    for name in ["unicode-normalization", "unicode-width", "unicode-security"] {
        let (_, after) = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).expect(name);
        let version = after.split('"').next().expect("a version");
        assert!(document.contains(&format!("{name} {version}")), "{name} is {version}");
    }
    let width = unicode_width::UNICODE_VERSION;
    let security = unicode_security::UNICODE_VERSION;
    assert_eq!(unicode_normalization::UNICODE_VERSION, width);
    assert_eq!(security, (width.0.into(), width.1.into(), width.2.into()));
    assert!(document.contains(&format!("all of Unicode {}.{}", width.0, width.1)));
}
