//! Five bits as a letter or a digit that people can type (RFC 4648, in lower case).

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The letter for the last five bits.
pub(super) fn letter(bits: u64) -> char {
    char::from(ALPHABET[(bits & 31) as usize])
}

/// The five bits that a small letter or a digit stands for.
pub(super) fn digit(letter: char) -> Option<u8> {
    let found = ALPHABET.iter().position(|&known| char::from(known) == letter)?;
    u8::try_from(found).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_is_read_as_it_is_written() {
        (0..32).for_each(|bits| assert_eq!(digit(letter(bits)).map(u64::from), Some(bits)));
        assert!(['A', '0', '1', '8', '-', 'é'].iter().all(|&c| digit(c).is_none()));
    }
}
