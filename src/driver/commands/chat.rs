//! `chatrpc chat` and `chatrpc send`: join a room, talk, leave.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::driver::commands::ask_name;
use crate::driver::commands::door::Door;
use crate::driver::commands::plan::Plan;
use crate::driver::commands::provenance::Provenance;
use crate::driver::commands::report::{Errand, resolved};
use crate::driver::commands::stay::Stay;
use crate::driver::front::format::Paper;
use crate::driver::front::json;
use crate::driver::front::lines::Style;
use crate::driver::front::refusal::{name_refused, too_long};
use crate::driver::front::stamp::TimeShown;
use crate::driver::front::stream::Words;
use crate::driver::net::address::Address;
use crate::driver::net::target::Target;
use crate::driver::os::environment::variable;
use crate::driver::os::event_loop::{World, run};
use crate::driver::os::failure::{Failure, status, unreadable};
use crate::driver::os::identity::{Keeper, leave_no_core};
use crate::driver::os::shell;
use crate::driver::os::shown::{shown, stderr_has_colour};
use crate::driver::os::signals::{Signal, others};
use crate::driver::os::stdin;
use crate::driver::os::stdio;
use crate::driver::terminal::commands::{WITHOUT_SCREEN, without_screen};
use crate::driver::terminal::kept::Kept;
use crate::driver::terminal::screen::Look;
use crate::driver::terminal::settings::{ClockFace, Joins, Notify};
use crate::driver::terminal::theme::{ColorWhen, Theme};
use crate::driver::terminal::tty;
use crate::machine::{Name, NameProblem, PublicKey, SafeText, TEXT_MAX, wiped};

/// What `chatrpc chat` is asked for.
#[derive(Clone, Debug)]
pub struct Chat {
    /// The nodeset; none opens a room of one's own.
    pub nodeset: Option<Address>,
    /// Others that may let us in.
    pub others: Vec<Address>,
    /// Which room.
    pub door: Door,
    /// Use a key that ends with this run.
    pub ephemeral: bool,
    /// The name; none asks for it.
    pub name: Option<String>,
    /// The address to bind; any unless told.
    pub listen: Option<SocketAddr>,
    /// Have nothing to do with who is on a network with us, unless they were told of us.
    pub no_lan: bool,
    /// Ask no router to pass a port on to us.
    pub no_map: bool,
    /// Lines in, lines out, also on a terminal.
    pub plain: bool,
    /// Speak JSON in both directions.
    pub json: bool,
    /// Write the chat to this file; an empty path is the default one.
    pub log: Option<String>,
    /// Keep what happens in the room, sealed, on this computer.
    pub history: bool,
    /// When to use colours on the screen.
    pub color: ColorWhen,
    /// Draw with ASCII alone.
    pub ascii: bool,
    /// How the time is shown; by default on the screen alone.
    pub time: Option<TimeShown>,
    /// How to show who comes and goes, on the screen.
    pub joins: Option<Joins>,
    /// What rings the bell while the window has not the focus.
    pub notify: Option<Notify>,
    /// Have the terminal report the mouse.
    pub mouse: Option<bool>,
    /// Whose messages are hidden, by their keys.
    pub ignore: Vec<PublicKey>,
    /// Go on listening when the input has ended.
    pub stay: bool,
    /// Ask the nodeset for as long as it takes.
    pub wait: bool,
    /// How long leaving waits for what is not delivered.
    pub drain: Duration,
    /// Read standard input.
    pub input: bool,
    /// Obey slash commands also where standard input is no terminal: what it holds may be anybody's.
    pub commands: bool,
    /// Only messages, failures, and what needs attention.
    pub quiet: bool,
    /// Where its values come from, and what was typed.
    pub provenance: Provenance,
}

impl Chat {
    /// What is asked for that slash commands set.
    fn asked(&self) -> Kept {
        let unnamed = |key: &PublicKey| {
            let name = format!("key {}", &key.to_string()[..8]);
            Some((*key, Name::parse(&name).ok()?))
        };
        Kept {
            face: self.time.map(ClockFace::from),
            joins: self.joins,
            notify: self.notify,
            mouse: self.mouse,
            ignored: self.ignore.iter().filter_map(unnamed).collect(),
            others: Vec::new(),
        }
    }
}

/// What `chatrpc send` is asked for.
#[derive(Clone, Debug)]
pub struct Say {
    /// The nodeset.
    pub nodeset: Address,
    /// Which room.
    pub door: Door,
    /// Use a key that ends with this run.
    pub ephemeral: bool,
    /// The name; none takes the one of the login.
    pub name: Option<String>,
    /// What to say; none says every line of standard input.
    pub text: Option<String>,
    /// How long to wait until it is delivered.
    pub drain: Duration,
    /// Ask the nodeset for as long as it takes.
    pub wait: bool,
    /// Only failures.
    pub quiet: bool,
    /// Where its values come from, and what was typed.
    pub provenance: Provenance,
}

/// Joins, talks, and leaves.
///
/// # Errors
///
/// What stopped the run before it began. What stops it later is printed where the front end
/// prints, and only its status is returned; in JSON, so is what stops it before.
pub fn chat(options: &Chat) -> Result<u8, Failure> {
    let tty = io::stdin().is_terminal();
    let interactive = tty && options.input && !options.json;
    let wanted = !options.plain && !options.json && options.input;
    let screen = (wanted && tty::possible()).then(|| Look {
        theme: Theme::of_environment(options.color, options.ascii),
        asked: options.asked(),
    });
    if wanted && screen.is_none() && io::stdout().is_terminal() && !options.quiet {
        let note = "note: not a terminal, using line mode (--json for machines)\n";
        let _ = io::stderr().write_all(note.as_bytes());
    }
    let words = if options.input { Words::Stdin { stay: options.stay } } else { Words::None };
    let plan = Plan {
        nodeset: options.nodeset.clone(),
        others: options.others.clone(),
        wait: options.wait,
        door: options.door.clone(),
        ephemeral: options.ephemeral,
        listen: options.listen,
        lan: !options.no_lan,
        maps: !options.no_map,
        asked: Errand::Chat,
        json: options.json,
        screen,
        log: options.log.clone(),
        history: options.history,
        style: Style {
            quiet: options.quiet,
            literal: !tty && !options.commands,
            private: io::stderr().is_terminal(),
            colour: stderr_has_colour(),
            time: options.time.unwrap_or_default(),
            also: WITHOUT_SCREEN,
            own: Some(without_screen),
            ..Style::default()
        },
        words,
        drain: options.drain,
        interactive,
        strict: !tty,
        provenance: options.provenance.clone(),
    };
    plan.carry_out(options.name.as_deref())
}

/// Joins, says one thing or every line of standard input, waits until it is delivered, and leaves.
///
/// # Errors
///
/// As for [`chat`].
pub fn send(options: &Say) -> Result<u8, Failure> {
    if let Some(text) = &options.text {
        check_text(text)?;
    }
    let plan = Plan {
        nodeset: Some(options.nodeset.clone()),
        others: Vec::new(),
        wait: options.wait,
        door: options.door.clone(),
        ephemeral: options.ephemeral,
        listen: None,
        lan: false,
        maps: false,
        asked: Errand::Send,
        json: false,
        screen: None,
        log: None,
        history: false,
        style: Style {
            quiet: true,
            deaf: true,
            literal: true,
            warns: !options.quiet,
            private: false,
            colour: stderr_has_colour(),
            ..Style::default()
        },
        words: match &options.text {
            Some(text) => Words::Once(text.clone()),
            None => Words::Stdin { stay: false },
        },
        drain: options.drain,
        interactive: false,
        strict: true,
        provenance: options.provenance.clone(),
    };
    plan.carry_out(options.name.as_deref())
}

/// Whether a text can be said at all: nobody needs to be asked for that.
fn check_text(text: &str) -> Result<(), Failure> {
    let wrong = |code, what: String| Err(Failure::new(status::USAGE, code, what));
    if SafeText::new(text).is_blank() {
        return wrong("empty", "there is nothing to say: the text is empty".to_owned());
    }
    if text.len() > TEXT_MAX {
        let words = too_long(text.len(), TEXT_MAX);
        return wrong(words.code, words.what);
    }
    Ok(())
}

impl Plan {
    fn carry_out(&self, name: Option<&str>) -> Result<u8, Failure> {
        match self.join_and_talk(name).map_err(|failure| self.provenance.explain(failure)) {
            Err(failure) if self.json => {
                let mut paper = Paper::default();
                json::fail(&failure, &mut paper);
                json::bye(failure.status, &mut paper);
                // The status is that of the first thing that failed.
                if let Err(second) = stdio::print(&paper.out) {
                    failure.print();
                    second.print();
                }
                Ok(failure.status)
            }
            other => other,
        }
    }

    fn join_and_talk(&self, name: Option<&str>) -> Result<u8, Failure> {
        leave_no_core();
        if matches!(self.words, Words::Stdin { .. }) {
            self.check_input()?;
        }
        let keeper = if self.ephemeral { Keeper::ephemeral()? } else { Keeper::load()? };
        let mut watched = vec![Signal::Interrupt, Signal::Terminate, Signal::Hangup];
        watched.extend(others());
        if self.screen.is_some() || self.interactive {
            watched.extend([Signal::Resize, Signal::Suspend, Signal::Continue]);
        }
        let mut world = World::new(&watched)?;
        let door = self.door.open(&mut world)?;
        let Some(mut name) = self.first_name(name, &world)? else { return Ok(status::OK) };
        loop {
            let target = world.signals.by_default(|| self.target())?;
            let mut stay = wiped(|| Stay::open(self, (name, target), &door, &keeper, &world))?;
            let status = run(&mut world, &mut stay)?;
            if !stay.asks_again() {
                return Ok(status);
            }
            drop(stay);
            match world.signals.by_default(|| ask_name::ask(None))? {
                Some(another) => name = another,
                None => return Ok(status),
            }
        }
    }

    /// Where we are let in, looked up. Of several names one is enough.
    fn target(&self) -> Result<Option<Target>, Failure> {
        let Some(nodeset) = &self.nodeset else { return Ok(None) };
        let quiet = self.json || self.style.quiet && !self.style.warns;
        let mut others = Vec::new();
        for other in &self.others {
            match other.resolve() {
                Ok(found) => others.extend(found),
                Err(_) if quiet => {}
                Err(error) => {
                    let why = error.to_string();
                    let (host, why) = (other.host(), shown(why.rsplit(": ").next().unwrap_or("")));
                    let _ = writeln!(io::stderr(), "* cannot resolve '{host}': {why}");
                }
            }
        }
        let first = if others.is_empty() {
            resolved(nodeset, self.wait, quiet)?
        } else {
            Target::named(nodeset).unwrap_or_else(|_| Target::unknown(nodeset))
        };
        Ok(Some(first.and(others)))
    }

    /// Whoever is given nothing to read is told before anybody hears of them.
    fn check_input(&self) -> Result<(), Failure> {
        stdin::check().map_err(|error| unreadable(&error))?;
        let stays = matches!(self.words, Words::Stdin { stay: true });
        if !stays && stdio::is_closed(rustix::stdio::stdin()) {
            let failure = Failure::new(status::INTERNAL, "input", "standard input is closed");
            return Err(failure.hint("--no-input and --stay do without"));
        }
        Ok(())
    }

    /// The name to join with; `None` when the person who was asked said nothing.
    fn first_name(&self, given: Option<&str>, world: &World) -> Result<Option<Name>, Failure> {
        let given = given.map(Name::parse);
        if self.interactive {
            if let Some(Ok(name)) = given {
                return Ok(Some(name));
            }
            let mut tell = io::stderr();
            writeln!(tell, "Welcome to chatRPC!")?;
            if let Some(Err(error)) = given {
                let why = name_refused(&NameProblem::Invalid(error));
                let why = self.provenance.explain(why);
                writeln!(tell, "{}", why.what)?;
                why.hints.iter().try_for_each(|hint| writeln!(tell, "  {}", shown(hint)))?;
            }
            let default = ask_name::default_name();
            return Ok(world.signals.by_default(|| ask_name::ask(default.as_ref()))?);
        }
        let default = || ask_name::default_name().filter(|_| self.asked == Errand::Send);
        match given {
            Some(Ok(name)) => Ok(Some(name)),
            Some(Err(error)) => Err(name_refused(&NameProblem::Invalid(error))),
            None => default().map(Some).ok_or_else(|| self.no_name()),
        }
    }

    fn no_name(&self) -> Failure {
        let failure = |what: &str| Failure::new(status::USAGE, "no_name", what);
        match self.asked {
            Errand::Send => failure(&no_login_name())
                .hint(format!("try: {}", shell::command(["send", "ADDR", "-n", "bot", "TEXT"]))),
            _ if self.json => failure("--name is required with --json")
                .hint(format!("try: {}", shell::command(["chat", "ADDR", "--json", "-n", "bot"]))),
            _ if io::stdin().is_terminal() => failure("--name is required with --no-input"),
            _ => failure("--name is required when stdin is not a terminal")
                .hint(format!("try: echo hi | {}", shell::command(["chat", "ADDR", "-n", "bot"]))),
        }
    }
}

/// Why `send` cannot say something under the name of the login.
fn no_login_name() -> String {
    let why = match variable("USER") {
        Some(user) => format!("the login name '{}' (USER) is none here", user.to_string_lossy()),
        None => "there is no login name, since USER is not set".to_owned(),
    };
    format!("--name is required: {why}")
}
