//! What passes between members, always under a seal: Hello, Say, Ping, Bye, Bridge, Lost and Introduce, and the
//! answer to what was said (docs/PROTOCOL.md, "Methods").

use core::net::SocketAddr;

use super::{Loss, Request, Response};
use crate::machine::codec::{Malformed, Reader, put_addr, put_u64};
use crate::machine::log::{CLOCK_MAX, Head, Seal};
use crate::machine::who::beacon::Signed;
use crate::machine::who::ids::PeerId;

/// The text of one [`Request::Say`] and its seal, in bytes: a small datagram holds one, and a large one three.
pub const PIECE_MAX: usize = 320;

/// The bytes of one [`Response::Entries`]: they fit a datagram, also through a relay.
pub const PART_MAX: usize = 960;

/// Positions in a stream stay below this: nobody says so much, and nothing overflows near it.
pub const POSITION_MAX: u64 = 1 << 62;

pub(super) const HELLO: u8 = 6;
pub(super) const SAY: u8 = 7;
pub(super) const PING: u8 = 8;
pub(super) const BYE: u8 = 9;
pub(super) const BRIDGE: u8 = 10;
pub(super) const LOST: u8 = 12;
pub(super) const INTRODUCE: u8 = 13;
pub(super) const PRESENT: u8 = 14;
pub(super) const HEADS: u8 = 15;
pub(super) const WANT: u8 = 16;
pub(super) const AUTHOR: u8 = 17;

/// Bit 3 of the flags on the wire: a seal stands before the text.
const SEALED: u8 = 1 << 3;

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

impl Flags {
    const fn encode(self) -> u8 {
        self.action as u8 | (self.private as u8) << 1 | (self.more as u8) << 2
    }

    pub(super) const fn decode(bits: u8) -> Result<Self, Malformed> {
        if bits > 7 {
            return Err(Malformed);
        }
        Ok(Self { action: bits & 1 != 0, private: bits & 2 != 0, more: bits & 4 != 0 })
    }
}

pub(super) fn put_hello(
    out: &mut Vec<u8>,
    (stream, start): (u32, u64),
    given_up: u64,
    entries: u32,
    beacon: &Signed,
) {
    out.push(HELLO);
    out.extend_from_slice(&stream.to_be_bytes());
    put_u64(out, start);
    put_u64(out, given_up);
    out.extend_from_slice(&entries.to_be_bytes());
    beacon.put(out);
}

pub(super) fn hello(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    let (stream, start, given_up) = (reader.u32()?, reader.u64()?, reader.u64()?);
    let (entries, beacon) = (reader.u32()?, Signed::read(reader)?);
    if stream == 0 || start > POSITION_MAX || entries == 0 {
        return Err(Malformed);
    }
    Ok(Request::Hello { stream, start, given_up, entries, beacon })
}

pub(super) fn put_say(
    out: &mut Vec<u8>,
    (stream, position, behind): (u32, u64, u8),
    number: u64,
    flags: Flags,
    seal: Option<&Seal>,
    text: &str,
) {
    out.push(SAY);
    out.extend_from_slice(&stream.to_be_bytes());
    put_u64(out, position);
    out.push(behind);
    put_u64(out, number);
    out.push(flags.encode() | seal.map_or(0, |_| SEALED));
    if let Some(seal) = seal {
        seal.put(out);
    }
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn say<'a>(reader: &mut Reader<'a>) -> Result<Request<'a>, Malformed> {
    let (stream, position, behind) = (reader.u32()?, reader.u64()?, reader.u8()?);
    let (number, bits) = (reader.u64()?, reader.u8()?);
    let flags = Flags::decode(bits & !SEALED)?;
    let sealed = bits & SEALED != 0;
    // What is said to one alone is nobody else's, and a message is sealed as a whole.
    if sealed && (flags.private || flags.more) {
        return Err(Malformed);
    }
    let seal = sealed.then(|| Seal::read(reader)).transpose()?;
    let text = core::str::from_utf8(reader.rest()).map_err(|_| Malformed)?;
    if text.is_empty() || text.len() + seal.map_or(0, |seal| seal.size()) > PIECE_MAX {
        return Err(Malformed);
    }
    Ok(Request::Say { stream, position, behind, number, flags, seal, text })
}

/// One that compares nothing is small.
pub(super) fn put_ping(out: &mut Vec<u8>, until: u32, digest: u64, present: u32) {
    out.push(PING);
    if (until, digest, present) != (0, 0, 0) {
        out.extend_from_slice(&until.to_be_bytes());
        put_u64(out, digest);
        out.extend_from_slice(&present.to_be_bytes());
    }
}

pub(super) fn ping(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    if reader.is_empty() {
        return Ok(Request::PING);
    }
    let (until, digest, present) = (reader.u32()?, reader.u64()?, reader.u32()?);
    if (until, digest, present) == (0, 0, 0) {
        return Err(Malformed);
    }
    Ok(Request::Ping { until, digest, present })
}

/// Bit 0 says that entries differ, bit 1 that others are seen.
pub(super) fn put_here(out: &mut Vec<u8>, (differs, others): (bool, bool), next: u32) {
    out.push(u8::from(differs) | u8::from(others) << 1);
    out.extend_from_slice(&next.to_be_bytes());
}

pub(super) fn here(reader: &mut Reader<'_>) -> Result<Response, Malformed> {
    let bits = reader.u8()?;
    if bits > 3 {
        return Err(Malformed);
    }
    let (differs, others) = (bits & 1 != 0, bits & 2 != 0);
    Ok(Response::Here { differs, others, next: reader.u32()? })
}

/// A question about one process, or those behind it.
pub(super) fn put_log(out: &mut Vec<u8>, method: u8, log: PeerId) {
    out.push(method);
    put_u64(out, log.0);
}

pub(super) fn put_want(out: &mut Vec<u8>, log: PeerId, from: u32, skip: u32, most: u16) {
    put_log(out, WANT, log);
    out.extend_from_slice(&from.to_be_bytes());
    out.extend_from_slice(&skip.to_be_bytes());
    out.extend_from_slice(&most.to_be_bytes());
}

pub(super) fn want(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    let (log, from) = (PeerId(reader.u64()?), reader.u32()?);
    let (skip, most) = (reader.u32()?, reader.u16()?);
    if from == 0 || most == 0 || usize::from(most) > PART_MAX {
        return Err(Malformed);
    }
    Ok(Request::Want { log, from, skip, most })
}

pub(super) fn put_head(out: &mut Vec<u8>, head: &Head) {
    put_u64(out, head.log.0);
    out.extend_from_slice(&head.first.to_be_bytes());
    out.extend_from_slice(&head.next.to_be_bytes());
    put_u64(out, head.clock);
    out.extend_from_slice(&head.hash);
}

pub(super) fn head(reader: &mut Reader<'_>) -> Result<Head, Malformed> {
    let (log, first, next) = (PeerId(reader.u64()?), reader.u32()?, reader.u32()?);
    let (clock, hash) = (reader.u64()?, reader.array()?);
    if first == 0 || next <= first || clock >= CLOCK_MAX {
        return Err(Malformed);
    }
    Ok(Head { log, first, next, clock, hash })
}

pub(super) fn put_bye(out: &mut Vec<u8>, next: u64, beacon: &Signed) {
    out.push(BYE);
    put_u64(out, next);
    beacon.put(out);
}

pub(super) fn bye(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    let (next, beacon) = (reader.u64()?, Signed::read(reader)?);
    if !beacon.beacon.left {
        return Err(Malformed);
    }
    Ok(Request::Bye { next, beacon })
}

pub(super) fn put_bridge(out: &mut Vec<u8>, to: PeerId) {
    out.push(BRIDGE);
    put_u64(out, to.0);
}

pub(super) fn put_lost(out: &mut Vec<u8>, who: PeerId, loss: Loss) {
    out.push(LOST);
    put_u64(out, who.0);
    out.push(match loss {
        Loss::Asked => 0,
        Loss::Agreed => 1,
        Loss::Gone => 2,
    });
}

pub(super) fn lost(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    let who = PeerId(reader.u64()?);
    let loss = match reader.u8()? {
        0 => Loss::Asked,
        1 => Loss::Agreed,
        2 => Loss::Gone,
        _ => return Err(Malformed),
    };
    Ok(Request::Lost { who, loss })
}

pub(super) fn put_introduce(out: &mut Vec<u8>, who: PeerId, at: SocketAddr, near: bool) {
    out.push(INTRODUCE);
    put_u64(out, who.0);
    put_addr(out, at);
    out.push(u8::from(near));
}

pub(super) fn introduce(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    Ok(Request::Introduce { who: PeerId(reader.u64()?), at: reader.addr()?, near: reader.flag()? })
}

pub(super) fn put_next(out: &mut Vec<u8>, next: u64, held: u64) {
    put_u64(out, next);
    put_u64(out, held);
}

pub(super) fn next(reader: &mut Reader<'_>) -> Result<Response, Malformed> {
    Ok(Response::Next { next: reader.u64()?, held: reader.u64()? })
}
