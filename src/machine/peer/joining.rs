//! Joining: read the roster, see that our name is free, register, greet who is here.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use super::{Peer, Stage, wanted};
use crate::machine::call::{Admission, Arrival};
use crate::machine::event::{Event, Exit, Health, NameProblem};
use crate::machine::member::Member;
use crate::machine::nodeset::client::Client;
use crate::machine::nodeset::{Doors, Lease, News};
use crate::machine::purpose::{LinkKey, MemberKey, Purpose};
use crate::machine::time::Time;
use crate::machine::who::beacon::Beacon;
use crate::machine::wire::{Change, Request, Response};

/// How long entering waits for the first answers of those who are here.
const GREETINGS_MAX: Duration = Duration::from_millis(1500);

/// How long it waits for earlier processes of our own key: they may run on another computer, and most were
/// killed.
const GHOSTS_MAX: Duration = Duration::from_millis(400);

/// Until when an entrance that ends then waits for those.
pub(super) fn ghosts_until(until: Time) -> Time {
    until.before(GREETINGS_MAX) + GHOSTS_MAX
}

impl Peer {
    pub(super) fn news(&mut self, news: News) {
        match news {
            News::Nothing => {}
            News::Changes(changes) => self.take(changes, true),
            News::Roster(changes) => {
                self.take(changes, true);
                self.check_name();
            }
            News::Joined(seen, changes) => {
                self.seen = Some(seen);
                self.stage = Stage::Entering { until: Some(self.now + GREETINGS_MAX) };
                self.take(changes, true);
                let (members, mut ctx) = self.parts();
                members.opened_router(&mut ctx);
                members.greet_all(&mut ctx);
            }
            News::Health(health, changes) => {
                self.take(changes, true);
                self.health(health);
            }
            News::Over(exit) => self.over(exit),
        }
        self.notice_elsewhere();
    }

    /// Who waits alone is told, whenever there are more, that the one they wait for may be next door.
    fn notice_elsewhere(&mut self) {
        let count = self.client.as_ref().and_then(Client::lease).map_or(0, Lease::elsewhere);
        let waits = matches!(self.stage, Stage::Ready) && self.members.shown_count() == 0;
        if waits && count > self.elsewhere {
            self.elsewhere = count;
            self.out.show(Event::Elsewhere { count });
        }
    }

    /// The nodeset may be at these addresses.
    pub(super) fn nodeset_is_at(&mut self, addrs: &[SocketAddr]) {
        self.doors = Doors::new(addrs, self.doors.patience);
        let card = wanted(&self.stage, &self.card);
        if let Some(client) = &mut self.client {
            client.is_at(self.now, addrs, card, &mut self.calls);
        }
    }

    /// Others may reach us at these addresses from now on: the nodeset is told, and through it whoever comes.
    pub(super) fn names_addresses(&mut self, addrs: &[SocketAddr]) {
        let mut beacon = Beacon { addrs: addrs.to_vec(), ..self.me.beacon.clone() };
        beacon.fit();
        let met = match self.stage {
            Stage::Finding | Stage::Checking { .. } => false,
            Stage::Entering { .. } | Stage::Ready | Stage::Draining { .. } => true,
            Stage::Parting { .. } | Stage::Over => return,
        };
        if beacon.addrs == self.me.beacon.addrs {
            return;
        }
        // Nobody has seen the first one before somebody is asked for a place.
        self.sign(Beacon { n: beacon.n + u32::from(met), ..beacon });
        let lease = self.client.as_mut().and_then(Client::lease_mut);
        if let Some(lease) = lease.filter(|lease| lease.is_held()) {
            lease.register(self.now, &self.card, &mut self.calls);
        }
    }

    /// Where the nodeset is, as far as is known.
    pub(super) fn nodeset(&self) -> SocketAddr {
        let asked = self.client.as_ref().and_then(|client| self.calls.addr(client.link()));
        let first = || self.doors.addrs.first().copied();
        asked.or_else(first).unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0))
    }

    pub(super) fn health(&mut self, health: Health) {
        let said = matches!(self.stage, Stage::Ready | Stage::Draining { .. });
        if said && self.through.member().is_none() {
            self.out.show(Event::Nodeset(health));
        }
    }

    /// The nodeset says who is here and who is gone.
    pub(super) fn announcement(&mut self, arrival: &Arrival, seq: u32, request: Request<'_>) {
        let nodeset = self.client.as_ref().map(Client::link);
        let Some(link) = arrival.link.filter(|&link| Some(link) == nodeset) else {
            self.calls.blame.unauthenticated += 1;
            return;
        };
        let changes: Vec<Change> = match request {
            Request::AddMember { members, .. } => {
                members.into_iter().map(Change::Present).collect()
            }
            Request::RemoveMember { members, .. } => {
                members.into_iter().map(Change::Gone).collect()
            }
            _ => {
                self.calls.blame.unauthenticated += 1;
                if let Some(client) = &mut self.client {
                    client.heard_junk();
                }
                return;
            }
        };
        if matches!(self.calls.admit(arrival, link, seq), Admission::New) {
            self.calls.reply(arrival, link, seq, &Response::Ok);
            self.take(changes, false);
        }
    }

    /// Takes in what the nodeset says of others, asked or of itself. Before we are in, nobody is greeted.
    pub(super) fn take(&mut self, changes: Vec<Change>, asked: bool) {
        let greet = !matches!(self.stage, Stage::Finding | Stage::Checking { .. });
        let (members, mut ctx) = self.parts();
        for change in changes {
            match change {
                Change::Present(listed) => members.listed(&listed, greet, asked, &mut ctx),
                Change::Gone(gone) => members.unlisted(&gone, &mut ctx),
            }
        }
    }

    /// Looks for our name, and names like it, among those who are listed. A namesake who does not
    /// answer is one who died: their name is free.
    pub(super) fn check_name(&mut self) {
        let name = &self.me.beacon.name;
        if name.look().is_id() {
            let (wanted, of) = (name.clone(), None);
            return self.over(Exit::Name(NameProblem::ReadsAsId { wanted, of }));
        }
        let Some((problem, keys)) = self.name_problem() else { return self.enter() };
        let mut links = Vec::new();
        for key in keys {
            let Some(member) = self.members.get(key) else { continue };
            let Some(addr) = member.reach.seen() else { continue };
            let link = self.calls.open_sealed(self.now, addr, member.record.beacon(), None);
            let Some(link) = link else { continue };
            if links.contains(&link) {
                continue;
            }
            if self.calls.request(self.now, link, Purpose::Probe, &Request::PING).is_some() {
                links.push(link);
            }
        }
        if links.is_empty() {
            return self.enter();
        }
        self.stage = Stage::Checking { links, problem };
    }

    /// What stands against our name, and who has it.
    pub(super) fn name_problem(&self) -> Option<(NameProblem, Vec<MemberKey>)> {
        let Beacon { name, key: me, .. } = &self.me.beacon;
        let look = name.look();
        let clash = |(key, Member { record, .. }): (MemberKey, &Member)| {
            Some((record.clash(name, &look, *me).filter(|_| record.is_reader())?, key))
        };
        let (mut problems, keys): (Vec<NameProblem>, _) =
            self.members.iter().filter_map(clash).unzip();
        (!problems.is_empty()).then(|| (problems.swap_remove(0), keys))
    }

    /// Somebody answered at the address of one who has our name; or nobody did.
    pub(super) fn probed(&mut self, link: LinkKey, answered: bool) {
        let Stage::Checking { problem, .. } = &self.stage else { return };
        if answered {
            let problem = problem.clone();
            return self.over(Exit::Name(problem));
        }
        // A link that has become a member's in the meantime is the member's.
        if self.members.on_link(link).is_none() {
            self.calls.close(self.now, link);
        }
        self.probe_ended(link);
    }

    /// Who is asked whether they have our name may go meanwhile, and their link with them.
    pub(super) fn enter_when_nobody_is_asked(&mut self) {
        let Stage::Checking { links, .. } = &self.stage else { return };
        let closed = links.iter().copied().find(|&link| !self.calls.is_open(link));
        if let Some(link) = closed {
            self.probe_ended(link);
        }
    }

    fn probe_ended(&mut self, link: LinkKey) {
        let Stage::Checking { links, .. } = &mut self.stage else { return };
        links.retain(|&other| other != link && self.calls.is_open(other));
        if !links.is_empty() {
            return;
        }
        let keys = self.name_problem().map(|(_, keys)| keys);
        for key in keys.into_iter().flatten() {
            if let Some(member) = self.members.get_mut(key) {
                member.record.did_not_answer();
            }
        }
        self.enter();
    }

    pub(super) fn enter(&mut self) {
        self.stage = Stage::Entering { until: None };
        // Before anybody is told of us.
        let (members, mut ctx) = self.parts();
        members.open_router(&mut ctx);
        if let Some(lease) = self.client.as_mut().and_then(Client::lease_mut) {
            lease.register(self.now, &self.card, &mut self.calls);
        }
    }

    /// We are in once everybody who is listed has answered, or has had the time to.
    pub(super) fn enter_when_settled(&mut self) {
        let Stage::Entering { until: Some(until) } = self.stage else { return };
        let without = (self.now >= ghosts_until(until)).then_some(&self.me.beacon);
        if self.now < until && !self.members.are_settled(without) {
            return;
        }
        let (members, mut ctx) = self.parts();
        members.show_listed(&mut ctx);
        let people: Vec<_> =
            self.members.shown().map(|(_, member)| member.record.person()).collect();
        self.stage = Stage::Ready;
        self.is_in_the_room(people.is_empty());
        let nodeset = self.nodeset();
        let (me, addr) = (self.me(), self.seen.unwrap_or(nodeset));
        let (room, open) = (self.keys.room.name().clone(), self.open);
        self.out.show(Event::Ready { me, addr, nodeset, people, room, open });
        let (members, mut ctx) = self.parts();
        members.warn_all_alike(&mut ctx);
        members.tell_twins(&mut ctx);
        self.notice_elsewhere();
    }
}
