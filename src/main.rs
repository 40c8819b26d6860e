//! The command line, and nothing else: every command is a call into [`chatrpc::driver`].

#![forbid(unsafe_code)]
// The fence against clocks and the environment stands around the machines, not here.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod args;
mod config;

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use chatrpc::driver::{self, Chat, Failure, Nodeset, Say, Who, status};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use args::{Cli, EXAMPLES, Task};

fn main() -> ExitCode {
    let ran = parse(env::args_os().collect()).and_then(|cli| start(&cli));
    ExitCode::from(ran.unwrap_or_else(|failure| {
        failure.print();
        failure.status
    }))
}

fn start(cli: &Cli) -> Result<u8, Failure> {
    let debug = u8::from(env::var_os("DEBUG").is_some_and(|value| value == "1"));
    driver::log_to_stderr(cli.global.verbose.max(debug));
    let quiet = cli.global.quiet;
    match &cli.task {
        Some(Task::Nodeset(args)) => driver::nodeset(&Nodeset {
            listen: args.listen,
            advertise: args.advertise,
            members_max: args.max_nodes,
            quiet,
        }),
        Some(Task::Chat(args)) => driver::chat(&Chat {
            nodeset: args.nodeset.clone(),
            door: args.room.door(),
            ephemeral: args.ephemeral,
            name: args.name.clone(),
            listen: args.listen,
            plain: args.plain,
            json: args.json,
            log: args.log.clone(),
            color: args.color.into(),
            ascii: args.ascii,
            mouse: args.mouse,
            stay: args.stay,
            drain: args.drain,
            input: !args.no_input,
            quiet,
        }),
        Some(Task::Send(args)) => driver::send(&Say {
            nodeset: args.nodeset.clone(),
            door: args.room.door(),
            ephemeral: args.ephemeral,
            name: args.name.clone(),
            text: Some(args.text.clone()).filter(|text| text != "-"),
            drain: args.drain,
            quiet,
        }),
        Some(Task::Who(args)) => {
            let (nodeset, door) = (args.nodeset.clone(), args.room.door());
            driver::who(&Who { nodeset, door, json: args.json })
        }
        Some(Task::Secret) => driver::secret(),
        Some(Task::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "chatrpc", &mut script);
            print(&script)
        }
        Some(Task::Man) => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            print(&page)
        }
        None => {
            eprintln!("{}\n\n{EXAMPLES}\n\nchatrpc -h explains every option.", about());
            Ok(status::USAGE)
        }
    }
}

/// Reads the command line twice: as it was typed, and with the configuration file in front.
fn parse(typed: Vec<OsString>) -> Result<Cli, Failure> {
    let command = Cli::command();
    let matches =
        command.clone().try_get_matches_from(&typed).unwrap_or_else(|error| usage_error(&error));
    let Some(task) = matches.subcommand_name() else { return from_matches(&matches) };
    let asked = matches.get_one::<String>("config").map(String::as_str);
    let file = config::arguments(&command, task, asked)?;
    let after_config = typed.iter().position(|word| word == "--config").map_or(1, |at| at + 2);
    let is_task = |word: &OsString| word == task;
    let at = typed.iter().position(is_task).filter(|&at| at != after_config - 1);
    let at = at.or_else(|| Some(after_config + typed[after_config..].iter().position(is_task)?));
    let Some(at) = at else { return from_matches(&matches) };
    let mut both = typed;
    both.splice(at + 1..at + 1, file);
    // What was typed is in order: a mistake is in the file.
    let matches = command.try_get_matches_from(both).map_err(|error| {
        let text = error.render().to_string();
        let what = text.lines().next().unwrap_or_default();
        let what = what.strip_prefix("error: ").unwrap_or(what);
        Failure::new(status::USAGE, "config", format!("in the configuration file: {what}"))
    })?;
    from_matches(&matches)
}

fn from_matches(matches: &clap::ArgMatches) -> Result<Cli, Failure> {
    Cli::from_arg_matches(matches)
        .map_err(|error| Failure::new(status::USAGE, "usage", error.to_string()))
}

/// Prints a mistake, or the help that was asked for, and ends.
fn usage_error(error: &clap::Error) -> ! {
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand)
        && looks_like_an_address(word)
    {
        let what = format!("unrecognized subcommand '{word}'");
        Failure::new(status::USAGE, "usage", what)
            .hint(format!("did you mean: chatrpc chat {word}"))
            .print();
        std::process::exit(status::USAGE.into());
    }
    error.exit()
}

fn looks_like_an_address(word: &str) -> bool {
    let port = word.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let host = word == "localhost" || word.parse::<std::net::IpAddr>().is_ok();
    (port || host) && word.parse::<driver::Address>().is_ok()
}

fn about() -> String {
    Cli::command().get_about().map(ToString::to_string).unwrap_or_default()
}

fn print(bytes: &[u8]) -> Result<u8, Failure> {
    // A pager that was closed early has seen enough.
    let _ = std::io::stdout().write_all(bytes);
    Ok(status::OK)
}
