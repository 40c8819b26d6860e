//! The program as people and scripts meet it: real processes, real sockets, pipes, signals, and the
//! exit statuses that scripts depend on.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use support::{PATIENCE, PROGRAM, Process, chatrpc, ended, nodeset, nodeset_at, people, person};

/// Runs a command to its end without input: status, standard output, standard error.
fn run(args: &[&str]) -> (i32, String, String) {
    run_with(chatrpc(args).stdin(Stdio::null()))
}

fn run_with(command: &mut Command) -> (i32, String, String) {
    let mut process = Process::of(command);
    let status = process.status();
    (status, process.out.all().join("\n"), process.errors())
}

/// A file of this test process alone.
fn temporary(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("chatrpc-test-{}-{name}", std::process::id()))
}

// ---- A room ----

#[test]
fn three_people_talk_and_leave() {
    let (_nodeset, addr) = nodeset();
    let [mut alice, mut bob, mut carol] = people(&addr, ["alice", "bob", "carol"]);

    alice.say("hello, you two");
    assert_eq!(bob.out.wait("hello"), "alice: hello, you two");
    assert_eq!(carol.out.wait("hello"), "alice: hello, you two");
    bob.say("/me waves");
    assert_eq!(alice.out.wait("waves"), "bob: /me waves");
    carol.say("/msg alice psst");
    assert_eq!(alice.out.wait("psst"), "@carol: psst");
    carol.say("to all");
    assert_eq!(bob.out.wait(""), "carol: to all", "what is private did not arrive");

    bob.end_input();
    assert_eq!(bob.status(), 0);
    for other in [&mut alice, &mut carol] {
        other.err.wait("* bob has left the chat!");
    }
    alice.say("/nick alicia");
    carol.err.wait("* alice is now called alicia");
    alice.say("still here");
    assert_eq!(carol.out.wait("still"), "alicia: still here");
    alice.end_input();
    assert_eq!(alice.status(), 0);
    assert!(alice.out.all().iter().all(|line| line.contains(": ")), "messages and nothing else");
}

#[test]
fn a_mistyped_command_is_not_sent() {
    let (_nodeset, addr) = nodeset();
    let [mut alice, mut bob] = people(&addr, ["alice", "bob"]);
    bob.say("/nikc secret");
    let told = bob.err.wait("unknown command");
    assert!(told.contains("/nikc — did you mean /nick? (//nikc sends it as text)"), "{told}");
    bob.say("//nikc");
    assert_eq!(alice.out.wait(""), "bob: /nikc");
    bob.say("/help");
    bob.err.wait("* /msg NAME TEXT");
    bob.say("/who");
    bob.err.wait("* alice");
    bob.end_input();
    assert_eq!(bob.status(), 5, "a line of a pipe was not sent");
}

#[test]
fn a_message_is_one_line_whatever_is_in_it() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let text = "one\nbob: two\r\n\x1b[31m\u{202e}three";
    let (status, _, _) = run(&["send", &addr, "-n", "mallory", text]);
    assert_eq!(status, 0);
    assert_eq!(alice.out.wait(""), "mallory: one ⏎ bob: two ⏎ ␛[31m\u{fffd}three");
}

#[test]
fn who_is_killed_does_not_hinder_the_others() {
    let (_nodeset, addr) = nodeset();
    let [mut alice, mut bob, mut carol] = people(&addr, ["alice", "bob", "carol"]);
    carol.child.kill().unwrap();
    for n in 0..20 {
        alice.say(&format!("a{n}"));
        bob.say(&format!("b{n}"));
    }
    for n in 0..20 {
        assert_eq!(bob.out.next_line(), Some(format!("alice: a{n}")));
        assert_eq!(alice.out.next_line(), Some(format!("bob: b{n}")));
    }
}

#[test]
fn the_room_survives_its_nodeset() {
    let (nodeset, addr) = nodeset();
    let [mut alice, mut bob] = people(&addr, ["alice", "bob"]);
    drop(nodeset);
    alice.say("is anybody there?");
    assert_eq!(bob.out.wait("anybody"), "alice: is anybody there?");
    let (_nodeset, again) = nodeset_at(&addr);
    assert_eq!(again, addr);
    bob.say("always");
    assert_eq!(alice.out.wait("always"), "bob: always");
    // The new nodeset knows nobody until they renew their leases.
    let mut carol = person(&addr, "carol");
    alice.err.wait("* carol has entered the chat!");
    bob.err.wait("* carol has entered the chat!");
    carol.err.wait_anywhere("* alice has entered the chat!");
    carol.err.wait_anywhere("* bob has entered the chat!");
    carol.say("found you");
    assert_eq!(alice.out.wait("found"), "carol: found you");
    assert_eq!(bob.out.wait("found"), "carol: found you");
}

#[test]
fn ipv4_and_ipv6_meet_in_one_room() {
    if UdpSocket::bind("[::1]:0").is_err() {
        return;
    }
    let (_nodeset, addr) = nodeset_at("[::]:0");
    let port = addr.rsplit(':').next().unwrap();
    let join = |host: &str, name: &str| {
        let mut person = Process::start(&["chat", &format!("{host}:{port}"), "-n", name]);
        person.err.wait("* Welcome");
        person
    };
    let mut alice = join("127.0.0.1", "alice");
    let mut bob = join("[::1]", "bob");
    alice.err.wait("* bob has entered the chat!");
    alice.say("from 4 to 6");
    assert_eq!(bob.out.wait(""), "alice: from 4 to 6");
    bob.say("from 6 to 4");
    assert_eq!(alice.out.wait(""), "bob: from 6 to 4");
}

#[test]
fn a_chat_without_an_address_opens_a_room() {
    // An address of the loopback that is this process's own, so that the port is free.
    let [.., b, c] = std::process::id().to_be_bytes();
    let host = format!("127.77.{b}.{}", c.max(1));
    let listen = format!("{host}:0");
    let addr = format!("{host}:7420");
    // Unless somebody runs a nodeset on this computer, on all its addresses.
    let free = UdpSocket::bind(&addr).is_ok();
    let room = free.then(|| {
        let mut alice = Process::start(&["chat", "-n", "alice", "--listen", &listen]);
        let notice = alice.err.next_line().unwrap();
        let expected = format!("! you opened this room. Others join with:  {PROGRAM} chat {addr}");
        assert_eq!(notice, expected);
        alice.err.wait("* Welcome to the chat room, alice!");

        let mut bob = Process::start(&["chat", &host, "-n", "bob"]);
        alice.err.wait("* bob has entered the chat!");
        alice.say("welcome");
        assert_eq!(bob.out.wait(""), "alice: welcome");
        (alice, bob)
    });

    let (status, _, errors) = run(&["chat", "-n", "carol", "--listen", &listen]);
    assert_eq!(status, 6);
    assert!(errors.contains("error: UDP port 7420 is in use on this computer"), "{errors}");
    assert!(errors.contains(&format!("{PROGRAM} chat localhost")), "{errors}");
    drop(room);
}

// ---- Names ----

#[test]
fn names_that_cannot_be_had() {
    let (_nodeset, addr) = nodeset();
    let _alice = person(&addr, "alice");

    let (status, _, errors) = run(&["chat", &addr, "-n", "alice"]);
    assert_eq!(status, 4);
    let hint = format!("  try: {PROGRAM} chat {addr} -n alice2");
    assert_eq!(errors, format!("error: the name 'alice' is in use in this room\n{hint}"));

    // The first letter is Cyrillic.
    let (status, _, errors) = run(&["chat", &addr, "-n", "аlice"]);
    assert_eq!(status, 4);
    let hint = "  pick a name that cannot be confused";
    assert_eq!(errors, format!("error: 'аlice' looks the same as 'alice', who is here\n{hint}"));

    for name in ["x".repeat(31).as_str(), "a\u{7}b", "bob:", "* bob", "42"] {
        let (status, _, errors) = run(&["chat", &addr, "-n", name]);
        assert_eq!(status, 4, "{name}: {errors}");
        assert!(errors.starts_with("error: names "), "{errors}");
    }
    let (_, _, errors) = run(&["chat", &addr, "-n", &"x".repeat(31)]);
    let rule = "error: names are 1 to 24 columns, without control characters (got 31)";
    assert_eq!(errors, rule);

    let (status, _, errors) = run(&["chat", &addr]);
    assert_eq!(status, 2);
    assert_eq!(
        errors,
        format!(
            "error: --name is required when stdin is not a terminal\n  \
             try: echo hi | {PROGRAM} chat ADDR -n bot"
        )
    );
}

#[test]
fn a_program_learns_why_its_name_was_refused() {
    let (_nodeset, addr) = nodeset();
    let _alice = person(&addr, "alice");
    let (status, out, errors) = run(&["chat", &addr, "-n", "alice", "--json"]);
    assert_eq!((status, errors.as_str()), (4, ""));
    let objects: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2, "{out}");
    assert_eq!((&objects[0]["t"], &objects[0]["code"]), (&"error".into(), &"name_taken".into()));
    assert_eq!((&objects[1]["t"], &objects[1]["exit"]), (&"bye".into(), &4.into()));
}

// ---- Nodesets that are none ----

#[test]
#[ignore = "takes 15 s"]
fn nobody_answers() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = silent.local_addr().unwrap().to_string();
    let (status, _, errors) = run(&["who", &addr]);
    assert_eq!(status, 3);
    let expected = format!("error: no nodeset answered at {addr} (asked for 15 s)\n");
    assert!(errors.contains(&expected), "{errors}");
    assert!(errors.starts_with(&format!("* still asking {addr}, for 3 s\n")), "{errors}");
    assert!(errors.contains(&format!("\n  start one there:  {PROGRAM} nodeset")), "{errors}");
}

#[test]
fn nobody_listens() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for args in [["chat", &closed, "-n", "a"].as_slice(), &["who", &closed]] {
        let (status, _, errors) = run(args);
        assert_eq!(status, 3);
        let what = format!("error: nothing is listening at {closed} (connection refused)");
        let port = closed.rsplit_once(':').unwrap().1;
        // The one to be started is the one that was asked.
        let hint = format!("  try: {PROGRAM} nodeset --listen 0.0.0.0:{port}");
        assert_eq!(errors, format!("{what}\n{hint}"));
    }
    let (status, _, errors) = run(&["who", "no-such-host.invalid"]);
    let hint = "  check how it is written, or name the address itself";
    assert_eq!(status, 3);
    let what = "error: cannot resolve 'no-such-host.invalid': ";
    assert!(errors.contains(what) && errors.ends_with(hint), "{errors}");
}

#[test]
fn something_else_answers() {
    let echo = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = echo.local_addr().unwrap().to_string();
    echo.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&done);
    let server = thread::spawn(move || {
        let mut bytes = [0; 2048];
        while !over.load(Ordering::SeqCst) {
            if let Ok((len, from)) = echo.recv_from(&mut bytes) {
                let _ = echo.send_to(&bytes[..len], from);
            }
        }
    });
    for args in [["chat", &addr, "-n", "a"].as_slice(), &["who", &addr]] {
        let (status, _, errors) = run(args);
        assert_eq!(status, 7, "{errors}");
        let what = format!("error: {addr} answered, but it is not a chatrpc nodeset");
        let hint = "  check the port: who opened the room sees it with /invite";
        assert_eq!(errors, format!("{what}\n{hint}"));
    }
    done.store(true, Ordering::SeqCst);
    server.join().unwrap();
}

#[test]
fn a_port_in_use() {
    let (_nodeset, addr) = nodeset();
    let port: u16 = addr.rsplit(':').next().unwrap().parse().unwrap();
    let (status, _, errors) = run(&["nodeset", "--listen", &addr]);
    assert_eq!(status, 6);
    assert_eq!(
        errors,
        format!(
            "error: UDP port {port} is in use on this computer\n  \
             is a nodeset already running?  {PROGRAM} who localhost:{port}\n  \
             or: {PROGRAM} nodeset --listen 0.0.0.0:{}",
            port + 1
        )
    );
}

// ---- Pipes ----

#[test]
fn lines_that_cannot_be_said_do_not_stop_the_others() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let mut bob = person(&addr, "bob");
    bob.say("first");
    bob.say(&"x".repeat(5210));
    bob.stdin.as_mut().unwrap().write_all(b"\xff\xfe\nlast, without a line feed").unwrap();
    bob.end_input();
    assert_eq!(bob.status(), 5);
    let errors = bob.errors();
    let too_long = "* 5,210 bytes, the limit is 4,096: nothing was sent";
    let not_text = "* line 3 is not valid UTF-8: nothing was sent";
    assert!(errors.contains(too_long) && errors.contains(not_text), "{errors}");
    assert_eq!(alice.out.next_line().unwrap(), "bob: first");
    assert_eq!(alice.out.next_line().unwrap(), "bob: last, without a line feed");
}

#[test]
fn input_from_a_file_and_from_nowhere() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let file = temporary("lines");
    let lines: Vec<String> = (0..500).map(|n| format!("line {n} of a file")).collect();
    fs::write(&file, lines.join("\n")).unwrap();
    let stdin = fs::File::open(&file).unwrap();
    let (status, _, errors) =
        run_with(chatrpc(&["chat", &addr, "-n", "reader", "--plain"]).stdin(stdin));
    fs::remove_file(&file).unwrap();
    assert_eq!(status, 0, "{errors}");
    for line in lines {
        assert_eq!(alice.out.next_line().unwrap(), format!("reader: {line}"));
    }
    let (status, _, errors) = run(&["chat", &addr, "-n", "nobody"]);
    assert_eq!(status, 0, "{errors}");

    let mut stays =
        Process::of(chatrpc(&["chat", &addr, "-n", "stays", "--stay"]).stdin(Stdio::null()));
    alice.err.wait("* stays has entered the chat!");
    alice.say("good");
    assert_eq!(stays.out.wait(""), "alice: good");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let mut command = chatrpc(&["chat", &addr, "-n", "bob"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut bob = command.spawn().unwrap();
    alice.err.wait("* bob has entered the chat!");
    alice.say("one");
    let mut out = BufReader::new(bob.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "alice: one\n");
    drop(out);
    alice.err.wait("* bob has left the chat!");
    assert_eq!(ended(&mut bob).code(), Some(0));
}

#[test]
fn a_stalled_reader_does_not_hinder_the_room() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let mut command = chatrpc(&["chat", &addr, "-n", "bob", "--stay"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut bob = command.spawn().unwrap();
    alice.err.wait("* bob has entered the chat!");

    // More than the pipe and the queue hold. What cannot be shown is not confirmed, and waits.
    let line = "y".repeat(4000);
    let mut carol = Process::start(&["chat", &addr, "-n", "carol", "--drain", "60s"]);
    for n in 0..400 {
        carol.say(&format!("{line}{n}."));
    }
    carol.end_input();
    alice.out.wait("y399.");
    assert!(carol.child.try_wait().unwrap().is_none(), "she waits for bob");

    let mut lines = BufReader::new(bob.stdout.take().unwrap()).lines();
    for n in 0..400 {
        let shown = lines.next().unwrap().unwrap();
        assert!(shown.starts_with("carol: yyy") && shown.ends_with(&format!("y{n}.")), "{n}");
    }
    assert_eq!(carol.status(), 0, "{}", carol.errors());
    let terminated = Command::new("kill").arg(bob.id().to_string()).status().unwrap();
    assert!(terminated.success());
    let mut errors = String::new();
    bob.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(ended(&mut bob).code(), Some(143));
    assert!(!errors.contains("stalled"), "{errors}");
}

#[test]
fn signals_leave_properly() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    // What a hangup means depends on whether there is a terminal: tests/screen.rs, tests/files.rs.
    let others =
        ["QUIT", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "XCPU", "IO", "ABRT", "TRAP", "SYS"];
    let numbers = [3, 10, 12, 14, 26, 27, 24, 29, 6, 5, 31];
    let others = others.into_iter().zip(numbers).map(|(signal, number)| (signal, 128 + number));
    // What Linux alone has: SIGSTKFLT, SIGPWR, and the real-time signals, which have but numbers.
    let special: &[_] = if cfg!(target_os = "linux") {
        &[("STKFLT", 144), ("PWR", 158), ("36", 164), ("50", 178), ("64", 192)]
    } else {
        &[]
    };
    let others = others.chain(special.iter().copied());
    for (signal, status) in [("TERM", 143), ("INT", 0)].into_iter().chain(others) {
        if support::is_ignored(signal) {
            continue;
        }
        let name = format!("bob{signal}");
        let mut bob = person(&addr, &name);
        alice.err.wait(&format!("* {name} has entered the chat!"));
        bob.signal(signal);
        assert_eq!(bob.status(), status);
        alice.err.wait(&format!("* {name} has left the chat!"));
    }
}

#[test]
fn the_second_signal_does_not_wait() {
    let (nodeset, addr) = nodeset();
    let [mut alice, bob] = people(&addr, ["alice", "bob"]);
    // Bob is there, and will not answer.
    bob.signal("STOP");
    alice.say("to somebody who sleeps");
    alice.say("/who");
    alice.err.wait("* bob");
    alice.signal("TERM");
    alice.err.wait("* leaving: waiting for 1 message (again to leave at once)");
    alice.signal("TERM");
    assert_eq!(alice.status(), 143);
    drop((nodeset, bob));
}

#[test]
fn a_nodeset_ends_at_once() {
    for signal in ["TERM", "INT"] {
        if support::is_ignored(signal) {
            continue;
        }
        let (mut nodeset, _) = nodeset();
        nodeset.signal(signal);
        assert_eq!(nodeset.status(), 0);
    }
}

// ---- send, who ----

#[test]
fn send_waits_until_it_is_delivered() {
    let (_nodeset, addr) = nodeset();
    let (status, out, errors) = run(&["send", &addr, "hello?"]);
    assert_eq!((status, out.as_str()), (5, ""));
    assert!(errors.contains("* nobody is here to hear it"), "{errors}");

    let mut alice = person(&addr, "alice");
    assert_eq!(run(&["send", "-q", &addr, "/me says so"]), (0, String::new(), String::new()));
    assert_eq!(alice.out.wait(""), "tester: /me says so", "a text is no command");

    let mut piped = Process::start(&["send", &addr, "-n", "bot", "-"]);
    piped.say("/usr/bin/true");
    piped.say("two");
    piped.end_input();
    assert_eq!(piped.status(), 0);
    assert_eq!(alice.out.wait(""), "bot: /usr/bin/true");
    assert_eq!(alice.out.wait(""), "bot: two");
}

#[test]
fn who_lists_without_joining() {
    let (_nodeset, addr) = nodeset();
    let (status, out, errors) = run(&["who", &addr]);
    assert_eq!((status, out.as_str(), errors.as_str()), (0, "", "nobody is here"));
    let [mut alice, _bob] = people(&addr, ["alice", "bob"]);
    let (status, out, _) = run(&["who", &addr]);
    assert_eq!(status, 0);
    let mut names: Vec<&str> =
        out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["alice", "bob"]);
    let (status, out, _) = run(&["who", &addr, "--json"]);
    assert_eq!(status, 0);
    for line in out.lines() {
        assert!(line.starts_with(r#"{"v":1,"t":"person","#), "{line}");
        let person: Value = serde_json::from_str(line).unwrap();
        assert!(person["addr"].as_str().unwrap().starts_with("127.0.0.1:"));
        assert_eq!(person["id"].as_str().unwrap().len(), 13);
    }
    alice.end_input();
    alice.status();
    assert!(!alice.errors().contains("tester"), "nobody joined");
}

// ---- JSON ----

struct Program(Process);

impl Program {
    fn join(addr: &str, name: &str) -> (Self, Value) {
        let args = ["chat", addr, "-n", name, "--json", "--listen", "127.0.0.1:0"];
        let mut program = Self(Process::start(&args));
        let ready = program.next("ready");
        (program, ready)
    }

    /// The next object of that kind.
    fn next(&mut self, t: &str) -> Value {
        let line = self.0.out.wait(&format!(r#"{{"v":1,"t":"{t}","ts":""#));
        serde_json::from_str(&line).unwrap()
    }
}

#[test]
fn programs_talk_in_objects() {
    let (_nodeset, addr) = nodeset();
    let (mut alice, ready) = Program::join(&addr, "alice");
    assert_eq!(ready["me"]["name"], "alice");
    assert_eq!(ready["nodeset"], addr.as_str());
    assert_eq!(ready["people"], Value::Array(Vec::new()));
    let alice_id = ready["me"]["id"].clone();
    let (mut bob, ready) = Program::join(&addr, "bob");
    assert_eq!(ready["people"][0]["name"], "alice");
    let bob_id = ready["me"]["id"].clone();
    assert_eq!(alice.next("join")["who"]["id"], bob_id);

    alice.0.say(r#"{"t":"send","text":"bob: \u001b[31mhi","ref":"x1","unknown":[1]}"#);
    let sent = alice.next("sent");
    assert_eq!((&sent["ref"], &sent["to"]), (&"x1".into(), &1.into()));
    let acked = alice.next("acked");
    assert_eq!((&acked["id"], &acked["by"]), (&sent["id"], &bob_id));
    assert!(acked["rtt_ms"].is_u64());
    let done = alice.next("done");
    assert_eq!((&done["id"], &done["acked"]), (&sent["id"], &1.into()));
    assert_eq!(done["failed"], Value::Array(Vec::new()));
    let msg = bob.next("msg");
    assert_eq!(msg["id"], sent["id"]);
    assert_eq!(msg["from"]["id"], alice_id);
    assert_eq!(msg["text"], "bob: ␛[31mhi");
    let flags = ["action", "to", "late", "mention"].map(|name| msg[name].to_string());
    assert_eq!(flags, ["false", "null", "false", "true"]);

    let to = alice_id.as_str().unwrap();
    bob.0.say(&format!(r#"{{"t":"send","text":"psst","to":"{to}","action":true,"ref":7}}"#));
    assert_eq!(bob.next("sent")["ref"], 7);
    let msg = alice.next("msg");
    assert_eq!((&msg["to"], &msg["action"]), (&alice_id, &true.into()));

    bob.0.say(r#"{"t":"nick","name":"robert"}"#);
    let nick = alice.next("nick");
    assert_eq!((&nick["who"]["name"], &nick["was"]), (&"robert".into(), &"bob".into()));
    bob.0.say(r#"{"t":"who"}"#);
    let people = bob.next("status");
    assert_eq!((&people["code"], &people["people"][0]["id"]), (&"people".into(), &alice_id));

    bob.0.say(r#"{"t":"quit"}"#);
    assert_eq!(bob.next("status")["code"], "leaving");
    assert_eq!(bob.next("bye")["exit"], 0);
    assert_eq!(bob.0.status(), 0);
    let leave = alice.next("leave");
    assert_eq!((&leave["who"]["id"], &leave["why"]), (&bob_id, &"quit".into()));
}

/// A program that means an id reaches that one or nobody, whatever somebody is called.
#[test]
fn programs_reach_nobody_by_name() {
    let (_nodeset, addr) = nodeset();
    let (mut alice, ready) = Program::join(&addr, "alice");
    assert_eq!(ready["me"]["key"].as_str().map(str::len), Some(64));
    let (mut bob, ready) = Program::join(&addr, "bob");
    let (id, key) = (ready["me"]["id"].clone(), ready["me"]["key"].clone());
    assert_eq!(alice.next("join")["who"]["key"], key);
    let (id, key) = (id.as_str().unwrap().to_owned(), key.as_str().unwrap().to_owned());
    let mut send =
        |to: &str| alice.0.say(&format!(r#"{{"t":"send","text":"psst","to":{to},"ref":1}}"#));
    for to in ["bob", &id[..4], &id[..12], &id.to_uppercase(), &format!("bob·{}", &id[..4]), ""] {
        send(&format!("{to:?}"));
    }
    for to in ["7", "true", "[]", r#"{"name":"bob"}"#] {
        send(to);
    }
    send(&format!("{id:?}"));
    send(&format!("{key:?}"));
    for _ in 0..10 {
        assert_eq!(alice.next("error")["code"], "bad_input");
    }
    for _ in 0..2 {
        assert_eq!(alice.next("sent")["to"], 1);
        assert_eq!(bob.next("msg")["to"], id.as_str());
    }
    bob.0.say(r#"{"t":"quit"}"#);
    alice.next("leave");
    for to in [&id, &key] {
        alice.0.say(&format!(r#"{{"t":"send","text":"psst","to":"{to}"}}"#));
        assert_eq!(alice.next("error")["code"], "nobody");
    }
}

#[test]
fn mistakes_of_programs_are_answered_and_survived() {
    let (_nodeset, addr) = nodeset();
    let (mut alice, _) = Program::join(&addr, "alice");
    let mut mistake = |line: &str, code: &str| {
        alice.0.say(line);
        let error = alice.next("error");
        assert_eq!(error["code"], code, "{line}");
        error
    };
    mistake("not json", "bad_input");
    mistake("[1]", "bad_input");
    mistake(r#"{"text":"hi"}"#, "bad_input");
    assert_eq!(mistake(r#"{"t":"dance","ref":"d"}"#, "bad_input")["ref"], "d");
    assert_eq!(mistake(r#"{"t":"send","ref":"s"}"#, "bad_input")["ref"], "s");
    mistake(r#"{"t":"send","text":7}"#, "bad_input");
    mistake(&format!(r#"{{"t":"send","text":"{}"}}"#, "x".repeat(20_000)), "too_long");
    mistake(&format!(r#"{{"t":"send","text":"{}"}}"#, "x".repeat(300_000)), "bad_input");
    let long = format!(r#"{{"t":"send","text":"{}","ref":"l"}}"#, "x".repeat(4097));
    assert_eq!(mistake(&long, "too_long")["ref"], "l");
    let nobody = format!(r#"{{"t":"send","text":"hi","to":"{}"}}"#, "a".repeat(13));
    mistake(&nobody, "nobody");
    mistake(r#"{"t":"nick","name":"a:"}"#, "bad_name");
    mistake(r#"{"t":"send","text":" "}"#, "empty");
    alice.0.say(r#"{"t":"send","text":"still here"}"#);
    assert!(alice.next("sent").get("ref").is_none(), "a ref belongs to one request");
    alice.0.end_input();
    assert_eq!(alice.0.status(), 0);
}

// ---- The process itself ----

/// User and system time so far, in clock ticks.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn one_thread_that_sleeps_when_there_is_nothing_to_do() {
    let (nodeset, addr) = nodeset();
    let [alice, bob] = people(&addr, ["alice", "bob"]);
    let pids = [nodeset.child.id(), alice.child.id(), bob.child.id()];
    let before = pids.map(ticks);
    // The span is what is measured, not a wait for something to happen.
    thread::sleep(Duration::from_secs(2));
    for (pid, before) in pids.into_iter().zip(before) {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().count();
        assert_eq!(threads, 1);
        assert!(ticks(pid) <= before + 1, "{} ticks in 2 s", ticks(pid) - before);
    }
}

#[test]
fn a_service_manager_is_told() {
    let path = temporary("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = chatrpc(&["nodeset", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").env_remove("WATCHDOG_PID");
    let mut nodeset = Process::of(command.stdin(Stdio::null()));
    let addr = nodeset.out.wait("Listening on: ").replace("Listening on: ", "");
    let port = addr.rsplit(':').next().unwrap();
    let hear = |wanted: &str| {
        let mut bytes = [0; 256];
        loop {
            let len = manager.recv(&mut bytes).expect(wanted);
            if bytes[..len] == *wanted.as_bytes() {
                return;
            }
        }
    };
    hear("READY=1");
    hear(&format!("STATUS=0 members, udp {port}"));
    hear("WATCHDOG=1");
    let alice = person(&addr, "alice");
    hear(&format!("STATUS=1 member, udp {port}"));
    hear("WATCHDOG=1");
    drop(alice);
    nodeset.signal("TERM");
    hear("STOPPING=1");
    assert_eq!(nodeset.status(), 0);
    fs::remove_file(&path).unwrap();
}

// ---- The command line ----

#[test]
fn the_command_line_explains_itself() {
    let (status, _, errors) = run(&[]);
    assert_eq!(status, 2);
    assert!(errors.contains(" nodeset") && errors.contains(" chat "), "{errors}");
    let (status, _, errors) = run(&["10.0.0.5:7000"]);
    assert_eq!(status, 2);
    assert_eq!(
        errors,
        format!(
            "error: unrecognized subcommand '10.0.0.5:7000'\n  \
             did you mean: {PROGRAM} chat 10.0.0.5:7000"
        )
    );
    let (status, out, _) = run(&["-h"]);
    assert!(status == 0 && out.starts_with("Examples:"), "{out}");
    let (status, out, _) = run(&["completions", "bash"]);
    assert!(status == 0 && out.contains("_chatrpc()"));
    let (status, out, _) = run(&["man"]);
    assert!(status == 0 && out.contains(".TH chatrpc 1"));
}

#[test]
fn flags_then_environment_then_file() {
    let (_nodeset, addr) = nodeset();
    let file = temporary("config");
    fs::write(&file, "# a comment\nname = from-file\ndrain = 1s\n").unwrap();
    let welcome = |args: &[&str], env: Option<&str>| {
        let mut command = chatrpc(&["chat", &addr, "--config", file.to_str().unwrap()]);
        command.args(args).envs(env.map(|name| ("CHATRPC_NAME", name)));
        run_with(command.stdin(Stdio::null())).2
    };
    assert!(welcome(&[], None).contains("Welcome to the chat room, from-file!"));
    assert!(welcome(&[], Some("from-env")).contains("Welcome to the chat room, from-env!"));
    let flag = welcome(&["-n", "from-flag"], Some("from-env"));
    assert!(flag.contains("Welcome to the chat room, from-flag!"), "{flag}");

    fs::write(&file, "name = a\n\nnmae = b\n").unwrap();
    let (status, _, errors) = run(&["--config", file.to_str().unwrap(), "who", &addr]);
    let expected = format!("error: {}:3: unknown key 'nmae': did you mean 'name'?", file.display());
    assert_eq!((status, errors), (2, expected));
    let (status, ..) = run(&["--config", "none", "who", &addr]);
    assert_eq!(status, 0);
    fs::remove_file(&file).unwrap();
    let (status, ..) = run(&["--config", file.to_str().unwrap(), "who", &addr]);
    assert_eq!(status, 2, "a file that was asked for must be there");
}
