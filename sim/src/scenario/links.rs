//! What links do.

use super::{Stage, Verdict};
use crate::link::burst;

const PEOPLE: usize = 5;
const LINES: u64 = 20;
/// Five people, twenty lines each, four readers.
const ALL: u64 = 400;

fn all_shown(stage: &mut Stage, s: u64) -> Verdict {
    stage.within(s, "all 400 deliveries", |stage| stage.delivered() == ALL)?;
    stage.settle_within(s)?;
    stage.nobody_came_or_went()
}

pub(super) fn two_node_hello(stage: &mut Stage) -> Verdict {
    stage.room(2, 0)?;
    stage.say(1, "hello");
    stage.ms(11)?;
    stage.holds("shown after one way", stage.delivered() == 1)?;
    stage.ms(30)?;
    stage.holds("confirmed after the way back", stage.seat(1).said[0].done)?;
    stage.nobody_came_or_went()
}

pub(super) fn loss_30_chat(stage: &mut Stage) -> Verdict {
    stage.room(PEOPLE, 0)?;
    stage.links(|link| link.loss_ppm = 300_000);
    stage.chat(PEOPLE, LINES, 100)?;
    all_shown(stage, 8)
}

fn bursts(stage: &mut Stage, name: &str) -> Verdict {
    stage.room(PEOPLE, 0)?;
    stage.links(|link| link.burst = burst(name));
    stage.chat(PEOPLE, LINES, 100)?;
    all_shown(stage, 8)
}

pub(super) fn burst_wifi(stage: &mut Stage) -> Verdict {
    bursts(stage, "wifi")
}

pub(super) fn burst_cellular(stage: &mut Stage) -> Verdict {
    bursts(stage, "cellular")
}

pub(super) fn burst_satellite(stage: &mut Stage) -> Verdict {
    bursts(stage, "satellite")
}

pub(super) fn duplicate_x5(stage: &mut Stage) -> Verdict {
    let chat = |stage: &mut Stage| {
        stage.chat(PEOPLE, LINES, 100)?;
        all_shown(stage, 8)
    };
    stage.room(PEOPLE, 0)?;
    chat(stage)?;
    let once = stage.seen().counters.datagrams;
    stage.room(PEOPLE, 0)?;
    stage.links(|link| (link.copy_ppm, link.copies_max) = (1_000_000, 5));
    chat(stage)?;
    let copied = stage.seen().counters.datagrams;
    stage.holds(&format!("{copied} sent instead of {once}"), copied <= once * 6)
}

pub(super) fn reorder_2s(stage: &mut Stage) -> Verdict {
    stage.room(PEOPLE, 0)?;
    stage.links(|link| link.jitter_us = 2_000_000);
    stage.chat(PEOPLE, LINES, 100)?;
    all_shown(stage, 20)
}

/// Everything comes again ten minutes later, when one of them is another process.
pub(super) fn late_duplicate_10_min(stage: &mut Stage) -> Verdict {
    stage.room(PEOPLE, 0)?;
    stage.links(|link| {
        (link.late_ppm, link.late_min_us, link.late_max_us) = (1_000_000, 600_000_000, 601_000_000);
    });
    stage.chat(PEOPLE, LINES, 100)?;
    all_shown(stage, 5)?;
    stage.links(|link| link.late_ppm = 0);
    stage.secs(300)?;
    stage.world().kill(2);
    stage.join(2);
    stage.agree_within(90)?;
    let joined: Vec<u64> = (1..=PEOPLE).map(|host| stage.seat(host).tally.joined).collect();
    stage.secs(900)?;
    stage.holds("nothing is shown again", stage.delivered() == ALL)?;
    let later: Vec<u64> = (1..=PEOPLE).map(|host| stage.seat(host).tally.joined).collect();
    stage.holds("nobody came again", joined == later)?;
    stage.agree_within(1)
}

/// Computers 3 to 5 on one side; 1, 2 and the nodeset on the other.
fn sides(from: usize, to: usize) -> bool {
    (from >= 3) != (to >= 3)
}

pub(super) fn partition_30s(stage: &mut Stage) -> Verdict {
    stage.room(PEOPLE, 0)?;
    stage.cut(sides);
    stage.chat(PEOPLE, LINES, 1_500)?;
    stage.mend();
    all_shown(stage, 15)
}

pub(super) fn partition_5_min(stage: &mut Stage) -> Verdict {
    stage.room(PEOPLE, 0)?;
    stage.cut(sides);
    stage.secs(200)?;
    stage.holds("1 misses the other side", stage.seat(1).people.len() == 1)?;
    stage.holds("3 misses the other side", stage.seat(3).people.len() == 2)?;
    let before = stage.delivered();
    stage.chat(PEOPLE, 5, 1_000)?;
    stage.holds("both sides chat on", stage.delivered() == before + 5 * (2 + 6))?;
    stage.secs(95)?;
    stage.mend();
    stage.agree_within(45)?;
    let before = stage.delivered();
    stage.chat(PEOPLE, 1, 1_000)?;
    stage.holds("everybody hears everybody", stage.delivered() == before + 20)?;
    stage.settle_within(5)
}

pub(super) fn bridge(stage: &mut Stage) -> Verdict {
    stage.room(PEOPLE, 0)?;
    let side = |host: usize| match host {
        1 | 2 => 1,
        4 | 5 => 2,
        _ => 0,
    };
    stage.cut(|from, to| side(from) * side(to) == 2);
    stage.secs(120)?;
    stage.holds("3 keeps both sides", stage.seat(3).people.len() == 4)?;
    let before = stage.delivered();
    stage.say(3, "you all hear me");
    stage.secs(1)?;
    stage.holds("both sides hear 3", stage.delivered() == before + 4)?;
    stage.mend();
    stage.agree_within(45)?;
    stage.chat(PEOPLE, 1, 1_000)?;
    stage.settle_within(5)
}

pub(super) fn ring_of_7(stage: &mut Stage) -> Verdict {
    stage.room(7, 0)?;
    stage.cut(|from, to| {
        let apart = (from + 7 - to.min(from + 6)) % 7;
        from != 0 && to != 0 && from != to && apart != 1 && apart != 6
    });
    stage.secs(120)?;
    let before = stage.delivered();
    stage.chat(7, 3, 1_000)?;
    // Who is next to a neighbour is reached through them; those behind them have it from whoever heard it.
    let has_all = |stage: &Stage| {
        let others: u64 = (1..=7).map(|host| stage.seat(host).tally.handed_on).sum();
        stage.delivered() - before + others == 7 * 3 * 6
    };
    stage.within(60, "everybody has it from neighbours", has_all)?;
    stage.mend();
    stage.agree_within(45)?;
    stage.settle_within(5)?;
    stage.chat(7, 1, 1_000)?;
    stage.settle_within(5)
}

pub(super) fn one_way(stage: &mut Stage) -> Verdict {
    stage.room(PEOPLE, 0)?;
    stage.cut(|from, to| (from, to) == (1, 2));
    stage.chat(PEOPLE, 5, 500)?;
    stage.secs(117)?;
    let undisturbed = (3..=5).all(|host| stage.seat(host).tally.left == 0);
    stage.holds("the others see nothing of it", undisturbed)?;
    stage.mend();
    stage.agree_within(45)?;
    stage.chat(PEOPLE, 1, 1_000)?;
    stage.settle_within(5)
}

pub(super) fn rebind(stage: &mut Stage) -> Verdict {
    stage.room(4, 0)?;
    for round in 0..8 {
        let host = 1 + round % 4;
        stage.world().rebind(host);
        stage.chat(4, 3, 100)?;
        stage.settle_within(15)?;
    }
    stage.nobody_came_or_went()
}

pub(super) fn rebind_together(stage: &mut Stage) -> Verdict {
    stage.room(4, 0)?;
    for pause in [0, 1, 5, 12] {
        stage.secs(pause)?;
        (1..=4).for_each(|host| stage.world().rebind(host));
        stage.chat(4, 1, 1)?;
        // Five seconds after the last renewal, at the latest.
        stage.settle_within(6)?;
    }
    // Nobody says anything: a ping finds out.
    (1..=4).for_each(|host| stage.world().rebind(host));
    stage.secs(19)?;
    stage.chat(4, 1, 1)?;
    stage.settle_within(1)?;
    stage.nobody_came_or_went()
}

/// All move, and nobody is there to be asked where to. They look for each other in ever longer pauses;
/// how often they ask does not follow from that.
pub(super) fn rebind_without_nodeset(stage: &mut Stage) -> Verdict {
    for away in 5..48 {
        stage.room(3, 0)?;
        stage.secs(3)?;
        stage.world().kill(0);
        (1..=3).for_each(|host| stage.world().rebind(host));
        stage.chat(3, 1, 1)?;
        stage.secs(away)?;
        stage.world().start_registry();
        // Whoever has lost sight of somebody asks a silent nodeset every ten seconds.
        stage.settle_within(10)?;
        stage.nobody_came_or_went()?;
    }
    Ok(())
}

/// Whoever moves while they are asked whether they are there is asked again.
pub(super) fn rebind_in_silence(stage: &mut Stage) -> Verdict {
    for n in 0..60 {
        stage.room(3, 0)?;
        stage.links(|link| link.loss_ppm = 200_000);
        stage.secs(10)?;
        for host in 1..=3 {
            stage.ms(100 + n * 37)?;
            stage.world().rebind(host);
        }
        stage.secs(30)?;
        stage.links(|link| link.loss_ppm = 0);
        stage.secs(150)?;
        stage.nobody_came_or_went()?;
    }
    Ok(())
}

pub(super) fn roaming(stage: &mut Stage) -> Verdict {
    stage.room(4, 0)?;
    let before = stage.delivered();
    for _ in 0..18 {
        stage.world().rebind(1);
        stage.chat(4, 4, 2_500)?;
    }
    stage.settle_within(15)?;
    stage.holds("all is heard", stage.delivered() == before + 18 * 4 * 4 * 3)?;
    stage.nobody_came_or_went()
}

pub(super) fn rebind_while_others_talk(stage: &mut Stage) -> Verdict {
    stage.room(3, 0)?;
    stage.links(|link| link.loss_ppm = 100_000);
    stage.world().rebind(1);
    // Who has moved says nothing; the others must find the new address all the same.
    stage.say(2, "are you there?");
    stage.say(3, "hello?");
    stage.settle_within(45)?;
    stage.nobody_came_or_went()
}
