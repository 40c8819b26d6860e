//! The peer's side of the nodeset: find the room, hold a lease (docs/PROTOCOL.md, "Nodeset").
//!
//! First the room is read without joining it ([`Reading`]), so that a name that is taken can be
//! refused before anybody hears of it; then the client registers and renews its lease every 20 s. A
//! nodeset that falls silent later is reported and asked again; nothing else depends on it.

use core::net::SocketAddr;
use core::time::Duration;

use crate::machine::call::Calls;
use crate::machine::contract::Table;
use crate::machine::event::{Exit, Health};
use crate::machine::nodeset::reading::{Progress, RANGES_MAX, Reading};
use crate::machine::pace::{Pace, Rate};
use crate::machine::path::SENDS_MAX;
use crate::machine::rng::Rng;
use crate::machine::time::Time;
use crate::machine::token::{Ask, LinkKey};
use crate::machine::who::beacon::Sealed;
use crate::machine::who::ids::{Farewell, PeerId, Tag};
use crate::machine::wire::{ANYBODY, ANYWHERE, Change, Cookie, Page, Request, Response};

/// A lease is renewed this often; it lasts three times as long.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(20);

/// A silent nodeset is asked again this long after a call to it failed; twice as long after the
/// second one, and four times after all others.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// A silent one is asked no more often than this by who has lost sight of somebody.
const ASK_SILENT: Duration = Duration::from_secs(10);

/// The first question is asked twice, this far apart: at 30 % loss five tries of one call fail once
/// in thirty, those of two once in eight hundred.
const TWIN_AFTER: Duration = Duration::from_millis(70);

/// Whoever enters and finds no room for a call tries again after this long.
const ENTER_AGAIN: Duration = Duration::from_millis(250);

/// Calls to a nodeset that has answered before may fail this often in a row until joining is given up.
const ROUNDS_MAX: u32 = 4;

/// A nodeset that wants to see a cookie is asked again at once, and so is one that says that there is
/// more to read: so often, and then at a rate of ours, not at that of its answers.
const COOKIES: Rate = Rate::new(ASK_AGAIN, 4);
const PAGES: Rate = Rate::new(Duration::from_millis(100), 256);

/// What a nodeset is given of us.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Card {
    /// What ends a lease of ours, and what its token follows from, which proves that it is ours at
    /// whatever address we are.
    pub(crate) farewell: Farewell,
    /// The number of the beacon.
    pub(crate) n: u32,
    pub(crate) sealed: Sealed,
}

/// What the machine above has to know.
#[derive(Debug)]
pub(crate) enum News {
    Nothing,
    /// Part of the roster, to be taken in.
    Changes(Vec<Change>),
    /// The last part of the roster, read before joining.
    Roster(Vec<Change>),
    /// We are in. The nodeset saw us at this address, and these changes are news.
    Joined(SocketAddr, Vec<Change>),
    /// The nodeset fell silent, or is back, perhaps with changes.
    Health(Health, Vec<Change>),
    /// It is over.
    Over(Exit),
}

#[derive(Debug, Hash)]
pub(crate) struct Client {
    pub(crate) nodeset: SocketAddr,
    tag: Tag,
    link: LinkKey,
    /// The nodeset process that answered last; 0 before any did.
    incarnation: u64,
    cookie: Cookie,
    /// The roster is known up to this version.
    have: u64,
    started: Time,
    /// When a lease was asked for last.
    registered: Time,
    /// Calls that are open, except for those that read.
    open: u32,
    /// Calls that failed in a row; of those that read at once, all.
    failed: u32,
    /// How often it was asked again at once lately.
    cookies: Pace,
    pages: Pace,
    /// Something came from there that is not this protocol.
    pub(crate) junk: bool,
    /// How many are in other rooms there, as it said last.
    pub(crate) elsewhere: u8,
    phase: Phase,
    rng: Rng,
}

#[derive(Debug, Hash)]
enum Phase {
    /// Reading the roster; the second first question is due at `twin`.
    Reading { reading: Reading, twin: Option<Time> },
    /// The roster is read; registering is up to the machine above, or under way, or due then.
    Entering { again: Option<Time> },
    /// We have given the lease back.
    Left,
    /// We hold a lease.
    Holding { renew: Option<Time>, silent: bool },
}

impl Client {
    /// Begins to read the roster. `None` when the link to the nodeset cannot be opened.
    pub(crate) fn start<T: Copy + PartialEq + From<Ask>>(
        now: Time,
        nodeset: SocketAddr,
        tag: Tag,
        mut rng: Rng,
        calls: &mut Calls<T>,
    ) -> Option<Self> {
        let link = calls.open(now, nodeset, (PeerId(0), ANYBODY))?;
        let twin = Some(now + rng.jitter(TWIN_AFTER, 8));
        let mut client = Self {
            nodeset,
            tag,
            link,
            incarnation: 0,
            cookie: [0; 8],
            have: 0,
            started: now,
            registered: now,
            open: 0,
            failed: 0,
            cookies: Pace::default(),
            pages: Pace::default(),
            junk: false,
            elsewhere: 0,
            phase: Phase::Reading { reading: Reading::new(), twin },
            rng,
        };
        client.ask(now, calls);
        Some(client)
    }

    pub(crate) const fn link(&self) -> LinkKey {
        self.link
    }

    pub(crate) const fn holds_lease(&self) -> bool {
        matches!(self.phase, Phase::Holding { .. })
    }

    /// A first lease was asked for, and is still due.
    pub(crate) const fn is_registering(&self) -> bool {
        matches!(self.phase, Phase::Entering { .. }) && self.open > 0
    }

    /// Asks for a lease, or for a longer one.
    pub(crate) fn register<T: Copy + PartialEq + From<Ask>>(
        &mut self,
        now: Time,
        card: &Card,
        calls: &mut Calls<T>,
    ) {
        if let Phase::Holding { renew, .. } = &mut self.phase {
            *renew = None;
        }
        self.registered = now;
        let request = Request::Register {
            cookie: self.cookie,
            tag: self.tag,
            have: self.have,
            token: card.farewell.token(),
            n: card.n,
            sealed: card.sealed.clone(),
        };
        self.call(now, Ask::Register, &request, calls);
    }

    /// Somebody does not answer any more: they may have moved, or we. A renewal tells, and lets the
    /// others know where we are; it follows the last one by five seconds at least, or by ten.
    pub(crate) fn ask_around<T: Copy + PartialEq + From<Ask>>(
        &mut self,
        now: Time,
        card: &Card,
        calls: &mut Calls<T>,
    ) {
        let Phase::Holding { renew: Some(at), .. } = self.phase else { return };
        let earliest = self.registered + if self.failed > 0 { ASK_SILENT } else { ASK_AGAIN };
        if at <= earliest {
            return;
        }
        if earliest <= now {
            self.register(now, card, calls);
        } else {
            self.renew_at(earliest);
        }
    }

    /// Gives the lease back. What the nodeset is given of us says that we have left.
    pub(crate) fn deregister<T: Copy + PartialEq + From<Ask>>(
        &mut self,
        now: Time,
        card: &Card,
        calls: &mut Calls<T>,
    ) -> bool {
        if !self.holds_lease() {
            return false;
        }
        self.phase = Phase::Left;
        self.give_back(now, card, calls)
    }

    /// Gives back a lease that was granted after we had begun to leave.
    pub(crate) fn give_back<T: Copy + PartialEq + From<Ask>>(
        &mut self,
        now: Time,
        card: &Card,
        calls: &mut Calls<T>,
    ) -> bool {
        let (tag, farewell, sealed) = (self.tag, card.farewell, card.sealed.clone());
        let request = Request::Deregister { tag, farewell, sealed };
        self.call(now, Ask::Deregister, &request, calls)
    }

    /// Takes the answer to a call. `incarnation` is that of the nodeset process that answered.
    pub(crate) fn answered<T: Copy + PartialEq + From<Ask>>(
        &mut self,
        now: Time,
        ask: Ask,
        incarnation: u64,
        response: Response,
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) -> News {
        self.failed = 0;
        let reads = matches!(self.phase, Phase::Reading { .. });
        match ask {
            Ask::Who { .. } if !reads => return News::Nothing,
            Ask::Who { .. } => {}
            _ => self.open = self.open.saturating_sub(1),
        }
        if incarnation != self.incarnation {
            // Another process: its changes are numbered anew.
            self.incarnation = incarnation;
            self.have = 0;
            if let Phase::Reading { reading, .. } = &mut self.phase {
                reading.begin_again();
            }
        }
        if let Ask::Who { have } = ask {
            return self.read(now, have, response, calls);
        }
        match response {
            Response::Cookie(cookie) if cookie == self.cookie && self.open > 0 => News::Nothing,
            Response::Cookie(cookie) if self.cookies.take(now, COOKIES) => {
                self.cookie = cookie;
                if let Some(card) = card {
                    self.register(now, card, calls);
                }
                News::Nothing
            }
            Response::Lease { elsewhere, seen, page, .. } => {
                self.elsewhere = elsewhere;
                self.lease(now, seen, page, card, calls)
            }
            Response::Version(theirs) if !self.holds_lease() => {
                News::Over(Exit::Version { theirs })
            }
            Response::Full if !self.holds_lease() => News::Over(Exit::Full),
            _ if self.holds_lease() => {
                self.renew_at(now + ASK_AGAIN);
                News::Nothing
            }
            // Whoever enters waits for nothing else.
            _ => News::Over(Exit::NotChatrpc),
        }
    }

    /// A call failed: five sends, no answer.
    pub(crate) fn failed<T: Copy + PartialEq + From<Ask>>(
        &mut self,
        now: Time,
        ask: Ask,
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) -> News {
        match (ask, &mut self.phase) {
            (Ask::Who { have }, Phase::Reading { reading, .. }) => {
                reading.failed(have);
                if reading.open() > 0 {
                    return News::Nothing;
                }
            }
            (Ask::Who { .. }, _) => return News::Nothing,
            _ => self.open = self.open.saturating_sub(1),
        }
        self.failed += 1;
        let first_contact = self.incarnation == 0;
        if let Phase::Holding { silent, .. } = &mut self.phase {
            // One call may fail for a hiccup of the path; two in a row are silence.
            let news = self.failed > 1 && !core::mem::replace(silent, true);
            self.renew_at(now + ASK_AGAIN * (1 << (self.failed - 1).min(2)));
            return if news { News::Health(Health::Silent, Vec::new()) } else { News::Nothing };
        }
        if self.open > 0 {
            return News::Nothing;
        }
        if first_contact || self.failed >= ROUNDS_MAX {
            let tries = u32::from(SENDS_MAX);
            let waited = now.since(self.started);
            let silence = Exit::NoNodeset { tries, waited };
            return News::Over(if self.junk { Exit::NotChatrpc } else { silence });
        }
        match (&self.phase, card) {
            (Phase::Entering { .. }, Some(card)) => self.register(now, card, calls),
            _ => self.ask(now, calls),
        }
        News::Nothing
    }

    /// Does what is due. `card` is who we are, once the machine above wants a lease.
    pub(crate) fn tick<T: Copy + PartialEq + From<Ask>>(
        &mut self,
        now: Time,
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) {
        match &mut self.phase {
            Phase::Reading { twin, .. } if twin.is_some_and(|at| at <= now) => {
                *twin = None;
                if self.incarnation == 0 {
                    self.ask(now, calls);
                }
            }
            Phase::Holding { renew: due, .. } | Phase::Entering { again: due }
                if due.is_some_and(|at| at <= now) =>
            {
                *due = None;
                if let Some(card) = card {
                    self.register(now, card, calls);
                }
            }
            _ => {}
        }
    }

    pub(crate) const fn next_wake(&self) -> Option<Time> {
        match self.phase {
            Phase::Reading { twin, .. } => twin,
            Phase::Holding { renew: due, .. } | Phase::Entering { again: due } => due,
            Phase::Left => None,
        }
    }

    /// The ranges of the roster that are not read.
    pub(crate) fn footprint(&self) -> Table {
        let ranges = match &self.phase {
            Phase::Reading { reading, .. } => reading.ranges(),
            _ => 0,
        };
        Table { name: "unread parts", len: ranges, limit: RANGES_MAX }
    }

    pub(crate) fn check(&self) {
        if let Phase::Reading { reading, .. } = &self.phase {
            reading.check();
        }
    }

    /// Takes the answer to a question for part of the roster.
    fn read<T: Copy + PartialEq + From<Ask>>(
        &mut self,
        now: Time,
        have: u64,
        response: Response,
        calls: &mut Calls<T>,
    ) -> News {
        let Phase::Reading { reading, .. } = &mut self.phase else { return News::Nothing };
        match response {
            Response::Page(page) => match reading.page(have, page) {
                Progress::More(changes) => {
                    self.ask(now, calls);
                    News::Changes(changes)
                }
                Progress::Complete(version, changes) => {
                    self.have = version;
                    self.phase = Phase::Entering { again: None };
                    News::Roster(changes)
                }
                Progress::Nonsense => News::Over(Exit::NotChatrpc),
            },
            Response::Cookie(cookie) => {
                reading.answered(have);
                let known = cookie == self.cookie && reading.is_blank() && reading.open() > 0;
                if reading.is_endless() {
                    return News::Over(Exit::NotChatrpc);
                }
                // The second of the twins gets the cookie that the first one has come back with.
                if !known {
                    self.cookie = cookie;
                    self.ask(now, calls);
                }
                News::Nothing
            }
            Response::Version(theirs) => News::Over(Exit::Version { theirs }),
            Response::Full => News::Over(Exit::Full),
            _ => News::Over(Exit::NotChatrpc),
        }
    }

    fn lease<T: Copy + PartialEq + From<Ask>>(
        &mut self,
        now: Time,
        seen: SocketAddr,
        page: Page,
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) -> News {
        let leads_on = page.reached > self.have && !page.changes.is_empty();
        let more = page.reached < page.current && leads_on;
        self.have = self.have.max(page.reached);
        let before = match self.phase {
            Phase::Holding { silent, .. } => Some(silent),
            _ => None,
        };
        let renew = now + self.rng.jitter(RENEW_EVERY, 16);
        self.phase = Phase::Holding { renew: Some(renew), silent: false };
        match card {
            Some(card) if more && self.pages.take(now, PAGES) => self.register(now, card, calls),
            Some(_) if more => self.renew_at(now + ASK_AGAIN),
            _ => {}
        }
        match before {
            None => News::Joined(seen, page.changes),
            Some(true) => News::Health(Health::Online, page.changes),
            Some(false) => News::Changes(page.changes),
        }
    }

    fn renew_at(&mut self, at: Time) {
        match &mut self.phase {
            Phase::Holding { renew: due, .. } | Phase::Entering { again: due } => *due = Some(at),
            Phase::Reading { .. } | Phase::Left => {}
        }
    }

    /// Asks for as much of the roster as may be asked for at once; at first, for a page from anywhere.
    fn ask<T: Copy + PartialEq + From<Ask>>(&mut self, now: Time, calls: &mut Calls<T>) {
        let Phase::Reading { reading, .. } = &mut self.phase else { return };
        let mut wanted = if reading.is_blank() { Some(ANYWHERE) } else { reading.next() };
        while let Some(have) = wanted {
            let request = Request::Who { cookie: self.cookie, tag: self.tag, have };
            if calls.request(now, self.link, T::from(Ask::Who { have }), &request).is_none() {
                return;
            }
            reading.asked(have);
            wanted = reading.next();
        }
    }

    fn call<T: Copy + PartialEq + From<Ask>>(
        &mut self,
        now: Time,
        ask: Ask,
        request: &Request<'_>,
        calls: &mut Calls<T>,
    ) -> bool {
        let made = calls.request(now, self.link, T::from(ask), request).is_some();
        if made {
            self.open += 1;
        } else if self.holds_lease() {
            self.renew_at(now + ASK_AGAIN);
        } else {
            // Questions for the roster may be open that nobody needs any more; they end soon.
            self.renew_at(now + ENTER_AGAIN);
        }
        made
    }
}
