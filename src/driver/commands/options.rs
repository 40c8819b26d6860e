//! A configuration file, as text: one long option of the command line per line.
//!
//! A line is `key = value`, blank, or a comment, which begins with `#`. Behind a value, a comment begins
//! with a blank and `#`. A value in quotes, of either kind, is what stands between them, as it stands;
//! every other value ends before its last blank. A mark of byte order at the beginning of a line is none of
//! it, and lines may end with CR and LF.

use std::error::Error;
use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use crate::driver::net::address::Address;
use crate::machine::Name;

/// A key is taken for another one that was meant up to so many letters.
const SLIPS_MAX: usize = 2;

/// Where the nodeset is: the one key that is no option, since its value has a place of its own.
const NODESET: &str = "nodeset";
/// The commands that ask a nodeset.
const ASKING: [&str; 4] = ["chat", "send", "who", "doctor"];

/// What a configuration file says for one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Its options, as arguments.
    pub arguments: Vec<OsString>,
    /// Where the nodeset is.
    pub nodeset: Option<String>,
    /// What is set there: the long name, the number of the line, and `key = value`.
    pub lines: Vec<(String, usize, String)>,
}

/// A line that applies to the command that is run.
struct Found {
    long: String,
    line: usize,
    written: String,
    /// It is for this command alone.
    scoped: bool,
    what: What,
}

enum What {
    Argument(Option<OsString>),
    Nodeset(String),
}

impl Settings {
    /// Of those that apply: what is for one command alone is stronger.
    fn of(all: Vec<Found>) -> Self {
        let own: Vec<String> =
            all.iter().filter(|found| found.scoped).map(|found| found.long.clone()).collect();
        let mut settings = Self::default();
        for Found { long, line, written, scoped, what } in all {
            if !scoped && own.contains(&long) {
                continue;
            }
            match what {
                What::Argument(argument) => settings.arguments.extend(argument),
                What::Nodeset(addr) => settings.nodeset = Some(addr),
            }
            settings.lines.push((long, line, written));
        }
        settings
    }
}

/// The options in a configuration file that apply to `task`; those that `is_set` says the environment
/// sets are left out.
///
/// # Errors
///
/// The number of the first line that is wrong, and what is: the key, the value and what is allowed.
pub fn options(
    cli: &Command,
    task: &str,
    text: &str,
    is_set: impl Fn(&OsStr) -> bool,
) -> Result<Settings, (usize, String)> {
    let mut all: Vec<Found> = Vec::new();
    let mut seen: Vec<(&str, usize)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        // Each file that was put behind another one may have brought a mark.
        let line = line.trim_start_matches('\u{FEFF}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what: String| (number, what);
        let (key, written) =
            line.split_once('=').ok_or_else(|| wrong(format!("'{line}' is not `key = value`")))?;
        let (key, written) = (key.trim(), written.trim());
        let scoped = key
            .split_once('.')
            .and_then(|(command, key)| Some((cli.find_subcommand(command)?, key)));
        if let Some((_, first)) = seen.iter().find(|(seen, _)| *seen == key) {
            return Err(wrong(format!("'{key}' is there twice: in line {first} as well")));
        }
        let long = scoped.map_or(key, |(_, key)| key);
        let whole = || format!("{key} = {written}");
        let found = |what| Found {
            long: long.to_owned(),
            line: number,
            written: whole(),
            scoped: scoped.is_some(),
            what,
        };
        let of = scoped.map(|(command, _)| command.get_name());
        if long == NODESET && of.is_none_or(|of| ASKING.contains(&of)) {
            seen.push((key, number));
            let addr = value(written).and_then(addressed);
            let addr = addr.map_err(|what| wrong(format!("{}: {what}", whole())))?;
            let applies = of.map_or(ASKING.contains(&task), |of| of == task);
            if applies && !is_set(OsStr::new("CHATRPC_NODESET")) {
                all.push(found(What::Nodeset(addr)));
            }
            continue;
        }
        let option_of = match scoped {
            // Those of every command are of this one as well.
            Some((command, key)) => {
                option(command, key).or_else(|| option(cli, key)).map(|arg| (command, arg))
            }
            // Of the command that is run, else of all of them, else of another one.
            None => {
                let here = cli.find_subcommand(task);
                let mut commands = here.into_iter().chain([cli]).chain(cli.get_subcommands());
                commands.find_map(|command| Some((command, option(command, key)?)))
            }
        };
        let (command, arg) = option_of.ok_or_else(|| wrong(unknown(cli, key)))?;
        seen.push((key, number));
        let argument = value(written)
            .and_then(|value| named(long, value))
            .and_then(|value| argument(arg, long, value))
            .and_then(|argument| check(cli, command, arg, argument))
            .map_err(|what| wrong(format!("{}: {what}", whole())))?;
        let applies = command.get_name() == task || command.get_name() == cli.get_name();
        if applies && !arg.get_env().is_some_and(&is_set) {
            all.push(found(What::Argument(argument)));
        }
    }
    Ok(Settings::of(all))
}

/// The same value, if it is the address of a nodeset.
fn addressed(value: &str) -> Result<String, String> {
    value.parse::<Address>().map(|_| value.to_owned()).map_err(|error| error.to_string())
}

/// The option of that long name. A configuration cannot name another one.
fn option<'a>(command: &'a Command, key: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| arg.get_long() == Some(key) && is_key(key))
}

/// Whether a long option is a setting: not the file itself, and not what a run is for.
fn is_key(long: &str) -> bool {
    !matches!(long, "config" | "dir")
}

/// What a value is without quotes and without the comment behind it.
fn value(written: &str) -> Result<&str, String> {
    let Some(quote) = written.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        let blank = |(at, _): &(usize, &str)| {
            *at == 0 || written[..*at].ends_with(|before: char| before.is_whitespace())
        };
        let end = written.match_indices('#').find(blank).map_or(written.len(), |(at, _)| at);
        return match written[..end].trim_end() {
            "" if end < written.len() => {
                Err("'#' begins a comment; a value that begins with it stands in quotes".to_owned())
            }
            "" => Err("there is no value".to_owned()),
            value => Ok(value),
        };
    };
    let (value, rest) =
        written[1..].split_once(quote).ok_or_else(|| format!("there is no second {quote}"))?;
    match rest.trim_start() {
        "" => Ok(value),
        comment if comment.starts_with('#') && comment.len() < rest.len() => Ok(value),
        _ => Err(format!("the value ends at the second {quote}, and something stands behind it")),
    }
}

/// The same value; that of a name, which the command line does not look at, is one.
fn named<'a>(key: &str, value: &'a str) -> Result<&'a str, String> {
    if matches!(key, "name" | "room") {
        Name::parse(value).map_err(|error| error.to_string())?;
    }
    Ok(value)
}

/// The argument that an option and its value come to; none for one that is off.
fn argument(arg: &Arg, key: &str, value: &str) -> Result<Option<OsString>, String> {
    let switch = !arg.get_action().takes_values() || matches!(arg.get_action(), ArgAction::Count);
    match value {
        // Its value can be left out.
        "true" if switch || arg.is_require_equals_set() => Ok(Some(format!("--{key}").into())),
        // What is on by default, or by what was set before, has a word for off.
        "false" if arg.get_possible_values().iter().any(|known| known.get_name() == "off") => {
            Ok(Some(format!("--{key}=off").into()))
        }
        "false" if switch || arg.is_require_equals_set() => Ok(None),
        _ if switch => Err("true or false".to_owned()),
        value => Ok(Some(format!("--{key}={value}").into())),
    }
}

/// The same argument, if the command takes it.
fn check(
    cli: &Command,
    command: &Command,
    arg: &Arg,
    argument: Option<OsString>,
) -> Result<Option<OsString>, String> {
    let Some(argument) = argument else { return Ok(None) };
    let task = Some(command.get_name()).filter(|name| *name != cli.get_name());
    let words = ["chatrpc"].into_iter().chain(task).map(OsString::from);
    let tried = cli.clone().try_get_matches_from(words.chain([argument.clone()]));
    let Err(error) = tried else { return Ok(Some(argument)) };
    // A variable may be wrong as well, which is none of the file's.
    let about = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(about)) => about.as_str(),
        _ => "",
    };
    let ours = arg.get_long().is_some_and(|long| about.starts_with(&format!("--{long}")));
    match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if ours => {
            let values = arg.get_possible_values();
            let values: Vec<_> = values.iter().map(|value| value.get_name()).collect();
            let one_of = (!values.is_empty()).then(|| format!("one of {}", values.join(", ")));
            let why = || error.source().map(ToString::to_string);
            Err(one_of.or_else(why).unwrap_or_else(|| "no value of it".to_owned()))
        }
        // What else a command needs is for the command line to say.
        _ => Ok(Some(argument)),
    }
}

/// That there is no such key, and which one may be meant.
fn unknown(cli: &Command, key: &str) -> String {
    let commands = cli.get_subcommands().chain([cli]);
    let keys = commands.flat_map(Command::get_arguments).filter_map(Arg::get_long);
    let keys = keys.chain([NODESET]);
    let near = keys.filter(|known| is_key(known)).map(|known| (distance(known, key), known));
    match near.min() {
        Some((slips, known)) if slips <= SLIPS_MAX => {
            format!("unknown key '{key}': did you mean '{known}'?")
        }
        _ => format!("unknown key '{key}': keys are the long options of the commands"),
    }
}

/// How many letters are one too many, missing or another one.
fn distance(one: &str, other: &str) -> usize {
    // A long word has no near one.
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut diagonal = core::mem::replace(&mut row[0], at + 1);
        for (column, &same) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != same);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}
