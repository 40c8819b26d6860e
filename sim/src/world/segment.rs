//! One wire: what is sent to everybody on it, and who begins a room there.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use chatrpc::machine::{Input, Lan, Room, Segment};

use super::World;
use super::network::Sent;
use crate::host::Role;
use crate::queue::Endpoint;

/// Where everybody listens.
const EARS: u16 = 7421;

/// Where everybody on the wire is reached.
const EVERYBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, 255, 255)), EARS);

/// Who is on the wire.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// Which computer stands for the nodeset of a process that opens a room, by where it runs.
    nodesets: BTreeMap<usize, usize>,
    /// Who is to open a room.
    alone: Vec<usize>,
    /// When datagrams went to everybody.
    hails: Vec<u64>,
    /// What is sent to everybody reaches nobody.
    filtered: bool,
}

impl World {
    /// Starts a chat on a computer that is told of nobody, and finds the room on the wire, or opens it: with a
    /// nodeset for which another computer stands. Returns its seat.
    ///
    /// # Panics
    ///
    /// When the name is not one.
    pub fn join_around(
        &mut self,
        host: usize,
        name: &str,
        nodeset: usize,
        room: Option<Room>,
    ) -> usize {
        let mut config = self.peer_config(host, name, 0);
        (config.nodesets, config.lan) = (Vec::new(), Lan::Hails);
        if let Some(room) = room {
            config.room = room;
        }
        self.segment.nodesets.insert(host, nodeset);
        let seat = self.start_peer(host, config);
        self.plug_in(host);
        seat
    }

    /// The same for who is told of the nodeset, and answers.
    ///
    /// # Panics
    ///
    /// When the name is not one.
    pub fn join_and_answer(&mut self, host: usize, name: &str, nodeset: usize) -> usize {
        let mut config = self.peer_config(host, name, nodeset);
        config.lan = Lan::Answers;
        let seat = self.start_peer(host, config);
        self.plug_in(host);
        seat
    }

    /// A computer is on the wire, as its process is told.
    pub fn plug_in(&mut self, host: usize) {
        let Some(proc) = self.hosts[host].proc else { return };
        let own = Endpoint { host: host as u16, port: 0 }.addr().ip();
        self.feed(proc, Input::Segments(&[Segment { own, bits: 16, to: EVERYBODY }]));
    }

    /// From here on what is sent to everybody reaches nobody.
    pub fn filter_hails(&mut self) {
        self.segment.filtered = true;
    }

    /// The system of a computer knows that those are on the wire with it.
    pub fn knows_neighbours(&mut self, host: usize, others: &[usize]) {
        let Some(proc) = self.hosts[host].proc else { return };
        let addr = |&host: &usize| Endpoint { host: host as u16, port: EARS }.addr();
        let addrs: Vec<SocketAddr> = others.iter().map(addr).collect();
        self.feed(proc, Input::Neighbours(&addrs));
    }

    /// When datagrams went to everybody on the wire.
    pub fn hails(&self) -> &[u64] {
        &self.segment.hails
    }

    /// Sends something to everybody on the wire. False when that is not where it goes.
    pub(super) fn broadcast(
        &mut self,
        proc: usize,
        to: SocketAddr,
        ttl: Option<u8>,
        bytes: &[u8],
    ) -> bool {
        if self.is_liar(proc) {
            return false;
        }
        if to.port() == EARS && to != EVERYBODY {
            return self.hail_one(proc, to, ttl, bytes);
        }
        if to != EVERYBODY {
            return false;
        }
        self.segment.hails.push(self.now);
        if let Some(captured) = &mut self.captured {
            captured.push(bytes.to_vec());
        }
        let from = Endpoint { host: self.procs[proc].host, port: self.procs[proc].port };
        for host in 0..self.config.hosts {
            let there = self.hosts[host].proc.map(|proc| self.procs[proc].role);
            if !self.segment.filtered
                && matches!(there, Some(Role::Peer(_)))
                && host != usize::from(from.host)
            {
                let to = Endpoint { host: host as u16, port: self.hosts[host].port };
                let over = (from.host, to.host);
                self.carry(Sent { from, to, over, sender: proc as u32, ttl }, bytes);
            }
        }
        true
    }

    /// Sends something to who listens on one computer of the wire. False when nobody does.
    fn hail_one(&mut self, proc: usize, to: SocketAddr, ttl: Option<u8>, bytes: &[u8]) -> bool {
        let Some(host) = Endpoint::of(to).map(|to| usize::from(to.host)) else { return false };
        let there = self.hosts.get(host).and_then(|host| host.proc);
        if !there.is_some_and(|proc| matches!(self.procs[proc].role, Role::Peer(_))) {
            return false;
        }
        let from = Endpoint { host: self.procs[proc].host, port: self.procs[proc].port };
        let to = Endpoint { host: host as u16, port: self.hosts[host].port };
        let over = (from.host, to.host);
        self.carry(Sent { from, to, over, sender: proc as u32, ttl }, bytes);
        true
    }

    /// Nobody has answered somebody.
    pub(super) fn is_alone(&mut self, proc: usize) {
        self.segment.alone.push(proc);
    }

    /// Whoever is alone opens the room.
    pub(super) fn open_rooms(&mut self) {
        for proc in core::mem::take(&mut self.segment.alone) {
            let host = usize::from(self.procs[proc].host);
            let Some(&nodeset) = self.segment.nodesets.get(&host) else { continue };
            self.start_registry_on(nodeset);
            let port = self.hosts[nodeset].port;
            let addr = Endpoint { host: nodeset as u16, port }.addr();
            self.feed(proc, Input::Nodesets(&[addr]));
        }
    }
}
