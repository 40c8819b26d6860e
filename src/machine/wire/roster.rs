//! What a nodeset tells of a room: who is listed, who is gone, and pages of such changes.

use core::net::SocketAddr;

use crate::machine::codec::{Malformed, Reader, addr_size, put_addr, put_u64};
use crate::machine::who::beacon::{SEALED, Sealed};
use crate::machine::who::ids::Handle;

/// A member as a nodeset lists it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listed {
    /// What the nodeset knows the member by.
    pub handle: Handle,
    /// The address the nodeset saw.
    pub seen: SocketAddr,
    /// What the member says of itself.
    pub sealed: Sealed,
}

/// A member that is no longer listed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gone {
    /// Who.
    pub handle: Handle,
    /// How they went.
    pub how: Departure,
}

/// How a member went, as a nodeset knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Departure {
    /// They said goodbye: this is their last beacon, sealed.
    Quit(Sealed),
    /// Their lease ran out.
    Timeout,
    /// A newer process has their address.
    Replaced,
}

/// One change of a roster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Somebody is here, perhaps with a new beacon.
    Present(Listed),
    /// Somebody is gone.
    Gone(Gone),
}

/// Part of a roster: all changes behind one version up to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// It begins behind this version.
    pub after: u64,
    /// It brings all there is up to this version.
    pub reached: u64,
    /// The last change there is.
    pub current: u64,
    /// The changes, oldest first.
    pub changes: Vec<Change>,
}

impl Change {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Present(listed) => {
                out.push(0);
                listed.put(out);
            }
            Self::Gone(gone) => {
                out.push(1);
                gone.put(out);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        match reader.u8()? {
            0 => Listed::read(reader).map(Self::Present),
            1 => Gone::read(reader).map(Self::Gone),
            _ => Err(Malformed),
        }
    }

    /// Bytes this change takes on a page.
    pub fn size(&self) -> usize {
        1 + match self {
            Self::Present(listed) => listed.size(),
            Self::Gone(gone) => gone.size(),
        }
    }
}

impl Listed {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.handle.0);
        put_addr(out, self.seen);
        out.extend_from_slice(&*self.sealed.0);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (handle, seen) = (Handle(reader.u64()?), reader.addr()?);
        Ok(Self { handle, seen, sealed: Sealed::read(reader)? })
    }

    /// Bytes this member takes in a list.
    pub fn size(&self) -> usize {
        8 + addr_size(self.seen) + SEALED
    }
}

impl Gone {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.handle.0);
        match &self.how {
            Departure::Quit(sealed) => {
                out.push(0);
                out.extend_from_slice(&*sealed.0);
            }
            Departure::Timeout => out.push(1),
            Departure::Replaced => out.push(2),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let handle = Handle(reader.u64()?);
        let how = match reader.u8()? {
            0 => Departure::Quit(Sealed::read(reader)?),
            1 => Departure::Timeout,
            2 => Departure::Replaced,
            _ => return Err(Malformed),
        };
        Ok(Self { handle, how })
    }

    /// Bytes this departure takes in a list.
    pub const fn size(&self) -> usize {
        8 + match self.how {
            Departure::Quit(_) => 1 + SEALED,
            Departure::Timeout | Departure::Replaced => 1,
        }
    }
}

impl Page {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.after);
        put_u64(out, self.reached);
        put_u64(out, self.current);
        self.changes.iter().for_each(|change| change.put(out));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (after, reached, current) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let changes = reader.until_end(Change::read)?;
        if after > reached || reached > current {
            return Err(Malformed);
        }
        Ok(Self { after, reached, current, changes })
    }
}
