//! The command line, as clap reads it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chatrpc::driver::{
    self, Address, ColorWhen, Door, Failure, PORT, SecretSource, Since, TimeShown, status,
};
use chatrpc::machine::PublicKey;
use clap::builder::{FalseyValueParser, NonEmptyStringValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::mistakes::looks_like_an_address;

/// What a run without arguments prints, and `-h` first of all.
pub(crate) const EXAMPLES: &str = "\
Examples:
  chatrpc nodeset                   introduce people to each other
  chatrpc chat 192.168.1.20:7420    talk to them
  chatrpc chat                      find the room on this network, or open it
  tail -f log | chatrpc chat ADDR -n bot    (each line is said as it stands)
  chatrpc who ADDR --json";

/// Group chat for bad networks: peer to peer over UDP, no server in the middle
///
/// A line that is typed and begins with a slash is a command. Standard input that is no terminal is
/// data: every line is said as it stands, and none is obeyed unless --commands asks for that.
/// Programs command in JSON (--json).
#[derive(Debug, Parser)]
#[command(name = "chatrpc", version, before_help = EXAMPLES, args_override_self = true)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) task: Option<Task>,
}

#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Log to standard error; twice: every datagram (DEBUG=1 is -v)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say only what needs attention
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Options from this file, one `name = alice` per line; `none` reads no file
    #[arg(long, global = true, value_name = "PATH|none", value_parser = path)]
    pub(crate) config: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Introduce people to each other (what they say goes from peer to peer)
    #[command(args_override_self = true)]
    Nodeset(NodesetArgs),
    /// Talk; without an address, in the room on this network, or open one that others can join
    #[command(args_override_self = true)]
    Chat(ChatArgs),
    /// Say one thing, or every line of standard input, and wait until it is delivered
    #[command(args_override_self = true)]
    #[command(override_usage = "chatrpc send [OPTIONS] [ADDR] <TEXT>")]
    Send(SendArgs),
    /// List who is in the room, without joining it
    #[command(args_override_self = true)]
    Who(WhoArgs),
    /// Say why somebody does not get in, or not well, and what to do, within ten seconds
    #[command(args_override_self = true)]
    Doctor(DoctorArgs),
    /// List the rooms that somebody is in on the networks of this computer: the lobby, and the one named here
    #[command(args_override_self = true)]
    Find(FindArgs),
    /// Print what is kept of a room (chat --history), also while somebody is in it
    #[command(args_override_self = true)]
    Log(LogArgs),
    /// Print a new secret for a room
    Secret,
    /// Print a completion script
    Completions {
        /// For this shell
        shell: Shell,
    },
    /// Print the manual: of the program, or of one command
    Man {
        /// Of this command
        #[arg(value_name = "COMMAND")]
        command: Option<String>,
        /// Write every page into this folder
        #[arg(long, value_name = "DIR", conflicts_with = "command", value_parser = path)]
        dir: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct RoomArgs {
    /// The room [default: lobby]
    #[arg(long, value_name = "NAME", env = "CHATRPC_ROOM")]
    pub(crate) room: Option<String>,
    /// The room's secret, from a file or (`-`) the first line of standard input, else from
    /// CHATRPC_SECRET; without any, the room is open
    #[arg(long, value_name = "PATH|-", value_parser = secret_source)]
    pub(crate) secret_file: Option<SecretSource>,
}

impl RoomArgs {
    pub(crate) fn door(&self) -> Door {
        Door { room: self.room.clone(), secret: self.secret_file.clone() }
    }
}

#[derive(Args, Debug)]
pub(crate) struct WaitArgs {
    /// Go on asking until a nodeset answers, instead of giving up after 15 s
    #[arg(long)]
    pub(crate) wait: bool,
}

fn secret_source(text: &str) -> Result<SecretSource, String> {
    match text {
        "-" => Ok(SecretSource::Stdin),
        text => path(text).map(|path| SecretSource::File(driver::at_home(&path))),
    }
}

/// A path, as it was written.
fn path(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a path is not empty".to_owned()) } else { Ok(text.to_owned()) }
}

#[derive(Args, Debug)]
pub(crate) struct NodesetArgs {
    /// Listen here [default: [::]:7420, which takes IPv4 along]
    #[arg(long, value_name = "ADDR:PORT", env = "CHATRPC_LISTEN", value_parser = socket)]
    pub(crate) listen: Option<SocketAddr>,
    /// Print this address for others, when this computer cannot know it
    #[arg(long, value_name = "ADDR:PORT", value_parser = socket)]
    pub(crate) advertise: Option<SocketAddr>,
    /// Serve at most this many people, 1 at least
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = count)]
    pub(crate) max_nodes: usize,
}

#[derive(Args, Debug)]
pub(crate) struct ChatArgs {
    /// The nodeset, or somebody in the room: HOST:PORT, [IPV6]:PORT, or HOST for port 7420
    #[arg(value_name = "ADDR", env = "CHATRPC_NODESET")]
    pub(crate) nodeset: Option<Address>,
    /// More of them, up to seven: of nodesets, or of people who are in the room
    #[arg(value_name = "MORE", num_args = 0..=7)]
    pub(crate) others: Vec<Address>,
    #[command(flatten)]
    pub(crate) room: RoomArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Use a key that ends with this run, instead of yours
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// What people call you (1 to 24 columns)
    #[arg(short, long, env = "CHATRPC_NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: Option<String>,
    /// Listen here [default: any port]
    #[arg(long, value_name = "ADDR:PORT", env = "CHATRPC_LISTEN", value_parser = any_socket)]
    pub(crate) listen: Option<SocketAddr>,
    /// Neither look for the room on the networks of this computer nor answer who looks for it there
    #[arg(long, env = "CHATRPC_NO_LAN", value_parser = FalseyValueParser::new())]
    pub(crate) no_lan: bool,
    /// Ask no router to pass on what others send you from outside
    #[arg(long)]
    pub(crate) no_map: bool,
    /// Lines in, lines out: messages on standard output, everything else on standard error
    #[arg(long, overrides_with = "json")]
    pub(crate) plain: bool,
    /// One JSON object per line in both directions
    #[arg(long, overrides_with = "plain")]
    pub(crate) json: bool,
    /// Write the chat to this file [default: $XDG_STATE_HOME/chatrpc/ROOM.log, with a secret ROOM-TAG.log];
    /// on and off are no files
    #[arg(long, value_name = "PATH", env = "CHATRPC_LOG", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "on", value_parser = log)]
    pub(crate) log: Option<String>,
    /// Keep what is said, sealed with your key, on this computer (/history, /search, chatrpc log): 64 MiB
    /// and 30 days of each room. Whoever has your key reads it
    #[arg(long, env = "CHATRPC_HISTORY", value_parser = FalseyValueParser::new())]
    pub(crate) history: bool,
    /// When to use colours on the screen
    #[arg(
        long,
        value_name = "WHEN",
        env = "CHATRPC_COLOR",
        default_value = "auto",
        ignore_case = true
    )]
    pub(crate) color: Color,
    /// Draw the screen with ASCII alone
    #[arg(long)]
    pub(crate) ascii: bool,
    /// How to show the time. Before every plain line, with a tab behind it (alone: iso, which is
    /// RFC 3339); on the screen where the minute changes, as /time was set, else hm
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, ignore_case = true)]
    #[arg(default_missing_value = "iso")]
    pub(crate) time: Option<Time>,
    /// How to show who comes and goes on the screen [default: as /joins was set, else fold]
    #[arg(long, value_name = "HOW", ignore_case = true)]
    pub(crate) joins: Option<Joins>,
    /// What rings the bell while the window has not the focus [default: as /notify was set, else mentions]
    #[arg(long, value_name = "WHAT", ignore_case = true)]
    pub(crate) notify: Option<Notify>,
    /// Have the terminal report the mouse: the wheel scrolls, Shift selects [default: as /mouse was set]
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, ignore_case = true)]
    #[arg(default_missing_value = "on")]
    pub(crate) mouse: Option<OnOff>,
    /// Hide what these people say on the screen, by their keys (/whois shows them), with commas between
    #[arg(long, value_name = "KEY", value_delimiter = ',', value_parser = key)]
    pub(crate) ignore: Vec<PublicKey>,
    /// Go on listening when the input has ended
    #[arg(long)]
    pub(crate) stay: bool,
    /// How long leaving waits for what is not delivered yet: 500ms, 5s, 1m
    #[arg(long, value_name = "DUR", default_value = "5s", value_parser = duration)]
    pub(crate) drain: Duration,
    /// Do not read standard input
    #[arg(long)]
    pub(crate) no_input: bool,
    /// Obey the slash commands of a standard input that is no terminal, where every line is otherwise said as it stands
    #[arg(long)]
    pub(crate) commands: bool,
}

/// `--joins`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Joins {
    Fold,
    All,
    None,
}

impl From<Joins> for driver::Joins {
    fn from(joins: Joins) -> Self {
        match joins {
            Joins::Fold => Self::Fold,
            Joins::All => Self::All,
            Joins::None => Self::None,
        }
    }
}

/// `--notify`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Notify {
    Off,
    Mentions,
    All,
}

impl From<Notify> for driver::Notify {
    fn from(notify: Notify) -> Self {
        match notify {
            Notify::Off => Self::Off,
            Notify::Mentions => Self::Mentions,
            Notify::All => Self::All,
        }
    }
}

/// `--mouse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnOff {
    On,
    Off,
}

fn key(text: &str) -> Result<PublicKey, String> {
    text.trim().parse().map_err(|()| "a key has 64 digits of base 16".to_owned())
}

/// `--time`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Time {
    Off,
    Hm,
    Hms,
    Iso,
}

impl From<Time> for TimeShown {
    fn from(time: Time) -> Self {
        match time {
            Time::Off => Self::Off,
            Time::Hm => Self::Minutes,
            Time::Hms => Self::Seconds,
            Time::Iso => Self::Iso,
        }
    }
}

/// `--color`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl From<Color> for ColorWhen {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct SendArgs {
    /// The nodeset, as for the other commands; left out, the one of CHATRPC_NODESET, else that of
    /// this computer
    #[arg(value_name = "ADDR")]
    first: Option<String>,
    /// What to say; `-` says every line of standard input
    #[arg(value_name = "TEXT")]
    second: Option<String>,
    #[command(flatten)]
    pub(crate) room: RoomArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Use a key that ends with this run, instead of yours
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// What people call you [default: $USER]
    #[arg(short, long, env = "CHATRPC_NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: Option<String>,
    /// How long to wait until it is delivered: 500ms, 5s, 1m
    #[arg(long, value_name = "DUR", default_value = "10s", value_parser = duration)]
    pub(crate) drain: Duration,
}

impl SendArgs {
    /// To which nodeset, and what. A word alone is the text; `setting` is what the environment says.
    pub(crate) fn words(&self, setting: Option<&str>) -> Result<(Address, &str), Failure> {
        let wrong = |what: String| Failure::new(status::USAGE, "usage", what);
        let without = |what, addr| {
            wrong(what).hint(format!("try: {}", driver::command(["send", addr, "TEXT"])))
        };
        let (addr, place, text) = match (&self.first, &self.second) {
            (None, _) => return Err(without("there is no text".to_owned(), "ADDR")),
            (Some(addr), Some(text)) => (Some(addr.as_str()), "ADDR", text),
            (Some(text), None) => (setting, "CHATRPC_NODESET", text),
        };
        let Some(addr) = addr else {
            if looks_like_an_address(text) {
                let what = format!("'{text}' is an address, and there is no text");
                return Err(without(what, text));
            }
            return Ok((Address::here(), text));
        };
        let parsed = addr.parse::<Address>();
        Ok((parsed.map_err(|error| wrong(format!("{place}: {error}")))?, text))
    }
}

#[derive(Args, Debug)]
pub(crate) struct WhoArgs {
    /// The nodeset: HOST:PORT, [IPV6]:PORT, or HOST for port 7420 [default: localhost]
    #[arg(value_name = "ADDR", env = "CHATRPC_NODESET")]
    pub(crate) nodeset: Option<Address>,
    #[command(flatten)]
    pub(crate) room: RoomArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// One JSON object per person
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// The nodeset, or somebody in the room, as for chat [default: localhost]
    #[arg(value_name = "ADDR", env = "CHATRPC_NODESET")]
    pub(crate) nodeset: Option<Address>,
    /// More of them, up to seven
    #[arg(value_name = "MORE", num_args = 0..=7)]
    pub(crate) others: Vec<Address>,
    #[command(flatten)]
    pub(crate) room: RoomArgs,
    /// Ask from here, as chat would: whether the port is free [default: any port]
    #[arg(long, value_name = "ADDR:PORT", env = "CHATRPC_LISTEN", value_parser = any_socket)]
    pub(crate) listen: Option<SocketAddr>,
    /// JSON objects: what was measured, and what was found
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct FindArgs {
    #[command(flatten)]
    pub(crate) room: RoomArgs,
    /// One JSON object per room
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    #[command(flatten)]
    pub(crate) room: RoomArgs,
    /// From when on: 30m, 5h, 2d ago, or the beginning of a day, 2026-10-23 [default: everything]
    #[arg(long, value_name = "WHEN", value_parser = since)]
    pub(crate) since: Option<Since>,
    /// One JSON object per message
    #[arg(long)]
    pub(crate) json: bool,
}

fn since(text: &str) -> Result<Since, &'static str> {
    text.parse()
}

fn socket(text: &str) -> Result<SocketAddr, String> {
    socket_with_port(text, PORT)
}

/// What `--log` says where no file is to be written.
pub(crate) const NO_LOG: &str = "off";

/// Where the chat is written: nowhere ([`NO_LOG`]), at the usual place (empty), or a path. Words for yes and
/// no are no paths, above all in a variable: who wants such a file writes `./no`.
fn log(text: &str) -> Result<String, String> {
    match driver::yes_or_no(text) {
        Some(true) => Ok(String::new()),
        Some(false) => Ok(NO_LOG.to_owned()),
        None => path(text),
    }
}

fn any_socket(text: &str) -> Result<SocketAddr, String> {
    socket_with_port(text, 0)
}

/// An address of this computer: `ADDR:PORT`, or an address alone.
fn socket_with_port(text: &str, port: u16) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let alone = || Some(SocketAddr::new(bare.parse::<IpAddr>().ok()?, port));
    if let Some(addr) = text.parse().ok().or_else(alone) {
        return Ok(addr);
    }
    // The address may be right, and the port is what is wrong.
    Err(match text.rsplit_once(':') {
        Some((host, port))
            if !host.ends_with(':') && format!("{host}:1").parse::<SocketAddr>().is_ok() =>
        {
            format!("the port '{port}' is no number from 0 to 65535")
        }
        _ => {
            "not ADDR:PORT with the address of an interface in numbers, as 0.0.0.0:7420".to_owned()
        }
    })
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("1 at least: nobody could join".to_owned()),
        number => number.map_err(|_| "write a number, as 1024".to_owned()),
    }
}

/// `500ms`, `5s`, `1m`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "write 500ms, 5s or 1m".to_owned())?;
    let ms = match &text[digits.len()..] {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        _ => None,
    };
    let ms = ms.and_then(|unit: u64| number.checked_mul(unit));
    ms.map(Duration::from_millis).ok_or_else(|| "write 500ms, 5s or 1m".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn spans() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1m"), Ok(Duration::from_secs(60)));
        for text in ["", "5", "s", "5h", "-1s", "1.5s", "99999999999999999m"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths() {
        for refused in [path(""), log("")] {
            assert_eq!(refused, Err("a path is not empty".to_owned()));
        }
        assert!(secret_source("").is_err());
        assert_eq!(log("room.log"), Ok("room.log".to_owned()));
        let alone = Cli::try_parse_from(["chatrpc", "chat", "--log"]).unwrap();
        let Some(Task::Chat(chat)) = alone.task else { panic!("no chat") };
        assert_eq!(chat.log.as_deref(), Some(""), "the usual file");
    }

    #[test]
    fn at_least_one() {
        assert_eq!(count("1"), Ok(1));
        assert!(count("0").is_err() && count("00").is_err() && count("").is_err());
    }

    #[test]
    fn addresses_to_listen_on() {
        assert_eq!(socket("127.0.0.1:1").map(|addr| addr.to_string()), Ok("127.0.0.1:1".into()));
        assert_eq!(socket("0.0.0.0").map(|addr| addr.port()), Ok(PORT));
        assert_eq!(any_socket("[::1]").map(|addr| addr.to_string()), Ok("[::1]:0".into()));
        assert!(socket("localhost:1").is_err());
    }
}
