use super::*;
use crate::machine::contract::Action;
use crate::machine::name::Name;

const fn ms(ms: u64) -> Time {
    Time::from_micros(ms * 1_000)
}

fn room(name: &str) -> Room {
    Room::new(Name::parse(name).unwrap(), None)
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn segment(n: usize) -> Segment {
    let own = IpAddr::from([10, 9, (n >> 8) as u8, n as u8]);
    Segment { own, bits: 16, to: addr("10.9.255.255:7421") }
}

/// One process, and what it sends.
struct One {
    hails: Hails,
    me: PeerId,
    room: Room,
    blame: Blame,
    /// Who is in the room with them.
    others: Option<usize>,
    known: Vec<PeerId>,
}

/// What was sent, and where to.
type Sent = Vec<(SocketAddr, Vec<u8>)>;

fn sent(mut out: Outbox) -> Sent {
    let mut sent = Vec::new();
    while let Some(action) = out.poll() {
        let Action::Send { to, ttl, bytes, .. } = action else { panic!("something else") };
        assert_eq!(ttl, Some(1), "it stays on its wire");
        sent.push((to, bytes.to_vec()));
    }
    sent
}

impl One {
    fn new(n: usize, calls: bool) -> Self {
        let seed = Seed([n as u8; 32]);
        let mut hails = Hails::new(&Seed(seed.bytes("one", n as u64)), calls);
        hails.segments(ms(0), &[segment(n + 1)], 1);
        let (blame, known) = (Blame::default(), Vec::new());
        Self { hails, me: PeerId(n as u64), room: room("ops"), blame, others: None, known }
    }

    /// Somebody who is in the room with so many.
    fn inside(n: usize, others: usize) -> Self {
        let mut one = Self::new(n, true);
        one.hails.enters(ms(0), others == 0);
        one.others = Some(others);
        one
    }

    fn tick(&mut self, now: Time) -> (bool, Sent) {
        let mut out = Outbox::default();
        let hearer = Hearer { room: &self.room, me: self.me, others: self.others };
        let alone = self.hails.tick(now, &hearer, &mut out);
        assert!(self.hails.next_wake().is_none_or(|at| at > now), "the wake is over");
        (alone, sent(out))
    }

    fn tick_to(&mut self, now: Time) -> Vec<SocketAddr> {
        self.tick(now).1.into_iter().map(|(to, _)| to).collect()
    }

    fn take(&mut self, now: Time, from: &str, bytes: &[u8]) -> (Came, Sent) {
        let mut out = Outbox::default();
        let hearer = Hearer { room: &self.room, me: self.me, others: self.others };
        let (known, told) = (&self.known, (&mut out, &mut self.blame));
        let knows = |id| known.contains(&id);
        let came = self.hails.take(now, (addr(from), None), bytes, (hearer, knows), told);
        (came, sent(out))
    }

    /// A hail of theirs.
    fn hail(&mut self, now: Time) -> Vec<u8> {
        let mut out = Outbox::default();
        self.hails.hail(now, 0, &self.room, self.me, &mut out);
        sent(out).pop().expect("a hail").1
    }
}

#[test]
fn who_looks_for_the_room_hails_and_is_then_alone() {
    let mut one = One::new(1, true);
    one.hails.seek(ms(0));
    let (mut at, mut hails) = (Vec::new(), 0);
    let mut now = ms(0);
    let alone = loop {
        let (alone, sent) = one.tick(now);
        at.extend(sent.iter().map(|_| now));
        hails += sent.len();
        if alone {
            break now;
        }
        now = one.hails.next_wake().unwrap();
    };
    assert_eq!((at[0], alone), (ms(0), ms(1_000)));
    assert!((7..=9).contains(&hails), "{at:?}");
    // It is told once, and they go on looking.
    for _ in 0..20 {
        now = one.hails.next_wake().unwrap();
        let (alone, sent) = one.tick(now);
        assert!(!alone && sent.len() == 1);
    }
}

#[test]
fn who_answers_alone_hails_nobody() {
    let mut one = One::new(1, false);
    one.hails.seek(ms(0));
    assert!(!one.hails.is_seeking() && one.hails.next_wake().is_none());
    one.hails.enters(ms(0), true);
    assert!(one.hails.next_wake().is_none() && one.tick(ms(100_000)).1.is_empty());
    one.others = Some(0);
    let hail = One::new(2, true).hail(ms(0));
    assert_eq!(one.take(ms(5), "10.9.0.3:4000", &hail).1.len(), 1);
}

#[test]
fn a_question_is_answered_where_it_came_from_and_by_less_than_it_is() {
    let (mut asks, mut inside) = (One::new(1, true), One::inside(2, 0));
    asks.hails.seek(ms(0));
    let hail = asks.tick(ms(0)).1.pop().unwrap();
    assert_eq!(hail.0, addr("10.9.255.255:7421"));
    let (came, answers) = inside.take(ms(1), "10.9.0.2:4000", &hail.1);
    let [(to, answer)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((came, *to), (Came::Nothing, addr("10.9.0.2:4000")));
    assert!(answer.len() < hail.1.len());
    let door = addr("10.9.0.3:4001");
    assert_eq!(asks.take(ms(2), "10.9.0.3:4001", answer), (Came::Door(door), Vec::new()));
    // What was asked long ago, and what nobody asked.
    assert_eq!(asks.take(ms(3_000), "10.9.0.3:4001", answer).0, Came::Nothing);
    assert_eq!(One::new(3, true).take(ms(2), "10.9.0.3:4001", answer).0, Came::Nothing);
    // Heard again, it draws nothing.
    assert_eq!(inside.take(ms(3), "10.9.0.2:4000", &hail.1), (Came::Nothing, Vec::new()));
    assert_eq!((inside.blame.replayed, asks.blame.replayed), (1, 1));
}

#[test]
fn strangers_draw_nothing_and_pay_one_hash() {
    let mut inside = One::inside(2, 0);
    let mut stranger = One::new(1, true);
    stranger.room = room("another");
    let hail = stranger.hail(ms(0));
    let before = format!("{:?}", inside.hails);
    assert_eq!(inside.take(ms(1), "10.9.0.2:4000", &hail), (Came::Nothing, Vec::new()));
    let good = One::new(1, true).hail(ms(0));
    for at in 0..good.len() {
        let mut spoilt = good.clone();
        spoilt[at] ^= 1;
        assert_eq!(inside.take(ms(1), "10.9.0.2:4000", &spoilt), (Came::Nothing, Vec::new()));
        assert_eq!(inside.take(ms(1), "10.9.0.2:4000", &good[..at]), (Came::Nothing, Vec::new()));
    }
    // From where nobody of this network is.
    for from in [
        "10.8.0.2:4000",
        "10.9.255.255:4000",
        "10.9.0.0:4000",
        "224.0.0.1:4000",
        "0.0.0.0:4000",
        "10.9.0.2:0",
        "[fe80::2%3]:4000",
        "[::ffff:10.9.0.2]:4000",
    ] {
        assert_eq!(inside.take(ms(1), from, &good), (Came::Nothing, Vec::new()), "{from}");
    }
    assert_eq!(format!("{:?}", inside.hails), before, "nothing has changed");
    let Blame { malformed, unauthenticated, .. } = inside.blame;
    assert!(malformed >= good.len() as u64 && unauthenticated >= good.len() as u64);
    assert_eq!(inside.take(ms(1), "10.9.0.2:4000", &good).1.len(), 1);
}

#[test]
fn who_is_known_is_not_answered_and_who_is_not_in_answers_nobody() {
    let mut inside = One::inside(2, 1);
    inside.known.push(PeerId(1));
    let mut other = One::inside(1, 1);
    for now in [1, 2, 3] {
        let hail = other.hail(ms(now));
        assert_eq!(inside.take(ms(now), "10.9.0.2:4000", &hail), (Came::Nothing, Vec::new()));
    }
    inside.known.clear();
    let hail = other.hail(ms(4));
    let (came, answers) = inside.take(ms(4), "10.9.0.2:4000", &hail);
    assert_eq!((came, answers.len()), (Came::Stranger(PeerId(1)), 1));
    inside.others = None;
    let hail = other.hail(ms(5));
    assert_eq!(inside.take(ms(5), "10.9.0.2:4000", &hail), (Came::Nothing, Vec::new()));
    // Ours, come back.
    let own = inside.hail(ms(6));
    inside.others = Some(1);
    assert_eq!(inside.take(ms(6), "10.9.0.3:4000", &own), (Came::Nothing, Vec::new()));
}

#[test]
fn about_three_answer_in_a_room_of_any_size() {
    for members in [1usize, 2, 3, 4, 10, 100, 1_000] {
        let mut all: Vec<One> = (0..members).map(|n| One::inside(n + 10, members - 1)).collect();
        let mut asks = One::new(1, true);
        let mut drawn = 0;
        const HAILS: usize = 40;
        for n in 0..HAILS {
            let now = ms(1_000 * n as u64);
            let hail = asks.hail(now);
            drawn +=
                all.iter_mut().map(|one| one.take(now, "10.9.0.2:9", &hail).1.len()).sum::<usize>();
        }
        let each = drawn as f64 / HAILS as f64;
        let most = members.min(3) as f64;
        assert!((0.75 * most..=1.25 * most).contains(&each), "{members}: {each}");
    }
}

#[test]
fn a_flood_of_hails_draws_a_hundred_answers_a_second() {
    let (mut inside, mut asks) = (One::inside(2, 0), One::new(1, true));
    let mut flood = |from: u64| -> usize {
        let drawn = (0..5_000u64).map(|n| {
            let hail = asks.hail(ms(from));
            let answers = inside.take(ms(from + n / 5), "10.9.0.2:9", &hail).1;
            answers.len()
        });
        drawn.sum()
    };
    let drawn = flood(1_000);
    assert!((190..=201).contains(&drawn), "{drawn}");
}

/// A thousand on one wire, who know each other: what goes to everybody there in each second.
fn together(members: usize, loss_pc: u64, secs: u64) -> Vec<u32> {
    let mut all: Vec<One> = (0..members).map(|n| One::inside(n, members - 1)).collect();
    for (n, one) in all.iter_mut().enumerate() {
        one.known = Vec::new();
        // All of them are plugged into another switch at one moment.
        one.hails.segments(ms(0), &[], members);
        one.hails.segments(ms(0), &[segment(n + 1)], members);
    }
    let mut rng = Seed([9; 32]).stream("loss");
    let mut per_second = vec![0; secs as usize];
    let mut wakes: std::collections::BTreeSet<(Time, usize)> =
        all.iter().enumerate().filter_map(|(n, one)| Some((one.hails.next_wake()?, n))).collect();
    // What is on its way to everybody.
    let mut flying: VecDeque<(Time, Vec<u8>)> = VecDeque::new();
    loop {
        let wake = wakes.first().map(|(at, _)| *at).unwrap();
        if let Some((at, _)) = flying.front().filter(|(at, _)| *at <= wake) {
            let at = *at;
            let (_, hail) = flying.pop_front().unwrap();
            for one in &mut all {
                if rng.below(100) >= loss_pc {
                    let mut out = Outbox::default();
                    let hearer = Hearer { room: &one.room, me: one.me, others: one.others };
                    let told = (&mut out, &mut one.blame);
                    let from = (addr("10.9.0.2:4000"), None);
                    one.hails.take(at, from, &hail, (hearer, |_| true), told);
                    assert!(sent(out).is_empty());
                }
            }
            continue;
        }
        if wake >= ms(secs * 1_000) {
            return per_second;
        }
        let (now, n) = wakes.pop_first().unwrap();
        let (_, sent) = all[n].tick(now);
        for (_, hail) in sent {
            per_second[(now.as_micros() / 1_000_000) as usize] += 1;
            flying.push_back((now + Duration::from_millis(1), hail));
        }
        wakes.insert((all[n].hails.next_wake().unwrap(), n));
    }
}

#[test]
fn a_thousand_together_hail_no_more_than_once_a_second() {
    for loss_pc in [0, 30] {
        let per_second = together(1_000, loss_pc, 300);
        let all: u32 = per_second.iter().sum();
        let most = per_second.windows(10).map(|ten| ten.iter().sum::<u32>()).max().unwrap();
        println!("{loss_pc} % loss: {all} in 300 s, {most} in ten seconds at most");
        assert!(all > 0 && most <= 10, "{loss_pc} %: {most} in ten seconds, {all} in all");
    }
}

#[test]
fn of_several_who_look_for_it_one_is_alone_first() {
    let (mut first, mut second) = (One::new(1, true), One::new(2, true));
    first.hails.seek(ms(0));
    second.hails.seek(ms(0));
    let (mut now, mut alone) = (ms(0), Vec::new());
    while alone.len() < 2 {
        for n in [0, 1] {
            let (one, other) =
                if n == 0 { (&mut first, &mut second) } else { (&mut second, &mut first) };
            let (is_alone, sent) = one.tick(now);
            if is_alone {
                alone.push((n, now));
            }
            for (_, hail) in sent {
                let from = format!("10.9.0.{}:9", n + 2);
                assert!(other.take(now, &from, &hail).1.is_empty(), "nobody is in");
            }
        }
        now = now + Duration::from_millis(1);
    }
    assert_eq!(alone[0], (0, ms(1_000)));
    assert!((ms(1_500)..=ms(3_000)).contains(&alone[1].1), "{alone:?}");
}

#[test]
fn who_looks_for_it_hails_at_once_when_somebody_is_in() {
    let (mut asks, mut other) = (One::new(1, true), One::inside(2, 0));
    asks.hails.seek(ms(0));
    let mut now = ms(0);
    while now < ms(2_000) {
        asks.tick(now);
        now = asks.hails.next_wake().unwrap();
    }
    let hail = other.hail(now);
    let heard = now.before(Duration::from_millis(300));
    assert!(asks.hails.next_wake().unwrap() > heard + NEAR);
    asks.take(heard, "10.9.0.3:9", &hail);
    assert!(asks.hails.next_wake().unwrap() <= heard + NEAR);
    asks.tick(heard + NEAR);
    // But not as often as they are heard.
    for n in 0..100 {
        let hail = other.hail(now);
        asks.take(heard + NEAR + Duration::from_micros(n), "10.9.0.3:9", &hail);
        assert!(asks.tick(heard + NEAR + Duration::from_micros(n)).1.is_empty());
    }
}

#[test]
fn who_hears_strangers_again_and_again_answers_in_the_end() {
    let mut slow = 0;
    for n in 0..20 {
        let (mut inside, mut other) = (One::inside(100 + n, 999), One::inside(2, 999));
        let answered = (0..40u64).find(|k| {
            let now = ms(20_000 * (k + 1));
            let hail = other.hail(now);
            !inside.take(now, "10.9.0.3:9", &hail).1.is_empty()
        });
        slow = slow.max(answered.expect("an answer"));
    }
    assert!((3..=10).contains(&slow), "{slow}");
}

#[test]
fn ipv6_has_its_interface() {
    let own = "fe80::1".parse().unwrap();
    let cable = Segment { own, bits: 64, to: addr("[ff12::1%3]:7421") };
    assert!(is_on(addr("[fe80::2%3]:9"), cable));
    for wrong in ["[fe80::2%4]:9", "[fe80::2]:9", "[fd00::2%3]:9", "[ff12::1%3]:9", "10.0.0.1:9"] {
        assert!(!is_on(addr(wrong), cable), "{wrong}");
    }
    let whole =
        Segment { own: IpAddr::from([10, 0, 0, 1]), bits: 0, to: addr("255.255.255.255:1") };
    assert!(is_on(addr("192.0.2.1:9"), whole));
    let pair = Segment { own: IpAddr::from([10, 0, 0, 2]), bits: 31, to: addr("10.0.0.3:1") };
    assert!(is_on(addr("10.0.0.3:9"), pair) && !is_on(addr("10.0.0.4:9"), pair));
}

#[test]
fn a_closed_lid_is_followed_by_one_hail() {
    let mut one = One::inside(1, 0);
    for _ in 0..20 {
        let now = one.hails.next_wake().unwrap();
        one.tick(now);
    }
    let later = one.hails.next_wake().unwrap() + Duration::from_secs(36_000);
    assert_eq!(one.tick(later).1.len(), 1);
    assert!(one.tick(later + Duration::from_millis(1)).1.is_empty());
}

#[test]
fn neighbours_are_hailed_one_by_one_where_nobody_answers_what_is_sent_to_all() {
    let mut one = One::new(1, true);
    one.hails.seek(ms(0));
    let near: Vec<SocketAddr> =
        (3..200).map(|n| SocketAddr::from(([10, 9, 0, n as u8], 7421))).collect();
    // Nobody who is elsewhere, nor ourselves.
    let others = [addr("192.0.2.1:7421"), addr("10.9.0.2:7421"), addr("10.9.255.255:7421")];
    one.hails.neighbours(ms(0), &[&others[..], &near].concat());
    let (mut now, mut when, mut alone) = (ms(0), Vec::new(), None);
    while now < ms(60_000) {
        let (is_alone, sent) = one.tick(now);
        alone = alone.or(is_alone.then_some(now));
        let to: Vec<SocketAddr> = sent.iter().map(|(to, _)| *to).collect();
        let single = to.iter().filter(|to| to.ip() != segment(2).to.ip()).count();
        if single > 0 {
            assert_eq!((single, &to[..64]), (64, &near[..64]), "{now}");
            when.push(now);
        }
        now = one.hails.next_wake().unwrap();
    }
    assert_eq!((when[0], alone), (ms(1_000), Some(ms(1_250))));
    assert!((8..=10).contains(&when.len()), "{when:?}");
    // Who is heard of for the first time is hailed soon, and nobody more often than that.
    let new = addr("10.9.7.7:7421");
    one.hails.neighbours(now, &[new]);
    assert!(one.tick(now).1.iter().any(|(to, _)| *to == new));
    one.hails.neighbours(now, &[new]);
    assert!(one.tick(now).1.is_empty());
    // Somebody answers: the others are asked that way when nothing came of it.
    let mut inside = One::inside(5, 0);
    let hail = one.hail(now);
    let (_, answers) = inside.take(now, "10.9.0.2:4000", &hail);
    let (came, _) = one.take(now, "10.9.0.6:4000", &answers[0].1);
    assert_eq!(came, Came::Door(addr("10.9.0.6:4000")));
    let is_single = |(to, _): &(SocketAddr, _)| *to != segment(2).to;
    one.hails.neighbours(now + Duration::from_secs(1), &[new]);
    assert!(!one.tick((now + ASKS).before(Duration::from_micros(1))).1.iter().any(is_single));
    assert!(one.tick(now + ASKS).1.iter().any(is_single));
    one.others = Some(1);
    assert!(!one.tick(now + Duration::from_secs(600)).1.iter().any(is_single));
    assert!(!one.hails.has_neighbours());
    // Who answers alone hails nobody, and who was told where the room is does not either.
    for (calls, seeks) in [(false, true), (true, false)] {
        let mut one = One::new(1, calls);
        if seeks {
            one.hails.seek(ms(0));
        }
        one.hails.enters(ms(0), true);
        one.hails.neighbours(ms(0), &near);
        let mut sent = (1..100).flat_map(|s| one.tick_to(ms(1_000 * s)));
        assert!(sent.all(|to| to == segment(2).to));
    }
}
