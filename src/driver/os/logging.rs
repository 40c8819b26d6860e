//! The log: on standard error, and only for those who ask.

use std::io::{self, Write};

use log::{LevelFilter, Log, Metadata, Record};
use simple_logger::SimpleLogger;

use crate::driver::os::clock::{rfc3339, unix_ms};
use crate::driver::os::environment::variable;
use crate::driver::os::shown::shown;

/// Turns the log on: 1 is the story of a run, 2 and more every datagram.
///
/// A journal has its own clock, so there the lines go without one.
pub fn log_to_stderr(verbosity: u8) {
    let level = match verbosity {
        0 => return,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    // The event loop's own trace says when it wakes up, which is every line of ours once more.
    let levels = SimpleLogger::new().with_level(level).with_module_level("mio", LevelFilter::Warn);
    let stamped = variable("JOURNAL_STREAM").is_none();
    log::set_max_level(levels.max_level());
    // The only error is that a log exists already.
    let _ = log::set_boxed_logger(Box::new(Stderr { levels, stamped }));
}

/// The levels are [`SimpleLogger`]'s; the lines are written here, since its own writing panics where
/// standard error is a full disk, or a pipe that nobody reads any more.
struct Stderr {
    levels: SimpleLogger,
    stamped: bool,
}

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.levels.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let stamp = if self.stamped { rfc3339(unix_ms()) + " " } else { String::new() };
        let (level, target) = (record.level(), record.target());
        let line = format!("{stamp}{level:<5} [{target}] {}\n", shown(&record.args().to_string()));
        // A log that nobody can read is no reason to end.
        let _ = io::stderr().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}
