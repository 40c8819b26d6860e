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
        Err(error) if is_absent(&error) && !must_exist => String::new(),
        Err(error) => return Err(wrong(format!("{}: {error}", path.display()))),
    };
    options(cli, task, &text, |name| driver::variable(name).is_some())
        .map_err(|(line, what)| wrong(format!("{}:{line}: {what}", path.display())))
}

/// There is no file: also where the home is no folder, as /dev/null for a service.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
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
    fn the_rule_for_comments_and_quotes_is_kept() {
        let name = |value: &str| {
            let options = read_for("chat", &format!("\u{FEFF}name = {value}\r\n# more\r\n"));
            options.map(|options| options[0].to_str().unwrap()["--name=".len()..].to_owned())
        };
        for (written, meant) in [
            ("alice # me", "alice"),
            ("alice\t#me", "alice"),
            ("alice#1", "alice#1"),
            ("\"quoted\"", "quoted"),
            ("'it is \"me\"'", "it is \"me\""),
            ("\"#1 # x\" # comment", "#1 # x"),
            ("al\"ice\"", "al\"ice\""),
        ] {
            assert_eq!(name(written).as_deref(), Ok(meant), "{written}");
        }
        for (written, what) in [
            ("\"open", "there is no second \""),
            ("'a' b", "something stands behind it"),
            ("'a'# b", "something stands behind it"),
            ("# me", "'#' begins a comment"),
            ("", "there is no value"),
        ] {
            assert!(name(written).unwrap_err().1.contains(what), "{written}");
        }
        // Its value can be left out.
        for (line, arguments) in [
            ("log = true", &["--log"][..]),
            ("log = false", &[]),
            ("log = true.log", &["--log=true.log"]),
        ] {
            assert_eq!(read_for("chat", line).unwrap(), arguments, "{line}");
        }
    }

    #[test]
    fn what_slash_commands_set_and_what_a_nodeset_takes_are_keys() {
        let text = "time = hms\njoins = all\nnotify = off\nmouse = false\n";
        let key = "82".repeat(32);
        let text =
            format!("{text}ignore = {key},{key}\nmax-nodes = 7\nadvertise = 10.0.0.5:7420\n");
        let ignore = format!("--ignore={key},{key}");
        assert_eq!(
            read_for("chat", &text).unwrap(),
            ["--time=hms", "--joins=all", "--notify=off", "--mouse=off", &ignore]
        );
        let nodeset = ["--max-nodes=7", "--advertise=10.0.0.5:7420"];
        assert_eq!(read_for("nodeset", &text).unwrap(), nodeset);
        assert_eq!(read_for("chat", "mouse = true\ntime = true").unwrap(), ["--mouse", "--time"]);
        assert_eq!(read_for("chat", "time = false").unwrap(), ["--time=off"]);
        // A chat and a nodeset on one computer listen at different ports.
        let both = "nodeset.max-nodes = 9\nmax-nodes = 7\nchat.drain = 1s\ndrain = 2s\n";
        assert_eq!(read_for("nodeset", both).unwrap(), ["--max-nodes=7", "--max-nodes=9"]);
        assert_eq!(read_for("chat", both).unwrap(), ["--drain=2s", "--drain=1s"]);
        for (text, what) in [
            ("nodeset.name = x", "unknown key 'nodeset.name'"),
            ("nobody.name = x", "unknown key 'nobody.name'"),
            ("nodeset.max-nodes = x", "nodeset.max-nodes = x: write a number"),
            ("ignore = bob", "ignore = bob: a key has 64 digits"),
            ("notify = loud", "notify = loud: one of off, mentions, all"),
            ("nodeset.max-nodes = 1\nnodeset.max-nodes = 2", "is there twice"),
        ] {
            let (_, told) = read_for("chat", text).unwrap_err();
            assert!(told.contains(what), "{told}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let line = |text| read_for("chat", text).unwrap_err();
        let told = |text, number, what: &str| assert_eq!(line(text), (number, what.to_owned()));
        told("\nnmae = x", 2, "unknown key 'nmae': did you mean 'name'?");
        told("config = x", 1, "unknown key 'config': keys are the long options of the commands");
        told("name", 1, "'name' is not `key = value`");
        told("plain = yes", 1, "plain = yes: true or false");
        told("name = a\n\nname = b", 3, "'name' is there twice: in line 1 as well");
        told("color = neon", 1, "color = neon: one of auto, always, never");
        told("drain = 5", 1, "drain = 5: write 500ms, 5s or 1m");
        told("max-nodes = many", 1, "max-nodes = many: write a number, as 1024");
        let port = "the port '99999' is no number from 0 to 65535";
        told("listen = [::]:99999", 1, &format!("listen = [::]:99999: {port}"));
        assert!(line("name = a:").1.starts_with("name = a:: "), "{}", line("name = a:").1);
    }
}
