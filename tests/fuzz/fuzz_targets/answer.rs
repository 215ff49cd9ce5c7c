//! A provider's answers, in every dialect. See `exai_tests::fuzz::streams::answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exai_tests::fuzz::streams::answer(data));
