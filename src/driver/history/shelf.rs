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
        let file = open_ours(&path)?.ok_or(io::ErrorKind::NotFound)?;
        fetch(&file);
        Ok(file)
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

/// Has the system read a file before it is asked for, where it can be told to.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn fetch(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::WillNeed);
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn fetch(_: &File) {}

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
