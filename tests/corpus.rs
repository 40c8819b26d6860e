//! The corpora of the fuzz targets, replayed: what coverage-guided fuzzing once found its way to
//! (fuzz/README.md) is walked through again by every test run, on any compiler and without libFuzzer.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// Runs a target over every file of its corpus, in the order of their names.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).expect("the corpus is checked in");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() >= 10, "{} files of {target}", files.len());
    for file in files {
        let bytes = fs::read(&file).expect("a file");
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(&bytes))) {
            eprintln!("in {}", file.display());
            resume_unwind(panic);
        }
    }
}

#[test]
fn config() {
    replay("config", fuzz::config::run);
}

#[test]
fn peer() {
    replay("peer", fuzz::peer::run);
}

#[test]
fn registry() {
    replay("registry", fuzz::registry::run);
}

#[test]
fn screen() {
    replay("screen", fuzz::screen::run);
}

#[test]
fn text() {
    replay("text", fuzz::text::run);
}

#[test]
fn wire() {
    replay("wire", fuzz::wire::run);
}
