//! What the person at the terminal sees and is doing: the model behind the screen.
//!
//! Pure: events of the machine, keys and the time go in; what is to be done comes out of
//! [`View::next_want`]. Nothing that arrives disturbs what is being typed, or moves who reads back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::driver::front::finding;
use crate::driver::front::intent::Intent;
use crate::driver::front::note::Note;
use crate::driver::front::numbers::counted;
use crate::driver::front::refusal::words;
use crate::driver::front::wording;
use crate::driver::os::clock::Zone;
use crate::driver::terminal::complete::Completion;
use crate::driver::terminal::detail;
use crate::driver::terminal::editor::Editor;
use crate::driver::terminal::invite::Invite;
use crate::driver::terminal::page::{Page, Unread};
use crate::driver::terminal::plainly::Plainly;
use crate::driver::terminal::recall::Recall;
use crate::driver::terminal::scrollback::{Fate, Said};
use crate::driver::terminal::sentence::Pressed;
use crate::driver::terminal::settings::Notify;
use crate::driver::terminal::theme::Signs;
use crate::driver::terminal::viewport::Viewport;
use crate::driver::terminal::want::{Submitted, Want};
use crate::machine::{
    Event, Health, Name, Past, PeerId, Person, Presence, Refusal, SafeText, Way, Why,
};

/// How many people are remembered in the order they spoke, for Tab.
const RECENT_MAX: usize = 64;

/// Where keys go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Focus {
    #[default]
    Type,
    Scroll,
}

/// What is asked in the line at the bottom.
#[derive(Debug, Default)]
pub(crate) enum Prompt {
    /// What to say.
    #[default]
    Draft,
    /// What to look for in what was said.
    Search(Editor),
    /// What to look for among the lines that were typed before, and what was typed when it began.
    Recall { part: String, skip: usize, before: String },
    /// Whether to take a paste.
    Paste(String),
    /// Whether to say the draft in so many messages.
    Several(usize),
}

/// Something to read in front of everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sheet {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
    /// The first line that is shown.
    pub(crate) top: usize,
    /// The lines are to be copied: they are these, at any width, and nothing stands beside them.
    pub(crate) invite: Option<Invite>,
}

/// How somebody was when last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) rtt: Option<Duration>,
    pub(crate) lost: bool,
    /// The name is trusted to stand for the key.
    pub(crate) trusted: bool,
}

/// The model.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) page: Page,
    pub(crate) viewport: Viewport,
    pub(crate) editor: Editor,
    pub(super) recall: Recall,
    pub(crate) focus: Focus,
    pub(crate) prompt: Prompt,
    pub(crate) sheet: Option<Sheet>,
    pub(super) completion: Option<Completion>,
    /// What was said stands there as plain lines, instead of everything else.
    pub(crate) plainly: Option<Plainly>,
    /// The list of commands was closed; it stays so until the draft changes.
    pub(super) popup_closed: bool,
    /// When something did not fit the draft.
    pub(super) full_at: Option<u64>,
    /// Said once, until the next key.
    pub(crate) hint: Option<String>,
    pub(crate) show_people: bool,
    pub(crate) seen: BTreeMap<PeerId, Seen>,
    pub(crate) nodeset: Health,
    pub(crate) leaving: bool,
    /// What the room is called, once we are in.
    pub(crate) room: Option<Name>,
    /// The room has no secret: everybody can enter.
    pub(crate) room_is_open: bool,
    /// What was typed while reading back.
    pub(super) pressed: Pressed,
    /// Messages that came since we read back.
    pub(crate) below: u64,
    pub(super) notify: Notify,
    /// The mouse is reported.
    pub(crate) mouse: bool,
    /// The window has not the focus.
    away: bool,
    /// Who spoke, the last one first.
    recent: VecDeque<PeerId>,
    said_alone: bool,
    /// There is something kept to be searched.
    pub(super) searches_kept: bool,
    /// What the machine is carrying out.
    submitted: Option<Submitted>,
    /// We have asked to leave.
    pub(super) quitting: bool,
    /// There is no room for people beside the messages.
    pub(crate) narrow: bool,
    /// Columns of the draft when it was drawn last.
    pub(crate) draft_width: usize,
    /// Rows of the pane when it was drawn last.
    pub(crate) height: usize,
    /// The wall clock, ms since 1970.
    pub(super) now_ms: u64,
    pub(super) wants: VecDeque<Want>,
}

impl View {
    pub(crate) fn new(zone: Zone, signs: &'static Signs) -> Self {
        Self {
            page: Page::new(zone, signs),
            viewport: Viewport::default(),
            editor: Editor::default(),
            recall: Recall::default(),
            focus: Focus::Type,
            prompt: Prompt::Draft,
            sheet: None,
            completion: None,
            plainly: None,
            popup_closed: false,
            full_at: None,
            hint: None,
            show_people: true,
            seen: BTreeMap::new(),
            nodeset: Health::Online,
            leaving: false,
            room: None,
            room_is_open: false,
            pressed: Pressed::default(),
            below: 0,
            notify: Notify::Mentions,
            mouse: false,
            away: false,
            recent: VecDeque::new(),
            said_alone: false,
            searches_kept: false,
            submitted: None,
            quitting: false,
            narrow: false,
            draft_width: 80,
            height: 1,
            now_ms: 0,
            wants: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub(crate) fn next_want(&mut self) -> Option<Want> {
        let want = self.wants.pop_front()?;
        self.submitted = match &want {
            Want::Ask(_, submitted) => submitted.clone(),
            _ => None,
        };
        Some(want)
    }

    pub(super) fn want(&mut self, want: Want) {
        self.wants.push_back(want);
    }

    pub(super) fn ask(&mut self, intent: Intent) {
        self.want(Want::Ask(intent, None));
    }

    /// What time it is.
    pub(crate) const fn set_now(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// What was wanted last is carried out.
    pub(crate) fn settle(&mut self) {
        self.submitted = None;
    }

    /// Says something on the program's behalf.
    pub(crate) fn notice(&mut self, text: &str) {
        self.page.scrollback.notice(self.now_ms, text, false);
    }

    /// Says something that is worth less.
    pub(crate) fn remark(&mut self, text: &str) {
        self.page.scrollback.notice(self.now_ms, text, true);
    }

    /// Something happened.
    pub(crate) fn show(&mut self, event: &Event<'_>) {
        self.page.company.note(event);
        match event {
            Event::Ready { me, room, open, people, .. } => {
                self.room_is_open = *open;
                self.room = Some(room.clone());
                people.iter().for_each(|who| self.page.meet(who));
                self.page.moved(self.now_ms, me.clone(), None);
                self.remark(&wording::here(&self.page.company, *open));
            }
            Event::Joined(who) => {
                self.said_alone = false;
                self.page.meet(who);
                self.page.moved(self.now_ms, who.clone(), None);
            }
            Event::Left { who, why } => {
                self.seen.remove(&who.id);
                self.page.moved(self.now_ms, who.clone(), Some(*why));
            }
            Event::Renamed { who, was } => self.renamed(who, was),
            Event::Forked(who) => {
                let label = self.page.label(who);
                self.notice(&wording::forked(&label));
            }
            Event::Message { id, from, text, action, private, mention, past } => {
                let private = private.then(|| from.clone());
                let replay = past.is_some_and(|past| past.replay);
                let said = Said {
                    id: *id,
                    from: from.clone(),
                    text: text.clone().into_owned(),
                    action: *action,
                    private,
                    mention: *mention,
                    fate: None,
                    kept: replay,
                };
                self.heard_or_recalled(said, past.filter(|past| past.replay));
            }
            Event::Sent { id, text, action, to, readers } => {
                let Some(from) = self.page.company.me.clone() else { return };
                self.page.unread = None;
                let fate = Some(Fate { readers: *readers, ..Fate::default() });
                self.page.scrollback.say(
                    self.now_ms,
                    Said {
                        id: *id,
                        from,
                        text: text.clone().into_owned(),
                        action: *action,
                        private: to.clone(),
                        mention: false,
                        fate,
                        kept: false,
                    },
                );
                if *readers == 0 && to.is_none() && !self.said_alone {
                    self.said_alone = true;
                    self.notice("nobody is here to hear it: /resend says it to who comes");
                }
            }
            Event::Acked { id, by, rtt } => {
                self.page.scrollback.acked(id.number, by.clone(), *rtt);
            }
            Event::Done { id, failed, .. } => self.done(id.number, failed),
            Event::Refused(refusal) => self.refused(refusal),
            _ => self.show_state(event),
        }
        self.viewport.settle(&self.page, self.height);
    }

    /// Everything about the room itself.
    fn show_state(&mut self, event: &Event<'_>) {
        match event {
            Event::Alike { one, like, others } => {
                self.notice(&wording::alike(&self.page.company, one, like, *others));
            }
            // What is done then is told: the room is opened.
            Event::Alone => {}
            Event::Elsewhere { count } => self.notice(&wording::elsewhere(*count)),
            Event::Twins { who, ours } => {
                let what = wording::twins(&self.page.company.label(who), *ours);
                self.notice(&what);
            }
            Event::Missing { from, count } => {
                let from = self.page.label(from);
                self.notice(&format!("{count} missing from {from}"));
            }
            Event::Reads { who, reads, waiting } => {
                let line = wording::reads(&self.page.label(who), *reads, *waiting);
                self.notice(&line);
            }
            Event::Way { who, way, waiting } => {
                let label = self.page.label(who);
                let line = wording::way(&label, way, *waiting, &self.page.company);
                self.notice(&line);
            }
            Event::Apart { who, way } => {
                let label = self.page.label(who);
                self.notice(&wording::apart(&label, way, &self.page.company));
            }
            Event::Nodeset(health) => {
                self.nodeset = *health;
                let since = self.page.zone.time(self.now_ms, false);
                self.notice(&wording::nodeset(*health, &self.page.company, &since));
            }
            Event::People(people) => {
                self.notice(&wording::presence_in_short(people, &self.page.company).join("\n"));
            }
            Event::Checkup(found) => self.notice(&finding::checkup(found).join("\n")),
            Event::Leaving { .. } => self.leaving = true,
            Event::TrustedNames(pins) => self.notice(&wording::trusted(pins).join("\n")),
            _ => {
                if let Some(line) = wording::keys(event, &self.page.company) {
                    self.notice(&line);
                }
            }
        }
    }

    /// The driver has something to say.
    pub(crate) fn note(&mut self, note: &Note) {
        match note {
            Note::Opened(invitation) => {
                // The lines are wrapped: nothing stands in columns.
                let opened = wording::opened(invitation);
                let opened: Vec<&str> = opened.iter().map(|line| line.trim_start()).collect();
                let opened = opened.join("\n");
                self.notice(&format!("{opened} (to copy: /invite)"));
            }
            Note::Invite(invitation) => {
                let invite = Some(Invite::of(invitation));
                self.sheet = Some(Sheet { title: "Invite".to_owned(), invite, ..Sheet::default() });
            }
            Note::Needed(what) => {
                self.quitting = false;
                self.notice(what);
                self.hint = Some("the same again leaves".to_owned());
            }
            Note::Waiting(unacked) => {
                let waiting = counted(*unacked as u64, "message");
                self.hint = Some(format!("leaving: waiting for {waiting} · Ctrl+C leaves at once"));
            }
            // Nothing is dropped here: a stalled terminal gets fewer frames.
            Note::Dropped(_) => {}
            Note::Logging(path) => self.notice(&wording::logging(path.as_deref())),
            Note::Before(_) | Note::Kept(_) | Note::Answer(_) => self.replay(note),
            // A path in it may be anybody's.
            Note::Remark(what) => self.notice(SafeText::new(what).as_str()),
            Note::NotLogged(what) => {
                if let Some(Submitted::Typed(line)) = self.submitted.take()
                    && self.editor.is_empty()
                {
                    self.editor.set(&line);
                }
                self.notice(SafeText::new(what).as_str());
            }
        }
    }

    /// Something of what was kept.
    fn replay(&mut self, note: &Note) {
        let scrollback = &mut self.page.scrollback;
        match note {
            Note::Before(records) => {
                let said = records.iter().filter_map(|record| Some((record.at, record.said()?)));
                said.for_each(|(at, said)| scrollback.replay(at, said));
                self.searches_kept = true;
                if !records.is_empty() {
                    self.remark("that was said before: /history shows more of it");
                }
            }
            Note::Kept(record) => {
                record.said().iter().for_each(|said| scrollback.replay(record.at, said));
            }
            Note::Answer(answer) => self.notice(SafeText::new(&wording::answer(answer)).as_str()),
            _ => {}
        }
        self.viewport.settle(&self.page, self.height);
    }

    fn renamed(&mut self, who: &Person, was: &Name) {
        self.page.meet(who);
        if self.page.company.is_me(who.id) {
            return self.remark(&format!("you are now called {} (before: {was})", who.name));
        }
        let line = wording::renamed(who, was, &self.page.company);
        self.remark(&line);
    }

    /// Somebody says something now, or did before we came.
    fn heard_or_recalled(&mut self, said: Said, past: Option<Past>) {
        match past {
            Some(past) => self.page.scrollback.recall(past.at, said),
            None => self.heard(said),
        }
    }

    fn heard(&mut self, said: Said) {
        let id = said.from.id;
        self.recent.retain(|&other| other != id);
        self.recent.push_front(id);
        self.recent.truncate(RECENT_MAX);
        let ignored = self.page.ignored.contains_key(&said.from.key);
        let ring = match self.notify {
            Notify::Off => false,
            Notify::Mentions => said.mention || said.private.is_some(),
            Notify::All => true,
        };
        if ring && self.away && !ignored {
            let line = format!("{}: {}", self.page.label(&said.from), said.text);
            self.want(Want::Ring(SafeText::new(&line).into_owned()));
        }
        let entry = self.page.scrollback.say(self.now_ms, said);
        if ignored {
            return;
        }
        if !self.viewport.follows() {
            self.below += 1;
        }
        if self.away || !self.viewport.follows() {
            match &mut self.page.unread {
                Some(unread) if unread.open => unread.count += 1,
                unread => *unread = Some(Unread { from: entry, count: 1, open: true }),
            }
        }
    }

    fn done(&mut self, number: u64, failed: &[(Person, Why)]) {
        self.page.scrollback.done(number, failed.to_vec());
        if !failed.is_empty() {
            let whom = wording::whom(&self.page.company, failed);
            self.page.undelivered(self.now_ms, whom);
        }
    }

    /// Something was not carried out.
    fn refused(&mut self, refusal: &Refusal<'_>) {
        match self.submitted.take() {
            Some(Submitted::Typed(line)) if self.editor.is_empty() => self.editor.set(&line),
            Some(Submitted::Part(part)) => self.take_back(part),
            Some(Submitted::Again(number)) => self.page.scrollback.not_resent(number),
            _ => {}
        }
        // One reason is enough for all that wait behind it.
        let more = matches!(self.wants.front(), Some(Want::Ask(_, Some(Submitted::Again(_)))));
        if !more {
            self.notice(&words(refusal).line());
        }
    }

    /// How the others are. Whether that looks different now.
    pub(crate) fn refresh(&mut self, people: impl Iterator<Item = Presence>) -> bool {
        let seen = people
            .map(|presence| {
                let reached = match presence.way {
                    Way::Direct => presence.addr.is_some(),
                    Way::Through(_) => true,
                    Way::Deaf | Way::None => false,
                };
                let lost = presence.lost || !reached;
                // No finer than it is shown.
                let ms = |rtt: Duration| Duration::from_millis(rtt.as_millis() as u64);
                let (rtt, trusted) = (presence.rtt.map(ms), presence.trusted);
                (presence.who.id, Seen { rtt, lost, trusted })
            })
            .collect();
        let changed = seen != self.seen;
        self.seen = seen;
        changed
    }

    /// The median round trip.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        let mut samples: Vec<Duration> = self.seen.values().filter_map(|seen| seen.rtt).collect();
        samples.sort_unstable();
        samples.get(samples.len() / 2).copied()
    }

    /// The window got or lost the focus.
    pub(crate) fn set_focused(&mut self, focused: bool) {
        self.away = !focused;
        if focused {
            self.read();
        } else if self.page.unread.is_some_and(|unread| !unread.open) {
            // It was seen; what comes now is what is new.
            self.page.unread = None;
        }
    }

    /// The newest message is looked at.
    pub(super) fn read(&mut self) {
        if self.viewport.follows() {
            self.below = 0;
            if let Some(unread) = self.page.unread.as_mut().filter(|_| !self.away) {
                unread.open = false;
            }
        }
    }

    /// Looks for the newest message with a text, and goes there.
    pub(super) fn search(&mut self, text: &str) {
        text.clone_into(&mut self.page.wanted);
        self.focus = Focus::Scroll;
        let end = self.page.scrollback.entries().end;
        self.search_from(end, true);
    }

    /// Looks further, back or forth.
    pub(super) fn search_on(&mut self, back: bool) {
        let from = self.viewport.selected(&self.page, self.height);
        self.search_from(from.unwrap_or(0), back);
    }

    fn search_from(&mut self, from: u64, back: bool) {
        match self.page.scrollback.find(&self.page.wanted, from, back) {
            Some(entry) => self.viewport.center(&self.page, entry, self.height),
            None => self.hint = Some(format!("no more '{}'", self.page.wanted)),
        }
        self.read();
    }

    /// Everything about one entry.
    pub(super) fn details(&mut self, entry: u64) {
        let Some(entry) = self.page.scrollback.get(entry) else { return };
        self.sheet = Some(Sheet {
            title: "Details".to_owned(),
            lines: detail::lines(entry, &self.page),
            ..Sheet::default()
        });
    }

    /// People in the order that Tab offers them: who spoke last comes first.
    pub(super) fn by_recency(&self) -> Vec<Person> {
        let mut people = self.page.company.sorted();
        let rank =
            |who: &Person| self.recent.iter().position(|&id| id == who.id).unwrap_or(RECENT_MAX);
        people.sort_by_key(rank);
        people
    }

    /// `ops (3) chatRPC`: what the window is called, so that several rooms are told apart, with what
    /// is unread.
    pub(crate) fn window_title(&self) -> String {
        let unread = self.page.unread.filter(|unread| unread.open).map_or(0, |unread| unread.count);
        match (&self.room, unread) {
            (None, _) => "chatRPC".to_owned(),
            (Some(room), 0) => format!("{room} chatRPC"),
            (Some(room), unread) => format!("{room} ({unread}) chatRPC"),
        }
    }

    /// `People (4)`: we are one of them.
    pub(crate) fn people_title(&self) -> String {
        format!("People ({})", self.page.company.len() + 1)
    }

    /// Everybody, we first, and how far away they are.
    pub(crate) fn people_lines(&self) -> Vec<String> {
        let signs = self.page.signs;
        let me = self.page.company.me.iter().map(|me| format!("{} {} (you)", signs.here, me.name));
        let others = self.page.company.sorted().into_iter().map(|who| {
            let (sign, far) = self.distance(&who);
            format!("{sign} {}  {far}", self.page.label(&who))
        });
        me.chain(others).collect()
    }

    /// How somebody is: a sign, and the round trip to them.
    pub(crate) fn distance(&self, who: &Person) -> (&'static str, String) {
        let signs = self.page.signs;
        let Some(seen) = self.seen.get(&who.id) else { return (signs.here, String::new()) };
        // Whoever has this name now has the key that it was trusted with.
        let tick = if seen.trusted { format!("{} ", signs.delivered) } else { String::new() };
        match (seen.lost, seen.rtt) {
            (true, _) => (signs.lost, format!("{tick}lost?")),
            (false, Some(rtt)) => (signs.here, tick + &wording::milliseconds(rtt)),
            (false, None) => (signs.here, tick),
        }
    }
}
