//! docs/vectors.json: every packet, hash and handshake with all that it is made of.

use std::fmt::Write as _;

use chatrpc::machine::keyed::{hash, mac, short};
use chatrpc::machine::suite::Suite;
use chatrpc::machine::wire::{
    ANYBODY, ANYWHERE, Change, Datagram, Departure, Flags, Gone, Hail, Listed, Loss, Page, Request,
    Response, kind, put_hail, put_hailed, put_header, put_request, put_response,
};
use chatrpc::machine::{Deps, Handle, Head, Noise, Seal, Sealed, words};

use crate::anatomy::{self, Of};
use crate::cast::*;
use crate::malformed::malformed;
use crate::names::{looks, names};

/// The lines of an object: names and texts.
pub(crate) fn object(pairs: &[(&str, String)], out: &mut String) {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, text)| match text.starts_with("[[") || text == "[]" {
            true => format!("\"{name}\": {text}"),
            false => format!("\"{name}\": \"{}\"", quoted(text)),
        })
        .collect();
    writeln!(out, "    {{{}}},", pairs.join(",\n     ")).expect("a string");
}

/// Fields, as a list of pairs.
fn fields(fields: &[(String, &[u8])]) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let pairs: Vec<String> = fields
        .iter()
        .map(|(what, bytes)| format!("[\"{}\", \"{}\"]", quoted(what), hex(bytes)))
        .collect();
    format!("[{}]", pairs.join(",\n       "))
}

fn given(out: &mut String) {
    for side in [alice(), bob()] {
        let (key, beacon) = (side.identity.public(), side.beacon(false));
        let sealed = beacon.seal(&Noise, &room());
        assert_eq!(sealed.open(&Noise, &room()).as_ref(), Some(&beacon));
        let secret = if side.name == "alice" { [1; 32] } else { [2; 32] };
        object(
            &[
                ("name", side.name.to_owned()),
                ("secret key", hex(&secret)),
                ("public key", hex(&key.0)),
                ("image", hex(&key.image().expect("a good key"))),
                ("incarnation", side.started.to_string()),
                ("id", key.process(side.started).to_string()),
                ("farewell", hex(&side.farewell.0)),
                ("token", hex(&side.token().to_be_bytes())),
                ("handle", hex(&side.handle().0.to_be_bytes())),
                ("address", side.at.to_string()),
                ("n of the first beacon", "0".to_owned()),
                ("its signature", hex(&beacon.signature)),
                ("the first beacon, sealed", hex(&*sealed.0)),
                ("n of the last beacon, with left and no address", "1".to_owned()),
                ("its signature too", hex(&side.beacon(true).signature)),
                ("the last beacon, sealed", hex(&*side.beacon(true).seal(&Noise, &room()).0)),
            ],
            out,
        );
    }
}

/// Every keyed hash, from its key and its text.
fn hashes(out: &mut String) {
    let mut put = |name: &str, key: &[u8], text: &[&[u8]], value: &[u8]| {
        let long = match value.len() {
            8 => short(key, text).to_vec(),
            16 => mac(key, text).to_vec(),
            _ => hash(key, text).to_vec(),
        };
        assert_eq!(long, value, "{name}");
        let bits = (value.len() * 8).to_string();
        let (key, text) = (hex(key), hex(&text.concat()));
        let pairs = [("name", name.to_owned()), ("bits", bits), ("key", key), ("text", text)];
        object(&[&pairs[..], &[("value", hex(value))]].concat(), out);
    };
    let (room, alice, bob) = (room(), alice(), bob());
    let secret: Vec<u8> = (0..20).collect();
    let of_room = hash(&secret, &[b"chatrpc room 1", b"ops"]);
    put("room", &secret, &[b"chatrpc room 1", b"ops"], &of_room);
    put("psk", &of_room, &[b"psk"], room.psk());
    put("mac", &of_room, &[b"mac"], room.mac_key());
    put("beacon", &of_room, &[b"beacon"], room.beacon_key());
    put("nonce", &of_room, &[b"nonce"], room.nonce_key());
    put("hail", &of_room, &[b"hail"], room.hail_key());
    put("caller", &of_room, &[b"caller"], room.caller_key());
    put("tag, its first 16 bytes", &of_room, &[b"tag"], &hash(&of_room, &[b"tag"]));
    assert_eq!(room.tag().0, hash(&of_room, &[b"tag"])[..16]);
    let (farewell, token) = (alice.farewell.0, alice.token().to_be_bytes());
    put("token of alice", b"chatrpc token", &[&farewell], &token);
    put("handle of alice", b"chatrpc handle", &[&token], &alice.handle().0.to_be_bytes());
    let (key, started) = (alice.identity.public().0, alice.started.to_be_bytes());
    let person = short(b"chatrpc person", &[&key]);
    put("id of alice, its first 20 bits", b"chatrpc person", &[&key], &person);
    let process = short(b"chatrpc process", &[&key, &started]);
    put("its other 44, the first of", b"chatrpc process", &[&key, &started], &process);
    let id = u64::from_be_bytes(person) >> 44 << 44 | u64::from_be_bytes(process) >> 20;
    assert_eq!(alice.identity.public().process(alice.started).0, id);
    let (of_bob, started) = (bob.identity.public().0, bob.started.to_be_bytes());
    put("mac1 key of bob", room.mac_key(), &[&of_bob, &started], &mac1_key(&bob));
    let first = init((&alice, &bob), (3, 1, 1)).0;
    let (body, mac1) = first.split_at(first.len() - 16);
    put("mac1 of init", &mac1_key(&bob), &[body], mac1);
    put("mac2 of init with the cookie", &COOKIE, &[&first], &mac(&COOKIE, &[&first]));
    let (salt, caller) = (*b"saltsalt", alice.identity.public().process(alice.started));
    let hides = hash(room.caller_key(), &[&salt]);
    put(
        "what hides who hails with that salt, its first 9 bytes",
        room.caller_key(),
        &[&salt],
        &hides,
    );
    let (mut hail, mut hailed) = (Vec::new(), Vec::new());
    put_hail(&mut hail, &room, salt, Hail { caller, inside: true });
    put_hailed(&mut hailed, &room, salt);
    for (name, bytes) in [("a hail of alice from inside", hail), ("its answer", hailed)] {
        let (body, mac) = bytes.split_at(bytes.len() - 16);
        put(&format!("what ends {name}"), room.hail_key(), &[body], mac);
    }
    let (one, other) = if key < of_bob { (key, of_bob) } else { (of_bob, key) };
    let bits = mac(b"chatrpc words", &[&one, &other]);
    put("words of alice and bob", b"chatrpc words", &[&one, &other], &bits);
    let spoken = words(alice.identity.public(), bob.identity.public());
    object(&[("name", "these words, spoken".to_owned()), ("value", spoken)], out);
}

fn handshakes(out: &mut String) {
    let (alice, bob) = (alice(), bob());
    let shaken = shake(&alice, &bob, [3, 4]);
    let mut shown = init((&alice, &bob), (3, 1, 1)).0;
    shown.extend_from_slice(&mac(&COOKIE, &[&shown]));
    let mut cookie = vec![3, 0, 0, 0, 1];
    cookie.extend_from_slice(&COOKIE);
    let mac1 = &shaken.init[157..173];
    cookie.extend_from_slice(&mac(room().mac_key(), &[&cookie, mac1]));
    let all = [("init", &shaken.init), ("resp", &shaken.resp), ("cookie", &cookie)];
    for (name, bytes) in all.into_iter().chain([("init with mac2", &shown)]) {
        let fields = fields(&anatomy::sealed(bytes));
        object(&[("name", name.to_owned()), ("bytes", hex(bytes)), ("fields", fields)], out);
    }
}

/// Where one nodeset saw somebody, and what they gave it.
pub(crate) fn listed(side: &Side) -> Listed {
    let sealed = side.beacon(false).seal(&Noise, &room());
    Listed { handle: side.handle(), seen: side.at, sealed }
}

fn last(side: &Side) -> Sealed {
    side.beacon(true).seal(&Noise, &room())
}

/// What passes in the open: requests of bob and of the nodeset.
fn questions() -> Vec<(&'static str, bool, Request<'static>)> {
    let (room, alice, bob) = (room(), alice(), bob());
    let (cookie, tag) = (*b"a cookie", room.tag());
    let sealed = bob.beacon(false).seal(&Noise, &room);
    let (token, farewell) = (bob.token(), bob.farewell);
    let quit = Gone { handle: bob.handle(), how: Departure::Quit(last(&bob)) };
    let timeout = Gone { handle: Handle(1), how: Departure::Timeout };
    let replaced = Gone { handle: Handle(2), how: Departure::Replaced };
    let members = vec![quit, timeout, replaced];
    vec![
        ("Who, the first", true, Request::Who { cookie: [0; 8], tag, have: ANYWHERE, most: 1200 }),
        ("Who with a cookie", true, Request::Who { cookie, tag, have: 7, most: 1200 }),
        (
            "Register",
            true,
            Request::Register { cookie, tag, have: 8, most: 1200, token, n: 0, sealed },
        ),
        ("Deregister", true, Request::Deregister { tag, farewell, sealed: last(&bob) }),
        ("AddMember", false, Request::AddMember { reached: 9, members: vec![listed(&alice)] }),
        ("RemoveMember", false, Request::RemoveMember { reached: 12, members }),
        ("DialBack", true, Request::DialBack { cookie, port: 40_112 }),
        ("Who in version 2", true, Request::Foreign { method: 1, version: 2 }),
    ]
}

/// What the nodeset answers, and to what.
fn answers() -> Vec<(&'static str, Of, Response)> {
    let (alice, bob) = (alice(), bob());
    let gone = Change::Gone(Gone { handle: Handle(1), how: Departure::Timeout });
    let quit = Change::Gone(Gone { handle: Handle(2), how: Departure::Quit(last(&bob)) });
    let changes = vec![Change::Present(listed(&alice)), gone, quit];
    let page = Page { after: 5, reached: 8, current: 8, changes };
    let few = Page { after: 8, reached: 9, current: 9, changes: Vec::new() };
    let lease = Response::Lease { node: 5, elsewhere: 2, seen: bob.at, page: few };
    vec![
        ("a cookie", Of::Who, Response::Cookie(*b"a cookie")),
        ("a page", Of::Who, Response::Page(page)),
        ("a lease", Of::Register, lease),
        ("dialed back", Of::DialBack, Response::Dialed { at: bob.at }),
        ("done", Of::Other, Response::Ok),
        ("another version is spoken here", Of::Who, Response::Version(1)),
        ("full", Of::Register, Response::Full),
    ]
}

fn in_the_open(out: &mut String) {
    let mut put = |name: &str, of: Of, bytes: &[u8]| {
        Datagram::decode(bytes).expect("it is one");
        let shown = match name {
            "Who in version 2" => "[]".to_owned(),
            _ => fields(&anatomy::clear(bytes, of)),
        };
        let pairs = [("name", name.to_owned()), ("bytes", hex(bytes)), ("fields", shown)];
        object(&pairs, out);
    };
    let bob = bob();
    for (name, of_bob, request) in questions() {
        let mut bytes = Vec::new();
        let (from, to) =
            if of_bob { (bob.started, ANYBODY) } else { (NODESET_STARTED, bob.started) };
        put_header(&mut bytes, from, to, 0x0102_0304, 0);
        put_request(&mut bytes, 0xffff_ffff, &request);
        if of_bob {
            bytes[0] = kind::PROVEN;
            let proof = mac(room().mac_key(), &[&bytes]);
            bytes.extend_from_slice(&proof);
        }
        put(name, Of::Other, &bytes);
    }
    for (name, of, response) in answers() {
        let mut bytes = Vec::new();
        put_header(&mut bytes, NODESET_STARTED, bob.started, 0x0506_0708, 0x0102_0304);
        put_response(&mut bytes, 0xffff_ffff, &response);
        put(name, of, &bytes);
    }
}

/// An entry of alice, which follows one of bob, signed as the document has it; and the hash of it.
fn entry(text: &str) -> (Seal, [u8; 16]) {
    let (alice, bob) = (alice(), bob());
    let follows = (bob.identity.public().process(bob.started), 7);
    let (deps, past, signature) = (Deps::new([follows]), [0x33; 16], [0; 64]);
    let mut seal = Seal { seq: 2, clock: 1_790_000_000_123, deps, past, signature };
    let number = 4_u64.to_be_bytes();
    let mut said = b"chatrpc entry 1".to_vec();
    for part in [&room().tag().0[..], &alice.identity.public().0, &alice.started.to_be_bytes()] {
        said.extend_from_slice(part);
    }
    for part in [&seal.seq.to_be_bytes()[..], &number, &seal.clock.to_be_bytes(), &[1]] {
        said.extend_from_slice(part);
    }
    for part in [&follows.0.0.to_be_bytes()[..], &follows.1.to_be_bytes(), &past, &[0]] {
        said.extend_from_slice(part);
    }
    said.extend_from_slice(&hash(b"", &[text.as_bytes()]));
    seal.signature = Noise.sign(&alice.identity, &said);
    (seal, mac(b"chatrpc entry 1", &[&said]))
}

/// What alice asks under the seal, each with its counter.
fn asked() -> Vec<(&'static str, u64, Vec<u8>)> {
    let (alice, bob) = (alice(), bob());
    let asks = |request: Request<'_>| inner((2, 0), |out| put_request(out, 8, &request));
    let say = |flags, seal, text| Request::Say {
        behind: u8::MAX,
        stream: 0xa0b0_c0d0,
        position: 3,
        number: 4,
        flags,
        seal,
        text,
    };
    let flags = Flags::default();
    let all = Flags { action: true, private: true, more: true };
    let (until, digest, present) = (1_790_000_000, 0x0102_0304_0506_0708, 0x0102_0304);
    let ping = Request::Ping { until, digest, present };
    let bye = Request::Bye { next: 4, beacon: alice.beacon(true) };
    let to = bob.identity.public().process(bob.started);
    let at = addr("10.0.0.3:7421");
    let text = "Grüß Gott";
    vec![
        ("Hello", 1, asks(hello(&alice))),
        ("Say", 0x0102_0304_0506_0708, asks(say(flags, None, text))),
        ("Say with all flags", 256, asks(say(all, None, "x"))),
        ("Say with a seal", 265, asks(say(flags, Some(entry(text).0), text))),
        ("Ping", (1 << 60) - 1, asks(Request::PING)),
        ("Ping, and what is compared", 263, asks(ping)),
        ("Bye", 258, asks(bye)),
        ("Bridge", 259, asks(Request::Bridge { to })),
        ("Lost", 260, asks(Request::Lost { who: to, loss: Loss::Agreed })),
        ("Lost, and gone", 262, asks(Request::Lost { who: to, loss: Loss::Gone })),
        ("Introduce", 261, asks(Request::Introduce { who: to, at, near: true })),
        ("Present", 264, asks(Request::Present { after: to })),
        ("Heads", 266, asks(Request::Heads { after: to })),
        ("Want", 267, asks(Request::Want { log: to, from: 2, skip: 960, most: 240 })),
        ("Author", 268, asks(Request::Author { log: to })),
    ]
}

/// What bob answers, each with its counter, and to what.
fn answered() -> Vec<(&'static str, u64, Of, Vec<u8>)> {
    let (alice, bob) = (alice(), bob());
    let says = |response: Response| inner((9, 2), |out| put_response(out, 8, &response));
    let here = |differs, others, next| Response::Here { differs, others, next };
    let ids = vec![chatrpc::machine::PeerId(7), bob.identity.public().process(bob.started)];
    let text = "Grüß Gott";
    let (Seal { clock, .. }, whole) = entry(text);
    let log = alice.identity.public().process(alice.started);
    let hash = *whole.first_chunk().expect("it is longer");
    let head = Head { log, first: 1, next: 3, clock, hash };
    let mut bytes = vec![0, 0, 0, 0, 0, 0, 0, 4, 0];
    bytes.extend_from_slice(&sealed(&entry(text).0));
    bytes.extend_from_slice(&(text.len() as u16).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    let both = inner((9, 2), |out| {
        put_response(out, 8, &Response::Ok);
        put_request(out, 0, &hello(&bob));
    });
    let index = 0x0102_0304_0506_0708;
    vec![
        ("next and held", 1, Of::Say, says(Response::Next { next: 4, held: 1 << 62 | 1 })),
        ("here, with other entries", 2, Of::Ping, says(here(true, false, 0x0a0b_0c0d))),
        ("an index", 3, Of::Bridge, says(Response::Bridge { index })),
        ("unknown", 6, Of::Say, says(Response::Unknown)),
        ("here, seeing others", 4, Of::Ping, says(here(false, true, 1))),
        ("who is here", 5, Of::Present, says(Response::Present { more: true, ids })),
        ("a head", 7, Of::Heads, says(Response::Heads { more: false, heads: vec![head] })),
        ("an entry", 8, Of::Want, says(Response::Entries { more: false, bytes })),
        ("an author", 9, Of::Author, says(Response::Author(Box::new(alice.beacon(false))))),
        ("an answer and a Hello", 65_536, Of::Other, both),
    ]
}

/// A seal, field by field.
fn sealed(seal: &Seal) -> Vec<u8> {
    let mut bytes = seal.seq.to_be_bytes().to_vec();
    bytes.extend_from_slice(&seal.clock.to_be_bytes());
    bytes.push(1);
    for (log, seq) in seal.deps.iter() {
        bytes.extend_from_slice(&log.0.to_be_bytes());
        bytes.extend_from_slice(&seq.to_be_bytes());
    }
    bytes.extend_from_slice(&seal.past);
    bytes.extend_from_slice(&seal.signature);
    bytes
}

fn hello(side: &Side) -> Request<'static> {
    let beacon = side.beacon(false);
    Request::Hello { stream: 0xa0b0_c0d0, start: 3, given_up: 1, entries: 1, beacon }
}

fn under_the_seal(out: &mut String) {
    let (alice, bob) = (alice(), bob());
    let shaken = shake(&alice, &bob, [3, 4]);
    let mut put = |name: &str, side: usize, counter: u64, of: Of, text: &[u8]| {
        let id = alice.identity.public().process(alice.started);
        Datagram::decode_sealed(id, text).expect("it is one");
        let bytes = shaken.data(side, counter, text);
        let from = if side == 0 { "alice" } else { "bob" };
        let shown = fields(&anatomy::inner(text, of));
        object(
            &[
                ("name", name.to_owned()),
                ("from", from.to_owned()),
                ("counter", counter.to_string()),
                ("text", hex(text)),
                ("bytes", hex(&bytes)),
                ("fields", shown),
            ],
            out,
        );
    };
    put("nothing", 0, 0, Of::Other, &inner((1, 0), |_| ()));
    for (name, counter, bytes) in asked() {
        put(name, 0, counter, Of::Other, &bytes);
    }
    for (name, counter, of, bytes) in answered() {
        put(name, 1, counter, of, &bytes);
    }
    let mut unpadded = inner((3, 0), |_| ());
    unpadded.truncate(8);
    put_request(&mut unpadded, 9, &Request::PING);
    put("Ping without zeros, which is taken", 0, 300, Of::Other, &unpadded);
}

#[test]
fn the_vectors_are_what_we_compute() {
    let mut text = String::from("{\n  \"given\": [\n");
    let secret: Vec<u8> = (0..20).collect();
    object(
        &[
            ("room", "ops".to_owned()),
            ("secret", hex(&secret)),
            ("nodeset", NODESET.to_owned()),
            ("its incarnation", NODESET_STARTED.to_string()),
            ("ephemeral key of alice, before clamping", hex(&[3; 32])),
            ("ephemeral key of bob, before clamping", hex(&[4; 32])),
            ("index of alice", "1".to_owned()),
            ("index of bob", "2".to_owned()),
            ("number of the init", "1".to_owned()),
            ("cookie of the handshake", hex(&COOKIE)),
        ],
        &mut text,
    );
    given(&mut text);
    type Part = fn(&mut String);
    let parts: [(&str, Part); 7] = [
        ("hashes", hashes),
        ("handshake, alice begins", handshakes),
        ("clear", in_the_open),
        ("data, in the session of that handshake", under_the_seal),
        ("names", names),
        ("looks", looks),
        ("refused", malformed),
    ];
    for (name, part) in parts {
        let last = text.trim_end_matches(",\n").len();
        text.truncate(last);
        write!(text, "\n  ],\n  \"{name}\": [\n").expect("a string");
        part(&mut text);
    }
    let last = text.trim_end_matches(",\n").len();
    text.truncate(last);
    text.push_str("\n  ]\n}\n");
    #[cfg(feature = "driver")]
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|list| list.is_object()));
    is_written("vectors.json", &text);
}
