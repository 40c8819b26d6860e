//! A way through a relay, written as an address (docs/PROTOCOL.md, "Relays").
//!
//! A way is what a link leads over: an address on the network, or an index at a member that passes on
//! what we send it under that. All that knows ways by their addresses knows both alike. The second kind
//! has addresses of the prefix that no computer has (RFC 6666), and is known by the number of a link in a
//! field that no address from outside can set.

use core::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::machine::purpose::LinkKey;

/// The discard-only prefix, 100::/64.
const PREFIX: u128 = 0x0100 << 112;
const PORT: u16 = 1;

/// No address of that prefix comes before it.
pub(crate) const FIRST: SocketAddr =
    SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from_bits(PREFIX), 0, 0, 0));

/// What a member passes on, and gets for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Relayed {
    /// The link to the relay.
    pub(crate) over: LinkKey,
    /// What stands in front.
    pub(crate) index: u64,
}

/// Whether that is no address of a computer.
pub(crate) fn is_relayed(addr: SocketAddr) -> bool {
    matches!(addr.ip(), IpAddr::V6(ip) if ip.to_bits() >> 64 == PREFIX >> 64)
}

impl Relayed {
    /// As an address.
    pub(crate) fn addr(self) -> SocketAddr {
        let ip = Ipv6Addr::from_bits(PREFIX | u128::from(self.index));
        let (place, generation) = self.over.to_parts();
        SocketAddr::V6(SocketAddrV6::new(ip, PORT, generation.wrapping_add(1), place))
    }

    /// What an address stands for; `None` where that is a computer.
    pub(crate) fn of(addr: SocketAddr) -> Option<Self> {
        let SocketAddr::V6(v6) = addr else { return None };
        if !is_relayed(addr) || v6.port() != PORT || v6.flowinfo() == 0 {
            return None;
        }
        let over = LinkKey::of_parts((v6.scope_id(), v6.flowinfo().wrapping_sub(1)));
        // The lower half.
        Some(Self { over, index: v6.ip().to_bits() as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::slots::Slots;

    #[test]
    fn a_way_is_read_back_and_no_address_is_one() {
        let mut links = Slots::<(), crate::machine::purpose::ALink>::default();
        for index in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            let way = Relayed { over: links.insert(()), index };
            assert!(is_relayed(way.addr()));
            assert_eq!(Relayed::of(way.addr()), Some(way));
            // What a packet can hold of it is no way, and no computer either.
            let told = SocketAddr::new(way.addr().ip(), way.addr().port());
            assert!(is_relayed(told) && Relayed::of(told).is_none());
        }
        for addr in ["192.0.2.1:1", "[2001:db8::1]:1", "[fe80::1%3]:1", "[100:0:0:1::1]:1"] {
            let addr = addr.parse().unwrap();
            assert!(!is_relayed(addr) && Relayed::of(addr).is_none(), "{addr}");
        }
    }
}
