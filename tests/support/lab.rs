//! Computers of their own for tests: network namespaces of Linux, each with its addresses, routes and
//! hosts file, joined by cables and one switch.

#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use std::fs;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::{Process, chatrpc};

/// A switch, and computers with a cable to it each.
pub struct Lab {
    name: String,
    computers: Vec<String>,
}

impl Lab {
    /// So many computers, with `10.9.0.1` and on. `None`, said loudly, where there are no namespaces to be had.
    pub fn new(computers: usize) -> Option<Self> {
        static LABS: AtomicU32 = AtomicU32::new(0);
        let lab = LABS.fetch_add(1, Ordering::Relaxed);
        let name = format!("c{}-{lab}", std::process::id() % 100_000);
        let mut lab = Self { name: name.clone(), computers: Vec::new() };
        let switch = lab.add("s");
        if !switch.as_ref().is_some_and(|output| output.status.success()) {
            eprintln!("SKIPPED: no network namespaces here ({switch:?})");
            return None;
        }
        let switch = format!("{name}s");
        lab.ip(&switch, "link add br0 type bridge");
        lab.ip(&switch, "link set br0 up");
        for n in 1..=computers {
            lab.add(&n.to_string());
            let (there, port) = (format!("{name}{n}"), format!("p{n}"));
            lab.ip(&switch, &format!("link add {port} type veth peer name eth0 netns {there}"));
            lab.ip(&switch, &format!("link set {port} master br0 up"));
            lab.on(n, "link set lo up");
            lab.on(n, "link set eth0 up");
            lab.on(n, &format!("addr add 10.9.0.{n}/24 dev eth0"));
        }
        Some(lab)
    }

    fn add(&mut self, what: &str) -> Option<Output> {
        let name = format!("{}{what}", self.name);
        let output = Command::new("ip").args(["netns", "add", &name]).output().ok()?;
        if output.status.success() {
            self.computers.push(name);
        }
        Some(output)
    }

    fn ip(&self, of: &str, words: &str) {
        let words = words.split_whitespace();
        let output = Command::new("ip").args(["-n", of]).args(words.clone()).output().unwrap();
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {:?}: {why}", words.collect::<Vec<_>>());
    }

    /// `ip` on one of the computers.
    pub fn on(&self, computer: usize, words: &str) {
        self.ip(&format!("{}{computer}", self.name), words);
    }

    /// The switch drops in silence what is larger, with its headers, on its way from and to a computer.
    pub fn small(&self, computer: usize, bytes: usize) {
        self.ip(&format!("{}s", self.name), &format!("link set p{computer} mtu {bytes}"));
    }

    /// The switch lets nothing pass between these computers, as guest networks do: to the others it does.
    pub fn apart(&self, computers: &[usize], apart: bool) {
        let isolated = if apart { "on" } else { "off" };
        for computer in computers {
            let port = format!("link set p{computer} type bridge_slave isolated {isolated}");
            self.ip(&format!("{}s", self.name), &port);
        }
    }

    /// Whether the switch lets pass to a computer what is sent to all.
    pub fn flood(&self, computer: usize, passes: bool) {
        let flood = if passes { "on" } else { "off" };
        let set = format!(
            "link set p{computer} type bridge_slave mcast_flood {flood} bcast_flood {flood}"
        );
        self.ip(&format!("{}s", self.name), &set);
    }

    /// The address of a computer's card.
    pub fn card(&self, computer: usize) -> String {
        let mut command = Command::new("cat");
        command.arg("/sys/class/net/eth0/address");
        let output = self.command(computer, &command).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The hosts file of a computer.
    pub fn hosts(&self, computer: usize, text: &str) {
        self.file(computer, "hosts", text);
    }

    /// A file in `/etc` of a computer.
    pub fn file(&self, computer: usize, name: &str, text: &str) {
        let folder = format!("/etc/netns/{}{computer}", self.name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(format!("{folder}/{name}"), text).unwrap();
    }

    /// A cable of that name between two computers, besides the one to the switch.
    pub fn cable(&self, one: usize, other: usize, name: &str) {
        let there = format!("{}{other}", self.name);
        self.on(one, &format!("link add {name} type veth peer name {name} netns {there}"));
        self.on(one, &format!("link set {name} up"));
        self.on(other, &format!("link set {name} up"));
    }

    /// The switch lets nothing pass to and from a computer, as where a cable is not plugged in.
    pub fn unplug(&self, computer: usize) {
        self.ip(&format!("{}s", self.name), &format!("link set p{computer} down"));
    }

    /// Sets one of the system's switches on a computer: `net/ipv4/ip_forward`.
    pub fn set(&self, computer: usize, switch: &str, value: &str) {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo {value} > /proc/sys/{switch}")]);
        let output = self.command(computer, &command).output().unwrap();
        assert!(output.status.success(), "{switch}: {output:?}");
    }

    /// What is made on a computer by this process: a socket, say.
    pub fn inside<T: Send>(&self, computer: usize, make: impl FnOnce() -> T + Send) -> T {
        let file = format!("/var/run/netns/{}{computer}", self.name);
        let file = fs::File::open(file).unwrap();
        let thread = || {
            // It is the thread that moves there, and nobody else.
            nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            make()
        };
        std::thread::scope(|scope| scope.spawn(thread).join().unwrap())
    }

    /// Any command, to be run on a computer.
    pub fn command(&self, computer: usize, command: &Command) -> Command {
        let name = format!("{}{computer}", self.name);
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &name]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(key, value),
                None => inside.env_remove(key),
            };
        }
        inside.stdin(Stdio::piped());
        inside
    }

    /// Our program on a computer.
    pub fn start(&self, computer: usize, args: &[&str]) -> Process {
        Process::of(&mut self.command(computer, &chatrpc(args)))
    }

    /// A nodeset on a computer, on every address of it.
    pub fn nodeset(&self, computer: usize) -> Process {
        let mut nodeset = self.start(computer, &["nodeset"]);
        nodeset.out.wait("Listening on: ");
        nodeset
    }

    /// Somebody who chats in line mode.
    pub fn person(&self, computer: usize, addr: &str, name: &str) -> Process {
        self.start(computer, &["chat", addr, "-n", name, "--plain", "--commands"])
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in &self.computers {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
            let _ = fs::remove_dir_all(format!("/etc/netns/{name}"));
        }
    }
}
