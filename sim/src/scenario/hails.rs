//! People on one wire who are told of nobody, and find each other.

use chatrpc::machine::{Name, Room, SECRET, Secret};

use super::{Stage, Verdict};
use crate::workload;

/// So many computers on a wire, and as many beside them for the nodesets that they open.
fn wire(stage: &mut Stage, people: usize, loss_ppm: u32) {
    stage.empty(2 * people + 1);
    stage.world().each_link(|from, to, link| {
        // Both are one computer.
        let same = from.abs_diff(to) == people;
        (link.params.delay_us, link.params.loss_ppm) = (1_000, if same { 0 } else { loss_ppm });
    });
}

fn come(stage: &mut Stage, people: usize, host: usize) {
    stage.world().join_around(host, &workload::name(host), host + people, None);
}

/// Whether so many processes have opened a room.
fn opened(stage: &Stage, people: usize) -> usize {
    (people + 1..=2 * people).filter(|&host| stage.seen().machine_on(host).is_some()).count()
}

/// One opens the room, and the others come in, one after the other.
pub(super) fn one_by_one(stage: &mut Stage) -> Verdict {
    for loss_ppm in [0, 100_000, 300_000] {
        wire(stage, 5, loss_ppm);
        for host in 1..=5 {
            come(stage, 5, host);
            stage.secs(4)?;
        }
        stage.agree_within(20)?;
        stage.holds("only the first opens a room", loss_ppm > 0 || opened(stage, 5) == 1)?;
        let before = stage.delivered();
        stage.chat(5, 3, 100)?;
        stage.within(10, "every line is shown", |stage| stage.delivered() == before + 60)?;
        stage.secs(120)?;
        stage.nobody_came_or_went()?;
    }
    Ok(())
}

/// Many at one moment: one of them opens the room.
pub(super) fn at_once(stage: &mut Stage) -> Verdict {
    for (people, loss_ppm, s) in [(2, 0, 3), (20, 0, 5), (2, 300_000, 40), (20, 300_000, 90)] {
        wire(stage, people, loss_ppm);
        (1..=people).for_each(|host| come(stage, people, host));
        stage.agree_within(s)?;
        stage.holds("one opens the room", loss_ppm > 0 || opened(stage, people) == 1)?;
        stage.nobody_came_or_went()?;
    }
    Ok(())
}

/// Two open the room without hearing each other, and each lets somebody in; then they are on one wire.
pub(super) fn two_rooms(stage: &mut Stage) -> Verdict {
    for (people, loss_ppm, s) in [(2, 0, 40), (6, 0, 60), (6, 300_000, 150)] {
        wire(stage, people, loss_ppm);
        let side = |host: usize| (host + people) % people % 2;
        stage.cut(|from, to| side(from) != side(to));
        for host in 1..=people {
            come(stage, people, host);
            stage.secs(2)?;
        }
        stage.secs(20)?;
        stage.holds("there are two rooms", opened(stage, people) >= 2)?;
        stage.mend();
        let met = |stage: &Stage, host: usize| {
            let others = (1..=people).filter(|&other| side(other) != side(host));
            let ids: Vec<_> = others.map(|other| stage.seat(other).id).collect();
            stage.seat(host).people.iter().any(|who| ids.contains(&who.id))
        };
        stage.within(s, "one meets one", |stage| (1..=people).any(|host| met(stage, host)))?;
        // And with them all meet all, but for what is lost.
        stage.agree_within(if loss_ppm == 0 { 3 } else { s })?;
        stage.nobody_came_or_went()?;
        let hails = stage.seen().hails().len();
        stage.secs(320)?;
        let more = stage.seen().hails().len() - hails;
        stage.holds(&format!("one room hails seldom: {more} times"), more <= 40)?;
    }
    Ok(())
}

/// A room with a secret is on the wire as well: neither hears of the other.
pub(super) fn beside(stage: &mut Stage) -> Verdict {
    wire(stage, 4, 0);
    stage.world().captured = Some(Vec::new());
    let secret = Secret::new([7; SECRET]);
    let sealed = Room::new(Name::parse("sealed").expect("a name"), Some(&secret));
    for host in 1..=4 {
        let room = (host > 2).then(|| sealed.clone());
        stage.world().join_around(host, &workload::name(host), host + 4, room);
        stage.secs(3)?;
    }
    stage.secs(60)?;
    for (host, other) in [(1, 2), (2, 1), (3, 4), (4, 3)] {
        let people = &stage.seat(host).people;
        let met = people.len() == 1 && people[0].id == stage.seat(other).id;
        stage.holds(&format!("{host} meets {other} and nobody else"), met)?;
        for beyond in [1, 2, 3, 4] {
            let bytes = stage.seen().bytes_between(host, beyond);
            let together = (host > 2) == (beyond > 2);
            stage.holds(&format!("{host} says nothing to {beyond}"), together || bytes == 0)?;
        }
    }
    Ok(())
}

/// Who came in through a nodeset lets in who is told of none.
pub(super) fn told_and_untold(stage: &mut Stage) -> Verdict {
    wire(stage, 4, 0);
    stage.world().start_registry();
    for host in [1, 2] {
        stage.world().join_and_answer(host, &workload::name(host), 0);
        stage.secs(1)?;
    }
    come(stage, 4, 3);
    stage.agree_within(2)?;
    stage.holds("nobody opens a room", opened(stage, 4) == 0)?;
    come(stage, 4, 4);
    stage.agree_within(2)?;
    stage.nobody_came_or_went()
}
