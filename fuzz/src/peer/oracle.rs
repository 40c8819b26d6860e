//! What must hold, whatever anybody says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use chatrpc::machine::wire::DATAGRAM_MAX;
use chatrpc::machine::{Event, PeerId, sanitize};

use super::people::{NODESET, peer_id};

/// Bytes that may go to an address that has not answered, per byte that came from there
/// (docs/PROTOCOL.md, "Calls").
const AMPLIFICATION: usize = 3;

/// Besides these, datagrams that may go to an address that has not answered and that a nodeset named:
/// so many at once, and one more in so many µs (docs/PROTOCOL.md, "Handshake" and "Hello").
const UNANSWERED: usize = 5;
const UNANSWERED_EVERY: u64 = 6_000_000;

/// Datagrams that one input may lead to.
const BURST_MAX: usize = 400;

/// What the peer says it knows, and what it has sent.
#[derive(Debug)]
pub(super) struct Oracle {
    ready: bool,
    present: BTreeSet<PeerId>,
    messages: BTreeMap<u64, Said>,
    places: BTreeMap<SocketAddr, Place>,
}

/// A message of the peer's.
#[derive(Debug, Default)]
struct Said {
    readers: usize,
    acked: BTreeSet<PeerId>,
    done: bool,
}

/// An address, and what went there.
#[derive(Debug, Default)]
struct Place {
    heard: usize,
    sent: usize,
    answered: bool,
    named: bool,
    /// When something went there first.
    since: Option<u64>,
    /// The sizes of what came and, negative, of what went.
    sizes: Vec<isize>,
}

impl Place {
    /// Whether no more went there than may while nobody has answered.
    fn is_fair(&self, now: u64) -> bool {
        let spared = AMPLIFICATION * self.heard;
        if !self.named {
            return self.sent <= spared;
        }
        let waited = self.since.map_or(0, |since| now.saturating_sub(since));
        let more = UNANSWERED + (waited / UNANSWERED_EVERY).min(1 << 20) as usize;
        let count = self.sizes.iter().filter(|&&size| size < 0).count();
        self.sent <= spared + more * DATAGRAM_MAX && (self.heard > 0 || count <= more)
    }
}

impl Oracle {
    pub(super) fn new() -> Self {
        let mut places = BTreeMap::new();
        // It is looked for as long as it takes.
        places.insert(NODESET, Place { answered: true, ..Place::default() });
        let (present, messages) = (BTreeSet::new(), BTreeMap::new());
        Self { ready: false, present, messages, places }
    }

    pub(super) const fn is_in(&self) -> bool {
        self.ready
    }

    /// Something came from an address; perhaps with an answer in it.
    pub(super) fn heard(&mut self, from: SocketAddr, bytes: usize, answers: bool) {
        let place = self.places.entry(from).or_default();
        place.heard += bytes;
        place.sizes.push(bytes.cast_signed());
        place.answered |= answers;
    }

    /// A nodeset names an address.
    pub(super) fn named(&mut self, addr: SocketAddr) {
        self.places.entry(addr).or_default().named = true;
    }

    /// What one input led to.
    pub(super) fn sent(&mut self, now: u64, sent: &[(SocketAddr, Vec<u8>)]) {
        assert!(sent.len() <= BURST_MAX, "{} datagrams at once", sent.len());
        for (to, bytes) in sent {
            let place = self.places.entry(*to).or_default();
            place.sent += bytes.len();
            place.since.get_or_insert(now);
            place.sizes.push(-bytes.len().cast_signed());
            assert!(place.answered || place.is_fair(now), "to {to}: {place:?}");
        }
    }

    /// Something is shown.
    pub(super) fn shown(&mut self, event: &Event<'_>) {
        match event {
            Event::Ready { me, people, .. } => {
                assert!(!self.ready, "in twice");
                assert_eq!(me.id, peer_id());
                self.ready = true;
                self.present = people.iter().map(|who| who.id).collect();
                assert_eq!(self.present.len(), people.len(), "somebody is here twice");
            }
            Event::Joined(who) => {
                assert!(self.ready && who.id != peer_id());
                assert!(self.present.insert(who.id), "{who:?} is here already");
            }
            Event::Left { who, .. } => {
                assert!(self.present.remove(&who.id), "{who:?} was not here");
            }
            Event::Renamed { who, was } => {
                assert!(self.present.contains(&who.id) || who.id == peer_id());
                assert_ne!(who.name, *was);
            }
            Event::Message { id, from, text, .. } => {
                assert!(self.ready && id.author == from.id && from.id != peer_id());
                assert_eq!(sanitize(text.as_str()), text.as_str());
                assert!(!text.is_blank());
            }
            Event::Sent { id, readers, to, .. } => {
                assert!(*readers <= self.present.len());
                assert!(to.as_ref().is_none_or(|to| self.present.contains(&to.id)));
                let said = Said { readers: *readers, ..Said::default() };
                assert!(self.messages.insert(id.number, said).is_none(), "said twice");
            }
            Event::Acked { id, by, .. } => {
                let said = self.messages.get_mut(&id.number).expect("a message of ours");
                assert!(!said.done, "confirmed after it was done");
                assert!(said.acked.insert(by.id), "confirmed twice by {by:?}");
            }
            Event::Done { id, acked, failed, left } => {
                let said = self.messages.get_mut(&id.number).expect("a message of ours");
                assert!(!said.done, "done twice");
                said.done = true;
                assert_eq!(said.acked.len(), *acked);
                assert_eq!(*acked + failed.len() + left.len(), said.readers);
                assert!(failed.iter().all(|(who, _)| !said.acked.contains(&who.id)));
            }
            _ => {}
        }
    }
}
