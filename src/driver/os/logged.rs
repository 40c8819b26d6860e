//! What the log says of an event: its kind, and the ids it is about. Never what was said or typed,
//! nor a name, a key or a secret: a log is given to others, and kept.

use core::fmt;

use crate::machine::{Event, Exit, Refusal, Way};

/// An event, or how a machine ended, for the log.
#[derive(Debug)]
pub(crate) enum Logged<'a> {
    Event(&'a Event<'a>),
    Exit(&'a Exit),
}

impl fmt::Display for Logged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => write_event(event, f),
            Self::Exit(Exit::Name(_)) => f.write_str("exit: the name cannot be had"),
            Self::Exit(exit) => write!(f, "exit: {exit:?}"),
        }
    }
}

fn write_event(event: &Event<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match event {
        Event::Ready { me, addr, nodeset, people, open, .. } => {
            let people = people.len();
            write!(f, "ready: {} at {addr}, nodeset {nodeset}, {people} here, open: {open}", me.id)
        }
        Event::Joined(who) => write!(f, "joined: {}", who.id),
        Event::Left { who, why } => write!(f, "left: {} ({why})", who.id),
        Event::Renamed { who, .. } => write!(f, "renamed: {}", who.id),
        Event::Alike { one, like, others } => {
            write!(f, "alike: {} and {} more", one.id, like.len() + others)
        }
        Event::Elsewhere { count } => write!(f, "elsewhere: {count}"),
        Event::Found(found) => write!(f, "found: {}", found.len()),
        Event::Alone => f.write_str("alone"),
        Event::Twins { who, ours } => write!(f, "twins: {}, ours: {ours}", who.id),
        Event::Forked(who) => write!(f, "forked: {}", who.id),
        Event::Message { id, private, .. } => write!(f, "message: {id}, private: {private}"),
        Event::Sent { id, to, readers, .. } => {
            write!(f, "sent: {id} to {readers}, private: {}", to.is_some())
        }
        Event::Acked { id, by, rtt } => write!(f, "acked: {id} by {} in {rtt:?}", by.id),
        Event::Done { id, acked, failed, left } => {
            write!(f, "done: {id}, {acked} have it, {} left", left.len())?;
            failed.iter().try_for_each(|(who, why)| write!(f, ", not {} ({why})", who.id))
        }
        Event::Missing { from, count } => write!(f, "missing: {count} of {}", from.id),
        Event::Reads { who, reads, waiting } => {
            write!(f, "reads: {reads}, {} with {waiting} waiting", who.id)
        }
        Event::Lost { who, lost, waiting } => {
            write!(f, "lost: {lost}, {} with {waiting} waiting", who.id)
        }
        Event::Way { who, way, waiting } => {
            let way = match way {
                Way::Direct => "direct",
                Way::Through(_) => "through a relay",
                Way::Deaf => "they do not hear us",
                Way::None => "none",
            };
            write!(f, "way: {way}, to {} with {waiting} waiting", who.id)
        }
        Event::Apart { who, way } => {
            write!(f, "users are kept apart: {}, through others: {}", who.id, *way != Way::None)
        }
        Event::Nodeset(health) => write!(f, "nodeset: {health:?}"),
        Event::Whois { who, .. } => write!(f, "whois: {}", who.id),
        Event::Trusted { who, .. } => write!(f, "trusted: {}", who.id),
        Event::Untrusted { .. } => f.write_str("untrusted"),
        Event::TrustedNames(names) => write!(f, "trusted names: {}", names.len()),
        Event::OtherKey { who } => write!(f, "another key: {}", who.id),
        Event::Words { who, .. } => write!(f, "words: {}", who.id),
        Event::Invite { .. } => f.write_str("invite"),
        Event::People(people) => write!(f, "people: {}", people.len()),
        Event::Listing(listed) => write!(f, "listing: {}", listed.len()),
        Event::Examined(examined) => write!(f, "examined: {} addresses", examined.asked.len()),
        Event::Checkup(checkup) => write!(f, "checkup: {} people", checkup.bonds.len()),
        Event::Help => f.write_str("help"),
        Event::Refused(refusal) => write!(f, "refused: {}", kind(refusal)),
        Event::Leaving { unacked } => write!(f, "leaving: {unacked} on their way"),
    }
}

/// Why a line was refused, without the line.
const fn kind(refusal: &Refusal<'_>) -> &'static str {
    match refusal {
        Refusal::TooLong { .. } => "too long",
        Refusal::Empty => "empty",
        Refusal::UnknownCommand { .. } | Refusal::Otherwise { .. } => "unknown command",
        Refusal::Usage(_) => "usage",
        Refusal::LikeSlash(_) => "like a slash",
        Refusal::NobodyCalled(_) | Refusal::NobodyWithId(_) | Refusal::NobodyWithKey(_) => "nobody",
        Refusal::Yourself => "ourselves",
        Refusal::SeveralCalled(_) => "several",
        Refusal::NameOrId { .. } => "name or id",
        Refusal::NotTrusted(_) => "not trusted",
        Refusal::TrustedOtherwise { .. } => "trusted otherwise",
        Refusal::TrustedFull => "too many are trusted",
        Refusal::OtherKey(_) => "another key",
        Refusal::Name(_) => "name",
        Refusal::Backlog { .. } => "backlog",
        Refusal::NotJoined => "not joined",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{MessageId, Name, PeerId, Person, Pin, PublicKey, SafeText};

    #[test]
    fn nothing_that_was_said_is_logged() {
        const SECRET: &str = "hunter2";
        let key = PublicKey([0xab; 32]);
        let who = || Person { id: PeerId(7), key, name: Name::parse(SECRET).unwrap() };
        let id = MessageId { author: PeerId(7), number: 3 };
        let (text, typed) = (SafeText::new(SECRET), SafeText::new(SECRET));
        let (action, private, mention) = (false, true, false);
        let refused = Refusal::UnknownCommand { typed, nearest: None };
        for event in [
            Event::Message {
                id,
                from: who(),
                text: text.clone(),
                action,
                private,
                mention,
                past: None,
            },
            Event::Sent { id, text: text.clone(), action, to: Some(who()), readers: 1 },
            Event::Joined(who()),
            Event::Alike { one: who(), like: vec![who()], others: 37 },
            Event::Words { who: who(), words: SECRET.to_owned() },
            Event::Trusted { who: who(), key },
            Event::Untrusted { name: who().name, key },
            Event::TrustedNames(vec![Pin { name: who().name, key }]),
            Event::Whois { who: who(), key, addr: None, trusted: false },
            Event::Refused(refused),
            Event::Refused(Refusal::NobodyCalled(text)),
            Event::Refused(Refusal::NobodyWithKey(key)),
        ] {
            let logged = Logged::Event(&event).to_string();
            assert!(!logged.contains(SECRET) && !logged.contains("abab"), "{logged}");
        }
        let message = Logged::Event(&Event::Joined(who())).to_string();
        assert_eq!(message, format!("joined: {}", PeerId(7)));
    }
}
