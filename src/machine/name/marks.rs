//! What the program itself writes beside names, on the screen, in lines and in the log of a chat: a name
//! has none of it, nor anything that passes for it (docs/PROTOCOL.md, "Primitives").
//!
//! | what | where it is written |
//! |---|---|
//! | arrows, ticks, crosses, dots, stars | the gutter, the list of people, `alice → bob` |
//! | bars and boxes, three dots, pictures of controls | frames and rules, what is cut off, what was cleaned |
//! | `(you)`, `(left)`, `(timeout)` and the like | behind a name |
//! | `, `, `12 ms`, `and 3 more` | between names and behind them |
//! | `has left`, `is now called` | what happened |
//! | `here: `, `error: ` | what the program says, as `name: text` is what people say |
//!
//! Labels (`bob·k7f3`) are not in here: a dot stands in many a name. Whoever has one is shown with
//! their id.

use super::{is_dot, looks, readings, spelled};

/// What a name may not begin with, nor with a symbol that looks the same, since a line `name: text`
/// would then begin as these do:
///
/// - `/`: a command, when somebody copies the line;
/// - `@`: an address, and the glyph of a private message;
/// - `*`: a notice of line mode (`* bob has left`), and what somebody does (`/me`);
/// - `!`: a notice;
/// - `>`: the prompt;
/// - the rest: the glyphs of the gutter that are no signs wherever they stand.
const LINE_STARTS: &str = "/@*!>±»·";

/// What stands before the colon of a line of the program's own (`error: no nodeset answered`), or
/// behind it in the place of names.
const LINE_WORDS: [&str; 9] = [
    "error",
    "note",
    "warning",
    "usage",
    "here",
    "not here",
    "leaving",
    "others join with",
    "nobody else yet",
];

/// What no word consists of: separators of the program, and the gutter where there is only ASCII.
const LONELY: &str = "+-~=|¦<>.?·ー";

/// The words behind an opening bracket that say how somebody is, or why they went.
const STATES: [&str; 23] = [
    "you",
    "left",
    "quit",
    "timeout",
    "replaced",
    "late",
    "lost",
    "gone",
    "away",
    "before",
    "private",
    "trusted",
    "verified",
    "unsent",
    "online",
    "offline",
    "open",
    "suspended",
    "alone",
    "hidden",
    "ignored",
    "silent",
    "does",
];

/// Words in the middle of what the program says of people.
const PHRASES: [&str; 13] = [
    "has entered",
    "has left",
    "entered the chat",
    "left the chat",
    "is now called",
    "came and went",
    "came back",
    "look the same",
    "is remembered",
    "not remembered",
    "does not read",
    "reads again",
    "has another key",
];

/// What stands behind a number that the program counts with.
const COUNTED: [&str; 7] = ["ms", "more", "others", "new", "unsent", "missing", "people"];

/// Whether the first character, or the whole, is that of a line of the program's own. `read` is how the
/// name is read.
pub(super) fn begins_like_a_line(name: &str, read: &[String]) -> bool {
    let starts = |c: char| is_start(c) || LINE_STARTS.contains(c) || LINE_STARTS.contains(looks(c));
    name.chars().next().is_some_and(starts)
        || LINE_WORDS.iter().any(|word| read.iter().any(|name| reads(name, word)))
}

/// Whether there is anything in the name that the program itself writes beside names.
pub(super) fn has_mark(name: &str, read: &[String]) -> bool {
    let last = |part: &str| part.chars().next_back();
    name.chars().any(is_sign)
        || name.split(' ').any(|word| is_lonely(word) || last(word).is_some_and(is_comma))
        || last(name).is_some_and(|c| looks(c) == '~')
        || name.ends_with("..")
        || has_state(name)
        || read.iter().any(|reading| has_phrase(reading))
        || has_count(name)
}

/// Whether something is read as that word.
fn reads(spelled: &str, word: &str) -> bool {
    let mut rest = spelled.chars();
    word.chars().all(|c| match c {
        'm' => rest.next() == Some('r') && rest.next() == Some('n'),
        _ => rest.next() == Some(c),
    }) && rest.next().is_none()
}

fn is_lonely(word: &str) -> bool {
    let lonely = |c: char| LONELY.contains(c) || LONELY.contains(looks(c)) || is_dot(c);
    word.chars().all(lonely)
}

/// People stand in a row with commas between them.
fn is_comma(c: char) -> bool {
    looks(c) == ',' || matches!(c, '\u{60C}' | '\u{3001}' | '\u{FE11}' | '\u{FE51}' | '\u{FF64}')
}

/// Whether a bracket opens before a word that says how somebody is: `ana (you)`, `bob [left 9:05]`.
fn has_state(name: &str) -> bool {
    let mut rest = name;
    while let Some(at) = rest.find(is_bracket) {
        let behind = rest[at..].trim_start_matches(|c: char| !c.is_alphanumeric());
        let end = behind.find(|c: char| !c.is_alphanumeric()).unwrap_or(behind.len());
        let word = readings(&behind[..end]).map(|reading| spelled(&reading));
        if STATES.iter().any(|state| word.iter().any(|word| reads(word, state))) {
            return true;
        }
        rest = behind;
    }
    false
}

/// Whether a reading has in it what the program says of people.
fn has_phrase(reading: &str) -> bool {
    let words: Vec<&str> = reading.split(' ').map(|word| word.trim_end_matches('!')).collect();
    let is_said = |phrase: &&str| {
        let len = phrase.split(' ').count();
        let same = |some: &[&str]| {
            some.iter().zip(phrase.split(' ')).all(|(word, said)| reads(word, said))
        };
        words.windows(len).any(same)
    };
    PHRASES.iter().any(is_said) || words.last() == Some(&"lost?")
}

/// Whether the name has in it what the program counts: `12 ms`, `and 3 more`.
fn has_count(name: &str) -> bool {
    let number = |word: &str| {
        let word = word.trim_start_matches('<');
        !word.is_empty() && word.chars().all(|c| c.is_numeric() || matches!(c, ',' | '.'))
    };
    let counted = |word: &str| {
        let read = readings(word).map(|reading| spelled(&reading));
        COUNTED.iter().any(|what| read.iter().any(|word| reads(word, what)))
    };
    let words = || name.split(' ');
    words().zip(words().skip(1)).any(|(one, next)| number(one) && counted(next))
}

/// Whether it opens a bracket, or looks like what does.
const fn is_bracket(c: char) -> bool {
    matches!(
        c,
        '(' | '[' | '{' | '<'
            | '\u{AB}' | '\u{2039}' | '\u{207D}' | '\u{208D}' | '\u{2308}' | '\u{230A}'
            | '\u{2768}'..='\u{2775}' | '\u{27E6}'..='\u{27EF}' | '\u{2983}'..='\u{2998}'
            | '\u{29FC}' | '\u{2E22}'..='\u{2E29}' | '\u{3008}'..='\u{3011}'
            | '\u{3014}'..='\u{301B}' | '\u{FD3E}'..='\u{FD3F}' | '\u{FE35}'..='\u{FE44}'
            | '\u{FE59}'..='\u{FE5E}' | '\u{FF08}' | '\u{FF1C}' | '\u{FF3B}' | '\u{FF5B}'
            | '\u{FF5F}' | '\u{FF62}'
    )
}

/// Stars, angles, exclamations and the like: what passes for one of [`LINE_STARTS`] where it begins a
/// line, and is an ornament elsewhere.
const fn is_start(c: char) -> bool {
    matches!(
        c,
        '\u{AB}' | '\u{D7}' | '\u{2039}'..='\u{203C}' | '\u{2042}' | '\u{2049}' | '\u{2051}'
            | '\u{2139}' | '\u{2213}' | '\u{226A}'..='\u{226B}' | '\u{22C6}'
            | '\u{2605}'..='\u{2606}' | '\u{26A0}' | '\u{2719}'..='\u{274B}'
            | '\u{2755}' | '\u{2757}' | '\u{2762}'..='\u{2763}' | '\u{276E}'..='\u{2771}'
            | '\u{2795}'..='\u{2797}' | '\u{27E8}'..='\u{27EB}' | '\u{2B50}'
            | '\u{3008}'..='\u{300B}' | '\u{FE61}' | '\u{FE6B}' | '\u{A673}'
            | '\u{1F31F}'..='\u{1F320}' | '\u{1F6C8}'
    )
}

/// Arrows, ticks, crosses, dots, bars and boxes, three dots, and pictures of what may not be shown:
/// they stand nowhere in a name.
pub(super) const fn is_sign(c: char) -> bool {
    matches!(
        c,
        '\u{2016}' | '\u{2022}'..='\u{2023}' | '\u{2025}'..='\u{2026}' | '\u{2043}'
            | '\u{204C}'..='\u{204D}' | '\u{20D0}'..='\u{20E2}' | '\u{20E4}'..='\u{20FF}'
            | '\u{2190}'..='\u{21FF}' | '\u{2218}'..='\u{221A}' | '\u{2223}' | '\u{2225}'
            | '\u{2295}'..='\u{22A1}' | '\u{22C5}' | '\u{22EE}'..='\u{22F1}'
            | '\u{2300}'..='\u{2319}' | '\u{231C}'..='\u{2327}' | '\u{2329}'..='\u{23EF}'
            | '\u{23F4}'..='\u{243F}' | '\u{2500}'..='\u{25FF}' | '\u{2609}'..='\u{2613}'
            | '\u{261A}'..='\u{261F}' | '\u{2686}'..='\u{2689}' | '\u{26AA}'..='\u{26AC}'
            | '\u{2705}' | '\u{2713}'..='\u{2718}' | '\u{274C}'..='\u{274F}'
            | '\u{2758}'..='\u{275A}' | '\u{2794}' | '\u{2798}'..='\u{27AF}'
            | '\u{27B1}'..='\u{27BE}' | '\u{27F0}'..='\u{27FF}' | '\u{2900}'..='\u{2982}'
            | '\u{29BE}'..='\u{29BF}' | '\u{2A00}'..='\u{2A02}' | '\u{2A09}' | '\u{2A2F}'
            | '\u{2B00}'..='\u{2B4F}' | '\u{2B51}'..='\u{2BFF}' | '\u{FE19}'
            | '\u{FFE8}'..='\u{FFEE}' | '\u{FFFC}'..='\u{FFFD}' | '\u{10102}'
            | '\u{1F197}' | '\u{1F311}'..='\u{1F318}' | '\u{1F446}'..='\u{1F449}'
            | '\u{1F500}'..='\u{1F504}' | '\u{1F518}'..='\u{1F51D}' | '\u{1F532}'..='\u{1F53D}'
            | '\u{1F5D8}'..='\u{1F5D9}' | '\u{1F5F4}'..='\u{1F5F9}' | '\u{1F780}'..='\u{1F8FF}'
            | '\u{1FB00}'..='\u{1FBFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::super::{Name, NameError};
    use super::*;

    #[track_caller]
    fn refused(text: &str) {
        let error = Name::parse(text).map(|_| ()).unwrap_err();
        assert!(matches!(error, NameError::Mark | NameError::Prefix), "{text:?}: {error:?}");
    }

    /// What the program says of people, and what looks like it.
    const MARKED: &[&str] = &[
        "ana (you)",
        "ana （You）",
        "ana [YOU]",
        "ana【you】",
        "ana (yоu)",
        "ana (you",
        "(you)",
        "bob (late 3 min)",
        "bob (left)",
        "bob (does not read)",
        "bob does not read",
        "bob reads again",
        "2 missing",
        "and 4 people",
        "bob {timeout}",
        "bob ( replaced )",
        "bob (timeоut)",
        "x (OPEN to everybody)",
        "+ bob",
        "- bob",
        "~ bob",
        "? bob",
        ". bob",
        "| bob",
        "＝ bob",
        "bob -> carol",
        "alice + carol",
        "alice · carol",
        "alice | carol",
        "— 3",
        "alic~",
        "alic～",
        "alic...",
        "mallory, alice",
        "mallory， alice",
        "mallory、 alice",
        "mallory،",
        "bob 12 ms",
        "bob <1 ms",
        "bob lost?",
        "bob and 37 others",
        "bob and 3 more",
        "3 unsent",
        "bob has left the chat!",
        "bob HAS LEFT",
        "x has entered the chat!",
        "bob is now called x",
        "erin came and went",
        "here",
        "Here",
        "not here",
        "Warning",
        "WARNING",
        "usage",
        "nobody else yet",
        "bob \u{20D7}",
        "bob\u{20EA}",
    ];

    /// Somebody called `ana (you)` stood in the list of people as Ana does, and `✔ ok` before what was
    /// said as a receipt does: only the sign itself was refused, not what looks like it.
    #[test]
    fn nobody_is_called_like_a_mark_of_the_program() {
        for sign in
            "→←↔⇒⟶➜➔➡⬅⮕🡒￫🔙✓✔☑✅🗸√✗✘✕✖❌❎☒●○◌◐◉◯⚪⚫🔴🟢🔵⬤⭕•‣▶►■│┃─━┌╌█▌‖⏎␛…‥⋯\u{FFFD}".chars()
        {
            refused(&format!("{sign} bob"));
            refused(&format!("{sign}bob"));
            refused(&format!("bob {sign}"));
            refused(&format!("bob{sign}carol"));
        }
        for start in "/@*!>±»·／＠＊！＞∗⁎★☆✱✶✳⭐🌟«‹›《≫❯❱∓❗❕‼⚠ℹ×✝➕".chars()
        {
            refused(&format!("{start} bob"));
            refused(&format!("{start}bob"));
        }
        MARKED.iter().for_each(|text| refused(text));
    }

    #[test]
    fn what_lines_begin_with_looks_like_itself() {
        for start in LINE_STARTS.chars() {
            assert_eq!(looks(start), start);
        }
        assert!(reads("tirneout", "timeout") && reads("you", "you"));
        assert!(
            !reads("tirneout", "time") && !reads("you", "your") && !reads("timeout", "timeout")
        );
    }

    #[test]
    fn people_are_called_as_before() {
        for text in [
            "Anna (HR)",
            "Bob (work)",
            "(me)",
            "Gal·la",
            "ジョン・スミス",
            "J.R.R. Tolkien",
            "-bob-",
            "~bob",
            "bob|away",
            "C++",
            "R & B",
            "V Anand",
            "x",
            "o",
            "🔥bob🔥",
            "bob ⭐",
            "⏰",
            "1️⃣ bob",
            "what?",
            "Lost",
            "You Jae-suk",
            "Left Shark",
            "agent 7",
            "Warner",
            "hereward",
            "<3 bob",
            "ᐅᓪᓗᕆᐊᖅ",
            "〇山",
            "ǃXóõ",
            "Smith,John",
        ] {
            let name = Name::parse(text);
            assert_eq!(name.as_ref().map(Name::as_str), Ok(text));
        }
    }

    /// docs/PROTOCOL.md lists the same characters.
    #[test]
    fn the_protocol_lists_the_signs() {
        let document = include_str!("../../../docs/PROTOCOL.md");
        let listed = |what: &str| -> Vec<(u32, u32)> {
            let (_, list) = document.split_once(what).unwrap_or_else(|| panic!("{what}"));
            let (list, _) = list.split_once('.').unwrap();
            let hex = |digits: &str| u32::from_str_radix(digits.trim(), 16).unwrap();
            list.split(',')
                .map(|range| range.trim().trim_start_matches("U+"))
                .map(|range| match range.split_once('–') {
                    Some((from, to)) => (hex(from), hex(to)),
                    None => (hex(range), hex(range)),
                })
                .collect()
        };
        let lists: [&[&str]; 4] = [&LINE_WORDS, &STATES, &PHRASES, &COUNTED];
        for word in lists.concat() {
            assert!(document.contains(&format!("`{word}`")), "{word}");
        }
        for (what, is) in [
            ("no *sign*: ", is_sign as fn(char) -> bool),
            ("nor with a *start*: ", is_start),
            ("A *bracket* is one of `( [ { <` and ", |c| is_bracket(c) && !c.is_ascii()),
        ] {
            let ranges = listed(what);
            for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
                let said = ranges.iter().any(|&(from, to)| (from..=to).contains(&u32::from(c)));
                assert_eq!(said, is(c), "{what}U+{:04X}", u32::from(c));
            }
        }
    }
}
