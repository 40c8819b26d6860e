//! Whom we trust, kept beside our key: one `KEY NAME` a line. A name in here under another key is a
//! loud warning.
//!
//! Several processes of one key may add to the file: each reads it again before it writes. Lines that
//! mean nothing are told of, and stay: behind one that somebody damaged may be a name that is trusted.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::driver::os::failure::{Failure, status};
use crate::driver::os::files::{TEXT_FILE_MAX, about, locked, open_ours, read_whole, replace};
use crate::driver::os::identity::closing;
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
    /// What is to be said of the file.
    trouble: Option<String>,
}

/// A file of names, read.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pins: Pins,
    /// The lines that are no name and its key, as they stand.
    others: Vec<Vec<u8>>,
    /// The numbers of those that are not blank, nor a comment.
    strange: Vec<usize>,
}

/// Why a name is not kept.
#[derive(Debug)]
pub(crate) enum NotKept {
    /// There are as many as there may be.
    Full,
    /// Another run trusts the name under this key, which nobody here has asked to give up.
    Otherwise(PublicKey),
    /// The file cannot be written.
    File(io::Error),
}

impl core::fmt::Display for NotKept {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Full => f.write_str("there are too many already"),
            Self::Otherwise(key) => {
                write!(
                    f,
                    "another run trusts that name under another key, {}…",
                    &key.to_string()[..8]
                )
            }
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
        let contents = read(&path).map_err(|error| unreadable(&path, &error))?;
        let trouble = contents.trouble(&path);
        Ok(Self { path: Some(path), pins: contents.pins, trouble })
    }

    /// What is to be said of lines that mean nothing, once.
    pub(crate) fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    pub(crate) fn pins(&self) -> Vec<Pin> {
        self.pins.iter().map(|(name, key)| Pin { name: name.clone(), key: *key }).collect()
    }

    /// Keeps one more. A name that another run trusts otherwise by now stays whose it is.
    pub(crate) fn add(&mut self, pin: Pin) -> Result<(), NotKept> {
        self.change(|pins| match pins.get(&pin.name) {
            Some(key) if *key != pin.key => Err(NotKept::Otherwise(*key)),
            _ => keep(pins, pin),
        })
    }

    /// Keeps no more that a name is that key's. What another run has made of it by now stays.
    pub(crate) fn remove(&mut self, name: &Name, key: PublicKey) -> Result<(), NotKept> {
        self.change(|pins| match pins.get(name) {
            Some(other) if *other != key => Err(NotKept::Otherwise(*other)),
            _ => {
                pins.remove(name);
                Ok(())
            }
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
        let mut contents = read(path).map_err(|error| failed(path, error))?;
        how(&mut contents.pins)?;
        let bytes = contents.written();
        if bytes.len() > TEXT_FILE_MAX {
            // Nobody would read it again.
            return Err(NotKept::Full);
        }
        self.pins = contents.pins;
        replace(path, &bytes).map_err(|error| failed(path, error))
    }
}

impl Contents {
    /// What the bytes of a file say.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut contents = Self::default();
        for (number, line) in (1..).zip(bytes.split_inclusive(|&byte| byte == b'\n')) {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(line);
            if pin(line).is_some_and(|pin| keep(&mut contents.pins, pin).is_ok()) {
                continue;
            }
            let text = line.trim_ascii();
            if !text.is_empty() && !text.starts_with(b"#") {
                contents.strange.push(number);
            }
            contents.others.push(line.to_vec());
        }
        contents
    }

    /// The same as a file.
    pub(crate) fn written(&self) -> Vec<u8> {
        let pins = self.pins.iter().map(|(name, key)| format!("{key} {name}\n").into_bytes());
        let others = self.others.iter().map(|line| [line, &b"\n"[..]].concat());
        pins.chain(others).flatten().collect()
    }

    fn trouble(&self, path: &Path) -> Option<String> {
        let (first, more) = self.strange.split_first()?;
        let what = match more.len() {
            0 => "this line names nobody to trust, and stays as it is".to_owned(),
            1 => "this line and another name nobody to trust, and stay as they are".to_owned(),
            more => format!("this line and {more} more name nobody to trust, and stay as they are"),
        };
        Some(format!("{}:{first}: {what}", path.display()))
    }
}

/// The name and the key on a line.
fn pin(line: &[u8]) -> Option<Pin> {
    let line = core::str::from_utf8(line).ok()?;
    let (key, name) = line.strip_suffix('\r').unwrap_or(line).split_once(' ')?;
    Some(Pin { name: Name::parse(name).ok()?, key: key.parse().ok()? })
}

/// Why the file is not used, and what to do about it.
fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let what = format!("whom you trust is not known: {}: {error}", path.display());
    let hint = closing(path, error);
    let hint = hint.unwrap_or_else(|| "mend it, or move it away to trust nobody yet".to_owned());
    Failure::new(status::USAGE, "identity", what).hint(hint)
}

fn keep(pins: &mut Pins, pin: Pin) -> Result<(), NotKept> {
    if pins.len() >= KNOWN_MAX && !pins.contains_key(&pin.name) {
        return Err(NotKept::Full);
    }
    pins.insert(pin.name, pin.key);
    Ok(())
}

fn read(path: &Path) -> io::Result<Contents> {
    let Some(file) = open_ours(path)? else { return Ok(Contents::default()) };
    Ok(Contents::parse(&read_whole(&file, TEXT_FILE_MAX)?))
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
        for pin in [pin("bob", 1), pin("two words", 2), pin("bob", 1)] {
            known.add(pin).unwrap();
        }
        let again = Trusted::load(Some(&folder)).unwrap();
        assert_eq!(again.pins(), [pin("bob", 1), pin("two words", 2)]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "the file and its lock");
        fs::write(folder.join("known"), "junk\nff bob\n").unwrap();
        assert!(Trusted::load(Some(&folder)).unwrap().pins().is_empty());
        fs::remove_dir_all(&folder).unwrap();
        assert!(Trusted::load(None).unwrap().pins().is_empty());
    }

    #[test]
    fn lines_that_mean_nothing_are_told_of_and_stay() {
        let folder = fresh("known-strange");
        let file = folder.join("known");
        let key = PublicKey([1; 32]);
        let text = format!("\u{FEFF}# my friends\n\n{key} bob\r\n{key} caf");
        let bytes = [text.as_bytes(), b"\xe9\nff carol\n<<<<<<< HEAD"].concat();
        fs::write(&file, bytes).unwrap();
        let mut known = Trusted::load(Some(&folder)).unwrap();
        assert_eq!(known.pins(), [pin("bob", 1)], "the others are no less trusted for it");
        let what = "this line and 2 more name nobody to trust, and stay as they are";
        assert_eq!(known.take_trouble(), Some(format!("{}:4: {what}", file.display())));
        assert_eq!(known.take_trouble(), None, "it is said once");
        known.add(pin("dave", 2)).unwrap();
        known.remove(&pin("bob", 1).name, PublicKey([1; 32])).unwrap();
        let text = format!("{} dave\n# my friends\n\n{key} caf", PublicKey([2; 32]));
        let left = [text.as_bytes(), b"\xe9\nff carol\n<<<<<<< HEAD\n"].concat();
        assert_eq!(fs::read(&file).unwrap(), left);
        fs::write(&file, "# all is well\n\n").unwrap();
        assert_eq!(Trusted::load(Some(&folder)).unwrap().take_trouble(), None);
        // What would not be read again is not written.
        fs::write(&file, "x".repeat(TEXT_FILE_MAX)).unwrap();
        let mut known = Trusted::load(Some(&folder)).unwrap();
        assert!(matches!(known.add(pin("bob", 1)), Err(NotKept::Full)));
        assert_eq!(fs::metadata(&file).unwrap().len(), TEXT_FILE_MAX as u64);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn names_above_the_limit_are_told_of_and_stay() {
        let folder = fresh("known-above");
        let line = |number| format!("{} n{number}\n", PublicKey([1; 32]));
        let text: String = (0..KNOWN_MAX + 2).map(line).collect();
        fs::write(folder.join("known"), &text).unwrap();
        let mut known = Trusted::load(Some(&folder)).unwrap();
        assert_eq!(known.pins().len(), KNOWN_MAX);
        assert!(known.take_trouble().unwrap().contains(&format!(":{}: ", KNOWN_MAX + 1)));
        known.remove(&pin("n0", 1).name, PublicKey([1; 32])).unwrap();
        let text = fs::read_to_string(folder.join("known")).unwrap();
        assert_eq!(text.lines().count(), KNOWN_MAX + 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_has_a_hint_of_its_own() {
        let folder = fresh("known-unreadable");
        fs::create_dir(folder.join("known")).unwrap();
        let failure = Trusted::load(Some(&folder)).unwrap_err();
        assert!(failure.what.starts_with("whom you trust is not known: "), "{}", failure.what);
        assert_eq!(failure.hints, ["mend it, or move it away to trust nobody yet"]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_elsewhere_stays_there() {
        let folder = fresh("known-linked");
        fs::create_dir(folder.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere/known", folder.join("known")).unwrap();
        let mut known = Trusted::load(Some(&folder)).unwrap();
        known.add(pin("bob", 1)).unwrap();
        known.add(pin("carol", 2)).unwrap();
        assert!(folder.join("known").is_symlink());
        let elsewhere = Trusted::load(Some(&folder.join("elsewhere"))).unwrap();
        assert_eq!(elsewhere.pins(), [pin("bob", 1), pin("carol", 2)]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn two_processes_lose_nothing_of_each_other() {
        let folder = fresh("known-twins");
        let [mut one, mut other] = [(); 2].map(|()| Trusted::load(Some(&folder)).unwrap());
        one.add(pin("bob", 1)).unwrap();
        other.add(pin("carol", 2)).unwrap();
        one.add(pin("dave", 3)).unwrap();
        one.add(pin("erin", 5)).unwrap();
        let key = |luck| PublicKey([luck; 32]);
        other.remove(&pin("erin", 5).name, key(5)).unwrap();
        one.remove(&pin("nobody", 5).name, key(5)).unwrap();
        // What the one has made of a name is nothing that the other changes unasked.
        assert!(
            matches!(other.add(pin("bob", 4)), Err(NotKept::Otherwise(theirs)) if theirs == key(1))
        );
        let kept = other.remove(&pin("bob", 4).name, key(4));
        assert!(matches!(kept, Err(NotKept::Otherwise(theirs)) if theirs == key(1)));
        let all = [pin("bob", 1), pin("carol", 2), pin("dave", 3)];
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
        known.add(pin("n7", 1)).unwrap();
        let pins = Trusted::load(Some(&folder)).unwrap().pins();
        assert!(pins.len() == KNOWN_MAX && pins.contains(&pin("n7", 1)));
        fs::remove_dir_all(&folder).unwrap();
    }
}
