//! See `chatrpc_fuzz::text`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chatrpc_fuzz::text::run(data));
