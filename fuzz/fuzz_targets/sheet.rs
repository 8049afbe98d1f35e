//! See `web::extensions::sheet::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| web::extensions::sheet::fuzz(bytes));
