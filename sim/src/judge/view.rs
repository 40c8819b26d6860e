//! The laws of who is here: S7, and what convergence means.

use chatrpc::machine::{Name, PeerId, Person, Way, Why};

use super::{Judge, Seat, Status};

/// Within this time of hearing from each other, two peers may not time each other out,
/// microseconds. A lease lasts 60 s; the rest is for what was on its way.
const HEARD_US: u64 = 50_000_000;
/// The same while the network is hostile: the nodeset may have lost somebody, and then a few
/// seconds of silence between the two make it true.
const HEARD_HOSTILE_US: u64 = 3_000_000;

/// How long somebody is here without being heard, microseconds.
const LEASE_US: u64 = 60_000_000;

impl Judge {
    /// A datagram that `from` sent at `sent_at` was handed to `to`.
    pub fn heard(&mut self, to: usize, from: usize, sent_at: u64) {
        let heard = &mut self.seats[to].heard;
        if heard.len() <= from {
            heard.resize(from + 1, 0);
        }
        heard[from] = heard[from].max(sent_at + 1);
    }

    fn heard_lately(&self, to: usize, from: usize) -> bool {
        let heard = self.seats[to].heard.get(from).copied().unwrap_or(0);
        let window = if self.hostile { HEARD_HOSTILE_US } else { HEARD_US };
        heard > 0 && heard + window > self.now
    }

    /// Whether that person is a real process under a name it had.
    fn is_real(&mut self, seat: usize, person: &Person) -> bool {
        let known = self.ids.get(&person.id).map(|&at| &self.seats[at as usize]);
        let real = known.is_some_and(|seat| seat.names.contains(&person.name))
            || self.liars.are(person.id);
        if !real {
            let text = format!("{} as {} never was", self.label(person.id), person.name);
            self.fail("S7", seat, text);
        }
        real
    }

    pub(crate) fn ready(&mut self, seat: usize, me: &Person, people: &[Person]) {
        let us = &self.seats[seat];
        if us.status != Status::Joining || us.id != me.id || us.name() != &me.name {
            let text = format!("ready as {} while {:?}", me.name, us.status);
            self.fail("S7", seat, text);
        }
        if let Some(same) = people.iter().find(|person| person.name == me.name) {
            let alive = |seat: &Seat| seat.id == same.id && seat.status == Status::Ready;
            // Somebody who does not answer when asked does not keep a name; nor may loss hide them.
            if !self.hostile && self.seats.iter().any(alive) {
                let text = format!("ready under the name of {}, who is here", self.label(same.id));
                self.fail("name", seat, text);
            }
        }
        let mut sorted = people.to_vec();
        sorted.sort_by_key(|person| person.id);
        sorted.dedup_by_key(|person| person.id);
        let repeats = sorted.len() != people.len();
        if repeats || sorted.iter().any(|person| person.id == me.id) {
            self.fail("S7", seat, "ready with somebody twice, or with ourselves".to_owned());
        }
        for person in people {
            self.is_real(seat, person);
        }
        let us = &mut self.seats[seat];
        us.status = Status::Ready;
        us.people = sorted;
    }

    pub(crate) fn joined(&mut self, seat: usize, person: &Person) {
        if !self.is_real(seat, person) {
            return;
        }
        let us = &mut self.seats[seat];
        us.tally.joined += 1;
        let ourselves = us.id == person.id;
        match us.people.binary_search_by_key(&person.id, |known| known.id) {
            Err(at) if !ourselves => us.people.insert(at, person.clone()),
            _ => {
                let text = format!("{} entered and was here already", self.label(person.id));
                self.fail("S7", seat, text);
            }
        }
    }

    /// Somebody may be lost, or is not: only of who is shown and reached, and not twice the same.
    pub(crate) fn lost(&mut self, seat: usize, who: &Person, lost: bool) {
        let there = self.ids.get(&who.id).is_some_and(|&at| self.is_ready(at as usize));
        let us = &mut self.seats[seat];
        us.tally.alarms += u64::from(lost && there);
        let news = if lost { us.lost.insert(who.id) } else { us.lost.remove(&who.id) };
        if !news || us.person(who.id).is_none() || us.unreachable.contains(&who.id) {
            let text = format!("that {} is lost, {lost}, is no news", self.label(who.id));
            self.fail("S7", seat, text);
        }
    }

    /// There is no way to somebody, or there is one again: only of who is shown, and not twice the same.
    pub(crate) fn way(&mut self, seat: usize, who: &Person, way: &Way) {
        let us = &mut self.seats[seat];
        let news = match way {
            Way::None | Way::Deaf => {
                us.tally.lost += 1;
                us.tally.deaf += u64::from(*way == Way::Deaf);
                us.lost.remove(&who.id);
                us.unreachable.insert(who.id)
            }
            Way::Direct | Way::Through(_) => {
                us.tally.found += 1;
                us.unreachable.remove(&who.id)
            }
        };
        if !news || us.person(who.id).is_none() {
            let text = format!("{way:?} to {} is no news", self.label(who.id));
            self.fail("S7", seat, text);
        }
    }

    pub(crate) fn left(&mut self, seat: usize, who: &Person, why: Why) {
        let now = self.now;
        let us = &mut self.seats[seat];
        us.tally.left += 1;
        us.lefts.push((who.id, why, now));
        us.unreachable.remove(&who.id);
        us.lost.remove(&who.id);
        us.said.iter_mut().filter(|said| !said.done).for_each(|said| said.gone(who.id));
        match us.people.binary_search_by_key(&who.id, |known| known.id) {
            Ok(at) => drop(us.people.remove(at)),
            Err(_) => {
                let text = format!("{} left and was not here", self.label(who.id));
                return self.fail("S7", seat, text);
            }
        }
        let Some(&other) = self.ids.get(&who.id) else { return };
        let other = other as usize;
        let them = &self.seats[other];
        let calm = self.calm.is_some_and(|since| now >= since + LEASE_US);
        let wrong = match why {
            Why::Quit => !them.quit_asked,
            // Nobody leaves for that.
            Why::Unread => true,
            // Whatever a nodeset says.
            Why::Replaced => them.status != Status::Gone,
            // What ran out was not renewed since.
            Why::Timeout if calm && them.status == Status::Ready => true,
            // With its word against somebody, three seconds without an answer are enough: what they say
            // by themselves may be old.
            Why::Timeout if self.hostile && self.liars.nodeset => false,
            Why::Timeout => {
                them.status == Status::Ready
                    && them.person(self.seats[seat].id).is_some()
                    && self.heard_lately(seat, other)
                    && self.heard_lately(other, seat)
            }
        };
        if wrong {
            let text = format!("{} is said to have left ({why}) and did not", self.label(who.id));
            self.fail("S7", seat, text);
        }
    }

    pub(crate) fn renamed(&mut self, seat: usize, who: &Person, was: &Name) {
        if who.id == self.seats[seat].id {
            let wrong = self.seats[seat].name() != was;
            self.seats[seat].names.push(who.name.clone());
            if wrong {
                self.fail("S7", seat, format!("we were never called {was}"));
            }
            return;
        }
        if !self.is_real(seat, who) {
            return;
        }
        let people = &mut self.seats[seat].people;
        match people.binary_search_by_key(&who.id, |known| known.id) {
            Ok(at) if people[at].name == *was => people[at].name = who.name.clone(),
            _ => {
                let text = format!("{} was not here as {was}", self.label(who.id));
                self.fail("S7", seat, text);
            }
        }
        if self.liars.are(who.id) {
            self.renamed_liar(seat, who.id);
        }
    }

    /// Whether every ready process shows exactly all the other living ones; else who does not.
    ///
    /// # Errors
    ///
    /// The first difference, in words.
    pub fn converged(&self) -> Result<(), (usize, String)> {
        let alive = |seat: &&Seat| seat.status != Status::Gone;
        let seats = self.seats.iter().filter(alive);
        let mut want: Vec<(PeerId, &Name)> = seats.map(|seat| (seat.id, seat.name())).collect();
        want.sort_by_key(|(id, _)| *id);
        for (at, seat) in self.seats.iter().enumerate().filter(|(_, seat)| alive(seat)) {
            if seat.status != Status::Ready {
                return Err((at, format!("is still {:?}", seat.status)));
            }
            let others = || want.iter().filter(|(id, _)| *id != seat.id);
            // Attackers come and go as they like.
            let shown = || {
                let honest = seat.people.iter().filter(|person| !self.liars.are(person.id));
                honest.filter(|person| !self.is_lost(seat, person.id)).map(called)
            };
            let reached =
                others().all(|(id, _)| !seat.unreachable.contains(id) && !seat.lost.contains(id));
            if reached && others().copied().eq(shown()) {
                continue;
            }
            let lacks = others().find(|(id, _)| seat.takes_for_lost(*id));
            let extra = shown().find(|person| !want.contains(person));
            let label = |person: Option<(PeerId, &Name)>| person.map(|(id, _)| self.label(id));
            let (lacks, extra) = (label(lacks.copied()), label(extra));
            return Err((at, format!("lacks {lacks:?}, shows {extra:?} wrongly")));
        }
        Ok(())
    }
}

const fn called(person: &Person) -> (PeerId, &Name) {
    (person.id, &person.name)
}
