//! The folder for what is kept between runs: `$XDG_STATE_HOME/chatrpc`, for nobody else's eyes.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use crate::driver::os::files::check_ours;

/// The folder, made if it is not there.
pub(crate) fn folder() -> io::Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").map(|home| home.join(".local/state"));
    let base = set("XDG_STATE_HOME").filter(|path| path.is_absolute()).or_else(home);
    let folder = base
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "neither HOME nor XDG_STATE_HOME"))?
        .join("chatrpc");
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    let ours = made.and_then(|()| check_ours(&fs::metadata(&folder)?));
    ours.map_err(named)?;
    Ok(folder)
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
