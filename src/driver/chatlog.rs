//! The chat in a file: an instant, a tab, and what line mode would print, one line each.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::clock::{Zone, unix_ms};
use super::files::{about, open_regular};
use super::people::People;
use super::state;
use super::wording;
use crate::machine::{Event, Person, Room};

/// The file where nobody names another, in the folder for state: named like the room, with what no
/// name of a file may hold written as in an address of the web (RFC 3986, section 2.1). Rooms of one
/// name differ by their secrets, and so do their files: by the first letters of the tag, which is no
/// secret.
fn file_of(room: &Room) -> String {
    let mut name = room.name().as_str().replace('%', "%25").replace('/', "%2F");
    if !room.is_open() {
        let [first, second, ..] = room.tag().0;
        return format!("{name}-{first:02x}{second:02x}.log");
    }
    // No open room has the file of one with a secret.
    if let Some((_, end)) = name.rsplit_once('-')
        && end.len() == 4
        && end.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        name.replace_range(name.len() - 5..name.len() - 4, "%2D");
    }
    name + ".log"
}

/// A file that the chat is appended to.
#[derive(Debug)]
pub(crate) struct ChatLog {
    file: File,
    path: String,
    zone: Zone,
}

impl ChatLog {
    /// Opens a file to append to, readable by nobody else if it is new; the room's unless told.
    pub(crate) fn open(path: Option<&str>, room: &Room) -> io::Result<Self> {
        let path = match path {
            Some(path) => PathBuf::from(path),
            None => state::folder()?.join(file_of(room)),
        };
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        let file = open_regular(&mut options, &path).map_err(|error| about(&path, &error))?;
        let path = path.display().to_string();
        Ok(Self { file, path, zone: Zone::local() })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Writes what happened, if it is worth it: a line in one write, so that nobody who appends to
    /// the same file gets into the middle of it.
    pub(crate) fn show(
        &mut self,
        event: &Event<'_>,
        people: &People,
        me: Option<&Person>,
    ) -> io::Result<()> {
        let line = match event {
            Event::Ready { me, .. } => format!("* Welcome to the chat room, {}!", me.name),
            Event::Joined(who) => format!("* {}", wording::came(&people.label(who))),
            Event::Left { who, why } => format!("* {}", wording::left(&people.label(who), *why)),
            Event::Renamed { who, was } => {
                format!("* {was} is now called {}", people.label(who))
            }
            Event::Message { from, text, action, private, .. } => {
                wording::message(&people.label(from), text.as_str(), *action, *private)
            }
            Event::Sent { text, action, to, .. } => {
                let me = me.map_or("", |me| me.name.as_str());
                let label = match to {
                    Some(to) => format!("{me} → {}", people.label(to)),
                    None => me.to_owned(),
                };
                wording::message(&label, text.as_str(), *action, to.is_some())
            }
            Event::Done { failed, .. } if !failed.is_empty() => {
                format!("* not delivered to {}", wording::whom(people, failed))
            }
            Event::Missing { from, count } => {
                format!("* {count} missing from {}", people.label(from))
            }
            _ => return Ok(()),
        };
        let line = format!("{}\t{line}\n", self.zone.stamp(unix_ms()));
        self.file.write_all(line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{MessageId, Name, PeerId, PublicKey, SECRET, SafeText, Secret, Why};

    fn open_room(name: &str) -> Room {
        Room::new(Name::parse(name).unwrap(), None)
    }

    #[test]
    fn a_line_is_an_instant_a_tab_and_what_happened() {
        let path = std::env::temp_dir().join(format!("chatrpc-chatlog-{}", std::process::id()));
        let name = path.to_str().unwrap();
        let who = |id: u8, name: &str| Person {
            id: PeerId(id.into()),
            key: PublicKey([id; 32]),
            name: Name::parse(name).unwrap(),
        };
        let (bob, me) = (who(2, "bob"), who(1, "eve"));
        let id = MessageId { author: bob.id, number: 1 };
        let text = SafeText::new("one\n* bob has left");
        let mut log = ChatLog::open(Some(name), &open_room("lobby")).unwrap();
        let (action, private, mention) = (false, false, false);
        let from = bob.clone();
        let people = People::EMPTY;
        let mut show = |event| log.show(&event, &people, Some(&me)).unwrap();
        show(Event::Message { id, from, text, action, private, mention });
        let (text, to) = (SafeText::new("psst"), Some(bob.clone()));
        show(Event::Sent { id, text, action, to, readers: 1 });
        show(Event::Left { who: bob, why: Why::Quit });
        let written = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let lines: Vec<&str> =
            written.lines().map(|line| line.split_once('\t').unwrap().1).collect();
        assert_eq!(
            lines,
            ["bob: one ⏎ * bob has left", "@eve → bob: psst", "* bob has left the chat!"]
        );
        assert!(written.starts_with("20") && written.as_bytes()[10] == b'T');
    }

    #[test]
    fn only_files_are_written() {
        for path in ["/dev/null", "/nonexistent/x", "/tmp"] {
            assert!(ChatLog::open(Some(path), &open_room("x")).is_err(), "{path}");
        }
    }

    #[test]
    fn every_room_has_a_file_of_its_own() {
        let of = |room: &str| file_of(&open_room(room));
        assert_eq!(of("lobby"), "lobby.log");
        assert_eq!(of("a/../b"), "a%2F..%2Fb.log");
        assert_eq!(of("a%2F..%2Fb"), "a%252F..%252Fb.log");
        assert!(of(&format!("a{}", "/".repeat(23))).len() < 255, "a file name is no longer");
        let secret = |name: &str, luck: u8| {
            let secret = Secret::new([luck; SECRET]);
            let room = Room::new(Name::parse(name).unwrap(), Some(&secret));
            (file_of(&room), format!("{:02x}{:02x}", room.tag().0[0], room.tag().0[1]))
        };
        let ((one, tag), (other, _)) = (secret("ops", 1), secret("ops", 2));
        assert_eq!(one, format!("ops-{tag}.log"));
        assert_ne!(one, other, "another secret is another room");
        assert_eq!(of("ops"), "ops.log");
        assert_eq!(of(&format!("ops-{tag}")), format!("ops%2D{tag}.log"));
        assert_eq!(of("ops-team"), "ops-team.log");
    }
}
