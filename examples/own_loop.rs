//! A loop of one's own around a machine: a plain `UdpSocket`, and no feature of this crate.
//!
//! `cargo run --example own_loop`. A nodeset and two people, each a thread with a socket on the loopback
//! interface. A program with a loop of its own (an editor, a robot, a game) would do what [`own`] does.

// Clocks and sockets are for owners; the machines have none.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chatrpc::machine::{
    Action, Event, Identity, Incarnation, Input, Machine, Name, Peer, PeerConfig, Registry,
    RegistryConfig, Room, Seed, Time, drain,
};

/// What somebody else has to know of what a machine shows.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Joined,
    Read(String),
    Confirmed,
}

/// Owns a machine until it exits, or whoever types has gone: socket, clock and lines in, actions out.
fn own(
    mut machine: impl Machine,
    socket: &UdpSocket,
    lines: &Receiver<String>,
    said: &Sender<Said>,
) {
    let (began, mut bytes, mut over) = (Instant::now(), [0; 2048], false);
    let mut input = |machine: &mut dyn Machine, input: Input<'_>| {
        let now = Time::from_micros(began.elapsed().as_micros() as u64);
        let drained = drain(machine, now, input, |action| match action {
            // A datagram that cannot be sent is one that was lost: the machine will call again.
            Action::Send { to, bytes, .. } => drop(socket.send_to(bytes, to)),
            Action::Show(Event::Ready { .. }) => said.send(Said::Joined).unwrap_or(()),
            Action::Show(Event::Message { text, .. }) => {
                said.send(Said::Read(text.to_string())).unwrap_or(());
            }
            Action::Show(Event::Done { acked: 1.., .. }) => {
                said.send(Said::Confirmed).unwrap_or(())
            }
            Action::Show(_) => {}
            Action::Exit(_) => over = true,
        });
        (over, drained.wake)
    };
    let mut wake = input(&mut machine, Input::Tick).1;
    loop {
        // Sleep until something comes, or is due; here at most 20 ms, since lines wake nobody.
        let due = wake.map_or(u64::MAX, |wake| wake.at.as_micros());
        let left = due.saturating_sub(began.elapsed().as_micros() as u64).clamp(1_000, 20_000);
        socket.set_read_timeout(Some(Duration::from_micros(left))).expect("a timeout");
        let mut next = match socket.recv_from(&mut bytes) {
            Ok((len, from)) => {
                input(&mut machine, Input::Datagram { from, at: None, bytes: &bytes[..len] })
            }
            Err(_) => input(&mut machine, Input::Tick),
        };
        for line in lines.try_iter() {
            next = input(&mut machine, Input::Line(&line));
        }
        if next.0 {
            return;
        }
        wake = next.1;
    }
}

/// Somebody who chats, on a thread: what to type goes in, what is shown comes out.
fn person(n: u8, name: &str, nodeset: SocketAddr) -> (Sender<String>, Receiver<Said>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_millis() as u64);
    let room = Room::new(Name::parse("lobby").expect("a name"), None);
    let (name, started) = (Name::parse(name).expect("a name"), Incarnation::at(unix_ms));
    // Both have to be entropy: `getrandom` has it. This example can do with less.
    let (seed, identity) = (Seed([n; 32]), Identity::new(&[n; 32]));
    let config = PeerConfig::new(seed, started, identity, room, name, nodeset);
    let ((lines, typed), (said, shown)) = (channel(), channel());
    thread::spawn(move || own(Peer::new(config), &socket, &typed, &said));
    (lines, shown)
}

fn main() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let nodeset = socket.local_addr().expect("an address");
    let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(1), 16);
    let (_lines, typed) = channel();
    let (said, _shown) = channel();
    thread::spawn(move || own(Registry::new(config), &socket, &typed, &said));

    let wait = |shown: &Receiver<Said>, what: Said| {
        let next = shown.recv_timeout(Duration::from_secs(5)).expect("it takes milliseconds");
        println!("{next:?}");
        assert_eq!(next, what);
    };
    let (alice, hers) = person(1, "alice", nodeset);
    wait(&hers, Said::Joined);
    let (bob, his) = person(2, "bob", nodeset);
    wait(&his, Said::Joined);
    bob.send("hello, alice".to_owned()).expect("he is here");
    wait(&hers, Said::Read("hello, alice".to_owned()));
    wait(&his, Said::Confirmed);
    for typed in [alice, bob] {
        typed.send("/quit".to_owned()).expect("they are here");
    }
}
