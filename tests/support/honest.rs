//! Honest processes under attack: a nodeset, Alice and Bob who talk, and somebody who joins meanwhile.

#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chatrpc::machine::{SECRET, Secret};

use crate::attacker::Span;
use crate::insider::NAME;
use crate::support::{Process, chatrpc, nodeset};

/// How long a newcomer may take until everybody sees them.
pub const NEWCOMER: Duration = Duration::from_secs(3);
/// How long an attack may go on at most, whatever happens.
const ATTACK: Duration = Duration::from_secs(25);
/// How often Alice says something.
const EVERY: Duration = Duration::from_millis(10);

/// The program, in the room of the insiders.
pub fn in_room(args: &[&str]) -> Command {
    let mut command = chatrpc(&[args, &["--room", NAME]].concat());
    let secret = Secret::new([7; SECRET]).written();
    command.env("CHATRPC_SECRET", &*secret).stdin(Stdio::piped());
    command
}

/// Somebody in that room. Each has an address of their own: 127.0.1.`ip`.
pub fn member(nodeset: &str, name: &str, ip: u8, front: &str) -> Process {
    Process::of(&mut member_command(nodeset, name, ip, front))
}

pub fn member_command(nodeset: &str, name: &str, ip: u8, front: &str) -> Command {
    let listen = format!("127.0.1.{ip}:0");
    in_room(&["chat", nodeset, "-n", name, "--listen", &listen, front])
}

/// Where the newcomer of that number will be: who attacks may know before.
pub fn newcomer_at(number: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 2, number], 7_420))
}

/// Processor time so far.
pub fn cpu(process: &Process) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // Fields 14 and 15, in hundredths of a second (proc_pid_stat(5)).
    let ticks = |n: usize| fields[n].parse::<u64>().unwrap();
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}

/// Memory in use, in kB.
pub fn memory(process: &Process) -> i64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// How long what was said took to be shown.
pub struct Delivery(Vec<Duration>);

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut took = self.0.clone();
        took.sort();
        let part = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1_000.0;
        write!(f, "p50 {:.1} ms, p99 {:.1} ms of {}", part(50), part(99), took.len())
    }
}

/// A nodeset, Alice and Bob. One such scene at a time: they are measured.
pub struct Scene {
    pub nodeset: Process,
    pub addr: String,
    pub alice: Process,
    pub bob: Process,
    bob_id: String,
    said: usize,
    newcomers: u8,
    _alone: MutexGuard<'static, ()>,
}

impl Scene {
    pub fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (nodeset, addr) = nodeset();
        let mut alice = member(&addr, "alice", 1, "--json");
        alice.out.wait(r#""t":"ready""#);
        let mut bob = member(&addr, "bob", 2, "--json");
        let ready = bob.out.wait(r#""t":"ready""#);
        let bob_id = ready.split(r#""me":{"id":""#).nth(1).unwrap()[..13].to_owned();
        alice.out.wait(r#""name":"bob""#);
        let (said, newcomers) = (0, 0);
        Self { nodeset, addr, alice, bob, bob_id, said, newcomers, _alone: alone }
    }

    pub fn nodeset_at(&self) -> SocketAddr {
        self.addr.parse().unwrap()
    }

    /// Alice says one thing after another, and Bob shows each before the next.
    pub fn talk(&mut self, span: Duration) -> Delivery {
        let (end, mut took) = (Instant::now() + span, Vec::new());
        while Instant::now() < end {
            self.said += 1;
            let text = format!("word {}.", self.said);
            let start = Instant::now();
            self.alice.say(&format!(r#"{{"t":"send","text":"{text}"}}"#));
            self.bob.out.wait(&text);
            took.push(start.elapsed());
            thread::sleep(EVERY);
        }
        Delivery(took)
    }

    /// Somebody joins: how long until they see Alice and Bob, and are seen by both.
    pub fn newcomer(&mut self) -> Duration {
        self.newcomers += 1;
        let (name, start) = (format!("carol {}", self.newcomers), Instant::now());
        let listen = newcomer_at(self.newcomers).to_string();
        let args = ["chat", &self.addr, "-n", &name, "--listen", &listen, "--json"];
        let mut carol = Process::of(&mut in_room(&args));
        let mut seen = carol.out.wait(r#""t":"ready""#);
        for other in [r#""name":"alice""#, r#""name":"bob""#] {
            while !seen.contains(other) {
                seen.push_str(&carol.out.next_line().unwrap());
            }
        }
        for other in [&mut self.alice, &mut self.bob] {
            other.out.wait(&format!(r#""name":"{name}""#));
        }
        start.elapsed()
    }

    /// They talk in peace, then under attack, and somebody joins. Whatever the attack is: nothing is lost,
    /// nobody ends, the newcomer is in soon. Returns what the attack did.
    pub fn under<R: Send>(&mut self, what: &str, attack: impl FnOnce(&Span) -> R + Send) -> R {
        let calm = self.talk(Duration::from_secs(2));
        let span = Span::of(ATTACK);
        let (result, attacked, newcomer) = thread::scope(|scope| {
            let attacker = scope.spawn(|| attack(&span));
            self.talk(Duration::from_secs(1));
            let attacked = self.talk(Duration::from_secs(4));
            let newcomer = self.newcomer();
            span.end();
            (attacker.join().unwrap(), attacked, newcomer)
        });
        println!("{what}: calm {calm}; under attack {attacked}; newcomer {newcomer:.1?}");
        assert!(newcomer < NEWCOMER, "a newcomer took {newcomer:?}");
        self.check();
        result
    }

    /// Everybody is alive, and what was said was shown once and confirmed.
    pub fn check(&mut self) {
        for process in [&mut self.nodeset, &mut self.alice, &mut self.bob] {
            let ended = process.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {ended:?}, {}", process.errors());
        }
        let mut shown = vec![0; self.said];
        for line in self.bob.out.so_far() {
            let number =
                line.split(r#""text":"word "#).nth(1).and_then(|rest| rest.split_once('.'));
            if let Some((number, _)) = number {
                shown[number.parse::<usize>().unwrap() - 1] += 1;
            }
        }
        assert_eq!(shown, vec![1; self.said], "how often each was shown");
        self.alice.out.wait_for(&format!(r#""by":"{}""#, self.bob_id), self.said);
    }
}
