//! The commands: what each is asked for, what it asks a person first, and how it ends.

pub(crate) mod answer;
pub(crate) mod ask_name;
pub(crate) mod ask_secret;
pub(crate) mod chat;
pub(crate) mod doctor;
pub(crate) mod door;
pub(crate) mod find;
pub(crate) mod history;
pub(crate) mod log;
pub(crate) mod nodeset;
pub(crate) mod options;
pub(crate) mod patience;
pub(crate) mod plan;
pub(crate) mod presenter;
pub(crate) mod provenance;
pub(crate) mod report;
pub(crate) mod stay;
pub(crate) mod who;
