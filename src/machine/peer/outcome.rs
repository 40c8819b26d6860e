//! What comes of our calls: answers, receipts, and silence.

use super::{Peer, Stage, wanted};
use crate::machine::call::Arrival;
use crate::machine::speech::Receipt;
use crate::machine::token::{Ask, LinkKey, MemberKey, Purpose};
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
        if let Some(member) = self.members.on_link(link) {
            self.members.answered(member, self.now);
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
                ctx.calls.alive(link);
                let Sender::Open(incarnation) = arrival.sender else { return };
                let (now, card) = (self.now, wanted(&self.stage, &self.card));
                let Some(client) = &mut self.client else { return };
                let news = client.answered(now, ask, incarnation, response, card, &mut self.calls);
                self.news(news);
            }
            (Purpose::Hello { member }, Response::Ok) => {
                members.greeted(member, link, arrival, &mut ctx)
            }
            (Purpose::Hello { member }, _) => members.greeting_failed(member, link, &mut ctx),
            (Purpose::Say { member, position }, Response::Next { next, held }) => {
                let receipt = Receipt { at: self.now, next, held };
                self.receipt(member, receipt, Some(position));
                let (members, mut ctx) = self.parts();
                members.kick(member, &mut ctx);
            }
            (Purpose::Say { member, position }, _) => {
                members.say_failed(member, position, &mut ctx);
                members.unknown(member, link, &mut ctx);
            }
            (Purpose::Ping { member }, Response::Unknown) => {
                members.pinged(member, true, &mut ctx);
                members.unknown(member, link, &mut ctx);
            }
            (Purpose::Ping { member }, _) => members.pinged(member, true, &mut ctx),
            (Purpose::Challenge { member }, _) => members.challenged(member, link, true, &mut ctx),
            (Purpose::Probe, _) => self.probed(link, true),
        }
    }

    /// A reader says what it has.
    pub(super) fn receipt(&mut self, member: MemberKey, receipt: Receipt, asked: Option<u64>) {
        let (members, mut ctx) = self.parts();
        if !members.receipt(member, receipt, asked, &mut ctx) {
            self.calls.blame.malformed += 1;
        }
    }

    pub(super) fn failed(&mut self, link: LinkKey, purpose: Purpose) {
        let parting = matches!(self.stage, Stage::Parting { .. });
        let (members, mut ctx) = self.parts();
        match purpose {
            Purpose::Nodeset(Ask::Deregister) | Purpose::Bye => self.parted(),
            Purpose::Nodeset(Ask::Register) if parting => self.late_lease(None),
            Purpose::Nodeset(Ask::Who { .. }) if parting => {}
            Purpose::Nodeset(ask) => {
                let card = wanted(&self.stage, &self.card);
                let Some(client) = &mut self.client else { return };
                let news = client.failed(self.now, ask, card, &mut self.calls);
                self.news(news);
            }
            Purpose::Hello { member } => members.greeting_failed(member, link, &mut ctx),
            Purpose::Say { member, position } => {
                members.say_failed(member, position, &mut ctx);
                self.lost_sight(member);
            }
            Purpose::Ping { member } => {
                members.pinged(member, false, &mut ctx);
                self.lost_sight(member);
            }
            Purpose::Challenge { member } => members.challenged(member, link, false, &mut ctx),
            Purpose::Probe => self.probed(link, false),
        }
    }

    /// A member does not answer where they were: if no other way is known, the nodeset may know one.
    fn lost_sight(&mut self, member: MemberKey) {
        let (members, mut ctx) = self.parts();
        let known = members.reroute(member, &mut ctx);
        let card = wanted(&self.stage, &self.card).filter(|_| !known);
        if let (Some(client), Some(card)) = (&mut self.client, card) {
            client.ask_around(self.now, card, &mut self.calls);
        }
    }
}
