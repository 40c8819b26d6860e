//! What a machine's exit means, and why a command could not begin: in words, with what to try.

use std::io;
use std::net::SocketAddr;

use crate::driver::commands::provenance::Provenance;
use crate::driver::front::numbers::seconds;
use crate::driver::front::refusal::name_refused;
use crate::driver::net::address::{Address, PORT};
use crate::driver::os::failure::{Failure, status};
use crate::driver::os::shell::command;
use crate::machine::wire::VERSION;
use crate::machine::{Exit, NameProblem};

/// Which command failed, for the command that its hint suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    Chat,
    Send,
    Who,
}

/// What a machine's exit means, when it is a failure.
pub(crate) fn failed(
    exit: &Exit,
    nodeset: SocketAddr,
    asked: Errand,
    provenance: &Provenance,
) -> Option<Failure> {
    let serve = || match (nodeset.port(), nodeset.is_ipv4()) {
        (PORT, _) => command(["nodeset"]),
        (port, true) => command(["nodeset", "--listen", &format!("0.0.0.0:{port}")]),
        (port, false) => command(["nodeset", "--listen", &format!("[::]:{port}")]),
    };
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
            let what = format!("nothing is listening at {nodeset} (connection refused)");
            // Who mistyped an address would start one here, and wait there.
            if nodeset.ip().is_loopback() {
                unreachable(what).hint(format!("try: {}", serve()))
            } else {
                unreachable(what)
                    .hint(format!("start one there:  {}", serve()))
                    .hint("or check the address: who opened the room sees it with /invite")
            }
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
                        Errand::Chat | Errand::Who => ("chat", ""),
                        Errand::Send => ("send", " …"),
                    };
                    let mut words = vec![task.to_owned(), nodeset.to_string()];
                    words.extend(provenance.again.iter().cloned());
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
            .hint("check how it is written, or name the address itself")
    })
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::machine::Name;

    #[test]
    fn failures_say_what_and_what_to_try() {
        let nodeset = "192.168.1.20:7420".parse().unwrap();
        let again = ["--room", "it's", "--plain"].map(str::to_owned).to_vec();
        let asked = Provenance { again, ..Provenance::default() };
        let text_at =
            |nodeset, exit| failed(&exit, nodeset, Errand::Chat, &asked).unwrap().text(false);
        let text = |exit| text_at(nodeset, exit);
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
                 start one there:  {program} nodeset\n  \
                 or check the address: who opened the room sees it with /invite\n"
            )
        );
        assert_eq!(
            text(Exit::Name(NameProblem::Taken(Name::parse("alice").unwrap()))),
            format!(
                "error: the name 'alice' is in use in this room\n  \
                 try: {program} chat 192.168.1.20:7420 --room 'it'\\''s' --plain -n alice2\n"
            )
        );
        assert_eq!(failed(&Exit::Left { undelivered: 2 }, nodeset, Errand::Chat, &asked), None);
        // The one that is started there is the one that was asked.
        for (at, listen) in [
            ("127.0.0.1:9555", "nodeset --listen 0.0.0.0:9555\n"),
            ("[::1]:9555", "nodeset --listen [::]:9555\n"),
            ("[::1]:7420", "nodeset\n"),
        ] {
            let text = text_at(at.parse().unwrap(), Exit::NobodyListens);
            assert!(text.contains(&format!("try: {program} {listen}")), "{text}");
        }
    }
}
