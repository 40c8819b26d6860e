//! Bytes as a script: whatever they are, they mean something, and they end.

/// Takes decisions from bytes. Once they are used up, every decision is 0.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// A script of these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether every decision is taken.
    pub const fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// As many bytes as there are, at most `n`.
    pub fn bytes(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// The next bytes, with zeros behind the end.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.bytes(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    /// A byte.
    pub fn u8(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// A number below `n`, which is at most 256.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.u8()) % n.clamp(1, 256)
    }

    /// One chance in `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A number: a small one, one near a limit of something, or any.
    pub fn number(&mut self) -> u64 {
        match self.u8() {
            small @ 0..=199 => u64::from(small),
            200..=219 => u64::from(u16::from_be_bytes(self.array())),
            220..=229 => u64::MAX - u64::from(self.u8()),
            230..=239 => (1 << 62) - 128 + u64::from(self.u8()),
            240..=247 => u64::from(u32::MAX) - 128 + u64::from(self.u8()),
            _ => u64::from_be_bytes(self.array()),
        }
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.bytes(usize::MAX)
    }
}
