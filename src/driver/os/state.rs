//! The folder for what is kept between runs: `$XDG_STATE_HOME/chatrpc`, for nobody else's eyes.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::driver::os::environment::base_folder;
use crate::driver::os::files::{
    TEXT_FILE_MAX, about, check_ours, locked, open_ours, replace, text_of,
};

/// Where the folder is, whether it is there or not.
pub(crate) fn path() -> io::Result<PathBuf> {
    let none = "neither XDG_STATE_HOME nor HOME is an absolute path";
    let base = base_folder("XDG_STATE_HOME", ".local/state");
    Ok(base.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, none))?.join("chatrpc"))
}

/// The folder, made if it is not there.
pub(crate) fn folder() -> io::Result<PathBuf> {
    let folder = path()?;
    let named = |error: io::Error| {
        // A home that is no folder (/dev/null, of a service) is none.
        let kind = match error.kind() {
            io::ErrorKind::NotADirectory => io::ErrorKind::NotFound,
            kind => kind,
        };
        about(&folder, &io::Error::new(kind, error))
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    let ours = made.and_then(|()| check_ours(&fs::metadata(&folder)?));
    ours.map_err(named)?;
    Ok(folder)
}

/// What is kept under a name, as text; nothing where there is none.
pub(crate) fn text(name: &str) -> io::Result<String> {
    let path = folder()?.join(name);
    read(&path).map_err(|error| about(&path, &error))
}

/// Changes what is kept under a name, as another process may have left it. What is no text was not
/// written here, and stays as it is.
pub(crate) fn change(name: &str, how: impl FnOnce(&str) -> String) -> io::Result<()> {
    let path = folder()?.join(name);
    let changed = || {
        let _lock = locked(&path.with_extension("lock"))?;
        let after = how(&read(&path)?);
        if after.len() > TEXT_FILE_MAX {
            // Nobody would read it again.
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is full"));
        }
        replace(&path, after.as_bytes())
    };
    changed().map_err(|error| about(&path, &error))
}

fn read(path: &Path) -> io::Result<String> {
    open_ours(path)?.map_or_else(|| Ok(String::new()), |file| text_of(&file))
}

/// Whether this is the first time that somebody asks.
pub(crate) fn first_time() -> bool {
    let Ok(folder) = folder() else { return true };
    let mark = folder.join("greeted");
    if fs::exists(&mark).unwrap_or(false) {
        return false;
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(mark);
    if let Err(error) = made {
        log::debug!("cannot remember that the first time is over: {error}");
    }
    true
}
