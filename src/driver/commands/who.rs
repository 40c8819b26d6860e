//! `chatrpc who`: asks a nodeset who is there, without joining.

use mio::event::Event;

use crate::driver::commands::door::Door;
use crate::driver::commands::provenance::Provenance;
use crate::driver::commands::report::{Errand, failed, resolved};
use crate::driver::front::format::Paper;
use crate::driver::front::json;
use crate::driver::front::table::table;
use crate::driver::front::wording;
use crate::driver::net::address::Address;
use crate::driver::net::node::{Node, Told, seed};
use crate::driver::net::probe::Probe;
use crate::driver::net::socket::Socket;
use crate::driver::os::clock::started;
use crate::driver::os::event_loop::{PEER, PROBE, Program, World, run};
use crate::driver::os::failure::{Failure, status};
use crate::driver::os::identity::leave_no_core;
use crate::driver::os::signals::{self, Signal};
use crate::driver::os::stdio;
use crate::machine::{self, Exit, Input, Listed, Listing, ListingConfig, Time};

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
}

/// Prints who is there.
///
/// # Errors
///
/// When the nodeset does not answer; see [`status`]. In JSON the failure was printed already.
pub fn who(options: &Who) -> Result<u8, Failure> {
    let asked = listed(options).map_err(|failure| options.provenance.explain(failure));
    if !options.json {
        let (people, open) = asked?;
        if people.is_empty() {
            stdio::tell(&format!("{}\n", wording::nobody(open)))?;
        }
        let rows = people
            .iter()
            .map(|one| [one.who.name.to_string(), one.who.id.short(), one.addr.to_string()]);
        let text = table(rows).into_iter().fold(String::new(), |text, line| text + &line + "\n");
        return stdio::print(&text).map(|()| status::OK);
    }
    let mut paper = Paper::default();
    let status = match asked {
        Ok((people, _)) => {
            json::listing(&people, &mut paper);
            status::OK
        }
        Err(failure) => {
            json::fail(&failure, &mut paper);
            json::bye(failure.status, &mut paper);
            failure.status
        }
    };
    match stdio::print(&paper.out) {
        Err(failure) if status == status::OK => Err(failure),
        _ => Ok(status),
    }
}

/// Who is there, and whether everybody can enter.
fn listed(options: &Who) -> Result<(Vec<Listed>, bool), Failure> {
    leave_no_core();
    let mut world = World::new(&[Signal::Interrupt, Signal::Terminate, Signal::Hangup])?;
    let (room, _) = options.door.open(&mut world)?;
    let nodeset = resolved(&options.nodeset)?;
    let socket = Socket::bind_towards(nodeset)?;
    let open = room.is_open();
    let config = ListingConfig::new(seed()?, started(), room, nodeset);
    let mut node = Node::new(Listing::new(config), socket, world.clock);
    node.register(world.poll.registry(), PEER)?;
    let probe = Probe::send(nodeset, world.poll.registry(), PROBE).ok();
    let mut query = Query { node, probe, people: Vec::new(), exit: None };
    query.node.feed(Input::Tick, |told| note(told, &mut query.people, &mut query.exit));
    run(&mut world, &mut query)?;
    let failure =
        query.exit.and_then(|exit| failed(&exit, nodeset, Errand::Who, &options.provenance));
    failure.map_or(Ok((query.people, open)), Err)
}

struct Query {
    node: Node<Listing>,
    probe: Option<Probe>,
    people: Vec<Listed>,
    exit: Option<Exit>,
}

/// Nothing of it is ever too much.
fn note(told: Told<'_>, people: &mut Vec<Listed>, exit: &mut Option<Exit>) -> bool {
    match told {
        Told::Event(machine::Event::Listing(listed)) => *people = listed,
        Told::Event(_) => {}
        Told::Exit(how) => *exit = Some(how),
    }
    false
}

impl Program for Query {
    fn note_ready(&mut self, event: &Event) {
        if event.token() == PEER {
            self.node.note_readable();
        } else if let Some(addr) = self.probe.as_ref().and_then(Probe::refused) {
            let Self { node, people, exit, .. } = self;
            node.feed(Input::Unreachable(addr), |told| note(told, people, exit));
        }
    }

    fn signal(&mut self, signal: Signal) {
        // It does what it always does: there is nothing to leave.
        signals::obey(signal);
    }

    fn turn(&mut self) {
        let Self { node, people, exit, .. } = self;
        node.turn(|told| note(told, people, exit));
    }

    fn has_work(&self) -> bool {
        self.node.has_work()
    }

    fn wake(&self) -> Option<Time> {
        self.node.wake()
    }

    fn status(&self) -> Option<u8> {
        self.exit.is_some().then_some(status::OK)
    }
}
