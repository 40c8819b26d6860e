//! What the environment says, and where it puts files.
//!
//! A variable that is set and empty is not set: that is how a script or a unit of systemd takes one
//! back. A folder that is not absolute would be another one wherever the program is started, so it is
//! ignored, as the XDG Base Directory Specification wants it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The value of a variable, unless it is empty.
pub fn variable(name: impl AsRef<OsStr>) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// What a word for yes or no says, in any case.
pub fn yes_or_no(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Some(true),
        "off" | "false" | "no" | "0" | "none" => Some(false),
        _ => None,
    }
}

/// The folder that a variable of XDG names, else the one at its place in the home folder.
pub fn base_folder(name: &str, in_home: &str) -> Option<PathBuf> {
    absolute(name).or_else(|| Some(absolute("HOME")?.join(in_home)))
}

/// The path that somebody wrote: `~/` at its beginning is the home folder, also where no shell was to say
/// so, as behind `--log=`, in a file or after a slash command. `~somebody/` is a folder of that name.
pub fn at_home(path: &str) -> PathBuf {
    let below = if path == "~" { Some("") } else { path.strip_prefix("~/") };
    match (below, absolute("HOME")) {
        (Some(below), Some(home)) => home.join(below.trim_start_matches('/')),
        _ => PathBuf::from(path),
    }
}

fn absolute(name: &str) -> Option<PathBuf> {
    variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
}
