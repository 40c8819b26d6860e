//! What is kept of something that happened in a room, as bytes.
//!
//! ```text
//! kind    1
//! at      8   ms since 1970, by our clock
//! the rest is of the kind
//! ```
//!
//! A kind that is not known is of a later program: it is passed over. A record that is not exactly what its
//! kind says is none. Numbers are big-endian.

use std::collections::BTreeMap;

use crate::machine::{Event, Malformed, MessageId, Name, PeerId, Person, PublicKey, Reader};
use crate::machine::{SafeText, Why};

const SAID: u8 = 1;
const CAME: u8 = 2;
const LEFT: u8 = 3;
const RENAMED: u8 = 4;
const MISSING: u8 = 5;
const LOST: u8 = 6;

/// How a message was said.
const ACTION: u8 = 1;
const PRIVATE: u8 = 2;
const MENTION: u8 = 4;
const OURS: u8 = 8;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// When we saw it, ms since 1970.
    pub(crate) at: u64,
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Said(Said),
    Came(Person),
    Left(Person, Why),
    Renamed {
        who: Person,
        was: Name,
    },
    /// So many messages of somebody never came.
    Missing(Person, u64),
    /// So many records could not be written here.
    Lost(u64),
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) id: MessageId,
    pub(crate) from: Person,
    pub(crate) text: SafeText<'static>,
    pub(crate) action: bool,
    /// It was said to one person alone.
    pub(crate) private: bool,
    /// To whom, where it is ours.
    pub(crate) to: Option<Person>,
    pub(crate) mention: bool,
    pub(crate) ours: bool,
}

impl Record {
    /// What is kept of an event, if anything is. `me` is who we are.
    pub(crate) fn of(at: u64, event: &Event<'_>, me: Option<&Person>) -> Option<Self> {
        let what = match event {
            Event::Ready { me, .. } => What::Came(me.clone()),
            Event::Joined(who) => What::Came(who.clone()),
            Event::Left { who, why } => What::Left(who.clone(), *why),
            Event::Renamed { who, was } => What::Renamed { who: who.clone(), was: was.clone() },
            Event::Missing { from, count } => What::Missing(from.clone(), *count),
            Event::Message { id, from, text, action, private, mention, .. } => What::Said(Said {
                id: *id,
                from: from.clone(),
                text: text.clone().into_owned(),
                action: *action,
                private: *private,
                to: None,
                mention: *mention,
                ours: false,
            }),
            Event::Sent { id, text, action, to, .. } => What::Said(Said {
                id: *id,
                from: me?.clone(),
                text: text.clone().into_owned(),
                action: *action,
                private: to.is_some(),
                to: to.clone(),
                mention: false,
                ours: true,
            }),
            _ => return None,
        };
        let said = match event {
            Event::Message { past, .. } => past.map(|past| past.at),
            _ => None,
        };
        Some(Self { at: said.unwrap_or(at), what })
    }

    /// The message, if it is one.
    pub(crate) const fn said(&self) -> Option<&Said> {
        match &self.what {
            What::Said(said) => Some(said),
            _ => None,
        }
    }

    /// Appends the bytes.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let head = |out: &mut Vec<u8>, kind: u8| {
            out.push(kind);
            put_u64(out, self.at);
        };
        match &self.what {
            What::Said(said) => {
                head(out, SAID);
                let flags = [said.action, said.private, said.mention, said.ours];
                let bits = [ACTION, PRIVATE, MENTION, OURS];
                out.push(flags.iter().zip(bits).map(|(&set, bit)| u8::from(set) * bit).sum());
                put_u64(out, said.id.number);
                put_person(out, &said.from);
                said.to.iter().for_each(|to| put_person(out, to));
                out.extend_from_slice(said.text.as_str().as_bytes());
            }
            What::Came(who) => {
                head(out, CAME);
                put_person(out, who);
            }
            What::Left(who, why) => {
                head(out, LEFT);
                out.push(why_as_byte(*why));
                put_person(out, who);
            }
            What::Renamed { who, was } => {
                head(out, RENAMED);
                put_person(out, who);
                put_name(out, was);
            }
            What::Missing(who, count) => {
                head(out, MISSING);
                put_u64(out, *count);
                put_person(out, who);
            }
            What::Lost(count) => {
                head(out, LOST);
                put_u64(out, *count);
            }
        }
    }

    /// Reads one; `None` for what is of a later program, or no record.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        Names::default().read(bytes)
    }

    fn take(reader: &mut Reader<'_>, names: &mut Names) -> Result<Option<Self>, Malformed> {
        let (kind, at) = (reader.u8()?, reader.u64()?);
        let what = match kind {
            SAID => What::Said(names.take_said(reader)?),
            CAME => What::Came(names.take_person(reader)?),
            LEFT => {
                let why = why_of_byte(reader.u8()?)?;
                What::Left(names.take_person(reader)?, why)
            }
            RENAMED => {
                What::Renamed { who: names.take_person(reader)?, was: names.take_name(reader)? }
            }
            MISSING => {
                let count = reader.u64()?;
                What::Missing(names.take_person(reader)?, count)
            }
            LOST => What::Lost(reader.u64()?),
            _ => return Ok(None),
        };
        Ok(Some(Self { at, what }))
    }
}

/// Names that were read lately: whether a text is a name is a long question, and a few people say much.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, Name>);

/// So many of them.
const NAMES_MAX: usize = 256;

impl Names {
    /// As [`Record::read`].
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Option<Record> {
        let mut reader = Reader::new(bytes);
        Record::take(&mut reader, self).ok().flatten().filter(|_| reader.finish().is_ok())
    }

    fn take_said(&mut self, reader: &mut Reader<'_>) -> Result<Said, Malformed> {
        let (flags, number) = (reader.u8()?, reader.u64()?);
        let is = |flag: u8| flags & flag != 0;
        let from = self.take_person(reader)?;
        let to = (is(OURS) && is(PRIVATE)).then(|| self.take_person(reader)).transpose()?;
        let text = core::str::from_utf8(reader.rest()).map_err(|_| Malformed)?;
        Ok(Said {
            id: MessageId { author: from.id, number },
            from,
            // What stands on a screen is sanitised where it comes from, wherever that is.
            text: SafeText::new(text).into_owned(),
            action: is(ACTION),
            private: is(PRIVATE),
            to,
            mention: is(MENTION),
            ours: is(OURS),
        })
    }

    fn take_person(&mut self, reader: &mut Reader<'_>) -> Result<Person, Malformed> {
        let (id, key) = (PeerId(reader.u64()?), PublicKey(reader.array()?));
        Ok(Person { id, key, name: self.take_name(reader)? })
    }

    fn take_name(&mut self, reader: &mut Reader<'_>) -> Result<Name, Malformed> {
        let len = usize::from(reader.u8()?);
        let text = core::str::from_utf8(reader.take(len)?).map_err(|_| Malformed)?;
        if let Some(name) = self.0.get(text) {
            return Ok(name.clone());
        }
        let name = Name::parse(text).map_err(|_| Malformed)?;
        if self.0.len() >= NAMES_MAX {
            self.0.clear();
        }
        self.0.insert(text.to_owned(), name.clone());
        Ok(name)
    }
}

/// A message as it is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance<'a> {
    /// Who said it, by the name they had.
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
}

/// What is looked for in a record, if it is a message: without reading all of it.
pub(crate) fn glance(bytes: &[u8]) -> Option<Glance<'_>> {
    let text = |bytes| core::str::from_utf8(bytes).map_err(|_| Malformed);
    let mut reader = Reader::new(bytes);
    let mut look = || -> Result<Option<Glance<'_>>, Malformed> {
        let (kind, _, flags, _) = (reader.u8()?, reader.u64()?, reader.u8()?, reader.u64()?);
        if kind != SAID {
            return Ok(None);
        }
        let mut person = || {
            reader.take(8 + 32)?;
            let len = usize::from(reader.u8()?);
            reader.take(len)
        };
        let name = text(person()?)?;
        if flags & OURS != 0 && flags & PRIVATE != 0 {
            person()?;
        }
        Ok(Some(Glance { name, text: text(reader.rest())? }))
    };
    look().ok().flatten()
}

fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn put_person(out: &mut Vec<u8>, who: &Person) {
    put_u64(out, who.id.0);
    out.extend_from_slice(&who.key.0);
    put_name(out, &who.name);
}

/// A name has less than 256 bytes.
fn put_name(out: &mut Vec<u8>, name: &Name) {
    out.push(name.as_str().len() as u8);
    out.extend_from_slice(name.as_str().as_bytes());
}

const WHYS: [Why; 4] = [Why::Quit, Why::Timeout, Why::Replaced, Why::Unread];

fn why_as_byte(why: Why) -> u8 {
    WHYS.iter().position(|&known| known == why).unwrap_or(0) as u8
}

fn why_of_byte(byte: u8) -> Result<Why, Malformed> {
    WHYS.get(usize::from(byte)).copied().ok_or(Malformed)
}

#[cfg(test)]
pub(crate) mod tests {
    use quickcheck::quickcheck;

    use super::*;

    pub(crate) fn who(id: u64, name: &str) -> Person {
        Person { id: PeerId(id), key: PublicKey([id as u8; 32]), name: Name::parse(name).unwrap() }
    }

    /// A message to everybody.
    pub(crate) fn said(at: u64, number: u64, text: &str) -> Record {
        let from = who(7, "bob");
        let id = MessageId { author: from.id, number };
        let text = SafeText::new(text).into_owned();
        let (action, private, mention, ours) = (false, false, false, false);
        let what = What::Said(Said { id, from, text, action, private, to: None, mention, ours });
        Record { at, what }
    }

    fn all() -> Vec<Record> {
        let mut private = said(3, u64::MAX, "psst\nto you");
        if let What::Said(said) = &mut private.what {
            (said.private, said.ours, said.action) = (true, true, true);
            said.to = Some(who(9, "two words"));
        }
        let (bob, was) = (who(7, "bob"), Name::parse("Ιωάννης").unwrap());
        let of = |at, what| Record { at, what };
        let mut all = vec![said(u64::MAX, 1, "hi"), said(0, 2, ""), private];
        all.extend(WHYS.map(|why| of(1, What::Left(bob.clone(), why))));
        all.push(of(2, What::Came(bob.clone())));
        all.push(of(3, What::Renamed { who: bob.clone(), was }));
        all.push(of(4, What::Missing(bob, 5)));
        all.push(of(5, What::Lost(6)));
        all
    }

    #[test]
    fn what_is_written_is_read_again_and_nothing_shorter_or_longer() {
        for record in all() {
            let mut bytes = Vec::new();
            record.put(&mut bytes);
            assert_eq!(Record::read(&bytes).as_ref(), Some(&record));
            let is_text = record.said().is_some();
            let seen = glance(&bytes).map(|seen| (seen.name, seen.text));
            let said = record.said().map(|said| (said.from.name.as_str(), said.text.as_str()));
            assert_eq!(seen, said);
            for end in 0..bytes.len() {
                // A text ends where its record does.
                let read = Record::read(&bytes[..end]);
                assert!(read.is_none() || is_text, "{record:?}: {end}");
            }
            bytes.push(b'x');
            assert_eq!(Record::read(&bytes).is_some(), is_text, "{record:?}");
        }
    }

    #[test]
    fn a_kind_of_a_later_program_is_passed_over() {
        for kind in [0, 7, 255] {
            assert_eq!(Record::read(&[&[kind][..], &[0; 200]].concat()), None);
        }
        let mut strange = Vec::new();
        said(0, 1, "x\u{1b}[31m").put(&mut strange);
        let read = Record::read(&strange).unwrap();
        assert!(!read.said().unwrap().text.as_str().contains('\u{1b}'));
    }

    quickcheck! {
        fn any_bytes_are_a_record_or_none(bytes: Vec<u8>, kind: u8) -> bool {
            let bytes = [&[kind % 8][..], &bytes].concat();
            Record::read(&bytes).is_none_or(|record| {
                let mut again = Vec::new();
                record.put(&mut again);
                Record::read(&again) == Some(record)
            })
        }
    }
}
