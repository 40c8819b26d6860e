//! Two whose datagrams do not reach each other, on a network that keeps its users apart: real processes on
//! computers of their own.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

#[path = "support/lab.rs"]
mod lab;
mod support;

use std::time::{Duration, Instant};

use lab::Lab;
use support::Process;

const NODESET: &str = "10.9.0.1";

/// So many computers, with a nodeset on the first, which the second and the third can reach, and not each
/// other.
fn kept_apart(computers: usize) -> Option<(Lab, Process)> {
    let lab = Lab::new(computers)?;
    lab.apart(&[2, 3], true);
    let nodeset = lab.nodeset(1);
    Some((lab, nodeset))
}

fn enters(lab: &Lab, computer: usize, name: &str) -> Process {
    let mut person = lab.person(computer, NODESET, name);
    person.err.wait(&format!("* Welcome to the chat room, {name}!"));
    person
}

/// Each says a line once they see the other, and the other has it: what was said before somebody was seen is
/// not for them.
fn talk(people: [(&mut Process, &str); 2]) {
    let [(one, a), (other, b)] = people;
    one.err.wait_anywhere(b);
    other.err.wait_anywhere(a);
    one.say("can you hear me?");
    assert_eq!(other.out.next_line().unwrap(), format!("{a}: can you hear me?"));
    other.say("yes I can");
    assert_eq!(one.out.next_line().unwrap(), format!("{b}: yes I can"));
}

/// Nodeset and Carol can be reached by both, Alice and Bob not by each other. What they say goes through
/// Carol from the first second on, and through Dora once Carol is gone.
#[test]
#[ignore = "takes a network of its own"]
fn who_is_kept_apart_talks_through_others() {
    let Some((lab, _nodeset)) = kept_apart(5) else { return };
    let mut carol = enters(&lab, 4, "carol");
    let mut alice = enters(&lab, 2, "alice");
    let came = Instant::now();
    let mut bob = enters(&lab, 3, "bob");
    talk([(&mut alice, "alice"), (&mut bob, "bob")]);
    assert!(came.elapsed() < Duration::from_millis(2_500), "{:?}", came.elapsed());
    for line in ["alice: can you hear me?", "bob: yes I can"] {
        assert_eq!(carol.out.next_line().unwrap(), line);
    }
    // A line of the largest size goes in pieces that fit.
    let long = "x".repeat(4_000);
    alice.say(&long);
    assert_eq!(bob.out.next_line().unwrap(), format!("alice: {long}"));
    // It is said once to each of the two that it is the network, and the doctor says so when asked.
    for (one, other) in [(&mut alice, "bob"), (&mut bob, "alice")] {
        one.err.wait(&format!("* this network keeps its users apart: {other} is on it as well, and what you say to each other goes through carol"));
        one.say("/doctor");
        let found = one.err.wait("this network keeps its users apart");
        assert!(found.contains(&format!("hinders: this network keeps its users apart: {other} is on it as well, never answers there, and is reached through carol alone")), "{found}");
    }
    assert!(carol.err.has_none("users apart"), "those who reach everybody are told nothing");
    let mut dora = enters(&lab, 5, "dora");
    bob.err.wait("* dora has entered the chat!");
    carol.signal("KILL");
    talk([(&mut alice, "alice"), (&mut bob, "bob")]);
    assert_eq!(dora.out.next_line().unwrap(), "alice: can you hear me?");
}

/// As soon as the network lets them, they need nobody else.
#[test]
#[ignore = "takes a network of its own"]
fn who_is_apart_no_more_needs_nobody() {
    let Some((lab, _nodeset)) = kept_apart(4) else { return };
    let carol = enters(&lab, 4, "carol");
    let (mut alice, mut bob) = (enters(&lab, 2, "alice"), enters(&lab, 3, "bob"));
    talk([(&mut alice, "alice"), (&mut bob, "bob")]);
    lab.apart(&[2, 3], false);
    // Directly they are tried after 5 s, and 10 s later.
    std::thread::sleep(Duration::from_secs(20));
    carol.signal("KILL");
    let said = Instant::now();
    talk([(&mut alice, "alice"), (&mut bob, "bob")]);
    assert!(said.elapsed() < Duration::from_millis(500), "{:?}", said.elapsed());
}

/// Nobody hears both: each is told, nothing is lost in silence, and what waited arrives as soon as there is
/// a way.
#[test]
#[ignore = "takes a network of its own"]
fn who_is_kept_apart_alone_is_told_and_waited_for() {
    let Some((lab, _nodeset)) = kept_apart(3) else { return };
    let (mut alice, mut bob) = (enters(&lab, 2, "alice"), enters(&lab, 3, "bob"));
    alice.err.wait("* there is no way to bob now: what you say waits for them");
    bob.err.wait("* there is no way to alice now: what you say waits for them");
    let apart = "* this network keeps its users apart: alice is on it as well, and nobody here reaches both of you";
    bob.err.wait(apart);
    alice.say("are you there?");
    alice.say("/who");
    let row = alice.err.wait("no way");
    assert!(row.contains("bob"), "{row}");
    // A program is told by its exit status.
    let mut send = lab.start(3, &["send", NODESET, "-n", "script", "hello"]);
    assert_eq!(send.status(), 5, "{}", send.errors());
    assert_eq!(bob.out.next_line().unwrap(), "script: hello");
    lab.apart(&[2, 3], false);
    assert_eq!(bob.out.next_line().unwrap(), "alice: are you there?");
    alice.err.wait("* bob can be reached again");
    bob.say("I am");
    // What somebody said meanwhile, who has left since, Bob hands on.
    assert_eq!(alice.out.next_line().unwrap(), "script: hello");
    assert_eq!(alice.out.next_line().unwrap(), "bob: I am");
}
