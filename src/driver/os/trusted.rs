//! Whom we trust, kept beside our key: one `KEY NAME` a line. A name in here under another key is a
//! loud warning.
//!
//! Several processes of one key may add to the file: each reads it again before it writes.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use crate::driver::os::failure::Failure;
use crate::driver::os::files::{about, check_ours, locked, open_regular, replace, text_of};
use crate::driver::os::identity::unreadable;
use crate::machine::{Name, Pin, PublicKey};

/// Names that are kept, as many as the machine holds. A name that does not fit is refused: none that
/// is trusted is ever dropped for it.
const KNOWN_MAX: usize = 1024;

pub(crate) type Pins = BTreeMap<Name, PublicKey>;

/// The names we know, and the keys behind them.
#[derive(Debug, Default)]
pub(crate) struct Trusted {
    /// `None` when nothing is to be kept.
    path: Option<PathBuf>,
    pins: Pins,
}

/// Why a name is not kept.
#[derive(Debug)]
pub(crate) enum NotKept {
    /// There are as many as there may be.
    Full,
    /// The file cannot be written.
    File(io::Error),
}

impl core::fmt::Display for NotKept {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Full => f.write_str("there are too many"),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl Trusted {
    /// Reads the file in that folder; without one, nobody is known.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or others could have written it: whom we trust is nobody else's choice.
    pub(crate) fn load(folder: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = folder.map(|folder| folder.join("known")) else {
            return Ok(Self::default());
        };
        let pins = read(&path).map_err(|error| unreadable(&path, &error))?;
        Ok(Self { path: Some(path), pins })
    }

    pub(crate) fn pins(&self) -> Vec<Pin> {
        self.pins.iter().map(|(name, key)| Pin { name: name.clone(), key: *key }).collect()
    }

    /// Keeps one more, in the place of an older one of that name.
    pub(crate) fn add(&mut self, pin: Pin) -> Result<(), NotKept> {
        self.change(|pins| keep(pins, pin))
    }

    /// Keeps a name no more.
    pub(crate) fn remove(&mut self, name: &Name) -> Result<(), NotKept> {
        self.change(|pins| {
            pins.remove(name);
            Ok(())
        })
    }

    /// Changes what is kept, as the file has it now.
    fn change(
        &mut self,
        how: impl FnOnce(&mut Pins) -> Result<(), NotKept>,
    ) -> Result<(), NotKept> {
        let Some(path) = &self.path else { return how(&mut self.pins) };
        let failed = |path: &Path, error| NotKept::File(about(path, &error));
        let lock_path = path.with_extension("lock");
        let _lock = locked(&lock_path).map_err(|error| failed(&lock_path, error))?;
        self.pins = read(path).map_err(|error| failed(path, error))?;
        how(&mut self.pins)?;
        replace(path, written(&self.pins).as_bytes()).map_err(|error| failed(path, error))
    }
}

fn keep(pins: &mut Pins, pin: Pin) -> Result<(), NotKept> {
    if pins.len() >= KNOWN_MAX && !pins.contains_key(&pin.name) {
        return Err(NotKept::Full);
    }
    pins.insert(pin.name, pin.key);
    Ok(())
}

fn read(path: &Path) -> io::Result<Pins> {
    let file = match open_regular(OpenOptions::new().read(true), path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Pins::new()),
        Err(error) => return Err(error),
    };
    check_ours(&file.metadata()?)?;
    Ok(parse(&text_of(&file)?))
}

/// The names in a file.
pub(crate) fn parse(text: &str) -> Pins {
    // A line that is none was not written here; it is left out with the next that is.
    let pins = text.lines().filter_map(|line| {
        let (key, name) = line.split_once(' ')?;
        Some((Name::parse(name).ok()?, key.parse::<PublicKey>().ok()?))
    });
    pins.collect()
}

/// The same as a file.
pub(crate) fn written(pins: &Pins) -> String {
    pins.iter().map(|(name, key)| format!("{key} {name}\n")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn pin(name: &str, luck: u8) -> Pin {
        Pin { name: Name::parse(name).unwrap(), key: PublicKey([luck; 32]) }
    }

    fn fresh(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("chatrpc-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn who_is_trusted_is_kept_under_one_key() {
        let folder = fresh("known");
        let mut known = Trusted::load(Some(&folder)).unwrap();
        for pin in [pin("bob", 1), pin("two words", 2), pin("bob", 3)] {
            known.add(pin).unwrap();
        }
        let again = Trusted::load(Some(&folder)).unwrap();
        assert_eq!(again.pins(), [pin("bob", 3), pin("two words", 2)]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "the file and its lock");
        fs::write(folder.join("known"), "junk\nff bob\n").unwrap();
        assert!(Trusted::load(Some(&folder)).unwrap().pins().is_empty());
        fs::remove_dir_all(&folder).unwrap();
        assert!(Trusted::load(None).unwrap().pins().is_empty());
    }

    #[test]
    fn two_processes_lose_nothing_of_each_other() {
        let folder = fresh("known-twins");
        let [mut one, mut other] = [(); 2].map(|()| Trusted::load(Some(&folder)).unwrap());
        one.add(pin("bob", 1)).unwrap();
        other.add(pin("carol", 2)).unwrap();
        one.add(pin("dave", 3)).unwrap();
        other.add(pin("bob", 4)).unwrap();
        one.add(pin("erin", 5)).unwrap();
        other.remove(&pin("erin", 5).name).unwrap();
        one.remove(&pin("nobody", 5).name).unwrap();
        let all = [pin("bob", 4), pin("carol", 2), pin("dave", 3)];
        assert_eq!(Trusted::load(Some(&folder)).unwrap().pins(), all);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_in_use_is_said_to_be_and_what_a_crash_left_is_not_in_the_way() {
        let folder = fresh("known-busy");
        let mut known = Trusted::load(Some(&folder)).unwrap();
        let held = locked(&folder.join("known.lock")).unwrap();
        let Err(NotKept::File(error)) = known.add(pin("bob", 1)) else { panic!("written") };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
        drop(held);
        let elsewhere = folder.join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, folder.join("known.new")).unwrap();
        known.add(pin("bob", 1)).unwrap();
        assert!(!elsewhere.exists(), "no link is followed");
        assert_eq!(Trusted::load(Some(&folder)).unwrap().pins(), [pin("bob", 1)]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_others_could_have_written_is_not_trusted() {
        use std::os::unix::fs::PermissionsExt;
        let folder = fresh("known-open");
        let mut known = Trusted::load(Some(&folder)).unwrap();
        known.add(pin("bob", 1)).unwrap();
        for (mode, fine) in [(0o600, true), (0o644, true), (0o664, false), (0o602, false)] {
            let file = folder.join("known");
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Trusted::load(Some(&folder)).is_ok(), fine, "{mode:o}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_full_file_drops_nobody() {
        let folder = fresh("known-full");
        let mut text = String::new();
        for number in 0..KNOWN_MAX {
            text += &format!("{} n{number}\n", PublicKey([1; 32]));
        }
        fs::write(folder.join("known"), &text).unwrap();
        let mut known = Trusted::load(Some(&folder)).unwrap();
        assert!(matches!(known.add(pin("bob", 1)), Err(NotKept::Full)));
        assert_eq!(fs::read_to_string(folder.join("known")).unwrap(), text);
        known.add(pin("n7", 2)).unwrap();
        let pins = Trusted::load(Some(&folder)).unwrap().pins();
        assert!(pins.len() == KNOWN_MAX && pins.contains(&pin("n7", 2)));
        fs::remove_dir_all(&folder).unwrap();
    }
}
