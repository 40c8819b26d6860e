//! What strangers, members and nodesets may try, and what must not come of it.
//!
//! Each test opens with the attack. They were found by a review of the machines: before the fixes
//! the first four panicked, and the others did what their names deny.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use chatrpc::machine::wire::{
    Change, Datagram, Listed, Packet, Page, Request, Response, put_header, put_request,
    put_response,
};
use chatrpc::machine::{
    Action, Beacon, Input, Machine, Name, Peer, PeerConfig, PeerId, Registry, RegistryConfig, Seed,
    Tag, Time, drain,
};

const NODESET: &str = "10.0.0.1:1";
const ALICE: &str = "10.0.0.2:1";
const BOB: &str = "10.0.0.3:1";
const MALLORY: &str = "10.0.6.6:6";

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A nodeset and peers on a network of 10 ms that loses what a test wants lost.
struct Net {
    now: u64,
    nodeset: Registry,
    peers: Vec<(SocketAddr, Peer, Vec<String>)>,
    wire: BTreeMap<(u64, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    sent: u64,
}

impl Net {
    /// Alice has incarnation 1000 and Bob 1001, the nodeset 500.
    fn with(names: &[(&str, &str)]) -> Self {
        let config = RegistryConfig { seed: Seed([9; 32]), incarnation: 500, members_max: 64 };
        let nodeset = Registry::new(config);
        let mut net =
            Self { now: 1_000_000, nodeset, peers: Vec::new(), wire: BTreeMap::new(), sent: 0 };
        for (name, at) in names {
            net.join(name, at);
        }
        net.run(5, |_, _, _| false);
        net
    }

    fn join(&mut self, name: &str, at: &str) -> usize {
        let n = self.peers.len();
        let peer = Peer::new(PeerConfig {
            seed: Seed([n as u8 + 20; 32]),
            incarnation: 1000 + n as u64,
            name: Name::parse(name).expect("a name"),
            tag: Tag::LOBBY,
            nodeset: addr(NODESET),
            addrs: Vec::new(),
            drain: Duration::from_secs(5),
        });
        self.peers.push((addr(at), peer, Vec::new()));
        self.feed(n, Input::Tick);
        n
    }

    fn feed(&mut self, n: usize, input: Input<'_>) {
        let Self { now, peers, wire, sent, .. } = self;
        let (from, peer, seen) = &mut peers[n];
        drain(peer, Time::from_micros(*now), input, |action| match action {
            Action::Send { to, bytes } => {
                *sent += 1;
                wire.insert((*now + 10_000, *sent), (*from, to, bytes.to_vec()));
            }
            other => seen.push(format!("{other:?}")),
        });
        peer.check();
    }

    fn feed_nodeset(&mut self, input: Input<'_>) {
        let Self { now, nodeset, wire, sent, .. } = self;
        drain(nodeset, Time::from_micros(*now), input, |action| {
            if let Action::Send { to, bytes } = action {
                *sent += 1;
                wire.insert((*now + 10_000, *sent), (addr(NODESET), to, bytes.to_vec()));
            }
        });
    }

    /// Mallory sends something to a peer.
    fn forge(&mut self, n: usize, from: &str, bytes: &[u8]) {
        self.feed(n, Input::Datagram { from: addr(from), bytes });
    }

    fn run(&mut self, secs: u64, mut lost: impl FnMut(SocketAddr, SocketAddr, &[u8]) -> bool) {
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
                let (from, to, bytes) = self.wire.remove(&key).expect("it is on its way");
                let input = Input::Datagram { from, bytes: &bytes };
                let to_peer = self.peers.iter().position(|&(at, ..)| at == to);
                match to_peer {
                    _ if lost(from, to, &bytes) => {}
                    Some(n) => self.feed(n, input),
                    None if to == addr(NODESET) => self.feed_nodeset(input),
                    None => {}
                }
            }
            (0..self.peers.len()).for_each(|n| self.feed(n, Input::Tick));
            self.feed_nodeset(Input::Tick);
        }
    }

    fn count(&self, n: usize, what: &str) -> usize {
        self.peers[n].2.iter().filter(|line| line.contains(what)).count()
    }

    /// The datagrams on their way to an address.
    fn towards(&self, to: &str) -> Vec<Vec<u8>> {
        let to_it = self.wire.values().filter(|(_, dest, _)| *dest == addr(to));
        to_it.map(|(_, _, bytes)| bytes.clone()).collect()
    }

    /// Mallory answers every hello on its way to her, under whatever identity was meant.
    fn answer_hellos(&mut self, n: usize, id_of: impl Fn(u64) -> u64) {
        for bytes in self.towards(MALLORY) {
            let hello = Datagram::decode(&bytes).expect("a datagram");
            for packet in hello.packets() {
                if let Packet::Request { seq, request: Request::Hello { .. } } = packet {
                    let id = PeerId(id_of(hello.receiver));
                    let answer = datagram(hello.receiver, 90, |out| {
                        put_response(out, seq, &Response::Here(id));
                    });
                    self.forge(n, MALLORY, &answer);
                }
            }
        }
    }
}

/// A datagram to Alice.
fn datagram(incarnation: u64, stamp: u32, packets: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_header(&mut bytes, incarnation, 1000, stamp, 0);
    packets(&mut bytes);
    bytes
}

fn beacon(id: PeerId, incarnation: u64, name: &str, addrs: Vec<SocketAddr>) -> Beacon {
    Beacon { id, incarnation, n: 0, name: Name::parse(name).expect("a name"), addrs }
}

fn hello(stamp: u32, beacon: Beacon) -> Vec<u8> {
    datagram(beacon.incarnation, stamp, |out| {
        let tag = Tag::LOBBY;
        let hello = Request::Hello { tag, stream: 9, start: 0, given_up: 0, beacon };
        put_request(out, 5, &hello);
    })
}

fn is_ping(bytes: &[u8]) -> bool {
    let ping = |packet| matches!(packet, Packet::Request { request: Request::Ping, .. });
    Datagram::decode(bytes).is_ok_and(|datagram| datagram.packets().any(ping))
}

/// Lets a nodeset that lists just these people serve Alice for a while.
fn lying_nodeset(listed: &[Listed], secs: u64) {
    let mut net = Net::with(&[]);
    let alice = net.join("alice", ALICE);
    let until = net.now + secs * 1_000_000;
    let mut stamp = 1;
    while net.now < until {
        let asked = net.towards(NODESET);
        net.wire.clear();
        for bytes in asked {
            for packet in Datagram::decode(&bytes).expect("a datagram").packets() {
                let Packet::Request { seq, request } = packet else { continue };
                let changes = listed.iter().cloned().map(Change::Present).collect();
                let page = Page { reached: 5, current: 5, changes };
                let response = match request {
                    Request::Who { .. } => Response::Page(page),
                    _ => Response::Lease { node: 1, token: 1, seen: addr(ALICE), page },
                };
                stamp += 1;
                let answer = datagram(500, stamp, |out| put_response(out, seq, &response));
                net.forge(alice, NODESET, &answer);
            }
        }
        let wake = net.peers[alice].1.next_wake().map(|wake| wake.at.as_micros());
        net.now = wake.unwrap_or(until).max(net.now + 1000);
        net.feed(alice, Input::Tick);
    }
}

#[test]
fn a_nodeset_that_lists_two_of_our_name_at_one_address_is_survived() {
    let twin = |id| {
        let beacon = beacon(PeerId(id), 7, "alice", Vec::new());
        Listed { seen: addr("10.0.0.7:7"), beacon }
    };
    lying_nodeset(&[twin(1), twin(2)], 90);
}

#[test]
fn a_nodeset_that_lists_itself_is_survived() {
    for incarnation in [0, 500] {
        let beacon = beacon(PeerId(1), incarnation, "mallory", vec![addr(NODESET)]);
        lying_nodeset(&[Listed { seen: addr(NODESET), beacon }], 90);
    }
}

#[test]
fn a_namesake_who_says_hello_while_being_probed_is_survived() {
    let mut net = Net::with(&[("alice", BOB)]);
    let namesake = net.peers[0].1.me();
    let victim = net.join("alice", ALICE);
    let mut probed = false;
    for _ in 0..700 {
        let between = |from: SocketAddr, to| [from, to] == [addr(BOB), addr(ALICE)];
        let mut probe = false;
        net.now += 1;
        net.run(0, |from, to, bytes| {
            probe |= between(to, from) && is_ping(bytes);
            between(from, to) || between(to, from)
        });
        if probe && !probed {
            probed = true;
            let mut bytes = Vec::new();
            put_header(&mut bytes, 1000, 1001, 77, 0);
            let beacon = beacon(namesake.id, 1000, "alice", Vec::new());
            let tag = Tag::LOBBY;
            let hello = Request::Hello { tag, stream: 9, start: 0, given_up: 0, beacon };
            put_request(&mut bytes, 5, &hello);
            net.forge(victim, BOB, &bytes);
        }
        net.now += 100_000;
    }
    assert!(probed, "the name was probed");
}

#[test]
fn another_process_of_somebody_among_many_absent_is_survived() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let stranger = |id: u64, incarnation| {
        hello(77, beacon(PeerId(id), incarnation, &format!("m{id}"), Vec::new()))
    };
    for id in 1..=256 {
        net.forge(0, MALLORY, &stranger(id, id));
        net.answer_hellos(0, |incarnation| incarnation);
        net.wire.clear();
    }
    net.run(100, |_, _, _| false);
    assert_eq!(net.count(0, "Left"), 256, "they came and went");
    net.forge(0, MALLORY, &stranger(300, 300));
    net.answer_hellos(0, |incarnation| incarnation);
    net.forge(0, MALLORY, &stranger(300, 100_300));
    net.run(100, |_, _, _| false);
}

#[test]
fn a_lying_nodeset_replaces_nobody_who_answers() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let beacon = beacon(net.peers[1].1.me().id, u64::MAX, "bob", Vec::new());
    let members = vec![Listed { seen: addr(MALLORY), beacon }];
    let lie = datagram(500, 4_000_000, |out| {
        put_request(out, 999, &Request::AddMember { reached: 9, members });
    });
    net.forge(0, NODESET, &lie);
    net.feed(1, Input::Line("I am here"));
    net.run(200, |_, _, _| false);
    assert_eq!((net.count(0, "Left"), net.count(0, "I am here")), (0, 1));
}

#[test]
fn a_stranger_expels_and_renames_nobody() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let bob = net.peers[1].1.me().id;
    let mut renamed = beacon(bob, 1001, "evil", Vec::new());
    renamed.n = 7;
    net.forge(0, MALLORY, &hello(7, renamed));
    let bye = Request::Bye { id: bob, next: 0 };
    net.forge(0, MALLORY, &datagram(1001, 8, |out| put_request(out, 2, &bye)));
    for _ in 0..5 {
        net.feed(1, Input::Line("I am here"));
        net.run(100, |_, _, _| false);
    }
    assert_eq!((net.count(0, "Left"), net.count(0, "Renamed")), (0, 0));
    assert_eq!((net.count(0, "I am here"), net.count(1, "acked: 1")), (5, 5));
}

#[test]
fn many_questions_in_one_datagram_get_one_answer() {
    let mut net = Net::with(&[("alice", ALICE)]);
    net.wire.clear();
    let asked = datagram(77, 7, |out| {
        (0..140).for_each(|seq| put_request(out, seq, &Request::Ping));
    });
    net.forge(0, MALLORY, &asked);
    let answers = net.towards(MALLORY);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].len() <= asked.len(), "{} for {}", answers[0].len(), asked.len());
    let mut to_anybody = asked;
    to_anybody[9..17].fill(0);
    net.wire.clear();
    net.forge(0, MALLORY, &to_anybody);
    assert!(net.wire.is_empty(), "only a nodeset is asked without being named");
}

#[test]
fn a_beacon_aims_nobody_at_its_addresses() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let victims: Vec<SocketAddr> = (1..=4).map(|port| addr(&format!("10.0.5.5:{port}"))).collect();
    net.forge(0, MALLORY, &hello(7, beacon(PeerId(42), 77, "m", victims.clone())));
    net.answer_hellos(0, |_| 42);
    let mut aimed = 0;
    net.run(3600, |_, to, _| {
        aimed += usize::from(victims.contains(&to));
        false
    });
    assert_eq!((net.count(0, "Joined"), aimed), (1, 0));
}

#[test]
fn what_waits_behind_a_lost_ping_is_said() {
    // A ping is open, and lost once, while a hundred lines are pasted: the window fills up behind
    // it, and only its answer makes room again.
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let mut lost = false;
    for _ in 0..2_000 {
        net.now += 10_000;
        net.run(0, |from, _, bytes| {
            let ping = !lost && from == addr(ALICE) && is_ping(bytes);
            lost |= ping;
            ping
        });
        if lost {
            break;
        }
    }
    assert!(lost, "a quiet member is pinged");
    (0..100).for_each(|n| net.feed(0, Input::Line(&format!("line {n}."))));
    net.run(60, |_, _, _| false);
    assert_eq!((net.count(1, "line "), net.count(0, "Done")), (100, 100));
}
