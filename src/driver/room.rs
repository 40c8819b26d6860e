//! Which room, and its secret: from a file, from standard input or from the environment, never from
//! the command line, which everybody on the computer can read.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::identity::leave_no_core;
use super::names::read_line;
use super::report::{Failure, status};
use crate::machine::{Name, Room, Secret};

/// The variable that may hold the secret.
const VARIABLE: &str = "CHATRPC_SECRET";

/// A secret is short: what is longer is another file.
const FILE_MAX: u64 = 1024;

/// Where a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A file.
    File(PathBuf),
    /// The first line of standard input.
    Stdin,
}

/// Which room is asked for.
#[derive(Clone, Debug)]
pub struct Door {
    /// Its name; none for the lobby.
    pub room: Option<String>,
    /// Where its secret is; none looks in the environment, and without one the room is open.
    pub secret: Option<SecretSource>,
}

impl Door {
    /// The room, with its keys, and the secret, for those who are to be invited.
    pub(crate) fn open(&self) -> Result<(Room, Option<Secret>), Failure> {
        let wrong = |what: String| Failure::new(status::USAGE, "room", what);
        let name = self.room.as_deref().unwrap_or(Room::LOBBY);
        let name = Name::parse(name).map_err(|error| wrong(format!("--room: {error}")))?;
        let secret = self.secret()?;
        Ok((Room::new(name, secret.as_ref()), secret))
    }

    fn secret(&self) -> Result<Option<Secret>, Failure> {
        let wrong = |what: String| {
            Failure::new(status::USAGE, "secret", what).hint("a new one:  chatrpc secret")
        };
        let (text, place) = match &self.secret {
            Some(SecretSource::Stdin) => {
                let line = read_line().map_err(|error| wrong(format!("the secret: {error}")))?;
                (Zeroizing::new(line.unwrap_or_default()), "standard input".to_owned())
            }
            Some(SecretSource::File(path)) => {
                let place = path.display().to_string();
                let text = read_file(path).map_err(|error| wrong(format!("{place}: {error}")))?;
                (text, place)
            }
            None => match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
                Some(value) => (Zeroizing::new(value.into_encoded_bytes()), VARIABLE.to_owned()),
                None => return Ok(None),
            },
        };
        // The text itself never stands in a message.
        let text =
            core::str::from_utf8(&text).map_err(|_| wrong(format!("{place}: not a text")))?;
        let secret = text.parse().map_err(|error| wrong(format!("{place}: {error}")))?;
        Ok(Some(secret))
    }
}

fn read_file(path: &PathBuf) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let status = file.metadata()?;
    if status.is_file() && status.mode() & 0o077 != 0 {
        let what = "others can read it (chmod 600 makes it yours alone)";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_MAX as usize));
    file.take(FILE_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// Prints a new secret.
///
/// # Errors
///
/// When the operating system has no entropy.
pub fn secret() -> Result<u8, Failure> {
    leave_no_core();
    let secret = Secret::try_filled(|secret| getrandom::fill(secret)).map_err(io::Error::from)?;
    let mut out = io::stdout();
    // Whoever closed standard output does not want to know.
    let _ = writeln!(out, "{}", *secret.written()).and_then(|()| out.flush());
    Ok(status::OK)
}
