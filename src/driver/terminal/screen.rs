//! The screen as a seat: what is typed at the terminal, and what is drawn there, under one poll.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use mio::Registry;
use mio::event::Event as Ready;
use rustix::io::Errno;

use crate::driver::front::company::Company;
use crate::driver::front::intent::Intent;
use crate::driver::front::note::Note;
use crate::driver::front::numbers::counted;
use crate::driver::front::seat::Seat;
use crate::driver::os::clock::{Clock, Zone, unix_ms};
use crate::driver::os::event_loop::TTY;
use crate::driver::os::failure::Failure;
use crate::driver::os::files::open_regular;
use crate::driver::os::shown::shown;
use crate::driver::os::signals::{self, Signal};
use crate::driver::os::state;
use crate::driver::terminal::alert::{Alert, Dialect};
use crate::driver::terminal::invite::copy;
use crate::driver::terminal::kept::Kept;
use crate::driver::terminal::picture::Picture;
use crate::driver::terminal::theme::Theme;
use crate::driver::terminal::tty::Tty;
use crate::driver::terminal::want::Want;
use crate::machine::{Event, Machine, Peer, Time};

/// Frames are no closer to each other than this.
const FRAME: Duration = Duration::from_millis(15);
/// How old round trips on the screen may be when something else is drawn, and when nothing is.
const FRESH: Duration = Duration::from_secs(1);
const STALE: Duration = Duration::from_secs(5);
/// Who was away for longer is told so.
const AWAY: Duration = Duration::from_secs(30);

/// A terminal with a view of the room.
pub(crate) struct Screen {
    tty: Tty,
    clock: Clock,
    picture: Picture,
    alert: Alert,
    /// The terminal is ours; before that, and after, it is a terminal like any other.
    entered: bool,
    /// The terminal is read once in a turn.
    may_read: bool,
    next_frame: Time,
    refreshed: Time,
    last_turn: Option<Time>,
    /// The machine's tables are to be shown.
    debug: bool,
    failure: Option<Failure>,
    last_words: Vec<String>,
    /// Why what was set is not what is kept: to be said once the screen is there.
    forgets: Option<String>,
}

/// How the screen is to be.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) theme: Theme,
    /// What is asked for with this run; it is stronger than what was set in earlier ones.
    pub(crate) asked: Kept,
}

impl Screen {
    /// Opens the terminal; it is taken over when the room is entered.
    pub(crate) fn open(look: &Look, clock: Clock, registry: &Registry) -> io::Result<Self> {
        let tty = Tty::open(registry, TTY)?;
        let (width, height) = tty.size();
        let mut screen = Self {
            tty,
            clock,
            picture: Picture::new(width, height, look.theme, Zone::local()),
            alert: Alert::new(Dialect::of_environment(), look.theme.utf8),
            entered: false,
            may_read: true,
            next_frame: Time::ZERO,
            refreshed: Time::ZERO,
            last_turn: None,
            debug: false,
            failure: None,
            last_words: Vec::new(),
            forgets: None,
        };
        let (kept, trouble) = Kept::load();
        screen.forgets = trouble;
        let view = screen.picture.view();
        view.restore(kept);
        view.restore(look.asked.clone());
        let mouse = view.mouse;
        screen.tty.set_mouse(mouse);
        Ok(screen)
    }

    fn enter(&mut self) {
        self.send_log_to_file();
        if let Err(error) = self.tty.resume() {
            log::debug!("cannot take the terminal over: {error}");
        }
        self.entered = true;
        self.resized();
        if let Some(trouble) = self.forgets.take() {
            self.picture.notice(&trouble, unix_ms());
        }
        if state::first_time() {
            self.picture.view().remark("F1 help · / commands · Tab completes names");
        }
    }

    /// A log on the screen would be drawn over, and draw over it.
    fn send_log_to_file(&mut self) {
        if log::max_level() == log::LevelFilter::Off || !io::stderr().is_terminal() {
            return;
        }
        let sent = || -> io::Result<String> {
            let path = state::folder()?.join("debug.log");
            let mut options = OpenOptions::new();
            let file = open_regular(options.append(true).create(true).mode(0o600), &path)?;
            self.tty.set_stderr(file.into())?;
            Ok(path.display().to_string())
        };
        match sent() {
            Ok(path) => {
                self.picture.notice(&format!("the log is in {path}"), unix_ms());
            }
            Err(error) => {
                log::set_max_level(log::LevelFilter::Off);
                self.picture.notice(&format!("there is no log: {error}"), unix_ms());
            }
        }
    }

    fn leave(&mut self) {
        if core::mem::take(&mut self.entered) {
            self.tty.leave();
        }
    }

    fn resized(&mut self) {
        let (width, height) = self.tty.size();
        self.picture.resize(width, height);
    }

    /// The terminal is ours again, and shows what somebody else left there.
    fn resume(&mut self) {
        if self.entered {
            if let Err(error) = self.tty.resume() {
                log::debug!("cannot take the terminal over: {error}");
            }
            self.resized();
        }
    }

    fn suspend(&mut self) {
        if !signals::can_stop() {
            self.picture.view().hint = Some("there is no shell to return to".to_owned());
            return;
        }
        if self.entered {
            self.tty.leave();
        }
        if let Err(error) = signals::stop() {
            log::debug!("cannot stop: {error}");
        }
        self.resume();
    }

    /// Reads the terminal, once, and lets the view have what was typed.
    fn read(&mut self) {
        let (now, wall) = (self.clock.now(), unix_ms());
        let Self { tty, picture, .. } = self;
        if picture.deadline().is_some_and(|at| at <= now) {
            // What came in time and was not read yet is not late.
            tty.note_ready(true, false);
        }
        tty.read(|bytes| picture.feed(bytes, now, wall));
        picture.tick(now, wall);
    }

    /// What the view wants that the loop has to do.
    fn next_intent(&mut self) -> Option<Intent> {
        while let Some(want) = self.picture.next_want() {
            match want {
                Want::Ask(intent, _) => return Some(intent),
                Want::Suspend => self.suspend(),
                Want::Redraw => self.picture.forget(),
                Want::Mouse(on) => self.tty.set_mouse(on),
                Want::Keep(change) => {
                    if let Err(error) = Kept::keep(&change) {
                        let what = format!("what you set is forgotten when this run ends: {error}");
                        self.picture.notice(&what, unix_ms());
                    }
                }
                Want::Debug => self.debug = true,
                Want::Copy(text) => copy(&text, self.tty.queue()),
                // Where nothing comes through, bells would only pile up.
                Want::Ring(_) if !self.tty.drained() => {}
                Want::Ring(text) => {
                    let now = self.clock.now();
                    self.alert.ring(now, &text, self.tty.queue());
                }
            }
        }
        None
    }

    fn refresh(&mut self, peer: &Peer, now: Time) {
        self.refreshed = now;
        self.picture.refresh(peer.presence());
        if core::mem::take(&mut self.debug) {
            let tables = peer.footprint().into_iter();
            let tables =
                tables.map(|table| format!("{}: {} of {}", table.name, table.len, table.limit));
            let blame = peer.blame();
            let mut lines: Vec<String> = tables.collect();
            lines.push(format!(
                "refused: {} malformed, {} unauthenticated, {} replayed, {} unknown calls, {} over a limit",
                blame.malformed,
                blame.unauthenticated,
                blame.replayed,
                blame.unknown_call,
                blame.over_limit
            ));
            self.picture.notice(&lines.join("\n"), unix_ms());
        }
    }

    fn notice_absence(&mut self, now: Time) {
        let gap = self.last_turn.map_or(Duration::ZERO, |last| now.since(last));
        self.last_turn = Some(now);
        if gap > AWAY && self.entered {
            let s = gap.as_secs();
            let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
            let away = format!("away {h:02}:{m:02}:{s:02} (suspended)");
            self.picture.notice(&away, unix_ms());
        }
    }

    fn wants_frame(&self) -> bool {
        self.entered && self.picture.is_dirty() && self.tty.drained() && self.tty.gone().is_none()
    }
}

impl Seat for Screen {
    fn company(&self) -> &Company {
        self.picture.company()
    }

    fn company_mut(&mut self) -> &mut Company {
        self.picture.company_mut()
    }

    fn show(&mut self, event: &Event<'_>) {
        self.picture.show(event, unix_ms());
        if matches!(event, Event::Ready { .. }) {
            self.enter();
        }
    }

    fn note(&mut self, note: &Note) {
        self.picture.note(note, unix_ms());
    }

    fn last_word(&mut self, what: &str) {
        self.last_words.push(what.to_owned());
    }

    fn fail(&mut self, failure: &Failure) {
        self.failure = Some(failure.clone());
    }

    fn bye(&mut self, _status: u8) {
        self.leave();
        if self.tty.gone().is_some() {
            return;
        }
        // The terminal is an ordinary one again; what is said there can be read after the end.
        let scrollback = &mut self.picture.view().page.scrollback;
        let lost = scrollback.failed_mut().count() + scrollback.unsent();
        if lost > 0 {
            let lost = counted(lost as u64, "message");
            let _ = writeln!(io::stderr(), "* {lost} did not reach everybody");
        }
        for what in self.last_words.drain(..) {
            let _ = writeln!(io::stderr(), "* {}", shown(&what));
        }
        if let Some(failure) = self.failure.take() {
            failure.print();
        }
    }

    fn hear(&mut self, _open: bool) -> Option<Intent> {
        if let Some(intent) = self.next_intent() {
            return Some(intent);
        }
        if !self.entered || !core::mem::take(&mut self.may_read) {
            return None;
        }
        let was = self.tty.gone();
        self.read();
        if was.is_none() && self.tty.gone().is_some() {
            return Some(Intent::Hangup);
        }
        self.next_intent()
    }

    fn settle(&mut self) {
        self.picture.view().settle();
    }

    fn note_ready(&mut self, event: &Ready) {
        if event.token() == TTY {
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            self.tty.note_ready(readable, event.is_writable());
        }
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Suspend => self.suspend(),
            Signal::Continue => self.resume(),
            Signal::Resize if self.entered => self.resized(),
            _ => {}
        }
    }

    fn turn(&mut self, peer: &Peer) {
        let now = self.clock.now();
        self.may_read = true;
        self.notice_absence(now);
        if self.entered && (now.since(self.refreshed) >= FRESH || self.debug) {
            self.refresh(peer, now);
        }
    }

    fn flush(&mut self) {
        let now = self.clock.now();
        self.tty.flush();
        if self.wants_frame() && now >= self.next_frame {
            self.next_frame = now + FRAME;
            self.picture.frame(self.tty.queue());
            self.tty.flush();
        }
    }

    fn has_work(&self, _open: bool) -> bool {
        self.entered && self.tty.has_work()
    }

    fn wake(&self) -> Option<Time> {
        if !self.entered {
            return None;
        }
        let frame = self.wants_frame().then_some(self.next_frame);
        let refresh = if self.debug { self.clock.now() } else { self.refreshed + STALE };
        [frame, self.picture.deadline(), Some(refresh)].into_iter().flatten().min()
    }

    fn drained(&self) -> bool {
        !self.entered
    }

    fn gone(&self) -> Option<Errno> {
        self.tty.gone()
    }

    fn can_ask(&self) -> bool {
        self.entered && self.tty.gone().is_none()
    }
}
