//! Waiting for a nodeset: how long, and what is said meanwhile.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::driver::commands::report::cause;
use crate::driver::front::numbers::seconds;
use crate::driver::net::target::Target;
use crate::machine::Time;

/// After how long it is said for the first time that a nodeset is still asked; twice as late each time.
const TELL_FIRST: Duration = Duration::from_secs(3);
const TELL_LAST: Duration = Duration::from_secs(60);

/// Says, ever more rarely, that a nodeset has not answered yet.
#[derive(Debug)]
pub(crate) struct Asking {
    since: Time,
    due: Time,
    pause: Duration,
}

impl Asking {
    pub(crate) fn new(now: Time) -> Self {
        Self { since: now, due: now + TELL_FIRST, pause: TELL_FIRST }
    }

    /// What is to be said now, and why it may be, as far as the system says.
    pub(crate) fn due(
        &mut self,
        now: Time,
        target: &Target,
        unsent: &[(SocketAddr, io::Error)],
    ) -> Option<String> {
        if now < self.due {
            return None;
        }
        self.due = now + self.pause;
        self.pause = (2 * self.pause).min(TELL_LAST);
        let why = cause(target, unsent).map_or_else(String::new, |why| format!(": {why}"));
        Some(format!("still asking {target}, for {}{why}", seconds(now.since(self.since))))
    }

    pub(crate) const fn wake(&self) -> Time {
        self.due
    }
}
