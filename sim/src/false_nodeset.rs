//! A nodeset that lies: behind it is a real one, and what that one says is changed on its way out.
//!
//! It is in league with a member, so that some of those it invents are well sealed. What it cannot do
//! is sign for others, and neither seal nor open what it was not given the room's keys for; that it
//! has them here makes it the worse.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use chatrpc::machine::wire::{
    Asked, Change, DATAGRAM_MAX, Datagram, Departure, Gone, Listed, Packet, Page, Request,
    Response, put_header, put_request, put_response,
};
use chatrpc::machine::{
    Action, Blame, Handle, Identity, Incarnation, Input, Machine, Registry, RegistryConfig, SEALED,
    Sealed, Seed, Table, Time, Wake,
};

use crate::clock::SECOND;
use crate::draw::{Draws, LIES};
use crate::insider::Insider;
use crate::liar::LiarConfig;
use crate::outgoing::Outgoing;

/// People in league with it.
const LEAGUE: u64 = 4;
/// What was asked of it, and what it announced: so much is remembered.
const ASKED_MAX: usize = 1_024;
const OLD_MAX: usize = 16;
/// It repeats itself that often.
const REPEAT_US: u64 = 2 * SECOND;

/// One way to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// It lists people who never were, at addresses of others: as noise, and well sealed.
    Invent,
    /// It lists people at addresses that are not theirs.
    Elsewhere,
    /// It says that people have left, timed out or were replaced.
    Gone,
    /// Its pages lead nowhere, or never end.
    Endless,
    /// Its versions are at the limits.
    Limits,
    /// It answers with other statuses.
    Statuses,
    /// It wants to see another cookie whenever it is asked for a lease.
    Cookies,
    /// Every answer is of another process.
    Restarts,
    /// It tells some members of some only.
    Split,
    /// It announces again what it announced before.
    Repeat,
}

/// Every way.
pub const LIES_TOLD: [Lie; 10] = [
    Lie::Invent,
    Lie::Elsewhere,
    Lie::Gone,
    Lie::Endless,
    Lie::Limits,
    Lie::Statuses,
    Lie::Cookies,
    Lie::Restarts,
    Lie::Split,
    Lie::Repeat,
];

/// A set of lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lies(u32);

impl Lies {
    /// These.
    pub fn of(lies: &[Lie]) -> Self {
        Self(lies.iter().fold(0, |set, &lie| set | 1 << lie as u32))
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it is one of them.
    pub const fn has(self, lie: Lie) -> bool {
        self.0 >> lie as u32 & 1 == 1
    }
}

impl std::fmt::Display for Lies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = LIES_TOLD.into_iter().filter(|&one| self.has(one));
        let names: Vec<String> = all.map(|one| format!("{one:?}").to_lowercase()).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(","))
    }
}

/// A lying nodeset.
#[derive(Debug)]
pub struct FalseNodeset {
    honest: Registry,
    lies: Lies,
    config: LiarConfig,
    league: Vec<Insider>,
    /// What each request it answers was about, by its sender and number.
    asked: BTreeMap<(SocketAddr, u32), Asked>,
    /// Announcements of before, and to whom.
    old: VecDeque<(SocketAddr, Vec<u8>)>,
    repeat_at: u64,
    /// Datagrams it has sent.
    sent: u64,
    out: Outgoing,
}

impl FalseNodeset {
    /// A nodeset that tells those lies.
    pub fn new(config: LiarConfig, lies: Lies) -> Self {
        let mut d = Draws::new(config.seed, LIES, u64::MAX, 0);
        let (seed, incarnation) = (Seed(words(&mut d)), Incarnation::at(config.incarnation));
        let honest = RegistryConfig::new(seed, incarnation, 4096);
        let mut league = Vec::new();
        let mut out = Outgoing::default();
        for n in 0..LEAGUE {
            let insider = Insider::with(Identity::new(&words(&mut d)), config.incarnation + n);
            let insider = insider.sealing(config.suite).of(config.room.clone());
            out.unmask(&insider, &name(n));
            league.push(insider);
        }
        Self {
            honest: Registry::new(honest),
            lies,
            config,
            league,
            asked: BTreeMap::new(),
            old: VecDeque::new(),
            repeat_at: 0,
            sent: 0,
            out,
        }
    }

    fn note(&mut self, from: SocketAddr, bytes: &[u8]) {
        let Ok(datagram) = Datagram::decode(bytes) else { return };
        for packet in datagram.packets() {
            let Packet::Request { seq, request } = packet else { continue };
            let asked = match request {
                Request::Who { .. } => Asked::Who,
                Request::Register { .. } => Asked::Register,
                _ => Asked::Other,
            };
            if self.asked.len() >= ASKED_MAX {
                self.asked.pop_first();
            }
            self.asked.insert((from, seq), asked);
        }
    }

    /// What the honest one says, as this one says it.
    fn relay(&mut self, now: Time, to: SocketAddr, bytes: &[u8]) {
        self.sent += 1;
        let mut d = Draws::new(self.config.seed, LIES, self.sent, 1);
        let Ok(datagram) = Datagram::decode(bytes) else { return };
        let mut incarnation = datagram.sender.incarnation();
        if self.lies.has(Lie::Restarts) {
            incarnation = incarnation.wrapping_add(d.below(1_000));
        }
        let mut told = Vec::new();
        put_header(&mut told, incarnation, datagram.receiver, datagram.stamp, datagram.echo);
        for packet in datagram.packets() {
            let before = told.len();
            match packet {
                Packet::Response { seq, payload } => {
                    let asked = self.asked.get(&(to, seq)).copied().unwrap_or(Asked::Other);
                    let Ok(response) = Response::decode(asked, payload) else { continue };
                    let response = self.response(to, response, &mut d);
                    put_response(&mut told, seq, &response);
                }
                Packet::Request { seq, request } => {
                    let request = self.announcement(to, request, &mut d);
                    put_request(&mut told, seq, &request);
                }
            }
            if told.len() > DATAGRAM_MAX {
                told.truncate(before);
            }
        }
        self.remember(to, &told, now);
        self.out.send(to, told);
    }

    fn remember(&mut self, to: SocketAddr, told: &[u8], now: Time) {
        let announces = Datagram::decode(told)
            .is_ok_and(|datagram| datagram.packets().any(|p| matches!(p, Packet::Request { .. })));
        if announces {
            if self.old.len() == OLD_MAX {
                self.old.pop_front();
            }
            self.old.push_back((to, told.to_vec()));
        }
        if self.repeat_at == 0 {
            self.repeat_at = now.as_micros() + REPEAT_US;
        }
    }

    fn response(&self, to: SocketAddr, response: Response, d: &mut Draws) -> Response {
        if self.lies.has(Lie::Statuses) && d.chance(300_000) {
            return match d.below(5) {
                0 => Response::Unknown,
                1 => Response::Full,
                2 => Response::Version(d.bits() as u8),
                3 => Response::Cookie(d.bits().to_be_bytes()),
                _ => Response::Ok,
            };
        }
        match response {
            Response::Lease { .. } if self.lies.has(Lie::Cookies) => {
                Response::Cookie(d.bits().to_be_bytes())
            }
            Response::Page(page) => Response::Page(self.page(to, page, d)),
            Response::Lease { node, elsewhere, seen, page } => {
                let seen = if self.lies.has(Lie::Elsewhere) { self.config.third[0] } else { seen };
                Response::Lease { node, elsewhere, seen, page: self.page(to, page, d) }
            }
            other => other,
        }
    }

    fn page(&self, to: SocketAddr, page: Page, d: &mut Draws) -> Page {
        let Page { mut after, mut reached, mut current, changes } = page;
        let mut changes: Vec<Change> =
            changes.into_iter().filter_map(|change| self.change(to, change, d)).collect();
        if self.lies.has(Lie::Invent) {
            changes.insert(0, Change::Present(self.invented(d)));
            changes.truncate(3);
        }
        if self.lies.has(Lie::Endless) {
            if d.chance(500_000) {
                changes.clear();
            }
            match d.below(3) {
                0 => current = reached.saturating_add(1_000_000),
                1 => (after, reached, current) = (reached, after, reached.saturating_add(1)),
                _ => {
                    let far = d.below(1 << 40);
                    (reached, current) =
                        (reached.saturating_add(far), reached.saturating_add(far + 9));
                }
            }
        }
        if self.lies.has(Lie::Limits) {
            let any = d.bits();
            let mut extreme = || d.one_of(&[u64::MAX, u64::MAX - 1, any, 0, reached, current]);
            (after, reached, current) = (extreme(), extreme(), extreme());
        }
        Page { after, reached, current, changes }
    }

    /// A change as it is told to that member; `None` when it is kept from it.
    fn change(&self, to: SocketAddr, change: Change, d: &mut Draws) -> Option<Change> {
        match change {
            Change::Present(listed) => Some(match self.listed(to, listed, d)? {
                listed if self.lies.has(Lie::Gone) && d.chance(300_000) => {
                    Change::Gone(self.gone(listed.handle, d))
                }
                listed => Change::Present(listed),
            }),
            gone => Some(gone),
        }
    }

    fn listed(&self, to: SocketAddr, mut listed: Listed, d: &mut Draws) -> Option<Listed> {
        if self.lies.has(Lie::Split) {
            // The same two never hear of each other, whenever they ask.
            let Handle(handle) = listed.handle;
            let side = Draws::new(self.config.seed, LIES, handle, number(to)).bits();
            if side.is_multiple_of(2) {
                return None;
            }
        }
        if self.lies.has(Lie::Elsewhere) && d.chance(500_000) {
            let somebody = d.one_of(&self.config.others);
            listed.seen = d.one_of(&[self.config.third[0], self.config.third[1], somebody, to]);
        }
        Some(listed)
    }

    fn gone(&self, handle: Handle, d: &mut Draws) -> Gone {
        let how = match d.below(4) {
            0 => Departure::Timeout,
            1 => Departure::Replaced,
            2 => Departure::Quit(noise(d)),
            // A goodbye, though not theirs.
            _ => Departure::Quit(
                self.league[0].farewell().seal(self.config.suite, &self.config.room),
            ),
        };
        Gone { handle, how }
    }

    /// Somebody who never was, at an address of somebody who takes no part.
    fn invented(&self, d: &mut Draws) -> Listed {
        let seen = self.config.third[d.below(2) as usize];
        if d.chance(300_000) {
            return Listed { handle: Handle(d.bits()), seen, sealed: noise(d) };
        }
        let n = d.below(LEAGUE);
        let [one, other] = self.config.third;
        let (handle, sealed) = self.league[n as usize].sealed(&name(n), vec![one, other]);
        Listed { handle, seen, sealed }
    }

    fn announcement<'a>(&self, to: SocketAddr, request: Request<'a>, d: &mut Draws) -> Request<'a> {
        match request {
            Request::AddMember { reached, members } => {
                let handles: Vec<Handle> = members.iter().map(|listed| listed.handle).collect();
                if self.lies.has(Lie::Gone) && d.chance(300_000) {
                    let members = handles.into_iter().map(|handle| self.gone(handle, d)).collect();
                    return Request::RemoveMember { reached, members };
                }
                let mut members: Vec<Listed> =
                    members.into_iter().filter_map(|listed| self.listed(to, listed, d)).collect();
                if self.lies.has(Lie::Invent) {
                    members.insert(0, self.invented(d));
                    members.truncate(3);
                }
                Request::AddMember { reached, members }
            }
            other => other,
        }
    }

    /// Says again what it said before, under another number.
    fn repeat(&mut self, now: Time) {
        if self.repeat_at == 0 || now.as_micros() < self.repeat_at {
            return;
        }
        self.repeat_at = now.as_micros() + REPEAT_US;
        self.sent += 1;
        let mut d = Draws::new(self.config.seed, LIES, self.sent, 2);
        if !self.lies.has(Lie::Repeat) || self.old.is_empty() {
            return;
        }
        let (to, told) = &self.old[d.below(self.old.len() as u64) as usize];
        let Ok(datagram) = Datagram::decode(told) else { return };
        let mut again = Vec::new();
        let stamp = (now.as_micros() as u32).max(1);
        put_header(&mut again, datagram.sender.incarnation(), datagram.receiver, stamp, 0);
        for packet in datagram.packets() {
            if let Packet::Request { seq, request } = packet {
                let ahead = d.one_of(&[0, 1, 30]);
                put_request(&mut again, seq.wrapping_add(ahead), &request);
            }
        }
        self.out.send(*to, again);
    }
}

/// Who sits at an address, as far as that tells.
fn number(addr: SocketAddr) -> u64 {
    match addr {
        SocketAddr::V4(addr) => u64::from(addr.ip().to_bits()),
        SocketAddr::V6(_) => 0,
    }
}

fn words(d: &mut Draws) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&d.bits().to_be_bytes()));
    bytes
}

fn noise(d: &mut Draws) -> Sealed {
    let mut bytes = [0; SEALED];
    bytes.chunks_mut(8).for_each(|word| {
        let bits = d.bits().to_be_bytes();
        word.copy_from_slice(&bits[..word.len()]);
    });
    Sealed(Arc::new(bytes))
}

/// Whom the people in league with it are called.
fn name(n: u64) -> String {
    format!("lega{n}")
}

impl Machine for FalseNodeset {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        if let Input::Datagram { from, bytes, .. } = input {
            self.note(from, bytes);
        }
        self.honest.handle(now, input);
        let mut said = Vec::new();
        while let Some(action) = self.honest.poll() {
            if let Action::Send { to, bytes, .. } = action {
                said.push((to, bytes.to_vec()));
            }
        }
        said.into_iter().for_each(|(to, bytes)| self.relay(now, to, &bytes));
        self.repeat(now);
    }

    fn poll(&mut self) -> Option<Action<'_>> {
        self.out.poll()
    }

    fn next_wake(&self) -> Option<Wake> {
        let repeats = (self.repeat_at > 0)
            .then_some(Wake { at: Time::from_micros(self.repeat_at), why: "lies" });
        self.honest.next_wake().into_iter().chain(repeats).min()
    }

    fn footprint(&self) -> Vec<Table> {
        self.honest.footprint()
    }

    fn blame(&self) -> Blame {
        self.honest.blame()
    }

    fn digest(&self) -> u64 {
        self.sent
    }

    fn check(&self) {
        self.honest.check();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let set = Lies::of(&[Lie::Invent, Lie::Repeat]);
        let has: Vec<Lie> = LIES_TOLD.into_iter().filter(|&lie| set.has(lie)).collect();
        assert_eq!(has, [Lie::Invent, Lie::Repeat]);
        assert!(LIES_TOLD.iter().enumerate().all(|(at, &lie)| at == lie as usize));
    }
}
