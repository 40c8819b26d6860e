//! The same for who is in a room already: how everybody is reached, and what is in the way.

use core::net::SocketAddr;
use core::time::Duration;

use super::cause::{Cause, Finding};
use super::sentence;

/// From so much on the loss on a way is told of, in millionths: that of one late call in sixteen decays below.
const LOSS_PPM: u32 = 70_000;

/// From so much on a round trip is told of.
const SLOW: Duration = Duration::from_millis(500);

/// Findings of one kind that are told of one by one.
const EACH_MAX: usize = 32;

/// How somebody is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// Directly.
    Direct,
    /// Through that member, as they are called.
    Through(String),
    /// They are heard, and do not hear us.
    Deaf,
    /// Not at all.
    None,
}

/// One member, as far as the way to them goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bond {
    /// What they are called: a text that is safe to show, and nobody else's here.
    pub name: String,
    /// How they are reached.
    pub link: Link,
    /// They are on our network, which keeps us apart.
    pub apart: bool,
    /// The smoothed round trip.
    pub rtt: Option<Duration>,
    /// How many of a million calls are late, as far as it was measured.
    pub loss_ppm: u32,
    /// Large datagrams do not come through.
    pub small: bool,
    /// Messages of ours that they have not confirmed.
    pub unacked: u64,
    /// They take what is said to them.
    pub reads: bool,
}

/// How everybody in a room is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checkup {
    /// The nodeset, and for how long it has not answered, if it does not.
    pub nodeset: SocketAddr,
    /// For how long it has been silent; `None` while it answers.
    pub silent: Option<Duration>,
    /// It is a member that we came in through.
    pub member: bool,
    /// Everybody who is here.
    pub bonds: Vec<Bond>,
}

/// What is wrong, the gravest first, or that all is well.
pub fn checkup(found: &Checkup) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(found.silent.map(|silent| sentence::nodeset_silent(found.nodeset, silent)));
    if found.member {
        all.push(sentence::member(found.nodeset));
    }
    let mut of_people: Vec<Finding> = found.bonds.iter().flat_map(of_bond).collect();
    of_people.sort();
    let mut told = (None, 0);
    of_people.retain(|finding| {
        told = if told.0 == Some(finding.cause) {
            (told.0, told.1 + 1)
        } else {
            (Some(finding.cause), 1)
        };
        told.1 <= EACH_MAX
    });
    all.extend(of_people);
    if all.iter().all(|finding| finding.cause > Cause::Well) {
        all.push(sentence::all_reached(found.bonds.len()));
    }
    all.sort();
    all
}

fn of_bond(bond: &Bond) -> Vec<Finding> {
    let Bond { name, link, apart, rtt, loss_ppm, small, unacked, reads } = bond;
    let mut found = Vec::new();
    match link {
        Link::None | Link::Deaf if *apart => return vec![sentence::kept_apart(name, None)],
        Link::None => return vec![sentence::no_way(name)],
        Link::Deaf => return vec![sentence::deaf(name)],
        Link::Through(relay) if *apart => found.push(sentence::kept_apart(name, Some(relay))),
        Link::Through(relay) => found.push(sentence::relayed(name, relay)),
        Link::Direct => {}
    }
    if *small {
        found.push(sentence::large_vanish(name, "small ones are answered", "large ones are not"));
    }
    if *loss_ppm >= LOSS_PPM {
        found.push(sentence::loss(name, u64::from(*loss_ppm).div_ceil(10_000)));
    }
    if let Some(time) = rtt.filter(|time| *time >= SLOW) {
        found.push(sentence::slow(name, time));
    }
    if !reads {
        found.push(sentence::unread(name, *unacked));
    }
    found
}
