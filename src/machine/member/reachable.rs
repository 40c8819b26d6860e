//! Whether there is a way to a member, and when people are told that there is none
//! (docs/PROTOCOL.md, "Presence"). What is said to them waits meanwhile.

use core::time::Duration;

use crate::machine::time::Time;

/// Who has never answered, and who did, cannot be reached once no call was answered for so long.
const NEVER: Duration = Duration::from_secs(3);
const ANY_MORE: Duration = Duration::from_secs(12);

/// What is known of the ways to one member together.
#[derive(Debug, Default, Hash)]
pub(super) struct Reachable {
    /// When people are to be told, unless they answer before.
    tells_at: Option<Time>,
    told: bool,
}

impl Reachable {
    /// No way works now. `answered` says whether one ever did.
    pub(super) fn lost(&mut self, now: Time, answered: bool) {
        if !self.told {
            let patience = if answered { ANY_MORE } else { NEVER };
            self.tells_at.get_or_insert(now + patience);
        }
    }

    /// They have answered. True when people were told that they cannot be reached.
    pub(super) const fn reached(&mut self) -> bool {
        self.tells_at = None;
        core::mem::replace(&mut self.told, false)
    }

    /// Whether people are to be told now; if so, they are.
    pub(super) fn tell(&mut self, now: Time) -> bool {
        let due = self.tells_at.is_some_and(|at| at <= now);
        if due {
            (self.tells_at, self.told) = (None, true);
        }
        due
    }

    /// People were told, and not the contrary since.
    pub(super) const fn is_told(&self) -> bool {
        self.told
    }

    pub(super) const fn tells_at(&self) -> Option<Time> {
        self.tells_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(s: u64) -> Time {
        Time::from_micros(s * 1_000_000)
    }

    #[test]
    fn people_are_told_once_and_then_the_contrary() {
        for (answered, at) in [(false, 3), (true, 12)] {
            let mut way = Reachable::default();
            assert!(!way.reached(), "nothing was told");
            way.lost(secs(0), answered);
            way.lost(secs(2), answered);
            assert_eq!(way.tells_at(), Some(secs(at)));
            assert!(!way.tell(secs(at - 1)) && way.tell(secs(at)) && way.is_told());
            way.lost(secs(90), answered);
            assert!(way.tells_at().is_none() && !way.tell(secs(200)), "they know");
            assert!(way.reached() && !way.reached());
            way.lost(secs(300), true);
            assert!(!way.reached() && way.tells_at().is_none(), "a short one is not told of");
        }
    }
}
