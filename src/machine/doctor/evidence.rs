//! What was found at each address that was asked.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

/// Round trips that are remembered of one address.
pub const TIMES_MAX: usize = 64;

/// Questions of one size, and their answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tally {
    /// How many were answered, or not in time. Those of which it is not known yet do not count.
    pub asked: u32,
    /// How long each answer took, the first few of them.
    pub times: Vec<Duration>,
    /// How many were answered.
    pub answered: u32,
}

impl Tally {
    /// One was answered.
    pub fn note_answer(&mut self, took: Duration) {
        (self.asked, self.answered) = (self.asked + 1, self.answered + 1);
        if self.times.len() < TIMES_MAX {
            self.times.push(took);
        }
    }

    /// One was not answered in time.
    pub const fn note_loss(&mut self) {
        self.asked += 1;
    }

    /// How many were not answered.
    pub const fn lost(&self) -> u32 {
        self.asked.saturating_sub(self.answered)
    }

    /// The round trip in the middle of all.
    pub fn median(&self) -> Option<Duration> {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    /// The longest round trip.
    pub fn longest(&self) -> Option<Duration> {
        self.times.iter().max().copied()
    }
}

/// Who answered, in this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// A nodeset.
    Nodeset,
    /// A member of the room, who lets others in.
    Member,
    /// Something that speaks another version.
    Version {
        /// Which one.
        theirs: u8,
    },
}

/// What the operating system says when something is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum System {
    /// No network is reached (ENETUNREACH), or there is no address to send from.
    NoRoute,
    /// The host is not reached (EHOSTUNREACH).
    NoHost,
    /// It is not permitted (EPERM, EACCES).
    NotPermitted,
    /// The address, or the way to it, makes no sense to the system (EINVAL).
    Invalid,
    /// Anything else, in its words.
    Other(String),
}

/// What the network says of what was sent there (ICMP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Said {
    /// Nothing listens at that port.
    NobodyListens,
    /// This computer says that nobody on its own network answers for that address (ARP, neighbour discovery).
    NobodyThere,
    /// A router says that something forbids it.
    Forbidden(IpAddr),
    /// A router says that it has passed too many of them.
    Loops(IpAddr),
    /// A router knows no way to that network, or nobody behind it answers for that address.
    KnowsNone(IpAddr),
}

/// How far the addresses of a computer lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// To nobody else.
    #[default]
    None,
    /// Over one cable (169.254.0.0/16, fe80::/10).
    Cable,
    /// Further.
    Wide,
}

/// How far the addresses of this computer lead, of each family, on interfaces that are up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Local {
    /// Those of IPv4.
    pub v4: Reach,
    /// Those of IPv6.
    pub v6: Reach,
}

/// What is known of one address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Evidence {
    /// Which one.
    pub addr: SocketAddr,
    /// Questions that fit wherever anything does.
    pub small: Tally,
    /// Questions that are as large as a datagram may be, and so are their answers.
    pub large: Tally,
    /// Who answered.
    pub answer: Option<Answer>,
    /// Something came from there that is not this protocol.
    pub junk: bool,
    /// What was asked there was answered from this address.
    pub from: Option<SocketAddr>,
    /// What the system said when it was to send, last.
    pub system: Option<System>,
    /// What the network said.
    pub said: Option<Said>,
}

impl Evidence {
    /// Nothing is known yet.
    pub fn of(addr: SocketAddr) -> Self {
        Self {
            addr,
            small: Tally::default(),
            large: Tally::default(),
            answer: None,
            junk: false,
            from: None,
            system: None,
            said: None,
        }
    }

    /// Whether a nodeset or a member of this version answers there.
    pub const fn answers(&self) -> bool {
        matches!(self.answer, Some(Answer::Nodeset | Answer::Member))
    }
}

/// All that asking has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Examined {
    /// Each address.
    pub asked: Vec<Evidence>,
    /// How many people are in the room; `None` when nobody said so.
    pub listed: Option<usize>,
    /// How many are in other rooms of the nodeset, at most 9; `None` when nobody said so.
    pub elsewhere: Option<u8>,
    /// It takes no more members.
    pub full: bool,
    /// The nodeset, or somebody in the room, started so much later than it is here: a clock is wrong.
    pub ahead: Duration,
}
