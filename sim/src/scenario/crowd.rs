//! Who notices that somebody has crashed, and what that costs.

use super::{Stage, Verdict};
use crate::clock::SECOND;
use crate::crowd::measure;

/// In a room of thirty, at 0, 10 and 30 % loss: a crash is known to all in seconds while people talk, and in half
/// a minute in silence; what a member sends stays within a limit, and where little is lost nobody who lives is taken
/// for lost, and nobody who is dead is shown two minutes later.
pub(super) fn crash(stage: &mut Stage) -> Verdict {
    for (loss, idle, talking, known) in [(0, 90, 400, 5), (10, 110, 600, 6), (30, 250, 1_000, 12)] {
        let row = measure(30, loss);
        stage.empty(1);
        let what = format!("{loss} %: {row:?}");
        stage.holds(&what, row.idle <= idle && row.talking <= talking)?;
        stage.holds(&what, row.crash.max <= known * SECOND && row.silent.max <= 30 * SECOND)?;
        stage.holds(&what, loss == 30 || row.false_alarms == 0)?;
        stage.holds(&what, loss == 30 || row.ghosts == 0)?;
    }
    Ok(())
}
