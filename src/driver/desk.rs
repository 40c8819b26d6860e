//! Between the chat machine and whoever is in front of it: events become text in a queue, and what
//! the exit status depends on is kept.

use std::io;
use std::net::SocketAddr;

use log::{Level, log};
use mio::Registry;
use rustix::io::Errno;

use super::front::{Front, Note, Paper, Reading};
use super::known::Known;
use super::node::Told;
use super::output::Output;
use super::report::Failure;
use super::splitter::Piece;
use super::{STDERR, STDOUT};
use crate::machine::{Event, Exit, Name, Pin, Refusal, Room, Secret};

/// A front end and its two outputs.
pub(crate) struct Desk {
    front: Box<dyn Front>,
    paper: Paper,
    out: Output,
    err: Output,
    /// The machine has joined.
    pub(crate) ready: bool,
    /// The machine is leaving.
    pub(crate) leaving: bool,
    /// Messages that were on their way when it began to leave.
    pub(crate) unacked: usize,
    /// Lines that were not carried out.
    pub(crate) refused: u64,
    /// Messages that nobody was there to read.
    pub(crate) unheard: u64,
    /// How the machine ended.
    pub(crate) exit: Option<Exit>,
    /// The secret of the room, for those who are to be invited.
    secret: Option<Secret>,
    known: Known,
}

impl Desk {
    pub(crate) fn new(
        front: Box<dyn Front>,
        secret: Option<Secret>,
        known: Known,
        registry: &Registry,
    ) -> io::Result<Self> {
        Ok(Self {
            front,
            paper: Paper::default(),
            out: Output::new(rustix::stdio::stdout(), registry, STDOUT)?,
            err: Output::new(rustix::stdio::stderr(), registry, STDERR)?,
            ready: false,
            leaving: false,
            unacked: 0,
            refused: 0,
            unheard: 0,
            exit: None,
            secret,
            known,
        })
    }

    /// Takes what the machine tells.
    pub(crate) fn told(&mut self, told: Told<'_>) {
        let event = match told {
            Told::Event(event) => event,
            Told::Exit(exit) => {
                self.exit = Some(exit);
                return;
            }
        };
        match &event {
            Event::Ready { .. } => self.ready = true,
            Event::Leaving { unacked } => {
                self.leaving = true;
                self.unacked = *unacked;
            }
            Event::Refused(Refusal::Empty) => {}
            Event::Refused(_) => self.refused += 1,
            Event::Sent { readers: 0, .. } => self.unheard += 1,
            Event::Trusted { who, key } => {
                let pin = Pin { name: who.name.clone(), key: *key };
                if let Err(error) = self.known.add(pin) {
                    log::warn!("whom you trust is forgotten when this run ends: {error}");
                }
            }
            Event::Invite { nodeset, room, .. } => {
                let line = invitation(*nodeset, room, self.secret.as_ref());
                self.note(Note::Invite(line));
            }
            _ => {}
        }
        let level = match &event {
            // One line per message belongs to the log that has one per datagram.
            Event::Message { .. }
            | Event::Sent { .. }
            | Event::Acked { .. }
            | Event::Done { .. } => Level::Trace,
            _ => Level::Debug,
        };
        log!(level, "{event:?}");
        self.front.show(&event, &mut self.paper);
        self.queue();
    }

    /// What a line of input asks for.
    pub(crate) fn read(&mut self, piece: Piece<'_>) -> Reading {
        let reading = self.front.read(piece, &mut self.paper);
        if reading == Reading::Refused {
            self.refused += 1;
        }
        self.queue();
        reading
    }

    /// What the last line asked for is carried out.
    pub(crate) fn settle(&mut self) {
        self.front.settle();
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.front.note(note, &mut self.paper);
        self.queue();
    }

    pub(crate) fn fail(&mut self, failure: &Failure) {
        self.front.fail(failure, &mut self.paper);
        self.queue();
    }

    pub(crate) fn bye(&mut self, status: u8) {
        self.front.bye(status, &mut self.paper);
        self.queue();
    }

    pub(crate) const fn stdout(&mut self) -> &mut Output {
        &mut self.out
    }

    pub(crate) const fn stderr(&mut self) -> &mut Output {
        &mut self.err
    }

    /// Writes what can be written without waiting, and reports what was dropped.
    pub(crate) fn flush(&mut self) {
        for output in [&mut self.out, &mut self.err] {
            if output.ready() {
                output.flush();
            }
        }
        let dropped =
            [&mut self.out, &mut self.err].into_iter().filter_map(Output::take_dropped).sum();
        if dropped > 0 {
            self.note(Note::Dropped(dropped));
        }
    }

    /// Whether something can be written without waiting.
    pub(crate) const fn has_work(&self) -> bool {
        self.out.ready() || self.err.ready()
    }

    /// Whether everything is written, or never will be.
    pub(crate) fn drained(&self) -> bool {
        self.out.drained() && self.err.drained()
    }

    /// Why standard output takes nothing any more.
    pub(crate) const fn gone(&self) -> Option<Errno> {
        self.out.gone()
    }

    fn queue(&mut self) {
        self.out.push(&self.paper.out);
        self.err.push(&self.paper.err);
        self.paper.out.clear();
        self.paper.err.clear();
    }
}

/// What others type to join.
fn invitation(nodeset: SocketAddr, room: &Name, secret: Option<&Secret>) -> String {
    let secret =
        secret.map_or(String::new(), |secret| format!("CHATRPC_SECRET={} ", *secret.written()));
    let room = match room.as_str() {
        Room::LOBBY => String::new(),
        room => format!(" --room '{}'", room.replace('\'', r"'\''")),
    };
    format!("{secret}chatrpc chat {nodeset}{room}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_what_others_type() {
        let invite = |room: &str, secret: Option<&Secret>| {
            invitation("10.0.0.5:7420".parse().unwrap(), &Name::parse(room).unwrap(), secret)
        };
        assert_eq!(invite("lobby", None), "chatrpc chat 10.0.0.5:7420");
        assert_eq!(invite("it's", None), r"chatrpc chat 10.0.0.5:7420 --room 'it'\''s'");
        let secret = Secret::new([0; crate::machine::SECRET]);
        let line = invite("ops", Some(&secret));
        let start = format!("CHATRPC_SECRET={} chatrpc chat ", *secret.written());
        assert!(line.starts_with(&start) && line.ends_with(" --room 'ops'"), "{line}");
    }
}
