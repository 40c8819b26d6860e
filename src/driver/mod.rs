//! The only part that touches the world: one thread, one `mio::Poll`.
