//! Whoever is in front of the machine, and what they are shown: in words, in lines, in JSON.

pub(crate) mod chatlog;
pub(crate) mod company;
pub(crate) mod escape;
pub(crate) mod finding;
pub(crate) mod format;
pub(crate) mod intent;
pub(crate) mod invitation;
pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod note;
pub(crate) mod numbers;
pub(crate) mod refusal;
pub(crate) mod request;
pub(crate) mod search;
pub(crate) mod seat;
pub(crate) mod several;
pub(crate) mod stamp;
pub(crate) mod stream;
pub(crate) mod table;
pub(crate) mod typing;
pub(crate) mod typist;
pub(crate) mod wording;
