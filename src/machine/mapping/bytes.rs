//! The bytes of both protocols: PCP (RFC 6887, sections 7 and 11) and NAT-PMP (RFC 6886, section 3).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::machine::codec::{Malformed, Reader};

/// Which of the two is spoken: the first byte of all that is said in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Dialect {
    /// RFC 6887.
    Pcp,
    /// RFC 6886, which is version 0 of it.
    NatPmp,
}

/// Bytes of a nonce (RFC 6887, section 11.1).
pub(super) type Nonce = [u8; 12];

/// The version of PCP, and of NAT-PMP.
const PCP: u8 = 2;
const NAT_PMP: u8 = 0;

/// A response has this bit in its second byte.
const RESPONSE: u8 = 0x80;

/// PCP: something has changed at the gateway; a mapping. The first is NAT-PMP's question for the external
/// address, the second its question for a mapping of UDP.
const ANNOUNCE: u8 = 0;
const MAP: u8 = 1;

/// UDP (RFC 5237; the IANA's list of protocol numbers).
const UDP: u8 = 17;

/// Bytes of a request for a mapping, and of its response without options, in PCP.
const PCP_MAP: usize = 60;

/// Bytes of the header that every message of PCP has, and the most that a message of it has (RFC 6887,
/// section 7).
const PCP_HEADER: usize = 24;
const PCP_MAX: usize = 1100;

/// What a gateway may say instead of yes (RFC 6887, section 7.4; RFC 6886, section 3.5). 0 is yes.
pub(super) const UNSUPP_VERSION: u16 = 1;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// Our address and port, as the gateway sees them.
    pub(super) own: (Ipv4Addr, u16),
    /// The external address and port we had before, if any.
    pub(super) suggested: Option<(IpAddr, u16)>,
    /// For so many seconds; 0 ends it.
    pub(super) lifetime: u32,
    pub(super) nonce: Nonce,
}

/// What a gateway has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) dialect: Dialect,
    /// 0, or why not.
    pub(super) result: u16,
    /// Seconds since it has forgotten all mappings; not told with every refusal.
    pub(super) epoch: Option<u32>,
    /// For how many seconds it is so: a mapping, or a refusal. NAT-PMP does not say it of refusals.
    pub(super) lifetime: u32,
    pub(super) about: About,
}

/// What an answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Nothing we asked for, or nothing more is told.
    Nothing,
    /// The external address (NAT-PMP).
    Address(Ipv4Addr),
    /// A mapping.
    Map {
        /// The nonce of its request (PCP).
        nonce: Option<Nonce>,
        internal: u16,
        external: (Option<IpAddr>, u16),
    },
}

/// Asks for a mapping.
pub(super) fn put_map(out: &mut Vec<u8>, dialect: Dialect, wish: Wish) {
    let Wish { own: (own, internal), suggested, lifetime, nonce } = wish;
    let external = suggested.map_or(0, |(_, port)| port);
    match dialect {
        Dialect::Pcp => {
            out.extend_from_slice(&[PCP, MAP, 0, 0]);
            out.extend_from_slice(&lifetime.to_be_bytes());
            out.extend_from_slice(&own.to_ipv6_mapped().octets());
            out.extend_from_slice(&nonce);
            out.extend_from_slice(&[UDP, 0, 0, 0]);
            out.extend_from_slice(&internal.to_be_bytes());
            out.extend_from_slice(&external.to_be_bytes());
            // Any address is fine, of the family that is asked for (section 11.1).
            let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            out.extend_from_slice(&wide(suggested.map_or(any, |(ip, _)| ip)).octets());
        }
        Dialect::NatPmp => {
            out.extend_from_slice(&[NAT_PMP, MAP, 0, 0]);
            out.extend_from_slice(&internal.to_be_bytes());
            out.extend_from_slice(&external.to_be_bytes());
            out.extend_from_slice(&lifetime.to_be_bytes());
        }
    }
}

/// Asks for the external address, in NAT-PMP: in PCP it comes with the mapping.
pub(super) fn put_address(out: &mut Vec<u8>) {
    out.extend_from_slice(&[NAT_PMP, ANNOUNCE]);
}

const fn wide(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// Whether it can be what a gateway says in one of the two, as far as the first bytes tell.
pub(super) fn is_answer(bytes: &[u8]) -> bool {
    matches!(bytes, [PCP | NAT_PMP, op, ..] if op & RESPONSE != 0)
}

/// Reads what a gateway says.
///
/// # Errors
///
/// [`Malformed`]: it is neither.
pub(super) fn read(bytes: &[u8]) -> Result<Answer, Malformed> {
    let mut reader = Reader::new(bytes);
    let (version, op) = (reader.u8()?, reader.u8()?);
    if op & RESPONSE == 0 {
        return Err(Malformed);
    }
    match version {
        PCP => pcp(&mut reader, op & !RESPONSE, bytes.len()),
        NAT_PMP => nat_pmp(&mut reader, op & !RESPONSE),
        _ => Err(Malformed),
    }
}

fn pcp(reader: &mut Reader<'_>, op: u8, len: usize) -> Result<Answer, Malformed> {
    // A response is of whole words (section 8.3).
    if !(PCP_HEADER..=PCP_MAX).contains(&len) || !len.is_multiple_of(4) {
        return Err(Malformed);
    }
    reader.u8()?;
    let (result, lifetime, epoch) = (reader.u8()?.into(), reader.u32()?, reader.u32()?);
    reader.take(12)?;
    let about = match op {
        _ if result == UNSUPP_VERSION => About::Nothing,
        MAP if len >= PCP_MAP => pcp_map(reader)?,
        ANNOUNCE => About::Nothing,
        _ => return Err(Malformed),
    };
    // Options follow, none of which was asked for.
    reader.rest();
    Ok(Answer { dialect: Dialect::Pcp, result, epoch: Some(epoch), lifetime, about })
}

fn pcp_map(reader: &mut Reader<'_>) -> Result<About, Malformed> {
    let (nonce, protocol) = (reader.array()?, reader.u8()?);
    reader.take(3)?;
    let (internal, external) = (reader.u16()?, reader.u16()?);
    let ip = IpAddr::V6(Ipv6Addr::from(reader.array::<16>()?)).to_canonical();
    if protocol != UDP {
        return Err(Malformed);
    }
    Ok(About::Map { nonce: Some(nonce), internal, external: (Some(ip), external) })
}

fn nat_pmp(reader: &mut Reader<'_>, op: u8) -> Result<Answer, Malformed> {
    let (dialect, result) = (Dialect::NatPmp, reader.u16()?);
    let refused = |epoch, about| Answer { dialect, result, epoch, lifetime: 0, about };
    // A refusal may end anywhere behind its reason (section 3.5).
    if result != 0 {
        let epoch = reader.u32().ok();
        let about = match (op, reader.u16()) {
            // What comes with a version that is not spoken is of no known form.
            _ if result == UNSUPP_VERSION => About::Nothing,
            (MAP, Ok(internal)) => About::Map { nonce: None, internal, external: (None, 0) },
            _ => About::Nothing,
        };
        reader.rest();
        return Ok(refused(epoch, about));
    }
    let epoch = Some(reader.u32()?);
    let answer = match op {
        ANNOUNCE => {
            let ip = Ipv4Addr::from(reader.array::<4>()?);
            refused(epoch, About::Address(ip))
        }
        MAP => {
            let (internal, external) = (reader.u16()?, reader.u16()?);
            let lifetime = reader.u32()?;
            let about = About::Map { nonce: None, internal, external: (None, external) };
            Answer { lifetime, ..refused(epoch, about) }
        }
        _ => return Err(Malformed),
    };
    reader.finish()?;
    Ok(answer)
}
