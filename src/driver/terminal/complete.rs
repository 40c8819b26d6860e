//! Tab, and the list above the draft: names of people, commands, and what may stand behind one.

use std::ops::Range;

use crate::driver::front::search::begins;
use crate::driver::terminal::commands::{SCREEN, beginning};
use crate::driver::terminal::settings::values;
use crate::machine::{COMMANDS, CommandHelp, Opening, Person};

/// Bytes of the longest beginning of a name, with a sign in front.
const PART_MAX: usize = 100;

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
    /// What is expected at the cursor, and which part of the draft that is so far, bytes. It goes as far
    /// back as somebody's name does, who is in `people`.
    pub(crate) fn at(draft: &str, cursor: usize, people: &[Person]) -> (Self, Range<usize>) {
        let before = &draft[..cursor];
        let text = |first: bool| {
            let at = name_at(before, people);
            (Self::Text { first: first && at == 0 }, at..cursor)
        };
        let Ok(Opening::Command { word, rest }) = Opening::of(before) else {
            return text(true);
        };
        if rest.is_empty() && before.ends_with(&format!("/{word}")) {
            return (Self::Command, cursor - word.len() - 1..cursor);
        }
        let Ok(help) = CommandHelp::find(word, &[COMMANDS, SCREEN]) else { return text(false) };
        let part = cursor - rest.len()..cursor;
        let one_name = !rest.contains(char::is_whitespace)
            || !rest.ends_with(char::is_whitespace) && is_beginning(rest, people);
        match help.name {
            "help" => (Self::Explained, part),
            // A text follows.
            "msg" if !one_name => text(false),
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
        let lower = part.to_lowercase();
        match self {
            Self::Command | Self::Explained => {
                let part = part.strip_prefix('/').unwrap_or(part);
                beginning(part).into_iter().map(Candidate::Command).collect()
            }
            Self::Value(help) => {
                let all = values(help.name).into_iter();
                all.filter(|[value, _]| value.starts_with(&lower)).map(Candidate::Value).collect()
            }
            Self::Open(_) => Vec::new(),
            Self::Somebody(_) => named(part.trim_start_matches(['@', '!'])),
            // Behind a blank Tab has another meaning.
            Self::Text { .. } if part.is_empty() => Vec::new(),
            Self::Text { .. } => named(part.strip_prefix('@').unwrap_or(part)),
        }
    }
}

/// Whether a name of somebody begins like that, behind the signs of a label.
fn is_beginning(part: &str, people: &[Person]) -> bool {
    let part = part.trim_start_matches(['@', '!']);
    people.iter().any(|who| begins(who.name.as_str(), part))
}

/// Where a name begins that goes on to the end of a text: as many words as somebody's name has in common
/// with it, or the last one, without what opens a bracket or a quotation in front of it.
fn name_at(before: &str, people: &[Person]) -> usize {
    let blanks = before.char_indices().filter(|(_, letter)| letter.is_whitespace());
    let starts = || blanks.clone().map(|(at, blank)| at + blank.len_utf8());
    let word_at = starts().next_back().unwrap_or(0);
    let opened = |at: usize| {
        let opens = |c: char| !c.is_alphanumeric() && !matches!(c, '@' | '/' | '!');
        before.len() - before[at..].trim_start_matches(opens).len()
    };
    if word_at == before.len() {
        return word_at;
    }
    let far = before.len().saturating_sub(PART_MAX);
    let several = [0].into_iter().chain(starts()).filter(|&at| (far..word_at).contains(&at));
    let all = several.flat_map(|at| [at, opened(at)]).chain([word_at, opened(word_at)]);
    let begins = |at: &usize| *at < before.len() && is_beginning(&before[*at..], people);
    { all }.find(begins).unwrap_or(word_at)
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
    /// `address` is what to write so that one of them is meant and nobody else, and `named` what to
    /// write in a text.
    pub(crate) fn begin(
        draft: &str,
        cursor: usize,
        people: &[Person],
        address: impl Fn(&Person) -> String,
        named: impl Fn(&Person) -> String,
    ) -> Option<Self> {
        let (slot, part) = Slot::at(draft, cursor, people);
        let so_far = &draft[part.clone()];
        let candidates = slot.candidates(so_far, people).into_iter().take(CANDIDATES_MAX);
        let written = candidates.map(|candidate| match (candidate, slot) {
            (Candidate::Command(help), Slot::Explained) => help.name.to_owned(),
            (Candidate::Command(help), _) => format!("/{} ", help.name),
            (Candidate::Value([value, _]), _) => value.to_owned(),
            // What follows the name of somebody else could be said to them: the id is one word.
            (Candidate::Person(who), Slot::Somebody(help))
                if help.name == "msg" && goes_on(who, people) =>
            {
                format!("{} ", who.id)
            }
            (Candidate::Person(who), Slot::Somebody(_)) => format!("{} ", address(who)),
            (Candidate::Person(who), _) if so_far.starts_with('@') => format!("@{} ", named(who)),
            (Candidate::Person(who), Slot::Text { first: true }) => format!("{}: ", named(who)),
            (Candidate::Person(who), _) => format!("{} ", named(who)),
        });
        // The blank behind it may be there.
        let is_apart = draft[cursor..].starts_with(char::is_whitespace);
        let fitting = |written: String| match written.strip_suffix(' ') {
            Some(cut) if is_apart => cut.to_owned(),
            _ => written,
        };
        let candidates: Vec<String> = written.map(fitting).collect();
        let popup = Popup::default();
        (!candidates.is_empty()).then_some(Self { candidates, at: 0, popup, part })
    }

    /// The same, with those candidates alone of which that is true; `None` where there is none.
    pub(crate) fn of(mut self, offered: impl Fn(&str) -> bool) -> Option<Self> {
        self.candidates.retain(|written| offered(written));
        (!self.candidates.is_empty()).then_some(self)
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

/// Whether somebody's name is that of another one with more words behind it.
fn goes_on(who: &Person, people: &[Person]) -> bool {
    let goes_on = |other: &Person| {
        let rest = who.name.as_str().strip_prefix(other.name.as_str());
        rest.is_some_and(|rest| rest.starts_with(' '))
    };
    people.iter().any(goes_on)
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
        offered_at(draft, draft.len(), names)
    }

    fn offered_at(draft: &str, cursor: usize, names: &[&str]) -> Vec<String> {
        let named = |who: &Person| who.name.to_string();
        let completion = Completion::begin(draft, cursor, &people(names), address, named);
        completion.map(|completion| completion.candidates).unwrap_or_default()
    }

    /// What the draft is once Tab was pressed at the cursor, which is where the bar stands.
    fn completed(draft: &str, names: &[&str]) -> String {
        let cursor = draft.find('|').unwrap();
        let draft = draft.replace('|', "");
        let named = |who: &Person| format!("!{}·k7f3", who.name);
        let named = |who: &Person| {
            if who.name.as_str() == "mallory" { named(who) } else { who.name.to_string() }
        };
        let completion = Completion::begin(&draft, cursor, &people(names), address, named);
        let completion = completion.expect("somebody");
        let part = completion.part.clone();
        format!("{}{}|{}", &draft[..part.start], completion.candidate(), &draft[part.end..])
    }

    #[test]
    fn a_name_of_several_words_is_one_name() {
        let here = ["Ann Lee", "bob", "Leo"];
        for (draft, done) in [
            ("@ann l|", "@Ann Lee |"),
            ("ask @Ann L|", "ask @Ann Lee |"),
            ("ann l|", "Ann Lee: |"),
            ("hi ann l|", "hi Ann Lee |"),
            ("/msg Ann L|", "/msg Ann Lee |"),
            ("/msg ann|", "/msg Ann Lee |"),
            ("/whois ann l|", "/whois Ann Lee |"),
            ("/msg bob ann l|", "/msg bob Ann Lee |"),
            ("/me hugs ann l|", "/me hugs Ann Lee |"),
            ("man l|", "man Leo |"),
        ] {
            assert_eq!(completed(draft, &here), done, "{draft}");
        }
        // It reads as something for Ann.
        let id = PeerId(2).to_string();
        assert_eq!(completed("/msg Ann L|", &["Ann", "Ann Lee"]), format!("/msg {id} |"));
    }

    #[test]
    fn what_stands_around_a_word_stays_as_it_is() {
        let here = ["bob", "(me)"];
        for (draft, done) in [
            ("(bo|", "(bob |"),
            ("say \"bo|", "say \"bob |"),
            ("(@bo|", "(@bob |"),
            ("«bo| da", "«bob| da"),
            ("hi bo| there", "hi bob| there"),
            ("bo| there", "bob:| there"),
            ("/msg bo| there", "/msg bob| there"),
            ("see bo|\tx", "see bob|\tx"),
            ("(m|", "(me): |"),
        ] {
            assert_eq!(completed(draft, &here), done, "{draft}");
        }
        assert_eq!(offered("mail bob@bo", &here), [""; 0]);
        assert_eq!(offered("(", &here), ["(me): "]);
    }

    /// The name alone is that of somebody else, whom we trust.
    #[test]
    fn an_impostor_is_written_with_their_label_in_a_sentence_too() {
        let here = ["mallory"];
        assert_eq!(completed("ask ma|", &here), "ask !mallory·k7f3 |");
        assert_eq!(completed("@ma|", &here), "@!mallory·k7f3 |");
        assert_eq!(completed("ma|", &here), "!mallory·k7f3: |");
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
        assert_eq!(offered("/msg jea", &here), ["Jean Luc "]);
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
        assert_eq!(offered("/msg ", &here), ["alice ", "Jean Luc "]);
        assert_eq!(offered("/msg alice ", &here), [""; 0], "a text follows");
        assert_eq!(offered("/whois jean l", &here), ["Jean Luc "]);
        assert_eq!(offered("/notify ", &here), ["off", "mentions", "all"]);
        assert_eq!(offered("/not a", &here), ["all"]);
        assert_eq!(offered("/not A", &here), ["all"]);
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
        let named = |who: &Person| who.name.to_string();
        let mut completion = Completion::begin("b", 1, &people, address, named).unwrap();
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
        for draft in [
            "/",
            "//",
            "/ ",
            " \u{feff}/msg b",
            "/msg\nbob",
            "/é é",
            "@",
            "/msg \u{3000}",
            "é @",
            "«é\u{3000}(",
        ] {
            for cursor in (0..=draft.len()).filter(|&at| draft.is_char_boundary(at)) {
                let (slot, part) = Slot::at(draft, cursor, &people(&["b b", "é"]));
                let so_far = draft.get(part);
                assert!(so_far.is_some(), "{draft:?} {cursor} {slot:?}");
            }
        }
    }
}
