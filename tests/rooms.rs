//! Rooms, secrets and identities, with real processes and real sockets on the loopback.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, missing_docs)]

#[path = "support/insider.rs"]
mod insider;
mod support;

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chatrpc::machine::keyed::mac;
use chatrpc::machine::wire::{
    Asked, Change, Datagram, Packet, Request, Response, kind, put_header, put_request,
};
use chatrpc::machine::{INIT, Name, Noise, PublicKey, Room, SECRET, Secret};
use insider::{Insider, NAME, room};
use support::{PROGRAM, Process, chatrpc, nodeset, people};

/// The secret of [`room`].
fn secret() -> String {
    Secret::new([7; SECRET]).written().to_string()
}

fn json(addr: &str, name: &str, secret: Option<&str>, more: &[&str]) -> Process {
    let args = ["chat", addr, "-n", name, "--json", "--listen", "127.0.0.1:0"];
    let mut command = chatrpc(&[&args[..], more].concat());
    command.stdin(Stdio::piped());
    command.envs(secret.map(|secret| ("CHATRPC_SECRET", secret)));
    Process::of(&mut command)
}

/// The value of a field of an object, near enough.
fn field<'a>(object: &'a str, name: &str) -> &'a str {
    let start = object.find(&format!("\"{name}\":")).expect(name) + name.len() + 3;
    object[start..].trim_start_matches('"').split(['"', ',', '}']).next().unwrap_or_default()
}

fn fresh(name: &str) -> PathBuf {
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    path
}

/// A socket of somebody who is in no room.
struct Outsider(UdpSocket);

impl Outsider {
    fn new() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").expect("a socket"))
    }

    fn send(&self, to: SocketAddr, bytes: &[u8]) {
        self.0.send_to(bytes, to).expect("the loopback takes it");
    }

    fn hears(&self, patience: Duration) -> Option<Vec<u8>> {
        self.0.set_read_timeout(Some(patience)).expect("a timeout");
        let mut bytes = vec![0; 2000];
        let (len, _) = self.0.recv_from(&mut bytes).ok()?;
        bytes.truncate(len);
        Some(bytes)
    }

    /// What a nodeset answers to a question about a room.
    fn who(&self, nodeset: SocketAddr, room: &Room) -> Vec<Change> {
        let mut cookie = [0; 8];
        for seq in 1..10 {
            let mut bytes = Vec::new();
            put_header(&mut bytes, 99, 0, 1, 0);
            put_request(
                &mut bytes,
                seq,
                &Request::Who { cookie, tag: room.tag(), have: 0, most: 1200 },
            );
            self.send(nodeset, &bytes);
            let answer = self.hears(Duration::from_secs(5)).expect("nodesets answer");
            let datagram = Datagram::decode(&answer).expect("a datagram");
            let Some(Packet::Response { payload, .. }) = datagram.packets().next() else {
                continue;
            };
            match Response::decode(Asked::Who, payload) {
                Ok(Response::Cookie(new)) => cookie = new,
                Ok(Response::Page(page)) => return page.changes,
                other => panic!("{other:?}"),
            }
        }
        panic!("no page came");
    }
}

/// The key and incarnation of the only member of a room, as an insider reads them.
fn only_member(outsider: &Outsider, nodeset: SocketAddr) -> (PublicKey, u64) {
    let changes = outsider.who(nodeset, &room());
    let Some(Change::Present(listed)) = changes.first() else { panic!("{changes:?}") };
    let signed = listed.sealed.open(&Noise, &room()).expect("sealed for the room");
    assert!(signed.is_genuine(&Noise, &room()));
    (signed.beacon.key, signed.beacon.incarnation)
}

#[test]
fn strangers_get_silence() {
    let (_nodeset, addr) = nodeset();
    let mut alice = json(&addr, "alice", Some(&secret()), &["--room", NAME]);
    let ready = alice.out.wait("\"t\":\"ready\"");
    let (at, nodeset): (SocketAddr, SocketAddr) =
        (field(&ready, "addr").parse().unwrap(), addr.parse().unwrap());
    let outsider = Outsider::new();
    let target = only_member(&outsider, nodeset);
    let in_room = |room| Insider::new(9, 5).of(room);
    let named = |name: &str, secret: Option<&Secret>| Room::new(Name::parse(name).unwrap(), secret);
    let wrong = Secret::new([8; SECRET]);
    for (what, room) in [
        ("no secret", named(NAME, None)),
        ("a wrong secret", named(NAME, Some(&wrong))),
        ("the secret of another room", named("other", Some(&Secret::new([7; SECRET])))),
    ] {
        let (init, _) = in_room(room).init(target);
        outsider.send(at, &init);
        assert_eq!(outsider.hears(Duration::from_millis(200)), None, "{what}");
    }
    // The right tag, which everybody can see, and the right form of everything.
    let (genuine, mut pending) = Insider::new(9, 5).init(target);
    let mut keyless = genuine.clone();
    let end = mac(&room().tag().0, &[&keyless[..INIT - 32]]);
    keyless[INIT - 32..INIT - 16].copy_from_slice(&end);
    let mut clear = Vec::new();
    put_header(&mut clear, 5, target.1, 1, 0);
    put_request(&mut clear, 1, &Request::PING);
    let mut data = vec![kind::DATA];
    data.extend_from_slice(&[0; 60]);
    for bytes in [&keyless[..], &genuine[..INIT - 1], &clear, &data, &[2], &[]] {
        outsider.send(at, bytes);
    }
    let mut lcg = 1u64;
    for len in 0..2000usize {
        let noise = (0..len % 1300).map(|_| {
            lcg = lcg.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (lcg >> 56) as u8
        });
        let mut noise: Vec<u8> = noise.collect();
        if let Some(first) = noise.first_mut() {
            *first %= 5;
        }
        outsider.send(at, &noise);
    }
    assert_eq!(outsider.hears(Duration::from_millis(500)), None);
    // Silence, and not deafness: who has the secret is answered.
    outsider.send(at, &genuine);
    let answer = outsider.hears(Duration::from_secs(5)).expect("an answer");
    assert!(pending.finish(&answer).is_some());
}

#[test]
fn a_nodeset_serves_rooms_it_cannot_tell_from_noise() {
    let (_nodeset, addr) = nodeset();
    let mut alice = json(&addr, "alice", Some(&secret()), &["--room", NAME]);
    assert_eq!(field(&alice.out.wait("\"t\":\"ready\""), "open"), "false");
    let mut other = json(&addr, "alice", None, &[]);
    let ready = other.out.wait("\"t\":\"ready\"");
    assert_eq!(field(&ready, "open"), "true");
    assert!(ready.contains("\"people\":[]"), "the same name is free in another room: {ready}");
    let mut bob = json(&addr, "bob", Some(&secret()), &["--room", NAME]);
    assert!(bob.out.wait("\"t\":\"ready\"").contains("\"alice\""));
    alice.out.wait("\"t\":\"join\"");
    bob.say(r#"{"t":"send","text":"between us"}"#);
    assert!(alice.out.wait("\"t\":\"msg\"").contains("between us"));
    let who = |secret: Option<&str>, args: &[&str]| {
        let mut command = chatrpc(&[&["who", &addr], args].concat());
        command.stdin(Stdio::null()).envs(secret.map(|secret| ("CHATRPC_SECRET", secret)));
        let mut who = Process::of(&mut command);
        assert_eq!(who.status(), 0);
        let errors = who.errors();
        let names =
            who.out.all().iter().map(|line| line.split(' ').next().unwrap_or("").to_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        (names.join(" "), errors)
    };
    let is = |names: &str, errors: &str| (names.to_owned(), errors.to_owned());
    assert_eq!(who(Some(&secret()), &["--room", NAME]), is("alice bob", ""));
    assert_eq!(who(None, &[]), is("alice", ""));
    assert_eq!(who(None, &["--room", NAME]), is("", "nobody is here"));
    let wrong = Secret::new([8; SECRET]).written().to_string();
    let nobody = is("", "nobody with this secret is here");
    assert_eq!(who(Some(&wrong), &["--room", NAME]), nobody);
    assert_eq!(who(Some(&wrong), &["--room", NAME, "--json"]).1, "", "programs read no prose");
    let chat = |name: &str, secret: &str| {
        let mut command = chatrpc(&["chat", &addr, "-n", name, "--commands", "--room", NAME]);
        Process::of(command.stdin(Stdio::piped()).env("CHATRPC_SECRET", secret))
    };
    chat("dave", &wrong).err.wait("* here: nobody else with this secret yet");
    let mut carol = chat("carol", &secret());
    let here = carol.err.wait("* here: ");
    assert!(here.contains("alice") && here.contains("bob"), "{here}");
    carol.say("/invite");
    let invitation = carol.err.wait("others join with:  ");
    let line = format!("{PROGRAM} chat {addr} --room {NAME} --secret-file -");
    assert!(invitation.ends_with(&line), "{invitation}");
    carol.err.wait("* it asks for the secret of this room");
    assert!(carol.err.has_none(&secret()), "a log may be kept");
    // What the nodeset holds of them has no name in it.
    for change in Outsider::new().who(addr.parse().unwrap(), &room()) {
        let Change::Present(listed) = change else { continue };
        let name = |name: &[u8]| listed.sealed.0.windows(name.len()).any(|part| part == name);
        assert!(!name(b"alice") && !name(b"bob"));
    }
}

/// Stops somebody for so long, as a closed lid does; then they must be back within three seconds.
fn goes_on_after(stopped: Duration) {
    let (_nodeset, addr) = nodeset();
    let [mut alice, mut bob] = support::people(&addr, ["alice", "bob"]);
    bob.signal("STOP");
    alice.say("while you were away");
    std::thread::sleep(stopped);
    let given_up = !alice.err.has_none("has left");
    bob.signal("CONT");
    let woken = Instant::now();
    if given_up {
        alice.err.wait("bob has left");
        alice.err.wait("bob has entered");
        alice.say("you were away");
        bob.out.wait("alice: you were away");
    } else {
        bob.out.wait("alice: while you were away");
    }
    bob.say("I am back");
    alice.out.wait("bob: I am back");
    assert!(woken.elapsed() < Duration::from_secs(3), "{:?}", woken.elapsed());
    assert_eq!(given_up, stopped > Duration::from_secs(90));
}

#[test]
fn who_was_stopped_goes_on_within_three_seconds() {
    goes_on_after(Duration::from_secs(7));
}

#[test]
#[ignore = "takes more than the three minutes that a session lives"]
fn who_slept_longer_than_a_session_lives_goes_on_within_three_seconds() {
    goes_on_after(Duration::from_secs(190));
}

/// A list of people marked nobody, whosever name they went by.
#[test]
fn who_marks_those_who_have_another_key_than_the_trusted_one() {
    let (_nodeset, addr) = nodeset();
    let [mut alice, _bob] = people(&addr, ["alice", "bob"]);
    alice.err.wait_anywhere("bob");
    let home = fresh("trusting");
    let folder = home.join("chatrpc");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let known = folder.join("known");
    fs::write(&known, format!("{} bob\n", "ab".repeat(32))).unwrap();
    fs::set_permissions(&known, fs::Permissions::from_mode(0o600)).unwrap();
    let who = |args: &[&str]| {
        let mut command = chatrpc(&[&["who", &addr], args].concat());
        let mut who = Process::of(command.stdin(Stdio::null()).env("XDG_DATA_HOME", &home));
        assert_eq!(who.status(), 0);
        (who.out.all().to_vec(), who.errors())
    };
    let (people, errors) = who(&[]);
    let row = |name: &str| people.iter().find(|row| row.starts_with(name)).unwrap();
    assert!(row("alice ").contains(" 127.0.0.1:") && row("!bob·").contains(" 127.0.0.1:"));
    assert_eq!(people.len(), 2, "{people:?}");
    assert!(errors.starts_with("* WARNING: !bob·") && errors.lines().count() == 1, "{errors}");
    let (people, _) = who(&["--json"]);
    for (name, other_key) in [("alice", false), ("bob", true)] {
        let line =
            people.iter().find(|line| line.contains(&format!("\"name\":\"{name}\""))).unwrap();
        assert!(line.contains(&format!("\"other_key\":{other_key},\"alike\":false")), "{line}");
    }
    // Others could have written it: it is no answer to who is there, and is said.
    fs::set_permissions(&known, fs::Permissions::from_mode(0o666)).unwrap();
    let (people, errors) = who(&[]);
    assert!(people.iter().any(|row| row.starts_with("bob ")), "{people:?}");
    assert!(errors.starts_with("* whom you trust is not looked at: "), "{errors}");
    assert!(!home.join("chatrpc/key").exists(), "who asks needs no key");
}

#[test]
fn a_secret_is_printed_and_read_and_never_repeated() {
    let mut printer = Process::start(&["secret"]);
    let secret = printer.out.next_line().expect("a line");
    assert!(secret.len() == 34 && secret.parse::<Secret>().is_ok(), "{secret}");
    let folder = fresh("secret");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("ops");
    fs::write(&file, format!("{secret}\n")).unwrap();
    let path = file.to_str().unwrap();
    let args = ["who", "127.0.0.1:9", "--room", "ops", "--secret-file", path];
    let failure = |mode: u32| {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let mut who = Process::start(&args);
        (who.status(), who.errors())
    };
    let (status, errors) = failure(0o644);
    assert!(status == 2 && errors.contains("others can read it"), "{errors}");
    assert_eq!(failure(0o600).0, 3, "it is read, and nobody listens there");
    let last = if secret.ends_with('a') { "b" } else { "a" };
    let slip = format!("{}{last}", &secret[..33]);
    for wrong in [&slip, "hunter2", "\u{e9}"] {
        let mut command = chatrpc(&["who", "127.0.0.1:9", "--room", "ops"]);
        let mut who = Process::of(command.stdin(Stdio::null()).env("CHATRPC_SECRET", wrong));
        let (status, errors) = (who.status(), who.errors());
        assert!(status == 2 && !errors.contains(wrong), "{wrong}: {errors}");
    }
}

#[test]
fn a_person_is_a_key_that_only_they_can_read() {
    let (_nodeset, addr) = nodeset();
    let home = fresh("home");
    let start = |more: &[&str]| {
        let args = ["chat", &addr, "-n", "alice", "--json", "--listen", "127.0.0.1:0"];
        let mut command = chatrpc(&[&args[..], more].concat());
        Process::of(command.stdin(Stdio::piped()).env("XDG_DATA_HOME", &home))
    };
    let id_of = |process: &mut Process| {
        let ready = process.out.wait("\"t\":\"ready\"");
        let id = field(&ready, "id").to_owned();
        process.end_input();
        assert_eq!(process.status(), 0);
        id
    };
    let (first, second) = (id_of(&mut start(&[])), id_of(&mut start(&[])));
    assert_eq!(first[..4], second[..4], "the same person");
    assert_ne!(first, second, "another process");
    let passing = id_of(&mut start(&["--ephemeral"]));
    assert_ne!(passing[..4], first[..4]);
    let key = home.join("chatrpc/key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let mut refused = start(&[]);
    assert_eq!(refused.status(), 2);
    assert!(refused.out.all().iter().any(|line| line.contains("others can read it")));
}

/// Two devices of one person are two people in the room: neither takes the other for itself.
#[test]
fn two_processes_of_one_key_talk_to_each_other() {
    let (_nodeset, addr) = nodeset();
    let home = fresh("twins");
    let start = |name: &str| {
        let args = ["chat", &addr, "-n", name, "--commands", "--listen", "127.0.0.1:0"];
        let mut command = chatrpc(&args);
        Process::of(command.stdin(Stdio::piped()).env("XDG_DATA_HOME", &home))
    };
    let mut desk = start("desk");
    desk.err.wait("* Welcome to the chat room, desk! (OPEN: everybody can enter)");
    let mut phone = start("phone");
    phone.err.wait("* here: desk");
    desk.err.wait("* phone has entered the chat!");
    phone.say("from my pocket");
    desk.out.wait("phone: from my pocket");
    desk.say("/whois phone");
    assert!(desk.err.wait("* phone: id ").contains(", key "));
    desk.say("/verify phone");
    phone.say("/verify desk");
    let words = |line: String| line.split("both must see:  ").nth(1).map(str::to_owned);
    let (one, other) = (words(desk.err.wait("with phone;")), words(phone.err.wait("with desk;")));
    assert!(one.is_some() && one == other, "{one:?} and {other:?}");
    desk.say("/invite");
    let invitation = format!("* others join with:  {PROGRAM} chat {addr}");
    assert_eq!(desk.err.wait("others join"), invitation);
    desk.say("to my pocket");
    phone.out.wait("desk: to my pocket");
}

/// Somebody who is in the room, and keeps their key and whom they trust in that folder.
fn at_home(addr: &str, name: &str, home: &PathBuf) -> Process {
    let args = ["chat", addr, "-n", name, "--commands", "--listen", "127.0.0.1:0"];
    let mut command = chatrpc(&args);
    let mut process = Process::of(command.stdin(Stdio::piped()).env("XDG_DATA_HOME", home));
    process.err.wait(&format!("* Welcome to the chat room, {name}!"));
    process
}

/// Somebody comes under a name that could be taken for Bob's, whom Alice trusts.
fn assert_marked_where_it_looks_alike(alice: &mut Process, addr: &str) {
    let mut alike = at_home(addr, "b ob", &fresh("alike"));
    alice.err.wait("* !b ob·");
    assert!(alice.err.wait("WARNING: !b ob·").contains(" has another key"));
    alike.end_input();
    assert_eq!(alike.status(), 0);
}

/// Somebody who trusts another Bob, and speaks JSON, is told so with the first object.
fn assert_marked_for_programs(addr: &str, home: &PathBuf) {
    let mut json = chatrpc(&["chat", addr, "-n", "robot", "--json", "--listen", "127.0.0.1:0"]);
    let mut robot = Process::of(json.stdin(Stdio::piped()).env("XDG_DATA_HOME", home));
    let ready: serde_json::Value =
        serde_json::from_str(&robot.out.wait(r#""t":"ready""#)).expect("JSON");
    let marked: Vec<(&str, bool)> = ready["people"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|who| (who["name"].as_str().unwrap(), who["other_key"].as_bool().unwrap()))
        .collect();
    assert!(marked.contains(&("bob", true)) && marked.contains(&("alice", false)), "{ready}");
    robot.end_input();
    assert_eq!(robot.status(), 0);
}

/// Who is trusted is known again, in another run; and whoever comes under that name with another key
/// is announced as that.
#[test]
fn a_trusted_name_with_another_key_is_a_loud_warning() {
    let (_nodeset, addr) = nodeset();
    let (home, elsewhere) = (fresh("trusting"), fresh("impostor"));
    let start = |name: &str, home: &PathBuf| at_home(&addr, name, home);
    let leave = |mut process: Process| {
        process.end_input();
        assert_eq!(process.status(), 0);
        process.errors()
    };
    let bobs = fresh("bob");
    let mut alice = start("alice", &home);
    let bob = start("bob", &bobs);
    alice.err.wait("* bob has entered the chat!");
    alice.say("/trust bob");
    alice.err.wait("* bob is remembered under this key");
    alice.say("/whois bob");
    assert!(alice.err.wait("* bob: id ").ends_with(", trusted ✓"));
    leave(bob);
    alice.err.wait("* bob has left the chat!");
    let again = start("bob", &bobs);
    alice.err.wait("* bob has entered the chat!");
    leave(again);
    assert!(!leave(alice).contains("WARNING"), "it is the same bob");
    let mut impostor = start("bob", &elsewhere);
    let mut alice = start("alice", &home);
    // Marked from the first word about them on, also where it only looks like the name.
    alice.err.wait("* here: !bob·");
    let warning = alice.err.wait("WARNING: !bob·");
    assert_marked_where_it_looks_alike(&mut alice, &addr);
    assert_marked_for_programs(&addr, &home);
    let label = warning.rsplit_once("/verify ").map(|(_, label)| label.to_owned()).unwrap();
    assert!(warning.contains(" has another key") && label.starts_with("!bob·"), "{warning}");
    // Neither do they get the place of the one who is trusted, nor what is for them.
    alice.say("/msg bob psst");
    let refused = alice.err.wait("* bob here has another key than the one you trust");
    assert!(refused.contains(&label), "{refused}");
    alice.say(&format!("/trust {label}"));
    let refused = alice.err.wait("* bob is trusted under another key already: ");
    assert!(
        refused.ends_with(&format!(" — /verify {label}; /untrust bob comes first")),
        "{refused}"
    );
    alice.say("/whois bob");
    assert!(!alice.err.wait(": id ").contains("trusted"));
    // Every line of theirs says so, as long as the name is trusted.
    impostor.err.wait("* alice has entered the chat!");
    impostor.say("it is me");
    impostor.say("/msg alice psst");
    let said = [alice.out.wait("it is me"), alice.out.wait("psst")];
    assert!(said[0].starts_with("!bob·") && said[1].starts_with("@!bob·"), "{said:?}");
    alice.say(&format!("/msg {label} who are you"));
    impostor.out.wait("@alice: who are you");
    alice.say("/trusted");
    let trusted = alice.err.wait("* bob  ");
    let key = trusted.split_whitespace().last().unwrap();
    assert!(key.len() == 64 && key.bytes().all(|digit| digit.is_ascii_hexdigit()), "{trusted}");
    alice.say("/untrust BOB");
    alice.err.wait("* bob may be anybody again");
    impostor.say("still me");
    assert_eq!(alice.out.wait("still me"), "bob: still me");
    alice.say("/trusted");
    alice.err.wait("* no name is trusted yet: /trust NAME");
    alice.end_input();
    assert_eq!(alice.status(), 5, "two lines were refused");
    let mut alice = start("alice", &home);
    alice.say("/trusted");
    alice.err.wait("* no name is trusted yet: /trust NAME");
    alice.say("/untrust bob");
    alice.err.wait("* no name is trusted like 'bob' — /trusted");
}

/// Two processes of one key trust two people, and both are kept; the one too many is not, and nobody
/// is told that it was.
#[test]
fn all_that_is_said_to_be_remembered_is() {
    let (_nodeset, addr) = nodeset();
    let (home, bobs) = (fresh("keeping"), fresh("kept"));
    let start = |name: &str, home: &PathBuf| at_home(&addr, name, home);
    let mut desk = start("desk", &home);
    let mut phone = start("phone", &home);
    let _bob = start("bob", &bobs);
    for process in [&mut desk, &mut phone] {
        process.err.wait("* bob has entered the chat!");
    }
    desk.say("/trust bob");
    desk.err.wait("* bob is remembered under this key");
    phone.say("/trust desk");
    phone.err.wait("* desk is remembered under this key");
    let known = home.join("chatrpc/known");
    let kept = fs::read_to_string(&known).unwrap();
    assert!(kept.contains(" bob\n") && kept.contains(" desk\n"), "{kept}");
    let many: Vec<String> =
        (0..1024).map(|number| format!("{} n{number}\n", PublicKey([1; 32]))).collect();
    fs::write(&known, many.concat()).unwrap();
    phone.say("/trust bob");
    phone.err.wait("* bob is trusted in this run, and not remembered: there are too many already");
    assert_eq!(fs::read_to_string(&known).unwrap(), many.concat(), "nobody was dropped");
    fs::remove_file(&known).unwrap();
    fs::create_dir(&known).unwrap();
    phone.say("/trust bob");
    phone.err.wait("* bob is remembered under this key");
    phone.err.wait("* whom you trust is forgotten when this run ends: ");
}
