//! Where an address counts, when one person can have many of them.

use core::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// An address of IPv4, or a /64 of IPv6: whoever has one address in it has all (RFC 4291, section 2.5.4).
pub(crate) fn source(addr: SocketAddr) -> IpAddr {
    prefix(addr.ip(), 64)
}

/// Where many sources count together when places are short: a /48, as one site has it (RFC 6177).
pub(crate) fn site(addr: SocketAddr) -> IpAddr {
    prefix(addr.ip(), 48)
}

fn prefix(ip: IpAddr, bits: u32) -> IpAddr {
    match ip {
        IpAddr::V6(ip) => {
            let rest = 128 - bits;
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> rest << rest))
        }
        ip => ip,
    }
}

/// The interface that an address belongs to which counts on one cable alone; `None` for any other address, and
/// where it is not known.
pub(crate) const fn zone(addr: SocketAddr) -> Option<u32> {
    match addr {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() != 0 => {
            Some(v6.scope_id())
        }
        _ => None,
    }
}

/// The address of a neighbour of somebody whom we speak with: one of a single cable has no interface on the
/// wire, since each computer numbers its own, and takes that.
pub(crate) fn beside(addr: SocketAddr, near: Option<SocketAddr>) -> SocketAddr {
    match (addr, near.and_then(zone)) {
        (SocketAddr::V6(v6), Some(zone))
            if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 =>
        {
            SocketAddr::V6(SocketAddrV6::new(*v6.ip(), v6.port(), v6.flowinfo(), zone))
        }
        _ => addr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_cable_takes_the_interface_of_a_neighbour() {
        let addr = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (of, near, is) in [
            ("[fe80::2]:7", "[fe80::1%3]:7420", "[fe80::2%3]:7"),
            ("[fe80::2%5]:7", "[fe80::1%3]:7420", "[fe80::2%5]:7"),
            ("[fe80::2]:7", "[fd00::1]:7420", "[fe80::2]:7"),
            ("[fe80::2]:7", "10.0.0.1:7420", "[fe80::2]:7"),
            ("[fd00::2]:7", "[fe80::1%3]:7420", "[fd00::2]:7"),
            ("10.0.0.2:7", "[fe80::1%3]:7420", "10.0.0.2:7"),
        ] {
            assert_eq!(beside(addr(of), Some(addr(near))), addr(is), "{of} near {near}");
        }
        assert_eq!(beside(addr("[fe80::2]:7"), None), addr("[fe80::2]:7"));
    }
}
