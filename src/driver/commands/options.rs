//! A configuration file, as text: one long option of the command line per line.

use std::ffi::{OsStr, OsString};

use clap::{ArgAction, Command};

/// The options in a configuration file that apply to `task`, as arguments; those that `is_set` says
/// the environment sets are left out.
///
/// # Errors
///
/// The number of the first line that is wrong, and what is.
pub fn options(
    cli: &Command,
    task: &str,
    text: &str,
    is_set: impl Fn(&OsStr) -> bool,
) -> Result<Vec<OsString>, (usize, String)> {
    let mut arguments = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or((number, "not `key = value`".to_owned()))?;
        let (key, value) = (key.trim(), value.trim());
        let mut commands = cli.get_subcommands().chain([cli]);
        if !commands.any(|command| option(command, key).is_some()) {
            return Err((number, format!("unknown key '{key}'")));
        }
        let here = cli.find_subcommand(task).and_then(|command| option(command, key));
        let Some(arg) = here.or_else(|| option(cli, key)) else { continue };
        if arg.get_env().is_some_and(&is_set) {
            continue;
        }
        match (arg.get_action(), value) {
            (ArgAction::SetTrue | ArgAction::Count, "true") => {
                arguments.push(format!("--{key}").into());
            }
            (ArgAction::SetTrue | ArgAction::Count, "false") => {}
            (ArgAction::SetTrue | ArgAction::Count, _) => {
                return Err((number, format!("'{key}' is true or false")));
            }
            _ => arguments.push(format!("--{key}={value}").into()),
        }
    }
    Ok(arguments)
}

/// The option of that long name. A configuration cannot name another one.
fn option<'a>(command: &'a Command, key: &str) -> Option<&'a clap::Arg> {
    command.get_arguments().find(|arg| arg.get_long() == Some(key) && key != "config")
}
