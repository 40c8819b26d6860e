//! What is said stays out of logs, and secrets out of the memory that they have passed through.
//!
//! `-vv` wrote every event with its text, private messages and mistyped commands among them; `-v` at a
//! nodeset wrote a line for each datagram of junk.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod support;

use std::fs::{self, File};
use std::net::UdpSocket;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::process::Stdio;

use chatrpc::machine::{Identity, Name, Room, SECRET, Secret};

use support::{Process, chatrpc, nodeset, person};

/// Text that stands for all that nobody else may read.
const HUSH: &str = "hunter2";

#[test]
fn no_log_holds_what_was_said_or_typed() {
    let (_nodeset, addr) = nodeset();
    for (mode, lines) in [
        (
            "--plain",
            [
                "X hunter2",
                "/msg bob hunter2",
                "/me hunter2",
                "/hunter2 bob",
                "/msg hunter2 x",
                "/verify bob",
            ],
        ),
        (
            "--json",
            [
                r#"{"t":"send","text":"hunter2"}"#,
                r#"{"t":"send","text":"hunter2","action":true}"#,
                r#"{"t":"send","text":"x","to":"hunter2"}"#,
                r#"{"t":"hunter2"}"#,
                r#"{"t":"nick","name":"hunter2:"}"#,
                r#"{"t":"send","text":"hunter2","ref":"hunter2"}"#,
            ],
        ),
    ] {
        let mut bob = person(&addr, "bob");
        let args = ["-vv", "chat", &addr, "-n", "alice", mode, "--listen", "127.0.0.1:0"];
        let mut alice = Process::of(chatrpc(&args).stdin(Stdio::piped()));
        bob.err.wait("alice has entered the chat!");
        bob.say("alice: hunter2 hunter2");
        bob.say("/msg alice hunter2");
        alice.out.wait(HUSH);
        lines.iter().for_each(|line| alice.say(line));
        bob.out.wait(HUSH);
        alice.end_input();
        alice.status();
        // What the program says to people goes the same way; the log has the time in front.
        let is_log = |line: &&String| line.starts_with("20") && line.contains(" [chatrpc");
        let log: Vec<&String> = alice.err.all().iter().filter(is_log).collect();
        assert!(log.iter().any(|line| line.contains("message: ")), "{log:#?}");
        assert!(log.iter().any(|line| line.contains("bytes from")), "there is a line per datagram");
        for line in log {
            assert!(!line.contains(HUSH), "{line}");
        }
        bob.say("/quit");
        bob.status();
    }
}

/// Whoever sends junk does not fill the disk of whoever looks: a line at once, and one for all the rest
/// of ten seconds.
#[test]
fn junk_is_counted_and_not_listed() {
    let args = ["-v", "nodeset", "--listen", "127.0.0.1:0"];
    let mut nodeset = Process::of(chatrpc(&args).stdin(Stdio::null()));
    let addr = nodeset.out.wait("Listening on: ").replace("Listening on: ", "");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |n: u32| assert_eq!(socket.send_to(&n.to_be_bytes(), &addr).unwrap(), 4);
    send(0);
    nodeset.err.wait("refused so far: 1 malformed");
    (0..2_000).for_each(send);
    // The next line, ten seconds later, has them all, but for those that found no room.
    let last = nodeset.err.wait("refused so far: ");
    let (_, count) = last.split_once("refused so far: ").unwrap();
    let count: u64 = count.split(' ').next().unwrap().parse().unwrap();
    assert!(count > 100, "{last}");
    nodeset.signal("TERM");
    let lines = nodeset.err.all().iter().filter(|line| line.contains("refused so far")).count();
    assert_eq!(lines, 2);
}

/// Secrets were moved from place to place, and each place kept a copy: a dozen of one room's keys on the
/// stack. Now each has one place, and what is computed from it is overwritten.
#[cfg(target_os = "linux")]
#[test]
fn a_secret_is_in_one_place() {
    let (_nodeset, addr) = nodeset();
    let folder = format!("{}/one-place-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(format!("{folder}/chatrpc")).unwrap();
    let key: [u8; 32] = core::array::from_fn(|n| (n as u8).wrapping_mul(37) ^ 0x5A);
    let secret: [u8; SECRET] = core::array::from_fn(|n| (n as u8).wrapping_mul(91) ^ 0xA5);
    let file = format!("{folder}/ops.secret");
    let room = Room::new(Name::parse("ops").unwrap(), Some(&Secret::new(secret)));
    for (path, bytes) in [
        (format!("{folder}/chatrpc/key"), &key[..]),
        (file.clone(), Secret::new(secret).written().as_bytes()),
    ] {
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let start = |name: &str, home: &str| {
        let args = ["chat", &addr, "-n", name, "--plain", "--listen", "127.0.0.1:0"];
        let args = [&args[..], &["--room", "ops", "--secret-file", &file]].concat();
        let mut command = chatrpc(&args);
        Process::of(command.stdin(Stdio::piped()).env("XDG_DATA_HOME", home))
    };
    let mut alice = start("alice", &folder);
    alice.err.wait("* Welcome to the chat room, alice!");
    let mut bob = start("bob", &format!("{folder}/bob"));
    alice.err.wait("* bob has entered the chat!");
    alice.say("hello");
    bob.out.wait("alice: hello");
    bob.say("hi");
    alice.out.wait("bob: hi");
    let Some(memory) = memory_of(&alice) else {
        return eprintln!("SKIPPED: the memory of a process cannot be read here");
    };
    let identity = Identity::new(&key);
    for (what, bytes) in [
        ("identity", &key[..]),
        ("half of the handshake", &identity.agreement()[..]),
        ("secret", &secret),
        ("room", room.psk()),
    ] {
        let places =
            memory.iter().map(|part| part.windows(bytes.len()).filter(|at| *at == bytes).count());
        assert_eq!(places.sum::<usize>(), 1, "places of the {what}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// All that a process can write to.
fn memory_of(process: &Process) -> Option<Vec<Vec<u8>>> {
    let pid = process.child.id();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut parts = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, rest) = line.split_once('-')?;
        let (end, _) = rest.split_once(' ')?;
        let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        let mut part = vec![0; (end - start) as usize];
        if memory.read_exact_at(&mut part, start).is_ok() {
            parts.push(part);
        }
    }
    Some(parts)
}
