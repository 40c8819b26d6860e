//! The network, and the one loop that drives it.
//!
//! The world is a heap of instants. It jumps to the earliest, hands one input to one machine through
//! [`drain`] (the same helper the driver uses), and turns each action into later instants. Machines
//! are woken exactly when they asked to be, never by a chatty loop: output queued with nobody woken
//! shows at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chatrpc::machine::suite::Suite;
use chatrpc::machine::{
    Action, Event, Exit, Identity, Input, Machine, Name, Peer, PeerConfig, Registry,
    RegistryConfig, Room, SECRET, Secret, Seed, drain, mix, wire,
};

use crate::chain::{Chain, hash_bytes};
use crate::draw::{LINK, NODE, TIE, draw};
use crate::guard::Guard;
use crate::host::{Host, PORT, Process, Role};
pub use crate::host::{MakePeer, MakeRegistry};
use crate::judge::{Judge, Kind, Status, Violation};
use crate::link::{Held, Link, LinkParams, Mark};
use crate::meddler::Meddler;
use crate::queue::{Endpoint, Pool, Queue, What};
use crate::secrecy::Secrecy;
use crate::standin::StandIn;

/// One second, in the microseconds of the world's clock.
pub const SECOND: u64 = 1_000_000;
/// Events one process may have at one instant (S10).
const INSTANT_MAX: u32 = 20_000;
/// Every how many of its own events a process is scanned: tables, invariants, digest.
const SCAN_EVERY: u64 = 256;
/// What the wall clock showed when the world began, milliseconds.
const WALL_MS: u64 = 1_760_000_000_000;
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
    pub(crate) script: Vec<(u64, crate::faults::Op)>,
    now: u64,
    queue: Queue,
    pool: Pool,
    pub(crate) hosts: Vec<Host>,
    pub(crate) procs: Vec<Process>,
    room: Room,
    pub(crate) meddler: Meddler,
    secrecy: Secrecy,
    links: Vec<Link>,
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
            meddler: Meddler::default(),
            secrecy: Secrecy::default(),
            links: vec![link; n * n],
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
            Role::Registry => None,
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
        let (seed, incarnation) = self.birth(0);
        let config = RegistryConfig { seed, incarnation, members_max: 4096 };
        let machine = (self.config.make_registry)(config);
        self.boot(0, Role::Registry, machine);
    }

    /// Starts a chat on a computer; returns its seat.
    ///
    /// # Panics
    ///
    /// When the name is not one.
    pub fn join(&mut self, host: usize, name: &str) -> usize {
        let (seed, incarnation) = self.birth(host);
        let name = Name::parse(name).expect("the simulator only uses valid names");
        let own = Endpoint { host: host as u16, port: self.hosts[host].port };
        // Every other computer has two addresses.
        let aliases = (host % 2 == 1).then(|| own.alias());
        let config = PeerConfig {
            seed,
            incarnation,
            identity: self.identity_of(host),
            suite: self.config.suite,
            room: self.room.clone(),
            name: name.clone(),
            nodeset: Endpoint { host: 0, port: self.hosts[0].port }.addr(),
            addrs: [own.addr()].into_iter().chain(aliases).collect(),
            drain: std::time::Duration::from_secs(2),
            pins: Vec::new(),
        };
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
        (Seed(seed), WALL_MS + self.now / 1000 + starts - set_back)
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
            self.feed(proc, Input::Datagram { from, bytes });
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
    pub(crate) fn play(&mut self, script: Vec<(u64, crate::faults::Op)>) {
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

    fn release(&mut self, slot: u32, uses: u32) {
        let (from, to) = (self.pool.at(slot).from.host, self.pool.at(slot).to.host);
        let link = self.link(usize::from(from), usize::from(to));
        let waits = link.held.is_some_and(|held| held.datagram == slot);
        if waits && self.pool.at(slot).uses == uses {
            self.link(usize::from(from), usize::from(to)).held = None;
            self.arrive(slot);
        }
    }

    fn arrive(&mut self, slot: u32) {
        let to = self.pool.at(slot).to;
        let host = &mut self.hosts[usize::from(to.host)];
        match host.proc {
            Some(_) if host.port != to.port => self.refuse(slot),
            Some(_) if host.paused => {
                if host.socket.len() < self.config.socket_max {
                    host.socket.push_back(slot);
                } else {
                    self.counters.lost += 1;
                    self.pool.give_back(slot);
                }
            }
            Some(proc) => self.deliver(proc, slot),
            None => self.refuse(slot),
        }
    }

    /// Nobody listens at that port: perhaps the sender is told.
    fn refuse(&mut self, slot: u32) {
        self.counters.lost += 1;
        let Datagrams { from, to, .. } = Datagrams::of(self.pool.at(slot));
        self.pool.give_back(slot);
        if !self.config.icmp || self.pool.at(slot).mark == Mark::Refused {
            return;
        }
        let back = self.fate(to.host, from.host);
        if let Some(&(at, _)) = back.arrivals().first() {
            let slot = self.pool.take();
            let notice = self.pool.at_mut(slot);
            (notice.from, notice.to, notice.mark) = (to, from, Mark::Refused);
            self.push(at, What::Arrive(slot));
        }
    }

    fn deliver(&mut self, proc: usize, slot: u32) {
        let Datagrams { from, sender, sent_at, mark, .. } = Datagrams::of(self.pool.at(slot));
        let bytes = self.pool.lift(slot);
        let host = self.procs[proc].host;
        if mark == Mark::Refused {
            self.feed(proc, Input::Unreachable(from.addr()));
            return self.pool.settle(slot, bytes);
        }
        if mark != Mark::Forged {
            self.procs[proc].guard.heard(usize::from(from.host), bytes.len());
        }
        if let (Role::Peer(seat), Some(Role::Peer(other))) =
            (self.procs[proc].role, self.procs.get(sender as usize).map(|proc| proc.role))
        {
            self.judge.heard(seat, other, sent_at);
        }
        let hash = hash_bytes(&bytes);
        self.chain.add(self.now, 'a', host, hash);
        if self.trace.is_some() {
            let text = format!("<-n{:<3} len {:4}{}", from.host, bytes.len(), mark.text());
            self.trace_line(host, &text);
        }
        let before = self.before_a_replay(proc, hash, &bytes);
        self.feed(proc, Input::Datagram { from: from.addr(), bytes: &bytes });
        if let (Some(before), Some(machine)) = (before, &self.procs[proc].machine)
            && machine.digest() != before
        {
            let text = format!("{} bytes that came before changed something", bytes.len());
            self.blame(Kind::Safety, "S14", proc, text);
        }
        self.pool.settle(slot, bytes);
    }

    /// The digest of a machine that is about to get sealed bytes which it has had before, if
    /// nothing else is due.
    fn before_a_replay(&mut self, proc: usize, hash: u64, bytes: &[u8]) -> Option<u64> {
        if bytes.first() != Some(&wire::kind::DATA) {
            return None;
        }
        let process = &mut self.procs[proc];
        let new = process.opened.insert(hash);
        let machine = process.machine.as_ref().filter(|_| !new)?;
        let now = process.local(self.now);
        let due = machine.next_wake().is_some_and(|wake| wake.at <= now);
        (!due).then(|| machine.digest())
    }

    fn feed(&mut self, proc: usize, input: Input<'_>) {
        let Some(mut machine) = self.procs[proc].machine.take() else { return };
        self.counters.events += 1;
        let now = self.procs[proc].local(self.now);
        let mut exited = false;
        let result = catch_unwind(AssertUnwindSafe(|| {
            drain(&mut *machine, now, input, |action| exited |= self.act(proc, action));
            machine.next_wake()
        }));
        let wake = match result {
            Ok(wake) => wake,
            Err(panic) => return self.panicked(proc, &panic),
        };
        if exited {
            self.end(proc);
        } else {
            self.procs[proc].machine = Some(machine);
            self.procs[proc].wants = wake.map_or(u64::MAX, |wake| self.procs[proc].global(wake.at));
            self.arm(proc);
        }
        if let Role::Peer(seat) = self.procs[proc].role {
            self.judge.drained(seat);
            if wake.is_none() && self.judge.seats[seat].status == Status::Ready && !exited {
                self.judge.fail("S11", seat, "it is in the room and wants no wake".to_owned());
            }
        }
        self.count_instant(proc);
        self.procs[proc].events += 1;
        if self.procs[proc].events.is_multiple_of(SCAN_EVERY) {
            self.scan(proc);
        }
    }

    fn panicked(&mut self, proc: usize, panic: &Box<dyn std::any::Any + Send>) {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        let oracle = if text.starts_with("the wake for") { "S11" } else { "S9" };
        self.blame(Kind::Panic, oracle, proc, text);
        self.end(proc);
    }

    fn blame(&mut self, kind: Kind, oracle: &'static str, proc: usize, text: String) {
        if self.judge.violation.is_none() {
            let host = self.procs[proc].host;
            self.judge.violation = Some(Violation { oracle, kind, host, at: self.now, text });
        }
    }

    fn end(&mut self, proc: usize) {
        let host = usize::from(self.procs[proc].host);
        if self.hosts[host].proc == Some(proc) {
            self.kill(host);
        }
    }

    fn count_instant(&mut self, proc: usize) {
        let (at, count) = &mut self.procs[proc].instant;
        if *at != self.now {
            (*at, *count) = (self.now, 0);
        }
        *count += 1;
        if *count > INSTANT_MAX {
            let text = format!("more than {INSTANT_MAX} events at one instant");
            self.blame(Kind::Safety, "S10", proc, text);
        }
    }

    /// Tables, invariants and digest of one process.
    fn scan(&mut self, proc: usize) {
        let Some(machine) = &self.procs[proc].machine else { return };
        let digest = machine.digest();
        let table = machine.footprint().into_iter().find(|table| table.len > table.limit);
        let broken = catch_unwind(AssertUnwindSafe(|| machine.check())).err();
        self.chain.add(self.now, 'd', self.procs[proc].host, digest);
        if let Some(table) = table {
            let text = format!("{} holds {} of {}", table.name, table.len, table.limit);
            self.blame(Kind::Safety, "S8", proc, text);
        }
        if let Some(panic) = broken {
            self.panicked(proc, &panic);
        }
    }

    /// Scans every process at once: at quiescence.
    pub fn scan_all(&mut self) {
        for proc in 0..self.procs.len() {
            self.scan(proc);
        }
    }

    fn act(&mut self, proc: usize, action: Action<'_>) -> bool {
        match action {
            Action::Send { to, bytes } => self.send(proc, to, bytes),
            Action::Show(event) => self.show(proc, &event),
            Action::Exit(exit) => {
                self.exit(proc, &exit);
                return true;
            }
        }
        false
    }

    fn show(&mut self, proc: usize, event: &Event<'_>) {
        let host = self.procs[proc].host;
        let hash = event_hash(event);
        self.chain.add(self.now, 'e', host, hash);
        self.shown = mix(self.shown ^ mix(self.now ^ u64::from(host) << 48) ^ hash);
        if self.trace.is_some() {
            let text: String = format!("{event:?}").chars().take(140).collect();
            self.trace_line(host, &text);
        }
        let Role::Peer(seat) = self.procs[proc].role else { return };
        self.judge.saw(seat, event);
        match event {
            Event::Sent { readers, .. } => self.procs[proc].guard.said(*readers),
            Event::Ready { .. } | Event::Joined(_) => {
                self.procs[proc].guard.met(self.judge.seats[seat].people.len());
            }
            _ => {}
        }
    }

    fn exit(&mut self, proc: usize, exit: &Exit) {
        let host = self.procs[proc].host;
        self.chain.add(self.now, 'x', host, 0);
        if self.trace.is_some() {
            self.trace_line(host, &format!("exits: {exit:?}"));
        }
        if let Role::Peer(seat) = self.procs[proc].role {
            self.judge.exited(seat, exit);
        }
    }

    fn send(&mut self, proc: usize, to: SocketAddr, bytes: &[u8]) {
        self.counters.datagrams += 1;
        self.counters.bytes += bytes.len() as u64;
        let (host, port) = (self.procs[proc].host, self.procs[proc].port);
        if bytes.len() > wire::DATAGRAM_MAX {
            let text = format!("a datagram of {} bytes", bytes.len());
            self.blame(Kind::Safety, "S8", proc, text);
        }
        let Some(to) = Endpoint::of(to).filter(|to| usize::from(to.host) < self.config.hosts)
        else {
            self.counters.lost += 1;
            *self.outside.entry((host, to)).or_default() += bytes.len() as u64;
            return;
        };
        if let Err(text) = self.procs[proc].guard.sends(self.now, to.host.into(), bytes.len()) {
            self.blame(Kind::Safety, "S8", proc, text);
        }
        if let Err(text) = self.secrecy.sends(proc as u32, to.host, bytes) {
            self.blame(Kind::Safety, "S13", proc, text);
        }
        if let Some(captured) = &mut self.captured {
            captured.push(bytes.to_vec());
        }
        let sent = (Endpoint { host, port }, to, proc as u32);
        self.meddle((sent.0, to), bytes);
        let fate = self.fate(host, to.host);
        self.counters.lost += u64::from(fate.arrivals().is_empty());
        let mut arrivals = fate.arrivals().iter();
        let at = usize::from(host) * self.config.hosts + usize::from(to.host);
        if let (Some(left), None) = (fate.hold, self.links[at].held) {
            arrivals.next();
            let slot = self.load(sent, Mark::Held, bytes);
            self.links[at].held = Some(Held { datagram: slot, left });
            let uses = self.pool.at(slot).uses;
            self.push(self.now + HOLD_MAX_US, What::Release(slot, uses));
        } else {
            self.pass(at);
        }
        for &(arrives, mark) in arrivals {
            let slot = self.load(sent, mark, bytes);
            self.push(arrives, What::Arrive(slot));
        }
    }

    /// Somebody on the path between two peers makes something up.
    fn meddle(&mut self, (from, to): (Endpoint, Endpoint), bytes: &[u8]) {
        if from.host == 0 || to.host == 0 {
            return;
        }
        let people = self.config.hosts as u64 - 1;
        let hosts = &self.hosts;
        let others = |bits: u64| {
            let host = 1 + (bits % people) as usize;
            Endpoint { host: host as u16, port: hosts[host].port }
        };
        let forgery = self.meddler.meddle(self.config.seed, (from, to), bytes, others);
        if let Some(forgery) = forgery {
            let sent = (forgery.from, forgery.to, u32::MAX);
            let slot = self.load(sent, Mark::Forged, &forgery.bytes);
            self.push(self.now + forgery.after_us, What::Arrive(slot));
        }
    }

    /// One more datagram passes the held one of a link.
    fn pass(&mut self, at: usize) {
        let Some(held) = &mut self.links[at].held else { return };
        held.left -= 1;
        if held.left == 0 {
            let slot = held.datagram;
            self.links[at].held = None;
            let delay = self.links[at].params.delay_us + self.links[at].params.jitter_us + 1;
            self.push(self.now + delay, What::Arrive(slot));
        }
    }

    fn load(&mut self, sent: (Endpoint, Endpoint, u32), mark: Mark, bytes: &[u8]) -> u32 {
        let slot = self.pool.take();
        let datagram = self.pool.at_mut(slot);
        datagram.bytes.extend_from_slice(bytes);
        (datagram.from, datagram.to, datagram.sender) = sent;
        (datagram.sent_at, datagram.mark) = (self.now, mark);
        slot
    }

    fn fate(&mut self, from: u16, to: u16) -> crate::link::Fate {
        let key = draw(self.config.seed, LINK, u64::from(from), u64::from(to), 0);
        let at = usize::from(from) * self.config.hosts + usize::from(to);
        self.links[at].fate(key, self.now)
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

/// The small fields of a datagram, copied out.
struct Datagrams {
    from: Endpoint,
    to: Endpoint,
    sender: u32,
    sent_at: u64,
    mark: Mark,
}

impl Datagrams {
    const fn of(datagram: &crate::queue::Datagram) -> Self {
        let crate::queue::Datagram { from, to, sender, sent_at, mark, .. } = *datagram;
        Self { from, to, sender, sent_at, mark }
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

fn event_hash(event: &Event<'_>) -> u64 {
    let id = |id: &chatrpc::machine::MessageId| mix(id.author.0 ^ id.number);
    match event {
        Event::Ready { people, .. } => people.iter().fold(1, |hash, who| mix(hash ^ who.id.0)),
        Event::Joined(who) => mix(who.id.0 ^ 2),
        Event::Left { who, why } => mix(who.id.0 ^ 3) ^ *why as u64,
        Event::Renamed { who, .. } => mix(who.id.0 ^ 4),
        Event::Alike { one, other } => mix(one.id.0 ^ mix(other.id.0)),
        Event::Message { id: message, text, .. } => {
            id(message) ^ hash_bytes(text.as_str().as_bytes())
        }
        Event::Sent { id: message, readers, .. } => id(message) ^ *readers as u64,
        Event::Acked { id: message, by, rtt } => {
            id(message) ^ mix(by.id.0 ^ rtt.as_micros() as u64)
        }
        Event::Done { id: message, acked, failed } => {
            failed.iter().fold(id(message) ^ *acked as u64, |hash, (who, _)| mix(hash ^ who.id.0))
        }
        Event::Missing { from, count } => mix(from.id.0 ^ count),
        Event::People(people) => 7 ^ people.len() as u64,
        Event::Nodeset(health) => 8 ^ (*health as u64) << 8,
        _ => 9,
    }
}
