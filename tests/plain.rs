//! A person at a terminal without a screen: lines, and the keys of the shell.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

#[path = "support/pty.rs"]
mod pty;
mod support;

use std::fs;

use pty::{SMALL, Setup, Terminal, USUAL};
use rustix::process::Signal;
use support::{Process, nodeset, person};

const CTRL_L: &str = "\x0c";
const UP: &str = "\x1b[A";

/// Alice at a terminal, and Bob, who hears her.
fn two(addr: &str) -> Option<(Terminal, Process)> {
    let mut alice = Terminal::join_with(addr, "alice", &["--plain"], Setup::default())?;
    let mut bob = person(addr, "bob");
    alice.see("bob has entered the chat!");
    bob.err.wait_anywhere("alice");
    Some((alice, bob))
}

/// The rows that have something in them.
fn rows(terminal: &Terminal) -> Vec<String> {
    let rows = terminal.rows().into_iter().map(|row| row.trim_end().to_owned());
    rows.filter(|row| !row.is_empty()).collect()
}

/// It went out as two messages, unasked.
#[test]
fn a_line_of_more_than_a_message_is_asked_about() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    let long = "word ".repeat(1000);
    alice.press(format!("{long}\r"));
    alice.see("* 5,000 bytes are 2 messages: y says them, n does not");
    // What is typed instead of an answer waits for one, and stands there again.
    alice.say("hello");
    alice.see("* y says the long line, n does not; what was typed now waits");
    alice.say("n");
    alice.see("* the paste was not said");
    alice.wait("the line again", |alice| rows(alice).last().is_some_and(|row| row == "hello"));
    alice.press("!\r");
    assert_eq!(bob.out.next_line().unwrap(), "alice: hello!");
    alice.press(format!("{long}{long}\r"));
    alice.see("* 10,000 bytes are 3 messages");
    alice.say("y");
    for _ in 0..3 {
        assert!(bob.out.next_line().unwrap().starts_with("alice: word "));
    }
    alice.press("\x04");
    assert_eq!(alice.end().status, 0);
}

/// Of two lines that were typed instead of an answer, the second alone came back.
#[test]
fn every_line_typed_instead_of_an_answer_stands_there_again() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    alice.resize((120, 30));
    let paste = |alice: &mut Terminal, typed: usize| {
        alice.press("one\ntwo\n");
        alice.wait("the question", |alice| {
            rows(alice).last().is_some_and(|row| row.starts_with("* 2 lines came at once"))
        });
        for n in 0..typed {
            let asks = "* y says the 2 lines that were pasted, n does not;";
            alice.say(&format!("line {n}"));
            let said = match n < 8 {
                true => [format!("line {n}"), format!("{asks} what was typed now waits")],
                false => [
                    format!("line {n}"),
                    format!("{asks} no more lines can wait, and this one was not said: line {n}"),
                ],
            };
            alice.wait("that it waits", |alice| rows(alice).ends_with(&said));
        }
    };
    let stands = |alice: &mut Terminal, n: usize| {
        let line = format!("line {n}");
        alice.wait(&line, |alice| rows(alice).last() == Some(&line));
    };
    paste(&mut alice, 2);
    alice.say("y");
    assert_eq!(bob.out.next_line().unwrap(), "alice: one ⏎ two");
    for n in 0..2 {
        stands(&mut alice, n);
        alice.press("!\r");
        assert_eq!(bob.out.next_line().unwrap(), format!("alice: line {n}!"));
    }
    // More than can wait is said to be lost, and so is what still waits in the end.
    paste(&mut alice, 10);
    alice.signal(Signal::INT);
    alice.see("* the paste was not said");
    stands(&mut alice, 0);
    alice.signal(Signal::INT);
    stands(&mut alice, 1);
    alice.press("\x15/quit\r");
    let ended = alice.end();
    assert_eq!(ended.status, 0);
    for n in 2..8 {
        assert!(ended.text.contains(&format!("* not said: line {n}")), "{}", ended.text);
    }
    bob.err.wait("* alice has left the chat!");
    bob.end_input();
    assert!(bob.out.all().iter().all(|line| !line.contains("line 2")));
}

#[test]
fn names_and_commands_are_completed_and_lines_come_back() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    let mut ann = person(&addr, "Ann Lee");
    alice.see("Ann Lee has entered the chat!");
    alice.press("bo\t");
    alice.see("bob:");
    alice.press("hi\r");
    assert_eq!(bob.out.next_line().unwrap(), "alice: bob: hi");
    alice.press("/msg ann l\t");
    alice.see("/msg Ann Lee");
    alice.press("for you\r");
    assert_eq!(ann.out.wait("for you"), "@alice: for you");
    alice.press(UP);
    alice.see("/msg Ann Lee for you");
    alice.press(UP);
    alice.wait("the line before", |alice| rows(alice).last().is_some_and(|row| row == "bob: hi"));
    alice.press(" again\r");
    assert_eq!(bob.out.next_line().unwrap(), "alice: bob: hi again");
    alice.press("\x04");
    assert_eq!(alice.end().status, 0);
    bob.end_input();
    assert!(!bob.out.all().concat().contains("for you"));
}

/// With half a line Ctrl-C, which is a signal here, left; Ctrl-L wrote the line twice, and another size left half of it there.
#[test]
fn the_line_stands_there_once_until_it_is_cleared() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    alice.press("half a line");
    alice.see("half a line");
    alice.press(CTRL_L);
    alice.press("!");
    alice.see("half a line!");
    alice.resize(SMALL);
    bob.say("hello");
    let line = || vec!["bob: hello".to_owned(), "half a line!".to_owned()];
    alice.wait("the line below what arrived", |alice| rows(alice).ends_with(&line()));
    alice.resize(USUAL);
    alice.press("!");
    alice.see("half a line!!");
    let there = rows(&alice).iter().filter(|row| row.contains("half a line")).count();
    assert_eq!(there, 1, "{}", alice.picture());
    alice.signal(Signal::INT);
    alice.wait("no line", |alice| rows(alice).last().is_some_and(|row| row == "bob: hello"));
    alice.say("still here");
    assert_eq!(bob.out.next_line().unwrap(), "alice: still here");
    // Nothing of a paste is said either.
    alice.press("one\ntwo\n");
    alice.see("* 2 lines came at once");
    alice.signal(Signal::INT);
    alice.see("* the paste was not said");
    alice.signal(Signal::INT);
    assert_eq!(alice.end().status, 0);
    bob.err.wait("* alice has left the chat!");
    bob.end_input();
    assert!(!bob.out.all().concat().contains("two"));
}

#[test]
fn what_the_screen_alone_does_is_told_as_that() {
    let (_nodeset, addr) = nodeset();
    let Some((mut alice, mut bob)) = two(&addr) else { return };
    for command in ["/notify all", "/resend", "/info", "/clear", "/time hm"] {
        alice.say(command);
        let name = command.split(' ').next().unwrap();
        alice.see(&format!("* {name} does nothing without the screen"));
    }
    alice.say("/search x");
    alice.see("* no message that is kept has 'x' in it");
    alice.say("/log");
    alice.see("* the chat is not written to a file (/log on, off, or a path)");
    let path = std::env::temp_dir().join(format!("chatrpc-plain-{}.log", std::process::id()));
    alice.say(&format!("/log {}", path.display()));
    alice.see("* writing the chat to ");
    bob.say("kept");
    alice.see("bob: kept");
    alice.say("/log off");
    alice.see("* the chat is not written to a file");
    assert!(fs::read_to_string(&path).unwrap().contains("\tbob: kept\n"));
    fs::remove_file(&path).unwrap();
    alice.press("\x04");
    alice.end();
}
