//! What a person sets with slash commands, and the words for it.

use crate::driver::front::stamp::TimeShown;

/// How to show who comes and goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Joins {
    /// Those in a row on one line.
    #[default]
    Fold,
    /// Each on a line.
    All,
    /// Only those who spoke a while ago.
    None,
}

/// How to show the time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ClockFace {
    /// Not at all.
    Off,
    /// Hours and minutes.
    #[default]
    Minutes,
    /// Seconds as well.
    Seconds,
}

/// What to make a noise for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notify {
    /// Nothing.
    Off,
    /// What has our name in it, and what is for us alone.
    #[default]
    Mentions,
    /// Everything that is said.
    All,
}

impl From<TimeShown> for ClockFace {
    /// The day stands on the screen anyway.
    fn from(time: TimeShown) -> Self {
        match time {
            TimeShown::Off => Self::Off,
            TimeShown::Minutes => Self::Minutes,
            TimeShown::Seconds | TimeShown::Iso => Self::Seconds,
        }
    }
}

impl ClockFace {
    /// How many columns it takes, with the space behind it.
    pub(crate) const fn columns(self) -> usize {
        match self {
            Self::Off => 0,
            Self::Minutes => 6,
            Self::Seconds => 9,
        }
    }
}

/// Something with a few values, each of which has a word.
pub(crate) trait Setting: Copy + PartialEq + 'static {
    /// The command that sets it.
    const NAME: &'static str;
    /// Every value, its word, and what it means.
    const VALUES: &'static [(Self, [&'static str; 2])];

    /// The value of that word, in letters of any case.
    fn read(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        Self::VALUES.iter().find(|(_, [known, _])| *known == word).map(|(value, _)| *value)
    }

    /// The word of this value.
    fn word(self) -> &'static str {
        Self::VALUES.iter().find(|(value, _)| *value == self).map_or("", |(_, [word, _])| word)
    }
}

impl Setting for Joins {
    const NAME: &'static str = "joins";
    const VALUES: &'static [(Self, [&'static str; 2])] = &[
        (Self::Fold, ["fold", "those in a row on one line"]),
        (Self::All, ["all", "each on a line"]),
        (Self::None, ["none", "only who spoke a while ago"]),
    ];
}

impl Setting for ClockFace {
    const NAME: &'static str = "time";
    const VALUES: &'static [(Self, [&'static str; 2])] = &[
        (Self::Off, ["off", "no clock"]),
        (Self::Minutes, ["hm", "hours and minutes"]),
        (Self::Seconds, ["hms", "seconds, too"]),
    ];
}

impl Setting for Notify {
    const NAME: &'static str = "notify";
    const VALUES: &'static [(Self, [&'static str; 2])] = &[
        (Self::Off, ["off", "nothing rings"]),
        (Self::Mentions, ["mentions", "your name, and what is for you alone"]),
        (Self::All, ["all", "everything that is said"]),
    ];
}

/// The mouse is reported, or selects.
impl Setting for bool {
    const NAME: &'static str = "mouse";
    const VALUES: &'static [(Self, [&'static str; 2])] =
        &[(true, ["on", "it is reported: hold Shift to select"]), (false, ["off", "it selects"])];
}

/// The words that a command takes, and what they mean.
pub fn values(command: &str) -> Vec<[&'static str; 2]> {
    fn words<S: Setting>() -> Vec<[&'static str; 2]> {
        S::VALUES.iter().map(|(_, words)| *words).collect()
    }
    match command {
        _ if command == Joins::NAME => words::<Joins>(),
        _ if command == ClockFace::NAME => words::<ClockFace>(),
        _ if command == Notify::NAME => words::<Notify>(),
        _ if command == bool::NAME => words::<bool>(),
        "log" => vec![["on", "write the chat to the usual file"], ["off", "write it no more"]],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::terminal::commands::SCREEN;

    /// What is offered is what is taken, and what the usage says.
    #[test]
    fn every_value_has_a_word_that_is_read_again() {
        fn check<S: Setting + core::fmt::Debug>() {
            for (value, [word, _]) in S::VALUES {
                assert_eq!((S::read(word), value.word()), (Some(*value), *word));
                assert_eq!(S::read(&word.to_uppercase()), Some(*value));
            }
            assert_eq!(S::read(""), None);
            let help = SCREEN.iter().find(|help| help.name == S::NAME).unwrap();
            let words: Vec<&str> = S::VALUES.iter().map(|(_, [word, _])| *word).collect();
            assert_eq!(help.usage, format!("/{} {}", S::NAME, words.join("|")));
            assert_eq!(values(S::NAME).len(), words.len());
        }
        check::<Joins>();
        check::<ClockFace>();
        check::<Notify>();
        check::<bool>();
    }
}
