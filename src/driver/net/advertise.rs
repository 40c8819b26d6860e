//! Which of this computer's addresses others can use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use if_addrs::{IfAddr, Interface};

/// How many addresses of our own a beacon has room for.
const OWN_MAX: usize = 4;

/// The address to print: one that others can type.
///
/// In this order: the address that was bound, if it is a particular one; the one the operating
/// system would send from; the first of an interface; and at last, on a computer without a network,
/// the loopback.
pub(crate) fn advertised(bound: SocketAddr) -> SocketAddr {
    let ip = if bound.ip().is_unspecified() {
        routed(bound.is_ipv6())
            .or_else(|| usable(&interfaces(), bound.is_ipv6()).first().copied())
            .unwrap_or(Ipv4Addr::LOCALHOST.into())
    } else {
        bound.ip()
    };
    SocketAddr::new(ip, bound.port())
}

/// What a peer tells others besides the address they see: its addresses on this computer's
/// interfaces, the likeliest first. None for a socket that is bound to the loopback.
pub(crate) fn own(bound: SocketAddr) -> Vec<SocketAddr> {
    let ips = if bound.ip().is_unspecified() {
        let mut ips = usable(&interfaces(), bound.is_ipv6());
        let first = routed(bound.is_ipv6());
        ips.sort_by_key(|ip| (Some(*ip) != first, ip.is_ipv6()));
        ips
    } else if bound.ip().is_loopback() {
        Vec::new()
    } else {
        vec![bound.ip()]
    };
    ips.into_iter().take(OWN_MAX).map(|ip| SocketAddr::new(ip, bound.port())).collect()
}

/// The address the operating system would send from. Connecting a UDP socket sends nothing; the
/// targets are addresses for documentation (RFC 5737, RFC 3849), which stand for "far away".
fn routed(v6: bool) -> Option<IpAddr> {
    let source = |any: IpAddr, far: IpAddr| {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((far, 9)).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        is_usable(ip).then_some(ip)
    };
    let v4 = source(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    v4.or_else(|| v6.then(|| source(Ipv6Addr::UNSPECIFIED.into(), documentation.into())).flatten())
}

fn interfaces() -> Vec<Interface> {
    if_addrs::get_if_addrs().unwrap_or_else(|error| {
        log::debug!("cannot list the interfaces: {error}");
        Vec::new()
    })
}

/// The addresses of interfaces that are up, IPv4 first.
fn usable(interfaces: &[Interface], v6: bool) -> Vec<IpAddr> {
    let up = interfaces.iter().filter(|interface| interface.is_oper_up());
    let mut ips: Vec<IpAddr> = up
        .map(|interface| match &interface.addr {
            IfAddr::V4(v4) => v4.ip.into(),
            IfAddr::V6(v6) => v6.ip.into(),
        })
        .filter(|&ip| is_usable(ip) && (v6 || ip.is_ipv4()))
        .collect();
    ips.sort_by_key(IpAddr::is_ipv6);
    ips.dedup();
    ips
}

/// Neither this computer alone, nor this cable alone, nor everybody.
fn is_usable(ip: IpAddr) -> bool {
    let local = match ip {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(local || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_particular_address_is_advertised_as_it_is() {
        let bound = "127.0.0.1:7420".parse().unwrap();
        assert_eq!(advertised(bound), bound);
        assert_eq!(own(bound), [], "nobody else reaches the loopback");
        let bound = "10.1.2.3:7420".parse().unwrap();
        assert_eq!(own(bound), [bound]);
    }

    #[test]
    fn a_wildcard_is_never_advertised() {
        for bound in ["[::]:7420", "0.0.0.0:7420"] {
            let bound: SocketAddr = bound.parse().unwrap();
            let addr = advertised(bound);
            assert!(!addr.ip().is_unspecified());
            assert_eq!(addr.port(), 7420);
            let own = own(bound);
            assert!(own.len() <= OWN_MAX);
            assert!(own.iter().all(|addr| is_usable(addr.ip()) && addr.port() == 7420));
            assert!(bound.is_ipv6() || own.iter().all(SocketAddr::is_ipv4));
        }
    }

    #[test]
    fn addresses_that_lead_nowhere_are_left_out() {
        for ip in ["127.0.0.1", "::1", "169.254.1.1", "fe80::1", "0.0.0.0", "::", "224.0.0.1"] {
            assert!(!is_usable(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["192.168.1.20", "10.0.0.1", "2001:db8::1", "fd00::1"] {
            assert!(is_usable(ip.parse().unwrap()), "{ip}");
        }
    }
}
