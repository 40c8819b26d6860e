//! Attacks by members on real processes, over real sockets, in real time: what each costs whoever is
//! honest, as in `attacks.rs`. Mallory knows the room's secret.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

#[path = "support/attacker.rs"]
mod attacker;
#[path = "support/honest.rs"]
mod honest;
#[path = "support/insider.rs"]
mod insider;
mod support;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use attacker::{Attacker, Span, ms};
use chatrpc::machine::Noise;
use chatrpc::machine::wire::{
    ANYWHERE, Change, Datagram, Flags, Listed, Packet, Page, Request, Response, put_header,
    put_response,
};
use honest::{Scene, cpu, member, member_command, memory};
use insider::room;
use support::Process;

fn ok(request: &Request<'_>) -> Option<Response> {
    Some(request.done())
}

fn says_nothing(request: &Request<'_>) -> Option<Response> {
    (!matches!(request, Request::Say { .. })).then(|| request.done())
}

/// For so long, Mallory is here, and says so, and confirms nothing. Returns the bytes she drew.
fn confirm_nothing(mallory: &mut Attacker, span: Duration) -> usize {
    let (end, before) = (Instant::now() + span, mallory.drawn);
    while Instant::now() < end {
        mallory.tell(&[Request::PING]);
        mallory.live(ms(50), says_nothing);
    }
    mallory.drawn - before
}

/// Mallory confirms nothing that Dave says, who is a pipe.
#[test]
#[ignore = "attacks processes in real time"]
fn one_silent_member_mutes_nobody() {
    let mut scene = Scene::new();
    let mut dave = member(&scene.addr, "dave", 9, "--plain");
    dave.err.wait("Welcome");
    let mut erin = member(&scene.addr, "erin", 8, "--plain");
    dave.err.wait("erin has entered");
    let mut mallory = Attacker::joined(2, 1, Attacker::at(2, 0).find(scene.nodeset_at(), "dave"));
    dave.err.wait("mallory 1 has entered");
    let took = scene.under("a member who confirms nothing", |span| {
        let start = Instant::now();
        (0..300).for_each(|n| dave.say(&format!("line {n}.")));
        let mut took = None;
        while span.goes_on() {
            confirm_nothing(&mut mallory, ms(50));
            let all = erin.out.so_far().iter().filter(|line| line.contains("line ")).count() == 300;
            took = took.or_else(|| all.then(|| start.elapsed()));
        }
        took
    });
    let draws = |_| confirm_nothing(&mut mallory, ms(1_000));
    let per_second: Vec<usize> = (0..12).map(draws).collect();
    let got = erin.out.so_far().iter().filter(|line| line.contains("line ")).count();
    println!("a member who confirms nothing: Erin has {got} of 300, all after {took:?}");
    println!("a member who confirms nothing draws {per_second:?} bytes a second");
    assert!(took.is_some(), "Erin has {got} of 300");
    assert!(per_second[6..].iter().sum::<usize>() < 6 * 2_000);
}

/// Erin's output is not read: what is confirmed for her has to be shown when it is.
#[test]
#[ignore = "attacks processes in real time"]
fn nothing_is_confirmed_that_was_not_shown() {
    let mut scene = Scene::new();
    let mut dave = member(&scene.addr, "dave", 9, "--json");
    dave.out.wait(r#""t":"ready""#);
    let mut erin = member_command(&scene.addr, "erin", 8, "--json");
    let mut erin = erin.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let id = dave.out.wait(r#""name":"erin""#).split(r#""id":""#).nth(1).unwrap()[..13].to_owned();
    let long = "y".repeat(4_000);
    scene.under("a reader who is stalled", |span| {
        (0..350).for_each(|n| {
            dave.say(&format!(r#"{{"t":"send","text":"{long}{n}."}}"#));
            thread::sleep(ms(10));
        });
        span.rest();
    });
    scene.bob.out.wait_for("y349.", 1);
    let by_erin = format!(r#""by":"{id}""#);
    let confirmed = dave.out.so_far().iter().filter(|line| line.contains(&by_erin)).count();
    let (send, shown) = channel();
    let out = BufReader::new(erin.stdout.take().unwrap());
    let lines = out.lines().map_while(Result::ok).filter(|line| line.contains("yyy"));
    thread::spawn(move || lines.map_while(|line| send.send(line).ok()).for_each(drop));
    let shown = std::iter::from_fn(|| shown.recv_timeout(ms(5_000)).ok()).take(350).count();
    let _ = erin.kill();
    let _ = erin.wait();
    println!(
        "a reader who is stalled: {confirmed} of 350 confirmed meanwhile, {shown} shown after"
    );
    assert!(confirmed < 350 && shown == 350);
}

/// Mallory greets Alice as 300 persons.
#[test]
#[ignore = "attacks processes in real time"]
fn one_source_is_few_persons() {
    let mut scene = Scene::new();
    let alice = Attacker::at(2, 0).find(scene.nodeset_at(), "alice");
    let greeted = scene.under("greeting as many persons", |span| {
        let mut all: Vec<Attacker> = Vec::new();
        while span.goes_on() && all.len() < 300 {
            let n = all.len() as u32 + 1;
            let mut one = Attacker::at(2, n);
            if one.shake(alice) {
                one.greet(&format!("mallory {n}"));
                one.live(ms(5), ok);
            }
            all.push(one);
        }
        span.rest();
        all.len()
    });
    let lines = scene.alice.out.so_far();
    let joined = |line: &&String| line.contains(r#""t":"join""#) && line.contains("mallory");
    let shown = lines.iter().filter(joined).count();
    println!("greeting as {greeted} persons: {shown} are shown");
    assert!(shown <= 8);
}

/// Mallory begins sessions from so many addresses, with the cookies that she is given.
fn first_messages(sources: u8) {
    let what = format!("first messages from {sources} sources, 2,000 a second");
    let mut scene = Scene::new();
    let targets = ["alice", "bob"].map(|name| Attacker::at(2, 0).find(scene.nodeset_at(), name));
    let before = [&scene.alice, &scene.bob].map(cpu);
    let count = scene.under(&what, |span| {
        let mut all: Vec<Attacker> =
            (0..sources).map(|n| Attacker::at(100 + n, 1 + u32::from(n))).collect();
        span.at_rate(1_000, |n| {
            let mallory = &mut all[n as usize % usize::from(sources)];
            for target in targets {
                let (init, _) = mallory.first_message(target);
                mallory.send(target.at, &init);
            }
            mallory.drain();
        })
    });
    let [alice, bob] = [cpu(&scene.alice) - before[0], cpu(&scene.bob) - before[1]];
    println!("{what}: {count} to each, Alice busy {alice:?}, Bob {bob:?}");
}

#[test]
#[ignore = "attacks processes in real time"]
fn first_messages_of_one_source_keep_nobody_out() {
    first_messages(1);
}

#[test]
#[ignore = "attacks processes in real time"]
fn first_messages_of_many_sources_keep_nobody_out() {
    first_messages(64);
}

/// The sockets of somebody who has nothing to do with it, and their addresses.
fn victim() -> (Vec<Attacker>, Vec<SocketAddr>) {
    let sockets: Vec<Attacker> = (0..4).map(|n| Attacker::at(66, n)).collect();
    let addrs = sockets.iter().map(|one| one.socket.local_addr().unwrap()).collect();
    (sockets, addrs)
}

/// What comes to the victim until then, in bytes.
fn drawn(victim: &mut [Attacker], until: Instant) -> usize {
    while Instant::now() < until {
        victim.iter_mut().for_each(Attacker::drain);
        thread::sleep(ms(10));
    }
    victim.iter().map(|one| one.drawn).sum()
}

/// Mallory registers invented persons whose beacons name a victim's sockets, in a room of ten.
fn invented_persons(count: u32) {
    let mut scene = Scene::new();
    let (nodeset, tag) = (scene.nodeset_at(), room().tag());
    let mut others: Vec<Process> =
        (0..8).map(|n| member(&scene.addr, &format!("m{n}"), 100 + n, "--plain")).collect();
    others.iter_mut().for_each(|other| _ = other.err.wait("Welcome"));
    let (mut victim, addrs) = victim();
    let end = Instant::now() + ms(20_000);
    let paid = scene.under(&format!("{count} invented persons"), |span| {
        let mut paid = 0;
        for n in 0..count {
            let mut one = Attacker::at(2 + n as u8 % 4, 1_000 + n);
            let sealed = one.me.signed(&format!("x{n}"), 0, addrs.clone()).seal(&Noise, &room());
            one.register(nodeset, tag, one.me.token, &sealed);
            paid += one.paid;
            victim.iter_mut().for_each(Attacker::drain);
        }
        span.at_rate(100, |_| victim.iter_mut().for_each(Attacker::drain));
        paid
    });
    let drawn = drawn(&mut victim, end);
    println!("{count} invented persons: {drawn} bytes at the victim for {paid}, in 20 s");
    assert!(drawn <= 3 * paid);
}

#[test]
#[ignore = "attacks processes in real time"]
fn many_invented_persons_aim_nobody_at_a_victim() {
    invented_persons(200);
}

#[test]
#[ignore = "attacks processes in real time"]
fn one_invented_person_aims_nobody_at_a_victim() {
    invented_persons(1);
}

/// A nodeset that lists these to whoever asks.
fn lie(nodeset: &mut Attacker, listed: &[Listed], span: &Span) {
    let current = listed.len() as u64;
    let page = |have: u64| {
        let after = if have == ANYWHERE { 0 } else { have.min(current) };
        let some = listed.iter().skip(after as usize).take(3).cloned();
        let (reached, changes) = ((after + 3).min(current), some.map(Change::Present).collect());
        Page { after, reached, current, changes }
    };
    while span.goes_on() {
        let Some((from, bytes)) = nodeset.hear(ms(10)) else { continue };
        let Ok(datagram) = Datagram::decode(&bytes) else { continue };
        for packet in datagram.packets() {
            let Packet::Request { seq, request } = packet else { continue };
            let answer = match request {
                Request::Who { have, .. } => Response::Page(page(have)),
                Request::Register { have, .. } => {
                    Response::Lease { node: 1, seen: from, elsewhere: 0, page: page(have) }
                }
                _ => Response::Ok,
            };
            let mut bytes = Vec::new();
            put_header(
                &mut bytes,
                500,
                datagram.sender.incarnation(),
                nodeset.stamp(),
                datagram.stamp,
            );
            put_response(&mut bytes, seq, &answer);
            nodeset.send(from, &bytes);
        }
    }
}

/// Mallory opens a nodeset, and lists invented persons at a victim's sockets.
#[test]
#[ignore = "attacks processes in real time"]
fn a_lying_nodeset_aims_few_datagrams_at_a_victim() {
    let _alone = Scene::new();
    for count in [1, 200] {
        let (mut victim, addrs) = victim();
        let listed: Vec<Listed> = (0..count)
            .map(|n| {
                let (one, seen) = (Attacker::at(2, 1_000 + n).me, addrs[n as usize % 4]);
                let (handle, sealed) = one.sealed(&format!("x{n}"), addrs.clone());
                Listed { handle, seen, sealed }
            })
            .collect();
        let span = Span::of(ms(8_000));
        let mut nodeset = Attacker::at(7, 1);
        let addr = nodeset.socket.local_addr().unwrap().to_string();
        thread::scope(|scope| {
            scope.spawn(|| lie(&mut nodeset, &listed, &span));
            let _dave = member(&addr, "dave", 9, "--json");
            drawn(&mut victim, Instant::now() + ms(7_000));
        });
        let (drawn, paid) = (victim.iter().map(|one| one.drawn).sum::<usize>(), nodeset.paid);
        println!("a nodeset that lists {count} at a victim: {drawn} bytes there for {paid}");
        assert!(drawn <= 20 * 189, "one peer sends a victim a few first messages");
    }
}

/// Mallory says as much as Bob takes.
#[test]
#[ignore = "attacks processes in real time"]
fn who_says_too_much_is_heard_slowly() {
    let mut scene = Scene::new();
    let mut mallory = Attacker::joined(2, 1, Attacker::at(2, 0).find(scene.nodeset_at(), "bob"));
    let took = scene.under("a member who says too much", |span| {
        let start = Instant::now();
        while span.goes_on() {
            let next = mallory.next;
            for part in 0..2 {
                let (flags, from) = (Flags::default(), next + 20 * part);
                let says: Vec<Request<'_>> = (from..from + 20)
                    .map(|n| Request::Say {
                        behind: u8::MAX,
                        stream: 9,
                        position: n,
                        number: n,
                        flags,
                        seal: None,
                        text: "flood",
                    })
                    .collect();
                mallory.tell(&says);
            }
            mallory.live(ms(1), ok);
        }
        start.elapsed().as_secs_f64()
    });
    let flood = |line: &&String| line.contains(r#""text":"flood""#);
    let taken = scene.bob.out.so_far().iter().filter(flood).count();
    println!("a member who says too much: {taken} lines in {took:.1} s");
    assert!(taken as f64 <= 1_000.0 + 110.0 * took);
}

/// Seven bad signatures in every datagram.
#[test]
#[ignore = "attacks processes in real time"]
fn bad_signatures_keep_nobody_busy() {
    let mut scene = Scene::new();
    let mut mallory = Attacker::at(2, 1);
    assert!(mallory.shake(Attacker::at(2, 0).find(scene.nodeset_at(), "alice")));
    let mut beacon = mallory.me.signed("m", 0, Vec::new());
    beacon.signature[0] ^= 1;
    let hello = Request::Hello { stream: 9, start: 0, given_up: 0, entries: 1, beacon };
    let before = cpu(&scene.alice);
    let count = scene.under("bad signatures, 7,000 a second", |span| {
        span.at_rate(1_000, |_| {
            mallory.tell(&vec![hello.clone(); 7]);
            mallory.drain();
        })
    });
    let busy = cpu(&scene.alice) - before;
    println!("bad signatures: {count} datagrams, Alice busy {busy:?}");
}

/// 300 persons of 38 sources say everything but the first of 64 pieces.
#[test]
#[ignore = "attacks processes in real time"]
fn what_comes_early_fills_no_memory() {
    let mut scene = Scene::new();
    let alice = Attacker::at(2, 0).find(scene.nodeset_at(), "alice");
    let before = memory(&scene.alice);
    let met = scene.under("pieces that come early", |span| {
        let mut all: Vec<Attacker> = Vec::new();
        for n in 0..300 {
            let mut one = Attacker::at(20 + (n / 8) as u8, 1 + n);
            if span.goes_on() && one.shake(alice) {
                one.greet(&format!("mallory {n}"));
                one.live(ms(5), ok);
                all.push(one);
            }
        }
        let text = &"z".repeat(1_024);
        for number in 1..64 {
            let (flags, position) = (Flags::default(), number);
            for one in &mut all {
                one.tell(&[Request::Say {
                    stream: 9,
                    position,
                    behind: u8::MAX,
                    number,
                    flags,
                    seal: None,
                    text,
                }]);
                one.live(Duration::ZERO, ok);
            }
        }
        span.rest();
        all.len()
    });
    let grown = memory(&scene.alice) - before;
    println!("pieces that come early, of {met} persons: {grown:+} kB at Alice");
    assert!(grown < 16_384, "{grown} kB");
}
