//! What it costs to be in a room, and how soon a crash is known there, as a table that is checked in.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chatrpc::machine::PeerId;

use crate::bottleneck::HEADERS;
use crate::clock::SECOND;
use crate::judge::Status;
use crate::workload;
use crate::world::{World, WorldConfig};

/// Where the table is checked in.
pub const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/membership.txt");

/// One way takes so long, microseconds.
const ONE_WAY: u64 = 25_000;

/// How many people are in the rooms of the table.
pub const PEOPLE: [usize; 3] = [5, 50, 200];

/// How many crash, one after the other, in a room where people talk, and in a silent one.
const CRASHES: [usize; 2] = [8, 3];

/// In a room where people talk, somebody says a line so often, microseconds.
const LINE_EVERY: u64 = 20 * SECOND;

/// Nobody waits longer than this for others to know of a crash, microseconds.
const PATIENCE: u64 = 90 * SECOND;

/// How a crash becomes known, microseconds: of all who are to know, half of them, 99 of 100, and the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Half of them.
    pub p50: u64,
    /// 99 of 100.
    pub p99: u64,
    /// All.
    pub max: u64,
}

/// What a room of so many costs, and what is known there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Bytes a second that one member puts on the wire while nobody speaks, headers of IPv4 and UDP included.
    pub idle: u64,
    /// The same while a line is said every 20 s, that line not counted.
    pub talking: u64,
    /// A crash while people talk.
    pub crash: Known,
    /// A crash in silence.
    pub silent: Known,
    /// How often somebody who lives was taken for lost, in all.
    pub false_alarms: u64,
    /// How often somebody who has been dead for two minutes is still shown.
    pub ghosts: usize,
    /// Hours that members were there for that, in all, in tenths.
    pub tenths_of_hours: u64,
}

/// Measures one row.
///
/// # Panics
///
/// When a law is broken meanwhile.
pub fn measure(people: usize, loss: u32) -> Row {
    let mut crowd = Crowd::new(people, loss);
    crowd.run(120 * SECOND);
    let mut row = Row { idle: crowd.cost(120 * SECOND), ..Row::default() };
    crowd.line();
    crowd.run(10 * SECOND);
    let before = crowd.said;
    row.talking = crowd.cost(120 * SECOND) - crowd.share(crowd.said - before, 120 * SECOND);
    row.crash = crowd.crashes(CRASHES[0], true);
    crowd.talks = false;
    crowd.run(200 * SECOND);
    row.silent = crowd.crashes(CRASHES[1], false);
    row.false_alarms = crowd.false_alarms();
    row.tenths_of_hours = crowd.world.counters.alive_us / (360 * SECOND);
    crowd.run(90 * SECOND);
    row.ghosts = crowd.ghosts();
    row
}

/// A room in which everybody hears everybody.
struct Crowd {
    world: World,
    /// Lines so far, and whether some are said at all.
    said: u64,
    talks: bool,
    /// When the next one is.
    next: u64,
    /// Who is alive, the oldest first.
    alive: Vec<usize>,
}

impl Crowd {
    fn new(people: usize, loss: u32) -> Self {
        let mut config = WorldConfig::new(u64::from(loss), people + 1);
        (config.link.delay_us, config.waits) = (ONE_WAY, true);
        let mut world = World::new(config);
        world.judge.hostile = true;
        world.start_registry();
        for host in 1..=people {
            world.join(host, &workload::name(host));
            world.run_for(SECOND / 50).unwrap_or_else(|law| panic!("{law}"));
        }
        let alive = (1..=people).collect();
        let mut crowd = Self { world, said: 0, talks: false, next: 0, alive };
        crowd.run(10 * SECOND);
        crowd.world.each_link(|_, _, link| link.params.loss_ppm = loss * 10_000);
        crowd
    }

    fn run(&mut self, us: u64) {
        let until = self.world.now() + us;
        while self.talks && self.next < until {
            let at = self.next.max(self.world.now());
            self.world.run_until(at).unwrap_or_else(|law| panic!("{law}"));
            self.line();
        }
        self.world.run_until(until).unwrap_or_else(|law| panic!("{law}"));
    }

    /// Somebody says a line of 40 bytes; so does somebody every 20 s from now on.
    fn line(&mut self) {
        let host = self.alive[self.said as usize * 7 % self.alive.len()];
        self.world.say(host, &format!("{:04} {:a<35}", self.said, ""));
        (self.said, self.talks, self.next) = (self.said + 1, true, self.world.now() + LINE_EVERY);
    }

    /// Bytes a second that each member puts on the wire, while that lasts.
    fn cost(&mut self, us: u64) -> u64 {
        let before = self.sent();
        self.run(us);
        (self.sent() - before) * SECOND / us / self.alive.len() as u64
    }

    /// Bytes that those who are here have put on the wire so far.
    fn sent(&self) -> u64 {
        let procs = self.alive.iter().filter_map(|&host| self.world.hosts[host].proc);
        let guards = procs.map(|proc| &self.world.procs[proc].guard);
        guards.map(|guard| guard.bytes + guard.datagrams * HEADERS as u64).sum()
    }

    /// What so many lines and their receipts cost each member, bytes a second.
    fn share(&self, lines: u64, us: u64) -> u64 {
        let (line, receipt) = (144 + HEADERS as u64, 80 + HEADERS as u64);
        let readers = self.alive.len() as u64 - 1;
        lines * readers * (line + receipt) * SECOND / us / self.alive.len() as u64
    }

    /// So many crash, one after the other.
    fn crashes(&mut self, count: usize, talks: bool) -> Known {
        self.talks = talks;
        let mut took = Vec::new();
        for nth in 0..count {
            if talks {
                self.line();
            }
            // At different times after what was heard last.
            self.run(7 * SECOND + nth as u64 * SECOND * 37 / 100);
            let host = self.alive.remove(self.alive.len() / 2);
            took.extend(self.crash(host));
            self.run(20 * SECOND);
            self.world.join(host, &workload::name(host));
            self.alive.push(host);
            self.run(20 * SECOND);
        }
        took.sort_unstable();
        let at = |percent: usize| took[(took.len() - 1) * percent / 100];
        Known { p50: at(50), p99: at(99), max: at(100) }
    }

    /// How long it takes each of the others to know.
    fn crash(&mut self, host: usize) -> Vec<u64> {
        let seat = self.world.seat_on(host);
        let id = seat.map(|seat| self.world.judge.seats()[seat].id);
        let began = self.world.now();
        self.world.kill(host);
        let Some(id) = id else { return Vec::new() };
        let mut waits: Vec<usize> =
            self.alive.iter().filter_map(|&host| self.world.seat_on(host)).collect();
        let mut took = Vec::new();
        while !waits.is_empty() && self.world.now() - began < PATIENCE {
            self.run(SECOND / 50);
            let passed = self.world.now() - began;
            waits.retain(|&seat| {
                let knows = self.world.judge.seats()[seat].takes_for_lost(id);
                if knows {
                    took.push(passed);
                }
                !knows
            });
        }
        took.extend(waits.iter().map(|_| PATIENCE));
        took
    }

    /// How often somebody who is dead is shown.
    fn ghosts(&self) -> usize {
        let seats = self.world.judge.seats();
        let dead = seats.iter().filter(|seat| seat.status == Status::Gone);
        let dead: BTreeSet<PeerId> = dead.map(|seat| seat.id).collect();
        let ready = seats.iter().filter(|seat| seat.status == Status::Ready);
        let people = ready.flat_map(|seat| &seat.people);
        people.filter(|person| dead.contains(&person.id)).count()
    }

    /// How often somebody was taken for lost who is there.
    fn false_alarms(&self) -> u64 {
        self.world.judge.seats().iter().map(|seat| seat.tally.alarms).sum()
    }
}

/// The whole table.
pub fn table() -> String {
    let mut text = String::from(
        "Membership, by `cargo run -p chatrpc-sim -- stats --members --write`; the tests compare.\n\
         One way takes 25 ms. `idle`, `talking`: bytes a second that one member puts on the wire, headers of\n\
         IPv4 and UDP included, while nobody speaks, and while a line is said every 20 s (the line and its\n\
         receipts not counted). `crash`, `in silence`: until others know of a crash (half of them, 99 of 100, all).\n\n\
         people  loss    idle talking    crash p50     p99     max   in silence p50     p99     max   false alarms\n",
    );
    for people in PEOPLE {
        for loss in [0, 10, 30] {
            write_row(&mut text, people, loss, &measure(people, loss));
        }
    }
    text.push_str(OTHERS);
    text
}

/// What others reach in a simulation of their machines: 5 to 50 ms each way, 1,024 members, the best settings that
/// were found, bytes of payload before any seal or header.
const OTHERS: &str = "
For comparison, others at 1,024 members, 5 to 50 ms each way, best of many settings, payload without headers and seals:
                    B/s at 0 / 10 / 30 %    crash p50       p99             false departures at 30 %
  foca 2.0.0         217 /   878 / 3,343    1.5 to 2.3 s    2.2 to 5.1 s    0 in 100 h
  SWIM + Lifeguard   319 /   431 / 3,808    2.7 to 5.7 s    3.8 to 8.5 s    0 to 3 in 100 h
";

fn write_row(text: &mut String, people: usize, loss: u32, row: &Row) {
    let secs = |us: u64| format!("{}.{:02} s", us / SECOND, us % SECOND * 100 / SECOND);
    let (crash, silent) = (row.crash, row.silent);
    let _ = writeln!(
        text,
        "{people:>6} {loss:>3} % {:>7} {:>7} {:>12} {:>7} {:>7} {:>16} {:>7} {:>7}   {} in {}.{} h",
        row.idle,
        row.talking,
        secs(crash.p50),
        secs(crash.p99),
        secs(crash.max),
        secs(silent.p50),
        secs(silent.p99),
        secs(silent.max),
        row.false_alarms,
        row.tenths_of_hours / 10,
        row.tenths_of_hours % 10,
    );
}
