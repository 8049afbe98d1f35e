//! See `testkit::fuzz::ladder`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::ladder(bytes));
