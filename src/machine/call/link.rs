//! One link: an address, the process behind it, and what is open between the two.

use std::collections::VecDeque;

use core::hash::{Hash, Hasher};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::near::Near;
use super::replies::Replies;
use super::{CallKey, Pending, RIDE_MAX, stamp};
use crate::machine::mtu::Mtu;
use crate::machine::pace::Pace;
use crate::machine::path::Path;
use crate::machine::relayed::is_relayed;
use crate::machine::session::RemoteKey;
use crate::machine::time::Time;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{
    DATAGRAM_MAX, DATAGRAM_SMALL, HEADER, PROOF, RELAYED_ROOM, SEALED_ROOM, SEALED_SMALL, Sender,
};

/// The address of ours that a link's process sends to, and so hears from: who was asked at one address
/// is not taken for who answers from another one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Source(pub(crate) Option<IpAddr>);

/// An owner that does not know our addresses changes nothing by it.
impl Hash for Source {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(source) = self.0 {
            source.hash(state);
        }
    }
}

/// A call is lonely when none was made for so many of its first delays before: where one follows the other, they
/// carry each other.
const LONELY: u32 = 6;

/// What is sent again goes once more after so small a part of its first delay.
const COPY_PART: u32 = 4;

/// One path to one process.
#[derive(Debug, Hash)]
pub(crate) struct Link {
    pub(super) addr: SocketAddr,
    pub(super) source: Source,
    /// The process behind the address, as in `by_peer`; [`ANYBODY`] on the link to a nodeset.
    pub(super) who: Sender,
    pub(super) incarnation: u64,
    /// Whose session seals it; `None` in the open.
    pub(super) remote: Option<RemoteKey>,
    /// Something waits for a session.
    pub(super) waiting: bool,
    /// On a link to [`ANYBODY`], the process that answered last; else the same as `who`.
    pub(super) theirs: Sender,
    pub(super) path: Path,
    /// How large datagrams may be here.
    pub(super) mtu: Mtu,
    /// A call was answered over it, or a handshake of ours: somebody is there.
    pub(super) proven: bool,
    /// What its address has used up of the handshakes that whoever we deal with gets.
    pub(super) handshakes: Pace,
    /// `None` once the address has answered; before, what may still be sent there.
    pub(super) credit: Option<usize>,
    /// What goes there is to open our router.
    pub(super) near: Option<Near>,
    /// Bytes that may go there besides what goes to any address that others name: something came from there.
    pub(super) owed: usize,
    /// When the newest datagram of the process came over it, last.
    pub(super) heard: Time,
    pub(super) id: PeerId,
    /// The calls that are open, oldest first: their numbers and keys.
    pub(super) open: VecDeque<(u32, CallKey)>,
    /// Keys in `pending` whose request is to be sent at the next flush.
    pub(super) requests: Vec<CallKey>,
    /// When the last call was made.
    pub(super) called: Time,
    /// How many datagrams with requests have left.
    pub(super) flown: u32,
    /// Response packets to be sent at the next flush, each with its length in front.
    pub(super) responses: Vec<u8>,
    /// The stamp that they echo: that of the datagram they answer.
    pub(super) echo: u32,
    pub(super) replies: Replies,
    pub(super) dirty: bool,
    /// Some of the requests wait for the turn of the path.
    pub(super) held: bool,
    /// When its round trip was measured last, a queue stood on the path.
    pub(super) congested: bool,
}

impl Link {
    /// Bytes of packets that fit one datagram.
    pub(super) fn space(&self) -> usize {
        match self.remote {
            None => DATAGRAM_MAX - HEADER - PROOF,
            Some(_) if is_relayed(self.addr) => RELAYED_ROOM,
            Some(_) => SEALED_ROOM,
        }
    }

    /// Whether so many bytes of packets make a large datagram. In the open nothing is packed: whoever asks
    /// there knows how large what is asked may be.
    pub(super) const fn is_large(&self, packets: usize) -> bool {
        self.remote.is_some() && packets > SEALED_SMALL
    }

    /// Where to send from. Once nothing is answered, that address may be one that leads nowhere any more:
    /// then the system chooses.
    pub(super) fn source(&self) -> Option<IpAddr> {
        self.source.0.filter(|_| !self.path.is_silent())
    }

    /// A call is made. Whether it is lonely.
    pub(super) fn calls(&mut self, now: Time, delay: Duration) -> bool {
        let before = core::mem::replace(&mut self.called, now);
        now.since(before) > delay * LONELY
    }

    /// Whether a call goes twice when it is sent again: nothing else carries it, and the path loses.
    pub(super) fn copies<T>(&self, call: CallKey, pending: &Pending<T>) -> bool {
        let last = self.open.back().is_some_and(|&(_, last)| last == call);
        let small = pending.bytes.len() <= RIDE_MAX && !pending.draws_page;
        let lossy = self.path.loses() && self.credit.is_none();
        pending.lonely && last && small && lossy
    }

    /// When it does.
    pub(super) fn copy_at(&self, now: Time) -> Time {
        now + self.path.delay(now, 1) / COPY_PART
    }

    /// Whether one more datagram may go; few do where they are to open our router.
    pub(super) fn goes(&mut self) -> bool {
        self.near.as_mut().is_none_or(Near::goes)
    }

    /// Takes one datagram out of what came from there, if that is enough for a small one.
    pub(super) const fn takes_owed(&mut self) -> bool {
        let owed = self.owed >= DATAGRAM_SMALL;
        self.owed -= if owed { DATAGRAM_SMALL } else { 0 };
        owed
    }

    /// Numbers one more datagram with requests.
    pub(super) const fn takes_off(&mut self) -> u32 {
        self.flown = self.flown.wrapping_add(1);
        self.flown
    }

    /// Takes the round trip that an echo tells; `congested` is how many paths have their delay up.
    /// True when the way is far shorter than it was.
    pub(super) fn sample(&mut self, now: Time, echo: u32, congested: &mut u32) -> bool {
        if echo == 0 {
            return false;
        }
        let rtt = Duration::from_micros(u64::from(stamp(now).wrapping_sub(echo)));
        *congested -= u32::from(self.congested);
        let shorter = self.path.sample(now, rtt, *congested);
        self.congested = self.path.is_congested();
        *congested += u32::from(self.congested);
        shorter
    }

    /// The key of the open call with that sequence number.
    pub(super) fn find(&self, seq: u32) -> Option<CallKey> {
        let &(first, _) = self.open.front()?;
        let place = |seq: u32| seq.wrapping_sub(first);
        let found = self.open.binary_search_by_key(&place(seq), |&(open, _)| place(open));
        found.ok().map(|found| self.open[found].1)
    }
}
