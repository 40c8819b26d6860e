//! The manual: a page for the program and one for each of its commands, from the definition of the command
//! line and from the lists that the program itself reads.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use chatrpc::driver::{self, Failure, status};
use clap::{Arg, Command, CommandFactory};

use crate::args::Cli;

/// What stands on a page in a list: a word, the commands it is about, and what it means.
type Entry = (&'static str, &'static [&'static str], &'static str);

/// Of every command.
const ALL: &[&str] =
    &["nodeset", "chat", "send", "who", "doctor", "find", "log", "secret", "completions", "man"];
/// Of those that ask a nodeset, that join a room, and that have a screen.
const ASK: &[&str] = &["chat", "send", "who", "doctor"];
/// Of those that are about one room.
const ROOM: &[&str] = &["chat", "send", "who", "doctor", "find", "log"];
/// Of those that look for somebody.
const FAR: &[&str] = &["chat", "send", "who", "doctor", "find"];
const KEPT: &[&str] = &["chat", "log"];
const JOIN: &[&str] = &["chat", "send"];
const CHAT: &[&str] = &["chat"];
/// Of those that bind an address that is named.
const BIND: &[&str] = &["nodeset", "chat", "doctor"];
const NODESET: &[&str] = &["nodeset"];

/// Variables that stand in for no option, and what they are for.
pub(crate) const VARIABLES: &[Entry] = &[
    ("CHATRPC_NODESET", &["send"], "The nodeset, where no ADDR is named."),
    (
        "CHATRPC_SECRET",
        ROOM,
        "The secret of the room, where no --secret-file is named. Set and empty it is a mistake: nobody means an open room by it.",
    ),
    ("DEBUG", ALL, "1 is -v."),
    ("NO_COLOR", ALL, "No colours, unless --color of chat says otherwise."),
    ("TERM", ALL, "What the terminal can do; dumb has no screen and no colours."),
    ("COLORTERM", CHAT, "Set, the terminal has more than 16 colours."),
    (
        "LC_ALL, LC_CTYPE, LANG",
        CHAT,
        "The first that is set says whether the terminal takes UTF-8; it does where none is.",
    ),
    ("TMUX, VTE_VERSION", CHAT, "How the terminal takes notifications."),
    ("TZ", CHAT, "Where the time of day is taken from."),
    ("USER", JOIN, "The name that is offered, and the one send uses."),
    ("XDG_CONFIG_HOME, HOME", ALL, "Where files are. What is not an absolute path is ignored."),
    ("XDG_DATA_HOME", JOIN, "Likewise."),
    ("XDG_STATE_HOME", KEPT, "Likewise."),
    (
        "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID",
        NODESET,
        "The service manager that is told of READY=1, STATUS, WATCHDOG=1 and STOPPING=1 (sd_notify).",
    ),
    ("JOURNAL_STREAM", ALL, "Set, the lines of -v carry no time: a journal has its own."),
    ("PATH", ALL, "Whether commands to copy name the program by its name alone."),
];

pub(crate) const FILES: &[Entry] = &[
    (
        "$XDG_CONFIG_HOME/chatrpc/config (~/.config)",
        ALL,
        "One long option per line: name = alice. A comment begins with #, behind a value with a blank and #. A value in quotes, of either kind, is what stands between them. Where the value of an option can be left out, true leaves it out; true and false switch the others. A key may name its command: nodeset.listen, nodeset.verbose. nodeset = ADDR is where the nodeset is, for those who ask one. The command line is stronger than the environment, which is stronger than the file, which is stronger than what slash commands set in an earlier run.",
    ),
    ("$XDG_DATA_HOME/chatrpc/key (~/.local/share)", JOIN, "Who you are. Nobody else may read it."),
    ("$XDG_DATA_HOME/chatrpc/incarnation", JOIN, "The last process that used the key."),
    (
        "$XDG_DATA_HOME/chatrpc/known",
        JOIN,
        "Whom you trust (/trust): a key and a name on each line. Lines that name nobody stay.",
    ),
    (
        "$XDG_STATE_HOME/chatrpc/settings (~/.local/state)",
        CHAT,
        "What /time, /joins, /notify, /mouse and /ignore have set. Lines that mean nothing stay.",
    ),
    (
        "$XDG_STATE_HOME/chatrpc/ROOM.log (~/.local/state)",
        CHAT,
        "The chat, where it is asked for (--log, /log).",
    ),
    (
        "$XDG_STATE_HOME/chatrpc/history",
        KEPT,
        "What is kept of rooms (--history): a folder for each room and key, with files that only that key opens.",
    ),
    ("$XDG_STATE_HOME/chatrpc/debug.log", CHAT, "What -v says of a run with a screen."),
    ("$XDG_STATE_HOME/chatrpc/greeted", CHAT, "That the first time is over."),
];

pub(crate) const STATUSES: &[Entry] = &[
    ("0", ALL, "Normal; of a nodeset also when a signal ended it."),
    ("1", ALL, "Internal, or a standard stream that fails."),
    ("2", ALL, "Usage: the command line, a setting or a file is wrong."),
    ("3", FAR, "No nodeset can be reached; of find: nobody answers."),
    ("4", JOIN, "The name is refused."),
    ("5", JOIN, "Not everything was delivered (send, and chat fed by a pipe)."),
    ("6", BIND, "The address is in use, or cannot be bound."),
    ("7", ASK, "Not the same protocol."),
    ("129", JOIN, "The terminal is gone."),
    ("143", JOIN, "SIGTERM."),
    (
        "128 + N",
        JOIN,
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
    section(&mut text, "Files", about(command, FILES));
    let of_options: Vec<(String, String)> = command
        .get_arguments()
        .filter_map(|arg| Some((arg.get_env()?.to_string_lossy().into_owned(), named(arg))))
        .collect();
    let options = of_options.iter().map(|(name, option)| {
        (name.as_str(), format!("Stands in for {option}. Set and empty is not set."))
    });
    section(&mut text, "Environment", options.chain(about(command, VARIABLES)));
    section(&mut text, "Exit status", about(command, STATUSES));
    Ok(text)
}

/// The entries that are about a command; all of them, for the page of the program.
fn about<'a>(
    command: &'a Command,
    entries: &'a [Entry],
) -> impl Iterator<Item = (&'a str, String)> {
    let (whole, name) = (command.has_subcommands(), command.get_name());
    let known = entries.iter().filter(move |(_, of, _)| whole || of.contains(&name));
    known.map(|&(word, _, what)| (word, what.to_owned()))
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
