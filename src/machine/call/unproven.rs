//! First messages to addresses where nobody has answered yet: few to each, few to each computer, and few
//! in all, however many persons are said to be there. Beacons and nodesets can name anybody's address.

use std::collections::BTreeMap;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::{About, Calls};
use crate::machine::pace::{Pace, Rate};
use crate::machine::time::Time;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::Sender;

/// To one address: five in half a minute.
const TO_ADDRESS: Rate = Rate::new(Duration::from_secs(6), 5);

/// To one computer that nobody has answered from, at whatever port.
const TO_COMPUTER: Rate = Rate::new(Duration::from_secs(2), 16);

/// In all: those of a large room at once, and from then on 50 a second.
const IN_ALL: Rate = Rate::new(Duration::from_millis(20), 256);

/// What has used up nothing is forgotten this often.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// Addresses and computers that are remembered.
pub(super) const REMEMBERED_MAX: usize = 4096;

#[derive(Debug, Default, Hash)]
pub(super) struct Unproven {
    addresses: BTreeMap<SocketAddr, Pace>,
    computers: BTreeMap<IpAddr, Pace>,
    all: Pace,
    /// When what has used up nothing was forgotten last.
    tidied: Time,
}

impl Unproven {
    /// Whether one more may go to an address where they have not answered. `answers` says whether anybody else has
    /// from there, and `inhabited` whether from another port of that computer.
    pub(super) fn may_go(
        &mut self,
        now: Time,
        (to, answers): (SocketAddr, bool),
        inhabited: impl FnOnce() -> bool,
    ) -> bool {
        if self.len() >= REMEMBERED_MAX || now.since(self.tidied) >= TIDY_EVERY {
            self.tidied = now;
            self.addresses.retain(|_, pace| pace.idle_at(now) > now);
            self.computers.retain(|_, pace| pace.idle_at(now) > now);
        }
        if self.len() >= REMEMBERED_MAX {
            return false;
        }
        let address = self.addresses.entry(to).or_default();
        let computer = self.computers.entry(to.ip()).or_default();
        let free = (answers || address.next(TO_ADDRESS) <= now) && self.all.next(IN_ALL) <= now;
        if !free || !computer.take(now, TO_COMPUTER) && (answers || !inhabited()) {
            return false;
        }
        address.take(now, TO_ADDRESS);
        self.all.take(now, IN_ALL)
    }

    pub(super) fn len(&self) -> usize {
        self.addresses.len().max(self.computers.len())
    }
}

impl<T: About> Calls<T> {
    /// Whoever is at that address has shown, in another way than by an answer, that they receive what is sent
    /// there: what they are told is not counted against what they sent any more.
    pub(crate) fn receives(&mut self, addr: SocketAddr) {
        let Self { by_peer, links, .. } = self;
        let there = (addr, Sender::Open(0))..=(addr, Sender::Sealed(PeerId(u64::MAX)));
        for (_, key) in by_peer.range(there) {
            if let Some(link) = links.get_mut(*key) {
                link.credit = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    fn to(computer: u16, port: u16) -> SocketAddr {
        let [high, low] = computer.to_be_bytes();
        SocketAddr::from(([10, 0, high, low], port))
    }

    /// How many go to these addresses in half a minute, tried every 10 ms, where others answer or next to those.
    fn sent(addrs: &[SocketAddr], (answers, inhabited): (bool, bool)) -> usize {
        let mut unproven = Unproven::default();
        let times = (0..3_000).map(|n| at(n * 10));
        let tries = times.flat_map(|now| addrs.iter().map(move |&addr| (now, addr)));
        tries.filter(|&(now, addr)| unproven.may_go(now, (addr, answers), || inhabited)).count()
    }

    #[test]
    fn few_go_to_who_never_answers() {
        assert!((5..=10).contains(&sent(&[to(1, 1)], (false, false))), "one address");
        let ports: Vec<SocketAddr> = (1..200).map(|port| to(1, port)).collect();
        assert!((16..=31).contains(&sent(&ports, (false, false))), "one computer");
        let sent_there = sent(&ports, (false, true));
        assert!(sent_there > 900, "somebody answers there: {sent_there}");
        assert!((16..=31).contains(&sent(&[to(1, 1)], (true, true))), "somebody else answers");
    }

    #[test]
    fn few_go_out_in_all_and_what_is_remembered_is_bounded() {
        let all: Vec<SocketAddr> = (1..2_000).map(|n| to(n, 1)).collect();
        let sent = sent(&all, (false, false));
        assert!((256..=256 + 1_500).contains(&sent), "{sent}");
        let mut unproven = Unproven::default();
        for n in 0..3 * REMEMBERED_MAX as u64 {
            unproven.may_go(at(n), (to(n as u16, n as u16 | 1), false), || true);
            assert!(unproven.len() <= REMEMBERED_MAX);
        }
    }
}
