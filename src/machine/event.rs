//! What the chat machine tells the person or program in front of it.
//!
//! Every string in here passed the sanitiser ([`SafeText`], [`Name`]): a front end may print it as
//! it stands.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use crate::machine::doctor::{Checkup, Examined};
use crate::machine::name::Name;
use crate::machine::text::SafeText;
use crate::machine::who::identity::{Person, Pin, PublicKey};
use crate::machine::who::ids::{MessageId, PeerId};

/// Why somebody is no longer here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// They said goodbye.
    Quit,
    /// Nothing was heard from them for as long as a lease lasts.
    Timeout,
    /// Another process took their place.
    Replaced,
    /// They are here and take nothing of what is said: more waits for them than may.
    Unread,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quit => "quit",
            Self::Timeout => "timeout",
            Self::Replaced => "replaced",
            Self::Unread => "does not read",
        })
    }
}

/// How the nodeset is doing, as seen from a peer that is already in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Online,
    /// It does not answer. Those who are here can still talk; nobody new can find them.
    Silent,
}

/// How somebody who is here is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Directly.
    Direct,
    /// Through a member who passes on what is sealed for them.
    Through(Person),
    /// They are heard, and do not hear us.
    Deaf,
    /// Not at all: somebody else hears them, or did lately. What is said waits for them.
    None,
}

/// One line of `/who`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Who.
    pub who: Person,
    /// Where their datagrams come from; `None` while no path to them is known, or it goes through others.
    pub addr: Option<SocketAddr>,
    /// How they are reached.
    pub way: Way,
    /// The smoothed round trip; `None` before the first sample.
    pub rtt: Option<Duration>,
    /// Messages of ours that they have not confirmed.
    pub unacked: u64,
    /// They take what is said to them, as far as we know.
    pub reads: bool,
    /// They do not answer, and may be lost.
    pub lost: bool,
    /// How long nothing has been heard from them.
    pub silent: Duration,
    /// Their name is trusted to stand for their key.
    pub trusted: bool,
}

/// One line of `chatrpc who`: what the nodeset knows of a member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listed {
    /// Who.
    pub who: Person,
    /// The address the nodeset saw them at.
    pub addr: SocketAddr,
}

/// One line of `chatrpc find`: a room that somebody is in on the networks around us.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// What it is called.
    pub room: Name,
    /// It has no secret: everybody can enter.
    pub open: bool,
    /// Where those are who answered, the first one first.
    pub addrs: Vec<SocketAddr>,
}

/// Why a line was not carried out. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// The text is longer than [`crate::machine::TEXT_MAX`] bytes.
    TooLong {
        /// How many bytes it has.
        bytes: usize,
    },
    /// Nothing is left of the text once what may not be shown is taken out.
    Empty,
    /// There is no such slash command.
    UnknownCommand {
        /// What was typed.
        typed: SafeText<'a>,
        /// The command that comes nearest.
        nearest: Option<&'static str>,
    },
    /// There is no such slash command, and what it does elsewhere is done in another way here.
    Otherwise {
        /// What was typed.
        typed: SafeText<'a>,
        /// How it is done, in one sentence.
        how: &'static str,
    },
    /// The command needs more words, or fewer.
    Usage(&'static str),
    /// The line begins with this, which only looks like a slash: text or command, nobody knows.
    LikeSlash(char),
    /// Nobody here goes by that name or id.
    NobodyCalled(SafeText<'a>),
    /// More than one person goes by that name or id.
    SeveralCalled(SafeText<'a>),
    /// No name is trusted that this could mean.
    NotTrusted(SafeText<'a>),
    /// The name of who is here is trusted already, and to stand for another key.
    TrustedOtherwise {
        /// The one who is here.
        who: Person,
        /// The key that the name stands for.
        trusted: PublicKey,
    },
    /// As many names are trusted as may be.
    TrustedFull,
    /// The only one here of that name has another key than who is trusted under it, or under one like it.
    OtherKey(Person),
    /// It is us who are meant, and nobody says or does that to themselves.
    Yourself,
    /// Nobody here has that id.
    NobodyWithId(PeerId),
    /// Nobody here has that key.
    NobodyWithKey(PublicKey),
    /// One person here goes by that name, and it could be meant for the id of another.
    NameOrId {
        /// What was written.
        word: SafeText<'a>,
        /// The one with the name.
        named: PeerId,
        /// The one with the id.
        begun: PeerId,
    },
    /// That name cannot be had.
    Name(NameProblem),
    /// Too much is still undelivered; say it again when some of it has arrived.
    Backlog {
        /// How many messages are undelivered.
        messages: usize,
    },
    /// The machine has not joined yet, or is leaving.
    NotJoined,
}

impl Refusal<'_> {
    /// The same, without borrowing from the line that was refused.
    pub fn into_owned(self) -> Refusal<'static> {
        match self {
            Self::TooLong { bytes } => Refusal::TooLong { bytes },
            Self::Empty => Refusal::Empty,
            Self::Otherwise { typed, how } => Refusal::Otherwise { typed: typed.into_owned(), how },
            Self::UnknownCommand { typed, nearest } => {
                Refusal::UnknownCommand { typed: typed.into_owned(), nearest }
            }
            Self::Usage(usage) => Refusal::Usage(usage),
            Self::LikeSlash(slash) => Refusal::LikeSlash(slash),
            Self::NobodyCalled(name) => Refusal::NobodyCalled(name.into_owned()),
            Self::SeveralCalled(name) => Refusal::SeveralCalled(name.into_owned()),
            Self::NotTrusted(name) => Refusal::NotTrusted(name.into_owned()),
            Self::TrustedOtherwise { who, trusted } => Refusal::TrustedOtherwise { who, trusted },
            Self::TrustedFull => Refusal::TrustedFull,
            Self::OtherKey(who) => Refusal::OtherKey(who),
            Self::Yourself => Refusal::Yourself,
            Self::NobodyWithId(id) => Refusal::NobodyWithId(id),
            Self::NobodyWithKey(key) => Refusal::NobodyWithKey(key),
            Self::NameOrId { word, named, begun } => {
                Refusal::NameOrId { word: word.into_owned(), named, begun }
            }
            Self::Name(problem) => Refusal::Name(problem),
            Self::Backlog { messages } => Refusal::Backlog { messages },
            Self::NotJoined => Refusal::NotJoined,
        }
    }
}

/// Why a name cannot be had in this room.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NameProblem {
    /// It is not a name at all.
    Invalid(crate::machine::name::NameError),
    /// Somebody here has it.
    Taken(Name),
    /// It looks the same as the name of somebody who is here.
    LooksLike {
        /// The name that was asked for.
        wanted: Name,
        /// The name of the one who is here.
        present: Name,
    },
    /// It could be taken for the id of somebody who is here; or for an id, whether anybody has it or
    /// not.
    ReadsAsId {
        /// The name that was asked for.
        wanted: Name,
        /// The name of the one who is here.
        of: Option<Name>,
    },
}

/// What is to be known of a message that was said before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Past {
    /// When, in milliseconds since 1970, by the clock of its author.
    pub at: u64,
    /// We were not here then.
    pub replay: bool,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The machine has joined: from here on lines are said.
    Ready {
        /// Who we are.
        me: Person,
        /// The address the nodeset saw us at.
        addr: SocketAddr,
        /// The nodeset.
        nodeset: SocketAddr,
        /// Who is here besides us.
        people: Vec<Person>,
        /// What the room is called.
        room: Name,
        /// The room has no secret: everybody can enter.
        open: bool,
    },
    /// Somebody entered.
    Joined(Person),
    /// Somebody left.
    Left {
        /// Who.
        who: Person,
        /// Why.
        why: Why,
    },
    /// Somebody, perhaps we, changed their name.
    Renamed {
        /// Who, under the new name.
        who: Person,
        /// The name before.
        was: Name,
    },
    /// Somebody who came, or changed their name, could be taken for others; front ends show the ids
    /// of all who are named in such an event. Told once for each arrival and each change.
    Alike {
        /// Who.
        one: Person,
        /// Some of those they could be taken for: all who were not alike anybody before. When there
        /// is none, the name reads as an id, which nobody here has.
        like: Vec<Person>,
        /// How many more there are.
        others: usize,
    },
    /// Nobody is here, and somebody is in another room of the nodeset: another name or another secret is
    /// another room.
    Elsewhere {
        /// How many; the greatest number stands for more.
        count: u8,
    },
    /// Nobody on the networks around us has answered who would let us in: whoever owns the machine may open the
    /// room, and says where its nodeset is.
    Alone,
    /// The rooms that were looked for and found.
    Found(Vec<Found>),
    /// Two programs are one process to everybody: they have one key and one incarnation, as when a home was
    /// copied.
    Twins {
        /// Who they are.
        who: Person,
        /// One of the two is us.
        ours: bool,
    },
    /// Somebody said something.
    Message {
        /// Which message.
        id: MessageId,
        /// Who said it.
        from: Person,
        /// What they said.
        text: SafeText<'a>,
        /// It is something they do (`/me`).
        action: bool,
        /// It was said to us alone.
        private: bool,
        /// It has our name in it.
        mention: bool,
        /// It was said before, and comes from whoever kept it.
        past: Option<Past>,
    },
    /// Somebody signed two different messages as one and the same: what they say is not what others are told.
    Forked(Person),
    /// A line of ours was accepted and is on its way.
    Sent {
        /// Which message it became.
        id: MessageId,
        /// What we said.
        text: SafeText<'a>,
        /// It is something we do (`/me`).
        action: bool,
        /// The only one it goes to, if it is private.
        to: Option<Person>,
        /// How many it goes to.
        readers: usize,
    },
    /// One reader has our message on their screen.
    Acked {
        /// Which message.
        id: MessageId,
        /// Who has it.
        by: Person,
        /// How long that took, there and back.
        rtt: Duration,
    },
    /// Nobody is outstanding any more for our message.
    Done {
        /// Which message.
        id: MessageId,
        /// How many have it.
        acked: usize,
        /// Whom it did not reach, and why.
        failed: Vec<(Person, Why)>,
        /// Who said goodbye before they had it: it was not for them any more.
        left: Vec<Person>,
    },
    /// Messages of somebody did not reach us and will not.
    Missing {
        /// Who said them.
        from: Person,
        /// How many.
        count: u64,
    },
    /// Somebody who is here has taken nothing of what we say for a minute, or does again.
    Reads {
        /// Who.
        who: Person,
        /// They take something again.
        reads: bool,
        /// How many of our messages wait for them.
        waiting: usize,
    },
    /// Somebody who is here does not answer, and may be lost; or they were heard again, before that was more
    /// ([`Event::Way`], [`Event::Left`]).
    Lost {
        /// Who.
        who: Person,
        /// They do not answer.
        lost: bool,
        /// How many of our messages wait for them.
        waiting: usize,
    },
    /// There is no way to somebody who is here, or there is one again.
    Way {
        /// Who.
        who: Person,
        /// The way there is.
        way: Way,
        /// How many of our messages wait for them.
        waiting: usize,
    },
    /// The network keeps its users apart: somebody is on it with us, and does not answer there. Told once.
    Apart {
        /// Who.
        who: Person,
        /// The way there is: through somebody, or none.
        way: Way,
    },
    /// The nodeset went silent, or came back.
    Nodeset(Health),
    /// The answer to `/whois`.
    Whois {
        /// Who.
        who: Person,
        /// Their key.
        key: PublicKey,
        /// Where their datagrams come from; `None` while no path to them is known.
        addr: Option<SocketAddr>,
        /// Their name is trusted to stand for this key.
        trusted: bool,
    },
    /// The answer to `/trust`: to be kept, and given to the next machine.
    Trusted {
        /// Whose name it is.
        who: Person,
        /// Their key.
        key: PublicKey,
    },
    /// The answer to `/untrust`: to be kept no more.
    Untrusted {
        /// The name.
        name: Name,
        /// The key it stood for.
        key: PublicKey,
    },
    /// The answer to `/trusted`.
    TrustedNames(Vec<Pin>),
    /// Somebody goes by a name that is trusted to stand for another key, or that looks like it.
    OtherKey {
        /// Who, or who pretends to be.
        who: Person,
    },
    /// The answer to `/verify`: when both read the same words to each other, nobody is in between.
    Words {
        /// With whom they are to be compared.
        who: Person,
        /// The words, with spaces between them.
        words: String,
    },
    /// The answer to `/invite`. The secret, if there is one, is for the owner of the machine to add.
    Invite {
        /// The nodeset; our own address, when none answers.
        nodeset: SocketAddr,
        /// The room.
        room: Name,
        /// It has no secret.
        open: bool,
    },
    /// The answer to `/who`.
    People(Vec<Presence>),
    /// The answer of a [`crate::machine::Listing`].
    Listing(Vec<Listed>),
    /// The answer of a [`crate::machine::Examination`].
    Examined(Box<Examined>),
    /// The answer to `/doctor`.
    Checkup(Box<Checkup>),
    /// The answer to `/help`.
    Help,
    /// A line was not carried out.
    Refused(Refusal<'a>),
    /// We are leaving, once this many messages are delivered or given up.
    Leaving {
        /// How many of our messages are still on their way.
        unacked: usize,
    },
}

/// How a machine ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It left properly.
    Left {
        /// How many of our messages did not reach everybody they were for, in all this time.
        undelivered: u64,
    },
    /// No nodeset answered.
    NoNodeset {
        /// For how long it was asked.
        waited: Duration,
    },
    /// The network says that nobody listens there.
    NobodyListens,
    /// Something answered, but it does not speak this protocol.
    NotChatrpc,
    /// The nodeset speaks another version.
    Version {
        /// Which one.
        theirs: u8,
    },
    /// The nodeset takes no more members.
    Full,
    /// The name cannot be had in this room.
    Name(NameProblem),
}
