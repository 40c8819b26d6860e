//! What is agreed on above and below the calls: the keys of links and members, and what each call of a
//! peer is about.

use crate::machine::slots::Key;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::Asked;

/// What a machine names a call with, and gets back with the answer, or with the failure.
pub(crate) trait About: Copy + PartialEq {
    /// What was asked, as far as reading the answer needs it.
    fn asked(self) -> Asked;

    /// Somebody said it, and others wait for it.
    fn is_said(self) -> bool {
        self.asked() == Asked::Say
    }
}

/// What keys of links are keys of.
#[derive(Debug)]
pub(crate) enum ALink {}

/// Which link. Once that is closed, its key finds nothing any more, whatever is opened later.
pub(crate) type LinkKey = Key<ALink>;

/// What keys of members are keys of.
#[derive(Debug)]
pub(crate) enum AMember {}

/// Which member. Once they are forgotten, the key finds nobody any more.
pub(crate) type MemberKey = Key<AMember>;

/// What a call to the nodeset was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    /// Part of the roster, behind that version.
    Who {
        have: u64,
    },
    Register,
    Deregister,
}

impl About for Ask {
    fn asked(self) -> Asked {
        match self {
            Self::Who { .. } => Asked::Who,
            Self::Register => Asked::Register,
            Self::Deregister => Asked::Other,
        }
    }
}

/// What a call to a member was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Matter {
    /// Saying hello.
    Hello,
    /// A piece of what we say.
    Say { position: u64 },
    /// Are they still there?
    Ping,
    /// Do they receive what is sent to that address?
    Challenge,
    /// Somebody else does not answer.
    Lost,
    /// Who is here, of those behind that one.
    Present { after: PeerId },
    /// What there is of all logs.
    Heads,
    /// Part of a log.
    Want {
        /// Whose.
        log: PeerId,
        /// Behind so many bytes.
        skip: u32,
    },
    /// Who writes a log.
    Author {
        /// Which one.
        log: PeerId,
    },
    /// Where somebody else is.
    Introduce {
        /// Who is.
        of: MemberKey,
        /// How much was told the two before.
        step: u8,
    },
    /// Passing on what is for somebody else.
    Bridge {
        /// For whom.
        to: MemberKey,
    },
}

/// What a call of a peer was about, by who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// Something asked of the nodeset.
    Nodeset(Ask),
    /// The nodeset is to answer at a port of the router in front of us.
    DialBack,
    /// Is the nodeset there again that we were given?
    Given,
    /// We introduce ourselves to who has told us whom they know.
    Introduction,
    /// Something asked of a member.
    Member(MemberKey, Matter),
    /// Is somebody there who has the name we want?
    Probe,
    /// Goodbye to a member.
    Bye,
}

impl From<Ask> for Purpose {
    fn from(ask: Ask) -> Self {
        Self::Nodeset(ask)
    }
}

impl About for Purpose {
    fn asked(self) -> Asked {
        match self {
            Self::Nodeset(ask) => ask.asked(),
            Self::DialBack => Asked::DialBack,
            Self::Given => Asked::Who,
            Self::Introduction => Asked::Register,
            Self::Member(_, Matter::Say { .. }) => Asked::Say,
            Self::Member(_, Matter::Bridge { .. }) => Asked::Bridge,
            Self::Member(_, Matter::Present { .. }) => Asked::Present,
            Self::Member(_, Matter::Heads) => Asked::Heads,
            Self::Member(_, Matter::Want { .. }) => Asked::Want,
            Self::Member(_, Matter::Author { .. }) => Asked::Author,
            Self::Member(_, Matter::Ping | Matter::Challenge) | Self::Probe => Asked::Ping,
            Self::Member(..) | Self::Bye => Asked::Other,
        }
    }
}
