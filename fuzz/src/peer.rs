//! A peer, three members of its room, and a nodeset, all of whom say anything they like: sealed packets
//! of every kind in any order and from any address, repeated and misdirected datagrams, handshakes,
//! pages and announcements that are not true; meanwhile somebody types, and time passes.
//!
//! Members and nodeset begin honestly, so that a script starts where a room is.

mod mouth;
mod oracle;
mod people;

use std::collections::VecDeque;
use std::net::SocketAddr;

use chatrpc::machine::wire::{Datagram, Packet, Request, Response, kind, put_response};
use chatrpc::machine::{Command, Exit, Input, Machine, Peer};

use self::oracle::Oracle;
use self::people::{ADDRS, Member, NODESET, Question, config, peer_id};
use super::owner::{Outcome, feed, poll};
use super::script::Script;

/// So much happens at most.
const STEPS_MAX: usize = 64;

/// Datagrams that are on their way at most; more are lost.
const WIRE_MAX: usize = 64;

/// How long leaving waits for what is undelivered, and then for goodbyes: `PARTING_MAX` of the machine.
const DRAIN_MS: u64 = 5_000;
const PARTING_MS: u64 = 300;

/// The peer and everybody it deals with.
struct Town {
    now: u64,
    peer: Peer,
    exit: Option<Exit>,
    members: Vec<Member>,
    /// What the nodeset was asked, newest last.
    asked: VecDeque<(u32, Question)>,
    /// How often the nodeset has asked something.
    announced: u32,
    /// What the peer has sent and nobody has taken.
    wire: VecDeque<(SocketAddr, Vec<u8>)>,
    /// What the peer was sent lately, and what it sent.
    seen: VecDeque<Vec<u8>>,
    oracle: Oracle,
}

/// Plays a script.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let mut town = Town::new();
    match script.below(8) {
        0..=4 => town.enter(true),
        5 | 6 => town.enter(false),
        _ => town.feed(Input::Tick),
    }
    for _ in 0..STEPS_MAX {
        if script.is_over() || town.exit.is_some() {
            break;
        }
        town.step(&mut script);
    }
    town.leave();
}

impl Town {
    fn new() -> Self {
        Self {
            now: 1_000_000,
            peer: Peer::new(config(DRAIN_MS)),
            exit: None,
            members: (0..3).map(Member::new).collect(),
            asked: VecDeque::new(),
            announced: 0,
            wire: VecDeque::new(),
            seen: VecDeque::new(),
            oracle: Oracle::new(),
        }
    }

    /// The peer joins, in an empty room or with everybody there.
    fn enter(&mut self, with_members: bool) {
        if !with_members {
            self.members.iter_mut().for_each(|member| member.listed = false);
        }
        self.feed(Input::Tick);
        self.settle();
        assert!(self.oracle.is_in(), "nobody lies yet");
        for (at, from) in ADDRS.into_iter().enumerate().take(self.members.len()) {
            if !with_members {
                self.shake(at, from);
                self.settle();
            }
            let member = &mut self.members[at];
            let (addr, bytes) = (member.addr, member.hello(self.now));
            self.say(addr, bytes, false);
            self.settle();
        }
    }

    /// Everybody answers honestly until nothing is on its way.
    fn settle(&mut self) {
        for _ in 0..200 {
            let Some((to, bytes)) = self.wire.pop_front() else { return };
            self.now += 1_000;
            self.honest(to, &bytes, to);
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.below(16) {
            0..=4 => {
                let (from, bytes, answers) = self.sealed(script);
                self.say(from, bytes, answers);
            }
            5 | 6 => {
                let (from, bytes) = self.nodeset(script);
                self.say(from, bytes, false);
            }
            7..=9 => (0..=script.below(8)).for_each(|_| self.carry(script)),
            10 => {
                self.now = self.now.saturating_add(span(script));
                self.feed(Input::Tick);
            }
            11 => (0..=script.below(16)).for_each(|_| self.wake()),
            12 => self.typed(script),
            13 => self.again(script),
            14 => match script.below(8) {
                0..=3 => {
                    let (who, at) = (script.below(self.members.len()), script.below(ADDRS.len()));
                    if script.one_in(4) {
                        self.members[who].restart();
                    }
                    self.shake(who, ADDRS[at]);
                }
                4 => self.feed(Input::Unreachable(script.pick(&ADDRS))),
                5 => self.feed(Input::Unreachable(NODESET)),
                6 => self.crowd(script.below(200)),
                _ => {
                    let (len, from) = (script.below(200), script.pick(&ADDRS));
                    let bytes = script.bytes(len).to_vec();
                    // Only a nodeset can be understood without a seal.
                    let clear = bytes.first() == Some(&kind::CLEAR) && from == NODESET;
                    self.say_in_vain(from, bytes, !clear);
                }
            },
            _ => self.settle(),
        }
    }

    /// What happens to the next datagram of the peer's.
    fn carry(&mut self, script: &mut Script<'_>) {
        let Some((to, bytes)) = self.wire.pop_front() else { return };
        self.now += 1_000;
        match script.below(8) {
            0..=2 => self.honest(to, &bytes, to),
            // It is heard, and not answered; or lost; or comes back; or is answered from elsewhere.
            3 => self.note(&bytes),
            4 => {}
            5 => self.say(to, bytes, false),
            6 => {
                self.honest(to, &bytes, to);
                self.honest(to, &bytes, to);
            }
            _ => self.honest(to, &bytes, script.pick(&ADDRS)),
        }
    }

    /// Somebody answers as they should, from some address.
    fn honest(&mut self, to: SocketAddr, bytes: &[u8], from: SocketAddr) {
        match bytes.first() {
            Some(&(kind::CLEAR | kind::PROVEN)) if to == NODESET => {
                let Ok(datagram) = Datagram::decode(bytes) else { return };
                let mut packets = Vec::new();
                for packet in datagram.packets() {
                    let Packet::Request { seq, request } = packet else { continue };
                    self.asked.push_back((seq, Question::of(&request)));
                    let answer = self.truth(&request);
                    put_response(&mut packets, seq, &answer);
                }
                self.asked.truncate(32);
                let answer = self.of_nodeset(500, datagram.stamp, &packets);
                self.say(from, answer, true);
            }
            Some(&kind::INIT) => {
                let answers = self.members.iter_mut().find_map(|member| member.take_init(bytes));
                if let Some(resp) = answers {
                    self.say(from, resp, true);
                }
            }
            Some(&kind::RESP) => {
                let now = self.now;
                let mut members = self.members.iter_mut();
                let confirmed = members.find_map(|member| member.take_resp(now, bytes));
                if let Some(confirmation) = confirmed {
                    self.say(from, confirmation, true);
                }
            }
            Some(&kind::COOKIE) => {
                let mut members = self.members.iter();
                if let Some(init) = members.find_map(|member| member.take_cookie(bytes)) {
                    self.say(from, init, false);
                }
            }
            Some(&kind::DATA) => {
                let id = peer_id();
                let opened = self
                    .members
                    .iter()
                    .enumerate()
                    .find_map(|(who, member)| member.open(bytes).map(|text| (who, text)));
                let Some((who, text)) = opened else { return };
                let datagram = Datagram::decode_sealed(id, &text).expect("a peer seals packets");
                let mut packets = Vec::new();
                for packet in datagram.packets() {
                    let Packet::Request { seq, request } = packet else { continue };
                    self.members[who].note(seq, &request);
                    let answer = match request {
                        Request::Say { position, .. } => {
                            Response::Next { next: position + 1, held: 0 }
                        }
                        _ => Response::Ok,
                    };
                    put_response(&mut packets, seq, &answer);
                }
                if !packets.is_empty() {
                    let answer = self.members[who].seal(self.now, datagram.stamp, &packets);
                    if let Some(answer) = answer {
                        self.say(from, answer, true);
                    }
                }
            }
            _ => {}
        }
    }

    /// Somebody reads a datagram, and says nothing.
    fn note(&mut self, bytes: &[u8]) {
        if let Ok(datagram) = Datagram::decode(bytes) {
            for packet in datagram.packets() {
                if let Packet::Request { seq, request } = packet {
                    self.asked.push_back((seq, Question::of(&request)));
                }
            }
            return;
        }
        for member in &mut self.members {
            let Some(text) = member.open(bytes) else { continue };
            let Ok(datagram) = Datagram::decode_sealed(peer_id(), &text) else { continue };
            for packet in datagram.packets() {
                if let Packet::Request { seq, request } = packet {
                    member.note(seq, &request);
                }
            }
        }
    }

    /// A member begins a handshake.
    fn shake(&mut self, who: usize, from: SocketAddr) {
        let bytes = self.members[who].init();
        self.say(from, bytes, false);
    }

    /// So many processes of one key shake hands at once.
    fn crowd(&mut self, count: usize) {
        for n in 0..count {
            let (from, bytes) = (ADDRS[n % ADDRS.len()], self.members[0].stranger(n as u64));
            self.oracle.heard(from, bytes.len(), false);
            let input = Input::Datagram { from, at: None, bytes: &bytes };
            let outcome = poll(&mut self.peer, self.now, input, |event| self.oracle.shown(event));
            self.take(outcome);
        }
        self.feed(Input::Tick);
    }

    /// Something that was said before is said again, perhaps from elsewhere, perhaps spoilt.
    fn again(&mut self, script: &mut Script<'_>) {
        let place = script.below(self.seen.len());
        let Some(bytes) = self.seen.get(place) else { return };
        let mut bytes = bytes.clone();
        match script.below(6) {
            0 => {
                let at = script.below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << script.below(8);
                }
            }
            1 => bytes.truncate(script.below(bytes.len())),
            _ => {}
        }
        let sealed = bytes.first() == Some(&kind::DATA);
        self.say_in_vain(script.pick(&ADDRS), bytes, sealed);
    }

    /// A datagram reaches the peer, of which nothing may come if it is `vain`: repeated, or noise.
    fn say_in_vain(&mut self, from: SocketAddr, bytes: Vec<u8>, vain: bool) {
        // What is due is due without it.
        self.feed(Input::Tick);
        let before = (self.peer.digest(), self.peer.next_wake(), self.wire.len());
        self.say(from, bytes, false);
        let after = (self.peer.digest(), self.peer.next_wake(), self.wire.len());
        assert!(!vain || before == after, "{before:?} became {after:?}");
    }

    /// A datagram reaches the peer. `answers` says whether it may hold an answer of whoever is there.
    fn say(&mut self, from: SocketAddr, bytes: Vec<u8>, answers: bool) {
        self.oracle.heard(from, bytes.len(), answers);
        self.feed(Input::Datagram { from, at: None, bytes: &bytes });
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: Vec<u8>) {
        self.seen.push_back(bytes);
        if self.seen.len() > 32 {
            self.seen.pop_front();
        }
    }

    fn wake(&mut self) {
        let Some(wake) = self.peer.next_wake().filter(|_| self.exit.is_none()) else { return };
        self.now = self.now.max(wake.at.as_micros());
        self.feed(Input::Tick);
    }

    fn feed(&mut self, input: Input<'_>) {
        if self.exit.is_some() {
            return;
        }
        let Self { peer, oracle, now, .. } = self;
        let outcome = feed(peer, *now, input, |event| oracle.shown(event));
        self.take(outcome);
    }

    fn take(&mut self, outcome: Outcome) {
        self.oracle.sent(self.now, &outcome.sent);
        for (to, bytes) in outcome.sent {
            if self.wire.len() < WIRE_MAX {
                self.wire.push_back((to, bytes));
            }
        }
        self.exit = outcome.exit;
    }

    /// The peer leaves: within its time, whatever was said.
    fn leave(&mut self) {
        self.feed(Input::Command(Command::Quit));
        let latest = self.now.saturating_add((DRAIN_MS + PARTING_MS + 1) * 1_000);
        while self.exit.is_none() {
            let wake = self.peer.next_wake().expect("something is due");
            let at = wake.at.as_micros();
            assert!(at <= latest, "leaving waits for {} at {}", wake.why, wake.at);
            self.now = at;
            self.feed(Input::Tick);
        }
        assert!(self.peer.next_wake().is_none(), "it is over");
    }
}

/// How much time passes, in µs: around what a peer waits for, or anything.
fn span(script: &mut Script<'_>) -> u64 {
    let ms = match script.below(12) {
        0 => 0,
        1 => 1,
        2 => 70,
        3 => 250,
        4 => 1_000,
        5 => 2_300,
        6 => 10_001,
        7 => 15_000,
        8 => 60_000,
        9 => 120_000,
        10 => 181_000,
        _ => script.number() % (1 << 44),
    };
    ms * 1_000
}
