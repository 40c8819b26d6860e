//! Who reads what we say, and who says what: the two streams of each member.

use core::time::Duration;

use super::{BACKLOG_EASY, Ctx, HELD_MAX, MESSAGES_MAX, Members, Receipt, SAID, Standing, TOLD};
use crate::machine::event::{Event, Why};
use crate::machine::inward::Taken;
use crate::machine::time::Time;
use crate::machine::token::{MemberKey, Purpose};
use crate::machine::who::identity::Person;
use crate::machine::wire::Flags;

/// Who was heard so lately is there: the quiet are pinged more often.
const THERE: Duration = Duration::from_secs(20);

impl Members {
    /// Until when a reader that keeps up holds up a pipe.
    pub(crate) fn held_up_until(&self, now: Time) -> Option<Time> {
        self.shown().filter_map(|(_, member)| member.out.holds_up(now, BACKLOG_EASY)).max()
    }

    /// Makes room for one more message: whoever has waited longest for one is given up.
    pub(crate) fn make_room(&mut self, ctx: &mut Ctx<'_>) {
        while ctx.speech.backlog() >= MESSAGES_MAX {
            let oldest = |key: MemberKey| {
                let number =
                    self.get(key)?.out.oldest().and_then(|message| ctx.speech.number(message));
                Some((number?, key))
            };
            let readers = self.iter().map(|(key, _)| key);
            let Some((_, key)) = readers.filter_map(oldest).min() else { return };
            self.stop_waiting(key, ctx);
        }
    }

    /// Gives up all that waits for a reader who is here; what is said from here on may reach them.
    fn stop_waiting(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.get_mut(key) else { return };
        let (reader, me, path) = (member.person(), ctx.me.beacon.id, member.path);
        let (now, calls) = (ctx.now, &mut *ctx.calls);
        member.out.shut(|position, link, seq| {
            calls.finish(now, link, seq, Purpose::Say { member: key, position });
        });
        member.out.give_up(&reader, Why::Unread, me, ctx.speech, ctx.out);
        if let Some(path) = path {
            self.greet_on(key, path, ctx);
        }
        self.reschedule(key);
    }

    /// A reader says what it has. `asked` is the piece whose call that answers, if it answers one. False
    /// when it says what cannot be.
    pub(crate) fn receipt(
        &mut self,
        key: MemberKey,
        receipt: Receipt,
        asked: Option<u64>,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let Some(member) = self.get_mut(key) else { return true };
        let (reader, me, unread) = (member.person(), ctx.me.beacon.id, member.out.told_unread);
        if let Some(position) = asked {
            member.out.answered(ctx.now, position, receipt.covers(position));
        }
        let (now, calls) = (ctx.now, &mut *ctx.calls);
        let over = |position, link, seq| {
            calls.finish(now, link, seq, Purpose::Say { member: key, position });
        };
        let possible = member.out.delivered(receipt, &reader, me, ctx.speech, ctx.out, over);
        let waiting = member.out.unacked();
        if unread && !member.out.told_unread {
            ctx.out.show(Event::Reads { who: reader, reads: true, waiting });
        }
        self.reschedule(key);
        possible
    }

    /// The call of a piece failed, or was answered by somebody who does not know the stream.
    pub(crate) fn say_failed(&mut self, key: MemberKey, position: u64, ctx: &mut Ctx<'_>) {
        let Some(member) = self.get_mut(key) else { return };
        let heard = member.path.map(|path| ctx.calls.heard(path));
        let there = heard.is_some_and(|heard| ctx.now.since(heard) < THERE);
        member.out.failed(ctx.now, position, there);
        self.kick(key, ctx);
        self.reschedule(key);
    }

    /// Calls what waited for the end of a pause, if it is over.
    pub(super) fn resume(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        if let Some(member) = self.get_mut(key) {
            member.out.resume(ctx.now);
            self.kick(key, ctx);
        }
    }

    /// Whoever has taken nothing for a minute, and answers other calls, does not read.
    pub(super) fn notice_unread(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.get_mut(key) else { return };
        if member.out.unread_at().is_none_or(|at| at > ctx.now) {
            return;
        }
        member.out.told_unread = true;
        if ctx.announce && member.standing == Standing::Shown && member.is_reader() {
            let waiting = member.out.unacked();
            ctx.out.show(Event::Reads { who: member.person(), reads: false, waiting });
        }
    }

    /// Says what of theirs is missing: once they are here, and from the third time within a second on
    /// after a second, with what is missing by then.
    pub(super) fn tell_missing(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.get_mut(key) else { return };
        member.told_missing.cancel();
        if member.missing == 0 || !member.is_shown() || !ctx.announce {
            return;
        }
        if !member.told_missing.may_be_told(ctx.now, TOLD) {
            return self.reschedule(key);
        }
        let (from, count) = (member.person(), core::mem::take(&mut member.missing));
        ctx.out.show(Event::Missing { from, count });
    }

    /// Somebody says a piece. It is not taken while nobody can be shown it, or when they say too much;
    /// `show` gets every message that is complete now, with its author.
    pub(crate) fn take(
        &mut self,
        key: MemberKey,
        (stream, position): (u32, u64),
        piece: (u64, Flags, &str),
        (now, full): (Time, bool),
        mut show: impl FnMut(&Person, u64, Flags, &str),
    ) -> Taken {
        let total = self.held;
        let Some(member) = self.get_mut(key) else { return Taken::Unknown };
        let news = member.inward.is_news(stream, position);
        if news && (full || !member.said.take(now, SAID)) {
            return member.inward.decline(stream);
        }
        let (from, before) = (member.person(), member.inward.held_bytes());
        let room = HELD_MAX.saturating_sub(total);
        let taken = member.inward.take(stream, position, piece, room, |number, flags, text| {
            show(&from, number, flags, text);
        });
        self.held = total - before + member.inward.held_bytes();
        taken
    }
}
