//! How soon two on one wire meet who are told of nobody.

#![allow(clippy::expect_used)]

use chatrpc_sim::world::{World, WorldConfig};

const SECOND: u64 = 1_000_000;

/// Two computers on a wire of 1 ms, and two that stand for the nodesets they open.
fn wire(seed: u64, loss_ppm: u32) -> World {
    let mut world = World::new(WorldConfig::new(seed, 5));
    world.each_link(|from, to, link| {
        let same = from.abs_diff(to) == 2;
        (link.params.delay_us, link.params.loss_ppm) = (1_000, if same { 0 } else { loss_ppm });
    });
    world
}

/// Runs until everybody sees everybody: how long that takes, microseconds.
fn meet(world: &mut World, within: u64) -> u64 {
    let began = world.now();
    while world.judge.converged().is_err() {
        assert!(world.now() < began + within, "not within {within} us");
        world.run_for(5_000).expect("no law is broken");
    }
    world.now() - began
}

/// The median of so many, the 99th of a hundred, and the last.
fn spread(mut took: Vec<u64>) -> (u64, u64, u64) {
    took.sort_unstable();
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)];
    (at(50), at(99), at(100))
}

/// Checks how long runs take: the median and the 99th of a hundred, in milliseconds at most. Where much is lost, the
/// 99th of few is chance.
fn take(loss_ppm: u32, (p50, p99): (u64, u64), run: impl Fn(&mut World) -> u64) {
    let worlds = if loss_ppm < 300_000 { 400 } else { 2_000 };
    let took = spread((0..worlds).map(|seed| run(&mut wire(seed, loss_ppm))).collect());
    println!("{} % loss: {took:?} us", loss_ppm / 10_000);
    assert!(took.0 <= p50 * 1_000 && took.1 <= p99 * 1_000, "{loss_ppm}: {took:?}");
}

/// Alice has opened the room, and Bob comes.
fn bob_comes(world: &mut World) {
    world.join_around(1, "alice", 3, None);
    world.run_for(3 * SECOND).expect("no law is broken");
    world.join_around(2, "bob", 4, None);
}

#[test]
fn a_hail_is_answered_within_a_second() {
    for (loss_ppm, p50, p99) in [(0, 3, 3), (100_000, 3, 200), (300_000, 100, 1_000)] {
        take(loss_ppm, (p50, p99), |world| {
            bob_comes(world);
            let began = world.now();
            while world.bytes_between(2, 1) == 0 {
                assert!(world.now() < began + 60 * SECOND);
                world.run_for(1_000).expect("no law is broken");
            }
            world.now() - began
        });
    }
}

/// At 30 % loss it is the joining that takes the time: through a nodeset it takes 280 and 2,800 ms.
#[test]
fn the_second_meets_the_first_soon() {
    for (loss_ppm, p50, p99) in [(0, 20, 20), (100_000, 150, 900), (300_000, 750, 3_500)] {
        take(loss_ppm, (p50, p99), |world| {
            bob_comes(world);
            meet(world, 60 * SECOND)
        });
    }
}

/// What is sent to all reaches nobody; the system of the second knows where the first is, or they know each other.
#[test]
fn where_nothing_is_sent_to_all_neighbours_meet() {
    for (loss_ppm, p50, p99) in
        [(0, 1_020, 1_020), (100_000, 1_300, 3_500), (300_000, 2_000, 6_500)]
    {
        take(loss_ppm, (p50, p99), |world| {
            world.filter_hails();
            bob_comes(world);
            world.knows_neighbours(2, &[1]);
            meet(world, 300 * SECOND)
        });
        take(loss_ppm, (p50 + 1_500, p99 + 5_000), |world| {
            world.filter_hails();
            world.join_around(1, "alice", 3, None);
            world.join_around(2, "bob", 4, None);
            world.knows_neighbours(1, &[2]);
            world.knows_neighbours(2, &[1]);
            world.run_for(SECOND).expect("no law is broken");
            SECOND + meet(world, 300 * SECOND)
        });
    }
}

#[test]
fn two_who_begin_at_one_moment_meet() {
    for (loss_ppm, p50, p99) in
        [(0, 1_050, 1_050), (100_000, 1_500, 2_700), (300_000, 2_200, 8_000)]
    {
        take(loss_ppm, (p50, p99), |world| {
            world.join_around(1, "alice", 3, None);
            world.join_around(2, "bob", 4, None);
            // Nobody sees anybody while nobody is in.
            world.run_for(SECOND).expect("no law is broken");
            SECOND + meet(world, 120 * SECOND)
        });
    }
}
