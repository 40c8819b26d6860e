//! The screen as people meet it: a real terminal, real keys, real peers.
//!
//! What a person would see is said by an emulator; what is written to the terminal is checked byte
//! by byte, in every test, when the program has ended.
//!
//! Not here: that a panic gives the terminal back. No key and no peer is known to cause one.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

#[path = "support/pty.rs"]
mod pty;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use pty::{Ended, SMALL, Setup, Stream, Terminal, USUAL, WIDE};
use rustix::process::Signal;
use serde_json::Value;
use support::{Process, chatrpc, nodeset, person};

const TAB: &str = "\t";
const ESCAPE: &str = "\x1b";
const F1: &str = "\x1bOP";
const F4: &str = "\x1bOS";
const F6: &str = "\x1b[17~";
const PAGE_UP: &str = "\x1b[5~";
const END: &str = "\x1b[F";
const CTRL_C: &str = "\x03";
const CTRL_L: &str = "\x0c";
const CTRL_Z: &str = "\x1a";

/// A terminal and somebody in line mode who see each other.
fn two(addr: &str) -> Option<(Terminal, Process)> {
    two_at(addr, &[])
}

/// The same, of whom Alice says more.
fn two_at(addr: &str, more: &[&str]) -> Option<(Terminal, Process)> {
    let mut alice = Terminal::join_with(addr, "alice", more, Setup::default())?;
    let mut bob = person(addr, "bob");
    alice.see("bob has entered the chat!");
    bob.err.wait_anywhere("alice");
    Some((alice, bob))
}

/// A program in the room that speaks JSON.
fn program(addr: &str, name: &str) -> Process {
    let mut program =
        Process::start(&["chat", addr, "-n", name, "--json", "--listen", "127.0.0.1:0"]);
    program.out.wait(r#""t":"ready""#);
    program
}

/// Says something in JSON, and waits until somebody has it: the round trip in ms.
fn round_trip(program: &mut Process, text: &str) -> u64 {
    program.say(&serde_json::json!({ "t": "send", "text": text }).to_string());
    let acked: Value = serde_json::from_str(&program.out.wait(r#""t":"acked""#)).unwrap();
    acked["rtt_ms"].as_u64().unwrap()
}

/// The median of round trips is short; the longest one is printed.
fn assert_short(mut trips: Vec<u64>) {
    trips.sort_unstable();
    let (median, longest) = (trips[trips.len() / 2], trips[trips.len() - 1]);
    eprintln!("round trips: median {median} ms, longest {longest} ms of {}", trips.len());
    assert!(median < 50, "{trips:?}");
}

/// What stands in the pane of messages at 80x24.
fn messages(terminal: &Terminal) -> Vec<String> {
    let rows = terminal.rows();
    let pane = rows.iter().filter_map(|row| row.split_once("││"));
    pane.map(|(row, _)| row.trim_end().to_owned()).collect()
}

// ---- A conversation ----

#[test]
fn three_people_talk_at_three_sizes() {
    let (_nodeset, addr) = nodeset();
    let Some(mut alice) = Terminal::join(&addr, "alice", WIDE) else { return };
    let Some(mut bob) = Terminal::join(&addr, "bob", USUAL) else { return };
    let Some(mut carol) = Terminal::join(&addr, "carol", SMALL) else { return };
    alice.see("bob came · carol came");
    bob.see("carol has entered the chat!");

    alice.say("did the failover test pass?");
    for other in [&mut alice, &mut bob, &mut carol] {
        other.see("alice: did the failover test");
    }
    alice.see("✓ alice: did the failover test pass?");
    carol.say("3 of 3");
    alice.see("carol: 3 of 3");
    bob.see("carol: 3 of 3");
    carol.see("✓ carol: 3 of 3");
    for (who, me, others) in
        [(&alice, "alice", ["bob", "carol"]), (&bob, "bob", ["alice", "carol"])]
    {
        assert!(who.shows("People (3)"), "{}", who.picture());
        assert!(who.shows(&format!("● {me} (you)")), "{}", who.picture());
        for other in others {
            assert!(who.shows(&format!("● {other} ")), "{}", who.picture());
        }
    }
    assert!(carol.rows()[0].starts_with("chatRPC OPEN carol"), "{}", carol.picture());
    carol.wait("three people", |carol| carol.rows()[0].contains("● 3 · "));

    assert_eq!(bob.leave().status, 0);
    alice.see("bob has left the chat!");
    carol.see("bob has left the chat!");
    assert_eq!(alice.leave().status, 0);
    assert_eq!(carol.leave().status, 0);
}

#[test]
fn the_name_is_asked_for_before_the_screen() {
    let (_nodeset, addr) = nodeset();
    let args = ["chat", &addr, "--listen", "127.0.0.1:0"];
    let Some(mut first) = Terminal::start(&args, Setup::default()) else { return };
    first.see("Welcome to chatRPC!");
    first.see("Please enter your name: [tester]");
    assert!(!first.screen().alternate_screen());
    first.press("\r");
    first.see("Welcome to the chat room, tester!");

    let Some(mut second) = Terminal::start(&args, Setup::default()) else { return };
    second.see("Please enter your name: [tester]");
    second.press("\r");
    second.see("the name 'tester' is in use");
    let asked = |terminal: &Terminal| {
        terminal.rows().iter().filter(|row| row.contains("Please enter your name")).count()
    };
    second.wait("the question again", |terminal| asked(terminal) == 2);
    assert!(!second.screen().alternate_screen());
    second.press("zoë\r");
    second.see("Welcome to the chat room, zoë!");
    first.see("zoë has entered the chat!");
    second.say("hi");
    first.see("zoë: hi");
    assert_eq!(second.leave().status, 0);
}

#[test]
fn a_mistyped_command_is_not_sent() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    alice.say("/nikc secret");
    alice.see("unknown command /nikc");
    alice.see_draft("/nikc secret");
    alice.press(CTRL_C);
    alice.see_draft("");
    alice.say("//x");
    assert_eq!(bob.out.next_line().unwrap(), "alice: /x");
    assert_eq!(alice.leave().status, 0);
}

// ---- Reading and typing while others talk ----

#[test]
fn who_reads_back_is_not_moved() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    (0..60).for_each(|n| bob.say(&format!("old {n}.")));
    alice.see("old 59.");
    alice.press(F6);
    alice.press("kkkkk");
    alice.wait("older rows", |terminal| !terminal.shows("old 56."));
    let before = messages(&alice);
    (0..50).for_each(|n| bob.say(&format!("new {n}.")));
    alice.see("↓ 50 new — End");
    assert_eq!(messages(&alice), before);
    alice.press(END);
    alice.see("new 49.");
    assert!(!alice.shows("— End"), "{}", alice.picture());

    // The same without a change of focus; a page more, and the wheel's worth of keys.
    alice.press(TAB);
    alice.press(PAGE_UP);
    alice.wait("half a page", |terminal| !terminal.shows("new 49."));
    let before = messages(&alice);
    bob.say("last one");
    alice.see("↓ 1 new — End");
    assert_eq!(messages(&alice), before);
    alice.press("\x1b[1;5F");
    alice.see("last one");
    assert_eq!(alice.leave().status, 0);
}

#[test]
fn typing_is_not_disturbed() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    alice.press("half a li");
    alice.see_draft("half a li");
    let before = (alice.draft(), alice.screen().cursor_position());
    (0..100).for_each(|n| bob.say(&format!("noise {n}.")));
    alice.see("noise 99.");
    assert_eq!((alice.draft(), alice.screen().cursor_position()), before);
    assert!(!alice.screen().hide_cursor());
    alice.say("ne");
    assert_eq!(bob.out.next_line().unwrap(), "alice: half a line");
    assert_eq!(alice.leave().status, 0);
}

#[test]
fn three_thousand_bytes_at_once_arrive() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    let text: String = (0..750).map(|n| format!("{n:03} ")).collect();
    let text = text.trim_end();
    assert_eq!(text.len(), 2_999);
    alice.say(text);
    assert_eq!(bob.out.next_line().unwrap(), format!("alice: {text}"));

    alice.say(&"x".repeat(5_000));
    alice.see("5,000 bytes are 2 messages");
    alice.press(ESCAPE);
    alice.see("5,000 bytes: 2 messages");
    alice.press(CTRL_C);
    alice.see_draft("");
    alice.say("short");
    assert_eq!(bob.out.next_line().unwrap(), "alice: short");
    assert_eq!(alice.leave().status, 0);
}

#[test]
fn half_a_key_holds_nothing_up() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    let mut meanwhile = |alice: &mut Terminal, text: &str| {
        let begin = Instant::now();
        bob.say(text);
        alice.see(text);
        let took = begin.elapsed();
        assert!(took < Duration::from_millis(700), "{text}: {took:?}");
        // Longer than the rest of a key may take.
        sleep(Duration::from_millis(250));
    };
    alice.press("\x1b[");
    meanwhile(&mut alice, "during ESC [");
    alice.press("a");
    alice.see_draft("a");
    alice.press(b"\xc3");
    meanwhile(&mut alice, "during half a letter");
    alice.press("b");
    alice.see_draft("ab");
    alice.press(b"\xc3");
    alice.press(b"\xa9");
    alice.see_draft("abé");
    alice.press("\x1b[200~pas");
    meanwhile(&mut alice, "during a paste");
    assert_eq!(alice.draft().0, "abé");
    alice.see_draft("abépas");
    // What comes in one piece may be the rest of the paste; a key comes alone.
    alice.press("!\r");
    alice.see_draft("abépas!");
    alice.press("\r");
    assert_eq!(bob.out.next_line().unwrap(), "alice: abépas! ⏎ ", "and nothing before it");
    assert_eq!(alice.leave().status, 0);
}

#[test]
fn a_paste_of_several_lines_asks_first() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    alice.press("\x1b[200~one\rtwo\r\x1b[201~");
    alice.see("Paste 2 lines, 7 bytes?");
    alice.press("\r");
    alice.see_draft("one");
    assert!(alice.shows("  two"), "{}", alice.picture());
    alice.press("\r");
    assert_eq!(bob.out.next_line().unwrap(), "alice: one ⏎ two");

    alice.press("\x1b[200~three\nfour\x1b[201~");
    alice.see("Paste 2 lines, 10 bytes?");
    alice.press(ESCAPE);
    alice.see_draft("");
    alice.say("five");
    assert_eq!(bob.out.next_line().unwrap(), "alice: five");

    // As tmux and screen paste, and a serial line: nobody marks anything.
    alice.press("my password\r/msg bob six\r/quit\r");
    alice.see("Paste 3 lines, 30 bytes?");
    alice.press(ESCAPE);
    alice.see_draft("");
    // A program that types a line, and waits for what comes of it, is not asked.
    for line in ["seven", "eight", "nine"] {
        alice.say(line);
        assert_eq!(bob.out.next_line().unwrap(), format!("alice: {line}"));
    }
    assert_eq!(alice.leave().status, 0);
}

#[test]
fn lines_pasted_where_there_is_no_screen_ask_first() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two_at(&addr, &["--plain"]) else { return };
    alice.press("my password\n/msg bob psst\n/quit\n");
    alice.see("* 3 lines came at once (31 bytes), as of a paste: y says them as one message");
    alice.say("no");
    alice.see("* the paste was not said");
    for line in ["one", "two"] {
        alice.say(line);
        assert_eq!(bob.out.next_line().unwrap(), format!("alice: {line}"));
    }
    alice.press("three\nfour\n");
    alice.see("* 2 lines came at once (10 bytes)");
    alice.say("perhaps");
    alice.see("* y says the 2 lines that were pasted");
    alice.say("y");
    assert_eq!(bob.out.next_line().unwrap(), "alice: three ⏎ four");
    // What was no answer stands there again.
    alice.press("\x15");
    alice.press("five\nsix\n");
    alice.see("* 2 lines came at once (8 bytes)");
    alice.press("\x04");
    let ended = alice.end();
    assert_eq!(ended.status, 0);
    assert!(ended.text.contains("* the paste was not said: nobody answered"), "{}", ended.text);
    bob.end_input();
    assert!(!bob.out.all().concat().contains("password"));
}

/// A message as a line that the terminal wraps, and copies as one.
#[test]
fn messages_stand_there_as_plain_lines_to_be_copied() {
    let (_nodeset, addr) = nodeset();
    let Some(mut alice) = Terminal::join(&addr, "alice", SMALL) else { return };
    let mut bob = person(&addr, "bob");
    alice.see("bob has entered");
    let texts = [
        "سلام دوستان عزیز",
        "क्षत्रिय नमस्ते",
        "ที่นี่ สวัสดี",
        "日本語の長い文章がここにあります。もう一つの文章",
        "👩‍👩‍👧 👍🏽 🇩🇪",
    ];
    for text in texts {
        bob.say(text);
    }
    let long = "see https://example.org/a/very/long/path/that/is/wider/than/the/screen and more";
    bob.say(long);
    alice.see("and more");
    alice.press("a draft");
    alice.see_draft("a draft");
    alice.press("\x1bOR");
    alice.wait("a line that is one", |alice| {
        alice.screen().contents().lines().any(|line| line == format!("bob: {long}"))
    });
    bob.say("meanwhile");
    alice.resize(USUAL);
    alice.wait("it at another width", |alice| {
        alice.screen().contents().lines().any(|line| line == format!("bob: {long}"))
    });
    alice.press(ESCAPE);
    alice.see("bob: meanwhile");
    alice.see_draft("a draft");
    alice.press(CTRL_C);
    alice.leave();
}

/// What was set in one run is so in the next, whatever else the file holds.
#[test]
fn what_is_set_is_set_in_the_next_run() {
    let (_nodeset, addr) = nodeset();
    let state = std::env::temp_dir().join(format!("chatrpc-kept-{}", std::process::id()));
    let _ = fs::remove_dir_all(&state);
    let folder: &'static str = state.to_str().unwrap().to_owned().leak();
    let start = |args: &[&str]| {
        let setup = Setup { env: vec![("XDG_STATE_HOME", folder)], ..Setup::default() };
        Terminal::join_with(&addr, "alice", args, setup)
    };
    let Some(mut alice) = start(&[]) else { return };
    let bob = person(&addr, "bob");
    alice.see("bob has entered the chat!");
    for (line, said) in [
        ("/time off", "/time is off"),
        ("/notify all", "/notify is all"),
        ("/ignore bob", "what bob says is hidden"),
        ("/mouse on", "the mouse is reported"),
    ] {
        alice.say(line);
        alice.see(said);
    }
    alice.leave();
    let file = state.join("chatrpc/settings");
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.starts_with("time = off\nnotify = all\nmouse = on\nignore = "), "{written}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&file, format!("{written}time = noon\n\x1b]0;x\x07\n")).unwrap();
    let mut alice = start(&["--notify", "off"]).unwrap();
    alice.see("2 lines of what was set before mean nothing");
    for (line, said) in [
        ("/time", "/time is off"),
        ("/notify", "/notify is off"),
        ("/mouse", "/mouse is on"),
        ("/ignore", "ignored: bob"),
    ] {
        alice.say(line);
        alice.see(said);
    }
    alice.say("/mouse off");
    alice.see("the mouse selects");
    alice.leave();
    let mended = fs::read_to_string(&file).unwrap();
    let others = "time = noon\n\x1b]0;x\x07\n";
    assert_eq!(mended, written.replace("mouse = on", "mouse = off") + others, "which stay");
    // What others could have written is nothing that was set.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let mut alice = start(&[]).unwrap();
    alice.see("what was set before is not known");
    alice.say("/time hm");
    alice.see("what you set is forgotten when this run ends");
    alice.leave();
    assert_eq!(fs::read_to_string(&file).unwrap(), mended);
    drop(bob);
    fs::remove_dir_all(&state).unwrap();
}

/// What arrived went into the line that somebody was typing.
#[test]
fn what_arrives_where_there_is_no_screen_leaves_the_line_that_is_typed_alone() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two_at(&addr, &["--plain"]) else { return };
    let rows = |alice: &Terminal| -> Vec<String> {
        let rows = alice.rows().into_iter().map(|row| row.trim_end().to_owned());
        rows.filter(|row| !row.is_empty()).collect()
    };
    for (number, end) in ["\r", "\x7f\x7fgh\r"].into_iter().enumerate() {
        alice.press("half a ");
        alice.see("half a");
        bob.say(&format!("hello {number}"));
        let said = format!("bob: hello {number}");
        alice.wait("the line behind what arrived", |alice| {
            rows(alice).ends_with(&[said.clone(), "half a".to_owned()])
        });
        alice.press(format!("line{end}"));
        let heard = if number == 0 { "alice: half a line" } else { "alice: half a ligh" };
        assert_eq!(bob.out.next_line().unwrap(), heard);
    }
    // Whoever stopped it had the terminal meanwhile.
    alice.press("more");
    alice.see("more");
    alice.press(CTRL_Z);
    alice.signal(Signal::STOP);
    alice.wait_state('T');
    alice.signal(Signal::CONT);
    alice.wait_state('S');
    bob.say("again");
    alice.wait("the line behind what arrived", |alice| {
        rows(alice).ends_with(&["bob: again".to_owned(), "more".to_owned()])
    });
    alice.press("\x15\x04");
    let ended = alice.end();
    assert_eq!(ended.status, 0);
    assert!(ended.text.contains("bob: again"), "{}", ended.text);
}

/// 200 lines were refused, and there was no way on.
#[test]
fn a_long_paste_is_said_in_several_messages_where_somebody_agrees() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    let lines: Vec<String> = (0..200).map(|n| format!("line {n} {}", "x".repeat(50))).collect();
    let heard = |bob: &mut Process, count: usize| -> String {
        let said = (0..count).map(|_| bob.out.next_line().unwrap());
        let text = |line: String| line.strip_prefix("alice: ").map(str::to_owned).unwrap();
        said.map(text).collect::<Vec<_>>().join(" ⏎ ")
    };
    alice.press(format!("\x1b[200~{}\n\x1b[201~", lines.join("\r")));
    alice.see("Paste 200 lines, 11,889 bytes: 3 messages.");
    alice.press("\r");
    assert_eq!(heard(&mut bob, 3), lines.join(" ⏎ "));
    alice.press(format!("\x1b[200~{}\n\x1b[201~", lines.join("\r")));
    alice.see("Paste 200 lines");
    alice.press(ESCAPE);
    alice.see("kept in the draft");
    alice.press(CTRL_C);
    alice.say("only this");
    assert_eq!(bob.out.next_line().unwrap(), "alice: only this");
    alice.leave();
    let Some(mut carol) = Terminal::join_with(&addr, "carol", &["--plain"], Setup::default())
    else {
        return;
    };
    bob.err.wait("* carol has entered the chat!");
    carol.press(format!("{}\n", lines[..100].join("\n")));
    carol.see("100 lines came at once (5,889 bytes), as of a paste");
    carol.say("y");
    let text = |line: String| line.strip_prefix("carol: ").map(str::to_owned).unwrap();
    let said: Vec<String> = (0..2).map(|_| text(bob.out.next_line().unwrap())).collect();
    assert_eq!(said.join(" ⏎ "), lines[..100].join(" ⏎ "));
}

/// A terminal's end ends the chat; who has none is told tests/files.rs.
#[test]
fn a_hangup_ends_who_has_a_terminal() {
    let (_nodeset, addr) = nodeset();
    let args = ["--plain", "--stay"];
    let Some(mut alice) = Terminal::join_with(&addr, "alice", &args, Setup::default()) else {
        return;
    };
    alice.signal(Signal::HUP);
    assert_eq!(alice.end().status, 129);
}

#[test]
fn a_paste_of_megabytes_neither_freezes_nor_is_sent() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    let line = "all work and no play\r";
    let text = line.repeat(5_000_000 / line.len());
    let mut pieces = text.as_bytes().chunks(text.len() / 10 + 1);
    alice.press("\x1b[200~");
    alice.press(pieces.next().unwrap());
    // The room goes on in the middle of it.
    bob.say("meanwhile");
    alice.see("meanwhile");
    pieces.for_each(|piece| alice.press(piece));
    alice.press("\x1b[201~");
    alice.see(" bytes were pasted, a draft takes");
    alice.see_draft("");
    alice.say("still here");
    assert_eq!(bob.out.next_line().unwrap(), "alice: still here");
    assert_eq!(alice.leave().status, 0);
}

// ---- The terminal changes ----

#[test]
fn a_storm_of_resizes() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    alice.press("my draft");
    alice.see_draft("my draft");
    let mut random = 1_u64;
    let mut below = |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % limit
    };
    for n in 0..100 {
        let size = if n == 50 { (1, 1) } else { (1 + below(130) as u16, 1 + below(45) as u16) };
        alice.resize(size);
        bob.say(&format!("message {n}. {}", "word ".repeat(below(20) as usize)));
        alice.pump(Duration::from_millis(below(10)));
    }
    alice.resize(USUAL);
    alice.see("message 99.");
    alice.see("People (2)");
    alice.see_draft("my draft");
    alice.see("Ctrl+C:Exit");
    let drawn = alice.rows();
    assert!(drawn[0].starts_with("┌chatRPC OPEN · lobby───"), "{}", alice.picture());
    // Drawn anew it looks the same.
    let before = alice.raw.len();
    alice.press(CTRL_L);
    alice.wait("a whole frame", |terminal| {
        terminal.raw[before..].windows(4).any(|part| part == b"\x1b[2J")
    });
    assert_eq!(alice.rows()[3..], drawn[3..]);
    alice.press(CTRL_C);
    assert_eq!(alice.leave().status, 0);
}

#[test]
fn suspended_and_back() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    alice.press("a draft");
    alice.press(F4);
    alice.see_draft("a draft");
    // Nobody would continue us: a shell that starts one program for a session waits for its end.
    alice.press(CTRL_Z);
    alice.see("there is no shell to return to");
    alice.signal(Signal::TSTP);
    bob.say("are you there?");
    alice.see("bob: are you there?");
    alice.see_draft("a draft");

    // From outside, without a warning: nobody can give the terminal back, and it is drawn anew.
    alice.signal(Signal::STOP);
    alice.wait_state('T');
    bob.say("and now?");
    let before = alice.raw.len();
    alice.signal(Signal::CONT);
    alice.see("bob: and now?");
    alice.wait("a whole frame", |terminal| {
        terminal.raw[before..].windows(4).any(|part| part == b"\x1b[2J")
    });
    assert!(alice.screen().alternate_screen() && alice.screen().bracketed_paste());
    assert!(!alice.has_its_modes());
    assert!(Stream::of(&alice.raw).on.is_superset(&[1000, 1006, 1004, 1007, 1049, 2004].into()));
    alice.say("!");
    assert_eq!(bob.out.next_line().unwrap(), "alice: a draft!");
    assert_eq!(alice.leave().status, 0);
}

/// Waits until a shell asks for a command.
fn see_prompt(shell: &mut Terminal) {
    shell.wait("a prompt", |shell| {
        let rows = shell.rows();
        let last = rows.iter().rfind(|row| !row.is_empty());
        !shell.screen().alternate_screen() && last.is_some_and(|row| row == "ready>")
    });
}

#[test]
fn a_shell_takes_the_terminal_and_gives_it_back() {
    let (_nodeset, addr) = nodeset();
    let env = vec![("PS1", "ready> "), ("PS2", "")];
    let args = ["--norc", "--noprofile", "--noediting", "-i"];
    let Some(mut shell) = Terminal::run("bash", &args, Setup { env, ..Setup::default() }) else {
        return;
    };
    shell.see("ready>");
    let program = env!("CARGO_BIN_EXE_chatrpc");
    shell.press(format!("{program} chat {addr} -n alice --listen 127.0.0.1:0\n"));
    shell.see("Welcome to the chat room, alice!");
    let mut bob = person(&addr, "bob");
    shell.see("bob has entered the chat!");
    shell.press(CTRL_Z);
    shell.see("Stopped");
    see_prompt(&mut shell);
    assert!(!shell.screen().hide_cursor() && !shell.screen().bracketed_paste());
    assert_eq!(Stream::of(&shell.raw).on, Stream::default().on);
    shell.press("echo t''yped\n");
    shell.see("typed");
    bob.say("welcome back");
    shell.press("fg\n");
    shell.see("bob: welcome back");
    assert!(shell.screen().alternate_screen() && shell.screen().bracketed_paste());
    shell.say("thanks");
    assert_eq!(bob.out.next_line().unwrap(), "alice: thanks");
    shell.press(CTRL_C);
    bob.err.wait("* alice has left the chat!");
    see_prompt(&mut shell);
    shell.press("echo status=$?\n");
    shell.see("status=0");
    // Also where the shell started something that started us.
    shell.press(format!("sh -c '{program} chat {addr} -n carol --listen 127.0.0.1:0; true'\n"));
    shell.see("Welcome to the chat room, carol!");
    shell.press(CTRL_Z);
    see_prompt(&mut shell);
    shell.press("fg\n");
    shell.see("Welcome to the chat room, carol!");
    shell.press(CTRL_C);
    see_prompt(&mut shell);
    shell.press("exit\n");
    assert_eq!(shell.end().status, 0);
}

// ---- The end ----

#[test]
fn every_way_out_gives_the_terminal_back() {
    type Leave = fn(&mut Terminal);
    let mut ways: Vec<(&str, Leave, i32)> = vec![
        ("ctrl-c", |alice| alice.press(CTRL_C), 0),
        ("ctrl-d", |alice| alice.press("\x04"), 0),
        ("reading", |alice| alice.press(format!("{F6}{CTRL_C}")), 0),
        ("quit", |alice| alice.say("/quit"), 0),
        ("sigint", |alice| alice.signal(Signal::INT), 0),
        ("sigterm", |alice| alice.signal(Signal::TERM), 143),
        ("sighup", |alice| alice.signal(Signal::HUP), 129),
        ("sigquit", |alice| alice.signal(Signal::QUIT), 131),
        ("sigusr1", |alice| alice.signal(Signal::USR1), 138),
        ("sigtrap", |alice| alice.signal(Signal::TRAP), 133),
        ("sigsys", |alice| alice.signal(Signal::SYS), 159),
    ];
    #[cfg(target_os = "linux")]
    ways.extend([
        ("sigstkflt", (|alice| alice.signal(Signal::STKFLT)) as Leave, 144),
        ("sigpwr", |alice| alice.signal(Signal::POWER), 158),
        ("sig36", |alice| alice.signal_number(36), 164),
        ("sigrtmax", |alice| alice.signal_number(64), 192),
    ]);
    let (_nodeset, addr) = nodeset();
    let mut bob = person(&addr, "bob");
    let mut here = Vec::new();
    for (name, ..) in &ways {
        let Some(alice) = Terminal::join(&addr, name, USUAL) else { return };
        here.push(alice);
    }
    for ((name, leave, expected), mut alice) in ways.into_iter().zip(here) {
        alice.press(F4);
        alice.see("the mouse is reported");
        alice.press("x");
        alice.press(CTRL_C);
        alice.see("Ctrl+C again exits");
        leave(&mut alice);
        let Ended { status, stream, .. } = alice.end();
        assert_eq!(status, expected, "{name}");
        assert!(stream.ever_on.contains(&1006), "{name}");
        bob.err.wait(&format!("* {name} has left the chat!"));
    }
}

#[test]
fn a_closed_terminal_is_a_leave() {
    let (_nodeset, addr) = nodeset();
    let mut bob = person(&addr, "bob");
    let setup = Setup { alone: true, ..Setup::default() };
    let Some(alice) = Terminal::join_with(&addr, "alice", &[], setup) else { return };
    bob.err.wait("* alice has entered the chat!");
    assert_eq!(alice.close(), 129);
    assert_eq!(bob.err.wait("has left"), "* alice has left the chat!");
}

#[test]
fn what_a_killed_peer_did_not_get_is_said() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    alice.say("with you");
    assert_eq!(bob.out.next_line().unwrap(), "alice: with you");
    alice.see("✓ alice: with you");
    bob.child.kill().unwrap();
    alice.say("without you");
    alice.see("· alice: without you");
    alice.see("1 unsent");
    alice.press(CTRL_C);
    alice.see("leaving: waiting for 1 message");
    let begin = Instant::now();
    alice.press(CTRL_C);
    let ended = alice.end();
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(ended.status, 0);
    assert!(ended.text.contains("* 1 message did not reach everybody"), "{}", ended.text);
}

// ---- The network does not wait for the terminal ----

#[test]
fn a_terminal_that_stands_still_leaves_its_member_in_the_room() {
    let (_nodeset, addr) = nodeset();
    let Some(mut alice) = Terminal::join(&addr, "alice", USUAL) else { return };
    let mut carol = program(&addr, "carol");
    alice.see("carol has entered the chat!");
    let pid = alice.pid().as_raw_nonzero();
    let written = || {
        let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        io.lines().find(|line| line.starts_with("wchar")).map(str::to_owned)
    };

    let begin = Instant::now();
    let mut trips = Vec::new();
    let mut halfway = None;
    let mut n = 0;
    while begin.elapsed() < Duration::from_secs(10) {
        // Every message changes the whole pane.
        let wall = char::from(b'a' + (n % 26) as u8).to_string().repeat(900);
        trips.push(round_trip(&mut carol, &format!("message {n}. {wall}")));
        n += 1;
        if halfway.is_none() && begin.elapsed() > Duration::from_secs(6) {
            halfway = Some(written().expect("the kernel counts what is written"));
            let begin = Instant::now();
            let text = "from outside";
            let mut sent = Process::of(&mut chatrpc(&["send", &addr, "-n", "dave", text]));
            assert_eq!(sent.status(), 0, "{}", sent.errors());
            let took = begin.elapsed();
            assert!(took < Duration::from_secs(3), "{took:?}");
        }
        sleep(Duration::from_millis(15));
    }
    assert_eq!(halfway, written(), "the terminal did not stand still");
    carol.say(r#"{"t":"who"}"#);
    let people = carol.out.wait(r#""code":"people""#);
    assert!(people.contains(r#""name":"alice""#), "{people}");
    assert_short(trips);

    round_trip(&mut carol, "the newest of all");
    alice.see("carol: the newest of all");
    assert_eq!(alice.leave().status, 0);
}

#[test]
fn the_network_does_not_wait_for_half_a_key() {
    let (_nodeset, addr) = nodeset();
    let Some(mut alice) = Terminal::join(&addr, "alice", USUAL) else { return };
    let mut carol = program(&addr, "carol");
    alice.see("carol has entered the chat!");
    let mut trips = Vec::new();
    for n in 0..40 {
        alice.press(["\x1b[", "\x1b", "\x1b[200~open "][n % 3]);
        alice.press(&b"\xc3"[..n % 2]);
        trips.push(round_trip(&mut carol, &format!("{n}.")));
        alice.pump(Duration::ZERO);
    }
    assert_short(trips);
    alice.see("carol: 39.");
}

// ---- What others send ----
/// What tries to be more than text.
const EVIL: &[&str] = &[
    "\x1b[31mred\x1b[0m \x1b[2J\x1b[H \x1b]0;title\x07 \x1bc \x1b[?1049l \x1b[6n",
    "\u{9b}31m \u{90}q\u{9c} \u{9d}52;c;aGk=\u{9c} \x7f \x08\x08 \x0e \x18 \x1a",
    "\x1b]52;c;aGk=\x07 \x1b]8;;https://evil.example/\x1b\\click\x1b]8;;\x1b\\",
    "\u{202e}drow\u{202c} \u{2066}iso\u{2069} \u{200f}\u{61c}\u{200e}",
    "z\u{200b}e\u{200c}r\u{200d}o\u{2060}\u{feff}\u{ad}\u{34f} \u{3164}\u{115f}\u{ffa0}",
    "tags \u{e0041}\u{e007f} \u{180e} \u{fff9}a\u{fffa}b\u{fffb} \u{2028} \u{2029}",
    "emoji 👩\u{200d}💻 ❤\u{fe0f} 🇩🇪 你好 한글 e\u{301} ไทย",
    "https://example.org/\x1b]8;;x\x1b\\y http://example.org/\u{202e}gpj.exe javascript:alert(1)",
    "https://example.org/päth?q=\u{9b}31m (https://example.org/a_(b)) file:///etc/passwd",
    "\r\r09:00 ← alice has left the chat! \t tab [red]tview[-]",
    "/me \x1b[5mblinks",
];

#[test]
fn nothing_that_others_send_controls_the_terminal() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    EVIL.iter().for_each(|line| bob.say(line));
    bob.say(&format!("zalgo {}", "a\u{301}".repeat(3) + &"\u{336}\u{35c}".repeat(300)));
    bob.say(&"\u{9b}".repeat(2_048));
    bob.say(&"W".repeat(4_096));
    bob.say(&"👩\u{200d}".repeat(500));
    bob.say("/nick Βob[red]");
    alice.see("Βob[red]");
    // Names that only pretend to be others are refused where they come from; these are not.
    for name in ["ａlice2", "rnallory", "ev\u{301}il", "a․b", "[2J"] {
        let mut sent = Process::of(&mut chatrpc(&["send", &addr, "-n", name, "\x1b[7mhi\x1b[m"]));
        sent.status();
    }
    // While nobody looks, a mention rings.
    alice.press("\x1b[Oaway");
    alice.see_draft("away");
    bob.say("alice: \x1b]9;forged\x07 \u{202e}txt;more\x1b\\");
    alice.see("» Βob[red]: alice: ");
    alice.press(format!("\x1b[I{CTRL_C}"));
    alice.see_draft("");
    // All of it is shown, at two sizes; and the sheets.
    for size in [USUAL, SMALL] {
        alice.resize(size);
        alice.press(F6);
        let mut pages = 0;
        while !alice.shows("here: ") {
            assert!(pages < 500, "{}", alice.picture());
            pages += 1;
            alice.press(PAGE_UP);
            alice.pump(Duration::from_millis(20));
        }
        alice.press(END);
        alice.press(F6);
        alice.see("alice: ␛]9;");
    }
    alice.resize(WIDE);
    alice.say("/who");
    alice.see(" ms  127.0.0.1:");
    alice.press(F1);
    alice.see("Esc closes");
    alice.press("q");
    alice.press(CTRL_C);
    let Ended { status, stream, .. } = alice.end();
    assert_eq!(status, 0);
    assert_eq!(stream.bells, 1);
    assert_eq!(stream.notifications.len(), 1);
    assert!(stream.notifications[0].contains("alice: ␛]9,forged"), "{:?}", stream.notifications);
    let hosts = stream.links.iter().map(|link| link.split('/').nth(2).unwrap_or_default());
    assert!(hosts.clone().count() >= 3, "{:?}", stream.links);
    let known = ["example.org", "evil.example"];
    assert!(
        hosts.clone().all(|host| known.iter().any(|k| host.starts_with(k))),
        "{:?}",
        stream.links
    );
}

// ---- Lesser terminals ----

#[test]
fn no_color_means_no_colours() {
    let (_nodeset, addr) = nodeset();
    let setup = Setup { env: vec![("NO_COLOR", "1")], ..Setup::default() };
    let Some(mut alice) = Terminal::join_with(&addr, "alice", &[], setup) else { return };
    let mut bob = person(&addr, "bob");
    alice.see("bob has entered the chat!");
    bob.say("alice: see https://example.org/");
    alice.see("» bob: alice: see");
    alice.say("/nikc");
    alice.see("unknown command");
    alice.press(CTRL_C);
    let stream = alice.leave().stream;
    let is_colour = |n: &u16| matches!(n, 30..=49 | 90..=107);
    assert!(!stream.sgr.iter().any(is_colour), "{:?}", stream.sgr);
    assert!(stream.sgr.is_superset(&[1, 2, 3, 4, 7].into()), "{:?}", stream.sgr);
}

/// Everything that the program says by itself, as far as a short chat shows it.
fn a_tour(addr: &str, alice: &mut Terminal, bob: &mut Process) {
    bob.say("alice: hello");
    alice.see("> bob: alice: hello");
    alice.say("hello, bob");
    alice.see("v alice: hello, bob");
    alice.say("/nikc");
    alice.see("unknown command /nikc");
    alice.press(CTRL_C);
    alice.see("Ctrl+C again exits");
    alice.say("/who");
    alice.see(" ms  127.0.0.1:");
    alice.say("/ignore bob");
    alice.see("what bob says is hidden");
    alice.say("/unignore bob");
    alice.see("is shown again");
    alice.say("/info");
    alice.see("v bob");
    alice.press(ESCAPE);
    alice.wait("no details", |alice| !alice.shows("Esc closes"));
    alice.press(F1);
    alice.see("Esc closes");
    alice.press(END);
    alice.see("F1, F2, F4");
    alice.press("q");
    alice.press("/");
    alice.see("Commands, ");
    alice.press(CTRL_C);
    alice.press("\x1b[200~a\nb\x1b[201~");
    alice.see("Paste 2 lines");
    alice.press(ESCAPE);
    alice.see_draft("");
    alice.press("x".repeat(4_100));
    alice.see("4,100 bytes: 2 messages");
    alice.press(CTRL_C);
    for name in ["carol", "dave"] {
        let mut who = person(addr, name);
        alice.see("People (3)");
        who.end_input();
        assert_eq!(who.status(), 0);
        alice.see("People (2)");
    }
    alice.see("carol came and went");
    for n in 0..30 {
        bob.say(&format!("more {n}."));
    }
    alice.see("more 29.");
    alice.press(PAGE_UP);
    alice.wait("half a page", |terminal| !terminal.shows("more 29."));
    bob.say("the last");
    alice.see("1 new");
    alice.press("\x1b[1;5F");
    alice.see("the last");
}

fn assert_ascii(raw: &[u8]) {
    let beyond = raw.iter().position(|byte| !byte.is_ascii());
    let context = |at: usize| raw[at.saturating_sub(80)..at + 10].escape_ascii().to_string();
    assert_eq!(beyond.map(context), None);
}

#[test]
fn ascii_means_ascii() {
    let (_nodeset, addr) = nodeset();
    let Some(mut alice) = Terminal::join_with(&addr, "alice", &["--ascii"], Setup::default())
    else {
        return;
    };
    let mut bob = person(&addr, "bob");
    alice.see("bob has entered the chat!");
    a_tour(&addr, &mut alice, &mut bob);
    alice.press(CTRL_C);
    alice.end();
    assert_ascii(&alice.raw);
}

#[test]
fn a_terminal_without_utf8_gets_none() {
    let (_nodeset, addr) = nodeset();
    let setup = Setup { env: vec![("LANG", "C.ISO-8859-1")], ..Setup::default() };
    let Some(mut alice) = Terminal::join_with(&addr, "alice", &[], setup) else { return };
    let mut bob = person(&addr, "böb");
    alice.see("b?b has entered the chat!");
    bob.say("grüße 你好 😀 e\u{301} \u{9b}31m https://example.org/ü");
    alice.see("b?b: gr??e ???? ?? ");
    alice.press("\x1b[Oaway");
    alice.see_draft("away");
    bob.say("alice: für dich");
    alice.see("> b?b: alice: f?r dich");
    alice.press(CTRL_C);
    alice.see_draft("");
    alice.press(F1);
    alice.see("Esc closes");
    alice.press("q");
    alice.press(CTRL_C);
    alice.end();
    assert_ascii(&alice.raw);
}

/// No shell says what `~` is behind a slash command.
#[test]
fn the_log_of_a_slash_command_may_be_in_the_home_folder() {
    let home = std::env::temp_dir().join(format!("chatrpc-home-{}", std::process::id()));
    fs::create_dir_all(&home).unwrap();
    let (_nodeset, addr) = nodeset();
    let set: &'static str = home.to_str().unwrap().to_owned().leak();
    let setup = Setup { env: vec![("HOME", set)], ..Setup::default() };
    let Some(mut alice) = Terminal::join_with(&addr, "alice", &["--ephemeral"], setup) else {
        return;
    };
    alice.say("/log ~/room.log");
    alice.see("writing the chat to ");
    let written = |_: &Terminal| home.join("room.log").exists();
    alice.wait("the file", written);
    assert_eq!(alice.leave().status, 0);
    fs::remove_dir_all(&home).unwrap();
}
