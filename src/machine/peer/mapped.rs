//! A port of the router in front of us (docs/PROTOCOL.md, "Mapped ports"): asked for when a nodeset sees us at an
//! address that is not ours, and told to others once an answer has come in through it.

use core::net::SocketAddr;
use core::time::Duration;

use super::{Peer, Stage};
use crate::machine::contract::Gateway;
use crate::machine::mapping::{Mapping, News};
use crate::machine::nodeset::client::Client;
use crate::machine::outbox::Outbox;
use crate::machine::purpose::Purpose;
use crate::machine::rng::Seed;
use crate::machine::time::Time;
use crate::machine::wire::{Cookie, Request, Response};

/// How often a nodeset is asked to answer there, and how long after the last time: what is lost has a second
/// chance, and a third.
const DIALS: u32 = 3;
const DIAL_EVERY: Duration = Duration::from_secs(20);

/// A nodeset that gives out one cookie after the other is left alone.
const COOKIES_MAX: u32 = 3;

/// Whether what the gateway says is true is being asked.
#[derive(Debug, Hash)]
struct Proof {
    port: u16,
    cookie: Cookie,
    cookies: u32,
    dials: u32,
    /// When a nodeset is asked next; `None` while it is.
    due: Option<Time>,
}

/// What a peer has of a router.
#[derive(Debug, Hash)]
pub(super) struct Mapped {
    mapping: Mapping,
    /// The addresses of this computer.
    own: Vec<SocketAddr>,
    proof: Option<Proof>,
    /// Where an answer came in: others are told of it.
    proven: Option<SocketAddr>,
}

impl Mapped {
    pub(super) fn new(seed: &Seed, own: Vec<SocketAddr>) -> Self {
        Self { mapping: Mapping::new(seed), own, proof: None, proven: None }
    }

    pub(super) fn next_wake(&self) -> Option<Time> {
        let proof = self.proof.as_ref().and_then(|proof| proof.due);
        self.mapping.next_wake().into_iter().chain(proof).min()
    }

    /// Whether a datagram is what the gateway says.
    pub(super) fn is_from_gateway(&self, from: SocketAddr, bytes: &[u8]) -> bool {
        self.mapping.is_from_gateway(from, bytes)
    }

    /// We leave: nothing more is asked for.
    pub(super) fn ends(&mut self, now: Time, out: &mut Outbox) {
        self.mapping.wants(now, false, out);
        (self.proof, self.proven) = (None, None);
    }

    /// The addresses that others are told of: the first of our own, then the router's.
    fn addrs(&self) -> Vec<SocketAddr> {
        let mut addrs = self.own.clone();
        if let Some(proven) = self.proven {
            addrs.retain(|addr| *addr != proven);
            addrs.insert(addrs.len().min(1), proven);
        }
        addrs
    }
}

impl Peer {
    /// The default gateway, read again.
    pub(super) fn has_gateway(&mut self, gateway: Option<Gateway>) {
        let news = self.mapped.mapping.gateway(self.now, gateway);
        self.hears_of_mapping(news);
    }

    /// What the gateway says.
    pub(super) fn gateway_says(&mut self, bytes: &[u8]) {
        let news = self.mapped.mapping.take(self.now, bytes, &mut self.calls.blame);
        self.hears_of_mapping(news);
    }

    /// This computer has these addresses.
    pub(super) fn we_are_at(&mut self, addrs: &[SocketAddr]) {
        self.mapped.own = addrs.to_vec();
        self.names_addresses(&self.mapped.addrs());
    }

    /// What is due between us and the gateway.
    pub(super) fn map(&mut self) {
        let inside = matches!(self.stage, Stage::Ready | Stage::Draining { .. });
        let own = &self.mapped.own;
        let translated = |seen: SocketAddr| {
            // A nodeset of this computer sees us at the loopback, and nobody in between.
            let far = seen.is_ipv4() && !seen.ip().is_loopback();
            far && !own.is_empty() && own.iter().all(|own| own.ip() != seen.ip())
        };
        let wanted = inside && self.seen.is_some_and(translated);
        let Self { mapped: Mapped { mapping, .. }, now, out, .. } = self;
        let given_back = mapping.wants(*now, wanted, out);
        let news = mapping.tick(*now, out);
        self.hears_of_mapping(given_back);
        self.hears_of_mapping(news);
        self.ask_to_dial_back();
    }

    fn hears_of_mapping(&mut self, news: Option<News>) {
        match news {
            None => {}
            Some(News::Mapped(external, _)) => {
                let port = external.port();
                let mapped = &mut self.mapped;
                if mapped.proof.as_ref().is_none_or(|proof| proof.port != port) {
                    let (cookie, cookies, dials, due) = ([0; 8], 0, 0, Some(self.now));
                    mapped.proof = Some(Proof { port, cookie, cookies, dials, due });
                }
                if mapped.proven.is_some_and(|proven| proven.port() != port) {
                    self.is_proven(None);
                }
            }
            Some(News::Lost) => {
                self.mapped.proof = None;
                self.is_proven(None);
            }
        }
    }

    /// Asks the nodeset to send its answer there.
    fn ask_to_dial_back(&mut self) {
        let Some(proof) = self.mapped.proof.as_ref() else { return };
        if proof.due.is_none_or(|due| due > self.now) {
            return;
        }
        let request = Request::DialBack { cookie: proof.cookie, port: proof.port };
        let link = self.client.as_ref().map(Client::link).filter(|_| self.holds_a_place());
        let asked = link.is_some_and(|link| {
            self.calls.request(self.now, link, Purpose::DialBack, &request).is_some()
        });
        if let Some(proof) = &mut self.mapped.proof {
            proof.due = Some(self.now + DIAL_EVERY).filter(|_| !asked);
        }
    }

    /// The nodeset has answered: through the router, or that it wants a cookie back.
    pub(super) fn dialed_back(&mut self, response: &Response) {
        let Some(proof) = &mut self.mapped.proof else { return };
        match *response {
            Response::Dialed { at } if at.port() == proof.port => {
                self.mapped.proof = None;
                // Who is seen there is found there anyway.
                self.is_proven(Some(at).filter(|_| self.seen != Some(at)));
            }
            Response::Cookie(cookie) if proof.cookies < COOKIES_MAX => {
                (proof.cookie, proof.due) = (cookie, Some(self.now));
                proof.cookies += 1;
            }
            _ => self.not_dialed_back(),
        }
    }

    /// Nothing came back. A nodeset that says nothing else either shows nothing by that.
    pub(super) fn not_dialed_back(&mut self) {
        let heard = self.hears_nodeset();
        let Some(proof) = &mut self.mapped.proof else { return };
        proof.dials += u32::from(heard);
        (proof.due, proof.cookies) = (Some(self.now + DIAL_EVERY), 0);
        if proof.dials >= DIALS {
            self.mapped.proof = None;
            self.is_proven(None);
        }
    }

    fn is_proven(&mut self, at: Option<SocketAddr>) {
        if self.mapped.proven != at {
            self.mapped.proven = at;
            self.names_addresses(&self.mapped.addrs());
        }
    }
}
