//! At most once: which requests of one link were seen, and how they were answered.

use core::hash::{Hash, Hasher};

use crate::machine::call::WINDOW;
use crate::machine::rng::mix;

/// The largest reply that is remembered. Calls over links have small replies by design; those with
/// large ones (a nodeset's pages) are answered anew, without a link.
const REPLY_MAX: usize = 17;

/// The last [`WINDOW`] requests of one link and how they were answered.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    highest: Option<u32>,
    slots: Vec<Slot>,
    /// A hash over all that was ever seen and answered.
    deeds: u64,
}

/// What the slots hold follows from what was seen and answered.
impl Hash for Replies {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.highest, self.deeds).hash(state);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    seq: u32,
    used: bool,
    len: u8,
    reply: [u8; REPLY_MAX],
}

pub(crate) enum Seen<'a> {
    Never,
    /// Admitted, and not answered: the machine chose silence.
    Unanswered,
    Answered(&'a [u8]),
    TooOld,
}

impl Replies {
    pub(crate) fn look_up(&mut self, seq: u32) -> Seen<'_> {
        if self.slots.is_empty() {
            self.slots.resize(WINDOW, Slot::default());
        }
        let highest = *self.highest.get_or_insert(seq);
        let behind = highest.wrapping_sub(seq);
        if behind > u32::MAX / 2 {
            self.highest = Some(seq);
        } else if behind as usize >= WINDOW {
            return Seen::TooOld;
        }
        let slot = &mut self.slots[seq as usize % WINDOW];
        if slot.used && slot.seq == seq {
            return match slot.len {
                0 => Seen::Unanswered,
                len => Seen::Answered(&slot.reply[..usize::from(len)]),
            };
        }
        *slot = Slot { seq, used: true, ..Slot::default() };
        self.deeds = mix(self.deeds ^ u64::from(seq));
        Seen::Never
    }

    pub(crate) fn remember(&mut self, seq: u32, reply: &[u8]) {
        debug_assert!(reply.len() <= REPLY_MAX);
        let slot = &mut self.slots[seq as usize % WINDOW];
        let len = reply.len().min(REPLY_MAX);
        if slot.used && slot.seq == seq {
            slot.reply[..len].copy_from_slice(&reply[..len]);
            slot.len = len as u8;
            let said = reply.iter().fold(0, |said, &byte| said << 3 ^ u64::from(byte));
            self.deeds = mix(self.deeds ^ u64::from(seq) ^ said);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_new(replies: &mut Replies, seq: u32) -> bool {
        matches!(replies.look_up(seq), Seen::Never)
    }

    #[test]
    fn a_request_is_new_once_whatever_the_order() {
        fn property(start: u32, mut order: Vec<u8>) -> bool {
            order.iter_mut().for_each(|n| *n %= WINDOW as u8);
            let (mut replies, mut seen) = (Replies::default(), std::collections::BTreeSet::new());
            order
                .iter()
                .all(|&n| is_new(&mut replies, start.wrapping_add(u32::from(n))) == seen.insert(n))
        }
        crate::machine::quickcheck().quickcheck(property as fn(u32, Vec<u8>) -> bool);
    }

    #[test]
    fn what_was_answered_is_answered_again_and_what_is_old_is_refused() {
        let mut replies = Replies::default();
        assert!(is_new(&mut replies, u32::MAX));
        assert!(matches!(replies.look_up(u32::MAX), Seen::Unanswered));
        replies.remember(u32::MAX, b"yes");
        assert!(matches!(replies.look_up(u32::MAX), Seen::Answered(b"yes")));
        let later = (WINDOW - 2) as u32;
        assert!(is_new(&mut replies, later));
        assert!(matches!(replies.look_up(u32::MAX), Seen::Answered(b"yes")));
        assert!(is_new(&mut replies, later + 1));
        assert!(matches!(replies.look_up(u32::MAX), Seen::TooOld));
        assert!(is_new(&mut replies, 0), "numbers wrap around");
    }
}
