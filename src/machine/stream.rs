//! What was said: in order, once each, to each reader (docs/PROTOCOL.md, "Streams").
//!
//! [`Speech`] holds our messages until everybody they are for has them or is gone. Each reader has a
//! stream of its own with positions that only grow: an [`OutStream`] on our side, an [`InStream`] on
//! theirs. A piece is called again for as long as its reader is present; the reader's answer names
//! the position up to which everything is on its screen, and that is the receipt.

use std::collections::VecDeque;

use core::ops::Range;

use crate::machine::text::TEXT_MAX;
use crate::machine::wire::{Flags, PIECE_MAX};
use crate::machine::{Event, MessageId, PeerId, Person, Time, Why};

use crate::machine::outbox::Outbox;

/// Messages that may be undelivered at one time; more are refused.
pub(crate) const BACKLOG_MAX: usize = 1024;

/// A front end fed by a pipe stops reading at this many.
pub(crate) const BACKLOG_EASY: usize = 256;

/// Pieces in flight to one reader: less than a link's window, so that other calls still fit.
pub(crate) const PIECES_IN_FLIGHT: usize = 48;

/// How far ahead of the next piece a reader keeps what arrived early. More than can be in flight.
const HOLD: usize = 64;

/// Our messages, until nobody is outstanding.
#[derive(Debug)]
pub(crate) struct Speech {
    /// The number of the front message.
    first: u64,
    messages: VecDeque<Message>,
    /// Pieces ever put on any stream: a new stream starts behind all of them, so that a reader that
    /// remembers an older one never takes a new piece for a repeated one.
    pieces: u64,
    spare: Vec<String>,
    /// Messages that did not reach everybody, ever.
    pub(crate) undelivered: u64,
}

#[derive(Debug)]
struct Message {
    text: String,
    flags: Flags,
    said: Time,
    waiting: usize,
    acked: usize,
    failed: Vec<(Person, Why)>,
}

impl Speech {
    /// Nothing said yet; the first message is number 1.
    pub(crate) const fn new() -> Self {
        Self { first: 1, messages: VecDeque::new(), pieces: 0, spare: Vec::new(), undelivered: 0 }
    }

    /// Keeps a message for `readers` readers and returns its number.
    pub(crate) fn say(&mut self, now: Time, text: &str, flags: Flags, readers: usize) -> u64 {
        let mut kept = self.spare.pop().unwrap_or_default();
        kept.push_str(text);
        let said = now;
        let failed = Vec::new();
        let message = Message { text: kept, flags, said, waiting: readers, acked: 0, failed };
        self.messages.push_back(message);
        self.first + self.messages.len() as u64 - 1
    }

    /// Messages that are not delivered to everybody yet.
    pub(crate) fn backlog(&self) -> usize {
        self.messages.len()
    }

    pub(crate) const fn next_position(&self) -> u64 {
        self.pieces
    }

    /// A piece of a message, as it goes over the wire.
    fn piece(&self, number: u64, range: &Range<usize>) -> (&str, Flags) {
        let message = &self.messages[(number - self.first) as usize];
        let more = range.end < message.text.len();
        (&message.text[range.clone()], Flags { more, ..message.flags })
    }

    fn acked(&mut self, now: Time, me: PeerId, number: u64, by: Person, out: &mut Outbox) {
        let message = &mut self.messages[(number - self.first) as usize];
        message.waiting -= 1;
        message.acked += 1;
        let rtt = now.since(message.said);
        out.show(Event::Acked { id: MessageId { author: me, number }, by, rtt });
        self.settle(me, number, out);
    }

    fn failed(&mut self, me: PeerId, number: u64, reader: Person, why: Why, out: &mut Outbox) {
        let message = &mut self.messages[(number - self.first) as usize];
        message.waiting -= 1;
        message.failed.push((reader, why));
        self.settle(me, number, out);
    }

    /// Reports a message that nobody waits for any more, and lets go of what is done at the front.
    pub(crate) fn settle(&mut self, me: PeerId, number: u64, out: &mut Outbox) {
        let message = &mut self.messages[(number - self.first) as usize];
        if message.waiting > 0 {
            return;
        }
        let failed = core::mem::take(&mut message.failed);
        self.undelivered += u64::from(!failed.is_empty());
        let acked = message.acked;
        out.show(Event::Done { id: MessageId { author: me, number }, acked, failed });
        while self.messages.front().is_some_and(|message| message.waiting == 0) {
            if let Some(mut message) = self.messages.pop_front() {
                self.first += 1;
                message.text.clear();
                self.spare.push(message.text);
            }
        }
    }
}

/// What we say to one reader.
#[derive(Debug)]
pub(crate) struct OutStream {
    /// The name of the stream; 0 while there is none.
    pub(crate) id: u32,
    /// The reader has answered the hello that opened it.
    pub(crate) open: bool,
    /// The position of the first entry.
    base: u64,
    /// Messages to this reader that were given up, ever.
    pub(crate) given_up: u64,
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    range: Range<usize>,
    last: bool,
    state: Flight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    /// To be called.
    Waiting,
    /// A call is open.
    Called,
    /// The reader has it; what comes before it may still be on its way.
    Held,
}

impl OutStream {
    pub(crate) const fn new(base: u64) -> Self {
        Self { id: 0, open: false, base, given_up: 0, entries: VecDeque::new() }
    }

    pub(crate) const fn start(&self) -> u64 {
        self.base
    }

    pub(crate) fn unacked(&self) -> usize {
        self.entries.iter().filter(|entry| entry.last).count()
    }

    /// Begins a stream under a new name: everything that is not delivered goes out again.
    pub(crate) fn reopen(&mut self, id: u32) {
        self.id = id;
        self.open = false;
        self.entries.iter_mut().for_each(|entry| entry.state = Flight::Waiting);
    }

    /// Queues a message.
    pub(crate) fn push(&mut self, speech: &mut Speech, number: u64) {
        let text = &speech.messages[(number - speech.first) as usize].text;
        let mut start = 0;
        while start < text.len() {
            let end = text.floor_char_boundary(start + PIECE_MAX);
            let last = end == text.len();
            let state = Flight::Waiting;
            self.entries.push_back(Entry { number, range: start..end, last, state });
            speech.pieces += 1;
            start = end;
        }
    }

    /// The next piece to call, among the first `limit` that are not delivered.
    pub(crate) fn next_call<'a>(
        &mut self,
        limit: usize,
        speech: &'a Speech,
    ) -> Option<(u64, u64, Flags, &'a str)> {
        if !self.open {
            return None;
        }
        let waiting = |entry: &Entry| entry.state == Flight::Waiting;
        let index = self.entries.iter().take(limit).position(waiting)?;
        let entry = &mut self.entries[index];
        entry.state = Flight::Called;
        let (text, flags) = speech.piece(entry.number, &entry.range);
        Some((self.base + index as u64, entry.number, flags, text))
    }

    /// The call of a piece is over; unless the reader holds the piece, it is to be called again.
    pub(crate) fn called(&mut self, position: u64, held: bool) {
        let index = position.checked_sub(self.base).and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| self.entries.get_mut(index)) {
            entry.state = if held { Flight::Held } else { Flight::Waiting };
        }
    }

    /// The reader has everything before `next`. False when that is impossible.
    pub(crate) fn delivered(
        &mut self,
        now: Time,
        next: u64,
        reader: &Person,
        me: PeerId,
        speech: &mut Speech,
        out: &mut Outbox,
    ) -> bool {
        if next > self.base + self.entries.len() as u64 {
            return false;
        }
        while self.base < next {
            if let Some(entry) = self.entries.pop_front() {
                self.base += 1;
                if entry.last {
                    speech.acked(now, me, entry.number, reader.clone(), out);
                }
            }
        }
        true
    }

    /// The reader is gone: nothing of what is left will reach it. The stream ends.
    pub(crate) fn give_up(
        &mut self,
        reader: &Person,
        why: Why,
        me: PeerId,
        speech: &mut Speech,
        out: &mut Outbox,
    ) {
        self.base += self.entries.len() as u64;
        self.id = 0;
        self.open = false;
        for entry in self.entries.drain(..).filter(|entry| entry.last) {
            self.given_up += 1;
            speech.failed(me, entry.number, reader.clone(), why, out);
        }
    }

    pub(crate) fn check(&self) {
        assert!(self.entries.len() <= BACKLOG_MAX * TEXT_MAX.div_ceil(PIECE_MAX / 2));
    }
}

/// What one author says to us.
#[derive(Debug, Default)]
pub(crate) struct InStream {
    /// The name of the stream; 0 while there is none.
    id: u32,
    /// The position of the next piece to show. Outlives the stream, so that a piece that comes
    /// again on another one is not shown twice.
    next: Option<u64>,
    /// Messages to us that the author had given up when it named the stream.
    given_up: u64,
    /// Pieces that came early, by position modulo [`HOLD`].
    held: Vec<Held>,
    /// The beginning of a message whose end is still to come.
    partial: String,
    /// The number of that message.
    number: Option<u64>,
}

#[derive(Debug, Default)]
struct Held {
    present: bool,
    number: u64,
    flags: Flags,
    text: String,
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is kept or was there before; the answer is this position.
    Next(u64),
    /// It is on another stream.
    Unknown,
    /// It is too far ahead to be kept.
    TooFar,
}

impl InStream {
    /// The author names a stream, and how many messages to us it has given up in all. Returns how
    /// many it has given up since the last one, of which we have not shown everything.
    pub(crate) fn open(&mut self, id: u32, start: u64, given_up: u64) -> u64 {
        if id == self.id {
            return 0;
        }
        self.id = id;
        let first = self.next.is_none();
        let before = self.next.unwrap_or(start);
        self.next = Some(before.max(start));
        if start > before {
            self.held.iter_mut().for_each(|held| held.present = false);
            self.partial.clear();
            self.number = None;
        }
        let more = given_up.saturating_sub(self.given_up);
        self.given_up = given_up;
        if first { 0 } else { more.min(start.saturating_sub(before)) }
    }

    /// Whether that is the stream the author has named.
    pub(crate) const fn is(&self, stream: u32) -> bool {
        stream != 0 && self.id == stream
    }

    /// The position of the next piece to show.
    pub(crate) fn next(&self) -> u64 {
        self.next.unwrap_or_default()
    }

    /// The author is gone: what comes on the stream is not taken any more.
    pub(crate) fn close(&mut self) {
        self.id = 0;
    }

    /// Takes a piece; `show` gets every message that is complete now: number, flags, raw text.
    pub(crate) fn take(
        &mut self,
        stream: u32,
        position: u64,
        piece: (u64, Flags, &str),
        mut show: impl FnMut(u64, Flags, &str),
    ) -> Taken {
        let Some(next) = self.next.filter(|_| self.is(stream)) else {
            return Taken::Unknown;
        };
        if position >= next.saturating_add(HOLD as u64) {
            return Taken::TooFar;
        }
        if position == next {
            let (number, flags, text) = piece;
            self.append(number, flags, text, &mut show);
            let end = self.show_held(next + 1, &mut show);
            self.next = Some(end);
            return Taken::Next(end);
        }
        if position > next {
            self.hold(position, piece);
        }
        Taken::Next(next)
    }

    fn hold(&mut self, position: u64, (number, flags, text): (u64, Flags, &str)) {
        if self.held.is_empty() {
            self.held.resize_with(HOLD, Held::default);
        }
        let held = &mut self.held[position as usize % HOLD];
        if !held.present {
            held.text.clear();
            held.text.push_str(text);
            (held.present, held.number, held.flags) = (true, number, flags);
        }
    }

    /// Shows what was held from `next` on and returns the first position that is missing.
    fn show_held(&mut self, mut next: u64, show: &mut impl FnMut(u64, Flags, &str)) -> u64 {
        while self.held.get(next as usize % HOLD).is_some_and(|held| held.present) {
            let held = &mut self.held[next as usize % HOLD];
            held.present = false;
            let (number, flags, text) = (held.number, held.flags, core::mem::take(&mut held.text));
            self.append(number, flags, &text, show);
            self.held[next as usize % HOLD].text = text;
            next += 1;
        }
        next
    }

    /// Adds a piece to its message. What goes beyond the longest message is cut off.
    fn append(
        &mut self,
        number: u64,
        flags: Flags,
        text: &str,
        show: &mut impl FnMut(u64, Flags, &str),
    ) {
        if self.number.is_none() && !flags.more {
            return show(number, flags, text);
        }
        let number = *self.number.get_or_insert(number);
        let room = TEXT_MAX - self.partial.len();
        self.partial.push_str(&text[..text.floor_char_boundary(room)]);
        if !flags.more {
            show(number, flags, &self.partial);
            self.partial.clear();
            self.number = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(stream: &mut InStream, position: u64, text: &str, more: bool) -> (Taken, Vec<String>) {
        let mut shown = Vec::new();
        let flags = Flags { more, ..Flags::default() };
        let taken = stream.take(7, position, (position, flags, text), |_, _, text| {
            shown.push(text.to_owned());
        });
        (taken, shown)
    }

    fn opened(start: u64) -> InStream {
        let mut stream = InStream::default();
        assert_eq!(stream.open(7, start, 0), 0);
        stream
    }

    #[test]
    fn pieces_are_shown_in_order_and_once() {
        let mut stream = opened(3);
        assert_eq!(say(&mut stream, 5, "c", false), (Taken::Next(3), vec![]));
        assert_eq!(say(&mut stream, 4, "b", false), (Taken::Next(3), vec![]));
        let all = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(say(&mut stream, 3, "a", false), (Taken::Next(6), all));
        assert_eq!(say(&mut stream, 4, "b", false), (Taken::Next(6), vec![]));
        assert_eq!(say(&mut stream, 2, "z", false), (Taken::Next(6), vec![]));
    }

    #[test]
    fn a_message_in_pieces_is_one_message() {
        let mut stream = opened(0);
        assert_eq!(say(&mut stream, 1, "lo", false), (Taken::Next(0), vec![]));
        assert_eq!(say(&mut stream, 0, "hel", true), (Taken::Next(2), vec!["hello".to_owned()]));
    }

    #[test]
    fn the_hold_is_bounded_and_so_is_a_message() {
        let mut stream = opened(0);
        assert_eq!(say(&mut stream, HOLD as u64, "far", false), (Taken::TooFar, vec![]));
        assert_eq!(say(&mut stream, u64::MAX, "far", false), (Taken::TooFar, vec![]));
        let long = "x".repeat(PIECE_MAX);
        for position in 0..8 {
            assert_eq!(say(&mut stream, position, &long, true).0, Taken::Next(position + 1));
        }
        let (_, shown) = say(&mut stream, 8, "end", false);
        assert_eq!(shown, vec!["x".repeat(TEXT_MAX)]);
    }

    #[test]
    fn another_stream_is_unknown_and_a_new_one_counts_what_was_given_up() {
        let mut stream = opened(0);
        assert_eq!(stream.take(8, 0, (0, Flags::default(), "x"), |_, _, _| ()), Taken::Unknown);
        assert_eq!(say(&mut stream, 0, "a", false).0, Taken::Next(1));
        assert_eq!(stream.open(9, 4, 3), 3, "positions 1, 2 and 3 will not come");
        stream.close();
        assert_eq!(stream.take(9, 4, (4, Flags::default(), "x"), |_, _, _| ()), Taken::Unknown);
        assert_eq!(stream.open(7, 2, 3), 0, "a stream that resumes earlier shows nothing twice");
        assert_eq!(say(&mut stream, 3, "old", false), (Taken::Next(4), vec![]));
        assert_eq!(say(&mut stream, 4, "new", false).0, Taken::Next(5));
    }

    #[test]
    fn long_messages_are_cut_at_characters() {
        let mut speech = Speech::new();
        let text = "é".repeat(PIECE_MAX);
        let number = speech.say(Time::ZERO, &text, Flags::default(), 1);
        let mut stream = OutStream::new(0);
        stream.push(&mut speech, number);
        stream.reopen(1);
        stream.open = true;
        let mut whole = String::new();
        while let Some((_, _, flags, piece)) = stream.next_call(100, &speech) {
            assert!(piece.len() <= PIECE_MAX);
            whole.push_str(piece);
            assert_eq!(flags.more, whole.len() < text.len());
        }
        assert_eq!(whole, text);
    }
}
