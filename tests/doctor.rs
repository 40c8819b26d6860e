//! `chatrpc doctor` names what is wrong, on the loopback and on networks that are broken on purpose.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

#[path = "support/lab.rs"]
mod lab;
mod support;

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use chatrpc::machine::wire::{Datagram, Packet, Response, VERSION, put_header, put_response};
use chatrpc::machine::{
    Action, Incarnation, Input, Registry, RegistryConfig, Secret, Seed, Time, drain,
};
use lab::Lab;
use support::{Process, chatrpc, nodeset, person};

/// Nobody waits longer than this for a diagnosis.
const IN_TIME: Duration = Duration::from_secs(10);

/// What the doctor says: the causes and gravities in their order, the exit status, and all of it.
struct Diagnosis {
    found: Vec<(String, String)>,
    exit: i32,
    lines: Vec<String>,
}

impl Diagnosis {
    fn of(mut doctor: Process) -> Self {
        let exit = doctor.status();
        let lines = doctor.out.all().to_vec();
        let objects = lines.iter().map(|line| serde_json::from_str(line).unwrap());
        let objects: Vec<serde_json::Value> = objects.collect();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let found = objects.iter().filter(|object| object["t"] == "finding");
        let found = found.map(|object| (text(&object["cause"]), text(&object["gravity"])));
        assert_eq!(objects.last().unwrap()["exit"], exit, "{lines:#?}");
        Self { found: found.collect(), exit, lines }
    }

    fn first(&self) -> &str {
        self.found.first().map_or("", |(cause, _)| cause)
    }

    fn has(&self, cause: &str) -> bool {
        self.found.iter().any(|(found, _)| found == cause)
    }
}

fn doctor(args: &[&str]) -> Diagnosis {
    let args = [&["doctor", "--json"], args].concat();
    Diagnosis::of(Process::start(&args))
}

/// What the first lines say to people.
fn told(args: &[&str]) -> (i32, String) {
    let mut doctor = Process::start(&[&["doctor"], args].concat());
    (doctor.status(), doctor.out.all().join("\n"))
}

/// Whoever answers in whatever way: `answer` is given what came and from where, and says what goes back.
fn answers(
    socket: UdpSocket,
    mut answer: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static,
) -> String {
    let addr = socket.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut bytes = [0; 2048];
        while let Ok((len, from)) = socket.recv_from(&mut bytes) {
            if let Some(back) = answer(&bytes[..len]) {
                let _ = socket.send_to(&back, from);
            }
        }
    });
    addr
}

fn local() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

/// The answer to every question of a datagram, as a nodeset of another version has it.
fn version(asked: &[u8], theirs: u8) -> Option<Vec<u8>> {
    let datagram = Datagram::decode(asked).ok()?;
    let mut bytes = Vec::new();
    put_header(&mut bytes, 77, datagram.sender.incarnation(), 1, datagram.stamp);
    for packet in datagram.packets() {
        if let Packet::Request { seq, .. } = packet {
            put_response(&mut bytes, seq, &Response::Version(theirs));
        }
    }
    Some(bytes)
}

/// A nodeset in a thread of ours, with a clock of its own.
fn nodeset_started_at(socket: UdpSocket, ms: u64) -> String {
    let config = RegistryConfig::new(Seed([7; 32]), Incarnation::at(ms << 20 | 5), 64);
    let (mut registry, begun) = (Registry::new(config), Instant::now());
    let us: SocketAddr = "10.9.0.99:1".parse().unwrap();
    answers(socket, move |bytes| {
        let now = Time::from_micros(1 + begun.elapsed().as_micros() as u64);
        let mut back = None;
        drain(&mut registry, now, Input::Datagram { from: us, at: None, bytes }, |action| {
            if let Action::Send { bytes, .. } = action {
                back = Some(bytes.to_vec());
            }
        });
        back
    })
}

/// A way to a nodeset that does what `fate` says with each datagram: after how long it goes on, if it does.
fn way(
    [public, inner]: [UdpSocket; 2],
    nodeset: &str,
    fate: impl Fn(usize) -> Option<Duration> + Clone + Send + 'static,
) -> String {
    let nodeset: SocketAddr = nodeset.parse().unwrap();
    let addr = public.local_addr().unwrap().to_string();
    let asker = std::sync::Arc::new(std::sync::Mutex::new(None::<SocketAddr>));
    let (seen, back) = (asker.clone(), [public.try_clone().unwrap(), inner.try_clone().unwrap()]);
    let there = fate.clone();
    thread::spawn(move || {
        let (mut bytes, mut count) = ([0; 2048], 0);
        while let Ok((len, from)) = public.recv_from(&mut bytes) {
            if len < 2 {
                continue;
            }
            *seen.lock().unwrap() = Some(from);
            count += 1;
            let (inner, bytes) = (inner.try_clone().unwrap(), bytes[..len].to_vec());
            if let Some(pause) = there(count) {
                later(pause, move || drop(inner.send_to(&bytes, nodeset)));
            }
        }
    });
    thread::spawn(move || {
        let ([public, inner], mut bytes, mut count) = (back, [0; 2048], 1);
        while let Ok((len, _)) = inner.recv_from(&mut bytes) {
            let Some(to) = *asker.lock().unwrap() else { continue };
            count += 1;
            let (public, bytes) = (public.try_clone().unwrap(), bytes[..len].to_vec());
            if let Some(pause) = fate(count) {
                later(pause, move || drop(public.send_to(&bytes, to)));
            }
        }
    });
    addr
}

fn later(pause: Duration, what: impl FnOnce() + Send + 'static) {
    if pause.is_zero() {
        return what();
    }
    thread::spawn(move || {
        thread::sleep(pause);
        what();
    });
}

#[test]
fn a_nodeset_that_answers_is_well() {
    let (_nodeset, addr) = nodeset();
    let _alice = person(&addr, "alice");
    let found = doctor(&[&addr]);
    assert_eq!((found.exit, found.first()), (0, "well"), "{:#?}", found.lines);
    assert!(found.lines[0].contains(r#""t":"path""#), "{:#?}", found.lines);
    let path: serde_json::Value = serde_json::from_str(&found.lines[0]).unwrap();
    assert!(path["by"] == "nodeset" && path["answered"].as_u64() >= Some(16), "{path}");
    assert!(path["large_answered"].as_u64() >= Some(1), "{path}");
    assert!(!found.has("empty") && found.has("this_computer"));
    let (status, text) = told(&[&addr]);
    assert!(status == 0 && text.starts_with(&format!("well: {addr} answers after ")), "{text}");
    assert!(text.contains("; 1 person was seen in the room"), "{text}");
}

/// Nobody who talks there sees a doctor come and go, and the nodeset has no place less.
#[test]
fn nobody_sees_the_doctor() {
    let (_nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    assert_eq!(doctor(&[&addr]).exit, 0);
    let mut bob = person(&addr, "bob");
    alice.err.wait("* bob has entered the chat!");
    bob.say("morning");
    assert_eq!(alice.out.next_line().unwrap(), "bob: morning");
    assert!(alice.err.has_none("doctor") && bob.err.has_none("doctor"));
}

#[test]
fn where_nothing_listens_that_is_said_at_once() {
    let closed = local().local_addr().unwrap().to_string();
    let begun = Instant::now();
    let found = doctor(&[&closed]);
    assert_eq!((found.exit, found.first()), (3, "nobody_listens"), "{:#?}", found.lines);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let (status, text) = told(&[&closed]);
    let what = format!("fails: nothing is listening at {closed} (connection refused)\n  try: ");
    assert!(status == 3 && text.starts_with(&what), "{text}");
}

#[test]
fn what_is_no_nodeset_is_told_from_one() {
    let echo = answers(local(), |bytes| Some(bytes.to_vec()));
    let greets = answers(local(), |_| Some(b"220 ready\r\n".to_vec()));
    for addr in [echo, greets] {
        let found = doctor(&[&addr]);
        assert_eq!((found.exit, found.first()), (7, "not_chatrpc"), "{:#?}", found.lines);
    }
    let newer = answers(local(), |bytes| version(bytes, VERSION + 8));
    let found = doctor(&[&newer]);
    assert_eq!((found.exit, found.first()), (7, "version"), "{:#?}", found.lines);
    let (_, text) = told(&[&newer]);
    assert!(text.contains("nodeset speaks protocol 9") && text.contains("upgrade this one"));
}

#[test]
fn a_name_that_nobody_knows_is_said_to_be_one() {
    let found = doctor(&["no-such-host.invalid"]);
    let names = ["unresolved", "names_silent"];
    assert!(found.exit == 3 && names.contains(&found.first()), "{:#?}", found.lines);
    let (_nodeset, addr) = nodeset();
    let found = doctor(&["no-such-host.invalid", &addr]);
    assert_eq!((found.exit, found.first()), (0, "dead_address"), "{:#?}", found.lines);
}

#[test]
fn another_secret_is_an_empty_room_next_door() {
    let (_nodeset, addr) = nodeset();
    let alone = doctor(&[&addr]);
    assert!(alone.exit == 0 && alone.has("empty") && !alone.has("elsewhere"));
    let _alice = person(&addr, "alice");
    let secret = Secret::new([7; 20]).written();
    let mut command = chatrpc(&["doctor", "--json", &addr]);
    let command = command.env("CHATRPC_SECRET", &*secret).stdin(std::process::Stdio::piped());
    let found = Diagnosis::of(Process::of(command));
    assert_eq!((found.exit, found.first()), (0, "elsewhere"), "{:#?}", found.lines);
    let line = found.lines.iter().find(|line| line.contains("elsewhere")).unwrap();
    assert!(line.contains("with this secret, and 1 person is in other rooms"), "{line}");
}

#[test]
fn a_nodeset_that_is_full_says_so() {
    let args = ["nodeset", "--listen", "127.0.0.1:0", "--max-nodes", "1"];
    let mut nodeset = Process::start(&args);
    let addr = nodeset.out.wait("Listening on: ").replace("Listening on: ", "");
    let _alice = person(&addr, "alice");
    let found = doctor(&[&addr]);
    assert_eq!((found.exit, found.first()), (3, "full"), "{:#?}", found.lines);
}

#[test]
fn a_member_is_told_from_a_nodeset() {
    let (_nodeset, addr) = nodeset();
    let mut alice =
        Process::start(&["chat", &addr, "-n", "alice", "--json", "--listen", "127.0.0.1:0"]);
    let ready: serde_json::Value = serde_json::from_str(&alice.out.wait(r#""t":"ready""#)).unwrap();
    let found = doctor(&[ready["addr"].as_str().unwrap()]);
    assert!(found.exit == 0 && found.has("member"), "{:#?}", found.lines);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let (_nodeset, addr) = nodeset();
    let (status, text) = told(&[&addr, "--listen", &addr, "-q"]);
    let port = addr.rsplit(':').next().unwrap();
    let what = format!("fails: UDP port {port} is in use on this computer\n  ");
    assert!(status == 6 && text.starts_with(&what), "{text}");
    assert_eq!(text.lines().count(), 2, "all else is well, and not told of: {text}");
    let found = doctor(&[&addr, "--listen", &addr]);
    assert!(found.first() == "cannot_listen" && found.has("well"), "{:#?}", found.lines);
    let mut doctor = Process::start(&["doctor", &addr, "--listen", "127.0.0.1:0"]);
    assert_eq!(doctor.status(), 0, "{}", doctor.errors());
}

#[test]
fn loss_and_long_ways_are_measured() {
    let (_nodeset, addr) = nodeset();
    let _alice = person(&addr, "alice");
    // Three of ten, each way.
    let lossy = way([local(), local()], &addr, |n| (n * 7 % 10 >= 3).then_some(Duration::ZERO));
    let long = way([local(), local()], &addr, |_| Some(Duration::from_millis(400)));
    let started = [&lossy, &long].map(|addr| Process::start(&["doctor", "--json", addr]));
    let [lossy, long] = started.map(Diagnosis::of);
    assert_eq!((lossy.exit, lossy.first()), (0, "loss"), "{:#?}", lossy.lines);
    assert_eq!((long.exit, long.first()), (0, "slow"), "{:#?}", long.lines);
    let path: serde_json::Value = serde_json::from_str(&long.lines[0]).unwrap();
    let rtt_us = path["rtt_us"].as_u64().unwrap();
    assert!((800_000..2_000_000).contains(&rtt_us), "{path}");
}

#[test]
fn a_clock_that_is_behind_is_named() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let addr = nodeset_started_at(local(), now.as_millis() as u64 + 3 * 3_600_000);
    let found = doctor(&[&addr]);
    assert!(found.exit == 0 && found.has("clock"), "{:#?}", found.lines);
    let line = found.lines.iter().find(|line| line.contains(r#""clock""#)).unwrap();
    assert!(line.contains("at least 2 hours behind"), "{line}");
}

#[test]
fn answers_from_elsewhere_are_named() {
    let (_nodeset, addr) = nodeset();
    let [public, inner, third] = [local(), local(), local()];
    let asked = public.local_addr().unwrap().to_string();
    let nodeset: SocketAddr = addr.parse().unwrap();
    thread::spawn(move || {
        let mut bytes = [0; 2048];
        while let Ok((len, from)) = public.recv_from(&mut bytes) {
            let _ = inner.send_to(&bytes[..len], nodeset);
            inner.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            if let Ok((len, _)) = inner.recv_from(&mut bytes) {
                let _ = third.send_to(&bytes[..len], from);
            }
        }
    });
    let found = doctor(&[&asked]);
    assert_eq!((found.exit, found.first()), (3, "answered_elsewhere"), "{:#?}", found.lines);
}

/// Who is in the room asks as well: how everybody is reached.
#[test]
fn in_a_room_all_is_well_until_the_nodeset_dies() {
    let (mut nodeset, addr) = nodeset();
    let mut alice = person(&addr, "alice");
    let _bob = person(&addr, "bob");
    alice.err.wait("* bob has entered the chat!");
    alice.say("/doctor");
    let line = alice.err.wait("* well: ");
    assert!(line.ends_with("the one who is here is reached directly"), "{line}");
    let line = alice.err.wait("* bob   direct");
    let cells: Vec<&str> =
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!((cells[1], &cells[3..]), ("direct", &["0 %", "1,200", "0"][..]), "{line}");
    nodeset.child.kill().unwrap();
    alice.err.wait("* nodeset is silent since");
    alice.say("/doctor");
    let line = alice.err.wait("* hinders: ");
    assert!(line.contains(&format!("the nodeset at {addr} has not answered for ")), "{line}");
    alice.err.wait("you can talk on");
}

/// One broken network: what it is called, the cause that is to be named first, which computer asks, and what.
struct Broken {
    what: &'static str,
    cause: &'static str,
    args: Vec<String>,
    computer: usize,
}

/// Breaks networks, each for a computer of its own; computer 1 has a nodeset with somebody in the lobby.
fn broken(lab: &Lab) -> Vec<Broken> {
    let mut all: Vec<Broken> = Vec::new();
    let mut add = |what, cause, arg: &str, breaks: &dyn Fn(usize)| {
        let computer = all.len() + 2;
        breaks(computer);
        let args = arg.split(' ').map(str::to_owned).collect();
        all.push(Broken { what, cause, args, computer });
    };
    let on = |words: &'static str| move |n: usize| lab.on(n, words);
    let here = "10.9.0.1";
    add("an interface that is down", "no_network", here, &on("link set eth0 down"));
    add("no address", "no_network", here, &on("addr flush dev eth0"));
    add("no cable", "no_network", here, &|n| lab.unplug(n));
    add("no route", "no_route", "10.8.0.1", &|_| {});
    add("an unreachable route", "no_route", here, &on("route add unreachable 10.9.0.1"));
    add("a blackhole", "discarded", here, &on("route add blackhole 10.9.0.1"));
    add("a prohibited route", "not_permitted", here, &on("route add prohibit 10.9.0.1"));
    add("a rule that prohibits", "not_permitted", here, &on("rule add to 10.9.0.1 prohibit"));
    add("link-local addresses alone", "only_link_local", here, &|n| {
        lab.on(n, "addr flush dev eth0");
        lab.on(n, &format!("addr add 169.254.7.{n}/16 dev eth0"));
    });
    add("no IPv6", "no_family", "fd00::1", &|n| {
        lab.set(n, "net/ipv6/conf/eth0/disable_ipv6", "1");
    });
    add("no IPv4", "no_family", here, &|n| {
        lab.on(n, "addr flush dev eth0");
        lab.on(n, &format!("addr add fd00::{n}/64 dev eth0 nodad"));
    });
    add("a cable that is not named", "no_zone", "[fe80::1]", &|_| {});
    add("a dead host", "nobody_there", "10.9.0.250", &|_| {});
    add("a dead host of IPv6", "nobody_there", "fd00::dead", &|n| {
        lab.on(n, &format!("addr add fd00::{n}/64 dev eth0 nodad"));
    });
    add("nothing there", "nobody_listens", "10.9.0.1:7999", &|_| {});
    add("something else there", "not_chatrpc", "10.9.0.1:7001", &|_| {});
    add("another version there", "version", "10.9.0.1:7002", &|_| {});
    add("a filter in front of the nodeset", "silent", here, &|n| {
        lab.on(1, &format!("route add blackhole 10.9.0.{n}"));
    });
    add("a filter on the way", "forbidden", "10.20.0.1", &on("route add default via 10.9.0.1"));
    add("a router without a route", "router_knows_none", "10.30.0.1", &|n| {
        lab.on(n, "route add default via 10.9.0.1");
    });
    add("a dead host behind a router", "router_knows_none", "10.40.0.9", &|n| {
        lab.on(n, "route add default via 10.9.0.1");
    });
    add("a loop of routes", "loops", "10.50.0.1", &on("route add default via 10.9.0.1"));
    add("a small path", "large_vanish", here, &|n| lab.small(n, 500));
    add("a name that nobody has", "unresolved", "ship.test", &|n| {
        lab.file(n, "resolv.conf", "nameserver 10.9.0.1\n");
    });
    add("a dead name server", "names_silent", "ship.test", &|n| {
        lab.file(n, "resolv.conf", "nameserver 10.9.0.251\n");
    });
    add("a name with a dead address", "dead_address", "ship", &|n| {
        lab.hosts(n, "10.9.0.77 ship\n10.9.0.1 ship\n");
    });
    add("loss", "loss", "10.9.0.1:7003", &|_| {});
    add("a long way", "slow", "10.9.0.1:7004", &|_| {});
    add("another room", "elsewhere", "10.9.0.1 --room another", &|_| {});
    all
}

/// What computer 1 has: a nodeset, services of all kinds, and routes that lead nowhere.
fn serve(lab: &Lab, last: usize) {
    lab.on(1, "addr add fd00::1/64 dev eth0 nodad");
    lab.set(1, "net/ipv4/ip_forward", "1");
    lab.set(1, "net/ipv4/conf/all/send_redirects", "0");
    lab.set(1, "net/ipv4/conf/eth0/send_redirects", "0");
    // Whoever breaks one network is told of it as often as whoever breaks another.
    lab.set(1, "net/ipv4/icmp_ratelimit", "0");
    lab.on(1, "route add prohibit 10.20.0.0/24");
    lab.cable(1, last, "far");
    lab.on(1, "addr add 10.40.0.1/24 dev far");
    lab.on(last, "addr add 10.40.0.2/24 dev far");
    lab.on(1, "route add 10.50.0.0/24 via 10.40.0.2");
    lab.on(last, "route add 10.50.0.0/24 via 10.40.0.1");
    lab.set(last, "net/ipv4/ip_forward", "1");
    lab.set(last, "net/ipv4/conf/all/send_redirects", "0");
    lab.set(last, "net/ipv4/conf/far/send_redirects", "0");
    let bind = |port: u16| lab.inside(1, move || UdpSocket::bind(("10.9.0.1", port)).unwrap());
    answers(bind(7001), |_| Some(b"hello".to_vec()));
    answers(bind(7002), |bytes| version(bytes, VERSION + 1));
    // Whoever asks for a name is told that there is none.
    answers(bind(53), |asked| {
        let mut answer = asked.to_vec();
        *answer.get_mut(2)? = 0x81;
        *answer.get_mut(3)? = 0x83;
        Some(answer)
    });
    let inner = "10.9.0.1:7420";
    way([bind(7003), bind(0)], inner, |n| (n * 7 % 10 >= 3).then_some(Duration::ZERO));
    way([bind(7004), bind(0)], inner, |_| Some(Duration::from_millis(350)));
}

#[test]
#[ignore = "takes 20 s"]
fn broken_networks_are_told_apart() {
    const COMPUTERS: usize = 32;
    let Some(lab) = Lab::new(COMPUTERS) else { return };
    serve(&lab, COMPUTERS);
    let _nodeset = lab.nodeset(1);
    let mut alice = lab.person(1, "10.9.0.1", "alice");
    alice.err.wait("* Welcome to the chat room, alice!");
    let all = broken(&lab);
    assert!(all.len() >= 20 && all.len() + 1 < COMPUTERS, "{}", all.len());
    let mut wrong = Vec::new();
    let mut slowest = Duration::ZERO;
    for some in all.chunks(4) {
        let ended = some.iter().map(|one| {
            let args: Vec<&str> = one.args.iter().map(String::as_str).collect();
            let args = [&["doctor", "--json"], &args[..]].concat();
            let (begun, doctor) = (Instant::now(), lab.start(one.computer, &args));
            (one, thread::spawn(move || (Diagnosis::of(doctor), begun.elapsed())))
        });
        for (one, ended) in ended.collect::<Vec<_>>() {
            let (found, took) = ended.join().unwrap();
            slowest = slowest.max(took);
            let named = found.first() == one.cause;
            println!("{:6} ms  {:18} {}", took.as_millis(), found.first(), one.what);
            if !named || took > IN_TIME {
                wrong.push(format!("{}: {took:?} {:#?}", one.what, found.lines));
            }
        }
    }
    println!(
        "{} of {} are named, the slowest after {slowest:?}",
        all.len() - wrong.len(),
        all.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An error of a join is what the doctor would say; it was a guess about a firewall.
#[test]
#[ignore = "takes 15 s"]
fn a_join_that_fails_says_the_same() {
    let Some(lab) = Lab::new(3) else { return };
    lab.unplug(3);
    let cases = [(2, "10.9.0.250"), (3, "10.9.0.1"), (2, "10.8.0.1")];
    let started: Vec<_> = cases
        .iter()
        .map(|&(n, addr)| {
            let chat = ["chat", addr, "-n", "bob", "--plain", "--no-input"];
            let joins = [lab.start(n, &["who", addr]), lab.start(n, &chat)];
            (lab.start(n, &["doctor", addr]), joins)
        })
        .collect();
    for (mut doctor, joins) in started {
        assert_eq!(doctor.status(), 3);
        let said = doctor.out.all().to_vec();
        let what = said[0].strip_prefix("fails: ").unwrap();
        for mut join in joins {
            let (status, errors) = (join.status(), join.errors());
            let why = format!("error: {what} (asked for 15 s)\n{}", said[1..].join("\n"));
            assert!(status == 3 && errors.ends_with(&why), "{errors}\n{why}");
        }
    }
}
