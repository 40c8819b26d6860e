//! Meeting who is on a network with us (docs/PROTOCOL.md, "The hail"): coming in through them, and becoming one
//! room with those who began another.

use std::collections::VecDeque;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::{Lan, Peer, Stage};
use crate::machine::call::Arrival;
use crate::machine::contract::{Segment, Table};
use crate::machine::event::Event;
use crate::machine::hail::{Came, Hails, Hearer};
use crate::machine::nodeset::client::Client;
use crate::machine::nodeset::{Card, Doors, Find, Found};
use crate::machine::purpose::{Ask, LinkKey, Purpose};
use crate::machine::rng::{Rng, Seed};
use crate::machine::time::Time;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{Change, DATAGRAM_SMALL, Request, Response, Sender};

/// Strangers who were heard, and how long they are remembered.
const STRANGERS_MAX: usize = 16;
const STRANGE_FOR: Duration = Duration::from_secs(60);

/// Where those are who are to be asked yet whom they know.
const WAITING_MAX: usize = 8;

/// How long one of them is asked.
const READING_MAX: Duration = Duration::from_secs(5);

/// What a peer does on the networks around it.
#[derive(Debug, Hash)]
pub(super) struct Hailing {
    hails: Hails,
    /// Who was heard that is in the room, for all they say, and not known here.
    strangers: VecDeque<(PeerId, Time)>,
    /// Where somebody of the room is whom we do not know.
    waiting: VecDeque<SocketAddr>,
    /// One of them is asked who is with them, there.
    reading: Option<(SocketAddr, Find)>,
    rng: Rng,
}

impl Hailing {
    /// `None` for who has nothing to do with these networks.
    pub(super) fn new(seed: &Seed, lan: Lan) -> Option<Self> {
        let calls = match lan {
            Lan::Off => return None,
            Lan::Answers => false,
            Lan::Hails => true,
        };
        Some(Self {
            hails: Hails::new(seed, calls),
            strangers: VecDeque::new(),
            waiting: VecDeque::new(),
            reading: None,
            rng: seed.stream("hailing"),
        })
    }

    pub(super) fn is_seeking(&self) -> bool {
        self.hails.is_seeking()
    }

    pub(super) fn next_wake(&self) -> Option<Time> {
        let reading = self.reading.as_ref().and_then(|(_, find)| find.next_wake());
        let forgotten = self.strangers.front().map(|(_, heard)| *heard + STRANGE_FOR);
        self.hails.next_wake().into_iter().chain(reading).chain(forgotten).min()
    }

    pub(super) fn footprint(&self) -> impl Iterator<Item = Table> {
        let (strangers, waiting) = (self.strangers.len(), self.waiting.len());
        let table = |name, len, limit| Table { name, len, limit };
        self.hails.footprint().into_iter().chain([
            table("strangers", strangers, STRANGERS_MAX),
            table("introductions", waiting, WAITING_MAX),
        ])
    }

    pub(super) fn check(&self) {
        self.reading.iter().for_each(|(_, find)| find.check());
    }

    fn is_read_over(&self, link: LinkKey) -> bool {
        self.reading.as_ref().is_some_and(|(_, find)| find.contact().link == link)
    }

    fn notes_stranger(&mut self, id: PeerId, now: Time) {
        self.strangers.retain(|(other, _)| *other != id);
        if self.strangers.len() == STRANGERS_MAX {
            self.strangers.pop_front();
        }
        self.strangers.push_back((id, now));
    }

    fn waits(&mut self, addr: SocketAddr) {
        let read = self.reading.as_ref().is_some_and(|(at, _)| *at == addr);
        if self.waiting.len() < WAITING_MAX && !read && !self.waiting.contains(&addr) {
            self.waiting.push_back(addr);
        }
    }
}

impl Peer {
    /// These are the networks around us.
    pub(super) fn is_on_networks(&mut self, segments: &[Segment]) {
        let members = self.members.shown_count() + 1;
        if let Some(hailing) = &mut self.hailing {
            hailing.hails.segments(self.now, segments, members);
        }
    }

    /// These are on them, as far as the system knows.
    pub(super) fn has_neighbours(&mut self, addrs: &[SocketAddr]) {
        if let Some(hailing) = &mut self.hailing {
            hailing.hails.neighbours(self.now, addrs);
        }
    }

    /// Nobody has told us where anybody is.
    pub(super) fn look_around(&mut self) {
        if let Some(hailing) = &mut self.hailing {
            hailing.hails.seek(self.now);
        }
    }

    /// We are in.
    pub(super) fn is_in_the_room(&mut self, alone: bool) {
        if let Some(hailing) = &mut self.hailing {
            hailing.hails.enters(self.now, alone);
        }
    }

    /// A hail came, or the answer to one. False when we have nothing to do with those.
    pub(super) fn hailed(&mut self, from: (SocketAddr, Option<IpAddr>), bytes: &[u8]) -> bool {
        let Self { hailing: Some(hailing), members, keys, me, out, calls, now, stage, .. } = self
        else {
            return false;
        };
        let inside = matches!(stage, Stage::Ready);
        let others = inside.then(|| members.shown_count());
        let hearer = Hearer { room: &keys.room, me: me.beacon.id, others };
        let knows = |id| {
            let member = members.key_of(id).and_then(|key| members.get(key));
            member.is_some_and(|member| member.reads_here())
        };
        let told = (out, &mut calls.blame);
        match hailing.hails.take(*now, from, bytes, (hearer, knows), told) {
            Came::Nothing => {}
            Came::Stranger(id) => hailing.notes_stranger(id, *now),
            Came::Door(addr) => self.somebody_is_at(addr),
        }
        true
    }

    /// Somebody of our room is there: they let us in, or we tell each other who else is here.
    fn somebody_is_at(&mut self, addr: SocketAddr) {
        match (&self.stage, &self.client) {
            (Stage::Finding, None) => {
                self.doors = Doors::new(&[addr], self.doors.patience);
                self.start();
            }
            (Stage::Finding, Some(_)) => {
                self.doors.add(&[addr]);
                if let Some(client) = &mut self.client {
                    client.is_at(self.now, &[addr], None, &mut self.calls);
                }
            }
            (Stage::Ready, _) => {
                let at = |link| self.calls.addr(link) == Some(addr);
                let mut shown = self.members.shown();
                let known = shown.any(|(_, member)| member.reach.path().is_some_and(at));
                if let Some(hailing) = self.hailing.as_mut().filter(|_| !known) {
                    hailing.waits(addr);
                }
                return;
            }
            _ => return,
        }
        if let Some(hailing) = &mut self.hailing {
            hailing.hails.tries(self.now);
        }
    }

    /// What is due on the networks around us.
    pub(super) fn hail(&mut self) {
        let Self { hailing: Some(hailing), keys, me, out, now, stage, client, members, .. } = self
        else {
            return;
        };
        let over = matches!(stage, Stage::Draining { .. } | Stage::Parting { .. } | Stage::Over);
        if over {
            hailing.hails.leaves();
        }
        let others = matches!(stage, Stage::Ready).then(|| members.shown_count());
        let hearer = Hearer { room: &keys.room, me: me.beacon.id, others };
        let alone = hailing.hails.tick(*now, &hearer, out);
        let lost = client.as_ref().is_none_or(|client| client.serves().is_none());
        if alone && lost && matches!(stage, Stage::Finding) {
            out.show(Event::Alone);
        }
        self.introduce_ourselves(over);
    }

    /// Asks who is with those whom we did not know, and greets them.
    fn introduce_ourselves(&mut self, over: bool) {
        let Some(hailing) = &mut self.hailing else { return };
        if over {
            (hailing.strangers, hailing.waiting) = (VecDeque::new(), VecDeque::new());
            return self.end_reading();
        }
        let (now, calls) = (self.now, &mut self.calls);
        let reading = self.hailing.as_mut().and_then(|hailing| hailing.reading.as_mut());
        if reading.and_then(|(_, find)| find.tick(now, calls)).is_some() {
            self.end_reading();
        }
        // Whoever is next is asked at once: nothing else would wake us for it.
        if matches!(self.stage, Stage::Ready) {
            self.strangers_have_come();
            self.begin_reading();
        }
    }

    /// Who hailed as a stranger, and is here now, has others with them whom we do not know.
    fn strangers_have_come(&mut self) {
        let Self { hailing: Some(hailing), members, calls, now, .. } = self else { return };
        for (id, heard) in core::mem::take(&mut hailing.strangers) {
            let member = members.key_of(id).and_then(|key| members.get(key));
            let here = member.filter(|member| member.reads_here());
            let path = here.and_then(|member| member.reach.path());
            match path.filter(|&path| !calls.is_relayed(path)).and_then(|path| calls.addr(path)) {
                Some(addr) => hailing.waits(addr),
                None if now.since(heard) < STRANGE_FOR => hailing.strangers.push_back((id, heard)),
                None => {}
            }
        }
    }

    fn begin_reading(&mut self) {
        let (tag, now) = (self.tag, self.now);
        let nodeset = self.client.as_ref().and_then(|client| self.calls.addr(client.link()));
        let Some(hailing) = self.hailing.as_mut().filter(|hailing| hailing.reading.is_none())
        else {
            return;
        };
        // Whom we come in through tells us anyway, and over one link one thing is asked.
        let given = |addr: &SocketAddr| nodeset == Some(*addr) || self.given.contains(addr);
        hailing.waiting.retain(|addr| !given(addr));
        let Some(addr) = hailing.waiting.pop_front() else { return };
        let doors = Doors::new(&[addr], Some(READING_MAX));
        let find = Find::start(now, doors, tag, &mut hailing.rng, &mut self.calls);
        hailing.reading = find.map(|find| (addr, find));
    }

    pub(super) fn end_reading(&mut self) {
        let reading = self.hailing.as_mut().and_then(|hailing| hailing.reading.take());
        let Some((_, find)) = reading else { return };
        let link = find.contact().link;
        if self.client.as_ref().map(Client::link) != Some(link) {
            self.calls.close(self.now, link);
        }
    }

    /// Whether somebody is asked over that link who is with them.
    pub(super) fn is_read_over(&self, link: LinkKey, purpose: Purpose) -> Option<u64> {
        let Purpose::Nodeset(Ask::Who { have }) = purpose else {
            return None;
        };
        self.hailing.as_ref().filter(|hailing| hailing.is_read_over(link)).map(|_| have)
    }

    /// Somebody says who is with them.
    pub(super) fn reads(&mut self, arrival: &Arrival, at: (LinkKey, u64), response: Response) {
        let (now, calls) = (self.now, &mut self.calls);
        let reading = self.hailing.as_mut().and_then(|hailing| hailing.reading.as_mut());
        let (Some((addr, find)), Sender::Open(by)) = (reading, arrival.sender) else { return };
        let door = (*addr, by);
        match find.answered(now, at, by, response, calls) {
            Found::Nothing => {}
            Found::Part(changes) => self.take_of(door, changes),
            Found::All(have, changes) => {
                self.introduce_us(at.0, have);
                self.take_of(door, changes);
            }
            Found::Over(_) => self.end_reading(),
        }
    }

    /// Whoever has told us whom they know is told of us as well: they greet us, as we greet them.
    fn introduce_us(&mut self, link: LinkKey, have: u64) {
        let find = self.hailing.as_ref().and_then(|hailing| hailing.reading.as_ref());
        let Some((_, find)) = find else { return };
        let Card { farewell, n, sealed } = self.card.clone();
        let (cookie, token) = (find.contact().cookie, farewell.token());
        let most = DATAGRAM_SMALL as u16;
        let register = Request::Register { cookie, tag: self.tag, have, most, token, n, sealed };
        if self.calls.request(self.now, link, Purpose::Introduction, &register).is_none() {
            self.end_reading();
        }
    }

    /// Nobody says anything there.
    pub(super) fn reads_nothing(&mut self, at: (LinkKey, u64)) {
        let (now, calls) = (self.now, &mut self.calls);
        let reading = self.hailing.as_mut().and_then(|hailing| hailing.reading.as_mut());
        if reading.and_then(|(_, find)| find.failed(now, at, calls)).is_some() {
            self.end_reading();
        }
    }

    /// Takes in whom somebody names: they are to be greeted, whatever our nodeset says.
    fn take_of(&mut self, (addr, by): (SocketAddr, u64), changes: Vec<Change>) {
        if !matches!(self.stage, Stage::Ready) {
            return;
        }
        let (members, mut ctx) = self.parts();
        (ctx.nodeset, ctx.door, ctx.listing) = (Some(addr), Some(by), None);
        for change in changes {
            if let Change::Present(listed) = change {
                members.listed(&listed, true, true, &mut ctx);
            }
        }
    }
}
