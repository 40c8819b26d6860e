//! Where the members of rooms were when we were with them last: `peers` in the state folder. A room can be
//! entered again when nobody answers at the address through which it was entered before.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::driver::os::state;
use crate::machine::{Tag, Time};

/// The file.
const FILE: &str = "peers";

/// Rooms that are remembered, the latest first; and addresses of each.
const ROOMS_MAX: usize = 64;
const EACH_MAX: usize = 8;

/// How soon after coming in who is there is remembered, and how often from then on.
const FIRST: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_secs(600);

/// Remembers, now and then, where the members of one room are.
#[derive(Debug)]
pub(crate) struct Memory {
    room: String,
    kept: Vec<SocketAddr>,
    due: Option<Time>,
}

impl Memory {
    /// Of a room that is entered through `target`, with what is known from before.
    pub(crate) fn of(tag: Tag, target: &str) -> Self {
        let room = named(tag, target);
        Self { kept: of(&room), room, due: None }
    }

    /// Where members were before.
    pub(crate) fn addrs(&self) -> &[SocketAddr] {
        &self.kept
    }

    /// We are in.
    pub(crate) fn begin(&mut self, now: Time) {
        self.due.get_or_insert(now + FIRST);
    }

    /// Whether it is time to look who is there.
    pub(crate) fn turn(&mut self, now: Time) -> bool {
        let due = self.due.take_if(|due| *due <= now).is_some();
        if due {
            self.due = Some(now + EVERY);
        }
        due
    }

    pub(crate) const fn wake(&self) -> Option<Time> {
        self.due
    }

    /// These are there. When nobody is, who was there before stays remembered.
    pub(crate) fn keep(&mut self, here: impl Iterator<Item = SocketAddr>) {
        let mut here: Vec<SocketAddr> = here.take(EACH_MAX).collect();
        let before = self.kept.iter().filter(|addr| !here.contains(addr)).copied();
        let before: Vec<SocketAddr> = before.take(EACH_MAX - here.len()).collect();
        let new = here.iter().any(|addr| !self.kept.contains(addr));
        here.extend(before);
        if new {
            self.kept = here;
            if let Err(error) = remember(&self.room, &self.kept) {
                log::debug!("{error}");
            }
        }
    }
}

/// Where members of a room were. What cannot be read is none.
fn of(room: &str) -> Vec<SocketAddr> {
    match state::text(FILE) {
        Ok(text) => text.lines().find_map(|line| addrs_in(line, room)).unwrap_or_default(),
        Err(error) => {
            log::debug!("{error}");
            Vec::new()
        }
    }
}

/// Remembers where members of a room are.
fn remember(room: &str, addrs: &[SocketAddr]) -> io::Result<()> {
    state::change(FILE, |text| with(text, room, addrs))
}

/// A room in the file: its tag, which tells nobody its secret, and through where it was entered. The lobbies
/// of two nodesets are two rooms, whatever they are called.
fn named(tag: Tag, target: &str) -> String {
    let mut name = tag.0.iter().fold(String::new(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    });
    name.push('@');
    name.extend(target.chars().filter(|c| !c.is_whitespace() && !c.is_control()));
    name
}

fn addrs_in(line: &str, room: &str) -> Option<Vec<SocketAddr>> {
    let mut words = line.split_whitespace();
    (words.next()? == room).then(|| words.filter_map(|word| word.parse().ok()).collect())
}

fn with(text: &str, room: &str, addrs: &[SocketAddr]) -> String {
    let mut after = room.to_owned();
    for addr in addrs.iter().take(EACH_MAX) {
        let _ = write!(after, " {addr}");
    }
    after.push('\n');
    let others = text.lines().filter(|line| addrs_in(line, room).is_none());
    for line in others.take(ROOMS_MAX - 1) {
        let _ = writeln!(after, "{line}");
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(n: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], n))
    }

    #[test]
    fn a_room_is_found_again_and_the_latest_rooms_are_kept() {
        let room = |n: u8| named(Tag([n; 16]), "here:7420");
        let mut text = String::new();
        for n in 0..100 {
            text = with(&text, &room(n), &[addr(u16::from(n) + 1)]);
        }
        let found = |text: &str, n| text.lines().find_map(|line| addrs_in(line, &room(n)));
        assert_eq!(text.lines().count(), ROOMS_MAX);
        assert_eq!((found(&text, 99), found(&text, 35)), (Some(vec![addr(100)]), None));
        let many: Vec<SocketAddr> = (1..100).map(addr).collect();
        text = with(&text, &room(50), &many);
        assert_eq!(text.lines().count(), ROOMS_MAX);
        assert_eq!(found(&text, 50).map(|addrs| addrs.len()), Some(EACH_MAX));
    }

    #[test]
    fn what_is_no_address_is_passed_over() {
        let room = named(Tag([7; 16]), "two words\n");
        let line = format!("{room} nonsense 10.0.0.1:9 [::1]:7 10.0.0.1:99999");
        let good = vec!["10.0.0.1:9".parse().unwrap(), "[::1]:7".parse().unwrap()];
        assert_eq!(addrs_in(&line, &room), Some(good));
        assert_eq!(addrs_in("", &room), None);
    }
}
