//! Where questions to a nodeset arrive, to be answered with whatever a test says, or not at all.

use std::collections::{BTreeSet, VecDeque};

use core::net::SocketAddr;

use super::contact::{Contact, DOORS_MAX, Doors, PATIENCE};
use crate::machine::call::Calls;
use crate::machine::contract::Action;
use crate::machine::outbox::Outbox;
use crate::machine::purpose::{Ask, LinkKey};
use crate::machine::rng::Seed;
use crate::machine::time::Time;
use crate::machine::who::ids::{Handle, Tag};
use crate::machine::wire::{Change, Cookie, Datagram, Departure, Gone, Packet, Page, Request};

/// A nodeset process, and the one that comes after it.
pub(super) const FIRST: u64 = 71;
pub(super) const SECOND: u64 = 72;

pub(super) const TAG: Tag = Tag([5; 16]);

pub(super) fn nodeset() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 7))
}

pub(super) fn doors() -> Doors {
    Doors::new(&[nodeset()], Some(PATIENCE))
}

pub(super) const fn ms(ms: u64) -> Time {
    Time::from_micros(ms * 1000)
}

/// A page with so many changes on it.
pub(super) fn page(after: u64, reached: u64, current: u64, changes: u64) -> Page {
    let gone = |n| Change::Gone(Gone { handle: Handle(n), how: Departure::Timeout });
    Page { after, reached, current, changes: (0..changes).map(gone).collect() }
}

/// What was asked, as far as an answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Who { cookie: Cookie, have: u64 },
    Register { cookie: Cookie, have: u64 },
    Deregister,
}

pub(super) struct Desk {
    pub(super) calls: Calls<Ask>,
    pub(super) link: LinkKey,
    seen: BTreeSet<u32>,
    open: VecDeque<(u32, Question)>,
    out: Outbox,
}

impl Desk {
    pub(super) fn new() -> Self {
        let mut calls = Calls::new(1, DOORS_MAX, Seed([1; 32]).stream("calls"));
        let contact = Contact::open(Time::ZERO, doors(), TAG, &mut calls).expect("a link");
        let (seen, open, out) = (BTreeSet::new(), VecDeque::new(), Outbox::default());
        Self { calls, link: contact.link, seen, open, out }
    }

    /// The questions that are open, oldest first.
    pub(super) fn open(&mut self, now: Time) -> Vec<Question> {
        self.calls.flush(now, &mut self.out);
        while let Some(action) = self.out.poll() {
            let Action::Send { bytes, .. } = action else { continue };
            for packet in Datagram::decode(bytes).expect("an honest datagram").packets() {
                let Packet::Request { seq, request } = packet else { continue };
                let question = match request {
                    Request::Who { cookie, have, .. } => Question::Who { cookie, have },
                    Request::Register { cookie, have, .. } => Question::Register { cookie, have },
                    Request::Deregister { .. } => Question::Deregister,
                    other => panic!("{other:?}"),
                };
                if self.seen.insert(seq) {
                    self.open.push_back((seq, question));
                }
            }
        }
        self.open.iter().map(|(_, question)| *question).collect()
    }

    /// Ends one of the calls that are open, answered or failed.
    pub(super) fn end(&mut self, now: Time, at: usize) -> Question {
        self.open(now);
        let (seq, question) = self.open.remove(at).expect("it is open");
        let ask = match question {
            Question::Who { have, .. } => Ask::Who { have },
            Question::Register { .. } => Ask::Register,
            Question::Deregister => Ask::Deregister,
        };
        self.calls.finish(now, self.link, seq, ask);
        question
    }
}
