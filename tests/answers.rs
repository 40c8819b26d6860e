//! What a receiver does with each method, as the table "What each side does" of docs/PROTOCOL.md says.

#[path = "support/insider.rs"]
mod insider;
#[path = "support/net.rs"]
mod net;

use chatrpc::machine::wire::{Asked, Datagram, Flags, Packet, Request, Response, VERSION};
use chatrpc::machine::wire::{put_request, put_response};
use chatrpc::machine::{Incarnation, PeerId, Registry, RegistryConfig, Sealed, Seed, Tag, Time};
use insider::{Insider, Session};
use net::*;

/// Mallory, in a session with alice, who is in the room.
struct Talk {
    net: Net,
    mallory: Insider,
    session: Session,
    seq: u32,
}

/// What alice sends back: her answer to that number, and her Hellos with their numbers.
#[derive(Debug, Default, PartialEq)]
struct Back {
    answer: Option<Vec<u8>>,
    hellos: Vec<u32>,
}

impl Talk {
    fn new() -> Self {
        let mut net = Net::with(&[("alice", ALICE)]);
        assert_eq!(net.count(0, "Ready"), 1);
        let mut mallory = Insider::new(66, 7);
        let session = net.shake(0, MALLORY, &mut mallory);
        Self { net, mallory, session, seq: 500 }
    }

    /// Sends packets, and reads what comes back at once.
    fn send(&mut self, seq: u32, put: impl FnOnce(&mut Vec<u8>)) -> Back {
        self.net.wire.clear();
        self.net.now += 20_000;
        let stamp = (self.net.now & 0xffff_ffff) as u32;
        let bytes = self.session.seal(stamp, put);
        self.net.forge(0, MALLORY, &bytes);
        let mut back = Back::default();
        for bytes in self.net.towards(MALLORY) {
            let Some(text) = self.session.open(&bytes) else { continue };
            let datagram = Datagram::decode_sealed(PeerId(1), &text).expect("alice speaks well");
            for packet in datagram.packets() {
                match packet {
                    Packet::Response { seq: of, payload } if of == seq => {
                        assert_eq!(datagram.echo, stamp, "the stamp of what is answered");
                        back.answer = Some(payload.to_vec());
                    }
                    Packet::Request { seq, request: Request::Hello { .. } } => {
                        back.hellos.push(seq);
                    }
                    _ => {}
                }
            }
        }
        back
    }

    fn asks_as(&mut self, seq: u32, request: &Request<'_>) -> Back {
        self.send(seq, |out| put_request(out, seq, request))
    }

    fn asks(&mut self, request: &Request<'_>) -> Option<Vec<u8>> {
        self.seq += 1;
        self.asks_as(self.seq, request).answer
    }

    fn hello(&mut self, stream: u32, start: u64) -> Back {
        let beacon = self.mallory.signed("mallory", 0, Vec::new());
        self.seq += 1;
        self.asks_as(self.seq, &Request::Hello { stream, start, given_up: 0, entries: 1, beacon })
    }

    /// A piece of a message, and what `next` and `held` are then.
    fn says(&mut self, stream: u32, position: u64, more: bool) -> Option<(u64, u64)> {
        let flags = Flags { more, ..Flags::default() };
        let request = Request::Say {
            stream,
            position,
            behind: u8::MAX,
            number: position,
            flags,
            seal: None,
            text: "word",
        };
        let answer = self.asks(&request)?;
        match Response::decode(Asked::Say, &answer) {
            Ok(Response::Next { next, held }) => Some((next, held)),
            other => panic!("{other:?}"),
        }
    }

    fn shown(&self) -> usize {
        self.net.count(0, "Message")
    }
}

const UNKNOWN: &[u8] = &[1];
const DONE: &[u8] = &[0];

fn say(stream: u32, position: u64) -> Request<'static> {
    Request::Say {
        stream,
        position,
        behind: u8::MAX,
        number: 1,
        flags: Flags::default(),
        seal: None,
        text: "word",
    }
}

#[test]
fn who_has_not_said_hello_is_unknown_and_whoever_has_is_greeted_back() {
    let mut talk = Talk::new();
    assert_eq!(talk.asks(&say(9, 0)).as_deref(), Some(UNKNOWN));
    assert_eq!(talk.asks(&Request::PING).as_deref(), Some(UNKNOWN));
    let back = talk.hello(9, 0);
    assert_eq!((back.answer.as_deref(), back.hellos.len()), (Some(DONE), 1));
    assert_eq!(talk.asks(&Request::PING).as_deref(), Some(&[0, 0, 0, 0, 0, 1][..]));
    // One of hers is open: there is no second one. Then it is answered, and hers needs no other.
    assert!(talk.hello(9, 0).hellos.is_empty());
    let hers = back.hellos[0];
    talk.send(hers, |out| put_response(out, hers, &Response::Ok));
    let Back { answer, hellos } = talk.hello(10, 0);
    assert!(answer.as_deref() == Some(DONE) && hellos.is_empty());
}

#[test]
fn answers_and_silence_are_remembered_by_number() {
    let mut talk = Talk::new();
    talk.hello(9, 0);
    assert_eq!(talk.asks_as(700, &say(77, 0)).answer.as_deref(), Some(UNKNOWN));
    assert_eq!(talk.asks_as(701, &say(9, 64)).answer, None, "too far ahead");
    talk.seq = 701;
    talk.hello(77, 1);
    assert_eq!(talk.asks_as(700, &say(77, 1)).answer.as_deref(), Some(UNKNOWN), "as before");
    assert_eq!(talk.asks_as(701, &say(77, 1)).answer, None, "as before");
    assert_eq!(talk.says(77, 1, false), Some((2, 0)));
}

#[test]
fn the_receipt_goes_on_with_each_piece_and_what_is_held_survives_a_new_stream() {
    let mut talk = Talk::new();
    talk.hello(9, 0);
    assert_eq!((talk.says(9, 0, true), talk.shown()), (Some((1, 0)), 0));
    assert_eq!(talk.says(9, 64, false), Some((1, 1 << 63)), "the last that is kept");
    assert_eq!(talk.says(9, 65, false), None);
    assert_eq!(talk.says(9, 2, false), Some((1, 1 << 63 | 0b10)));
    assert_eq!(talk.hello(10, 1).answer.as_deref(), Some(DONE));
    assert_eq!((talk.says(10, 1, false), talk.shown()), (Some((3, 1 << 61)), 2));
    talk.hello(11, 4);
    assert_eq!(talk.says(11, 6, false), Some((4, 1 << 2)), "what was held is thrown away");
}

#[test]
fn a_goodbye_is_answered_whoever_says_it() {
    let mut talk = Talk::new();
    let bye = Request::Bye { next: 0, beacon: talk.mallory.farewell() };
    assert_eq!(talk.asks(&bye).as_deref(), Some(DONE));
    talk.hello(9, 0);
    assert_eq!(talk.asks(&bye).as_deref(), Some(DONE));
    assert_eq!(talk.asks(&bye).as_deref(), Some(DONE));
    assert_eq!(talk.hello(9, 0), Back::default(), "who has left is not heard");
}

fn sealed(luck: u8) -> Sealed {
    Sealed(std::sync::Arc::new([luck; chatrpc::machine::SEALED]))
}

#[test]
fn a_nodeset_answers_as_the_table_says() {
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 1024);
    let (mut nodeset, now, tag) =
        (Registry::new(config), Time::from_micros(1_000_000), Tag([1; 16]));
    let (from, farewell) = (addr(MALLORY), farewell(1, 1));
    let mut asks = |asked, request| ask(&mut nodeset, now, from, asked, &request);
    let foreign = Request::Foreign { method: 2, version: 9 };
    assert_eq!(asks(Asked::Register, foreign), Some(Response::Version(VERSION)));
    let who = |cookie| Request::Who { cookie, tag, have: 0, most: 1200 };
    let Some(Response::Cookie(cookie)) = asks(Asked::Who, who([0; 8])) else { panic!("a cookie") };
    let page = asks(Asked::Who, who(cookie));
    assert!(matches!(page, Some(Response::Page(page)) if page.changes.is_empty()));
    let register = |cookie, n, luck| Request::Register {
        cookie,
        tag,
        have: 0,
        most: 1200,
        token: farewell.token(),
        n,
        sealed: sealed(luck),
    };
    let mut registers = |cookie, n, luck| asks(Asked::Register, register(cookie, n, luck));
    assert!(matches!(registers([0; 8], 3, 1), Some(Response::Cookie(_))));
    assert!(is_lease(registers(cookie, 3, 1)));
    assert!(is_lease(registers([0; 8], 3, 1)), "the token stands for the cookie");
    assert!(is_lease(registers([0; 8], 4, 2)), "an early one is taken");
    assert_eq!(registers([0; 8], 3, 2), None, "a lower n");
    assert_eq!(registers([0; 8], 4, 3), None, "another beacon under the same n");
    assert!(matches!(asks(Asked::Who, who([0; 8])), Some(Response::Cookie(_))), "Who has no token");
    let deregister = || Request::Deregister { tag, farewell, sealed: sealed(4) };
    assert_eq!(asks(Asked::Other, deregister()), Some(Response::Ok));
    assert_eq!(asks(Asked::Other, deregister()), Some(Response::Ok), "it is gone already");
    assert_eq!(asks(Asked::Register, register(cookie, 5, 5)), None, "who said goodbye");
}
