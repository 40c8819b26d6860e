//! Which counters of a session were seen: a sliding window over a ring of bits (RFC 6479).

/// How far behind the highest counter a datagram may come and still be taken.
pub(crate) const WINDOW: u64 = 2048;

/// One word more than the window: the word that is being filled is not the one that is being left.
const WORDS: u64 = WINDOW / 64 + 1;

#[derive(Debug, Hash)]
pub(crate) struct Window {
    /// One more than the highest counter seen; 0 before the first.
    next: u64,
    words: [u64; WORDS as usize],
}

impl Window {
    pub(crate) const fn new() -> Self {
        Self { next: 0, words: [0; WORDS as usize] }
    }

    /// Whether a counter is neither seen nor too old.
    pub(crate) const fn is_new(&self, counter: u64) -> bool {
        if counter >= self.next {
            return true;
        }
        let old = self.next - counter > WINDOW;
        !old && self.words[(counter / 64 % WORDS) as usize] >> (counter % 64) & 1 == 0
    }

    /// Notes a counter that is new. To be called once its datagram has proven genuine.
    pub(crate) fn mark(&mut self, counter: u64) {
        if counter >= self.next {
            let first = if self.next == 0 { 0 } else { (self.next - 1) / 64 + 1 };
            let entered = counter / 64;
            // A word that is entered anew forgets what it said about much older counters.
            for word in (first..=entered).rev().take(WORDS as usize) {
                self.words[(word % WORDS) as usize] = 0;
            }
            self.next = counter + 1;
        }
        self.words[(counter / 64 % WORDS) as usize] |= 1 << (counter % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Whatever order counters come in, the window agrees with a set.
    #[test]
    fn agrees_with_a_model() {
        fn property(steps: Vec<(u8, u16)>) -> bool {
            let (mut window, mut seen) = (Window::new(), BTreeSet::new());
            let mut at = 0u64;
            steps.into_iter().all(|(kind, step)| {
                at = match kind % 4 {
                    0 => at + u64::from(step % 3),
                    1 => at.saturating_sub(u64::from(step % 100)),
                    2 => at.saturating_sub(u64::from(step) % 2100),
                    _ => at + u64::from(step) % 2200,
                };
                let highest = seen.last().copied();
                let old = highest.is_some_and(|highest| highest + 1 - at.min(highest) > WINDOW);
                let fresh = !old && !seen.contains(&at);
                let agrees = window.is_new(at) == fresh;
                if fresh {
                    window.mark(at);
                    seen.insert(at);
                }
                agrees && !window.is_new(at)
            })
        }
        let mut runs = crate::machine::quickcheck().tests(2_000);
        runs.quickcheck(property as fn(Vec<(u8, u16)>) -> bool);
    }

    #[test]
    fn the_edges_of_the_window() {
        let mut window = Window::new();
        window.mark(5000);
        assert!(window.is_new(5001) && window.is_new(4999));
        assert!(window.is_new(5001 - WINDOW) && !window.is_new(5000 - WINDOW));
        assert!(!window.is_new(5000) && window.is_new(u64::MAX - 1));
    }
}
