//! The life of one seed: boot, chaos, heal, converge, idle, leave.
//!
//! Safety is judged at every event of every phase. Liveness is judged once the network is healed:
//! everybody who lives must see exactly everybody else within [`CONVERGE_MAX`], what they then say
//! must arrive, an idle room must be quiet, and leaving must leave nothing behind.
//!
//! | law | of liveness |
//! |---|---|
//! | L2 | in a healed network everybody sees exactly everybody else, with or without a nodeset |
//! | L6 | whoever comes into a calm room is in, and seen, within 3 s |
//! | L7 | a scripted situation comes to what it must within its bound ([`scenario`](crate::scenario)) |
//! | L8 | an idle room is quiet, its tables do not grow, and a nodeset that all have left holds nobody |

use chatrpc::machine::{Exit, Noise};

use crate::clock::SECOND;
use crate::false_nodeset::Lies;
use crate::faults::schedule;
use crate::judge::{Kind, Status, Violation};
use crate::liar::Tricks;
use crate::link::LinkParams;
use crate::op::Op;
use crate::swarm::{Nodeset, Swarm};
use crate::world::{Counters, TraceSink, World, WorldConfig};

/// One seed in so many runs with real cryptography, the others with the stand-in.
pub const REAL_EVERY: u64 = 8;

/// After this time everybody agrees on who is here, microseconds. A lease lasts 60 s and is renewed
/// every 20 s; a lease that was renewed just before its holder died ends 60 s later, and whoever
/// missed the announcement finds out with the next renewal.
pub const CONVERGE_MAX: u64 = 90 * SECOND;
/// After this time everything said in a healed room has arrived or was given up.
const SETTLE_MAX: u64 = 15 * SECOND;
/// How long somebody takes to come in, and to be seen by everybody, in a calm room.
const ENTER_MAX: u64 = 3 * SECOND;
/// The same through links that swallow what is large: that has to be found out.
const ENTER_SMALL: u64 = 8 * SECOND;
/// Within this time everybody renews their lease.
const RENEWED: u64 = 25 * SECOND;
/// How often everybody says something then, and what that may take besides five times the way there: a
/// datagram from before may have opened an old stream, and is found out when it is spoken on.
const PROMPT_ROUNDS: u32 = 3;
const PROMPT_SLACK: u64 = 2_000;
/// How long an idle room is watched.
const IDLE: u64 = 120 * SECOND;
/// Bytes a second an idle process may send to another computer.
const IDLE_RATE_MAX: u64 = 200;
/// The same while attackers come and go, of which a nodeset tells everybody.
const IDLE_RATE_ATTACKED_MAX: u64 = 1_000;
/// How long a nodeset remembers an empty room.
const FORGET: u64 = 120 * SECOND;
/// How long leaving takes at most: nothing is undelivered, so the drain does not count.
const LEAVE_MAX: u64 = 3 * SECOND;

/// What may be asked of a run besides its seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// So many people instead of what the seed says.
    pub people: Option<usize>,
    /// So much loss everywhere (parts in a million) instead of what the seed says.
    pub loss_ppm: Option<u32>,
    /// Such a malicious member, or none, instead of what the seed says.
    pub tricks: Option<Tricks>,
    /// Such a lying nodeset, or none, instead of what the seed says.
    pub lies: Option<Lies>,
    /// Real cryptography or the stand-in, instead of what the seed says.
    pub real_crypto: Option<bool>,
    /// Keep every step, to compare two runs.
    pub keep_steps: bool,
    /// Other chat machines than the real ones.
    pub make_peer: Option<crate::world::MakePeer>,
    /// Another nodeset machine than the real one.
    pub make_registry: Option<crate::world::MakeRegistry>,
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The law that was broken, if any.
    pub violation: Option<Violation>,
    /// The hash over the run, and its steps if they were kept.
    pub chain: crate::chain::Chain,
    /// What happened, in numbers.
    pub counters: Counters,
    /// A hash over what people were shown, and when.
    pub shown: u64,
    /// How many messages were shown to readers.
    pub deliveries: u64,
    /// How much time was simulated, microseconds.
    pub simulated_us: u64,
    /// How long after healing everybody agreed, microseconds.
    pub converged_us: Option<u64>,
}

/// Runs one seed through its phases.
pub fn run(seed: u64, options: &Options, trace: Option<TraceSink>) -> Outcome {
    let mut swarm = Swarm::draw(seed);
    if let Some(people) = options.people {
        swarm.people = people.clamp(1, 120);
    }
    if let Some(loss_ppm) = options.loss_ppm {
        swarm.link.loss_ppm = loss_ppm;
    }
    swarm.tricks = options.tricks.unwrap_or(swarm.tricks);
    swarm.lies = options.lies.unwrap_or(swarm.lies);
    let mut config = WorldConfig::new(seed, swarm.computers());
    config.link = LinkParams { delay_us: swarm.link.delay_us, ..LinkParams::default() };
    if options.real_crypto.unwrap_or(seed.is_multiple_of(REAL_EVERY)) {
        config.suite = &Noise;
    }
    config.icmp = swarm.icmp;
    config.shuffle_ties = swarm.shuffle_ties;
    config.socket_max = swarm.socket_max;
    config.make_peer = options.make_peer.unwrap_or(config.make_peer);
    config.make_registry = options.make_registry.unwrap_or(config.make_registry);
    let mut life = Life { swarm, world: World::new(config), converged_us: None };
    life.world.meddler.computers = swarm.hosts();
    if options.keep_steps {
        life.world.chain.keep();
    }
    if let Some(trace) = trace {
        life.world.trace_to(trace);
    }
    let violation = life.live().err();
    if violation.is_some() {
        life.world.trace_blame();
    }
    let world = life.world;
    Outcome {
        violation,
        counters: world.counters,
        shown: world.shown,
        deliveries: world.judge.deliveries,
        simulated_us: world.now(),
        converged_us: life.converged_us,
        chain: world.chain,
    }
}

struct Life {
    swarm: Swarm,
    world: World,
    converged_us: Option<u64>,
}

impl Life {
    fn live(&mut self) -> Result<(), Violation> {
        self.boot()?;
        self.chaos()?;
        self.heal();
        self.converge()?;
        self.speak()?;
        self.newcomer()?;
        self.prompt()?;
        self.idle()?;
        self.leave()
    }

    fn boot(&mut self) -> Result<(), Violation> {
        let swarm = self.swarm;
        self.world.each_link(|from, to, link| link.params.mtu = swarm.mtu_between(from, to, 0));
        if self.swarm.boot_in_chaos {
            self.storm_on();
        }
        self.world.start_registry();
        let mut d = crate::draw::Draws::new(self.swarm.seed, crate::draw::SCHED, 100, 0);
        let spread = if self.swarm.join_storm { SECOND / 10 } else { 2 * SECOND };
        let mut joins: Vec<(u64, Op)> =
            (1..=self.swarm.people).map(|host| (d.below(spread), Op::Join(host, host))).collect();
        joins.sort_by_key(|&(at, _)| at);
        self.world.play(joins);
        // One page after the other, where they are small.
        self.world.run_until(if swarm.small_links { 16 } else { 8 } * SECOND)?;
        if self.swarm.boot_in_chaos {
            return Ok(());
        }
        self.agreed("boot")
    }

    fn storm_on(&mut self) {
        self.world.judge.hostile = true;
        let swarm = self.swarm;
        self.world.meddler.ppm = swarm.meddle_ppm;
        self.world.each_link(|from, to, link| {
            link.params = swarm.link_between(from, to);
            link.params.mtu = swarm.mtu_between(from, to, 1);
        });
    }

    fn chaos(&mut self) -> Result<(), Violation> {
        self.storm_on();
        let from = self.world.now() + 1;
        let until = from + self.swarm.chaos_us;
        let script = schedule(&self.swarm, from, until);
        self.world.play(script);
        self.world.run_until(until + SECOND / 5)
    }

    fn heal(&mut self) {
        self.world.meddler.ppm = 0;
        let calm = self.world.config.link;
        let (now, swarm) = (self.world.now(), self.swarm);
        self.world.each_link(|from, to, link| {
            link.params = calm;
            link.params.mtu = swarm.mtu_between(from, to, 2);
            link.cuts = 0;
            link.clogged_until = link.clogged_until.min(now);
        });
        let lies_on = !self.swarm.lies.is_empty() && self.swarm.ends_without_nodeset();
        if self.swarm.nodeset == Nodeset::DiesForEver && !lies_on {
            self.world.kill(0);
        } else if !lies_on && (self.world.machine_on(0).is_none() || !self.swarm.lies.is_empty()) {
            self.world.start_registry();
        }
    }

    fn agreed(&self, when: &str) -> Result<(), Violation> {
        self.world.judge.converged().map_err(|(seat, text)| {
            let host = usize::from(self.world.judge.seats()[seat].host);
            self.world.violation(Kind::Liveness, "L2", host, format!("at {when}: {text}"))
        })
    }

    fn converge(&mut self) -> Result<(), Violation> {
        if self.swarm.ends_without_nodeset() {
            return self.stay_together();
        }
        let healed = self.world.now();
        while self.world.now() < healed + CONVERGE_MAX {
            self.world.run_for(SECOND)?;
            if self.world.judge.converged().is_ok() {
                self.converged_us = Some(self.world.now() - healed);
                self.world.judge.calm = Some(self.world.now());
                return Ok(());
            }
        }
        self.agreed("the end of convergence")
    }

    /// Without a nodeset nobody new comes in, and nobody who is here may go missing.
    fn stay_together(&mut self) -> Result<(), Violation> {
        let pairs = self.mutual();
        self.world.run_for(CONVERGE_MAX)?;
        let after = self.mutual();
        let ready = |seat: usize| self.world.judge.seats()[seat].status == Status::Ready;
        let lost = pairs.iter().find(|&&(a, b)| ready(a) && ready(b) && !after.contains(&(a, b)));
        if let Some(&(a, b)) = lost {
            let seats = self.world.judge.seats();
            let text = format!("lost n{} with the nodeset gone", seats[b].host);
            return Err(self.world.violation(Kind::Liveness, "L2", seats[a].host.into(), text));
        }
        Ok(())
    }

    /// The pairs that show each other.
    fn mutual(&self) -> Vec<(usize, usize)> {
        let seats = self.world.judge.seats();
        let ready = |&at: &usize| seats[at].status == Status::Ready;
        let shows = |a: usize, b: usize| seats[a].person(seats[b].id).is_some();
        let mut pairs = Vec::new();
        for a in (0..seats.len()).filter(ready) {
            let others = (0..seats.len()).filter(ready).filter(|&b| shows(a, b) && shows(b, a));
            pairs.extend(others.map(|b| (a, b)));
        }
        pairs
    }

    /// Everybody says one thing; everything that was ever said must be accounted for.
    fn speak(&mut self) -> Result<(), Violation> {
        for host in 1..self.swarm.hosts() {
            let ready = self.world.seat_on(host).map(|seat| self.world.judge.seats()[seat].status);
            if ready == Some(Status::Ready) {
                self.world.say(host, &format!("is everybody here? {host}"));
            }
        }
        let until = self.world.now() + SETTLE_MAX;
        while self.world.now() < until && self.world.judge.is_anybody_waiting() {
            self.world.run_for(SECOND / 4)?;
        }
        self.world.judge.all_accounted();
        self.world.scan_all();
        self.world.verdict()
    }

    /// While a malicious member does what it can, somebody who comes is in at once, and sees everybody.
    fn newcomer(&mut self) -> Result<(), Violation> {
        if self.swarm.tricks.is_empty() || self.world.judge.calm.is_none() {
            return Ok(());
        }
        // Until then the nodeset may not know where everybody is.
        self.world.run_for(RENEWED)?;
        let host = self.swarm.computers() - 1;
        let seat = self.world.join(host, &crate::workload::name(host));
        let most = if self.swarm.small_links { ENTER_SMALL } else { ENTER_MAX };
        let until = self.world.now() + most;
        while self.world.now() < until && self.world.judge.is_met(seat).is_err() {
            self.world.run_for(SECOND / 20)?;
        }
        self.world.judge.is_met(seat).map_err(|text| {
            let text = format!("after {} s it {text}", most / SECOND);
            self.world.violation(Kind::Liveness, "L6", host, text)
        })
    }

    /// In a calm room everything is shown as soon as the network carries it, whatever a malicious
    /// member does, and confirmed by the way back.
    fn prompt(&mut self) -> Result<(), Violation> {
        for round in 0..PROMPT_ROUNDS {
            let began = self.world.now();
            for host in 1..self.swarm.computers() {
                if self.world.seat_on(host).is_some_and(|seat| self.world.judge.is_ready(seat)) {
                    self.world.say(host, &format!("round {round} of {host}"));
                }
            }
            let one_way = self.world.config.link.delay_us;
            self.world.run_for(5 * one_way + PROMPT_SLACK)?;
            self.world.judge.all_shown_since(began);
            self.world.run_for(2 * one_way + SECOND)?;
            self.world.judge.all_confirmed_since(began);
            self.world.verdict()?;
        }
        Ok(())
    }

    fn idle(&mut self) -> Result<(), Violation> {
        // What is still on its way from chaos (late copies, freed clogs) is let through first.
        self.world.run_for(30 * SECOND)?;
        let n = self.swarm.hosts();
        let sent = |world: &World| -> Vec<u64> {
            (0..n * n).map(|at| world.bytes_between(at / n, at % n)).collect()
        };
        let (before, sizes) = (sent(&self.world), self.tables());
        self.world.run_for(IDLE)?;
        let (after, later) = (sent(&self.world), self.tables());
        let attacked = !self.swarm.tricks.is_empty() || !self.swarm.lies.is_empty();
        let allowed = if attacked { IDLE_RATE_ATTACKED_MAX } else { IDLE_RATE_MAX };
        for at in 0..n * n {
            let rate = (after[at].saturating_sub(before[at])) / (IDLE / SECOND);
            // Who was handed what they lacked was sent it.
            let kept = |tables: &[(usize, &str, usize)]| {
                let of = |&&(host, name, _): &&(usize, &str, usize)| {
                    (host, name) == (at % n, "kept bytes")
                };
                tables.iter().find(of).map(|row| row.2)
            };
            if rate > allowed && kept(&sizes) == kept(&later) {
                let text = format!("sends {rate} bytes/s to n{} with nothing to say", at % n);
                return Err(self.world.violation(Kind::Liveness, "L8", at / n, text));
            }
        }
        self.world.scan_all();
        for &(host, name, len) in &later {
            let of = |tables: &[(usize, &str, usize)], name: &str| {
                tables.iter().find(|&&(h, table, _)| (h, table) == (host, name)).map(|row| row.2)
            };
            // Some tables breathe with the sessions, each of which is renewed every two minutes: beside
            // the current one, one of before, and one that is being made; the first messages of three
            // minutes, of both sides; whoever sent one lately; and the addresses, two at most, of those
            // who are looked for.
            let each = match name {
                "sessions" | "spent handshakes" => 3,
                "unproven addresses" => 2,
                "handshake sources" => 1,
                _ => 0,
            };
            let breath = of(&later, "remotes").map(|remotes| each * remotes);
            let early = of(&sizes, name).max(breath.filter(|_| each > 0));
            // With somebody about who invents people, tables have their limits and nothing else.
            // What is kept of the talk is no trace of it, and is handed on in silence.
            let kept = name.starts_with("kept ");
            if let Some(early) = early.filter(|early| !attacked && !kept && len > early + 8) {
                let text = format!("{name} grew from {early} to {len} while nothing was said");
                return Err(self.world.violation(Kind::Liveness, "L8", host, text));
            }
        }
        self.world.verdict()
    }

    fn tables(&self) -> Vec<(usize, &'static str, usize)> {
        let on = |host| self.world.machine_on(host).map(|machine| (host, machine.footprint()));
        let hosts = (0..self.swarm.hosts()).filter_map(on);
        hosts
            .flat_map(|(host, tables)| tables.into_iter().map(move |t| (host, t.name, t.len)))
            .collect()
    }

    fn leave(&mut self) -> Result<(), Violation> {
        if !self.swarm.tricks.is_empty() {
            self.world.kill(self.swarm.hosts());
        }
        for host in 1..self.swarm.computers() {
            self.world.say(host, "/quit");
        }
        self.world.run_for(LEAVE_MAX)?;
        for (at, seat) in self.world.judge.seats().iter().enumerate() {
            let left = matches!(seat.exit, Some(Exit::Left { .. }));
            if seat.status != Status::Gone || (seat.quit_asked && !left && self.was_in(at)) {
                let text = format!("is {:?} after /quit", seat.status);
                return Err(self.world.violation(Kind::Liveness, "exit", seat.host.into(), text));
            }
        }
        self.forgotten()
    }

    /// Whether that seat was in the room and not killed.
    fn was_in(&self, seat: usize) -> bool {
        self.world.judge.seats()[seat].exit.is_some()
    }

    /// A nodeset that everybody left holds nobody.
    fn forgotten(&mut self) -> Result<(), Violation> {
        if self.swarm.ends_without_nodeset() {
            return Ok(());
        }
        self.world.run_for(CONVERGE_MAX + FORGET)?;
        self.world.scan_all();
        let holds = self.world.machine_on(0).map(|machine| machine.footprint());
        let full = holds.into_iter().flatten().find(|table| table.len > 0);
        if let Some(table) = full {
            let text = format!("{} of {} remain when everybody is gone", table.len, table.name);
            return Err(self.world.violation(Kind::Liveness, "L8", 0, text));
        }
        self.world.verdict()
    }
}

/// Runs a seed twice and compares; says where the two part.
///
/// # Errors
///
/// A violation of S12.
pub fn compare_twice(seed: u64, options: &Options) -> Result<Outcome, Violation> {
    let options = Options { keep_steps: true, ..*options };
    let (one, other) = (run(seed, &options, None), run(seed, &options, None));
    let Some((n, a, b)) = one.chain.first_difference(&other.chain) else { return Ok(one) };
    let text = format!("event #{n} of seed {seed} is {a:?} in one run and {b:?} in the other");
    let (host, at) = a.or(b).map_or((0, 0), |step| (step.host, step.at));
    Err(Violation { oracle: "S12", kind: Kind::Nondeterminism, host, at, text })
}
