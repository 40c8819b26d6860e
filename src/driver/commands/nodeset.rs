//! `chatrpc nodeset`: introduces people to each other.

use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mio::event::Event;

use crate::driver::commands::provenance::Provenance;
use crate::driver::commands::report::cannot_bind;
use crate::driver::front::numbers::counted;
use crate::driver::net::address::PORT;
use crate::driver::net::advertise::{advertised, printed};
use crate::driver::net::node::{Node, seed};
use crate::driver::net::socket::Socket;
use crate::driver::os::clock::{Clock, started};
use crate::driver::os::event_loop::{NODESET, Program, World, run};
use crate::driver::os::failure::{Failure, status};
use crate::driver::os::notify::Notify;
use crate::driver::os::shell;
use crate::driver::os::signals::{self, Signal, others};
use crate::driver::os::stdio;
use crate::machine::{Registry, RegistryConfig, Time};

/// What `chatrpc nodeset` is asked for.
#[derive(Clone, Debug)]
pub struct Nodeset {
    /// The address to bind; everything on [`PORT`] unless told.
    pub listen: Option<SocketAddr>,
    /// The address to print, when this computer cannot know it (behind a NAT).
    pub advertise: Option<SocketAddr>,
    /// How many members it serves at most.
    pub members_max: usize,
    /// No hints.
    pub quiet: bool,
    /// Where its values come from, and what was typed.
    pub provenance: Provenance,
}

/// Where a nodeset listens unless it is told.
pub(crate) const EVERYWHERE: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT);

/// How many members there are is told no more often: anybody may come and go.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Serves until a signal ends it.
///
/// # Errors
///
/// When the address cannot be bound, or the operating system fails.
pub fn nodeset(options: &Nodeset) -> Result<u8, Failure> {
    let mut watched = vec![Signal::Interrupt, Signal::Terminate];
    watched.extend(others());
    if !signals::has_terminal() {
        // There is nothing to read anew, and no terminal that could be gone.
        watched.push(Signal::Hangup);
    }
    let mut world = World::new(&watched)?;
    let listen = options.listen.unwrap_or(EVERYWHERE);
    let socket = Socket::bind(listen).map_err(|error| {
        let port = listen.port();
        let host = if port == PORT { "localhost".to_owned() } else { format!("localhost:{port}") };
        let next = port.checked_add(1).unwrap_or(PORT);
        options.provenance.explain(cannot_bind(
            listen,
            &error,
            &[
                &format!("is a nodeset already running?  {}", shell::command(["who", &host])),
                &format!(
                    "or: {}",
                    shell::command(["nodeset", "--listen", &format!("0.0.0.0:{next}")])
                ),
            ],
        ))
    })?;
    let local = socket.local();
    let mut node = registry_node(socket, options.members_max, world.clock)?;
    node.register(world.poll.registry(), NODESET)?;
    let printed = options.advertise.map_or_else(|| advertised(local), |addr| vec![addr]);
    announce(&printed, options.quiet)?;
    let mut service = Service::new(node, world.clock, options.quiet);
    Ok(run(&mut world, &mut service)?)
}

/// A nodeset's machine on its socket.
pub(crate) fn registry_node(
    socket: Socket,
    members_max: usize,
    clock: Clock,
) -> io::Result<Node<Registry>> {
    let config = RegistryConfig::new(seed()?, started(), members_max);
    Ok(Node::new(Registry::new(config), socket, clock))
}

/// One line for each address that others may use, the likeliest first. They are for programs, so they are
/// written at once and whole; the rest is for people.
fn announce(addrs: &[SocketAddr], quiet: bool) -> Result<(), Failure> {
    let addrs: Vec<SocketAddr> = addrs.iter().copied().map(printed).collect();
    let lines = addrs.iter().map(|addr| format!("Listening on: {addr}\n"));
    stdio::print(&lines.collect::<String>())?;
    let mut err = io::stderr();
    if let (Some(first), true, false) = (addrs.first(), err.is_terminal(), quiet) {
        let port = first.port();
        let here = if port == PORT { "localhost".to_owned() } else { format!("localhost:{port}") };
        let chat = |addr: &str| shell::command(["chat", addr]);
        let mut lead = "Others join with:  ";
        for addr in &addrs {
            let _ = writeln!(err, "{lead}{}", chat(&addr.to_string()));
            lead = "              or:  ";
        }
        let _ = writeln!(err, "(this computer only: {})", chat(&here));
    }
    Ok(())
}

struct Service {
    node: Node<Registry>,
    clock: Clock,
    notify: Notify,
    /// How many members the log and the service manager were told of, and when they may be told more.
    told: Option<usize>,
    tell_at: Time,
    /// When the service manager wants to hear from us.
    watchdog: Option<(Duration, Time)>,
    quiet: bool,
    done: bool,
}

impl Service {
    fn new(node: Node<Registry>, clock: Clock, quiet: bool) -> Self {
        let notify = Notify::from_env();
        notify.tell("READY=1");
        let watchdog = notify.watchdog().map(|every| (every, clock.now()));
        let (told, tell_at) = (None, Time::ZERO);
        Self { node, clock, notify, told, tell_at, watchdog, quiet, done: false }
    }

    fn tell_members(&mut self) {
        let (members, now) = (self.node.machine().members(), self.clock.now());
        if self.told != Some(members) && self.tell_at <= now {
            self.told = Some(members);
            self.tell_at = now + TELL_EVERY;
            let port = self.node.local().port();
            let members = counted(members as u64, "member");
            log::debug!("{members}");
            self.notify.tell(&format!("STATUS={members}, udp {port}"));
        }
    }
}

impl Program for Service {
    fn note_ready(&mut self, _event: &Event) {
        self.node.note_readable();
    }

    fn signal(&mut self, signal: Signal) {
        if signal == Signal::Hangup {
            return;
        }
        let members = self.node.machine().members();
        if members > 0 && !self.quiet {
            let members = counted(members as u64, "member");
            let what = "can talk on, and nobody new can join until a nodeset is here again";
            let _ = writeln!(io::stderr(), "* {members} {what}");
        }
        self.notify.tell("STOPPING=1");
        self.done = true;
    }

    fn turn(&mut self) {
        self.node.turn(|told| {
            log::debug!("{}", told.logged());
            false
        });
        self.tell_members();
        if let Some((every, at)) = &mut self.watchdog {
            let now = self.clock.now();
            if *at <= now {
                self.notify.tell("WATCHDOG=1");
                *at = now + *every;
            }
        }
    }

    fn has_work(&self) -> bool {
        self.node.has_work()
    }

    fn wake(&self) -> Option<Time> {
        let watchdog = self.watchdog.map(|(_, at)| at);
        let untold = self.told != Some(self.node.machine().members());
        let tell = untold.then_some(self.tell_at);
        [self.node.wake(), watchdog, tell].into_iter().flatten().min()
    }

    fn status(&self) -> Option<u8> {
        self.done.then_some(status::OK)
    }
}
