//! Addresses of pages in a text (http and https, nothing else).

use std::ops::Range;

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
        // `xhttp://` is another scheme.
        if text[..start].chars().next_back().is_some_and(char::is_alphanumeric) {
            continue;
        }
        let end = from + trimmed(&text[from..]);
        if end > from && end - start <= LINK_MAX {
            found.push(start..end);
            from = end;
        }
    }
    found
}

/// How much of a text belongs to an address: neither the full stop after it nor the parenthesis
/// around it.
fn trimmed(text: &str) -> usize {
    let part = |c: char| {
        c.is_alphanumeric() || (c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '`'))
    };
    let mut end = text.find(|c: char| !part(c)).unwrap_or(text.len());
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

    #[test]
    fn a_link_cannot_leave_its_control_sequence() {
        assert_eq!(encoded("http://é/a b\u{1B}"), "http://%C3%A9/a%20b%1B");
    }
}
