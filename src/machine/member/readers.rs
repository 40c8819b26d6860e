//! Who reads what we say, and who says what: the two streams of each member.

use core::time::Duration;

use super::showing::Showing;
use super::{BACKLOG_EASY, Ctx, HELD_MAX, MESSAGES_MAX, Members, Receipt};
use crate::machine::event::{Event, Why};
use crate::machine::inward::{self, Taken};
use crate::machine::purpose::{Matter, MemberKey, Purpose};
use crate::machine::time::Time;

/// Who was heard so lately is there: the quiet are pinged more often.
const THERE: Duration = Duration::from_secs(20);

impl Members {
    /// Until when a reader that keeps up holds up a pipe.
    pub(crate) fn held_up_until(&self, now: Time) -> Option<Time> {
        self.shown()
            .filter_map(|(_, member)| member.streams.out().holds_up(now, BACKLOG_EASY))
            .max()
    }

    /// Makes room for one more message: whoever has waited longest for one is given up.
    pub(crate) fn make_room(&mut self, ctx: &mut Ctx<'_>) {
        while ctx.speech.backlog() >= MESSAGES_MAX {
            let oldest = |key: MemberKey| {
                let oldest = self.get(key)?.streams.out().oldest()?;
                Some((ctx.speech.number(oldest)?, key))
            };
            let readers = self.iter().map(|(key, _)| key);
            let Some((_, key)) = readers.filter_map(oldest).min() else { return };
            self.stop_waiting(key, ctx);
        }
    }

    /// Gives up all that waits for a reader who is here; what is said from here on may reach them.
    fn stop_waiting(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.get_mut(key) else { return };
        let (reader, me, path) = (member.record.person(), ctx.me.beacon.id, member.reach.path());
        let (now, calls) = (ctx.now, &mut *ctx.calls);
        let out = member.streams.out_mut();
        out.shut(|position, link, seq| {
            calls.finish(now, link, seq, Purpose::Member(key, Matter::Say { position }));
        });
        out.give_up(&reader, Why::Unread, me, ctx.speech, ctx.out);
        if let Some(path) = path {
            self.greet_on(key, path, ctx);
        }
        self.reschedule(key);
    }

    /// A reader says what it has. `asked` is the piece whose call that answers, if it answers one.
    pub(super) fn receipt(
        &mut self,
        key: MemberKey,
        receipt: Receipt,
        asked: Option<u64>,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(member) = self.get_mut(key) else { return };
        let (reader, me) = (member.record.person(), ctx.me.beacon.id);
        let out = member.streams.out_mut();
        let unread = out.told_unread;
        if let Some(position) = asked {
            out.answered(ctx.now, position, receipt.covers(position));
        }
        let (now, calls) = (ctx.now, &mut *ctx.calls);
        let over = |position, link, seq| {
            calls.finish(now, link, seq, Purpose::Member(key, Matter::Say { position }));
        };
        let possible = out.delivered(receipt, &reader, me, ctx.speech, ctx.out, over);
        let waiting = out.unacked();
        if unread && !out.told_unread {
            ctx.out.show(Event::Reads { who: reader, reads: true, waiting });
        }
        self.reschedule(key);
        // Nobody has what was not said yet.
        ctx.calls.blame.malformed += u64::from(!possible);
    }

    /// A reader says before which entry of our log it has all: what others handed on needs not be said.
    pub(super) fn has_entries(&mut self, key: MemberKey, next: u32, ctx: &mut Ctx<'_>) {
        let Some(member) = self.get_mut(key) else { return };
        let rtt = member.reach.path().and_then(|path| ctx.calls.rtt(path));
        let out = member.streams.out_mut();
        let (start, behind) = (out.start(), out.behind_entries(next, ctx.speech));
        out.is_handed_on(ctx.now, behind > start, rtt);
        if behind > start {
            self.receipt(key, Receipt { at: ctx.now, next: behind, held: 0 }, None, ctx);
        }
    }

    /// The call of a piece failed, or was answered by somebody who does not know the stream.
    pub(super) fn say_failed(&mut self, key: MemberKey, position: u64, ctx: &mut Ctx<'_>) {
        let Some(member) = self.get_mut(key) else { return };
        let heard = member.reach.path().map(|path| ctx.calls.heard(path));
        let there = heard.is_some_and(|heard| ctx.now.since(heard) < THERE);
        member.streams.out_mut().failed(ctx.now, position, there);
        self.kick(key, ctx);
        self.reschedule(key);
    }

    /// Calls what waited for the end of a pause, if it is over.
    pub(super) fn resume(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        if let Some(member) = self.get_mut(key) {
            member.streams.out_mut().resume(ctx.now);
            self.kick(key, ctx);
        }
    }

    /// Whoever has taken nothing for a minute, and answers other calls, does not read.
    pub(super) fn notice_unread(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.get_mut(key) else { return };
        let (reads_here, unreachable) = (member.reads_here(), member.is_unreachable());
        let out = member.streams.out_mut();
        if !out.notice_unread(ctx.now) {
            return;
        }
        // Who cannot be reached has nothing to read.
        if ctx.announce && reads_here && !unreachable {
            let (waiting, who) = (out.unacked(), member.record.person());
            ctx.out.show(Event::Reads { who, reads: false, waiting });
        }
    }

    /// Says what of theirs is missing: once they are here, and not too often.
    pub(super) fn tell_missing(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.get_mut(key) else { return };
        let may = member.life.is_shown() && ctx.announce;
        match member.streams.tell_missing(ctx.now, may) {
            Some(count) => {
                ctx.out.show(Event::Missing { from: member.record.person(), count });
            }
            None if member.streams.tells_missing_at().is_some() => self.reschedule(key),
            None => {}
        }
    }

    /// Somebody says a piece; messages that are complete and due are shown. Whether any was, and whether any was for
    /// everybody.
    pub(super) fn take(
        &mut self,
        key: MemberKey,
        at: (u32, u64, u8),
        piece: inward::Piece<'_>,
        ctx: &mut Ctx<'_>,
    ) -> (Taken, (bool, bool)) {
        let room = HELD_MAX.saturating_sub(self.held);
        let Some(member) = self.slab.get_mut(key) else { return (Taken::Unknown, (false, false)) };
        let (before, now, full) = (member.streams.held_bytes(), ctx.now, ctx.full);
        let overdue = member.streams.is_overdue(now);
        let mut screen = Showing::of(&member.record, overdue, ctx);
        let taken = member.streams.take((now, full), at, piece, room, &mut screen);
        let Showing { shows, to_all, forged, .. } = screen;
        self.held = self.held - before + member.streams.held_bytes();
        ctx.calls.blame.unauthenticated += forged;
        self.note_waiting(key, ctx);
        (taken, (shows, to_all))
    }
}
