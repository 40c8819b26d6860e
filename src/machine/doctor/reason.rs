//! From what was found to what it means.

use core::net::SocketAddr;
use core::time::Duration;

use super::cause::{Finding, Gravity};
use super::evidence::{Answer, Evidence, Examined, Local, Reach, System};
use super::sentence;

/// From so much on a round trip is told of: people notice it.
const SLOW: Duration = Duration::from_millis(500);

/// Loss is told of from so many lost questions on, and so many of a hundred: one may be chance.
pub(super) const LOST_MIN: u32 = 2;
pub(super) const LOST_PERCENT: u32 = 5;

/// Large questions that have to be lost, at least, and how likely that may be by chance at most, in
/// millionths, before size is blamed.
const LARGE_MIN: u32 = 3;
const CHANCE_PPM: u64 = 1_000;

/// Clocks differ by a little.
const CLOCK: Duration = Duration::from_secs(120);

/// What is to be judged.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// What the addresses are called together, as it was written.
    pub at: &'a str,
    /// What asking has shown, and what the system and the network said.
    pub examined: &'a Examined,
    /// The addresses of this computer.
    pub local: Local,
    /// The room has no secret.
    pub open: bool,
    /// The version of the protocol spoken here, and that of this program.
    pub version: (u8, &'a str),
    /// Why some names have no address.
    pub unknown: &'a [Finding],
}

/// What is wrong, the gravest first, or that all is well: never nothing.
pub fn findings(case: &Case<'_>) -> Vec<Finding> {
    let asked = &case.examined.asked;
    let mut found = match asked.iter().find(|one| one.answers()) {
        Some(one) => of_answers(case, one),
        None => [of_silence(case), case.unknown.to_vec()].concat(),
    };
    found.sort();
    found.dedup();
    found
}

/// Somebody lets us in: what could be better.
fn of_answers(case: &Case<'_>, one: &Evidence) -> Vec<Finding> {
    let Examined { asked, listed, elsewhere, full, ahead } = case.examined;
    let mut found = Vec::new();
    if *full {
        found.push(sentence::full(one.addr));
    }
    found.extend(of_path(one));
    let dead = asked.iter().filter(|other| !other.answers());
    let dead = dead.filter_map(|other| of_one(case, &other.addr.to_string(), other));
    found.extend(dead.map(|why| sentence::dead_address(&why, one.addr)));
    found.extend(case.unknown.iter().map(|why| sentence::dead_address(why, one.addr)));
    match (listed, elsewhere) {
        (Some(0), Some(count @ 1..)) => found.push(sentence::elsewhere(*count, case.open)),
        (Some(0), _) => found.push(sentence::empty(case.open)),
        _ => {}
    }
    if *ahead >= CLOCK {
        found.push(sentence::clock(*ahead));
    }
    if one.answer == Some(Answer::Member) {
        found.push(sentence::member(one.addr));
    }
    if one.addr.ip().is_loopback() {
        found.push(sentence::this_computer(one.addr));
    }
    if found.iter().all(|one| one.cause.gravity() > Gravity::Hinders) {
        found.push(sentence::well(one.addr, &one.small, *listed));
    }
    found
}

/// How good the way to somebody who answers is.
fn of_path(one: &Evidence) -> Vec<Finding> {
    let Evidence { addr, small, large, .. } = one;
    let (whom, mut found) = (addr.to_string(), Vec::new());
    if is_size(one) {
        let (small, large) = sentence::sizes(small, large);
        found.push(sentence::large_vanish(&whom, &small, &large));
    }
    let lossy = 100 * small.lost() >= LOST_PERCENT * small.asked;
    if lossy && small.lost() >= LOST_MIN {
        found.push(sentence::counted_loss(&whom, small));
    }
    if let Some(time) = small.median().filter(|time| *time >= SLOW) {
        found.push(sentence::slow(&whom, time));
    }
    found
}

/// Whether large questions are lost for being large: chance would hardly have taken all of them.
fn is_size(one: &Evidence) -> bool {
    let Evidence { small, large, .. } = one;
    if large.answered > 0 || large.lost() < LARGE_MIN || small.answered == 0 {
        return false;
    }
    // What loss there may be, with half a question more than was counted.
    let loss_ppm = u64::from(2 * small.lost() + 1) * 1_000_000 / u64::from(2 * small.asked + 2);
    let chance = (0..large.lost()).fold(1_000_000, |chance, _| chance * loss_ppm / 1_000_000);
    chance <= CHANCE_PPM
}

/// Nobody lets us in: why, for all addresses at once where it is the same.
fn of_silence(case: &Case<'_>) -> Vec<Finding> {
    let asked = &case.examined.asked;
    let alone: Vec<Finding> = asked.iter().filter_map(|one| of_one(case, case.at, one)).collect();
    let first = alone.first().map(|finding| finding.cause);
    if alone.iter().all(|finding| Some(finding.cause) == first) {
        return alone.into_iter().take(1).collect();
    }
    let each = asked.iter();
    each.filter_map(|one| of_one(case, &one.addr.to_string(), one)).collect()
}

/// Why nobody lets us in at one address, which is called `at`.
fn of_one(case: &Case<'_>, at: &str, one: &Evidence) -> Option<Finding> {
    let addr: SocketAddr = one.addr;
    let unplugged = case.local.v4.max(case.local.v6) == Reach::None && !addr.ip().is_loopback();
    Some(match one {
        Evidence { answer: Some(Answer::Nodeset | Answer::Member), .. } => return None,
        Evidence { answer: Some(Answer::Version { theirs }), .. } => {
            let (ours, program) = case.version;
            sentence::version(*theirs, ours, program)
        }
        Evidence { from: Some(from), .. } => sentence::answered_elsewhere(addr, *from),
        Evidence { junk: true, .. } => sentence::not_chatrpc(addr),
        Evidence { said: None, .. } if sentence::lacks_zone(addr) => {
            sentence::system(at, addr, &System::Invalid, case.local)
        }
        Evidence { system: Some(system), .. } => sentence::system(at, addr, system, case.local),
        _ if unplugged => sentence::unplugged(at),
        Evidence { said: Some(said), .. } => sentence::said(at, addr, *said),
        _ => sentence::silent(at, addr),
    })
}
