//! The answer of a command that asks and ends: rows for people, objects for programs.

use crate::driver::front::format::Paper;
use crate::driver::front::json;
use crate::driver::front::table::table;
use crate::driver::os::failure::{Failure, status};
use crate::driver::os::stdio;

/// Prints rows in columns.
///
/// # Errors
///
/// When they cannot be written.
pub(crate) fn rows<const N: usize>(
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<u8, Failure> {
    let text = table(rows).into_iter().fold(String::new(), |text, line| text + &line + "\n");
    stdio::print(&text).map(|()| status::OK)
}

/// Prints an answer as objects, or the failure that there is in its place: its status then.
///
/// # Errors
///
/// When an answer cannot be written.
pub(crate) fn objects<T>(
    answer: Result<T, Failure>,
    write: impl FnOnce(T, &mut Paper),
) -> Result<u8, Failure> {
    let mut paper = Paper::default();
    let status = match answer {
        Ok(answer) => {
            write(answer, &mut paper);
            status::OK
        }
        Err(failure) => {
            json::fail(&failure, &mut paper);
            json::bye(failure.status, &mut paper);
            failure.status
        }
    };
    match stdio::print(&paper.out) {
        Err(failure) if status == status::OK => Err(failure),
        _ => Ok(status),
    }
}
