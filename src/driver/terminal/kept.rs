//! What a person has set, kept from one run to the next: one `command = value` a line, as it was typed.
//!
//! ```text
//! time = hms
//! ignore = 8271…04 mallory
//! ```
//!
//! What is asked for with the run, on the command line or in the configuration, is stronger. Several
//! runs may change the file: each changes what it sets, and nothing else. Lines that mean nothing here are
//! told of, and stay: a later program may have written them.

use std::collections::BTreeMap;
use std::io;

use crate::driver::front::numbers::counted;
use crate::driver::os::state;
use crate::driver::terminal::settings::{ClockFace, Joins, Notify, Setting};
use crate::machine::{Name, PublicKey};

/// People who are ignored, at most.
pub(crate) const IGNORED_MAX: usize = 1024;
/// The file in the folder for state.
const FILE: &str = "settings";

/// What was set; `None` for what never was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) face: Option<ClockFace>,
    pub(crate) joins: Option<Joins>,
    pub(crate) notify: Option<Notify>,
    pub(crate) mouse: Option<bool>,
    /// Whose messages are hidden, and how they were called then.
    pub(crate) ignored: BTreeMap<PublicKey, Name>,
    /// Lines that say nothing of that, as they stand.
    pub(crate) others: Vec<String>,
}

/// Something was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Face(ClockFace),
    Joins(Joins),
    Notify(Notify),
    Mouse(bool),
    Ignore(PublicKey, Name),
    Unignore(PublicKey),
}

impl Kept {
    /// What the file holds, and what is to be said of it.
    pub(crate) fn load() -> (Self, Option<String>) {
        match state::text(FILE).map(|text| Self::read(&text)) {
            Ok((kept, 0)) => (kept, None),
            Ok((kept, strange)) => {
                let lines = counted(strange as u64, "line");
                (kept, Some(format!("{lines} of what was set before mean nothing")))
            }
            // Who has no home keeps nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Self::default(), None),
            Err(error) => {
                (Self::default(), Some(format!("what was set before is not known: {error}")))
            }
        }
    }

    /// Keeps something for later runs.
    pub(crate) fn keep(change: &Change) -> io::Result<()> {
        state::change(FILE, |text| {
            let (mut kept, _) = Self::read(text);
            kept.set(change);
            kept.written()
        })
    }

    /// Something was set: what another program made of the same is void.
    fn set(&mut self, change: &Change) {
        let name = match change {
            Change::Face(_) => ClockFace::NAME,
            Change::Joins(_) => Joins::NAME,
            Change::Notify(_) => Notify::NAME,
            Change::Mouse(_) => bool::NAME,
            Change::Ignore(..) | Change::Unignore(_) => return self.apply(change),
        };
        let is_other = |line: &String| line.split('=').next().is_none_or(|key| key.trim() != name);
        self.others.retain(is_other);
        self.apply(change);
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Face(face) => self.face = Some(*face),
            Change::Joins(joins) => self.joins = Some(*joins),
            Change::Notify(notify) => self.notify = Some(*notify),
            Change::Mouse(mouse) => self.mouse = Some(*mouse),
            Change::Ignore(key, name) => {
                if self.ignored.len() < IGNORED_MAX || self.ignored.contains_key(key) {
                    self.ignored.insert(*key, name.clone());
                }
            }
            Change::Unignore(key) => drop(self.ignored.remove(key)),
        }
    }

    /// What a text says, and how many lines of it say nothing.
    pub(crate) fn read(text: &str) -> (Self, usize) {
        let (mut kept, mut strange) = (Self::default(), 0);
        for line in text.lines() {
            let line = line.trim_start_matches('\u{FEFF}');
            if kept.read_line(line).is_none() {
                let is_comment = line.trim().is_empty() || line.trim_start().starts_with('#');
                strange += usize::from(!is_comment);
                kept.others.push(line.to_owned());
            }
        }
        (kept, strange)
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let (command, value) = line.split_once('=')?;
        let value = value.trim();
        let change = match command.trim() {
            command if command == ClockFace::NAME => Change::Face(ClockFace::read(value)?),
            command if command == Joins::NAME => Change::Joins(Joins::read(value)?),
            command if command == Notify::NAME => Change::Notify(Notify::read(value)?),
            command if command == bool::NAME => Change::Mouse(bool::read(value)?),
            "ignore" if self.ignored.len() < IGNORED_MAX => {
                let (key, name) = value.split_once(' ')?;
                Change::Ignore(key.parse().ok()?, Name::parse(name).ok()?)
            }
            _ => return None,
        };
        self.apply(&change);
        Some(())
    }

    /// The same as a text.
    pub(crate) fn written(&self) -> String {
        fn line<S: Setting>(value: Option<S>) -> String {
            value.map_or(String::new(), |value| format!("{} = {}\n", S::NAME, value.word()))
        }
        let set = [line(self.face), line(self.joins), line(self.notify), line(self.mouse)];
        let ignored = self.ignored.iter().map(|(key, name)| format!("ignore = {key} {name}\n"));
        let others = self.others.iter().map(|line| format!("{line}\n"));
        set.into_iter().chain(ignored).chain(others).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(luck: u8) -> PublicKey {
        PublicKey([luck; 32])
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut kept = Kept::default();
        assert_eq!(kept.written(), "");
        let bob = Name::parse("two words").unwrap();
        for change in [
            Change::Face(ClockFace::Off),
            Change::Face(ClockFace::Seconds),
            Change::Joins(Joins::None),
            Change::Notify(Notify::All),
            Change::Mouse(true),
            Change::Ignore(key(1), bob.clone()),
            Change::Ignore(key(2), bob.clone()),
            Change::Unignore(key(2)),
            Change::Unignore(key(3)),
        ] {
            kept.apply(&change);
        }
        let written = kept.written();
        assert!(
            written.starts_with("time = hms\njoins = none\nnotify = all\nmouse = on\nignore = ")
        );
        assert_eq!(Kept::read(&written), (kept, 0));
    }

    #[test]
    fn what_means_nothing_is_counted_and_takes_nothing_along() {
        let text = format!(
            "time = hm\n\ntime = noon\njoins\n\u{0}\u{1b}[31m = x\nignore = bob\nignore = {} \n{}\nmouse = on\n",
            key(1),
            "x".repeat(100_000)
        );
        let (kept, strange) = Kept::read(&text);
        let others: Vec<String> = kept.others.clone();
        let expected =
            Kept { face: Some(ClockFace::Minutes), mouse: Some(true), others, ..Kept::default() };
        assert_eq!((&kept, strange), (&expected, 6));
        assert_eq!(kept.others.len(), 7, "the blank line as well");
    }

    /// A mark of byte order cost the first line, and the next change every line of a later program.
    #[test]
    fn what_means_nothing_here_stays_as_it_stands() {
        let text = "\u{FEFF}time = hms\n# mine\n\nsounds = loud # of a later one\njoins = some\n";
        let (mut kept, strange) = Kept::read(text);
        assert_eq!((kept.face, strange), (Some(ClockFace::Seconds), 2));
        kept.set(&Change::Joins(Joins::None));
        let written = kept.written();
        assert_eq!(written, "time = hms\njoins = none\n# mine\n\nsounds = loud # of a later one\n");
        assert_eq!(Kept::read(&written), (kept, 1));
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let mut text = String::new();
        for number in 0..2 * IGNORED_MAX as u64 {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            text += &format!("ignore = {} n{number}\n", PublicKey(bytes));
        }
        let (mut kept, strange) = Kept::read(&text);
        assert_eq!((kept.ignored.len(), strange), (IGNORED_MAX, IGNORED_MAX));
        kept.apply(&Change::Ignore(key(0xff), Name::parse("one more").unwrap()));
        assert_eq!(kept.ignored.len(), IGNORED_MAX);
    }
}
