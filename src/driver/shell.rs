//! Commands that people copy: written so that a shell makes of them what was meant.

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
