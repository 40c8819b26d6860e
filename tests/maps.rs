//! A port of the router in front of somebody: who is told of it, and when; and real processes behind a router
//! that speaks PCP or NAT-PMP.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]
#![allow(clippy::expect_used)]

#[path = "support/insider.rs"]
mod insider;
#[path = "support/lab.rs"]
mod lab;
#[path = "support/net.rs"]
mod net;
mod support;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chatrpc::machine::wire::{
    Asked, Cookie, Datagram, Packet, Request, Response, kind, put_header, put_request,
};
use chatrpc::machine::{
    Action, Gateway, Incarnation, Input, Machine, Registry, RegistryConfig, Seed, Time, drain,
};

use insider::room;
use lab::Lab;
use net::*;
use support::Process;

/// The router, inside; the address of Alice that she knows; the port outside that is passed on to her.
const ROUTER: &str = "192.168.1.1:5351";
const INSIDE: &str = "192.168.1.2:1";
const OUTSIDE: &str = "10.0.0.2:40000";
const CAROL: &str = "10.0.0.4:1";

/// What a gateway answers to a question in PCP (RFC 6887) or NAT-PMP (RFC 6886): no answer to anything else.
fn gateway_answers(version: u8, epoch: u32, external: ([u8; 4], u16), asked: &[u8]) -> Vec<u8> {
    let (ip, port) = external;
    let (epoch, port) = (epoch.to_be_bytes(), port.to_be_bytes());
    match (asked, version) {
        ([2, 1, ..], 2) if asked.len() == 60 => {
            let ip = [&[0; 10][..], &[0xff; 2], &ip].concat();
            let header = [&[2, 0x81, 0, 0], &asked[4..8], &epoch, &[0; 12]].concat();
            [&header[..], &asked[24..42], &port, &ip].concat()
        }
        ([2, ..], 0) => [&[0, 0x81, 0, 1][..], &epoch].concat(),
        ([0, 0], 0) => [&[0, 0x80, 0, 0][..], &epoch, &ip].concat(),
        ([0, 1, ..], 0) if asked.len() == 12 => {
            [&[0, 0x81, 0, 0], &epoch[..], &asked[4..6], &port, &asked[8..]].concat()
        }
        _ => Vec::new(),
    }
}

/// Whether a question to a gateway ends a mapping.
fn ends(asked: &[u8]) -> bool {
    match asked[0] {
        2 => asked[4..8] == [0; 4],
        _ => asked.len() == 12 && asked[8..12] == [0; 4],
    }
}

/// A router that lets in what comes from where something was sent to, and what comes to a port that it has
/// mapped, or says it has.
#[derive(Debug, Default)]
struct Border {
    lies: bool,
    mapped: bool,
    asked: usize,
    /// Who sent something to the port, and how often.
    knocks: BTreeMap<SocketAddr, usize>,
    through: BTreeSet<SocketAddr>,
}

impl Border {
    fn carry(&mut self, now: u64, (from, to, bytes): Carried) -> Vec<Carried> {
        let (alice, nodeset, outside) = (addr(ALICE), addr(NODESET), addr(OUTSIDE));
        if to == addr(ROUTER) {
            self.asked += 1;
            self.mapped = !ends(&bytes);
            let external = ([10, 0, 0, 2], 40_000);
            let answer = gateway_answers(2, (now / 1_000_000) as u32, external, &bytes);
            return vec![(to, from, answer)];
        }
        if to == outside {
            *self.knocks.entry(from).or_default() += 1;
            if !self.mapped || self.lies {
                return Vec::new();
            }
            self.through.insert(from);
            return vec![(from, alice, bytes)];
        }
        match (from == alice, to == alice) {
            (true, _) if to == nodeset => vec![(from, to, bytes)],
            (true, _) if self.through.contains(&to) => vec![(outside, to, bytes)],
            (_, true) if from == nodeset => vec![(from, to, bytes)],
            (true, _) | (_, true) => Vec::new(),
            _ => vec![(from, to, bytes)],
        }
    }
}

/// Alice, in a room behind such a router.
fn behind(lies: bool) -> (Net, Rc<RefCell<Border>>) {
    let border = Rc::new(RefCell::new(Border { lies, ..Border::default() }));
    let mut net = Net::with(&[]);
    let carries = border.clone();
    net.router = Some(Box::new(move |now, carried| carries.borrow_mut().carry(now, carried)));
    net.addrs = vec![addr(INSIDE)];
    net.join("alice", ALICE);
    let IpAddr::V4(at) = addr(ROUTER).ip() else { unreachable!() };
    let IpAddr::V4(own) = addr(INSIDE).ip() else { unreachable!() };
    net.feed(0, Input::Gateway(Some(Gateway { at, own, port: 1 })));
    net.addrs.clear();
    net.run(5, |_, _, _| false);
    (net, border)
}

/// Somebody comes, and says something that Alice is to hear.
fn comes(net: &mut Net, name: &str, at: &str, secs: u64) -> bool {
    let n = net.join(name, at);
    net.run(5, |_, _, _| false);
    net.feed(n, Input::Line(&format!("it is {name}")));
    net.run(secs, |_, _, _| false);
    net.count(0, &format!("it is {name}")) == 1
}

#[test]
fn who_comes_finds_somebody_through_their_router() {
    let (mut net, border) = behind(false);
    assert!(border.borrow().asked >= 1 && border.borrow().knocks.contains_key(&addr(NODESET)));
    assert!(comes(&mut net, "bob", BOB, 5), "{:#?}", net.peers[1].2);
    assert!(border.borrow().through.contains(&addr(BOB)));
    // The router forgets it, and goes on saying otherwise: after the next renewal it is told to nobody.
    border.borrow_mut().lies = true;
    net.run(500, |_, _, _| false);
    assert!(!comes(&mut net, "carol", CAROL, 20));
    assert!(!border.borrow().knocks.contains_key(&addr(CAROL)), "{:?}", border.borrow().knocks);
    // And it is given back in the end.
    assert!(border.borrow().mapped);
    net.feed(0, Input::Line("/quit"));
    net.run(10, |_, _, _| false);
    assert!(!border.borrow().mapped);
}

/// A router names a port, and passes on nothing that comes there.
#[test]
fn a_router_that_lies_is_never_believed() {
    let (mut net, border) = behind(true);
    assert!(!comes(&mut net, "bob", BOB, 60));
    net.run(600, |_, _, _| false);
    assert!(!comes(&mut net, "carol", CAROL, 60));
    let knocks = &border.borrow().knocks;
    assert_eq!(knocks.keys().copied().collect::<Vec<_>>(), [addr(NODESET)], "nobody else knocks");
    assert!((5..=60).contains(&knocks[&addr(NODESET)]), "{knocks:?}");
    assert!(net.peers[0].1.hears_nodeset());
}

/// Who is seen where they are has no use for a router, and asks none for anything.
#[test]
fn without_translation_nobody_is_asked() {
    let asked = Rc::new(RefCell::new(0));
    let (mut net, counts) = (Net::with(&[]), asked.clone());
    net.router = Some(Box::new(move |_, carried| {
        *counts.borrow_mut() += usize::from(carried.1 == addr(ROUTER));
        vec![carried]
    }));
    for (name, at, own) in [("alice", ALICE, Some(ALICE)), ("bob", BOB, None)] {
        net.addrs = own.map(addr).into_iter().collect();
        let n = net.join(name, at);
        let gateway = Gateway { at: [192, 168, 1, 1].into(), own: [10, 0, 0, 2].into(), port: 1 };
        net.feed(n, Input::Gateway(Some(gateway)));
    }
    net.run(100, |_, _, _| false);
    // Nor who runs the nodeset themselves, which sees them at the loopback.
    net.addrs = vec![addr(INSIDE)];
    let n = net.join("carol", "127.0.0.1:9");
    let gateway = Gateway { at: [192, 168, 1, 1].into(), own: [192, 168, 1, 2].into(), port: 9 };
    net.feed(n, Input::Gateway(Some(gateway)));
    net.run(100, |_, _, _| false);
    assert!(net.count(n, "Ready") == 1 && *asked.borrow() == 0);
}

/// The answers in what a machine sends: to where.
fn answered(
    machine: &mut dyn Machine,
    from: SocketAddr,
    bytes: &[u8],
) -> Vec<(SocketAddr, usize, Response)> {
    let mut sent = Vec::new();
    let (now, input) = (Time::from_micros(900_000_000), Input::Datagram { from, at: None, bytes });
    drain(machine, now, input, |action| {
        let Action::Send { to, bytes, .. } = action else { return };
        let Ok(datagram) = Datagram::decode(bytes) else { return };
        for packet in datagram.packets() {
            if let Packet::Response { payload, .. } = packet {
                let response = Response::decode(Asked::DialBack, payload).expect("an answer");
                sent.push((to, bytes.len(), response));
            }
        }
    });
    sent
}

#[test]
fn a_nodeset_answers_at_another_port_of_who_asks_and_nowhere_else() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let alice = &mut net.peers[0].1;
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 1024);
    let mut nodeset = Registry::new(config);
    let asked = |proven: bool, asked: &[Request<'_>]| {
        let mut bytes = Vec::new();
        put_header(&mut bytes, 77, 0, 1, 0);
        (1..).zip(asked).for_each(|(seq, request)| put_request(&mut bytes, seq, request));
        if proven {
            bytes[0] = kind::PROVEN;
            let proof = room().proof(&bytes);
            bytes.extend_from_slice(&proof);
        }
        bytes
    };
    let (here, there) = (addr(MALLORY), addr("10.0.6.6:7"));
    for (proven, machine) in [(false, &mut nodeset as &mut dyn Machine), (true, alice)] {
        let dial = |cookie: Cookie| Request::DialBack { cookie, port: 7 };
        let first = asked(proven, &[dial([0; 8])]);
        let drawn = answered(machine, here, &first);
        let [(to, len, Response::Cookie(cookie))] = drawn[..] else { panic!("{drawn:?}") };
        assert!(to == here && len < first.len(), "{len} for {}", first.len());
        // Nobody else's cookie, nor one of another port.
        let drawn = answered(machine, addr("10.0.6.6:8"), &asked(proven, &[dial(cookie)]));
        assert!(matches!(drawn[..], [(_, _, Response::Cookie(_))]), "{drawn:?}");
        let shown = asked(proven, &[dial(cookie)]);
        let drawn = answered(machine, here, &shown);
        let [(to, len, Response::Dialed { at })] = drawn[..] else { panic!("{drawn:?}") };
        assert!((to, at) == (there, there) && len <= shown.len());
        // What is asked beside it is answered where it was asked from.
        let beside = asked(proven, &[dial([0; 8]), dial(cookie), dial([0; 8])]);
        let drawn: Vec<SocketAddr> =
            answered(machine, here, &beside).into_iter().map(|(to, ..)| to).collect();
        assert_eq!(drawn, [here, there, here]);
        let none = Datagram::decode(&[&shown[..shown.len() - 2], &[0, 0]].concat()).is_ok();
        assert!(proven || !none, "there is no port 0");
    }
}

/// A router in a network namespace, in threads of ours: it carries what goes to one nodeset, speaks with who asks
/// for a port, and passes on what comes there.
struct Proxy {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
    mapped: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

/// The nodeset; where the router stands for it, inside; where it is asked, and the port that it passes on.
const THERE: &str = "10.9.0.2:7420";
const DOOR: &str = "192.168.7.1:7420";
const ASKED_AT: &str = "192.168.7.1:5351";
const PASSED_ON: &str = "10.9.0.3:40000";

/// Calls `each` with what comes to a socket, until it is over.
fn pump(
    socket: UdpSocket,
    stop: &Arc<AtomicBool>,
    mut each: impl FnMut(&[u8], SocketAddr) + Send + 'static,
) -> std::thread::JoinHandle<()> {
    let stop = stop.clone();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    std::thread::spawn(move || {
        let (mut bytes, began) = ([0; 1_500], Instant::now());
        while !stop.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(120) {
            if let Ok((len, from)) = socket.recv_from(&mut bytes) {
                each(&bytes[..len], from);
            }
        }
    })
}

impl Proxy {
    fn new(lab: &Lab, version: u8, lies: bool) -> Self {
        let bind = |at: &'static str| lab.inside(3, move || UdpSocket::bind(at).unwrap());
        let (gate, door, out) = (bind(ASKED_AT), bind(DOOR), bind("10.9.0.3:30001"));
        let passes = bind(PASSED_ON);
        out.connect(THERE).unwrap();
        let (stop, mapped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (asked, alice) =
            (Arc::new(AtomicU32::new(0)), Arc::new(std::sync::Mutex::new(None::<SocketAddr>)));
        // Everybody outside has a socket inside, so that Alice can tell them apart.
        let seats: Vec<UdpSocket> = (0..4).map(|_| bind("192.168.7.1:0")).collect();
        let names: Arc<std::sync::Mutex<Vec<SocketAddr>>> = Arc::default();
        let mut threads = Vec::new();
        let share = |socket: &UdpSocket| socket.try_clone().unwrap();
        let (answers, counts, says, began) =
            (share(&gate), asked.clone(), mapped.clone(), Instant::now());
        threads.push(pump(gate, &stop, move |bytes, from| {
            counts.fetch_add(1, Ordering::Relaxed);
            let epoch = began.elapsed().as_secs() as u32;
            let external = ([10, 9, 0, 3], 40_000);
            let answer = gateway_answers(version, epoch, external, bytes);
            if bytes.len() > 2 && answer.get(3) == Some(&0) {
                says.store(!ends(bytes), Ordering::Relaxed);
            }
            answers.send_to(&answer, from).unwrap();
        }));
        let (to_nodeset, who) = (share(&out), alice.clone());
        threads.push(pump(share(&door), &stop, move |bytes, from| {
            *who.lock().unwrap() = Some(from);
            let _ = to_nodeset.send(bytes);
        }));
        let (to_alice, who) = (share(&door), alice.clone());
        threads.push(pump(out, &stop, move |bytes, _| {
            let to = who.lock().unwrap().unwrap();
            to_alice.send_to(bytes, to).unwrap();
        }));
        for (n, seat) in seats.iter().enumerate() {
            let (outside, names) = (share(&passes), names.clone());
            threads.push(pump(share(seat), &stop, move |bytes, _| {
                let to = names.lock().unwrap().get(n).copied();
                let _ = outside.send_to(bytes, to.unwrap());
            }));
        }
        let says = mapped.clone();
        threads.push(pump(passes, &stop, move |bytes, from| {
            let to = alice.lock().unwrap().filter(|_| says.load(Ordering::Relaxed) && !lies);
            let Some(to) = to else { return };
            if from == THERE.parse().unwrap() {
                door.send_to(bytes, to).unwrap();
                return;
            }
            let mut names = names.lock().unwrap();
            let known = names.iter().position(|name| *name == from).unwrap_or(names.len());
            if known == names.len() {
                names.push(from);
            }
            seats[known % seats.len()].send_to(bytes, to).unwrap();
        }));
        Self { stop, asked, mapped, threads }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// Alice behind a router that is a computer of its own, with no other way out; Bob and the nodeset outside.
fn house() -> Option<Lab> {
    let lab = Lab::new(3)?;
    lab.on(1, "link set eth0 down");
    lab.cable(1, 3, "in0");
    lab.on(1, "addr add 192.168.7.2/24 dev in0");
    lab.on(3, "addr add 192.168.7.1/24 dev in0");
    lab.on(1, "route add default via 192.168.7.1");
    Some(lab)
}

fn is_mapped(proxy: &Proxy, mapped: bool) {
    let began = Instant::now();
    while proxy.mapped.load(Ordering::Relaxed) != mapped {
        assert!(began.elapsed() < Duration::from_secs(10), "mapped: {}", !mapped);
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn alice(lab: &Lab, more: &[&str]) -> Process {
    let mut alice = lab.start(1, &[&["chat", DOOR, "-n", "alice", "--json"], more].concat());
    alice.out.wait(r#""t":"ready""#);
    alice
}

#[test]
#[ignore = "needs network namespaces"]
fn a_mapped_port_is_the_way_in() {
    for version in [2, 0] {
        let Some(lab) = house() else { return };
        let mut nodeset = lab.nodeset(2);
        let proxy = Proxy::new(&lab, version, false);
        let mut alice = alice(&lab, &[]);
        is_mapped(&proxy, true);
        // Until the nodeset has answered there, and lists it.
        std::thread::sleep(Duration::from_secs(2));
        let began = Instant::now();
        let mut bob = lab.start(2, &["chat", "10.9.0.2", "-n", "bob", "--json"]);
        let ready = bob.out.wait(r#""t":"ready""#);
        assert!(ready.contains(r#""name":"alice""#), "{ready}");
        bob.say(r#"{"t":"send","text":"hello"}"#);
        bob.out.wait(r#""acked":1,"failed":[]"#);
        println!("version {version}: heard within {} ms", began.elapsed().as_millis());
        alice.out.wait("hello");
        for mut one in [alice, bob] {
            one.signal("TERM");
            assert_eq!(one.status(), 143);
        }
        is_mapped(&proxy, false);
        nodeset.signal("TERM");
        nodeset.status();
        proxy.end();
    }
}

#[test]
#[ignore = "needs network namespaces"]
fn a_router_that_lies_or_is_not_to_be_asked_tells_nobody_anything() {
    let Some(lab) = house() else { return };
    let mut nodeset = lab.nodeset(2);
    for (lies, more) in [(true, &[][..]), (false, &["--no-map"])] {
        let proxy = Proxy::new(&lab, 2, lies);
        let mut alice = alice(&lab, more);
        std::thread::sleep(Duration::from_secs(3));
        let mut command = Command::new(support::PROGRAM);
        command.args(["who", "10.9.0.2", "--json"]);
        let listed = lab.command(2, &command).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("alice") && !listed.contains("40000"), "{listed}");
        assert_eq!(proxy.asked.load(Ordering::Relaxed) > 0, lies);
        alice.signal("TERM");
        assert_eq!(alice.status(), 143);
        proxy.end();
    }
    nodeset.signal("TERM");
    nodeset.status();
}
