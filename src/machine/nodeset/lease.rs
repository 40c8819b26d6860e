//! Holding a place in a room whose roster is known (docs/PROTOCOL.md, "Lease").
//!
//! A lease is asked for once the machine above wants one, and from then on renewed every 20 s by asking
//! again, which also brings what has changed in the room. Who has no place yet waits for nothing else,
//! so that what is wrong ends it. Who has one needs the nodeset for nothing but newcomers: its silence
//! is reported and it is asked again, ever more rarely, and no answer of it ends anything.

use core::net::SocketAddr;
use core::time::Duration;

use super::News;
use super::contact::{AsksNodeset, Contact, Doors};
use crate::machine::call::Calls;
use crate::machine::event::{Exit, Health};
use crate::machine::pace::{Pace, Rate};
use crate::machine::purpose::{Ask, LinkKey};
use crate::machine::rng::Rng;
use crate::machine::time::Time;
use crate::machine::who::beacon::Sealed;
use crate::machine::who::ids::Farewell;
use crate::machine::wire::{Page, Request, Response};

/// A lease is renewed this often; it lasts three times as long.
const RENEW_EVERY: Duration = Duration::from_secs(20);

/// A silent nodeset is asked again this long after a first call to it failed.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// And so soon after all others: they have pauses of their own.
const ASK_ON: Duration = Duration::from_secs(1);

/// A silent one is asked no more often than this by who has lost sight of somebody.
const ASK_SILENT: Duration = Duration::from_secs(10);

/// Whoever enters and finds no room for a call tries again after this long.
const ENTER_AGAIN: Duration = Duration::from_millis(250);

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

/// A place in a room: wanted, held or given back.
#[derive(Debug, Hash)]
pub(crate) struct Lease {
    contact: Contact,
    /// The roster is known up to this version.
    have: u64,
    place: Place,
    /// When it was asked for last.
    registered: Time,
    /// Calls that are open.
    open: u32,
    /// How often the nodeset was asked again at once lately.
    cookies: Pace,
    pages: Pace,
    /// How many are in other rooms there, as it said last.
    elsewhere: u8,
    rng: Rng,
}

#[derive(Debug, Hash)]
enum Place {
    /// We have none; to ask for it is up to the machine above, or under way, or due then.
    Wanted { again: Option<Time> },
    /// We hold a lease: to ask for a longer one is under way, or due then.
    Held { renew: Option<Time>, silent: bool },
    /// We have given it back.
    Left,
}

impl Lease {
    /// Of a room whose roster is known up to that version. Nothing is asked yet.
    pub(super) fn new(now: Time, contact: Contact, have: u64, rng: Rng) -> Self {
        Self {
            contact,
            have,
            place: Place::Wanted { again: None },
            registered: now,
            open: 0,
            cookies: Pace::default(),
            pages: Pace::default(),
            elsewhere: 0,
            rng,
        }
    }

    /// Asks for a lease, or for a longer one.
    pub(crate) fn register<T: AsksNodeset>(
        &mut self,
        now: Time,
        card: &Card,
        calls: &mut Calls<T>,
    ) {
        match &mut self.place {
            Place::Held { renew, .. } => *renew = None,
            Place::Wanted { .. } if self.open == 0 && !self.contact.is_silent() => {
                self.contact.begins(now);
            }
            _ => {}
        }
        self.registered = now;
        let request = Request::Register {
            cookie: self.contact.cookie,
            tag: self.contact.tag,
            have: self.have,
            most: self.contact.most(now),
            token: card.farewell.token(),
            n: card.n,
            sealed: card.sealed.clone(),
        };
        self.call(now, Ask::Register, &request, calls);
    }

    /// Somebody does not answer any more: they may have moved, or we. A renewal tells, and lets the
    /// others know where we are; it follows the last one by five seconds at least, or by ten.
    pub(crate) fn ask_around<T: AsksNodeset>(
        &mut self,
        now: Time,
        card: &Card,
        calls: &mut Calls<T>,
    ) {
        let Place::Held { renew: Some(at), .. } = self.place else { return };
        let pause = if self.contact.is_silent() { ASK_SILENT } else { ASK_AGAIN };
        let earliest = self.registered + pause;
        if at <= earliest {
            return;
        }
        if earliest <= now {
            self.register(now, card, calls);
        } else {
            self.ask_at(earliest);
        }
    }

    /// Gives the lease back. What the nodeset is given of us says that we have left.
    pub(crate) fn deregister<T: AsksNodeset>(
        &mut self,
        now: Time,
        card: &Card,
        calls: &mut Calls<T>,
    ) -> bool {
        if !self.is_held() {
            return false;
        }
        self.place = Place::Left;
        self.give_back(now, card, calls)
    }

    /// Gives back a lease that was granted after we had begun to leave.
    pub(crate) fn give_back<T: AsksNodeset>(
        &mut self,
        now: Time,
        card: &Card,
        calls: &mut Calls<T>,
    ) -> bool {
        let (tag, farewell, sealed) = (self.contact.tag, card.farewell, card.sealed.clone());
        let request = Request::Deregister { tag, farewell, sealed };
        self.call(now, Ask::Deregister, &request, calls)
    }

    /// Takes the answer to a call. `incarnation` is that of the nodeset process that answered.
    pub(super) fn answered<T: AsksNodeset>(
        &mut self,
        now: Time,
        incarnation: u64,
        response: Response,
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) -> News {
        self.contact.answered(now);
        self.open = self.open.saturating_sub(1);
        if self.contact.is_another(incarnation) {
            // Its changes are numbered anew.
            self.have = 0;
        }
        match response {
            Response::Cookie(cookie) if cookie == self.contact.cookie && self.open > 0 => {
                News::Nothing
            }
            Response::Cookie(cookie) if self.cookies.take(now, COOKIES) => {
                self.contact.cookie = cookie;
                if let Some(card) = card {
                    self.register(now, card, calls);
                }
                News::Nothing
            }
            Response::Lease { elsewhere, seen, page, .. } => {
                self.elsewhere = elsewhere;
                self.contact.paged(now, &page);
                self.granted(now, seen, page, card, calls)
            }
            _ if self.is_held() => {
                self.ask_at(now + ASK_AGAIN);
                News::Nothing
            }
            Response::Version(theirs) => News::Over(Exit::Version { theirs }),
            Response::Full => News::Over(Exit::Full),
            // Whoever enters waits for nothing else.
            _ => News::Over(Exit::NotChatrpc),
        }
    }

    /// The nodeset has answered a question from before the room was known: it is there, and no more.
    pub(super) const fn heard(&mut self, now: Time) {
        self.contact.answered(now);
    }

    /// A call failed: five sends, no answer.
    pub(super) fn failed<T: AsksNodeset>(
        &mut self,
        now: Time,
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) -> News {
        self.open = self.open.saturating_sub(1);
        let failed = self.contact.failed();
        if let Place::Held { silent, .. } = &mut self.place {
            // One call may fail for a hiccup of the path; two in a row are silence.
            let news = failed > 1 && !core::mem::replace(silent, true);
            self.ask_at(now + if failed > 1 { ASK_ON } else { ASK_AGAIN });
            self.try_elsewhere(now, card, calls);
            return if news { News::Health(Health::Silent, Vec::new()) } else { News::Nothing };
        }
        if self.open > 0 {
            return News::Nothing;
        }
        if let Some(exit) = self.contact.given_up(now) {
            return News::Over(exit);
        }
        if let (Place::Wanted { .. }, Some(card)) = (&self.place, card) {
            self.register(now, card, calls);
        }
        News::Nothing
    }

    /// A nodeset with several addresses may answer at another one: each is asked at once, and then in
    /// turn.
    fn try_elsewhere<T: AsksNodeset>(
        &mut self,
        now: Time,
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) {
        if self.contact.go_on(now, calls).is_none() {
            return;
        }
        self.open = 0;
        if self.contact.is_new_round()
            && let Some(card) = card
        {
            self.register(now, card, calls);
        }
    }

    /// The nodeset is at these addresses. When it is at none of those any more where it was asked, or
    /// silent there, it is asked at one of them.
    pub(super) fn is_at<T: AsksNodeset>(
        &mut self,
        now: Time,
        addrs: &[SocketAddr],
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) {
        let patience = self.contact.doors.patience;
        self.contact.doors = Doors::new(addrs, patience);
        let here = calls.addr(self.contact.link);
        let addrs = &self.contact.doors.addrs;
        // Over the loopback it sees us where nobody else does: that is for want of another address.
        let hidden = |addr: &SocketAddr| addr.ip().is_loopback();
        let alone = here.as_ref().is_some_and(hidden) && !addrs.first().is_none_or(hidden);
        let stays = !alone && addrs.iter().any(|addr| Some(*addr) == here);
        if stays && !self.contact.is_silent() || !self.is_held() {
            return;
        }
        self.contact.doors_changed();
        self.try_elsewhere(now, card, calls);
    }

    /// The network says that nobody listens at an address. Returns how joining ends, if it does.
    pub(super) fn refused<T: AsksNodeset>(
        &self,
        addr: SocketAddr,
        calls: &Calls<T>,
    ) -> Option<Exit> {
        let here = calls.addr(self.contact.link) == Some(addr);
        let over = here && !self.is_held() && self.contact.doors.patience.is_some();
        over.then_some(Exit::NobodyListens)
    }

    /// Asks for what is due. `card` is who we are, once the machine above wants a lease. Returns how
    /// joining ends, if it does.
    pub(super) fn tick<T: AsksNodeset>(
        &mut self,
        now: Time,
        card: Option<&Card>,
        calls: &mut Calls<T>,
    ) -> Option<Exit> {
        if self.gives_up().is_some_and(|at| at <= now)
            && let Some(exit) = self.contact.given_up(now)
        {
            return Some(exit);
        }
        let (Place::Held { renew: due, .. } | Place::Wanted { again: due }) = &mut self.place
        else {
            return None;
        };
        if due.take_if(|at| *at <= now).is_some()
            && let Some(card) = card
        {
            self.register(now, card, calls);
        }
        None
    }

    /// When joining is given up: while a first lease is asked for.
    fn gives_up(&self) -> Option<Time> {
        self.contact.until().filter(|_| self.is_asked_for())
    }

    /// Something came from there that is not this protocol.
    pub(super) const fn heard_junk(&mut self) {
        self.contact.heard_junk();
    }

    pub(super) fn serves(&self) -> Option<u64> {
        self.contact.serves()
    }

    pub(super) const fn is_silent(&self) -> bool {
        self.contact.is_silent()
    }

    pub(super) const fn link(&self) -> LinkKey {
        self.contact.link
    }

    pub(super) const fn contact(&self) -> &Contact {
        &self.contact
    }

    pub(crate) const fn is_held(&self) -> bool {
        matches!(self.place, Place::Held { .. })
    }

    /// A first lease was asked for, and is still due.
    pub(crate) const fn is_asked_for(&self) -> bool {
        matches!(self.place, Place::Wanted { .. }) && self.open > 0
    }

    /// How many are in other rooms of the nodeset, as it said last.
    pub(crate) const fn elsewhere(&self) -> u8 {
        self.elsewhere
    }

    pub(super) fn next_wake(&self) -> Option<Time> {
        let due = match self.place {
            Place::Held { renew: due, .. } | Place::Wanted { again: due } => due,
            Place::Left => None,
        };
        due.into_iter().chain(self.gives_up()).min()
    }

    fn granted<T: AsksNodeset>(
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
        let before = match self.place {
            Place::Held { silent, .. } => Some(silent),
            _ => None,
        };
        let renew = now + self.rng.jitter(RENEW_EVERY, 16);
        self.place = Place::Held { renew: Some(renew), silent: false };
        match card {
            Some(card) if more && self.pages.take(now, PAGES) => self.register(now, card, calls),
            Some(_) if more => self.ask_at(now + ASK_AGAIN),
            _ => {}
        }
        match before {
            None => News::Joined(seen, page.changes),
            Some(true) => News::Health(Health::Online, page.changes),
            Some(false) => News::Changes(page.changes),
        }
    }

    /// The lease is renewed then at the latest.
    pub(crate) fn renew_by(&mut self, at: Time) {
        if let Place::Held { renew: Some(due), .. } = &mut self.place {
            *due = at.min(*due);
        }
    }

    fn ask_at(&mut self, at: Time) {
        match &mut self.place {
            Place::Held { renew: due, .. } | Place::Wanted { again: due } => *due = Some(at),
            Place::Left => {}
        }
    }

    fn call<T: AsksNodeset>(
        &mut self,
        now: Time,
        ask: Ask,
        request: &Request<'_>,
        calls: &mut Calls<T>,
    ) -> bool {
        let made = calls.request(now, self.contact.link, T::from(ask), request).is_some();
        if made {
            self.open += 1;
        } else if self.is_held() {
            self.ask_at(now + ASK_AGAIN);
        } else {
            // Questions for the roster may be open that nobody needs any more; they end soon.
            self.ask_at(now + ENTER_AGAIN);
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::contact::PATIENCE;
    use super::super::tests::{Desk, FIRST, Question, SECOND, TAG, doors, ms, nodeset, page};
    use super::*;
    use crate::machine::rng::Seed;
    use crate::machine::who::beacon::SEALED;
    use crate::machine::wire::Cookie;

    const NOW: Time = ms(1_000);

    fn card() -> Card {
        Card { farewell: Farewell([1; 16]), n: 0, sealed: Sealed(Arc::new([0; SEALED])) }
    }

    /// Somebody who wants a place in a room that is known up to version 7.
    struct Seat {
        lease: Lease,
        desk: Desk,
        now: Time,
    }

    impl Seat {
        fn wanted() -> Self {
            let mut desk = Desk::new();
            let mut contact = Contact::open(NOW, doors(), TAG, &mut desk.calls).expect("a link");
            assert!(contact.is_another(FIRST));
            let lease = Lease::new(NOW, contact, 7, Seed([1; 32]).stream("lease"));
            Self { lease, desk, now: NOW }
        }

        fn held() -> Self {
            let mut seat = Self::wanted();
            seat.register();
            let news = seat.answer(grant(page(7, 9, 9, 2)));
            assert!(matches!(news, News::Joined(..)) && seat.lease.is_held());
            seat
        }

        fn register(&mut self) {
            self.lease.register(self.now, &card(), &mut self.desk.calls);
        }

        fn open(&mut self) -> Vec<Question> {
            self.desk.open(self.now)
        }

        /// The oldest call is answered.
        fn answer(&mut self, response: Response) -> News {
            self.answer_by(FIRST, response)
        }

        fn answer_by(&mut self, by: u64, response: Response) -> News {
            self.desk.end(self.now, 0);
            self.lease.answered(self.now, by, response, Some(&card()), &mut self.desk.calls)
        }

        /// The oldest call fails.
        fn fail(&mut self) -> News {
            self.desk.end(self.now, 0);
            self.lease.failed(self.now, Some(&card()), &mut self.desk.calls)
        }

        /// A call fails that is ended.
        fn fail_on(&mut self) -> News {
            self.lease.failed(self.now, Some(&card()), &mut self.desk.calls)
        }

        /// Waits for what is due next: how long that took.
        fn wait(&mut self) -> Duration {
            let at = self.lease.next_wake().expect("something is due");
            let waited = at.since(self.now);
            self.now = self.now.max(at);
            assert!(self.lease.tick(self.now, Some(&card()), &mut self.desk.calls).is_none());
            assert!(self.lease.next_wake().is_none_or(|at| at > self.now));
            waited
        }
    }

    fn grant(page: Page) -> Response {
        Response::Lease { node: 1, elsewhere: 3, seen: nodeset(), page }
    }

    const fn asks(cookie: Cookie, have: u64) -> Question {
        Question::Register { cookie, have }
    }

    /// Within a jitter of one part in sixteen.
    fn is_a_renewal(waited: Duration) -> bool {
        waited.abs_diff(RENEW_EVERY) <= RENEW_EVERY / 16
    }

    #[test]
    fn a_place_is_asked_for_held_and_renewed() {
        let mut seat = Seat::wanted();
        assert!(seat.lease.next_wake().is_none() && seat.open().is_empty(), "nobody wants it yet");
        assert!(!seat.lease.is_asked_for());
        seat.register();
        assert!(seat.lease.is_asked_for() && !seat.lease.is_held());
        assert_eq!((seat.open(), seat.lease.elsewhere()), (vec![asks([0; 8], 7)], 0));
        let News::Joined(seen, changes) = seat.answer(grant(page(7, 9, 9, 2))) else {
            panic!("joined");
        };
        assert_eq!((seen, changes.len(), seat.lease.elsewhere()), (nodeset(), 2, 3));
        for _ in 0..20 {
            assert!(seat.lease.tick(seat.now, Some(&card()), &mut seat.desk.calls).is_none());
            assert!(seat.open().is_empty(), "it is early");
            assert!(is_a_renewal(seat.wait()));
            assert_eq!(seat.open(), [asks([0; 8], 9)]);
            assert!(seat.lease.next_wake().is_none(), "it is under way");
            assert!(matches!(seat.answer(grant(page(9, 9, 9, 0))), News::Changes(_)));
        }
        // On the way out there is nobody to renew it for.
        let due = seat.lease.next_wake().expect("a renewal");
        assert!(seat.lease.tick(due, None, &mut seat.desk.calls).is_none());
        assert!(seat.open().is_empty() && seat.lease.next_wake().is_none());
    }

    #[test]
    fn cookies_without_end_keep_out_and_put_nobody_out() {
        let mut seat = Seat::wanted();
        seat.register();
        for n in 1..=4 {
            assert!(matches!(seat.answer(Response::Cookie([n; 8])), News::Nothing));
            assert_eq!(seat.open(), [asks([n; 8], 7)]);
        }
        let news = seat.answer(Response::Cookie([5; 8]));
        assert!(matches!(news, News::Over(Exit::NotChatrpc)), "{news:?}");

        let mut seat = Seat::held();
        seat.register();
        for n in 1..=4 {
            assert!(matches!(seat.answer(Response::Cookie([n; 8])), News::Nothing));
        }
        for n in 5..50 {
            assert!(matches!(seat.answer(Response::Cookie([n; 8])), News::Nothing));
            assert!(seat.open().is_empty(), "{n} are too many");
            assert_eq!(seat.wait(), ASK_AGAIN);
            assert!(matches!(seat.answer(Response::Cookie([n; 8])), News::Nothing));
            assert_eq!(seat.open(), [asks([n; 8], 9)], "a rate of ours");
        }
    }

    #[test]
    fn a_cookie_that_is_on_its_way_is_not_sent_again() {
        let mut seat = Seat::held();
        seat.register();
        seat.register();
        seat.answer(Response::Cookie([1; 8]));
        seat.answer(Response::Cookie([1; 8]));
        assert_eq!(seat.open(), [asks([1; 8], 9)]);
    }

    #[test]
    fn versions_without_end_are_followed_at_a_rate_of_ours() {
        let mut seat = Seat::held();
        seat.register();
        let (mut have, mut answers) = (9, 0);
        while !seat.open().is_empty() {
            answers += 1;
            have += 1;
            seat.answer(grant(page(have - 1, have, u64::MAX, 1)));
        }
        assert_eq!(answers, 1 + 256);
        assert_eq!(seat.wait(), ASK_AGAIN);
        assert_eq!(seat.open(), [asks([0; 8], have)], "and everything so far is known");
    }

    #[test]
    fn a_page_that_leads_nowhere_is_not_followed() {
        // Nothing on it; nothing new; older than what is known.
        for page in [page(9, 12, 90, 0), page(9, 9, 90, 3), page(2, 4, 90, 3)] {
            let mut seat = Seat::held();
            seat.register();
            let known = page.reached.max(9);
            assert!(matches!(seat.answer(grant(page)), News::Changes(_)));
            assert!(seat.open().is_empty() && is_a_renewal(seat.wait()));
            assert_eq!(seat.open(), [asks([0; 8], known)]);
        }
    }

    #[test]
    fn one_failure_is_a_hiccup_and_two_are_silence() {
        let mut seat = Seat::held();
        seat.register();
        let mut told = Vec::new();
        for pause in [5, 1, 1, 1, 1] {
            told.push(matches!(seat.fail(), News::Health(Health::Silent, _)));
            assert_eq!(seat.wait(), Duration::from_secs(pause));
        }
        assert_eq!(told, [false, true, false, false, false], "told once");
        let news = seat.answer(grant(page(9, 11, 11, 2)));
        let News::Health(Health::Online, changes) = news else { panic!("{news:?}") };
        assert!(changes.len() == 2 && is_a_renewal(seat.wait()));
        assert!(matches!(seat.fail(), News::Nothing), "counted anew");
        assert_eq!(seat.wait(), ASK_AGAIN);
        seat.lease.heard(seat.now);
        assert!(matches!(seat.fail(), News::Nothing), "it is there, if slow");
    }

    #[test]
    fn who_has_no_place_gives_up_after_a_while() {
        let mut seat = Seat::wanted();
        seat.register();
        for _ in 1..20 {
            assert!(matches!(seat.fail(), News::Nothing));
            assert_eq!(seat.open(), [asks([0; 8], 7)], "asked again at once");
        }
        seat.now = seat.lease.next_wake().expect("an end");
        assert_eq!(seat.now, NOW + PATIENCE);
        let exit = seat.lease.tick(seat.now, Some(&card()), &mut seat.desk.calls);
        assert_eq!(exit, Some(Exit::NoNodeset { waited: PATIENCE }));

        let mut seat = Seat::wanted();
        seat.lease.heard_junk();
        seat.register();
        assert!(matches!(seat.fail(), News::Over(Exit::NotChatrpc)));

        // Two calls are open: only when both have failed has the nodeset.
        let mut seat = Seat::wanted();
        seat.register();
        seat.register();
        assert!(matches!(seat.fail(), News::Nothing) && seat.open().len() == 1);
    }

    /// A computer that got another address was silent to the nodeset in its own process for ever.
    #[test]
    fn a_nodeset_that_is_elsewhere_is_asked_there() {
        let mut seat = Seat::held();
        let (here, there) = (nodeset(), SocketAddr::from(([10, 0, 0, 2], 7)));
        let at = |seat: &mut Seat, addrs: &[SocketAddr]| {
            seat.lease.is_at(seat.now, addrs, Some(&card()), &mut seat.desk.calls);
            let asks = seat.open().len();
            seat.desk.link = seat.lease.link();
            (seat.desk.calls.addr(seat.lease.link()), asks)
        };
        assert_eq!(at(&mut seat, &[there, here]), (Some(here), 0), "it answers where it is asked");
        assert_eq!(at(&mut seat, &[there]), (Some(there), 1), "it is here no more");
        seat.desk.end(seat.now, 0);
        // At the only address it has there is nothing to do but wait.
        assert!(matches!(seat.fail_on(), News::Nothing) && seat.open().is_empty());
        assert_eq!(at(&mut seat, &[there, here]), (Some(here), 1), "it does not answer there");
        // For a while this computer has no address but the loopback.
        let loopback = SocketAddr::from(([127, 0, 0, 1], 7));
        seat.answer(grant(page(9, 9, 9, 0)));
        assert_eq!(at(&mut seat, &[loopback]), (Some(loopback), 1));
        seat.answer(grant(page(9, 9, 9, 0)));
        assert_eq!(at(&mut seat, &[there, loopback]), (Some(there), 1), "where others see us");
    }

    #[test]
    fn what_ends_joining_does_not_end_a_stay() {
        let page = Response::Page(page(7, 8, 8, 1));
        let wrong = [Response::Ok, Response::Unknown, Response::Full, Response::Version(9), page];
        for response in wrong {
            let mut seat = Seat::held();
            seat.register();
            assert!(matches!(seat.answer(response.clone()), News::Nothing) && seat.lease.is_held());
            assert_eq!(seat.wait(), ASK_AGAIN, "{response:?}");
            let mut seat = Seat::wanted();
            seat.register();
            let news = seat.answer(response.clone());
            let right = match response {
                Response::Full => matches!(news, News::Over(Exit::Full)),
                Response::Version(_) => matches!(news, News::Over(Exit::Version { theirs: 9 })),
                _ => matches!(news, News::Over(Exit::NotChatrpc)),
            };
            assert!(right, "{response:?}: {news:?}");
        }
    }

    #[test]
    fn another_process_numbers_its_changes_anew() {
        let mut seat = Seat::held();
        seat.register();
        assert!(matches!(seat.answer_by(SECOND, Response::Cookie([1; 8])), News::Nothing));
        assert_eq!(seat.open(), [asks([1; 8], 0)], "what was known is known no more");
        assert!(matches!(seat.answer_by(SECOND, grant(page(0, 2, 2, 2))), News::Changes(_)));
        seat.register();
        assert_eq!(seat.open(), [asks([1; 8], 2)]);
    }

    #[test]
    fn what_is_held_is_given_back_once() {
        let mut seat = Seat::wanted();
        assert!(!seat.lease.deregister(seat.now, &card(), &mut seat.desk.calls));
        assert!(seat.open().is_empty(), "there is nothing to give back");
        // It comes late.
        assert!(seat.lease.give_back(seat.now, &card(), &mut seat.desk.calls));
        assert_eq!(seat.open(), [Question::Deregister]);
        let mut seat = Seat::held();
        assert!(seat.lease.deregister(seat.now, &card(), &mut seat.desk.calls));
        assert_eq!((seat.open(), seat.lease.next_wake()), (vec![Question::Deregister], None));
        assert!(!seat.lease.is_held() && !seat.lease.is_asked_for());
        assert!(!seat.lease.deregister(seat.now, &card(), &mut seat.desk.calls));
    }

    #[test]
    fn who_loses_sight_of_somebody_asks_earlier_and_not_too_often() {
        let look = |seat: &mut Seat, after: u64| {
            seat.now = NOW + Duration::from_secs(after);
            seat.lease.ask_around(seat.now, &card(), &mut seat.desk.calls);
            let due = seat.lease.next_wake().map(|at| at.since(NOW).as_secs());
            (seat.open().len(), due)
        };
        assert_eq!(look(&mut Seat::wanted(), 1), (0, None), "nothing to renew");
        let mut seat = Seat::held();
        assert_eq!(look(&mut seat, 1), (0, Some(5)));
        assert_eq!(look(&mut seat, 2), (0, Some(5)), "it is early enough");
        assert_eq!(look(&mut Seat::held(), 6), (1, None), "at once");
        let mut seat = Seat::held();
        assert_eq!(look(&mut seat, 6), (1, None));
        assert_eq!(look(&mut seat, 7), (1, None), "it is under way");
        // The nodeset fell silent: ten seconds after the last renewal, which is due then anyway.
        seat.now = NOW + Duration::from_secs(12);
        assert!(matches!(seat.fail(), News::Nothing));
        assert_eq!(look(&mut seat, 12), (0, Some(16)));
        assert_eq!(look(&mut seat, 13), (0, Some(16)));
    }

    #[test]
    fn when_there_is_no_room_for_a_call_it_is_made_later() {
        for (mut seat, pause) in [(Seat::wanted(), ENTER_AGAIN), (Seat::held(), ASK_AGAIN)] {
            let mut open = 0;
            loop {
                seat.register();
                let before = core::mem::replace(&mut open, seat.open().len());
                if before == open {
                    break;
                }
            }
            seat.desk.end(seat.now, 0);
            assert_eq!(seat.wait(), pause);
            assert_eq!(seat.open().len(), open, "one has ended, and one is made");
        }
    }

    /// Any answers and failures, whatever is asked when.
    #[test]
    fn whatever_comes_who_is_in_stays_in_and_goes_on_asking() {
        fn property(script: Vec<(u8, u8)>) -> bool {
            let mut seat = Seat::wanted();
            seat.register();
            let mut have = 7;
            for (what, how) in script {
                let (far, was_held) = (u64::from(how), seat.lease.is_held());
                let by = if how > 250 { SECOND } else { FIRST };
                have += far % 3;
                let news = match what % 8 {
                    _ if seat.open().is_empty() => {
                        seat.wait();
                        continue;
                    }
                    0..=2 => seat.answer_by(by, grant(page(have, have, have + far, far % 5))),
                    3 => seat.answer_by(by, Response::Cookie([how % 3; 8])),
                    4 => seat.answer_by(by, Response::Full),
                    5 => seat.fail(),
                    6 => {
                        seat.now = seat.now + Duration::from_millis(10 * far);
                        seat.lease.ask_around(seat.now, &card(), &mut seat.desk.calls);
                        continue;
                    }
                    _ => {
                        seat.register();
                        continue;
                    }
                };
                if matches!(news, News::Over(_)) {
                    assert!(!was_held, "put out of a room");
                    return true;
                }
                assert!(!was_held || seat.lease.is_held());
                let goes_on = seat.lease.next_wake().is_some() || !seat.open().is_empty();
                assert!(goes_on, "nobody asks any more");
            }
            true
        }
        let mut runs = crate::machine::quickcheck().tests(2_000).max_tests(2_000);
        runs.quickcheck(property as fn(Vec<(u8, u8)>) -> bool);
    }
}
