//! Links that swallow what is large.

use chatrpc::machine::TEXT_MAX;

use super::{Stage, Verdict};
use crate::judge::Status;

/// The smallest datagram that every link of IPv4 has to carry, with its headers.
const SMALLEST: usize = 576;

/// A line of that many bytes, which tells its number.
fn long(n: usize, bytes: usize) -> String {
    let mut text = format!("{n} ");
    text.extend((text.len()..bytes).map(|at| char::from(b'a' + (at % 26) as u8)));
    text
}

/// Everybody says lines of all sizes, one after the other: all are shown within so many seconds.
fn long_lines(stage: &mut Stage, people: usize, s: u64) -> Verdict {
    let before = stage.delivered();
    let sizes = [10, 300, 1_000, 1_024, 2_000, TEXT_MAX - 100, TEXT_MAX];
    for (n, bytes) in sizes.into_iter().enumerate() {
        for host in 1..=people {
            stage.say(host, &long(n, bytes));
        }
        stage.ms(500)?;
    }
    let all = (sizes.len() * people * (people - 1)) as u64;
    stage.within(s, "every line is shown", |stage| stage.delivered() == before + all)?;
    stage.settle_within(s)?;
    stage.nobody_came_or_went()
}

/// So many people who meet through links of that size and loss.
fn room(stage: &mut Stage, people: usize, mtu: usize, loss_ppm: u32) -> Verdict {
    stage.empty(people + 1);
    stage.links(|link| (link.mtu, link.loss_ppm) = (mtu, loss_ppm));
    stage.world().start_registry();
    (1..=people).for_each(|host| stage.join(host));
    stage.agree_within(if loss_ppm == 0 { 5 } else { 20 })
}

pub(super) fn small_links(stage: &mut Stage) -> Verdict {
    for (loss_ppm, s) in [(0, 1), (100_000, 3), (300_000, 8)] {
        for people in [2, 5] {
            for mtu in [SMALLEST, 600, 900, 1_280] {
                room(stage, people, mtu, loss_ppm)?;
                long_lines(stage, people, s)?;
            }
        }
    }
    // A room with many people, and one who comes in through a small link.
    stage.room(60, 1)?;
    stage.world().each_link(|from, to, link| {
        link.params.mtu = if from == 61 || to == 61 { SMALLEST } else { 0 };
    });
    stage.join(61);
    stage.within(3, "it is in", |stage| stage.seat(61).status == Status::Ready)?;
    stage.agree_within(5)
}

pub(super) fn one_way(stage: &mut Stage) -> Verdict {
    for loss_ppm in [0, 100_000, 300_000] {
        stage.room(3, 0)?;
        let small = |from: usize, to: usize| (from, to) == (1, 2) || (from, to) == (0, 3);
        stage.world().each_link(|from, to, link| {
            link.params.mtu = if small(from, to) { SMALLEST } else { 0 };
            link.params.loss_ppm = loss_ppm;
        });
        long_lines(stage, 3, if loss_ppm == 0 { 1 } else { 8 })?;
    }
    Ok(())
}

pub(super) fn meanwhile(stage: &mut Stage) -> Verdict {
    stage.room(3, 0)?;
    let mut sent = Vec::new();
    for mtu in [0, SMALLEST, 0, 900, SMALLEST, 0] {
        stage.links(|link| link.mtu = mtu);
        // The first lines find out.
        long_lines(stage, 3, 2)?;
        stage.secs(30)?;
        long_lines(stage, 3, 2)?;
        let before = stage.seen().counters.datagrams;
        long_lines(stage, 3, 1)?;
        sent.push(stage.seen().counters.datagrams - before);
    }
    let text = format!("{sent:?} datagrams: as many as at first, once all are large again");
    stage.holds(&text, sent[5] < sent[0] * 5 / 4 && sent[1] > sent[0])
}

/// What is lost is lost whatever its size: hardly more datagrams are sent than if no path ever were small.
pub(super) fn loss(stage: &mut Stage) -> Verdict {
    stage.room(2, 0)?;
    stage.links(|link| link.loss_ppm = 300_000);
    let (mut all, mut large) = (0, 0);
    stage.world().captured = Some(Vec::new());
    for _ in 0..20 {
        long_lines(stage, 2, 8)?;
    }
    for bytes in stage.world().captured.take().unwrap_or_default() {
        all += u64::from(bytes.len() > 200);
        large += u64::from(bytes.len() > 400);
    }
    stage.holds(&format!("{large} of {all} are large"), large * 3 > all)
}
