//! Filling datagrams with packets, responses first.

use slab::Slab;

use super::Pending;
use crate::machine::wire::{DATAGRAM_MAX, HEADER};

/// What is left to send on one link.
pub(super) struct Packing<'a> {
    pub(super) responses: &'a [u8],
    pub(super) requests: &'a [usize],
}

impl Packing<'_> {
    /// The size of the next datagram, without riders; `None` when nothing is left.
    pub(super) fn size<T>(&self, pending: &Slab<Pending<T>>) -> Option<usize> {
        let (responses, requests) = self.next(pending);
        let bytes: usize = self.requests[..requests].iter().map(|&i| pending[i].bytes.len()).sum();
        (responses + requests > 0).then_some(HEADER + responses + bytes)
    }

    pub(super) fn fill<T>(
        &mut self,
        bytes: &mut Vec<u8>,
        start: usize,
        pending: &Slab<Pending<T>>,
    ) {
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
