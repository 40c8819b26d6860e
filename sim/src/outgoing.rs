//! What an attacker is about to do: datagrams, and the faces that its owner is to know.

use std::collections::VecDeque;
use std::net::SocketAddr;

use chatrpc::machine::{Action, Event, Name, Person};

use crate::insider::Insider;

#[derive(Debug)]
enum Out {
    Send(SocketAddr, Vec<u8>),
    Show(Person),
}

/// In the order in which it is to happen.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    waiting: VecDeque<Out>,
    /// What was polled last, for as long as it is being done.
    last: Option<Out>,
}

impl Outgoing {
    pub(crate) fn send(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        self.waiting.push_back(Out::Send(to, bytes));
    }

    /// The owner is told of somebody it claims to be.
    pub(crate) fn unmask(&mut self, face: &Insider, name: &str) {
        let name = Name::parse(name).expect("attackers use valid names");
        let (id, key) = (face.id(), face.identity.public());
        self.waiting.push_back(Out::Show(Person { id, key, name }));
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The last datagram, if nothing came after it.
    pub(crate) fn last_datagram(&self) -> Option<(SocketAddr, &[u8])> {
        match self.waiting.back() {
            Some(Out::Send(to, bytes)) => Some((*to, bytes)),
            _ => None,
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Action<'_>> {
        self.last = self.waiting.pop_front();
        Some(match self.last.as_ref()? {
            Out::Send(to, bytes) => Action::Send { to: *to, source: None, ttl: None, bytes },
            Out::Show(face) => Action::Show(Event::Joined(face.clone())),
        })
    }
}
