//! Real processes that come in when the nodeset is dead: through anybody who is in the room.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

mod support;

use std::process::Stdio;
use std::time::Duration;

use support::{Process, chatrpc, nodeset};

fn json(addr: &str, name: &str) -> Process {
    Process::start(&["chat", addr, "-n", name, "--json", "--listen", "127.0.0.1:0"])
}

/// Where somebody listens, as their first line says.
fn own_addr(ready: &str) -> String {
    let object: serde_json::Value = serde_json::from_str(ready).unwrap();
    object["addr"].as_str().expect(ready).to_owned()
}

/// Two in a room whose nodeset is dead, and where the second one is.
fn orphans() -> (Process, Process, String) {
    let (nodeset, addr) = nodeset();
    let mut alice = json(&addr, "alice");
    alice.out.wait(r#""t":"ready""#);
    let mut bob = json(&addr, "bob");
    let at = own_addr(&bob.out.wait(r#""t":"ready""#));
    alice.out.wait(r#""t":"join""#);
    drop(nodeset);
    (alice, bob, at)
}

#[test]
fn whoever_comes_when_the_nodeset_is_dead_comes_in_through_a_member() {
    let (mut alice, mut bob, at) = orphans();
    let mut carol = json(&at, "carol");
    let ready = carol.out.wait(r#""t":"ready""#);
    assert!(ready.contains("alice") && ready.contains("bob"), "{ready}");
    for other in [&mut alice, &mut bob] {
        other.out.wait(r#""name":"carol""#);
    }
    carol.say(r#"{"t":"send","text":"hello"}"#);
    carol.out.wait(r#""acked":2,"failed":[]"#);
    // One of several addresses is enough, and who answers nonsense is not the last word.
    let mut fred = Process::start(&[
        "chat",
        "no-such-host.invalid",
        "127.0.0.1:9",
        &at,
        "-n",
        "fred",
        "--json",
        "--listen",
        "127.0.0.1:0",
    ]);
    fred.out.wait(r#""t":"ready""#);
    fred.signal("TERM");
    assert_eq!(fred.status(), 143);
    // A name that is taken is refused through a member as well, and whoever only looks is told.
    let mut other = json(&at, "alice");
    assert_eq!(other.status(), 4);
    let listed = chatrpc(&["who", &own_addr(&ready)]).stdin(Stdio::null()).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(["alice", "bob", "carol"].iter().all(|name| listed.contains(name)), "{listed}");
    // Whoever came in through somebody invites to themselves.
    let args = ["chat", &at, "-n", "dora", "--commands", "--listen", "127.0.0.1:0"];
    let mut dora = Process::start(&args);
    dora.err.wait("* here: ");
    dora.say("/invite");
    let invitation = dora.err.wait("* others join with:  ");
    let (_, to) = invitation.rsplit_once(' ').unwrap();
    assert_ne!(to, at);
    let listed = chatrpc(&["who", to]).stdin(Stdio::null()).output().unwrap();
    assert!(String::from_utf8(listed.stdout).unwrap().contains("dora"));
    // With another secret nobody is there.
    let made = String::from_utf8(chatrpc(&["secret"]).output().unwrap().stdout).unwrap();
    let mut command = chatrpc(&["who", &at, "--wait"]);
    command.env("CHATRPC_SECRET", made.trim()).stdin(Stdio::null());
    let mut stranger = Process::of(&mut command);
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(stranger.child.try_wait().unwrap().is_none(), "{}", stranger.errors());
    assert!(stranger.out.so_far().is_empty());
}

#[test]
fn a_room_is_entered_again_through_who_was_there() {
    let (_alice, mut bob, at) = orphans();
    let home = std::env::temp_dir().join(format!("chatrpc-test-{}-dave", std::process::id()));
    let dave = || {
        let args = ["chat", &at, "-n", "dave", "--json", "--listen", "127.0.0.1:0"];
        let mut command = chatrpc(&args);
        command.env("XDG_DATA_HOME", home.join("data")).env("XDG_STATE_HOME", home.join("state"));
        Process::of(command.stdin(Stdio::piped()))
    };
    let mut first = dave();
    first.out.wait(r#""t":"ready""#);
    bob.out.wait(r#""name":"dave""#);
    first.signal("TERM");
    first.out.wait(r#""t":"bye""#);
    drop((first, bob));
    // The one address that is known is dead.
    let mut again = dave();
    let ready = again.out.wait(r#""t":"ready""#);
    assert!(ready.contains("alice") && !ready.contains(&format!(r#""nodeset":"{at}""#)), "{ready}");
    again.out.wait(&format!("nobody answers at {at}: you are in through"));
    // Who comes for the first time has nobody else to ask.
    let mut stranger = json(&at, "erin");
    assert_eq!(stranger.status(), 3);
    std::fs::remove_dir_all(&home).unwrap();
}
