//! The laws of attackers' bytes: what they draw, and at whom.
//!
//! A *third* address takes no part: it never sent anything. What everybody together sends there is
//! compared with what attackers send in the same thirty seconds, besides what an introduction is
//! worth: somebody who says where they are has to be greeted there.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::clock::SECOND;

/// How long a window is, in seconds.
const WINDOW: usize = 30;

/// For so many seconds what was said may be called again: all that waits for somebody is, once they are
/// back from a silence, and nobody waits longer than a run lasts.
const SAYING: usize = 600;

/// Bytes out for each byte of an attacker's.
const AMPLIFICATION: u64 = 3;

/// Bytes that one process may send in a window to an address that never answered, whatever it was told
/// about it: five first messages of a handshake at once, and five more one after the other.
const INTRODUCTION: u64 = 10 * 189;

/// What one process may send to each face of attackers' in a window, without being asked for it:
/// greetings, handshakes, pings, and three calls, of seven datagrams each, of a piece of what it said
/// long ago.
const COURTESY: u64 = 5_000 + 3 * 7 * 1_200;

/// Bytes for each byte of what is said to a face of attackers', with what seals it. One that answers pings
/// and takes nothing is called seven times in a call, whole for five seconds, with pauses that grow by
/// a quarter of that time, and then a piece at a time.
const RETRIES: u64 = 20;

/// What stands around one thing that was said, in a datagram of its own.
const HEADERS: u64 = 104;

/// What signs one thing that was said.
const SEAL: u64 = 105;

/// How much went by in the last seconds, second by second.
#[derive(Clone, Debug)]
pub(crate) struct Window<const SECONDS: usize = WINDOW> {
    seconds: [u64; SECONDS],
    newest: u64,
    total: u64,
}

impl<const SECONDS: usize> Default for Window<SECONDS> {
    fn default() -> Self {
        Self { seconds: [0; SECONDS], newest: 0, total: 0 }
    }
}

impl<const SECONDS: usize> Window<SECONDS> {
    /// Something goes by; returns what did in the window that ends now.
    pub(crate) fn add(&mut self, now: u64, bytes: u64) -> u64 {
        let second = now / SECOND;
        for passed in (self.newest + 1..=second).take(SECONDS) {
            let slot = &mut self.seconds[passed as usize % SECONDS];
            self.total -= core::mem::take(slot);
        }
        if second > self.newest + SECONDS as u64 {
            (self.seconds, self.total) = ([0; SECONDS], 0);
        }
        self.newest = self.newest.max(second);
        self.seconds[self.newest as usize % SECONDS] += bytes;
        self.total += bytes;
        self.total
    }

    /// What went by in the window that ends now.
    pub(crate) fn total(&mut self, now: u64) -> u64 {
        self.add(now, 0)
    }
}

/// What attackers send, and what third addresses get.
#[derive(Debug, Default)]
pub(crate) struct Victims {
    attackers: Window,
    third: BTreeMap<SocketAddr, Window>,
    price: BTreeMap<u32, Price>,
}

/// What one process exchanges with attackers.
#[derive(Debug, Default)]
struct Price {
    heard: Window,
    said: Window<SAYING>,
    sent: Window,
}

impl Victims {
    /// An attacker sends something to anybody.
    pub(crate) fn attacked(&mut self, now: u64, bytes: usize) {
        self.attackers.add(now, bytes as u64);
    }

    /// A process sends something to an address outside of the network; so many processes live. Says
    /// which law that breaks, if any.
    pub(crate) fn third(
        &mut self,
        now: u64,
        to: SocketAddr,
        bytes: usize,
        processes: usize,
    ) -> Result<(), String> {
        let got = self.third.entry(to).or_default().add(now, bytes as u64);
        let sent = self.attackers.total(now);
        let allowed = AMPLIFICATION * sent + INTRODUCTION * processes as u64;
        if got <= allowed {
            return Ok(());
        }
        let text = format!("{to} gets {got} bytes in 30 s, attackers send {sent}");
        Err(format!("{text}, and {processes} processes may greet there"))
    }

    /// A process hears an attacker.
    pub(crate) fn heard(&mut self, now: u64, proc: u32, bytes: usize) {
        self.price.entry(proc).or_default().heard.add(now, bytes as u64);
    }

    /// A process is told to say something of that size, to so many faces.
    pub(crate) fn said(&mut self, now: u64, proc: u32, bytes: usize, faces: usize) {
        let said = (bytes as u64 + HEADERS + SEAL) * faces as u64;
        self.price.entry(proc).or_default().said.add(now, said);
    }

    /// A process sends something to an attacker of so many faces; says which law that breaks, if any.
    pub(crate) fn answers(
        &mut self,
        now: u64,
        proc: u32,
        bytes: usize,
        faces: usize,
    ) -> Result<(), String> {
        let price = self.price.entry(proc).or_default();
        let sent = price.sent.add(now, bytes as u64);
        let (heard, said) = (price.heard.total(now), price.said.total(now));
        if sent <= AMPLIFICATION * heard + RETRIES * said + COURTESY * faces as u64 {
            return Ok(());
        }
        Err(format!("{sent} bytes to attackers in 30 s for {heard}; {said} were said"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_forgets_what_is_older() {
        let mut window: Window = Window::default();
        (0..40).for_each(|second| _ = window.add(second * SECOND, 10));
        assert_eq!(window.total(39 * SECOND), 300);
        assert_eq!(window.total(50 * SECOND), 190);
        assert_eq!(window.total(69 * SECOND), 0);
        assert_eq!(window.add(500 * SECOND, 7), 7);
        assert_eq!(window.total(501 * SECOND), 7);
    }

    #[test]
    fn a_victim_gets_hardly_more_than_the_attacker_sends() {
        let victim: SocketAddr = ([203, 0, 113, 9], 9).into();
        let mut victims = Victims::default();
        victims.attacked(0, 100);
        let greetings = |n: u64| (0..n).map(|_| 189);
        let flood = |victims: &mut Victims, now, n| {
            greetings(n).find_map(|bytes| victims.third(now, victim, bytes, 3).err())
        };
        // Three processes greet ten times each, and 300 bytes are worth one more.
        assert_eq!(flood(&mut victims, 0, 31), None);
        assert!(flood(&mut victims, 29 * SECOND, 1).unwrap_or_default().contains("6048 bytes"));
        assert_eq!(flood(&mut victims, 60 * SECOND, 30), None, "a window later");
        assert!(flood(&mut victims, 60 * SECOND, 1).is_some(), "the attacker is silent");
    }

    #[test]
    fn who_refuses_what_is_said_pays_for_hearing_it_again() {
        let mut victims = Victims::default();
        victims.said(0, 4, 1000, 1);
        let again = |victims: &mut Victims, heard: bool| {
            (0..400).find_map(|n| {
                if heard {
                    victims.heard(n * 50_000, 4, 400);
                }
                victims.answers(n * 50_000, 4, 1100, 2).err()
            })
        };
        assert_eq!(again(&mut victims, true), None, "it sends as much");
        assert!(again(&mut Victims::default(), false).is_some(), "a silent one draws little");
    }
}
