//! Leaving: wait for what was said, then say goodbye to everybody and give the lease back.

use core::time::Duration;

use super::{Peer, Stage};
use crate::machine::event::{Event, Exit, Why};
use crate::machine::nodeset::client::Client;
use crate::machine::purpose::Purpose;
use crate::machine::who::beacon::Beacon;
use crate::machine::wire::{Request, Response};

/// How long the last goodbyes may take.
const PARTING_MAX: Duration = Duration::from_millis(300);

impl Peer {
    pub(super) fn quit(&mut self) {
        match self.stage {
            Stage::Ready => {
                self.stage = Stage::Draining { until: self.now + self.drain };
                self.out.show(Event::Leaving { unacked: self.speech.backlog() });
            }
            Stage::Finding | Stage::Checking { .. } | Stage::Entering { .. } => self.part(),
            Stage::Draining { .. } | Stage::Parting { .. } | Stage::Over => {}
        }
    }

    pub(super) fn part_when_drained(&mut self) {
        match self.stage {
            Stage::Draining { until } if self.speech.backlog() == 0 || until <= self.now => {
                self.part();
            }
            Stage::Parting { until, open, .. } if open == 0 || until <= self.now => {
                self.over(Exit::Left { undelivered: self.speech.undelivered });
            }
            _ => {}
        }
    }

    /// Gives up what is undelivered and says goodbye to everybody: our last beacon says that we have
    /// left.
    pub(super) fn part(&mut self) {
        self.mapped.ends(self.now, &mut self.out);
        let before = self.me.beacon.clone();
        self.sign(Beacon { n: before.n + 1, left: true, addrs: Vec::new(), ..before });
        let keys = self.members.shown_keys();
        let (members, ctx) = self.parts();
        for &key in &keys {
            let Some(member) = members.get_mut(key) else { continue };
            let reader = member.record.person();
            let out = member.streams.out_mut();
            out.give_up(&reader, Why::Timeout, ctx.me.beacon.id, ctx.speech, ctx.out);
        }
        let mut open = 0;
        for key in keys {
            let Some(member) = members.get(key) else { continue };
            let Some(path) = member.reach.path() else { continue };
            let next = member.streams.next();
            let request = Request::Bye { next, beacon: ctx.me.clone() };
            open += usize::from(ctx.calls.request(ctx.now, path, Purpose::Bye, &request).is_some());
        }
        let mut lease_due = false;
        if let Some(lease) = self.client.as_mut().and_then(Client::lease_mut) {
            open += usize::from(lease.deregister(self.now, &self.card, &mut self.calls));
            lease_due = lease.is_asked_for();
        }
        open += usize::from(lease_due);
        self.stage = Stage::Parting { until: self.now + PARTING_MAX, open, lease_due };
    }

    /// What we asked of the nodeset before we began to leave is answered, or failed.
    pub(super) fn late_lease(&mut self, response: Option<Response>) {
        let Stage::Parting { lease_due, .. } = &mut self.stage else { return };
        if !core::mem::take(lease_due) {
            return;
        }
        let Some(lease) = self.client.as_mut().and_then(Client::lease_mut) else { return };
        let given_back = match response {
            Some(Response::Lease { .. }) => lease.give_back(self.now, &self.card, &mut self.calls),
            _ => false,
        };
        if !given_back {
            self.parted();
        }
    }

    /// A goodbye was answered, or given up.
    pub(super) fn parted(&mut self) {
        if let Stage::Parting { open, .. } = &mut self.stage {
            *open = open.saturating_sub(1);
        }
    }
}
