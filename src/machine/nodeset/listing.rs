//! The machine behind `chatrpc who`: reads a room's roster without joining, shows it, and is done.

use std::collections::BTreeMap;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::contact::{DOORS_MAX, Doors, PATIENCE};
use super::find::{Find, Found};
use crate::machine::call::{Arrival, Calls, Part, Parts, Refused};
use crate::machine::contract::{Action, Blame, Input, Machine, Table, Wake};
use crate::machine::digest::digest;
use crate::machine::event::Listed;
use crate::machine::event::{Event, Exit};
use crate::machine::looks::all_alike;
use crate::machine::outbox::Outbox;
use crate::machine::purpose::Ask;
use crate::machine::rng::Seed;
use crate::machine::time::Time;
use crate::machine::who::beacon::Signed;
use crate::machine::who::identity::Person;
use crate::machine::who::ids::{Handle, Incarnation, PeerId};
use crate::machine::who::noise::Noise;
use crate::machine::who::room::Room;
use crate::machine::who::suite::Suite;
use crate::machine::wire::{self, Change, Sender};

/// People listed at most: a nodeset that names more is not believed.
const LISTED_MAX: usize = 4096;

/// What a [`Listing`] is made from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListingConfig {
    /// Entropy.
    pub seed: Seed,
    /// When this process started.
    pub incarnation: Incarnation,
    /// How things are sealed.
    pub suite: &'static dyn Suite,
    /// Which room.
    pub room: Room,
    /// Where the nodeset may be: all of these are asked, until one answers.
    pub nodesets: Vec<SocketAddr>,
    /// How long it is asked while it does not answer; `None` for ever.
    pub patience: Option<Duration>,
}

impl ListingConfig {
    /// Asks that nodeset for that room.
    #[must_use]
    pub fn new(seed: Seed, incarnation: Incarnation, room: Room, nodeset: SocketAddr) -> Self {
        let (nodesets, patience) = (vec![nodeset], Some(PATIENCE));
        Self { seed, incarnation, suite: &Noise, room, nodesets, patience }
    }
}

/// Asks a nodeset who is in a room: one [`Event::Listing`], an [`Event::Alike`] for each in it who could be
/// taken for another, then [`Exit::Left`].
#[derive(Debug)]
pub struct Listing {
    config: ListingConfig,
    now: Time,
    calls: Calls<Ask>,
    find: Option<Find>,
    found: BTreeMap<(Handle, PeerId), Listed>,
    out: Outbox,
    done: bool,
    /// How it ended, until that is told.
    exit: Option<Exit>,
}

impl Listing {
    /// A machine that asks at its first input.
    pub fn new(config: ListingConfig) -> Self {
        let (rng, room) = (config.seed.stream("calls"), config.room.clone());
        let calls = Calls::asking(config.incarnation.get(), DOORS_MAX, rng, room);
        let (found, out) = (BTreeMap::new(), Outbox::default());
        let now = Time::ZERO;
        Self { config, now, calls, find: None, found, out, done: false, exit: None }
    }

    /// Whether the last call to the nodeset did not fail.
    pub fn hears_nodeset(&self) -> bool {
        self.find.as_ref().is_none_or(|find| !find.contact().is_silent())
    }

    fn datagram(&mut self, now: Time, (from, at): (SocketAddr, Option<IpAddr>), bytes: &[u8]) {
        let (mut nothing, mut parts) = (Vec::new(), Parts::default());
        let buffers = (&mut nothing, &mut parts);
        let received = self.calls.receive(now, (from, at), bytes, buffers, &mut self.out);
        let junk = matches!(received, Err(Refused::Malformed | Refused::Unaddressed));
        if let Some(find) =
            self.find.as_mut().filter(|_| junk && self.config.nodesets.contains(&from))
        {
            find.heard_junk();
        }
        let Ok(arrival @ Arrival { link: Some(_), sender: Sender::Open(sender), .. }) = received
        else {
            return;
        };
        for part in parts.drain() {
            let Some(find) = self.find.as_mut().filter(|_| !self.done) else { return };
            match part {
                Part::Request { .. } => find.heard_junk(),
                Part::Answer { call, about: Ask::Who { have }, response } => {
                    let Some(link) = self.calls.answered(now, &arrival, call) else { continue };
                    let found = find.answered(now, (link, have), sender, response, &mut self.calls);
                    self.take(found);
                }
                Part::Answer { .. } | Part::Late => self.calls.late(now, &arrival),
            }
        }
    }

    fn over(&mut self, exit: Exit) {
        self.done = true;
        self.exit = Some(exit);
    }

    fn take(&mut self, found: Found) {
        let (changes, last) = match found {
            Found::Nothing => return,
            Found::Part(changes) => (changes, false),
            Found::All(_, changes) => (changes, true),
            Found::Over(exit) => return self.over(exit),
        };
        for change in changes {
            match change {
                Change::Present(listed) if self.found.len() < LISTED_MAX => self.list(&listed),
                Change::Present(_) => {}
                Change::Gone(gone) => self.found.retain(|(handle, _), _| *handle != gone.handle),
            }
        }
        if last {
            let mut found: Vec<Listed> = core::mem::take(&mut self.found).into_values().collect();
            found.sort_by_key(|listed| listed.who.id);
            let people: Vec<Person> = found.iter().map(|listed| listed.who.clone()).collect();
            self.out.show(Event::Listing(found));
            for (one, like, others) in all_alike(&people) {
                self.out.show(Event::Alike { one, like, others });
            }
            self.over(Exit::Left { undelivered: 0 });
        }
    }

    /// Takes in what somebody says of themselves, and not what a nodeset says of them.
    fn list(&mut self, listed: &wire::Listed) {
        let ListingConfig { suite, room, .. } = &self.config;
        let opened = listed.sealed.open(*suite, room);
        let named = |signed: &Signed| signed.beacon.handle == listed.handle;
        match opened.filter(named).filter(|signed| signed.is_genuine(*suite, room)) {
            // Who only came to say something is gone in a moment.
            Some(signed) if signed.beacon.once => {}
            Some(signed) => {
                let who = signed.beacon.person();
                self.found.insert((listed.handle, who.id), Listed { who, addr: listed.seen });
            }
            None => self.calls.blame.unauthenticated += 1,
        }
    }
}

impl Machine for Listing {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        self.now = self.now.max(now);
        let now = self.now;
        if self.done {
            return;
        }
        if self.find.is_none() {
            let (mut rng, config) = (self.config.seed.stream("client"), &self.config);
            let tag = config.room.tag();
            let doors = Doors::new(&config.nodesets, config.patience);
            self.find = Find::start(now, doors, tag, &mut rng, &mut self.calls);
        }
        match input {
            Input::Datagram { from, at, bytes } => self.datagram(now, (from, at), bytes),
            Input::Unreachable(addr) => {
                let find = self.find.as_mut();
                let exit = find.and_then(|find| find.refused(now, addr, &mut self.calls));
                exit.into_iter().for_each(|exit| self.over(exit));
            }
            Input::Nodesets(addrs) => {
                if let Some(find) = &mut self.find {
                    find.also_at(now, addrs);
                }
            }
            _ => {}
        }
        let find = self.find.as_mut().filter(|_| !self.done);
        if let Some(exit) = find.and_then(|find| find.tick(now, &mut self.calls)) {
            self.over(exit);
        }
        while !self.done
            && let Some(find) = &mut self.find
            && let Some((link, ask)) = self.calls.expired(now)
        {
            let Ask::Who { have } = ask else { continue };
            if let Some(exit) = find.failed(now, (link, have), &mut self.calls) {
                self.over(exit);
            }
        }
        self.calls.flush(now, &mut self.out);
        // Nothing follows it.
        if let Some(exit) = self.exit.take() {
            self.out.exit(exit);
        }
    }

    fn poll(&mut self) -> Option<Action<'_>> {
        self.out.poll()
    }

    fn next_wake(&self) -> Option<Wake> {
        if self.done {
            return None;
        }
        let Some(find) = &self.find else {
            return Some(Wake { at: self.now + Duration::from_micros(1), why: "start" });
        };
        let call = self.calls.next_wake().map(|at| Wake { at, why: "call" });
        call.into_iter().chain(find.next_wake().map(|at| Wake { at, why: "nodeset" })).min()
    }

    fn footprint(&self) -> Vec<Table> {
        let mut tables = self.calls.footprint();
        tables.extend(self.find.iter().map(Find::footprint));
        tables.push(Table { name: "listed", len: self.found.len(), limit: LISTED_MAX });
        tables
    }

    fn blame(&self) -> Blame {
        self.calls.blame
    }

    fn digest(&self) -> u64 {
        let Self { find, calls, found, done, exit, .. } = self;
        digest(&(find, calls, found, done, exit))
    }

    fn check(&self) {
        self.calls.check();
        self.find.iter().for_each(Find::check);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{FIRST, ms, nodeset, page};
    use super::*;
    use crate::machine::contract::drain;
    use crate::machine::name::Name;
    use crate::machine::wire::{Datagram, put_header, put_response};
    use crate::machine::wire::{Packet, Response};

    fn start(incarnation: Incarnation) -> (Listing, Vec<u32>) {
        let room = Room::new(Name::parse("lobby").expect("a name"), None);
        let config = ListingConfig::new(Seed([1; 32]), incarnation, room, nodeset());
        let (mut listing, mut asked) = (Listing::new(config), Vec::new());
        for now in [ms(0), ms(100)] {
            drain(&mut listing, now, Input::Tick, |action| {
                let Action::Send { bytes, .. } = action else { panic!("{action:?}") };
                for packet in Datagram::decode(bytes).expect("an honest datagram").packets() {
                    let Packet::Request { seq, .. } = packet else { panic!("{packet:?}") };
                    asked.push(seq);
                }
            });
        }
        (listing, asked)
    }

    /// Who asks a nodeset with several addresses, and what it did: when it asked where, and how it ended.
    struct Asker {
        listing: Listing,
        asked: Vec<(u64, SocketAddr, u32)>,
        exit: Option<Exit>,
    }

    impl Asker {
        fn of(addrs: [SocketAddr; 3]) -> Self {
            let room = Room::new(Name::parse("lobby").expect("a name"), None);
            let mut config = ListingConfig::new(Seed([1; 32]), Incarnation::at(1), room, addrs[0]);
            config.nodesets = addrs.to_vec();
            Self { listing: Listing::new(config), asked: Vec::new(), exit: None }
        }

        fn feed(&mut self, at: u64, input: Input<'_>) {
            let Self { listing, asked, exit } = self;
            drain(listing, ms(at), input, |action| match action {
                Action::Send { to, bytes, .. } => {
                    for packet in Datagram::decode(bytes).expect("in the open").packets() {
                        let Packet::Request { seq, .. } = packet else { panic!("{packet:?}") };
                        asked.push((at, to, seq));
                    }
                }
                Action::Exit(how) => *exit = Some(how),
                Action::Show(_) => {}
            });
            self.listing.check();
        }

        /// Lets the time pass until then, in steps of 10 ms.
        fn wait(&mut self, from: u64, until: u64) {
            (from / 10..=until / 10).for_each(|at| self.feed(at * 10, Input::Tick));
        }

        fn answer(&mut self, at: u64, from: SocketAddr, seq: u32, response: &Response) {
            let mut bytes = Vec::new();
            put_header(&mut bytes, FIRST, 1, 1, 0);
            put_response(&mut bytes, seq, response);
            self.feed(at, Input::Datagram { from, at: None, bytes: &bytes });
        }

        fn first_asked(&self, addr: SocketAddr) -> Option<u64> {
            self.asked.iter().find(|(_, to, _)| *to == addr).map(|(at, ..)| *at)
        }
    }

    fn three() -> [SocketAddr; 3] {
        ["192.0.2.1:7", "[2001:db8::1]:7", "10.0.0.1:7"].map(|addr| addr.parse().expect("one"))
    }

    /// A name whose first address was dead, or of a family that there is no route for, was not joined.
    #[test]
    fn every_address_of_a_name_is_asked_until_one_answers() {
        let [dead, other, alive] = three();
        let mut asker = Asker::of(three());
        asker.wait(0, 600);
        assert_eq!(
            [dead, other, alive].map(|addr| asker.first_asked(addr)),
            [Some(0), Some(250), Some(500)]
        );
        let &(.., seq) = asker.asked.iter().find(|(_, to, _)| *to == alive).expect("it is asked");
        asker.answer(610, alive, seq, &Response::Cookie([7; 8]));
        let before = asker.asked.len();
        assert_eq!(asker.asked.last().map(|(_, to, _)| *to), Some(alive), "with the cookie");
        asker.wait(610, 5_000);
        let later = &asker.asked[before..];
        assert!(!later.is_empty() && later.iter().all(|(_, to, _)| *to == alive), "{later:?}");
        let &(.., seq) = asker.asked.last().expect("it was asked");
        asker.answer(5_010, alive, seq, &Response::Page(page(0, 0, 0, 0)));
        assert_eq!(asker.exit, Some(Exit::Left { undelivered: 0 }));
    }

    /// One of them may lie, or be something else: it is not the last word, unless it has it.
    #[test]
    fn who_lets_nobody_in_is_not_the_last_to_be_asked() {
        let [full, foreign, nonsense] = three();
        let answers = [
            (full, 250, Response::Full, Exit::Full),
            (foreign, 270, Response::Version(9), Exit::Version { theirs: 9 }),
            (nonsense, 290, Response::Unknown, Exit::NotChatrpc),
        ];
        let mut asker = Asker::of(three());
        asker.wait(0, 240);
        for (at, (addr, now, response, exit)) in answers.into_iter().enumerate() {
            asker.wait(now, now);
            let asked = asker.asked.iter().find(|(_, to, _)| *to == addr);
            let &(.., seq) = asked.expect("it is its turn");
            asker.answer(now + 5, addr, seq, &response);
            assert_eq!(asker.exit, (at == 2).then_some(exit), "{addr}");
        }
    }

    #[test]
    fn where_nobody_listens_the_next_address_is_asked_at_once() {
        let [first, second, third] = three();
        let mut asker = Asker::of(three());
        asker.wait(0, 20);
        asker.feed(21, Input::Unreachable(first));
        assert_eq!((asker.first_asked(second), &asker.exit), (Some(21), &None));
        asker.feed(22, Input::Unreachable(second));
        assert_eq!((asker.first_asked(third), &asker.exit), (Some(22), &None));
        asker.feed(23, Input::Unreachable(second));
        assert_eq!(asker.exit, None, "that is known");
        asker.feed(24, Input::Unreachable(third));
        assert_eq!(asker.exit, Some(Exit::NobodyListens));
    }

    /// An address that is found later is asked as well, and no more than a few ever are.
    #[test]
    fn what_is_found_later_is_asked_too() {
        let [first, ..] = three();
        let mut asker = Asker::of([first; 3]);
        asker.wait(0, 1_000);
        assert!(asker.asked.iter().all(|(_, to, _)| *to == first));
        let many: Vec<SocketAddr> =
            (1..100).map(|n| SocketAddr::from(([10, 1, 0, n], 7))).collect();
        asker.feed(1_001, Input::Nodesets(&many));
        asker.wait(1_010, 14_000);
        let all: std::collections::BTreeSet<_> = asker.asked.iter().map(|(_, to, _)| *to).collect();
        assert_eq!(all.len(), DOORS_MAX);
        asker.wait(14_010, 15_000);
        let waited = PATIENCE;
        assert_eq!(asker.exit, Some(Exit::NoNodeset { waited }));
    }

    /// An answer that took longer than all five sends of a call came for a call that was over.
    #[test]
    fn an_answer_that_takes_seconds_is_believed() {
        for delay in [4_000, 6_000] {
            let [addr, ..] = three();
            let mut asker = Asker::of([addr; 3]);
            let (mut now, mut answered) = (0, 0);
            while asker.exit.is_none() {
                asker.feed(now, Input::Tick);
                while let Some(&(at, to, seq)) = asker.asked.get(answered)
                    && at + delay <= now
                {
                    answered += 1;
                    let page = Response::Page(page(0, 0, 0, 0));
                    let cookie = Response::Cookie([7; 8]);
                    asker.answer(now, to, seq, if at < delay { &cookie } else { &page });
                }
                now += 10;
            }
            assert_eq!(asker.exit, Some(Exit::Left { undelivered: 0 }), "{delay} ms, at {now} ms");
            assert!(now < 4 * delay, "{now} ms");
        }
    }

    /// The second first question was due at the very moment at which the network said that nobody listens,
    /// and was sent behind the exit.
    #[test]
    fn nothing_is_asked_behind_the_exit() {
        let room = Room::new(Name::parse("lobby").expect("a name"), None);
        let config = ListingConfig::new(Seed([1; 32]), Incarnation::at(1), room, nodeset());
        let mut listing = Listing::new(config);
        drain(&mut listing, ms(0), Input::Tick, |_| {});
        let mut last = None;
        drain(&mut listing, ms(100), Input::Unreachable(nodeset()), |action| {
            assert!(!matches!(last, Some(true)), "{action:?}");
            last = Some(matches!(action, Action::Exit(_)));
        });
        assert_eq!(last, Some(true));
    }

    /// A nodeset may put two answers into one datagram. The second one was taken for news after the
    /// first had ended it all, and a program that had been told to exit was told so again.
    #[test]
    fn nothing_follows_the_exit() {
        let empty = Response::Page(page(0, 0, 0, 0));
        let ends = [empty, Response::Full, Response::Version(9), Response::Unknown];
        for (first, second) in
            ends.iter().flat_map(|first| ends.iter().map(move |end| (first, end)))
        {
            let incarnation = Incarnation::at(1);
            let (mut listing, asked) = start(incarnation);
            assert_eq!(asked.len(), 2, "the first question is asked twice");
            let mut bytes = Vec::new();
            put_header(&mut bytes, FIRST, incarnation.get(), 1, 0);
            put_response(&mut bytes, asked[0], first);
            put_response(&mut bytes, asked[1], second);
            let (mut listings, mut exits) = (0, 0);
            let input = Input::Datagram { from: nodeset(), at: None, bytes: &bytes };
            drain(&mut listing, ms(120), input, |action| {
                assert_eq!(exits, 0, "{action:?}");
                listings += usize::from(matches!(action, Action::Show(Event::Listing(_))));
                exits += usize::from(matches!(action, Action::Exit(_)));
            });
            assert_eq!((exits, listings), (1, usize::from(matches!(first, Response::Page(_)))));
        }
    }
}
