//! Appending to the history of a room, also on a disk that is full for a while.
//!
//! What happened in a turn of the loop is written at its end, into the cache of the system: whatever ends the
//! process after that takes nothing back. It is waited for once, in the end. When a write fails, that
//! file is over, since what follows half a record would stand at a place that was written before; what
//! happened meanwhile waits, up to a limit, and another file is begun when there is room.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use crate::driver::history::disk::{Disk, FILE_BYTES, FILE_MS, FileName, Pages};
use crate::driver::history::record::{Record, What};
use crate::driver::history::seal::{RoomKey, SEALED_MAX, Sealer};
use crate::machine::Time;

/// How much waits while nothing can be written, bytes.
const WAITING_MAX: usize = 256 << 10;
/// How long it takes until a disk is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// What became of the history, where that is worth a word.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It cannot be written for now.
    Paused(io::Error),
    /// It goes on; so many records are missing.
    Resumed(u64),
}

/// The file that is written.
struct Current {
    name: FileName,
    pages: Box<dyn Pages>,
    sealer: Sealer,
    bytes: u64,
    /// When it was begun, ms since 1970.
    begun: u64,
}

/// Writes what happened.
pub(crate) struct Writer {
    key: RoomKey,
    /// The name of the next file, if there can be one.
    next: Option<FileName>,
    current: Option<Current>,
    /// Records, as bytes, that are to be written.
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Records there was no place for.
    lost: u64,
    /// Nothing could be written when it was tried last.
    paused: Option<Time>,
}

impl Writer {
    /// For a process that started as that incarnation.
    pub(crate) fn new(key: RoomKey, incarnation: u64) -> Self {
        Self {
            key,
            next: Some(FileName { incarnation, number: 0 }),
            current: None,
            waiting: VecDeque::new(),
            bytes: 0,
            lost: 0,
            paused: None,
        }
    }

    /// Something happened.
    pub(crate) fn note(&mut self, record: &Record) {
        let mut bytes = Vec::new();
        record.put(&mut bytes);
        // Whatever comes behind what is lost is lost: nothing is told in another order.
        let full = self.paused.is_some() && self.bytes + bytes.len() > WAITING_MAX;
        if full || self.lost > 0 || bytes.len() > SEALED_MAX {
            self.lost += 1;
            return;
        }
        self.bytes += bytes.len();
        self.waiting.push_back(bytes);
    }

    /// Writes what happened. `wall` is the time in ms since 1970.
    pub(crate) fn flush(&mut self, now: Time, wall: u64, disk: &mut dyn Disk) -> Option<Trouble> {
        let nothing = self.waiting.is_empty() && self.lost == 0;
        if nothing || self.wake().is_some_and(|at| now < at) {
            return None;
        }
        match self.write(wall, disk) {
            Ok(()) => {
                let lost = core::mem::take(&mut self.lost);
                self.paused.take().map(|_| Trouble::Resumed(lost))
            }
            Err(error) => {
                let first = self.paused.replace(now).is_none();
                first.then_some(Trouble::Paused(error))
            }
        }
    }

    /// When to try again what could not be written.
    pub(crate) fn wake(&self) -> Option<Time> {
        self.paused.map(|tried| tried + RETRY)
    }

    /// Records that are not written.
    pub(crate) fn unwritten(&self) -> u64 {
        self.waiting.len() as u64 + self.lost
    }

    /// Waits until everything that was written is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.current.as_ref().map_or(Ok(()), |current| current.pages.sync())
    }

    /// The file that is written now, or a new one.
    fn turn_page(&mut self, wall: u64, disk: &mut dyn Disk) -> io::Result<Current> {
        let goes_on = |current: &Current| {
            let fresh = wall.saturating_sub(current.begun) < FILE_MS;
            fresh && current.bytes < FILE_BYTES && current.pages.is_there()
        };
        if let Some(current) = self.current.take().filter(goes_on) {
            return Ok(current);
        }
        let name = self.next.ok_or(io::ErrorKind::QuotaExceeded)?;
        // A name whose file could not be begun may have been: it is not tried again.
        let number = name.number.checked_add(1);
        self.next = number.map(|number| FileName { number, ..name });
        let pages = disk.begin(name)?;
        let sealer = Sealer::new(&self.key, &name.to_string());
        Ok(Current { name, pages, sealer, bytes: 0, begun: wall })
    }

    fn write(&mut self, wall: u64, disk: &mut dyn Disk) -> io::Result<()> {
        let mut current = self.turn_page(wall, disk)?;
        let (mut sealed, mut ends) = (Vec::new(), Vec::new());
        for record in &self.waiting {
            current.sealer.seal(record, &mut sealed);
            ends.push(sealed.len());
        }
        if self.lost > 0 {
            let mut record = Vec::new();
            Record { at: wall, what: What::Lost(self.lost) }.put(&mut record);
            current.sealer.seal(&record, &mut sealed);
        }
        let (done, written) = append(&mut current.pages, &sealed);
        // What was written whole is not written again.
        for _ in ends.iter().take_while(|&&end| end <= done) {
            let record = self.waiting.pop_front();
            self.bytes -= record.map_or(0, |record| record.len());
        }
        current.bytes += done as u64;
        match written {
            Ok(()) => self.current = Some(current),
            Err(_) if current.bytes < ends.first().map_or(0, |&end| end as u64) => {
                disk.remove(current.name);
            }
            Err(_) => {}
        }
        written
    }
}

/// How much was written, and why no more.
fn append(pages: &mut Box<dyn Pages>, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut done = 0;
    while done < bytes.len() {
        match pages.write(&bytes[done..]) {
            Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
            Ok(more) => done += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::rc::Rc;

    use super::*;
    use crate::driver::history::record::tests::said;
    use crate::driver::history::seal::{Opened, Opener};
    use crate::machine::{Identity, Name, Room};

    /// Files in memory, in so much room.
    #[derive(Clone, Default)]
    struct Memory(Rc<RefCell<Stored>>);

    #[derive(Default)]
    struct Stored {
        files: BTreeMap<FileName, Vec<u8>>,
        room: usize,
    }

    struct Page(Memory, FileName);

    impl Memory {
        fn set_room(&self, room: usize) {
            self.0.borrow_mut().room = room;
        }

        fn files(&self) -> usize {
            self.0.borrow().files.len()
        }

        /// The numbers of the messages, in the order of the files.
        fn read(&self, key: &RoomKey) -> Vec<u64> {
            let mut found = Vec::new();
            for (name, bytes) in &self.0.borrow().files {
                let mut opener = Opener::new(key, &name.to_string());
                let (mut at, mut record) = (0, Vec::new());
                loop {
                    match opener.open(&bytes[at..], true, &mut record) {
                        Opened::Record(len) => {
                            at += len;
                            found.push(match Record::read(&record).unwrap().what {
                                What::Said(said) => said.id.number,
                                What::Lost(lost) => 1_000_000 + lost,
                                _ => unreachable!(),
                            });
                        }
                        Opened::Passed(0) => break,
                        Opened::Passed(len) => at += len,
                        Opened::More => unreachable!("it is whole"),
                    }
                }
            }
            found
        }
    }

    impl Disk for Memory {
        fn begin(&mut self, name: FileName) -> io::Result<Box<dyn Pages>> {
            let before = self.0.borrow_mut().files.insert(name, Vec::new());
            assert!(before.is_none(), "no file is begun twice");
            Ok(Box::new(Page(self.clone(), name)))
        }

        fn remove(&mut self, name: FileName) {
            self.0.borrow_mut().files.remove(&name);
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut disk = self.0.0.borrow_mut();
            let fits = bytes.len().min(disk.room);
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            disk.room -= fits;
            disk.files.get_mut(&self.1).unwrap().extend_from_slice(&bytes[..fits]);
            Ok(fits)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Pages for Page {
        fn is_there(&self) -> bool {
            self.0.0.borrow().files.contains_key(&self.1)
        }

        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn key() -> RoomKey {
        let room = Room::new(Name::parse("lobby").unwrap(), None);
        RoomKey::new(&Identity::new(&[1; 32]), &room)
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    /// One word about it, nothing that is half there is read, and what waited is written in its order
    /// into another file.
    #[test]
    fn a_disk_that_is_full_and_freed_costs_nothing_that_could_wait() {
        let (key, mut disk) = (key(), Memory::default());
        let mut writer = Writer::new(key.clone(), 7);
        // Two records and half of the third.
        disk.set_room(240);
        let mut told = Vec::new();
        for n in 0..20 {
            writer.note(&said(n, n, "twenty letters of it"));
            told.extend(writer.flush(at(n / 10), n, &mut disk));
        }
        assert!(matches!(&told[..], [Trouble::Paused(_)]), "{told:?}");
        let before = disk.read(&key);
        assert!(!before.is_empty() && before.len() < 3, "{before:?}");
        assert_eq!(disk.files(), 1);
        // Still full: tried again when it is time to, and nothing is left behind.
        assert!(writer.flush(at(7), 7, &mut disk).is_none());
        assert_eq!(disk.files(), 1);
        disk.set_room(1 << 20);
        assert!(writer.flush(at(8), 8, &mut disk).is_none(), "not yet");
        assert_eq!(writer.wake(), Some(at(12)));
        assert!(matches!(writer.flush(at(12), 12, &mut disk), Some(Trouble::Resumed(0))));
        assert_eq!(disk.read(&key), (0..20).collect::<Vec<_>>());
        assert_eq!((disk.files(), writer.unwritten(), writer.wake()), (2, 0, None));
    }

    #[test]
    fn what_cannot_wait_is_counted_in_its_place() {
        let (key, mut disk) = (key(), Memory::default());
        let mut writer = Writer::new(key.clone(), 7);
        let text = "x".repeat(4000);
        writer.note(&said(0, 0, &text));
        assert!(matches!(writer.flush(at(0), 0, &mut disk), Some(Trouble::Paused(_))));
        for n in 1..200 {
            writer.note(&said(n, n, &text));
        }
        assert!(writer.bytes <= WAITING_MAX);
        disk.set_room(usize::MAX);
        let resumed = writer.flush(at(5), 5, &mut disk);
        let Some(Trouble::Resumed(lost)) = resumed else { panic!("{resumed:?}") };
        writer.note(&said(200, 200, "after"));
        assert!(writer.flush(at(6), 6, &mut disk).is_none());
        let mut expected: Vec<u64> = (0..200 - lost).collect();
        expected.extend([1_000_000 + lost, 200]);
        assert_eq!(disk.read(&key), expected);
        assert!(lost > 100);
    }

    #[test]
    fn a_file_is_left_when_it_is_large_or_old_or_gone() {
        let (key, disk) = (key(), Memory::default());
        disk.set_room(usize::MAX);
        let mut writer = Writer::new(key.clone(), 7);
        let mut say = |n: u64, wall: u64| {
            writer.note(&said(n, n, &"x".repeat(4000)));
            assert!(writer.flush(at(0), wall, &mut disk.clone()).is_none());
        };
        say(0, 0);
        say(1, FILE_MS - 1);
        assert_eq!(disk.files(), 1);
        say(2, FILE_MS);
        assert_eq!(disk.files(), 2, "a day has passed");
        (3..3 + FILE_BYTES / 4000).for_each(|n| say(n, FILE_MS));
        assert_eq!(disk.files(), 3, "it was full");
        let last = *disk.0.borrow().files.keys().next_back().unwrap();
        disk.clone().remove(last);
        say(5000, FILE_MS);
        assert_eq!(disk.files(), 3, "somebody has removed it");
        assert_eq!(disk.read(&key).last(), Some(&5000));
    }
}
