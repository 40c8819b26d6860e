//! What strangers send.

use chatrpc::machine::wire::kind;

use super::{Stage, Verdict};
use crate::draw::Draws;
use crate::judge::Violation;

const FORGERIES: u64 = 1_000_000;
const MUTATIONS: u64 = 200_000;
/// Bytes of a member's cookie.
const COOKIE: u64 = 57;
/// How often the digests are compared.
const LOOK_EVERY: u64 = 500;

fn digests(stage: &Stage) -> Vec<u64> {
    (0..3).filter_map(|host| stage.seen().machine_on(host)).map(|m| m.digest()).collect()
}

/// Noise, some of which begins like a datagram of this protocol.
pub(super) fn random_datagrams(stage: &mut Stage) -> Verdict {
    stage.room(2, 0)?;
    stage.secs(3)?;
    let (before, tables) = (digests(stage), stage.tables());
    let mut d = Draws::new(1, 77, 0, 0);
    let mut bytes = Vec::new();
    for n in 0..FORGERIES {
        bytes.clear();
        let len = if n % 4 == 0 { d.below(1300) } else { d.below(60) };
        while (bytes.len() as u64) < len {
            bytes.extend_from_slice(&d.bits().to_be_bytes());
        }
        bytes.truncate(len as usize);
        if n % 2 == 0 && bytes.len() > 2 {
            bytes[0] &= 3;
            bytes[1] &= 3;
        }
        let from = ([203, 0, 113, d.below(256) as u8], d.range(1, 65_535) as u16).into();
        stage.world().forge((n % 3) as usize, from, &bytes);
        if n % LOOK_EVERY == 0 {
            stage.world().run_for(1)?;
            stage.holds(&format!("nothing changed by forgery {n}"), digests(stage) == before)?;
        }
    }
    stage.world().scan_all();
    stage.world().verdict()?;
    stage.holds("no table grew", stage.tables() == tables)?;
    stage.holds("nobody answered", stage.seen().outside.is_empty())?;
    stage.chat(2, 1, 100)?;
    stage.settle_within(1)
}

/// Genuine datagrams, cut, flipped and spliced, from addresses nobody knows.
pub(super) fn mutated_datagrams(stage: &mut Stage) -> Verdict {
    stage.room(2, 0)?;
    stage.world().captured = Some(Vec::new());
    stage.chat(2, 20, 200)?;
    stage.secs(45)?;
    let genuine = stage.world().captured.take().unwrap_or_default();
    let mut d = Draws::new(1, 78, 0, 0);
    let (delivered, mut copies) = (stage.delivered(), 0);
    for n in 0..MUTATIONS {
        let mut bytes = d.one_of(&genuine.iter().collect::<Vec<_>>()).clone();
        spoil(&mut bytes, &genuine, &mut d);
        let asks = bytes.first() == Some(&kind::PROVEN) && genuine.contains(&bytes);
        copies += u64::from(asks && n % 3 != 0);
        let from = ([203, 0, 113, d.below(256) as u8], d.range(1, 65_535) as u16).into();
        stage.world().forge((n % 3) as usize, from, &bytes);
        if n % LOOK_EVERY == 0 {
            stage.world().scan_all();
            stage.ms(1)?;
        }
    }
    stage.world().scan_all();
    stage.world().verdict()?;
    stage.holds("nothing is shown", stage.delivered() == delivered)?;
    // Who is asked a good question answers with a cookie, wherever it comes from.
    let peers = stage.seen().outside.iter().filter(|&(&(host, _), _)| host != 0);
    let answered: u64 = peers.map(|(_, bytes)| bytes).sum();
    stage.holds("a peer answers whole questions alone", answered <= COOKIE * copies)?;
    stage.chat(2, 1, 500)?;
    stage.holds("the chat goes on", stage.delivered() == delivered + 2)
}

/// A hundred times what people say, from addresses that send nothing: noise, and genuine datagrams
/// that somebody recorded.
pub(super) fn spoofed_flood(stage: &mut Stage) -> Verdict {
    stage.empty(4);
    stage.world().captured = Some(Vec::new());
    stage.world().start_registry();
    for host in 1..=3 {
        stage.join(host);
    }
    stage.agree_within(5)?;
    let talk = |stage: &mut Stage, flood: &mut dyn FnMut(&mut Stage)| -> Result<u64, Violation> {
        stage.world().judge.latencies = Some(Vec::new());
        for n in 0..200 {
            stage.say(1 + n % 3, &format!("line {n}"));
            for _ in 0..10 {
                flood(stage);
                stage.ms(2)?;
            }
        }
        stage.settle_within(1)?;
        let mut latencies = stage.world().judge.latencies.take().unwrap_or_default();
        latencies.sort_unstable();
        Ok(latencies[latencies.len() * 99 / 100])
    };
    let calm = talk(stage, &mut |_| ())?;
    let recorded = stage.world().captured.take().unwrap_or_default();
    let mut d = Draws::new(1, 79, 0, 0);
    let mut heard = std::collections::BTreeMap::<_, u64>::new();
    // 100 datagrams a millisecond and more: 50 lines a second of 4 datagrams are 1 in 5.
    let stormy = talk(stage, &mut |stage| {
        for _ in 0..40 {
            let mut bytes = recorded[d.below(recorded.len() as u64) as usize].clone();
            if d.chance(300_000) {
                spoil(&mut bytes, &recorded, &mut d);
            }
            let from: std::net::SocketAddr =
                ([203, 0, 113, d.below(4) as u8], d.range(1, 64) as u16).into();
            *heard.entry(from).or_default() += bytes.len() as u64;
            stage.world().forge(d.below(4) as usize, from, &bytes);
        }
    })?;
    let mut outside = std::collections::BTreeMap::<_, u64>::new();
    for (&(_, to), &sent) in &stage.world().outside {
        *outside.entry(to).or_default() += sent;
    }
    let most = |(to, sent): (&_, &u64)| *sent <= 3 * heard.get(to).copied().unwrap_or(0);
    stage.holds("at most 3 bytes per byte to anybody", outside.iter().all(most))?;
    stage.holds("nobody waits twice as long", stormy <= 2 * calm)?;
    stage.world().scan_all();
    stage.world().verdict()?;
    stage.nobody_came_or_went()
}

/// Somebody on the path keeps what one says to another, and sends it on from a victim's address.
pub(super) fn redirected(stage: &mut Stage) -> Verdict {
    stage.room(3, 0)?;
    stage.cut(|from, to| (from, to) == (2, 1));
    stage.secs(2)?;
    stage.world().captured = Some(Vec::new());
    stage.say(2, "here I am");
    stage.ms(50)?;
    let kept = stage.world().captured.take().unwrap_or_default();
    let victim: std::net::SocketAddr = ([203, 0, 113, 9], 9).into();
    // Those that are for somebody else do not open.
    kept.iter().for_each(|bytes| stage.world().forge(1, victim, bytes));
    stage.mend();
    stage.world().judge.latencies = Some(Vec::new());
    stage.chat(1, 20, 50)?;
    stage.settle_within(2)?;
    let latencies = stage.world().judge.latencies.take().unwrap_or_default();
    let slowest = latencies.into_iter().max().unwrap_or_default();
    stage.holds(&format!("all goes where it did, in {slowest} us"), slowest < 50_000)?;
    let passed_on: u64 = kept.iter().map(|bytes| bytes.len() as u64).sum();
    let drawn: u64 = stage.seen().outside.values().sum();
    stage.holds("the victim is asked whether it is there", drawn > 0)?;
    stage.holds(&format!("{drawn} for {passed_on} bytes"), drawn <= 3 * passed_on)?;
    stage.nobody_came_or_went()
}

fn spoil(bytes: &mut Vec<u8>, genuine: &[Vec<u8>], d: &mut Draws) {
    let len = bytes.len().max(1) as u64;
    match d.below(5) {
        0 => bytes.truncate(d.below(len) as usize),
        1 => bytes.extend_from_slice(&d.bits().to_be_bytes()),
        2 => {
            let other = &genuine[d.below(genuine.len() as u64) as usize];
            bytes.truncate(d.below(len) as usize);
            bytes.extend_from_slice(&other[d.below(other.len() as u64) as usize..]);
        }
        _ => {
            for _ in 0..d.range(1, 8) {
                // Biased to the header: that is where lengths and kinds are.
                let span = if d.chance(500_000) { len.min(24) } else { len };
                let at = d.below(span) as usize;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << d.below(8);
                }
            }
        }
    }
}
