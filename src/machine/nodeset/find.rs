//! Finding a room: its roster is read from a nodeset, which joins nothing (docs/PROTOCOL.md, "Reading"
//! and "Join").
//!
//! What is asked for next is up to [`Fetch`]; this file asks, takes every answer for what it may be
//! worth, and knows when to stop: when the room is known, when no nodeset would answer like that, and
//! when nobody answers. Who waits to join waits for nothing else, so that what is wrong ends it.

use std::collections::VecDeque;

use core::net::SocketAddr;
use core::time::Duration;

use super::contact::{AsksNodeset, Contact, Doors, link};
use super::fetch::{Fetch, Progress, RANGES_MAX};
use crate::machine::call::Calls;
use crate::machine::contract::Table;
use crate::machine::event::Exit;
use crate::machine::purpose::{Ask, LinkKey};
use crate::machine::rng::Rng;
use crate::machine::time::Time;
use crate::machine::who::ids::Tag;
use crate::machine::wire::{ANYWHERE, Change, Cookie, DATAGRAM_SMALL, Page, Request, Response};

/// The first question is asked twice, this far apart: at 30 % loss five tries of one call fail once
/// in thirty, those of two once in eight hundred.
const TWIN_AFTER: Duration = Duration::from_millis(70);

/// Of several addresses the next one is asked this much later (RFC 8305, section 5: the first may lead
/// nowhere, and nobody says so).
const DOOR_AFTER: Duration = Duration::from_millis(250);

/// When nobody has answered for so long, members are asked whom we met before.
const REMEMBERED_AFTER: Duration = Duration::from_secs(2);

/// A room that is being read.
#[derive(Debug, Hash)]
pub(crate) struct Find {
    contact: Contact,
    fetch: Fetch,
    /// Where it is asked, until one of them answers.
    tries: Vec<Try>,
    /// Where it is not asked yet, and when the next of them is.
    untried: VecDeque<SocketAddr>,
    next: Option<Time>,
    /// When members are asked whom we met before, if nobody answers.
    remembered: Option<Time>,
}

/// One address that is asked whether a nodeset is there.
#[derive(Debug, Hash)]
struct Try {
    link: LinkKey,
    /// When the second first question is due.
    twin: Option<Time>,
    /// Questions that are open.
    open: u32,
}

/// What an answer has come to.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing is new.
    Nothing,
    /// Part of the roster; there is more.
    Part(Vec<Change>),
    /// The last part of the roster, which is known up to this version.
    All(u64, Vec<Change>),
    /// There is nothing to be read here.
    Over(Exit),
}

/// The row of so many ranges of a roster that are not read.
pub(super) const fn unread(ranges: usize) -> Table {
    Table { name: "unread parts", len: ranges, limit: RANGES_MAX }
}

impl Find {
    /// Begins to read. `None` when the link to the nodeset cannot be opened.
    pub(crate) fn start<T: AsksNodeset>(
        now: Time,
        doors: Doors,
        tag: Tag,
        rng: &mut Rng,
        calls: &mut Calls<T>,
    ) -> Option<Self> {
        let untried: VecDeque<SocketAddr> = doors.addrs.iter().skip(1).copied().collect();
        let contact = Contact::open(now, doors, tag, calls)?;
        let twin = Some(now + rng.jitter(TWIN_AFTER, 8));
        let tries = vec![Try { link: contact.link, twin, open: 0 }];
        let next = (!untried.is_empty()).then(|| now + DOOR_AFTER);
        let others = !contact.doors.remembered.is_empty();
        let remembered = others.then(|| now + REMEMBERED_AFTER);
        let mut find = Self { contact, fetch: Fetch::new(), tries, untried, next, remembered };
        find.ask_first(now, 0, calls);
        Some(find)
    }

    /// It may be at these addresses, too.
    pub(crate) fn also_at(&mut self, now: Time, addrs: &[SocketAddr]) {
        let new = self.contact.doors.add(addrs);
        if !self.contact.is_known() && !new.is_empty() {
            self.untried.extend(new);
            self.next.get_or_insert(now);
        }
    }

    /// Takes the answer to the question for what is behind `have`, over that link. `incarnation` is that
    /// of the nodeset process that answered.
    pub(crate) fn answered<T: AsksNodeset>(
        &mut self,
        now: Time,
        (link, have): (LinkKey, u64),
        incarnation: u64,
        response: Response,
        calls: &mut Calls<T>,
    ) -> Found {
        let lets_in = matches!(response, Response::Page(_) | Response::Cookie(_));
        if !self.contact.is_known() && !lets_in && self.goes_on_without(now, link, calls) {
            return Found::Nothing;
        }
        if !self.contact.is_known() {
            self.settle(now, link, calls);
        }
        self.contact.answered(now);
        if self.contact.is_another(incarnation) {
            // Its changes are numbered anew.
            self.fetch.begin_again();
        }
        match response {
            Response::Page(page) => self.page(now, have, page, calls),
            Response::Cookie(cookie) => self.cookie(now, have, cookie, calls),
            Response::Version(theirs) => Found::Over(Exit::Version { theirs }),
            Response::Full => Found::Over(Exit::Full),
            _ => Found::Over(Exit::NotChatrpc),
        }
    }

    /// A question over that link failed: five sends, no answer. Returns how it ends, if it does.
    pub(crate) fn failed<T: AsksNodeset>(
        &mut self,
        now: Time,
        (link, have): (LinkKey, u64),
        calls: &mut Calls<T>,
    ) -> Option<Exit> {
        self.fetch.failed(have);
        let of_try = self.tries.iter().position(|attempt| attempt.link == link);
        let left = match of_try.and_then(|at| self.tries.get_mut(at)) {
            Some(attempt) => {
                attempt.open = attempt.open.saturating_sub(1);
                attempt.open
            }
            None => self.fetch.open(),
        };
        if left > 0 {
            return None;
        }
        self.contact.failed();
        let exit = self.contact.given_up(now);
        match (&exit, of_try) {
            (Some(_), _) => {}
            (None, Some(at)) => self.ask_first(now, at, calls),
            (None, None) => self.ask(now, calls),
        }
        exit
    }

    /// The network says that nobody listens at an address. Returns how it ends, if there is no other one.
    pub(crate) fn refused<T: AsksNodeset>(
        &mut self,
        now: Time,
        addr: SocketAddr,
        calls: &mut Calls<T>,
    ) -> Option<Exit> {
        // Who has time waits for somebody to begin to listen.
        self.contact.doors.patience?;
        if self.contact.is_known() {
            return (calls.addr(self.contact.link) == Some(addr)).then_some(Exit::NobodyListens);
        }
        let of = |attempt: &Try| calls.addr(attempt.link) == Some(addr);
        let link = self.tries.iter().find(|attempt| of(attempt))?.link;
        (!self.goes_on_without(now, link, calls)).then_some(Exit::NobodyListens)
    }

    /// Nobody lets us in over that link: the next one is asked. False when there is no other one.
    fn goes_on_without<T: AsksNodeset>(
        &mut self,
        now: Time,
        link: LinkKey,
        calls: &mut Calls<T>,
    ) -> bool {
        let Some(at) = self.tries.iter().position(|attempt| attempt.link == link) else {
            return false;
        };
        if self.tries.len() == 1 && self.untried.is_empty() {
            if self.remembered.take().is_none() {
                return false;
            }
            self.ask_remembered(now);
        }
        let useless = self.tries.remove(at);
        self.withdraw(now, &useless, calls);
        if !self.untried.is_empty() {
            self.next = Some(now);
        }
        if let Some(other) = self.tries.first() {
            self.contact.link = other.link;
        }
        true
    }

    /// Asks where it is time to, if no answer has come. Returns how it ends, if it does.
    pub(crate) fn tick<T: AsksNodeset>(&mut self, now: Time, calls: &mut Calls<T>) -> Option<Exit> {
        let due = self.contact.until() <= Some(now);
        let ends = |exit: &Exit| due || *exit == Exit::NotChatrpc;
        let exit = self.contact.given_up(now).filter(ends);
        if exit.is_some() {
            return exit;
        }
        for at in 0..self.tries.len() {
            if self.tries[at].twin.take_if(|due| *due <= now).is_some() {
                self.ask_first(now, at, calls);
            }
        }
        if self.remembered.take_if(|due| *due <= now).is_some() {
            self.ask_remembered(now);
        }
        if self.next.take_if(|due| *due <= now).is_some()
            && let Some(addr) = self.untried.pop_front()
        {
            self.next = (!self.untried.is_empty()).then(|| now + DOOR_AFTER);
            if let Some(link) = link(now, addr, calls) {
                self.tries.push(Try { link, twin: Some(now + TWIN_AFTER), open: 0 });
                if self.tries.len() == 1 {
                    self.contact.link = link;
                }
                self.ask_first(now, self.tries.len() - 1, calls);
            }
        }
        None
    }

    /// Something came from there that is not this protocol.
    pub(crate) const fn heard_junk(&mut self) {
        self.contact.heard_junk();
    }

    pub(crate) const fn contact(&self) -> &Contact {
        &self.contact
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        let twins = self.tries.iter().filter_map(|attempt| attempt.twin);
        twins.chain(self.next).chain(self.remembered).chain(self.contact.until()).min()
    }

    /// The ranges of the roster that are not read.
    pub(crate) fn footprint(&self) -> Table {
        unread(self.fetch.ranges())
    }

    pub(crate) fn check(&self) {
        self.fetch.check();
    }

    fn page<T: AsksNodeset>(
        &mut self,
        now: Time,
        have: u64,
        page: Page,
        calls: &mut Calls<T>,
    ) -> Found {
        self.contact.paged(now, &page);
        match self.fetch.page(have, page) {
            Progress::More(changes) => {
                self.ask(now, calls);
                Found::Part(changes)
            }
            Progress::Complete(version, changes) => Found::All(version, changes),
            Progress::Nonsense => Found::Over(Exit::NotChatrpc),
        }
    }

    fn cookie<T: AsksNodeset>(
        &mut self,
        now: Time,
        have: u64,
        cookie: Cookie,
        calls: &mut Calls<T>,
    ) -> Found {
        let fetch = &mut self.fetch;
        fetch.answered(have);
        // The second of the twins gets the cookie that the first one has come back with.
        let known = cookie == self.contact.cookie && fetch.is_blank() && fetch.open() > 0;
        if fetch.is_endless() {
            return Found::Over(Exit::NotChatrpc);
        }
        if !known {
            self.contact.cookie = cookie;
            self.ask(now, calls);
        }
        Found::Nothing
    }

    /// Somebody has answered: the others are asked no more.
    fn settle<T: AsksNodeset>(&mut self, now: Time, link: LinkKey, calls: &mut Calls<T>) {
        for attempt in core::mem::take(&mut self.tries) {
            if attempt.link != link {
                self.withdraw(now, &attempt, calls);
            }
        }
        self.contact.link = link;
        self.untried.clear();
        (self.next, self.remembered) = (None, None);
    }

    /// Nobody answers: members are asked whom we met before.
    fn ask_remembered(&mut self, now: Time) {
        self.untried.extend(&self.contact.doors.remembered);
        self.next.get_or_insert(now);
    }

    fn withdraw<T: AsksNodeset>(&mut self, now: Time, attempt: &Try, calls: &mut Calls<T>) {
        (0..attempt.open).for_each(|_| self.fetch.withdrawn(ANYWHERE));
        calls.close(now, attempt.link);
    }

    /// Asks for a page from anywhere where nobody has answered yet.
    fn ask_first<T: AsksNodeset>(&mut self, now: Time, at: usize, calls: &mut Calls<T>) {
        let most = self.contact.most(now);
        let Contact { tag, cookie, .. } = self.contact;
        let Some(attempt) = self.tries.get_mut(at) else { return };
        let request = Request::Who { cookie, tag, have: ANYWHERE, most };
        let about = T::from(Ask::Who { have: ANYWHERE });
        if calls.request(now, attempt.link, about, &request).is_some() {
            attempt.open += 1;
            self.fetch.asked(ANYWHERE);
        }
    }

    /// Asks for as much of the roster as may be asked for at once; at first, for a page from anywhere.
    fn ask<T: AsksNodeset>(&mut self, now: Time, calls: &mut Calls<T>) {
        let most = self.contact.most(now);
        let small = usize::from(most) == DATAGRAM_SMALL;
        let Self { contact: Contact { tag, link, cookie, .. }, fetch, .. } = self;
        let mut wanted = if fetch.is_blank() { Some(ANYWHERE) } else { fetch.next(small) };
        while let Some(have) = wanted {
            let request = Request::Who { cookie: *cookie, tag: *tag, have, most };
            if calls.request(now, *link, T::from(Ask::Who { have }), &request).is_none() {
                return;
            }
            fetch.asked(have);
            wanted = fetch.next(small);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::contact::PATIENCE;
    use super::super::tests::{Desk, FIRST, Question, SECOND, TAG, doors, ms, nodeset, page};
    use super::*;
    use crate::machine::rng::Seed;

    const NOW: Time = ms(1_000);

    fn start() -> (Find, Desk) {
        let (mut desk, mut rng) = (Desk::new(), Seed([1; 32]).stream("find"));
        let find = Find::start(NOW, doors(), TAG, &mut rng, &mut desk.calls).expect("a link");
        (find, desk)
    }

    /// With both first questions open.
    fn twins() -> (Find, Desk) {
        let (mut find, mut desk) = start();
        assert!(find.tick(find.next_wake().expect("a twin"), &mut desk.calls).is_none());
        assert_eq!(desk.open(NOW), [first([0; 8]); 2]);
        (find, desk)
    }

    fn first(cookie: Cookie) -> Question {
        Question::Who { cookie, have: ANYWHERE }
    }

    /// One of the open questions is answered.
    fn answer(find: &mut Find, desk: &mut Desk, at: usize, by: u64, response: Response) -> Found {
        let Question::Who { have, .. } = desk.end(NOW, at) else { panic!("a question") };
        let found = find.answered(NOW, (desk.link, have), by, response, &mut desk.calls);
        find.check();
        found
    }

    fn fail(find: &mut Find, desk: &mut Desk, at: usize) -> Option<Exit> {
        let Question::Who { have, .. } = desk.end(NOW, at) else { panic!("a question") };
        find.failed(NOW, (desk.link, have), &mut desk.calls)
    }

    #[test]
    fn the_first_question_is_asked_twice_unless_it_is_answered() {
        let (mut find, mut desk) = start();
        let twin = find.next_wake().expect("a twin");
        assert!(twin > NOW && twin < NOW + 2 * TWIN_AFTER);
        assert!(find.tick(NOW, &mut desk.calls).is_none());
        assert_eq!(desk.open(NOW).len(), 1, "it is early");
        let found = answer(&mut find, &mut desk, 0, FIRST, Response::Page(page(0, 5, 100, 0)));
        assert!(matches!(found, Found::Part(_)));
        let open = desk.open(NOW);
        assert!(find.tick(twin, &mut desk.calls).is_none());
        assert_eq!((desk.open(NOW), find.next_wake()), (open, Some(NOW + PATIENCE)));
    }

    #[test]
    fn twins_come_back_with_one_cookie() {
        let (mut find, mut desk) = twins();
        answer(&mut find, &mut desk, 0, FIRST, Response::Cookie([7; 8]));
        assert_eq!(desk.open(NOW), [first([0; 8]), first([7; 8])]);
        answer(&mut find, &mut desk, 0, FIRST, Response::Cookie([7; 8]));
        assert_eq!(desk.open(NOW), [first([7; 8])], "it is on its way already");
        // It has come into another minute, or to another process: then there is nobody else.
        answer(&mut find, &mut desk, 0, FIRST, Response::Cookie([7; 8]));
        assert_eq!(desk.open(NOW), [first([7; 8])]);
    }

    #[test]
    fn cookies_without_end_are_no_nodeset() {
        let lies: [fn(u32) -> u8; 3] = [|_| 7, |n| n as u8, |n| (n % 2) as u8];
        for lie in lies {
            let (mut find, mut desk) = twins();
            let mut answers = 0;
            let exit = loop {
                answers += 1;
                let cookie = Response::Cookie([lie(answers); 8]);
                let found = answer(&mut find, &mut desk, 0, FIRST, cookie);
                assert!(desk.open(NOW).len() <= 5, "{:?}", desk.open(NOW));
                match found {
                    Found::Nothing => assert!(!desk.open(NOW).is_empty()),
                    Found::Over(exit) => break exit,
                    other => panic!("{other:?}"),
                }
            };
            assert!(matches!(exit, Exit::NotChatrpc) && answers <= 2048, "{exit:?}, {answers}");
        }
    }

    #[test]
    fn what_is_no_answer_to_a_question_ends_it() {
        let lease =
            Response::Lease { node: 1, elsewhere: 0, seen: nodeset(), page: page(0, 1, 1, 1) };
        let next = Response::Next { next: 1, held: 0 };
        let nonsense = Response::Page(page(9, 9, 20, 0));
        for wrong in [Response::Ok, Response::Unknown, next, lease, nonsense] {
            let (mut find, mut desk) = start();
            let found = answer(&mut find, &mut desk, 0, FIRST, wrong);
            assert!(matches!(found, Found::Over(Exit::NotChatrpc)), "{found:?}");
        }
        let (mut find, mut desk) = twins();
        let found = answer(&mut find, &mut desk, 0, FIRST, Response::Version(9));
        assert!(matches!(found, Found::Over(Exit::Version { theirs: 9 })), "{found:?}");
        let found = answer(&mut find, &mut desk, 0, FIRST, Response::Full);
        assert!(matches!(found, Found::Over(Exit::Full)), "{found:?}");
    }

    #[test]
    fn pages_without_end_are_read_for_a_while() {
        let (mut find, mut desk) = twins();
        let mut answers = 0;
        let version = loop {
            answers += 1;
            let Some(&Question::Who { have, .. }) = desk.open(NOW).first() else {
                panic!("nobody asks any more");
            };
            let have = if have == ANYWHERE { 0 } else { have };
            let endless = Response::Page(page(have, have + 1, u64::MAX - 1, 1));
            match answer(&mut find, &mut desk, 0, FIRST, endless) {
                Found::Part(_) => assert!(desk.open(NOW).len() <= 16),
                Found::All(version, changes) => {
                    assert!(changes.len() <= 1024, "departures come last");
                    break version;
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((version, answers), (u64::MAX - 1, 2048));
    }

    #[test]
    fn another_process_is_read_from_the_beginning() {
        let (mut find, mut desk) = start();
        answer(&mut find, &mut desk, 0, FIRST, Response::Page(page(0, 5, 9, 60)));
        let asked = Question::Who { cookie: [0; 8], have: 5 };
        assert_eq!(desk.open(NOW), [asked]);
        let found = answer(&mut find, &mut desk, 0, SECOND, Response::Page(page(5, 9, 9, 2)));
        assert!(matches!(found, Found::Part(_)), "the beginning is not known any more: {found:?}");
        assert_eq!(desk.open(NOW), [Question::Who { cookie: [0; 8], have: 0 }]);
        let found = answer(&mut find, &mut desk, 0, SECOND, Response::Page(page(0, 5, 9, 4)));
        let Found::All(9, changes) = found else { panic!("{found:?}") };
        assert_eq!(changes.len(), 6, "and what the first one said of departures is forgotten");
    }

    /// One call failed after 2.4 s, and three more after 0.4 s on a fast path: who put in the cable a
    /// moment later, or lived behind a satellite, did not join.
    #[test]
    fn who_does_not_answer_is_asked_for_a_while() {
        for answered in [false, true] {
            let (mut find, mut desk) = twins();
            if answered {
                answer(&mut find, &mut desk, 0, FIRST, Response::Cookie([7; 8]));
            }
            for _ in 0..20 {
                assert!(fail(&mut find, &mut desk, 0).is_none());
                assert!(!desk.open(NOW).is_empty(), "nobody asks any more");
            }
            let end = NOW + PATIENCE;
            assert_eq!(find.next_wake(), Some(end));
            assert!(find.tick(NOW + PATIENCE / 2, &mut desk.calls).is_none());
            let exit = find.tick(end, &mut desk.calls);
            assert_eq!(exit, Some(Exit::NoNodeset { waited: PATIENCE }));
        }
        let (mut find, mut desk) = twins();
        find.heard_junk();
        assert_eq!(fail(&mut find, &mut desk, 0), None, "the other one may be answered");
        assert_eq!(fail(&mut find, &mut desk, 0), Some(Exit::NotChatrpc));
    }

    #[test]
    fn who_has_time_asks_for_ever() {
        let (mut desk, mut rng) = (Desk::new(), Seed([1; 32]).stream("find"));
        let doors = Doors { patience: None, ..doors() };
        let mut find = Find::start(NOW, doors, TAG, &mut rng, &mut desk.calls).expect("a link");
        assert!(find.refused(NOW, nodeset(), &mut desk.calls).is_none(), "it may come yet");
        for hour in 1..100 {
            let now = NOW + Duration::from_secs(3600 * hour);
            assert!(find.tick(now, &mut desk.calls).is_none());
            assert!(fail(&mut find, &mut desk, 0).is_none() && !desk.open(now).is_empty());
        }
        assert_eq!(find.next_wake(), None);
    }

    /// Any answers, in any order, by processes that come and go, and any failures.
    #[test]
    fn whatever_comes_it_ends_or_somebody_asks() {
        fn property(script: Vec<(u8, u8, u8)>) -> bool {
            let (mut find, mut desk) = twins();
            for (what, which, how) in script {
                let open = desk.open(NOW);
                assert_eq!(open.len(), find.fetch.open() as usize);
                assert!(!open.is_empty() && open.len() <= 17, "{open:?}");
                let at = usize::from(which) % open.len();
                let Question::Who { have, .. } = open[at] else { panic!("a question") };
                let have = if have == ANYWHERE { 0 } else { have };
                let (near, far) = (u64::from(how % 16), u64::from(which));
                let response = match what % 8 {
                    0..=3 => Response::Page(page(have, have + near, have + near + far, near)),
                    4 => Response::Page(page(have.saturating_sub(near), have + 1, have + far, 1)),
                    5 => Response::Cookie([how % 3; 8]),
                    _ => {
                        if fail(&mut find, &mut desk, at).is_some() {
                            return true;
                        }
                        continue;
                    }
                };
                let by = if what > 240 { SECOND } else { FIRST };
                match answer(&mut find, &mut desk, at, by, response) {
                    Found::Nothing | Found::Part(_) => {}
                    Found::All(..) | Found::Over(_) => return true,
                }
            }
            true
        }
        let mut runs = crate::machine::quickcheck().tests(2_000).max_tests(2_000);
        runs.quickcheck(property as fn(Vec<(u8, u8, u8)>) -> bool);
    }
}
