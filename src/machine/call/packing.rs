//! Filling datagrams with packets: responses first, then requests, then what rides along.

use core::net::SocketAddr;

use slab::Slab;

use super::{Calls, LinkKey, Pending, RIDE_MAX, stamp};
use crate::machine::Time;
use crate::machine::outbox::Outbox;
use crate::machine::wire::{self, DATAGRAM_MAX, Datagram, HEADER, Response};

impl<T: Copy + PartialEq> Calls<T> {
    /// Packs everything that is to be sent into datagrams.
    pub(crate) fn flush(&mut self, now: Time, out: &mut Outbox) {
        let mut dirty = core::mem::take(&mut self.dirty);
        for key in dirty.drain(..) {
            self.flush_link(now, key, out);
        }
        self.dirty = dirty;
    }

    fn flush_link(&mut self, now: Time, key: LinkKey, out: &mut Outbox) {
        self.links[key].dirty = false;
        let mut requests = core::mem::take(&mut self.links[key].requests);
        let mut responses = core::mem::take(&mut self.links[key].responses);
        let mut packing = Packing { responses: &responses, requests: &requests };
        while let Some(size) = packing.size(&self.pending) {
            if let Some(credit) = &mut self.links[key].credit {
                if *credit < size {
                    break;
                }
                *credit -= size;
            }
            let (addr, echo) = (self.links[key].addr, self.links[key].echo);
            let echo = if packing.responses.is_empty() { 0 } else { echo };
            out.send(addr, |bytes| {
                let start = bytes.len();
                let receiver = self.links[key].incarnation;
                wire::put_header(bytes, self.incarnation, receiver, stamp(now), echo);
                packing.fill(bytes, start, &self.pending);
                if self.links[key].path.is_lossy() && self.links[key].credit.is_none() {
                    self.ride_along(now, key, &requests, bytes, start);
                }
            });
        }
        requests.clear();
        responses.clear();
        self.links[key].requests = requests;
        self.links[key].responses = responses;
    }

    /// Fills the rest of a datagram with unanswered requests: the oldest, which may hold up others,
    /// then the newest first, which have been sent the least. A ride is free: it neither counts as
    /// one of the five sends nor moves the next one.
    ///
    /// None rides more often than four times in a round trip: answers carry riders too, and two
    /// sides whose answers carry requests would otherwise answer each other without end.
    fn ride_along(
        &mut self,
        now: Time,
        key: LinkKey,
        sent: &[usize],
        bytes: &mut Vec<u8>,
        start: usize,
    ) {
        let spacing = self.links[key].path.delay(1) / 4;
        let count = self.links[key].open.len();
        for place in (0..count.min(1)).chain((1..count).rev()) {
            let (_, index) = self.links[key].open[place];
            if sent.contains(&index) {
                continue;
            }
            let pending = &mut self.pending[index];
            let fits = bytes.len() - start + pending.bytes.len() <= DATAGRAM_MAX;
            let soon = now.since(pending.sent) < spacing;
            if !fits || soon || pending.bytes.len() > RIDE_MAX {
                continue;
            }
            bytes.extend_from_slice(&pending.bytes);
            pending.sent = now;
        }
    }

    /// Answers a request without a link and without memory. All answers to one datagram travel in
    /// one, at [`Calls::flush_strays`].
    pub(crate) fn reply_stray(&mut self, seq: u32, response: &Response) {
        let start = self.strays.len();
        wire::put_response(&mut self.strays, seq, response);
        if HEADER + self.strays.len() > DATAGRAM_MAX {
            self.strays.truncate(start);
            self.blame.over_limit += 1;
        }
    }

    /// Sends the answers that need no link, to where a datagram came from.
    pub(crate) fn flush_strays(
        &mut self,
        now: Time,
        to: SocketAddr,
        asked: &Datagram<'_>,
        out: &mut Outbox,
    ) {
        if self.strays.is_empty() {
            return;
        }
        out.send(to, |bytes| {
            let (receiver, echo) = (asked.incarnation, asked.stamp);
            wire::put_header(bytes, self.incarnation, receiver, stamp(now), echo);
            bytes.extend_from_slice(&self.strays);
        });
        self.strays.clear();
    }
}

/// What is left to send on one link.
struct Packing<'a> {
    responses: &'a [u8],
    requests: &'a [usize],
}

impl Packing<'_> {
    /// The size of the next datagram, without riders; `None` when nothing is left.
    fn size<T>(&self, pending: &Slab<Pending<T>>) -> Option<usize> {
        let (responses, requests) = self.next(pending);
        let bytes: usize = self.requests[..requests].iter().map(|&i| pending[i].bytes.len()).sum();
        (responses + requests > 0).then_some(HEADER + responses + bytes)
    }

    fn fill<T>(&mut self, bytes: &mut Vec<u8>, start: usize, pending: &Slab<Pending<T>>) {
        debug_assert_eq!(bytes.len() - start, HEADER);
        let (responses, requests) = self.next(pending);
        bytes.extend_from_slice(&self.responses[..responses]);
        for &index in &self.requests[..requests] {
            bytes.extend_from_slice(&pending[index].bytes);
        }
        self.responses = &self.responses[responses..];
        self.requests = &self.requests[requests..];
    }

    /// How many bytes of responses and how many requests fit the next datagram.
    fn next<T>(&self, pending: &Slab<Pending<T>>) -> (usize, usize) {
        let mut room = DATAGRAM_MAX - HEADER;
        let mut responses = 0;
        while let Some(&[high, low]) = self.responses.get(responses..responses + 2) {
            let len = 2 + usize::from(u16::from_be_bytes([high, low]));
            if len > room {
                return (responses, 0);
            }
            responses += len;
            room -= len;
        }
        let mut requests = 0;
        while let Some(&index) = self.requests.get(requests) {
            let len = pending[index].bytes.len();
            if len > room {
                break;
            }
            requests += 1;
            room -= len;
        }
        (responses, requests)
    }
}
