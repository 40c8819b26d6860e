//! What a process was shown, in numbers.

/// What a process was shown, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often there was no way to somebody.
    pub lost: u64,
    /// How often somebody who is there was taken for lost.
    pub alarms: u64,
    /// How often they were heard, and did not hear us.
    pub deaf: u64,
    /// How often there was one again.
    pub found: u64,
    /// How often the nodeset fell silent.
    pub silent: u64,
    /// Messages of others.
    pub messages: u64,
    /// Of those, which were shown before something that their author had seen.
    pub early: u64,
    /// Messages of others that were not for them, and came from who kept them.
    pub handed_on: u64,
    /// People who entered.
    pub joined: u64,
    /// People who left.
    pub left: u64,
    /// Messages reported missing.
    pub missing: u64,
    /// Readers that confirmed.
    pub acked: u64,
    /// Readers that were given up.
    pub failed: u64,
    /// Pairs of look-alikes.
    pub alike: u64,
}
