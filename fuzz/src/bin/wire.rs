//! See `chatrpc_fuzz::wire`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chatrpc_fuzz::wire::run(data));
