//! The command line of the simulator.

// The owner of the simulation may look at the clock and name threads; nothing inside it does.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

use chatrpc_sim::false_nodeset::{LIES_TOLD, Lies};
use chatrpc_sim::liar::{TRICKS, Tricks};
use chatrpc_sim::phases::{self, Options};
use chatrpc_sim::sweep::sweep;
use chatrpc_sim::{Kind, Violation, crowd, scenario, slow, stats, teeth};
use clap::{Args, Parser, Subcommand};

/// A deterministic, hostile network for the machines of chatrpc.
#[derive(Parser)]
#[command(name = "chatrpc-sim", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Task>,
    #[command(flatten)]
    run: Run,
}

#[derive(Subcommand)]
enum Task {
    /// Run one seed, or many.
    Run(Run),
    /// Play a named scenario, or all of them; without a name, list them.
    Scenario {
        /// Its name, or `all`.
        name: Option<String>,
        /// Print a line per event.
        #[arg(long)]
        trace: bool,
    },
    /// Run seeds twice and compare the runs event by event.
    CheckDeterminism {
        /// Which seeds, `FROM..TO`.
        #[arg(long, value_parser = range, default_value = "0..200")]
        seeds: Range<u64>,
        /// How many threads.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
    },
    /// Print latency and cost under loss.
    Stats {
        /// Only the slow links.
        #[arg(long, conflicts_with = "write")]
        slow: bool,
        /// What it costs to be in a room instead, and how soon a crash is known there.
        #[arg(long, conflicts_with = "slow")]
        members: bool,
        /// Write the table where the tests expect it.
        #[arg(long)]
        write: bool,
    },
    /// Plant bugs in a copy of the machines, one after the other, and expect each to be caught.
    Teeth {
        /// Only the one of that name.
        name: Option<String>,
    },
}

#[derive(Args)]
struct Run {
    /// The seed: a number, or the 40 hexadecimal digits of a commit.
    #[arg(long, value_parser = seed, default_value = "0", conflicts_with = "seeds")]
    seed: u64,
    /// Many seeds instead, `FROM..TO`.
    #[arg(long, value_parser = range)]
    seeds: Option<Range<u64>>,
    /// So many people, whatever the seed says.
    #[arg(long)]
    nodes: Option<usize>,
    /// So much loss, whatever the seed says: 0.3 is 30 %.
    #[arg(long, value_parser = ppm)]
    loss: Option<u32>,
    /// A malicious member with these tricks, whatever the seed says: names, or `none`, or `all`.
    #[arg(long, value_parser = tricks)]
    tricks: Option<Tricks>,
    /// A nodeset with these lies, whatever the seed says.
    #[arg(long, value_parser = lies)]
    lies: Option<Lies>,
    /// How many threads.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Print a line per event.
    #[arg(long, conflicts_with = "seeds")]
    trace: bool,
    /// Run every seed twice and compare.
    #[arg(long)]
    twice: bool,
    /// Begin no new seed after the first failure.
    #[arg(long)]
    stop: bool,
}

/// Reads a seed. A commit counts as its first 64 bits.
fn seed(text: &str) -> Result<u64, String> {
    if text.len() == 40 {
        return u64::from_str_radix(&text[..16], 16).map_err(|error| error.to_string());
    }
    text.parse().map_err(|_| "neither a number nor a commit".to_owned())
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("not of the form FROM..TO")?;
    Ok(seed(from)?..seed(to)?)
}

/// Reads a fraction as parts in a million, without a float.
fn ppm(text: &str) -> Result<u32, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{fraction:0<6}");
    let number = |text: &str| text.parse::<u32>().map_err(|error| error.to_string());
    let ppm = number(whole)?.saturating_mul(1_000_000).saturating_add(number(&digits[..6])?);
    if ppm > 1_000_000 { Err("more than everything".to_owned()) } else { Ok(ppm) }
}

fn tricks(text: &str) -> Result<Tricks, String> {
    Ok(Tricks::of(&named(text, &TRICKS)?))
}

fn lies(text: &str) -> Result<Lies, String> {
    Ok(Lies::of(&named(text, &LIES_TOLD)?))
}

/// Those of some things that are named, separated by commas.
fn named<T: Copy + std::fmt::Debug>(text: &str, all: &[T]) -> Result<Vec<T>, String> {
    let name = |thing: &T| format!("{thing:?}").to_lowercase();
    match text {
        "none" => Ok(Vec::new()),
        "all" => Ok(all.to_vec()),
        _ => text
            .split(',')
            .map(|word| {
                let found = all.iter().find(|thing| name(thing) == word);
                let names: Vec<String> = all.iter().map(name).collect();
                found.copied().ok_or(format!("{word} is none of {}", names.join(", ")))
            })
            .collect(),
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Task::Run(cli.run)) {
        Task::Run(args) => run(&args),
        Task::Scenario { name: None, .. } => {
            for scenario in scenario::SCENARIOS {
                println!("{:28} {}", scenario.name, scenario.promise);
            }
            ExitCode::SUCCESS
        }
        Task::Scenario { name: Some(name), trace } => play(&name, trace),
        Task::CheckDeterminism { seeds, jobs } => many(seeds, jobs, &Options::default(), 1, false),
        Task::Stats { slow: true, .. } => {
            print!("{}", slow::table());
            ExitCode::SUCCESS
        }
        Task::Stats { members: true, write, .. } => table(crowd::SNAPSHOT, &crowd::table(), write),
        Task::Stats { write, .. } => table(stats::SNAPSHOT, &stats::table(), write),
        Task::Teeth { name } => bite(name.as_deref()),
    }
}

fn run(args: &Run) -> ExitCode {
    let options = Options {
        people: args.nodes,
        loss_ppm: args.loss,
        tricks: args.tricks,
        lies: args.lies,
        ..Options::default()
    };
    if let Some(seeds) = args.seeds.clone() {
        return many(seeds, args.jobs, &options, u64::from(args.twice), args.stop);
    }
    if args.twice
        && let Err(violation) = phases::compare_twice(args.seed, &options)
    {
        return failed(args.seed, &violation, &options);
    }
    let sink = || -> chatrpc_sim::world::TraceSink { Box::new(|line| println!("{line}")) };
    let began = Instant::now();
    let outcome = phases::run(args.seed, &options, args.trace.then(sink));
    if let Some(violation) = outcome.violation {
        return failed(args.seed, &violation, &options);
    }
    let events = outcome.counters.events;
    println!(
        "seed {} holds: {} s simulated, {events} events, {} deliveries, h={:016x}, {} ms",
        args.seed,
        outcome.simulated_us / 1_000_000,
        outcome.deliveries,
        outcome.chain.hash(),
        began.elapsed().as_millis(),
    );
    ExitCode::SUCCESS
}

fn many(seeds: Range<u64>, jobs: usize, options: &Options, twice: u64, stop: bool) -> ExitCode {
    let began = Instant::now();
    let total = sweep(seeds, jobs, options, twice, stop);
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    for (seed, violation) in &total.failures {
        println!("FAIL seed {seed}: {violation}");
    }
    println!("{}", total.summary());
    println!(
        "{ms} ms: {} events/s, {} node-seconds/s, {} seeds/min",
        total.counters.events * 1_000 / ms,
        total.counters.alive_us / 1_000 / ms,
        total.seeds * 60_000 / ms,
    );
    match total.failures.first() {
        Some((seed, violation)) => failed(*seed, violation, options),
        None => ExitCode::SUCCESS,
    }
}

fn failed(seed: u64, violation: &Violation, options: &Options) -> ExitCode {
    let nodes = options.people.map_or(String::new(), |people| format!(" --nodes {people}"));
    let loss = options.loss_ppm.map_or(String::new(), |ppm| format!(" --loss 0.{ppm:06}"));
    let twice = if violation.kind == Kind::Nondeterminism { " --twice" } else { "" };
    println!("oracle  {} ({:?})", violation.oracle, violation.kind);
    println!("node    n{}", violation.host);
    println!("time    {}.{:06} s", violation.at / 1_000_000, violation.at % 1_000_000);
    println!("what    {}", violation.text);
    println!("seed    {seed}");
    let tricks = options.tricks.map_or(String::new(), |tricks| format!(" --tricks {tricks}"));
    let lies = options.lies.map_or(String::new(), |lies| format!(" --lies {lies}"));
    let flags = format!("{nodes}{loss}{tricks}{lies}{twice}");
    println!("rerun   cargo run -p chatrpc-sim -- run --seed {seed}{flags} --trace");
    ExitCode::from(violation.kind.code())
}

fn play(name: &str, trace: bool) -> ExitCode {
    let known = |scenario: &scenario::Scenario| name == "all" || scenario.name == name;
    let wanted: Vec<_> = scenario::SCENARIOS.iter().filter(|scenario| known(scenario)).collect();
    if wanted.is_empty() {
        eprintln!("no scenario is called {name}");
        return ExitCode::from(2);
    }
    let mut worst = ExitCode::SUCCESS;
    for scenario in wanted {
        let sink = || -> chatrpc_sim::world::TraceSink { Box::new(|line| println!("{line}")) };
        let began = Instant::now();
        let verdict = scenario::play(scenario.name, trace.then(sink));
        let ms = began.elapsed().as_millis();
        match verdict {
            Ok(()) => println!("{:28} holds, {ms} ms", scenario.name),
            Err(violation) => {
                println!("{:28} FAILS: {violation}, {ms} ms", scenario.name);
                worst = ExitCode::from(violation.kind.code());
            }
        }
    }
    worst
}

fn table(path: &str, table: &str, write: bool) -> ExitCode {
    if write && let Err(error) = std::fs::write(path, table) {
        eprintln!("{path}: {error}");
        return ExitCode::FAILURE;
    }
    print!("{table}");
    ExitCode::SUCCESS
}

fn bite(name: Option<&str>) -> ExitCode {
    match teeth::bite_all(name) {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(report) => {
            print!("{report}");
            ExitCode::FAILURE
        }
    }
}
