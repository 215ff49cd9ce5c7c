//! Crates that must not be in the build, and words that must not be in ours: a second
//! runtime, a second TLS stack, globals, errors without types in libraries.

use crate::{cargo::Graph, cargo::Kind, fault::Fault};

/// Nowhere in the closure.
const BANNED: [(&str, &str); 8] = [
    ("async-std", "one runtime: tokio"),
    ("smol", "one runtime: tokio"),
    ("actix-rt", "one runtime: tokio"),
    ("openssl-sys", "no system TLS; rustls if TLS is needed"),
    ("native-tls", "no system TLS; rustls if TLS is needed"),
    ("dotenv", "unmaintained; dotenvy's iterator"),
    ("failure", "unmaintained; thiserror"),
    ("libgit2-sys", "nothing here needs git"),
];

/// Not as a direct dependency of ours.
const BANNED_DIRECTLY: [(&str, &str); 7] = [
    // reqwest brings it along; nothing of ours is built on it.
    ("tower", "no tower stacks; a function is enough"),
    ("lazy_static", "state has an owner; constants have LazyLock"),
    ("once_cell", "std has OnceLock and LazyLock"),
    ("chrono", "times are integer milliseconds"),
    (
        "async-trait",
        "a boxed future in the port says what it costs",
    ),
    ("parking_lot", "std's locks are enough"),
    ("rand", "fastrand for jitter, getrandom for secrets"),
];

/// Programs and tests may use errors without types; libraries may not.
const MAY_USE_ANYHOW: [&str; 6] = [
    "exai-daemon",
    "exai-shim",
    "exai-testkit",
    "exai-tests",
    "exai-torture",
    "xtask",
];

pub(super) fn check(graph: &Graph, faults: &mut Vec<Fault>) {
    for package in &graph.others {
        let named = format!("{} {}", package.name, package.version);
        if let Some((_, why)) = BANNED.iter().find(|(name, _)| *name == package.name) {
            let tree = format!(
                "find who brings it with `cargo tree --invert {}` and drop that",
                package.name
            );
            faults.push(Fault::new(
                "Cargo.lock",
                1,
                format!("{named} is banned: {why}"),
                tree,
            ));
        }
        if !package
            .source
            .as_deref()
            .is_some_and(|source| source.starts_with("registry+"))
        {
            faults.push(Fault::new(
                "Cargo.lock",
                1,
                format!("{named} does not come from the registry"),
                "depend on a published version",
            ));
        }
    }
    for package in &graph.ours {
        for dependency in &package.dependencies {
            let banned = BANNED_DIRECTLY
                .iter()
                .find(|(name, _)| *name == dependency.name);
            let untyped = dependency.name == "anyhow"
                && dependency.kind == Kind::Normal
                && !MAY_USE_ANYHOW.contains(&package.name.as_str());
            let why = banned
                .map(|(_, why)| *why)
                .or_else(|| untyped.then_some("libraries use thiserror"));
            if let Some(why) = why {
                let what = format!(
                    "'{}' must not depend on '{}': {why}",
                    package.name, dependency.name
                );
                faults.push(Fault::new(
                    &package.manifest,
                    1,
                    what,
                    "use what the reason names",
                ));
            }
        }
    }
}
