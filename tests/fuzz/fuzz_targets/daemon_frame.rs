//! What a daemon sends. See `exai_tests::fuzz::frames::daemon_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exai_tests::fuzz::frames::daemon_frame(data));
