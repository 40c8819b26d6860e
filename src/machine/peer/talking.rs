//! What a line does: say something to everybody or to one, change our name, show who is here.

use std::collections::BTreeSet;

use core::time::Duration;

use super::{Peer, Stage};
use crate::machine::command::Command;
use crate::machine::doctor::{Bond, Checkup, Link};
use crate::machine::event::{Event, NameProblem, Presence, Refusal, Way};
use crate::machine::log::Words;
use crate::machine::looks::all_alike;
use crate::machine::member::{Member, Viewpoint};
use crate::machine::name::Name;
use crate::machine::nodeset::client::Client;
use crate::machine::purpose::MemberKey;
use crate::machine::speech::MESSAGES_MAX;
use crate::machine::text::{SafeText, TEXT_MAX};
use crate::machine::who::beacon::Beacon;
use crate::machine::who::identity::{Person, PublicKey, words};
use crate::machine::who::ids::{MessageId, PeerId};
use crate::machine::whom::{Known, Whom, addressed};
use crate::machine::wire::Flags;

/// Whoever there is no way to, and was heard within that time, does not hear us.
const HEARD_LATELY: Duration = Duration::from_secs(15);

/// Whom we say something to.
enum Audience {
    /// Everybody who is here.
    Everybody,
    /// Some of those who are here, and not in private.
    Some(BTreeSet<MemberKey>),
    /// One person alone.
    One(MemberKey),
}

impl Peer {
    pub(super) fn line(&mut self, line: &str) {
        match Command::parse(line) {
            Ok(command) => self.command(command),
            Err(refusal) => self.refuse(refusal),
        }
    }

    pub(super) fn refuse(&mut self, refusal: Refusal<'_>) {
        self.out.show(Event::Refused(refusal.into_owned()));
    }

    pub(super) fn command(&mut self, command: Command<'_>) {
        match command {
            Command::Quit => return self.quit(),
            Command::Help => return self.out.show(Event::Help),
            _ => {}
        }
        if !matches!(self.stage, Stage::Ready) {
            return self.refuse(Refusal::NotJoined);
        }
        match command {
            Command::Say { text, action, to } => self.say(text, action, to),
            Command::Again { text, action, readers } => self.say_again(text, action, readers),
            Command::Nick(name) => self.nick(name),
            Command::Who => self.who(),
            Command::Doctor => self.checkup(),
            Command::Invite => self.invite(),
            Command::Whois(whom) => self.whois(whom),
            Command::Verify(whom) => self.verify(whom),
            Command::Trust(whom) => self.trust(whom),
            Command::Trusted => self.out.show(Event::TrustedNames(self.pins.all().collect())),
            Command::Untrust(whom) => self.untrust(whom),
            Command::Quit | Command::Help => {}
        }
    }

    pub(super) fn say(&mut self, text: &str, action: bool, to: Option<Whom<'_>>) {
        let (found, text) = match to {
            None => return self.say_to(text, action, Audience::Everybody),
            Some(Whom::Word(word)) => match addressed(word, text, |whom| self.key_meant(whom)) {
                Ok((name, text)) => {
                    (self.find_meant(Whom::read(&name)).map_err(Refusal::into_owned), text)
                }
                Err(refusal) => (Err(refusal), text),
            },
            Some(to) => (self.find_meant(to).map_err(Refusal::into_owned), text),
        };
        match found {
            Ok(key) => self.say_to(text, action, Audience::One(key)),
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// Whose key is meant by a beginning of what stands behind `/msg`. Who is gone by that name, or
    /// trusted under it, is meant as well, and not reached.
    fn key_meant(&self, whom: Whom<'_>) -> Result<PublicKey, Refusal<'static>> {
        let refusal = match self.find(whom) {
            Ok(found) => match self.members.get(found) {
                Some(member) => return Ok(member.record.beacon().key),
                None => Refusal::NotJoined,
            },
            Err(refusal) => refusal.into_owned(),
        };
        let Whom::Word(word) = whom else { return Err(refusal) };
        let Ok(name) = Name::parse(word) else { return Err(refusal) };
        let gone = || self.members.iter().find(|(_, member)| *member.record.name() == name);
        let key = self.pins.key_of(&name);
        let key = key.or_else(|| gone().map(|(_, member)| member.record.beacon().key));
        key.filter(|_| matches!(refusal, Refusal::NobodyCalled(_))).ok_or(refusal)
    }

    /// Says something that was said before to those it did not reach. It is part of the talk of the
    /// room as it was then, so nothing marks it as private.
    fn say_again(&mut self, text: &str, action: bool, readers: &[PeerId]) {
        let here = |id: &PeerId| {
            let key = self.members.key_of(*id)?;
            self.members.get(key)?.life.is_shown().then_some(key)
        };
        let keys: BTreeSet<MemberKey> = readers.iter().filter_map(here).collect();
        match readers.first().filter(|_| keys.is_empty()) {
            Some(&id) => self.refuse(Refusal::NobodyWithId(id)),
            None => self.say_to(text, action, Audience::Some(keys)),
        }
    }

    fn say_to(&mut self, text: &str, action: bool, audience: Audience) {
        if text.len() > TEXT_MAX {
            return self.refuse(Refusal::TooLong { bytes: text.len() });
        }
        let Some(kept) = self.out.keep(text) else { return self.refuse(Refusal::Empty) };
        let (members, mut ctx) = self.parts();
        members.make_room(&mut ctx);
        if self.speech.backlog() >= MESSAGES_MAX {
            return self.refuse(Refusal::Backlog { messages: self.speech.backlog() });
        }
        let (readers, one) = match &audience {
            Audience::Everybody => (self.members.shown_count(), None),
            Audience::Some(keys) => (keys.len(), None),
            Audience::One(key) => (1, self.members.get(*key).map(|member| member.record.person())),
        };
        let private = matches!(audience, Audience::One(_));
        let flags = Flags { action, private, more: false };
        let number = self.speech.next_number();
        // What is said to everybody is everybody's to keep.
        let seal = matches!(audience, Audience::Everybody).then(|| {
            let by = (self.now, &*self.keys, &self.me);
            self.log.say(by, Words { number, action, text })
        });
        let message = self.speech.say(self.now, text, (flags, seal.flatten()), readers);
        let id = MessageId { author: self.me.beacon.id, number };
        self.out.sent(id, kept, action, one, readers);
        let (members, mut ctx) = self.parts();
        members.is_talking(&ctx);
        match audience {
            Audience::Everybody => members.push_all(message, &mut ctx),
            Audience::Some(keys) => {
                keys.into_iter().for_each(|key| members.push(key, message, &mut ctx));
            }
            Audience::One(key) => members.push(key, message, &mut ctx),
        }
        ctx.speech.settle(ctx.me.beacon.id, message, ctx.out);
    }

    /// Who is meant.
    pub(super) fn find<'a>(&self, whom: Whom<'a>) -> Result<MemberKey, Refusal<'a>> {
        let Beacon { id, key, ref name, incarnation, .. } = self.me.beacon;
        // Nobody talks to themselves, and nobody else gets what begins with our own id.
        let me = Known { id, key, name, incarnation, here: false };
        let others = self.members.iter().map(|(_, member)| member.known());
        let found = match whom.find(others.chain([me])) {
            Err(
                Refusal::NobodyCalled(_) | Refusal::NobodyWithId(_) | Refusal::NobodyWithKey(_),
            ) if whom.find([Known { here: true, ..me }].into_iter()).is_ok() => {
                return Err(Refusal::Yourself);
            }
            found => found?,
        };
        self.members.key_of(found).ok_or(Refusal::NobodyWithId(found))
    }

    /// Who is meant by something that is done to them. A trusted name means who is trusted, and nobody
    /// else who goes by it: those are meant by their label, their id or their key.
    fn find_meant<'a>(&self, whom: Whom<'a>) -> Result<MemberKey, Refusal<'a>> {
        let found = self.find(whom)?;
        let Some(member) = self.members.get(found) else { return Ok(found) };
        let record = &member.record;
        let by_name = match whom {
            Whom::Word(word) => Name::parse(word).is_ok_and(|name| name == *record.name()),
            Whom::Id(_) | Whom::Key(_) => false,
        };
        if by_name && self.pins.contradict(record.name(), record.look(), record.beacon().key) {
            return Err(Refusal::OtherKey(record.person()));
        }
        Ok(found)
    }

    pub(super) fn nick(&mut self, wanted: &str) {
        let name = match Name::parse(wanted) {
            Ok(name) => name,
            Err(error) => return self.refuse(Refusal::Name(NameProblem::Invalid(error))),
        };
        if let Some(problem) = self.clash(&name) {
            return self.refuse(Refusal::Name(problem));
        }
        let mut beacon = self.me.beacon.clone();
        let was = core::mem::replace(&mut beacon.name, name);
        if was == beacon.name {
            return;
        }
        beacon.n += 1;
        self.members.note_own_look(Some(&was), &beacon);
        self.sign(beacon);
        self.out.show(Event::Renamed { who: self.me(), was });
        let lease = self.client.as_mut().and_then(Client::lease_mut);
        if let Some(lease) = lease.filter(|lease| lease.is_held()) {
            lease.register(self.now, &self.card, &mut self.calls);
        }
        let (members, mut ctx) = self.parts();
        members.tell_beacon(&mut ctx);
    }

    /// What stands against a name while those are here who are.
    fn clash(&self, name: &Name) -> Option<NameProblem> {
        let (look, me) = (name.look(), self.me.beacon.key);
        let mut clashes =
            self.members.shown().filter_map(|(_, who)| who.record.clash(name, &look, me));
        let id = || look.is_id().then(|| NameProblem::ReadsAsId { wanted: name.clone(), of: None });
        clashes.next().or_else(id)
    }

    /// Says something new of ourselves.
    pub(super) fn sign(&mut self, mut beacon: Beacon) {
        beacon.fit();
        self.me = self.keys.sign(beacon);
        self.card.n = self.me.beacon.n;
        self.card.sealed = self.keys.seal(&self.me);
    }

    fn whois(&mut self, whom: Whom<'_>) {
        let member = match self.find(whom) {
            Ok(key) => self.members.get(key),
            Err(Refusal::Yourself) => {
                let (who, key, addr) = (self.me(), self.me.beacon.key, self.seen);
                return self.out.show(Event::Whois { who, key, addr, trusted: false });
            }
            Err(refusal) => return self.refuse(refusal),
        };
        let Some(member) = member else { return };
        let addr = member.reach.path().and_then(|link| self.calls.direct_addr(link));
        let (who, key) = (member.record.person(), member.record.beacon().key);
        let trusted = self.pins.holds(&who.name, key);
        self.out.show(Event::Whois { who, key, addr, trusted });
    }

    fn trust(&mut self, whom: Whom<'_>) {
        let member = match self.find_meant(whom) {
            Ok(key) => self.members.get(key),
            Err(refusal) => return self.refuse(refusal),
        };
        let Some(member) = member else { return };
        let (who, key) = (member.record.person(), member.record.beacon().key);
        // Whoever took the name of somebody would have taken their place, and all marks with it.
        if let Some(trusted) = self.pins.key_of(&who.name).filter(|trusted| *trusted != key) {
            return self.refuse(Refusal::TrustedOtherwise { who, trusted });
        }
        if !self.pins.insert(who.name.clone(), key) {
            return self.refuse(Refusal::TrustedFull);
        }
        let name = who.name.clone();
        self.out.show(Event::Trusted { who, key });
        // Somebody else who is here may go by that name already.
        let (members, mut ctx) = self.parts();
        members.warn_other_keys(&name, key, &mut ctx);
    }

    /// Forgets a name: of somebody who is here, or whoever had it.
    fn untrust(&mut self, whom: Whom<'_>) {
        let present = |whom| -> Option<Name> {
            let member = self.members.get(self.find(whom).ok()?)?;
            let (name, key) = (member.record.name(), member.record.beacon().key);
            self.pins.holds(name, key).then(|| name.clone())
        };
        let (name, written) = match whom {
            Whom::Word(word) => {
                let called = self.pins.called(word).cloned();
                (called.or_else(|| present(whom)), SafeText::new(word).into_owned())
            }
            Whom::Id(id) => (present(whom), SafeText::new(&id.to_string()).into_owned()),
            Whom::Key(key) => {
                (self.pins.of_key(key).cloned(), SafeText::new(&key.to_string()).into_owned())
            }
        };
        let Some((name, key)) =
            name.and_then(|name| Some((name.clone(), self.pins.remove(&name)?)))
        else {
            return self.refuse(Refusal::NotTrusted(written));
        };
        self.out.show(Event::Untrusted { name: name.clone(), key });
        // Another name that looks like it may be trusted as well.
        let (members, mut ctx) = self.parts();
        members.warn_other_keys(&name, key, &mut ctx);
    }

    fn verify(&mut self, whom: Whom<'_>) {
        let member = match self.find(whom) {
            Ok(key) => self.members.get(key),
            Err(refusal) => return self.refuse(refusal),
        };
        let Some(member) = member else { return };
        let words = words(self.me.beacon.key, member.record.beacon().key);
        self.out.show(Event::Words { who: member.record.person(), words });
    }

    fn invite(&mut self) {
        let room = self.keys.room.name().clone();
        self.out.show(Event::Invite { nodeset: self.entrance(), room, open: self.open });
    }

    pub(super) fn who(&mut self) {
        let people = self.presence().collect();
        self.out.show(Event::People(people));
    }

    fn checkup(&mut self) {
        let people: Vec<Person> =
            self.members.shown().map(|(_, member)| member.record.person()).collect();
        let pairs = all_alike(&people).into_iter();
        let alike = pairs.flat_map(|(one, like, _)| [one].into_iter().chain(like));
        let alike: BTreeSet<PeerId> = alike.map(|who| who.id).collect();
        let label = |who: &Person| match alike.contains(&who.id) {
            true => format!("{}·{}", who.name, who.id.short()),
            false => who.name.to_string(),
        };
        let listing = self.client.as_ref().and_then(Client::serves);
        let (me, seen) = (&self.me.beacon, self.seen.map(|seen| seen.ip()));
        let of = Viewpoint { me, seen, listing };
        let shown = self.members.shown();
        let bonds = shown.zip(self.presence()).map(|((_, member), one)| {
            let path = member.reach.path();
            let (loss_ppm, small) = path.map_or((0, false), |path| self.calls.quality(path));
            Bond {
                name: label(&one.who),
                apart: member.is_kept_apart(of, &self.calls),
                link: match &one.way {
                    // Who was heard lately is there.
                    Way::None if one.silent < HEARD_LATELY => Link::Deaf,
                    Way::None => Link::None,
                    Way::Deaf => Link::Deaf,
                    Way::Through(relay) => Link::Through(label(relay)),
                    Way::Direct => Link::Direct,
                },
                rtt: one.rtt,
                loss_ppm,
                small,
                unacked: one.unacked,
                reads: one.reads,
            }
        });
        let found = Checkup {
            nodeset: self.nodeset(),
            silent: self.client.as_ref().and_then(|client| client.silent_for(self.now)),
            member: self.through.member().is_some(),
            bonds: bonds.collect(),
        };
        self.out.show(Event::Checkup(Box::new(found)));
    }

    /// Who is here, and how far away.
    pub fn presence(&self) -> impl Iterator<Item = Presence> {
        self.members.shown().map(|(_, member)| {
            let Member { record, reach, streams, .. } = member;
            let path = reach.path();
            let beacon = record.beacon();
            let relay = path.and_then(|path| self.members.relay_of(path, &self.calls));
            let way = match relay {
                _ if member.is_unreachable() && !member.has_way(&self.calls) => Way::None,
                Some(relay) => Way::Through(relay),
                None => Way::Direct,
            };
            Presence {
                who: record.person(),
                addr: path.and_then(|link| self.calls.direct_addr(link)),
                way,
                rtt: path.and_then(|link| self.calls.rtt(link)),
                unacked: streams.out().unacked() as u64,
                reads: !streams.out().told_unread,
                lost: member.may_be_lost(),
                silent: path.map_or(Duration::ZERO, |link| self.now.since(self.calls.heard(link))),
                trusted: self.pins.holds(&beacon.name, beacon.key),
            }
        })
    }
}
