//! The seat of pipes and programs: lines in from standard input, lines out to standard output and
//! standard error.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use mio::event::Event as Ready;
use rustix::io::Errno;

use crate::driver::front::company::Company;
use crate::driver::front::format::{Format, Paper};
use crate::driver::front::intent::{Command, Intent};
use crate::driver::front::note::Note;
use crate::driver::front::seat::Seat;
use crate::driver::front::several::several;
use crate::driver::front::typing::{Typed, Typing};
use crate::driver::front::typist::{Row, Typist};
use crate::driver::front::wording;
use crate::driver::os::cbreak::{Cbreak, is_same_terminal};
use crate::driver::os::clock::Clock;
use crate::driver::os::event_loop::{STDERR, STDIN, STDOUT, World};
use crate::driver::os::failure::Failure;
use crate::driver::os::output::Output;
use crate::driver::os::signals::{self, Signal};
use crate::driver::os::splitter::Piece;
use crate::driver::os::stdin::Stdin;
use crate::machine::{self, Event, Peer, Time};

/// Where what we say comes from.
#[derive(Clone, Debug)]
pub(crate) enum Words {
    /// Nowhere.
    None,
    /// The command line.
    Once(String),
    /// It was said: then we leave.
    Said,
    /// Standard input; after its end we leave, or stay.
    Stdin { stay: bool },
}

/// Keys of a terminal, and the line they make.
struct Keys {
    line: Box<dyn Typing>,
    modes: Cbreak,
    /// Which outputs go to the same terminal: standard output, standard error.
    shared: [bool; 2],
}

impl Keys {
    fn new(line: Box<dyn Typing>) -> io::Result<Self> {
        let out = is_same_terminal(rustix::stdio::stdout());
        let err = is_same_terminal(rustix::stdio::stderr());
        Ok(Self { line, modes: Cbreak::new()?, shared: [out, err] })
    }

    /// Takes over the editing of the line, where what is shown would go into it otherwise.
    fn enter(&mut self) {
        if self.shared != [false, false] && !self.modes.entered() {
            self.modes.enter();
        }
    }
}

/// A front end, its input and its two outputs.
pub(crate) struct Stream {
    format: Box<dyn Format>,
    company: Company,
    paper: Paper,
    out: Output,
    err: Output,
    words: Words,
    stdin: Option<Stdin>,
    /// Standard input is read once in a turn.
    may_read: bool,
    /// A line was read, whatever became of it.
    any_read: bool,
    /// A person is at a terminal, which does not mark what is pasted.
    typist: Option<Typist>,
    keys: Option<Keys>,
    /// Lines are taken.
    open: bool,
    /// Messages of one paste that are to be said yet.
    said: VecDeque<Command>,
    clock: Clock,
}

impl Stream {
    /// Lines of standard input have at most `line_max` bytes; `typed` is there when a person
    /// types them.
    pub(crate) fn new(
        format: Box<dyn Format>,
        words: Words,
        line_max: usize,
        typed: Option<Box<dyn Typing>>,
        world: &World,
    ) -> io::Result<Self> {
        let registry = world.poll.registry();
        let stdin = match words {
            Words::Stdin { .. } => {
                let fd = io::stdin().as_fd().try_clone_to_owned()?;
                Some(Stdin::new(fd, line_max, registry, STDIN)?)
            }
            _ => None,
        };
        Ok(Self {
            format,
            company: Company::EMPTY,
            paper: Paper::default(),
            out: Output::new(rustix::stdio::stdout(), registry, STDOUT)?,
            err: Output::new(rustix::stdio::stderr(), registry, STDERR)?,
            words,
            stdin,
            may_read: true,
            any_read: false,
            typist: typed.is_some().then(Typist::default),
            keys: typed.map(Keys::new).transpose()?,
            open: false,
            said: VecDeque::new(),
            clock: world.clock,
        })
    }

    /// What somebody typed, once no more of it follows.
    fn row(&mut self) -> Option<Intent> {
        let row = self.typist.as_mut()?.row(self.clock.now())?;
        let intent = self.read_row(row);
        // Who leaves types nothing more.
        if intent != Some(Intent::Command(Command::Quit)) {
            self.put_back();
        }
        intent
    }

    fn read_row(&mut self, row: Row) -> Option<Intent> {
        let line = match row {
            Row::Line(line) => line,
            row => {
                let refused =
                    matches!(row, Row::Dropped | Row::TooLong { .. } | Row::Unheld { .. });
                self.say(&wording::pasted(&row));
                return refused.then_some(Intent::Refused);
            }
        };
        let command = machine::Command::parse(&line).ok();
        let company = Some(&self.company);
        if let Some(said) = command.as_ref().and_then(|command| several(command, company)) {
            self.said.extend(said);
            return self.said.pop_front().map(Intent::Command);
        }
        let intent = self.format.read(Piece::Line(&line), &mut self.paper);
        self.queue();
        intent
    }

    /// What somebody typed last, now that the input has ended.
    fn last_row(&mut self) -> Option<Intent> {
        self.typist.as_mut()?.end();
        let intent = self.row();
        intent.or_else(|| self.give_up().then_some(Intent::Refused))
    }

    /// Nothing more is typed: what still waits is not said. Whether something did.
    fn give_up(&mut self) -> bool {
        let Some(mut typist) = self.typist.take() else { return false };
        let asked = typist.drop_pasted();
        if asked {
            self.say("the paste was not said: nobody answered");
        }
        let held: Vec<String> = core::iter::from_fn(|| typist.take_held()).collect();
        held.iter().for_each(|line| self.say(&wording::unsaid(line)));
        asked || !held.is_empty()
    }

    /// What was typed while something else was asked is not lost: it stands there again, one line after the
    /// other.
    fn put_back(&mut self) {
        if self.stdin.as_ref().is_none_or(Stdin::ended) {
            return;
        }
        loop {
            let edited = self.keys().map(|keys| keys.line.is_free());
            let held = self.typist.as_mut().filter(|_| edited != Some(false));
            let Some(line) = held.and_then(Typist::take_held) else { return };
            let Some(keys) = self.keys() else {
                self.say(&wording::unsaid(&line));
                continue;
            };
            keys.line.put_back(&line);
            let echo = keys.line.echo();
            self.echo(&echo);
        }
    }

    fn say(&mut self, what: &str) {
        self.note(&Note::Remark(what.to_owned()));
    }

    /// Who comes and goes without a word may not have meant to.
    fn say_why_so_soon(&mut self) {
        if matches!(self.words, Words::Stdin { .. }) && !self.any_read && !io::stdin().is_terminal()
        {
            self.say("the input ended before it began: --stay goes on listening");
        }
    }

    /// What somebody is typing, if it is edited here.
    fn keys(&mut self) -> Option<&mut Keys> {
        self.keys.as_mut().filter(|keys| keys.modes.entered())
    }

    /// What is to be shown goes out: around the line that is typed, where that stands in its way.
    fn queue(&mut self) {
        let (mut out, mut err) =
            (core::mem::take(&mut self.paper.out), core::mem::take(&mut self.paper.err));
        if let Some(Keys { line, shared, .. }) = self.keys() {
            let around = |line: &mut Box<dyn Typing>, what: String| {
                if what.is_empty() { what } else { [line.hide(), what, line.show()].concat() }
            };
            match shared {
                [true, true] => out = around(line, out + &core::mem::take(&mut err)),
                [true, false] => out = around(line, out),
                [false, true] => err = around(line, err),
                [false, false] => {}
            }
        }
        self.out.push(&out);
        self.err.push(&err);
    }

    /// Shows on the terminal what was typed there.
    fn echo(&mut self, what: &str) {
        match self.keys.as_ref().map(|keys| keys.shared) {
            Some([true, _]) => self.out.push(what),
            Some([false, true]) => self.err.push(what),
            _ => {}
        }
    }

    /// Reads keys, and hands on the lines that they make.
    fn read_keys(&mut self) {
        let now = self.clock.now();
        let (Some(Keys { line, modes, .. }), Some(stdin)) = (&mut self.keys, &mut self.stdin)
        else {
            return;
        };
        let (columns, company) = (modes.columns(), &self.company);
        if core::mem::take(&mut self.may_read) {
            stdin.read_keys(|bytes| line.feed(bytes, now, columns, company));
        }
        if line.deadline().is_some_and(|at| at <= now) && !stdin.waits() {
            line.tick(now, company);
        }
        let mut ended = false;
        while let Some(typed) = line.next_typed() {
            self.any_read = true;
            match (typed, &mut self.typist) {
                (Typed::Line(line), Some(typist)) => typist.line(&line, now),
                _ => ended = true,
            }
        }
        let echo = line.echo();
        if ended {
            stdin.end();
        }
        self.echo(&echo);
    }

    /// The terminal is somebody else's: the line is gone from it, and comes back with it.
    fn suspend(&mut self) {
        if let Some(keys) = self.keys() {
            let hide = keys.line.hide();
            self.echo(&hide);
            self.flush();
        }
        self.keys.iter_mut().for_each(|keys| keys.modes.leave());
        let stopped = if signals::can_stop() { signals::stop() } else { Ok(()) };
        if let Err(error) = stopped {
            log::debug!("cannot stop: {error}");
        }
        self.resume();
    }

    /// The terminal has another size: the line stands there once.
    fn resize(&mut self) {
        if let Some(keys) = self.keys() {
            keys.line.resize(keys.modes.columns());
            let echo = keys.line.echo();
            self.echo(&echo);
        }
    }

    fn resume(&mut self) {
        self.keys.iter_mut().for_each(Keys::enter);
        if let Some(keys) = self.keys() {
            let show = keys.line.show();
            self.echo(&show);
        }
    }
}

impl Seat for Stream {
    fn company(&self) -> &Company {
        &self.company
    }

    fn company_mut(&mut self) -> &mut Company {
        &mut self.company
    }

    fn show(&mut self, event: &Event<'_>) {
        self.company.note(event);
        if matches!(event, Event::Ready { .. }) {
            self.keys.iter_mut().for_each(Keys::enter);
        }
        self.format.show(event, &self.company, &mut self.paper);
        self.queue();
    }

    fn note(&mut self, note: &Note) {
        self.format.note(note, &self.company, &mut self.paper);
        self.queue();
    }

    fn fail(&mut self, failure: &Failure) {
        self.format.fail(failure, &mut self.paper);
        self.queue();
    }

    fn bye(&mut self, status: u8) {
        self.give_up();
        if let Some(keys) = self.keys() {
            let hide = keys.line.hide();
            self.echo(&hide);
        }
        self.keys = None;
        self.format.bye(status, &mut self.paper);
        self.queue();
    }

    fn hear(&mut self, open: bool) -> Option<Intent> {
        self.open = open;
        if !open {
            return None;
        }
        if let Some(say) = self.said.pop_front() {
            return Some(Intent::Command(say));
        }
        let now = self.clock.now();
        let keyed = self.keys().is_some();
        let due = |keys: &mut Keys| keys.line.deadline().is_some_and(|at| at <= now);
        let mut keys_due = self.keys().is_some_and(due);
        loop {
            if let Words::Once(text) = &mut self.words {
                let text = core::mem::take(text);
                self.words = Words::Said;
                let say = Command::Say { text, action: false, to: None };
                return Some(Intent::Command(say));
            }
            if matches!(self.words, Words::Said) {
                self.words = Words::None;
                return Some(Intent::Quit);
            }
            let stdin = self.stdin.as_mut()?;
            if let Some(piece) = stdin.next_piece() {
                self.any_read = true;
                if let (Some(typist), Piece::Line(line)) = (&mut self.typist, piece) {
                    typist.line(line, self.clock.now());
                    continue;
                }
                let intent = self.format.read(piece, &mut self.paper);
                self.queue();
                if intent.is_some() {
                    return intent;
                }
            } else if stdin.ended() {
                let broken = stdin.broken();
                if let Some(intent) = self.last_row() {
                    return Some(intent);
                }
                self.stdin = None;
                if let Some(error) = broken {
                    return Some(Intent::Broken(error));
                }
                if !matches!(self.words, Words::Stdin { stay: true }) {
                    self.say_why_so_soon();
                    return Some(Intent::Quit);
                }
            } else if keyed && self.may_read && stdin.ready() || keys_due {
                keys_due = false;
                self.read_keys();
            } else if self.may_read && stdin.ready() {
                self.may_read = false;
                stdin.read();
            } else if stdin.waits() {
                return None;
            } else {
                return self.row();
            }
        }
    }

    fn settle(&mut self) {
        self.format.settle(&self.company, &mut self.paper);
        self.queue();
    }

    fn note_ready(&mut self, event: &Ready) {
        match event.token() {
            STDIN => self.stdin.iter_mut().for_each(Stdin::note_ready),
            STDOUT => self.out.note_ready(event.is_error()),
            STDERR => self.err.note_ready(event.is_error()),
            _ => {}
        }
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Suspend => self.suspend(),
            Signal::Continue => self.resume(),
            Signal::Resize => self.resize(),
            _ => {}
        }
    }

    fn interrupt(&mut self) -> bool {
        if self.typist.as_mut().is_some_and(Typist::drop_pasted) {
            self.say(&wording::pasted(&Row::Dropped));
            self.put_back();
            return true;
        }
        let Some(keys) = self.keys() else { return false };
        let cleared = keys.line.clear();
        let echo = keys.line.echo();
        self.echo(&echo);
        self.put_back();
        cleared
    }

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
        let waits = !self.said.is_empty() || self.stdin.as_ref().is_some_and(Stdin::ready);
        let input = open && waits;
        input || self.out.ready() || self.err.ready()
    }

    fn wake(&self) -> Option<Time> {
        let keys = self.keys.as_ref().and_then(|keys| keys.line.deadline());
        let row = self.typist.as_ref().and_then(Typist::deadline);
        // What nobody takes is not due.
        [keys, row].into_iter().flatten().min().filter(|_| self.open)
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

    fn lost_notices(&self) -> bool {
        // Whoever closed it does not want to know.
        self.err.gone().is_some_and(|error| error != Errno::PIPE)
    }
}
