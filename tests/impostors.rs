//! People who would like to be taken for somebody else, and what must not reach them.
//!
//! A name is whatever its owner likes. An id was looked for among names first, so whoever took the
//! beginning of Bob's as a name got what was for Bob alone; and what Dave had missed was said again
//! to whoever had his name when he was gone.

#[path = "support/insider.rs"]
mod insider;
#[path = "support/net.rs"]
mod net;

use chatrpc::machine::wire::{Change, Flags, Page, Request, Response, put_request, put_response};
use chatrpc::machine::wire::{Datagram, Packet};
use chatrpc::machine::{Command, Input, Machine, PeerId, Whom};
use insider::Insider;
use net::*;

const CAROL: &str = "10.0.0.4:1";

/// What the id of the peer that joins as that number will be.
fn id_of(net: &Net, n: usize) -> PeerId {
    net.identity(n).public().process(1000 + n as u64)
}

/// Alice, and Mallory under a name made of the id that Bob has once he joins, as the last one.
fn with_impostor(name: impl Fn(&str) -> String) -> (Net, PeerId) {
    let mut net = Net::with(&[("alice", ALICE)]);
    let bob = id_of(&net, 2);
    net.join(&name(&bob.to_string()), MALLORY);
    net.run(3, |_, _, _| false);
    assert_eq!(net.count(1, "Ready"), 1, "{:?}", net.peers[1].2);
    net.join("bob", BOB);
    net.run(3, |_, _, _| false);
    assert_eq!(net.count(2, "Ready"), 1, "{:?}", net.peers[2].2);
    (net, bob)
}

fn command(net: &mut Net, n: usize, command: Command<'_>) {
    net.feed(n, Input::Command(command));
    net.run(1, |_, _, _| false);
}

fn line(net: &mut Net, n: usize, line: &str) {
    net.feed(n, Input::Line(line));
    net.run(1, |_, _, _| false);
}

#[test]
fn what_is_for_an_id_never_reaches_who_took_it_as_a_name() {
    for letters in [4, 6, 8, 12] {
        for upper in [false, true] {
            let (mut net, bob) = with_impostor(|id| {
                let name = &id[..letters];
                if upper { name.to_uppercase() } else { name.to_owned() }
            });
            let word = bob.to_string()[..letters].to_owned();
            let name = if upper { word.to_uppercase() } else { word };
            for said in [
                format!("/msg {name} hunter2"),
                format!("/whois {name}"),
                format!("/verify {name}"),
                format!("/trust {name}"),
            ] {
                line(&mut net, 0, &said);
            }
            assert_eq!(net.count(0, "NameOrId"), 4, "{:?}", net.peers[0].2);
            assert_eq!(net.count(0, "Whois") + net.count(0, "Words") + net.count(0, "Trusted"), 0);
            // In other letters than Mallory's it is no name.
            let other = if upper { name.to_lowercase() } else { name.to_uppercase() };
            line(&mut net, 0, &format!("/msg {other} hunter2"));
            assert_eq!(net.count(1, "hunter2"), 0, "{letters} letters reached Mallory");
            // The one or the other is always meant by the whole id.
            line(&mut net, 0, &format!("/msg {bob} for bob"));
            let mallory = id_of(&net, 1);
            line(&mut net, 0, &format!("/msg {mallory} for mallory"));
            assert_eq!((net.count(2, "for bob"), net.count(1, "for bob")), (1, 0));
            assert_eq!((net.count(2, "for mallory"), net.count(1, "for mallory")), (0, 1));
        }
    }
}

#[test]
fn nor_when_the_one_with_the_id_is_gone() {
    let (mut net, bob) = with_impostor(|id| id[..8].to_owned());
    line(&mut net, 2, "/quit");
    net.run(2, |_, _, _| false);
    assert_eq!(net.count(0, "Left"), 1);
    let word = bob.to_string()[..8].to_owned();
    line(&mut net, 0, &format!("/msg {word} hunter2"));
    assert_eq!(net.count(0, "NameOrId"), 1);
    line(&mut net, 0, &format!("/msg {bob} hunter2"));
    assert_eq!(net.count(0, "NobodyWithId"), 1);
    for to in [Whom::Id(bob), Whom::Key(net.identity(2).public())] {
        command(&mut net, 0, Command::Say { text: "hunter2", action: false, to: Some(to) });
    }
    assert_eq!(net.count(0, "NobodyWithId") + net.count(0, "NobodyWithKey"), 3);
    assert_eq!(net.count(1, "hunter2"), 0);
}

/// No machine of ours has a whole id as its name. One that has is not reached by that id, and everybody
/// is warned, whether somebody has the id or not.
#[test]
fn a_name_that_is_a_whole_id_is_worth_nothing() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let bob = id_of(&net, 1);
    let mut mallory = Insider::new(66, 9);
    arrive(&mut net, &mut mallory, MALLORY, &bob.to_string());
    assert_eq!(net.count(0, "Joined"), 1);
    let warned = net.count(0, "Alike");
    assert_eq!(warned, 1, "{:?}", net.peers[0].2);
    line(&mut net, 0, &format!("/msg {bob} hunter2"));
    assert_eq!((net.count(0, "NobodyWithId"), net.count(0, "Sent")), (1, 0));
    net.join("bob", BOB);
    net.run(3, |_, _, _| false);
    assert_eq!(net.count(0, "Alike"), warned + 1, "now somebody has it");
    line(&mut net, 0, &format!("/msg {bob} hunter2"));
    assert_eq!(net.count(1, "hunter2"), 1);
}

#[test]
fn nobody_joins_or_is_renamed_to_an_id() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let bob = id_of(&net, 1).to_string();
    for name in [
        bob[..4].to_owned(),
        bob[..4].to_uppercase(),
        bob[..12].to_owned(),
        bob.clone(),
        format!("bob·{}", &bob[..4]),
        format!("bob ({})", &bob[..8]),
        PeerId(77).to_string(),
    ] {
        line(&mut net, 0, &format!("/nick {name}"));
        let n = net.join(&name, &format!("10.0.1.{}:1", net.peers.len()));
        net.run(3, |_, _, _| false);
        assert_eq!(net.count(n, "Ready"), 0, "{name}");
        assert_eq!(net.count(n, "ReadsAsId"), 1, "{name}: {:?}", net.peers[n].2);
    }
    assert_eq!((net.count(0, "Renamed"), net.count(0, "ReadsAsId")), (0, 7));
    line(&mut net, 0, &format!("/nick x{}", &bob[..4]));
    assert_eq!(net.count(0, "Renamed"), 1, "only the beginning of it");
}

/// Who missed something gets it as it was said: to the room. Nobody else gets it again, and only those
/// who are asked for confirm it.
#[test]
fn what_is_said_again_is_as_public_as_it_was() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB), ("carol", CAROL)]);
    let (bob, carol) = (id_of(&net, 1), id_of(&net, 2));
    let nobody = PeerId(77);
    let readers = [bob, nobody, bob];
    command(&mut net, 0, Command::Again { text: "for the room", action: false, readers: &readers });
    let public = |net: &Net, n: usize| {
        let lines = net.peers[n].2.iter().filter(|line| line.contains("for the room"));
        lines.filter(|line| line.contains("private: false")).count()
    };
    assert_eq!((public(&net, 1), public(&net, 2)), (1, 0));
    assert_eq!(net.count(1, "private: true"), 0);
    let sent = net.peers[0].2.iter().find(|line| line.contains("Sent")).unwrap();
    assert!(sent.contains("to: None") && sent.contains("readers: 1"), "{sent}");
    let done = net.peers[0].2.iter().find(|line| line.contains("Done")).unwrap();
    assert!(done.contains("acked: 1") && done.contains("failed: []"), "{done}");
    assert_eq!(net.count(0, "Acked"), 1);
    command(&mut net, 0, Command::Again { text: "more", action: true, readers: &[bob, carol] });
    assert_eq!((net.count(1, "more"), net.count(2, "more"), net.count(0, "Acked")), (1, 1, 3));
    command(&mut net, 0, Command::Again { text: "lost", action: false, readers: &[nobody] });
    assert_eq!((net.count(0, "NobodyWithId"), net.count(0, "lost")), (1, 0));
}

/// The newest process of a key, and never somebody else of the same name.
#[test]
fn a_key_is_its_newest_process() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let mut phone = Insider::with(net.identity(1), 5000);
    arrive(&mut net, &mut phone, CAROL, "phone");
    let key = net.identity(1).public();
    command(&mut net, 0, Command::Say { text: "psst", action: false, to: Some(Whom::Key(key)) });
    let sent = net.peers[0].2.iter().find(|line| line.contains("Sent")).unwrap();
    assert!(sent.contains(&phone.id().to_string()), "{sent}");
    assert_eq!(net.count(1, "psst"), 0);
}

/// Who is trusted while somebody else goes by that name already is no reason to be silent about those.
#[test]
fn whoever_goes_by_a_name_when_it_is_trusted_is_told_of() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let bob = id_of(&net, 1);
    let mut mallory = Insider::new(66, 9);
    arrive(&mut net, &mut mallory, MALLORY, "Bob");
    assert_eq!((net.count(0, "Joined"), net.count(0, "OtherKey")), (2, 0));
    line(&mut net, 0, &format!("/trust {bob}"));
    let warned = |net: &Net| net.count(0, "OtherKey");
    assert_eq!((net.count(0, "Trusted {"), warned(&net)), (1, 1), "{:?}", net.peers[0].2);
    line(&mut net, 0, &format!("/trust {}", mallory.id()));
    assert_eq!((net.count(0, "Trusted {"), warned(&net)), (2, 1), "now each has a name");
    // What is left of two names that look alike speaks against who had the other.
    line(&mut net, 0, "/untrust Bob");
    assert_eq!((net.count(0, "Untrusted {"), warned(&net)), (1, 2));
    line(&mut net, 0, &format!("/untrust {bob}"));
    assert_eq!((net.count(0, "Untrusted {"), warned(&net)), (2, 2));
    line(&mut net, 0, "/untrust bob");
    line(&mut net, 0, &format!("/untrust {}", mallory.id()));
    assert_eq!((net.count(0, "Untrusted {"), net.count(0, "NotTrusted")), (2, 2));
    line(&mut net, 0, "/trust");
    assert_eq!(net.count(0, "TrustedNames([])"), 1);
}

/// Who took the name of somebody who is trusted took their place with one word, and nobody was marked.
#[test]
fn a_trusted_name_is_given_to_another_key_only_when_it_is_trusted_no_more() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let (bob, theirs) = (id_of(&net, 1), net.identity(1).public());
    line(&mut net, 0, "/trust bob");
    line(&mut net, 1, "/quit");
    net.run(2, |_, _, _| false);
    assert_eq!((net.count(0, "Trusted {"), net.count(0, "Left")), (1, 1));
    let mut mallory = Insider::new(66, 9);
    arrive(&mut net, &mut mallory, MALLORY, "bob");
    assert_eq!((net.count(0, "Joined"), net.count(0, "OtherKey { who")), (2, 1));
    let id = mallory.id();
    assert_ne!(id, bob);
    for way in [id.to_string(), format!("bob·{}", id.short()), format!("!bob·{}", id.short())] {
        line(&mut net, 0, &format!("/trust {way}"));
    }
    assert_eq!((net.count(0, "Trusted {"), net.count(0, "TrustedOtherwise")), (1, 3));
    assert_eq!(net.count(0, &format!("trusted: {theirs:?}")), 3, "{:?}", net.peers[0].2);
    line(&mut net, 0, "/trusted");
    assert_eq!(
        net.count(0, &format!("TrustedNames([Pin {{ name: Name(\"bob\"), key: {theirs:?} }}])")),
        1,
        "{:?}",
        net.peers[0].2
    );
    line(&mut net, 0, "/untrust bob");
    line(&mut net, 0, &format!("/trust {id}"));
    assert_eq!((net.count(0, "Trusted {"), net.count(0, "TrustedOtherwise")), (2, 3));
}

/// What was for Bob, who is trusted and gone, went to whoever came under his name.
#[test]
fn what_is_for_a_trusted_name_never_reaches_another_key() {
    for name in ["bob", "Bob"] {
        let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
        line(&mut net, 0, "/trust bob");
        line(&mut net, 1, "/quit");
        net.run(2, |_, _, _| false);
        let mut mallory = Insider::new(66, 9);
        arrive(&mut net, &mut mallory, MALLORY, name);
        assert_eq!((net.count(0, "Joined"), net.count(0, "OtherKey { who")), (2, 1));
        for sign in ["", "@", "!"] {
            line(&mut net, 0, &format!("/msg {sign}{name} hunter2"));
            line(&mut net, 0, &format!("/trust {sign}{name}"));
        }
        assert_eq!((net.count(0, "Refused(OtherKey"), net.count(0, "Sent")), (6, 0), "{name}");
        assert_eq!(net.count(0, "Trusted {"), 1);
        // Who asks about them gets an answer, and whoever means them says so.
        line(&mut net, 0, &format!("/whois {name}"));
        line(&mut net, 0, &format!("/verify {name}"));
        assert_eq!((net.count(0, "Whois"), net.count(0, "Words")), (1, 1));
        let (id, short) = (mallory.id(), mallory.id().short());
        for way in [id.to_string(), format!("{name}·{short}"), format!("!{name}·{short}"), short]
        {
            line(&mut net, 0, &format!("/msg {way} hello"));
        }
        let to = Some(Whom::Id(id));
        command(&mut net, 0, Command::Say { text: "hello", action: false, to });
        assert_eq!((net.count(0, "Refused(OtherKey"), net.count(0, "Sent")), (6, 5), "{name}");
        line(&mut net, 0, "/untrust bob");
        line(&mut net, 0, &format!("/msg {name} hello"));
        assert_eq!((net.count(0, "Refused(OtherKey"), net.count(0, "Sent")), (6, 6), "{name}");
    }
}

/// Somebody shakes hands with Alice, says hello under that name, and something: then they are here.
fn arrive(net: &mut Net, insider: &mut Insider, at: &str, name: &str) {
    let mut session = net.shake(0, at, insider);
    let beacon = insider.signed(name, 1, Vec::new());
    let hello = session.seal(1, |out| {
        put_request(
            out,
            1,
            &Request::Hello { stream: 9, start: 0, given_up: 0, entries: 1, beacon },
        );
    });
    let said = session.seal(2, |out| {
        let flags = Flags::default();
        let say = Request::Say {
            stream: 9,
            position: 0,
            behind: u8::MAX,
            number: 1,
            flags,
            seal: None,
            text: "hello",
        };
        put_request(out, 2, &say);
    });
    net.forge(0, at, &hello);
    net.forge(0, at, &said);
    net.wire.retain(|_, (_, to, _)| *to != addr(at));
}

/// A thousand who are called alike were half a million warnings. They are one each, with a count.
#[test]
fn a_thousand_look_alikes_are_a_thousand_warnings() {
    const MANY: u64 = 1000;
    let people: Vec<_> = (0..MANY)
        .map(|n| {
            let mut luck = [7; 32];
            luck[..8].copy_from_slice(&n.to_be_bytes());
            let insider = Insider::with(chatrpc::machine::Identity::new(&luck), 9);
            let name = ["Mallory", "mallory", "mаllory", "Mallоry"][n as usize % 4];
            let at = format!("10.1.{}.{}:7", n / 250, n % 250 + 1);
            listed(&insider, name, &at, Vec::new())
        })
        .collect();
    let mut net = Net::with(&[]);
    let alice = net.join("alice", ALICE);
    let (until, mut stamp) = (net.now + 20_000_000, 1);
    while net.now < until && net.count(alice, "Ready") == 0 {
        let asked = net.towards(NODESET);
        net.wire.clear();
        for bytes in asked {
            let Ok(datagram) = Datagram::decode(&bytes) else { continue };
            for packet in datagram.packets() {
                let Packet::Request { seq, request } = packet else { continue };
                let page = |after: u64| {
                    let after = if after > MANY { 0 } else { after };
                    let reached = (after + 3).min(MANY);
                    let some = &people[after as usize..reached as usize];
                    let changes = some.iter().cloned().map(Change::Present).collect();
                    Page { after, reached, current: MANY, changes }
                };
                let response = match request {
                    Request::Who { have, .. } => Response::Page(page(have)),
                    _ => Response::Lease {
                        node: 1,
                        elsewhere: 0,
                        seen: addr(ALICE),
                        page: page(MANY),
                    },
                };
                stamp += 1;
                let answer = of_nodeset(500, stamp, |out| put_response(out, seq, &response));
                net.forge(alice, NODESET, &answer);
            }
        }
        let wake = net.peers[alice].1.next_wake().map(|wake| wake.at.as_micros());
        let soon = net.now + 1000;
        net.now =
            if net.towards(NODESET).is_empty() { wake.unwrap_or(until).max(soon) } else { soon };
        net.feed(alice, Input::Tick);
    }
    assert_eq!(net.count(alice, "Ready"), 1);
    let warnings: Vec<&String> =
        net.peers[alice].2.iter().filter(|line| line.contains("Alike")).collect();
    assert_eq!(warnings.len() as u64, MANY - 1, "the first one is like nobody");
    let bytes: usize = warnings.iter().map(|line| line.len()).sum();
    assert!(bytes < 400 * warnings.len(), "{bytes} bytes");
    assert!(warnings.last().unwrap().contains("others: 998"), "{}", warnings.last().unwrap());
    // One more, who comes later, and changes their name.
    let before = warnings.len();
    net.wire.clear();
    let mut late = Insider::new(66, 9);
    arrive(&mut net, &mut late, MALLORY, "mallory");
    assert_eq!(net.count(alice, "Alike"), before + 1);
    assert_eq!(net.count(alice, "others: 999"), 1);
}
