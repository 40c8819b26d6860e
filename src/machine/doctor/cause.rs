//! What can be wrong, and how bad it is.

use core::fmt;

/// How bad a cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gravity {
    /// Nobody gets in like that.
    Fails,
    /// It works, and not as well as it could.
    Hinders,
    /// All is well.
    Well,
    /// Something to know.
    Remark,
}

/// What is wrong. The order is that in which it is told: what is in the way of everything else comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The port that was named cannot be had on this computer.
    CannotListen,
    /// No interface of this computer has an address that leads to others.
    NoNetwork,
    /// Its addresses lead over one cable alone, and what is asked is behind it.
    OnlyLinkLocal,
    /// It has no address of the family that is asked.
    NoFamily,
    /// The name has no address.
    Unresolved,
    /// Nobody says which address the name has.
    NamesSilent,
    /// This computer does not let it be sent.
    NotPermitted,
    /// An address of one cable without the interface it is behind.
    NoZone,
    /// A route of this computer throws it away.
    Discarded,
    /// No route leads there.
    NoRoute,
    /// The system cannot send it for another reason.
    CannotSend,
    /// A router says that something on the way forbids it.
    Forbidden,
    /// A router says that it went in circles.
    Loops,
    /// A router knows no way there.
    RouterKnowsNone,
    /// No computer on this network has that address.
    NobodyThere,
    /// There is a computer, and nothing listens at that port.
    NobodyListens,
    /// Something listens there that is no nodeset.
    NotChatrpc,
    /// It speaks another version of the protocol.
    Version,
    /// What was asked there is answered from elsewhere.
    AnsweredElsewhere,
    /// Nothing comes back.
    Silent,
    /// The nodeset takes no more members.
    Full,
    /// The nodeset of the room we are in does not answer.
    NodesetSilent,
    /// There is no way to somebody.
    NoWay,
    /// Somebody is heard, and does not hear us.
    Deaf,
    /// The network keeps its users apart.
    KeptApart,
    /// Large datagrams do not come through.
    LargeVanish,
    /// Much of what is sent is lost.
    Loss,
    /// Answers take long.
    Slow,
    /// One of several addresses leads nowhere.
    DeadAddress,
    /// Somebody is reached through a third.
    Relayed,
    /// Somebody takes nothing of what is said.
    Unread,
    /// Nobody is in this room, and somebody is in another one.
    Elsewhere,
    /// All is well.
    Well,
    /// Nobody is in this room.
    Empty,
    /// A clock is wrong.
    Clock,
    /// It is a member that answers, and no nodeset.
    Member,
    /// It is this computer that answers.
    ThisComputer,
}

impl Cause {
    /// All of them, in their order.
    pub const ALL: [Self; 37] = [
        Self::CannotListen,
        Self::NoNetwork,
        Self::OnlyLinkLocal,
        Self::NoFamily,
        Self::Unresolved,
        Self::NamesSilent,
        Self::NotPermitted,
        Self::NoZone,
        Self::Discarded,
        Self::NoRoute,
        Self::CannotSend,
        Self::Forbidden,
        Self::Loops,
        Self::RouterKnowsNone,
        Self::NobodyThere,
        Self::NobodyListens,
        Self::NotChatrpc,
        Self::Version,
        Self::AnsweredElsewhere,
        Self::Silent,
        Self::Full,
        Self::NodesetSilent,
        Self::NoWay,
        Self::Deaf,
        Self::KeptApart,
        Self::LargeVanish,
        Self::Loss,
        Self::Slow,
        Self::DeadAddress,
        Self::Relayed,
        Self::Unread,
        Self::Elsewhere,
        Self::Well,
        Self::Empty,
        Self::Clock,
        Self::Member,
        Self::ThisComputer,
    ];

    /// How bad it is.
    pub fn gravity(self) -> Gravity {
        match self {
            cause if cause <= Self::Full => Gravity::Fails,
            cause if cause <= Self::Elsewhere => Gravity::Hinders,
            Self::Well => Gravity::Well,
            _ => Gravity::Remark,
        }
    }

    /// The word for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CannotListen => "cannot_listen",
            Self::NoNetwork => "no_network",
            Self::OnlyLinkLocal => "only_link_local",
            Self::NoFamily => "no_family",
            Self::Unresolved => "unresolved",
            Self::NamesSilent => "names_silent",
            Self::NotPermitted => "not_permitted",
            Self::NoZone => "no_zone",
            Self::Discarded => "discarded",
            Self::NoRoute => "no_route",
            Self::CannotSend => "cannot_send",
            Self::Forbidden => "forbidden",
            Self::Loops => "loops",
            Self::RouterKnowsNone => "router_knows_none",
            Self::NobodyThere => "nobody_there",
            Self::NobodyListens => "nobody_listens",
            Self::NotChatrpc => "not_chatrpc",
            Self::Version => "version",
            Self::AnsweredElsewhere => "answered_elsewhere",
            Self::Silent => "silent",
            Self::Full => "full",
            Self::NodesetSilent => "nodeset_silent",
            Self::NoWay => "no_way",
            Self::Deaf => "deaf",
            Self::KeptApart => "kept_apart",
            Self::LargeVanish => "large_vanish",
            Self::Loss => "loss",
            Self::Slow => "slow",
            Self::DeadAddress => "dead_address",
            Self::Relayed => "relayed",
            Self::Unread => "unread",
            Self::Elsewhere => "elsewhere",
            Self::Well => "well",
            Self::Empty => "empty",
            Self::Clock => "clock",
            Self::Member => "member",
            Self::ThisComputer => "this_computer",
        }
    }
}

impl fmt::Display for Gravity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fails => "fails",
            Self::Hinders => "hinders",
            Self::Remark => "remark",
            Self::Well => "well",
        })
    }
}

/// What to do, and the command that does it, if there is one: the words behind the name of the program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Advice {
    /// In words.
    pub text: String,
    /// What stands behind the name of the program; nothing when there is no such command.
    pub command: Vec<String>,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    /// What is wrong.
    pub cause: Cause,
    /// The same in one sentence without a full stop.
    pub what: String,
    /// What to do: one sentence, in at most two lines.
    pub advice: Vec<Advice>,
}

impl Finding {
    /// A finding with nothing to do.
    pub(super) fn new(cause: Cause, what: impl Into<String>) -> Self {
        Self { cause, what: what.into(), advice: Vec::new() }
    }

    /// The same with something to do.
    pub(super) fn advise(mut self, text: impl Into<String>) -> Self {
        self.advice.push(Advice { text: text.into(), command: Vec::new() });
        self
    }

    /// The same with a command.
    pub(super) fn run(mut self, text: impl Into<String>, command: Vec<String>) -> Self {
        self.advice.push(Advice { text: text.into(), command });
        self
    }
}
