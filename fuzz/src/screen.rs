//! The screen: anything that can be typed, cut anywhere, at any time, in a room whose members say what
//! they like, on a terminal that changes its size.
//!
//! Only our own control sequences are written, and text that is safe; a frame that changes nothing
//! writes nothing; and what the terminal shows after many small changes is what it would show if all
//! of it were drawn at once.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use chatrpc::driver::{Picture, trial};
use chatrpc::machine::{
    Event, Health, MessageId, Name, NameProblem, PeerId, Person, Presence, PublicKey, Refusal,
    SafeText, Time, Way, Why, sanitize,
};

use super::script::Script;

/// So much happens at most.
const STEPS_MAX: usize = 64;

/// When somebody sits down: 23 Oct 2026.
const MORNING: u64 = 1_792_745_880_000;

/// What keys send, and what answers of a terminal look like.
const KEYS: [&[u8]; 49] = [
    b"\r",
    b"\t",
    b"\x1b[Z",
    b"\x1b",
    b"\x7f",
    b"\n",
    b"\x1b\r",
    b"\x1b[A",
    b"\x1b[B",
    b"\x1b[C",
    b"\x1b[D",
    b"\x1b[1;5C",
    b"\x1b[1;3D",
    b"\x1bb",
    b"\x1bf",
    b"\x1bd",
    b"\x1b\x7f",
    b"\x01",
    b"\x05",
    b"\x0b",
    b"\x15",
    b"\x17",
    b"\x19",
    b"\x1by",
    b"\x14",
    b"\x1f",
    b"\x12",
    b"\x10",
    b"\x0e",
    b"\x03",
    b"\x04",
    b"\x0c",
    b"\x1a",
    b"\x1bOP",
    b"\x1b[12~",
    b"\x1b[17~",
    b"\x1b[5~",
    b"\x1b[6~",
    b"\x1b[H",
    b"\x1b[F",
    b"\x1b[1;5H",
    b"\x1bu",
    b"\x1bp",
    b"\x1b[200~",
    b"\x1b[201~",
    b"\x1b[I",
    b"\x1b[O",
    b"\x1b[<64;3;3M",
    b"\x1bOR",
];

const WORDS: [&str; 25] = [
    "hello",
    " ",
    "/",
    "/help\r",
    "/search a\r",
    "/resend\r",
    "/info\r",
    "/ignore bob\r",
    "/unignore bob\r",
    "/joins all\r",
    "/joins none\r",
    "/time hms\r",
    "/notify all\r",
    "/clear\r",
    "/debug\r",
    "bo\t",
    "/m\t",
    "gGnNjku",
    "tT",
    "\r\r",
    "你好",
    "e\u{301}",
    "👩\u{200d}💻",
    "שלום",
    "a long line that is wider than many a terminal, and then some more of it, and more\r",
];

const TEXTS: [&str; 12] = [
    "hello",
    "alice: look",
    "two\nlines\n\nfour",
    "see https://example.org/runs/1?tab=log#é and http://[::1]/x).",
    "\x1b[2J\x1b]52;c;x\x07\u{9b}31m\x0e",
    "\u{202e}ecila\u{2066}\u{200b}\u{feff}\u{ad}",
    "你好世界 你好世界 你好世界 你好世界",
    "👩\u{200d}👩\u{200d}👧\u{200d}👦\u{200d}👦 ❤\u{fe0f} 👍🏽 🇩🇪🇩",
    "e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306} \u{301}x",
    "\u{1100}\u{1100}\u{1100}\u{1100}\u{1100}\u{1161}\u{1161}",
    "क्षत्रि ประยุทธ์ မျှော် נִקּוּד",
    "supercalifragilisticexpialidocious-supercalifragilisticexpialidocious",
];

const NAMES: [&str; 6] =
    ["bob", "你好 👍", "alіce", "e\u{301}", "ĀĀĀĀĀĀĀĀĀĀĀĀĀĀĀĀĀĀĀĀĀĀĀĀ", "carol with a long name"];

/// Plays a script.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    if script.one_in(8) {
        return cuts(&mut script);
    }
    let mut desk = Desk::new(&mut script);
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        desk.step(&mut script);
    }
    desk.frame();
}

/// However the bytes are cut into reads, the same is typed; and a while later a letter is a letter.
fn cuts(script: &mut Script<'_>) {
    let mut cuts = [0; 16];
    cuts.fill_with(|| script.below(6));
    let bytes = script.rest();
    let (mut rest, mut reads) = (bytes, Vec::new());
    for cut in cuts {
        let (read, after) = rest.split_at(cut.min(rest.len()));
        reads.push((Time::ZERO, read));
        rest = after;
    }
    reads.push((Time::ZERO, rest));
    let later = Time::ZERO + Duration::from_secs(3);
    let whole = trial::typed([(Time::ZERO, bytes)], later);
    assert_eq!(trial::typed(reads, later), whole);
    let more = trial::typed([(Time::ZERO, bytes), (later, b"Z".as_slice())], later);
    assert_eq!(more[..whole.len()], whole);
    assert_eq!(more[whole.len()..], trial::typed([(later, b"Z".as_slice())], later));
}

/// A screen and whoever sits there.
struct Desk {
    now: Time,
    wall: u64,
    picture: Picture,
    plain: bool,
    size: (u16, u16),
    terminal: vt100::Parser,
    people: Vec<Person>,
    said: u64,
}

impl Desk {
    fn new(script: &mut Script<'_>) -> Self {
        let size = (1 + script.below(130) as u16, 1 + script.below(50) as u16);
        let plain = script.one_in(2);
        let picture =
            if plain { trial::plainest(size.0, size.1) } else { Picture::plain(size.0, size.1) };
        let mut people = vec![person(0, "alice")];
        people.extend((1..).zip(NAMES).map(|(id, name)| person(id, name)));
        let terminal = terminal(size);
        let (now, wall) = (Time::ZERO, MORNING);
        let mut desk = Self { now, wall, picture, plain, size, terminal, people, said: 0 };
        let addr = addr();
        let here = desk.people[1..3].to_vec();
        let (me, open) = (desk.people[0].clone(), script.one_in(2));
        desk.show(&Event::Ready {
            me,
            addr,
            nodeset: addr,
            people: here,
            room: Name::parse("lobby").expect("a name"),
            open,
        });
        desk
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.below(16) {
            0..=2 => (0..=script.below(6)).for_each(|_| self.feed(script.pick(&KEYS))),
            3 | 4 => self.feed(script.pick(&WORDS).as_bytes()),
            5 => {
                let len = script.below(40);
                self.feed(script.bytes(len));
            }
            6..=9 => self.happen(script),
            10 => {
                let ms = script.pick(&[1, 31, 101, 2_001, 86_400_000, 1 << 40]);
                self.now = self.now + Duration::from_millis(ms);
                self.wall = self.wall.saturating_add(ms);
                self.picture.tick(self.now, self.wall);
                assert!(self.picture.deadline().is_none_or(|at| at > self.now));
            }
            11 => {
                self.size = (1 + script.below(130) as u16, 1 + script.below(50) as u16);
                self.picture.resize(self.size.0, self.size.1);
                self.terminal = terminal(self.size);
            }
            12 => {
                let text = text(script);
                trial::remark(&mut self.picture, &sanitize(&text), self.wall);
            }
            13 => {
                let people: Vec<Presence> = self.presence(script);
                self.picture.refresh(people.into_iter());
            }
            _ => self.frame(),
        }
        self.carry_out(script);
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.picture.feed(bytes, self.now, self.wall);
    }

    fn show(&mut self, event: &Event<'_>) {
        self.picture.show(event, self.wall);
    }

    /// The machine does what the person wants, or says why not.
    fn carry_out(&mut self, script: &mut Script<'_>) {
        while let Some(line) = trial::next_line(&mut self.picture) {
            if script.one_in(8) {
                let wanted = SafeText::new(&line).into_owned();
                self.show(&Event::Refused(Refusal::NobodyCalled(wanted)));
            } else if SafeText::new(&line).is_blank() {
                self.show(&Event::Refused(Refusal::Empty));
            } else {
                let id = self.next_id(0);
                let to = script.one_in(4).then(|| self.people[1].clone());
                let (action, readers) = (script.one_in(8), script.below(3));
                let text = SafeText::new(&line);
                self.show(&Event::Sent { id, text, action, to, readers });
            }
            trial::settle(&mut self.picture);
        }
    }

    fn next_id(&mut self, author: usize) -> MessageId {
        self.said += 1;
        MessageId { author: self.people[author].id, number: self.said }
    }

    /// Something happens in the room.
    fn happen(&mut self, script: &mut Script<'_>) {
        let who = 1 + script.below(self.people.len() - 1);
        let person = self.people[who].clone();
        let text = text(script);
        let number = script.below(self.said as usize + 2) as u64;
        let own = MessageId { author: self.people[0].id, number };
        let event = match script.below(28) {
            0..=9 => {
                let (id, from) = (self.next_id(who), person);
                let text = SafeText::new(&text);
                let [action, private, mention] = [5, 6, 3].map(|n| script.one_in(n));
                Event::Message { id, from, text, action, private, mention, past: None }
            }
            10 => Event::Joined(person),
            11 => Event::Left { who: person, why: script.pick(&[Why::Quit, Why::Timeout]) },
            12 => {
                let was = person.name;
                self.people[who].name = name(script.pick(&NAMES));
                Event::Renamed { who: self.people[who].clone(), was }
            }
            13 => {
                let (like, others) = (vec![self.people[0].clone()], script.below(3));
                Event::Alike { one: person, like, others }
            }
            14 | 15 => {
                let rtt = Duration::from_millis(script.number());
                Event::Acked { id: own, by: person, rtt }
            }
            16 => {
                let (mut failed, mut left) = (Vec::new(), Vec::new());
                match script.below(3) {
                    0 => {}
                    1 => failed.push((person, Why::Unread)),
                    _ => left.push(person),
                }
                Event::Done { id: own, acked: script.below(3), failed, left }
            }
            17 => Event::Missing { from: person, count: script.number() },
            18 => Event::Nodeset(script.pick(&[Health::Silent, Health::Online])),
            19 => {
                let (key, trusted) = (PublicKey([7; 32]), script.one_in(2));
                Event::Whois { who: person, key, addr: Some(addr()), trusted }
            }
            20 if script.one_in(3) => Event::Untrusted { name: person.name, key: person.key },
            20 => Event::OtherKey { who: person },
            21 => Event::People(self.presence(script)),
            22 => {
                let (wanted, present) = (person.name, name(script.pick(&NAMES)));
                Event::Refused(Refusal::Name(NameProblem::LooksLike { wanted, present }))
            }
            23 if script.one_in(4) => Event::Twins { who: person, ours: script.one_in(2) },
            23 => Event::Elsewhere { count: script.below(10) as u8 },
            24 => {
                let (reads, waiting) = (script.one_in(2), script.number() as usize);
                Event::Reads { who: person, reads, waiting }
            }
            26 => {
                let (way, waiting) = (self.way(script), script.number() as usize);
                Event::Way { who: person, way, waiting }
            }
            25 => Event::Refused(Refusal::LikeSlash('／')),
            _ => {
                let nearest = script.one_in(2).then_some("who");
                let typed = SafeText::new(&text).into_owned();
                Event::Refused(Refusal::UnknownCommand { typed, nearest })
            }
        };
        self.show(&event);
    }

    fn way(&self, script: &mut Script<'_>) -> Way {
        match script.below(4) {
            0 => Way::Direct,
            1 => Way::Through(self.people[script.below(self.people.len())].clone()),
            2 => Way::Deaf,
            _ => Way::None,
        }
    }

    fn presence(&self, script: &mut Script<'_>) -> Vec<Presence> {
        let people = self.people[1..].iter().take(script.below(self.people.len()));
        let presence = people.map(|who| Presence {
            lost: false,
            who: who.clone(),
            addr: script.one_in(2).then(addr),
            way: self.way(script),
            rtt: script.one_in(2).then(|| Duration::from_millis(script.number())),
            unacked: script.number(),
            silent: Duration::from_secs(script.u8().into()),
            trusted: script.one_in(2),
            reads: script.one_in(2),
        });
        presence.collect()
    }

    /// A frame is drawn.
    fn frame(&mut self) {
        let mut bytes = Vec::new();
        self.picture.frame(&mut bytes);
        check(&bytes);
        self.terminal.process(&bytes);
        assert!(!self.picture.is_dirty());
        let mut again = Vec::new();
        self.picture.frame(&mut again);
        assert!(again.is_empty(), "nothing has changed: {}", again.escape_ascii());
        self.picture.forget();
        self.picture.frame(&mut again);
        check(&again);
        // What is to be selected stays as it was drawn.
        let kept = again.windows(5).any(|control| control == b"\x1b[?7h");
        if self.plain && !kept {
            // Where every letter has one column, emulators agree.
            let mut fresh = terminal(self.size);
            fresh.process(&again);
            same(self.terminal.screen(), fresh.screen());
        }
        self.terminal.process(&again);
    }
}

/// Two terminals look the same.
fn same(one: &vt100::Screen, other: &vt100::Screen) {
    let (height, width) = (one.size().0.get(), one.size().1.get());
    for row in 0..height {
        for column in 0..width {
            let look = |screen: &vt100::Screen| {
                let cell = screen.cell(row, column).expect("a cell");
                let letter = if cell.has_contents() { cell.contents() } else { " " }.to_owned();
                (letter, cell.bold(), cell.dim(), cell.italic(), cell.underline(), cell.inverse())
            };
            assert_eq!(look(one), look(other), "in row {row}, column {column}");
        }
    }
    assert_eq!(one.hide_cursor(), other.hide_cursor());
    assert!(one.hide_cursor() || one.cursor_position() == other.cursor_position());
}

fn terminal((width, height): (u16, u16)) -> vt100::Parser {
    let side = |n| NonZeroU16::new(n).expect("a side");
    vt100::Parser::new(side(height), side(width), 0)
}

fn addr() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 7420))
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn person(id: u64, text: &str) -> Person {
    // The upper bits are what people see of an id.
    let key = PublicKey([id as u8; 32]);
    Person { id: PeerId(id << 56 | id), key, name: name(text) }
}

/// What somebody says, or is told.
fn text(script: &mut Script<'_>) -> String {
    match script.below(4) {
        0 => {
            let len = script.below(64);
            String::from_utf8_lossy(script.bytes(len)).into_owned()
        }
        1 => script.pick(&TEXTS).repeat(1 + script.below(40)),
        _ => script.pick(&TEXTS).to_owned(),
    }
}

/// What is written is ours, from the first byte to the last: frames, cursor positions, erasing
/// everything, colours and attributes, links, the title of the window, and text that nothing has to be
/// taken out of.
fn check(bytes: &[u8]) {
    let text = core::str::from_utf8(bytes).expect("text");
    let mut parts = text.split('\x1b');
    safe(parts.next().unwrap_or_default());
    // A link ends with ESC and a backslash, and so does a title.
    let mut in_link = false;
    for part in parts {
        if core::mem::take(&mut in_link) {
            let rest = part.strip_prefix('\\').expect("a link ends");
            safe(rest);
        } else if let Some(title) = part.strip_prefix("]2;") {
            in_link = true;
            safe(title);
        } else if let Some(link) = part.strip_prefix("]8;") {
            in_link = true;
            let (id, address) = link.split_once(';').expect("a link has two parts");
            let id_is_ours = id.strip_prefix("id=").is_some_and(|id| {
                !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit())
            });
            let web = ["http://", "https://"].iter().any(|scheme| {
                address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            });
            let graphic = address.bytes().all(|byte| byte.is_ascii_graphic());
            assert!(
                (id.is_empty() && address.is_empty()) || (id_is_ours && web && graphic),
                "{link}"
            );
        } else {
            let control = part.strip_prefix('[').expect("a control sequence");
            let end = control.find(|c: char| !matches!(c, '0'..='9' | ';' | '?'));
            let (parameters, rest) = control.split_at(end.expect("a sequence ends"));
            let (last, rest) = rest.split_at(1);
            let ours = match last {
                // The terminal breaks lines where they are to be selected, and nowhere else.
                "h" | "l" => matches!(parameters, "?25" | "?2026" | "?7"),
                "H" => parameters.split(';').all(|n| n.parse::<u16>().is_ok_and(|n| n > 0)),
                "J" => parameters == "2",
                "m" => parameters.starts_with('0') && !parameters.contains('?'),
                _ => false,
            };
            assert!(ours, "{control:?}");
            safe(rest);
        }
    }
    assert!(!in_link);
}

fn safe(text: &str) {
    assert_eq!(sanitize(text), text, "{text:?}");
    assert!(!text.contains('\n'));
}
