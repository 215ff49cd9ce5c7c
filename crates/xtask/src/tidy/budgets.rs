//! How many external crates each of ours may stand on. A raise needs a reason, written here.

use crate::{cargo, fault::Fault};
use std::path::Path;

/// Normal and build dependencies on Linux.
const BUDGETS: [(&str, usize); 11] = [
    // The proof: hmac and sha2 are ten of these, here and in all that stand on it.
    ("exai-protocol", 30),
    ("exai-engine", 45),
    ("exai-client", 60),
    ("exai-server", 70),
    // Two more since git is run as a process of tokio's.
    ("exai-tools", 62),
    // HTTPS: reqwest, hyper and rustls are eighty of these.
    ("exai-llm", 135),
    ("exai-store", 60),
    ("exai-config", 60),
    ("exai-telemetry", 70),
    ("exai-shim", 120),
    ("exai-daemon", 260),
];

pub(super) fn check(root: &Path, faults: &mut Vec<Fault>) -> anyhow::Result<()> {
    for (package, budget) in BUDGETS {
        let count = cargo::closure(root, package)?.len();
        if count > budget {
            faults.push(Fault::new(
                format!("crates/{package}/Cargo.toml"),
                1,
                format!("'{package}' stands on {count} external crates; its budget is {budget}"),
                format!("see `cargo tree -p {package}` for what can go, or raise the budget with a reason"),
            ));
        }
    }
    Ok(())
}
