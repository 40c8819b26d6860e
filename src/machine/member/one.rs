//! One member: who they are, the ways to them, whether they are here, and what is said both ways.

use core::net::{IpAddr, SocketAddr};

use super::{LEASE, PING_EVERY};
use crate::machine::call::{Arrival, Calls};
use crate::machine::event::Why;
use crate::machine::inward::InStream;
use crate::machine::name::{Look, Name};
use crate::machine::pace::{Notice, Pace};
use crate::machine::speech::OutStream;
use crate::machine::time::Time;
use crate::machine::token::{LinkKey, Purpose};
use crate::machine::who::beacon::Beacon;
use crate::machine::who::identity::Person;

#[derive(Debug, Hash)]
pub(crate) struct Member {
    pub(crate) beacon: Beacon,
    /// What they are called: the name of their beacon, or soon.
    pub(super) name: Name,
    pub(super) look: Look,
    /// Where the nodeset saw them.
    pub(super) seen: Option<SocketAddr>,
    /// The ways to them that are tried or in use.
    pub(super) links: Vec<Route>,
    /// The link that answered.
    pub(super) path: Option<LinkKey>,
    /// The link their newest datagram came over.
    pub(super) newest: Option<LinkKey>,
    /// Where they answered last, once they are gone.
    pub(super) last: Option<SocketAddr>,
    pub(super) standing: Standing,
    /// The nodeset vouches for them.
    pub(super) introduced: bool,
    /// The addresses of the beacon that it brought. What they say of themselves later vouches for none.
    pub(super) vouched: Vec<SocketAddr>,
    /// We came after them, and found them: it is us who try these addresses. Whoever came after us
    /// tries ours; so an address that somebody names is tried by who comes, and not by a whole room.
    pub(super) found: bool,
    /// Where they introduced themselves from, if nobody else did.
    pub(super) source: Option<IpAddr>,
    /// When they are given up, and why.
    pub(super) gone_at: Time,
    pub(super) why: Why,
    /// When the next round of hellos is due; `None` while they are not needed, or one is under way.
    pub(super) greet_at: Option<Time>,
    pub(super) rounds: u32,
    /// Addresses of their beacon that were not tried in this round, and when the next one is.
    pub(super) untried: Vec<SocketAddr>,
    pub(super) try_at: Option<Time>,
    /// What they have said, and that they are called otherwise by their beacon.
    pub(super) said: Pace,
    pub(super) renamed: Notice,
    /// Messages of theirs that are missing, and that they are.
    pub(super) missing: u64,
    pub(super) told_missing: Notice,
    pub(super) ping_at: Time,
    /// The link over which they are being asked whether they are there.
    pub(super) pinging: Option<LinkKey>,
    /// When other ways than the path were tried last, and how often since they were heard.
    pub(super) rerouted: Time,
    pub(super) reroutes: u32,
    /// Whether something was heard that does not prove that they are still alive.
    pub(super) hint: Hint,
    /// They have said that they do not know us, and neither answered a hello nor said one since.
    pub(super) estranged: bool,
    /// Something of theirs came since they were here, if only a handshake.
    pub(super) heard: bool,
    pub(super) out: OutStream,
    pub(super) inward: InStream,
}

/// One way to a member.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Route {
    pub(super) link: LinkKey,
    /// A hello is open here, with our beacon of that number.
    pub(super) greeting: Option<u32>,
    /// They are asked whether they are there.
    pub(super) challenged: bool,
}

/// What may have been on its way for long: it keeps nobody here, but they are asked before they are
/// given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Hint {
    /// Nothing like that since they last proved to be alive.
    None,
    /// Something came.
    Given,
    /// They got a few seconds more for it.
    Spent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Standing {
    /// Known of, not yet answered.
    Hidden,
    /// Here.
    Shown,
    /// Timed out; looked for until then.
    Absent { until: Time },
    /// Said goodbye, or was replaced; remembered until then, so that nothing late brings them back.
    Left { until: Time },
}

impl Member {
    pub(crate) fn person(&self) -> Person {
        Person { name: self.name.clone(), ..self.beacon.person() }
    }

    /// Whether they are here to read what others say, and not only to say something.
    pub(crate) const fn is_reader(&self) -> bool {
        !self.beacon.once
    }

    pub(crate) fn is_shown(&self) -> bool {
        self.standing == Standing::Shown
    }

    /// The path, when it works: it was heard lately and answers.
    pub(super) fn working_path(&self, now: Time, calls: &Calls<Purpose>) -> Option<LinkKey> {
        let works =
            |path: &LinkKey| now.since(calls.heard(*path)) < PING_EVERY && !calls.is_silent(*path);
        self.path.filter(works)
    }

    pub(crate) const fn path(&self) -> Option<LinkKey> {
        self.path
    }

    /// Whether they take what is said to them, as far as we know.
    pub(crate) const fn reads(&self) -> bool {
        !self.out.told_unread
    }

    pub(crate) fn unacked(&self) -> usize {
        self.out.unacked()
    }

    /// Whether that is the stream on which they speak to us.
    pub(crate) const fn hears(&self, stream: u32) -> bool {
        self.inward.is(stream)
    }

    pub(crate) const fn inward(&mut self) -> &mut InStream {
        &mut self.inward
    }

    pub(crate) const fn out(&mut self) -> &mut OutStream {
        &mut self.out
    }

    /// Nobody answered where the nodeset saw them: its word is not enough.
    pub(crate) const fn did_not_answer(&mut self) {
        self.introduced = false;
    }

    /// Where the nodeset saw them.
    pub(crate) const fn seen(&self) -> Option<SocketAddr> {
        self.seen
    }

    /// Whether a nodeset vouches for them, and it or they name that address. A link of theirs proves
    /// nothing before they have answered there: somebody on the path may send on what they say.
    pub(super) fn is_introduced_at(&self, addr: SocketAddr) -> bool {
        self.introduced && (self.seen == Some(addr) || self.vouched.contains(&addr))
    }

    /// How many bytes may be sent to where a datagram of theirs came from before they have answered there;
    /// no limit at an address of theirs that we know.
    pub(super) fn credit_at(&self, arrival: &Arrival) -> Option<usize> {
        if self.is_introduced_at(arrival.from) { None } else { Some(arrival.credit) }
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.standing, Standing::Absent { .. } | Standing::Left { .. })
    }

    pub(super) fn has_left(&self) -> bool {
        matches!(self.standing, Standing::Left { .. })
    }

    /// A sign of life extends the lease, unless they do not know us: then only a hello does, or the
    /// answer to one.
    pub(super) fn lives(&mut self, now: Time) {
        self.reroutes = 0;
        if !self.estranged {
            self.gone_at = now + LEASE;
            self.why = Why::Timeout;
            self.hint = Hint::None;
        }
    }

    /// Something was heard that may be old.
    pub(super) fn hints(&mut self) {
        self.heard |= !self.is_gone();
        if self.hint == Hint::None && !self.estranged {
            self.hint = Hint::Given;
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        let ping = (self.path.is_some() && self.pinging.is_none()).then_some(self.ping_at);
        let until = match self.standing {
            Standing::Hidden => Some(self.gone_at),
            Standing::Shown => {
                let stream = [self.out.resumes_at(), self.out.unread_at()];
                let told = [self.renamed.due(), self.told_missing.due()];
                stream.into_iter().chain(told).flatten().chain(ping).chain([self.gone_at]).min()
            }
            Standing::Absent { until } | Standing::Left { until } => Some(until),
        };
        [self.greet_at, self.try_at, until].into_iter().flatten().min()
    }
}
