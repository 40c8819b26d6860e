//! The pure parts of the driver, in plain types: what the fuzz targets in `fuzz/` try, and no part of
//! the interface.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use crate::driver::front::company::Company;
use crate::driver::front::escape::to_safe_json;
use crate::driver::front::format::{Format, Paper};
use crate::driver::front::intent::{Command, Intent};
use crate::driver::front::invitation::Invitation;
use crate::driver::front::json::{self, INPUT_MAX, Json};
use crate::driver::front::lines::{Lines, Style};
use crate::driver::front::note::{Answer, Note};
use crate::driver::front::search::Wanted;
use crate::driver::front::typist::{BURST, Typist};
use crate::driver::history::record::{Glance, Record};
use crate::driver::history::scan::{Last, Merge, Scan, Step};
use crate::driver::history::seal::RoomKey;
use crate::driver::history::shelf::Shelf;
use crate::driver::history::writer::Writer;
use crate::driver::os::clock::{Clock, Zone};
use crate::driver::os::failure::Failure;
use crate::driver::os::identity;
use crate::driver::os::splitter::Splitter;
use crate::driver::os::trusted::Contents;
use crate::driver::terminal::alert::{Alert, Dialect};
use crate::driver::terminal::decoder::Decoder;
use crate::driver::terminal::picture::Picture;
use crate::driver::terminal::theme::{ASCII, Depth, Theme};
use crate::driver::terminal::want::Want;
use crate::driver::terminal::{links, wrap};
use crate::machine::doctor::{Evidence, Finding};
use crate::machine::{Event, Identity, Name, Room, SafeText, TEXT_MAX, Time};

/// What was typed, for bytes that came in these reads at these instants, a tick before each.
pub fn typed<'a>(reads: impl IntoIterator<Item = (Time, &'a [u8])>, end: Time) -> Vec<String> {
    let mut decoder = Decoder::default();
    for (now, bytes) in reads {
        decoder.tick(now);
        decoder.feed(bytes, now);
        assert!(decoder.deadline().is_none_or(|at| at > now));
    }
    decoder.tick(end);
    core::iter::from_fn(|| decoder.next_typed()).map(|typed| format!("{typed:?}")).collect()
}

/// A screen without colours, on a terminal without UTF-8.
pub fn plainest(width: u16, height: u16) -> Picture {
    let theme = Theme { depth: Depth::None, signs: &ASCII, utf8: false };
    Picture::new(width, height, theme, Zone::utc())
}

/// The next line that the person at the screen has for the machine; other wishes are let go.
pub fn next_line(picture: &mut Picture) -> Option<String> {
    while let Some(want) = picture.next_want() {
        match want {
            Want::Ask(Intent::Command(command), _) => {
                return Some(match command {
                    Command::Say { text, .. } | Command::Again { text, .. } => text,
                    other => format!("{other:?}"),
                });
            }
            Want::Redraw => picture.forget(),
            _ => {}
        }
    }
    None
}

/// The machine has carried out what the screen had for it.
pub fn settle(picture: &mut Picture) {
    picture.view().settle();
}

/// The driver says something on the screen.
pub fn remark(picture: &mut Picture, text: &str, wall: u64) {
    picture.note(&Note::Remark(text.to_owned()), wall);
}

/// The rows of a text.
pub fn rows(text: &str, first: usize, rest: usize) -> Vec<Range<usize>> {
    wrap::wrap(text, first, rest)
}

/// How many columns a text takes.
pub fn columns(text: &str) -> usize {
    wrap::columns(text)
}

/// The addresses in a text, and how each stands in a control sequence.
pub fn addresses(text: &str) -> Vec<(Range<usize>, String)> {
    let found = links::links(text).into_iter();
    found.map(|place| (place.clone(), links::encoded(&text[place]))).collect()
}

/// What a front end reads from a stream that comes in these pieces, and what it says of it on standard
/// output and standard error.
pub fn read<'a>(
    json: bool,
    literal: bool,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<String>, String, String) {
    let (mut paper, mut wishes) = (Paper::default(), Vec::new());
    let mut front = front(json, literal);
    let mut splitter = Splitter::new(if json { INPUT_MAX } else { TEXT_MAX });
    let mut take = |splitter: &mut Splitter| {
        while let Some(piece) = splitter.next_piece() {
            let command = front.read(piece, &mut paper).filter(|read| *read != Intent::Refused);
            wishes.extend(command.map(|command| format!("{command:?}")));
            front.settle(&Company::EMPTY, &mut paper);
        }
    };
    for piece in pieces {
        splitter.feed(piece);
        take(&mut splitter);
    }
    splitter.end();
    take(&mut splitter);
    (wishes, paper.out, paper.err)
}

/// What a front end prints of events, on standard output and standard error.
pub fn printed(json: bool, events: &[Event<'_>]) -> (String, String) {
    let (mut front, mut paper) = (front(json, false), Paper::default());
    let mut company = Company::EMPTY;
    for event in events {
        company.note(event);
        front.show(event, &company, &mut paper);
    }
    front.bye(0, &mut paper);
    (paper.out, paper.err)
}

/// What programs are told by the driver itself: how their room is joined, that lines are missing, a remark,
/// and why a run failed.
pub fn told(
    (nodeset, other, room): (SocketAddr, SocketAddr, &Room),
    dropped: u64,
    remark: &str,
    failures: &[Failure],
) -> String {
    let (mut front, mut paper) = (Json::default(), Paper::default());
    let opened = Note::Opened(Invitation::new(nodeset, room, None).also([other]));
    for note in [opened, Note::Dropped(dropped), Note::Remark(remark.to_owned())] {
        front.note(&note, &Company::EMPTY, &mut paper);
    }
    failures.iter().for_each(|failure| front.fail(failure, &mut paper));
    paper.out
}

/// What programs are shown of what happened once these events are kept, and the answers to who asks for it.
pub fn kept(events: &[Event<'_>]) -> String {
    let (mut front, mut paper, mut company) = (Json::default(), Paper::default(), Company::EMPTY);
    for event in events {
        company.note(event);
        if let Some(record) = Record::of(0, event, company.me.as_ref()) {
            let mut bytes = Vec::new();
            record.put(&mut bytes);
            let kept = Record::read(&bytes).map(Note::Kept);
            kept.iter().for_each(|note| front.note(note, &company, &mut paper));
        }
    }
    let text = "x".to_owned();
    for answer in [
        Answer::Last(7),
        Answer::Found { text, count: 0, all: true },
        Answer::Forgotten { bytes: 7, keeps: true },
    ] {
        front.note(&Note::Answer(answer), &company, &mut paper);
    }
    paper.out
}

/// A history in a folder of its own.
#[derive(Debug)]
pub struct History(Shelf);

impl History {
    /// That of somebody in the lobby.
    pub fn at(folder: PathBuf) -> Self {
        let lobby = Name::parse(Room::LOBBY).ok().map(|name| Room::new(name, None));
        let Some(lobby) = lobby else { unreachable!("the lobby has a name") };
        Self(Shelf::at(folder, RoomKey::new(&Identity::new(&[1; 32]), &lobby)))
    }

    /// Keeps some events, so many in each turn, in the run that started as `incarnation`; how long the
    /// longest turn took.
    pub fn keep<'e>(
        &mut self,
        incarnation: u64,
        events: impl IntoIterator<Item = Event<'e>>,
        turn: usize,
    ) -> Duration {
        let mut writer = Writer::new(self.0.key().clone(), incarnation);
        let mut longest = Duration::ZERO;
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            let (clock, begun) = (Clock::start(), Time::ZERO);
            for event in events.by_ref().take(turn) {
                Record::of(0, &event, None).iter().for_each(|record| writer.note(record));
            }
            let trouble = writer.flush(Time::ZERO, 0, &mut self.0);
            assert!(trouble.is_none(), "{trouble:?}");
            longest = longest.max(clock.now().since(begun));
        }
        longest
    }

    /// How many records there are, each of them read.
    pub fn count(&self) -> usize {
        let merge = Merge::new(&self.0, 0).map_err(drop);
        let Ok(mut merge) = merge else { return 0 };
        core::iter::from_fn(|| merge.next()).count()
    }

    /// How many messages there are, and how long the longest step took until that was known.
    pub fn open(&self) -> (usize, Duration) {
        let count = core::cell::Cell::new(0);
        let (_, longest) = self.scan(|_| {
            count.set(count.get() + 1);
            false
        });
        (count.get(), longest)
    }

    /// How many messages have a text in them, and the same.
    pub fn search(&self, text: &str) -> (usize, Duration) {
        let wanted = Wanted::new(text);
        self.scan(|said| wanted.is_in(said.text) || wanted.is_in(said.name))
    }

    fn scan(&self, is_wanted: impl Fn(&Glance<'_>) -> bool) -> (usize, Duration) {
        let Ok(mut scan) = Scan::new(&self.0, 1000) else { return (0, Duration::ZERO) };
        let (mut count, mut longest) = (0, Duration::ZERO);
        loop {
            let clock = Clock::start();
            let step = scan.step(&is_wanted);
            longest = longest.max(clock.now().since(Time::ZERO));
            match step {
                Step::Busy => {}
                Step::Found(found) => count += found.len(),
                Step::Over => return (count, longest),
            }
        }
    }

    /// How many of the last messages there are, of so many that are asked for, and the same.
    pub fn last(&self, max: usize) -> (usize, Duration) {
        let Ok(mut last) = Last::new(&self.0, max) else { return (0, Duration::ZERO) };
        let mut longest = Duration::ZERO;
        loop {
            let clock = Clock::start();
            let found = last.step();
            longest = longest.max(clock.now().since(Time::ZERO));
            if let Some(found) = found {
                return (found.len(), longest);
            }
        }
    }
}

/// What programs are told of a diagnosis.
pub fn diagnosed(asked: &[Evidence], found: &[Finding]) -> String {
    let mut paper = Paper::default();
    asked.iter().for_each(|one| json::path(one, &mut paper));
    found.iter().for_each(|one| json::finding(one, &mut paper));
    paper.out
}

fn front(json: bool, literal: bool) -> Box<dyn Format> {
    if json {
        Box::new(Json::default())
    } else {
        Box::new(Lines::new(Style { literal, ..Style::default() }))
    }
}

/// A text as JSON that is safe to show.
pub fn safe_json(text: &str) -> String {
    to_safe_json(&text)
}

/// A text that is safe to show, as a notification of every kind.
pub fn rung(text: &SafeText<'_>) -> Vec<Vec<u8>> {
    let all = [Dialect::Osc9, Dialect::Kitty, Dialect::Osc777, Dialect::Bell].into_iter();
    let rung = all.map(|dialect| {
        let mut bytes = Vec::new();
        Alert::new(dialect, true).ring(Time::ZERO, text, &mut bytes);
        bytes
    });
    rung.collect()
}

/// The file of trusted names, read and written again.
pub fn known(bytes: &[u8]) -> Vec<u8> {
    Contents::parse(bytes).written()
}

/// What becomes of lines that somebody types, or pastes, where nothing marks a paste.
pub fn typed_lines<'a>(lines: impl IntoIterator<Item = (Time, &'a str)>) -> Vec<String> {
    let (mut typist, mut rows, mut end) = (Typist::default(), Vec::new(), Time::ZERO);
    let mut take = |typist: &mut Typist, now: Time| {
        rows.extend(typist.row(now).map(|row| format!("{row:?}")));
    };
    for (now, line) in lines {
        take(&mut typist, now);
        typist.line(line, now);
        end = now + BURST;
    }
    take(&mut typist, end);
    assert!(typist.deadline().is_none());
    rows
}

/// The number of the next process of a key, given what is kept of the last one.
pub fn incarnation(kept: &str, now: u64, luck: u32) -> Option<u64> {
    identity::incarnation_after(kept, now, luck)
}
