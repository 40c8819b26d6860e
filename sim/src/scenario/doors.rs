//! Coming in through a member, when the nodeset is dead.

use super::{Stage, Verdict};

/// So many people whose nodeset is dead, and computers to spare.
fn room(stage: &mut Stage, people: usize, spare: usize, loss_ppm: u32) -> Verdict {
    stage.room(people, spare)?;
    stage.links(|link| (link.loss_ppm, link.delay_us) = (loss_ppm, 25_000));
    stage.world().kill(0);
    Ok(())
}

/// Somebody comes in through a member, and talks with all; so does the next one, through them.
pub(super) fn member(stage: &mut Stage) -> Verdict {
    for (loss_ppm, s) in [(0, 2), (100_000, 5), (300_000, 40)] {
        room(stage, 4, 2, loss_ppm)?;
        for (host, door) in [(5, 2), (6, 5)] {
            stage.join_through(host, door);
            stage.agree_within(s)?;
            let before = stage.delivered();
            stage.chat(host, 3, 100)?;
            let all = (3 * host * (host - 1)) as u64;
            stage.within(s, "every line is shown", |stage| stage.delivered() == before + all)?;
            stage.settle_within(s)?;
        }
        stage.secs(120)?;
        stage.nobody_came_or_went()?;
        stage.world().start_registry();
        stage.secs(90)?;
        stage.nobody_came_or_went()?;
    }
    Ok(())
}

/// Two come in at one moment through two who do not know of it.
pub(super) fn two_members(stage: &mut Stage) -> Verdict {
    for loss_ppm in [0, 300_000] {
        room(stage, 4, 2, loss_ppm)?;
        stage.join_through(5, 1);
        stage.join_through(6, 2);
        stage.agree_within(if loss_ppm == 0 { 2 } else { 20 })?;
        stage.nobody_came_or_went()?;
    }
    Ok(())
}

/// Those who let others in die before these have heard of each other: they ask others then, and meet. Whoever
/// comes later through anybody is met.
pub(super) fn who_leaves(stage: &mut Stage) -> Verdict {
    for loss_ppm in [0, 300_000] {
        room(stage, 3, 4, loss_ppm)?;
        stage.join_through(4, 1);
        stage.join_through(5, 2);
        let ready = |stage: &Stage, host| !stage.seat(host).people.is_empty();
        stage.within(15, "both are in", |stage| ready(stage, 4) && ready(stage, 5))?;
        stage.world().kill(1);
        stage.world().kill(2);
        stage.agree_within(120)?;
        stage.join_through(6, 4);
        stage.join_through(7, 5);
        stage.agree_within(50)?;
        let told: u64 = (3..=7).map(|host| stage.seat(host).tally.silent).sum();
        stage.holds("nobody who asks members is told that a nodeset is silent", told == 1)?;
    }
    Ok(())
}

/// Many at once.
pub(super) fn storm(stage: &mut Stage) -> Verdict {
    room(stage, 2, 40, 0)?;
    (3..=42).for_each(|host| stage.join_through(host, 1));
    stage.agree_within(5)?;
    stage.nobody_came_or_went()
}
