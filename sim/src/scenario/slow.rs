//! Slow links that two sites share.

use super::{Stage, Verdict};
use crate::clock::SECOND;
use crate::slow::{LINES, measure};

/// Cut for 40 s while everybody speaks: in half of the worlds all is whole again so many seconds later, and no more
/// was sent than so many times what a bare datagram for each line and reader needs; in none was anybody shown as gone.
pub(super) fn cut(stage: &mut Stage) -> Verdict {
    // Whoever is silent is asked once in 15 s at least, so where two are alone that may be the first they hear. After a
    // cut most have to shake hands: that is what rare pings cost. A line that is signed is three times as large as a bare one.
    for (line, whole, bytes) in [(0, 20, 40), (1, 15, 40), (2, 105, 65), (3, 25, 42), (4, 3, 26)] {
        let line = LINES[line];
        let row = measure(line, 0);
        stage.empty(1);
        let what = format!("{} bit/s: {row:?}", line.rate);
        stage.holds(&what, row.whole.is_some_and(|us| us <= whole * SECOND))?;
        stage.holds(&what, row.departures == 0 && row.tenths <= bytes * 10)?;
        stage.holds(&what, row.line.is_some_and(|us| us <= 3 * SECOND))?;
    }
    Ok(())
}
