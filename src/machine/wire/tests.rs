//! Round trips, junk, truncation, trailing bytes.

use super::datagram::{REQUEST, RESPONSE, put_packet};
use super::*;
use crate::machine::log::{Deps, SEAL_MAX};
use crate::machine::name::Name;
use crate::machine::rng::{Rng, Seed};
use crate::machine::who::beacon::Beacon;
use crate::machine::who::identity::PublicKey;
use crate::machine::who::ids::Handle;
use crate::machine::who::ids::{Farewell, PeerId};

fn addr(rng: &mut Rng) -> SocketAddr {
    let port = 1 + rng.below(65_535) as u16;
    if rng.below(2) == 0 {
        SocketAddr::from(([10, rng.next_u32() as u8, 0, 1], port))
    } else {
        SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 7, rng.next_u32() as u16], port))
    }
}

fn beacon(rng: &mut Rng) -> Beacon {
    let names = ["alice", "b", "Борис", "你好世界", "twenty-four columns wide"];
    let (key, incarnation) = (PublicKey(bytes(rng)), rng.next_u64());
    Beacon {
        id: key.process(incarnation),
        key,
        handle: Handle(rng.next_u64()),
        incarnation,
        n: rng.next_u32(),
        left: rng.below(2) == 0,
        once: rng.below(2) == 0,
        name: Name::parse(names[rng.below(5) as usize]).unwrap(),
        addrs: (0..rng.below(5)).map(|_| addr(rng)).collect(),
    }
}

fn signed(rng: &mut Rng) -> Signed {
    Signed { beacon: beacon(rng), signature: bytes(rng) }
}

fn bytes<const N: usize>(rng: &mut Rng) -> [u8; N] {
    core::array::from_fn(|_| rng.next_u32() as u8)
}

fn sealed(rng: &mut Rng) -> Sealed {
    Sealed(std::sync::Arc::new(bytes(rng)))
}

fn listed(rng: &mut Rng) -> Listed {
    Listed { handle: Handle(rng.next_u64()), seen: addr(rng), sealed: sealed(rng) }
}

fn gone(rng: &mut Rng) -> Gone {
    let how = match rng.below(3) {
        0 => Departure::Quit(sealed(rng)),
        1 => Departure::Timeout,
        _ => Departure::Replaced,
    };
    Gone { handle: Handle(rng.next_u64()), how }
}

fn page(rng: &mut Rng) -> Page {
    let after = rng.below(1 << 40);
    let reached = after + rng.below(9);
    let change = |rng: &mut Rng| {
        if rng.below(2) == 0 { Change::Present(listed(rng)) } else { Change::Gone(gone(rng)) }
    };
    let changes = (0..rng.below(5)).map(|_| change(rng)).collect();
    Page { after, reached, current: reached + rng.below(9), changes }
}

fn request<'a>(rng: &mut Rng, text: &'a str) -> Request<'a> {
    let cookie = rng.next_u64().to_be_bytes();
    let (tag, have, token) = (Tag([rng.next_u32() as u8; 16]), rng.next_u64(), rng.next_u64());
    let position = rng.below(POSITION_MAX);
    match rng.below(REQUESTS as u64) {
        0 => Request::Who { cookie, tag, have, most: 1200 },
        1 => {
            let (n, sealed) = (rng.next_u32(), sealed(rng));
            Request::Register { cookie, tag, have, most: 1200, token, n, sealed }
        }
        2 => {
            Request::Deregister { tag, farewell: Farewell([token as u8; 16]), sealed: sealed(rng) }
        }
        3 => {
            let members = (0..rng.below(4)).map(|_| listed(rng)).collect();
            Request::AddMember { reached: have, members }
        }
        4 => {
            let members = (0..rng.below(8)).map(|_| gone(rng)).collect();
            Request::RemoveMember { reached: have, members }
        }
        5 => {
            let stream = rng.next_u32().max(1);
            Request::Hello { stream, start: position, given_up: 1, entries: 1, beacon: signed(rng) }
        }
        6 => {
            let flags = Flags::decode(rng.below(8) as u8).unwrap();
            let stream = rng.next_u32();
            let whole = !flags.private && !flags.more && text.len() + SEAL_MAX <= PIECE_MAX;
            let seal = (whole && token & 1 == 1).then(|| seal(rng));
            Request::Say {
                stream,
                position,
                behind: position as u8,
                number: token,
                flags,
                seal,
                text,
            }
        }
        7 => Request::Ping { until: rng.next_u32(), digest: token, present: token as u32 },
        8 => Request::Bridge { to: PeerId(token) },
        9 => {
            let losses = [Loss::Asked, Loss::Agreed, Loss::Gone];
            Request::Lost { who: PeerId(token), loss: losses[rng.below(3) as usize] }
        }
        10 => Request::Introduce { who: PeerId(token), at: addr(rng), near: token & 1 == 1 },
        11 => Request::DialBack { cookie, port: 1 + rng.below(65_535) as u16 },
        12 => Request::Present { after: PeerId(token) },
        13 => Request::Heads { after: PeerId(token) },
        14 => Request::Author { log: PeerId(token) },
        15 => {
            let (from, skip) = (rng.next_u32().max(1), rng.next_u32());
            let most = 1 + rng.below(PART_MAX as u64) as u16;
            Request::Want { log: PeerId(token), from, skip, most }
        }
        _ => {
            let mut beacon = signed(rng);
            beacon.beacon.left = true;
            Request::Bye { next: position, beacon }
        }
    }
}

/// Kinds of requests that are drawn: all but what another version asks.
const REQUESTS: usize = 17;

/// Which of them one is: whoever adds another one is reminded to have it drawn.
fn kind(request: &Request<'_>) -> usize {
    match request {
        Request::Who { .. } => 0,
        Request::Register { .. } => 1,
        Request::Deregister { .. } => 2,
        Request::AddMember { .. } => 3,
        Request::RemoveMember { .. } => 4,
        Request::Hello { .. } => 5,
        Request::Say { .. } => 6,
        Request::Ping { .. } => 7,
        Request::Bridge { .. } => 8,
        Request::Lost { .. } => 9,
        Request::Introduce { .. } => 10,
        Request::DialBack { .. } => 11,
        Request::Present { .. } => 12,
        Request::Heads { .. } => 13,
        Request::Author { .. } => 14,
        Request::Want { .. } => 15,
        Request::Bye { .. } => 16,
        Request::Foreign { .. } => unreachable!("nobody says it"),
    }
}

fn seal(rng: &mut Rng) -> Seal {
    let places = |rng: &mut Rng| (PeerId(rng.next_u64()), rng.next_u32().max(1));
    let deps = Deps::new((0..rng.below(5)).map(|_| places(rng)).collect::<Vec<_>>());
    let (seq, clock) = (rng.next_u32().max(1), rng.below(1 << 47));
    Seal { seq, clock, deps, past: [3; 16], signature: [rng.next_u64() as u8; 64] }
}

fn head(rng: &mut Rng) -> Head {
    let first = 1 + rng.next_u32() / 2;
    let (log, next) = (PeerId(rng.next_u64()), first + 1 + rng.below(9) as u32);
    Head { log, first, next, clock: rng.below(1 << 47), hash: [5; 8] }
}

fn response(rng: &mut Rng) -> (Asked, Response) {
    match rng.below(16) {
        10 => (Asked::DialBack, Response::Dialed { at: addr(rng) }),
        11 => {
            let (differs, others) = (rng.below(2) == 1, rng.below(2) == 1);
            (Asked::Ping, Response::Here { differs, others, next: rng.next_u32() })
        }
        12 => {
            let ids = (0..rng.below(101)).map(|_| PeerId(rng.next_u64())).collect();
            (Asked::Present, Response::Present { more: rng.below(2) == 1, ids })
        }
        13 => (Asked::Author, Response::Author(Box::new(signed(rng)))),
        14 => {
            let bytes = vec![7; rng.below(PART_MAX as u64 + 1) as usize];
            (Asked::Want, Response::Entries { more: rng.below(2) == 1, bytes })
        }
        15 => {
            let heads = (0..rng.below(30)).map(|_| head(rng)).collect();
            (Asked::Heads, Response::Heads { more: rng.below(2) == 1, heads })
        }
        9 => (Asked::Bridge, Response::Bridge { index: rng.next_u64() }),
        0 => (Asked::Other, Response::Ok),
        1 | 2 => (Asked::Say, Response::Next { next: rng.next_u64(), held: rng.next_u64() }),
        3 => (Asked::Who, Response::Page(page(rng))),
        4 => {
            let (node, seen) = (rng.next_u32(), addr(rng));
            (
                Asked::Register,
                Response::Lease { node, elsewhere: rng.below(10) as u8, seen, page: page(rng) },
            )
        }
        5 => (Asked::Say, Response::Unknown),
        6 => (Asked::Who, Response::Cookie(rng.next_u64().to_be_bytes())),
        7 => (Asked::Register, Response::Version(rng.next_u32() as u8)),
        _ => (Asked::Register, Response::Full),
    }
}

/// A datagram of two to three packets, and what is in it.
fn datagram(rng: &mut Rng) -> (Vec<u8>, Request<'static>, (Asked, Response)) {
    let (asked, answered) = (request(rng, "smørrebrød\n"), response(rng));
    let mut bytes = Vec::new();
    put_header(&mut bytes, 5, 4, 6, 7);
    put_request(&mut bytes, 1, &asked);
    put_response(&mut bytes, 2, &answered.1);
    (bytes, asked, answered)
}

#[test]
fn every_kind_of_request_is_drawn() {
    let mut rng = Seed([8; 32]).stream("kinds");
    let mut drawn = [false; REQUESTS];
    (0..1_000).for_each(|_| drawn[kind(&request(&mut rng, "text"))] = true);
    assert_eq!(drawn, [true; REQUESTS]);
}

/// A request that was lost asks for a small page, and for nothing else.
#[test]
fn a_request_for_a_page_can_be_made_to_ask_for_a_small_one() {
    let both = |most| {
        let (cookie, tag, have, token, n) = ([1; 8], Tag([2; 16]), 3, 5, 6);
        let sealed = Sealed(std::sync::Arc::new([4; crate::machine::who::beacon::SEALED]));
        let register = Request::Register { cookie, tag, have, most, token, n, sealed };
        [Request::Who { cookie, tag, have, most }, register]
    };
    for (large, small) in both(1200).into_iter().zip(both(400)) {
        let (mut asked, mut wanted) = (Vec::new(), Vec::new());
        put_request(&mut asked, 7, &large);
        put_request(&mut wanted, 7, &small);
        Request::ask_small(&mut asked);
        assert_eq!(asked, wanted);
    }
}

#[test]
fn every_packet_survives_the_wire() {
    let mut rng = Seed([1; 32]).stream("round trip");
    for _ in 0..20_000 {
        let (bytes, asked, (of, answered)) = datagram(&mut rng);
        let Ok(datagram) = Datagram::decode(&bytes) else {
            assert!(bytes.len() > DATAGRAM_MAX, "refused: {asked:?} {answered:?}");
            continue;
        };
        assert_eq!(
            (datagram.sender, datagram.receiver, datagram.stamp, datagram.echo),
            (Sender::Open(5), 4, 6, 7)
        );
        let packets: Vec<Packet<'_>> = datagram.packets().collect();
        assert_eq!(packets[0], Packet::Request { seq: 1, request: asked });
        let Packet::Response { seq: 2, payload } = packets[1] else { panic!("{packets:?}") };
        assert_eq!(Response::decode(of, payload), Ok(answered));
    }
}

#[test]
fn what_is_cut_off_or_added_is_refused() {
    let mut rng = Seed([2; 32]).stream("truncation");
    for _ in 0..500 {
        let (bytes, _, (of, answered)) = datagram(&mut rng);
        let first =
            HEADER + 2 + usize::from(u16::from_be_bytes([bytes[HEADER], bytes[HEADER + 1]]));
        for len in (0..bytes.len()).filter(|&len| len != first) {
            assert!(Datagram::decode(&bytes[..len]).is_err(), "{len} of {}", bytes.len());
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Datagram::decode(&longer).is_err());
        let mut payload = Vec::new();
        answered.encode(&mut payload);
        payload.push(0);
        let lists = matches!(of, Asked::Who | Asked::Register | Asked::Want) && payload[0] == 0;
        assert!(lists || Response::decode(of, &payload).is_err(), "{answered:?}");
        let cut = &payload[..payload.len() - 2];
        assert!(lists || cut.len() > 8 || Response::decode(of, cut).is_err(), "{answered:?}");
    }
}

#[test]
fn junk_never_panics_and_what_decodes_encodes_to_the_same() {
    fn property(mut bytes: Vec<u8>, clear: bool, seed: u8) -> bool {
        if clear {
            // Damage a genuine datagram in a few places.
            let mut rng = Seed([seed; 32]).stream("junk");
            let mut genuine = datagram(&mut rng).0;
            for &hit in &bytes {
                let place = rng.below(genuine.len() as u64) as usize;
                genuine[place] ^= hit;
            }
            bytes = genuine;
        }
        let Ok(datagram) = Datagram::decode(&bytes) else { return true };
        let foreign =
            |packet| matches!(packet, Packet::Request { request: Request::Foreign { .. }, .. });
        if datagram.packets().any(foreign) {
            return true;
        }
        let mut again = Vec::new();
        put_header(
            &mut again,
            datagram.sender.incarnation(),
            datagram.receiver,
            datagram.stamp,
            datagram.echo,
        );
        for packet in datagram.packets() {
            match packet {
                Packet::Request { seq, request } => put_request(&mut again, seq, &request),
                Packet::Response { seq, payload } => {
                    for of in [
                        Asked::Who,
                        Asked::Register,
                        Asked::Say,
                        Asked::Ping,
                        Asked::Bridge,
                        Asked::DialBack,
                        Asked::Other,
                    ] {
                        if let Ok(response) = Response::decode(of, payload) {
                            let mut encoded = Vec::new();
                            response.encode(&mut encoded);
                            assert_eq!(encoded, payload, "two encodings of {response:?}");
                        }
                    }
                    put_packet(&mut again, seq, RESPONSE, |out| out.extend_from_slice(payload));
                }
            }
        }
        // Where a bit made a proof of the end, that is none of the packets.
        let packets = if bytes[0] == kind::PROVEN { proof(&bytes).unwrap().0 } else { &bytes };
        again[0] = bytes[0];
        again == packets
    }
    let mut runs = crate::machine::quickcheck().tests(20_000).max_tests(20_000);
    runs.quickcheck(property as fn(Vec<u8>, bool, u8) -> bool);
}

#[test]
fn addresses_that_are_no_ones_are_refused() {
    let bye = |addr: SocketAddr| {
        let mut bytes = Vec::new();
        put_header(&mut bytes, 1, 1, 1, 0);
        let mut beacon = signed(&mut Seed([3; 32]).stream("addr"));
        beacon.beacon.addrs = vec![addr];
        let hello = Request::Hello { stream: 1, start: 0, given_up: 0, entries: 1, beacon };
        put_request(&mut bytes, 1, &hello);
        Datagram::decode(&bytes).is_ok()
    };
    assert!(bye("10.0.0.1:7".parse().unwrap()) && bye("[fd00::1]:7".parse().unwrap()));
    for bad in [
        "10.0.0.1:0",
        "0.0.0.0:7",
        "224.0.0.1:7",
        "255.255.255.255:7",
        "[::]:7",
        "[ff02::1]:7",
        "[::ffff:10.0.0.1]:7",
    ] {
        assert!(!bye(bad.parse().unwrap()), "{bad}");
    }
}

#[test]
fn the_limits_hold() {
    let with_text = |text: &str| {
        let mut bytes = Vec::new();
        put_header(&mut bytes, 1, 1, 1, 0);
        let flags = Flags::default();
        put_request(
            &mut bytes,
            1,
            &Request::Say {
                stream: 1,
                position: 0,
                behind: u8::MAX,
                number: 1,
                flags,
                seal: None,
                text,
            },
        );
        Datagram::decode(&bytes).is_ok()
    };
    assert!(with_text("x") && with_text(&"x".repeat(PIECE_MAX)));
    assert!(!with_text("") && !with_text(&"x".repeat(PIECE_MAX + 1)));
    let mut empty = Vec::new();
    put_header(&mut empty, 1, 1, 1, 0);
    assert!(Datagram::decode(&empty).is_err(), "a datagram without a packet");
}

#[test]
fn another_version_is_recognised_whatever_follows() {
    for method in [1, 2] {
        let mut bytes = Vec::new();
        put_header(&mut bytes, 1, 1, 1, 0);
        put_packet(&mut bytes, 7, REQUEST, |out| out.extend_from_slice(&[method, 2, 99, 98, 97]));
        let datagram = Datagram::decode(&bytes).unwrap();
        let request = Request::Foreign { method, version: 2 };
        assert_eq!(datagram.packets().next(), Some(Packet::Request { seq: 7, request }));
    }
}

#[test]
fn what_is_sealed_is_packets_and_less_than_one_block_of_zeros() {
    let mut rng = Seed([4; 32]).stream("sealed");
    let read = |text: &[u8]| Datagram::decode_sealed(PeerId(9), text).map(|d| d.packets().count());
    for _ in 0..1_000 {
        let mut text = Vec::new();
        put_inner_header(&mut text, 3, 4);
        let packets = rng.below(3) as usize;
        for seq in 0..packets {
            put_request(&mut text, seq as u32, &request(&mut rng, "hi"));
        }
        let len = text.len();
        text.resize(len.next_multiple_of(PADDING), 0);
        assert_eq!(read(&text), Ok(packets));
        text.resize(len + PADDING, 0);
        assert_eq!(read(&text), Err(Malformed), "more padding than is needed");
        text.truncate(len);
        text.extend_from_slice(&[0, 0, 1]);
        assert_eq!(read(&text), Err(Malformed), "padding that says something");
    }
    let filled = SEALED_HEADER + INNER_HEADER + SEALED_ROOM + TAG;
    assert!(filled <= DATAGRAM_MAX && (INNER_HEADER + SEALED_ROOM).is_multiple_of(PADDING));
}
