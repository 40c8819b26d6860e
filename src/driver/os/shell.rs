//! Commands that people copy: written so that a shell makes of them what was meant, and beginning with
//! a word that starts this program.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;

use crate::driver::os::shown::shown;

/// A command of this program, as somebody at this computer would type it.
pub fn command<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> String {
    let words = words.into_iter().map(|word| quote(word.as_ref()));
    // A unit test looks at what is shown around it, wherever the test was built.
    let program = if cfg!(test) { "chatrpc" } else { program() };
    [program.to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// What starts this program: its name where a shell finds it under that, else how it was started. After
/// `cargo run` that is a path, and nobody has a `chatrpc`.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let file = env::current_exe().ok();
        let ours = file.as_deref().and_then(inode);
        let typed = env::args_os().next().and_then(|word| word.into_string().ok());
        let path = env::var_os("PATH").unwrap_or_default();
        // The first that a shell finds is the one it starts.
        let on_path = |name: &str| {
            let files = env::split_paths(&path).map(|folder| folder.join(name));
            let first = files.filter(|file| is_program(file)).find_map(|file| inode(&file));
            first.is_some() && first == ours
        };
        let word = typed.and_then(|typed| started_by(&typed, on_path, |file| inode(file) == ours));
        let word = word.or_else(|| Some(file?.to_str()?.to_owned()));
        word.filter(|word| shown(word) == *word)
            .map_or_else(|| "chatrpc".to_owned(), |word| quote(&word))
    })
}

/// The shortest word that starts the program which was called by this one; `None` if it would not.
fn started_by(
    typed: &str,
    on_path: impl Fn(&str) -> bool,
    is_ours: impl Fn(&Path) -> bool,
) -> Option<String> {
    let path = Path::new(typed);
    let name = path.file_name()?.to_str()?;
    if on_path(name) {
        return Some(name.to_owned());
    }
    (typed.contains('/') && is_ours(path)).then(|| typed.to_owned())
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|status| status.is_file() && status.mode() & 0o111 != 0)
}

fn inode(file: &Path) -> Option<(u64, u64)> {
    fs::metadata(file).ok().map(|status| (status.dev(), status.ino()))
}

/// A word as a POSIX shell reads it back (POSIX.1-2017, XCU section 2.2). Nothing is quoted that needs
/// no quotes: a line that is read aloud is short.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:@_[]".contains(c);
    // Brackets stand for letters where such a file exists; in an address none does.
    let globs = word.contains(['[', ']']) && word.parse::<std::net::SocketAddr>().is_err();
    if word.is_empty() || globs || !word.chars().all(plain) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use quickcheck::quickcheck;

    use super::*;

    #[test]
    fn only_what_must_be_is_quoted() {
        for word in ["chat", "10.0.0.5:7420", "[fe80::1%3]:7420", "./target/debug/chatrpc", "zo-e"]
        {
            assert_eq!(quote(word), word);
        }
        for (word, quoted) in [
            ("", "''"),
            ("zoë", "'zoë'"),
            ("it's", r"'it'\''s'"),
            ("~", "'~'"),
            ("a b", "'a b'"),
            ("a=b", "'a=b'"),
            ("[ab]", "'[ab]'"),
            ("$HOME;`x`", "'$HOME;`x`'"),
        ] {
            assert_eq!(quote(word), quoted);
        }
    }

    #[test]
    fn a_command_begins_with_what_starts_it() {
        let word = |typed: &str, found: bool, ours: bool| started_by(typed, |_| found, |_| ours);
        let is = |word: &str| Some(word.to_owned());
        assert_eq!(word("chatrpc", true, false), is("chatrpc"));
        assert_eq!(word("/usr/bin/chatrpc", true, true), is("chatrpc"));
        assert_eq!(word("target/debug/chatrpc", false, true), is("target/debug/chatrpc"));
        // Called by a name that is not its own: whoever types it gets something else.
        assert_eq!(word("chatrpc", false, true), None);
        assert_eq!(word("/bin/ls", false, false), None);
        assert_eq!(word("", false, true), None);
        let told = format!("{} --version", program());
        let output = Command::new("sh").args(["-c", &told]).output();
        assert!(
            output.is_ok_and(|output| output.status.code() != Some(127)),
            "{told} is not found"
        );
    }

    quickcheck! {
        fn a_shell_reads_back_what_was_meant(word: String) -> bool {
            // What no argument can hold, and what the shell drops at the end of an output.
            let word = word.replace('\0', "") + ".";
            let script = format!("printf %s {}", quote(&word));
            let read = Command::new("sh").args(["-c", &script]).output().unwrap();
            read.stdout == word.as_bytes()
        }
    }
}
