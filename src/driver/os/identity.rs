//! Who we are, kept in a folder of our own: a key that is made on first use, and the incarnation of
//! the last process that used it. Nobody else may be able to read the key.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::driver::os::clock::{LUCK_BITS, incarnation, luck, started, unix_ms};
use crate::driver::os::environment::base_folder;
use crate::driver::os::failure::{Failure, status};
use crate::driver::os::files::{check_ours, locked, open_if_there, open_ours, read_whole, replace};
use crate::driver::os::shell::quote;
use crate::machine::{Guarded, Identity, Incarnation};

/// What others may not do with a file of ours.
const OTHERS: u32 = 0o077;

/// A number is written with fewer bytes.
const INCARNATION_MAX: usize = 64;

/// Our key, and where the count of its processes is kept.
#[derive(Debug)]
pub(crate) struct Keeper {
    identity: Identity,
    /// `None` for a key that ends with this process.
    folder: Option<PathBuf>,
}

impl Keeper {
    /// The key of the person at this computer, made if there is none.
    pub(crate) fn load() -> Result<Self, Failure> {
        let folder = folder().ok_or_else(|| {
            let neither = "neither XDG_DATA_HOME nor HOME is an absolute path";
            refused(format!("no folder for the identity key: {neither}"))
        })?;
        let key = folder.join("key");
        let loaded = match read_key(&key) {
            Ok(None) => make_key(&folder, &key).and_then(|()| read_key(&key)),
            other => other,
        };
        let secret = loaded.map_err(|error| unreadable(&key, &error))?;
        let ours = fs::metadata(&folder).and_then(|status| check_ours(&status));
        ours.map_err(|error| unreadable(&folder, &error))?;
        match secret {
            Some(secret) => Ok(Self { identity: Identity::new(&secret), folder: Some(folder) }),
            None => Err(refused(format!("{}: it vanished", key.display()))),
        }
    }

    /// The key of the person at this computer, if there is one.
    pub(crate) fn find() -> Result<Option<Self>, Failure> {
        match folder().map(|folder| folder.join("key").exists()) {
            Some(true) => Self::load().map(Some),
            Some(false) | None => Ok(None),
        }
    }

    /// A key of its own for this process alone.
    pub(crate) fn ephemeral() -> io::Result<Self> {
        let secret = Guarded::<32>::try_filled(|secret| getrandom::fill(secret))?;
        Ok(Self { identity: Identity::new(&secret), folder: None })
    }

    /// Where the key is kept; `None` when it is not.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    pub(crate) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A number greater than that of every earlier process of this key: from the wall clock, unless that
    /// has been set back.
    pub(crate) fn next_incarnation(&self) -> Result<Incarnation, Failure> {
        let Some(folder) = &self.folder else { return Ok(started()) };
        let path = folder.join("incarnation");
        let next = next_incarnation(&path, unix_ms(), luck());
        next.map(Incarnation::at).map_err(|error| unreadable(&path, &error))
    }
}

/// What crashes leaves no file behind that holds keys, and no other process of the same user reads
/// them out of this one (on Linux: by ptrace, or under /proc).
pub(crate) fn leave_no_core() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        log::debug!("core dumps are not switched off: {error}");
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        log::debug!("others can look into this process: {error}");
    }
}

/// Where our key is kept, and whom we trust, whether there is anything yet or not.
pub(crate) fn folder() -> Option<PathBuf> {
    Some(base_folder("XDG_DATA_HOME", ".local/share")?.join("chatrpc"))
}

fn refused(what: impl Into<String>) -> Failure {
    Failure::new(status::USAGE, "identity", what).hint("or: --ephemeral, a key for this run alone")
}

/// Why a file of ours is not used, and what to do about it.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure = refused(format!("{}: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::InvalidData => failure.hint("move it away to get a new one"),
        _ => closing(path, error).into_iter().fold(failure, Failure::hint),
    }
}

/// How to make a file ours that we refuse because others could have written it.
pub(crate) fn closing(path: &Path, error: &io::Error) -> Option<String> {
    // What the system denies is not denied for the file's mode alone.
    let ours = error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none();
    let mode = if path.is_dir() { 700 } else { 600 };
    ours.then(|| format!("chmod {mode} {}", quote(&path.display().to_string())))
}

/// The 32 bytes of a key file; `None` when there is none.
fn read_key(path: &Path) -> io::Result<Option<Guarded<32>>> {
    let Some(mut file) = open_if_there(path)? else { return Ok(None) };
    let status = file.metadata()?;
    if status.mode() & OTHERS != 0 {
        let what = "others can read it: it may not be yours alone any more";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    if status.len() != 32 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not an identity key"));
    }
    Guarded::try_filled(|secret| file.read_exact(secret)).map(Some)
}

/// Makes a key file, whole or not at all, unless somebody else does at the same time.
fn make_key(folder: &Path, key: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let secret = Guarded::<32>::try_filled(|secret| getrandom::fill(secret))?;
    // Not named by the process alone: in containers, one that crashed here had the same number.
    let mut luck = [0; 8];
    getrandom::fill(&mut luck)?;
    let new = folder.join(format!("key.{:016x}", u64::from_ne_bytes(luck)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = file.write_all(&*secret).and_then(|()| file.sync_all());
    let made = written.and_then(|()| publish(fs::hard_link(&new, key)));
    fs::remove_file(&new)?;
    made
}

/// What has become of a key that was to be linked to its place.
fn publish(linked: io::Result<()>) -> io::Result<()> {
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            let what = format!("no hard link to it can be made on this file system: {error}");
            Err(io::Error::new(io::ErrorKind::Unsupported, what))
        }
        _ => Ok(()),
    }
}

fn next_incarnation(path: &Path, now: u64, luck: u32) -> io::Result<u64> {
    // Another process of the same key waits here, and gets a greater number.
    let _lock = locked(&path.with_extension("lock"))?;
    let kept = open_ours(path)?.map(|file| read_whole(&file, INCARNATION_MAX)).transpose()?;
    let text = core::str::from_utf8(kept.as_deref().map_or(&[], Vec::as_slice)).unwrap_or_default();
    let Some(next) = incarnation_after(text, now, luck) else {
        let what = "it holds the greatest number there is: no process can come after that one";
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    };
    // Whole or not at all: what a power cut left half written would be taken for the first one ever.
    replace(path, format!("{next}\n").as_bytes())?;
    Ok(next)
}

/// What comes after the number that is kept; `None` when nothing can. A home that is copied to ten computers,
/// each of which has its clock behind that number, has ten different ones.
pub(crate) fn incarnation_after(kept: &str, now: u64, luck: u32) -> Option<u64> {
    let last: u64 = kept.trim().parse().unwrap_or(0);
    let next = incarnation(now, luck);
    if next > last {
        return Some(next);
    }
    let after = (last >> LUCK_BITS) + 1;
    (after < 1 << (u64::BITS - LUCK_BITS)).then(|| incarnation(after, luck))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("chatrpc-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let folder = fresh("key");
        let key = folder.join("key");
        assert!(read_key(&key).unwrap().is_none());
        make_key(&folder, &key).unwrap();
        let first = read_key(&key).unwrap().unwrap();
        make_key(&folder, &key).unwrap();
        assert_eq!(read_key(&key).unwrap().unwrap(), first, "the first one stays");
        assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left behind");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_a_crash_left_is_not_in_the_way() {
        let folder = fresh("crashed");
        let (key, elsewhere) = (folder.join("key"), folder.join("elsewhere"));
        fs::create_dir_all(&folder).unwrap();
        let left = folder.join(format!("key.{}", std::process::id()));
        std::os::unix::fs::symlink(&elsewhere, left).unwrap();
        make_key(&folder, &key).unwrap();
        assert!(read_key(&key).unwrap().is_some());
        assert!(!elsewhere.exists(), "no link is followed");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = fresh("pipes");
        fs::create_dir_all(&folder).unwrap();
        for name in ["key", "incarnation"] {
            let made = std::process::Command::new("mkfifo").arg(folder.join(name)).status();
            assert!(made.unwrap().success());
        }
        let key = read_key(&folder.join("key")).unwrap_err();
        let incarnation = next_incarnation(&folder.join("incarnation"), 7, 0).unwrap_err();
        for error in [key, incarnation, read_key(&folder).unwrap_err()] {
            assert_eq!(error.to_string(), "not a regular file");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn nobody_looks_into_this_process() {
        leave_no_core();
        let dumpable = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(dumpable, DumpableBehavior::NotDumpable);
        assert_eq!(rustix::process::getrlimit(Resource::Core).current, Some(0));
    }

    #[test]
    fn a_folder_that_others_can_write_in_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = fresh("writable");
        let key = folder.join("key");
        make_key(&folder, &key).unwrap();
        let incarnation = folder.join("incarnation");
        next_incarnation(&incarnation, 7, 0).unwrap();
        fs::set_permissions(&incarnation, fs::Permissions::from_mode(0o622)).unwrap();
        let error = next_incarnation(&incarnation, 7, 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
        let error = check_ours(&fs::metadata(&folder).unwrap()).unwrap_err();
        let failure = unreadable(&folder, &error);
        assert!(failure.what.contains("others can write there"), "{}", failure.what);
        assert!(failure.hints.concat().contains(&format!("chmod 700 {}", folder.display())));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_hint_helps() {
        let hints = |error: io::Error| unreadable(Path::new("key"), &error).hints.concat();
        let open = io::Error::new(io::ErrorKind::PermissionDenied, "others can read it");
        assert!(hints(open).contains("chmod 600 key"));
        let denied = || Err::<(), io::Error>(rustix::io::Errno::PERM.into());
        let error = publish(denied()).unwrap_err();
        assert!(error.to_string().contains("no hard link"), "{error}");
        assert_eq!(hints(error), "or: --ephemeral, a key for this run alone");
        assert!(!hints(denied().unwrap_err()).contains("chmod"));
        assert!(publish(Err(io::ErrorKind::AlreadyExists.into())).is_ok(), "somebody was faster");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = fresh("open");
        let key = folder.join("key");
        make_key(&folder, &key).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
            let error = read_key(&key).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{mode:o}");
        }
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&key, b"short").unwrap();
        assert_eq!(read_key(&key).unwrap_err().kind(), io::ErrorKind::InvalidData);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn incarnations_only_grow() {
        let folder = fresh("incarnation");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("incarnation");
        let next = |now, luck| next_incarnation(&path, now, luck);
        let at = |ms: u64, luck: u64| ms << LUCK_BITS | luck;
        assert_eq!(next(1000, 7).unwrap(), at(1000, 7));
        assert_eq!(next(1000, 7).unwrap(), at(1001, 7), "the same millisecond");
        assert_eq!(next(1001, 9).unwrap(), at(1001, 9), "the same one, and luck");
        assert_eq!(next(5, 3).unwrap(), at(1002, 3), "the clock was set back");
        assert_eq!(next(9_999_999, 0).unwrap(), at(9_999_999, 0));
        assert_eq!(next(7, u32::MAX).unwrap(), at(10_000_000, (1 << LUCK_BITS) - 1));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        // Earlier versions kept the milliseconds alone.
        fs::write(&path, b"1760000000000").unwrap();
        assert_eq!(next(1_760_000_000_001, 1).unwrap(), at(1_760_000_000_001, 1));
        fs::write(&path, b"junk").unwrap();
        assert_eq!(next(7, 0).unwrap(), at(7, 0));
        let last = u64::MAX >> LUCK_BITS;
        fs::write(&path, format!("{}\n", at(last - 1, 5))).unwrap();
        assert_eq!(next(7, 6).unwrap(), at(last, 6));
        assert_eq!(next(7, 6).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(fs::read_to_string(&path).unwrap().trim(), at(last, 6).to_string());
        fs::remove_dir_all(&folder).unwrap();
    }

    /// Ten computers with one home, whose clocks are behind what is kept there, were one process.
    #[test]
    fn a_home_that_is_copied_begins_ten_processes() {
        let mut all: Vec<_> =
            (0..10).map(|_| incarnation_after("1760000000000000000", 7, luck())).collect();
        all.sort_unstable();
        all.dedup();
        assert!(all.len() >= 9 && all.iter().all(|next| *next > Some(1_760_000_000_000_000_000)));
    }
}
