//! The screen as a whole, without a terminal: pictures at every size, and what keys and events do.

use std::num::NonZeroU16;
use std::time::Duration;

use quickcheck::{Arbitrary, Gen};

use crate::driver::front::intent::{Command, Intent, Look};
use crate::driver::front::invitation::Invitation;
use crate::driver::front::note::{Answer, Note};
use crate::driver::history::record::Record;
use crate::driver::os::clock::Zone;
use crate::driver::terminal::kept::{Change, Kept};
use crate::driver::terminal::picture::Picture;
use crate::driver::terminal::settings::{ClockFace, Joins, Notify};
use crate::driver::terminal::theme::{ASCII, Depth, Theme, UNICODE};
use crate::driver::terminal::view::Prompt;
use crate::driver::terminal::want::{Submitted, Want};
use crate::machine::{
    self, Event, Health, MessageId, Name, PeerId, Person, Presence, PublicKey, Refusal, SECRET,
    SafeText, Secret, Time, Way, Whom, Why,
};

/// 23 Oct 2026, 08:58 UTC.
const MORNING: u64 = 1_792_745_880_000;
const MINUTE: u64 = 60_000;

fn who(id: u64, name: &str) -> Person {
    // The upper bits are what people see of an id.
    Person {
        id: PeerId(id << 56 | id),
        key: PublicKey([id as u8; 32]),
        name: Name::parse(name).unwrap(),
    }
}

/// A message that is kept.
fn kept(at: u64, number: u64, text: &str) -> Record {
    let (from, text) = (bob(), SafeText::new(text));
    let id = MessageId { author: from.id, number };
    let event =
        Event::Message { id, from, text, action: false, private: false, mention: true, past: None };
    Record::of(at, &event, None).unwrap()
}

/// It stands above what happens, with its own time, rings no bell, is not new, and moves nobody.
#[test]
fn what_was_said_before_is_dim_and_silent() {
    let mut room = Room::new(80, 24, Theme::RICH);
    let before = vec![kept(MORNING - 9 * MINUTE, 1, "alice: one"), kept(MORNING, 2, "two")];
    room.picture.note(&Note::Before(before), MORNING);
    room.enter(vec![bob()]);
    room.keys(b"\x1b[O");
    while room.picture.next_want().is_some() {}
    room.picture.note(&Note::Kept(kept(MORNING - MINUTE, 3, "alice: three")), MORNING);
    room.picture.note(&Note::Answer(Answer::Last(1)), MORNING);
    assert_eq!(room.picture.next_want(), None, "no bell");
    let text = room.text();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
    assert!(at("08:49 ┊ bob: alice: one") < at("08:58 ┊ bob: two"), "{text}");
    assert!(at("bob: two") < at("alice has entered the chat!"), "{text}");
    assert!(at("08:57 ┊ bob: alice: three") < at("kept before: 1 message"), "{text}");
    assert!(!text.contains(" new "), "{text}");
}

/// Where what is said is kept, all of that is searched; else what stands on the screen.
#[test]
fn a_search_is_of_what_is_kept_where_something_is() {
    let mut room = Room::entered(80, 24);
    let asked = |room: &mut Room| {
        room.press(b"/search needle\r");
        core::iter::from_fn(|| room.picture.next_want()).find_map(|want| match want {
            Want::Ask(intent, _) => Some(intent),
            _ => None,
        })
    };
    assert_eq!(asked(&mut room), None);
    let mut room = Room::new(80, 24, Theme::RICH);
    room.picture.note(&Note::Before(Vec::new()), MORNING);
    room.enter(vec![bob()]);
    let look = Look::Search("needle".to_owned());
    assert_eq!(asked(&mut room), Some(Intent::Look(look)));
}

/// The same person, started again.
fn again_as(before: &Person, id: u64) -> Person {
    Person { id: PeerId(id << 56 | id), ..before.clone() }
}

fn alice() -> Person {
    who(1, "alice")
}

fn bob() -> Person {
    who(2, "bob")
}

/// A room, and what time it is there.
struct Room {
    picture: Picture,
    now: Time,
    wall: u64,
    said: u64,
}

impl Room {
    fn new(width: u16, height: u16, theme: Theme) -> Self {
        let picture = Picture::new(width, height, theme, Zone::utc());
        Self { picture, now: Time::ZERO, wall: MORNING, said: 0 }
    }

    /// Alice, in a room with Bob.
    fn entered(width: u16, height: u16) -> Self {
        let mut room = Self::new(width, height, Theme::RICH);
        room.enter(vec![bob()]);
        room
    }

    fn enter(&mut self, people: Vec<Person>) {
        let addr = "192.0.2.1:7420".parse().unwrap();
        self.show(&Event::Ready {
            me: alice(),
            addr,
            nodeset: addr,
            people,
            room: Name::parse("lobby").unwrap(),
            open: false,
        });
    }

    fn show(&mut self, event: &Event<'_>) {
        self.picture.show(event, self.wall);
    }

    fn hear(&mut self, from: &Person, text: &str) {
        self.hear_as(from, text, false, false);
    }

    fn hear_as(&mut self, from: &Person, text: &str, action: bool, private: bool) {
        self.said += 1;
        let id = MessageId { author: from.id, number: self.said };
        let mention = text.contains("alice");
        let (from, text) = (from.clone(), SafeText::new(text));
        self.show(&Event::Message { id, from, text, action, private, mention, past: None });
    }

    /// We say something; what is its number?
    fn say(&mut self, text: &str, readers: usize) -> MessageId {
        self.say_to(None, text, readers)
    }

    fn say_to(&mut self, to: Option<&Person>, text: &str, readers: usize) -> MessageId {
        self.said += 1;
        let id = MessageId { author: alice().id, number: self.said };
        let text = SafeText::new(text);
        self.show(&Event::Sent { id, text, action: false, to: to.cloned(), readers });
        id
    }

    fn done(&mut self, id: MessageId, acked: &[&Person], failed: &[&Person]) {
        for &by in acked {
            let rtt = Duration::from_millis(12);
            self.show(&Event::Acked { id, by: by.clone(), rtt });
        }
        let failed = failed.iter().map(|&who| (who.clone(), Why::Quit)).collect();
        self.show(&Event::Done { id, acked: acked.len(), failed, left: Vec::new() });
    }

    /// One read of typed bytes.
    fn keys(&mut self, bytes: &[u8]) {
        self.picture.feed(bytes, self.now, self.wall);
    }

    /// A key by itself, with the time after it.
    fn press(&mut self, bytes: &[u8]) {
        self.keys(bytes);
        self.now = self.now + Duration::from_secs(3);
        self.picture.tick(self.now, self.wall);
    }

    fn wants(&mut self) -> Vec<Want> {
        std::iter::from_fn(|| self.picture.next_want()).collect()
    }

    fn text(&mut self) -> String {
        self.picture.frame(&mut Vec::new());
        self.picture.text()
    }

    fn draft(&mut self) -> String {
        self.picture.view().editor.text().to_owned()
    }

    #[track_caller]
    fn shows(&mut self, part: &str) {
        let text = self.text();
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }

    #[track_caller]
    fn hides(&mut self, part: &str) {
        let text = self.text();
        assert!(!text.contains(part), "{part:?} is in\n{text}");
    }
}

/// A line for the machine that was typed like that.
fn line(text: &str) -> Want {
    let command = machine::Command::parse(text).unwrap().into();
    Want::Ask(Intent::Command(command), Some(Submitted::Typed(text.to_owned())))
}

/// A message said again, to one or to everybody.
fn said_again(id: MessageId, text: &str, to: Option<Whom<'_>>) -> Want {
    asked_again(id, machine::Command::Say { text, action: false, to })
}

/// A message said again to those of the room it did not reach.
fn again(id: MessageId, text: &str, readers: &[PeerId]) -> Want {
    asked_again(id, machine::Command::Again { text, action: false, readers })
}

fn asked_again(id: MessageId, command: machine::Command<'_>) -> Want {
    Want::Ask(Intent::Command(command.into()), Some(Submitted::Again(id.number)))
}

fn ask(intent: Intent) -> Want {
    Want::Ask(intent, None)
}

fn presence(who: Person, rtt_ms: u64, silent_s: u64) -> Presence {
    Presence {
        lost: silent_s > 20,
        who,
        addr: Some("192.0.2.2:7420".parse().unwrap()),
        way: Way::Direct,
        rtt: Some(Duration::from_millis(rtt_ms)),
        unacked: 0,
        reads: true,
        silent: Duration::from_secs(silent_s),
        trusted: false,
    }
}

/// The morning of a room of four.
fn conversation(width: u16, height: u16, theme: Theme) -> Room {
    let mut room = Room::new(width, height, theme);
    let (carol, dave, erin, frank) =
        (who(3, "carol"), who(4, "dave"), who(5, "erin"), who(6, "frank"));
    room.enter(vec![bob(), carol.clone(), dave.clone()]);
    let people =
        [presence(bob(), 12, 0), presence(carol.clone(), 48, 0), presence(dave.clone(), 5, 40)];
    room.picture.refresh(people.into_iter());
    room.wall += 3 * MINUTE;
    room.hear(&bob(), "morning! did the failover test pass?");
    let id = room.say("yes, 3 of 3. details: https://example.org/runs/1842?tab=log&from=0", 3);
    room.done(id, &[&bob(), &carol, &dave], &[]);
    room.wall += 2 * MINUTE;
    room.show(&Event::Joined(erin.clone()));
    room.show(&Event::Left { who: erin, why: Why::Quit });
    room.show(&Event::Joined(frank.clone()));
    room.wall += MINUTE;
    room.hear(&carol, "你好世界 \x1b[31mred\x1b[0m \u{202e}evil\u{202c} ab");
    room.show(&Event::Left { who: frank, why: Why::Timeout });
    room.hear_as(&bob(), "waves", true, false);
    room.keys(b"\x1b[O");
    room.wall += 5 * MINUTE;
    room.hear(
        &bob(),
        "alice: can you take the 10 o'clock? I will be on a train and the link there is not \
         good enough for me",
    );
    room.hear_as(&carol, "psst, alice", false, true);
    room.hear(&carol, "me too");
    room.keys(b"\x1b[I");
    room.wall += 2 * MINUTE;
    room.show(&Event::Left { who: dave.clone(), why: Why::Quit });
    room
}

/// What comes last: our answer, which did not reach everybody, and one that is on its way.
fn answered(mut room: Room) -> Room {
    let id = room.say("sure", 3);
    room.done(id, &[&bob()], &[&who(4, "dave")]);
    room.say("one more", 2);
    room.keys(b"ok, I'll be th");
    room
}

#[test]
fn pictures_at_every_layout() {
    for (width, height) in [(120, 40), (80, 24), (60, 20), (40, 12), (20, 5), (1, 1)] {
        let mut unread = conversation(width, height, Theme::RICH);
        insta::assert_snapshot!(format!("unread_{width}x{height}"), unread.text());
        let mut room = answered(conversation(width, height, Theme::RICH));
        insta::assert_snapshot!(format!("answered_{width}x{height}"), room.text());
    }
    let ascii = Theme { signs: &ASCII, ..Theme::RICH };
    insta::assert_snapshot!("ascii_80x24", answered(conversation(80, 24, ascii)).text());
}

#[test]
fn pictures_of_what_stands_in_front() {
    let mut room = answered(conversation(80, 24, Theme::RICH));
    room.press(b"\x15/");
    insta::assert_snapshot!("popup_80x24", room.text());
    room.press(b"\x15\x1bOP");
    insta::assert_snapshot!("help_80x24", room.text());
    room.press(b"\x1b");
    room.press(b"\t\r");
    insta::assert_snapshot!("details_80x24", room.text());
    let mut small = answered(conversation(40, 12, Theme::RICH));
    small.press(b"\x1bOQ");
    insta::assert_snapshot!("people_40x12", small.text());
}

#[test]
fn without_colours_nothing_is_missing() {
    let mut rich = answered(conversation(80, 24, Theme::RICH));
    let bytes = |depth| {
        let mut room = answered(conversation(80, 24, Theme { depth, ..Theme::RICH }));
        let mut out = Vec::new();
        room.picture.frame(&mut out);
        (String::from_utf8(out).unwrap(), room.picture.text())
    };
    let (coloured, _) = bytes(Depth::Palette256);
    assert!(coloured.contains(";38;5;"));
    let (ansi, _) = bytes(Depth::Ansi16);
    assert!(!ansi.contains("38;5") && ansi.contains("\x1b[0;31m") | ansi.contains(";31m"));
    let (plain, text) = bytes(Depth::None);
    assert_eq!(text, rich.text());
    for sgr in plain.split("\x1b[").filter_map(|part| part.split_once('m')).map(|(sgr, _)| sgr) {
        let attributes = sgr.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
        let colours = sgr.split(';').any(|code| code.len() > 1);
        assert!(!(attributes && colours), "{sgr}");
    }
}

/// What may be going on when a size is tried.
fn moods(room: &mut Room, mood: usize) {
    match mood % 8 {
        0 => {}
        1 => room.press(b"\x15/"),
        2 => room.press(b"\x1bOP"),
        3 => room.press(b"\t\x1b[5~\x1b[5~"),
        4 => room.press("你好 a long draft, ".repeat(20).as_bytes()),
        5 => room.press(b"\x1b[200~one\ntwo\x1b[201~"),
        6 => room.press(b"\t/needle"),
        _ => room.press(b"\x12ok"),
    }
}

#[test]
fn no_size_is_too_small() {
    for mood in 0..8 {
        let mut room = answered(conversation(130, 45, Theme::RICH));
        moods(&mut room, mood);
        let mut out = Vec::new();
        for width in 1..=130 {
            // Each mood at every height of a share of the widths, and all at every width.
            for height in (1..=45).filter(|height| mood == 0 || (width + height) % 4 == 0) {
                room.picture.resize(width, height);
                out.clear();
                room.picture.frame(&mut out);
                assert!(!out.is_empty());
            }
        }
        assert!(!room.draft().is_empty(), "mood {mood}");
    }
}

#[test]
fn a_terminal_shows_what_was_meant() {
    #[derive(Clone, Debug)]
    struct Step(u8, u8, u8);
    impl Arbitrary for Step {
        fn arbitrary(g: &mut Gen) -> Self {
            Self(u8::arbitrary(g), u8::arbitrary(g), u8::arbitrary(g))
        }
    }
    const KEYS: [&[u8]; 5] = [b"\t", b"k", b"\x1b[5~", b"\x1b[6~", b"xyz"];
    /// Differences between frames, drawn by a terminal that is not ours, are the frame.
    fn property(steps: Vec<Step>) -> bool {
        let (mut width, mut height) = (80, 24);
        let mut room = conversation(width, height, Theme::RICH);
        let side = |n: u16| NonZeroU16::new(n).unwrap();
        let mut terminal = vt100::Parser::new(side(height), side(width), 0);
        steps.into_iter().all(|Step(what, a, b)| {
            match what % 6 {
                0 => room.hear(&bob(), &"long line 你好 ".repeat(usize::from(a % 9))),
                1 => room.press(KEYS[usize::from(a) % 5]),
                2 => drop(room.say("ours", usize::from(a % 2))),
                3 => room.press(b"/"),
                4 => moods(&mut room, usize::from(a)),
                _ => {
                    (width, height) = (u16::from(a % 100) + 1, u16::from(b % 40) + 1);
                    room.picture.resize(width, height);
                    terminal.screen_mut().set_size(side(height), side(width));
                }
            }
            let mut out = Vec::new();
            room.picture.frame(&mut out);
            // This terminal ignores U+FFFD.
            let bytes = String::from_utf8(out).unwrap().replace('\u{FFFD}', "?");
            terminal.process(bytes.as_bytes());
            let seen: Vec<String> =
                terminal.screen().rows(0, width).map(|row| row.trim_end().to_owned()).collect();
            let meant = room.picture.text().replace('\u{FFFD}', "?");
            let meant: Vec<String> = meant.lines().map(|row| row.trim_end().to_owned()).collect();
            if seen != meant {
                println!("seen:\n{}\nmeant:\n{}", seen.join("\n"), meant.join("\n"));
            }
            seen == meant
        })
    }
    crate::machine::quickcheck().tests(300).quickcheck(property as fn(Vec<Step>) -> bool);
}

#[test]
fn what_arrives_does_not_disturb_what_is_typed() {
    let mut room = Room::entered(80, 24);
    room.keys(b"half a li\x02\x02");
    let (draft, cursor) = (room.draft(), room.picture.view().editor.cursor());
    for n in 0..200 {
        room.hear(&bob(), &format!("message {n}"));
    }
    assert_eq!((room.draft(), room.picture.view().editor.cursor()), (draft, cursor));
    room.shows("> half a li");
    room.shows("message 199");
}

#[test]
fn who_reads_back_stays_there_and_is_told_of_more() {
    let mut room = Room::entered(80, 24);
    (0..50).for_each(|n| room.hear(&bob(), &format!("message {n}")));
    room.text();
    room.press(b"\t");
    room.press(b"\x1b[5~");
    let before = room.text();
    room.hear(&bob(), "news");
    room.hear(&bob(), "more news");
    room.shows("↓ 2 new — End");
    let unchanged = |text: &str| text.lines().skip(4).take(14).collect::<Vec<_>>().join("\n");
    let after = room.text();
    assert_eq!(unchanged(&before), unchanged(&after));
    room.press(b"G");
    room.shows("more news");
    room.shows("╌ 2 new ╌");
    room.hides("— End");
    room.say("seen", 1);
    room.hides("╌ 2 new ╌");
}

#[test]
fn what_came_while_away_is_marked_and_rings_once() {
    let mut room = Room::entered(80, 24);
    room.hear(&bob(), "alice: while you look");
    assert_eq!(room.wants(), [], "who looks needs no bell");
    room.keys(b"\x1b[O");
    room.hear(&bob(), "not for you");
    room.hear(&bob(), "alice: dinner?");
    let ring = |text: &str| Want::Ring(SafeText::new(text).into_owned());
    assert_eq!(room.wants(), [ring("bob: alice: dinner?")]);
    room.keys(b"\x1b[I");
    room.shows("╌ 2 new ╌");
    room.press(b"/notify all\r");
    room.wants();
    room.keys(b"\x1b[O");
    room.hear(&bob(), "x");
    assert_eq!(room.wants(), [ring("bob: x")]);
    room.shows("╌ 1 new ╌");
    room.press(b"/ignore bob\r");
    room.wants();
    room.hear(&bob(), "y");
    assert_eq!(room.wants(), []);
    room.hides("bob: y");
}

#[test]
fn lines_are_sent_and_mistakes_are_not() {
    let mut room = Room::entered(140, 24);
    room.press(b"hello\r");
    assert_eq!(room.wants(), [line("hello")]);
    room.press(b"/nikc secret\r");
    assert_eq!(room.wants(), []);
    room.shows("! unknown command /nikc — did you mean /nick? (//nikc sends it as text)");
    assert_eq!(room.draft(), "/nikc secret", "it can be mended");
    room.press(b"\x15//nikc\r");
    assert_eq!(room.wants(), [line("//nikc")]);
    room.press(b"   \r");
    assert_eq!(room.wants(), []);
    let long = "x".repeat(5210);
    room.press(long.as_bytes());
    room.shows("Type a message — 5,210 bytes: 2 messages");
    room.press(b"\r");
    assert_eq!(room.wants(), []);
    room.shows("5,210 bytes are 2 messages. Enter: say them, Esc: keep the draft");
    assert_eq!(room.draft(), long);
    room.press(b"\x1b\x01/nick ");
    room.shows("Type a message — 5,216 of 4,096 bytes");
    room.press(b"\r");
    room.shows("! 5,216 bytes, the limit is 4,096: nothing was sent");
}

#[test]
fn a_line_that_the_machine_refuses_comes_back() {
    let mut room = Room::entered(80, 24);
    room.press(b"/msg zed psst\r");
    assert_eq!(room.wants(), [line("/msg zed psst")]);
    room.show(&Event::Refused(Refusal::NobodyCalled(SafeText::new("zed"))));
    room.shows("! nobody here is called 'zed'");
    assert_eq!(room.draft(), "/msg zed psst");
    room.picture.view().settle();
    room.press(b"\x15");
    room.show(&Event::Refused(Refusal::NobodyCalled(SafeText::new("zed"))));
    assert_eq!(room.draft(), "", "what is settled does not come back");
}

#[test]
fn a_paste_of_several_lines_asks_first() {
    let mut room = Room::entered(140, 24);
    room.press(b"\x1b[200~one\rtwo\r\x1b[201~");
    room.shows("Paste 2 lines, 7 bytes? Enter: into the draft, Esc: no");
    room.press(b"x");
    assert_eq!(room.draft(), "");
    room.press(b"\r");
    assert_eq!((room.draft(), room.wants()), ("one\ntwo".to_owned(), vec![]));
    room.press(b"\r");
    assert_eq!(room.wants(), [line("one\ntwo")]);
    room.press(b"\x1b[200~one\ntwo\x1b[201~\x1b");
    assert_eq!(room.draft(), "");
    room.press(b"\x1b[200~one line\n\x1b[201~");
    assert_eq!(room.draft(), "one line");
    room.press(b"\r");
    assert_eq!(room.wants(), [line("one line")]);
    let mut huge = b"\x1b[200~".to_vec();
    huge.resize(5 << 20, b'x');
    huge.extend_from_slice(b"\x1b[201~");
    room.press(&huge);
    room.shows("5,242,874 bytes were pasted, a draft takes 65,536: nothing was inserted");
    assert_eq!(room.draft(), "");
}

/// 200 lines were refused, and there was no way on.
#[test]
fn a_paste_over_the_limit_is_offered_as_several_messages() {
    let pasted: Vec<String> = (0..200).map(|n| format!("line {n} {}", "x".repeat(50))).collect();
    let pasted = pasted.join("\n");
    let paste = format!("\x1b[200~{pasted}\n\x1b[201~");
    let said = |room: &mut Room| -> Vec<String> {
        let text = |want| match want {
            Want::Ask(Intent::Command(Command::Say { text, to: None, .. }), _) => text,
            other => panic!("{other:?}"),
        };
        room.wants().into_iter().map(text).collect()
    };
    let mut room = Room::entered(140, 24);
    room.press(paste.as_bytes());
    room.shows("Paste 200 lines, 11,889 bytes: 3 messages. Enter: say them, Esc: into the draft");
    room.press(b"\r");
    let parts = said(&mut room);
    assert!(parts.len() == 3 && parts.iter().all(|part| part.len() <= 4096));
    assert_eq!(parts.join("\n"), pasted, "nothing is lost, and lines are whole");
    assert_eq!(room.draft(), "");
    for key in [&b"\x1b"[..], b"x", b"\x03"] {
        room.press(paste.as_bytes());
        room.press(key);
        assert_eq!((room.draft(), said(&mut room).len()), (pasted.clone(), 0), "{key:?}");
        room.press(b"\r");
        room.shows("11,889 bytes are 3 messages. Enter: say them, Esc: keep the draft");
        room.press(b"\x1b");
        assert_eq!(room.draft(), pasted);
        room.press(b"\r");
        room.press(b"!");
        assert_eq!(room.draft(), format!("{pasted}!"), "who goes on writes");
        room.press(b"\r");
        room.press(b"\r");
        assert_eq!(said(&mut room).join("\n"), format!("{pasted}!"));
    }
    room.press(b"/nick ");
    room.press(paste.as_bytes());
    room.shows("Paste 200 lines, 11,889 bytes? Enter: into the draft, Esc: no");
}

#[test]
fn a_message_of_several_that_is_refused_comes_back_with_those_behind_it() {
    let mut room = Room::entered(140, 24);
    let text = format!("{}\n{}\n{}", "a".repeat(4000), "b".repeat(4000), "c".repeat(4000));
    room.press(format!("\x1b[200~/msg bob {text}\x1b[201~").as_bytes());
    room.press(b"\r");
    let Some(Want::Ask(Intent::Command(Command::Say { to: Some(_), .. }), _)) =
        room.picture.next_want()
    else {
        panic!("nothing is said")
    };
    room.picture.view().settle();
    assert!(room.picture.next_want().is_some());
    room.show(&Event::Refused(Refusal::Backlog { messages: 4096 }));
    room.picture.view().settle();
    assert_eq!(room.wants(), []);
    assert_eq!(room.draft(), format!("/msg bob {}", &text[4001..]));
}

#[test]
fn ctrl_c_clears_first_and_leaves_then() {
    let mut room = Room::entered(80, 24);
    room.press(b"a draft\x03");
    room.shows("Ctrl+C again exits");
    assert_eq!((room.draft(), room.wants()), (String::new(), vec![]));
    room.press(b"\x1b[A");
    assert_eq!(room.draft(), "a draft", "it is not lost");
    room.press(b"\x03\x03");
    assert_eq!(room.wants(), [ask(Intent::Quit)]);
    room.show(&Event::Leaving { unacked: 1 });
    room.press(b"\x03");
    assert_eq!(room.wants(), [ask(Intent::QuitNow)]);
    let mut reader = Room::entered(80, 24);
    reader.press(b"draft\x1b[17~\x03");
    assert_eq!(reader.wants(), [ask(Intent::Quit)]);
}

#[test]
fn tab_completes_and_else_switches() {
    let mut room = Room::entered(80, 24);
    let bea = who(7, "bea");
    room.show(&Event::Joined(bea.clone()));
    room.keys(b"b\t");
    assert_eq!(room.draft(), "bea: ");
    room.hear(&bob(), "I spoke last");
    room.press(b"\x15b\t");
    assert_eq!(room.draft(), "bob: ");
    room.keys(b"\t");
    assert_eq!(room.draft(), "bea: ");
    room.keys(b"\x1b[Z");
    assert_eq!(room.draft(), "bob: ");
    room.press(b"\x15/ni\t");
    assert_eq!(room.draft(), "/nick ");
    room.press(b"\x15\t");
    room.press(b"jk");
    assert_eq!(room.draft(), "", "the focus is elsewhere");
    room.press(b"\tjk");
    assert_eq!(room.draft(), "jk");
}

/// `/notify ` and Tab read back, and the list of what may be said went away with the blank.
#[test]
fn what_a_command_takes_is_shown_and_completed() {
    let mut room = Room::entered(80, 24);
    room.press(b"/notify ");
    room.shows("┌Values");
    room.shows("mentions  now: your name, and what is for you alone");
    room.press(b"\t");
    assert_eq!(room.draft(), "/notify off");
    room.shows("│»off ");
    room.press(b"\t\t");
    assert_eq!(room.draft(), "/notify all");
    room.shows("│»all       everything that is said");
    room.press(b"\r");
    room.shows("/notify is all");
    room.press(b"/not\t\t\x1b[Z");
    assert_eq!(room.draft(), "/notify all", "Tab goes on behind the command");
    room.press(b" \t");
    room.shows("/notify off|mentions|all: what rings the bell");
    room.press(b"\x15/msg ");
    room.shows("┌People");
    room.press(b"\t");
    assert_eq!(room.draft(), "/msg bob ");
    room.press(b"\x15/whois\t\t");
    assert_eq!(room.draft(), "/whois bob ");
    room.press(b"\x15@bo\t");
    assert_eq!(room.draft(), "@bob ");
    room.press(b"\x15/me ");
    room.shows("/me TEXT  say what you do");
    room.press(b"waves");
    room.hides("say what you do");
    room.show(&Event::Left { who: bob(), why: Why::Quit });
    room.press(b"\x15/msg \t");
    room.shows("nobody is here for that");
    assert_eq!(room.draft(), "/msg ");
    insta::assert_snapshot!("values_40x12", {
        let mut small = Room::entered(40, 12);
        small.press(b"/joins ");
        small.text()
    });
}

#[test]
fn a_command_that_sets_something_says_alone_how_it_is() {
    let mut room = Room::entered(160, 24);
    for (line, state) in [
        ("/notify", "/notify is mentions (/notify off|mentions|all: what rings the bell)"),
        ("/time", "/time is hm (/time off|hm|hms: how to show the clock)"),
        ("/joins", "/joins is fold (/joins fold|all|none: how to show who comes)"),
        ("/mouse", "/mouse is off (/mouse on|off: have the mouse reported)"),
        ("/nick", "you are alice (/nick NAME: change your name)"),
        ("/ignore", "nobody is ignored (/ignore NAME: hide what somebody says)"),
    ] {
        room.press(b"/clear\r");
        room.press(format!("{line}\r").as_bytes());
        room.shows(state);
    }
    room.press(b"/ignore bob\r");
    room.press(b"/ignore\r");
    room.shows("ignored: bob");
    room.press(b"/mouse on\r");
    room.shows("hold Shift to select");
    assert!(room.wants().contains(&Want::Mouse(true)));
    room.press(b"\x1bOS");
    assert_eq!(room.wants(), [Want::Mouse(false), Want::Keep(Change::Mouse(false))]);
    room.press(b"/log\r");
    assert_eq!(room.wants(), [ask(Intent::Log(String::new()))]);
}

/// Two rows that were selected brought the frame, the indent and the people along.
#[test]
fn messages_as_plain_lines_are_one_line_each_and_nothing_else() {
    let mut room = Room::entered(40, 12);
    let long = "a sentence that is wider than the screen, and goes on in the next row of it";
    room.hear(
        &bob(),
        "\u{633}\u{644}\u{627}\u{645} \u{4f60}\u{597d}\ttwo\n* bob has left \x1b[31mred \u{202e}x",
    );
    room.hear(&bob(), long);
    room.hear_as(&bob(), "waves", true, true);
    let side = |of| NonZeroU16::new(of).unwrap();
    let mut terminal = vt100::Parser::new(side(12), side(40), 0);
    let mut show = |room: &mut Room| {
        let mut out = Vec::new();
        room.picture.frame(&mut out);
        terminal
            .process(String::from_utf8(out.clone()).unwrap().replace('\u{FFFD}', "?").as_bytes());
        let wrapped = (0..12).map(|row| terminal.screen().row_wrapped(row)).collect::<Vec<_>>();
        (terminal.screen().contents(), wrapped, out)
    };
    show(&mut room);
    room.press(b"\x1bOR");
    let (text, wrapped, out) = show(&mut room);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], format!("bob: {long}"), "what is copied is one line: {text}");
    assert!(
        lines[0].starts_with("bob: ") && lines[0].contains("    two ⏎ * bob has left"),
        "{text}"
    );
    assert_eq!(lines[2], "@bob: /me waves");
    assert!(
        wrapped[..6].contains(&true) && !text.contains('│') && !text.contains("08:5"),
        "{text}"
    );
    assert!(text.trim_end().ends_with("F3: back  PgUp, PgDn: more  T: times"), "{text}");
    assert!(
        !String::from_utf8(out).unwrap().contains("\x1b[31m"),
        "nothing said acts on the terminal"
    );
    // What arrives leaves what is selected alone.
    room.hear(&bob(), "meanwhile");
    assert_eq!(show(&mut room).2, b"");
    room.press(b"t");
    assert!(show(&mut room).0.contains("2026-10-23T08:58:00+00:00 @bob: /me waves"));
    room.press(b"G");
    assert!(show(&mut room).0.contains("+00:00 bob: meanwhile"));
    room.press(b"\x1b");
    assert!(show(&mut room).0.contains("chatRPC alice"), "the screen is there again");
    room.shows("bob: meanwhile");
    // Who goes on typing does.
    room.press(b"\x1bOR");
    room.keys(b"hello");
    assert_eq!(room.draft(), "hello");
    room.shows("> hello");
}

#[test]
fn plain_lines_are_paged_to_both_ends_at_any_size() {
    for (width, height) in [(80, 24), (40, 12), (9, 3), (1, 1), (1, 2)] {
        let mut room = Room::entered(width, height);
        (0..100).for_each(|n| room.hear(&bob(), &format!("message {n} {}", "x".repeat(n % 50))));
        let shown = |room: &mut Room| -> Vec<u64> {
            let mut out = Vec::new();
            room.picture.frame(&mut out);
            let out = String::from_utf8(out).unwrap();
            let numbers = out.split("message ").skip(1);
            numbers.map(|rest| rest.split(' ').next().unwrap().parse().unwrap()).collect()
        };
        room.press(b"\x1bOR");
        let newest = shown(&mut room);
        let wide = width > 20;
        assert!(!wide || newest.last() == Some(&99), "{newest:?}");
        let mut seen: Vec<u64> = newest;
        for _ in 0..200 {
            room.press(b"\x1b[5~");
            seen.extend(shown(&mut room));
        }
        seen.sort_unstable();
        seen.dedup();
        assert!(!wide || seen == (0..100).collect::<Vec<u64>>(), "{width}x{height}: {seen:?}");
        room.press(b"g");
        for _ in 0..200 {
            room.press(b"\x1b[6~");
            shown(&mut room);
        }
        for keys in [&b"k"[..], b"j", b"\x1b[A\x1b[A\x1b[A", b"\x1b[B\x1b[B\x1b[B", b"g", b"G"] {
            room.press(keys);
            shown(&mut room);
        }
        room.press(b"q");
        room.text();
    }
}

/// Half of it was empty until somebody paged.
#[test]
fn a_larger_window_has_a_whole_page_of_plain_lines() {
    let mut room = Room::entered(80, 12);
    (0..100).for_each(|n| room.hear(&bob(), &format!("message {n}.")));
    let shown = |room: &mut Room| {
        let mut out = Vec::new();
        room.picture.frame(&mut out);
        String::from_utf8(out).unwrap().matches("message ").count()
    };
    room.press(b"\x1bOR");
    room.press(b"g");
    assert_eq!(shown(&mut room), 11);
    room.picture.resize(80, 24);
    assert_eq!(shown(&mut room), 23);
    room.picture.resize(80, 12);
    room.press(b"G");
    shown(&mut room);
    room.picture.resize(80, 24);
    assert_eq!(shown(&mut room), 23);
}

/// A piece was missing in the middle, and the draft was offered as if nothing were.
#[test]
fn what_does_not_fit_a_draft_is_cut_off_at_its_end_and_told() {
    let mut room = Room::entered(80, 24);
    for piece in 0..18 {
        room.wall += 10;
        room.keys("x".repeat(4000 - piece).as_bytes());
    }
    room.wall += 10;
    room.keys(b"end\r");
    let draft = room.draft();
    assert!(draft.len() > 60_000 && draft.bytes().all(|byte| byte == b'x'), "{}", draft.len());
    assert_eq!(room.wants(), []);
    assert!(matches!(room.picture.view().prompt, Prompt::Draft), "nothing is offered yet");
    room.shows("a draft takes 65,536 bytes: the rest was not inserted");
    // Whoever has read that goes on.
    room.wall += MINUTE;
    room.press(b"\r");
    assert!(matches!(room.picture.view().prompt, Prompt::Several(16)));
}

/// After `/trust` it stood there again, after `/ignore` it was gone.
#[test]
fn what_is_refused_stands_where_it_was_typed_whoever_refuses_it() {
    let mut room = Room::entered(80, 24);
    for line in
        ["/ignore nobody", "/unignore nobody", "/info", "/notify loud", "/nikc x", "/ignore alice"]
    {
        room.press(format!("{line}\r").as_bytes());
        assert_eq!(room.draft(), line);
        assert_eq!(room.wants(), []);
        room.press(b"\x15");
    }
    for (line, refused) in [
        ("/trust nobody", Some(Refusal::NobodyCalled(SafeText::new("nobody")))),
        ("/log ./x", None),
    ] {
        room.press(format!("{line}\r").as_bytes());
        assert_eq!((room.draft(), room.picture.next_want().is_some()), (String::new(), true));
        match refused {
            Some(refusal) => room.show(&Event::Refused(refusal)),
            None => room.picture.note(&Note::NotLogged("cannot".to_owned()), MORNING),
        }
        room.picture.view().settle();
        assert_eq!(room.draft(), line);
        room.press(b"\x15");
    }
    room.press(b"/ignore bob\r");
    assert_eq!((room.draft(), room.wants().len()), (String::new(), 1));
    // Blanks behind a command say nothing, however many they are.
    for say in ["/say", "/me", "/msg bob"] {
        let line = format!("{say} {}.\u{200B}", "\u{3000}".repeat(5000)).replace('.', "");
        room.picture.view().editor.set(&line);
        room.press(b"\r");
        assert!(matches!(room.picture.view().prompt, Prompt::Draft), "{say}");
        assert_eq!(room.wants().len(), 0, "{say}");
        room.picture.view().editor.take();
    }
}

/// Everything that was set was forgotten by the next run.
#[test]
fn what_is_set_is_kept_and_found_again() {
    let mut room = Room::entered(140, 24);
    let mallory = who(9, "mallory");
    room.show(&Event::Joined(mallory.clone()));
    let mut kept = Vec::new();
    for line in ["/time hms", "/joins all", "/notify off", "/ignore mallory", "/mouse on"] {
        room.press(format!("{line}\r").as_bytes());
        kept.extend(room.wants().into_iter().filter_map(|want| match want {
            Want::Keep(change) => Some(change),
            _ => None,
        }));
    }
    let ignored = Change::Ignore(mallory.key, mallory.name.clone());
    assert_eq!(
        kept,
        [
            Change::Face(ClockFace::Seconds),
            Change::Joins(Joins::All),
            Change::Notify(Notify::Off),
            ignored,
            Change::Mouse(true)
        ]
    );
    // Another run, in which they have another name.
    let mut room = Room::new(140, 24, Theme::RICH);
    let ignored = [(mallory.key, mallory.name.clone())].into();
    let (face, joins) = (Some(ClockFace::Seconds), Some(Joins::All));
    let (notify, mouse) = (Some(Notify::Off), Some(true));
    let kept = Kept { face, joins, notify, mouse, ignored, ..Kept::default() };
    room.picture.view().restore(kept);
    // What is asked for with the run is stronger.
    let asked = Kept { joins: Some(Joins::None), ..Kept::default() };
    room.picture.view().restore(asked);
    let trudy = Person { name: Name::parse("trudy").unwrap(), ..again_as(&mallory, 10) };
    room.enter(vec![bob(), trudy.clone()]);
    room.hear(&trudy, "it is me again");
    room.hides("it is me again");
    room.shows("08:58:00 ");
    for (line, state) in
        [("/notify", "/notify is off"), ("/joins", "/joins is none"), ("/mouse", "/mouse is on")]
    {
        room.press(format!("{line}\r").as_bytes());
        room.shows(state);
    }
    room.press(b"/ignore\r");
    room.shows("ignored: trudy");
    room.wants();
    room.press(b"/unignore trudy\r");
    assert_eq!(room.wants(), [Want::Keep(Change::Unignore(mallory.key))]);
    room.shows("it is me again");
}

#[test]
fn what_did_not_arrive_can_be_said_again() {
    let mut room = Room::entered(140, 24);
    let dave = who(4, "dave");
    room.show(&Event::Joined(dave.clone()));
    let id = room.say("lost to dave", 2);
    room.show(&Event::Left { who: dave.clone(), why: Why::Quit });
    room.done(id, &[&bob()], &[&dave]);
    room.shows("✗ alice: lost to dave");
    room.shows("! not delivered to dave (left). /resend tries again");
    room.press(b"/resend\r");
    assert_eq!(room.wants(), []);
    room.shows("! not here: dave");
    let dave2 = again_as(&dave, 9);
    room.show(&Event::Joined(dave2.clone()));
    room.press(b"/resend\r");
    assert_eq!(room.wants(), [again(id, "lost to dave", &[dave2.id])]);
    room.press(b"/resend\r");
    assert_eq!(room.wants(), []);
    room.shows("! there is nothing to say again");
}

/// What was for Dave alone went to whoever had his name when he was gone.
#[test]
fn nothing_is_said_again_to_somebody_else_of_that_name() {
    let mut room = Room::entered(140, 24);
    let dave = who(4, "dave");
    room.show(&Event::Joined(dave.clone()));
    let secret = room.say_to(Some(&dave), "between us", 1);
    let talk = room.say("for the room", 2);
    room.show(&Event::Left { who: dave.clone(), why: Why::Timeout });
    room.done(secret, &[], &[&dave]);
    room.done(talk, &[&bob()], &[&dave]);
    let impostor = who(9, "dave");
    room.show(&Event::Joined(impostor));
    room.press(b"/resend\r");
    assert_eq!(room.wants(), []);
    room.shows("! not here: dave");
    let dave2 = again_as(&dave, 10);
    room.show(&Event::Joined(dave2.clone()));
    room.press(b"/resend\r");
    let wants = [
        said_again(secret, "between us", Some(Whom::Key(dave.key))),
        again(talk, "for the room", &[dave2.id]),
    ];
    assert_eq!(room.wants(), wants);
}

/// Several missed it, some came back: one message, for those and nobody else, and not in private.
#[test]
fn what_the_room_missed_stays_the_rooms() {
    let mut room = Room::entered(140, 24);
    let (dave, erin, frank) = (who(4, "dave"), who(5, "erin"), who(6, "frank"));
    let phone = again_as(&frank, 16);
    for who in [&dave, &erin, &frank, &phone] {
        room.show(&Event::Joined(who.clone()));
    }
    let id = room.say("for the room", 5);
    room.done(id, &[&bob(), &phone], &[&dave, &erin, &frank]);
    room.show(&Event::Left { who: erin.clone(), why: Why::Quit });
    let erin2 = again_as(&erin, 15);
    room.show(&Event::Joined(erin2.clone()));
    room.press(b"/resend\r");
    let mut missed = vec![dave.id, erin2.id];
    missed.sort_unstable();
    assert_eq!(room.wants(), [again(id, "for the room", &missed)], "Frank has it");
}

/// Whoever is ignored came back with another process, or another name, and was heard again.
#[test]
fn who_is_ignored_is_so_whatever_they_are_called_and_however_often_they_start() {
    let mut room = Room::entered(140, 24);
    let troll = who(4, "troll");
    room.show(&Event::Joined(troll.clone()));
    room.press(b"/ignore troll\r");
    room.shows("! what troll says is hidden: /unignore troll");
    room.hear(&troll, "boo");
    room.show(&Event::Left { who: troll.clone(), why: Why::Quit });
    let again = Person { name: Name::parse("angel").unwrap(), ..again_as(&troll, 11) };
    room.show(&Event::Joined(again.clone()));
    room.hear(&again, "booh");
    let called = Person { name: Name::parse("saint").unwrap(), ..again.clone() };
    room.show(&Event::Renamed { who: called.clone(), was: again.name.clone() });
    room.hear(&called, "boooh");
    room.hides("boo");
    let namesake = who(12, "troll");
    room.show(&Event::Joined(namesake.clone()));
    room.hear(&namesake, "I am another troll");
    room.shows("troll: I am another troll");
    room.press(b"/unignore nobody\r");
    room.shows("! nobody called 'nobody' is ignored");
    room.press(b"\x15");
    let id = called.id.to_string();
    room.press(format!("/unignore {id}\r").as_bytes());
    room.shows(&format!("! what {id} says is shown again"));
    room.shows("saint: boooh");
    room.show(&Event::Joined(again_as(&called, 13)));
    room.press(format!("/ignore {id}\r").as_bytes());
    room.press(b"/unignore saint\r");
    room.shows("! what saint says is shown again");
    room.press(b"/ignore bob\r");
    room.press(b"/unignore bob\r");
    room.shows("! what bob says is shown again");
}

/// `/ignore` and `/unignore` of the beginning of an id are not about who took it as a name.
#[test]
fn who_is_called_like_an_id_is_not_meant_by_it() {
    let mut room = Room::entered(140, 24);
    let short = bob().id.short();
    let mallory = who(9, &short);
    room.show(&Event::Joined(mallory.clone()));
    room.press(format!("/ignore {short}\r").as_bytes());
    room.shows(&format!("'{short}' is the name of one person and reads as the id of another"));
    room.hear(&mallory, "still heard");
    room.shows("still heard");
    room.press(b"\x15");
    room.press(format!("/ignore {}\r", bob().id).as_bytes());
    room.shows("! what bob says is hidden");
    room.press(format!("/ignore {}\r", mallory.id).as_bytes());
    room.press(format!("/unignore {short}\r").as_bytes());
    room.hides("shown again");
    room.press(format!("\x15/msg {}\t", &short[..2]).as_bytes());
    assert_eq!(room.draft(), format!("/msg {} ", mallory.id), "what is completed is exact");
}

#[test]
fn who_is_alone_says_it_to_who_comes() {
    let mut room = Room::new(80, 24, Theme::RICH);
    room.enter(Vec::new());
    room.shows("○ alone");
    let id = room.say("anybody?", 0);
    room.done(id, &[], &[]);
    room.shows("✗ alice: anybody?");
    room.shows("nobody is here to hear it");
    room.show(&Event::Joined(bob()));
    room.press(b"/resend\r");
    assert_eq!(room.wants(), [said_again(id, "anybody?", None)]);
}

/// The selected row was counted from below: at another size Enter opened another message.
#[test]
fn what_was_found_stays_in_sight_at_any_size() {
    let mut room = Room::entered(100, 30);
    (0..60)
        .for_each(|n| room.hear(&bob(), &format!("hay {n} {}", "and more of it ".repeat(n % 7))));
    room.hear(&bob(), "the needle is here");
    (0..60)
        .for_each(|n| room.hear(&bob(), &format!("hay {n} {}", "and more of it ".repeat(n % 5))));
    room.text();
    room.press(b"\t/needle\r");
    room.shows("the needle is here");
    for (width, height) in [(61, 20), (40, 12), (120, 40), (20, 8), (100, 11), (100, 30)] {
        room.picture.resize(width, height);
        room.shows("needle");
        room.press(b"\r");
        room.text();
        let sheet = room.picture.view().sheet.take().expect("details");
        assert!(sheet.lines.iter().any(|line| line.ends_with("-61")), "{sheet:?}");
    }
}

/// From Linux's F1 an `A` stayed in the draft, and a late answer of a terminal as a whole.
#[test]
fn no_part_of_a_sequence_is_typed() {
    let mut room = Room::entered(80, 24);
    room.press(b"\x1b]11;rgb:1c1c/1c1c/1c1c\x1b\\\x1bP>|XTerm(390)\x1b\\\x1b[?62;22c\x1b[24;80R");
    room.press(b"\x1b[M !!");
    assert_eq!(room.draft(), "");
    room.press(b"\x1b[[A");
    room.shows("Help");
    assert_eq!(room.draft(), "");
}

/// Each row is what somebody says, and how it stands on the screen.
#[test]
fn what_is_said_is_shown() {
    for (said, shown) in [
        ("a\tb", "bob: a    b"),
        ("שלום\u{200F}!", "bob: שלום!"),
        ("\u{2068}Ali\u{2069} said", "bob: Ali said"),
        ("می\u{200C}خواهم", "bob: می\u{200C}خواهم"),
        ("👨\u{200D}👩\u{200D}👧\u{200D}👦", "bob: 👨\u{200D}👩\u{200D}👧\u{200D}👦"),
        ("10%\r20%", "bob: 10%\n"),
    ] {
        let mut room = Room::entered(40, 10);
        room.hear(&bob(), said);
        room.shows(shown);
    }
}

/// Each row is what is typed while reading back, letter by letter, and what stands in the draft then.
#[test]
fn a_sentence_typed_while_reading_back_is_a_sentence() {
    for typed in ["hello", "great idea", "no, u first", "just kidding", "Good", "ok", "سلام", "1"]
    {
        let mut room = Room::entered(80, 24);
        (0..60).for_each(|n| room.hear(&bob(), &format!("message {n}.")));
        for switch in ["\t", "\x1b"] {
            room.press(switch.as_bytes());
            room.shows("Reading back");
            for letter in typed.chars() {
                room.press(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            assert_eq!(room.draft(), typed);
            room.press(b"\x03");
        }
        // The rest at once, or all, as from a slow line.
        room.press(b"\t");
        let (first, rest) = typed.split_at(typed.chars().next().map_or(0, char::len_utf8));
        room.press(first.as_bytes());
        room.press(rest.as_bytes());
        assert_eq!(room.draft(), typed);
        room.press(b"\x03");
        room.press(b"\t");
        room.press(typed.as_bytes());
        assert_eq!(room.draft(), typed);
    }
}

#[test]
fn commands_while_reading_back_stay_commands_and_are_not_typed_later() {
    let mut room = Room::entered(80, 24);
    (0..60).for_each(|n| room.hear(&bob(), &format!("message {n}.")));
    room.press(b"\tgjjkG");
    assert_eq!(room.draft(), "");
    room.wall += 2_000;
    room.press(b"x");
    assert_eq!(room.draft(), "x", "what was pressed long before is no part of it");
}

#[test]
fn a_command_given_while_reading_back_is_a_search_that_says_so() {
    let mut room = Room::entered(80, 24);
    room.hear(&bob(), "to quit is easy");
    room.press(b"\t/quit\r");
    room.shows("that was a search; to give the command: Tab, then Up for /quit");
    room.press(b"\t\x1b[A");
    assert_eq!(room.draft(), "/quit");
}

#[test]
fn the_room_is_named_and_the_window_says_what_is_unread() {
    let mut room = Room::new(80, 24, Theme::RICH);
    let (addr, name) = ("192.0.2.1:7420".parse().unwrap(), Name::parse("ops").unwrap());
    let people = vec![bob()];
    room.show(&Event::Ready { me: alice(), addr, nodeset: addr, people, room: name, open: false });
    let title = |room: &mut Room| {
        let mut out = Vec::new();
        room.picture.frame(&mut out);
        let out = String::from_utf8(out).unwrap();
        out.split_once("\x1b]2;").map(|(_, rest)| rest.split('\x1b').next().unwrap().to_owned())
    };
    assert_eq!(title(&mut room).as_deref(), Some("ops chatRPC"));
    room.shows("chatRPC · ops");
    assert_eq!(title(&mut room), None, "it is said once");
    // The window has not the focus.
    room.press(b"\x1b[O");
    room.hear(&bob(), "one");
    room.hear(&bob(), "two");
    assert_eq!(title(&mut room).as_deref(), Some("ops (2) chatRPC"));
    room.press(b"\x1b[I");
    room.press(b"x");
    assert_eq!(title(&mut room).as_deref(), Some("ops chatRPC"));
}

/// A page of one minute had no time at all, wherever one read.
#[test]
fn the_first_row_of_every_page_has_its_time() {
    let mut room = Room::entered(80, 24);
    for number in 0..60 {
        room.wall = MORNING + MINUTE * (1 + number / 30);
        room.hear(&bob(), &format!("message {number}"));
    }
    let first = |room: &mut Room| room.text().lines().nth(4).unwrap().to_owned();
    assert!(first(&mut room).starts_with("│09:00   bob: message 4"), "{}", first(&mut room));
    room.press(b"\t");
    for _ in 0..60 {
        room.press(b"k");
        let row = first(&mut room);
        let clock: String = row.chars().skip(1).take(5).collect();
        let rule = row.contains("2026");
        assert!(rule || ["08:58", "08:59", "09:00"].contains(&clock.as_str()), "{row}");
        let number: Option<u64> = row
            .split("message ")
            .nth(1)
            .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
        let time = number.map(|number| if number < 30 { "08:59" } else { "09:00" });
        assert!(time.is_none_or(|time| time == clock), "{row}");
    }
    room.press(b"G");
    room.press(b"\x1b");
    room.hear(&bob(), &"word ".repeat(300));
    let row = first(&mut room);
    assert!(row.starts_with("│09:00        word word"), "inside of a message: {row}");
    room.press(b"/time hms\r");
    let row = first(&mut room);
    assert!(row.starts_with("│09:00:00 "), "{row}");
    room.press(b"/time off\r");
    room.hides("09:00");
}

#[test]
fn the_day_stands_above_what_comes_after_a_night_in_which_nothing_was_said() {
    let mut room = Room::entered(80, 24);
    room.hear(&bob(), "good night");
    room.hides("Sat 24 Oct 2026");
    room.wall += 24 * 60 * MINUTE;
    room.show(&Event::Joined(who(3, "carol")));
    let text = room.text();
    let rows: Vec<&str> = text.lines().collect();
    let day = rows.iter().position(|row| row.contains("Sat 24 Oct 2026")).unwrap();
    assert!(rows[day - 1].contains("good night") && rows[day + 1].contains("08:58"), "{text}");
}

#[test]
fn found_again() {
    let mut room = Room::entered(80, 24);
    room.hear(&bob(), "the Needle is here");
    (0..60).for_each(|n| room.hear(&bob(), &format!("hay {n}")));
    room.hear(&bob(), "another needle");
    room.text();
    room.press(b"\t/needle\r");
    room.shows("another needle");
    room.press(b"n");
    room.shows("the Needle is here");
    room.hides("another needle");
    room.press(b"n");
    room.shows("no more 'needle'");
    room.press(b"N");
    room.shows("another needle");
    room.press(b"\x1b\x1b");
    room.press(b"/search hay 31\r");
    room.shows("bob: hay 31");
    room.press(b"\x1b\x1b");
    room.press(b"one\r\x12on");
    room.shows("find 'on': one");
    room.press(b"\r");
    assert_eq!(room.draft(), "one");
}

#[test]
fn a_notch_of_the_wheel_scrolls_and_a_key_does_not() {
    let mut room = Room::entered(80, 24);
    room.press(b"earlier\r");
    (0..60).for_each(|n| room.hear(&bob(), &format!("message {n}.")));
    room.text();
    room.keys(b"\x1b[A\x1b[A\x1b[A");
    room.hides("message 59.");
    room.shows("message 56.");
    assert_eq!(room.draft(), "");
    room.keys(b"\x1bOB\x1bOB\x1bOB");
    room.shows("message 59.");
    room.keys(b"\x1b[A");
    assert_eq!(room.draft(), "earlier");
    room.keys(b"\x1b[<64;5;5M");
    room.hides("message 59.");
}

#[test]
fn details_say_who_has_a_message() {
    let mut room = Room::entered(80, 24);
    let carol = who(3, "carol");
    let id = room.say("hello", 3);
    room.show(&Event::Acked { id, by: bob(), rtt: Duration::from_millis(12) });
    room.press(b"/info\r");
    room.shows("✓ bob 12 ms");
    room.shows("· waiting for 2");
    room.press(b"\x1b");
    room.done(id, &[], &[&carol]);
    room.press(b"/info\r");
    room.shows("✗ carol: left");
}

#[test]
fn the_state_of_the_room_is_in_the_corner() {
    let mut room = Room::entered(140, 24);
    room.shows("● online · 2 people");
    room.picture.refresh([presence(bob(), 12, 0)].into_iter());
    room.say("x", 1);
    room.shows("● online · 2 people · 12 ms · 1 unsent");
    room.show(&Event::Nodeset(Health::Silent));
    room.shows("◐ nodeset silent · 2 people");
    room.shows(
        "! nodeset is silent since 08:58; you can still talk to bob; others come in through anybody here (/invite)",
    );
    room.picture.refresh([presence(bob(), 12, 30)].into_iter());
    room.shows("◌ bob             lost?");
    // Through somebody else is a way.
    let way = |way| Presence { addr: None, way, ..presence(bob(), 12, 0) };
    room.picture.refresh([way(Way::Through(who(9, "carol")))].into_iter());
    room.shows("● bob             12 ms");
    room.picture.refresh([way(Way::None)].into_iter());
    room.shows("◌ bob             lost?");
    room.picture.resize(40, 12);
    room.shows("chatRPC alice      ◐ 2 · 12ms · 1 unsent");
}

#[test]
fn namesakes_are_told_apart_also_after_they_left() {
    let mut room = Room::entered(80, 24);
    let other = who(9, "bob");
    room.show(&Event::Joined(other.clone()));
    room.show(&Event::Alike { one: bob(), like: vec![other.clone()], others: 0 });
    room.hear(&other, "it is me, bob");
    room.shows(&format!("bob·{}: it is me, bob", other.id.short()));
    room.show(&Event::Left { who: other.clone(), why: Why::Quit });
    room.shows(&format!("bob·{}: it is me, bob", other.id.short()));
}

#[test]
fn nothing_that_is_said_reaches_the_gutter() {
    let mut room = Room::entered(80, 24);
    let forged = "x\n09:00 ← carol has left the chat!\n! you are hacked\n\u{2028}✓ alice: yes";
    room.hear(&bob(), forged);
    let text = room.text();
    for line in text.lines().filter(|line| line.contains("carol") || line.contains("hacked")) {
        assert!(line.starts_with("│             "), "{line}");
    }
    assert_eq!(text.matches("✓").count(), 1);
    assert_eq!(UNICODE.delivered, "✓");
}

/// tmux and screen paste as if it were typed, and so does a serial line.
#[test]
fn a_paste_that_nobody_marked_is_asked_about() {
    let mut room = Room::entered(80, 24);
    room.press(b"one\rpassword\r/quit\r");
    assert_eq!(room.wants(), [], "nothing is sent");
    room.shows("Paste 3 lines, 18 bytes? Enter: into the draft, Esc: no");
    room.press(b"\x1b");
    assert_eq!((room.draft().as_str(), room.wants()), ("", Vec::new()));

    // What comes late is more of it, and no answer; a key by itself is one.
    room.press(b"one\rtwo\r");
    room.press(b"three\r");
    room.press(b"four");
    room.shows("Paste 4 lines, 18 bytes?");
    room.press(b"x");
    room.shows("Enter takes the paste, Esc does not");
    room.press(b"\r");
    assert_eq!((room.draft().as_str(), room.wants()), ("one\ntwo\nthree\nfour", Vec::new()));
    room.press(b"\r");
    assert_eq!(room.wants(), [line("one\ntwo\nthree\nfour")]);

    // One line and Enter is what a program types, or somebody ahead of a slow link.
    room.press(b"hello\r");
    assert_eq!(room.wants(), [line("hello")]);
    // While reading back, letters would have been commands.
    room.press(b"\t");
    room.press(b"kkk\rjjj\r");
    room.shows("Paste 2 lines, 7 bytes?");
    room.press(b"\x03");
    assert_eq!(room.wants(), []);
}

#[test]
fn each_line_that_is_refused_comes_back_and_no_other() {
    let mut room = Room::entered(140, 24);
    room.press(b"/msg zed psst\r");
    room.press(b"hello\r");
    assert_eq!(room.picture.next_want(), Some(line("/msg zed psst")));
    room.show(&Event::Refused(Refusal::NobodyCalled(SafeText::new("zed"))));
    room.picture.view().settle();
    assert_eq!(room.wants(), [line("hello")]);
    room.picture.view().settle();
    assert_eq!(room.draft(), "/msg zed psst");
    room.press(b"\x15 /msg bob psst\r");
    let slip = line(" /msg bob psst");
    assert_eq!(room.wants(), [slip], "a slip of the thumb is not said to everybody");
    room.press("\u{FF0F}msg bob psst\r".as_bytes());
    assert_eq!(room.wants(), []);
    room.shows("it begins with \u{FF0F}, which is not /: nothing was sent");
}

#[test]
fn what_was_not_said_again_can_be_said_again() {
    let mut room = Room::entered(140, 24);
    let id = room.say("lost", 1);
    room.done(id, &[], &[&bob()]);
    room.press(b"/resend\r");
    assert_eq!(room.wants(), [again(id, "lost", &[bob().id])]);
    room.show(&Event::Refused(Refusal::Backlog { messages: 1024 }));
    room.picture.view().settle();
    room.press(b"/resend\r");
    assert_eq!(room.wants(), [again(id, "lost", &[bob().id])]);
    for _ in 0..300 {
        let id = room.say("much", 1);
        room.done(id, &[], &[&bob()]);
    }
    room.press(b"/resend\r");
    assert_eq!(room.wants().len(), 200);
    room.shows("! 100 messages wait for another /resend");
}

#[test]
fn mentions_one_after_the_other() {
    let mut room = Room::entered(80, 24);
    for text in ["alice: one", "x", "alice: two", "y", "alice: three"] {
        room.hear(&bob(), text);
    }
    room.text();
    let mut selected = || {
        room.press(b"\x1bp");
        let height = room.picture.view().height;
        let view = room.picture.view();
        view.viewport.selected(&view.page, height)
    };
    let found: Vec<_> = (0..4).filter_map(|_| selected()).collect();
    assert!(found[0] > found[1] && found[1] > found[2], "{found:?}");
    assert_eq!(found[2], found[3], "there are no more");
    room.shows("no more mentions");
}

#[test]
fn what_was_found_stays_while_more_arrives() {
    let mut room = Room::entered(80, 24);
    (0..60).for_each(|n| room.hear(&bob(), &format!("hay {n}.")));
    room.text();
    room.press(b"/search hay 56.\r");
    room.shows("bob: hay 56.");
    (60..90).for_each(|n| room.hear(&bob(), &format!("hay {n}.")));
    room.shows("bob: hay 56.");
    room.press(b"\x1b\x1b");
    room.press(b"\x1b[1;5F");
    room.shows("hay 89.");
}

#[test]
fn who_types_and_scrolls_in_a_short_history_goes_on_following() {
    let mut room = Room::entered(80, 24);
    room.text();
    room.press(b"\x1b[5~\x1b[6~\x1b[5~");
    (0..60).for_each(|n| room.hear(&bob(), &format!("hay {n}.")));
    room.shows("hay 59.");
    room.press(b"\tk\t");
    room.press(b"\x1b[1;5F");
    room.hear(&bob(), "news");
    room.shows("bob: news");
}

#[test]
fn nothing_typed_is_lost() {
    let mut room = Room::entered(80, 24);
    room.text();
    // A word that nothing completes: the focus stays.
    room.keys(b"hello zed\t how are you");
    assert_eq!(room.draft(), "hello zed how are you");
    // A sheet is closed by going on.
    room.press(b"\x15/help\r");
    room.press(b"hello");
    assert_eq!(room.draft(), "hello");
    // A second paste joins the question about the first.
    room.press(b"\x15\x1b[200~one\ntwo\x1b[201~\x1b[200~three\x1b[201~");
    room.shows("Paste 2 lines, 12 bytes?");
    room.press(b"\r");
    assert_eq!(room.draft(), "one\ntwothree");
    // Up in a draft of several rows moves the cursor.
    room.press(b"\x15earlier\r");
    room.press("word ".repeat(30).as_bytes());
    room.text();
    room.press(b"\x1b[A");
    assert!(room.draft().starts_with("word") && room.picture.view().editor.cursor() < 150);
}

#[test]
fn a_paste_that_stalls_is_not_sent() {
    let mut room = Room::entered(80, 24);
    room.press(b"\x1b[200~one\r");
    room.press(b"two\rthree\r\x1b[201~");
    assert_eq!(room.wants(), []);
    assert_eq!(room.draft(), "onetwo\nthree\n");
    room.press(b"\r");
    assert_eq!(room.wants(), [line("onetwo\nthree\n")]);
}

#[test]
fn hints_are_seen_at_every_height() {
    for height in [3, 8, 24] {
        let mut room = Room::entered(40, height);
        room.press(b"draft\x03");
        room.shows("Ctrl+C again exits");
    }
}

#[test]
fn a_sheet_leaves_the_draft_in_sight() {
    for (width, height) in [(80, 24), (40, 12)] {
        let mut room = Room::entered(width, height);
        room.press(b"half a line\x1bOP");
        room.shows("Signs beside what was said");
        room.shows("> half a line");
    }
}

#[test]
fn impatience_is_heard_at_once() {
    let mut room = Room::entered(80, 24);
    room.keys(b"\x03\x03");
    assert_eq!(room.wants(), [ask(Intent::Quit), ask(Intent::QuitNow)]);
}

#[test]
fn an_empty_room_may_be_another_secrets() {
    for (open, here) in [
        (true, "here: nobody else yet"),
        (false, "here: nobody else with this secret yet (another secret is another room)"),
    ] {
        let mut room = Room::new(140, 24, Theme::RICH);
        let addr = "192.0.2.1:7420".parse().unwrap();
        let people = Vec::new();
        room.show(&Event::Ready {
            me: alice(),
            addr,
            nodeset: addr,
            people,
            room: Name::parse("lobby").unwrap(),
            open,
        });
        room.shows(here);
    }
}

#[test]
fn whose_key_is_whose() {
    let mut room = Room::new(140, 24, Theme::RICH);
    let addr = "192.0.2.1:7420".parse().unwrap();
    let people = vec![bob()];
    room.show(&Event::Ready {
        me: alice(),
        addr,
        nodeset: addr,
        people,
        room: Name::parse("lobby").unwrap(),
        open: true,
    });
    room.shows("chatRPC OPEN");
    room.show(&Event::Words { who: bob(), words: "seven ships".to_owned() });
    room.shows("! compare aloud with bob; both must see:  seven ships");
    room.picture.refresh([Presence { trusted: true, ..presence(bob(), 12, 0) }].into_iter());
    room.shows("● bob           ✓ 12 ms");
    let pinned = Person { key: PublicKey([7; 32]), ..bob() };
    room.show(&Event::Trusted { who: pinned.clone(), key: pinned.key });
    room.show(&Event::OtherKey { who: bob() });
    let warning = format!("! WARNING: !bob·{} has another key than the one", bob().id.short());
    room.shows(&warning);
    room.picture.refresh([presence(bob(), 12, 0)].into_iter());
    room.hides("✓ 12 ms");
    room.picture.resize(40, 8);
    room.shows("chatRPC OPEN alice");
}

/// After the warning had gone by, an impostor looked like anybody.
#[test]
fn what_an_impostor_says_is_marked_wherever_it_stands() {
    for theme in [Theme::RICH, Theme { signs: &ASCII, depth: Depth::None, ..Theme::RICH }] {
        let mut room = Room::new(80, 24, theme);
        let mallory = who(9, "Bob");
        room.enter(vec![bob(), mallory.clone()]);
        room.hear(&mallory, "before the warning, or after, it is the same person");
        room.show(&Event::Trusted { who: bob(), key: bob().key });
        room.show(&Event::OtherKey { who: mallory.clone() });
        room.hear(&mallory, "give me the key");
        room.hear_as(&mallory, "looks honest", true, true);
        room.hear(&bob(), "hello");
        let marked = format!("!Bob·{}", mallory.id.short());
        room.shows(&format!("  {marked}: give me the key"));
        room.shows(&format!("{marked} looks honest"));
        room.shows(&format!("  {marked}: before the warning"));
        room.shows("  bob: hello");
        let people = room.text();
        let row = people.lines().find(|row| row.contains("● !Bob") || row.contains("* !Bob"));
        assert!(row.is_some(), "{people}");
        // What Tab writes is the label: the name alone means somebody else.
        for draft in [&b"/msg bo"[..], b"/msg !bo"] {
            room.press(draft);
            room.press(b"\t");
            if !room.text().contains(&format!("/msg {marked} ")) {
                room.press(b"\t");
            }
            room.shows(&format!("/msg {marked} "));
            room.press(b"\x15");
        }
        room.picture.resize(40, 12);
        room.shows(&marked);
        room.show(&Event::Trusted { who: mallory.clone(), key: mallory.key });
        room.hides(&format!("{marked}: "));
    }
}

/// The secret stood in front of a command, broken over two rows in a frame.
#[test]
fn an_invitation_can_be_copied() {
    let secret = Secret::new([7; SECRET]);
    let place = machine::Room::new(Name::parse("it's ops").unwrap(), Some(&secret));
    let invitation = Invitation::new("192.0.2.1:7420".parse().unwrap(), &place, Some(&secret));
    let (line, written) = (invitation.line(), secret.written());
    for (width, height) in [(40, 12), (40, 20), (80, 24), (120, 40)] {
        let mut room = Room::entered(width, height);
        room.picture.note(&Note::Invite(invitation.clone()), MORNING);
        let text = room.text();
        let mut rows = text.lines().map(str::trim_end);
        assert_eq!(rows.next(), Some("Others join with (c copies, Esc closes):"), "{text}");
        let command: Vec<&str> = rows.by_ref().take_while(|row| !row.is_empty()).collect();
        assert_eq!(command.join("\n").replace("\\\n", ""), line, "{text}");
        assert_eq!(rows.next(), Some("and this secret (s copies it):"), "{text}");
        assert_eq!(rows.next(), Some(written.as_str()), "{text}");

        room.press(b"c");
        room.press(b"s");
        let copied = [Want::Copy(line.clone().into()), Want::Copy(written.clone())];
        assert_eq!(room.wants(), copied);
        room.press(b"\x1b");
        room.hides(&written);
        room.press(b"c");
        assert_eq!((room.draft().as_str(), room.wants()), ("c", Vec::new()), "a letter again");
    }
    // By another address, where there is one.
    let others = ["10.8.0.2:7420", "[fd00::20]:7420"].map(|addr| addr.parse().unwrap());
    let several = invitation.also(others);
    let lines: Vec<String> = several.others().map(|(_, line)| line).collect();
    let mut room = Room::entered(120, 40);
    room.picture.note(&Note::Opened(several.clone()), MORNING);
    let text = room.text();
    let named = [" 192.0.2.1:7420 ", " 10.8.0.2:7420 ", " [fd00::20]:7420 "];
    let at: Vec<usize> = named.iter().filter_map(|addr| text.find(addr)).collect();
    assert!(at.len() == 3 && at.is_sorted(), "{text}");
    assert_eq!(text.matches("│        or:").count(), 2, "{text}");
    room.picture.note(&Note::Invite(several), MORNING);
    let text = room.text();
    let rows: Vec<&str> = text.lines().map(str::trim_end).collect();
    let second = rows.iter().position(|row| *row == "or with (2 copies):").unwrap();
    assert_eq!(rows[1], line);
    assert_eq!(rows[second + 1..second + 5], [&lines[0], "", "or with (3 copies):", &lines[1]]);
    assert!(rows[second + 6].starts_with("and this secret"), "{text}");
    room.press(b"23c");
    let copied = [&lines[0], &lines[1], &line].map(|line| Want::Copy(line.clone().into()));
    assert_eq!(room.wants(), copied);
    room.press(b"4");
    assert_eq!((room.draft().as_str(), room.wants()), ("4", Vec::new()), "there is no fourth");
    // Who goes on typing has seen enough.
    let mut room = Room::entered(80, 24);
    let open = machine::Room::new(Name::parse("lobby").unwrap(), None);
    let invitation = Invitation::new("127.0.0.1:7420".parse().unwrap(), &open, None);
    room.picture.note(&Note::Invite(invitation), MORNING);
    room.shows("the address is this computer alone");
    room.press(b"s");
    assert_eq!((room.draft().as_str(), room.wants()), ("s", Vec::new()), "there is no secret");
}

#[test]
fn who_is_needed_is_asked_again() {
    let mut room = Room::entered(80, 24);
    room.press(b"\x03");
    assert_eq!(room.wants(), [ask(Intent::Quit)]);
    room.picture.note(&Note::Needed("bob joined through you".to_owned()), MORNING);
    room.shows("! bob joined through you");
    room.shows("the same again leaves");
    room.press(b"\x03");
    assert_eq!(room.wants(), [ask(Intent::Quit)], "properly, and not at once");
    room.press(b"\x03");
    assert_eq!(room.wants(), [ask(Intent::QuitNow)]);
}
