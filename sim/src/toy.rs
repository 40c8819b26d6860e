//! A toy chat of one page, to try the simulator itself on: stop and wait to each reader, heartbeats,
//! a nodeset that lists. It keeps the laws on purpose, and survives loss, copies and reordering.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use chatrpc::machine::{
    Action, Blame, Command, Event, Exit, Input, Machine, MessageId, Name, PeerConfig, PeerId,
    Person, PublicKey, Refusal, RegistryConfig, SafeText, TEXT_MAX, Table, Time, Wake, Why,
};

const BEAT: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_millis(400);
/// The toy knows no keys.
const KEY: PublicKey = PublicKey([0; 32]);

enum Out {
    Send(SocketAddr, Vec<u8>),
    Show(Event<'static>),
    Exit(Exit),
}

fn act(out: &Option<Out>) -> Option<Action<'_>> {
    Some(match out.as_ref()? {
        Out::Send(to, bytes) => Action::Send { to: *to, source: None, ttl: None, bytes },
        Out::Show(event) => Action::Show(event.clone()),
        Out::Exit(exit) => Action::Exit(exit.clone()),
    })
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_be_bytes(word)
}

pub(crate) fn toy_peer(config: PeerConfig) -> (PeerId, Box<dyn Machine>) {
    let id = PeerId(config.seed.stream("id").next_u64());
    let me = Person { id, key: KEY, name: config.name };
    let toy = Toy {
        me,
        nodeset: config.nodesets[0],
        others: Vec::new(),
        ready: false,
        number: 0,
        beat: Time::ZERO,
        out: VecDeque::new(),
        last: None,
    };
    (id, Box::new(toy))
}

pub(crate) fn toy_registry(_: RegistryConfig) -> Box<dyn Machine> {
    Box::new(ToyRegistry::default())
}

struct Other {
    who: Person,
    addr: SocketAddr,
    heard: Time,
    /// Messages on their way: number, body, and the messages' accounts.
    queue: VecDeque<(u64, Vec<u8>)>,
    retry: Time,
    expects: u64,
    sent: u64,
}

struct Toy {
    me: Person,
    nodeset: SocketAddr,
    others: Vec<Other>,
    ready: bool,
    number: u64,
    beat: Time,
    out: VecDeque<Out>,
    last: Option<Out>,
}

impl Toy {
    fn hello(&self) -> Vec<u8> {
        let mut bytes = vec![b'H'];
        bytes.extend(self.me.id.0.to_be_bytes());
        bytes.extend(self.me.name.as_str().as_bytes());
        bytes
    }

    fn say(&mut self, now: Time, text: &str, action: bool) {
        let text = SafeText::new(text);
        let refusal = match text.as_str() {
            _ if !self.ready => Some(Refusal::NotJoined),
            text if text.trim().is_empty() => Some(Refusal::Empty),
            text if text.len() > TEXT_MAX => Some(Refusal::TooLong { bytes: text.len() }),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return self.out.push_back(Out::Show(Event::Refused(refusal)));
        }
        self.number += 1;
        let id = MessageId { author: self.me.id, number: self.number };
        let (text, readers) = (text.into_owned(), self.others.len());
        // A datagram holds 1,200 bytes: the toy sends the beginning and a hash would do the rest.
        for other in &mut self.others {
            let mut body = vec![b'M'];
            body.extend(self.me.id.0.to_be_bytes());
            body.extend(other.sent.to_be_bytes());
            body.extend(self.number.to_be_bytes());
            body.push(u8::from(action));
            body.extend(text.as_str().as_bytes());
            body.truncate(1200);
            other.sent += 1;
            other.queue.push_back((self.number, body));
            other.retry = other.retry.min(now);
        }
        self.out.push_back(Out::Show(Event::Sent { id, text, action, to: None, readers }));
    }

    fn line(&mut self, now: Time, line: &str) {
        match Command::parse(line) {
            Ok(Command::Say { text, action, to: None }) if text.len() < 1000 || !self.ready => {
                self.say(now, text, action);
            }
            Ok(Command::Quit) => {
                self.out.push_back(Out::Show(Event::Leaving { unacked: 0 }));
                let bytes = [&b"Q"[..], &self.me.id.0.to_be_bytes()].concat();
                for addr in self.others.iter().map(|other| other.addr).chain([self.nodeset]) {
                    self.out.push_back(Out::Send(addr, bytes.clone()));
                }
                self.out.push_back(Out::Exit(Exit::Left { undelivered: 0 }));
            }
            _ => self.out.push_back(Out::Show(Event::Help)),
        }
    }

    fn meet(&mut self, now: Time, list: &[u8]) {
        let (mut people, mut rest) = (Vec::new(), &list[1..]);
        while rest.len() >= 11 {
            let (id, host, len) = (word(rest, 0), &rest[8..10], usize::from(rest[10]));
            let name = Name::parse(std::str::from_utf8(&rest[11..11 + len]).unwrap()).unwrap();
            let addr = SocketAddr::from(([10, 1, host[0], host[1]], 4000));
            let who = Person { id: PeerId(id), key: KEY, name };
            rest = &rest[11 + len..];
            if id == self.me.id.0 || self.others.iter().any(|other| other.who.id.0 == id) {
                continue;
            }
            people.push(who.clone());
            let (queue, retry) = (VecDeque::new(), now);
            self.others.push(Other { who, addr, heard: now, queue, retry, expects: 0, sent: 0 });
        }
        if self.ready {
            self.out.extend(people.into_iter().map(|who| Out::Show(Event::Joined(who))));
        } else {
            self.ready = true;
            let (me, addr, nodeset) = (self.me.clone(), self.nodeset, self.nodeset);
            self.out.push_back(Out::Show(Event::Ready {
                me,
                addr,
                nodeset,
                people,
                room: Name::parse("lobby").unwrap(),
                open: false,
            }));
        }
    }

    fn datagram(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) {
        if bytes[0] == b'L' {
            return self.meet(now, bytes);
        }
        let at = self.others.iter().position(|other| other.who.id.0 == word(bytes, 1));
        let Some(at) = at else { return };
        let other = &mut self.others[at];
        other.heard = now;
        let by = other.who.clone();
        match bytes[0] {
            b'M' => {
                let seq = word(bytes, 9);
                if seq > other.expects {
                    return;
                }
                let mut ack = [&b"A"[..], &self.me.id.0.to_be_bytes()].concat();
                ack.extend(&bytes[17..25]);
                self.out.push_back(Out::Send(from, ack));
                if seq == other.expects {
                    other.expects += 1;
                    let id = MessageId { author: by.id, number: word(bytes, 17) };
                    let text = SafeText::new(std::str::from_utf8(&bytes[26..]).unwrap());
                    let (text, action) = (text.into_owned(), bytes[25] == 1);
                    let (private, mention) = (false, false);
                    let shown =
                        Event::Message { id, from: by, text, action, private, mention, past: None };
                    self.out.push_back(Out::Show(shown));
                }
            }
            b'A' => {
                let number = word(bytes, 9);
                if other.queue.front().is_some_and(|(head, _)| *head == number) {
                    other.queue.pop_front();
                    other.retry = now;
                    let id = MessageId { author: self.me.id, number };
                    let rtt = Duration::ZERO;
                    self.out.push_back(Out::Show(Event::Acked { id, by, rtt }));
                    self.settle(number);
                }
            }
            b'Q' => self.lose(at, Why::Quit),
            _ => {}
        }
    }

    fn settle(&mut self, number: u64) {
        let open = |other: &Other| other.queue.iter().any(|(queued, _)| *queued == number);
        if !self.others.iter().any(open) {
            self.out.push_back(Out::Show(Event::Help));
        }
    }

    fn lose(&mut self, at: usize, why: Why) {
        let who = self.others.remove(at).who;
        self.out.push_back(Out::Show(Event::Left { who, why }));
    }

    fn tick(&mut self, now: Time) {
        if self.beat <= now {
            self.beat = now + if self.ready { BEAT } else { RETRY };
            self.out.push_back(Out::Send(self.nodeset, self.hello()));
            let beat = [&b"K"[..], &self.me.id.0.to_be_bytes()].concat();
            for other in &self.others {
                self.out.push_back(Out::Send(other.addr, beat.clone()));
            }
        }
        while let Some(at) = self.others.iter().position(|other| now - other.heard >= LEASE) {
            self.lose(at, Why::Timeout);
        }
        for other in &mut self.others {
            if let Some((_, body)) = other.queue.front().filter(|_| other.retry <= now) {
                other.retry = now + RETRY;
                self.out.push_back(Out::Send(other.addr, body.clone()));
            }
        }
    }
}

impl Machine for Toy {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Datagram { from, bytes, .. } => self.datagram(now, from, bytes),
            Input::Line(line) => self.line(now, line),
            _ => {}
        }
        self.tick(now);
    }

    fn poll(&mut self) -> Option<Action<'_>> {
        self.last = self.out.pop_front();
        act(&self.last)
    }

    fn next_wake(&self) -> Option<Wake> {
        let mut at = self.beat;
        for other in &self.others {
            at = at.min(other.heard + LEASE);
            at = if other.queue.is_empty() { at } else { at.min(other.retry) };
        }
        Some(Wake { at, why: "toy" })
    }

    fn footprint(&self) -> Vec<Table> {
        vec![Table { name: "others", len: self.others.len(), limit: 200 }]
    }

    fn blame(&self) -> Blame {
        Blame::default()
    }

    fn digest(&self) -> u64 {
        self.number
    }

    fn check(&self) {}
}

#[derive(Default)]
struct ToyRegistry {
    members: Vec<(u64, Vec<u8>, SocketAddr, Time)>,
    out: VecDeque<Out>,
    last: Option<Out>,
}

impl Machine for ToyRegistry {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        self.members.retain(|(.., seen)| now - *seen < LEASE);
        let Input::Datagram { from, bytes, .. } = input else { return };
        let id = word(bytes, 1);
        self.members.retain(|&(member, ..)| member != id);
        if bytes[0] != b'H' {
            return;
        }
        self.members.push((id, bytes[9..].to_vec(), from, now));
        let mut list = vec![b'L'];
        for (id, name, addr, _) in &self.members {
            let SocketAddr::V4(addr) = addr else { continue };
            list.extend(id.to_be_bytes());
            list.extend(&addr.ip().octets()[2..]);
            list.push(name.len() as u8);
            list.extend(name);
        }
        self.out.extend(self.members.iter().map(|&(.., to, _)| Out::Send(to, list.clone())));
    }

    fn poll(&mut self) -> Option<Action<'_>> {
        self.last = self.out.pop_front();
        act(&self.last)
    }

    fn next_wake(&self) -> Option<Wake> {
        self.members
            .iter()
            .map(|&(.., seen)| seen + LEASE)
            .min()
            .map(|at| Wake { at, why: "lease" })
    }

    fn footprint(&self) -> Vec<Table> {
        vec![Table { name: "members", len: self.members.len(), limit: 200 }]
    }

    fn blame(&self) -> Blame {
        Blame::default()
    }

    fn digest(&self) -> u64 {
        self.members.len() as u64
    }

    fn check(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::world::{World, WorldConfig};

    fn toy_world(seed: u64, people: usize) -> World {
        let mut config = WorldConfig::new(seed, people + 1);
        config.make_peer = toy_peer;
        config.make_registry = toy_registry;
        let mut world = World::new(config);
        world.start_registry();
        for host in 1..=people {
            world.join(host, &crate::workload::name(host));
        }
        world
    }

    /// Loss, copies and reordering at once, and the toy's chat still keeps every law.
    #[test]
    fn the_toy_chats_through_a_hostile_network() {
        let mut world = toy_world(3, 5);
        world.run_for(2 * SECOND).unwrap();
        world.each_link(|_, _, link| {
            link.params.loss_ppm = 300_000;
            link.params.copy_ppm = 300_000;
            link.params.jitter_us = 200_000;
        });
        for n in 0..10 {
            for host in 1..=5 {
                world.say(host, &format!("line {n}"));
            }
        }
        world.run_for(60 * SECOND).unwrap();
        assert_eq!(world.judge.deliveries, 200);
        assert!(world.counters.lost > 100);
    }

    #[test]
    fn the_same_seed_is_the_same_run() {
        let run = |seed| {
            let mut world = toy_world(seed, 4);
            world.each_link(|_, _, link| link.params.loss_ppm = 200_000);
            (0..20).for_each(|n| world.say(1 + n % 4, "hello"));
            world.run_for(30 * SECOND).unwrap();
            (world.chain.hash(), world.chain.len())
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn a_stopped_process_wakes_to_what_its_socket_could_hold() {
        let mut world = toy_world(1, 2);
        world.run_for(SECOND).unwrap();
        world.pause(2, 10 * SECOND, false);
        world.say(1, "are you there?");
        world.run_for(9 * SECOND).unwrap();
        assert_eq!(world.judge.deliveries, 0);
        world.run_for(2 * SECOND).unwrap();
        assert_eq!(world.judge.deliveries, 1);
    }

    #[test]
    fn the_dead_are_missed_and_a_partition_heals() {
        let mut world = toy_world(1, 3);
        world.run_for(SECOND).unwrap();
        world.judge.converged().unwrap();
        world.kill(3);
        world.run_for(90 * SECOND).unwrap();
        world.judge.converged().unwrap();
        assert_eq!(world.judge.seats()[0].tally.left, 1);
    }
}
