//! Datagrams with both their ends: which of our addresses one was sent to, and which one it goes from.
//!
//! A socket on a wildcard has every address of the computer, and a plain send leaves from whichever the
//! route prefers: who asked at another one takes the answer for somebody else's. The system tells and
//! takes it in control messages (RFC 3542, section 6; `IP_PKTINFO`).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use mio::net::UdpSocket;
use nix::cmsg_space;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};

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

/// Sends one datagram from one of our addresses.
pub(crate) fn send(
    socket: &UdpSocket,
    to: SocketAddr,
    source: IpAddr,
    bytes: &[u8],
) -> io::Result<()> {
    let (slices, flags, to) =
        ([IoSlice::new(bytes)], MsgFlags::empty(), (to, SockaddrStorage::from(to)));
    let (v4, v6);
    // What a socket of IPv6 sends to IPv4 goes from an address that is written the same way.
    let way = match (source, to.0) {
        (IpAddr::V4(ip), SocketAddr::V4(_)) => {
            let none = in_addr { s_addr: 0 };
            let ours = in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
            v4 = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: ours, ipi_addr: none };
            ControlMessage::Ipv4PacketInfo(&v4)
        }
        (_, SocketAddr::V6(there)) => {
            let ours = match source {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            // Only the zone of who is asked says which card an address of this cable belongs to.
            let zone = if ours.is_unicast_link_local() { there.scope_id() } else { 0 };
            let ours = in6_addr { s6_addr: ours.octets() };
            v6 = in6_pktinfo { ipi6_addr: ours, ipi6_ifindex: zone };
            ControlMessage::Ipv6PacketInfo(&v6)
        }
        (IpAddr::V6(_), SocketAddr::V4(_)) => return Err(io::ErrorKind::InvalidInput.into()),
    };
    sendmsg(socket.as_raw_fd(), &slices, &[way], flags, Some(&to.1))?;
    Ok(())
}

fn std_addr(addr: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = addr.as_sockaddr_in().map(|&addr| SocketAddr::V4(addr.into()));
    v4.or_else(|| addr.as_sockaddr_in6().map(|&addr| SocketAddr::V6(addr.into())))
}

const fn ip_is_broadcast(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.is_broadcast())
}
