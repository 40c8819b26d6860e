//! The plain front end: one message is one line on standard output, and nothing else is.
//!
//! | line on standard output | what it is |
//! |---|---|
//! | `NAME: TEXT` | a message |
//! | `NAME: /me TEXT` | something NAME does, written the way it was typed |
//! | `@NAME: TEXT` | a message to us alone |
//! | `!NAME: TEXT`, `@!NAME: TEXT` | from somebody under a trusted name, with another key |
//!
//! A line feed inside a text is shown as ` ⏎ `, so that no text can begin a line; no name begins
//! with `@` or `!`, or ends with a colon, so that no name can pass for a mark. Everything else goes to
//! standard error as `* …`. With `--time` a time and a
//! tab stand before every line. People whose names look alike are shown with their ids: `alice·k7f3`.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthChar;

use crate::driver::front::company::Company;
use crate::driver::front::finding;
use crate::driver::front::format::{Format, Paper};
use crate::driver::front::intent::{Command, Intent};
use crate::driver::front::note::Note;
use crate::driver::front::numbers::counted;
use crate::driver::front::refusal::{Words, not_utf8, too_long, words};
use crate::driver::front::stamp::TimeShown;
use crate::driver::front::wording;
use crate::driver::history::record::Record;
use crate::driver::os::clock::{Zone, unix_ms};
use crate::driver::os::failure::Failure;
use crate::driver::os::shown::shown;
use crate::driver::os::splitter::Piece;
use crate::machine::{self, CommandHelp, Event, Health, Past, sanitize};

/// How much of an undelivered message is shown, in columns.
const EXCERPT_COLUMNS: usize = 40;

/// What a line asks of the driver itself, or why not; nothing where it is the machine's.
pub(crate) type Own = fn(&str) -> Option<Result<Intent, Words>>;

/// What the plain front end is asked to leave out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    /// Only messages, failures, and what needs attention.
    pub(crate) quiet: bool,
    /// No messages either: somebody only wants to send.
    pub(crate) deaf: bool,
    /// Lines are text, whatever they begin with.
    pub(crate) literal: bool,
    /// It is said that the room is open, also to who is told nothing else.
    pub(crate) warns: bool,
    /// What stands beside the messages is for a person's eyes, and kept nowhere.
    pub(crate) private: bool,
    /// Errors are red.
    pub(crate) colour: bool,
    /// The time before every line.
    pub(crate) time: TimeShown,
    /// Commands that are the driver's own, and how a line that may be one is carried out.
    pub(crate) also: &'static [CommandHelp],
    pub(crate) own: Option<Own>,
}

/// Events as lines of text.
#[derive(Debug)]
pub(crate) struct Lines {
    style: Style,
    /// How our messages begin that are not done yet.
    pending: BTreeMap<u64, String>,
    /// It was said already that nobody is here.
    said_alone: bool,
    zone: Zone,
}

impl Lines {
    pub(crate) fn new(style: Style) -> Self {
        Self { style, pending: BTreeMap::new(), said_alone: false, zone: Zone::local() }
    }

    /// Has the time stand before what is said next.
    fn stamp(&self, paper: &mut Paper) {
        paper.before = self.style.time.before(&self.zone, unix_ms());
    }

    /// Who comes, goes, and is called what: noise, for some.
    fn presence(&mut self, event: &Event<'_>, company: &Company, paper: &mut Paper) {
        let line = match event {
            Event::Ready { me, room, open, .. } => {
                let welcome = wording::welcome(room, *open, &me.name);
                let here = wording::here(company, *open);
                if !self.style.quiet {
                    paper.remark(format_args!("* {welcome}"));
                }
                here
            }
            Event::Joined(who) => {
                self.said_alone = false;
                wording::came(&company.label(who))
            }
            Event::Left { who, why } => wording::left(&company.label(who), *why),
            Event::Renamed { who, was } if company.is_me(who.id) => {
                format!("you are now called {} (before: {was})", who.name)
            }
            Event::Renamed { who, was } => wording::renamed(who, was, company),
            _ => return,
        };
        if !self.style.quiet {
            paper.remark(format_args!("* {line}"));
        } else if self.style.warns && matches!(event, Event::Ready { open: true, .. }) {
            paper.remark("* this room is OPEN: everybody who reaches it can enter and read");
        }
    }
}

impl Lines {
    /// A message from before: with its time, and no line of those that are said now.
    fn kept(&self, record: &Record, company: &Company, paper: &mut Paper) {
        let Some(said) = record.said() else { return };
        self.before(record.at, &wording::kept(said, company), paper);
    }

    fn before(&self, at: u64, what: &dyn std::fmt::Display, paper: &mut Paper) {
        let [dim, plain] = if self.style.colour { ["\x1b[2m", "\x1b[0m"] } else { [""; 2] };
        let when = self.zone.moment(at);
        paper.remark(format_args!("{dim}* {when} {what}{plain}"));
    }

    /// Everything that happens to what is said.
    fn speech(&mut self, event: &Event<'_>, company: &Company, paper: &mut Paper) {
        match event {
            Event::Message { .. } if self.style.deaf => {}
            Event::Message {
                from, text, action, past: Some(Past { at, replay: true }), ..
            } => {
                let label = company.label(from);
                let what = wording::message(&label, text.as_str(), *action, false);
                self.before(*at, &what, paper);
            }
            Event::Message { from, text, action, private, .. } => {
                let (label, text) = (company.label(from), text.as_str());
                paper.say(wording::message(&label, text, *action, *private));
            }
            Event::Sent { id, text, readers, to, .. } => {
                self.pending.insert(id.number, excerpt(text.as_str()));
                if *readers == 0 && to.is_none() && !self.said_alone {
                    self.said_alone = true;
                    paper.remark("* nobody is here to hear it");
                }
            }
            Event::Done { id, failed, .. } => {
                let excerpt = self.pending.remove(&id.number).unwrap_or_default();
                if !failed.is_empty() {
                    let whom = wording::whom(company, failed);
                    paper.remark(format_args!("* not delivered to {whom}: \"{excerpt}\""));
                }
            }
            _ => {}
        }
    }

    fn nodeset(&self, health: Health, company: &Company, paper: &mut Paper) {
        let since = self.zone.time(unix_ms(), false);
        paper.remark(format_args!("* {}", wording::nodeset(health, company, &since)));
    }
}

impl Format for Lines {
    fn show(&mut self, event: &Event<'_>, company: &Company, paper: &mut Paper) {
        self.stamp(paper);
        match event {
            Event::Ready { .. } | Event::Joined(_) | Event::Left { .. } | Event::Renamed { .. } => {
                self.presence(event, company, paper);
            }
            Event::Alike { one, like, others } => {
                let line = wording::alike(company, one, like, *others);
                paper.remark(format_args!("* {line}"));
            }
            Event::Elsewhere { count } => {
                paper.remark(format_args!("* {}", wording::elsewhere(*count)));
            }
            Event::Twins { who, ours } => {
                let line = wording::twins(&company.label(who), *ours);
                paper.remark(format_args!("* {line}"));
            }
            Event::Forked(who) => {
                paper.remark(format_args!("! {}", wording::forked(&company.label(who))));
            }
            Event::Message { .. } | Event::Sent { .. } | Event::Done { .. } => {
                self.speech(event, company, paper);
            }
            Event::Missing { from, count } => {
                paper.remark(format_args!("* {count} missing from {}", company.label(from)));
            }
            Event::Reads { .. } | Event::Lost { .. } | Event::Way { .. } | Event::Apart { .. } => {
                paper.remark(format_args!("* {}", of_reader(event, company)));
            }
            Event::Nodeset(health) => self.nodeset(*health, company, paper),
            Event::TrustedNames(pins) => remark_all(wording::trusted(pins), paper),
            Event::Trusted { .. }
            | Event::Untrusted { .. }
            | Event::OtherKey { .. }
            | Event::Whois { .. }
            | Event::Words { .. } => {
                if let Some(line) = wording::keys(event, company) {
                    paper.remark(format_args!("* {line}"));
                }
            }
            Event::People(people) => remark_all(wording::presence(people, company), paper),
            Event::Checkup(found) => remark_all(finding::checkup(found), paper),
            Event::Help => remark_all(wording::commands(self.style.also), paper),
            Event::Refused(refusal) => {
                paper.remark(format_args!("* {}", words(refusal).line()));
            }
            Event::Leaving { .. }
            | Event::Acked { .. }
            | Event::Invite { .. }
            | Event::Examined(_)
            | Event::Listing(_)
            | Event::Found(_)
            | Event::Alone => {}
        }
    }

    fn note(&mut self, note: &Note, company: &Company, paper: &mut Paper) {
        self.stamp(paper);
        match note {
            Note::Opened(invitation) => {
                for line in wording::opened(invitation) {
                    paper.remark(format_args!("! {line}"));
                }
            }
            Note::Invite(invitation) => {
                remark_all(wording::invite(invitation, self.style.private), paper);
            }
            Note::Needed(what) => paper.remark(format_args!("* {what}")),
            Note::Waiting(unacked) => {
                let waiting = counted(*unacked as u64, "message");
                paper.remark(format_args!(
                    "* leaving: waiting for {waiting} (again to leave at once)"
                ));
            }
            Note::Dropped(count) => {
                let (lines, were) =
                    (counted(*count, "line"), if *count == 1 { "was" } else { "were" });
                paper.remark(format_args!("* {lines} {were} not shown: the output was stalled"));
            }
            Note::Remark(what) | Note::NotLogged(what) => {
                paper.remark(format_args!("* {}", shown(what)));
            }
            Note::Logging(path) => {
                paper.remark(format_args!("* {}", wording::logging(path.as_deref())));
            }
            // A pipe is for what is said now.
            Note::Before(records) if self.style.private => {
                records.iter().for_each(|record| self.kept(record, company, paper));
            }
            Note::Before(_) => {}
            Note::Kept(record) => self.kept(record, company, paper),
            Note::Answer(answer) => paper.remark(format_args!("* {}", wording::answer(answer))),
        }
    }

    fn fail(&mut self, failure: &Failure, paper: &mut Paper) {
        paper.err += &failure.text(self.style.colour);
    }

    fn bye(&mut self, _status: u8, _paper: &mut Paper) {}

    fn read(&mut self, piece: Piece<'_>, paper: &mut Paper) -> Option<Intent> {
        self.stamp(paper);
        let refusal = match piece {
            // An empty line says nothing, on a terminal as well as between paragraphs of a file.
            Piece::Line(line) if line.trim().is_empty() => return None,
            Piece::Line(line) if self.style.literal => {
                let text = line.to_owned();
                return Some(Intent::Command(Command::Say { text, action: false, to: None }));
            }
            Piece::Line(line) => match self.style.own.and_then(|own| own(line)) {
                Some(Ok(intent)) => return Some(intent),
                Some(Err(refusal)) => refusal,
                None => match machine::Command::parse(line) {
                    Ok(command) => return Some(Intent::Command(command.into())),
                    Err(refusal) => words(&refusal),
                },
            },
            Piece::TooLong { bytes, limit, .. } => too_long(bytes, limit),
            Piece::NotUtf8 { number, .. } => not_utf8(number),
        };
        paper.remark(format_args!("* {}", refusal.line()));
        Some(Intent::Refused)
    }
}

/// The beginning of a text, on one line.
fn excerpt(text: &str) -> String {
    let text = text.replace('\n', " ⏎ ");
    let mut columns = 0;
    for (at, letter) in text.char_indices() {
        columns += letter.width().unwrap_or(0);
        if columns > EXCERPT_COLUMNS {
            // What was cut off may have closed an isolate.
            return format!("{}…", sanitize(&text[..at]));
        }
    }
    text
}

fn remark_all(lines: Vec<String>, paper: &mut Paper) {
    for line in lines {
        paper.remark(format_args!("* {line}"));
    }
}

/// What is told of somebody to whom what we say does not get.
fn of_reader(event: &Event<'_>, company: &Company) -> String {
    match event {
        Event::Reads { who, reads, waiting } => {
            wording::reads(&company.label(who), *reads, *waiting)
        }
        Event::Lost { who, lost, waiting } => wording::lost(&company.label(who), *lost, *waiting),
        Event::Way { who, way, waiting } => {
            wording::way(&company.label(who), way, *waiting, company)
        }
        Event::Apart { who, way } => wording::apart(&company.label(who), way, company),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{
        Health, MessageId, Name, PeerId, Person, Presence, PublicKey, SafeText, Way, Why,
    };

    fn who(id: u64, name: &str) -> Person {
        // Another person for each id.
        let mut key = [0; 32];
        key[..8].copy_from_slice(&id.to_be_bytes());
        Person { id: PeerId(id), key: PublicKey(key), name: Name::parse(name).unwrap() }
    }

    fn ready(people: &[Person]) -> Event<'static> {
        let addr = "127.0.0.1:1".parse().unwrap();
        let people = people.to_vec();
        Event::Ready {
            me: who(1, "me"),
            addr,
            nodeset: addr,
            people,
            room: Name::parse("lobby").unwrap(),
            open: false,
        }
    }

    fn message(from: &Person, text: &'static str, action: bool, private: bool) -> Event<'static> {
        let id = MessageId { author: from.id, number: 1 };
        let (from, text) = (from.clone(), SafeText::new(text));
        Event::Message { id, from, text, action, private, mention: false, past: None }
    }

    /// What is printed for some events: standard output and standard error.
    fn shown(style: Style, events: &[Event<'_>]) -> (String, String) {
        let (mut lines, mut paper) = (Lines::new(style), Paper::default());
        let mut company = Company::EMPTY;
        for event in events {
            company.note(event);
            lines.show(event, &company, &mut paper);
        }
        (paper.out, paper.err)
    }

    /// `/whois` takes the rest of its line, and U+2028 ends no line of standard input.
    #[test]
    fn what_was_typed_begins_no_line() {
        let name = SafeText::new("x\u{2028}* bob has left the chat!").into_owned();
        let refused = Event::Refused(crate::machine::Refusal::NobodyCalled(name));
        let (out, err) = shown(Style::default(), &[refused]);
        assert_eq!(out, "");
        assert_eq!(err, "* nobody here is called 'x ⏎ * bob has left the chat!' — /who\n");
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
    fn an_empty_room_may_be_another_secrets() {
        let alone = |open| {
            let addr = "127.0.0.1:1".parse().unwrap();
            let (me, people) = (who(1, "me"), Vec::new());
            let ready = Event::Ready {
                me,
                addr,
                nodeset: addr,
                people,
                room: Name::parse("lobby").unwrap(),
                open,
            };
            let (_, err) = shown(Style::default(), &[ready]);
            err.lines().last().unwrap().to_owned()
        };
        assert_eq!(alone(true), "* here: nobody else yet");
        assert_eq!(
            alone(false),
            "* here: nobody else with this secret yet (another secret is another room)"
        );
    }

    #[test]
    fn namesakes_are_told_apart() {
        let (one, other) = (who(1 << 62, "bob"), who(2 << 62, "bob"));
        let (a, b) = (one.id.short(), other.id.short());
        let alike = Event::Alike { one: one.clone(), like: vec![other.clone()], others: 0 };
        let forger = who(3, &format!("bob·{a}"));
        let (out, err) = shown(
            Style::default(),
            &[alike, message(&one, "x", false, false), message(&forger, "y", false, false)],
        );
        assert_eq!(err, format!("* bob·{a} and bob·{b} look the same: mind the ids\n"));
        let real = forger.id.short();
        assert_eq!(out, format!("bob·{a}: x\nbob·{a}·{real}: y\n"));
    }

    /// The name is trusted to be somebody's who is not here.
    fn trusted(name: &str) -> Event<'static> {
        let key = PublicKey([0xfe; 32]);
        Event::Trusted {
            who: Person { id: key.process(1), key, name: Name::parse(name).unwrap() },
            key,
        }
    }

    #[test]
    fn what_an_impostor_says_is_marked_line_by_line() {
        let mallory = who(1 << 60, "bob");
        let (out, err) = shown(
            Style::default(),
            &[
                message(&mallory, "before", false, false),
                trusted("bob"),
                Event::OtherKey { who: mallory.clone() },
                message(&mallory, "hi", false, false),
                message(&mallory, "psst", true, true),
            ],
        );
        let label = format!("!bob·{}", mallory.id.short());
        assert_eq!(out, format!("bob: before\n{label}: hi\n@{label}: /me psst\n"));
        assert!(err.contains(&format!("\n* WARNING: {label} has another key")), "{err}");
    }

    /// In the answer to `/who`, and in what they were called before, they looked like anybody.
    #[test]
    fn an_impostor_is_marked_among_those_who_are_here_and_as_what_they_were() {
        let mallory = who(1 << 60, "bob");
        let presence = Presence {
            lost: false,
            who: mallory.clone(),
            addr: None,
            way: Way::Direct,
            rtt: None,
            unacked: 0,
            reads: true,
            silent: core::time::Duration::ZERO,
            trusted: false,
        };
        let renamed = Person { name: Name::parse("mallory").unwrap(), ..mallory.clone() };
        let (_, err) = shown(
            Style::default(),
            &[
                Event::People(vec![presence.clone()]),
                trusted("bob"),
                Event::People(vec![presence]),
                Event::Renamed { who: renamed.clone(), was: mallory.name.clone() },
                Event::Renamed { who: mallory.clone(), was: renamed.name },
                Event::Left { who: mallory.clone(), why: Why::Quit },
                Event::Joined(mallory.clone()),
                ready(std::slice::from_ref(&mallory)),
            ],
        );
        let (label, id) = (format!("!bob·{}", mallory.id.short()), mallory.id);
        let lines: Vec<&str> = err.lines().collect();
        assert!(lines[1].starts_with(&format!("* bob   {id}")), "{err}");
        assert!(lines[4].starts_with(&format!("* {label}  {id}")), "{err}");
        assert_eq!(lines[5], format!("* {label} is now called mallory"));
        assert_eq!(lines[6], format!("* mallory is now called {label}"));
        assert_eq!(lines[7], format!("* {label} has left the chat!"));
        assert_eq!(lines[8], format!("* {label} has entered the chat!"));
        assert_eq!(lines[10], format!("* here: {label}"), "{err}");
    }

    #[test]
    fn the_time_stands_before_every_line_and_a_tab_behind_it() {
        let bob = who(2, "bob");
        let told = |time| {
            let style = Style { time, ..Style::default() };
            let events = [ready(&[]), message(&bob, "a\nb", false, false)];
            let (out, err) = shown(style, &events);
            format!("{out}{err}")
        };
        let lines = told(TimeShown::Iso);
        let cut: Vec<(&str, &str)> =
            lines.lines().map(|line| line.split_once('\t').unwrap()).collect();
        let texts: Vec<&str> = cut.iter().map(|(_, text)| *text).collect();
        assert_eq!(
            texts,
            [
                "bob: a ⏎ b",
                "* Welcome to the chat room, me!",
                "* here: nobody else with this secret yet (another secret is another room)"
            ]
        );
        for (time, _) in cut {
            assert!(time.len() == 25 && time.as_bytes()[10] == b'T', "{time}");
        }
        let lines = told(TimeShown::Minutes);
        assert!(lines.lines().all(|line| line.as_bytes()[5] == b'\t'), "{lines}");
        assert!(told(TimeShown::Off).starts_with("bob: a"));
    }

    #[test]
    fn a_thousand_look_alikes_are_a_short_line_each() {
        let (one, other) = (who(1 << 62, "bob"), who(2 << 62, "Bob"));
        let alike = |like: &[Person], others| Event::Alike {
            one: one.clone(),
            like: like.to_vec(),
            others,
        };
        let (_, err) = shown(
            Style::default(),
            &[alike(std::slice::from_ref(&other), 1), alike(&[other], 37), alike(&[], 0)],
        );
        let labels = format!("bob·{}, Bob·{}", one.id.short(), PeerId(2 << 62).short());
        let expected = format!(
            "* {labels} and 1 other look the same: mind the ids\n\
             * {labels} and 37 others look the same: mind the ids\n\
             * bob·{} has a name that reads as an id: mind the ids\n",
            one.id.short()
        );
        assert_eq!(err, expected);
    }

    #[test]
    fn what_did_not_arrive_is_quoted() {
        let dave = who(4, "dave");
        let id = MessageId { author: PeerId(1), number: 7 };
        let text = SafeText::new("one\ntwo three four five six seven eight nine ten");
        let sent = Event::Sent { id, text, action: false, to: None, readers: 1 };
        let failed = vec![(dave, Why::Timeout)];
        let done = Event::Done { id, acked: 0, failed, left: Vec::new() };
        let (_, err) = shown(Style::default(), &[sent, done]);
        let quoted = "one ⏎ two three four five six seven eigh…";
        assert_eq!(err, format!("* not delivered to dave (timeout): \"{quoted}\"\n"));
        let isolate = format!("\u{2067}{}\u{2069}", "x".repeat(50));
        assert_eq!(excerpt(&isolate), format!("{}…", "x".repeat(40)), "cut, it is not closed");
        assert_eq!(excerpt("\u{2068}Ali\u{2069}\tx"), "\u{2068}Ali\u{2069}\tx");
    }

    #[test]
    fn a_lost_nodeset_is_not_a_lost_chat() {
        let people = [who(2, "bob"), who(3, "carol")];
        let silent = Event::Nodeset(Health::Silent);
        let (_, err) = shown(Style { quiet: true, ..Style::default() }, &[ready(&people), silent]);
        assert!(err.starts_with("* nodeset is silent since "), "{err}");
        let rest =
            "; you can still talk to bob, carol; others come in through anybody here (/invite)\n";
        assert!(err.ends_with(rest), "{err}");
    }

    #[test]
    fn empty_lines_say_nothing() {
        let (mut lines, mut paper) = (Lines::new(Style::default()), Paper::default());
        assert_eq!(lines.read(Piece::Line(" \t"), &mut paper), None);
        let text = "  x".to_owned();
        let wish = Some(Intent::Command(Command::Say { text, action: false, to: None }));
        assert_eq!(lines.read(Piece::Line("  x"), &mut paper), wish);
        assert_eq!(
            lines.read(Piece::NotUtf8 { number: 3, bytes: b"\xff" }, &mut paper),
            Some(Intent::Refused)
        );
        assert_eq!(paper.err, "* line 3 is not valid UTF-8: nothing was sent\n");
    }
}
