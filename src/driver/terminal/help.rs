//! What signs, commands and keys mean, in the order in which people need it: the sheet behind F1, and the
//! table in the README.

use crate::driver::front::table::table;
use crate::driver::front::wording;
use crate::driver::terminal::commands::SCREEN;
use crate::driver::terminal::theme::Signs;

/// What the keys do: key, while typing, while reading back.
pub const KEYS: &[[&str; 3]] = &[
    ["Enter", "send", "details of the marked message"],
    ["Alt-Enter, Ctrl-J", "another line", ""],
    [
        "Tab, Shift-Tab",
        "complete a name (bo, @bo), a command or what it takes, else read back",
        "type; so does any other letter",
    ],
    ["Esc, F6", "read back", "type"],
    ["Up, Down", "another line; earlier or later input", "scroll a line"],
    ["J, K", "", "scroll down, up"],
    ["PgUp, PgDn", "scroll half a page", "scroll a page"],
    ["Home, End", "ends of the line", "oldest, newest message (g, G)"],
    ["Ctrl-Home, Ctrl-End", "oldest, newest message", "oldest, newest message"],
    ["Ctrl-A E B F, Alt-B F", "move in the line", ""],
    ["Ctrl-W K U, Alt-D", "cut a word, a line", ""],
    ["Ctrl-Y, Alt-Y", "put back what was cut, or cut before", ""],
    ["Ctrl-T, Ctrl-_", "swap two letters, undo", ""],
    ["Ctrl-P, Ctrl-N, Ctrl-R", "earlier or later input, find in it", ""],
    ["/, Ctrl-S, n, N", "", "search, next, previous"],
    ["Alt-U, Alt-N, Alt-P", "first unread; next, previous mention", "the same (u)"],
    ["Ctrl-C", "clear the line; leave when it is empty", "leave"],
    ["Ctrl-D", "delete; leave when the line is empty", "leave"],
    ["Ctrl-L, Ctrl-Z", "draw anew, suspend", "draw anew, suspend"],
    ["F1, F2, F4", "help, people, mouse reports", "help, people, mouse reports"],
    ["F3", "messages as plain lines, for the mouse to select", "the same (T: with times)"],
];

/// Everything, line by line.
pub(super) fn lines(signs: &Signs) -> Vec<String> {
    let mut lines = vec!["Signs beside what was said".to_owned()];
    lines.extend(table(signs.meanings()));
    lines.extend([String::new(), "Commands".to_owned()]);
    lines.extend(wording::commands(SCREEN));
    for (title, column) in [("While typing", 1), ("While reading back", 2)] {
        lines.extend([String::new(), title.to_owned()]);
        let rows = KEYS.iter().filter(|row| !row[column].is_empty());
        lines.extend(table(rows.map(|row| [row[0].to_owned(), row[column].to_owned()])));
    }
    lines
}
