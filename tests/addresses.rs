//! Which address is asked, and which one answers: computers have several, and they change.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

#[path = "support/insider.rs"]
mod insider;
#[path = "support/lab.rs"]
mod lab;
#[path = "support/net.rs"]
mod net;
mod support;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use chatrpc::machine::wire::{Asked, Datagram, Packet, Request, Response, put_header, put_request};
use chatrpc::machine::{
    Action, Incarnation, Input, Registry, RegistryConfig, Seed, Tag, Time, drain,
};
use lab::Lab;
use support::{Process, nodeset_at, person};

/// What a nodeset sends when somebody asks it at one of its addresses: where from, and what.
fn asked_at(
    nodeset: &mut Registry,
    (from, at): (SocketAddr, IpAddr),
    incarnation: u64,
    request: &Request<'_>,
) -> Vec<(SocketAddr, Option<IpAddr>, Vec<u8>)> {
    let (mut bytes, mut sent) = (Vec::new(), Vec::new());
    put_header(&mut bytes, incarnation, 0, 1, 0);
    put_request(&mut bytes, 7, request);
    let input = Input::Datagram { from, at: Some(at), bytes: &bytes };
    drain(nodeset, Time::from_micros(1_000_000), input, |action| {
        if let Action::Send { to, source, bytes, .. } = action {
            sent.push((to, source, bytes.to_vec()));
        }
    });
    sent
}

/// The answer to a Register.
fn response(bytes: &[u8]) -> Response {
    let datagram = Datagram::decode(bytes).unwrap();
    let payload = datagram.packets().find_map(|packet| match packet {
        Packet::Response { payload, .. } => Some(payload),
        Packet::Request { .. } => None,
    });
    Response::decode(Asked::Register, payload.expect("a response")).unwrap()
}

/// Who was asked at its second address and answered, or announced, from its first one was taken for
/// somebody else, and nobody joined.
#[test]
fn a_nodeset_answers_and_announces_from_the_address_that_was_asked() {
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 1024);
    let (mut nodeset, tag) = (Registry::new(config), Tag([3; 16]));
    let people: [(SocketAddr, IpAddr); 2] = [
        ("10.1.0.7:1007".parse().unwrap(), "10.1.0.1".parse().unwrap()),
        ("10.2.0.8:1008".parse().unwrap(), "10.2.0.1".parse().unwrap()),
    ];
    let mut announced = Vec::new();
    for (n, &(from, at)) in people.iter().enumerate() {
        let token = net::farewell(1, n as u16).token();
        let mut cookie = [0; 8];
        loop {
            let sealed = net::noise();
            let request =
                Request::Register { cookie, tag, have: 0, most: 1200, token, n: 0, sealed };
            let sent = asked_at(&mut nodeset, (from, at), 7, &request);
            announced.extend(sent.iter().filter(|(to, ..)| *to != from).cloned());
            let own = sent.iter().find(|(to, ..)| *to == from).expect("an answer");
            assert_eq!(own.1, Some(at));
            match response(&own.2) {
                Response::Cookie(fresh) => cookie = fresh,
                Response::Lease { .. } => break,
                other => panic!("{other:?}"),
            }
        }
    }
    let (to, source, _) = &announced[0];
    assert_eq!((*to, *source), (people[0].0, Some(people[0].1)));
}

/// A process with a fixed port that was killed, and began again with its clock set back, was refused in
/// silence until the lease of the killed one ran out.
#[test]
fn who_is_there_now_takes_the_place_of_who_was_there_whatever_its_clock() {
    const DEAD: u64 = 2_000;
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 1024);
    let (mut nodeset, tag) = (Registry::new(config), Tag([3; 16]));
    let here = ("10.1.0.7:1007".parse().unwrap(), "10.1.0.1".parse().unwrap());
    let register = |nodeset: &mut Registry, incarnation: u64, cookie| {
        let (token, sealed) = (net::farewell(1, incarnation as u16).token(), net::noise());
        let request = Request::Register { cookie, tag, have: 0, most: 1200, token, n: 0, sealed };
        let sent = asked_at(nodeset, here, incarnation, &request);
        assert_eq!(sent.len(), 1, "one answer");
        response(&sent[0].2)
    };
    let cookie = |response| match response {
        Response::Cookie(cookie) => cookie,
        other => panic!("{other:?}"),
    };
    let ordinary = cookie(register(&mut nodeset, DEAD, [0; 8]));
    assert!(matches!(register(&mut nodeset, DEAD, ordinary), Response::Lease { .. }));
    for older in [1_000, 1_001, DEAD - 1] {
        // What it says is a refusal, and how to show that it is here now.
        let claim = cookie(register(&mut nodeset, older, ordinary));
        assert_ne!(claim, ordinary, "a cookie from before the other one came shows nothing");
        assert_eq!(cookie(register(&mut nodeset, older, ordinary)), claim);
        let of_another = cookie(register(&mut nodeset, older - 1, claim));
        assert_ne!(of_another, claim, "it is good for one process");
        assert!(matches!(register(&mut nodeset, older, claim), Response::Lease { .. }), "{older}");
        assert_eq!(nodeset.members(), 1, "one address, one process");
        // Its own place it renews as everybody does; a later one takes it as before.
        assert!(matches!(register(&mut nodeset, older, [0; 8]), Response::Lease { .. }));
        assert!(matches!(register(&mut nodeset, DEAD, ordinary), Response::Lease { .. }));
        assert_eq!(nodeset.members(), 1);
    }
}

/// The same with processes: the file that counts them was lost with the power.
#[test]
fn who_began_again_with_an_empty_count_is_back_at_once() {
    let (_nodeset, addr) = nodeset_at("127.0.0.1:0");
    let mut bob = person(&addr, "bob");
    let home = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("counted");
    let (folder, port) = (home.join("chatrpc"), UdpSocket::bind("127.0.0.1:0").unwrap());
    let listen = port.local_addr().unwrap().to_string();
    drop(port);
    let start = || {
        let args = ["chat", &addr, "-n", "alice", "--plain", "--commands", "--listen", &listen];
        let mut command = support::chatrpc(&args);
        command.env("XDG_DATA_HOME", &home).stdin(std::process::Stdio::piped());
        Process::of(&mut command)
    };
    let mut alice = start();
    alice.err.wait("* Welcome to the chat room, alice!");
    drop(alice);
    // An hour ahead, as it would be for a clock that was set back by one.
    let ahead = std::fs::read_to_string(folder.join("incarnation")).unwrap();
    let ahead = ahead.trim().parse::<u64>().unwrap() + (3_600_000 << 20);
    std::fs::write(folder.join("incarnation"), ahead.to_string()).unwrap();
    let mut alice = start();
    alice.err.wait("* Welcome to the chat room, alice!");
    bob.err.wait_for("alice has entered the chat!", 1);
    drop(alice);
    std::fs::write(folder.join("incarnation"), "").unwrap();
    let killed = Instant::now();
    let mut alice = start();
    alice.err.wait("* Welcome to the chat room, alice!");
    alice.say("back again");
    assert_eq!(bob.out.next_line().unwrap(), "alice: back again");
    assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
    std::fs::remove_dir_all(&home).unwrap();
}

/// Every Debian has its own name at 127.0.1.1: a nodeset answered from 127.0.0.1 who asked it there.
#[test]
fn a_nodeset_on_every_address_answers_at_each_of_them() {
    for any in ["0.0.0.0:0", "[::]:0"] {
        let (_nodeset, addr) = nodeset_at(any);
        let port = addr.parse::<SocketAddr>().unwrap().port();
        let second = format!("127.0.1.1:{port}");
        let mut who = Process::start(&["who", &second]);
        assert_eq!(who.status(), 0, "{}", who.errors());
        let mut alice = person(&second, "alice");
        let mut bob = person(&format!("127.0.2.2:{port}"), "bob");
        alice.err.wait("* bob has entered the chat!");
        bob.say("morning");
        assert_eq!(alice.out.next_line().unwrap(), "bob: morning");
    }
}

/// A peer answers from the address it was greeted at, too: whoever greets it there takes nobody else's word.
#[test]
fn two_computers_with_two_addresses_each_meet() {
    let Some(lab) = Lab::new(2) else { return };
    lab.on(1, "addr add 10.9.0.101/24 dev eth0");
    lab.on(2, "addr add 10.9.0.102/24 dev eth0");
    let _nodeset = lab.nodeset(1);
    let mut alice = lab.person(1, "10.9.0.101", "alice");
    alice.err.wait("* Welcome to the chat room, alice!");
    let mut bob = lab.person(2, "10.9.0.101", "bob");
    bob.err.wait("* Welcome to the chat room, bob!");
    alice.err.wait("* bob has entered the chat!");
    bob.say("morning");
    assert_eq!(alice.out.next_line().unwrap(), "bob: morning");
}

/// The status and the errors of a program that is to end.
fn ended(mut process: Process) -> (i32, String) {
    process.end_input();
    (process.status(), process.errors())
}

/// A name whose first address is dead, and that of every Debian, whose own name is at 127.0.1.1.
#[test]
fn a_name_is_joined_at_whichever_of_its_addresses_answers() {
    let Some(lab) = Lab::new(2) else { return };
    let _nodeset = lab.nodeset(1);
    for hosts in [
        "10.9.0.77 ship\n10.9.0.1 ship\n",
        "127.0.1.1 ship\n10.9.0.1 ship\n",
        "fd00:dead::1 ship\n10.9.0.1 ship\n",
    ] {
        lab.hosts(2, hosts);
        assert_eq!(
            ended(lab.start(2, &["who", "ship"])),
            (0, "nobody is here".to_owned()),
            "{hosts}"
        );
    }
}

#[test]
#[ignore = "takes 15 s"]
fn what_the_system_says_of_sending_is_told() {
    let Some(lab) = Lab::new(1) else { return };
    lab.on(1, "route add prohibit 10.7.0.0/24");
    let cases = [
        ("10.7.0.1", "not permitted (a firewall on this computer?)"),
        ("10.8.0.1", "the network is unreachable"),
    ];
    let started: Vec<_> = cases
        .iter()
        .flat_map(|(addr, why)| {
            let who = lab.start(1, &["who", addr]);
            let send = lab.start(1, &["send", addr, "-n", "bob", "hi"]);
            [(addr, why, who), (addr, why, send)]
        })
        .collect();
    for (addr, why, process) in started {
        let (status, errors) = ended(process);
        assert_eq!(status, 3, "{errors}");
        let what = format!("error: cannot send to {addr}:7420: {why} (asked for 15 s)");
        assert!(errors.contains(&what), "{errors}");
        assert!(
            errors.contains(&format!("* still asking {addr}:7420, for 3 s: {why}")),
            "{errors}"
        );
        assert!(!errors.contains("start one there"), "{errors}");
    }
}

/// A way to a nodeset, for one who asks: what they send takes its time, and is lost while it is cut.
struct Way {
    addr: SocketAddr,
    cut: Arc<AtomicBool>,
    passed: Arc<AtomicUsize>,
}

impl Way {
    fn to(nodeset: &str, delay: Duration) -> Self {
        let nodeset: SocketAddr = nodeset.parse().unwrap();
        let [public, inner] = [0, 1].map(|_| Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap()));
        let addr = public.local_addr().unwrap();
        let asker: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
        let (cut, passed): (Arc<AtomicBool>, Arc<AtomicUsize>) = Default::default();
        let there = (Arc::clone(&public), Arc::clone(&inner), Arc::clone(&asker), Arc::clone(&cut));
        thread::spawn(move || {
            let ((public, inner, asker, cut), mut bytes) = (there, [0; 2048]);
            while let Ok((len, from)) = public.recv_from(&mut bytes) {
                if cut.load(Ordering::SeqCst) || len < 2 {
                    continue;
                }
                *asker.lock().unwrap() = Some(from);
                let (inner, bytes) = (Arc::clone(&inner), bytes[..len].to_vec());
                thread::spawn(move || {
                    thread::sleep(delay);
                    let _ = inner.send_to(&bytes, nodeset);
                });
            }
        });
        let back = (Arc::clone(&cut), Arc::clone(&passed));
        thread::spawn(move || {
            let ((cut, passed), mut bytes) = (back, [0; 2048]);
            while let Ok((len, _)) = inner.recv_from(&mut bytes) {
                let to = asker.lock().unwrap().filter(|_| !cut.load(Ordering::SeqCst));
                passed.fetch_add(usize::from(to.is_some()), Ordering::SeqCst);
                let _ = to.map(|to| public.send_to(&bytes[..len], to));
            }
        });
        Self { addr, cut, passed }
    }
}

/// Who lived behind a link of six seconds was told that there is no nodeset.
#[test]
#[ignore = "takes 20 s"]
fn a_nodeset_that_answers_late_is_joined() {
    let (_nodeset, addr) = nodeset_at("127.0.0.1:0");
    let joined = [4, 6].map(|secs| {
        let addr = Way::to(&addr, Duration::from_secs(secs)).addr.to_string();
        let room = format!("way{secs}");
        let bob = Process::start(&["chat", &addr, "-n", "bob", "--room", &room, "--plain"]);
        (addr, bob)
    });
    let listed = [4, 6].map(|secs| {
        let addr = Way::to(&addr, Duration::from_secs(secs)).addr.to_string();
        (Process::start(&["who", &addr]), addr)
    });
    for (who, addr) in listed {
        let (status, errors) = ended(who);
        assert_eq!(status, 0, "{errors}");
        assert!(errors.starts_with(&format!("* still asking {addr}, for 3 s")), "{errors}");
    }
    for (addr, mut bob) in joined {
        bob.err.wait(&format!("* still asking {addr}, for 3 s"));
        bob.err.wait("* Welcome to the chat room, bob!");
    }
}

/// Who opened a room said one address, where a nodeset says one line for each.
#[test]
fn who_opens_a_room_names_every_address_as_a_nodeset_does() {
    let Some(lab) = Lab::new(1) else { return };
    lab.on(1, "link add docker0 type veth peer name inside");
    lab.on(1, "link set docker0 up");
    lab.on(1, "link set inside up");
    lab.on(1, "addr add 172.17.0.1/16 dev docker0");
    lab.on(1, "addr add fd00::9/64 dev eth0 nodad");
    let mut nodeset = lab.start(1, &["nodeset", "--listen", "[::]:7421"]);
    nodeset.out.wait_for("Listening on: ", 3);
    let addr = |line: &String| line.replace("Listening on: ", "").replace("7421", "7420");
    let addrs: Vec<String> = nodeset.out.so_far().iter().map(addr).collect();
    assert_eq!(addrs, ["10.9.0.1:7420", "[fd00::9]:7420", "172.17.0.1:7420"]);
    let mut host = lab.start(1, &["chat", "-n", "host", "--plain", "--commands"]);
    let first = host.err.wait("Others join with:  ");
    assert!(first.ends_with(&format!(" chat {}", addrs[0])), "{first}");
    for addr in &addrs[1..] {
        let other = host.err.wait("  or:  ");
        assert!(other.starts_with("! ") && other.ends_with(&format!(" chat {addr}")), "{other}");
    }
    host.err.wait("* Welcome");
    host.say("/invite");
    host.err.wait("others join with:  ");
    for addr in &addrs[1..] {
        let other = host.err.wait("  or:  ");
        assert!(other.starts_with("* ") && other.ends_with(&format!(" chat {addr}")), "{other}");
    }
    host.end_input();
    assert_eq!(host.status(), 0);
    let mut host = lab.start(1, &["chat", "-n", "host", "--json"]);
    let opened = host.out.wait("\"opened\"");
    let at: Vec<usize> =
        addrs.iter().map(|addr| opened.find(&format!("\"{addr}\"")).unwrap()).collect();
    assert!(at.is_sorted(), "{opened}");
}

/// A cut right behind the first answer was taken for a nodeset that died.
#[test]
#[ignore = "takes 3 s"]
fn a_cut_behind_the_first_answer_is_survived() {
    let (_nodeset, addr) = nodeset_at("127.0.0.1:0");
    let way = Way::to(&addr, Duration::from_millis(50));
    let who = Process::start(&["who", &way.addr.to_string()]);
    let end = Instant::now() + support::PATIENCE;
    while way.passed.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < end, "no answer came");
        thread::sleep(Duration::from_millis(1));
    }
    way.cut.store(true, Ordering::SeqCst);
    thread::sleep(Duration::from_secs(3));
    way.cut.store(false, Ordering::SeqCst);
    let (status, errors) = ended(who);
    assert_eq!(status, 0, "{errors}");
}

/// Who started before the network was there was told that there is no nodeset.
#[test]
#[ignore = "takes 4 s"]
fn who_is_there_before_the_network_joins_when_it_comes() {
    let Some(lab) = Lab::new(2) else { return };
    let _nodeset = lab.nodeset(1);
    lab.on(2, "link set eth0 down");
    let early = lab.start(2, &["who", "10.9.0.1"]);
    thread::sleep(Duration::from_secs(4));
    lab.on(2, "link set eth0 up");
    let (status, errors) = ended(early);
    assert_eq!(status, 0, "{errors}");
    let why = "no interface of this computer is up and has an address";
    assert!(
        errors.starts_with(&format!("* still asking 10.9.0.1:7420, for 3 s: {why}")),
        "{errors}"
    );
}

#[test]
#[ignore = "takes 17 s"]
fn who_waits_is_there_when_a_nodeset_is() {
    let Some(lab) = Lab::new(2) else { return };
    let mut bob = lab.start(2, &["chat", "10.9.0.1", "-n", "bob", "--plain", "--wait"]);
    thread::sleep(Duration::from_secs(17));
    let _nodeset = lab.nodeset(1);
    bob.err.wait("* Welcome to the chat room, bob!");
}

/// His own nodeset, in the same process, was silent to who had opened a room when his address changed: who
/// came later was alone.
#[test]
fn who_opened_a_room_gets_another_address_and_is_met_there() {
    let Some(lab) = Lab::new(3) else { return };
    let mut alice = lab.start(1, &["chat", "-n", "alice", "--plain", "--commands"]);
    alice.err.wait("Others join with:");
    alice.err.wait("* Welcome to the chat room, alice!");
    let mut bob = lab.person(2, "10.9.0.1", "bob");
    alice.err.wait("* bob has entered the chat!");
    bob.err.wait("* Welcome to the chat room, bob!");
    lab.on(1, "addr del 10.9.0.1/24 dev eth0");
    lab.on(1, "addr add 10.9.0.201/24 dev eth0");
    let mut carol = lab.person(3, "10.9.0.201", "carol");
    carol.err.wait("* Welcome to the chat room, carol!");
    carol.err.wait_anywhere("alice");
    alice.err.wait("* carol has entered the chat!");
    carol.say("morning");
    assert_eq!(alice.out.next_line().unwrap(), "carol: morning");
}

/// Every address that others may use is printed, and those between containers come last.
#[test]
fn a_nodeset_prints_each_address_that_others_may_use() {
    let Some(lab) = Lab::new(2) else { return };
    lab.on(1, "link add docker0 type bridge");
    lab.on(1, "link add veth9 type veth peer name inside");
    lab.on(1, "link set veth9 master docker0 up");
    lab.on(1, "link set inside up");
    lab.on(1, "link set docker0 up");
    lab.on(1, "addr add 10.1.0.1/16 dev docker0");
    lab.on(1, "addr add 10.9.0.101/24 dev eth0");
    let mut nodeset = lab.start(1, &["nodeset", "--listen", "0.0.0.0:7420"]);
    let printed = ["10.9.0.1", "10.9.0.101", "10.1.0.1"];
    for addr in printed {
        assert_eq!(nodeset.out.next_line().unwrap(), format!("Listening on: {addr}:7420"));
    }
    // Only an address of one cable, and then only the loopback.
    lab.on(2, "addr flush dev eth0");
    let mut alone = lab.start(2, &["nodeset", "--listen", "0.0.0.0:7421"]);
    assert_eq!(alone.out.next_line().unwrap(), "Listening on: 127.0.0.1:7421");
    lab.on(2, "addr add 169.254.7.7/16 dev eth0");
    let mut cable = lab.start(2, &["nodeset", "--listen", "0.0.0.0:7422"]);
    assert_eq!(cable.out.next_line().unwrap(), "Listening on: 169.254.7.7:7422");
}

/// On computers with two cards and no addresses but those of a cable, all joined and nobody heard anybody:
/// their addresses lost the card on the wire.
#[test]
fn who_has_addresses_of_a_cable_alone_is_heard() {
    let Some(lab) = Lab::new(3) else { return };
    for n in 1..=3 {
        lab.on(n, "addr flush dev eth0");
        // Another card, which is the first in the order of the system.
        lab.on(n, "link add other0 type bridge");
        lab.on(n, "link set other0 up");
        lab.on(n, &format!("addr add fe80::{n}/64 dev eth0 nodad"));
    }
    let _nodeset = lab.nodeset(1);
    let mut alice = lab.person(2, "fe80::1%eth0", "alice");
    alice.err.wait("* Welcome to the chat room, alice!");
    let mut bob = lab.person(3, "fe80::1%eth0", "bob");
    bob.err.wait("* Welcome to the chat room, bob!");
    alice.err.wait("* bob has entered the chat!");
    bob.say("morning");
    assert_eq!(alice.out.next_line().unwrap(), "bob: morning");
}

/// A name that leads to a dead address is looked up again, and what is found is asked too.
#[test]
#[ignore = "takes 8 s"]
fn a_name_is_looked_up_again_while_nobody_answers() {
    let Some(lab) = Lab::new(2) else { return };
    let _nodeset = lab.nodeset(1);
    lab.hosts(2, "10.9.0.77 ship\n");
    let mut bob = lab.person(2, "ship", "bob");
    bob.err.wait("* still asking 10.9.0.77:7420");
    lab.hosts(2, "10.9.0.1 ship\n");
    bob.err.wait("* Welcome to the chat room, bob!");
}
