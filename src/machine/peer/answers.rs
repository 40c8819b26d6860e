//! What comes of our calls, by who made them.

use super::{Peer, Stage, wanted};
use crate::machine::call::Arrival;
use crate::machine::nodeset::client::Client;
use crate::machine::purpose::{Ask, LinkKey, Purpose};
use crate::machine::wire::{Response, Sender};

impl Peer {
    /// A call of ours is answered.
    pub(super) fn answered(
        &mut self,
        arrival: &Arrival,
        link: LinkKey,
        purpose: Purpose,
        response: Response,
    ) {
        self.members.lives_on(link, self.now);
        if let Some(have) = self.is_read_over(link, purpose) {
            return self.reads(arrival, (link, have), response);
        }
        let parting = matches!(self.stage, Stage::Parting { .. });
        let (members, mut ctx) = self.parts();
        match (purpose, response) {
            (Purpose::Nodeset(Ask::Deregister) | Purpose::Bye, _) => self.parted(),
            // Leaving: a lease that comes late must not bring us back in.
            (Purpose::Nodeset(Ask::Register), response) if parting => {
                self.late_lease(Some(response));
            }
            (Purpose::Nodeset(Ask::Who { .. }), _) if parting => {}
            (Purpose::Nodeset(ask), response) => {
                let Sender::Open(incarnation) = arrival.sender else { return };
                self.through.answered(incarnation, arrival.proven);
                let (now, card) = (self.now, wanted(&self.stage, &self.card));
                let Some(client) = &mut self.client else { return };
                let news =
                    client.answered(now, (link, ask), incarnation, response, card, &mut self.calls);
                if ask == Ask::Register
                    && let Some(lease) = client.lease_mut().filter(|lease| lease.is_held())
                    && let Some(at) = self.through.looks_again(now)
                {
                    lease.renew_by(at);
                }
                self.news(news);
            }
            (Purpose::DialBack, response) => self.dialed_back(&response),
            (Purpose::Given, _) => self.given_answered(arrival, link),
            (Purpose::Introduction, _) => self.end_reading(),
            (Purpose::Member(member, matter), response) => {
                members.answered(arrival, link, (member, matter), &response, &mut ctx);
            }
            (Purpose::Probe, _) => self.probed(link, true),
        }
    }

    pub(super) fn failed(&mut self, link: LinkKey, purpose: Purpose) {
        if let Some(have) = self.is_read_over(link, purpose) {
            return self.reads_nothing((link, have));
        }
        let parting = matches!(self.stage, Stage::Parting { .. });
        let (members, mut ctx) = self.parts();
        match purpose {
            Purpose::Nodeset(Ask::Deregister) | Purpose::Bye => self.parted(),
            Purpose::Nodeset(Ask::Register) if parting => self.late_lease(None),
            Purpose::Nodeset(Ask::Who { .. }) if parting => {}
            Purpose::Nodeset(ask) => {
                let card = wanted(&self.stage, &self.card);
                let Some(client) = &mut self.client else { return };
                let news = client.failed(self.now, (link, ask), card, &mut self.calls);
                self.news(news);
            }
            Purpose::DialBack => self.not_dialed_back(),
            Purpose::Given => self.ends_given(link),
            Purpose::Introduction => self.end_reading(),
            Purpose::Member(member, matter) => {
                let known = members.failed(link, (member, matter), &mut ctx);
                let card = wanted(&self.stage, &self.card).filter(|_| !known);
                let lease = self.client.as_mut().and_then(Client::lease_mut);
                if let (Some(lease), Some(card)) = (lease, card) {
                    lease.ask_around(self.now, card, &mut self.calls);
                }
            }
            Purpose::Probe => self.probed(link, false),
        }
    }
}
