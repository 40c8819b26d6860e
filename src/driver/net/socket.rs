//! One UDP socket: bound, with large buffers, and free of what IPv4 inside IPv6 looks like.
//!
//! Nothing that goes wrong here after the socket is bound is fatal. A datagram that cannot be sent
//! is a lost one, which the machines are made for; every other error is counted and survived, since
//! the usual causes (a cable, a route, a firewall) pass.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket};
use std::os::fd::{AsFd, OwnedFd};

use log::{debug, trace};
use mio::{Interest, Registry, Token};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

use crate::driver::net::address::{canonical, mapped};
use crate::driver::net::burst::{Burst, Outbound};
use crate::driver::net::way::{self, Told, Way};
use crate::machine::doctor::System;
use crate::machine::wire::DATAGRAM_MAX;

/// The size of the socket's buffers. The usual default holds 166 datagrams of 200 bytes: a room of
/// 200 would lose the receipts of its own burst.
const BUFFER_BYTES: usize = 4 << 20;
/// How many datagrams are read before timers and local work get their turn.
const BATCH_MAX: usize = 256;
/// How many errors in a row end a turn of reading.
const ERRORS_MAX: usize = 16;

/// Of how many addresses it is remembered that nothing could be sent there.
const UNSENT_MAX: usize = 16;

/// A bound socket, and what is known of its readiness.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: mio::net::UdpSocket,
    local: SocketAddr,
    v6: bool,
    readable: bool,
    told: Told,
    burst: Burst,
    trouble: Trouble,
    /// What the system said last of what failed.
    failure: Option<io::Error>,
    /// Where nothing could be sent to, the last time it was tried, and why.
    unsent: Vec<(SocketAddr, io::Error)>,
}

/// What went wrong at a socket, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Datagrams the operating system had no room for.
    pub(crate) lost: u64,
    /// Sends and receives that failed for another reason.
    pub(crate) failed: u64,
}

/// Bytes of one datagram, one more than allowed so that a longer one is seen to be too long.
pub(crate) type Buffer = [u8; DATAGRAM_MAX + 1];

impl Socket {
    /// Binds `listen`. `[::]` takes IPv4 along, and means `0.0.0.0` on a computer without IPv6.
    pub(crate) fn bind(listen: SocketAddr) -> io::Result<Self> {
        Self::bind_as(listen, false)
    }

    /// Binds that port on every address, beside whoever has it for the same reason: each hears what is sent to
    /// everybody on a network.
    pub(crate) fn bind_shared(port: u16) -> io::Result<Self> {
        Self::bind_as(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), true)
    }

    fn bind_as(listen: SocketAddr, shared: bool) -> io::Result<Self> {
        let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), listen.port());
        let bound = match bind_exactly(listen, shared) {
            Err(error) if is_wildcard_v6(listen) && lacks_ipv6(&error) => bind_exactly(any, shared),
            other => other,
        }?;
        for (name, result) in [
            ("receive", sockopt::set_socket_recv_buffer_size(&bound, BUFFER_BYTES)),
            ("send", sockopt::set_socket_send_buffer_size(&bound, BUFFER_BYTES)),
        ] {
            if let Err(error) = result {
                debug!("the {name} buffer stays small: {error}");
            }
        }
        let socket = StdSocket::from(bound);
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        if let Err(error) = way::watch(&socket, local.is_ipv6()) {
            debug!("where datagrams were sent to stays untold: {error}");
        }
        Ok(Self {
            inner: mio::net::UdpSocket::from_std(socket),
            local: canonical(local),
            v6: local.is_ipv6(),
            readable: false,
            told: Told::default(),
            burst: Burst::default(),
            trouble: Trouble::default(),
            failure: None,
            unsent: Vec::new(),
        })
    }

    /// Binds any port, to talk to somebody.
    pub(crate) fn bind_towards(others: &[SocketAddr]) -> io::Result<Self> {
        let any: IpAddr = match others.iter().all(SocketAddr::is_ipv4) {
            true => Ipv4Addr::UNSPECIFIED.into(),
            false => Ipv6Addr::UNSPECIFIED.into(),
        };
        Self::bind(SocketAddr::new(any, 0))
    }

    /// It may send to everybody on a network at once.
    pub(crate) fn reach_networks(&self) -> io::Result<()> {
        Ok(sockopt::set_socket_broadcast(&self.inner, true)?)
    }

    /// Hears what is sent to a group of IPv6 over that interface.
    pub(crate) fn join(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        Ok(sockopt::set_ipv6_add_membership(&self.inner, group, interface)?)
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.inner, token, Interest::READABLE)
    }

    /// The address it is bound to, which may be a wildcard.
    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The poll says that something waits.
    pub(crate) const fn note_readable(&mut self) {
        self.readable = true;
    }

    /// Whether something may still wait that the poll will not tell about again.
    pub(crate) const fn readable(&self) -> bool {
        self.readable
    }

    /// Hands every datagram that waits to `take`, up to a budget, with where it came from and to which of our
    /// addresses.
    pub(crate) fn receive(
        &mut self,
        buffer: &mut Buffer,
        mut take: impl FnMut(&mut Self, (SocketAddr, Option<IpAddr>), &[u8]),
    ) {
        let mut errors = 0;
        for _ in 0..BATCH_MAX {
            match way::receive(&self.inner, buffer, &mut self.told) {
                Ok((len, from, at)) => {
                    let from = canonical(from);
                    trace!("{len} bytes from {from}");
                    take(self, (from, at), &buffer[..len]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    return;
                }
                Err(error) => {
                    self.fail(error);
                    errors += 1;
                    if errors == ERRORS_MAX {
                        self.readable = false;
                        return;
                    }
                }
            }
        }
        self.readable = true;
    }

    /// Has a datagram leave with the next [flush](Socket::flush), or before. Its source is the address of ours
    /// that it leaves from, if it still is one.
    pub(crate) fn send(&mut self, to: SocketAddr, way: Way, bytes: &[u8]) {
        trace!("{} bytes to {to}", bytes.len());
        // A socket that is bound to one address has no other.
        let source = way.source.filter(|_| self.local.ip().is_unspecified());
        self.burst.push(Outbound { to, way: Way { source, ..way }, bytes });
        if self.burst.is_full() {
            self.flush();
        }
    }

    /// Sends what waits, or loses it.
    pub(crate) fn flush(&mut self) {
        let mut burst = core::mem::take(&mut self.burst);
        let (inner, v6) = (&self.inner, self.v6);
        let target = |to| if v6 { mapped(to) } else { to };
        let one = |Outbound { to, way, bytes }: Outbound<'_>| {
            let sent = way::send(inner, target(to), way, bytes);
            match &sent {
                Err(error) if way.source.is_some() && is_not_ours(error) => {
                    way::send(inner, target(to), Way { source: None, ..way }, bytes)
                }
                _ => sent,
            }
        };
        let many = |burst: &[Outbound<'_>]| {
            let datagrams = burst.iter().map(|datagram| (target(datagram.to), datagram.bytes));
            way::send_many(inner, burst[0].way, &datagrams.collect::<Vec<_>>())
        };
        let mut fates = Vec::new();
        burst.leave(many, one, |to, fate| fates.push((to, fate)));
        self.burst = burst;
        fates.into_iter().for_each(|(to, fate)| self.note_fate(to, fate));
    }

    fn note_fate(&mut self, to: SocketAddr, fate: io::Result<()>) {
        match fate {
            Ok(()) => self.unsent.retain(|(there, _)| *there != to),
            Err(error) if is_full(&error) => {
                trace!("no room for a datagram to {to}");
                self.trouble.lost += 1;
            }
            Err(error) => {
                trace!("cannot send to {to}: {error}");
                self.unsent.retain(|(there, _)| *there != to);
                if self.unsent.len() == UNSENT_MAX {
                    self.unsent.remove(0);
                }
                self.unsent.extend(
                    error.raw_os_error().map(|code| (to, io::Error::from_raw_os_error(code))),
                );
                self.fail(error);
            }
        }
    }

    fn fail(&mut self, error: io::Error) {
        self.trouble.failed += 1;
        self.failure = Some(error);
    }

    /// Where nothing could be sent to, and why.
    pub(crate) fn unsent(&self) -> &[(SocketAddr, io::Error)] {
        &self.unsent
    }

    /// What went wrong so far.
    pub(crate) const fn trouble(&self) -> Trouble {
        self.trouble
    }

    /// What the system said of it last.
    pub(crate) const fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }
}

/// What the system means by an error of sending.
pub(crate) fn meant(error: &io::Error) -> System {
    use rustix::io::Errno;

    match Errno::from_io_error(error) {
        Some(Errno::NETUNREACH | Errno::NETDOWN | Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT) => {
            System::NoRoute
        }
        Some(Errno::HOSTUNREACH | Errno::HOSTDOWN) => System::NoHost,
        Some(Errno::PERM | Errno::ACCESS) => System::NotPermitted,
        Some(Errno::INVAL) => System::Invalid,
        _ => System::Other(error.to_string()),
    }
}

fn bind_exactly(listen: SocketAddr, shared: bool) -> io::Result<OwnedFd> {
    let family = if listen.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    if listen.is_ipv6() {
        sockopt::set_ipv6_v6only(socket.as_fd(), false)?;
    }
    if shared {
        sockopt::set_socket_reuseaddr(socket.as_fd(), true)?;
        // Elsewhere that alone does not let several hear what is sent to all.
        #[cfg(not(target_os = "linux"))]
        sockopt::set_socket_reuseport(socket.as_fd(), true)?;
    }
    net::bind(&socket, &listen)?;
    Ok(socket)
}

fn is_wildcard_v6(listen: SocketAddr) -> bool {
    listen.is_ipv6() && listen.ip().is_unspecified()
}

/// IPv6 is compiled out, switched off, or has no address at all.
fn lacks_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;

    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::PROTONOSUPPORT, Errno::INVAL]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// The address that it was to leave from is no address of ours any more, or leads nowhere.
fn is_not_ours(error: &io::Error) -> bool {
    use rustix::io::Errno;

    [Errno::INVAL, Errno::ADDRNOTAVAIL, Errno::NETUNREACH, Errno::HOSTUNREACH, Errno::NODEV]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(socket: &mut Socket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut buffer = [0; DATAGRAM_MAX + 1];
        let mut seen = Vec::new();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while seen.len() < count {
            assert!(std::time::Instant::now() < end, "only {} of {count} arrived", seen.len());
            socket.receive(&mut buffer, |_, (from, _), bytes| seen.push((from, bytes.to_vec())));
        }
        seen
    }

    #[test]
    fn ipv4_is_ipv4_on_a_dual_stack_socket() {
        let mut any = Socket::bind("[::]:0".parse().unwrap()).unwrap();
        let mut v4 = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let any_addr = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), any.local().port());

        v4.send(any_addr, Way::default(), b"there");
        v4.flush();
        assert_eq!(arrived(&mut any, 1), [(v4.local(), b"there".to_vec())]);
        any.send(v4.local(), Way::default(), b"back");
        any.flush();
        assert_eq!(arrived(&mut v4, 1), [(any_addr, b"back".to_vec())]);
    }

    #[test]
    fn who_is_asked_at_one_address_answers_from_it() {
        for any in ["[::]:0", "0.0.0.0:0"] {
            let mut any = Socket::bind(any.parse().unwrap()).unwrap();
            let mut asks = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let second = SocketAddr::new(Ipv4Addr::new(127, 0, 1, 1).into(), any.local().port());
            asks.send(second, Way::default(), b"who are you");
            asks.flush();
            let (mut buffer, mut at) = ([0; DATAGRAM_MAX + 1], None);
            while at.is_none() {
                any.receive(&mut buffer, |any, (from, to), _| {
                    at = to;
                    any.send(from, Way { source: to, ttl: None }, b"who was asked");
                    any.flush();
                });
            }
            assert_eq!(at, Some(second.ip()));
            assert_eq!(arrived(&mut asks, 1), [(second, b"who was asked".to_vec())]);
        }
    }

    #[test]
    fn an_address_that_is_ours_no_more_is_left_out() {
        let mut any = Socket::bind("[::]:0".parse().unwrap()).unwrap();
        let mut v4 = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        for gone in ["192.0.2.9", "2001:db8::9"] {
            let gone = Way { source: Some(gone.parse().unwrap()), ttl: None };
            any.send(v4.local(), gone, b"from elsewhere");
            any.flush();
            let from = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), any.local().port());
            assert_eq!(arrived(&mut v4, 1), [(from, b"from elsewhere".to_vec())]);
        }
        assert_eq!(any.trouble(), Trouble::default());
    }

    #[test]
    fn a_datagram_over_the_limit_is_seen_to_be_over_it() {
        let mut a = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut b = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        b.send(a.local(), Way::default(), &[7; DATAGRAM_MAX + 900]);
        b.flush();
        assert_eq!(arrived(&mut a, 1)[0].1.len(), DATAGRAM_MAX + 1);
    }

    #[test]
    fn a_burst_is_read_in_batches_and_remembered() {
        let mut a = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut b = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        for n in 0..300u16 {
            b.send(a.local(), Way::default(), &n.to_be_bytes());
            b.flush();
        }
        let mut buffer = [0; DATAGRAM_MAX + 1];
        let mut seen = 0;
        a.receive(&mut buffer, |_, _, _| seen += 1);
        assert_eq!(seen, BATCH_MAX);
        assert!(a.readable(), "the poll will not say it again");
        a.receive(&mut buffer, |_, _, _| seen += 1);
        assert_eq!(seen, 300);
        assert!(!a.readable());
    }

    /// What each sink got, what went wrong, and what failed last where.
    type Fared = (Vec<Vec<Vec<u8>>>, Trouble, Vec<(SocketAddr, Option<i32>)>);

    /// Datagrams to several sinks of both families, and some that cannot go, from a socket on every address:
    /// what became of each, all at once or one by one.
    fn to_many(at_once: bool) -> Fared {
        let mut any = Socket::bind("[::]:0".parse().unwrap()).unwrap();
        let local = |n: usize| if n % 5 == 4 { "[::1]:0" } else { "127.0.0.1:0" };
        let mut sinks: Vec<Socket> =
            (0..10).map(|n| Socket::bind(local(n).parse().unwrap()).unwrap()).collect();
        let addrs: Vec<SocketAddr> = sinks.iter().map(Socket::local).collect();
        let all: SocketAddr = "255.255.255.255:9".parse().unwrap();
        let (long, ours) = (vec![0; 70_000], IpAddr::from(Ipv4Addr::LOCALHOST));
        for n in 0..200_u8 {
            let to = addrs[usize::from(n) % 10];
            let source = Some(ours).filter(|_| to.is_ipv4() && n % 40 < 20);
            let ttl = Some(7).filter(|_| n % 50 == 0);
            let mut send = |to, bytes: &[u8]| {
                any.send(to, Way { source, ttl }, bytes);
                if !at_once {
                    any.flush();
                }
            };
            match n {
                // It is not allowed, and too long, and came to an address that is ours no more.
                33 | 34 | 199 => send(all, &[n]),
                77 => send(to, &long),
                _ => {}
            }
            send(to, &[n]);
        }
        any.flush();
        let seen = sinks
            .iter_mut()
            .map(|sink| arrived(sink, 20).into_iter().map(|(_, bytes)| bytes).collect());
        let seen = seen.collect();
        let unsent = any.unsent().iter();
        let place = |to: &SocketAddr| addrs.iter().position(|addr| addr == to);
        let unsent = unsent.map(|(to, why)| {
            let known = place(to).map_or(0, |at| at + 1);
            (SocketAddr::from(([0, 0, 0, 0], known as u16)), why.raw_os_error())
        });
        let unsent = unsent.collect();
        (seen, any.trouble(), unsent)
    }

    #[test]
    fn a_burst_fares_as_each_of_it_would_alone() {
        let (together, apart) = (to_many(true), to_many(false));
        assert_eq!(together, apart);
        let (seen, trouble, unsent) = together;
        for (n, seen) in (0..).zip(seen) {
            assert_eq!(seen, (0..20).map(|k| vec![10 * k + n]).collect::<Vec<_>>());
        }
        assert_eq!(trouble, Trouble { lost: 0, failed: 4 });
        assert_eq!(unsent.len(), 1, "what went since is forgotten: {unsent:?}");
    }

    #[test]
    fn errors_are_survived() {
        let mut v4 = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        v4.send("[::1]:9".parse().unwrap(), Way::default(), b"an IPv6 address on an IPv4 socket");
        v4.flush();
        assert_eq!(v4.trouble(), Trouble { lost: 0, failed: 1 });
        assert_eq!(v4.unsent().len(), 1);
        v4.send(v4.local(), Way::default(), b"still works");
        v4.flush();
        assert_eq!(arrived(&mut v4, 1).len(), 1);
    }

    #[test]
    fn a_port_in_use_is_refused() {
        let first = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = Socket::bind(first.local()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
