use super::*;
use crate::machine::contract::Action;

const ROUTER: &str = "10.0.0.254:5351";
const OUTSIDE: &str = "203.0.113.7:40000";

fn gateway() -> Gateway {
    Gateway { at: [10, 0, 0, 254].into(), own: [10, 0, 0, 2].into(), port: 7000 }
}

fn at(ms: u64) -> Time {
    Time::from_micros(1_000_000_000 + ms * 1_000)
}

/// A router of our own, written from the RFCs and from nothing of the machine.
struct Router {
    /// 2 for PCP, 0 for NAT-PMP.
    version: u8,
    result: u16,
    lifetime: u32,
    external: u16,
    /// When it was started.
    since: u64,
    mappings: usize,
}

impl Router {
    const fn new(version: u8) -> Self {
        Self { version, result: 0, lifetime: 600, external: 40_000, since: 0, mappings: 0 }
    }

    fn epoch(&self, ms: u64) -> [u8; 4] {
        ((ms - self.since) as u32 / 1_000).to_be_bytes()
    }

    fn answer(&mut self, ms: u64, asked: &[u8]) -> Vec<u8> {
        let result = self.result.to_be_bytes();
        match (asked[0], self.version) {
            (2, 2) => {
                let ended = asked[4..8] == [0; 4];
                self.mappings = usize::from(!ended && self.result == 0);
                let lifetime = if ended { 0 } else { self.lifetime };
                let mut out = vec![2, 0x81, 0, result[1]];
                out.extend(lifetime.to_be_bytes());
                out.extend(self.epoch(ms));
                out.extend([0; 12]);
                out.extend(&asked[24..42]);
                out.extend(self.external.to_be_bytes());
                out.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 7]);
                out
            }
            (2, 0) => [&[0, 0x81, 0, 1][..], &self.epoch(ms)].concat(),
            (0, 2) => [&[2, asked[1] | 0x80, 0, 1][..], &[0; 20]].concat(),
            (0, _) if asked.len() == 2 => {
                [&[0, 0x80], &result[..], &self.epoch(ms), &[203, 0, 113, 7]].concat()
            }
            _ => {
                let ended = asked[8..12] == [0; 4];
                self.mappings = usize::from(!ended && self.result == 0);
                let lifetime = if ended { 0 } else { self.lifetime }.to_be_bytes();
                let ports = [&asked[4..6], &self.external.to_be_bytes()].concat();
                [&[0, 0x81], &result[..], &self.epoch(ms), &ports, &lifetime].concat()
            }
        }
    }
}

struct Seat {
    mapping: Mapping,
    out: Outbox,
    blame: Blame,
    now: u64,
}

impl Seat {
    fn new() -> Self {
        let mapping = Mapping::new(&Seed([7; 32]));
        let mut seat = Self { mapping, out: Outbox::default(), blame: Blame::default(), now: 0 };
        assert_eq!(seat.mapping.gateway(at(0), Some(gateway())), None);
        assert_eq!((seat.sent(), seat.mapping.next_wake()), (vec![], None), "nobody wants it");
        assert_eq!(seat.mapping.wants(at(0), true, &mut seat.out), None);
        seat
    }

    /// What leaves now.
    fn sent(&mut self) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        while let Some(action) = self.out.poll() {
            let Action::Send { to, source, ttl, bytes } = action else { panic!("{action:?}") };
            let own = Some(IpAddr::from([10, 0, 0, 2]));
            assert_eq!((to, source, ttl), (ROUTER.parse().unwrap(), own, None));
            sent.push(bytes.to_vec());
        }
        sent
    }

    /// Time passes up to the next wake: what leaves then.
    fn wake(&mut self) -> (Option<News>, Vec<Vec<u8>>) {
        let wake = self.mapping.next_wake().expect("a wake");
        self.now = (wake.as_micros() / 1_000).saturating_sub(1_000_000).max(self.now) + 1;
        let news = self.mapping.tick(at(self.now), &mut self.out);
        assert!(self.mapping.next_wake().is_none_or(|wake| wake > at(self.now)));
        (news, self.sent())
    }

    fn take(&mut self, bytes: &[u8]) -> Option<News> {
        assert!(self.mapping.is_from_gateway(ROUTER.parse().unwrap(), bytes));
        self.mapping.take(at(self.now), bytes, &mut self.blame)
    }

    /// All that leaves is answered.
    fn asks(&mut self, router: &mut Router) -> Option<News> {
        let (news, sent) = self.wake();
        let answers = sent.iter().filter_map(|asked| self.take(&router.answer(self.now, asked)));
        answers.last().or(news)
    }

    /// The gateway is asked until it has made a mapping.
    fn held(router: &mut Router) -> Self {
        let mut seat = Self::new();
        let mapped = (0..3).find_map(|_| seat.asks(router));
        assert_eq!(mapped, Some(mapping(600)));
        seat
    }
}

fn mapping(secs: u64) -> News {
    News::Mapped(OUTSIDE.parse().unwrap(), Duration::from_secs(secs))
}

#[test]
fn a_request_of_pcp_is_what_rfc_6887_says() {
    let mut seat = Seat::new();
    let (_, sent) = seat.wake();
    let nonce = Seed([7; 32]).bytes("mapping", 0);
    let own = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2];
    let any = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
    // Figures 2 and 9: version, opcode, reserved, lifetime, address; nonce, protocol, reserved, ports, address.
    let header = [&[2, 1, 0, 0, 0, 0, 0x02, 0x58], &own[..]].concat();
    let map = [&nonce[..12], &[17, 0, 0, 0, 0x1b, 0x58, 0, 0], &any].concat();
    assert_eq!(sent, [[header, map].concat()]);
    assert_eq!(sent[0].len(), 60);
    // What was had is asked for again, and ended with a lifetime of 0 and the same nonce.
    let mut router = Router::new(2);
    assert_eq!(seat.asks(&mut router), Some(mapping(600)));
    let (_, sent) = seat.wake();
    assert_eq!(sent[0][42..44], 40_000_u16.to_be_bytes());
    assert_eq!(sent[0][44..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 7]);
    assert_eq!(seat.mapping.give_back(&mut seat.out), Some(News::Lost));
    let sent = seat.sent();
    assert_eq!((sent.len(), &sent[0][4..8]), (1, &[0; 4][..]));
    assert_eq!((&sent[0][24..36], &sent[0][42..44]), (&nonce[..12], &[0, 0][..]));
    router.answer(seat.now, &sent[0]);
    assert_eq!((router.mappings, seat.mapping.next_wake()), (0, None));
    assert_eq!((seat.mapping.give_back(&mut seat.out), seat.sent().len()), (None, 0));
}

#[test]
fn where_pcp_is_not_spoken_nat_pmp_is() {
    let mut router = Router::new(0);
    let mut seat = Seat::new();
    assert_eq!(seat.asks(&mut router), None);
    let (_, sent) = seat.wake();
    // RFC 6886, sections 3.2 and 3.3: version, opcode, reserved, ports, lifetime.
    assert_eq!(sent, [&[0, 0][..], &[0, 1, 0, 0, 0x1b, 0x58, 0, 0, 0, 0, 0x02, 0x58]]);
    let answers: Vec<_> = sent.iter().map(|asked| router.answer(seat.now, asked)).collect();
    // In whatever order they come.
    assert_eq!((seat.take(&answers[1]), seat.take(&answers[0])), (None, None));
    assert_eq!(seat.asks(&mut router), Some(mapping(600)));
    assert_eq!(seat.mapping.wants(at(seat.now), false, &mut seat.out), Some(News::Lost));
    assert_eq!(seat.sent(), [&[0, 1, 0, 0, 0x1b, 0x58, 0, 0, 0, 0, 0, 0]]);
    // Neither of them: it is left alone for half an hour.
    let mut seat = Seat::held(&mut router);
    let (_, sent) = seat.wake();
    router.version = 2;
    let refusal = router.answer(seat.now, &sent[0]);
    assert_eq!(seat.take(&refusal), None);
    let due = seat.mapping.due.expect("a time").since(at(seat.now));
    assert_eq!(due, REFUSED_MAX);
}

#[test]
fn a_silent_gateway_is_asked_ever_more_rarely() {
    let mut seat = Seat::new();
    let (mut last, mut pauses) = (0, Vec::new());
    for _ in 0..13 {
        let (_, sent) = seat.wake();
        assert_eq!(sent.len(), 1);
        pauses.push(seat.now - last);
        last = seat.now;
    }
    assert!((2_700..=3_302).contains(&pauses[1]), "{pauses:?}");
    for pair in pauses[1..].windows(2) {
        let (least, most) = (pair[0] * 18 / 10, pair[0] * 22 / 10 + 3);
        let last = (921_000..=1_127_000).contains(&pair[1]);
        assert!((least..=most).contains(&pair[1]) || last, "{pauses:?}");
    }
    assert!(last > 3_600_000 && pauses[12] > 900_000, "{pauses:?}");
}

#[test]
fn a_mapping_is_renewed_at_half_and_lost_at_its_end() {
    for version in [2, 0] {
        let mut router = Router::new(version);
        let mut seat = Seat::held(&mut router);
        for _ in 0..20 {
            let before = seat.now;
            assert_eq!(seat.asks(&mut router), Some(mapping(600)));
            assert!((300_000..=375_002).contains(&(seat.now - before)), "{}", seat.now - before);
        }
        // Nobody answers: it is asked for again and again, until it is over.
        let (mut asked, end) = (0, seat.now + 600_000);
        let news = loop {
            let (news, sent) = seat.wake();
            asked += sent.len();
            if let Some(news) = news {
                break news;
            }
        };
        assert!(news == News::Lost && seat.now.abs_diff(end) < 3, "{}", seat.now);
        assert!((4..=12).contains(&asked), "{asked}");
        assert_eq!((0..3).find_map(|_| seat.asks(&mut router)), Some(mapping(600)));
        // A long lifetime is believed for a day.
        router.lifetime = u32::MAX;
        assert_eq!(seat.asks(&mut router), Some(mapping(86_400)));
    }
}

#[test]
fn nobody_else_says_what_is_mapped() {
    for version in [2, 0] {
        let mut router = Router::new(version);
        let mut seat = Seat::new();
        if version == 0 {
            seat.asks(&mut router);
        }
        let (_, sent) = seat.wake();
        let good = router.answer(seat.now, sent.last().expect("a question"));
        for from in ["10.0.0.253:5351", "10.0.0.254:5350", "203.0.113.7:5351", "[::1]:5351"] {
            assert!(!seat.mapping.is_from_gateway(from.parse().unwrap(), &good), "{from}");
        }
        assert!(!seat.mapping.is_from_gateway(ROUTER.parse().unwrap(), &sent[0]), "a question");
        // The nonce, the protocol, the port of ours; or none of it whole.
        let spoilt: &[usize] = if version == 2 { &[24, 30, 35, 36, 40, 41] } else { &[8, 9] };
        for &place in spoilt {
            let mut other = good.clone();
            other[place] ^= 1;
            assert_eq!(seat.take(&other), None, "byte {place}");
        }
        for len in 2..good.len() {
            assert_eq!(seat.take(&good[..len]), None, "{len} bytes");
        }
        let Blame { malformed, unknown_call, .. } = seat.blame;
        assert_eq!(malformed + unknown_call, (spoilt.len() + good.len() - 2) as u64);
        assert!(seat.mapping.held.is_none());
        if version == 0 {
            let address = router.answer(seat.now, &sent[0]);
            assert_eq!(seat.take(&address), None);
        }
        assert_eq!(seat.take(&good), Some(mapping(600)));
        // Options, and a port or an address of nobody.
        if version == 2 {
            assert_eq!(seat.take(&[&good[..], &[0; 8]].concat()), Some(mapping(600)));
            assert_eq!(seat.take(&[&good[..], &[0; 7]].concat()), None);
            let nowhere = [&good[..42], &[0; 2], &good[44..]].concat();
            assert_eq!(seat.take(&nowhere), Some(News::Lost));
        }
    }
}

#[test]
fn whatever_comes_is_taken_or_refused() {
    fn any(bytes: Vec<u8>, version: bool, op: u8) -> bool {
        let mut seat = Seat::new();
        seat.wake();
        let bytes = [&[if version { 2 } else { 0 }, op | 0x80][..], &bytes].concat();
        seat.mapping.take(at(0), &bytes, &mut seat.blame);
        seat.mapping.next_wake().is_some()
    }
    crate::machine::quickcheck().quickcheck(any as fn(Vec<u8>, bool, u8) -> bool);
}

#[test]
fn a_gateway_that_refuses_is_left_alone() {
    for (version, result, lifetime, secs) in [
        // NOT_AUTHORIZED, NETWORK_FAILURE, NO_RESOURCES, with and without a time; CANNOT_PROVIDE_EXTERNAL.
        (2, 2, 0, 1_800),
        (2, 7, 0, 30),
        (2, 8, 45, 45),
        (2, 11, 1, 30),
        (2, 2, 100_000, 1_800),
        (0, 2, 0, 1_800),
        (0, 3, 0, 30),
        (0, 4, 0, 30),
        (0, 5, 0, 1_800),
    ] {
        let mut router = Router { result, lifetime, ..Router::new(version) };
        let mut seat = Seat::new();
        (0..=usize::from(version == 0)).for_each(|_| assert_eq!(seat.asks(&mut router), None));
        let due = seat.mapping.due.expect("a time").since(at(seat.now));
        assert_eq!(due.as_secs(), secs, "{version} {result}");
    }
    // What it has mapped before stays.
    let mut router = Router::new(2);
    let mut seat = Seat::held(&mut router);
    router.result = 8;
    assert_eq!(seat.asks(&mut router), None);
    assert!(seat.mapping.held.is_some());
}

/// The gateway says that something has changed: nothing, for all that its clock shows, or that it was restarted.
#[test]
fn a_gateway_that_was_restarted_is_asked_again_at_once() {
    for version in [2, 0] {
        for (after, since, again) in
            [(100_000, 0, false), (100_000, 101_000, true), (5_000, 2_000, false)]
        {
            let mut router = Router { since: 0, ..Router::new(version) };
            let mut seat = Seat::held(&mut router);
            seat.now += after;
            router.since = if since == 2_000 { 0 } else { since.min(seat.now) };
            let epoch = router.epoch(seat.now);
            let announce = match version {
                2 => [&[2, 0x80, 0, 0, 0, 0, 0, 0], &epoch[..], &[0; 12]].concat(),
                _ => [&[0, 0x80, 0, 0], &epoch[..], &[203, 0, 113, 7]].concat(),
            };
            assert_eq!(seat.take(&announce), None);
            let due = seat.mapping.due.expect("a time") <= at(seat.now);
            // That of a gateway which was started with us cannot be told from a clock that is late.
            assert_eq!(due, again, "{version}: after {after}, started at {since}");
            if again {
                assert_eq!(seat.asks(&mut router), Some(mapping(600)));
            }
        }
        // The address by which others see us is another one.
        let mut router = Router::new(version);
        let mut seat = Seat::held(&mut router);
        seat.mapping.doubts(at(seat.now));
        let (_, lost) = seat.wake();
        assert!(!lost.is_empty());
        let asked = seat.now;
        assert_eq!(seat.asks(&mut router), Some(mapping(600)));
        assert!(seat.now - asked < 3_400, "asked again soon: {}", seat.now - asked);
    }
}

#[test]
fn another_gateway_is_another_mapping() {
    let mut router = Router::new(2);
    let mut seat = Seat::held(&mut router);
    assert_eq!(seat.mapping.gateway(at(seat.now), Some(gateway())), None, "as before");
    let other = Gateway { port: 7001, ..gateway() };
    assert_eq!(seat.mapping.gateway(at(seat.now), Some(other)), Some(News::Lost));
    let (_, sent) = seat.wake();
    assert_eq!((&sent[0][40..42], &sent[0][42..44]), (&[0x1b, 0x59][..], &[0, 0][..]));
    assert_eq!(seat.mapping.gateway(at(seat.now), None), None);
    assert_eq!(seat.mapping.next_wake(), None);
}

/// A network that loses three in ten, doubles as many, and delays each by up to two seconds.
#[test]
fn loss_and_disorder_delay_a_mapping_and_no_more() {
    let mut took = Vec::new();
    for (version, seed) in (0..200).map(|seed| (if seed % 2 == 0 { 2 } else { 0 }, seed)) {
        let mut rng = Seed([seed; 32]).stream("network");
        let (mut router, mut seat) = (Router::new(version), Seat::new());
        let mut wire: Vec<(u64, bool, Vec<u8>)> = Vec::new();
        let (mut mapped, mut lost, mut restarted) = (None, 0, false);
        while seat.now < 3_000_000 {
            seat.now += 50;
            if seat.now == 1_000_000 {
                (router.since, router.mappings, restarted) = (seat.now, 0, true);
            }
            let news = seat.mapping.tick(at(seat.now), &mut seat.out);
            let mut said: Vec<News> = news.into_iter().collect();
            let mut carry = |wire: &mut Vec<_>, to_router: bool, bytes: &[u8], now: u64| {
                let copies = if rng.below(10) < 3 { 0 } else { 1 + rng.below(10) / 7 };
                (0..copies)
                    .for_each(|_| wire.push((now + rng.below(2_000), to_router, bytes.to_vec())));
            };
            for bytes in seat.sent() {
                carry(&mut wire, true, &bytes, seat.now);
            }
            let (due, later) = wire.into_iter().partition(|(due, ..)| *due <= seat.now);
            wire = later;
            let due: Vec<(u64, bool, Vec<u8>)> = due;
            for (_, to_router, bytes) in due {
                if to_router {
                    let answer = router.answer(seat.now, &bytes);
                    carry(&mut wire, false, &answer, seat.now);
                } else {
                    said.extend(seat.take(&bytes));
                }
            }
            for news in said {
                match news {
                    News::Mapped(external, _) => {
                        assert_eq!(external, OUTSIDE.parse().unwrap());
                        mapped.get_or_insert(seat.now);
                    }
                    News::Lost => lost += 1,
                }
            }
        }
        // The questions of an hour are few: one in a hundred loses them all.
        took.push(mapped.unwrap_or(u64::MAX));
        assert!(restarted && lost <= 2, "seed {seed}: lost {lost} times");
    }
    took.sort_unstable();
    let (p50, p90, p98) = (took[100], took[180], took[196]);
    println!("mapped within {p50}, {p90}, {p98} ms");
    assert!(p50 < 6_000 && p90 < 60_000 && p98 < 800_000, "{p50}, {p90}, {p98}");
}
