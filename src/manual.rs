//! The manual: a page for the program and one for each of its commands, from the definition of the command
//! line and from the lists that the program itself reads.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use chatrpc::driver::{self, Failure, status};
use clap::{Arg, Command, CommandFactory};

use crate::args::Cli;

/// Variables that are no options, and what they are for.
const VARIABLES: &[(&str, &str)] = &[
    (
        "CHATRPC_SECRET",
        "The secret of the room, where no --secret-file is named. Set and empty it is a mistake: nobody means an open room by it.",
    ),
    ("DEBUG", "1 is -v."),
    ("NO_COLOR", "No colours, unless --color says otherwise."),
    ("TERM", "What the terminal can do; dumb has no screen and no colours."),
    ("TZ", "Where the time of day is taken from."),
    ("USER", "The name that is offered, and the one send uses."),
    (
        "XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME, HOME",
        "Where files are. Of these, what is not an absolute path is ignored.",
    ),
];

const FILES: &[(&str, &str)] = &[
    (
        "$XDG_CONFIG_HOME/chatrpc/config (~/.config)",
        "One long option per line: name = alice. A comment begins with #, behind a value with a blank and #. A value in quotes, of either kind, is what stands between them. Where the value of an option can be left out, true leaves it out; true and false switch the others. A key may name its command: nodeset.listen. The command line is stronger than the environment, which is stronger than the file, which is stronger than what slash commands set in an earlier run.",
    ),
    ("$XDG_DATA_HOME/chatrpc/key (~/.local/share)", "Who you are. Nobody else may read it."),
    ("$XDG_DATA_HOME/chatrpc/incarnation", "The last process that used the key."),
    ("$XDG_DATA_HOME/chatrpc/known", "Whom you trust (/trust)."),
    (
        "$XDG_STATE_HOME/chatrpc/settings (~/.local/state)",
        "What /time, /joins, /notify, /mouse and /ignore have set.",
    ),
    (
        "$XDG_STATE_HOME/chatrpc/ROOM.log (~/.local/state)",
        "The chat, where it is asked for (--log, /log).",
    ),
];

const STATUSES: &[(&str, &str)] = &[
    ("0", "Normal."),
    ("1", "Internal, or a standard stream that fails."),
    ("2", "Usage: the command line, a setting or a file is wrong."),
    ("3", "No nodeset can be reached."),
    ("4", "The name is refused."),
    ("5", "Not everything was delivered (send, and chat fed by a pipe)."),
    ("6", "The address is in use, or cannot be bound."),
    ("7", "Not the same protocol."),
    ("129", "The terminal is gone."),
    ("143", "SIGTERM."),
    (
        "128 + N",
        "Any other signal N that ends programs: the room is left, and the terminal given back.",
    ),
];

/// The page of a command, or of the program.
pub(crate) fn page(name: Option<&str>) -> Result<String, Failure> {
    let mut cli = Cli::command().bin_name("chatrpc");
    cli.build();
    let Some(name) = name else { return Ok(render(&cli)?) };
    match cli.find_subcommand(name) {
        Some(command) => Ok(render(command)?),
        None => {
            let names: Vec<_> = cli.get_subcommands().map(Command::get_name).collect();
            let failure = Failure::new(status::USAGE, "usage", format!("no command '{name}'"));
            Err(failure.hint(format!("there are: {}", names.join(", "))))
        }
    }
}

/// Writes every page into a folder, which is made if it is not there.
pub(crate) fn write_all(folder: &Path) -> Result<(), Failure> {
    let mut cli = Cli::command().bin_name("chatrpc");
    cli.build();
    let wrong = |path: &Path, error: io::Error| {
        Failure::new(status::INTERNAL, "output", format!("{}: {error}", path.display()))
    };
    fs::create_dir_all(folder).map_err(|error| wrong(folder, error))?;
    for command in [&cli].into_iter().chain(cli.get_subcommands()) {
        let path = folder.join(format!("{}.1", title(command)));
        fs::write(&path, render(command)?).map_err(|error| wrong(&path, error))?;
    }
    Ok(())
}

fn title(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn render(command: &Command) -> io::Result<String> {
    let page = clap_mangen::Man::new(command.clone()).title(title(command));
    let mut bytes = Vec::new();
    page.render_title(&mut bytes)?;
    page.render_name_section(&mut bytes)?;
    page.render_synopsis_section(&mut bytes)?;
    page.render_description_section(&mut bytes)?;
    page.render_options_section(&mut bytes)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut bytes)?;
    }
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if command.get_name() == "chat" {
        let commands = driver::slash_commands();
        section(&mut text, "Slash commands", commands.map(|one| (one.usage, one.what.to_owned())));
        let keys = driver::KEYS.iter().map(|[key, typing, reading]| {
            let parts = [("while typing: ", typing), ("while reading back: ", reading)];
            let parts = parts.into_iter().filter(|(_, what)| !what.is_empty());
            (*key, parts.map(|(when, what)| format!("{when}{what}")).collect::<Vec<_>>().join("; "))
        });
        section(&mut text, "Keys", keys);
    }
    let known = |&(name, what): &(&'static str, &str)| (name, what.to_owned());
    section(&mut text, "Files", FILES.iter().map(known));
    let of_options: Vec<(String, String)> = command
        .get_arguments()
        .filter_map(|arg| Some((arg.get_env()?.to_string_lossy().into_owned(), named(arg))))
        .collect();
    let options = of_options.iter().map(|(name, option)| {
        (name.as_str(), format!("Stands in for {option}. Set and empty is not set."))
    });
    section(&mut text, "Environment", options.chain(VARIABLES.iter().map(known)));
    section(&mut text, "Exit status", STATUSES.iter().map(known));
    Ok(text)
}

fn named(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => arg.get_value_names().map_or_else(String::new, |names| names.join(" ")),
    }
}

/// A list with a heading.
fn section<'a>(page: &mut String, heading: &str, rows: impl Iterator<Item = (&'a str, String)>) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, ".SH {}", heading.to_uppercase());
    for (word, what) in rows {
        let _ = writeln!(page, ".TP\n\\fB{}\\fR\n{}", escaped(word), escaped(&what));
    }
}

/// Text that roff takes as it stands: no requests, no escapes, and hyphens that can be copied.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_every_exit_status() {
        let readme = include_str!("../README.md");
        let line = readme.lines().find(|line| line.starts_with("**Exit status.**"));
        let line = line.expect("a line about them");
        for (status, _) in STATUSES {
            let number = status.split(' ').next().unwrap_or(status);
            let words: Vec<&str> = line.split([' ', '.', ',', ';']).collect();
            assert!(words.contains(&number), "{status} is not in the README");
        }
    }
}
