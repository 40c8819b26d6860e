//! What one author says to us: in order, once each (docs/PROTOCOL.md, "Streams").
//!
//! A piece is shown when everything before it is; what comes early is held, within bounds, and the
//! answer tells the author both.

use crate::machine::text::TEXT_MAX;
use crate::machine::wire::Flags;

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
    /// Which positions came early: bit i is `next + 1 + i`.
    early: u64,
    /// What came early, by position modulo [`HOLD`]; empty while nothing did.
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
    text: String,
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is kept or was there before. Everything before this position is shown, and what the bits
    /// name is kept: bit i is the position behind it by i + 1.
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

    /// Takes a piece; `show` gets every message that is complete now: number, flags, raw text. What comes
    /// early is kept as far as there is `room` for its bytes.
    pub(crate) fn take(
        &mut self,
        stream: u32,
        position: u64,
        piece: (u64, Flags, &str),
        room: usize,
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
            let end = self.show_held(next, &mut show);
            self.next = Some(end);
            return Taken::Next(end, self.early);
        }
        if position > next && piece.2.len() <= room {
            self.hold(next, position, piece);
        }
        Taken::Next(next, self.early)
    }

    fn hold(&mut self, next: u64, position: u64, (number, flags, text): (u64, Flags, &str)) {
        if self.held.is_empty() {
            self.held.resize_with(HOLD, Held::default);
        }
        let bit = 1 << (position - next - 1);
        if self.early & bit == 0 {
            self.early |= bit;
            self.held_bytes += text.len();
            self.held[position as usize % HOLD] = Held { number, flags, text: text.to_owned() };
        }
    }

    /// What came early is of no use, or all shown: its memory is given back.
    fn drop_held(&mut self) {
        self.early = 0;
        self.held_bytes = 0;
        self.held = Vec::new();
    }

    /// Shows what was held behind `shown` and returns the first position that is missing.
    fn show_held(&mut self, shown: u64, show: &mut impl FnMut(u64, Flags, &str)) -> u64 {
        let mut next = shown;
        loop {
            next += 1;
            let present = self.early & 1 == 1;
            self.early >>= 1;
            if !present {
                if self.early == 0 && !self.held.is_empty() {
                    self.drop_held();
                }
                return next;
            }
            let Held { number, flags, text } =
                core::mem::take(&mut self.held[next as usize % HOLD]);
            self.held_bytes -= text.len();
            self.append(number, flags, &text, show);
        }
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
    use crate::machine::wire::PIECE_MAX;

    fn say(stream: &mut InStream, position: u64, text: &str, more: bool) -> (Taken, Vec<String>) {
        let mut shown = Vec::new();
        let flags = Flags { more, ..Flags::default() };
        let taken = stream.take(7, position, (position, flags, text), 4_096, |_, _, text| {
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
        assert_eq!(say(&mut stream, 5, "c", false), (Taken::Next(3, 0b10), vec![]));
        assert_eq!(say(&mut stream, 4, "b", false), (Taken::Next(3, 0b11), vec![]));
        let all = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(say(&mut stream, 3, "a", false), (Taken::Next(6, 0), all));
        assert_eq!(say(&mut stream, 4, "b", false), (Taken::Next(6, 0), vec![]));
        assert_eq!(say(&mut stream, 2, "z", false), (Taken::Next(6, 0), vec![]));
    }

    #[test]
    fn a_message_in_pieces_is_one_message() {
        let mut stream = opened(0);
        assert_eq!(say(&mut stream, 1, "lo", false), (Taken::Next(0, 1), vec![]));
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
    fn another_stream_is_unknown_and_a_new_one_counts_what_was_given_up() {
        let mut stream = opened(0);
        assert_eq!(stream.take(8, 0, (0, Flags::default(), "x"), 9, |_, _, _| ()), Taken::Unknown);
        assert_eq!(say(&mut stream, 0, "a", false).0, Taken::Next(1, 0));
        assert_eq!(stream.open(9, 4, 3), 3, "positions 1, 2 and 3 will not come");
        stream.close();
        assert_eq!(stream.take(9, 4, (4, Flags::default(), "x"), 9, |_, _, _| ()), Taken::Unknown);
        assert_eq!(stream.open(7, 2, 3), 0, "a stream that resumes earlier shows nothing twice");
        assert_eq!(say(&mut stream, 3, "old", false), (Taken::Next(4, 0), vec![]));
        assert_eq!(say(&mut stream, 4, "new", false).0, Taken::Next(5, 0));
    }

    #[test]
    fn what_comes_early_takes_the_room_there_is_and_gives_it_back() {
        let mut stream = opened(0);
        let early = |stream: &mut InStream, position, room| {
            stream.take(7, position, (position, Flags::default(), "xyz"), room, |_, _, _| ())
        };
        assert_eq!(early(&mut stream, 1, 2), Taken::Next(0, 0), "no room");
        assert_eq!(early(&mut stream, 1, 3), Taken::Next(0, 1));
        assert_eq!(early(&mut stream, 1, 3), Taken::Next(0, 1), "once");
        assert_eq!((stream.held_bytes(), early(&mut stream, 3, 9)), (3, Taken::Next(0, 0b101)));
        assert_eq!(say(&mut stream, 0, "a", false).0, Taken::Next(2, 1));
        assert_eq!((stream.held_bytes(), stream.held.len()), (3, HOLD));
        assert_eq!(say(&mut stream, 2, "b", false).0, Taken::Next(4, 0));
        assert_eq!((stream.held_bytes(), stream.held.capacity()), (0, 0));
        assert_eq!(early(&mut stream, 9, 9), Taken::Next(4, 0b10000));
        assert_eq!(stream.open(8, 20, 0), 0, "what was held is behind it");
        assert_eq!((stream.held_bytes(), stream.decline(8)), (0, Taken::Next(20, 0)));
        assert!(stream.is_news(8, 20) && !stream.is_news(8, 19) && !stream.is_news(7, 20));
    }
}
