//! What is wrong with a command line, in words that are safe to show.

use std::ffi::OsString;

use chatrpc::driver::{self, Failure, shown, status};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

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
    let text = harmless(error).render().to_string();
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(first);
    let mut failure = Failure::new(status::USAGE, "usage", what);
    failure.hints = lines.map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned()).collect();
    if let Some(variable) = variable {
        failure.hints.insert(0, format!("the variable {variable} says so"));
    }
    Err(failure)
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
    Some(
        failure
            .hint(format!("for that value:  {}", with(&[&value])))
            .hint(format!("for an address:  {}", with(&[word, option]))),
    )
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
