//! What the bytes of a datagram are, field by field, written down from docs/PROTOCOL.md and from nothing
//! else: a second reading of the tables, beside the one in `src/machine/wire.rs`.

#![allow(unreachable_pub, dead_code)]

/// The fields of some bytes: what each is, and how many bytes it has.
#[derive(Debug)]
pub struct Anatomy<'a> {
    bytes: &'a [u8],
    at: usize,
    fields: Vec<(String, &'a [u8])>,
}

/// What a response answers: it says how the response reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Who,
    Register,
    Say,
    Ping,
    Bridge,
    DialBack,
    Present,
    Heads,
    Want,
    Author,
    Other,
}

const METHODS: [&str; 17] = [
    "Who",
    "Register",
    "Deregister",
    "AddMember",
    "RemoveMember",
    "Hello",
    "Say",
    "Ping",
    "Bye",
    "Bridge",
    "DialBack",
    "Lost",
    "Introduce",
    "Present",
    "Heads",
    "Want",
    "Author",
];

impl<'a> Anatomy<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, fields: Vec::new() }
    }

    fn put(&mut self, what: impl Into<String>, len: usize) -> &'a [u8] {
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        self.fields.push((what.into(), taken));
        taken
    }

    fn number(&mut self, what: &str, len: usize) -> u64 {
        let taken = self.put(what, len);
        let number = taken.iter().fold(0, |so_far, &byte| so_far << 8 | u64::from(byte));
        if let Some((said, _)) = self.fields.last_mut()
            && len > 1
            && number < 1 << 48
        {
            said.push_str(&format!(" {number}"));
        }
        number
    }

    fn text(&mut self, what: &str, len: usize) {
        let said = String::from_utf8_lossy(&self.bytes[self.at..self.at + len]).into_owned();
        self.put(format!("{what} `{said}`"), len);
    }

    fn whole(self) -> Vec<(String, &'a [u8])> {
        assert_eq!(self.at, self.bytes.len(), "bytes that no table names");
        self.fields
    }

    fn packets(&mut self, of: Of) {
        while self.bytes.len() - self.at > 2 && self.bytes[self.at..self.at + 2] != [0, 0] {
            let end = self.number("length", 2) as usize + self.at;
            self.number("SeqNum", 4);
            match self.put("", 1) {
                [0] => {
                    self.name("request");
                    self.request(end);
                }
                _ => {
                    self.name("response");
                    self.response(of, end);
                }
            }
            assert_eq!(self.at, end, "a packet that is longer or shorter");
        }
    }

    fn name(&mut self, what: &str) {
        if let Some((said, _)) = self.fields.last_mut() {
            what.clone_into(said);
        }
    }

    fn request(&mut self, end: usize) {
        let method = self.put("", 1)[0];
        self.name(&format!("method {}", METHODS[usize::from(method) - 1]));
        match method {
            1 | 2 => {
                self.put("version", 1);
                self.put("cookie", 8);
                self.put("tag", 16);
                if self.number("have", 8) == u64::MAX {
                    self.name("have: from anywhere");
                }
                self.number("most", 2);
                if method == 2 {
                    self.put("token", 8);
                    self.number("n", 4);
                    self.put("sealed", 252);
                }
            }
            3 => {
                self.put("tag", 16);
                self.put("farewell", 16);
                self.put("sealed", 252);
            }
            4 | 5 => {
                self.number("reached", 8);
                while self.at < end {
                    if method == 4 { self.listed() } else { self.gone() }
                }
            }
            6 | 7 | 8 | 15..=17 => self.talk(method, end),
            10 | 14 => {
                self.put(if method == 10 { "to" } else { "after" }, 8);
            }
            11 => {
                self.put("cookie", 8);
                self.number("port", 2);
            }
            12 => {
                self.put("who", 8);
                self.put("loss", 1);
            }
            13 => {
                self.put("who", 8);
                self.address("at");
                self.put("near", 1);
            }
            _ => {
                self.number("next", 8);
                self.signed();
            }
        }
    }

    /// What members say, and what they ask of what was said.
    fn talk(&mut self, method: u8, end: usize) {
        match method {
            6 => {
                self.number("stream", 4);
                self.number("start", 8);
                self.number("given up", 8);
                self.number("entries", 4);
                self.signed();
            }
            7 => {
                self.number("stream", 4);
                self.number("position", 8);
                self.number("behind", 1);
                self.number("number", 8);
                if self.put("flags", 1)[0] & 8 != 0 {
                    self.seal();
                }
                self.text("text", end - self.at);
            }
            8 if self.at == end => {}
            8 => {
                self.number("until", 4);
                self.put("digest", 8);
                self.put("present", 4);
            }
            16 => {
                self.put("log", 8);
                self.number("from", 4);
                self.number("skip", 4);
                self.number("most", 2);
            }
            _ => {
                self.put(if method == 15 { "after" } else { "log" }, 8);
            }
        }
    }

    fn seal(&mut self) {
        self.number("seq", 4);
        self.number("clock", 8);
        for _ in 0..self.put("count", 1)[0] {
            self.put("log", 8);
            self.number("seq", 4);
        }
        self.put("past", 16);
        self.put("signature", 64);
    }

    fn response(&mut self, of: Of, end: usize) {
        match (self.put("status", 1)[0], of) {
            (0, Of::Who) => self.page(end),
            (0, Of::Register) => {
                self.number("node", 4);
                self.put("elsewhere", 1);
                self.address("seen");
                self.page(end);
            }
            (0, Of::Bridge) => {
                self.put("index", 8);
            }
            (0, Of::DialBack) => self.address("at"),
            (0, Of::Present) => {
                self.put("more", 1);
                while self.at < end {
                    self.put("id", 8);
                }
            }
            (0, Of::Heads) => {
                self.put("more", 1);
                while self.at < end {
                    self.put("log", 8);
                    self.number("first", 4);
                    self.number("next", 4);
                    self.number("clock", 8);
                    self.put("hash", 8);
                }
            }
            (0, Of::Want) => {
                self.put("more", 1);
                while self.at < end {
                    self.number("number", 8);
                    self.put("action", 1);
                    self.seal();
                    let len = self.put("length", 2);
                    let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
                    self.text("text", len);
                }
            }
            (0, Of::Author) => self.signed(),
            (0, Of::Ping) => {
                self.put("bits", 1);
                self.number("next", 4);
            }
            (0, Of::Say) => {
                self.number("next", 8);
                self.put("held", 8);
            }
            (2, _) => {
                self.put("cookie", 8);
            }
            (3, _) => {
                self.put("version", 1);
            }
            _ => {}
        }
    }

    fn page(&mut self, end: usize) {
        self.number("after", 8);
        self.number("reached", 8);
        self.number("current", 8);
        while self.at < end {
            match self.put("", 1) {
                [0] => {
                    self.name("here");
                    self.listed();
                }
                _ => {
                    self.name("gone");
                    self.gone();
                }
            }
        }
    }

    fn listed(&mut self) {
        self.put("handle", 8);
        self.address("seen");
        self.put("sealed", 252);
    }

    fn gone(&mut self) {
        self.put("handle", 8);
        if self.put("how", 1) == [0] {
            self.put("sealed", 252);
        }
    }

    fn address(&mut self, what: &str) {
        let long = self.bytes[self.at] == 6;
        let ip = if long { 16 } else { 4 };
        self.put(format!("{what}: IPv{}", if long { 6 } else { 4 }), 1);
        self.put("its host", ip);
        self.number("its port", 2);
    }

    fn signed(&mut self) {
        self.put("public key", 32);
        self.number("incarnation", 8);
        self.number("n", 4);
        self.put("flags", 1);
        self.put("handle", 8);
        let len = self.put("length of the name", 1)[0];
        self.text("name", usize::from(len));
        let count = self.put("addresses", 1)[0];
        (0..count).for_each(|_| self.address("address"));
        self.put("signature", 64);
    }
}

/// A datagram of kind 0, or of kind 6.
pub fn clear(bytes: &[u8], of: Of) -> Vec<(String, &[u8])> {
    if bytes[0] == 0 {
        return in_the_open("kind: clear", bytes, of);
    }
    let (asked, proof) = bytes.split_at(bytes.len() - 16);
    let mut fields = in_the_open("kind: proven", asked, of);
    fields.push(("proof".to_owned(), proof));
    fields
}

fn in_the_open<'a>(kind: &str, bytes: &'a [u8], of: Of) -> Vec<(String, &'a [u8])> {
    let mut anatomy = Anatomy::new(bytes);
    anatomy.put(kind, 1);
    anatomy.number("incarnation", 8);
    anatomy.number("receiver", 8);
    anatomy.number("stamp", 4);
    anatomy.number("echo", 4);
    anatomy.packets(of);
    anatomy.whole()
}

/// What is under the seal of a datagram of kind 4.
pub fn inner(text: &[u8], of: Of) -> Vec<(String, &[u8])> {
    let mut anatomy = Anatomy::new(text);
    anatomy.number("stamp", 4);
    anatomy.number("echo", 4);
    anatomy.packets(of);
    let left = text.len() - anatomy.at;
    if left > 0 {
        anatomy.put("zeros", left);
    }
    anatomy.whole()
}

/// A datagram of kind 1 to 4, as it crosses the network.
pub fn sealed(bytes: &[u8]) -> Vec<(String, &[u8])> {
    let mut anatomy = Anatomy::new(bytes);
    let fields: &[(&str, usize)] = match bytes[0] {
        1 => &[
            ("kind: init", 1),
            ("sender index", 4),
            ("ephemeral key", 32),
            ("static key, sealed", 48),
            ("payload, sealed", 72),
            ("mac1", 16),
            ("mac2", 16),
        ],
        2 => &[
            ("kind: resp", 1),
            ("sender index", 4),
            ("receiver index", 4),
            ("ephemeral key", 32),
            ("nothing, sealed", 16),
            ("mac", 16),
        ],
        3 => &[("kind: cookie", 1), ("receiver index", 4), ("cookie", 16), ("mac", 16)],
        _ => &[("kind: data", 1), ("receiver index", 4), ("counter", 8)],
    };
    for &(what, len) in fields {
        if len == 4 || what == "counter" {
            anatomy.number(what, len);
        } else {
            anatomy.put(what, len);
        }
    }
    if bytes[0] == 4 {
        let text = bytes.len() - anatomy.at - 16;
        anatomy.put("sealed", text);
        anatomy.put("tag", 16);
    }
    anatomy.whole()
}
