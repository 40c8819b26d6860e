//! Attacks by outsiders on real processes, over real sockets, in real time: what each costs whoever is
//! honest.
//!
//! Alice and Bob talk meanwhile, and somebody joins. What has to hold under every attack is asserted:
//! nobody ends, nothing is lost, the newcomer is in within three seconds, and nobody is sent more than
//! was paid for. Times and sizes that depend on the computer are printed.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

#[path = "support/attacker.rs"]
mod attacker;
#[path = "support/honest.rs"]
mod honest;
#[path = "support/insider.rs"]
mod insider;
mod support;

use std::net::{SocketAddr, UdpSocket};
use std::thread;

use attacker::{Attacker, Span, goodbye, goodbyes_for, lease, ms, noise};
use chatrpc::machine::Tag;
use chatrpc::machine::wire::{Datagram, Packet, Request, Response, put_request, put_response};
use honest::{NEWCOMER, Scene, cpu, in_room, member, memory, newcomer_at};
use insider::room;
use support::Process;

/// A room of the attacker's own.
const ELSEWHERE: Tag = Tag([6; 16]);

/// Three leases in a room of their own, one of them given back; then datagrams that end the lease of their
/// sender and answer the announcement that is open to them.
fn goodbyes_with_answers(nodeset: SocketAddr) {
    for (round, answer) in (1..).zip([Response::Ok, Response::Unknown, Response::Cookie([7; 8])]) {
        let numbers = [3 * round, 3 * round + 1, 3 * round + 2];
        let mut tenants = numbers.map(|n| Attacker::at(2, n));
        for (tenant, n) in tenants.iter_mut().zip(numbers) {
            tenant.register(nodeset, ELSEWHERE, lease(n), &noise(7));
        }
        for (tenant, n) in tenants.iter_mut().zip(numbers).rev() {
            let leave = goodbye(ELSEWHERE, n);
            let bytes = tenant.clear(|out| {
                put_request(out, 1, &leave);
                (2..4).for_each(|seq| put_response(out, seq, &answer));
            });
            tenant.send(nodeset, &bytes);
            thread::sleep(ms(300));
        }
    }
}

#[test]
#[ignore = "attacks processes in real time"]
fn one_datagram_ends_no_nodeset() {
    let mut scene = Scene::new();
    let nodeset = scene.nodeset_at();
    scene.under("goodbyes with answers", |span| {
        goodbyes_with_answers(nodeset);
        span.rest();
    });
}

#[test]
#[ignore = "attacks processes in real time"]
fn one_datagram_ends_no_chat_that_opened_its_room() {
    let _alone = Scene::new();
    let mut host = in_room(&["chat", "-n", "host", "--listen", "127.0.1.9:0", "--json"]);
    let mut host = Process::of(&mut host);
    host.out.wait(r#""t":"ready""#);
    goodbyes_with_answers("127.0.1.9:7420".parse().unwrap());
    let mut guest = member("127.0.1.9:7420", "guest", 8, "--json");
    guest.out.wait(r#""t":"ready""#);
    host.out.wait(r#""name":"guest""#);
    println!("goodbyes with answers: the host is there");
}

/// Fifteen kinds of what means nothing, and what means something to nobody here.
fn junk(n: u64, seen: &[Vec<u8>]) -> Vec<u8> {
    let draw = |k: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (k % 48)) as u8;
    let noise = |len: u64| (0..len).map(draw).collect::<Vec<u8>>();
    let kind = |kind: u8, len: u64| [&[kind], &noise(len)[..]].concat();
    let copy = seen[n as usize % seen.len()].clone();
    match n % 15 {
        0 => Vec::new(),
        1 => noise(1 + n % 60),
        2 => noise(1_199),
        3 => noise(1_400),
        4 => kind(0, 24 + n % 300),
        5 => kind(1, 188),
        6 => kind(2, 72),
        7 => kind(3, 36),
        8 => kind(4, 12 + 16 * (n % 70)),
        9 => [&[4, 0, 0, 0, draw(1) % 8][..], &noise(8 + 48)].concat(),
        10 => kind(5 + draw(3) % 250, 100),
        11 => copy,
        12 => copy[..copy.len() - 1].to_vec(),
        13 => [&copy[..], &[0]].concat(),
        _ => {
            let mut spoilt = copy;
            let at = usize::from(draw(9)) % spoilt.len();
            spoilt[at] ^= 1 << (n % 8);
            spoilt
        }
    }
}

#[test]
#[ignore = "attacks processes in real time"]
fn junk_draws_no_more_than_it_costs() {
    let mut scene = Scene::new();
    let nodeset = scene.nodeset_at();
    let mut member = Attacker::joined(2, 1, Attacker::at(2, 0).find(nodeset, "alice"));
    let alice = member.member.as_ref().unwrap().0.at;
    member.register(nodeset, ELSEWHERE, lease(1), &noise(7));
    let before = [&scene.alice, &scene.nodeset].map(|process| (cpu(process), memory(process)));
    let results = scene.under("junk, 4,000 a second to each", |span| {
        let mut outsiders = [alice, nodeset].map(|to| (to, Attacker::at(3, 2)));
        let count = span.at_rate(4_000, |n| {
            for (to, outsider) in &mut outsiders {
                outsider.send(*to, &junk(n, &member.sent));
                outsider.drain();
            }
        });
        (count, outsiders.map(|(_, outsider)| (outsider.paid, outsider.drawn)))
    });
    let (count, [(_, of_peer), (paid, of_nodeset)]) = results;
    for (process, (busy, kept)) in [&scene.alice, &scene.nodeset].into_iter().zip(before) {
        let (busy, kept) = (cpu(process) - busy, memory(process) - kept);
        println!("junk: {count} datagrams, {busy:?} busy, {kept:+} kB");
        assert!(kept < 4_096, "it grew by {kept} kB");
    }
    println!("junk: {of_peer} bytes of Alice, {of_nodeset} of the nodeset for {paid}");
    assert_eq!(of_peer, 0, "strangers get silence");
    assert!(of_nodeset <= paid);
}

/// 256 leases from each of four addresses, taken again when they are taken away.
#[test]
#[ignore = "attacks processes in real time"]
fn a_crowd_keeps_nobody_out() {
    let mut scene = Scene::new();
    let (nodeset, tag) = (scene.nodeset_at(), room().tag());
    let paid = scene.under("1,024 leases of noise", |span| {
        let mut paid = 0;
        for n in 0.. {
            let (ip, n) = ((2 + n % 4) as u8, n / 4 % 256);
            let mut one = Attacker::at(ip, 256 * u32::from(ip) + n);
            one.register(nodeset, tag, lease(256 * u32::from(ip) + n), &noise(7));
            paid += one.paid;
            if !span.goes_on() {
                break;
            }
        }
        paid
    });
    println!("leases of noise: {paid} bytes paid");
    let took = scene.newcomer();
    assert!(took < NEWCOMER, "{took:?} for one more");
}

/// Noise from one address that changes as fast as it may, in a room of twenty.
#[test]
#[ignore = "attacks processes in real time"]
fn a_nodeset_multiplies_no_changes() {
    let mut scene = Scene::new();
    let nodeset = scene.nodeset_at();
    let mut members: Vec<Attacker> =
        (0..20).map(|n| Attacker::at(60 + n, 100 + u32::from(n))).collect();
    let mut changing: Vec<Attacker> = (0..64).map(|n| Attacker::at(2, 200 + n)).collect();
    for (n, one) in (100..).zip(&mut members).chain((200..).zip(&mut changing)) {
        assert!(one.register(nodeset, ELSEWHERE, lease(n), &noise(7)));
    }
    thread::sleep(ms(2_000));
    members.iter_mut().chain(&mut changing).for_each(|one| {
        one.heed(nodeset);
        (one.paid, one.drawn) = (0, 0);
    });
    scene.under("46 changes a second in a room of 20", |span| {
        span.at_rate(46, |n| {
            let one = &mut changing[n as usize % 64];
            let (token, n) = (lease(200 + n as u32 % 64), 1 + n as u32 / 64);
            let (cookie, have, sealed) = ([0; 8], u64::MAX >> 1, noise(n as u8));
            let request =
                Request::Register { cookie, tag: ELSEWHERE, have, most: 1200, token, n, sealed };
            let bytes = one.clear(|out| put_request(out, n, &request));
            one.send(nodeset, &bytes);
            members.iter_mut().for_each(|member| member.heed(nodeset));
        });
    });
    let paid: usize = changing.iter().map(|one| one.paid).sum();
    let drawn: Vec<usize> = members.iter().map(|member| member.drawn).collect();
    let most = *drawn.iter().max().unwrap();
    println!("changes: {paid} bytes paid; {} drawn, {most} at one", drawn.iter().sum::<usize>());
    assert!(most <= paid, "{most} bytes at one member for {paid}");
}

/// What passes between a process and its nodeset, for somebody on the way. Returns the tokens they saw.
fn relay(span: &Span, front: &UdpSocket, nodeset: SocketAddr) -> Vec<u64> {
    let back = UdpSocket::bind("127.0.0.4:0").unwrap();
    let (mut bytes, mut process, mut tokens) = ([0; 2048], None, Vec::new());
    for socket in [front, &back] {
        socket.set_read_timeout(Some(ms(1))).unwrap();
    }
    while span.goes_on() {
        if let Ok((len, from)) = front.recv_from(&mut bytes) {
            process = Some(from);
            let _ = back.send_to(&bytes[..len], nodeset);
            for packet in Datagram::decode(&bytes[..len]).iter().flat_map(Datagram::packets) {
                if let Packet::Request { request: Request::Register { token, .. }, .. } = packet {
                    tokens.push(token);
                }
            }
        }
        if let (Ok((len, _)), Some(to)) = (back.recv_from(&mut bytes), process) {
            let _ = front.send_to(&bytes[..len], to);
        }
    }
    tokens
}

/// Somebody on the way sees the token of a lease, and tries to end it from elsewhere.
#[test]
#[ignore = "attacks processes in real time"]
fn a_token_that_was_seen_ends_no_lease() {
    let mut scene = Scene::new();
    let (nodeset, tag, addr) = (scene.nodeset_at(), room().tag(), scene.addr.clone());
    let front = UdpSocket::bind("127.0.0.4:0").unwrap();
    let seen = Span::of(ms(20_000));
    thread::scope(|scope| {
        let tokens = scope.spawn(|| relay(&seen, &front, nodeset));
        let through = front.local_addr().unwrap().to_string();
        let mut dave = member(&through, "dave", 9, "--json");
        dave.out.wait(r#""t":"ready""#);
        seen.end();
        let tokens = tokens.join().unwrap();
        assert!(!tokens.is_empty());
        scene.under("a token that was seen", |span| {
            let mut thief = Attacker::at(5, 1);
            for token in tokens {
                for leave in goodbyes_for(tag, token) {
                    let bytes = thief.clear(|out| put_request(out, 1, &leave));
                    thief.send(nodeset, &bytes);
                }
            }
            println!("a token that was seen: {} bytes", thief.paid);
            span.rest();
        });
        let mut who = Process::of(&mut in_room(&["who", &addr, "--json"]));
        assert_eq!(who.status(), 0);
        let listed = who.out.all().iter().filter(|line| line.contains("dave")).count();
        println!("a token that was seen: {listed} of that name are listed");
        assert_eq!(listed, 1, "the lease has ended");
    });
}

/// A lease in each of 200 rooms; others come and go in all of them.
#[test]
#[ignore = "attacks processes in real time"]
fn who_comes_and_goes_fills_no_memory() {
    let mut scene = Scene::new();
    let nodeset = scene.nodeset_at();
    let tag = |n: u32| Tag((6 << 64 | u128::from(n % 200)).to_be_bytes());
    let before = memory(&scene.nodeset);
    let count = scene.under("departures, 3,000 a second", |span| {
        for n in 0..200 {
            assert!(Attacker::at(2, n).register(nodeset, tag(n), lease(n), &noise(7)));
        }
        let mut passing: Vec<(Attacker, [u8; 8])> = (6..36)
            .map(|ip| {
                let mut one = Attacker::at(ip, u32::from(ip));
                let cookie = one.cookie(nodeset);
                (one, cookie)
            })
            .collect();
        span.at_rate(3_000, |n| {
            let (n, (one, cookie)) = (1_000 + n as u32, &mut passing[n as usize % 30]);
            let (tag, token, sealed, cookie) = (tag(n / 30), lease(n), noise(7), *cookie);
            let come = Request::Register { cookie, tag, have: 0, most: 1200, token, n: 0, sealed };
            let bytes = one.clear(|out| {
                put_request(out, 1, &come);
                put_request(out, 2, &goodbye(tag, n));
            });
            one.send(nodeset, &bytes);
            one.drain();
        })
    });
    let grown = memory(&scene.nodeset) - before;
    println!("departures: {count}, {grown:+} kB at the nodeset");
    assert!(grown < 8_192, "{grown} kB");
}

/// A first message that Dave answered is sent on to everybody, with the cookies that are given for it.
#[test]
#[ignore = "attacks processes in real time"]
fn one_first_message_keeps_nobody_busy() {
    let mut scene = Scene::new();
    let mut dave = member(&scene.addr, "dave", 9, "--json");
    dave.out.wait(r#""t":"ready""#);
    let [alice, bob, dave] =
        ["alice", "bob", "dave"].map(|name| Attacker::at(2, 0).find(scene.nodeset_at(), name));
    let init = Attacker::joined(2, 1, dave).sent[0].clone();
    let before = [&scene.alice, &scene.bob].map(cpu);
    let count = scene.under("one first message, 4,000 a second to each", |span| {
        let mut outsider = Attacker::at(3, 2);
        span.at_rate(4_000, |_| {
            for to in [alice.at, bob.at, newcomer_at(1)] {
                let shown = outsider.showing(init.clone(), to);
                outsider.send(to, &shown);
            }
            outsider.drain();
        })
    });
    let [alice, bob] = [cpu(&scene.alice) - before[0], cpu(&scene.bob) - before[1]];
    println!("one first message, {count} times to each: Alice busy {alice:?}, Bob {bob:?}");
}
