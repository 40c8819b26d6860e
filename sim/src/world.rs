//! The network, and the one loop that drives it.
//!
//! The world is a heap of instants. It jumps to the earliest, hands one input to one machine through
//! [`drain`](chatrpc::machine::drain) (the same helper the driver uses), and turns each action into later instants. Machines
//! are woken exactly when they asked to be, never by a chatty loop: output queued with nobody woken
//! shows at once.

mod happening;
mod machines;
mod network;
mod routers;
mod segment;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use chatrpc::machine::suite::Suite;
use chatrpc::machine::{
    Identity, Incarnation, Input, Machine, Name, Peer, PeerConfig, Registry, RegistryConfig, Room,
    SECRET, Secret, Seed, mix,
};

use crate::bottleneck::Bottleneck;
use crate::chain::{Chain, hash_bytes};
use crate::clock::SECOND;
use crate::draw::{NODE, TIE, draw};
use crate::guard::Guard;
use crate::host::{Host, PORT, Process, Role};
pub use crate::host::{MakePeer, MakeRegistry};
use crate::judge::{Judge, Kind, Violation};
use crate::liar::LiarConfig;
use crate::link::{Link, LinkParams};
use crate::meddler::Meddler;
use crate::nat::Router;
use crate::op::Op;
use crate::queue::{Endpoint, Pool, Queue, What};
use crate::secrecy::Secrecy;
use crate::standin::StandIn;
use crate::victims::Victims;
use crate::world::segment::Segments;

/// Events one process may have at one instant (S10).
const INSTANT_MAX: u32 = 20_000;
/// Every how many of its own events a process is scanned: tables, invariants, digest.
const SCAN_EVERY: u64 = 256;
/// What the wall clock showed when the world began, milliseconds.
const WALL_MS: u64 = 1_760_000_000_000;

/// Bits of an incarnation below its milliseconds, which are drawn.
const LUCK_BITS: u32 = 20;
/// An hour of it.
const HOUR_MS: u64 = 3_600_000;
/// How long a held datagram waits for later ones, microseconds.
const HOLD_MAX_US: u64 = 3 * SECOND;

/// How a world is made.
#[derive(Clone, Copy, Debug)]
pub struct WorldConfig {
    /// The seed of everything.
    pub seed: u64,
    /// How many computers there are; the nodeset's is number 0.
    pub hosts: usize,
    /// What every link does, unless told otherwise.
    pub link: LinkParams,
    /// Whether a closed port is reported back to the sender.
    pub icmp: bool,
    /// Whether events at one instant come in an order drawn from the seed.
    pub shuffle_ties: bool,
    /// Whoever joins has all the time there is.
    pub waits: bool,
    /// Datagrams that wait in the socket of a stopped process before more are dropped.
    pub socket_max: usize,
    /// How things are sealed.
    pub suite: &'static dyn Suite,
    /// How chat machines are made.
    pub make_peer: MakePeer,
    /// How nodeset machines are made.
    pub make_registry: MakeRegistry,
}

impl WorldConfig {
    /// A calm network of real machines: 10 ms from anywhere to anywhere.
    pub fn new(seed: u64, hosts: usize) -> Self {
        Self {
            seed,
            hosts,
            link: LinkParams { delay_us: 10_000, ..LinkParams::default() },
            icmp: false,
            shuffle_ties: false,
            waits: false,
            socket_max: 200,
            suite: &StandIn,
            make_peer: |config| {
                let peer = Peer::new(config);
                (peer.me().id, Box::new(peer))
            },
            make_registry: |config| Box::new(Registry::new(config)),
        }
    }
}

/// What happened so far, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Inputs handed to machines.
    pub events: u64,
    /// Datagrams sent.
    pub datagrams: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Datagrams that did not arrive.
    pub lost: u64,
    /// Simulated microseconds of living processes.
    pub alive_us: u64,
}

/// Where trace lines go.
pub type TraceSink = Box<dyn FnMut(&str)>;

/// A simulated network and everything on it.
pub struct World {
    /// How it was made.
    pub config: WorldConfig,
    /// The model and its laws.
    pub judge: Judge,
    /// What happened, in numbers.
    pub counters: Counters,
    /// The hash over the run.
    pub chain: Chain,
    /// A hash over what people were shown, and when: the same whatever seals the datagrams.
    pub shown: u64,
    /// Bytes each computer sent to each address that is not of this network: those of made-up
    /// datagrams.
    pub outside: BTreeMap<(u16, SocketAddr), u64>,
    /// Datagrams that were sent are copied here, the newest last, if that is wanted.
    pub captured: Option<Vec<Vec<u8>>>,
    script: Vec<(u64, Op)>,
    now: u64,
    queue: Queue,
    pool: Pool,
    pub(crate) hosts: Vec<Host>,
    pub(crate) procs: Vec<Process>,
    room: Room,
    /// Everybody who hails: who is on one wire with them.
    segment: Segments,
    pub(crate) meddler: Meddler,
    secrecy: Secrecy,
    victims: Victims,
    links: Vec<Link>,
    /// Those in front of computers, each with the number behind those of all computers.
    routers: Vec<Router>,
    /// Lines of little rate that links share.
    pub bottlenecks: Vec<Bottleneck>,
    trace: Option<TraceSink>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("now", &self.now).field("counters", &self.counters).finish()
    }
}

impl World {
    /// A world with nobody in it.
    pub fn new(config: WorldConfig) -> Self {
        let n = config.hosts;
        let link = Link::new(config.link);
        let host = || Host { port: PORT, ..Host::default() };
        Self {
            config,
            judge: Judge::default(),
            counters: Counters::default(),
            chain: Chain::default(),
            shown: 0,
            outside: BTreeMap::new(),
            captured: None,
            script: Vec::new(),
            now: 0,
            queue: Queue::default(),
            pool: Pool::default(),
            hosts: (0..n).map(|_| host()).collect(),
            procs: Vec::new(),
            room: room(config.seed),
            segment: Segments::default(),
            meddler: Meddler::among(n),
            secrecy: Secrecy::default(),
            victims: Victims::default(),
            links: vec![link; n * n],
            routers: Vec::new(),
            bottlenecks: Vec::new(),
            trace: None,
        }
    }

    /// Sends a line per event to `sink`.
    pub fn trace_to(&mut self, sink: TraceSink) {
        self.trace = Some(sink);
    }

    /// The instant, microseconds.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// The link from one computer to another.
    pub fn link(&mut self, from: usize, to: usize) -> &mut Link {
        let at = from * self.config.hosts + to;
        &mut self.links[at]
    }

    /// Changes every link.
    pub fn each_link(&mut self, mut change: impl FnMut(usize, usize, &mut Link)) {
        let n = self.config.hosts;
        for (at, link) in self.links.iter_mut().enumerate() {
            change(at / n, at % n, link);
        }
    }

    /// The seat of the process that runs on a computer.
    pub fn seat_on(&self, host: usize) -> Option<usize> {
        match self.procs[self.hosts[host].proc?].role {
            Role::Peer(seat) => Some(seat),
            Role::Registry | Role::Liar => None,
        }
    }

    /// The machine that runs on a computer.
    pub fn machine_on(&self, host: usize) -> Option<&dyn Machine> {
        self.procs[self.hosts[host].proc?].machine.as_deref()
    }

    /// Bytes that went from the process on one computer to another computer.
    pub fn bytes_between(&self, from: usize, to: usize) -> u64 {
        self.hosts[from].proc.map_or(0, |proc| self.procs[proc].guard.sent_to(to))
    }

    /// How many datagrams are on their way, and how many instants are queued.
    pub fn pending(&self) -> (usize, usize) {
        (self.pool.len(), self.queue.len())
    }

    /// Runs until that instant.
    ///
    /// # Errors
    ///
    /// The first violation of a law.
    pub fn run_until(&mut self, until: u64) -> Result<(), Violation> {
        let began = self.now;
        while let Some(entry) = self.queue.pop_until(until) {
            self.now = self.now.max(entry.at);
            self.judge.now = self.now;
            match entry.what {
                What::Arrive(slot) => self.arrive(slot),
                What::Release(slot, uses) => self.release(slot, uses),
                What::Wake(proc) => self.wake(proc as usize, entry.at),
                What::Resume(host) => self.resume(usize::from(host)),
                What::Script(at) => self.apply(at as usize),
            }
            if let Some(violation) = self.judge.violation.take() {
                return Err(violation);
            }
        }
        self.now = self.now.max(until);
        self.judge.now = self.now;
        let alive = self.procs.iter().filter(|proc| proc.alive).count() as u64;
        self.counters.alive_us += alive * (self.now - began);
        self.judge.violation.take().map_or(Ok(()), Err)
    }

    /// Runs for so many microseconds.
    ///
    /// # Errors
    ///
    /// The first violation of a law.
    pub fn run_for(&mut self, us: u64) -> Result<(), Violation> {
        self.run_until(self.now + us)
    }

    /// Starts a nodeset on computer 0, with nothing in it.
    pub fn start_registry(&mut self) {
        self.start_registry_on(0);
    }

    fn start_registry_on(&mut self, host: usize) {
        let (seed, incarnation) = self.birth(host);
        let config = RegistryConfig::new(seed, Incarnation::at(incarnation), 4096);
        let machine = (self.config.make_registry)(config);
        self.boot(host, Role::Registry, machine);
    }

    /// Starts a chat on a computer; returns its seat.
    ///
    /// # Panics
    ///
    /// When the name is not one.
    pub fn join(&mut self, host: usize, name: &str) -> usize {
        self.join_through(host, name, 0)
    }

    /// The same, through whoever answers as a nodeset at another computer.
    ///
    /// # Panics
    ///
    /// When the name is not one.
    pub fn join_through(&mut self, host: usize, name: &str, door: usize) -> usize {
        let config = self.peer_config(host, name, door);
        self.start_peer(host, config)
    }

    fn peer_config(&mut self, host: usize, name: &str, door: usize) -> PeerConfig {
        let (seed, incarnation) = self.birth(host);
        let name = Name::parse(name).expect("the simulator only uses valid names");
        let own = Endpoint { host: host as u16, port: self.hosts[host].port };
        // Every other computer has two addresses.
        let aliases = (host % 2 == 1).then(|| own.alias());
        let nodeset = Endpoint { host: door as u16, port: self.hosts[door].port }.addr();
        let (incarnation, identity) = (Incarnation::at(incarnation), self.identity_of(host));
        let room = self.room.clone();
        let mut config = PeerConfig::new(seed, incarnation, identity, room, name, nodeset);
        config.suite = self.config.suite;
        config.addrs = [own.addr()].into_iter().chain(aliases).collect();
        config.drain = std::time::Duration::from_secs(2);
        config.patience = config.patience.filter(|_| !self.config.waits);
        config
    }

    fn start_peer(&mut self, host: usize, config: PeerConfig) -> usize {
        let name = config.name.clone();
        let (id, machine) = (self.config.make_peer)(config);
        let seat = self.judge.seat(host as u16, id, name);
        self.boot(host, Role::Peer(seat), machine);
        seat
    }

    /// Whoever sits at a computer keeps their key over all processes there.
    fn identity_of(&self, host: usize) -> Identity {
        Identity::new(&bytes(self.config.seed, host as u64, u64::MAX))
    }

    fn birth(&mut self, host: usize) -> (Seed, u64) {
        self.hosts[host].starts += 1;
        let starts = self.hosts[host].starts;
        let seed = bytes(self.config.seed, host as u64, starts);
        let set_back = self.hosts[host].set_back * HOUR_MS;
        let ms = WALL_MS + self.now / 1000 + starts - set_back;
        let luck = u64::from(seed[31]) << 12 | u64::from(seed[30]) << 4 | u64::from(seed[29]) >> 4;
        (Seed(seed), ms << LUCK_BITS | luck)
    }

    /// An attacker comes to a computer. Nothing of it is judged, and all that it draws.
    pub fn attack(&mut self, host: usize, make: impl FnOnce(LiarConfig) -> Box<dyn Machine>) {
        let (seed, incarnation) = self.birth(host);
        let addr = |host: usize| Endpoint { host: host as u16, port: self.hosts[host].port }.addr();
        let others = (1..self.config.hosts).filter(|&other| other != host).map(addr).collect();
        let config = LiarConfig {
            seed: seed.stream("lies").next_u64(),
            incarnation,
            identity: self.identity_of(host),
            suite: self.config.suite,
            room: self.room.clone(),
            nodeset: addr(0),
            own: addr(host),
            others,
            third: [0, 1].map(|n| Endpoint { host: u16::MAX - n, port: PORT }.addr()),
        };
        if host == 0 {
            self.judge.nodeset_lies();
        }
        self.boot(host, Role::Liar, make(config));
    }

    fn boot(&mut self, host: usize, role: Role, machine: Box<dyn Machine>) {
        self.kill(host);
        let proc = self.procs.len();
        let starts = self.hosts[host].starts;
        // One process in eight starts shortly before the 32-bit stamps of its clock wrap.
        let odd = draw(self.config.seed, NODE, host as u64, starts, 99);
        let early = if odd.is_multiple_of(8) { (1 << 32) - (mix(odd) % (40 * SECOND)) } else { 0 };
        self.procs.push(Process {
            host: host as u16,
            port: self.hosts[host].port,
            role,
            machine: Some(machine),
            alive: true,
            clock: early as i64 - self.now as i64,
            armed: u64::MAX,
            wants: u64::MAX,
            events: 0,
            instant: (0, 0),
            guard: Guard::new(self.now, self.config.hosts),
            opened: BTreeSet::new(),
        });
        self.hosts[host].proc = Some(proc);
        self.feed(proc, Input::Tick);
    }

    /// Kills the process on a computer, without a word.
    pub fn kill(&mut self, host: usize) {
        let Some(proc) = self.hosts[host].proc.take() else { return };
        self.procs[proc].alive = false;
        self.procs[proc].machine = None;
        if let Role::Peer(seat) = self.procs[proc].role {
            self.judge.killed(seat);
        }
        self.hosts[host].paused = false;
        while let Some(slot) = self.hosts[host].socket.pop_front() {
            self.pool.give_back(slot);
        }
    }

    /// The computer's process goes on under another port, as behind an address translation that has
    /// forgotten it; the old port is closed.
    pub fn rebind(&mut self, host: usize) {
        self.hosts[host].port += 1;
        if let Some(proc) = self.hosts[host].proc {
            self.procs[proc].port = self.hosts[host].port;
        }
    }

    /// The computer's clock is set back by an hour, and so is all it kept: its next process begins at an
    /// earlier incarnation than the last one.
    pub fn set_back(&mut self, host: usize) {
        self.hosts[host].set_back += 1;
    }

    /// The computer's next process listens on another port.
    pub fn move_port(&mut self, host: usize) {
        self.hosts[host].port += 1;
    }

    /// Stops the process on a computer for a while; its socket fills up meanwhile.
    pub fn pause(&mut self, host: usize, us: u64, tick_first: bool) {
        if self.hosts[host].paused || self.hosts[host].proc.is_none() {
            return;
        }
        self.hosts[host].paused = true;
        self.hosts[host].tick_first = tick_first;
        self.push(self.now + us, What::Resume(host as u16));
    }

    /// Somebody types a line on a computer. Nobody types on one that is stopped.
    pub fn say(&mut self, host: usize, line: &str) {
        let Some(proc) = self.hosts[host].proc else { return };
        let Role::Peer(seat) = self.procs[proc].role else { return };
        if self.hosts[host].paused {
            return;
        }
        self.judge.now = self.now;
        self.chain.add(self.now, 'l', host as u16, hash_bytes(line.as_bytes()));
        if self.trace.is_some() {
            let shown: String = line.chars().take(40).collect();
            self.trace_line(host as u16, &format!("types {shown:?} ({} bytes)", line.len()));
        }
        self.judge.expect_line(seat, line);
        self.feed(proc, Input::Line(line));
        self.judge.line_done(seat);
    }

    /// Puts a made-up datagram in front of the process on a computer, as if from another address.
    pub fn forge(&mut self, host: usize, from: SocketAddr, bytes: &[u8]) {
        if let Some(proc) = self.hosts[host].proc {
            self.feed(proc, Input::Datagram { from, at: None, bytes });
        }
    }

    /// The address of the socket on a computer.
    pub fn addr_of(&self, host: usize) -> SocketAddr {
        Endpoint { host: host as u16, port: self.hosts[host].port }.addr()
    }

    /// The violation that was noticed outside [`World::run_until`], if any.
    ///
    /// # Errors
    ///
    /// That violation.
    pub fn verdict(&mut self) -> Result<(), Violation> {
        self.judge.violation.take().map_or(Ok(()), Err)
    }

    /// A violation noticed by a script.
    pub fn violation(
        &self,
        kind: Kind,
        oracle: &'static str,
        host: usize,
        text: String,
    ) -> Violation {
        Violation { oracle, kind, host: host as u16, at: self.now, text }
    }

    /// Queues the operations of a schedule, given in the order of their instants.
    pub(crate) fn play(&mut self, script: Vec<(u64, Op)>) {
        let first = self.script.len();
        for (at, op) in script {
            self.push(at, What::Script(self.script.len() as u32));
            self.script.push((at, op));
        }
        debug_assert!(self.script[first..].is_sorted_by_key(|(at, _)| *at), "script out of order");
    }

    fn push(&mut self, at: u64, what: What) {
        let tie = if self.config.shuffle_ties {
            draw(self.config.seed, TIE, at, self.queue.pushes(), 0) as u32
        } else {
            0
        };
        self.queue.push(at, tie, what);
    }

    fn wake(&mut self, proc: usize, at: u64) {
        let process = &mut self.procs[proc];
        if process.armed != at {
            return;
        }
        process.armed = u64::MAX;
        if !process.alive || self.hosts[usize::from(process.host)].paused {
            return;
        }
        if process.wants > self.now {
            return self.arm(proc);
        }
        if self.trace.is_some() {
            let why = process.machine.as_ref().and_then(|machine| machine.next_wake());
            let why = why.map_or("", |wake| wake.why);
            let host = process.host;
            self.trace_line(host, &format!("wakes for {why}"));
        }
        self.feed(proc, Input::Tick);
    }

    fn arm(&mut self, proc: usize) {
        let process = &mut self.procs[proc];
        if process.wants < process.armed {
            process.armed = process.wants;
            let at = process.wants;
            self.push(at, What::Wake(proc as u32));
        }
    }

    fn resume(&mut self, host: usize) {
        if !self.hosts[host].paused {
            return;
        }
        self.hosts[host].paused = false;
        let Some(proc) = self.hosts[host].proc else { return };
        if self.hosts[host].tick_first {
            self.feed(proc, Input::Tick);
        }
        while let Some(slot) = self.hosts[host].socket.pop_front() {
            self.deliver(proc, slot);
        }
        self.feed(proc, Input::Tick);
    }

    /// Traces what each living machine refused so far: often the cause of what failed.
    pub fn trace_blame(&mut self) {
        for proc in 0..self.procs.len() {
            let Some(machine) = &self.procs[proc].machine else { continue };
            let (host, text) = (self.procs[proc].host, format!("{:?}", machine.blame()));
            self.trace_line(host, &text);
        }
    }

    pub(crate) fn trace_line(&mut self, host: u16, text: &str) {
        let (s, us) = (self.now / SECOND, self.now % SECOND);
        let (n, hash) = (self.chain.len(), self.chain.hash() >> 48);
        if let Some(trace) = &mut self.trace {
            trace(&format!("{s:5}.{us:06} #{n:<6} n{host:<3} {text} h={hash:04x}"));
        }
    }
}

/// 32 bytes of luck.
fn bytes(seed: u64, host: u64, n: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (at, chunk) in bytes.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&draw(seed, NODE, host, n, at as u64).to_be_bytes());
    }
    bytes
}

/// The room of a world, with a secret of its own.
fn room(seed: u64) -> Room {
    let mut secret = [0; SECRET];
    secret.copy_from_slice(&bytes(seed, u64::MAX, 0)[..SECRET]);
    let name = Name::parse("storm").expect("a name");
    Room::new(name, Some(&Secret::new(secret)))
}
