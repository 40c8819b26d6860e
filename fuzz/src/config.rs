//! What people write into files and on the command line: the configuration, addresses, trusted names,
//! the number of the last process.

use std::net::SocketAddr;

use chatrpc::driver::{Address, Settings, options, trial};
use clap::{Arg, ArgAction, Command};

use super::script::Script;

/// Pieces of a configuration: a text of them gets further than one of any letters.
const PIECES: [&str; 24] = [
    "name", "plain", "log", "listen", "verbose", "config", "nmae", " ", "=", "true", "false", "#",
    "\n", "\r\n", "\u{feff}", "\"", "\\", "~", "/", "-", "alice", "é", "\u{a0}", "\t",
];

/// Pieces of addresses.
const ADDRESSES: [&str; 20] = [
    "127.0.0.1",
    "[",
    "]",
    ":",
    "::1",
    "fe80::1",
    "%eth0",
    "%3",
    "7420",
    "0",
    "65536",
    "99999",
    "localhost",
    "a.b",
    "::ffff:10.1.2.3",
    "255.255.255.255",
    "+",
    "-1",
    " ",
    "ü",
];

/// Makes a text and has it read.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    match script.below(4) {
        0 | 1 => check_options(&mut script),
        2 => check_address(&text(&mut script, &ADDRESSES)),
        _ => check_kept(&mut script),
    }
}

fn text(script: &mut Script<'_>, pieces: &[&str]) -> String {
    let mut bytes = Vec::new();
    for _ in 0..64 {
        match script.u8() {
            _ if script.is_over() => break,
            n @ 0..=219 => {
                bytes.extend_from_slice(pieces[usize::from(n) % pieces.len()].as_bytes())
            }
            _ => {
                let len = script.below(9);
                bytes.extend_from_slice(script.bytes(len));
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Options of every kind.
fn cli() -> Command {
    let flag = |name| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let value = |name| Arg::new(name).long(name);
    let count = Arg::new("verbose").long("verbose").action(ArgAction::Count).global(true);
    Command::new("chatrpc").arg(count).arg(value("config")).subcommands([
        Command::new("chat").args([value("name"), value("log"), flag("plain"), value("listen")]),
        Command::new("nodeset").arg(value("listen")),
    ])
}

/// What a configuration leads to is what the command line knows, and one argument per line at most.
fn check_options(script: &mut Script<'_>) {
    let task = script.pick(&["chat", "nodeset", "secret"]);
    let text = text(script, &PIECES);
    let lines = text.lines().count();
    match options(&cli(), task, &text, |_| false) {
        Err((number, what)) => assert!((1..=lines).contains(&number) && !what.is_empty()),
        Ok(Settings { arguments, nodeset, lines: set }) => {
            assert!(arguments.len() <= set.len() && set.len() <= lines);
            assert!(set.iter().all(|(_, line, _)| (1..=lines).contains(line)));
            assert!(nodeset.is_none_or(|addr| addr.parse::<Address>().is_ok()));
            for argument in &arguments {
                let argument = argument.to_str().expect("a text");
                assert!(argument.starts_with("--") && !argument.starts_with("--config"));
            }
            let line = ["chatrpc".into(), task.into()].into_iter().chain(arguments);
            // Those of the top stand before the command in the program; clap takes them behind it.
            let parsed = cli().args_override_self(true).try_get_matches_from(line);
            assert!(task == "secret" || parsed.is_ok() || text.contains("verbose"), "{parsed:?}");
        }
    }
}

/// An address is read back from how it is shown.
fn check_address(text: &str) {
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string().parse(), Ok(address.clone()));
        assert!(!address.host().is_empty() && !address.host().contains(char::is_whitespace));
        // Without asking anybody: numbers alone.
        let number = address.host().parse::<std::net::IpAddr>().is_ok();
        let resolved = number.then(|| address.resolve().expect("a number"));
        let mapped = |addr: SocketAddr| matches!(addr, SocketAddr::V6(v6) if v6.ip().to_ipv4_mapped().is_some());
        assert!(
            resolved.is_none_or(|all| all.iter().all(|addr| addr.port() > 0 && !mapped(*addr)))
        );
    }
}

/// Files that are written by us, and perhaps by somebody else.
fn check_kept(script: &mut Script<'_>) {
    const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let mut text = Vec::new();
    for _ in 0..script.below(8) {
        if !script.one_in(8) {
            text.extend(KEY.bytes());
        }
        text.extend(script.pick(&[" ", "  ", "", "\t"]).bytes());
        let len = script.below(24);
        text.extend(script.bytes(len));
        text.extend(script.pick(&["\n", "\r\n", "\u{2028}", ""]).bytes());
    }
    let kept = trial::known(&text);
    assert_eq!(trial::known(&kept), kept, "what was written is read as it was");
    let number = String::from_utf8_lossy(script.bytes(24)).into_owned();
    let (number, now) =
        (if script.one_in(2) { number } else { script.number().to_string() }, script.number());
    match trial::incarnation(&number, now, script.number() as u32) {
        None => {
            assert!(number.trim().parse::<u64>().is_ok_and(|last| last >> 20 == u64::MAX >> 20))
        }
        Some(next) => {
            assert!(next >> 20 >= now.min(u64::MAX >> 20));
            assert!(number.trim().parse::<u64>().is_ok_and(|last| next > last) || next >= 1);
        }
    }
}
