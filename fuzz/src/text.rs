//! Text of others, names, what is typed on a stream in both front ends, and what they print.

use std::collections::BTreeMap;
use std::time::Duration;

use chatrpc::driver::trial;
use chatrpc::machine::{
    Command, Event, MessageId, Name, NameProblem, PeerId, Person, PublicKey, Refusal, SafeText,
    Time, Why, sanitize,
};
use serde_json::value::RawValue;

use super::script::Script;

/// Pieces that mean something to somebody: a text of them is worse than one of any letters.
const PIECES: [&str; 40] = [
    "a",
    "B",
    "é",
    "e\u{301}",
    "ß",
    "ı",
    "İ",
    " ",
    "\u{a0}",
    "\u{3000}",
    "\u{2800}",
    "\t",
    "\n",
    "\r",
    "\u{85}",
    "\u{2028}",
    "\x1b[",
    "\u{9b}",
    "\u{7f}",
    "\u{200d}",
    "\u{200c}",
    "\u{fe0f}",
    "\u{202e}",
    "\u{2066}",
    "\u{feff}",
    "\u{e0041}",
    "\u{301}",
    "👍",
    "🏽",
    "👩",
    "🇩",
    "你",
    "क्",
    "ष",
    "\u{1100}",
    "/",
    "@",
    ":",
    "https://",
    "9",
];

/// Pieces of lines of JSON.
const JSON: [&str; 24] = [
    "{",
    "}",
    "\"t\":",
    "\"send\"",
    "\"nick\"",
    "\"who\"",
    "\"quit\"",
    "\"text\":",
    "\"name\":",
    "\"to\":",
    "\"ref\":",
    "\"action\":",
    "true",
    "null",
    "1e999",
    "12345678901234567890123",
    ",",
    "[",
    "]",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"x\"",
    "{\"t\":\"send\",\"text\":\"hi\",\"ref\":7}",
    "\n",
];

/// Makes a text and lets everybody have it.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    match script.below(8) {
        0 | 1 => {
            let text = text(&mut script);
            check_text(&text);
            check_rows(&text, script.below(30), script.below(30));
        }
        2 => check_name(&text(&mut script)),
        3 => {
            let (one, other) = (text(&mut script), text(&mut script));
            check_looks(&one, &other);
        }
        4 if script.one_in(4) => check_typist(&mut script),
        4 => check_command(&text(&mut script)),
        5 => check_stream(false, &mut script),
        6 => check_stream(true, &mut script),
        _ => check_printed(&mut script),
    }
}

/// Pieces, or bytes as they are.
fn text(script: &mut Script<'_>) -> String {
    if script.one_in(4) {
        let len = script.below(256);
        return String::from_utf8_lossy(script.bytes(len)).into_owned();
    }
    let mut text = String::new();
    for _ in 0..script.below(48) {
        match script.u8() {
            n @ 0..=199 => text += PIECES[usize::from(n) % PIECES.len()],
            200..=229 => text.extend(char::from_u32(u32::from_be_bytes(script.array()) >> 11)),
            _ => text.extend(char::from_u32(u16::from_be_bytes(script.array()).into())),
        }
    }
    text
}

/// Cleaning twice is cleaning once, and what is clean harms nobody.
fn check_text(text: &str) {
    let safe = sanitize(text);
    assert_eq!(sanitize(&safe), safe);
    assert!(safe.len() <= 3 * text.len());
    assert!(!safe.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
    let json = trial::safe_json(text);
    assert_eq!(serde_json::from_str::<String>(&json).ok().as_deref(), Some(text));
    assert!(!json.contains(char::is_control));
    let [osc9, kitty, osc777, bell] = &trial::rung(&SafeText::new(text))[..] else {
        panic!("four kinds of terminals")
    };
    for (bytes, begin) in
        [(osc9, "\x07\x1b]9;"), (kitty, "\x07\x1b]99;;"), (osc777, "\x07\x1b]777;notify;chatRPC;")]
    {
        let told = core::str::from_utf8(bytes).expect("text");
        let told = told.strip_prefix(begin).and_then(|rest| rest.strip_suffix("\x1b\\"));
        let told = told.expect("one sequence");
        assert!(!told.contains(|c: char| c.is_control() || c == ';'), "{told:?}");
    }
    assert_eq!(bell, b"\x07");
}

/// Nothing is lost between rows, and no row is wider than it may be.
fn check_rows(text: &str, first: usize, more: usize) {
    let safe = sanitize(text);
    let rest = (first + more).max(1);
    let (mut at, rows) = (0, trial::rows(&safe, first, rest));
    assert!(!rows.is_empty());
    for (number, row) in rows.into_iter().enumerate() {
        let between = &safe[at..row.start];
        assert!(
            between.chars().all(char::is_whitespace),
            "{safe:?} in {first}, {rest}: {between:?}"
        );
        let content = &safe[row.clone()];
        let width = if number == 0 { first } else { rest };
        // A single grapheme may be wider: it cannot be divided.
        let one = content.chars().count() <= 1 || trial::columns(content) <= 8;
        assert!(trial::columns(content) <= width || one, "{content:?} in {width}");
        assert!(!content.contains('\n'));
        at = row.end;
    }
    assert!(safe[at..].chars().all(char::is_whitespace));
    for (place, address) in trial::addresses(&safe) {
        assert!(address.bytes().all(|byte| byte.is_ascii_graphic()));
        let raw = safe[place].to_ascii_lowercase();
        assert!(raw.starts_with("http://") || raw.starts_with("https://"));
    }
}

/// A name is written in one way, and is safe to show.
fn check_name(text: &str) {
    let Ok(name) = Name::parse(text) else { return };
    let written = name.as_str();
    assert_eq!(Name::parse(written).as_ref(), Ok(&name));
    assert_eq!(sanitize(written), written);
    assert_eq!(Name::parse(&format!(" {text}\u{a0}")).as_ref(), Ok(&name));
    assert!(name.look().is_like(&name.look()));
    assert!(!written.starts_with(['/', '@', '*', '!', '>']) && !written.ends_with(':'));
    assert!(written.len() <= 96 && !written.contains(": "));
}

/// Looking alike is mutual, and one does not depend on how a name was typed.
fn check_looks(one: &str, other: &str) {
    let (Ok(one), Ok(other)) = (Name::parse(one), Name::parse(other)) else { return };
    let (look, other_look) = (one.look(), other.look());
    assert_eq!(look.is_like(&other_look), other_look.is_like(&look));
    assert!(one != other || look.is_like(&other_look));
}

/// What a person sees begin with a slash is never said as it stands, and nothing else is obeyed.
fn check_command(line: &str) {
    let seen = sanitize(line);
    let seen = seen.trim_start();
    match Command::parse(line) {
        Ok(Command::Say { text, .. }) if text == line => {
            assert!(!seen.starts_with('/'), "{line:?} is said as {seen:?}");
        }
        Ok(Command::Say { text, .. }) => assert!(line.len() > text.len() && line.contains(text)),
        Ok(_) => assert!(line.contains('/')),
        Err(refusal) => drop(refusal.into_owned()),
    }
}

/// Lines that come at once are never said, one by one, before somebody was asked.
fn check_typist(script: &mut Script<'_>) {
    const AT_ONCE: Duration = Duration::from_millis(30);
    let (mut now, mut lines) = (Time::ZERO, Vec::new());
    for _ in 0..script.below(24) {
        now = now + Duration::from_millis(script.pick(&[0, 1, 29, 30, 31, 1_000]));
        let text = match script.below(8) {
            0 => "y".to_owned(),
            1 => "n".to_owned(),
            2 => "x".repeat(1_000),
            _ => text(script).replace('\n', ""),
        };
        lines.push((now, text));
    }
    let rows = trial::typed_lines(lines.iter().map(|(at, line)| (*at, line.as_str())));
    assert!(rows.len() <= lines.len());
    let close = |pair: &[(Time, String)]| pair[1].0.since(pair[0].0) < AT_ONCE;
    if lines.windows(2).all(close) && lines.len() > 1 {
        assert!(rows.iter().all(|row| !row.starts_with("Line")), "{rows:?}");
    }
}

/// A stream of lines: however it is cut into pieces, the same is wanted and the same is said of it.
fn check_stream(json: bool, script: &mut Script<'_>) {
    let literal = script.one_in(2);
    let mut cuts = [0; 8];
    cuts.fill_with(|| script.below(32));
    let mut bytes = Vec::new();
    while !script.is_over() && bytes.len() < 40_000 {
        match script.u8() {
            n @ 0..=119 if json => bytes.extend_from_slice(JSON[usize::from(n) % 24].as_bytes()),
            n @ 0..=159 => bytes.extend_from_slice(PIECES[usize::from(n) % 40].as_bytes()),
            160..=179 => bytes.push(b'\n'),
            180..=183 => bytes.extend_from_slice(&b"x".repeat(1 + 17 * script.below(256))),
            _ => bytes.push(script.u8()),
        }
    }
    let (mut pieces, mut rest) = (Vec::new(), bytes.as_slice());
    for cut in cuts {
        let (piece, after) = rest.split_at(cut.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    let (wishes, out, err) = trial::read(json, literal, [bytes.as_slice()]);
    let (same, out_again, err_again) = trial::read(json, literal, pieces);
    assert_eq!(wishes, same);
    assert_eq!(without_time(&out, json), without_time(&out_again, json));
    assert_eq!(err, err_again);
    check_output(json, &out);
    assert!(!err.contains(|c: char| c.is_control() && c != '\n'), "{err:?}");
    let lines = bytes.split(|&byte| byte == b'\n').count();
    assert!(wishes.len() + out.lines().count() + err.lines().count() <= lines);
}

/// The fields of an object, as they are written: a `ref` comes back with numbers that no float holds.
type Object = BTreeMap<String, Box<RawValue>>;

/// Objects without the instant they were written at.
fn without_time(out: &str, json: bool) -> Vec<BTreeMap<String, String>> {
    let object = |line: &str| {
        let object: Object = serde_json::from_str(line).expect("an object a line");
        let timeless = object.into_iter().filter(|(name, _)| name != "ts");
        timeless.map(|(name, value)| (name, value.get().to_owned())).collect()
    };
    if json { out.lines().map(object).collect() } else { Vec::new() }
}

/// What is printed can be read by a program, and shown to a person.
fn check_output(json: bool, out: &str) {
    assert!(out.is_empty() || out.ends_with('\n'));
    let kept = |c: char| c == '\n' || c == '\t' && !json;
    assert!(!out.contains(|c: char| c.is_control() && !kept(c)), "{out:?}");
    for line in out.lines().filter(|_| json) {
        let object: Object = serde_json::from_str(line).expect("an object a line");
        assert_eq!(object["v"].get(), "1");
        assert!(["t", "ts"].iter().all(|&name| object[name].get().starts_with('"')));
    }
}

/// One message is one line, and begins with its author.
fn check_printed(script: &mut Script<'_>) {
    let (mut people, mut texts) = (Vec::new(), Vec::new());
    for id in 1..5 {
        let text = text(script);
        let name = Name::parse(&text).unwrap_or_else(|_| Name::parse("bob").expect("a name"));
        let key = PublicKey([id as u8; 32]);
        people.push(Person { id: PeerId(id << 56 | id), key, name });
    }
    (0..script.below(8)).for_each(|_| texts.push(text(script)));
    let mut events = Vec::new();
    let mut said = 0;
    for (number, text) in (1..).zip(&texts) {
        let from = script.pick(&[0, 1, 2, 3]);
        let from: Person = people[from].clone();
        let id = MessageId { author: from.id, number };
        let safe = SafeText::new(text);
        events.push(match script.below(10) {
            0 => Event::Joined(from),
            1 => Event::Left { who: from, why: Why::Timeout },
            2 => Event::Renamed { was: people[0].name.clone(), who: from },
            3 => Event::Alike { one: from, like: vec![people[0].clone()], others: 2 },
            4 => Event::Sent { id, text: safe, action: false, to: Some(from), readers: 1 },
            5 => {
                let (failed, left) = (vec![(from, Why::Unread)], vec![people[0].clone()]);
                Event::Done { id, acked: 0, failed, left }
            }
            6 => Event::Refused(Refusal::Name(NameProblem::Taken(from.name))),
            7 => Event::Refused(Refusal::SeveralCalled(safe)),
            _ => {
                said += 1;
                let [action, private, mention] = [3, 3, 3].map(|n| script.one_in(n));
                Event::Message { id, from, text: safe, action, private, mention, past: None }
            }
        });
    }
    let (out, err) = trial::printed(false, &events);
    check_output(false, &out);
    assert_eq!(out.lines().count(), said, "{out:?}");
    assert!(err.lines().all(|line| line.starts_with("* ")), "{err:?}");
    assert!(!err.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n')));
    let (out, err) = trial::printed(true, &events);
    check_output(true, &out);
    assert!(err.is_empty());
}
