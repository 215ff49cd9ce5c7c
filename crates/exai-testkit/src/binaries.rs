//! Where the binaries under test are.

use std::path::PathBuf;

/// The built binary of that name, beside the test that asks; `EXAI_TEST_BIN_DIR` points
/// elsewhere, for example at a release build.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let folder = std::env::var_os("EXAI_TEST_BIN_DIR").map_or_else(beside_the_test, PathBuf::from);
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "{} is not there; build it first: cargo build --workspace --bins (scripts/test does)",
        path.display()
    );
    path
}

/// Tests run from `target/<profile>/deps/`.
fn beside_the_test() -> PathBuf {
    let mut folder = std::env::current_exe().unwrap_or_default();
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    folder
}
