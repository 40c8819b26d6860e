//! The plain front end: one message is one line on standard output, and nothing else is.
//!
//! | line on standard output | what it is |
//! |---|---|
//! | `NAME: TEXT` | a message |
//! | `NAME: /me TEXT` | something NAME does, written the way it was typed |
//! | `@NAME: TEXT` | a message to us alone |
//!
//! A line feed inside a text is shown as ` ⏎ `, so that no text can begin a line; no name begins
//! with `@` or ends with a colon, so that no name can pass for a mark. Everything else goes to
//! standard error as `* …`. People whose names look alike are shown with their ids: `alice·k7f3`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use unicode_width::UnicodeWidthChar;

use super::clock::{time_of_day, unix_ms};
use super::front::{Front, Note, Paper, Reading, Wish, counted};
use super::refusal::{not_utf8, too_long, words};
use super::report::Failure;
use super::splitter::Piece;
use super::table::table;
use crate::machine::{COMMANDS, Event, Health, Name, PeerId, Person, Presence, Why};

/// How much of an undelivered message is shown, in columns.
const EXCERPT_COLUMNS: usize = 40;

/// What the plain front end is asked to leave out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    /// Only messages, failures, and what needs attention.
    pub(crate) quiet: bool,
    /// No messages either: somebody only wants to send.
    pub(crate) deaf: bool,
    /// Lines are text, whatever they begin with.
    pub(crate) literal: bool,
    /// Errors are red.
    pub(crate) colour: bool,
}

/// Events as lines of text.
#[derive(Debug)]
pub(crate) struct Lines {
    style: Style,
    me: Option<PeerId>,
    people: BTreeMap<PeerId, Name>,
    /// Those who are shown with their id.
    alike: BTreeSet<PeerId>,
    /// How our messages begin that are not done yet.
    pending: BTreeMap<u64, String>,
    /// It was said already that nobody is here.
    said_alone: bool,
}

impl Lines {
    pub(crate) const fn new(style: Style) -> Self {
        Self {
            style,
            me: None,
            people: BTreeMap::new(),
            alike: BTreeSet::new(),
            pending: BTreeMap::new(),
            said_alone: false,
        }
    }

    fn label(&self, who: &Person) -> String {
        // A name with the sign that sets an id apart could pass for somebody else's label.
        if self.alike.contains(&who.id) || who.name.as_str().contains('·') {
            let id = who.id.to_string();
            // Two devices of one person have the same four letters.
            let twin = |&other: &PeerId| other != who.id && other.short() == id[..4];
            let letters = if self.alike.iter().any(twin) { 8 } else { 4 };
            format!("{}·{}", who.name, &id[..letters])
        } else {
            who.name.to_string()
        }
    }

    fn here(&self) -> String {
        let labels =
            self.people.iter().map(|(&id, name)| self.label(&Person { id, name: name.clone() }));
        labels.collect::<Vec<_>>().join(", ")
    }

    fn message(&self, from: &Person, text: &str, action: bool, private: bool, paper: &mut Paper) {
        if self.style.deaf {
            return;
        }
        let private = if private { "@" } else { "" };
        let action = if action { "/me " } else { "" };
        let text = text.replace('\n', " ⏎ ");
        paper.say(format_args!("{private}{}: {action}{text}", self.label(from)));
    }

    /// Who comes, goes, and is called what: noise, for some.
    fn presence(&mut self, event: &Event<'_>, paper: &mut Paper) {
        let line = match event {
            Event::Ready { me, people, open, .. } => {
                self.me = Some(me.id);
                self.people = people.iter().map(|who| (who.id, who.name.clone())).collect();
                let here = self.here();
                let here = if here.is_empty() { "nobody else yet".to_owned() } else { here };
                let open = if *open { " (OPEN: everybody can enter)" } else { "" };
                format!("Welcome to the chat room, {}!{open}\n* here: {here}", me.name)
            }
            Event::Joined(who) => {
                self.people.insert(who.id, who.name.clone());
                self.said_alone = false;
                format!("{} has entered the chat!", self.label(who))
            }
            Event::Left { who, why } => {
                self.people.remove(&who.id);
                let label = self.label(who);
                self.alike.remove(&who.id);
                match why {
                    Why::Quit => format!("{label} has left the chat!"),
                    _ => format!("{label} has left the chat! ({why})"),
                }
            }
            Event::Renamed { who, was } if Some(who.id) == self.me => {
                format!("you are now called {} (before: {was})", who.name)
            }
            Event::Renamed { who, was } => {
                self.people.insert(who.id, who.name.clone());
                format!("{was} is now called {}", self.label(who))
            }
            _ => return,
        };
        if !self.style.quiet {
            paper.remark(format_args!("* {line}"));
        }
    }

    fn done(&mut self, number: u64, failed: &[(Person, Why)], paper: &mut Paper) {
        let excerpt = self.pending.remove(&number).unwrap_or_default();
        if failed.is_empty() {
            return;
        }
        let whom = failed.iter().map(|(who, why)| match why {
            Why::Quit => format!("{} (left)", self.label(who)),
            _ => format!("{} ({why})", self.label(who)),
        });
        let whom = whom.collect::<Vec<_>>().join(", ");
        paper.remark(format_args!("* not delivered to {whom}: \"{excerpt}\""));
    }

    fn nodeset(&self, health: Health, paper: &mut Paper) {
        match health {
            Health::Online => paper.remark("* the nodeset is back: new people can join"),
            Health::Silent => {
                let since = time_of_day(unix_ms());
                let here = self.here();
                let still = if here.is_empty() {
                    String::new()
                } else {
                    format!(" you can still talk to {here};")
                };
                paper.remark(format_args!(
                    "* nodeset is silent since {since};{still} new people cannot join"
                ));
            }
        }
    }
}

impl Front for Lines {
    fn show(&mut self, event: &Event<'_>, paper: &mut Paper) {
        match event {
            Event::Ready { .. } | Event::Joined(_) | Event::Left { .. } | Event::Renamed { .. } => {
                self.presence(event, paper);
            }
            Event::Alike { one, other } => {
                self.alike.extend([one.id, other.id]);
                let (one, other) = (self.label(one), self.label(other));
                paper.remark(format_args!("* {one} and {other} look the same: mind the ids"));
            }
            Event::Message { from, text, action, private, .. } => {
                self.message(from, text.as_str(), *action, *private, paper);
            }
            Event::Sent { id, text, readers, to, .. } => {
                self.pending.insert(id.number, excerpt(text.as_str()));
                if *readers == 0 && to.is_none() && !self.said_alone {
                    self.said_alone = true;
                    paper.remark("* nobody is here to hear it");
                }
            }
            Event::Done { id, failed, .. } => self.done(id.number, failed, paper),
            Event::Missing { from, count } => {
                paper.remark(format_args!("* {count} missing from {}", self.label(from)));
            }
            Event::Nodeset(health) => self.nodeset(*health, paper),
            Event::Trusted { who, .. } => {
                paper.remark(format_args!("* {} is remembered under this key", self.label(who)));
            }
            Event::OtherKey { who } => paper.remark(format_args!(
                "* WARNING: {} has another key than the one you trust under this name! \
                 It may be somebody else: /verify {}",
                self.label(who),
                who.name
            )),
            Event::Whois { who, key, addr, trusted } => {
                let at = addr.map_or_else(|| "unknown".to_owned(), |addr| addr.to_string());
                let (label, id) = (self.label(who), who.id);
                let trusted = if *trusted { ", trusted ✓" } else { "" };
                paper.remark(format_args!("* {label}: id {id}, address {at}, key {key}{trusted}"));
            }
            Event::Words { who, words } => {
                let label = self.label(who);
                paper.remark(format_args!("* compare aloud with {label}; both must see:  {words}"));
            }
            Event::People(people) => people_table(people, paper),
            Event::Help => help(paper),
            Event::Refused(refusal) => {
                paper.remark(format_args!("* {}", words(refusal).line()));
            }
            Event::Leaving { .. }
            | Event::Acked { .. }
            | Event::Invite { .. }
            | Event::Listing(_) => {}
        }
    }

    fn note(&mut self, note: Note, paper: &mut Paper) {
        match note {
            Note::Opened(addr) => paper.remark(format_args!(
                "! you opened this room. Others join with:  chatrpc chat {addr}"
            )),
            Note::Invite(line) => paper.remark(format_args!("* others join with:  {line}")),
            Note::Waiting(unacked) => {
                let waiting = counted(unacked as u64, "message");
                paper.remark(format_args!(
                    "* leaving: waiting for {waiting} (again to leave at once)"
                ));
            }
            Note::Dropped(count) => {
                let (lines, were) =
                    (counted(count, "line"), if count == 1 { "was" } else { "were" });
                paper.remark(format_args!("* {lines} {were} not shown: the output was stalled"));
            }
        }
    }

    fn fail(&mut self, failure: &Failure, paper: &mut Paper) {
        paper.err += &failure.text(self.style.colour);
    }

    fn bye(&mut self, _status: u8, _paper: &mut Paper) {}

    fn read(&mut self, piece: Piece<'_>, paper: &mut Paper) -> Reading {
        let refusal = match piece {
            // An empty line says nothing, on a terminal as well as between paragraphs of a file.
            Piece::Line(line) if line.trim().is_empty() => return Reading::Nothing,
            Piece::Line(line) if self.style.literal => {
                let text = line.to_owned();
                return Reading::Wish(Wish::Say { text, action: false, to: None });
            }
            Piece::Line(line) => return Reading::Wish(Wish::Line(line.to_owned())),
            Piece::TooLong { bytes, limit } => too_long(bytes, limit),
            Piece::NotUtf8 { number } => not_utf8(number),
        };
        paper.remark(format_args!("* {}", refusal.line()));
        Reading::Refused
    }
}

/// The beginning of a text, on one line.
fn excerpt(text: &str) -> String {
    let text = text.replace('\n', " ⏎ ");
    let mut columns = 0;
    for (at, letter) in text.char_indices() {
        columns += letter.width().unwrap_or(0);
        if columns > EXCERPT_COLUMNS {
            return format!("{}…", &text[..at]);
        }
    }
    text
}

fn people_table(people: &[Presence], paper: &mut Paper) {
    if people.is_empty() {
        return paper.remark("* nobody else is here");
    }
    let head = ["name", "id", "address", "round trip", "unsent"].map(str::to_owned);
    let rows = people.iter().map(|presence| {
        [
            presence.who.name.to_string(),
            presence.who.id.short(),
            presence.addr.map_or_else(|| "unknown".to_owned(), |addr| addr.to_string()),
            presence.rtt.map_or_else(|| "–".to_owned(), milliseconds),
            presence.unacked.to_string(),
        ]
    });
    for line in table([head].into_iter().chain(rows)) {
        paper.remark(format_args!("* {line}"));
    }
}

fn milliseconds(span: Duration) -> String {
    match span.as_millis() {
        0 => "<1 ms".to_owned(),
        ms => format!("{ms} ms"),
    }
}

fn help(paper: &mut Paper) {
    let more = ["//TEXT".to_owned(), "say a text that begins with a slash".to_owned()];
    let rows = COMMANDS.iter().map(|help| [help.usage.to_owned(), help.what.to_owned()]);
    for line in table(rows.chain([more])) {
        paper.remark(format_args!("* {line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{MessageId, SafeText};

    fn who(id: u64, name: &str) -> Person {
        Person { id: PeerId(id), name: Name::parse(name).unwrap() }
    }

    fn ready(people: &[Person]) -> Event<'static> {
        let addr = "127.0.0.1:1".parse().unwrap();
        let people = people.to_vec();
        Event::Ready { me: who(1, "me"), addr, nodeset: addr, people, open: false }
    }

    fn message(from: &Person, text: &'static str, action: bool, private: bool) -> Event<'static> {
        let id = MessageId { author: from.id, number: 1 };
        let (from, text) = (from.clone(), SafeText::new(text));
        Event::Message { id, from, text, action, private, mention: false }
    }

    /// What is printed for some events: standard output and standard error.
    fn shown(style: Style, events: &[Event<'_>]) -> (String, String) {
        let (mut lines, mut paper) = (Lines::new(style), Paper::default());
        events.iter().for_each(|event| lines.show(event, &mut paper));
        (paper.out, paper.err)
    }

    #[test]
    fn a_message_is_one_line_and_a_notice_is_none() {
        let bob = who(2, "bob");
        let (out, err) = shown(
            Style::default(),
            &[
                ready(std::slice::from_ref(&bob)),
                message(&bob, "hi\n* bob has left the chat!", false, false),
                message(&bob, "waves", true, false),
                message(&bob, "psst", false, true),
                Event::Missing { from: bob.clone(), count: 2 },
                Event::Left { who: bob, why: Why::Timeout },
            ],
        );
        assert_eq!(out, "bob: hi ⏎ * bob has left the chat!\nbob: /me waves\n@bob: psst\n");
        assert_eq!(
            err,
            "* Welcome to the chat room, me!\n* here: bob\n* 2 missing from bob\n\
             * bob has left the chat! (timeout)\n"
        );
    }

    #[test]
    fn namesakes_are_told_apart() {
        let (one, other) = (who(1 << 62, "bob"), who(2 << 62, "bob"));
        let (a, b) = (one.id.short(), other.id.short());
        let alike = Event::Alike { one: one.clone(), other: other.clone() };
        let forger = who(3, &format!("bob·{a}"));
        let (out, err) = shown(
            Style::default(),
            &[alike, message(&one, "x", false, false), message(&forger, "y", false, false)],
        );
        assert_eq!(err, format!("* bob·{a} and bob·{b} look the same: mind the ids\n"));
        let real = forger.id.short();
        assert_eq!(out, format!("bob·{a}: x\nbob·{a}·{real}: y\n"));
    }

    #[test]
    fn what_did_not_arrive_is_quoted() {
        let dave = who(4, "dave");
        let id = MessageId { author: PeerId(1), number: 7 };
        let text = SafeText::new("one\ntwo three four five six seven eight nine ten");
        let sent = Event::Sent { id, text, action: false, to: None, readers: 1 };
        let done = Event::Done { id, acked: 0, failed: vec![(dave, Why::Timeout)] };
        let (_, err) = shown(Style::default(), &[sent, done]);
        let quoted = "one ⏎ two three four five six seven eigh…";
        assert_eq!(err, format!("* not delivered to dave (timeout): \"{quoted}\"\n"));
    }

    #[test]
    fn a_lost_nodeset_is_not_a_lost_chat() {
        let people = [who(2, "bob"), who(3, "carol")];
        let silent = Event::Nodeset(Health::Silent);
        let (_, err) = shown(Style { quiet: true, ..Style::default() }, &[ready(&people), silent]);
        assert!(err.starts_with("* nodeset is silent since "), "{err}");
        let rest = " UTC; you can still talk to bob, carol; new people cannot join\n";
        assert!(err.ends_with(rest), "{err}");
    }

    #[test]
    fn empty_lines_say_nothing() {
        let (mut lines, mut paper) = (Lines::new(Style::default()), Paper::default());
        assert_eq!(lines.read(Piece::Line(" \t"), &mut paper), Reading::Nothing);
        let wish = Reading::Wish(Wish::Line("  x".to_owned()));
        assert_eq!(lines.read(Piece::Line("  x"), &mut paper), wish);
        assert_eq!(lines.read(Piece::NotUtf8 { number: 3 }, &mut paper), Reading::Refused);
        assert_eq!(paper.err, "* line 3 is not valid UTF-8: nothing was sent\n");
    }
}
