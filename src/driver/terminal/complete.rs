//! Tab: names of people and of commands.

use std::ops::Range;

use super::commands::beginning;
use super::search::contains;
use crate::machine::Person;

/// What Tab offers, and which of it is in the draft.
#[derive(Debug)]
pub(crate) struct Completion {
    candidates: Vec<String>,
    at: usize,
    /// Where the candidate is in the draft, bytes.
    pub(crate) part: Range<usize>,
}

impl Completion {
    /// What the word before the cursor could become. `people` come in the order of preference.
    pub(crate) fn begin(draft: &str, cursor: usize, people: &[(Person, String)]) -> Option<Self> {
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
            _ => names(draft, start, word, people),
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

fn names(draft: &str, start: usize, word: &str, people: &[(Person, String)]) -> Vec<String> {
    let begins = |name: &str| {
        let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
        let head = ends.nth(word.chars().count()).map(|end| &name[..end]);
        head.is_some_and(|head| contains(head, word))
    };
    let addressed = draft.starts_with("/msg ") && !draft[..start].trim_end().contains(' ');
    let command = draft.starts_with('/');
    people
        .iter()
        .filter(|(who, _)| begins(who.name.as_str()))
        .map(|(who, label)| match () {
            // A name with a space in it, or of several people, is not one word: the id is.
            () if addressed && (who.name.as_str().contains(' ') || label != who.name.as_str()) => {
                format!("{} ", who.id.short())
            }
            () if start == 0 && !command => format!("{}: ", who.name),
            () => format!("{} ", who.name),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Name, PeerId};

    fn people(names: &[&str]) -> Vec<(Person, String)> {
        let person = |(id, &name): (usize, &&str)| {
            let who = Person { id: PeerId(id as u64 + 1), name: Name::parse(name).unwrap() };
            (who, name.to_owned())
        };
        names.iter().enumerate().map(person).collect()
    }

    fn offered(draft: &str, names: &[&str]) -> Vec<String> {
        let completion = Completion::begin(draft, draft.len(), &people(names));
        completion.map(|completion| completion.candidates).unwrap_or_default()
    }

    #[test]
    fn people_and_commands() {
        let here = ["bob", "Bobby", "alice", "Björn", "Jean Luc"];
        assert_eq!(offered("bO", &here), ["bob: ", "Bobby: "]);
        assert_eq!(offered("hi b", &here), ["bob ", "Bobby ", "Björn "]);
        assert_eq!(offered("hi bJÖ", &here), ["Björn "]);
        assert_eq!(offered("/msg al", &here), ["alice "]);
        let id = PeerId(5).short();
        assert_eq!(offered("/msg jea", &here), [format!("{id} ")]);
        assert_eq!(offered("/msg bob jea", &here), ["Jean Luc "]);
        assert_eq!(offered("/ni", &here), ["/nick "]);
        assert_eq!(offered("x /ni", &here), [""; 0]);
        assert_eq!(offered("", &here), [""; 0]);
        assert_eq!(offered("bob ", &here), [""; 0]);
        assert_eq!(offered("zed", &here), [""; 0]);
    }

    #[test]
    fn round_and_back() {
        let mut completion = Completion::begin("b", 1, &people(&["bob", "bea"])).unwrap();
        assert_eq!((completion.candidate(), completion.part.clone()), ("bob: ", 0..1));
        completion.turn(false);
        assert_eq!(completion.candidate(), "bea: ");
        completion.turn(false);
        assert_eq!(completion.candidate(), "bob: ");
        completion.turn(true);
        assert_eq!(completion.candidate(), "bea: ");
    }
}
