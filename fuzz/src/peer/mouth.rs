//! What members, nodeset and person may say, made from a script.

use std::net::SocketAddr;
use std::sync::Arc;

use chatrpc::machine::wire::{
    Change, Departure, Flags, Gone, Listed, POSITION_MAX, Page, Request, Response, put_header,
    put_request, put_response,
};
use chatrpc::machine::{
    Command, Farewell, Handle, Input, PeerId, SEALED, Sealed, Signed, Tag, Whom,
};

use super::super::script::Script;
use super::Town;
use super::people::{ADDRS, INCARNATION, NODESET, PEER, Question};

/// What somebody may call themselves: the peer's own name, those of the members, and a look-alike.
const NAMES: [&str; 8] =
    ["bob", "carol", "dave", "alice", "alіce", "robert", "x", "你好 👍 world of names"];

const TEXTS: [&str; 8] = [
    "hello",
    "alice: look",
    " ",
    "\u{202e}\u{200b}",
    "two\nlines\r\n* bob has left",
    "\x1b[2J\u{9b}31m",
    "e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}",
    "👩\u{200d}👩\u{200d}👧\u{200d}👦",
];

const LINES: [&str; 24] = [
    "hello",
    "//slash",
    "/me waves",
    "/msg bob psst",
    "/msg carol psst",
    "/msg dave psst",
    "/msg robert psst",
    "/msg alice psst",
    "/nick robert",
    "/nick alice",
    "/nick bob",
    "/nick alіce",
    "/nick \u{301}",
    "/who",
    "/whois bob",
    "/whois x",
    "/verify carol",
    "/trust bob",
    "/trust carol",
    "/invite",
    "/help",
    "/nonsense",
    "/say",
    " ",
];

impl Town {
    /// A sealed datagram of a member, where it comes from, and whether there may be an answer in it.
    pub(super) fn sealed(&mut self, script: &mut Script<'_>) -> (SocketAddr, Vec<u8>, bool) {
        let who = script.below(self.members.len());
        let from = match script.below(4) {
            0 => script.pick(&ADDRS),
            _ => self.members[who].addr,
        };
        let (mut packets, mut answers) = (Vec::new(), false);
        for _ in 0..=script.below(6) {
            answers |= self.packet(who, &mut packets, script);
        }
        let stamp = if script.one_in(8) { script.number() } else { self.now } as u32;
        let old = script.one_in(8);
        let jump = script.one_in(16).then(|| script.number() >> 2);
        let sessions = &mut self.members[who].sessions;
        let session = if old { sessions.first_mut() } else { sessions.last_mut() };
        let Some(session) = session else { return (from, packets, false) };
        if let Some(jump) = jump {
            session.counter = session.counter.max(jump);
        }
        let echo = match script.below(4) {
            0 => script.number(),
            1 => 0,
            _ => self.now - 20_000,
        };
        let echo = echo as u32;
        let bytes = session.seal_echoing(stamp, echo, |out| out.extend_from_slice(&packets));
        (from, bytes, answers)
    }

    /// Appends one packet of a member. True when it may be an answer.
    fn packet(&mut self, who: usize, out: &mut Vec<u8>, script: &mut Script<'_>) -> bool {
        self.members[who].seq += 1;
        let seq = match script.below(8) {
            0 => script.number() as u32,
            1 => self.members[who].seq.wrapping_sub(script.u8().into()),
            _ => self.members[who].seq,
        };
        match script.below(16) {
            0..=3 => self.piece(who, seq, out, script),
            4 | 5 => {
                let member = &mut self.members[who];
                let (start, given_up) = (script.number(), script.number());
                match script.below(4) {
                    0 => member.stream = member.stream.wrapping_add(1),
                    1 => member.stream = script.number() as u32,
                    _ => {}
                }
                let stream = member.stream;
                member.position = member.position.max(start.min(POSITION_MAX));
                let beacon = self.beacon(who, script);
                put_request(
                    out,
                    seq,
                    &Request::Hello { stream, start, given_up, entries: 1, beacon },
                );
            }
            6 => put_request(out, seq, &Request::PING),
            7 if script.one_in(4) => {
                let mut beacon = self.beacon(who, script);
                if !script.one_in(4) {
                    beacon = self.members[who].signed("gone", 99, true, Vec::new());
                }
                put_request(out, seq, &Request::Bye { next: script.number(), beacon });
            }
            7..=12 => {
                let whose = if script.one_in(8) { script.below(self.members.len()) } else { who };
                let asked = &self.members[whose].asked;
                let found = asked.get(script.below(asked.len())).copied();
                let (seq, question) = found.unwrap_or((script.number() as u32, Question::Other));
                put_response(out, seq, &self.answer(question, script));
                return true;
            }
            13 => {
                put_request(out, seq, &self.odd(script));
            }
            _ => {
                let len = script.below(48);
                out.extend_from_slice(script.bytes(len));
                return true;
            }
        }
        false
    }

    fn piece(&mut self, who: usize, seq: u32, out: &mut Vec<u8>, script: &mut Script<'_>) {
        let member = &mut self.members[who];
        let stream = if script.one_in(8) { script.number() as u32 } else { member.stream };
        let position = match script.below(8) {
            0 => script.number(),
            1 => member.position + script.below(70) as u64,
            2 => member.position.saturating_sub(script.below(4) as u64),
            _ => {
                member.position += 1;
                member.position - 1
            }
        };
        let bits = script.u8();
        let flags = Flags { action: bits & 1 != 0, private: bits & 2 != 0, more: bits & 4 != 0 };
        let number = script.number();
        let long;
        let text = match script.below(8) {
            0 => {
                let len = script.below(64);
                long = String::from_utf8_lossy(script.bytes(len)).into_owned();
                if long.is_empty() { "x" } else { &long }
            }
            1 => {
                long = "é".repeat(512);
                &long
            }
            _ => script.pick(&TEXTS),
        };
        put_request(
            out,
            seq,
            &Request::Say { stream, position, behind: u8::MAX, number, flags, seal: None, text },
        );
    }

    /// A beacon, mostly of whoever says it.
    fn beacon(&mut self, who: usize, script: &mut Script<'_>) -> Signed {
        let whose = if script.one_in(8) { script.below(self.members.len()) } else { who };
        let member = &mut self.members[whose];
        let name = if script.one_in(2) { member.name } else { script.pick(&NAMES) };
        let n = if script.one_in(8) { script.number() as u32 } else { script.below(4) as u32 };
        let addrs: Vec<SocketAddr> = (0..script.below(5)).map(|_| script.pick(&ADDRS)).collect();
        member.addrs.extend(&addrs);
        let mut signed = member.signed(name, n, script.one_in(32), addrs);
        if script.one_in(16) {
            signed.signature[0] ^= 1;
        }
        if member.introduced {
            self.introduce(whose);
        }
        signed
    }

    /// What a member answers to the peer.
    fn answer(&self, question: Question, script: &mut Script<'_>) -> Response {
        match (script.below(10), question) {
            (0..=3, Question::Say(position)) => {
                let next = position.saturating_add(script.below(4) as u64);
                Response::Next { next, held: script.number() }
            }
            (0..=4, _) => Response::Ok,
            (5, _) => Response::Next { next: script.number(), held: script.number() },
            (6 | 7, _) => Response::Unknown,
            (8, _) => Response::Cookie(script.array()),
            _ if script.one_in(2) => Response::Full,
            _ => Response::Version(script.u8()),
        }
    }

    /// What nobody asks of a peer.
    fn odd(&self, script: &mut Script<'_>) -> Request<'static> {
        let (tag, have) = (Tag([7; 16]), script.number());
        match script.below(5) {
            0 => Request::Foreign { method: 1 + script.below(2) as u8, version: 9 },
            1 => Request::Who { cookie: [0; 8], tag, have, most: 1200 },
            2 => Request::AddMember { reached: have, members: self.roster() },
            3 => Request::RemoveMember { reached: have, members: Vec::new() },
            _ => {
                let (farewell, sealed) = (Farewell([7; 16]), Sealed(Arc::new([7; SEALED])));
                Request::Deregister { tag, farewell, sealed }
            }
        }
    }

    /// What an honest nodeset answers.
    pub(super) fn truth(&mut self, request: &Request<'_>) -> Response {
        let changes: Vec<Change> = self.roster().into_iter().map(Change::Present).collect();
        for who in 0..self.members.len() {
            if self.members[who].listed {
                self.introduce(who);
            }
        }
        let page = Page { after: 0, reached: 3, current: 3, changes };
        match request {
            Request::Who { .. } => Response::Page(page),
            Request::Register { .. } => Response::Lease { node: 1, elsewhere: 0, seen: PEER, page },
            _ => Response::Ok,
        }
    }

    pub(super) fn of_nodeset(&self, incarnation: u64, echo: u32, packets: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_header(&mut bytes, incarnation, INCARNATION, (self.now as u32).max(1), echo);
        bytes.extend_from_slice(packets);
        bytes
    }

    /// A datagram of the nodeset, or of who pretends to be it.
    pub(super) fn nodeset(&mut self, script: &mut Script<'_>) -> (SocketAddr, Vec<u8>) {
        let mut packets = Vec::new();
        for _ in 0..=script.below(3) {
            self.announced += 1;
            let seq = if script.one_in(8) { script.number() as u32 } else { self.announced };
            match script.below(8) {
                0..=2 => {
                    let asked = &self.asked;
                    let found = asked.get(script.below(asked.len())).copied();
                    let (seq, question) = found.unwrap_or((seq, Question::Who));
                    let answer = self.lie(question, script);
                    put_response(&mut packets, seq, &answer);
                }
                3 | 4 => {
                    let members = (0..script.below(4)).map(|_| self.listed(script)).collect();
                    let reached = script.number();
                    put_request(&mut packets, seq, &Request::AddMember { reached, members });
                }
                5 => {
                    let members = (0..script.below(4)).map(|_| self.gone(script)).collect();
                    let reached = script.number();
                    put_request(&mut packets, seq, &Request::RemoveMember { reached, members });
                }
                6 => {
                    let odd = self.odd(script);
                    if let Request::AddMember { members, .. } = &odd {
                        members.iter().for_each(|listed| self.oracle.named(listed.seen));
                        (0..self.members.len()).for_each(|who| self.introduce(who));
                    }
                    put_request(&mut packets, seq, &odd);
                }
                _ => {
                    let len = script.below(48);
                    packets.extend_from_slice(script.bytes(len));
                }
            }
        }
        let incarnation = match script.below(8) {
            0 => 501,
            1 => script.number(),
            _ => 500,
        };
        let mut bytes = self.of_nodeset(incarnation, script.u8().into(), &packets);
        if script.one_in(16) {
            bytes[9..17].copy_from_slice(&script.number().to_be_bytes());
        }
        let from = if script.one_in(8) { script.pick(&ADDRS) } else { NODESET };
        (from, bytes)
    }

    fn lie(&mut self, question: Question, script: &mut Script<'_>) -> Response {
        match (script.below(12), question) {
            (0..=5, Question::Register) => {
                let (node, seen) = (script.u8().into(), script.pick(&ADDRS));
                Response::Lease { node, elsewhere: script.u8(), seen, page: self.page(script) }
            }
            (0..=6, Question::Who) => Response::Page(self.page(script)),
            (7, _) => Response::Unknown,
            (8, _) => Response::Version(script.u8()),
            (9, _) => Response::Full,
            (10, _) => Response::Cookie(script.array()),
            _ => Response::Ok,
        }
    }

    fn page(&mut self, script: &mut Script<'_>) -> Page {
        let mut versions = [script.number(), script.number(), script.number()];
        if !script.one_in(16) {
            versions.sort_unstable();
        }
        let [after, reached, current] = versions;
        let mut changes = Vec::new();
        for _ in 0..script.below(4) {
            changes.push(match script.below(3) {
                0 => Change::Gone(self.gone(script)),
                _ => Change::Present(self.listed(script)),
            });
        }
        Page { after, reached, current, changes }
    }

    /// Somebody is listed, with what they signed, perhaps somewhere else, perhaps as somebody else.
    fn listed(&mut self, script: &mut Script<'_>) -> Listed {
        let who = script.below(self.members.len());
        let beacon = self.beacon(who, script);
        let member = &self.members[who];
        let mut listed = member.entry.clone();
        if script.one_in(2) {
            listed.sealed = member.seal_beacon(&beacon);
        }
        match script.below(8) {
            0 => listed.handle = Handle(script.number()),
            1 => listed.sealed = Sealed(Arc::new([script.u8(); SEALED])),
            2 | 3 => listed.seen = script.pick(&ADDRS),
            _ => {}
        }
        self.oracle.named(listed.seen);
        // It may be somebody else's beacon.
        (0..self.members.len()).for_each(|who| self.introduce(who));
        listed
    }

    fn gone(&mut self, script: &mut Script<'_>) -> Gone {
        let who = script.below(self.members.len());
        let beacon = self.beacon(who, script);
        let member = &self.members[who];
        let handle = if script.one_in(8) { Handle(script.number()) } else { member.entry.handle };
        let how = match script.below(5) {
            0 | 1 => Departure::Timeout,
            2 => Departure::Replaced,
            3 => Departure::Quit(member.seal_beacon(&beacon)),
            _ => {
                let farewell = member.signed("gone", 99, true, Vec::new());
                Departure::Quit(member.seal_beacon(&farewell))
            }
        };
        Gone { handle, how }
    }

    /// Somebody types.
    pub(super) fn typed(&mut self, script: &mut Script<'_>) {
        match script.below(8) {
            0 => {
                let len = script.below(64);
                let line = String::from_utf8_lossy(script.bytes(len)).into_owned();
                self.feed(Input::Line(&line));
            }
            1 => {
                let text = "word ".repeat(script.below(256) * 4);
                self.feed(Input::Command(Command::Say { text: &text, action: false, to: None }));
            }
            2 => {
                let count = script.below(70);
                (0..count).for_each(|_| self.feed(Input::Line("again")));
            }
            3 => {
                let id = self.members[script.below(3)].insider.id().to_string();
                let to = Some(Whom::read(&id[..script.below(14)]));
                self.feed(Input::Command(Command::Say { text: "to one", action: false, to }));
            }
            5 => self.feed(Input::Full(script.one_in(2))),
            6 if script.one_in(2) => {
                let readers: Vec<PeerId> = (0..script.below(4))
                    .map(|_| self.members[script.below(3)].insider.id())
                    .collect();
                let (text, readers) = ("again to some", readers.as_slice());
                self.feed(Input::Command(Command::Again { text, action: false, readers }));
            }
            4 if script.one_in(8) => self.feed(Input::Line("/quit")),
            _ => self.feed(Input::Line(script.pick(&LINES))),
        }
    }
}
