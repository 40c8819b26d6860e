//! Bytes into lines, whatever the pieces they arrive in.
//!
//! What cannot be said is refused here, with its size or its place, and never cut: half a line is
//! not what somebody meant. Memory stays bounded by the limit and one piece, since the rest of a
//! line that is too long is counted and forgotten.

use core::str;

/// Cuts a stream of bytes at its line feeds.
#[derive(Debug)]
pub(crate) struct Splitter {
    limit: usize,
    bytes: Vec<u8>,
    /// How much of `bytes` was handed out.
    taken: usize,
    /// How much of `bytes` was searched for a line feed, in vain.
    searched: usize,
    /// Bytes of a line over the limit that were forgotten so far.
    forgotten: usize,
    /// The beginning of the last line over the limit.
    head: Vec<u8>,
    /// Lines that were handed out or refused.
    lines: u64,
    ended: bool,
}

/// What a stream is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A line, without its line feed or carriage return.
    Line(&'a str),
    /// A line over the limit.
    TooLong {
        /// How many bytes it has.
        bytes: usize,
        /// The limit.
        limit: usize,
        /// As much of its beginning.
        head: &'a [u8],
    },
    /// A line that is not text.
    NotUtf8 {
        /// Which line, counted from 1.
        number: u64,
        /// What it holds.
        bytes: &'a [u8],
    },
}

impl Splitter {
    /// A splitter that refuses lines of more than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: Vec::new(),
            taken: 0,
            searched: 0,
            forgotten: 0,
            head: Vec::new(),
            lines: 0,
            ended: false,
        }
    }

    /// Takes the next bytes of the stream.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.searched -= self.taken;
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The stream has ended: what is left is a line, too.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// The next line, or `None` until more is fed.
    pub(crate) fn next_piece(&mut self) -> Option<Piece<'_>> {
        let start = self.taken;
        let feed = self.bytes[self.searched..].iter().position(|&byte| byte == b'\n');
        let end = match feed {
            Some(at) => self.searched + at,
            None if self.ended && (self.bytes.len() > start || self.forgotten > 0) => {
                self.bytes.len()
            }
            None => {
                self.forget_excess();
                return None;
            }
        };
        self.taken = (end + 1).min(self.bytes.len());
        self.searched = self.taken;
        self.lines += 1;
        let line = &self.bytes[start..end];
        let line = if feed.is_some() { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
        let forgotten = core::mem::take(&mut self.forgotten);
        let (bytes, limit) = (forgotten + line.len(), self.limit);
        Some(if bytes > limit {
            let head = if forgotten > 0 { &self.head } else { &line[..limit] };
            Piece::TooLong { bytes, limit, head }
        } else {
            let broken = Piece::NotUtf8 { number: self.lines, bytes: line };
            str::from_utf8(line).map_or(broken, Piece::Line)
        })
    }

    /// Keeps the beginning, and the last byte, of a line that is too long: the last one may turn out to
    /// be the carriage return that does not count.
    fn forget_excess(&mut self) {
        let len = self.bytes.len() - self.taken;
        let over = self.forgotten > 0 || len > self.limit + 1;
        if over {
            if self.forgotten == 0 {
                self.head.clear();
                self.head.extend_from_slice(&self.bytes[self.taken..][..self.limit]);
            }
            let keep = self.bytes.len() - 1;
            self.forgotten += keep - self.taken;
            self.bytes.drain(self.taken..keep);
        }
        self.searched = self.bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;

    /// What came out, with the text owned.
    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Seen {
        Line(String),
        TooLong(usize, Vec<u8>),
        NotUtf8(u64),
    }

    fn split<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
        let mut splitter = Splitter::new(limit);
        let mut seen = Vec::new();
        let take = |splitter: &mut Splitter, seen: &mut Vec<Seen>| {
            while let Some(piece) = splitter.next_piece() {
                seen.push(match piece {
                    Piece::Line(text) => Seen::Line(text.to_owned()),
                    Piece::TooLong { bytes, head, .. } => Seen::TooLong(bytes, head.to_vec()),
                    Piece::NotUtf8 { number, .. } => Seen::NotUtf8(number),
                });
            }
        };
        for chunk in chunks {
            splitter.feed(chunk);
            take(&mut splitter, &mut seen);
            assert!(splitter.bytes.len() <= limit + 1 + chunk.len(), "memory is bounded");
            assert!(splitter.head.len() <= limit, "memory is bounded");
        }
        splitter.end();
        take(&mut splitter, &mut seen);
        seen
    }

    /// The specification, which may use as much memory as it likes.
    fn model(limit: usize, bytes: &[u8]) -> Vec<Seen> {
        let mut lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
        let last = lines.pop().filter(|line| !line.is_empty());
        let lines = lines.iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let number = 1..;
        lines
            .chain(last)
            .zip(number)
            .map(|(line, number)| match str::from_utf8(line) {
                _ if line.len() > limit => Seen::TooLong(line.len(), line[..limit].to_vec()),
                Ok(text) => Seen::Line(text.to_owned()),
                Err(_) => Seen::NotUtf8(number),
            })
            .collect()
    }

    /// Few different bytes, so that lines, carriage returns and broken text are common.
    fn spell(letters: &[u8]) -> Vec<u8> {
        letters.iter().map(|&n| b"\n\n\rabc\xc3\xa9"[usize::from(n % 8)]).collect()
    }

    quickcheck! {
        fn chunks_do_not_matter(letters: Vec<u8>, cuts: Vec<u8>, limit: u8) -> bool {
            let bytes = spell(&letters);
            let limit = usize::from(limit % 8);
            let mut rest = bytes.as_slice();
            let mut chunks = Vec::new();
            for cut in cuts {
                let (chunk, after) = rest.split_at(usize::from(cut % 8).min(rest.len()));
                chunks.push(chunk);
                rest = after;
            }
            chunks.push(rest);
            split(limit, chunks) == model(limit, &bytes)
        }
    }

    #[test]
    fn lines_of_every_kind() {
        let line = |text: &str| Seen::Line(text.to_owned());
        let text = b"one\r\n\ntwo\nx\xff\n123456789\nlast".as_slice();
        assert_eq!(
            split(8, [text]),
            [
                line("one"),
                line(""),
                line("two"),
                Seen::NotUtf8(4),
                Seen::TooLong(9, b"12345678".to_vec()),
                line("last")
            ]
        );
        assert_eq!(split(8, []), []);
        assert_eq!(split(8, [b"a\r".as_slice()]), [line("a\r")]);
    }

    #[test]
    fn a_line_as_long_as_the_limit_passes() {
        let at = "a".repeat(4096);
        for ending in ["\n", "\r\n", ""] {
            let text = format!("{at}{ending}");
            assert_eq!(split(4096, text.as_bytes().chunks(7)), [Seen::Line(at.clone())]);
        }
        let over = format!("{at}a\nb\n");
        assert_eq!(
            split(4096, over.as_bytes().chunks(1000)),
            [Seen::TooLong(4097, at.into_bytes()), Seen::Line("b".to_owned())]
        );
    }
}
