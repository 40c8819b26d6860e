//! Routers that translate addresses, and what they let in (RFC 4787): how an address outside comes about, from
//! where something is passed on to whoever has it, and for how long.
//!
//! A router without an input filter of its own takes what it is not asked for as meant for itself, and notes
//! that; whoever behind it then speaks with the same address outside gets another port for it, as with the
//! connection table of Linux. So two who begin at one moment behind two such routers never meet, unless what
//! the one sends first ends on its way. What nobody has answered is forgotten sooner, as there.

use std::collections::BTreeMap;

use chatrpc::machine::mix;

use crate::clock::SECOND;
use crate::queue::Endpoint;

/// For whom an address outside is the same (RFC 4787, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// For everybody.
    Independent,
    /// For all ports of one computer.
    ByAddress,
    /// For one port of one computer.
    ByPort,
}

/// From whom something is let in (RFC 4787, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// From everybody.
    Open,
    /// From a computer that something was sent to.
    Address,
    /// From a port of a computer that something was sent to.
    Port,
}

/// What a router does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nat {
    /// For whom an address outside is the same.
    pub mapping: Mapping,
    /// From whom something is let in.
    pub filter: Filter,
    /// Whether it takes what it lets nobody have for its own, and keeps that free.
    pub clashes: bool,
    /// What nobody has used for so long is forgotten, microseconds.
    pub expiry_us: u64,
    /// Whether what comes in counts as use.
    pub inbound_refreshes: bool,
}

impl Nat {
    /// A router that maps and filters like that, and forgets after two minutes.
    pub const fn new(mapping: Mapping, filter: Filter) -> Self {
        let expiry_us = 120 * SECOND;
        Self { mapping, filter, clashes: false, expiry_us, inbound_refreshes: true }
    }

    /// The same without an input filter of its own.
    pub const fn clashing(self) -> Self {
        Self { clashes: true, ..self }
    }

    /// The same, which forgets after so many seconds whatever only came in since.
    pub const fn forgetting(self, s: u64) -> Self {
        Self { expiry_us: s * SECOND, inbound_refreshes: false, ..self }
    }

    /// Whether an address outside depends on who is spoken with.
    pub fn is_hard(&self) -> bool {
        self.mapping != Mapping::Independent
    }
}

/// What a router keeps of two who speak through it.
#[derive(Clone, Copy, Debug)]
struct Flow {
    port: u16,
    used: u64,
    /// Something has come back.
    answered: bool,
    /// The port is of this flow alone, since it clashed with one of the router's own.
    odd: bool,
}

/// What nobody has answered is forgotten after so long, at the latest.
const UNANSWERED_US: u64 = 30 * SECOND;

/// What a router remembers before what is over is looked for.
const FLOWS_MANY: usize = 256;

/// A router, and the network in front of it.
#[derive(Clone, Debug)]
pub(crate) struct Router {
    pub(crate) nat: Nat,
    /// The router outside, if there is another one.
    pub(crate) behind: Option<usize>,
    /// The first computer behind it: what comes to it comes over that one's links.
    pub(crate) owner: u16,
    /// By who is inside, and whom they speak with outside.
    flows: BTreeMap<(Endpoint, Endpoint), Flow>,
    /// What it took for its own: port here, and from where; when, last.
    own: BTreeMap<(u16, Endpoint), u64>,
    drawn: u64,
}

impl Router {
    pub(crate) fn new(nat: Nat, behind: Option<usize>, owner: u16) -> Self {
        let (flows, own) = (BTreeMap::new(), BTreeMap::new());
        Self { nat, behind, owner, flows, own, drawn: u64::from(owner) << 32 }
    }

    fn is_alive(&self, now: u64, flow: &Flow) -> bool {
        let expiry = self.nat.expiry_us;
        now - flow.used < if flow.answered { expiry } else { expiry.min(UNANSWERED_US) }
    }

    fn is_own(&self, now: u64, used: u64) -> bool {
        now - used < self.nat.expiry_us.min(UNANSWERED_US)
    }

    /// The port outside of what somebody inside sends there.
    pub(crate) fn out(&mut self, now: u64, from: Endpoint, to: Endpoint) -> u16 {
        let known = self.flows.get(&(from, to)).copied();
        let flow = known.filter(|flow| self.is_alive(now, flow));
        let flow = flow.unwrap_or_else(|| {
            let (port, odd) = self.map(now, from, to);
            Flow { port, used: now, answered: false, odd }
        });
        if self.flows.len() + self.own.len() >= FLOWS_MANY {
            let expiry = self.nat.expiry_us;
            self.flows.retain(|_, flow| now - flow.used < expiry);
            self.own.retain(|_, used| now - *used < expiry);
        }
        self.flows.insert((from, to), Flow { used: now, ..flow });
        flow.port
    }

    fn map(&mut self, now: u64, from: Endpoint, to: Endpoint) -> (u16, bool) {
        let shared = |other: Endpoint| match self.nat.mapping {
            Mapping::Independent => true,
            Mapping::ByAddress => other.host == to.host,
            Mapping::ByPort => false,
        };
        let mut flows = self.flows.iter().filter(|(_, flow)| self.is_alive(now, flow));
        let same =
            flows.find(|((inside, other), flow)| *inside == from && shared(*other) && !flow.odd);
        let port = match same {
            Some((_, flow)) => flow.port,
            None if self.nat.is_hard() || self.is_taken(now, from.port) => self.draw(now),
            None => from.port,
        };
        let own = self.own.get(&(port, to)).is_some_and(|&used| self.is_own(now, used));
        if own { (self.draw(now), true) } else { (port, false) }
    }

    fn is_taken(&self, now: u64, port: u16) -> bool {
        self.flows.values().any(|flow| flow.port == port && self.is_alive(now, flow))
    }

    fn draw(&mut self, now: u64) -> u16 {
        loop {
            self.drawn += 1;
            let port = 20_000 + (mix(self.drawn) % 40_000) as u16;
            if !self.is_taken(now, port) {
                return port;
            }
        }
    }

    /// Who inside gets what comes from there to a port outside; nobody, if it is let in to none.
    pub(crate) fn inward(&mut self, now: u64, from: Endpoint, port: u16) -> Option<Endpoint> {
        let lets = |other: Endpoint| match self.nat.filter {
            Filter::Open => true,
            Filter::Address => other.host == from.host,
            Filter::Port => other == from,
        };
        let has = |key: &(Endpoint, Endpoint), flow: &Flow| {
            flow.port == port && self.is_alive(now, flow) && lets(key.1)
        };
        let all = || self.flows.iter().filter(|(key, flow)| has(key, flow)).map(|(&key, _)| key);
        let found = all().find(|key| key.1 == from).or_else(|| all().next());
        match found {
            Some(key) => {
                if let Some(flow) = self.flows.get_mut(&key) {
                    flow.answered = true;
                    flow.used = if self.nat.inbound_refreshes { now } else { flow.used };
                }
                Some(key.0)
            }
            None => {
                if self.nat.clashes {
                    self.own.insert((port, from), now);
                }
                None
            }
        }
    }

    /// It is switched off and on.
    pub(crate) fn forget(&mut self) {
        self.flows.clear();
        self.own.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(host: u16, port: u16) -> Endpoint {
        Endpoint { host, port }
    }

    const CONE: Nat = Nat::new(Mapping::Independent, Filter::Port);

    #[test]
    fn an_address_outside_is_the_same_for_whom_it_should_be() {
        for (mapping, alike) in [
            (Mapping::Independent, [true, true]),
            (Mapping::ByAddress, [true, false]),
            (Mapping::ByPort, [false, false]),
        ] {
            let mut router = Router::new(Nat::new(mapping, Filter::Port), None, 1);
            let first = router.out(0, at(1, 4000), at(7, 1));
            let others = [at(7, 2), at(8, 1)].map(|to| router.out(0, at(1, 4000), to) == first);
            assert_eq!(others, alike, "{mapping:?}");
            assert_eq!(router.out(1, at(1, 4000), at(7, 1)), first);
            let beside = router.out(1, at(2, 4000), at(7, 1));
            assert_ne!(beside, first, "two inside share no port");
        }
    }

    #[test]
    fn who_was_not_spoken_with_is_let_in_as_the_filter_says() {
        for (filter, lets) in [
            (Filter::Open, [true, true, true]),
            (Filter::Address, [true, true, false]),
            (Filter::Port, [true, false, false]),
        ] {
            let mut router = Router::new(Nat::new(Mapping::Independent, filter), None, 1);
            let port = router.out(0, at(1, 4000), at(7, 1));
            let from = [at(7, 1), at(7, 2), at(8, 1)];
            let let_in = from.map(|from| router.inward(1, from, port) == Some(at(1, 4000)));
            assert_eq!(let_in, lets, "{filter:?}");
            assert_eq!(router.inward(1, at(7, 1), port + 1), None);
        }
    }

    #[test]
    fn what_nobody_uses_is_forgotten() {
        for refreshes in [true, false] {
            let nat = Nat { inbound_refreshes: refreshes, expiry_us: 100, ..CONE };
            let mut router = Router::new(nat, None, 1);
            let port = router.out(0, at(1, 4000), at(7, 1));
            assert!(router.inward(90, at(7, 1), port).is_some());
            assert_eq!(router.inward(150, at(7, 1), port).is_some(), refreshes);
            router.forget();
            assert_eq!(router.inward(150, at(7, 1), port), None);
        }
        for answered in [true, false] {
            let mut router = Router::new(CONE, None, 1);
            let port = router.out(0, at(1, 4000), at(7, 1));
            assert!(!answered || router.inward(1, at(7, 1), port).is_some());
            let late = router.inward(UNANSWERED_US + 1, at(7, 1), port);
            assert_eq!(late.is_some(), answered, "what nobody has answered, sooner");
        }
    }

    #[test]
    fn what_a_router_took_for_its_own_costs_the_port() {
        for clashes in [true, false] {
            let mut router = Router::new(Nat { clashes, ..CONE }, None, 1);
            let port = router.out(0, at(1, 4000), at(7, 1));
            assert_eq!(router.inward(1, at(9, 1), port), None);
            assert_eq!(router.out(2, at(1, 4000), at(9, 1)) == port, !clashes);
            assert_eq!(router.out(2, at(1, 4000), at(9, 2)), port, "and no other");
            let later = router.out(3 * UNANSWERED_US, at(1, 4000), at(9, 1));
            assert_eq!(later, port, "and not for ever");
        }
    }
}
