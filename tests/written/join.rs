//! docs/JOIN.md
