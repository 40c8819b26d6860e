//! What a member may cost the others: every attack with a number that must not grow.
//!
//! Mallory knows the room's secret, and says what no machine of ours would say. Each test opens with
//! what she does; found by trying, each once a hole.

#[path = "support/insider.rs"]
mod insider;
#[path = "support/net.rs"]
mod net;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chatrpc::machine::suite::{Hand, Initiated, Responding, Suite};
use chatrpc::machine::wire::{
    Asked, Datagram, Flags, Loss, Packet, Request, Response, put_relayed, put_request,
    put_response, relayed,
};
use chatrpc::machine::{
    Deps, Identity, Input, Machine, Noise, PeerId, Presence, PublicKey, Seal, Signed,
};
use insider::{Insider, Session};
use net::*;

/// Mallory in the room, at one peer: she has shaken hands and said hello.
struct Mallory {
    insider: Insider,
    session: Session,
    /// Where she is.
    at: SocketAddr,
    seq: u32,
    /// What the peer sent her, in datagrams and bytes.
    heard: (usize, usize),
}

impl Mallory {
    fn join(net: &mut Net, n: usize, mut insider: Insider, name: &str, at: &str) -> Self {
        let session = net.shake(n, at, &mut insider);
        let at = addr(at);
        let mut mallory = Self { insider, session, at, seq: 1, heard: (0, 0) };
        let beacon = mallory.insider.signed(name, 0, Vec::new());
        mallory.say(
            net,
            n,
            &Request::Hello { stream: 9, start: 0, given_up: 0, entries: 1, beacon },
        );
        mallory.live(net, n, 100, |request| Some(request.done()));
        mallory
    }

    fn say(&mut self, net: &mut Net, n: usize, request: &Request<'_>) {
        self.seq += 1;
        let (stamp, seq) = ((net.now & 0xffff_ffff) as u32, self.seq);
        let bytes = self.session.seal(stamp, |out| put_request(out, seq, request));
        net.feed(n, Input::Datagram { from: self.at, at: None, bytes: &bytes });
    }

    /// Time passes, and she answers what she is asked by peer `n`: like this, or not at all.
    fn live(
        &mut self,
        net: &mut Net,
        n: usize,
        ms: u64,
        mut answer: impl FnMut(&Request<'_>) -> Option<Response>,
    ) {
        for _ in 0..ms {
            let mut said = Vec::new();
            net.now += 1_000;
            let at = self.at;
            net.run(0, |_, to, bytes| {
                if to == at {
                    said.push(bytes.to_vec());
                }
                false
            });
            for bytes in said {
                self.heard.0 += 1;
                self.heard.1 += bytes.len();
                let Some(text) = self.session.open(&bytes) else { continue };
                let id = net.peers[n].1.me().id;
                let datagram = Datagram::decode_sealed(id, &text).expect("packets");
                let answers: Vec<_> = datagram
                    .packets()
                    .filter_map(|packet| match packet {
                        Packet::Request { seq, request } => Some((seq, answer(&request)?)),
                        Packet::Response { .. } => None,
                    })
                    .collect();
                if answers.is_empty() {
                    continue;
                }
                let stamp = (net.now & 0xffff_ffff) as u32;
                let bytes = self.session.seal(stamp, |out| {
                    answers.iter().for_each(|(seq, answer)| put_response(out, *seq, answer));
                });
                net.feed(n, Input::Datagram { from: at, at: None, bytes: &bytes });
            }
        }
    }
}

/// Alice, Bob and Mallory, who is here for Alice.
fn room_of_three() -> (Net, Mallory) {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let mallory = Mallory::join(&mut net, 0, Insider::new(1, 77), "mallory", MALLORY);
    assert_eq!(net.count(0, "Joined"), 2, "{:?}", net.peers[0].2);
    (net, mallory)
}

/// Alice asks most of them rarely.
fn room_of_26() -> (Net, Mallory) {
    let others: Vec<_> = (3..27).map(|n| (format!("n{n}"), format!("10.0.0.{n}:1"))).collect();
    let mut names = vec![("alice", ALICE)];
    names.extend(others.iter().map(|(name, at)| (name.as_str(), at.as_str())));
    let mut net = Net::with(&names);
    net.check_every = 100;
    let mallory = Mallory::join(&mut net, 0, Insider::new(1, 77), "mallory", MALLORY);
    (net, mallory)
}

fn says_nothing(request: &Request<'_>) -> Option<Response> {
    match request {
        Request::Say { .. } => None,
        _ => Some(request.done()),
    }
}

/// She does not know Alice's stream, and falls silent for half a minute: Alice's hello fails, and there is no other
/// address of hers to say it at. Once she answers again, what was said to her is.
#[test]
fn who_knew_us_no_more_and_was_silent_is_told_what_waits() {
    let (mut net, mut mallory) = room_of_three();
    net.feed(0, Input::Line("do you hear me?"));
    let mut says = 0;
    mallory.live(&mut net, 0, 1_000, |request| {
        says += usize::from(matches!(request, Request::Say { .. }));
        (says == 1).then_some(Response::Unknown)
    });
    assert_eq!(says, 1, "she does not know the stream: nothing is said before a hello");
    mallory.live(&mut net, 0, 30_000, |_| None);
    let (mut hellos, mut said) = (0, 0);
    mallory.live(&mut net, 0, 20_000, |request| match request {
        Request::Say { position, .. } => {
            said += 1;
            Some(Response::Next { next: position + 1, held: 0 })
        }
        request => {
            hellos += usize::from(matches!(request, Request::Hello { .. }));
            Some(request.done())
        }
    });
    assert!(hellos > 0 && said > 0, "{hellos} hellos, {said} lines");
    assert_eq!(net.count(0, "Left"), 0, "{:?}", net.peers[0].2);
}

/// She is here, and confirms nothing.
#[test]
fn who_confirms_nothing_mutes_nobody() {
    let (mut net, mut mallory) = room_of_three();
    let (start, mut said) = (net.now, 0);
    while net.count(1, "Message {") < 2_000 && net.now < start + 60_000_000 {
        while said < 2_000 && net.peers[0].1.accepts_lines() {
            net.feed(0, Input::Line(&format!("line {said}.")));
            said += 1;
        }
        mallory.live(&mut net, 0, 10, says_nothing);
        net.peers[0].2.retain(|line| line.contains("Refused") || line.contains("Reads"));
    }
    let took = (net.now - start) / 1_000;
    assert_eq!((said, net.count(1, "Message {"), net.count(0, "Refused")), (2_000, 2_000, 0));
    assert!(took < 20_000, "{took} ms for 2,000 lines, of which 1,000 come at 100 a second");
    // A minute later it is said that she does not read; she costs little from then on.
    mallory.live(&mut net, 0, 90_000 - took, says_nothing);
    assert_eq!(net.count(0, "reads: false"), 1, "{:?}", net.peers[0].2);
    mallory.heard = (0, 0);
    mallory.live(&mut net, 0, 60_000, says_nothing);
    assert!(mallory.heard.1 < 60 * 500, "{} bytes in a minute", mallory.heard.1);
    // What exceeded her backlog was reported, for her alone.
    net.peers[0].2.clear();
    net.feed(0, Input::Line("one more"));
    mallory.live(&mut net, 0, 500, says_nothing);
    assert_eq!((net.count(1, "one more"), net.count(0, "Unread")), (1, 1));
    // She reads after all.
    let mut next = 0;
    mallory.live(&mut net, 0, 40_000, |request| match request {
        Request::Say { position, .. } => {
            next = (*position + 1).max(next);
            Some(Response::Next { next, held: 0 })
        }
        _ => Some(request.done()),
    });
    assert_eq!((next, net.count(0, "reads: true")), (1_024, 1));
}

/// She answers whatever is said to her at once: with every status, or with a position that does not move.
#[test]
fn who_answers_nonsense_sets_the_pace_of_nobody() {
    let stuck = Response::Next { next: 0, held: 0 };
    for nonsense in
        [Response::Unknown, Response::Full, Response::Cookie([7; 8]), Response::Version(9), stuck]
    {
        for hello in [Response::Ok, nonsense.clone()] {
            let (mut net, mut mallory) = room_of_three();
            mallory.heard = (0, 0);
            (0..50).for_each(|n| net.feed(0, Input::Line(&format!("line {n}."))));
            mallory.live(&mut net, 0, 5_000, |request| match request {
                Request::Say { .. } => Some(nonsense.clone()),
                Request::Hello { .. } => Some(hello.clone()),
                _ => Some(request.done()),
            });
            let (count, _) = mallory.heard;
            assert!(count < 300, "{nonsense:?}, {hello:?}: {count} datagrams in five seconds");
            assert_eq!(net.count(1, "Message {"), 50, "Bob has it all");
        }
    }
}

/// Nobody can be shown anything for a while: nothing is confirmed that nobody saw.
#[test]
fn what_cannot_be_shown_is_not_confirmed() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    net.feed(1, Input::Full(true));
    (0..200).for_each(|n| net.feed(0, Input::Line(&format!("line {n}."))));
    net.run(40, |_, _, _| false);
    assert_eq!((net.count(1, "Message {"), net.count(0, "Acked")), (0, 0));
    let mut sent = 0;
    net.run(10, |from, _, bytes| {
        sent += if from == addr(ALICE) { bytes.len() } else { 0 };
        false
    });
    assert!(sent < 10 * 200, "{sent} bytes in ten seconds");
    net.feed(1, Input::Full(false));
    net.run(20, |_, _, _| false);
    assert_eq!((net.count(1, "Message {"), net.count(0, "Acked")), (200, 200));
    assert_eq!(net.count(0, "Done"), 200);
}

/// She says as much as she can, and changes her name with every line.
#[test]
fn who_says_too_much_is_heard_slowly() {
    let (mut net, mut mallory) = room_of_three();
    net.peers[0].2.clear();
    let mut next = 0;
    for _ in 0..500 {
        let first = next;
        for position in first..first + 40 {
            let flags = Flags::default();
            let say = Request::Say {
                behind: u8::MAX,
                stream: 9,
                position,
                number: position,
                flags,
                seal: None,
                text: "flood",
            };
            mallory.say(&mut net, 0, &say);
            // What was taken shows.
            next += u64::from(net.count(0, "flood") as u64 > next);
        }
        let n = next as u32 + 1;
        let beacon = mallory.insider.signed(&format!("mallory {n}"), n, Vec::new());
        mallory.say(
            &mut net,
            0,
            &Request::Hello { stream: 9, start: 0, given_up: 0, entries: 1, beacon },
        );
        mallory.live(&mut net, 0, 10, |request| Some(request.done()));
    }
    let (taken, renamed) = (net.count(0, "flood"), net.count(0, "Renamed"));
    assert!((1_000..=1_000 + 510).contains(&taken), "{taken} messages in five seconds");
    assert!((1..=8).contains(&renamed), "{renamed} names in five seconds");
    // And the last one shows, as soon as it is looked at.
    let last = format!("mallory {}", next as u32 + 2);
    let beacon = mallory.insider.signed(&last, next as u32 + 2, Vec::new());
    mallory.live(&mut net, 0, 200, |request| Some(request.done()));
    mallory.say(
        &mut net,
        0,
        &Request::Hello { stream: 9, start: 0, given_up: 0, entries: 1, beacon },
    );
    mallory.live(&mut net, 0, 2_000, |request| Some(request.done()));
    let line = net.peers[0].2.iter().rev().find(|line| line.contains("Renamed")).expect("one");
    assert!(line.contains(&last), "{line} and not {last}");
}

/// She names one stream after the other, and says each time that she has given up more; at first she is
/// not here, since she does not answer.
#[test]
fn what_is_missing_is_told_slowly_and_of_who_is_here() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let mut insider = Insider::new(7, 77);
    let session = net.shake(0, MALLORY, &mut insider);
    let mut mallory = Mallory { insider, session, at: addr(MALLORY), seq: 1, heard: (0, 0) };
    let reopen = |net: &mut Net, mallory: &mut Mallory, n: u64| {
        let beacon = mallory.insider.signed("mallory", 0, Vec::new());
        let (stream, start) = (1 + n as u32, 1_000 * n);
        mallory.say(
            net,
            0,
            &Request::Hello { stream, start, given_up: 1_000 * n, entries: 1, beacon },
        );
    };
    (0..20).for_each(|n| reopen(&mut net, &mut mallory, n));
    assert_eq!((net.count(0, "Joined"), net.count(0, "Missing")), (0, 0), "she is not here");
    // Others may have it, for three seconds.
    mallory.live(&mut net, 0, 4_000, |request| Some(request.done()));
    assert_eq!((net.count(0, "Joined"), net.count(0, "count: 19000")), (1, 1));
    for n in 20..120 {
        reopen(&mut net, &mut mallory, n);
        mallory.live(&mut net, 0, 50, |request| Some(request.done()));
    }
    mallory.live(&mut net, 0, 2_000, |request| Some(request.done()));
    let told = net.peers[0].2.iter().filter_map(|line| {
        let count = line.split("Missing {").nth(1)?.split("count: ").nth(1)?;
        count.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().ok()
    });
    let told: Vec<u64> = told.collect();
    assert!(told.len() <= 12, "{told:?} in seven seconds");
    assert_eq!(told.iter().sum::<u64>(), 119_000, "all of it in the end");
}

/// She greets as a thousand persons, from one address.
#[test]
fn one_source_is_a_few_persons() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let mut shown = 0;
    for n in 0..200_u16 {
        let at = format!("10.0.6.6:{}", 1_000 + n);
        let mut insider = Insider::new(1, 10_000 + u64::from(n));
        let (init, mut pending) = insider.init((net.identity(0).public(), 1_000));
        net.forge(0, &at, &init);
        net.now += 40_000;
        let answers = net.towards(&at);
        let Some(session) = answers.iter().find_map(|resp| pending.finish(resp)) else { continue };
        let (at, heard) = (addr(&at), (0, 0));
        let mut mallory = Mallory { insider, session, at, seq: 1, heard };
        let beacon = mallory.insider.signed(&format!("m{n}"), 0, Vec::new());
        mallory.say(
            &mut net,
            0,
            &Request::Hello { stream: 9, start: 0, given_up: 0, entries: 1, beacon },
        );
        mallory.live(&mut net, 0, 30, |request| Some(request.done()));
        shown = net.count(0, "Joined");
    }
    assert_eq!(shown, 1 + 8, "Bob, and eight of hers");
    let carol = net.join("carol", "10.0.0.4:1");
    net.run(3, |_, _, _| false);
    assert_eq!((net.count(carol, "Ready"), net.count(0, "carol")), (1, 1));
}

/// What goes to one computer, in so many seconds.
fn drawn(net: &mut Net, victim: SocketAddr, secs: u64) -> usize {
    let mut drawn = 0;
    net.run(secs, |_, to, bytes| {
        drawn += if to.ip() == victim.ip() { bytes.len() } else { 0 };
        false
    });
    drawn
}

/// She registers invented persons whose beacons name a victim's addresses: many of them, or one, who
/// costs her next to nothing. Somebody joins later.
#[test]
fn invented_persons_aim_nobody_at_a_victim() {
    for (persons, ports) in [(200, 400), (1, 1), (5, 400_u16)] {
        let names: Vec<(String, String)> =
            (0..10).map(|n| (format!("m{n}"), format!("10.0.1.{}:1", n + 1))).collect();
        let names: Vec<(&str, &str)> = names.iter().map(|(n, at)| (&**n, &**at)).collect();
        let mut net = Net::with(&names);
        net.check_every = 1_000;
        let victim = |port: u16| SocketAddr::from(([10, 0, 5, 5], 1 + port % ports));
        let (mut paid, mut sent) = (0, 0);
        for n in 0..persons {
            let insider = Insider::new(1, 20_000 + u64::from(n));
            let addrs = (0..4).map(|k| victim(4 * n + k)).collect();
            let (_, sealed) = insider.sealed(&format!("x{n}"), addrs);
            let from = SocketAddr::from(([10, 0, 6, (n % 4) as u8], 2_000 + n));
            paid += register_as(&mut net, from, insider.token, sealed);
            sent += if n % 20 == 19 { drawn(&mut net, victim(0), 1) } else { 0 };
        }
        sent += drawn(&mut net, victim(0), 20);
        net.join("carol", "10.0.0.4:1");
        sent += drawn(&mut net, victim(0), 30);
        assert!(
            sent <= 3 * paid,
            "{sent} bytes at the victim for {paid}: {persons}, {ports} ports"
        );
    }
}

/// Registers at the nodeset with the cookie it asks for; returns the bytes that took.
fn register_as(
    net: &mut Net,
    from: SocketAddr,
    token: u64,
    sealed: chatrpc::machine::Sealed,
) -> usize {
    use chatrpc::machine::wire::{Asked, put_header};
    let (mut cookie, mut bytes) = ([0; 8], Vec::new());
    let mut paid = 0;
    for _ in 0..2 {
        let tag = insider::room().tag();
        let request = Request::Register {
            cookie,
            tag,
            have: 0,
            most: 1200,
            token,
            n: 0,
            sealed: sealed.clone(),
        };
        bytes.clear();
        put_header(&mut bytes, 77, 0, 1, 0);
        put_request(&mut bytes, 7, &request);
        paid += bytes.len();
        let now = chatrpc::machine::Time::from_micros(net.now);
        let answer = ask(&mut net.nodeset, now, from, Asked::Register, &request);
        match answer {
            Some(Response::Cookie(new)) => cookie = new,
            _ => break,
        }
    }
    net.feed_nodeset(Input::Tick);
    paid
}

/// She has the name that Carol wants, and says goodbye while Carol asks whether she is there.
#[test]
fn who_leaves_when_asked_for_their_name_keeps_nobody_waiting() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let mut insider = Insider::new(7, 77);
    let (_, sealed) = insider.sealed("carol", Vec::new());
    register_as(&mut net, addr(MALLORY), insider.token, sealed);
    let carol = net.join("carol", "10.0.0.4:1");
    let mut session = None;
    for _ in 0..1_000 {
        net.now += 1_000;
        let mut init = None;
        net.run(0, |_, to, bytes| {
            init = init.take().or((to == addr(MALLORY)).then(|| bytes.to_vec()));
            false
        });
        if let Some((resp, begun)) = init.and_then(|init| insider.answer(&init)) {
            net.forge(carol, MALLORY, &resp);
            session = Some(begun);
            break;
        }
    }
    let (session, at) = (session.expect("Carol asks"), addr(MALLORY));
    let beacon = insider.signed("carol", 0, Vec::new());
    let farewell = insider.farewell();
    let mut mallory = Mallory { insider, session, at, seq: 1, heard: (0, 0) };
    mallory.say(
        &mut net,
        carol,
        &Request::Hello { stream: 9, start: 0, given_up: 0, entries: 1, beacon },
    );
    mallory.say(&mut net, carol, &Request::Bye { next: 0, beacon: farewell });
    net.run(15, |_, _, _| false);
    assert_eq!((net.count(carol, "Ready"), net.count(carol, "Exit")), (1, 0));
}

/// The product's cryptography, with a count of the signatures that were verified.
#[derive(Debug)]
struct Counting;

static VERIFIED: AtomicUsize = AtomicUsize::new(0);

impl Suite for Counting {
    fn image(&self, key: PublicKey) -> Option<[u8; 32]> {
        Noise.image(key)
    }

    fn sign(&self, identity: &Identity, message: &[u8]) -> [u8; 64] {
        Noise.sign(identity, message)
    }

    fn verify(&self, key: PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
        VERIFIED.fetch_add(1, Ordering::Relaxed);
        Noise.verify(key, message, signature)
    }

    fn seal(&self, key: &[u8; 32], nonce: [u8; 12], bytes: &mut Vec<u8>) {
        Noise.seal(key, nonce, bytes);
    }

    fn open(&self, key: &[u8; 32], nonce: [u8; 12], bytes: &mut Vec<u8>) -> bool {
        Noise.open(key, nonce, bytes)
    }

    fn initiate(
        &self,
        hand: &Hand<'_>,
        theirs: &[u8; 32],
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Box<dyn Initiated>> {
        Noise.initiate(hand, theirs, payload, out)
    }

    fn respond(
        &self,
        hand: &Hand<'_>,
        first: &[u8],
        payload: &mut Vec<u8>,
    ) -> Option<Box<dyn Responding>> {
        Noise.respond(hand, first, payload)
    }
}

/// She signs badly, seven times in each datagram.
#[test]
fn bad_signatures_are_looked_at_rarely() {
    let mut net = Net::with(&[]);
    net.suite = &Counting;
    let alice = net.join("alice", ALICE);
    net.run(5, |_, _, _| false);
    let mut insider = Insider::new(1, 77);
    let mut session = net.shake(alice, MALLORY, &mut insider);
    let mut beacon: Signed = insider.signed("m", 0, Vec::new());
    beacon.signature[0] ^= 1;
    let before = VERIFIED.load(Ordering::Relaxed);
    for n in 0..1_000_u32 {
        let stamp = (net.now & 0xffff_ffff) as u32;
        let bytes = session.seal(stamp, |out| {
            for k in 0..7 {
                let beacon = beacon.clone();
                let hello = Request::Hello { stream: 9, start: 0, given_up: 0, entries: 1, beacon };
                put_request(out, 7 * n + k, &hello);
            }
        });
        net.forge(alice, MALLORY, &bytes);
        net.wire.clear();
        net.now += 1_000;
    }
    let looked = VERIFIED.load(Ordering::Relaxed) - before;
    assert!((10..=14).contains(&looked), "{looked} signatures in a second");
}

/// Many authors hold as much back as each may: sixty pieces that come before the first one is there.
#[test]
fn what_comes_early_from_all_together_is_bounded() {
    let mut net = Net::with(&[("alice", ALICE)]);
    let long = "x".repeat(320);
    for n in 0..220_u8 {
        let at = format!("10.0.7.{}:7", n + 1);
        let insider = Insider::new(n + 30, 77);
        let mut mallory = Mallory::join(&mut net, 0, insider, &format!("m{n}"), &at);
        for position in 1..64 {
            let flags = Flags { more: true, ..Flags::default() };
            let say = Request::Say {
                stream: 9,
                position,
                behind: u8::MAX,
                number: 1,
                flags,
                seal: None,
                text: &long,
            };
            mallory.say(&mut net, 0, &say);
        }
        net.wire.clear();
        net.now += 20_000;
    }
    let held = net.peers[0].1.footprint().into_iter().find(|table| table.name == "held bytes");
    let held = held.expect("it is listed");
    assert!(held.len <= held.limit && held.len > held.limit / 2, "{held:?}");
}

/// What passes through Alice to Bob of so many datagrams within a second, and how much Bob says to it.
fn passed(
    net: &mut Net,
    from: &str,
    index: u64,
    inner: &[u8],
    times: u64,
) -> (Vec<Vec<u8>>, usize) {
    let mut bytes = Vec::new();
    put_relayed(&mut bytes, index);
    bytes.extend_from_slice(inner);
    let (mut through, mut answers) = (Vec::new(), 0);
    for _ in 0..10 {
        (0..times / 10).for_each(|_| net.forge(0, from, &bytes));
        net.run(0, |_, _, _| false);
        net.now += 100_000;
        net.run(0, |from, to, bytes| {
            let relayed = relayed(bytes).is_ok();
            if relayed && (from, to) == (addr(ALICE), addr(BOB)) {
                through.push(bytes.to_vec());
            }
            answers += usize::from(relayed && from == addr(BOB));
            false
        });
    }
    (through, answers)
}

/// She has things passed on: to a member, as much as a relay gives away, from where she is, and nothing
/// that could go on from there.
#[test]
fn a_relay_passes_on_little_and_to_members_alone() {
    let (mut net, mut mallory) = room_of_three();
    let bob = net.peers[1].1.me().id;
    let mut index = None;
    for to in [PeerId(7), net.peers[0].1.me().id, mallory.insider.id(), bob] {
        assert_eq!(index, None, "there is a way to Bob alone");
        mallory.say(&mut net, 0, &Request::Bridge { to });
        for bytes in net.towards(MALLORY) {
            let Some(text) = mallory.session.open(&bytes) else { continue };
            let id = net.peers[0].1.me().id;
            for packet in Datagram::decode_sealed(id, &text).expect("packets").packets() {
                if let Packet::Response { payload, .. } = packet
                    && let Ok(Response::Bridge { index: is, .. }) =
                        Response::decode(Asked::Bridge, payload)
                {
                    index = Some(is);
                }
            }
        }
        net.run(1, |_, _, _| false);
    }
    let index = index.expect("Bob is here");
    let junk = vec![4; 1_190];
    let (through, answers) = passed(&mut net, MALLORY, index, &junk, 1_000);
    let bytes: usize = through.iter().map(Vec::len).sum();
    assert!((16_384..=65_536 + 32_768 + 2_400).contains(&bytes), "{bytes}");
    assert_eq!(answers, 0, "Bob does not say a word to it");
    let told = through.iter().filter_map(|bytes| relayed(bytes).ok());
    assert!(told.clone().all(|(theirs, inner)| theirs != index && inner == junk));
    let theirs = told.map(|(theirs, _)| theirs).next().expect("something passed");

    // Bob's end is none of hers, and hers is nobody else's.
    for (from, index) in [(MALLORY, theirs), (MALLORY, index + 1), (NODESET, index), (BOB, index)] {
        let (through, answers) = passed(&mut net, from, index, &junk, 10);
        assert!(through.is_empty() && answers == 0, "{from} {index}");
    }
    for inner in [&[][..], &[0; 60], &[5, 0, 0, 0, 0, 0, 0, 0, 1, 4], &[6; 40], &[4; 1_192]] {
        let (through, answers) = passed(&mut net, MALLORY, index, inner, 10);
        assert!(through.is_empty() && answers == 0, "{:?}", inner.first());
    }
    // Nobody uses it for a minute: it is gone.
    assert!(!passed(&mut net, MALLORY, index, &junk, 10).0.is_empty());
    let mut waits = || {
        mallory.live(&mut net, 0, 70_000, |request| Some(request.done()));
        passed(&mut net, MALLORY, index, &junk, 10).0.len()
    };
    assert_eq!(waits(), 0);
}

/// Who is no member has nothing passed on, whoever they say they are, and draws no answer.
#[test]
fn nobody_else_has_anything_passed_on() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let mut stranger = Insider::new(1, 77);
    let (mut init, _) = stranger.init((net.identity(0).public(), 1_000));
    init[172] ^= 1;
    for from in [MALLORY, BOB, ALICE, NODESET, "[100::7]:1"] {
        for inner in [&init[..], &[4; 100], &[2; 73], &[3; 37]] {
            for index in [0, 7, u64::MAX] {
                let (through, answers) = passed(&mut net, from, index, inner, 10);
                assert!(through.is_empty() && answers == 0, "{from}");
            }
        }
        net.forge(0, from, &[4; 100]);
    }
    assert!(net.peers.iter().all(|(_, peer, _)| peer.presence().count() == 1));
}

/// She says that she is where no computer is: nothing goes there, and through nobody.
#[test]
fn an_address_of_no_computer_is_nobodys() {
    let mut net = Net::with(&[("alice", ALICE), ("bob", BOB)]);
    let nowhere = ["[100::7]:1", "[100::]:1", "[100::1:2:3:4]:9"].map(addr);
    let mallory = Insider::new(1, 77);
    for seen in nowhere {
        let listed = listed(&mallory, "mallory", &seen.to_string(), nowhere.to_vec());
        let seq = net.asked + 1;
        net.asked = seq;
        let bytes = of_nodeset(500, 9, |out| {
            let members = vec![listed.clone()];
            put_request(out, seq, &Request::AddMember { reached: u64::MAX, members });
        });
        net.forge(0, NODESET, &bytes);
        let mut went = 0;
        net.run(30, |_, to, bytes| {
            went += usize::from(nowhere.contains(&to) || relayed(bytes).is_ok());
            false
        });
        assert_eq!(went, 0, "{seen}");
    }
}

/// In a room of 25 she says of everybody that they are gone, again and again. Whoever was quiet for a minute is
/// asked, and who answers stays; as often as with any word of hers, once in 100 ms and 64 times at once. Who is gone indeed
/// is so for Alice within seconds, and she would have asked them in minutes.
#[test]
fn who_is_said_to_be_gone_has_a_moment_to_answer() {
    let (mut net, mut mallory) = room_of_26();
    mallory.live(&mut net, 0, 70_000, |_| Some(Response::Ok));
    let quiet = |one: &Presence| one.silent > Duration::from_secs(60);
    let far: Vec<PeerId> = net.peers[0].1.presence().filter(quiet).map(|one| one.who.id).collect();
    let place = |id| net.peers.iter().find(|(_, peer, _)| peer.me().id == id).map(|one| one.0);
    let places: Vec<SocketAddr> = far.iter().filter_map(|&id| place(id)).collect();
    let (&dead, living) = places.split_first().expect("somebody is asked rarely");
    assert!(!living.is_empty(), "so are others, who answer");
    let (asked, living) = (Rc::new(Cell::new(0)), living.to_vec());
    let counts = Rc::clone(&asked);
    net.router = Some(Box::new(move |_, carried| {
        let to_living = carried.0 == addr(ALICE) && living.contains(&carried.1);
        counts.set(counts.get() + usize::from(to_living));
        let passes = ![carried.0, carried.1].contains(&dead);
        if passes { vec![carried] } else { Vec::new() }
    }));
    for _ in 0..90 {
        for n in 1..net.peers.len() {
            let who = net.peers[n].1.me().id;
            mallory.say(&mut net, 0, &Request::Lost { who, loss: Loss::Gone });
        }
        mallory.live(&mut net, 0, 100, |_| Some(Response::Ok));
    }
    let left: Vec<_> = net.peers[0].2.iter().filter(|event| event.contains("Left {")).collect();
    assert!(left.len() == 1 && left[0].contains(&format!("{:?}", far[0])), "{left:?}");
    let least = far.len() - 1;
    assert!((least..=64 + 90).contains(&asked.get()), "{} asked, {least} quiet", asked.get());
}

/// What she says follows the last of what Bob may ever say, and what she signs is the last of hers: nobody counts beyond
/// that, and nobody is asked for more than a few things.
#[test]
fn who_counts_to_the_last_number_ends_nobody() {
    let (mut net, mut mallory) = room_of_three();
    let bob = net.peers[1].1.me().id;
    let (mut position, mut asked) = (0, 0);
    for last in [u32::MAX, u32::MAX - 1] {
        for (seq, follows) in [(1, last), (last, 1), (last, last)] {
            let (deps, past, signature) = (Deps::new([(bob, follows)]), [0; 16], [0; 64]);
            let seal = Some(Seal { seq, clock: 1, deps, past, signature });
            let (flags, text) = (Flags::default(), "the last");
            let (stream, behind, number) = (9, u8::MAX, position);
            let say = Request::Say { stream, position, behind, number, flags, seal, text };
            mallory.say(&mut net, 0, &say);
            mallory.live(&mut net, 0, 3_000, |request| {
                asked += usize::from(matches!(request, Request::Want { .. }));
                Some(request.done())
            });
            position += u64::from(last < u32::MAX);
        }
    }
    assert!((1..=6).contains(&asked), "{asked}");
    assert_eq!(net.count(0, "the last"), 0, "she signed nothing of it");
}

/// She sees others than Alice, who asks her whom, and says that nobody is here and that all are gone. Whoever was not
/// heard lately is asked, and nobody is believed; and nobody is asked for as often as she says so.
#[test]
fn who_says_that_nobody_is_here_removes_nobody() {
    let (mut net, mut mallory) = room_of_26();
    let said = Rc::new(Cell::new(0));
    let counts = Rc::clone(&said);
    net.router = Some(Box::new(move |_, carried| {
        counts.set(counts.get() + usize::from(carried.0 == addr(ALICE)));
        vec![carried]
    }));
    let (mut asked, mut sent) = ([0; 2], [0; 2]);
    for lies in [false, true] {
        let before = said.get();
        for _ in 0..60 {
            if lies {
                let ping = Request::Ping { until: 0, digest: 0, present: 5 };
                mallory.say(&mut net, 0, &ping);
            }
            let mut gone = Vec::new();
            mallory.live(&mut net, 0, 1_000, |request| {
                asked[usize::from(lies)] += usize::from(matches!(request, Request::Present { .. }));
                match *request {
                    Request::Ping { .. } => {
                        return Some(Response::Here { differs: false, others: lies, next: 0 });
                    }
                    Request::Present { .. } if lies => {
                        return Some(Response::Present { more: false, ids: Vec::new() });
                    }
                    Request::Lost { who, .. } => gone.push(who),
                    _ => {}
                }
                Some(request.done())
            });
            for who in gone.into_iter().filter(|_| lies) {
                mallory.say(&mut net, 0, &Request::Lost { who, loss: Loss::Gone });
            }
        }
        sent[usize::from(lies)] = said.get() - before;
    }
    let left: Vec<_> = net.peers[0].2.iter().filter(|event| event.contains("Left {")).collect();
    assert!(left.is_empty() && net.peers[0].1.presence().count() >= 24, "{left:?}");
    // The others do not see her, so they are asked as well, at one pace with her.
    assert!(asked[0] == 0 && (3..=2 + 6).contains(&asked[1]), "{asked:?}");
    // A question, an answer and the end of it for each of eight, and what she is told herself.
    assert!(sent[1] > sent[0] && sent[1] <= sent[0] + 8 * (2 * 8 + 3) + 2 * 60, "{sent:?}");
}

/// She says that Bob does not answer, again and again. Whoever is in touch with him asks him, once in four round
/// trips at most, so with far fewer datagrams than she sends; what she says of strangers and of who listens is answered, and nothing else.
#[test]
fn who_is_said_to_be_lost_is_asked() {
    let (mut net, mut mallory) = room_of_three();
    let bob = net.peers[1].1.me().id;
    let ours = [net.peers[0].1.me().id, mallory.insider.id(), PeerId(7)];
    let mut to_bob = 0;
    for n in 0..200_u64 {
        for who in [bob, ours[n as usize % 3]] {
            mallory.say(
                &mut net,
                0,
                &Request::Lost { who, loss: [Loss::Agreed, Loss::Asked][n as usize % 2] },
            );
        }
        net.now += 50_000;
        net.run(0, |_, to, _| {
            to_bob += usize::from(to == addr(BOB));
            false
        });
    }
    let shown = &net.peers[0].2;
    assert!(!shown.iter().any(|event| event.contains("Lost {")), "{shown:?}");
    assert!((1..=30).contains(&to_bob), "{to_bob} datagrams to Bob in 10 s");
    assert_eq!(net.peers[0].1.presence().filter(|one| one.lost).count(), 0);
}

/// She says that Bob, whom Alice does not hear any more, is where a third is: that one gets as little as from any
/// other liar. While Alice hears Bob, and of who is not here, nothing follows from it.
#[test]
fn who_introduces_aims_little_at_a_victim() {
    let (mut net, mut mallory) = room_of_three();
    let bob = net.peers[1].1.me().id;
    let victim = addr("10.0.5.5:1");
    let (drawn, deaf) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let (counted, cut) = (drawn.clone(), deaf.clone());
    net.router = Some(Box::new(move |_, carried| {
        let (from, to, _) = &carried;
        counted.set(counted.get() + usize::from(to.ip() == victim.ip()));
        let lost = cut.get() && [from, to].contains(&&addr(BOB));
        if lost { Vec::new() } else { vec![carried] }
    }));
    let mut introduces = |net: &mut Net, who: PeerId| {
        drawn.set(0);
        for n in 0..600 {
            let at = SocketAddr::new(victim.ip(), 1 + n % 3);
            mallory.say(net, 0, &Request::Introduce { who, at, near: n % 2 == 0 });
            mallory.live(net, 0, 50, |request| Some(request.done()));
        }
        drawn.get()
    };
    for who in [net.peers[0].1.me().id, PeerId(7), bob] {
        assert_eq!(introduces(&mut net, who), 0);
    }
    deaf.set(true);
    // Half a minute in which she is silent about him, and Alice finds that he does not answer.
    assert_eq!(introduces(&mut net, PeerId(7)), 0);
    let count = introduces(&mut net, bob);
    assert!((3..=31).contains(&count), "{count} datagrams in half a minute");
}
