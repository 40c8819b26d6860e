//! Named situations, scripted, each with its bound. Random seeds find what nobody thought of; these
//! say what everybody expects.

mod apart;
mod crowd;
mod doors;
mod hails;
mod links;
mod log;
mod nodeset;
mod people;
mod routers;
mod slow;
mod small;
mod strangers;

use crate::clock::SECOND;
use crate::judge::{Kind, Seat, Violation};
use crate::link::LinkParams;
use crate::workload;
use crate::world::{TraceSink, World, WorldConfig};

/// What a scenario returns.
pub type Verdict = Result<(), Violation>;

/// A named situation.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What must hold.
    pub promise: &'static str,
    /// Plays it.
    play: fn(&mut Stage) -> Verdict,
}

const fn scenario(
    name: &'static str,
    promise: &'static str,
    play: fn(&mut Stage) -> Verdict,
) -> Scenario {
    Scenario { name, promise, play }
}

/// Every scenario.
#[rustfmt::skip]
pub const SCENARIOS: &[Scenario] = &[
    scenario("two_node_hello", "a line and its receipt take one round trip", links::two_node_hello),
    scenario("loss_30_chat", "5 people, 20 lines each, all shown within 10 s", links::loss_30_chat),
    scenario("burst_wifi", "bursts of loss lose nothing", links::burst_wifi),
    scenario("burst_cellular", "bursts of loss lose nothing", links::burst_cellular),
    scenario("burst_satellite", "bursts of loss lose nothing", links::burst_satellite),
    scenario("duplicate_x5", "copies are shown once and answered once", links::duplicate_x5),
    scenario("reorder_2s", "everything is shown in order", links::reorder_2s),
    scenario("late_duplicate_10_min", "old datagrams change nothing", links::late_duplicate_10_min),
    scenario("partition_30s", "nobody leaves, everything arrives", links::partition_30s),
    scenario("partition_5_min", "both sides chat on and merge again", links::partition_5_min),
    scenario("bridge", "who hears both sides keeps both", links::bridge),
    scenario("ring_of_7", "neighbours chat on, and all meet again", links::ring_of_7),
    scenario("slow_lines", "a slow line is not drowned, and whole again after a cut", slow::cut),
    scenario("small_links", "what is large is swallowed: long lines arrive, a room is read", small::small_links),
    scenario("small_one_way", "so they do when one direction swallows it", small::one_way),
    scenario("small_meanwhile", "and when paths become small, and large again", small::meanwhile),
    scenario("small_loss", "loss alone makes no path small for long", small::loss),
    scenario("apart", "who does not hear each other talks through others", apart::meet),
    scenario("apart_relay_dies", "and through the next when one is gone", apart::relay_dies),
    scenario("apart_direct_again", "and directly, once that is possible", apart::direct_again),
    scenario("apart_one_way", "so does who is not heard by one of them", apart::one_way),
    scenario("apart_alone", "whom nobody reaches is waited for, and that is told", apart::nobody_between),
    scenario("nat_relayed", "who cannot meet behind routers talks through a third", routers::relayed),
    scenario("nat_direct", "who has one end in public talks directly", routers::direct),
    scenario("nat_told", "so does whom a third tells of the other one, where routers let that in", routers::told),
    scenario("nat_punched", "two whose routers let in nobody meet when both begin", routers::punched),
    scenario("nat_forgets", "what routers forget is kept, or found anew", routers::forgets),
    scenario("nat_beside", "two behind one router meet inside", routers::beside),
    scenario("nat_alone", "with no third both are told that there is no way", routers::nobody_between),
    scenario("deaf_or_dead", "who does not hear us is told from who is dead", apart::deaf_or_dead),
    scenario("one_way", "a one-way cut disturbs only its pair", links::one_way),
    scenario("crash_author_mid_burst", "a beginning is shown, then the end", people::crash_author),
    scenario("crash_in_a_crowd", "a crash is known to all in seconds, at a cost that does not grow", crowd::crash),
    scenario("restart_same_address", "the new process takes the old one's place", people::restart),
    scenario("restart_elsewhere", "and at another port it is not kept by its ghost", people::restart_elsewhere),
    scenario("laptop_sleep_10_min", "after waking, everybody is back", people::laptop_sleep),
    scenario("sleep_ends_in_3_s", "who wakes is heard, and hears, within 3 s", people::sleep_ends),
    scenario("join_storm_100", "100 people enter in 100 ms", people::join_storm),
    scenario("log_newcomer", "who comes later reads what was said before", log::newcomer),
    scenario("log_author_dies", "what one alone has heard is not lost with its author", log::author_dies),
    scenario("log_split", "two halves that talked apart have everything once", log::split),
    scenario("log_in_order", "no answer is shown before what it answers", log::in_order),
    scenario("goodbye_unheard", "who missed a goodbye learns of it", people::goodbye_unheard),
    scenario("mass_leave", "20 people leave at once and nothing remains", people::mass_leave),
    scenario("flash_restart_20", "20 processes restart at once", people::flash_restart),
    scenario("name_taken", "the second of a name is turned away", people::name_taken),
    scenario("two_alices_after_partition", "both stay and are told apart", people::two_alices),
    scenario("quiet_day_24h", "a quiet day costs little and grows nothing", people::quiet_day),
    scenario("quiet_handshakes", "idle sessions are renewed by age", people::quiet_handshakes),
    scenario("leave_under_loss", "leaving waits for what was said", people::leave_under_loss),
    scenario("message_to_a_dead_peer", "it is named, and nobody waits for it", people::to_the_dead),
    scenario("roaming", "whose address changes every 10 s keeps talking", links::roaming),
    scenario("rebind", "who gets another address stays, and loses nothing", links::rebind),
    scenario("rebind_together", "all who move at one instant meet again", links::rebind_together),
    scenario("rebind_without_nodeset", "they meet 10 s after it is back", links::rebind_without_nodeset),
    scenario("rebind_in_silence", "who moves while nobody speaks stays", links::rebind_in_silence),
    scenario("rebind_while_others_talk", "who has moved is found", links::rebind_while_others_talk),
    scenario("nodeset_dies_for_ever", "the room goes on", nodeset::dies_for_ever),
    scenario("nodeset_restarts_empty", "nobody notices", nodeset::restarts_empty),
    scenario("nodeset_stale_entry", "the dead do not hold up the living", nodeset::stale_entry),
    scenario("through_a_member", "without a nodeset people come in through members", doors::member),
    scenario("through_two_members", "who comes through different ones meets", doors::two_members),
    scenario("through_who_leaves", "who let others in may leave, or die", doors::who_leaves),
    scenario("storm_through_a_member", "40 come in through one at once", doors::storm),
    scenario("found_one_by_one", "who is told of nobody finds the room on the wire", hails::one_by_one),
    scenario("found_at_once", "of many who begin at one moment one opens it", hails::at_once),
    scenario("two_rooms_on_a_wire", "two that began apart become one", hails::two_rooms),
    scenario("a_sealed_room_beside", "who has not the secret is met with silence", hails::beside),
    scenario("told_and_untold", "who came through a nodeset lets in who is told of none", hails::told_and_untold),
    scenario("big_room", "200 people 50 ms away are met in 1.3 s, in 5 s with loss", nodeset::big_room),
    scenario("random_datagrams", "a million forgeries change nothing", strangers::random_datagrams),
    scenario("spoofed_flood", "a flood draws little, and delays nobody", strangers::spoofed_flood),
    scenario("redirected", "who passes datagrams on moves nobody", strangers::redirected),
    scenario("mutated_datagrams", "spoilt genuine ones show nothing", strangers::mutated_datagrams),
];

/// Plays the scenario of that name.
///
/// # Errors
///
/// The law that was broken.
///
/// # Panics
///
/// When there is none of that name.
pub fn play(name: &str, trace: Option<TraceSink>) -> Verdict {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
    let scenario = scenario.unwrap_or_else(|| panic!("no scenario is called {name}"));
    (scenario.play)(&mut Stage { world: None, trace })
}

/// A world to script on. Made by `Stage::room`.
pub struct Stage {
    world: Option<World>,
    trace: Option<TraceSink>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("world", &self.world).finish()
    }
}

impl Stage {
    fn empty(&mut self, hosts: usize) {
        self.drawn(1, hosts);
    }

    /// A world of that seed.
    fn drawn(&mut self, seed: u64, hosts: usize) {
        let mut world = World::new(WorldConfig::new(seed, hosts));
        if let Some(trace) = self.trace.take() {
            world.trace_to(trace);
        }
        self.world = Some(world);
    }

    /// A calm room: a nodeset, so many people who see each other, and computers to spare.
    fn room(&mut self, people: usize, spare: usize) -> Verdict {
        self.empty(people + spare + 1);
        self.world().start_registry();
        for host in 1..=people {
            self.join(host);
        }
        self.agree_within(5)
    }

    fn world(&mut self) -> &mut World {
        self.world.as_mut().expect("a scenario begins with a room")
    }

    fn seen(&self) -> &World {
        self.world.as_ref().expect("a scenario begins with a room")
    }

    fn join(&mut self, host: usize) {
        self.world().join(host, &workload::name(host));
    }

    fn join_through(&mut self, host: usize, door: usize) {
        self.world().join_through(host, &workload::name(host), door);
    }

    fn say(&mut self, host: usize, line: &str) {
        self.world().say(host, line);
    }

    fn ms(&mut self, ms: u64) -> Verdict {
        self.world().run_for(ms * 1_000)
    }

    fn secs(&mut self, s: u64) -> Verdict {
        self.world().run_for(s * SECOND)
    }

    fn links(&mut self, mut change: impl FnMut(&mut LinkParams)) {
        self.world().each_link(|_, _, link| change(&mut link.params));
    }

    /// Cuts the links for which `cut` holds, and mends all others.
    fn cut(&mut self, cut: impl Fn(usize, usize) -> bool) {
        self.world().each_link(|from, to, link| link.cuts = u8::from(cut(from, to)));
    }

    fn mend(&mut self) {
        self.cut(|_, _| false);
    }

    /// The newest seat of a computer.
    fn seat(&self, host: usize) -> &Seat {
        let seats = self.seen().judge.seats();
        let newest = seats.iter().rev().find(|seat| usize::from(seat.host) == host);
        newest.expect("somebody was on that computer")
    }

    fn delivered(&self) -> u64 {
        self.seen().judge.deliveries
    }

    /// Everybody on the first computers says so many lines, with a pause after each round.
    fn chat(&mut self, people: usize, lines: u64, pause_ms: u64) -> Verdict {
        for n in 0..lines {
            for host in 1..=people {
                self.say(host, &format!("line {n} of {host}"));
            }
            self.ms(pause_ms)?;
        }
        Ok(())
    }

    /// It must hold within so many seconds.
    fn within(&mut self, s: u64, what: &str, holds: impl Fn(&Self) -> bool) -> Verdict {
        let until = self.seen().now() + s * SECOND;
        while !holds(self) {
            if self.seen().now() >= until {
                let text = format!("not within {s} s: {what}");
                return Err(self.seen().violation(Kind::Liveness, "L7", 0, text));
            }
            self.ms(50)?;
        }
        Ok(())
    }

    /// It must hold.
    fn holds(&self, what: &str, holds: bool) -> Verdict {
        if holds {
            return Ok(());
        }
        Err(self.seen().violation(Kind::Safety, "scenario", 0, format!("does not hold: {what}")))
    }

    /// Everybody who lives sees exactly everybody else, within so many seconds.
    fn agree_within(&mut self, s: u64) -> Verdict {
        let agreed = self
            .within(s, "everybody sees everybody", |stage| stage.seen().judge.converged().is_ok());
        agreed.map_err(|mut violation| {
            if let Err((seat, text)) = self.seen().judge.converged() {
                violation.host = self.seen().judge.seats()[seat].host;
                violation.text = format!("{}: {text}", violation.text);
            }
            violation
        })
    }

    /// Everything that was said is settled within so many seconds.
    fn settle_within(&mut self, s: u64) -> Verdict {
        self.within(s, "everything said is settled", Self::is_settled)
    }

    fn is_settled(&self) -> bool {
        self.seen().judge.seats().iter().all(|seat| {
            seat.status == crate::judge::Status::Gone || seat.said.iter().all(|said| said.done)
        })
    }

    fn nobody_came_or_went(&self) -> Verdict {
        let seats = self.seen().judge.seats();
        let shown = seats.iter().find(|seat| seat.tally.left > 0);
        self.holds(&format!("nobody left, as {:?} shows", shown.map(|s| s.host)), shown.is_none())
    }

    fn tables(&self) -> Vec<(usize, &'static str, usize)> {
        let hosts = 0..self.seen().config.hosts;
        let on = |host| self.seen().machine_on(host).map(|machine| (host, machine.footprint()));
        let rows = hosts.filter_map(on);
        rows.flat_map(|(host, tables)| tables.into_iter().map(move |t| (host, t.name, t.len)))
            .collect()
    }
}
