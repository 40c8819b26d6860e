//! Two call engines, datagrams carried by hand.

use core::time::Duration;

use super::*;
use crate::machine::contract::Action;
use crate::machine::outbox::Outbox;
use crate::machine::purpose::LinkKey;
use crate::machine::rng::Seed;
use crate::machine::wire::{Asked, DATAGRAM_MAX, Datagram, HEADER};

struct End {
    calls: Calls<u32>,
    out: Outbox,
    addr: SocketAddr,
    link: LinkKey,
    executed: u32,
}

fn ends() -> (End, End) {
    let addr = |n: u8| SocketAddr::from(([10, 0, 0, n], 7));
    let end = |me: u8, other: u8| {
        let mut calls = Calls::new(u64::from(me), 4, Seed([me; 32]).stream("calls"));
        let link =
            calls.open(Time::ZERO, addr(other), (PeerId(other.into()), u64::from(other))).unwrap();
        End { calls, out: Outbox::default(), addr: addr(me), link, executed: 0 }
    };
    (end(1, 2), end(2, 1))
}

const fn ms(ms: u64) -> Time {
    Time::from_micros(ms * 1000)
}

impl End {
    fn call(&mut self, now: Time, token: u32) {
        self.calls.request(now, self.link, token, &Request::PING).unwrap();
    }

    fn sent(&mut self, now: Time) -> Vec<Vec<u8>> {
        self.calls.flush(now, &mut self.out);
        let mut sent = Vec::new();
        while let Some(Action::Send { bytes, .. }) = self.out.poll() {
            sent.push(bytes.to_vec());
        }
        self.calls.check();
        sent
    }

    /// Executes requests, returns the tokens of answered calls.
    fn hear(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) -> Vec<u32> {
        let (mut answered, mut text, mut parts) = (Vec::new(), Vec::new(), Parts::default());
        let buffers = (&mut text, &mut parts);
        let Ok(arrival) = self.calls.receive(now, (from, None), bytes, buffers, &mut self.out)
        else {
            return answered;
        };
        let Some(link) = arrival.link else { return answered };
        for part in parts.drain() {
            match part {
                Part::Request { seq, .. } => {
                    if matches!(self.calls.admit(&arrival, link, seq), Admission::New) {
                        self.executed += 1;
                        self.calls.reply(&arrival, link, seq, &Response::Ok);
                    }
                }
                Part::Answer { call, about, response } => {
                    assert_eq!(response, Response::Ok);
                    answered.extend(self.calls.answered(now, &arrival, call).map(|_| about));
                }
                Part::Late => self.calls.late(now, &arrival),
            }
        }
        answered
    }
}

impl About for u32 {
    fn asked(self) -> Asked {
        Asked::Other
    }

    fn is_said(self) -> bool {
        self >= SAID
    }
}

/// Calls of that number and above are of what somebody says.
const SAID: u32 = 100;

/// How many datagrams leave within so long.
fn sends(end: &mut End, from: Time, span: Duration) -> usize {
    let mut sent = end.sent(from).len();
    while let Some(now) = end.calls.next_wake().filter(|&now| now < from + span) {
        assert_eq!(end.calls.expired(now), None);
        sent += end.sent(now).len();
    }
    sent
}

/// A line that was lost twice was known to be only after two round trips.
#[test]
fn a_lonely_line_is_sent_again_twice_where_much_is_lost() {
    for (said, lost, lonely, wanted) in
        [(SAID, true, true, 3), (SAID, true, false, 2), (SAID, false, true, 2), (1, true, true, 2)]
    {
        let (mut a, mut b) = ends();
        for n in 0..8 {
            let now = ms(1_000 * (n + 1));
            a.call(now, 0);
            let mut request = a.sent(now);
            let mut heard = now + Duration::from_millis(50);
            if lost {
                let again = a.calls.next_wake().expect("it is not answered");
                assert_eq!(a.calls.expired(again), None);
                request = a.sent(again);
                heard = again + Duration::from_millis(50);
            }
            b.hear(heard, a.addr, &request[0]);
            let reply = b.sent(heard).remove(0);
            a.hear(heard, b.addr, &reply);
        }
        if !lonely {
            let seq = a.calls.request(ms(9_000), a.link, 2, &Request::PING).expect("there is room");
            a.calls.finish(ms(9_000), a.link, seq, 2);
        }
        a.call(ms(9_000), said);
        let delay = a.calls.links.get(a.link).expect("it is open").path.delay(ms(9_000), 1);
        let sent = sends(&mut a, ms(9_000), delay * 7 / 4);
        assert_eq!(sent, wanted, "{said} {lost} {lonely}");
    }
}

#[test]
fn a_call_is_sent_five_times_and_then_fails() {
    let (mut a, _) = ends();
    a.call(Time::ZERO, 7);
    let mut at = vec![0];
    assert_eq!(a.sent(Time::ZERO).len(), 1);
    loop {
        let now = a.calls.next_wake().expect("a deadline");
        if let Some((_, token)) = a.calls.expired(now) {
            assert_eq!(token, 7);
            at.push(now.as_micros() / 1000);
            break;
        }
        assert_eq!(a.sent(now).len(), 1);
        at.push(now.as_micros() / 1000);
    }
    assert_eq!(at.len(), 6, "five sends and the failure");
    let delays: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (delay, nominal) in delays.iter().zip([250, 250, 250, 500, 1000]) {
        assert!((nominal..=nominal + nominal / 16 + 1).contains(delay), "{delays:?}");
    }
    assert_eq!(a.calls.next_wake(), None);
    assert!(a.calls.is_silent(a.link));
}

#[test]
fn a_repeated_request_is_answered_again_and_executed_once() {
    let (mut a, mut b) = ends();
    a.call(ms(1), 1);
    let request = a.sent(ms(1)).remove(0);
    for round in 2..5 {
        assert!(b.hear(ms(round), a.addr, &request).is_empty());
        let replies = b.sent(ms(round));
        assert_eq!((b.executed, replies.len()), (1, 1));
        let answered = a.hear(ms(round + 1), b.addr, &replies[0]);
        assert_eq!(answered.len(), usize::from(round == 2));
    }
    assert_eq!(a.calls.blame.unknown_call, 2);
    assert_eq!(a.calls.rtt(a.link), Some(Duration::from_millis(2)));
}

#[test]
fn a_reply_counts_only_from_the_very_peer() {
    let (mut a, mut b) = ends();
    a.call(Time::ZERO, 1);
    let request = a.sent(Time::ZERO).remove(0);
    b.hear(ms(1), a.addr, &request);
    let reply = b.sent(ms(1)).remove(0);
    assert!(a.hear(ms(2), SocketAddr::from(([10, 0, 0, 3], 7)), &reply).is_empty());
    let mut other_process = reply.clone();
    other_process[8] ^= 1;
    assert!(a.hear(ms(2), b.addr, &other_process).is_empty());
    assert_eq!(a.hear(ms(2), b.addr, &reply), [1]);
}

#[test]
fn unanswered_requests_ride_along_once_the_path_is_lossy() {
    let (mut a, mut b) = ends();
    a.call(Time::ZERO, 1);
    let lone = a.sent(Time::ZERO)[0].len();
    a.call(ms(10), 2);
    assert_eq!(a.sent(ms(10))[0].len(), lone, "no loss, no riders");
    // The first two datagrams are lost. At the first re-send the path counts as lossy.
    let now = a.calls.next_wake().unwrap();
    assert!(a.calls.expired(now).is_none());
    let sent = a.sent(now);
    assert_eq!(sent.len(), 1, "riders cost no datagram");
    b.hear(now, a.addr, &sent[0]);
    assert_eq!(b.executed, 2, "the one whose time has come, and the other");
    let soon = now + Duration::from_millis(1);
    a.call(soon, 3);
    assert_eq!(a.sent(soon)[0].len(), lone, "nothing rides again so soon");
}

#[test]
fn the_window_bounds_what_is_open() {
    let (mut a, mut b) = ends();
    for token in 0..WINDOW as u32 {
        a.call(Time::ZERO, token);
    }
    assert!(a.calls.request(Time::ZERO, a.link, 99, &Request::PING).is_none());
    assert_eq!(a.calls.may_open(a.link), 0);
    for datagram in a.sent(Time::ZERO) {
        assert!(datagram.len() <= DATAGRAM_MAX);
        b.hear(ms(1), a.addr, &datagram);
    }
    let replies = b.sent(ms(1));
    let answered: Vec<u32> = replies.iter().flat_map(|r| a.hear(ms(2), b.addr, r)).collect();
    assert_eq!(answered, (0..WINDOW as u32).collect::<Vec<_>>());
    assert_eq!(a.calls.may_open(a.link), WINDOW);
}

#[test]
fn a_stranger_gets_at_most_three_times_what_they_sent() {
    let (mut a, mut b) = ends();
    let victim = b.calls.open(Time::ZERO, SocketAddr::from(([10, 0, 0, 9], 7)), (PeerId(9), 9));
    let victim = victim.unwrap();
    b.calls.links.get_mut(victim).unwrap().credit = Some(0);
    b.calls.request(Time::ZERO, victim, 1, &Request::PING).unwrap();
    assert!(b.sent(Time::ZERO).is_empty(), "nothing was received from there");
    a.calls.incarnation = 9;
    a.call(Time::ZERO, 1);
    let request = a.sent(Time::ZERO).remove(0);
    b.hear(ms(1), SocketAddr::from(([10, 0, 0, 9], 7)), &request);
    let mut sent: usize = b.sent(ms(1)).iter().map(Vec::len).sum();
    while let Some(now) = b.calls.next_wake() {
        while b.calls.expired(now).is_some() {}
        sent += b.sent(now).iter().map(Vec::len).sum::<usize>();
    }
    assert!(sent <= AMPLIFICATION * request.len() && sent > 0, "{sent} for {}", request.len());
}

#[test]
fn a_closed_link_leaves_nothing_behind() {
    let (mut a, _) = ends();
    (0..10).for_each(|token| a.call(Time::ZERO, token));
    a.calls.close(Time::ZERO, a.link);
    assert!(a.sent(Time::ZERO).is_empty());
    assert!(a.calls.footprint().iter().all(|table| table.len == 0));
    assert_eq!(a.calls.next_wake(), None);
}

#[test]
fn two_links_to_one_process_share_their_numbers() {
    // A process with two addresses sees the requests to both come from one of ours. If each link
    // numbered its own, the second would be taken for a repetition of the first.
    let (mut a, mut b) = ends();
    let other = SocketAddr::from(([10, 0, 1, 2], 7));
    let second = a.calls.open(Time::ZERO, other, (PeerId(2), 2)).unwrap();
    a.call(Time::ZERO, 1);
    a.calls.request(Time::ZERO, second, 2, &Request::PING).unwrap();
    for datagram in a.sent(Time::ZERO) {
        b.hear(ms(1), a.addr, &datagram);
    }
    assert_eq!(b.executed, 2);
}

#[test]
fn a_way_that_grows_longer_than_a_call_is_measured() {
    // Calls of a path that is believed to be short fail before their answers come. Each answer is to
    // a call that is over; if it told nothing, no call would ever succeed again.
    let (mut a, mut b) = ends();
    for n in 1..50 {
        a.call(ms(n), 1);
        let request = a.sent(ms(n)).remove(0);
        b.hear(ms(n), a.addr, &request);
        let reply = b.sent(ms(n)).remove(0);
        assert_eq!(a.hear(ms(n), b.addr, &reply).len(), 1);
    }
    let began = ms(1000);
    a.call(began, 2);
    let request = a.sent(began).remove(0);
    while let Some(now) = a.calls.next_wake() {
        while a.calls.expired(now).is_some() {}
        a.sent(now);
    }
    b.hear(ms(1500), a.addr, &request);
    let reply = b.sent(ms(1500)).remove(0);
    let late = ms(2000);
    assert!(a.hear(late, b.addr, &reply).is_empty(), "its call has failed");
    let Datagram { stamp, echo, .. } = Datagram::decode(&reply).unwrap();
    let open = Arrival {
        from: b.addr,
        sender: Sender::Open(2),
        link: Some(a.link),
        stamp,
        echo,
        credit: 0,
        newest: true,
        timely: true,
        proven: false,
    };
    a.calls.late(late, &open);
    assert_eq!(a.calls.rtt(a.link), Some(Duration::ZERO), "anybody can say so");
    a.calls.late(late, &Arrival { sender: Sender::Sealed(PeerId(2)), ..open });
    assert!(a.calls.rtt(a.link) > Some(Duration::from_millis(50)));
}

#[test]
fn no_two_requests_that_draw_pages_share_a_datagram() {
    let (mut a, _) = ends();
    for have in 0..4 {
        let request =
            Request::Who { cookie: [0; 8], tag: crate::machine::Tag([0; 16]), have, most: 1200 };
        a.calls.request(Time::ZERO, a.link, 0, &request).unwrap();
    }
    a.call(Time::ZERO, 1);
    let packets = |bytes: &Vec<u8>| Datagram::decode(bytes).unwrap().packets().count();
    let sent: Vec<usize> = a.sent(Time::ZERO).iter().map(packets).collect();
    assert_eq!(sent, [1, 1, 1, 2], "the ping rides with one of them");
    // The path counts as lossy at the first re-send: only the ping rides.
    for _ in 0..10 {
        let now = a.calls.next_wake().unwrap();
        while a.calls.expired(now).is_some() {}
        assert!(a.sent(now).iter().map(packets).all(|packets| packets <= 2));
    }
}

#[test]
fn a_datagram_counts_whole_or_not_at_all() {
    // The request in front of an answer that cannot be read must not be executed.
    let (mut a, b) = ends();
    a.call(Time::ZERO, 1);
    let asked = a.sent(Time::ZERO).remove(0);
    let seq = u32::from_be_bytes(*asked[HEADER + 2..].first_chunk().unwrap());
    let datagram = |answer: &[u8]| {
        let mut bytes = Vec::new();
        wire::put_header(&mut bytes, 2, 1, 1, 0);
        wire::put_request(&mut bytes, 1, &Request::PING);
        put_raw_response(&mut bytes, seq, answer);
        bytes
    };
    for spoilt in [&[9][..], &[0, 0], &[2, 1, 2, 3]] {
        assert!(a.hear(ms(1), b.addr, &datagram(spoilt)).is_empty());
    }
    assert_eq!((a.executed, a.calls.blame.malformed), (0, 3));
    assert_eq!(a.hear(ms(1), b.addr, &datagram(&[0])), [1]);
    assert_eq!(a.executed, 1);
}
