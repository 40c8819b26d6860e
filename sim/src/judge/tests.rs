//! Each oracle against a history made by hand that breaks its law: one that cannot fail is dead.

use core::time::Duration;

use super::*;
use chatrpc::machine::{Event, MessageId, PublicKey, SafeText};

const KEY: PublicKey = PublicKey([0; 32]);

/// Two people, `ba` (seat 0) and `be` (seat 1), who see each other.
struct Room {
    judge: Judge,
    people: [Person; 2],
}

impl Room {
    fn new() -> Self {
        let person = |id: u64, name: &str| Person {
            id: PeerId(id),
            key: KEY,
            name: Name::parse(name).unwrap(),
        };
        let people = [person(1, "ba"), person(2, "be")];
        let mut judge = Judge::default();
        for (host, person) in people.iter().enumerate() {
            judge.seat(host as u16 + 1, person.id, person.name.clone());
        }
        let mut room = Self { judge, people };
        for me in 0..2 {
            room.ready(me, vec![room.people[1 - me].clone()]);
        }
        assert_eq!(room.judge.violation, None);
        room
    }

    fn ready(&mut self, me: usize, people: Vec<Person>) {
        let addr = "10.1.0.1:4000".parse().unwrap();
        let me_too = self.people[me].clone();
        self.judge.saw(
            me,
            &Event::Ready {
                me: me_too,
                addr,
                nodeset: addr,
                people,
                room: Name::parse("lobby").unwrap(),
                open: false,
            },
        );
    }

    fn id(&self, number: u64) -> MessageId {
        MessageId { author: self.people[0].id, number }
    }

    /// `ba` says something.
    fn say(&mut self, number: u64) {
        let (id, text) = (self.id(number), SafeText::new("hello"));
        self.judge.saw(0, &Event::Sent { id, text, action: false, to: None, readers: 1 });
    }

    /// `be` is shown it.
    fn show(&mut self, number: u64, text: &str, private: bool) {
        let (id, from) = (self.id(number), self.people[0].clone());
        let text = SafeText::new(text);
        let (action, mention) = (false, false);
        self.judge.saw(1, &Event::Message { id, from, text, action, private, mention, past: None });
    }

    fn ack(&mut self, number: u64) {
        let (id, by) = (self.id(number), self.people[1].clone());
        self.judge.saw(0, &Event::Acked { id, by, rtt: Duration::ZERO });
    }

    fn done(&mut self, number: u64, acked: usize, failed: &[usize]) {
        let id = self.id(number);
        let failed = failed.iter().map(|&at| (self.people[at].clone(), Why::Timeout)).collect();
        self.judge.saw(0, &Event::Done { id, acked, failed, left: Vec::new() });
        self.judge.drained(0);
    }

    fn left(&mut self, me: usize, why: Why) {
        let who = self.people[1 - me].clone();
        self.judge.saw(me, &Event::Left { who, why });
    }

    #[track_caller]
    fn broke(self, oracle: &str) {
        let found = self.judge.violation.map(|violation| violation.oracle);
        assert_eq!(found, Some(oracle));
    }
}

#[test]
fn a_lawful_history_breaks_nothing() {
    let mut room = Room::new();
    for number in 1..5 {
        room.say(number);
        room.show(number, "hello", false);
        room.ack(number);
        room.done(number, 1, &[]);
    }
    room.judge.all_accounted();
    assert_eq!(room.judge.converged(), Ok(()));
    assert_eq!(room.judge.violation, None);
    assert_eq!(room.judge.deliveries, 4);
}

#[test]
fn s1_what_was_never_said() {
    let mut room = Room::new();
    room.show(1, "hello", false);
    room.broke("S1");
}

#[test]
fn s1_another_text() {
    let mut room = Room::new();
    room.say(1);
    room.show(1, "hallo", false);
    room.broke("S1");
}

#[test]
fn s1_public_shown_as_private() {
    let mut room = Room::new();
    room.say(1);
    room.show(1, "hello", true);
    room.broke("S1");
}

#[test]
fn s2_shown_twice() {
    let mut room = Room::new();
    room.say(1);
    room.show(1, "hello", false);
    room.show(1, "hello", false);
    room.broke("S2");
}

#[test]
fn s3_the_second_before_the_first() {
    let mut room = Room::new();
    room.say(1);
    room.say(2);
    room.show(2, "hello", false);
    room.show(1, "hello", false);
    room.broke("S3");
}

#[test]
fn s3_a_number_used_twice() {
    let mut room = Room::new();
    room.say(1);
    room.say(1);
    room.broke("S3");
}

#[test]
fn s6_a_receipt_before_the_message_is_shown() {
    let mut room = Room::new();
    room.say(1);
    room.ack(1);
    room.broke("S6");
}

#[test]
fn once_two_receipts_of_one_reader() {
    let mut room = Room::new();
    room.say(1);
    room.show(1, "hello", false);
    room.ack(1);
    room.ack(1);
    room.broke("once");
}

#[test]
fn once_done_without_the_receipts() {
    let mut room = Room::new();
    room.say(1);
    room.done(1, 1, &[]);
    room.broke("once");
}

#[test]
fn once_a_reader_given_up_who_never_left() {
    let mut room = Room::new();
    room.say(1);
    room.done(1, 0, &[1]);
    room.broke("once");
}

#[test]
fn once_given_up_after_leaving_is_lawful() {
    let mut room = Room::new();
    room.say(1);
    room.left(0, Why::Timeout);
    room.done(1, 0, &[1]);
    assert_eq!(room.judge.violation, None);
}

#[test]
fn once_never_done() {
    let mut room = Room::new();
    room.say(1);
    room.show(1, "hello", false);
    room.judge.all_accounted();
    room.broke("once");
}

#[test]
fn once_more_readers_than_people() {
    let mut room = Room::new();
    let (id, text) = (room.id(1), SafeText::new("hello"));
    room.judge.saw(0, &Event::Sent { id, text, action: false, to: None, readers: 2 });
    room.broke("once");
}

#[test]
fn s7_a_ghost_enters() {
    let mut room = Room::new();
    let who = Person { id: PeerId(77), key: KEY, name: Name::parse("bo").unwrap() };
    room.judge.saw(0, &Event::Joined(who));
    room.broke("S7");
}

#[test]
fn s7_somebody_enters_twice() {
    let mut room = Room::new();
    let who = room.people[1].clone();
    room.judge.saw(0, &Event::Joined(who));
    room.broke("S7");
}

#[test]
fn s7_quit_without_quitting() {
    let mut room = Room::new();
    room.left(0, Why::Quit);
    room.broke("S7");
}

#[test]
fn s7_replaced_while_alive() {
    let mut room = Room::new();
    room.left(0, Why::Replaced);
    room.broke("S7");
}

#[test]
fn s7_timed_out_while_heard_both_ways() {
    let mut room = Room::new();
    room.judge.now = 100_000_000;
    room.judge.heard(0, 1, 95_000_000);
    room.judge.heard(1, 0, 95_000_000);
    room.left(0, Why::Timeout);
    room.broke("S7");
}

#[test]
fn s7_timed_out_in_silence_is_lawful() {
    let mut room = Room::new();
    room.judge.now = 100_000_000;
    room.judge.heard(0, 1, 30_000_000);
    room.left(0, Why::Timeout);
    assert_eq!(room.judge.violation, None);
}

#[test]
fn missing_between_two_who_never_parted() {
    let mut room = Room::new();
    room.say(1);
    let from = room.people[0].clone();
    room.judge.saw(1, &Event::Missing { from, count: 1 });
    room.broke("missing");
}

#[test]
fn line_text_that_was_not_typed() {
    let mut room = Room::new();
    room.judge.expect_line(0, "something else");
    room.say(1);
    room.judge.line_done(0);
    room.broke("line");
}

#[test]
fn line_a_mistyped_command_said_aloud() {
    let mut room = Room::new();
    room.judge.expect_line(0, "/passw0rd");
    room.say(1);
    room.judge.line_done(0);
    room.broke("line");
}

#[test]
fn line_swallowed() {
    let mut room = Room::new();
    room.judge.expect_line(0, "hello");
    room.judge.line_done(0);
    room.broke("line");
}

#[test]
fn name_in_the_room_twice() {
    let mut room = Room::new();
    let name = room.people[1].name.clone();
    let twin = Person { id: PeerId(3), key: KEY, name: name.clone() };
    room.judge.seat(3, twin.id, name);
    let addr = "10.1.0.1:4000".parse().unwrap();
    let people = vec![room.people[1].clone()];
    room.judge.saw(
        2,
        &Event::Ready {
            me: twin,
            addr,
            nodeset: addr,
            people,
            room: Name::parse("lobby").unwrap(),
            open: false,
        },
    );
    room.broke("name");
}

#[test]
fn exit_without_being_asked() {
    let mut room = Room::new();
    room.judge.exited(0, &Exit::Left { undelivered: 0 });
    room.broke("exit");
}

#[test]
fn exit_with_a_wrong_count() {
    let mut room = Room::new();
    room.say(1);
    room.judge.expect_line(0, "/quit");
    room.judge.exited(0, &Exit::Left { undelivered: 0 });
    room.broke("exit");
}

#[test]
fn somebody_is_not_seen() {
    let mut room = Room::new();
    room.left(0, Why::Timeout);
    assert!(room.judge.converged().is_err());
}
