//! The seat of pipes and programs: lines in from standard input, lines out to standard output and
//! standard error.

use std::io;
use std::os::fd::AsFd;

use mio::Registry;
use mio::event::Event as Ready;
use rustix::io::Errno;

use super::chat::Words;
use super::front::{Front, Note, Paper, Reading, Wish};
use super::output::Output;
use super::report::Failure;
use super::seat::{Heard, Seat};
use super::signals::Signal;
use super::stdin::Stdin;
use super::{STDERR, STDIN, STDOUT};
use crate::machine::{Event, Peer, Time};

/// A front end, its input and its two outputs.
pub(crate) struct Stream {
    front: Box<dyn Front>,
    paper: Paper,
    out: Output,
    err: Output,
    words: Words,
    stdin: Option<Stdin>,
    /// Standard input is read once in a turn.
    may_read: bool,
}

impl Stream {
    /// Lines of standard input have at most `line_max` bytes.
    pub(crate) fn new(
        front: Box<dyn Front>,
        words: Words,
        line_max: usize,
        registry: &Registry,
    ) -> io::Result<Self> {
        let stdin = match words {
            Words::Stdin { .. } => {
                let fd = io::stdin().as_fd().try_clone_to_owned()?;
                Some(Stdin::new(fd, line_max, registry, STDIN)?)
            }
            _ => None,
        };
        Ok(Self {
            front,
            paper: Paper::default(),
            out: Output::new(rustix::stdio::stdout(), registry, STDOUT)?,
            err: Output::new(rustix::stdio::stderr(), registry, STDERR)?,
            words,
            stdin,
            may_read: true,
        })
    }

    fn queue(&mut self) {
        self.out.push(&self.paper.out);
        self.err.push(&self.paper.err);
        self.paper.out.clear();
        self.paper.err.clear();
    }
}

impl Seat for Stream {
    fn show(&mut self, event: &Event<'_>) {
        self.front.show(event, &mut self.paper);
        self.queue();
    }

    fn note(&mut self, note: &Note) {
        self.front.note(note, &mut self.paper);
        self.queue();
    }

    fn fail(&mut self, failure: &Failure) {
        self.front.fail(failure, &mut self.paper);
        self.queue();
    }

    fn bye(&mut self, status: u8) {
        self.front.bye(status, &mut self.paper);
        self.queue();
    }

    fn hear(&mut self, open: bool) -> Option<Heard> {
        if !open {
            return None;
        }
        loop {
            if let Words::Once(text) = &mut self.words {
                let text = core::mem::take(text);
                self.words = Words::Said;
                return Some(Heard::Wish(Wish::Say { text, action: false, to: None }));
            }
            if matches!(self.words, Words::Said) {
                self.words = Words::None;
                return Some(Heard::Quit);
            }
            let stdin = self.stdin.as_mut()?;
            if let Some(piece) = stdin.next_piece() {
                let reading = self.front.read(piece, &mut self.paper);
                self.queue();
                match reading {
                    Reading::Wish(wish) => return Some(Heard::Wish(wish)),
                    Reading::Refused => return Some(Heard::Refused),
                    Reading::Nothing => {}
                }
            } else if stdin.ended() {
                self.stdin = None;
                if !matches!(self.words, Words::Stdin { stay: true }) {
                    return Some(Heard::Quit);
                }
            } else if self.may_read && stdin.ready() {
                self.may_read = false;
                stdin.read();
            } else {
                return None;
            }
        }
    }

    fn settle(&mut self) {
        self.front.settle();
    }

    fn note_ready(&mut self, event: &Ready) {
        match event.token() {
            STDIN => {
                if let Some(stdin) = &mut self.stdin {
                    stdin.note_ready();
                }
            }
            STDOUT => self.out.note_ready(event.is_error()),
            STDERR => self.err.note_ready(event.is_error()),
            _ => {}
        }
    }

    fn signal(&mut self, _signal: Signal) {}

    fn turn(&mut self, _peer: &Peer) {
        self.may_read = true;
    }

    fn flush(&mut self) {
        for output in [&mut self.out, &mut self.err] {
            if output.ready() {
                output.flush();
            }
        }
        let dropped =
            [&mut self.out, &mut self.err].into_iter().filter_map(Output::take_dropped).sum();
        if dropped > 0 {
            self.note(&Note::Dropped(dropped));
        }
    }

    fn has_work(&self, open: bool) -> bool {
        let input = open && self.stdin.as_ref().is_some_and(Stdin::ready);
        input || self.out.ready() || self.err.ready()
    }

    fn wake(&self) -> Option<Time> {
        None
    }

    fn drained(&self) -> bool {
        self.out.drained() && self.err.drained()
    }

    fn is_full(&self) -> bool {
        self.out.is_full()
    }

    fn has_room(&self) -> bool {
        self.out.has_room()
    }

    fn gone(&self) -> Option<Errno> {
        self.out.gone()
    }
}
