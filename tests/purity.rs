//! The machines read no clock, no entropy, no environment, no hash order and no address of memory,
//! and no file of theirs outgrows one idea. clippy.toml fences most of it; this test reads the text,
//! because clippy sees neither pointer addresses nor the names of modules. And nothing anywhere is
//! printed in a way that may panic.

use std::fs;
use std::path::{Path, PathBuf};

/// What may not stand in `src/machine`, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("std::time::Instant", "reads the clock"),
    ("SystemTime", "reads the wall clock"),
    ("HashMap", "has an order of its own"),
    ("HashSet", "has an order of its own"),
    ("RandomState", "draws entropy"),
    ("std::thread", "runs beside its owner"),
    ("thread_local", "is state outside the machine"),
    ("std::env", "reads the environment"),
    ("OnceLock", "is state outside the machine"),
    ("LazyLock", "is state outside the machine"),
    ("static mut", "is state outside the machine"),
    ("AtomicU", "is state outside the machine"),
    ("as *const", "shows an address of memory"),
    ("as_ptr()", "shows an address of memory"),
    ("{:p}", "shows an address of memory"),
    ("crate::driver", "names the driver"),
    ("getrandom", "draws entropy"),
];

/// A file holds one idea, in about 600 lines, and a function one thought.
const LINES_MAX: usize = 600;
const FUNCTION_MAX: usize = 70;

/// The floors of `src/machine`, from below: a file, or a folder with its file, imports from lower ones
/// alone, so that there is no circle, and each can be read without those above.
const FLOORS: [&[&str]; 12] = [
    &["codec", "keyed", "path", "ranges", "slots", "source", "text", "time"],
    &["guarded", "name", "pace", "rng", "timer"],
    &["digest", "who"],
    &["event", "looks", "wire"],
    &["cookie", "inward", "token", "whom"],
    &["command"],
    &["contract"],
    &["outbox"],
    &["session", "speech"],
    &["call"],
    &["member", "nodeset"],
    &["peer"],
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn machine() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/machine"), &mut found);
    assert!(found.len() > 10, "the machines are somewhere else");
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("text"))).collect()
}

/// What comes before the file's own tests.
fn product(text: &str) -> &str {
    text.split("#[cfg(test)]\n").next().unwrap_or(text)
}

fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = product(text);
    let is_code = |line: &str| !line.trim_start().starts_with("//");
    text.lines().enumerate().filter(move |(_, line)| is_code(line)).map(|(n, line)| (n + 1, line))
}

#[test]
fn the_machines_are_pure() {
    for (path, text) in machine() {
        for (n, line) in code(&text) {
            let bad = FORBIDDEN.iter().find(|(word, _)| line.contains(word));
            if let Some((word, why)) = bad {
                panic!("{}:{n}: {word} {why}", path.display());
            }
            let global = line.trim_start();
            let global = global.strip_prefix("pub ").unwrap_or(global);
            assert!(!global.starts_with("static "), "{}:{n}: a static", path.display());
        }
    }
}

/// On a full disk, or where nobody reads any more, these end the program with a panic.
#[test]
fn nothing_is_printed_that_may_panic() {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    for path in found.iter().filter(|path| !path.ends_with("tests.rs")) {
        let text = fs::read_to_string(path).expect("text");
        // A file of tests that is named in the middle of another is no end of that one.
        let text = text.replace("#[cfg(test)]\nmod tests;", "");
        for (n, line) in code(&text) {
            let bad = ["print!", "println!", "dbg!"].iter().find(|&word| line.contains(word));
            assert!(bad.is_none(), "{}:{n}: {} panics", path.display(), bad.unwrap_or(&""));
        }
    }
}

/// Which floor a module of the machines is on.
fn floor(module: &str) -> usize {
    let found = FLOORS.iter().position(|floor| floor.contains(&module));
    found.unwrap_or_else(|| panic!("{module} is on no floor of tests/purity.rs"))
}

#[test]
fn nothing_is_imported_from_above() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/machine");
    for (path, text) in machine() {
        let within = path.strip_prefix(&root).expect("below it").with_extension("");
        let module = within.iter().next().and_then(|part| part.to_str()).expect("a name");
        if module == "mod" || path.ends_with("tests.rs") {
            continue;
        }
        for (n, line) in code(&text) {
            for import in line.split("crate::machine::").skip(1) {
                let of = import.split(|c: char| !c.is_alphanumeric() && c != '_').next();
                let of = of.unwrap_or_default();
                assert!(!of.is_empty(), "{}:{n}: say from where", path.display());
                let below = of == module || floor(of) < floor(module);
                assert!(below, "{}:{n}: {module} imports from {of}", path.display());
            }
        }
    }
}

/// Every source of the repository.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in ["src", "sim/src", "tests", "benches", "examples", "fuzz/src"] {
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("text"))).collect()
}

#[test]
fn a_file_holds_one_idea() {
    for (path, text) in sources() {
        let tests =
            path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
        let lines = product(&text).lines().count();
        assert!(tests || lines <= LINES_MAX, "{} has {lines} lines", path.display());
    }
}

/// As rustfmt writes it, a function ends with the first brace that stands where it began.
#[test]
fn a_function_holds_one_thought() {
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            let depth = line.len() - line.trim_start().len();
            let words = line.trim_start().split(' ');
            let mut words = words.skip_while(|word| {
                word.starts_with("pub") || ["const", "async", "unsafe"].contains(word)
            });
            if words.next() != Some("fn") || line.ends_with(['}', ';']) {
                continue;
            }
            let end = format!("{}}}", " ".repeat(depth));
            let length = lines[n..].iter().position(|&line| line == end).map_or(0, |at| at + 1);
            assert!(length <= FUNCTION_MAX, "{}:{}: {length} lines", path.display(), n + 1);
        }
    }
}
