//! Every byte that crosses the network. docs/PROTOCOL.md has the same as tables.
//!
//! All integers are big-endian. Decoding is total: lengths and counts are checked against what is
//! there, trailing bytes are refused, names and addresses are parsed into types that can only hold
//! good ones. A datagram decodes whole or not at all, so that a refused one changes nothing.

mod datagram;
mod roster;

use core::net::SocketAddr;

pub use crate::machine::codec::Malformed;
use crate::machine::codec::{Reader, put_addr, put_u64};
use crate::machine::who::beacon::{Sealed, Signed};
use crate::machine::who::ids::{Farewell, Tag};
use crate::machine::who::suite::TAG;

pub use roster::{Change, Departure, Gone, Listed, Page};

pub use datagram::{
    Datagram, Packet, Sender, put_header, put_inner_header, put_request, put_response,
};

/// No datagram is larger: it fits the smallest path of IPv6 with room for a tunnel.
pub const DATAGRAM_MAX: usize = 1200;

/// The version of the protocol this crate speaks.
pub const VERSION: u8 = 1;

/// The text of one [`Request::Say`], in bytes.
pub const PIECE_MAX: usize = 1024;

/// Positions in a stream stay below this: nobody says so much, and nothing overflows near it.
pub const POSITION_MAX: u64 = 1 << 62;

/// Bytes before the first packet in the open: kind, incarnation, receiver, stamp, echo.
pub const HEADER: usize = 25;

/// Bytes before the seal of a sealed datagram: kind, receiver index, counter.
pub const SEALED_HEADER: usize = 13;

/// Bytes before the first packet inside the seal: stamp, echo.
pub const INNER_HEADER: usize = 8;

/// What is sealed is padded to a multiple of so many bytes.
pub const PADDING: usize = 16;

/// Bytes of packets that fit a sealed datagram.
pub const SEALED_ROOM: usize =
    (DATAGRAM_MAX - SEALED_HEADER - TAG) / PADDING * PADDING - INNER_HEADER;

/// Bytes of a packet besides its payload: length, sequence number, type.
pub const PACKET_HEADER: usize = 7;

/// No process has this incarnation: it stands for whoever listens at an address.
pub const ANYBODY: u64 = 0;

/// What a [`Request::Who`] has that asks for a page from anywhere in the room.
pub const ANYWHERE: u64 = u64::MAX;

/// The kinds of datagrams: their first byte.
pub mod kind {
    /// Packets in the open: only to and from a nodeset.
    pub const CLEAR: u8 = 0;
    /// The first message of a handshake.
    pub const INIT: u8 = 1;
    /// The second message of a handshake.
    pub const RESP: u8 = 2;
    /// Come back with this cookie.
    pub const COOKIE: u8 = 3;
    /// Packets, sealed.
    pub const DATA: u8 = 4;
}

/// Proof that a nodeset's answer reached an address: see docs/PROTOCOL.md, "Cookie".
pub type Cookie = [u8; 8];

/// What one machine asks of another. docs/PROTOCOL.md, "Calls".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// To a nodeset: who is in this room? Joins nothing.
    Who {
        /// What the nodeset gave this address, or zeros.
        cookie: Cookie,
        /// Which room.
        tag: Tag,
        /// The page begins behind this change, or [`ANYWHERE`].
        have: u64,
    },
    /// To a nodeset: take us in, or extend our lease.
    Register {
        /// What the nodeset gave this address, or zeros.
        cookie: Cookie,
        /// Which room.
        tag: Tag,
        /// The changes up to this one are known already.
        have: u64,
        /// A secret of ours: the handle follows from it, and only who knows it renews or moves the lease.
        token: u64,
        /// How often we have changed our beacon.
        n: u32,
        /// Who we are, for the others.
        sealed: Sealed,
    },
    /// To a nodeset: we leave.
    Deregister {
        /// Which room.
        tag: Tag,
        /// What ends the lease: nobody has seen it before.
        farewell: Farewell,
        /// Our last beacon, for the others: it says that we have left.
        sealed: Sealed,
    },
    /// From a nodeset: these are here.
    AddMember {
        /// The last change this brings.
        reached: u64,
        /// Who, and where the nodeset saw them.
        members: Vec<Listed>,
    },
    /// From a nodeset: these are gone.
    RemoveMember {
        /// The last change this brings.
        reached: u64,
        /// Who, and how.
        members: Vec<Gone>,
    },
    /// To a peer: this is who we are, and what we say comes on this stream from this position on.
    Hello {
        /// The stream of what the sender says to the receiver.
        stream: u32,
        /// The position of the first piece that is still to come.
        start: u64,
        /// How many messages to the receiver the sender has given up, ever.
        given_up: u64,
        /// Who the sender is.
        beacon: Signed,
    },
    /// To a peer: a piece of what we say.
    Say {
        /// The stream, as the hello named it.
        stream: u32,
        /// Where in the stream.
        position: u64,
        /// Which of the author's messages it belongs to.
        number: u64,
        /// What kind of message, and whether more of it follows.
        flags: Flags,
        /// The text, 1 to [`PIECE_MAX`] bytes.
        text: &'a str,
    },
    /// To a peer: are you there?
    Ping,
    /// A Who or Register in another version of the protocol. Nothing else of it can be read.
    Foreign {
        /// Which of them.
        method: u8,
        /// In which version.
        version: u8,
    },
    /// To a peer: we leave.
    Bye {
        /// The last receipt: everything before this position was on the sender's screen.
        next: u64,
        /// The sender's last beacon: it says that they have left.
        beacon: Signed,
    },
}

/// The flags of a [`Request::Say`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// Bit 0: something the author does rather than says.
    pub action: bool,
    /// Bit 1: said to this reader alone.
    pub private: bool,
    /// Bit 2: the message goes on in the next piece.
    pub more: bool,
}

/// Members in other rooms are counted up to here: enough to see that the one who is waited for went
/// next door, too few to watch how busy a nodeset is.
pub const ELSEWHERE_MAX: u8 = 9;

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Done, and there is nothing more to say.
    Ok,
    /// The answer to [`Request::Say`].
    Next {
        /// Everything before this position is on the reader's screen.
        next: u64,
        /// What came early and is kept: bit i is the position `next + 1 + i`.
        held: u64,
    },
    /// The answer to [`Request::Who`].
    Page(Page),
    /// The answer to [`Request::Register`].
    Lease {
        /// The nodeset's small number for this member.
        node: u32,
        /// How many members the nodeset has in other rooms, at most [`ELSEWHERE_MAX`].
        elsewhere: u8,
        /// The address the request came from.
        seen: SocketAddr,
        /// What has changed in the room.
        page: Page,
    },
    /// Not before a hello: the asker is not known at that address.
    Unknown,
    /// Not before you come back with this cookie.
    Cookie(Cookie),
    /// Not in that version; this is the one spoken here.
    Version(u8),
    /// Not any more: there are too many members.
    Full,
}

/// What was asked, as far as reading the answer needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// [`Request::Who`].
    Who,
    /// [`Request::Register`].
    Register,
    /// [`Request::Say`].
    Say,
    /// Any other request: the answer carries nothing.
    Other,
}

mod method {
    pub(super) const WHO: u8 = 1;
    pub(super) const REGISTER: u8 = 2;
    pub(super) const DEREGISTER: u8 = 3;
    pub(super) const ADD_MEMBER: u8 = 4;
    pub(super) const REMOVE_MEMBER: u8 = 5;
    pub(super) const HELLO: u8 = 6;
    pub(super) const SAY: u8 = 7;
    pub(super) const PING: u8 = 8;
    pub(super) const BYE: u8 = 9;
}

mod status {
    pub(super) const OK: u8 = 0;
    pub(super) const UNKNOWN: u8 = 1;
    pub(super) const COOKIE: u8 = 2;
    pub(super) const VERSION: u8 = 3;
    pub(super) const FULL: u8 = 4;
}

impl<'a> Request<'a> {
    /// Whether a page answers it, which takes a datagram of its own.
    pub const fn draws_page(&self) -> bool {
        matches!(self, Self::Who { .. } | Self::Register { .. })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Who { cookie, tag, have } => {
                out.extend_from_slice(&[method::WHO, VERSION]);
                put_room(out, cookie, *tag, *have);
            }
            Self::Register { cookie, tag, have, token, n, sealed } => {
                out.extend_from_slice(&[method::REGISTER, VERSION]);
                put_room(out, cookie, *tag, *have);
                put_u64(out, *token);
                out.extend_from_slice(&n.to_be_bytes());
                out.extend_from_slice(&*sealed.0);
            }
            Self::Deregister { tag, farewell, sealed } => {
                out.push(method::DEREGISTER);
                out.extend_from_slice(&tag.0);
                out.extend_from_slice(&farewell.0);
                out.extend_from_slice(&*sealed.0);
            }
            Self::AddMember { reached, members } => {
                out.push(method::ADD_MEMBER);
                put_u64(out, *reached);
                members.iter().for_each(|member| member.put(out));
            }
            Self::RemoveMember { reached, members } => {
                out.push(method::REMOVE_MEMBER);
                put_u64(out, *reached);
                members.iter().for_each(|gone| gone.put(out));
            }
            Self::Hello { stream, start, given_up, beacon } => {
                out.push(method::HELLO);
                out.extend_from_slice(&stream.to_be_bytes());
                put_u64(out, *start);
                put_u64(out, *given_up);
                beacon.put(out);
            }
            Self::Say { stream, position, number, flags, text } => {
                out.push(method::SAY);
                out.extend_from_slice(&stream.to_be_bytes());
                put_u64(out, *position);
                put_u64(out, *number);
                out.push(flags.encode());
                out.extend_from_slice(text.as_bytes());
            }
            Self::Ping => out.push(method::PING),
            Self::Foreign { method, version } => out.extend_from_slice(&[*method, *version]),
            Self::Bye { next, beacon } => {
                out.push(method::BYE);
                put_u64(out, *next);
                beacon.put(out);
            }
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let method = reader.u8()?;
        if matches!(method, method::WHO | method::REGISTER) {
            let version = reader.u8()?;
            if version != VERSION {
                reader.rest();
                return Ok(Self::Foreign { method, version });
            }
        }
        Ok(match method {
            method::WHO => {
                let (cookie, tag, have) = room(reader)?;
                Self::Who { cookie, tag, have }
            }
            method::REGISTER => {
                let (cookie, tag, have) = room(reader)?;
                let (token, n, sealed) = (reader.u64()?, reader.u32()?, Sealed::read(reader)?);
                Self::Register { cookie, tag, have, token, n, sealed }
            }
            method::DEREGISTER => {
                let (tag, farewell) = (Tag(reader.array()?), Farewell(reader.array()?));
                Self::Deregister { tag, farewell, sealed: Sealed::read(reader)? }
            }
            method::ADD_MEMBER => {
                let reached = reader.u64()?;
                Self::AddMember { reached, members: reader.until_end(Listed::read)? }
            }
            method::REMOVE_MEMBER => {
                let reached = reader.u64()?;
                Self::RemoveMember { reached, members: reader.until_end(Gone::read)? }
            }
            method::HELLO => {
                let (stream, start, given_up) = (reader.u32()?, reader.u64()?, reader.u64()?);
                let beacon = Signed::read(reader)?;
                if stream == 0 || start > POSITION_MAX {
                    return Err(Malformed);
                }
                Self::Hello { stream, start, given_up, beacon }
            }
            method::SAY => {
                let (stream, position) = (reader.u32()?, reader.u64()?);
                let (number, flags) = (reader.u64()?, Flags::decode(reader.u8()?)?);
                let text = core::str::from_utf8(reader.rest()).map_err(|_| Malformed)?;
                if text.is_empty() || text.len() > PIECE_MAX {
                    return Err(Malformed);
                }
                Self::Say { stream, position, number, flags, text }
            }
            method::PING => Self::Ping,
            method::BYE => {
                let (next, beacon) = (reader.u64()?, Signed::read(reader)?);
                if !beacon.beacon.left {
                    return Err(Malformed);
                }
                Self::Bye { next, beacon }
            }
            _ => return Err(Malformed),
        })
    }
}

impl Response {
    /// Appends the payload of a response packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ok => out.push(status::OK),
            Self::Next { next, held } => {
                out.push(status::OK);
                put_u64(out, *next);
                put_u64(out, *held);
            }
            Self::Page(page) => {
                out.push(status::OK);
                page.put(out);
            }
            Self::Lease { node, elsewhere, seen, page } => {
                out.push(status::OK);
                out.extend_from_slice(&node.to_be_bytes());
                out.push(*elsewhere);
                put_addr(out, *seen);
                page.put(out);
            }
            Self::Unknown => out.push(status::UNKNOWN),
            Self::Cookie(cookie) => {
                out.push(status::COOKIE);
                out.extend_from_slice(cookie);
            }
            Self::Version(version) => out.extend_from_slice(&[status::VERSION, *version]),
            Self::Full => out.push(status::FULL),
        }
    }

    /// Reads the payload of a response to what was asked.
    ///
    /// # Errors
    ///
    /// [`Malformed`]; the call it answers is still open.
    pub fn decode(asked: Asked, payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let response = match (reader.u8()?, asked) {
            (status::OK, Asked::Who) => Self::Page(Page::read(&mut reader)?),
            (status::OK, Asked::Register) => {
                let (node, elsewhere) = (reader.u32()?, reader.u8()?);
                if elsewhere > ELSEWHERE_MAX {
                    return Err(Malformed);
                }
                Self::Lease {
                    node,
                    elsewhere,
                    seen: reader.addr()?,
                    page: Page::read(&mut reader)?,
                }
            }
            (status::OK, Asked::Say) => Self::Next { next: reader.u64()?, held: reader.u64()? },
            (status::OK, Asked::Other) => Self::Ok,
            (status::UNKNOWN, _) => Self::Unknown,
            (status::COOKIE, _) => Self::Cookie(reader.array()?),
            (status::VERSION, _) => Self::Version(reader.u8()?),
            (status::FULL, _) => Self::Full,
            _ => return Err(Malformed),
        };
        reader.finish()?;
        Ok(response)
    }
}

impl Flags {
    const fn encode(self) -> u8 {
        self.action as u8 | (self.private as u8) << 1 | (self.more as u8) << 2
    }

    const fn decode(bits: u8) -> Result<Self, Malformed> {
        if bits > 7 {
            return Err(Malformed);
        }
        Ok(Self { action: bits & 1 != 0, private: bits & 2 != 0, more: bits & 4 != 0 })
    }
}

fn put_room(out: &mut Vec<u8>, cookie: &Cookie, tag: Tag, have: u64) {
    out.extend_from_slice(cookie);
    out.extend_from_slice(&tag.0);
    put_u64(out, have);
}

fn room(reader: &mut Reader<'_>) -> Result<(Cookie, Tag, u64), Malformed> {
    Ok((reader.array()?, Tag(reader.array()?), reader.u64()?))
}

#[cfg(test)]
mod tests;
