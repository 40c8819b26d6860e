//! One input to one machine, and what it does.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chatrpc::machine::{Action, Event, Exit, Input, TEXT_MAX, Way, drain, mix};

use super::{INSTANT_MAX, SCAN_EVERY, World};
use crate::chain::hash_bytes;
use crate::host::Role;
use crate::judge::{Kind, Status, Violation};

impl World {
    pub(super) fn feed(&mut self, proc: usize, input: Input<'_>) {
        let Some(mut machine) = self.procs[proc].machine.take() else { return };
        self.counters.events += 1;
        let now = self.procs[proc].local(self.now);
        let mut exited = false;
        let result = catch_unwind(AssertUnwindSafe(|| {
            let drained =
                drain(&mut *machine, now, input, |action| exited |= self.act(proc, action));
            // With debug assertions it has panicked, with the reason.
            assert!(drained.lawful, "the wake for {:?} is over", drained.wake);
            drained.wake
        }));
        let wake = match result {
            Ok(wake) => wake,
            Err(panic) => return self.panicked(proc, &panic),
        };
        if exited {
            self.end(proc);
        } else {
            self.procs[proc].machine = Some(machine);
            self.procs[proc].wants = wake.map_or(u64::MAX, |wake| self.procs[proc].global(wake.at));
            self.arm(proc);
        }
        if let Role::Peer(seat) = self.procs[proc].role {
            self.judge.drained(seat);
            if wake.is_none() && self.judge.seats[seat].status == Status::Ready && !exited {
                self.judge.fail("S11", seat, "it is in the room and wants no wake".to_owned());
            }
        }
        self.count_instant(proc);
        self.procs[proc].events += 1;
        if self.procs[proc].events.is_multiple_of(SCAN_EVERY) {
            self.scan(proc);
        }
        self.open_rooms();
    }

    fn panicked(&mut self, proc: usize, panic: &Box<dyn std::any::Any + Send>) {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        let oracle = if text.starts_with("the wake for") { "S11" } else { "S9" };
        self.blame(Kind::Panic, oracle, proc, text);
        self.end(proc);
    }

    pub(super) fn blame(&mut self, kind: Kind, oracle: &'static str, proc: usize, text: String) {
        if self.judge.violation.is_none() {
            let host = self.procs[proc].host;
            self.judge.violation = Some(Violation { oracle, kind, host, at: self.now, text });
        }
    }

    fn end(&mut self, proc: usize) {
        let host = usize::from(self.procs[proc].host);
        if self.hosts[host].proc == Some(proc) {
            self.kill(host);
        }
    }

    fn count_instant(&mut self, proc: usize) {
        let (at, count) = &mut self.procs[proc].instant;
        if *at != self.now {
            (*at, *count) = (self.now, 0);
        }
        *count += 1;
        if *count > INSTANT_MAX {
            let text = format!("more than {INSTANT_MAX} events at one instant");
            self.blame(Kind::Safety, "S10", proc, text);
        }
    }

    /// Tables, invariants and digest of one process.
    fn scan(&mut self, proc: usize) {
        let Some(machine) = &self.procs[proc].machine else { return };
        let digest = machine.digest();
        let table = machine.footprint().into_iter().find(|table| table.len > table.limit);
        let broken = catch_unwind(AssertUnwindSafe(|| machine.check())).err();
        self.chain.add(self.now, 'd', self.procs[proc].host, digest);
        if let Some(table) = table {
            let text = format!("{} holds {} of {}", table.name, table.len, table.limit);
            self.blame(Kind::Safety, "S8", proc, text);
        }
        if let Some(panic) = broken {
            self.panicked(proc, &panic);
        }
    }

    /// Scans every process at once: at quiescence.
    pub fn scan_all(&mut self) {
        for proc in 0..self.procs.len() {
            self.scan(proc);
        }
    }

    fn act(&mut self, proc: usize, action: Action<'_>) -> bool {
        match action {
            Action::Send { to, ttl, bytes, .. } => self.send(proc, to, ttl, bytes),
            Action::Show(event) => self.show(proc, &event),
            Action::Exit(exit) => {
                self.exit(proc, &exit);
                return true;
            }
        }
        false
    }

    fn show(&mut self, proc: usize, event: &Event<'_>) {
        let host = self.procs[proc].host;
        let hash = event_hash(event);
        self.chain.add(self.now, 'e', host, hash);
        self.shown = mix(self.shown ^ mix(self.now ^ u64::from(host) << 48) ^ hash);
        if self.trace.is_some() {
            let text: String = format!("{event:?}").chars().take(140).collect();
            self.trace_line(host, &text);
        }
        let seat = match self.procs[proc].role {
            Role::Peer(seat) => seat,
            Role::Registry => return,
            Role::Liar => return self.unmask(event),
        };
        self.judge.saw(seat, event);
        match event {
            Event::Sent { readers, text, .. } => {
                self.procs[proc].guard.said(*readers);
                let faces = self.judge.liars_among(seat, *readers);
                self.victims.said(self.now, proc as u32, text.as_str().len(), faces);
            }
            // Whoever takes something again is called with all that waits for them.
            Event::Reads { reads: true, waiting, .. } => {
                self.victims.said(self.now, proc as u32, TEXT_MAX, *waiting);
            }
            Event::Ready { .. } | Event::Joined(_) => {
                self.procs[proc].guard.met(self.judge.seats[seat].people.len());
            }
            Event::Alone => self.is_alone(proc),
            Event::People(people) => {
                let direct = people.iter().filter(|one| one.way == Way::Direct);
                let direct = direct.filter(|one| one.addr.is_some() && one.rtt.is_some());
                self.hosts[usize::from(host)].direct = direct.map(|one| one.who.id).collect();
            }
            _ => {}
        }
    }

    /// An attacker says under which face it goes from here on.
    fn unmask(&mut self, event: &Event<'_>) {
        if let Event::Joined(face) = event {
            self.judge.lies(face);
        }
    }

    fn exit(&mut self, proc: usize, exit: &Exit) {
        let host = self.procs[proc].host;
        self.chain.add(self.now, 'x', host, 0);
        if self.trace.is_some() {
            self.trace_line(host, &format!("exits: {exit:?}"));
        }
        if let Role::Peer(seat) = self.procs[proc].role {
            self.judge.exited(seat, exit);
        }
    }
}

fn event_hash(event: &Event<'_>) -> u64 {
    let id = |id: &chatrpc::machine::MessageId| mix(id.author.0 ^ id.number);
    match event {
        Event::Ready { people, .. } => people.iter().fold(1, |hash, who| mix(hash ^ who.id.0)),
        Event::Joined(who) => mix(who.id.0 ^ 2),
        Event::Left { who, why } => mix(who.id.0 ^ 3) ^ *why as u64,
        Event::Renamed { who, .. } => mix(who.id.0 ^ 4),
        Event::Alike { one, like, others } => {
            like.iter().fold(mix(one.id.0) ^ *others as u64, |hash, who| mix(hash ^ who.id.0))
        }
        Event::Message { id: message, text, .. } => {
            id(message) ^ hash_bytes(text.as_str().as_bytes())
        }
        Event::Sent { id: message, readers, .. } => id(message) ^ *readers as u64,
        Event::Acked { id: message, by, rtt } => {
            id(message) ^ mix(by.id.0 ^ rtt.as_micros() as u64)
        }
        Event::Done { id: message, acked, failed, .. } => {
            failed.iter().fold(id(message) ^ *acked as u64, |hash, (who, _)| mix(hash ^ who.id.0))
        }
        Event::Missing { from, count } => mix(from.id.0 ^ count),
        Event::People(people) => 7 ^ people.len() as u64,
        Event::Nodeset(health) => 8 ^ (*health as u64) << 8,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::world::WorldConfig;

    #[test]
    fn a_datagram_goes_over_as_many_hops_as_it_may() {
        let mut world = World::new(WorldConfig::new(1, 3));
        world.start_registry();
        world.join(1, "alice");
        world.join(2, "bob");
        world.run_for(SECOND).unwrap();
        let (proc, to) = (world.hosts[1].proc.unwrap(), world.addr_of(2));
        for (routers, ttl, arrives) in [
            (0, None, true),
            (0, Some(1), true),
            (0, Some(0), true),
            (2, None, true),
            (2, Some(1), false),
            (2, Some(2), false),
            (2, Some(3), true),
            (2, Some(u8::MAX), true),
            (u8::MAX, Some(u8::MAX), false),
        ] {
            world.link(1, 2).params.routers = routers;
            let before = (world.counters.lost, world.pool.len());
            world.act(proc, Action::Send { to, source: None, ttl, bytes: b"junk" });
            let (lost, carried) = (u64::from(!arrives), usize::from(arrives));
            let after = (before.0 + lost, before.1 + carried);
            assert_eq!((world.counters.lost, world.pool.len()), after, "{ttl:?} over {routers}");
        }
    }
}
