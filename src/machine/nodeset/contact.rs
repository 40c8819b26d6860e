//! A nodeset, as whoever asks it knows it: how to reach it, which process it is, and whether it is
//! worth asking again.

use core::net::SocketAddr;

use crate::machine::call::Calls;
use crate::machine::event::Exit;
use crate::machine::path::SENDS_MAX;
use crate::machine::purpose::{About, Ask, LinkKey};
use crate::machine::time::Time;
use crate::machine::who::ids::{PeerId, Tag};
use crate::machine::wire::{ANYBODY, Cookie};

/// Calls to a nodeset that has answered before may fail this often in a row until joining is given up.
const ROUNDS_MAX: u32 = 4;

/// What a machine names its calls with, if some of them are to a nodeset.
pub(crate) trait AsksNodeset: About + From<Ask> {}

impl<T: About + From<Ask>> AsksNodeset for T {}

#[derive(Clone, Debug, Hash)]
pub(super) struct Contact {
    /// The room it is asked about.
    pub(super) tag: Tag,
    pub(super) link: LinkKey,
    /// What it gave our address, or zeros: it goes with every question.
    pub(super) cookie: Cookie,
    since: Time,
    /// The process that answered last; 0 before any did.
    incarnation: u64,
    /// Calls that failed in a row; of those that are made at once, all.
    failed: u32,
    /// Something came from there that is not this protocol.
    junk: bool,
}

impl Contact {
    /// `None` when the link to the nodeset cannot be opened.
    pub(super) fn open<T: AsksNodeset>(
        now: Time,
        nodeset: SocketAddr,
        tag: Tag,
        calls: &mut Calls<T>,
    ) -> Option<Self> {
        let link = calls.open(now, nodeset, (PeerId(0), ANYBODY))?;
        let (cookie, since) = ([0; 8], now);
        Some(Self { tag, link, cookie, since, incarnation: 0, failed: 0, junk: false })
    }

    /// It has answered.
    pub(super) const fn answered(&mut self) {
        self.failed = 0;
    }

    /// Whether the process that has answered is another one than before, so that what the former said
    /// counts no longer.
    pub(super) fn is_another(&mut self, incarnation: u64) -> bool {
        core::mem::replace(&mut self.incarnation, incarnation) != incarnation
    }

    /// It has not answered: how often it has not, in a row.
    pub(super) const fn failed(&mut self) -> u32 {
        self.failed += 1;
        self.failed
    }

    /// Something came from there that is not this protocol.
    pub(super) const fn heard_junk(&mut self) {
        self.junk = true;
    }

    /// Whether it has answered at all.
    pub(super) const fn is_known(&self) -> bool {
        self.incarnation != 0
    }

    /// The last call to it failed.
    pub(super) const fn is_silent(&self) -> bool {
        self.failed > 0
    }

    /// How joining ends here, if it has been silent for long enough.
    pub(super) fn given_up(&self, now: Time) -> Option<Exit> {
        if self.is_known() && self.failed < ROUNDS_MAX {
            return None;
        }
        let (tries, waited) = (u32::from(SENDS_MAX), now.since(self.since));
        Some(if self.junk { Exit::NotChatrpc } else { Exit::NoNodeset { tries, waited } })
    }
}
