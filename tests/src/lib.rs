//! The bodies of the fuzz targets. They live in a library so that the same code runs bounded
//! on the stable toolchain with every test run, and for hours under cargo-fuzz.

pub mod fuzz;
