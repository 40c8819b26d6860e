//! Each cause from what shows it, and nothing else from that.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeSet;

use super::*;

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// So many questions, of which so many were answered, each after so long.
fn tally(asked: u32, answered: u32, after: Duration) -> Tally {
    let mut tally = Tally::default();
    (0..answered).for_each(|_| tally.note_answer(after));
    (answered..asked).for_each(|_| tally.note_loss());
    tally
}

/// A nodeset that answers as it should.
fn good(at: &str) -> Evidence {
    let (small, large) = (tally(16, 16, ms(3)), tally(1, 1, ms(3)));
    Evidence { small, large, answer: Some(Answer::Nodeset), ..Evidence::of(addr(at)) }
}

const HERE: Local = Local { v4: Reach::Wide, v6: Reach::Wide };

/// What is found; somebody is in the room.
fn judged(asked: Vec<Evidence>, local: Local) -> Vec<Finding> {
    let examined = Examined { asked, listed: Some(2), elsewhere: Some(0), ..Examined::default() };
    of(&examined, local)
}

fn of(examined: &Examined, local: Local) -> Vec<Finding> {
    let (at, version) = ("ship (10.9.0.1:7420)", (1, "0.1.0"));
    findings(&Case { at, examined, local, open: true, version, unknown: &[] })
}

fn causes(found: &[Finding]) -> Vec<Cause> {
    found.iter().map(|finding| finding.cause).collect()
}

/// Evidence of one silent address, and what else there is.
fn silent_at(at: &str, change: impl FnOnce(&mut Evidence)) -> Evidence {
    let mut evidence = Evidence::of(addr(at));
    change(&mut evidence);
    evidence
}

/// Nobody answers: for each cause the evidence, the addresses of this computer, and a word of the sentence.
fn silences() -> Vec<(Cause, Evidence, Local, &'static str)> {
    let (v4, v6) = ("10.9.0.1:7420", "[fd00::1]:7420");
    let router: IpAddr = addr("10.9.0.254:1").ip();
    let system = |at, system| silent_at(at, |one| one.system = Some(system));
    let said = |said| silent_at(v4, |one| one.said = Some(said));
    let none = Local::default();
    let only_v4 = Local { v6: Reach::None, ..HERE };
    let cable = Local { v4: Reach::Cable, v6: Reach::Cable };
    let words = || System::Other("No buffer space available".to_owned());
    vec![
        (Cause::NoNetwork, system(v4, System::NoRoute), none, "no interface"),
        (Cause::NoNetwork, silent_at(v4, |_| {}), none, "connected"),
        (Cause::OnlyLinkLocal, system(v4, System::NoRoute), cable, "of its own cable"),
        (Cause::NoFamily, system(v6, System::NoRoute), only_v4, "IPv6"),
        (Cause::NoFamily, system(v4, System::NoHost), Local { v4: Reach::None, ..HERE }, "IPv4"),
        (Cause::NotPermitted, system(v4, System::NotPermitted), HERE, "not permitted"),
        (Cause::NoZone, system("[fe80::1]:7420", System::Invalid), HERE, "of which"),
        (Cause::NoZone, silent_at("[fe80::1]:7420", |_| {}), HERE, "of which"),
        (Cause::Discarded, system(v4, System::Invalid), HERE, "throws it away"),
        (Cause::NoRoute, system(v4, System::NoRoute), HERE, "unreachable"),
        (Cause::NoRoute, system(v4, System::NoHost), HERE, "no way"),
        (Cause::CannotSend, system(v4, words()), HERE, "No buffer space"),
        (Cause::Forbidden, said(Said::Forbidden(router)), HERE, "10.9.0.254"),
        (Cause::Loops, said(Said::Loops(router)), HERE, "in circles"),
        (Cause::RouterKnowsNone, said(Said::KnowsNone(router)), HERE, "10.9.0.254"),
        (Cause::NobodyThere, said(Said::NobodyThere), HERE, "no computer"),
        (Cause::NobodyListens, said(Said::NobodyListens), HERE, "nothing is listening"),
        (Cause::NotChatrpc, silent_at(v4, |one| one.junk = true), HERE, "not a chatrpc"),
        (
            Cause::Version,
            silent_at(v4, |one| one.answer = Some(Answer::Version { theirs: 2 })),
            HERE,
            "protocol 2",
        ),
        (
            Cause::AnsweredElsewhere,
            silent_at(v4, |one| one.from = Some(addr("10.9.0.7:7420"))),
            HERE,
            "10.9.0.7:7420",
        ),
        (Cause::Silent, silent_at(v4, |_| {}), HERE, "no nodeset answered"),
    ]
}

#[test]
fn whoever_does_not_answer_has_a_cause() {
    for (cause, evidence, local, word) in silences() {
        let found = judged(vec![evidence.clone()], local);
        assert_eq!(causes(&found), [cause], "{evidence:?}");
        assert!(found[0].what.contains(word), "{}", found[0].what);
        assert_eq!(cause.gravity(), Gravity::Fails);
        let told = !found[0].advice.is_empty() || cause == Cause::CannotSend;
        assert!(told, "{cause:?} leaves people alone");
    }
}

/// Somebody answers: for each cause what was found, and a word of the sentence.
fn answers() -> Vec<(Cause, Examined, &'static str)> {
    let at = "10.9.0.1:7420";
    let with = |change: &dyn Fn(&mut Evidence)| {
        let mut one = good(at);
        change(&mut one);
        Examined { asked: vec![one], listed: Some(2), elsewhere: Some(0), ..Examined::default() }
    };
    let plain = || with(&|_| {});
    let dead = silent_at("10.9.0.77:7420", |one| one.said = Some(Said::NobodyThere));
    vec![
        (Cause::Full, Examined { full: true, ..plain() }, "is full"),
        (Cause::LargeVanish, with(&|one| one.large = tally(3, 0, ms(0))), "0 of 3 large"),
        (Cause::Loss, with(&|one| one.small = tally(32, 24, ms(3))), "25 %"),
        (Cause::Slow, with(&|one| one.small = tally(16, 16, ms(1_240))), "1.2 s"),
        (
            Cause::DeadAddress,
            Examined { asked: vec![dead, good(at)], ..plain() },
            "no computer on this network answers for 10.9.0.77:7420",
        ),
        (
            Cause::Elsewhere,
            Examined { listed: Some(0), elsewhere: Some(3), ..plain() },
            "3 people are in other rooms",
        ),
        (Cause::Empty, Examined { listed: Some(0), ..plain() }, "nobody is in this room"),
        (Cause::Clock, Examined { ahead: Duration::from_secs(7_300), ..plain() }, "2 hours"),
        (Cause::Member, with(&|one| one.answer = Some(Answer::Member)), "somebody in the room"),
        (Cause::ThisComputer, with(&|one| one.addr = addr("127.0.1.1:7420")), "itself"),
        (Cause::Well, plain(), "16 of 16 questions); 2 people were seen"),
    ]
}

#[test]
fn whoever_answers_may_have_a_cause_too() {
    for (cause, examined, word) in answers() {
        let found = of(&examined, HERE);
        let told = found.iter().find(|finding| finding.cause == cause);
        let told = told.unwrap_or_else(|| panic!("{cause:?} is not in {found:?}"));
        assert!(told.what.contains(word), "{}", told.what);
        let others: Vec<Cause> =
            causes(&found).into_iter().filter(|other| *other != cause).collect();
        let is_well = cause.gravity() == Gravity::Remark;
        assert_eq!(others, if is_well { vec![Cause::Well] } else { Vec::new() }, "{cause:?}");
    }
}

/// Those of a room that we are in.
fn bonds() -> Vec<(Cause, Bond, &'static str)> {
    let bond = || Bond {
        name: "bob".to_owned(),
        link: Link::Direct,
        apart: false,
        rtt: Some(ms(3)),
        loss_ppm: 0,
        small: false,
        unacked: 0,
        reads: true,
    };
    let through = Link::Through("carol".to_owned());
    vec![
        (Cause::NoWay, Bond { link: Link::None, ..bond() }, "no way to bob"),
        (Cause::Deaf, Bond { link: Link::Deaf, ..bond() }, "does not hear you"),
        (Cause::Relayed, Bond { link: through.clone(), ..bond() }, "bob is reached through carol"),
        (
            Cause::KeptApart,
            Bond { link: through, apart: true, ..bond() },
            "users apart: bob is on it as well, never answers there, and is reached through carol",
        ),
        (Cause::KeptApart, Bond { link: Link::None, apart: true, ..bond() }, "nobody here reaches"),
        (Cause::LargeVanish, Bond { small: true, ..bond() }, "vanish on the way to bob"),
        (Cause::Loss, Bond { loss_ppm: 300_000, ..bond() }, "30 % of what is asked of bob"),
        (Cause::Slow, Bond { rtt: Some(ms(2_000)), ..bond() }, "bob answers after 2.0 s"),
        (Cause::Unread, Bond { reads: false, unacked: 4, ..bond() }, "4 messages of yours wait"),
        (Cause::Well, bond(), "is reached directly"),
    ]
}

fn room(silent: Option<Duration>, member: bool, bonds: Vec<Bond>) -> Checkup {
    Checkup { nodeset: addr("10.9.0.1:7420"), silent, member, bonds }
}

#[test]
fn whoever_is_in_a_room_is_told_how_all_are_reached() {
    for (cause, bond, word) in bonds() {
        let found = checkup(&room(None, false, vec![bond]));
        assert_eq!(causes(&found), [cause]);
        assert!(found[0].what.contains(word), "{}", found[0].what);
    }
    let found = checkup(&room(Some(Duration::from_secs(75)), true, Vec::new()));
    assert_eq!(causes(&found), [Cause::NodesetSilent, Cause::Member]);
    assert!(found[0].what.ends_with("for 75.0 s"), "{}", found[0].what);
    let found = checkup(&room(Some(Duration::from_secs(7_201)), false, Vec::new()));
    assert!(found[0].what.ends_with("for 2 hours"), "{}", found[0].what);
    assert_eq!(causes(&checkup(&room(None, false, Vec::new()))), [Cause::Well]);
}

/// A room of a thousand who are all reached through somebody is not a thousand lines.
#[test]
fn of_many_with_one_cause_some_are_told() {
    let deaf = |n: usize| Bond { name: n.to_string(), link: Link::Deaf, ..bonds()[0].1.clone() };
    let through = |n: usize| Bond { link: Link::Through("x".to_owned()), ..deaf(n) };
    let all = (0..1000).map(deaf).chain((0..1000).map(through)).collect();
    let found = causes(&checkup(&room(None, false, all)));
    assert_eq!(found, [[Cause::Deaf; 32], [Cause::Relayed; 32]].concat());
}

/// The tables above leave out nothing but what is found before anybody is asked.
#[test]
fn every_cause_has_its_evidence() {
    let silent = silences().into_iter().map(|(cause, ..)| cause);
    let answered = answers().into_iter().map(|(cause, ..)| cause);
    let in_room = bonds().into_iter().map(|(cause, ..)| cause);
    let before = [unresolved("ship", "not known"), names_silent("ship"), cannot_listen("in use")];
    let before = before.map(|one| one.cause);
    let all: BTreeSet<Cause> =
        silent.chain(answered).chain(in_room).chain(before).chain([Cause::NodesetSilent]).collect();
    assert_eq!(all.into_iter().collect::<Vec<_>>(), Cause::ALL);
    let codes: BTreeSet<&str> = Cause::ALL.iter().map(|cause| cause.code()).collect();
    assert_eq!(codes.len(), Cause::ALL.len(), "two causes under one word");
    assert!(Cause::ALL.is_sorted_by_key(|cause| cause.gravity()));
}

/// The worst stands first, whichever address it is about.
#[test]
fn several_addresses_are_told_of_once_where_all_fail_alike() {
    let dead = |at| silent_at(at, |one| one.said = Some(Said::NobodyThere));
    let found = judged(vec![dead("10.9.0.7:1"), dead("10.9.0.8:1")], HERE);
    assert_eq!(causes(&found), [Cause::NobodyThere]);
    assert!(found[0].what.contains("ship (10.9.0.1:7420)"), "{}", found[0].what);
    let refused = silent_at("10.9.0.9:1", |one| one.said = Some(Said::NobodyListens));
    let found = judged(vec![refused, dead("10.9.0.7:1")], HERE);
    assert_eq!(causes(&found), [Cause::NobodyThere, Cause::NobodyListens]);
    assert!(found[0].what.contains("for 10.9.0.7:1:"), "{}", found[0].what);
    // A name that is not found is no reason to despair while another one leads somewhere.
    let unknown = [unresolved("nodest", "not known")];
    let examined = Examined { asked: vec![good("10.9.0.1:7420")], ..Examined::default() };
    let (at, version) = ("10.9.0.1:7420", (1, "0.1.0"));
    let case =
        Case { at, examined: &examined, local: HERE, open: true, version, unknown: &unknown };
    assert_eq!(causes(&findings(&case)), [Cause::DeadAddress]);
    let examined = Examined { asked: vec![dead("10.9.0.7:1")], ..Examined::default() };
    let case = Case { examined: &examined, ..case };
    assert_eq!(causes(&findings(&case)), [Cause::Unresolved, Cause::NobodyThere]);
}

/// Loss takes large datagrams, too: size is blamed only where chance would hardly have taken them all.
#[test]
fn size_is_not_blamed_for_loss() {
    for (small, large, blamed) in [
        ((16, 16), (3, 0), true),
        ((16, 16), (2, 0), false),
        ((16, 16), (6, 1), false),
        ((32, 16), (5, 0), false),
        ((32, 16), (6, 0), false),
        ((32, 16), (12, 0), true),
        ((32, 8), (6, 0), false),
    ] {
        let mut one = good("10.9.0.1:7420");
        one.small = tally(small.0, small.1, ms(3));
        one.large = tally(large.0, large.1, ms(3));
        let found = causes(&judged(vec![one], HERE));
        assert_eq!(found.contains(&Cause::LargeVanish), blamed, "{small:?} {large:?}: {found:?}");
    }
}

/// One lost question is chance, and nobody notices a tenth of a second.
#[test]
fn what_is_as_usual_is_not_told_of() {
    let mut one = good("10.9.0.1:7420");
    (one.small, one.large) = (tally(32, 31, ms(480)), tally(2, 1, ms(480)));
    assert_eq!(causes(&judged(vec![one], HERE)), [Cause::Well]);
    let ahead = Duration::from_secs(100);
    let asked = vec![good("10.9.0.1:7420")];
    let found = of(&Examined { asked, listed: Some(1), ahead, ..Examined::default() }, HERE);
    assert_eq!(causes(&found), [Cause::Well]);
}

#[test]
fn the_command_starts_a_nodeset_where_one_was_asked() {
    for (at, command) in [
        ("10.9.0.1:7420", "nodeset"),
        ("127.0.0.1:9555", "nodeset --listen 0.0.0.0:9555"),
        ("[::1]:9555", "nodeset --listen [::]:9555"),
        ("[::1]:7420", "nodeset"),
    ] {
        let found = nobody_listens(at, addr(at), false);
        assert_eq!(found.advice[0].command.join(" "), command);
    }
    let newer = version(1, 2, "0.2.0");
    assert_eq!(newer.advice[0].text, "upgrade the nodeset");
    assert_eq!(version(3, 2, "0.2.0").advice[0].text, "upgrade this one (chatrpc 0.2.0)");
}
