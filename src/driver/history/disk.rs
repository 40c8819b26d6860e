//! Where the files of a room are, and what each is called.
//!
//! A file is called by the incarnation of the process that wrote it, and a number: no two processes write
//! the same one, and none is written again.

use core::fmt;
use core::str::FromStr;
use std::io::{self, Write};

use crate::driver::os::clock::LUCK_BITS;

/// A file has about so many bytes, and is written for so long.
pub(crate) const FILE_BYTES: u64 = 8 << 20;
pub(crate) const FILE_MS: u64 = 24 * 3600 * 1000;

/// What a file is called: `00067f3c9a1b2c3d-0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileName {
    pub(crate) incarnation: u64,
    pub(crate) number: u32,
}

impl FileName {
    /// When the process started that wrote it, ms since 1970, by its clock.
    pub(crate) const fn started(self) -> u64 {
        self.incarnation >> LUCK_BITS
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.incarnation, self.number)
    }
}

impl FromStr for FileName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (incarnation, number) = text.split_once('-').ok_or(())?;
        let incarnation = u64::from_str_radix(incarnation, 16).map_err(|_| ())?;
        let name = Self { incarnation, number: number.parse().map_err(|_| ())? };
        // Its key is that of the name as we write it.
        if name.to_string() == text { Ok(name) } else { Err(()) }
    }
}

/// Where files are begun.
pub(crate) trait Disk {
    /// A new file of that name, to be appended to.
    fn begin(&mut self, name: FileName) -> io::Result<Box<dyn Pages>>;

    /// Removes a file that nothing stands in.
    fn remove(&mut self, name: FileName);
}

/// A file that is appended to.
pub(crate) trait Pages: Write {
    /// Nobody has removed it.
    fn is_there(&self) -> bool;

    /// Waits until it is on the disk.
    fn sync(&self) -> io::Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_in_one_way() {
        let name = FileName { incarnation: 0x1a21_a2ea_c6bd_0d9d, number: 12 };
        assert_eq!(name.to_string(), "1a21a2eac6bd0d9d-12");
        assert_eq!("1a21a2eac6bd0d9d-12".parse(), Ok(name));
        for other in
            ["1A21a2eac6bd0d9d-12", "1a21a2eac6bd0d9d-012", "1a21a2eac6bd0d9d", "7-0", "-", ""]
        {
            assert_eq!(other.parse::<FileName>(), Err(()), "{other}");
        }
    }
}
