//! S8: how much a process may send, and to whom. Every allowance is a number in this file.

/// Bytes that may go to a computer never heard from, at once: one introduction tries its calls
/// on every address of a beacon, and computers have up to two.
const INTRODUCTION_BYTES: u64 = 2 * 12_000;
/// The same, per further minute in which the introduction stands: heartbeats carry it on.
const INTRODUCTION_BYTES_PER_MINUTE: u64 = 2 * 12_000;
/// Amplification: bytes out for each byte in.
const AMPLIFICATION: u64 = 3;

/// Datagrams a process may send before it has any reason to.
const BUCKET_FLOOR: u64 = 600;
/// Datagrams per person present: joining greets everybody, leaving says goodbye to everybody.
const BUCKET_PER_PERSON: u64 = 60;
/// Datagrams a second for each person present, with nothing to say.
const STEADY_PER_PERSON: u64 = 6;
/// Datagrams for each reader of each message: the retries of one call under heavy loss.
const PER_READER: u64 = 16;
/// Datagrams for each datagram heard: a reply, and what it sets free.
const PER_HEARD: u64 = 2;

/// Datagrams in one second, whatever the reason: more is a storm that feeds itself.
const PER_SECOND_MAX: u64 = 20_000;

/// What a process sent and heard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    /// Per computer: bytes sent, bytes heard, when first sent.
    with: Vec<(u64, u64, u64)>,
    credit: u64,
    ceiling: u64,
    refilled_at: u64,
    said: u64,
    /// The second in which it sent last, and how many datagrams it sent then.
    second: (u64, u64),
    pub(crate) datagrams: u64,
    pub(crate) bytes: u64,
}

impl Guard {
    pub(crate) fn new(now: u64, computers: usize) -> Self {
        let ceiling = BUCKET_FLOOR;
        let with = vec![(0, 0, 0); computers];
        Self { with, credit: ceiling, ceiling, refilled_at: now, ..Self::default() }
    }

    /// A datagram was handed to the process.
    pub(crate) fn heard(&mut self, computer: usize, bytes: usize) {
        self.with[computer].1 += bytes as u64;
        self.credit += PER_HEARD;
    }

    /// It said something to so many readers.
    pub(crate) const fn said(&mut self, readers: usize) {
        self.said += readers as u64;
        self.credit += PER_READER * readers as u64;
    }

    /// Somebody entered, as it sees it.
    pub(crate) fn met(&mut self, people: usize) {
        let more = (BUCKET_PER_PERSON * people as u64).saturating_sub(self.ceiling - BUCKET_FLOOR);
        self.ceiling += more;
        self.credit += more;
    }

    fn refill(&mut self, now: u64) {
        let people = (self.ceiling - BUCKET_FLOOR) / BUCKET_PER_PERSON + 2;
        let due = (now - self.refilled_at) * STEADY_PER_PERSON * people / 1_000_000;
        if due > 0 {
            self.credit += due;
            self.refilled_at = now;
        }
        // What was said and heard keeps its credit; idling does not pile up more than the ceiling.
        let bound = self.ceiling + PER_READER * self.said + PER_HEARD * 2_000;
        self.credit = self.credit.min(bound);
    }

    /// It sends; says which law that breaks, if any.
    pub(crate) fn sends(&mut self, now: u64, computer: usize, bytes: usize) -> Result<(), String> {
        self.datagrams += 1;
        self.bytes += bytes as u64;
        self.refill(now);
        if self.second.0 != now / 1_000_000 {
            self.second = (now / 1_000_000, 0);
        }
        self.second.1 += 1;
        if self.second.1 > PER_SECOND_MAX {
            return Err(format!("more than {PER_SECOND_MAX} datagrams in a second"));
        }
        let (sent, heard, since) = &mut self.with[computer];
        if *sent == 0 {
            *since = now;
        }
        *sent += bytes as u64;
        let minutes = (now - *since) / 60_000_000;
        let allowed =
            AMPLIFICATION * *heard + INTRODUCTION_BYTES + INTRODUCTION_BYTES_PER_MINUTE * minutes;
        if *heard == 0 && *sent > allowed {
            return Err(format!("{sent} bytes to n{computer}, which never answered"));
        }
        match self.credit.checked_sub(1) {
            Some(left) => self.credit = left,
            None => {
                return Err(format!("{} datagrams, more than it had reason to", self.datagrams));
            }
        }
        Ok(())
    }

    /// What it sent to a computer, in bytes.
    pub(crate) fn sent_to(&self, computer: usize) -> u64 {
        self.with[computer].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_not_answered_with_a_flood() {
        let mut guard = Guard::new(0, 2);
        let flood = (0..21).find_map(|_| guard.sends(0, 1, 1200).err());
        assert!(flood.unwrap_or_default().contains("never answered"));
        let mut guard = Guard::new(0, 2);
        guard.heard(1, 10);
        assert!((0..50).all(|_| guard.sends(0, 1, 1200).is_ok()), "it answered");
    }

    #[test]
    fn a_storm_is_not_excused_by_what_it_stirs_up() {
        let mut guard = Guard::new(0, 2);
        let storm = (0..30_000).find_map(|_| {
            guard.heard(1, 33);
            guard.sends(0, 1, 33).err()
        });
        assert!(storm.unwrap_or_default().contains("in a second"));
    }

    #[test]
    fn a_process_may_not_send_without_a_reason() {
        let mut guard = Guard::new(0, 2);
        guard.heard(1, 10);
        let storm = (0..1000).find_map(|_| guard.sends(0, 1, 10).err());
        assert!(storm.unwrap_or_default().contains("reason"));
        let mut guard = Guard::new(0, 2);
        guard.heard(1, 10);
        assert!((0..1000).all(|i| guard.sends(i * 1_000_000, 1, 10).is_ok()), "slowly it may");
    }
}
