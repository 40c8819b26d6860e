//! What we say: to each reader in order, once each (docs/PROTOCOL.md, "Streams").
//!
//! [`Speech`] holds our messages until everybody they are for has them or is gone. Each reader has a
//! stream of its own with positions that only grow. A piece is called again for as long as its reader is present; the reader's answer names
//! the position up to which everything is on its screen, and that is the receipt.

use std::collections::VecDeque;

use core::ops::Range;

use crate::machine::call::LinkKey;
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

/// What a reader says it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    /// When the receipt came.
    pub(crate) at: Time,
    /// Everything before this position is on the reader's screen.
    pub(crate) next: u64,
    /// What the reader keeps beyond: bit i is the position `next + 1 + i`.
    pub(crate) held: u64,
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
    /// A call is open: on that link, under that number.
    Called { link: LinkKey, seq: u32 },
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

    /// The reader has lost the stream: until it is opened again nothing is called, and then all that
    /// is not delivered. `over` gets the position, the link and the number of each call that is open.
    pub(crate) fn shut(&mut self, mut over: impl FnMut(u64, LinkKey, u32)) {
        self.open = false;
        for (position, entry) in (self.base..).zip(&mut self.entries) {
            if let Flight::Called { link, seq } = entry.state {
                over(position, link, seq);
            }
            entry.state = Flight::Waiting;
        }
    }

    /// A link is closed: the calls over it are gone.
    pub(crate) fn unlink(&mut self, closed: LinkKey) {
        let lost = |entry: &&mut Entry| matches!(entry.state, Flight::Called { link, .. } if link == closed);
        self.entries.iter_mut().filter(lost).for_each(|entry| entry.state = Flight::Waiting);
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
        &self,
        limit: usize,
        speech: &'a Speech,
    ) -> Option<(u64, u64, Flags, &'a str)> {
        if !self.open {
            return None;
        }
        let waiting = |entry: &Entry| entry.state == Flight::Waiting;
        let index = self.entries.iter().take(limit).position(waiting)?;
        let entry = &self.entries[index];
        let (text, flags) = speech.piece(entry.number, &entry.range);
        Some((self.base + index as u64, entry.number, flags, text))
    }

    /// A piece has been called.
    pub(crate) fn calling(&mut self, position: u64, link: LinkKey, seq: u32) {
        self.set(position, Flight::Called { link, seq });
    }

    /// The call of a piece is over; unless the reader holds the piece, it is to be called again.
    pub(crate) fn called(&mut self, position: u64, held: bool) {
        self.set(position, if held { Flight::Held } else { Flight::Waiting });
    }

    fn set(&mut self, position: u64, state: Flight) {
        let index = position.checked_sub(self.base).and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| self.entries.get_mut(index)) {
            entry.state = state;
        }
    }

    /// A receipt has come. Calls of what it covers that are still open are needless: `over`
    /// gets the position, the link and the number of each. False when that is impossible.
    pub(crate) fn delivered(
        &mut self,
        Receipt { at: now, next, held }: Receipt,
        reader: &Person,
        me: PeerId,
        speech: &mut Speech,
        out: &mut Outbox,
        mut over: impl FnMut(u64, LinkKey, u32),
    ) -> bool {
        if next > self.base + self.entries.len() as u64 {
            return false;
        }
        while self.base < next {
            if let Some(entry) = self.entries.pop_front() {
                if let Flight::Called { link, seq } = entry.state {
                    over(self.base, link, seq);
                }
                self.base += 1;
                if entry.last {
                    speech.acked(now, me, entry.number, reader.clone(), out);
                }
            }
        }
        let ahead = self.entries.iter_mut().enumerate().skip(1).take(u64::BITS as usize);
        for (index, entry) in ahead.filter(|&(index, _)| held >> (index - 1) & 1 == 1) {
            if let Flight::Called { link, seq } = entry.state {
                over(self.base + index as u64, link, seq);
            }
            entry.state = Flight::Held;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_at_characters() {
        let mut speech = Speech::new();
        let text = "é".repeat(PIECE_MAX);
        let number = speech.say(Time::ZERO, &text, Flags::default(), 1);
        let link = crate::machine::slots::Slots::default().insert(());
        let mut stream = OutStream::new(0);
        stream.push(&mut speech, number);
        stream.open = true;
        let mut whole = String::new();
        while let Some((position, _, flags, piece)) = stream.next_call(100, &speech) {
            stream.calling(position, link, 0);
            assert!(piece.len() <= PIECE_MAX);
            whole.push_str(piece);
            assert_eq!(flags.more, whole.len() < text.len());
        }
        assert_eq!(whole, text);
    }
}
