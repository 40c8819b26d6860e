//! Somebody who attacks real processes over real sockets. The addresses of the loopback are as many
//! sources as a test wants: each attacker is at 127.0.0.`ip`.
//!
//! Without a session they are an outsider. With the room's secret, which the insider in them knows, they
//! shake hands and are a member, who says and answers whatever the test wants.

#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chatrpc::machine::wire::{
    Asked, Change, Cookie, Datagram, Packet, Request, Response, kind, put_header, put_request,
    put_response,
};
use chatrpc::machine::{
    COOKIE, Farewell, Identity, Noise, PeerId, PublicKey, SEALED, Sealed, Signed, Tag,
};

use crate::insider::{Insider, Pending, Session, index_of, room, with_cookie};

/// How long an answer may take.
const SOON: Duration = ms(500);

/// Datagrams of their own that attackers remember.
const KEPT: usize = 8;

pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// How long an attack goes on: until whoever watches has seen enough, and never for longer than that.
pub struct Span {
    over: AtomicBool,
    until: Instant,
}

impl Span {
    pub fn of(most: Duration) -> Self {
        Self { over: AtomicBool::new(false), until: Instant::now() + most }
    }

    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub fn goes_on(&self) -> bool {
        !self.over.load(Ordering::SeqCst) && Instant::now() < self.until
    }

    /// Nothing but time passes until the attack is over.
    pub fn rest(&self) {
        while self.goes_on() {
            thread::sleep(ms(10));
        }
    }

    /// Does something so many times a second, as near as the computer can, and returns how often.
    pub fn at_rate(&self, per_second: u64, mut act: impl FnMut(u64)) -> u64 {
        let (start, mut count) = (Instant::now(), 0);
        while self.goes_on() {
            let due = u64::try_from(start.elapsed().as_micros()).unwrap() * per_second / 1_000_000;
            // Who was not let run for long does not catch up with all of it at once.
            (count..due.min(count + 64)).for_each(&mut act);
            count = due;
            thread::sleep(ms(1));
        }
        count
    }
}

/// A process of the room, as members find it at the nodeset.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub key: PublicKey,
    pub incarnation: u64,
    pub id: PeerId,
    pub at: SocketAddr,
}

/// Whoever attacks, and what it takes and draws.
pub struct Attacker {
    pub socket: UdpSocket,
    pub me: Insider,
    /// With whom there is a session.
    pub member: Option<(Target, Session)>,
    seq: u32,
    started: Instant,
    /// What peers want to see before they look at a first message from here.
    cookies: BTreeMap<SocketAddr, Vec<u8>>,
    /// The greatest receipt for what was said.
    pub next: u64,
    /// Bytes sent, and bytes received.
    pub paid: usize,
    pub drawn: usize,
    /// The first datagrams that were sent, for whoever wants to repeat them.
    pub sent: Vec<Vec<u8>>,
}

impl Attacker {
    /// Person number `n` at 127.0.0.`ip`.
    pub fn at(ip: u8, n: u32) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, ip), 0)).unwrap();
        let mut key = [6; 32];
        key[..4].copy_from_slice(&n.to_be_bytes());
        let me = Insider::with(Identity::new(&key), 1_000_000 + u64::from(n));
        let (member, cookies, sent) = (None, BTreeMap::new(), Vec::new());
        let (started, seq, next, paid, drawn) = (Instant::now(), 1, 0, 0, 0);
        Self { socket, me, member, seq, started, cookies, next, paid, drawn, sent }
    }

    /// Person number `n`, who has shaken hands with somebody and greeted them.
    pub fn joined(ip: u8, n: u32, target: Target) -> Self {
        let mut attacker = Self::at(ip, n);
        assert!(attacker.shake(target), "nobody answers");
        attacker.greet(&format!("mallory {n}"));
        attacker.live(ms(50), |request| Some(request.done()));
        attacker
    }

    pub fn stamp(&self) -> u32 {
        (self.started.elapsed().as_micros() as u32).max(1)
    }

    pub fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        if self.sent.len() < KEPT {
            self.sent.push(bytes.to_vec());
        }
        // A buffer that is full is a lost datagram.
        self.paid += self.socket.send_to(bytes, to).unwrap_or(0);
    }

    /// The next datagram, if one comes so soon.
    pub fn hear(&mut self, wait: Duration) -> Option<(SocketAddr, Vec<u8>)> {
        self.socket.set_nonblocking(wait.is_zero()).unwrap();
        self.socket.set_read_timeout(Some(wait.max(ms(1)))).unwrap();
        let mut bytes = [0; 2048];
        let (len, from) = self.socket.recv_from(&mut bytes).ok()?;
        self.drawn += len;
        let bytes = bytes[..len].to_vec();
        if len == COOKIE && bytes[0] == kind::COOKIE {
            self.cookies.insert(from, bytes.clone());
        }
        Some((from, bytes))
    }

    /// Takes whatever has come.
    pub fn drain(&mut self) {
        while self.hear(Duration::ZERO).is_some() {}
    }

    // ---- In the open, with a nodeset ----

    /// A datagram in the open with these packets.
    pub fn clear(&self, packets: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_header(&mut bytes, self.me.incarnation, 0, self.stamp(), 0);
        packets(&mut bytes);
        bytes
    }

    /// Asks a nodeset something until it answers, with the cookie it wants.
    pub fn ask(
        &mut self,
        nodeset: SocketAddr,
        asked: Asked,
        request: impl Fn(Cookie) -> Request<'static>,
    ) -> Option<Response> {
        let mut cookie = [0; 8];
        for _ in 0..6 {
            match self.ask_once(nodeset, asked, &request(cookie)) {
                Some(Response::Cookie(new)) => cookie = new,
                None => {}
                answer => return answer,
            }
        }
        None
    }

    /// What a nodeset wants to see from this address before it answers.
    pub fn cookie(&mut self, nodeset: SocketAddr) -> Cookie {
        let request = Request::Who { cookie: [0; 8], tag: room().tag(), have: 0, most: 1200 };
        match self.ask_once(nodeset, Asked::Who, &request) {
            Some(Response::Cookie(cookie)) => cookie,
            other => panic!("no cookie but {other:?}"),
        }
    }

    fn ask_once(
        &mut self,
        nodeset: SocketAddr,
        asked: Asked,
        request: &Request<'_>,
    ) -> Option<Response> {
        self.seq += 1;
        let bytes = self.clear(|out| put_request(out, self.seq, request));
        self.send(nodeset, &bytes);
        let end = Instant::now() + SOON;
        while let Some((_, bytes)) = self.hear(end - Instant::now().min(end)) {
            if let Some(answer) = self.answer_in(&bytes, asked) {
                return Some(answer);
            }
        }
        None
    }

    /// The answer to what was asked last.
    fn answer_in(&self, bytes: &[u8], asked: Asked) -> Option<Response> {
        Datagram::decode(bytes).ok()?.packets().find_map(|packet| match packet {
            Packet::Response { seq, payload } if seq == self.seq => {
                Response::decode(asked, payload).ok()
            }
            _ => None,
        })
    }

    /// Takes a lease, for noise or for somebody.
    pub fn register(&mut self, nodeset: SocketAddr, tag: Tag, token: u64, sealed: &Sealed) -> bool {
        let answer = self.ask(nodeset, Asked::Register, |cookie| {
            let sealed = sealed.clone();
            Request::Register { cookie, tag, have: 0, most: 1200, token, n: 0, sealed }
        });
        matches!(answer, Some(Response::Lease { .. }))
    }

    /// Who of that name the nodeset lists.
    pub fn find(&mut self, nodeset: SocketAddr, name: &str) -> Target {
        let (tag, mut have) = (room().tag(), 0);
        loop {
            let answer = self.ask(nodeset, Asked::Who, |cookie| Request::Who {
                cookie,
                tag,
                have,
                most: 1200,
            });
            let Some(Response::Page(page)) = answer else { panic!("no page but {answer:?}") };
            for change in page.changes {
                let Change::Present(listed) = change else { continue };
                let Some(Signed { beacon, .. }) = listed.sealed.open(&Noise, &room()) else {
                    continue;
                };
                if beacon.name.as_str() == name {
                    let (key, incarnation, id) = (beacon.key, beacon.incarnation, beacon.id);
                    return Target { key, incarnation, id, at: listed.seen };
                }
            }
            assert!(page.reached < page.current, "{name} is not listed");
            have = page.reached;
        }
    }

    /// Answers the announcements that have come, as a member does.
    pub fn heed(&mut self, nodeset: SocketAddr) {
        while let Some((_, bytes)) = self.hear(Duration::ZERO) {
            let Ok(datagram) = Datagram::decode(&bytes) else { continue };
            for packet in datagram.packets() {
                if let Packet::Request { seq, request } = packet {
                    let answer = self.clear(|out| put_response(out, seq, &request.done()));
                    self.send(nodeset, &answer);
                }
            }
        }
    }

    // ---- As a member ----

    /// A first message to somebody, with the cookie they want to see.
    pub fn first_message(&mut self, target: Target) -> (Vec<u8>, Pending) {
        let (init, pending) = self.me.init((target.key, target.incarnation));
        (self.showing(init, target.at), pending)
    }

    /// A first message, whoever made it, with the cookie that was given for it here.
    pub fn showing(&self, init: Vec<u8>, to: SocketAddr) -> Vec<u8> {
        let cookie = self.cookies.get(&to);
        cookie.and_then(|cookie| with_cookie(&init, cookie)).unwrap_or(init)
    }

    /// Shakes hands with somebody; false when they do not answer.
    pub fn shake(&mut self, target: Target) -> bool {
        for _ in 0..20 {
            let (init, mut pending) = self.first_message(target);
            self.send(target.at, &init);
            let end = Instant::now() + SOON;
            while let Some((_, bytes)) = self.hear(end - Instant::now().min(end)) {
                if index_of(&bytes) == Some(pending.index) && bytes.len() == COOKIE {
                    break;
                }
                if let Some(session) = pending.finish(&bytes) {
                    self.member = Some((target, session));
                    self.tell(&[]);
                    return true;
                }
            }
        }
        false
    }

    /// Sends these requests in one sealed datagram.
    pub fn tell(&mut self, requests: &[Request<'_>]) {
        let stamp = self.stamp();
        let (target, session) = self.member.as_mut().expect("a session");
        let seq = &mut self.seq;
        let bytes = session.seal(stamp, |out| {
            for request in requests {
                *seq = seq.wrapping_add(1);
                put_request(out, *seq, request);
            }
        });
        let to = target.at;
        self.send(to, &bytes);
    }

    /// Says hello under a name.
    pub fn greet(&mut self, name: &str) {
        let beacon = self.me.signed(name, 0, Vec::new());
        self.tell(&[Request::Hello { stream: 9, start: 0, given_up: 0, entries: 1, beacon }]);
    }

    /// For so long, answers whatever it is asked like this, or not at all.
    pub fn live(
        &mut self,
        span: Duration,
        mut answer: impl FnMut(&Request<'_>) -> Option<Response>,
    ) {
        let end = Instant::now() + span;
        while let Some((_, bytes)) = self.hear(end - Instant::now().min(end)) {
            let _ = self.read(&bytes, &mut answer);
        }
    }

    /// Reads what somebody sealed: receipts, and what is asked, which is answered.
    fn read(
        &mut self,
        bytes: &[u8],
        answer: &mut impl FnMut(&Request<'_>) -> Option<Response>,
    ) -> Option<()> {
        let (stamp, next) = (self.stamp(), &mut self.next);
        let (target, session) = self.member.as_mut()?;
        let text = session.open(bytes)?;
        let datagram = Datagram::decode_sealed(target.id, &text).ok()?;
        let mut answers = Vec::new();
        for packet in datagram.packets() {
            match packet {
                Packet::Request { seq, request } => {
                    answers.extend(answer(&request).map(|answer| (seq, answer)));
                }
                Packet::Response { payload, .. } => {
                    if let Ok(Response::Next { next: new, .. }) =
                        Response::decode(Asked::Say, payload)
                    {
                        *next = new.max(*next);
                    }
                }
            }
        }
        let to = (!answers.is_empty()).then_some(target.at)?;
        let bytes = session.seal_echoing(stamp, datagram.stamp, |out| {
            answers.iter().for_each(|(seq, answer)| put_response(out, *seq, answer));
        });
        self.send(to, &bytes);
        Some(())
    }
}

/// What nobody can open.
pub fn noise(luck: u8) -> Sealed {
    Sealed(Arc::new([luck; SEALED]))
}

/// The token of the lease of one of a crowd.
pub fn lease(n: u32) -> u64 {
    farewell(n).token()
}

fn farewell(n: u32) -> Farewell {
    Farewell(u128::from(n).to_be_bytes())
}

/// What ends that lease.
pub fn goodbye(tag: Tag, n: u32) -> Request<'static> {
    Request::Deregister { tag, farewell: farewell(n), sealed: noise(7) }
}

/// What whoever has seen a token could try to end its lease with.
pub fn goodbyes_for(tag: Tag, token: u64) -> Vec<Request<'static>> {
    let token = u128::from(token);
    let guesses = [token, token << 64, token << 64 | token];
    let leave = |guess: u128| {
        let farewell = Farewell(guess.to_be_bytes());
        Request::Deregister { tag, farewell, sealed: noise(7) }
    };
    guesses.map(leave).into()
}
