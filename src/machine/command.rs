//! What a typed line means. `/` opens a command; `//` says a line that begins with a slash; anything
//! else is said as it stands. A command that is not known is never sent as text.
//!
//! [`Opening`] is where a line is found to be one or the other, for every front end: by what a person
//! sees of it, which is what is left once blanks and everything invisible before it are gone.

use crate::machine::event::Refusal;
use crate::machine::habits::{Habit, habit};
use crate::machine::name::looks;
use crate::machine::text::SafeText;
use crate::machine::text::is_unseen;
use crate::machine::who::ids::PeerId;
use crate::machine::whom::Whom;

/// What a line, or a program, can ask of the chat machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Say something.
    Say {
        /// What to say.
        text: &'a str,
        /// It is something we do (`/me`).
        action: bool,
        /// Say it to this person alone.
        to: Option<Whom<'a>>,
    },
    /// Say something again, as part of the talk of the room, to those it did not reach.
    Again {
        /// What to say.
        text: &'a str,
        /// It is something we do (`/me`).
        action: bool,
        /// Those of them who are here.
        readers: &'a [PeerId],
    },
    /// Change our name.
    Nick(&'a str),
    /// Show who is here.
    Who,
    /// Show how everybody is reached, and what is in the way.
    Doctor,
    /// Show what is known of one person.
    Whois(Whom<'a>),
    /// Show the words that prove who somebody is.
    Verify(Whom<'a>),
    /// Remember that the name of somebody who is here stands for their key.
    Trust(Whom<'a>),
    /// Show which names are trusted, and to stand for which keys.
    Trusted,
    /// Forget that a name stands for a key.
    Untrust(Whom<'a>),
    /// Show how somebody else joins.
    Invite,
    /// Show the commands.
    Help,
    /// Leave, once what was said is delivered or given up.
    Quit,
}

/// A slash command, for help texts and completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandHelp {
    /// Its name, without the slash.
    pub name: &'static str,
    /// How it is typed.
    pub usage: &'static str,
    /// What it does.
    pub what: &'static str,
}

/// Every slash command, in the order of the help text.
pub const COMMANDS: &[CommandHelp] = &[
    CommandHelp { name: "doctor", usage: "/doctor", what: "show what is in the way" },
    CommandHelp { name: "help", usage: "/help", what: "show this list" },
    CommandHelp { name: "invite", usage: "/invite", what: "show how others join" },
    CommandHelp { name: "me", usage: "/me TEXT", what: "say what you do" },
    CommandHelp { name: "msg", usage: "/msg NAME TEXT", what: "say it to one person alone" },
    CommandHelp { name: "nick", usage: "/nick NAME", what: "change your name" },
    CommandHelp { name: "quit", usage: "/quit", what: "leave" },
    CommandHelp { name: "say", usage: "/say TEXT", what: "say a text as it stands" },
    CommandHelp { name: "trust", usage: "/trust NAME", what: "remember whose name it is" },
    CommandHelp { name: "trusted", usage: "/trusted", what: "show the names you trust" },
    CommandHelp { name: "untrust", usage: "/untrust NAME", what: "trust a name no more" },
    CommandHelp { name: "verify", usage: "/verify NAME", what: "show words to compare aloud" },
    CommandHelp { name: "who", usage: "/who", what: "show who is here" },
    CommandHelp { name: "whois", usage: "/whois NAME", what: "show somebody's key and address" },
];

/// How a line begins: as a text, or as a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening<'a> {
    /// To be said as it stands.
    Text(&'a str),
    /// A command, whether it is one that is known or not.
    Command {
        /// What stands right behind the slash, up to a blank.
        word: &'a str,
        /// What stands behind that blank.
        rest: &'a str,
    },
}

impl<'a> Opening<'a> {
    /// Looks at a line. What begins with a slash once blanks, controls, and what nobody sees are gone
    /// is a command, and never said: it may be a password behind a blank that was typed by mistake.
    ///
    /// A line of several lines is one thing: only its beginning decides, as only that is in sight
    /// while it is typed.
    ///
    /// # Errors
    ///
    /// [`Refusal::LikeSlash`] where a letter follows something that only looks like a slash, as
    /// keyboards for Chinese and Japanese type it. It may be meant either way, so it is neither
    /// said nor obeyed. Where no letter follows it is the beginning of a drawing or of a smile.
    pub fn of(line: &'a str) -> Result<Self, Refusal<'a>> {
        let seen = skip_unseen(line);
        let Some(rest) = seen.strip_prefix('/') else {
            let mut letters = seen.chars();
            let slash = letters.next().filter(|&first| looks(first) == '/');
            return match slash {
                Some(slash) if letters.next().is_some_and(char::is_alphabetic) => {
                    Err(Refusal::LikeSlash(slash))
                }
                _ => Ok(Self::Text(line)),
            };
        };
        if rest.starts_with('/') {
            return Ok(Self::Text(rest));
        }
        let (word, rest) = split_word(rest);
        Ok(Self::Command { word, rest })
    }
}

/// The line from the first character on that somebody sees. A key that a terminal does not know, or what
/// a terminal answers late, leaves a control sequence in the line; it is left out whole.
fn skip_unseen(line: &str) -> &str {
    let introduces = |c: char| c == '\x1B' || matches!(c, '\u{80}'..='\u{9F}');
    let mut rest = line;
    loop {
        let next = rest.trim_start_matches(|c| !introduces(c) && is_unseen(c));
        let mut letters = next.chars();
        rest = match letters.next() {
            Some('\x1B') => skip_sequence(letters.as_str()),
            // A C1 control is what ESC and the letter 40 below it are.
            Some(c @ '\u{80}'..='\u{9F}') => {
                let letter = char::from(c as u8 - 0x40);
                skip_sequence_of(letter, letters.as_str()).unwrap_or(letters.as_str())
            }
            _ => return next,
        };
    }
}

/// What stands behind a sequence, of which ESC is gone. Only what has an end is one: nobody sees the rest.
fn skip_sequence(sequence: &str) -> &str {
    let mut rest = sequence.chars();
    rest.next().and_then(|first| skip_sequence_of(first, rest.as_str())).unwrap_or(sequence)
}

/// What stands behind the sequence that begins with ESC and `first` (ECMA-48, sections 5.4 and 5.6);
/// `None` if that begins none.
fn skip_sequence_of(first: char, rest: &str) -> Option<&str> {
    match first {
        // Function keys of the Linux console (console_codes(4)).
        '[' if rest.starts_with('[') => {
            let rest = &rest[1..];
            Some(rest.strip_prefix(['A', 'B', 'C', 'D', 'E']).unwrap_or(rest))
        }
        '[' | 'O' => {
            let parameters = rest.trim_start_matches(|c| matches!(c, '\x20'..='\x2E' | '0'..='?'));
            let last = parameters.starts_with(|c| matches!(c, '@'..='~'));
            Some(&parameters[usize::from(last)..])
        }
        ']' | 'P' | 'X' | '^' | '_' => {
            let ends = ["\x1B\\", "\u{9C}", "\x07"];
            let ends = if first == ']' { &ends[..] } else { &ends[..2] };
            let found = ends.iter().filter_map(|end| Some(rest.find(end)? + end.len()));
            Some(found.min().map_or(rest, |at| &rest[at..]))
        }
        _ => None,
    }
}

impl<'a> Command<'a> {
    /// Reads a line. A unique prefix of a command's name is enough.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownCommand`], [`Refusal::Usage`] and [`Refusal::LikeSlash`]; the line is not to
    /// be sent.
    pub fn parse(line: &'a str) -> Result<Self, Refusal<'a>> {
        let (word, rest) = match Opening::of(line)? {
            Opening::Text(text) => return Ok(Self::Say { text, action: false, to: None }),
            Opening::Command { word, rest } => (word, rest),
        };
        let help = CommandHelp::find(word, &[COMMANDS])?;
        let usage = Refusal::Usage(help.usage);
        // What stands behind a command that takes nothing would be lost.
        let alone = rest.trim_end().is_empty();
        match help.name {
            "doctor" if alone => Ok(Self::Doctor),
            "help" if alone => Ok(Self::Help),
            "who" if alone => Ok(Self::Who),
            "invite" if alone => Ok(Self::Invite),
            "quit" if alone => Ok(Self::Quit),
            // Alone, as whatever sets something: how it is.
            "trusted" | "trust" if alone => Ok(Self::Trusted),
            "untrust" if !alone => Ok(Self::Untrust(Whom::read(rest))),
            "whois" if !rest.is_empty() => Ok(Self::Whois(Whom::read(rest))),
            "trust" if !rest.is_empty() => Ok(Self::Trust(Whom::read(rest))),
            "verify" if !rest.is_empty() => Ok(Self::Verify(Whom::read(rest))),
            "nick" if !rest.is_empty() => Ok(Self::Nick(rest)),
            "me" if !rest.is_empty() => Ok(Self::Say { text: rest, action: true, to: None }),
            "say" if !rest.is_empty() => Ok(Self::Say { text: rest, action: false, to: None }),
            "msg" => match split_word(rest) {
                (name, text) if !name.is_empty() && !text.is_empty() => {
                    Ok(Self::Say { text, action: false, to: Some(Whom::read(name)) })
                }
                _ => Err(usage),
            },
            _ => Err(usage),
        }
    }
}

fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

impl CommandHelp {
    /// The command of that name, or the one that begins with it and that all others which do begin
    /// with, among those of several lists.
    ///
    /// # Errors
    ///
    /// [`Refusal::Otherwise`] for a habit from other chats that is another thing here, and
    /// [`Refusal::UnknownCommand`], with the shortest one that begins like what was typed; else the one whose
    /// name is nearest to it, at most two edits away and with most letters in common.
    pub fn find<'a>(
        word: &'a str,
        lists: &[&'static [Self]],
    ) -> Result<&'static Self, Refusal<'a>> {
        let all = || lists.iter().copied().flatten();
        if let Some(exact) = all().find(|help| help.name == word) {
            return Ok(exact);
        }
        match habit(word) {
            // The screen's own commands are not in every list.
            Some(Habit::Command(name)) => {
                if let Some(meant) = all().find(|help| help.name == name) {
                    return Ok(meant);
                }
            }
            Some(Habit::Otherwise(how)) => {
                return Err(Refusal::Otherwise { typed: SafeText::new(word), how });
            }
            None => {}
        }
        let begin = || all().filter(|help| !word.is_empty() && help.name.starts_with(word));
        let shortest = begin().min_by_key(|help| help.name.len());
        let found = shortest.filter(|found| begin().all(|help| help.name.starts_with(found.name)));
        if let Some(found) = found {
            return Ok(found);
        }
        let near = all().map(|help| (edits(word, help.name), help.name)).min();
        // Two edits make any word of any other one as short as that.
        let letters = word.chars().count();
        let near = near.filter(|&(distance, _)| distance <= 2 && 2 * distance < letters);
        let nearest = shortest.map(|help| help.name).or(near.map(|(_, name)| name));
        Err(Refusal::UnknownCommand { typed: SafeText::new(word), nearest })
    }
}

/// Damerau-Levenshtein distance, adjacent swaps counting one (optimal string alignment).
fn edits(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(16).collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let same = usize::from(a[i - 1] != b[j - 1]);
                let mut least =
                    (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + same);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_knows_other_chats_is_understood_or_told() {
        for (line, meant) in [
            ("/exit", "/quit"),
            ("/Names", "/who"),
            ("/whisper bob come here", "/msg bob come here"),
            ("/pm bob hi", "/msg bob hi"),
            ("/emote waves", "/me waves"),
            ("/name al", "/nick al"),
        ] {
            assert_eq!(Command::parse(line), Command::parse(meant), "{line}");
            assert!(Command::parse(meant).is_ok(), "{meant}");
        }
        for line in
            ["/join #ops", "/part", "/topic hi", "/away", "/query bob", "/list", "/kick bob"]
        {
            assert!(matches!(Command::parse(line), Err(Refusal::Otherwise { .. })), "{line}");
        }
    }

    /// A slash alone, and any letter, were told to be `/me`.
    #[test]
    fn what_is_suggested_has_something_in_common_with_what_was_typed() {
        let suggested = |line: &'static str| match Command::parse(line) {
            Err(Refusal::UnknownCommand { nearest, .. }) => nearest,
            other => panic!("{line}: {other:?}"),
        };
        for (line, nearest) in [
            ("/", None),
            ("/x", None),
            ("/xy x", None),
            ("/7", None),
            ("/nikc al", Some("nick")),
            ("/mgs bob hi", Some("msg")),
            ("/whoo", Some("who")),
            ("/truts bob", Some("trust")),
            ("/m bob hi", Some("me")),
        ] {
            assert_eq!(suggested(line), nearest, "{line}");
        }
    }

    use crate::machine::text::sanitize;
    use crate::machine::text::tests::{Hostile, often};

    fn say(text: &str) -> Result<Command<'_>, Refusal<'_>> {
        Ok(Command::Say { text, action: false, to: None })
    }

    #[test]
    fn text_and_slashes() {
        assert_eq!(Command::parse("hello"), say("hello"));
        assert_eq!(Command::parse("//nick x"), say("/nick x"));
        assert_eq!(Command::parse("/say /nick x"), say("/nick x"));
        assert_eq!(Command::parse("  hello"), say("  hello"), "a text keeps its blanks");
        assert_eq!(
            Command::parse("a\n/msg bob x"),
            say("a\n/msg bob x"),
            "one message, one beginning"
        );
        assert_eq!(Command::parse(""), say(""));
    }

    /// Said to everybody, exit status 0: that is what became of a password behind a blank.
    #[test]
    fn what_looks_like_a_command_is_one_whatever_stands_before_it() {
        let private =
            Ok(Command::Say { text: "password", action: false, to: Some(Whom::read("bob")) });
        for before in [
            " ",
            "\t",
            "\n\r\n",
            "\u{A0}\u{3000}\u{2800}",
            "\u{FEFF}\u{FFFE}",
            "\u{200B}\u{2060}\u{AD}",
            "\u{200D}\u{FE0F}",
            "\u{200E}\u{202E}\u{2066}",
            "\0\x07\x7F\u{85}\u{9B}",
            "\u{301}",
            "\u{E0041}",
            "\u{3164}\u{115F}",
            "\x1B",
            "\x1B[A\x1B[1;5D\x1BOP ",
            "\x1B[",
            "\x1B[[A\x1B[[E",
            "\x1B]11;rgb:1c1c/1c1c/1c1c\x1B\\\x1B]0;x\x07",
            "\x1BP>|XTerm(390)\x1B\\\x1B_x\u{9C}",
            "\x1B]",
            "\u{9B}31m\u{9D}x\u{9C}\u{9B}",
        ] {
            let line = format!("{before}/msg bob password");
            assert_eq!(Command::parse(&line), private, "{line:?}");
            let line = format!("{before}/msq bob password");
            assert!(
                matches!(Command::parse(&line), Err(Refusal::UnknownCommand { .. })),
                "{line:?}"
            );
            let line = format!("{before}//msg bob");
            assert_eq!(Command::parse(&line), say("/msg bob"), "{line:?}");
        }
        for line in
            ["/\u{200B}msg bob x", "/\u{FEFF}/x", "/\u{338}msg bob x", "/ msg bob x", "/MSG bob x"]
        {
            assert!(
                matches!(Command::parse(line), Err(Refusal::UnknownCommand { .. })),
                "{line:?}"
            );
        }
    }

    #[test]
    fn what_only_looks_like_a_slash_is_neither_said_nor_obeyed() {
        for slash in ['\u{FF0F}', '\u{2215}', '\u{2044}', '\u{29F8}', '\u{2571}'] {
            for line in [format!("{slash}msg bob x"), format!(" \u{FEFF}{slash}ｍｓｇ bob x")] {
                assert_eq!(Command::parse(&line), Err(Refusal::LikeSlash(slash)), "{line:?}");
            }
        }
        // A smile, a drawing, half of something, and words of Japanese and Chinese.
        for line in ["\u{FF0F}(^o^)\u{FF3C}", "╱▔▔╲", "\u{2044}2", "ノート", "丿", "\u{FF0F}"]
        {
            assert_eq!(Command::parse(line), say(line));
        }
    }

    #[test]
    fn nothing_behind_a_command_is_lost() {
        for name in ["help", "who", "invite", "quit"] {
            let line = format!("/{name}\nand what I wanted to say");
            assert!(matches!(Command::parse(&line), Err(Refusal::Usage(_))), "{line:?}");
            assert!(Command::parse(&format!("/{name} \n")).is_ok());
        }
    }

    #[test]
    fn no_text_begins_with_a_slash_that_was_not_doubled() {
        fn property(line: Hostile) -> bool {
            let parsed = Command::parse(&line.0);
            let Ok(Command::Say { text, to: None, action: false }) = parsed else { return true };
            let shown = sanitize(text);
            let shown = shown.trim_start_matches(is_unseen);
            let doubled = line.0.contains("//") || line.0.contains("/s");
            doubled || !shown.starts_with('/')
        }
        often(property);
    }

    #[test]
    fn commands_and_prefixes() {
        assert_eq!(Command::parse("/nick al"), Ok(Command::Nick("al")));
        assert_eq!(Command::parse("/w"), Ok(Command::Who));
        assert_eq!(Command::parse("/whoi bob"), Ok(Command::Whois(Whom::Word("bob"))));
        assert_eq!(Command::parse("/v bob"), Ok(Command::Verify(Whom::Word("bob"))));
        assert_eq!(Command::parse("/q"), Ok(Command::Quit));
        assert_eq!(
            Command::parse("/msg bob hi there"),
            Ok(Command::Say { text: "hi there", action: false, to: Some(Whom::Word("bob")) })
        );
        let id = Whom::Id(PeerId(77));
        let line = format!("/whois {}", PeerId(77));
        assert_eq!(Command::parse(&line), Ok(Command::Whois(id)));
        let line = format!("/msg {} hi", PeerId(77));
        assert_eq!(
            Command::parse(&line),
            Ok(Command::Say { text: "hi", action: false, to: Some(id) })
        );
    }

    #[test]
    fn a_mistyped_command_is_never_text() {
        let unknown = |line| match Command::parse(line) {
            Err(Refusal::UnknownCommand { nearest, .. }) => nearest,
            other => panic!("{line} became {other:?}"),
        };
        assert_eq!(unknown("/nikc bob"), Some("nick"));
        assert_eq!(unknown("/m bob"), Some("me"), "an ambiguous prefix is not guessed");
        assert_eq!(unknown("/passw0rd"), None);
        assert_eq!(unknown("/"), None);
        assert_eq!(Command::parse("/msg bob"), Err(Refusal::Usage("/msg NAME TEXT")));
        assert_eq!(Command::parse("/me "), Err(Refusal::Usage("/me TEXT")));
    }
}
