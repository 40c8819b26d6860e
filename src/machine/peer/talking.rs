//! What a line does: say something to everybody or to one, change our name, show who is here.

use std::collections::BTreeSet;

use core::time::Duration;

use unicode_width::UnicodeWidthChar;

use super::{Peer, Stage};
use crate::machine::command::Command;
use crate::machine::event::{Event, NameProblem, Presence, Refusal};
use crate::machine::member::Member;
use crate::machine::name::Name;
use crate::machine::speech::MESSAGES_MAX;
use crate::machine::text::fold::folded;
use crate::machine::text::kind::is_unspaced;
use crate::machine::text::sanitize_into;
use crate::machine::text::{SafeText, TEXT_MAX};
use crate::machine::token::MemberKey;
use crate::machine::who::beacon::{Beacon, Signed};
use crate::machine::who::identity::words;
use crate::machine::who::ids::{MessageId, PeerId};
use crate::machine::whom::{Known, Whom};
use crate::machine::wire::Flags;

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
            Command::Invite => self.invite(),
            Command::Whois(whom) => self.whois(whom),
            Command::Verify(whom) => self.verify(whom),
            Command::Trust(whom) => self.trust(whom),
            Command::Quit | Command::Help => {}
        }
    }

    pub(super) fn say(&mut self, text: &str, action: bool, to: Option<Whom<'_>>) {
        match to.map(|to| self.find(to)) {
            None => self.say_to(text, action, Audience::Everybody),
            Some(Ok(key)) => self.say_to(text, action, Audience::One(key)),
            Some(Err(refusal)) => self.refuse(refusal),
        }
    }

    /// Says something that was said before to those it did not reach. It is part of the talk of the
    /// room as it was then, so nothing marks it as private.
    fn say_again(&mut self, text: &str, action: bool, readers: &[PeerId]) {
        let here = |id: &PeerId| {
            let key = self.members.key_of(*id)?;
            self.members.get(key)?.is_shown().then_some(key)
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
        self.scratch.clear();
        sanitize_into(text, &mut self.scratch);
        if SafeText::trusted(&self.scratch).is_blank() {
            return self.refuse(Refusal::Empty);
        }
        let (members, mut ctx) = self.parts();
        members.make_room(&mut ctx);
        if self.speech.backlog() >= MESSAGES_MAX {
            return self.refuse(Refusal::Backlog { messages: self.speech.backlog() });
        }
        let (readers, one) = match &audience {
            Audience::Everybody => (self.members.shown_count(), None),
            Audience::Some(keys) => (keys.len(), None),
            Audience::One(key) => (1, self.members.get(*key).map(Member::person)),
        };
        let private = matches!(audience, Audience::One(_));
        let flags = Flags { action, private, more: false };
        let (message, number) = self.speech.say(self.now, text, flags, readers);
        let id = MessageId { author: self.me.beacon.id, number };
        self.out.sent(id, &self.scratch, action, one, readers);
        let (members, mut ctx) = self.parts();
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
        let found = whom.find(others.chain([me]))?;
        self.members.key_of(found).ok_or(Refusal::NobodyWithId(found))
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
        if let Some(client) = self.client.as_mut().filter(|client| client.holds_lease()) {
            client.register(self.now, &self.card, &mut self.calls);
        }
        let (members, mut ctx) = self.parts();
        members.tell_beacon(&mut ctx);
    }

    /// What stands against a name while those are here who are.
    fn clash(&self, name: &Name) -> Option<NameProblem> {
        let (look, me) = (name.look(), self.me.beacon.key);
        let mut clashes = self.members.shown().filter_map(|(_, who)| who.clash(name, &look, me));
        let id = || look.is_id().then(|| NameProblem::ReadsAsId { wanted: name.clone(), of: None });
        clashes.next().or_else(id)
    }

    /// Says something new of ourselves.
    pub(super) fn sign(&mut self, mut beacon: Beacon) {
        let Some(sessions) = self.calls.sessions() else { return };
        beacon.fit();
        self.me = Signed::new(sessions.suite(), sessions.identity(), sessions.room(), beacon);
        self.card.n = self.me.beacon.n;
        self.card.sealed = self.me.seal(sessions.suite(), sessions.room());
    }

    fn whois(&mut self, whom: Whom<'_>) {
        let member = match self.find(whom) {
            Ok(key) => self.members.get(key),
            Err(refusal) => return self.refuse(refusal),
        };
        let Some(member) = member else { return };
        let addr = member.path().and_then(|link| self.calls.addr(link));
        let (who, key) = (member.person(), member.beacon.key);
        let trusted = self.pins.holds(&who.name, key);
        self.out.show(Event::Whois { who, key, addr, trusted });
    }

    fn trust(&mut self, whom: Whom<'_>) {
        let member = match self.find(whom) {
            Ok(key) => self.members.get(key),
            Err(refusal) => return self.refuse(refusal),
        };
        let Some(member) = member else { return };
        let (who, key) = (member.person(), member.beacon.key);
        self.pins.insert(who.name.clone(), key);
        self.out.show(Event::Trusted { who, key });
    }

    fn verify(&mut self, whom: Whom<'_>) {
        let member = match self.find(whom) {
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

/// Whether a text has a name in it, as a word, in upper or lower case, composed or not.
///
/// A word ends where no letter, digit or mark follows; in scripts that write words together (UAX 29
/// leaves them to dictionaries), anywhere.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let (text, name) = (folded(text), folded(name));
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c.width() == Some(0);
    let apart = |one: Option<char>, other: Option<char>| match (one, other) {
        (Some(one), Some(other)) => {
            !(is_word(one) && is_word(other)) || is_unspaced(one) || is_unspaced(other)
        }
        _ => true,
    };
    let (first, last) = (name.chars().next(), name.chars().next_back());
    first.is_some()
        && text.match_indices(&*name).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + name.len()..]);
            apart(before.chars().next_back(), first) && apart(last, after.chars().next())
        })
}

#[cfg(test)]
mod tests {
    use super::mentions;

    /// Each row is a text with somebody's name in it: composed or not, in another case, with what draws
    /// nothing in it, and where words stand together.
    #[test]
    fn however_it_is_written() {
        for (text, name) in [
            ("Zoe\u{308}: hi", "Zoë"),
            ("ZOË!", "Zoe\u{308}"),
            ("hi STRASSE", "Straße"),
            ("γεια ΓΙΏΡΓΟΣ", "Γιώργος"),
            ("ipek, IPEK", "İpek"),
            ("al\u{AD}ice al\u{2060}ice?", "alice"),
            ("\u{200F}علیرضا: سلام", "علی\u{200C}رضا"),
            ("见alice了", "alice"),
            ("小明你好", "小明"),
            ("你好小明", "小明"),
            ("ノゾミさん", "ノゾミ"),
            ("철수야", "철수"),
            ("สวัสดีสมชาย", "สมชาย"),
            ("ａｌｉｃｅ", "alice"),
        ] {
            assert!(mentions(text, name), "{text} {name}");
        }
        for (text, name) in
            [("Zoë", "Zoe"), ("Борисович", "Борис"), ("रामायण", "राम"), ("रामों", "राम")]
        {
            assert!(!mentions(text, name), "{text} {name}");
        }
    }

    #[test]
    fn a_mention_is_a_word() {
        assert!(mentions("alice: hi", "alice") && mentions("hi ALICE!", "alice"));
        assert!(mentions("привет, Борис", "борис"));
        assert!(!mentions("malice", "alice") && !mentions("alices", "alice"));
        assert!(mentions("malice, alice", "alice") && !mentions("", "alice"));
        assert!(mentions("alice alice2 alice", "alice2") && !mentions("aalice", "alice"));
    }
}
