//! `chatrpc log`: prints what is kept of a room, in its order. Nothing is locked or written, so that it does
//! while somebody is in the room as well.

use core::str::FromStr;
use std::io::{self, Write};
use std::time::Duration;

use crate::driver::commands::answer;
use crate::driver::commands::door::Door;
use crate::driver::commands::provenance::Provenance;
use crate::driver::commands::who::trusted;
use crate::driver::front::company::Company;
use crate::driver::front::format::Paper;
use crate::driver::front::json;
use crate::driver::front::numbers::counted;
use crate::driver::front::wording;
use crate::driver::history::scan::Merge;
use crate::driver::history::shelf::Shelf;
use crate::driver::os::clock::{Zone, unix_ms};
use crate::driver::os::event_loop::World;
use crate::driver::os::failure::{Failure, status, unwritable};
use crate::driver::os::identity::{Keeper, leave_no_core};
use crate::driver::os::signals::Signal;
use crate::driver::os::stdio;

/// So much is printed at once, bytes.
const PIECE: usize = 64 << 10;

/// What `chatrpc log` is asked for.
#[derive(Clone, Debug)]
pub struct Log {
    /// Of which room.
    pub door: Door,
    /// From when on; from the beginning unless told.
    pub since: Option<Since>,
    /// One JSON object per message.
    pub json: bool,
    /// Only what is kept, and failures.
    pub quiet: bool,
    /// Where its values come from.
    pub provenance: Provenance,
}

/// From when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// From the beginning of a day, where this computer is: year, month, day.
    Day(i16, i8, i8),
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let wrong = "write 30m, 5h, 2d or 2026-10-23";
        let mut parts = text.splitn(3, '-');
        if let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) {
            let year = Some(year).filter(|year| year.len() == 4);
            let year = year.and_then(|year| year.parse().ok()).ok_or(wrong)?;
            let two = |text: &str| text.parse().ok().filter(|_| text.len() == 2).ok_or(wrong);
            let (month, day) = (two(month)?, two(day)?);
            let is_one = Zone::utc().day(year, month, day).is_some();
            return if is_one { Ok(Self::Day(year, month, day)) } else { Err(wrong) };
        }
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: u64 = digits.parse().map_err(|_| wrong)?;
        let unit = match &text[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 24 * 3600,
            _ => return Err(wrong),
        };
        let seconds = number.checked_mul(unit).ok_or(wrong)?;
        Ok(Self::Ago(Duration::from_secs(seconds)))
    }
}

impl Since {
    /// In ms since 1970.
    fn at(self, zone: &Zone, now: u64) -> u64 {
        match self {
            Self::Ago(span) => now.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(now)),
            Self::Day(year, month, day) => zone.day(year, month, day).unwrap_or(0),
        }
    }
}

/// Prints what is kept of a room.
///
/// # Errors
///
/// When it cannot be read, or the output cannot be written; in JSON, what cannot be read is printed, and
/// only its status is returned.
pub fn log(options: &Log) -> Result<u8, Failure> {
    match printed(options).map_err(|failure| options.provenance.explain(failure)) {
        Err(failure) if options.json && failure.code != "output" => {
            answer::objects(Err::<(), _>(failure), |(), _| {})
        }
        printed => printed,
    }
}

fn printed(options: &Log) -> Result<u8, Failure> {
    leave_no_core();
    let mut world = World::new(&[Signal::Interrupt, Signal::Terminate, Signal::Hangup])?;
    let (room, _) = options.door.open(&mut world)?;
    let since = options.since.map_or(0, |since| since.at(&Zone::local(), unix_ms()));
    let unreadable = |error: io::Error| {
        let what = format!("the history cannot be read: {error}");
        Failure::new(status::USAGE, "history", what)
    };
    let merge = match Keeper::find()? {
        Some(keeper) => {
            let shelf = Shelf::new(keeper.identity(), &room).map_err(unreadable)?;
            Some(Merge::new(&shelf, since).map_err(unreadable)?)
        }
        None => None,
    };
    let Some(merge) = merge.filter(|merge| !merge.is_empty()) else {
        if !options.json && !options.quiet {
            let room = room.name();
            stdio::tell(&format!("nothing is kept of the room {room} (chatrpc chat --history)\n"))?;
        }
        return Ok(status::OK);
    };
    let company = trusted(options.quiet || options.json);
    // Nothing waits for the loop here: a signal ends it.
    world.signals.by_default(|| print_all(merge, since, options, &company))
}

fn print_all(
    mut merge: Merge,
    since: u64,
    options: &Log,
    company: &Company,
) -> Result<u8, Failure> {
    let (zone, mut paper) = (Zone::local(), Paper::default());
    while let Some(record) = merge.next() {
        if record.at < since {
            continue;
        }
        if options.json {
            json::kept(&record, company, &mut paper);
        } else {
            let line = wording::record(&record, company);
            paper.say(format_args!("{}\t{line}", zone.stamp(record.at)));
        }
        if paper.out.len() >= PIECE && !put(&mut paper)? {
            return Ok(status::OK);
        }
    }
    put(&mut paper)?;
    if merge.damaged > 0 && !options.quiet {
        let places = counted(merge.damaged, "place");
        stdio::tell(&format!("* {places} of the history cannot be read any more\n"))?;
    }
    Ok(status::OK)
}

/// Prints what is on the paper. Whether anybody reads it.
fn put(paper: &mut Paper) -> Result<bool, Failure> {
    let text = core::mem::take(&mut paper.out);
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true).map_err(|error| unwritable(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_when_on() {
        let now = 1_792_746_720_123;
        for (text, at) in [
            ("30s", now - 30_000),
            ("5m", now - 300_000),
            ("3h", now - 10_800_000),
            ("2d", now - 172_800_000),
            ("99999999999d", 0),
            ("2026-10-23", 1_792_713_600_000),
        ] {
            assert_eq!(
                text.parse().map(|since: Since| since.at(&Zone::utc(), now)),
                Ok(at),
                "{text}"
            );
        }
        for text in
            ["", "d", "5", "-5d", "5w", "2026-13-01", "2026-02-30", "26-1-1", "2026-1-1", "x-y-z"]
        {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }
}
