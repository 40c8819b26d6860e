//! What the program prints: where a standard stream fails, that is an error with a reason and never a
//! panic; and whatever was typed, set or stored, no message of ours does anything to a terminal.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

mod support;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use support::{Process, chatrpc, nodeset, person};

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// Status and standard error of a command whose standard output is a full disk.
fn onto_full_disk(args: &[&str]) -> (i32, String) {
    let mut command = chatrpc(args);
    command.stdin(Stdio::null()).stdout(full()).stderr(Stdio::piped());
    let mut process = Process::onto(&mut command);
    (process.status(), process.errors())
}

/// The status of a command whose outputs are those.
fn status(args: &[&str], stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> i32 {
    let mut command = chatrpc(args);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    Process::onto(&mut command).status()
}

/// A pipe that nobody reads any more.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// Commands that print something and end.
const PRINTERS: [&[&str]; 9] = [
    &["secret"],
    &["completions", "bash"],
    &["man"],
    &["--help"],
    &["-h"],
    &["--version"],
    &["chat", "--help"],
    &["who", "-h"],
    &["secret", "--help"],
];

/// `chatrpc secret > FILE` on a full disk left an empty file and exit status 0.
#[test]
fn a_full_disk_is_an_error_with_a_reason() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let who = [&["who", addr.as_str()][..], &["who", &addr, "--json"]];
    let serve = ["nodeset", "--listen", "127.0.0.1:0"];
    for args in PRINTERS.iter().copied().chain(who).chain([&serve[..]]) {
        let (status, errors) = onto_full_disk(args);
        assert_eq!(status, 1, "{args:?}: {errors}");
        let what = "error: standard output cannot be written: No space left on device";
        assert!(errors.starts_with(what), "{args:?}: {errors}");
    }
    // Whoever chats learns it with the first line: of JSON that they are in, else of what is said.
    for json in [&["--json"][..], &[]] {
        let chat = ["chat", &addr, "-n", "bob", "--stay", "--listen", "127.0.0.1:0"];
        let mut command = chatrpc(&[&chat, json].concat());
        command.stdin(Stdio::null()).stdout(full()).stderr(Stdio::piped());
        let mut bob = Process::onto(&mut command);
        if json.is_empty() {
            bob.err.wait("* Welcome to the chat room, bob!");
            alice.say("hi");
        }
        assert_eq!(bob.status(), 1, "{}", bob.errors());
        assert!(bob.errors().contains("error: standard output cannot be written"));
    }
}

#[test]
fn standard_error_may_fail_as_well() {
    let (_nodeset, addr) = nodeset();
    for args in [&[][..], &["--nmae"], &["chat"], &["send", &addr, ""], &["10.0.0.1:1"]] {
        let ended = status(args, Stdio::null(), full());
        assert!(matches!(ended, 1 | 2), "{args:?}: {ended}");
        assert_eq!(status(args, Stdio::null(), unread()), 2, "{args:?}");
    }
    assert_eq!(status(&["who", &addr], Stdio::null(), full()), 1, "the answer is lost");
    assert_eq!(status(&["who", &addr], Stdio::null(), unread()), 0);
    // The log goes nowhere; the answer is there, or there is nobody.
    for log in ["-v", "-vv"] {
        for stderr in [full().into(), unread()] {
            assert_eq!(status(&["who", &addr, "--json", log], Stdio::null(), stderr), 0);
        }
        let chat = ["chat", &addr, "-n", "bob", log, "--listen", "127.0.0.1:0"];
        assert_eq!(status(&chat, Stdio::null(), unread()), 0);
        assert_eq!(status(&chat, Stdio::null(), full()), 1, "notices are lost");
    }
}

#[test]
fn a_reader_that_left_has_seen_enough() {
    let (_nodeset, addr) = nodeset();
    let who = [&["who", addr.as_str()][..], &["who", &addr, "--json"]];
    for args in PRINTERS.iter().copied().chain(who) {
        assert_eq!(status(args, unread(), Stdio::null()), 0, "{args:?}");
    }
}

#[test]
fn a_stream_that_is_closed_is_none() {
    let sh = |script: &str| {
        let mut command = chatrpc(&[]);
        let program = command.get_program().to_owned();
        let envs: Vec<_> =
            command.get_envs().map(|(k, v)| (k.to_owned(), v.map(OsStr::to_owned))).collect();
        command = Command::new("sh");
        for (name, value) in envs {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.args(["-c", script, "sh"]).arg(program).stdin(Stdio::null());
        let mut process = Process::of(&mut command);
        (process.status(), process.errors())
    };
    for task in ["secret", "man", "completions bash"] {
        let (status, errors) = sh(&format!(r#""$1" {task} >&-"#));
        assert_eq!((status, errors.as_str()), (1, "error: standard output is closed"), "{task}");
        assert_eq!(sh(&format!(r#""$1" {task} > /dev/null"#)), (0, String::new()), "{task}");
    }
    for task in
        ["send 127.0.0.1:9 -n x -", "chat 127.0.0.1:9 -n x", "chat 127.0.0.1:9 -n x --plain"]
    {
        let (status, errors) = sh(&format!(r#""$1" {task} <&-"#));
        assert_eq!(status, 1, "{task}: {errors}");
        assert!(errors.starts_with("error: standard input is closed"), "{task}: {errors}");
    }
    for task in ["--nmae", "chat"] {
        assert_eq!(sh(&format!(r#""$1" {task} 2>&-"#)).0, 2, "{task}");
    }
}

/// Letters, blanks and line feeds of our own, and nothing else.
#[track_caller]
fn assert_harmless(output: &str, what: &str) {
    let safe = |c: char| c == '\n' || (!c.is_control() && c != '\u{202E}' && c != '\u{200B}');
    assert!(output.chars().all(safe), "{what}: {output:?}");
    let ours = |line: &str| !line.contains("forged") || line.contains("␛");
    assert!(output.lines().all(ours), "{what} begins a line: {output:?}");
}

/// A window title, colours, a bell, C1, a direction, and a line that looks like the program's.
const EVIL: &str = "x\x1b]0;t\x07\x1b[31m\u{9b}1m\u{202E}\u{200B}\r\n  forged";

#[test]
fn nothing_that_was_typed_or_stored_acts_on_a_terminal() {
    let option = format!("--{EVIL}");
    let joined = |name: &str| format!("--{name}={EVIL}");
    let (listen, drain, color) = (joined("listen"), joined("drain"), joined("color"));
    let (max, room, file) = (joined("max-nodes"), joined("room"), joined("secret-file"));
    let (advertise, config) = (joined("advertise"), joined("config"));
    let log = format!("--log=/nonexistent/{EVIL}");
    let here = "127.0.0.1:9";
    let wrong: Vec<Vec<&str>> = vec![
        vec![EVIL],
        vec![&option],
        vec!["chat", &option],
        vec!["chat", here, EVIL],
        vec!["chat", EVIL],
        vec!["send", EVIL, "text"],
        vec!["send", here, "text", &option],
        vec!["send", here, "text", EVIL],
        vec!["send", "-n", EVIL, here, "text"],
        vec!["who", EVIL],
        vec!["who", here, &room],
        vec!["who", here, &file],
        vec!["nodeset", &listen],
        vec!["nodeset", &advertise],
        vec!["nodeset", &max],
        vec!["nodeset", EVIL],
        vec!["chat", here, "-n", "x", &listen],
        vec!["chat", here, "-n", "x", &drain],
        vec!["chat", here, "-n", "x", &color],
        vec!["chat", here, "-n", EVIL],
        vec!["chat", here, "-n", "x", "--plain", "--stay", "--ephemeral", &log],
        vec!["completions", EVIL],
        vec!["secret", EVIL],
        vec![&config, "who", here],
    ];
    let environment = ["NAME", "NODESET", "LISTEN", "ROOM", "COLOR", "SECRET"];
    for args in &wrong {
        let mut process = Process::of(chatrpc(args).stdin(Stdio::null()));
        let status = process.status();
        let errors = process.errors();
        assert!((1..=7).contains(&status) && !errors.is_empty(), "{args:?}: {status} {errors}");
        assert_harmless(&errors, &format!("{args:?}"));
        assert_harmless(&process.out.all().join("\n"), &format!("{args:?}"));
    }
    for name in environment {
        for args in [&["chat"][..], &["who"], &["nodeset", "--advertise", "x"]] {
            let mut command = chatrpc(args);
            command.env(format!("CHATRPC_{name}"), EVIL).stdin(Stdio::null());
            let mut process = Process::of(&mut command);
            assert_ne!(process.status(), 0);
            assert_harmless(&process.errors(), name);
        }
    }
    // Help names the program, whatever it was called by.
    use std::os::unix::process::CommandExt;
    let mut process = Process::of(chatrpc(&["-h"]).arg0(EVIL).stdin(Stdio::null()));
    assert_eq!(process.status(), 0);
    assert_harmless(&process.out.all().join("\n"), "argv[0]");
}

#[test]
fn nothing_in_a_file_acts_on_a_terminal() {
    let folder = std::env::temp_dir().join(format!("chatrpc-output-{}", std::process::id()));
    let evil = folder.join(EVIL.replace('/', ""));
    fs::create_dir_all(&evil).unwrap();
    let config = evil.join("config");
    let line = EVIL.replace(['\r', '\n'], "");
    for text in
        [format!("{line} = x"), format!("listen = {line}"), format!("color = {line}"), line.clone()]
    {
        fs::write(&config, text.as_bytes()).unwrap();
        let args = ["--config", config.to_str().unwrap(), "chat", "127.0.0.1:9", "-n", "x"];
        let mut process = Process::of(chatrpc(&args).stdin(Stdio::null()));
        assert_eq!(process.status(), 2);
        assert_harmless(&process.errors(), &text);
    }
    // Files of ours in a folder of that name, and not as they should be.
    let key = evil.join("chatrpc/key");
    fs::create_dir_all(key.parent().unwrap()).unwrap();
    fs::write(&key, b"short").unwrap();
    for mode in [0o644, 0o600] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = chatrpc(&["chat", "127.0.0.1:9", "-n", "x"]);
        let mut process = Process::of(command.env("XDG_DATA_HOME", &evil).stdin(Stdio::null()));
        assert_eq!(process.status(), 2);
        assert_harmless(&process.errors(), "key");
    }
    let secret = evil.join("secret");
    fs::write(&secret, EVIL).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let args = ["who", "127.0.0.1:9", "--secret-file", secret.to_str().unwrap()];
    let mut process = Process::of(chatrpc(&args).stdin(Stdio::null()));
    assert_eq!(process.status(), 2);
    assert_harmless(&process.errors(), "secret");
    fs::remove_dir_all(&folder).unwrap();
}
