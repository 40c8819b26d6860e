//! What programs say in JSON: objects alone are commands, whatever is wrong is answered with the `ref` of
//! its request, and a text within the limit is taken however it is written.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

mod support;

use std::io::Write;

use serde_json::Value;
use support::{Process, nodeset};

/// A program in the room.
fn program(addr: &str, name: &str) -> Process {
    let args = ["chat", addr, "-n", name, "--json", "--listen", "127.0.0.1:0"];
    let mut program = Process::start(&args);
    program.out.wait(r#""t":"ready""#);
    program
}

/// What a line is answered with: the object, which is null if only a lax reader understands it, and its
/// text.
fn answer(program: &mut Process, line: &str, t: &str) -> (Value, String) {
    program.say(line);
    let text = program.out.wait(&format!(r#"{{"v":1,"t":"{t}","ts":""#));
    (serde_json::from_str(&text).unwrap_or_default(), text)
}

#[test]
fn every_answer_has_the_ref_of_its_request() {
    let (_nodeset, addr) = nodeset();
    let mut alice = program(&addr, "alice");
    let references = [
        "12345678901234567890123",
        "1.0e+5",
        "-0",
        r#""\u0041\/""#,
        r#"{"b":1, "a":[2,"x"]}"#,
        "null",
        r#""\ud800""#,
    ];
    let requests = [
        (r#""t":"send","text":"hi""#, "sent"),
        (r#""t":"nick","name":"alice""#, "nick"),
        (r#""t":"nick","name":"alicia""#, "nick"),
        (r#""t":"nick","name":"alice""#, "nick"),
        (r#""t":"who""#, "status"),
        (r#""t":"nick","name":"a:""#, "error"),
        (r#""t":"send","text":"hi","to":"aaaaaaaaaaaaa""#, "error"),
        (r#""t":"send","text":5"#, "error"),
        (r#""t":"send","text":"x","text":"y""#, "error"),
        (r#""t":"send","text":"\ud800""#, "error"),
        (r#""t":["send"]"#, "error"),
        (r#""t":"dance""#, "error"),
        (r#""text":"hi""#, "error"),
    ];
    for (request, t) in requests {
        for reference in references {
            for line in [
                format!(r#"{{{request},"ref":{reference}}}"#),
                format!(r#"{{"ref":{reference},{request}}}"#),
            ] {
                let (_, text) = answer(&mut alice, &line, t);
                let echoed = format!(r#","ref":{reference},"#);
                assert!(text.contains(&echoed), "{line}: {text}");
            }
        }
        let (_, text) = answer(&mut alice, &format!("{{{request}}}"), t);
        assert!(!text.contains(r#""ref""#), "a ref belongs to one request: {text}");
    }
    // Of a line of which the rest is not known, or is no JSON.
    let text = "x".repeat(1 << 18);
    let long = format!(r#"{{"ref":"long","t":"send","text":"{text}"}}"#);
    let (error, _) = answer(&mut alice, &long, "error");
    assert_eq!((&error["code"], &error["ref"]), (&"bad_input".into(), &"long".into()));
    let (error, _) = answer(&mut alice, r#"{"ref":"cut","t":"send","#, "error");
    assert_eq!(error["ref"], "cut");
    let stdin = alice.stdin.as_mut().unwrap();
    stdin.write_all(b"{\"t\":\"send\",\"text\":\"\xff\",\"ref\":\"bytes\"}\n").unwrap();
    assert!(alice.out.wait(r#""t":"error""#).contains(r#","ref":"bytes","#));
    // It is as safe to show as everything else.
    let odd = "{\"t\":\"who\",\"ref\":[\t\"\u{9b}31m\u{202e}\"]}";
    let (status, text) = answer(&mut alice, odd, "status");
    assert_eq!(status["ref"][0], "\u{9b}31m\u{202e}");
    assert!(text.contains(r#"[ "\u009b31m\u202e"]"#), "{text}");
    let (error, _) =
        answer(&mut alice, &format!(r#"{{"t":"who","ref":"{}"}}"#, "x".repeat(5000)), "error");
    assert_eq!(error["message"], "ref has at most 4096 bytes");

    let (leaving, _) = answer(&mut alice, r#"{"t":"quit","ref":"q"}"#, "status");
    assert_eq!((&leaving["code"], &leaving["ref"]), (&"leaving".into(), &"q".into()));
    assert_eq!(alice.status(), 0);
}

/// A list of the fields in their order was a command.
#[test]
fn objects_alone_are_commands() {
    let (_nodeset, addr) = nodeset();
    let mut alice = program(&addr, "alice");
    for line in [
        r#"["send","hello",false,null,null,null]"#,
        r#"["who",null,false,null,null,null]"#,
        r#"[{"t":"quit"}]"#,
        r#""quit""#,
        "null",
        "7",
    ] {
        assert_eq!(answer(&mut alice, line, "error").0["code"], "bad_input", "{line}");
    }
    assert!(alice.out.has_none(r#""t":"sent""#));
}

/// 3,000 letters that were written with six each were too long.
#[test]
fn a_text_within_the_limit_is_taken_however_it_is_written() {
    let (_nodeset, addr) = nodeset();
    let mut alice = program(&addr, "alice");
    let mut bob = program(&addr, "bob");
    for (escape, letter) in [(r"\u003c", "<"), (r"\u00E9", "é"), (r"\ud83d\ude00", "😀")] {
        let count = 4096 / letter.len();
        let line = |count| format!(r#"{{"t":"send","text":"{}","ref":1}}"#, escape.repeat(count));
        assert_eq!(answer(&mut alice, &line(count), "sent").0["to"], 1);
        let msg: Value = serde_json::from_str(&bob.out.wait(r#""t":"msg""#)).unwrap();
        assert_eq!(msg["text"], letter.repeat(count));
        let (error, _) = answer(&mut alice, &line(count + 1), "error");
        assert_eq!((&error["code"], &error["ref"]), (&"too_long".into(), &1.into()));
    }
    // Blanks and fields that are not known take room of their own.
    let line = format!(
        r#"{{"t":"send",{}"text":"{}","unknown":"{}"}}"#,
        " ".repeat(50_000),
        r"\u003c".repeat(4096),
        "x".repeat(50_000)
    );
    assert_eq!(answer(&mut alice, &line, "sent").0["to"], 1);
}
