//! Latency and cost under loss, as a table that is checked in: a drift is a diff somebody reads.

use std::fmt::Write as _;

use crate::clock::SECOND;
use crate::slow;
use crate::workload;
use crate::world::{World, WorldConfig};

/// Where the table is checked in.
pub const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/delivery.txt");

const PEOPLE: usize = 5;
/// One way takes so long, microseconds.
const ONE_WAY: u64 = 25_000;

/// Lines said on the lossy network before the counting starts: the paths have been measured.
const WARM_UP: u64 = 50;

/// How people talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// What the table calls it.
    pub name: &'static str,
    /// How many of the five speak, in turns.
    pub authors: usize,
    /// One line after the other, microseconds apart.
    pub every_us: u64,
    /// How many lines each of them says.
    pub lines: u64,
}

/// The paces of the table.
pub const PACES: [Pace; 3] = [
    Pace { name: "one author, 50/s", authors: 1, every_us: SECOND / 50, lines: 1000 },
    Pace { name: "all five, 10/s each", authors: 5, every_us: SECOND / 50, lines: 200 },
    Pace { name: "one line every 2 s", authors: 1, every_us: 2 * SECOND, lines: 2000 },
];

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Loss each way, percent.
    pub loss: u32,
    /// Latency from saying to showing that half of the deliveries kept, microseconds.
    pub p50_us: u64,
    /// The same for 99 of 100.
    pub p99_us: u64,
    /// The slowest delivery.
    pub max_us: u64,
    /// Deliveries made.
    pub deliveries: u64,
    /// Datagrams sent, receipts and heartbeats included, for a hundred deliveries.
    pub datagrams_per_100: u64,
    /// Bytes sent for each delivery.
    pub bytes_per_delivery: u64,
}

/// Measures one row: five people, lines of 200 bytes.
///
/// # Panics
///
/// When a law is broken meanwhile.
pub fn measure(pace: Pace, loss: u32) -> Row {
    let mut config = WorldConfig::new(u64::from(loss), PEOPLE + 1);
    config.link.delay_us = ONE_WAY;
    let mut world = World::new(config);
    let run = |world: &mut World, us| world.run_for(us).unwrap_or_else(|law| panic!("{law}"));
    world.start_registry();
    for host in 1..=PEOPLE {
        world.join(host, &workload::name(host));
    }
    run(&mut world, 5 * SECOND);
    world.each_link(|_, _, link| link.params.loss_ppm = loss * 10_000);
    let talk = |world: &mut World, lines| {
        for n in 0..lines {
            for host in 1..=pace.authors {
                world.say(host, &format!("{n:03} {:a<196}", ""));
                run(world, pace.every_us);
            }
        }
    };
    talk(&mut world, WARM_UP);
    run(&mut world, 2 * SECOND);
    world.judge.latencies = Some(Vec::new());
    let before = world.counters;
    talk(&mut world, pace.lines);
    run(&mut world, 10 * SECOND);
    let mut latencies = world.judge.latencies.take().unwrap_or_default();
    latencies.sort_unstable();
    let deliveries = latencies.len() as u64;
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    Row {
        loss,
        p50_us: at(50),
        p99_us: at(99),
        max_us: at(100),
        deliveries,
        datagrams_per_100: (world.counters.datagrams - before.datagrams) * 100 / deliveries,
        bytes_per_delivery: (world.counters.bytes - before.bytes) / deliveries,
    }
}

/// The whole table.
pub fn table() -> String {
    let mut text = String::from(
        "Delivery under loss, by `cargo run -p chatrpc-sim -- stats --write`; the tests compare.\n\
         Five people, lines of 200 bytes; one way takes 25 ms, so a round trip r = 50 ms; each\n\
         direction loses that share. From saying to showing, in r, after 50 lines of warm-up.\n",
    );
    for pace in PACES {
        let _ = writeln!(
            text,
            "\n{}\nloss   p50 r   p99 r   max r   delivered   datagrams/delivery   bytes/delivery",
            pace.name
        );
        for loss in [0, 1, 10, 30] {
            write_row(&mut text, pace, &measure(pace, loss));
        }
    }
    text.push_str(&slow::table());
    text
}

fn write_row(text: &mut String, pace: Pace, row: &Row) {
    let trips = |us: u64| format!("{}.{:02}", us / (2 * ONE_WAY), us * 50 / ONE_WAY % 100);
    let wanted = pace.lines * (pace.authors * (PEOPLE - 1)) as u64;
    let _ = writeln!(
        text,
        "{:>3} % {:>7} {:>7} {:>7} {:>11} {:>17}.{:02} {:>16}",
        row.loss,
        trips(row.p50_us),
        trips(row.p99_us),
        trips(row.max_us),
        format!("{}/{wanted}", row.deliveries),
        row.datagrams_per_100 / 100,
        row.datagrams_per_100 % 100,
        row.bytes_per_delivery,
    );
}
