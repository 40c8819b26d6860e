use super::entry::put_entry;
use super::*;
use crate::machine::codec::Reader;
use crate::machine::name::Name;
use crate::machine::quickcheck;
use crate::machine::who::beacon::Beacon;
use crate::machine::who::identity::Identity;
use crate::machine::who::ids::Handle;
use crate::machine::who::noise::Noise;
use crate::machine::who::room::Room;

const STARTED: u64 = 1_700_000_000_000;
const LATER: u32 = 1_700_000_001;

/// Somebody in the room, and their own logs.
struct Person {
    keys: Keys,
    me: Signed,
    log: Log,
    now: u64,
}

fn ms(ms: u64) -> Time {
    Time::from_micros(ms * 1_000)
}

fn words(number: u64, text: &str) -> Words<'_> {
    Words { number, action: false, text }
}

impl Person {
    /// Whose clock is ahead by so many milliseconds.
    fn new(luck: u8, ahead: i64) -> Self {
        let identity = Identity::new(&[luck; 32]);
        let room = Room::new(Name::parse("ops").unwrap(), None);
        let (key, incarnation) = (identity.public(), u64::from(luck) + 1);
        let beacon = Beacon {
            id: key.process(incarnation),
            key,
            handle: Handle::of(u64::from(luck)),
            incarnation,
            n: 0,
            left: false,
            once: false,
            name: Name::parse("alice").unwrap(),
            addrs: Vec::new(),
        };
        let keys = Keys { suite: &Noise, identity, room };
        let me = keys.sign(beacon);
        let log = Log::new(STARTED.saturating_add_signed(ahead));
        Self { keys, me, log, now: 0 }
    }

    fn id(&self) -> PeerId {
        self.me.beacon.id
    }

    fn say(&mut self, text: &str) -> (Seal, String) {
        self.now += 1;
        let by = (ms(self.now), &self.keys, &self.me);
        let seal = self.log.say(by, words(0, text)).expect("it fits");
        self.log.check();
        (seal, text.to_owned())
    }

    fn hears(&mut self, author: &Self, (seal, text): &(Seal, String)) -> Verdict {
        let by = (ms(self.now), &self.keys, &author.me);
        let verdict = self.log.take(by, seal, words(0, text));
        self.log.check();
        verdict
    }

    /// Everything in the order of the room.
    fn reads(&self) -> Vec<String> {
        let logs = self.log.logs.iter();
        let places = logs.flat_map(|(&id, one)| (one.first..one.next()).map(move |seq| (id, seq)));
        let mut places: Vec<Place> =
            places.filter(|&place| self.log.get(place).is_some()).collect();
        places.sort_by_key(|&place| self.log.order(place));
        places.iter().map(|&place| self.log.shown(place).unwrap().text.to_owned()).collect()
    }

    /// Asks somebody for everything that is missing, in parts of so many bytes.
    fn catches_up(&mut self, from: &Self, most: usize) -> usize {
        let (heads, more) = from.log.heads(PeerId(0));
        assert!(!more);
        let mut came = 0;
        for head in heads {
            let Some((first, _)) = self.log.lacks(&head) else { continue };
            let mut bytes = Vec::new();
            while from.log.read((head.log, first), bytes.len(), most, &mut bytes).unwrap() {}
            let author = from.log.author(head.log).unwrap().clone();
            let mut reader = Reader::new(&bytes);
            while !reader.is_empty() {
                let (seal, words) = entry(&mut reader).unwrap();
                let by = (ms(self.now), &self.keys, &author);
                came += usize::from(self.log.take(by, &seal, words) == Verdict::New);
            }
            self.log.check();
        }
        came
    }
}

#[test]
fn what_is_said_is_kept_once_by_whoever_hears_it() {
    let (mut alice, mut bob) = (Person::new(1, 0), Person::new(2, 0));
    let said = [alice.say("one"), alice.say("two")];
    assert_eq!(bob.hears(&alice, &said[0]), Verdict::New);
    assert_eq!(bob.hears(&alice, &said[0]), Verdict::Known);
    assert_eq!(bob.hears(&alice, &said[1]), Verdict::New);
    assert_eq!(bob.reads(), ["one", "two"]);
    assert!(!bob.log.lacks_one((alice.id(), 1)) && bob.log.lacks_one((alice.id(), 3)));
}

#[test]
fn nobody_says_anything_for_somebody_else_or_changes_it() {
    let (mut alice, mut bob) = (Person::new(1, 0), Person::new(2, 0));
    let (seal, text) = alice.say("one");
    let forged = [
        (Seal { clock: seal.clock + 1, ..seal }, text.clone()),
        (Seal { seq: 2, ..seal }, text.clone()),
        (Seal { deps: Deps::new([(bob.id(), 1)]), ..seal }, text.clone()),
        (Seal { past: [1; 16], ..seal }, text.clone()),
        (seal, "two".to_owned()),
    ];
    for said in forged {
        assert_eq!(bob.hears(&alice, &said), Verdict::Forged);
    }
    let mallory = Person::new(3, 0);
    assert_eq!(bob.hears(&mallory, &(seal, text)), Verdict::Forged);
    assert_eq!(bob.log.sizes().0, 0);
}

/// One of two clocks is ten minutes slow, and one is an hour fast.
#[test]
fn an_answer_stands_behind_what_it_answers_whatever_the_clocks_say() {
    let mut all = [Person::new(1, 0), Person::new(2, -600_000), Person::new(3, 3_600_000)];
    let mut talk = Vec::new();
    for n in 0..60 {
        let text = format!("{n:02}");
        let said = all[n % 3].say(&text);
        for other in (0..3).filter(|&other| other != n % 3) {
            let (author, reader) = match other < n % 3 {
                true => {
                    let (one, rest) = all.split_at_mut(n % 3);
                    (&rest[0], &mut one[other])
                }
                false => {
                    let (one, rest) = all.split_at_mut(other);
                    (&one[n % 3], &mut rest[0])
                }
            };
            assert_eq!(reader.hears(author, &said), Verdict::New);
        }
        talk.push(text);
    }
    for reader in &all {
        assert_eq!(reader.reads(), talk);
    }
}

#[test]
fn two_who_were_apart_end_with_the_same_in_the_same_order() {
    for most in [1, 7, 160, 960] {
        let (mut alice, mut bob) = (Person::new(1, 0), Person::new(2, 5));
        (0..20).for_each(|n| drop(alice.say(&format!("a{n}"))));
        (0..30).for_each(|n| drop(bob.say(&format!("b{n}"))));
        assert_ne!(alice.log.digest(LATER), bob.log.digest(LATER));
        assert_eq!((alice.catches_up(&bob, most), bob.catches_up(&alice, most)), (30, 20));
        assert_eq!(alice.reads(), bob.reads());
        assert_eq!(alice.log.digest(LATER), bob.log.digest(LATER));
        assert_eq!((alice.catches_up(&bob, most), bob.catches_up(&alice, most)), (0, 0));
        // A third one has everything of either.
        let mut carol = Person::new(3, 0);
        assert_eq!(carol.catches_up(&bob, most), 50);
        assert_eq!(carol.reads(), bob.reads());
    }
}

#[test]
fn what_is_missing_in_the_middle_is_asked_for() {
    let (mut alice, mut bob) = (Person::new(1, 0), Person::new(2, 0));
    let said: Vec<_> = (1..=10).map(|n| alice.say(&n.to_string())).collect();
    for n in [3, 4, 8] {
        assert_eq!(bob.hears(&alice, &said[n]), Verdict::New);
    }
    assert_eq!(bob.catches_up(&alice, 960), 7);
    assert_eq!(bob.reads(), alice.reads());
}

#[test]
fn two_messages_in_one_place_are_told_of_once_and_freeze_the_log() {
    let (mut alice, mut twin) = (Person::new(1, 0), Person::new(1, 0));
    let mut bob = Person::new(2, 0);
    let said = [alice.say("yes"), alice.say("more")];
    let other = [twin.say("no"), twin.say("and no")];
    assert_eq!(bob.hears(&alice, &said[0]), Verdict::New);
    assert_eq!(bob.hears(&twin, &other[0]), Verdict::Forked { news: true });
    assert_eq!(bob.hears(&twin, &other[0]), Verdict::Forked { news: false });
    assert_eq!(bob.hears(&alice, &said[1]), Verdict::Forked { news: false });
    assert_eq!(bob.reads(), ["yes"], "what was shown stays");
    // Also when what comes behind gives it away, and when the earlier one comes last.
    let mut carol = Person::new(3, 0);
    assert_eq!(carol.hears(&alice, &said[0]), Verdict::New);
    assert_eq!(carol.hears(&twin, &other[1]), Verdict::Forked { news: true });
    let mut dora = Person::new(4, 0);
    assert_eq!(dora.hears(&alice, &said[1]), Verdict::New);
    assert_eq!(dora.hears(&twin, &other[0]), Verdict::Forked { news: true });
    // Nobody is asked for it for ever.
    assert!(bob.log.heads(PeerId(0)).0.is_empty() && bob.log.digest(LATER) == Some(1));
}

#[test]
fn the_newest_are_kept_and_who_says_much_takes_nobodys_room() {
    let (mut alice, mut bob) = (Person::new(1, 0), Person::new(2, 0));
    let first = alice.say("hello");
    assert_eq!(bob.hears(&alice, &first), Verdict::New);
    (0..ENTRIES_MAX).for_each(|n| drop(bob.say(&n.to_string())));
    assert_eq!(bob.log.sizes().0, ENTRIES_MAX);
    assert!(!bob.log.lacks_one((alice.id(), 1)), "Bob's own oldest went first");
    assert_eq!(bob.hears(&alice, &first), Verdict::Known);
    // What went is neither asked for nor taken again.
    let mut carol = Person::new(3, 0);
    carol.catches_up(&bob, 960);
    assert_eq!(bob.catches_up(&carol, 960), 0);
    // Nothing is kept for more than a day.
    bob.now += 25 * 3_600_000;
    bob.log.make_room(ms(bob.now));
    assert_eq!(bob.log.sizes().0, 0);
    assert_eq!(bob.hears(&alice, &first), Verdict::Known);
    // The log goes on where it was.
    let (seal, _) = bob.say("still here");
    assert_eq!(seal.seq, ENTRIES_MAX as u32 + 1);
    assert_ne!(seal.past, [0; 16]);
}

#[test]
fn a_clock_that_is_far_ahead_is_not_followed() {
    let (mut alice, mut eve) = (Person::new(1, 0), Person::new(2, 1 << 45));
    let said = eve.say("from the future");
    assert_eq!(alice.hears(&eve, &said), Verdict::New);
    let (seal, _) = alice.say("what");
    assert!(seal.clock < STARTED + 1_000, "{}", seal.clock);
    assert_eq!(alice.reads(), ["from the future", "what"], "and yet it stands behind");
}

/// Every other place is far behind the one before.
#[test]
fn who_leaves_gaps_fills_no_memory() {
    let (mut alice, mut bob) = (Person::new(1, 0), Person::new(2, 0));
    for n in 0..600 {
        let (mut seal, text) = (alice.say("hello").0, "far away");
        seal.seq = 1 + n * (GAP_MAX - 1);
        let by = (&alice.keys, &alice.me.beacon);
        alice.log.notary.sign(by, &mut seal, words(0, text));
        assert_eq!(bob.hears(&alice, &(seal, text.to_owned())), Verdict::New);
    }
    assert!(bob.log.sizes().0 <= SLOTS_MAX / GAP_MAX as usize + 1, "{:?}", bob.log.sizes());
}

/// Who writes a log is known for as long as it can be of use.
#[test]
fn who_is_introduced_and_has_nothing_is_forgotten() {
    let mut bob = Person::new(2, 0);
    for n in 0..3 * LOGS_MAX as u64 {
        let mut author = Person::new(1, 0).me;
        author.beacon.id = PeerId(n);
        bob.log.introduce(&author);
        bob.log.check();
    }
    assert!(bob.log.sizes().2 <= LOGS_MAX + 1);
}

/// What stands behind the last number would have none.
#[test]
fn the_last_number_is_no_place() {
    let (mut alice, bob) = (Person::new(1, 0), Person::new(2, 0));
    let (seal, _) = alice.say("hello");
    for (seq, is_place) in [(0, false), (1, true), (SEQ_MAX, true), (u32::MAX, false)] {
        let follows = Seal { deps: Deps::new([(bob.id(), seq)]), ..seal };
        for seal in [Seal { seq, ..seal }, follows] {
            let mut bytes = Vec::new();
            seal.put(&mut bytes);
            assert_eq!(Seal::read(&mut Reader::new(&bytes)).is_ok(), is_place, "{seal:?}");
        }
    }
}

/// Whatever bytes are read as an entry, what is read is written the same.
#[test]
fn entries_are_read_totally() {
    fn reads(bytes: Vec<u8>) -> bool {
        let mut reader = Reader::new(&bytes);
        let Ok((seal, words)) = entry(&mut reader) else { return true };
        let mut again = Vec::new();
        put_entry(&mut again, &seal, words);
        bytes.starts_with(&again)
    }
    quickcheck().quickcheck(reads as fn(Vec<u8>) -> bool);
    let (seal, text) = Person::new(1, 0).say("hello");
    let mut bytes = Vec::new();
    put_entry(&mut bytes, &seal, words(7, &text));
    assert_eq!(entry(&mut Reader::new(&bytes)), Ok((seal, words(7, &text))));
    for len in 0..bytes.len() {
        assert_eq!(entry(&mut Reader::new(&bytes[..len])), Err(crate::machine::codec::Malformed));
    }
}
