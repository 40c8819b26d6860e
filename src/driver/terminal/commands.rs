//! The slash commands that the screen carries out itself, beside those of the machine.

use crate::driver::front::intent::{Intent, Look};
use crate::driver::front::refusal::{Words, words};
use crate::driver::os::environment::yes_or_no;
use crate::driver::terminal::settings::{ClockFace, Joins, Notify, Setting};
use crate::machine::{COMMANDS, Command, CommandHelp, Opening, Refusal};

/// The screen's own commands, in the order of the alphabet.
pub(crate) const SCREEN: &[CommandHelp] = &[
    CommandHelp { name: "clear", usage: "/clear", what: "empty the screen" },
    CommandHelp { name: "debug", usage: "/debug", what: "show the tables of the machine" },
    CommandHelp { name: "ignore", usage: "/ignore NAME", what: "hide what somebody says" },
    CommandHelp { name: "info", usage: "/info", what: "who has your last message" },
    CommandHelp { name: "joins", usage: "/joins fold|all|none", what: "how to show who comes" },
    FORGET,
    HISTORY,
    LOG,
    CommandHelp { name: "mouse", usage: "/mouse on|off", what: "have the mouse reported" },
    CommandHelp { name: "notify", usage: "/notify off|mentions|all", what: "what rings the bell" },
    CommandHelp { name: "resend", usage: "/resend", what: "say again what did not arrive" },
    SEARCH,
    CommandHelp { name: "time", usage: "/time off|hm|hms", what: "how to show the clock" },
    CommandHelp { name: "unignore", usage: "/unignore NAME", what: "show it again" },
];

/// Those of them that are done without a screen, too.
const FORGET: CommandHelp =
    CommandHelp { name: "forget", usage: "/forget [yes]", what: "remove what is kept of the room" };
const HISTORY: CommandHelp =
    CommandHelp { name: "history", usage: "/history [N]", what: "show what was said before" };
const LOG: CommandHelp =
    CommandHelp { name: "log", usage: "/log on|off|PATH", what: "write the chat to a file" };
const SEARCH: CommandHelp =
    CommandHelp { name: "search", usage: "/search TEXT", what: "find what was said" };
pub(crate) const WITHOUT_SCREEN: &[CommandHelp] = &[FORGET, HISTORY, LOG, SEARCH];

/// Whether a command, with what stands behind it, is also done where lines are typed without a screen.
pub(crate) fn is_everywhere(command: &str) -> bool {
    let name = command.split_whitespace().next().unwrap_or_default();
    WITHOUT_SCREEN.iter().any(|help| help.name == name)
        || !SCREEN.iter().any(|help| help.name == name)
}

/// Every slash command: those of the machine, then the screen's own.
pub fn slash_commands() -> impl Iterator<Item = &'static CommandHelp> {
    COMMANDS.iter().chain(SCREEN)
}

/// Commands that set something: alone they say how it is.
const STATEFUL: [&str; 8] =
    ["ignore", "joins", "log", "mouse", "nick", "notify", "time", "unignore"];

/// What a line asks of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order<'a> {
    /// It is the machine's.
    Command(Command<'a>),
    /// Explain everything, or one command.
    Help(Option<&'static CommandHelp>),
    Clear,
    Debug,
    Ignore(&'a str),
    Unignore(&'a str),
    Info,
    Joins(Joins),
    Log(&'a str),
    Mouse(bool),
    Notify(Notify),
    Resend,
    /// Something about what was said before.
    Look(Look),
    Clock(ClockFace),
    /// How that is which a command sets.
    State(&'static CommandHelp),
}

impl<'a> Order<'a> {
    /// Reads a line. A unique prefix of a command's name is enough.
    ///
    /// # Errors
    ///
    /// As for [`Command::parse`]; the line is not to be sent.
    pub(crate) fn parse(line: &'a str) -> Result<Self, Refusal<'a>> {
        let Opening::Command { word, rest } = Opening::of(line)? else {
            return Command::parse(line).map(Self::Command);
        };
        let help = CommandHelp::find(word, &[COMMANDS, SCREEN])?;
        let rest = rest.trim();
        let usage = Refusal::Usage(help.usage);
        Ok(match (help.name, rest) {
            ("help", "") => Self::Help(None),
            ("help", of) => {
                let of = of.strip_prefix('/').unwrap_or(of);
                Self::Help(Some(CommandHelp::find(of, &[COMMANDS, SCREEN])?))
            }
            (name, "") if STATEFUL.contains(&name) => Self::State(help),
            ("clear", "") => Self::Clear,
            ("debug", "") => Self::Debug,
            ("ignore", name) if !name.is_empty() => Self::Ignore(name),
            ("unignore", name) if !name.is_empty() => Self::Unignore(name),
            ("info", "") => Self::Info,
            ("joins", word) => Joins::read(word).map(Self::Joins).ok_or(usage)?,
            ("log", what) => Self::Log(log(what).ok_or(usage)?),
            ("mouse", word) => bool::read(word).map(Self::Mouse).ok_or(usage)?,
            ("notify", word) => Notify::read(word).map(Self::Notify).ok_or(usage)?,
            ("resend", "") => Self::Resend,
            ("search" | "history" | "forget", what) => {
                Self::Look(look(help.name, what).ok_or(usage)?)
            }
            ("time", word) => ClockFace::read(word).map(Self::Clock).ok_or(usage)?,
            (name, _) if SCREEN.iter().any(|help| help.name == name) => return Err(usage),
            // What is the one that is meant here is the one that is meant there.
            _ => Self::Command(Command::parse(line.trim_end())?),
        })
    }
}

/// Where the chat is to be written: `on`, `off`, or a path. What looks like none is a slip.
fn log(what: &str) -> Option<&str> {
    match yes_or_no(what) {
        Some(true) => Some("on"),
        Some(false) => Some("off"),
        None => Some(what).filter(|path| path.contains(['/', '.'])),
    }
}

/// What is asked of what was said before.
fn look(name: &str, what: &str) -> Option<Look> {
    match (name, what) {
        ("history", "") => Some(Look::Last(Look::LAST)),
        ("history", count) => {
            let count = count.parse().ok()?;
            (1..=Look::LAST_MAX).contains(&count).then_some(Look::Last(count))
        }
        ("forget", "") => Some(Look::Forget { sure: false }),
        ("forget", word) => word.eq_ignore_ascii_case("yes").then_some(Look::Forget { sure: true }),
        ("search", text) if !text.is_empty() => Some(Look::Search(text.to_owned())),
        _ => None,
    }
}

/// What a line without a screen asks for that the machine knows nothing of: to write the chat to a file, or
/// something about what is kept. What only the screen does is told as that.
pub(crate) fn without_screen(line: &str) -> Option<Result<Intent, Words>> {
    let Ok(Opening::Command { word, rest }) = Opening::of(line) else { return None };
    let help = CommandHelp::find(word, &[COMMANDS, SCREEN]).ok()?;
    let name = help.name;
    if !SCREEN.iter().any(|known| known.name == name) {
        return None;
    }
    if WITHOUT_SCREEN.iter().any(|known| known.name == name) {
        let intent = if name == LOG.name {
            let what = Some(rest.trim());
            let what = what.filter(|what| what.is_empty()).or_else(|| log(rest.trim()));
            what.map(|what| Intent::Log(what.to_owned()))
        } else {
            look(name, rest.trim()).map(Intent::Look)
        };
        return Some(intent.ok_or_else(|| words(&Refusal::Usage(help.usage))));
    }
    let hint = match name {
        "resend" => "what did not arrive is said again by typing it again: Up brings it back",
        "clear" => "a terminal clears itself; what arrives is kept nowhere here",
        "time" => "--time=hm has the time before every line",
        _ => "it is a command of the screen, which is there without --plain",
    };
    let what = format!("/{name} does nothing without the screen");
    Some(Err(Words { code: "unknown_command", what, hint: Some(hint.to_owned()) }))
}

/// Every command whose name begins like that, in the order of the alphabet.
pub(crate) fn beginning(prefix: &str) -> Vec<&'static CommandHelp> {
    let all = COMMANDS.iter().chain(SCREEN);
    let mut found: Vec<_> = all.filter(|help| help.name.starts_with(prefix)).collect();
    found.sort_by_key(|help| help.name);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_of_other_chats_reach_the_screen_s_own_commands() {
        assert_eq!(Order::parse("/mute bob"), Ok(Order::Ignore("bob")));
        assert_eq!(Order::parse("/unblock bob"), Ok(Order::Unignore("bob")));
        assert_eq!(Order::parse("/find it"), Ok(Order::Look(Look::Search("it".to_owned()))));
        assert_eq!(Order::parse("/exit"), Ok(Order::Command(Command::Quit)));
        assert!(matches!(Order::parse("/join ops"), Err(Refusal::Otherwise { .. })));
    }

    #[test]
    fn a_slip_writes_the_chat_to_no_file() {
        for (line, what) in [
            ("/log OFF", "off"),
            ("/log no", "off"),
            ("/log True", "on"),
            ("/log ~/room.log", "~/room.log"),
            ("/log room.log", "room.log"),
            ("/log ./on", "./on"),
        ] {
            assert_eq!(Order::parse(line), Ok(Order::Log(what)), "{line}");
        }
        for line in
            ["/log offf", "/log status", "/log ?", "/log --help", "/log \"\"", "/log on off"]
        {
            assert!(matches!(Order::parse(line), Err(Refusal::Usage(_))), "{line}");
        }
    }

    #[test]
    fn what_was_said_before_is_asked_for_alike_with_a_screen_and_without() {
        for (line, look) in [
            ("/history", Look::Last(50)),
            ("/hi 1000", Look::Last(1000)),
            ("/search two words ", Look::Search("two words".to_owned())),
            ("/forget", Look::Forget { sure: false }),
            ("/forget YES", Look::Forget { sure: true }),
        ] {
            assert_eq!(Order::parse(line), Ok(Order::Look(look.clone())), "{line}");
            assert_eq!(without_screen(line), Some(Ok(Intent::Look(look))), "{line}");
        }
    }

    /// `/log`, `/notify` and `/resend` were unknown there.
    #[test]
    fn without_a_screen_each_is_done_or_told_why_not() {
        let asked = |what: &str| Some(Ok(Intent::Log(what.to_owned())));
        for (line, what) in
            [("/log", ""), ("/log on", "on"), (" /lo OFF", "off"), ("/log ./x y", "./x y")]
        {
            assert_eq!(without_screen(line), asked(what), "{line}");
        }
        assert!(matches!(without_screen("/log maybe"), Some(Err(Words { code: "usage", .. }))));
        let done = |help: &&CommandHelp| WITHOUT_SCREEN.iter().any(|known| known.name == help.name);
        for help in SCREEN.iter().filter(|help| !done(help)) {
            let Some(Err(told)) = without_screen(&format!("/{} x", help.name)) else {
                panic!("{}", help.name)
            };
            assert_eq!(told.what, format!("/{} does nothing without the screen", help.name));
            assert!(told.hint.is_some());
        }
        for line in ["/who", "/nikc x", "hello", "//log", "/"] {
            assert_eq!(without_screen(line), None, "{line}");
        }
    }

    fn machines(line: &str) -> Result<Order<'_>, Refusal<'_>> {
        Command::parse(line).map(Order::Command)
    }

    #[test]
    fn ours_and_the_machines() {
        for line in ["hello /clear", "//clear", " //clear", "/me waves\nand goes", " /msg bob x"] {
            assert_eq!(Order::parse(line), machines(line));
        }
        assert_eq!(Order::parse(" \u{FEFF}/cl"), Ok(Order::Clear));
        assert_eq!(Order::parse("/cl"), Ok(Order::Clear));
        assert_eq!(Order::parse("/q"), machines("/quit"));
        assert_eq!(Order::parse("/ni al "), machines("/nick al"));
        assert_eq!(Order::parse("/time hms"), Ok(Order::Clock(ClockFace::Seconds)));
        assert_eq!(
            Order::parse("/help /resend"),
            Ok(Order::Help(beginning("res").first().copied()))
        );
    }

    /// A beginning that is enough here is enough there, and means the same.
    #[test]
    fn a_beginning_of_a_command_of_the_machine_is_read_alike() {
        for help in COMMANDS.iter().filter(|help| help.name != "help") {
            for end in 1..=help.name.len() {
                let line = format!("/{} x y", &help.name[..end]);
                let read = Order::parse(&line);
                let unknown = matches!(read, Err(Refusal::UnknownCommand { .. }));
                assert!(unknown || read == machines(&line), "{line}");
            }
        }
    }

    #[test]
    fn what_sets_something_says_alone_how_it_is() {
        for name in STATEFUL {
            let line = format!("/{name} ");
            assert!(matches!(Order::parse(&line), Ok(Order::State(help)) if help.name == name));
        }
        assert_eq!(Order::parse("/mouse on"), Ok(Order::Mouse(true)));
    }

    #[test]
    fn what_is_not_understood_is_not_sent() {
        for line in
            ["/clear all", "/time 12", "/joins some", "/search", "/mouse of", "/me", "/quit now"]
                .into_iter()
                .chain(["/history 0", "/history 1001", "/history all", "/forget no"])
        {
            assert!(matches!(Order::parse(line), Err(Refusal::Usage(_))), "{line}");
        }
        for line in ["/", "/n", "/s hello", "/nikc", "/help nothing", "/Clear"] {
            assert!(matches!(Order::parse(line), Err(Refusal::UnknownCommand { .. })), "{line}");
        }
    }

    #[test]
    fn no_name_is_given_twice() {
        let all = beginning("");
        assert!(all.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(all.len(), COMMANDS.len() + SCREEN.len());
    }
}
