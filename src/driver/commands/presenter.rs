//! Between the chat machine and its seat: what the exit status depends on is kept, and what was said
//! is written to a file if somebody wants that.

use std::net::SocketAddr;

use log::{Level, log};

use crate::driver::commands::history::History;
use crate::driver::front::chatlog::{ChatLog, Trouble};
use crate::driver::front::intent::Intent;
use crate::driver::front::invitation::Invitation;
use crate::driver::front::note::Note;
use crate::driver::front::numbers::counted;
use crate::driver::front::seat::Seat;
use crate::driver::history::record::Record;
use crate::driver::net::advertise;
use crate::driver::net::node::Told;
use crate::driver::os::clock::Clock;
use crate::driver::os::logged::Logged;
use crate::driver::os::trusted::{NotKept, Trusted};
use crate::machine::{Event, Exit, Pin, Refusal, Room, Secret};

/// A seat, and what it takes to say how the stay ended.
pub(crate) struct Presenter {
    pub(crate) seat: Box<dyn Seat>,
    chatlog: Option<ChatLog>,
    pub(crate) history: History,
    /// What was said last before this stay, until it is shown.
    before: Option<Vec<Record>>,
    /// The machine has joined.
    pub(crate) ready: bool,
    /// Who let us in, until that is told.
    pub(crate) through: Option<SocketAddr>,
    /// Nobody on the networks around us has let us in, until something is done about it.
    pub(crate) alone: bool,
    /// The machine is leaving.
    pub(crate) leaving: bool,
    /// Messages that were on their way when it began to leave.
    pub(crate) unacked: usize,
    /// Lines that were not carried out.
    pub(crate) refused: u64,
    /// Messages that were said.
    pub(crate) said: u64,
    /// Those that nobody was there to read.
    pub(crate) unheard: u64,
    /// How the machine ended.
    pub(crate) exit: Option<Exit>,
    /// The room, and its secret for those who are to be invited.
    room: Room,
    secret: Option<Secret>,
    /// The nodeset of the room is one of this process, on that address.
    opened: Option<SocketAddr>,
    trusted: Trusted,
}

impl Presenter {
    pub(crate) fn new(
        mut seat: Box<dyn Seat>,
        (chatlog, history): (Option<ChatLog>, History),
        (room, secret): (Room, Option<Secret>),
        trusted: Trusted,
    ) -> Self {
        seat.company_mut().trust(trusted.pins());
        Self {
            seat,
            chatlog,
            before: history.before(),
            history,
            ready: false,
            through: None,
            alone: false,
            leaving: false,
            unacked: 0,
            refused: 0,
            said: 0,
            unheard: 0,
            exit: None,
            room,
            secret,
            opened: None,
            trusted,
        }
    }

    /// This process has opened the room, with a nodeset that is bound to that address.
    pub(crate) fn opens(&mut self, bound: SocketAddr) {
        self.opened = Some(bound);
        self.seat.note(&Note::Opened(self.invitation(bound)));
    }

    /// How others join by that nodeset, or by any address of the one that this process has.
    fn invitation(&self, nodeset: SocketAddr) -> Invitation {
        let ours = self.opened.map(advertise::advertised).unwrap_or_default();
        let mut ours = ours.into_iter().map(advertise::printed);
        let first = ours.next().unwrap_or(nodeset);
        Invitation::new(first, &self.room, self.secret.as_ref()).also(ours)
    }

    /// Takes what the machine tells. True when the seat should be shown no more for now.
    pub(crate) fn told(&mut self, told: Told<'_>) -> bool {
        match told {
            Told::Event(event) => self.event(&event),
            Told::Exit(exit) => self.exit = Some(exit),
        }
        self.seat.is_full()
    }

    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Ready { nodeset, .. } => {
                (self.ready, self.through) = (true, Some(*nodeset));
                // It stands above what happens from here on.
                self.before.take().into_iter().for_each(|said| self.seat.note(&Note::Before(said)));
            }
            Event::Alone => self.alone = true,
            Event::Leaving { unacked } => {
                self.leaving = true;
                self.unacked = *unacked;
            }
            Event::Refused(Refusal::Empty) => {}
            Event::Refused(_) => self.refused += 1,
            Event::Sent { readers, .. } => {
                self.said += 1;
                self.unheard += u64::from(*readers == 0);
            }
            Event::Invite { nodeset, .. } => {
                self.seat.note(&Note::Invite(self.invitation(*nodeset)));
            }
            _ => {}
        }
        if let Event::Trusted { who, key } = event
            && let Err(why) = self.trusted.add(Pin { name: who.name.clone(), key: *key })
        {
            let label = self.seat.company().label(who);
            return self.trust_for_now(event, &label, why);
        }
        self.show(event);
        if self.ready
            && let Some(trouble) = self.trusted.take_trouble()
        {
            self.seat.note(&Note::Remark(trouble));
        }
        if self.ready && self.history.take_vain() {
            let what =
                "nothing is kept: the key ends with this run, and nobody could open it again";
            self.seat.note(&Note::Remark(what.to_owned()));
        }
        if let Event::Untrusted { name, key } = event
            && let Err(why) = self.trusted.remove(name, *key)
        {
            let what = format!("{name} is trusted again when this run ends: {why}");
            self.seat.note(&Note::Remark(what));
        }
    }

    /// Somebody is trusted whom no later run will know.
    fn trust_for_now(&mut self, event: &Event<'_>, label: &str, why: NotKept) {
        let what = match why {
            NotKept::File(error) => {
                self.show(event);
                format!("whom you trust is forgotten when this run ends: {error}")
            }
            why => {
                // The machine trusts them.
                self.seat.company_mut().note(event);
                format!("{label} is trusted in this run, and not remembered: {why}")
            }
        };
        self.seat.note(&Note::Remark(what));
    }

    fn show(&mut self, event: &Event<'_>) {
        let level = match event {
            // One line per message belongs to the log that has one per datagram.
            Event::Message { .. }
            | Event::Sent { .. }
            | Event::Acked { .. }
            | Event::Done { .. } => Level::Trace,
            _ => Level::Debug,
        };
        log!(level, "{}", Logged::Event(event));
        self.seat.show(event);
        self.history.note(event, self.seat.company().me.as_ref());
        let Some(chatlog) = &mut self.chatlog else { return };
        let what = match chatlog.show(event, self.seat.company()) {
            None => return,
            Some(Trouble::Began(error)) => {
                format!(
                    "the chat cannot be written to its file, and goes on there when it can: {error}"
                )
            }
            Some(Trouble::Over(missing)) => {
                let missing = counted(missing, "record");
                format!("the chat is written to its file again: {missing} missing there")
            }
        };
        self.seat.note(&Note::Remark(what));
    }

    /// The end of a turn: what happened is kept.
    pub(crate) fn keep(&mut self, clock: Clock) {
        self.history.turn(clock, &mut *self.seat);
        if let Some(what) = self.history.flush(clock.now()) {
            self.seat.note(&Note::Remark(what));
        }
    }

    /// Somebody may have put another file in the place of the chat's.
    pub(crate) fn follow_chatlog(&mut self) {
        if let Some(chatlog) = &mut self.chatlog
            && let Err(error) = chatlog.follow()
        {
            log::debug!("{}: {error}", chatlog.path());
        }
    }

    /// How much of the chat is not in its file, now that nothing more will be.
    pub(crate) fn finish_chatlog(&mut self) -> Option<String> {
        let mut chatlog = self.chatlog.take()?;
        let missing = chatlog.finish();
        let what = || {
            let missing = counted(missing, "record");
            format!("the end of the chat is not in {}: {missing} missing", chatlog.path())
        };
        (missing > 0).then(what)
    }

    /// The next thing that is asked for.
    pub(crate) fn hear(&mut self, open: bool) -> Option<Intent> {
        let intent = self.seat.hear(open)?;
        self.refused += u64::from(intent == Intent::Refused);
        Some(intent)
    }

    /// Begins or ends writing to a file: `on`, `off`, or its path. Nothing: says how it is.
    pub(crate) fn set_chatlog(&mut self, what: &str) {
        let note = match (what, &self.chatlog) {
            ("", chatlog) => {
                let now = match chatlog {
                    Some(chatlog) => format!("the chat is written to {}", chatlog.path()),
                    None => "the chat is not written to a file".to_owned(),
                };
                Note::Remark(format!("{now} (/log on, off, or a path)"))
            }
            ("off", _) => self.finish_chatlog().map_or(Note::Logging(None), Note::Remark),
            ("on", Some(chatlog)) => Note::Logging(Some(chatlog.path())),
            (what, _) => match ChatLog::open(Some(what).filter(|&what| what != "on"), &self.room) {
                Ok(chatlog) => {
                    let path = chatlog.path();
                    self.chatlog = Some(chatlog);
                    Note::Logging(Some(path))
                }
                Err(error) => Note::NotLogged(format!("cannot write the chat to a file: {error}")),
            },
        };
        self.seat.note(&note);
    }
}
