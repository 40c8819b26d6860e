//! What the machines cost on a real loopback, as ratios taken in one interleaved run.
//!
//! `cargo bench --bench network`. Absolute figures are of this computer; the ratios are the result.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod plain;

use std::collections::BTreeMap;
use std::io::{ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chatrpc::machine::suite::Suite;
use chatrpc::machine::{
    Action, Event, Exit, Identity, Incarnation, Input, Machine, Name, Noise, Peer, PeerConfig,
    Registry, RegistryConfig, Room, Seed, Time, drain,
};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};
use nix::unistd::Pid;
use plain::Plain;

const TEXT: usize = 200;
/// Nobody is heard more than a hundred times a second, so the clocks of the machines run so much faster.
const HASTE: u32 = 200;
/// A datagram with one message of 200 bytes, and one with its answer.
const REQUEST: usize = 269;
const REPLY: usize = 61;

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    round_trip();
    fan_out();
    joins(100, &Noise, "sealed");
    joins(200, &Noise, "sealed");
    joins(200, &Plain, "without cryptography");
}

fn pin() {
    let mut one = CpuSet::new();
    let pinned = one.set(0).and_then(|()| sched_setaffinity(Pid::from_raw(0), &one));
    if let Err(error) = pinned {
        println!("note: both ends are not on one processor: {error}");
    }
}

fn bind() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a socket");
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 4 << 20).expect("a buffer");
    let addr = socket.local_addr().expect("an address");
    (socket, addr)
}

fn peer(n: u16, nodeset: SocketAddr) -> Peer {
    peer_with(&Noise, Room::LOBBY, n, nodeset)
}

fn peer_with(suite: &'static dyn Suite, room: &str, n: u16, nodeset: SocketAddr) -> Peer {
    let mut seed = [0; 32];
    seed[..2].copy_from_slice(&n.to_be_bytes());
    let room = Room::new(Name::parse(room).expect("a name"), None);
    let name = Name::parse(&format!("peer {n}")).expect("a name");
    let (incarnation, identity) = (Incarnation::at(1000 + u64::from(n)), Identity::new(&seed));
    let mut config = PeerConfig::new(Seed(seed), incarnation, identity, room, name, nodeset);
    (config.suite, config.drain) = (suite, Duration::from_secs(1));
    Peer::new(config)
}

fn registry(members_max: usize) -> Registry {
    Registry::new(RegistryConfig::new(Seed([9; 32]), Incarnation::at(7), members_max))
}

/// A machine on a socket, with what the loop around it did.
struct Node<M> {
    machine: M,
    socket: UdpSocket,
    started: Instant,
    /// How much faster its clock runs.
    haste: u32,
    sent: u64,
    syscalls: u64,
    acked: u64,
    people: usize,
    ready: bool,
    exit: Option<Exit>,
}

impl<M: Machine> Node<M> {
    fn new(machine: M, socket: UdpSocket) -> Self {
        let started = Instant::now();
        let (sent, syscalls, acked) = (0, 0, 0);
        let (people, ready, exit) = (0, false, None);
        let haste = 1;
        Self { machine, socket, started, haste, sent, syscalls, acked, people, ready, exit }
    }

    fn hasty(machine: M, socket: UdpSocket) -> Self {
        Self { haste: HASTE, ..Self::new(machine, socket) }
    }

    fn now(&self) -> Time {
        Time::from_micros(1 + u64::from(self.haste) * self.started.elapsed().as_micros() as u64)
    }

    fn input(&mut self, input: Input<'_>) {
        let now = self.now();
        let Self { machine, socket, sent, syscalls, acked, people, ready, exit, .. } = self;
        drain(machine, now, input, |action| match action {
            Action::Send { to, bytes, .. } => {
                *sent += 1;
                *syscalls += 1;
                let _lost_if_full = socket.send_to(bytes, to);
            }
            Action::Show(Event::Acked { .. }) => *acked += 1,
            Action::Show(Event::Joined(_)) => *people += 1,
            Action::Show(Event::Left { .. }) => *people -= 1,
            Action::Show(Event::Ready { people: here, .. }) => {
                *ready = true;
                *people += here.len();
            }
            Action::Show(_) => {}
            Action::Exit(how) => *exit = Some(how),
        });
    }

    fn read(&mut self, buffer: &mut [u8]) {
        loop {
            self.syscalls += 1;
            match self.socket.recv_from(buffer) {
                Ok((len, from)) => {
                    self.input(Input::Datagram { from, at: None, bytes: &buffer[..len] })
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }

    fn tick_if_due(&mut self) {
        if self.machine.next_wake().is_some_and(|wake| wake.at <= self.now()) {
            self.input(Input::Tick);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        self.machine.next_wake().map(|wake| wake.at.since(self.now()) / self.haste)
    }

    /// Serves until told to stop.
    fn serve(mut self, stop: &AtomicBool) {
        let mut poll = Poll::new().expect("a poll");
        poll.registry()
            .register(&mut self.socket, Token(0), Interest::READABLE)
            .expect("a registration");
        let (mut events, mut buffer) = (Events::with_capacity(8), [0; 2048]);
        self.input(Input::Tick);
        while !stop.load(Ordering::Relaxed) {
            let cap = Duration::from_millis(100);
            let timeout = self.timeout().map_or(cap, |timeout| timeout.min(cap));
            let _interrupted = poll.poll(&mut events, Some(timeout));
            self.read(&mut buffer);
            self.tick_if_due();
        }
    }
}

/// Somebody who talks, and somebody on a thread of their own who listens.
struct Author {
    node: Node<Peer>,
    poll: Poll,
    events: Events,
    buffer: [u8; 2048],
}

impl Author {
    fn with_reader(
        suite: &'static dyn Suite,
        room: &'static str,
        nodeset: SocketAddr,
        stop: &Arc<AtomicBool>,
        threads: &mut Vec<thread::JoinHandle<()>>,
    ) -> Self {
        let (socket, _) = bind();
        let flag = Arc::clone(stop);
        threads.push(thread::spawn(move || {
            pin();
            Node::hasty(peer_with(suite, room, 2, nodeset), socket).serve(&flag);
        }));
        let mut node = Node::hasty(peer_with(suite, room, 1, nodeset), bind().0);
        let poll = Poll::new().expect("a poll");
        let registered = poll.registry().register(&mut node.socket, Token(0), Interest::READABLE);
        registered.expect("a registration");
        let mut author = Self { node, poll, events: Events::with_capacity(8), buffer: [0; 2048] };
        author.node.input(Input::Tick);
        while !author.node.ready || author.node.people == 0 {
            author.wait();
        }
        author
    }

    fn wait(&mut self) {
        self.node.syscalls += 1;
        self.poll.poll(&mut self.events, self.node.timeout()).expect("a poll");
        self.node.read(&mut self.buffer);
        self.node.tick_if_due();
    }

    /// Says a text and waits for the receipt.
    fn call(&mut self, text: &str) -> Duration {
        let wanted = self.node.acked + 1;
        let start = Instant::now();
        self.node.input(Input::Line(text));
        while self.node.acked < wanted {
            self.wait();
        }
        start.elapsed()
    }
}

/// Saying 200 bytes and getting the receipt, against a bare mio echo of the same bytes.
fn round_trip() {
    pin();
    let stop = Arc::new(AtomicBool::new(false));
    let (nodeset_socket, nodeset) = bind();
    let (echo_socket, echo) = bind();
    let mut threads = Vec::new();
    let flag = Arc::clone(&stop);
    threads.push(thread::spawn(move || Node::hasty(registry(8), nodeset_socket).serve(&flag)));
    let flag = Arc::clone(&stop);
    threads.push(thread::spawn(move || {
        pin();
        serve_echo(echo_socket, &flag);
    }));
    let mut sealed = Author::with_reader(&Noise, "sealed", nodeset, &stop, &mut threads);
    let mut clear = Author::with_reader(&Plain, "clear", nodeset, &stop, &mut threads);
    let mut raw = bind().0;
    let mut raw_poll = Poll::new().expect("a poll");
    let registered = raw_poll.registry().register(&mut raw, Token(0), Interest::READABLE);
    registered.expect("a registration");
    let (mut events, mut buffer) = (Events::with_capacity(8), [0; 2048]);
    let text = "x".repeat(TEXT);
    let (mut calls, mut opens, mut echoes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sent, mut syscalls) = (0, 0);
    for round in 0..30_000 {
        let start = Instant::now();
        raw.send_to(&[0; REQUEST], echo).expect("a send");
        while raw.recv_from(&mut buffer).is_err() {
            raw_poll.poll(&mut events, None).expect("a poll");
        }
        while raw.recv_from(&mut buffer).is_ok() {}
        echoes.push(start.elapsed());
        let before = (sealed.node.sent, sealed.node.syscalls);
        calls.push(sealed.call(&text));
        if round >= 10_000 {
            sent += sealed.node.sent - before.0;
            syscalls += sealed.node.syscalls - before.1;
        }
        opens.push(clear.call(&text));
    }
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| drop(thread.join()));
    let (calls, echoes) = (Quantiles::of(&mut calls), Quantiles::of(&mut echoes));
    let opens = Quantiles::of(&mut opens);
    println!("call round trip, {TEXT} bytes, one processor, 30,000 interleaved:");
    println!("  sealed      p50 {:>8.1?}  p99 {:>8.1?}", calls.p50, calls.p99);
    println!("  in clear    p50 {:>8.1?}  p99 {:>8.1?}", opens.p50, opens.p99);
    println!("  mio echo    p50 {:>8.1?}  p99 {:>8.1?}", echoes.p50, echoes.p99);
    println!("  sealed/echo  p50 {:.2}  p99 {:.2}", calls.ratio50(&echoes), calls.ratio99(&echoes));
    println!("  sealed/clear p50 {:.2}  p99 {:.2}", calls.ratio50(&opens), calls.ratio99(&opens));
    println!(
        "  per message {:.2} datagrams and {:.2} system calls at the author",
        sent as f64 / 20_000.0,
        syscalls as f64 / 20_000.0
    );
}

fn serve_echo(mut socket: UdpSocket, stop: &AtomicBool) {
    let mut poll = Poll::new().expect("a poll");
    poll.registry().register(&mut socket, Token(0), Interest::READABLE).expect("a registration");
    let (mut events, mut buffer) = (Events::with_capacity(8), [0; 2048]);
    while !stop.load(Ordering::Relaxed) {
        let _interrupted = poll.poll(&mut events, Some(Duration::from_millis(100)));
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            socket.send_to(&[0; REPLY], from).expect("a send");
        }
    }
}

/// One line to 128 readers: the machine and what it sends in bursts, as the driver does, against sendmmsg and
/// sendto alone.
fn fan_out() {
    const READERS: u16 = 128;
    let sinks: Vec<(UdpSocket, SocketAddr)> = (0..READERS).map(|_| bind()).collect();
    let nodeset = SocketAddr::from(([127, 0, 0, 1], 9));
    let author = SocketAddr::from(([127, 0, 0, 1], 10));
    let mut machines: BTreeMap<SocketAddr, Box<dyn Machine>> = BTreeMap::new();
    machines.insert(nodeset, Box::new(registry(1024)));
    machines.insert(author, Box::new(peer(0, nodeset)));
    for (n, (_, addr)) in sinks.iter().enumerate() {
        machines.insert(*addr, Box::new(peer(n as u16 + 1, nodeset)));
    }
    let mut carrier = Carrier { machines, now: 1, queue: Vec::new(), done: 0 };
    carrier.start();
    let (socket, _) = bind();
    let text = "x".repeat(TEXT);
    let (mut ours, mut many, mut single) = (Vec::new(), Vec::new(), Vec::new());
    let mut buffer = [0; 2048];
    let (mut gathered, mut burst) = (Vec::new(), Vec::new());
    for _ in 0..2_000 {
        let start = Instant::now();
        let machine = carrier.machines.get_mut(&author).expect("the author");
        let queue = &mut carrier.queue;
        let mut sent = 0;
        drain(machine.as_mut(), Time::from_micros(carrier.now), Input::Line(&text), |action| {
            if let Action::Send { to, bytes, .. } = action {
                let start = gathered.len();
                gathered.extend_from_slice(bytes);
                burst.push((to, start..gathered.len()));
                if burst.len() == BURST {
                    sent += send_burst(&socket, &mut gathered, &mut burst);
                }
            }
        });
        sent += send_burst(&socket, &mut gathered, &mut burst);
        ours.push(start.elapsed());
        assert!(sent >= usize::from(READERS), "a ping may be due as well");
        // What went to the real sinks is carried to the machines behind them.
        for (sink, to) in &sinks {
            while let Ok((len, _)) = sink.recv_from(&mut buffer) {
                queue.push((author, *to, buffer[..len].to_vec()));
            }
        }
        carrier.carry();
        carrier.now += 10_000;
        many.push(send_many(&socket, &sinks));
        single.push(send_each(&socket, &sinks));
        for (sink, _) in &sinks {
            while sink.recv_from(&mut buffer).is_ok() {}
        }
    }
    assert_eq!(carrier.done, 2_000, "every message was confirmed by everybody");
    let ours = Quantiles::of(&mut ours);
    let (many, single) = (Quantiles::of(&mut many), Quantiles::of(&mut single));
    println!("fan-out of {TEXT} bytes to {READERS}, 2,000 interleaved:");
    println!("  machine and bursts  p50 {:>8.1?}  p99 {:>8.1?}", ours.p50, ours.p99);
    println!("  sendmmsg            p50 {:>8.1?}  p99 {:>8.1?}", many.p50, many.p99);
    println!("  sendto              p50 {:>8.1?}  p99 {:>8.1?}", single.p50, single.p99);
    println!(
        "  ratio               p50 {:.2} of sendmmsg, {:.2} of sendto",
        ours.ratio50(&many),
        ours.ratio50(&single)
    );
}

/// How many leave together, as in the driver.
const BURST: usize = 64;

/// Sends what was gathered in one call of the system; says how many left.
fn send_burst(
    socket: &UdpSocket,
    gathered: &mut Vec<u8>,
    burst: &mut Vec<(SocketAddr, Range<usize>)>,
) -> usize {
    let slices: Vec<[IoSlice<'_>; 1]> =
        burst.iter().map(|(_, range)| [IoSlice::new(&gathered[range.clone()])]).collect();
    let addrs: Vec<Option<SockaddrIn>> = burst.iter().map(|(to, _)| v4(to)).collect();
    let mut headers = MultiHeaders::preallocate(burst.len(), None);
    let nothing = [] as [nix::sys::socket::ControlMessage<'_>; 0];
    let fd = socket.as_raw_fd();
    let sent = sendmmsg(fd, &mut headers, &slices, &addrs, nothing, MsgFlags::empty());
    let sent = sent.map_or(0, Iterator::count);
    gathered.clear();
    burst.clear();
    sent
}

fn v4(addr: &SocketAddr) -> Option<SockaddrIn> {
    match addr {
        SocketAddr::V4(addr) => Some(SockaddrIn::from(*addr)),
        SocketAddr::V6(_) => None,
    }
}

fn send_many(socket: &UdpSocket, sinks: &[(UdpSocket, SocketAddr)]) -> Duration {
    let bytes = [0; REQUEST];
    let slices: Vec<[IoSlice<'_>; 1]> = sinks.iter().map(|_| [IoSlice::new(&bytes)]).collect();
    let addrs: Vec<Option<SockaddrIn>> = sinks.iter().map(|(_, addr)| v4(addr)).collect();
    let mut headers = MultiHeaders::preallocate(sinks.len(), None);
    let start = Instant::now();
    let sent = sendmmsg(
        socket.as_raw_fd(),
        &mut headers,
        &slices,
        &addrs,
        [] as [nix::sys::socket::ControlMessage<'_>; 0],
        MsgFlags::empty(),
    );
    let took = start.elapsed();
    assert_eq!(sent.map(Iterator::count), Ok(sinks.len()));
    took
}

fn send_each(socket: &UdpSocket, sinks: &[(UdpSocket, SocketAddr)]) -> Duration {
    let start = Instant::now();
    for (_, addr) in sinks {
        socket.send_to(&[0; REQUEST], *addr).expect("a send");
    }
    start.elapsed()
}

/// Machines on a perfect network in memory.
struct Carrier {
    machines: BTreeMap<SocketAddr, Box<dyn Machine>>,
    now: u64,
    queue: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    done: usize,
}

impl Carrier {
    fn start(&mut self) {
        for _ in 0..4_000 {
            self.tick();
            self.carry();
            self.now += 10_000;
        }
    }

    fn tick(&mut self) {
        let addrs: Vec<SocketAddr> = self.machines.keys().copied().collect();
        addrs.into_iter().for_each(|addr| self.input(addr, Input::Tick));
    }

    fn carry(&mut self) {
        while !self.queue.is_empty() {
            self.now += 100;
            for (from, to, bytes) in std::mem::take(&mut self.queue) {
                self.input(to, Input::Datagram { from, at: None, bytes: &bytes });
            }
        }
    }

    fn input(&mut self, at: SocketAddr, input: Input<'_>) {
        let Some(machine) = self.machines.get_mut(&at) else { return };
        let (queue, done) = (&mut self.queue, &mut self.done);
        drain(machine.as_mut(), Time::from_micros(self.now), input, |action| match action {
            Action::Send { to, bytes, .. } => queue.push((at, to, bytes.to_vec())),
            Action::Show(Event::Done { acked, .. }) => *done += usize::from(acked == 128),
            _ => {}
        });
    }
}

/// So many people join one nodeset within a second, over real sockets. Everybody would have a processor
/// of their own for a handshake with each of the others; here all share one.
fn joins(people: u16, suite: &'static dyn Suite, sealing: &str) {
    let stop = Arc::new(AtomicBool::new(false));
    let (nodeset_socket, nodeset) = bind();
    let flag = Arc::clone(&stop);
    let server = thread::spawn(move || Node::new(registry(1024), nodeset_socket).serve(&flag));
    let mut poll = Poll::new().expect("a poll");
    let mut nodes: Vec<Node<Peer>> = (0..people)
        .map(|n| Node::new(peer_with(suite, Room::LOBBY, n, nodeset), bind().0))
        .collect();
    for (n, node) in nodes.iter_mut().enumerate() {
        let registration = poll.registry().register(&mut node.socket, Token(n), Interest::READABLE);
        registration.expect("a registration");
    }
    let (mut events, mut buffer) = (Events::with_capacity(1024), [0; 2048]);
    let (start, mut begun) = (Instant::now(), 0);
    let (mut all_in, mut all_met) = (None, None);
    while all_met.is_none() && start.elapsed() < Duration::from_secs(60) {
        while begun < nodes.len()
            && start.elapsed().as_millis() as usize >= begun * 1000 / nodes.len()
        {
            nodes[begun].input(Input::Tick);
            begun += 1;
        }
        poll.poll(&mut events, Some(Duration::from_millis(1))).expect("a poll");
        for event in &events {
            nodes[event.token().0].read(&mut buffer);
        }
        nodes[..begun].iter_mut().for_each(Node::tick_if_due);
        let everybody = begun == nodes.len() && nodes.iter().all(|node| node.ready);
        all_in = all_in.or_else(|| everybody.then(|| start.elapsed()));
        let met = nodes.iter().all(|node| node.people == nodes.len() - 1);
        all_met = met.then(|| start.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    drop(server.join());
    let failures = nodes.iter().filter(|node| node.exit.is_some()).count();
    let sent: u64 = nodes.iter().map(|node| node.sent).sum();
    println!("{people} joins within one second, all machines in two threads, {sealing}:");
    println!("  failures {failures}; all in after {all_in:.2?}; all know all after {all_met:.2?}");
    println!("  datagrams sent by each: {:.0}", sent as f64 / f64::from(people));
}

struct Quantiles {
    p50: Duration,
    p99: Duration,
}

impl Quantiles {
    /// The second two thirds of the samples: the first third warms up.
    fn of(samples: &mut Vec<Duration>) -> Self {
        let mut samples = samples.split_off(samples.len() / 3);
        samples.sort_unstable();
        let at = |share: usize| samples[samples.len() * share / 100];
        Self { p50: at(50), p99: at(99) }
    }

    fn ratio50(&self, other: &Self) -> f64 {
        self.p50.as_secs_f64() / other.p50.as_secs_f64()
    }

    fn ratio99(&self, other: &Self) -> f64 {
        self.p99.as_secs_f64() / other.p99.as_secs_f64()
    }
}
