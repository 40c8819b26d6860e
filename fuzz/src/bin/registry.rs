//! See `chatrpc_fuzz::registry`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chatrpc_fuzz::registry::run(data));
