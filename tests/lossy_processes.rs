//! Real processes on a network that loses, repeats, delays and reorders: what was said arrives
//! everywhere, once, and in its author's order.
//!
//! The network is a relay in this process. Every process behind it has a public socket of its own;
//! what somebody sends to another's public socket leaves from the sender's, after whatever the
//! network does to it. So a nodeset sees everybody at their public address, hands that on, and
//! peers find each other there without knowing of the relay.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::{BTreeMap, BinaryHeap};
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Process, chatrpc, nodeset};

/// What the network does to a datagram, in percent and milliseconds.
const LOST: u64 = 30;
const REPEATED: u64 = 5;
const DELAYS_MS: (u64, u64) = (5, 80);

/// A datagram on its way: due first is greatest.
struct Flight {
    due: Instant,
    from: Arc<UdpSocket>,
    to: SocketAddr,
    bytes: Vec<u8>,
}

impl Ord for Flight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.due.cmp(&self.due)
    }
}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Flight {}

#[derive(Default)]
struct State {
    /// The public socket of each process, by the address it sends from.
    public: BTreeMap<SocketAddr, Arc<UdpSocket>>,
    flights: BinaryHeap<Flight>,
    draws: u64,
    carried: u64,
    lost: u64,
}

impl State {
    /// SplitMix64: the same draws in every run, though not for the same datagrams.
    fn below(&mut self, n: u64) -> u64 {
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.draws ^ (self.draws >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

struct Network {
    state: Mutex<State>,
    moved: Condvar,
    over: AtomicBool,
}

impl Network {
    /// A network with one process on it, known by its real address. Returns its public one.
    fn around(real: SocketAddr) -> (Arc<Self>, SocketAddr) {
        let network = Arc::new(Self {
            state: Mutex::default(),
            moved: Condvar::new(),
            over: AtomicBool::new(false),
        });
        let public = network.attach(real);
        let courier = Arc::clone(&network);
        thread::spawn(move || courier.deliver());
        (network, public.local_addr().unwrap())
    }

    /// The public socket of the process at a real address.
    fn attach(self: &Arc<Self>, real: SocketAddr) -> Arc<UdpSocket> {
        let mut state = self.state.lock().unwrap();
        if let Some(socket) = state.public.get(&real) {
            return Arc::clone(socket);
        }
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        state.public.insert(real, Arc::clone(&socket));
        let (network, public) = (Arc::clone(self), Arc::clone(&socket));
        thread::spawn(move || network.listen(real, &public));
        socket
    }

    /// Takes what others send to the process at `real`.
    fn listen(self: &Arc<Self>, real: SocketAddr, public: &UdpSocket) {
        let mut bytes = [0; 2048];
        while !self.over.load(Ordering::SeqCst) {
            let Ok((len, sender)) = public.recv_from(&mut bytes) else { continue };
            let from = self.attach(sender);
            let mut state = self.state.lock().unwrap();
            state.carried += 1;
            let copies = 1 + u64::from(state.below(100) < REPEATED);
            for _ in 0..copies {
                if state.below(100) < LOST {
                    state.lost += 1;
                    continue;
                }
                let delay = DELAYS_MS.0 + state.below(DELAYS_MS.1 - DELAYS_MS.0);
                let due = Instant::now() + Duration::from_millis(delay);
                let (from, bytes) = (Arc::clone(&from), bytes[..len].to_vec());
                state.flights.push(Flight { due, from, to: real, bytes });
            }
            self.moved.notify_one();
        }
    }

    fn deliver(&self) {
        let mut state = self.state.lock().unwrap();
        while !self.over.load(Ordering::SeqCst) {
            let now = Instant::now();
            let wait = match state.flights.peek() {
                Some(flight) if flight.due <= now => {
                    if let Some(flight) = state.flights.pop() {
                        // A process that is gone refuses; the network does not care.
                        let _ = flight.from.send_to(&flight.bytes, flight.to);
                    }
                    continue;
                }
                Some(flight) => flight.due - now,
                None => Duration::from_millis(200),
            };
            state = self.moved.wait_timeout(state, wait).unwrap().0;
        }
    }
}

/// Ends the network's threads with the test.
struct Running(Arc<Network>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
    }
}

/// A nodeset behind a lossy network, and the address under which others know it.
fn lossy_nodeset() -> (Process, Running, String) {
    let (nodeset, addr) = nodeset();
    let (network, public) = Network::around(addr.parse().unwrap());
    (nodeset, Running(network), public.to_string())
}

/// Joins with options. Bound to the loopback, it tells others no address but the one they see.
fn join(addr: &str, name: &str, option: &str) -> Process {
    Process::start(&["chat", addr, "-n", name, option, "--listen", "127.0.0.1:0"])
}

/// What a program in the room has seen.
#[derive(Default)]
struct Seen {
    people: usize,
    /// The texts of each author, in the order they came.
    heard: BTreeMap<String, Vec<String>>,
    /// Our own messages that everybody has.
    done: usize,
}

impl Seen {
    /// Reads what the program prints until it has seen enough.
    fn until(&mut self, program: &mut Process, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let line = program.out.next_line().expect("more to come");
            let object: Value = serde_json::from_str(&line).unwrap();
            match object["t"].as_str().unwrap() {
                "ready" => self.people += object["people"].as_array().unwrap().len(),
                "join" => self.people += 1,
                "msg" => {
                    let author = object["from"]["name"].as_str().unwrap().to_owned();
                    let text = object["text"].as_str().unwrap().to_owned();
                    self.heard.entry(author).or_default().push(text);
                }
                "done" => {
                    assert_eq!(object["acked"], NAMES.len() - 1, "{line}");
                    self.done += 1;
                }
                "sent" | "acked" => {}
                // Joining may take a while where a third of all is lost; and whom nobody reaches for 12 s, one in
                // some thousands, is said to be out of reach, until they are.
                "status" if line.contains("still asking") => {}
                "status"
                    if ["unreachable", "reachable"]
                        .map(Some)
                        .contains(&object["code"].as_str()) => {}
                _ => panic!("unexpected: {line}"),
            }
        }
    }

    fn messages(&self) -> usize {
        self.heard.values().map(Vec::len).sum()
    }
}

const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

#[test]
fn everything_arrives_once_and_in_order() {
    const SAID: usize = 20;

    let (_nodeset, network, addr) = lossy_nodeset();
    let mut people = NAMES.map(|name| (join(&addr, name, "--json"), Seen::default()));
    for (program, seen) in &mut people {
        seen.until(program, |seen| seen.people == NAMES.len() - 1);
    }
    for n in 0..SAID {
        for (program, _) in &mut people {
            program.say(&format!(r#"{{"t":"send","text":"message {n}"}}"#));
        }
    }
    let typed = Instant::now();
    for (program, seen) in &mut people {
        seen.until(program, |seen| seen.messages() == SAID * (NAMES.len() - 1));
    }
    let took = typed.elapsed();
    {
        let state = network.0.state.lock().unwrap();
        println!("all there after {took:?}; {} datagrams, {} lost", state.carried, state.lost);
        assert!(state.lost * 5 > state.carried, "the network was not lossy at all");
    }
    assert!(took < Duration::from_secs(10), "it took {took:?}");

    // Nobody leaves before everybody's receipts are there: what a leaver confirmed may be lost.
    for (program, seen) in &mut people {
        seen.until(program, |seen| seen.done == SAID);
    }
    let said: Vec<String> = (0..SAID).map(|n| format!("message {n}")).collect();
    for ((program, seen), own) in people.iter_mut().zip(NAMES) {
        program.end_input();
        assert_eq!(program.status(), 0);
        let messages = program.out.all().iter().filter(|line| line.contains(r#""t":"msg""#));
        assert_eq!(messages.count(), SAID * (NAMES.len() - 1), "{own} heard something twice");
        for author in NAMES.iter().filter(|author| **author != own) {
            assert_eq!(seen.heard[*author], said, "{own} hears {author}");
        }
    }
}

#[test]
fn a_file_arrives_whole_and_in_order() {
    let (_nodeset, _network, addr) = lossy_nodeset();
    let mut alice = join(&addr, "alice", "--plain");
    alice.err.wait("* Welcome to the chat room, alice!");
    let readme: Vec<String> = (0..60)
        .flat_map(|n| {
            let long = "words and words ".repeat(n);
            [
                format!("## Section {n}"),
                String::new(),
                format!("{long}and the end of line {n}."),
                format!("    let indented = \"{n}\"; // 你好 👍"),
                "\u{20}".to_owned(),
            ]
        })
        .collect();
    let file = std::env::temp_dir().join(format!("chatrpc-test-{}-readme", std::process::id()));
    fs::write(&file, readme.join("\n")).unwrap();
    let args =
        ["chat", &addr, "-n", "reader", "--plain", "--drain", "20s", "--listen", "127.0.0.1:0"];
    let mut reader = Process::of(chatrpc(&args).stdin(fs::File::open(&file).unwrap()));
    for line in readme.iter().filter(|line| !line.trim().is_empty()) {
        assert_eq!(alice.out.next_line().unwrap(), format!("reader: {line}"));
    }
    assert_eq!(reader.status(), 0, "{}", reader.errors());
    fs::remove_file(&file).unwrap();
    alice.err.wait("* reader has left the chat!");
    alice.end_input();
    assert_eq!(alice.status(), 0);
    assert_eq!(alice.out.all().len(), 180, "nothing came twice");
}
