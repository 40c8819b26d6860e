//! Routers that translate addresses, for tests: a thread between two cards of a computer of the
//! [lab](crate::lab), whose kernel has no address there and so takes no part.

#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvfrom, sendto,
    setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

use crate::lab::Lab;

/// What a router does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One port outside for all, which lets in everybody.
    Full,
    /// The same, which lets in whom something was sent to.
    Cone,
    /// The same, and what it lets nobody have it takes for its own, which keeps that port from who is inside.
    Open,
    /// Another port outside for each whom something is sent to, and nobody else is let in.
    Symmetric,
}

/// What nobody has answered is forgotten so soon, and what is in use that late.
const UNANSWERED: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(120);

/// A card: where it is, its address of the cable, and its address of the network.
struct Card {
    link: LinkAddr,
    mac: [u8; 6],
    ip: Ipv4Addr,
}

/// One that runs, until it is dropped.
pub struct Router {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Router {
    /// On a computer between two cards, each with the address that the router has there; what leaves it goes
    /// over so many hops before it arrives.
    pub fn start(
        lab: &Lab,
        computer: usize,
        cards: [(&str, Ipv4Addr); 2],
        kind: Kind,
        hops: u8,
    ) -> Self {
        let (socket, cards) = lab.inside(computer, || {
            let (family, flags) = (AddressFamily::Packet, SockFlag::SOCK_CLOEXEC);
            let socket = socket(family, SockType::Raw, flags, SockProtocol::EthAll).unwrap();
            setsockopt(&socket, ReceiveTimeout, &TimeVal::milliseconds(100)).unwrap();
            (socket, cards.map(|(name, ip)| card(name, ip)))
        });
        let over = Arc::new(AtomicBool::new(false));
        let mut state = State { socket, cards, hops, table: Table::new(kind) };
        let ends = over.clone();
        let run = move || {
            while !ends.load(Ordering::Relaxed) {
                state.turn();
            }
        };
        Self { over, thread: Some(std::thread::spawn(run)) }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn card(name: &str, ip: Ipv4Addr) -> Card {
    let all = getifaddrs().unwrap().filter(|card| card.interface_name == name);
    let link = all.filter_map(|card| card.address?.as_link_addr().copied()).next();
    let link = link.unwrap_or_else(|| panic!("no card {name}"));
    Card { mac: link.addr().unwrap(), link, ip }
}

struct State {
    socket: OwnedFd,
    /// Inside and outside.
    cards: [Card; 2],
    hops: u8,
    table: Table,
}

impl State {
    fn turn(&mut self) {
        let mut frame = [0; 2048];
        let Ok((len, Some(from))) = recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut frame)
        else {
            return;
        };
        let at = self.cards.iter().position(|card| card.link.ifindex() == from.ifindex());
        let (Some(at), Some(frame)) = (at, frame.get_mut(..len)) else { return };
        // What we send is seen as well.
        if len < 42 || frame[6..12] == self.cards[at].mac {
            return;
        }
        match (frame[12], frame[13]) {
            (8, 6) => self.tell(at, frame),
            (8, 0) if frame[14] == 0x45 && frame[23] == 17 => self.pass(at, frame),
            _ => {}
        }
    }

    /// Somebody asks who has our address.
    fn tell(&self, at: usize, frame: &mut [u8]) {
        let Card { mac, ip, .. } = &self.cards[at];
        if frame[20..22] != [0, 1] || frame[38..42] != ip.octets() {
            return;
        }
        let asks: [u8; 10] = frame[22..32].try_into().unwrap();
        frame[21] = 2;
        frame[22..28].copy_from_slice(mac);
        frame[28..32].copy_from_slice(&ip.octets());
        frame[32..42].copy_from_slice(&asks);
        self.send(at, frame);
    }

    /// A datagram goes from one side to the other.
    fn pass(&mut self, at: usize, frame: &mut [u8]) {
        let now = Instant::now();
        let end = |ip: usize, port: usize| {
            let octets: [u8; 4] = frame[ip..ip + 4].try_into().unwrap();
            let port = u16::from_be_bytes([frame[port], frame[port + 1]]);
            SocketAddrV4::new(octets.into(), port)
        };
        let (from, to) = (end(26, 34), end(30, 36));
        let [inside, outside] = &self.cards;
        let (place, port, new) = if at == 0 {
            if *to.ip() == inside.ip {
                return;
            }
            let port = self.table.out(now, from, to);
            (26, 34, SocketAddrV4::new(outside.ip, port))
        } else {
            let host = Some(to.port()).filter(|_| *to.ip() == outside.ip);
            let Some(host) = host.and_then(|port| self.table.inward(now, from, port)) else {
                return;
            };
            (30, 36, host)
        };
        let hops = if at == 0 { self.hops } else { 1 };
        let Some(left) = frame[22].checked_sub(hops).filter(|&left| left > 0) else { return };
        frame[22] = left;
        frame[place..place + 4].copy_from_slice(&new.ip().octets());
        frame[port..port + 2].copy_from_slice(&new.port().to_be_bytes());
        // None is as good as a right one.
        frame[40..42].fill(0);
        let sum = checksum(&frame[14..34]);
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
        self.send(1 - at, frame);
    }

    /// To everybody on a cable: who it is for takes it.
    fn send(&self, at: usize, frame: &mut [u8]) {
        frame[..6].fill(0xff);
        frame[6..12].copy_from_slice(&self.cards[at].mac);
        let _ =
            sendto(self.socket.as_raw_fd(), frame, &self.cards[at].link, MsgFlags::MSG_DONTWAIT);
    }
}

/// Of the header of a packet, without what stands there.
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks(2).enumerate().filter(|&(n, _)| n != 5);
    let sum: u32 = words.map(|(_, word)| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !(((sum & 0xffff) + (sum >> 16)) as u16)
}

/// What a router keeps of two who speak through it.
#[derive(Clone, Copy)]
struct Flow {
    port: u16,
    used: Instant,
    answered: bool,
}

impl Flow {
    fn is_alive(&self, now: Instant) -> bool {
        now - self.used < if self.answered { IDLE } else { UNANSWERED }
    }
}

struct Table {
    kind: Kind,
    flows: BTreeMap<(SocketAddrV4, SocketAddrV4), Flow>,
    /// What it took for its own: the port here, and from where.
    own: BTreeMap<(u16, SocketAddrV4), Instant>,
    drawn: u16,
}

impl Table {
    fn new(kind: Kind) -> Self {
        Self { kind, flows: BTreeMap::new(), own: BTreeMap::new(), drawn: 20_000 }
    }

    fn draw(&mut self) -> u16 {
        self.drawn += 17;
        self.drawn
    }

    /// The port outside of what somebody inside sends there.
    fn out(&mut self, now: Instant, from: SocketAddrV4, to: SocketAddrV4) -> u16 {
        self.flows.retain(|_, flow| flow.is_alive(now));
        self.own.retain(|_, used| now - *used < UNANSWERED);
        let known = self.flows.get(&(from, to)).copied();
        let (port, answered) = match known {
            Some(flow) => (flow.port, flow.answered),
            None if self.kind == Kind::Symmetric => (self.draw(), false),
            None if self.own.contains_key(&(from.port(), to)) => (self.draw(), false),
            None => (from.port(), false),
        };
        self.flows.insert((from, to), Flow { port, used: now, answered });
        port
    }

    /// Who inside gets what comes from there to a port outside.
    fn inward(&mut self, now: Instant, from: SocketAddrV4, port: u16) -> Option<SocketAddrV4> {
        let lets = |other: &SocketAddrV4| *other == from || self.kind == Kind::Full;
        let mut flows = self.flows.iter_mut().filter(|(_, flow)| flow.is_alive(now));
        let found = flows.find(|((_, other), flow)| flow.port == port && lets(other));
        let host = found.map(|((host, _), flow)| {
            (flow.used, flow.answered) = (now, true);
            *host
        });
        if host.is_none() && self.kind == Kind::Open {
            self.own.insert((port, from), now);
        }
        host
    }
}
