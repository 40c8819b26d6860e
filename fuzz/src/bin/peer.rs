//! See `chatrpc_fuzz::peer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chatrpc_fuzz::peer::run(data));
