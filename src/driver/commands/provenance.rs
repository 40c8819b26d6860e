//! Where the values of a run come from that nobody typed, and what was typed: for errors about the ones, and
//! for commands to try that ask for the same as the others.

use crate::driver::os::failure::Failure;

/// What the command line was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The codes of failures that are about a value, and where it stands: `the variable CHATRPC_LOG says so`.
    pub places: Vec<(&'static [&'static str], String)>,
    /// The options that were typed, but for the name.
    pub again: Vec<String>,
}

impl Provenance {
    /// The same failure, with the place of the value that it is about.
    pub(crate) fn explain(&self, failure: Failure) -> Failure {
        let about = |(codes, _): &&(&'static [&'static str], String)| codes.contains(&failure.code);
        let places: Vec<String> =
            self.places.iter().filter(about).map(|(_, at)| at.clone()).collect();
        Failure { hints: places.into_iter().chain(failure.hints).collect(), ..failure }
    }

    /// The options that ask for the same again, but for where to listen.
    pub(crate) fn elsewhere(&self) -> impl Iterator<Item = String> {
        let mut again = self.again.iter();
        core::iter::from_fn(move || {
            let word = again.next()?;
            if word == "--listen" {
                again.next();
                return again.next().cloned();
            }
            Some(word.clone())
        })
    }
}
