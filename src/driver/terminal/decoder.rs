//! What a terminal sends, as keys.
//!
//! A pure machine: bytes and the time in, keys out. However the bytes are cut into reads, the same
//! keys come out; and whatever was sent, 2 s later the next letter is a letter again. Nothing is
//! ever asked of the terminal, but whoever had it before us may have asked, and its keys may be any
//! terminal's. So the grammar is known of all that a terminal sends, and what means nothing here is
//! swallowed as a whole:
//!
//! | begins with | goes on | ends with |
//! |---|---|---|
//! | `ESC [` (CSI) | parameters and intermediates, 20 to 3F | 40 to 7E |
//! | `ESC [ M`, `ESC [ t`, `ESC [ T` | characters: a mouse of before SGR | the third, second, sixth |
//! | `ESC [ [` | | the next: a function key of Linux |
//! | `ESC O` (SS3) | parameters | 40 to 7E |
//! | `ESC ]` (OSC), `ESC P` (DCS), `ESC X` (SOS), `ESC ^` (PM), `ESC _` (APC) | anything | ST; BEL where it is OSC |
//! | `ESC` and 20 to 2F | 20 to 2F | 30 to 7E |
//! | `ESC` and anything else | | that: a key with Alt |
//!
//! A C1 control is what ESC and a letter are. CAN, SUB and ESC abort whatever is open, as do other
//! control characters where the grammar has none; time ends it, and a beginning alone was a key with Alt.
//!
//! Sources: ECMA-48, sections 5.3 to 5.6, for the grammar; "XTerm Control Sequences" for keys, focus
//! (1004), paste (2004) and mouse (9, 1005, 1006, 1015); "Comprehensive keyboard handling in terminals"
//! for kitty's keys; console_codes(4) for Linux; urxvt(7) for its own.

mod paste;
mod strokes;

use std::collections::VecDeque;
use std::time::Duration;

pub(crate) use self::strokes::{Key, Stroke};
use self::strokes::{associated, coded, is_held, is_release, modified, parameters};
use crate::driver::front::typist::BURST;
use crate::machine::Time;

/// How long the byte after ESC may take before ESC was a key. A guess: a link of 30 ms jitter.
const ESCAPE_WAIT: Duration = Duration::from_millis(30);
/// How long what follows the beginning of a sequence may take before that was a key with Alt.
const SEQUENCE_WAIT: Duration = Duration::from_millis(100);
/// How long the rest of a sequence or of a letter may take: no hand began it, and it may be cut anywhere
/// on a bad line. A guess.
const REST_WAIT: Duration = Duration::from_secs(1);
/// How long a paste may stand still before it is over.
const PASTE_WAIT: Duration = Duration::from_secs(2);
/// How much of a paste is kept, bytes.
pub(crate) const PASTE_MAX: usize = 256 * 1024;
/// What follows a line end in less time is no key. See [`BURST`].
const BURST_WAIT: Duration = BURST;
/// The longest control sequence that is looked at, bytes.
const SEQUENCE_MAX: usize = 32;

const ESC: u8 = 0x1B;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1A;
const PASTE_END: &[u8] = b"\x1b[201~";

/// What somebody at a terminal did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    Stroke(Stroke),
    /// Enter, in one go with what stands before it: a program typed it, or it ends a line of a paste.
    LineEnd,
    /// Text from the clipboard, or more at once than a hand types.
    Paste {
        text: String,
        /// Bytes that came after the first [`PASTE_MAX`] and were forgotten.
        cut: usize,
    },
    /// The window got or lost the focus.
    Focus(bool),
    /// One notch of the wheel, where the mouse is reported.
    Wheel {
        up: bool,
    },
}

/// Bytes of a terminal into what they mean.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    state: State,
    /// When what is open is over.
    deadline: Option<Time>,
    /// A paste stood still and was ended by the time: more of it may come, without a mark.
    torn: bool,
    /// What is being read came with other bytes.
    together: bool,
    now: Time,
    /// When the byte at hand came, and the one before, if it can be of the same paste.
    last: Option<Time>,
    last_but_one: Option<Time>,
    typed: VecDeque<Typed>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Ground,
    /// After ESC; or after two of them, as rxvt writes a key with Alt.
    Escape { twice: bool },
    /// After ESC [, with what came since.
    Control { bytes: Vec<u8>, alt: bool },
    /// Inside a control sequence that is too long to be one of ours.
    Overlong,
    /// After ESC O, and whether parameters came since.
    Single { more: bool },
    /// After ESC [ [.
    Linux,
    /// Inside the report of a mouse: its characters so far, how many are to come, and whether one began.
    Report { first: Option<u8>, left: u8, half: bool },
    /// After ESC and intermediates; the first of them, if it is the only one.
    Designation { only: Option<u8> },
    /// Inside a string: after ESC and this byte. What came last, if anything did.
    Text { of: u8, before: Option<u8> },
    /// Inside a letter of several bytes.
    Letter { bytes: [u8; 4], have: usize, need: usize, alt: bool },
    /// Inside a paste: what came, how much of it was forgotten, how much of its end was seen.
    Paste { bytes: Vec<u8>, cut: usize, matched: usize },
    /// After Enter, which may end the first line of a paste that nobody marked.
    LineEnd { by_hand: bool },
    /// Inside such a paste: it ends when nothing comes.
    Burst { bytes: Vec<u8>, cut: usize },
}

impl Decoder {
    /// Takes the next bytes. When they were read tells nothing of when they came: who was busy for
    /// longer than a paste stands still reads the rest of it first, and then lets the time pass.
    pub(crate) fn feed(&mut self, bytes: &[u8], now: Time) {
        if !matches!(self.state, State::LineEnd { .. } | State::Burst { .. }) {
            self.tick(now);
        }
        self.together = bytes.len() > 1;
        self.now = now;
        for &byte in bytes {
            self.last_but_one = self.last.replace(now);
            self.byte(byte);
        }
        if !bytes.is_empty() {
            self.deadline = self.patience().map(|wait| now + wait);
        }
    }

    /// When [`Decoder::tick`] is due.
    pub(crate) const fn deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// Ends what was open for too long.
    pub(crate) fn tick(&mut self, now: Time) {
        if self.deadline.is_none_or(|at| at > now) {
            return;
        }
        self.deadline = None;
        match core::mem::take(&mut self.state) {
            State::Escape { twice } => self.escapes(1 + usize::from(twice)),
            State::Control { bytes, alt } if bytes.is_empty() => self.unfinished(b'[', alt),
            State::Control { bytes, alt } => self.without_end(&bytes, alt),
            State::Single { more: false } => self.unfinished(b'O', false),
            State::Designation { only: Some(byte) } => self.unfinished(byte, false),
            State::Text { of, before: None } => self.unfinished(of, false),
            State::Paste { bytes, cut, matched } => {
                self.torn = true;
                self.pasted(bytes, cut, matched);
            }
            State::LineEnd { by_hand } => self.line_end(by_hand),
            State::Burst { bytes, cut } => self.burst_over(bytes, cut),
            State::Ground
            | State::Overlong
            | State::Single { .. }
            | State::Linux
            | State::Report { .. }
            | State::Designation { .. }
            | State::Text { .. }
            | State::Letter { .. } => {}
        }
    }

    /// The next thing that was done.
    pub(crate) fn next_typed(&mut self) -> Option<Typed> {
        self.typed.pop_front()
    }

    const fn patience(&self) -> Option<Duration> {
        match &self.state {
            State::Ground => None,
            State::Escape { .. } => Some(ESCAPE_WAIT),
            State::Control { bytes, .. } if bytes.is_empty() => Some(SEQUENCE_WAIT),
            State::Single { more: false }
            | State::Designation { only: Some(_) }
            | State::Text { before: None, .. } => Some(SEQUENCE_WAIT),
            State::Control { .. }
            | State::Overlong
            | State::Single { .. }
            | State::Linux
            | State::Report { .. }
            | State::Designation { .. }
            | State::Text { .. }
            | State::Letter { .. } => Some(REST_WAIT),
            State::Paste { .. } => Some(PASTE_WAIT),
            State::LineEnd { .. } | State::Burst { .. } => Some(BURST_WAIT),
        }
    }

    fn escapes(&mut self, count: usize) {
        (0..count).for_each(|_| self.stroke(Stroke::plain(Key::Escape)));
    }

    /// What began like a sequence was a key with Alt; and another ESC before it, if there was one.
    fn unfinished(&mut self, letter: u8, twice: bool) {
        self.escapes(usize::from(twice));
        self.stroke(Stroke::plain(Key::Char(letter.into())).with_alt(true));
    }

    fn stroke(&mut self, stroke: Stroke) {
        self.typed.push_back(Typed::Stroke(stroke));
    }

    fn byte(&mut self, byte: u8) {
        match core::mem::take(&mut self.state) {
            State::Ground => self.ground(byte, false),
            State::Escape { twice } => self.escape(byte, twice),
            State::Control { bytes, alt } => self.control(bytes, alt, byte),
            State::Overlong => match byte {
                0x20..=0x3F => self.state = State::Overlong,
                0x40..=0x7E => {}
                _ => self.aborted(byte),
            },
            State::Single { more } => self.single(byte, more),
            State::Linux => match byte {
                b'A'..=b'E' => self.stroke(Stroke::plain(Key::Function(byte - b'A' + 1))),
                0x20..=0x7E => {}
                _ => self.aborted(byte),
            },
            State::Report { first, left, half } => self.report(first, left, half, byte),
            State::Designation { only } => match byte {
                0x20..=0x2F => self.state = State::Designation { only: None },
                0x30..=0x7E => {}
                _ => {
                    only.into_iter().for_each(|letter| self.unfinished(letter, false));
                    self.aborted(byte);
                }
            },
            State::Text { of, before } => self.string(of, before, byte),
            State::Letter { bytes, have, need, alt } => self.letter(bytes, have, need, alt, byte),
            State::Paste { bytes, cut, matched } => self.paste(bytes, cut, matched, byte),
            State::LineEnd { .. } => self.after_line_end(byte),
            State::Burst { bytes, cut } => self.burst(bytes, cut, byte),
        }
    }

    fn ground(&mut self, byte: u8, alt: bool) {
        let stroke = match byte {
            ESC => {
                self.state = State::Escape { twice: false };
                return;
            }
            // The rest of a paste that was torn is not to be sent line by line; a key comes alone.
            b'\r' if self.torn && self.together => Stroke::ctrl('j'),
            b'\r' if alt => Stroke::plain(Key::Enter),
            b'\r' => {
                self.torn = false;
                let before = self.last_but_one;
                let quiet = before.is_none_or(|at| self.now.since(at) >= BURST_WAIT);
                self.state = State::LineEnd { by_hand: quiet };
                return;
            }
            b'\t' => Stroke::plain(Key::Tab),
            0x08 | 0x7F => Stroke::plain(Key::Backspace),
            0x00 => Stroke::ctrl(' '),
            0x01..=0x1A => Stroke::ctrl((byte - 1 + b'a').into()),
            0x1C..=0x1F => Stroke::ctrl((byte + 0x40).into()),
            b' '..=b'~' => Stroke::plain(Key::Char(byte.into())),
            0xC2..=0xF4 => {
                let need = match byte {
                    0xC2..=0xDF => 2,
                    0xE0..=0xEF => 3,
                    _ => 4,
                };
                self.state = State::Letter { bytes: [byte, 0, 0, 0], have: 1, need, alt };
                return;
            }
            0x80..=0x9F => return self.introduced(byte),
            // Not the beginning of anything in UTF-8.
            _ => return,
        };
        self.stroke(stroke.with_alt(alt));
    }

    fn escape(&mut self, byte: u8, twice: bool) {
        match byte {
            ESC => {
                self.escapes(usize::from(twice));
                self.state = State::Escape { twice: true };
            }
            b'[' => self.state = State::Control { bytes: Vec::new(), alt: twice },
            _ => {
                self.escapes(usize::from(twice));
                self.state = match byte {
                    b'O' => State::Single { more: false },
                    b']' | b'P' | b'X' | b'^' | b'_' => State::Text { of: byte, before: None },
                    0x20..=0x2F => State::Designation { only: Some(byte) },
                    CAN | SUB => State::Ground,
                    _ => return self.ground(byte, true),
                };
            }
        }
    }

    /// A C1 control: what ESC and the letter 40 below it are, and no key with Alt.
    fn introduced(&mut self, control: u8) {
        self.state = match control - 0x40 {
            b'[' => State::Control { bytes: Vec::new(), alt: false },
            b'O' => State::Single { more: true },
            of @ (b']' | b'P' | b'X' | b'^' | b'_') => State::Text { of, before: Some(0) },
            _ => State::Ground,
        };
    }

    /// What was open ends unfinished, and is no key.
    fn aborted(&mut self, byte: u8) {
        if !matches!(byte, CAN | SUB) {
            self.ground(byte, false);
        }
    }

    /// After ESC O.
    fn single(&mut self, byte: u8, more: bool) {
        match byte {
            b'A'..=b'D' | b'F' | b'H' | b'P'..=b'S' => self.cursor(byte, None, false),
            // With Ctrl, as urxvt has them.
            b'a'..=b'd' => self.cursor(byte.to_ascii_uppercase(), Some(5), false),
            // The keys of the block at the right.
            b'M' => self.stroke(Stroke::plain(Key::Enter)),
            b'j'..=b'y' => self.stroke(Stroke::plain(Key::Char((byte - b'j' + b'*').into()))),
            b'0'..=b'9' | b';' => self.state = State::Single { more: true },
            0x20..=0x7E => {}
            _ => {
                if !more {
                    self.unfinished(b'O', false);
                }
                self.aborted(byte);
            }
        }
    }

    /// Inside a string, of which nothing is kept.
    fn string(&mut self, of: u8, before: Option<u8>, byte: u8) {
        let last = before.unwrap_or(0);
        match byte {
            // Whoever presses Ctrl-C wants an end.
            0x03 => self.ground(byte, false),
            b'\\' if last == ESC => {}
            ESC if last == ESC => self.state = State::Escape { twice: false },
            _ if last == ESC => self.escape(byte, false),
            CAN | SUB => {}
            BEL if of == b']' => {}
            // ST as a C1 control, and no part of a letter.
            0x9C if last < 0x80 || last == 0xC2 => {}
            _ => self.state = State::Text { of, before: Some(byte) },
        }
    }

    fn letter(&mut self, mut bytes: [u8; 4], have: usize, need: usize, alt: bool, byte: u8) {
        if !matches!(byte, 0x80..=0xBF) {
            // What came before was half a letter: the rest never comes.
            return self.ground(byte, false);
        }
        bytes[have] = byte;
        if have + 1 < need {
            self.state = State::Letter { bytes, have: have + 1, need, alt };
        } else if let Ok(text) = core::str::from_utf8(&bytes[..need]) {
            match text.chars().next() {
                // C1 controls come in two bytes; no key sends them.
                Some(c @ '\u{80}'..='\u{9F}') => self.introduced(c as u8),
                Some(letter) => self.stroke(Stroke::plain(Key::Char(letter)).with_alt(alt)),
                None => {}
            }
        }
    }

    fn control(&mut self, mut bytes: Vec<u8>, alt: bool, byte: u8) {
        match byte {
            0x20..=0x3F if bytes.len() == SEQUENCE_MAX => self.state = State::Overlong,
            b'[' if bytes.is_empty() => self.state = State::Linux,
            0x20..=0x3F => {
                bytes.push(byte);
                self.state = State::Control { bytes, alt };
            }
            0x40..=0x7E => self.sequence(&bytes, byte, alt),
            // A control character ends it; what it began is no key.
            _ => self.aborted(byte),
        }
    }

    /// No end came: with Shift, urxvt sends an intermediate in its place.
    fn without_end(&mut self, bytes: &[u8], alt: bool) {
        let number = bytes.strip_suffix(b"$").and_then(parameters);
        if let Some([Some(number), None, None]) = number {
            self.numbered(number, Some(2), alt);
        }
    }

    /// A whole control sequence: its parameters and its final byte.
    fn sequence(&mut self, bytes: &[u8], last: u8, alt: bool) {
        if let Some(mouse) = bytes.strip_prefix(b"<") {
            // SGR: button ; column ; row.
            if let (b'M', Some([Some(button), ..])) = (last, parameters(mouse)) {
                self.button(button);
            }
            return;
        }
        let Some([first, second, third]) = parameters(bytes) else { return };
        if is_release(bytes) {
            return;
        }
        match last {
            // F3, or where the cursor is, which somebody had asked for.
            b'R' if first.is_some() && !(first == Some(1) && is_held(second)) => {}
            b'A'..=b'D' | b'F' | b'H' | b'P'..=b'S' => self.cursor(last, second, alt),
            b'a'..=b'd' if bytes.is_empty() => {
                self.cursor(last.to_ascii_uppercase(), Some(2), alt);
            }
            b'Z' => self.stroke(Stroke::plain(Key::BackTab)),
            b'I' if bytes.is_empty() => self.typed.push_back(Typed::Focus(true)),
            b'O' if bytes.is_empty() => self.typed.push_back(Typed::Focus(false)),
            b'M' if bytes.is_empty() => self.expect(3, None),
            // What was marked with a mouse (1001): places and no button.
            b't' if bytes.is_empty() => self.expect(2, Some(0)),
            b'T' if bytes.is_empty() => self.expect(6, Some(0)),
            // urxvt (1015): as of old, in digits.
            b'M' if third.is_some() => self.button(first.unwrap_or(0).saturating_sub(32)),
            b'u' => self.coded(first, second, associated(bytes)),
            b'^' => self.numbered(first.unwrap_or(0), Some(5), alt),
            b'@' => self.numbered(first.unwrap_or(0), Some(6), alt),
            b'~' => match first {
                Some(200) => {
                    self.state = State::Paste { bytes: Vec::new(), cut: 0, matched: 0 };
                }
                Some(201) => self.torn = false,
                // modifyOtherKeys: 27 ; modifiers ; code point.
                Some(27) => self.coded(third, second, None),
                _ => self.numbered(first.unwrap_or(0), second, alt),
            },
            _ => {}
        }
    }

    fn cursor(&mut self, last: u8, modifiers: Option<u32>, alt: bool) {
        let key = match last {
            b'A' => Key::Up,
            b'B' => Key::Down,
            b'C' => Key::Right,
            b'D' => Key::Left,
            b'F' => Key::End,
            b'H' => Key::Home,
            _ => Key::Function(last - b'P' + 1),
        };
        self.pressed(key, modifiers, alt);
    }

    fn numbered(&mut self, number: u32, modifiers: Option<u32>, alt: bool) {
        let key = match number {
            1 | 7 => Key::Home,
            2 => Key::Insert,
            3 => Key::Delete,
            4 | 8 => Key::End,
            5 => Key::PageUp,
            6 => Key::PageDown,
            11..=15 => Key::Function((number - 10) as u8),
            17..=21 => Key::Function((number - 11) as u8),
            23 | 24 => Key::Function((number - 12) as u8),
            _ => return,
        };
        self.pressed(key, modifiers, alt);
    }

    fn pressed(&mut self, key: Key, modifiers: Option<u32>, alt: bool) {
        if let Some(stroke) = modified(key, modifiers) {
            self.stroke(stroke.with_alt(alt));
        }
    }

    /// A key named by its code point (xterm's modifyOtherKeys, kitty's CSI u), and the text it types.
    fn coded(&mut self, code: Option<u32>, modifiers: Option<u32>, text: Option<Vec<char>>) {
        let key = code.and_then(coded);
        let key = key.map(|key| match (key, text.as_deref()) {
            (Key::Char(_), Some(&[letter])) => Key::Char(letter),
            (key, _) => key,
        });
        let Some(stroke) = key.and_then(|key| modified(key, modifiers)) else {
            // A text without a key, of an input method.
            let text = text.filter(|_| code.is_none_or(|code| code == 0)).unwrap_or_default();
            return text.into_iter().for_each(|c| self.stroke(Stroke::plain(Key::Char(c))));
        };
        self.stroke(match stroke {
            Stroke { key: Key::Tab, shift: true, .. } => Stroke::plain(Key::BackTab),
            stroke => stroke,
        });
    }

    /// A button of the mouse. Only the wheel means something.
    fn button(&mut self, button: u32) {
        // Bits 4, 8 and 16 say which keys were held.
        match button & !0b1_1100 {
            64 => self.typed.push_back(Typed::Wheel { up: true }),
            65 => self.typed.push_back(Typed::Wheel { up: false }),
            _ => {}
        }
    }

    fn expect(&mut self, left: u8, first: Option<u8>) {
        self.state = State::Report { first, left, half: false };
    }

    /// A character of the report of a mouse: one byte, or two where it is UTF-8 (1005).
    fn report(&mut self, first: Option<u8>, left: u8, half: bool, byte: u8) {
        let rest = half && matches!(byte, 0x80..=0xBF);
        if left == 0 && !rest {
            // The last one was a byte after all.
            first.into_iter().for_each(|button| self.button(u32::from(button).saturating_sub(32)));
            return self.ground(byte, false);
        }
        if byte < 0x20 {
            return self.aborted(byte);
        }
        let left = if rest { left } else { left - 1 };
        let first = first.or(Some(byte));
        let half = !rest && matches!(byte, 0xC2..=0xDF);
        if left > 0 || half {
            self.state = State::Report { first, left, half };
        } else if let Some(button) = first {
            self.button(u32::from(button).saturating_sub(32));
        }
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::{Arbitrary, Gen};

    use super::*;

    const LATER: Time = Time::from_micros(3_000_000);

    fn drained(decoder: &mut Decoder) -> Vec<Typed> {
        std::iter::from_fn(|| decoder.next_typed()).collect()
    }

    fn typed(bytes: &[u8]) -> Vec<Typed> {
        let mut decoder = Decoder::default();
        decoder.feed(bytes, Time::ZERO);
        decoder.tick(LATER);
        drained(&mut decoder)
    }

    fn key(key: Key) -> Typed {
        Typed::Stroke(Stroke::plain(key))
    }

    fn letter(letter: char) -> Typed {
        key(Key::Char(letter))
    }

    fn alt(letter: char) -> Typed {
        Typed::Stroke(Stroke::plain(Key::Char(letter)).with_alt(true))
    }

    fn paste(text: &str) -> Typed {
        Typed::Paste { text: text.to_owned(), cut: 0 }
    }

    /// Pieces of real input and of garbage, so that sequences are common, and cut short.
    #[derive(Clone, Debug)]
    struct Noise(Vec<u8>);

    impl Arbitrary for Noise {
        fn arbitrary(g: &mut Gen) -> Self {
            const PIECES: &[&[u8]] = &[
                b"\x1b",
                b"[",
                b"O",
                b"A",
                b"1;5",
                b"~",
                b"5~",
                b"\x1b[200~",
                b"\x1b[201~",
                b"\xc3",
                b"\xa9",
                b"\xf0\x9f",
                b"\x98\x80",
                b"<64;1;1M",
                b"\r",
                b"\x7f",
                b"\x1b]",
                b"\xff",
                b"u",
                b"abc",
                b"\x9b",
                b"999999999999",
                b"\x1b[27;5;13~",
                b"\x1b[I",
                b"\x1b[[",
                b"\x1b[M",
                b"\x1bP",
                b"\x1b_",
                b"\x1b\\",
                b"\x07",
                b"\x18",
                b"\xc2\x9c",
            ];
            let pieces = usize::arbitrary(g) % 24;
            let mut bytes = Vec::new();
            for _ in 0..pieces {
                match g.choose(PIECES) {
                    Some(piece) if bool::arbitrary(g) => bytes.extend_from_slice(piece),
                    _ => bytes.push(u8::arbitrary(g)),
                }
            }
            Self(bytes)
        }

        fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
            Box::new(self.0.shrink().map(Self))
        }
    }

    #[test]
    fn letters_and_controls() {
        assert_eq!(typed("aé😀".as_bytes()), [letter('a'), letter('é'), letter('😀')]);
        assert_eq!(
            typed(b"\t\x7f\x08\r"),
            [key(Key::Tab), key(Key::Backspace), key(Key::Backspace), Typed::LineEnd]
        );
        assert_eq!(
            typed(b"\x01\x0a\x1f"),
            [Stroke::ctrl('a'), Stroke::ctrl('j'), Stroke::ctrl('_')].map(Typed::Stroke)
        );
        assert_eq!(typed(b"\xff\xc3a"), [letter('a')], "half a letter is none");
    }

    #[test]
    fn escape_is_a_key_once_nothing_follows() {
        let mut decoder = Decoder::default();
        decoder.feed(b"\x1b", Time::ZERO);
        assert_eq!(decoder.deadline(), Some(Time::ZERO + ESCAPE_WAIT));
        decoder.tick(Time::from_micros(29_999));
        assert_eq!(drained(&mut decoder), []);
        decoder.tick(Time::from_micros(30_000));
        assert_eq!(drained(&mut decoder), [key(Key::Escape)]);
        assert_eq!(decoder.deadline(), None);
        assert_eq!(typed(b"\x1bb"), [alt('b')]);
        assert_eq!(typed("\x1bé".as_bytes()), [alt('é')]);
        let alt_key = |key| Typed::Stroke(Stroke::plain(key).with_alt(true));
        assert_eq!(typed(b"\x1b\x1b[D"), [alt_key(Key::Left)]);
        assert_eq!(typed(b"\x1b\x1bOP"), [key(Key::Escape), key(Key::Function(1))]);
        assert_eq!(typed(b"\x1b\x1b"), [key(Key::Escape), key(Key::Escape)]);
        assert_eq!(typed(b"\x1b\x1bx"), [key(Key::Escape), alt('x')]);
        assert_eq!(typed(b"\x1b\x1b["), [key(Key::Escape), alt('[')]);
        for introducer in b"[O]PX^_ (" {
            assert_eq!(typed(&[ESC, *introducer]), [alt((*introducer).into())]);
        }
    }

    /// Each row is what terminals send that means nothing here, and who does.
    const UNKNOWN: &[(&[u8], &str)] = &[
        (b"\x1b[?62;22;52c", "DA1"),
        (b"\x1b[>0;276;0c", "DA2"),
        (b"\x1b[0n", "DSR"),
        (b"\x1b[24;80R", "where the cursor is"),
        (b"\x1b[1;1R", "where the cursor is, at the top"),
        (b"\x1b[?24;80;1R", "DECXCPR"),
        (b"\x1b[?2026;2$y", "DECRPM"),
        (b"\x1b[8;24;80t", "the size of the window"),
        (b"\x1b[48;24;80;0;0t", "a new size (2048)"),
        (b"\x1b[?997;1n", "light or dark (2031)"),
        (b"\x1b[?1u", "kitty's flags"),
        (b"\x1b[1&w", "a locator of DEC"),
        (b"\x1b]11;rgb:1c1c/1c1c/1c1c\x1b\\", "a colour"),
        (b"\x1b]10;rgb:ffff/ffff/ffff\x07", "a colour, with BEL"),
        (b"\x1b]4;1;rgb:cd00/0000/0000\xc2\x9c", "a colour, with ST as C1"),
        (b"\x1b]52;c;aGVsbG8=\x1b\\", "the clipboard"),
        (b"\x1b]l\xe2\x9c\x93 title\x1b\\", "a title, with a letter that has 9C in it"),
        (b"\x1bP>|XTerm(390)\x1b\\", "XTVERSION"),
        (b"\x1bP1+r544e=787465726d\x1b\\", "XTGETTCAP"),
        (b"\x1bP1$r0m\x07\x1b\\", "DECRQSS; BEL does not end it"),
        (b"\x1bP!|00000000\x1b\\", "DA3"),
        (b"\x1b_Gi=31;OK\x1b\\", "kitty's graphics"),
        (b"\x1b^private\x1b\\", "PM"),
        (b"\x1bXstring\x1b\\", "SOS"),
        (b"\x1b[M !!", "a button (9, 1000)"),
        (b"\x1b[M#\xff\xff", "let go, far away"),
        (b"\x1b[M \xc4\xa1\xc3\xa9", "a button (1005)"),
        (b"\x1b[32;10;5M", "a button (1015)"),
        (b"\x1b[<0;10;5M\x1b[<0;10;5m", "a button (1006)"),
        (b"\x1b[t!!\x1b[T!!!!!!", "what was marked (1001)"),
        (b"\x1b[97;1:3u", "kitty: let go"),
        (b"\x1b[1;1:3A\x1b[5;1:3~", "kitty: let go"),
        (b"\x1b[57358u\x1b[57441;2u\x1b[57363u", "kitty: Caps Lock, Shift, Menu"),
        (b"\x1b[97;9u", "kitty: with Super"),
        (b"\x1b[57376u\x1b[25~\x1b[34~", "F13, F20"),
        (b"\x1b[99~\x1b[x\x1b[99^", "no key"),
        (b"\x1b[[Z", "no key of Linux"),
        (b"\x1bO5z\x1bO~\x1bO!", "no key of SS3"),
        (b"\x1b(B\x1b#8\x1b F\x1b$(C", "designations"),
        (b"\x9b31m\xc2\x9b31m\x8fP\xc2\x90x\x9c", "as C1"),
        (b"\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17m", "long"),
        (b"\x1b[1;\x18\x1b[1\x1a\x1b]x\x18\x1bPx\x1a\x1b\x18", "aborted"),
        (b"\x1b[201~", "the end of no paste"),
    ];

    #[test]
    fn what_is_unknown_is_swallowed_whole() {
        for (bytes, what) in UNKNOWN {
            let keys = [b"a", *bytes, b"b"].concat();
            let shown = keys.escape_ascii().to_string();
            let seen = typed(&keys);
            // F1 is a key of SS3, also as C1.
            let seen: Vec<_> =
                seen.into_iter().filter(|one| *one != key(Key::Function(1))).collect();
            assert_eq!(seen, [letter('a'), letter('b')], "{what}: {shown}");
            // Cut between any two reads that are not further apart than a line may stall.
            for at in 1..keys.len() {
                let mut decoder = Decoder::default();
                decoder.feed(&keys[..at], Time::ZERO);
                let begun = matches!(keys[at - 1], ESC) || keys[..at].ends_with(b"\x1b[");
                let pause = if begun { 20_000 } else { 90_000 };
                decoder.tick(Time::from_micros(pause));
                decoder.feed(&keys[at..], Time::from_micros(pause));
                decoder.tick(LATER);
                let seen = drained(&mut decoder);
                let letters = seen.into_iter().filter(|one| *one != key(Key::Function(1)));
                assert_eq!(
                    letters.collect::<Vec<_>>(),
                    [letter('a'), letter('b')],
                    "{what}: {at} {shown}"
                );
            }
        }
    }

    #[test]
    fn what_never_ends_is_over_after_a_while() {
        for bytes in [
            &b"\x1b[1;2"[..],
            b"\x1b[[",
            b"\x1b[M!",
            b"\x1bO5",
            b"\x1b]11;rgb",
            b"\x1b]x\x1b",
            b"\x1bPx",
            b"\x1b_x",
            b"\x1b((",
            b"\x9d",
            b"\xe2\x9c",
        ] {
            let mut decoder = Decoder::default();
            decoder.feed(bytes, Time::ZERO);
            decoder.tick(Time::from_micros(900_000));
            assert_eq!(drained(&mut decoder), [], "{}", bytes.escape_ascii());
            decoder.tick(Time::from_micros(1_000_000));
            decoder.feed(b"x", Time::from_micros(1_000_000));
            assert_eq!(drained(&mut decoder), [letter('x')], "{}", bytes.escape_ascii());
            // Whoever wants an end has one.
            let ended = [bytes, b"\x03"].concat();
            let stroke = Typed::Stroke(Stroke::ctrl('c'));
            assert_eq!(typed(&ended).last(), Some(&stroke), "{}", bytes.escape_ascii());
        }
        // Nothing of it is kept.
        let long = [b"\x1b]".to_vec(), vec![b'x'; 1 << 20], b"\x07y".to_vec()].concat();
        assert_eq!(typed(&long), [letter('y')]);
        assert_eq!(typed(b"\x1b]x\x1b[A"), [key(Key::Up)], "ESC begins anew");
        assert_eq!(typed(b"\x1b]x\x1b\x1b[A"), [key(Key::Up)]);
    }

    #[test]
    fn keys_of_other_terminals() {
        let held = |key, ctrl, alt, shift| Typed::Stroke(Stroke { key, ctrl, alt, shift });
        let ctrl = |key| held(key, true, false, false);
        let shift = |key| held(key, false, false, true);
        for (bytes, keys, what) in [
            (&b"\x1b[[A\x1b[[E"[..], vec![key(Key::Function(1)), key(Key::Function(5))], "Linux"),
            (
                b"\x1bOa\x1b[b\x1b[5^",
                vec![ctrl(Key::Up), shift(Key::Down), ctrl(Key::PageUp)],
                "urxvt",
            ),
            (b"\x1b[3$", vec![shift(Key::Delete)], "urxvt"),
            (b"\x1b[3@", vec![held(Key::Delete, true, false, true)], "urxvt"),
            (b"\x1b[96;1;1M", vec![Typed::Wheel { up: true }], "urxvt's wheel"),
            (
                b"\x1b[M`!!\x1b[Ma!!",
                vec![Typed::Wheel { up: true }, Typed::Wheel { up: false }],
                "X10",
            ),
            (
                b"\x1bOp\x1bOy\x1bOk\x1bOM",
                [Key::Char('0'), Key::Char('9'), Key::Char('+'), Key::Enter].map(key).to_vec(),
                "the block",
            ),
            (
                b"\x1b[57399u\x1b[57414u\x1b[57419u",
                [Key::Char('0'), Key::Enter, Key::Up].map(key).to_vec(),
                "kitty's block",
            ),
            (
                b"\x1b[97;2u\x1b[49:33;2u",
                vec![shift(Key::Char('A')), shift(Key::Char('!'))],
                "kitty",
            ),
            (
                b"\x1b[97;65u\x1b[97;66u",
                vec![letter('A'), shift(Key::Char('a'))],
                "kitty: Caps Lock",
            ),
            (
                b"\x1b[97;;228u\x1b[0;;229:98u",
                vec![letter('ä'), letter('å'), letter('b')],
                "kitty's text",
            ),
            (
                b"\x1b[99;5:1u\x1b[99;33u",
                vec![ctrl(Key::Char('c')), alt('c')],
                "kitty: pressed, Meta",
            ),
            (
                b"\x1b[13;2:3u\x1b[1;2R\x1b[R",
                vec![shift(Key::Function(3)), key(Key::Function(3))],
                "F3",
            ),
            (b"\x9bA\xc2\x9bB", vec![key(Key::Up), key(Key::Down)], "C1"),
        ] {
            assert_eq!(typed(bytes), keys, "{what}");
        }
    }

    #[test]
    fn keys_with_names() {
        let held = |key, ctrl, alt, shift| Typed::Stroke(Stroke { key, ctrl, alt, shift });
        assert_eq!(typed(b"\x1b[A\x1bOB\x1b[5~"), [Key::Up, Key::Down, Key::PageUp].map(key));
        assert_eq!(typed(b"\x1b[1;5D"), [held(Key::Left, true, false, false)]);
        assert_eq!(typed(b"\x1b[3;3~"), [held(Key::Delete, false, true, false)]);
        assert_eq!(
            typed(b"\x1bOP\x1b[11~\x1b[17~\x1b[24~"),
            [1, 1, 6, 12].map(|n| key(Key::Function(n)))
        );
        assert_eq!(typed(b"\x1b[Z\x1b[9;2u"), [key(Key::BackTab), key(Key::BackTab)]);
        assert_eq!(typed(b"\x1b[13;2u"), [held(Key::Enter, false, false, true)]);
        assert_eq!(typed(b"\x1b[27;5;99~"), [held(Key::Char('c'), true, false, false)]);
        assert_eq!(typed(b"\x1b[I\x1b[O"), [Typed::Focus(true), Typed::Focus(false)]);
        assert_eq!(
            typed(b"\x1b[<64;10;5M\x1b[<69;10;5M\x1b[<0;1;1M\x1b[<0;1;1m"),
            [Typed::Wheel { up: true }, Typed::Wheel { up: false }]
        );
        assert_eq!(typed(b"\x1b[99~\x1b[?1;2c\x1b[x"), []);
    }

    #[test]
    fn a_paste_is_text_whatever_is_in_it() {
        assert_eq!(typed(b"\x1b[200~a\rb\x1b[A\x1b[201~c"), [paste("a\rb\x1b[A"), letter('c')]);
        assert_eq!(typed(b"\x1b[200~\x1b[20\x1b[201~"), [paste("\x1b[20")]);
        assert_eq!(typed(b"\x1b[200~never ended\x1b[20"), [paste("never ended\x1b[20")]);
        let mut long = b"\x1b[200~".to_vec();
        long.resize(long.len() + 4 * 1024 * 1024, b'x');
        long.extend_from_slice(b"\x1b[201~y");
        let seen = typed(&long);
        let Typed::Paste { text, cut } = &seen[0] else { panic!("{:?}", seen.len()) };
        assert_eq!((text.len(), *cut), (PASTE_MAX, 4 * 1024 * 1024 - PASTE_MAX));
        assert_eq!(seen[1..], [letter('y')]);
    }

    /// Line by line it was sent: by tmux, by screen, over a serial line, a password among it.
    #[test]
    fn lines_that_come_at_once_are_a_paste() {
        for (bytes, text) in [
            (&b"one\rtwo\rthree\r"[..], "one\rtwo\rthree\r"),
            (b"one\rtwo", "one\rtwo"),
            (b"\rtwo\r", "\rtwo\r"),
            (b"one\r\r", "one\r\r"),
            (b"a\tb\r\n\tc\r\n", "a\tb\r\n\tc\r\n"),
            (b"one\rt\x1b[31mwo\r\x1b[A", "one\rt\x1b[31mwo\r\x1b[A"),
            ("zoë\rça".as_bytes(), "zoë\rça"),
        ] {
            assert_eq!(typed(bytes), [paste(text)], "{}", bytes.escape_ascii());
        }
        // A line and Enter is what a program types, and a key behind it is a key.
        assert_eq!(typed(b"\r"), [key(Key::Enter)], "a key by itself");
        let answered = b"\x1b[200~a\rb\x1b[201~\r";
        assert_eq!(typed(answered), [paste("a\rb"), key(Key::Enter)], "its end was marked");
        assert_eq!(typed(b"ab\r"), [letter('a'), letter('b'), Typed::LineEnd]);
        assert_eq!(typed(b"a\r\x1b[A"), [letter('a'), Typed::LineEnd, key(Key::Up)]);
        assert_eq!(typed(b"\r\r\r"), [Typed::LineEnd], "a key that is held");
        assert_eq!(
            typed(b"a\rb\x03"),
            [paste("a\rb"), Typed::Stroke(Stroke::ctrl('c'))],
            "whoever sends it wants an end"
        );
        assert_eq!(
            typed(b"\x1b\ra"),
            [Typed::Stroke(Stroke::plain(Key::Enter).with_alt(true)), letter('a')]
        );
        let mut long = b"a\r".to_vec();
        long.resize(PASTE_MAX + 1000, b'x');
        assert_eq!(
            typed(&long)[0],
            Typed::Paste { text: String::from_utf8_lossy(&long[..PASTE_MAX]).into(), cut: 1000 }
        );
    }

    #[test]
    fn a_slow_line_is_no_hand_and_a_hand_is_no_line() {
        // A byte every 4 ms.
        let mut decoder = Decoder::default();
        let mut seen = Vec::new();
        for (n, &byte) in b"one\rtwo\r".iter().enumerate() {
            let now = Time::from_micros(4_000 * n as u64);
            decoder.tick(now);
            decoder.feed(&[byte], now);
            seen.extend(drained(&mut decoder));
        }
        decoder.tick(LATER);
        seen.extend(drained(&mut decoder));
        assert_eq!(seen, [letter('o'), letter('n'), letter('e'), paste("\rtwo\r")]);
        // A fast hand: a key every 40 ms.
        let mut decoder = Decoder::default();
        let mut seen = Vec::new();
        for (n, &byte) in b"a\rb\r".iter().enumerate() {
            let now = Time::from_micros(40_000 * n as u64);
            decoder.tick(now);
            decoder.feed(&[byte], now);
            seen.extend(drained(&mut decoder));
        }
        decoder.tick(LATER);
        seen.extend(drained(&mut decoder));
        assert_eq!(seen, [letter('a'), key(Key::Enter), letter('b'), key(Key::Enter)]);
    }

    #[test]
    fn the_cuts_between_reads_do_not_matter() {
        fn property(noise: Noise, cuts: Vec<u8>) -> bool {
            let mut decoder = Decoder::default();
            let mut rest = noise.0.as_slice();
            for cut in cuts {
                let (chunk, after) = rest.split_at(usize::from(cut % 5).min(rest.len()));
                decoder.feed(chunk, Time::ZERO);
                rest = after;
            }
            decoder.feed(rest, Time::ZERO);
            decoder.tick(LATER);
            drained(&mut decoder) == typed(&noise.0)
        }
        let mut often = crate::machine::quickcheck().tests(20_000);
        often.quickcheck(property as fn(Noise, Vec<u8>) -> bool);
    }

    #[test]
    fn after_a_while_a_letter_is_a_letter() {
        fn property(noise: Noise) -> bool {
            let mut decoder = Decoder::default();
            decoder.feed(&noise.0, Time::ZERO);
            decoder.tick(LATER);
            drained(&mut decoder);
            decoder.feed(b"Z", LATER);
            decoder.deadline().is_none() && drained(&mut decoder) == [letter('Z')]
        }
        crate::machine::quickcheck().tests(20_000).quickcheck(property as fn(Noise) -> bool);
    }
}
