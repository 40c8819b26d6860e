//! The line that is printed for others to join is the line that works, and whoever keeps the door open
//! for others is told so before they close it.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

#[path = "support/pty.rs"]
mod pty;
mod support;

use std::fs::{self, Permissions};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use pty::{SMALL, Setup, Terminal};
use rustix::process::Signal;
use support::{PROGRAM, Process, chatrpc, nodeset, person};

const SECRET: &str = "aaaqeayeaudaocajbifqydiob4ibceqtic";

/// An address of the loopback where this test alone opens rooms. `None` where somebody runs a nodeset on
/// all addresses of this computer.
fn host() -> Option<String> {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let [.., b, c] = std::process::id().to_be_bytes();
    let host = format!("127.{}.{b}.{}", 80 + COUNT.fetch_add(1, Ordering::Relaxed), c.max(1));
    let free = UdpSocket::bind(format!("{host}:7420")).is_ok();
    if !free {
        eprintln!("SKIPPED: port 7420 is taken on every address");
    }
    free.then_some(host)
}

fn secret_file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("chatrpc-invite-{}-{name}", std::process::id()));
    fs::write(&path, SECRET).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// A shell that is given a line, with the environment of our programs.
fn shell(line: &str, name: &str) -> Process {
    let program = chatrpc(&[]);
    let mut command = Command::new("sh");
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("CHATRPC_NAME", name).args(["-c", line]).stdin(Stdio::piped());
    Process::of(&mut command)
}

/// The line of a host in `ops` was `chatrpc chat ADDR`: the guest sat alone in the lobby, the host alone
/// in ops, and after `cargo run` nobody had a `chatrpc`.
#[test]
fn what_is_printed_is_what_works() {
    let Some(host) = host() else { return };
    let file = secret_file("works");
    for (room, secret) in
        [("lobby", false), ("ops", false), ("it's $HOME; `x` \\ 你好", true), ("lobby", true)]
    {
        let listen = format!("{host}:0");
        let mut args = vec!["chat", "-n", "host", "--commands", "--listen", &listen];
        args.extend(["--room", room]);
        if secret {
            args.extend(["--secret-file", file.to_str().unwrap()]);
        }
        let mut alice = Process::start(&args);
        let opened = alice.err.wait("Others join with:  ");
        let (_, line) = opened.split_once("Others join with:  ").unwrap();
        alice.err.wait("* Welcome");
        alice.say("/invite");
        let again = alice.err.wait("others join with:  ");
        assert!(again.ends_with(line), "{again}");
        assert!(!line.contains(SECRET) && line.starts_with(PROGRAM), "{line}");

        let mut bob = shell(line, "guest");
        if secret {
            bob.say(SECRET);
        }
        alice.err.wait("* guest has entered the chat!");
        bob.say("I am in");
        assert_eq!(alice.out.wait(""), "guest: I am in", "{line}");
        bob.end_input();
        assert_eq!(bob.status(), 0);
        alice.end_input();
        alice.status();
        assert!(alice.err.has_none(SECRET));
    }
    fs::remove_file(file).unwrap();
}

#[test]
fn a_name_that_is_taken_is_a_line_that_works_as_well() {
    let (_nodeset, addr) = nodeset();
    let file = secret_file("taken");
    let room = ["--room", "it's", "--secret-file", file.to_str().unwrap()];
    let start = |name: &str| Process::start(&[&["chat", &addr, "-n", name][..], &room].concat());
    let mut alice = start("alice");
    alice.err.wait("* Welcome");
    let mut second = start("alice");
    assert_eq!(second.status(), 4);
    let errors = second.errors();
    let line = errors.lines().find_map(|line| line.trim().strip_prefix("try: ")).unwrap();
    let mut third = shell(line, "");
    alice.err.wait("* alice2 has entered the chat!");
    third.end_input();
    assert_eq!(third.status(), 0, "{line}: {}", third.errors());
    fs::remove_file(file).unwrap();
}

#[test]
fn the_program_is_named_by_what_starts_it() {
    let folder = std::env::temp_dir().join(format!("chatrpc-path-{}", std::process::id()));
    fs::create_dir_all(folder.join("bin")).unwrap();
    std::os::unix::fs::symlink(PROGRAM, folder.join("bin/chatrpc")).unwrap();
    let hint = |command: &mut Command| {
        let mut process = Process::of(command.args(["127.0.0.1:1"]).stdin(Stdio::null()));
        let errors = process.errors();
        errors.split_once("did you mean: ").unwrap().1.to_owned()
    };
    let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
    assert_eq!(hint(Command::new("chatrpc").env("PATH", &path)), "chatrpc chat 127.0.0.1:1");
    assert_eq!(hint(Command::new(PROGRAM).env("PATH", &path)), "chatrpc chat 127.0.0.1:1");
    let relative = hint(Command::new("./bin/chatrpc").current_dir(&folder));
    assert_eq!(relative, "./bin/chatrpc chat 127.0.0.1:1");
    // By a name that would start something else, or nothing.
    use std::os::unix::process::CommandExt;
    for name in ["chatrpc", "ls", "/bin/sh", "", "\x1b[31m"] {
        let told = hint(Command::new(PROGRAM).arg0(name));
        assert_eq!(told, format!("{PROGRAM} chat 127.0.0.1:1"), "{name:?}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn who_waits_in_the_wrong_room_is_told() {
    let (_nodeset, addr) = nodeset();
    let file = secret_file("wrong");
    let args =
        ["chat", &addr, "-n", "host", "--room", "ops", "--secret-file", file.to_str().unwrap()];
    let mut host = Process::start(&args);
    host.err.wait("* here: nobody else with this secret yet");
    // The guest left out what was not printed.
    let mut guest = person(&addr, "guest");
    guest.err.wait("* you are alone here, and 1 person is in other rooms of this nodeset");
    // The host learns it with the next renewal of its lease: tests/leases.rs.
    fs::remove_file(file).unwrap();
}

// ---- The secret is asked for ----

#[test]
fn a_secret_that_is_typed_is_not_shown_and_the_terminal_is_given_back() {
    let (_nodeset, addr) = nodeset();
    let ask = |args: &[&str]| {
        let args = [args, &["--room", "ops", "--secret-file", "-"]].concat();
        let mut terminal = Terminal::start(&args, Setup::default())?;
        terminal.see("Secret of the room ops (it is not shown):");
        Some(terminal)
    };
    let chat = ["chat", &addr, "-n", "alice", "--listen", "127.0.0.1:0"];
    let Some(mut alice) = ask(&chat) else { return };
    alice.press("wrong\r");
    alice.see("a secret has 34 letters and digits");
    alice.press(format!("x\x7f{SECRET}\r"));
    alice.see("Welcome to the chat room, alice!");
    alice.see("here: nobody else with this secret yet");
    assert_eq!(alice.leave().status, 0);

    // Pasted with what is to be said behind it.
    let plain = [&chat[..], &["--plain"]].concat();
    let Some(mut alice) = ask(&plain) else { return };
    alice.press(format!("{SECRET}\n"));
    alice.see("* Welcome to the chat room, alice!");
    alice.press("\x04");
    let ended = alice.end();
    assert_eq!(ended.status, 0);
    assert!(!ended.text.contains(SECRET), "{}", ended.text);

    type End = fn(&mut Terminal);
    let ends: [(&[&str], End, i32); 6] = [
        (&chat, |alice| alice.press("\x03"), 130),
        (&["who", &addr], |alice| alice.press("\x03"), 130),
        (&chat, |alice| alice.press("\x04"), 2),
        (&chat, |alice| alice.signal(Signal::TERM), 143),
        (&["who", &addr], |alice| alice.signal(Signal::TERM), 143),
        (&["send", &addr, "hi"], |alice| alice.signal(Signal::HUP), 129),
    ];
    for (args, end, status) in ends {
        let Some(mut alice) = ask(args) else { return };
        // A signal overtakes what is typed before it: keys go through a queue of the kernel.
        match status {
            2 => alice.press("half\x15"),
            130 => alice.press("half"),
            _ => {}
        }
        end(&mut alice);
        assert_eq!(alice.end().status, status, "{args:?}");
    }
}

/// From the host's screen to the guest's, by what was copied and what was typed.
#[test]
fn an_invitation_on_a_small_screen_is_copied_and_works() {
    let Some(host) = host() else { return };
    let file = secret_file("screen");
    let listen = format!("{host}:0");
    let args = ["chat", "-n", "host", "--listen", &listen, "--room", "it's ops"];
    let args = [&args[..], &["--secret-file", file.to_str().unwrap()]].concat();
    let setup = Setup { size: SMALL, ..Setup::default() };
    let Some(mut alice) = Terminal::start(&args, setup) else { return };
    alice.wait("the screen", |alice| alice.screen().alternate_screen());
    alice.say("/invite");
    alice.see("Others join with (c copies, Esc closes):");
    alice.see(SECRET);
    let rows = alice.rows();
    let end = rows.iter().position(String::is_empty).unwrap();
    let command = rows[1..end].join("\n");
    alice.press("c");
    alice.see_copied(1);
    alice.press("s");
    alice.see_copied(2);
    alice.press("\x1b");
    alice.wait("the sheet is closed", |alice| !alice.shows(SECRET));

    let env = vec![("CHATRPC_NAME", "guest")];
    let Some(mut bob) = Terminal::run("sh", &["-c", &command], Setup { env, ..Setup::default() })
    else {
        return;
    };
    bob.see("Secret of the room it's ops (it is not shown):");
    bob.press(format!("{SECRET}\r"));
    bob.see("Welcome to the chat room, guest!");
    alice.see("guest has entered the chat!");
    bob.say("in");
    alice.see("guest: in");

    // The guest came through the host's nodeset: leaving closes the door, and is asked about.
    alice.press("\x03");
    alice.see("is what others joined");
    bob.say("still there?");
    alice.see("guest: still there?");
    alice.press("\x03");
    let ended = alice.end();
    assert_eq!(ended.status, 0);
    let coded = |text: &str| {
        let out =
            Command::new("sh").args(["-c", "printf %s \"$1\" | base64 -w0", "sh", text]).output();
        String::from_utf8(out.unwrap().stdout).unwrap()
    };
    let line = command.replace("\\\n", "");
    assert_eq!(ended.stream.copied, [coded(&line), coded(SECRET)]);
    bob.see("host has left the chat!");
    bob.say("anybody?");
    bob.see("nobody is here to hear it");
    assert_eq!(bob.leave().status, 0, "who opened nothing is asked nothing");
    fs::remove_file(file).unwrap();
}

#[test]
fn who_leaves_by_a_pipe_is_told_whom_the_door_was_open_for() {
    let Some(host) = host() else { return };
    let listen = format!("{host}:0");
    let needed =
        "the nodeset here is what others joined through: guest. They can talk on without it";
    for how in ["quit", "end", "TERM"] {
        let mut alice = Process::start(&["chat", "-n", "host", "--commands", "--listen", &listen]);
        alice.err.wait("* Welcome");
        let mut bob = person(&host, "guest");
        alice.err.wait("* guest has entered the chat!");
        match how {
            "quit" => alice.say("/quit"),
            "end" => alice.end_input(),
            signal => alice.signal(signal),
        }
        let status = if how == "TERM" { 143 } else { 0 };
        assert_eq!(alice.status(), status);
        assert_eq!(alice.errors().matches(needed).count(), 1, "{how}: {}", alice.errors());
        bob.err.wait("* host has left the chat!");
    }
    // Nobody came: nothing is closed.
    let mut alice = Process::start(&["chat", "-n", "host", "--listen", &listen]);
    alice.err.wait("* Welcome");
    alice.end_input();
    alice.status();
    assert!(!alice.errors().contains("joined through"), "{}", alice.errors());

    let (mut nodeset, addr) = nodeset();
    let _bob = person(&addr, "guest");
    nodeset.signal("TERM");
    nodeset.status();
    assert!(nodeset.errors().contains("* 1 member can talk on"), "{}", nodeset.errors());
}
