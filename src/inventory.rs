//! What the program has, and every place that tells of it: whatever exists stands where it belongs, and
//! nothing stands there that does not exist.
//!
//! | what | is defined in | stands in |
//! |---|---|---|
//! | commands, options, values | `args.rs` | `--help`, the manual, the completions, the README, the configuration |
//! | variables | `args.rs`, `manual.rs`, and wherever one is read | the manual of the commands that read it; ours in the README |
//! | slash commands | `machine/command.rs`, `terminal/commands.rs` | the manual of `chat`, the README, F1 |
//! | keys | `terminal/help.rs`, and `terminal/keys.rs` that obeys them | the manual of `chat`, the README, F1 |
//! | exit statuses | `driver::status`, `manual.rs` | the manual of the commands that end so, the README |

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use chatrpc::driver::{self, status};
use clap::{Arg, Command, CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::args::Cli;
use crate::manual::{self, STATUSES, VARIABLES};

const README: &str = include_str!("../README.md");

/// The command line, with what clap adds.
fn cli() -> Command {
    let mut cli = Cli::command().bin_name("chatrpc");
    cli.build();
    cli
}

fn names(cli: &Command) -> Vec<&str> {
    cli.get_subcommands().map(Command::get_name).collect()
}

fn longs(command: &Command) -> BTreeSet<String> {
    command.get_arguments().filter_map(Arg::get_long).map(ToOwned::to_owned).collect()
}

/// Every long option of any command.
fn all_longs() -> BTreeSet<String> {
    let cli = cli();
    cli.get_subcommands().chain([&cli]).flat_map(longs).collect()
}

/// The page of a command, as it is read.
fn page(name: Option<&str>) -> String {
    manual::page(name).unwrap().replace("\\-", "-").replace("\\fB", "").replace("\\fR", "")
}

/// One section of a page: the words that are explained there, in their lines.
fn section(page: &str, heading: &str) -> Vec<String> {
    let (_, after) = page.split_once(&format!(".SH {heading}\n")).unwrap_or_default();
    let lines: Vec<&str> = after.split("\n.SH ").next().unwrap_or_default().lines().collect();
    lines.windows(2).filter(|two| two[0] == ".TP").map(|two| two[1].to_owned()).collect()
}

/// The words of a text that begin with `--`, a letter and more of them.
fn options_in(text: &str) -> BTreeSet<String> {
    let word = |part: &str| -> String {
        part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect()
    };
    let places = text.match_indices("--").filter(|&(at, _)| !text[..at].ends_with('-'));
    places.map(|(at, _)| word(&text[at + 2..])).filter(|word| word.len() > 1).collect()
}

/// The words of a text that have the form of a variable of ours.
fn variables_in(text: &str) -> BTreeSet<String> {
    let of_name = |c: char| c.is_ascii_uppercase() || c == '_';
    let words = text.split(|c: char| !of_name(c));
    words
        .filter(|word| word.starts_with("CHATRPC_") && word.len() > 8)
        .map(ToOwned::to_owned)
        .collect()
}

/// The sources of the program, without their tests.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension() == Some(OsStr::new("rs")) && !path.ends_with("inventory.rs")
            {
                let text = fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
                found.push((path, product));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

fn source(name: &str) -> String {
    let found = sources().into_iter().find(|(path, _)| path.ends_with(name));
    found.unwrap_or_else(|| panic!("{name} is gone")).1
}

#[test]
fn commands_and_options_stand_where_they_belong() {
    let cli = cli();
    for command in cli.get_subcommands() {
        let name = command.get_name();
        assert!(README.contains(&format!("`chatrpc {name}")), "the README has no {name}");
        assert!(page(None).contains(&format!("chatrpc-{name}")), "the manual has no {name}");
        let (help, of) = (command.clone().render_long_help().to_string(), longs(command));
        let told: Vec<String> = section(&page(Some(name)), "OPTIONS");
        for long in &of {
            let word = format!("--{long}");
            assert!(options_in(&help).contains(long), "{name} --help has no {word}");
            assert!(told.iter().any(|line| options_in(line).contains(long)), "man {name}: {word}");
            assert!(options_in(README).contains(long), "the README has no {word}");
        }
        let on_page: BTreeSet<String> = told.iter().flat_map(|line| options_in(line)).collect();
        assert_eq!(on_page, of, "man {name}");
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{name}: {} is not explained", arg.get_id());
            if let Some(short) = arg.get_short() {
                assert!(README.contains(&format!("-{short}")) || short == 'h', "-{short}");
            }
        }
    }
}

/// Whatever is called an option or a command somewhere is one: in help, the manual, the documents, and in
/// what the program says.
#[test]
fn no_option_or_command_is_told_of_that_is_not_there() {
    let (cli, all) = (cli(), all_longs());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts: Vec<(String, String)> = names(&cli)
        .iter()
        .map(|&name| (format!("man {name}"), page(Some(name))))
        .chain([("man".to_owned(), page(None))])
        .collect();
    for name in [
        "README.md",
        "SECURITY.md",
        "docs/JSON.md",
        "docs/PROTOCOL.md",
        "docs/ARCHITECTURE.md",
        "docs/chatrpc-nodeset.service",
    ] {
        texts.push((name.to_owned(), fs::read_to_string(root.join(name)).unwrap()));
    }
    texts.extend(sources().into_iter().map(|(path, text)| (path.display().to_string(), text)));
    for (place, text) in texts {
        // What is asked of cargo is none of ours.
        let ours = text.lines().filter(|line| !line.contains("cargo "));
        let ours: String = ours.map(|line| format!("{line}\n")).collect();
        let unknown: Vec<String> = options_in(&ours).difference(&all).cloned().collect();
        assert!(unknown.is_empty(), "{place} has {unknown:?}");
        for (at, _) in ours.match_indices("`chatrpc ") {
            let word: String =
                ours[at + 9..].chars().take_while(char::is_ascii_lowercase).collect();
            // The keys of hashes are called so, too.
            let is_key = place == "docs/PROTOCOL.md";
            assert!(
                is_key || word.is_empty() || names(&cli).contains(&word.as_str()),
                "{place}: {word}"
            );
        }
    }
}

#[test]
fn completions_have_every_command_and_option() {
    let cli = cli();
    for shell in Shell::value_variants() {
        let mut script = Vec::new();
        clap_complete::generate(*shell, &mut Cli::command(), "chatrpc", &mut script);
        let script = String::from_utf8(script).unwrap();
        for command in cli.get_subcommands() {
            assert!(script.contains(command.get_name()), "{shell} has no {}", command.get_name());
        }
        for long in all_longs() {
            // fish writes `-l name`.
            let there =
                script.contains(&format!("--{long}")) || script.contains(&format!("-l {long}"));
            assert!(there, "{shell} has no --{long}");
        }
        if !matches!(shell, Shell::Fish) {
            let unknown: Vec<String> =
                options_in(&script).difference(&all_longs()).cloned().collect();
            assert!(unknown.is_empty(), "{shell} has {unknown:?}");
        }
    }
}

/// Every long option is a key of the configuration, but for those that are what a run is for.
#[test]
fn the_keys_of_the_configuration_are_the_options() {
    let cli = Cli::command();
    for long in all_longs() {
        let is_key = !["config", "dir", "help", "version"].contains(&long.as_str());
        let key = "5".repeat(64);
        let tried = ["true", "1", "127.0.0.1:1", "1s", "never", "all", "x", &key].map(|value| {
            driver::options(&cli, "chat", &format!("{long} = {value}"), |_| false).err()
        });
        let unknown = |(_, what): &(usize, String)| what.starts_with("unknown key");
        assert_eq!(tried.iter().any(Option::is_none), is_key, "{long}: {tried:?}");
        assert!(is_key || tried.iter().flatten().all(unknown), "{long}: {tried:?}");
    }
}

/// The variables that stand on the page of a command.
fn told_of(name: &str) -> BTreeSet<String> {
    let lines = section(&page(Some(name)), "ENVIRONMENT");
    lines.iter().flat_map(|line| line.split(", ")).map(ToOwned::to_owned).collect()
}

#[test]
fn variables_stand_where_they_belong() {
    let cli = cli();
    let mut told = BTreeSet::new();
    for command in cli.get_subcommands() {
        let of_options = command.get_arguments().filter_map(Arg::get_env);
        let of_options = of_options.map(|name| name.to_string_lossy().into_owned());
        let here = told_of(command.get_name());
        for name in of_options {
            assert!(here.contains(&name), "man {} has no {name}", command.get_name());
        }
        told.extend(here);
    }
    // Whatever is read is told of. A name that is put together, or handed on, is read elsewhere.
    let mut read = BTreeSet::new();
    for (path, text) in sources() {
        for call in [
            "variable(\"",
            "env::var(\"",
            "env::var_os(\"",
            "base_folder(\"",
            "absolute(\"",
            "set(\"",
        ] {
            let names = text.split(call).skip(1).filter_map(|rest| rest.split('"').next());
            read.extend(names.map(|name| (name.to_owned(), path.clone())));
        }
    }
    assert!(read.len() > 15, "{read:?}");
    for (name, path) in read.into_iter().filter(|(name, _)| name != "CHATRPC_TEST_SEED") {
        assert!(told.contains(&name), "{} reads {name}, which no page has", path.display());
    }
    // And what is told of is read.
    let code: String = sources()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("manual.rs"))
        .map(|(_, text)| text)
        .collect();
    for name in &told {
        assert!(code.contains(&format!("\"{name}\"")), "nobody reads {name}");
    }
    let ours: BTreeSet<String> =
        told.iter().filter(|name| name.starts_with("CHATRPC_")).cloned().collect();
    assert_eq!(variables_in(README), ours);
    for (name, of, _) in VARIABLES {
        assert!(!of.is_empty() && of.iter().all(|one| names(&cli).contains(one)), "{name}: {of:?}");
    }
}

#[test]
fn slash_commands_stand_where_they_belong() {
    let all: BTreeSet<&str> = driver::slash_commands().map(|help| help.name).collect();
    let in_manual: BTreeSet<String> =
        section(&page(Some("chat")), "SLASH COMMANDS").iter().map(|line| word_of(line)).collect();
    assert_eq!(in_manual, all.iter().map(|&name| name.to_owned()).collect());
    // In the README each begins a cell, or stands in one with others.
    let in_readme: BTreeSet<String> = README
        .match_indices("`/")
        .map(|(at, _)| word_of(&README[at + 1..]))
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(in_readme, in_manual);
    let (_, rows) = README.split_once("| command | |").unwrap();
    let tables = rows.split("\n**The screen**").next().unwrap();
    for name in all {
        assert!(tables.contains(&format!("`/{name}")), "no row of the README has /{name}");
    }
}

/// The letters behind a slash.
fn word_of(text: &str) -> String {
    text.trim_start_matches('/').chars().take_while(char::is_ascii_lowercase).collect()
}

/// A row of the keys, each by itself: `Ctrl-A E B F` are four.
fn each_key(row: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for part in row.split(", ") {
        let mut words = part.split(' ');
        let first = words.next().unwrap_or_default();
        let with = first.rsplit_once('-').map(|(with, _)| with).filter(|with| !with.is_empty());
        keys.push(first.to_owned());
        keys.extend(
            words.map(|word| with.map_or(word.to_owned(), |with| format!("{with}-{word}"))),
        );
    }
    keys
}

#[test]
fn keys_stand_where_they_belong() {
    let rows: Vec<[&str; 3]> = driver::KEYS.to_vec();
    let in_manual = section(&page(Some("chat")), "KEYS");
    assert_eq!(in_manual, rows.iter().map(|[key, ..]| (*key).to_owned()).collect::<Vec<_>>());
    let (_, table) =
        README.split_once("| key | while typing | while reading back |\n|---|---|---|\n").unwrap();
    let table: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let of_help =
        rows.iter().map(|[key, typing, reading]| format!("| {key} | {typing} | {reading} |"));
    assert_eq!(table, of_help.collect::<Vec<_>>());
    // What the editor and the page obey, as their sources have it.
    let told: BTreeSet<String> = rows.iter().flat_map(|[key, ..]| each_key(key)).collect();
    let code = source("terminal/keys.rs");
    let arms = |function: &str| -> BTreeSet<String> {
        let (_, body) = code.split_once(&format!("fn {function}(")).expect(function);
        let body = body.split("\n    }\n").next().unwrap();
        let letters = body.lines().filter_map(|line| line.trim_start().strip_prefix('\''));
        letters
            .filter_map(|line| line.chars().next())
            .map(|c| c.to_ascii_uppercase().to_string())
            .collect()
    };
    let obeyed = |with: &str, letters: BTreeSet<String>| -> BTreeSet<String> {
        letters.into_iter().map(|letter| format!("{with}-{letter}")).collect()
    };
    let mut all = obeyed("Ctrl", arms("type_ctrl"));
    all.append(&mut obeyed("Alt", arms("type_alt")));
    let functions = code.split("Key::Function(").skip(1).filter_map(|rest| rest.split(')').next());
    all.extend(functions.map(|number| format!("F{number}")));
    assert!(all.len() > 20, "{all:?}");
    let untold: Vec<&String> = all.difference(&told).collect();
    assert!(untold.is_empty(), "no row has {untold:?}");
    let of_editor = |key: &&String| {
        let letter = key.strip_prefix("Ctrl-").or_else(|| key.strip_prefix("Alt-"));
        letter.is_some_and(|letter| letter.chars().count() == 1)
    };
    for key in told.iter().filter(of_editor).filter(|&key| !all.contains(key)) {
        let letter = key.chars().next_back().unwrap().to_ascii_lowercase();
        let there = code.contains(&format!("Key::Char('{letter}')"));
        assert!(there, "nothing obeys {key}");
    }
}

#[test]
fn exit_statuses_stand_where_they_belong() {
    let numbers = [
        status::OK,
        status::INTERNAL,
        status::USAGE,
        status::NO_NODESET,
        status::NAME,
        status::UNDELIVERED,
        status::BIND,
        status::PROTOCOL,
    ];
    let line = README.lines().find(|line| line.starts_with("**Exit status.**")).unwrap();
    let parts: Vec<&str> = line.split(['·', ';']).map(str::trim).collect();
    for (word, of, _) in STATUSES {
        let number = word.split(' ').next().unwrap();
        let words: Vec<&str> = line.split([' ', '.', ',', ';']).collect();
        assert!(words.contains(&number), "{word} is not in the README");
        let small = number.parse::<u8>().ok().filter(|number| *number < 100);
        assert!(small.is_none_or(|number| numbers.contains(&number)), "nothing ends with {word}");
        for name in names(&cli()) {
            let there = section(&page(Some(name)), "EXIT STATUS").iter().any(|told| told == word);
            assert_eq!(there, of.contains(&name), "man {name}: {word}");
        }
    }
    for number in numbers {
        let number = number.to_string();
        assert!(STATUSES.iter().any(|(word, ..)| *word == number), "no page has {number}");
    }
    let told = parts
        .iter()
        .filter_map(|part| part.trim_start_matches("**Exit status.** ").split(' ').next());
    let told: Vec<&str> = told.filter(|word| word.parse::<u8>().is_ok()).collect();
    assert!(told.iter().all(|word| STATUSES.iter().any(|(status, ..)| status == word)), "{told:?}");
}

/// What `--notify` takes, in the file and on the command line, is what `/notify` takes; `--time` takes RFC
/// 3339 as well, for lines.
#[test]
fn an_option_takes_what_its_command_takes() {
    let cli = cli();
    let chat = cli.find_subcommand("chat").unwrap();
    for name in ["joins", "notify", "time", "mouse"] {
        let arg = chat.get_arguments().find(|arg| arg.get_long() == Some(name)).unwrap();
        let taken = arg.get_possible_values();
        let mut taken: Vec<&str> = taken.iter().map(|value| value.get_name()).collect();
        taken.retain(|word| !(name == "time" && *word == "iso"));
        let of_command = driver::values(name);
        let words: Vec<&str> = of_command.iter().map(|[word, _]| *word).collect();
        assert_eq!(taken, words, "--{name}");
        for word in words {
            for word in [word.to_owned(), word.to_uppercase()] {
                let words = ["chatrpc".to_owned(), "chat".to_owned(), format!("--{name}={word}")];
                assert!(Cli::command().try_get_matches_from(words).is_ok(), "--{name}={word}");
            }
        }
    }
}
