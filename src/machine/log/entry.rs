//! One thing that was said to the room, signed: whoever has it can pass it on, and nobody can change it
//! (docs/PROTOCOL.md, "Entries").

use crate::machine::codec::{Malformed, Reader, put_u64};
use crate::machine::keyed::{MAC, hash, mac};
use crate::machine::text::TEXT_MAX;
use crate::machine::who::beacon::Beacon;
use crate::machine::who::identity::SIGNATURE;
use crate::machine::who::ids::PeerId;
use crate::machine::who::keys::Keys;

/// What an entry may follow: the newest entries of others that its author had seen.
pub(crate) const DEPS_MAX: usize = 4;

/// Clocks stay below this: nothing overflows near it, and nobody uses it up.
pub(crate) const CLOCK_MAX: u64 = 1 << 47;

/// The last place of a log: the one behind it still has a number.
pub(crate) const SEQ_MAX: u32 = u32::MAX - 1;

/// Which entry: of which log, which is a process's, and which of it, from 1 on.
pub type Place = (PeerId, u32);

/// What comes before an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Deps {
    places: [Option<Place>; DEPS_MAX],
}

impl Deps {
    /// The first of those, as many as an entry may name.
    pub fn new(places: impl IntoIterator<Item = Place>) -> Self {
        let mut deps = Self::default();
        deps.places.iter_mut().zip(places).for_each(|(slot, place)| *slot = Some(place));
        deps
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Place> {
        self.places.iter().copied().flatten()
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.iter().count() as u8);
        for (log, seq) in self.iter() {
            put_u64(out, log.0);
            out.extend_from_slice(&seq.to_be_bytes());
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let count = usize::from(reader.u8()?);
        let mut deps = Self::default();
        for slot in deps.places.get_mut(..count).ok_or(Malformed)? {
            *slot = Some((PeerId(reader.u64()?), seq(reader)?));
        }
        Ok(deps)
    }
}

/// What makes a text an entry: its place in its author's log and among what others said, and who vouches
/// for all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seal {
    /// Which of its log: 1, 2, 3 and so on.
    pub seq: u32,
    /// When it was said, in milliseconds since 1970 by its author's clock, and always after what it follows.
    pub clock: u64,
    /// What it follows besides the one before it in its log.
    pub deps: Deps,
    /// The hash of the one before it in its log; zeros for the first.
    pub past: [u8; MAC],
    /// By the key of the author.
    pub signature: [u8; SIGNATURE],
}

/// Bytes that a seal takes at most.
pub(crate) const SEAL_MAX: usize = 4 + 8 + 1 + DEPS_MAX * 12 + MAC + SIGNATURE;

impl Seal {
    /// Bytes it takes.
    pub(crate) fn size(&self) -> usize {
        SEAL_MAX - (DEPS_MAX - self.deps.iter().count()) * 12
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.seq.to_be_bytes());
        put_u64(out, self.clock);
        self.deps.put(out);
        out.extend_from_slice(&self.past);
        out.extend_from_slice(&self.signature);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (seq, clock, deps) = (seq(reader)?, reader.u64()?, Deps::read(reader)?);
        if clock >= CLOCK_MAX {
            return Err(Malformed);
        }
        Ok(Self { seq, clock, deps, past: reader.array()?, signature: reader.array()? })
    }
}

/// Which entry of a log.
fn seq(reader: &mut Reader<'_>) -> Result<u32, Malformed> {
    Some(reader.u32()?).filter(|seq| (1..=SEQ_MAX).contains(seq)).ok_or(Malformed)
}

/// What is said, without who vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words<'a> {
    /// Which of the author's messages.
    pub(crate) number: u64,
    /// Something the author does rather than says.
    pub(crate) action: bool,
    /// What is said.
    pub(crate) text: &'a str,
}

/// What an author signs, but for who the author is.
fn statement(out: &mut Vec<u8>, author: &Beacon, seal: &Seal, words: Words<'_>) {
    out.extend_from_slice(&author.key.0);
    put_u64(out, author.incarnation);
    out.extend_from_slice(&seal.seq.to_be_bytes());
    put_u64(out, words.number);
    put_u64(out, seal.clock);
    seal.deps.put(out);
    out.extend_from_slice(&seal.past);
    out.push(u8::from(words.action));
    // The text through its hash: it can be dropped, and the log still verifies.
    out.extend_from_slice(&hash(b"", &[words.text.as_bytes()]));
}

/// Signs and verifies entries of one room, in bytes that are used again.
#[derive(Debug, Default)]
pub(crate) struct Notary {
    bytes: Vec<u8>,
}

const DOMAIN: &[u8] = b"chatrpc entry 1";

impl Notary {
    fn state(&mut self, keys: &Keys, author: &Beacon, seal: &Seal, words: Words<'_>) -> &[u8] {
        self.bytes.clear();
        self.bytes.extend_from_slice(DOMAIN);
        self.bytes.extend_from_slice(&keys.room.tag().0);
        statement(&mut self.bytes, author, seal, words);
        &self.bytes
    }

    /// Signs an entry of ours; returns its hash.
    pub(crate) fn sign(
        &mut self,
        (keys, me): (&Keys, &Beacon),
        seal: &mut Seal,
        words: Words<'_>,
    ) -> [u8; MAC] {
        let said = self.state(keys, me, seal, words);
        seal.signature = keys.suite.sign(&keys.identity, said);
        mac(DOMAIN, &[said])
    }

    /// The hash of an entry, if its author signed it.
    pub(crate) fn verify(
        &mut self,
        (keys, author): (&Keys, &Beacon),
        seal: &Seal,
        words: Words<'_>,
    ) -> Option<[u8; MAC]> {
        let said = self.state(keys, author, seal, words);
        let genuine = keys.suite.verify(author.key, said, &seal.signature);
        genuine.then(|| mac(DOMAIN, &[said]))
    }
}

/// Appends an entry as it is handed on: whoever asked for it knows whose it is.
pub(crate) fn put_entry(out: &mut Vec<u8>, seal: &Seal, words: Words<'_>) {
    put_u64(out, words.number);
    out.push(u8::from(words.action));
    seal.put(out);
    out.extend_from_slice(&(words.text.len() as u16).to_be_bytes());
    out.extend_from_slice(words.text.as_bytes());
}

/// Takes an entry from the front.
pub(crate) fn entry<'a>(reader: &mut Reader<'a>) -> Result<(Seal, Words<'a>), Malformed> {
    let (number, flags) = (reader.u64()?, reader.u8()?);
    let seal = Seal::read(reader)?;
    let len = usize::from(reader.u16()?);
    if flags > 1 || len == 0 || len > TEXT_MAX {
        return Err(Malformed);
    }
    let text = core::str::from_utf8(reader.take(len)?).map_err(|_| Malformed)?;
    Ok((seal, Words { number, action: flags == 1, text }))
}
