//! See `web::mss::fuzz_call_back`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| web::mss::fuzz_call_back(bytes));
