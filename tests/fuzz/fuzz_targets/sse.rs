//! A provider's event stream. See `exai_tests::fuzz::streams::sse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exai_tests::fuzz::streams::sse(data));
