//! Text is spelled as it was written: in JSON, on pipes and in logs, from one program to another.
//!
//! Joiners, marks of direction, tags of flags and TABs were taken out, or became boxes and blanks, on their
//! way through programs that show nothing to anybody; CR alone vanished, and glued two lines together.
//! Everything went through the rules of the screen (`machine::text`).

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

mod support;

use serde_json::{Value, json};
use support::{Process, chatrpc, nodeset};

/// Each row is a script or a construction, and what is said in it.
const SAID: &[(&str, &str)] = &[
    ("Persian", "می\u{200C}خواهم"),
    ("Persian, a number", "\u{200E}+98 21"),
    ("Hebrew", "שלום\u{200F}!"),
    ("a name in a sentence of the other direction", "\u{2068}Ali\u{2069} \u{2067}של\u{2069}"),
    ("Devanagari", "क्\u{200D}ष क्\u{200C}ष"),
    ("Bengali", "র\u{200D}\u{9CD}যাব"),
    ("Malayalam", "അവന്\u{200D}"),
    ("Sinhala", "ශ්\u{200D}රී"),
    ("Mongolian", "ᠰᠠᠷ\u{180E}ᠠ ᠠ\u{180B}"),
    ("Khmer", "ភាសា\u{200B}ខ្មែរ"),
    ("Thai", "ที่นี่\u{200B}เอง"),
    ("Tibetan", "ཧྐྵྨླྺྼྻྂ"),
    ("Burmese", "မျှော်လင့်ချက်"),
    ("Hangul, of jamo", "\u{1112}\u{1161}\u{11AB}"),
    ("Han, a variant", "葛\u{E0100}城"),
    ("Latin, of two", "cafe\u{301}"),
    ("no break", "about\u{A0}10\u{202F}pm\u{2060}!"),
    ("England", "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}"),
    ("Scotland", "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}"),
    ("family", "👨\u{200D}👩\u{200D}👧\u{200D}👦"),
    ("kiss", "👩🏽\u{200D}❤\u{FE0F}\u{200D}💋\u{200D}👨🏿"),
    ("keycap", "1\u{FE0F}\u{20E3}"),
    ("rainbow", "🏳\u{FE0F}\u{200D}🌈"),
    ("a table", "a\tb\tc"),
];

struct Program(Process);

impl Program {
    fn join(addr: &str, name: &str) -> Self {
        let args = ["chat", addr, "-n", name, "--json", "--listen", "127.0.0.1:0", "--ephemeral"];
        let mut program = Self(Process::start(&args));
        program.next("ready");
        program
    }

    fn next(&mut self, t: &str) -> Value {
        let line = self.0.out.wait(&format!(r#"{{"v":1,"t":"{t}","ts":""#));
        serde_json::from_str(&line).unwrap()
    }

    fn say(&mut self, text: &str) {
        self.0.say(&json!({"t": "send", "text": text}).to_string());
    }
}

/// What passes through, in both directions, and in a log.
#[test]
fn programs_pipes_and_logs_carry_what_was_said() {
    let (_nodeset, addr) = nodeset();
    let folder = std::env::temp_dir().join(format!("chatrpc-spelling-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let log = folder.join("room.log");
    let logged = format!("--log={}", log.display());
    let pipe = ["chat", &addr, "-n", "pipe", "--listen", "127.0.0.1:0", "--ephemeral", &logged];
    let mut pipe = Process::start(&pipe);
    pipe.err.wait("* Welcome to the chat room, pipe!");
    let (mut one, mut other) = (Program::join(&addr, "one"), Program::join(&addr, "other"));
    one.next("join");
    pipe.err.wait("* other has entered the chat!");
    for (script, text) in SAID {
        one.say(text);
        assert_eq!(other.next("msg")["text"], *text, "{script}");
        assert_eq!(pipe.out.wait("one: "), format!("one: {text}"), "{script}");
        pipe.say(text);
        assert_eq!(other.next("msg")["text"], *text, "{script}");
        assert_eq!(one.next("msg")["text"], *text, "{script}");
    }
    let written = std::fs::read_to_string(&log).unwrap();
    let mut records = written.lines().filter_map(|line| line.split_once('\t'));
    for (script, text) in SAID {
        let record = format!("one: {text}");
        assert!(records.any(|(_, line)| line == record), "{script}: {written}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// What a terminal would act on is no spelling, wherever it goes.
#[test]
fn what_steers_a_terminal_is_no_spelling() {
    let (_nodeset, addr) = nodeset();
    let (mut one, mut other) = (Program::join(&addr, "one"), Program::join(&addr, "other"));
    one.next("join");
    for (said, read) in [
        ("10%\r20%\r100%", "10%\n20%\n100%"),
        ("a\rb", "a\nb"),
        ("a\r\nb\u{2028}c\u{85}d\x0Be\x0Cf", "a\nb\nc\nd\ne\nf"),
        ("\x1b[31mred", "␛[31mred"),
        ("\u{202E}txt.exe\u{202C}", "\u{FFFD}txt.exe\u{FFFD}"),
        ("\u{2067}not closed", "not closed"),
        ("ad\u{200D}min\u{200B}", "admin"),
    ] {
        one.say(said);
        assert_eq!(other.next("msg")["text"], read);
    }
}

#[test]
fn a_carriage_return_of_a_pipe_ends_a_line() {
    let (_nodeset, addr) = nodeset();
    let mut reader = Program::join(&addr, "reader");
    let args = ["chat", &addr, "-n", "pipe", "--listen", "127.0.0.1:0", "--ephemeral"];
    let mut pipe = Process::start(&args);
    reader.next("join");
    pipe.say("10%\r20%\r100%\r");
    assert_eq!(reader.next("msg")["text"], "10%\n20%\n100%");
}

/// A name that cannot be spelled without a joiner is one; a mention of it is heard however it is written.
#[test]
fn names_are_spelled_as_well() {
    let (_nodeset, addr) = nodeset();
    let mut ali = Program::join(&addr, "علی\u{200C}رضا");
    let mut zoe = Program::join(&addr, "Zoe\u{308}");
    assert_eq!(ali.next("join")["who"]["name"], "Zoë");
    zoe.say("سلام علیرضا");
    assert_eq!(ali.next("msg")["mention"], true);
    ali.say("ZOE\u{308}: سلام");
    assert_eq!(zoe.next("msg")["mention"], true);
    let args = ["send", &addr, "-n", "al\u{200C}ice", "hi"];
    let mut refused = Process::of(&mut chatrpc(&args));
    assert_eq!(refused.status(), 4, "nobody sees a difference");
    let args = ["send", &addr, "-n", "علیرضا", "hi"];
    let mut alike = Process::of(&mut chatrpc(&args));
    assert_eq!(alike.status(), 4, "it looks the same");
}
