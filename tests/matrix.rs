//! Every datagram of every exchange, and all that may be done with a copy of it.
//!
//! Three scripts pass through the whole protocol: people enter, talk, change their names, fall silent,
//! move, and leave ([`day`]); they talk until their keys are renewed ([`evening`]); they meet while a
//! crowd shakes hands ([`rush`]). Each is played undisturbed, and then, from the beginning, once for every
//! copy of a datagram of it: whole, to and from anybody ([`copies`]), or not ([`spoilt`]); just before the
//! genuine one, just after it, or 5 s later. Of the datagrams of one act that have the same kind and
//! length the first and the last have their turn, and each way to spoil one is tried by turns at the
//! times and addresses it may come from.
//!
//! Everybody must be shown the same events in the same order at the same instants, `/who` with its
//! addresses, round trips and silences among them. No peer sends a byte to a stranger's address, but a
//! cookie for a good init while there is a crowd; a nodeset sends no more than it got from there. No
//! machine breaks an invariant. Less is demanded where docs/PROTOCOL.md, "Who can do what", grants more:
//!
//! - *Diverted*: whoever is on the path may delay. What is genuine and comes from elsewhere before it
//!   comes from its sender is taken and answered there, within three times its bytes, and the one that
//!   follows counts as repeated: as if it were lost. So instants, round trips and silences may differ,
//!   and the order of what one act leads to; the events of an act may not. That is so for init, resp and
//!   data: cookies and whatever is said in the open change nothing.
//! - *In the open*: a nodeset has no key. Whoever is on the path can say what a nodeset or a peer might say
//!   there, keep people from entering, and hide them from newcomers. When what people and a nodeset say is
//!   altered at the same length, once people have met they must be shown the same but for the instants;
//!   while somebody enters, nobody may be told that somebody has left who is here, and what is said must
//!   be shown to everybody here it is said to, once, and nothing else.
//!
//! Left out: copies while datagrams are lost, which are the meddler's of the simulator; every byte and
//! every length of a handshake have their turn in `src/machine/session/tests.rs`.

#[path = "support/insider.rs"]
mod insider;
#[path = "support/play.rs"]
mod play;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chatrpc::machine::wire::{Datagram, Packet, kind};
use chatrpc::machine::{COOKIE, INIT, mix};
use play::{Act, CROWD, Forgery, NODESET, STRANGER, Script, Sent, When, World};

fn day() -> Script {
    vec![
        (0, Act::Enter(0)),
        (8_000, Act::Enter(1)),
        (16_000, Act::Enter(2)),
        (24_000, Act::Say(0, "good morning")),
        (30_000, Act::Say(1, "/me waves")),
        (36_000, Act::Say(2, "/msg alice only for you")),
        (42_000, Act::Say(1, "/nick robert")),
        (48_000, Act::Look),
        (66_000, Act::Look),
        (67_000, Act::Move(1)),
        (67_500, Act::Say(1, "I am elsewhere")),
        (68_000, Act::Say(1, "/nick rob")),
        (80_000, Act::Look),
        (81_000, Act::Say(0, "so I see")),
        (87_000, Act::Look),
        (88_000, Act::Say(1, "/nick bobby")),
        (88_500, Act::Say(1, "/quit")),
        (95_000, Act::Enter(3)),
        (103_000, Act::Look),
        (104_000, Act::Say(2, "/quit")),
        (110_000, Act::Say(3, "who is left?")),
        (116_000, Act::Say(0, "/quit")),
        (122_000, Act::Say(3, "/quit")),
    ]
}

/// Nobody is silent for long enough to be suspected, so the keys are renewed because they are old.
fn evening() -> Script {
    let mut script = vec![(0, Act::Enter(0)), (8_000, Act::Enter(1))];
    script.extend((4..31).map(|n| (n * 4_000, Act::Say(0, "and on"))));
    script.extend([
        (124_000, Act::Say(0, "under the old keys")),
        (128_000, Act::Say(0, "under the new ones")),
        (129_000, Act::Say(1, "here, too")),
        (136_000, Act::Look),
        (137_000, Act::Say(0, "/quit")),
        (144_000, Act::Say(1, "/quit")),
    ]);
    script
}

fn rush() -> Script {
    vec![
        (0, Act::Enter(0)),
        (8_000, Act::Enter(1)),
        (8_066, Act::Crowd(0)),
        (16_000, Act::Say(1, "after all")),
        (17_000, Act::Look),
        (18_000, Act::Say(0, "/quit")),
        // Whatever is still said for the last one to leave, the next one to come meets nobody.
        (24_500, Act::Say(1, "/nick late")),
        (25_000, Act::Say(1, "/quit")),
        (30_000, Act::Enter(2)),
        (38_000, Act::Look),
        (39_000, Act::Say(2, "/quit")),
    ]
}

/// What is demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    NothingChanges,
    Diverted,
    InTheOpen,
}

impl Forgery {
    /// Whether it is as good as the genuine one. The second hash of an init is looked at in a crowd only.
    fn is_whole(&self, genuine: &Sent) -> bool {
        let init = genuine.kind() == kind::INIT;
        let looked_at = if init { INIT - 16 } else { genuine.bytes.len() };
        let same = self.bytes.get(..looked_at) == genuine.bytes.get(..looked_at);
        same && self.bytes.len() == genuine.bytes.len()
    }

    fn claim(&self, genuine: &Sent) -> Claim {
        let whole = self.is_whole(genuine);
        let moved = self.from != genuine.from && self.to == genuine.to;
        let altered =
            self.from == genuine.from && self.bytes.len() == genuine.bytes.len() && !whole;
        match genuine.kind() {
            kind::CLEAR | kind::PROVEN if altered => Claim::InTheOpen,
            kind::INIT | kind::RESP | kind::DATA if whole && moved && self.when == When::Before => {
                Claim::Diverted
            }
            _ => Claim::NothingChanges,
        }
    }
}

/// Whole copies, to and from everybody.
fn copies(sent: &[Sent], nth: usize) -> Vec<Forgery> {
    let Sent { from, to, ref bytes, .. } = sent[nth];
    let mut ways = vec![
        ("repeated".to_owned(), from, to),
        ("sent back".to_owned(), to, from),
        ("from a stranger".to_owned(), STRANGER, to),
    ];
    let others: BTreeSet<SocketAddr> = sent.iter().map(|sent| sent.from).collect();
    for other in others.into_iter().filter(|addr| addr.ip() != from.ip() && addr.ip() != to.ip()) {
        ways.push((format!("from {other}"), other, to));
        ways.push((format!("to {other}"), from, other));
    }
    let mut all = Vec::new();
    for when in [When::Before, When::After, When::Later] {
        all.extend(ways.iter().cloned().map(|(what, from, to)| {
            let bytes = bytes.clone();
            Forgery { what, nth, when, from, to, bytes }
        }));
    }
    all
}

/// What is cut, lengthened, flipped, put together or made up: before and after the genuine one, later,
/// and from a stranger, by turns.
fn spoilt(sent: &[Sent], nth: usize) -> Vec<Forgery> {
    let Sent { from, to, ref bytes, .. } = sent[nth];
    let len = bytes.len();
    let mut all = Vec::new();
    for keep in [0, 1, 12, len / 2, len - 16, len - 1] {
        all.push((format!("cut to {keep}"), bytes[..keep].to_vec()));
    }
    for more in [1, 2, 16, 100] {
        all.push((format!("{more} longer"), [&bytes[..], &vec![0; more]].concat()));
    }
    // Kinds, senders and indices, receivers and counters, stamps; lengths, types and methods; the rest.
    let places = [0, 2, 8, 12, 16, 20, 26, 31, 32, 33, len / 2, len - 17, len - 1];
    for (n, place) in places.into_iter().enumerate().filter(|&(_, place)| place < len) {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1 << (n % 3);
        all.push((format!("bit {} of byte {place} flipped", n % 3), bytes));
    }
    let many = bytes.iter().enumerate().map(|(place, byte)| byte ^ u8::from(place % 7 == 1));
    all.push(("many bits flipped".to_owned(), many.collect()));
    let like = |other: &&Sent| other.kind() == bytes[0] && other.bytes != *bytes;
    if let Some(other) = sent[..nth].iter().rfind(like) {
        for cut in [5, 13, 25, len / 2] {
            let tail = other.bytes.get(cut..).unwrap_or_default();
            all.push((format!("spliced at {cut}"), [&bytes[..cut], tail].concat()));
        }
    }
    for keep in [1, 5, 13, 25] {
        let noise = (keep..len).map(|place| mix((nth * len + place) as u64) as u8);
        let made_up = bytes[..keep].iter().copied().chain(noise).collect();
        all.push((format!("made up from byte {keep}"), made_up));
    }
    // What was lost is no forgery when it arrives after all.
    all.retain(|(_, bytes)| sent.iter().all(|sent| sent.bytes != *bytes));
    let turns =
        [(When::Before, from), (When::After, from), (When::Later, from), (When::Before, STRANGER)];
    let turns = turns.into_iter().cycle().skip(nth);
    let forgeries = all.into_iter().zip(turns);
    forgeries
        .map(|((what, bytes), (when, from))| Forgery { what, nth, when, from, to, bytes })
        .collect()
}

/// The first and the last of all datagrams that are alike.
fn picked(script: &Script, sent: &[Sent]) -> BTreeSet<usize> {
    let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (nth, one) in sent.iter().enumerate().filter(|(_, one)| !CROWD.contains(&one.to.ip())) {
        let act = Some(script[one.act].1).filter(|_| !one.idle);
        let way = (one.from == NODESET, one.to == NODESET);
        alike.entry((act, way, one.kind(), one.bytes.len())).or_default().push(nth);
    }
    alike.values().flat_map(|alike| [alike[0], alike[alike.len() - 1]]).collect()
}

/// Plays a script once for every forgery that is made from its datagrams.
fn play_all(script: &Script, make: impl Fn(&[Sent], usize) -> Vec<Forgery>) {
    let calm = World::play(script, None);
    assert!(calm.is_sound(), "{:?}", calm.lies);
    let (mut played, mut failures) = (0, Vec::new());
    for nth in picked(script, &calm.sent) {
        let genuine = &calm.sent[nth];
        let act = script[genuine.act].1;
        let crowded = matches!(act, Act::Crowd(_));
        let met = !crowded && !matches!(act, Act::Enter(_));
        let before = script[..genuine.act].iter();
        let people = before.filter(|(_, act)| matches!(act, Act::Enter(_))).count();
        for forgery in make(&calm.sent, nth) {
            let Forgery { what, when, .. } = &forgery;
            let (kind, len, claim) = (genuine.kind(), genuine.bytes.len(), forgery.claim(genuine));
            let which = format!(
                "{act:?}: datagram {nth}, of kind {kind} and {len} bytes, from {} to {}, {what}, \
                 {when:?} ({claim:?})",
                genuine.from, genuine.to,
            );
            played += 1;
            let world = || World::play(script, Some(&forgery));
            let Ok(world) = catch_unwind(AssertUnwindSafe(world)) else {
                failures.push(format!("{which}: a machine panics"));
                continue;
            };
            let same = match claim {
                Claim::NothingChanges => world.shown == calm.shown,
                Claim::Diverted => world.gist(usize::MAX) == calm.gist(usize::MAX),
                Claim::InTheOpen if met => world.gist(people) == calm.gist(people),
                Claim::InTheOpen => world.is_sound(),
            };
            let asks_in_crowd = kind == kind::INIT && forgery.is_whole(genuine) && crowded;
            let astray_max = match claim {
                Claim::Diverted => 3 * forgery.bytes.len(),
                _ if forgery.to == NODESET => forgery.bytes.len(),
                _ if asks_in_crowd => COOKIE,
                _ => 0,
            };
            let answered = forgery.from == STRANGER && world.astray > astray_max;
            if !same || answered {
                let other = world.shown.iter().zip(&calm.shown).find(|(now, then)| now != then);
                let (astray, lies) = (world.astray, &world.lies);
                failures.push(format!("{which}: {astray} bytes astray, {lies:?}, {other:#?}"));
            }
        }
    }
    println!("{played} forgeries");
    let count = failures.len();
    failures.truncate(5);
    assert!(failures.is_empty(), "{count} of {played}: {}", failures.join("\n"));
}

#[test]
fn whole_copies_change_nothing() {
    [day(), evening(), rush()].iter().for_each(|script| play_all(script, copies));
}

#[test]
fn spoilt_copies_change_nothing() {
    [day(), evening(), rush()].iter().for_each(|script| play_all(script, spoilt));
}

#[test]
fn the_scripts_pass_through_everything() {
    let (mut kinds, mut asked, mut shown) = (BTreeSet::new(), BTreeSet::new(), String::new());
    for script in [day(), evening(), rush()] {
        let calm = World::play(&script, None);
        kinds.extend(calm.sent.iter().map(Sent::kind));
        for datagram in calm.sent.iter().flat_map(|sent| Datagram::decode(&sent.bytes)) {
            for packet in datagram.packets() {
                if let Packet::Request { request, .. } = packet {
                    let request = format!("{request:?}");
                    asked.extend(request.split(' ').next().map(str::to_owned));
                }
            }
        }
        shown.extend(calm.shown.iter().map(|shown| shown.event.as_str()));
    }
    assert_eq!(kinds, BTreeSet::from([0, 1, 2, 3, 4, 6]));
    let all = ["AddMember", "Deregister", "Register", "RemoveMember", "Who"];
    assert!(asked.iter().eq(all), "{asked:?}");
    // What is sealed is told by what comes of it: Say and its answer, Hello, Bye, a challenge.
    for sign in ["Acked {", "Renamed {", "why: Quit", "addr: Some(10.0.0.3:8)"] {
        assert!(shown.contains(sign), "{sign}");
    }
    let (script, evening) = (evening(), World::play(&evening(), None));
    let inits = evening.sent.iter().filter(|sent| sent.kind() == kind::INIT);
    let during: BTreeSet<Act> = inits.map(|init| script[init.act].1).collect();
    let old = Act::Say(1, "here, too");
    assert_eq!(
        during,
        BTreeSet::from([Act::Enter(1), old]),
        "keys are renewed because they are old"
    );
}
