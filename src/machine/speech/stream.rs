//! What we say to one reader: which pieces it has, which are on their way, and how fast it takes them.

use std::collections::VecDeque;

use core::ops::Range;
use core::time::Duration;

use super::{BACKLOG_MAX, Message, MessageKey, PIECES_IN_FLIGHT, Speech};
use crate::machine::event::Why;
use crate::machine::log::Seal;
use crate::machine::outbox::Outbox;
use crate::machine::purpose::LinkKey;
use crate::machine::text::TEXT_MAX;
use crate::machine::time::{OVERSLEPT, Time};
use crate::machine::who::identity::Person;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{Flags, PIECE_MAX};

/// A reader that has taken nothing for so long, though they are there, is called with one piece at a time.
const STUCK: Duration = Duration::from_secs(1);

/// One that goes on like that for so long does not read.
const UNREAD: Duration = Duration::from_secs(60);

/// The first pause after a piece that was not taken, and the longest. In between it is a quarter of the
/// time since the last one that was.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LAST: Duration = Duration::from_secs(15);

/// What a reader keeps and has not shown, since what it follows is missing there, is called again after that.
const WAITS: Duration = Duration::from_millis(200);

/// A reader who was silent for longer than that is asked what others handed on, of what waits, after pauses of so long at
/// least and at most, until nothing more has come for that time.
const HANDED_ON: Duration = Duration::from_secs(1);
const HANDED_ON_PAUSE: Duration = Duration::from_secs(15);
const HANDED_ON_LAST: Duration = Duration::from_secs(60);
const SILENT_FOR_LONG: Duration = Duration::from_secs(3);

/// The longest pause between hellos that the reader asks for.
const GREETING_LAST: Duration = Duration::from_secs(5);

/// Who was not seen to take nothing for so long takes nothing since now: nothing was asked meanwhile.
const UNASKED: Duration = Duration::from_secs(30);

/// A reader holds up a pipe for as long as it takes eight pieces a second, and five seconds beyond.
const KEEPS_UP: Duration = Duration::from_millis(125);
const PATIENCE: Duration = Duration::from_secs(5);

/// Pieces that one reader may have to be told.
pub(crate) const PIECES_MAX: usize = BACKLOG_MAX * TEXT_MAX.div_ceil(PIECE_MAX / 2);

/// What a reader says it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    /// When the receipt came.
    pub(crate) at: Time,
    /// Everything before this position is on the reader's screen.
    pub(crate) next: u64,
    /// What the reader keeps beyond: bit i is the position `next + i`.
    pub(crate) held: u64,
}

impl Receipt {
    /// Whether the reader has the piece at that position.
    pub(crate) const fn covers(&self, position: u64) -> bool {
        match position.checked_sub(self.next) {
            None => true,
            Some(ahead) => ahead < 64 && self.held >> ahead & 1 == 1,
        }
    }
}

/// What we say to one reader.
#[derive(Debug, Hash)]
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
    /// How many messages they are.
    unacked: usize,
    /// They are there, and take nothing.
    stuck: Option<Stuck>,
    /// How many pieces may be in flight.
    window: usize,
    /// Nothing is called before.
    pause: Time,
    /// No hello that the reader asks for goes out before.
    greeting: Time,
    /// The reader keeps the first piece and has not shown it: it is called again then.
    waits: Option<Time>,
    /// Until then the reader holds up a pipe.
    patience: Time,
    /// It was told that the reader does not read.
    pub(crate) told_unread: bool,
    /// What waits is left to others, who hand it on.
    leaving: Option<Leaving>,
}

/// What waits for a reader who was silent for long is not said, as long as it reaches them through others.
#[derive(Clone, Copy, Debug, Hash)]
struct Leaving {
    /// The reader was silent then.
    since: Time,
    /// Others have until then, or longer if something comes.
    until: Time,
    turn: Turn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Turn {
    /// The reader is silent.
    Silent,
    /// The reader is to be asked then.
    Others(Time),
    /// The reader is asked what it has.
    Asked,
}

/// Eight round trips: somebody is compared with, what they have is read, and asked for, and shown. When the reader is
/// asked, and until when others have time: for some it is not the first who hand it on.
fn handed_on(now: Time, rtt: Option<Duration>) -> (Time, Time) {
    let once = rtt.map_or(HANDED_ON, |rtt| rtt.saturating_mul(8));
    let pause = once.saturating_mul(3).clamp(HANDED_ON, HANDED_ON_PAUSE);
    (now + pause, now + once.saturating_mul(6).clamp(HANDED_ON, HANDED_ON_LAST))
}

/// A reader that takes nothing.
#[derive(Clone, Copy, Debug, Hash)]
struct Stuck {
    since: Time,
    /// When it did not take something last.
    last: Time,
}

impl Stuck {
    const fn begins(now: Time) -> Self {
        Self { since: now, last: now }
    }
}

#[derive(Debug, Hash)]
struct Entry {
    message: MessageKey,
    range: Range<usize>,
    last: bool,
    state: Flight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Flight {
    /// To be called.
    Waiting,
    /// A call is open: on that link, under that number.
    Called { link: LinkKey, seq: u32 },
    /// The reader has it; what comes before it may still be on its way.
    Held,
}

/// A piece, as it is to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) position: u64,
    /// So many positions before it may still come.
    pub(crate) behind: u8,
    pub(crate) number: u64,
    pub(crate) flags: Flags,
    pub(crate) seal: Option<Seal>,
    pub(crate) text: &'a str,
}

impl OutStream {
    pub(crate) const fn new(base: u64) -> Self {
        Self {
            id: 0,
            open: false,
            base,
            given_up: 0,
            entries: VecDeque::new(),
            unacked: 0,
            stuck: None,
            window: PIECES_IN_FLIGHT,
            pause: Time::ZERO,
            greeting: Time::ZERO,
            waits: None,
            patience: Time::ZERO,
            told_unread: false,
            leaving: None,
        }
    }

    /// The reader is silent, and `others` may hand on what waits for them, unless some of it is for them alone: whether it
    /// is left to them.
    pub(crate) fn leave(&mut self, now: Time, others: bool, speech: &Speech) -> bool {
        let sealed = self.entries.iter().all(|entry| speech.is_entry(entry.message));
        let since = self.leaving.map_or(now, |leaving| leaving.since);
        let leaves = others && sealed && !self.entries.is_empty();
        self.leaving = leaves.then_some(Leaving { since, until: now, turn: Turn::Silent });
        leaves
    }

    /// The reader is back. Whether what waits is still left to others, and whether the reader is to be asked what
    /// it has: they have had their time.
    pub(crate) fn leaves(&mut self, now: Time, rtt: Option<Duration>) -> (bool, bool) {
        let Some(Leaving { since, mut until, mut turn }) = self.leaving else {
            return (false, false);
        };
        if turn == Turn::Silent {
            let (asks, last) = handed_on(now, rtt);
            (turn, until) = (Turn::Others(asks), last);
        }
        let leaves = now.since(since) >= SILENT_FOR_LONG && !self.entries.is_empty();
        self.leaving = leaves.then_some(Leaving { since, until, turn });
        (leaves, leaves && turn == Turn::Asked)
    }

    /// The reader was asked, and has more than before or not: if so, others have more time.
    pub(crate) fn is_handed_on(&mut self, now: Time, more: bool, rtt: Option<Duration>) {
        if let Some(leaving) = self.leaving.filter(|leaving| leaving.turn == Turn::Asked) {
            let (asks, last) = handed_on(now, rtt);
            let until = if more { last } else { leaving.until };
            let turn = Turn::Others(asks);
            self.leaving = (now < until).then_some(Leaving { turn, until, ..leaving });
        }
    }

    /// The position behind what is in our log before that entry, of what waits first.
    pub(crate) fn behind_entries(&self, next: u32, speech: &Speech) -> u64 {
        let seal = |entry: &Entry| speech.message(entry.message)?.seal;
        let before = |entry: &&Entry| seal(entry).is_some_and(|seal| seal.seq < next);
        self.base + self.entries.iter().take_while(before).count() as u64
    }

    pub(crate) const fn start(&self) -> u64 {
        self.base
    }

    /// The first entry of our log that the reader has not confirmed.
    pub(crate) fn first_entry(&self, speech: &Speech) -> Option<u32> {
        let seal = |entry: &Entry| speech.message(entry.message)?.seal;
        self.entries.iter().find_map(seal).map(|seal| seal.seq)
    }

    /// Pieces that the reader has not confirmed.
    pub(crate) fn pieces(&self) -> usize {
        self.entries.len()
    }

    /// Messages that the reader has not confirmed.
    pub(crate) const fn unacked(&self) -> usize {
        self.unacked
    }

    /// The message the reader has waited for longest.
    pub(crate) fn oldest(&self) -> Option<MessageKey> {
        self.entries.front().map(|entry| entry.message)
    }

    /// Until when the reader holds up a pipe, if so much waits for it that it does.
    pub(crate) fn holds_up(&self, now: Time, easy: usize) -> Option<Time> {
        (self.unacked >= easy && self.patience > now).then_some(self.patience)
    }

    /// When it is to be said that the reader does not read, if it goes on like this.
    pub(crate) fn unread_at(&self) -> Option<Time> {
        let waits = !self.entries.is_empty() && !self.told_unread;
        self.stuck.filter(|_| waits).map(|stuck| stuck.since + UNREAD)
    }

    /// When the pause is over after which there is something to call.
    pub(crate) fn resumes_at(&self) -> Option<Time> {
        let waits = self.open && self.entries.iter().any(|entry| entry.state == Flight::Waiting);
        let pause = Some(self.pause).filter(|&pause| waits && pause > Time::ZERO);
        let others = self.leaving.and_then(|leaving| match leaving.turn {
            Turn::Others(until) => Some(until),
            Turn::Silent | Turn::Asked => None,
        });
        pause.into_iter().chain(self.waits).chain(others).min()
    }

    /// Notices that the reader does not read: true once. Who slept meanwhile begins to count anew.
    pub(crate) fn notice_unread(&mut self, now: Time) -> bool {
        let Some(at) = self.unread_at().filter(|&at| at <= now) else { return false };
        self.told_unread = now.since(at) <= OVERSLEPT;
        if !self.told_unread {
            self.stuck = Some(Stuck::begins(now));
        }
        self.told_unread
    }

    /// What waited for the end of the pause may be called, if it is over.
    pub(crate) fn resume(&mut self, now: Time) {
        if self.pause <= now {
            self.pause = Time::ZERO;
        }
        if let Some(Leaving { turn, .. }) = &mut self.leaving
            && matches!(turn, Turn::Others(until) if *until <= now)
        {
            *turn = Turn::Asked;
        }
        if self.waits.is_some_and(|at| at <= now) {
            self.waits = None;
            let first = self.entries.front_mut().filter(|entry| entry.state == Flight::Held);
            first.into_iter().for_each(|entry| entry.state = Flight::Waiting);
        }
    }

    /// The reader has lost the stream: until it is opened again nothing is called, and then all that
    /// is not delivered. `over` gets the position, the link and the number of each call that is open.
    pub(crate) fn shut(&mut self, mut over: impl FnMut(u64, LinkKey, u32)) {
        self.open = false;
        self.waits = None;
        for (position, entry) in (self.base..).zip(&mut self.entries) {
            if let Flight::Called { link, seq } = entry.state {
                over(position, link, seq);
            }
            entry.state = Flight::Waiting;
        }
    }

    /// The reader has answered a hello: the stream is open. It may have lost us meanwhile, and with us
    /// what it held, so that is called again; what it still has costs an answer.
    pub(crate) fn opened(&mut self) {
        self.open = true;
        (self.pause, self.waits) = (Time::ZERO, None);
        let held = |entry: &&mut Entry| entry.state == Flight::Held;
        self.entries.iter_mut().filter(held).for_each(|entry| entry.state = Flight::Waiting);
    }

    /// A link is closed: the calls over it are gone.
    pub(crate) fn unlink(&mut self, closed: LinkKey) {
        let lost = |entry: &&mut Entry| matches!(entry.state, Flight::Called { link, .. } if link == closed);
        self.entries.iter_mut().filter(lost).for_each(|entry| entry.state = Flight::Waiting);
    }

    /// The calls that are open on a link are not waited for any more, and what they say is said elsewhere. `over` gets
    /// the position and the number of each.
    pub(crate) fn recall(&mut self, from: LinkKey, mut over: impl FnMut(u64, u32)) {
        for (position, entry) in (self.base..).zip(&mut self.entries) {
            if let Flight::Called { link, seq } = entry.state
                && link == from
            {
                over(position, seq);
                entry.state = Flight::Waiting;
            }
        }
    }

    /// Queues a message. False when too many wait already: the reader will not get it.
    pub(crate) fn push(&mut self, now: Time, speech: &mut Speech, message: MessageKey) -> bool {
        if self.unacked >= BACKLOG_MAX {
            return false;
        }
        let Some(Message { text, seal, .. }) = speech.message(message) else { return true };
        let sealed = seal.as_ref().map_or(0, Seal::size);
        if self.entries.is_empty() {
            self.stuck = None;
            self.patience = now + PATIENCE;
        }
        // They are here, and so is what comes before: somebody talks with them.
        self.leaving = self.leaving.filter(|leaving| leaving.turn == Turn::Silent);
        let (mut start, mut pieces) = (0, 0);
        while start < text.len() {
            let mut end = text.floor_char_boundary(start + PIECE_MAX);
            if end == text.len() && end - start + sealed > PIECE_MAX {
                end = text.floor_char_boundary(start + PIECE_MAX - sealed);
            }
            let last = end == text.len();
            self.entries.push_back(Entry {
                message,
                range: start..end,
                last,
                state: Flight::Waiting,
            });
            start = end;
            pieces += 1;
        }
        speech.pieces += pieces;
        self.unacked += 1;
        true
    }

    /// The next piece to call, if one may be called now. A reader that does not answer, or takes nothing,
    /// is called with one at a time.
    pub(crate) fn next_call<'a>(
        &mut self,
        now: Time,
        silent: bool,
        speech: &'a Speech,
    ) -> Option<Piece<'a>> {
        self.resume(now);
        if !self.open || self.pause > now {
            return None;
        }
        let stuck = self.stuck.is_some_and(|stuck| now.since(stuck.since) >= STUCK);
        let limit = if silent || stuck { 1 } else { self.window };
        let waiting = |entry: &Entry| entry.state == Flight::Waiting;
        let index = self.entries.iter().take(limit).position(waiting)?;
        let entry = &self.entries[index];
        let Message { text, flags, number, seal, .. } = speech.message(entry.message)?;
        let flags = Flags { more: !entry.last, ..*flags };
        let (text, seal) = (text.get(entry.range.clone())?, seal.filter(|_| entry.last));
        let position = self.base + index as u64;
        let behind = u8::try_from(index).unwrap_or(u8::MAX);
        Some(Piece { position, behind, number: *number, flags, seal, text })
    }

    /// A piece has been called.
    pub(crate) fn calling(&mut self, position: u64, link: LinkKey, seq: u32) {
        self.set(position, Flight::Called { link, seq });
    }

    /// The call of a piece is answered: the reader has it, or did not take it.
    pub(crate) fn answered(&mut self, now: Time, position: u64, taken: bool) {
        if taken {
            return self.set(position, Flight::Held);
        }
        self.set(position, Flight::Waiting);
        self.window = (self.window / 2).max(1);
        self.rest(now);
    }

    /// The call of a piece failed. While they are `there`, and answer other calls, they are called more
    /// rarely; else the calls keep their own distance.
    pub(crate) fn failed(&mut self, now: Time, position: u64, there: bool) {
        self.set(position, Flight::Waiting);
        if there {
            self.rest(now);
        } else {
            self.stuck = None;
        }
    }

    /// Nothing is called for a while: longer, the longer the reader has taken nothing.
    pub(crate) fn rest(&mut self, now: Time) -> Time {
        let since = self.stuck_since(now);
        let pause = (now.since(since) / 4).clamp(PAUSE_FIRST, PAUSE_LAST);
        self.pause = self.pause.max(now + pause);
        self.pause
    }

    /// When a hello may open the stream anew: now, and from then on after pauses that grow, for as long
    /// as the reader takes nothing. They stay well below the time of a member: only a hello keeps somebody here who
    /// does not know the stream.
    pub(crate) fn greets_at(&mut self, now: Time) -> Time {
        if self.greeting > now {
            return self.greeting;
        }
        let since = self.stuck_since(now);
        let pause = (now.since(since) / 4).clamp(PAUSE_FIRST, GREETING_LAST);
        self.greeting = now + pause;
        now
    }

    /// They take nothing now either. Since when: from now on, if they did before.
    fn stuck_since(&mut self, now: Time) -> Time {
        let lately = self.stuck.filter(|stuck| now.since(stuck.last) < UNASKED);
        let since = lately.map_or(now, |stuck| stuck.since);
        self.stuck = Some(Stuck { since, last: now });
        since
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
        receipt: Receipt,
        reader: &Person,
        me: PeerId,
        speech: &mut Speech,
        out: &mut Outbox,
        mut over: impl FnMut(u64, LinkKey, u32),
    ) -> bool {
        let Receipt { at: now, next, .. } = receipt;
        if next > self.base + self.entries.len() as u64 {
            return false;
        }
        if next > self.base {
            let pieces = u32::try_from(next - self.base).unwrap_or(u32::MAX);
            self.advance(now, pieces);
        }
        while self.base < next {
            if let Some(entry) = self.entries.pop_front() {
                if let Flight::Called { link, seq } = entry.state {
                    over(self.base, link, seq);
                }
                self.base += 1;
                if entry.last {
                    self.unacked -= 1;
                    speech.acked(now, me, entry.message, reader.clone(), out);
                }
            }
        }
        for (position, entry) in (self.base..).zip(&mut self.entries).take(u64::BITS as usize) {
            if !receipt.covers(position) {
                continue;
            }
            if let Flight::Called { link, seq } = entry.state {
                over(position, link, seq);
            }
            entry.state = Flight::Held;
        }
        let held = self.entries.front().is_some_and(|entry| entry.state == Flight::Held);
        self.waits = held.then(|| self.waits.unwrap_or(now + WAITS));
        true
    }

    fn advance(&mut self, now: Time, pieces: u32) {
        self.window = self.window.saturating_add(pieces as usize).min(PIECES_IN_FLIGHT);
        (self.stuck, self.pause) = (None, Time::ZERO);
        self.told_unread = false;
        let patience = self.patience.max(now) + KEEPS_UP.saturating_mul(pieces);
        self.patience = patience.min(now + PATIENCE);
    }

    /// Nothing of what is left will reach the reader. The stream ends.
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
        self.unacked = 0;
        (self.stuck, self.told_unread, self.leaving) = (None, false, None);
        for entry in self.entries.drain(..).filter(|entry| entry.last) {
            // An entry of our log is to be had as long as anybody keeps it.
            self.given_up += u64::from(!speech.is_entry(entry.message));
            speech.failed(me, entry.message, reader.clone(), why, out);
        }
    }

    /// A message exceeds what may wait for the reader: it will not get it.
    pub(crate) fn leave_out(
        &mut self,
        message: MessageKey,
        reader: Person,
        me: PeerId,
        speech: &mut Speech,
        out: &mut Outbox,
    ) {
        self.given_up += u64::from(!speech.is_entry(message));
        speech.failed(me, message, reader, Why::Unread, out);
    }

    pub(crate) fn check(&self) {
        assert!(self.entries.len() <= PIECES_MAX);
        assert_eq!(self.unacked, self.entries.iter().filter(|entry| entry.last).count());
        assert!((1..=PIECES_IN_FLIGHT).contains(&self.window));
    }
}
