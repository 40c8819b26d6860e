//! What a member asks of us, and what comes of what we ask of them: answers, receipts, silence.

use super::{Ctx, Member, MemberKey, Members};
use crate::machine::call::{Admission, Arrival};
use crate::machine::inward::{Piece, Taken};
use crate::machine::purpose::{LinkKey, Matter};
use crate::machine::speech::Receipt;
use crate::machine::who::beacon::Signed;
use crate::machine::who::ids::PeerId;
use crate::machine::wire::{Request, Response};

impl Members {
    /// The process of that id asks something, under a seal: it has proven who it is.
    pub(crate) fn request(
        &mut self,
        arrival: &Arrival,
        id: PeerId,
        (seq, request): (u32, Request<'_>),
        ctx: &mut Ctx<'_>,
    ) {
        // A packet before may have closed the link.
        let link = arrival.link.filter(|&link| ctx.calls.is_open(link));
        let member = link.and_then(|link| Some((link, self.on_link(link)?)));
        match (request, member) {
            (Request::Hello { stream, start, given_up, entries, beacon }, _)
                if beacon.beacon.id == id && !ctx.parting =>
            {
                self.says_hello(arrival, seq, &beacon, (stream, start, given_up, entries), ctx);
            }
            (Request::Bye { next, beacon }, member) if beacon.beacon.id == id => {
                // The answer goes out first: the link it would take is closed.
                ctx.calls.reply_stray(seq, &Response::Ok);
                if let Some((_, key)) = member {
                    self.receipt(key, Receipt { at: ctx.now, next, held: 0 }, None, ctx);
                }
                self.says_goodbye(&beacon, ctx);
            }
            (Request::Hello { .. } | Request::Bye { .. }, _) => {
                ctx.calls.blame.unauthenticated += 1
            }
            (
                request @ (Request::Say { .. }
                | Request::Ping { .. }
                | Request::Present { .. }
                | Request::Heads { .. }
                | Request::Want { .. }
                | Request::Author { .. }
                | Request::Lost { .. }
                | Request::Introduce { .. }
                | Request::Bridge { .. }),
                member,
            ) => match member {
                Some(at) => self.member_asks(arrival, at, (seq, request), ctx),
                None => ctx.calls.reply_stray(seq, &Response::Unknown),
            },
            _ => ctx.calls.blame.unauthenticated += 1,
        }
    }

    /// A member asks something over a link of theirs.
    fn member_asks(
        &mut self,
        arrival: &Arrival,
        (link, key): (LinkKey, MemberKey),
        (seq, request): (u32, Request<'_>),
        ctx: &mut Ctx<'_>,
    ) {
        match request {
            // They change nothing, so they are answered each time.
            asked @ (Request::Heads { .. } | Request::Want { .. } | Request::Author { .. }) => {
                self.send_on(arrival, (link, key, seq), &asked, ctx);
            }
            Request::Present { after } => {
                self.says_who_is_present(arrival, (link, seq), after, ctx);
            }
            asked => {
                if matches!(ctx.calls.admit(arrival, link, seq), Admission::New)
                    && let Some(response) = self.asks((key, arrival), &asked, ctx)
                {
                    ctx.calls.reply(arrival, link, seq, &response);
                }
            }
        }
    }

    /// What is answered to a member who asks something for the first time. `None` is silence.
    fn asks(
        &mut self,
        (key, arrival): (MemberKey, &Arrival),
        request: &Request<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Option<Response> {
        Some(match *request {
            Request::Say { stream, position, behind, number, flags, ref seal, text } => {
                let piece = Piece { number, flags, seal: seal.as_ref(), text };
                return self.said(key, (stream, position, behind), piece, ctx);
            }
            Request::Ping { until, digest, present } => {
                let others = self.sees_others(key, present, ctx);
                self.compared(key, (until, digest), others, ctx)
            }
            Request::Lost { who, loss } => {
                self.told_of_lost(key, (who, loss), ctx);
                Response::Ok
            }
            Request::Introduce { who, at, near } => {
                let who = self.key_of(who).map(|who| (who, at, near));
                let response = who.map(|who| self.introduced((key, arrival), who, ctx));
                response.unwrap_or(Response::Unknown)
            }
            Request::Bridge { to } => self.bridge(key, arrival, to, ctx),
            _ => return None,
        })
    }

    fn says_hello(
        &mut self,
        arrival: &Arrival,
        seq: u32,
        beacon: &Signed,
        (stream, start, given_up, entries): (u32, u64, u64, u32),
        ctx: &mut Ctx<'_>,
    ) {
        let stream = (stream, start, given_up);
        let Some((key, link)) = self.hello(arrival, beacon, stream, ctx) else { return };
        ctx.log.comes_from(beacon.beacon.id, entries);
        if matches!(ctx.calls.admit(arrival, link, seq), Admission::New) {
            ctx.calls.reply(arrival, link, seq, &Response::Ok);
        }
        self.greet_back(key, link, ctx);
    }

    /// Somebody says a piece. `None` is silence: they will say it again.
    fn said(
        &mut self,
        key: MemberKey,
        at: (u32, u64, u8),
        piece: Piece<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Option<Response> {
        if !ctx.announce {
            // Not in yet, or on the way out.
            ctx.calls.blame.over_limit += 1;
            return None;
        }
        let comes_in = |member: &Member| member.streams.hears(at.0) && !member.life.is_shown();
        if self.get(key).is_some_and(comes_in) {
            self.show(key, ctx);
        }
        self.show_caught_before(key, piece.seal, ctx);
        let (taken, (says, to_all)) = self.take(key, at, piece, ctx);
        if says {
            self.is_talking(ctx);
            self.release(ctx);
        }
        if to_all {
            self.asks_everybody(key, ctx.now);
        }
        match taken {
            Taken::Next(next, held) => Some(Response::Next { next, held }),
            Taken::Unknown => Some(Response::Unknown),
            Taken::TooFar => {
                ctx.calls.blame.over_limit += 1;
                None
            }
        }
    }

    /// A call to a member is answered.
    pub(crate) fn answered(
        &mut self,
        arrival: &Arrival,
        link: LinkKey,
        (key, matter): (MemberKey, Matter),
        response: &Response,
        ctx: &mut Ctx<'_>,
    ) {
        self.reached(key, link, ctx);
        match (matter, response) {
            (Matter::Hello, Response::Ok) => self.greeted(key, link, arrival, ctx),
            (Matter::Hello, _) => self.greeting_failed(key, link, ctx),
            (Matter::Say { position }, &Response::Next { next, held }) => {
                let receipt = Receipt { at: ctx.now, next, held };
                self.receipt(key, receipt, Some(position), ctx);
                self.kick(key, ctx);
            }
            (Matter::Say { position }, _) => {
                self.say_failed(key, position, ctx);
                self.unknown(key, link, ctx);
            }
            (Matter::Ping, &Response::Here { differs, others, next }) => {
                self.has_entries(key, next, ctx);
                self.pinged(key, true, ctx);
                if differs || ctx.log.has_gap() {
                    self.differs(key, ctx);
                }
                if others {
                    self.ask_who_is_present(key, ctx);
                }
            }
            (Matter::Ping, response) => {
                self.pinged(key, true, ctx);
                if *response == Response::Unknown {
                    self.unknown(key, link, ctx);
                }
            }
            (Matter::Heads, Response::Heads { more, heads }) => {
                self.heads_told(key, (heads, *more), ctx);
            }
            (Matter::Want { log, skip }, Response::Entries { more, bytes }) => {
                self.entries_came(key, (log, skip), (bytes, *more), ctx);
            }
            (Matter::Author { log }, Response::Author(signed)) => {
                self.author_told(key, log, signed, ctx);
            }
            (Matter::Heads | Matter::Want { .. } | Matter::Author { .. }, _) => {
                self.not_caught_up(key, (matter, false), ctx);
            }
            (Matter::Challenge, _) => self.challenged(key, link, true, ctx),
            (Matter::Present { after }, Response::Present { more, ids }) => {
                self.present_told(key, after, (ids, *more), ctx);
            }
            (Matter::Lost | Matter::Present { .. }, _) => {}
            (Matter::Introduce { of, step }, response) => {
                self.has_introduced(key, (of, step), *response == Response::Ok, ctx);
            }
            (Matter::Bridge { to }, response) => self.bridged(link, to, response, ctx),
        }
    }

    /// A call to a member has failed. False when they do not answer where they were, and were heard
    /// nowhere else: a nodeset may know where.
    pub(crate) fn failed(
        &mut self,
        link: LinkKey,
        (key, matter): (MemberKey, Matter),
        ctx: &mut Ctx<'_>,
    ) -> bool {
        match matter {
            Matter::Hello => self.greeting_failed(key, link, ctx),
            Matter::Challenge => self.challenged(key, link, false, ctx),
            Matter::Bridge { to } => {
                self.ask_when_due(key, ctx);
                self.ask_next_relay(to, ctx);
            }
            Matter::Introduce { of, step } => {
                self.ask_when_due(key, ctx);
                self.has_introduced(key, (of, step), false, ctx);
            }
            Matter::Heads | Matter::Want { .. } | Matter::Author { .. } => {
                self.not_caught_up(key, (matter, true), ctx);
            }
            Matter::Lost | Matter::Present { .. } => {
                self.misses(key, ctx);
                return self.reroute(key, ctx);
            }
            Matter::Say { position } => {
                self.misses(key, ctx);
                self.say_failed(key, position, ctx);
                return self.reroute(key, ctx);
            }
            Matter::Ping => {
                self.misses(key, ctx);
                self.pinged(key, false, ctx);
                return self.reroute(key, ctx);
            }
        }
        true
    }
}
