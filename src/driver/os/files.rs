//! Opening files without ever waiting for what stands in their place, reading no more of them than
//! they can hold, and believing nothing that somebody else could have written.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
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
const TEXT_FILE_MAX: usize = 1 << 20;

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
    let text = core::str::from_utf8(&bytes);
    let text = text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a text"))?;
    Ok(text.to_owned())
}

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

/// Writes a file, whole or not at all. Whoever holds the lock is the only one who does.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all())?;
    fs::rename(&new, path)
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
        assert_eq!(read_text(&file).unwrap_err().to_string(), "not a text");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o602)).unwrap();
        assert_eq!(read_text(&file).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
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
