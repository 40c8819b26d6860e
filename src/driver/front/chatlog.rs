//! The chat in a file: an instant, a tab, and what line mode would print, one line each.
//!
//! The path is the log. A file that was renamed or removed is no longer at it, so before each record
//! is looked whether the path still leads to what is open. A record that cannot be written, because
//! the disk is full or the folder is gone, is counted, and the next one tries again: the file says how
//! many are missing where they are. No record is glued to half a line, whoever left that behind.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::driver::front::company::Company;
use crate::driver::front::numbers::counted;
use crate::driver::front::wording;
use crate::driver::os::clock::{Zone, unix_ms};
use crate::driver::os::environment::at_home;
use crate::driver::os::files::{about, open_regular};
use crate::driver::os::state;
use crate::machine::{Event, Room};

/// The file where nobody names another, in the folder for state: named like the room, with what no
/// name of a file may hold written as in an address of the web (RFC 3986, section 2.1). Rooms of one
/// name differ by their secrets, and so do their files: by the first letters of the tag, which is no
/// secret.
fn file_of(room: &Room) -> String {
    let mut name = room.name().as_str().replace('%', "%25").replace('/', "%2F");
    if !room.is_open() {
        let [first, second, ..] = room.tag().0;
        return format!("{name}-{first:02x}{second:02x}.log");
    }
    // No open room has the file of one with a secret.
    if let Some((_, end)) = name.rsplit_once('-')
        && end.len() == 4
        && end.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        name.replace_range(name.len() - 5..name.len() - 4, "%2D");
    }
    name + ".log"
}

/// A file that the chat is appended to.
#[derive(Debug)]
pub(crate) struct ChatLog {
    file: File,
    /// Which file it is: device and number.
    inode: (u64, u64),
    path: PathBuf,
    zone: Zone,
    /// Records that are missing and of which the file does not say so yet.
    untold: u64,
    /// Records that are missing since the last one that was written.
    missing: u64,
    /// The last write broke off. It matters where the file cannot be read.
    broke_off: bool,
}

/// What became of a record, where that is worth a word.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It could not be written, and the one before it was.
    Began(io::Error),
    /// It was written, and so many before it were not.
    Over(u64),
}

impl ChatLog {
    /// Opens a file to append to, readable by nobody else if it is new; the room's unless told.
    pub(crate) fn open(path: Option<&str>, room: &Room) -> io::Result<Self> {
        let path = match path {
            Some(path) => at_home(path),
            None => state::folder()?.join(file_of(room)),
        };
        let (file, inode) = open(&path).map_err(|error| about(&path, &error))?;
        let zone = Zone::local();
        Ok(Self { file, inode, path, zone, untold: 0, missing: 0, broke_off: false })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// How many records are missing at its end, now that no more will come. The file is told, if it can
    /// be.
    pub(crate) fn finish(&mut self) -> u64 {
        if let Err(error) = self.follow().and_then(|()| self.own_up()) {
            log::debug!("{}: {error}", self.path());
        }
        self.missing
    }

    /// Opens what is at the path, if it is not what is open.
    pub(crate) fn follow(&mut self) -> io::Result<()> {
        let same = fs::metadata(&self.path).is_ok_and(|now| inode(&now) == self.inode);
        if !same {
            (self.file, self.inode) = open(&self.path)?;
            self.broke_off = false;
        }
        Ok(())
    }

    /// Writes what happened, if it is worth it.
    pub(crate) fn show(&mut self, event: &Event<'_>, company: &Company) -> Option<Trouble> {
        let line = record(event, company)?;
        match self.append(&line) {
            Ok(()) => {
                let missing = core::mem::take(&mut self.missing);
                (missing > 0).then_some(Trouble::Over(missing))
            }
            Err(error) => {
                self.untold += 1;
                self.missing += 1;
                (self.missing == 1).then(|| Trouble::Began(about(&self.path, &error)))
            }
        }
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        self.follow()?;
        self.own_up()?;
        self.write(line)
    }

    /// Says in the file what is missing there.
    fn own_up(&mut self) -> io::Result<()> {
        if self.untold > 0 {
            let are = if self.untold == 1 { "is" } else { "are" };
            self.write(&format!("* {} {are} missing here", counted(self.untold, "record")))?;
            self.untold = 0;
        }
        Ok(())
    }

    /// A line in one write, so that nobody who appends to the same file gets into the middle of it.
    fn write(&mut self, line: &str) -> io::Result<()> {
        let feed = if self.is_in_a_line() { "\n" } else { "" };
        let line = format!("{feed}{}\t{line}\n", self.zone.stamp(unix_ms()));
        let written = self.file.write_all(line.as_bytes());
        self.broke_off = written.is_err();
        written
    }

    /// Whether what was written last, by whom ever, is half a line.
    fn is_in_a_line(&self) -> bool {
        let mut last = [b'\n'];
        let length = self.file.metadata().map_or(0, |now| now.len());
        match length.checked_sub(1).map(|at| self.file.read_exact_at(&mut last, at)) {
            Some(Err(_)) => self.broke_off,
            _ => last != *b"\n",
        }
    }
}

/// Opens a file to append to. It is read as well, where that is allowed, to see how it ends.
fn open(path: &Path) -> io::Result<(File, (u64, u64))> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    let file = match open_regular(options.clone().read(true), path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_regular(&mut options, path)?
        }
        opened => opened?,
    };
    let inode = inode(&file.metadata()?);
    Ok((file, inode))
}

fn inode(status: &Metadata) -> (u64, u64) {
    (status.dev(), status.ino())
}

/// What happened, on one line; `None` where it is not worth one.
fn record(event: &Event<'_>, company: &Company) -> Option<String> {
    Some(match event {
        Event::Ready { me, .. } => format!("* Welcome to the chat room, {}!", me.name),
        Event::Joined(who) => format!("* {}", wording::came(&company.label(who))),
        Event::Left { who, why } => format!("* {}", wording::left(&company.label(who), *why)),
        Event::Renamed { who, was } => {
            format!("* {}", wording::renamed(who, was, company))
        }
        Event::OtherKey { .. } => format!("* {}", wording::keys(event, company)?),
        Event::Message { from, text, action, private, .. } => {
            wording::message(&company.label(from), text.as_str(), *action, *private)
        }
        Event::Sent { text, action, to, .. } => {
            let me = company.me.as_ref().map_or("", |me| me.name.as_str());
            let label = match to {
                Some(to) => format!("{me} → {}", company.label(to)),
                None => me.to_owned(),
            };
            wording::message(&label, text.as_str(), *action, to.is_some())
        }
        Event::Done { failed, .. } if !failed.is_empty() => {
            format!("* not delivered to {}", wording::whom(company, failed))
        }
        Event::Missing { from, count } => {
            format!("* {count} missing from {}", company.label(from))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{
        MessageId, Name, PeerId, Person, PublicKey, SECRET, SafeText, Secret, Why,
    };

    fn open_room(name: &str) -> Room {
        Room::new(Name::parse(name).unwrap(), None)
    }

    #[test]
    fn a_line_is_an_instant_a_tab_and_what_happened() {
        let path = std::env::temp_dir().join(format!("chatrpc-chatlog-{}", std::process::id()));
        let name = path.to_str().unwrap();
        let who = |id: u8, name: &str| Person {
            id: PeerId(id.into()),
            key: PublicKey([id; 32]),
            name: Name::parse(name).unwrap(),
        };
        let (bob, me) = (who(2, "bob"), who(1, "eve"));
        let id = MessageId { author: bob.id, number: 1 };
        let text = SafeText::new("one\n* bob has left");
        let mut log = ChatLog::open(Some(name), &open_room("lobby")).unwrap();
        let (action, private, mention) = (false, false, false);
        let from = bob.clone();
        let mut company = Company::EMPTY;
        company.me = Some(me);
        let mut show = |event| assert!(log.show(&event, &company).is_none());
        show(Event::Message { id, from, text, action, private, mention, past: None });
        let (text, to) = (SafeText::new("psst"), Some(bob.clone()));
        show(Event::Sent { id, text, action, to, readers: 1 });
        show(Event::OtherKey { who: bob.clone() });
        show(Event::Left { who: bob, why: Why::Quit });
        let written = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let lines: Vec<&str> =
            written.lines().map(|line| line.split_once('\t').unwrap().1).collect();
        assert_eq!(
            lines,
            [
                "bob: one ⏎ * bob has left",
                "@eve → bob: psst",
                "* WARNING: bob has another key than the one you trust under this name, or one like it! \
                 It may be somebody else, and what they say is marked with !: /verify \
                 aaaaaaaaaaaae",
                "* bob has left the chat!"
            ]
        );
        assert!(written.starts_with("20") && written.as_bytes()[10] == b'T');
    }

    /// A log of a room and its file, and how to write a record.
    fn logged(name: &str) -> (PathBuf, ChatLog) {
        let path = std::env::temp_dir().join(format!("chatrpc-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let log = ChatLog::open(path.to_str(), &open_room("lobby")).unwrap();
        (path, log)
    }

    fn told(log: &mut ChatLog, text: &'static str) -> Option<Trouble> {
        let (id, key) = (PeerId(2), crate::machine::PublicKey([2; 32]));
        let from = Person { id, key, name: Name::parse("bob").unwrap() };
        let id = MessageId { author: from.id, number: 1 };
        let text = SafeText::new(text);
        let (action, private, mention) = (false, false, false);
        let event = Event::Message { id, from, text, action, private, mention, past: None };
        log.show(&event, &Company::EMPTY)
    }

    /// The records of a file, without their instants.
    fn records(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n'));
        text.lines()
            .map(|line| line.split_once('\t').map_or(line, |(_, at)| at).to_owned())
            .collect()
    }

    /// `mv room.log room.log.1` while it was written: everything went on into room.log.1.
    #[test]
    fn the_path_is_the_log() {
        let (path, mut log) = logged("rotated");
        let old = path.with_extension("1");
        told(&mut log, "one");
        fs::rename(&path, &old).unwrap();
        assert!(told(&mut log, "two").is_none());
        assert_eq!(
            (records(&old), records(&path)),
            (vec!["bob: one".into()], vec!["bob: two".into()])
        );
        fs::remove_file(&path).unwrap();
        assert!(told(&mut log, "three").is_none());
        assert_eq!(records(&path), ["bob: three"]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        // Copied and emptied, as who cannot rename does.
        File::create(&path).unwrap();
        told(&mut log, "four");
        assert_eq!(records(&path), ["bob: four"]);
        fs::remove_file(&old).unwrap();
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_could_not_be_written_is_counted_in_its_place() {
        let (path, mut log) = logged("gone");
        let folder = path.with_extension("d");
        told(&mut log, "one");
        // Where the file was is something that cannot be one.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(told(&mut log, "two"), Some(Trouble::Began(_))));
        assert!(told(&mut log, "three").is_none(), "it is said once");
        fs::rename(&path, &folder).unwrap();
        assert!(matches!(told(&mut log, "four"), Some(Trouble::Over(2))));
        assert_eq!(log.finish(), 0);
        assert!(told(&mut log, "five").is_none());
        assert_eq!(records(&path), ["* 2 records are missing here", "bob: four", "bob: five"]);
        fs::remove_dir(&folder).unwrap();
        fs::remove_file(&path).unwrap();
    }

    /// A disk that was full in an earlier run, or in the run of somebody who writes the same file.
    #[test]
    fn no_record_is_glued_to_half_a_line() {
        let (path, mut log) = logged("half");
        told(&mut log, "one");
        let mut other = OpenOptions::new().append(true).open(&path).unwrap();
        other.write_all(b"2026-10-23T11:12:00+02:00\tcarol: ha").unwrap();
        told(&mut log, "two");
        other.write_all(b"2026").unwrap();
        drop(log);
        let mut log = ChatLog::open(path.to_str(), &open_room("lobby")).unwrap();
        told(&mut log, "three");
        let whole = ["bob: one", "carol: ha", "bob: two", "2026", "bob: three"];
        assert_eq!(records(&path), whole);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn only_files_are_written() {
        for path in ["/dev/null", "/nonexistent/x", "/tmp"] {
            assert!(ChatLog::open(Some(path), &open_room("x")).is_err(), "{path}");
        }
    }

    #[test]
    fn every_room_has_a_file_of_its_own() {
        let of = |room: &str| file_of(&open_room(room));
        assert_eq!(of("lobby"), "lobby.log");
        assert_eq!(of("a/../b"), "a%2F..%2Fb.log");
        assert_eq!(of("a%2F..%2Fb"), "a%252F..%252Fb.log");
        assert!(of(&format!("a{}", "/".repeat(23))).len() < 255, "a file name is no longer");
        let secret = |name: &str, luck: u8| {
            let secret = Secret::new([luck; SECRET]);
            let room = Room::new(Name::parse(name).unwrap(), Some(&secret));
            (file_of(&room), format!("{:02x}{:02x}", room.tag().0[0], room.tag().0[1]))
        };
        let ((one, tag), (other, _)) = (secret("ops", 1), secret("ops", 2));
        assert_eq!(one, format!("ops-{tag}.log"));
        assert_ne!(one, other, "another secret is another room");
        assert_eq!(of("ops"), "ops.log");
        assert_eq!(of(&format!("ops-{tag}")), format!("ops%2D{tag}.log"));
        assert_eq!(of("ops-team"), "ops-team.log");
    }
}
