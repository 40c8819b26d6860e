//! What a person has seen of a room, kept on their own disk: sealed files that are only appended to.
//!
//! A record is sealed under the key of its file, which follows from the secret key of its owner, the room
//! and the name of the file: nothing at the head of a file could be lost. A file is written by one run of
//! the program and by no other, and no place of it is written twice.
//!
//! | file | idea |
//! |---|---|
//! | `record` | what is kept of something that happened, as bytes |
//! | `seal` | records in a file: sealed, opened, and found again behind a damage |
//! | `disk` | what a file is called, and what is asked of a disk |
//! | `shelf` | the files of a room: which there are, which go |
//! | `writer` | appending to them, also on a disk that is full for a while |
//! | `scan` | reading them, a little at a time: the newest first, or in order |

pub(crate) mod disk;
pub(crate) mod record;
pub(crate) mod scan;
pub(crate) mod seal;
pub(crate) mod shelf;
pub(crate) mod writer;
