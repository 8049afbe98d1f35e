//! See `store::backup::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::backup::fuzz(bytes));
