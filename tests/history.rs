//! What is kept of a room: shown again, found, printed and removed; and what faults cost: a program that is
//! killed, a disk that is full, two programs of one person.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::{Process, chatrpc, nodeset, person};

/// A home of this test alone.
fn fresh(name: &str) -> PathBuf {
    let home = std::env::temp_dir().join(format!("chatrpc-history-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).unwrap();
    home
}

/// The program, for the person whose home that is.
fn at_home(home: &Path, args: &[&str]) -> Command {
    let mut command = chatrpc(args);
    command.env("XDG_DATA_HOME", home.join("data")).env("XDG_STATE_HOME", home.join("state"));
    command
}

fn chat_args<'a>(addr: &'a str, name: &'a str) -> [&'a str; 8] {
    ["chat", addr, "-n", name, "--history", "--commands", "--listen", "127.0.0.1:0"]
}

/// Somebody who keeps what is said.
fn keeper(home: &Path, addr: &str, name: &str) -> Process {
    let mut command = at_home(home, &chat_args(addr, name));
    let mut keeper = Process::of(command.stdin(Stdio::piped()));
    keeper.err.wait(&format!("* Welcome to the chat room, {name}!"));
    keeper
}

/// What `chatrpc log` prints, without its times: messages, and everything else.
fn logged(home: &Path) -> (Vec<String>, Vec<String>) {
    let mut log = Process::of(&mut at_home(home, &["log"]));
    assert_eq!(log.status(), 0, "{}", log.errors());
    let lines = log.out.all().iter();
    let lines = lines.map(|line| line.split_once('\t').unwrap().1.to_owned());
    lines.partition(|line| !line.starts_with("* "))
}

fn files(home: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(home.join("state/chatrpc/history")).into_iter().flatten();
    let folders = folders.map(|folder| folder.unwrap().path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap());
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn what_is_said_is_there_again_in_the_next_run() {
    let (_nodeset, addr) = nodeset();
    let home = fresh("again");
    let mut bob = person(&addr, "bob");
    let mut alice = keeper(&home, &addr, "alice");
    bob.err.wait("* alice has entered the chat!");
    bob.say("the Café is open");
    alice.out.wait("bob: the Café is open");
    bob.say("/msg alice the key is under the mat");
    alice.out.wait("@bob: the key is under the mat");
    alice.say("/me waves");
    bob.out.wait("alice: /me waves");
    alice.say("/msg bob thanks");
    bob.out.wait("@alice: thanks");
    // What she has said is sent before it is kept; what she sees next comes after that.
    bob.say("ok");
    alice.out.wait("bob: ok");
    let said = ["bob: the Café is open", "@bob: the key is under the mat", "alice: /me waves"];
    let (messages, others) = logged(&home);
    assert_eq!(messages[..3], said, "also while somebody is in the room");
    assert_eq!(messages[3..], ["@alice → bob: thanks", "bob: ok"]);
    assert_eq!(others[0], "* alice has entered the chat!");
    alice.end_input();
    assert_eq!(alice.status(), 0);

    // Nobody else may look, and who does sees nothing.
    for file in files(&home) {
        let folder = file.parent().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&file), mode(folder)), (0o600, 0o700));
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains("open") && !text.contains("bob"));
    }

    let mut alice = keeper(&home, &addr, "alice");
    alice.say("/history 3");
    alice.err.wait(" alice: /me waves");
    alice.err.wait(" @alice → bob: thanks");
    alice.err.wait(" bob: ok");
    alice.err.wait("* kept before: 3 messages");
    alice.say("/search CAFÉ");
    alice.err.wait(" bob: the Café is open");
    alice.err.wait("* 'CAFÉ' is in 1 message, the newest first");
    alice.say("/search café au lait");
    alice.err.wait("* no message that is kept has 'café au lait' in it");
    assert!(alice.out.has_none("bob"), "what was said before is nothing that is said now");
    alice.say("/forget");
    alice.err.wait("* /forget yes removes what is kept of this room on this computer, for good: ");
    assert!(!logged(&home).0.is_empty());
    alice.say("/forget yes");
    alice.err.wait("* what was kept of this room is removed: ");
    assert_eq!((files(&home).len(), logged(&home).0.len()), (0, 0));
    bob.say("afterwards");
    alice.out.wait("bob: afterwards");
    assert_eq!(logged(&home).0, ["bob: afterwards"], "it goes on");
    fs::remove_dir_all(&home).unwrap();
}

/// With a key that ends with the run nothing could be opened any more, and unasked nothing is kept.
#[test]
fn nothing_is_kept_unasked_or_for_nobody() {
    let (_nodeset, addr) = nodeset();
    let home = fresh("unasked");
    let mut bob = person(&addr, "bob");
    for more in [&[][..], &["--history", "--ephemeral"]] {
        let chat = ["chat", &addr, "-n", "alice", "--commands", "--listen", "127.0.0.1:0"];
        let mut command = at_home(&home, &[&chat[..], more].concat());
        let mut alice = Process::of(command.stdin(Stdio::piped()));
        alice.err.wait("* Welcome to the chat room, alice!");
        if !more.is_empty() {
            alice.err.wait("* nothing is kept: the key ends with this run");
        }
        bob.err.wait("* alice has entered the chat!");
        bob.say("hi");
        alice.out.wait("bob: hi");
        alice.say("/history");
        alice.err.wait(if more.is_empty() {
            "* no message of this room is kept"
        } else {
            "* nothing is kept of"
        });
        alice.end_input();
        assert_eq!(alice.status(), 0);
    }
    assert_eq!((files(&home).len(), logged(&home).0.len()), (0, 0));
    fs::remove_dir_all(&home).unwrap();
}

/// Whatever stood on standard output is kept, whenever the program is killed.
#[test]
fn a_program_that_is_killed_loses_nothing_that_was_seen() {
    let (_nodeset, addr) = nodeset();
    let home = fresh("killed");
    let mut bob = person(&addr, "bob");
    let mut seen = Vec::new();
    for turn in 0..4 {
        let mut alice = keeper(&home, &addr, "alice");
        bob.err.wait("* alice has entered the chat!");
        (0..60).for_each(|n| bob.say(&format!("{turn} {n}")));
        alice.out.wait(&format!("bob: {turn} {}", 7 + 13 * turn));
        alice.signal("KILL");
        drop(alice.stdin.take());
        seen.extend(alice.out.all().iter().cloned());
    }
    let (messages, _) = logged(&home);
    let lost: Vec<&String> = seen.iter().filter(|line| !messages.contains(line)).collect();
    assert!(lost.is_empty() && seen.len() > 100, "{lost:?}");
    assert_eq!(files(&home).len(), 4, "each run has a file of its own");
    fs::remove_dir_all(&home).unwrap();
}

#[test]
fn two_programs_of_one_person_keep_what_they_see_and_it_is_told_once() {
    let (_nodeset, addr) = nodeset();
    let home = fresh("two");
    let mut bob = person(&addr, "bob");
    let mut desk = keeper(&home, &addr, "alice");
    let mut laptop = keeper(&home, &addr, "alice");
    bob.err.wait_for(" has entered the chat!", 2);
    let expected: Vec<String> = (0..40).map(|n| format!("bob: line {n}")).collect();
    for line in &expected {
        bob.say(&line["bob: ".len()..]);
    }
    for alice in [&mut desk, &mut laptop] {
        alice.out.wait("bob: line 39");
    }
    assert_eq!(logged(&home).0, expected);
    desk.signal("KILL");
    laptop.say("from here");
    bob.out.wait("alice: from here");
    bob.say("heard");
    laptop.out.wait("bob: heard");
    assert_eq!(logged(&home).0[40..], ["alice: from here", "bob: heard"]);
    assert_eq!(files(&home).len(), 2);
    fs::remove_dir_all(&home).unwrap();
}

/// A bit in the middle of a file: the line it is in is lost, and that is said.
#[test]
fn a_damaged_place_costs_its_line() {
    let (_nodeset, addr) = nodeset();
    let home = fresh("damaged");
    let mut bob = person(&addr, "bob");
    let mut alice = keeper(&home, &addr, "alice");
    bob.err.wait("* alice has entered the chat!");
    (0..50).for_each(|n| bob.say(&format!("line {n}")));
    alice.out.wait("bob: line 49");
    alice.signal("KILL");
    let [file] = &files(&home)[..] else { panic!("one file") };
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(file, &bytes).unwrap();
    let mut log = Process::of(&mut at_home(&home, &["log", "--json"]));
    assert_eq!(log.status(), 0);
    assert_eq!(log.out.all().len(), 49);
    assert_eq!(log.errors(), "* 1 place of the history cannot be read any more");
    let one: serde_json::Value = serde_json::from_str(&log.out.all()[0]).unwrap();
    assert_eq!(
        (&one["t"], &one["text"], &one["replay"]),
        (&"msg".into(), &"line 0".into(), &true.into())
    );
    fs::remove_dir_all(&home).unwrap();
}

#[test]
fn what_the_log_is_asked_for() {
    let home = fresh("asked");
    let asked = |args: &[&str]| {
        let mut log = Process::of(&mut at_home(&home, &[&["log"], args].concat()));
        (log.status(), log.out.all().join("\n"), log.errors())
    };
    let none =
        (0, String::new(), "nothing is kept of the room lobby (chatrpc chat --history)".to_owned());
    assert_eq!(asked(&[]), none);
    assert_eq!(asked(&["--json"]), (0, String::new(), String::new()));
    assert!(!home.join("data").exists() && !home.join("state").exists(), "nothing is made");
    let (status, _, errors) = asked(&["--since", "yesterday"]);
    assert!(status == 2 && errors.contains("write 30m, 5h, 2d or 2026-10-23"), "{errors}");
    let (status, _, errors) = asked(&["--room", "a:"]);
    assert!(status == 2 && errors.contains("--room"), "{errors}");

    let (_nodeset, addr) = nodeset();
    let mut alice = keeper(&home, &addr, "alice");
    alice.say("hello");
    alice.err.wait("* nobody is here to hear it");
    assert!(asked(&["--since", "1h"]).1.ends_with("\talice: hello"));
    assert_eq!(asked(&["--since", "2999-01-01"]).1, "");
    assert_eq!(asked(&["--room", "other"]).1, "", "another room is another history");
    let folder = files(&home)[0].parent().unwrap().to_owned();
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let (status, out, errors) = asked(&[]);
    assert!(status == 2 && out.is_empty() && errors.contains("others can write there"), "{errors}");
    let (status, out, _) = asked(&["--json"]);
    assert!(status == 2 && out.contains(r#""code":"history""#), "{out}");
    fs::remove_dir_all(&home).unwrap();
}

/// A small file system of its own for the folder for state, full until a file appears elsewhere.
const FULL: &str = r#"
mount -t tmpfs -o size=256k none "$XDG_STATE_HOME" || exit 99
head -c 1000000 /dev/zero > "$XDG_STATE_HOME/fill" 2> /dev/null
(for n in $(seq 600); do [ -e "$FREE" ] && break; sleep 0.05; done; rm -f "$XDG_STATE_HOME/fill") &
(for n in $(seq 600); do [ -e "$COPY" ] && break; sleep 0.05; done
 cp -r "$XDG_STATE_HOME/." "$KEPT" && touch "$COPY.done") &
exec "$@"
"#;

/// The chat goes on, one word is said about it, and what was said meanwhile is written when there is room,
/// in another file.
#[test]
fn a_full_disk_is_told_once_and_costs_nothing_that_can_wait() {
    let possible =
        Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !possible.is_ok_and(|tried| tried.status.success()) {
        eprintln!("SKIPPED: no file system can be mounted here, so no full disk is tried");
        return;
    }
    let (_nodeset, addr) = nodeset();
    let home = fresh("full");
    for folder in ["state", "kept"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    let mut bob = person(&addr, "bob");
    let program = at_home(&home, &chat_args(&addr, "alice"));
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", FULL, "sh"]).arg(program.get_program());
    command.args(program.get_args()).arg("--stay");
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    for (name, file) in [("FREE", "free"), ("COPY", "copy"), ("KEPT", "kept")] {
        command.env(name, home.join(file));
    }
    let mut alice = Process::of(command.stdin(Stdio::null()));
    alice.err.wait("* Welcome to the chat room, alice!");
    bob.err.wait("* alice has entered the chat!");
    (0..30).for_each(|n| bob.say(&format!("line {n}")));
    alice.out.wait("bob: line 29");
    alice.err.wait_anywhere("the history is not kept for now, and goes on when it can be: ");
    fs::write(home.join("free"), "").unwrap();
    alice.err.wait("* the history is kept again, and nothing is missing");
    bob.say("afterwards");
    alice.out.wait("bob: afterwards");
    fs::write(home.join("copy"), "").unwrap();
    let end = std::time::Instant::now() + support::PATIENCE;
    while !home.join("copy.done").exists() {
        assert!(std::time::Instant::now() < end, "no copy is made");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    fs::remove_dir_all(home.join("state")).unwrap();
    fs::rename(home.join("kept"), home.join("state")).unwrap();
    let expected: Vec<String> = (0..30).map(|n| format!("bob: line {n}")).collect();
    let (messages, _) = logged(&home);
    assert_eq!(messages[..30], expected);
    assert_eq!(messages[30..], ["bob: afterwards"]);
    assert_eq!(
        alice.err.so_far().iter().filter(|line| line.contains("not kept for now")).count(),
        1
    );
    fs::remove_dir_all(&home).unwrap();
}
