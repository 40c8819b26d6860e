//! The heap of what is to happen, and the buffers of the datagrams on their way.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::link::Mark;

/// Where a datagram goes or comes from: a computer and a port of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Endpoint {
    pub(crate) host: u16,
    pub(crate) port: u16,
}

/// One thing that is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// A datagram arrives.
    Arrive(u32),
    /// Nothing passed the held datagram of this link (slot, number): it arrives after all.
    Release(u32, u32),
    /// A process wants to be woken.
    Wake(u32),
    /// A paused computer goes on.
    Resume(u16),
    /// The next operation of the schedule.
    Script(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) at: u64,
    tie: u32,
    seq: u64,
    pub(crate) what: What,
}

/// A binary heap on (time, tie, sequence).
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    seq: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: u64, tie: u32, what: What) {
        self.seq += 1;
        self.heap.push(Reverse(Entry { at, tie, seq: self.seq, what }));
    }

    pub(crate) fn pop_until(&mut self, until: u64) -> Option<Entry> {
        let head = self.heap.peek()?;
        if head.0.at > until {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// How many pushes there were: the key of a tie.
    pub(crate) const fn pushes(&self) -> u64 {
        self.seq
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) bytes: Vec<u8>,
    pub(crate) from: Endpoint,
    pub(crate) to: Endpoint,
    /// Over the link between these computers.
    pub(crate) over: (u16, u16),
    /// Over how many hops it may still go.
    pub(crate) ttl: Option<u8>,
    /// The process that sent it; `u32::MAX` for one that somebody made up.
    pub(crate) sender: u32,
    pub(crate) sent_at: u64,
    pub(crate) mark: Mark,
    /// Counts the uses of this slot, so that a stale reference is noticed.
    pub(crate) uses: u32,
}

/// Slots for datagrams, reused so that a datagram costs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    slots: Vec<Datagram>,
    free: Vec<u32>,
}

impl Pool {
    pub(crate) fn take(&mut self) -> u32 {
        if let Some(slot) = self.free.pop() {
            let datagram = &mut self.slots[slot as usize];
            datagram.bytes.clear();
            datagram.uses += 1;
            return slot;
        }
        self.slots.push(Datagram {
            bytes: Vec::with_capacity(1200),
            from: Endpoint::default(),
            to: Endpoint::default(),
            over: (0, 0),
            ttl: None,
            sender: u32::MAX,
            sent_at: 0,
            mark: Mark::Plain,
            uses: 0,
        });
        (self.slots.len() - 1) as u32
    }

    pub(crate) fn give_back(&mut self, slot: u32) {
        self.free.push(slot);
    }

    pub(crate) fn at(&self, slot: u32) -> &Datagram {
        &self.slots[slot as usize]
    }

    pub(crate) fn at_mut(&mut self, slot: u32) -> &mut Datagram {
        &mut self.slots[slot as usize]
    }

    /// Moves the bytes out, to be handed to a machine while the pool is in use.
    pub(crate) fn lift(&mut self, slot: u32) -> Vec<u8> {
        std::mem::take(&mut self.slots[slot as usize].bytes)
    }

    /// Puts lifted bytes back and frees the slot.
    pub(crate) fn settle(&mut self, slot: u32, bytes: Vec<u8>) {
        self.slots[slot as usize].bytes = bytes;
        self.give_back(slot);
    }

    /// How many datagrams are on their way.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
