//! `chatrpc find`: asks the networks around this computer for rooms, without joining any.

use mio::event::Event;

use crate::driver::commands::answer;
use crate::driver::commands::door::Door;
use crate::driver::commands::provenance::Provenance;
use crate::driver::front::json;
use crate::driver::net::node::{Node, Told, seed};
use crate::driver::net::socket::Socket;
use crate::driver::os::event_loop::{PEER, Program, World, run};
use crate::driver::os::failure::{Failure, status};
use crate::driver::os::identity::leave_no_core;
use crate::driver::os::shell;
use crate::driver::os::signals::{self, Signal};
use crate::machine::{self, Finding, Found, Name, Room, Time};

/// What `chatrpc find` is asked for.
#[derive(Clone, Debug)]
pub struct Find {
    /// Which room, beside the open one that everybody has who names none.
    pub door: Door,
    /// One JSON object per room.
    pub json: bool,
    /// Where its values come from, and what was typed.
    pub provenance: Provenance,
}

/// Prints which rooms somebody is in on the networks of this computer.
///
/// # Errors
///
/// When nobody answers; see [`status`]. In JSON the failure was printed already.
pub fn find(options: &Find) -> Result<u8, Failure> {
    let found = found(options).map_err(|failure| options.provenance.explain(failure));
    if !options.json {
        let kind = |open| if open { "open" } else { "sealed" }.to_owned();
        let addrs = |found: &Found| -> Vec<String> {
            found.addrs.iter().map(ToString::to_string).collect()
        };
        let found = found?;
        let rows = found
            .iter()
            .map(|found| [found.room.to_string(), kind(found.open), addrs(found).join(" ")]);
        return answer::rows(rows);
    }
    answer::objects(found, |found, paper| json::rooms(&found, paper))
}

fn found(options: &Find) -> Result<Vec<Found>, Failure> {
    leave_no_core();
    let mut world = World::new(&[Signal::Interrupt, Signal::Terminate, Signal::Hangup])?;
    let (room, _) = options.door.open(&mut world)?;
    let mut rooms = vec![room];
    let lobby = Name::parse(Room::LOBBY).ok().map(|name| Room::new(name, None));
    rooms.extend(lobby.filter(|lobby| lobby.tag() != rooms[0].tag()));
    let socket = Socket::bind_towards(&[])?;
    let mut node = Node::new(Finding::new(&seed()?, rooms), socket, world.clock);
    node.register(world.poll.registry(), PEER)?;
    node.hail_around();
    let mut look = Look { node, found: Vec::new(), over: false };
    let Look { node, found, over } = &mut look;
    node.look_around(|told| note(told, found, over));
    run(&mut world, &mut look)?;
    if look.found.is_empty() {
        let what = "nobody answers on the networks of this computer";
        let open = format!("open a room there:  {}", shell::command(["chat"]));
        return Err(Failure::new(status::NO_NODESET, "nobody", what).hint(open));
    }
    Ok(look.found)
}

struct Look {
    node: Node<Finding>,
    found: Vec<Found>,
    over: bool,
}

/// Nothing of it is ever too much.
fn note(told: Told<'_>, found: &mut Vec<Found>, over: &mut bool) -> bool {
    match told {
        Told::Event(machine::Event::Found(rooms)) => *found = rooms,
        Told::Event(_) => {}
        Told::Exit(_) => *over = true,
    }
    false
}

impl Program for Look {
    fn note_ready(&mut self, _: &Event) {
        self.node.note_readable();
    }

    fn signal(&mut self, signal: Signal) {
        // It does what it always does: there is nothing to leave.
        signals::obey(signal);
    }

    fn turn(&mut self) {
        let Self { node, found, over } = self;
        node.turn(|told| note(told, found, over));
    }

    fn has_work(&self) -> bool {
        self.node.has_work()
    }

    fn wake(&self) -> Option<Time> {
        self.node.wake()
    }

    fn status(&self) -> Option<u8> {
        self.over.then_some(status::OK)
    }
}
