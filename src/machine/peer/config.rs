//! What a peer is made from.

use core::net::SocketAddr;
use core::time::Duration;

use crate::machine::name::Name;
use crate::machine::nodeset::PATIENCE;
use crate::machine::rng::Seed;
use crate::machine::who::identity::{Identity, Pin};
use crate::machine::who::ids::Incarnation;
use crate::machine::who::noise::Noise;
use crate::machine::who::room::Room;
use crate::machine::who::suite::Suite;

/// What a [`Peer`](super::Peer) is made from: [`PeerConfig::new`] has what most want.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerConfig {
    /// Entropy, used for nothing else.
    pub seed: Seed,
    /// Who we are.
    pub identity: Identity,
    /// When this process started: later than any earlier one of the same identity.
    pub incarnation: Incarnation,
    /// How things are sealed.
    pub suite: &'static dyn Suite,
    /// The room.
    pub room: Room,
    /// Our name.
    pub name: Name,
    /// Where the nodeset may be: all of these are asked, a quarter of a second apart, until one answers.
    pub nodesets: Vec<SocketAddr>,
    /// Where members of the room were before: they are asked when no nodeset answers for two seconds. The
    /// first eight are used.
    pub remembered: Vec<SocketAddr>,
    /// How long it is asked while it does not answer, until joining is given up; `None` for ever.
    pub patience: Option<Duration>,
    /// Addresses of this computer that others may reach us at; the first four are used.
    pub addrs: Vec<SocketAddr>,
    /// How long leaving waits for what is undelivered.
    pub drain: Duration,
    /// We only come to say something: what others say is not for us.
    pub once: bool,
    /// Whom we trust: a warning is shown when a name of theirs comes with another key.
    pub pins: Vec<Pin>,
    /// What we do on the networks around us.
    pub lan: Lan,
}

/// What somebody does on the networks around them ([`Input::Segments`](crate::machine::Input::Segments)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lan {
    /// Nothing.
    #[default]
    Off,
    /// They answer who looks for the room.
    Answers,
    /// They look for it as well: before they are in, if they know no nodeset, and then for others who are in it
    /// and do not know of them. Who finds nobody is told so ([`Event::Alone`](crate::machine::Event::Alone)), and
    /// is given a nodeset ([`Input::Nodesets`](crate::machine::Input::Nodesets)).
    Hails,
}

impl PeerConfig {
    /// Somebody who reads and writes, names no addresses of their own, trusts nobody yet and, on leaving,
    /// waits five seconds for what is undelivered.
    #[must_use]
    pub fn new(
        seed: Seed,
        incarnation: Incarnation,
        identity: Identity,
        room: Room,
        name: Name,
        nodeset: SocketAddr,
    ) -> Self {
        let (suite, addrs, drain) = (&Noise, Vec::new(), Duration::from_secs(5));
        let (once, pins, nodesets, patience) = (false, Vec::new(), vec![nodeset], Some(PATIENCE));
        Self {
            seed,
            identity,
            incarnation,
            suite,
            room,
            name,
            nodesets,
            remembered: Vec::new(),
            patience,
            addrs,
            drain,
            once,
            pins,
            lan: Lan::Off,
        }
    }
}
