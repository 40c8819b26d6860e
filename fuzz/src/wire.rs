//! Every byte that crosses the network: what decodes is written back as it was, what is written is
//! read back as it was meant, and nothing else happens. So it is with sealed beacons, ids, keys and
//! secrets as people write them.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};

use chatrpc::machine::suite::Suite;
use chatrpc::machine::wire::{
    ANYBODY, Asked, Change, DATAGRAM_MAX, Datagram, Departure, Flags, Gone, Listed, Loss, PADDING,
    PART_MAX, PIECE_MAX, POSITION_MAX, Packet, Page, Request, Response, put_header,
    put_inner_header, put_request, put_response,
};
use chatrpc::machine::{
    Beacon, Farewell, Handle, Head, Name, PeerId, PublicKey, Room, SEALED, Sealed, Secret, Signed,
    Tag,
};
use chatrpc_sim::standin::StandIn;

use super::script::Script;
use chatrpc_sim::insider::room;

const ASKED: [Asked; 11] = [
    Asked::Who,
    Asked::Register,
    Asked::Say,
    Asked::Bridge,
    Asked::DialBack,
    Asked::Present,
    Asked::Ping,
    Asked::Heads,
    Asked::Want,
    Asked::Author,
    Asked::Other,
];

static ROOM: LazyLock<Room> = LazyLock::new(room);

/// Reads bytes as one of the things that cross the network, or makes such a thing of them.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    match script.below(8) {
        0 => clear(script.rest()),
        1 => sealed(script.rest()),
        2 => answers(script.rest()),
        3 => texts(script.rest()),
        4 => beacon_of_bytes(script.rest()),
        5 => beacon_of_script(&mut script),
        _ => datagram_of_script(&mut script),
    }
}

/// Packets, written as they were read. `None` when one was read by half: another version's.
fn written(datagram: &Datagram<'_>, mut out: Vec<u8>) -> Option<Vec<u8>> {
    for packet in datagram.packets() {
        match packet {
            Packet::Request { request: Request::Foreign { .. }, .. } => return None,
            Packet::Request { seq, request } => put_request(&mut out, seq, &request),
            Packet::Response { seq, payload } => {
                let len = u16::try_from(5 + payload.len()).expect("it was in a datagram");
                out.extend_from_slice(&len.to_be_bytes());
                out.extend_from_slice(&seq.to_be_bytes());
                out.push(1);
                out.extend_from_slice(payload);
            }
        }
    }
    Some(out)
}

fn clear(bytes: &[u8]) {
    let Ok(datagram) = Datagram::decode(bytes) else { return };
    assert!(bytes.len() <= DATAGRAM_MAX && datagram.sender.incarnation() != ANYBODY);
    let Datagram { sender, receiver, stamp, echo, .. } = datagram;
    let mut out = Vec::new();
    put_header(&mut out, sender.incarnation(), receiver, stamp, echo);
    assert!(written(&datagram, out).is_none_or(|out| out == bytes));
    for packet in datagram.packets() {
        if let Packet::Response { payload, .. } = packet {
            answers(payload);
        }
    }
}

fn sealed(bytes: &[u8]) {
    let Ok(datagram) = Datagram::decode_sealed(PeerId(7), bytes) else { return };
    let mut out = Vec::new();
    put_inner_header(&mut out, datagram.stamp, datagram.echo);
    let Some(out) = written(&datagram, out) else { return };
    let (packets, padding) = bytes.split_at(out.len());
    assert!(out == packets && padding.len() < PADDING && padding.iter().all(|&byte| byte == 0));
}

fn answers(payload: &[u8]) {
    for asked in ASKED {
        if let Ok(response) = Response::decode(asked, payload) {
            let mut out = Vec::new();
            response.encode(&mut out);
            assert_eq!(out, payload, "{asked:?}");
        }
    }
}

/// What people write: ids, keys, secrets and names are read back from what they are shown as.
fn texts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(id) = text.parse::<PeerId>() {
        assert_eq!(id.to_string(), text);
        assert!(text.starts_with(&id.short()));
    }
    if let Ok(key) = text.parse::<PublicKey>() {
        assert_eq!(key.to_string(), text.to_lowercase());
        // A key that is none, or a weak one, has no image.
        let _ = key.image();
    }
    if let Ok(secret) = text.parse::<Secret>() {
        let kept: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        assert_eq!(*secret.written(), kept.to_lowercase());
    }
    if let Ok(name) = Name::parse(&text) {
        assert_eq!(Name::parse(name.as_str()), Ok(name));
    }
}

/// Bytes under the seal of a beacon, and bytes in the place of a sealed one.
fn beacon_of_bytes(bytes: &[u8]) {
    const NONCE: usize = 12;
    let mut noise = [0; SEALED];
    let len = bytes.len().min(SEALED);
    noise[..len].copy_from_slice(&bytes[..len]);
    assert!(Sealed(Arc::new(noise)).open(&StandIn, &ROOM).is_none(), "nobody sealed that");
    let mut text = noise[..SEALED - NONCE - 16].to_vec();
    let plain = text.clone();
    StandIn.seal(ROOM.beacon_key(), [0; NONCE], &mut text);
    noise[NONCE..].copy_from_slice(&text);
    noise[..NONCE].fill(0);
    let Some(signed) = Sealed(Arc::new(noise)).open(&StandIn, &ROOM) else { return };
    let size = signed.beacon.size() + 64;
    assert!(plain[size..].iter().all(|&byte| byte == 0));
    let again = signed.seal(&StandIn, &ROOM).open(&StandIn, &ROOM);
    assert_eq!(again, Some(signed));
}

fn beacon_of_script(script: &mut Script<'_>) {
    let mut beacon = beacon(script);
    beacon.fit();
    let signed = Signed { beacon, signature: [script.u8(); 64] };
    assert!(!signed.is_genuine(&StandIn, &ROOM), "nobody signed that");
    let sealed = signed.seal(&StandIn, &ROOM);
    let mut spoilt = *sealed.0;
    spoilt[script.below(SEALED)] ^= 1 << script.below(8);
    assert!(Sealed(Arc::new(spoilt)).open(&StandIn, &ROOM).is_none());
    assert_eq!(sealed.open(&StandIn, &ROOM), Some(signed));
}

/// What is written is read back; what is cut short or spoilt is refused or read as something else.
fn datagram_of_script(script: &mut Script<'_>) {
    let mut bytes = Vec::new();
    let (sender, receiver) = (script.number().max(1), script.number());
    let (stamp, echo) = (script.number() as u32, script.number() as u32);
    put_header(&mut bytes, sender, receiver, stamp, echo);
    let header = bytes.len();
    let spoil = script.one_in(4).then(|| (script.number() as usize, script.u8()));
    let mut expected = Vec::new();
    for _ in 0..=script.below(4) {
        let seq = script.number() as u32;
        if script.one_in(3) {
            let response = response(script);
            let mut payload = Vec::new();
            response.encode(&mut payload);
            let asked =
                |asked: &&Asked| Response::decode(**asked, &payload) == Ok(response.clone());
            assert!(ASKED.iter().any(|one| asked(&one)), "{response:?}");
            put_response(&mut bytes, seq, &response);
            expected.push((seq, None, payload));
        } else {
            let request = request(script);
            let start = bytes.len();
            put_request(&mut bytes, seq, &request);
            expected.push((seq, Some(request), bytes[start..].to_vec()));
        }
    }
    if let Some((at, bits)) = spoil {
        let at = at % bytes.len();
        bytes[at] ^= bits;
        clear(&bytes);
        bytes[at] ^= bits;
        clear(&bytes[..at]);
    }
    sealed(&bytes[header - 8..]);
    match Datagram::decode(&bytes) {
        Err(_) => assert!(bytes.len() > DATAGRAM_MAX),
        Ok(datagram) => {
            let Datagram { sender: from, receiver: to, .. } = datagram;
            assert_eq!((from.incarnation(), to), (sender, receiver));
            assert_eq!((datagram.stamp, datagram.echo), (stamp, echo));
            let mut packets = datagram.packets();
            for (seq, request, payload) in &expected {
                match (packets.next(), request) {
                    (Some(Packet::Request { seq: s, request: r }), Some(request)) => {
                        assert_eq!((s, &r), (*seq, request));
                    }
                    (Some(Packet::Response { seq: s, payload: p }), None) => {
                        assert_eq!((s, p), (*seq, payload.as_slice()));
                    }
                    (other, _) => panic!("{other:?} for {request:?}"),
                }
            }
            assert!(packets.next().is_none());
        }
    }
}

fn request<'a>(script: &mut Script<'a>) -> Request<'a> {
    let (tag, cookie) = (Tag([script.u8(); 16]), script.array());
    match script.below(19) {
        0 => Request::Who { cookie, tag, have: script.number(), most: 1200 },
        1 => {
            let (have, token, n) = (script.number(), script.number(), script.number() as u32);
            Request::Register { cookie, tag, have, most: 1200, token, n, sealed: noise(script) }
        }
        2 => Request::Deregister { tag, farewell: Farewell(script.array()), sealed: noise(script) },
        3 => {
            let members: Vec<Listed> = (0..script.below(5)).map(|_| listed(script)).collect();
            Request::AddMember { reached: script.number(), members }
        }
        4 => {
            let members: Vec<Gone> = (0..script.below(5)).map(|_| gone(script)).collect();
            Request::RemoveMember { reached: script.number(), members }
        }
        5 => {
            let start = script.number().min(POSITION_MAX);
            let (stream, given_up) = ((script.number() as u32).max(1), script.number());
            let beacon = Signed { beacon: beacon(script), signature: [script.u8(); 64] };
            Request::Hello { stream, start, given_up, entries: 1, beacon }
        }
        6 | 7 => say(script),
        8 => Request::Ping {
            until: script.number() as u32,
            digest: script.number(),
            present: script.number() as u32,
        },
        14 => Request::Present { after: PeerId(script.number()) },
        15 => Request::Heads { after: PeerId(script.number()) },
        16 => Request::Author { log: PeerId(script.number()) },
        17 => {
            let (log, from) = (PeerId(script.number()), (script.number() as u32).max(1));
            let most = 1 + script.below(PART_MAX) as u16;
            Request::Want { log, from, skip: script.number() as u32, most }
        }
        11 => Request::DialBack { cookie, port: (script.number() as u16).max(1) },
        10 => Request::Bridge { to: PeerId(script.number()) },
        12 => {
            let losses = [Loss::Asked, Loss::Agreed, Loss::Gone];
            let loss = losses[script.u8() as usize % 3];
            Request::Lost { who: PeerId(script.number()), loss }
        }
        13 => {
            let (who, at) = (PeerId(script.number()), addr(script));
            Request::Introduce { who, at, near: script.u8() & 1 == 1 }
        }
        9 => Request::Foreign { method: 1 + script.below(2) as u8, version: 2 + script.u8() % 250 },
        _ => {
            let mut beacon = beacon(script);
            beacon.left = true;
            let beacon = Signed { beacon, signature: [script.u8(); 64] };
            Request::Bye { next: script.number(), beacon }
        }
    }
}

fn say<'a>(script: &mut Script<'a>) -> Request<'a> {
    let bits = script.u8();
    let flags = Flags { action: bits & 1 != 0, private: bits & 2 != 0, more: bits & 4 != 0 };
    let len = script.number() as usize % (PIECE_MAX + 1);
    let text = core::str::from_utf8(script.bytes(len)).unwrap_or("é");
    let text = if text.is_empty() { "x" } else { text };
    let (stream, position) = (script.number() as u32, script.number());
    Request::Say {
        stream,
        position,
        behind: u8::MAX,
        number: script.number(),
        flags,
        seal: None,
        text,
    }
}

fn response(script: &mut Script<'_>) -> Response {
    match script.below(14) {
        9 => {
            let (differs, others) = (script.one_in(2), script.one_in(2));
            Response::Here { differs, others, next: script.number() as u32 }
        }
        11 => {
            let len = script.below(PART_MAX + 1);
            Response::Entries { more: script.one_in(2), bytes: script.bytes(len).to_vec() }
        }
        12 => {
            let beacon = beacon(script);
            Response::Author(Box::new(Signed { beacon, signature: [script.u8(); 64] }))
        }
        13 => {
            let heads = (0..script.below(31)).map(|_| head(script)).collect();
            Response::Heads { more: script.one_in(2), heads }
        }
        10 => {
            let ids = (0..script.below(50)).map(|_| PeerId(script.number())).collect();
            Response::Present { more: script.one_in(2), ids }
        }
        8 => Response::Bridge { index: script.number() },
        0 => Response::Ok,
        1 => Response::Next { next: script.number(), held: script.number() },
        2 => Response::Page(page(script)),
        3 => {
            let (node, seen) = (script.number() as u32, addr(script));
            let elsewhere = script.below(10) as u8;
            Response::Lease { node, elsewhere, seen, page: page(script) }
        }
        4 => Response::Unknown,
        5 => Response::Cookie(script.array()),
        6 => Response::Version(script.u8()),
        _ => Response::Full,
    }
}

fn head(script: &mut Script<'_>) -> Head {
    let first = 1 + (script.number() as u32) / 2;
    let (log, clock) = (PeerId(script.number()), script.number() % (1 << 47));
    Head { log, first, next: first + 1 + script.u8() as u32, clock, hash: script.array() }
}

fn page(script: &mut Script<'_>) -> Page {
    let mut versions = [script.number(), script.number(), script.number()];
    versions.sort_unstable();
    let [after, reached, current] = versions;
    let change = |script: &mut Script<'_>| {
        if script.one_in(3) { Change::Gone(gone(script)) } else { Change::Present(listed(script)) }
    };
    let changes: Vec<Change> = (0..script.below(5)).map(|_| change(script)).collect();
    let page = Page { after, reached, current, changes };
    let mut bytes = Vec::new();
    Response::Page(page.clone()).encode(&mut bytes);
    let sizes: usize = page.changes.iter().map(Change::size).sum();
    assert_eq!(bytes.len(), 1 + 24 + sizes, "what is planned for is what is written");
    page
}

fn listed(script: &mut Script<'_>) -> Listed {
    Listed { handle: Handle(script.number()), seen: addr(script), sealed: noise(script) }
}

fn gone(script: &mut Script<'_>) -> Gone {
    let how = match script.below(3) {
        0 => Departure::Quit(noise(script)),
        1 => Departure::Timeout,
        _ => Departure::Replaced,
    };
    Gone { handle: Handle(script.number()), how }
}

fn beacon(script: &mut Script<'_>) -> Beacon {
    const NAMES: [&str; 6] = [
        "alice",
        "x",
        "你好 👍",
        "e\u{301}",
        "ÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅÅ",
        "𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸𝔸",
    ];
    let (key, incarnation) = (PublicKey([script.u8(); 32]), script.number().max(1));
    let len = script.below(97);
    let name = match core::str::from_utf8(script.bytes(len)).map(Name::parse) {
        Ok(Ok(name)) => name,
        _ => Name::parse(script.pick(&NAMES)).expect("a name"),
    };
    Beacon {
        id: key.process(incarnation),
        key,
        handle: Handle(script.number()),
        incarnation,
        n: script.number() as u32,
        left: script.one_in(2),
        once: script.one_in(2),
        name,
        addrs: (0..script.below(5)).map(|_| addr(script)).collect(),
    }
}

/// An address that a datagram can be sent to.
fn addr(script: &mut Script<'_>) -> SocketAddr {
    let ip = match script.below(3) {
        0 => IpAddr::from(script.array::<16>()),
        _ => IpAddr::from(script.array::<4>()),
    };
    let broadcast = ip == IpAddr::from([255; 4]);
    let odd = ip.is_unspecified() || ip.is_multicast() || broadcast || ip != ip.to_canonical();
    let ip = if odd { IpAddr::from([10, 0, 0, 1]) } else { ip };
    SocketAddr::new(ip, (script.number() as u16).max(1))
}

fn noise(script: &mut Script<'_>) -> Sealed {
    Sealed(Arc::new([script.u8(); SEALED]))
}
