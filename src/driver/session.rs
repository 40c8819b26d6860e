//! One stay in a room: the machines, who is in front of them, and how it ends.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::event::Event;
use rustix::io::Errno;

use super::advertise;
use super::chat::{Plan, Words};
use super::clock::Clock;
use super::desk::Desk;
use super::front::{Note, Reading, Wish, counted};
use super::identity::Keeper;
use super::json;
use super::known::Known;
use super::node::Node;
use super::nodeset::{EVERYWHERE, registry_node};
use super::probe::Probe;
use super::report::{Asked, Failure, failed, name_refused, resolved, status};
use super::signals::Signal;
use super::stdin::Stdin;
use super::{NODESET, PEER, PROBE, Program, STDERR, STDIN, STDOUT, World, seed};
use crate::machine::{
    Command, Exit, Input, Name, Noise, Peer, PeerConfig, Registry, Room, Secret, TEXT_MAX, Time,
};

/// How many members a nodeset serves that was opened by a chat.
const MEMBERS_MAX: usize = 1024;
/// How long output may take that nobody seems to read, once somebody asked us to end.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// One stay in a room.
pub(crate) struct Session<'a> {
    plan: &'a Plan,
    clock: Clock,
    nodeset: SocketAddr,
    peer: Node<Peer>,
    /// The nodeset of a room that this process opened.
    registry: Option<Node<Registry>>,
    probe: Option<Probe>,
    desk: Desk,
    words: Words,
    stdin: Option<Stdin>,
    /// The first signal that asked us to leave.
    signal: Option<Signal>,
    end: Option<End>,
}

/// The machine is done; what is left is to write.
struct End {
    status: u8,
    /// When to stop writing.
    by: Option<Time>,
}

impl<'a> Session<'a> {
    /// Binds, registers, and makes the first move.
    pub(crate) fn open(
        plan: &'a Plan,
        name: Name,
        (room, secret): &(Room, Option<Secret>),
        keeper: &Keeper,
        world: &World,
    ) -> Result<Self, Failure> {
        let given = plan.nodeset.as_ref().map(resolved).transpose()?;
        let (socket, opened) = plan.sockets()?;
        let events = world.poll.registry();
        let mut registry =
            opened.map(|socket| registry_node(socket, MEMBERS_MAX, world.clock)).transpose()?;
        let opened = registry.as_ref().map(|node| advertise::advertised(node.local()));
        if let Some(node) = &mut registry {
            node.register(events, NODESET)?;
        }
        // Through the address that others use, so that the nodeset sees us where others reach us.
        let nodeset = given.or(opened).unwrap_or(EVERYWHERE);
        let known = Known::load(keeper.folder())?;
        let config = PeerConfig {
            seed: seed()?,
            identity: keeper.identity().clone(),
            incarnation: keeper.next_incarnation()?,
            suite: &Noise,
            room: room.clone(),
            name,
            nodeset,
            addrs: advertise::own(socket.local()),
            drain: plan.drain,
            pins: known.pins().to_vec(),
        };
        let mut peer = Node::new(Peer::new(config), socket, world.clock);
        peer.register(events, PEER)?;
        let mut desk = Desk::new(plan.front(), secret.clone(), known, events)?;
        if let Some(addr) = opened {
            desk.note(Note::Opened(addr));
        }
        let stdin = match plan.words {
            Words::Stdin { .. } => {
                let fd = std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned()?;
                let line_max = if plan.json { json::INPUT_MAX } else { TEXT_MAX };
                Some(Stdin::new(fd, line_max, events, STDIN)?)
            }
            _ => None,
        };
        let probe = match opened {
            Some(_) => None,
            None => Probe::send(nodeset, events, PROBE).ok(),
        };
        let (clock, words) = (world.clock, plan.words.clone());
        let mut session = Session {
            plan,
            clock,
            nodeset,
            peer,
            registry,
            probe,
            desk,
            words,
            stdin,
            signal: None,
            end: None,
        };
        session.feed(Input::Tick);
        Ok(session)
    }

    fn feed(&mut self, input: Input<'_>) {
        let Self { peer, desk, .. } = self;
        peer.feed(input, |told| desk.told(told));
    }

    fn quit(&mut self) {
        self.desk.leaving = true;
        self.feed(Input::Command(Command::Quit));
        let impatient = self.plan.interactive || self.signal.is_some();
        if self.desk.unacked > 0 && impatient && self.desk.exit.is_none() {
            self.desk.note(Note::Waiting(self.desk.unacked));
        }
    }

    fn carry_out(&mut self, wish: &Wish) {
        self.feed(wish.input());
        self.desk.settle();
    }

    /// Whether another line may be read: what was said before has to go somewhere first.
    fn accepts_lines(&self) -> bool {
        let desk = &self.desk;
        let open = desk.ready && !desk.leaving && desk.exit.is_none();
        open && self.peer.machine().accepts_lines()
    }

    /// Takes the lines that were read, and reads once more.
    fn take_lines(&mut self) {
        let mut may_read = true;
        while self.accepts_lines() {
            if let Words::Once(text) = &self.words {
                let say = Wish::Say { text: text.clone(), action: false, to: None };
                self.words = Words::None;
                self.carry_out(&say);
                self.quit();
                return;
            }
            let Some(stdin) = &mut self.stdin else { return };
            if let Some(piece) = stdin.next_piece() {
                let reading = self.desk.read(piece);
                if let Reading::Wish(wish) = reading {
                    self.carry_out(&wish);
                }
            } else if stdin.ended() {
                self.stdin = None;
                if !matches!(self.words, Words::Stdin { stay: true }) {
                    self.quit();
                }
            } else if may_read && stdin.ready() {
                may_read = false;
                stdin.read();
            } else {
                return;
            }
        }
    }

    /// Leaves when there is nobody to show anything to.
    fn notice_gone(&mut self) {
        if self.desk.gone().is_some() && !self.desk.leaving && self.desk.exit.is_none() {
            log::debug!("standard output is gone: leaving");
            self.quit();
        }
    }

    /// Says how it ended, once it has.
    fn notice_exit(&mut self) {
        if self.end.is_some() {
            return;
        }
        let Some(exit) = self.desk.exit.clone() else { return };
        let failure = self.failure(&exit);
        let signalled = match self.signal {
            Some(Signal::Terminate) => Some(status::TERMINATED),
            Some(Signal::Hangup) => Some(status::HANGUP),
            _ => None,
        };
        let failed = failure.as_ref().map(|failure| failure.status);
        let status = signalled.or(failed).unwrap_or(status::OK);
        if let Some(failure) = &failure {
            self.desk.fail(failure);
        }
        self.desk.bye(status);
        let by = self.signal.map(|_| self.clock.now() + FLUSH_MAX);
        self.end = Some(End { status, by });
    }

    fn failure(&self, exit: &Exit) -> Option<Failure> {
        let desk = &self.desk;
        match desk.gone() {
            // Whoever read it has seen enough: `chatrpc chat … | head -1`.
            Some(Errno::PIPE | Errno::IO) => return None,
            Some(error) => return Some(io::Error::from(error).into()),
            None => {}
        }
        if self.asks_again() {
            let Exit::Name(problem) = exit else { return None };
            return Some(Failure { hints: Vec::new(), ..name_refused(problem) });
        }
        let Exit::Left { undelivered } = exit else {
            return failed(exit, self.nodeset, self.plan.asked);
        };
        if !self.plan.strict {
            return None;
        }
        let refused = if self.plan.json { 0 } else { desk.refused };
        let unheard = if self.plan.asked == Asked::Send { desk.unheard } else { 0 };
        let undelivered = undelivered.max(&unheard);
        let what = match (*undelivered, refused) {
            (0, 0) => return None,
            (0, refused) => format!("{} not sent", counted(refused, "line")),
            (undelivered, 0) => {
                format!("{} did not reach everybody", counted(undelivered, "message"))
            }
            (undelivered, refused) => format!(
                "{} did not reach everybody, and {} not sent",
                counted(undelivered, "message"),
                counted(refused, "line")
            ),
        };
        Some(Failure::new(status::UNDELIVERED, "undelivered", what))
    }

    /// Whether the name was refused and there is somebody to ask for another.
    pub(crate) fn asks_again(&self) -> bool {
        self.plan.interactive
            && self.signal.is_none()
            && matches!(self.desk.exit, Some(Exit::Name(_)))
    }
}

impl Program for Session<'_> {
    fn note_ready(&mut self, event: &Event) {
        match event.token() {
            PEER => self.peer.note_readable(),
            NODESET => {
                if let Some(node) = &mut self.registry {
                    node.note_readable();
                }
            }
            STDIN => {
                if let Some(stdin) = &mut self.stdin {
                    stdin.note_ready();
                }
            }
            STDOUT => self.desk.stdout().note_ready(event.is_error()),
            STDERR => self.desk.stderr().note_ready(event.is_error()),
            PROBE => {
                if let Some(addr) = self.probe.as_ref().and_then(Probe::refused) {
                    self.feed(Input::Unreachable(addr));
                }
            }
            _ => {}
        }
    }

    fn signal(&mut self, signal: Signal) {
        match &mut self.end {
            Some(end) => end.by = Some(self.clock.now()),
            None if self.signal.is_some() => {
                let now = Some(self.clock.now());
                self.signal = Some(signal);
                self.desk.exit.get_or_insert(Exit::Left { undelivered: 0 });
                self.notice_exit();
                self.end = self.end.take().map(|end| End { by: now, ..end });
            }
            None => {
                self.signal = Some(signal);
                self.quit();
            }
        }
    }

    fn turn(&mut self) {
        let Self { peer, desk, .. } = self;
        peer.turn(|told| desk.told(told));
        if let Some(registry) = &mut self.registry {
            registry.turn(|told| log::debug!("nodeset: {told:?}"));
        }
        if self.desk.ready {
            self.probe = None;
        }
        self.take_lines();
        self.desk.flush();
        self.notice_gone();
        self.notice_exit();
        self.desk.flush();
    }

    fn has_work(&self) -> bool {
        let registry = self.registry.as_ref().is_some_and(Node::has_work);
        let input = self.accepts_lines() && self.stdin.as_ref().is_some_and(Stdin::ready);
        self.peer.has_work() || registry || input || self.desk.has_work()
    }

    fn wake(&self) -> Option<Time> {
        let registry = self.registry.as_ref().and_then(Node::wake);
        let end = self.end.as_ref().and_then(|end| end.by);
        [self.peer.wake(), registry, end].into_iter().flatten().min()
    }

    fn status(&self) -> Option<u8> {
        let end = self.end.as_ref()?;
        let late = end.by.is_some_and(|by| by <= self.clock.now());
        (late || self.desk.drained()).then_some(end.status)
    }
}
