//! The schedule of a seed: what happens to computers and links, and when.

use crate::draw::{Draws, SCHED};
use crate::op::{Cut, Mask, Op};
use crate::swarm::{Nodeset, Swarm};
use crate::workload;

/// Who roams gets another address this often, microseconds.
const ROAM_EVERY: u64 = 10_000_000;

/// The schedule of chaos between two instants, in order.
pub fn schedule(swarm: &Swarm, from: u64, until: u64) -> Vec<(u64, Op)> {
    let mut plan = Plan { swarm, from, until, ops: Vec::new() };
    plan.partitions();
    plan.processes();
    plan.nodeset();
    plan.storms();
    plan.visitors();
    plan.attackers();
    let typed = workload::schedule(swarm, from, until).into_iter();
    plan.ops.extend(typed.map(|(at, host, n)| (at, Op::Type(host, n))));
    plan.ops.sort_by_key(|&(at, _)| at);
    plan.ops
}

struct Plan<'a> {
    swarm: &'a Swarm,
    from: u64,
    until: u64,
    ops: Vec<(u64, Op)>,
}

impl Plan<'_> {
    fn draws(&self, kind: u64, i: u64) -> Draws {
        Draws::new(self.swarm.seed, SCHED, kind, i)
    }

    /// An instant of chaos, and one after it: what starts also ends.
    fn span(&self, d: &mut Draws) -> (u64, u64) {
        let start = d.range(self.from, self.until - 1);
        let longest = self.until - start;
        // Short ones are as likely as long ones: the logarithm is evenly distributed.
        let length = longest >> d.below(8);
        (start, start + length.max(1))
    }

    fn all(&self) -> Mask {
        (1u128 << self.swarm.hosts().min(127)) - 1
    }

    fn person(&self, d: &mut Draws) -> usize {
        1 + d.below(self.swarm.people as u64) as usize
    }

    fn cut(&mut self, d: &mut Draws, cut: Cut) {
        let (start, end) = self.span(d);
        self.ops.push((start, Op::Cut(cut)));
        self.ops.push((end, Op::Mend(cut)));
    }

    fn partitions(&mut self) {
        let all = self.all();
        for i in 0..self.swarm.partitions {
            let mut d = self.draws(1, i);
            let side = (u128::from(d.bits()) << 64 | u128::from(d.bits())) & all;
            self.cut(&mut d, Cut { from: side, to: all & !side, both: true });
        }
        for i in 0..self.swarm.partial {
            let mut d = self.draws(2, i);
            let (a, b) = (self.person(&mut d), self.person(&mut d));
            let cut = match d.below(3) {
                // One pair does not hear each other; everybody else does.
                0 => Cut { from: 1 << a, to: 1 << b, both: true },
                // Two sides, and one who hears both.
                1 => {
                    let side = u128::from(d.bits()) & all & !(1 << a);
                    Cut { from: side, to: all & !side & !(1 << a), both: true }
                }
                // Somebody is cut off from everybody but the nodeset.
                _ => Cut { from: 1 << a, to: all & !(1 << a) & !1, both: true },
            };
            self.cut(&mut d, cut);
        }
        for i in 0..self.swarm.one_way {
            let mut d = self.draws(3, i);
            let (a, b) = (self.person(&mut d), d.below(self.swarm.people as u64 + 1));
            let to = if d.chance(500_000) { 1 << b } else { all };
            self.cut(&mut d, Cut { from: 1 << a, to: to & !(1 << a), both: false });
        }
        for i in 0..self.swarm.clogs {
            let mut d = self.draws(4, i);
            let (start, end) = self.span(&mut d);
            let (from, to) = (u128::from(d.bits()) & all, u128::from(d.bits()) & all);
            let end = end.min(start + 30_000_000);
            self.ops.push((start, Op::Clog(Cut { from, to, both: d.chance(500_000) }, end)));
        }
    }

    fn processes(&mut self) {
        for i in 0..self.swarm.crashes {
            let mut d = self.draws(5, i);
            let (at, _) = self.span(&mut d);
            let op = Op::Kill(self.person(&mut d));
            self.ops.push((at, op));
        }
        for i in 0..self.swarm.restarts {
            let mut d = self.draws(6, i);
            let (down, up) = self.span(&mut d);
            let (host, moved) = (self.person(&mut d), d.chance(300_000));
            self.ops.push((down, Op::Kill(host)));
            self.ops.push((up, Op::Restart(host, moved)));
        }
        for i in 0..self.swarm.roll_backs {
            let mut d = self.draws(12, i);
            let (down, up) = self.span(&mut d);
            let host = self.person(&mut d);
            self.ops.push((down, Op::Kill(host)));
            self.ops.push((up, Op::RollBack(host)));
        }
        let together = self.span(&mut self.draws(11, 0));
        for i in 0..self.swarm.roamers {
            let mut d = self.draws(11, i);
            let (start, end) = match (i, self.span(&mut d)) {
                (1.., _) if d.chance(500_000) => together,
                (_, alone) => alone,
            };
            let host = self.person(&mut d);
            let moves = (start..end).step_by(ROAM_EVERY as usize);
            self.ops.extend(moves.map(|at| (at, Op::Rebind(host))));
        }
        for i in 0..self.swarm.pauses {
            let mut d = self.draws(7, i);
            let (start, end) = self.span(&mut d);
            let op = Op::Pause(self.person(&mut d), end - start, d.chance(500_000));
            self.ops.push((start, op));
        }
    }

    fn nodeset(&mut self) {
        let mut d = self.draws(8, 0);
        let (start, end) = self.span(&mut d);
        match self.swarm.nodeset {
            Nodeset::Fine => {}
            Nodeset::RestartsEmpty => {
                self.ops.push((start, Op::Kill(0)));
                self.ops.push((end, Op::StartNodeset));
            }
            Nodeset::DiesForEver => self.ops.push((start, Op::Kill(0))),
            Nodeset::Stale => {
                self.ops.push((start, Op::Pause(0, end - start, d.chance(500_000))));
            }
        }
    }

    fn storms(&mut self) {
        let mut d = self.draws(9, 0);
        let (at, _) = self.span(&mut d);
        for host in 1..=self.swarm.people {
            let spread = d.below(100_000);
            if self.swarm.leave_storm && host > 1 {
                self.ops.push((at + spread, Op::Quit(host)));
            } else if self.swarm.flash_restart {
                self.ops.push((at + spread, Op::Restart(host, false)));
            }
        }
    }

    fn attackers(&mut self) {
        if !self.swarm.tricks.is_empty() {
            let (come, _) = self.span(&mut self.draws(13, 0));
            self.ops.push((come, Op::Attack(self.swarm.hosts(), self.swarm.tricks)));
        }
        if !self.swarm.lies.is_empty() {
            let (come, _) = self.span(&mut self.draws(14, 0));
            self.ops.push((come, Op::Corrupt(self.swarm.lies)));
        }
    }

    fn visitors(&mut self) {
        for i in 0..self.swarm.visitors {
            let mut d = self.draws(10, i);
            let host = 1 + self.swarm.people + i as usize;
            let (come, go) = self.span(&mut d);
            let namesake = self.swarm.same_names && d.chance(500_000);
            let name = if namesake { self.person(&mut d) } else { host };
            self.ops.push((come, Op::Join(host, name)));
            if d.chance(700_000) {
                self.ops.push((go, Op::Quit(host)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_mended_before_chaos_ends() {
        for seed in 0..200 {
            let swarm = Swarm::draw(seed);
            let ops = schedule(&swarm, 1_000_000, 1_000_000 + swarm.chaos_us);
            let cuts = |wanted: bool| {
                ops.iter().filter(move |(_, op)| match op {
                    Op::Cut(_) => wanted,
                    Op::Mend(_) => !wanted,
                    _ => false,
                })
            };
            assert_eq!(cuts(true).count(), cuts(false).count(), "seed {seed}");
            assert!(ops.iter().all(|&(at, _)| at <= 1_200_000 + swarm.chaos_us), "seed {seed}");
        }
    }
}
