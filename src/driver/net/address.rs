//! The address of a nodeset, as people write it, and the one the network wants.

use core::fmt;
use core::str::FromStr;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use crate::driver::os::shown::shown;

/// The port of a nodeset when none is named.
pub const PORT: u16 = 7420;

/// `host:port`, `[v6]:port`, or a host alone, which means port [`PORT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// A nodeset on this computer, where it listens unasked.
    pub fn here() -> Self {
        Self { host: "localhost".to_owned(), port: PORT }
    }

    /// Looks the host up: all its addresses, of both families in turn. IPv4 comes first: on the small
    /// networks this is made for, that is the one that works.
    ///
    /// # Errors
    ///
    /// When the resolver fails or knows no address.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let found = (self.host.as_str(), self.port).to_socket_addrs()?.map(canonical);
        let (mut v4, mut v6): (VecDeque<_>, VecDeque<_>) = found.partition(SocketAddr::is_ipv4);
        let mut all = Vec::new();
        while let Some(next) = v4.pop_front().or_else(|| v6.pop_front()) {
            if !all.contains(&next) {
                all.push(next);
            }
            core::mem::swap(&mut v4, &mut v6);
        }
        if all.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(all) }
    }

    /// Whether it is an address already, so that nobody has to be asked for it.
    pub(crate) fn is_number(&self) -> bool {
        self.host.parse::<Ipv4Addr>().is_ok() || ipv6(&self.host).is_some()
    }

    /// The host, as it was written.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("'{}' is not HOST:PORT, [IPV6]:PORT or HOST", shown(text));
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
            ipv6(host).ok_or_else(bad)?;
            match rest {
                "" => (host, None),
                _ => (host, Some(rest.strip_prefix(':').ok_or_else(bad)?)),
            }
        } else {
            match text.rsplit_once(':') {
                // More than one colon and no brackets: IPv6, and all of it.
                Some((host, _)) if host.contains(':') => {
                    ipv6(text).ok_or_else(bad)?;
                    (text, None)
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|&port| port > 0).ok_or_else(|| {
                let (text, port) = (shown(text), shown(port));
                format!("the port '{port}' of '{text}' is no number from 1 to 65535")
            })?,
            None => PORT,
        };
        if host.is_empty() && text.starts_with(':') {
            return Err(format!("'{}' has no host before its port", shown(text)));
        }
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(bad());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

/// An address of IPv6, perhaps with the interface it is behind: its name or its number.
fn ipv6(host: &str) -> Option<Ipv6Addr> {
    let (ip, zone) = host.split_once('%').unwrap_or((host, "0"));
    let named = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    ip.parse().ok().filter(|_| !zone.is_empty() && zone.chars().all(named))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// An address as machines know it: an IPv4 address is never written as IPv6, and the flow label,
/// which says nothing about where somebody is, is gone.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    let SocketAddr::V6(v6) = addr else { return addr };
    match v6.ip().to_ipv4_mapped() {
        Some(v4) => SocketAddr::new(IpAddr::V4(v4), v6.port()),
        None => SocketAddr::V6(std::net::SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id())),
    }
}

/// The same address as a socket of IPv6 wants it.
pub(crate) fn mapped(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(v4) => SocketAddr::new(IpAddr::V6(v4.ip().to_ipv6_mapped()), v4.port()),
        SocketAddr::V6(_) => addr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        for (text, host, port) in [
            ("10.0.0.5:7000", "10.0.0.5", 7000),
            ("10.0.0.5", "10.0.0.5", PORT),
            ("localhost", "localhost", PORT),
            ("ship.lan:80", "ship.lan", 80),
            ("[::1]:7000", "::1", 7000),
            ("[::1]", "::1", PORT),
            ("::1", "::1", PORT),
            ("[fe80::1%eth0]:9", "fe80::1%eth0", 9),
            ("fe80::1%3", "fe80::1%3", PORT),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.host(), address.port), (host, port), "{text}");
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        for text in [
            "",
            ":7000",
            "host:",
            "host:0",
            "host:65536",
            "host:x",
            "[::1",
            "[x]:1",
            "a b",
            "host:1:2",
            "10.0.0.5::",
            "fe80::1%",
            "fe80::1%eth0]:7",
            "[fe80::1%a:b]:7",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_part_that_is_wrong_is_named() {
        let wrong = |text: &str| text.parse::<Address>().unwrap_err();
        for text in ["10.0.0.5:99999", "[::1]:99999", "ship.lan:0", "ship.lan:", "ship.lan:x1"] {
            let port = text.rsplit_once(':').unwrap().1;
            let what = format!("the port '{port}' of '{text}' is no number from 1 to 65535");
            assert_eq!(wrong(text), what);
        }
        assert_eq!(wrong(":7420"), "':7420' has no host before its port");
        assert_eq!(wrong("a b"), "'a b' is not HOST:PORT, [IPV6]:PORT or HOST");
    }

    #[test]
    fn numbers_are_resolved_without_asking_anybody() {
        let resolve = |text: &str| text.parse::<Address>().unwrap().resolve().unwrap();
        let one = |text: &str| vec![text.parse::<SocketAddr>().unwrap()];
        assert_eq!(resolve("127.0.0.1:5"), one("127.0.0.1:5"));
        assert_eq!(resolve("[::1]:5"), one("[::1]:5"));
        assert_eq!(resolve("[::ffff:10.1.2.3]:5"), one("10.1.2.3:5"));
        for (text, number) in
            [("10.0.0.1", true), ("[::1]:5", true), ("fe80::1%3", true), ("ship", false)]
        {
            assert_eq!(text.parse::<Address>().unwrap().is_number(), number, "{text}");
        }
    }

    #[test]
    fn mapping_there_and_back() {
        for text in ["10.1.2.3:4", "[2001:db8::1]:4", "[fe80::1%3]:4"] {
            let addr: SocketAddr = text.parse().unwrap();
            assert_eq!(canonical(mapped(addr)), addr);
            assert!(mapped(addr).is_ipv6());
        }
    }
}
