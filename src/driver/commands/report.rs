//! How a run ends: the exit status, and for every failure what happened, why, and what to try.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::driver::commands::door::Door;
use crate::driver::net::address::Address;
use crate::driver::os::shell::command;
use crate::driver::os::stdio::{has_colour, shown};
use crate::machine::wire::VERSION;
use crate::machine::{Exit, NameProblem};

/// The exit statuses. They are a contract: scripts depend on them.
pub mod status {
    /// Everything went as it should.
    pub const OK: u8 = 0;
    /// Something that should not happen.
    pub const INTERNAL: u8 = 1;
    /// The command line or the configuration file is wrong.
    pub const USAGE: u8 = 2;
    /// No nodeset could be reached.
    pub const NO_NODESET: u8 = 3;
    /// The name cannot be had.
    pub const NAME: u8 = 4;
    /// Not everything that was said reached everybody.
    pub const UNDELIVERED: u8 = 5;
    /// The address cannot be bound.
    pub const BIND: u8 = 6;
    /// What answered speaks another protocol.
    pub const PROTOCOL: u8 = 7;
    /// The terminal is gone.
    pub const HANGUP: u8 = 129;
    /// Asked to terminate.
    pub const TERMINATED: u8 = 143;
}

/// Why a run failed, for people and for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit status.
    pub status: u8,
    /// The word for programs.
    pub code: &'static str,
    /// What happened: one line without a full stop.
    pub what: String,
    /// Why, and what to try: a line each.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without hints.
    pub fn new(status: u8, code: &'static str, what: impl Into<String>) -> Self {
        Self { status, code, what: what.into(), hints: Vec::new() }
    }

    /// The same failure with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The text for people: `error: what`, then the hints, indented. Red only where asked for.
    pub fn text(&self, colour: bool) -> String {
        let label = if colour { "\x1b[31merror:\x1b[0m" } else { "error:" };
        // Most of it is ours; but a path, a key or an argument may be anybody's.
        let mut text = format!("{label} {}\n", shown(&self.what));
        for hint in &self.hints {
            text += format!("  {}", shown(hint)).trim_end();
            text.push('\n');
        }
        text
    }

    /// Writes the text to standard error.
    pub fn print(&self) {
        // Nobody is left to be told when standard error is gone as well.
        let _ = io::stderr().write_all(self.text(stderr_has_colour()).as_bytes());
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(status::INTERNAL, "internal", error.to_string())
    }
}

/// Whether errors are red.
pub(crate) fn stderr_has_colour() -> bool {
    has_colour(&io::stderr())
}

/// Which command failed, for the command that its hint suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Chat,
    Send,
    Who,
}

/// What a machine's exit means, when it is a failure.
pub(crate) fn failed(
    exit: &Exit,
    nodeset: SocketAddr,
    asked: Asked,
    door: &Door,
) -> Option<Failure> {
    let serve = || command(["nodeset"]);
    let unreachable = |what| Failure::new(status::NO_NODESET, "no_nodeset", what);
    Some(match exit {
        Exit::Left { .. } => return None,
        Exit::NoNodeset { tries, waited } => unreachable(format!(
            "no nodeset answered at {nodeset} ({tries} tries in {})",
            seconds(*waited)
        ))
        .hint(format!("start one there:  {}", serve()))
        .hint("or check the address and UDP firewall"),
        Exit::NobodyListens => {
            unreachable(format!("nothing is listening at {nodeset} (connection refused)"))
                .hint(format!("try: {}", serve()))
        }
        Exit::Full => {
            Failure::new(status::NO_NODESET, "full", format!("the nodeset at {nodeset} is full"))
                .hint(format!("there:  {} --max-nodes N  with a greater N", serve()))
        }
        Exit::NotChatrpc => Failure::new(
            status::PROTOCOL,
            "not_chatrpc",
            format!("{nodeset} answered, but it is not a chatrpc nodeset"),
        ),
        Exit::Version { theirs } => Failure::new(
            status::PROTOCOL,
            "version",
            format!("nodeset speaks protocol {theirs}, this chatrpc speaks {VERSION}"),
        )
        .hint(if *theirs > VERSION {
            concat!("upgrade this one (chatrpc ", env!("CARGO_PKG_VERSION"), ")")
        } else {
            "upgrade the nodeset"
        }),
        Exit::Name(problem) => {
            let failure = name_refused(problem);
            match problem {
                NameProblem::Taken(name) => {
                    let (task, text) = match asked {
                        Asked::Chat | Asked::Who => ("chat", ""),
                        Asked::Send => ("send", " …"),
                    };
                    let mut words = vec![task.to_owned(), nodeset.to_string()];
                    words.extend(door.options());
                    words.extend(["-n".to_owned(), format!("{name}2")]);
                    failure.hint(format!("try: {}{text}", command(words)))
                }
                _ => failure,
            }
        }
    })
}

/// The address of a nodeset, looked up.
pub(crate) fn resolved(address: &Address) -> Result<SocketAddr, Failure> {
    address.resolve().map_err(|error| {
        log::debug!("{}: {error}", address.host());
        let what = format!("cannot resolve '{}'", address.host());
        Failure::new(status::NO_NODESET, "unresolved", what)
    })
}

/// Why a name cannot be had.
pub(crate) fn name_refused(problem: &NameProblem) -> Failure {
    let refused = |code, what| Failure::new(status::NAME, code, what);
    match problem {
        NameProblem::Taken(name) => {
            refused("name_taken", format!("the name '{name}' is in use in this room"))
        }
        NameProblem::LooksLike { wanted, present } => {
            refused("name_alike", format!("'{wanted}' looks the same as '{present}', who is here"))
                .hint("pick a name that cannot be confused")
        }
        NameProblem::ReadsAsId { wanted, of } => {
            let what = match of {
                Some(of) => format!("'{wanted}' reads as the id of '{of}', who is here"),
                None => format!("'{wanted}' reads as an id"),
            };
            refused("name_alike", what).hint("pick a name that cannot be confused")
        }
        NameProblem::Invalid(error) => refused("bad_name", error.to_string()),
    }
}

/// Why a socket could not be bound.
pub(crate) fn cannot_bind(listen: SocketAddr, error: &io::Error, hints: &[&str]) -> Failure {
    let port = listen.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let what = format!("UDP port {port} is in use on this computer");
            let failure = Failure::new(status::BIND, "in_use", what);
            hints.iter().fold(failure, |failure, hint| failure.hint(*hint))
        }
        io::ErrorKind::PermissionDenied => {
            let what = format!("port {port} needs root; ports above 1023 do not");
            Failure::new(status::BIND, "privileged", what)
        }
        io::ErrorKind::AddrNotAvailable => {
            let what = format!("{} is not an address of this computer", listen.ip());
            Failure::new(status::BIND, "bind", what)
        }
        _ => Failure::new(status::BIND, "bind", format!("cannot listen on {listen}: {error}")),
    }
}

/// Standard input cannot be read.
pub(crate) fn unreadable(error: &io::Error) -> Failure {
    Failure::new(status::INTERNAL, "input", format!("standard input cannot be read: {error}"))
}

/// Standard output cannot be written.
pub(crate) fn unwritable(error: &io::Error) -> Failure {
    Failure::new(status::INTERNAL, "output", format!("standard output cannot be written: {error}"))
}

/// A span as people say it: `3 s`, `3.5 s`.
pub(crate) fn seconds(span: Duration) -> String {
    let tenths = (span.as_millis() + 50) / 100;
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        rest => format!("{}.{rest} s", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Name;

    #[test]
    fn failures_say_what_and_what_to_try() {
        let nodeset = "192.168.1.20:7420".parse().unwrap();
        let door = Door { room: Some("it's".to_owned()), secret: None };
        let text = |exit| failed(&exit, nodeset, Asked::Chat, &door).unwrap().text(false);
        let program = command::<&str>([]);
        assert_eq!(
            text(Exit::NoNodeset { tries: 5, waited: Duration::from_millis(3010) }),
            format!(
                "error: no nodeset answered at 192.168.1.20:7420 (5 tries in 3 s)\n  \
                 start one there:  {program} nodeset\n  or check the address and UDP firewall\n"
            )
        );
        assert_eq!(
            text(Exit::NobodyListens),
            format!(
                "error: nothing is listening at 192.168.1.20:7420 (connection refused)\n  \
                 try: {program} nodeset\n"
            )
        );
        assert_eq!(
            text(Exit::Name(NameProblem::Taken(Name::parse("alice").unwrap()))),
            format!(
                "error: the name 'alice' is in use in this room\n  \
                 try: {program} chat 192.168.1.20:7420 --room 'it'\\''s' -n alice2\n"
            )
        );
        assert_eq!(failed(&Exit::Left { undelivered: 2 }, nodeset, Asked::Chat, &door), None);
    }

    #[test]
    fn red_only_where_asked_for() {
        let failure = Failure::new(1, "internal", "no");
        assert_eq!(failure.text(true), "\x1b[31merror:\x1b[0m no\n");
        assert_eq!(failure.text(false), "error: no\n");
    }

    #[test]
    fn nothing_in_a_failure_reaches_the_terminal_but_letters() {
        let failure = Failure::new(1, "x", "a\x1b]0;x\x07\nerror: b").hint("try \u{202e}c\n  d");
        let text = failure.text(false);
        assert_eq!(text, "error: a␛]0;x␇␊error: b\n  try \u{FFFD}c␊  d\n");
    }

    #[test]
    fn spans_as_people_say_them() {
        assert_eq!(seconds(Duration::from_millis(3000)), "3 s");
        assert_eq!(seconds(Duration::from_millis(3449)), "3.4 s");
        assert_eq!(seconds(Duration::from_millis(2960)), "3 s");
    }
}
