//! What a frame costs over a history of 100,000 messages, and what a key costs until it is shown.
//!
//! `cargo bench --bench screen`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::{Duration, Instant};

use chatrpc::driver::Picture;
use chatrpc::machine::{Event, MessageId, Name, PeerId, Person, PublicKey, SafeText, Time};

const MESSAGES: u64 = 100_000;
const FRAMES: u32 = 200;

fn person(id: u64) -> Person {
    let name = Name::parse(&format!("person {id}")).expect("a name");
    Person { id: PeerId(id), key: PublicKey([0; 32]), name }
}

/// A history of short and long messages, some with links and wide letters.
fn history(width: u16, height: u16) -> Picture {
    let mut picture = Picture::plain(width, height);
    let addr = "192.0.2.1:7420".parse().expect("an address");
    let people = (1..100).map(person).collect();
    picture.show(
        &Event::Ready {
            me: person(0),
            addr,
            nodeset: addr,
            people,
            room: Name::parse("lobby").expect("a name"),
            open: false,
        },
        0,
    );
    for number in 0..MESSAGES {
        let from = person(1 + number % 99);
        let text = match number % 5 {
            0 => format!("see https://example.org/runs/{number}?tab=log for the rest of it"),
            1 => "你好世界 ".repeat(30),
            2 => "a longer one, as people write them when they are on a train; ".repeat(5),
            _ => format!("short {number}"),
        };
        let (text, id) = (SafeText::new(&text), MessageId { author: from.id, number });
        let (action, private, mention) = (false, false, false);
        let event = Event::Message { id, from, text, action, private, mention, past: None };
        picture.show(&event, number * 1000);
    }
    picture
}

/// The mean time of something that is done before each frame, the frame included.
fn frames(picture: &mut Picture, before: &[&[u8]]) -> Duration {
    let mut out = Vec::new();
    let start = Instant::now();
    for (_, keys) in (0..FRAMES).zip(before.iter().cycle()) {
        picture.feed(keys, Time::ZERO, MESSAGES * 1000);
        picture.frame(&mut out);
        out.clear();
    }
    start.elapsed() / FRAMES
}

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    println!("mean of {FRAMES} frames over {MESSAGES} messages, 99 people:");
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut picture = history(width, height);
        picture.frame(&mut Vec::new());
        let typed = frames(&mut picture, &[b"x", b"\x7f"]);
        let scrolled = frames(&mut picture, &[b"\x1b[5~"]);
        let start = Instant::now();
        for round in 0..FRAMES as u16 {
            picture.resize(width - round % 2, height);
            picture.frame(&mut Vec::new());
        }
        let resized = start.elapsed() / FRAMES;
        let start = Instant::now();
        picture.feed(b"\t/nowhere to be found\r", Time::ZERO, MESSAGES * 1000);
        let searched = start.elapsed();
        println!("  {width}x{height}: a search in vain {searched:?}");
        println!("  {width}x{height}: a key {typed:?}, a page back {scrolled:?}, all {resized:?}");
    }
}
