//! The configuration file: one long option of the command line per line.
//!
//! ```text
//! # what people call me
//! name = alice
//! plain = true
//! ```
//!
//! A key is looked up in the definition of the command line itself, so that file and flags cannot
//! drift apart. The options that the command of this run has are put in front of the typed ones,
//! where those override them; one that the environment sets is left out.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use chatrpc::driver::{self, Failure, options, read_text, status};
use clap::Command;

/// Which file to read, given `--config`; `None` reads none.
pub(crate) fn path(asked: Option<&str>) -> Option<(PathBuf, bool)> {
    match asked {
        Some("none") => None,
        Some(path) => Some((driver::at_home(path), true)),
        None => {
            let folder = driver::base_folder("XDG_CONFIG_HOME", ".config")?;
            Some((folder.join("chatrpc/config"), false))
        }
    }
}

/// The options of the file that apply to `task`, as arguments.
pub(crate) fn arguments(
    cli: &Command,
    task: &str,
    asked: Option<&str>,
) -> Result<Vec<OsString>, Failure> {
    let Some((path, must_exist)) = path(asked) else { return Ok(Vec::new()) };
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => String::new(),
        Err(error) => return Err(wrong(format!("{}: {error}", path.display()))),
    };
    options(cli, task, &text, |name| driver::variable(name).is_some())
        .map_err(|(line, what)| wrong(format!("{}:{line}: {what}", path.display())))
}

fn wrong(what: String) -> Failure {
    Failure::new(status::USAGE, "config", what)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    fn read_for(task: &str, text: &str) -> Result<Vec<OsString>, (usize, String)> {
        options(&Cli::command(), task, text, |name| name == "CHATRPC_LISTEN")
    }

    #[test]
    fn options_become_arguments() {
        let text = "# comment\n\nname = alice b\nplain=true\nstay = false\nquiet = true\n";
        assert_eq!(
            read_for("chat", text).unwrap(),
            ["--name=alice b", "--plain", "--quiet"].map(OsString::from)
        );
        assert_eq!(read_for("nodeset", text).unwrap(), ["--quiet"].map(OsString::from));
    }

    #[test]
    fn the_environment_is_stronger() {
        assert_eq!(read_for("chat", "listen = 127.0.0.1:1").unwrap(), Vec::<OsString>::new());
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let line = |text| read_for("chat", text).unwrap_err();
        assert_eq!(line("\nnmae = x"), (2, "unknown key 'nmae'".to_owned()));
        assert_eq!(line("config = x"), (1, "unknown key 'config'".to_owned()));
        assert_eq!(line("name"), (1, "not `key = value`".to_owned()));
        assert_eq!(line("plain = yes"), (1, "'plain' is true or false".to_owned()));
    }
}
