//! The same as `way.rs` on systems whose control messages we do not know: which of our addresses a
//! datagram was sent to stays untold, and the route chooses where one leaves from.

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

pub(crate) fn send(socket: &UdpSocket, to: SocketAddr, _: IpAddr, bytes: &[u8]) -> io::Result<()> {
    socket.send_to(bytes, to).map(drop)
}
