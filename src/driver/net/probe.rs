//! Asks the operating system whether anybody listens at the nodeset's address.
//!
//! A refusal (ICMP port unreachable) reaches a program only through a *connected* socket, and the
//! chat's own socket talks to many. So a second one, connected to the nodeset, sends a single byte
//! that a nodeset drops in silence; a mistyped address is known after one round trip instead of
//! after every retry.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::{Interest, Registry, Token};

/// No datagram begins with this byte.
const NOTHING: &[u8] = &[0xff];

/// A connected socket that waits for a refusal.
#[derive(Debug)]
pub(crate) struct Probe {
    socket: mio::net::UdpSocket,
    target: SocketAddr,
}

impl Probe {
    /// Sends the byte. What fails here will fail again, and be told, when the machine itself asks.
    pub(crate) fn send(target: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let any = match target {
            SocketAddr::V4(_) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            SocketAddr::V6(_) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
        };
        let mut socket = mio::net::UdpSocket::bind(any)?;
        socket.connect(target)?;
        registry.register(&mut socket, token, Interest::READABLE)?;
        socket.send(NOTHING)?;
        Ok(Self { socket, target })
    }

    /// The nodeset's address, if the network says that nobody listens there.
    pub(crate) fn refused(&self) -> Option<SocketAddr> {
        let mut answer = [0; 1];
        // Whatever answers says so to the machine's own socket, too: only the error counts here.
        while let Err(error) = self.socket.recv(&mut answer) {
            match error.kind() {
                io::ErrorKind::ConnectionRefused => return Some(self.target),
                io::ErrorKind::Interrupted => {}
                _ => return None,
            }
        }
        None
    }
}
