//! Keys by the names that terminals have for them: codes, parameters, and what was held.

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

    pub(super) const fn ctrl(letter: char) -> Self {
        Self { ctrl: true, ..Self::plain(Key::Char(letter)) }
    }

    pub(super) const fn with_alt(self, alt: bool) -> Self {
        Self { alt: self.alt || alt, ..self }
    }
}

/// The first three numeric parameters; sub-parameters are left out. `None` if it has others.
pub(super) fn parameters(bytes: &[u8]) -> Option<[Option<u32>; 3]> {
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

/// What was held is one that somebody can hold: Shift, Alt, Ctrl, Meta.
pub(super) fn is_held(modifiers: Option<u32>) -> bool {
    modifiers.is_some_and(|held| (2..=16).contains(&held))
}

/// Whether a key was let go (kitty: the second parameter has 3 as its second part).
pub(super) fn is_release(bytes: &[u8]) -> bool {
    let second = bytes.split(|&byte| byte == b';').nth(1);
    second.and_then(|part| part.split(|&byte| byte == b':').nth(1)) == Some(b"3")
}

/// The text that a key types (kitty: the third parameter, code points with colons between them; or what
/// the key is with Shift, the second part of the first).
pub(super) fn associated(bytes: &[u8]) -> Option<Vec<char>> {
    let mut parameters = core::str::from_utf8(bytes).ok()?.split(';');
    let (first, second, third) = (parameters.next()?, parameters.next(), parameters.next());
    let shifted = || {
        let held: u32 = second?.split(':').next()?.parse().ok()?;
        first.split(':').nth(1).filter(|_| held.saturating_sub(1) & 1 != 0)
    };
    let codes = third.filter(|codes| !codes.is_empty()).or_else(shifted)?;
    let letters = codes.split(':').map(|code| char::from_u32(code.parse().ok()?));
    letters.map(|letter| letter.filter(|c| !c.is_control())).collect()
}

/// The key with that code. Those of kitty without a character are of the private use area; the block of
/// digits types what is on it, and those that are no keys here are none.
pub(super) fn coded(code: u32) -> Option<Key> {
    Some(match code {
        8 | 127 => Key::Backspace,
        9 => Key::Tab,
        13 | 57414 => Key::Enter,
        27 => Key::Escape,
        57399..=57408 => Key::Char((b'0' + (code - 57399) as u8).into()),
        57409 => Key::Char('.'),
        57410 => Key::Char('/'),
        57411 => Key::Char('*'),
        57412 => Key::Char('-'),
        57413 => Key::Char('+'),
        57415 => Key::Char('='),
        57416 => Key::Char(','),
        57417 => Key::Left,
        57418 => Key::Right,
        57419 => Key::Up,
        57420 => Key::Down,
        57421 => Key::PageUp,
        57422 => Key::PageDown,
        57423 => Key::Home,
        57424 => Key::End,
        57425 => Key::Insert,
        57426 => Key::Delete,
        57344..=63743 => return None,
        _ => Key::Char(char::from_u32(code).filter(|c| !c.is_control())?),
    })
}

/// A key with what was held: one more than the sum of Shift 1, Alt 2, Ctrl 4, Super 8, Hyper 16, Meta 32,
/// and the locks. `None` with Super or Hyper: that is for a window manager.
pub(super) fn modified(key: Key, modifiers: Option<u32>) -> Option<Stroke> {
    let held = modifiers.unwrap_or(1).saturating_sub(1);
    let (shift, alt, ctrl) = (held & 1 != 0, held & 0b10_0010 != 0, held & 4 != 0);
    if held & 0b1_1000 != 0 {
        return None;
    }
    let locked = held & 64 != 0;
    let key = match key {
        Key::Char(letter) if ctrl => Key::Char(letter.to_ascii_lowercase()),
        Key::Char(letter) if shift != locked => {
            let mut upper = letter.to_uppercase();
            Key::Char(upper.next().filter(|_| upper.next().is_none()).unwrap_or(letter))
        }
        key => key,
    };
    Some(Stroke { key, ctrl, alt, shift })
}
