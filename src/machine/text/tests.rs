use quickcheck::{Arbitrary, Gen};
use unicode_security::skeleton;

use super::*;

/// Characters that a rule is about, and innocent ones for them to act on.
const NASTY: &str = "\0\u{7}\t\n\n\r\u{1B}\u{7F}\u{80}\u{85}\u{9B}\u{AD}\u{34F}\u{61C}\u{115F}\
    \u{1160}\u{17B4}\u{180B}\u{180E}\u{200B}\u{200C}\u{200D}\u{200D}\u{200D}\u{200E}\u{200F}\
    \u{2028}\u{2029}\u{202A}\u{202D}\u{202E}\u{2060}\u{2065}\u{2066}\u{2069}\u{206A}\u{2800}\
    \u{3000}\u{3164}\u{A0}\u{FE00}\u{FE0E}\u{FE0F}\u{FE0F}\u{FEFF}\u{FFA0}\u{FFF9}\u{FFFB}\
    \u{FFFD}\u{FFFE}\u{FDD0}\u{13430}\u{1BCA0}\u{1D159}\u{1D173}\u{E0001}\u{E0041}\u{E007F}\
    \u{E0100}\u{10FFFF}\u{E000}\u{300}\u{301}\u{301}\u{301}\u{301}\u{336}\u{489}\u{E47}\u{20E3}\
    \u{103B}\u{1100}\u{1161}\u{11A8}\u{605}👩👩❤👧🔥🏽🏽🇬1#©  :/@*!>→aeéИमश中ﷺ\
    \u{2066}\u{2067}\u{2068}\u{2068}\u{2069}\u{2069}\u{200C}\u{94D}\u{93E}یमर\u{640}\u{1820}\u{180B}\u{180F}\u{180E}\
    \u{1F3F4}\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0031}\u{E007F}\u{E007F}ก\u{5E9}\u{5C1}\u{F40}\u{13000}\u{1BC00}\u{B}\u{C}";

/// A text of any characters, or one of [`NASTY`] alone.
#[derive(Clone, Debug)]
pub(crate) struct Hostile(pub(crate) String);

impl Arbitrary for Hostile {
    fn arbitrary(g: &mut Gen) -> Self {
        if bool::arbitrary(g) {
            return Self(String::arbitrary(g));
        }
        let alphabet: Vec<char> = NASTY.chars().collect();
        let length = usize::arbitrary(g) % 40;
        Self((0..length).filter_map(|_| g.choose(&alphabet)).collect())
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(self.0.shrink().map(Self))
    }
}

/// Tries a property often enough for rare neighbours to meet.
pub(crate) fn often(property: fn(Hostile) -> bool) {
    crate::machine::quickcheck().tests(20_000).quickcheck(property);
}

/// Default_Ignorable_Code_Point by another table: what no skeleton retains.
fn is_ignorable(c: char) -> bool {
    skeleton(c.encode_utf8(&mut [0; 4])).next().is_none()
}

/// What draws nothing and may stay somewhere.
fn may_stay_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{34F}' | '\u{61C}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2060}'
            | '\u{2066}'..='\u{2069}' | '\u{FE00}'..='\u{FE0F}' | '\u{13430}'..='\u{1343F}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}'
            | '\u{E007F}' | '\u{E0100}'..='\u{E01EF}'
    )
}

/// Whether nothing in `text` breaks the promise, checked without the tables of the rules.
fn is_harmless(text: &str) -> bool {
    text.split('\n').all(|line| {
        let (mut base, mut marks, mut unseen, mut open) = (None, 0, 0, 0);
        line.chars().all(|c| {
            let draws_nothing = is_ignorable(c) || is_bidi_control(c);
            match c {
                '\u{2066}'..='\u{2068}' => open += 1,
                '\u{2069}' => open -= 1,
                // In front of a number or an abbreviation.
                '\u{605}' | '\u{70F}' | '\u{890}' | '\u{891}' | '\u{8E2}' => unseen += 1,
                _ if draws_nothing => unseen += 1,
                _ if c != '\t' && c.width() == Some(0) => marks += 1,
                _ => (base, marks, unseen) = ((c != '\t').then_some(c), 0, 0),
            }
            let fine = match c {
                '\t' | '\u{605}' | '\u{70F}' | '\u{890}' | '\u{891}' | '\u{8E2}' => true,
                c if draws_nothing => may_stay_unseen(c),
                c if c.is_control() => false,
                '\u{2028}'..='\u{202E}' | '\u{FFF9}'..='\u{FFFB}' | '\u{FFFE}'..='\u{FFFF}' => {
                    false
                }
                c => c.width() != Some(0) || base.is_some(),
            };
            let tibetan =
                base.is_some_and(|c| matches!(c, '\u{591}'..='\u{5F4}' | '\u{F00}'..='\u{FFF}'));
            // The longest is the name of a flag: six tags and an end, a selector not among them.
            fine && marks <= if tibetan { 8 } else { 4 } && unseen <= 12 && (0..=8).contains(&open)
        }) && open == 0
    })
}

#[test]
fn nothing_harmful_is_left() {
    often(|Hostile(text)| is_harmless(&sanitize(&text)));
}

#[test]
fn every_character_alone_and_between_others() {
    for c in '\0'..=char::MAX {
        for text in [format!("{c}"), format!("a{c}b"), format!("👩{c}👧"), format!("\n{c}{c}")]
        {
            let clean = sanitize(&text);
            assert!(is_harmless(&clean), "{text:?} gives {clean:?}");
            assert_eq!(sanitize(&clean), clean, "{text:?}");
        }
        // Between two letters of a script that needs none of it, these alone stay.
        let stays = matches!(sanitize(&format!("a{c}b")), Cow::Borrowed(_));
        let direction = matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | WJ);
        let may_stay = !is_ignorable(c) && (matches!(c, '\t' | '\n') || !c.is_control());
        assert!(may_stay || !stays || direction, "{c:?}");
    }
}

#[test]
fn sanitising_twice_changes_nothing_more() {
    often(|Hostile(text)| {
        let once = sanitize(&text);
        matches!(sanitize(&once), Cow::Borrowed(twice) if twice == once)
    });
}

#[test]
fn only_a_change_is_copied() {
    often(|Hostile(text)| matches!(sanitize(&text), Cow::Borrowed(_)) == (sanitize(&text) == text));
}

#[test]
fn growth_has_a_bound() {
    often(|Hostile(text)| sanitize(&text).len() <= GROWTH_MAX * text.len());
    assert_eq!(sanitize(&"\x1B".repeat(9)).len(), GROWTH_MAX * 9, "the bound is reached");
}

#[test]
fn into_a_buffer_is_the_same_and_allocates_nothing() {
    often(|Hostile(text)| {
        let mut out = String::with_capacity(1 + GROWTH_MAX * text.len());
        out.push('>');
        let before = out.capacity();
        sanitize_into(&text, &mut out);
        out[1..] == sanitize(&text) && before == out.capacity()
    });
}

#[test]
fn plain_text_is_found_by_blocks() {
    for length in 0..100 {
        for dirt in 0..length {
            let mut text = "a".repeat(length);
            assert_eq!(sanitize(&text), text);
            text.replace_range(dirt..=dirt, "\x1B");
            assert_eq!(sanitize(&text), text.replace('\x1B', "␛"));
        }
    }
}

#[track_caller]
fn becomes(text: &str, clean: &str) {
    assert_eq!(sanitize(text), clean, "{text:?}");
}

#[track_caller]
fn stays(text: &str) {
    assert!(matches!(sanitize(text), Cow::Borrowed(_)), "{text:?} gives {:?}", sanitize(text));
}

/// The line that was measured on other chat programs; each let some of it through.
#[test]
fn one_hostile_line() {
    becomes(
        "\x1B[31mred\x1B]0;title\x07 \u{9B}31m \u{202E}txt.exe a\u{200B}b\u{FEFF}c\u{AD}d \x7F \
         \x1B]52;c;aGk=\x07 \x1B]8;;http://evil\x1B\\here\x1B]8;;\x1B\\ one\u{2028}two",
        "␛[31mred␛]0;title␇ \u{FFFD}31m \u{FFFD}txt.exe abcd ␡ \
         ␛]52;c;aGk=␇ ␛]8;;http://evil␛\\here␛]8;;␛\\ one\ntwo",
    );
}

#[test]
fn lines_and_tabs() {
    becomes("a\tb\nc\r\nd\re\u{85}f\u{2029}g\u{2028}h", "a\tb\nc\nd\ne\nf\ng\nh");
    becomes("10%\r20%\r100%", "10%\n20%\n100%");
    becomes("\r\r\n\n\r", "\n\n\n\n");
    becomes("a\x0Bb\x0Cc", "a\nb\nc");
    becomes("\0\x1F\x08", "␀␟␈");
}

/// Each row is a text, what it becomes, and why.
#[test]
fn direction() {
    for (text, clean, why) in [
        ("שלום\u{200F}!", "שלום\u{200F}!", "a mark stays"),
        ("\u{200E}+98 21", "\u{200E}+98 21", "also at the beginning"),
        ("سلام\u{61C}1-2", "سلام\u{61C}1-2", "the Arabic one, too"),
        ("a\u{200F}\u{200F}\u{200F}b", "a\u{200F}b", "twice says no more than once"),
        ("\u{2068}Ali\u{2069} said", "\u{2068}Ali\u{2069} said", "closed"),
        (
            "\u{2066}a \u{2067}ב\u{2069} c\u{2069}",
            "\u{2066}a \u{2067}ב\u{2069} c\u{2069}",
            "in another",
        ),
        ("\u{2068}Ali", "Ali", "not closed"),
        ("Ali\u{2069}", "Ali", "not opened"),
        ("\u{2067}\u{2068}Ali\u{2069}", "\u{2068}Ali\u{2069}", "the inner one is closed"),
        ("\u{2068}a\nb\u{2069}", "a\nb", "a line is a paragraph"),
        ("\u{2068}a\rb\u{2069}", "a\nb", "however it ends"),
        ("\u{2069}\u{2068}a\u{2069}\u{2068}", "\u{2068}a\u{2069}", "one after the other"),
        ("\u{202A}a \u{202B}b\u{202C}", "\u{FFFD}a \u{FFFD}b\u{FFFD}", "embeddings"),
        ("\u{202D}a \u{202E}b\u{202C}", "\u{FFFD}a \u{FFFD}b\u{FFFD}", "overrides"),
        ("\u{2068}\u{202E}x\u{2069}", "\u{2068}\u{FFFD}x\u{2069}", "overrides in an isolate"),
        ("\u{206A}a\u{206F}", "a", "deprecated"),
    ] {
        assert_eq!(sanitize(text), clean, "{why}");
    }
    let nested = |depth| format!("{}x{}", "\u{2068}".repeat(depth), "\u{2069}".repeat(depth));
    becomes(&nested(8), &nested(8));
    becomes(&nested(300), &nested(8));
    becomes(&format!("{}\u{2069}", "\u{2067}".repeat(8)), "\u{2067}\u{2069}");
}

/// Joiners, by script: where they say how letters are written, they stay.
#[test]
fn joiners_in_letters() {
    for (script, text) in [
        ("Arabic: Persian", "می\u{200C}خواهم، خانه\u{200C}ها، علی\u{200C}رضا"),
        ("Arabic: the initial form of an abbreviation", "۱۴۰۲ ه\u{200D} ش"),
        ("Arabic: the final form", "\u{200D}ه"),
        ("Arabic: Urdu, with marks", "بے\u{200C}شَک"),
        ("Arabic: Kurdish", "نە\u{200C}دەهات"),
        ("Syriac", "ܫ\u{200C}ܠܡܐ"),
        ("Syriac: an abbreviation, which its mark begins", "\u{70F}ܬܫܥ ܩܕܡ \u{70F}ܫܪ"),
        ("Arabic: a number, and a sum of money", "\u{605}۱۲۳ \u{890}٢٥"),
        ("N'Ko", "ߒߞ\u{200D} ߏ"),
        ("Adlam", "𞤀𞤣\u{200C}𞤤𞤢𞤥"),
        ("Mongolian", "ᠰᠠᠷ\u{180E}ᠠ ᠠ\u{180B}ᠨ ᠢ\u{180C} ᠭ\u{180D} ᠠ\u{180F} ᠨ\u{200D}"),
        ("Devanagari", "क्\u{200D}ष क्\u{200C}ष र\u{94D}\u{200D}य श्रीमान्\u{200C}को"),
        ("Bengali", "র\u{200D}\u{9CD}যাব হ্\u{200C}ম"),
        ("Gurmukhi", "ਕ੍\u{200D}ਸ਼"),
        ("Gujarati", "ક્\u{200C}ષ"),
        ("Oriya", "କ୍\u{200C}ଷ"),
        ("Tamil", "க்\u{200C}ஷ"),
        ("Telugu", "న్\u{200C}కో"),
        ("Kannada", "ರ\u{200D}\u{CCD}ಕ"),
        ("Malayalam", "അവന്\u{200D} ന്\u{200C}റ"),
        ("Sinhala", "ශ්\u{200D}රී ලංකා ක\u{200D}\u{DCA}ෂ"),
        ("Khmer", "ភ\u{17CA}\u{200C}ា"),
        ("Thai: where a row may end", "ภาษา\u{200B}ไทย"),
        ("Khmer: where a row may end", "ភាសា\u{200B}ខ្មែរ"),
        ("Burmese: where a row may end, a dotted form", "မြန်မာ\u{200B}စာ က\u{FE00}"),
        ("Hebrew: the order of marks", "יְרוּשָׁלַ\u{34F}ִם בְּרֵאשִׁ֖ית"),
        ("Han: variants of ideographs", "葛\u{E0100}城市 辻\u{E0101}さん 神\u{FE00} 、\u{FE01}"),
        ("Phags-pa", "ꡖ\u{FE00}"),
        ("Egyptian", "𓀀\u{13430}𓀁\u{13431}"),
        ("Duployan", "\u{1BC02}\u{1BCA1}"),
        ("mathematics", "∩\u{FE00} 0\u{FE00}"),
        ("no end of a row", "1\u{2060}/\u{2060}2"),
    ] {
        assert!(matches!(sanitize(text), Cow::Borrowed(_)), "{script}: {:?}", sanitize(text));
    }
    for (why, text, clean) in [
        ("Latin letters do not join", "ad\u{200D}min a\u{200C}b", "admin ab"),
        (
            "nor Cyrillic, Greek, Hebrew, Han ones",
            "д\u{200C}а α\u{200D}β ש\u{200C}ל 中\u{200D}文",
            "да αβ של 中文",
        ),
        ("once is enough", "می\u{200C}\u{200C}\u{200C}خ", "می\u{200C}خ"),
        (
            "many of them",
            &format!("ی{}خ", "\u{200C}\u{200D}".repeat(50)),
            "ی\u{200C}\u{200D}\u{200C}\u{200D}خ",
        ),
        ("Latin words have spaces", "a\u{200B}b 中\u{200B}文", "ab 中文"),
        ("no row begins with it", "\u{2060}a \u{2060}b", "a b"),
        ("a separator separates", "ᠠ\u{180E} a\u{180E}ᠠ", "ᠠ aᠠ"),
        ("a selector selects", "a\u{180B}b\u{FE00}c\u{E0100}д\u{FE0F}", "abcд"),
        ("one of them", "葛\u{E0100}\u{E0101}", "葛\u{E0100}"),
        (
            "Hangul fillers, soft hyphens, annotations",
            "\u{3164}\u{115F}\u{FFA0}a\u{AD}b\u{FFF9}c\u{17B4}",
            "abc",
        ),
        ("a byte order mark", "\u{FEFF}x\u{FEFF}", "x"),
    ] {
        assert_eq!(sanitize(text), clean, "{why}");
    }
}

/// Emoji, by construction (UTS 51).
#[test]
fn emoji_of_every_construction() {
    for (construction, text) in [
        ("one character", "😀 ⌚ 🫨"),
        ("presentation (ED-9a)", "❤\u{FE0F} ☎\u{FE0E} ©\u{FE0F} ‼\u{FE0F} 〰\u{FE0F} ㊗\u{FE0F}"),
        ("skin tone (ED-13)", "👍🏻 👍🏼 👍🏽 👍🏾 👍🏿 ☝🏽"),
        ("keycap (ED-14c)", "1\u{FE0F}\u{20E3} #\u{FE0F}\u{20E3} *\u{FE0F}\u{20E3} 0\u{20E3}"),
        ("flag (ED-14)", "🇬🇷🇧🇷 🇺🇳"),
        ("England, Scotland, Wales (ED-14a)", ENGLAND),
        ("another part of a country", "🏴\u{E0075}\u{E0073}\u{E0074}\u{E0078}\u{E007F}"),
        ("family (ED-16)", "👨\u{200D}👩\u{200D}👧\u{200D}👦 👩\u{200D}👦"),
        ("couple with tones", "👩🏽\u{200D}❤\u{FE0F}\u{200D}💋\u{200D}👨🏿 🧑🏻\u{200D}🤝\u{200D}🧑🏿"),
        ("role", "👩🏾\u{200D}💻 🧑\u{200D}🚀 👩\u{200D}⚕\u{FE0F} 👨\u{200D}✈\u{FE0F}"),
        ("gender", "🏃🏽\u{200D}♀\u{FE0F} ⛹\u{FE0F}\u{200D}♂\u{FE0F} 🤷\u{200D}♀"),
        ("hair", "👨🏼\u{200D}🦰 🧑\u{200D}🦲"),
        ("direction", "🏃\u{200D}♀\u{FE0F}\u{200D}➡\u{FE0F} 🙂\u{200D}↔\u{FE0F}"),
        ("colour", "🐈\u{200D}⬛ 🐦\u{200D}🔥 🍋\u{200D}🟩 ❤\u{FE0F}\u{200D}🔥"),
        (
            "flags that are joined",
            "🏳\u{FE0F}\u{200D}🌈 🏴\u{200D}☠\u{FE0F} 🏳\u{FE0F}\u{200D}⚧\u{FE0F}",
        ),
        ("eye in a bubble", "👁\u{FE0F}\u{200D}🗨\u{FE0F}"),
    ] {
        assert!(matches!(sanitize(text), Cow::Borrowed(_)), "{construction}: {:?}", sanitize(text));
    }
    for (why, text, clean) in [
        ("nothing to join", "👩\u{200D} 👩\u{200D}x \u{200D}👩", "👩 👩x 👩"),
        ("joined twice", "👩\u{200D}\u{200D}👧 👩\u{200B}\u{200D}👧", "👩\u{200D}👧 👩\u{200D}👧"),
        ("a chain", &["👩"; 5].join("\u{200D}"), "👩\u{200D}👩\u{200D}👩\u{200D}👩👩"),
        ("selected twice", "❤\u{FE0F}\u{FE0F} ❤\u{FE0F}\u{FE0E}", "❤\u{FE0F} ❤\u{FE0F}"),
        (
            "tags without a flag",
            "a\u{E0067}\u{E0062}\u{E0065}\u{E007F} 👩\u{E0067}\u{E0062}\u{E007F}",
            "a 👩",
        ),
        ("tags without an end", "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}!", "🏴!"),
        ("an end without tags", "🏴\u{E007F} 🏴\u{E0067}\u{E007F}", "🏴 🏴"),
        ("too many tags", &format!("🏴{}\u{E007F}", "\u{E0061}".repeat(7)), "🏴"),
        ("digits and no country", "🏴\u{E0031}\u{E0032}\u{E0033}\u{E007F}", "🏴"),
        ("capitals and blanks", "🏴\u{E0047}\u{E0042}\u{E0020}\u{E007F}", "🏴"),
        (
            "a flag is selected before its tags",
            &format!("{}\u{FE0F}", &ENGLAND[..28]),
            &ENGLAND[..28],
        ),
    ] {
        assert_eq!(sanitize(text), clean, "{why}");
    }
}

const ENGLAND: &str = "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F} \
    🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F} \
    🏴\u{E0067}\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}";

#[test]
fn marks_need_a_base_and_stack_up_to_four() {
    becomes(&format!("e{}", "\u{301}".repeat(9)), &format!("e{}", "\u{301}".repeat(4)));
    becomes(&format!("ก{}", "\u{E47}".repeat(9)), &format!("ก{}", "\u{E47}".repeat(4)));
    becomes(&format!("ཀ{}", "\u{F90}".repeat(9)), &format!("ཀ{}", "\u{F90}".repeat(8)));
    becomes("\u{336}x\n\u{336}y\t\u{336}z", "x\ny\tz");
    becomes("e\u{301}\u{200B}\u{301}\u{301}\u{301}\u{301}", "e\u{301}\u{301}\u{301}\u{301}");
    stays("ཧྐྵྨླྺྼྻྂ בְּרֵאשִׁ֖ית שָּֽׁ֖");
}

#[test]
fn what_people_write_stays() {
    for text in [
        "",
        "plain ~ text\nwith two lines\tand a tab",
        "Größe, żółw, Trần Hưng Đạo, e\u{301}, Iñtërnâtiônàl",
        "Здравствуйте, Καλημέρα, שָׁלוֹם, مَرْحَبًا, ﷺ \u{6DD}",
        "नमस्ते क्षत्रिय, ဘာဖြစ်လို့ မျှော်လင့်ချက်, ภาษาไทยที่นี่, བོད་ཡིག, வணக்கம்",
        "漢字 かな 한국어 \u{1112}\u{1161}\u{11AB} ガ カ\u{3099}",
        "ជំរាបសួរ ສະບາຍດີ გამარჯობა Բարև ሰላም Ꮳꮃꭹ ᐊᐃ ᠮᠣᠩᠭᠣᠯ ދިވެހި",
        "no\u{A0}break\u{202F}at\u{2007}all\u{2011}here \u{3000}",
    ] {
        stays(text);
    }
}

/// What is typed next gives a meaning to what has none yet.
#[test]
fn a_draft_waits_for_what_follows() {
    let family = "👨\u{200D}👩\u{200D}👧\u{200D}👦";
    for whole in [
        family,
        "می\u{200C}خواهم",
        &ENGLAND[..28],
        "\u{200D}ه",
        "र\u{94D}\u{200D}य",
        "👩🏽\u{200D}💻",
    ] {
        let mut draft = String::new();
        for c in whole.chars() {
            draft.push(c);
            assert_eq!(sanitize_draft(&draft, draft.len()), None, "{draft:?}");
        }
        stays(&draft);
    }
    let dropped = |text: &str, at| sanitize_draft(text, at);
    assert_eq!(dropped("👨\u{200D}x", 8), Some(("👨x".to_owned(), 5)), "it came to nothing");
    assert_eq!(dropped("👨\u{200D}x", 7), None, "at the cursor");
    assert_eq!(dropped("👨\u{200D}x", 0), Some(("👨x".to_owned(), 0)));
    assert_eq!(dropped("a\x1Bb", 2), Some(("a␛b".to_owned(), 4)));
    assert_eq!(dropped("a\x1Bb", 1), Some(("a␛b".to_owned(), 1)));
    assert_eq!(dropped("\u{200B}\u{200B}ab", 7), Some(("ab".to_owned(), 1)));
    assert_eq!(dropped(&ENGLAND[..12], 12), None);
    assert_eq!(dropped(&ENGLAND[..12], 8), Some(("🏴".to_owned(), 4)));
}

/// However many isolates are open, each is looked at a bounded number of times.
#[test]
fn a_text_of_nothing_but_beginnings_takes_no_longer() {
    let long = "\u{2067}".repeat(200_000) + "x\u{2069}";
    becomes(&long, "x");
    let lines = "\u{2067}\n".repeat(100_000);
    becomes(&lines, &"\n".repeat(100_000));
}

#[test]
fn blank() {
    assert!(SafeText::new("").is_blank());
    assert!(SafeText::new("\u{301} \t\u{A0}\u{3000}\u{2800}\u{200B}\u{FE0F}\n\u{301}").is_blank());
    assert!(!SafeText::new(" . ").is_blank());
    assert!(!SafeText::new(" \u{301}").is_blank(), "an accent on a space can be seen");
    assert!(!SafeText::new("\x1B").is_blank(), "a picture can be seen");
    for text in [
        "\u{200F}",
        "\u{200E} \u{61C}",
        "\u{2068}\u{2069}",
        "\r\t\u{200D}",
        "\u{2068} \u{200F}\u{2069}",
    ] {
        assert!(SafeText::new(text).is_blank(), "{text:?}");
    }
}

#[test]
fn safe_text_is_the_sanitised_text() {
    let safe = SafeText::new("a\rb");
    assert_eq!((safe.as_str(), safe.to_string()), ("a\nb", "a\nb".to_owned()));
    assert_eq!(SafeText::trusted("a\nb"), safe);
    assert_eq!(safe.clone().into_owned(), safe);
}

#[test]
#[should_panic(expected = "never sanitised")]
#[cfg(debug_assertions)]
fn trust_is_checked() {
    let _ = SafeText::trusted("\x1B[31m");
}
