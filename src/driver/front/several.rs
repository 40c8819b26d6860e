//! A text that is longer than a message may be, as several messages.

use unicode_segmentation::UnicodeSegmentation;

use crate::driver::front::company::Company;
use crate::driver::front::intent::Command;
use crate::machine::{self, SafeText, TEXT_MAX, Whom};

/// The longest text that is made into several messages, bytes.
pub(crate) const TEXTS_MAX: usize = 64 * 1024;

/// What is asked for, in as many messages as it takes. `None` where one will do, where it says nothing,
/// and where it is not clear for whom it is. `company` knows where the name of one who is meant ends.
pub(crate) fn several(
    command: &machine::Command<'_>,
    company: Option<&Company>,
) -> Option<Vec<Command>> {
    let machine::Command::Say { text, action, to } = *command else { return None };
    if text.len() <= TEXT_MAX || text.len() > TEXTS_MAX {
        return None;
    }
    let (name, text) = match (to, company) {
        (Some(Whom::Word(word)), Some(company)) => {
            let (name, text) = company.addressed(word, text).ok()?;
            (Some(name), text)
        }
        _ => (None, text),
    };
    let to = name.as_deref().map(Whom::Word).or(to);
    let said = parts(text, TEXT_MAX).into_iter().map(|text| {
        let say = machine::Command::Say { text, action, to };
        Command::from(say)
    });
    Some(said.collect()).filter(|said: &Vec<Command>| !said.is_empty())
}

/// Cuts a text into parts of at most `bytes_max` bytes: where a line ends, else where a word does, else
/// between letters. The ends of lines at the cuts are left out, and what has nothing in it.
fn parts(text: &str, bytes_max: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while rest.len() > bytes_max {
        let (end, next) = cut(rest, bytes_max);
        parts.push(&rest[..end]);
        rest = &rest[next..];
    }
    parts.push(rest);
    parts.retain(|part| !SafeText::new(part).is_blank());
    parts
}

/// Where the first part of a text ends that is longer than that, and where the next begins: farther on.
fn cut(text: &str, bytes_max: usize) -> (usize, usize) {
    let window = &text[..text.floor_char_boundary(bytes_max)];
    let line = match &text[window.len()..] {
        rest if rest.starts_with('\n') => Some(window.len()),
        _ => window.rfind('\n'),
    };
    if let Some(end) = line {
        return (end, end + 1);
    }
    let blank = |&(_, letter): &(usize, char)| matches!(letter, ' ' | '\t' | '\u{3000}');
    let word = window.char_indices().rev().find(blank);
    if let Some((at, letter)) = word {
        return (at + letter.len_utf8(), at + letter.len_utf8());
    }
    // The last one in the window may go on behind it. One that is longer than a message is cut.
    let graphemes = text.grapheme_indices(true).map(|(at, _)| at);
    let fits = graphemes.take_while(|&at| at <= window.len()).last();
    let end = fits.filter(|&at| at > 0).unwrap_or(window.len()).max(1);
    (end, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_whole_then_words_then_letters() {
        assert_eq!(parts("one\ntwo\nthree", 8), ["one\ntwo", "three"]);
        assert_eq!(parts("one\ntwo\nthree", 7), ["one\ntwo", "three"], "the end is the limit");
        assert_eq!(parts("one\n\n\n\n\n\n\ntwo", 4), ["one\n", "two"]);
        assert_eq!(parts("one two three", 8), ["one two ", "three"]);
        assert_eq!(parts("one two\nthree", 9), ["one two", "three"]);
        assert_eq!(parts("onetwothree", 4), ["onet", "woth", "ree"]);
        assert_eq!(parts("\u{e9}\u{e9}\u{e9}", 3), ["\u{e9}", "\u{e9}", "\u{e9}"]);
        assert_eq!(parts("ae\u{301}i", 3), ["a", "e\u{301}", "i"], "a letter and its mark");
        assert_eq!(parts("\u{e17}\u{e35}\u{e48}\u{e17}\u{e35}\u{e48}", 10).len(), 2);
        assert_eq!(parts(" \n \n  \n", 3), [""; 0]);
    }

    #[test]
    fn nothing_is_lost_and_everything_fits() {
        const PIECES: [&str; 8] = [
            "a",
            "word",
            " ",
            "\n",
            "\u{e9}",
            "e\u{301}",
            "\u{e17}\u{e35}",
            "\u{1f468}\u{200d}\u{1f469}",
        ];
        fn property(picks: Vec<u8>) -> bool {
            let text: String = picks.iter().map(|&pick| PIECES[usize::from(pick) % 8]).collect();
            let kept = |text: &str| text.replace([' ', '\n'], "");
            [12, 30].into_iter().all(|max| {
                let parts = parts(&text, max);
                let fits = |part: &&str| part.len() <= max && !kept(part).is_empty();
                parts.iter().all(fits) && kept(&parts.concat()) == kept(&text)
            })
        }
        crate::machine::quickcheck().tests(2_000).quickcheck(property as fn(Vec<u8>) -> bool);
    }

    #[test]
    fn a_command_says_all_of_them_to_the_same_person() {
        let line = format!("/msg bob {}", "word ".repeat(2000));
        let said = several(&machine::Command::parse(&line).unwrap(), None).unwrap();
        assert_eq!(said.len(), 3);
        for part in &said {
            let Command::Say { text, action: false, to: Some(_) } = part else {
                panic!("{part:?}")
            };
            assert!(text.len() <= TEXT_MAX && text.starts_with("word "));
        }
        let none = |line: &str| several(&machine::Command::parse(line).unwrap(), None).is_none();
        assert!(none("hi") && none(&"x".repeat(TEXT_MAX)) && none(&"x".repeat(TEXTS_MAX + 1)));
        assert!(none(&format!("/nick {}", "x".repeat(5000))));
    }
}
