//! Paths that swallow large datagrams and tell nobody: real processes on computers of their own, behind a
//! switch that drops what is larger.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

#[path = "support/lab.rs"]
mod lab;
mod support;

use lab::Lab;

/// The smallest datagram, with its headers, that everything of IPv4 has to carry.
const SMALLEST: usize = 576;

/// A line of so many bytes.
fn long(word: &str, bytes: usize) -> String {
    word.repeat(bytes / word.len())
}

/// Both say lines of all sizes; each is shown to the other, and none blocks those behind it.
fn both_talk(lab: &Lab, what: &str) {
    let [mut alice, mut bob] = [(2, "alice"), (3, "bob")].map(|(computer, name)| {
        let mut person = lab.person(computer, "10.9.0.1", name);
        person.err.wait(&format!("* Welcome to the chat room, {name}!"));
        person
    });
    alice.err.wait("* bob has entered the chat!");
    for bytes in [600, 1_000, 2_000, 4_000] {
        let (one, other) = (long("ab", bytes), long("xy", bytes));
        alice.say(&one);
        alice.say("short");
        bob.say(&other);
        bob.say("short");
        assert_eq!(bob.out.next_line().unwrap(), format!("alice: {one}"), "{what}");
        assert_eq!(bob.out.next_line().unwrap(), "alice: short", "{what}");
        assert_eq!(alice.out.next_line().unwrap(), format!("bob: {other}"), "{what}");
        assert_eq!(alice.out.next_line().unwrap(), "bob: short", "{what}");
    }
}

/// No page of a nodeset came, and a long line blocked those behind it.
#[test]
#[ignore = "takes a network of its own"]
fn long_lines_pass_where_large_datagrams_do_not() {
    for bytes in [SMALLEST, 600, 1_000, 1_280] {
        let Some(lab) = Lab::new(3) else { return };
        let _nodeset = lab.nodeset(1);
        (1..=3).for_each(|computer| lab.small(computer, bytes));
        both_talk(&lab, &format!("{bytes} bytes"));
    }
}

/// Only what goes to one of them is swallowed.
#[test]
#[ignore = "takes a network of its own"]
fn long_lines_pass_where_one_direction_is_small() {
    let Some(lab) = Lab::new(3) else { return };
    let _nodeset = lab.nodeset(1);
    lab.on(3, &format!("link set eth0 mtu {SMALLEST}"));
    both_talk(&lab, "one way");
}

/// A room with more people than small pages may have, and a path that becomes small under way.
#[test]
#[ignore = "takes a network of its own"]
fn a_room_is_read_and_goes_on_where_large_datagrams_do_not_pass() {
    let Some(lab) = Lab::new(3) else { return };
    let _nodeset = lab.nodeset(1);
    let mut people: Vec<_> = (0..12)
        .map(|n| {
            let name = format!("p{}", char::from(b'a' + n));
            let mut person = lab.person(2, "10.9.0.1", &name);
            person.err.wait(&format!("* Welcome to the chat room, {name}!"));
            person
        })
        .collect();
    lab.small(3, SMALLEST);
    let who = lab.start(3, &["who", "10.9.0.1"]);
    let (mut who, mut listed) = (who, Vec::new());
    while let Some(line) = who.out.next_line() {
        listed.push(line);
    }
    assert!(listed.len() >= 12, "{listed:?}");
    let mut bob = lab.person(3, "10.9.0.1", "bob");
    bob.err.wait("* Welcome to the chat room, bob!");
    people[0].err.wait("* bob has entered the chat!");
    let (first, second) = (long("ab", 4_000), long("xy", 3_000));
    people[0].say(&first);
    assert_eq!(bob.out.next_line().unwrap(), format!("pa: {first}"));
    // The switch carries everything again, and then does not.
    for bytes in [1_500, SMALLEST] {
        lab.small(3, bytes);
        bob.say(&second);
        assert_eq!(people[11].out.wait("bob: x"), format!("bob: {second}"), "{bytes}");
    }
}
