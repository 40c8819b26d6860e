//! `chatrpc who`: asks a nodeset who is there, without joining.

use std::io::{self, Write};
use std::sync::Arc;

use mio::event::Event;

use crate::driver::commands::answer;
use crate::driver::commands::door::Door;
use crate::driver::commands::patience::Asking;
use crate::driver::commands::provenance::Provenance;
use crate::driver::commands::report::{Asked, Errand, failed, resolved};
use crate::driver::front::company::Company;
use crate::driver::front::json;
use crate::driver::front::wording;
use crate::driver::net::address::Address;
use crate::driver::net::advertise;
use crate::driver::net::node::{Node, Told, seed};
use crate::driver::net::probe::Probe;
use crate::driver::net::socket::Socket;
use crate::driver::net::target::{Lookup, Target};
use crate::driver::os::clock::{Clock, started};
use crate::driver::os::event_loop::{PEER, PROBE, Program, World, run};
use crate::driver::os::failure::{Failure, status};
use crate::driver::os::identity::{self, leave_no_core};
use crate::driver::os::signals::{self, Signal};
use crate::driver::os::stdio;
use crate::driver::os::trusted::Trusted;
use crate::machine::{self, Exit, Input, Listed, Listing, ListingConfig, Person, Time};

/// What `chatrpc who` is asked for.
#[derive(Clone, Debug)]
pub struct Who {
    /// The nodeset.
    pub nodeset: Address,
    /// Which room.
    pub door: Door,
    /// One JSON object per person.
    pub json: bool,
    /// Where its values come from, and what was typed.
    pub provenance: Provenance,
    /// Ask for as long as it takes.
    pub wait: bool,
    /// Only what was asked for.
    pub quiet: bool,
}

/// Prints who is there.
///
/// # Errors
///
/// When the nodeset does not answer; see [`status`]. In JSON the failure was printed already.
pub fn who(options: &Who) -> Result<u8, Failure> {
    let asked = listed(options).map_err(|failure| options.provenance.explain(failure));
    if !options.json {
        let Answer { people, company, alike, open } = asked?;
        if people.is_empty() {
            stdio::tell(&format!("{}\n", wording::nobody(open)))?;
        }
        let alike = alike.iter();
        let alike = alike.map(|(one, like, more)| wording::alike(&company, one, like, *more));
        let impostors = people.iter().filter(|one| company.is_impostor(&one.who));
        let impostors = impostors.map(|one| wording::other_key(&company, &one.who));
        // Their marks are in the answer, too.
        alike.chain(impostors).for_each(|what| drop(writeln!(io::stderr(), "* {what}")));
        let rows = people
            .iter()
            .map(|one| [company.label(&one.who), one.who.id.short(), one.addr.to_string()]);
        return answer::rows(rows);
    }
    answer::objects(asked, |Answer { people, company, .. }, paper| {
        json::listing(&people, &company, paper);
    })
}

/// Who is there.
struct Answer {
    people: Vec<Listed>,
    /// How they are called: those who could be taken for others with their ids, and who goes by a trusted name
    /// with another key with its mark.
    company: Company,
    /// Who could be taken for whom.
    alike: Vec<(Person, Vec<Person>, usize)>,
    /// Everybody can enter.
    open: bool,
}

/// Whom we trust, as far as that can be read: what is asked is answered in any case.
pub(crate) fn trusted(quiet: bool) -> Company {
    let mut company = Company::EMPTY;
    // Where there is no folder nobody was ever trusted, and none is made to ask.
    let folder = identity::folder().filter(|folder| folder.is_dir());
    match Trusted::load(folder.as_deref()) {
        Ok(trusted) => company.trust(trusted.pins()),
        Err(failure) if !quiet => {
            let _ = writeln!(io::stderr(), "* whom you trust is not looked at: {}", failure.what);
        }
        Err(_) => {}
    }
    company
}

fn listed(options: &Who) -> Result<Answer, Failure> {
    leave_no_core();
    let mut world = World::new(&[Signal::Interrupt, Signal::Terminate, Signal::Hangup])?;
    let (room, _) = options.door.open(&mut world)?;
    let quiet = options.quiet || options.json;
    let found = world.signals.by_default(|| resolved(&options.nodeset, options.wait, quiet));
    let target = found?;
    let socket = Socket::bind_towards(&target.addrs)?;
    let open = room.is_open();
    let mut config = ListingConfig::new(seed()?, started(), room, target.first());
    config.nodesets.clone_from(&target.addrs);
    config.patience = config.patience.filter(|_| !options.wait);
    let mut node = Node::new(Listing::new(config), socket, world.clock);
    node.register(world.poll.registry(), PEER)?;
    let probe = Probe::send(&target.addrs, world.poll.registry(), PROBE);
    let lookup = Lookup::new(&target, Arc::clone(&world.waker));
    let asking = Some(Asking::new(world.clock.now())).filter(|_| !quiet);
    let answer = Answer { people: Vec::new(), company: trusted(quiet), alike: Vec::new(), open };
    let (clock, exit) = (world.clock, None);
    let mut query = Query { node, probe, target, lookup, asking, clock, answer, exit };
    query.node.feed(Input::Tick, |told| note(told, &mut query.answer, &mut query.exit));
    run(&mut world, &mut query)?;
    let Query { node, probe, target, exit, .. } = &query;
    let to = Asked { target, unsent: node.unsent(), said: probe.said(), local: advertise::local() };
    let failure = exit.as_ref().and_then(|exit| failed(exit, to, Errand::Who, &options.provenance));
    failure.map_or(Ok(query.answer), Err)
}

struct Query {
    node: Node<Listing>,
    probe: Probe,
    target: Target,
    lookup: Lookup,
    /// What is said while nobody answers.
    asking: Option<Asking>,
    clock: Clock,
    answer: Answer,
    exit: Option<Exit>,
}

impl Query {
    fn feed(&mut self, input: Input<'_>) {
        let Self { node, answer, exit, .. } = self;
        node.feed(input, |told| note(told, answer, exit));
    }
}

/// Nothing of it is ever too much.
fn note(told: Told<'_>, answer: &mut Answer, exit: &mut Option<Exit>) -> bool {
    match told {
        Told::Event(machine::Event::Listing(listed)) => answer.people = listed,
        Told::Event(event) => {
            answer.company.note(&event);
            if let machine::Event::Alike { one, like, others } = event {
                answer.alike.push((one, like, others));
            }
        }
        Told::Exit(how) => *exit = Some(how),
    }
    false
}

impl Program for Query {
    fn note_ready(&mut self, event: &Event) {
        match event.token() {
            PEER => self.node.note_readable(),
            PROBE => {
                for addr in self.probe.refused() {
                    self.feed(Input::Unreachable(addr));
                }
            }
            // What was looked up is taken in the next turn.
            _ => {}
        }
    }

    fn signal(&mut self, signal: Signal) {
        // It does what it always does: there is nothing to leave.
        signals::obey(signal);
    }

    fn turn(&mut self) {
        let Self { node, answer, exit, .. } = self;
        node.turn(|told| note(told, answer, exit));
        let now = self.clock.now();
        let hears = self.node.machine().hears_nodeset();
        if let Some(found) = self.lookup.turn(now, hears) {
            self.feed(Input::Nodesets(&found));
            self.target.found(found);
        }
        let Self { asking, target, node, .. } = self;
        let said = asking.as_mut().and_then(|asking| asking.due(now, target, node.unsent()));
        if let Some(what) = said {
            let _ = writeln!(io::stderr(), "* {what}");
        }
    }

    fn has_work(&self) -> bool {
        self.node.has_work()
    }

    fn wake(&self) -> Option<Time> {
        let asking = self.asking.as_ref().map(Asking::wake);
        [self.node.wake(), self.lookup.wake(), asking].into_iter().flatten().min()
    }

    fn status(&self) -> Option<u8> {
        self.exit.is_some().then_some(status::OK)
    }
}
