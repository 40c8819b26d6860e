//! Asks the operating system whether anybody listens at the nodeset's address, and what the network says of it.
//!
//! A refusal (ICMP port unreachable) reaches a program only through a *connected* socket, and the
//! chat's own socket talks to many. So another one for each address, connected to it, sends a single byte
//! that a nodeset drops in silence; a mistyped address is known after one round trip instead of
//! after every retry. Where the system keeps all that comes back (`IP_RECVERR` of Linux), a host that is not there, and
//! routers that know no way or forbid it, are told apart.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::{Interest, Registry, Token};

use crate::machine::doctor::Said;

/// No datagram begins with this byte.
const NOTHING: &[u8] = &[0xff];

/// Errors that are read of one socket at once.
const ERRORS_MAX: usize = 16;

/// Connected sockets that wait for what the network says.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    open: Vec<(mio::net::UdpSocket, SocketAddr)>,
    said: Vec<(SocketAddr, Said)>,
}

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
            if let Err(error) = queue::watch(&socket, target) {
                log::debug!("what the network says of {target} stays untold: {error}");
            }
            registry.register(&mut socket, token, Interest::READABLE).ok()?;
            socket.send(NOTHING).ok()?;
            Some((socket, target))
        });
        Self { open: probes.collect(), said: Vec::new() }
    }

    /// Sends the byte again: the first one, or what was said of it, may be lost.
    pub(crate) fn again(&self) {
        for (socket, target) in &self.open {
            if let Err(error) = socket.send(NOTHING) {
                log::trace!("cannot send to {target}: {error}");
            }
        }
    }

    /// Takes what has come: the addresses where the network says that nobody listens, each once.
    pub(crate) fn refused(&mut self) -> Vec<SocketAddr> {
        let mut refused = Vec::new();
        for (socket, target) in core::mem::take(&mut self.open) {
            let all = said_of(&socket, target);
            let is_refused = all.contains(&Said::NobodyListens);
            // What is nearest says most: a host that refuses is there.
            if let Some(&best) = all.iter().max_by_key(|said| **said == Said::NobodyListens) {
                self.said.retain(|(there, _)| *there != target);
                self.said.push((target, best));
            }
            if is_refused {
                refused.push(target);
            } else {
                self.open.push((socket, target));
            }
        }
        refused
    }

    /// What the network said of each address, last.
    pub(crate) fn said(&self) -> &[(SocketAddr, Said)] {
        &self.said
    }
}

/// What has come back for one address.
fn said_of(socket: &mio::net::UdpSocket, target: SocketAddr) -> Vec<Said> {
    let own = socket.local_addr().map(|addr| addr.ip()).ok();
    let mut all: Vec<Said> = queue::read(socket, target)
        .into_iter()
        .take(ERRORS_MAX)
        .filter_map(|told| classify(target.is_ipv4(), told, own))
        .collect();
    let mut answer = [0; 1];
    // Whatever answers says so to the machine's own socket, too: only the error counts here.
    for _ in 0..ERRORS_MAX {
        let Err(error) = socket.recv(&mut answer) else { continue };
        match error.kind() {
            io::ErrorKind::ConnectionRefused => all.push(Said::NobodyListens),
            io::ErrorKind::WouldBlock => break,
            _ => {}
        }
    }
    all
}

/// A message of ICMP that came for something we sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message {
    kind: u8,
    code: u8,
    /// Who sent it.
    by: Option<IpAddr>,
}

/// What a message of ICMP says (RFC 792, 1122 and 1812; RFC 4443); `None` when that is none of ours.
fn classify(v4: bool, message: Message, own: Option<IpAddr>) -> Option<Said> {
    let Message { kind, code, by } = message;
    let unknown = || match by {
        // A system says so of its own network.
        Some(by) if Some(by) != own => Said::KnowsNone(by),
        _ => Said::NobodyThere,
    };
    Some(match (v4, kind, code) {
        (true, 3, 3) | (false, 1, 4) => Said::NobodyListens,
        (true, 3, 9 | 10 | 13) | (false, 1, 1 | 5 | 6) => Said::Forbidden(by?),
        (true, 3, 0 | 1 | 6 | 7 | 11 | 12) | (false, 1, 0 | 3) => unknown(),
        (true, 11, _) | (false, 3, _) => Said::Loops(by?),
        _ => return None,
    })
}

/// The queue of errors of a socket.
#[cfg(target_os = "linux")]
mod queue {
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::os::fd::AsRawFd;

    use mio::net::UdpSocket;
    use nix::cmsg_space;
    use nix::libc::{sock_extended_err, sockaddr_in6};
    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
    };

    use super::{ERRORS_MAX, Message};

    pub(super) fn watch(socket: &UdpSocket, target: SocketAddr) -> io::Result<()> {
        if target.is_ipv4() {
            setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
        } else {
            setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
        }
        Ok(())
    }

    pub(super) fn read(socket: &UdpSocket, _: SocketAddr) -> Vec<Message> {
        let (mut all, mut bytes) = (Vec::new(), [0; 1]);
        let mut room = cmsg_space!(sock_extended_err, sockaddr_in6);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        for _ in 0..ERRORS_MAX {
            let mut slices = [io::IoSliceMut::new(&mut bytes)];
            room.resize(room.capacity(), 0);
            let fd = socket.as_raw_fd();
            let got = recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut room), flags);
            let Ok(got) = got else { break };
            let told = got.cmsgs().ok().into_iter().flatten().find_map(|told| match told {
                ControlMessageOwned::Ipv4RecvErr(error, by) => {
                    let ip = by.map(|by| Ipv4Addr::from(by.sin_addr.s_addr.to_ne_bytes()));
                    Some(message(&error, ip.map(IpAddr::V4)))
                }
                ControlMessageOwned::Ipv6RecvErr(error, by) => {
                    let ip = by.map(|by| Ipv6Addr::from(by.sin6_addr.s6_addr));
                    Some(message(&error, ip.map(IpAddr::V6)))
                }
                _ => None,
            });
            all.extend(told);
        }
        all
    }

    const fn message(error: &sock_extended_err, by: Option<IpAddr>) -> Message {
        Message { kind: error.ee_type, code: error.ee_code, by }
    }
}

/// There is none: only a refusal is told.
#[cfg(not(target_os = "linux"))]
mod queue {
    use std::io;
    use std::net::SocketAddr;

    use mio::net::UdpSocket;

    use super::Message;

    pub(super) fn watch(_: &UdpSocket, _: SocketAddr) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn read(_: &UdpSocket, _: SocketAddr) -> Vec<Message> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_network_says_is_told_apart() {
        let (own, router): (IpAddr, IpAddr) =
            ("10.9.0.2".parse().unwrap(), "10.9.0.254".parse().unwrap());
        let of = |v4, kind, code, by| classify(v4, Message { kind, code, by: Some(by) }, Some(own));
        for (v4, kind, code, by, said) in [
            (true, 3, 3, router, Some(Said::NobodyListens)),
            (false, 1, 4, router, Some(Said::NobodyListens)),
            (true, 3, 1, own, Some(Said::NobodyThere)),
            (false, 1, 3, own, Some(Said::NobodyThere)),
            (true, 3, 1, router, Some(Said::KnowsNone(router))),
            (true, 3, 0, router, Some(Said::KnowsNone(router))),
            (false, 1, 0, router, Some(Said::KnowsNone(router))),
            (true, 3, 13, router, Some(Said::Forbidden(router))),
            (false, 1, 1, router, Some(Said::Forbidden(router))),
            (true, 11, 0, router, Some(Said::Loops(router))),
            (false, 3, 0, router, Some(Said::Loops(router))),
            // It was too large, which the system sees to; and what nobody sends.
            (true, 3, 4, router, None),
            (false, 2, 0, router, None),
            (true, 5, 0, router, None),
        ] {
            assert_eq!(of(v4, kind, code, by), said, "{kind} {code}");
        }
        let nobody = Message { kind: 3, code: 13, by: None };
        assert_eq!(classify(true, nobody, Some(own)), None, "nobody says who forbids it");
    }
}
