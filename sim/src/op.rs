//! The things that can happen to computers and links.

use crate::false_nodeset::Lies;
use crate::liar::Tricks;

/// A set of computers, one bit each; computers from 128 on are in none.
pub type Mask = u128;

/// Links that are cut: from every computer of one set to every one of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The senders.
    pub from: Mask,
    /// The receivers.
    pub to: Mask,
    /// The way back as well.
    pub both: bool,
}

impl Cut {
    /// Whether it cuts that directed link.
    pub const fn covers(&self, from: usize, to: usize) -> bool {
        if from >= 128 || to >= 128 {
            return false;
        }
        let (f, t) = (1u128 << from, 1u128 << to);
        (self.from & f != 0 && self.to & t != 0)
            || (self.both && self.from & t != 0 && self.to & f != 0)
    }
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Somebody types the `n`-th line of the workload.
    Type(usize, u64),
    /// A computer starts a chat, under the name that belongs to some computer.
    Join(usize, usize),
    /// Somebody leaves.
    Quit(usize),
    /// A process dies.
    Kill(usize),
    /// A process dies, and another starts, perhaps on another port.
    Restart(usize, bool),
    /// A process dies; the computer's clock and all it kept are set back; another starts on another
    /// port.
    RollBack(usize),
    /// A computer gets another address.
    Rebind(usize),
    /// A process stops for so many microseconds; whether it ticks before it reads its socket.
    Pause(usize, u64, bool),
    /// Links are cut.
    Cut(Cut),
    /// They carry again.
    Mend(Cut),
    /// Links freeze until that instant.
    Clog(Cut, u64),
    /// The nodeset starts, empty.
    StartNodeset,
    /// A malicious member comes to a computer.
    Attack(usize, Tricks),
    /// The nodeset is replaced by one that lies.
    Corrupt(Lies),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_cover_what_they_say() {
        let cut = Cut { from: 0b010, to: 0b100, both: false };
        assert!(cut.covers(1, 2) && !cut.covers(2, 1) && !cut.covers(1, 0));
        let cut = Cut { both: true, ..cut };
        assert!(cut.covers(1, 2) && cut.covers(2, 1) && !cut.covers(0, 1));
    }
}
