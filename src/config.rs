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

use std::io;
use std::path::{Path, PathBuf};

use chatrpc::driver::{self, Failure, NotText, Provenance, Settings, options, read_text, status};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

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

/// What the file says for `task`, and which file that is.
pub(crate) fn settings(
    cli: &Command,
    task: &str,
    asked: Option<&str>,
) -> Result<(Settings, PathBuf), Failure> {
    let Some((path, must_exist)) = path(asked) else { return Ok(Default::default()) };
    let in_line = |line, what: &str| wrong(format!("{}:{line}: {what}", path.display()));
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) if is_absent(&error) && !must_exist => String::new(),
        Err(error) => {
            let not_text = error.get_ref().and_then(|error| error.downcast_ref::<NotText>());
            return Err(match not_text {
                Some(NotText { line }) => in_line(*line, "it is not UTF-8"),
                None => wrong(format!("{}: {error}", path.display())),
            });
        }
    };
    let settings = options(cli, task, &text, |name| driver::variable(name).is_some())
        .map_err(|(line, what)| in_line(line, &what))?;
    Ok((settings, path))
}

/// Options whose values are found to be wrong later, and the codes of what is said then.
const LATER: &[(&str, &[&str])] = &[
    ("nodeset", &["no_nodeset", "unresolved", "full", "not_chatrpc", "version"]),
    ("room", &["room"]),
    ("secret-file", &["secret"]),
    ("name", &["bad_name", "name_taken", "name_alike"]),
    ("listen", &["in_use", "privileged", "bind"]),
    ("log", &["log"]),
];

/// Where the values of a run come from that nobody typed, and the options that were typed, given what is
/// known of the command without the file.
pub(crate) fn provenance(
    command: &Command,
    matches: &ArgMatches,
    settings: &Settings,
    path: &Path,
) -> Provenance {
    let mut provenance = Provenance::default();
    for (long, codes) in LATER {
        let arg = |arg: &&Arg| arg.get_long() == Some(long) || arg.get_id() == long;
        let arg = command.get_arguments().find(arg);
        let source = arg.and_then(|arg| source(matches, arg.get_id().as_str()));
        let variable = arg.and_then(Arg::get_env).map(|name| name.to_string_lossy().into_owned());
        let place = match (source, variable) {
            (Some(ValueSource::CommandLine), _) => continue,
            (Some(ValueSource::EnvVariable), Some(name)) => format!("the variable {name} says so"),
            _ => {
                let line = settings.lines.iter().find(|(set, ..)| set == long);
                let Some((_, line, written)) = line else { continue };
                format!("{}:{line}: {written}", path.display())
            }
        };
        provenance.places.push((codes, place));
    }
    provenance.again = typed(command, matches);
    provenance
}

/// Where a value comes from; `None` for none.
pub(crate) fn source(matches: &ArgMatches, id: &str) -> Option<ValueSource> {
    matches.try_contains_id(id).is_ok_and(|there| there).then(|| matches.value_source(id))?
}

/// The options that were typed, but for the name.
fn typed(command: &Command, matches: &ArgMatches) -> Vec<String> {
    let mut again = Vec::new();
    for arg in command.get_arguments().filter(|arg| arg.get_long() != Some("name")) {
        let (id, Some(long)) = (arg.get_id().as_str(), arg.get_long()) else { continue };
        if source(matches, id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let option = format!("--{long}");
        match arg.get_action() {
            ArgAction::Count => {
                let times = usize::from(matches.get_count(id));
                again.extend(core::iter::repeat_n(option, times));
            }
            action if !action.takes_values() => again.push(option),
            _ => {
                let values = matches.get_raw(id).into_iter().flatten();
                let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
                let value = values.join(",");
                if arg.is_require_equals_set() {
                    again.push(format!("{option}={value}"));
                } else {
                    again.extend([option, value]);
                }
            }
        }
    }
    again
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
    use std::ffi::OsString;

    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    fn settings_for(task: &str, text: &str) -> Result<Settings, (usize, String)> {
        options(&Cli::command(), task, text, |name| name == "CHATRPC_LISTEN")
    }

    fn read_for(task: &str, text: &str) -> Result<Vec<OsString>, (usize, String)> {
        settings_for(task, text).map(|settings| settings.arguments)
    }

    #[test]
    fn where_the_nodeset_is_is_a_key_of_those_who_ask_it() {
        let of = |task, text| settings_for(task, text).unwrap().nodeset;
        let addr = |addr: &str| Some(addr.to_owned());
        for task in ["chat", "send", "who"] {
            assert_eq!(of(task, "nodeset = 10.0.0.5:7421 # ours"), addr("10.0.0.5:7421"));
        }
        assert_eq!(of("nodeset", "nodeset = 10.0.0.5"), None);
        for text in ["who.nodeset = b\nnodeset = a", "nodeset = a\nwho.nodeset = b"] {
            assert_eq!((of("who", text), of("chat", text)), (addr("b"), addr("a")), "{text}");
        }
        let told = |text| settings_for("chat", text).unwrap_err();
        assert!(told("nodeset = a:99999").1.starts_with("nodeset = a:99999: "));
        assert!(told("nodeset.nodeset = a").1.starts_with("unknown key 'nodeset.nodeset'"));
        assert_eq!(told("nodeset = a\nnodeset = b").0, 2);
        assert_eq!(told("nodset = a").1, "unknown key 'nodset': did you mean 'nodeset'?");
    }

    #[test]
    fn what_every_command_has_can_be_set_for_one() {
        let text = "quiet = true\nnodeset.quiet = false\nnodeset.verbose = true\n";
        assert_eq!(read_for("nodeset", text).unwrap(), ["--verbose"]);
        assert_eq!(read_for("chat", text).unwrap(), ["--quiet"]);
        // Twice would be every datagram.
        let text = "verbose = true\nnodeset.verbose = true\n";
        assert_eq!(read_for("nodeset", text).unwrap(), ["--verbose"]);
    }

    #[test]
    fn a_mark_in_front_of_a_line_is_none_of_it() {
        for text in
            ["\u{FEFF}plain = true", "\u{FEFF}\u{FEFF}plain = true", "#\n\u{FEFF}plain = true"]
        {
            assert_eq!(read_for("chat", text).unwrap(), ["--plain"], "{text:?}");
        }
    }

    /// Every variable and key whose value is looked at later is told with its place; and what was typed
    /// comes back as it was typed.
    #[test]
    fn values_that_nobody_typed_have_a_place() {
        let cli = Cli::command();
        let of = |words: &[&str], text: &str| {
            let matches = cli.clone().try_get_matches_from(words).unwrap();
            let (task, matches) = matches.subcommand().unwrap();
            let settings = settings_for(task, text).unwrap();
            let mut built = cli.clone();
            built.build();
            let command = built.find_subcommand(task).unwrap();
            provenance(command, matches, &settings, Path::new("/c"))
        };
        let text = "# ours\nlog = /tmp\nlisten = 127.0.0.1:1\nroom = ops\nname = al\n";
        let text = format!("{text}secret-file = /s\nnodeset = here\n");
        let told = of(&["chatrpc", "chat"], &text);
        let places: Vec<&str> = told.places.iter().map(|(_, place)| place.as_str()).collect();
        // The variable, which is stronger, is set in these tests for what is read of the file.
        let expected = [
            "/c:7: nodeset = here",
            "/c:4: room = ops",
            "/c:6: secret-file = /s",
            "/c:5: name = al",
            "/c:2: log = /tmp",
        ];
        assert_eq!(places, expected);
        assert_eq!(told.again, [""; 0]);
        let typed = [
            "chatrpc", "chat", "b:1", "-vv", "--plain", "--time", "-n", "al", "--drain", "1s",
            "--room", "x",
        ];
        let told = of(&typed, &text);
        assert_eq!(told.places.len(), 2, "the secret and the log: {told:?}");
        let again =
            ["--verbose", "--verbose", "--room", "x", "--plain", "--time=iso", "--drain", "1s"];
        let mut sorted = told.again.clone();
        sorted.sort();
        let mut again = again.map(str::to_owned).to_vec();
        again.sort();
        assert_eq!(sorted, again);
        for (long, codes) in LATER {
            assert!(!codes.is_empty());
            let chat = cli.find_subcommand("chat").unwrap();
            let known = |arg: &Arg| arg.get_long() == Some(long) || arg.get_id() == long;
            assert!(chat.get_arguments().any(known), "{long}");
        }
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
        assert_eq!(read_for("nodeset", both).unwrap(), ["--max-nodes=9"]);
        assert_eq!(read_for("chat", both).unwrap(), ["--drain=1s"]);
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
