//! The bodies of the fuzz targets. They live in a library so that the same code runs bounded
//! on the stable toolchain with every test run, and for hours under cargo-fuzz.
//!
//! The shim is a program, not a library; its readers of hostile bytes are taken in here as
//! source, so that what is fuzzed is what is shipped.

pub mod fuzz;

#[path = "../../crates/exai-shim/src/envelope.rs"]
#[expect(dead_code, reason = "the shim's module; not all of it is fuzzed")]
mod envelope;
#[path = "../../crates/exai-shim/src/id_scan.rs"]
mod id_scan;
#[path = "../../crates/exai-shim/src/stdin.rs"]
mod stdin;
