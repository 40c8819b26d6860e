//! Addresses of pages in a text (http and https, nothing else).

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use crate::machine::is_unspaced;

/// The longest address that becomes a link, bytes. Terminals refuse longer ones.
const LINK_MAX: usize = 2000;

/// Where the addresses are.
pub(crate) fn links(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(colon) = text[from..].find("://") {
        let colon = from + colon;
        from = colon + 3;
        let head = &text[..colon];
        let Some(scheme) = ["https", "http"].into_iter().find(|scheme| {
            let start = head.len().checked_sub(scheme.len());
            start.and_then(|at| head.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(scheme))
        }) else {
            continue;
        };
        let start = colon - scheme.len();
        // `xhttp://` is another scheme; schemes are ASCII (RFC 3986, section 3.1), and words of other
        // letters stand before one without a space.
        if text[..start].ends_with(|c: char| c.is_ascii_alphanumeric()) {
            continue;
        }
        let address = &text[from..from + extent(&text[from..])];
        let end = from + trimmed(&address[..host_end(address).unwrap_or(address.len())]);
        if end > from && end - start <= LINK_MAX {
            found.push(start..end);
            from = end;
        }
    }
    found
}

/// How far what may be part of an address goes: to a blank, a quotation mark, punctuation of any script
/// but Latin.
fn extent(text: &str) -> usize {
    let mut behind_letter = false;
    let mut part = |c: char| {
        let letter = c.is_alphanumeric();
        // Marks of many scripts, and joiners in words, are no letters, and belong to one.
        let mark = matches!(c, '\u{200C}' | '\u{200D}') || c.width() == Some(0) && !c.is_control();
        let belongs = mark && behind_letter && !is_format(c);
        behind_letter = letter || belongs;
        letter || belongs || c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '`')
    };
    let mut letters = text.char_indices();
    letters.find(|&(_, c)| !part(c)).map_or(text.len(), |(at, _)| at)
}

/// Steers direction, or where rows end.
const fn is_format(c: char) -> bool {
    matches!(c, '\u{61C}' | '\u{200B}' | '\u{200E}'..='\u{200F}' | '\u{2028}'..='\u{206F}' | '\u{FEFF}')
}

/// Where the host of an address ends although letters follow. In scripts that write words together a
/// sentence goes on right behind it: a label that begins in ASCII has none of their letters.
fn host_end(address: &str) -> Option<usize> {
    let mut ascii = false;
    for (at, c) in address.char_indices() {
        match c {
            '/' | '?' | '#' => return None,
            '.' | '@' => ascii = false,
            c if ascii && is_unspaced(c) => return Some(at),
            c => ascii |= c.is_ascii_alphanumeric(),
        }
    }
    None
}

/// How much of it people mean: neither the full stop after it nor the parenthesis around it.
fn trimmed(text: &str) -> usize {
    let mut end = text.len();
    while let Some(last) = text[..end].chars().next_back() {
        let loose = match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' => true,
            ')' => !balanced(&text[..end], '(', ')'),
            ']' => !balanced(&text[..end], '[', ']'),
            '}' => !balanced(&text[..end], '{', '}'),
            _ => false,
        };
        if !loose {
            break;
        }
        end -= last.len_utf8();
    }
    end
}

fn balanced(text: &str, open: char, close: char) -> bool {
    text.matches(open).count() >= text.matches(close).count()
}

/// An address as it may stand in a control sequence: printable ASCII and nothing else.
pub(crate) fn encoded(address: &str) -> String {
    let mut safe = String::with_capacity(address.len());
    for byte in address.bytes() {
        if byte.is_ascii_graphic() {
            safe.push(byte.into());
        } else {
            safe += &format!("%{byte:02X}");
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        links(text).into_iter().map(|at| &text[at]).collect()
    }

    #[test]
    fn addresses_end_where_people_think() {
        assert_eq!(found("see https://example.org/a?b=c#d."), ["https://example.org/a?b=c#d"]);
        assert_eq!(found("(http://x.y/z)"), ["http://x.y/z"]);
        assert_eq!(found("https://x/Rust_(film), and"), ["https://x/Rust_(film)"]);
        assert_eq!(found("HTTP://X https://é.fr/ü"), ["HTTP://X", "https://é.fr/ü"]);
        assert_eq!(found("xhttp://a ftp://b javascript://c file:///d https:// é://"), [""; 0]);
        assert_eq!(found("http://a\u{FFFD}b http://c␛]8;;"), ["http://a", "http://c"]);
        assert_eq!(found(&format!("http://{}", "x".repeat(LINK_MAX))), [""; 0]);
    }

    /// Each row is a sentence, and the address in it.
    #[test]
    fn addresses_in_sentences_of_every_script() {
        for (text, address) in [
            ("见https://example.org/a", "https://example.org/a"),
            ("看 https://example.com是我们", "https://example.com"),
            ("(https://example.org/x_(y))", "https://example.org/x_(y)"),
            ("https://example.org/x_(y)", "https://example.org/x_(y)"),
            ("https://example.org/((a)b)c).", "https://example.org/((a)b)c"),
            ("（https://example.org/a）", "https://example.org/a"),
            ("「https://example.org」", "https://example.org"),
            ("見てhttps://example.jp/aです", "https://example.jp/aです"),
            ("https://example.jpです", "https://example.jp"),
            ("https://example.co.kr에서", "https://example.co.kr"),
            ("ดูhttps://example.co.thครับ", "https://example.co.th"),
            ("https://example.com:8080是", "https://example.com:8080"),
            ("https://例え.jp/ページ", "https://例え.jp/ページ"),
            ("https://例え.テスト", "https://例え.テスト"),
            ("https://www.例え.jp。", "https://www.例え.jp"),
            ("https://дом.рф/путь?я=1", "https://дом.рф/путь?я=1"),
            ("см.https://дом.рф, да", "https://дом.рф"),
            ("לhttps://example.org/א", "https://example.org/א"),
            ("راجع https://example.org/a، ثم", "https://example.org/a"),
            ("https://example.org/a؟", "https://example.org/a"),
            (
                "https://fa.wikipedia.org/wiki/می\u{200C}خواهم",
                "https://fa.wikipedia.org/wiki/می\u{200C}خواهم",
            ),
            ("https://hi.wikipedia.org/wiki/हिन्दी।", "https://hi.wikipedia.org/wiki/हिन्दी"),
            ("https://th.wikipedia.org/wiki/ที่นี่", "https://th.wikipedia.org/wiki/ที่นี่"),
            ("https://x.org/cafe\u{301}", "https://x.org/cafe\u{301}"),
            ("\u{200E}https://x.org/a\u{200E}", "https://x.org/a"),
            ("https://x.org/a\u{2060}.", "https://x.org/a"),
            ("https://x.org/a։ https", "https://x.org/a"),
            ("https://x.org/a። ", "https://x.org/a"),
            ("«https://x.org/a»", "https://x.org/a"),
            ("“https://x.org/a”…", "https://x.org/a"),
            ("<https://x.org/a>", "https://x.org/a"),
            ("[a](https://x.org/a)", "https://x.org/a"),
            ("http://[::1]/", "http://[::1]/"),
            ("[http://[::1]:80]", "http://[::1]:80"),
            ("http://[2001:db8::1]/a.", "http://[2001:db8::1]/a"),
            (
                "https://user@example.org:81/~a/b;c=d&e='f'!",
                "https://user@example.org:81/~a/b;c=d&e='f",
            ),
            ("ｘhttps://x.org", "https://x.org"),
        ] {
            assert_eq!(found(text), [address], "{text}");
        }
        for text in [
            "ｈｔｔｐｓ://x.org",
            "https：//x.org",
            "https:／／x.org",
            "1https://x",
            "https://。",
            "https://)",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_link_cannot_leave_its_control_sequence() {
        assert_eq!(encoded("http://é/a b\u{1B}"), "http://%C3%A9/a%20b%1B");
    }
}
