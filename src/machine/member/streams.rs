//! What is said between a member and us, both ways: the stream to them, the one from them, and what of
//! theirs is missing.

use core::time::Duration;

use super::TOLD;
use crate::machine::inward::{InStream, Taken};
use crate::machine::pace::{Notice, Pace, Rate};
use crate::machine::speech::OutStream;
use crate::machine::time::Time;
use crate::machine::wire::Flags;

/// Messages of one author, and each three pieces that go on, are taken at this rate; beyond it they are told
/// to say it again.
const SAID: Rate = Rate::new(Duration::from_millis(10), 1000);

/// Both streams of one member.
#[derive(Debug, Hash)]
pub(crate) struct Streams {
    out: OutStream,
    inward: InStream,
    /// What they have said.
    said: Pace,
    /// Messages of theirs that are missing, and that they are.
    missing: u64,
    told_missing: Notice,
}

impl Streams {
    /// Our stream to them begins at that position.
    pub(super) fn new(position: u64) -> Self {
        Self {
            out: OutStream::new(position),
            inward: InStream::default(),
            said: Pace::default(),
            missing: 0,
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

    /// They name the stream that they speak on, and how much they have given up.
    pub(super) fn open(&mut self, (stream, start, given_up): (u32, u64, u64)) {
        let missing = self.inward.open(stream, start, given_up);
        self.missing = self.missing.saturating_add(missing);
    }

    /// They say a piece. It is not taken while nobody can be shown it (`full`), or when they say too much;
    /// `show` gets every message that is complete now. There is `room` for so many bytes that come early.
    pub(super) fn take(
        &mut self,
        (now, full): (Time, bool),
        (stream, position): (u32, u64),
        piece: (u64, Flags, &str),
        room: usize,
        show: impl FnMut(u64, Flags, &str),
    ) -> Taken {
        let news = self.inward.is_news(stream, position);
        // A message counts, and so do each three pieces of it that are not its last.
        let counts = !piece.1.more || position.is_multiple_of(3);
        if news && (full || counts && !self.said.take(now, SAID)) {
            return self.inward.decline(stream);
        }
        self.inward.take(stream, position, piece, room, show)
    }

    /// How many messages of theirs are missing, if that `may` be told now: from the third time within a
    /// second on, it is told [later](Streams::tells_missing_at), with what is missing by then.
    pub(super) fn tell_missing(&mut self, now: Time, may: bool) -> Option<u64> {
        self.told_missing.cancel();
        let tells = self.missing > 0 && may && self.told_missing.may_be_told(now, TOLD);
        tells.then(|| core::mem::take(&mut self.missing))
    }

    /// When it is to be told that messages are missing, if they are.
    pub(super) const fn tells_missing_at(&self) -> Option<Time> {
        self.told_missing.due()
    }

    /// They are gone: nothing more of theirs is taken, and nobody is told what is missing.
    pub(super) fn close(&mut self) {
        self.told_missing.cancel();
        self.inward.close();
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
        let stream = [self.out.resumes_at(), self.out.unread_at(), self.told_missing.due()];
        stream.into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    fn piece(number: u64) -> (u64, Flags, &'static str) {
        (number, Flags::default(), "hi")
    }

    /// Says a piece and counts the messages that are complete.
    fn say(streams: &mut Streams, full: bool, position: u64, room: usize) -> (Taken, usize) {
        let mut shown = 0;
        let taken =
            streams.take((ms(0), full), (1, position), piece(position), room, |_, _, _| shown += 1);
        (taken, shown)
    }

    #[test]
    fn nothing_is_taken_that_cannot_be_shown() {
        let mut streams = Streams::new(0);
        streams.open((1, 5, 0));
        assert_eq!(say(&mut streams, true, 5, 100), (Taken::Next(5, 0), 0));
        assert_eq!(say(&mut streams, false, 5, 100), (Taken::Next(6, 0), 1));
        assert_eq!(say(&mut streams, true, 5, 100), (Taken::Next(6, 0), 0), "they have said that");
        assert_eq!(say(&mut streams, false, 7, 1), (Taken::Next(6, 0), 0), "no room for it");
        assert_eq!(say(&mut streams, false, 7, 2), (Taken::Next(6, 1), 0));
        assert_eq!(streams.held_bytes(), 2);
        streams.close();
        assert_eq!(streams.held_bytes(), 0);
        assert_eq!(say(&mut streams, false, 6, 100), (Taken::Unknown, 0));
    }

    #[test]
    fn who_says_too_much_is_told_to_say_it_again() {
        let mut streams = Streams::new(0);
        streams.open((1, 0, 0));
        let taken = (0..2_000).filter(|&n| say(&mut streams, false, n, 0).1 == 1).count();
        assert_eq!(taken, 1_000, "at once");
        assert_eq!(say(&mut streams, false, 1_000, 0).0, Taken::Next(1_000, 0));
        // What they repeat costs them nothing.
        assert_eq!(say(&mut streams, false, 3, 0).0, Taken::Next(1_000, 0));
    }

    #[test]
    fn what_is_missing_adds_up_until_it_may_be_told() {
        let mut streams = Streams::new(0);
        streams.open((1, 10, 0));
        for n in 1..=4 {
            streams.open((1 + n, 10 + u64::from(n), u64::from(n)));
        }
        assert_eq!(streams.tell_missing(ms(0), false), None, "they are not here yet");
        assert_eq!(streams.tell_missing(ms(0), true), Some(4));
        assert_eq!(streams.tell_missing(ms(0), true), None, "nothing is");
        for n in 5..=7 {
            streams.open((1 + n, 10 + u64::from(n), u64::from(n)));
            assert_eq!(streams.tell_missing(ms(1), true), (n == 5).then_some(1));
        }
        let due = streams.tells_missing_at().expect("it is due");
        assert_eq!(streams.next_deadline(), Some(due));
        assert_eq!(streams.tell_missing(due, true), Some(2));
    }
}
