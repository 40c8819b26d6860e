//! docs/JOIN.md: how bob joins a room in which alice is, says hello, hears something and leaves, with every
//! byte of it. The nodeset is a real one; what the two say is written here, so that it stays the same
//! whatever the machines draw and when they choose to speak.

use std::fmt::Write as _;
use std::net::SocketAddr;

use chatrpc::machine::wire::{
    ANYBODY, ANYWHERE, Datagram, Flags, Packet, Request, Response, kind, put_request, put_response,
};
use chatrpc::machine::{
    Action, Incarnation, Input, Noise, Registry, RegistryConfig, Seed, Time, drain,
};

use crate::anatomy::{self, Of};
use crate::cast::*;

/// What passes, as it is written down.
struct Script {
    chart: String,
    bytes: String,
    count: usize,
    now: u32,
    nodeset: Registry,
}

/// What each of some bytes is.
type Fields<'a> = &'a [(String, &'a [u8])];

/// A datagram of the nodeset, and what is needed to answer it.
struct Heard {
    to: SocketAddr,
    bytes: Vec<u8>,
    stamp: u32,
}

impl Script {
    fn new() -> Self {
        let config = RegistryConfig::new(Seed([7; 32]), Incarnation::at(NODESET_STARTED), 64);
        let nodeset = Registry::new(config);
        Self { chart: String::new(), bytes: String::new(), count: 0, now: 1_000_000, nodeset }
    }

    /// The clock of everybody, a while later.
    fn stamp(&mut self) -> u32 {
        self.now += 10_000;
        self.now
    }

    /// A line of the chart, and a heading for the bytes.
    fn line(&mut self, from: &str, to: &str, what: &str) {
        self.count += 1;
        let n = self.count;
        writeln!(self.chart, "{n:>3}  {from:>7} → {to:<7}  {what}").expect("a string");
        let heading = format!("\n### {n}. {from} → {to}: {what}\n\n");
        self.bytes.push_str(&heading);
    }

    /// The fields of a datagram, 16 bytes in a line.
    fn show(&mut self, parts: &[(&str, Fields<'_>)]) {
        self.bytes.push_str("```\n");
        for (title, fields) in parts {
            if !title.is_empty() {
                writeln!(self.bytes, "{title}").expect("a string");
            }
            for (what, bytes) in *fields {
                for (n, line) in bytes.chunks(16).enumerate() {
                    let what = if n == 0 { what.as_str() } else { "" };
                    let text = format!("{:<32}  {what}", hex(line));
                    writeln!(self.bytes, "{}", text.trim_end()).expect("a string");
                }
            }
        }
        self.bytes.push_str("```\n");
    }

    /// Somebody says something to the nodeset, which answers.
    fn ask(&mut self, from: &Side, what: &str, bytes: &[u8]) -> Vec<Heard> {
        if !what.is_empty() {
            self.line(from.name, "nodeset", what);
            self.show(&[("", &anatomy::clear(bytes, Of::Other))]);
        }
        let mut heard = Vec::new();
        let now = Time::from_micros(u64::from(self.stamp()));
        let input = Input::Datagram { from: from.at, at: None, bytes };
        drain(&mut self.nodeset, now, input, |action| {
            if let Action::Send { to, bytes, .. } = action {
                let stamp = Datagram::decode(bytes).expect("the nodeset speaks well").stamp;
                heard.push(Heard { to, bytes: bytes.to_vec(), stamp });
            }
        });
        heard
    }

    /// What the nodeset says is written down.
    fn heard(&mut self, heard: &Heard, what: &str, of: Of) {
        let to = if heard.to == bob().at { "bob" } else { "alice" };
        self.line("nodeset", to, what);
        self.show(&[("", &anatomy::clear(&heard.bytes, of))]);
    }

    /// A handshake message.
    fn handshake(&mut self, from: &Side, to: &Side, what: &str, bytes: &[u8]) {
        self.line(from.name, to.name, what);
        self.show(&[("", &anatomy::sealed(bytes))]);
    }

    /// Something under the seal.
    fn sealed(
        &mut self,
        shaken: &Shaken,
        (side, counter): (usize, u64),
        what: &str,
        (text, of): (&[u8], Of),
    ) {
        let (from, to) = if side == 0 { ("bob", "alice") } else { ("alice", "bob") };
        let bytes = shaken.data(side, counter, text);
        assert_eq!(bytes[0], kind::DATA);
        self.line(from, to, what);
        let (outer, inner) = (anatomy::sealed(&bytes), anatomy::inner(text, of));
        self.show(&[("", &outer), ("-- under the seal:", &inner)]);
    }
}

/// The SeqNum of the request in a datagram of the nodeset.
fn seq_of(heard: &Heard) -> u32 {
    let datagram = Datagram::decode(&heard.bytes).expect("it was decoded before");
    match datagram.packets().next() {
        Some(Packet::Request { seq, .. } | Packet::Response { seq, .. }) => seq,
        None => panic!("a datagram without a packet"),
    }
}

/// The cookie in an answer.
fn cookie_in(heard: &[Heard]) -> [u8; 8] {
    let datagram = Datagram::decode(&heard[0].bytes).expect("it was decoded before");
    match datagram.packets().next() {
        Some(Packet::Response { payload: [2, cookie @ ..], .. }) => {
            cookie.try_into().expect("eight bytes")
        }
        other => panic!("no cookie: {other:?}"),
    }
}

fn register(who: &Side, cookie: [u8; 8], have: u64) -> Request<'static> {
    let sealed = who.beacon(false).seal(&Noise, &room());
    Request::Register {
        cookie,
        tag: room().tag(),
        have,
        most: 1200,
        token: who.token(),
        n: 0,
        sealed,
    }
}

/// Somebody reads the room and takes a place in it. Returns what the nodeset says then.
fn enter(script: &mut Script, who: &Side, seq: u32, aloud: bool) -> Vec<Heard> {
    let say = |what: &'static str| if aloud { what } else { "" };
    let tag = room().tag();
    let who_is = |cookie| Request::Who { cookie, tag, have: ANYWHERE, most: 1200 };
    let clear = |script: &mut Script, receiver, seq, request: &Request<'_>| {
        let stamp = script.stamp();
        who.proven(receiver, (stamp, 0), |out| put_request(out, seq, request))
    };
    let first = clear(script, ANYBODY, seq, &who_is([0; 8]));
    let cookie = script.ask(who, say("Who, from anywhere, with no cookie yet"), &first);
    let shown = cookie_in(&cookie);
    if aloud {
        script.heard(&cookie[0], "come back with this cookie", Of::Who);
    }
    let again = clear(script, ANYBODY, seq + 1, &who_is(shown));
    let page = script.ask(who, say("Who, with the cookie"), &again);
    if aloud {
        script.heard(&page[0], "a page: alice is here, and nothing is unread", Of::Who);
    }
    let have = u64::from(aloud);
    let taken = clear(script, ANYBODY, seq + 2, &register(who, shown, have));
    script.ask(who, say("Register, with what is known of the room"), &taken)
}

/// Bob greets alice, and she says something.
fn talk(script: &mut Script, alice: &Side, bob: &Side) -> Shaken {
    let shaken = shake(bob, alice, [5, 6]);
    script.handshake(bob, alice, "init", &shaken.init);
    script.handshake(alice, bob, "resp", &shaken.resp);
    let hello = |who: &Side, stream| Request::Hello {
        stream,
        start: 0,
        given_up: 0,
        entries: 1,
        beacon: who.beacon(false),
    };
    let (of_bob, of_alice) = (0xb0b0_b0b0, 0xa1a1_a1a1);
    let asked = script.stamp();
    let text = inner((asked, 0), |out| put_request(out, 200, &hello(bob, of_bob)));
    let what = "Hello, what waited for the session";
    script.sealed(&shaken, (0, 0), what, (&text, Of::Other));
    let back = script.stamp();
    let text = inner((back, asked), |out| {
        put_response(out, 200, &Response::Ok);
        put_request(out, 300, &hello(alice, of_alice));
    });
    let what = "done, and a Hello back: both streams are open";
    script.sealed(&shaken, (1, 0), what, (&text, Of::Other));
    let done = script.stamp();
    let text = inner((done, back), |out| put_response(out, 300, &Response::Ok));
    script.sealed(&shaken, (0, 1), "done", (&text, Of::Other));
    let said = script.stamp();
    let flags = Flags::default();
    let say = Request::Say {
        behind: u8::MAX,
        stream: of_alice,
        position: 0,
        number: 1,
        flags,
        seal: None,
        text: "hello, bob",
    };
    let text = inner((said, 0), |out| put_request(out, 301, &say));
    script.sealed(&shaken, (1, 1), "Say", (&text, Of::Other));
    let read = script.stamp();
    let next = Response::Next { next: 1, held: 0 };
    let text = inner((read, said), |out| put_response(out, 301, &next));
    script.sealed(&shaken, (0, 2), "the receipt: it is on the screen", (&text, Of::Say));
    shaken
}

/// Bob leaves.
fn leave(script: &mut Script, alice: &Side, bob: &Side, shaken: &Shaken) {
    let gone = script.stamp();
    let bye = Request::Bye { next: 1, beacon: bob.beacon(true) };
    let text = inner((gone, 0), |out| put_request(out, 201, &bye));
    script.sealed(shaken, (0, 3), "Bye", (&text, Of::Other));
    let noted = script.stamp();
    let text = inner((noted, gone), |out| put_response(out, 201, &Response::Ok));
    script.sealed(shaken, (1, 2), "done", (&text, Of::Other));
    let sealed = bob.beacon(true).seal(&Noise, &room());
    let request = Request::Deregister { tag: room().tag(), farewell: bob.farewell, sealed };
    script.now += 250_000;
    let stamp = script.stamp();
    let bytes = bob.proven(ANYBODY, (stamp, 0), |out| put_request(out, 103, &request));
    let heard = script.ask(bob, "Deregister", &bytes);
    let to = |who: &Side| heard.iter().find(|heard| heard.to == who.at).expect("it is told");
    script.heard(to(bob), "done", Of::Other);
    script.heard(to(alice), "RemoveMember: bob has quit", Of::Other);
    acknowledge(script, alice, to(alice));
}

fn acknowledge(script: &mut Script, who: &Side, announced: &Heard) {
    let stamp = script.stamp();
    let bytes = who.proven(NODESET_STARTED, (stamp, announced.stamp), |out| {
        put_response(out, seq_of(announced), &Response::Ok);
    });
    script.ask(who, "done", &bytes);
}

const BEFORE: &str = "# A join, to the byte

Bob joins the room `ops`, in which alice is; they greet each other, she says a word, and he leaves. Every byte is here, taken apart into the fields of [PROTOCOL.md](PROTOCOL.md). The keys, farewells and
addresses are `given` in [vectors.json](vectors.json); the ephemeral keys of this handshake, before clamping, are 32 bytes of 05 for bob, who begins, and of 06 for alice, their indices 1 and 2, and the number of the init is 1. Numbers follow the name of their field in decimal.
The nodeset is a real one (its cookies, and the SeqNum that its calls begin with, are its own); what the two people say is the least that the protocol asks of them. Programs say more: a second first Who after 70 ms, requests that come again, a Ping to who is quiet; and alice, told of bob, begins a handshake of her own unless his comes first. `cargo test --test written` computes all of it.

## The chart

```
";

#[test]
fn the_join_is_what_we_compute() {
    let (alice, bob) = (alice(), bob());
    let mut script = Script::new();
    enter(&mut script, &alice, 50, false);
    script.now += 2_000_000;
    let heard = enter(&mut script, &bob, 100, true);
    let to = |who: &Side| heard.iter().find(|heard| heard.to == who.at).expect("it is told");
    script.heard(to(&bob), "a lease, and what is new since: his own arrival", Of::Register);
    script.heard(to(&alice), "AddMember: bob", Of::Other);
    acknowledge(&mut script, &alice, to(&alice));
    let shaken = talk(&mut script, &alice, &bob);
    leave(&mut script, &alice, &bob, &shaken);
    let Script { chart, bytes, count, .. } = script;
    assert_eq!(count, 21);
    let text = format!("{BEFORE}{chart}```\n\n## The bytes\n{bytes}");
    is_written("JOIN.md", &text);
}
