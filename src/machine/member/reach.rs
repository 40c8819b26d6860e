//! The ways to a member: addresses that they may have, links that are tried or in use, the one that
//! answered, and when others are tried (docs/PROTOCOL.md, "Hello").

use core::net::SocketAddr;
use core::time::Duration;

use super::LINKS_EACH;
use crate::machine::purpose::LinkKey;
use crate::machine::rng::Rng;
use crate::machine::time::Time;

/// The first pause between two rounds of greeting somebody who does not answer, and the longest.
const GREET_FIRST: Duration = Duration::from_millis(250);
const GREET_LAST: Duration = Duration::from_secs(15);

/// The same for somebody who was here and fell silent.
const RETURN_FIRST: Duration = Duration::from_secs(5);
const RETURN_LAST: Duration = Duration::from_secs(60);

/// Rounds in which the addresses of a beacon are tried, one after another: it can name anybody's.
const BEACON_ROUNDS: u32 = 2;
const TRY_EVERY: Duration = Duration::from_millis(100);

/// How soon other ways to somebody who does not answer are tried again; twice as late each time.
const REROUTE_EVERY: Duration = Duration::from_secs(1);

/// How soon who is reached through a relay is tried directly; twice as late each time, and the longest.
const DIRECT_FIRST: Duration = Duration::from_secs(5);
const DIRECT_LAST: Duration = Duration::from_secs(60);

/// The ways to one member.
#[derive(Debug, Hash)]
pub(crate) struct Reach {
    /// Where the nodeset saw them.
    seen: Option<SocketAddr>,
    /// The addresses of the beacon that it brought. What they say of themselves later vouches for none.
    vouched: Vec<SocketAddr>,
    /// We came after them, and found them: it is us who try these addresses. Whoever came after us
    /// tries ours; so an address that somebody names is tried by who comes, and not by a whole room.
    found: bool,
    /// Where they answered last: there they are sought once they are gone, and while they are reached
    /// through others.
    last: Option<SocketAddr>,
    /// The ways that are tried or in use.
    routes: Vec<Route>,
    /// The link that answered.
    path: Option<LinkKey>,
    /// The link their newest datagram came over.
    newest: Option<LinkKey>,
    /// When the next round of hellos is due; `None` while they are not needed, or one is under way.
    greet_at: Option<Time>,
    rounds: u32,
    /// Addresses of their beacon that were not tried in this round, and when the next one is.
    untried: Vec<SocketAddr>,
    try_at: Option<Time>,
    /// When other ways than the path were tried last, and how often since they were heard.
    rerouted: Time,
    reroutes: u32,
    /// When a relay is asked for a way; and how many were since a way worked.
    relay_at: Option<Time>,
    relays: u32,
    /// How often they were tried directly since they are reached through a relay.
    direct: u32,
}

/// One way to a member.
#[derive(Clone, Copy, Debug, Hash)]
struct Route {
    link: LinkKey,
    /// A hello is open here, with our beacon of that number.
    greeting: Option<u32>,
    /// They are asked whether they are there.
    challenged: bool,
}

/// What is to be tried when a call over the path has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reroute {
    /// Nothing: the path answers.
    None,
    /// Nothing yet: it was tried a moment ago. `heard` says whether they were heard elsewhere since.
    Later { heard: bool },
    /// A link over which they were heard since.
    Over(LinkKey),
    /// All addresses but that of the path: there they are asked already.
    Anywhere { but: LinkKey },
}

impl Reach {
    pub(super) const fn new(now: Time) -> Self {
        Self {
            seen: None,
            vouched: Vec::new(),
            found: false,
            last: None,
            routes: Vec::new(),
            path: None,
            newest: None,
            greet_at: None,
            rounds: 0,
            untried: Vec::new(),
            try_at: None,
            rerouted: now,
            reroutes: 0,
            relay_at: None,
            relays: 0,
            direct: 0,
        }
    }

    /// A nodeset has seen them there and vouches for these addresses; `found` says that they were there
    /// before us. True when they have moved.
    pub(super) fn listed(&mut self, seen: SocketAddr, addrs: Vec<SocketAddr>, found: bool) -> bool {
        self.vouched = addrs;
        self.found |= found;
        let moved = self.seen.replace(seen) != Some(seen);
        if moved {
            self.reroutes = 0;
        }
        moved
    }

    /// The addresses of a round of hellos: where they were seen, where they answered last, and where the
    /// links go (`linked`). The first rounds go to those of their beacon as well, if it is our turn or they
    /// are a `neighbour`; one address of each computer is enough, since a process has one port, and they
    /// are tried one after the other.
    pub(super) fn round(
        &mut self,
        now: Time,
        linked: impl Iterator<Item = SocketAddr>,
        may: impl Fn(&SocketAddr) -> bool,
        (vouched, neighbour): (bool, bool),
    ) -> Vec<SocketAddr> {
        // A round that nobody planned leaves the one that is.
        self.greet_at = self.greet_at.filter(|&at| at > now);
        let mut addrs: Vec<SocketAddr> = self.seen.into_iter().chain(self.last).collect();
        addrs.extend(linked);
        let first = self.rounds + self.reroutes < BEACON_ROUNDS;
        self.untried.clear();
        if vouched && first && (self.found || self.path.is_some() || neighbour) {
            for addr in self.vouched.iter().filter(|&addr| may(addr) && !addrs.contains(addr)) {
                if !self.untried.iter().any(|other| other.ip() == addr.ip()) {
                    self.untried.push(*addr);
                }
            }
            self.untried.reverse();
        }
        addrs.retain(may);
        if addrs.is_empty() {
            addrs.extend(self.untried.pop());
        }
        self.try_later(now);
        addrs
    }

    /// The next address of their beacon, a while after the one before.
    pub(super) fn next_untried(&mut self, now: Time) -> Option<SocketAddr> {
        let next = self.untried.pop();
        self.try_later(now);
        next
    }

    fn try_later(&mut self, now: Time) {
        self.try_at = (!self.untried.is_empty()).then(|| now + TRY_EVERY);
    }

    /// Plans the next round, later each time; soon while it is `urgent`. Who is `absent` has more time.
    pub(super) fn greet_later(&mut self, now: Time, (absent, urgent): (bool, bool), rng: &mut Rng) {
        let (first, last) =
            if absent { (RETURN_FIRST, RETURN_LAST) } else { (GREET_FIRST, GREET_LAST) };
        let rounds = if urgent { 0 } else { self.rounds };
        let pause = first.saturating_mul(1 << rounds.min(16)).min(last);
        self.rounds += 1;
        let at = now + rng.jitter(pause, 8);
        // What fails meanwhile over another link does not put off the round that is planned.
        self.greet_at =
            Some(self.greet_at.filter(|&soon| soon > now).map_or(at, |soon| soon.min(at)));
    }

    /// A round is due then at the latest.
    pub(super) fn greet_by(&mut self, at: Time) {
        self.greet_at = Some(self.greet_at.map_or(at, |soon| soon.min(at)));
    }

    /// The next rounds come as if they were the first.
    pub(super) const fn begin_again(&mut self) {
        self.rounds = 0;
    }

    /// A new link is one of theirs.
    pub(super) fn attach(&mut self, link: LinkKey) {
        self.routes.push(Route { link, greeting: None, challenged: false });
    }

    /// A link is closed.
    pub(super) fn detach(&mut self, link: LinkKey) {
        self.routes.retain(|route| route.link != link);
        self.path = self.path.filter(|&path| path != link);
        self.newest = self.newest.filter(|&newest| newest != link);
    }

    /// The link that makes room for one more, when there are too many: that which was silent longest.
    pub(super) fn spare(&self, heard: impl Fn(LinkKey) -> Time) -> Option<LinkKey> {
        if self.routes.len() < LINKS_EACH {
            return None;
        }
        let others = self.links().filter(|&link| Some(link) != self.path);
        others.map(|link| (heard(link), link)).min().map(|(_, link)| link)
    }

    fn route(&self, link: LinkKey) -> Option<&Route> {
        self.routes.iter().find(|route| route.link == link)
    }

    fn route_mut(&mut self, link: LinkKey) -> Option<&mut Route> {
        self.routes.iter_mut().find(|route| route.link == link)
    }

    /// Whether a hello may go out on a link: none is open there.
    pub(super) fn may_greet(&self, link: LinkKey) -> bool {
        self.route(link).is_some_and(|route| route.greeting.is_none())
    }

    /// A hello goes out on a link, with our beacon of that number.
    pub(super) fn greets(&mut self, link: LinkKey, n: u32) {
        if let Some(route) = self.route_mut(link) {
            route.greeting = Some(n);
        }
    }

    /// The hello on a link is over; returns the number of the beacon it told.
    pub(super) fn settle(&mut self, link: LinkKey) -> Option<u32> {
        self.route_mut(link)?.greeting.take()
    }

    /// Whether a hello is open on any link.
    pub(super) fn is_greeting(&self) -> bool {
        self.routes.iter().any(|route| route.greeting.is_some())
    }

    /// Whether a hello is open on that link.
    pub(super) fn is_greeting_on(&self, link: LinkKey) -> bool {
        self.route(link).is_some_and(|route| route.greeting.is_some())
    }

    /// Whether they may be asked on a link whether they are there: they are not being asked.
    pub(super) fn may_challenge(&self, link: LinkKey) -> bool {
        self.route(link).is_some_and(|route| !route.challenged)
    }

    /// They are asked on a link whether they are there, or that is over. False when it is none of theirs.
    pub(super) fn challenge(&mut self, link: LinkKey, open: bool) -> bool {
        let route = self.route_mut(link);
        route.map(|route| route.challenged = open).is_some()
    }

    /// They have answered a hello on a link. It is the path if the one there is does not work, or goes
    /// through a relay and this does not: what they still say over that one is taken. Returns a path that is
    /// dead and does not know it yet: they were heard here, and long not there.
    pub(super) fn answered(
        &mut self,
        link: LinkKey,
        is_silent: impl Fn(LinkKey) -> bool,
        is_quiet: impl Fn(LinkKey) -> bool,
        is_relayed: impl Fn(LinkKey) -> bool,
    ) -> Option<LinkKey> {
        let moved = self.newest == Some(link);
        let shorter = |path| is_relayed(path) && !is_relayed(link);
        let old = self.path.filter(|&path| moved && path != link && is_quiet(path));
        if !self.path.is_some_and(|path| path != link && !is_silent(path) && !shorter(path)) {
            self.path = Some(link);
        }
        self.rounds = 0;
        (self.greet_at, self.try_at) = (None, None);
        self.untried.clear();
        self.needs_no_relay();
        old
    }

    /// They have moved to that link.
    pub(super) const fn move_to(&mut self, link: LinkKey) {
        self.path = Some(link);
    }

    /// Their newest datagram came over that link.
    pub(super) const fn newest_on(&mut self, link: LinkKey) {
        self.newest = Some(link);
    }

    /// They were heard: other ways are tried soon when they fall silent again.
    pub(super) const fn heard(&mut self) {
        self.reroutes = 0;
    }

    /// A call over the path has failed: another way, over which they were heard since, may do, or one that
    /// nobody tried lately.
    pub(super) fn reroute(
        &mut self,
        now: Time,
        heard: impl Fn(LinkKey) -> Time,
        is_silent: impl Fn(LinkKey) -> bool,
    ) -> Reroute {
        let Some(path) = self.path.filter(|&path| is_silent(path)) else { return Reroute::None };
        let links = self.links().map(|link| (heard(link), link));
        let newer = links.filter(|&(at, link)| at > heard(path) && !is_silent(link));
        let other = newer.max().map(|(_, link)| link);
        let pause = REROUTE_EVERY * (1 << self.reroutes.min(4));
        if now.since(self.rerouted) < pause {
            return Reroute::Later { heard: other.is_some() };
        }
        self.rerouted = now;
        self.reroutes += 1;
        other.map_or(Reroute::Anywhere { but: path }, Reroute::Over)
    }

    /// Whether they were heard over another link since the last time over the path, and calls over it do not fail: it
    /// will be the path, or does not answer either.
    pub(super) fn speaks_elsewhere(
        &self,
        heard: impl Fn(LinkKey) -> Time,
        is_silent: impl Fn(LinkKey) -> bool,
    ) -> bool {
        let newest = self.newest.filter(|&newest| self.path != Some(newest) && !is_silent(newest));
        self.path.zip(newest).is_some_and(|(path, newest)| heard(newest) > heard(path))
    }

    /// They have answered at an address of theirs.
    pub(super) const fn answered_at(&mut self, addr: SocketAddr) {
        self.last = Some(addr);
    }

    /// They are gone; where they answered last, they are sought.
    pub(super) fn lose(&mut self) {
        self.rounds = 0;
        self.needs_no_relay();
        (self.greet_at, self.try_at) = (None, None);
        self.untried.clear();
    }

    /// Plans the next round to who is reached through a relay: there may be a direct way soon.
    pub(super) fn try_direct(&mut self, now: Time, is_relayed: impl Fn(LinkKey) -> bool) {
        if self.path.is_some_and(is_relayed) {
            let pause = DIRECT_FIRST * (1 << self.direct.min(8));
            self.direct += 1;
            self.greet_by(now + pause.min(DIRECT_LAST));
        } else {
            self.direct = 0;
        }
    }

    /// How often they were tried directly since they are reached through a relay.
    pub(super) const fn direct_tries(&self) -> u32 {
        self.direct
    }

    /// A relay is asked for a way to them then, unless one works by then; or sooner, as it was planned.
    pub(super) fn relay_by(&mut self, at: Time) {
        self.relay_at.get_or_insert(at);
    }

    /// The next one is asked then at the latest.
    pub(super) fn relay_by_then(&mut self, at: Time) {
        self.relay_at = self.relay_at.map(|soon| soon.min(at));
    }

    /// A relay was asked, or there was none: the next one is asked then.
    pub(super) const fn relay_later(&mut self, at: Time) {
        self.relay_at = Some(at);
        self.relays = self.relays.saturating_add(1);
    }

    /// How many relays were asked, if one is to be asked at all.
    pub(super) const fn relays(&self) -> Option<u32> {
        if self.relay_at.is_some() { Some(self.relays) } else { None }
    }

    /// A way works.
    pub(super) const fn needs_no_relay(&mut self) {
        (self.relay_at, self.relays) = (None, 0);
    }

    /// It is time to ask a relay.
    pub(super) fn relay_is_due(&self, now: Time) -> bool {
        self.relay_at.is_some_and(|at| at <= now)
    }

    /// They are not looked for any more.
    pub(super) const fn rest(&mut self) {
        self.greet_at = None;
    }

    /// Where the nodeset saw them.
    pub(crate) const fn seen(&self) -> Option<SocketAddr> {
        self.seen
    }

    /// Where they answered last.
    pub(crate) const fn last(&self) -> Option<SocketAddr> {
        self.last
    }

    /// Whether the nodeset, or the beacon it brought, names that address.
    pub(super) fn is_named(&self, addr: SocketAddr) -> bool {
        self.seen == Some(addr) || self.vouched.contains(&addr)
    }

    pub(crate) const fn path(&self) -> Option<LinkKey> {
        self.path
    }

    pub(super) fn is_newest(&self, link: LinkKey) -> bool {
        self.newest == Some(link)
    }

    pub(super) fn links(&self) -> impl Iterator<Item = LinkKey> {
        self.routes.iter().map(|route| route.link)
    }

    /// They were tried in vain before, wherever they may be.
    pub(super) const fn is_sought(&self) -> bool {
        self.rounds + self.reroutes > 1
    }

    /// A first round of hellos has gone by, or was answered.
    pub(super) const fn was_tried(&self) -> bool {
        self.rounds > 0
    }

    /// A round of hellos is due, or else the next address of one.
    pub(super) fn is_due(&self, now: Time) -> (bool, bool) {
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        (is_due(self.greet_at), is_due(self.try_at))
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        [self.greet_at, self.try_at, self.relay_at].into_iter().flatten().min()
    }

    pub(super) fn check(&self) {
        assert!(self.routes.len() <= LINKS_EACH);
        let is_ours = |link: LinkKey| self.links().any(|ours| ours == link);
        assert!(self.path.is_none_or(is_ours), "a path that is none of theirs");
        assert!(self.newest.is_none_or(is_ours), "heard over a link that is none of theirs");
        assert_eq!(self.try_at.is_some(), !self.untried.is_empty(), "an address nobody tries");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::purpose::ALink;
    use crate::machine::rng::Seed;
    use crate::machine::slots::Slots;

    const fn ms(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    fn addr(computer: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, computer], port))
    }

    fn links<const N: usize>() -> [LinkKey; N] {
        let mut links = Slots::<(), ALink>::default();
        core::array::from_fn(|_| links.insert(()))
    }

    /// Where one round goes, and what of it goes later.
    fn round(reach: &mut Reach, vouched: bool, not: SocketAddr) -> (Vec<SocketAddr>, usize) {
        let may = |addr: &SocketAddr| *addr != not;
        let now = reach.round(ms(0), core::iter::empty(), may, (vouched, false));
        let mut later = 0;
        while reach.next_untried(ms(0)).is_some() {
            later += 1;
        }
        reach.check();
        (now, later)
    }

    #[test]
    fn who_comes_tries_the_addresses_that_are_named() {
        let mut reach = Reach::new(ms(0));
        let named = vec![addr(2, 7), addr(3, 7), addr(3, 8), addr(9, 9)];
        assert!(reach.listed(addr(1, 7), named.clone(), false));
        assert_eq!(round(&mut reach, true, addr(9, 9)), (vec![addr(1, 7)], 0), "it is their turn");
        assert!(!reach.listed(addr(1, 7), named, true), "they have not moved");
        let found = (vec![addr(1, 7)], 2);
        assert_eq!(
            round(&mut reach, true, addr(9, 9)),
            found,
            "one of each computer, none of ours"
        );
        assert_eq!(round(&mut reach, false, addr(9, 9)), (vec![addr(1, 7)], 0), "nobody vouches");
        // A beacon can name anybody's addresses: they are tried twice and not for ever.
        let mut rng = Seed([1; 32]).stream("reach");
        (0..BEACON_ROUNDS).for_each(|_| reach.greet_later(ms(0), (false, false), &mut rng));
        assert_eq!(round(&mut reach, true, addr(9, 9)), (vec![addr(1, 7)], 0));
    }

    #[test]
    fn rounds_come_ever_more_rarely_and_soon_when_it_is_urgent() {
        let (mut reach, mut rng) = (Reach::new(ms(0)), Seed([1; 32]).stream("reach"));
        let mut now = ms(0);
        let mut pause = |reach: &mut Reach, urgent| {
            reach.greet_later(now, (false, urgent), &mut rng);
            let due = reach.next_deadline().expect("a round");
            let pause = due.since(now).as_millis() as u64;
            now = due;
            pause
        };
        for nominal in [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000] {
            let pause = pause(&mut reach, false);
            assert!(pause.abs_diff(nominal) <= nominal / 8 + 1, "{pause} for {nominal}");
        }
        assert!(pause(&mut reach, true) < 300);
        reach.begin_again();
        assert!(pause(&mut reach, false) < 300);
        reach.greet_by(ms(100));
        reach.greet_by(ms(200));
        assert_eq!(reach.next_deadline(), Some(ms(100)));
        assert!(reach.is_due(ms(100)).0 && !reach.is_due(ms(99)).0);
    }

    #[test]
    fn what_fails_meanwhile_puts_off_no_round() {
        let (mut reach, mut rng) = (Reach::new(ms(0)), Seed([1; 32]).stream("reach"));
        (0..20).for_each(|n| reach.greet_later(ms(n * 100_000), (true, false), &mut rng));
        let planned = reach.next_deadline().expect("a round");
        assert!(planned > ms(1_900_000 + 50_000), "{planned:?}: they come rarely by now");
        // A hello through a relay fails every quarter of a minute.
        for n in 1..4 {
            reach.greet_later(ms(1_900_000 + n * 15_000), (true, false), &mut rng);
            assert_eq!(reach.next_deadline(), Some(planned));
        }
        // Nor does a round that nobody planned, since the path is another one now.
        reach.round(ms(1_930_000), [].into_iter(), |_| true, (false, false));
        assert_eq!(reach.next_deadline(), Some(planned));
    }

    #[test]
    fn the_first_that_answers_is_the_path_until_it_falls_silent() {
        let [one, other] = links();
        let mut reach = Reach::new(ms(0));
        reach.attach(one);
        reach.attach(other);
        assert_eq!(reach.answered(one, |_| false, |_| false, |_| false), None);
        assert_eq!(reach.answered(other, |_| false, |_| false, |_| false), None);
        assert_eq!(reach.path(), Some(one));
        // They were heard over the other one, and long not over the path: they have moved.
        reach.newest_on(other);
        assert_eq!(reach.answered(other, |_| false, |_| true, |_| false), Some(one));
        assert_eq!(reach.path(), Some(one), "whoever moves them says what is said anew");
        reach.answered(other, |link| link == one, |_| false, |_| false);
        assert_eq!(reach.path(), Some(other));
        // Nobody goes through somebody else who can go directly, and the other way does not matter.
        assert_eq!(reach.answered(one, |_| false, |_| false, |link| link == one), None);
        assert_eq!(reach.path(), Some(other));
        assert_eq!(reach.answered(one, |_| false, |_| false, |link| link == other), None);
        assert_eq!(reach.path(), Some(one));
        reach.detach(one);
        assert_eq!((reach.path(), reach.is_newest(other)), (None, true));
        reach.check();
    }

    #[test]
    fn who_was_heard_last_over_another_link_speaks_elsewhere_while_no_call_fails_there() {
        let [path, other] = links();
        let mut reach = Reach::new(ms(0));
        [path, other].into_iter().for_each(|link| reach.attach(link));
        reach.move_to(path);
        let speaks = |reach: &Reach, at: u64, silent: bool| {
            let heard = |link| if link == other { ms(at) } else { ms(100) };
            reach.speaks_elsewhere(heard, |link| link == path || silent)
        };
        assert!(!speaks(&reach, 200, false), "a link that is tried says nothing of itself");
        reach.newest_on(other);
        assert!(speaks(&reach, 200, false) && !speaks(&reach, 200, true));
        assert!(!speaks(&reach, 100, false), "they were heard over the path since");
        reach.move_to(other);
        assert!(!speaks(&reach, 200, false));
    }

    #[test]
    fn one_hello_and_one_question_at_a_time_on_each_link() {
        let [one, other] = links();
        let mut reach = Reach::new(ms(0));
        reach.attach(one);
        assert!(reach.may_greet(one) && !reach.may_greet(other) && !reach.may_challenge(other));
        reach.greets(one, 3);
        reach.greets(other, 3);
        assert!(!reach.may_greet(one) && reach.is_greeting() && !reach.is_greeting_on(other));
        assert_eq!(
            (reach.settle(one), reach.settle(one), reach.settle(other)),
            (Some(3), None, None)
        );
        assert!(reach.challenge(one, true) && !reach.challenge(other, true));
        assert!(!reach.may_challenge(one) && reach.may_greet(one));
    }

    #[test]
    fn the_link_that_was_silent_longest_makes_room_and_never_the_path() {
        let all: [LinkKey; LINKS_EACH] = links();
        let mut reach = Reach::new(ms(0));
        let heard = |link: LinkKey| ms(1_000 - link.index() as u64);
        all.iter().take(LINKS_EACH - 1).for_each(|&link| reach.attach(link));
        assert_eq!(reach.spare(heard), None);
        reach.attach(all[LINKS_EACH - 1]);
        assert_eq!(reach.spare(heard), Some(all[LINKS_EACH - 1]));
        reach.move_to(all[LINKS_EACH - 1]);
        assert_eq!(reach.spare(heard), Some(all[LINKS_EACH - 2]));
    }

    #[test]
    fn other_ways_are_tried_ever_more_rarely_until_they_are_heard() {
        let [path, other] = links();
        let mut reach = Reach::new(ms(0));
        reach.attach(path);
        reach.attach(other);
        let never = |_: LinkKey| Time::ZERO;
        assert_eq!(reach.reroute(ms(9_000), never, |_| true), Reroute::None, "there is no path");
        reach.move_to(path);
        assert_eq!(reach.reroute(ms(9_000), never, |_| false), Reroute::None, "it answers");
        let anywhere = Reroute::Anywhere { but: path };
        let mut tried = Vec::new();
        for s in 9..60 {
            match reach.reroute(ms(s * 1_000), never, |_| true) {
                Reroute::Later { heard } => assert!(!heard),
                way => {
                    assert_eq!(way, anywhere);
                    tried.push(s);
                }
            }
        }
        assert_eq!(tried, [9, 11, 15, 23, 39, 55]);
        reach.heard();
        let later = |link: LinkKey| if link == other { ms(60_000) } else { ms(1) };
        let silent = |link: LinkKey| link == path;
        assert_eq!(reach.reroute(ms(60_000), later, silent), Reroute::Over(other));
        assert_eq!(reach.reroute(ms(60_001), later, silent), Reroute::Later { heard: true });
    }
}
