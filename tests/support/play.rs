//! Scripts, played by real machines on a network of 10 ms, undisturbed or with one datagram too many.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use chatrpc::machine::{
    Action, Event, Identity, Incarnation, Input, Machine, MessageId, Name, Peer, PeerConfig,
    PeerId, Registry, RegistryConfig, Seed, Time, Wake, drain,
};
use chatrpc_sim::standin::StandIn;

use crate::insider::{Insider, room};

const SECOND: u64 = 1_000_000;
pub(crate) const NODESET: SocketAddr = at(1, 7);
/// Where the crowd is: at several addresses, since each source has a share of its own.
pub(crate) const CROWD: [IpAddr; 4] =
    [at(96, 1).ip(), at(97, 1).ip(), at(98, 1).ip(), at(99, 1).ip()];
/// An address at which nobody listens, and of which nobody has heard.
pub(crate) const STRANGER: SocketAddr = at(66, 6);
const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

const fn at(host: u8, port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), port))
}

/// What happens in a script, to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Act {
    Enter(usize),
    Say(usize, &'static str),
    /// The address translation in front of them forgets them: they go on under another port.
    Move(usize),
    /// So many shake hands with them that others have to show a cookie.
    Crowd(usize),
    /// Everybody looks who is here, and where.
    Look,
}

/// Acts, each with its instant in milliseconds.
pub(crate) type Script = Vec<(u64, Act)>;

/// A datagram as it was delivered, during which act.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
    pub(crate) act: usize,
    /// So long after the act that it does not come of it.
    pub(crate) idle: bool,
}

impl Sent {
    pub(crate) fn kind(&self) -> u8 {
        self.bytes[0]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
    Later,
}

/// What is made from the `nth` datagram of a script.
#[derive(Debug)]
pub(crate) struct Forgery {
    pub(crate) what: String,
    pub(crate) nth: usize,
    pub(crate) when: When,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// What somebody was shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shown {
    act: usize,
    who: usize,
    at: u64,
    pub(crate) event: String,
    /// The event without what is measured in time, if there is such a thing in it.
    gist: Option<String>,
}

/// A message, as its author and its readers have it.
#[derive(Clone, Debug, Default)]
struct Said {
    text: String,
    readers: usize,
    acked: usize,
    read: BTreeMap<usize, Vec<String>>,
}

/// A nodeset and people on a network of 10 ms.
pub(crate) struct World<'a> {
    now: u64,
    act: usize,
    /// When the act began.
    began: u64,
    nodeset: Registry,
    people: Vec<(SocketAddr, Option<Peer>)>,
    wire: BTreeMap<(u64, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    put: u64,
    /// Datagrams that were delivered; kept while there is nothing to compare with.
    delivered: usize,
    pub(crate) sent: Vec<Sent>,
    forgery: Option<&'a Forgery>,
    /// Bytes that were sent to the stranger.
    pub(crate) astray: usize,
    pub(crate) shown: Vec<Shown>,
    said: BTreeMap<MessageId, Said>,
    /// Who has left, or is leaving.
    gone: BTreeSet<PeerId>,
    /// What nobody may be told.
    pub(crate) lies: Vec<String>,
}

impl<'a> World<'a> {
    pub(crate) fn play(script: &Script, forgery: Option<&'a Forgery>) -> Self {
        let config = RegistryConfig::new(Seed([9; 32]), Incarnation::at(500), 64);
        let mut world = World {
            now: 0,
            act: 0,
            began: 0,
            nodeset: Registry::new(config),
            people: Vec::new(),
            wire: BTreeMap::new(),
            put: 0,
            delivered: 0,
            sent: Vec::new(),
            forgery,
            astray: 0,
            shown: Vec::new(),
            said: BTreeMap::new(),
            gone: BTreeSet::new(),
            lies: Vec::new(),
        };
        for (n, &(at, act)) in script.iter().enumerate() {
            world.run_until(at * 1_000);
            (world.act, world.began) = (n, world.now);
            world.perform(act);
        }
        world.run_until(world.now + 6 * SECOND);
        world
    }

    fn perform(&mut self, act: Act) {
        match act {
            Act::Enter(n) => {
                let addr = at(n as u8 + 2, 7);
                self.people.push((addr, Some(Peer::new(person(n, addr)))));
                self.feed(addr, Input::Tick);
            }
            Act::Say(n, line) => self.feed(self.people[n].0, Input::Line(line)),
            Act::Move(n) => self.people[n].0.set_port(8),
            Act::Look => {
                let addrs: Vec<SocketAddr> = self.people.iter().map(|(addr, _)| *addr).collect();
                addrs.into_iter().for_each(|addr| self.feed(addr, Input::Line("/who")));
            }
            Act::Crowd(n) => {
                let to = person(n, STRANGER);
                let mut one = Insider::new(99, 2_000).sealing(&StandIn);
                for port in 1..140 {
                    one.incarnation += 1;
                    let (bytes, _) = one.init((to.identity.public(), to.incarnation.get()));
                    let from = SocketAddr::new(CROWD[usize::from(port) % CROWD.len()], port);
                    let input = Input::Datagram { from, at: None, bytes: &bytes };
                    self.feed(self.people[n].0, input);
                }
            }
        }
    }

    /// Hands something to whoever is at an address.
    fn feed(&mut self, addr: SocketAddr, input: Input<'_>) {
        let now = Time::from_micros(self.now);
        if addr == NODESET {
            let Self { nodeset, wire, put, astray, now: us, .. } = self;
            drain(nodeset, now, input, |action| {
                if let Action::Send { to, bytes, .. } = action {
                    *astray += if to == STRANGER { bytes.len() } else { 0 };
                    *put += 1;
                    wire.insert((*us + 10_000, *put), (NODESET, to, bytes.to_vec()));
                }
            });
            return;
        }
        let Some(who) = self.people.iter().position(|(at, _)| *at == addr) else { return };
        let Some(mut peer) = self.people[who].1.take() else { return };
        let (me, mut over) = (peer.me().id, false);
        drain(&mut peer, now, input, |action| match action {
            Action::Send { to, bytes, .. } => {
                self.astray += if to == STRANGER { bytes.len() } else { 0 };
                self.put += 1;
                self.wire.insert((self.now + 10_000, self.put), (addr, to, bytes.to_vec()));
            }
            Action::Show(event) => self.show(who, me, &event),
            Action::Exit(exit) => {
                over = true;
                self.gone.insert(me);
                let event = format!("{exit:?}");
                self.shown.push(Shown { act: self.act, who, at: self.now, event, gist: None });
            }
        });
        self.people[who].1 = Some(peer).filter(|_| !over);
    }

    fn show(&mut self, who: usize, me: PeerId, event: &Event<'_>) {
        match event {
            Event::Sent { id, text, readers, .. } => {
                let said = self.said.entry(*id).or_default();
                (said.text, said.readers) = (text.to_string(), *readers);
            }
            // Who came later reads what was said before.
            Event::Message { past: Some(past), .. } if past.replay => {}
            Event::Message { id, text, .. } => {
                let said = self.said.entry(*id).or_default();
                said.read.entry(who).or_default().push(text.to_string());
            }
            Event::Done { id, acked, failed, .. } => {
                self.said.entry(*id).or_default().acked = acked + failed.len();
                let here = failed.iter().find(|(one, _)| !self.gone.contains(&one.id));
                self.lies.extend(here.map(|lost| format!("{id} was lost: {lost:?}")));
            }
            Event::Leaving { .. } => self.gone.extend([me]),
            Event::Left { who, .. } if !self.gone.contains(&who.id) => {
                self.lies.push(format!("{who:?} is here"));
            }
            _ => {}
        }
        let gist = match event {
            Event::Acked { id, by, .. } => Some(format!("Acked {id} by {by:?}")),
            Event::People(people) => Some(people.iter().fold(String::new(), |mut text, one| {
                let _ = write!(text, "{:?} at {:?}, {} unacked; ", one.who, one.addr, one.unacked);
                text
            })),
            _ => None,
        };
        let event = format!("{event:?}");
        self.shown.push(Shown { act: self.act, who, at: self.now, event, gist });
    }

    fn forge(&mut self, when: When) {
        let now = self.delivered - 1;
        let due = |forgery: &&Forgery| forgery.nth == now && forgery.when == when;
        let Some(Forgery { from, to, bytes, .. }) = self.forgery.filter(due) else { return };
        if when == When::Later {
            self.wire.insert((self.now + 5 * SECOND, 0), (*from, *to, bytes.clone()));
            return;
        }
        self.feed(*to, Input::Datagram { from: *from, at: None, bytes });
        self.check();
    }

    fn check(&self) {
        self.nodeset.check();
        self.people.iter().flat_map(|(_, peer)| peer).for_each(Machine::check);
    }

    fn run_until(&mut self, until: u64) {
        loop {
            let peers = self.people.iter().flat_map(|(_, peer)| peer);
            let wakes = peers.map(Machine::next_wake).chain([self.nodeset.next_wake()]);
            let wakes = wakes.flatten().map(|wake| wake.at.as_micros());
            let next = wakes.chain(self.wire.keys().next().map(|key| key.0)).min();
            self.now = next.map_or(until, |next| next.clamp(self.now, until));
            if next.is_none_or(|next| next > until) {
                return self.check();
            }
            while let Some(entry) =
                self.wire.first_entry().filter(|entry| entry.key().0 <= self.now)
            {
                let ((_, put), (from, to, bytes)) = entry.remove_entry();
                let input = Input::Datagram { from, at: None, bytes: &bytes };
                if put == 0 {
                    self.feed(to, input);
                    continue;
                }
                self.delivered += 1;
                if self.forgery.is_none() {
                    let (act, idle) = (self.act, self.now > self.began + SECOND);
                    self.sent.push(Sent { from, to, bytes: bytes.clone(), act, idle });
                }
                self.forge(When::Before);
                self.feed(to, input);
                self.forge(When::After);
                self.forge(When::Later);
            }
            let now = Time::from_micros(self.now);
            let is_due = |wake: Option<Wake>| wake.is_some_and(|wake| wake.at <= now);
            for n in 0..self.people.len() {
                let (addr, peer) = &self.people[n];
                if is_due(peer.as_ref().and_then(Machine::next_wake)) {
                    self.feed(*addr, Input::Tick);
                }
            }
            if is_due(self.nodeset.next_wake()) {
                self.feed(NODESET, Input::Tick);
            }
        }
    }

    /// What the first so many people were shown, without what is measured in time, act by act.
    pub(crate) fn gist(&self, people: usize) -> Vec<(usize, usize, &String)> {
        let theirs = self.shown.iter().filter(|shown| shown.who < people);
        let gist = theirs.map(|s| (s.act, s.who, s.gist.as_ref().unwrap_or(&s.event)));
        let mut gists: Vec<_> = gist.collect();
        gists.sort_unstable();
        gists
    }

    /// Whether nobody was told that somebody has left who is here, and all that was said was shown to
    /// everybody it was said to who is here, once, and nothing else.
    pub(crate) fn is_sound(&self) -> bool {
        let arrived = |said: &Said| {
            let once = said.read.values().all(|texts| *texts == [said.text.as_str()]);
            once && said.read.len() <= said.readers && said.acked == said.readers
        };
        self.lies.is_empty() && self.said.values().all(arrived)
    }
}

fn person(n: usize, addr: SocketAddr) -> PeerConfig {
    let (seed, name) = (Seed([n as u8 + 20; 32]), Name::parse(NAMES[n]).expect("a name"));
    let (incarnation, identity) = (Incarnation::at(1_000 + n as u64), Identity::new(&seed.0));
    let mut config = PeerConfig::new(seed, incarnation, identity, room(), name, NODESET);
    (config.suite, config.addrs) = (&StandIn, vec![addr]);
    config
}
