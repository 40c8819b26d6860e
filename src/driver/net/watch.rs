//! When this computer's addresses are to be read again: when the system says that they have changed, when
//! sends fail, and from time to time.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use crate::machine::Time;

/// They are read this often in any case: as often as a lease is renewed.
const EVERY: Duration = Duration::from_secs(20);
/// After a send that failed, no more often than this.
const FAILED: Duration = Duration::from_secs(1);
/// So soon after the system has said something: it says several things at once.
const SETTLED: Duration = Duration::from_millis(100);

/// Watches for changes.
#[derive(Debug)]
pub(crate) struct Watch {
    /// What the system says, where it does.
    news: Option<OwnedFd>,
    due: Time,
    read: Time,
    failed: u64,
}

impl Watch {
    pub(crate) fn new(now: Time, registry: &Registry, token: Token) -> Self {
        let news = listen().and_then(|news| {
            registry.register(&mut SourceFd(&news.as_raw_fd()), token, Interest::READABLE)?;
            Ok(news)
        });
        if let Err(error) = &news {
            log::debug!("nobody says when addresses change: {error}");
        }
        Self { news: news.ok(), due: now + EVERY, read: now, failed: 0 }
    }

    /// The system has said something.
    pub(crate) fn note_ready(&mut self, now: Time) {
        let Some(news) = &self.news else { return };
        let mut said = [0; 4096];
        // What it says is not read: the addresses are. Whoever is too slow is told so, once.
        while let Ok(1..) | Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::INTR) =
            rustix::io::read(news, &mut said)
        {}
        self.due = self.due.min(now + SETTLED);
    }

    /// Whether they are to be read now; `failed` is how many sends have failed so far.
    pub(crate) fn turn(&mut self, now: Time, failed: u64) -> bool {
        if core::mem::replace(&mut self.failed, failed) != failed {
            self.due = self.due.min(self.read + FAILED);
        }
        if now < self.due {
            return false;
        }
        (self.read, self.due) = (now, now + EVERY);
        true
    }

    pub(crate) const fn wake(&self) -> Time {
        self.due
    }
}

#[cfg(target_os = "linux")]
fn listen() -> io::Result<OwnedFd> {
    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

    /// RTMGRP_LINK, RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR (rtnetlink(7)).
    const GROUPS: u32 = 0x1 | 0x10 | 0x100;

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // Its protocol 0 is NETLINK_ROUTE.
    let news = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&news, &SocketAddrNetlink::new(0, GROUPS))?;
    Ok(news)
}

#[cfg(not(target_os = "linux"))]
fn listen() -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Time {
        Time::from_micros(ms * 1_000)
    }

    #[test]
    fn addresses_are_read_from_time_to_time_and_when_sends_fail() {
        let poll = mio::Poll::new().unwrap();
        let mut watch = Watch::new(at(0), poll.registry(), Token(1));
        assert!(!watch.turn(at(500), 0));
        assert!(!watch.turn(at(900), 3), "they were read a moment ago");
        assert_eq!(watch.wake(), at(1_000));
        assert!(watch.turn(at(1_000), 3) && !watch.turn(at(20_999), 3));
        assert!(watch.turn(at(21_000), 3));
        watch.note_ready(at(22_000));
        assert!(watch.news.is_none() || watch.wake() == at(22_100));
    }
}
