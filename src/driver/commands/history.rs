//! What a stay keeps of what was said, and what it shows of it.
//!
//! Whatever is looked for is read in slices, so that nobody who is in the room is kept waiting.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use crate::driver::front::intent::Look;
use crate::driver::front::note::{Answer, Note};
use crate::driver::front::numbers::counted;
use crate::driver::front::search::Wanted;
use crate::driver::front::seat::Seat;
use crate::driver::history::record::{Names, Record};
use crate::driver::history::scan::{Last, Scan, Seen, Step};
use crate::driver::history::shelf::Shelf;
use crate::driver::history::writer::{Trouble, Writer};
use crate::driver::os::clock::{Clock, unix_ms};
use crate::driver::os::identity::Keeper;
use crate::machine::{Event, Incarnation, Person, Room, Time};

/// How long a slice takes. One step of it is a tenth of that, from the cache of the system.
const SLICE: Duration = Duration::from_millis(2);
/// So many messages are shown when a room is entered.
const SCREENFUL: usize = 20;
/// So many are found at most, the newest.
const FOUND_MAX: usize = 1000;

/// What is kept of a room, as far as one stay is concerned.
pub(crate) struct History {
    /// `None` where the key ends with the run.
    shelf: Option<Shelf>,
    writer: Option<Writer>,
    /// What happens was to be kept, and it was not said yet that it cannot be.
    asked: bool,
    job: Option<Job>,
}

/// What is being looked for, and shown.
enum Job {
    Last(Box<Last>),
    Show { records: VecDeque<Record>, count: u64 },
    Search(Box<Search>),
}

struct Search {
    scan: Scan,
    text: String,
    wanted: Wanted,
    /// Records that were found, as bytes, and are to be shown.
    found: VecDeque<Vec<u8>>,
    names: Names,
    seen: Seen,
    count: u64,
}

impl History {
    /// That of a room. `keeps`: what happens from here on is kept as well.
    pub(crate) fn open(
        keeps: bool,
        keeper: &Keeper,
        room: &Room,
        incarnation: Incarnation,
    ) -> io::Result<Self> {
        let mine = keeper.folder().map(|_| Shelf::new(keeper.identity(), room)).transpose();
        // Who has no home keeps nothing, unless that is asked for.
        let shelf = if keeps { mine? } else { mine.unwrap_or(None) };
        let writer = shelf.as_ref().filter(|_| keeps);
        let writer = writer.map(|shelf| Writer::new(shelf.key().clone(), incarnation.get()));
        Ok(Self { shelf, writer, asked: keeps, job: None })
    }

    /// Whether what happens was to be kept, and could not be opened again. True once.
    pub(crate) fn take_vain(&mut self) -> bool {
        core::mem::take(&mut self.asked) && self.writer.is_none()
    }

    /// What was said last, if what happens is kept: for a time when nobody is there to be kept waiting.
    pub(crate) fn before(&self) -> Option<Vec<Record>> {
        let shelf = self.shelf.as_ref().filter(|_| self.writer.is_some())?;
        let Ok(mut last) = Last::new(shelf, SCREENFUL) else { return Some(Vec::new()) };
        loop {
            let found = last.step();
            if found.is_some() {
                return found;
            }
        }
    }

    /// Something happened. `me` is who we are.
    pub(crate) fn note(&mut self, event: &Event<'_>, me: Option<&Person>) {
        if let Some(writer) = &mut self.writer
            && let Some(record) = Record::of(unix_ms(), event, me)
        {
            writer.note(&record);
        }
    }

    /// Writes what happened in this turn. What there is to say about it.
    pub(crate) fn flush(&mut self, now: Time) -> Option<String> {
        let (writer, shelf) = self.writer.as_mut().zip(self.shelf.as_mut())?;
        Some(match writer.flush(now, unix_ms(), shelf)? {
            Trouble::Paused(error) => {
                format!("the history is not kept for now, and goes on when it can be: {error}")
            }
            Trouble::Resumed(0) => "the history is kept again, and nothing is missing".to_owned(),
            Trouble::Resumed(lost) => {
                format!("the history is kept again: {} missing there", counted(lost, "record"))
            }
        })
    }

    /// Waits until everything is on the disk. What there is to say of what is not.
    pub(crate) fn finish(&mut self, now: Time) -> Option<String> {
        // Once more, however lately it was tried.
        self.flush(self.wake().map_or(now, |due| due.max(now)));
        let writer = self.writer.as_ref()?;
        if let Err(error) = writer.sync() {
            log::debug!("the history is not known to be on the disk: {error}");
        }
        let missing = Some(writer.unwritten()).filter(|&missing| missing > 0)?;
        Some(format!("the end of the history is not kept: {} missing", counted(missing, "record")))
    }

    /// Begins to look for something.
    pub(crate) fn look(&mut self, look: Look, seat: &mut dyn Seat) {
        let Some(shelf) = &self.shelf else {
            let what = "nothing is kept of this room: its key ends with this run (--ephemeral)";
            return seat.note(&Note::Answer(Answer::Refused(what.to_owned())));
        };
        match begun(shelf, look, self.writer.is_some()) {
            Ok(Begun::Job(job)) => self.job = Some(job),
            Ok(Begun::Answer(answer)) => {
                self.job = None;
                seat.note(&Note::Answer(answer));
            }
            Err(error) => {
                let what = format!("what is kept cannot be read or removed: {error}");
                seat.note(&Note::Answer(Answer::Refused(what)));
            }
        }
    }

    /// Whether something is looked for.
    pub(crate) const fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// When to try again what could not be written.
    pub(crate) fn wake(&self) -> Option<Time> {
        self.writer.as_ref().and_then(Writer::wake)
    }

    /// Looks a little further, and shows what was found.
    pub(crate) fn turn(&mut self, clock: Clock, seat: &mut dyn Seat) {
        let end = clock.now() + SLICE;
        while seat.has_room() && clock.now() < end {
            let Some(job) = self.job.take() else { return };
            self.job = step(job, seat);
        }
    }
}

enum Begun {
    Job(Job),
    Answer(Answer),
}

fn begun(shelf: &Shelf, look: Look, keeps: bool) -> io::Result<Begun> {
    Ok(match look {
        Look::Last(count) => Begun::Job(Job::Last(Box::new(Last::new(shelf, count)?))),
        Look::Search(text) => Begun::Job(Job::Search(Box::new(Search {
            scan: Scan::new(shelf, FOUND_MAX)?,
            wanted: Wanted::new(&text),
            text,
            found: VecDeque::new(),
            names: Names::default(),
            seen: Seen::default(),
            count: 0,
        }))),
        Look::Forget { sure: false } => {
            let files = shelf.files()?;
            let bytes = files.iter().map(|file| file.bytes).sum();
            Begun::Answer(Answer::Forget { bytes })
        }
        Look::Forget { sure: true } => {
            let (_, bytes) = shelf.forget()?;
            Begun::Answer(Answer::Forgotten { bytes, keeps })
        }
    })
}

/// One step of a job, and what is left of it.
fn step(job: Job, seat: &mut dyn Seat) -> Option<Job> {
    match job {
        Job::Last(mut last) => Some(match last.step() {
            Some(records) => Job::Show { records: records.into(), count: 0 },
            None => Job::Last(last),
        }),
        Job::Show { mut records, count } => match records.pop_front() {
            Some(record) => {
                seat.note(&Note::Kept(record));
                Some(Job::Show { records, count: count + 1 })
            }
            None => {
                seat.note(&Note::Answer(Answer::Last(count)));
                None
            }
        },
        Job::Search(mut search) => search.step(seat).then_some(Job::Search(search)),
    }
}

impl Search {
    /// One step. Whether there are more.
    fn step(&mut self, seat: &mut dyn Seat) -> bool {
        let all = self.count < FOUND_MAX as u64;
        if let Some(bytes) = self.found.pop_front().filter(|_| all) {
            let record = self.names.read(&bytes);
            let is_new =
                |record: &Record| record.said().is_some_and(|said| self.seen.is_new(said.id));
            if let Some(record) = record.filter(is_new) {
                self.count += 1;
                seat.note(&Note::Kept(record));
            }
            return true;
        }
        let Self { scan, wanted, .. } = self;
        let step = if all {
            scan.step(|said| wanted.is_in(said.text) || wanted.is_in(said.name))
        } else {
            Step::Over
        };
        match step {
            Step::Busy => {}
            Step::Found(found) => self.found = found.into(),
            Step::Over => {
                let (text, count) = (core::mem::take(&mut self.text), self.count);
                seat.note(&Note::Answer(Answer::Found { text, count, all }));
                return false;
            }
        }
        true
    }
}
