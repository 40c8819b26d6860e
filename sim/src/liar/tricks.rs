//! What a malicious member does besides what keeps it in the room.

use chatrpc::machine::wire::{
    ANYBODY, Flags, POSITION_MAX, Request, Response, put_header, put_request, put_response,
};
use chatrpc::machine::{Farewell, Identity, Name, PeerId};

use super::{Liar, spoof};
use crate::clock::SECOND;
use crate::draw::{Draws, LIES};

/// Faces it invents at most.
const FACES_MAX: usize = 32;
/// Texts of so many bytes fill what others keep for it.
const BULK: usize = 1_000;

/// One thing it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
    /// It confirms nothing of what is said to it.
    Mute,
    /// It confirms what never came, at the limits, and goes back.
    Receipts,
    /// It refuses what is said to it at once, with every status there is.
    Refuse,
    /// It names new streams all the time, with numbers at the limits.
    Reopen,
    /// It says thousands of lines.
    Chatter,
    /// It changes its name all the time, to names that look like others'.
    Rename,
    /// It greets as people it invents, whose beacons name addresses of others.
    Crowd,
    /// It sends on what it was sent, to others and in others' names.
    Parrot,
    /// It fills datagrams with signatures that are not genuine.
    BadSignatures,
    /// Its numbers jump to the limits: beacons, counters, positions, first messages.
    Jump,
    /// It shakes hands again and again.
    Handshakes,
    /// It speaks from addresses that are not its own.
    Spoof,
    /// It says goodbye, and comes back as another process.
    Leave,
    /// It says what comes next, and never what comes first.
    Gaps,
    /// It asks and answers what nobody should.
    Nonsense,
}

/// Every trick.
pub const TRICKS: [Trick; 15] = [
    Trick::Mute,
    Trick::Receipts,
    Trick::Refuse,
    Trick::Reopen,
    Trick::Chatter,
    Trick::Rename,
    Trick::Crowd,
    Trick::Parrot,
    Trick::BadSignatures,
    Trick::Jump,
    Trick::Handshakes,
    Trick::Spoof,
    Trick::Leave,
    Trick::Gaps,
    Trick::Nonsense,
];

/// A set of tricks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tricks(u32);

impl Tricks {
    /// These.
    pub fn of(tricks: &[Trick]) -> Self {
        Self(tricks.iter().fold(0, |set, &trick| set | 1 << trick as u32))
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it is one of them.
    pub const fn has(self, trick: Trick) -> bool {
        self.0 >> trick as u32 & 1 == 1
    }
}

impl std::fmt::Display for Tricks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = TRICKS.into_iter().filter(|&one| self.has(one));
        let names: Vec<String> = all.map(|one| format!("{one:?}").to_lowercase()).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(","))
    }
}

/// An id, a nodeset's number or a position: often one where programs break.
fn extreme(d: &mut Draws) -> u64 {
    let any = d.bits();
    d.one_of(&[0, 1, u64::MAX, u64::MAX - 1, POSITION_MAX, POSITION_MAX - 1, any, any >> 40])
}

/// A piece that nobody signed, and that is no entry.
const fn bare(
    (stream, position): (u32, u64),
    number: u64,
    flags: Flags,
    text: &str,
) -> Request<'_> {
    Request::Say { stream, position, behind: u8::MAX, number, flags, seal: None, text }
}

impl Liar {
    /// It thinks of something: mostly little, now and then much at once.
    pub(super) fn turn(&mut self) {
        let mut d = Draws::new(self.config.seed, LIES, self.turns, 0);
        let much = d.chance(125_000);
        for (at, trick) in super::TRICKS.into_iter().enumerate() {
            if !self.tricks.has(trick) {
                continue;
            }
            let mut d = Draws::new(self.config.seed, LIES, self.turns, 1 + at as u64);
            let times = if much { d.range(5, 40) } else { d.below(3) };
            for _ in 0..times {
                if self.credit < SECOND {
                    return;
                }
                self.play(trick, &mut d);
            }
        }
    }

    fn play(&mut self, trick: Trick, d: &mut Draws) {
        let before = self.out.len();
        let people: Vec<PeerId> = self.contacts.keys().copied().collect();
        if people.is_empty() {
            return;
        }
        let with = d.one_of(&people);
        let talk = self.talk_with(0, with);
        match (trick, talk) {
            (Trick::Crowd, _) => self.crowd(with, d),
            (Trick::Handshakes, _) => self.shake_often(with, d),
            (Trick::Parrot, _) => self.parrot(with, d),
            (Trick::Leave, _) => self.leave(d),
            (Trick::Rename, _) => self.rename(d),
            (_, None) | (Trick::Mute | Trick::Receipts | Trick::Refuse, _) => {}
            (Trick::Reopen, Some(talk)) => self.reopen(talk, d),
            (Trick::Chatter, Some(talk)) => self.chatter(talk, d),
            (Trick::BadSignatures, Some(talk)) => self.bad_signatures(talk),
            (Trick::Jump, Some(talk)) => self.jump(talk, with, d),
            (Trick::Spoof, Some(talk)) => self.spoof_one(talk, d),
            (Trick::Gaps, Some(talk)) => self.gaps(talk),
            (Trick::Nonsense, Some(talk)) => self.nonsense(talk, d),
        }
        let sent = (self.out.len() - before) as u64;
        self.credit = self.credit.saturating_sub(sent * SECOND);
    }

    /// Somebody says something to it. `None` is silence.
    pub(super) fn told(&mut self, index: u32, position: u64) -> Option<Response> {
        self.asked_often += 1;
        let mut d = Draws::new(self.config.seed, LIES, self.asked_often, u64::MAX);
        let talk = self.talks.get_mut(&index)?;
        if position == talk.next {
            talk.next += 1;
        }
        let next = talk.next;
        if self.tricks.has(Trick::Mute) {
            return None;
        }
        if self.tricks.has(Trick::Refuse) && d.chance(900_000) {
            let statuses = [
                Response::Unknown,
                Response::Full,
                Response::Cookie(d.bits().to_be_bytes()),
                Response::Version(d.bits() as u8),
                Response::Unknown,
            ];
            return statuses.into_iter().nth(d.below(5) as usize);
        }
        if self.tricks.has(Trick::Receipts) {
            let ahead = d.range(1, 200);
            let beyond = extreme(&mut d);
            let next = d.one_of(&[next, next + 1, next + ahead, position, beyond, 0]);
            let held = d.one_of(&[0, u64::MAX, 1, 1 << 63]);
            return Some(Response::Next { next, held });
        }
        Some(Response::Next { next, held: 0 })
    }

    fn reopen(&mut self, index: u32, d: &mut Draws) {
        let seq = self.seq();
        let Some(talk) = self.talks.get_mut(&index) else { return };
        talk.stream = d.bits() as u32 | 1;
        talk.position = match extreme(d) {
            far if far <= POSITION_MAX => far,
            _ => talk.position,
        };
        let (stream, start, given_up) = (talk.stream, talk.position, extreme(d));
        let face = &self.faces[talk.face];
        let beacon = face.insider.signed(&face.name, face.n, face.addrs.clone());
        let hello = Request::Hello { stream, start, given_up, entries: 1, beacon };
        self.say(index, |out| put_request(out, seq, &hello));
    }

    /// As many lines as fit one datagram.
    fn chatter(&mut self, index: u32, d: &mut Draws) {
        let (odd, endless) = (d.chance(50_000), d.chance(50_000));
        let Some(talk) = self.talks.get_mut(&index) else { return };
        if talk.stream == 0 {
            return self.hello(index);
        }
        let (stream, first, number) = (talk.stream, talk.position, talk.number);
        let number = if odd { extreme(d) } else { number };
        (talk.position, talk.number) = (first.saturating_add(25), number.saturating_add(25));
        let seq = self.seq;
        self.seq = seq.wrapping_add(25);
        let flags = Flags { action: d.chance(100_000), private: d.chance(100_000), more: endless };
        self.say(index, |out| {
            for n in 0..25 {
                let (position, number) = (first.saturating_add(n), number.saturating_add(n));
                let say = bare((stream, position), number, flags, "lies");
                put_request(out, seq.wrapping_add(1 + n as u32), &say);
            }
        });
    }

    /// What comes after the next piece, and never that.
    fn gaps(&mut self, index: u32) {
        let seq = self.seq();
        let Some(talk) = self.talks.get_mut(&index) else { return };
        if talk.stream == 0 {
            return self.hello(index);
        }
        talk.number = talk.number.wrapping_add(1);
        let ahead = 1 + talk.number % 63;
        let (stream, position) = (talk.stream, talk.position.saturating_add(ahead));
        let (number, flags) = (talk.number, Flags::default());
        let text = "x".repeat(BULK);
        let say = bare((stream, position), number, flags, &text);
        self.say(index, |out| put_request(out, seq, &say));
    }

    /// Another name, like somebody else's if it can be; everybody is told.
    fn rename(&mut self, d: &mut Draws) {
        let place = d.below(self.contacts.len() as u64) as usize;
        let Some((id, contact)) = self.contacts.iter().nth(place) else { return };
        let (one, short) = (contact.name.clone(), id.short());
        let candidates = [
            one.clone(),
            one.replace('a', "\u{430}"),
            one.replace('o', "0"),
            format!("{one}{one}"),
            short,
            format!("ma{}", d.below(100_000)),
        ];
        let name = d.one_of(&[0, 1, 2, 3, 4, 5, 5, 5]);
        let Ok(name) = Name::parse(&candidates[name]) else { return };
        self.faces[0].name = name.to_string();
        self.faces[0].n = self.faces[0].n.saturating_add(1);
        self.unmask(0);
        let people: Vec<PeerId> = self.contacts.keys().copied().collect();
        for with in people {
            if let Some(talk) = self.talk_with(0, with) {
                self.hello(talk);
            }
        }
        if d.chance(100_000) {
            self.register(0);
        }
    }

    /// Somebody new greets, and names addresses of people who take no part. A nodeset is told as well.
    fn crowd(&mut self, with: PeerId, d: &mut Draws) {
        if self.faces.len() < FACES_MAX {
            let mut secret = [0; 32];
            secret.chunks_exact_mut(8).for_each(|word| {
                word.copy_from_slice(&d.bits().to_be_bytes());
            });
            let [one, other] = self.config.third;
            let somebody = d.one_of(&self.config.others);
            let addrs = vec![one, somebody, other, self.config.own];
            let incarnation = self.config.incarnation + self.faces.len() as u64;
            let name = format!("mu{}", d.below(1_000_000));
            let face = self.face(Identity::new(&secret), incarnation, &name, addrs);
            self.shake(face, with);
            if d.chance(500_000) {
                self.register(face);
            }
            return;
        }
        let face = 1 + d.below(self.faces.len() as u64 - 1) as usize;
        match self.talk_with(face, with) {
            Some(talk) => self.hello(talk),
            None => self.shake(face, with),
        }
    }

    fn parrot(&mut self, with: PeerId, d: &mut Draws) {
        let Some(contact) = self.contacts.get(&with) else { return };
        if self.recorded.is_empty() {
            return;
        }
        let to = d.one_of(&[contact.addr, d.clone().one_of(&self.config.others)]);
        let mut bytes = self.recorded[d.below(self.recorded.len() as u64) as usize].clone();
        match d.below(4) {
            0 => bytes = spoof(self.config.third[d.below(2) as usize], &bytes),
            1 => bytes = spoof(d.one_of(&self.config.others), &bytes),
            _ => {}
        }
        self.send(to, bytes);
    }

    fn bad_signatures(&mut self, index: u32) {
        let seq = self.seq;
        self.seq = seq.wrapping_add(5);
        let Some(talk) = self.talks.get(&index) else { return };
        let (stream, start) = (talk.stream | 1, talk.position);
        let face = &mut self.faces[talk.face];
        let first = face.n;
        let signed: Vec<_> = (1..=4)
            .map(|n| {
                let n = first.saturating_add(n);
                let mut beacon = face.insider.signed(&face.name, n, Vec::new());
                beacon.signature[n as usize % 64] ^= 1;
                beacon
            })
            .collect();
        self.say(index, |out| {
            for (n, beacon) in signed.into_iter().enumerate() {
                let hello = Request::Hello { stream, start, given_up: 0, entries: 1, beacon };
                put_request(out, seq.wrapping_add(1 + n as u32), &hello);
            }
        });
    }

    fn jump(&mut self, index: u32, with: PeerId, d: &mut Draws) {
        match d.below(5) {
            0 => {
                self.faces[0].n = u32::MAX - d.below(2) as u32;
                self.hello(index);
            }
            1 => {
                if let Some(talk) = self.talks.get_mut(&index) {
                    talk.session.counter = (1 << 60) - 1 - d.below(3);
                }
                self.hello(index);
            }
            2 => {
                self.faces[0].insider.number = u64::MAX - 1;
                self.shake(0, with);
            }
            3 => {
                self.seq = self.seq.wrapping_add(u32::MAX / 2 - d.below(3) as u32);
                self.hello(index);
            }
            _ => {
                if let Some(talk) = self.talks.get_mut(&index) {
                    talk.position = POSITION_MAX - d.below(2);
                }
                self.chatter(index, d);
            }
        }
    }

    fn shake_often(&mut self, with: PeerId, d: &mut Draws) {
        self.shake(0, with);
        if let (Some((to, init)), true) = (self.out.last_datagram(), d.chance(300_000)) {
            let init = init.to_vec();
            (0..d.range(1, 3)).for_each(|_| self.send(to, init.clone()));
        }
    }

    /// What it says on a session arrives from where it is not.
    fn spoof_one(&mut self, index: u32, d: &mut Draws) {
        let seq = self.seq();
        let from = match d.below(3) {
            0 => d.one_of(&self.config.others),
            n => self.config.third[n as usize - 1],
        };
        if let Some((to, bytes)) = self.sealed(index, |out| put_request(out, seq, &Request::PING)) {
            self.send(to, spoof(from, &bytes));
        }
    }

    /// Goodbye; it may be that it comes back as another process of the same person.
    fn leave(&mut self, d: &mut Draws) {
        if !d.chance(50_000) {
            return;
        }
        let farewell = self.faces[0].insider.farewell();
        let people: Vec<PeerId> = self.contacts.keys().copied().collect();
        for with in people {
            let (next, seq, beacon) = (extreme(d), self.seq(), farewell.clone());
            if let Some(talk) = self.talk_with(0, with) {
                self.say(talk, |out| put_request(out, seq, &Request::Bye { next, beacon }));
            }
        }
        let insider = &self.faces[0].insider;
        let (identity, incarnation) = (insider.identity.clone(), insider.incarnation + 100);
        let addrs = self.faces[0].addrs.clone();
        let newest = self.face(identity, incarnation, "mala", addrs);
        self.faces.swap_remove(0);
        debug_assert_eq!(newest, self.faces.len());
        self.talks.clear();
        self.pending.clear();
        // At once, in its next turn.
        self.renew_at = self.us() + 1;
    }

    fn nonsense(&mut self, index: u32, d: &mut Draws) {
        let (seq, tag) = (d.bits() as u32, self.config.room.tag());
        let next = extreme(d);
        match d.below(6) {
            0 => self.say(index, |_| {}),
            1 => self.say(index, |out| {
                let who = Request::Who { cookie: [0; 8], tag, have: next, most: 1200 };
                put_request(out, seq, &who);
            }),
            2 => self.say(index, |out| {
                put_request(out, seq, &Request::AddMember { reached: next, members: Vec::new() });
            }),
            3 => self.say(index, |out| {
                for n in 0..20 {
                    let held = u64::MAX;
                    put_response(out, seq.wrapping_add(n), &Response::Next { next, held });
                }
            }),
            4 => {
                // In the open, to somebody who only listens to the nodeset there.
                let Some(to) = self.talks.get(&index).and_then(|t| self.contacts.get(&t.with))
                else {
                    return;
                };
                let (to, mut bytes) = (to.addr, Vec::new());
                put_header(&mut bytes, 1, to.port().into(), 1, 0);
                put_request(&mut bytes, seq, &Request::PING);
                self.send(to, spoof(self.config.nodeset, &bytes));
            }
            _ => {
                let farewell = Farewell([d.bits() as u8; 16]);
                let sealed = self.faces[0].insider.sealed("mala", Vec::new()).1;
                let mut bytes = Vec::new();
                put_header(&mut bytes, 1, ANYBODY, 1, 0);
                put_request(&mut bytes, seq, &Request::Deregister { tag, farewell, sealed });
                self.send(self.config.nodeset, bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let set = Tricks::of(&[Trick::Mute, Trick::Nonsense]);
        let has: Vec<Trick> = TRICKS.into_iter().filter(|&trick| set.has(trick)).collect();
        assert_eq!(has, [Trick::Mute, Trick::Nonsense]);
        assert!(TRICKS.iter().enumerate().all(|(at, &trick)| at == trick as usize));
    }
}
