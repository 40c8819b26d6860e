//! The primitives of the wire: taking integers, names, addresses and lists from bytes, and putting
//! them there. docs/PROTOCOL.md, "Primitives".

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::machine::who::beacon::ADDRS_MAX;
use crate::machine::wire::{ANYBODY, Change, Cookie, Departure, Gone, Listed, Malformed, Page};
use crate::machine::{Beacon, Handle, Name, PublicKey, Sealed, Signed, Tag};

pub(super) const fn addr_size(addr: SocketAddr) -> usize {
    match addr {
        SocketAddr::V4(_) => 7,
        SocketAddr::V6(_) => 19,
    }
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put_room(out: &mut Vec<u8>, cookie: &Cookie, tag: Tag, have: u64) {
    out.extend_from_slice(cookie);
    out.extend_from_slice(&tag.0);
    put_u64(out, have);
}

pub(super) fn put_addr(out: &mut Vec<u8>, addr: SocketAddr) {
    match addr.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&addr.port().to_be_bytes());
}

pub(super) fn put_beacon(out: &mut Vec<u8>, beacon: &Beacon) {
    out.extend_from_slice(&beacon.key.0);
    put_u64(out, beacon.incarnation);
    out.extend_from_slice(&beacon.n.to_be_bytes());
    out.push(u8::from(beacon.left) | u8::from(beacon.once) << 1);
    put_u64(out, beacon.handle.0);
    let name = beacon.name.as_str().as_bytes();
    out.push(name.len() as u8);
    out.extend_from_slice(name);
    let addrs = &beacon.addrs[..beacon.addrs.len().min(ADDRS_MAX)];
    out.push(addrs.len() as u8);
    addrs.iter().for_each(|&addr| put_addr(out, addr));
}

pub(super) fn put_signed(out: &mut Vec<u8>, signed: &Signed) {
    put_beacon(out, &signed.beacon);
    out.extend_from_slice(&signed.signature);
}

pub(super) fn put_listed(out: &mut Vec<u8>, listed: &Listed) {
    put_u64(out, listed.handle.0);
    put_addr(out, listed.seen);
    out.extend_from_slice(&*listed.sealed.0);
}

pub(super) fn put_gone(out: &mut Vec<u8>, gone: &Gone) {
    put_u64(out, gone.handle.0);
    match &gone.how {
        Departure::Quit(sealed) => {
            out.push(0);
            out.extend_from_slice(&*sealed.0);
        }
        Departure::Timeout => out.push(1),
        Departure::Replaced => out.push(2),
    }
}

pub(super) fn put_page(out: &mut Vec<u8>, page: &Page) {
    put_u64(out, page.after);
    put_u64(out, page.reached);
    put_u64(out, page.current);
    for change in &page.changes {
        match change {
            Change::Present(listed) => {
                out.push(0);
                put_listed(out, listed);
            }
            Change::Gone(gone) => {
                out.push(1);
                put_gone(out, gone);
            }
        }
    }
}

/// Takes bytes from the front; never reads past the end.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// The same bytes were read from end to end before, and were found good.
    checked: bool,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, checked: false }
    }

    /// A reader of bytes that were read before: names in them are not judged again.
    pub(super) const fn checked(bytes: &'a [u8]) -> Self {
        Self { bytes, checked: true }
    }

    /// A reader of the next `len` bytes alone.
    pub(super) fn part(&mut self, len: usize) -> Result<Self, Malformed> {
        Ok(Self { bytes: self.take(len)?, checked: self.checked })
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(Malformed)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether a packet follows, and not padding: no packet is without bytes.
    pub(super) fn starts_with_packet(&self) -> bool {
        self.bytes.first_chunk().is_some_and(|&len| u16::from_be_bytes(len) > 0)
    }

    pub(super) const fn finish(&self) -> Result<(), Malformed> {
        if self.bytes.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    /// Items until the end; the size of a datagram limits how many there can be.
    pub(super) fn until_end<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let mut items = Vec::new();
        while !self.is_empty() {
            items.push(item(self)?);
        }
        Ok(items)
    }

    pub(super) fn room(&mut self) -> Result<(Cookie, Tag, u64), Malformed> {
        Ok((self.array()?, Tag(self.array()?), self.u64()?))
    }

    /// An address a datagram can be sent to: one host, one port, in its canonical form.
    pub(super) fn addr(&mut self) -> Result<SocketAddr, Malformed> {
        let ip = match self.u8()? {
            4 => IpAddr::V4(Ipv4Addr::from(self.array::<4>()?)),
            6 => IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)),
            _ => return Err(Malformed),
        };
        let port = self.u16()?;
        let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
        if port == 0
            || ip.is_unspecified()
            || ip.is_multicast()
            || broadcast
            || ip != ip.to_canonical()
        {
            return Err(Malformed);
        }
        Ok(SocketAddr::new(ip, port))
    }

    pub(super) fn beacon(&mut self) -> Result<Beacon, Malformed> {
        let (key, incarnation, n) = (PublicKey(self.array()?), self.u64()?, self.u32()?);
        let id = key.process(incarnation);
        if incarnation == ANYBODY || id.0 == ANYBODY {
            return Err(Malformed);
        }
        let flags = self.u8()?;
        if flags > 3 {
            return Err(Malformed);
        }
        let (left, once) = (flags & 1 != 0, flags & 2 != 0);
        let handle = Handle(self.u64()?);
        let len = usize::from(self.u8()?);
        let text = core::str::from_utf8(self.take(len)?).map_err(|_| Malformed)?;
        let name = if self.checked {
            Name::trusted(text)
        } else {
            Name::parse(text).map_err(|_| Malformed)?
        };
        if name.as_str() != text {
            return Err(Malformed);
        }
        let count = usize::from(self.u8()?);
        if count > ADDRS_MAX {
            return Err(Malformed);
        }
        let addrs = (0..count).map(|_| self.addr()).collect::<Result<_, _>>()?;
        Ok(Beacon { id, key, handle, incarnation, n, left, once, name, addrs })
    }

    pub(super) fn signed(&mut self) -> Result<Signed, Malformed> {
        Ok(Signed { beacon: self.beacon()?, signature: self.array()? })
    }

    pub(super) fn sealed(&mut self) -> Result<Sealed, Malformed> {
        Ok(Sealed(Arc::new(self.array()?)))
    }

    pub(super) fn listed(&mut self) -> Result<Listed, Malformed> {
        Ok(Listed { handle: Handle(self.u64()?), seen: self.addr()?, sealed: self.sealed()? })
    }

    pub(super) fn gone(&mut self) -> Result<Gone, Malformed> {
        let handle = Handle(self.u64()?);
        let how = match self.u8()? {
            0 => Departure::Quit(self.sealed()?),
            1 => Departure::Timeout,
            2 => Departure::Replaced,
            _ => return Err(Malformed),
        };
        Ok(Gone { handle, how })
    }

    pub(super) fn page(&mut self) -> Result<Page, Malformed> {
        let (after, reached, current) = (self.u64()?, self.u64()?, self.u64()?);
        let changes = self.until_end(|reader| match reader.u8()? {
            0 => reader.listed().map(Change::Present),
            1 => reader.gone().map(Change::Gone),
            _ => Err(Malformed),
        })?;
        if after > reached || reached > current {
            return Err(Malformed);
        }
        Ok(Page { after, reached, current, changes })
    }
}
