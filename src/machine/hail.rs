//! Finding the room on the networks around us (docs/PROTOCOL.md, "The hail"): a sealed question to everybody
//! there, which whoever is in the room answers.
//!
//! Who looks for the room hails a few times within a second, and is then told that they are alone. Who is in
//! it goes on, so that two rooms that began apart become one: ever more rarely, and not at all where somebody
//! they know has just done so (Trickle, RFC 6206, with k = 1), so that a thousand cost no more than a few.
//! Hearing a hail has nobody in the room hail more: what was recorded and is sent again draws a few answers,
//! each smaller than it, to addresses of our own networks alone.

pub(crate) mod finding;

use std::collections::VecDeque;

use core::hash::{Hash, Hasher};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::machine::contract::{Blame, Segment, Table};
use crate::machine::outbox::{Outbox, Way};
use crate::machine::pace::{Pace, Rate};
use crate::machine::rng::{Rng, Seed};
use crate::machine::time::Time;
use crate::machine::who::ids::PeerId;
use crate::machine::who::room::Room;
use crate::machine::wire::{self, Heard, Salt};

/// Networks that are hailed.
const LINES_MAX: usize = 8;

/// After the first hail of who looks for the room come the next ones so much later each, the last of these
/// again and again: at 30 % loss the eight questions of the first second and their answers all fail once in two hundred times.
const SEEK: [Duration; 8] = [
    Duration::from_millis(50),
    Duration::from_millis(50),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(150),
    Duration::from_millis(200),
    Duration::from_millis(200),
    Duration::from_millis(500),
];

/// Who looks for the room hails no sooner after the last time.
const NEAR: Duration = Duration::from_millis(50);

/// How long nobody answers until somebody is alone.
const ALONE: Duration = Duration::from_secs(1);

/// Of several who look for it at once the one with the smallest id goes first; how long the others wait.
const DEFER_MAX: Duration = Duration::from_secs(3);

/// How long who has answered may take to let somebody in.
const LET_IN: Duration = Duration::from_secs(2);

/// How long who has answered is asked before any neighbour is hailed again.
const ASKS: Duration = Duration::from_secs(5);

/// The least and the greatest interval in which who is in the room hails once, if nobody else does.
const INTERVAL_FIRST: Duration = Duration::from_millis(250);
const INTERVAL_LAST: Duration = Duration::from_secs(32);

/// For so many members the first interval is that long again: all may have to begin at one moment.
const MEMBERS_PER_FIRST: usize = 8;

/// How many answer a hail, of whoever is in the room.
const ANSWERERS: u64 = 3;

/// Whoever of the room hails and is not known is answered more readily, twice so after this time.
const EAGER_EVERY: Duration = Duration::from_secs(5);

/// How many answers leave.
const ANSWERS: Rate = Rate::new(Duration::from_millis(10), 100);

/// How long an answer is waited for, and to how many questions.
const ASKED_FOR: Duration = Duration::from_secs(3);
const ASKED_MAX: usize = 64;

/// Of so many questions it is remembered that they were heard.
const SEEN_MAX: usize = 64;

/// Where nobody answers what is sent to all, so many of those who are known to be there are hailed one by one: again
/// after the first of these, and twice as late each time, up to the last. Whoever looks for the room waits so much
/// longer for them.
const NEIGHBOURS_MAX: usize = 64;
const NEIGHBOURS_FIRST: Duration = Duration::from_millis(200);
const NEIGHBOURS_LAST: Duration = Duration::from_secs(32);
const NEIGHBOURS_TAKE: Duration = Duration::from_millis(250);

/// One network, and when it is hailed.
#[derive(Debug, Hash)]
struct Line {
    segment: Segment,
    began: Time,
    interval: Duration,
    /// When it is hailed in this interval, if it was not.
    at: Option<Time>,
    /// Others have hailed it in this interval.
    others: bool,
}

/// Somebody looks for the room.
#[derive(Debug, Hash)]
struct Seek {
    since: Time,
    hails: usize,
    last: Option<Time>,
    next: Time,
    /// When they are alone, if nobody lets them in.
    alone: Option<Time>,
    /// They wait for their neighbours.
    waits: bool,
}

/// Where somebody is with their room.
#[derive(Debug, Hash)]
enum Stage {
    /// They have not looked for it.
    Outside,
    Seeking(Seek),
    Inside,
}

/// The hails of one process.
#[derive(Debug)]
pub(crate) struct Hails {
    /// Whether we hail, or answer alone.
    calls: bool,
    stage: Stage,
    lines: Vec<Line>,
    /// Who is known to be there.
    neighbours: Vec<SocketAddr>,
    /// When those are hailed next, and how long after that again; `None` when nobody is alone.
    one_by_one: Option<(Time, Duration)>,
    /// The salts of our questions.
    asked: VecDeque<(Time, Salt)>,
    /// The salts of others' questions.
    seen: VecDeque<Salt>,
    answers: Pace,
    /// How often strangers of our room were not answered, and when that was counted.
    eager: (u32, Option<Time>),
    salts: Seed,
    salts_made: u64,
    rng: Rng,
}

/// The salts follow from a seed, which no hash should tell.
impl Hash for Hails {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { calls, stage, lines, neighbours, one_by_one, asked, seen, .. } = self;
        (calls, stage, lines, neighbours, one_by_one, asked, seen).hash(state);
        let Self { answers, eager, salts: _, salts_made, rng, .. } = self;
        (answers, eager, salts_made, rng).hash(state);
    }
}

/// Who hears a hail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hearer<'a> {
    pub(crate) room: &'a Room,
    pub(crate) me: PeerId,
    /// Those who are in the room besides us, if we are: how many, and where that is to be looked up.
    pub(crate) others: Option<usize>,
}

/// What a datagram comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Nothing,
    /// Somebody is in the room whom we do not know.
    Stranger(PeerId),
    /// Somebody who is in the room answers, from there.
    Door(SocketAddr),
}

impl Line {
    const fn new(segment: Segment, now: Time) -> Self {
        Self { segment, began: now, interval: INTERVAL_LAST, at: None, others: false }
    }

    fn begin(&mut self, now: Time, interval: Duration, rng: &mut Rng) {
        (self.began, self.interval, self.others) = (now, interval, false);
        let half = interval / 2;
        let drawn = rng.below(u64::try_from(half.as_micros()).unwrap_or(u64::MAX));
        self.at = Some(now + half + Duration::from_micros(drawn));
    }

    /// Whether it is to be hailed now.
    fn tick(&mut self, now: Time, rng: &mut Rng) -> bool {
        let due = self.at.take_if(|at| *at <= now).is_some() && !self.others;
        if self.began + self.interval <= now {
            self.begin(now, (2 * self.interval).min(INTERVAL_LAST), rng);
        }
        due
    }

    fn wake(&self) -> Time {
        self.at.unwrap_or(self.began + self.interval)
    }
}

impl Hails {
    /// The hails of who hails, or answers alone.
    pub(crate) fn new(seed: &Seed, calls: bool) -> Self {
        Self {
            calls,
            stage: Stage::Outside,
            lines: Vec::new(),
            neighbours: Vec::new(),
            one_by_one: None,
            asked: VecDeque::new(),
            seen: VecDeque::new(),
            answers: Pace::default(),
            eager: (0, None),
            salts: Seed(seed.bytes("hail", 0)),
            salts_made: 0,
            rng: seed.stream("hail"),
        }
    }

    /// These are the networks around us. `members` are in the room.
    pub(crate) fn segments(&mut self, now: Time, segments: &[Segment], members: usize) {
        self.lines.retain(|line| segments.contains(&line.segment));
        let mut new = false;
        for segment in segments {
            let known = self.lines.iter().any(|line| line.segment == *segment);
            if !known && self.lines.len() < LINES_MAX {
                let mut line = Line::new(*segment, now);
                line.begin(now, first_interval(members), &mut self.rng);
                self.lines.push(line);
                new = true;
            }
        }
        if let Stage::Seeking(seek) = &mut self.stage
            && new
        {
            seek.hail_soon(now);
        }
    }

    /// These are on the networks around us. Who is new is hailed soon.
    pub(crate) fn neighbours(&mut self, now: Time, addrs: &[SocketAddr]) {
        let before = core::mem::take(&mut self.neighbours);
        for &addr in addrs {
            let own = self.lines.iter().any(|line| line.segment.own == addr.ip());
            let new = self.line_of(addr).is_some() && !own && !self.neighbours.contains(&addr);
            if new && self.neighbours.len() < NEIGHBOURS_MAX {
                self.neighbours.push(addr);
            }
        }
        let new = self.neighbours.iter().any(|addr| !before.contains(addr));
        // Not before those who look for the room have heard nobody for long enough.
        let alone = !matches!(&self.stage, Stage::Seeking(seek) if now < seek.since + ALONE);
        if let Some((at, _)) = self.one_by_one.as_mut().filter(|_| new && alone) {
            *at = (*at).min(now);
        }
    }

    /// The network that an address is on.
    fn line_of(&self, addr: SocketAddr) -> Option<&Line> {
        self.lines.iter().find(|line| is_on(addr, line.segment))
    }

    /// Whether somebody is there to be hailed one by one.
    pub(crate) fn has_neighbours(&self) -> bool {
        self.one_by_one.is_some() && !self.neighbours.is_empty()
    }

    /// Somebody looks for the room, who knows no other way to it.
    pub(crate) fn seek(&mut self, now: Time) {
        if matches!(self.stage, Stage::Outside) && self.calls {
            let (since, next, alone) = (now, now, Some(now + ALONE));
            let (hails, last, waits) = (0, None, false);
            self.stage = Stage::Seeking(Seek { since, hails, last, next, alone, waits });
            self.one_by_one = Some((now + ALONE, NEIGHBOURS_FIRST));
        }
    }

    pub(crate) const fn is_seeking(&self) -> bool {
        matches!(self.stage, Stage::Seeking(_))
    }

    /// Somebody who has answered is asked to let us in.
    pub(crate) fn tries(&mut self, now: Time) {
        if let Stage::Seeking(Seek { alone: Some(alone), .. }) = &mut self.stage {
            *alone = (*alone).max(now + LET_IN);
        }
    }

    /// We are in. Who is alone there may not be the only one.
    pub(crate) fn enters(&mut self, now: Time, alone: bool) {
        self.stage = Stage::Inside;
        // Who is not alone is told of others by those.
        self.one_by_one = self.one_by_one.filter(|_| alone).map(|_| (now, NEIGHBOURS_FIRST));
        for line in &mut self.lines {
            let first = if alone { INTERVAL_FIRST } else { INTERVAL_LAST };
            line.begin(now, first, &mut self.rng);
            if alone {
                line.at = Some(now);
            }
        }
    }

    /// Nobody is to hear of us any more.
    pub(crate) fn leaves(&mut self) {
        (self.stage, self.one_by_one) = (Stage::Outside, None);
    }

    /// Hails when it is time to. Whether nobody has answered for so long that we are alone, which is told once.
    pub(crate) fn tick(&mut self, now: Time, hearer: &Hearer<'_>, out: &mut Outbox) -> bool {
        let Hearer { room, me, others } = *hearer;
        // Those who are here tell us of others.
        self.one_by_one = self.one_by_one.filter(|_| others.is_none_or(|others| others == 0));
        self.hail_neighbours(now, room, me, out);
        let (mut alone, asked) = (false, self.has_neighbours());
        match &mut self.stage {
            Stage::Outside => {}
            Stage::Seeking(seek) => {
                if asked && seek.alone.is_some_and(|alone| alone <= now) && !seek.waits {
                    (seek.alone, seek.waits) = (Some(now + NEIGHBOURS_TAKE), true);
                }
                alone = seek.alone.take_if(|alone| *alone <= now).is_some();
                if seek.next <= now {
                    let pause = SEEK.get(seek.hails).or(SEEK.last()).copied().unwrap_or(ALONE);
                    if !self.lines.is_empty() {
                        (seek.hails, seek.last) = (seek.hails + 1, Some(now));
                    }
                    seek.next = now + self.rng.jitter(pause, 8);
                    (0..self.lines.len()).for_each(|at| self.hail(now, at, room, me, out));
                }
            }
            Stage::Inside if self.calls => {
                for at in 0..self.lines.len() {
                    if self.lines[at].tick(now, &mut self.rng) {
                        self.hail(now, at, room, me, out);
                    }
                }
            }
            Stage::Inside => {}
        }
        alone
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        let hail = match &self.stage {
            Stage::Outside => None,
            Stage::Seeking(seek) => Some(seek.alone.map_or(seek.next, |at| at.min(seek.next))),
            Stage::Inside => self.lines.iter().filter(|_| self.calls).map(Line::wake).min(),
        };
        let asked = self.one_by_one.filter(|_| !self.neighbours.is_empty()).map(|(at, _)| at);
        hail.into_iter().chain(asked).min()
    }

    /// Takes a datagram that is a hail, or the answer to one. `knows` says who is in the room for all we know.
    pub(crate) fn take(
        &mut self,
        now: Time,
        (from, at): (SocketAddr, Option<IpAddr>),
        bytes: &[u8],
        (hearer, knows): (Hearer<'_>, impl Fn(PeerId) -> bool),
        (out, blame): (&mut Outbox, &mut Blame),
    ) -> Came {
        let heard = match wire::read(bytes, hearer.room) {
            Ok(Some(heard)) => heard,
            Ok(None) => {
                blame.unauthenticated += 1;
                return Came::Nothing;
            }
            Err(_) => {
                blame.malformed += 1;
                return Came::Nothing;
            }
        };
        let Some(line) = self.lines.iter().position(|line| is_on(from, line.segment)) else {
            blame.unauthenticated += 1;
            return Came::Nothing;
        };
        let (salt, hail) = match heard {
            Heard::Hailed(salt) => {
                let came = self.answered(now, from, salt, blame);
                if came != Came::Nothing {
                    let anew = |_| (now + ASKS, NEIGHBOURS_FIRST);
                    self.one_by_one = self.one_by_one.map(anew);
                }
                return came;
            }
            Heard::Hail(salt, hail) => (salt, hail),
        };
        if hail.caller == hearer.me {
            return Came::Nothing;
        }
        if self.seen.contains(&salt) {
            blame.replayed += 1;
            return Came::Nothing;
        }
        if self.seen.len() == SEEN_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(salt);
        if let Stage::Seeking(seek) = &mut self.stage {
            seek.hears(now, hail.inside, hail.caller < hearer.me);
        }
        let Some(others) = hearer.others else { return Came::Nothing };
        if knows(hail.caller) {
            self.lines[line].others |= hail.inside;
            return Came::Nothing;
        }
        if self.is_drawn(now, others, hail.inside) {
            if self.answers.take(now, ANSWERS) {
                out.go_by(from, Way::Direct(at));
                out.send_near(from, 1, |bytes| wire::put_hailed(bytes, hearer.room, salt));
            } else {
                blame.over_limit += 1;
            }
        }
        if hail.inside { Came::Stranger(hail.caller) } else { Came::Nothing }
    }

    pub(crate) fn footprint(&self) -> [Table; 4] {
        let table = |name, len, limit| Table { name, len, limit };
        [
            table("hailed networks", self.lines.len(), LINES_MAX),
            table("hailed neighbours", self.neighbours.len(), NEIGHBOURS_MAX),
            table("hails of ours", self.asked.len(), ASKED_MAX),
            table("hails of others", self.seen.len(), SEEN_MAX),
        ]
    }

    /// Hails one network.
    fn hail(&mut self, now: Time, line: usize, room: &Room, me: PeerId, out: &mut Outbox) {
        let Some(Line { segment, .. }) = self.lines.get(line) else { return };
        self.hail_at(now, (segment.to, segment.own), room, me, out);
    }

    /// Hails those who are known to be on the networks around us one by one, when it is time to.
    fn hail_neighbours(&mut self, now: Time, room: &Room, me: PeerId, out: &mut Outbox) {
        let Some((at, pause)) = self.one_by_one.filter(|_| !self.neighbours.is_empty()) else {
            return;
        };
        if at > now {
            return;
        }
        for at in 0..self.neighbours.len() {
            let addr = self.neighbours[at];
            if let Some(own) = self.line_of(addr).map(|line| line.segment.own) {
                self.hail_at(now, (addr, own), room, me, out);
            }
        }
        let later = (2 * pause).min(NEIGHBOURS_LAST);
        self.one_by_one = Some((now + self.rng.jitter(pause, 8), later));
    }

    fn hail_at(
        &mut self,
        now: Time,
        (to, own): (SocketAddr, IpAddr),
        room: &Room,
        me: PeerId,
        out: &mut Outbox,
    ) {
        let salt = self.salts.hash("salt", self.salts_made).to_be_bytes();
        self.salts_made += 1;
        self.asked.retain(|(at, _)| now.since(*at) < ASKED_FOR);
        if self.asked.len() == ASKED_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back((now, salt));
        let hail = wire::Hail { caller: me, inside: matches!(self.stage, Stage::Inside) };
        out.go_by(to, Way::Direct(Some(own)));
        out.send_near(to, 1, |bytes| wire::put_hail(bytes, room, salt, hail));
    }

    fn answered(&self, now: Time, from: SocketAddr, salt: Salt, blame: &mut Blame) -> Came {
        let asked = |(at, ours): &(Time, Salt)| *ours == salt && now.since(*at) < ASKED_FOR;
        if self.asked.iter().any(asked) {
            return Came::Door(from);
        }
        blame.replayed += 1;
        Came::Nothing
    }

    /// Whether it falls to us to answer a stranger: to about three of all. Who hears strangers again and again
    /// may be the only one who does not know them.
    fn is_drawn(&mut self, now: Time, others: usize, inside: bool) -> bool {
        let (times, counted) = &mut self.eager;
        let readily = if inside { 1 << (*times).min(20) } else { 1 };
        let drawn = self.rng.below(others as u64 + 1) < ANSWERERS * readily;
        if drawn && inside {
            self.eager = (0, None);
        } else if inside && counted.is_none_or(|at| now.since(at) >= EAGER_EVERY) {
            (*times, *counted) = (*times + 1, Some(now));
        }
        drawn
    }
}

impl Seek {
    /// Somebody hails who is inside, or looks for the room as well.
    fn hears(&mut self, now: Time, inside: bool, goes_first: bool) {
        if inside {
            self.hail_soon(now);
        } else if goes_first && let Some(alone) = &mut self.alone {
            *alone = (*alone).max((now + ALONE).min(self.since + DEFER_MAX));
        }
    }

    fn hail_soon(&mut self, now: Time) {
        let free = self.last.map_or(now, |last| last + NEAR);
        self.next = self.next.min(free.max(now));
    }
}

/// The first interval of who is in a room of so many.
fn first_interval(members: usize) -> Duration {
    let times = u32::try_from(members / MEMBERS_PER_FIRST).unwrap_or(u32::MAX);
    INTERVAL_FIRST.saturating_mul(times.max(1)).min(INTERVAL_LAST / 4)
}

/// Whether an address is that of one computer on a network.
fn is_on(addr: SocketAddr, segment: Segment) -> bool {
    if addr.port() == 0 || addr.ip().is_unspecified() || addr.ip().is_multicast() {
        return false;
    }
    match (addr, segment.own) {
        (SocketAddr::V4(addr), IpAddr::V4(own)) => {
            let hosts = u32::MAX.checked_shr(segment.bits.into()).unwrap_or(0);
            let (addr, own) = (addr.ip().to_bits(), own.to_bits());
            let one = addr & hosts != hosts && addr & hosts != 0;
            addr & !hosts == own & !hosts && (one || hosts <= 1)
        }
        (SocketAddr::V6(addr), IpAddr::V6(own)) => {
            let SocketAddr::V6(to) = segment.to else { return false };
            let hosts = u128::MAX.checked_shr(segment.bits.into()).unwrap_or(0);
            let near = addr.ip().to_bits() & !hosts == own.to_bits() & !hosts;
            near && addr.scope_id() == to.scope_id()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
