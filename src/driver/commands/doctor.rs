//! `chatrpc doctor`: why somebody does not get in, or not well, within ten seconds.
//!
//! Names are looked up, each by a thread of its own for as long as that may take; every address is asked
//! ([`Examination`]); what the system and the network say is put beside that; and all of it is judged
//! ([`findings`](crate::machine::doctor::findings)).

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use mio::event::Event;

use crate::driver::commands::door::Door;
use crate::driver::commands::provenance::Provenance;
use crate::driver::commands::report::cannot_bind;
use crate::driver::front::finding;
use crate::driver::front::format::Paper;
use crate::driver::front::json;
use crate::driver::net::address::Address;
use crate::driver::net::advertise;
use crate::driver::net::node::{Node, Told, seed};
use crate::driver::net::probe::Probe;
use crate::driver::net::socket::{Socket, meant};
use crate::driver::os::clock::{Clock, started};
use crate::driver::os::event_loop::{PEER, PROBE, Program, World, run};
use crate::driver::os::failure::{Failure, status};
use crate::driver::os::identity::leave_no_core;
use crate::driver::os::shown::shown;
use crate::driver::os::signals::{self, Signal};
use crate::driver::os::stdio;
use crate::machine::doctor::{
    Case, Cause, Evidence, Examined, Finding, Gravity, cannot_listen, findings, names_silent,
    unresolved,
};
use crate::machine::wire::VERSION;
use crate::machine::{self, Examination, ExaminationConfig, Input, Time};

/// How long all of it may take, and names of that.
const SPAN: Duration = Duration::from_millis(9_500);
const NAMES: Duration = Duration::from_secs(4);

/// An address to which nothing could be sent for so long is asked no more.
const UNSENT: Duration = Duration::from_millis(700);

/// How often the network is asked again what it says.
const AGAIN: Duration = Duration::from_secs(1);

/// What `chatrpc doctor` is asked for.
#[derive(Clone, Debug)]
pub struct Doctor {
    /// Where somebody is to be let in: eight at most.
    pub addrs: Vec<Address>,
    /// Which room.
    pub door: Door,
    /// The address to bind; any unless told.
    pub listen: Option<SocketAddr>,
    /// JSON objects.
    pub json: bool,
    /// Only what is wrong.
    pub quiet: bool,
    /// Where its values come from, and what was typed.
    pub provenance: Provenance,
}

/// Says what is wrong.
///
/// # Errors
///
/// When nothing could be asked; see [`status`]. In JSON the failure was printed already.
pub fn doctor(options: &Doctor) -> Result<u8, Failure> {
    let asked = examine(options).map_err(|failure| options.provenance.explain(failure));
    if !options.json {
        let (found, _) = asked?;
        let told = |one: &&Finding| !options.quiet || one.cause.gravity() <= Gravity::Hinders;
        let lines = found.iter().filter(told).flat_map(finding::lines);
        return stdio::print(&lines.fold(String::new(), |text, line| text + &line + "\n"))
            .map(|()| verdict(&found));
    }
    let mut paper = Paper::default();
    let status = match asked {
        Ok((found, examined)) => {
            examined.asked.iter().for_each(|one| json::path(one, &mut paper));
            found.iter().for_each(|one| json::finding(one, &mut paper));
            verdict(&found)
        }
        Err(failure) => {
            json::fail(&failure, &mut paper);
            failure.status
        }
    };
    json::bye(status, &mut paper);
    stdio::print(&paper.out).map(|()| status)
}

/// The exit status: that of a join that fails for the same cause.
fn verdict(found: &[Finding]) -> u8 {
    let gravest = found.first().map(|finding| finding.cause);
    match gravest {
        Some(Cause::CannotListen) => status::BIND,
        Some(Cause::NotChatrpc | Cause::Version) => status::PROTOCOL,
        Some(cause) if cause.gravity() == Gravity::Fails => status::NO_NODESET,
        _ => status::OK,
    }
}

fn examine(options: &Doctor) -> Result<(Vec<Finding>, Examined), Failure> {
    leave_no_core();
    let mut world = World::new(&[Signal::Interrupt, Signal::Terminate, Signal::Hangup])?;
    let (room, _) = options.door.open(&mut world)?;
    let begun = world.clock.now();
    let Names { mut addrs, mut unknown } = world.signals.by_default(|| look_up(&options.addrs));
    addrs.truncate(ADDRS_MAX);
    let open = room.is_open();
    let at = names(&options.addrs, &addrs);
    let (mut examined, mut taken) = (Examined::default(), None);
    if !addrs.is_empty() {
        let socket = match options.listen.map(|listen| (listen, Socket::bind(listen))) {
            Some((_, Ok(socket))) => socket,
            // What else is wrong can be asked from anywhere.
            Some((listen, Err(error))) => {
                taken = Some(cannot_listen(&cannot_bind(listen, &error, &[]).what));
                Socket::bind_towards(&addrs)?
            }
            None => Socket::bind_towards(&addrs)?,
        };
        let mut config = ExaminationConfig::new(seed()?, started(), room, addrs.clone());
        config.span = SPAN.saturating_sub(world.clock.now().since(begun));
        let mut node = Node::new(Examination::new(config), socket, world.clock);
        node.register(world.poll.registry(), PEER)?;
        let probe = Probe::send(&addrs, world.poll.registry(), PROBE);
        let (clock, now) = (world.clock, world.clock.now());
        let (begun, again) = (now, now + AGAIN);
        let mut visit = Visit { node, probe, clock, begun, again, addrs, examined: None };
        visit.feed(Input::Tick);
        run(&mut world, &mut visit)?;
        examined = visit.examined();
    }
    let version = (VERSION, env!("CARGO_PKG_VERSION"));
    let local = advertise::local();
    let mut found = if examined.asked.is_empty() {
        unknown.sort();
        unknown
    } else {
        findings(&Case { at: &at, examined: &examined, local, open, version, unknown: &unknown })
    };
    found.splice(0..0, taken);
    Ok((found, examined))
}

/// Addresses that are asked.
const ADDRS_MAX: usize = 8;

/// What all of them are called: as it was written, with what it came to.
fn names(written: &[Address], addrs: &[SocketAddr]) -> String {
    let found: Vec<String> = addrs.iter().map(ToString::to_string).collect();
    match written {
        [one] if !one.is_number() && addrs.len() > 1 => format!("{one} ({})", found.join(", ")),
        _ => found.join(", "),
    }
}

/// What names have come to.
struct Names {
    addrs: Vec<SocketAddr>,
    /// Why some have come to nothing.
    unknown: Vec<Finding>,
}

/// Looks all names up at once: no system does that without blocking, and one that nobody answers for would take
/// all the time there is.
fn look_up(written: &[Address]) -> Names {
    let (tell, answers) = channel();
    for (at, name) in written.iter().enumerate() {
        let (tell, name) = (tell.clone(), name.clone());
        let thread = thread::Builder::new().name("look-up".to_owned());
        // Whoever asked may be gone.
        let spawned = thread.spawn(move || drop(tell.send((at, name.resolve()))));
        if let Err(error) = spawned {
            log::debug!("cannot look a name up: {error}");
        }
    }
    drop(tell);
    let mut results: Vec<Option<io::Result<Vec<SocketAddr>>>> =
        written.iter().map(|_| None).collect();
    let mut left = NAMES;
    while results.iter().any(Option::is_none) {
        let clock = Clock::start();
        match answers.recv_timeout(left) {
            Ok((at, result)) => results[at] = Some(result),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
        left = left.saturating_sub(clock.now().since(Time::ZERO));
    }
    let mut found = Names { addrs: Vec::new(), unknown: Vec::new() };
    for (name, result) in written.iter().zip(results) {
        match result {
            Some(Ok(addrs)) => {
                let new = addrs.into_iter().filter(|addr| !found.addrs.contains(addr));
                let new: Vec<SocketAddr> = new.collect();
                found.addrs.extend(new);
            }
            Some(Err(error)) => found.unknown.push(not_found(name, &error)),
            None => found.unknown.push(names_silent(name.host())),
        }
    }
    found
}

/// Why a name has no address. What passes is for want of somebody to ask.
fn not_found(name: &Address, error: &io::Error) -> Finding {
    let error = error.to_string();
    if ["Temporary", "Try again"].iter().any(|word| error.contains(word)) {
        return names_silent(name.host());
    }
    unresolved(name.host(), &shown(error.rsplit(": ").next().unwrap_or_default()))
}

/// The asking, and what the system and the network say meanwhile.
struct Visit {
    node: Node<Examination>,
    probe: Probe,
    clock: Clock,
    begun: Time,
    /// When the network is asked again.
    again: Time,
    addrs: Vec<SocketAddr>,
    examined: Option<Examined>,
}

impl Visit {
    fn feed(&mut self, input: Input<'_>) {
        let Self { node, examined, .. } = self;
        node.feed(input, |told| note(told, examined));
    }

    /// All that was found.
    fn examined(mut self) -> Examined {
        let mut examined = self.examined.take().unwrap_or_default();
        for Evidence { addr, system, said, .. } in &mut examined.asked {
            let there = |(there, _): &&(SocketAddr, io::Error)| there == addr;
            *system = self.node.unsent().iter().find(there).map(|(_, error)| meant(error));
            let there = self.probe.said().iter().find(|(there, _)| there == addr);
            *said = there.map(|(_, said)| *said);
        }
        examined
    }

    /// Tells the machine where nothing gets.
    fn give_up(&mut self, now: Time) {
        let unsent = self.node.unsent().iter().map(|(addr, _)| *addr);
        let unsent = unsent.filter(|_| now.since(self.begun) >= UNSENT);
        let said = self.probe.said().iter().map(|(addr, _)| *addr);
        let hopeless = unsent.chain(said).filter(|addr| self.addrs.contains(addr));
        for addr in hopeless.collect::<Vec<SocketAddr>>() {
            // Each once: it may answer after all.
            self.addrs.retain(|other| *other != addr);
            self.feed(Input::Unreachable(addr));
        }
    }
}

/// Nothing of it is ever too much.
fn note(told: Told<'_>, examined: &mut Option<Examined>) -> bool {
    if let Told::Event(machine::Event::Examined(all)) = told {
        *examined = Some(*all);
    }
    false
}

impl Program for Visit {
    fn note_ready(&mut self, event: &Event) {
        match event.token() {
            PEER => self.node.note_readable(),
            PROBE => drop(self.probe.refused()),
            _ => {}
        }
    }

    fn signal(&mut self, signal: Signal) {
        // It does what it always does: a place that it may have is given back by nobody.
        signals::obey(signal);
    }

    fn turn(&mut self) {
        let Self { node, examined, .. } = self;
        node.turn(|told| note(told, examined));
        let now = self.clock.now();
        if self.again <= now {
            self.again = now + AGAIN;
            self.probe.again();
        }
        self.give_up(now);
    }

    fn has_work(&self) -> bool {
        self.node.has_work()
    }

    fn wake(&self) -> Option<Time> {
        [self.node.wake(), Some(self.again)].into_iter().flatten().min()
    }

    fn status(&self) -> Option<u8> {
        self.examined.is_some().then_some(status::OK)
    }
}
