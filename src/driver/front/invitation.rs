//! What others type to join: a line that works when it is typed as it stands, for each address that the
//! nodeset has, since which of them leads there depends on where somebody is.
//!
//! The secret of a room is no part of it: what is typed ends in the history of a shell, and everybody
//! on a computer sees what its commands are. The line asks for it.

use std::net::SocketAddr;

use zeroize::Zeroizing;

use crate::driver::os::shell;
use crate::machine::{Name, Room, Secret};

/// How a room is joined.
#[derive(Clone, Debug)]
pub(crate) struct Invitation {
    nodeset: SocketAddr,
    others: Vec<SocketAddr>,
    room: Name,
    secret: Option<Secret>,
}

impl Invitation {
    pub(crate) fn new(nodeset: SocketAddr, room: &Room, secret: Option<&Secret>) -> Self {
        Self { nodeset, others: Vec::new(), room: room.name().clone(), secret: secret.cloned() }
    }

    /// The same, and where else the nodeset is, the likeliest first.
    pub(crate) fn also(self, others: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self { others: others.into_iter().collect(), ..self }
    }

    /// Where the nodeset is, as far as one address says it.
    pub(crate) const fn nodeset(&self) -> SocketAddr {
        self.nodeset
    }

    /// The line, for a shell.
    pub(crate) fn line(&self) -> String {
        self.line_by(self.nodeset)
    }

    /// The lines by its other addresses, and these.
    pub(crate) fn others(&self) -> impl Iterator<Item = (SocketAddr, String)> {
        self.others.iter().map(|&addr| (addr, self.line_by(addr)))
    }

    fn line_by(&self, nodeset: SocketAddr) -> String {
        let mut words = vec!["chat".to_owned(), nodeset.to_string()];
        if self.room.as_str() != Room::LOBBY {
            words.extend(["--room".to_owned(), self.room.to_string()]);
        }
        if self.secret.is_some() {
            words.extend(["--secret-file".to_owned(), "-".to_owned()]);
        }
        shell::command(words)
    }

    /// The secret that the line asks for. For a person's eyes.
    pub(crate) fn secret(&self) -> Option<Zeroizing<String>> {
        self.secret.as_ref().map(Secret::written)
    }

    /// Why the line may not work where somebody types it.
    pub(crate) fn doubt(&self) -> Option<&'static str> {
        let here = "the address is this computer alone: from elsewhere it has another one";
        self.nodeset.ip().is_loopback().then_some(here)
    }
}

/// A line in rows of so many columns, so that a shell reads the rows as it would the line: at a blank
/// where there is one, else anywhere but in quotes, a backslash at the end of a row continues it.
pub(crate) fn rows(line: &str, columns: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut rest: Vec<char> = line.chars().collect();
    let room = columns.saturating_sub(1).max(1);
    while wide(&rest) > columns {
        let Some((at, blank)) = break_at(&rest, room) else { break };
        let row: String = rest[..at].iter().collect();
        rows.push(format!("{row}{}\\", if blank { " " } else { "" }));
        rest.drain(..at + usize::from(blank));
    }
    rows.push(rest.into_iter().collect());
    rows
}

fn wide(letters: &[char]) -> usize {
    use unicode_width::UnicodeWidthStr;
    letters.iter().collect::<String>().width()
}

/// Where a row of at most `room` columns may end, and whether that is at a blank: the last blank, else
/// the last place outside of quotes. `None` where there is neither.
fn break_at(letters: &[char], room: usize) -> Option<(usize, bool)> {
    let (mut quoted, mut blank, mut anywhere) = (false, None, None);
    for (at, &letter) in letters.iter().enumerate() {
        if wide(&letters[..at]) > room {
            break;
        }
        // A backslash and what it quotes stay together.
        let escaped = at > 0 && letters[at - 1] == '\\' && !quoted;
        if at > 0 && !quoted && !escaped {
            anywhere = Some((at, false));
        }
        if letter == '\'' && !escaped {
            quoted = !quoted;
        } else if letter == ' ' && !quoted && !escaped && wide(&letters[..at]) < room {
            blank = Some((at, true));
        }
    }
    blank.or(anywhere)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::machine::SECRET;

    fn invitation(room: &str, secret: bool) -> Invitation {
        let secret = secret.then(|| Secret::new([7; SECRET]));
        let room = Room::new(Name::parse(room).unwrap(), secret.as_ref());
        Invitation::new("192.168.100.200:7420".parse().unwrap(), &room, secret.as_ref())
    }

    /// The words that a shell makes of a text, behind the first.
    fn read_back(text: &str) -> Vec<String> {
        let rest = text.replacen(shell::command::<&str>([]).as_str(), "", 1);
        let script = format!("printf '%s\\n' x{rest}");
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let words = String::from_utf8(output.stdout).unwrap();
        words.lines().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn an_invitation_names_the_room_and_asks_for_the_secret() {
        let words = |room, secret| read_back(&invitation(room, secret).line());
        let addr = "192.168.100.200:7420";
        assert_eq!(words("lobby", false), ["chat", addr]);
        assert_eq!(words("lobby", true), ["chat", addr, "--secret-file", "-"]);
        for room in ["ops", "it's", "$HOME `x` \"y\"", "zoë's \\ 你好", "-n", "a;b"] {
            let expected = ["chat", addr, "--room", room, "--secret-file", "-"];
            assert_eq!(words(room, true), expected);
            assert_eq!(words(room, false), expected[..4]);
        }
        let secret = Secret::new([7; SECRET]).written();
        assert!(!invitation("ops", true).line().contains(secret.as_str()), "it is asked for");
        assert_eq!(invitation("ops", true).secret().as_deref(), Some(&*secret));
    }

    #[test]
    fn there_is_a_line_for_each_address() {
        let others = ["10.8.0.2:7420", "[fd00::20]:7420"];
        let room = invitation("it's", true).also(others.map(|addr| addr.parse().unwrap()));
        assert_eq!(room.line(), invitation("it's", true).line(), "the first is what it was");
        let lines: Vec<(String, String)> =
            room.others().map(|(addr, line)| (addr.to_string(), line)).collect();
        assert_eq!(lines.len(), 2);
        for ((addr, line), other) in lines.iter().zip(others) {
            assert_eq!(addr, other);
            let words = ["chat", other, "--room", "it's", "--secret-file", "-"];
            assert_eq!(read_back(line), words);
        }
    }

    #[test]
    fn rows_are_read_back_as_the_line() {
        let names =
            ["ops", "it's", "a room with a long name", "''''''''''''''''''''''''", "\\\\\\ \\"];
        for room in names {
            let line = invitation(room, true).line();
            for columns in [20, 30, 40, 57, 80, 1000] {
                let rows = rows(&line, columns);
                assert_eq!(read_back(&rows.join("\n")), read_back(&line), "{columns}: {rows:#?}");
                if columns >= 40 {
                    assert!(rows.iter().all(|row| row.chars().count() <= columns), "{rows:#?}");
                }
            }
        }
    }
}
