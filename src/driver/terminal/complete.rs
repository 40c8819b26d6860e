//! Tab, and the list above the draft: names of people, commands, and what may stand behind one.

use std::ops::Range;

use crate::driver::terminal::commands::{SCREEN, beginning};
use crate::driver::terminal::search::begins;
use crate::driver::terminal::settings::values;
use crate::machine::{COMMANDS, CommandHelp, Opening, Person};

/// How many candidates Tab goes through, at most.
const CANDIDATES_MAX: usize = 256;

/// What is expected where the cursor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The name of a command.
    Command,
    /// The command that another one is to explain.
    Explained,
    /// Somebody, for this command.
    Somebody(&'static CommandHelp),
    /// One of the values of this command.
    Value(&'static CommandHelp),
    /// Something else that only the person can know.
    Open(&'static CommandHelp),
    /// A text with names in it: at its beginning, or later.
    Text { first: bool },
}

/// What can stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Candidate<'a> {
    Command(&'static CommandHelp),
    Value([&'static str; 2]),
    Person(&'a Person),
}

impl Slot {
    /// What is expected at the cursor, and which part of the draft that is so far, bytes.
    pub(crate) fn at(draft: &str, cursor: usize) -> (Self, Range<usize>) {
        let before = &draft[..cursor];
        let word_at = before
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
        let text = |first| (Self::Text { first }, word_at..cursor);
        let Ok(Opening::Command { word, rest }) = Opening::of(before) else {
            return text(word_at == 0);
        };
        if rest.is_empty() && before.ends_with(&format!("/{word}")) {
            return (Self::Command, cursor - word.len() - 1..cursor);
        }
        let Ok(help) = CommandHelp::find(word, &[COMMANDS, SCREEN]) else { return text(false) };
        let part = cursor - rest.len()..cursor;
        let one_word = !rest.contains(char::is_whitespace);
        match help.name {
            "help" => (Self::Explained, part),
            // A text follows.
            "msg" if !one_word => text(false),
            name if ABOUT.contains(&name) => (Self::Somebody(help), part),
            name if !values(name).is_empty() => (Self::Value(help), part),
            _ if rest.is_empty() => (Self::Open(help), part),
            _ => text(false),
        }
    }

    /// What can stand there and begins with what is there so far. `people` come in the order of
    /// preference.
    pub(crate) fn candidates<'a>(self, part: &str, people: &'a [Person]) -> Vec<Candidate<'a>> {
        let part = part.trim_start();
        let named = |part: &str| -> Vec<Candidate<'a>> {
            let named = people.iter().filter(|who| begins(who.name.as_str(), part));
            named.map(Candidate::Person).collect()
        };
        match self {
            Self::Command | Self::Explained => {
                let part = part.strip_prefix('/').unwrap_or(part);
                beginning(part).into_iter().map(Candidate::Command).collect()
            }
            Self::Value(help) => {
                let all = values(help.name).into_iter();
                all.filter(|[value, _]| value.starts_with(part)).map(Candidate::Value).collect()
            }
            Self::Open(_) => Vec::new(),
            Self::Somebody(_) => named(part.trim_start_matches(['@', '!'])),
            // Behind a blank Tab has another meaning.
            Self::Text { .. } if part.is_empty() => Vec::new(),
            Self::Text { .. } => named(part.strip_prefix('@').unwrap_or(part)),
        }
    }
}

/// A list: what to type, and what it means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Popup {
    pub(crate) title: &'static str,
    pub(crate) rows: Vec<[String; 2]>,
    /// The one that Tab has put into the draft.
    pub(crate) chosen: Option<usize>,
}

/// What Tab offers, and which of it is in the draft.
#[derive(Debug)]
pub(crate) struct Completion {
    candidates: Vec<String>,
    at: usize,
    /// The candidates as they are shown.
    pub(crate) popup: Popup,
    /// Where the candidate is in the draft, bytes.
    pub(crate) part: Range<usize>,
}

impl Completion {
    /// What the word before the cursor could become. `people` come in the order of preference;
    /// `address` is what to write so that one of them is meant and nobody else.
    pub(crate) fn begin(
        draft: &str,
        cursor: usize,
        people: &[Person],
        address: impl Fn(&Person) -> String,
    ) -> Option<Self> {
        let (slot, part) = Slot::at(draft, cursor);
        let so_far = &draft[part.clone()];
        let candidates = slot.candidates(so_far, people).into_iter().take(CANDIDATES_MAX);
        let written = candidates.map(|candidate| match (candidate, slot) {
            (Candidate::Command(help), Slot::Explained) => help.name.to_owned(),
            (Candidate::Command(help), _) => format!("/{} ", help.name),
            (Candidate::Value([value, _]), _) => value.to_owned(),
            // A name with a space in it is not one word: the id is.
            (Candidate::Person(who), Slot::Somebody(help))
                if help.name == "msg" && who.name.as_str().contains(' ') =>
            {
                format!("{} ", who.id)
            }
            (Candidate::Person(who), Slot::Somebody(_)) => format!("{} ", address(who)),
            (Candidate::Person(who), _) if so_far.starts_with('@') => format!("@{} ", who.name),
            (Candidate::Person(who), Slot::Text { first: true }) => format!("{}: ", who.name),
            (Candidate::Person(who), _) => format!("{} ", who.name),
        });
        let candidates: Vec<String> = written.collect();
        let popup = Popup::default();
        (!candidates.is_empty()).then_some(Self { candidates, at: 0, popup, part })
    }

    /// The candidate that belongs into the draft.
    pub(crate) fn candidate(&self) -> &str {
        &self.candidates[self.at]
    }

    /// Its number among all.
    pub(crate) const fn chosen(&self) -> usize {
        self.at
    }

    /// Whether there is nothing to choose from.
    pub(crate) fn is_settled(&self) -> bool {
        self.candidates.len() == 1
    }

    /// The next candidate, or the one before.
    pub(crate) fn turn(&mut self, back: bool) {
        let count = self.candidates.len();
        self.at = (self.at + if back { count - 1 } else { 1 }) % count;
    }
}

/// Commands that are about one person.
const ABOUT: [&str; 7] = ["msg", "whois", "verify", "trust", "untrust", "ignore", "unignore"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Name, PeerId, PublicKey};

    fn people(names: &[&str]) -> Vec<Person> {
        let person = |(id, &name): (usize, &&str)| {
            let (id, key) = (PeerId(id as u64 + 1), PublicKey([id as u8 + 1; 32]));
            Person { id, key, name: Name::parse(name).unwrap() }
        };
        names.iter().enumerate().map(person).collect()
    }

    /// Bobby has a name that does for nobody else.
    fn address(who: &Person) -> String {
        if who.name.as_str() == "bobby" { who.id.to_string() } else { who.name.to_string() }
    }

    fn offered(draft: &str, names: &[&str]) -> Vec<String> {
        let completion = Completion::begin(draft, draft.len(), &people(names), address);
        completion.map(|completion| completion.candidates).unwrap_or_default()
    }

    #[test]
    fn people_and_commands() {
        let here = ["bob", "Bobby", "alice", "Björn", "Jean Luc"];
        assert_eq!(offered("bO", &here), ["bob: ", "Bobby: "]);
        assert_eq!(offered("hi b", &here), ["bob ", "Bobby ", "Björn "]);
        assert_eq!(offered("hi bJÖ", &here), ["Björn "]);
        assert_eq!(offered("hi bjo\u{308}", &here), ["Björn "], "composed or not");
        assert_eq!(offered("hi bjo", &here), [""; 0]);
        assert_eq!(offered("/msg al", &here), ["alice "]);
        assert_eq!(offered("/msg jea", &here), [format!("{} ", PeerId(5))]);
        assert_eq!(offered("/msg bob jea", &here), ["Jean Luc "]);
        assert_eq!(offered("/ni", &here), ["/nick "]);
        assert_eq!(offered(" /ni", &here), ["/nick "]);
        assert_eq!(offered("x /ni", &here), [""; 0]);
        assert_eq!(offered("//ni", &here), [""; 0]);
        assert_eq!(offered("", &here), [""; 0]);
        assert_eq!(offered("bob ", &here), [""; 0]);
        assert_eq!(offered("zed", &here), [""; 0]);
    }

    #[test]
    fn whoever_is_called_with_a_sign_is_meant_by_it() {
        let here = ["bob", "Bobby", "Jean Luc"];
        assert_eq!(offered("@bo", &here), ["@bob ", "@Bobby "]);
        assert_eq!(offered("ask @j", &here), ["@Jean Luc "]);
        assert_eq!(offered("@", &here), ["@bob ", "@Bobby ", "@Jean Luc "]);
        assert_eq!(offered("/msg @bob", &["bob"]), ["bob "], "where a name is wanted it has none");
        assert_eq!(offered("mail bob@bo", &here), [""; 0]);
    }

    #[test]
    fn what_a_command_takes_is_offered_before_a_letter_of_it_is_typed() {
        let here = ["alice", "Jean Luc"];
        for command in ["/whois ", "/verify ", "/trust ", "/ignore ", "/unignore ", "/whois  "] {
            assert_eq!(offered(command, &here), ["alice ", "Jean Luc "], "{command}");
        }
        assert_eq!(offered("/msg ", &here), ["alice ".to_owned(), format!("{} ", PeerId(2))]);
        assert_eq!(offered("/msg alice ", &here), [""; 0], "a text follows");
        assert_eq!(offered("/whois jean l", &here), ["Jean Luc "]);
        assert_eq!(offered("/notify ", &here), ["off", "mentions", "all"]);
        assert_eq!(offered("/not a", &here), ["all"]);
        assert_eq!(offered("/time h", &here), ["hm", "hms"]);
        assert_eq!(offered("/joins ", &here), ["fold", "all", "none"]);
        assert_eq!(offered("/log ", &here), ["on", "off"]);
        assert_eq!(offered("/mouse ", &here), ["on", "off"]);
        assert_eq!(offered("/help not", &here), ["notify"]);
        assert_eq!(offered("/notify all ", &here), [""; 0]);
        assert_eq!(offered("/nick ", &here), [""; 0]);
        assert_eq!(offered("/clear al", &here), ["alice "]);
        assert_eq!(offered("/nikc al", &here), ["alice "]);
    }

    #[test]
    fn what_is_completed_reaches_them_and_nobody_else() {
        let id = format!("{} ", PeerId(2));
        for command in ["/msg", "/ms", "/whois", "/verify", "/v", "/trust", "/ign", "/unignore"] {
            let draft = format!("{command} bo");
            assert_eq!(offered(&draft, &["bob", "bobby"]), ["bob ", &id], "{command}");
        }
        assert_eq!(offered("/msg bob bo", &["bob", "bobby"]), ["bob ", "bobby "], "a text");
        assert_eq!(offered("/me hugs bo", &["bob", "bobby"]), ["bob ", "bobby "]);
        assert_eq!(offered("/whois jea", &["Jean Luc"]), ["Jean Luc "]);
    }

    #[test]
    fn round_and_back() {
        let people = people(&["bob", "bea"]);
        let mut completion = Completion::begin("b", 1, &people, address).unwrap();
        assert_eq!((completion.candidate(), completion.part.clone()), ("bob: ", 0..1));
        completion.turn(false);
        assert_eq!(completion.candidate(), "bea: ");
        completion.turn(false);
        assert_eq!(completion.candidate(), "bob: ");
        completion.turn(true);
        assert_eq!(completion.candidate(), "bea: ");
    }

    /// Wherever the cursor is, the part that is replaced is one of the draft.
    #[test]
    fn any_draft_will_do() {
        for draft in
            ["/", "//", "/ ", " \u{feff}/msg b", "/msg\nbob", "/é é", "@", "/msg \u{3000}", "é @"]
        {
            for cursor in (0..=draft.len()).filter(|&at| draft.is_char_boundary(at)) {
                let (slot, part) = Slot::at(draft, cursor);
                let so_far = draft.get(part);
                assert!(so_far.is_some(), "{draft:?} {cursor} {slot:?}");
            }
        }
    }
}
