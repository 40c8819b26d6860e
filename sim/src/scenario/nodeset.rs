//! What the nodeset does.

use super::{Stage, Verdict};
use crate::clock::SECOND;

pub(super) fn dies_for_ever(stage: &mut Stage) -> Verdict {
    stage.room(5, 0)?;
    stage.world().kill(0);
    stage.secs(600)?;
    stage.nobody_came_or_went()?;
    let before = stage.delivered();
    stage.chat(5, 5, 200)?;
    stage.secs(1)?;
    stage.holds("the room goes on", stage.delivered() == before + 100)?;
    stage.say(5, "/nick zogo");
    stage.say(4, "/quit");
    stage.agree_within(3)
}

pub(super) fn restarts_empty(stage: &mut Stage) -> Verdict {
    stage.room(5, 1)?;
    let shown = |stage: &Stage| -> Vec<_> { (1..=5).map(|host| stage.seat(host).tally).collect() };
    let before = shown(stage);
    stage.world().kill(0);
    stage.secs(10)?;
    stage.world().start_registry();
    stage.secs(10)?;
    stage.join(6);
    stage.agree_within(25)?;
    stage.secs(60)?;
    let once = |(early, late): (&crate::judge::Tally, &crate::judge::Tally)| {
        late.joined == early.joined + 1 && late.left == 0
    };
    let quiet = before.iter().zip(&shown(stage)).all(once);
    stage.holds("nobody but the newcomer is shown", quiet)
}

pub(super) fn big_room(stage: &mut Stage) -> Verdict {
    stage.room(200, 2)?;
    for (host, loss_ppm, limit_ms) in [(201, 0, 1_300), (202, 300_000, 5_000)] {
        stage.links(|link| {
            link.delay_us = 50_000;
            link.loss_ppm = loss_ppm;
        });
        stage.join(host);
        let start = stage.seen().now();
        while stage.seat(host).people.len() < host - 1 && stage.seen().now() < start + 60 * SECOND {
            stage.ms(10)?;
        }
        let took = (stage.seen().now() - start) / 1_000;
        stage.holds(&format!("in within {limit_ms} ms, not {took}"), took <= limit_ms)?;
    }
    Ok(())
}

pub(super) fn stale_entry(stage: &mut Stage) -> Verdict {
    stage.room(4, 1)?;
    stage.world().kill(2);
    stage.join(5);
    stage.within(5, "the newcomer sees the living", |stage| {
        let people = &stage.seat(5).people;
        [1, 3, 4].iter().all(|&host| people.iter().any(|p| p.id == stage.seat(host).id))
    })?;
    let before = stage.delivered();
    stage.say(5, "hello");
    stage.secs(1)?;
    stage.holds("and talks to them", stage.delivered() == before + 3)?;
    // For the one who is dead it waits as long as they are listed, and is not lost in silence.
    stage.within(95, "the dead one is gone", |stage| stage.seat(5).people.len() == 3)?;
    stage.agree_within(95)?;
    stage.settle_within(1)
}
