//! See `chatrpc_fuzz::screen`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chatrpc_fuzz::screen::run(data));
