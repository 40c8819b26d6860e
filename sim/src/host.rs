//! Computers and the processes on them.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use chatrpc::machine::{Machine, PeerConfig, PeerId, Time};

use crate::guard::Guard;
use crate::queue::Endpoint;

/// Makes a chat machine; says who it is.
pub type MakePeer = fn(PeerConfig) -> (PeerId, Box<dyn Machine>);
/// Makes a nodeset machine.
pub type MakeRegistry = fn(chatrpc::machine::RegistryConfig) -> Box<dyn Machine>;

/// The port processes listen on; one that restarts elsewhere takes a later one.
pub(crate) const PORT: u16 = 4000;

impl Endpoint {
    pub(crate) fn addr(self) -> SocketAddr {
        let [high, low] = self.host.to_be_bytes();
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, high, low)), self.port)
    }

    /// The second address of the same computer. What is sent there arrives; what leaves the computer
    /// always comes from the first.
    pub(crate) fn alias(self) -> SocketAddr {
        let [high, low] = self.host.to_be_bytes();
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 2, high, low)), self.port)
    }

    /// The endpoint behind an address of the simulated network; `None` for any other.
    pub(crate) fn of(addr: SocketAddr) -> Option<Self> {
        match addr.ip() {
            IpAddr::V4(ip) => match ip.octets() {
                [10, 1 | 2, high, low] => {
                    Some(Self { host: u16::from_be_bytes([high, low]), port: addr.port() })
                }
                _ => None,
            },
            IpAddr::V6(_) => None,
        }
    }
}

/// A computer: at most one process, one socket, and a lid that may be closed.
#[derive(Debug, Default)]
pub(crate) struct Host {
    pub(crate) proc: Option<usize>,
    pub(crate) port: u16,
    /// The router in front of it, the nearest.
    pub(crate) behind: Option<usize>,
    /// Whom its process said last that it reaches directly.
    pub(crate) direct: Vec<PeerId>,
    pub(crate) starts: u64,
    /// How often its clock and all it kept were set back by an hour.
    pub(crate) set_back: u64,
    pub(crate) paused: bool,
    pub(crate) tick_first: bool,
    /// What waits in the socket of a stopped process: slots of the pool.
    pub(crate) socket: VecDeque<u32>,
}

/// Whether a process is a nodeset or a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A nodeset.
    Registry,
    /// A chat, with its seat at the judge.
    Peer(usize),
    /// An attacker: it may send anything, in anybody's name.
    Liar,
}

/// A process: a machine and the owner's side of its contract.
pub(crate) struct Process {
    pub(crate) host: u16,
    pub(crate) port: u16,
    pub(crate) role: Role,
    /// `None` once it ended; taken out while it runs.
    pub(crate) machine: Option<Box<dyn Machine>>,
    pub(crate) alive: bool,
    /// Its own clock showed this when the world's showed zero; may be "negative".
    pub(crate) clock: i64,
    /// When the earliest wake of it in the queue is due; `u64::MAX` for none.
    pub(crate) armed: u64,
    /// When it wants to be woken; `u64::MAX` for never.
    pub(crate) wants: u64,
    pub(crate) events: u64,
    /// The instant of its last event, and how many it had then.
    pub(crate) instant: (u64, u32),
    pub(crate) guard: Guard,
    /// Hashes of the sealed datagrams it was handed.
    pub(crate) opened: BTreeSet<u64>,
}

impl Process {
    pub(crate) fn local(&self, now: u64) -> Time {
        Time::from_micros(now.wrapping_add_signed(self.clock))
    }

    pub(crate) fn global(&self, at: Time) -> u64 {
        at.as_micros().saturating_add_signed(-self.clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_written() {
        let endpoint = Endpoint { host: 513, port: 4001 };
        assert_eq!(Endpoint::of(endpoint.addr()), Some(endpoint));
        assert_eq!(Endpoint::of("192.168.0.1:4000".parse().unwrap()), None);
        assert_eq!(Endpoint::of("[::1]:4000".parse().unwrap()), None);
    }
}
