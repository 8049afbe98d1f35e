//! See `testkit::fuzz::sdp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::fuzz::sdp(bytes));
