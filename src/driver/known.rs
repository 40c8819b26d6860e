//! Whom we trust, kept beside our key: one `KEY NAME` a line. A name in here under another key is a
//! loud warning.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::machine::{Name, Pin, PublicKey};

/// Names that are kept; the oldest are dropped first.
const KNOWN_MAX: usize = 1024;

/// The names we know, and the keys behind them.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// `None` when nothing is to be kept.
    path: Option<PathBuf>,
    pins: Vec<Pin>,
}

impl Known {
    /// Reads the file in that folder; without one, nobody is known.
    pub(crate) fn load(folder: Option<&Path>) -> io::Result<Self> {
        let Some(path) = folder.map(|folder| folder.join("known")) else {
            return Ok(Self::default());
        };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        // A line that is none was not written here; it is left out with the next that is.
        let pins = text.lines().filter_map(|line| {
            let (key, name) = line.split_once(' ')?;
            Some(Pin { name: Name::parse(name).ok()?, key: key.parse::<PublicKey>().ok()? })
        });
        Ok(Self { path: Some(path), pins: pins.collect() })
    }

    pub(crate) fn pins(&self) -> &[Pin] {
        &self.pins
    }

    /// Keeps one more, in the place of an older one of that name.
    pub(crate) fn add(&mut self, pin: Pin) -> io::Result<()> {
        self.pins.retain(|known| known.name != pin.name);
        self.pins.push(pin);
        let surplus = self.pins.len().saturating_sub(KNOWN_MAX);
        self.pins.drain(..surplus);
        let Some(path) = &self.path else { return Ok(()) };
        let new = path.with_extension(std::process::id().to_string());
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        for Pin { name, key } in &self.pins {
            writeln!(file, "{key} {name}")?;
        }
        file.sync_all()?;
        fs::rename(&new, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_trusted_is_kept_under_one_key() {
        let folder = std::env::temp_dir().join(format!("chatrpc-known-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let pin =
            |name: &str, luck| Pin { name: Name::parse(name).unwrap(), key: PublicKey([luck; 32]) };
        let mut known = Known::load(Some(&folder)).unwrap();
        for pin in [pin("bob", 1), pin("two words", 2), pin("bob", 3)] {
            known.add(pin).unwrap();
        }
        let again = Known::load(Some(&folder)).unwrap();
        assert_eq!(again.pins(), [pin("two words", 2), pin("bob", 3)]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::write(folder.join("known"), "junk\nff bob\n").unwrap();
        assert!(Known::load(Some(&folder)).unwrap().pins().is_empty());
        fs::remove_dir_all(&folder).unwrap();
        assert!(Known::load(None).unwrap().pins().is_empty());
    }
}
