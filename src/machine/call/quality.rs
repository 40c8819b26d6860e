//! What is known of the paths: how long they are, what is lost on them, and whether anybody is there.

use core::time::Duration;

use super::Calls;
use crate::machine::purpose::{About, LinkKey};

/// Weight of one call in the loss over all links: one thirty-second. One path alone learns it too slowly, if it is
/// asked every few seconds.
const LATE_SHIFT: u32 = 5;

impl<T: About> Calls<T> {
    pub(crate) fn rtt(&self, key: LinkKey) -> Option<Duration> {
        self.links.get(key)?.path.rtt()
    }

    /// How many of a million calls over a link are late, lately, and whether only small datagrams come through.
    pub(crate) fn quality(&self, key: LinkKey) -> (u32, bool) {
        self.links.get(key).map_or((0, false), |link| (link.path.loss_ppm(), link.mtu.is_small()))
    }

    /// How many of a million calls may be late over a link, as far as was known when it last answered: as many as
    /// were there, or over all links.
    pub(crate) fn late_ppm(&self, key: LinkKey) -> u32 {
        self.links.get(key).map_or(0, |link| link.path.late_ppm()).max(self.late_ppm)
    }

    /// Calls over a link were late in a row, or failed: perhaps nobody is there any more.
    pub(crate) fn is_doubtful(&self, key: LinkKey) -> bool {
        self.links.get(key).is_none_or(|link| link.path.is_doubtful())
    }

    /// A call was answered, in time or `late`.
    pub(super) const fn learn_late(&mut self, late: bool) {
        let decayed = self.late_ppm - (self.late_ppm >> LATE_SHIFT);
        self.late_ppm = if late { decayed + (1_000_000 >> LATE_SHIFT) } else { decayed };
    }
}
