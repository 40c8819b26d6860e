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
    told: Told,
}

/// What people were told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Told {
    /// Nothing, or that there is a way again.
    #[default]
    Nothing,
    /// They do not answer: perhaps they are lost.
    Lost,
    /// There is no way to them.
    Unreachable,
}

/// What has come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nothing that people were told of.
    Nothing,
    /// They were perhaps lost.
    Lost,
    /// There was no way to them.
    Unreachable,
}

impl Reachable {
    /// No way works now.
    pub(super) fn lost(&mut self, now: Time) {
        if self.told != Told::Unreachable {
            self.tells_at.get_or_insert(now + PATIENCE);
        }
    }

    /// They are perhaps lost. True when people do not know yet that something is wrong.
    pub(super) fn is_lost(&mut self) -> bool {
        let news = self.told == Told::Nothing;
        if news {
            self.told = Told::Lost;
        }
        news
    }

    /// They were heard: they are not lost. True when people were told that, and nothing else.
    pub(super) fn is_found(&mut self) -> bool {
        let told = self.told == Told::Lost;
        if told {
            self.told = Told::Nothing;
        }
        told
    }

    /// They have answered.
    pub(super) fn reached(&mut self) -> Ended {
        self.tells_at = None;
        match core::mem::take(&mut self.told) {
            Told::Nothing => Ended::Nothing,
            Told::Lost => Ended::Lost,
            Told::Unreachable => Ended::Unreachable,
        }
    }

    /// People are told, if it is time: since when no way works.
    pub(super) fn tell(&mut self, now: Time) -> Option<Time> {
        let at = self.tells_at.filter(|&at| at <= now)?;
        (self.tells_at, self.told) = (None, Told::Unreachable);
        Some(at.before(PATIENCE))
    }

    /// People were told, and not the contrary since.
    pub(super) fn is_told(&self) -> bool {
        self.told == Told::Unreachable
    }

    /// People were told that they may be lost, and nothing since.
    pub(super) fn may_be_lost(&self) -> bool {
        self.told == Told::Lost
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
        assert_eq!(way.reached(), Ended::Nothing, "nothing was told");
        way.lost(secs(0));
        way.lost(secs(2));
        assert_eq!(way.tells_at(), Some(secs(12)));
        assert_eq!((way.tell(secs(11)), way.tell(secs(13))), (None, Some(secs(0))));
        assert!(way.is_told());
        way.lost(secs(90));
        assert!(way.tells_at().is_none() && way.tell(secs(200)).is_none(), "they know");
        assert_eq!((way.reached(), way.reached()), (Ended::Unreachable, Ended::Nothing));
        way.lost(secs(300));
        assert_eq!(way.reached(), Ended::Nothing);
        assert!(way.tells_at().is_none(), "a short one is not told of");
    }

    #[test]
    fn who_may_be_lost_is_told_of_before_there_is_no_way() {
        let mut way = Reachable::default();
        way.lost(secs(0));
        assert!(way.is_lost() && !way.is_lost() && way.may_be_lost());
        assert_eq!(way.tell(secs(12)), Some(secs(0)), "that is more");
        assert!(way.is_told() && !way.is_lost() && !way.is_found(), "they know more than that");
        assert_eq!(way.reached(), Ended::Unreachable);
        assert!(way.is_lost() && way.is_found() && !way.is_found());
        assert!(way.is_lost());
        assert_eq!((way.reached(), way.reached()), (Ended::Lost, Ended::Nothing));
    }
}
