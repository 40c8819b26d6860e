//! What is said between a member and us, both ways: the stream to them, the one from them, and what of
//! theirs is missing.

use core::time::Duration;

use super::TOLD;
use crate::machine::inward::{InStream, Piece, Screen, Taken};
use crate::machine::log::Seal;
use crate::machine::pace::{Notice, Pace, Rate};
use crate::machine::speech::OutStream;
use crate::machine::time::Time;

/// Messages of one author, and each three pieces that go on, are taken at this rate; beyond it they are told
/// to say it again.
const SAID: Rate = Rate::new(Duration::from_millis(10), 1000);

/// Parts of logs that one member is given: 64 kB a second.
const GIVEN: Rate = Rate::new(Duration::from_millis(15), 128);

/// So long others may take to hand on what is missing, before that is told.
const FILLED: Duration = Duration::from_secs(3);

/// So long a message waits for what it follows.
const WAIT: Duration = Duration::from_secs(2);

/// Both streams of one member.
#[derive(Debug, Hash)]
pub(crate) struct Streams {
    out: OutStream,
    inward: InStream,
    /// What they have said.
    said: Pace,
    /// What they were given of logs.
    given: Pace,
    /// Which position their next message has, if it is here, and since when it waits for what it follows.
    waiting: Option<(u64, Time)>,
    /// When what it waits for is to be asked for.
    asks_at: Option<Time>,
    /// Messages of theirs that are missing, and that they are.
    missing: u64,
    missing_since: Option<Time>,
    /// Messages of theirs that came another way before they were missed.
    otherwise: u64,
    told_missing: Notice,
}

impl Streams {
    /// Our stream to them begins at that position.
    pub(super) fn new(position: u64) -> Self {
        Self {
            out: OutStream::new(position),
            inward: InStream::default(),
            said: Pace::default(),
            given: Pace::default(),
            waiting: None,
            asks_at: None,
            missing: 0,
            missing_since: None,
            otherwise: 0,
            told_missing: Notice::default(),
        }
    }

    /// The stream to them.
    pub(crate) const fn out(&self) -> &OutStream {
        &self.out
    }

    pub(crate) const fn out_mut(&mut self) -> &mut OutStream {
        &mut self.out
    }

    /// They name the stream that they speak on, and how much they have given up. Whether any of that is missing.
    pub(super) fn open(&mut self, now: Time, (stream, start, given_up): (u32, u64, u64)) -> bool {
        let missing = self.inward.open(stream, start, given_up);
        let here = missing.min(self.otherwise);
        self.otherwise -= here;
        let missing = missing - here;
        self.missing = self.missing.saturating_add(missing);
        if missing > 0 {
            self.missing_since.get_or_insert(now);
        }
        missing > 0
    }

    /// So many of their messages came another way.
    pub(super) fn filled(&mut self, count: u64) {
        let missed = self.missing.min(count);
        self.missing -= missed;
        self.otherwise = self.otherwise.saturating_add(count - missed);
        if self.missing == 0 {
            self.missing_since = None;
        }
    }

    /// They say a piece. It is not taken while nobody can be shown it (`full`), or when they say too much;
    /// the screen gets every message that is complete now and due. There is `room` for so many bytes that are held.
    pub(super) fn take(
        &mut self,
        (now, full): (Time, bool),
        (stream, position, behind): (u32, u64, u8),
        piece: Piece<'_>,
        room: usize,
        screen: &mut impl Screen,
    ) -> Taken {
        let news = self.inward.is_news(stream, position);
        // A message counts, and so do each three pieces of it that are not its last.
        let counts = !piece.flags.more || position.is_multiple_of(3);
        if news && (full || counts && !self.said.take(now, SAID)) {
            return self.inward.decline(stream);
        }
        self.inward.take((stream, position, behind), piece, room, screen)
    }

    /// Whether their next message is here, and waits for what it follows.
    pub(super) const fn waits(&self) -> bool {
        self.inward.waits()
    }

    /// What it waits for is asked for, if it is time for that: the seal of the message.
    pub(super) fn asks_for(&mut self, now: Time) -> Option<Seal> {
        self.asks_at.take_if(|at| *at <= now)?;
        self.inward.waiting().copied()
    }

    /// The seal of the message that waits, once what it waits for was asked for.
    pub(super) fn asked_for(&self) -> Option<&Seal> {
        self.inward.waiting().filter(|_| self.asks_at.is_none())
    }

    /// It waits no longer: what it follows is not to be had.
    pub(super) fn give_up_waiting(&mut self) {
        self.waiting = self.waiting.map(|(position, _)| (position, Time::ZERO));
    }

    /// Whether it has waited long enough.
    pub(super) fn is_overdue(&self, now: Time) -> bool {
        self.waiting.is_some_and(|(_, since)| now >= since + WAIT)
    }

    /// Shows what is held and is due now.
    pub(super) fn show_held(&mut self, screen: &mut impl Screen) {
        self.inward.show_held(screen);
    }

    /// Whether they may be given one more part of a log.
    pub(super) fn may_be_given(&mut self, now: Time) -> bool {
        self.given.take(now, GIVEN)
    }

    /// Notes whether something waits from now on. What it waits for may still be on its way, for so long.
    pub(super) fn note_waiting(&mut self, now: Time, grace: Duration) {
        let waits = self.inward.waits().then(|| self.inward.next());
        if waits != self.waiting.map(|(position, _)| position) {
            self.waiting = waits.map(|position| (position, now));
            self.asks_at = waits.map(|_| now + grace);
        }
    }

    /// How many messages of theirs are missing, if that `may` be told now: from the third time within a
    /// second on, it is told [later](Streams::tells_missing_at), with what is missing by then.
    pub(super) fn tell_missing(&mut self, now: Time, may: bool) -> Option<u64> {
        self.told_missing.cancel();
        let since = self.missing_since.filter(|&since| now >= since + FILLED);
        let tells = since.is_some() && may && self.told_missing.may_be_told(now, TOLD);
        if tells {
            self.missing_since = None;
        }
        tells.then(|| core::mem::take(&mut self.missing))
    }

    /// When it is to be told that messages are missing, if they are.
    pub(super) fn tells_missing_at(&self) -> Option<Time> {
        let since = self.missing_since.map(|since| since + FILLED);
        since.map(|at| self.told_missing.due().map_or(at, |due| due.max(at)))
    }

    /// They are gone: nothing more of theirs is taken, and nobody is told what is missing.
    pub(super) fn close(&mut self) {
        self.told_missing.cancel();
        self.missing_since = None;
        self.inward.close();
        (self.waiting, self.asks_at) = (None, None);
    }

    /// Whether that is the stream on which they speak to us.
    pub(crate) const fn hears(&self, stream: u32) -> bool {
        self.inward.is(stream)
    }

    /// Everything of theirs before this position is shown.
    pub(crate) fn next(&self) -> u64 {
        self.inward.next()
    }

    /// Bytes of theirs that came early.
    pub(super) const fn held_bytes(&self) -> usize {
        self.inward.held_bytes()
    }

    /// When something is due for somebody who is here.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let waits = self.waiting.map(|(_, since)| since + WAIT);
        let stream = [
            self.out.resumes_at(),
            self.out.unread_at(),
            self.tells_missing_at(),
            waits,
            self.asks_at,
        ];
        stream.into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    /// How many messages were shown.
    struct Shown(usize);

    impl Screen for Shown {
        fn is_due(&self, _: &Seal) -> bool {
            true
        }

        fn show(&mut self, _: Piece<'_>) {
            self.0 += 1;
        }
    }

    /// Says a piece and counts the messages that are complete.
    fn say(streams: &mut Streams, full: bool, position: u64, room: usize) -> (Taken, usize) {
        let mut shown = Shown(0);
        let flags = crate::machine::wire::Flags::default();
        let piece = Piece { number: position, flags, seal: None, text: "hi" };
        let taken = streams.take((ms(0), full), (1, position, u8::MAX), piece, room, &mut shown);
        (taken, shown.0)
    }

    #[test]
    fn nothing_is_taken_that_cannot_be_shown() {
        let mut streams = Streams::new(0);
        streams.open(ms(0), (1, 5, 0));
        assert_eq!(say(&mut streams, true, 5, 100), (Taken::Next(5, 0), 0));
        assert_eq!(say(&mut streams, false, 5, 100), (Taken::Next(6, 0), 1));
        assert_eq!(say(&mut streams, true, 5, 100), (Taken::Next(6, 0), 0), "they have said that");
        assert_eq!(say(&mut streams, false, 7, 1), (Taken::Next(6, 0), 0), "no room for it");
        assert_eq!(say(&mut streams, false, 7, 2), (Taken::Next(6, 0b10), 0));
        assert_eq!(streams.held_bytes(), 2);
        streams.close();
        assert_eq!(streams.held_bytes(), 0);
        assert_eq!(say(&mut streams, false, 6, 100), (Taken::Unknown, 0));
    }

    #[test]
    fn who_says_too_much_is_told_to_say_it_again() {
        let mut streams = Streams::new(0);
        streams.open(ms(0), (1, 0, 0));
        let taken = (0..2_000).filter(|&n| say(&mut streams, false, n, 0).1 == 1).count();
        assert_eq!(taken, 1_000, "at once");
        assert_eq!(say(&mut streams, false, 1_000, 0).0, Taken::Next(1_000, 0));
        // What they repeat costs them nothing.
        assert_eq!(say(&mut streams, false, 3, 0).0, Taken::Next(1_000, 0));
    }

    #[test]
    fn what_is_missing_adds_up_until_it_may_be_told() {
        let mut streams = Streams::new(0);
        streams.open(ms(0), (1, 10, 0));
        for n in 1..=4 {
            streams.open(ms(0), (1 + n, 10 + u64::from(n), u64::from(n)));
        }
        let at = ms(3_000);
        assert_eq!(streams.tell_missing(ms(2_999), true), None, "others may have it");
        assert_eq!(streams.tells_missing_at(), Some(at));
        assert_eq!(streams.tell_missing(at, false), None, "they are not here yet");
        assert_eq!(streams.tell_missing(at, true), Some(4));
        assert_eq!(streams.tell_missing(at, true), None, "nothing is");
        for n in 5..=7 {
            streams.open(ms(0), (1 + n, 10 + u64::from(n), u64::from(n)));
            assert_eq!(streams.tell_missing(at, true), (n == 5).then_some(1));
        }
        streams.filled(1);
        let due = streams.tells_missing_at().expect("it is due");
        assert_eq!(streams.next_deadline(), Some(due));
        assert_eq!(streams.tell_missing(due, true), Some(1), "the other one came");
    }
}
