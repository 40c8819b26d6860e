//! A terminal for tests: a real pseudo terminal with the program on its other side, an emulator that
//! says what a person would see, and a parser of the raw bytes that lets nothing pass but what the
//! screen may write.
//!
//! The program is a child of a shell that leads the terminal's session, as at a desk: a terminal
//! whose session leader ends forgets its modes and what was not read, and then nobody could see how
//! it was left.

#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use unicode_normalization::char::is_combining_mark;

use crate::support::PATIENCE;

/// The leader of the session: runs the program, says how it ended, and keeps the terminal.
const LEADER: &str = r#"sh -c 'echo "pid $$" >&2; exec "$@" 2>&0' sh "$@"
echo "exit $?" >&2; echo over; exec sleep 3600"#;
/// The program leads the session itself.
const ALONE: &str = r#"echo "pid $$" >&2; exec "$@" 2>&0"#;
/// What the leader prints on the terminal behind the program's last byte.
const OVER: &[u8] = b"over\r\n";

/// Columns and rows.
pub type Size = (u16, u16);

pub const WIDE: Size = (120, 40);
pub const USUAL: Size = (80, 24);
pub const SMALL: Size = (40, 12);

/// How a terminal is to be.
pub struct Setup {
    pub size: Size,
    pub env: Vec<(&'static str, &'static str)>,
    /// The program leads the session: nothing but its exit status can be seen after its end.
    pub alone: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self { size: USUAL, env: Vec::new(), alone: false }
    }
}

/// A terminal with the program in it.
pub struct Terminal {
    master: OwnedFd,
    leader: Child,
    /// What the leader tells: the id of the program's process, its exit status.
    told: Receiver<String>,
    pid: Option<Pid>,
    status: Option<i32>,
    before: Termios,
    emulator: vt100::Parser,
    /// Everything that was written to the terminal.
    pub raw: Vec<u8>,
    home: PathBuf,
}

/// How the program ended.
pub struct Ended {
    pub status: i32,
    /// What went over the wire.
    pub stream: Stream,
    /// What stands on the ordinary screen.
    pub text: String,
}

/// Whether a session can be made whose controlling terminal is ours. Where not, that is said aloud.
fn possible() -> bool {
    static POSSIBLE: OnceLock<bool> = OnceLock::new();
    let asked = || {
        let help = Command::new("setsid").arg("--help").output();
        help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--ctty"))
    };
    let possible = *POSSIBLE.get_or_init(asked);
    if !possible {
        eprintln!("SKIPPED: a test of the screen needs setsid --ctty (util-linux)");
    }
    possible
}

impl Terminal {
    /// Somebody who has joined at a terminal of this size. `None` where there are no terminals.
    pub fn join(addr: &str, name: &str, size: Size) -> Option<Self> {
        Self::join_with(addr, name, &[], Setup { size, ..Setup::default() })
    }

    pub fn join_with(addr: &str, name: &str, args: &[&str], setup: Setup) -> Option<Self> {
        let own = ["chat", addr, "-n", name, "--listen", "127.0.0.1:0"];
        let mut terminal = Self::start(&[&own, args].concat(), setup)?;
        terminal.see("here: ");
        Some(terminal)
    }

    /// Starts the program.
    pub fn start(args: &[&str], setup: Setup) -> Option<Self> {
        Self::run(env!("CARGO_BIN_EXE_chatrpc"), args, setup)
    }

    /// Starts any program.
    pub fn run(program: &str, args: &[&str], setup: Setup) -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        if !possible() {
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = format!("chatrpc-screen-{}-{number}", std::process::id());
        let home = std::env::temp_dir().join(home);
        fs::create_dir_all(&home).unwrap();

        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        ioctl_fionbio(&master, true).unwrap();
        set_size(&master, setup.size);
        let before = tcgetattr(&master).unwrap();

        let mut command = Command::new("setsid");
        let script = if setup.alone { ALONE } else { LEADER };
        command.args(["--ctty", "sh", "-c", script, "sh", program]).args(args);
        for name in ["NAME", "NODESET", "LISTEN", "LOG", "COLOR"] {
            command.env_remove(format!("CHATRPC_{name}"));
        }
        for name in ["DEBUG", "NO_COLOR", "COLORTERM", "TMUX", "VTE_VERSION", "LC_ALL", "LC_CTYPE"]
        {
            command.env_remove(name);
        }
        for name in ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"] {
            command.env(name, &home);
        }
        command.env("CHATRPC_NO_LAN", "1");
        command.env("USER", "tester").env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        command.envs(setup.env.iter().copied());
        command.stdin(slave.try_clone().unwrap()).stdout(slave).stderr(Stdio::piped());
        let mut leader = command.spawn().expect("setsid starts");
        drop(command);

        let (send, told) = channel();
        let errors = leader.stderr.take().unwrap();
        thread::spawn(move || {
            let lines = BufReader::new(errors).lines().map_while(Result::ok);
            lines.take_while(|line| send.send(line.clone()).is_ok()).for_each(drop);
        });
        let (columns, rows) = sides(setup.size);
        let emulator = vt100::Parser::new(rows, columns, 0);
        let (pid, status, raw) = (None, None, Vec::new());
        Some(Self { master, leader, told, pid, status, before, emulator, raw, home })
    }

    // ---- What a person sees ----

    /// What the terminal shows.
    pub fn screen(&self) -> &vt100::Screen {
        self.emulator.screen()
    }

    /// The rows, without the blanks at their ends.
    pub fn rows(&self) -> Vec<String> {
        let (_, columns) = self.screen().size();
        self.screen().rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect()
    }

    /// Whether a row has this in it.
    pub fn shows(&self, text: &str) -> bool {
        self.rows().iter().any(|row| row.contains(text))
    }

    /// Waits for a row that has this in it, and returns it.
    pub fn see(&mut self, text: &str) -> String {
        self.wait(text, |terminal| terminal.shows(text));
        self.rows().into_iter().find(|row| row.contains(text)).unwrap()
    }

    /// Waits until something is so, and looks only at whole frames.
    pub fn wait(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !(self.is_whole() && is_so(self)) {
            let wait = end.saturating_duration_since(Instant::now());
            let ended = self.status.is_some();
            assert!(!wait.is_zero(), "waited in vain for {what:?}:\n{}", self.picture());
            if !self.pump(wait.min(Duration::from_millis(100))) {
                assert!(!ended, "it ended without {what:?}:\n{}", self.picture());
            }
            self.listen();
        }
    }

    /// The screen as text, for whoever reads why a test failed.
    pub fn picture(&self) -> String {
        let tail = &self.raw[self.raw.len().saturating_sub(300)..];
        format!("{}\n…{}", self.rows().join("\n"), tail.escape_ascii())
    }

    /// What is in the line where one types, and on which column the cursor is.
    pub fn draft(&self) -> (String, u16) {
        let text = self.draft_text().unwrap_or_else(|| panic!("no draft:\n{}", self.picture()));
        (text, self.screen().cursor_position().1)
    }

    fn draft_text(&self) -> Option<String> {
        self.rows().into_iter().rev().find_map(|row| {
            let row = row.trim_start_matches(['│', '|']).trim_end_matches(['│', '|', ' ']);
            if row == ">" { Some(String::new()) } else { row.strip_prefix("> ").map(str::to_owned) }
        })
    }

    /// Waits until the draft is this.
    pub fn see_draft(&mut self, text: &str) {
        self.wait(text, |terminal| terminal.draft_text().as_deref() == Some(text));
    }

    /// Waits until the terminal was told so often to copy something.
    pub fn see_copied(&mut self, times: usize) {
        let told = |raw: &[u8]| raw.windows(5).filter(|part| part == b"\x1b]52;").count();
        self.wait("a copy", |terminal| told(&terminal.raw) == times);
    }

    /// Whether no frame is half written.
    fn is_whole(&self) -> bool {
        const FRAME: &[u8] = b"\x1b[?2026";
        let at = self.raw.windows(FRAME.len()).rposition(|part| part == FRAME);
        at.is_none_or(|at| self.raw.get(at + FRAME.len()) == Some(&b'l'))
    }

    /// Reads what there is, after waiting for it; false if nothing came.
    pub fn pump(&mut self, patience: Duration) -> bool {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let _ = poll(&mut fds, Some(&timespec(patience)));
        let mut any = false;
        let mut bytes = [0; 16 * 1024];
        while let Ok(len @ 1..) = rustix::io::read(&self.master, &mut bytes) {
            any = true;
            self.raw.extend_from_slice(&bytes[..len]);
            self.emulator.process(&bytes[..len]);
        }
        any
    }

    // ---- What a person does ----

    /// Types, at whatever pace the terminal takes it.
    pub fn press(&mut self, keys: impl AsRef<[u8]>) {
        let mut rest = keys.as_ref();
        let end = Instant::now() + PATIENCE;
        while !rest.is_empty() {
            match rustix::io::write(&self.master, rest) {
                Ok(len) => rest = &rest[len..],
                Err(Errno::AGAIN) => {
                    assert!(Instant::now() < end, "nobody reads what is typed");
                    self.pump(Duration::from_millis(1));
                }
                Err(error) => panic!("cannot type: {error}"),
            }
        }
    }

    /// Types a line and Enter.
    pub fn say(&mut self, line: &str) {
        self.press(format!("{line}\r"));
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, size: Size) {
        let (columns, rows) = sides(size);
        self.emulator.screen_mut().set_size(rows, columns);
        set_size(&self.master, size);
    }

    // ---- The process ----

    fn listen(&mut self) {
        for line in self.told.try_iter() {
            let number = || line.rsplit(' ').next().unwrap().parse().unwrap();
            match line.split(' ').next() {
                Some("pid") => self.pid = Pid::from_raw(number()),
                Some("exit") => self.status = Some(number()),
                _ => eprintln!("the leader says: {line}"),
            }
        }
    }

    /// The id of the program's process.
    pub fn pid(&mut self) -> Pid {
        let end = Instant::now() + PATIENCE;
        while self.pid.is_none() {
            assert!(Instant::now() < end, "the program does not start");
            self.pump(Duration::from_millis(5));
            self.listen();
        }
        self.pid.unwrap()
    }

    pub fn signal(&mut self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Sends a signal by its number: the real-time signals have no names.
    pub fn signal_number(&mut self, number: i32) {
        let (number, pid) = (number.to_string(), self.pid().as_raw_nonzero().to_string());
        let sent = Command::new("kill").args(["-s", &number, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    /// The letter of the process's state: `R`, `S`, `T`, `Z`.
    pub fn state(&mut self) -> char {
        let path = format!("/proc/{}/stat", self.pid().as_raw_nonzero());
        let stat = fs::read_to_string(path).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('?')
    }

    /// Waits for a state of the process.
    pub fn wait_state(&mut self, state: char) {
        let end = Instant::now() + PATIENCE;
        while self.state() != state {
            assert!(Instant::now() < end, "it is {} and not {state}", self.state());
            self.pump(Duration::from_millis(5));
        }
    }

    /// Whether the terminal's modes are those from before the program.
    pub fn has_its_modes(&self) -> bool {
        format!("{:?}", tcgetattr(&self.master).unwrap()) == format!("{:?}", self.before)
    }

    /// Waits for the end, and looks at how the terminal was left.
    pub fn end(&mut self) -> Ended {
        let end = Instant::now() + PATIENCE;
        while self.status.is_none() || !self.raw.ends_with(OVER) {
            assert!(Instant::now() < end, "it does not end:\n{}", self.picture());
            self.pump(Duration::from_millis(20));
            self.listen();
        }
        let screen = self.screen();
        assert!(!screen.alternate_screen(), "the alternate screen is on");
        assert!(!screen.hide_cursor(), "the cursor is hidden");
        assert!(!screen.bracketed_paste(), "pastes are still marked");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert!(self.has_its_modes(), "the modes of the terminal are others");
        let stream = Stream::of(&self.raw);
        assert_eq!(stream.on, Stream::default().on, "modes that are on in the end");
        Ended { status: self.status.unwrap(), stream, text: self.rows().join("\n") }
    }

    /// Leaves by Ctrl-C on an empty line.
    pub fn leave(mut self) -> Ended {
        self.press("\x03");
        self.end()
    }

    /// Closes the terminal, and returns the exit status of the program, which was alone in it.
    pub fn close(mut self) -> i32 {
        let master =
            std::mem::replace(&mut self.master, fs::File::open("/dev/null").unwrap().into());
        drop(master);
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.leader.try_wait().unwrap() {
                return status.code().expect("it was not killed");
            }
            assert!(Instant::now() < end, "it does not notice that its terminal is gone");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.listen();
        if let (Some(pid), None) = (self.pid, self.status) {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.leader.kill();
        let _ = self.leader.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}

fn sides((columns, rows): Size) -> (NonZeroU16, NonZeroU16) {
    (NonZeroU16::new(columns).unwrap(), NonZeroU16::new(rows).unwrap())
}

fn set_size(fd: &OwnedFd, (columns, rows): Size) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(fd, size).unwrap();
}

fn timespec(span: Duration) -> Timespec {
    Timespec { tv_sec: span.as_secs() as i64, tv_nsec: span.subsec_nanos().into() }
}

// ---- The wire ----

/// The private modes that the screen may set and reset.
const MODES: [u16; 10] = [7, 25, 1000, 1004, 1006, 1007, 1049, 2004, 2026, 2501];

/// What was written to a terminal, taken apart. Nothing else than this may be written: modes, cursor
/// positions, erasing everything, colours and attributes, links, a bell with a notification, text
/// that is safe to show, and new lines outside the alternate screen.
#[derive(Debug)]
pub struct Stream {
    /// The modes that are on.
    pub on: BTreeSet<u16>,
    /// The modes that ever were.
    pub ever_on: BTreeSet<u16>,
    /// The parameters of all colours and attributes.
    pub sgr: BTreeSet<u16>,
    pub links: BTreeSet<String>,
    pub notifications: Vec<String>,
    /// What the terminal was to copy, in base64.
    pub copied: Vec<String>,
    pub bells: usize,
    pub text: String,
}

impl Default for Stream {
    fn default() -> Self {
        // As a terminal is when it is opened: a cursor, and VTE guesses directions.
        let on = BTreeSet::from([7, 25, 2501]);
        Self {
            on,
            ever_on: BTreeSet::new(),
            sgr: BTreeSet::new(),
            links: BTreeSet::new(),
            notifications: Vec::new(),
            copied: Vec::new(),
            bells: 0,
            text: String::new(),
        }
    }
}

impl Stream {
    /// Takes it apart, or fails with the place of what may not be there.
    pub fn of(raw: &[u8]) -> Self {
        let mut stream = Self::default();
        let mut at = 0;
        let mut marks = 0;
        while at < raw.len() {
            let one = stream.one(&raw[at..], &mut marks);
            let len = one.unwrap_or_else(|what| {
                let context = raw[at.saturating_sub(60)..(at + 60).min(raw.len())].escape_ascii();
                panic!("{what} at byte {at} of the raw stream: {context}")
            });
            at += len;
        }
        stream
    }

    /// Takes one thing off the front, and says how long it was.
    fn one(&mut self, raw: &[u8], marks: &mut u32) -> Result<usize, &'static str> {
        match raw {
            [0x1b, b'[', b'?', rest @ ..] => self.mode(rest).map(|len| len + 3),
            [0x1b, b'[', rest @ ..] => self.control(rest).map(|len| len + 2),
            [0x1b, b']', rest @ ..] => self.command(rest).map(|len| len + 2),
            [0x07, ..] => {
                self.bells += 1;
                Ok(1)
            }
            [b'\r' | b'\n', ..] if !self.on.contains(&1049) => {
                self.text.push(raw[0].into());
                Ok(1)
            }
            _ => self.letter(raw, marks),
        }
    }

    fn mode(&mut self, rest: &[u8]) -> Result<usize, &'static str> {
        let (number, len) = digits(rest).ok_or("a mode without a number")?;
        if !MODES.contains(&number) {
            return Err("a mode that is not ours");
        }
        match rest.get(len) {
            Some(b'h') => {
                self.on.insert(number);
                self.ever_on.insert(number);
            }
            Some(b'l') => drop(self.on.remove(&number)),
            _ => return Err("a mode that is neither set nor reset"),
        }
        Ok(len + 1)
    }

    fn control(&mut self, rest: &[u8]) -> Result<usize, &'static str> {
        let len = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';'));
        let len = len.ok_or("a control sequence without an end")?;
        let numbers: Option<Vec<u16>> =
            rest[..len].split(|&byte| byte == b';').map(all_digits).collect();
        match (numbers.as_deref(), rest[len]) {
            (Some(&[row, column]), b'H') if row > 0 && column > 0 => {}
            (Some([2]), b'J') => {}
            // The title of the window is kept, and given back.
            (Some([22 | 23, 2]), b't') => {}
            (Some(numbers), b'm') => self.sgr.extend(numbers),
            _ => return Err("a control sequence that is not ours"),
        }
        Ok(len + 1)
    }

    fn command(&mut self, rest: &[u8]) -> Result<usize, &'static str> {
        let len = rest.windows(2).position(|two| two == b"\x1b\\").ok_or("OSC without ST")?;
        let body = str::from_utf8(&rest[..len]).map_err(|_| "OSC that is not UTF-8")?;
        let mut marks = 0;
        if body.chars().any(|letter| !is_safe(letter, &mut marks)) {
            return Err("a letter that is not safe in an OSC");
        }
        if body.strip_prefix("2;").is_some_and(|title| title.ends_with("chatRPC")) {
            // The title of the window.
        } else if let Some(text) = body.strip_prefix("9;") {
            self.notifications.push(text.to_owned());
        } else if let Some(text) = body.strip_prefix("52;c;") {
            let is_coded = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
            if text.is_empty() || !text.chars().all(is_coded) {
                return Err("a copy that is not base64: a question, perhaps");
            }
            self.copied.push(text.to_owned());
        } else if let Some(link) = body.strip_prefix("8;") {
            let (id, address) = link.split_once(';').ok_or("a link without an address")?;
            let lower = address.to_ascii_lowercase();
            let is_web = ["http://", "https://"].iter().any(|scheme| lower.starts_with(scheme));
            let is_plain = address.bytes().all(|byte| byte.is_ascii_graphic());
            let has_id = id.strip_prefix("id=").is_some_and(|id| {
                !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
            match (id, address) {
                ("", "") => {}
                _ if has_id && is_web && is_plain => drop(self.links.insert(address.to_owned())),
                _ => return Err("a link that is not ours"),
            }
        } else {
            return Err("an OSC that is not ours");
        }
        Ok(len + 2)
    }

    fn letter(&mut self, raw: &[u8], marks: &mut u32) -> Result<usize, &'static str> {
        let len = match raw[0] {
            0x20..=0x7e => 1,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return Err("a byte that is not text"),
        };
        let text = raw.get(..len).and_then(|bytes| str::from_utf8(bytes).ok());
        let letter = text.and_then(|text| text.chars().next()).ok_or("half a letter")?;
        if !is_safe(letter, marks) {
            return Err("a letter that is not safe to show");
        }
        if self.on.contains(&1049) && !self.on.contains(&2026) {
            return Err("text outside a frame");
        }
        // The joiner is for emoji alone.
        let next = raw.get(len..).unwrap_or_default();
        if letter == '\u{200d}' && !(self.text.ends_with(is_symbol) && next.starts_with(b"\xf0")) {
            return Err("a joiner that joins no emoji");
        }
        self.text.push(letter);
        Ok(len)
    }
}

fn is_symbol(letter: char) -> bool {
    matches!(letter, '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

/// Whether a letter may be shown; no more than four marks may stand on one base.
fn is_safe(letter: char, marks: &mut u32) -> bool {
    *marks = if is_combining_mark(letter) { *marks + 1 } else { 0 };
    let hidden = matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    !letter.is_control() && !hidden && *marks <= 4
}

fn digits(bytes: &[u8]) -> Option<(u16, usize)> {
    let len = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some((all_digits(&bytes[..len])?, len))
}

fn all_digits(bytes: &[u8]) -> Option<u16> {
    str::from_utf8(bytes).ok()?.parse().ok()
}
