//! Which room, and its secret: from a file, from standard input or from the environment, never from
//! the command line, which everybody on the computer can read.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::driver::commands::ask_name::read_line;
use crate::driver::commands::ask_secret;
use crate::driver::os::event_loop::World;
use crate::driver::os::failure::{Failure, status};
use crate::driver::os::files::{open_regular, read_whole};
use crate::driver::os::identity::leave_no_core;
use crate::driver::os::shell;
use crate::driver::os::stdio::deliver;
use crate::machine::{Name, Room, Secret};

/// The variable that may hold the secret.
const VARIABLE: &str = "CHATRPC_SECRET";

/// A secret is short: what is longer is another file.
const FILE_MAX: usize = 1024;

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
    /// The room, with its keys, and the secret, for those who are to be invited. A person at a terminal
    /// is asked for it, and nobody sees what they type.
    pub(crate) fn open(&self, world: &mut World) -> Result<(Room, Option<Secret>), Failure> {
        let wrong = |what: String| Failure::new(status::USAGE, "room", what);
        let name = self.room.as_deref().unwrap_or(Room::LOBBY);
        let name = Name::parse(name).map_err(|error| wrong(format!("--room: {error}")))?;
        let secret = if self.secret == Some(SecretSource::Stdin) && io::stdin().is_terminal() {
            Some(ask(&name, world)?)
        } else {
            self.secret()?
        };
        Ok((Room::new(name, secret.as_ref()), secret))
    }

    fn secret(&self) -> Result<Option<Secret>, Failure> {
        let wrong = |what: String| {
            let new = format!("a new one:  {}", shell::command(["secret"]));
            Failure::new(status::USAGE, "secret", what).hint(new)
        };
        let (text, place) = match &self.secret {
            Some(SecretSource::Stdin) => {
                let line = read_line().map_err(|error| wrong(format!("the secret: {error}")))?;
                let line =
                    line.ok_or_else(|| wrong("standard input ended before the secret".into()));
                (Zeroizing::new(line?), "standard input".to_owned())
            }
            Some(SecretSource::File(path)) => {
                let place = path.display().to_string();
                let text = read_file(path).map_err(|error| {
                    let failure = wrong(format!("{place}: {error}"));
                    let of_program = "printed by a program:  CHATRPC_SECRET=\"$(PROGRAM)\"";
                    let is_file = fs::metadata(path).map_or(true, |status| status.is_file());
                    if is_file { failure } else { failure.hint(of_program) }
                })?;
                (text, place)
            }
            // Set and empty is no wish for an open room: a script failed to find its secret.
            None => match std::env::var_os(VARIABLE) {
                Some(value) => (Zeroizing::new(value.into_encoded_bytes()), VARIABLE.to_owned()),
                None => return Ok(None),
            },
        };
        // The text itself never stands in a message.
        let text =
            core::str::from_utf8(&text).map_err(|_| wrong(format!("{place}: not a text")))?;
        let text = text.trim_start_matches('\u{FEFF}');
        if text.trim().is_empty() {
            return Err(wrong(format!("{place}: the secret is empty"))
                .hint(format!("for an open room:  no --secret-file, and {VARIABLE} not set")));
        }
        let secret = text.parse().map_err(|error| wrong(format!("{place}: {error}")))?;
        Ok(Some(secret))
    }
}

fn ask(name: &Name, world: &mut World) -> Result<Secret, Failure> {
    let label = format!("Secret of the room {name} (it is not shown): ");
    let read = |line: &[u8]| core::str::from_utf8(line).unwrap_or_default().parse::<Secret>();
    ask_secret::secret(world, &label, read)?
        .ok_or_else(|| Failure::new(status::USAGE, "secret", "no secret was given"))
}

fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = open_regular(OpenOptions::new().read(true), path)?;
    if file.metadata()?.mode() & 0o077 != 0 {
        let what = "others can read it (chmod 600 makes it yours alone)";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    read_whole(&file, FILE_MAX)
}

/// Prints a new secret.
///
/// # Errors
///
/// When the operating system has no entropy, or nobody would see it.
pub fn secret() -> Result<u8, Failure> {
    leave_no_core();
    let secret = Secret::try_filled(|secret| getrandom::fill(secret)).map_err(io::Error::from)?;
    let line = Zeroizing::new(format!("{}\n", *secret.written()));
    deliver(&line).map(|()| status::OK)
}
