//! What keeping 100,000 messages costs, and finding them again: all of it from the cache of the system.
//!
//! `cargo bench --bench history`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::fs;
use std::time::{Duration, Instant};

use chatrpc::driver::trial::History;
use chatrpc::machine::{Event, MessageId, Name, PeerId, Person, PublicKey, SafeText};

const MESSAGES: u64 = 100_000;
const TURN: usize = 50;

/// Short and long messages, a fifth of them with wide letters where that is asked for: those are folded letter
/// by letter.
fn message(number: u64, wide: bool) -> Event<'static> {
    let id = 1 + number % 99;
    let name = Name::parse(&format!("person {id}")).expect("a name");
    let from = Person { id: PeerId(id), key: PublicKey([0; 32]), name };
    let text = match number % 5 {
        0 => format!("see https://example.org/runs/{number}?tab=log for the rest of it"),
        1 if wide => "你好世界 ".repeat(10),
        2 => "a longer one, as people write them when they are on a train; ".repeat(3),
        _ => format!("short {number}"),
    };
    let (text, id) = (SafeText::new(&text).into_owned(), MessageId { author: from.id, number });
    Event::Message { id, from, text, action: false, private: false, mention: false, past: None }
}

/// The least of five times.
fn best<T>(mut run: impl FnMut() -> T) -> (T, Duration) {
    let mut timed = || {
        let start = Instant::now();
        let result = run();
        (result, start.elapsed())
    };
    let first = timed();
    (0..4).map(|_| timed()).fold(first, |least, next| if next.1 < least.1 { next } else { least })
}

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    for wide in [false, true] {
        measure(wide);
    }
}

fn measure(wide: bool) {
    println!("{}:", if wide { "a fifth of the messages with wide letters" } else { "ASCII" });
    let base = std::env::temp_dir().join(format!("chatrpc-bench-{}", std::process::id()));
    let mut history = History::at(base.join("chatrpc/history/lobby"));
    fs::create_dir_all(base.join("chatrpc")).expect("a folder");
    let events: Vec<Event<'_>> = (0..MESSAGES).map(|number| message(number, wide)).collect();
    let start = Instant::now();
    let longest = history.keep(1 << 40, events, TURN);
    let kept = start.elapsed() / MESSAGES as u32;
    println!("  keeping a message: {kept:?}; the longest turn with {TURN} of them: {longest:?}");
    let ((opened, longest), took) = best(|| history.open());
    println!("  opening all {opened}: {took:?}; the longest step {longest:?}");
    let (count, took) = best(|| history.count());
    println!("  reading all {count}, in order: {took:?}");
    let ((none, longest), took) = best(|| history.search("nowhere to be found"));
    println!("  a search in vain ({none}): {took:?}; its longest step {longest:?}");
    let ((found, longest), took) = best(|| history.search("SHORT"));
    println!("  a search that finds {found}: {took:?}; its longest step {longest:?}");
    let ((count, longest), took) = best(|| history.last(1000));
    println!("  the last {count}: {took:?}; the longest step {longest:?}");
    let ((count, _), took) = best(|| history.last(20));
    println!("  the last {count}, as when a chat begins: {took:?}");
    fs::remove_dir_all(&base).expect("it is ours");
}
