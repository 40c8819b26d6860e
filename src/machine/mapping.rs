//! Asking the router in front of us to pass on what comes to a port of its own: PCP (RFC 6887) and, where that
//! is not spoken, NAT-PMP (RFC 6886).
//!
//! One mapping of UDP, for the one socket that a process has: from the default gateway alone, as long as it is
//! wanted. It is asked for again before it ends, as soon as the gateway shows that it has forgotten all of
//! them (RFC 6887, section 8.5; RFC 6886, section 3.6), and given back at the end.
//!
//! What this does not do: it believes nothing. That a gateway names an address says that it does so; whether
//! anybody comes in there is for others to show (`peer/mapped.rs`). It makes no mapping of IPv6, hears nothing
//! that gateways send to everybody, and knows no UPnP.

mod bytes;
#[cfg(test)]
mod tests;

use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use self::bytes::{About, Answer, Dialect, Nonce, UNSUPP_VERSION, Wish};
use crate::machine::contract::{Blame, Gateway};
use crate::machine::outbox::{Outbox, Way};
use crate::machine::rng::{Rng, Seed};
use crate::machine::time::Time;

/// Where gateways listen (RFC 6887, section 19.1; RFC 6886, section 5).
const PORT: u16 = 5351;

/// For how long a mapping is asked for. RFC 6886 recommends two hours; a router that was restarted is noticed
/// at a renewal, and a process that was killed keeps its port so long.
const LIFETIME: Duration = Duration::from_secs(600);

/// A gateway may say a day, and no more is believed (RFC 6887, section 15).
const LIFETIME_MAX: Duration = Duration::from_secs(86_400);

/// The first pause between two questions, and the longest: IRT and MRT of RFC 6887, section 8.1.1. NAT-PMP
/// begins with a shorter one (RFC 6886, section 3.1), and goes on like PCP where it would give up.
const PCP_FIRST: Duration = Duration::from_secs(3);
const NAT_PMP_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(1024);

/// A mapping is not renewed more often than this (RFC 6887, section 11.2.1).
const RENEW_MIN: Duration = Duration::from_secs(4);

/// How long a gateway that has refused is not asked, if it does not say, at least and at most (RFC 6887, section
/// 7.4: half a minute for what passes, half an hour for what does not).
const REFUSED_MIN: Duration = Duration::from_secs(30);
const REFUSED_MAX: Duration = Duration::from_secs(1800);

/// What a gateway refuses for want of something that may be there soon: NETWORK_FAILURE and NO_RESOURCES of
/// both, in their numbers.
const PASSES: [(Dialect, u16); 4] =
    [(Dialect::Pcp, 7), (Dialect::Pcp, 8), (Dialect::NatPmp, 3), (Dialect::NatPmp, 4)];

/// What has become of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The gateway says that what comes there is passed on to us for so long; as before, or anew.
    Mapped(SocketAddr, Duration),
    /// It is no more.
    Lost,
}

/// A mapping that the gateway says it has made.
#[derive(Clone, Copy, Debug, Hash)]
struct Held {
    external: (IpAddr, u16),
    until: Time,
}

/// The clock of a gateway: what it said, and when.
#[derive(Clone, Copy, Debug, Hash)]
struct Epoch {
    said: u32,
    at: Time,
}

/// The mapping of one process.
#[derive(Debug)]
pub(crate) struct Mapping {
    gateway: Option<Gateway>,
    wanted: bool,
    dialect: Dialect,
    /// The external address, where it does not come with the mapping.
    address: Option<Ipv4Addr>,
    held: Option<Held>,
    /// What was mapped last: it is asked for again.
    suggested: Option<(IpAddr, u16)>,
    epoch: Option<Epoch>,
    /// When the gateway is asked next, and the pause before that.
    due: Option<Time>,
    pause: Duration,
    /// It was asked since it answered last.
    asked: bool,
    /// It may have forgotten what is held.
    doubted: bool,
    nonce: Nonce,
    rng: Rng,
}

/// Whoever knows the nonce can say what the gateway says: no hash tells it.
impl Hash for Mapping {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { gateway, wanted, dialect, address, held, .. } = self;
        (gateway, wanted, dialect, address, held).hash(state);
        let Self { suggested, epoch, due, pause, asked, doubted, nonce: _, rng, .. } = self;
        (suggested, epoch, due, pause, (asked, doubted), rng).hash(state);
    }
}

impl Mapping {
    /// Nothing is asked for yet.
    pub(crate) fn new(seed: &Seed) -> Self {
        let mut nonce = Nonce::default();
        let (len, bytes) = (nonce.len(), seed.bytes("mapping", 0));
        nonce.copy_from_slice(&bytes[..len]);
        Self {
            gateway: None,
            wanted: false,
            dialect: Dialect::Pcp,
            address: None,
            held: None,
            suggested: None,
            epoch: None,
            due: None,
            pause: Duration::ZERO,
            asked: false,
            doubted: false,
            nonce,
            rng: seed.stream("mapping"),
        }
    }

    /// The default gateway, read again. What another one has mapped is lost.
    pub(crate) fn gateway(&mut self, now: Time, gateway: Option<Gateway>) -> Option<News> {
        if gateway == self.gateway {
            return None;
        }
        self.gateway = gateway;
        (self.dialect, self.address, self.epoch) = (Dialect::Pcp, None, None);
        (self.suggested, self.asked, self.doubted) = (None, false, false);
        self.due = None;
        self.ask_soon(now);
        self.held.take().map(|_| News::Lost)
    }

    /// Whether anything translates addresses in front of us, so that a mapping would be of use.
    pub(crate) fn wants(&mut self, now: Time, wanted: bool, out: &mut Outbox) -> Option<News> {
        if wanted == self.wanted {
            return None;
        }
        self.wanted = wanted;
        if wanted {
            self.ask_soon(now);
            return None;
        }
        self.due = None;
        self.give_back(out)
    }

    /// Others see us elsewhere than before: the gateway may have been restarted, and know nothing any more.
    pub(crate) fn doubts(&mut self, now: Time) {
        if self.held.is_some() {
            (self.address, self.doubted) = (None, true);
            self.ask_soon(now);
        }
    }

    /// Ends the mapping at the gateway, if there is one (RFC 6887, section 15; RFC 6886, section 3.4): once, and
    /// without an answer. One that gets lost ends by itself.
    pub(crate) fn give_back(&mut self, out: &mut Outbox) -> Option<News> {
        self.held.take()?;
        (self.suggested, self.due) = (None, None);
        self.ask(0, out);
        Some(News::Lost)
    }

    /// Whether a datagram is for this machine: it is from the gateway, and has the form of what that says.
    pub(crate) fn is_from_gateway(&self, from: SocketAddr, bytes: &[u8]) -> bool {
        let there = self.gateway.is_some_and(|gateway| from == at(gateway));
        there && self.wanted && bytes::is_answer(bytes)
    }

    /// Takes what the gateway says.
    pub(crate) fn take(&mut self, now: Time, bytes: &[u8], blame: &mut Blame) -> Option<News> {
        let Ok(answer) = bytes::read(bytes) else {
            blame.malformed += 1;
            return None;
        };
        // No gateway that speaks PCP answers in NAT-PMP but to say that it does not speak it.
        let other = answer.dialect != self.dialect && answer.result != UNSUPP_VERSION;
        if other || !self.is_ours(&answer) {
            blame.unknown_call += 1;
            return None;
        }
        // Whoever does not speak as we do has no clock that compares.
        let epoch = answer.epoch.filter(|_| answer.result != UNSUPP_VERSION);
        let forgotten = epoch.is_some_and(|epoch| self.has_forgotten(now, epoch));
        match (answer.result, answer.about) {
            (0, About::Map { external, .. }) => return self.mapped(now, external, answer.lifetime),
            (0, About::Address(ip)) => {
                let ip = Some(ip).filter(|ip| !ip.is_unspecified());
                if ip != self.address {
                    self.address = ip;
                    self.ask_soon(now);
                }
            }
            (0, About::Nothing) => {}
            (UNSUPP_VERSION, _) => self.speaks(now, answer.dialect),
            (result, _) => self.refused(now, (answer.dialect, result), answer.lifetime),
        }
        if forgotten {
            self.doubts(now);
        }
        None
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Time, out: &mut Outbox) -> Option<News> {
        let over = self.held.take_if(|held| held.until <= now).map(|_| News::Lost);
        if over.is_some() {
            self.due = None;
            self.ask_soon(now);
        }
        if self.due.is_some_and(|due| due <= now) {
            self.ask(seconds(LIFETIME), out);
            self.asked = true;
            self.due = Some(now + self.next_pause(now));
        }
        over
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.due.into_iter().chain(self.held.map(|held| held.until)).min()
    }

    /// Asks now, and then ever more rarely, if there is somebody to ask and something to ask for.
    fn ask_soon(&mut self, now: Time) {
        if self.wanted && self.gateway.is_some() {
            (self.due, self.pause) = (Some(now), Duration::ZERO);
        }
    }

    /// How long it is until the next question, once this one was asked.
    fn next_pause(&mut self, now: Time) -> Duration {
        if let Some(held) = self.held.filter(|_| !self.doubted) {
            // Between a half and five eighths of what is left, each time (RFC 6887, section 11.2.1).
            return self.renewal(held.until.since(now));
        }
        let first = if self.dialect == Dialect::Pcp { PCP_FIRST } else { NAT_PMP_FIRST };
        let pause = if self.pause.is_zero() { first } else { (2 * self.pause).min(PAUSE_MAX) };
        self.pause = self.rng.jitter(pause, 10);
        self.pause
    }

    fn renewal(&mut self, left: Duration) -> Duration {
        self.rng.stretch(left / 2, 4).max(RENEW_MIN)
    }

    fn ask(&self, lifetime: u32, out: &mut Outbox) {
        let Some(gateway) = self.gateway else { return };
        let (to, own) = (at(gateway), (gateway.own, gateway.port));
        out.go_by(to, Way::Direct(Some(IpAddr::V4(gateway.own))));
        if self.dialect == Dialect::NatPmp && self.address.is_none() && lifetime > 0 {
            out.send(to, bytes::put_address);
        }
        let wish = Wish { own, suggested: self.suggested, lifetime, nonce: self.nonce };
        out.send(to, |bytes| bytes::put_map(bytes, self.dialect, wish));
    }

    /// Whether an answer is one to us: to the nonce and the port that we ask with. A refusal for its version
    /// names neither.
    fn is_ours(&self, answer: &Answer) -> bool {
        let Some(gateway) = self.gateway else { return false };
        match answer.about {
            About::Map { nonce, internal, .. } => {
                internal == gateway.port && nonce.is_none_or(|nonce| nonce == self.nonce)
            }
            About::Address(_) => self.dialect == Dialect::NatPmp,
            About::Nothing => answer.result == 0 || self.asked,
        }
    }

    fn mapped(
        &mut self,
        now: Time,
        (ip, port): (Option<IpAddr>, u16),
        lifetime: u32,
    ) -> Option<News> {
        let Some(ip) = ip.or(self.address.map(IpAddr::V4)) else {
            // The external address is asked for once more.
            return None;
        };
        let ended = lifetime == 0 || port == 0 || ip.is_unspecified();
        if ended {
            let lost = self.held.take().map(|_| News::Lost);
            self.due = Some(now + REFUSED_MIN);
            return lost;
        }
        let lifetime = Duration::from_secs(lifetime.into()).min(LIFETIME_MAX);
        self.held = Some(Held { external: (ip, port), until: now + lifetime });
        (self.suggested, self.pause) = (Some((ip, port)), Duration::ZERO);
        (self.asked, self.doubted) = (false, false);
        self.due = Some(now + self.renewal(lifetime));
        Some(News::Mapped(SocketAddr::new(ip, port), lifetime))
    }

    /// The gateway does not speak as we do: it is asked in the other dialect, if it names that. One that refuses
    /// both is left alone for a while.
    fn speaks(&mut self, now: Time, theirs: Dialect) {
        match (self.dialect, theirs) {
            (Dialect::Pcp, Dialect::NatPmp) => {
                (self.dialect, self.epoch) = (theirs, None);
                self.ask_soon(now);
            }
            // It is what we asked before that is refused, once more.
            (Dialect::NatPmp, Dialect::NatPmp) => {}
            (_, Dialect::Pcp) => {
                (self.dialect, self.epoch) = (theirs, None);
                self.due = Some(now + REFUSED_MAX);
            }
        }
    }

    /// It is not asked for a while; what it has mapped stays until it ends.
    fn refused(&mut self, now: Time, result: (Dialect, u16), lifetime: u32) {
        let usual = if PASSES.contains(&result) { REFUSED_MIN } else { REFUSED_MAX };
        let said = Duration::from_secs(lifetime.into()).clamp(REFUSED_MIN, REFUSED_MAX);
        self.due = Some(now + if lifetime > 0 { said } else { usual });
        (self.pause, self.asked) = (Duration::ZERO, false);
    }

    /// Whether the gateway has forgotten its mappings since it spoke last, by its clock and ours.
    fn has_forgotten(&mut self, now: Time, said: u32) -> bool {
        let Some(before) = self.epoch.replace(Epoch { said, at: now }) else { return false };
        let ours = now.since(before.at).as_secs();
        let (said, earlier) = (u64::from(said), u64::from(before.said));
        match self.dialect {
            // Section 8.5 of RFC 6887: backwards by more than a second, or a sixteenth and two seconds off.
            Dialect::Pcp => {
                let theirs = said.saturating_sub(earlier);
                let slow = ours + 2 < theirs - theirs / 16;
                said + 1 < earlier || slow || theirs + 2 < ours - ours / 16
            }
            // Section 3.6 of RFC 6886: more than two seconds below seven eighths of what has passed.
            Dialect::NatPmp => said + 2 < earlier + ours * 7 / 8,
        }
    }
}

/// Where a gateway listens.
const fn at(gateway: Gateway) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(gateway.at), PORT)
}

fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}
