//! Every packet that crosses the network. docs/PROTOCOL.md has the same as tables; the handshake is written
//! in `session/handshake.rs`, and what stands before a seal in `session.rs`.
//!
//! All integers are big-endian. Decoding is total: lengths and counts are checked against what is
//! there, trailing bytes are refused, names and addresses are parsed into types that can only hold
//! good ones. A datagram decodes whole or not at all, so that a refused one changes nothing.
//!
//! This file has what may be asked and answered; how each of it is written and read, and under which
//! number, stands in the file of its conversation: `nodeset`, with its records in `roster`, and
//! `member`. What packets travel in is in `datagram`; `hail` is what goes to a whole network, and its answer.

mod datagram;
mod hail;
mod member;
mod nodeset;
mod roster;

use core::net::SocketAddr;

pub use crate::machine::codec::Malformed;
use crate::machine::codec::{Reader, put_addr, put_u64};
use crate::machine::log::{Head, Seal};
use crate::machine::who::beacon::{Sealed, Signed};
use crate::machine::who::ids::{Farewell, PeerId, Tag};
use crate::machine::who::suite::TAG;

pub use hail::{HAIL, HAILED, Hail, SALT, Salt, put_hail, put_hailed};
pub(crate) use hail::{Heard, read};
pub use member::{Flags, PART_MAX, PIECE_MAX, POSITION_MAX};
pub use nodeset::{ANYWHERE, Cookie, ELSEWHERE_MAX};
pub use roster::{Change, Departure, Gone, Listed, Page};

pub use datagram::{
    Datagram, Packet, Sender, proof, put_header, put_inner_header, put_relayed, put_request,
    put_response, relayed,
};

/// No datagram is larger: it fits the smallest path of IPv6 with room for a tunnel.
pub const DATAGRAM_MAX: usize = 1200;

/// A datagram of so many bytes passes wherever anything does: the smallest path of IPv4 that all have to
/// carry is 576 bytes, some of which tunnels take.
pub const DATAGRAM_SMALL: usize = 400;

/// The version of the protocol this crate speaks.
pub const VERSION: u8 = 1;

/// Bytes before the first packet in the open: kind, incarnation, receiver, stamp, echo.
pub const HEADER: usize = 25;

/// Bytes before the seal of a sealed datagram: kind, receiver index, counter.
pub const SEALED_HEADER: usize = 13;

/// Bytes before what goes through a relay: kind, index.
pub const RELAYED_HEADER: usize = 9;

/// Bytes before the first packet inside the seal: stamp, echo.
pub const INNER_HEADER: usize = 8;

/// What is sealed is padded to a multiple of so many bytes.
pub const PADDING: usize = 16;

/// Bytes behind the last packet in the open: proof that its sender knows the room.
pub const PROOF: usize = 16;

/// Bytes of packets that fit a sealed datagram.
pub const SEALED_ROOM: usize =
    (DATAGRAM_MAX - SEALED_HEADER - TAG) / PADDING * PADDING - INNER_HEADER;

/// Bytes of packets that fit a sealed datagram which goes through a relay.
pub const RELAYED_ROOM: usize =
    (DATAGRAM_MAX - RELAYED_HEADER - SEALED_HEADER - TAG) / PADDING * PADDING - INNER_HEADER;

/// Bytes of packets that fit a small one.
pub const SEALED_SMALL: usize =
    (DATAGRAM_SMALL - SEALED_HEADER - TAG) / PADDING * PADDING - INNER_HEADER;

/// Bytes of a packet besides its payload: length, sequence number, type.
pub const PACKET_HEADER: usize = 7;

/// No process has this incarnation: it stands for whoever listens at an address.
pub const ANYBODY: u64 = 0;

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
    /// One of the kinds 1 to 4 that goes through a relay.
    pub const RELAYED: u8 = 5;
    /// Packets in the open, with proof that their sender knows the room: to a nodeset, or to and from a member
    /// that answers as one.
    pub const PROVEN: u8 = 6;
    /// Is anybody of our room on this network?
    pub const HAIL: u8 = 7;
    /// Somebody of the room is, here.
    pub const HAILED: u8 = 8;
}

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
        /// How many bytes the datagram with the page may have; [`DATAGRAM_SMALL`] if that is more.
        most: u16,
    },
    /// To a nodeset: take us in, or extend our lease.
    Register {
        /// What the nodeset gave this address, or zeros.
        cookie: Cookie,
        /// Which room.
        tag: Tag,
        /// The changes up to this one are known already.
        have: u64,
        /// As in Who; also of the announcements that follow.
        most: u16,
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
        /// How many messages to the receiver, besides entries, the sender has given up, ever.
        given_up: u64,
        /// The first entry of the sender's log that comes on the stream.
        entries: u32,
        /// Who the sender is.
        beacon: Signed,
    },
    /// To a peer: a piece of what we say.
    Say {
        /// The stream, as the hello named it.
        stream: u32,
        /// Where in the stream.
        position: u64,
        /// So many positions before this one may still come; what is before those does not.
        behind: u8,
        /// Which of the author's messages it belongs to.
        number: u64,
        /// What kind of message, and whether more of it follows.
        flags: Flags,
        /// What makes the message an entry of its author's log: with the last piece of what everybody may keep.
        seal: Option<Seal>,
        /// The text, 1 to [`PIECE_MAX`] bytes together with the seal.
        text: &'a str,
    },
    /// To a peer: are you there, do you have what we have, and see whom we see?
    Ping {
        /// Up to then, in seconds since 1970.
        until: u32,
        /// A hash over the newest entries of all logs by then; 0 stands for anything.
        digest: u64,
        /// A hash of who is here; 0 stands for anything.
        present: u32,
    },
    /// To a peer: who is here?
    Present {
        /// Of those behind this one.
        after: PeerId,
    },
    /// To a peer: what do you have of all logs?
    Heads {
        /// Of those behind this one.
        after: PeerId,
    },
    /// To a peer: entries of a log.
    Want {
        /// Whose.
        log: PeerId,
        /// The first one.
        from: u32,
        /// Without so many bytes, which we have.
        skip: u32,
        /// So many bytes at most, up to [`PART_MAX`].
        most: u16,
    },
    /// To a peer: who writes that log?
    Author {
        /// Which one.
        log: PeerId,
    },
    /// To a peer: pass on what we send to that process, and what it sends to us.
    Bridge {
        /// Which process.
        to: PeerId,
    },
    /// To a nodeset: send the answer to this to another port of our address.
    DialBack {
        /// What the nodeset gave this address, or zeros.
        cookie: Cookie,
        /// Which port; never 0.
        port: u16,
    },
    /// To a peer: that process does not answer us.
    Lost {
        /// Which process.
        who: PeerId,
        /// How sure the sender is.
        loss: Loss,
    },
    /// To a peer: that process, to which you have no direct way, is seen at that address.
    Introduce {
        /// Which process.
        who: PeerId,
        /// Where the sender reaches it.
        at: SocketAddr,
        /// What is sent there is to open the receiver's router, and to get no further; else it may get there.
        near: bool,
    },
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

/// How sure somebody is that a process is lost. docs/PROTOCOL.md, "Who watches whom".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It does not answer the sender: does the receiver hear it?
    Asked,
    /// Nor does it answer others.
    Agreed,
    /// The sender has given it up.
    Gone,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Done, and there is nothing more to say.
    Ok,
    /// The answer to [`Request::Say`].
    Next {
        /// Everything before this position is on the reader's screen.
        next: u64,
        /// What came early, or waits for what it follows, and is kept: bit i is the position `next + i`.
        held: u64,
    },
    /// The answer to [`Request::Present`].
    Present {
        /// There are more behind these.
        more: bool,
        /// In their order.
        ids: Vec<PeerId>,
    },
    /// The answer to [`Request::Heads`].
    Heads {
        /// There are more behind these.
        more: bool,
        /// In the order of their logs.
        heads: Vec<Head>,
    },
    /// The answer to [`Request::Want`].
    Entries {
        /// There are more behind these.
        more: bool,
        /// Part of the entries, one behind the other.
        bytes: Vec<u8>,
    },
    /// The answer to [`Request::Author`].
    Author(Box<Signed>),
    /// The answer to [`Request::Bridge`].
    Bridge {
        /// What stands in front of what is to be passed on.
        index: u64,
    },
    /// The answer to [`Request::DialBack`].
    Dialed {
        /// Where it was sent to.
        at: SocketAddr,
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
    /// The answer to [`Request::Ping`].
    Here {
        /// With other entries than the one that asks.
        differs: bool,
        /// Seeing others than the one that asks.
        others: bool,
        /// Of what the one that asks says to us on its stream, all entries before this one are on the screen.
        next: u32,
    },
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
    /// [`Request::Bridge`].
    Bridge,
    /// [`Request::DialBack`].
    DialBack,
    /// [`Request::Present`].
    Present,
    /// [`Request::Heads`].
    Heads,
    /// [`Request::Want`].
    Want,
    /// [`Request::Author`].
    Author,
    /// [`Request::Ping`].
    Ping,
    /// Any other request: the answer carries nothing.
    Other,
}

impl Asked {
    /// Whether the answer may be large: then it can vanish where all that is small arrives.
    pub(crate) const fn may_draw_much(self) -> bool {
        matches!(self, Self::Heads | Self::Want)
    }
}

mod status {
    pub(super) const OK: u8 = 0;
    pub(super) const UNKNOWN: u8 = 1;
    pub(super) const COOKIE: u8 = 2;
    pub(super) const VERSION: u8 = 3;
    pub(super) const FULL: u8 = 4;
}

impl<'a> Request<'a> {
    /// Are you there? Nothing is compared.
    pub const PING: Self = Self::Ping { until: 0, digest: 0, present: 0 };

    /// The answer that says yes, and nothing else; of what is to be handed on, there is nothing.
    #[must_use]
    pub const fn done(&self) -> Response {
        match self {
            Self::Ping { .. } => Response::Here { differs: false, others: false, next: 0 },
            Self::Heads { .. } => Response::Heads { more: false, heads: Vec::new() },
            Self::Want { .. } | Self::Author { .. } => Response::Unknown,
            _ => Response::Ok,
        }
    }

    /// Whether a page answers it, which takes a datagram of its own.
    pub const fn draws_page(&self) -> bool {
        matches!(self, Self::Who { .. } | Self::Register { .. })
    }

    /// Makes the packet of a request that draws a page ask for a small one.
    pub(crate) fn ask_small(packet: &mut [u8]) {
        nodeset::ask_small(packet);
    }

    /// Whether it takes more than a small datagram, in the open.
    pub fn is_large(&self) -> bool {
        let size = match self {
            Self::AddMember { members, .. } => members.iter().map(Listed::size).sum(),
            Self::RemoveMember { members, .. } => members.iter().map(Gone::size).sum(),
            _ => 0,
        };
        HEADER + PACKET_HEADER + 9 + size > DATAGRAM_SMALL
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Who { cookie, tag, have, most } => {
                nodeset::put_who(out, cookie, *tag, *have, *most);
            }
            Self::Register { cookie, tag, have, most, token, n, sealed } => {
                nodeset::put_register(out, (cookie, *tag, *have, *most), *token, *n, sealed);
            }
            Self::Deregister { tag, farewell, sealed } => {
                nodeset::put_deregister(out, *tag, farewell, sealed);
            }
            Self::AddMember { reached, members } => {
                nodeset::put_add_member(out, *reached, members);
            }
            Self::RemoveMember { reached, members } => {
                nodeset::put_remove_member(out, *reached, members);
            }
            Self::DialBack { cookie, port } => nodeset::put_dial_back(out, cookie, *port),
            Self::Foreign { method, version } => out.extend_from_slice(&[*method, *version]),
            Self::Hello { stream, start, given_up, entries, beacon } => {
                member::put_hello(out, (*stream, *start), *given_up, *entries, beacon);
            }
            Self::Say { stream, position, behind, number, flags, seal, text } => {
                let at = (*stream, *position, *behind);
                member::put_say(out, at, *number, *flags, seal.as_ref(), text);
            }
            Self::Ping { until, digest, present } => {
                member::put_ping(out, *until, *digest, *present);
            }
            Self::Present { after } => member::put_log(out, member::PRESENT, *after),
            Self::Heads { after } => member::put_log(out, member::HEADS, *after),
            Self::Want { log, from, skip, most } => {
                member::put_want(out, *log, *from, *skip, *most);
            }
            Self::Author { log } => member::put_log(out, member::AUTHOR, *log),
            Self::Bridge { to } => member::put_bridge(out, *to),
            Self::Lost { who, loss } => member::put_lost(out, *who, *loss),
            Self::Introduce { who, at, near } => member::put_introduce(out, *who, *at, *near),
            Self::Bye { next, beacon } => member::put_bye(out, *next, beacon),
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let method = reader.u8()?;
        if matches!(method, nodeset::WHO | nodeset::REGISTER) {
            let version = reader.u8()?;
            if version != VERSION {
                reader.rest();
                return Ok(Self::Foreign { method, version });
            }
        }
        match method {
            nodeset::WHO => nodeset::who(reader),
            nodeset::REGISTER => nodeset::register(reader),
            nodeset::DEREGISTER => nodeset::deregister(reader),
            nodeset::ADD_MEMBER => nodeset::add_member(reader),
            nodeset::REMOVE_MEMBER => nodeset::remove_member(reader),
            nodeset::DIAL_BACK => nodeset::dial_back(reader),
            member::HELLO => member::hello(reader),
            member::SAY => member::say(reader),
            member::PING => member::ping(reader),
            member::PRESENT => Ok(Self::Present { after: PeerId(reader.u64()?) }),
            member::HEADS => Ok(Self::Heads { after: PeerId(reader.u64()?) }),
            member::WANT => member::want(reader),
            member::AUTHOR => Ok(Self::Author { log: PeerId(reader.u64()?) }),
            member::BRIDGE => Ok(Self::Bridge { to: PeerId(reader.u64()?) }),
            member::LOST => member::lost(reader),
            member::INTRODUCE => member::introduce(reader),
            member::BYE => member::bye(reader),
            _ => Err(Malformed),
        }
    }
}

impl Response {
    /// Appends the payload of a response packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ok => out.push(status::OK),
            Self::Next { next, held } => {
                out.push(status::OK);
                member::put_next(out, *next, *held);
            }
            Self::Here { differs, others, next } => {
                out.push(status::OK);
                member::put_here(out, (*differs, *others), *next);
            }
            Self::Heads { more, heads } => {
                out.extend_from_slice(&[status::OK, u8::from(*more)]);
                heads.iter().for_each(|head| member::put_head(out, head));
            }
            Self::Entries { more, bytes } => {
                out.extend_from_slice(&[status::OK, u8::from(*more)]);
                out.extend_from_slice(bytes);
            }
            Self::Author(signed) => {
                out.push(status::OK);
                signed.put(out);
            }
            Self::Bridge { index } => {
                out.push(status::OK);
                put_u64(out, *index);
            }
            Self::Dialed { at } => {
                out.push(status::OK);
                put_addr(out, *at);
            }
            Self::Page(page) => {
                out.push(status::OK);
                page.put(out);
            }
            Self::Lease { node, elsewhere, seen, page } => {
                out.push(status::OK);
                nodeset::put_lease(out, *node, *elsewhere, *seen, page);
            }
            Self::Unknown => out.push(status::UNKNOWN),
            Self::Cookie(cookie) => {
                out.push(status::COOKIE);
                out.extend_from_slice(cookie);
            }
            Self::Version(version) => out.extend_from_slice(&[status::VERSION, *version]),
            Self::Full => out.push(status::FULL),
            Self::Present { more, ids } => {
                out.extend_from_slice(&[status::OK, u8::from(*more)]);
                ids.iter().for_each(|id| put_u64(out, id.0));
            }
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
            (status::OK, Asked::Register) => nodeset::lease(&mut reader)?,
            (status::OK, Asked::Say) => member::next(&mut reader)?,
            (status::OK, Asked::Bridge) => Self::Bridge { index: reader.u64()? },
            (status::OK, Asked::DialBack) => Self::Dialed { at: reader.addr()? },
            (status::OK, Asked::Present) => {
                let more = reader.flag()?;
                Self::Present { more, ids: reader.until_end(|reader| Ok(PeerId(reader.u64()?)))? }
            }
            (status::OK, Asked::Heads) => {
                Self::Heads { more: reader.flag()?, heads: reader.until_end(member::head)? }
            }
            (status::OK, Asked::Want) => {
                Self::Entries { more: reader.flag()?, bytes: reader.rest().to_vec() }
            }
            (status::OK, Asked::Author) => Self::Author(Box::new(Signed::read(&mut reader)?)),
            (status::OK, Asked::Ping) => member::here(&mut reader)?,
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

#[cfg(test)]
mod tests;
