//! Numbers and spans as people write and say them.

use std::time::Duration;

/// A number as people write it: `5,210`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 message`, `2 messages`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{s}")
}

/// A span as people say it: `3 s`, `3.5 s`.
pub(crate) fn seconds(span: Duration) -> String {
    let tenths = (span.as_millis() + 50) / 100;
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        rest => format!("{}.{rest} s", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(5210), "5,210");
        assert_eq!(grouped(1_048_576), "1,048,576");
        assert_eq!(counted(1, "message"), "1 message");
        assert_eq!(counted(0, "message"), "0 messages");
    }

    #[test]
    fn spans_as_people_say_them() {
        assert_eq!(seconds(Duration::from_millis(3000)), "3 s");
        assert_eq!(seconds(Duration::from_millis(3449)), "3.4 s");
        assert_eq!(seconds(Duration::from_millis(2960)), "3 s");
    }
}
