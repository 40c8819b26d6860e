//! The reference model: what everybody really said, what everybody was shown, and the laws between
//! the two. Dumb on purpose: it knows no protocol, only events.
//!
//! | oracle | law |
//! |---|---|
//! | S1 | what is shown was said by its author to that reader: same text, action, privacy |
//! | S2 | at most once per reader |
//! | S3 | in the order of its author |
//! | S6 | a receipt only after its reader has shown the message |
//! | S7 | nobody is shown who never was; nobody leaves who did not |
//! | S8 | bytes, rates, tables (`guard`) |
//! | S9, S10, S11 | no panic, no livelock, no wake in the past (`world`) |
//! | S12 | the same seed twice is the same run (`chain`) |
//! | S13 | what is said is not on the wire, no key is used twice (`secrecy`) |
//! | S14 | sealed bytes that came before change nothing (`world`) |
//! | once | every `Sent` is followed by exactly one `Done`, and the two add up; once healed, every message is accounted for: what is lost shows here |
//! | line | every line is said or refused, and refused for a reason that holds |
//! | exit | a machine ends only the way its situation allows |
//! | missing | nothing is reported missing between two who were never apart |
//! | prompt | in a calm room everything is shown at once, whatever others do |
//! | paced | nobody fills a screen, or renames, faster than a limit (`liars`) |
//! | third | who takes no part is sent hardly more than attackers send (`victims`) |
//! | price | what an attacker draws is in proportion to what it sends (`victims`) |
//!
//! Attackers have no seat. What they claim may be anything; what is claimed about everybody else, and
//! what others do for each other meanwhile, is judged as always.

mod liars;
mod said;
mod tally;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use chatrpc::machine::{
    Command, Event, Exit, Health, MessageId, Name, NameProblem, PeerId, Person, Refusal, SafeText,
    TEXT_MAX, Whom, Why,
};

use self::liars::Liars;
use self::said::Said;
pub use self::tally::Tally;

/// What a violation is a violation of; the exit code of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A machine panicked.
    Panic,
    /// Something good did not happen in time.
    Liveness,
    /// Something bad happened.
    Safety,
    /// The same seed gave two runs.
    Nondeterminism,
}

impl Kind {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Panic => 127,
            Self::Liveness => 128,
            Self::Safety => 129,
            Self::Nondeterminism => 130,
        }
    }
}

/// A law was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which law.
    pub oracle: &'static str,
    /// What kind of law.
    pub kind: Kind,
    /// The computer it was noticed at.
    pub host: u16,
    /// When, microseconds of simulated time.
    pub at: u64,
    /// What exactly.
    pub text: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (s, us) = (self.at / 1_000_000, self.at % 1_000_000);
        write!(f, "{} at n{} after {s}.{us:06} s: {}", self.oracle, self.host, self.text)
    }
}

/// How far a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It looks for the room.
    Joining,
    /// It is in.
    Ready,
    /// It is leaving.
    Leaving,
    /// It ended or was killed.
    Gone,
}

/// One process, as the model sees it.
#[derive(Debug)]
pub struct Seat {
    /// Who it is.
    pub id: PeerId,
    /// The computer it runs on.
    pub host: u16,
    /// The names it had, the newest last.
    pub names: Vec<Name>,
    /// How far it is.
    pub status: Status,
    /// Whether it was asked to leave.
    pub quit_asked: bool,
    /// Whom it shows, in the order of their ids.
    pub people: Vec<Person>,
    /// Of these, whom it says that there is no way to.
    pub(crate) unreachable: BTreeSet<PeerId>,
    /// And of whom that they may be lost.
    pub(crate) lost: BTreeSet<PeerId>,
    /// Whom it showed leaving, why and when.
    pub lefts: Vec<(PeerId, Why, u64)>,
    /// What it said, in the order of the numbers.
    pub said: Vec<Said>,
    /// What it was shown.
    pub tally: Tally,
    /// How it ended.
    pub exit: Option<Exit>,
    /// The number of the newest message shown of each seat, plus one.
    pub(crate) last_shown: Vec<u64>,
    /// When the newest datagram heard from each seat was sent, plus one.
    pub(crate) heard: Vec<u64>,
    /// Messages of ours that are not done.
    pub(crate) open: usize,
    /// Done events to be judged once the machine is drained: (index into `said`).
    pub(crate) fresh_done: Vec<usize>,
}

impl Seat {
    pub(crate) fn person(&self, id: PeerId) -> Option<&Person> {
        self.people.binary_search_by_key(&id, |person| person.id).ok().map(|at| &self.people[at])
    }

    /// Whether somebody is gone for it, or perhaps lost.
    pub fn takes_for_lost(&self, id: PeerId) -> bool {
        self.lost.contains(&id) || self.unreachable.contains(&id) || self.person(id).is_none()
    }

    /// The name it goes by.
    ///
    /// # Panics
    ///
    /// Never: every seat has a name.
    pub fn name(&self) -> &Name {
        self.names.last().expect("a seat is created with a name")
    }
}

/// Reasons to refuse a line, as bits.
mod reason {
    pub(super) const TOO_LONG: u16 = 1;
    pub(super) const EMPTY: u16 = 2;
    pub(super) const UNKNOWN: u16 = 4;
    pub(super) const USAGE: u16 = 8;
    pub(super) const NOBODY: u16 = 16;
    pub(super) const SEVERAL: u16 = 32;
    pub(super) const NAME: u16 = 64;
    pub(super) const BACKLOG: u16 = 128;
    pub(super) const NOT_JOINED: u16 = 256;
}

fn reason_of(refusal: &Refusal<'_>) -> u16 {
    match refusal {
        Refusal::TooLong { .. } => reason::TOO_LONG,
        Refusal::Empty => reason::EMPTY,
        Refusal::UnknownCommand { .. } | Refusal::Otherwise { .. } | Refusal::LikeSlash(_) => {
            reason::UNKNOWN
        }
        Refusal::Usage(_) => reason::USAGE,
        Refusal::NobodyCalled(_)
        | Refusal::Yourself
        | Refusal::NotTrusted(_)
        | Refusal::TrustedOtherwise { .. }
        | Refusal::TrustedFull
        | Refusal::OtherKey(_)
        | Refusal::NobodyWithId(_)
        | Refusal::NobodyWithKey(_) => reason::NOBODY,
        Refusal::SeveralCalled(_) | Refusal::NameOrId { .. } => reason::SEVERAL,
        Refusal::Name(_) => reason::NAME,
        Refusal::Backlog { .. } => reason::BACKLOG,
        Refusal::NotJoined => reason::NOT_JOINED,
    }
}

/// What a line must lead to.
#[derive(Clone, Debug)]
enum Expected {
    /// It must be said: text, action, the only reader.
    Sent(String, bool, Option<PeerId>),
    /// It must be refused for one of these reasons.
    Refused(u16),
    /// Anything but being said.
    Unsaid,
    /// Anything: who is meant depends on whom the process knows of.
    Any,
}

#[derive(Clone, Debug)]
enum Outcome {
    Nothing,
    Sent(String, bool, Option<PeerId>),
    Refused(u16),
}

/// The model, the laws, and the first violation.
#[derive(Debug, Default)]
pub struct Judge {
    pub(crate) seats: Vec<Seat>,
    pub(crate) ids: BTreeMap<PeerId, u32>,
    pub(crate) violation: Option<Violation>,
    pub(crate) now: u64,
    /// The network loses, cuts and delays: what needs an answer in time is excused.
    pub hostile: bool,
    /// How long each delivery took, if that is wanted.
    pub latencies: Option<Vec<u64>>,
    /// Deliveries so far.
    pub deliveries: u64,
    /// Since when the network is calm and everybody has found everybody.
    pub calm: Option<u64>,
    /// Who may say anything.
    pub(crate) liars: Liars,
    line: Option<(Expected, Outcome)>,
}

impl Judge {
    /// A new process takes a seat; returns its index.
    pub fn seat(&mut self, host: u16, id: PeerId, name: Name) -> usize {
        let seat = self.seats.len();
        if self.ids.insert(id, seat as u32).is_some() {
            self.fail("S7", seat, format!("{id} is drawn twice"));
        }
        self.seats.push(Seat {
            id,
            host,
            names: vec![name],
            status: Status::Joining,
            quit_asked: false,
            people: Vec::new(),
            lefts: Vec::new(),
            unreachable: BTreeSet::new(),
            lost: BTreeSet::new(),
            said: Vec::new(),
            tally: Tally::default(),
            exit: None,
            last_shown: Vec::new(),
            heard: Vec::new(),
            open: 0,
            fresh_done: Vec::new(),
        });
        seat
    }

    /// The processes.
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    pub(crate) fn fail(&mut self, oracle: &'static str, seat: usize, text: String) {
        self.fail_as(Kind::Safety, oracle, seat, text);
    }

    pub(crate) fn fail_as(&mut self, kind: Kind, oracle: &'static str, seat: usize, text: String) {
        if self.violation.is_none() {
            let host = self.seats.get(seat).map_or(0, |seat| seat.host);
            self.violation = Some(Violation { oracle, kind, host, at: self.now, text });
        }
    }

    /// Notes that `seat` is about to read a line, and what must come of it.
    pub fn expect_line(&mut self, seat: usize, line: &str) {
        let expected = self.expected(seat, line);
        if matches!(Command::parse(line), Ok(Command::Quit)) {
            self.seats[seat].quit_asked = true;
        }
        self.line = Some((expected, Outcome::Nothing));
    }

    fn expected(&self, seat: usize, line: &str) -> Expected {
        let me = &self.seats[seat];
        let (text, action, to) = match Command::parse(line) {
            Err(refusal) => return Expected::Refused(reason_of(&refusal)),
            Ok(Command::Say { text, action, to }) => (text, action, to),
            Ok(_) => return Expected::Unsaid,
        };
        let text = SafeText::new(text);
        let mut reasons = 0;
        let mut add = |holds: bool, reason| reasons |= if holds { reason } else { 0 };
        add(me.status != Status::Ready, reason::NOT_JOINED);
        add(text.as_str().len() > TEXT_MAX, reason::TOO_LONG);
        add(text.as_str().trim().is_empty(), reason::EMPTY);
        let mut reader = None;
        if let Some(to) = to {
            let Whom::Word(to) = to else { return Expected::Any };
            // What looks like the beginning of an id may mean that one, a liar's as well.
            let like = |text: &str| text.to_lowercase().replace('0', "o").replace('1', "l");
            let ids = self.seats.iter().map(|seat| seat.id);
            let mut ids = ids.chain(me.people.iter().map(|person| person.id));
            if ids.any(|id| like(&id.to_string()).starts_with(&like(to))) {
                return Expected::Any;
            }
            let named = me.people.iter().filter(|person| person.name.as_str() == to);
            let named: Vec<PeerId> = named.map(|person| person.id).collect();
            add(named.is_empty(), reason::NOBODY);
            add(named.len() > 1, reason::SEVERAL);
            reader = named.first().copied();
        }
        if reasons == 0 {
            Expected::Sent(text.as_str().to_owned(), action, reader)
        } else {
            Expected::Refused(reasons)
        }
    }

    /// Judges what came of the line.
    pub fn line_done(&mut self, seat: usize) {
        let Some((expected, outcome)) = self.line.take() else { return };
        let wrong = match (&expected, &outcome) {
            (Expected::Sent(text, action, to), Outcome::Sent(t, a, p)) => {
                (text, action, to) != (t, a, p)
            }
            (Expected::Sent(_, _, to), Outcome::Refused(why)) => {
                *why != reason::BACKLOG || !self.is_waiting(seat, *to)
            }
            (Expected::Refused(reasons), Outcome::Refused(why)) => reasons & why == 0,
            (Expected::Unsaid, Outcome::Sent(..)) => true,
            (Expected::Unsaid, _) | (Expected::Any, _) => false,
            _ => true,
        };
        if wrong {
            let clip = |text: String| text.chars().take(160).collect::<String>();
            let (want, got) = (clip(format!("{expected:?}")), clip(format!("{outcome:?}")));
            self.fail("line", seat, format!("a line should give {want} and gave {got}"));
        }
    }

    /// A machine showed something.
    pub fn saw(&mut self, seat: usize, event: &Event<'_>) {
        match event {
            Event::Ready { me, people, .. } => self.ready(seat, me, people),
            Event::Joined(person) => self.joined(seat, person),
            Event::Left { who, why } => self.left(seat, who, *why),
            Event::Renamed { who, was } => self.renamed(seat, who, was),
            Event::Message { id, from, text, action, past: Some(_), .. } => {
                self.handed_on(seat, *id, from, (text.as_str(), *action));
            }
            Event::Message { id, from, text, action, private, .. } => {
                self.shown(seat, *id, from, (text.as_str(), *action, *private));
            }
            Event::Sent { id, text, action, to, readers } => {
                let to = to.as_ref().map(|person| person.id);
                if let Some((_, outcome)) = &mut self.line {
                    *outcome = Outcome::Sent(text.as_str().to_owned(), *action, to);
                }
                self.sent(seat, *id, (text.as_str(), *action, to), *readers);
            }
            Event::Acked { id, by, .. } => self.acked(seat, *id, by),
            Event::Done { id, acked, failed, left } => {
                self.done(seat, *id, *acked, failed, left);
            }
            Event::Missing { from, count } => self.missing(seat, from, *count),
            Event::Refused(refusal) => {
                if let Some((_, outcome)) = &mut self.line {
                    *outcome = Outcome::Refused(reason_of(refusal));
                }
            }
            Event::Leaving { .. } => self.leaving(seat),
            Event::Alike { .. } => self.seats[seat].tally.alike += 1,
            Event::Lost { who, lost, .. } => self.lost(seat, who, *lost),
            Event::Way { who, way, .. } => self.way(seat, who, way),
            Event::Nodeset(Health::Silent) => self.seats[seat].tally.silent += 1,
            Event::Nodeset(Health::Online) => {}
            Event::Reads { .. }
            | Event::Apart { .. }
            | Event::People(_)
            | Event::Invite { .. }
            | Event::Whois { .. }
            | Event::Trusted { .. }
            | Event::OtherKey { .. }
            | Event::Untrusted { .. }
            | Event::TrustedNames(_)
            | Event::Words { .. }
            | Event::Listing(_)
            | Event::Examined(_)
            | Event::Checkup(_)
            | Event::Elsewhere { .. }
            | Event::Alone
            | Event::Found(_)
            | Event::Twins { .. }
            | Event::Forked(_)
            | Event::Help => {}
        }
    }

    fn leaving(&mut self, seat: usize) {
        if !self.seats[seat].quit_asked {
            self.fail("exit", seat, "it leaves though nobody asked it to".to_owned());
        }
        self.seats[seat].status = Status::Leaving;
    }

    /// A machine ended.
    pub fn exited(&mut self, seat: usize, exit: &Exit) {
        let excused = self.hostile;
        let me = &self.seats[seat];
        let joined = me.status != Status::Joining;
        let wrong = match exit {
            Exit::Left { undelivered } => {
                let open = me.said.iter().filter(|said| !said.reached_all()).count() as u64;
                !me.quit_asked || *undelivered != open
            }
            Exit::NoNodeset { .. } | Exit::NobodyListens => joined || !excused,
            Exit::NotChatrpc | Exit::Version { .. } | Exit::Full => joined || !self.liars.nodeset,
            Exit::Name(problem) => joined || !self.name_was_had(seat, problem),
        };
        if wrong {
            self.fail("exit", seat, format!("{exit:?} while {:?}", me.status));
        }
        let me = &mut self.seats[seat];
        (me.exit, me.status) = (Some(exit.clone()), Status::Gone);
    }

    fn name_was_had(&self, seat: usize, problem: &NameProblem) -> bool {
        let had = match problem {
            NameProblem::Taken(name) => name,
            NameProblem::LooksLike { present, .. } => present,
            NameProblem::ReadsAsId { of: Some(present), .. } => present,
            NameProblem::ReadsAsId { of: None, .. } | NameProblem::Invalid(_) => return false,
        };
        let others = self.seats.iter().enumerate().filter(|&(other, _)| other != seat);
        let mut names = others.flat_map(|(_, seat)| &seat.names);
        self.liars.names.contains(had) || names.any(|name| name == had)
    }

    /// A process was killed.
    pub fn killed(&mut self, seat: usize) {
        self.seats[seat].status = Status::Gone;
    }

    /// The machine of `seat` is drained: what could only be judged now is judged.
    pub fn drained(&mut self, seat: usize) {
        if !self.seats[seat].fresh_done.is_empty() {
            self.judge_fresh_done(seat);
        }
    }

    /// Every living process must have accounted for everything it said.
    pub fn all_accounted(&mut self) {
        for seat in 0..self.seats.len() {
            let me = &self.seats[seat];
            if me.status != Status::Ready || me.open == 0 {
                continue;
            }
            let honest = |said: &&Said| said.owed().any(|id| self.owes(seat, id));
            let late = |said: &&Said| !said.done && said.waiting().next().is_none();
            let audible = me.said.iter().filter(|said| !said.audience.is_empty());
            let Some(said) = audible.clone().find(late).or_else(|| audible.clone().find(honest))
            else {
                continue;
            };
            let waiting: Vec<String> = said.waiting().map(|id| self.label(id)).collect();
            let text = format!("message {} is not done; waits for {waiting:?}", said.number);
            self.fail_as(Kind::Liveness, "once", seat, text);
        }
    }

    /// Whether that process is in the room.
    pub fn is_ready(&self, seat: usize) -> bool {
        self.seats[seat].status == Status::Ready
    }

    /// Whatever was said since that instant must have been shown to everybody it was for who is here,
    /// and shows its author.
    pub fn all_shown_since(&mut self, since: u64) {
        for seat in 0..self.seats.len() {
            let me = &self.seats[seat];
            let lately = me.said.iter().rev().take_while(|said| said.at >= since);
            let unshown = |said: &Said| {
                let late = said.unshown().find(|&id| self.is_mutual(seat, id));
                late.map(|id| (said.number, id))
            };
            let found = lately.filter_map(unshown).next();
            if let Some((number, id)) = found {
                let text = format!("message {number} is not shown to {} in time", self.label(id));
                self.fail_as(Kind::Liveness, "prompt", seat, text);
            }
        }
    }

    /// Whoever is here must have confirmed it by now.
    pub fn all_confirmed_since(&mut self, since: u64) {
        for seat in 0..self.seats.len() {
            let me = &self.seats[seat];
            let lately = me.said.iter().rev().take_while(|said| said.at >= since);
            let unconfirmed = |said: &Said| {
                let late = said.waiting().find(|&id| self.is_mutual(seat, id));
                late.map(|id| (said.number, id))
            };
            let found = lately.filter_map(unconfirmed).next();
            if let Some((number, id)) = found {
                let text = format!("message {number} waits for {}", self.label(id));
                self.fail_as(Kind::Liveness, "prompt", seat, text);
            }
        }
    }

    /// Whether that other one is in the room, and the two show each other.
    fn is_mutual(&self, seat: usize, id: PeerId) -> bool {
        let (me, other) = (&self.seats[seat], self.ids.get(&id));
        let other = other.map(|&at| &self.seats[at as usize]);
        other.is_some_and(|other| {
            let ready = other.status == Status::Ready;
            ready && other.person(me.id).is_some() && me.person(id).is_some()
        })
    }

    /// Whether a process is in the room, and it and everybody else there show each other.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub fn is_met(&self, seat: usize) -> Result<(), String> {
        if !self.is_ready(seat) {
            return Err(format!("is still {:?}", self.seats[seat].status));
        }
        let others = self.seats.iter().enumerate();
        let mut ready = others.filter(|&(at, other)| at != seat && other.status == Status::Ready);
        let unmet = ready.find(|(_, other)| !self.is_mutual(seat, other.id));
        unmet.map_or(Ok(()), |(_, other)| Err(format!("has not met {}", self.label(other.id))))
    }

    /// Whether somebody who plays by the rules has not confirmed something yet; or whoever the next
    /// message is for.
    fn is_waiting(&self, seat: usize, to: Option<PeerId>) -> bool {
        let mut open = self.seats[seat].said.iter().filter(|said| !said.done);
        open.any(|said| {
            let to = said.waiting().any(|id| Some(id) == to);
            to || said.owed().any(|id| self.owes(seat, id))
        })
    }

    /// Whether that reader has to confirm what `seat` says: they play by the rules, and are not lost.
    fn owes(&self, seat: usize, id: PeerId) -> bool {
        self.is_honest(id) && !self.is_lost(&self.seats[seat], id)
    }

    /// Whether somebody who is gone is shown as out of reach: a nodeset lists them for as long as a lease.
    fn is_lost(&self, seat: &Seat, id: PeerId) -> bool {
        let gone = self.ids.get(&id).is_none_or(|&at| !self.is_ready(at as usize));
        gone && seat.unreachable.contains(&id)
    }

    /// Whether that reader plays by the rules, and is here whatever a nodeset that lies says.
    fn is_honest(&self, id: PeerId) -> bool {
        let reader = self.ids.get(&id).map(|&at| self.seats[at as usize].status);
        let outside = self.liars.nodeset && reader != Some(Status::Ready);
        !self.liars.are(id) && !outside
    }

    /// Whether somebody who plays by the rules has still to confirm something.
    pub fn is_anybody_waiting(&self) -> bool {
        (0..self.seats.len()).any(|seat| self.seats[seat].open > 0 && self.is_waiting(seat, None))
    }

    pub(crate) fn label(&self, id: PeerId) -> String {
        match self.ids.get(&id) {
            Some(&seat) => format!("n{}/{}", self.seats[seat as usize].host, id.short()),
            None if self.liars.are(id) => format!("liar/{}", id.short()),
            None => format!("?/{}", id.short()),
        }
    }

    pub(crate) fn message_label(&self, id: MessageId) -> String {
        format!("{}-{}", self.label(id.author), id.number)
    }
}

#[cfg(test)]
mod tests;
