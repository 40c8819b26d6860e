//! Planted bugs: proof that the suite has teeth.
//!
//! Each entry of [`TEETH`] replaces one unique piece of the machines' source in a scratch copy,
//! builds it, and runs seeds, or a scenario, until the named oracle fires. No `cfg` stands in the
//! product's code for it. A needle that no longer matches exactly once fails loudly: the table moves
//! with the code.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A planted bug.
#[derive(Clone, Copy, Debug)]
pub struct Tooth {
    /// Its name.
    pub name: &'static str,
    /// The file under `src/machine`.
    pub file: &'static str,
    /// What stands there, exactly once.
    pub needle: &'static str,
    /// What is put in its place.
    pub replacement: &'static str,
    /// The oracles one of which must fire.
    pub oracles: &'static [&'static str],
    /// Where it must fire.
    pub hunt: Hunt,
}

/// Where a planted bug must be caught.
#[derive(Clone, Copy, Debug)]
pub enum Hunt {
    /// In one of that many seeds.
    Seeds(u64),
    /// In the scenario of that name: seeds come into that situation too seldom.
    Scenario(&'static str),
}

/// Every planted bug. The first is the canary: it must be caught at once.
pub const TEETH: &[Tooth] = &[
    Tooth {
        name: "position_repeated_is_shown",
        file: "inward.rs",
        needle: "if position == next && piece.seal",
        replacement: "if position <= next && piece.seal",
        oracles: &["S2", "S3", "S1"],
        hunt: Hunt::Seeds(20),
    },
    Tooth {
        name: "held_pieces_skip_the_gap",
        file: "inward.rs",
        needle: "} else if position >= next && piece.text.len() <= room {",
        replacement: "} else if position > next + 1 {\n            self.append(piece, screen);\n        } else if position >= next && piece.text.len() <= room {",
        oracles: &["S2", "S3", "S1"],
        hunt: Hunt::Seeds(50),
    },
    Tooth {
        name: "receipt_for_what_is_held",
        file: "inward.rs",
        needle: "Taken::Next(self.next(), self.early)\n    }\n\n    /// What comes",
        replacement: "Taken::Next(position.max(self.next()) + u64::from(position > self.next()), 0)\n    }\n\n    /// What comes",
        oracles: &["S6"],
        hunt: Hunt::Seeds(100),
    },
    Tooth {
        name: "numbers_of_a_reopened_link_repeat",
        file: "call.rs",
        needle: "self.next_seq = numbering.next;",
        replacement: "self.next_seq = self.next_seq.max(0);",
        oracles: &["once", "prompt"],
        hunt: Hunt::Seeds(400),
    },
    Tooth {
        name: "failed_call_is_not_made_again",
        file: "speech/stream.rs",
        needle: "self.set(position, Flight::Waiting);\n        if there {",
        replacement: "self.set(position, Flight::Held);\n        if there {",
        oracles: &["once"],
        hunt: Hunt::Seeds(100),
    },
    Tooth {
        name: "nobody_is_greeted_back",
        file: "member/greeting.rs",
        needle: "if !works || !member.streams.out().open || member.life.is_gone() {",
        replacement: "if member.life.is_gone() {",
        oracles: &["once", "L2", "prompt"],
        hunt: Hunt::Seeds(200),
    },
    Tooth {
        name: "leases_never_end",
        file: "nodeset/registry.rs",
        needle: "self.expiry.set(key.index(), now + LEASE);",
        replacement: "self.expiry.set(key.index(), now + LEASE * 1_000);",
        oracles: &["L2", "L8"],
        hunt: Hunt::Seeds(20),
    },
    Tooth {
        name: "members_are_never_missed",
        file: "member/liveness.rs",
        needle: "        if self.hint != Hint::Given && !overslept && !waits {\n",
        replacement: "        if self.hint != Hint::Given && !overslept && !waits && false {\n",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("crash_in_a_crowd"),
    },
    Tooth {
        name: "nobody_says_who_is_lost",
        file: "member/watching.rs",
        needle: "        for path in self.neighbours(key, most, ctx) {\n",
        replacement: "        for path in self.neighbours(key, most * 0, ctx) {\n",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("crash_in_a_crowd"),
    },
    Tooth {
        name: "nobody_compares_who_is_here",
        file: "member/comparing.rs",
        needle: "if present != 0 && self.compares.take(ctx.now, COMPARES)",
        replacement: "if present != 0 && false && self.compares.take(ctx.now, COMPARES)",
        oracles: &["L7"],
        hunt: Hunt::Scenario("goodbye_unheard"),
    },
    Tooth {
        name: "an_answer_waits_for_nothing",
        file: "member/showing.rs",
        needle: "self.overdue || !seal",
        replacement: "self.overdue || true || !seal",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("log_in_order"),
    },
    Tooth {
        name: "who_waits_behind_another_has_waited",
        file: "member/streams.rs",
        needle: "if waits != self.waiting.map(|(position, _)| position) {",
        replacement: "if waits.is_some() != self.waiting.is_some() {",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("log_in_order"),
    },
    Tooth {
        name: "nobody_compares_what_was_said",
        file: "member/catching.rs",
        needle: "filter(|&(_, digest)| digest != NOTHING)",
        replacement: "filter(|&(_, digest)| digest != NOTHING && false)",
        oracles: &["L7"],
        hunt: Hunt::Scenario("log_author_dies"),
    },
    Tooth {
        name: "who_comes_reads_nothing",
        file: "member/catching.rs",
        needle: "if reads && self.catching.reading.is_none()",
        replacement: "if false && reads && self.catching.reading.is_none()",
        oracles: &["L7"],
        hunt: Hunt::Scenario("log_newcomer"),
    },
    Tooth {
        name: "what_was_handed_on_is_shown_again",
        file: "member/showing.rs",
        needle: "Verdict::Known => return self.log.has_come",
        replacement: "Verdict::Known => self.log.has_come",
        oracles: &["S2"],
        hunt: Hunt::Scenario("log_split"),
    },
    Tooth {
        name: "everybody_watches_everybody",
        file: "member/watching.rs",
        needle: "        if !self.watched.contains(&key) {\n            let far",
        replacement: "        if false {\n            let far",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("crash_in_a_crowd"),
    },
    Tooth {
        name: "one_failure_is_enough_for_lost",
        file: "member/watching.rs",
        needle: "        LOSES_MUCH.. => 8,\n",
        replacement: "        LOSES_MUCH.. => 1,\n",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("crash_in_a_crowd"),
    },
    Tooth {
        name: "a_late_lease_brings_us_back",
        file: "peer/answers.rs",
        needle: "(Purpose::Nodeset(Ask::Register), response) if parting => {",
        replacement: "(Purpose::Nodeset(Ask::Register), response) if parting && false => {",
        oracles: &["S7", "exit", "L2"],
        hunt: Hunt::Seeds(100),
    },
    Tooth {
        name: "a_counter_is_used_twice",
        file: "session.rs",
        needle: "session.counter += 1;",
        replacement: "session.counter += u64::from(session.counter != 9);",
        oracles: &["S13"],
        hunt: Hunt::Seeds(20),
    },
    Tooth {
        name: "entropy_is_used_twice",
        file: "session.rs",
        needle: "*self.seed = Seed(self.seed.bytes(\"next\", 0));",
        replacement: "",
        oracles: &["S13"],
        hunt: Hunt::Seeds(20),
    },
    Tooth {
        name: "what_is_said_is_not_sealed",
        file: "session.rs",
        needle: "session.transport.seal(counter, &self.text, &mut bytes[start..]);",
        replacement: "bytes[start..start + self.text.len()].copy_from_slice(&self.text);",
        oracles: &["S13", "L2"],
        hunt: Hunt::Seeds(20),
    },
    Tooth {
        name: "a_path_moves_without_being_asked",
        file: "member/moving.rs",
        needle: "        } else {\n            self.challenge(key, link, ctx);\n        }",
        replacement: "        } else {\n            if let Some(member) = self.slab.get_mut(key) {\n                member.reach.move_to(link);\n            }\n        }",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("redirected"),
    },
    Tooth {
        name: "what_was_held_back_is_a_sign_of_life",
        file: "session/stamps.rs",
        needle: "let timely = !lags || age <= LATE;",
        replacement: "let timely = !lags || age <= LATE * 100;",
        oracles: &["L2", "once"],
        hunt: Hunt::Seeds(400),
    },
    Tooth {
        name: "a_clock_that_was_set_back_keeps_out",
        file: "member.rs",
        needle: "if beacon.id == ctx.me.beacon.id {",
        replacement: "let newer = |m: &Member| m.record.beacon().key == beacon.key && m.record.beacon().incarnation > beacon.incarnation;\n        if beacon.id == ctx.me.beacon.id || self.slab.iter().any(|(_, m)| newer(m)) {",
        oracles: &["L2", "once"],
        hunt: Hunt::Seeds(100),
    },
    Tooth {
        name: "who_has_moved_is_not_asked_for",
        file: "peer/answers.rs",
        needle: "let known = members.failed(link, (member, matter), &mut ctx);",
        replacement: "let known = members.failed(link, (member, matter), &mut ctx) || true;",
        oracles: &["L7"],
        hunt: Hunt::Scenario("rebind_together"),
    },
    Tooth {
        name: "who_is_lost_is_asked_for_ever_more_rarely",
        file: "member/reach.rs",
        needle: "return Reroute::Later { heard: other.is_some() };",
        replacement: "return Reroute::Later { heard: true };",
        oracles: &["L7"],
        hunt: Hunt::Scenario("rebind_without_nodeset"),
    },
    Tooth {
        name: "a_question_that_went_with_its_link_is_waited_for",
        file: "member/greeting.rs",
        needle: "        member.life.unlink(link);\n",
        replacement: "        if member.reach.path().is_none() {\n            member.life.pinged();\n        }\n",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("rebind_in_silence"),
    },
    Tooth {
        name: "copies_are_opened_again",
        file: "session.rs",
        needle: "if !session.window.is_new(counter) {",
        replacement: "if counter >= COUNTER_MAX {",
        oracles: &["S14"],
        hunt: Hunt::Seeds(20),
    },
    Tooth {
        name: "authors_say_as_much_as_they_like",
        file: "member/streams.rs",
        needle: "if news && (full || counts && !self.said.take(now, SAID)) {",
        replacement: "if news && full || counts && false {",
        oracles: &["paced"],
        hunt: Hunt::Seeds(300),
    },
    Tooth {
        name: "a_session_in_use_is_let_go_of",
        file: "session/places.rs",
        needle: "if stale.is_some() && stale == remote.heard {",
        replacement: "if stale.is_some() && false {",
        oracles: &["prompt"],
        hunt: Hunt::Seeds(1_600),
    },
    Tooth {
        name: "anybody_is_greeted_anywhere",
        file: "call/unproven.rs",
        needle: "let free = (answers || address.next(TO_ADDRESS) <= now) && self.all.next(IN_ALL) <= now;\n        if !free || !computer.take(now, TO_COMPUTER) && (answers || !inhabited()) {\n            return false;\n        }\n        address.take(now, TO_ADDRESS);\n        self.all.take(now, IN_ALL)",
        replacement: "let _ = (address, computer, inhabited, answers);\n        true",
        oracles: &["third"],
        hunt: Hunt::Seeds(500),
    },
    Tooth {
        name: "who_takes_nothing_is_called_all_the_time",
        file: "speech/stream.rs",
        needle: "self.pause = self.pause.max(now + pause);",
        replacement: "self.pause = now + pause / 256;",
        oracles: &["price"],
        hunt: Hunt::Seeds(2_000),
    },
    Tooth {
        name: "a_nodeset_replaces_anybody",
        file: "member/presence.rs",
        needle: "Why::Replaced if !self.is_replaced(key, ctx) => Why::Timeout,",
        replacement: "Why::Replaced if false && !self.is_replaced(key, ctx) => Why::Timeout,",
        oracles: &["S7", "L2"],
        hunt: Hunt::Seeds(500),
    },
    Tooth {
        name: "every_page_is_large",
        file: "nodeset/registry.rs",
        needle: "usize::from(most).clamp(DATAGRAM_SMALL, DATAGRAM_MAX)",
        replacement: "usize::from(most).clamp(DATAGRAM_MAX, DATAGRAM_MAX) + 0 * DATAGRAM_SMALL",
        oracles: &["L2", "L6"],
        hunt: Hunt::Seeds(50),
    },
    Tooth {
        name: "a_nodeset_is_asked_as_fast_as_it_answers",
        file: "nodeset/lease.rs",
        needle: "Response::Cookie(cookie) if self.cookies.take(now, COOKIES) => {",
        replacement: "Response::Cookie(cookie) => {",
        oracles: &["price", "L8"],
        hunt: Hunt::Seeds(500),
    },
    Tooth {
        name: "no_relay_is_asked",
        file: "member/relaying.rs",
        needle: "let nth = nth.checked_rem(best.len())?;",
        replacement: "let nth = nth.checked_rem(best.len())? + best.len();",
        oracles: &["L7"],
        hunt: Hunt::Scenario("apart"),
    },
    Tooth {
        name: "a_relay_passes_on_to_addresses_of_beacons",
        file: "member/relaying.rs",
        needle: "path.is_some_and(|path| !ctx.calls.is_doubtful(path))",
        replacement: "path.and_then(|path| ctx.calls.addr(path)).is_some_and(|at| other.is_some_and(|other| other.record.beacon().addrs.contains(&at)))",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("nat_relayed"),
    },
    Tooth {
        name: "a_way_through_a_relay_is_kept",
        file: "member/reach.rs",
        needle: "is_relayed(path) && !is_relayed(link);",
        replacement: "is_relayed(path) && is_relayed(link);",
        oracles: &["L7"],
        hunt: Hunt::Scenario("apart_direct_again"),
    },
    Tooth {
        name: "who_is_silent_is_asked_like_anybody",
        file: "call/turn.rs",
        needle: "const TO_SILENT: Duration = Duration::from_secs(1);",
        replacement: "const TO_SILENT: Duration = Duration::from_millis(10);",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("slow_lines"),
    },
    Tooth {
        name: "a_long_round_trip_is_never_learned",
        file: "path.rs",
        needle: "const SAMPLE_MAX: Duration = Duration::from_secs(60);",
        replacement: "const SAMPLE_MAX: Duration = Duration::from_secs(1);",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("slow_lines"),
    },
    Tooth {
        name: "who_is_back_says_nothing_of_others",
        file: "call/turn.rs",
        needle: "if silence != Silence::Long {",
        replacement: "if silence != Silence::None {",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("slow_lines"),
    },
    Tooth {
        name: "a_ghost_is_asked_nothing",
        file: "member/presence.rs",
        needle: "for key in earlier {",
        replacement: "for key in earlier.into_iter().take(0) {",
        oracles: &["L7"],
        hunt: Hunt::Scenario("restart_elsewhere"),
    },
    Tooth {
        name: "what_opens_a_router_goes_on",
        file: "outbox.rs",
        needle: "const NEAR: u8 = 3;",
        replacement: "const NEAR: u8 = 64;",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("nat_punched"),
    },
    Tooth {
        name: "both_are_told_to_go_on",
        file: "member/punching.rs",
        needle: "near: step == 0 });",
        replacement: "near: step > 9 });",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("nat_punched"),
    },
    Tooth {
        name: "one_of_two_is_introduced",
        file: "member/punching.rs",
        needle: "if done && step + 1 < STEPS {",
        replacement: "if done && step + 1 < STEPS - 2 {",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("nat_punched"),
    },
    Tooth {
        name: "a_door_leads_to_one_member",
        file: "peer/doors.rs",
        needle: "once(Known { signed: me, seen: own }).chain(others);",
        replacement: "once(Known { signed: me, seen: own }).chain(others.take(0));",
        oracles: &["L7"],
        hunt: Hunt::Scenario("through_a_member"),
    },
    Tooth {
        name: "who_was_let_in_by_one_asks_nobody_else",
        file: "peer/doors.rs",
        needle: "if !addrs.is_empty() && addrs != self.doors.addrs {",
        replacement: "if addrs.is_empty() {",
        oracles: &["L7", "scenario"],
        hunt: Hunt::Scenario("through_who_leaves"),
    },
    Tooth {
        name: "nobody_who_looks_for_the_room_waits",
        file: "hail.rs",
        needle: "seek.hears(now, hail.inside, hail.caller < hearer.me);",
        replacement: "seek.hears(now, hail.inside, false);",
        oracles: &["scenario", "L7"],
        hunt: Hunt::Scenario("found_at_once"),
    },
    Tooth {
        name: "everybody_hails_whoever_else_has",
        file: "hail.rs",
        needle: "self.lines[line].others |= hail.inside;",
        replacement: "self.lines[line].others &= hail.inside;",
        oracles: &["scenario"],
        hunt: Hunt::Scenario("two_rooms_on_a_wire"),
    },
    Tooth {
        name: "strangers_are_not_asked_whom_they_know",
        file: "peer/hailing.rs",
        needle: "Some(addr) => hailing.waits(addr),",
        replacement: "Some(_) => {}",
        oracles: &["L7"],
        hunt: Hunt::Scenario("two_rooms_on_a_wire"),
    },
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether the needle stands exactly once where it should.
///
/// # Errors
///
/// What is wrong.
pub fn matches(tooth: &Tooth) -> Result<(), String> {
    let path = root().join("src/machine").join(tooth.file);
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    match text.matches(tooth.needle).count() {
        1 => Ok(()),
        n => Err(format!("{}: the needle stands {n} times in {}", tooth.name, tooth.file)),
    }
}

/// Plants the bugs one after the other, or only the one of that name.
///
/// # Errors
///
/// The report, when one was not caught or could not be planted.
pub fn bite_all(name: Option<&str>) -> Result<String, String> {
    let wanted = TEETH.iter().filter(|tooth| name.is_none_or(|name| name == tooth.name));
    let (mut report, mut caught, mut planted) = (String::new(), 0, 0);
    for tooth in wanted {
        planted += 1;
        let (good, text) = match bite(tooth) {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        caught += usize::from(good);
        let verdict = if good { "caught" } else { "MISSED" };
        let _ = writeln!(report, "{verdict} {:28} {text}", tooth.name);
        eprintln!("{verdict} {:28} {text}", tooth.name);
    }
    let _ = writeln!(report, "{caught} of {planted} caught");
    if caught == planted && planted > 0 { Ok(report) } else { Err(report) }
}

fn bite(tooth: &Tooth) -> Result<String, String> {
    matches(tooth)?;
    let scratch = root().join("target/teeth");
    let tree = scratch.join("tree");
    copy(&root(), &tree).map_err(|error| format!("copying: {error}"))?;
    let file = tree.join("src/machine").join(tooth.file);
    let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let text = text.replacen(tooth.needle, tooth.replacement, 1);
    std::fs::write(&file, text).map_err(|error| error.to_string())?;
    let hunt = match tooth.hunt {
        Hunt::Seeds(seeds) => format!("run --stop --seeds 0..{seeds}"),
        Hunt::Scenario(name) => format!("scenario {name}"),
    };
    let output = Command::new("cargo")
        .args(["run", "--quiet", "-p", "chatrpc-sim", "--"])
        .args(hunt.split(' '))
        .current_dir(&tree)
        .env("CARGO_TARGET_DIR", scratch.join("target"))
        .env("RUSTFLAGS", "--cap-lints warn")
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = |line: &&str| line.starts_with("FAIL ") || line.contains(" FAILS: ");
    let Some(failure) = said.lines().find(failed) else {
        let why = String::from_utf8_lossy(&output.stderr);
        let why = if output.status.success() { "no oracle fired" } else { &why };
        return Err(why.to_owned());
    };
    let expected = |oracle: &&str| failure.contains(&format!(": {oracle} at "));
    if tooth.oracles.iter().any(expected) {
        Ok(failure.to_owned())
    } else {
        Err(format!("expected {:?}, got: {failure}", tooth.oracles))
    }
}

/// Copies what the workspace is built from.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for name in ["src", "sim", "benches"] {
        let target = to.join(name);
        if target.exists() {
            std::fs::remove_dir_all(&target)?;
        }
        copy_tree(&from.join(name), &target)?;
    }
    for name in ["Cargo.toml", "Cargo.lock", "clippy.toml"] {
        std::fs::copy(from.join(name), to.join(name))?;
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
