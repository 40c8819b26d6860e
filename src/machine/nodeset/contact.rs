//! A nodeset, as whoever asks it knows it: where it may be, how to reach it, which process it is, and
//! whether it is worth asking again.

use core::net::SocketAddr;
use core::time::Duration;

use crate::machine::call::Calls;
use crate::machine::event::Exit;
use crate::machine::mtu::Small;
use crate::machine::purpose::{About, Ask, LinkKey};
use crate::machine::time::Time;
use crate::machine::who::ids::{PeerId, Tag};
use crate::machine::wire::{ANYBODY, Change, Cookie, DATAGRAM_MAX, DATAGRAM_SMALL, Page};

/// How long a nodeset is asked that does not answer until joining is given up, unless whoever joins has
/// more time: what a cable that is put in, an address that is given out, and a slow link may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Small pages that come in the place of large ones, since one of those came, until small ones are asked for;
/// before one has, a single one.
const SMALL_PAGES: u8 = 3;

/// What answers nonsense so often, and nothing else for so long, is no nodeset.
const JUNK: u8 = 3;
const JUNK_AFTER: Duration = Duration::from_millis(1_500);

/// Addresses of one nodeset that are asked.
pub(crate) const DOORS_MAX: usize = 8;

/// What a machine names its calls with, if some of them are to a nodeset.
pub(crate) trait AsksNodeset: About + From<Ask> {}

impl<T: About + From<Ask>> AsksNodeset for T {}

/// Where a nodeset may be, and how long it is asked; for ever without a patience.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Doors {
    pub(crate) addrs: Vec<SocketAddr>,
    /// Where members of the room were before: they are asked when nobody answers at those.
    pub(crate) remembered: Vec<SocketAddr>,
    pub(crate) patience: Option<Duration>,
}

impl Doors {
    /// The first few of these addresses, each once.
    pub(crate) fn new(addrs: &[SocketAddr], patience: Option<Duration>) -> Self {
        let mut doors = Self { addrs: Vec::new(), remembered: Vec::new(), patience };
        doors.add(addrs);
        doors
    }

    /// The same, and where members were before.
    pub(crate) fn and_remembered(mut self, addrs: &[SocketAddr]) -> Self {
        let new = |addr: &&SocketAddr| !self.addrs.contains(addr);
        self.remembered = addrs.iter().filter(new).take(DOORS_MAX).copied().collect();
        self
    }

    /// Adds those that are not there, as far as there is room: the ones that are new.
    pub(crate) fn add(&mut self, addrs: &[SocketAddr]) -> Vec<SocketAddr> {
        let mut new = Vec::new();
        for addr in addrs {
            if self.addrs.len() < DOORS_MAX && !self.addrs.contains(addr) {
                self.addrs.push(*addr);
                new.push(*addr);
            }
        }
        new
    }
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Contact {
    /// The room it is asked about.
    pub(super) tag: Tag,
    pub(super) doors: Doors,
    /// The link to where it has answered, or is asked.
    pub(crate) link: LinkKey,
    /// What it gave our address, or zeros: it goes with every question.
    pub(crate) cookie: Cookie,
    since: Time,
    /// When it answered last, or was asked first.
    heard: Time,
    /// The process that answered last; 0 before any did.
    incarnation: u64,
    /// Calls that failed in a row; of those that are made at once, all.
    failed: u32,
    /// How often something came from there that is not this protocol.
    junk: u8,
    /// Large pages do not come; how many small ones have come instead.
    small: Small,
    small_pages: u8,
}

/// The link to a nodeset at an address. `None` when it cannot be opened.
pub(super) fn link<T: AsksNodeset>(
    now: Time,
    addr: SocketAddr,
    calls: &mut Calls<T>,
) -> Option<LinkKey> {
    calls.open(now, addr, (PeerId(0), ANYBODY))
}

impl Contact {
    /// `None` when the link to the first address cannot be opened.
    pub(super) fn open<T: AsksNodeset>(
        now: Time,
        doors: Doors,
        tag: Tag,
        calls: &mut Calls<T>,
    ) -> Option<Self> {
        let link = link(now, *doors.addrs.first()?, calls)?;
        let (cookie, incarnation) = ([0; 8], 0);
        let (since, heard, failed, junk) = (now, now, 0, 0);
        let (small, small_pages) = (Small::default(), SMALL_PAGES - 1);
        Some(Self {
            tag,
            doors,
            link,
            cookie,
            since,
            heard,
            incarnation,
            failed,
            junk,
            small,
            small_pages,
        })
    }

    /// Asks at the next address. `None` when there is no other one.
    pub(super) fn go_on<T: AsksNodeset>(&mut self, now: Time, calls: &mut Calls<T>) -> Option<()> {
        let (at, addrs) = (calls.addr(self.link), &self.doors.addrs);
        let here = addrs.iter().position(|addr| Some(*addr) == at);
        let next = *addrs.get(here.map_or(0, |here| (here + 1) % addrs.len()))?;
        if Some(next) == at {
            return None;
        }
        calls.close(now, self.link);
        self.link = link(now, next, calls)?;
        Some(())
    }

    /// It has answered.
    pub(super) const fn answered(&mut self, now: Time) {
        (self.failed, self.heard) = (0, now);
    }

    /// How large the datagram with a page may be.
    pub(super) fn most(&self, now: Time) -> u16 {
        if self.small.holds(now) { DATAGRAM_SMALL as u16 } else { DATAGRAM_MAX as u16 }
    }

    /// A page has come. A request that was lost twice asks for a small one: where it is those that come, one
    /// after the other, the others do not.
    pub(super) fn paged(&mut self, now: Time, page: &Page) {
        let size: usize = page.changes.iter().map(Change::size).sum();
        if size > DATAGRAM_SMALL {
            self.small.passed();
            self.small_pages = 0;
        } else if page.reached < page.current && !self.small.holds(now) {
            self.small_pages += 1;
            if self.small_pages >= SMALL_PAGES {
                self.small.failed(now);
                self.small_pages = SMALL_PAGES - 1;
            }
        }
    }

    /// It is asked for something else from now on.
    pub(super) const fn begins(&mut self, now: Time) {
        self.heard = now;
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
        self.junk = self.junk.saturating_add(1);
    }

    /// Whether it has answered at all.
    pub(super) const fn is_known(&self) -> bool {
        self.incarnation != 0
    }

    /// Whether some of its addresses were not asked since it answered last.
    pub(super) fn is_new_round(&self) -> bool {
        (self.failed as usize) < self.doors.addrs.len()
    }

    /// Its addresses are others: each of them is worth asking at once.
    pub(super) const fn doors_changed(&mut self) {
        self.failed = 0;
    }

    /// The incarnation of the nodeset, while it answers.
    pub(super) fn serves(&self) -> Option<u64> {
        (!self.is_silent() && self.incarnation != 0).then_some(self.incarnation)
    }

    /// The last call to it failed.
    pub(super) const fn is_silent(&self) -> bool {
        self.failed > 0
    }

    /// For how long it has not answered, if the last call to it failed.
    pub(super) fn silent_for(&self, now: Time) -> Option<Duration> {
        self.is_silent().then(|| now.since(self.heard))
    }

    /// When joining is given up if it does not answer before.
    pub(super) fn until(&self) -> Option<Time> {
        self.doors.patience.map(|patience| self.heard + patience)
    }

    /// How joining ends here, if it has been silent for long enough. What answers nonsense, and nothing
    /// else, is none.
    pub(super) fn given_up(&self, now: Time) -> Option<Exit> {
        let waited = now.since(self.since);
        let again = self.junk >= JUNK && waited >= JUNK_AFTER;
        let nonsense = self.junk > 0 && (self.failed > 0 || again) && self.doors.addrs.len() == 1;
        match self.until() {
            Some(_) if nonsense => Some(Exit::NotChatrpc),
            Some(until) if until <= now && self.junk > 0 => Some(Exit::NotChatrpc),
            Some(until) if until <= now => Some(Exit::NoNodeset { waited }),
            _ => None,
        }
    }
}
