//! Real programs in rooms: whatever they write is allowed, and most of what is allowed is written.

use serde_json::Value;

use crate::contract;
use crate::schema::Seen;
use crate::support::{Process, chatrpc, nodeset};
use crate::written::seen;

/// A program in a room.
fn program(name: &str, more: &[&str]) -> Process {
    // Who opens a room has an address of their own, for the port of the nodeset.
    let listen = if more.is_empty() { "127.0.1.37:0" } else { "127.0.0.1:0" };
    let args = [&["chat"], more, &["-n", name, "--json", "--listen", listen]].concat();
    let mut program = Process::start(&args);
    program.out.wait(r#""t":"ready""#);
    program
}

fn ask(program: &mut Process, line: &str, answer: &str) -> Value {
    program.say(line);
    serde_json::from_str(&program.out.wait(answer)).unwrap()
}

/// Everything that a program has written, once it has ended.
fn written(program: &mut Process, status: i32) -> Seen {
    assert_eq!(program.status(), status);
    let lines: Vec<String> = program.out.all().to_vec();
    let is = |line: &String, t: &str| line.contains(&format!(r#"{{"v":1,"t":"{t}","#));
    let begins = |line| {
        is(line, "ready") || is(line, "error") || line.contains(r#""opened""#) || is(line, "path")
    };
    assert!(begins(&lines[0]), "{lines:#?}");
    let bye = lines.iter().position(|line| is(line, "bye"));
    assert_eq!(bye, Some(lines.len() - 1), "{lines:#?}");
    assert!(lines[lines.len() - 1].ends_with(&format!(r#""exit":{status}}}"#)), "{lines:#?}");
    // Why it failed stands right before it, and is the answer to nothing.
    let why = lines.len().checked_sub(2).map(|at| &lines[at]);
    let told = why.is_some_and(|line| is(line, "error") && !line.contains(r#""ref""#));
    assert_eq!(told, status != 0, "{lines:#?}");
    seen(lines.iter().map(String::as_str))
}

/// A run that fails before it is in.
fn fails(args: &[&str], status: i32, code: &str) -> Seen {
    let mut program = Process::of(&mut chatrpc(args));
    let all = written(&mut program, status);
    assert!(all.contains(&format!("error.code {code}")), "{args:?}: {all:?}");
    all
}

#[test]
fn what_real_programs_write_is_allowed() {
    let (_nodeset, addr) = nodeset();
    let mut all = Seen::new();
    let mut alice = program("alice", &[&addr]);
    let mut bob = program("bob", &[&addr]);
    alice.out.wait(r#""t":"join""#);
    let people = ask(&mut alice, r#"{"t":"who","ref":"w"}"#, r#""code":"people""#);
    let bob_id = people["people"][0]["id"].as_str().unwrap().to_owned();
    ask(&mut alice, r#"{"t":"who"}"#, r#""code":"people""#);
    // What the doctor has found stands right before how much it is.
    alice.say(r#"{"t":"doctor","ref":[7]}"#);
    let finding: Value = serde_json::from_str(&alice.out.wait(r#""t":"finding""#)).unwrap();
    let end: Value = serde_json::from_str(&alice.out.wait(r#""code":"examined""#)).unwrap();
    assert_eq!((&finding["cause"], finding.get("ref")), (&"well".into(), None));
    assert_eq!((&end["findings"], &end["ref"]), (&1.into(), &serde_json::json!([7])));
    ask(&mut alice, r#"{"t":"send","text":"bob: hi\n\u0007","ref":[1]}"#, r#""t":"done""#);
    let private = format!(r#"{{"t":"send","text":"psst","to":"{bob_id}","action":true}}"#);
    ask(&mut alice, &private, r#""t":"done""#);
    bob.out.wait(r#""text":"psst""#);
    ask(&mut bob, r#"{"t":"nick","name":"robert","ref":null}"#, r#""t":"nick""#);
    alice.out.wait(r#""was":"bob""#);
    // Somebody who can be taken for her, and gets the name once she has another one.
    ask(&mut bob, r#"{"t":"nick","name":"AIice"}"#, r#""code":"name_alike""#);
    ask(&mut bob, r#"{"t":"nick","name":"alice","ref":1}"#, r#""code":"name_taken""#);
    for (line, code) in [
        (r#"{"t":"nick","name":"a:"}"#, "bad_name"),
        (r#"{"t":"send","text":" "}"#, "empty"),
        (r#"{"t":"send","text":"x","to":"aaaaaaaaaaaaa"}"#, "nobody"),
        (r#"{"t":"dance"}"#, "bad_input"),
    ] {
        ask(&mut bob, line, &format!(r#""code":"{code}""#));
    }
    for (t, code) in [("history", "history"), ("search", "search"), ("forget", "forgotten")] {
        let line = format!(r#"{{"t":"{t}","text":"x","ref":"k"}}"#);
        let answer = ask(&mut bob, &line, &format!(r#""code":"{code}""#));
        assert_eq!(answer["ref"], "k");
    }
    let long = format!(r#"{{"t":"send","text":"{}"}}"#, "x".repeat(4097));
    ask(&mut bob, &long, r#""code":"too_long""#);
    // Who is not in that room reads it without joining.
    let mut who = Process::of(&mut chatrpc(&["who", &addr, "--json"]));
    assert_eq!(who.status(), 0);
    let lines = who.out.all().to_vec();
    assert_eq!(lines.len(), 2, "no bye where nothing failed");
    all.append(&mut seen(lines.iter().map(String::as_str)));
    let mut doctor = Process::of(&mut chatrpc(&["doctor", &addr, "--json"]));
    all.append(&mut written(&mut doctor, 0));
    ask(&mut bob, r#"{"t":"quit","ref":"q"}"#, r#""code":"leaving""#);
    all.append(&mut written(&mut bob, 0));
    alice.out.wait(r#""t":"leave""#);
    ask(&mut alice, r#"{"t":"send","text":"nobody is here"}"#, r#""to":0"#);
    alice.end_input();
    all.append(&mut written(&mut alice, 0));

    // Alone, next door to somebody.
    let mut carol = program("carol", &[&addr]);
    let mut dave = program("dave", &[&addr, "--room", "other"]);
    dave.out.wait(r#""code":"elsewhere""#);
    carol.end_input();
    dave.end_input();
    all.append(&mut written(&mut carol, 0));
    all.append(&mut written(&mut dave, 0));
    let objects = |name: &String| name.ends_with(".t");
    let left: Vec<String> =
        contract().all("out").difference(&all).filter(|name| objects(name)).cloned().collect();
    let elsewhere = ELSEWHERE.map(|name| format!("status_{name}.t"));
    assert_eq!(left, [&["room.t".to_owned()], &elsewhere[..]].concat());
}

/// What takes a network of one's own (tests/lan.rs), and those of a status: what takes minutes, a fault of the network, an impostor, or a room of one's own: written.rs and the
/// tests below have it, and others make it happen.
const ELSEWHERE: [&str; 16] = [
    "alike",
    "apart",
    "does_not_read",
    "dropped",
    "forked",
    "found",
    "lost",
    "missing",
    "nodeset_back",
    "nodeset_silent",
    "opened",
    "other_key",
    "reachable",
    "reads_again",
    "twins",
    "unreachable",
];

#[test]
fn runs_that_fail_say_so() {
    let (_nodeset, addr) = nodeset();
    let _alice = program("alice", &[&addr]);
    let nobody = "127.0.0.1:9";
    fails(&["chat", nobody, "-n", "bob", "--json"], 3, "no_nodeset");
    fails(&["who", nobody, "--json"], 3, "no_nodeset");
    fails(&["doctor", nobody, "--json", "--room", "a:"], 2, "room");
    fails(&["chat", &addr, "-n", "alice", "--json"], 4, "name_taken");
    fails(&["chat", &addr, "-n", "AIice", "--json"], 4, "name_alike");
    fails(&["chat", &addr, "-n", "a:", "--json"], 4, "bad_name");
    fails(&["chat", &addr, "--json"], 2, "no_name");
    fails(&["chat", &addr, "-n", "bob", "--json", "--room", "a:"], 2, "room");
    fails(&["chat", &addr, "-n", "bob", "--json", "--secret-file", "/dev/null"], 2, "secret");
    fails(&["chat", &addr, "-n", "bob", "--json", "--log=/nowhere/x"], 2, "log");
    fails(&["chat", "-n", "bob", "--json", "--listen", &addr], 6, "in_use");
    fails(&["chat", &addr, "-n", "bob", "--json", "--listen", "192.0.2.1:1024"], 6, "bind");
}

/// Who opens a room says so before anything else, and, leaving, who still needs it.
#[test]
fn a_room_that_is_opened_is_told_first() {
    let mut host = program("host", &[]);
    let first: Value = serde_json::from_str(&host.out.so_far()[0]).unwrap();
    assert_eq!(first["code"], "opened");
    let nodeset = first["addr"].as_str().unwrap().to_owned();
    let mut guest = program("guest", &[&nodeset]);
    host.out.wait(r#""t":"join""#);
    host.say(r#"{"t":"quit"}"#);
    host.out.wait(r#""code":"remark""#);
    let all = written(&mut host, 0);
    assert!(all.contains("status_opened.line") && all.contains("status_remark.message"));
    guest.out.wait(r#""t":"leave""#);
    guest.end_input();
    written(&mut guest, 0);
}

/// It was forgotten that way alone: who was there, for the next time when no nodeset answers.
#[test]
fn a_program_that_quits_remembers_who_was_there() {
    let (_nodeset, addr) = nodeset();
    let mut alice = Process::start(&["chat", &addr, "-n", "alice", "--json"]);
    let ready: Value = serde_json::from_str(&alice.out.wait(r#""t":"ready""#)).unwrap();
    let mut command = chatrpc(&["chat", &addr, "-n", "bob", "--json"]);
    let state = command.get_envs().find(|(name, _)| *name == "XDG_STATE_HOME");
    let kept = std::path::Path::new(state.unwrap().1.unwrap()).join("chatrpc/peers");
    let mut bob = Process::of(command.stdin(std::process::Stdio::piped()));
    bob.out.wait(r#""t":"ready""#);
    ask(&mut bob, r#"{"t":"send","text":"hi"}"#, r#""t":"done""#);
    bob.say(r#"{"t":"quit"}"#);
    assert_eq!(bob.status(), 0);
    let kept = std::fs::read_to_string(kept).unwrap();
    assert!(kept.contains(ready["addr"].as_str().unwrap()), "{kept}");
    alice.end_input();
    assert_eq!(alice.status(), 0);
}
