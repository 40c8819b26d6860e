//! What people and their computers do.

use chatrpc::machine::wire::kind;
use chatrpc::machine::{Exit, NameProblem, Why};

use super::{Stage, Verdict};
use crate::clock::SECOND;
use crate::workload;

pub(super) fn crash_author(stage: &mut Stage) -> Verdict {
    stage.room(5, 0)?;
    stage.links(|link| link.loss_ppm = 300_000);
    for n in 0..30 {
        stage.say(1, &format!("line {n}"));
    }
    stage.ms(25)?;
    stage.world().kill(1);
    stage.agree_within(95)?;
    // They agree on it once they know that there is no way; later it is gone.
    stage.within(95, "it is missed", |stage| {
        let why = |host: usize| stage.seat(host).lefts.last().map(|&(_, why, _)| why);
        (2..=5).all(|host| why(host) == Some(Why::Timeout))
    })?;
    stage.chat(5, 1, 5_000)?;
    stage.settle_within(5)
}

pub(super) fn restart(stage: &mut Stage) -> Verdict {
    stage.room(4, 0)?;
    stage.world().kill(2);
    stage.secs(1)?;
    stage.join(2);
    stage.within(5, "the new one is in", |stage| stage.seat(2).people.len() >= 3)?;
    stage.agree_within(25)?;
    let before = stage.delivered();
    stage.chat(4, 2, 1_000)?;
    stage.holds("all hear all", stage.delivered() == before + 24)?;
    stage.settle_within(5)
}

/// A process is killed, and the next one of its key sits at another port: it waits for no ghost of its own, and
/// nobody shows that for longer than it takes to be asked.
pub(super) fn restart_elsewhere(stage: &mut Stage) -> Verdict {
    for (loss_ppm, s) in [(0, 5), (300_000, 20)] {
        stage.room(4, 0)?;
        stage.links(|link| (link.loss_ppm, link.delay_us) = (loss_ppm, 25_000));
        stage.world().kill(2);
        stage.world().rebind(2);
        stage.ms(100)?;
        stage.join(2);
        if loss_ppm == 0 {
            stage.ms(800)?;
            stage.holds("the new one is in", stage.seat(2).people.len() == 3)?;
        }
        stage.agree_within(s)?;
        let before = stage.delivered();
        stage.say(1, &format!("/msg {} welcome back", workload::name(2)));
        stage.within(s, "it is the new one's", |stage| stage.delivered() == before + 1)?;
    }
    Ok(())
}

/// A goodbye reaches all but two, and there is no nodeset to tell them: each asks anybody who is not watched once in
/// twenty minutes, and learns from others who is here, and who has left.
pub(super) fn goodbye_unheard(stage: &mut Stage) -> Verdict {
    for loss_ppm in [0, 300_000] {
        stage.room(24, 0)?;
        stage.secs(1_500)?;
        stage.world().kill(0);
        stage.world().each_link(|from, to, link| {
            let cut = from == 24 && to <= 2 || to == 24 && from <= 2;
            link.params.loss_ppm = if cut { 1_000_000 } else { loss_ppm };
        });
        stage.say(24, "/quit");
        stage.secs(10)?;
        stage.world().each_link(|_, _, link| link.params.loss_ppm = loss_ppm);
        let shows = |stage: &Stage, host: usize| stage.seat(host).people.len() > 22;
        stage.holds("it was missed", shows(stage, 1) || shows(stage, 2))?;
        stage.within(80, "all know that it has left", |stage| {
            (1..=23).all(|host| !shows(stage, host))
        })?;
    }
    Ok(())
}

pub(super) fn laptop_sleep(stage: &mut Stage) -> Verdict {
    stage.room(5, 0)?;
    stage.say(3, "good night");
    stage.world().pause(3, 600_000_000, true);
    stage.secs(300)?;
    stage.chat(2, 3, 1_000)?;
    stage.secs(2)?;
    let settled = (1..=2).all(|host| stage.seat(host).said.iter().all(|said| said.done));
    stage.holds("nobody waits for the sleeper", settled)?;
    stage.secs(295)?;
    stage.agree_within(30)?;
    let before = stage.delivered();
    stage.chat(5, 2, 1_000)?;
    stage.holds("all hear all", stage.delivered() == before + 40)?;
    stage.settle_within(5)
}

pub(super) fn sleep_ends(stage: &mut Stage) -> Verdict {
    // The clock may strike before what came meanwhile is read, or after.
    for (asleep, tick_first) in [(600, true), (600, false), (75, true), (75, false)] {
        stage.room(5, 0)?;
        stage.world().pause(3, asleep * SECOND, tick_first);
        stage.secs(asleep)?;
        stage.ms(1)?;
        stage.say(3, "what did I miss?");
        stage.agree_within(3)?;
        let before = stage.delivered();
        stage.chat(5, 1, 1)?;
        stage.within(3, "all hear all", |stage| stage.delivered() >= before + 20)?;
        stage.holds("to who slept, nobody left", stage.seat(3).tally.left == 0)?;
    }
    Ok(())
}

pub(super) fn join_storm(stage: &mut Stage) -> Verdict {
    stage.empty(101);
    stage.world().start_registry();
    for host in 1..=100 {
        stage.join(host);
        stage.ms(1)?;
    }
    stage.agree_within(10)?;
    stage.say(50, "hello, all of you");
    stage.within(3, "99 readers", |stage| stage.delivered() == 99)?;
    stage.nobody_came_or_went()
}

pub(super) fn mass_leave(stage: &mut Stage) -> Verdict {
    stage.room(20, 0)?;
    for host in 1..=20 {
        stage.say(host, "/quit");
    }
    stage.within(3, "everybody is gone", |stage| {
        (1..=20).all(|host| stage.seat(host).exit == Some(Exit::Left { undelivered: 0 }))
    })?;
    stage.secs(215)?;
    stage.holds("nothing remains", stage.tables().iter().all(|&(.., len)| len == 0))
}

pub(super) fn flash_restart(stage: &mut Stage) -> Verdict {
    stage.room(20, 0)?;
    for host in 1..=20 {
        stage.world().kill(host);
        stage.join(host);
    }
    stage.agree_within(30)?;
    stage.chat(20, 1, 2_000)?;
    stage.holds("all hear all", stage.delivered() == 380)?;
    stage.settle_within(5)
}

pub(super) fn name_taken(stage: &mut Stage) -> Verdict {
    stage.room(3, 1)?;
    stage.world().join(4, &workload::name(2));
    stage.within(5, "it is turned away", |stage| stage.seat(4).exit.is_some())?;
    let taken = matches!(stage.seat(4).exit, Some(Exit::Name(NameProblem::Taken(_))));
    stage.holds("because the name is taken", taken)?;
    stage.secs(90)?;
    let unseen = (1..=3).all(|host| stage.seat(host).tally.joined <= 2);
    stage.holds("nobody saw it", unseen)?;
    stage.agree_within(1)
}

/// One is away for so long that her name is free again; then she is back.
pub(super) fn two_alices(stage: &mut Stage) -> Verdict {
    stage.room(4, 1)?;
    stage.cut(|from, to| (from == 2) != (to == 2));
    stage.secs(180)?;
    stage.world().join(5, &workload::name(2));
    stage.within(5, "the second is in", |stage| stage.seat(5).people.len() == 3)?;
    stage.mend();
    stage.agree_within(45)?;
    let told = [1, 3, 4].iter().all(|&host| stage.seat(host).tally.alike > 0);
    stage.holds("people are told of the two", told)?;
    stage.chat(5, 1, 1_000)?;
    stage.settle_within(5)
}

pub(super) fn quiet_handshakes(stage: &mut Stage) -> Verdict {
    stage.room(3, 0)?;
    stage.world().captured = Some(Vec::new());
    stage.secs(600)?;
    let heard = stage.world().captured.take().unwrap_or_default();
    let begun = heard.iter().filter(|bytes| bytes.first() == Some(&kind::INIT)).count();
    // Three pairs, five times two minutes, and sometimes both sides begin.
    stage.holds(&format!("few handshakes: {begun}"), (12..=20).contains(&begun))
}

pub(super) fn quiet_day(stage: &mut Stage) -> Verdict {
    stage.room(4, 0)?;
    stage.secs(120)?;
    let before = stage.tables();
    let bytes = stage.seen().counters.bytes;
    stage.secs(24 * 3600)?;
    stage.nobody_came_or_went()?;
    stage.agree_within(1)?;
    let grown: Vec<_> = stage.tables();
    let worst = before.iter().zip(&grown).find(|(early, late)| late.2 > early.2 + 4);
    stage.holds(&format!("no table grew: {worst:?}"), worst.is_none())?;
    // 20 directed pairs, the nodeset's among them.
    let rate = (stage.seen().counters.bytes - bytes) / (24 * 3600 * 20);
    stage.holds(&format!("{rate} bytes/s for each pair"), rate <= 50)?;
    stage.chat(4, 1, 1_000)?;
    stage.settle_within(1)
}

pub(super) fn leave_under_loss(stage: &mut Stage) -> Verdict {
    stage.room(5, 0)?;
    stage.links(|link| link.loss_ppm = 300_000);
    stage.secs(1)?;
    for n in 0..10 {
        stage.say(1, &format!("line {n}"));
    }
    stage.say(1, "/quit");
    stage.within(3, "it is gone", |stage| stage.seat(1).exit.is_some())?;
    stage.holds("what was said arrived", stage.delivered() == 40)?;
    stage.within(2, "nobody shows it", |stage| {
        (2..=5).all(|host| stage.seat(host).people.len() == 3)
    })
}

pub(super) fn to_the_dead(stage: &mut Stage) -> Verdict {
    stage.room(5, 0)?;
    stage.world().kill(3);
    let dead = stage.seat(3).id;
    stage.chat(2, 5, 20)?;
    stage.ms(200)?;
    stage.holds("the living hear it at once", stage.delivered() == 2 * 5 * 3)?;
    stage.settle_within(95)?;
    let named = stage.seat(1).said.iter().all(|said| said.failed().eq([dead]));
    stage.holds("the dead one is named", named)
}
