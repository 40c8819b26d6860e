//! The machines read no clock, no entropy, no environment, no hash order and no address of memory,
//! and no file of theirs outgrows one idea. clippy.toml fences most of it; this test reads the text,
//! because clippy sees neither pointer addresses nor the names of modules. And nothing anywhere is
//! printed in a way that may panic.

use std::collections::{BTreeMap, BTreeSet};
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
const FLOORS: [&[&str]; 13] = [
    &["codec", "keyed", "ranges", "slots", "source", "text", "time"],
    &["copa", "guarded", "mtu", "name", "pace", "rng", "timer"],
    &["digest", "path", "who"],
    &["doctor", "log"],
    &["event", "looks", "mention", "wire"],
    &["cookie", "habits", "inward", "purpose", "whom"],
    &["command", "relayed"],
    &["contract"],
    &["outbox"],
    &["hail", "mapping", "session", "speech"],
    &["call"],
    &["member", "nodeset"],
    &["peer"],
];

/// The folders of `src/driver`, from below.
const FOLDERS: [&str; 6] = ["os", "net", "history", "front", "terminal", "commands"];

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

#[test]
fn no_folder_of_the_driver_imports_from_above() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/driver");
    let rank = |name: &str| FOLDERS.iter().position(|&folder| folder == name);
    let mut found = Vec::new();
    FOLDERS.iter().for_each(|folder| files(&root.join(folder), &mut found));
    for path in found.iter().filter(|path| !path.ends_with("tests.rs")) {
        let within = path.strip_prefix(&root).expect("below it");
        let own = within.iter().next().and_then(|part| rank(part.to_str()?)).expect("a folder");
        let text = fs::read_to_string(path).expect("text");
        for (n, line) in code(&text) {
            for import in line.split("crate::driver::").skip(1) {
                let of = import.split("::").next().unwrap_or_default();
                let below = rank(of).is_some_and(|of| of <= own);
                assert!(below, "{}:{n}: imports from {of}", path.display());
            }
        }
    }
}

/// A module, as the words of its path below a root.
type Module = Vec<String>;

/// The modules of a folder, each with what it is besides comments and tests.
fn modules(folder: &str) -> BTreeMap<Module, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    files(&root, &mut found);
    let sources =
        found.iter().filter(|path| !path.to_str().is_some_and(|p| p.ends_with("tests.rs")));
    let modules = sources.map(|path| {
        let within = path.strip_prefix(&root).expect("below it").with_extension("");
        let words = within.iter().map(|part| part.to_str().expect("a name").to_owned());
        let text = fs::read_to_string(path).expect("text");
        let text = text.replace("#[cfg(test)]\nmod tests;", "");
        let lines: Vec<&str> = code(&text).map(|(_, line)| line).collect();
        (
            words.filter(|word| !["mod", "lib", "main"].contains(&&word[..])).collect(),
            lines.join("\n"),
        )
    });
    modules.collect()
}

/// The paths in a text that begin at a root or at a parent.
fn paths(text: &str, root: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in [root, "super::"] {
        for (at, _) in text.match_indices(start) {
            if text[..at].ends_with(|c: char| c == ':' || c == '_' || c.is_alphanumeric()) {
                continue;
            }
            let is_word = |c: char| c == ':' || c == '_' || c.is_alphanumeric();
            let end = text[at..].find(|c| !is_word(c)).map_or(text.len(), |end| at + end);
            let path = &text[at..end];
            match text[end..].strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                Some((items, _)) => {
                    assert!(!items.contains('{'), "{path}{{{items}: say from where");
                    let items = items.split(',').map(str::trim).filter(|item| !item.is_empty());
                    found.extend(items.map(|item| format!("{path}{item}")));
                }
                None => found.push(path.to_owned()),
            }
        }
    }
    found
}

/// The modules that a module imports from, besides its parent and its own chapters.
fn imports(of: &Module, modules: &BTreeMap<Module, String>, root: &str) -> BTreeSet<Module> {
    let found = paths(&modules[of], root).into_iter().map(|path| {
        let (mut to, mut rest) = match path.strip_prefix(root) {
            Some(rest) => (Module::new(), rest),
            None => (of.clone(), &path[..]),
        };
        while let Some(up) = rest.strip_prefix("super::") {
            to.pop();
            rest = up;
        }
        to.extend(rest.split("::").map(|word| word.trim().to_owned()));
        // What is no module is an item of one.
        while !modules.contains_key(&to) && to.pop().is_some() {}
        assert!(!to.is_empty(), "{of:?} imports {path}: say from where");
        to
    });
    let family = |to: &Module| {
        let parent =
            |one: &Module, other: &Module| one.split_last().is_some_and(|(_, up)| up == other);
        to == of || parent(to, of) || parent(of, to)
    };
    found.filter(|to| !family(to)).collect()
}

/// The modules that import from each other in a circle, and those between two circles.
fn circles(modules: &BTreeMap<Module, String>, root: &str) -> BTreeMap<Module, BTreeSet<Module>> {
    let all = modules.keys().map(|of| (of.clone(), imports(of, modules, root)));
    let mut left: BTreeMap<Module, BTreeSet<Module>> = all.collect();
    loop {
        let (count, known) = (left.len(), left.clone());
        let imported: BTreeSet<Module> = left.values().flatten().cloned().collect();
        left.retain(|of, from| {
            imported.contains(of) && from.iter().any(|other| known.contains_key(other))
        });
        if left.len() == count {
            return left;
        }
    }
}

#[test]
fn nobody_imports_in_a_circle() {
    for (folder, root) in [
        ("src/machine", "crate::machine::"),
        ("src/driver", "crate::driver::"),
        ("sim/src", "crate::"),
    ] {
        let modules = modules(folder);
        assert!(modules.len() > 10, "{folder} is somewhere else");
        let found = circles(&modules, root);
        assert!(found.is_empty(), "{folder}: {found:#?}");
    }
}

#[test]
fn a_circle_is_found() {
    let module = |path: &str| -> Module { path.split('/').map(str::to_owned).collect() };
    let source = |(path, text): (&str, &str)| (module(path), text.to_owned());
    let above = [
        ("top", "use crate::a::A;\nuse crate::c::C;"),
        ("a", "use crate::b::{self, B};\nuse crate::a::part::Part;"),
        ("a/part", "use super::A;\nuse std::fs;"),
        ("c", "fn c() { crate::low::f() }"),
        ("low", ""),
    ];
    let with = |b: &str| {
        let all = above.into_iter().chain([("b", b)]).map(source).collect();
        circles(&all, "crate::").into_keys().collect::<Vec<_>>()
    };
    assert_eq!(with("use crate::low::f;"), Vec::<Module>::new(), "parent and chapter are one");
    assert_eq!(with("use crate::{\n    a,\n    low,\n};"), [module("a"), module("b")]);
    assert_eq!(with("fn f() { super::a::g() }"), [module("a"), module("b")]);
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
