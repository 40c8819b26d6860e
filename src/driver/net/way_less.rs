//! The same as `way.rs` on systems whose control messages we do not know: which of our addresses a
//! datagram was sent to stays untold, the route chooses where one leaves from, and each goes as far as any.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use mio::net::UdpSocket;

#[derive(Debug, Default)]
pub(crate) struct Told;

pub(crate) fn watch(_: &impl AsFd, _: bool) -> io::Result<()> {
    Ok(())
}

pub(crate) fn receive(
    socket: &UdpSocket,
    bytes: &mut [u8],
    _: &mut Told,
) -> io::Result<(usize, SocketAddr, Option<IpAddr>)> {
    socket.recv_from(bytes).map(|(len, from)| (len, from, None))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) source: Option<IpAddr>,
    pub(crate) ttl: Option<u8>,
}

pub(crate) fn send(socket: &UdpSocket, to: SocketAddr, _: Way, bytes: &[u8]) -> io::Result<()> {
    socket.send_to(bytes, to).map(drop)
}

pub(crate) fn send_many(_: &UdpSocket, _: Way, _: &[(SocketAddr, &[u8])]) -> io::Result<usize> {
    Ok(0)
}
