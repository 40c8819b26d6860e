//! Datagrams with both their ends: which of our addresses one was sent to, and which one it goes from; and
//! how far one goes.
//!
//! A socket on a wildcard has every address of the computer, and a plain send leaves from whichever the
//! route prefers: who asked at another one takes the answer for somebody else's. The system tells and
//! takes it in control messages (RFC 3542, section 6; `IP_PKTINFO`), and a time to live as well, which is
//! that of one datagram and of no other (`IP_TTL`).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use mio::net::UdpSocket;
use nix::cmsg_space;
use nix::libc::{c_int, in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};
#[cfg(target_os = "linux")]
use nix::sys::socket::{MultiHeaders, sendmmsg};

/// Room for what the system tells with a datagram.
#[derive(Debug)]
pub(crate) struct Told(Vec<u8>);

impl Default for Told {
    fn default() -> Self {
        Self(cmsg_space!(in6_pktinfo, in_pktinfo))
    }
}

/// Has the system tell where each datagram was sent to.
pub(crate) fn watch(socket: &impl AsFd, v6: bool) -> io::Result<()> {
    if v6 {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    } else {
        setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
    }
    Ok(())
}

/// Reads one datagram: its length, where it came from, and to which of our addresses it was sent.
pub(crate) fn receive(
    socket: &UdpSocket,
    bytes: &mut [u8],
    Told(room): &mut Told,
) -> io::Result<(usize, SocketAddr, Option<IpAddr>)> {
    let mut slices = [IoSliceMut::new(bytes)];
    let flags = MsgFlags::empty();
    room.resize(room.capacity(), 0);
    let got = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(room), flags)?;
    let from = got.address.as_ref().and_then(std_addr).ok_or(io::ErrorKind::InvalidData)?;
    let at = got.cmsgs().ok().into_iter().flatten().find_map(|told| match told {
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some(IpAddr::from(info.ipi6_addr.s6_addr).to_canonical())
        }
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::from(info.ipi_spec_dst.s_addr.to_ne_bytes()))
        }
        _ => None,
    });
    let one = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_multicast() && !ip_is_broadcast(*ip);
    Ok((got.bytes, from, at.filter(one)))
}

/// What a datagram asks of the system, besides where it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// The address of ours that it leaves from.
    pub(crate) source: Option<IpAddr>,
    /// Over how many hops it may go.
    pub(crate) ttl: Option<u8>,
}

/// Sends one datagram, that way.
pub(crate) fn send(socket: &UdpSocket, to: SocketAddr, way: Way, bytes: &[u8]) -> io::Result<()> {
    if way == Way::default() {
        return socket.send_to(bytes, to).map(drop);
    }
    let (slices, flags) = ([IoSlice::new(bytes)], MsgFlags::empty());
    let asked = Asked::of(way, to)?;
    let to = SockaddrStorage::from(to);
    sendmsg(socket.as_raw_fd(), &slices, &asked.messages(), flags, Some(&to))?;
    Ok(())
}

/// Sends several datagrams that way, to addresses of one family, in one call of the system. How many of them
/// went, from the first on; or why not the first.
#[cfg(target_os = "linux")]
pub(crate) fn send_many(
    socket: &UdpSocket,
    way: Way,
    datagrams: &[(SocketAddr, &[u8])],
) -> io::Result<usize> {
    let Some(&(first, _)) = datagrams.first() else { return Ok(0) };
    let asked = Asked::of(way, first)?;
    let messages = asked.messages();
    // The room is taken whole by what stands in it: the system reads all of it.
    let room = match messages[..] {
        [] => None,
        [ControlMessage::Ipv4PacketInfo(_)] => Some(cmsg_space!(in_pktinfo)),
        [ControlMessage::Ipv6PacketInfo(_)] => Some(cmsg_space!(in6_pktinfo)),
        _ => return send(socket, first, way, datagrams[0].1).map(|()| 1),
    };
    let slices: Vec<_> = datagrams.iter().map(|(_, bytes)| [IoSlice::new(bytes)]).collect();
    let to: Vec<_> = datagrams.iter().map(|(to, _)| Some(SockaddrStorage::from(*to))).collect();
    let mut headers = MultiHeaders::preallocate(datagrams.len(), room);
    let flags = MsgFlags::empty();
    let sent = sendmmsg(socket.as_raw_fd(), &mut headers, &slices, &to, &messages, flags)?;
    Ok(sent.count())
}

/// There is no call for several datagrams: none of them went, and each goes alone.
#[cfg(not(target_os = "linux"))]
pub(crate) fn send_many(_: &UdpSocket, _: Way, _: &[(SocketAddr, &[u8])]) -> io::Result<usize> {
    Ok(0)
}

/// A [`Way`] as the system takes it, towards one address.
#[derive(Default)]
struct Asked {
    v4: Option<in_pktinfo>,
    v6: Option<in6_pktinfo>,
    ttl: Option<c_int>,
    hops: Option<c_int>,
}

impl Asked {
    fn of(way: Way, to: SocketAddr) -> io::Result<Self> {
        let mut asked = Self::default();
        // What a socket of IPv6 sends to IPv4 goes from an address that is written the same way.
        match (way.source, to) {
            (None, _) => {}
            (Some(IpAddr::V4(ip)), SocketAddr::V4(_)) => {
                let none = in_addr { s_addr: 0 };
                let ours = in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
                asked.v4 = Some(in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: ours, ipi_addr: none });
            }
            (Some(source), SocketAddr::V6(there)) => {
                let ours = match source {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                // Only the zone of who is asked says which card an address of this cable belongs to.
                let zone = if ours.is_unicast_link_local() { there.scope_id() } else { 0 };
                let ours = in6_addr { s6_addr: ours.octets() };
                asked.v6 = Some(in6_pktinfo { ipi6_addr: ours, ipi6_ifindex: zone });
            }
            (Some(IpAddr::V6(_)), SocketAddr::V4(_)) => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        }
        // But a time to live is that of the datagram, which is one of IPv4.
        let hops = way.ttl.map(|ttl| c_int::from(ttl.max(1)));
        match to.ip().to_canonical() {
            IpAddr::V4(_) => asked.ttl = hops,
            IpAddr::V6(_) => asked.hops = hops,
        }
        Ok(asked)
    }

    fn messages(&self) -> Vec<ControlMessage<'_>> {
        let v4 = self.v4.as_ref().map(ControlMessage::Ipv4PacketInfo);
        let v6 = self.v6.as_ref().map(ControlMessage::Ipv6PacketInfo);
        // Apple's systems take none for one datagram.
        #[cfg(target_os = "linux")]
        let ttl = self.ttl.as_ref().map(ControlMessage::Ipv4Ttl);
        #[cfg(not(target_os = "linux"))]
        let ttl = None;
        let hops = self.hops.as_ref().map(ControlMessage::Ipv6HopLimit);
        [v4, v6, ttl, hops].into_iter().flatten().collect()
    }
}

fn std_addr(addr: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = addr.as_sockaddr_in().map(|&addr| SocketAddr::V4(addr.into()));
    v4.or_else(|| addr.as_sockaddr_in6().map(|&addr| SocketAddr::V6(addr.into())))
}

const fn ip_is_broadcast(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.is_broadcast())
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use super::*;

    /// A socket that is told the time to live of what arrives.
    fn told_of(ip: IpAddr) -> std::net::UdpSocket {
        let socket = std::net::UdpSocket::bind((ip, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        match ip {
            IpAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvTtl, &true).unwrap(),
            IpAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true).unwrap(),
        }
        socket
    }

    /// What arrives next, and with which time to live.
    fn arrived(socket: &std::net::UdpSocket) -> (Vec<u8>, i32) {
        let (mut bytes, mut room) = ([0; 64], cmsg_space!(c_int));
        let (mut slices, flags) = ([IoSliceMut::new(&mut bytes)], MsgFlags::empty());
        let got =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut room), flags)
                .unwrap();
        let ttl = got.cmsgs().unwrap().find_map(|told| match told {
            ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => Some(ttl),
            _ => None,
        });
        let len = got.bytes;
        (bytes[..len].to_vec(), ttl.unwrap())
    }

    #[test]
    fn one_datagram_goes_as_far_as_it_is_to_and_the_next_as_ever() {
        let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
        let mapped = |addr: SocketAddr| crate::driver::net::address::mapped(addr);
        for (any, there) in [("0.0.0.0:0", v4), ("[::]:0", v4), ("[::]:0", v6)] {
            let sends = UdpSocket::bind(any.parse().unwrap()).unwrap();
            let reads = told_of(there);
            let to = reads.local_addr().unwrap();
            let to = if any.starts_with('[') { mapped(to) } else { to };
            sends.send_to(b"as ever", to).unwrap();
            let usual = arrived(&reads).1;
            for source in [None, Some(there)] {
                for (ttl, is) in
                    [(Some(3), 3), (None, usual), (Some(255), 255), (Some(0), 1), (None, usual)]
                {
                    let text = format!("{ttl:?} from {source:?}");
                    send(&sends, to, Way { source, ttl }, text.as_bytes()).unwrap();
                    let expected = (text.into_bytes(), is);
                    assert_eq!(arrived(&reads), expected, "{any} to {there}");
                }
            }
        }
    }
}
