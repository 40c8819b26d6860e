//! What a terminal sends, as keys.
//!
//! A pure machine: bytes and the time in, keys out. However the bytes are cut into reads, the same
//! keys come out; and whatever was sent, 2 s later the next letter is a letter again. Nothing is
//! ever asked of the terminal, so no answer has to be told from typing, and `ESC ]` is Alt-].
//!
//! Sources: ECMA-48 for control sequences, "XTerm Control Sequences" for keys, focus (1004), paste
//! (2004) and mouse (1006).

use std::collections::VecDeque;
use std::time::Duration;

use crate::driver::front::typist::BURST;
use crate::machine::Time;

/// How long the byte after ESC may take before ESC was a key. A guess: a link of 30 ms jitter.
const ESCAPE_WAIT: Duration = Duration::from_millis(30);
/// How long the rest of a sequence or of a letter may take.
const SEQUENCE_WAIT: Duration = Duration::from_millis(100);
/// How long a paste may stand still before it is over.
const PASTE_WAIT: Duration = Duration::from_secs(2);
/// How much of a paste is kept, bytes.
pub(crate) const PASTE_MAX: usize = 256 * 1024;
/// What follows a line end in less time is no key. See [`BURST`].
const BURST_WAIT: Duration = BURST;
/// The longest control sequence that is looked at, bytes.
const SEQUENCE_MAX: usize = 32;

const ESC: u8 = 0x1B;
const PASTE_END: &[u8] = b"\x1b[201~";

/// A key, without what was held down with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A letter, digit, sign or space; with Ctrl held, the letter in lower case.
    Char(char),
    Enter,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Insert,
    Escape,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    /// F1 to F12.
    Function(u8),
}

/// A key as it was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stroke {
    pub(crate) key: Key,
    pub(crate) ctrl: bool,
    pub(crate) alt: bool,
    pub(crate) shift: bool,
}

impl Stroke {
    /// A key alone.
    pub(crate) const fn plain(key: Key) -> Self {
        Self { key, ctrl: false, alt: false, shift: false }
    }

    const fn ctrl(letter: char) -> Self {
        Self { ctrl: true, ..Self::plain(Key::Char(letter)) }
    }

    const fn with_alt(self, alt: bool) -> Self {
        Self { alt: self.alt || alt, ..self }
    }
}

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
    /// After ESC O.
    Single,
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
            State::Control { bytes, alt } if bytes.is_empty() => self.unfinished('[', alt),
            State::Single => self.unfinished('O', false),
            State::Paste { bytes, cut, matched } => {
                self.torn = true;
                self.pasted(bytes, cut, matched);
            }
            State::LineEnd { by_hand } => self.line_end(by_hand),
            State::Burst { bytes, cut } => self.burst_over(bytes, cut),
            State::Ground | State::Control { .. } | State::Overlong | State::Letter { .. } => {}
        }
    }

    /// The next thing that was done.
    pub(crate) fn next_typed(&mut self) -> Option<Typed> {
        self.typed.pop_front()
    }

    const fn patience(&self) -> Option<Duration> {
        match self.state {
            State::Ground => None,
            State::Escape { .. } => Some(ESCAPE_WAIT),
            State::Control { .. } | State::Overlong | State::Single | State::Letter { .. } => {
                Some(SEQUENCE_WAIT)
            }
            State::Paste { .. } => Some(PASTE_WAIT),
            State::LineEnd { .. } | State::Burst { .. } => Some(BURST_WAIT),
        }
    }

    fn escapes(&mut self, count: usize) {
        (0..count).for_each(|_| self.stroke(Stroke::plain(Key::Escape)));
    }

    /// What began like a sequence was a key with Alt; and another ESC before it, if there was one.
    fn unfinished(&mut self, letter: char, twice: bool) {
        self.escapes(usize::from(twice));
        self.stroke(Stroke::plain(Key::Char(letter)).with_alt(true));
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
                _ => self.ground(byte, false),
            },
            State::Single => match byte {
                b'A'..=b'D' | b'F' | b'H' | b'P'..=b'S' => self.cursor(byte, None, false),
                _ => {
                    self.unfinished('O', false);
                    self.ground(byte, false);
                }
            },
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
            b'O' => {
                self.escapes(usize::from(twice));
                self.state = State::Single;
            }
            _ => {
                self.escapes(usize::from(twice));
                self.ground(byte, true);
            }
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
            // C1 controls come in two bytes; no key sends them.
            let letter = text.chars().next().filter(|c| !c.is_control());
            if let Some(letter) = letter {
                self.stroke(Stroke::plain(Key::Char(letter)).with_alt(alt));
            }
        }
    }

    fn control(&mut self, mut bytes: Vec<u8>, alt: bool, byte: u8) {
        match byte {
            0x20..=0x3F if bytes.len() == SEQUENCE_MAX => self.state = State::Overlong,
            0x20..=0x3F => {
                bytes.push(byte);
                self.state = State::Control { bytes, alt };
            }
            0x40..=0x7E => self.sequence(&bytes, byte, alt),
            // A control character ends it; what it began is no key.
            _ => self.ground(byte, false),
        }
    }

    /// A whole control sequence: its parameters and its final byte.
    fn sequence(&mut self, bytes: &[u8], last: u8, alt: bool) {
        if let Some(mouse) = bytes.strip_prefix(b"<") {
            return self.mouse(mouse);
        }
        let Some([first, second, third]) = parameters(bytes) else { return };
        match last {
            b'A'..=b'D' | b'F' | b'H' | b'P'..=b'S' => self.cursor(last, second, alt),
            b'Z' => self.stroke(Stroke::plain(Key::BackTab)),
            b'I' if bytes.is_empty() => self.typed.push_back(Typed::Focus(true)),
            b'O' if bytes.is_empty() => self.typed.push_back(Typed::Focus(false)),
            b'u' => self.coded(first, second),
            b'~' => match first {
                Some(200) => {
                    self.state = State::Paste { bytes: Vec::new(), cut: 0, matched: 0 };
                }
                Some(201) => self.torn = false,
                // modifyOtherKeys: 27 ; modifiers ; code point.
                Some(27) => self.coded(third, second),
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
        self.stroke(modified(key, modifiers).with_alt(alt));
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
        self.stroke(modified(key, modifiers).with_alt(alt));
    }

    /// A key named by its code point (xterm's modifyOtherKeys, kitty's CSI u).
    fn coded(&mut self, code: Option<u32>, modifiers: Option<u32>) {
        let key = match code {
            Some(8 | 127) => Key::Backspace,
            Some(9) => Key::Tab,
            Some(13) => Key::Enter,
            Some(27) => Key::Escape,
            Some(code) => match char::from_u32(code).filter(|c| !c.is_control()) {
                Some(letter) => Key::Char(letter),
                None => return,
            },
            None => return,
        };
        let stroke = modified(key, modifiers);
        self.stroke(match stroke {
            Stroke { key: Key::Tab, shift: true, .. } => Stroke::plain(Key::BackTab),
            stroke => stroke,
        });
    }

    /// SGR mouse: button ; column ; row. Only the wheel means something.
    fn mouse(&mut self, bytes: &[u8]) {
        let Some([Some(button), ..]) = parameters(bytes) else { return };
        // Bits 4, 8 and 16 say which keys were held.
        match button & !0b1_1100 {
            64 => self.typed.push_back(Typed::Wheel { up: true }),
            65 => self.typed.push_back(Typed::Wheel { up: false }),
            _ => {}
        }
    }

    fn paste(&mut self, mut bytes: Vec<u8>, mut cut: usize, mut matched: usize, byte: u8) {
        if byte == PASTE_END[matched] {
            matched += 1;
            if matched == PASTE_END.len() {
                // Whatever follows is not of it.
                self.last = None;
                return self.pasted(bytes, cut, 0);
            }
        } else {
            keep(&mut bytes, &mut cut, &PASTE_END[..matched]);
            matched = usize::from(byte == ESC);
            if matched == 0 {
                keep(&mut bytes, &mut cut, &[byte]);
            }
        }
        self.state = State::Paste { bytes, cut, matched };
    }

    /// Nothing of a paste follows a line end.
    fn line_end(&mut self, by_hand: bool) {
        let key = Typed::Stroke(Stroke::plain(Key::Enter));
        self.typed.push_back(if by_hand { key } else { Typed::LineEnd });
    }

    /// Something follows a line end at once: a key that is no letter, or the next line of a paste.
    fn after_line_end(&mut self, byte: u8) {
        match byte {
            b'\t' | b'\r' | b'\n' | b' '..=b'~' | 0x80.. => {
                let mut bytes = self.take_back();
                bytes.push(b'\r');
                self.burst(bytes, 0, byte);
            }
            _ => {
                self.line_end(false);
                self.ground(byte, false);
            }
        }
    }

    /// What was typed before the line end and nobody has seen yet is of the same paste.
    fn take_back(&mut self) -> Vec<u8> {
        let text = |typed: &Typed| match typed {
            Typed::Stroke(stroke) if *stroke == Stroke::plain(Key::Tab) => Some('\t'),
            Typed::Stroke(stroke) if *stroke == Stroke::ctrl('j') => Some('\n'),
            Typed::Stroke(Stroke { key: Key::Char(letter), ctrl: false, alt: false, .. }) => {
                Some(*letter)
            }
            _ => None,
        };
        let before = self.typed.iter().rev().map_while(text).count();
        let taken = self.typed.split_off(self.typed.len() - before);
        taken.iter().filter_map(text).collect::<String>().into_bytes()
    }

    fn burst(&mut self, mut bytes: Vec<u8>, mut cut: usize, byte: u8) {
        // Ctrl-C is meant, whoever sends it.
        if byte == 0x03 {
            self.burst_over(bytes, cut);
            return self.ground(byte, false);
        }
        keep(&mut bytes, &mut cut, &[byte]);
        self.state = State::Burst { bytes, cut };
    }

    fn burst_over(&mut self, bytes: Vec<u8>, cut: usize) {
        // Enter that repeats itself is a key that is held.
        if bytes.iter().all(|&byte| byte == b'\r') {
            return self.line_end(false);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.typed.push_back(Typed::Paste { text, cut });
    }

    /// A paste is over; `matched` bytes of it looked like its end and were not.
    fn pasted(&mut self, mut bytes: Vec<u8>, mut cut: usize, matched: usize) {
        keep(&mut bytes, &mut cut, &PASTE_END[..matched]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.typed.push_back(Typed::Paste { text, cut });
    }
}

/// Keeps bytes of a paste up to its limit, and counts the others.
fn keep(kept: &mut Vec<u8>, cut: &mut usize, bytes: &[u8]) {
    for &byte in bytes {
        if kept.len() < PASTE_MAX && *cut == 0 {
            kept.push(byte);
        } else {
            *cut += 1;
        }
    }
}

/// The first three numeric parameters; sub-parameters are left out. `None` if it has others.
fn parameters(bytes: &[u8]) -> Option<[Option<u32>; 3]> {
    let text = core::str::from_utf8(bytes).ok()?;
    let mut numbers = [None; 3];
    for (at, part) in text.split(';').enumerate() {
        let number = part.split(':').next().unwrap_or_default();
        let parsed = match number {
            "" => None,
            digits => Some(digits.parse().ok()?),
        };
        if let Some(slot) = numbers.get_mut(at) {
            *slot = parsed;
        }
    }
    Some(numbers)
}

/// A key with what was held: one more than the sum of Shift 1, Alt 2, Ctrl 4.
fn modified(key: Key, modifiers: Option<u32>) -> Stroke {
    let held = modifiers.unwrap_or(1).saturating_sub(1);
    let (shift, alt, ctrl) = (held & 1 != 0, held & 2 != 0, held & 4 != 0);
    let key = match key {
        Key::Char(letter) if ctrl => Key::Char(letter.to_ascii_lowercase()),
        key => key,
    };
    Stroke { key, ctrl, alt, shift }
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
        assert_eq!(typed(b"\xc2\x9b31m"), typed(b"31m"), "no C1 control is a letter");
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
        assert_eq!(typed(b"\x1b]x"), [alt(']'), letter('x')]);
        assert_eq!(typed(b"\x1b["), [alt('[')]);
        assert_eq!(typed(b"\x1bO"), [alt('O')]);
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
