//! stub
/// Largest datagram, bytes.
pub const DATAGRAM_MAX: usize = 1200;
