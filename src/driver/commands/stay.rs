//! One stay in a room: the machines, who is in front of them, and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::Registry as Events;
use mio::event::Event;
use rustix::io::Errno;

use crate::driver::commands::nodeset::registry_node;
use crate::driver::commands::patience::Asking;
use crate::driver::commands::plan::Plan;
use crate::driver::commands::presenter::Presenter;
use crate::driver::commands::report::{Asked, Errand, failed};
use crate::driver::front::intent::{Command, Intent};
use crate::driver::front::note::Note;
use crate::driver::front::numbers::counted;
use crate::driver::front::refusal::name_refused;
use crate::driver::front::wording;
use crate::driver::net::advertise;
use crate::driver::net::gateway::gateway;
use crate::driver::net::node::{Node, seed};
use crate::driver::net::probe::Probe;
use crate::driver::net::target::{Lookup, Target};
use crate::driver::net::watch::Watch;
use crate::driver::os::clock::Clock;
use crate::driver::os::event_loop::{
    ADDRESSES, HAILS, LOOKUP, NODESET, PEER, PROBE, Program, World,
};
use crate::driver::os::failure::{Failure, status, unreadable, unwritable};
use crate::driver::os::identity::Keeper;
use crate::driver::os::peers::Memory;
use crate::driver::os::signals::{self, Signal};
use crate::driver::os::trusted::Trusted;
use crate::machine::{
    Exit, Input, Name, Peer, PeerConfig, Presence, Registry, Room, Secret, Time, Way,
};

/// How many members a nodeset serves that was opened by a chat.
const MEMBERS_MAX: usize = 1024;
/// How long output may take that nobody seems to read, once somebody asked us to end.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// The nodeset of a room that this process opens.
fn own_nodeset(plan: &Plan, clock: Clock, events: &Events) -> Result<Node<Registry>, Failure> {
    let mut node = registry_node(plan.own_nodeset()?, MEMBERS_MAX, clock)?;
    node.register(events, NODESET)?;
    Ok(node)
}

/// One stay in a room.
pub(crate) struct Stay<'a> {
    plan: &'a Plan,
    clock: Clock,
    target: Target,
    peer: Node<Peer>,
    /// The nodeset of a room that this process opened.
    registry: Option<Node<Registry>>,
    probe: Probe,
    watch: Watch,
    /// Where what is to be told of is registered.
    events: Events,
    lookup: Lookup,
    /// Where members of the room are, for the next time; `None` when nothing is kept.
    memory: Option<Memory>,
    /// What is said while no nodeset answers.
    asking: Option<Asking>,
    presenter: Presenter,
    /// There was a terminal to lose when we started.
    has_terminal: bool,
    /// It was said who still needs the nodeset.
    warned: bool,
    /// The first signal that asked us to leave.
    signal: Option<Signal>,
    /// Why standard input was not read to its end.
    broken: Option<Errno>,
    /// Why the room could not be opened.
    unopened: Option<Failure>,
    end: Option<End>,
}

/// The machine is done; what is left is to write.
struct End {
    status: u8,
    /// When to stop writing.
    by: Option<Time>,
}

impl<'a> Stay<'a> {
    /// Binds, registers, and makes the first move.
    pub(crate) fn open(
        plan: &'a Plan,
        (name, given): (Name, Option<Target>),
        (room, secret): &(Room, Option<Secret>),
        keeper: &Keeper,
        world: &World,
    ) -> Result<Self, Failure> {
        let events = world.poll.registry();
        let opens = plan.nodeset.is_none() && !plan.lan;
        let registry = opens.then(|| own_nodeset(plan, world.clock, events)).transpose()?;
        let socket = plan.socket()?;
        let opened = registry.as_ref().map(|node| Target::own(node.local()));
        let target = given.or(opened).unwrap_or_else(Target::around);
        let trusted = Trusted::load(keeper.folder())?;
        let (identity, incarnation) = (keeper.identity().clone(), keeper.next_incarnation()?);
        let mut config = PeerConfig {
            addrs: advertise::own(socket.local(), target.first()),
            drain: plan.drain,
            once: plan.asked == Errand::Send,
            pins: trusted.pins(),
            nodesets: target.addrs.clone(),
            ..PeerConfig::new(seed()?, incarnation, identity, room.clone(), name, target.first())
        };
        config.patience = config.patience.filter(|_| !plan.wait);
        config.lan = plan.around();
        let through = plan.nodeset.as_ref().filter(|_| !plan.ephemeral);
        let memory = through.map(|through| Memory::of(room.tag(), &through.to_string()));
        if let Some(memory) = &memory {
            config.remembered = memory.addrs().to_vec();
        }
        let mut peer = Node::new(Peer::new(config), socket, world.clock);
        peer.register(events, PEER)?;
        if plan.lan {
            peer.listen_around(events, HAILS);
        }
        let kept = (plan.chatlog(room)?, plan.history(keeper, room, incarnation)?);
        let mut presenter =
            Presenter::new(plan.seat(world)?, kept, (room.clone(), secret.clone()), trusted);
        let probe = match &registry {
            Some(node) => {
                presenter.opens(node.local());
                Probe::default()
            }
            None => Probe::send(&target.addrs, events, PROBE),
        };
        let lookup = Lookup::new(&target, Arc::clone(&world.waker));
        let mut stay = Stay {
            plan,
            clock: world.clock,
            target,
            peer,
            registry,
            probe,
            watch: Watch::new(world.clock.now(), events, ADDRESSES),
            events: events.try_clone()?,
            lookup,
            memory,
            asking: Some(Asking::new(world.clock.now())).filter(|_| !plan.looks_around()),
            presenter,
            has_terminal: world.has_terminal,
            warned: false,
            signal: None,
            broken: None,
            unopened: None,
            end: None,
        };
        stay.look_around();
        stay.feed(Input::Tick);
        Ok(stay)
    }

    /// Reads which networks are around us, and which router is in front of us, if we have anything to do with those.
    fn look_around(&mut self) {
        let Self { peer, presenter, .. } = self;
        if self.plan.lan {
            peer.look_around(|told| presenter.told(told));
        }
        if self.plan.maps {
            self.feed(Input::Gateway(gateway(self.peer.local())));
        }
    }

    /// Nobody on the networks around us has let us in: the room is opened, and they may come.
    fn open_when_alone(&mut self) {
        if !core::mem::take(&mut self.presenter.alone) || self.presenter.leaving {
            return;
        }
        match own_nodeset(self.plan, self.clock, &self.events) {
            Ok(node) => {
                self.presenter.opens(node.local());
                self.target = Target::own(node.local());
                self.registry = Some(node);
                let addrs = self.target.addrs.clone();
                self.feed(Input::Nodesets(&addrs));
            }
            Err(failure) => {
                self.unopened = Some(failure);
                self.presenter.exit.get_or_insert(Exit::Left { undelivered: 0 });
            }
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        let Self { peer, presenter, .. } = self;
        peer.feed(input, |told| presenter.told(told));
    }

    /// Whoever keeps the door open for others is asked whether they mean it, once.
    fn asked_to_quit(&mut self) {
        match self.needed().filter(|_| !self.warned && self.presenter.seat.can_ask()) {
            Some(what) => {
                self.warned = true;
                self.presenter.seat.note(&Note::Needed(what));
            }
            None => self.quit(),
        }
    }

    /// Who joined through the nodeset of this process, and is still there.
    fn needed(&self) -> Option<String> {
        let members = self.registry.as_ref()?.machine().members();
        let others = members.saturating_sub(usize::from(self.presenter.ready));
        let company = self.presenter.seat.company();
        (others > 0).then(|| wording::needed(&company.here(), others.saturating_sub(company.len())))
    }

    /// Says, once, who still needs what ends with us.
    fn say_who_needs_us(&mut self) {
        if let Some(what) = self.needed().filter(|_| !self.warned) {
            self.warned = true;
            self.presenter.seat.last_word(&what);
        }
    }

    fn quit(&mut self) {
        self.say_who_needs_us();
        self.presenter.leaving = true;
        self.remember_who_is_here();
        self.feed(Input::Command(Command::Quit.borrowed()));
        let impatient = self.plan.interactive || self.signal.is_some();
        if self.presenter.unacked > 0 && impatient && self.presenter.exit.is_none() {
            self.presenter.seat.note(&Note::Waiting(self.presenter.unacked));
        }
    }

    /// Whether an address is known from before, and was not given.
    fn is_remembered(&self, addr: SocketAddr) -> bool {
        let known = self.memory.as_ref().is_some_and(|memory| memory.addrs().contains(&addr));
        known && !self.target.addrs.contains(&addr)
    }

    /// Keeps where those are who are here.
    fn remember_who_is_here(&mut self) {
        if let Some(memory) = &mut self.memory {
            let reached = |presence: &Presence| matches!(presence.way, Way::Direct);
            let here = self.peer.machine().presence().filter(reached);
            memory.keep(here.filter_map(|presence| presence.addr));
        }
    }

    fn carry_out(&mut self, command: &Command) {
        if *command == Command::Quit {
            self.remember_who_is_here();
        }
        self.feed(Input::Command(command.borrowed()));
        self.presenter.seat.settle();
        if self.presenter.leaving {
            self.say_who_needs_us();
        }
    }

    /// Nobody has asked us to leave yet.
    fn is_talking(&self) -> bool {
        self.presenter.ready
            && !self.presenter.leaving
            && self.signal.is_none()
            && self.end.is_none()
    }

    /// Reads this computer's addresses again, when it is time to.
    fn look_at_ourselves(&mut self) {
        if !self.watch.turn(self.clock.now(), self.peer.failed_sends()) {
            return;
        }
        if let Some(registry) = &self.registry {
            let own = Target::own(registry.local());
            if own.addrs != self.target.addrs {
                self.target = own;
                let addrs = self.target.addrs.clone();
                self.feed(Input::Nodesets(&addrs));
            }
        }
        let addrs = advertise::own(self.peer.local(), self.target.first());
        self.feed(Input::Addresses(&addrs));
        self.look_around();
    }

    /// Looks a silent nodeset up again, and says that it is still asked.
    fn ask_for_the_nodeset(&mut self) {
        if self.presenter.ready {
            (self.probe, self.asking) = (Probe::default(), None);
        }
        let through = self.presenter.through.take();
        if let Some(through) =
            through.filter(|_| self.plan.nodeset.is_none() && self.registry.is_none())
        {
            let through = advertise::printed(through);
            let what = format!("the room is on this network: you are in through {through}");
            self.presenter.seat.note(&Note::Remark(what));
        } else if let Some(through) = through.filter(|through| self.is_remembered(*through)) {
            let target = &self.target;
            let what = format!(
                "nobody answers at {target}: you are in through {through}, where somebody of this room was the last time"
            );
            self.presenter.seat.note(&Note::Remark(what));
        }
        let now = self.clock.now();
        if let Some(found) = self.lookup.turn(now, self.peer.machine().hears_nodeset()) {
            self.target.found(found);
            let addrs = self.target.addrs.clone();
            self.feed(Input::Nodesets(&addrs));
        }
        let Self { asking, target, peer, presenter, .. } = self;
        let ended = presenter.leaving || presenter.exit.is_some();
        let asking = asking.as_mut().filter(|_| !ended);
        if let Some(what) = asking.and_then(|asking| asking.due(now, target, peer.unsent())) {
            presenter.seat.note(&Note::Remark(what));
        }
    }

    /// Whether another line may be read: what was said before has to go somewhere first.
    fn accepts_lines(&self) -> bool {
        let presenter = &self.presenter;
        let open = presenter.ready && !presenter.leaving && presenter.exit.is_none();
        open && self.peer.machine().accepts_lines() && !presenter.history.is_busy()
    }

    /// Carries out what is asked for.
    fn listen(&mut self) {
        while let Some(intent) = self.presenter.hear(self.accepts_lines()) {
            match intent {
                Intent::Command(command) => self.carry_out(&command),
                Intent::Refused => {}
                Intent::Broken(error) => {
                    self.broken = Some(error);
                    self.quit();
                }
                Intent::Log(what) => self.presenter.set_chatlog(&what),
                Intent::Look(look) => {
                    let Presenter { history, seat, .. } = &mut self.presenter;
                    history.look(look, &mut **seat);
                    seat.settle();
                }
                Intent::Quit => self.asked_to_quit(),
                Intent::QuitNow => self.quit_now(),
                Intent::Hangup => self.signal(Signal::Hangup),
            }
        }
    }

    /// Leaves without waiting for anything.
    fn quit_now(&mut self) {
        let now = Some(self.clock.now());
        self.presenter.exit.get_or_insert(Exit::Left { undelivered: 0 });
        self.notice_exit();
        self.end = self.end.take().map(|end| End { by: now, ..end });
    }

    /// Leaves when there is nobody to show anything to.
    fn notice_gone(&mut self) {
        if self.presenter.seat.gone().is_some()
            && !self.presenter.leaving
            && self.presenter.exit.is_none()
        {
            log::debug!("standard output is gone: leaving");
            self.quit();
        }
    }

    /// Says how it ended, once it has.
    fn notice_exit(&mut self) {
        if self.end.is_some() {
            return;
        }
        let Some(exit) = self.presenter.exit.clone() else { return };
        let failure = self.failure(&exit);
        let signalled = match self.signal {
            // Ctrl-C is one of the ways to leave.
            None | Some(Signal::Interrupt) => None,
            Some(signal) => Some(signals::status(signal)),
        };
        let failed = failure.as_ref().map(|failure| failure.status);
        let silenced = self.presenter.seat.lost_notices().then_some(status::INTERNAL);
        let status = signalled.or(failed).or(silenced).unwrap_or(status::OK);
        let unlogged = self.presenter.finish_chatlog();
        let unkept = self.presenter.history.finish(self.clock.now());
        for what in unlogged.into_iter().chain(unkept) {
            self.presenter.seat.last_word(&what);
        }
        match &failure {
            // Where the seat prints, nobody reads it.
            Some(failure) if self.presenter.seat.gone().is_some() => failure.print(),
            Some(failure) => self.presenter.seat.fail(failure),
            None => {}
        }
        self.presenter.seat.bye(status);
        let by = self.signal.map(|_| self.clock.now() + FLUSH_MAX);
        self.end = Some(End { status, by });
    }

    fn failure(&self, exit: &Exit) -> Option<Failure> {
        let presenter = &self.presenter;
        if let Some(failure) = &self.unopened {
            return Some(self.plan.provenance.explain(failure.clone()));
        }
        match presenter.seat.gone() {
            // Whoever read it has seen enough: `chatrpc chat … | head -1`.
            Some(Errno::PIPE | Errno::IO) => return None,
            Some(error) => return Some(unwritable(&error.into())),
            None => {}
        }
        if self.asks_again() {
            let Exit::Name(problem) = exit else { return None };
            return Some(Failure { hints: Vec::new(), ..name_refused(problem) });
        }
        let Exit::Left { undelivered } = exit else {
            let Self { target, peer, probe, .. } = self;
            let to = Asked {
                target,
                unsent: peer.unsent(),
                said: probe.said(),
                local: advertise::local(),
            };
            let provenance = &self.plan.provenance;
            let failed = failed(exit, to, self.plan.asked, provenance);
            return failed.map(|failure| provenance.explain(failure));
        };
        if let Some(error) = self.broken {
            return Some(unreadable(&error.into()));
        }
        if !self.plan.strict {
            return None;
        }
        let silent = presenter.said == 0 && presenter.refused == 0 && self.signal.is_none();
        if self.plan.asked == Errand::Send && silent {
            let what = "there was nothing to say: standard input held no text";
            return Some(Failure::new(status::USAGE, "empty", what));
        }
        let refused = if self.plan.json { 0 } else { presenter.refused };
        let unheard = if self.plan.asked == Errand::Send { presenter.unheard } else { 0 };
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
            && matches!(self.presenter.exit, Some(Exit::Name(_)))
    }
}

impl Program for Stay<'_> {
    fn note_ready(&mut self, event: &Event) {
        match event.token() {
            PEER => self.peer.note_readable(),
            NODESET => self.registry.iter_mut().for_each(Node::note_readable),
            PROBE => {
                for addr in self.probe.refused() {
                    self.feed(Input::Unreachable(addr));
                }
            }
            // What was looked up is taken in the next turn.
            LOOKUP => {}
            ADDRESSES => self.watch.note_ready(self.clock.now()),
            HAILS => self.peer.note_heard(),
            _ => self.presenter.seat.note_ready(event),
        }
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Resize | Signal::Suspend | Signal::Continue => {
                return self.presenter.seat.signal(signal);
            }
            // A terminal that is gone is seen to be gone, and a signal says so as well.
            Signal::Hangup if self.signal == Some(signal) => return,
            Signal::Interrupt if self.is_talking() && self.presenter.seat.interrupt() => return,
            // To who has none it says that a file was put in the place of another.
            Signal::Hangup if !self.has_terminal => return self.presenter.follow_chatlog(),
            Signal::Interrupt | Signal::Terminate | Signal::Hangup | Signal::Other(_) => {}
        }
        match &mut self.end {
            Some(end) => end.by = Some(self.clock.now()),
            None if self.signal.is_some() => {
                self.signal = Some(signal);
                self.quit_now();
            }
            None => {
                self.signal = Some(signal);
                self.quit();
            }
        }
    }

    fn turn(&mut self) {
        let Self { peer, presenter, .. } = self;
        peer.turn(|told| presenter.told(told));
        if let Some(registry) = &mut self.registry {
            registry.turn(|told| {
                log::debug!("nodeset: {}", told.logged());
                false
            });
        }
        self.open_when_alone();
        self.look_at_ourselves();
        self.ask_for_the_nodeset();
        let now = self.clock.now();
        if let Some(memory) = self.memory.as_mut().filter(|_| self.presenter.ready) {
            memory.begin(now);
            if memory.turn(now) {
                self.remember_who_is_here();
            }
        }
        self.presenter.seat.turn(self.peer.machine());
        self.listen();
        // What is seen is kept, whatever ends us then.
        self.presenter.keep(self.clock);
        self.presenter.seat.flush();
        if self.peer.is_full() && self.presenter.seat.has_room() {
            self.feed(Input::Full(false));
        }
        self.notice_gone();
        self.notice_exit();
        self.presenter.seat.flush();
    }

    fn has_work(&self) -> bool {
        let registry = self.registry.as_ref().is_some_and(Node::has_work);
        let reads = self.presenter.history.is_busy() && self.presenter.seat.has_room();
        self.peer.has_work()
            || registry
            || reads
            || self.presenter.seat.has_work(self.accepts_lines())
    }

    fn wake(&self) -> Option<Time> {
        let registry = self.registry.as_ref().and_then(Node::wake);
        let end = self.end.as_ref().and_then(|end| end.by);
        let ended = self.presenter.leaving || self.presenter.exit.is_some();
        let asking = self.asking.as_ref().filter(|_| !ended).map(Asking::wake);
        let lookup = self.lookup.wake();
        let all = [self.peer.wake(), registry, end, self.presenter.seat.wake(), asking, lookup];
        let memory = self.memory.as_ref().and_then(Memory::wake);
        let all = all.into_iter().chain([memory, Some(self.watch.wake())]);
        let all = all.chain([self.presenter.history.wake()]);
        all.flatten().min()
    }

    fn status(&self) -> Option<u8> {
        let end = self.end.as_ref()?;
        let late = end.by.is_some_and(|by| by <= self.clock.now());
        (late || self.presenter.seat.drained()).then_some(end.status)
    }
}
