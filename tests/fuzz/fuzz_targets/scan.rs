//! The bound on nesting. See `exai_tests::fuzz::scan::scan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exai_tests::fuzz::scan::scan(data));
