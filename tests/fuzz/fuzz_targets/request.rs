//! What a client sends. See `exai_tests::fuzz::frames::request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exai_tests::fuzz::frames::request(data));
