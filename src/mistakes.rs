//! What is wrong with a command line, in words that are safe to show.

use std::ffi::OsString;

use chatrpc::driver::{self, Failure, shown, status};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use crate::config;

/// Prints a mistake, or the help that was asked for: the status to end with.
pub(crate) fn explain(error: clap::Error, command: &Command) -> Result<u8, Failure> {
    if !error.use_stderr() {
        let text = error.render();
        let coloured = driver::stdout_has_colour();
        let text = if coloured { text.ansi().to_string() } else { text.to_string() };
        return driver::print(&text).map(|()| status::OK);
    }
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand)
        && looks_like_an_address(word)
    {
        let what = format!("unrecognized subcommand '{word}'");
        let failure = Failure::new(status::USAGE, "usage", what);
        let meant = driver::command(["chat", word]);
        return Err(failure.hint(format!("did you mean: {meant}")));
    }
    let variable = variable_of(&error, command);
    let meant = meant(&error, command);
    let text = harmless(error).render().to_string();
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(first);
    let mut failure = Failure::new(status::USAGE, "usage", what);
    failure.hints = lines.map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned()).collect();
    if let Some(meant) = meant {
        // What looks like the word is not what was meant by it.
        failure.hints = vec![meant];
    }
    if let Some(variable) = variable {
        failure.hints.insert(0, format!("the variable {variable} says so"));
    }
    Err(failure)
}

/// What people type who know other programs, and how it is done here; of options, without their hyphens.
const COMMANDS: &[(&[&str], &str)] = &[
    (&["help", "?"], "try: {} --help, or {} COMMAND --help"),
    (&["version"], "try: {} --version"),
    (
        &["connect", "create", "join", "open", "room", "start", "talk"],
        "{} chat ADDR joins a room, {} chat opens one",
    ),
    (
        &["daemon", "host", "listen", "serve", "server"],
        "try: {} nodeset, or {} chat to talk as well",
    ),
    (&["message", "msg", "say", "tell"], "try: {} send ADDR TEXT"),
    (&["list", "ls", "members", "names", "people", "users"], "try: {} who ADDR"),
    (&["genkey", "key", "keygen", "password"], "try: {} secret"),
];
const OPTIONS: &[(&[&str], &str)] = &[
    (
        &["key", "pass", "password", "psk", "secret"],
        "a secret never stands on the command line: --secret-file PATH, or --secret-file - to be asked for it",
    ),
    (&["port", "p"], "a port stands behind an address: HOST:PORT, or --listen ADDR:PORT"),
    (&["nick", "nickname", "user", "username", "u"], "try: --name NAME"),
    (&["channel", "r"], "try: --room NAME"),
    (
        &["address", "connect", "host", "nodeset", "server", "s"],
        "an address has no option of its own: {} chat ADDR",
    ),
    (&["debug", "d"], "try: -v, or -vv"),
    (&["version", "V"], "try: {} --version"),
];

/// What was meant by a command or an option that is none: what is known of other programs, else which
/// commands there are.
fn meant(error: &clap::Error, command: &Command) -> Option<String> {
    let (kind, habits) = match error.kind() {
        ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, COMMANDS),
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, OPTIONS),
        _ => return None,
    };
    let Some(ContextValue::String(typed)) = error.get(kind) else { return None };
    let is_option = error.kind() == ErrorKind::UnknownArgument;
    let word = if is_option { typed.strip_prefix('-')? } else { typed };
    let word = word.strip_prefix('-').unwrap_or(word);
    let known = habits.iter().find(|(words, _)| words.contains(&word));
    if let Some((_, how)) = known {
        return Some(how.replace("{}", &driver::command::<&str>([])));
    }
    // One that looks like it may be a slip of the keyboard.
    let near = error.get(ContextKind::SuggestedSubcommand).is_some();
    let names: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    (!is_option && !near).then(|| format!("there are: {}", names.join(", ")))
}

/// The variable that a wrong value comes from, if nobody typed it.
fn variable_of(error: &clap::Error, command: &Command) -> Option<String> {
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    let (about, value) = (word(ContextKind::InvalidArg)?, word(ContextKind::InvalidValue)?);
    // Before that, an option does not know how it is shown.
    let mut command = command.clone();
    command.build();
    let of_tasks = command.get_subcommands().flat_map(Command::get_arguments);
    let variables = of_tasks.filter(|arg| arg.to_string() == about).filter_map(Arg::get_env);
    let mut set = variables.filter(|name| driver::variable(name).is_some_and(|set| set == value));
    set.next().map(|name| name.to_string_lossy().into_owned())
}

/// A word behind an option whose value can only stand behind `=`: `--log room.log` would join a nodeset
/// of that name. A word that is plainly an address is one.
pub(crate) fn detached(command: &Command, typed: &[OsString]) -> Option<Failure> {
    let options = command.get_subcommands().flat_map(Command::get_arguments);
    let joined: Vec<String> = options
        .filter(|arg| arg.is_require_equals_set())
        .filter_map(|arg| Some(format!("--{}", arg.get_long()?)))
        .collect();
    let words: Vec<_> = typed.iter().skip(1).map(|word| word.to_string_lossy()).collect();
    let words = words.split(|word| word == "--").next().unwrap_or_default();
    let at = words.windows(2).position(|pair| {
        let (option, word) = (&pair[0], &pair[1]);
        let is_word = !word.starts_with('-') && !looks_like_an_address(word);
        is_word && joined.iter().any(|joined| joined == option)
    })?;
    let (option, word) = (&words[at], &words[at + 1]);
    let with = |middle: &[&str]| {
        let words = words[..at].iter().chain(&words[at + 2..]).map(AsRef::as_ref);
        let mut words: Vec<&str> = words.collect();
        words.splice(at..at, middle.iter().copied());
        driver::command(words)
    };
    let what = format!("a value of {option} stands behind '=': '{word}' is a word of its own");
    let failure = Failure::new(status::USAGE, "usage", what);
    let value = format!("{option}={word}");
    let failure = failure.hint(format!("for that value:  {}", with(&[&value])));
    // A nodeset has one address.
    let mut others = typed.to_vec();
    others.drain(at + 1..at + 3);
    let others = command.clone().try_get_matches_from(others);
    let named =
        others.as_ref().ok().and_then(ArgMatches::subcommand).map(|(_, of_task)| {
            config::source(of_task, "nodeset") == Some(ValueSource::CommandLine)
        });
    match named {
        Some(true) => Some(failure),
        _ => Some(failure.hint(format!("for an address:  {}", with(&[word, option])))),
    }
}

/// The same mistake, with the words that were typed made safe to show.
///
/// A tip repeats such words between words of the library: it goes where one of them is not safe. A
/// line feed in them would otherwise begin a line that looks like the program's own.
pub(crate) fn harmless(mut error: clap::Error) -> clap::Error {
    let words: Vec<_> = error.context().map(|(kind, value)| (kind, value.clone())).collect();
    let mut tips = true;
    for (kind, value) in words {
        let safe = match &value {
            ContextValue::String(word) => ContextValue::String(shown(word)),
            ContextValue::Strings(words) => {
                ContextValue::Strings(words.iter().map(|word| shown(word)).collect())
            }
            _ => continue,
        };
        if safe != value {
            tips = false;
            error.insert(kind, safe);
        }
    }
    if !tips {
        error.insert(ContextKind::Suggested, ContextValue::None);
    }
    error
}

/// Whether a word can hardly be anything else.
pub(crate) fn looks_like_an_address(word: &str) -> bool {
    let port = word.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let host = word == "localhost" || word.parse::<std::net::IpAddr>().is_ok();
    (port || host) && word.parse::<driver::Address>().is_ok()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    /// What is said of a command line: the first line, and the others.
    fn said(words: &[&str]) -> (String, Vec<String>) {
        let command = Cli::command().bin_name("chatrpc");
        let typed = ["chatrpc"].iter().chain(words);
        let error = command.clone().try_get_matches_from(typed).expect_err("a mistake");
        let failure = explain(error, &command).expect_err("a failure");
        assert_eq!(failure.status, status::USAGE);
        (failure.what, failure.hints)
    }

    #[test]
    fn what_other_programs_have_is_told_how_it_is_done_here() {
        let program = driver::command::<&str>([]);
        for (words, hint) in [
            (&["help"][..], format!("try: {program} --help, or {program} COMMAND --help")),
            (
                &["join", "10.0.0.5"],
                format!("{program} chat ADDR joins a room, {program} chat opens one"),
            ),
            (&["server"], format!("try: {program} nodeset, or {program} chat to talk as well")),
            (&["chat", "--version"], format!("try: {program} --version")),
            (&["chat", "--nick", "al"], "try: --name NAME".to_owned()),
            (
                &["chat", "-p", "7000"],
                "a port stands behind an address: HOST:PORT, or --listen ADDR:PORT".to_owned(),
            ),
        ] {
            assert_eq!(said(words).1, [hint], "{words:?}");
        }
        // A secret that was typed is not repeated.
        for words in [&["chat", "--secret=abc"][..], &["chat", "--password", "abc"]] {
            let (what, hints) = said(words);
            assert!(hints[0].starts_with("a secret never stands on the command line"), "{hints:?}");
            assert!(!what.contains("abc"), "{what}");
        }
    }

    /// It suggested a second address.
    #[test]
    fn a_word_behind_an_option_is_no_address_where_there_is_one() {
        let command = Cli::command().bin_name("chatrpc");
        let hints = |words: &[&str]| {
            let typed: Vec<OsString> =
                ["chatrpc"].iter().chain(words).map(OsString::from).collect();
            detached(&command, &typed).expect("a mistake").hints
        };
        let value = |words: &[&str]| format!("for that value:  {}", driver::command(words));
        for words in [
            &["chat", "lab", "--time", "hms"][..],
            &["chat", "10.0.0.5", "-n", "al", "--log", "x.log"],
        ] {
            let hints = hints(words);
            assert_eq!(hints.len(), 1, "{hints:?}");
        }
        let behind = hints(&["chat", "lab", "--time", "hms"]);
        assert_eq!(behind, [value(&["chat", "lab", "--time=hms"])]);
        let before = hints(&["chat", "--time", "hms", "lab"]);
        assert_eq!(before, [value(&["chat", "--time=hms", "lab"])]);
        let both = hints(&["chat", "--time", "hms"]);
        let addr = format!("for an address:  {}", driver::command(["chat", "hms", "--time"]));
        assert_eq!(both, [value(&["chat", "--time=hms"]), addr]);
    }

    #[test]
    fn of_a_command_that_is_none_it_is_told_which_there_are() {
        let all =
            "there are: nodeset, chat, send, who, doctor, find, log, secret, completions, man";
        assert_eq!(said(&["dance"]).1, [all]);
        let (_, hints) = said(&["nodset"]);
        assert!(hints.concat().contains("'nodeset'"), "{hints:?}");
    }

    /// What is named here is none of ours, and what it is told instead is.
    #[test]
    fn habits_are_no_options_or_commands() {
        let cli = Cli::command();
        for word in COMMANDS.iter().flat_map(|(words, _)| *words) {
            assert!(cli.find_subcommand(word).is_none(), "{word}");
        }
        for word in OPTIONS.iter().flat_map(|(words, _)| *words) {
            let of_chat = cli.find_subcommand("chat").expect("chat");
            let mut all = of_chat.get_arguments().chain(cli.get_arguments());
            let is_one = |arg: &Arg| {
                arg.get_long() == Some(word)
                    || arg
                        .get_short()
                        .is_some_and(|short| word.starts_with(short) && word.len() == 1)
            };
            assert!(!all.any(is_one), "{word}");
        }
    }
}
