//! What an MCP client writes to the shim. See `exai_tests::fuzz::lines::lines`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exai_tests::fuzz::lines::lines(data));
