//! See `chatrpc_fuzz::config`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chatrpc_fuzz::config::run(data));
