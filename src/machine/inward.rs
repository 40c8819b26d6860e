//! What one author says to us: in order, once each, and never before what it follows (docs/PROTOCOL.md,
//! "Streams").
//!
//! A message is shown when everything before it is, in its author's stream and among what others said. What
//! comes early is held, within bounds, and the answer tells the author both.

use crate::machine::log::Seal;
use crate::machine::text::TEXT_MAX;
use crate::machine::wire::{Flags, POSITION_MAX};

/// How far ahead of the next piece a reader keeps what arrived early. More than can be in flight.
const HOLD: usize = 64;

/// What one author says to us.
#[derive(Debug, Default, Hash)]
pub(crate) struct InStream {
    /// The name of the stream; 0 while there is none.
    id: u32,
    /// The position of the next piece to show. Outlives the stream, so that a piece that comes
    /// again on another one is not shown twice.
    next: Option<u64>,
    /// Messages to us that the author had given up when it named the stream.
    given_up: u64,
    /// Which positions are held: bit i is `next + i`.
    early: u64,
    /// What is held, by position modulo [`HOLD`]; empty while nothing is.
    held: Vec<Held>,
    /// Bytes of what is held.
    held_bytes: usize,
    /// The beginning of a message whose end is still to come.
    partial: String,
    /// The number of that message.
    number: Option<u64>,
}

#[derive(Debug, Default, Hash)]
struct Held {
    number: u64,
    flags: Flags,
    seal: Option<Seal>,
    text: String,
}

/// A piece, or what all pieces of a message make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) number: u64,
    pub(crate) flags: Flags,
    pub(crate) seal: Option<&'a Seal>,
    pub(crate) text: &'a str,
}

/// Where messages are shown.
pub(crate) trait Screen {
    /// Whether everything is shown that a message follows.
    fn is_due(&self, seal: &Seal) -> bool;

    /// Shows a message that is complete, with its raw text.
    fn show(&mut self, message: Piece<'_>);
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is kept or was there before. Everything before this position is shown, and what the bits
    /// name is kept: bit i is the position behind it by i.
    Next(u64, u64),
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
            self.drop_held();
            self.partial.clear();
            self.number = None;
        }
        let more = given_up.saturating_sub(self.given_up);
        self.given_up = given_up;
        if first { 0 } else { more.min(start.saturating_sub(before)) }
    }

    /// Bytes of what came early.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// What is answered to a piece that is not taken now: the author says it again.
    pub(crate) fn decline(&self, stream: u32) -> Taken {
        match self.next.filter(|_| self.is(stream)) {
            Some(next) => Taken::Next(next, self.early),
            None => Taken::Unknown,
        }
    }

    /// Whether a piece at that position would be something new.
    pub(crate) fn is_news(&self, stream: u32, position: u64) -> bool {
        self.is(stream) && self.next.is_some_and(|next| position >= next)
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
        self.drop_held();
    }

    /// Takes a piece; the screen gets every message that is complete now and due. What comes early, or is not
    /// due, is kept as far as there is `room` for its bytes.
    pub(crate) fn take(
        &mut self,
        (stream, position, behind): (u32, u64, u8),
        piece: Piece<'_>,
        room: usize,
        screen: &mut impl Screen,
    ) -> Taken {
        let Some(next) = self.next.filter(|_| self.is(stream)) else {
            return Taken::Unknown;
        };
        if position > POSITION_MAX {
            return Taken::TooFar;
        }
        let next = self.skip(next, position.saturating_sub(u64::from(behind)));
        if position >= next.saturating_add(HOLD as u64) {
            return Taken::TooFar;
        }
        if position == next && piece.seal.is_none_or(|seal| screen.is_due(seal)) {
            self.append(piece, screen);
            if self.early & 1 == 1 {
                self.take_out(next);
            }
            self.step(next);
            self.show_held(screen);
        } else if position >= next && piece.text.len() <= room {
            self.hold(next, position, piece);
        }
        Taken::Next(self.next(), self.early)
    }

    /// What comes before that position has come another way, and does not come on the stream. The next one then.
    fn skip(&mut self, next: u64, to: u64) -> u64 {
        let Some(count) = to.checked_sub(next).filter(|&count| count > 0) else { return next };
        for position in next..next.saturating_add(count.min(HOLD as u64)) {
            if self.early & 1 == 1 {
                self.take_out(position);
            }
            self.early >>= 1;
        }
        if self.early == 0 {
            self.drop_held();
        }
        self.partial.clear();
        (self.number, self.next) = (None, Some(to));
        to
    }

    /// Whether the next message is there, and waits for what it follows.
    pub(crate) const fn waits(&self) -> bool {
        self.early & 1 == 1
    }

    /// That of the next message, if it is there, and waits for what it follows.
    pub(crate) fn waiting(&self) -> Option<&Seal> {
        let next = self.next.filter(|_| self.waits())?;
        self.held.get(next as usize % HOLD)?.seal.as_ref()
    }

    /// Shows what is held and is due now.
    pub(crate) fn show_held(&mut self, screen: &mut impl Screen) {
        while let Some(next) = self.next.filter(|_| self.early & 1 == 1) {
            let seal = self.held[next as usize % HOLD].seal;
            if seal.is_some_and(|seal| !screen.is_due(&seal)) {
                return;
            }
            let Held { number, flags, text, .. } = self.take_out(next);
            self.append(Piece { number, flags, seal: seal.as_ref(), text: &text }, screen);
            self.step(next);
        }
        if self.early == 0 && !self.held.is_empty() {
            self.drop_held();
        }
    }

    fn hold(&mut self, next: u64, position: u64, piece: Piece<'_>) {
        if self.held.is_empty() {
            self.held.resize_with(HOLD, Held::default);
        }
        let bit = 1 << (position - next);
        if self.early & bit == 0 {
            let Piece { number, flags, seal, text } = piece;
            self.early |= bit;
            self.held_bytes += text.len();
            self.held[position as usize % HOLD] =
                Held { number, flags, seal: seal.copied(), text: text.to_owned() };
        }
    }

    fn take_out(&mut self, position: u64) -> Held {
        let held = core::mem::take(&mut self.held[position as usize % HOLD]);
        self.held_bytes -= held.text.len();
        held
    }

    /// What stood at that position is shown.
    const fn step(&mut self, shown: u64) {
        self.next = Some(shown + 1);
        self.early >>= 1;
    }

    /// What came early is of no use, or all shown: its memory is given back.
    fn drop_held(&mut self) {
        self.early = 0;
        self.held_bytes = 0;
        self.held = Vec::new();
    }

    /// Adds a piece to its message. What goes beyond the longest message is cut off.
    fn append(&mut self, piece: Piece<'_>, screen: &mut impl Screen) {
        let Piece { number, flags, text, .. } = piece;
        if self.number.is_none() && !flags.more {
            return screen.show(piece);
        }
        let number = *self.number.get_or_insert(number);
        let room = TEXT_MAX - self.partial.len();
        self.partial.push_str(&text[..text.floor_char_boundary(room)]);
        if !flags.more {
            screen.show(Piece { number, text: &self.partial, ..piece });
            self.partial.clear();
            self.number = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::log::Deps;
    use crate::machine::wire::PIECE_MAX;

    /// What was shown; nothing is due that is sealed with an odd clock.
    #[derive(Default)]
    struct Texts(Vec<String>);

    impl Screen for Texts {
        fn is_due(&self, seal: &Seal) -> bool {
            seal.clock.is_multiple_of(2)
        }

        fn show(&mut self, message: Piece<'_>) {
            self.0.push(message.text.to_owned());
        }
    }

    fn piece(number: u64, text: &str) -> Piece<'_> {
        Piece { number, flags: Flags::default(), seal: None, text }
    }

    fn say(stream: &mut InStream, position: u64, text: &str, more: bool) -> (Taken, Vec<String>) {
        let mut shown = Texts::default();
        let flags = Flags { more, ..Flags::default() };
        let piece = Piece { flags, ..piece(position, text) };
        let taken = stream.take((7, position, u8::MAX), piece, 4_096, &mut shown);
        (taken, shown.0)
    }

    /// Says a message that is sealed at that time.
    fn sealed(stream: &mut InStream, position: u64, clock: u64) -> (Taken, Vec<String>) {
        let seal = Seal { seq: 1, clock, deps: Deps::default(), past: [0; 16], signature: [0; 64] };
        let mut shown = Texts::default();
        let text = position.to_string();
        let piece = Piece { seal: Some(&seal), ..piece(position, &text) };
        let taken = stream.take((7, position, u8::MAX), piece, 4_096, &mut shown);
        (taken, shown.0)
    }

    fn opened(start: u64) -> InStream {
        let mut stream = InStream::default();
        assert_eq!(stream.open(7, start, 0), 0);
        stream
    }

    #[test]
    fn pieces_are_shown_in_order_and_once() {
        let mut stream = opened(3);
        assert_eq!(say(&mut stream, 5, "c", false), (Taken::Next(3, 0b100), vec![]));
        assert_eq!(say(&mut stream, 4, "b", false), (Taken::Next(3, 0b110), vec![]));
        let all = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(say(&mut stream, 3, "a", false), (Taken::Next(6, 0), all));
        assert_eq!(say(&mut stream, 4, "b", false), (Taken::Next(6, 0), vec![]));
        assert_eq!(say(&mut stream, 2, "z", false), (Taken::Next(6, 0), vec![]));
    }

    #[test]
    fn a_message_in_pieces_is_one_message() {
        let mut stream = opened(0);
        assert_eq!(say(&mut stream, 1, "lo", false), (Taken::Next(0, 0b10), vec![]));
        assert_eq!(say(&mut stream, 0, "hel", true), (Taken::Next(2, 0), vec!["hello".to_owned()]));
    }

    #[test]
    fn the_hold_is_bounded_and_so_is_a_message() {
        let mut stream = opened(0);
        assert_eq!(say(&mut stream, HOLD as u64, "far", false), (Taken::TooFar, vec![]));
        assert_eq!(say(&mut stream, u64::MAX, "far", false), (Taken::TooFar, vec![]));
        let long = "x".repeat(PIECE_MAX);
        let pieces = 2 * TEXT_MAX.div_ceil(PIECE_MAX) as u64;
        for position in 0..pieces {
            assert_eq!(say(&mut stream, position, &long, true).0, Taken::Next(position + 1, 0));
        }
        let (_, shown) = say(&mut stream, pieces, "end", false);
        assert_eq!(shown, vec!["x".repeat(TEXT_MAX)]);
    }

    #[test]
    fn what_came_another_way_is_waited_for_no_more() {
        let mut stream = opened(0);
        assert_eq!(say(&mut stream, 0, "be", true).0, Taken::Next(1, 0));
        assert_eq!(say(&mut stream, 4, "held", false).0, Taken::Next(1, 0b1000));
        let mut shown = Texts::default();
        let taken = stream.take((7, 5, 2), piece(5, "five"), 4_096, &mut shown);
        assert_eq!((taken, shown.0.len()), (Taken::Next(3, 0b110), 0), "3 may still come");
        assert_eq!(say(&mut stream, 3, "three", false).1, ["three", "held", "five"]);
        let taken = stream.take((7, 900, 0), piece(900, "far"), 4_096, &mut shown);
        assert_eq!((taken, stream.held_bytes()), (Taken::Next(901, 0), 0));
        assert_eq!(shown.0, ["far"], "the beginning of a message that came whole is forgotten");
        let taken = stream.take((7, u64::MAX, 0), piece(1, "x"), 9, &mut shown);
        assert_eq!((taken, stream.next()), (Taken::TooFar, 901));
    }

    #[test]
    fn another_stream_is_unknown_and_a_new_one_counts_what_was_given_up() {
        let mut stream = opened(0);
        assert_eq!(
            stream.take((8, 0, u8::MAX), piece(0, "x"), 9, &mut Texts::default()),
            Taken::Unknown
        );
        assert_eq!(say(&mut stream, 0, "a", false).0, Taken::Next(1, 0));
        assert_eq!(stream.open(9, 4, 3), 3, "positions 1, 2 and 3 will not come");
        stream.close();
        assert_eq!(
            stream.take((9, 4, u8::MAX), piece(4, "x"), 9, &mut Texts::default()),
            Taken::Unknown
        );
        assert_eq!(stream.open(7, 2, 3), 0, "a stream that resumes earlier shows nothing twice");
        assert_eq!(say(&mut stream, 3, "old", false), (Taken::Next(4, 0), vec![]));
        assert_eq!(say(&mut stream, 4, "new", false).0, Taken::Next(5, 0));
    }

    #[test]
    fn what_comes_early_takes_the_room_there_is_and_gives_it_back() {
        let mut stream = opened(0);
        let early = |stream: &mut InStream, position, room| {
            stream.take((7, position, u8::MAX), piece(position, "xyz"), room, &mut Texts::default())
        };
        assert_eq!(early(&mut stream, 1, 2), Taken::Next(0, 0), "no room");
        assert_eq!(early(&mut stream, 1, 3), Taken::Next(0, 0b10));
        assert_eq!(early(&mut stream, 1, 3), Taken::Next(0, 0b10), "once");
        assert_eq!((stream.held_bytes(), early(&mut stream, 3, 9)), (3, Taken::Next(0, 0b1010)));
        assert_eq!(say(&mut stream, 0, "a", false).0, Taken::Next(2, 0b10));
        assert_eq!((stream.held_bytes(), stream.held.len()), (3, HOLD));
        assert_eq!(say(&mut stream, 2, "b", false).0, Taken::Next(4, 0));
        assert_eq!((stream.held_bytes(), stream.held.capacity()), (0, 0));
        assert_eq!(early(&mut stream, 9, 9), Taken::Next(4, 0b10_0000));
        assert_eq!(stream.open(8, 20, 0), 0, "what was held is behind it");
        assert_eq!((stream.held_bytes(), stream.decline(8)), (0, Taken::Next(20, 0)));
        assert!(stream.is_news(8, 20) && !stream.is_news(8, 19) && !stream.is_news(7, 20));
    }

    #[test]
    fn what_is_not_due_is_held_and_holds_up_what_comes_behind() {
        let mut stream = opened(0);
        assert_eq!(sealed(&mut stream, 0, 1), (Taken::Next(0, 1), vec![]));
        assert_eq!(sealed(&mut stream, 0, 1), (Taken::Next(0, 1), vec![]), "once");
        assert_eq!(say(&mut stream, 1, "b", false), (Taken::Next(0, 0b11), vec![]));
        assert!(stream.waits());
        let mut due = Due::default();
        stream.show_held(&mut due);
        assert_eq!(
            (due.0.0, stream.next(), stream.waits()),
            (vec!["0".into(), "b".into()], 2, false)
        );
        assert_eq!((stream.held_bytes(), stream.held.capacity()), (0, 0));
        // It is said again when it is due at last.
        assert_eq!(sealed(&mut stream, 2, 1), (Taken::Next(2, 1), vec![]));
        assert_eq!(sealed(&mut stream, 2, 2), (Taken::Next(3, 0), vec!["2".into()]));
        assert_eq!(stream.held_bytes(), 0);
    }

    /// Everything is due.
    #[derive(Default)]
    struct Due(Texts);

    impl Screen for Due {
        fn is_due(&self, _: &Seal) -> bool {
            true
        }

        fn show(&mut self, message: Piece<'_>) {
            self.0.show(message);
        }
    }
}
