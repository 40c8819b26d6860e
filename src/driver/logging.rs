//! The log: on standard error, and only for those who ask.

use log::LevelFilter;
use simple_logger::SimpleLogger;

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
    let logger = SimpleLogger::new().with_level(level).with_module_level("mio", LevelFilter::Warn);
    let logger = match std::env::var_os("JOURNAL_STREAM") {
        Some(_) => logger.without_timestamps(),
        None => logger.with_utc_timestamps(),
    };
    // The only error is that a log exists already.
    let _ = logger.init();
}
