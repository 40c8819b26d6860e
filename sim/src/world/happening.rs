//! What happens: each thing of a schedule is made to.

use super::World;
use crate::false_nodeset::FalseNodeset;
use crate::liar::{Liar, Zeal};
use crate::op::Op;
use crate::workload;

/// How much a malicious member sends of its own accord: little in a second, so that many seeds can be
/// run. What a flood does is for scenarios.
const ZEAL: Zeal = Zeal { burst: 200, per_second: 3 };

impl World {
    /// The next operation of the schedule happens.
    pub(crate) fn apply(&mut self, at: usize) {
        let (_, op) = self.script[at];
        self.perform(op);
    }

    /// Makes something happen.
    pub fn perform(&mut self, op: Op) {
        if !matches!(op, Op::Type(..)) {
            self.trace_line(0, &format!("{op:?}"));
        }
        match op {
            Op::Type(host, n) => {
                let people = self.seat_on(host).map(|seat| &self.judge.seats()[seat].people[..]);
                let line = workload::line(self.config.seed, n, people.unwrap_or_default());
                self.say(host, &line);
            }
            Op::Join(host, name) => {
                if self.hosts[host].proc.is_none() {
                    self.join(host, &workload::name(name));
                }
            }
            Op::Quit(host) => self.say(host, "/quit"),
            Op::Kill(host) => self.kill(host),
            Op::Restart(host, moved) => self.restart(host, moved),
            Op::RollBack(host) => {
                self.set_back(host);
                self.restart(host, true);
            }
            Op::Rebind(host) => self.rebind(host),
            Op::Pause(host, us, tick_first) => self.pause(host, us, tick_first),
            Op::Cut(cut) => self.each_link(|from, to, link| {
                link.cuts += u8::from(cut.covers(from, to));
            }),
            Op::Mend(cut) => self.each_link(|from, to, link| {
                link.cuts = link.cuts.saturating_sub(u8::from(cut.covers(from, to)));
            }),
            Op::Clog(cut, until) => self.each_link(|from, to, link| {
                if cut.covers(from, to) {
                    link.clogged_until = link.clogged_until.max(until);
                }
            }),
            Op::StartNodeset => self.start_registry(),
            Op::Attack(host, tricks) => {
                self.attack(host, |config| Box::new(Liar::new(config, tricks, ZEAL)));
            }
            Op::Corrupt(lies) => {
                self.attack(0, |config| Box::new(FalseNodeset::new(config, lies)));
            }
        }
    }

    /// A new process under the same name; only where one runs or ran.
    fn restart(&mut self, host: usize, moved: bool) {
        if self.hosts[host].starts == 0 {
            return;
        }
        self.kill(host);
        if moved {
            self.move_port(host);
        }
        self.join(host, &workload::name(host));
    }
}
