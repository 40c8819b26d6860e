//! The writer, event by event: everything that the schema allows is written, and nothing else.

use std::time::Duration;

use chatrpc::driver::{Failure, trial};
use chatrpc::machine::doctor::{Advice, Answer, Cause, Checkup, Evidence, Finding};
use chatrpc::machine::{
    Event, Found, Health, Identity, Listed, MessageId, Name, NameError, NameProblem, PeerId,
    Person, Presence, Refusal, SafeText, Way, Why,
};
use serde_json::Value;

use crate::schema::Seen;
use crate::{addr, contract, room};

fn person(luck: u8, name: &str) -> Person {
    let key = Identity::new(&[luck; 32]).public();
    Person { id: key.process(7), key, name: Name::parse(name).unwrap() }
}

fn of(author: &Person, number: u64) -> MessageId {
    MessageId { author: author.id, number }
}

/// One event of every kind, and more where an object has more than one form.
fn events() -> Vec<Event<'static>> {
    let mut all = of_people();
    all.append(&mut of_messages());
    all
}

/// What happens to what is said.
fn of_messages() -> Vec<Event<'static>> {
    let (me, bob, eve) = (person(1, "alice"), person(2, "bob"), person(3, "Bob"));
    let message = |private, action, mention| Event::Message {
        id: of(&bob, u64::MAX),
        from: bob.clone(),
        text: SafeText::new("hi\u{1b}\n\u{202e}").into_owned(),
        action,
        private,
        mention,
        past: None,
    };
    let sent = |readers| Event::Sent {
        id: of(&me, 1),
        text: SafeText::new("hi").into_owned(),
        action: false,
        to: None,
        readers,
    };
    let done = Event::Done {
        id: of(&me, 1),
        acked: 1,
        failed: [Why::Timeout, Why::Replaced, Why::Unread].map(|why| (bob.clone(), why)).to_vec(),
        left: vec![eve.clone()],
    };
    vec![
        message(false, false, true),
        message(true, true, false),
        sent(0),
        sent(7),
        Event::Acked { id: of(&me, 1), by: bob.clone(), rtt: Duration::from_micros(12_900) },
        done,
        Event::Missing { from: bob, count: 5 },
        Event::Leaving { unacked: 2 },
    ]
}

/// Who is here, comes, goes, and is called what; and how the nodeset is.
fn of_people() -> Vec<Event<'static>> {
    let (me, bob, eve) = (person(1, "alice"), person(2, "bob"), person(3, "Bob"));
    let here = |path: bool| Presence {
        lost: !path,
        who: bob.clone(),
        addr: path.then(addr),
        way: if path { Way::Direct } else { Way::Through(eve.clone()) },
        rtt: path.then_some(Duration::from_millis(12)),
        unacked: 3,
        reads: true,
        silent: Duration::ZERO,
        trusted: true,
    };
    let left = |why| Event::Left { who: bob.clone(), why };
    let alike = |like| Event::Alike { one: eve.clone(), like, others: 2 };
    let reads = |reads| Event::Reads { who: bob.clone(), reads, waiting: 4 };
    let lost = |lost| Event::Lost { who: bob.clone(), lost, waiting: 4 };
    let way = |way| Event::Way { who: bob.clone(), way, waiting: 4 };
    let renamed =
        |who: &Person| Event::Renamed { who: who.clone(), was: Name::parse("x").unwrap() };
    let six = "[fe80::1%2]:7420".parse().unwrap();
    let found =
        Found { room: Name::parse("lobby").unwrap(), open: true, addrs: vec![six, addr(), six] };
    vec![
        Event::Ready {
            me: me.clone(),
            addr: addr(),
            nodeset: "[2001:db8::2]:7420".parse().unwrap(),
            people: vec![bob.clone()],
            room: Name::parse("lobby").unwrap(),
            open: true,
        },
        Event::Joined(bob.clone()),
        left(Why::Quit),
        left(Why::Timeout),
        left(Why::Replaced),
        renamed(&bob),
        renamed(&me),
        alike(vec![bob.clone(), me.clone()]),
        alike(Vec::new()),
        Event::Elsewhere { count: 9 },
        Event::Twins { who: bob.clone(), ours: false },
        Event::Forked(bob.clone()),
        way(Way::None),
        way(Way::Deaf),
        way(Way::Direct),
        way(Way::Through(eve.clone())),
        Event::Apart { who: bob.clone(), way: Way::Through(eve.clone()) },
        Event::Apart { who: bob.clone(), way: Way::None },
        reads(true),
        reads(false),
        lost(true),
        lost(false),
        Event::Nodeset(Health::Silent),
        Event::Nodeset(Health::Online),
        Event::OtherKey { who: eve.clone() },
        Event::People(vec![here(true), here(false)]),
        Event::Listing(vec![Listed { who: bob.clone(), addr: six }]),
        Event::Found(vec![found]),
    ]
}

/// Whoever is named under a trusted name with another key is marked there, before and without any status.
#[test]
fn every_introduction_says_whether_the_name_is_somebody_elses() {
    let (bob, eve) = (person(2, "bob"), person(3, "b\u{f6}b"));
    let mut events = vec![Event::Trusted { who: bob.clone(), key: bob.key }];
    for who in [&bob, &eve] {
        events.push(Event::Ready {
            me: person(1, "alice"),
            addr: addr(),
            nodeset: addr(),
            people: vec![who.clone()],
            room: Name::parse("lobby").unwrap(),
            open: true,
        });
        events.push(Event::Joined(who.clone()));
        events.push(Event::Renamed { who: who.clone(), was: Name::parse("x").unwrap() });
        let here = of_people().into_iter().find_map(|event| match event {
            Event::People(here) => here.into_iter().next(),
            _ => None,
        });
        events.push(Event::People(vec![Presence { who: who.clone(), ..here.unwrap() }]));
        let text = SafeText::new("hi");
        let (action, private, mention) = (false, false, false);
        let (id, from) = (of(who, 1), who.clone());
        events.push(Event::Message { id, from, text, action, private, mention, past: None });
    }
    let (out, _) = trial::printed(true, &events);
    seen(out.lines());
    let said: Vec<bool> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|object| {
            let places = ["/people/0/other_key", "/who/other_key", "/other_key"];
            places.iter().find_map(|place| object.pointer(place)?.as_bool())
        })
        .collect();
    assert_eq!(said, [[false; 5], [true; 5]].concat(), "{out}");
    assert_eq!(out.matches(r#""me":{"id""#).count(), 2);
}

/// Answers to what programs cannot ask: they are not written.
fn silent() -> Vec<Event<'static>> {
    let bob = person(2, "bob");
    let (who, key) = (bob.clone(), bob.key);
    vec![
        Event::Whois { who: who.clone(), key, addr: None, trusted: false },
        Event::Trusted { who: who.clone(), key },
        Event::Words { who, words: "rofod tilir".to_owned() },
        Event::Invite { nodeset: addr(), room: bob.name, open: true },
        Event::Help,
    ]
}

/// Every refusal that a program can meet with.
fn refusals() -> Vec<Refusal<'static>> {
    let (alice, bob) = (Name::parse("alice").unwrap(), person(2, "bob"));
    vec![
        Refusal::TooLong { bytes: 5000 },
        Refusal::Empty,
        Refusal::NobodyWithId(PeerId(7)),
        Refusal::NobodyWithKey(bob.key),
        Refusal::Name(NameProblem::Invalid(NameError::Colon)),
        Refusal::Name(NameProblem::Taken(alice.clone())),
        Refusal::Name(NameProblem::LooksLike { wanted: alice.clone(), present: bob.name }),
        Refusal::Name(NameProblem::ReadsAsId { wanted: alice, of: None }),
        Refusal::Backlog { messages: 4096 },
        Refusal::NotJoined,
    ]
}

/// What was measured, by whomever it was answered.
fn evidence() -> Vec<Evidence> {
    let by =
        [Some(Answer::Nodeset), Some(Answer::Member), Some(Answer::Version { theirs: 2 }), None];
    let of = |answer: Option<Answer>| {
        let mut one = Evidence { answer, ..Evidence::of(addr()) };
        let took = Duration::from_micros(420);
        answer.into_iter().for_each(|_| one.small.note_answer(took));
        one
    };
    by.into_iter().map(of).collect()
}

/// Whatever can be found; one with nothing to do.
fn diagnoses() -> Vec<Finding> {
    let advice = || vec![Advice { text: "try: ".to_owned(), command: vec!["nodeset".to_owned()] }];
    let what = || "it is \u{1b}so".to_owned();
    let all = Cause::ALL.map(|cause| Finding { cause, what: what(), advice: advice() });
    let last = Finding { cause: Cause::Well, what: what(), advice: Vec::new() };
    all.into_iter().chain([last]).collect()
}

/// What objects there are on some lines, each as the schema allows.
pub(crate) fn seen<'a>(lines: impl IntoIterator<Item = &'a str>) -> Seen {
    let contract = contract();
    let mut seen = Seen::new();
    for line in lines {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let of_this = contract.check("out", &object, true);
        seen.append(&mut of_this.unwrap_or_else(|error| panic!("{line}: {error}")));
    }
    seen
}

#[test]
fn everything_the_schema_allows_is_written_and_nothing_else() {
    let mut all = seen([]);
    for event in events() {
        let (out, err) = trial::printed(true, std::slice::from_ref(&event));
        assert!(err.is_empty() && out.lines().count() == 2, "it, and bye: {out}{err}");
        all.append(&mut seen(out.lines()));
    }
    // Whom a message is for alone is known from `ready`.
    let (out, _) = trial::printed(true, &events());
    all.append(&mut seen(out.lines()));
    let refused: Vec<Event<'_>> = refusals().into_iter().map(Event::Refused).collect();
    let (out, _) = trial::printed(true, &refused);
    assert_eq!(out.lines().count(), refused.len() + 1);
    all.append(&mut seen(out.lines()));
    assert_eq!(trial::printed(true, &silent()).0.lines().count(), 1, "bye alone");
    // What the driver says itself; why a run fails is held to the sources in page.rs.
    let codes = crate::page::fatal_codes();
    let failures: Vec<Failure> = codes
        .iter()
        .map(|(code, exit)| Failure::new(*exit, code.as_str().to_owned().leak(), "no").hint("so"))
        .collect();
    all.append(&mut seen(trial::told((addr(), addr(), &room()), 3, "a remark", &failures).lines()));
    all.append(&mut seen(trial::diagnosed(&evidence(), &diagnoses()).lines()));
    let checkup = Checkup { nodeset: addr(), silent: None, member: false, bonds: Vec::new() };
    let (out, _) = trial::printed(true, &[Event::Checkup(Box::new(checkup))]);
    assert_eq!(out.lines().count(), 3, "a finding, how many, and bye: {out}");
    all.append(&mut seen(out.lines()));
    // What was kept, and the answers to who asks for it.
    all.append(&mut seen(trial::kept(&events()).lines()));
    // The answers to lines.
    let lines = b"{\"t\":\"nick\",\"ref\":1}\n{}\n";
    all.append(&mut seen(trial::read(true, false, [&lines[..]]).1.lines()));
    // A `ref` needs somebody who is in: tests/contract/runs.rs has it.
    let left: Vec<String> = contract().all("out").difference(&all).cloned().collect();
    let objects = ["nick_out", "sent", "status_examined", "status_forgotten", "status_history"];
    let more = ["status_leaving", "status_people", "status_search"];
    let expected = objects.into_iter().chain(more).map(|object| format!("{object}.ref"));
    assert_eq!(left, expected.collect::<Vec<_>>());
}
