//! What one seed means: how many people, which network, which faults are on.
//!
//! Swarm testing (Groce and others 2012): each kind of fault is off in half of all seeds, so that
//! every pair of kinds is also met alone. A field's value depends on the seed and the field only.

use crate::clock::SECOND;
use crate::draw::{Draws, SWARM};
use crate::false_nodeset::{LIES_TOLD, Lies};
use crate::liar::{TRICKS, Tricks};
use crate::link::{BURSTS, LinkParams};

/// What may happen to the nodeset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodeset {
    /// Nothing.
    Fine,
    /// It is down for a while and comes back empty.
    RestartsEmpty,
    /// It dies and never comes back.
    DiesForEver,
    /// It stops for a while and goes on with what it knew.
    Stale,
}

/// How people talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Not at all.
    Silent,
    /// A line every few seconds.
    Human,
    /// Bursts of lines at one instant.
    Bursts,
    /// One person does all the talking.
    HotAuthor,
    /// All at the same instant.
    AllAtOnce,
}

/// The parameters of one seed.
#[derive(Clone, Copy, Debug)]
pub struct Swarm {
    /// The seed.
    pub seed: u64,
    /// How many people there are at most.
    pub people: usize,
    /// What links do during chaos.
    pub link: LinkParams,
    /// Whether single links differ.
    pub overrides: bool,
    /// Whether some links lose up to 90 % one way.
    pub asymmetric: bool,
    /// How long chaos lasts, microseconds.
    pub chaos_us: u64,
    /// Whether people already join through chaos.
    pub boot_in_chaos: bool,
    /// Everybody joins within 100 ms.
    pub join_storm: bool,
    /// Everybody leaves, or restarts, at once.
    pub leave_storm: bool,
    /// Everybody restarts at once.
    pub flash_restart: bool,
    /// Partitions into sides.
    pub partitions: u64,
    /// Partial partitions: one pair, a bridge, a ring.
    pub partial: u64,
    /// One-way partitions.
    pub one_way: u64,
    /// Links that freeze and then let everything through.
    pub clogs: u64,
    /// Processes that die and stay dead.
    pub crashes: u64,
    /// Processes that die and start again.
    pub restarts: u64,
    /// Processes that die and start again with state, and a clock, of an hour ago.
    pub roll_backs: u64,
    /// Processes that stop for a while.
    pub pauses: u64,
    /// People whose address changes every ten seconds for a while, perhaps several at one instant.
    /// Without a nodeset only one: two who move at the same time have nobody to ask.
    pub roamers: u64,
    /// How many datagrams somebody on the path meddles with, parts in a million.
    pub meddle_ppm: u32,
    /// The nodeset's fate.
    pub nodeset: Nodeset,
    /// Whether a closed port is reported.
    pub icmp: bool,
    /// Whether events at one instant are shuffled.
    pub shuffle_ties: bool,
    /// Datagrams a stopped process's socket holds.
    pub socket_max: usize,
    /// How people talk.
    pub rate: Rate,
    /// How many lines are typed.
    pub lines: u64,
    /// People who come and go in the midst of it.
    pub visitors: u64,
    /// Whether some take the name of somebody else.
    pub same_names: bool,
    /// What a malicious member does; nothing when there is none.
    pub tricks: Tricks,
    /// How the nodeset lies from some instant on; in no way when it does not.
    pub lies: Lies,
    /// Whether it goes on lying when everything else is healed.
    pub lies_for_ever: bool,
    /// Whether some links swallow what is large, at first, in chaos, and for ever after.
    pub small_links: bool,
}

struct Field(u64);

impl Field {
    /// The draws of the next field.
    fn next(&mut self, seed: u64) -> Draws {
        self.0 += 1;
        Draws::new(seed, SWARM, self.0, 0)
    }
}

impl Swarm {
    /// The parameters of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut field = Field(0);
        let mut next = || field.next(seed);
        // On in half of all seeds; then a number in the range.
        let count = |mut d: Draws, high: u64| if d.chance(500_000) { d.range(1, high) } else { 0 };
        let on = |mut d: Draws, ppm: u32| d.chance(ppm);
        let people = people(next());
        let mut swarm = Self {
            seed,
            people,
            link: link(next()),
            overrides: on(next(), 300_000),
            asymmetric: on(next(), 250_000),
            chaos_us: chaos(next()),
            boot_in_chaos: on(next(), 300_000),
            join_storm: on(next(), 300_000),
            leave_storm: on(next(), 100_000),
            flash_restart: on(next(), 70_000),
            partitions: count(next(), 3),
            partial: count(next(), 3),
            one_way: count(next(), 3),
            clogs: count(next(), 4),
            crashes: count(next(), 2),
            restarts: count(next(), 3),
            pauses: count(next(), 3),
            nodeset: nodeset(next()),
            icmp: on(next(), 500_000),
            shuffle_ties: on(next(), 500_000),
            socket_max: next().one_of(&[4, 64, 200, 5_000]),
            rate: next().one_of(&[
                Rate::Silent,
                Rate::Human,
                Rate::Human,
                Rate::Human,
                Rate::Bursts,
                Rate::Bursts,
                Rate::HotAuthor,
                Rate::AllAtOnce,
            ]),
            lines: next().range(5, if people > 10 { 40 } else { 80 }),
            visitors: count(next(), 4),
            same_names: on(next(), 200_000),
            roamers: count(next(), 3),
            meddle_ppm: meddling(next()),
            roll_backs: count(next(), 2),
            tricks: Tricks::of(&some(next(), &TRICKS)),
            lies: Lies::of(&some(next(), &LIES_TOLD)),
            lies_for_ever: on(next(), 300_000),
            small_links: on(next(), 500_000),
        };
        if swarm.ends_without_nodeset() {
            swarm.roamers = swarm.roamers.min(1);
        }
        swarm
    }

    /// Whether nobody introduces people any more, once all else is healed.
    pub fn ends_without_nodeset(&self) -> bool {
        let lies = self.lies_for_ever && !self.lies.is_empty();
        self.nodeset == Nodeset::DiesForEver || lies
    }

    /// How many computers the seed needs, attackers' and latecomers' included.
    pub const fn computers(&self) -> usize {
        self.hosts() + if self.tricks.is_empty() { 0 } else { 2 }
    }

    /// How many computers there are of the nodeset, the people and the visitors.
    pub const fn hosts(&self) -> usize {
        1 + self.people + self.visitors as usize
    }

    /// What is larger is swallowed by one link in a `phase`, each way for itself; 0 for nothing.
    pub fn mtu_between(&self, from: usize, to: usize, phase: u64) -> usize {
        let mut d = Draws::new(self.seed, SWARM, 2_000_000 + from as u64 * 3 + phase, to as u64);
        let small = self.small_links && d.chance(500_000);
        if small { d.one_of(&[576, 600, 900, 1_280]) } else { 0 }
    }

    /// The parameters of one link during chaos.
    pub fn link_between(&self, from: usize, to: usize) -> LinkParams {
        let mut params = self.link;
        let mut d = Draws::new(self.seed, SWARM, 1000 + from as u64, to as u64);
        if self.overrides && d.chance(300_000) {
            params.loss_ppm = d.below(400_000) as u32;
            params.delay_us = d.range(200, 300_000);
            params.jitter_us = d.below(500_000);
        }
        if self.asymmetric && d.chance(200_000) {
            params.loss_ppm = d.range(400_000, 900_000) as u32;
        }
        params
    }
}

/// None in half of the seeds; then one to three of them.
fn some<T: Copy>(mut d: Draws, all: &[T]) -> Vec<T> {
    let count = if d.chance(500_000) { d.range(1, 3) } else { 0 };
    (0..count).map(|_| d.one_of(all)).collect()
}

/// Two to seven in most seeds (partial partitions show from three on), with tails to fifty.
fn people(mut d: Draws) -> usize {
    let n = match d.below(100) {
        0 => 1,
        1..=84 => d.range(2, 7),
        85..=97 => d.range(8, 16),
        _ => d.range(17, 50),
    };
    n as usize
}

fn chaos(mut d: Draws) -> u64 {
    // A lease lasts a minute: only the long ones see it end.
    if d.chance(250_000) { d.range(60, 150) * SECOND } else { d.range(10, 60) * SECOND }
}

fn nodeset(mut d: Draws) -> Nodeset {
    match d.below(10) {
        0..=4 => Nodeset::Fine,
        5..=6 => Nodeset::RestartsEmpty,
        7..=8 => Nodeset::Stale,
        _ => Nodeset::DiesForEver,
    }
}

fn meddling(mut d: Draws) -> u32 {
    if d.chance(500_000) { d.below(300_000) as u32 } else { 0 }
}

fn link(mut d: Draws) -> LinkParams {
    let mut params = LinkParams { delay_us: d.range(200, 150_000), ..LinkParams::default() };
    if d.chance(500_000) {
        params.loss_ppm = d.below(400_000) as u32;
    }
    if d.chance(500_000) {
        params.burst = Some(d.one_of(BURSTS).1);
    }
    if d.chance(500_000) {
        params.copy_ppm = d.below(500_000) as u32;
        params.copies_max = d.range(1, 5) as u8;
    }
    if d.chance(500_000) {
        params.jitter_us = d.one_of(&[1_000, 20_000, 200_000, 2_000_000]);
    }
    if d.chance(500_000) {
        params.hold_ppm = d.below(100_000) as u32;
        params.hold = d.range(1, 8) as u32;
    }
    if d.chance(500_000) {
        params.late_ppm = d.below(50_000) as u32;
        params.late_min_us = 5 * SECOND;
        params.late_max_us = d.range(6, 120) * SECOND;
    }
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_off_in_about_half_of_the_seeds() {
        let swarms: Vec<Swarm> = (0..1000).map(Swarm::draw).collect();
        let half = |what: &str, on: &dyn Fn(&Swarm) -> bool| {
            let n = swarms.iter().filter(|swarm| on(swarm)).count();
            assert!((430..570).contains(&n), "{what}: {n}");
        };
        half("loss", &|swarm| swarm.link.loss_ppm > 0);
        half("burst", &|swarm| swarm.link.burst.is_some());
        half("copies", &|swarm| swarm.link.copies_max > 0);
        half("late", &|swarm| swarm.link.late_ppm > 0);
        half("partitions", &|swarm| swarm.partitions > 0);
        half("one way", &|swarm| swarm.one_way > 0);
        half("pauses", &|swarm| swarm.pauses > 0);
        half("restarts", &|swarm| swarm.restarts > 0);
        half("roll backs", &|swarm| swarm.roll_backs > 0);
        half("roamers", &|swarm| swarm.roamers > 0);
        half("meddling", &|swarm| swarm.meddle_ppm > 0);
        half("malicious member", &|swarm| !swarm.tricks.is_empty());
        half("lying nodeset", &|swarm| !swarm.lies.is_empty());
        for trick in TRICKS {
            assert!(swarms.iter().any(|swarm| swarm.tricks.has(trick)), "{trick:?}");
        }
        for lie in LIES_TOLD {
            assert!(swarms.iter().any(|swarm| swarm.lies.has(lie)), "{lie:?}");
        }
        half("small links", &|swarm| swarm.small_links);
        half("nodeset", &|swarm| swarm.nodeset != Nodeset::Fine);
        assert!(swarms.iter().any(|swarm| swarm.people > 30));
    }
}
