//! Where secrets are kept, and how what handled them is left behind.
//!
//! A value that is moved is copied, and nobody overwrites where it was. So secret bytes lie in one place
//! on the heap from the first to the last, and [`wiped`] overwrites the part of the stack that was used
//! while something was computed from them.

use core::fmt;
use core::hint::black_box;
use core::ops::Deref;
use std::sync::Arc;

use zeroize::Zeroize;

use crate::machine::keyed::same;

/// Bytes that nobody else may learn. They are never moved or copied, whoever shares them, never shown,
/// and overwritten when the last one who has them drops them.
#[derive(Clone)]
pub struct Guarded<const N: usize>(Arc<Bytes<N>>);

struct Bytes<const N: usize>([u8; N]);

impl<const N: usize> Guarded<N> {
    /// Zeros, as something makes of them.
    pub fn filled(fill: impl FnOnce(&mut [u8; N])) -> Self {
        let mut bytes = Arc::new(Bytes([0; N]));
        // Nobody shares them yet.
        if let Some(bytes) = Arc::get_mut(&mut bytes) {
            fill(&mut bytes.0);
        }
        Self(bytes)
    }

    /// The same, where it can fail.
    ///
    /// # Errors
    ///
    /// Those of `fill`.
    pub fn try_filled<E>(fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>) -> Result<Self, E> {
        let mut result = Ok(());
        let bytes = Self::filled(|bytes| result = fill(bytes));
        result.map(|()| bytes)
    }
}

impl<const N: usize> Deref for Guarded<N> {
    type Target = [u8; N];

    fn deref(&self) -> &[u8; N] {
        &self.0.0
    }
}

impl<const N: usize> Drop for Bytes<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> PartialEq for Guarded<N> {
    fn eq(&self, other: &Self) -> bool {
        same(&self[..], &other[..])
    }
}

impl<const N: usize> Eq for Guarded<N> {}

impl<const N: usize> fmt::Debug for Guarded<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guarded(..)")
    }
}

/// How much of the stack is overwritten: a guess at what a handshake, a signature and a start of the
/// machines need, doubled.
const STACK: usize = 32 * 1024;

/// Runs something that handles secrets, and overwrites what it leaves on the stack. What it returns
/// should hold secrets only behind pointers.
pub fn wiped<T>(run: impl FnOnce() -> T) -> T {
    let result = apart(run);
    wipe();
    result
}

/// Overwrites the stack below the caller.
#[inline(never)]
pub fn wipe() {
    let mut stack = [0u8; STACK];
    black_box(&mut stack);
}

/// Below the frame of the caller, however short `run` is.
#[inline(never)]
fn apart<T>(run: impl FnOnce() -> T) -> T {
    run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guarded_is_there_and_not_shown() {
        let secret = Guarded::<4>::filled(|bytes| *bytes = [1, 2, 3, 4]);
        assert_eq!(*secret, [1, 2, 3, 4]);
        assert_eq!(secret, secret.clone());
        assert_ne!(secret, Guarded::filled(|bytes| bytes[0] = 1));
        assert_eq!(format!("{secret:?}"), "Guarded(..)");
        assert!(Guarded::<4>::try_filled(|_| Err(7)).is_err_and(|error| error == 7));
    }
}
