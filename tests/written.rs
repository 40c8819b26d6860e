//! What docs/vectors.json and docs/JOIN.md show is what this crate computes, to the byte, and every field
//! of it is one that docs/PROTOCOL.md names. `CHATRPC_WRITE=1 cargo test --test written` writes both anew.

#[path = "support/anatomy.rs"]
mod anatomy;
#[path = "support/cast.rs"]
mod cast;
#[path = "written/join.rs"]
mod join;
#[path = "written/malformed.rs"]
mod malformed;
#[path = "written/names.rs"]
mod names;
#[path = "written/vectors.rs"]
mod vectors;
