//! Real processes for tests: started, listened to with a time limit, and killed when dropped.

#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The program, with an environment that says nothing.
pub fn chatrpc(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatrpc"));
    for name in [
        "CHATRPC_NAME",
        "CHATRPC_NODESET",
        "CHATRPC_LISTEN",
        "CHATRPC_ROOM",
        "CHATRPC_SECRET",
        "CHATRPC_LOG",
        "CHATRPC_HISTORY",
        "CHATRPC_COLOR",
        "DEBUG",
        "NOTIFY_SOCKET",
    ] {
        command.env_remove(name);
    }
    // Everybody has a key of their own.
    static PEOPLE: AtomicU32 = AtomicU32::new(0);
    let person = PEOPLE.fetch_add(1, Ordering::Relaxed);
    let home = format!("{}/{}-{person}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    command.env("XDG_CONFIG_HOME", "/nonexistent").env("XDG_DATA_HOME", &home);
    command.env("XDG_STATE_HOME", format!("{home}/state"));
    // Those of other tests on this computer are no company.
    command.env("CHATRPC_NO_LAN", "1").env("USER", "tester").args(args);
    command
}

/// How our messages name the program: a shell would not find it under its name alone.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_chatrpc");

/// The lines of one output, as they come.
pub struct Lines {
    what: String,
    lines: Receiver<String>,
    seen: Vec<String>,
    /// How many of `seen` were asked for.
    taken: usize,
}

impl Lines {
    fn of(what: String, stream: impl Read + Send + 'static) -> Self {
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        Self { what, lines, seen: Vec::new(), taken: 0 }
    }

    fn of_any(what: String, stream: Option<impl Read + Send + 'static>) -> Self {
        match stream {
            Some(stream) => Self::of(what, stream),
            None => Self::of(what, io::empty()),
        }
    }

    /// The next line, or `None` at the end.
    pub fn next_line(&mut self) -> Option<String> {
        if self.taken == self.seen.len() && !self.more(Instant::now() + PATIENCE, "a line") {
            return None;
        }
        self.taken += 1;
        Some(self.seen[self.taken - 1].clone())
    }

    /// Waits for a line that has `part` in it, among those that were not asked for yet.
    pub fn wait(&mut self, part: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            while self.taken < self.seen.len() {
                self.taken += 1;
                if self.seen[self.taken - 1].contains(part) {
                    return self.seen[self.taken - 1].clone();
                }
            }
            assert!(self.more(end, part), "{} ended without {part:?}: {:#?}", self.what, self.seen);
        }
    }

    /// Waits for a line that has `part` in it, wherever among all lines, and asks for none.
    pub fn wait_anywhere(&mut self, part: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.seen.iter().any(|line| line.contains(part)) {
            assert!(self.more(end, part), "{} ended without {part:?}: {:#?}", self.what, self.seen);
        }
    }

    /// Waits until so many lines have `part` in them, wherever among all lines, and asks for none.
    pub fn wait_for(&mut self, part: &str, count: usize) {
        let (end, mut at, mut found) = (Instant::now() + PATIENCE, 0, 0);
        loop {
            found += self.seen[at..].iter().filter(|line| line.contains(part)).count();
            at = self.seen.len();
            if found >= count {
                return;
            }
            assert!(self.more(end, part), "{} ended with {found} of {count} {part:?}", self.what);
        }
    }

    /// Every line so far.
    pub fn so_far(&mut self) -> &[String] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }

    /// Whether no line so far has `part` in it.
    pub fn has_none(&mut self, part: &str) -> bool {
        !self.so_far().iter().any(|line| line.contains(part))
    }

    /// Every line, once the output has ended.
    pub fn all(&mut self) -> &[String] {
        let end = Instant::now() + PATIENCE;
        while self.more(end, "its end") {}
        &self.seen
    }

    fn more(&mut self, end: Instant, part: &str) -> bool {
        match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => self.seen.push(line),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{} waits for {part:?} in vain: {:#?}", self.what, self.seen)
            }
        }
        true
    }
}

/// Whether whoever runs the tests wants that signal ignored, as with `&` in a script: then our programs
/// ignore it too, and a test of it has nothing to see.
pub fn is_ignored(signal: &str) -> bool {
    let number = match signal {
        "HUP" => 1,
        "INT" => 2,
        _ => 15,
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let ignored = mask >> (number - 1) & 1 == 1;
    if ignored {
        eprintln!("SKIPPED: SIG{signal} is ignored here, so nothing is tested of it");
    }
    ignored
}

/// How a program ended, which it does in time.
pub fn ended(child: &mut Child) -> ExitStatus {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > end {
            let _ = child.kill();
            panic!("process {} does not end", child.id());
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// A running program.
pub struct Process {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    pub out: Lines,
    pub err: Lines,
}

impl Process {
    pub fn start(args: &[&str]) -> Self {
        Self::of(chatrpc(args).stdin(Stdio::piped()))
    }

    /// Starts a command whose standard input is settled.
    pub fn of(command: &mut Command) -> Self {
        Self::onto(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// Starts a command whose streams are settled. Of one that is no pipe there are no lines.
    pub fn onto(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let what = format!("{:?}", command.get_args().collect::<Vec<_>>());
        let (out, err) = (format!("stdout of {what}"), format!("stderr of {what}"));
        Self {
            stdin: child.stdin.take(),
            out: Lines::of_any(out, child.stdout.take()),
            err: Lines::of_any(err, child.stderr.take()),
            child,
        }
    }

    /// Types a line.
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("the input is open");
        stdin.write_all(line.as_bytes()).and_then(|()| stdin.write_all(b"\n")).unwrap();
    }

    /// Ends the input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    /// The exit status, once both outputs have ended.
    pub fn status(&mut self) -> i32 {
        self.out.all();
        self.err.all();
        ended(&mut self.child).code().expect("it was not killed")
    }

    /// What it printed on standard error altogether.
    pub fn errors(&mut self) -> String {
        self.err.all().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A nodeset on the loopback, and its address.
pub fn nodeset() -> (Process, String) {
    nodeset_at("127.0.0.1:0")
}

pub fn nodeset_at(listen: &str) -> (Process, String) {
    let mut nodeset = Process::start(&["nodeset", "--listen", listen]);
    let addr = nodeset.out.wait("Listening on: ").replace("Listening on: ", "");
    (nodeset, addr)
}

/// Somebody who has joined, in line mode. Bound to the loopback, they list no other addresses.
pub fn person(addr: &str, name: &str) -> Process {
    let args = ["chat", addr, "-n", name, "--plain", "--commands", "--listen", "127.0.0.1:0"];
    let mut person = Process::start(&args);
    person.err.wait(&format!("* Welcome to the chat room, {name}!"));
    person
}

/// Several people who all see each other.
pub fn people<const N: usize>(addr: &str, names: [&str; N]) -> [Process; N] {
    let mut here: Vec<Process> = Vec::new();
    for name in names {
        let newcomer = person(addr, name);
        for other in &mut here {
            other.err.wait(&format!("* {name} has entered the chat!"));
        }
        here.push(newcomer);
    }
    here.try_into().unwrap_or_else(|_| unreachable!())
}
