//! Who is told of nobody, on the networks around them: what is answered there, and to whom; and real processes
//! on computers that have a wire in common and nothing else.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]
#![allow(clippy::expect_used)]

#[path = "support/insider.rs"]
mod insider;
#[path = "support/lab.rs"]
mod lab;
#[path = "support/net.rs"]
mod net;
mod support;

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, Instant};

use chatrpc::machine::wire::{
    Datagram, HAIL, HAILED, Hail, Packet, Request, Response, kind, put_hail, put_hailed,
    put_header, put_response,
};
use chatrpc::machine::{Input, Lan, Machine, Name, PeerId, Room, Segment};

use insider::room;
use lab::Lab;
use net::*;
use support::{Process, chatrpc};

/// Where everybody is reached.
const EVERYBODY: &str = "10.0.255.255:7421";

/// Alice and Bob in a room, with that to do with the network they are on.
fn around(lan: Lan) -> Net {
    let mut net = Net::with(&[]);
    net.lan = lan;
    for (n, name, at) in [(0, "alice", ALICE), (1, "bob", BOB)] {
        net.join(name, at);
        let segment = Segment { own: addr(at).ip(), bits: 16, to: addr(EVERYBODY) };
        net.feed(n, Input::Segments(&[segment]));
    }
    net.run(5, |_, _, _| false);
    net.wire.clear();
    net
}

fn hail(of: &Room, n: u64, caller: PeerId, inside: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_hail(&mut bytes, of, n.to_be_bytes(), Hail { caller, inside });
    bytes
}

#[test]
fn strangers_are_met_with_silence() {
    let mut net = around(Lan::Answers);
    let other = Room::new(Name::parse("elsewhere").unwrap(), None);
    let before = net.peers[0].1.digest();
    let good = hail(&room(), 1, PeerId(7), false);
    net.forge(0, MALLORY, &hail(&other, 1, PeerId(7), false));
    for at in 0..good.len() {
        let mut spoilt = good.clone();
        spoilt[at] ^= 1;
        net.forge(0, MALLORY, &spoilt);
        net.forge(0, MALLORY, &good[..at]);
    }
    // From where nobody of that network is, and to where everybody is.
    for from in ["192.0.2.1:9", "10.0.255.255:9", "224.0.0.1:9", "10.0.6.6:0", "[fd00::6]:9"] {
        net.forge(0, from, &good);
    }
    assert!(net.wire.is_empty() && net.peers[0].1.digest() == before);
    net.forge(0, MALLORY, &good);
    let drawn = net.towards(MALLORY);
    assert_eq!((net.wire.len(), drawn.len(), drawn[0].len()), (1, 1, HAILED));
    assert!(drawn[0][0] == kind::HAILED && HAILED < HAIL);
    // Who has nothing to do with it is as silent with those who know the room.
    let mut net = around(Lan::Off);
    net.forge(0, MALLORY, &hail(&room(), 1, PeerId(7), false));
    assert!(net.wire.is_empty());
}

#[test]
fn what_is_recorded_draws_little() {
    let mut net = around(Lan::Answers);
    let bob = net.peers[1].1.me().id;
    for (caller, inside) in [(bob, true), (bob, false)] {
        net.forge(0, MALLORY, &hail(&room(), 90, caller, inside));
        assert!(net.wire.is_empty(), "whoever is here is not answered");
    }
    // Again and again, in anybody's name.
    let seen = hail(&room(), 1, PeerId(7), true);
    for n in 0..1_000u16 {
        net.forge(0, &format!("10.0.7.{}:{}", 1 + n % 200, 100 + n), &seen);
    }
    assert_eq!(net.wire.len(), 1, "it is answered once");
    net.wire.clear();
    // Many of them at once.
    for n in 0..10_000 {
        net.forge(0, MALLORY, &hail(&room(), 100 + n, PeerId(7), n % 2 == 0));
    }
    let drawn = net.towards(MALLORY);
    assert!((50..=100).contains(&drawn.len()), "{}", drawn.len());
    assert!(drawn.iter().all(|answer| answer.len() == HAILED));
    // And nothing comes of it.
    net.wire.clear();
    net.run(100, |_, to, _| {
        assert_ne!(to, addr(MALLORY));
        assert_ne!(to, addr(EVERYBODY), "who answers alone hails nobody");
        false
    });
}

/// Several of the room answer a hail, the nodeset's address among them. When the first had been asked whom they
/// know, it was that address that came next, which is not asked; and whoever waited behind it was asked only once
/// something else happened.
#[test]
fn who_waits_to_be_asked_whom_they_know_is_asked_in_turn() {
    let (first, next) = ("10.0.0.50:1", "10.0.0.51:1");
    let mut net = around(Lan::Hails);
    let mut salt = None;
    for _ in 0..70 {
        net.run(1, |_, to, bytes| {
            if to == addr(EVERYBODY) {
                salt = Some(bytes[1..9].try_into().unwrap());
            }
            to == addr(EVERYBODY)
        });
        if salt.is_some() {
            break;
        }
    }
    let mut hailed = Vec::new();
    put_hailed(&mut hailed, &room(), salt.unwrap());
    for from in [first, NODESET, next] {
        net.forge(0, from, &hailed);
    }
    let [asked] = &net.towards(first)[..] else { panic!("one question") };
    let asked = Datagram::decode(asked).unwrap();
    let Some(Packet::Request { seq, request: Request::Who { .. } }) = asked.packets().next() else {
        panic!("whom they know")
    };
    assert!(net.towards(next).is_empty());
    let mut answer = Vec::new();
    put_header(&mut answer, 77, 1000, 1, 0);
    put_response(&mut answer, seq, &Response::Unknown);
    answer[0] = kind::PROVEN;
    let proof = room().proof(&answer);
    answer.extend_from_slice(&proof);
    net.forge(0, first, &answer);
    assert_eq!(net.towards(next).len(), 1);
}

/// Somebody on a computer who is told of nobody.
fn chat(lab: &Lab, computer: usize, name: &str, more: &[&str]) -> Process {
    let mut args = vec!["chat", "-n", name, "--json"];
    args.extend(more);
    let mut command = chatrpc(&args);
    command.env_remove("CHATRPC_NO_LAN");
    Process::of(&mut lab.command(computer, &command))
}

/// Bob comes, and meets Alice within three seconds.
fn meets(lab: &Lab, computer: usize, alice: &mut Process) -> Process {
    let began = Instant::now();
    let mut bob = chat(lab, computer, "bob", &[]);
    let ready = bob.out.wait(r#""t":"ready""#);
    assert!(ready.contains(r#""name":"alice""#), "{ready}");
    alice.out.wait(r#""name":"bob""#);
    let took = began.elapsed();
    println!("met within {} ms", took.as_millis());
    assert!(took < Duration::from_secs(3), "{took:?}");
    bob.say(r#"{"t":"send","text":"hello"}"#);
    bob.out.wait(r#""acked":1,"failed":[]"#);
    bob
}

fn leave(mut one: Process) {
    one.signal("TERM");
    assert_eq!(one.status(), 143);
}

/// What is sent to everybody, as a computer hears it on which nothing of ours runs.
fn overheard(lab: &Lab, computer: usize, test: &str, secs: u64) -> Process {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", test, "--nocapture"]);
    command.env("CHATRPC_TEST_EARS", secs.to_string());
    Process::of(&mut lab.command(computer, &command))
}

/// Hears what is sent to everybody, if that is what this process is for.
fn be_ears() -> bool {
    let Some(secs) = std::env::var("CHATRPC_TEST_EARS").ok().and_then(|secs| secs.parse().ok())
    else {
        return false;
    };
    let socket = UdpSocket::bind("0.0.0.0:7421").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    println!("listening");
    let (began, mut bytes) = (Instant::now(), [0; 1_500]);
    while began.elapsed() < Duration::from_secs(secs) {
        if let Ok((len, from)) = socket.recv_from(&mut bytes) {
            let hex: String = bytes[..len].iter().map(|byte| format!("{byte:02x}")).collect();
            println!("heard {from} {hex}");
        }
    }
    true
}

#[test]
#[ignore = "needs network namespaces"]
fn two_on_one_wire_meet_and_a_sealed_room_stays_apart() {
    if be_ears() {
        return;
    }
    let Some(lab) = Lab::new(4) else { return };
    let name = "two_on_one_wire_meet_and_a_sealed_room_stays_apart";
    let mut ears = overheard(&lab, 4, name, 15);
    ears.out.wait("listening");
    let made = String::from_utf8(chatrpc(&["secret"]).output().unwrap().stdout).unwrap();
    let sealed = |computer, name| {
        let args = ["chat", "-n", name, "--json"];
        let mut command = chatrpc(&args);
        command.env_remove("CHATRPC_NO_LAN").env("CHATRPC_SECRET", made.trim());
        Process::of(&mut lab.command(computer, &command))
    };
    let mut alice = chat(&lab, 1, "alice", &[]);
    alice.out.wait(r#""code":"opened""#);
    let mut dave = sealed(3, "dave");
    dave.out.wait(r#""code":"opened""#);
    let bob = meets(&lab, 2, &mut alice);
    // Who only looks is told of the rooms whose secret they have.
    let find = |json: &[&str], secret: Option<&str>| {
        let mut command = chatrpc(&[&["find"], json].concat());
        command.envs(secret.map(|secret| ("CHATRPC_SECRET", secret.trim())));
        let output = lab.command(2, &command).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    };
    let (status, told) = find(&[], None);
    let words: Vec<&str> = told.split_whitespace().collect();
    assert_eq!((status, &words[..2], told.lines().count()), (0, &["lobby", "open"][..], 1));
    assert!(words[2..].iter().any(|addr| addr.starts_with("10.9.0.1:")), "{told}");
    let (status, told) = find(&[], Some(&made));
    assert_eq!((status, told.lines().count()), (0, 2), "{told}");
    let first = told.lines().next().unwrap();
    assert!(first.contains("sealed") && first.contains("10.9.0.3:"), "{told}");
    let (status, told) = find(&["--json"], Some(&made));
    assert_eq!((status, told.matches(r#""t":"room""#).count()), (0, 2), "{told}");
    let (status, told) = find(&["--room", "nowhere", "--json"], None);
    assert_eq!((status, told.matches(r#""room":"lobby""#).count()), (0, 1), "{told}");
    // On a computer where somebody is already, in another room.
    let mut erin = sealed(1, "erin");
    let ready = erin.out.wait(r#""t":"ready""#);
    assert!(ready.contains(r#""name":"dave""#) && !ready.contains("alice"), "{ready}");
    let heard: Vec<String> =
        ears.out.all().iter().filter(|line| line.contains("heard ")).cloned().collect();
    let (mut runs, mut from) = (BTreeSet::new(), BTreeSet::new());
    for line in &heard {
        let mut words = line.split(' ').skip_while(|word| !word.ends_with("heard")).skip(1);
        let (of, hex) = (words.next().unwrap(), words.next().unwrap());
        assert_eq!((hex.len(), &hex[..2]), (2 * HAIL, "07"), "{line}");
        from.insert(of.rsplit_once(':').unwrap().0.to_owned());
        for at in (0..=hex.len() - 16).step_by(2) {
            assert!(runs.insert(hex[at..at + 16].to_owned()), "a run of eight bytes: {heard:#?}");
        }
    }
    assert!(heard.len() >= 15 && from.len() == 3, "{heard:#?}");
    assert!(alice.out.has_none("dave") && dave.out.has_none("alice") && erin.out.has_none("bob"));
    [alice, bob, dave, erin].into_iter().for_each(leave);
    let (status, told) = find(&[], None);
    assert!(status == 3 && told.contains("nobody answers on the networks"), "{told}");
}

/// The switch lets nothing pass that is sent to all, as wireless networks do that spare the air. Who is there
/// is known all the same: it answers for them when they are asked for (ARP).
#[test]
#[ignore = "needs network namespaces"]
fn where_nothing_is_sent_to_all_neighbours_are_asked_one_by_one() {
    let Some(lab) = Lab::new(3) else { return };
    let cards: Vec<String> = (1..=3).map(|n| lab.card(n)).collect();
    for n in 1..=3 {
        lab.flood(n, false);
        for (other, card) in (1..).zip(&cards).filter(|(other, _)| *other != n) {
            lab.on(n, &format!("neigh replace 10.9.0.{other} lladdr {card} dev eth0 nud stale"));
        }
    }
    let mut alice = chat(&lab, 1, "alice", &[]);
    alice.out.wait(r#""code":"opened""#);
    let mut bob = meets(&lab, 2, &mut alice);
    assert!(bob.out.has_none(r#""code":"opened""#), "bob opens no room of his own");
    let output = lab.command(3, &chatrpc(&["find"])).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("lobby") && told.contains("10.9.0.1:"), "{told}");
    // Two at one moment.
    [alice, bob].into_iter().for_each(leave);
    let names = ["alice", "bob", "carol"];
    let mut all: Vec<Process> =
        (1..).zip(names).map(|(n, name)| chat(&lab, n, name, &[])).collect();
    for (n, one) in all.iter_mut().enumerate() {
        for other in names.iter().filter(|&&other| other != names[n]) {
            one.out.wait_anywhere(&format!(r#""name":"{other}""#));
        }
    }
    all.into_iter().for_each(leave);
}

#[test]
#[ignore = "needs network namespaces"]
fn ipv6_alone_is_enough_and_so_is_one_computer() {
    let Some(lab) = Lab::new(2) else { return };
    for n in [1, 2] {
        lab.on(n, &format!("addr del 10.9.0.{n}/24 dev eth0"));
    }
    // Until the address of the cable is known to be nobody else's.
    std::thread::sleep(Duration::from_secs(2));
    let mut alice = chat(&lab, 1, "alice", &[]);
    alice.out.wait(r#""code":"opened""#);
    leave(meets(&lab, 2, &mut alice));
    leave(meets(&lab, 1, &mut alice));
    leave(alice);
    lab.on(1, "link set eth0 down");
    let mut alice = chat(&lab, 1, "alice", &[]);
    alice.out.wait(r#""code":"opened""#);
    leave(meets(&lab, 1, &mut alice));
    leave(alice);
}

#[test]
#[ignore = "needs network namespaces"]
fn two_who_begin_apart_or_at_once_become_one_room() {
    let Some(lab) = Lab::new(3) else { return };
    lab.on(2, "link set eth0 down");
    let (mut alice, mut bob) = (chat(&lab, 1, "alice", &[]), chat(&lab, 2, "bob", &[]));
    alice.out.wait(r#""code":"opened""#);
    bob.out.wait(r#""code":"opened""#);
    lab.on(2, "link set eth0 up");
    let began = Instant::now();
    bob.out.wait(r#""name":"alice""#);
    alice.out.wait(r#""name":"bob""#);
    println!("one room within {} ms", began.elapsed().as_millis());
    assert!(began.elapsed() < Duration::from_secs(10));
    // Who came through either meets both; who wants nothing to do with it, nobody.
    let mut carol = chat(&lab, 3, "carol", &[]);
    let ready = carol.out.wait(r#""t":"ready""#);
    assert!(!ready.contains(r#""people":[]"#), "{ready}");
    ["alice", "bob"]
        .iter()
        .for_each(|name| carol.out.wait_anywhere(&format!(r#""name":"{name}""#)));
    let mut alone = chat(&lab, 3, "alice", &["--no-lan"]);
    let ready = alone.out.wait(r#""t":"ready""#);
    assert!(ready.contains(r#""people":[]"#), "{ready}");
    [alice, bob, carol, alone].into_iter().for_each(leave);
    // At one moment.
    let names = ["alice", "bob", "carol"];
    let mut all: Vec<Process> =
        (1..).zip(names).map(|(n, name)| chat(&lab, n, name, &[])).collect();
    for (n, one) in all.iter_mut().enumerate() {
        for other in names.iter().filter(|&&other| other != names[n]) {
            one.out.wait_anywhere(&format!(r#""name":"{other}""#));
        }
    }
    all.into_iter().for_each(leave);
}
