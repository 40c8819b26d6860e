//! What happened, in the words that line mode and the screen share.

use std::time::Duration;

use crate::driver::front::company::Company;
use crate::driver::front::invitation::Invitation;
use crate::driver::front::note::Answer;
use crate::driver::front::numbers::{counted, grouped};
use crate::driver::front::several::TEXTS_MAX;
use crate::driver::front::table::table;
use crate::driver::front::typist::Row;
use crate::driver::history::record::{Record, Said, What};
use crate::driver::os::shown::shown;
use crate::machine::doctor::COME_IN;
use crate::machine::wire::ELSEWHERE_MAX;
use crate::machine::{
    COMMANDS, CommandHelp, Event, Health, Name, Person, Pin, Presence, Room, Way, Why,
};

/// A message on one line, so that no text can begin a line: `bob: hi`, `@bob: /me waves`.
pub(crate) fn message(label: &str, text: &str, action: bool, private: bool) -> String {
    let private = if private { "@" } else { "" };
    let action = if action { "/me " } else { "" };
    format!("{private}{label}: {action}{}", text.replace('\n', " ⏎ "))
}

/// Who is here already, for who enters. Whoever mistook the secret is alone in a room of that secret.
pub(crate) fn here(company: &Company, open: bool) -> String {
    let here = company.here();
    match (here.is_empty(), open) {
        (false, _) => format!("here: {here}"),
        (true, true) => "here: nobody else yet".to_owned(),
        (true, false) => {
            "here: nobody else with this secret yet (another secret is another room)".to_owned()
        }
    }
}

/// Somebody is in. The lobby is the room of those who name none.
pub(crate) fn welcome(room: &Name, open: bool, me: &Name) -> String {
    let open = if open { " (OPEN: everybody can enter)" } else { "" };
    match room.as_str() {
        Room::LOBBY => format!("Welcome to the chat room, {me}!{open}"),
        _ => format!("Welcome to the chat room, {me}!{open} [{room}]"),
    }
}

/// Nobody is here, and somebody is next door.
pub(crate) fn elsewhere(count: u8) -> String {
    let more = if count == ELSEWHERE_MAX { " or more" } else { "" };
    let people = if count == 1 { "person is" } else { "people are" };
    format!(
        "you are alone here, and {count}{more} {people} in other rooms of this nodeset: \
         another name, or another secret, is another room"
    )
}

/// Somebody signed two messages as one.
pub(crate) fn forked(label: &str) -> String {
    format!(
        "{label} signed two different messages as one: what they say here is not what they say to others; \
         nothing more of theirs is shown"
    )
}

/// Two programs are one process to everybody.
pub(crate) fn twins(label: &str, ours: bool) -> String {
    let who = if ours { "this program" } else { label };
    format!(
        "{who} runs twice as one and the same, as from a copied home: \
         what is for one may reach the other; start one of the two again"
    )
}

/// Nobody is in a room that was asked about.
pub(crate) const fn nobody(open: bool) -> &'static str {
    if open { "nobody is here" } else { "nobody with this secret is here" }
}

/// Somebody came.
pub(crate) fn came(label: &str) -> String {
    format!("{label} has entered the chat!")
}

/// Somebody is called otherwise.
pub(crate) fn renamed(who: &Person, was: &Name, company: &Company) -> String {
    let before = company.name(&Person { name: was.clone(), ..who.clone() });
    format!("{before} is now called {}", company.label(who))
}

/// Somebody went.
pub(crate) fn left(label: &str, why: Why) -> String {
    match why {
        Why::Quit => format!("{label} has left the chat!"),
        _ => format!("{label} has left the chat! ({why})"),
    }
}

/// People are easily confused.
pub(crate) fn alike(company: &Company, one: &Person, like: &[Person], others: usize) -> String {
    let mut all = vec![company.label(one)];
    all.extend(like.iter().map(|who| company.label(who)));
    match others {
        0 => {}
        1 => all.push("1 other".to_owned()),
        more => all.push(format!("{more} others")),
    }
    match &all[..] {
        [first @ .., last] if !first.is_empty() => {
            format!("{} and {last} look the same: mind the ids", first.join(", "))
        }
        _ => format!("{} has a name that reads as an id: mind the ids", all.concat()),
    }
}

/// Whom a message did not reach, and why.
pub(crate) fn whom(company: &Company, failed: &[(Person, Why)]) -> String {
    let whom = failed.iter().map(|(who, why)| match why {
        Why::Quit => format!("{} (left)", company.label(who)),
        _ => format!("{} ({why})", company.label(who)),
    });
    whom.collect::<Vec<_>>().join(", ")
}

/// How the nodeset is, and what that means. `since` is the time of day.
pub(crate) fn nodeset(health: Health, company: &Company, since: &str) -> String {
    match health {
        Health::Online => "the nodeset is back: new people can join".to_owned(),
        Health::Silent => {
            let here = company.here();
            let still = if here.is_empty() {
                String::new()
            } else {
                format!(" you can still talk to {here};")
            };
            format!("nodeset is silent since {since};{still} {COME_IN}")
        }
    }
}

/// The answer to `/who`.
pub(crate) fn presence(people: &[Presence], company: &Company) -> Vec<String> {
    if people.is_empty() {
        return vec!["nobody else is here".to_owned()];
    }
    let head = ["name", "id", "address", "round trip", "unsent"].map(str::to_owned);
    let rows = people.iter().map(|presence| {
        [
            company.name(&presence.who),
            presence.who.id.to_string(),
            place(presence, company, "unknown"),
            presence.rtt.map_or_else(|| "–".to_owned(), milliseconds),
            presence.unacked.to_string(),
        ]
    });
    table([head].into_iter().chain(rows))
}

/// The answer to `/who` where there is less room.
pub(crate) fn presence_in_short(people: &[Presence], company: &Company) -> Vec<String> {
    if people.is_empty() {
        return presence(people, company);
    }
    let rows = people.iter().map(|presence| {
        let unsent = match presence.unacked {
            0 => String::new(),
            unacked => format!("{unacked} unsent"),
        };
        [
            format!("{} ({})", company.name(&presence.who), presence.who.id),
            presence.rtt.map_or_else(|| "–".to_owned(), milliseconds),
            place(presence, company, "no address"),
            unsent,
        ]
    });
    table(rows)
}

/// Somebody takes nothing of what we say, or does again.
pub(crate) fn reads(label: &str, reads: bool, waiting: usize) -> String {
    let waiting = counted(waiting as u64, "message");
    match reads {
        false => format!("{label} does not read: {waiting} of yours wait for them"),
        true => format!("{label} reads again ({waiting} of yours still wait)"),
    }
}

/// Somebody does not answer, or does again.
pub(crate) fn lost(label: &str, lost: bool, waiting: usize) -> String {
    match lost {
        true => format!("{label} does not answer: {}", waits(waiting)),
        false => format!("{label} answers again"),
    }
}

fn waits(waiting: usize) -> String {
    match waiting {
        0 => "what you say waits for them".to_owned(),
        1 => "a message of yours waits for them".to_owned(),
        many => format!("{many} messages of yours wait for them"),
    }
}

/// There is no way to somebody, or there is one again.
pub(crate) fn way(label: &str, way: &Way, waiting: usize, company: &Company) -> String {
    let wait = waits(waiting);
    match way {
        Way::None => format!("there is no way to {label} now: {wait}"),
        Way::Deaf => format!("{label} does not hear you: {wait}"),
        Way::Direct => format!("{label} can be reached again"),
        Way::Through(relay) => {
            format!("{label} can be reached again, through {}", company.label(relay))
        }
    }
}

/// The network keeps its users apart, as somebody on it shows.
pub(crate) fn apart(label: &str, way: &Way, company: &Company) -> String {
    let apart = format!("this network keeps its users apart: {label} is on it as well, and");
    match way {
        Way::Through(relay) => {
            format!("{apart} what you say to each other goes through {}", company.label(relay))
        }
        Way::Direct | Way::Deaf | Way::None => format!("{apart} nobody here reaches both of you"),
    }
}

/// Where somebody is.
fn place(presence: &Presence, company: &Company, unknown: &str) -> String {
    match &presence.way {
        Way::None | Way::Deaf => "no way".to_owned(),
        Way::Through(relay) => format!("via {}", company.name(relay)),
        Way::Direct => presence.addr.map_or_else(|| unknown.to_owned(), |addr| addr.to_string()),
    }
}

/// A round trip.
pub(crate) fn milliseconds(span: Duration) -> String {
    match span.as_millis() {
        0 => "<1 ms".to_owned(),
        ms => format!("{ms} ms"),
    }
}

/// The commands there are, `more` of them besides the machine's.
pub(crate) fn commands(more: &[CommandHelp]) -> Vec<String> {
    let mut all: Vec<&CommandHelp> = COMMANDS.iter().chain(more).collect();
    all.sort_by_key(|help| help.name);
    let slash = ["//TEXT".to_owned(), "say a text that begins with a slash".to_owned()];
    table(all.iter().map(|help| [help.usage.to_owned(), help.what.to_owned()]).chain([slash]))
}

/// Where the chat is written, if it is.
pub(crate) fn logging(path: Option<&str>) -> String {
    match path {
        Some(path) => format!("writing the chat to {}", shown(path)),
        None => "the chat is not written to a file".to_owned(),
    }
}

/// A message that was kept, on one line.
pub(crate) fn kept(said: &Said, company: &Company) -> String {
    let from = company.label(&said.from);
    let label = match &said.to {
        Some(to) => format!("{from} → {}", company.label(to)),
        None => from,
    };
    message(&label, said.text.as_str(), said.action, said.private)
}

/// Whatever is kept, on one line, as in the log of the chat.
pub(crate) fn record(record: &Record, company: &Company) -> String {
    match &record.what {
        What::Said(said) => kept(said, company),
        What::Came(who) => format!("* {}", came(&company.label(who))),
        What::Left(who, why) => format!("* {}", left(&company.label(who), *why)),
        What::Renamed { who, was } => format!("* {}", renamed(who, was, company)),
        What::Missing(from, count) => format!("* {count} missing from {}", company.label(from)),
        What::Lost(count) => {
            let are = if *count == 1 { "is" } else { "are" };
            format!("* {} {are} missing here", counted(*count, "record"))
        }
    }
}

/// What came of a question about what is kept.
pub(crate) fn answer(answer: &Answer) -> String {
    let messages = |count: u64| counted(count, "message");
    match answer {
        Answer::Last(0) => "no message of this room is kept (--history keeps them)".to_owned(),
        Answer::Last(count) => format!("kept before: {}", messages(*count)),
        Answer::Found { text, count: 0, .. } => {
            format!("no message that is kept has '{}' in it", shown(text))
        }
        Answer::Found { text, count, all } => {
            let more = if *all { "" } else { "; there are older ones" };
            format!("'{}' is in {}, the newest first{more}", shown(text), messages(*count))
        }
        Answer::Forget { bytes: 0 } => "nothing is kept of this room".to_owned(),
        Answer::Forget { bytes } => format!(
            "/forget yes removes what is kept of this room on this computer, for good: {}",
            size(*bytes)
        ),
        Answer::Forgotten { bytes, keeps } => {
            let more = if *keeps { "; what is said from here on is kept again" } else { "" };
            format!("what was kept of this room is removed: {}{more}", size(*bytes))
        }
        Answer::Refused(what) => what.clone(),
    }
}

/// How much that is, about.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => counted(bytes, "byte"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// What becomes of lines that came at once, as no hand types them.
pub(crate) fn pasted(row: &Row) -> String {
    let counted = |lines: usize| counted(lines as u64, "line");
    match row {
        Row::Line(line) => line.clone(),
        Row::Paste { lines, bytes, messages } => {
            let messages = match messages {
                1 => "one message".to_owned(),
                more => format!("{more} messages"),
            };
            if *lines == 1 {
                let bytes = grouped(*bytes);
                return format!("{bytes} bytes are {messages}: y says them, n does not");
            }
            format!(
                "{} came at once ({} bytes), as of a paste: y says them as {messages}, n does not",
                counted(*lines),
                grouped(*bytes)
            )
        }
        Row::TooLong { lines: 1, bytes } => format!(
            "{} bytes, the limit is {}: nothing was said",
            grouped(*bytes),
            grouped(TEXTS_MAX)
        ),
        Row::TooLong { lines, bytes } => format!(
            "{} came at once, {} bytes, the limit is {}: nothing was said",
            counted(*lines),
            grouped(*bytes),
            grouped(TEXTS_MAX)
        ),
        Row::Dropped => "the paste was not said".to_owned(),
        Row::Unclear { lines } => {
            format!("{}; what was typed now waits", answers(*lines))
        }
        Row::Unheld { lines, line } => {
            format!(
                "{}; no more lines can wait, and this one was not said: {line}",
                answers(*lines)
            )
        }
    }
}

/// How so many pasted lines are answered for.
fn answers(lines: usize) -> String {
    match lines {
        1 => "y says the long line, n does not".to_owned(),
        _ => format!("y says the {lines} lines that were pasted, n does not"),
    }
}

/// A line that was typed, and will not be said any more.
pub(crate) fn unsaid(line: &str) -> String {
    format!("not said: {line}")
}

/// Somebody goes by a trusted name.
pub(crate) fn other_key(company: &Company, who: &Person) -> String {
    let label = company.label(who);
    format!(
        "WARNING: {label} has another key than the one you trust under this name, or one like it!"
    )
}

/// Whose key is whose.
pub(crate) fn keys(event: &Event<'_>, company: &Company) -> Option<String> {
    Some(match event {
        Event::Trusted { who, .. } => {
            format!("{} is remembered under this key", company.label(who))
        }
        Event::Untrusted { name, .. } => format!("{name} may be anybody again"),
        Event::OtherKey { who } => format!(
            "{} It may be somebody else, and what they say is marked with !: /verify {}",
            other_key(company, who),
            company.address(who)
        ),
        Event::Whois { who, key, addr, trusted } => {
            let at = addr.map_or_else(|| "unknown".to_owned(), |addr| addr.to_string());
            let trusted = if *trusted { ", trusted ✓" } else { "" };
            let you = if company.is_me(who.id) { " (you)" } else { "" };
            format!("{}{you}: id {}, address {at}, key {key}{trusted}", company.label(who), who.id)
        }
        Event::Words { who, words } => {
            format!("compare aloud with {}; both must see:  {words}", company.label(who))
        }
        _ => return None,
    })
}

/// The answer to `/trusted`.
pub(crate) fn trusted(pins: &[Pin]) -> Vec<String> {
    if pins.is_empty() {
        return vec!["no name is trusted yet: /trust NAME".to_owned()];
    }
    table(pins.iter().map(|pin| [pin.name.to_string(), pin.key.to_string()]))
}

/// What others type to join, where each stands in a line; the secret where nobody keeps it.
pub(crate) fn invite(invitation: &Invitation, private: bool) -> Vec<String> {
    let mut lines = joining("others join with:  ", invitation);
    match invitation.secret() {
        Some(secret) if private => {
            lines.push(format!("and the secret that it asks for:  {}", *secret));
        }
        Some(_) => lines.push("it asks for the secret of this room".to_owned()),
        None => {}
    }
    lines.extend(invitation.doubt().map(str::to_owned));
    lines
}

/// How a room that this process opened is joined, in lines.
pub(crate) fn opened(invitation: &Invitation) -> Vec<String> {
    joining("you opened this room. Others join with:  ", invitation)
}

/// What others type, behind a few words, and in lines below it what they may type as well.
fn joining(lead: &str, invitation: &Invitation) -> Vec<String> {
    let others = invitation.others().map(|(_, line)| format!("{:>1$}{line}", "or:  ", lead.len()));
    [format!("{lead}{}", invitation.line())].into_iter().chain(others).collect()
}

/// Who still needs somebody that wants to leave.
pub(crate) fn needed(here: &str, elsewhere: usize) -> String {
    let others = match (here, elsewhere) {
        ("", 1) => "1 person in another room".to_owned(),
        ("", more) => format!("{more} people in other rooms"),
        (here, 0) => here.to_owned(),
        (here, more) => format!("{here}, and {more} in other rooms"),
    };
    format!(
        "the nodeset here is what others joined through: {others}. They can talk on without it, and \
         nobody new can join"
    )
}
