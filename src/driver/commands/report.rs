//! What a machine's exit means, and why a command could not begin: in words, with what to try.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::driver::commands::provenance::Provenance;
use crate::driver::front::finding;
use crate::driver::front::numbers::seconds;
use crate::driver::front::refusal::name_refused;
use crate::driver::net::address::Address;
use crate::driver::net::advertise;
use crate::driver::net::socket::meant;
use crate::driver::net::target::Target;
use crate::driver::os::failure::{Failure, status};
use crate::driver::os::shell::command;
use crate::driver::os::shown::shown;
use crate::machine::doctor::{
    Case, Evidence, Examined, Finding, Local, Said, findings, full, nobody_listens, not_chatrpc,
    silent, unresolved, version, why,
};
use crate::machine::wire::VERSION;
use crate::machine::{Exit, NameProblem};

/// Which command failed, for the command that its hint suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    Chat,
    Send,
    Who,
}

/// How long a name is looked up that is not found for want of a network.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is known of a nodeset besides what the machine was answered: where it is, where nothing could be sent
/// to, and what the network said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) target: &'a Target,
    pub(crate) unsent: &'a [(SocketAddr, io::Error)],
    pub(crate) said: &'a [(SocketAddr, Said)],
    /// The addresses of this computer.
    pub(crate) local: Local,
}

impl Asked<'_> {
    /// Why nobody has answered, as the doctor would say it.
    fn silence(&self) -> Vec<Finding> {
        let Self { target, unsent, said, local } = *self;
        let asked = target.addrs.iter().map(|addr| Evidence {
            system: unsent.iter().find(|(there, _)| there == addr).map(|(_, error)| meant(error)),
            said: said.iter().find(|(there, _)| there == addr).map(|(_, said)| *said),
            ..Evidence::of(*addr)
        });
        let examined = Examined { asked: asked.collect(), ..Examined::default() };
        let case = Case {
            at: &target.to_string(),
            examined: &examined,
            local,
            open: true,
            version: (VERSION, PROGRAM),
            unknown: &[],
        };
        let mut found = findings(&case);
        if found.is_empty() {
            found.push(silent(&target.to_string(), target.first()));
        }
        found
    }
}

/// The version of this program.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// The same failure with what the doctor says is to be done.
fn advised(failure: Failure, finding: &Finding) -> Failure {
    finding.advice.iter().fold(failure, |failure, advice| failure.hint(finding::advised(advice)))
}

/// What a machine's exit means, when it is a failure.
pub(crate) fn failed(
    exit: &Exit,
    asked: Asked<'_>,
    errand: Errand,
    provenance: &Provenance,
) -> Option<Failure> {
    let (target, nodeset) = (asked.target, asked.target.first());
    let (failure, finding) = match exit {
        Exit::Left { .. } => return None,
        Exit::Name(problem) => return Some(refused(problem, nodeset, errand, provenance)),
        Exit::NoNodeset { waited } => {
            let mut found = asked.silence();
            let first = found.remove(0);
            let what = format!("{} (asked for {})", first.what, seconds(*waited));
            let failure = Failure::new(status::NO_NODESET, "no_nodeset", what);
            // Several addresses may fail for reasons of their own.
            (found.iter().fold(failure, |failure, other| failure.hint(&other.what)), first)
        }
        Exit::NobodyListens => {
            let here = target.addrs.iter().all(|addr| addr.ip().is_loopback());
            let finding = nobody_listens(&target.to_string(), nodeset, here);
            (Failure::new(status::NO_NODESET, "no_nodeset", &finding.what), finding)
        }
        Exit::Full => {
            let finding = full(nodeset);
            (Failure::new(status::NO_NODESET, "full", &finding.what), finding)
        }
        Exit::NotChatrpc => {
            let finding = not_chatrpc(nodeset);
            (Failure::new(status::PROTOCOL, "not_chatrpc", &finding.what), finding)
        }
        Exit::Version { theirs } => {
            let finding = version(*theirs, VERSION, PROGRAM);
            (Failure::new(status::PROTOCOL, "version", &finding.what), finding)
        }
    };
    Some(advised(failure, &finding))
}

/// A name that cannot be had, and a command with another one, if that may do.
fn refused(
    problem: &NameProblem,
    nodeset: SocketAddr,
    asked: Errand,
    provenance: &Provenance,
) -> Failure {
    let failure = name_refused(problem);
    let NameProblem::Taken(name) = problem else { return failure };
    let (task, text) = match asked {
        Errand::Chat | Errand::Who => ("chat", ""),
        Errand::Send => ("send", " …"),
    };
    let mut words = vec![task.to_owned(), nodeset.to_string()];
    words.extend(provenance.again.iter().cloned());
    words.extend(["-n".to_owned(), format!("{name}2")]);
    failure.hint(format!("try: {}{text}", command(words)))
}

/// Why nothing can be sent to any address of a nodeset, as the system says; `None` when something was.
pub(crate) fn cause(target: &Target, unsent: &[(SocketAddr, io::Error)]) -> Option<String> {
    let of = |addr: &SocketAddr| unsent.iter().find(|(there, _)| there == addr);
    let errors: Option<Vec<_>> = target.addrs.iter().map(of).collect();
    let (addr, error) = *errors?.first()?;
    Some(why(*addr, &meant(error), advertise::local()))
}

/// The addresses of a nodeset, looked up. What is not found for want of a network is looked up again for
/// a while, or for ever.
pub(crate) fn resolved(address: &Address, wait: bool, quiet: bool) -> Result<Target, Failure> {
    let mut waited = Duration::ZERO;
    loop {
        let error = match Target::named(address) {
            Ok(target) => return Ok(target),
            Err(error) => error.to_string(),
        };
        let why = error.rsplit(": ").next().unwrap_or_default();
        // What there is no name for, the system says otherwise.
        let passes = ["Temporary", "Try again"].iter().any(|word| error.contains(word));
        if !wait && (!passes || waited >= PATIENCE) {
            let finding = unresolved(address.host(), &shown(why));
            let failure = Failure::new(status::NO_NODESET, "unresolved", &finding.what);
            return Err(advised(failure, &finding));
        }
        if !quiet && !waited.is_zero() {
            let _ =
                writeln!(io::stderr(), "* still looking for {}: {}", address.host(), shown(why));
        }
        let pause = waited.clamp(Duration::from_secs(1), Duration::from_secs(30));
        std::thread::sleep(pause);
        waited += pause;
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

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;
    use crate::machine::Name;
    use crate::machine::doctor::Reach;

    #[test]
    fn failures_say_what_and_what_to_try() {
        let again = ["--room", "it's", "--plain"].map(str::to_owned).to_vec();
        let asked = Provenance { again, ..Provenance::default() };
        let target = |at: &str| Target::named(&at.parse().unwrap()).unwrap();
        let failed_at = |at, exit, unsent: &[_]| {
            let local = Local { v4: Reach::Wide, v6: Reach::Wide };
            let to = Asked { target: &target(at), unsent, said: &[], local };
            failed(&exit, to, Errand::Chat, &asked)
        };
        let failed = |exit, unsent: &[_]| failed_at("192.168.1.20:7420", exit, unsent);
        let text = |exit| failed(exit, &[]).unwrap().text(false);
        let program = command::<&str>([]);
        assert_eq!(
            text(Exit::NoNodeset { waited: Duration::from_millis(15_010) }),
            format!(
                "error: no nodeset answered at 192.168.1.20:7420 (asked for 15 s)\n  \
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
        assert_eq!(failed(Exit::Left { undelivered: 2 }, &[]), None);
        // The one that is started there is the one that was asked.
        for (at, listen) in [
            ("127.0.0.1:9555", "nodeset --listen 0.0.0.0:9555\n"),
            ("[::1]:9555", "nodeset --listen [::]:9555\n"),
            ("[::1]:7420", "nodeset\n"),
        ] {
            let text = failed_at(at, Exit::NobodyListens, &[]).unwrap().text(false);
            assert!(text.contains(&format!("try: {program} {listen}")), "{text}");
        }
        // Where nothing could be sent, no nodeset and no other computer is to blame.
        let there = target("192.168.1.20:7420").first();
        for (errno, why) in [
            (Errno::NETUNREACH, "the network is unreachable"),
            (Errno::PERM, "not permitted (a firewall on this computer?)"),
        ] {
            let unsent = [(there, io::Error::from_raw_os_error(errno.raw_os_error()))];
            let exit = Exit::NoNodeset { waited: Duration::from_secs(15) };
            let text = failed(exit, &unsent).unwrap().text(false);
            let what = format!("error: cannot send to 192.168.1.20:7420: {why} (asked for 15 s)\n");
            assert!(text.starts_with(&what) && !text.contains("start one there"), "{text}");
        }
    }
}
