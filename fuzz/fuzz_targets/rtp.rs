//! See `testkit::fuzz::rtp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::rtp(bytes));
