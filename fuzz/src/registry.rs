//! A nodeset, and eight sources who say anything: honest requests and made-up ones, several in one
//! datagram and in any order, answers to its announcements and to those of others, repetitions.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use chatrpc::machine::wire::{
    ANYBODY, ANYWHERE, Asked, Cookie, Datagram, Departure, Gone, Packet, Request, Response, Sender,
    put_header, put_request, put_response,
};
use chatrpc::machine::{
    Farewell, Handle, Incarnation, Input, Machine, Registry, RegistryConfig, SEALED, Sealed, Seed,
    Tag,
};

use super::owner::{Outcome, feed};
use super::script::Script;

const INCARNATION: u64 = 500;

/// So much happens at most.
const STEPS_MAX: usize = 64;

/// What an address is sent at most while nothing comes from there: the answer to its last datagram,
/// five sends of one announcement, and five of a small one in its place.
const UNHEARD_MAX: usize = 11;

/// Everybody who speaks: two of one computer, two of one network of IPv6, and others.
const SOURCES: [SocketAddr; 8] =
    [v4(1, 1), v4(1, 2), v4(2, 1), v4(3, 1), v6(1, 1), v6(1, 2), v6(2, 1), v4(9, 9)];

const fn v4(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), port)
}

const fn v6(net: u16, host: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, net, 0, 0, 0, host)), 7)
}

/// An address, as the nodeset knows it and as we know that.
#[derive(Debug, Default)]
struct Source {
    cookie: Cookie,
    /// It has shown a cookie that it was given.
    proven: bool,
    /// The announcements it was sent last.
    asked: VecDeque<u32>,
    bytes_in: usize,
    bytes_out: usize,
    unheard: usize,
}

struct Town {
    now: u64,
    nodeset: Registry,
    sources: Vec<Source>,
    /// What was said lately.
    said: VecDeque<Vec<u8>>,
}

/// Plays a script.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let members_max = script.pick(&[3, 5, 64, 1024]);
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(INCARNATION), members_max);
    let sources = SOURCES.iter().map(|_| Source::default()).collect();
    let mut town =
        Town { now: 1_000_000, nodeset: Registry::new(config), sources, said: VecDeque::new() };
    // The last two have not asked yet.
    (0..6).for_each(|source| town.ask_for_cookie(source));
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        town.step(&mut script);
    }
    town.rest();
}

impl Town {
    fn step(&mut self, script: &mut Script<'_>) {
        match script.below(16) {
            0..=8 => {
                let (from, bytes) = datagram(&mut self.sources, script);
                self.say(from, bytes);
            }
            9 | 10 => {
                self.now = self.now.saturating_add(span(script));
                self.feed(Input::Tick);
            }
            11 => (0..=script.below(16)).for_each(|_| self.wake()),
            12 => {
                let (from, sender) = (script.below(SOURCES.len()), 1 + script.below(3) as u64);
                let mut bytes = Vec::new();
                put_header(&mut bytes, sender, INCARNATION, 7, 0);
                let asked = core::mem::take(&mut self.sources[from].asked);
                asked.iter().for_each(|&seq| put_response(&mut bytes, seq, &Response::Ok));
                self.say(from, bytes);
            }
            13 => {
                let from = script.below(SOURCES.len());
                let place = script.below(self.said.len());
                let Some(bytes) = self.said.get(place) else { return };
                let mut bytes = bytes.clone();
                let place = script.below(bytes.len());
                if let Some(byte) = bytes.get_mut(place).filter(|_| script.one_in(3)) {
                    *byte ^= script.u8();
                }
                self.say(from, bytes);
            }
            14 => {
                let from = script.below(SOURCES.len());
                let mut bytes = Vec::new();
                if !script.one_in(4) {
                    put_header(&mut bytes, 1, ANYBODY, 1, 0);
                }
                let len = script.below(128);
                bytes.extend_from_slice(script.bytes(len));
                self.say(from, bytes);
            }
            _ => self.ask_for_cookie(script.below(SOURCES.len())),
        }
    }

    /// Lets the time come for which the nodeset wants to be woken.
    fn wake(&mut self) {
        let Some(wake) = self.nodeset.next_wake() else { return };
        self.now = self.now.max(wake.at.as_micros());
        self.feed(Input::Tick);
    }

    fn ask_for_cookie(&mut self, source: usize) {
        let mut bytes = Vec::new();
        put_header(&mut bytes, 1, ANYBODY, 1, 0);
        let request = Request::Who { cookie: [0; 8], tag: Tag([0; 16]), have: 0, most: 1200 };
        put_request(&mut bytes, 0, &request);
        self.say(source, bytes);
    }

    /// A source says something.
    fn say(&mut self, source: usize, bytes: Vec<u8>) {
        let Source { bytes_in, unheard, .. } = &mut self.sources[source];
        *bytes_in += bytes.len();
        *unheard = 0;
        self.feed(Input::Datagram { from: SOURCES[source], at: None, bytes: &bytes });
        self.said.push_back(bytes);
        self.said.truncate(16);
    }

    fn feed(&mut self, input: Input<'_>) {
        let outcome = feed(&mut self.nodeset, self.now, input, |event| {
            panic!("a nodeset shows {event:?}");
        });
        self.take(outcome);
    }

    /// Reads what the nodeset says, as whoever gets it would, and counts.
    fn take(&mut self, outcome: Outcome) {
        assert!(outcome.exit.is_none(), "a nodeset ends");
        for (to, bytes) in outcome.sent {
            let place = SOURCES.iter().position(|&addr| addr == to);
            let source = &mut self.sources[place.expect("only who asked is answered")];
            source.bytes_out += bytes.len();
            source.unheard += 1;
            let datagram = Datagram::decode(&bytes).expect("a nodeset speaks clearly");
            assert_eq!(datagram.sender, Sender::Open(INCARNATION));
            for packet in datagram.packets() {
                match packet {
                    Packet::Request { seq, .. } => {
                        source.asked.push_back(seq);
                        source.asked.truncate(32);
                    }
                    Packet::Response { payload, .. } => {
                        if let Ok(Response::Cookie(cookie)) =
                            Response::decode(Asked::Other, payload)
                        {
                            source.cookie = cookie;
                        }
                    }
                }
            }
            assert!(source.unheard <= UNHEARD_MAX, "{} datagrams to {to}", source.unheard);
            let fair = source.proven || source.bytes_out <= source.bytes_in;
            assert!(fair, "{} bytes for {} to {to}", source.bytes_out, source.bytes_in);
        }
    }

    /// Nobody says anything any more: nothing remains.
    fn rest(&mut self) {
        self.now = self.now.saturating_add(3_600_000_000);
        self.feed(Input::Tick);
        (0..8).for_each(|_| self.wake());
        for seconds in [61, 121, 121] {
            self.now = self.now.saturating_add(seconds * 1_000_000);
            self.feed(Input::Tick);
        }
        if self.now < u64::MAX / 2 {
            let full = self.nodeset.footprint().into_iter().find(|table| table.len > 0);
            assert!(full.is_none(), "{full:?} remains");
            assert!(self.nodeset.next_wake().is_none());
        }
        assert_eq!(self.nodeset.members() == 0, self.now < u64::MAX / 2);
    }
}

/// How much time passes, in µs: around what the nodeset waits for, or anything.
fn span(script: &mut Script<'_>) -> u64 {
    let ms = match script.below(12) {
        0 => 0,
        1 => 1,
        2 => 60,
        3 => 300,
        4 => 501,
        5 => 2_001,
        6 => 20_000,
        7 => 60_000,
        8 => 61_000,
        9 => 120_000,
        10 => 121_000,
        _ => script.number() % (1 << 44),
    };
    ms * 1_000
}

fn datagram(sources: &mut [Source], script: &mut Script<'_>) -> (usize, Vec<u8>) {
    let from = script.below(SOURCES.len());
    let sender = 1 + script.below(3) as u64;
    let receiver = match script.below(8) {
        0..=5 => ANYBODY,
        6 => INCARNATION,
        _ => script.number(),
    };
    let mut bytes = Vec::new();
    put_header(&mut bytes, sender, receiver, 1 + u32::from(script.u8()), u32::from(script.u8()));
    for _ in 0..=script.below(6) {
        packet(sources, from, &mut bytes, script);
    }
    (from, bytes)
}

fn packet(sources: &mut [Source], from: usize, out: &mut Vec<u8>, script: &mut Script<'_>) {
    let seq = u32::from(script.u8());
    let tag = Tag([script.below(3) as u8; 16]);
    let n = script.below(6) as u8;
    let token = farewell(n).token();
    match script.below(12) {
        0 | 1 => {
            let (cookie, have) = (cookie(&mut sources[from], script), have(script));
            put_request(out, seq, &Request::Who { cookie, tag, have, most: 1200 });
        }
        2..=5 => {
            let (cookie, have) = (cookie(&mut sources[from], script), have(script));
            let (n, sealed) = (script.below(4) as u32, sealed(script));
            put_request(
                out,
                seq,
                &Request::Register { cookie, tag, have, most: 1200, token, n, sealed },
            );
        }
        6 | 7 => {
            let (farewell, sealed) = (farewell(n), sealed(script));
            put_request(out, seq, &Request::Deregister { tag, farewell, sealed });
        }
        8 => {
            // Its own announcements, or somebody else's.
            let whose = if script.one_in(3) { script.below(SOURCES.len()) } else { from };
            let asked = &sources[whose].asked;
            let place = script.below(asked.len());
            let seq = asked.get(place).copied().unwrap_or(seq);
            put_response(out, seq, &response(script));
        }
        9 if script.one_in(3) => {
            let cookie = cookie(&mut sources[from], script);
            let port = (script.number() as u16).max(1);
            put_request(out, seq, &Request::DialBack { cookie, port });
        }
        9 => put_response(out, script.number() as u32, &response(script)),
        10 => put_request(out, seq, &odd(script)),
        _ => {
            let len = script.below(32);
            out.extend_from_slice(script.bytes(len));
        }
    }
}

/// Mostly the cookie that this source was given.
fn cookie(source: &mut Source, script: &mut Script<'_>) -> Cookie {
    match script.below(8) {
        0 => [0; 8],
        1 => script.array(),
        _ => {
            source.proven |= source.cookie != [0; 8];
            source.cookie
        }
    }
}

fn farewell(n: u8) -> Farewell {
    Farewell([n; 16])
}

fn have(script: &mut Script<'_>) -> u64 {
    if script.one_in(8) { ANYWHERE } else { script.number() }
}

fn sealed(script: &mut Script<'_>) -> Sealed {
    Sealed(Arc::new([script.below(3) as u8; SEALED]))
}

fn response(script: &mut Script<'_>) -> Response {
    match script.below(8) {
        0 => Response::Unknown,
        1 => Response::Full,
        2 => Response::Cookie(script.array()),
        3 => Response::Version(script.u8()),
        _ => Response::Ok,
    }
}

/// What nobody asks of a nodeset.
fn odd(script: &mut Script<'_>) -> Request<'static> {
    let reached = script.number();
    let handle = Handle::of(farewell(script.below(6) as u8).token());
    match script.below(4) {
        0 => Request::PING,
        1 => Request::Foreign { method: 1 + script.below(2) as u8, version: 2 + script.u8() % 250 },
        2 => {
            let members = vec![Gone { handle, how: Departure::Timeout }];
            Request::RemoveMember { reached, members }
        }
        _ => Request::AddMember { reached, members: Vec::new() },
    }
}
