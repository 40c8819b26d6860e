//! Whether there is a way to a member, and when people are told that there is none
//! (docs/PROTOCOL.md, "Presence"). What is said to them waits meanwhile.

use core::time::Duration;

use crate::machine::time::Time;

/// Who has answered no call for so long cannot be reached. Somebody on the path can hold up a handshake for
/// as long as two first messages are repeated, which is 10 s.
const PATIENCE: Duration = Duration::from_secs(12);

/// What is known of the ways to one member together.
#[derive(Debug, Default, Hash)]
pub(super) struct Reachable {
    /// When people are to be told, unless they answer before.
    tells_at: Option<Time>,
    told: bool,
}

impl Reachable {
    /// No way works now.
    pub(super) fn lost(&mut self, now: Time) {
        if !self.told {
            self.tells_at.get_or_insert(now + PATIENCE);
        }
    }

    /// They have answered. True when people were told that they cannot be reached.
    pub(super) const fn reached(&mut self) -> bool {
        self.tells_at = None;
        core::mem::replace(&mut self.told, false)
    }

    /// People are told, if it is time: since when no way works.
    pub(super) fn tell(&mut self, now: Time) -> Option<Time> {
        let at = self.tells_at.filter(|&at| at <= now)?;
        (self.tells_at, self.told) = (None, true);
        Some(at.before(PATIENCE))
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
        let mut way = Reachable::default();
        assert!(!way.reached(), "nothing was told");
        way.lost(secs(0));
        way.lost(secs(2));
        assert_eq!(way.tells_at(), Some(secs(12)));
        assert_eq!((way.tell(secs(11)), way.tell(secs(13))), (None, Some(secs(0))));
        assert!(way.is_told());
        way.lost(secs(90));
        assert!(way.tells_at().is_none() && way.tell(secs(200)).is_none(), "they know");
        assert!(way.reached() && !way.reached());
        way.lost(secs(300));
        assert!(!way.reached() && way.tells_at().is_none(), "a short one is not told of");
    }
}
