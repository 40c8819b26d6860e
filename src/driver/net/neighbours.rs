//! Who else is on the networks of this computer, as far as its system has spoken with them: the tables of ARP and
//! of neighbour discovery, over rtnetlink(7). Elsewhere than on Linux nobody is known.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use crate::driver::net::lan::PORT;

/// How many are told of at most.
const NEIGHBOURS_MAX: usize = 64;

/// The neighbours, at the port where everybody listens who is in a room; those who answered last come first.
pub(crate) fn neighbours() -> Vec<SocketAddr> {
    let mut found = Vec::new();
    if let Err(error) = dump(&mut found) {
        log::debug!("nobody says who is around: {error}");
    }
    chosen(found)
}

/// One entry of the system's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    ip: IpAddr,
    interface: u32,
    state: u16,
}

/// States of an entry (linux/neighbour.h): those of somebody who has answered, at some time.
const REACHABLE: u16 = 0x02;
const ANSWERED: u16 = REACHABLE | 0x04 | 0x08 | 0x10 | 0x80;

fn chosen(mut found: Vec<Entry>) -> Vec<SocketAddr> {
    let alone = |entry: &Entry| {
        let ip = entry.ip;
        entry.state & ANSWERED != 0
            && !ip.is_multicast()
            && !ip.is_unspecified()
            && !ip.is_loopback()
    };
    found.retain(alone);
    found.sort_by_key(|entry| entry.state & REACHABLE == 0);
    let addr = |entry: &Entry| match entry.ip {
        IpAddr::V4(_) => Some(SocketAddr::new(entry.ip, PORT)),
        IpAddr::V6(ip) if ip.is_unicast_link_local() => {
            Some(SocketAddrV6::new(ip, PORT, 0, entry.interface).into())
        }
        // They have another one, of this cable, and a network of that.
        IpAddr::V6(_) => None,
    };
    let mut addrs: Vec<SocketAddr> = Vec::new();
    for addr in found.iter().filter_map(addr) {
        if addrs.len() < NEIGHBOURS_MAX && !addrs.contains(&addr) {
            addrs.push(addr);
        }
    }
    addrs
}

#[cfg(target_os = "linux")]
fn dump(found: &mut Vec<Entry>) -> std::io::Result<()> {
    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
    };

    /// So many datagrams of its answer are read: a system may know thousands.
    const READS_MAX: usize = 16;

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // Its protocol 0 is NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    sendto(&socket, &question(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = vec![0; 32 << 10];
    for _ in 0..READS_MAX {
        // What a dump begins with is there at once, and each read makes the next.
        let (len, _) = match recv(&socket, &mut answer[..], RecvFlags::empty()) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(rustix::io::Errno::AGAIN) => break,
            other => other?,
        };
        if read(answer.get(..len).unwrap_or_default(), found) {
            break;
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn dump(_: &mut Vec<Entry>) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// A message of netlink (netlink(7)): its header has so many bytes, its parts begin at multiples of four.
#[cfg(any(target_os = "linux", test))]
mod netlink {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::Entry;

    const HEADER: usize = 16;
    /// An entry begins with family, interface, state, flags and type.
    const ENTRY: usize = 12;
    /// An attribute begins with its length and its kind.
    const ATTRIBUTE: usize = 4;

    /// RTM_NEWNEIGH, RTM_GETNEIGH, and the end of a list.
    const NEW: u16 = 28;
    const GET: u16 = 30;
    const ERROR: u16 = 2;
    const DONE: u16 = 3;

    /// NLM_F_REQUEST and NLM_F_DUMP.
    const DUMP: u16 = 0x1 | 0x300;

    /// NDA_DST.
    const ADDRESS: u16 = 1;

    /// Asks for all entries of both families.
    pub(super) fn question() -> [u8; HEADER + ENTRY] {
        let mut bytes = [0; HEADER + ENTRY];
        bytes[..4].copy_from_slice(&((HEADER + ENTRY) as u32).to_ne_bytes());
        bytes[4..6].copy_from_slice(&GET.to_ne_bytes());
        bytes[6..8].copy_from_slice(&DUMP.to_ne_bytes());
        bytes[8..12].copy_from_slice(&1_u32.to_ne_bytes());
        bytes
    }

    /// Reads entries. Whether no more follow.
    pub(super) fn read(mut bytes: &[u8], found: &mut Vec<Entry>) -> bool {
        while let Some((len, kind)) = head(bytes, HEADER) {
            match kind {
                NEW => found.extend(entry(&bytes[HEADER..len])),
                DONE | ERROR => return true,
                _ => {}
            }
            bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        // What cannot be read ends it as well.
        !bytes.is_empty()
    }

    /// The length of what comes next, and its kind: a message, whose length has four bytes, or an attribute.
    fn head(bytes: &[u8], header: usize) -> Option<(usize, u16)> {
        let (len, rest) = if header == HEADER {
            let (len, rest) = bytes.split_first_chunk::<4>()?;
            (u32::from_ne_bytes(*len) as usize, rest)
        } else {
            let (len, rest) = bytes.split_first_chunk::<2>()?;
            (usize::from(u16::from_ne_bytes(*len)), rest)
        };
        let kind = u16::from_ne_bytes(*rest.first_chunk()?);
        (header..=bytes.len()).contains(&len).then_some((len, kind))
    }

    fn entry(bytes: &[u8]) -> Option<Entry> {
        let (fixed, mut rest) = bytes.split_at_checked(ENTRY)?;
        let interface = u32::from_ne_bytes(fixed[4..8].try_into().ok()?);
        let state = u16::from_ne_bytes(fixed[8..10].try_into().ok()?);
        while let Some((len, kind)) = head(rest, ATTRIBUTE) {
            let value = &rest[ATTRIBUTE..len];
            if kind == ADDRESS {
                let ip = match value.len() {
                    4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?)),
                    16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?)),
                    _ => return None,
                };
                return Some(Entry { ip, interface, state });
            }
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        None
    }
}

#[cfg(any(target_os = "linux", test))]
use netlink::{question, read};

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as Linux sends it: an entry with its address, and with that of its card before it.
    fn message(ip: &[u8], interface: u32, state: u16) -> Vec<u8> {
        let card = [&10_u16.to_ne_bytes()[..], &2_u16.to_ne_bytes(), &[7; 6], &[0; 2]].concat();
        let dst = [&(4 + ip.len() as u16).to_ne_bytes()[..], &1_u16.to_ne_bytes(), ip].concat();
        let family = [if ip.len() == 4 { 2 } else { 10 }, 0, 0, 0];
        let fixed = [&family[..], &interface.to_ne_bytes(), &state.to_ne_bytes(), &[0, 1]].concat();
        let body = [fixed, card, dst].concat();
        let len = (16 + body.len() as u32).to_ne_bytes();
        [&len[..], &28_u16.to_ne_bytes(), &[2, 0], &[0; 8], &body].concat()
    }

    #[test]
    fn those_who_have_answered_are_neighbours() {
        let cable: std::net::Ipv6Addr = "fe80::7".parse().unwrap();
        let bytes = [
            message(&[10, 9, 0, 2], 3, 0x04),
            message(&[10, 9, 0, 3], 3, 0x20),
            message(&[10, 9, 0, 4], 3, 0x01),
            message(&[10, 9, 0, 5], 3, 0x02),
            message(&[10, 9, 0, 5], 4, 0x80),
            message(&[224, 0, 0, 22], 3, 0x40),
            message(&[127, 0, 0, 1], 1, 0x80),
            message(&cable.octets(), 3, 0x04),
            message(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 3, 0x02),
        ]
        .concat();
        let mut found = Vec::new();
        assert!(!read(&bytes, &mut found));
        assert_eq!(found.len(), 9);
        let addrs = ["10.9.0.5:7421", "10.9.0.2:7421", "[fe80::7%3]:7421"];
        assert_eq!(chosen(found), addrs.map(|addr| addr.parse().unwrap()));
        let done = [&20_u32.to_ne_bytes()[..], &3_u16.to_ne_bytes(), &[2, 0], &[0; 12]].concat();
        assert!(read(&done, &mut Vec::new()));
        let many = (0..200).map(|n| Entry { ip: [10, 9, 1, n].into(), interface: 3, state: 2 });
        assert_eq!(chosen(many.collect()).len(), NEIGHBOURS_MAX);
    }

    #[test]
    fn whatever_the_system_says_is_read_to_an_end() {
        let good = message(&[10, 9, 0, 2], 3, 0x02);
        for len in 0..good.len() {
            let mut found = Vec::new();
            read(&good[..len], &mut found);
            assert_eq!(found, [], "{len} bytes");
            for byte in [0, 1, 3, 0xff] {
                let mut spoilt = good.clone();
                spoilt[len] = byte;
                found.clear();
                read(&[spoilt.clone(), spoilt].concat(), &mut found);
                assert!(found.len() <= 2);
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_answers() {
        dump(&mut Vec::new()).unwrap();
    }
}
