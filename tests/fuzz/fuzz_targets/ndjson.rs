//! A provider's stream of lines. See `exai_tests::fuzz::streams::ndjson`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exai_tests::fuzz::streams::ndjson(data));
