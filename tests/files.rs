//! Files the program opens: what is no file is refused at once, what has no end is not read, what
//! others could have written is not believed; and the log of the chat follows its path.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::{Process, chatrpc, nodeset, person};

/// Where nobody listens.
const NOWHERE: &str = "127.0.0.1:9";

/// A folder of this test alone.
fn fresh(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("chatrpc-files-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn ended(command: &mut Command) -> (i32, String) {
    let mut process = Process::of(command.stdin(Stdio::null()));
    (process.status(), process.errors())
}

/// Each of these hung, or read until there was no memory.
#[test]
fn what_is_no_file_is_refused_at_once() {
    let folder = fresh("none");
    let (pipe, link) = (folder.join("pipe"), folder.join("link"));
    fifo(&pipe);
    symlink(&pipe, &link).unwrap();
    let kinds = [pipe.as_path(), &link, &folder, Path::new("/dev/zero"), Path::new("/dev/tty")];
    for path in kinds {
        let name = path.to_str().unwrap();
        let chat = ["chat", NOWHERE, "-n", "x", "--plain", "--ephemeral"];
        for options in [["--config", name], ["--secret-file", name], ["--log", name]] {
            let option = [format!("{}={}", options[0], options[1])];
            let mut command = chatrpc(&chat);
            let (status, errors) = ended(command.args(&option));
            assert_eq!(status, 2, "{option:?}: {errors}");
            assert!(errors.contains(name), "{option:?}: {errors}");
        }
        let mut command = chatrpc(&chat);
        let asked = ended(command.env("TZ", format!(":{name}")).arg("--log=/nonexistent/x"));
        assert_eq!(asked.0, 2, "{}", asked.1);
    }
    let (_, errors) =
        ended(&mut chatrpc(&["who", NOWHERE, "--secret-file", pipe.to_str().unwrap()]));
    assert!(errors.contains("not a regular file") && errors.contains("CHATRPC_SECRET=\"$("));

    // Found where it is looked for unasked.
    for name in ["chatrpc/config", "chatrpc/key", "chatrpc/known", "chatrpc/incarnation"] {
        let home = fresh("home");
        fs::create_dir_all(home.join("chatrpc")).unwrap();
        chmod(&home.join("chatrpc"), 0o700);
        fifo(&home.join(name));
        let mut command = chatrpc(&["chat", NOWHERE, "-n", "x", "--plain"]);
        let (status, errors) =
            ended(command.env("XDG_CONFIG_HOME", &home).env("XDG_DATA_HOME", &home));
        assert_eq!(status, 2, "{name}: {errors}");
        assert!(errors.contains("not a regular file"), "{name}: {errors}");
        fs::remove_dir_all(&home).unwrap();
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_has_no_end_is_not_read() {
    let folder = fresh("endless");
    let file = folder.join("file");
    // It takes no room on the disk, and would take all there is in memory.
    fs::File::create(&file).unwrap().set_len(1 << 42).unwrap();
    chmod(&file, 0o600);
    for option in ["--config", "--secret-file"] {
        let option = format!("{option}={}", file.display());
        let (status, errors) = ended(&mut chatrpc(&["chat", NOWHERE, "-n", "x", &option]));
        assert!(status == 2 && errors.contains("it is another file"), "{option}: {errors}");
    }
    for name in ["known", "incarnation"] {
        let home = fresh("endless-home");
        fs::create_dir_all(home.join("chatrpc")).unwrap();
        chmod(&home.join("chatrpc"), 0o700);
        let file = home.join("chatrpc").join(name);
        fs::File::create(&file).unwrap().set_len(1 << 42).unwrap();
        let mut command = chatrpc(&["chat", NOWHERE, "-n", "x"]);
        let (status, errors) = ended(command.env("XDG_DATA_HOME", &home));
        assert!(status == 2 && errors.contains("it is another file"), "{name}: {errors}");
        fs::remove_dir_all(&home).unwrap();
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_others_could_have_written_is_not_believed() {
    let home = fresh("open");
    let ours = home.join("chatrpc");
    let start = || {
        let mut command = chatrpc(&["chat", NOWHERE, "-n", "x"]);
        ended(command.env("XDG_DATA_HOME", &home))
    };
    assert_eq!(start().0, 3, "nobody listens there");
    fs::write(ours.join("known"), "").unwrap();
    for (name, modes) in [
        ("", [0o770, 0o702, 0o777]),
        ("known", [0o620, 0o602, 0o666]),
        ("incarnation", [0o620, 0o602, 0o666]),
        ("key", [0o640, 0o604, 0o622]),
    ] {
        let path = ours.join(name);
        let before = fs::metadata(&path).unwrap().permissions().mode();
        for mode in modes {
            chmod(&path, mode);
            let (status, errors) = start();
            assert_eq!(status, 2, "{name} {mode:o}: {errors}");
            assert!(errors.contains("others can"), "{errors}");
            let mend = errors.lines().find(|line| line.contains("chmod")).unwrap();
            assert!(Command::new("sh").args(["-c", mend]).status().unwrap().success());
            assert_eq!(start().0, 3, "what is told to be done helps: {mend}");
        }
        chmod(&path, before);
    }
    fs::remove_dir_all(&home).unwrap();

    let folder = fresh("config");
    let config = folder.join("config");
    fs::write(&config, "name = x\n").unwrap();
    chmod(&config, 0o666);
    let args = ["--config", config.to_str().unwrap(), "who", NOWHERE];
    let (status, errors) = ended(&mut chatrpc(&args));
    assert!(status == 2 && errors.contains("everybody can write it"), "{errors}");
    fs::remove_dir_all(&folder).unwrap();
}

// ---- The log of the chat ----

/// Somebody who logs, without a terminal.
fn logger(addr: &str, log: &Path, limit: &str) -> Process {
    let chat =
        ["chat", addr, "-n", "logger", "--no-input", "--ephemeral", "--listen", "127.0.0.1:0"];
    let program = chatrpc(&chat);
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", &format!("{limit} exec \"$@\""), "sh"]);
    command.arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.arg(format!("--log={}", log.display())).stdin(Stdio::null());
    let mut process = Process::of(&mut command);
    process.err.wait("* Welcome to the chat room, logger!");
    process
}

/// The records of a log without their instants.
fn records(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once('\t')).map(|(_, line)| line.to_owned()).collect()
}

/// `mv room.log room.log.1; kill -HUP`: the chat went on in the old file, or ended.
#[test]
fn a_log_is_rotated_with_a_hangup_or_without() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let folder = fresh("rotated");
    let (log, old) = (folder.join("room.log"), folder.join("room.log.1"));
    let mut logger = logger(&addr, &log, "");
    alice.err.wait("* logger has entered the chat!");
    alice.say("one");
    logger.out.wait("alice: one");
    fs::rename(&log, &old).unwrap();
    alice.say("two");
    logger.out.wait("alice: two");
    assert_eq!(records(&log), ["alice: two"]);
    assert_eq!(records(&old).last().unwrap(), "alice: one");

    // A terminal's end is told the same way; who has none goes on, and looks at the path at once.
    if !support::is_ignored("HUP") {
        fs::rename(&log, &old).unwrap();
        logger.signal("HUP");
        let end = std::time::Instant::now() + support::PATIENCE;
        while !log.exists() {
            assert!(std::time::Instant::now() < end, "the file is not there again");
            std::thread::yield_now();
        }
        alice.say("three");
        logger.out.wait("alice: three");
        assert_eq!(records(&log), ["alice: three"]);
    }
    logger.signal("TERM");
    assert_eq!(logger.status(), 143);
    fs::remove_dir_all(&folder).unwrap();
}

/// Logging never resumed, and the next run glued its first record to half a line.
#[test]
fn a_full_disk_is_survived_and_told() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let folder = fresh("full");
    let log = folder.join("room.log");
    // The file may have one block; a signal would end the process, where a full disk would not.
    let mut bob = logger(&addr, &log, "ulimit -S -f 1;");
    alice.err.wait("* logger has entered the chat!");
    for n in 0..30 {
        alice.say(&format!("{n} {}", "x".repeat(40)));
    }
    let told = bob.err.wait("cannot be written to its file");
    assert!(told.contains("room.log: File too large"), "{told}");
    bob.out.wait("alice: 29");
    let before = records(&log).len();
    let free = ["--pid", &bob.child.id().to_string(), "--fsize=unlimited"].map(str::to_owned);
    assert!(Command::new("prlimit").args(free).status().unwrap().success());
    alice.say("after");
    let missing = bob.err.wait("is written to its file again: ");
    bob.out.wait("alice: after");
    bob.signal("TERM");
    bob.status();

    let lines = records(&log);
    let count = missing.split(' ').find_map(|word| word.parse::<usize>().ok()).unwrap();
    let whole = lines.iter().filter(|line| line.ends_with(&"x".repeat(40))).count();
    assert_eq!(whole + count, 30, "{missing}: {lines:#?}");
    let gap = lines.iter().position(|line| *line == format!("* {count} records are missing here"));
    assert!(gap.is_some_and(|gap| lines[gap + 1] == "alice: after"), "{lines:#?}");
    assert!(lines.len() >= before + 2, "{lines:#?}");
    assert_eq!(bob.errors().matches("cannot be written").count(), 1, "it is said once");
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.lines().all(|line| line.matches('\t').count() <= 1), "no line is two");

    // And if it never ends, that is said in the end.
    let other = folder.join("other.log");
    let mut carol = logger(&addr, &other, "ulimit -S -f 0;");
    alice.err.wait("* logger has entered the chat!");
    carol.signal("TERM");
    carol.status();
    let last = carol.errors();
    assert!(last.contains("the end of the chat is not in ") && last.contains("missing"), "{last}");
    fs::remove_dir_all(&folder).unwrap();
}
