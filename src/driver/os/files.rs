//! Opening files without ever waiting for what stands in their place, reading no more of them than
//! they can hold, and believing nothing that somebody else could have written.

use core::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// How often, and how long each time, a file is waited for while another process holds its lock.
const LOCK_TRIES: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// Everybody but the owner may write.
const OTHERS_WRITE: u32 = 0o022;

/// The longest text that is read as a whole, bytes.
pub(crate) const TEXT_FILE_MAX: usize = 1 << 20;

/// Links that lead from one to another, at most.
const LINKS_MAX: usize = 40;

/// Opens a file, and nothing else: a pipe would block who opens, reads or writes it, and a device may
/// have no end, or become the terminal of who opens it.
pub(crate) fn open_regular(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits().cast_signed();
    let file = options.custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
    }
    Ok(file)
}

/// A file to be read, if it is there.
pub(crate) fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match open_regular(OpenOptions::new().read(true), path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// The same, of a file that nobody else could have written.
pub(crate) fn open_ours(path: &Path) -> io::Result<Option<File>> {
    let file = open_if_there(path)?;
    if let Some(file) = &file {
        check_ours(&file.metadata()?)?;
    }
    Ok(file)
}

/// Everything in a file, which has at most `max` bytes. It may be a secret.
pub(crate) fn read_whole(file: &File, max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    // Whole from the beginning: what grows leaves a copy behind.
    let room = file.metadata()?.len().min(max as u64 + 1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room as usize + 1));
    file.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        let what = format!("more than {max} bytes: it is another file");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(bytes)
}

/// The text in a file of at most 1 MiB.
///
/// # Errors
///
/// When it is no file, no text, too long, or one that everybody can write: what it says would be
/// anybody's.
pub fn read_text(path: &Path) -> io::Result<String> {
    let file = open_regular(OpenOptions::new().read(true), path)?;
    if file.metadata()?.mode() & 0o002 != 0 {
        let what = "everybody can write it: what it says may be anybody's";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    text_of(&file)
}

/// The text in an open file.
pub(crate) fn text_of(file: &File) -> io::Result<String> {
    let bytes = read_whole(file, TEXT_FILE_MAX)?;
    let text = core::str::from_utf8(&bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
        io::Error::new(io::ErrorKind::InvalidData, NotText { line })
    })?;
    Ok(text.to_owned())
}

/// A file that is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotText {
    /// The first line that is not.
    pub line: usize,
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is not UTF-8", self.line)
    }
}

impl core::error::Error for NotText {}

/// Refuses a file or folder of ours that somebody else could have written.
pub(crate) fn check_ours(status: &Metadata) -> io::Result<()> {
    let denied = |what| Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    if status.mode() & OTHERS_WRITE != 0 {
        return denied("others can write there: what it holds may be theirs");
    }
    let us = rustix::process::geteuid();
    // Root reads what it is asked to: there is nobody who could do less.
    if !us.is_root() && status.uid() != us.as_raw() && status.uid() != 0 {
        return denied("it belongs to somebody else: what it holds may be theirs");
    }
    Ok(())
}

/// Keeps other processes of ours from writing until the file is closed. They are not waited for
/// long: there is a room to be served.
pub(crate) fn lock(file: &File) -> io::Result<()> {
    for _ in 0..LOCK_TRIES {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(LOCK_WAIT),
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "another process does not let go of it"))
}

/// Keeps other processes of ours from writing until the file is closed; it is made if it is not there.
pub(crate) fn locked(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = open_regular(options.write(true).create(true).truncate(false).mode(0o600), path)?;
    lock(&file).map(|()| file)
}

/// Writes a file, whole or not at all. Whoever holds the lock is the only one who does. A link stays
/// one: what it leads to is written, whether it is there or not.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = target(path)?;
    // Added to the whole name: in another folder, a name with another ending may be somebody's.
    let mut new = path.clone().into_os_string();
    new.push(".new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(bytes).and_then(|()| file.sync_all())?;
    fs::rename(&new, path)
}

/// Where the links at a path lead.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("/")).join(next),
            // It is no link, or there is nothing.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
                ) =>
            {
                return Ok(path);
            }
            Err(error) => return Err(error),
        }
    }
    Err(Errno::LOOP.into())
}

/// The same error, with the file it is about.
pub(crate) fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_no_file_is_never_waited_for_and_what_is_long_never_read() {
        let folder = std::env::temp_dir().join(format!("chatrpc-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (fifo, file) = (folder.join("fifo"), folder.join("file"));
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        for path in [&fifo, &folder, Path::new("/dev/zero"), Path::new("/dev/tty")] {
            assert!(read_text(path).is_err(), "{}", path.display());
        }
        // It has no blocks on the disk: nobody could wait for 1 TB.
        File::create(&file).unwrap().set_len(1 << 40).unwrap();
        let error = read_text(&file).unwrap_err();
        assert_eq!(error.to_string(), "more than 1048576 bytes: it is another file");
        fs::write(&file, "x".repeat(TEXT_FILE_MAX)).unwrap();
        assert_eq!(read_text(&file).unwrap().len(), TEXT_FILE_MAX);
        fs::write(&file, b"\xff").unwrap();
        assert_eq!(read_text(&file).unwrap_err().to_string(), "line 1 is not UTF-8");
        fs::write(&file, b"one\ntwo \xff\n\xff").unwrap();
        assert_eq!(read_text(&file).unwrap_err().to_string(), "line 2 is not UTF-8");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o602)).unwrap();
        assert_eq!(read_text(&file).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_link_stays_one_and_what_it_leads_to_is_written() {
        use std::os::unix::fs::symlink;
        let folder = std::env::temp_dir().join(format!("chatrpc-links-{}", std::process::id()));
        let elsewhere = folder.join("elsewhere");
        fs::create_dir_all(&elsewhere).unwrap();
        let (link, end) = (folder.join("known"), elsewhere.join("dot.known"));
        fs::write(elsewhere.join("dot.new"), "theirs").unwrap();
        symlink("elsewhere/middle", &link).unwrap();
        symlink("dot.known", elsewhere.join("middle")).unwrap();
        for text in ["one", "two"] {
            replace(&link, text.as_bytes()).unwrap();
            assert!(link.is_symlink() && elsewhere.join("middle").is_symlink());
            assert!(!end.is_symlink());
            assert_eq!(fs::read_to_string(&end).unwrap(), text);
        }
        assert_eq!(fs::read_to_string(elsewhere.join("dot.new")).unwrap(), "theirs");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 3, "nothing is left behind");
        symlink("round", folder.join("round")).unwrap();
        assert!(replace(&folder.join("round"), b"x").is_err());
        assert!(folder.join("round").is_symlink());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_others_could_have_written_is_not_ours() {
        let file = std::env::temp_dir().join(format!("chatrpc-ours-{}", std::process::id()));
        fs::write(&file, "x").unwrap();
        for (mode, fine) in [(0o600, true), (0o644, true), (0o620, false), (0o602, false)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_ours(&fs::metadata(&file).unwrap()).is_ok(), fine, "{mode:o}");
        }
        fs::remove_file(&file).unwrap();
    }
}
