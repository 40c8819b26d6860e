//! Why a line was not carried out, in words.

use crate::driver::front::company::IMPOSTOR;
use crate::driver::front::numbers::grouped;
use crate::driver::os::failure::{Failure, status};
use crate::machine::{NameProblem, PINS_MAX, Person, PublicKey, Refusal, TEXT_MAX};

/// A refusal for people and for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// The word for programs.
    pub(crate) code: &'static str,
    /// What was wrong. It ends with the fact that nothing was sent where somebody may wonder.
    pub(crate) what: String,
    /// What to do instead.
    pub(crate) hint: Option<String>,
}

impl Words {
    /// Everything on one line.
    pub(crate) fn line(&self) -> String {
        // What was typed may hold a line feed.
        let what = self.what.replace('\n', " ⏎ ");
        match &self.hint {
            Some(hint) => format!("{what} — {hint}"),
            None => what,
        }
    }
}

/// Says why.
pub(crate) fn words(refusal: &Refusal<'_>) -> Words {
    let (code, what, hint) = match refusal {
        Refusal::TooLong { bytes } => return too_long(*bytes, TEXT_MAX),
        Refusal::Empty => ("empty", "nothing is left to send".to_owned(), None),
        Refusal::UnknownCommand { typed, nearest } => {
            let literally = format!("(//{typed} sends it as text)");
            let hint = match nearest {
                Some(name) => format!("did you mean /{name}? {literally}"),
                None => format!("/help lists them {literally}"),
            };
            ("unknown_command", format!("unknown command /{typed}"), Some(hint))
        }
        Refusal::Otherwise { typed, how } => {
            ("unknown_command", format!("there is no /{typed} here"), Some((*how).to_owned()))
        }
        Refusal::Usage(usage) => ("usage", format!("usage: {usage}"), None),
        Refusal::LikeSlash(slash) => (
            "like_slash",
            format!("it begins with {slash}, which is not /: nothing was sent"),
            Some("/ opens a command, /say TEXT says a text as it stands".to_owned()),
        ),
        Refusal::NobodyCalled(name) => {
            ("nobody", format!("nobody here is called '{name}'"), Some("/who".to_owned()))
        }
        Refusal::SeveralCalled(name) => (
            "several",
            format!("'{name}' can be more than one person"),
            Some("say it to a whole id: /who shows them".to_owned()),
        ),
        Refusal::NotTrusted(name) => {
            ("nobody", format!("no name is trusted like '{name}'"), Some("/trusted".to_owned()))
        }
        Refusal::TrustedFull => (
            "full",
            format!("{} names are trusted, and no more can be", grouped(PINS_MAX)),
            Some("/trusted shows them, /untrust NAME makes room".to_owned()),
        ),
        Refusal::TrustedOtherwise { who, trusted } => return trusted_otherwise(who, trusted),
        Refusal::OtherKey(who) => return other_key(who),
        Refusal::Yourself => (
            "nobody",
            "that is you: nothing was sent or changed".to_owned(),
            Some("/whois shows your own key, too".to_owned()),
        ),
        Refusal::NobodyWithId(id) => {
            ("nobody", format!("nobody here has the id {id}"), Some("/who".to_owned()))
        }
        Refusal::NobodyWithKey(key) => {
            ("nobody", format!("nobody here has the key {key}"), Some("/who".to_owned()))
        }
        Refusal::NameOrId { word, named, begun } => (
            "ambiguous",
            format!("'{word}' is the name of one person and reads as the id of another"),
            Some(format!("write {named} for the one of that name, {begun} for the other")),
        ),
        Refusal::Name(problem) => {
            let failure = name_refused(problem);
            (failure.code, failure.what, failure.hints.first().cloned())
        }
        Refusal::Backlog { messages } => (
            "backlog",
            format!("{} messages are still undelivered: nothing was sent", grouped(*messages)),
            Some("say it again later".to_owned()),
        ),
        Refusal::NotJoined => ("not_joined", "not in the room: nothing was sent".to_owned(), None),
    };
    Words { code, what, hint }
}

/// Somebody is to be trusted under a name that is trusted to be another's.
fn trusted_otherwise(who: &Person, trusted: &PublicKey) -> Words {
    let (name, label) = (&who.name, marked(who));
    let [trusted, here] = [trusted, &who.key].map(|key| key.to_string()[..8].to_owned());
    let what = format!(
        "{name} is trusted under another key already: {trusted}…, and {label} has {here}…: \
         nothing was changed"
    );
    let hint = format!("/verify {label}; /untrust {name} comes first");
    Words { code: "other_key", what, hint: Some(hint) }
}

/// A trusted name was written, and who has it here is not who is trusted.
fn other_key(who: &Person) -> Words {
    let what = format!(
        "{} here has another key than the one you trust under this name, or one like it: \
         nothing was sent or changed",
        who.name
    );
    let hint = format!("write {} or {} to mean them all the same", marked(who), who.id);
    Words { code: "other_key", what, hint: Some(hint) }
}

/// Somebody under a trusted name with another key, as they are shown.
fn marked(who: &Person) -> String {
    format!("{IMPOSTOR}{}·{}", who.name, who.id.short())
}

/// Why a name cannot be had.
pub(crate) fn name_refused(problem: &NameProblem) -> Failure {
    let refused = |code, what| Failure::new(status::NAME, code, what);
    match problem {
        NameProblem::Taken(name) => {
            refused("name_taken", format!("the name '{name}' is in use in this room"))
        }
        NameProblem::LooksLike { wanted, present } => {
            refused("name_alike", format!("'{wanted}' looks the same as '{present}', who is here"))
                .hint("pick a name that cannot be confused")
        }
        NameProblem::ReadsAsId { wanted, of } => {
            let what = match of {
                Some(of) => format!("'{wanted}' reads as the id of '{of}', who is here"),
                None => format!("'{wanted}' reads as an id"),
            };
            refused("name_alike", what).hint("pick a name that cannot be confused")
        }
        NameProblem::Invalid(error) => refused("bad_name", error.to_string()),
    }
}

/// A line over a limit.
pub(crate) fn too_long(bytes: usize, limit: usize) -> Words {
    let (bytes, limit) = (grouped(bytes), grouped(limit));
    let what = format!("{bytes} bytes, the limit is {limit}: nothing was sent");
    Words { code: "too_long", what, hint: None }
}

/// A line that is not text.
pub(crate) fn not_utf8(number: u64) -> Words {
    let what = format!("line {number} is not valid UTF-8: nothing was sent");
    Words { code: "bad_input", what, hint: None }
}
