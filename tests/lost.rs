//! Real processes: who is killed, or stops, is told of in seconds while people talk.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

mod support;

use std::time::{Duration, Instant};

use support::{Process, nodeset};

fn json(addr: &str, name: &str) -> Process {
    Process::start(&["chat", addr, "-n", name, "--json", "--listen", "127.0.0.1:0"])
}

/// Four who have talked, and whether each of the others says that the last one may be lost.
fn four() -> (Process, Vec<Process>, Process) {
    let (nodeset, addr) = nodeset();
    let mut others: Vec<Process> = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let mut one = json(&addr, name);
        one.out.wait(r#""t":"ready""#);
        others.push(one);
    }
    let mut dave = json(&addr, "dave");
    dave.out.wait(r#""t":"ready""#);
    for other in &mut others {
        other.out.wait(r#""name":"dave""#);
    }
    dave.say(r#"{"t":"send","text":"hello"}"#);
    dave.out.wait(r#""acked":3,"failed":[]"#);
    (nodeset, others, dave)
}

fn lost(others: &mut [Process]) -> Duration {
    let began = Instant::now();
    for other in others {
        let line = other.out.wait(r#""code":"lost""#);
        assert!(line.contains(r#""name":"dave""#), "{line}");
    }
    began.elapsed()
}

#[test]
fn who_is_killed_is_told_of_in_seconds() {
    let (_nodeset, mut others, mut dave) = four();
    dave.child.kill().unwrap();
    let took = lost(&mut others);
    // 2.5 s until somebody asks, and what a busy computer takes.
    assert!(took < Duration::from_secs(8), "{took:?}");
    // What is said to them waits, and is not done.
    others[0].say(r#"{"t":"send","text":"are you there?"}"#);
    let sent = others[0].out.wait(r#""t":"sent""#);
    assert!(sent.contains(r#""to":3"#), "{sent}");
}

#[test]
fn who_stops_for_a_while_is_found_again_and_has_not_left() {
    let (_nodeset, mut others, dave) = four();
    dave.signal("STOP");
    lost(&mut others);
    dave.signal("CONT");
    for other in &mut others {
        other.out.wait(r#""code":"found""#);
        other.signal("TERM");
        let dave = |line: &String| line.contains(r#""t":"leave""#) && line.contains("dave");
        assert!(!other.out.all().iter().any(dave));
    }
}
