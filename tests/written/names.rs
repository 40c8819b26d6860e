//! What a name may hold, in many scripts, and which names can be taken for each other. A name is known by
//! its bytes; what stands before them is for people.

use std::collections::BTreeSet;

use chatrpc::machine::{Name, NameError};

use crate::cast::hex;
use crate::vectors::object;

/// What is written there and in which script, and the name.
const GOOD: [(&str, &str); 48] = [
    ("Latin", "alice"),
    ("Latin, one letter", "x"),
    ("Latin, 24 columns", "abcdefghijklmnopqrstuvwx"),
    ("Latin, composed", "Jos\u{E9}"),
    ("Latin, a mark without a composed form", "q\u{331}oe"),
    ("Latin, Vietnamese", "Nguy\u{1EC5}n Th\u{1ECB} H\u{1B0}\u{1A1}ng"),
    ("Latin, Turkish", "\u{130}pek I\u{15F}\u{131}k"),
    ("Latin, an apostrophe and a hyphen", "Jean-Luc O'Neill"),
    ("Latin, a colon within a word", "irc:bob"),
    ("Latin, a bracket", "Bob (work)"),
    ("Latin, a dot within a word", "Gal\u{B7}la"),
    ("Latin, a word of the program with more behind it", "errors"),
    ("Latin, plus signs at the end", "C++"),
    ("Latin, a click letter", "\u{1C3}X\u{F3}\u{F5}"),
    ("Greek", "Γιώργος Παπαδόπουλος"),
    ("Cyrillic", "Борис"),
    ("Cyrillic, a composed letter", "\u{401}жик"),
    ("Armenian", "Արամ"),
    ("Georgian", "ნინო"),
    ("Hebrew, with points", "דָּוִד"),
    ("Hebrew, with a maqaf", "אברהם בן־דוד"),
    ("Arabic", "محمد"),
    ("Arabic, with vowels", "عَبْدُ الله"),
    ("Arabic, Persian with a non-joiner between letters", "علی\u{200C}رضا"),
    ("Syriac", "ܝܘܚܢܢ"),
    ("Thaana", "އަހްމަދު"),
    ("Devanagari", "प्रियंका चतुर्वेदी"),
    ("Devanagari, visarga at the end", "रामः"),
    ("Devanagari, a joiner behind a virama", "क\u{94D}\u{200D}ष"),
    ("Bengali", "রবীন্দ্রনাথ"),
    ("Tamil", "நிலா"),
    ("Malayalam", "അമ്മു"),
    ("Sinhala, a joiner behind a virama", "ශ\u{DCA}\u{200D}රී"),
    ("Thai", "ประยุทธ์ จันทร์โอชา"),
    ("Lao", "ສົມໄຊ"),
    ("Tibetan, many marks on a letter", "བསྒྲུབས"),
    ("Myanmar", "မျှော်"),
    ("Khmer", "សុខា"),
    ("Mongolian, a variation selector", "ᠮᠣᠩᠭᠣᠯ\u{180B}"),
    ("Ethiopic", "ዳዊት"),
    ("Han, twelve of two columns", "漢漢漢漢漢漢漢漢漢漢漢漢"),
    ("Han, a variation selector", "葛\u{E0100}城"),
    ("Katakana, a dot within a word", "ジョン・スミス"),
    ("Hangul", "김철수"),
    ("emoji", "🔥bob🔥"),
    ("emoji, with the selector of pictures", "I ❤\u{FE0F} me"),
    ("emoji, four joined", "👩\u{200D}👩\u{200D}👧\u{200D}👧"),
    ("emoji, the flag of Wales", "🏴\u{E0067}\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}"),
];

/// The same of what is refused, for each rule.
const BAD: [(&str, &[(&str, &str)]); 8] = [
    (
        "form",
        &[
            ("Latin, a blank in front", " alice"),
            ("Latin, a blank behind", "alice "),
            ("Latin, two blanks", "al  ice"),
            ("Latin, a blank that does not break", "al\u{A0}ice"),
            ("Latin, not composed", "Jose\u{301}"),
            ("Hangul, not composed", "\u{1100}\u{1161}"),
            ("Devanagari, composed though NFC takes it apart", "\u{958}म"),
            ("Han, an ideographic blank", "李\u{3000}小龍"),
            ("Braille, its blank", "a\u{2800}b"),
        ],
    ),
    ("empty", &[("nothing", "")]),
    (
        "character",
        &[
            ("Latin, a line end", "al\nice"),
            ("Latin, a tab", "al\tice"),
            ("Latin, an escape sequence", "al\u{1B}[31m"),
            ("Latin, a control of C1", "al\u{9B}ice"),
            ("Latin, a line separator", "al\u{2028}ice"),
            ("Latin, an override of direction", "\u{202E}ecila"),
            ("Latin, a mark of direction", "alice\u{200E}"),
            ("Latin, an isolate", "\u{2066}x"),
            ("Latin, a blank without width", "al\u{200B}ice"),
            ("Latin, a joiner that joins nothing", "al\u{200D}ice"),
            ("Latin, a soft hyphen", "al\u{AD}ice"),
            ("Latin, a variation selector", "a\u{FE0F}"),
            ("Latin, tags", "al\u{E0041}ice"),
            ("Latin, five marks on a letter", "q\u{331}\u{331}\u{331}\u{331}\u{331}"),
            ("a mark on nothing", "\u{301}alice"),
            ("private use", "\u{E0B0}bob"),
            ("a noncharacter", "\u{FDD0}bob"),
            ("Hangul, its filler", "\u{3164}"),
            ("Arabic, a non-joiner at the end", "علی\u{200C}"),
            ("Devanagari, a joiner before a vowel sign", "क\u{94D}\u{200D}\u{93E}"),
            ("emoji, five joined", "👩\u{200D}👩\u{200D}👧\u{200D}👧\u{200D}👧"),
            ("emoji, a flag that is none", "🏴\u{E0067}\u{E0062}\u{E007F}"),
        ],
    ),
    (
        "long",
        &[
            ("Latin, 25 columns", "abcdefghijklmnopqrstuvwxy"),
            ("Han, 13 of two columns", "漢漢漢漢漢漢漢漢漢漢漢漢漢"),
            (
                "Latin, 11 columns and 99 bytes",
                "z\u{331}\u{331}\u{331}\u{331}z\u{331}\u{331}\u{331}\u{331}z\u{331}\u{331}\u{331}\u{331}\
                 z\u{331}\u{331}\u{331}\u{331}z\u{331}\u{331}\u{331}\u{331}z\u{331}\u{331}\u{331}\u{331}\
                 z\u{331}\u{331}\u{331}\u{331}z\u{331}\u{331}\u{331}\u{331}z\u{331}\u{331}\u{331}\u{331}\
                 z\u{331}\u{331}\u{331}\u{331}z\u{331}\u{331}\u{331}\u{331}",
            ),
        ],
    ),
    (
        "colon",
        &[
            ("Latin, at the end", "alice:"),
            ("Latin, before a blank", "alice: hi"),
            ("Latin, of full width", "alice："),
            ("Latin, a ratio", "alice∶ hi"),
            ("Latin, the length mark of phonetic alphabets", "alice\u{2D0} hi"),
            ("Hebrew, sof pasuq", "דוד׃"),
            ("Cyrillic", "Борис: да"),
        ],
    ),
    (
        "number",
        &[
            ("Latin", "2024"),
            ("Arabic", "٣٤"),
            ("Devanagari", "१२"),
            ("Thai", "๑๒"),
            ("a fraction", "½"),
            ("Roman", "Ⅻ"),
        ],
    ),
    (
        "beginning",
        &[
            ("Latin, a command", "/quit"),
            ("Latin, of full width", "＠bob"),
            ("Latin, a glyph of the gutter", "»bob"),
            ("Latin, a star", "★ bob"),
            ("Latin, what the program says", "Error"),
            ("Cyrillic and Latin, what looks like it", "еrrоr"),
            ("Greek, what looks like it", "ΝΟΤΕ"),
            ("Han, behind a quotation mark", "《李》"),
        ],
    ),
    (
        "mark",
        &[
            ("Latin, an arrow", "bob → carol"),
            ("Latin, a tick", "bob✓"),
            ("Latin, a box", "bob│carol"),
            ("Latin, an ellipsis", "alic…"),
            ("Latin, a comma", "mallory, alice"),
            ("Arabic, a comma", "علی،"),
            ("Han, a comma", "李、 小龍"),
            ("Latin, a lonely sign", "alice + carol"),
            ("Latin, a tilde at the end", "alic~"),
            ("Latin, two dots at the end", "alic.."),
            ("Latin, who one is", "ana (you)"),
            ("Latin and Cyrillic, what looks like it", "ana (yоu)"),
            ("Han, brackets of full width", "李（left）"),
            ("Latin, what happens", "bob has left"),
            ("Latin, a count", "bob 12 ms"),
            ("Latin, a count in front", "3 unsent"),
            ("emoji, a lamp of the list of people", "bob 🟢"),
        ],
    ),
];

/// Two names, and whether one could be taken for the other.
const LOOKS: [(&str, &str, bool); 20] = [
    ("Alice", "alice", true),
    ("аlice", "alice", true),
    ("ΑLICE", "alice", true),
    ("aIice", "Alice", true),
    ("Ian", "Lan", true),
    ("раураl", "paypal", true),
    ("b0b", "bob", true),
    ("rnark", "Mark", true),
    ("ΝΙΚΟΣ", "νικος", true),
    ("STRASSE", "straße", true),
    ("𝐛𝐨𝐛", "bob", true),
    ("❤\u{FE0F}", "❤", true),
    ("ian", "lan", false),
    ("José", "Jose", false),
    ("Борис", "Boris", false),
    ("Νίκος", "Nikos", false),
    ("al ice", "alice", false),
    ("محمد", "محمود", false),
    ("राम", "रमा", false),
    ("李", "季", false),
];

/// The first rule that a name breaks, in the order of docs/PROTOCOL.md.
fn refusal(text: &str) -> &'static str {
    match Name::parse(text) {
        Ok(name) if name.as_str() == text => "nothing",
        Ok(_) => "form",
        Err(NameError::Empty) => "empty",
        Err(NameError::Control) => "character",
        Err(NameError::TooLong { .. }) => "long",
        Err(NameError::Colon) => "colon",
        Err(NameError::Number) => "number",
        Err(NameError::Prefix) => "beginning",
        Err(NameError::Mark) => "mark",
    }
}

pub(crate) fn names(out: &mut String) {
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    let good = ("nothing", &GOOD[..]);
    for (rule, list) in [good].into_iter().chain(BAD) {
        for &(what, text) in list {
            assert!(seen.insert(text), "{what} stands there twice");
            if refusal(text) != rule {
                wrong.push(format!("{what}: {text:?} is refused by {}, not {rule}", refusal(text)));
            }
            let pairs = [("name", what), ("bytes", &hex(text.as_bytes())), ("refused", rule)];
            object(&pairs.map(|(name, text)| (name, text.to_owned())), out);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Every script has good ones, and most have bad ones.
    let scripts = |list: &[(&'static str, &str)]| -> BTreeSet<&'static str> {
        let script = |(what, _): &(&'static str, &str)| what.split(',').next().unwrap_or_default();
        list.iter().map(script).collect()
    };
    let bad: BTreeSet<&str> = BAD.iter().flat_map(|(_, list)| scripts(list)).collect();
    assert!(scripts(&GOOD).len() >= 20 && bad.len() >= 10, "{bad:?}");
}

pub(crate) fn looks(out: &mut String) {
    for (one, other, alike) in LOOKS {
        let [name, second] = [one, other].map(|text| Name::parse(text).expect(text));
        assert_eq!([name.as_str(), second.as_str()], [one, other], "they are in their form");
        assert_eq!(name.look().is_like(&second.look()), alike, "{one} {other}");
        assert_eq!(second.look().is_like(&name.look()), alike, "{other} {one}");
        let alike = if alike { "yes" } else { "no" };
        let pairs = [
            ("name", format!("{one} and {other}")),
            ("bytes", hex(one.as_bytes())),
            ("bytes of the other", hex(other.as_bytes())),
            ("alike", alike.to_owned()),
        ];
        object(&pairs, out);
    }
}
