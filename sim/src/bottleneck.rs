//! What a link of little rate does to all that shares it: datagrams wait in one queue, and those that do
//! not fit it are dropped (a token bucket without a burst, with drop-tail in bytes).

/// What the headers of IPv4 and UDP add to each datagram.
pub(crate) const HEADERS: usize = 28;

/// One direction of a line that several links run over.
#[derive(Clone, Copy, Debug)]
pub struct Bottleneck {
    /// Bytes a second, headers of IPv4 and UDP included.
    pub rate: u64,
    /// Bytes that may wait or be under way.
    pub queue: u64,
    /// Bytes that were to go over it: those too that it dropped, or that a cut swallowed.
    pub offered: u64,
    /// Bytes that it dropped.
    pub dropped: u64,
    /// When what is in the queue has left, microseconds.
    free_at: u64,
}

impl Bottleneck {
    /// An idle one.
    pub const fn new(rate: u64, queue: u64) -> Self {
        Self { rate, queue, offered: 0, dropped: 0, free_at: 0 }
    }

    /// One more datagram comes: how long it takes to get through, microseconds; `None` when it does not.
    pub fn take(&mut self, now: u64, bytes: usize) -> Option<u64> {
        let bytes = self.offer(bytes);
        let backlog = self.free_at.saturating_sub(now) * self.rate / 1_000_000;
        if backlog + bytes > self.queue {
            self.dropped += bytes;
            return None;
        }
        self.free_at = self.free_at.max(now) + bytes * 1_000_000 / self.rate;
        Some(self.free_at - now)
    }

    /// One more datagram was to come, and does not get so far. Its bytes, with headers.
    pub const fn offer(&mut self, bytes: usize) -> u64 {
        let bytes = (bytes + HEADERS) as u64;
        self.offered += bytes;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_wait_for_each_other_and_the_last_is_dropped() {
        let mut line = Bottleneck::new(1_000, 400);
        assert_eq!(line.take(0, 72), Some(100_000));
        assert_eq!(line.take(0, 172), Some(300_000));
        assert_eq!(line.take(50_000, 172), None);
        assert_eq!(line.take(150_000, 172), Some(350_000));
        assert_eq!(line.take(9_000_000, 72), Some(100_000));
        assert_eq!((line.offered, line.dropped), (800, 200));
    }

    #[test]
    fn it_carries_its_rate_and_no_more() {
        let mut line = Bottleneck::new(8_000, 4_000);
        let carried = (0..10_000).filter(|n| line.take(n * 1_000, 52).is_some()).count();
        assert!((1_000..=1_051).contains(&carried), "{carried} datagrams of 80 bytes in 10 s");
    }
}
