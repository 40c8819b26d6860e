//! Where settings come from: the command line, the environment and the configuration file. What each of
//! them means, and what is said when it is wrong.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

mod support;

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::{Process, chatrpc, nodeset, person};

/// A folder of this test alone.
fn fresh(name: &str) -> PathBuf {
    let folder =
        std::env::temp_dir().join(format!("chatrpc-settings-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Status and standard error.
fn ended(command: &mut Command) -> (i32, String) {
    let mut process = Process::of(command.stdin(Stdio::null()));
    (process.status(), process.errors())
}

/// Where nobody listens.
const NOWHERE: &str = "127.0.0.1:9";

/// Status and standard output.
fn printed(command: &mut Command) -> (i32, String) {
    let mut process = Process::of(command.stdin(Stdio::null()));
    (process.status(), process.out.all().join("\n"))
}

/// All files below a folder, by the path from there.
fn below(folder: &Path) -> Vec<String> {
    let found =
        Command::new("find").args([".", "-type", "f"]).current_dir(folder).output().unwrap();
    let mut files: Vec<_> =
        String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect();
    files.sort();
    files
}

// ---- The environment ----

const VARIABLES: [&str; 6] = [
    "CHATRPC_NAME",
    "CHATRPC_NODESET",
    "CHATRPC_ROOM",
    "CHATRPC_LISTEN",
    "CHATRPC_COLOR",
    "CHATRPC_LOG",
];

/// Each of them was a mistake of usage, and the log was written.
#[test]
fn a_variable_that_is_empty_is_not_set() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let home = fresh("empty");
    let commands: [&[&str]; 3] = [
        &["send", &addr, "-n", "s", "hi"],
        &["who", &addr],
        &["chat", &addr, "-n", "c", "--plain", "--no-input", "--drain", "1s"],
    ];
    for args in commands {
        let mut command = chatrpc(args);
        for name in VARIABLES.into_iter().chain(["DEBUG", "NO_COLOR", "NOTIFY_SOCKET"]) {
            command.env(name, "");
        }
        command.env("HOME", &home).env("XDG_STATE_HOME", "").env("XDG_CONFIG_HOME", "");
        command.env("XDG_DATA_HOME", "");
        let mut process = Process::of(command.stdin(Stdio::null()));
        if args[0] == "chat" {
            process.err.wait("* Welcome to the chat room, c!");
            process.signal("INT");
        }
        assert_eq!(process.status(), 0, "{args:?}: {}", process.errors());
        assert!(process.err.has_none("[DEBUG]") && process.err.has_none("DEBUG "), "no log");
    }
    alice.out.wait("s: hi");
    let files = below(&home);
    assert!(files.iter().any(|file| file == "./.local/share/chatrpc/key"), "{files:?}");
    assert!(!files.iter().any(|file| file.ends_with(".log")), "{files:?}");

    // The login name stands in for one that is empty, and the nodeset listens where it does unasked.
    let (status, errors) = ended(chatrpc(&["send", &addr, "hi"]).env("CHATRPC_NAME", ""));
    assert_eq!(status, 0, "{errors}");
    alice.out.wait("tester: hi");
    // What is typed and empty is a mistake as ever.
    let (status, errors) = ended(&mut chatrpc(&["send", &addr, "-n", "", "hi"]));
    assert!(status == 2 && errors.contains("--name"), "{errors}");
    // Help is about every variable.
    let mut help = chatrpc(&["chat", "--help"]);
    help.envs(VARIABLES.map(|name| (name, "")));
    let (_, help) = printed(&mut help);
    assert!(VARIABLES.iter().all(|name| help.contains(name)), "{help}");
    fs::remove_dir_all(&home).unwrap();
}

/// Whoever started a chat in another folder was somebody else there.
#[test]
fn a_folder_that_is_not_absolute_is_ignored() {
    let (home, elsewhere) = (fresh("relative"), fresh("relative-elsewhere"));
    for folder in ["config/chatrpc", ".config/chatrpc"] {
        fs::create_dir_all(elsewhere.join(folder)).unwrap();
        fs::write(elsewhere.join(folder).join("config"), "this is no setting\n").unwrap();
    }
    let start = |home: &Path, folder: &Path| {
        let mut command = chatrpc(&["chat", NOWHERE, "-n", "x", "--no-input", "--log"]);
        command.env("HOME", home).current_dir(folder);
        for (name, value) in [("CONFIG", "config"), ("DATA", "data"), ("STATE", "./state")] {
            command.env(format!("XDG_{name}_HOME"), value);
        }
        ended(&mut command)
    };
    for folder in [&elsewhere, &home] {
        let (status, errors) = start(&home, folder);
        assert_eq!(status, 3, "nobody listens there: {errors}");
    }
    let files = below(&home);
    for file in ["./.local/share/chatrpc/key", "./.local/state/chatrpc/lobby.log"] {
        assert!(files.iter().any(|found| found == file), "{file}: {files:?}");
    }
    assert_eq!(below(&elsewhere).len(), 2, "{:?}", below(&elsewhere));
    // Nor is a home that is not absolute one.
    let (status, errors) = start(Path::new("here"), &elsewhere);
    let neither = "neither XDG_DATA_HOME nor HOME is an absolute path";
    assert!(status == 2 && errors.contains(neither), "{errors}");
    fs::remove_dir_all(&home).unwrap();
    fs::remove_dir_all(&elsewhere).unwrap();
}

// ---- Paths ----

/// `CHATRPC_LOG=off` wrote the chat to a file called `off`.
#[test]
fn a_word_for_yes_or_no_is_no_file() {
    let home = fresh("words");
    let chat = ["chat", NOWHERE, "-n", "x", "--no-input", "--ephemeral"];
    let logs = |how: &dyn Fn(&mut Command)| {
        let mut command = chatrpc(&chat);
        command.env("HOME", &home).env("XDG_STATE_HOME", home.join("state")).current_dir(&home);
        how(&mut command);
        let (status, errors) = ended(&mut command);
        assert_eq!(status, 3, "{errors}");
        let made = home.join("state/chatrpc/lobby.log").exists();
        let _ = fs::remove_dir_all(home.join("state"));
        let _ = fs::remove_file(home.join("config"));
        assert_eq!(below(&home), Vec::<String>::new());
        made
    };
    for (word, on) in
        [("off", false), ("No", false), ("0", false), ("FALSE", false), ("on", true), ("1", true)]
    {
        let option = format!("--log={word}");
        let config = home.join("config");
        let line = format!("log = {word}\n");
        let set = |command: &mut Command| {
            command.env("CHATRPC_LOG", word);
        };
        let typed = |command: &mut Command| {
            command.arg(&option);
        };
        assert_eq!((logs(&set), logs(&typed)), (on, on), "{word}");
        let configured = |command: &mut Command| {
            fs::write(&config, &line).unwrap();
            command.arg("--config").arg(&config);
        };
        assert_eq!(logs(&configured), on, "{line}");
    }
    fs::remove_dir_all(&home).unwrap();
}

/// A shell says what `~` is, and there is none behind `--log=` and in a file.
#[test]
fn a_tilde_is_the_home_folder_where_no_shell_was() {
    let home = fresh("tilde");
    let chat = ["chat", NOWHERE, "-n", "x", "--no-input", "--ephemeral"];
    let start = |more: &[&str], log: Option<&str>| {
        let mut command = chatrpc(&[&chat, more].concat());
        command.env("HOME", &home).current_dir(&home);
        log.into_iter().for_each(|log| {
            command.env("CHATRPC_LOG", log);
        });
        ended(&mut command)
    };
    fs::create_dir(home.join("in")).unwrap();
    fs::create_dir(home.join("~x")).unwrap();
    fs::write(home.join("config"), "log = ~/in/file.log\n").unwrap();
    fs::write(home.join("secret"), "not a secret").unwrap();
    for (more, log, made) in [
        (&["--log=~/in/typed.log"][..], None, "in/typed.log"),
        (&["--config", "~/config"], None, "in/file.log"),
        (&["--config=~/config", "--log=~//in/slashes.log"], None, "in/slashes.log"),
        (&[], Some("~/in/variable.log"), "in/variable.log"),
        (&["--log=~x/somebody.log"], None, "~x/somebody.log"),
        (&["--log=./in/~"], None, "in/~"),
    ] {
        let (status, errors) = start(more, log);
        assert_eq!(status, 3, "{more:?}: {errors}");
        assert!(home.join(made).exists(), "{made}: {:?}", below(&home));
    }
    let secret = format!("error: {}/secret: ", home.display());
    let (status, errors) = start(&["--secret-file", "~/secret"], None);
    assert!(status == 2 && errors.starts_with(&secret), "{errors}");
    fs::write(home.join("config"), "secret-file = ~/secret\n").unwrap();
    let (status, errors) = start(&["--config=~/config"], None);
    assert!(status == 2 && errors.starts_with(&secret), "{errors}");
    fs::remove_dir_all(&home).unwrap();
}

/// It was taken for the host of a nodeset.
#[test]
fn a_value_that_can_be_left_out_stands_behind_its_sign() {
    let wrong = |args: &[&str]| {
        let (status, errors) = ended(&mut chatrpc(args));
        assert_eq!(status, 2, "{args:?}: {errors}");
        let first = "error: a value of --log stands behind '=': 'room.log' is a word of its own";
        assert_eq!(errors.lines().next(), Some(first), "{args:?}");
        errors
    };
    let errors = wrong(&["chat", "-n", "x", "--log", "room.log"]);
    assert!(errors.contains("chat -n x '--log=room.log'\n"), "{errors}");
    assert!(errors.ends_with("chat -n x room.log --log"), "{errors}");
    wrong(&["chat", NOWHERE, "--log", "room.log"]);
    wrong(&["chat", "--log", "room.log", NOWHERE]);
    // What is plainly an address is one.
    let home = fresh("detached");
    for args in [["--log", NOWHERE, "--ephemeral"], ["--ephemeral", NOWHERE, "--log"]] {
        let mut command = chatrpc(&["chat", "-n", "x", "--no-input"]);
        let (status, errors) = ended(command.args(args).env("XDG_STATE_HOME", &home));
        assert_eq!(status, 3, "{args:?}: {errors}");
    }
    fs::remove_dir_all(&home).unwrap();
}

/// An empty one was a file in no folder, or the usual file.
#[test]
fn a_path_is_not_empty() {
    let folder = fresh("empty-paths");
    let config = folder.join("config");
    fs::write(&config, "log = \"\"\n").unwrap();
    let config = config.to_str().unwrap();
    for (args, option) in [
        (&["who", NOWHERE, "--config="][..], "--config"),
        (&["--config", "", "secret"], "--config"),
        (&["man", "--dir="], "--dir"),
        (&["man", "--dir", ""], "--dir"),
        (&["chat", NOWHERE, "-n", "x", "--log="], "--log"),
        (&["chat", NOWHERE, "-n", "x", "--secret-file="], "--secret-file"),
        (&["chat", NOWHERE, "-n", "x", "--config", config], "config:1: log = \"\""),
    ] {
        let mut command = chatrpc(args);
        let (status, errors) = ended(command.env("HOME", &folder).current_dir(&folder));
        let first = errors.lines().next().unwrap_or_default();
        assert_eq!(status, 2, "{args:?}: {errors}");
        assert!(first.contains(option) && first.contains("a path is not empty"), "{errors}");
    }
    assert_eq!(below(&folder), ["./config"], "nothing is written");
    fs::remove_dir_all(&folder).unwrap();
}

/// Users of services often have no home. There is no file below what is no folder.
#[test]
fn a_home_that_is_no_folder_is_none() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let start = |args: &[&str]| {
        let mut command = chatrpc(args);
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
            command.env_remove(name);
        }
        ended(command.env("HOME", "/dev/null"))
    };
    for args in [&["who", &addr][..], &["secret"], &["send", "--ephemeral", &addr, "hi"]] {
        let (status, errors) = start(args);
        assert!(status == 0 && !errors.contains("directory"), "{args:?}: {errors}");
    }
    alice.out.wait("tester: hi");
    // A file that was asked for is to be there.
    let (status, errors) = start(&["who", &addr, "--config", "/dev/null/config"]);
    assert!(status == 2 && errors.contains("/dev/null/config: Not a directory"), "{errors}");
}

// ---- Whom we trust ----

/// One byte ended every chat, with a hint about the key; a line was erased by the next /trust.
#[test]
fn a_line_of_trusted_names_that_means_nothing_is_told_of_and_stays() {
    let (_nodeset, addr) = nodeset();
    let _bob = person(&addr, "bob");
    let home = fresh("known");
    let folder = home.join("chatrpc");
    fs::create_dir(&folder).unwrap();
    let known = folder.join("known");
    let rest = format!(" {} carol\n", "82".repeat(32));
    let strange = [&b"caf\xe9"[..], rest.as_bytes()].concat();
    fs::write(&known, [&b"# friends\n"[..], &strange].concat()).unwrap();
    let start = || {
        let mut command = chatrpc(&["chat", &addr, "-n", "alice", "--plain", "--commands"]);
        Process::of(command.env("XDG_DATA_HOME", &home).stdin(Stdio::piped()))
    };
    let mut alice = start();
    let told =
        format!("* {}:2: this line names nobody to trust, and stays as it is", known.display());
    assert_eq!(alice.err.wait("names nobody"), told);
    alice.say("/trust bob");
    alice.err.wait("bob");
    alice.end_input();
    assert_eq!(alice.status(), 0, "{}", alice.errors());
    let text = fs::read(&known).unwrap();
    assert!(text.ends_with(&strange) && text.iter().filter(|&&byte| byte == b'\n').count() == 3);

    // What cannot be read at all is not the key.
    fs::remove_file(&known).unwrap();
    fs::create_dir(&known).unwrap();
    let mut alice = start();
    let (status, errors) = (alice.status(), alice.errors());
    let what = format!("error: whom you trust is not known: {}: ", known.display());
    assert!(status == 2 && errors.starts_with(&what), "{errors}");
    assert!(errors.contains("move it away to trust nobody yet"), "{errors}");
    assert!(!errors.contains("--ephemeral"), "{errors}");
    fs::remove_dir_all(&home).unwrap();
}

// ---- Where the nodeset is ----

/// `who` wanted an address, and `send` one where there was a setting.
#[test]
fn a_nodeset_that_is_not_named_is_that_of_the_setting_or_of_this_computer() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let set = |args: &[&str]| printed(chatrpc(args).env("CHATRPC_NODESET", &addr));
    let (status, out) = set(&["who"]);
    assert!(status == 0 && out.starts_with("alice"), "{out}");
    assert_eq!(set(&["send", "hi"]).0, 0);
    assert_eq!(set(&["send", "-n", "bob", "10.0.0.5:7000"]).0, 0);
    alice.out.wait("tester: hi");
    alice.out.wait("bob: 10.0.0.5:7000");
    // What is typed is stronger.
    let mut typed = chatrpc(&["send", &addr, "typed"]);
    assert_eq!(printed(typed.env("CHATRPC_NODESET", NOWHERE)).0, 0);
    alice.out.wait("tester: typed");

    // Whether anybody is there or not, it is this computer that was asked.
    let dry = |args: &[&str]| {
        let (status, errors) = ended(&mut chatrpc(args));
        assert!(status == 0 || errors.contains("127.0.0.1:7420"), "{args:?}: {errors}");
    };
    dry(&["who"]);
    dry(&["send", "--room", "of this test alone", "hi"]);
    let (status, errors) = ended(&mut chatrpc(&["send", "10.0.0.5:7000"]));
    let what = "error: '10.0.0.5:7000' is an address, and there is no text";
    assert!(status == 2 && errors.starts_with(what), "{errors}");
}

#[test]
fn the_part_that_is_wrong_is_named() {
    for (args, what) in [
        (&["who", "10.0.0.5:99999"][..], "the port '99999' of '10.0.0.5:99999' is no number"),
        (&["send", "[::1]:x", "hi"], "the port 'x' of '[::1]:x' is no number from 1 to 65535"),
        (&["chat", ":7420", "-n", "x"], "':7420' has no host before its port"),
        (&["nodeset", "--listen", "127.0.0.1:99999"], "the port '99999' is no number from 0"),
        (&["nodeset", "--advertise", "[::1]:"], "the port '' is no number from 0 to 65535"),
        (&["chat", "--listen", "here:1"], "not ADDR:PORT"),
        (&["nodeset", "--max-nodes", "0"], "'--max-nodes <N>': 1 at least: nobody could join"),
    ] {
        let (status, errors) = ended(&mut chatrpc(args));
        assert!(status == 2 && errors.contains(what), "{args:?}: {errors}");
    }
    // Nobody typed what a variable says.
    for (name, value) in [("COLOR", "neon"), ("NODESET", "[::1]:x"), ("LISTEN", "here")] {
        let name = format!("CHATRPC_{name}");
        let mut command = chatrpc(&["chat", "-n", "x", "--no-input"]);
        let (status, errors) = ended(command.env(&name, value));
        let what = format!("the variable {name} says so");
        assert!(status == 2 && errors.contains(&what), "{name}: {errors}");
    }
    // Nor what is looked at later, in JSON or not.
    let chat = ["chat", NOWHERE, "--no-input", "--ephemeral", "--json"];
    for (name, value) in
        [("ROOM", "a:"), ("NAME", "a:"), ("LOG", "/tmp"), ("LISTEN", "192.0.2.1:1")]
    {
        let name = format!("CHATRPC_{name}");
        let args =
            if name == "CHATRPC_NAME" { chat.to_vec() } else { [&chat[..], &["-n", "x"]].concat() };
        let what = format!("the variable {name} says so");
        let (_, errors) = ended(chatrpc(&args[..4]).args(&args[5..]).env(&name, value));
        assert!(errors.contains(&what), "{name}: {errors}");
        let (_, out) = printed(chatrpc(&args).env(&name, value));
        assert!(out.contains(&what), "{name}: {out}");
    }
    let send = ["send", NOWHERE, "hi"];
    let (status, errors) = ended(chatrpc(&send).env("CHATRPC_NAME", "a:"));
    assert!(status == 4 && errors.contains("the variable CHATRPC_NAME says so"), "{errors}");
    let (status, errors) = ended(chatrpc(&send).env_remove("USER"));
    assert!(status == 2 && errors.contains("there is no login name, since USER is not set"));
    let (status, errors) = ended(chatrpc(&send).env("USER", "a:"));
    assert!(status == 2 && errors.contains("the login name 'a:' (USER) is none here"), "{errors}");
}

// ---- The configuration file ----

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_place() {
    let folder = fresh("config");
    let file = folder.join("config");
    let read = |text: &str, args: &[&str]| {
        fs::write(&file, text).unwrap();
        let mut command = chatrpc(args);
        ended(command.args(["--config", file.to_str().unwrap()]))
    };
    let chat = ["chat", NOWHERE, "-n", "x", "--no-input", "--ephemeral"];
    for (text, what) in [
        ("\n# colours\ncolor = neon", "3: color = neon: one of auto, always, never"),
        ("nmae = x", "1: unknown key 'nmae': did you mean 'name'?"),
        ("drain = 1s\r\ndrain = 2s\r\n", "2: 'drain' is there twice: in line 1 as well"),
        ("room = \"open", "1: room = \"open: there is no second \""),
        ("name = # me", "1: name = # me: '#' begins a comment"),
        // Also what is another command's.
        ("max-nodes = all", "1: max-nodes = all: write a number, as 1024"),
        ("max-nodes = 0", "1: max-nodes = 0: 1 at least"),
    ] {
        let (status, errors) = read(text, &chat);
        let first = format!("error: {}:{what}", file.display());
        assert!(status == 2 && errors.starts_with(&first), "{text:?}: {errors}");
    }
    let (status, errors) = read("\u{FEFF}color = \"never\" # dull\r\nlog = false\r\n", &chat);
    assert_eq!(status, 3, "nobody listens there: {errors}");
    let latin = [&b"# ours\nname = caf"[..], b"\xe9\n"].concat();
    fs::write(&file, latin).unwrap();
    let (status, errors) = ended(chatrpc(&chat).args(["--config", file.to_str().unwrap()]));
    let first = format!("error: {}:2: it is not UTF-8", file.display());
    assert!(status == 2 && errors.starts_with(&first), "{errors}");
    // What is found to be wrong later has its place, too.
    let here = format!(
        "127.0.0.1:{}",
        UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    );
    let taken = UdpSocket::bind(&here).unwrap();
    let bound = ["chat", NOWHERE, "-n", "x", "--no-input", "--ephemeral"];
    for (set, status, args) in [
        ("log = /tmp".to_owned(), 2, &bound[..]),
        ("secret-file = /nowhere".to_owned(), 2, &bound),
        (format!("listen = {here}"), 6, &bound),
        (format!("nodeset.listen = {here}"), 6, &["nodeset"]),
        ("listen = 192.0.2.1:7420".to_owned(), 6, &bound),
        (format!("nodeset = {NOWHERE}"), 3, &["chat", "-n", "x", "--no-input", "--ephemeral"]),
        (format!("nodeset = {NOWHERE}"), 3, &["who"]),
        (format!("nodeset = {NOWHERE}"), 3, &["send", "-n", "x", "hi"]),
    ] {
        let (ends, errors) = read(&format!("# ours\n{set}\n"), args);
        let place = format!("\n  {}:2: {set}", file.display());
        assert!(ends == status && errors.contains(&place), "{set}: {errors}");
    }
    drop(taken);

    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    for (text, name) in [("name = bob # me", "bob"), ("\u{FEFF}name = 'bob # me'", "bob # me")] {
        assert_eq!(read(text, &["send", &addr, "hi"]).0, 0);
        alice.out.wait(&format!("{name}: hi"));
    }
    fs::remove_dir_all(&folder).unwrap();
}

// ---- The manual ----

/// It had no option of any command.
#[test]
fn every_command_has_a_page_with_everything_about_it() {
    let folder = fresh("manual");
    let (status, errors) = ended(chatrpc(&["man", "--dir", "~/man"]).env("HOME", &folder));
    assert_eq!(status, 0, "{errors}");
    for name in ["nodeset", "chat", "send", "who", "secret", "completions", "man"] {
        let (status, page) = printed(&mut chatrpc(&["man", name]));
        assert_eq!(status, 0, "{name}");
        let written = fs::read_to_string(folder.join(format!("man/chatrpc-{name}.1"))).unwrap();
        assert_eq!(written.trim_end(), page);
        assert!(page.contains(&format!(".TH chatrpc-{name} 1")), "{page}");
        for heading in ["SYNOPSIS", "OPTIONS", "FILES", "ENVIRONMENT", "EXIT STATUS"] {
            assert!(page.contains(heading), "{name}: {heading}");
        }
        // Every long option that help has.
        let (_, help) = printed(&mut chatrpc(&[name, "--help"]));
        let options = help.split_whitespace().filter(|word| word.starts_with("--"));
        for option in options.map(|word| word.trim_matches(|c: char| !c.is_ascii_lowercase())) {
            let option: String = option.chars().take_while(|c| !"[=.,".contains(*c)).collect();
            assert!(page.contains(&option.replace('-', "\\-")), "{name}: {option}");
        }
    }
    let page = fs::read_to_string(folder.join("man/chatrpc-chat.1")).unwrap();
    for part in ["/resend", "/whois NAME", "Ctrl\\-W K U", "CHATRPC_LOG", "CHATRPC_SECRET", "143"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(fs::read_to_string(folder.join("man/chatrpc.1")).unwrap().contains("chatrpc\\-chat"));
    let (status, errors) = ended(&mut chatrpc(&["man", "dance"]));
    assert!(status == 2 && errors.starts_with("error: no command 'dance'"), "{errors}");
    fs::remove_dir_all(&folder).unwrap();
}
