//! A datagram and the packets in it: in the open, and under a seal.

use super::{ANYBODY, DATAGRAM_MAX, Malformed, PADDING, PROOF, Request, Response, kind};
use crate::machine::codec::{Reader, put_u64};
use crate::machine::who::ids::PeerId;

pub(super) const REQUEST: u8 = 0;
pub(super) const RESPONSE: u8 = 1;

/// Who sent a datagram, as far as that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sender {
    /// In the open: whoever claims to be the process of that incarnation.
    Open(u64),
    /// Under a seal: that process, and nobody else.
    Sealed(PeerId),
}

impl Sender {
    /// Whether it is who it says.
    pub const fn is_sealed(self) -> bool {
        matches!(self, Self::Sealed(_))
    }

    /// The incarnation it claims in the open; [`ANYBODY`] under a seal, where no receiver is named either.
    pub const fn incarnation(self) -> u64 {
        match self {
            Self::Open(incarnation) => incarnation,
            Self::Sealed(_) => ANYBODY,
        }
    }
}

/// A datagram, checked from end to end.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub sender: Sender,
    /// The process it is meant for, in the open: its incarnation, or [`ANYBODY`] when that is whoever
    /// listens. Under a seal it is us, and this is 0.
    pub receiver: u64,
    /// The sender's clock as it left, in microseconds, modulo 2³².
    pub stamp: u32,
    /// The stamp of the datagram it answers; 0 when it answers none.
    pub echo: u32,
    packets: &'a [u8],
}

/// One packet: the original's sequence number, packet type and payload.
// It is handled where it is read: a box would be an allocation for each.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Somebody asks.
    Request {
        /// Which of the sender's requests to us it is.
        seq: u32,
        /// What is asked.
        request: Request<'a>,
    },
    /// Somebody answers.
    Response {
        /// Which of our requests it answers.
        seq: u32,
        /// The answer: [`Response::decode`] reads it, knowing what was asked.
        payload: &'a [u8],
    },
}

impl<'a> Datagram<'a> {
    /// Reads a datagram and checks every packet in it.
    ///
    /// # Errors
    ///
    /// [`Malformed`], for anything an honest sender would not have sent.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let datagram = Self::begin(bytes)?;
        datagram.each(|_| Ok(()))?;
        Ok(datagram)
    }

    /// Reads what a process sealed for us: packets, perhaps none, and zeros to the end.
    ///
    /// # Errors
    ///
    /// [`Malformed`], for anything an honest sender would not have sealed.
    pub fn decode_sealed(sender: PeerId, text: &'a [u8]) -> Result<Self, Malformed> {
        let datagram = Self::begin_sealed(sender, text)?;
        datagram.each(|_| Ok(()))?;
        Ok(datagram)
    }

    /// Reads what stands before the packets.
    pub(crate) fn begin(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > DATAGRAM_MAX {
            return Err(Malformed);
        }
        let bytes = match bytes.first() {
            Some(&kind::CLEAR) => bytes,
            Some(&kind::PROVEN) => proof(bytes)?.0,
            _ => return Err(Malformed),
        };
        let mut reader = Reader::new(bytes);
        reader.u8()?;
        let (sender, receiver) = (reader.u64()?, reader.u64()?);
        let (stamp, echo) = (reader.u32()?, reader.u32()?);
        if sender == ANYBODY {
            return Err(Malformed);
        }
        let sender = Sender::Open(sender);
        Ok(Self { sender, receiver, stamp, echo, packets: reader.rest() })
    }

    /// Reads what stands before the packets under a seal.
    pub(crate) fn begin_sealed(sender: PeerId, text: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(text);
        let (stamp, echo) = (reader.u32()?, reader.u32()?);
        let sender = Sender::Sealed(sender);
        Ok(Self { sender, receiver: ANYBODY, stamp, echo, packets: reader.rest() })
    }

    /// Reads the packets, in order. In the open there is one at least and nothing behind the last; under a
    /// seal there may be none, and zeros behind them.
    ///
    /// # Errors
    ///
    /// [`Malformed`], for anything an honest sender would not have sent, or that `take` refuses. What was
    /// taken before it is to be forgotten: a datagram counts whole or not at all.
    pub(crate) fn each(
        &self,
        mut take: impl FnMut(Packet<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let mut reader = Reader::new(self.packets);
        if !self.sender.is_sealed() {
            loop {
                take(decode_packet(&mut reader)?)?;
                if reader.is_empty() {
                    return Ok(());
                }
            }
        }
        while reader.starts_with_packet() {
            take(decode_packet(&mut reader)?)?;
        }
        let padding = reader.rest();
        let good = padding.len() < PADDING && padding.iter().all(|&byte| byte == 0);
        if good { Ok(()) } else { Err(Malformed) }
    }

    /// The packets, in order.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'a>> + use<'a> {
        let mut packets = Vec::new();
        // It was checked, and so are these.
        let _ = self.each(|packet| {
            packets.push(packet);
            Ok(())
        });
        packets.into_iter()
    }
}

/// Takes what is asked from the proof that stands behind it.
///
/// # Errors
///
/// [`Malformed`], when it is too short to have one.
pub fn proof(bytes: &[u8]) -> Result<(&[u8], &[u8; PROOF]), Malformed> {
    bytes.split_last_chunk().ok_or(Malformed)
}

/// Takes what goes through a relay from what stands before it.
///
/// # Errors
///
/// [`Malformed`], unless a datagram of the kinds 1 to 4 follows: none goes through two relays, and
/// what is in the open is for a nodeset.
pub fn relayed(bytes: &[u8]) -> Result<(u64, &[u8]), Malformed> {
    let mut reader = Reader::new(bytes);
    let (kind, index) = (reader.u8()?, reader.u64()?);
    let datagram = reader.rest();
    let goes = matches!(datagram.first(), Some(kind::INIT..=kind::DATA));
    let good = kind == kind::RELAYED && goes && bytes.len() <= DATAGRAM_MAX;
    if good { Ok((index, datagram)) } else { Err(Malformed) }
}

/// Begins what goes through a relay.
pub fn put_relayed(out: &mut Vec<u8>, index: u64) {
    out.push(kind::RELAYED);
    put_u64(out, index);
}

fn decode_packet<'a>(reader: &mut Reader<'a>) -> Result<Packet<'a>, Malformed> {
    let len = usize::from(reader.u16()?);
    let mut packet = reader.part(len)?;
    let seq = packet.u32()?;
    match packet.u8()? {
        REQUEST => {
            let request = Request::decode(&mut packet)?;
            packet.finish()?;
            Ok(Packet::Request { seq, request })
        }
        RESPONSE => {
            let payload = packet.rest();
            if payload.is_empty() { Err(Malformed) } else { Ok(Packet::Response { seq, payload }) }
        }
        _ => Err(Malformed),
    }
}

/// Begins a datagram.
pub fn put_header(out: &mut Vec<u8>, incarnation: u64, receiver: u64, stamp: u32, echo: u32) {
    out.push(kind::CLEAR);
    put_u64(out, incarnation);
    put_u64(out, receiver);
    out.extend_from_slice(&stamp.to_be_bytes());
    out.extend_from_slice(&echo.to_be_bytes());
}

/// Begins what is sealed.
pub fn put_inner_header(out: &mut Vec<u8>, stamp: u32, echo: u32) {
    out.extend_from_slice(&stamp.to_be_bytes());
    out.extend_from_slice(&echo.to_be_bytes());
}

/// Appends a request packet.
pub fn put_request(out: &mut Vec<u8>, seq: u32, request: &Request<'_>) {
    put_packet(out, seq, REQUEST, |out| request.encode(out));
}

/// Appends a response packet.
pub fn put_response(out: &mut Vec<u8>, seq: u32, response: &Response) {
    put_packet(out, seq, RESPONSE, |out| response.encode(out));
}

pub(super) fn put_packet(
    out: &mut Vec<u8>,
    seq: u32,
    kind: u8,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&seq.to_be_bytes());
    out.push(kind);
    payload(out);
    let len = u16::try_from(out.len() - start - 2).unwrap_or(u16::MAX);
    out[start..start + 2].copy_from_slice(&len.to_be_bytes());
}
