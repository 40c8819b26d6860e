//! Asks the operating system whether anybody listens at the nodeset's address.
//!
//! A refusal (ICMP port unreachable) reaches a program only through a *connected* socket, and the
//! chat's own socket talks to many. So another one for each address, connected to it, sends a single byte
//! that a nodeset drops in silence; a mistyped address is known after one round trip instead of
//! after every retry.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::{Interest, Registry, Token};

/// No datagram begins with this byte.
const NOTHING: &[u8] = &[0xff];

/// Connected sockets that wait for a refusal.
#[derive(Debug, Default)]
pub(crate) struct Probe(Vec<(mio::net::UdpSocket, SocketAddr)>);

impl Probe {
    /// Sends the byte to each address. What fails here will fail again, and be told, when the machine itself
    /// asks.
    pub(crate) fn send(targets: &[SocketAddr], registry: &Registry, token: Token) -> Self {
        let probes = targets.iter().filter_map(|&target| {
            let any = match target {
                SocketAddr::V4(_) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
                SocketAddr::V6(_) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
            };
            let mut socket = mio::net::UdpSocket::bind(any).ok()?;
            socket.connect(target).ok()?;
            registry.register(&mut socket, token, Interest::READABLE).ok()?;
            socket.send(NOTHING).ok()?;
            Some((socket, target))
        });
        Self(probes.collect())
    }

    /// The addresses where the network says that nobody listens.
    pub(crate) fn refused(&mut self) -> Vec<SocketAddr> {
        let (refused, open): (Vec<_>, _) =
            core::mem::take(&mut self.0).into_iter().partition(|(socket, _)| is_refused(socket));
        self.0 = open;
        refused.into_iter().map(|(_, target)| target).collect()
    }
}

fn is_refused(socket: &mio::net::UdpSocket) -> bool {
    let mut answer = [0; 1];
    // Whatever answers says so to the machine's own socket, too: only the error counts here.
    while let Err(error) = socket.recv(&mut answer) {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => return true,
            io::ErrorKind::Interrupted => {}
            _ => return false,
        }
    }
    false
}
