//! What a line does: say something to everybody or to one, change our name, show who is here.

use core::time::Duration;

use super::joining::clash;
use super::{Peer, Stage};
use crate::machine::member::{Member, MemberKey};
use crate::machine::speech::MESSAGES_MAX;
use crate::machine::text::sanitize_into;
use crate::machine::wire::Flags;
use crate::machine::{
    Beacon, Command, Event, MessageId, Name, NameProblem, PeerId, Presence, Refusal, SafeText,
    Signed, TEXT_MAX, words,
};

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
            Command::Nick(name) => self.nick(name),
            Command::Who => self.who(),
            Command::Invite => self.invite(),
            Command::Whois(name) => self.whois(name),
            Command::Verify(name) => self.verify(name),
            Command::Trust(name) => self.trust(name),
            Command::Quit | Command::Help => {}
        }
    }

    pub(super) fn say(&mut self, text: &str, action: bool, to: Option<&str>) {
        if text.len() > TEXT_MAX {
            return self.refuse(Refusal::TooLong { bytes: text.len() });
        }
        self.scratch.clear();
        sanitize_into(text, &mut self.scratch);
        if SafeText::trusted(&self.scratch).is_blank() {
            return self.refuse(Refusal::Empty);
        }
        let one = match to.map(|to| self.find(to)) {
            None => None,
            Some(Ok(key)) => Some(key),
            Some(Err(refusal)) => return self.refuse(refusal),
        };
        let (members, mut ctx) = self.parts();
        members.make_room(&mut ctx);
        if self.speech.backlog() >= MESSAGES_MAX {
            return self.refuse(Refusal::Backlog { messages: self.speech.backlog() });
        }
        let flags = Flags { action, private: one.is_some(), more: false };
        let readers = if one.is_some() { 1 } else { self.members.shown_count() };
        let (message, number) = self.speech.say(self.now, text, flags, readers);
        let id = MessageId { author: self.me.beacon.id, number };
        let reader = one.and_then(|key| self.members.get(key)).map(Member::person);
        self.out.sent(id, &self.scratch, action, reader, readers);
        let (members, mut ctx) = self.parts();
        match one {
            Some(key) => members.push(key, message, &mut ctx),
            None => members.push_all(message, &mut ctx),
        }
        ctx.speech.settle(ctx.me.beacon.id, message, ctx.out);
    }

    /// Who is meant by a name, or by the beginning of an id.
    pub(super) fn find<'a>(&self, wanted: &'a str) -> Result<MemberKey, Refusal<'a>> {
        let by_name = |name: &Name| name.as_str() == wanted;
        let named: Vec<MemberKey> = self
            .members
            .shown()
            .filter(|(_, member)| by_name(&member.beacon.name))
            .map(|(key, _)| key)
            .collect();
        let of_id = |id: PeerId| wanted.len() >= 4 && id.to_string().starts_with(wanted);
        let found = if named.is_empty() {
            let ids = self.members.shown().filter(|(_, member)| of_id(member.beacon.id));
            ids.map(|(key, _)| key).collect()
        } else {
            named
        };
        match found[..] {
            [key] => Ok(key),
            [] => Err(Refusal::NobodyCalled(SafeText::new(wanted))),
            _ => Err(Refusal::SeveralCalled(SafeText::new(wanted))),
        }
    }

    pub(super) fn nick(&mut self, wanted: &str) {
        let name = match Name::parse(wanted) {
            Ok(name) => name,
            Err(error) => return self.refuse(Refusal::Name(NameProblem::Invalid(error))),
        };
        let look = name.look();
        let key = self.me.beacon.key;
        let other = |member: &Member| member.beacon.key != key && member.looks_like(&look);
        let present = self.members.shown().find(|(_, member)| other(member));
        let present = present.map(|(_, member)| member.beacon.name.clone());
        if let Some(present) = present {
            return self.refuse(Refusal::Name(clash(&name, present)));
        }
        let mut beacon = self.me.beacon.clone();
        let was = core::mem::replace(&mut beacon.name, name);
        if was == beacon.name {
            return;
        }
        beacon.n += 1;
        self.sign(beacon);
        self.out.show(Event::Renamed { who: self.me(), was });
        if let Some(client) = self.client.as_mut().filter(|client| client.holds_lease()) {
            client.register(self.now, &self.card, &mut self.calls);
        }
        let (members, mut ctx) = self.parts();
        members.tell_beacon(&mut ctx);
    }

    /// Says something new of ourselves.
    pub(super) fn sign(&mut self, mut beacon: Beacon) {
        let Some(sessions) = self.calls.sessions() else { return };
        beacon.fit();
        self.me = Signed::new(sessions.suite(), sessions.identity(), sessions.room(), beacon);
        self.card.n = self.me.beacon.n;
        self.card.sealed = self.me.seal(sessions.suite(), sessions.room());
    }

    fn whois(&mut self, wanted: &str) {
        let member = match self.find(wanted) {
            Ok(key) => self.members.get(key),
            Err(refusal) => return self.refuse(refusal),
        };
        let Some(member) = member else { return };
        let addr = member.path().and_then(|link| self.calls.addr(link));
        let (who, key) = (member.person(), member.beacon.key);
        let trusted = self.pins.holds(&who.name, key);
        self.out.show(Event::Whois { who, key, addr, trusted });
    }

    fn trust(&mut self, wanted: &str) {
        let member = match self.find(wanted) {
            Ok(key) => self.members.get(key),
            Err(refusal) => return self.refuse(refusal),
        };
        let Some(member) = member else { return };
        let (who, key) = (member.person(), member.beacon.key);
        self.pins.insert(who.name.clone(), key);
        self.out.show(Event::Trusted { who, key });
    }

    fn verify(&mut self, wanted: &str) {
        let member = match self.find(wanted) {
            Ok(key) => self.members.get(key),
            Err(refusal) => return self.refuse(refusal),
        };
        let Some(member) = member else { return };
        let words = words(self.me.beacon.key, member.beacon.key);
        self.out.show(Event::Words { who: member.person(), words });
    }

    fn invite(&mut self) {
        let Some(sessions) = self.calls.sessions() else { return };
        let room = sessions.room().name().clone();
        self.out.show(Event::Invite { nodeset: self.nodeset, room, open: self.open });
    }

    pub(super) fn who(&mut self) {
        let people = self.presence().collect();
        self.out.show(Event::People(people));
    }

    /// Who is here, and how far away.
    pub fn presence(&self) -> impl Iterator<Item = Presence> {
        self.members.shown().map(|(_, member)| Presence {
            who: member.person(),
            addr: member.path().and_then(|link| self.calls.addr(link)),
            rtt: member.path().and_then(|link| self.calls.rtt(link)),
            unacked: member.unacked() as u64,
            reads: member.reads(),
            silent: member
                .path()
                .map_or(Duration::ZERO, |link| self.now.since(self.calls.heard(link))),
            trusted: self.pins.holds(&member.beacon.name, member.beacon.key),
        })
    }
}

/// Whether a text has a name in it, as a word, in upper or lower case.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut before = None;
    for (start, c) in text.char_indices() {
        let free = !before.is_some_and(is_word);
        before = Some(c);
        if !free {
            continue;
        }
        let mut rest = text[start..].chars();
        let begins = name
            .chars()
            .all(|n| rest.next().is_some_and(|c| c == n || c.to_lowercase().eq(n.to_lowercase())));
        if begins && !rest.next().is_some_and(is_word) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::mentions;

    #[test]
    fn a_mention_is_a_word() {
        assert!(mentions("alice: hi", "alice") && mentions("hi ALICE!", "alice"));
        assert!(mentions("привет, Борис", "борис"));
        assert!(!mentions("malice", "alice") && !mentions("alices", "alice"));
        assert!(mentions("malice, alice", "alice") && !mentions("", "alice"));
    }
}
