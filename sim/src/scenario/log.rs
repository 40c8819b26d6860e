//! What was said is kept, and handed on by whoever has it.

use super::{Stage, Verdict};

/// Each way loses that share, and repeats and delays some of the rest.
fn bad(stage: &mut Stage, loss_ppm: u32) {
    stage.links(|link| {
        (link.loss_ppm, link.delay_us) = (loss_ppm, 25_000);
        (link.copy_ppm, link.copies_max) = (loss_ppm / 10, 2);
        (link.hold_ppm, link.hold) = (loss_ppm / 10, 5);
    });
}

/// Who comes later reads what was said before, also by somebody who has died.
pub(super) fn newcomer(stage: &mut Stage) -> Verdict {
    for (loss_ppm, s) in [(0, 2), (100_000, 3), (300_000, 8)] {
        stage.room(4, 1)?;
        bad(stage, loss_ppm);
        stage.chat(3, 10, 100)?;
        stage.settle_within(10)?;
        stage.world().kill(3);
        stage.join(5);
        let reads = |stage: &Stage| stage.seat(5).tally.handed_on == 30;
        stage.within(s, "who comes reads thirty lines", reads)?;
    }
    Ok(())
}

/// What one alone has heard is not lost with its author.
pub(super) fn author_dies(stage: &mut Stage) -> Verdict {
    for (loss_ppm, s) in [(0, 20), (100_000, 25), (300_000, 60)] {
        stage.room(5, 0)?;
        bad(stage, loss_ppm);
        stage.cut(|from, to| [from, to].contains(&1) && from.max(to) > 2);
        let before = stage.delivered();
        stage.say(1, "only one of you hears this");
        stage.within(3, "one has it", |stage| stage.delivered() > before)?;
        stage.world().kill(1);
        stage.within(s, "all have it", |stage| stage.delivered() == before + 4)?;
    }
    Ok(())
}

/// Two halves go on talking while they do not hear each other. Then all have all, and nothing twice.
pub(super) fn split(stage: &mut Stage) -> Verdict {
    for (loss_ppm, s) in [(0, 5), (100_000, 10), (300_000, 40)] {
        stage.room(6, 0)?;
        bad(stage, loss_ppm);
        let before = stage.delivered();
        stage.cut(|from, to| from.min(to) > 0 && (from <= 3) != (to <= 3));
        for _ in 0..10 {
            stage.chat(6, 1, 100)?;
            stage.secs(4)?;
        }
        stage.mend();
        let all = before + 10 * 6 * 5;
        stage.within(s, "everybody has everything", |stage| stage.delivered() == all)?;
        stage.settle_within(30)?;
        stage.nobody_came_or_went()?;
    }
    Ok(())
}

/// Nobody is shown an answer before what it answers; where much is lost that does not come within 2 s now and then.
pub(super) fn in_order(stage: &mut Stage) -> Verdict {
    for (loss_ppm, most) in [(0, 0), (100_000, 0), (300_000, 10)] {
        stage.room(5, 0)?;
        bad(stage, loss_ppm);
        let before = stage.delivered();
        stage.chat(5, 100, 150)?;
        stage
            .within(30, "everything is shown", |stage| stage.delivered() == before + 100 * 5 * 4)?;
        let early: u64 = (1..=5).map(|host| stage.seat(host).tally.early).sum();
        stage.holds(
            &format!("{loss_ppm} ppm: {early} of 2000 lines before what their author had seen"),
            early <= most,
        )?;
    }
    Ok(())
}
