//! When requests leave: as many as their path carries, and one datagram at a time to who is silent. What has
//! to wait stays with its link, and its call is as old as it was when it leaves.

use core::time::Duration;

use super::{CallKey, Calls, Link, OpenCall, Pending};
use crate::machine::pace::Rate;
use crate::machine::path::{Path, SENDS_MAX, Silence, Turn};
use crate::machine::purpose::{About, LinkKey};
use crate::machine::slots::Slots;
use crate::machine::time::Time;
use crate::machine::wire::Asked;

/// Datagrams to all who are silent: a few at once, and then one a second, or as many as each of them gets one
/// in fifteen seconds. Who is back shows that others may be.
const TO_SILENT: Duration = Duration::from_secs(1);
const TO_EACH: Duration = Duration::from_secs(15);
const AT_ONCE: u32 = 8;

/// When somebody is back, the others are asked so far apart: two in a round trip.
const HASTEN_LEAST: Duration = Duration::from_millis(5);
const HASTEN_MOST: Duration = Duration::from_millis(500);

impl<T: About> Calls<T> {
    /// Takes the requests of a link whose turn it is not; those of any other one are not held any more.
    pub(super) fn hold_back(&mut self, now: Time, key: LinkKey) -> Vec<CallKey> {
        let waits = self.links.get(key).is_some_and(|link| !link.requests.is_empty());
        if !waits {
            return Vec::new();
        }
        if self.turn(now, key) == Turn::Now && self.has_place(now, key) {
            self.let_go(now, key);
            return Vec::new();
        }
        let Some(link) = self.links.get_mut(key) else { return Vec::new() };
        let held = core::mem::take(&mut link.requests);
        self.hold(now, key, &held);
        held
    }

    /// Whether somebody is back after a long silence, since less than so long: others may be soon.
    pub(crate) fn is_healing(&self, now: Time, since: Duration) -> bool {
        self.healed.is_some_and(|healed| now.since(healed) < since)
    }

    /// Whether a datagram may go to who is silent, who are asked one after the other. Else its turn comes later.
    fn has_place(&mut self, now: Time, key: LinkKey) -> bool {
        let needs = |link: &Link| link.remote.is_some() && link.path.needs_place();
        if !self.links.get(key).is_some_and(needs) {
            return true;
        }
        let silent = self.links.iter().filter(|(_, link)| link.path.is_silent()).count();
        let every = TO_SILENT.min(TO_EACH / (silent.max(1) as u32));
        let Some(link) = self.links.get_mut(key) else { return true };
        let at = self.silent.reserve(now, Rate::new(every, AT_ONCE));
        link.path.reserve(at);
        at <= now
    }

    /// A link is one that was tried before in vain: its process is silent.
    pub(crate) fn expect_silence(&mut self, key: LinkKey) {
        if let Some(link) = self.links.get_mut(key).filter(|link| link.path.is_unknown()) {
            link.path = Path::of_who_is_silent();
        }
    }

    /// A silent process may answer again. What was on its way to it was lost, and is sent anew. After a long
    /// `silence` others who are silent are asked, a few in a round trip: most likely they were behind the same cut.
    pub(super) fn back(&mut self, now: Time, key: LinkKey, silence: Silence) {
        let Some(link) = self.links.get_mut(key).filter(|_| silence != Silence::None) else {
            return;
        };
        for &(_, call) in &link.open {
            let Some(pending) = self.pending.get_mut(call) else { continue };
            pending.sends = match silence {
                Silence::Overdue => (pending.sends + 1).min(SENDS_MAX),
                _ => 1,
            };
            if !link.requests.contains(&call) {
                link.requests.push(call);
            }
            (pending.held, pending.flight, pending.late) = (true, None, None);
            link.held = true;
        }
        self.touch(key);
        if silence != Silence::Long {
            return;
        }
        self.healed = Some(now);
        let rtt = self.rtt(key).unwrap_or(HASTEN_MOST);
        let every = (rtt / 2).clamp(HASTEN_LEAST, HASTEN_MOST);
        let mut at = now + every;
        for (key, link) in self.links.iter_mut().filter(|(_, link)| link.path.is_silent()) {
            link.path.hasten(at);
            if link.held {
                self.turns.set(key.index(), at);
            }
            at = at + every;
        }
    }

    /// The way is shorter than it was: no answer is waited for as long as before.
    pub(super) fn hurry(&mut self, now: Time, key: LinkKey) {
        let Some(link) = self.links.get(key) else { return };
        for &(_, call) in &link.open {
            let Some(pending) = self.pending.get_mut(call) else { continue };
            let due = now + link.path.delay(now, pending.sends);
            if due < pending.due {
                pending.due = due;
                self.timers.set(call.index(), due);
            }
        }
    }

    /// Requests of a link wait for its turn.
    pub(super) fn hold(&mut self, now: Time, key: LinkKey, requests: &[CallKey]) {
        if requests.is_empty() {
            return;
        }
        let turn = self.turn(now, key);
        let Some(link) = self.links.get_mut(key) else { return };
        link.held = true;
        link.path.waits();
        for &call in requests {
            if let Some(pending) = self.pending.get_mut(call) {
                pending.held = true;
            }
        }
        match turn {
            Turn::At(at) => self.turns.set(key.index(), at),
            Turn::Now | Turn::Next => self.turns.cancel(key.index()),
        }
    }

    /// It is the turn of a link: the time of what was held counts from now.
    fn let_go(&mut self, now: Time, key: LinkKey) {
        let Some(link) = self.links.get_mut(key).filter(|link| link.held) else { return };
        link.held = false;
        self.turns.cancel(key.index());
        for &call in &link.requests {
            let Some(pending) = self.pending.get_mut(call).filter(|pending| pending.held) else {
                continue;
            };
            let delay = link.path.delay(now, pending.sends);
            pending.held = false;
            pending.sent = now;
            pending.due = now + self.rng.stretch(delay, 16);
            pending.late = pending.late.map(|_| now + delay);
            self.timers.set(call.index(), pending.due);
        }
    }

    /// When requests of a link may leave.
    pub(super) fn turn(&self, now: Time, key: LinkKey) -> Turn {
        let Some(link) = self.links.get(key) else { return Turn::Now };
        // Each call is in one datagram at most.
        match link.path.turn(now, link.open.len()) {
            Turn::Next => link.path.turn(now, under_way(&link.open, &self.pending)),
            turn => turn,
        }
    }
}

impl<T: About> Pending<T> {
    /// Whether it asks if somebody is there: that is small, and does not wait behind what is said.
    pub(super) fn goes_first(&self) -> bool {
        matches!(self.about.asked(), Asked::Other | Asked::Ping)
    }
}

/// How many datagrams with calls are under way. Calls that share one were made one after the other. What draws much and
/// did not come at once perhaps never comes: it holds up nothing else.
fn under_way<'a, T: About + 'a>(
    open: impl IntoIterator<Item = &'a (u32, CallKey)>,
    pending: &Slots<Pending<T>, OpenCall>,
) -> usize {
    let in_vain = |of: &Pending<T>| of.sends > 1 && of.about.asked().may_draw_much();
    let pending = open.into_iter().filter_map(|&(_, call)| pending.get(call));
    let flights = pending.filter(|of| !in_vain(of)).filter_map(|of| of.flight);
    let (mut last, mut count) = (None, 0);
    for flight in flights {
        count += usize::from(last.replace(flight) != Some(flight));
    }
    count
}
