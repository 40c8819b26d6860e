use super::*;
use crate::machine::inward::{self, InStream, Screen, Taken};
use crate::machine::name::Name;
use crate::machine::purpose::LinkKey;
use crate::machine::text::TEXT_MAX;
use crate::machine::who::identity::PublicKey;
use crate::machine::wire::PIECE_MAX;

const ME: PeerId = PeerId(1);

const fn ms(ms: u64) -> Time {
    Time::from_micros(ms * 1_000)
}

fn link() -> LinkKey {
    Slots::<(), _>::default().insert(())
}

fn reader() -> Person {
    Person { id: PeerId(2), key: PublicKey([2; 32]), name: Name::parse("bob").unwrap() }
}

/// One reader, and what is said to it.
struct Talk {
    speech: Speech,
    stream: OutStream,
    out: Outbox,
}

impl Talk {
    fn new() -> Self {
        let mut stream = OutStream::new(0);
        stream.open = true;
        Self { speech: Speech::new(), stream, out: Outbox::default() }
    }

    fn say(&mut self, now: Time, text: &str) -> bool {
        let message = self.speech.say(now, text, (Flags::default(), None), 1);
        let queued = self.stream.push(now, &mut self.speech, message);
        if !queued {
            let Self { speech, stream, out } = self;
            stream.leave_out(message, reader(), ME, speech, out);
        }
        self.stream.check();
        queued
    }

    /// Calls whatever may be called; returns the positions.
    fn calls(&mut self, now: Time) -> Vec<u64> {
        let mut called = Vec::new();
        while let Some(piece) = self.stream.next_call(now, false, &self.speech) {
            let position = piece.position;
            self.stream.calling(position, link(), 0);
            called.push(position);
        }
        called
    }

    fn takes(&mut self, now: Time, next: u64) -> bool {
        self.hears(Receipt { at: now, next, held: 0 })
    }

    fn hears(&mut self, receipt: Receipt) -> bool {
        let Self { speech, stream, out } = self;
        let possible = stream.delivered(receipt, &reader(), ME, speech, out, |_, _, _| ());
        self.stream.check();
        possible
    }

    fn refuses(&mut self, now: Time, called: &[u64]) {
        called.iter().for_each(|&position| self.stream.answered(now, position, false));
    }

    fn done(&mut self) -> Vec<(u64, usize, Vec<Why>, usize)> {
        let mut done = Vec::new();
        while let Some(action) = self.out.poll() {
            if let crate::machine::Action::Show(Event::Done { id, acked, failed, left }) = action {
                let whys = failed.into_iter().map(|(_, why)| why).collect();
                done.push((id.number, acked, whys, left.len()));
            }
        }
        done
    }
}

#[test]
fn long_messages_are_cut_at_characters() {
    let mut talk = Talk::new();
    let text = "é".repeat(PIECE_MAX);
    talk.say(ms(1), &text);
    let mut whole = String::new();
    while let Some(piece) = talk.stream.next_call(ms(1), false, &talk.speech) {
        assert!(piece.text.len() <= PIECE_MAX);
        whole.push_str(piece.text);
        assert_eq!(piece.flags.more, whole.len() < text.len());
        let position = piece.position;
        talk.stream.calling(position, link(), 0);
    }
    assert_eq!(whole, text);
    assert!(text.len() <= TEXT_MAX);
}

#[test]
fn a_receipt_is_possible_or_changes_nothing() {
    let mut talk = Talk::new();
    talk.say(ms(1), "one");
    talk.say(ms(1), "two");
    assert_eq!(talk.calls(ms(1)), [0, 1]);
    for impossible in [3, 1 << 40, u64::MAX] {
        assert!(!talk.takes(ms(2), impossible));
    }
    assert_eq!(talk.stream.unacked(), 2);
    assert!(talk.takes(ms(2), 1) && talk.takes(ms(2), 0) && talk.takes(ms(3), 2));
    assert_eq!(talk.done(), [(1, 1, vec![], 0), (2, 1, vec![], 0)]);
    assert_eq!((talk.speech.backlog(), talk.stream.unacked()), (0, 0));
}

/// Nobody looks.
struct Nowhere;

impl Screen for Nowhere {
    fn is_due(&self, _: &Seal) -> bool {
        true
    }

    fn show(&mut self, _: inward::Piece<'_>) {}
}

/// A reader that loses the author forgets what came early. If the author does not notice, and says hello
/// on the same stream, that has to come again.
#[test]
fn what_a_reader_held_before_a_hello_is_said_again() {
    let mut talk = Talk::new();
    let mut reading = InStream::default();
    reading.open(7, 0, 0);
    let take = |reading: &mut InStream, position| {
        let (flags, text) = (Flags::default(), "text");
        let piece = inward::Piece { number: position, flags, seal: None, text };
        match reading.take((7, position, u8::MAX), piece, 99, &mut Nowhere) {
            Taken::Next(next, held) => Receipt { at: ms(2), next, held },
            refused => panic!("{refused:?}"),
        }
    };
    (0..3).for_each(|n| assert!(talk.say(ms(1), &format!("line {n}"))));
    assert_eq!(talk.calls(ms(1)), [0, 1, 2]);
    for early in [1, 2] {
        let receipt = take(&mut reading, early);
        assert!(receipt.covers(early) && talk.hears(receipt));
    }
    talk.stream.failed(ms(2), 0, false);
    assert_eq!(talk.calls(ms(2)), [0], "the others are there");
    reading.close();
    reading.open(7, 0, 0);
    talk.stream.opened();
    assert_eq!(talk.calls(ms(3)), [1, 2]);
    for position in 0..3 {
        let receipt = take(&mut reading, position);
        assert!(talk.hears(receipt));
    }
    assert_eq!(talk.stream.unacked(), 0);
}

/// What a reader answers without taking it is called again after a pause that grows, and never in a
/// rush, however fast the answers come.
#[test]
fn who_takes_nothing_is_called_ever_more_rarely() {
    let mut talk = Talk::new();
    (0..200).for_each(|n| assert!(talk.say(ms(1), &format!("line {n}"))));
    let mut calls = Vec::new();
    let mut now = 1;
    while now < 300_000 {
        let called = talk.calls(ms(now));
        talk.refuses(ms(now), &called);
        calls.push((now, called.len()));
        now += 1;
    }
    let in_time = |from: u64, until: u64| {
        let calls = calls.iter().filter(|&&(at, _)| (from..until).contains(&at));
        calls.map(|&(_, count)| count).sum::<usize>()
    };
    assert_eq!(calls[0].1, PIECES_IN_FLIGHT);
    assert!(in_time(2, 5_000) < 200, "{}", in_time(2, 5_000));
    assert!(in_time(5_000, 60_000) <= 14, "{}", in_time(5_000, 60_000));
    assert!(in_time(60_000, 300_000) <= 17, "{}", in_time(60_000, 300_000));
    assert_eq!(talk.stream.unread_at(), Some(ms(60_001)));
    // It takes one, and all follows at once.
    let last = talk.stream.start() + 1;
    assert!(talk.takes(ms(300_000), last));
    assert_eq!(talk.calls(ms(300_000)).len(), 2, "one more with each that is taken");
}

/// Whoever slept, or asked nothing for long, has not learned that somebody takes nothing: no long pause follows from
/// the first piece that is lost after it, and nobody is told that they do not read.
#[test]
fn who_slept_does_not_take_others_for_stuck() {
    let mut talk = Talk::new();
    assert!(talk.say(ms(1), "a line"));
    talk.calls(ms(1));
    talk.stream.failed(ms(1_000), 0, true);
    assert_eq!(talk.calls(ms(1_050)), [0]);
    assert_eq!(talk.stream.unread_at(), Some(ms(61_000)));
    assert!(!talk.stream.notice_unread(ms(90_000)), "nobody would have read its answers");
    assert_eq!(talk.stream.unread_at(), Some(ms(150_000)));
    talk.stream.failed(ms(91_000), 0, true);
    assert_eq!(talk.stream.resumes_at(), Some(ms(91_250)));
    let mut talk = Talk::new();
    assert!(talk.say(ms(1), "a line"));
    talk.calls(ms(1));
    talk.stream.failed(ms(1_000), 0, true);
    talk.calls(ms(1_050));
    talk.stream.failed(ms(41_000), 0, true);
    assert_eq!(talk.stream.resumes_at(), Some(ms(41_050)));
}

/// Nobody was reached for a minute. Once they answer a hello, what waits does not wait for a pause.
#[test]
fn who_is_back_is_called_at_once() {
    let mut talk = Talk::new();
    assert!(talk.say(ms(1), "a line"));
    for now in 1..60_000 {
        for position in talk.calls(ms(now)) {
            talk.stream.failed(ms(now), position, true);
        }
    }
    talk.stream.shut(|_, _, _| ());
    assert!(talk.calls(ms(60_000)).is_empty(), "it is shut");
    talk.stream.opened();
    assert_eq!(talk.calls(ms(60_000)), [0]);
}

#[test]
fn a_reader_holds_a_pipe_up_while_it_keeps_up() {
    let mut talk = Talk::new();
    (0..BACKLOG_MAX).for_each(|n| assert!(talk.say(ms(1), &format!("line {n}"))));
    let holds = |talk: &Talk, now| talk.stream.holds_up(ms(now), BACKLOG_EASY).is_some();
    assert!(holds(&talk, 1) && holds(&talk, 5_000) && !holds(&talk, 5_001), "five seconds");
    // A piece every second is not enough, ten are.
    for n in 0..20 {
        assert!(talk.takes(ms(6_000 + n * 1_000), n + 1));
        assert!(!holds(&talk, 6_900 + n * 1_000));
    }
    for n in 0..200 {
        assert!(talk.takes(ms(30_000 + n * 100), 21 + n));
    }
    assert!(holds(&talk, 50_000));
}

#[test]
fn what_exceeds_a_backlog_is_left_out_for_that_reader_alone() {
    let mut talk = Talk::new();
    (0..BACKLOG_MAX).for_each(|n| assert!(talk.say(ms(1), &format!("line {n}"))));
    assert!(!talk.say(ms(2), "too much"));
    assert_eq!(talk.done(), [(BACKLOG_MAX as u64 + 1, 0, vec![Why::Unread], 0)]);
    assert_eq!((talk.stream.given_up, talk.speech.undelivered), (1, 1));
    // Who says goodbye missed nothing that was for them.
    let Talk { speech, stream, out } = &mut talk;
    stream.give_up(&reader(), Why::Quit, ME, speech, out);
    let done = talk.done();
    assert!(done.len() == BACKLOG_MAX && done.iter().all(|done| done.2.is_empty() && done.3 == 1));
    assert_eq!((talk.speech.undelivered, talk.speech.backlog()), (1, 0));
}
