//! What passes between a nodeset and those who ask it: Who, Register, Deregister, AddMember,
//! RemoveMember and DialBack, and their answers (docs/PROTOCOL.md, "Methods"). Who and Register say in which version
//! of the protocol they are written, so that another one can be told from noise.

use core::net::SocketAddr;

use super::roster::{Gone, Listed, Page};
use super::{DATAGRAM_SMALL, PACKET_HEADER, Request, Response, VERSION};
use crate::machine::codec::{Malformed, Reader, put_addr, put_u64};
use crate::machine::who::beacon::Sealed;
use crate::machine::who::ids::{Farewell, Tag};

/// What a [`Request::Who`] has that asks for a page from anywhere in the room.
pub const ANYWHERE: u64 = u64::MAX;

/// Members in other rooms are counted up to here: enough to see that the one who is waited for went
/// next door, too few to watch how busy a nodeset is.
pub const ELSEWHERE_MAX: u8 = 9;

/// Proof that a nodeset's answer reached an address: see docs/PROTOCOL.md, "Cookie".
pub type Cookie = [u8; 8];

pub(super) const WHO: u8 = 1;
pub(super) const REGISTER: u8 = 2;
pub(super) const DEREGISTER: u8 = 3;
pub(super) const ADD_MEMBER: u8 = 4;
pub(super) const REMOVE_MEMBER: u8 = 5;
pub(super) const DIAL_BACK: u8 = 11;

pub(super) fn put_who(out: &mut Vec<u8>, cookie: &Cookie, tag: Tag, have: u64, most: u16) {
    out.extend_from_slice(&[WHO, VERSION]);
    put_room(out, (cookie, tag, have, most));
}

pub(super) fn who(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    let (cookie, tag, have, most) = room(reader)?;
    Ok(Request::Who { cookie, tag, have, most })
}

pub(super) fn put_register(
    out: &mut Vec<u8>,
    room: (&Cookie, Tag, u64, u16),
    token: u64,
    n: u32,
    sealed: &Sealed,
) {
    out.extend_from_slice(&[REGISTER, VERSION]);
    put_room(out, room);
    put_u64(out, token);
    out.extend_from_slice(&n.to_be_bytes());
    out.extend_from_slice(&*sealed.0);
}

pub(super) fn register(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    let (cookie, tag, have, most) = room(reader)?;
    let (token, n, sealed) = (reader.u64()?, reader.u32()?, Sealed::read(reader)?);
    Ok(Request::Register { cookie, tag, have, most, token, n, sealed })
}

/// What Who and Register have in common: who asks, about which room, what they know of it, and how large
/// a page may be.
fn put_room(out: &mut Vec<u8>, (cookie, tag, have, most): (&Cookie, Tag, u64, u16)) {
    out.extend_from_slice(cookie);
    out.extend_from_slice(&tag.0);
    put_u64(out, have);
    out.extend_from_slice(&most.to_be_bytes());
}

/// Makes the packet of a Who or Register, which is whole, ask for a small page.
pub(super) fn ask_small(packet: &mut [u8]) {
    const AT: usize = PACKET_HEADER + 2 + 8 + 16 + 8;
    if let Some(most) = packet.get_mut(AT..AT + 2) {
        most.copy_from_slice(&(DATAGRAM_SMALL as u16).to_be_bytes());
    }
}

fn room(reader: &mut Reader<'_>) -> Result<(Cookie, Tag, u64, u16), Malformed> {
    Ok((reader.array()?, Tag(reader.array()?), reader.u64()?, reader.u16()?))
}

pub(super) fn put_deregister(out: &mut Vec<u8>, tag: Tag, farewell: &Farewell, sealed: &Sealed) {
    out.push(DEREGISTER);
    out.extend_from_slice(&tag.0);
    out.extend_from_slice(&farewell.0);
    out.extend_from_slice(&*sealed.0);
}

pub(super) fn deregister(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    let (tag, farewell) = (Tag(reader.array()?), Farewell(reader.array()?));
    Ok(Request::Deregister { tag, farewell, sealed: Sealed::read(reader)? })
}

pub(super) fn put_add_member(out: &mut Vec<u8>, reached: u64, members: &[Listed]) {
    out.push(ADD_MEMBER);
    put_u64(out, reached);
    members.iter().for_each(|member| member.put(out));
}

pub(super) fn add_member(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    let reached = reader.u64()?;
    Ok(Request::AddMember { reached, members: reader.until_end(Listed::read)? })
}

pub(super) fn put_remove_member(out: &mut Vec<u8>, reached: u64, members: &[Gone]) {
    out.push(REMOVE_MEMBER);
    put_u64(out, reached);
    members.iter().for_each(|gone| gone.put(out));
}

pub(super) fn remove_member(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    let reached = reader.u64()?;
    Ok(Request::RemoveMember { reached, members: reader.until_end(Gone::read)? })
}

pub(super) fn put_dial_back(out: &mut Vec<u8>, cookie: &Cookie, port: u16) {
    out.push(DIAL_BACK);
    out.extend_from_slice(cookie);
    out.extend_from_slice(&port.to_be_bytes());
}

pub(super) fn dial_back(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    let (cookie, port) = (reader.array()?, reader.u16()?);
    if port == 0 { Err(Malformed) } else { Ok(Request::DialBack { cookie, port }) }
}

pub(super) fn put_lease(
    out: &mut Vec<u8>,
    node: u32,
    elsewhere: u8,
    seen: SocketAddr,
    page: &Page,
) {
    out.extend_from_slice(&node.to_be_bytes());
    out.push(elsewhere);
    put_addr(out, seen);
    page.put(out);
}

pub(super) fn lease(reader: &mut Reader<'_>) -> Result<Response, Malformed> {
    let (node, elsewhere) = (reader.u32()?, reader.u8()?);
    if elsewhere > ELSEWHERE_MAX {
        return Err(Malformed);
    }
    Ok(Response::Lease { node, elsewhere, seen: reader.addr()?, page: Page::read(reader)? })
}
