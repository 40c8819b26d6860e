//! What a typed line means. `/` opens a command; `//` says a line that begins with a slash; anything
//! else is said as it stands. A command that is not known is never sent as text.

use crate::machine::{PeerId, Refusal, SafeText, Whom};

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
    /// Show what is known of one person.
    Whois(Whom<'a>),
    /// Show the words that prove who somebody is.
    Verify(Whom<'a>),
    /// Remember that the name of somebody who is here stands for their key.
    Trust(Whom<'a>),
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
    CommandHelp { name: "help", usage: "/help", what: "show this list" },
    CommandHelp { name: "invite", usage: "/invite", what: "show how others join" },
    CommandHelp { name: "me", usage: "/me TEXT", what: "say what you do" },
    CommandHelp { name: "msg", usage: "/msg NAME TEXT", what: "say it to one person alone" },
    CommandHelp { name: "nick", usage: "/nick NAME", what: "change your name" },
    CommandHelp { name: "quit", usage: "/quit", what: "leave" },
    CommandHelp { name: "say", usage: "/say TEXT", what: "say a text as it stands" },
    CommandHelp { name: "trust", usage: "/trust NAME", what: "remember whose name it is" },
    CommandHelp { name: "verify", usage: "/verify NAME", what: "show words to compare aloud" },
    CommandHelp { name: "who", usage: "/who", what: "show who is here" },
    CommandHelp { name: "whois", usage: "/whois NAME", what: "show somebody's key and address" },
];

impl<'a> Command<'a> {
    /// Reads a line. A unique prefix of a command's name is enough.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownCommand`] and [`Refusal::Usage`]; the line is not to be sent.
    pub fn parse(line: &'a str) -> Result<Self, Refusal<'a>> {
        let Some(rest) = line.strip_prefix('/') else {
            return Ok(Self::Say { text: line, action: false, to: None });
        };
        if rest.starts_with('/') {
            return Ok(Self::Say { text: rest, action: false, to: None });
        }
        let (word, rest) = split_word(rest);
        let help = CommandHelp::find(word, &[COMMANDS])?;
        let usage = Refusal::Usage(help.usage);
        match help.name {
            "help" => Ok(Self::Help),
            "who" => Ok(Self::Who),
            "invite" => Ok(Self::Invite),
            "quit" => Ok(Self::Quit),
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
    /// [`Refusal::UnknownCommand`], with the command whose name is at most two edits away and
    /// nearest to what was typed.
    pub fn find<'a>(
        word: &'a str,
        lists: &[&'static [Self]],
    ) -> Result<&'static Self, Refusal<'a>> {
        let all = || lists.iter().copied().flatten();
        if let Some(exact) = all().find(|help| help.name == word) {
            return Ok(exact);
        }
        let begin = || all().filter(|help| !word.is_empty() && help.name.starts_with(word));
        let shortest = begin().min_by_key(|help| help.name.len());
        let found = shortest.filter(|found| begin().all(|help| help.name.starts_with(found.name)));
        if let Some(found) = found {
            return Ok(found);
        }
        let near = all().map(|help| (edits(word, help.name), help.name)).min();
        let nearest = near.filter(|&(distance, _)| distance <= 2).map(|(_, name)| name);
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

    fn say(text: &str) -> Result<Command<'_>, Refusal<'_>> {
        Ok(Command::Say { text, action: false, to: None })
    }

    #[test]
    fn text_and_slashes() {
        assert_eq!(Command::parse("hello"), say("hello"));
        assert_eq!(Command::parse("//nick x"), say("/nick x"));
        assert_eq!(Command::parse("/say /nick x"), say("/nick x"));
        assert_eq!(Command::parse(" /nick x"), say(" /nick x"));
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
        assert_eq!(unknown("/"), Some("me"));
        assert_eq!(Command::parse("/msg bob"), Err(Refusal::Usage("/msg NAME TEXT")));
        assert_eq!(Command::parse("/me "), Err(Refusal::Usage("/me TEXT")));
    }
}
