//! Cookies: proof that somebody receives what is sent to their address (docs/PROTOCOL.md, "Cookie").
//!
//! A nodeset answers a first request with 8 bytes that only it can make, and remembers nothing. Only
//! whoever comes back with them is given a reply larger than the request, or a place in a table: a
//! forged source address gains nothing.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::machine::keyed::short;
use crate::machine::rng::Seed;
use crate::machine::time::Time;
use crate::machine::who::ids::Handle;
use crate::machine::wire::Cookie;

/// A cookie is good for one to two of these.
const EPOCH: Duration = Duration::from_secs(60);

/// The cookies of one nodeset process.
#[derive(Clone, Debug)]
pub(crate) struct Cookies {
    seed: Seed,
}

impl Cookies {
    pub(crate) const fn new(seed: Seed) -> Self {
        Self { seed }
    }

    /// The cookie of an address, now.
    pub(crate) fn bake(&self, now: Time, addr: SocketAddr) -> Cookie {
        self.at(epoch(now), addr)
    }

    /// Whether an address was given that cookie not long ago.
    pub(crate) fn accepts(&self, now: Time, addr: SocketAddr, cookie: Cookie) -> bool {
        let epoch = epoch(now);
        self.at(epoch, addr) == cookie || epoch > 0 && self.at(epoch - 1, addr) == cookie
    }

    /// The cookie of a process for an address that another one holds: who comes back with it is there, and
    /// was not before the other one had it.
    pub(crate) fn bake_claim(&self, now: Time, addr: SocketAddr, claim: Claim) -> Cookie {
        self.claim_at(epoch(now), addr, claim)
    }

    /// Whether that process was given that cookie not long ago.
    pub(crate) fn accepts_claim(
        &self,
        now: Time,
        addr: SocketAddr,
        claim: Claim,
        cookie: Cookie,
    ) -> bool {
        let epoch = epoch(now);
        let of = |epoch| self.claim_at(epoch, addr, claim) == cookie;
        of(epoch) || epoch > 0 && of(epoch - 1)
    }

    fn at(&self, epoch: u64, addr: SocketAddr) -> Cookie {
        let (ip, port, epoch) = parts(addr, epoch);
        short(&self.seed.0, &[b"chatrpc cookie", &ip, &port, &epoch])
    }

    fn claim_at(&self, epoch: u64, addr: SocketAddr, Claim { by, of }: Claim) -> Cookie {
        let (ip, port, epoch) = parts(addr, epoch);
        let (by, of) = (by.to_be_bytes(), of.0.to_be_bytes());
        short(&self.seed.0, &[b"chatrpc claim", &ip, &port, &epoch, &by, &of])
    }
}

/// What a process wants that comes to an address where another one is listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// The incarnation of who comes.
    pub(crate) by: u64,
    /// The handle of who is listed there.
    pub(crate) of: Handle,
}

fn parts(addr: SocketAddr, epoch: u64) -> ([u8; 16], [u8; 2], [u8; 8]) {
    let ip = match addr.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    (ip, addr.port().to_be_bytes(), epoch.to_be_bytes())
}

const fn epoch(now: Time) -> u64 {
    now.as_micros() / EPOCH.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_good_for_its_address_and_its_time() {
        let cookies = Cookies::new(Seed([3; 32]));
        let at = |seconds: u64| Time::from_micros(seconds * 1_000_000);
        let addr: SocketAddr = "10.0.0.1:7".parse().unwrap();
        let cookie = cookies.bake(at(59), addr);
        assert!(cookies.accepts(at(59), addr, cookie) && cookies.accepts(at(119), addr, cookie));
        assert!(!cookies.accepts(at(120), addr, cookie));
        for other in ["10.0.0.1:8", "10.0.0.2:7", "[::1]:7"] {
            assert!(!cookies.accepts(at(59), other.parse().unwrap(), cookie));
        }
        assert!(!Cookies::new(Seed([4; 32])).accepts(at(59), addr, cookie));
    }

    #[test]
    fn a_claim_is_good_for_one_process_against_another() {
        let cookies = Cookies::new(Seed([3; 32]));
        let at = |seconds: u64| Time::from_micros(seconds * 1_000_000);
        let addr: SocketAddr = "10.0.0.1:7".parse().unwrap();
        let claim = |by, of| Claim { by, of: Handle(of) };
        let cookie = cookies.bake_claim(at(59), addr, claim(1, 2));
        let accepts = |now, claim| cookies.accepts_claim(at(now), addr, claim, cookie);
        assert!(accepts(59, claim(1, 2)) && accepts(119, claim(1, 2)));
        assert!(
            !accepts(120, claim(1, 2)) && !accepts(59, claim(2, 2)) && !accepts(59, claim(1, 3))
        );
        assert!(!cookies.accepts(at(59), addr, cookie), "it is no cookie of the address");
        assert_ne!(cookie, cookies.bake(at(59), addr));
    }
}
