//! What a room costs on a slow link that two sites share, and how it fares there, as a table that is checked in.

use std::fmt::Write as _;

use crate::bottleneck::{Bottleneck, HEADERS};
use crate::clock::SECOND;
use crate::judge::Judge;
use crate::workload;
use crate::world::{World, WorldConfig};

/// One line that two sites share, and who is where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Bits a second, each way.
    pub rate: u64,
    /// Bytes that may wait, each way.
    pub queue: u64,
    /// One way takes so long besides, microseconds.
    pub one_way: u64,
    /// How many people are at the near end, with the nodeset, and at the far one.
    pub people: (usize, usize),
}

/// The lines of the table.
pub const LINES: [Line; 5] = [
    Line { rate: 1_200, queue: 4_000, one_way: 300_000, people: (1, 1) },
    Line { rate: 9_600, queue: 16_000, one_way: 300_000, people: (2, 3) },
    Line { rate: 64_000, queue: 16_000, one_way: 300_000, people: (12, 12) },
    Line { rate: 256_000, queue: 64_000, one_way: 300_000, people: (12, 12) },
    Line { rate: 8_000_000, queue: 1_000_000, one_way: 25_000, people: (12, 12) },
];

/// The cut, microseconds.
const CUT: u64 = 40 * SECOND;
/// Lines that everybody says while it lasts, of so many bytes.
const SAID: u64 = 3;
const TEXT: usize = 40;
/// Nothing is waited for any longer, microseconds.
const PATIENCE: u64 = 300 * SECOND;

/// Worlds that each row is measured in: where one has luck, or none, the others say so.
const WORLDS: u64 = 9;

/// How a room fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Everybody sees everybody after, microseconds; `None` for not at all.
    pub meets: Option<u64>,
    /// Bytes a second that one member offers the line while nobody speaks.
    pub idle: u64,
    /// A line reaches all after, microseconds.
    pub line: Option<u64>,
    /// Bytes a second that one member offers a line that is cut.
    pub cut: u64,
    /// After the cut everybody has all that was said meanwhile after, microseconds.
    pub whole: Option<u64>,
    /// How often somebody was shown to have left.
    pub departures: u64,
    /// Bytes offered to the line from the cut until all is whole, in tenths of those that a bare datagram for
    /// each line and reader at the other end needs.
    pub tenths: u64,
}

impl Row {
    /// What half of the worlds do not exceed; of departures, the most.
    fn median(rows: &[Self]) -> Self {
        let half = |of: &dyn Fn(&Self) -> u64| {
            let mut all: Vec<u64> = rows.iter().map(of).collect();
            all.sort_unstable();
            all[all.len() / 2]
        };
        // What never comes about is the longest.
        let time = |of: fn(&Self) -> Option<u64>| {
            Some(half(&|row| of(row).unwrap_or(u64::MAX))).filter(|&us| us < u64::MAX)
        };
        Self {
            meets: time(|row| row.meets),
            idle: half(&|row| row.idle),
            line: time(|row| row.line),
            cut: half(&|row| row.cut),
            whole: time(|row| row.whole),
            departures: rows.iter().map(|row| row.departures).max().unwrap_or_default(),
            tenths: half(&|row| row.tenths),
        }
    }
}

/// Measures one row: the median of some worlds.
pub fn measure(line: Line, loss: u32) -> Row {
    let rows: Vec<Row> = (0..WORLDS).map(|world| measure_in(line, loss, world)).collect();
    Row::median(&rows)
}

fn measure_in(line: Line, loss: u32, world: u64) -> Row {
    let mut sites = Sites::new(line, loss, world);
    let mut row = Row { meets: sites.until(|judge| judge.converged().is_ok()), ..Row::default() };
    sites.run(30 * SECOND);
    let (people, before) = (sites.people() as u64, sites.offered());
    sites.run(60 * SECOND);
    row.idle = (sites.offered() - before) / people / 60;
    row.line = sites.say(1, 1);
    sites.run(20 * SECOND);
    let (left, before) = (sites.left(), sites.offered());
    let already = sites.world.judge.deliveries;
    sites.cut(1);
    for _ in 0..SAID {
        sites.everybody_says();
        sites.run(SECOND);
    }
    sites.run(CUT - SAID * SECOND);
    row.cut = (sites.offered() - before) * SECOND / CUT / people;
    sites.cut(0);
    let all = already + people * (people - 1) * SAID;
    row.whole = sites.until(|judge| judge.deliveries >= all);
    row.departures = sites.left() - left;
    let (near, far) = line.people;
    let needed = 2 * near as u64 * far as u64 * SAID * (TEXT + HEADERS) as u64;
    row.tenths = (sites.offered() - before) * 10 / needed;
    row
}

/// Two sites and the line between them.
struct Sites {
    world: World,
    line: Line,
    said: u64,
}

impl Sites {
    fn new(line: Line, loss: u32, world: u64) -> Self {
        let seed = 100 * world + u64::from(loss);
        let mut config = WorldConfig::new(seed, line.people.0 + line.people.1 + 1);
        (config.link.delay_us, config.waits) = (1_000, true);
        let mut world = World::new(config);
        let rate = line.rate / 8;
        world.bottlenecks = vec![Bottleneck::new(rate, line.queue); 2];
        let near = |host: usize| host <= line.people.0;
        world.each_link(|from, to, link| {
            if near(from) != near(to) {
                link.params.over = Some(u16::from(near(to)));
                link.params.delay_us = line.one_way;
                link.params.loss_ppm = loss * 10_000;
            }
        });
        world.judge.hostile = true;
        world.start_registry();
        let mut sites = Self { world, line, said: 0 };
        for host in 1..=sites.people() {
            sites.world.join(host, &workload::name(host));
        }
        sites
    }

    const fn people(&self) -> usize {
        self.line.people.0 + self.line.people.1
    }

    fn run(&mut self, us: u64) {
        let until = self.world.now() + us;
        while let Err(law) = self.world.run_until(until) {
            // Who is shown as gone and lives is counted.
            assert_eq!(law.oracle, "S7", "{law}");
        }
    }

    /// How long it takes until that holds.
    fn until(&mut self, holds: impl Fn(&Judge) -> bool) -> Option<u64> {
        let began = self.world.now();
        while !holds(&self.world.judge) {
            if self.world.now() - began >= PATIENCE {
                return None;
            }
            self.run(SECOND / 10);
        }
        Some(self.world.now() - began)
    }

    fn line(&mut self, host: usize) {
        self.said += 1;
        let text = format!("{:04} {:a<35}", self.said, "");
        self.world.say(host, &text);
    }

    fn everybody_says(&mut self) {
        (1..=self.people()).for_each(|host| self.line(host));
    }

    /// Somebody says so many lines: until everybody has them all.
    fn say(&mut self, host: usize, lines: u64) -> Option<u64> {
        let all = self.world.judge.deliveries + lines * (self.people() as u64 - 1);
        (0..lines).for_each(|_| self.line(host));
        self.until(|judge| judge.deliveries >= all)
    }

    fn cut(&mut self, cuts: u8) {
        self.world.each_link(|_, _, link| {
            if link.params.over.is_some() {
                link.cuts = cuts;
            }
        });
    }

    fn offered(&self) -> u64 {
        self.world.bottlenecks.iter().map(|line| line.offered).sum()
    }

    fn left(&self) -> u64 {
        self.world.judge.seats().iter().map(|seat| seat.tally.left).sum()
    }
}

/// The whole table.
pub fn table() -> String {
    let mut text = String::from(
        "\nTwo sites share one line each way, with a queue (drop-tail); the nodeset is at the first. Everybody\n\
         begins at once. `idle` and `cut`: bytes a second that each member offers the line while nobody speaks,\n\
         and while it is cut; `line`: until one line reaches all; `whole`: after a cut of 40 s in which everybody\n\
         said three lines of 40 bytes, until everybody has them all; `left`: how often somebody was shown as gone;\n\
         `bytes`: offered from the cut on, for each byte that a bare datagram for each line and reader needs.\n\
         Each is the median of nine worlds, `left` the most of them.\n\n\
         line          people  loss   meets   idle    line    cut   whole  left   bytes\n",
    );
    for line in LINES {
        for loss in [0, 1, 10, 30] {
            write_row(&mut text, line, loss, &measure(line, loss));
        }
    }
    text
}

fn write_row(text: &mut String, line: Line, loss: u32, row: &Row) {
    let seconds = |us: Option<u64>| match us {
        Some(us) => format!("{}.{} s", us / SECOND, us % SECOND * 10 / SECOND),
        None => "never".to_owned(),
    };
    let _ = writeln!(
        text,
        "{:>6}.{} kbit/s {:>2} + {:<2} {:>3} % {:>7} {:>6} {:>7} {:>6} {:>7} {:>5} {:>5}.{}",
        line.rate / 1_000,
        line.rate % 1_000 / 100,
        line.people.0,
        line.people.1,
        loss,
        seconds(row.meets),
        row.idle,
        seconds(row.line),
        row.cut,
        seconds(row.whole),
        row.departures,
        row.tenths / 10,
        row.tenths % 10,
    );
}
