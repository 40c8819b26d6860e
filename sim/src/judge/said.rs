//! The laws of what is said: S1, S2, S3, S6, `once` and `missing`.

use std::collections::BTreeSet;

use chatrpc::machine::{MessageId, PeerId, Person, Why};

use super::{Judge, Status};

/// Bytes of a piece that another one follows, at least: it ends between two characters.
const PIECE_LEAST: u64 = 317;

const SHOWN: u8 = 1;
const ACKED: u8 = 2;
const FAILED: u8 = 4;
const LEFT: u8 = 8;
/// Its author has seen that reader go since. What became of it is said when nobody else is waited for.
const GONE: u8 = 16;

/// A message, as its author said it, and what became of it.
#[derive(Clone, Debug)]
pub struct Said {
    /// The author's number.
    pub number: u64,
    /// The text.
    pub text: String,
    /// It was something they did.
    pub action: bool,
    /// The only one it was for.
    pub to: Option<PeerId>,
    /// When, microseconds.
    pub at: u64,
    /// Whether its author declared it done.
    pub done: bool,
    /// Whom it was for, in the order of their ids, and what became of it there.
    pub(crate) audience: Vec<(PeerId, u8)>,
    /// Who else was shown it, by somebody who kept it.
    pub(crate) others: BTreeSet<PeerId>,
    /// What its author had been shown, as in `last_shown`.
    pub(crate) seen: Vec<u64>,
}

impl Said {
    fn reader(&mut self, id: PeerId) -> Option<&mut u8> {
        let at = self.audience.binary_search_by_key(&id, |&(reader, _)| reader).ok()?;
        Some(&mut self.audience[at].1)
    }

    fn count(&self, flag: u8) -> usize {
        self.audience.iter().filter(|&&(_, flags)| flags & flag != 0).count()
    }

    /// How many readers were shown it.
    pub fn shown(&self) -> usize {
        self.count(SHOWN)
    }

    /// How many readers it was for.
    pub const fn readers(&self) -> usize {
        self.audience.len()
    }

    /// Who was given up, or said goodbye.
    pub fn failed(&self) -> impl Iterator<Item = PeerId> + '_ {
        let lost = |flags: u8| flags & (FAILED | LEFT) != 0;
        self.audience.iter().filter(move |&&(_, flags)| lost(flags)).map(|&(id, _)| id)
    }

    /// Whether every reader confirmed, or said goodbye.
    pub(crate) fn reached_all(&self) -> bool {
        self.audience.iter().all(|&(_, flags)| flags & (ACKED | LEFT) != 0)
    }

    /// Who was not shown it.
    pub(crate) fn unshown(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.audience.iter().filter(|&&(_, flags)| flags & SHOWN == 0).map(|&(id, _)| id)
    }

    /// A reader has gone, as the author sees it.
    pub(crate) fn gone(&mut self, id: PeerId) {
        if let Some(flags) = self.reader(id) {
            *flags |= GONE;
        }
    }

    /// Who has neither confirmed it nor gone since.
    pub(crate) fn owed(&self) -> impl Iterator<Item = PeerId> + '_ {
        let open = |flags: u8| flags & (ACKED | FAILED | LEFT | GONE) == 0;
        self.audience.iter().filter(move |&&(_, flags)| open(flags)).map(|&(id, _)| id)
    }

    /// Who has not confirmed it, and is not said to have been given up.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = PeerId> + '_ {
        let open = |flags: u8| flags & (ACKED | FAILED | LEFT) == 0;
        self.audience.iter().filter(move |&&(_, flags)| open(flags)).map(|&(id, _)| id)
    }
}

impl Judge {
    pub(crate) fn sent(
        &mut self,
        seat: usize,
        id: MessageId,
        (text, action, to): (&str, bool, Option<PeerId>),
        readers: usize,
    ) {
        let me = &self.seats[seat];
        let audience: Vec<(PeerId, u8)> = match to {
            Some(to) => vec![(to, 0)],
            None => me.people.iter().map(|person| (person.id, 0)).collect(),
        };
        let after = me.said.last().map_or(0, |said| said.number + 1);
        let private_to_stranger = to.is_some_and(|to| me.person(to).is_none());
        if id.author != me.id || id.number < after || private_to_stranger {
            let text = format!("{} was sent after number {after}", self.message_label(id));
            self.fail("S3", seat, text);
        }
        if readers != audience.len() {
            let text = format!("it says {readers} readers and shows {} people", audience.len());
            self.fail("once", seat, text);
        }
        let me = &mut self.seats[seat];
        let seen = me.last_shown.clone();
        me.open += usize::from(!audience.is_empty());
        me.said.push(Said {
            number: id.number,
            text: text.to_owned(),
            action,
            to,
            at: self.now,
            done: false,
            audience,
            others: BTreeSet::new(),
            seen,
        });
    }

    fn find_said(&mut self, id: MessageId) -> Option<&mut Said> {
        let author = *self.ids.get(&id.author)? as usize;
        let said = &mut self.seats[author].said;
        let at = said.binary_search_by_key(&id.number, |said| said.number).ok()?;
        Some(&mut said[at])
    }

    pub(crate) fn shown(
        &mut self,
        seat: usize,
        id: MessageId,
        from: &Person,
        (text, action, private): (&str, bool, bool),
    ) {
        let me = self.seats[seat].id;
        let now = self.now;
        let label = self.message_label(id);
        if self.liars.are(id.author) && id.author == from.id {
            return self.shown_of_liar(seat, from);
        }
        let Some(said) = self.find_said(id) else {
            return self.fail("S1", seat, format!("{label} was never said"));
        };
        let said_at = said.at;
        let seen = if private { Vec::new() } else { said.seen.clone() };
        let same = said.text == text && said.action == action && said.to.is_some() == private;
        let Some(flags) = said.reader(me) else {
            return self.fail("S1", seat, format!("{label} was not said to this reader"));
        };
        let twice = *flags & SHOWN != 0;
        *flags |= SHOWN;
        if !same || from.id != id.author {
            let text = format!("{label} is shown as {:?} of {}", clip(text), self.label(from.id));
            return self.fail("S1", seat, text);
        }
        if twice {
            return self.fail("S2", seat, format!("{label} is shown twice"));
        }
        self.in_order(seat, id);
        self.is_present(seat, from);
        if self.is_early(me, &seen) {
            self.seats[seat].tally.early += 1;
        }
        self.seats[seat].tally.messages += 1;
        self.deliveries += 1;
        if let Some(latencies) = &mut self.latencies {
            latencies.push(now - said_at);
        }
    }

    /// Whether something was for that reader and is not shown to them, though the author of what is shown had seen it.
    fn is_early(&self, reader: PeerId, seen: &[u64]) -> bool {
        seen.iter().zip(&self.seats).filter(|&(&seen, author)| seen > 0 && author.id != reader).any(
            |(&seen, author)| {
                let last =
                    author.said.iter().rev().find(|said| said.number < seen && said.to.is_none());
                last.is_some_and(|said| said.unshown().any(|id| id == reader))
            },
        )
    }

    /// A message is shown that comes from who kept it: to anybody in the room, and once.
    pub(crate) fn handed_on(
        &mut self,
        seat: usize,
        id: MessageId,
        from: &Person,
        (text, action): (&str, bool),
    ) {
        let me = self.seats[seat].id;
        let label = self.message_label(id);
        if self.liars.are(id.author) && id.author == from.id {
            return;
        }
        let Some(said) = self.find_said(id) else {
            return self.fail("S1", seat, format!("{label} was never said"));
        };
        let same = said.text == text && said.action == action && said.to.is_none();
        let said_at = said.at;
        let (was_for_them, twice) = match said.reader(me) {
            Some(flags) => (true, std::mem::replace(flags, *flags | SHOWN) & SHOWN != 0),
            None => (false, !said.others.insert(me)),
        };
        if !same || from.id != id.author {
            let text = format!("{label} is shown as {:?} of {}", clip(text), self.label(from.id));
            self.fail("S1", seat, text);
        } else if twice {
            self.fail("S2", seat, format!("{label} is shown twice"));
        }
        let tally = &mut self.seats[seat].tally;
        tally.handed_on += u64::from(!was_for_them);
        // It was said to them, and came another way.
        tally.messages += u64::from(was_for_them);
        self.deliveries += u64::from(was_for_them);
        if let Some(latencies) = self.latencies.as_mut().filter(|_| was_for_them) {
            latencies.push(self.now - said_at);
        }
    }

    /// Whoever a message is shown of must be here, under that name.
    pub(crate) fn is_present(&mut self, seat: usize, from: &Person) {
        let known = self.seats[seat].person(from.id).is_some_and(|known| known.name == from.name);
        if !known {
            self.fail("S7", seat, format!("a message is from {}, who is not here", from.name));
        }
    }

    fn in_order(&mut self, seat: usize, id: MessageId) {
        let Some(&author) = self.ids.get(&id.author) else { return };
        let shown = &mut self.seats[seat].last_shown;
        if shown.len() <= author as usize {
            shown.resize(author as usize + 1, 0);
        }
        // One more than the number, so that zero means none.
        let last = std::mem::replace(&mut shown[author as usize], id.number + 1);
        if last > id.number {
            let text = format!("{} after number {}", self.message_label(id), last - 1);
            self.fail("S3", seat, text);
        }
    }

    pub(crate) fn acked(&mut self, seat: usize, id: MessageId, by: &Person) {
        let mine = id.author == self.seats[seat].id;
        let label = format!("{} by {}", self.message_label(id), self.label(by.id));
        self.seats[seat].tally.acked += 1;
        let Some(said) = self.find_said(id).filter(|_| mine) else {
            return self.fail("S6", seat, format!("a receipt of {label}, never said"));
        };
        let done = said.done;
        let lies = self.liars.are(by.id);
        let Some(said) = self.find_said(id) else { return };
        let Some(flags) = said.reader(by.id) else {
            return self.fail("S6", seat, format!("a receipt of {label}, not a reader"));
        };
        let before = *flags;
        *flags |= ACKED;
        // An attacker may confirm what it never showed: it deceives nobody about anybody else.
        if before & SHOWN == 0 && !lies {
            self.fail("S6", seat, format!("a receipt of {label}, who has not shown it"));
        } else if before & (ACKED | FAILED | LEFT) != 0 || done {
            self.fail("once", seat, format!("a receipt of {label} after it was settled"));
        }
    }

    pub(crate) fn done(
        &mut self,
        seat: usize,
        id: MessageId,
        acked: usize,
        failed: &[(Person, Why)],
        left: &[Person],
    ) {
        let mine = id.author == self.seats[seat].id;
        let label = self.message_label(id);
        let Some(said) = self.find_said(id).filter(|_| mine) else {
            return self.fail("once", seat, format!("{label} is done and was never said"));
        };
        let twice = std::mem::replace(&mut said.done, true);
        let mut strangers = 0;
        let failed_or_left = failed.iter().map(|(person, _)| (person, FAILED));
        for (person, what) in failed_or_left.chain(left.iter().map(|person| (person, LEFT))) {
            match said.reader(person.id) {
                Some(flags) if *flags & (ACKED | FAILED | LEFT) == 0 => *flags |= what,
                _ => strangers += 1,
            }
        }
        let (readers, really) = (said.audience.len(), said.count(ACKED));
        let all = acked + failed.len() + left.len();
        let adds_up = acked == really && all == readers && strangers == 0;
        if twice || !adds_up {
            let text = format!(
                "{label} is done with {acked} + {} + {} of {readers}; {really} receipts, \
                 {strangers} wrong failures, twice: {twice}",
                failed.len(),
                left.len()
            );
            return self.fail("once", seat, text);
        }
        let me = &mut self.seats[seat];
        me.tally.failed += failed.len() as u64;
        me.open -= usize::from(readers > 0);
        if !failed.is_empty() || !left.is_empty() {
            let at = me.said.partition_point(|said| said.number < id.number);
            me.fresh_done.push(at);
        }
    }

    /// Whoever was given up must have been shown leaving since, unless the author itself leaves.
    pub(crate) fn judge_fresh_done(&mut self, seat: usize) {
        let me = &self.seats[seat];
        let mut wrong = None;
        for &at in me.fresh_done.iter().filter(|_| me.status == Status::Ready) {
            let said = &me.said[at];
            let unseen = said
                .failed()
                .filter(|&id| !self.liars.are(id))
                .find(|&id| !me.lefts.iter().any(|&(left, _, when)| left == id && when >= said.at));
            wrong = wrong.or(unseen.map(|id| (said.number, id)));
        }
        self.seats[seat].fresh_done.clear();
        if let Some((number, id)) = wrong {
            let text = format!("message {number} gives up {}, who never left", self.label(id));
            self.fail("once", seat, text);
        }
    }

    pub(crate) fn missing(&mut self, seat: usize, from: &Person, count: u64) {
        let me = self.seats[seat].id;
        if self.liars.are(from.id) {
            return self.is_present(seat, from);
        }
        self.seats[seat].tally.missing += count;
        let label = self.label(from.id);
        let Some(&author) = self.ids.get(&from.id) else {
            return self.fail("S7", seat, format!("{label} never was, and something is missing"));
        };
        let author = &self.seats[author as usize];
        let parted = author.lefts.iter().any(|&(left, ..)| left == me)
            || self.seats[seat].lefts.iter().any(|&(left, ..)| left == from.id);
        let unshown = author.said.iter().filter(|said| {
            said.audience.iter().any(|&(reader, flags)| reader == me && flags & SHOWN == 0)
        });
        // What is missing is counted in pieces. The receipt of what was given up may be what got lost: of long
        // messages, some were shown.
        let unshown = unshown.map(|said| 1 + said.text.len() as u64 / PIECE_LEAST).sum::<u64>();
        if !parted || count > unshown {
            let text = format!("{count} missing of {label}; parted: {parted}, unshown {unshown}");
            self.fail("missing", seat, text);
        }
    }
}

fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}
