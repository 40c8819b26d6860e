//! What the program is given to say, on the command line and on standard input: data is never obeyed,
//! and what cannot be read or said is an error with a reason, never an end in silence.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

mod support;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use support::{Process, chatrpc, nodeset, person};

/// Where nobody listens: what is refused before anybody is asked is refused here as well.
const NOWHERE: &str = "127.0.0.1:9";

/// Status and standard error of a command with that standard input.
fn run(args: &[&str], stdin: impl Into<Stdio>) -> (i32, String) {
    let mut process = Process::of(chatrpc(args).stdin(stdin));
    (process.status(), process.errors())
}

/// Status of `send -` or `chat` that is fed a text by a pipe.
fn fed(args: &[&str], text: &str) -> (i32, String) {
    let mut process = Process::start(args);
    process.say(text);
    process.end_input();
    (process.status(), process.errors())
}

/// The sender ended at `/quit`, was renamed by `/nick`, and lines of a log that name a program were
/// dropped: a log is not to be obeyed. Each line is what the reader sees, as it was written.
#[test]
fn what_comes_through_a_pipe_is_said_and_never_obeyed() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let lines = [
        "a",
        "/quit",
        "b",
        "/nick eve",
        " /msg alice psst",
        "/usr/sbin/x: failed",
        "//x",
        "/",
        "\u{FF0F}x",
        "/me waves",
        "/who",
    ];
    for plain in [&["--plain"][..], &[]] {
        let (status, errors) =
            fed(&[&["chat", &addr, "-n", "log"], plain].concat(), &lines.join("\n"));
        assert_eq!(status, 0, "{errors}");
        for line in lines {
            assert_eq!(alice.out.next_line().unwrap(), format!("log: {line}"));
        }
    }
    let (status, errors) = fed(&["send", &addr, "-n", "log", "-"], &lines.join("\n"));
    assert_eq!(status, 0, "{errors}");
    for line in lines {
        assert_eq!(alice.out.next_line().unwrap(), format!("log: {line}"));
    }
}

#[test]
fn a_pipe_is_obeyed_where_that_is_asked_for() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let lines = "one\n\u{FEFF} /msg alice psst\n//x\n/quit\nnever said";
    let (status, errors) = fed(&["chat", &addr, "-n", "bot", "--commands"], lines);
    assert_eq!(status, 0, "{errors}");
    for line in ["bot: one", "@bot: psst", "bot: /x"] {
        assert_eq!(alice.out.next_line().unwrap(), line);
    }
    alice.err.wait("* bot has left the chat!");
    alice.end_input();
    assert!(!alice.out.all().concat().contains("never"));
}

#[test]
fn there_is_something_to_say_or_an_error() {
    for text in ["", " \t ", "\n\n", "\u{200B}\u{FEFF}", "\u{2800}"] {
        let (status, errors) = run(&["send", NOWHERE, "-n", "s", text], Stdio::null());
        assert_eq!(status, 2, "{text:?}: {errors}");
        assert_eq!(errors, "error: there is nothing to say: the text is empty");
    }
    let (status, errors) = run(&["send", NOWHERE, "-n", "s", &"x".repeat(4097)], Stdio::null());
    let too_long = "error: 4,097 bytes, the limit is 4,096: nothing was sent";
    assert_eq!((status, errors.as_str()), (2, too_long));

    let (_nodeset, addr) = nodeset();
    let _alice = person(&addr, "alice");
    for text in ["", "\n \n\t", "\u{200B}\n\u{FEFF}"] {
        let (status, errors) = fed(&["send", &addr, "-n", "s", "-q", "-"], text);
        assert_eq!(status, 2, "{text:?}: {errors}");
        let last = errors.lines().last().unwrap();
        assert_eq!(last, "error: there was nothing to say: standard input held no text");
    }
    let (status, errors) = fed(&["send", &addr, "-n", "s", "-q", "-"], "\n\u{200B}\nx\n\n");
    assert_eq!(status, 0, "one line is enough: {errors}");
    // Who joins and leaves without a word is told why.
    let (status, errors) = run(&["chat", &addr, "-n", "s"], Stdio::null());
    assert_eq!(status, 0);
    assert!(errors.contains("* the input ended before it began: --stay goes on listening"));
}

/// Exit status 0, and not a word: the input counted as ended.
#[test]
fn an_input_that_cannot_be_read_is_an_error() {
    let sink = || File::options().write(true).open("/dev/null").unwrap();
    let folder = || File::open(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for args in [
        &["send", NOWHERE, "-n", "s", "-"][..],
        &["chat", NOWHERE, "-n", "s"],
        &["chat", NOWHERE, "-n", "s", "--stay"],
    ] {
        for (stdin, why) in [(sink(), "Bad file descriptor"), (folder(), "Is a directory")] {
            let (status, errors) = run(args, stdin);
            assert_eq!(status, 1, "{errors}");
            let what = format!("error: standard input cannot be read: {why}");
            assert!(errors.starts_with(&what), "{errors}");
        }
    }
    let mut process = Process::of(chatrpc(&["chat", NOWHERE, "-n", "s", "--json"]).stdin(folder()));
    assert_eq!(process.status(), 1);
    let out = process.out.all().concat();
    assert!(out.contains(r#""t":"error","#) && out.contains("Is a directory"), "{out}");
}

/// `CHATRPC_SECRET=$(lost)` opened the open room of that name, in silence.
#[test]
fn an_empty_secret_is_no_open_room() {
    let empty = std::env::temp_dir().join(format!("chatrpc-input-{}", std::process::id()));
    let commands: [&[&str]; 4] = [
        &["chat", NOWHERE, "-n", "s", "--plain"],
        &["chat", "-n", "s", "--plain"],
        &["send", NOWHERE, "-n", "s", "text"],
        &["who", NOWHERE],
    ];
    for args in commands {
        for value in ["", " ", "\n"] {
            let mut command = chatrpc(args);
            command.args(["--room", "ops"]).env("CHATRPC_SECRET", value).stdin(Stdio::null());
            let mut process = Process::of(&mut command);
            assert_eq!(process.status(), 2);
            let errors = process.errors();
            assert!(errors.starts_with("error: CHATRPC_SECRET: the secret is empty"), "{errors}");

            fs::write(&empty, value).unwrap();
            fs::set_permissions(&empty, fs::Permissions::from_mode(0o600)).unwrap();
            let file = ["--secret-file", empty.to_str().unwrap()];
            let (status, errors) = run(&[args, &file].concat(), Stdio::null());
            assert!(status == 2 && errors.contains(": the secret is empty"), "{errors}");
        }
        let (status, errors) = run(&[args, &["--secret-file", "-"]].concat(), Stdio::null());
        assert!(status == 2 && errors.contains("standard input ended before the secret"));
        assert!(errors.contains(" secret\n"), "{errors}");
    }
    fs::remove_file(&empty).unwrap();
}

#[test]
fn who_sends_is_told_that_a_room_is_open() {
    let (_nodeset, addr) = nodeset();
    let _alice = person(&addr, "alice");
    let (status, errors) = run(&["send", &addr, "-n", "s", "hi"], Stdio::null());
    let open = "* this room is OPEN: everybody who reaches it can enter and read";
    assert_eq!((status, errors.as_str()), (0, open));
    let (status, errors) = run(&["send", &addr, "-n", "s", "-q", "hi"], Stdio::null());
    assert_eq!((status, errors.as_str()), (0, ""));
}
