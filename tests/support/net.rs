//! A nodeset and peers on a small network, and what a test may say in anybody's name.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::expect_used)]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use chatrpc::machine::suite::Suite;
use chatrpc::machine::wire::{
    Asked, Datagram, Listed, Packet, Request, Response, put_header, put_request,
};
use chatrpc::machine::{
    Action, Farewell, Identity, Incarnation, Input, Lan, Machine, Name, Noise, Peer, PeerConfig,
    Registry, RegistryConfig, SEALED, Sealed, Seed, Tag, Time, drain,
};

use crate::insider::{Insider, Session, room};

pub const NODESET: &str = "10.0.0.1:1";
pub const ALICE: &str = "10.0.0.2:1";
pub const BOB: &str = "10.0.0.3:1";
pub const MALLORY: &str = "10.0.6.6:6";

pub fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A nodeset and peers on a network of 10 ms that loses what a test wants lost.
pub struct Net {
    pub now: u64,
    pub nodeset: Registry,
    pub peers: Vec<(SocketAddr, Peer, Vec<String>)>,
    pub wire: BTreeMap<(u64, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    pub sent: u64,
    /// The number of the nodeset's newest request to Alice.
    pub asked: u32,
    /// The tokens that pass in the open.
    pub tokens: BTreeMap<SocketAddr, u64>,
    /// The peers' invariants are checked after every so many inputs, and how many there were.
    pub check_every: u64,
    fed: u64,
    /// How those who join seal things, and which addresses they name.
    pub suite: &'static dyn Suite,
    pub addrs: Vec<SocketAddr>,
    /// What they do on the networks around them.
    pub lan: Lan,
    /// What a router makes of a datagram: what arrives, from where, and where.
    pub router: Option<Router>,
}

/// Where from, where to, and what.
pub type Carried = (SocketAddr, SocketAddr, Vec<u8>);

/// What becomes of a datagram on its way, at that instant.
pub type Router = Box<dyn FnMut(u64, Carried) -> Vec<Carried>>;

impl Net {
    /// Alice has incarnation 1000 and Bob 1001, the nodeset 500.
    pub fn with(names: &[(&str, &str)]) -> Self {
        let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 1024);
        let nodeset = Registry::new(config);
        let (peers, wire) = (Vec::new(), BTreeMap::new());
        let mut net = Self {
            now: 1_000_000,
            nodeset,
            peers,
            wire,
            sent: 0,
            asked: 0,
            tokens: BTreeMap::new(),
            check_every: 1,
            fed: 0,
            suite: &Noise,
            addrs: Vec::new(),
            lan: Lan::Off,
            router: None,
        };
        for (name, at) in names {
            net.join(name, at);
        }
        net.run(5, |_, _, _| false);
        net
    }

    pub fn join(&mut self, name: &str, at: &str) -> usize {
        let n = self.peers.len();
        let (seed, name) = (Seed([n as u8 + 20; 32]), Name::parse(name).expect("a name"));
        let (incarnation, identity) = (Incarnation::at(1000 + n as u64), self.identity(n));
        let mut config = PeerConfig::new(seed, incarnation, identity, room(), name, addr(NODESET));
        (config.suite, config.addrs, config.lan) = (self.suite, self.addrs.clone(), self.lan);
        let peer = Peer::new(config);
        self.peers.push((addr(at), peer, Vec::new()));
        self.feed(n, Input::Tick);
        n
    }

    pub fn feed(&mut self, n: usize, input: Input<'_>) {
        let Self { now, peers, wire, sent, tokens, fed, check_every, .. } = self;
        let (from, peer, seen) = &mut peers[n];
        drain(peer, Time::from_micros(*now), input, |action| match action {
            Action::Send { to, bytes, .. } => {
                *sent += 1;
                for packet in Datagram::decode(bytes).iter().flat_map(Datagram::packets) {
                    if let Packet::Request { request: Request::Register { token, .. }, .. } = packet
                    {
                        tokens.insert(*from, token);
                    }
                }
                wire.insert((*now + 10_000, *sent), (*from, to, bytes.to_vec()));
            }
            other => seen.push(format!("{other:?}")),
        });
        *fed += 1;
        if fed.is_multiple_of(*check_every) {
            peer.check();
        }
    }

    pub fn feed_nodeset(&mut self, input: Input<'_>) {
        let Self { now, nodeset, wire, sent, asked, .. } = self;
        drain(nodeset, Time::from_micros(*now), input, |action| {
            if let Action::Send { to, bytes, .. } = action {
                *sent += 1;
                let datagram = Datagram::decode(bytes).expect("the nodeset speaks in the open");
                for packet in datagram.packets().filter(|_| to == addr(ALICE)) {
                    if let Packet::Request { seq, .. } = packet {
                        *asked = seq;
                    }
                }
                wire.insert((*now + 10_000, *sent), (addr(NODESET), to, bytes.to_vec()));
            }
        });
    }

    /// Mallory sends something to a peer.
    pub fn forge(&mut self, n: usize, from: &str, bytes: &[u8]) {
        self.feed(n, Input::Datagram { from: addr(from), at: None, bytes });
    }

    pub fn run(&mut self, secs: u64, mut lost: impl FnMut(SocketAddr, SocketAddr, &[u8]) -> bool) {
        let until = self.now + secs * 1_000_000;
        loop {
            let arrives = self.wire.keys().next().map(|&(at, _)| at);
            let machines = self.peers.iter().map(|(_, peer, _)| peer.next_wake());
            let wakes = machines.chain([self.nodeset.next_wake()]).flatten();
            let next = wakes.map(|wake| wake.at.as_micros()).chain(arrives).min();
            self.now = next.map_or(until, |next| next.clamp(self.now, until));
            if next.is_none_or(|next| next > until) {
                return;
            }
            while let Some((&key, _)) = self.wire.first_key_value().filter(|(k, _)| k.0 <= self.now)
            {
                let carried = self.wire.remove(&key).expect("it is on its way");
                let arrived = match &mut self.router {
                    Some(router) => router(self.now, carried),
                    None => vec![carried],
                };
                for (from, to, bytes) in arrived {
                    let input = Input::Datagram { from, at: None, bytes: &bytes };
                    let to_peer = self.peers.iter().position(|&(at, ..)| at == to);
                    match to_peer {
                        _ if lost(from, to, &bytes) => {}
                        Some(n) => self.feed(n, input),
                        None if to == addr(NODESET) => self.feed_nodeset(input),
                        None => {}
                    }
                }
            }
            (0..self.peers.len()).for_each(|n| self.feed(n, Input::Tick));
            self.feed_nodeset(Input::Tick);
        }
    }

    pub fn count(&self, n: usize, what: &str) -> usize {
        self.peers[n].2.iter().filter(|line| line.contains(what)).count()
    }

    /// The datagrams on their way to an address.
    pub fn towards(&self, to: &str) -> Vec<Vec<u8>> {
        let to_it = self.wire.values().filter(|(_, dest, _)| *dest == addr(to));
        to_it.map(|(_, _, bytes)| bytes.clone()).collect()
    }

    /// Mallory shakes hands with a peer, who is told nothing else.
    pub fn shake(&mut self, n: usize, from: &str, mallory: &mut Insider) -> Session {
        let to = (self.identity(n).public(), 1000 + n as u64);
        let (init, mut pending) = mallory.init(to);
        self.forge(n, from, &init);
        let answers = self.towards(from);
        answers.iter().find_map(|resp| pending.finish(resp)).expect("an answer")
    }

    /// Bob, saying what he would not.
    pub fn bob(&self) -> Insider {
        let mut bob = Insider::with(self.identity(1), 1001);
        bob.token = self.tokens[&addr(BOB)];
        bob
    }

    pub fn identity(&self, n: usize) -> Identity {
        Identity::new(&[n as u8 + 20; 32])
    }
}

/// A datagram of the nodeset to Alice.
pub fn of_nodeset(incarnation: u64, stamp: u32, packets: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_header(&mut bytes, incarnation, 1000, stamp, 0);
    packets(&mut bytes);
    bytes
}

pub fn listed(insider: &Insider, name: &str, seen: &str, addrs: Vec<SocketAddr>) -> Listed {
    let (handle, sealed) = insider.sealed(name, addrs);
    Listed { handle, seen: addr(seen), sealed }
}
/// Asks a nodeset something, as it comes on the wire, and reads the answer.
pub fn ask(
    nodeset: &mut Registry,
    now: Time,
    from: SocketAddr,
    asked: Asked,
    request: &Request<'_>,
) -> Option<Response> {
    let mut bytes = Vec::new();
    put_header(&mut bytes, 1, 0, 1, 0);
    put_request(&mut bytes, 7, request);
    let mut answer = None;
    drain(nodeset, now, Input::Datagram { from, at: None, bytes: &bytes }, |action| {
        if let Action::Send { to, bytes, .. } = action
            && to == from
        {
            let datagram = Datagram::decode(bytes).expect("a datagram");
            for packet in datagram.packets() {
                if let Packet::Response { seq: 7, payload } = packet {
                    answer = Response::decode(asked, payload).ok();
                }
            }
        }
    });
    answer
}

pub fn noise() -> Sealed {
    Sealed(std::sync::Arc::new([7; SEALED]))
}

/// What ends the lease of one of a crowd.
pub fn farewell(ip: u8, n: u16) -> Farewell {
    Farewell((u128::from(ip) << 32 | u128::from(n)).to_be_bytes())
}

/// One of a crowd registers noise in a room.
pub fn register(nodeset: &mut Registry, now: Time, ip: u8, n: u16, tag: Tag) -> Option<Response> {
    let from = SocketAddr::from(([10, 0, 1, ip], 1000 + n));
    let token = farewell(ip, n).token();
    let mut request = |cookie| {
        let sealed = noise();
        let request = Request::Register { cookie, tag, have: 0, most: 1200, token, n: 0, sealed };
        ask(nodeset, now, from, Asked::Register, &request)
    };
    match request([0; 8]) {
        Some(Response::Cookie(cookie)) => request(cookie),
        other => other,
    }
}

pub fn is_lease(answer: Option<Response>) -> bool {
    matches!(answer, Some(Response::Lease { .. }))
}
