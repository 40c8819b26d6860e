//! What people type who know other chats (RFC 2812 and its clients): another name of a command, or how it
//! is done here.

/// What a habit comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// The command of that name.
    Command(&'static str),
    /// Something else, which is said in words.
    Otherwise(&'static str),
}

use Habit::{Command, Otherwise};

const ANOTHER_ROOM: Habit =
    Otherwise("a room is a chat of its own: chatrpc chat --room NAME, in another window");
const NOBODY_RULES: Habit =
    Otherwise("nobody rules a room: /ignore hides somebody, and a secret keeps strangers out");
const NO_LIST: Habit = Otherwise("a nodeset tells nobody which rooms there are: their members do");
const NO_TOPIC: Habit = Otherwise("a room has a name and no topic: say it");
const NO_AWAY: Habit =
    Otherwise("nobody is away: who has a message is shown beside it, whenever they read it");
const NO_SERVER: Habit = Otherwise("there is no server: who is here talks to each other");

/// Words without their slash, in the order of the alphabet.
const HABITS: &[(&str, Habit)] = &[
    ("action", Command("me")),
    ("away", NO_AWAY),
    ("back", NO_AWAY),
    ("ban", NOBODY_RULES),
    ("block", Command("ignore")),
    ("bye", Command("quit")),
    ("channel", ANOTHER_ROOM),
    ("commands", Command("help")),
    ("connect", NO_SERVER),
    ("ctcp", Otherwise("/whois NAME shows what is known of somebody, /who how far away they are")),
    ("dcc", Otherwise("files are not sent here: this chat carries text")),
    ("deop", NOBODY_RULES),
    ("describe", Command("me")),
    ("disconnect", Command("quit")),
    ("dm", Command("msg")),
    ("emote", Command("me")),
    ("exit", Command("quit")),
    ("find", Command("search")),
    ("highlight", Command("notify")),
    ("ison", Command("who")),
    ("j", ANOTHER_ROOM),
    ("join", ANOTHER_ROOM),
    ("kick", NOBODY_RULES),
    ("kill", NOBODY_RULES),
    ("leave", Command("quit")),
    ("list", NO_LIST),
    ("logout", Command("quit")),
    ("lusers", Command("who")),
    ("mode", NOBODY_RULES),
    ("motd", NO_SERVER),
    ("mute", Command("ignore")),
    ("name", Command("nick")),
    ("names", Command("who")),
    ("notice", Command("msg")),
    ("op", NOBODY_RULES),
    ("part", Otherwise("each window is in one room: /quit leaves it")),
    ("ping", Otherwise("/who shows how far away everybody is")),
    ("pm", Command("msg")),
    ("privmsg", Command("msg")),
    (
        "query",
        Otherwise("there are no windows for two: /msg NAME TEXT says it to one person alone"),
    ),
    ("quote", NO_SERVER),
    ("raw", NO_SERVER),
    ("reconnect", NO_SERVER),
    ("reply", Command("msg")),
    ("rooms", NO_LIST),
    ("server", NO_SERVER),
    ("tell", Command("msg")),
    ("topic", NO_TOPIC),
    ("unban", NOBODY_RULES),
    ("unblock", Command("unignore")),
    ("unmute", Command("unignore")),
    ("users", Command("who")),
    ("voice", NOBODY_RULES),
    ("whisper", Command("msg")),
    ("whowas", Otherwise("/whois NAME, of somebody who is here; who left is in what was said")),
];

/// What that word is a habit for; `None` when it is none.
pub(crate) fn habit(word: &str) -> Option<Habit> {
    let lower = word.to_ascii_lowercase();
    let found = HABITS.binary_search_by_key(&lower.as_str(), |&(word, _)| word).ok()?;
    Some(HABITS[found].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::command::COMMANDS;

    #[test]
    fn habits_are_in_order_and_name_no_command() {
        assert!(HABITS.is_sorted_by_key(|(word, _)| word));
        for (word, of) in HABITS {
            assert_eq!(habit(&word.to_uppercase()), Some(*of), "{word}");
            assert!(COMMANDS.iter().all(|help| help.name != *word), "{word} is a command");
        }
        assert_eq!(habit("hello"), None);
    }
}
