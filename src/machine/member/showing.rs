//! What is heard is shown: once, signed as its author's, and after what it follows.

use core::time::Duration;

use super::{Ctx, Members, Record};
use crate::machine::inward::{Piece, Screen};
use crate::machine::log::{Log, Seal, Verdict, Words};
use crate::machine::mention::mentions;
use crate::machine::outbox::{Marks, Outbox};
use crate::machine::purpose::MemberKey;
use crate::machine::time::Time;
use crate::machine::who::identity::Person;
use crate::machine::who::ids::MessageId;
use crate::machine::who::keys::Keys;

/// So long what a message follows may still be on its way, before the first round trip is known.
const GRACE: Duration = Duration::from_millis(100);

/// The screen, for what one author says to us.
pub(super) struct Showing<'a> {
    now: Time,
    keys: &'a Keys,
    me: &'a str,
    log: &'a mut Log,
    out: &'a mut Outbox,
    author: &'a Record,
    /// What they say has waited long enough for what it follows.
    overdue: bool,
    /// Something was shown.
    pub(super) shows: bool,
    /// Something that was for everybody.
    pub(super) to_all: bool,
    /// What was not theirs.
    pub(super) forged: u64,
}

impl<'a> Showing<'a> {
    pub(super) fn of(author: &'a Record, overdue: bool, ctx: &'a mut Ctx<'_>) -> Self {
        let Ctx { now, keys, me, ref mut log, ref mut out, .. } = *ctx;
        let me = me.beacon.name.as_str();
        Self { now, keys, me, log, out, author, overdue, shows: false, to_all: false, forged: 0 }
    }
}

impl Screen for Showing<'_> {
    fn is_due(&self, seal: &Seal) -> bool {
        self.overdue || !seal.deps.iter().any(|place| self.log.awaits(place))
    }

    fn show(&mut self, message: Piece<'_>) {
        let Piece { number, flags, seal, text } = message;
        // The next one has not waited yet.
        (self.shows, self.overdue) = (true, false);
        self.to_all |= !flags.private;
        if let Some(seal) = seal {
            let words = Words { number, action: flags.action, text };
            let place = (self.author.beacon().id, seal.seq);
            match self.log.take((self.now, self.keys, self.author.signed()), seal, words) {
                Verdict::New | Verdict::Old => self.log.has_come(place),
                Verdict::Known => return self.log.has_come(place),
                Verdict::Forged => {
                    self.forged += 1;
                    return;
                }
                Verdict::Forked { news } => {
                    return tell_fork(self.author.person(), news, self.out);
                }
            }
        }
        let (action, private) = (flags.action, flags.private);
        let marks = Marks { action, private, mention: false, past: None };
        put_on_screen(self.out, self.me, (self.author.person(), number), (text, marks));
    }
}

/// Shows a message, and whether it has our name in it.
pub(super) fn put_on_screen(
    out: &mut Outbox,
    me: &str,
    (from, number): (Person, u64),
    (text, marks): (&str, Marks),
) {
    let Some(kept) = out.keep(text) else { return };
    let id = MessageId { author: from.id, number };
    let mention = mentions(out.text(&kept), me);
    out.message(id, from, kept, Marks { mention, ..marks });
}

/// Says that somebody signed two different messages as one.
pub(super) fn tell_fork(who: Person, news: bool, out: &mut Outbox) {
    if news {
        out.show(crate::machine::event::Event::Forked(who));
    }
}

impl Members {
    /// Shows what waited for what was shown just now, of everybody.
    pub(super) fn release(&mut self, ctx: &mut Ctx<'_>) {
        loop {
            let mut more = false;
            for key in self.waiting.clone() {
                more |= self.show_waiting(key, ctx);
            }
            if !more {
                return;
            }
        }
    }

    /// Shows what waits of one author, as far as it is due. Whether anything was.
    pub(super) fn show_waiting(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) -> bool {
        if ctx.full || !ctx.announce {
            return false;
        }
        self.show_caught(ctx);
        let here = |member: &&mut super::Member| member.life.is_shown();
        let Some(member) = self.slab.get_mut(key).filter(here) else { return false };
        let before = member.streams.held_bytes();
        let overdue = member.streams.is_overdue(ctx.now);
        let mut screen = Showing::of(&member.record, overdue, ctx);
        member.streams.show_held(&mut screen);
        let Showing { shows, forged, .. } = screen;
        self.held = self.held - before + member.streams.held_bytes();
        ctx.calls.blame.unauthenticated += forged;
        self.note_waiting(key, ctx);
        shows
    }

    /// Whose next message waits is in the list of those.
    pub(super) fn note_waiting(&mut self, key: MemberKey, ctx: &Ctx<'_>) {
        let Some(member) = self.slab.get_mut(key) else { return };
        let rtt = member.reach.path().and_then(|path| ctx.calls.rtt(path));
        member.streams.note_waiting(ctx.now, rtt.unwrap_or(GRACE));
        let waits = member.streams.waits();
        match self.waiting.iter().position(|&other| other == key) {
            None if waits => self.waiting.push(key),
            Some(index) if !waits => {
                self.waiting.swap_remove(index);
            }
            _ => return,
        }
        self.reschedule(key);
    }
}
