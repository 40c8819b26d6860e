//! The laws about attackers, each against a history made by hand that breaks it; and that what an
//! attacker claims breaks none.

use core::time::Duration;

use super::*;
use crate::clock::SECOND;
use chatrpc::machine::{Event, Exit, MessageId, PublicKey, Refusal, SafeText, Why};

fn person(id: u64, name: &str) -> Person {
    Person { id: PeerId(id), key: PublicKey([0; 32]), name: Name::parse(name).unwrap() }
}

/// `ba` (seat 0), `be` (seat 1), and `mala`, who has no seat and is shown to `ba`.
struct Room {
    judge: Judge,
    people: [Person; 2],
    mala: Person,
}

impl Room {
    fn new() -> Self {
        let (people, mala) = ([person(1, "ba"), person(2, "be")], person(3, "mala"));
        let mut judge = Judge::default();
        for (host, person) in people.iter().enumerate() {
            judge.seat(host as u16 + 1, person.id, person.name.clone());
        }
        let addr = "10.1.0.1:4000".parse().unwrap();
        for me in 0..2 {
            let (myself, people) = (people[me].clone(), vec![people[1 - me].clone()]);
            let ready = Event::Ready {
                me: myself,
                addr,
                nodeset: addr,
                people,
                room: Name::parse("lobby").unwrap(),
                open: false,
            };
            judge.saw(me, &ready);
        }
        judge.lies(&mala);
        judge.saw(0, &Event::Joined(mala.clone()));
        assert_eq!(judge.violation, None);
        Self { judge, people, mala }
    }

    fn id(&self, number: u64) -> MessageId {
        MessageId { author: self.people[0].id, number }
    }

    /// `ba` says something to everybody it sees.
    fn say(&mut self, number: u64) {
        let (id, text) = (self.id(number), SafeText::new("hello"));
        self.judge.saw(0, &Event::Sent { id, text, action: false, to: None, readers: 2 });
    }

    /// `be` is shown it.
    fn show(&mut self, number: u64) {
        let (id, from, text) = (self.id(number), self.people[0].clone(), SafeText::new("hello"));
        let (action, private, mention) = (false, false, false);
        self.judge.saw(1, &Event::Message { id, from, text, action, private, mention, past: None });
    }

    fn ack(&mut self, number: u64, by: &Person) {
        let (id, by) = (self.id(number), by.clone());
        self.judge.saw(0, &Event::Acked { id, by, rtt: Duration::ZERO });
    }

    /// `ba` is shown something of an attacker.
    fn hear(&mut self, number: u64, from: &Person) {
        let (id, from) = (MessageId { author: from.id, number }, from.clone());
        let (action, private, mention) = (false, false, false);
        let text = SafeText::new("lies");
        self.judge.saw(0, &Event::Message { id, from, text, action, private, mention, past: None });
    }

    #[track_caller]
    fn broke(self, oracle: &str) {
        let found = self.judge.violation.map(|violation| violation.oracle);
        assert_eq!(found, Some(oracle));
    }
}

#[test]
fn an_attacker_may_claim_anything() {
    let mut room = Room::new();
    let (mala, be) = (room.mala.clone(), room.people[1].clone());
    room.hear(7, &mala);
    room.hear(7, &mala);
    room.hear(2, &mala);
    room.judge.saw(0, &Event::Missing { from: mala.clone(), count: u64::MAX });
    room.say(1);
    room.ack(1, &mala);
    room.show(1);
    room.ack(1, &be);
    let id = room.id(1);
    let (failed, left) = (Vec::new(), Vec::new());
    room.judge.saw(0, &Event::Done { id, acked: 2, failed, left });
    room.say(2);
    room.show(2);
    room.ack(2, &be);
    room.judge.all_accounted();
    room.judge.all_shown_since(0);
    room.judge.all_confirmed_since(0);
    assert!(!room.judge.is_anybody_waiting(), "only for an attacker");
    assert_eq!(room.judge.converged(), Ok(()));
    room.judge.saw(0, &Event::Left { who: mala, why: Why::Quit });
    assert_eq!(room.judge.violation, None);
    assert_eq!((room.judge.seats[0].tally.messages, room.judge.deliveries), (0, 2));
}

#[test]
fn s6_a_receipt_of_who_did_not_show_it_whoever_else_lies() {
    let mut room = Room::new();
    let (mala, be) = (room.mala.clone(), room.people[1].clone());
    room.say(1);
    room.ack(1, &mala);
    room.ack(1, &be);
    room.broke("S6");
}

#[test]
fn once_an_attackers_receipt_counts_once() {
    let mut room = Room::new();
    let mala = room.mala.clone();
    room.say(1);
    room.ack(1, &mala);
    room.ack(1, &mala);
    room.broke("once");
}

#[test]
fn once_somebody_else_is_waited_for() {
    let mut room = Room::new();
    room.say(1);
    assert!(room.judge.is_anybody_waiting());
    room.judge.all_accounted();
    room.broke("once");
}

#[test]
fn s7_an_attacker_who_is_not_here() {
    let mut room = Room::new();
    let stranger = person(4, "mulo");
    room.judge.lies(&stranger);
    room.hear(1, &stranger);
    room.broke("S7");
}

#[test]
fn s7_another_one_who_never_was() {
    let mut room = Room::new();
    let stranger = person(4, "mulo");
    room.judge.saw(0, &Event::Joined(stranger));
    room.broke("S7");
}

#[test]
fn s7_somebody_is_lost_in_a_calm_room() {
    let mut room = Room::new();
    room.judge.calm = Some(room.judge.now);
    room.judge.now += 60 * SECOND;
    room.judge.saw(0, &Event::Left { who: room.people[1].clone(), why: Why::Timeout });
    room.broke("S7");
}

#[test]
fn paced_the_screen_is_filled() {
    let mut room = Room::new();
    let mala = room.mala.clone();
    (0..1_000).for_each(|n| room.hear(n, &mala));
    room.judge.now = SECOND;
    (0..100).for_each(|n| room.hear(n, &mala));
    assert_eq!(room.judge.violation, None);
    room.hear(0, &mala);
    room.broke("paced");
}

#[test]
fn paced_the_name_changes_all_the_time() {
    let mut room = Room::new();
    let rename = |room: &mut Room, n: u64| {
        let was = room.mala.name.clone();
        room.mala.name = Name::parse(&format!("mala{n}")).unwrap();
        room.judge.saw(0, &Event::Renamed { who: room.mala.clone(), was });
    };
    for n in 0..20 {
        room.judge.now = n * SECOND;
        rename(&mut room, n);
    }
    assert_eq!(room.judge.violation, None);
    (20..23).for_each(|n| rename(&mut room, n));
    room.broke("paced");
}

#[test]
fn line_refused_since_an_attacker_confirms_nothing() {
    let mut room = Room::new();
    let be = room.people[1].clone();
    room.say(1);
    room.show(1);
    room.ack(1, &be);
    room.judge.expect_line(0, "another");
    room.judge.saw(0, &Event::Refused(Refusal::Backlog { messages: 1 }));
    room.judge.line_done(0);
    room.broke("line");
}

#[test]
fn prompt_something_is_not_shown_in_time() {
    let mut room = Room::new();
    room.say(1);
    room.judge.all_shown_since(0);
    room.broke("prompt");
}

#[test]
fn prompt_something_is_not_confirmed_in_time() {
    let mut room = Room::new();
    room.say(1);
    room.show(1);
    room.judge.all_shown_since(0);
    assert_eq!(room.judge.violation, None);
    room.judge.all_confirmed_since(0);
    room.broke("prompt");
}

#[test]
fn somebody_has_not_met_somebody() {
    let mut room = Room::new();
    assert_eq!(room.judge.is_met(0), Ok(()));
    room.judge.saw(1, &Event::Left { who: room.people[0].clone(), why: Why::Timeout });
    assert!(room.judge.is_met(0).is_err());
}

#[test]
fn exit_for_a_nodeset_that_is_none() {
    let mut room = Room::new();
    let newcomer = person(9, "bi");
    let seat = room.judge.seat(3, newcomer.id, newcomer.name);
    room.judge.nodeset_lies();
    room.judge.exited(seat, &Exit::NotChatrpc);
    assert_eq!(room.judge.violation, None, "it lies");
    room.judge.exited(0, &Exit::NotChatrpc);
    room.broke("exit");
}
