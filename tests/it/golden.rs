//! Files that a test's words are held to. To write them anew after a change that was meant, run
//! the tests named `golden` of the binary `it` with `EXAI_GOLDEN=write`, and read the difference
//! before you commit it.

use exai_testkit::Must as _;
use std::{fs, io::Write as _, path::PathBuf};

/// Where the files of one kind are.
pub(crate) fn folder(kind: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(kind)
}

/// The same as the file, or the file is written.
pub(crate) fn same(kind: &str, name: &str, told: &str) {
    let path = folder(kind).join(format!("{name}.txt"));
    if std::env::var("EXAI_GOLDEN").is_ok_and(|word| word == "write") {
        let mut file = fs::File::create(path).must("make the golden file");
        file.write_all(told.as_bytes())
            .must("write the golden file");
        return;
    }
    let golden = fs::read_to_string(&path).must(format_args!("read {}", path.display()));
    assert_eq!(
        golden, told,
        "{name}: run with EXAI_GOLDEN=write if this is meant"
    );
}
