//! Text from the clipboard: between marks, or more at once than a hand types.

use super::{ESC, Key, PASTE_END, PASTE_MAX, State, Stroke, Typed};

impl super::Decoder {
    pub(super) fn paste(
        &mut self,
        mut bytes: Vec<u8>,
        mut cut: usize,
        mut matched: usize,
        byte: u8,
    ) {
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
    pub(super) fn line_end(&mut self, by_hand: bool) {
        let key = Typed::Stroke(Stroke::plain(Key::Enter));
        self.typed.push_back(if by_hand { key } else { Typed::LineEnd });
    }

    /// Something follows a line end at once: a key that is no letter, or the next line of a paste.
    pub(super) fn after_line_end(&mut self, byte: u8) {
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

    pub(super) fn burst(&mut self, mut bytes: Vec<u8>, mut cut: usize, byte: u8) {
        // Ctrl-C is meant, whoever sends it.
        if byte == 0x03 {
            self.burst_over(bytes, cut);
            return self.ground(byte, false);
        }
        keep(&mut bytes, &mut cut, &[byte]);
        self.state = State::Burst { bytes, cut };
    }

    pub(super) fn burst_over(&mut self, bytes: Vec<u8>, cut: usize) {
        // Enter that repeats itself is a key that is held.
        if bytes.iter().all(|&byte| byte == b'\r') {
            return self.line_end(false);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.typed.push_back(Typed::Paste { text, cut });
    }

    /// A paste is over; `matched` bytes of it looked like its end and were not.
    pub(super) fn pasted(&mut self, mut bytes: Vec<u8>, mut cut: usize, matched: usize) {
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
