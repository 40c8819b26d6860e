//! Two who do not hear each other, and others who hear both.

use super::routers::{MANY_WORLDS, bounded, takes};
use super::{Stage, Verdict};
use crate::workload;

/// 1 and 2 do not hear each other.
fn apart(from: usize, to: usize) -> bool {
    (from, to) == (1, 2) || (to, from) == (1, 2)
}

/// So many people, the first two of whom do not hear each other.
fn enter(stage: &mut Stage, seed: u64, people: usize, loss_ppm: u32) {
    stage.drawn(seed, people + 1);
    stage.links(|link| (link.loss_ppm, link.delay_us) = (loss_ppm, 25_000));
    stage.cut(apart);
    stage.world().start_registry();
    (1..=people).for_each(|host| stage.join(host));
}

/// They meet, the two through others.
fn room(stage: &mut Stage, people: usize, loss_ppm: u32, s: u64) -> Verdict {
    enter(stage, 1, people, loss_ppm);
    stage.agree_within(s)
}

/// Those on the first computers say some lines, and everybody of the people has them within so many
/// seconds.
fn all_hear(stage: &mut Stage, talkers: usize, people: usize, s: u64) -> Verdict {
    let before = stage.delivered();
    stage.chat(talkers, 5, 100)?;
    let all = (5 * talkers * (people - 1)) as u64;
    stage.within(s, "every line is shown", |stage| stage.delivered() == before + all)?;
    stage.nobody_came_or_went()
}

/// As behind two routers that let nobody in. They meet, and go on when what they have breaks down.
pub(super) fn meet(stage: &mut Stage) -> Verdict {
    for (loss_ppm, worlds, bounds) in [
        (0, 1, [2_000, 2_000]),
        (100_000, 20, [2_000, 5_000]),
        (300_000, MANY_WORLDS, [5_000, 45_000]),
    ] {
        for people in [3, 6] {
            let (mut met, mut said) = (Vec::new(), Vec::new());
            for seed in 1..=worlds {
                enter(stage, seed, people, loss_ppm);
                met.push(takes(stage, |stage| stage.seen().judge.converged().is_ok())?);
                // An hour of little: pings keep the way open.
                for pause in [0, if loss_ppm == 0 { 3_600 } else { 300 }] {
                    stage.secs(pause)?;
                    let before = stage.delivered();
                    stage.chat(people, 5, 100)?;
                    let all = before + (5 * people * (people - 1)) as u64;
                    said.push(takes(stage, |stage| {
                        stage.delivered() == all && stage.is_settled()
                    })?);
                    stage.nobody_came_or_went()?;
                }
            }
            let what = format!("{people} people with {loss_ppm} ppm");
            bounded(stage, &format!("{what} meet"), met, bounds)?;
            bounded(stage, &format!("{what} are heard"), said, bounds)?;
        }
    }
    Ok(())
}

/// Whoever passes things on may go, one after the other.
pub(super) fn relay_dies(stage: &mut Stage) -> Verdict {
    room(stage, 5, 0, 2)?;
    for relay in [3, 4] {
        let alive = 8 - relay;
        all_hear(stage, 2, alive, 1)?;
        stage.world().kill(relay);
        let before = stage.delivered();
        stage.say(1, "still there?");
        stage.say(2, "I am");
        let both = 2 * (alive as u64 - 2);
        stage.within(8, "both lines are shown", |stage| stage.delivered() == before + both)?;
    }
    Ok(())
}

/// As soon as there is a direct way, it is used.
pub(super) fn direct_again(stage: &mut Stage) -> Verdict {
    for talking in [false, true] {
        room(stage, 3, 0, 2)?;
        stage.secs(120)?;
        stage.mend();
        // Who hears somebody all the time has no reason to follow them elsewhere, but that it is shorter.
        if talking {
            stage.chat(3, 250, 300)?;
        } else {
            stage.secs(75)?;
        }
        let before = stage.seen().bytes_between(1, 3);
        for n in 0..20 {
            stage.say(1, &format!("/msg {} line {n}, for you alone", workload::name(2)));
            stage.ms(50)?;
        }
        let passed = stage.seen().bytes_between(1, 3) - before;
        stage.holds(&format!("nothing goes through the relay, {passed} bytes"), passed < 500)?;
        stage.world().kill(3);
        all_hear(stage, 2, 2, 1)?;
    }
    Ok(())
}

/// 2 does not hear 1, who hears 2: what 1 says goes through somebody else.
pub(super) fn one_way(stage: &mut Stage) -> Verdict {
    for (loss_ppm, s) in [(0, 8), (300_000, 20)] {
        stage.room(3, 0)?;
        stage.links(|link| link.loss_ppm = loss_ppm);
        stage.cut(|from, to| (from, to) == (1, 2));
        all_hear(stage, 3, 3, s)?;
        stage.secs(120)?;
        all_hear(stage, 3, 3, s)?;
        stage.settle_within(s)?;
    }
    Ok(())
}

/// Nobody hears both: each is told that there is no way, what they say waits for that long, and no `done`
/// leaves the other out. What has waited is settled once they hear each other.
pub(super) fn nobody_between(stage: &mut Stage) -> Verdict {
    for (loss_ppm, worlds, bounds) in
        [(0, 1, [15_000, 15_000]), (300_000, MANY_WORLDS, [12_000, 40_000])]
    {
        let (mut took, mut gone) = (Vec::new(), 0);
        for seed in 1..=worlds {
            enter(stage, seed, 2, loss_ppm);
            let told = |stage: &Stage| [1, 2].iter().all(|&host| stage.seat(host).tally.lost == 1);
            stage.within(30, "both are told", told)?;
            all_wait(stage, 1)?;
            // For longer than anybody counts as present who is not heard, while the nodeset hears both.
            stage.secs(300)?;
            // Where much is lost a nodeset takes somebody for gone now and then.
            if stage.nobody_came_or_went().is_err() {
                gone += 1;
                continue;
            }
            all_wait(stage, 2)?;
            stage.mend();
            took.push(takes(stage, |stage| stage.delivered() == 4 && stage.is_settled())?);
            let found = [1, 2].iter().all(|&host| stage.seat(host).tally.found == 1);
            stage.holds("both are told of the way", found)?;
        }
        stage.holds(&format!("{gone} of {worlds} saw somebody leave"), gone * 10 <= worlds)?;
        bounded(stage, &format!("with {loss_ppm} ppm"), took, bounds)?;
    }
    Ok(())
}

/// Both say a line, the so-manieth, and nobody is done.
fn all_wait(stage: &mut Stage, lines: usize) -> Verdict {
    [1, 2].into_iter().for_each(|host| stage.say(host, "are you there?"));
    stage.secs(10)?;
    let waits = |host: &usize| {
        let said = &stage.seat(*host).said;
        said.len() == lines && said.iter().all(|said| !said.done && said.waiting().count() == 1)
    };
    stage.holds("what is said waits for the other", [1, 2].iter().all(waits))
}

/// Of two, one does not hear the other, who is told that; of somebody who has died that is not said.
pub(super) fn deaf_or_dead(stage: &mut Stage) -> Verdict {
    for dies in [false, true] {
        stage.room(2, 0)?;
        if dies {
            stage.world().kill(2);
        } else {
            stage.cut(|from, to| (from, to) == (1, 2));
        }
        let told = |stage: &Stage| stage.seat(1).tally.lost > 0;
        stage.say(1, "can you hear me?");
        for _ in 0..20 {
            if !dies {
                stage.say(2, "you are so quiet");
            }
            stage.secs(1)?;
        }
        stage.holds("it is told within 20 s", told(stage))?;
        let deaf = stage.seat(1).tally.deaf;
        stage.holds("who is heard is deaf, and nobody else", deaf == u64::from(!dies))?;
    }
    Ok(())
}
