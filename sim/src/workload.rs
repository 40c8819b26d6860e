//! What people type, and what they are called. Sizes sit at the limits, because that is where
//! programs break.

use chatrpc::machine::wire::PIECE_MAX;
use chatrpc::machine::{Person, TEXT_MAX};

use crate::draw::{Draws, WORK};
use crate::secrecy::CANARY;
use crate::swarm::{Rate, Swarm};

/// Stands in every mistyped command: it may never be shown as text to anybody.
pub const SECRET: &str = "passw0rd";

const CONSONANTS: &[u8] = b"bdfgkpstvz";
const VOWELS: &[u8] = b"aeou";

/// The name that belongs to a computer: two syllables, none of which looks like another.
pub fn name(host: usize) -> String {
    let syllable = |n: usize| {
        let (c, v) = (CONSONANTS[n / VOWELS.len() % CONSONANTS.len()], VOWELS[n % VOWELS.len()]);
        [char::from(c), char::from(v)]
    };
    syllable(host / 40).into_iter().chain(syllable(host % 40)).collect()
}

/// The schedule of the lines of a seed: when, on which computer, and which line it is.
pub fn schedule(swarm: &Swarm, from: u64, until: u64) -> Vec<(u64, usize, u64)> {
    let mut lines = Vec::new();
    let people = swarm.people as u64;
    let mut d = Draws::new(swarm.seed, WORK, u64::MAX, 0);
    let hot = 1 + d.below(people) as usize;
    let burst = d.range(2, 30);
    let mut at = from;
    for n in 0..swarm.lines {
        let someone = 1 + d.below(swarm.hosts() as u64 - 1) as usize;
        let anywhen = d.range(from, until - 1);
        let (when, host) = match swarm.rate {
            Rate::Silent if n > 0 => break,
            Rate::Silent | Rate::Human => (anywhen, someone),
            Rate::HotAuthor => (anywhen, hot),
            Rate::AllAtOnce => (from + (until - from) / 2, 1 + (n % people) as usize),
            Rate::Bursts => {
                if n % burst == 0 {
                    at = anywhen;
                }
                (at, if n % 3 == 0 { someone } else { hot })
            }
        };
        lines.push((when, host, n));
    }
    lines
}

/// The `n`-th line of a seed, typed in the sight of some people.
pub fn line(seed: u64, n: u64, people: &[Person]) -> String {
    let mut d = Draws::new(seed, WORK, n, 1);
    let someone = |d: &mut Draws| match people.len() {
        0 => "nobody".to_owned(),
        len => people[d.below(len as u64) as usize].name.to_string(),
    };
    match d.below(40) {
        0 => String::new(),
        1 => "   \u{200b} ".to_owned(),
        2 => sized(n, 1),
        3 => sized(n, PIECE_MAX - 1),
        4 => sized(n, PIECE_MAX),
        5 => sized(n, 3 * PIECE_MAX + 1),
        6 => sized(n, TEXT_MAX),
        7 => sized(n, TEXT_MAX + 1),
        8 => format!("/nikc {SECRET}"),
        9 => format!("/{SECRET} and more"),
        10 => "/msg".to_owned(),
        11 => format!("/msg nobody-here psst {n}"),
        12..=15 => format!("/msg {} {CANARY} {n}", someone(&mut d)),
        16..=17 => format!("/me waves at the {CANARY} {n}"),
        18 => format!("//shrug {n}"),
        19 => format!("/nick zo{}", d.below(1000)),
        20 => format!("/nick {}", someone(&mut d)),
        21 => "/who".to_owned(),
        22 => "/help".to_owned(),
        23 => format!("{}: {CANARY} {n}, for you", someone(&mut d)),
        24 => format!("\x1b[31mred {n}\u{202e}evil\u{2028}e\u{301}"),
        25 => format!("naïve 你好 🦀 {n}"),
        _ => format!("{CANARY} {n}"),
    }
}

/// A text of exactly that many bytes; the number stands in it if there is room.
fn sized(n: u64, bytes: usize) -> String {
    let mut text = if bytes > 20 { format!("{n} ") } else { String::new() };
    while text.len() < bytes {
        text.push(char::from(b'a' + (text.len() % 26) as u8));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use chatrpc::machine::Name;

    #[test]
    fn no_two_computers_share_a_name() {
        let names: std::collections::BTreeSet<String> = (0..200).map(name).collect();
        assert_eq!(names.len(), 200);
        assert!(names.iter().all(|name| Name::parse(name).is_ok()));
    }

    #[test]
    fn sizes_are_exact() {
        for bytes in [1, PIECE_MAX - 1, PIECE_MAX, PIECE_MAX + 1, TEXT_MAX, TEXT_MAX + 1] {
            assert_eq!(sized(123, bytes).len(), bytes);
        }
    }
}
