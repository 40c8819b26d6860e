//! Who fetches what many lack: not all of them over the same line (docs/PROTOCOL.md, "Catching up").

use core::time::Duration;

use super::{Ctx, Members};
use crate::machine::pace::{Pace, Rate};
use crate::machine::purpose::{LinkKey, MemberKey};
use crate::machine::time::Time;

/// Heads are read, where a comparison differs, that often.
const COMPARED: Rate = Rate::new(Duration::from_secs(5), 2);

/// They are read within a round trip for each who is here, so many at most: who is far away gives it to a few, who are
/// near to the others.
const TURNS: u32 = 16;
const WITHIN: Duration = Duration::from_secs(4);

/// Who was handed something pings so many of those who are nearest, this often: they may lack it, too.
const PASSED_TO: usize = 3;
const PASSED: Rate = Rate::new(Duration::from_secs(1), 2);

/// When heads are read, and how often.
#[derive(Debug, Default, Hash)]
pub(super) struct Spreading {
    turn: Option<Turn>,
    compared: Pace,
    passed: Pace,
}

/// Somebody has something else, and is asked then.
#[derive(Clone, Copy, Debug, Hash)]
struct Turn {
    whom: MemberKey,
    at: Time,
    /// Others handed us something meanwhile: it is compared once more before anything is asked for.
    news: bool,
}

impl Spreading {
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.turn.map(|turn| turn.at)
    }
}

impl Members {
    /// Somebody has something else than we: what it is, is asked once in a while, and not by all at once.
    pub(super) fn differs(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        if self.catching.is_reading() || self.spreading.turn.is_some() {
            return;
        }
        let path = self.get(key).and_then(|member| member.reach.path());
        let rtt = path.and_then(|path| ctx.calls.rtt(path)).unwrap_or_default();
        let others = u32::try_from(self.shown.saturating_sub(1)).unwrap_or(TURNS);
        let within = rtt.saturating_mul(others.min(TURNS)).min(WITHIN);
        let us = ctx.rng.below(u64::try_from(within.as_micros()).unwrap_or_default());
        let at = ctx.now + Duration::from_micros(us);
        self.spreading.turn = Some(Turn { whom: key, at, news: false });
        self.take_turn(ctx);
    }

    /// Reads the heads of whom it is the turn.
    pub(super) fn take_turn(&mut self, ctx: &mut Ctx<'_>) {
        let due = |turn: &mut Turn| turn.at <= ctx.now;
        let Some(Turn { whom, news, .. }) = self.spreading.turn.take_if(due) else { return };
        if news {
            self.ping(whom, ctx);
        } else if self.spreading.compared.take(ctx.now, COMPARED) {
            self.read_heads(whom, ctx);
        }
    }

    /// Others handed us something: who is near may lack it, and compares.
    pub(super) fn has_news_for_the_near(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(turn) = &mut self.spreading.turn {
            turn.news = true;
        }
        if !self.spreading.passed.take(ctx.now, PASSED) {
            return;
        }
        let rtt = |path: Option<LinkKey>| ctx.calls.rtt(path?);
        let with = self.shown().filter_map(|(key, one)| Some((rtt(one.reach.path())?, key)));
        let mut near: Vec<(Duration, MemberKey)> = with.collect();
        let Some(&(least, _)) = near.iter().min() else { return };
        near.retain(|&(rtt, _)| rtt <= least.saturating_mul(2));
        for _ in 0..PASSED_TO.min(near.len()) {
            let (_, key) = near.swap_remove(ctx.rng.below(near.len() as u64) as usize);
            self.ping(key, ctx);
        }
    }
}
