//! Which of this computer's addresses others can use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::path::Path;

use if_addrs::{IfAddr, Interface};

use crate::machine::doctor::{Local, Reach};

/// How many addresses of our own a beacon has room for.
const OWN_MAX: usize = 4;
/// How many addresses are printed: some computers have hundreds.
const PRINTED_MAX: usize = 8;

/// What an interface is, the ones that others reach us over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A card.
    Physical,
    /// A bridge that cards may be in.
    Bridge,
    /// Anything else: a tunnel, a bond.
    Other,
    /// Between the parts of this computer: containers and virtual machines.
    Internal,
}

/// One address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Own {
    kind: Kind,
    ip: IpAddr,
    /// Which interface it belongs to, for an address of one cable.
    zone: u32,
}

impl Own {
    fn at(self, port: u16) -> SocketAddr {
        match self.ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                SocketAddr::V6(SocketAddrV6::new(ip, port, 0, self.zone))
            }
            ip => SocketAddr::new(ip, port),
        }
    }
}

/// The addresses to print: those that others can type, the likeliest first.
///
/// That is the address that was bound, if it is a particular one; else all of the interfaces that are up:
/// of cards first, of bridges between containers last. Addresses of one cable, or at last the loopback, are
/// there on a computer that has no others.
pub(crate) fn advertised(bound: SocketAddr) -> Vec<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound];
    }
    let mut all = usable(&interfaces(), bound.is_ipv6());
    let first = routed(bound.is_ipv6());
    all.sort_by_key(|own| (own.kind, Some(own.ip) != first));
    let mut addrs: Vec<SocketAddr> = all.into_iter().map(|own| own.at(bound.port())).collect();
    addrs.truncate(PRINTED_MAX);
    if addrs.is_empty() {
        addrs.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), bound.port()));
    }
    addrs
}

/// An address as others type it: which interface of ours it belongs to is nothing to them.
pub(crate) fn printed(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip(), addr.port())
}

/// What a peer tells others besides the address they see: its addresses on this computer's
/// interfaces, that towards the nodeset first. None for a socket that is bound to the loopback.
pub(crate) fn own(bound: SocketAddr, nodeset: SocketAddr) -> Vec<SocketAddr> {
    if bound.ip().is_loopback() {
        return Vec::new();
    } else if !bound.ip().is_unspecified() {
        return vec![printed(bound)];
    }
    let mut all = usable(&interfaces(), bound.is_ipv6());
    let first = towards(nodeset).or_else(|| routed(bound.is_ipv6()));
    all.sort_by_key(|own| (Some(own.ip) != first, own.kind));
    let addrs = all.into_iter().map(|own| SocketAddr::new(own.ip, bound.port()));
    addrs.take(OWN_MAX).collect()
}

/// How far the addresses of this computer lead, on interfaces that are up.
pub(crate) fn local() -> Local {
    let mut local = Local::default();
    for interface in interfaces().iter().filter(|interface| interface.is_oper_up()) {
        let ip = interface.ip();
        let leads = match reach(ip) {
            None => Reach::None,
            Some(0) => Reach::Cable,
            Some(_) => Reach::Wide,
        };
        let family = if ip.is_ipv4() { &mut local.v4 } else { &mut local.v6 };
        *family = leads.max(*family);
    }
    local
}

/// The address the operating system would send from to somewhere far away: the targets are addresses for
/// documentation (RFC 5737, RFC 3849).
fn routed(v6: bool) -> Option<IpAddr> {
    let v4 = towards(SocketAddr::new(Ipv4Addr::new(192, 0, 2, 1).into(), 9));
    let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    v4.or_else(|| v6.then(|| towards(SocketAddr::new(documentation.into(), 9))).flatten())
}

/// The address the operating system would send from. Connecting a UDP socket sends nothing.
pub(super) fn towards(other: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match other {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(other).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    reach(ip).is_some().then_some(ip)
}

pub(super) fn interfaces() -> Vec<Interface> {
    if_addrs::get_if_addrs().unwrap_or_else(|error| {
        log::debug!("cannot list the interfaces: {error}");
        Vec::new()
    })
}

/// The addresses of interfaces that are up, IPv4 first, and of each family the likeliest kind first; those of
/// one cable when there are no others.
fn usable(interfaces: &[Interface], v6: bool) -> Vec<Own> {
    let up = interfaces.iter().filter(|interface| interface.is_oper_up());
    let all: Vec<Own> = up
        .map(|interface| {
            let ip = match &interface.addr {
                IfAddr::V4(v4) => v4.ip.into(),
                IfAddr::V6(v6) => v6.ip.into(),
            };
            Own { kind: kind(&interface.name), ip, zone: interface.index.unwrap_or(0) }
        })
        .filter(|own| v6 || own.ip.is_ipv4())
        .collect();
    choose(all)
}

fn choose(all: Vec<Own>) -> Vec<Own> {
    let widest = all.iter().filter_map(|own| reach(own.ip)).max();
    let mut chosen: Vec<Own> = Vec::new();
    for own in all.into_iter().filter(|own| widest.is_some() && reach(own.ip) == widest) {
        if chosen.iter().all(|other| other.ip != own.ip) {
            chosen.push(own);
        }
    }
    chosen.sort_by_key(|own| (own.kind, own.ip.is_ipv6()));
    chosen
}

/// How far an address leads: over this cable, or further. `None`: to nobody else.
fn reach(ip: IpAddr) -> Option<u8> {
    let (nobody, cable) = match ip {
        IpAddr::V4(v4) => (v4.is_broadcast(), v4.is_link_local()),
        IpAddr::V6(v6) => (false, v6.is_unicast_link_local()),
    };
    let nobody = nobody || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast();
    (!nobody).then_some(u8::from(!cable))
}

/// What an interface is, by its name and by what Linux says of it.
pub(super) fn kind(name: &str) -> Kind {
    let internal = ["docker", "br-", "veth", "virbr", "lxcbr", "cni", "podman"];
    let about = Path::new("/sys/class/net").join(name);
    let ports = || about.join("brif").read_dir().is_ok_and(|mut ports| ports.next().is_some());
    if internal.iter().any(|prefix| name.starts_with(prefix)) {
        Kind::Internal
    } else if about.join("device").exists() {
        Kind::Physical
    } else if about.join("bridge").exists() {
        if ports() { Kind::Bridge } else { Kind::Internal }
    } else {
        Kind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodeset() -> SocketAddr {
        "192.0.2.7:7420".parse().unwrap()
    }

    #[test]
    fn a_particular_address_is_advertised_as_it_is() {
        let bound = "127.0.0.1:7420".parse().unwrap();
        assert_eq!(advertised(bound), [bound]);
        assert_eq!(own(bound, nodeset()), [], "nobody else reaches the loopback");
        let bound = "10.1.2.3:7420".parse().unwrap();
        assert_eq!(own(bound, nodeset()), [bound]);
    }

    #[test]
    fn a_wildcard_is_never_advertised() {
        for bound in ["[::]:7420", "0.0.0.0:7420"] {
            let bound: SocketAddr = bound.parse().unwrap();
            let addrs = advertised(bound);
            assert!(!addrs.is_empty() && addrs.len() <= PRINTED_MAX);
            assert!(addrs.iter().all(|addr| !addr.ip().is_unspecified() && addr.port() == 7420));
            let own = own(bound, nodeset());
            assert!(own.len() <= OWN_MAX);
            assert!(own.iter().all(|addr| reach(addr.ip()).is_some() && addr.port() == 7420));
            assert!(bound.is_ipv6() || own.iter().all(SocketAddr::is_ipv4));
        }
    }

    #[test]
    fn addresses_that_lead_nowhere_are_left_out() {
        for ip in ["127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255"] {
            assert_eq!(reach(ip.parse().unwrap()), None, "{ip}");
        }
        for ip in ["169.254.1.1", "fe80::1"] {
            assert_eq!(reach(ip.parse().unwrap()), Some(0), "{ip}");
        }
        for ip in ["192.168.1.20", "10.0.0.1", "2001:db8::1", "fd00::1"] {
            assert_eq!(reach(ip.parse().unwrap()), Some(1), "{ip}");
        }
    }

    fn of(kind: Kind, ip: &str) -> Own {
        Own { kind, ip: ip.parse().unwrap(), zone: 3 }
    }

    /// The bridge of Docker comes before the card in the order of the interfaces, and a tunnel has the
    /// default route: the one address that was printed was of no use to others.
    #[test]
    fn cards_come_first_and_bridges_between_containers_last() {
        let docker = of(Kind::Internal, "172.17.0.1");
        let (tunnel, bridge) = (of(Kind::Other, "10.8.0.2"), of(Kind::Bridge, "10.0.0.3"));
        let (card, card_v6) = (of(Kind::Physical, "192.168.1.20"), of(Kind::Physical, "fd00::20"));
        let cable = of(Kind::Physical, "169.254.7.7");
        let all = vec![docker, tunnel, card_v6, cable, bridge, card, docker];
        assert_eq!(choose(all), [card, card_v6, bridge, tunnel, docker]);
    }

    #[test]
    fn an_address_of_one_cable_is_better_than_none() {
        let (v4, v6) = (of(Kind::Other, "169.254.7.7"), of(Kind::Physical, "fe80::7"));
        let loopback = of(Kind::Other, "127.0.0.1");
        assert_eq!(choose(vec![loopback, v4, v6]), [v6, v4]);
        assert_eq!(choose(vec![loopback]), []);
        assert_eq!(v6.at(7).to_string(), "[fe80::7%3]:7");
        assert_eq!(printed(v6.at(7)).to_string(), "[fe80::7]:7");
    }

    #[test]
    fn what_an_interface_is_its_name_says() {
        for name in ["docker0", "br-12ab34cd56ef", "veth1234", "virbr0"] {
            assert_eq!(kind(name), Kind::Internal, "{name}");
        }
        assert_eq!(kind("no-such-interface"), Kind::Other);
    }
}
