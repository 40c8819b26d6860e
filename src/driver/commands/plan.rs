//! What `chatrpc chat` and `chatrpc send` come down to, and what one stay needs of it.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::driver::commands::door::Door;
use crate::driver::commands::history::History;
use crate::driver::commands::nodeset::EVERYWHERE;
use crate::driver::commands::provenance::Provenance;
use crate::driver::commands::report::{Errand, cannot_bind};
use crate::driver::front::chatlog::ChatLog;
use crate::driver::front::format::Format;
use crate::driver::front::json::{self, Json};
use crate::driver::front::lines::{Lines, Style};
use crate::driver::front::seat::Seat;
use crate::driver::front::stream::{Stream, Words};
use crate::driver::front::typing::Typing;
use crate::driver::net::address::{Address, PORT};
use crate::driver::net::socket::Socket;
use crate::driver::os::event_loop::World;
use crate::driver::os::failure::{Failure, status};
use crate::driver::os::identity::Keeper;
use crate::driver::os::shell;
use crate::driver::terminal::row::Row;
use crate::driver::terminal::screen::{Look, Screen};
use crate::machine::{Incarnation, Lan, Room, TEXT_MAX};

/// What both commands come down to.
pub(crate) struct Plan {
    pub(crate) nodeset: Option<Address>,
    /// Others that may let us in.
    pub(crate) others: Vec<Address>,
    /// Ask the nodeset for as long as it takes.
    pub(crate) wait: bool,
    pub(crate) door: Door,
    pub(crate) ephemeral: bool,
    pub(crate) listen: Option<SocketAddr>,
    /// Whoever is on a network with us may let us in, and be let in.
    pub(crate) lan: bool,
    /// The router in front of us is asked to pass a port on to us.
    pub(crate) maps: bool,
    pub(crate) asked: Errand,
    pub(crate) json: bool,
    /// A person is at a terminal that can have a screen.
    pub(crate) screen: Option<Look>,
    pub(crate) log: Option<String>,
    /// What happens in the room is kept.
    pub(crate) history: bool,
    pub(crate) style: Style,
    pub(crate) words: Words,
    pub(crate) drain: Duration,
    /// A person is at the terminal and can be asked for another name.
    pub(crate) interactive: bool,
    /// Whoever typed is not there to see what was not delivered: the exit status says it.
    pub(crate) strict: bool,
    pub(crate) provenance: Provenance,
}

impl Plan {
    /// Whoever is in front: a screen where there can be one, and lines everywhere else.
    pub(crate) fn seat(&self, world: &World) -> io::Result<Box<dyn Seat>> {
        let registry = world.poll.registry();
        if let Some(look) = &self.screen {
            match Screen::open(look, world.clock, registry) {
                Ok(screen) => return Ok(Box::new(screen)),
                Err(error) => log::info!("no screen on this terminal: {error}"),
            }
        }
        let front: Box<dyn Format> =
            if self.json { Box::new(Json::default()) } else { Box::new(Lines::new(self.style)) };
        let line_max = if self.json { json::INPUT_MAX } else { TEXT_MAX };
        let typed = self.interactive.then(|| Box::new(Row::default()) as Box<dyn Typing>);
        let stream = Stream::new(front, self.words.clone(), line_max, typed, world);
        Ok(Box::new(stream?))
    }

    /// The file that the chat is written to.
    pub(crate) fn chatlog(&self, room: &Room) -> Result<Option<ChatLog>, Failure> {
        let Some(path) = &self.log else { return Ok(None) };
        let path = Some(path.as_str()).filter(|path| !path.is_empty());
        ChatLog::open(path, room).map(Some).map_err(|error| {
            Failure::new(status::USAGE, "log", format!("cannot write the chat to a file: {error}"))
        })
    }

    /// What is kept of the room.
    pub(crate) fn history(
        &self,
        keeper: &Keeper,
        room: &Room,
        incarnation: Incarnation,
    ) -> Result<History, Failure> {
        History::open(self.history, keeper, room, incarnation).map_err(|error| {
            Failure::new(status::USAGE, "history", format!("the history cannot be kept: {error}"))
        })
    }

    /// Whether the room is looked for on the networks around us.
    pub(crate) fn looks_around(&self) -> bool {
        self.lan && self.nodeset.is_none()
    }

    /// What we do on those.
    pub(crate) fn around(&self) -> Lan {
        match (self.lan, self.nodeset.is_none()) {
            (false, _) => Lan::Off,
            (true, false) => Lan::Answers,
            (true, true) => Lan::Hails,
        }
    }

    /// Binds the peer's socket.
    pub(crate) fn socket(&self) -> Result<Socket, Failure> {
        let listen = self.listen.unwrap_or(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0));
        let hints = ["leave out --listen: any free port will do"];
        Socket::bind(listen).map_err(|error| cannot_bind(listen, &error, &hints))
    }

    /// Binds that of the nodeset, if this process opens a room.
    pub(crate) fn own_nodeset(&self) -> Result<Socket, Failure> {
        let listen = match self.listen {
            Some(listen) => SocketAddr::new(listen.ip(), PORT),
            None => EVERYWHERE,
        };
        let join = shell::command(
            ["chat", "localhost"].into_iter().map(str::to_owned).chain(self.provenance.elsewhere()),
        );
        let hint = format!("join the room that is there:  {join}");
        Socket::bind(listen).map_err(|error| cannot_bind(listen, &error, &[&hint]))
    }
}
