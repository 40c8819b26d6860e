//! Asks a person for a name.

use std::io::{self, Write};

use crate::machine::Name;

/// The longest line that is listened to. A name is far shorter.
const LINE_MAX: usize = 1024;

/// The name that Enter takes: the one the person logged in with, if it is a name here.
pub(crate) fn default_name() -> Option<Name> {
    Name::parse(&std::env::var("USER").ok()?).ok()
}

/// Asks until the answer is a name; `None` when there is no more input.
///
/// The question goes to standard error: standard output is for messages.
pub(crate) fn ask(default: Option<&Name>) -> io::Result<Option<Name>> {
    let mut tell = io::stderr().lock();
    loop {
        match default {
            Some(name) => write!(tell, "Please enter your name: [{name}] ")?,
            None => write!(tell, "Please enter your name: ")?,
        }
        tell.flush()?;
        let Some(line) = read_line()? else {
            writeln!(tell)?;
            return Ok(None);
        };
        let Ok(line) = String::from_utf8(line) else {
            writeln!(tell, "that is not valid UTF-8")?;
            continue;
        };
        match default {
            Some(name) if line.trim().is_empty() => return Ok(Some(name.clone())),
            _ => {}
        }
        match Name::parse(line.trim()) {
            Ok(name) => return Ok(Some(name)),
            Err(error) => writeln!(tell, "{error}")?,
        }
    }
}

/// One line, byte by byte: what follows it belongs to the chat. The rest of a long one is dropped.
pub(crate) fn read_line() -> io::Result<Option<Vec<u8>>> {
    let stdin = rustix::stdio::stdin();
    // It may be a secret: what grows leaves copies behind.
    let mut line = Vec::with_capacity(LINE_MAX);
    loop {
        let mut byte = [0];
        match rustix::io::read(stdin, &mut byte) {
            Ok(0) if line.is_empty() => return Ok(None),
            Ok(0) => return Ok(Some(line)),
            Ok(_) if byte == *b"\n" => return Ok(Some(line)),
            Ok(_) if line.len() < LINE_MAX => line.push(byte[0]),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
