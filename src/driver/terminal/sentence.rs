//! Sentences that begin while somebody reads back: letters are commands there, until one is none.

use crate::driver::terminal::decoder::{Key, Stroke};

/// Letters that follow each other sooner than this belong to one sentence, milliseconds. A guess.
const SENTENCE_MS: u64 = 1_000;

/// Letters that were taken for commands, one soon after the other.
#[derive(Debug, Default)]
pub(super) struct Pressed {
    letters: String,
    at: u64,
}

impl Pressed {
    /// A key was pressed: a letter may turn out to begin a sentence. `/` asks for something itself.
    pub(super) fn note(&mut self, stroke: Stroke, now_ms: u64) {
        match stroke.key {
            Key::Char(letter) if !stroke.ctrl && !stroke.alt && letter != '/' => {
                let mut letters = self.take(now_ms);
                letters.push(letter);
                *self = Self { letters, at: now_ms };
            }
            _ => *self = Self::default(),
        }
    }

    /// The letters that a sentence begins with, which goes on now: none if they are long past.
    pub(super) fn take(&mut self, now_ms: u64) -> String {
        let Self { letters, at } = core::mem::take(self);
        if now_ms.saturating_sub(at) < SENTENCE_MS { letters } else { String::new() }
    }
}

/// Whether letters that came at once are something to say and not commands of who reads back.
pub(super) fn is_sentence(text: &str) -> bool {
    let is_command = |letter| matches!(letter, 'j' | 'J' | 'k' | 'K' | 'g' | 'G' | 'n' | 'N' | 'u');
    !text.starts_with('/') && text.chars().nth(1).is_some() && !text.chars().all(is_command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_one_sentence_follow_each_other_soon() {
        let mut pressed = Pressed::default();
        for (letter, at) in [('g', 0), ('n', 5_000), ('u', 5_400)] {
            pressed.note(Stroke::plain(Key::Char(letter)), at);
        }
        assert_eq!(pressed.take(5_600), "nu");
        assert_eq!(pressed.take(5_600), "", "they are typed once");
        pressed.note(Stroke::plain(Key::Char('g')), 6_000);
        pressed.note(Stroke::plain(Key::Down), 6_100);
        assert_eq!(pressed.take(6_200), "", "another key came between");
    }

    #[test]
    fn what_comes_at_once_is_a_sentence_unless_all_of_it_are_commands() {
        for (text, sentence) in [
            ("jjjk", false),
            ("gun", false),
            ("good", true),
            ("/quit", false),
            ("g", false),
            ("日本", true),
        ] {
            assert_eq!(is_sentence(text), sentence, "{text}");
        }
    }
}
