//! What becomes of a datagram: from the machine that sends it over its link to the one it reaches.

use std::net::SocketAddr;

use chatrpc::machine::{Input, wire};

use super::{HOLD_MAX_US, World};
use crate::chain::hash_bytes;
use crate::draw::{LINK, draw};
use crate::host::Role;
use crate::judge::Kind;
use crate::liar::spoofed;
use crate::link::{Fate, Held, Link, Mark};
use crate::queue::{Endpoint, What};

impl World {
    pub(super) fn release(&mut self, slot: u32, uses: u32) {
        if self.pool.at(slot).uses != uses {
            return;
        }
        let (from, to) = self.pool.at(slot).over;
        let link = self.link(usize::from(from), usize::from(to));
        if link.held.is_some_and(|held| held.datagram == slot) {
            self.link(usize::from(from), usize::from(to)).held = None;
            self.arrive(slot);
        }
    }

    pub(super) fn arrive(&mut self, slot: u32) {
        let crate::queue::Datagram { from, to, ttl, .. } = *self.pool.at(slot);
        let Some(to) = self.come_in((from, to), ttl) else {
            self.counters.lost += 1;
            if self.trace.is_some() {
                self.trace_line(
                    to.host,
                    &format!("<-n{:<3} at port {} [kept out]", from.host, to.port),
                );
            }
            return self.pool.give_back(slot);
        };
        self.pool.at_mut(slot).to = to;
        let host = &mut self.hosts[usize::from(to.host)];
        match host.proc {
            Some(_) if host.port != to.port => self.refuse(slot),
            Some(_) if host.paused => {
                if host.socket.len() < self.config.socket_max {
                    host.socket.push_back(slot);
                } else {
                    self.counters.lost += 1;
                    self.pool.give_back(slot);
                }
            }
            Some(proc) => self.deliver(proc, slot),
            None => self.refuse(slot),
        }
    }

    /// Nobody listens at that port: perhaps the sender is told.
    fn refuse(&mut self, slot: u32) {
        self.counters.lost += 1;
        let Datagrams { from, to, .. } = Datagrams::of(self.pool.at(slot));
        if self.trace.is_some() {
            self.trace_line(to.host, &format!("<-n{:<3} at port {} [refused]", from.host, to.port));
        }
        self.pool.give_back(slot);
        let behind = self.hosts[usize::from(to.host)].behind.is_some();
        let outside = usize::from(from.host) >= self.config.hosts || behind;
        if outside || !self.config.icmp || self.pool.at(slot).mark == Mark::Refused {
            return;
        }
        let back = self.fate(to.host, from.host);
        if let Some(&(at, _)) = back.arrivals().first() {
            let slot = self.pool.take();
            let notice = self.pool.at_mut(slot);
            (notice.from, notice.to, notice.mark) = (to, from, Mark::Refused);
            (notice.over, notice.ttl) = ((to.host, from.host), None);
            self.push(at, What::Arrive(slot));
        }
    }

    pub(super) fn deliver(&mut self, proc: usize, slot: u32) {
        let Datagrams { from, over, sender, sent_at, mark, .. } = Datagrams::of(self.pool.at(slot));
        let bytes = self.pool.lift(slot);
        let host = self.procs[proc].host;
        if mark == Mark::Refused {
            self.feed(proc, Input::Unreachable(from.addr()));
            return self.pool.settle(slot, bytes);
        }
        if mark != Mark::Forged {
            self.procs[proc].guard.heard(usize::from(over.0), bytes.len());
        }
        if self.is_liar(sender as usize) {
            self.victims.heard(self.now, proc as u32, bytes.len());
        }
        // A first message may be an old one, and a cookie anybody's: they show nobody to be alive.
        let proves = matches!(bytes.first(), Some(&(wire::kind::RESP | wire::kind::DATA)));
        if let (Role::Peer(seat), Some(Role::Peer(other)), true) =
            (self.procs[proc].role, self.procs.get(sender as usize).map(|proc| proc.role), proves)
        {
            self.judge.heard(seat, other, sent_at);
        }
        let hash = hash_bytes(&bytes);
        self.chain.add(self.now, 'a', host, hash);
        if self.trace.is_some() {
            let text = format!("<-n{:<3} len {:4}{}", from.host, bytes.len(), mark.text());
            self.trace_line(host, &text);
        }
        let before = self.before_a_replay(proc, hash, &bytes);
        self.feed(proc, Input::Datagram { from: from.addr(), at: None, bytes: &bytes });
        if let (Some(before), Some(machine)) = (before, &self.procs[proc].machine)
            && machine.digest() != before
        {
            let text = format!("{} bytes that came before changed something", bytes.len());
            self.blame(Kind::Safety, "S14", proc, text);
        }
        self.pool.settle(slot, bytes);
    }

    /// The digest of a machine that is about to get sealed bytes which it has had before, if
    /// nothing else is due.
    fn before_a_replay(&mut self, proc: usize, hash: u64, bytes: &[u8]) -> Option<u64> {
        if bytes.first() != Some(&wire::kind::DATA) || self.is_liar(proc) {
            return None;
        }
        let process = &mut self.procs[proc];
        let new = process.opened.insert(hash);
        let machine = process.machine.as_ref().filter(|_| !new)?;
        let now = process.local(self.now);
        let due = machine.next_wake().is_some_and(|wake| wake.at <= now);
        (!due).then(|| machine.digest())
    }

    pub(super) fn send(&mut self, proc: usize, to: SocketAddr, ttl: Option<u8>, bytes: &[u8]) {
        self.counters.datagrams += 1;
        self.counters.bytes += bytes.len() as u64;
        if self.broadcast(proc, to, ttl, bytes) {
            return;
        }
        let (host, port) = (self.procs[proc].host, self.procs[proc].port);
        if self.is_liar(proc) {
            return self.lie(proc, to, ttl, bytes);
        }
        if bytes.len() > wire::DATAGRAM_MAX {
            let text = format!("a datagram of {} bytes", bytes.len());
            self.blame(Kind::Safety, "S8", proc, text);
        }
        let Some((to, near)) = self.lead(to) else {
            self.counters.lost += 1;
            *self.outside.entry((host, to)).or_default() += bytes.len() as u64;
            if self.trace.is_some() {
                self.trace_line(host, &format!("->{to} len {:4} [outside]", bytes.len()));
            }
            return self.judge_third(proc, to, bytes.len());
        };
        if let Err(text) = self.procs[proc].guard.sends(self.now, near.into(), bytes.len()) {
            self.blame(Kind::Safety, "S8", proc, text);
        }
        if let Err(text) = self.secrecy.sends(proc as u32, near, bytes) {
            self.blame(Kind::Safety, "S13", proc, text);
        }
        if self.hosts[usize::from(near)].proc.is_some_and(|proc| self.is_liar(proc))
            && let faces = self.judge.liars.count()
            && let Err(text) = self.victims.answers(self.now, proc as u32, bytes.len(), faces)
        {
            self.blame(Kind::Safety, "price", proc, text);
        }
        if let Some(captured) = &mut self.captured {
            captured.push(bytes.to_vec());
        }
        let Some((from, ttl)) = self.go_out((Endpoint { host, port }, to), ttl) else {
            self.counters.lost += 1;
            if self.trace.is_some() {
                self.trace_line(host, &format!("->n{:<3} len {:4} [ends]", to.host, bytes.len()));
            }
            return;
        };
        let sent = Sent { from, to, over: (host, near), sender: proc as u32, ttl };
        self.meddle((from, to), bytes);
        self.carry(sent, bytes);
    }

    /// What an attacker sends is not judged, and neither is where it says it comes from.
    fn lie(&mut self, proc: usize, to: SocketAddr, ttl: Option<u8>, bytes: &[u8]) {
        self.victims.attacked(self.now, bytes.len());
        let (host, port) = (self.procs[proc].host, self.procs[proc].port);
        let Some((to, near)) = self.lead(to) else { return };
        let over = (host, near);
        let Some((from, bytes)) = spoofed(bytes) else {
            let Some((from, ttl)) = self.go_out((Endpoint { host, port }, to), ttl) else { return };
            return self.carry(Sent { from, to, over, sender: proc as u32, ttl }, bytes);
        };
        let fate = self.fate(host, near);
        if let (Some(from), Some(&(at, _))) = (Endpoint::of(from), fate.arrivals().first()) {
            let sent = Sent { from, to, over, sender: u32::MAX, ttl: None };
            let slot = self.load(sent, Mark::Forged, bytes);
            self.push(at, What::Arrive(slot));
        }
    }

    pub(super) fn is_liar(&self, proc: usize) -> bool {
        self.procs.get(proc).is_some_and(|proc| proc.role == Role::Liar)
    }

    /// Whoever takes no part is sent little.
    fn judge_third(&mut self, proc: usize, to: SocketAddr, bytes: usize) {
        let honest = self.procs.iter().filter(|proc| proc.alive && proc.role != Role::Liar);
        let honest = honest.count();
        if let Err(text) = self.victims.third(self.now, to, bytes, honest) {
            self.blame(Kind::Safety, "third", proc, text);
        }
    }

    /// A datagram leaves; the link decides what becomes of it.
    pub(super) fn carry(&mut self, mut sent: Sent, bytes: &[u8]) {
        let ((host, near), to) = (sent.over, sent.to);
        let mut fate = self.fate(host, near);
        let at = usize::from(host) * self.config.hosts + usize::from(near);
        let params = &self.links[at].params;
        if !params.lets(sent.ttl) || params.swallows(bytes.len()) {
            fate = Fate::LOST;
        }
        sent.ttl = sent.ttl.map(|hops| hops.saturating_sub(params.routers));
        let waits = self.queue_up(at, bytes.len());
        if self.trace.is_some() {
            let what = match (waits, fate.arrivals().is_empty()) {
                (Some(_), false) => "",
                (None, _) => " [dropped]",
                (Some(_), true) => " [lost]",
            };
            let text = format!("->n{:<3} len {:4}{what}", to.host, bytes.len());
            self.trace_line(host, &text);
        }
        let Some(waits) = waits else {
            self.counters.lost += 1;
            return self.pass(at);
        };
        self.counters.lost += u64::from(fate.arrivals().is_empty());
        let mut arrivals = fate.arrivals().iter();
        if let (Some(left), None) = (fate.hold, self.links[at].held) {
            arrivals.next();
            let slot = self.load(sent, Mark::Held, bytes);
            self.links[at].held = Some(Held { datagram: slot, left });
            let uses = self.pool.at(slot).uses;
            self.push(self.now + HOLD_MAX_US, What::Release(slot, uses));
        } else {
            self.pass(at);
        }
        for &(arrives, mark) in arrivals {
            let slot = self.load(sent, mark, bytes);
            self.push(arrives + waits, What::Arrive(slot));
        }
    }

    /// How long a datagram waits that goes over a link, if that runs over a bottleneck; `None` when it is dropped
    /// there. What a cut swallows does not get so far.
    fn queue_up(&mut self, link: usize, bytes: usize) -> Option<u64> {
        let Link { params, cuts, .. } = &self.links[link];
        let Some(over) = params.over else { return Some(0) };
        let line = &mut self.bottlenecks[usize::from(over)];
        if *cuts > 0 {
            line.offer(bytes);
            return None;
        }
        line.take(self.now, bytes)
    }

    /// Somebody on the path between two peers makes something up.
    fn meddle(&mut self, (from, to): (Endpoint, Endpoint), bytes: &[u8]) {
        if from.host == 0 || to.host == 0 {
            return;
        }
        let people = self.meddler.computers as u64 - 1;
        let hosts = &self.hosts;
        let others = |bits: u64| {
            let host = 1 + (bits % people) as usize;
            Endpoint { host: host as u16, port: hosts[host].port }
        };
        let forgery = self.meddler.meddle(self.config.seed, (from, to), bytes, others);
        if let Some(forgery) = forgery {
            let (from, to) = (forgery.from, forgery.to);
            let sent = Sent { from, to, over: (0, 0), sender: u32::MAX, ttl: None };
            let slot = self.load(sent, Mark::Forged, &forgery.bytes);
            self.push(self.now + forgery.after_us, What::Arrive(slot));
        }
    }

    /// One more datagram passes the held one of a link.
    fn pass(&mut self, at: usize) {
        let Some(held) = &mut self.links[at].held else { return };
        held.left -= 1;
        if held.left == 0 {
            let slot = held.datagram;
            self.links[at].held = None;
            let delay = self.links[at].params.delay_us + self.links[at].params.jitter_us + 1;
            self.push(self.now + delay, What::Arrive(slot));
        }
    }

    fn load(&mut self, sent: Sent, mark: Mark, bytes: &[u8]) -> u32 {
        let slot = self.pool.take();
        let datagram = self.pool.at_mut(slot);
        datagram.bytes.extend_from_slice(bytes);
        let Sent { from, to, over, sender, ttl } = sent;
        (datagram.from, datagram.to, datagram.over) = (from, to, over);
        (datagram.sender, datagram.ttl) = (sender, ttl);
        (datagram.sent_at, datagram.mark) = (self.now, mark);
        slot
    }

    fn fate(&mut self, from: u16, to: u16) -> Fate {
        let key = draw(self.config.seed, LINK, u64::from(from), u64::from(to), 0);
        let at = usize::from(from) * self.config.hosts + usize::from(to);
        self.links[at].fate(key, self.now)
    }
}

/// A datagram on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Where it comes from, outside of what routers are in front of its sender.
    pub(super) from: Endpoint,
    /// Where it goes.
    pub(super) to: Endpoint,
    /// Over the link between these computers.
    pub(super) over: (u16, u16),
    /// Whose it is.
    pub(super) sender: u32,
    /// Over how many hops it may still go.
    pub(super) ttl: Option<u8>,
}

/// The small fields of a datagram, copied out.
struct Datagrams {
    from: Endpoint,
    to: Endpoint,
    over: (u16, u16),
    sender: u32,
    sent_at: u64,
    mark: Mark,
}

impl Datagrams {
    const fn of(datagram: &crate::queue::Datagram) -> Self {
        let crate::queue::Datagram { from, to, over, sender, sent_at, mark, .. } = *datagram;
        Self { from, to, over, sender, sent_at, mark }
    }
}
