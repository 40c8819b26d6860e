//! What passes between members, always under a seal: Hello, Say, Ping, Bye, Bridge, Lost and Introduce, and the
//! answer to what was said (docs/PROTOCOL.md, "Methods").

use core::net::SocketAddr;

use super::{Loss, Request, Response};
use crate::machine::codec::{Malformed, Reader, put_addr, put_u64};
use crate::machine::who::beacon::Signed;
use crate::machine::who::ids::PeerId;

/// The text of one [`Request::Say`], in bytes: a small datagram holds one, and a large one three.
pub const PIECE_MAX: usize = 320;

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
    stream: u32,
    start: u64,
    given_up: u64,
    beacon: &Signed,
) {
    out.push(HELLO);
    out.extend_from_slice(&stream.to_be_bytes());
    put_u64(out, start);
    put_u64(out, given_up);
    beacon.put(out);
}

pub(super) fn hello(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    let (stream, start, given_up) = (reader.u32()?, reader.u64()?, reader.u64()?);
    let beacon = Signed::read(reader)?;
    if stream == 0 || start > POSITION_MAX {
        return Err(Malformed);
    }
    Ok(Request::Hello { stream, start, given_up, beacon })
}

pub(super) fn put_say(
    out: &mut Vec<u8>,
    stream: u32,
    position: u64,
    number: u64,
    flags: Flags,
    text: &str,
) {
    out.push(SAY);
    out.extend_from_slice(&stream.to_be_bytes());
    put_u64(out, position);
    put_u64(out, number);
    out.push(flags.encode());
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn say<'a>(reader: &mut Reader<'a>) -> Result<Request<'a>, Malformed> {
    let (stream, position) = (reader.u32()?, reader.u64()?);
    let (number, flags) = (reader.u64()?, Flags::decode(reader.u8()?)?);
    let text = core::str::from_utf8(reader.rest()).map_err(|_| Malformed)?;
    if text.is_empty() || text.len() > PIECE_MAX {
        return Err(Malformed);
    }
    Ok(Request::Say { stream, position, number, flags, text })
}

pub(super) fn put_ping(out: &mut Vec<u8>, present: u32) {
    out.push(PING);
    if present != 0 {
        out.extend_from_slice(&present.to_be_bytes());
    }
}

pub(super) fn ping(reader: &mut Reader<'_>) -> Result<Request<'static>, Malformed> {
    if reader.is_empty() {
        return Ok(Request::PING);
    }
    let present = reader.u32()?;
    if present == 0 { Err(Malformed) } else { Ok(Request::Ping { present }) }
}

pub(super) fn put_present(out: &mut Vec<u8>, after: PeerId) {
    out.push(PRESENT);
    put_u64(out, after.0);
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
