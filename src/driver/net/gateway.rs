//! The default gateway of this computer, which may pass on a port to us: IPv4 on Linux, and nothing elsewhere.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::driver::net::advertise::towards;
use crate::machine::Gateway;

/// Where Linux says which routes there are (proc(5)).
const ROUTES: &str = "/proc/net/route";

/// How much of that is read: some routers have a million of them, and the default one is among the first.
const ROUTES_MAX: u64 = 64 << 10;

/// Flags of a route: it is up, and leads through a gateway (linux/route.h).
const UP: u32 = 1;
const THROUGH: u32 = 2;

/// The default gateway of a socket that is bound there, if it has one.
pub(crate) fn gateway(bound: SocketAddr) -> Option<Gateway> {
    let at = default_route(&routes())?;
    let own = match towards(SocketAddr::new(at.into(), 9))? {
        IpAddr::V4(own) => own,
        IpAddr::V6(_) => return None,
    };
    let ours = match bound.ip() {
        any if any.is_unspecified() => true,
        one => one == own,
    };
    ours.then_some(Gateway { at, own, port: bound.port() })
}

fn routes() -> String {
    use std::io::Read;

    let mut text = String::new();
    if let Ok(file) = std::fs::File::open(ROUTES)
        && let Err(error) = file.take(ROUTES_MAX).read_to_string(&mut text)
    {
        log::debug!("cannot read the routes: {error}");
    }
    text
}

/// Where everything goes that no other route has: of several, through the one with the least metric.
fn default_route(routes: &str) -> Option<Ipv4Addr> {
    let route = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[_, to, through, flags, _, _, metric, mask, ..] = words.as_slice() else {
            return None;
        };
        let bits = |word: &str| u32::from_str_radix(word, 16).ok();
        let (to, through, flags, mask) = (bits(to)?, bits(through)?, bits(flags)?, bits(mask)?);
        let default =
            to == 0 && mask == 0 && through != 0 && flags & (UP | THROUGH) == UP | THROUGH;
        // It is printed as the number that the bytes are on this computer.
        let at = Ipv4Addr::from(through.to_ne_bytes());
        Some((metric.parse::<u32>().ok()?, at)).filter(|_| default)
    };
    routes.lines().filter_map(route).min_by_key(|(metric, _)| *metric).map(|(_, at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_is_the_one_of_least_metric_through_a_gateway() {
        let head =
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
        let line = |to: [u8; 4], through: [u8; 4], flags: u32, metric: u32, mask: u32| {
            let [to, through] = [to, through].map(u32::from_ne_bytes);
            format!(
                "eth0\t{to:08X}\t{through:08X}\t{flags:04X}\t0\t0\t{metric}\t{mask:08X}\t0\t0\t0"
            )
        };
        let none = [0; 4];
        let routes = [
            head.to_owned(),
            line([10, 0, 0, 0], none, 1, 0, 0x00ff_ffff),
            line(none, none, 1, 0, 0),
            line(none, [10, 0, 0, 3], 2, 0, 0),
            line(none, [10, 0, 0, 2], 3, 600, 0),
            line(none, [10, 0, 0, 1], 3, 100, 0),
            line([10, 0, 0, 0], [10, 0, 0, 4], 3, 0, 0xff),
            "eth0 nonsense".to_owned(),
        ];
        assert_eq!(default_route(&routes.join("\n")), Some(Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!(default_route(&routes[..4].join("\n")), None);
        assert_eq!(default_route(""), None);
    }

    #[test]
    fn what_is_bound_elsewhere_has_no_gateway() {
        assert_eq!(gateway("192.0.2.77:9".parse().unwrap()), None);
        assert_eq!(gateway("[::1]:9".parse().unwrap()), None);
        let any = gateway("[::]:7".parse().unwrap());
        assert!(any.is_none_or(|gateway| gateway.port == 7 && gateway.own != gateway.at));
    }
}
