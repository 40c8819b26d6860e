//! Whether a member is here: how long who is quiet counts as here, doubts, and the ping
//! that settles them
//! (docs/PROTOCOL.md, "Presence").

use core::time::Duration;

use super::GONE_KEPT;
use crate::machine::event::Why;
use crate::machine::purpose::LinkKey;
use crate::machine::rng::Rng;
use crate::machine::time::{OVERSLEPT, Time};
use crate::machine::wire::Loss;

/// How long somebody who is not heard counts as present, if they are pinged as often as anybody is in silence; of
/// others, as much longer as they are pinged later.
const QUIET_MAX: Duration = Duration::from_secs(60);

/// Somebody who is quiet is pinged this often, if they are watched and nobody talks.
pub(super) const PING_EVERY: Duration = Duration::from_secs(15);

/// How long somebody who is said to have left has to prove the contrary; and somebody whose lease
/// ran out at the nodeset: theirs is a bad path, or none.
const VERIFY: Duration = Duration::from_secs(3);
const VERIFY_TIMEOUT: Duration = Duration::from_secs(40);
const VERIFY_TOGETHER: Duration = Duration::from_secs(30);

/// How long somebody who timed out is looked for.
const LOOK_FOR: Duration = Duration::from_secs(24 * 3600);

/// After so many calls that were not answered, what is said is not said into the silence any more.
const PROBED: u8 = 1;

/// A word that somebody is lost is news this long after the last one.
const DOUBTED_ANEW: Duration = Duration::from_secs(5);

/// Who is watched by others, and taken for lost by none of them, is spared so often.
const SPARED_MAX: u8 = 10;

/// For so long each time: those who watch them may be gone as well, and others watch them by then.
const SPARED: Duration = Duration::from_secs(30);

/// Whether a member is here, as far as can be told.
#[derive(Debug, Hash)]
pub(crate) struct Liveness {
    standing: Standing,
    /// When they are given up, and why.
    gone_at: Time,
    why: Why,
    /// Since when they are known of.
    known_since: Time,
    ping_at: Time,
    /// The pause between two pings.
    ping_every: Duration,
    /// The link over which they are being asked whether they are there.
    pinging: Option<LinkKey>,
    /// Whether something was heard that does not prove that they are still alive.
    hint: Hint,
    /// They have said that they do not know us, and neither answered a hello nor said one since.
    estranged: bool,
    /// Something of theirs came since they were here, if only a handshake.
    heard: bool,
    /// Calls in a row that they did not answer.
    missed: u8,
    /// Others do not hear them: whether these agree, and since when we know.
    doubted: Option<(bool, Time)>,
    /// Others have given them up, since they were heard here.
    gone_elsewhere: bool,
    /// How often they were spared since they were heard.
    spared: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Standing {
    /// Known of, not yet answered.
    Hidden,
    /// Here.
    Shown,
    /// Timed out; looked for until then.
    Absent { until: Time },
    /// Said goodbye, or was replaced; remembered until then, so that nothing late brings them back.
    Left { until: Time },
}

/// What may have been on its way for long: it keeps nobody here, but they are asked before they are
/// given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Hint {
    /// Nothing like that since they last proved to be alive.
    None,
    /// Something came.
    Given,
    /// They got a few seconds more for it.
    Spent,
}

/// What is to be done about somebody who is said to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Nothing: they are.
    None,
    /// Ask them: they have a few seconds to prove the contrary.
    Ask,
    /// Nothing was ever heard of them: there is nothing to hold against it.
    Believe,
}

impl Liveness {
    /// Of somebody who was heard of.
    pub(super) fn new(now: Time) -> Self {
        Self {
            standing: Standing::Hidden,
            gone_at: now + QUIET_MAX,
            why: Why::Timeout,
            known_since: now,
            ping_at: now + PING_EVERY,
            ping_every: PING_EVERY,
            pinging: None,
            hint: Hint::None,
            estranged: false,
            heard: false,
            missed: 0,
            doubted: None,
            gone_elsewhere: false,
            spared: 0,
        }
    }

    /// They count among those who are here. False when they did already, or have left for good.
    pub(super) const fn show(&mut self) -> bool {
        let shows = matches!(self.standing, Standing::Hidden | Standing::Absent { .. });
        if shows {
            self.standing = Standing::Shown;
        }
        shows
    }

    /// Something was heard that was not long on its way.
    pub(super) fn heard(&mut self, now: Time, rng: &mut Rng) {
        self.heard = true;
        self.lives(now);
        self.ping_later(now, rng);
    }

    /// A sign of life keeps them here, unless they do not know us: then only a hello does, or the
    /// answer to one.
    pub(super) fn lives(&mut self, now: Time) {
        (self.missed, self.doubted, self.spared) = (0, None, 0);
        self.gone_elsewhere = false;
        if !self.estranged {
            self.gone_at = now + self.quiet_max();
            self.why = Why::Timeout;
            self.hint = Hint::None;
        }
    }

    /// How long they count as present when they are not heard.
    fn quiet_max(&self) -> Duration {
        QUIET_MAX + self.ping_every.saturating_sub(PING_EVERY)
    }

    /// They are pinged so often from now on, and `soon` for the first time, if that is sooner than before.
    pub(super) fn ping_every(&mut self, now: Time, every: Duration, soon: Duration) {
        self.ping_every = every;
        self.ping_at = self.ping_at.min(now + soon);
    }

    /// They are heard at least that often, if they are quiet: pings are an eighth later at most, and answered in less.
    pub(super) fn heard_every(&self) -> Duration {
        let every = self.ping_every.max(PING_EVERY);
        every + every / 4
    }

    /// They did not answer a call; returns how many in a row.
    pub(super) const fn misses(&mut self) -> u8 {
        self.missed = self.missed.saturating_add(1);
        self.missed
    }

    /// So many that a small question finds out when they are back: what is said waits for its answer.
    pub(super) const fn is_probed(&self) -> bool {
        self.missed >= PROBED
    }

    /// Somebody else does not hear them, or several `agree` that they do not. False when as much was known lately.
    pub(super) fn doubt_of_others(&mut self, now: Time, agreed: bool) -> bool {
        let lately = |(knew, at)| knew >= agreed && now.since(at) < DOUBTED_ANEW;
        let news = !self.doubted.is_some_and(lately);
        if news {
            self.doubted = Some((agreed, now));
        }
        news
    }

    /// Whether others do not hear them, and whether these agree; `None` when nothing like that was said since they
    /// were heard.
    pub(super) fn doubted(&self) -> Option<bool> {
        self.doubted.map(|(agreed, _)| agreed)
    }

    /// There is no way to them: they are waited for no longer than anybody.
    pub(super) fn has_no_way(&mut self, now: Time) {
        self.ping_every = PING_EVERY;
        self.is_lost(now);
    }

    /// There is no sign of them: whoever is asked rarely is not waited for longer than anybody.
    pub(super) fn is_lost(&mut self, now: Time) {
        self.gone_at = self.gone_at.min(now + QUIET_MAX);
    }

    /// What others are told of them, when they are not heard.
    pub(super) const fn loss(&self) -> Loss {
        if self.is_gone() { Loss::Gone } else { Loss::Agreed }
    }

    /// Others have given them up. False when that was known.
    pub(super) const fn is_gone_elsewhere(&mut self) -> bool {
        !core::mem::replace(&mut self.gone_elsewhere, true)
    }

    /// Calls to them have failed: so they are gone now, if they are for others.
    pub(super) const fn fails(&mut self, now: Time) -> bool {
        if self.gone_elsewhere {
            self.gone_at = now;
            self.hint = Hint::Spent;
        }
        self.gone_elsewhere
    }

    /// Something was heard that may be old.
    pub(super) fn hints(&mut self) {
        self.heard |= !self.is_gone();
        if self.hint == Hint::None && !self.estranged {
            self.hint = Hint::Given;
        }
    }

    /// They do not know us.
    pub(super) const fn estrange(&mut self) {
        self.estranged = true;
    }

    /// They have said hello, or answered ours.
    pub(super) const fn meets(&mut self) {
        self.estranged = false;
    }

    /// A nodeset says that they are gone: of all but a goodbye, only silence makes that true.
    pub(super) fn doubt(&mut self, now: Time, why: Why) -> Doubt {
        if self.is_gone() {
            return Doubt::None;
        }
        if !self.heard {
            return Doubt::Believe;
        }
        let verify = if why == Why::Timeout { VERIFY_TIMEOUT } else { VERIFY };
        self.why = why;
        self.doubted.get_or_insert((false, now));
        self.gone_at = self.gone_at.min(now + verify);
        Doubt::Ask
    }

    /// They were quiet for too long: why they are gone, or `None` when they are to be asked once more. So is who
    /// gave an uncertain sign of life meanwhile, and everybody when it was us who slept. Who is not
    /// silent alone (`together` with others, or while others come back) has more time, if they had none before: their
    /// turn may not have come.
    pub(super) fn expire(&mut self, now: Time, together: bool) -> Option<Why> {
        let overslept = now.since(self.gone_at) > OVERSLEPT;
        let waits = together && self.hint != Hint::Spent && self.spared == 0;
        if self.hint != Hint::Given && !overslept && !waits {
            return Some(self.why);
        }
        self.hint = Hint::Spent;
        self.gone_at = now + if waits { VERIFY_TOGETHER } else { VERIFY };
        None
    }

    /// They are gone. Who timed out is `sought` for a day, if somebody has answered where they were.
    pub(super) fn lose(&mut self, now: Time, why: Why, sought: bool) {
        let look_for = if sought { LOOK_FOR } else { GONE_KEPT };
        self.standing = match why {
            Why::Timeout | Why::Unread => Standing::Absent { until: now + look_for },
            Why::Quit | Why::Replaced => Standing::Left { until: now + GONE_KEPT },
        };
        self.pinging = None;
        self.estranged = false;
        self.hint = Hint::None;
        self.heard = false;
        (self.missed, self.doubted, self.ping_every) = (0, None, PING_EVERY);
    }

    /// Somebody who is gone has said goodbye after all.
    pub(super) fn leave(&mut self, now: Time) {
        self.standing = Standing::Left { until: now + GONE_KEPT };
    }

    /// Whether no ping is open.
    pub(super) const fn may_ping(&self) -> bool {
        self.pinging.is_none()
    }

    /// They are asked over that link whether they are there.
    pub(super) const fn pings(&mut self, over: LinkKey) {
        self.pinging = Some(over);
    }

    pub(super) fn ping_later(&mut self, now: Time, rng: &mut Rng) {
        self.ping_at = now + rng.jitter(self.ping_every, 8);
    }

    /// They are pinged then.
    pub(super) const fn ping_at(&mut self, at: Time) {
        self.ping_at = at;
    }

    /// The ping is over.
    pub(super) const fn pinged(&mut self) {
        self.pinging = None;
    }

    /// A link is closed, and its calls with it, whatever the path is by now: nobody is told.
    pub(super) fn unlink(&mut self, closed: LinkKey) {
        self.pinging = self.pinging.filter(|&asked| asked != closed);
    }

    /// Somebody says that they are here, of whom nothing was ever heard: so they are for as long again, ten
    /// minutes in all. False of whoever was heard.
    pub(super) fn stay(&mut self, now: Time) -> bool {
        let stays = !self.heard && now.since(self.known_since) < GONE_KEPT;
        if stays {
            self.gone_at = self.gone_at.max(now) + QUIET_MAX;
        }
        stays
    }

    /// Those who watch them would have said that they are gone: they are spared for a while, some minutes in
    /// all. False when somebody doubts them.
    pub(super) fn is_spared(&mut self, now: Time) -> bool {
        let spared = self.is_shown() && self.doubted.is_none() && self.spared < SPARED_MAX;
        if spared {
            self.spared += 1;
            self.gone_at = self.gone_at.max(now) + SPARED;
        }
        spared
    }

    /// A nodeset hears them: what was said against them before is over.
    pub(super) fn is_heard_by_others(&mut self, now: Time) {
        self.doubted = None;
        if self.why == Why::Timeout {
            self.is_spared(now);
        }
    }

    /// Something of theirs came since they are here.
    pub(super) const fn is_heard(&self) -> bool {
        self.heard
    }

    pub(crate) fn is_shown(&self) -> bool {
        self.standing == Standing::Shown
    }

    /// Known of, and not here yet.
    pub(super) fn is_hidden(&self) -> bool {
        self.standing == Standing::Hidden
    }

    /// Timed out, and looked for.
    pub(super) const fn is_absent(&self) -> bool {
        matches!(self.standing, Standing::Absent { .. })
    }

    pub(super) const fn has_left(&self) -> bool {
        matches!(self.standing, Standing::Left { .. })
    }

    pub(super) const fn is_gone(&self) -> bool {
        self.is_absent() || self.has_left()
    }

    /// Until when somebody who is gone is remembered.
    pub(super) const fn remembered_until(&self) -> Option<Time> {
        match self.standing {
            Standing::Absent { until } | Standing::Left { until } => Some(until),
            Standing::Hidden | Standing::Shown => None,
        }
    }

    /// They have a few seconds left to show that they are here.
    pub(super) fn is_asked_once_more(&self) -> bool {
        self.hint == Hint::Spent
    }

    /// They were quiet for too long.
    pub(super) fn is_over(&self, now: Time) -> bool {
        !self.is_gone() && self.gone_at <= now
    }

    /// It is time to ask whether they are there.
    pub(super) fn ping_is_due(&self, now: Time) -> bool {
        self.is_shown() && self.ping_at <= now
    }

    /// When something is due. Nobody is pinged without a `path`.
    pub(super) fn next_deadline(&self, path: bool) -> Time {
        match self.standing {
            Standing::Shown if path && self.may_ping() => self.ping_at.min(self.gone_at),
            Standing::Hidden | Standing::Shown => self.gone_at,
            Standing::Absent { until } | Standing::Left { until } => until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::rng::Seed;

    const fn secs(s: u64) -> Time {
        Time::from_micros(s * 1_000_000)
    }

    /// Somebody who is here and was heard at that time.
    fn here(now: Time) -> Liveness {
        let mut life = Liveness::new(now);
        life.heard(now, &mut Seed([1; 32]).stream("liveness"));
        assert!(life.show() && !life.show());
        life
    }

    #[test]
    fn somebody_is_gone_a_minute_after_the_last_sign_of_life() {
        let mut life = here(secs(10));
        life.lives(secs(30));
        assert!(!life.is_over(secs(89)) && life.is_over(secs(90)));
        assert_eq!(life.expire(secs(90), false), Some(Why::Timeout));
    }

    #[test]
    fn what_may_be_old_buys_one_question_and_no_time() {
        let mut life = here(secs(0));
        (1..60).for_each(|_| life.hints());
        assert_eq!(life.expire(secs(60), false), None);
        assert!(life.is_asked_once_more());
        // Whoever holds datagrams back can do that for ever, and gets no more for it.
        life.hints();
        assert_eq!(life.expire(secs(63), false), Some(Why::Timeout));
        let mut answers = here(secs(0));
        answers.hints();
        assert_eq!(answers.expire(secs(60), false), None);
        answers.lives(secs(61));
        assert!(!answers.is_over(secs(120)) && !answers.is_asked_once_more());
    }

    #[test]
    fn who_slept_asks_everybody() {
        let mut life = here(secs(0));
        assert_eq!(life.expire(secs(600), false), None);
        assert_eq!(life.expire(secs(603), false), Some(Why::Timeout));
    }

    #[test]
    fn a_nodeset_s_word_is_believed_of_who_was_never_heard() {
        let mut silent = Liveness::new(secs(0));
        assert_eq!(silent.doubt(secs(1), Why::Replaced), Doubt::Believe);
        let mut life = here(secs(0));
        assert_eq!(life.doubt(secs(1), Why::Replaced), Doubt::Ask);
        assert_eq!(life.next_deadline(false), secs(4));
        // Said again and again it leaves no less time, and said of a timeout no more.
        assert_eq!(life.doubt(secs(2), Why::Timeout), Doubt::Ask);
        assert_eq!(life.next_deadline(false), secs(4));
        life.lives(secs(3));
        assert!(!life.is_over(secs(62)));
        life.lose(secs(70), Why::Timeout, true);
        assert_eq!(life.doubt(secs(71), Why::Replaced), Doubt::None);
    }

    #[test]
    fn only_a_hello_keeps_somebody_here_who_does_not_know_us() {
        let mut life = here(secs(0));
        life.estrange();
        life.lives(secs(50));
        life.hints();
        assert_eq!(life.expire(secs(60), false), Some(Why::Timeout));
        life.meets();
        life.lives(secs(60));
        assert!(!life.is_over(secs(119)));
    }

    #[test]
    fn who_left_does_not_come_back_and_who_is_absent_may() {
        let mut life = here(secs(0));
        life.lose(secs(60), Why::Timeout, true);
        assert_eq!(life.remembered_until(), Some(secs(60 + 24 * 3600)));
        assert!(life.show() && life.is_shown());
        life.lose(secs(60), Why::Timeout, false);
        assert_eq!(life.remembered_until(), Some(secs(660)));
        life.leave(secs(70));
        assert!(!life.show() && life.has_left());
        for why in [Why::Quit, Why::Replaced] {
            let mut life = here(secs(0));
            life.lose(secs(1), why, true);
            assert!(!life.show(), "{why:?}");
        }
    }

    #[test]
    fn one_ping_at_a_time_and_none_is_waited_for_on_a_closed_link() {
        let mut life = here(secs(0));
        let mut links =
            crate::machine::slots::Slots::<(), crate::machine::purpose::ALink>::default();
        let (one, other) = (links.insert(()), links.insert(()));
        assert!(life.ping_is_due(secs(17)) && life.next_deadline(true) <= secs(17));
        life.pings(one);
        assert!(!life.may_ping());
        assert_eq!(life.next_deadline(true), secs(60), "the answer is waited for");
        life.unlink(other);
        assert!(!life.may_ping());
        life.unlink(one);
        assert!(life.may_ping());
    }
}
