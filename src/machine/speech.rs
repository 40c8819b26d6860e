//! What we say: to each reader in order, once each (docs/PROTOCOL.md, "Streams").
//!
//! [`Speech`] holds our messages until everybody they are for has them or is gone. Each reader has an
//! [`OutStream`], with positions that only grow and a backlog of its own. A piece is called again for as
//! long as its reader is present; the reader's answer names the position up to which everything is on its
//! screen, and that is the receipt. Who confirms nothing is called ever more rarely, holds up no other
//! reader, and costs the author nothing but a bounded backlog.

mod stream;

use core::hash::{Hash, Hasher};

use crate::machine::event::{Event, Why};
use crate::machine::log::Seal;
use crate::machine::outbox::Outbox;
use crate::machine::slots::{Key, Slots};
use crate::machine::time::Time;
use crate::machine::who::identity::Person;
use crate::machine::who::ids::{MessageId, PeerId};
use crate::machine::wire::Flags;

pub(crate) use self::stream::{OutStream, PIECES_MAX, Piece, Receipt};

/// Messages that one reader may have to be told; what exceeds them does not reach it.
pub(crate) const BACKLOG_MAX: usize = 1024;

/// A front end fed by a pipe stops reading while a reader that keeps up has so many.
pub(crate) const BACKLOG_EASY: usize = 256;

/// Messages that are kept for all readers together.
pub(crate) const MESSAGES_MAX: usize = 4096;

/// Pieces in flight to one reader: less than a link's window, so that other calls still fit.
pub(crate) const PIECES_IN_FLIGHT: usize = 48;

/// Which message of ours, while it is kept.
pub(crate) type MessageKey = Key<Message>;

/// Our messages, until nobody is outstanding.
#[derive(Debug)]
pub(crate) struct Speech {
    messages: Slots<Message>,
    /// The number of the next message.
    next: u64,
    /// Pieces ever put on any stream: a new stream starts behind all of them, so that a reader that
    /// remembers an older one never takes a new piece for a repeated one.
    pieces: u64,
    spare: Vec<String>,
    /// Messages that did not reach everybody, ever.
    pub(crate) undelivered: u64,
}

#[derive(Debug, Hash)]
pub(crate) struct Message {
    number: u64,
    text: String,
    flags: Flags,
    seal: Option<Seal>,
    said: Time,
    waiting: usize,
    acked: usize,
    failed: Vec<(Person, Why)>,
    left: Vec<Person>,
}

/// What is kept for reuse says nothing.
impl Hash for Speech {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { messages, next, pieces, spare: _, undelivered } = self;
        (messages, next, pieces, undelivered).hash(state);
    }
}

impl Speech {
    /// Nothing said yet; the first message is number 1.
    pub(crate) fn new() -> Self {
        Self { messages: Slots::default(), next: 1, pieces: 0, spare: Vec::new(), undelivered: 0 }
    }

    /// Keeps a message for `readers` readers, with its seal if it is an entry of our log.
    pub(crate) fn say(
        &mut self,
        now: Time,
        text: &str,
        (flags, seal): (Flags, Option<Seal>),
        readers: usize,
    ) -> MessageKey {
        let mut kept = self.spare.pop().unwrap_or_default();
        kept.push_str(text);
        let number = self.next;
        self.next += 1;
        let (failed, left) = (Vec::new(), Vec::new());
        let message = Message {
            number,
            text: kept,
            flags,
            seal,
            said: now,
            waiting: readers,
            acked: 0,
            failed,
            left,
        };
        self.messages.insert(message)
    }

    /// The number of the message that is said next.
    pub(crate) const fn next_number(&self) -> u64 {
        self.next
    }

    /// Messages that are not delivered to everybody yet.
    pub(crate) fn backlog(&self) -> usize {
        self.messages.len()
    }

    pub(crate) const fn next_position(&self) -> u64 {
        self.pieces
    }

    /// The number of a message that is kept.
    pub(crate) fn number(&self, key: MessageKey) -> Option<u64> {
        self.messages.get(key).map(|message| message.number)
    }

    fn is_entry(&self, key: MessageKey) -> bool {
        self.message(key).is_some_and(|message| message.seal.is_some())
    }

    fn message(&self, key: MessageKey) -> Option<&Message> {
        self.messages.get(key)
    }

    fn acked(&mut self, now: Time, me: PeerId, key: MessageKey, by: Person, out: &mut Outbox) {
        let Some(message) = self.messages.get_mut(key) else { return };
        message.waiting = message.waiting.saturating_sub(1);
        message.acked += 1;
        let (number, rtt) = (message.number, now.since(message.said));
        out.show(Event::Acked { id: MessageId { author: me, number }, by, rtt });
        self.settle(me, key, out);
    }

    /// A reader will not get a message. Who said goodbye is no reader any more, and misses nothing.
    fn failed(&mut self, me: PeerId, key: MessageKey, reader: Person, why: Why, out: &mut Outbox) {
        let Some(message) = self.messages.get_mut(key) else { return };
        message.waiting = message.waiting.saturating_sub(1);
        match why {
            Why::Quit => message.left.push(reader),
            _ => message.failed.push((reader, why)),
        }
        self.settle(me, key, out);
    }

    /// Reports a message that nobody waits for any more, and lets go of it.
    pub(crate) fn settle(&mut self, me: PeerId, key: MessageKey, out: &mut Outbox) {
        if self.messages.get(key).is_none_or(|message| message.waiting > 0) {
            return;
        }
        let Some(message) = self.messages.remove(key) else { return };
        let Message { number, mut text, acked, failed, left, .. } = message;
        self.undelivered += u64::from(!failed.is_empty());
        out.show(Event::Done { id: MessageId { author: me, number }, acked, failed, left });
        text.clear();
        self.spare.push(text);
    }
}

#[cfg(test)]
mod tests;
