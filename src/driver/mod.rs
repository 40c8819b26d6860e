//! The only part that touches the world: one thread, one `mio::Poll`.
//!
//! One turn of the loop (`run`):
//!
//! 1. Read the sockets, up to a budget, and give every datagram to its machine.
//! 2. Tick the machines whose deadline has come. In this order: a reply that arrived in time but
//!    was not read yet must not count as one that did not arrive.
//! 3. Read a little of what is typed or piped in; write a little of what is to be seen.
//! 4. Sleep until something is ready or the earliest deadline comes; without work, there are no
//!    wake-ups and no ticks.
//!
//! Nothing in a turn blocks: not a terminal that stands still, not a full pipe, not a socket.
//!
//! | file | idea |
//! |---|---|
//! | `address`, `advertise` | where a nodeset is; where others find us |
//! | `clock`, `signals`, `logging`, `logged`, `notify` | time, signals, the log and what it says of events, systemd |
//! | `socket`, `node`, `probe` | a socket; a machine on it; is anybody listening there at all |
//! | `splitter`, `stdin`, `output` | lines in, and lines out that never block |
//! | `typist` | lines of a hand, told from those of a clipboard |
//! | `streams` | the standard streams where nothing stands in front of them |
//! | `seat` | whoever is in front of the machine: a `stream` of lines, or the screen in `terminal/` |
//! | `front`, `lines`, `json`, `escape`, `table` | what people and programs see on a stream |
//! | `people`, `wording` | who is called what, and what happened in words, on every seat |
//! | `report`, `refusal` | failures and refusals in words, and the exit statuses |
//! | `shell`, `invitation` | commands to copy; what others type to join |
//! | `files`, `state`, `chatlog` | opening files; what is kept between runs; the chat in a file |
//! | `identity`, `known`, `room` | who we are, and whom we trust, in files; which room, and its secret |
//! | `options` | a configuration file as arguments |
//! | `names`, `prompt` | what a person is asked for before there is a seat |
//! | `desk`, `session`, `chat`, `nodeset`, `who` | the commands |
//! | `trial` | the pure parts of the above in plain types, for fuzz targets |

mod address;
mod advertise;
mod chat;
mod chatlog;
mod clock;
mod desk;
mod escape;
mod files;
mod front;
mod identity;
mod invitation;
mod json;
mod known;
mod lines;
mod logged;
mod logging;
mod names;
mod node;
mod nodeset;
mod notify;
mod options;
mod output;
mod people;
mod probe;
mod prompt;
mod refusal;
mod report;
mod room;
mod seat;
mod session;
mod shell;
mod signals;
mod socket;
mod splitter;
mod state;
mod stdin;
mod stream;
mod streams;
mod table;
mod terminal;
#[doc(hidden)]
pub mod trial;
mod typist;
mod who;
mod wording;

use std::io;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Token};

pub use address::{Address, PORT};
pub use chat::{Chat, Say, chat, send};
pub use files::read_text;
pub use logging::log_to_stderr;
pub use nodeset::{Nodeset, nodeset};
pub use options::options;
pub use report::{Failure, status};
pub use room::{Door, SecretSource, secret};
pub use shell::command;
pub use signals::outlive_file_limits;
pub use streams::{deliver, print, shown, stdout_has_colour, tell};
pub use terminal::Picture;
pub use terminal::theme::ColorWhen;
pub use who::{Who, who};

use clock::Clock;
use signals::{Signal, Signals};

use crate::machine::{Seed, Time};

const SIGNALS: Token = Token(0);
const PEER: Token = Token(1);
const NODESET: Token = Token(2);
const PROBE: Token = Token(3);
const STDIN: Token = Token(4);
const STDOUT: Token = Token(5);
const STDERR: Token = Token(6);
const TTY: Token = Token(7);

/// What one process has one of.
struct World {
    poll: Poll,
    signals: Signals,
    clock: Clock,
    /// A terminal controls us, whose end is ours.
    has_terminal: bool,
}

impl World {
    fn new(watched: &[Signal]) -> io::Result<Self> {
        let poll = Poll::new()?;
        let signals = Signals::watch(watched, poll.registry(), SIGNALS)?;
        let has_terminal = signals::has_terminal();
        Ok(Self { poll, signals, clock: Clock::start(), has_terminal })
    }
}

/// What the loop drives: the machines of one command, and who is in front of them.
trait Program {
    /// The poll says that a source is ready. To be remembered, not acted upon.
    fn note_ready(&mut self, event: &Event);

    /// A signal arrived.
    fn signal(&mut self, signal: Signal);

    /// One turn: sockets, deadlines, local input and output.
    fn turn(&mut self);

    /// Whether there is something to do without waiting.
    fn has_work(&self) -> bool;

    /// When the next turn is due at the latest.
    fn wake(&self) -> Option<Time>;

    /// The exit status, once everything is done.
    fn status(&self) -> Option<u8>;
}

/// Runs a program until it has a status.
fn run(world: &mut World, program: &mut impl Program) -> io::Result<u8> {
    let mut events = Events::with_capacity(64);
    loop {
        program.turn();
        if let Some(status) = program.status() {
            return Ok(status);
        }
        let timeout = if program.has_work() {
            Some(Duration::ZERO)
        } else {
            program.wake().map(|at| at.since(world.clock.now()))
        };
        match world.poll.poll(&mut events, timeout) {
            Ok(()) => {}
            // A signal; its own readiness follows.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        for event in &events {
            if event.token() == SIGNALS {
                world.signals.take(|signal| program.signal(signal));
            } else {
                program.note_ready(event);
            }
        }
    }
}

/// Entropy for one machine.
fn seed() -> io::Result<Seed> {
    let mut seed = Seed([0; 32]);
    getrandom::fill(&mut seed.0)?;
    Ok(seed)
}
