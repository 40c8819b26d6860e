//! What a machine wants done, waiting to be polled.
//!
//! Datagrams and texts lie in one arena each, reused from drain to drain; an [`Action`] borrows
//! from them. What is queued is bounded by what one input can cause, because owners drain after
//! every input.

use std::collections::VecDeque;

use core::net::{IpAddr, SocketAddr};
use core::ops::Range;

use crate::machine::contract::Action;
use crate::machine::event::{Event, Exit, Past};
use crate::machine::relayed::is_relayed;
use crate::machine::text::{SafeText, sanitize_into};
use crate::machine::who::identity::Person;
use crate::machine::who::ids::MessageId;
use crate::machine::wire;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Queued>,
    /// How what goes to that address leaves.
    way: Option<(SocketAddr, Way)>,
    bytes: Vec<u8>,
    text: String,
}

/// Over so many hops goes what is to get to the routers in front of us, and not to those in front of others.
const NEAR: u8 = 3;

/// How datagrams to an address leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From that address of ours; from any, without one.
    Direct(Option<IpAddr>),
    /// The same, over a few hops: to what is in front of us, and no further.
    Near(Option<IpAddr>),
    /// To that relay, from that address of ours, with the index in front.
    Through(SocketAddr, Option<IpAddr>, u64),
    /// Not at all: the relay is gone.
    Nowhere,
}

#[derive(Debug)]
enum Queued {
    Send { to: SocketAddr, source: Option<IpAddr>, ttl: Option<u8>, bytes: Range<usize> },
    Show(Event<'static>),
    Message { id: MessageId, from: Person, text: Range<usize>, marks: Marks },
    Sent { id: MessageId, text: Range<usize>, action: bool, to: Option<Person>, readers: usize },
    Exit(Exit),
}

/// Text that passed the sanitiser, until the queue is empty.
#[derive(Debug)]
pub(crate) struct Kept(Range<usize>);

/// What is to be known of a message besides its text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) action: bool,
    pub(crate) private: bool,
    pub(crate) mention: bool,
    /// When it was said, if that was before.
    pub(crate) past: Option<Past>,
}

impl Outbox {
    /// What is queued for `to` from here on leaves that way, until another one is named.
    pub(crate) const fn go_by(&mut self, to: SocketAddr, way: Way) {
        self.way = Some((to, way));
    }

    /// Queues a datagram that `write` appends to the arena.
    pub(crate) fn send(&mut self, to: SocketAddr, write: impl FnOnce(&mut Vec<u8>)) {
        self.push(to, None, write);
    }

    /// The same for a datagram that goes over so many hops at most.
    pub(crate) fn send_near(&mut self, to: SocketAddr, ttl: u8, write: impl FnOnce(&mut Vec<u8>)) {
        self.push(to, Some(ttl), write);
    }

    fn push(&mut self, to: SocketAddr, ttl: Option<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        let way = self.way.filter(|&(there, _)| there == to).map(|(_, way)| way);
        if let Some(Way::Through(_, _, index)) = way {
            wire::put_relayed(&mut self.bytes, index);
        }
        write(&mut self.bytes);
        debug_assert!(self.bytes.len() - start <= wire::DATAGRAM_MAX);
        let (to, source, ttl) = match way {
            None if is_relayed(to) => return self.bytes.truncate(start),
            Some(Way::Nowhere) => return self.bytes.truncate(start),
            None => (to, None, ttl),
            Some(Way::Direct(source)) => (to, source, ttl),
            Some(Way::Near(source)) => (to, source, Some(NEAR)),
            Some(Way::Through(relay, source, _)) => (relay, source, ttl),
        };
        let bytes = start..self.bytes.len();
        self.queue.push_back(Queued::Send { to, source, ttl, bytes });
    }

    pub(crate) fn show(&mut self, event: Event<'static>) {
        self.queue.push_back(Queued::Show(event));
    }

    /// Keeps what may be shown of a text; `None` when nothing is left of it.
    pub(crate) fn keep(&mut self, raw: &str) -> Option<Kept> {
        let start = self.text.len();
        sanitize_into(raw, &mut self.text);
        if SafeText::trusted(&self.text[start..]).is_blank() {
            self.text.truncate(start);
            return None;
        }
        Some(Kept(start..self.text.len()))
    }

    /// What was kept.
    pub(crate) fn text(&self, Kept(range): &Kept) -> &str {
        &self.text[range.clone()]
    }

    /// Queues a message.
    pub(crate) fn message(&mut self, id: MessageId, from: Person, Kept(text): Kept, marks: Marks) {
        self.queue.push_back(Queued::Message { id, from, text, marks });
    }

    /// Queues the echo of a line of ours.
    pub(crate) fn sent(
        &mut self,
        id: MessageId,
        Kept(text): Kept,
        action: bool,
        to: Option<Person>,
        readers: usize,
    ) {
        self.queue.push_back(Queued::Sent { id, text, action, to, readers });
    }

    pub(crate) fn exit(&mut self, exit: Exit) {
        self.queue.push_back(Queued::Exit(exit));
    }

    /// The next action; the arenas are emptied once there is none.
    pub(crate) fn poll(&mut self) -> Option<Action<'_>> {
        let Some(queued) = self.queue.pop_front() else {
            self.bytes.clear();
            self.text.clear();
            return None;
        };
        let safe = |range: Range<usize>| SafeText::trusted(&self.text[range]);
        Some(match queued {
            Queued::Send { to, source, ttl, bytes } => {
                Action::Send { to, source, ttl, bytes: &self.bytes[bytes] }
            }
            Queued::Show(event) => Action::Show(event),
            Queued::Message { id, from, text, marks } => Action::Show(Event::Message {
                id,
                from,
                text: safe(text),
                action: marks.action,
                private: marks.private,
                mention: marks.mention,
                past: marks.past,
            }),
            Queued::Sent { id, text, action, to, readers } => {
                Action::Show(Event::Sent { id, text: safe(text), action, to, readers })
            }
            Queued::Exit(exit) => Action::Exit(exit),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_of_one_datagram() {
        let (to, ours) = (SocketAddr::from(([192, 0, 2, 7], 7420)), IpAddr::from([192, 0, 2, 1]));
        let mut out = Outbox::default();
        out.go_by(to, Way::Direct(Some(ours)));
        out.send(to, |bytes| bytes.push(1));
        out.send_near(to, 3, |bytes| bytes.push(2));
        out.send(to, |bytes| bytes.push(3));
        for (limit, is) in [(None, [1]), (Some(3), [2]), (None, [3])] {
            let Some(Action::Send { source, ttl, bytes, .. }) = out.poll() else { panic!() };
            assert_eq!((source, ttl, bytes), (Some(ours), limit, &is[..]));
        }
        assert!(out.poll().is_none());
    }

    #[test]
    fn what_goes_through_a_relay_goes_to_it_and_else_nowhere() {
        let mut out = Outbox::default();
        let relay = SocketAddr::from(([192, 0, 2, 7], 7420));
        let over = crate::machine::purpose::LinkKey::of_parts((3, 4));
        let to = crate::machine::relayed::Relayed { over, index: 0x0102 }.addr();
        out.send(to, |bytes| bytes.push(4));
        out.go_by(to, Way::Nowhere);
        out.send(to, |bytes| bytes.push(4));
        out.go_by(to, Way::Through(relay, None, 0x0102));
        out.send(to, |bytes| bytes.extend([4, 9]));
        let Some(Action::Send { to, bytes, .. }) = out.poll() else { panic!() };
        assert_eq!((to, bytes), (relay, &[5, 0, 0, 0, 0, 0, 0, 1, 2, 4, 9][..]));
        assert_eq!(wire::relayed(&[5, 0, 0, 0, 0, 0, 0, 1, 2, 4, 9]), Ok((0x0102, &[4, 9][..])));
        assert!(out.poll().is_none());
    }
}
