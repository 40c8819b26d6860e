//! Machines that misbehave on purpose, to prove within `cargo test` that the oracles bite.
//!
//! A [`Faulty`] stands between a real chat machine and its owner and spoils one kind of event, as a
//! bug in the machine would. Each spoiler names the oracle that must notice. (Bugs planted in the
//! machine's own source are in [`crate::teeth`]; they need a compiler.)

use chatrpc::machine::{
    Action, Blame, Event, Input, Machine, MessageId, Peer, PeerConfig, PeerId, Person, SafeText,
    Table, Time, Wake, Why,
};

/// A way to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// Not at all: the control.
    Nothing,
    /// A message is not shown, though confirmed.
    Drop,
    /// A message is shown twice.
    Repeat,
    /// Two messages of one author are shown in the wrong order.
    Swap,
    /// A message is shown with another text.
    Alter,
    /// A message is done twice.
    DoneTwice,
    /// A message is never done.
    NeverDone,
    /// Somebody who is here is said to have timed out.
    FalseLeave,
    /// Somebody who never was enters.
    Ghost,
    /// The wake is forgotten.
    NoWake,
    /// It panics.
    Panic,
}

/// Every way to misbehave, and the oracle that must notice.
pub const SPOILS: &[(Spoil, &str)] = &[
    (Spoil::Drop, "S6"),
    (Spoil::Repeat, "S2"),
    (Spoil::Swap, "S3"),
    (Spoil::Alter, "S1"),
    (Spoil::DoneTwice, "once"),
    (Spoil::NeverDone, "once"),
    (Spoil::FalseLeave, "S7"),
    (Spoil::Ghost, "S7"),
    (Spoil::NoWake, "S11"),
    (Spoil::Panic, "S9"),
];

/// How many events of the kind are left alone before one is spoiled.
const PATIENCE: u32 = 3;

/// A chat machine that spoils an event now and then.
#[derive(Debug)]
pub struct Faulty {
    peer: Peer,
    spoil: Spoil,
    seen: u32,
    extra: Option<Event<'static>>,
    held: Option<Event<'static>>,
}

impl Faulty {
    /// A real machine behind a spoiler.
    pub fn boxed(config: PeerConfig, spoil: Spoil) -> (PeerId, Box<dyn Machine>) {
        let peer = Peer::new(config);
        let id = peer.me().id;
        (id, Box::new(Self { peer, spoil, seen: 0, extra: None, held: None }))
    }

    /// Whether this event is the one to be spoiled.
    const fn now(seen: &mut u32) -> bool {
        *seen += 1;
        *seen == PATIENCE
    }
}

fn owned_message(event: &Event<'_>) -> Option<Event<'static>> {
    let Event::Message { id, from, text, action, private, mention, past } = event else {
        return None;
    };
    Some(Event::Message {
        id: *id,
        from: from.clone(),
        text: text.clone().into_owned(),
        action: *action,
        private: *private,
        mention: *mention,
        past: *past,
    })
}

fn author(event: &Event<'_>) -> Option<PeerId> {
    match event {
        Event::Message { id: MessageId { author, .. }, .. } => Some(*author),
        _ => None,
    }
}

impl Machine for Faulty {
    fn handle(&mut self, now: Time, input: Input<'_>) {
        assert!(self.spoil != Spoil::Panic || self.seen < PATIENCE, "it panics on purpose");
        self.peer.handle(now, input);
    }

    fn poll(&mut self) -> Option<Action<'_>> {
        if let Some(extra) = self.extra.take() {
            return Some(Action::Show(extra));
        }
        let Self { peer, spoil, seen, extra, held } = self;
        let event = match peer.poll()? {
            Action::Show(event) => event,
            other => return Some(other),
        };
        let message = matches!(event, Event::Message { .. });
        let done = matches!(event, Event::Done { .. });
        // What is swallowed leaves an event in its place that nobody judges.
        let nothing = Event::Help;
        let shown = match spoil {
            Spoil::Drop if message && Self::now(seen) => nothing,
            Spoil::NeverDone if done && Self::now(seen) => nothing,
            Spoil::Repeat if message && Self::now(seen) => {
                *extra = owned_message(&event);
                event
            }
            Spoil::Swap if message => match held.take() {
                Some(first) if author(&first) == author(&event) => {
                    *extra = Some(first);
                    *spoil = Spoil::Nothing;
                    event
                }
                Some(first) => {
                    *held = owned_message(&event);
                    first
                }
                None => {
                    *held = owned_message(&event);
                    nothing
                }
            },
            Spoil::Alter if message && Self::now(seen) => altered(event),
            Spoil::DoneTwice if done && Self::now(seen) => {
                *extra = repeat_done(&event);
                event
            }
            Spoil::FalseLeave if message && Self::now(seen) => {
                *extra = leave(&event);
                event
            }
            Spoil::Ghost if message && Self::now(seen) => {
                *extra = ghost(&event);
                event
            }
            Spoil::Panic | Spoil::NoWake if message => {
                *seen += 1;
                event
            }
            _ => event,
        };
        Some(Action::Show(shown))
    }

    fn next_wake(&self) -> Option<Wake> {
        let forgets = self.spoil == Spoil::NoWake && self.seen >= PATIENCE;
        self.peer.next_wake().filter(|_| !forgets)
    }

    fn footprint(&self) -> Vec<Table> {
        self.peer.footprint()
    }

    fn blame(&self) -> Blame {
        self.peer.blame()
    }

    fn digest(&self) -> u64 {
        self.peer.digest()
    }

    fn check(&self) {
        self.peer.check();
    }
}

fn altered(event: Event<'_>) -> Event<'_> {
    let Event::Message { id, from, action, private, mention, .. } = event else { return event };
    Event::Message {
        id,
        from,
        text: SafeText::new("something else"),
        action,
        private,
        mention,
        past: None,
    }
}

fn repeat_done(event: &Event<'_>) -> Option<Event<'static>> {
    let Event::Done { id, acked, failed, left } = event else { return None };
    let (failed, left) = (failed.clone(), left.clone());
    Some(Event::Done { id: *id, acked: *acked, failed, left })
}

fn leave(event: &Event<'_>) -> Option<Event<'static>> {
    let Event::Message { from, .. } = event else { return None };
    Some(Event::Left { who: from.clone(), why: Why::Timeout })
}

fn ghost(event: &Event<'_>) -> Option<Event<'static>> {
    let Event::Message { from, .. } = event else { return None };
    let id = PeerId(from.id.0 ^ 1);
    Some(Event::Joined(Person { id, ..from.clone() }))
}
