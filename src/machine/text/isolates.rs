//! Which isolates of direction are closed in their line (UAX 9, BD9).
//!
//! One that is not closed would turn around whatever a front end writes behind the text.

/// Isolates in each other. A guess: a name in a quotation in a list has 3.
const DEPTH_MAX: usize = 8;

const PDI: char = '\u{2069}';

/// The isolates of the line at hand.
#[derive(Debug)]
pub(super) struct Isolates {
    /// Where the line ends that was looked at.
    line_end: usize,
    /// Where those begin that nothing closes, bytes.
    unclosed: [usize; DEPTH_MAX],
    /// How many are open: those that stay, those that nothing closes, those that are too deep.
    open: usize,
    lost: usize,
    deep: usize,
}

impl Isolates {
    pub(super) const NONE: Self =
        Self { line_end: 0, unclosed: [usize::MAX; DEPTH_MAX], open: 0, lost: 0, deep: 0 };

    /// Whether `c`, which begins or ends an isolate at `at`, stays. Asked for each in turn.
    pub(super) fn stays(&mut self, text: &str, at: usize, c: char) -> bool {
        if at >= self.line_end {
            if c == PDI {
                return false;
            }
            *self = Self::of_line(text, at);
        }
        if c == PDI {
            if self.deep > 0 {
                self.deep -= 1;
                return false;
            }
            let closes = self.open > 0;
            self.open -= usize::from(closes);
            return closes;
        }
        if self.open + self.lost == DEPTH_MAX {
            self.deep += 1;
            return false;
        }
        let closed = !self.unclosed.contains(&at);
        self.open += usize::from(closed);
        self.lost += usize::from(!closed);
        closed
    }

    /// Looks at a line from its first isolate on.
    fn of_line(text: &str, from: usize) -> Self {
        let mut found = Self { line_end: text.len(), ..Self::NONE };
        let (mut depth, mut deep) = (0, 0);
        for (at, c) in text[from..].char_indices() {
            match c {
                '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                    found.line_end = from + at;
                    break;
                }
                '\u{2066}'..='\u{2068}' if depth == DEPTH_MAX => deep += 1,
                '\u{2066}'..='\u{2068}' => {
                    found.unclosed[depth] = from + at;
                    depth += 1;
                }
                PDI if deep > 0 => deep -= 1,
                PDI if depth > 0 => {
                    depth -= 1;
                    found.unclosed[depth] = usize::MAX;
                }
                _ => {}
            }
        }
        found
    }
}
