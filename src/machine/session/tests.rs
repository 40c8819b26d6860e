//! Two processes and what may be done to the datagrams between them. Real cryptography.

use super::handshake::{COOKIE, INIT, RESP, SPACING};
use super::*;
use crate::machine::contract::Action;
use crate::machine::name::Name;
use crate::machine::who::beacon::Beacon;
use crate::machine::who::identity::Identity;
use crate::machine::who::noise::Noise;
use crate::machine::who::room::Room;

struct End {
    sessions: Sessions,
    out: Outbox,
    blame: Blame,
    beacon: Beacon,
    addr: SocketAddr,
}

fn at(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 7))
}

const fn secs(s: u64) -> Time {
    Time::from_micros(s * 1_000_000)
}

fn end_in(room: &str, luck: u8) -> End {
    let (identity, incarnation) = (Identity::new(&[luck; 32]), 100 + u64::from(luck));
    let key = identity.public();
    let id = key.process(incarnation);
    let name = Name::parse("somebody").unwrap();
    let handle = crate::machine::Handle::of(1);
    let beacon = Beacon {
        id,
        key,
        handle,
        incarnation,
        n: 0,
        left: false,
        once: false,
        name,
        addrs: Vec::new(),
    };
    let sessions = Sessions::new(SessionsConfig {
        keys: Arc::new(Keys {
            suite: &Noise,
            identity,
            room: Room::new(Name::parse(room).unwrap(), None),
        }),
        incarnation,
        seed: Seed([luck; 32]),
        linked_max: 8,
    });
    let (out, blame) = (Outbox::default(), Blame::default());
    End { sessions, out, blame, beacon, addr: at(luck) }
}

/// Two ends, the one with the smaller id first.
fn ends() -> (End, End) {
    let (a, b) = (end_in("ops", 1), end_in("ops", 2));
    if a.beacon.id < b.beacon.id { (a, b) } else { (b, a) }
}

impl End {
    fn link(&mut self, other: &Self) -> RemoteKey {
        self.sessions
            .find(other.beacon.id)
            .unwrap_or_else(|| self.sessions.link(Time::ZERO, &other.beacon).expect("a good key"))
    }

    fn sent(&mut self) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        while let Some(Action::Send { bytes, .. }) = self.out.poll() {
            sent.push(bytes.to_vec());
        }
        self.sessions.check();
        sent
    }

    /// A first message, if one may go now.
    fn init(&mut self, now: Time, other: &Self) -> Option<Vec<u8>> {
        let key = self.link(other);
        self.sessions.tick(now);
        self.sessions.initiate(now, key, (other.addr, false), &mut self.out);
        self.sent().pop()
    }

    /// Takes a datagram; returns what came of it, what was opened, and what is sent back.
    fn hear(
        &mut self,
        now: Time,
        from: SocketAddr,
        bytes: &[u8],
    ) -> (Received, Vec<u8>, Vec<Vec<u8>>) {
        let mut text = Vec::new();
        self.sessions.tick(now);
        let Self { sessions, out, blame, .. } = self;
        let received = sessions.receive(now, (from, None), bytes, &mut text, blame, out);
        (received, text, self.sent())
    }

    fn say(&mut self, now: Time, other: &Self, text: &[u8]) -> Vec<u8> {
        let key = self.link(other);
        assert!(self.sessions.is_ready(now, key));
        let to = other.addr;
        self.sessions.seal(key, to, &mut self.out, |bytes| bytes.extend_from_slice(text));
        self.sent().pop().expect("a datagram")
    }

    /// Whether the other hears what is said.
    fn reaches(&mut self, now: Time, other: &mut Self) -> bool {
        let said = self.say(now, other, b"sixteen letters!");
        let (received, text, _) = other.hear(now, self.addr, &said);
        matches!(received, Received::Data { .. }) && text == b"sixteen letters!"
    }

    fn ready(&mut self, now: Time, other: &Self) -> bool {
        let key = self.link(other);
        self.sessions.is_ready(now, key)
    }
}

/// Shakes hands, begun by the first, who then says something.
fn shake(now: Time, a: &mut End, b: &mut End) {
    let init = a.init(now, b).expect("a first message");
    let (_, _, resp) = b.hear(now, a.addr, &init);
    a.hear(now, b.addr, &resp[0]);
    assert!(a.reaches(now, b));
}

#[test]
fn two_messages_and_a_datagram_make_a_session() {
    let (mut a, mut b) = ends();
    let init = a.init(Time::ZERO, &b).unwrap();
    let (greeted, _, resp) = b.hear(Time::ZERO, a.addr, &init);
    assert_eq!((greeted, init.len(), resp[0].len()), (Received::Begun(a.beacon.id), INIT, RESP));
    assert!(!b.ready(Time::ZERO, &a), "the answer may have been lost");
    let (up, ..) = a.hear(Time::ZERO, b.addr, &resp[0]);
    assert!(matches!(up, Received::Up(_, id) if id == b.beacon.id));
    assert!(a.reaches(Time::ZERO, &mut b) && b.reaches(Time::ZERO, &mut a));
    let footprint = a.sessions.footprint();
    assert_eq!(footprint.map(|table| table.len), [1, 1, 0, 0, 0]);
}

#[test]
fn who_has_another_secret_gets_nothing_back() {
    let (mut a, mut stranger) = (end_in("ops", 1), end_in("other", 2));
    let init = stranger.init(Time::ZERO, &a).unwrap();
    let (received, _, back) = a.hear(Time::ZERO, stranger.addr, &init);
    assert_eq!((received, back.len(), a.blame.unauthenticated), (Received::Nothing, 0, 1));
    assert!(a.sessions.footprint().iter().all(|table| table.len == 0));
}

/// Every bit of every message, flipped, and every length, cut: nothing comes of it, and the genuine
/// message that follows is taken.
#[test]
fn what_is_spoilt_changes_nothing() {
    let (mut a, mut b) = ends();
    let spoil = |bytes: &[u8], end: &mut End, from: SocketAddr| {
        let before = (crate::machine::digest::digest(&end.sessions), end.sessions.footprint());
        for place in 0..bytes.len() {
            let mut spoilt = bytes.to_vec();
            spoilt[place] ^= 1 << (place % 8);
            let (received, text, back) = end.hear(Time::ZERO, from, &spoilt);
            assert_eq!(received, Received::Nothing, "kind {}, byte {place}", bytes[0]);
            assert!(text.is_empty() && back.is_empty());
            let (received, _, back) = end.hear(Time::ZERO, from, &bytes[..place]);
            assert!(received == Received::Nothing && back.is_empty(), "cut at {place}");
        }
        assert_eq!(
            (crate::machine::digest::digest(&end.sessions), end.sessions.footprint()),
            before
        );
    };
    let init = a.init(Time::ZERO, &b).unwrap();
    // The second hash of a first message is only looked at under load.
    for place in 0..INIT - MAC {
        let mut spoilt = init.clone();
        spoilt[place] ^= 1 << (place % 8);
        let (received, _, back) = b.hear(Time::ZERO, a.addr, &spoilt);
        assert!(received == Received::Nothing && back.is_empty(), "init, byte {place}");
    }
    assert!(b.sessions.footprint().iter().all(|table| table.len == 0));
    let (_, _, resp) = b.hear(Time::ZERO, a.addr, &init);
    spoil(&resp[0], &mut a, b.addr);
    let (up, ..) = a.hear(Time::ZERO, b.addr, &resp[0]);
    assert!(matches!(up, Received::Up(..)), "the genuine answer is taken after all");
    let said = a.say(Time::ZERO, &b, b"sixteen letters!");
    spoil(&said, &mut b, a.addr);
    assert!(matches!(b.hear(Time::ZERO, a.addr, &said).0, Received::Data { .. }));
}

/// A member forges the answer of another: only its mac is right.
#[test]
fn a_forged_answer_does_not_end_a_handshake() {
    let (mut a, mut b) = ends();
    let init = a.init(Time::ZERO, &b).unwrap();
    let (_, _, resp) = b.hear(Time::ZERO, a.addr, &init);
    for place in 9..RESP - MAC {
        let mut forged = resp[0].clone();
        forged[place] ^= 4;
        let end =
            crate::machine::keyed::mac(b.sessions.keys.room.mac_key(), &[&forged[..RESP - MAC]]);
        forged[RESP - MAC..].copy_from_slice(&end);
        assert_eq!(a.hear(Time::ZERO, b.addr, &forged).0, Received::Nothing);
    }
    a.hear(Time::ZERO, b.addr, &resp[0]);
    assert!(a.reaches(Time::ZERO, &mut b));
}

#[test]
fn what_is_repeated_or_sent_back_is_refused() {
    let (mut a, mut b) = ends();
    let init = a.init(Time::ZERO, &b).unwrap();
    assert_eq!(a.hear(Time::ZERO, b.addr, &init).0, Received::Nothing, "reflected");
    let (_, _, resp) = b.hear(Time::ZERO, a.addr, &init);
    assert_eq!(b.hear(Time::ZERO, a.addr, &resp[0]).0, Received::Nothing, "reflected");
    a.hear(Time::ZERO, b.addr, &resp[0]);
    assert_eq!(a.hear(Time::ZERO, b.addr, &resp[0]).0, Received::Nothing, "repeated");
    let said = a.say(Time::ZERO, &b, b"sixteen letters!");
    assert!(matches!(b.hear(Time::ZERO, a.addr, &said).0, Received::Data { .. }));
    let replayed = b.blame.replayed;
    for from in [a.addr, at(66)] {
        assert_eq!(b.hear(Time::ZERO, from, &said).0, Received::Nothing);
    }
    assert_eq!(b.blame.replayed, replayed + 2);
    assert_eq!(a.hear(Time::ZERO, b.addr, &said).0, Received::Nothing, "reflected");
    let (received, _, back) = b.hear(Time::ZERO, a.addr, &init);
    assert!(received == Received::Nothing && back.is_empty(), "its session is in use");
}

#[test]
fn a_first_message_is_answered_again_only_where_it_was() {
    let (mut a, mut b) = ends();
    let init = a.init(Time::ZERO, &b).unwrap();
    let (_, _, resp) = b.hear(Time::ZERO, a.addr, &init);
    let (received, _, again) = b.hear(Time::ZERO, a.addr, &init);
    assert_eq!((received, &again), (Received::Nothing, &resp), "the same bytes, no new session");
    let (_, _, elsewhere) = b.hear(Time::ZERO, at(66), &init);
    assert!(elsewhere.is_empty());
    a.hear(Time::ZERO, b.addr, &again[0]);
    assert!(a.reaches(Time::ZERO, &mut b));
}

#[test]
fn a_first_message_over_two_ways_is_answered_on_both_and_proves_neither() {
    let (mut a, mut b) = ends();
    let init = a.init(Time::ZERO, &b).unwrap();
    let (_, _, resp) = b.hear(Time::ZERO, a.addr, &init);
    assert_eq!(b.hear(Time::ZERO, at(9), &init).2.len(), 0, "nobody is dealt with there");
    let (mut own, mut text) = (Pace::default(), Vec::new());
    let End { sessions, out, blame, .. } = &mut b;
    sessions.receive(Time::ZERO, (at(9), Some(&mut own)), &init, &mut text, blame, out);
    assert_eq!(b.sent(), resp, "what answered the first copy may be lost");
    a.hear(Time::ZERO, b.addr, &resp[0]);
    let datagram = a.say(Time::ZERO, &b, b"\x00\x00\x00\x00hello");
    let (received, ..) = b.hear(Time::ZERO, a.addr, &datagram);
    assert!(matches!(received, Received::Data { up: true, at: None, .. }), "{received:?}");
}

#[test]
fn an_older_first_message_is_a_replay() {
    let (mut a, mut b) = ends();
    let old = a.init(Time::ZERO, &b).unwrap();
    let new = a.init(secs(6), &b).unwrap();
    assert_ne!(old, new);
    assert_eq!(b.hear(secs(6), a.addr, &new).2.len(), 1);
    let (received, _, back) = b.hear(secs(6), a.addr, &old);
    assert!(received == Received::Nothing && back.is_empty());
    assert_eq!(b.blame.replayed, 1);
}

#[test]
fn what_is_meant_for_a_predecessor_is_refused() {
    let (mut a, b) = ends();
    let mut successor = End { beacon: b.beacon.clone(), ..end_in("ops", 2) };
    successor.sessions.keys = b.sessions.keys.clone();
    successor.sessions.incarnation = b.beacon.incarnation + 1;
    let room = successor.sessions.keys.room.clone();
    successor.sessions.mac1_key =
        Zeroizing::new(mac1_key(&room, b.beacon.key, successor.sessions.incarnation));
    let init = a.init(Time::ZERO, &b).unwrap();
    let (received, _, back) = successor.hear(Time::ZERO, a.addr, &init);
    assert!(received == Received::Nothing && back.is_empty());
    assert_eq!(successor.blame.unauthenticated, 1);
}

#[test]
fn when_both_begin_the_smaller_id_goes_on() {
    let (mut small, mut great) = ends();
    let ours = small.init(Time::ZERO, &great).unwrap();
    let theirs = great.init(Time::ZERO, &small).unwrap();
    // The other's first message says where it is: ours is sent there, too.
    let elsewhere = at(77);
    let (_, _, punched) = small.hear(Time::ZERO, elsewhere, &theirs);
    assert_eq!(punched, std::slice::from_ref(&ours));
    let (_, _, resp) = great.hear(Time::ZERO, small.addr, &ours);
    assert_eq!(resp.len(), 1);
    small.hear(Time::ZERO, great.addr, &resp[0]);
    assert!(small.reaches(Time::ZERO, &mut great) && great.reaches(Time::ZERO, &mut small));
    assert_eq!(small.sessions.footprint()[1].len, 1, "one session came of it");
}

#[test]
fn when_both_begin_and_one_is_lost_the_other_is_answered() {
    let (mut small, mut great) = ends();
    for n in 0..10 {
        assert_eq!(small.init(secs(0) + SPACING * n, &great).is_some(), n < 5, "all are lost");
    }
    let now = secs(2);
    let theirs = great.init(now, &small).unwrap();
    let (_, _, resp) = small.hear(now, great.addr, &theirs);
    great.hear(now, small.addr, &resp[0]);
    assert!(great.reaches(now, &mut small), "none of its own goes out any more");

    let (mut small, mut great) = ends();
    let (ours, theirs) = (small.init(secs(0), &great), great.init(secs(0), &small).unwrap());
    assert!(ours.is_some());
    let (_, _, sent) = small.hear(secs(0), great.addr, &theirs);
    assert_eq!(sent.len(), 0, "its own is on its way");
    let again = great.init(secs(1), &small).unwrap();
    assert_eq!(again, theirs);
    let (_, _, resp) = small.hear(secs(1), great.addr, &again);
    great.hear(secs(1), small.addr, &resp[0]);
    assert!(great.reaches(secs(1), &mut small) && small.reaches(secs(1), &mut great));
}

#[test]
fn the_next_session_takes_over_without_a_gap() {
    let (mut a, mut b) = ends();
    shake(Time::ZERO, &mut a, &mut b);
    let key = a.link(&b);
    assert!(!a.sessions.is_ageing(Time::ZERO, key));
    assert!(b.reaches(secs(119), &mut a));
    assert!(a.sessions.is_ageing(secs(121), key), "who began it renews it");
    let init = a.init(secs(121), &b).unwrap();
    let late = b.say(secs(121), &a, b"under the old one");
    let (_, _, resp) = b.hear(secs(121), a.addr, &init);
    assert!(b.reaches(secs(121), &mut a), "the old session goes on until the new one is used");
    a.hear(secs(121), b.addr, &resp[0]);
    assert!(a.reaches(secs(121), &mut b) && b.reaches(secs(121), &mut a));
    assert!(matches!(a.hear(secs(122), b.addr, &late).0, Received::Data { .. }));
    assert!(a.reaches(secs(290), &mut b), "the new one is not as old");
}

#[test]
fn no_session_is_used_at_three_minutes() {
    let (mut a, mut b) = ends();
    shake(Time::ZERO, &mut a, &mut b);
    let said = a.say(secs(179), &b, b"sixteen letters!");
    let (received, ..) = b.hear(secs(180), a.addr, &said);
    assert_eq!(received, Received::Nothing);
    assert!(!a.ready(secs(180), &b) && !b.ready(secs(180), &a));
    a.sessions.tick(secs(180));
    assert_eq!(a.sessions.footprint()[1].len, 0, "its keys are gone");
}

#[test]
fn silence_begins_another_session() {
    let (mut a, mut b) = ends();
    shake(Time::ZERO, &mut a, &mut b);
    assert!(b.reaches(Time::ZERO, &mut a));
    let key = a.link(&b);
    a.say(secs(1), &b, b"sixteen letters!");
    assert!(!a.sessions.is_ageing(secs(60), key), "nobody has to answer that");
    a.sessions.asks(secs(1), key);
    assert!(!a.sessions.is_ageing(secs(5), key) && a.sessions.is_ageing(secs(6), key));
    assert!(b.reaches(secs(6), &mut a));
    assert!(!a.sessions.is_ageing(secs(6), key));
}

#[test]
fn first_messages_are_spaced_and_few() {
    let (mut a, b) = ends();
    let sent = |a: &mut End, from: u64, until: u64| -> usize {
        (from..until).map(|ms| a.init(Time::from_micros(ms * 1000), &b).iter().len()).sum()
    };
    assert_eq!(sent(&mut a, 0, 5_000), 5, "five to one address");
    assert_eq!(sent(&mut a, 5_000, 10_000), 2, "two when nobody answers there");
    let far = at(99);
    let key = a.link(&b);
    let mut to = |ms: u64| {
        let sent = a.sessions.initiate(Time::from_micros(ms * 1000), key, (far, false), &mut a.out);
        a.sent();
        sent > 0
    };
    assert_eq!(
        [to(10_000), to(10_199), to(10_200)],
        [true, false, true],
        "spaced at every address"
    );
}

#[test]
fn under_load_an_address_has_to_be_shown() {
    let mut busy = end_in("ops", 1);
    let (mut cookies, mut answers) = (0, 0);
    let crowd: Vec<End> = (2..200).map(|luck| end_in("ops", luck)).collect();
    for mut other in crowd {
        let init = other.init(Time::ZERO, &busy).unwrap();
        let (_, _, back) = busy.hear(Time::ZERO, other.addr, &init);
        assert!(back[0].len() <= init.len());
        match back[0].len() {
            RESP => answers += 1,
            COOKIE => {
                cookies += 1;
                let mut forged = back[0].clone();
                forged[9] ^= 1;
                assert!(other.hear(Time::ZERO, busy.addr, &forged).2.is_empty());
                let diverted = other.hear(Time::ZERO, at(222), &back[0]);
                assert!(diverted.2.is_empty(), "nothing was sent there");
                let (_, _, again) = other.hear(Time::ZERO, busy.addr, &back[0]);
                assert_eq!(again[0][..INIT - MAC], init[..INIT - MAC], "with a second hash");
                assert_ne!(again[0], init);
                let (_, _, spoofed) = busy.hear(Time::ZERO, at(222), &again[0]);
                assert_ne!(spoofed[0].len(), RESP, "a cookie is of one address");
                let (_, _, back) = busy.hear(Time::ZERO, other.addr, &again[0]);
                assert_eq!(back[0].len(), RESP);
            }
            other => panic!("{other} bytes"),
        }
    }
    assert_eq!(answers, 128, "half of the burst needs no cookie");
    assert_eq!(cookies, 70);
    assert!(!busy.load_is_high(secs(60)), "and it passes");
}

impl End {
    fn load_is_high(&mut self, now: Time) -> bool {
        let mut other = end_in("ops", 250);
        let init = other.init(now, self).unwrap();
        self.hear(now, other.addr, &init).2[0].len() == COOKIE
    }
}

/// So many invented persons shake hands, each from its own address or all from one.
fn crowd(from: impl Fn(u16) -> SocketAddr) -> End {
    let mut a = end_in("ops", 1);
    for n in 0..UNLINKED_MAX as u16 + 20 {
        let now = Time::from_micros(u64::from(n) * 40_000);
        let mut other = end_in("ops", 2);
        other.sessions.incarnation = 5000 + u64::from(n);
        let init = other.init(now, &a).unwrap();
        assert_eq!(a.hear(now, from(n), &init).2.len(), 1, "the newest one is answered");
        a.sessions.check();
    }
    a
}

#[test]
fn those_who_shake_hands_and_say_nothing_are_few_and_forgotten() {
    let mut a = crowd(|n| SocketAddr::from(([10, 1, n as u8, (n >> 8) as u8], 7)));
    assert_eq!(a.sessions.footprint()[0].len, UNLINKED_MAX);
    assert_eq!(crowd(|n| SocketAddr::from(([10, 1, 0, 1], n))).sessions.footprint()[0].len, 64);
    a.sessions.tick(secs(400));
    a.sessions.check();
    let tables = a.sessions.footprint();
    let full = tables.iter().find(|table| table.len > 0 && table.name != "spent handshakes");
    assert!(full.is_none(), "{full:?}");
}

/// What is meant for one process of the room is worth a hash to another, and nothing is moved by what
/// only looks like a first message.
#[test]
fn a_first_message_is_for_one_process() {
    let (mut a, mut b) = ends();
    let mut c = end_in("ops", 3);
    let init = a.init(Time::ZERO, &b).unwrap();
    let before = (c.sessions.seed.0, format!("{:?}", c.sessions.load));
    for _ in 0..1_000 {
        assert_eq!(c.hear(Time::ZERO, a.addr, &init).2.len(), 0);
    }
    assert_eq!(c.blame.unauthenticated, 1_000);
    assert_eq!((c.sessions.seed.0, format!("{:?}", c.sessions.load)), before);
    // A good hash over a bad body is looked at once.
    let mut forged = init.clone();
    forged[60] ^= 1;
    let end = crate::machine::keyed::mac(&*b.sessions.mac1_key, &[&forged[..INIT - 2 * MAC]]);
    forged[INIT - 2 * MAC..INIT - MAC].copy_from_slice(&end);
    let before = b.sessions.seed.0;
    for _ in 0..100 {
        assert_eq!(b.hear(Time::ZERO, a.addr, &forged).2.len(), 0);
    }
    assert_eq!((b.blame.unauthenticated, b.blame.replayed, b.sessions.seed.0), (1, 99, before));
    assert!(
        b.sessions.footprint().iter().all(|table| table.name.contains("spent") || table.len < 2)
    );
    shake(secs(6), &mut a, &mut b);
}

#[test]
fn a_weak_key_is_never_shaken_hands_with() {
    let mut a = end_in("ops", 1);
    let mut beacon = a.beacon.clone();
    beacon.key = PublicKey([0; 32]);
    beacon.id = beacon.key.process(7);
    assert!(a.sessions.link(Time::ZERO, &beacon).is_none());
    assert!(a.sessions.footprint().iter().all(|table| table.len == 0));
}

#[test]
fn nothing_secret_is_shown() {
    let (mut a, mut b) = ends();
    shake(Time::ZERO, &mut a, &mut b);
    a.say(Time::ZERO, &b, b"sixteen letters!");
    let shown = format!("{:?}", a.sessions).replace('\n', "");
    let text = format!("{:?}", *b"sixteen letters!");
    for hidden in [&text[1..text.len() - 1], "entropy", "[1, 1, 1", "psk: ["] {
        assert!(!shown.contains(hidden), "{hidden}");
    }
}

/// One direction is cut while both begin handshakes again and again. Whoever answers never learns that
/// its answers arrive, so it goes on with the session of before: the other side must still have it.
#[test]
fn a_session_outlives_answers_that_nobody_could_confirm() {
    let (mut a, mut b) = ends();
    shake(Time::ZERO, &mut a, &mut b);
    assert!(b.reaches(Time::ZERO, &mut a));
    // B's answer to A is lost; then A answers B, and what B says under the new session is lost.
    let lost = a.init(secs(10), &b).unwrap();
    b.hear(secs(10), a.addr, &lost);
    let init = b.init(secs(20), &a).unwrap();
    let (_, _, resp) = a.hear(secs(20), b.addr, &init);
    b.hear(secs(20), a.addr, &resp[0]);
    assert!(a.reaches(secs(21), &mut b), "under the first session");
    assert!(b.reaches(secs(22), &mut a) && a.reaches(secs(23), &mut b));
}

/// Who began a session uses it at once; the one who answered must not let go of it when another first
/// message comes before the first datagram, as long as it may be the one in use.
#[test]
fn a_session_outlives_a_first_message_that_comes_before_its_first_datagram() {
    let (mut a, mut b) = ends();
    shake(secs(0), &mut a, &mut b);
    let init = a.init(secs(10), &b).unwrap();
    let (_, _, resp) = b.hear(secs(10), a.addr, &init);
    a.hear(secs(10), b.addr, &resp[0]);
    let lost = a.say(secs(10), &b, b"nobody hears this");
    let another = a.init(secs(16), &b).unwrap();
    let (_, _, unheard) = b.hear(secs(16), a.addr, &another);
    assert_eq!(unheard.len(), 1, "it is answered, and the answer is lost");
    assert!(a.reaches(secs(17), &mut b) && b.reaches(secs(17), &mut a));
    let (received, ..) = b.hear(secs(18), a.addr, &lost);
    assert!(matches!(received, Received::Data { newest: false, .. }), "it was only late");
}

/// What is said under the newest session is lost twice, and the other side still says things under the
/// one before them: it is kept for as long as it is the one in use.
#[test]
fn the_session_that_is_in_use_outlives_those_that_are_not() {
    let (mut a, mut b) = ends();
    shake(secs(0), &mut a, &mut b);
    for at in [10, 20, 30] {
        assert!(b.reaches(secs(at), &mut a));
        let init = a.init(secs(at), &b).unwrap();
        let (_, _, resp) = b.hear(secs(at), a.addr, &init);
        a.hear(secs(at), b.addr, &resp[0]);
        assert!(b.reaches(secs(at + 1), &mut a), "under the first session, after {at} s");
    }
    assert!(a.reaches(secs(40), &mut b) && b.reaches(secs(40), &mut a));
}

/// The clock and all that was kept are set back, to the very millisecond: only the entropy is new.
#[test]
fn who_comes_back_with_what_was_kept_before_uses_no_key_twice() {
    let (mut a, mut b) = ends();
    let mut seen = std::collections::BTreeSet::new();
    for entropy in [7, 8] {
        a.sessions = Sessions::new(SessionsConfig {
            keys: a.sessions.keys.clone(),
            incarnation: a.beacon.incarnation,
            seed: Seed([entropy; 32]),
            linked_max: 8,
        });
        // Their first messages are numbered as before, so nobody answers them: others begin.
        let init = a.init(Time::ZERO, &b).unwrap();
        assert_eq!(b.hear(Time::ZERO, a.addr, &init).2.is_empty(), entropy == 8);
        let init_back = b.init(secs(6), &a).unwrap();
        let (_, _, resp) = a.hear(secs(6), b.addr, &init_back);
        b.hear(secs(6), a.addr, &resp[0]);
        assert!(b.reaches(secs(6), &mut a));
        // The same counter, the same text: if a key came again, so would these bytes.
        let said = a.say(secs(6), &b, b"sixteen letters!");
        assert_eq!(&said[5..13], [0; 8], "its first counter");
        assert!(seen.insert(said[13..].to_vec()) && seen.insert(init[5..37].to_vec()));
        assert!(seen.insert(resp[0][9..41].to_vec()));
    }
}
