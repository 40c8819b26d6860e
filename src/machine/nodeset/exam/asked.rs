//! One address that is asked: which question is next, which are open, and when it is over.

use std::collections::BTreeMap;

use core::net::SocketAddr;
use core::time::Duration;

use crate::machine::doctor::{Answer, Evidence, Tally};
use crate::machine::time::Time;
use crate::machine::wire::Cookie;

/// Small questions that are asked, how far apart, and how many when some were lost.
const SMALL: u32 = 16;
const SMALL_LOSSY: u32 = 32;
const SMALL_EVERY: Duration = Duration::from_millis(125);

/// Large questions that are asked at most, while none is answered, how far apart, and how many when small ones
/// are lost as well: where half of all is, chance alone takes six in a row once in sixty times.
const LARGE: u32 = 6;
const LARGE_LOSSY: u32 = 12;
const LARGE_EVERY: Duration = Duration::from_millis(350);

/// How often a place is asked for, and given back, and how far apart.
const PLACE: u32 = 4;
const PLACE_EVERY: Duration = Duration::from_millis(500);

/// An answer that takes longer than half as long again as the longest so far, and this, is lost.
const SLACK: Duration = Duration::from_millis(500);

/// The same before anything was answered: what two hops over satellites take.
const SLACK_FIRST: Duration = Duration::from_secs(4);

/// How long somebody is waited for who says nothing while others do.
const BESIDE: Duration = Duration::from_millis(3_600);

/// Questions that are open at one address.
pub(super) const OPEN_MAX: usize = (SMALL_LOSSY + LARGE_LOSSY + 2 * PLACE) as usize;

/// A kind of question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Due {
    Small,
    Large,
    Register,
    Leave,
}

/// One address.
#[derive(Debug, Hash)]
pub(super) struct Asking {
    pub(super) evidence: Evidence,
    since: Time,
    pub(super) cookie: Cookie,
    /// What was asked and not answered yet, by number.
    open: BTreeMap<u32, (Due, Time)>,
    /// How many of each kind were asked, and when the next one may be.
    sent: [(u32, Time); 4],
    /// The nodeset there is asked for a place; it gave one; it gave none; it has it back.
    pub(super) registers: bool,
    pub(super) has_place: bool,
    pub(super) refused: bool,
    pub(super) has_left: bool,
    /// The network says that nothing gets there, since then.
    hopeless: Option<Time>,
}

impl Asking {
    pub(super) fn new(now: Time, addr: SocketAddr) -> Self {
        Self {
            evidence: Evidence::of(addr),
            since: now,
            cookie: [0; 8],
            open: BTreeMap::new(),
            sent: [(0, now); 4],
            registers: false,
            has_place: false,
            refused: false,
            has_left: false,
            hopeless: None,
        }
    }

    /// The next question, if it is time for one.
    pub(super) fn next(&self, now: Time) -> Option<Due> {
        let all = [Due::Small, Due::Large, Due::Register, Due::Leave];
        all.into_iter().find(|&due| self.wants(due) && self.sent[due as usize].1 <= now)
    }

    /// Whether one more of those is worth asking.
    fn wants(&self, due: Due) -> bool {
        let Evidence { small, large, answer, .. } = &self.evidence;
        let (sent, ours) = (self.sent[due as usize].0, self.evidence.answers());
        match due {
            // Somebody of another version has said all that can be known.
            Due::Small => {
                let enough = if small.lost() > 0 && ours { SMALL_LOSSY } else { SMALL };
                sent < enough && !matches!(answer, Some(Answer::Version { .. }))
            }
            Due::Large => {
                let enough = if small.lost() > 0 { LARGE_LOSSY } else { LARGE };
                ours && sent < enough && large.answered == 0
            }
            Due::Register => self.registers && sent < PLACE && !self.has_place && !self.refused,
            Due::Leave => self.has_place && sent < PLACE && !self.has_left,
        }
    }

    /// It was asked.
    pub(super) fn asked(&mut self, now: Time, seq: u32, due: Due) {
        self.open.insert(seq, (due, now));
        let trip = self.evidence.small.median().unwrap_or_default();
        let pause = match due {
            Due::Small => SMALL_EVERY,
            // One at a time where that takes long.
            Due::Large => LARGE_EVERY.max(trip),
            Due::Register | Due::Leave => PLACE_EVERY.max(trip * 2),
        };
        let (sent, next) = &mut self.sent[due as usize];
        (*sent, *next) = (*sent + 1, now + pause);
    }

    /// What was asked under that number.
    ///
    /// # Errors
    ///
    /// Nothing was, or it was answered.
    pub(super) fn due_of(&self, seq: u32) -> Result<Due, ()> {
        self.open.get(&seq).map(|&(due, _)| due).ok_or(())
    }

    /// It was answered.
    pub(super) fn answered(&mut self, now: Time, seq: u32) {
        let Some((due, sent)) = self.open.remove(&seq) else { return };
        self.hopeless = None;
        if let Some(tally) = self.tally(due) {
            tally.note_answer(now.since(sent));
        }
        // A cookie comes back with what it was given for: at once.
        if due == Due::Register {
            self.sent[due as usize].1 = now;
        }
    }

    fn tally(&mut self, due: Due) -> Option<&mut Tally> {
        match due {
            Due::Small => Some(&mut self.evidence.small),
            Due::Large => Some(&mut self.evidence.large),
            Due::Register | Due::Leave => None,
        }
    }

    /// How long an answer may take until it is lost.
    fn slack(&self) -> Duration {
        let longest = self.evidence.small.longest().max(self.evidence.large.longest());
        longest.map_or(SLACK_FIRST, |longest| longest + longest / 2 + SLACK)
    }

    /// Gives up what was not answered in time. Before anybody has answered nothing is lost: nobody may be there.
    pub(super) fn lose(&mut self, now: Time, mut forget: impl FnMut(u32)) {
        if !self.is_heard() {
            return;
        }
        let slack = self.slack();
        let late = |&(_, sent): &(Due, Time)| sent + slack <= now;
        let lost: Vec<u32> =
            self.open.iter().filter(|(_, asked)| late(asked)).map(|(&seq, _)| seq).collect();
        for seq in lost {
            forget(seq);
            let due = self.open.remove(&seq).map(|(due, _)| due);
            if let Some(tally) = due.and_then(|due| self.tally(due)) {
                tally.note_loss();
            }
        }
    }

    /// The network says that nothing gets there. It may be wrong, so who answers is asked on.
    pub(super) fn give_up(&mut self, now: Time) {
        if !self.is_heard() {
            self.hopeless.get_or_insert(now);
        }
    }

    /// Whether anybody has answered, in whatever version.
    pub(super) const fn is_heard(&self) -> bool {
        self.evidence.answer.is_some()
    }

    pub(super) const fn is_nodeset(&self) -> bool {
        matches!(self.evidence.answer, Some(Answer::Nodeset))
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Nothing more is to be learned here.
    pub(super) fn is_over(&self, now: Time, hopeless: Duration) -> bool {
        let given_up = self.hopeless.is_some_and(|since| since + hopeless <= now);
        let asks = [Due::Small, Due::Large, Due::Register, Due::Leave];
        let open = self.open.values().any(|(due, _)| self.matters(*due));
        let more = asks.into_iter().any(|due| self.wants(due));
        given_up || self.is_heard() && !open && !more
    }

    /// Whether the answer to an open question would tell anything.
    fn matters(&self, due: Due) -> bool {
        match due {
            Due::Small => true,
            Due::Large => self.evidence.large.answered == 0,
            Due::Register => !self.has_place && !self.refused,
            Due::Leave => !self.has_left,
        }
    }

    /// It is another one that answers, and this one has had its time.
    pub(super) fn is_silent(&self, others: bool, now: Time) -> bool {
        others && !self.is_heard() && self.since + BESIDE <= now
    }

    /// When the next question, loss or end is due.
    pub(super) fn next_wake(&self, now: Time, hopeless: Duration, others: bool) -> Option<Time> {
        let asks = [Due::Small, Due::Large, Due::Register, Due::Leave];
        let next = asks.into_iter().filter(|&due| self.wants(due));
        let next = next.map(|due| self.sent[due as usize].1);
        let slack = self.slack();
        let lost = self.open.values().map(|&(_, sent)| sent + slack);
        let lost = lost.filter(|_| self.is_heard());
        let given_up = self.hopeless.map(|since| since + hopeless);
        let beside = (others && !self.is_heard()).then(|| self.since + BESIDE);
        next.chain(lost).chain(given_up).chain(beside).filter(|due| *due > now).min()
    }
}
