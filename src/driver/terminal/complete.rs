//! Tab: names of people and of commands.

use std::ops::Range;

use crate::driver::terminal::commands::{SCREEN, beginning};
use crate::driver::terminal::search::begins;
use crate::machine::{COMMANDS, CommandHelp, Person};

/// What Tab offers, and which of it is in the draft.
#[derive(Debug)]
pub(crate) struct Completion {
    candidates: Vec<String>,
    at: usize,
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
        let start = draft[..cursor]
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + draft[at..].chars().next().map_or(0, char::len_utf8));
        let word = &draft[start..cursor];
        if word.is_empty() {
            return None;
        }
        let candidates: Vec<String> = match word.strip_prefix('/') {
            Some(prefix) if start == 0 => {
                beginning(prefix).iter().map(|help| format!("/{} ", help.name)).collect()
            }
            _ => names(draft, start, word, people, address),
        };
        (!candidates.is_empty()).then_some(Self { candidates, at: 0, part: start..cursor })
    }

    /// The candidate that belongs into the draft.
    pub(crate) fn candidate(&self) -> &str {
        &self.candidates[self.at]
    }

    /// The next candidate, or the one before.
    pub(crate) fn turn(&mut self, back: bool) {
        let count = self.candidates.len();
        self.at = (self.at + if back { count - 1 } else { 1 }) % count;
    }
}

/// Commands that are about one person.
const ABOUT: [&str; 6] = ["msg", "whois", "verify", "trust", "ignore", "unignore"];

fn names(
    draft: &str,
    start: usize,
    word: &str,
    people: &[Person],
    address: impl Fn(&Person) -> String,
) -> Vec<String> {
    let command = draft.strip_prefix('/').map(|rest| rest.split_once(' ').unwrap_or((rest, "")).0);
    let command = command.map(|word| CommandHelp::find(word, &[COMMANDS, SCREEN]));
    let help = command.as_ref().and_then(|found| found.as_ref().ok());
    let about = help.filter(|help| ABOUT.contains(&help.name));
    let about = about.filter(|_| !draft[..start].trim_end().contains(' '));
    people
        .iter()
        .filter(|who| begins(who.name.as_str(), word))
        .map(|who| match about {
            // A name with a space in it is not one word: the id is.
            Some(help) if help.name == "msg" && who.name.as_str().contains(' ') => {
                format!("{} ", who.id)
            }
            Some(_) => format!("{} ", address(who)),
            None if start == 0 && command.is_none() => format!("{}: ", who.name),
            None => format!("{} ", who.name),
        })
        .collect()
}

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
        assert_eq!(offered("x /ni", &here), [""; 0]);
        assert_eq!(offered("", &here), [""; 0]);
        assert_eq!(offered("bob ", &here), [""; 0]);
        assert_eq!(offered("zed", &here), [""; 0]);
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
}
