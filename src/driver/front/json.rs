//! The JSON front end: one object per line, both ways. Its field names, the values of `t` and of
//! `code`, and the exit statuses are a contract, which docs/JSON.md and docs/json.schema.json hold; `v`
//! grows when one of them is broken.
//!
//! The output is safe to show on a terminal: whatever does not print is escaped.

use std::net::SocketAddr;

use serde::Serialize;
use serde_json::{Value, json};

use crate::driver::front::company::Company;
use crate::driver::front::escape::to_safe_json;
use crate::driver::front::finding::advised;
use crate::driver::front::format::{Format, Paper};
use crate::driver::front::intent::{Command, Intent};
use crate::driver::front::note::{Answer, Note};
use crate::driver::front::refusal::{Words, not_utf8, too_long, words};
use crate::driver::front::request::{REF_MAX, Reference, Wrong, read, reference_in};
use crate::driver::history::record::Record;
use crate::driver::os::clock::{rfc3339, unix_ms};
use crate::driver::os::failure::Failure;
use crate::driver::os::splitter::Piece;
use crate::machine::doctor::{self, Evidence, Finding, checkup};
use crate::machine::{Event, Found, Health, Listed, MessageId, Person, Presence, TEXT_MAX, Way};

/// The longest line of input. A text within its limit has six times as many bytes where each of them is
/// written as `\u003c`; the rest is for blanks and for fields that are not known.
pub(crate) const INPUT_MAX: usize = 1 << 18;
const _: () = assert!(INPUT_MAX > 6 * TEXT_MAX + REF_MAX + 1024);

/// The version of the contract.
const VERSION: u8 = 1;

/// What stands in front of every object.
#[derive(Serialize)]
struct Object<'a, B> {
    v: u8,
    t: &'a str,
    ts: String,
    #[serde(flatten)]
    body: B,
}

#[derive(Serialize)]
struct Who<'a> {
    id: String,
    name: &'a str,
    /// Where somebody is introduced.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The name is trusted to be somebody else's.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_key: Option<bool>,
}

impl<'a> From<&'a Person> for Who<'a> {
    fn from(person: &'a Person) -> Self {
        Self { id: person.id.to_string(), name: person.name.as_str(), key: None, other_key: None }
    }
}

impl<'a> Who<'a> {
    fn introduced(person: &'a Person, company: &Company) -> Self {
        let (key, other_key) = (person.key.to_string(), company.is_impostor(person));
        Self { key: Some(key), other_key: Some(other_key), ..Self::from(person) }
    }
}

/// A message, said now or kept.
#[derive(Serialize)]
struct Message<'a> {
    id: String,
    from: Who<'a>,
    text: &'a str,
    action: bool,
    to: Option<String>,
    late: bool,
    mention: bool,
    /// The name is trusted to be somebody else's.
    other_key: bool,
    /// It was kept.
    replay: bool,
    /// When it was said, and whose it is, if it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl<'a> Message<'a> {
    /// To everybody, now.
    fn new(id: MessageId, from: &'a Person, text: &'a str, company: &Company) -> Self {
        Self {
            id: id.to_string(),
            from: from.into(),
            text,
            action: false,
            to: None,
            late: false,
            mention: false,
            other_key: company.is_impostor(from),
            replay: false,
            at: None,
            key: None,
        }
    }
}

/// A message that was kept.
pub(crate) fn kept(record: &Record, company: &Company, paper: &mut Paper) {
    let Some(said) = record.said() else { return };
    let me = company.me.as_ref().filter(|_| said.private);
    let message = Message {
        action: said.action,
        to: said.to.as_ref().or(me).map(|to| to.id.to_string()),
        mention: said.mention,
        replay: true,
        at: Some(rfc3339(record.at)),
        key: Some(said.from.key.to_string()),
        ..Message::new(said.id, &said.from, said.text.as_str(), company)
    };
    write(paper, "msg", message);
}

/// Events as JSON.
#[derive(Debug, Default)]
pub(crate) struct Json {
    /// The `ref` of the request that is being carried out.
    reference: Option<Reference>,
    /// That of a request about what is kept, which is answered when its end is found.
    looking: Option<Reference>,
    /// That request is for a name, and nothing answered it so far.
    renames: bool,
}

impl Json {
    fn error(&mut self, words: &Words, paper: &mut Paper) {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
            reference: Option<Reference>,
            code: &'a str,
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            hint: Option<&'a str>,
        }
        let reference = self.reference.take();
        self.renames = false;
        let hint = words.hint.as_deref();
        write(paper, "error", Body { reference, code: words.code, message: &words.what, hint });
    }

    fn bad_input(&mut self, Wrong { what, hint }: Wrong, paper: &mut Paper) -> Option<Intent> {
        self.error(&Words { code: "bad_input", what, hint: Some(hint.to_owned()) }, paper);
        Some(Intent::Refused)
    }

    /// What came of a request about what is kept.
    fn looked(&mut self, found: &Answer, paper: &mut Paper) {
        let reference = self.looking.take();
        let (code, more) = match found {
            Answer::Last(count) => ("history", json!({ "count": count })),
            Answer::Found { count, all, .. } => ("search", json!({ "count": count, "all": all })),
            Answer::Forget { bytes } | Answer::Forgotten { bytes, .. } => {
                ("forgotten", json!({ "bytes": bytes }))
            }
            Answer::Refused(what) => {
                self.reference = reference;
                let (what, hint) = (what.clone(), None);
                return self.error(&Words { code: "history", what, hint }, paper);
            }
        };
        answer(paper, code, reference, more);
    }

    /// Everything that happens to what is said.
    fn speech(&mut self, event: &Event<'_>, company: &Company, paper: &mut Paper) {
        match event {
            Event::Message { id, from, text, action, private, mention, past } => {
                let me = company.me.as_ref().filter(|_| *private);
                let message = Message {
                    to: me.map(|me| me.id.to_string()),
                    action: *action,
                    mention: *mention,
                    replay: past.is_some_and(|past| past.replay),
                    at: past.map(|past| rfc3339(past.at)),
                    ..Message::new(*id, from, text.as_str(), company)
                };
                write(paper, "msg", message);
            }
            Event::Sent { id, readers, .. } => {
                #[derive(Serialize)]
                struct Body {
                    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
                    reference: Option<Reference>,
                    id: String,
                    to: usize,
                }
                let reference = self.reference.take();
                write(paper, "sent", Body { reference, id: id.to_string(), to: *readers });
            }
            Event::Acked { id, by, rtt } => {
                #[derive(Serialize)]
                struct Body {
                    id: String,
                    by: String,
                    rtt_ms: u64,
                }
                let rtt_ms = u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX);
                let (id, by) = (id.to_string(), by.id.to_string());
                write(paper, "acked", Body { id, by, rtt_ms });
            }
            Event::Done { id, acked, failed, left } => {
                #[derive(Serialize)]
                struct Failed<'a> {
                    id: String,
                    name: &'a str,
                    why: String,
                }
                #[derive(Serialize)]
                struct Body<'a> {
                    id: String,
                    acked: usize,
                    failed: Vec<Failed<'a>>,
                    left: Vec<Who<'a>>,
                }
                let failed = failed.iter().map(|(who, why)| Failed {
                    id: who.id.to_string(),
                    name: who.name.as_str(),
                    why: why.to_string(),
                });
                let (id, failed) = (id.to_string(), failed.collect());
                let left = left.iter().map(Who::from).collect();
                write(paper, "done", Body { id, acked: *acked, failed, left });
            }
            _ => {}
        }
    }

    /// Everything about who is here.
    fn presence(&mut self, event: &Event<'_>, company: &Company, paper: &mut Paper) {
        #[derive(Serialize)]
        struct Change<'a> {
            #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
            reference: Option<Reference>,
            who: Who<'a>,
            #[serde(skip_serializing_if = "Option::is_none")]
            why: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            was: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            other_key: Option<bool>,
        }
        let change = |who| Change { reference: None, who, why: None, was: None, other_key: None };
        match event {
            Event::Ready { me, addr, nodeset, people, room, open } => {
                #[derive(Serialize)]
                struct Body<'a> {
                    me: Who<'a>,
                    addr: String,
                    nodeset: String,
                    room: &'a str,
                    open: bool,
                    people: Vec<Who<'a>>,
                }
                let people = people.iter().map(|who| Who::introduced(who, company)).collect();
                let (addr, nodeset) = (addr.to_string(), nodeset.to_string());
                let (me, room, open) = (Who::introduced(me, company), room.as_str(), *open);
                write(paper, "ready", Body { me, addr, nodeset, room, open, people });
            }
            Event::Joined(who) => {
                write(paper, "join", change(Who::introduced(who, company)));
            }
            Event::Left { who, why } => {
                let why = Some(why.to_string());
                write(paper, "leave", Change { why, ..change(Who::from(who)) });
            }
            Event::Renamed { who, was } => {
                let ours = company.me.as_ref().is_some_and(|me| me.id == who.id);
                let reference = if ours { self.reference.take() } else { None };
                self.renames &= !ours;
                let (was, other_key) = (Some(was.as_str()), Some(company.is_impostor(who)));
                write(
                    paper,
                    "nick",
                    Change { reference, was, other_key, ..change(Who::from(who)) },
                );
            }
            _ => {}
        }
    }
}

/// What is told of somebody to whom what we say does not get, or not straight.
fn of_reader(event: &Event<'_>, paper: &mut Paper) {
    match event {
        Event::Reads { who, reads, waiting } => {
            let code = if *reads { "reads_again" } else { "does_not_read" };
            status(paper, code, json!({ "who": Who::from(who), "waiting": waiting }));
        }
        Event::Lost { who, lost, waiting } => {
            let code = if *lost { "lost" } else { "found" };
            status(paper, code, json!({ "who": Who::from(who), "waiting": waiting }));
        }
        Event::Way { who, way, waiting } => {
            let who = Who::from(who);
            let (code, more) = match way {
                Way::None | Way::Deaf => {
                    let heard = *way == Way::Deaf;
                    ("unreachable", json!({ "who": who, "waiting": waiting, "heard": heard }))
                }
                Way::Direct | Way::Through(_) => {
                    let via = relay(way);
                    ("reachable", json!({ "who": who, "waiting": waiting, "via": via }))
                }
            };
            status(paper, code, more);
        }
        Event::Apart { who, way } => {
            status(paper, "apart", json!({ "who": Who::from(who), "via": relay(way) }));
        }
        _ => {}
    }
}

impl Format for Json {
    fn show(&mut self, event: &Event<'_>, company: &Company, paper: &mut Paper) {
        match event {
            Event::Ready { .. } | Event::Joined(_) | Event::Left { .. } | Event::Renamed { .. } => {
                self.presence(event, company, paper);
            }
            Event::Message { .. }
            | Event::Sent { .. }
            | Event::Acked { .. }
            | Event::Done { .. } => self.speech(event, company, paper),
            Event::Refused(refusal) => self.error(&words(refusal), paper),
            Event::Missing { from, count } => {
                status(paper, "missing", json!({ "from": Who::from(from), "count": count }));
            }
            Event::Reads { .. } | Event::Lost { .. } | Event::Way { .. } | Event::Apart { .. } => {
                of_reader(event, paper)
            }
            // What is done then is told: the room is opened.
            Event::Alone => {}
            Event::Elsewhere { count } => status(paper, "elsewhere", json!({ "count": count })),
            Event::Twins { who, ours } => {
                status(paper, "twins", json!({ "who": Who::from(who), "ours": ours }));
            }
            Event::Forked(who) => status(paper, "forked", json!({ "who": Who::from(who) })),
            Event::Nodeset(Health::Silent) => status(paper, "nodeset_silent", json!({})),
            Event::Nodeset(Health::Online) => status(paper, "nodeset_back", json!({})),
            Event::Alike { one, like, others } => {
                let (one, other) = (Who::from(one), like.first().map(Who::from));
                let others = like.len().saturating_sub(1) + others;
                status(paper, "alike", json!({ "one": one, "other": other, "others": others }));
            }
            Event::OtherKey { who } => {
                status(paper, "other_key", json!({ "who": Who::from(who) }));
            }
            Event::People(people) => {
                let people: Vec<Value> = people.iter().map(|one| presence(one, company)).collect();
                let reference = self.reference.take();
                answer(paper, "people", reference, json!({ "people": people }));
            }
            Event::Leaving { unacked } => {
                let reference = self.reference.take();
                answer(paper, "leaving", reference, json!({ "unacked": unacked }));
            }
            Event::Listing(listed) => listing(listed, company, paper),
            Event::Found(found) => rooms(found, paper),
            Event::Checkup(found) => {
                let findings = checkup(found);
                findings.iter().for_each(|one| finding(one, paper));
                let reference = self.reference.take();
                answer(paper, "examined", reference, json!({ "findings": findings.len() }));
            }
            // Answers to what no program asks.
            Event::Help
            | Event::Examined(_)
            | Event::Invite { .. }
            | Event::Untrusted { .. }
            | Event::TrustedNames(_)
            | Event::Whois { .. }
            | Event::Words { .. }
            | Event::Trusted { .. } => {}
        }
    }

    fn note(&mut self, note: &Note, company: &Company, paper: &mut Paper) {
        match note {
            Note::Opened(invitation) => {
                let (addr, line) = (invitation.nodeset().to_string(), invitation.line());
                let other = |(addr, line): (SocketAddr, String)| json!({ "addr": addr.to_string(), "line": line });
                let others: Vec<Value> = invitation.others().map(other).collect();
                status(paper, "opened", json!({ "addr": addr, "line": line, "others": others }));
            }
            // What only a person is asked or told, and what the machine says itself.
            Note::Invite(_) | Note::Needed(_) | Note::Waiting(_) | Note::Logging(_) => {}
            // A program asks for what it wants of what was said before.
            Note::Before(_) => {}
            Note::Kept(record) => kept(record, company, paper),
            Note::Answer(answer) => self.looked(answer, paper),
            Note::Remark(what) | Note::NotLogged(what) => {
                status(paper, "remark", json!({ "message": what }))
            }
            Note::Dropped(count) => status(paper, "dropped", json!({ "count": count })),
        }
    }

    fn fail(&mut self, failure: &Failure, paper: &mut Paper) {
        fail(failure, paper);
    }

    fn bye(&mut self, status: u8, paper: &mut Paper) {
        bye(status, paper);
    }

    fn read(&mut self, piece: Piece<'_>, paper: &mut Paper) -> Option<Intent> {
        let line = match piece {
            Piece::Line(line) if line.trim().is_empty() => return None,
            Piece::Line(line) => line,
            Piece::TooLong { bytes, limit, head } => {
                // What was cut in the middle of a character is none of it.
                let head = head.utf8_chunks().next().map_or("", |chunk| chunk.valid());
                self.reference = reference_in(head);
                let words = Words { code: "bad_input", ..too_long(bytes, limit) };
                self.error(&words, paper);
                return Some(Intent::Refused);
            }
            Piece::NotUtf8 { number, bytes } => {
                let found = read(&String::from_utf8_lossy(bytes)).0;
                self.reference = found.filter(|found| !found.get().contains('\u{FFFD}'));
                self.error(&not_utf8(number), paper);
                return Some(Intent::Refused);
            }
        };
        let (reference, command) = read(line);
        self.reference = reference;
        match command {
            Ok(intent) => {
                self.renames = matches!(intent, Intent::Command(Command::Nick(_)));
                if matches!(intent, Intent::Look(_)) {
                    self.looking = self.reference.take();
                }
                Some(intent)
            }
            Err(wrong) => self.bad_input(wrong, paper),
        }
    }

    fn settle(&mut self, company: &Company, paper: &mut Paper) {
        // Who asks for the name they have gets it: nothing happened that could be shown.
        if core::mem::take(&mut self.renames)
            && let Some(me) = &company.me
        {
            self.renames = true;
            let (who, was) = (me.clone(), me.name.clone());
            self.presence(&Event::Renamed { who, was }, company, paper);
        }
        self.reference = None;
    }
}

/// A failure, as the object that stands before `bye`.
pub(crate) fn fail(failure: &Failure, paper: &mut Paper) {
    let hint = (!failure.hints.is_empty()).then(|| failure.hints.join("\n"));
    let words = Words { code: failure.code, what: failure.what.clone(), hint };
    Json::default().error(&words, paper);
}

/// The last object of all.
pub(crate) fn bye(status: u8, paper: &mut Paper) {
    #[derive(Serialize)]
    struct Body {
        exit: u8,
    }
    write(paper, "bye", Body { exit: status });
}

/// What `chatrpc who --json` prints.
pub(crate) fn listing(listed: &[Listed], company: &Company, paper: &mut Paper) {
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(flatten)]
        who: Who<'a>,
        alike: bool,
        addr: String,
    }
    for Listed { who, addr } in listed {
        let alike = company.is_alike(who);
        let who = Who::introduced(who, company);
        write(paper, "person", Body { who, alike, addr: addr.to_string() });
    }
}

/// What `chatrpc find --json` prints.
pub(crate) fn rooms(found: &[Found], paper: &mut Paper) {
    for Found { room, open, addrs } in found {
        let mut addrs = addrs.iter().map(ToString::to_string);
        let (addr, others) = (addrs.next(), addrs.collect::<Vec<_>>());
        let body = json!({ "room": room.as_str(), "open": open, "addr": addr, "others": others });
        write(paper, "room", body);
    }
}

fn presence(presence: &Presence, company: &Company) -> Value {
    json!({
        "id": presence.who.id.to_string(),
        "name": presence.who.name.as_str(),
        "key": presence.who.key.to_string(),
        "other_key": company.is_impostor(&presence.who),
        "addr": presence.addr.map(|addr| addr.to_string()),
        "reachable": !matches!(presence.way, Way::None | Way::Deaf),
        "lost": presence.lost,
        "via": relay(&presence.way),
        "rtt_ms": presence.rtt.map(|rtt| u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX)),
        "unacked": presence.unacked,
    })
}

/// Through whom a way leads; null when it is direct, or none.
fn relay(way: &Way) -> Value {
    match way {
        Way::Through(relay) => json!(Who::from(relay)),
        Way::Direct | Way::Deaf | Way::None => Value::Null,
    }
}

/// One thing that `chatrpc doctor` has found.
pub(crate) fn finding(found: &Finding, paper: &mut Paper) {
    #[derive(Serialize)]
    struct Body<'a> {
        cause: &'a str,
        gravity: String,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    }
    let hint: Vec<String> = found.advice.iter().map(advised).collect();
    let hint = Some(hint.join("\n")).filter(|hint| !hint.is_empty());
    let (cause, gravity) = (found.cause.code(), found.cause.gravity().to_string());
    write(paper, "finding", Body { cause, gravity, message: &found.what, hint });
}

/// What `chatrpc doctor` has measured at one address.
pub(crate) fn path(one: &Evidence, paper: &mut Paper) {
    #[derive(Serialize)]
    struct Body<'a> {
        addr: String,
        by: &'a str,
        asked: u32,
        answered: u32,
        large_asked: u32,
        large_answered: u32,
        rtt_us: Option<u64>,
    }
    let Evidence { addr, small, large, answer, .. } = one;
    let by = match answer {
        Some(doctor::Answer::Nodeset) => "nodeset",
        Some(doctor::Answer::Member) => "member",
        Some(doctor::Answer::Version { .. }) => "version",
        None => "nobody",
    };
    let rtt_us = small.median().map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX));
    let (asked, answered) = (small.asked, small.answered);
    let (addr, large_asked, large_answered) = (addr.to_string(), large.asked, large.answered);
    write(paper, "path", Body { addr, by, asked, answered, large_asked, large_answered, rtt_us });
}

fn status(paper: &mut Paper, code: &str, more: Value) {
    answer(paper, code, None, more);
}

/// A status that answers a request.
fn answer(paper: &mut Paper, code: &str, reference: Option<Reference>, more: Value) {
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<Reference>,
        code: &'a str,
        #[serde(flatten)]
        more: Value,
    }
    write(paper, "status", Body { reference, code, more });
}

fn write(paper: &mut Paper, t: &str, body: impl Serialize) {
    let object = Object { v: VERSION, t, ts: rfc3339(unix_ms()), body };
    paper.say(to_safe_json(&object));
}
