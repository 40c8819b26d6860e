//! Where an address counts, when one person can have many of them.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

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
