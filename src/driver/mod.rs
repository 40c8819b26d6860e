//! The only part that touches the world: one thread, one `mio::Poll`.
//!
//! | folder | idea |
//! |---|---|
//! | `os` | the process and its computer |
//! | `net` | the network |
//! | `history` | what a person has seen, sealed on their disk |
//! | `front` | whoever is in front of the machine, and what they are shown |
//! | `terminal` | the screen, which is one such seat |
//! | `commands` | what is asked for on the command line |
//!
//! A folder imports from those above it in this table, and no file from one that imports from it:
//! tests/purity.rs holds them to that.
//!
//! | file | idea |
//! |---|---|
//! | `os/event_loop` | the loop that every command runs in |
//! | `os/clock`, `signals`, `logging`, `logged`, `notify` | time, signals, the log and what it says of events, systemd |
//! | `os/splitter`, `stdin`, `output` | lines in, and lines out that never block |
//! | `os/stdio` | the standard streams where nothing stands in front of them |
//! | `os/environment` | what the environment says, and where it puts files |
//! | `os/files`, `state` | opening files; what is kept between runs |
//! | `os/identity`, `trusted` | who we are, and whom we trust, in files |
//! | `os/failure`, `shown`, `shell` | why a run failed, and its exit status; what is safe to show; commands to copy |
//! | `net/address`, `advertise` | where a nodeset is; where others find us |
//! | `net/lan` | the networks around us, and what is sent to everybody there |
//! | `net/socket`, `node`, `probe` | a socket; a machine on it; what the network says of an address |
//! | `history/record`, `seal` | what is kept of something that happened; sealed, opened, found again |
//! | `history/shelf`, `writer`, `scan` | the files of a room; appending to them; reading them |
//! | `front/seat` | whoever is in front of the machine: a `stream` of lines, or the screen |
//! | `front/intent` | what they ask for, from the key or the line on |
//! | `front/typist` | lines of a hand, told from those of a clipboard |
//! | `front/format`, `lines`, `json`, `request`, `escape`, `table` | what people and programs see and say on a stream |
//! | `front/company`, `wording` | who is in the room and called what, and what happened in words, on every seat |
//! | `front/note`, `refusal`, `numbers` | what the driver has to say; refusals in words; numbers as people write them |
//! | `front/finding`, `search` | what the doctor has found; a text in a text, however either is written |
//! | `front/invitation`, `chatlog` | what others type to join; the chat in a file |
//! | `commands/options`, `provenance` | a configuration file as arguments; where values come from, for errors about them |
//! | `commands/chat`, `nodeset`, `who`, `doctor`, `find`, `log` | the commands |
//! | `commands/history` | what a stay keeps, and what it shows of it |
//! | `commands/answer` | what a command prints that asks and ends |
//! | `commands/door` | which room, and its secret |
//! | `commands/ask_name`, `ask_secret` | what a person is asked for before there is a seat |
//! | `commands/plan`, `stay`, `presenter` | what a stay in a room needs; the stay; between its machine and its seat |
//! | `commands/report` | what the exit of a machine means, in words |
//! | `trial` | the pure parts of the above in plain types, for fuzz targets |

mod commands;
mod front;
mod history;
mod net;
mod os;
mod terminal;
#[doc(hidden)]
pub mod trial;

pub use commands::chat::{Chat, Say, chat, send};
pub use commands::doctor::{Doctor, doctor};
pub use commands::door::{Door, SecretSource, secret};
pub use commands::find::{Find, find};
pub use commands::log::{Log, Since, log};
pub use commands::nodeset::{Nodeset, nodeset};
pub use commands::options::{Settings, options};
pub use commands::provenance::Provenance;
pub use commands::who::{Who, who};
pub use front::stamp::TimeShown;
pub use net::address::{Address, PORT};
pub use os::environment::{at_home, base_folder, variable, yes_or_no};
pub use os::failure::{Failure, status};
pub use os::files::{NotText, read_text};
pub use os::logging::log_to_stderr;
pub use os::shell::command;
pub use os::shown::{shown, stdout_has_colour};
pub use os::signals::outlive_file_limits;
pub use os::stdio::{deliver, print, tell};
pub use terminal::commands::slash_commands;
pub use terminal::help::KEYS;
pub use terminal::picture::Picture;
pub use terminal::settings::{Joins, Notify, values};
pub use terminal::theme::ColorWhen;
