//! The files of a room: which there are, and which go.
//!
//! Nothing here waits for a lock, and reading needs nothing to be written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use crate::driver::history::disk::{Disk, FILE_BYTES, FileName, Pages};
use crate::driver::history::seal::RoomKey;
use crate::driver::os::clock::unix_ms;
use crate::driver::os::files::{about, check_ours, open_ours};
use crate::driver::os::state;
use crate::machine::{Identity, Room};

/// What is kept of a room: so many bytes, files and days. The oldest files go first.
const BYTES_MAX: u64 = 64 << 20;
const FILES_MAX: usize = 1024;
const AGE_MAX_MS: u64 = 30 * 24 * 3600 * 1000;
/// So many files are looked at in a folder, whoever has put them there.
const LISTED_MAX: usize = 4 * FILES_MAX;

/// A file that is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) name: FileName,
    pub(crate) bytes: u64,
    /// When it was written last, ms since 1970.
    pub(crate) modified: u64,
}

/// The history of one room, for one person.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    key: RoomKey,
}

impl Shelf {
    /// That of a room, in the folder for state. Nothing is made there.
    ///
    /// # Errors
    ///
    /// When nobody says where that folder is.
    pub(crate) fn new(identity: &Identity, room: &Room) -> io::Result<Self> {
        let key = RoomKey::new(identity, room);
        Ok(Self { folder: state::path()?.join("history").join(key.folder()), key })
    }

    /// In a folder of its own, for tests and benchmarks.
    pub(crate) const fn at(folder: PathBuf, key: RoomKey) -> Self {
        Self { folder, key }
    }

    pub(crate) const fn key(&self) -> &RoomKey {
        &self.key
    }

    /// The files that are there, the oldest first.
    ///
    /// # Errors
    ///
    /// When the folder is there and cannot be read, or others could have written in it.
    pub(crate) fn files(&self) -> io::Result<Vec<Kept>> {
        let named = |error: &io::Error| about(&self.folder, error);
        match fs::metadata(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.and_then(|status| check_ours(&status)).map_err(|error| named(&error))?,
        }
        let entries = fs::read_dir(&self.folder).map_err(|error| named(&error))?;
        let mut files = Vec::new();
        for entry in entries.take(LISTED_MAX).filter_map(Result::ok) {
            let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let (Some(name), Ok(status)) = (name, entry.metadata()) else { continue };
            let modified = u64::try_from(status.mtime()).unwrap_or(0).saturating_mul(1000)
                + u64::try_from(status.mtime_nsec()).unwrap_or(0) / 1_000_000;
            files.push(Kept { name, bytes: status.len(), modified });
        }
        files.sort_by_key(|file| file.name);
        Ok(files)
    }

    /// A file, to be read from its beginning.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, is gone, or others could have written it.
    pub(crate) fn open(&self, name: FileName) -> io::Result<File> {
        let path = self.folder.join(name.to_string());
        open_ours(&path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Removes everything: how many files, and how many bytes.
    ///
    /// # Errors
    ///
    /// When a file cannot be removed; others may be.
    pub(crate) fn forget(&self) -> io::Result<(usize, u64)> {
        let files = self.files()?;
        for file in &files {
            self.remove(file.name)?;
        }
        // What somebody else has put there stays, and so does the folder.
        let _ = fs::remove_dir(&self.folder);
        Ok((files.len(), files.iter().map(|file| file.bytes).sum()))
    }

    fn remove(&self, name: FileName) -> io::Result<()> {
        let path = self.folder.join(name.to_string());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(about(&path, &error)),
            _ => Ok(()),
        }
    }

    /// Removes what is too old, and what is too much where another file is begun.
    fn make_room(&self, now_ms: u64) -> io::Result<()> {
        let files = self.files()?;
        let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let mut count = files.len();
        for file in &files {
            let old = now_ms.saturating_sub(file.modified) > AGE_MAX_MS;
            if old || bytes > BYTES_MAX - FILE_BYTES || count >= FILES_MAX {
                self.remove(file.name)?;
                bytes = bytes.saturating_sub(file.bytes);
                count -= 1;
            }
        }
        Ok(())
    }
}

impl Disk for Shelf {
    fn begin(&mut self, name: FileName) -> io::Result<Box<dyn Pages>> {
        if let Err(error) = self.make_room(unix_ms()) {
            log::debug!("no room is made in the history: {error}");
        }
        let named = |error: io::Error| about(&self.folder, &error);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(named)?;
        // This one, that of all rooms, and that for state.
        for folder in self.folder.ancestors().take(3) {
            let ours = fs::metadata(folder).and_then(|status| check_ours(&status));
            ours.map_err(|error| about(folder, &error))?;
        }
        let path = self.folder.join(name.to_string());
        let mut options = OpenOptions::new();
        let file = options.append(true).create_new(true).mode(0o600).open(&path);
        file.map(|file| Box::new(file) as Box<dyn Pages>).map_err(|error| about(&path, &error))
    }

    fn remove(&mut self, name: FileName) {
        if let Err(error) = Self::remove(self, name) {
            log::debug!("{error}");
        }
    }
}

impl Pages for File {
    fn is_there(&self) -> bool {
        self.metadata().is_ok_and(|status| status.nlink() > 0)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::machine::Name;

    fn shelf(name: &str) -> (PathBuf, Shelf) {
        let base = std::env::temp_dir().join(format!("chatrpc-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let folder = base.join("history/lobby");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
        let room = Room::new(Name::parse("lobby").unwrap(), None);
        let key = RoomKey::new(&Identity::new(&[1; 32]), &room);
        (base, Shelf::at(folder, key))
    }

    /// A file of that size, which takes no room on the disk, written so many days ago.
    fn put(shelf: &Shelf, incarnation: u64, bytes: u64, days: u64) {
        let name = FileName { incarnation, number: 0 };
        let file = File::create(shelf.folder.join(name.to_string())).unwrap();
        file.set_len(bytes).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 24 * 3600)).unwrap();
    }

    fn left(shelf: &Shelf) -> Vec<u64> {
        shelf.files().unwrap().iter().map(|file| file.name.incarnation).collect()
    }

    #[test]
    fn the_oldest_files_go_when_there_are_too_many_or_too_much_or_they_are_too_old() {
        let (base, mut shelf) = shelf("retention");
        let begin = |shelf: &mut Shelf, incarnation| {
            drop(shelf.begin(FileName { incarnation, number: 0 }).unwrap());
        };
        (1..=10).for_each(|n| put(&shelf, n, FILE_BYTES, 0));
        begin(&mut shelf, 11);
        assert_eq!(left(&shelf), (4..=11).collect::<Vec<_>>(), "and one more makes 64 MiB");
        put(&shelf, 6, 1, 31);
        put(&shelf, 7, 1, 29);
        begin(&mut shelf, 12);
        assert_eq!(left(&shelf), [4, 5, 7, 8, 9, 10, 11, 12]);
        (100..2000).for_each(|n| put(&shelf, n, 1, 0));
        begin(&mut shelf, 3000);
        let last = left(&shelf);
        assert_eq!((last.len(), last[0], last[FILES_MAX - 1]), (FILES_MAX, 977, 3000));
        assert!(shelf.begin(FileName { incarnation: 3000, number: 0 }).is_err(), "it is there");
        assert_eq!(shelf.forget().unwrap().0, FILES_MAX - 1, "there was room for it");
        assert!(!shelf.folder.exists() && shelf.files().unwrap().is_empty());
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn what_is_not_ours_is_neither_read_nor_removed() {
        use std::os::unix::fs::PermissionsExt;
        let (base, mut shelf) = shelf("theirs");
        put(&shelf, 1, 1, 0);
        fs::write(shelf.folder.join("notes.txt"), "mine").unwrap();
        let name = FileName { incarnation: 2, number: 0 };
        let pipe = shelf.folder.join(name.to_string());
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
        assert!(shelf.open(name).is_err(), "a pipe is not waited for");
        shelf.forget().unwrap();
        assert!(shelf.folder.join("notes.txt").exists());
        fs::set_permissions(&shelf.folder, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(shelf.files().is_err() && shelf.begin(name).is_err());
        fs::remove_dir_all(&base).unwrap();
    }
}
