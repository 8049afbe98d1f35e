//! See `web::mss::fuzz_request_line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| web::mss::fuzz_request_line(bytes));
