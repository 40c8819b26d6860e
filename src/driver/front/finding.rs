//! What the doctor has found, in lines for people.

use crate::driver::front::numbers::grouped;
use crate::driver::front::table::table;
use crate::driver::front::wording::milliseconds;
use crate::driver::os::shell;
use crate::driver::os::shown::shown;
use crate::machine::doctor::{Advice, Bond, Checkup, Finding, Link, checkup as judged};
use crate::machine::wire::{DATAGRAM_MAX, DATAGRAM_SMALL};

/// What to do, with the command as somebody at this computer would type it.
pub(crate) fn advised(advice: &Advice) -> String {
    let Advice { text, command } = advice;
    if command.is_empty() {
        return text.clone();
    }
    format!("{text}{}", shell::command(command))
}

/// A finding: what is wrong, and below it what to do.
pub(crate) fn lines(found: &Finding) -> Vec<String> {
    let what = format!("{}: {}", found.cause.gravity(), shown(&found.what));
    let advice = found.advice.iter().map(|one| format!("  {}", shown(&advised(one))));
    [what].into_iter().chain(advice).collect()
}

/// The answer to `/doctor`: what was found, and how each is reached.
pub(crate) fn checkup(found: &Checkup) -> Vec<String> {
    let mut all: Vec<String> = judged(found).iter().flat_map(lines).collect();
    if !found.bonds.is_empty() {
        let head = ["name", "way", "round trip", "lost", "datagrams", "unsent"].map(str::to_owned);
        all.extend(table([head].into_iter().chain(found.bonds.iter().map(row))));
    }
    all
}

/// One member: how they are reached, how far away they are, what is lost, and how large a datagram may be.
fn row(bond: &Bond) -> [String; 6] {
    let Bond { name, link, rtt, loss_ppm, small, unacked, .. } = bond;
    let way = match link {
        Link::Direct => "direct".to_owned(),
        Link::Through(relay) => format!("via {relay}"),
        Link::Deaf => "one way".to_owned(),
        Link::None => "no way".to_owned(),
    };
    let size = if *small { DATAGRAM_SMALL } else { DATAGRAM_MAX };
    [
        name.clone(),
        way,
        rtt.map_or_else(|| "–".to_owned(), milliseconds),
        format!("{} %", loss_ppm / 10_000),
        grouped(size),
        unacked.to_string(),
    ]
}
