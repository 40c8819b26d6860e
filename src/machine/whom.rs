//! Who is meant, by what somebody writes or a program says.
//!
//! A name is whatever its owner likes; an id follows from a key. So a whole id is never looked for
//! among names, and a word that is the name of one person and begins the id of another is nobody's:
//! what was meant for the one must not reach the other.

use crate::machine::event::Refusal;
use crate::machine::name::Name;
use crate::machine::name::{ID_LETTERS, ID_LETTERS_MIN};
use crate::machine::text::SafeText;
use crate::machine::who::identity::PublicKey;
use crate::machine::who::ids::PeerId;

/// Whom something is for, or about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom<'a> {
    /// That process, and nobody else.
    Id(PeerId),
    /// The newest process of that key.
    Key(PublicKey),
    /// As people write it: a name, a label (`bob·k7f3`), or the first letters of an id, four of them
    /// and more.
    Word(&'a str),
}

/// Somebody who may be meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'n> {
    pub(crate) id: PeerId,
    pub(crate) key: PublicKey,
    pub(crate) name: &'n Name,
    /// When that process started, as far as it matters.
    pub(crate) incarnation: u64,
    /// They are here; others are known, and can be meant, and not be found.
    pub(crate) here: bool,
}

impl<'a> Whom<'a> {
    /// Reads what a person writes. What has the form of a whole id or of a key is that, and no name.
    /// Signs that stand before labels, and that no name begins with, are none of it: `!bob·k7f3`, `@bob`.
    pub fn read(text: &'a str) -> Self {
        let text = text.trim_end();
        let named = text.trim_start_matches(['@', '!']);
        let text = if named.is_empty() { text } else { named };
        Self::exact(&text.to_ascii_lowercase()).unwrap_or(Self::Word(text))
    }

    /// Reads what a program writes: a whole id, or a key in 64 digits of base 16. `None` for all else.
    pub fn exact(text: &str) -> Option<Whom<'static>> {
        let id = text.parse().map(Whom::Id);
        id.or_else(|()| text.parse().map(Whom::Key)).ok()
    }

    /// The process that is meant, among all that are known.
    pub(crate) fn find<'n>(
        self,
        known: impl Iterator<Item = Known<'n>>,
    ) -> Result<PeerId, Refusal<'a>> {
        match self {
            Self::Id(id) => {
                let found = { known }.find(|who| who.here && who.id == id);
                found.map(|who| who.id).ok_or(Refusal::NobodyWithId(id))
            }
            Self::Key(key) => {
                let theirs = known.filter(|who| who.here && who.key == key);
                let newest = theirs.max_by_key(|who| (who.incarnation, who.id));
                newest.map(|who| who.id).ok_or(Refusal::NobodyWithKey(key))
            }
            Self::Word(word) => find_word(word, known),
        }
    }
}

/// More words than this no name has, and none is longer: 24 columns with single blanks between them.
const NAME_WORDS_MAX: usize = 12;

/// Where the name of somebody ends and what is for them begins, in the first word behind `/msg` and the
/// others: a name may have blanks in it. `find` says whose key a beginning means, also of those who are
/// gone or trusted.
///
/// # Errors
///
/// What stands against the first word, where no beginning means anybody. [`Refusal::SeveralCalled`] where
/// two of them mean two people: who goes on like a sentence (`Ann I`) gets nothing that is for Ann.
pub(crate) fn addressed<'a>(
    word: &str,
    text: &'a str,
    find: impl Fn(Whom<'_>) -> Result<PublicKey, Refusal<'static>>,
) -> Result<(String, &'a str), Refusal<'static>> {
    let mut found: Option<(PublicKey, String, &'a str)> = None;
    let (mut name, mut rest, mut first) = (word.to_owned(), text, None);
    for _ in 0..NAME_WORDS_MAX {
        match find(Whom::read(&name)) {
            Ok(key) if found.as_ref().is_some_and(|(other, ..)| *other != key) => {
                return Err(Refusal::SeveralCalled(SafeText::new(&name).into_owned()));
            }
            Ok(key) => found = Some((key, name.clone(), rest)),
            Err(refusal @ (Refusal::SeveralCalled(_) | Refusal::NameOrId { .. })) => {
                return Err(refusal);
            }
            Err(refusal) => {
                first.get_or_insert(refusal);
            }
        }
        let Some((next, behind)) = rest.split_once([' ', '\t', '\u{A0}', '\u{3000}']) else {
            break;
        };
        // A text follows, and no name goes over the end of a line.
        if next.is_empty() || next.contains('\n') || behind.trim().is_empty() {
            break;
        }
        name = format!("{name} {next}");
        rest = behind.trim_start();
    }
    match (found, first) {
        (Some((_, name, rest)), _) => Ok((name, rest)),
        (None, Some(refusal)) => Err(refusal),
        (None, None) => Err(Refusal::NobodyCalled(SafeText::new(word).into_owned())),
    }
}

/// Whether it has the form of the first letters of an id.
fn begins_id(letters: &str) -> bool {
    (ID_LETTERS_MIN..=ID_LETTERS).contains(&letters.len())
        && letters.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
}

fn find_word<'a, 'n>(
    word: &'a str,
    known: impl Iterator<Item = Known<'n>>,
) -> Result<PeerId, Refusal<'a>> {
    let letters = word.to_ascii_lowercase();
    let letters = Some(&letters[..]).filter(|letters| begins_id(letters));
    let label = word.rsplit_once('·');
    let label = label.map(|(name, end)| (Name::parse(name).ok(), end.to_ascii_lowercase()));
    let label = label.filter(|(_, end)| begins_id(end));
    let name = Name::parse(word).ok();
    let look = name.as_ref().map(Name::look);
    let (mut called, mut labelled, mut begun, mut claimed) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for who in known {
        let id = who.id.to_string();
        if who.here && name.as_ref() == Some(who.name) {
            called.push(who);
        }
        let is_label = |(name, end): &(Option<Name>, String)| {
            name.as_ref() == Some(who.name) && id.starts_with(end)
        };
        if label.as_ref().is_some_and(is_label) {
            labelled.push(who);
        }
        if letters.is_some_and(|letters| id.starts_with(letters)) {
            begun.push(who);
        }
        if look.as_ref().is_some_and(|look| look.claims(&who.id.to_string())) {
            claimed.push(who);
        }
    }
    let several = || Refusal::SeveralCalled(SafeText::new(word));
    if let Some(one) = called.first() {
        // What reads as the id of somebody is not looked for among names, even if they are gone.
        let others = claimed.iter().chain(&labelled);
        if let Some(other) = { others }.find(|other| other.key != one.key) {
            let word = SafeText::new(word);
            return Err(Refusal::NameOrId { word, named: one.id, begun: other.id });
        }
        return if called.len() == 1 { Ok(one.id) } else { Err(several()) };
    }
    let found = if labelled.is_empty() { begun } else { labelled };
    let here: Vec<&Known<'_>> = found.iter().filter(|who| who.here).collect();
    match here[..] {
        [] => Err(Refusal::NobodyCalled(SafeText::new(word))),
        // Somebody with the same letters who is gone may be the one that is meant.
        [one] if found.iter().all(|other| other.key == one.key) => Ok(one.id),
        _ => Err(several()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bob and Mallory, who would like to get what is for him.
    struct Two {
        bob: (PeerId, PublicKey),
        mallory: (PeerId, PublicKey),
        bob_is_here: bool,
        name: String,
    }

    const BOB: u64 = 0x5555_1234_5678_9abc;

    fn two(name: &str) -> Two {
        Two {
            bob: (PeerId(BOB), PublicKey([1; 32])),
            mallory: (PeerId(!BOB), PublicKey([2; 32])),
            bob_is_here: true,
            name: name.to_owned(),
        }
    }

    impl Two {
        fn find<'a>(&self, text: &'a str) -> Result<PeerId, Refusal<'a>> {
            let names = ["bob", &self.name].map(|name| Name::parse(name).unwrap());
            let known = [(self.bob, self.bob_is_here), (self.mallory, true)];
            let known = known.iter().zip(&names).map(|(&((id, key), here), name)| Known {
                id,
                key,
                name,
                incarnation: 1,
                here,
            });
            Whom::read(text).find(known)
        }
    }

    #[test]
    fn a_whole_id_is_an_id_and_nothing_else() {
        let id = PeerId(BOB).to_string();
        let mut two = two(&id);
        for text in [&id[..], &id.to_uppercase(), &format!("{id} ")] {
            assert_eq!(two.find(text), Ok(PeerId(BOB)), "{text}");
        }
        two.bob_is_here = false;
        assert_eq!(two.find(&id), Err(Refusal::NobodyWithId(PeerId(BOB))));
        // Nobody has it, and somebody is called like it.
        let stray = PeerId(77).to_string();
        two.name.clone_from(&stray);
        assert_eq!(two.find(&stray), Err(Refusal::NobodyWithId(PeerId(77))));
        let key = PublicKey([1; 32]);
        two.bob_is_here = true;
        assert_eq!(two.find(&key.to_string()), Ok(PeerId(BOB)));
        let nobody = PublicKey([3; 32]);
        assert_eq!(two.find(&nobody.to_string()), Err(Refusal::NobodyWithKey(nobody)));
    }

    #[test]
    fn a_word_that_is_both_is_nobodys() {
        let id = PeerId(BOB).to_string();
        for letters in 4..13 {
            let word = &id[..letters];
            for name in [word.to_owned(), word.to_uppercase(), word.replace('a', "а")] {
                let mut two = two(&name);
                for here in [true, false] {
                    two.bob_is_here = here;
                    let found = two.find(&name);
                    let both = matches!(found, Err(Refusal::NameOrId { named, begun, .. })
                        if named == PeerId(!BOB) && begun == PeerId(BOB));
                    assert!(both, "{name}, {here}: {found:?}");
                }
            }
        }
        let label = format!("bob·{}", &id[..4]);
        let mut two = two(&label);
        assert!(matches!(two.find(&label), Err(Refusal::NameOrId { .. })));
        two.bob_is_here = false;
        assert!(matches!(two.find(&label), Err(Refusal::NameOrId { .. })));
    }

    #[test]
    fn names_labels_and_beginnings() {
        let id = PeerId(BOB).to_string();
        let mut two = two("mallory");
        let theirs = PeerId(!BOB).to_string();
        for text in ["bob", &id[..4], &id[..9], &id[..4].to_uppercase()] {
            assert_eq!(two.find(text), Ok(PeerId(BOB)), "{text}");
        }
        let label = format!("bob·{}", &id[..4]);
        for text in [&label, &format!("bob·{id}"), &format!("!{label}"), "@bob", &format!("@!{id}")]
        {
            assert_eq!(two.find(text), Ok(PeerId(BOB)), "{text}");
        }
        for text in
            ["@", "!", "@rob", "rob", &id[..3], "mal", "", &format!("bob·{}", &theirs[..4]), "Bob"]
        {
            assert!(matches!(two.find(text), Err(Refusal::NobodyCalled(_))), "{text}");
        }
        two.name = "Zoë".to_owned();
        for text in ["Zoë", "Zoe\u{308}", &format!("Zoe\u{308}·{}", &theirs[..4])] {
            assert_eq!(two.find(text), Ok(PeerId(!BOB)), "{text}: composed or not");
        }
        two.name = "bob".to_owned();
        assert!(matches!(two.find("bob"), Err(Refusal::SeveralCalled(_))));
        two.bob_is_here = false;
        assert_eq!(two.find("bob"), Ok(PeerId(!BOB)), "a name is whoever has it");
        // A key that begins with the same letters was made for that.
        two.mallory.0 = PeerId(BOB ^ 1);
        assert!(matches!(two.find(&id[..4]), Err(Refusal::SeveralCalled(_))));
        two.mallory.1 = two.bob.1;
        assert_eq!(two.find(&id[..4]), Ok(PeerId(BOB ^ 1)), "the same person, started anew");
    }

    /// `/msg Ann Lee hi` was for nobody, or for Ann.
    #[test]
    fn a_name_goes_on_over_blanks_as_far_as_it_is_one_alone() {
        let key = |luck| PublicKey([luck; 32]);
        let people = [("Ann Lee", 1), ("bob", 2), ("Jean Luc du Bois", 3), ("Jo", 4), ("Jo I", 5)];
        let find = |whom: Whom<'_>| match whom {
            Whom::Word("two") => Err(Refusal::SeveralCalled(SafeText::new("two").into_owned())),
            Whom::Word(word) => {
                let called = people.iter().find(|(name, _)| *name == word);
                let nobody = || Refusal::NobodyCalled(SafeText::new(word).into_owned());
                called.map(|&(_, luck)| key(luck)).ok_or_else(nobody)
            }
            Whom::Id(_) | Whom::Key(_) => Ok(key(9)),
        };
        let id = PeerId(BOB).to_string();
        for (word, text, name, rest) in [
            ("Ann", "Lee hi", "Ann Lee", "hi"),
            ("Ann", "Lee  hi\nLee", "Ann Lee", "hi\nLee"),
            ("bob", "Lee hi", "bob", "Lee hi"),
            ("Jean", "Luc du Bois is it you", "Jean Luc du Bois", "is it you"),
            ("Jo", "is here", "Jo", "is here"),
            (&id, "x y", &id, "x y"),
        ] {
            assert_eq!(addressed(word, text, find), Ok((name.to_owned(), rest)), "{word} {text}");
        }
        let several = addressed("Jo", "I know it", find);
        assert!(matches!(several, Err(Refusal::SeveralCalled(name)) if name.as_str() == "Jo I"));
        assert!(matches!(addressed("two", "x", find), Err(Refusal::SeveralCalled(_))));
        for (word, text) in [("Ann", "Lee"), ("Ann", "Lee \n"), ("Ann", "\nLee hi"), ("Lee", "hi")]
        {
            let nobody = addressed(word, text, find);
            assert!(matches!(nobody, Err(Refusal::NobodyCalled(name)) if name.as_str() == word));
        }
    }

    #[test]
    fn programs_say_who_in_one_way() {
        let (id, key) = (PeerId(BOB), PublicKey([0xab; 32]));
        assert_eq!(Whom::exact(&id.to_string()), Some(Whom::Id(id)));
        assert_eq!(Whom::exact(&key.to_string()), Some(Whom::Key(key)));
        let upper = id.to_string().to_uppercase();
        for text in ["", "bob", &id.to_string()[..12], &upper, &format!(" {id}"), "bob·k7f3"] {
            assert_eq!(Whom::exact(text), None, "{text}");
        }
    }
}
