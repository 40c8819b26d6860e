//! Where a nodeset is asked: every address of a name, looked up again when it falls silent.

use core::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use mio::Waker;

use crate::driver::net::address::Address;
use crate::driver::net::advertise;
use crate::machine::Time;

/// How soon after one look-up of a silent nodeset the next one comes, at first and at most.
const AGAIN_FIRST: Duration = Duration::from_secs(5);
const AGAIN_LAST: Duration = Duration::from_secs(60);

/// Where a nodeset is.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// As somebody named it; `None` for that of this process.
    name: Option<Address>,
    /// What that came to, and the others.
    pub(crate) addrs: Vec<SocketAddr>,
    /// Others that may let us in.
    others: Vec<SocketAddr>,
}

impl Target {
    /// The nodeset of that name, looked up.
    pub(crate) fn named(name: &Address) -> io::Result<Self> {
        Ok(Self { addrs: name.resolve()?, ..Self::unknown(name) })
    }

    /// The nodeset of that name, which nobody knows.
    pub(crate) fn unknown(name: &Address) -> Self {
        Self { name: Some(name.clone()), addrs: Vec::new(), others: Vec::new() }
    }

    /// There, or at one of these.
    pub(crate) fn and(mut self, others: Vec<SocketAddr>) -> Self {
        self.others = others;
        let named = core::mem::take(&mut self.addrs);
        self.found(named);
        self
    }

    /// The name has come to these addresses.
    pub(crate) fn found(&mut self, named: Vec<SocketAddr>) {
        self.addrs = named;
        for other in &self.others {
            if !self.addrs.contains(other) {
                self.addrs.push(*other);
            }
        }
    }

    /// The nodeset on a socket of this process, at the addresses that others use, so that it sees us where
    /// others reach us; on a computer without any, over the loopback.
    pub(crate) fn own(local: SocketAddr) -> Self {
        let mut addrs = advertise::advertised(local);
        if local.ip().is_unspecified() {
            addrs.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), local.port()));
        }
        Self { name: None, addrs, others: Vec::new() }
    }

    /// Nowhere yet: whoever is on a network with us may let us in.
    pub(crate) const fn around() -> Self {
        Self { name: None, addrs: Vec::new(), others: Vec::new() }
    }

    /// The address that is asked first.
    pub(crate) fn first(&self) -> SocketAddr {
        self.addrs.first().copied().unwrap_or(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))
    }

    /// The name that was looked up, if it is one.
    fn looked_up(&self) -> Option<&Address> {
        self.name.as_ref().filter(|name| !name.is_number())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addrs: Vec<String> = self.addrs.iter().map(ToString::to_string).collect();
        if !self.others.is_empty() {
            return f.write_str(&addrs.join(", "));
        }
        match (self.looked_up(), &addrs[..]) {
            (None, [first, ..]) | (Some(_), [first]) => f.write_str(first),
            (Some(name), all) => write!(f, "{name} ({})", all.join(", ")),
            (None, []) => Ok(()),
        }
    }
}

/// Looks a name up again while the nodeset behind it is silent. The system has no look-up that does not
/// block, so each has a thread of its own, one at a time; an address that was given as one needs none.
#[derive(Debug)]
pub(crate) struct Lookup {
    name: Option<Address>,
    waker: Arc<Waker>,
    answer: Option<Receiver<Vec<SocketAddr>>>,
    due: Option<Time>,
    pause: Duration,
}

impl Lookup {
    pub(crate) fn new(target: &Target, waker: Arc<Waker>) -> Self {
        let name = target.looked_up().cloned();
        Self { name, waker, answer: None, due: None, pause: AGAIN_FIRST }
    }

    /// What was found, once it was, for somebody who hears the nodeset or does not.
    pub(crate) fn turn(&mut self, now: Time, hears: bool) -> Option<Vec<SocketAddr>> {
        let name = self.name.as_ref()?;
        if hears {
            (self.due, self.pause) = (None, AGAIN_FIRST);
        } else if self.due.is_none_or(|due| due <= now) && self.answer.is_none() {
            self.due = Some(now + self.pause);
            self.pause = (2 * self.pause).min(AGAIN_LAST);
            self.answer = look_up(name.clone(), Arc::clone(&self.waker));
        }
        match self.answer.as_ref()?.try_recv() {
            Err(TryRecvError::Empty) => None,
            found => {
                self.answer = None;
                found.ok().filter(|found| !found.is_empty())
            }
        }
    }

    /// When the next one is due.
    pub(crate) const fn wake(&self) -> Option<Time> {
        self.due
    }
}

fn look_up(name: Address, waker: Arc<Waker>) -> Option<Receiver<Vec<SocketAddr>>> {
    let (tell, answer) = channel();
    let thread = thread::Builder::new().name("look-up".to_owned()).spawn(move || {
        let found = name.resolve();
        if let Err(error) = &found {
            log::debug!("{}: {error}", name.host());
        }
        // Whoever asked may be gone.
        let _ = tell.send(found.unwrap_or_default());
        let _ = waker.wake();
    });
    thread.map(|_| answer).ok()
}
