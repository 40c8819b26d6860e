//! The command line, and nothing else: every command is a call into [`chatrpc::driver`].

#![forbid(unsafe_code)]
// The fence against clocks and the environment stands around the machines, not here.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod args;
mod config;
#[cfg(test)]
mod inventory;
mod manual;
mod mistakes;

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use chatrpc::driver::{
    self, Address, Chat, Doctor, Failure, Nodeset, Provenance, Say, Settings, Who, status,
};
use clap::builder::Resettable;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};
use clap_complete::Shell;

use args::{ChatArgs, Cli, DoctorArgs, EXAMPLES, NO_LOG, OnOff, Task};
use mistakes::{explain, harmless};

fn main() -> ExitCode {
    // Without it a limit on files ends the process; with nothing said, as before.
    let _ = driver::outlive_file_limits();
    let ran = parse(env::args_os().collect()).and_then(|parsed| match parsed {
        Parsed::Run(cli, found) => start(&cli, &found),
        Parsed::Explained(status) => Ok(status),
    });
    ExitCode::from(ran.unwrap_or_else(|failure| {
        failure.print();
        failure.status
    }))
}

/// What a command line comes to.
enum Parsed {
    Run(Box<Cli>, Found),
    /// Help was printed, or what is wrong: nothing is left but to end.
    Explained(u8),
}

/// What is known of a run beside its arguments.
#[derive(Default)]
struct Found {
    /// The nodeset of the configuration file.
    nodeset: Option<String>,
    provenance: Provenance,
}

impl Found {
    fn nodeset(&self) -> Option<Address> {
        self.nodeset.as_ref().and_then(|addr| addr.parse().ok())
    }
}

fn start(cli: &Cli, found: &Found) -> Result<u8, Failure> {
    let debug = u8::from(env::var_os("DEBUG").is_some_and(|value| value == "1"));
    driver::log_to_stderr(cli.global.verbose.max(debug));
    let quiet = cli.global.quiet;
    match &cli.task {
        Some(Task::Nodeset(args)) => driver::nodeset(&Nodeset {
            listen: args.listen,
            advertise: args.advertise,
            members_max: args.max_nodes,
            quiet,
            provenance: found.provenance.clone(),
        }),
        Some(Task::Chat(args)) => driver::chat(&asked(args, found, quiet)),
        Some(Task::Send(args)) => {
            let variable = driver::variable("CHATRPC_NODESET");
            let variable = variable.as_deref().map(OsStr::to_string_lossy);
            let (nodeset, text) = args.words(variable.as_deref().or(found.nodeset.as_deref()))?;
            driver::send(&Say {
                nodeset,
                door: args.room.door(),
                ephemeral: args.ephemeral,
                name: args.name.clone(),
                text: Some(text.to_owned()).filter(|text| text != "-"),
                drain: args.drain,
                wait: args.wait.wait,
                quiet,
                provenance: found.provenance.clone(),
            })
        }
        Some(Task::Who(args)) => {
            let nodeset = args.nodeset.clone().or_else(|| found.nodeset());
            driver::who(&Who {
                nodeset: nodeset.unwrap_or_else(Address::here),
                door: args.room.door(),
                json: args.json,
                wait: args.wait.wait,
                quiet,
                provenance: found.provenance.clone(),
            })
        }
        Some(Task::Doctor(args)) => driver::doctor(&examined(args, found, quiet)),
        Some(Task::Find(args)) => driver::find(&driver::Find {
            door: args.room.door(),
            json: args.json,
            provenance: found.provenance.clone(),
        }),
        Some(Task::Log(args)) => driver::log(&driver::Log {
            door: args.room.door(),
            since: args.since,
            json: args.json,
            quiet,
            provenance: found.provenance.clone(),
        }),
        Some(Task::Secret) => driver::secret(),
        Some(Task::Completions { shell }) => deliver(&completions(*shell)),
        Some(Task::Man { dir: Some(folder), .. }) => {
            manual::write_all(&driver::at_home(folder)).map(|()| status::OK)
        }
        Some(Task::Man { command, .. }) => deliver(manual::page(command.as_deref())?.as_bytes()),
        None => {
            let help = driver::command(["-h"]);
            let more = format!("{help} explains every option.");
            driver::tell(&format!("{}\n\n{EXAMPLES}\n\n{more}\n", about()))?;
            Ok(status::USAGE)
        }
    }
}

/// What `chatrpc doctor` is asked for.
fn examined(args: &DoctorArgs, found: &Found, quiet: bool) -> Doctor {
    let first = args.nodeset.clone().or_else(|| found.nodeset());
    let first = first.unwrap_or_else(Address::here);
    Doctor {
        addrs: [first].into_iter().chain(args.others.iter().cloned()).collect(),
        door: args.room.door(),
        listen: args.listen,
        json: args.json,
        quiet,
        provenance: found.provenance.clone(),
    }
}

/// What `chatrpc chat` is asked for.
fn asked(args: &ChatArgs, found: &Found, quiet: bool) -> Chat {
    Chat {
        nodeset: args.nodeset.clone().or_else(|| found.nodeset()),
        others: args.others.clone(),
        door: args.room.door(),
        ephemeral: args.ephemeral,
        name: args.name.clone(),
        listen: args.listen,
        no_lan: args.no_lan,
        no_map: args.no_map,
        plain: args.plain,
        json: args.json,
        log: args.log.clone().filter(|log| log != NO_LOG),
        history: args.history,
        color: args.color.into(),
        ascii: args.ascii,
        time: args.time.map(Into::into),
        joins: args.joins.map(Into::into),
        notify: args.notify.map(Into::into),
        mouse: args.mouse.map(|mouse| mouse == OnOff::On),
        ignore: args.ignore.clone(),
        stay: args.stay,
        wait: args.wait.wait,
        drain: args.drain,
        input: !args.no_input,
        commands: args.commands,
        quiet,
        provenance: found.provenance.clone(),
    }
}

/// A completion script.
fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "chatrpc", &mut script);
    script
}

/// Reads the command line twice: as it was typed, and with the configuration file in front.
fn parse(typed: Vec<OsString>) -> Result<Parsed, Failure> {
    // Help shows the name of the program, and not whatever it was called by.
    let documented = Cli::command().bin_name("chatrpc");
    let command = without_empty_variables(documented.clone());
    if let Some(failure) = mistakes::detached(&command, &typed) {
        return Err(failure);
    }
    let matches = match command.clone().try_get_matches_from(&typed) {
        Ok(matches) => matches,
        Err(error) => {
            // Help names every variable, also one that is empty.
            let help = (!error.use_stderr()).then(|| documented.try_get_matches_from(&typed).err());
            return explain(help.flatten().unwrap_or(error), &command).map(Parsed::Explained);
        }
    };
    let Some((task, of_task)) = matches.subcommand() else {
        return from_matches(&matches, Found::default());
    };
    let asked = matches.get_one::<String>("config").map(String::as_str);
    let (settings, path) = config::settings(&command, task, asked)?;
    let found = found(&command, task, of_task, &settings, &path);
    let file = settings.arguments;
    let after_config = typed.iter().position(|word| word == "--config").map_or(1, |at| at + 2);
    let is_task = |word: &OsString| word == task;
    let at = typed.iter().position(is_task).filter(|&at| at != after_config - 1);
    let at = at.or_else(|| Some(after_config + typed[after_config..].iter().position(is_task)?));
    let Some(at) = at else { return from_matches(&matches, found) };
    let mut both = typed;
    both.splice(at + 1..at + 1, file);
    // What was typed is in order: a mistake is in the file.
    let matches = command.try_get_matches_from(both).map_err(|error| {
        let text = harmless(error).render().to_string();
        let what = text.lines().next().unwrap_or_default();
        let what = what.strip_prefix("error: ").unwrap_or(what);
        Failure::new(status::USAGE, "config", format!("in the configuration file: {what}"))
    })?;
    from_matches(&matches, found)
}

/// What is known of a run beside its arguments.
fn found(
    command: &Command,
    task: &str,
    matches: &ArgMatches,
    settings: &Settings,
    path: &Path,
) -> Found {
    // Before that, a command does not know what all of them have.
    let mut built = command.clone();
    built.build();
    let of_task = built.find_subcommand(task);
    let mut provenance = of_task.map_or_else(Provenance::default, |command| {
        config::provenance(command, matches, settings, path)
    });
    // Its two words are told apart later.
    let typed = |id| task == "send" && matches.try_contains_id(id).is_ok_and(|there| there);
    if typed("first") && typed("second") {
        provenance.places.retain(|(codes, _)| !codes.contains(&"no_nodeset"));
    }
    Found { nodeset: settings.nodeset.clone(), provenance }
}

/// The same command line, for which a variable that is set and empty is not set.
fn without_empty_variables(command: Command) -> Command {
    let one = |arg: Arg| match arg.get_env() {
        Some(name) if driver::variable(name).is_none() => arg.env(Resettable::Reset),
        _ => arg,
    };
    command.mut_args(one).mut_subcommands(without_empty_variables)
}

fn from_matches(matches: &ArgMatches, found: Found) -> Result<Parsed, Failure> {
    let cli = Cli::from_arg_matches(matches)
        .map_err(|error| Failure::new(status::USAGE, "usage", error.to_string()))?;
    Ok(Parsed::Run(Box::new(cli), found))
}

fn about() -> String {
    Cli::command().get_about().map(ToString::to_string).unwrap_or_default()
}

fn deliver(bytes: &[u8]) -> Result<u8, Failure> {
    driver::deliver(&String::from_utf8_lossy(bytes)).map(|()| status::OK)
}
