//! Reading the history of a room, a little at a time: the loop has other things to do.
//!
//! Files are read from their beginnings, since a record says where the next one is, and the newest file first.
//! What is wanted of one is handed out when its end is reached, the newest first.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, Read};

use crate::driver::history::disk::FILE_BYTES;
use crate::driver::history::record::{Glance, Names, Record, glance};
use crate::driver::history::seal::{Opened, Opener, RECORD_MAX};
use crate::driver::history::shelf::{Kept, Shelf};
use crate::machine::MessageId;

/// How much is read of a file at once, and of what is no file of ours at most.
const CHUNK: usize = 64 << 10;
const READ_MAX: u64 = 4 * FILE_BYTES;
/// The clock of a file system may be as coarse as this, ms.
const COARSE_MS: u64 = 2000;

/// One file, from its beginning.
struct Pages {
    file: File,
    opener: Opener,
    bytes: Vec<u8>,
    /// Where the next record is in them.
    at: usize,
    read: u64,
    ended: bool,
}

/// What comes next of a file.
enum Next {
    /// A record, which was put where it was asked for.
    Record,
    /// More of the file is to be read.
    Dry,
    End,
}

impl Pages {
    fn open(shelf: &Shelf, file: &Kept) -> io::Result<Self> {
        let opener = Opener::new(shelf.key(), &file.name.to_string());
        let file = shelf.open(file.name)?;
        Ok(Self { file, opener, bytes: Vec::new(), at: 0, read: 0, ended: false })
    }

    /// Reads on. What cannot be read is the end.
    fn fill(&mut self) {
        self.bytes.drain(..core::mem::take(&mut self.at));
        debug_assert!(self.bytes.len() < RECORD_MAX, "a whole record is taken first");
        let read = (&self.file).take(CHUNK as u64).read_to_end(&mut self.bytes);
        if let Err(error) = &read {
            log::debug!("a file of the history cannot be read: {error}");
        }
        self.read += read.as_ref().map_or(0, |&more| more as u64);
        self.ended = !matches!(read, Ok(1..)) || self.read >= READ_MAX;
    }

    fn next(&mut self, record: &mut Vec<u8>) -> Next {
        loop {
            match self.opener.open(&self.bytes[self.at..], self.ended, record) {
                Opened::Record(len) => {
                    self.at += len;
                    return Next::Record;
                }
                Opened::Passed(0) => return Next::End,
                Opened::Passed(len) => self.at += len,
                Opened::More => return Next::Dry,
            }
        }
    }
}

/// What became of one step.
#[derive(Debug)]
pub(crate) enum Step {
    /// Go on.
    Busy,
    /// What is wanted of one file, the newest first.
    Found(Vec<Vec<u8>>),
    /// There is no more.
    Over,
}

/// The messages of a room, the newest file first.
pub(crate) struct Scan {
    shelf: Shelf,
    /// Files to be read; the last one is the next.
    files: Vec<Kept>,
    pages: Option<Pages>,
    /// What is wanted of this file so far, as bytes.
    found: VecDeque<Vec<u8>>,
    /// So many of each file are enough.
    max: usize,
    record: Vec<u8>,
    /// How often something in a file did not open, and records stood behind it.
    pub(crate) damaged: u64,
}

impl Scan {
    /// Everything there is.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub(crate) fn new(shelf: &Shelf, max: usize) -> io::Result<Self> {
        Ok(Self {
            files: shelf.files()?,
            shelf: shelf.clone(),
            pages: None,
            found: VecDeque::new(),
            max,
            record: Vec::new(),
            damaged: 0,
        })
    }

    /// When the file was written last that comes next, ms since 1970.
    fn modified(&self) -> Option<u64> {
        self.files.iter().map(|file| file.modified).max()
    }

    /// Reads a little further.
    pub(crate) fn step(&mut self, is_wanted: impl Fn(&Glance<'_>) -> bool) -> Step {
        let Some(pages) = &mut self.pages else {
            let Some(file) = self.files.pop() else { return Step::Over };
            self.pages = match Pages::open(&self.shelf, &file) {
                Ok(pages) => Some(pages),
                Err(error) => {
                    log::debug!("a file of the history cannot be opened: {error}");
                    None
                }
            };
            return Step::Busy;
        };
        pages.fill();
        loop {
            match pages.next(&mut self.record) {
                Next::Record => {
                    if glance(&self.record).is_some_and(|said| is_wanted(&said)) {
                        self.found.push_back(self.record.clone());
                    }
                    if self.found.len() > self.max {
                        self.found.pop_front();
                    }
                }
                Next::Dry => return Step::Busy,
                Next::End => {
                    self.damaged += pages.opener.damaged;
                    self.pages = None;
                    return Step::Found(self.found.drain(..).rev().collect());
                }
            }
        }
    }
}

/// The newest messages of a room, in their order.
pub(crate) struct Last {
    scan: Scan,
    max: usize,
    /// The newest first.
    found: Vec<Record>,
    names: Names,
}

impl Last {
    /// So many.
    ///
    /// # Errors
    ///
    /// As for [`Scan::new`].
    pub(crate) fn new(shelf: &Shelf, max: usize) -> io::Result<Self> {
        Ok(Self { scan: Scan::new(shelf, max)?, max, found: Vec::new(), names: Names::default() })
    }

    /// Reads a little further; the messages, once they are there, the oldest first.
    pub(crate) fn step(&mut self) -> Option<Vec<Record>> {
        match self.scan.step(|_| true) {
            Step::Busy => return None,
            Step::Found(found) => {
                let Self { found: all, names, .. } = self;
                all.extend(found.iter().filter_map(|bytes| names.read(bytes)));
                // Two programs of one person have both seen it.
                self.found.sort_by_key(|record| Reverse(record.at));
                let mut seen = Seen::default();
                self.found.retain(|record| record.said().is_none_or(|said| seen.is_new(said.id)));
                self.found.truncate(self.max);
            }
            Step::Over => return Some(self.take()),
        }
        let oldest = self.found.last().filter(|_| self.found.len() >= self.max);
        let done = oldest
            .zip(self.scan.modified())
            .is_some_and(|(oldest, modified)| modified.saturating_add(COARSE_MS) < oldest.at);
        done.then(|| self.take())
    }

    fn take(&mut self) -> Vec<Record> {
        self.scan.files.clear();
        let mut found = core::mem::take(&mut self.found);
        found.reverse();
        found
    }
}

/// How many messages are remembered, so that none is shown twice.
const SEEN_MAX: usize = 4096;

/// Messages that were seen lately.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    known: BTreeSet<MessageId>,
    order: VecDeque<MessageId>,
}

impl Seen {
    /// Whether this is the first time.
    pub(crate) fn is_new(&mut self, id: MessageId) -> bool {
        if !self.known.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

/// How many runs that overlap are put in one order.
const RUNS_MAX: usize = 16;

/// Everything that is kept of a room, in its order: what several programs wrote at once is merged.
pub(crate) struct Merge {
    shelf: Shelf,
    /// The files of runs that are not read yet, the newest first.
    files: Vec<Kept>,
    runs: Vec<Run>,
    names: Names,
    seen: Seen,
    /// As for [`Scan`].
    pub(crate) damaged: u64,
}

/// One run of the program.
struct Run {
    incarnation: u64,
    /// Its files that are not read yet, the newest first.
    files: Vec<Kept>,
    pages: Option<Pages>,
    head: Option<Record>,
}

impl Merge {
    /// From its beginning, but for files in which nothing is as new as `since`, ms since 1970.
    ///
    /// # Errors
    ///
    /// As for [`Scan::new`].
    pub(crate) fn new(shelf: &Shelf, since: u64) -> io::Result<Self> {
        let mut files = shelf.files()?;
        files.retain(|file| file.modified.saturating_add(COARSE_MS) >= since);
        files.reverse();
        let shelf = shelf.clone();
        let (runs, names, seen) = (Vec::new(), Names::default(), Seen::default());
        Ok(Self { shelf, files, runs, names, seen, damaged: 0 })
    }

    /// Whether there are no files.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.runs.is_empty()
    }

    /// The next record.
    pub(crate) fn next(&mut self) -> Option<Record> {
        loop {
            self.begin_runs();
            let (at, _) = (self.runs.iter().enumerate()).min_by_key(|(_, run)| run.at())?;
            let record = self.runs[at].head.take();
            self.advance(at);
            let Some(record) = record else { continue };
            if record.said().is_none_or(|said| self.seen.is_new(said.id)) {
                return Some(record);
            }
        }
    }

    /// Begins those runs that may have something older than what comes next.
    fn begin_runs(&mut self) {
        while let Some(next) = self.files.last().map(|file| file.name) {
            let earliest = self.runs.iter().map(Run::at).min();
            let due = earliest.is_none_or(|earliest| next.started() <= earliest);
            if !due || self.runs.len() >= RUNS_MAX {
                return;
            }
            let of_this = |file: &Kept| file.name.incarnation == next.incarnation;
            let first = self.files.iter().position(of_this).unwrap_or(0);
            let files = self.files.split_off(first);
            self.runs.push(Run { incarnation: next.incarnation, files, pages: None, head: None });
            self.advance(self.runs.len() - 1);
        }
    }

    /// Reads the next record of a run, which is over when there is none.
    fn advance(&mut self, at: usize) {
        let run = &mut self.runs[at];
        let mut record = Vec::new();
        loop {
            let Some(pages) = &mut run.pages else {
                let Some(file) = run.files.pop() else { break };
                run.pages = Pages::open(&self.shelf, &file).ok();
                continue;
            };
            match pages.next(&mut record) {
                Next::Record => {
                    run.head = self.names.read(&record);
                    if run.head.is_some() {
                        return;
                    }
                }
                Next::Dry => pages.fill(),
                Next::End => {
                    self.damaged += pages.opener.damaged;
                    run.pages = None;
                }
            }
        }
        let over = self.runs.remove(at);
        debug_assert!(over.files.is_empty(), "run {} is read", over.incarnation);
    }
}

impl Run {
    fn at(&self) -> u64 {
        self.head.as_ref().map_or(u64::MAX, |head| head.at)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::path::PathBuf;

    use super::*;
    use crate::driver::history::disk::FileName;
    use crate::driver::history::record::What;
    use crate::driver::history::record::tests::{said, who};
    use crate::driver::history::seal::{RoomKey, Sealer};
    use crate::machine::{Identity, Name, Room};

    /// A shelf in a folder of its own.
    fn shelf(name: &str) -> (PathBuf, Shelf) {
        let folder = std::env::temp_dir().join(format!("chatrpc-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let room = Room::new(Name::parse("lobby").unwrap(), None);
        let key = RoomKey::new(&Identity::new(&[1; 32]), &room);
        (folder.clone(), Shelf::at(folder, key))
    }

    fn write(folder: &std::path::Path, shelf: &Shelf, name: FileName, records: &[Record]) {
        let mut sealer = Sealer::new(shelf.key(), &name.to_string());
        let mut bytes = Vec::new();
        for record in records {
            let mut plain = Vec::new();
            record.put(&mut plain);
            assert!(sealer.seal(&plain, &mut bytes));
        }
        let path = folder.join(name.to_string());
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(&bytes).unwrap();
    }

    fn name(started: u64, number: u32) -> FileName {
        FileName { incarnation: started << crate::driver::os::clock::LUCK_BITS, number }
    }

    fn last(shelf: &Shelf, max: usize) -> Vec<u64> {
        let mut last = Last::new(shelf, max).unwrap();
        let found = core::iter::from_fn(|| Some(last.step())).flatten().next().unwrap();
        found.iter().map(|record| record.said().unwrap().id.number).collect()
    }

    fn merged(shelf: &Shelf, since: u64) -> Vec<u64> {
        let mut merge = Merge::new(shelf, since).unwrap();
        core::iter::from_fn(|| merge.next()).map(|record| record.at).collect()
    }

    #[test]
    fn the_last_ones_are_in_order_and_each_is_there_once() {
        let (folder, shelf) = shelf("last");
        assert_eq!(last(&shelf, 5), [0; 0]);
        let of = |numbers: core::ops::Range<u64>| -> Vec<Record> {
            numbers.map(|n| said(1000 + n, n, &format!("text {n}"))).collect()
        };
        write(&folder, &shelf, name(1, 0), &of(0..30));
        write(&folder, &shelf, name(1, 1), &of(30..40));
        // Another program of the same person saw some of it as well.
        write(&folder, &shelf, name(2, 0), &of(25..35));
        fs::write(folder.join("junk"), "x").unwrap();
        fs::write(folder.join("0-0"), "x").unwrap();
        assert_eq!(last(&shelf, 12), (28..40).collect::<Vec<_>>());
        assert_eq!(last(&shelf, 1000), (0..40).collect::<Vec<_>>());
        assert_eq!(merged(&shelf, 0), (1000..1040).collect::<Vec<_>>());
        assert_eq!(merged(&shelf, u64::MAX), [0; 0], "no file is as new");
        fs::remove_dir_all(&folder).unwrap();
    }

    /// It takes no room on the disk, and would be read for hours.
    #[test]
    fn what_has_no_end_is_not_read_to_it() {
        let (folder, shelf) = shelf("endless");
        write(&folder, &shelf, name(1, 0), &[said(1, 1, "x")]);
        let path = folder.join(name(2, 0).to_string());
        std::fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(last(&shelf, 5), [1]);
        assert_eq!(merged(&shelf, 0), [1]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_search_finds_the_newest_first_in_little_steps() {
        let (folder, shelf) = shelf("search");
        let text =
            |n: u64| if n.is_multiple_of(100) { "needle".to_owned() } else { "hay ".repeat(50) };
        let all: Vec<Record> = (0..3000).map(|n| said(n, n, &text(n))).collect();
        write(&folder, &shelf, name(1, 0), &all[..1500]);
        write(&folder, &shelf, name(1, 1), &all[1500..]);
        let mut scan = Scan::new(&shelf, 10).unwrap();
        let (mut found, mut steps) = (Vec::new(), 0);
        loop {
            steps += 1;
            match scan.step(|said| said.text.contains("needle")) {
                Step::Busy => {}
                Step::Found(more) => {
                    found.extend(more.iter().map(|bytes| Record::read(bytes).unwrap().at))
                }
                Step::Over => break,
            }
        }
        let newest = (0..10).map(|n| 2900 - 100 * n).chain((0..10).map(|n| 1400 - 100 * n));
        assert_eq!(found, newest.collect::<Vec<_>>());
        assert!(steps > 8, "{steps}: no step is more than a chunk");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn programs_that_ran_at_once_are_in_one_order() {
        let (folder, shelf) = shelf("merge");
        let came = |at| Record { at, what: What::Came(who(7, "bob")) };
        let begin = |run: u64, apart: u64| {
            let start = 100 + run * apart;
            let records: Vec<Record> = (0..5).map(|n| came(start + 10 * n)).collect();
            write(&folder, &shelf, name(start, run as u32 * 2), &records[..2]);
            write(&folder, &shelf, name(start, run as u32 * 2 + 1), &records[2..]);
        };
        (0..40).for_each(|run| begin(run, 7));
        let found = merged(&shelf, 0);
        assert_eq!(found.len(), 200);
        assert!(found.is_sorted_by(|a, b| a <= b), "{found:?}");
        // Of more than are put in order at once, none is left out.
        (40..80).for_each(|run| begin(run, 1));
        assert_eq!(merged(&shelf, 0).len(), 400);
        fs::remove_dir_all(&folder).unwrap();
    }
}
