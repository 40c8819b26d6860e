//! The networks this computer is on: where everybody there is reached, and the socket that hears what is sent
//! to everybody.
//!
//! Without a default route the system has none for a multicast of IPv4 or for 255.255.255.255; for the last
//! address of a network it has, and for a group of IPv6 with its interface. Several processes of one
//! computer share the port; each of them answers from the socket that is its own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use if_addrs::{IfAddr, Interface};
use log::debug;
use mio::{Registry, Token};

use crate::driver::net::advertise::{Kind, interfaces, kind};
use crate::driver::net::socket::Socket;
use crate::machine::Segment;

/// Where everybody listens who is in a room.
pub(super) const PORT: u16 = 7421;

/// The group of IPv6, on one cable; nobody assigned it (RFC 4291, section 2.7; RFC 3307, section 4.3).
const GROUP: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0x8000, PORT);

/// How many networks are told of at most.
const SEGMENTS_MAX: usize = 8;

/// The socket that hears what is sent to everybody.
#[derive(Debug)]
pub(crate) struct Ears {
    pub(crate) socket: Socket,
    /// The interfaces over which it hears a group.
    joined: Vec<u32>,
}

impl Ears {
    /// `None` where it cannot be had: then we hail, and are not hailed.
    pub(crate) fn open(registry: &Registry, token: Token) -> Option<Self> {
        let bound = Socket::bind_shared(PORT).and_then(|mut socket| {
            socket.register(registry, token)?;
            Ok(Self { socket, joined: Vec::new() })
        });
        bound.inspect_err(|error| debug!("nobody who hails is heard: {error}")).ok()
    }

    /// Hears the group on each of these networks that has one.
    pub(crate) fn listen_on(&mut self, segments: &[Segment]) {
        let zones = segments.iter().filter_map(|segment| match segment.to {
            SocketAddr::V6(to) => Some(to.scope_id()),
            SocketAddr::V4(_) => None,
        });
        let zones: Vec<u32> = zones.collect();
        // The system forgets those of interfaces that are gone.
        self.joined.retain(|zone| zones.contains(zone));
        for zone in zones {
            if self.joined.contains(&zone) {
                continue;
            }
            match self.socket.join(&GROUP, zone) {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    debug!("interface {zone} has no group: {error}");
                }
                _ => self.joined.push(zone),
            }
        }
    }
}

/// The networks of a socket that is bound there, cards first; the loopback on a computer without any other.
pub(crate) fn segments(bound: SocketAddr) -> Vec<Segment> {
    let mut all: Vec<(Kind, Segment)> = interfaces()
        .iter()
        .filter(|interface| interface.is_oper_up() && !interface.is_p2p())
        .filter_map(|interface| Some((kind(&interface.name), segment(interface)?)))
        .collect();
    all.sort_by_key(|(kind, segment)| (*kind, segment.own.is_ipv6()));
    choose(all.into_iter().map(|(_, segment)| segment), bound)
}

fn choose(all: impl Iterator<Item = Segment>, bound: SocketAddr) -> Vec<Segment> {
    let ours = |segment: &Segment| match bound.ip() {
        any if any.is_unspecified() => any.is_ipv6() || segment.own.is_ipv4(),
        one => one == segment.own,
    };
    let (own, others): (Vec<Segment>, Vec<Segment>) =
        all.filter(ours).partition(|segment| segment.own.is_loopback());
    let mut chosen: Vec<Segment> = Vec::new();
    for segment in if others.is_empty() { own } else { others } {
        // Of several addresses on one network one is enough.
        if chosen.len() < SEGMENTS_MAX && chosen.iter().all(|other| other.to != segment.to) {
            chosen.push(segment);
        }
    }
    chosen
}

/// The network of one address of an interface, if all of it can be reached at once.
fn segment(interface: &Interface) -> Option<Segment> {
    match &interface.addr {
        IfAddr::V4(v4) => {
            let hosts = u32::MAX.checked_shr(v4.prefixlen.into()).filter(|&hosts| hosts > 1)?;
            let last = Ipv4Addr::from_bits(v4.ip.to_bits() | hosts);
            // Where none was set, what is told is the address itself; the system knows the last one anyway.
            let to = SocketAddr::new(last.into(), PORT);
            Some(Segment { own: v4.ip.into(), bits: v4.prefixlen, to })
        }
        IfAddr::V6(v6) if v6.ip.is_unicast_link_local() => {
            let to = SocketAddr::V6(SocketAddrV6::new(GROUP, PORT, 0, interface.index?));
            Some(Segment { own: IpAddr::V6(v6.ip), bits: 64, to })
        }
        IfAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(own: &str, bits: u8, to: &str) -> Segment {
        Segment { own: own.parse().unwrap(), bits, to: to.parse().unwrap() }
    }

    fn v4(ip: &str, prefixlen: u8) -> Option<Segment> {
        let (ip, netmask) = (ip.parse().unwrap(), Ipv4Addr::UNSPECIFIED);
        let addr = IfAddr::V4(if_addrs::Ifv4Addr { ip, netmask, prefixlen, broadcast: Some(ip) });
        let oper_status = if_addrs::IfOperStatus::Up;
        let (name, index, is_p2p) = ("eth7".to_owned(), Some(7), false);
        segment(&Interface { name, addr, index, oper_status, is_p2p })
    }

    #[test]
    fn everybody_on_a_network_is_at_its_last_address() {
        for (ip, bits, is) in [
            ("10.9.0.1", 24, Some("10.9.0.255:7421")),
            ("10.9.0.1", 30, Some("10.9.0.3:7421")),
            ("10.9.0.1", 0, Some("255.255.255.255:7421")),
            ("127.0.0.1", 8, Some("127.255.255.255:7421")),
            ("10.9.0.1", 31, None),
            ("10.9.0.1", 32, None),
        ] {
            let to = v4(ip, bits).map(|segment| segment.to.to_string());
            assert_eq!(to.as_deref(), is, "{ip}/{bits}");
        }
    }

    #[test]
    fn a_socket_has_the_networks_that_it_is_bound_to() {
        let card = of("10.9.0.1", 24, "10.9.0.255:7421");
        let second = of("10.9.0.7", 24, "10.9.0.255:7421");
        let cable = of("fe80::1", 64, "[ff12::8000:1cfd%3]:7421");
        let loopback = of("127.0.0.1", 8, "127.255.255.255:7421");
        let all = [loopback, card, second, cable];
        for (bound, is) in [
            ("[::]:0", &[card, cable][..]),
            ("0.0.0.0:0", &[card]),
            ("10.9.0.7:1", &[second]),
            ("127.0.0.1:1", &[loopback]),
            ("[fe80::1%3]:1", &[cable]),
            ("192.0.2.1:1", &[]),
        ] {
            assert_eq!(choose(all.into_iter(), bound.parse().unwrap()), is, "{bound}");
        }
        assert_eq!(choose([loopback].into_iter(), "[::]:0".parse().unwrap()), [loopback]);
        let many = (0..200).map(|n| of(&format!("10.{n}.0.1"), 24, &format!("10.{n}.0.255:7421")));
        assert_eq!(choose(many, "[::]:0".parse().unwrap()).len(), SEGMENTS_MAX);
    }

    #[test]
    fn the_group_is_of_one_cable_and_of_nobody() {
        let (scope, transient) = (GROUP.segments()[0] & 0xf, GROUP.segments()[0] & 0x10);
        assert_eq!((scope, transient), (2, 0x10));
    }

    /// Several programs of one computer hear what is sent to all.
    #[test]
    fn the_port_is_shared() {
        let mut one = Socket::bind_shared(0).unwrap();
        let port = one.local().port();
        let mut two = Socket::bind_shared(port).unwrap();
        let mut sends = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        sends.reach_networks().unwrap();
        let to = SocketAddr::from(([127, 255, 255, 255], port));
        sends.send(to, crate::driver::net::way::Way::default(), b"to all");
        sends.flush();
        let mut buffer = [0; crate::machine::wire::DATAGRAM_MAX + 1];
        for socket in [&mut one, &mut two] {
            let (mut heard, end) = (Vec::new(), std::time::Instant::now());
            while heard.is_empty() && end.elapsed() < std::time::Duration::from_secs(5) {
                socket
                    .receive(&mut buffer, |_, (from, _), bytes| heard.push((from, bytes.to_vec())));
            }
            assert_eq!(heard, [(sends.local(), b"to all".to_vec())]);
        }
    }
}
